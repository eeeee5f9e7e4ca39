/* Reading values back: hot rows, late rows and blocks as one series, the higher rank wins. */
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
    int16_t stored_quality; /* both, and what else the number says (model/quality.h) */
};

/* Most values of one call. */
#define READING_RANGE_MAX 100000

/* Values of one channel with from <= ts < to, ascending, at most limit of them
 * (1..READING_RANGE_MAX). Inside a transaction of the tenant. *out is the caller's to free(); NULL
 * when *n is 0. EMT_EMALFORMED: a block is broken. */
EMT_CHECKED enum emt_err reading_range(struct store *s, int32_t tenant, int64_t channel,
                                       emt_time from, emt_time to, size_t limit,
                                       struct stored_reading **out, size_t *n);

/* Takes values in order of channel, then time; an error ends the walk and is returned. */
struct reading_visitor {
    enum emt_err (*value)(void *ctx, int64_t channel, const struct stored_reading *v);
    void *ctx;
};
/* All values of one channel with from <= ts < to, with memory for a part of them only. Repeats its
 * statement as often as it needs to: inside a transaction of the tenant, and in one of REPEATABLE
 * READ where all parts must be of one instant. */
EMT_CHECKED enum emt_err reading_walk(struct store *s, int32_t tenant, int64_t channel,
                                      emt_time from, emt_time to,
                                      const struct reading_visitor *visitor);
/* The same of the `channels` next ones behind `after` (1..READING_LOT_CHANNELS), in one statement;
 * *last is the highest one that was looked at, 0 when there is none behind `after`. A statement
 * takes memory for all of its values: ask for few first. to - from is a day at most (EMT_ELIMIT).
 */
#define READING_LOT_CHANNELS 500
EMT_CHECKED enum emt_err reading_walk_lot(struct store *s, int32_t tenant, int64_t after,
                                          int channels, emt_time from, emt_time to,
                                          const struct reading_visitor *visitor, int64_t *last);

/* The same of these channels (ascending, each once), over a span of any length, in two steps: the
 * server works while the caller does something else (store_ask()). The answer belongs to the
 * transaction of the asking, and takes memory for all of its values. */
EMT_CHECKED enum emt_err reading_ask_channels(struct store *s, int32_t tenant,
                                              const int64_t *channels, size_t n, emt_time from,
                                              emt_time to);
EMT_CHECKED enum emt_err reading_answer_channels(struct store *s, const int64_t *channels, size_t n,
                                                 emt_time from, emt_time to,
                                                 const struct reading_visitor *visitor);

/* The value with the latest time of each of these channels: n entries in the order of the ids; ts
 * is EMT_TIME_NONE where there is none. */
EMT_CHECKED enum emt_err reading_last(struct store *s, int32_t tenant, const int64_t *channels,
                                      size_t n, struct stored_reading *out);

/* Texts of a channel of kind text or raw: rows (ts timestamptz, text text, quality int2),
 * ascending. Free with store_result_free(). */
EMT_CHECKED enum emt_err reading_text_range(struct store *s, int32_t tenant, int64_t channel,
                                            emt_time from, emt_time to, size_t limit,
                                            struct store_result **out);

const struct store_statement *reading_query_store_statements(size_t *n);

#endif
