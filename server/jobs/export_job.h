/* The job "export": MSCONS files ordered through the API with Prefer: respond-async. A run after a
 * crash goes on where the files of the first one end. */
#ifndef EMT_JOBS_EXPORT_JOB_H
#define EMT_JOBS_EXPORT_JOB_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;
struct store_array;

/* app: a synchronous store of role STORE_APP outside of a transaction. Notes are added to `notes`
 * (text[]). EMT_EAGAIN stopped by step, or a lock; EMT_EMALFORMED and EMT_ENOTFOUND an order that
 * cannot be done, in words in error; EMT_EDB. */
EMT_CHECKED enum emt_err export_job_run(struct store *app, const struct job *job,
                                        bool (*step)(void *ctx, int64_t done, int64_t total),
                                        void *ctx, struct store_array *notes, char *error,
                                        size_t size);

#endif
