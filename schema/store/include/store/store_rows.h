/* Rows on their way to unnest(): one array per column, kept and reused from batch to batch. The
 * aggregates of this folder say which columns. */
#ifndef EMT_STORE_STORE_ROWS_H
#define EMT_STORE_STORE_ROWS_H

#include "base/attr.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_ROWS_COLUMNS 16

struct store_rows {
    struct store_array *column[STORE_ROWS_COLUMNS];
    unsigned n;
};

/* False when out of memory; release either way. */
bool store_rows_init(struct store_rows *r, const enum store_type *types, unsigned n);
void store_rows_release(struct store_rows *r);
void store_rows_clear(struct store_rows *r);
size_t store_rows_count(const struct store_rows *r);
/* Sends st with $1 = tenant, $2 … the columns, and behind them the time `at` where the statement
 * has one more parameter. */
EMT_CHECKED enum emt_err store_rows_send(struct store *s, const struct store_statement *st,
                                         int32_t tenant, struct store_rows *r, emt_time at,
                                         store_done *done, void *ctx);

#endif
