/* Closed spans: one packed row per channel and UTC day or month (model/block.h,
 * docs/generic-schema.md).
 *
 * Blocks of a channel are written under the lock of its channel row, so that two writers never
 * work from the same old block. Whoever reads takes rows and blocks in one statement
 * (reading_query_store.h). */
#ifndef EMT_STORE_BLOCK_STORE_H
#define EMT_STORE_BLOCK_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/block.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A channel with this many values a day and more has a block per day, otherwise per month. */
#define BLOCK_DAY_VALUES 48
/* Rows that one transaction moves at most, unless one day of one channel has more. */
#define BLOCK_LOT_ROWS 20000

struct block_counts {
    int64_t rows;      /* that left reading and reading_late */
    int64_t blocks;    /* written */
    int64_t conflicts; /* newly noted */
    int64_t skipped;   /* rows left alone: too many for one block, or beside one that is broken */
};

/* Values before this are closed: the start of the UTC day so many days ago as the tenant wants.
 * EMT_ENOTFOUND: no such tenant. */
EMT_CHECKED enum emt_err block_closed(struct store *s, int32_t tenant, emt_time now,
                                      emt_time *closed);
/* Start of the UTC day or month that t is in, and of the next month. */
emt_time block_day_of(emt_time t);
emt_time block_month_of(emt_time t);
emt_time block_month_after(emt_time month);
/* First UTC month at or after `from` with values before `closed`; EMT_TIME_NONE: none. */
EMT_CHECKED enum emt_err block_next_month(struct store *s, int32_t tenant, emt_time from,
                                          emt_time closed, emt_time *out);

/* One lot of a month: channels behind `after`. Zeroed for the first one but for month and closed.
 */
struct block_lot {
    emt_time month;  /* its start */
    emt_time closed; /* start of a UTC day: values before it are to be packed */
    int64_t after;   /* channel */
    emt_time from;   /* of the channel behind `after`: its days before this are done; 0: none */
    bool single;     /* one channel at a time: something among them would not go */
    int width;       /* channels to look at next */
    bool done;       /* nothing left in this month */
};
/* Moves the rows of closed spans into their blocks, in one transaction of its own, and steps on.
 * Channels that are better kept by the month wait for its end. EMT_EAGAIN: locks or a deadlock;
 * the same lot again. As STORE_ADMIN. */
EMT_CHECKED enum emt_err block_compact(struct store *s, int32_t tenant, struct block_lot *lot,
                                       emt_time now, struct block_counts *counts);

/* Whole days as a device delivers them, straight to blocks: rows ascending by (channel, ts), inside
 * a transaction of the tenant. What stands there already stays, unless the new value's rank is
 * higher. EMT_EMALFORMED: not ascending; EMT_ELIMIT: a time before 1970 or more than two days after
 * now. */
struct block_row {
    int64_t channel;
    struct block_value v;
};
EMT_CHECKED enum emt_err block_deliver(struct store *s, int32_t tenant,
                                       const struct block_row *rows, size_t n, emt_time now,
                                       struct block_counts *counts);

/* --- the same from a pipeline: what ingest does with days that a device delivers, and with values
 * of days that may be packed. Inside a transaction of the tenant. */

/* Days of channels that are asked about. */
struct block_ask {
    int64_t channel;
    emt_time day; /* its start */
    bool whole;   /* it may become a block */
};
bool block_ask_rows_init(struct store_rows *r);
bool block_ask_rows_add(struct store_rows *r, const struct block_ask *a);
/* A row for each: (channel_id, day, data, has_rows). data: the block that the day is in, NULL for
 * none. has_rows: for whole ones whether values of the day stand as rows. */
EMT_CHECKED enum emt_err block_ask_send(struct store *s, int32_t tenant, struct store_rows *r,
                                        store_done *done, void *ctx);
/* Writers of these channels' blocks are waited for and kept out. channels: STORE_INT8. */
EMT_CHECKED enum emt_err block_lock_send(struct store *s, int32_t tenant,
                                         struct store_array *channels, store_done *done, void *ctx);
/* New blocks of a day each. */
bool block_day_rows_init(struct store_rows *r);
bool block_day_rows_add(struct store_rows *r, int64_t channel, emt_time day, size_t values,
                        const void *data, size_t len);
/* store_affected() counts those that were written: not where a block or a row of the day stands. */
EMT_CHECKED enum emt_err block_day_send(struct store *s, int32_t tenant, struct store_rows *r,
                                        store_done *done, void *ctx);
/* Values that lost against what a block has, at equal rank. */
struct block_loser {
    int64_t channel;
    struct block_value lost, kept; /* of one time */
};
bool block_loser_rows_init(struct store_rows *r);
bool block_loser_rows_add(struct store_rows *r, const struct block_loser *l);
EMT_CHECKED enum emt_err block_loser_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          emt_time seen_at, store_done *done, void *ctx);

/* Months of reading that the window has left and that are empty: dropped, and counted. EMT_EAGAIN:
 * the table was busy. As STORE_ADMIN. */
EMT_CHECKED enum emt_err reading_partitions_drop(struct store *s, emt_time now, int32_t hot_days,
                                                 int64_t *dropped);

const struct store_statement *block_store_statements(size_t *n);

#endif
