/* emt-bench blocks: packing load curves in memory, and their days into PostgreSQL. Prints JSON
 * lines. */
#ifndef BENCH_BLOCKS_H
#define BENCH_BLOCKS_H

/* argv[0] is "blocks". Options: --runs N (default 5), --channels N (default 2000), --days N
 * (default 30). Returns the exit code. */
int bench_blocks(int argc, char **argv);

#endif
