/* emt-bench decode: CPU time of decoding one telegram, per class, on one core. */
#ifndef EMT_TESTS_BENCH_DECODE_H
#define EMT_TESTS_BENCH_DECODE_H

/* Prints one JSON line per class and figure. Exit code: 0, 1 when a telegram does not decode or a
 * warm decoder allocates. */
int bench_decode(int argc, char **argv);

/* Calls of malloc(), calloc() and realloc() of the whole process until now; 0 under a sanitizer, to
 * which they belong. */
unsigned long bench_decode_allocations(void);
/* Prints the line "NAME-allocations" where allocations are counted. */
void bench_decode_put_allocations(const char *name, unsigned long n, int runs);

#endif
