#include "replay_job.h"

#include "base/clock.h"
#include "base/writer.h"
#include "ingest/replay_diff.h"
#include "model/frame_state.h"
#include "store/job_store.h"
#include "store/replay_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A thousand rows of some 300 bytes; texts of a device are short. */
#define ROWS_BYTES_MAX (4u << 20)

struct running {
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
    int64_t before; /* frames of the replay before the comparison */
};

static bool go_on(void *ctx, uint64_t frames)
{
    struct running *r = ctx;

    return r->step(r->ctx, r->before + (int64_t)frames, -1);
}

static bool go_on_waiting(void *ctx)
{
    struct running *r = ctx;

    return r->step(r->ctx, r->before, -1);
}

static enum emt_err read_order(const struct job *job, struct replay_diff_order *o, char *error,
                               size_t size)
{
    enum frame_state state;

    *o = (struct replay_diff_order){ .tenant = job->tenant,
                                     .device = job->device,
                                     .from = 0,
                                     .to = clock_now() + 2 * EMT_DAY,
                                     .apply = strcmp(job->kind, "replay-apply") == 0,
                                     .actor = job->created_by,
                                     .reason = "decoded again" };
    if (job->state[0] && frame_state_parse(job->state, &state) != EMT_OK) {
        (void)snprintf(error, size, "no such state: %s", job->state);
        return EMT_EMALFORMED;
    }
    if (job->state[0])
        o->states = UINT32_C(1) << state;
    if ((job->from[0] && time_parse(job->from, &o->from) != EMT_OK) ||
        (job->to[0] && time_parse(job->to, &o->to) != EMT_OK)) {
        (void)snprintf(error, size, "no such time");
        return EMT_EMALFORMED;
    }
    return EMT_OK;
}

/* Frames that waited take their new state on the way. */
static enum emt_err decode_waiting(struct replay *r, struct store *ingest,
                                   const struct replay_diff_order *o, struct running *run)
{
    struct replay_order waiting = {
        .tenant = o->tenant, .device = o->device, .version = -1, .type = -1
    };
    struct replay_result res;

    if (!o->apply)
        return EMT_OK;
    enum emt_err err = replay_run(r, ingest, &waiting, go_on_waiting, run, &res);
    run->before = (int64_t)res.frames;
    return err;
}

static void put_counts(struct writer *w, const struct replay_diff_order *o,
                       const struct replay_diff_result *res)
{
    writer_printf(w,
                  "{\"dry_run\":%s,\"frames\":%" PRIu64 ",\"failed\":%" PRIu64
                  ",\"foreign\":%" PRIu64 ",\"same\":%" PRIu64 ",\"added\":%" PRIu64
                  ",\"changed\":%" PRIu64 ",\"gone\":%" PRIu64 ",\"applied\":%" PRIu64,
                  o->apply ? "false" : "true", res->frames, res->failed, res->foreign, res->same,
                  res->added, res->changed, res->gone, res->applied);
}

static enum emt_err keep(struct store *app, const struct job *job, struct writer *document)
{
    emt_time now = clock_now();
    enum emt_err err = document->failed ? EMT_ENOMEM : store_begin(app, job->tenant);

    if (err != EMT_OK)
        return err;
    err = replay_difference_keep(app, job->tenant, job->id, now, now - JOB_KEPT_DAYS * EMT_DAY,
                                 writer_cstr(document));
    if (err == EMT_OK)
        err = store_commit(app);
    else
        store_rollback(app);
    return err;
}

enum emt_err replay_job_run(struct replay *r, struct store *ingest, struct store *app,
                            const struct job *job,
                            bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                            char *result, size_t result_size, char *error, size_t error_size)
{
    struct running run = { .step = step, .ctx = ctx };
    struct replay_diff_order o;
    struct replay_diff_result res = { 0 };
    struct writer rows, document;
    enum emt_err err = read_order(job, &o, error, error_size);

    if (err != EMT_OK)
        return err;
    writer_init_heap(&rows, ROWS_BYTES_MAX);
    writer_init_heap(&document, ROWS_BYTES_MAX + 4096);
    err = decode_waiting(r, ingest, &o, &run);
    if (err == EMT_OK)
        err = replay_diff_run(r, ingest, app, &o, go_on, &run, &res, &rows);
    if (err == EMT_OK) {
        put_counts(&document, &o, &res);
        (void)snprintf(result, result_size, "%s}", writer_cstr(&document));
        writer_printf(&document, ",\"rows\":[%s]}", writer_cstr(&rows));
        err = keep(app, job, &document);
    }
    if (err != EMT_OK)
        (void)snprintf(error, error_size, "%s: %s", emt_err_name(err),
                       *store_error(app) ? store_error(app) : store_error(ingest));
    writer_release(&rows);
    writer_release(&document);
    return err;
}
