#include "schedule_job.h"

#include "base/cron.h"
#include "delivery_job.h"
#include "export_job.h"
#include "model/local_day.h"
#include "store/delivery_store.h"
#include "store/event_store.h"
#include "store/job_store.h"
#include "store/schedule_store.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DUE_MOST 100

enum emt_err schedule_next(const char *cron, bool local_time, int64_t seed, emt_time after,
                           emt_time *out, struct emt_diag *diag)
{
    struct cron c;
    enum emt_err err = cron_parse(cron, &c, diag);

    if (err == EMT_OK)
        *out = cron_next(&c, (uint64_t)seed, local_time ? local_offset_s : NULL, after);
    return err;
}

/* --- ordering --- */

enum { DUE_TENANT, DUE_ID, DUE_CRON, DUE_LOCAL, DUE_RUN_MISSED, DUE_AT };

static enum emt_err order(struct store *s, int32_t tenant, int64_t id)
{
    char dedupe[32];
    char payload[48];

    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)id);
    return job_store_add(s, tenant, "schedule", dedupe, payload, EMT_TIME_NONE);
}

static enum emt_err order_row(struct store *s, const struct store_result *r, int row, emt_time now,
                              int64_t *ordered)
{
    int32_t tenant = (int32_t)c_int(r, row, DUE_TENANT);
    int64_t id = c_int(r, row, DUE_ID);
    bool missed = now - c_time(r, row, DUE_AT) > SCHEDULE_MISSED;
    bool run = !missed || c_bool(r, row, DUE_RUN_MISSED);
    emt_time next = EMT_TIME_NONE;
    enum emt_err err = EMT_OK;

    /* A pattern that does not parse was not written by us: never again, but the others go on. */
    if (schedule_next(c_text(r, row, DUE_CRON), c_bool(r, row, DUE_LOCAL), id, now, &next, NULL) !=
        EMT_OK)
        next = EMT_TIME_NONE;
    if (run)
        err = order(s, tenant, id);
    if (err == EMT_OK)
        err = schedule_advance(s, tenant, id, next, run);
    if (err == EMT_OK && run)
        (*ordered)++;
    return err;
}

enum emt_err schedule_step(struct store *admin, emt_time now, int64_t *ordered)
{
    struct store_result *r = NULL;
    int64_t n = 0;
    enum emt_err err = store_begin(admin, 0);

    *ordered = 0;
    if (err == EMT_OK)
        err = schedule_due(admin, now, DUE_MOST, &r);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = order_row(admin, r, i, now, &n);
    store_result_free(r);
    if (err == EMT_OK)
        err = store_commit(admin);
    else
        store_rollback(admin);
    if (err == EMT_OK)
        *ordered = n;
    return err;
}

/* --- running --- */

struct run {
    struct store *app;
    const struct job *job;
    struct export_order order;
    int64_t target, second_target; /* 0: none */
    int32_t retries, retry_s;
    char name[128];
    char location[64];
};

/* How often a file is tried again, after how often it is made (the adaptive rule of the product).
 */
static void adapt(struct run *r, emt_time interval)
{
    static const struct {
        emt_time most;
        int32_t retries, retry_s;
    } rules[] = { { 15 * EMT_MINUTE, 1, 60 },
                  { 60 * EMT_MINUTE, 2, 300 },
                  { 23 * EMT_HOUR, 3, 500 },
                  { INT64_MAX, 6, 3600 } };
    size_t i = 0;

    while (interval > rules[i].most)
        i++;
    r->retries = rules[i].retries;
    r->retry_s = rules[i].retry_s;
}

static emt_time interval_of(const struct store_result *r, int64_t id, emt_time now)
{
    const char *cron = c_text(r, 0, SCHEDULE_CRON);
    bool local = c_bool(r, 0, SCHEDULE_LOCAL_TIME);
    emt_time first = EMT_TIME_NONE;
    emt_time second = EMT_TIME_NONE;

    if (schedule_next(cron, local, id, now, &first, NULL) != EMT_OK || first == EMT_TIME_NONE ||
        schedule_next(cron, local, id, first, &second, NULL) != EMT_OK || second == EMT_TIME_NONE)
        return INT64_MAX;
    return second - first;
}

static bool before(struct local_date a, struct local_date b)
{
    return local_day_start(a) < local_day_start(b);
}

/* The days of this run: whole local days that are over. */
static void choose_days(struct run *r, const struct store_result *s, emt_time now)
{
    struct local_date today = local_date_of(now);
    struct local_date least = local_date_add(today, -SCHEDULE_DAYS_MOST);
    int days = (int)c_int(s, 0, SCHEDULE_DAYS);

    r->order.to = today;
    r->order.from = local_date_add(today, days > 0 ? -days : -1);
    if (days == 0 && !c_null(s, 0, SCHEDULE_EXPORTED_TO) &&
        local_date_parse(c_text(s, 0, SCHEDULE_EXPORTED_TO), &r->order.from) == EMT_OK &&
        before(r->order.from, least))
        r->order.from = least;
}

static int64_t number_or_0(const struct store_result *s, enum schedule_column column)
{
    return c_null(s, 0, (int)column) ? 0 : c_int(s, 0, (int)column);
}

static enum emt_err load(struct run *r)
{
    const struct job *j = r->job;
    struct store_result *s = NULL;
    emt_time now = clock_now();
    enum emt_err err = store_begin(r->app, j->tenant);

    if (err == EMT_OK)
        err = schedule_get(r->app, j->tenant, j->subject, &s);
    if (err == EMT_OK) {
        snprintf(r->name, sizeof r->name, "schedule:%.100s", c_text(s, 0, SCHEDULE_NAME));
        snprintf(r->location, sizeof r->location, "%s", c_text(s, 0, SCHEDULE_LOCATION));
        r->order.pid = (unsigned)c_int(s, 0, SCHEDULE_PID);
        r->order.location = r->location[0] != '\0' ? r->location : NULL;
        r->order.test = c_bool(s, 0, SCHEDULE_TEST);
        r->order.hold_gaps = c_bool(s, 0, SCHEDULE_HOLD_GAPS);
        r->order.actor = r->name;
        r->target = number_or_0(s, SCHEDULE_TARGET);
        r->second_target = number_or_0(s, SCHEDULE_SECOND_TARGET);
        choose_days(r, s, now);
        adapt(r, interval_of(s, j->subject, now));
    }
    store_result_free(s);
    store_rollback(r->app);
    return err;
}

/* Inside the transaction that notes the file. */
static enum emt_err take_file(void *ctx, struct store *app, int64_t file_id)
{
    struct run *r = ctx;
    struct delivery_order order = { .file = file_id,
                                    .target = r->target,
                                    .second_target = r->second_target,
                                    .retries = r->retries,
                                    .retry_s = r->retry_s,
                                    .created_by = r->name };
    int64_t id = 0;

    if (r->target == 0)
        return EMT_OK;
    enum emt_err err = delivery_add(app, r->job->tenant, &order, &id);
    return err == EMT_OK ? delivery_job_order(app, r->job->tenant, id, 0) : err;
}

static enum emt_err keep_progress(struct run *r)
{
    char day[16];
    enum emt_err err = store_begin(r->app, r->job->tenant);

    snprintf(day, sizeof day, "%04d-%02d-%02d", r->order.to.year, r->order.to.month,
             r->order.to.day);
    if (err == EMT_OK)
        err = schedule_exported(r->app, r->job->tenant, r->job->subject, day);
    if (err == EMT_OK || err == EMT_ENOTFOUND)
        return store_commit(r->app);
    store_rollback(r->app);
    return err;
}

/* What an operator has to set right; the schedule goes on at its next time. */
static void alarm(struct run *r, const char *error)
{
    char detail[600];
    struct event_row e = {
        .at = clock_now(), .severity = EVENT_ALARM, .kind = "export-failed", .detail = detail
    };

    snprintf(detail, sizeof detail, "%s: %.450s", r->name, error);
    if (store_begin(r->app, r->job->tenant) != EMT_OK ||
        event_store_add(r->app, r->job->tenant, &e) != EMT_OK || store_commit(r->app) != EMT_OK)
        store_rollback(r->app);
}

enum emt_err schedule_job_run(struct store *app, const struct job *job,
                              bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                              struct store_array *notes, char *error, size_t size)
{
    struct run r = { .app = app, .job = job };
    enum emt_err err = load(&r);

    if (err == EMT_ENOTFOUND)
        return EMT_OK; /* deleted meanwhile */
    if (err != EMT_OK) {
        (void)snprintf(error, size, "%s", store_error(app));
        return err;
    }
    if (!before(r.order.from, r.order.to))
        return EMT_OK;
    r.order.file = take_file;
    r.order.file_ctx = &r;
    err = export_job_order_run(app, job, &r.order, step, ctx, notes, error, size);
    if (err == EMT_OK)
        err = keep_progress(&r);
    else if (emt_err_class(err) == EMT_CLASS_REJECT)
        alarm(&r, error);
    return err;
}
