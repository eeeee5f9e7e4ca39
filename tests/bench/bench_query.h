/* emt-bench query: values by REST, from the database to the client's socket. Prints JSON lines. */
#ifndef BENCH_QUERY_H
#define BENCH_QUERY_H

/* argv[0] is "query". Options: --runs N (default 5), --meters N (default 10000). Returns the exit
 * code. */
int bench_query(int argc, char **argv);

#endif
