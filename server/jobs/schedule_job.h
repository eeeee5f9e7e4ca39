/* Exports that run by themselves: what is due becomes a job "schedule", whose files become
 * deliveries. */
#ifndef EMT_JOBS_SCHEDULE_JOB_H
#define EMT_JOBS_SCHEDULE_JOB_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;
struct store_array;

/* A run that fell due longer ago than this has been missed. */
#define SCHEDULE_MISSED (EMT_HOUR)

/* Orders what is due, or called for by events and read-outs, of all tenants; any node, any time,
 * each run once. admin: STORE_ADMIN outside of a transaction. *ordered counts. */
EMT_CHECKED enum emt_err schedule_step(struct store *admin, emt_time now, int64_t *ordered);

/* When a schedule is due next; EMT_TIME_NONE: never. seed: its number. EMT_EMALFORMED as
 * cron_parse(). */
EMT_CHECKED enum emt_err schedule_next(const char *cron, bool local_time, int64_t seed,
                                       emt_time after, emt_time *out, struct emt_diag *diag);

/* How often a file is tried again and after how many seconds, where the schedule says nothing:
 * after the time between its runs, INT64_MAX when no clock orders them. */
void schedule_adapt(emt_time interval, int32_t *retries, int32_t *retry_s);

/* A run that waits for its meters: look again in so many seconds; fresh of how many meters. */
struct schedule_rest {
    int32_t seconds; /* 0: it is done */
    int64_t done, total;
};
/* The job itself; as export_job_run(). */
EMT_CHECKED enum emt_err schedule_job_run(struct store *app, const struct job *job,
                                          bool (*step)(void *ctx, int64_t done, int64_t total),
                                          void *ctx, struct store_array *notes,
                                          struct schedule_rest *rest, char *error, size_t size);

#endif
