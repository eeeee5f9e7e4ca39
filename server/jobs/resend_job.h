/* The job "resend": what a partner rejected goes out once more, as it is now, in a new file with
 * new numbers that says which one it takes the place of, to where that one went. What the partner
 * has accepted of the old file stays out. */
#ifndef EMT_JOBS_RESEND_JOB_H
#define EMT_JOBS_RESEND_JOB_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;
struct store_array;

/* As export_job_run(); the job's subject is the rejected file. EMT_ENOTFOUND no such file;
 * EMT_ECONFLICT it is not rejected any more, or was replaced meanwhile. */
EMT_CHECKED enum emt_err resend_job_run(struct store *app, const struct job *job,
                                        bool (*step)(void *ctx, int64_t done, int64_t total),
                                        void *ctx, struct store_array *notes, char *error,
                                        size_t size);

#endif
