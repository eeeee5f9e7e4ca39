/* Exports that run by themselves. Inside a transaction of the tenant, but where said otherwise. */
#ifndef EMT_STORE_SCHEDULE_STORE_H
#define EMT_STORE_SCHEDULE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule_row {
    const char *name, *cron;
    bool local_time; /* German legal time, else UTC */
    int32_t pid;
    const char *location; /* NULL: all */
    int days;             /* before the day of the run; 0: all that did not go out yet */
    bool hold_gaps, test, run_missed, enabled;
    int64_t target, second_target; /* 0: none */
    emt_time next_run_at;          /* EMT_TIME_NONE while not enabled */
};
#define SCHEDULES_MOST 1000 /* of a tenant */
/* EMT_ECONFLICT the name is taken, or there is no such target; EMT_ELIMIT there are SCHEDULES_MOST.
 */
EMT_CHECKED enum emt_err schedule_insert(struct store *s, int32_t tenant,
                                         const struct schedule_row *row, int64_t *id);
EMT_CHECKED enum emt_err schedule_update(struct store *s, int32_t tenant, int64_t id,
                                         const struct schedule_row *row);
EMT_CHECKED enum emt_err schedule_delete(struct store *s, int32_t tenant, int64_t id);

/* Until the transaction ends nobody else changes it. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err schedule_lock(struct store *s, int32_t tenant, int64_t id);

/* Columns of schedule_get() and schedule_list(). */
enum schedule_column {
    SCHEDULE_CURSOR,
    SCHEDULE_ID,
    SCHEDULE_NAME,
    SCHEDULE_CRON,
    SCHEDULE_LOCAL_TIME,
    SCHEDULE_PID,
    SCHEDULE_LOCATION,
    SCHEDULE_DAYS,
    SCHEDULE_HOLD_GAPS,
    SCHEDULE_TEST,
    SCHEDULE_RUN_MISSED,
    SCHEDULE_ENABLED,
    SCHEDULE_TARGET,
    SCHEDULE_SECOND_TARGET,
    SCHEDULE_EXPORTED_TO, /* date as text, NULL: never */
    SCHEDULE_NEXT_RUN_AT,
    SCHEDULE_LAST_RUN_AT,
    SCHEDULE_CREATED_AT,
    SCHEDULE_REVISION
};
EMT_CHECKED enum emt_err schedule_get(struct store *s, int32_t tenant, int64_t id,
                                      struct store_result **out);
EMT_CHECKED enum emt_err schedule_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                       struct store_result **out);
/* Files up to this local day (exclusive, "2026-11-20") were written; never goes back. */
EMT_CHECKED enum emt_err schedule_exported(struct store *s, int32_t tenant, int64_t id,
                                           const char *day);

/* As STORE_ADMIN in a transaction (over all tenants): rows (tenant_id int4, schedule_id, cron,
 * local_time, run_missed, next_run_at) that are due at `at`, locked; what another node has locked
 * is passed over. */
EMT_CHECKED enum emt_err schedule_due(struct store *s, emt_time at, int limit,
                                      struct store_result **out);
/* As STORE_ADMIN: the run that was due has been ordered (or passed over: ran false). next
 * EMT_TIME_NONE: never again. */
EMT_CHECKED enum emt_err schedule_advance(struct store *s, int32_t tenant, int64_t id,
                                          emt_time next, bool ran);

const struct store_statement *schedule_store_statements(size_t *n);

#endif
