/* The values of one part of a batch on their way into their tables: which table, which of several
 * for one (channel, ts), which were there already. */
#ifndef EMT_INGEST_VALUE_ROWS_H
#define EMT_INGEST_VALUE_ROWS_H

#include "base/attr.h"
#include "base/clock.h"
#include "batch.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_stats;

enum value_place {
    VALUE_HOT,
    VALUE_LATE,
    VALUE_TEXT,
    VALUE_SETTLED, /* in a block, or needed no longer: day_blocks.h */
    VALUE_PLACES
};

/* Which of a span's values. */
enum value_pick {
    VALUE_STANDING,        /* those that are to stand */
    VALUE_STANDING_AHEAD,  /* … ahead of their channels */
    VALUE_STANDING_BEHIND, /* … and the others */
    VALUE_ALL,             /* the outranked as well */
};

struct value_row {
    const struct batch_value *v;
    int64_t channel;
    enum value_place place;
    int rank;
    size_t order;   /* of arrival */
    bool ahead;     /* younger than everything that is known of its channel */
    bool outranked; /* another value of the batch stands for this (channel, ts); looked at as a
                       conflict */
};

struct value_rows {
    struct value_row *at;
    size_t n, cap;
    emt_time now;
    emt_time hot_from, hot_to; /* month partitions: outside of them a value is late */
    struct run_stats *stats;
};

/* The values of one tenant. */
struct value_span {
    size_t from, to;
    bool losers[VALUE_PLACES]; /* some are outranked */
};

/* Until the window is known everything is late. */
void value_rows_init(struct value_rows *r, struct run_stats *stats);
void value_rows_release(struct value_rows *r);
void value_rows_clear(struct value_rows *r, emt_time now);
/* What is past retention or equal to the last committed value of its channel is counted and passed
 * over. false: out of memory. */
bool value_rows_add(struct value_rows *r, const struct batch_value *v);
/* Neither too old to be kept nor the same as the last of its channel. */
bool value_rows_is_news(const struct value_rows *r, const struct batch_value *v);
/* Everything added since `from` belongs together: sorts it in the order in which rows are locked,
 * and leaves one value for each (channel, ts). */
struct value_span value_rows_close(struct value_rows *r, size_t from);
/* Fill rows of store/reading_store.h, cleared before. false: out of memory. */
bool value_span_readings(const struct value_rows *r, const struct value_span *s,
                         enum value_place place, enum value_pick pick, struct store_rows *out);
bool value_span_texts(const struct value_rows *r, const struct value_span *s,
                      struct store_rows *out);
/* They are committed: the channels know their last values. */
void value_rows_remember(const struct value_rows *r);

#endif
