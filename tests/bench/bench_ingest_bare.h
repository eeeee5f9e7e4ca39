/* The ground that ingest's database time is measured against: the same rows once more, by plain
 * idempotent inserts. */
#ifndef EMT_TESTS_BENCH_INGEST_BARE_H
#define EMT_TESTS_BENCH_INGEST_BARE_H

#include "pg_fixture.h"

#include <stdbool.h>
#include <stdint.h>

#define BARE_SLICES 5

/* CPU of the inserting backend, microseconds per reading, medians of BARE_SLICES parts of the rows.
 */
struct bare_figures {
    double readings;          /* the readings alone */
    double readings_unrolled; /* … with the arrays unrolled in the list, as ingest does it */
    double same_rows;         /* readings, raw frames, identities of telegrams, cursors */
    double same_rows_unrolled;
};

/* Copies of the tables, with their primary keys and no other index. Before the rows come. */
void bare_tables_make(struct pg_fixture *f);
/* What stands in the tables of these tenants. All zero: too few rows of each for a figure. */
bool bare_measure(struct pg_fixture *f, const int32_t *tenants, unsigned n,
                  struct bare_figures *out);

/* CPU of a process since its start. */
int64_t bench_process_cpu_us(int64_t pid);
double bench_median(double *values, unsigned n); /* sorts them */

#endif
