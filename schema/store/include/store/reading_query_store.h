/* Reading values back: hot rows and late rows as one series, the higher rank wins. */
#ifndef EMT_STORE_READING_QUERY_STORE_H
#define EMT_STORE_READING_QUERY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "model/quality.h"
#include "model/reading.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* One stored value, in the channel's base unit. */
struct stored_reading {
    emt_time ts;
    struct decimal value;
    enum quality quality;
    enum time_source time_source;
};

/* Most values of one call. */
#define READING_RANGE_MAX 100000

/* Values of one channel with from <= ts < to, ascending, at most limit of them
 * (1..READING_RANGE_MAX). Inside a transaction of the tenant. *out is the caller's to free(); NULL
 * when *n is 0. */
EMT_CHECKED enum emt_err reading_range(struct store *s, int32_t tenant, int64_t channel,
                                       emt_time from, emt_time to, size_t limit,
                                       struct stored_reading **out, size_t *n);

/* Texts of a channel of kind text or raw: rows (ts timestamptz, text text, quality int2),
 * ascending. Free with store_result_free(). */
EMT_CHECKED enum emt_err reading_text_range(struct store *s, int32_t tenant, int64_t channel,
                                            emt_time from, emt_time to, size_t limit,
                                            struct store_result **out);

const struct store_statement *reading_query_store_statements(size_t *n);

#endif
