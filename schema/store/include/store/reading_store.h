/* Writing values: rows of the hot month partitions, late rows, texts, and what contradicts them
 * (docs/decisions, rank decides). Reading back is reading_query_store.h. Asynchronous, inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_READING_STORE_H
#define EMT_STORE_READING_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* quality column: low byte model/quality.h, next byte model/reading.h time source. */
#define READING_QUALITY(quality, source) ((int16_t)((int)(quality) + 256 * (int)(source)))

struct reading_row {
    int64_t channel;
    emt_time ts;
    struct decimal value; /* in the channel's base unit */
    int16_t quality;      /* READING_QUALITY() */
};
/* Rows of one statement carry each (channel, ts) once, sorted by them: a stable lock order. */
bool reading_rows_init(struct store_rows *r);
bool reading_rows_add(struct store_rows *r, const struct reading_row *row);
/* Inserts; where a row stands the higher rank wins and everything else is left alone.
 * store_affected() counts rows that are new or changed: fewer than sent means that some stood there
 * before, equal or not, and the conflict statement finds those that differ. */
EMT_CHECKED enum emt_err reading_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                           store_done *done, void *ctx);
EMT_CHECKED enum emt_err reading_late_send(struct store *s, int32_t tenant, struct store_rows *r,
                                           emt_time received_at, store_done *done, void *ctx);
/* For values that are expected to be new, at half the price of the above: EMT_ECONFLICT when one is
 * not. */
EMT_CHECKED enum emt_err reading_new_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          store_done *done, void *ctx);
/* Which of these differ in value from what stands, at equal rank: kept in reading_conflict. Rows
 * may repeat a (channel, ts). */
EMT_CHECKED enum emt_err reading_conflict_send(struct store *s, int32_t tenant,
                                               struct store_rows *r, emt_time seen_at,
                                               store_done *done, void *ctx);
EMT_CHECKED enum emt_err reading_late_conflict_send(struct store *s, int32_t tenant,
                                                    struct store_rows *r, emt_time seen_at,
                                                    store_done *done, void *ctx);

struct text_row {
    int64_t channel;
    emt_time ts;
    int16_t quality;
    const char *text; /* UTF-8 */
};
bool text_rows_init(struct store_rows *r);
bool text_rows_add(struct store_rows *r, const struct text_row *row);
/* A row only where the text differs from the one in force at its time. */
EMT_CHECKED enum emt_err text_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                        store_done *done, void *ctx);

const struct store_statement *reading_store_statements(size_t *n);

#endif
