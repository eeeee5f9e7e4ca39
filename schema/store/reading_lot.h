/* Values of many channels, brought in any order, and handed out by channel and time: each time
 * once, the higher rank wins, at equal rank the first place. Sorting here is cheaper than at the
 * server, where rows that were written by time would be looked up channel by channel. */
#ifndef EMT_STORE_READING_LOT_H
#define EMT_STORE_READING_LOT_H

#include "base/attr.h"
#include "base/error.h"
#include "block_merge.h"
#include "model/block.h"

#include <stddef.h>
#include <stdint.h>

struct lot_value {
    struct block_value v;
    uint32_t slot; /* of its channel */
    uint8_t place; /* enum block_place */
};
struct reading_lot {
    const int64_t *ids; /* ascending, borrowed */
    size_t n_ids;
    size_t at; /* slot of the value before */
    struct lot_value *list;
    size_t n, cap;
    struct lot_value *sorted; /* once it is */
    size_t *first;            /* n_ids + 1, in sorted */
};

/* ids: ascending, each once, at most UINT32_MAX. `expected` values are made room for. */
EMT_CHECKED enum emt_err reading_lot_init(struct reading_lot *l, const int64_t *ids, size_t n_ids,
                                          size_t expected);
void reading_lot_release(struct reading_lot *l);
/* Values of other channels are passed over. EMT_ENOMEM. */
EMT_CHECKED enum emt_err reading_lot_add(struct reading_lot *l, int64_t channel,
                                         const struct block_value *v, enum block_place place);
/* Those of a block with from <= ts < to. Errors as block_open(). */
EMT_CHECKED enum emt_err reading_lot_add_block(struct reading_lot *l, int64_t channel,
                                               const void *data, size_t len, emt_time from,
                                               emt_time to);
/* Behind the last one. EMT_ENOMEM. */
EMT_CHECKED enum emt_err reading_lot_sort(struct reading_lot *l);
/* The values of ids[slot]; *n of them. */
const struct lot_value *reading_lot_of(const struct reading_lot *l, size_t slot, size_t *n);

#endif
