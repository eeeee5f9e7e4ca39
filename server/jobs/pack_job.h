/* The job "packing": a tenant's raw frames of closed days become packs (store/raw_pack_store.h). */
#ifndef EMT_JOBS_PACK_JOB_H
#define EMT_JOBS_PACK_JOB_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/raw_pack_store.h"

#include <stdbool.h>
#include <stdint.h>

struct metric;
struct metrics;
struct store;

struct pack_metrics {
    struct metric *frames, *packs, *bytes, *skipped;
};
void pack_metrics_make(struct pack_metrics *p, struct metrics *m);

/* s: STORE_ADMIN outside of a transaction. step is asked after each pack and ends the work with
 * EMT_EAGAIN; what was packed by then stays packed. */
EMT_CHECKED enum emt_err pack_tenant(struct store *s, int32_t tenant, emt_time now,
                                     bool (*step)(void *ctx, int64_t done, int64_t total),
                                     void *ctx, const struct pack_metrics *metrics,
                                     struct raw_pack_counts *out);

#endif
