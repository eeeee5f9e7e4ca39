#include "maintenance.h"

#include "store/audit_store.h"
#include "store/block_store.h"
#include "store/device_store.h"
#include "store/erasure_store.h"
#include "store/event_store.h"
#include "store/frame_store.h"
#include "store/idempotency_store.h"
#include "store/job_store.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define EVENT_LOT 10000
/* No frame comes to a day that ended so long ago. */
#define CLOSED_FRAMES_DAYS 2
/* Tenants' jobs begin at 02:00 UTC, spread over the hour. */
#define MORNING (2 * EMT_HOUR)
#define SPREAD_S 3600
#define ERASURE_STANDS_DAYS 500

static emt_time next_morning(emt_time now, int32_t tenant)
{
    emt_time at = now / EMT_DAY * EMT_DAY + MORNING + tenant % SPREAD_S * EMT_SECOND;

    return at > now ? at : at + EMT_DAY;
}

static enum emt_err order_tenants(struct store *s, emt_time now)
{
    struct store_result *r;
    enum emt_err err = tenants_of_maintenance(s, &r);

    if (err)
        return err;
    for (int i = 0; !err && i < store_rows(r); i++) {
        int32_t tenant = (int32_t)c_int(r, i, 0);

        err = job_store_add(s, tenant, "maintenance", "daily", "{}", next_morning(now, tenant));
        if (!err)
            err = job_store_add(s, tenant, "compaction", "daily", "{}", next_morning(now, tenant));
        if (!err)
            err = job_store_add(s, tenant, "packing", "daily", "{}", next_morning(now, tenant));
    }
    store_result_free(r);
    return err;
}

enum emt_err maintenance_platform(struct store *s, emt_time now, unsigned hot_days,
                                  struct maintenance_result *out)
{
    enum emt_err err, drop;
    int64_t n = EVENT_LOT;

    memset(out, 0, sizeof *out);
    err = partitions_ensure(s, now, (int32_t)hot_days);
    if (!err)
        err = order_tenants(s, now);
    while (!err && n == EVENT_LOT) {
        err = event_expire(s, now - MAINTENANCE_EVENT_DAYS * EMT_DAY, EVENT_LOT, &n);
        out->events += err ? 0 : n;
    }
    n = EVENT_LOT;
    while (!err && n == EVENT_LOT) {
        err = job_store_expire(s, now - JOB_KEPT_DAYS * EMT_DAY, EVENT_LOT, &n);
        out->jobs += err ? 0 : n;
    }
    n = EVENT_LOT;
    while (!err && n == EVENT_LOT)
        err = idempotency_expire(s, now - IDEMPOTENCY_KEPT, EVENT_LOT, &n);
    if (err)
        return err;
    /* It needs the table to itself for a moment; a busy one is tried again in an hour. */
    drop = frames_drop(s, now, &out->partitions);
    if (!drop)
        drop = frames_drop_empty(s, now - CLOSED_FRAMES_DAYS * EMT_DAY, &n);
    out->partitions += drop ? 0 : n;
    n = 0;
    if (!drop)
        drop = reading_partitions_drop(s, now, (int32_t)hot_days, &n);
    out->partitions += drop ? 0 : n;
    return drop == EMT_EAGAIN ? EMT_OK : drop;
}

/* Meters send due-date values up to 15 months old, and gateways what they still have. */
static enum emt_err repeat_erasures(struct store *s, int32_t tenant, emt_time now)
{
    struct store_result *r = NULL;
    enum emt_err err = erasure_standing(s, tenant, now - ERASURE_STANDS_DAYS * EMT_DAY, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        char dedupe[32], payload[48];

        (void)snprintf(dedupe, sizeof dedupe, "%lld", (long long)c_int(r, i, 0));
        (void)snprintf(payload, sizeof payload, "{\"id\": %s}", dedupe);
        err = job_store_add(s, tenant, "erasure", dedupe, payload, now);
    }
    store_result_free(r);
    return err;
}

enum emt_err maintenance_tenant(struct store *s, int32_t tenant, emt_time now,
                                struct maintenance_result *out)
{
    enum emt_err err;

    memset(out, 0, sizeof *out);
    err = frames_expire(s, tenant, now, MAINTENANCE_HEARD_DAYS, &out->frames);
    if (!err)
        err =
            telegrams_expire(s, tenant, now - MAINTENANCE_TELEGRAM_DAYS * EMT_DAY, &out->telegrams);
    if (!err)
        err =
            rejections_expire(s, tenant, now - MAINTENANCE_REJECTED_DAYS * EMT_DAY, &out->rejected);
    if (!err)
        err = devices_seen(s, tenant, now);
    if (!err)
        err = retention_expire(s, tenant, now, &out->values);
    if (!err)
        err = repeat_erasures(s, tenant, now);
    if (!err)
        err = audit_cut(s, tenant, &out->audit);
    return err;
}
