/* Erasing what was measured at a location (GDPR, article 17; cut at move-out): values of its
 * channels while they were bound to it, of what is computed from them, and the frames, telegrams,
 * events and read attempts of their devices in that time. Files that went to partners stay. */
#ifndef EMT_STORE_ERASURE_STORE_H
#define EMT_STORE_ERASURE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum erasure_kind {
    ERASED_VALUES,
    ERASED_PACKED_VALUES,
    ERASED_TEXTS,
    ERASED_PREDECESSORS,
    ERASED_CONFLICTS,
    ERASED_CORRECTIONS,
    ERASED_FRAMES,
    ERASED_PACKED_FRAMES,
    ERASED_TELEGRAMS,
    ERASED_EVENTS,
    ERASED_ATTEMPTS,
    ERASED_KINDS
};
/* "values", "packed_values", … */
extern const char *const erasure_kind_names[ERASED_KINDS + 1];
struct erasure_counts {
    int64_t n[ERASED_KINDS];
};

/* --- orders; inside a transaction of the tenant --- */

struct erasure_new {
    const char *location; /* code */
    emt_time from;        /* EMT_TIME_NONE: from the first binding on */
    emt_time until;       /* exclusive */
    const char *reason, *ordered_by;
};
/* EMT_ENOTFOUND: no such location. */
EMT_CHECKED enum emt_err erasure_insert(struct store *s, int32_t tenant,
                                        const struct erasure_new *e, int64_t *id);
EMT_CHECKED enum emt_err erasure_job_set(struct store *s, int32_t tenant, int64_t id, int64_t job);
/* (cursor, erasure_id, location, erase_from, erase_until, reason, ordered_at, ordered_by, job_id,
 * runs, ended_at, verified_at, counts text), newest first, with a number below `before` (0: from
 * the newest); location NULL: of all. */
EMT_CHECKED enum emt_err erasure_list(struct store *s, int32_t tenant, const char *location,
                                      int64_t before, int limit, struct store_result **out);
EMT_CHECKED enum emt_err erasure_get(struct store *s, int32_t tenant, int64_t id,
                                     struct store_result **out);
/* Numbers of those that ran, ordered after this: they are run again, because meters and gateways
 * send old values once more. */
EMT_CHECKED enum emt_err erasure_standing(struct store *s, int32_t tenant, emt_time ordered_after,
                                          struct store_result **out);

/* --- running --- */

/* Erases, looks whether anything is left, and repeats until nothing is; notes that. Makes its own
 * transactions, as STORE_APP. step: false ends it with EMT_EAGAIN; it may run again. EMT_ENOTFOUND
 * no such order; EMT_EAGAIN values came faster than they could be erased. */
EMT_CHECKED enum emt_err erasure_run(struct store *s, int32_t tenant, int64_t id, emt_time now,
                                     bool (*step)(void *ctx, int64_t done, int64_t total),
                                     void *ctx, struct erasure_counts *out);

const struct store_statement *erasure_store_statements(size_t *n);

#endif
