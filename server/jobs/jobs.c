#include "jobs/jobs.h"

#include "acknowledgement/acknowledgement_folder.h"
#include "acknowledgement/acknowledgement_match.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/writer.h"
#include "calculation_job.h"
#include "chainer.h"
#include "compact.h"
#include "delivery_job.h"
#include "export_job.h"
#include "ingest/replay.h"
#include "ingest/scratch.h"
#include "keeper.h"
#include "loop/metrics.h"
#include "maintenance.h"
#include "model/frame_state.h"
#include "pack_job.h"
#include "replay_job.h"
#include "resend_job.h"
#include "schedule_job.h"
#include "store/entitlement_store.h"
#include "store/erasure_store.h"
#include "store/frame_query_store.h"
#include "store/frame_store.h"
#include "store/job_store.h"
#include "store/store.h"
#include "store/tenant_removal.h"
#include "store/tenant_store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WORKERS_MAX 64u
#define HOT_DAYS_DEFAULT 92u
#define POLL_MS 1000
#define CONNECT_MS 10000
/* A worker that says nothing for this long is dead, and its job somebody else's. */
#define LEASE_S 60
#define UPKEEP_MS (60 * 60 * 1000)
/* Waiting after a failure: doubling up to ten minutes, for good after some twenty hours. */
#define RETRY_FIRST_S 5
#define RETRY_MOST_S 600
#define ATTEMPTS_MOST 120

/* More waiting frames than this are not counted: the end of the job is then not known. */
#define REPLAY_COUNT_MOST 1000000
/* Progress is told no more often than this. */
#define STEP_MS 250

static const char *const kinds[] = { "calculation", "replay-difference", "replay-apply",
                                     "replay",      "maintenance",       "export",
                                     "resend",      "compaction",        "schedule",
                                     "delivery",    "delivery-test",     "packing",
                                     "erasure" };

/* Besides the workers: deliveries wait for the servers of others, up to an hour each. Targets that
 * kept us waiting the last time have couriers of their own: a silent one takes a quick courier's
 * time once (connecting 30 s, stalled 60 s) and then only that of its like. */
#define COURIERS_QUICK 4u
#define COURIERS_SLOW 2u
#define COURIERS (COURIERS_QUICK + COURIERS_SLOW)
/* How often the folders of answers are looked through. */
#define FOLDERS_MS 5000

struct worker {
    struct jobs *jobs;
    unsigned index;
    bool courier;
    bool slow; /* courier of slow targets */
    pthread_t thread;
    bool started;
    struct store *admin, *ingest;
    struct store *app; /* opened when first needed */
    struct scratch *scratch;
    struct replay *replay;
    struct backoff backoff;
    int64_t upkeep_ms;  /* when it is due; first worker only */
    int64_t folders_ms; /* so */
    const struct job *job;
    int64_t told_ms;                      /* when progress was told, 0: not yet */
    int64_t done, total;                  /* progress of the job; total -1: not known */
    bool lost;                            /* the lease of the job */
    char result[2048];                    /* JSON, "" for none */
    struct store_array *notes;            /* of an export */
    struct schedule_rest rest;            /* of a schedule: it waits */
    bool cancelled;                       /* somebody wants the job to end */
    const struct replay_result *replayed; /* grows while a replay runs */
};

struct jobs {
    struct jobs_settings s;
    char *conninfo, *scratch_path, *delivery_root;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool stopping;
    uint64_t wakes;
    struct metrics *own_metrics;
    struct metric *done, *failed, *cancelled, *frames, *decoded;
    struct compact_metrics compaction;
    struct pack_metrics packing;
    struct worker *workers;
    unsigned nworkers;
    struct chainer *chainer;
    struct keeper *keeper;
};

/* ---- waiting ---- */

static bool is_stopping(struct jobs *j)
{
    bool stopping;

    pthread_mutex_lock(&j->mutex);
    stopping = j->stopping;
    pthread_mutex_unlock(&j->mutex);
    return stopping;
}

/* Until something is worth a look; *seen counts the wakes that this worker answered. */
static void rest(struct jobs *j, int64_t ms, uint64_t *seen)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&j->mutex);
    while (rc != ETIMEDOUT && !j->stopping && j->wakes == *seen)
        rc = pthread_cond_timedwait(&j->cond, &j->mutex, &until);
    *seen = j->wakes;
    pthread_mutex_unlock(&j->mutex);
}

void jobs_wake(struct jobs *j)
{
    pthread_mutex_lock(&j->mutex);
    j->wakes++;
    pthread_cond_broadcast(&j->cond);
    pthread_mutex_unlock(&j->mutex);
}

/* ---- connections ---- */

static void disconnect(struct worker *w)
{
    store_close(w->admin);
    store_close(w->ingest);
    store_close(w->app);
    w->admin = w->ingest = w->app = NULL;
}

static bool connect_both(struct worker *w)
{
    struct emt_diag diag = { 0 };
    enum emt_err err = EMT_OK;

    if (w->admin && !store_is_broken(w->admin) &&
        (w->courier || (w->ingest && !store_is_broken(w->ingest))))
        return true;
    disconnect(w);
    err = store_open(w->jobs->conninfo, STORE_ADMIN, CONNECT_MS, &w->admin, &diag);
    if (!err && !w->courier) /* these decode nothing */
        err = store_open(w->jobs->conninfo, STORE_INGEST, CONNECT_MS, &w->ingest, &diag);
    if (!err) {
        backoff_reset(&w->backoff);
        return true;
    }
    LOG_WARN("jobs-database-gone", LOG_I("worker", w->index), LOG_S("error", diag.text));
    disconnect(w);
    return false;
}

/* ---- one job ---- */

/* Between the steps of a job: keeps the lease, tells how far it is, and whether it shall go on. */
static bool step(void *ctx, int64_t done, int64_t total)
{
    struct worker *w = ctx;
    int64_t now_ms = clock_mono_ms();

    w->done = done;
    w->total = total;
    if (is_stopping(w->jobs))
        return false;
    if (w->told_ms != 0 && now_ms - w->told_ms < STEP_MS)
        return true;
    w->told_ms = now_ms;
    w->lost = job_store_step(w->admin, w->job, LEASE_S, done, total, &w->cancelled) != EMT_OK;
    return !w->lost && !w->cancelled;
}

static bool replay_step(void *ctx)
{
    struct worker *w = ctx;

    return step(w, (int64_t)w->replayed->frames, w->total);
}

static const char *text_or_null(const char *s)
{
    return s[0] ? s : NULL;
}

/* What the progress is measured by; -1: too many to count. */
static int64_t count_waiting(struct worker *w, const struct job *job, const struct replay_order *o)
{
    struct waiting_filter f = { o->states ? o->states : replay_states_waiting(), o->manufacturer,
                                o->number, o->version, o->type };
    int64_t n = 0;

    if (waiting_count(w->admin, job->tenant, o->device, &f, REPLAY_COUNT_MOST, &n) != EMT_OK ||
        n == REPLAY_COUNT_MOST)
        return -1;
    return n;
}

static enum emt_err do_replay(struct worker *w, const struct job *job, char *error, size_t size)
{
    struct replay_order o = { .tenant = job->tenant,
                              .device = job->device,
                              .manufacturer = text_or_null(job->manufacturer),
                              .number = text_or_null(job->number),
                              .version = job->version,
                              .type = job->type };
    struct replay_result res;
    enum frame_state state;
    enum emt_err err;

    if (job->state[0]) {
        if (frame_state_parse(job->state, &state) != EMT_OK) {
            (void)snprintf(error, size, "no such state: %s", job->state);
            return EMT_EMALFORMED;
        }
        o.states = replay_states_like(state);
        if (o.states == 0)
            return EMT_OK; /* nothing helps these */
    }
    w->total = count_waiting(w, job, &o);
    w->replayed = &res;
    err = replay_run(w->replay, w->ingest, &o, replay_step, w, &res);
    w->done = (int64_t)res.frames;
    (void)snprintf(w->result, sizeof w->result,
                   "{\"frames\": %" PRIu64 ", \"changed\": %" PRIu64 ", \"ok\": %" PRIu64 "}",
                   res.frames, res.changed, res.ok);
    metric_add(w->jobs->frames, (int64_t)res.frames);
    metric_add(w->jobs->decoded, (int64_t)res.ok);
    LOG_INFO("replay", LOG_I("tenant", job->tenant), LOG_I("device", job->device),
             LOG_S("state", text_or_null(job->state)), LOG_I("frames", res.frames),
             LOG_I("changed", res.changed), LOG_I("ok", res.ok),
             LOG_S("result", err ? emt_err_name(err) : "done"));
    if (err)
        (void)snprintf(error, size, "%s: %s", emt_err_name(err), store_error(w->ingest));
    return err;
}

static enum emt_err do_maintenance(struct worker *w, const struct job *job, char *error,
                                   size_t size)
{
    struct maintenance_result res;
    enum emt_err err = maintenance_tenant(w->admin, job->tenant, clock_now(), &res);

    LOG_INFO("maintenance", LOG_I("tenant", job->tenant), LOG_I("frames", res.frames),
             LOG_I("telegrams", res.telegrams), LOG_I("rejected", res.rejected),
             LOG_I("values", res.values.rows), LOG_I("blocks", res.values.blocks),
             LOG_I("others", res.values.others), LOG_I("packs", res.values.packs),
             LOG_I("audit", res.audit));
    if (err)
        (void)snprintf(error, size, "%s: %s", emt_err_name(err), store_error(w->admin));
    return err;
}

static enum emt_err do_compaction(struct worker *w, const struct job *job, char *error, size_t size)
{
    struct block_counts got;
    enum emt_err err =
        compact_tenant(w->admin, job->tenant, clock_now(), step, w, &w->jobs->compaction, &got);

    LOG_INFO("compaction", LOG_I("tenant", job->tenant), LOG_I("rows", got.rows),
             LOG_I("blocks", got.blocks), LOG_I("conflicts", got.conflicts),
             LOG_I("skipped", got.skipped), LOG_S("result", err ? emt_err_name(err) : "done"));
    (void)snprintf(w->result, sizeof w->result,
                   "{\"rows\": %" PRId64 ", \"blocks\": %" PRId64 ", \"skipped\": %" PRId64 "}",
                   got.rows, got.blocks, got.skipped);
    if (err)
        (void)snprintf(error, size, "%s: %s", emt_err_name(err), store_error(w->admin));
    return err;
}

static enum emt_err do_packing(struct worker *w, const struct job *job, char *error, size_t size)
{
    struct raw_pack_counts got;
    enum emt_err err =
        pack_tenant(w->admin, job->tenant, clock_now(), step, w, &w->jobs->packing, &got);

    LOG_INFO("packing", LOG_I("tenant", job->tenant), LOG_I("frames", got.frames),
             LOG_I("packs", got.packs), LOG_I("bytes", got.bytes), LOG_I("skipped", got.skipped),
             LOG_S("result", err ? emt_err_name(err) : "done"));
    (void)snprintf(w->result, sizeof w->result,
                   "{\"frames\": %" PRId64 ", \"packs\": %" PRId64 ", \"skipped\": %" PRId64 "}",
                   got.frames, got.packs, got.skipped);
    if (err)
        (void)snprintf(error, size, "%s: %s", emt_err_name(err), store_error(w->admin));
    return err;
}

static enum emt_err open_app(struct worker *w, char *error, size_t size)
{
    struct emt_diag diag = { 0 };

    if (w->app && store_is_broken(w->app)) {
        store_close(w->app);
        w->app = NULL;
    }
    if (w->app)
        return EMT_OK;
    if (store_open(w->jobs->conninfo, STORE_APP, CONNECT_MS, &w->app, &diag) == EMT_OK)
        return EMT_OK;
    w->app = NULL;
    (void)snprintf(error, size, "%s", diag.text);
    return EMT_EDB;
}

static enum emt_err do_difference(struct worker *w, const struct job *job, char *error, size_t size)
{
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    err = replay_job_run(w->replay, w->ingest, w->app, job, step, w, w->result, sizeof w->result,
                         error, size);
    LOG_INFO("replay-difference", LOG_I("tenant", job->tenant), LOG_I("device", job->device),
             LOG_S("kind", job->kind), LOG_S("result", err ? emt_err_name(err) : "done"));
    return err;
}

static enum emt_err do_calculation(struct worker *w, const struct job *job, char *error,
                                   size_t size)
{
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    err = calculation_job_run(w->app, job, step, w, w->result, sizeof w->result, error, size);
    LOG_INFO("calculation", LOG_I("tenant", job->tenant), LOG_I("channel", job->subject),
             LOG_S("result", err ? emt_err_name(err) : "done"));
    return err;
}

static enum emt_err do_erasure(struct worker *w, const struct job *job, char *error, size_t size)
{
    struct erasure_counts got;
    struct writer result;
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    err = erasure_run(w->app, job->tenant, job->subject, clock_now(), step, w, &got);
    writer_init_fixed(&result, (uint8_t *)w->result, sizeof w->result - 1);
    for (int i = 0; i < ERASED_KINDS; i++)
        writer_printf(&result, "%s\"%s\": %" PRId64, i > 0 ? ", " : "{", erasure_kind_names[i],
                      got.n[i]);
    writer_text(&result, "}");
    w->result[result.failed ? 0 : result.len] = '\0';
    LOG_INFO("erasure", LOG_I("tenant", job->tenant), LOG_I("erasure", job->subject),
             LOG_S("result", err ? emt_err_name(err) : "done"));
    if (err)
        (void)snprintf(error, size, "%s: %s", emt_err_name(err),
                       err == EMT_ENOTFOUND ? "no such order" : store_error(w->app));
    return err;
}

static enum emt_err do_export(struct worker *w, const struct job *job, char *error, size_t size)
{
    bool scheduled = strcmp(job->kind, "schedule") == 0;
    bool again = strcmp(job->kind, "resend") == 0;
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    w->notes = store_array_new(STORE_TEXT);
    if (!w->notes)
        return EMT_ENOMEM;
    if (again)
        return resend_job_run(w->app, job, step, w, w->notes, error, size);
    return scheduled ? schedule_job_run(w->app, job, step, w, w->notes, &w->rest, error, size)
                     : export_job_run(w->app, job, step, w, w->notes, error, size);
}

static bool still_sending(void *ctx)
{
    return step(ctx, 0, -1);
}

static struct delivery_rules rules_of(const struct jobs *j)
{
    return (struct delivery_rules){ .master = &j->s.master,
                                    .root = j->delivery_root,
                                    .private_networks = j->s.private_networks };
}

static enum emt_err do_delivery(struct worker *w, const struct job *job, char *error, size_t size)
{
    struct delivery_rules rules = rules_of(w->jobs);
    char text[400] = "";
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    err = delivery_job_run(w->app, job, &rules, still_sending, w, text, sizeof text);
    LOG_INFO("delivery", LOG_I("tenant", job->tenant), LOG_I("delivery", job->subject),
             LOG_S("result", text));
    if (err != EMT_OK)
        (void)snprintf(error, size, "%s", text);
    return err;
}

static enum emt_err do_delivery_test(struct worker *w, const struct job *job, char *error,
                                     size_t size)
{
    struct delivery_rules rules = rules_of(w->jobs);
    struct writer result;
    enum emt_err err = open_app(w, error, size);

    if (err != EMT_OK)
        return err;
    writer_init_fixed(&result, w->result, sizeof w->result - 1);
    err = delivery_job_test(w->app, job, &rules, still_sending, w, &result);
    w->result[result.failed ? 0 : result.len] = '\0';
    if (err != EMT_OK)
        (void)snprintf(error, size, "%s",
                       err == EMT_ENOTFOUND ? "no such target" : store_error(w->app));
    return err;
}

static int32_t retry_s(int attempts)
{
    int32_t s = RETRY_FIRST_S;

    for (int i = 1; i < attempts && s < RETRY_MOST_S; i++)
        s *= 2;
    return s < RETRY_MOST_S ? s : RETRY_MOST_S;
}

/* What came out of a job that ended. */
static enum emt_err keep_result(struct worker *w, const struct job *job, bool cancelled)
{
    if (w->notes)
        return job_store_done_export(w->admin, job, w->notes, cancelled);
    if (cancelled)
        return job_store_cancelled(w->admin, job);
    return job_store_done(w->admin, job, w->done, w->total, w->result[0] ? w->result : NULL);
}

static void finish(struct worker *w, const struct job *job, enum emt_err err, const char *error)
{
    enum emt_err kept;

    if (w->lost)
        return;                                 /* somebody else has it by now */
    if (err == EMT_OK && w->rest.seconds > 0) { /* it goes on later, under its number */
        kept = job_store_rest(w->admin, job, w->rest.seconds, w->rest.done, w->rest.total);
    } else if (err == EMT_OK || (w->cancelled && err == EMT_EAGAIN)) {
        metric_add(err == EMT_OK ? w->jobs->done : w->jobs->cancelled, 1);
        kept = keep_result(w, job, err != EMT_OK);
    } else if (is_stopping(w->jobs) && err == EMT_EAGAIN) {
        kept = job_store_failed(w->admin, job, "stopped", 0, ATTEMPTS_MOST);
    } else {
        metric_add(w->jobs->failed, 1);
        LOG_WARN("job-failed", LOG_S("kind", job->kind), LOG_I("job", job->id),
                 LOG_I("tenant", job->tenant), LOG_I("attempts", job->attempts),
                 LOG_S("error", error));
        /* What is wrong in itself does not get better. */
        kept = job_store_failed(w->admin, job, error, retry_s(job->attempts),
                                emt_err_class(err) == EMT_CLASS_REJECT ? 0 : ATTEMPTS_MOST);
    }
    if (kept != EMT_OK)
        LOG_WARN("job-not-kept", LOG_I("job", job->id), LOG_S("error", emt_err_name(kept)));
}

/* What a job needs that is agreed with a tenant one by one; false: nothing. */
static bool module_of(const char *kind, enum module *m)
{
    static const struct {
        const char *kind;
        enum module module;
    } needs[] = {
        { "export", MODULE_EXPORT },          { "schedule", MODULE_EXPORT },
        { "resend", MODULE_EXPORT },          { "delivery", MODULE_DELIVERY },
        { "delivery-test", MODULE_DELIVERY }, { "replay-difference", MODULE_REPLAY },
        { "replay-apply", MODULE_REPLAY },    { "calculation", MODULE_CALCULATION },
    };

    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (strcmp(needs[i].kind, kind) == 0) {
            *m = needs[i].module;
            return true;
        }
    }
    return false;
}

/* Agreements end while orders stand: what they order does not happen, and its job says why. */
static enum emt_err check_module(struct worker *w, const struct job *job, char *error, size_t size)
{
    enum module m;
    bool has = true;
    enum emt_err err =
        module_of(job->kind, &m) ? entitlement_has(w->admin, job->tenant, m, &has) : EMT_OK;

    if (err != EMT_OK || has)
        return err;
    (void)snprintf(error, size, "the module %s is not agreed with the tenant", module_names[m]);
    return EMT_EUNSUPPORTED;
}

static void do_job(struct worker *w, const struct job *job)
{
    char error[480] = ""; /* longer than what the store keeps: never cut within a character */
    enum emt_err err;

    w->job = job;
    w->told_ms = 0;
    w->done = 0;
    w->total = -1;
    w->lost = w->cancelled = false;
    w->rest = (struct schedule_rest){ 0 };
    w->result[0] = '\0';
    err = check_module(w, job, error, sizeof error);
    if (err != EMT_OK)
        LOG_WARN("job-not-agreed", LOG_S("kind", job->kind), LOG_I("tenant", job->tenant));
    else if (strcmp(job->kind, "replay") == 0)
        err = do_replay(w, job, error, sizeof error);
    else if (strcmp(job->kind, "calculation") == 0)
        err = do_calculation(w, job, error, sizeof error);
    else if (strncmp(job->kind, "replay-", 7) == 0)
        err = do_difference(w, job, error, sizeof error);
    else if (strcmp(job->kind, "export") == 0 || strcmp(job->kind, "schedule") == 0 ||
             strcmp(job->kind, "resend") == 0)
        err = do_export(w, job, error, sizeof error);
    else if (strcmp(job->kind, "delivery") == 0)
        err = do_delivery(w, job, error, sizeof error);
    else if (strcmp(job->kind, "delivery-test") == 0)
        err = do_delivery_test(w, job, error, sizeof error);
    else if (strcmp(job->kind, "erasure") == 0)
        err = do_erasure(w, job, error, sizeof error);
    else if (strcmp(job->kind, "compaction") == 0)
        err = do_compaction(w, job, error, sizeof error);
    else if (strcmp(job->kind, "packing") == 0)
        err = do_packing(w, job, error, sizeof error);
    else
        err = do_maintenance(w, job, error, sizeof error);
    if (!store_is_broken(w->admin))
        finish(w, job, err, error);
    store_array_free(w->notes);
    w->notes = NULL;
    w->replayed = NULL;
    w->job = NULL; /* without connection the lease runs out by itself */
}

/* ---- a worker ---- */

static void upkeep(struct worker *w)
{
    struct maintenance_result res;
    enum emt_err err;

    if (w->index != 0 || clock_mono_ms() < w->upkeep_ms)
        return;
    err = maintenance_platform(w->admin, clock_now(), w->jobs->s.hot_days, &res);
    w->upkeep_ms = clock_mono_ms() + (err ? POLL_MS * 10 : UPKEEP_MS);
    if (err)
        LOG_ERROR("upkeep-failed", LOG_S("error", store_error(w->admin)));
    else
        LOG_INFO("upkeep", LOG_I("partitions_dropped", res.partitions),
                 LOG_I("events_expired", res.events), LOG_I("jobs_expired", res.jobs));
}

/* What runs by itself and is due becomes jobs; each worker looks, one of them finds it. */
static void order_due(struct worker *w)
{
    int64_t n = 0;
    enum emt_err err = schedule_step(w->admin, clock_now(), &n);

    if (err != EMT_OK && err != EMT_EAGAIN)
        LOG_WARN("schedules-not-ordered", LOG_S("error", store_error(w->admin)));
    else if (n > 0)
        LOG_INFO("schedules-due", LOG_I("ordered", n));
    if (err == EMT_OK)
        err = calculation_step(w->admin, clock_now(), &n);
    if (err != EMT_OK && err != EMT_EAGAIN)
        LOG_WARN("calculations-not-ordered", LOG_S("error", store_error(w->admin)));
    if (err == EMT_OK)
        err = acknowledgement_overdue_step(w->admin, clock_now(), &n);
    if (err != EMT_OK && err != EMT_EAGAIN)
        LOG_WARN("overdue-not-looked-for", LOG_S("error", store_error(w->admin)));
    else if (n > 0)
        LOG_WARN("exports-overdue", LOG_I("files", n));
}

/* Answers that came as files; what two nodes take at the same time is one answer. */
static void look_through_folders(struct worker *w)
{
    struct acknowledgement_folder_result got = { 0 };
    char error[400] = "";

    if (w->index != 0 || w->jobs->delivery_root == NULL || clock_mono_ms() < w->folders_ms)
        return;
    w->folders_ms = clock_mono_ms() + FOLDERS_MS;
    enum emt_err err = open_app(w, error, sizeof error);
    if (err == EMT_OK)
        err = acknowledgement_folder_step(w->app, w->jobs->delivery_root, clock_now(), &got);
    if (err != EMT_OK)
        LOG_WARN("acknowledgements-not-taken", LOG_S("error", emt_err_name(err)));
    if (got.taken + got.repeated + got.refused > 0)
        LOG_INFO("acknowledgements", LOG_I("taken", got.taken), LOG_I("repeated", got.repeated),
                 LOG_I("refused", got.refused));
}

/* A tenant's end was ordered; one node removes it, whichever comes first. */
static void remove_tenants(struct worker *w)
{
    struct store_result *r = NULL;

    if (w->index != 0 || tenant_removals(w->admin, &r) != EMT_OK)
        return;
    for (int i = 0; i < store_rows(r) && !is_stopping(w->jobs); i++) {
        char said[TENANT_REMOVAL_TEXT];
        struct emt_diag diag = { 0 };
        struct store *owner = NULL;
        enum emt_err err = store_open(w->jobs->conninfo, STORE_OWNER, CONNECT_MS, &owner, &diag);

        if (err == EMT_OK)
            err = tenant_remove(owner, c_text(r, i, 0), c_text(r, i, 1), said, &diag);
        if (err == EMT_OK)
            LOG_NOTICE("tenant-removed", LOG_S("tenant", c_text(r, i, 0)), LOG_S("what", said));
        else
            LOG_WARN("tenant-not-removed", LOG_S("tenant", c_text(r, i, 0)),
                     LOG_S("error", diag.text));
        store_close(owner);
    }
    store_result_free(r);
}

static bool is_sent(const char *kind)
{
    return strncmp(kind, "delivery", 8) == 0;
}

/* Couriers take deliveries, each of another tenant within its lane; nobody else takes any, so that
 * a server that keeps us waiting keeps nothing else. */
static enum emt_err claim(struct worker *w, struct job *job, bool *got)
{
    const char *mine[sizeof kinds / sizeof kinds[0]];
    size_t n = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (is_sent(kinds[i]) == w->courier)
            mine[n++] = kinds[i];
    }
    return w->courier ? job_store_claim_lane(w->admin, mine, n, LEASE_S, w->slow, job, got)
                      : job_store_claim(w->admin, mine, n, LEASE_S, job, got);
}

/* Takes jobs until there are none. */
static void work(struct worker *w)
{
    struct job job;
    bool got = true;

    while (got && !is_stopping(w->jobs)) {
        if (!connect_both(w))
            return;
        if (claim(w, &job, &got) != EMT_OK)
            return;
        if (got)
            do_job(w, &job);
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint64_t seen = 0;

    while (!is_stopping(w->jobs)) {
        int64_t wait_ms = POLL_MS;

        if (connect_both(w)) {
            upkeep(w);
            remove_tenants(w);
            order_due(w);
            look_through_folders(w);
            work(w);
        } else {
            wait_ms = backoff_next(&w->backoff);
        }
        rest(w->jobs, wait_ms, &seen);
    }
    disconnect(w);
    return NULL;
}

/* ---- life ---- */

/* A file per worker: two threads never share a note. */
static enum emt_err open_scratch(struct worker *w, struct emt_diag *diag)
{
    char path[4096];

    if (!w->jobs->scratch_path)
        return EMT_OK;
    if (snprintf(path, sizeof path, "%s.%u", w->jobs->scratch_path, w->index) >= (int)sizeof path)
        return emt_fail(diag, EMT_ELIMIT, "path of the crash notes is too long");
    return scratch_open(path, &w->scratch, diag);
}

static enum emt_err start_worker(struct worker *w, struct emt_diag *diag)
{
    enum emt_err err = w->courier ? EMT_OK : open_scratch(w, diag);

    if (err)
        return err;
    w->backoff = (struct backoff){ 200, 5000, 0 };
    if (!w->courier)
        w->replay = replay_new(&w->jobs->s.master, w->scratch);
    if (!w->courier && !w->replay)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
        return emt_fail(diag, EMT_ENOMEM, "cannot start a worker thread");
    w->started = true;
    return EMT_OK;
}

static void make_metrics(struct jobs *j, struct metrics *m)
{
    j->done = metrics_counter(m, "emt_jobs_total", "result=\"done\"", "Jobs, by result");
    j->failed = metrics_counter(m, "emt_jobs_total", "result=\"failed\"", "Jobs, by result");
    j->cancelled = metrics_counter(m, "emt_jobs_total", "result=\"cancelled\"", "Jobs, by result");
    compact_metrics_make(&j->compaction, m);
    pack_metrics_make(&j->packing, m);
    j->frames = metrics_counter(m, "emt_replay_frames_total", NULL, "Stored frames tried again");
    j->decoded =
        metrics_counter(m, "emt_replay_decoded_total", NULL, "… that were decoded and counted");
}

enum emt_err jobs_start(const struct jobs_settings *s, struct jobs **out, struct emt_diag *diag)
{
    struct jobs *j = calloc(1, sizeof *j);
    pthread_condattr_t attr;
    enum emt_err err = EMT_OK;

    *out = NULL;
    if (!j)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    pthread_mutex_init(&j->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->cond, &attr);
    pthread_condattr_destroy(&attr);
    j->s = *s;
    if (j->s.hot_days == 0)
        j->s.hot_days = HOT_DAYS_DEFAULT;
    j->conninfo = strdup(s->conninfo);
    j->scratch_path = s->scratch_path ? strdup(s->scratch_path) : NULL;
    j->delivery_root = s->delivery_root ? strdup(s->delivery_root) : NULL;
    j->nworkers = s->workers ? s->workers : 1;
    if (j->nworkers > WORKERS_MAX)
        j->nworkers = WORKERS_MAX;
    j->nworkers += COURIERS;
    j->workers = calloc(j->nworkers, sizeof *j->workers);
    j->own_metrics = s->metrics ? NULL : metrics_new();
    if (!j->conninfo || !j->workers || (s->scratch_path && !j->scratch_path) ||
        (s->delivery_root && !j->delivery_root) || (!s->metrics && !j->own_metrics)) {
        jobs_stop(j);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    make_metrics(j, s->metrics ? s->metrics : j->own_metrics);
    for (unsigned i = 0; !err && i < j->nworkers; i++) {
        j->workers[i].jobs = j;
        j->workers[i].index = i;
        j->workers[i].courier = i + COURIERS >= j->nworkers;
        j->workers[i].slow = i + COURIERS_SLOW >= j->nworkers;
        err = start_worker(&j->workers[i], diag);
    }
    if (!err)
        err = chainer_start(j->conninfo, &j->s.master, s->metrics ? s->metrics : j->own_metrics,
                            &j->chainer, diag);
    if (!err)
        err = keeper_start(j->conninfo, &j->s.master, j->s.private_networks,
                           s->metrics ? s->metrics : j->own_metrics, &j->keeper, diag);
    if (err) {
        jobs_stop(j);
        return err;
    }
    *out = j;
    return EMT_OK;
}

void jobs_stop(struct jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->mutex);
    j->stopping = true;
    pthread_cond_broadcast(&j->cond);
    pthread_mutex_unlock(&j->mutex);
    chainer_stop(j->chainer);
    keeper_stop(j->keeper);
    for (unsigned i = 0; j->workers && i < j->nworkers; i++) {
        struct worker *w = &j->workers[i];

        if (w->started)
            pthread_join(w->thread, NULL);
        replay_free(w->replay);
        scratch_close(w->scratch);
    }
    free(j->workers);
    free(j->conninfo);
    free(j->scratch_path);
    free(j->delivery_root);
    if (j->own_metrics)
        metrics_free(j->own_metrics);
    seal_key_wipe(&j->s.master);
    pthread_cond_destroy(&j->cond);
    pthread_mutex_destroy(&j->mutex);
    free(j);
}
