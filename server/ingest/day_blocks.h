/* Values beside packed history: whole days that a device delivers become blocks at once, and values
 * of days that are packed already are held against their block.
 *
 * Before a part is judged its frames say which days they are about (ask), the store answers, and
 * once it is known which values count they are settled: what the block says already is passed over,
 * what contradicts it at equal rank is a conflict, what outranks it or is missing there goes on as
 * a row, which the next compaction merges. A day without block and without rows that comes whole in
 * one frame is written as a block. */
#ifndef EMT_INGEST_DAY_BLOCKS_H
#define EMT_INGEST_DAY_BLOCKS_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/writer.h"
#include "batch.h"
#include "store/block_store.h"
#include "store/store.h"
#include "store/store_rows.h"
#include "value_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct day_known; /* what is known of a day of a channel */

struct day_blocks {
    struct day_known *days;
    size_t n, cap;
    bool sorted;
    emt_time now;
    struct block_value *values; /* of the day at hand */
    size_t values_cap;
    struct writer packed;
    struct store_rows asks, blocks, losers; /* of the tenant at hand */
    struct store_array *channels;           /* to be locked for blocks */
    size_t written;                         /* blocks of the part */
};

bool day_blocks_init(struct day_blocks *d);
void day_blocks_release(struct day_blocks *d);
void day_blocks_clear(struct day_blocks *d, emt_time now);
/* Notes which days the frame's values are about. false: out of memory. */
bool day_blocks_ask(struct day_blocks *d, const struct value_rows *r, const struct batch_frame *f);
/* Everything asked since `from` (d->n then) is of the tenant: into d->asks, which may stay empty.
 */
bool day_blocks_fill_asks(struct day_blocks *d, int32_t tenant, size_t from);
/* A row of block_ask_send(). A block that cannot be read is as good as none is: its values go on as
 * rows. false: out of memory. */
bool day_blocks_take(struct day_blocks *d, int32_t tenant, const struct store_result *r, int row);
/* Settles the values of a tenant: into d->blocks with d->channels, d->losers, and r's places.
 * false: out of memory. */
bool day_blocks_settle(struct day_blocks *d, int32_t tenant, struct value_rows *r,
                       const struct value_span *s);

#endif
