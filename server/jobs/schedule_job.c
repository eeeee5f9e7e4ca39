#include "schedule_job.h"

#include "base/cron.h"
#include "delivery_job.h"
#include "export_job.h"
#include "model/local_day.h"
#include "report/report_run.h"
#include "store/delivery_store.h"
#include "store/event_store.h"
#include "store/job_store.h"
#include "store/report_store.h"
#include "store/schedule_store.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DUE_MOST 100
#define NOTES_MAX 5000
/* How often a run that waits for its meters looks for their values. */
#define READOUT_LOOK_S 2

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

static enum emt_err order(struct store *s, int32_t tenant, int64_t id, emt_time at)
{
    char dedupe[32];
    char payload[48];

    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)id);
    return job_store_add(s, tenant, "schedule", dedupe, payload, at);
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
        err = order(s, tenant, id, EMT_TIME_NONE);
    if (err == EMT_OK)
        err = schedule_advance(s, tenant, id, next, run);
    if (err == EMT_OK && run)
        (*ordered)++;
    return err;
}

static enum emt_err order_due(struct store *admin, emt_time now, int64_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = schedule_due(admin, now, DUE_MOST, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = order_row(admin, r, i, now, n);
    store_result_free(r);
    return err;
}

/* Rows (tenant, schedule, not before). A storm of events is one run, and another when its time has
 * come. */
static enum emt_err order_called(struct store *admin, struct store_result *r, emt_time now,
                                 int64_t *n)
{
    enum emt_err err = EMT_OK;

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        int32_t tenant = (int32_t)c_int(r, i, 0);
        emt_time at = c_time(r, i, 2);

        err = order(admin, tenant, c_int(r, i, 1), at != EMT_TIME_NONE && at > now ? at : now);
        if (err == EMT_OK)
            err = schedule_ran(admin, tenant, c_int(r, i, 1));
        *n += err == EMT_OK;
    }
    store_result_free(r);
    return err;
}

static enum emt_err order_by_events(struct store *admin, emt_time now, int64_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = schedule_triggered(admin, &r);

    if (err == EMT_OK)
        err = order_called(admin, r, now, n);
    return err == EMT_OK ? schedule_events_done(admin) : err;
}

static enum emt_err order_by_readouts(struct store *admin, emt_time now, int64_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = schedule_readouts(admin, &r);

    return err == EMT_OK ? order_called(admin, r, now, n) : err;
}

enum emt_err schedule_step(struct store *admin, emt_time now, int64_t *ordered)
{
    static enum emt_err (*const steps[])(
        struct store *, emt_time, int64_t *) = { order_due, order_by_events, order_by_readouts };
    enum emt_err err = EMT_OK;

    *ordered = 0;
    for (size_t i = 0; err == EMT_OK && i < sizeof steps / sizeof steps[0]; i++) {
        int64_t n = 0;

        err = store_begin(admin, 0);
        if (err == EMT_OK)
            err = steps[i](admin, now, &n);
        if (err == EMT_OK)
            err = store_commit(admin);
        else
            store_rollback(admin);
        *ordered += err == EMT_OK ? n : 0;
    }
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
    struct store_result *row; /* of schedule_get(); order and report borrow from it */
    int64_t template_id;      /* 0: MSCONS */
    bool by_hand;             /* its period was said when it was ordered */
    bool until_now, read_first;
    int32_t deadline_s;
    emt_time from, to, now; /* of a report */
    emt_time thin;
    struct store_array *notes;
};

void schedule_adapt(emt_time interval, int32_t *retries, int32_t *retry_s)
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
    *retries = rules[i].retries;
    *retry_s = rules[i].retry_s;
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
    struct local_date least = local_date_add(today, -(int)c_int(s, 0, SCHEDULE_MOST_DAYS));
    int days = (int)c_int(s, 0, SCHEDULE_DAYS);

    r->order.to = today;
    r->order.from = local_date_add(today, days > 0 ? -days : -1);
    if (days == 0 && !c_null(s, 0, SCHEDULE_EXPORTED_TO) &&
        local_date_parse(c_text(s, 0, SCHEDULE_EXPORTED_TO), &r->order.from) == EMT_OK &&
        before(r->order.from, least))
        r->order.from = least;
}

/* Of a report: instants. Up to the run itself where the schedule says so. */
static void choose_span(struct run *r, const struct store_result *s)
{
    struct local_date today = local_date_of(r->now);
    int days = (int)c_int(s, 0, SCHEDULE_DAYS);
    emt_time least = local_day_start(local_date_add(today, -(int)c_int(s, 0, SCHEDULE_MOST_DAYS)));

    r->from = local_day_start(r->order.from);
    r->to = local_day_start(r->order.to);
    if (!r->until_now)
        return;
    r->to = r->now;
    r->from = local_day_start(local_date_add(today, days > 0 ? -days : -1));
    if (days == 0 && !c_null(s, 0, SCHEDULE_EXPORTED_UNTIL))
        r->from = c_time(s, 0, SCHEDULE_EXPORTED_UNTIL);
    if (r->from < least)
        r->from = least;
}

/* As ordered by hand: days, and of reports instants, too. False: none, or not readable. */
static bool choose_by_hand(struct run *r)
{
    const struct job *j = r->job;

    if (local_date_parse(j->from, &r->order.from) == EMT_OK &&
        local_date_parse(j->to, &r->order.to) == EMT_OK) {
        r->from = local_day_start(r->order.from);
        r->to = local_day_start(r->order.to);
        return true;
    }
    return r->template_id != 0 && time_parse(j->from, &r->from) == EMT_OK &&
           time_parse(j->to, &r->to) == EMT_OK;
}

static int64_t number_or_0(const struct store_result *s, enum schedule_column column)
{
    return c_null(s, 0, (int)column) ? 0 : c_int(s, 0, (int)column);
}

static void choose_retries(struct run *r, const struct store_result *s)
{
    if (c_null(s, 0, SCHEDULE_RETRIES)) {
        schedule_adapt(interval_of(s, r->job->subject, r->now), &r->retries, &r->retry_s);
        return;
    }
    r->retries = (int32_t)c_int(s, 0, SCHEDULE_RETRIES);
    r->retry_s = (int32_t)c_int(s, 0, SCHEDULE_RETRY_S);
}

static void take_row(struct run *r, const struct store_result *s)
{
    snprintf(r->name, sizeof r->name, "schedule:%.100s", c_text(s, 0, SCHEDULE_NAME));
    snprintf(r->location, sizeof r->location, "%s", c_text(s, 0, SCHEDULE_LOCATION));
    r->order.pid = (unsigned)c_int(s, 0, SCHEDULE_PID);
    r->order.location = r->location[0] != '\0' ? r->location : NULL;
    r->order.test = c_bool(s, 0, SCHEDULE_TEST);
    r->order.hold_gaps = c_bool(s, 0, SCHEDULE_HOLD_GAPS);
    r->order.document = c_null(s, 0, SCHEDULE_DOCUMENT) ? NULL : c_text(s, 0, SCHEDULE_DOCUMENT);
    /* Who looks back further than yesterday looks for what has changed since. */
    r->order.only_changes = c_int(s, 0, SCHEDULE_DAYS) > 1;
    r->order.actor = r->name;
    r->target = number_or_0(s, SCHEDULE_TARGET);
    r->second_target = number_or_0(s, SCHEDULE_SECOND_TARGET);
    r->template_id = number_or_0(s, SCHEDULE_TEMPLATE);
    r->until_now = c_bool(s, 0, SCHEDULE_UNTIL_NOW);
    r->thin = c_int(s, 0, SCHEDULE_INTERVAL_S) * EMT_SECOND;
    r->read_first = c_bool(s, 0, SCHEDULE_READ_FIRST) || r->job->read_first;
    r->deadline_s =
        r->job->deadline_s > 0 ? r->job->deadline_s : (int32_t)c_int(s, 0, SCHEDULE_DEADLINE_S);
    choose_days(r, s, r->now);
    choose_span(r, s);
    r->by_hand = r->job->from[0] != '\0' && choose_by_hand(r);
    choose_retries(r, s);
}

static enum emt_err load(struct run *r)
{
    const struct job *j = r->job;
    enum emt_err err = store_begin(r->app, j->tenant);

    r->now = clock_now();
    if (err == EMT_OK)
        err = schedule_get(r->app, j->tenant, j->subject, &r->row);
    if (err == EMT_OK)
        take_row(r, r->row);
    store_rollback(r->app);
    return err;
}

static void take_note(void *ctx, const char *text)
{
    struct run *r = ctx;

    /* An array without memory fails the statement that keeps the result. */
    if (store_array_count(r->notes) < NOTES_MAX)
        (void)store_array_text(r->notes, text);
}

/* A file for somebody else than the party whose target it is: it stays here, and somebody sees it.
 */
static enum emt_err keep_back(struct run *r, struct store *app, int64_t file_id)
{
    char detail[200];
    struct event_row e = {
        .at = clock_now(), .severity = EVENT_ALARM, .kind = "delivery-refused", .detail = detail
    };

    snprintf(detail, sizeof detail,
             "%.110s: file %lld is not sent, target %lld takes files of another party only",
             r->name, (long long)file_id, (long long)r->target);
    take_note(r, detail);
    return event_store_add(app, r->job->tenant, &e);
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
    if (err == EMT_ESTATE)
        return keep_back(r, app, file_id);
    return err == EMT_OK ? delivery_job_order(app, r->job->tenant, id, 0) : err;
}

static enum emt_err keep_progress(struct run *r)
{
    const struct job *j = r->job;
    char day[16];
    enum emt_err err = store_begin(r->app, j->tenant);

    snprintf(day, sizeof day, "%04d-%02d-%02d", r->order.to.year, r->order.to.month,
             r->order.to.day);
    if (err == EMT_OK && r->read_first)
        err = readout_end(r->app, j->tenant, j->id);
    if (err == EMT_OK && !r->by_hand && r->template_id == 0)
        err = schedule_exported(r->app, j->tenant, j->subject, day);
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

/* --- the meters first --- */

static struct report_choice choice_of(const struct run *r)
{
    return (struct report_choice){
        .location = r->order.location, .quantities = "", .from = r->from, .to = r->to
    };
}

static enum emt_err name_missing(struct run *r)
{
    const struct report_choice choice = choice_of(r);
    struct store_result *rows = NULL;
    char line[300];
    enum emt_err err =
        readout_missing(r->app, r->job->tenant, r->job->id, &choice, NOTES_MAX, &rows);

    for (int i = 0; err == EMT_OK && i < store_rows(rows); i++) {
        snprintf(line, sizeof line, "meter %.60s not read%s%.63s: %.140s", c_text(rows, i, 0),
                 c_text(rows, i, 1)[0] != '\0' ? " by gateway " : "", c_text(rows, i, 1),
                 c_text(rows, i, 2));
        take_note(r, line);
    }
    store_result_free(rows);
    return err;
}

/* One look: asks when nobody was asked yet, and says in *rest whether to look again later. */
static enum emt_err look(struct run *r, struct schedule_rest *rest)
{
    const struct report_choice choice = choice_of(r);
    struct readout_state state = { 0 };
    const struct job *j = r->job;
    int64_t gateways = 0;
    enum emt_err err = readout_state(r->app, j->tenant, j->id, &choice, &state);

    if (err == EMT_ENOTFOUND) {
        err = readout_begin(r->app, j->tenant, j->id, &choice, r->deadline_s, &gateways);
        if (err == EMT_OK)
            err = readout_state(r->app, j->tenant, j->id, &choice, &state);
    }
    if (err != EMT_OK)
        return err;
    if (state.fresh < state.meters && state.gateways > 0 && clock_now() < state.deadline) {
        *rest = (struct schedule_rest){ READOUT_LOOK_S, state.fresh, state.meters };
        return EMT_OK;
    }
    return name_missing(r);
}

static enum emt_err read_first(struct run *r, struct schedule_rest *rest)
{
    enum emt_err err = store_begin(r->app, r->job->tenant);

    if (err == EMT_OK)
        err = look(r, rest);
    if (err == EMT_OK)
        return store_commit(r->app);
    store_rollback(r->app);
    return err;
}

/* --- the run --- */

struct watcher {
    struct run *r;
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

static enum emt_err report_file(void *ctx, struct store *s, int64_t file_id)
{
    struct watcher *w = ctx;

    return take_file(w->r, s, file_id);
}

/* How far it went stands with the files: a run that begins again after a crash neither leaves a
 * stretch out nor sends one twice. */
static enum emt_err report_written(void *ctx, struct store *s)
{
    struct watcher *w = ctx;
    const struct run *r = w->r;
    const struct job *j = r->job;
    char day[16];
    enum emt_err err;

    if (r->by_hand)
        return EMT_OK;
    snprintf(day, sizeof day, "%04d-%02d-%02d", r->order.to.year, r->order.to.month,
             r->order.to.day);
    err = r->until_now ? schedule_exported_until(s, j->tenant, j->subject, r->to)
                       : schedule_exported(s, j->tenant, j->subject, day);
    return err == EMT_ENOTFOUND ? EMT_OK : err; /* deleted meanwhile */
}

static void report_note(void *ctx, const char *text)
{
    struct watcher *w = ctx;

    take_note(w->r, text);
}

static bool report_step(void *ctx, int64_t done, int64_t total)
{
    struct watcher *w = ctx;

    return w->step(w->ctx, done, total);
}

static enum emt_err make_report(struct run *r, bool (*step)(void *ctx, int64_t done, int64_t total),
                                void *ctx, char *error, size_t size)
{
    struct watcher w = { r, step, ctx };
    const struct report_handler h = { .file = report_file,
                                      .written = report_written,
                                      .note = report_note,
                                      .step = report_step,
                                      .ctx = &w };
    struct emt_diag diag = { 0 };
    const struct report_request req = { .tenant = r->job->tenant,
                                        .template_id = r->template_id,
                                        .location = r->order.location,
                                        .from = r->from,
                                        .to = r->to,
                                        .now = r->now,
                                        .thin = r->thin,
                                        .recipient = c_text(r->row, 0, SCHEDULE_RECIPIENT),
                                        .leaves = r->target != 0,
                                        .mail_to = c_text(r->row, 0, SCHEDULE_MAIL_TO),
                                        .mail_cc = c_text(r->row, 0, SCHEDULE_MAIL_CC),
                                        .mail_bcc = c_text(r->row, 0, SCHEDULE_MAIL_BCC),
                                        .job = r->job->id,
                                        .actor = r->name };
    enum emt_err err = report_run(r->app, &req, &h, &diag);

    if (err != EMT_OK)
        (void)snprintf(error, size, "%s", diag.text[0] ? diag.text : emt_err_name(err));
    return err;
}

static enum emt_err run(struct run *r, bool (*step)(void *ctx, int64_t done, int64_t total),
                        void *ctx, struct schedule_rest *rest, char *error, size_t size)
{
    enum emt_err err = EMT_OK;

    if (r->read_first) {
        err = read_first(r, rest);
        if (err != EMT_OK)
            (void)snprintf(error, size, "%s", store_error(r->app));
        if (err != EMT_OK || rest->seconds > 0)
            return err;
        r->now = clock_now(); /* what was waited for is of the period */
        if (r->until_now && !r->by_hand)
            r->to = r->now;
    }
    if (r->template_id != 0)
        err = make_report(r, step, ctx, error, size);
    else
        err = export_job_order_run(r->app, r->job, &r->order, step, ctx, r->notes, error, size);
    if (err == EMT_OK)
        err = keep_progress(r);
    else if (emt_err_class(err) == EMT_CLASS_REJECT)
        alarm(r, error);
    return err;
}

enum emt_err schedule_job_run(struct store *app, const struct job *job,
                              bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                              struct store_array *notes, struct schedule_rest *rest, char *error,
                              size_t size)
{
    struct run r = { .app = app, .job = job, .notes = notes };
    bool held = false;
    enum emt_err err = schedule_hold(app, job->tenant, job->subject, &held);

    *rest = (struct schedule_rest){ 0 };
    if (err == EMT_OK && !held) { /* another run of it: it says where this one goes on */
        rest->seconds = READOUT_LOOK_S;
        rest->total = -1;
        return EMT_OK;
    }
    if (err == EMT_OK)
        err = load(&r);
    if (err == EMT_OK) {
        r.order.file = take_file;
        r.order.file_ctx = &r;
        bool any = r.template_id != 0 ? r.from < r.to : before(r.order.from, r.order.to);
        err = any ? run(&r, step, ctx, rest, error, size) : EMT_OK;
    } else if (err == EMT_ENOTFOUND) {
        err = EMT_OK; /* deleted meanwhile */
    } else {
        (void)snprintf(error, size, "%s", store_error(app));
    }
    store_result_free(r.row);
    if (held && schedule_release(app, job->tenant, job->subject) != EMT_OK && err == EMT_OK)
        err = EMT_EDB; /* the connection is gone, and the hold with it */
    return err;
}
