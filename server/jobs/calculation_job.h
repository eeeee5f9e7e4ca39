/* Job "calculation": the values of a calculated channel, computed anew and compared with what is
 * stored; only differences are written, with their predecessors. */
#ifndef EMT_JOBS_CALCULATION_JOB_H
#define EMT_JOBS_CALCULATION_JOB_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;

/* Orders what is due, in a transaction of its own. As STORE_ADMIN. */
EMT_CHECKED enum emt_err calculation_step(struct store *admin, emt_time now, int64_t *ordered);
/* Payload: "id", perhaps "from" and "to". app: STORE_APP, outside of a transaction. */
EMT_CHECKED enum emt_err calculation_job_run(struct store *app, const struct job *job,
                                             bool (*step)(void *ctx, int64_t done, int64_t total),
                                             void *ctx, char *result, size_t result_size,
                                             char *error, size_t error_size);

#endif
