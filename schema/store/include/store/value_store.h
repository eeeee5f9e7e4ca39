/* Values put, replaced and taken away one by one, wherever they lie: in a month partition, among
 * the late ones or in a block. Readers see the change with the commit, and what is compacted later
 * keeps it. What stood there goes to reading_history with who, when and why.
 *
 * For what people decide, for computed values and for replays; what arrives goes through
 * reading_store.h and block_store.h. Synchronous, inside a transaction of the tenant. */
#ifndef EMT_STORE_VALUE_STORE_H
#define EMT_STORE_VALUE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/block.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most changes of one call. */
#define VALUE_CHANGES_MAX 20000

/* What may be replaced. */
enum value_rule {
    VALUE_BY_RANK, /* what ranks no higher than the new value (decision 6) */
    VALUE_NOT_BY_HAND /* whatever no person set (QUALITY_BY_HAND) */,
    VALUE_ALWAYS
};

enum value_outcome {
    VALUE_WRITTEN,
    VALUE_SAME,     /* it stood there already, or there was nothing to take away */
    VALUE_OUTRANKED /* what stands there stays */
};

struct value_change {
    struct block_value v; /* what is put; without a time source it takes over that of
                             what stood there; of one to be taken away only ts counts */
    bool remove;
    const char *reason; /* for the predecessor; borrowed */
    /* Written by value_change(): */
    bool had;
    struct block_value before; /* what stood there, when it had something */
    enum value_outcome outcome;
};

struct value_who {
    const char *by; /* actor */
    emt_time at;
};

/* n changes of one channel, strictly ascending in time. Locks the channel as the compactor does.
 * EMT_ENOTFOUND: no such channel. EMT_EMALFORMED: not ascending, or a block is broken. EMT_ELIMIT:
 * more than VALUE_CHANGES_MAX. EMT_EAGAIN: a value arrived at one of these times just now: roll
 * back, and again. */
EMT_CHECKED enum emt_err value_change(struct store *s, int32_t tenant, int64_t channel,
                                      enum value_rule rule, struct value_change *changes, size_t n,
                                      const struct value_who *who);

/* Only looks: had and before are set as value_change() would, without a lock. */
EMT_CHECKED enum emt_err value_look(struct store *s, int32_t tenant, int64_t channel,
                                    struct value_change *changes, size_t n);

const struct store_statement *value_store_statements(size_t *n);

#endif
