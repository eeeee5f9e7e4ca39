/* What people decided about values: corrections, the versions behind a value, conflicts. The values
 * themselves are changed by value_store.h. Inside a transaction of the tenant. Lists are as those
 * of the other aggregates: column 0 is the cursor of each row. */
#ifndef EMT_STORE_CORRECTION_STORE_H
#define EMT_STORE_CORRECTION_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/block.h"
#include "store/store.h"
#include "store/value_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct correction {
    struct block_value v;
    const char *reason, *method; /* borrowed */
    bool had;
    struct block_value before;
};
/* Notes n of them; their numbers are in column 0 of *out, column 1 is ts, in any order. */
EMT_CHECKED enum emt_err correction_insert(struct store *s, int32_t tenant, int64_t channel,
                                           const struct correction *list, size_t n,
                                           const struct value_who *who, struct store_result **out);

/* Columns of a correction. */
enum correction_column {
    CORRECTION_CURSOR,
    CORRECTION_ID,
    CORRECTION_TS,
    CORRECTION_MANTISSA,
    CORRECTION_EXPONENT,
    CORRECTION_QUALITY,
    CORRECTION_HAD_MANTISSA, /* NULL: there was nothing */
    CORRECTION_HAD_EXPONENT,
    CORRECTION_HAD_QUALITY,
    CORRECTION_REASON,
    CORRECTION_METHOD,
    CORRECTION_MADE_AT,
    CORRECTION_MADE_BY,
    CORRECTION_WITHDRAWN_AT,
    CORRECTION_WITHDRAWN_BY,
    CORRECTION_WITHDRAWN_REASON
};
/* Newest first, before a number (0: from the newest); from and to bound ts, EMT_TIME_NONE: open. */
EMT_CHECKED enum emt_err correction_list(struct store *s, int32_t tenant, int64_t channel,
                                         emt_time from, emt_time to, int64_t before, int limit,
                                         struct store_result **out);
/* One, locked. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err correction_lock(struct store *s, int32_t tenant, int64_t channel,
                                         int64_t id, struct store_result **out);
/* The newest one of a time that is not withdrawn. EMT_ENOTFOUND: none. */
EMT_CHECKED enum emt_err correction_newest(struct store *s, int32_t tenant, int64_t channel,
                                           emt_time ts, int64_t *id);
EMT_CHECKED enum emt_err correction_withdraw(struct store *s, int32_t tenant, int64_t id,
                                             const struct value_who *who, const char *reason);

/* Predecessors with from <= ts < to, ascending by time, then by when they were replaced:
 * (cursor "µs.µs", ts, mantissa, exponent, quality, replaced_at, replaced_by, reason). Behind the
 * cursor (after_ts, after_replaced); EMT_TIME_NONE: from the first one. */
EMT_CHECKED enum emt_err history_list(struct store *s, int32_t tenant, int64_t channel,
                                      emt_time from, emt_time to, emt_time after_ts,
                                      emt_time after_replaced, int limit,
                                      struct store_result **out);

/* An open conflict, locked: (mantissa, exponent, quality, kept_mantissa, kept_exponent,
 * kept_quality), by value and not by spelling. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err conflict_lock(struct store *s, int32_t tenant, int64_t channel,
                                       emt_time ts, struct decimal value,
                                       struct store_result **out);
/* Decides it: the value as conflict_lock() spelled it. Others of the same time stay open; when the
 * value was taken they are against it. */
EMT_CHECKED enum emt_err conflict_decide(struct store *s, int32_t tenant, int64_t channel,
                                         const struct block_value *value, bool taken,
                                         const struct value_who *who, const char *reason);

const struct store_statement *correction_store_statements(size_t *n);

#endif
