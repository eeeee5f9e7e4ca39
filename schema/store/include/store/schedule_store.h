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
    int64_t template_id;           /* 0: MSCONS of pid */
    const char *on_event;          /* kinds of events, one per line; "": none */
    bool after_readout;            /* when a gateway that delivered is silent for quiet_s */
    int32_t quiet_s;
    int32_t gap_s;      /* least between two runs that were not ordered by the clock */
    bool until_now;     /* reports: up to the run, not the end of the day before */
    int most_days;      /* days 0: this far back at most */
    int32_t interval_s; /* reports: thinned to one value of each; 0: all */
    int retries;        /* -1: after how often it runs, and so retry_s */
    int32_t retry_s;
    bool read_first; /* asks the meters first, and waits deadline_s at most */
    int32_t deadline_s;
    const char *recipient;                    /* reports: who has the mandates */
    const char *mail_to, *mail_cc, *mail_bcc; /* one per line; "": the target's */
    const char *document;                     /* DE1001, as "Z41"; NULL: the use case's first */
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
    SCHEDULE_REVISION,
    SCHEDULE_TEMPLATE,
    SCHEDULE_ON_EVENT, /* lists one per line */
    SCHEDULE_AFTER_READOUT,
    SCHEDULE_QUIET_S,
    SCHEDULE_GAP_S,
    SCHEDULE_UNTIL_NOW,
    SCHEDULE_MOST_DAYS,
    SCHEDULE_INTERVAL_S,
    SCHEDULE_RETRIES, /* NULL: adaptive */
    SCHEDULE_RETRY_S,
    SCHEDULE_READ_FIRST,
    SCHEDULE_DEADLINE_S,
    SCHEDULE_RECIPIENT,
    SCHEDULE_MAIL_TO,
    SCHEDULE_MAIL_CC,
    SCHEDULE_MAIL_BCC,
    SCHEDULE_EXPORTED_UNTIL,
    SCHEDULE_DOCUMENT /* NULL: the use case's first */
};
EMT_CHECKED enum emt_err schedule_get(struct store *s, int32_t tenant, int64_t id,
                                      struct store_result **out);
EMT_CHECKED enum emt_err schedule_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                       struct store_result **out);
/* Files up to this local day (exclusive, "2026-11-20") were written; never goes back. */
EMT_CHECKED enum emt_err schedule_exported(struct store *s, int32_t tenant, int64_t id,
                                           const char *day);

/* Values up to this instant were written (until_now); never goes back. */
EMT_CHECKED enum emt_err schedule_exported_until(struct store *s, int32_t tenant, int64_t id,
                                                 emt_time until);

/* As STORE_ADMIN in a transaction (over all tenants): rows (tenant_id int4, schedule_id, cron,
 * local_time, run_missed, next_run_at) that are due at `at`, locked; what another node has locked
 * is passed over. */
EMT_CHECKED enum emt_err schedule_due(struct store *s, emt_time at, int limit,
                                      struct store_result **out);
/* As STORE_ADMIN: the run that was due has been ordered (or passed over: ran false). next
 * EMT_TIME_NONE: never again. */
EMT_CHECKED enum emt_err schedule_advance(struct store *s, int32_t tenant, int64_t id,
                                          emt_time next, bool ran);

/* As STORE_ADMIN in a transaction: rows (tenant_id int4, schedule_id, run_at) of schedules for
 * which an event arrived that they wait for; each event once, whoever asks. Events count from the
 * moment the schedule was written. */
EMT_CHECKED enum emt_err schedule_triggered(struct store *s, struct store_result **out);
/* The same of schedules whose gateways delivered and have been silent since. */
EMT_CHECKED enum emt_err schedule_readouts(struct store *s, struct store_result **out);
/* Events that were looked at long enough are done with. */
EMT_CHECKED enum emt_err schedule_events_done(struct store *s);
/* One run of a schedule at a time, on whatever node: held until released, or until the connection
 * ends. Outside of a transaction or inside. False in *held: somebody else has it. */
EMT_CHECKED enum emt_err schedule_hold(struct store *s, int32_t tenant, int64_t id, bool *held);
EMT_CHECKED enum emt_err schedule_release(struct store *s, int32_t tenant, int64_t id);

/* last_run_at is now; next_run_at stays. */
EMT_CHECKED enum emt_err schedule_ran(struct store *s, int32_t tenant, int64_t id);

const struct store_statement *schedule_store_statements(size_t *n);

#endif
