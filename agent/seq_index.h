/* Where the frames of a spool stand, by sequence number. Private to the agent. */
#ifndef EMT_AGENT_SEQ_INDEX_H
#define EMT_AGENT_SEQ_INDEX_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define HOLE UINT32_MAX

/* Where the frames base .. base+count-1 stand, as a ring of offsets in units of 16 bytes; HOLE for
 * one that is lost. */
struct seq_index {
    uint32_t *unit;
    size_t cap; /* a power of two */
    size_t head;
    size_t count;
    uint64_t base;
};

void seq_index_release(struct seq_index *x);
/* One behind the last number. */
uint64_t seq_index_end(const struct seq_index *x);
/* HOLE outside. */
uint32_t seq_index_get(const struct seq_index *x, uint64_t seq);
/* seq must be within. */
void seq_index_set(struct seq_index *x, uint64_t seq, uint32_t unit);
/* The next number. EMT_ENOMEM. */
EMT_CHECKED enum emt_err seq_index_push(struct seq_index *x, uint32_t unit);
void seq_index_drop_oldest(struct seq_index *x);

#endif
