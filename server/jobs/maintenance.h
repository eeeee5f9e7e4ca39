/* What nobody orders and everybody needs: partitions ahead of time, retention behind it. As
 * STORE_ADMIN. */
#ifndef EMT_JOBS_MAINTENANCE_H
#define EMT_JOBS_MAINTENANCE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/retention_store.h"

#include <stdint.h>

struct store;

/* Frames of devices that are only heard are kept this long. */
#define MAINTENANCE_HEARD_DAYS 7
/* Identities of radio telegrams: longer than any gateway brings in the second reception of one. */
#define MAINTENANCE_TELEGRAM_DAYS 45
/* Rejected frames and gaps. */
#define MAINTENANCE_REJECTED_DAYS 90
#define MAINTENANCE_EVENT_DAYS 365

struct maintenance_result {
    int64_t partitions, frames, telegrams, rejected, events, jobs, audit;
    struct retention_counts values;
};

/* Hourly on every node, repeatable: partitions for what comes, no day partition that nobody keeps,
 * and each tenant's own job for tomorrow morning. */
EMT_CHECKED enum emt_err maintenance_platform(struct store *s, emt_time now, unsigned hot_days,
                                              struct maintenance_result *out);
/* The job: one tenant's retention. */
EMT_CHECKED enum emt_err maintenance_tenant(struct store *s, int32_t tenant, emt_time now,
                                            struct maintenance_result *out);

#endif
