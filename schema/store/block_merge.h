/* Rows and blocks of some channels in one UTC month, made one: rank decides, blocks are packed anew
 * where something changed. No SQL; block_store.c brings and takes. */
#ifndef EMT_STORE_BLOCK_MERGE_H
#define EMT_STORE_BLOCK_MERGE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/block.h"
#include "store/block_store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a value was found. At equal rank the first of these stands. */
enum block_place { PLACE_BLOCK = 0, PLACE_ROW = 1, PLACE_LATE = 2 };

struct block_item {
    int64_t channel;
    struct block_value v;
    uint8_t place;
};

struct block_merge {
    struct block_item *items;
    size_t n, cap;
    bool unsorted;
    struct block_value *values; /* of the span at hand */
    size_t values_cap;
    struct writer packed;
    struct store_rows blocks, conflicts, history;
    int64_t written;
};

/* False: out of memory; release either way. */
bool block_merge_init(struct block_merge *m);
void block_merge_release(struct block_merge *m);
void block_merge_clear(struct block_merge *m);
EMT_CHECKED enum emt_err block_merge_add(struct block_merge *m, int64_t channel,
                                         const struct block_value *v, enum block_place place);
/* All values of a stored block. Errors of block_open(). */
EMT_CHECKED enum emt_err block_merge_add_block(struct block_merge *m, int64_t channel,
                                               const void *data, size_t len);
/* In order of channel and time, best value first. */
void block_merge_sort(struct block_merge *m);
/* Packs the values of items [from, to), one channel and month, sorted: one block for the month, or
 * one per day. Filled are blocks, conflicts and history. EMT_ELIMIT: too many for a block. */
EMT_CHECKED enum emt_err block_merge_pack(struct block_merge *m, size_t from, size_t to,
                                          bool by_month);

#endif
