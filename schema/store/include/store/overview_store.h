/* A tenant in figures. */
#ifndef EMT_STORE_OVERVIEW_STORE_H
#define EMT_STORE_OVERVIEW_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

/* No count of frames and readings goes further: the answer stays quick for the largest tenant. */
#define OVERVIEW_COUNT_MOST 1000000

struct overview {
    int64_t gateways, connected, revoked;
    int64_t devices, active, heard;
    int64_t frames_24h, not_ok_24h, key_needed;
    int64_t readings_24h, conflicts;
    int64_t alarms_7d, warnings_7d;
    emt_time export_at; /* EMT_TIME_NONE: none yet */
    int64_t exports_7d;
    int64_t jobs_running, jobs_failed;
};
/* Inside a transaction of the tenant. */
EMT_CHECKED enum emt_err overview_read(struct store *s, int32_t tenant, emt_time now,
                                       struct overview *out);

/* As STORE_ADMIN: (id, name, version, started_at, lease_until, alive bool, connected gateways), by
 * id. */
EMT_CHECKED enum emt_err node_list(struct store *s, struct store_result **out);

struct store_statement;
const struct store_statement *overview_store_statements(size_t *n);

#endif
