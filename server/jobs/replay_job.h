/* Jobs "replay-difference" and "replay-apply": what decoding again would change, told or done. */
#ifndef EMT_JOBS_REPLAY_JOB_H
#define EMT_JOBS_REPLAY_JOB_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct replay;
struct store;

/* Payload: "device", "state", "from", "to"; none is needed. What it found is kept with the job's
 * number (replay_store.h), its counts are the job's result. ingest and app: outside of a
 * transaction. */
EMT_CHECKED enum emt_err replay_job_run(struct replay *r, struct store *ingest, struct store *app,
                                        const struct job *job,
                                        bool (*step)(void *ctx, int64_t done, int64_t total),
                                        void *ctx, char *result, size_t result_size, char *error,
                                        size_t error_size);

#endif
