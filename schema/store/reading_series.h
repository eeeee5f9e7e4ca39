/* Rows, late rows and blocks of a channel as one series: ascending, each time once, the higher rank
 * wins. Of the rows of a statement with the columns
 *   channel_id int8, place int2, ts, mantissa int8, exponent int2, quality int2, data bytea
 * in order of channel, place and ts; place as in block_merge.h, data with place 0 only. */
#ifndef EMT_STORE_READING_SERIES_H
#define EMT_STORE_READING_SERIES_H

#include "base/attr.h"
#include "base/error.h"
#include "model/block.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct series_rows {
    int row, end;
};
struct reading_series {
    const struct store_result *r; /* borrowed */
    emt_time from, to;
    struct series_rows blocks, rows, late;
    struct block_cursor cursor;
    struct block_value lot[BLOCK_GROUP];
    size_t at, n; /* in lot */
};

/* The channel whose first row is `row`; *next is the first row of another one. Errors as
 * block_open(). */
EMT_CHECKED enum emt_err reading_series_open(struct reading_series *s, const struct store_result *r,
                                             int row, emt_time from, emt_time to, int *next);
/* False in *got: the end. */
EMT_CHECKED enum emt_err reading_series_next(struct reading_series *s, struct block_value *out,
                                             bool *got);

#endif
