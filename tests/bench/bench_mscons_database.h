#ifndef EMT_TESTS_BENCH_MSCONS_DATABASE_H
#define EMT_TESTS_BENCH_MSCONS_DATABASE_H

/* emt-bench mscons --places N: a day of 10 and of N metering points out of PostgreSQL. Exit code.
 */
int bench_mscons_database(unsigned places, unsigned runs);

#endif
