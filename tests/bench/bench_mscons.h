/* emt-bench mscons: writing and checking MSCONS in memory. Prints JSON lines. */
#ifndef BENCH_MSCONS_H
#define BENCH_MSCONS_H

/* argv[0] is "mscons". Options: --runs N (default 5). Returns the exit code. */
int bench_mscons(int argc, char **argv);

#endif
