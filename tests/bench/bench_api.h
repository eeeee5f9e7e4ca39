/* emt-bench api: REST and event streams over TLS, against a server in a process of its own and a
 * throw-away database. */
#ifndef EMT_TESTS_BENCH_API_H
#define EMT_TESTS_BENCH_API_H

/* argv[0] is "api". Options: --rate N (requests per second), --seconds N (of each phase),
 * --streams N. Returns the exit code. */
int bench_api(int argc, char **argv);

#endif
