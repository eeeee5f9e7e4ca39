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

/* As above; says the job's number (that of the waiting one) and keeps who ordered it. */
EMT_CHECKED enum emt_err job_store_order(struct store *s, int32_t tenant, const char *kind,
                                         const char *dedupe, const char *payload, emt_time run_at,
                                         const char *created_by, int64_t *id);

/* Numbers of the column job.state. */
enum job_state {
    JOB_STATE_WAITING,
    JOB_STATE_RUNNING,
    JOB_STATE_FAILED,
    JOB_STATE_DONE,
    JOB_STATE_CANCELLED
};
#define JOB_KEPT_DAYS 30 /* ended ones */

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
    /* Payload of "export"; 0 and "" for what is not said. */
    unsigned pid;
    char from[JOB_TEXT_MAX], to[JOB_TEXT_MAX], location[JOB_TEXT_MAX];
    bool test, hold_gaps, only_changes;
    char document[JOB_TEXT_MAX]; /* kind of document where it is not the use case's first */
    unsigned cancels;            /* with 13006: the use case that is taken back */
    char created_by[160];
    /* Payload of "schedule" and "delivery": whose run it is; 0 where not said. */
    int64_t subject;
    bool slow;          /* payload of "delivery": for those who may wait long */
    bool read_first;    /* of "schedule": as ordered by hand, besides what the schedule says */
    int32_t deadline_s; /* 0: the schedule's */
};
/* As STORE_ADMIN, each a transaction of its own. One job that is due, or whose worker's lease ran
 * out, of the kinds in `kinds` (text[]); false: none. */
EMT_CHECKED enum emt_err job_store_claim(struct store *s, const char *const *kinds, size_t nkinds,
                                         int32_t lease_s, struct job *out, bool *got);
/* The same of one lane: jobs whose payload says slow, or those whose does not; passing over tenants
 * of which a job of these kinds is running in it. One tenant does not wait for what another one's
 * takes. */
EMT_CHECKED enum emt_err job_store_claim_lane(struct store *s, const char *const *kinds,
                                              size_t nkinds, int32_t lease_s, bool slow,
                                              struct job *out, bool *got);
/* Keeps the lease and says how far it is (total -1: not known); *cancel: somebody wants it to end.
 * EMT_ENOTFOUND: the lease ran out and somebody else has it; so with the next ones. */
EMT_CHECKED enum emt_err job_store_step(struct store *s, const struct job *j, int32_t lease_s,
                                        int64_t done, int64_t total, bool *cancel);
/* result: a JSON object or NULL. */
EMT_CHECKED enum emt_err job_store_done(struct store *s, const struct job *j, int64_t done,
                                        int64_t total, const char *result);
/* An export: the result is its files (export_file.job_id) and these notes (text[]); also of a
 * cancelled one, which may have written some. */
struct store_array;
EMT_CHECKED enum emt_err job_store_done_export(struct store *s, const struct job *j,
                                               struct store_array *notes, bool cancelled);
EMT_CHECKED enum emt_err job_store_cancelled(struct store *s, const struct job *j);
/* Tries again after retry_s, or for good when attempts reached most. A waiting job with the same
 * dedupe takes its place. */
EMT_CHECKED enum emt_err job_store_failed(struct store *s, const struct job *j, const char *error,
                                          int32_t retry_s, int32_t most);
/* Puts a running job aside for some seconds, with its progress: it waits for something and goes on
 * under its number, on any node. Not a try that failed. */
EMT_CHECKED enum emt_err job_store_rest(struct store *s, const struct job *j, int32_t seconds,
                                        int64_t done, int64_t total);
/* Forgets jobs that ended before, at most limit; *n did. As STORE_ADMIN. */
EMT_CHECKED enum emt_err job_store_expire(struct store *s, emt_time before, int64_t limit,
                                          int64_t *n);

/* What the API shows, inside a transaction of the tenant. Columns: */
enum job_column {
    JOB_CURSOR,
    JOB_ID,
    JOB_KIND,
    JOB_STATE,
    JOB_PROGRESS_DONE,
    JOB_PROGRESS_TOTAL,
    JOB_CREATED_AT,
    JOB_STARTED_AT,
    JOB_ENDED_AT,
    JOB_RUN_AT,
    JOB_ATTEMPTS,
    JOB_ERROR,
    JOB_RESULT,
    JOB_CREATED_BY
};
/* Newest first, before a number (0: from the newest); kind NULL and state -1: any. */
EMT_CHECKED enum emt_err job_store_list(struct store *s, int32_t tenant, const char *kind,
                                        int state, int64_t before, int limit,
                                        struct store_result **out);
EMT_CHECKED enum emt_err job_store_get(struct store *s, int32_t tenant, int64_t id,
                                       struct store_result **out);
/* A waiting job at once, a running one at its next step. EMT_ENOTFOUND: there is none, or it ended.
 */
EMT_CHECKED enum emt_err job_store_cancel(struct store *s, int32_t tenant, int64_t id);

const struct store_statement *job_store_statements(size_t *n);

#endif
