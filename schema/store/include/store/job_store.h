/* The queue of jobs: at most one waiting job per (tenant, kind, dedupe); claimed with a lease, so
 * that a dead worker's jobs come back. */
#ifndef EMT_STORE_JOB_STORE_H
#define EMT_STORE_JOB_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Orders a job; synchronous, inside a transaction of the tenant (or as STORE_ADMIN). dedupe may be
 * NULL; payload is a JSON object. run_at EMT_TIME_NONE: now. A waiting job with the same dedupe
 * stands for this one, too: EMT_OK. */
EMT_CHECKED enum emt_err job_store_add(struct store *s, int32_t tenant, const char *kind,
                                       const char *dedupe, const char *payload, emt_time run_at);

#define JOB_KIND_MAX 32
#define JOB_TEXT_MAX 64
struct job {
    int64_t id;
    int32_t tenant;
    char kind[JOB_KIND_MAX];
    int attempts; /* this one included */
    /* Payload of "replay"; 0, "" and -1 for what is not said. */
    int64_t device;
    char state[JOB_TEXT_MAX];
    char manufacturer[JOB_TEXT_MAX], number[JOB_TEXT_MAX];
    int version, type;
};
/* As STORE_ADMIN, each a transaction of its own. One job that is due, or whose worker's lease ran
 * out, of the kinds in `kinds` (text[]); false: none. */
EMT_CHECKED enum emt_err job_store_claim(struct store *s, const char *const *kinds, size_t nkinds,
                                         int32_t lease_s, struct job *out, bool *got);
/* EMT_ENOTFOUND: the lease ran out and somebody else has it. */
EMT_CHECKED enum emt_err job_store_extend(struct store *s, const struct job *j, int32_t lease_s);
EMT_CHECKED enum emt_err job_store_done(struct store *s, const struct job *j);
/* Tries again after retry_s, or for good when attempts reached most. A waiting job with the same
 * dedupe takes its place. */
EMT_CHECKED enum emt_err job_store_failed(struct store *s, const struct job *j, const char *error,
                                          int32_t retry_s, int32_t most);

const struct store_statement *job_store_statements(size_t *n);

#endif
