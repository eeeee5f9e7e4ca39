/* The job "export": MSCONS files ordered through the API with Prefer: respond-async. A run after a
 * crash goes on where the files of the first one end. */
#ifndef EMT_JOBS_EXPORT_JOB_H
#define EMT_JOBS_EXPORT_JOB_H

#include "base/attr.h"
#include "base/error.h"
#include "model/local_day.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;
struct store_array;

/* What is exported; texts borrowed. */
struct export_order {
    unsigned pid;
    struct local_date from, to;
    const char *location; /* NULL: all */
    const char *receiver; /* NULL: all */
    bool test, hold_gaps, only_changes;
    const char *document; /* as mscons_export_request.document; NULL: the use case's first */
    unsigned cancels;     /* with 13006: the use case that is taken back */
    int64_t again;        /* as mscons_export_request.again */
    const char *actor;    /* for the audit */
    /* Each file that stands, in a transaction of the tenant that is then committed; also those of
     * an earlier run of the job. May be NULL. */
    enum emt_err (*file)(void *ctx, struct store *app, int64_t file_id);
    void *file_ctx;
};

/* app: a synchronous store of role STORE_APP outside of a transaction. Notes are added to `notes`
 * (text[]). EMT_EAGAIN stopped by step, or a lock; EMT_EMALFORMED and EMT_ENOTFOUND an order that
 * cannot be done, in words in error; EMT_EDB. */
EMT_CHECKED enum emt_err export_job_run(struct store *app, const struct job *job,
                                        bool (*step)(void *ctx, int64_t done, int64_t total),
                                        void *ctx, struct store_array *notes, char *error,
                                        size_t size);

/* As above, with an order of the caller's in the place of the job's payload. */
EMT_CHECKED enum emt_err export_job_order_run(struct store *app, const struct job *job,
                                              const struct export_order *order,
                                              bool (*step)(void *ctx, int64_t done, int64_t total),
                                              void *ctx, struct store_array *notes, char *error,
                                              size_t size);

#endif
