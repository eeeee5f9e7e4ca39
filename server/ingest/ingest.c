#include "base/log.h"
#include "base/map.h"
#include "ingest/scratch.h"
#include "ingest_internal.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "store/ingest_store.h"
#include "store/registry_store.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BUDGET_DEFAULT (64u << 20)
#define BATCH_ROWS_DEFAULT 5000u
#define BATCH_MS_DEFAULT 50u
#define CLOCK_AHEAD_DEFAULT_S (2u * 86400u)
/* The caches ask after changes this often. */
#define POLL_MS 1000
/* Statements are planned anew every so many polls: some milliseconds, and a table that was empty
 * yesterday is not planned for as such. */
#define REPLAN_POLLS 10u
/* After a commit of unknown outcome. */
#define SETTLE_MS 500
/* Bytes of one tenant in one batch, alone and beside others that wait. How many rows a frame makes
 * shows only when it is decoded: 16 KiB can hold thousands, and all of the batch waits for them. */
#define BATCH_BYTES_ALONE ((size_t)256 << 10)
#define BATCH_BYTES_SHARED ((size_t)64 << 10)
/* A tenant whose frames were put off is tried again after this, doubling. */
#define STALL_FIRST_MS 500
#define STALL_MOST_MS 30000

/* ---- reports ---- */

static void report(struct ingest *in, struct batch_frame *const *frames, size_t n)
{
    struct source *s = frames[0]->source->owner;
    struct ingest_report r = { 0 };
    struct ingest_rejected *rejected = NULL;
    size_t room = 0;

    for (size_t i = 0; i < n; i++)
        room += frames[i]->kind == BATCH_REJECTED;
    if (room)
        rejected = calloc(room, sizeof *rejected);
    for (size_t i = 0; i < n; i++) {
        const struct batch_frame *f = frames[i];

        if (f->seq > r.up_to)
            r.up_to = f->seq;
        r.bytes_done += f->sent;
        if (f->kind == BATCH_REJECTED && rejected)
            rejected[r.nrejected++] = (struct ingest_rejected){ f->seq, f->reason };
    }
    r.rejected = rejected;
    if (s->open)
        in->handler.committed(in->handler.ctx, s->ticket, &r);
    free(rejected);
}

/* Frames of one source stand together, in order of seq: batch_run sorts them so. */
static void on_committed(void *ctx, struct batch_frame *const *frames, size_t n)
{
    struct ingest *in = ctx;

    for (size_t i = 0; i < n; i++) {
        if (frames[i]->done && !frames[i]->told)
            ingest_pay(in, frames[i]);
    }
    for (size_t from = 0, to; from < n; from = to) {
        size_t first = from, last;

        for (to = from; to < n && frames[to]->source == frames[from]->source; to++)
            continue;
        /* The cursor moves in order: told before, told now, not done. */
        while (first < to && frames[first]->done && frames[first]->told)
            first++;
        for (last = first; last < to && frames[last]->done; last++)
            frames[last]->told = true;
        if (last > first)
            report(in, &frames[first], last - first);
    }
}

/* ---- batches ---- */

static bool is_stalled(const struct batch_frame *f, int64_t now_ms)
{
    const struct source *s = f->source->owner;

    return s->share->stalled_until_ms > now_ms;
}

static bool batch_room(struct ingest *in, size_t n)
{
    struct batch_frame **grown;

    if (n <= in->batch_cap)
        return true;
    grown = realloc(in->batch, n * sizeof(struct batch_frame *));
    if (!grown)
        return false;
    in->batch = grown;
    in->batch_cap = n;
    return true;
}

/* A tenant that was put off and whose time has come: it is tried alone, so that the others need not
 * wait for what may be locked still. */
static const struct tenant_share *returning(const struct ingest *in, int64_t now_ms)
{
    for (const struct batch_frame *f = in->head; f; f = f->next) {
        const struct source *s = f->source->owner;

        if (s->share->stall_ms && s->share->stalled_until_ms <= now_ms && !f->source->gone)
            return s->share;
    }
    return NULL;
}

/* Has the tenant its part of this batch? Then all of its frames behind this one wait as well, so
 * that their order stays. */
static bool is_served(const struct ingest *in, const struct batch_frame *f)
{
    struct tenant_share *t = ((struct source *)f->source->owner)->share;

    if (t->batch != in->batches) {
        t->batch = in->batches;
        t->taken = 0;
    }
    if (t->taken >= (in->busy > 1 ? BATCH_BYTES_SHARED : BATCH_BYTES_ALONE))
        return true;
    t->taken += f->len;
    return false;
}

/* Moves frames from the queue into the batch: as many as make batch_rows rows, none of a stalled
 * tenant, of each no more than its part. */
static void take_batch(struct ingest *in)
{
    int64_t now_ms = clock_mono_ms();
    const struct tenant_share *only = returning(in, now_ms);
    struct batch_frame **at = &in->head;
    bool left = false;
    size_t rows = 0;

    in->trying = only;
    in->nbatch = 0;
    in->batches++;
    if (!batch_room(in, in->queued))
        return;
    while (*at && rows < (size_t)in->batch_rows * 16u) {
        struct batch_frame *f = *at;
        const struct source *s = f->source->owner;
        bool stalled = is_stalled(f, now_ms);

        if (!f->source->gone && (stalled || (only && s->share != only) || is_served(in, f))) {
            left = left || !stalled;
            at = &f->next;
            continue;
        }
        *at = f->next;
        in->queued--;
        if (f->source->gone) {
            ingest_release(in, f, false);
            continue;
        }
        in->batch[in->nbatch++] = f;
        rows += 16u + in->rows_per_frame;
    }
    left = left || *at;
    if (!*at)
        in->tail = at;
    /* What found no place goes as soon as this batch is through. */
    in->queued_since_ms = left ? now_ms - in->batch_ms : now_ms;
}

/* Frames that were put off go back to the head of the queue, in their order. */
static void put_back(struct ingest *in, struct batch_frame *f)
{
    if (!in->head)
        in->tail = &f->next;
    f->next = in->head;
    in->head = f;
    in->queued++;
}

static void stall(struct ingest *in, struct tenant_share *t)
{
    int64_t now_ms = clock_mono_ms();

    if (t->stalled_until_ms > now_ms)
        return;
    t->stall_ms = t->stall_ms ? 2 * t->stall_ms : STALL_FIRST_MS;
    if (t->stall_ms > STALL_MOST_MS)
        t->stall_ms = STALL_MOST_MS;
    t->stalled_until_ms = now_ms + t->stall_ms;
    LOG_WARN("ingest-put-off", LOG_I("tenant", t->tenant), LOG_I("wait_ms", t->stall_ms),
             LOG_S("error", batch_run_error(in->run)));
}

static void count_run(struct ingest *in)
{
    const struct run_stats *st = batch_run_stats(in->run);
    uint64_t frames = st->ignored + st->rejected;

    for (int i = 0; i < FRAME_STATES; i++)
        frames += st->frames[i];
    ingest_metrics_run(&in->m, st);
    metric_set(in->m.channels, (int64_t)registry_channels(in->registry));
    metric_set(in->m.devices, (int64_t)registry_devices(in->registry));
    if (frames) {
        uint64_t mean = 16u * (st->values + st->late + st->texts) / frames;

        in->rows_per_frame = (unsigned)((3u * (uint64_t)in->rows_per_frame + mean) / 4u);
    }
}

/* The session is told once; what it still has in the queue goes with the next batch. */
static void tell_fenced(struct ingest *in, struct source *s)
{
    if (s->told || !s->open)
        return;
    s->told = true;
    metric_add(in->m.fenced, 1);
    in->handler.fenced(in->handler.ctx, s->ticket);
}

static void batch_ended(struct ingest *in)
{
    size_t put = 0;

    count_run(in);
    metric_observe_ms(in->m.commit_ms, clock_mono_ms() - in->started_ms);
    for (size_t i = in->nbatch; i > 0; i--) {
        struct batch_frame *f = in->batch[i - 1];
        struct source *s = f->source->owner;

        if (!f->done && !f->source->gone) {
            f->deferred = false;
            batch_frame_reset(f);
            stall(in, s->share);
            put_back(in, f);
            put++;
            continue;
        }
        if (f->done)
            s->share->stall_ms = 0;
        else
            tell_fenced(in, s);
        ingest_release(in, f, f->done);
    }
    metric_add(in->m.deferred, (int64_t)put);
    in->nbatch = 0;
    in->running = in->settle = false;
    batch_decoder_reset(in->decoder);
    registry_trim(in->registry);
    ingest_feel_pressure(in);
}

/* The batch starts anew: what is committed leaves it, the rest has not been looked at. */
static void rewind_batch(struct ingest *in)
{
    size_t n = 0;

    for (size_t i = 0; i < in->nbatch; i++) {
        struct batch_frame *f = in->batch[i];

        if (f->done) {
            ingest_release(in, f, true);
            continue;
        }
        batch_frame_reset(f);
        f->deferred = false;
        in->batch[n++] = f;
    }
    in->nbatch = n;
    in->settle = true;
}

static void step(struct ingest *in)
{
    enum run_status status = batch_run_step(in->run);

    switch (status) {
    case RUN_WAIT:
    case RUN_BROKEN: /* down() comes */
        break;
    case RUN_SETTLE:
        batch_run_abort(in->run);
        rewind_batch(in);
        in->asleep = true;
        loop_timer_set(in->close_timer, SETTLE_MS);
        break;
    case RUN_DONE:
        batch_ended(in);
        break;
    }
    db_link_kick(in->link);
}

static void start_run(struct ingest *in)
{
    unsigned how = (in->settle ? RUN_UNSETTLED : 0u) | (in->trying ? RUN_BRIEF : 0u);

    in->started_ms = clock_mono_ms();
    in->settle = false;
    if (batch_run_start(in->run, in->store, in->batch, in->nbatch, how) != EMT_OK) {
        batch_run_abort(in->run);
        in->settle = in->asleep = true; /* out of memory: a moment later */
        loop_timer_set(in->close_timer, SETTLE_MS);
        return;
    }
    step(in);
}

static int64_t first_due_ms(const struct ingest *in, int64_t now_ms)
{
    int64_t first = now_ms + STALL_MOST_MS;

    for (const struct batch_frame *f = in->head; f; f = f->next) {
        const struct source *s = f->source->owner;

        if (s->share->stalled_until_ms <= now_ms)
            return now_ms;
        if (s->share->stalled_until_ms < first)
            first = s->share->stalled_until_ms;
    }
    return first;
}

static bool batch_is_due(const struct ingest *in, int64_t now_ms)
{
    return in->draining ||
           in->queued * (16u + in->rows_per_frame) >= (size_t)in->batch_rows * 16u ||
           now_ms - in->queued_since_ms >= in->batch_ms;
}

/* ---- polling ---- */

static void got_versions(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct ingest *in = ctx;

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        registry_version_seen(in->registry, (int32_t)c_int(r, i, 0), c_int(r, i, 1));
}

static void got_window(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct ingest *in = ctx;

    if (err == EMT_OK && store_rows(r) > 0)
        batch_run_set_window(in->run, c_time(r, 0, 0), c_time(r, 0, 1));
}

static void got_poll(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct ingest *in = ctx;

    (void)r;
    in->polling = false;
    in->polled = in->polled || err == EMT_OK;
    loop_timer_set(in->wake_timer, 0);
}

/* Between batches only: what the answers change is what a batch points to. */
static void poll_registry(struct ingest *in)
{
    enum emt_err err = in->prepared ? EMT_OK : ingest_prepare_send(in->store);

    in->poll_due = false;
    in->prepared = true;
    if (!err && in->polls++ % REPLAN_POLLS == 0)
        err = ingest_replan_send(in->store);
    if (!err)
        err = registry_poll_send(in->store, got_versions, in);
    if (!err)
        err = storage_window_send(in->store, got_window, in);
    in->polling = store_send_sync(in->store, got_poll, in) == EMT_OK;
    if (err)
        LOG_DEBUG("ingest-poll-failed", LOG_S("error", emt_err_name(err)));
    db_link_kick(in->link);
}

static void on_poll_timer(void *arg)
{
    struct ingest *in = arg;

    in->poll_due = true;
    loop_timer_set(in->poll_timer, POLL_MS);
    ingest_feel_pressure(in);
    ingest_proceed(in);
}

/* ---- what comes next ---- */

static void drained(struct ingest *in)
{
    void (*done)(void *ctx) = in->drained;

    loop_timer_cancel(in->drain_timer);
    in->drained = NULL;
    if (done)
        done(in->drained_ctx);
}

void ingest_proceed(struct ingest *in)
{
    int64_t now_ms = clock_mono_ms(), due_ms;

    if (in->drained && !in->head && !in->running) {
        drained(in);
        return;
    }
    if (!in->store || in->polling || in->asleep || (in->running && !in->settle))
        return;
    if (in->poll_due || !in->polled) {
        poll_registry(in);
        return;
    }
    if (in->running) { /* a batch of unknown outcome */
        start_run(in);
        return;
    }
    if (!in->head)
        return;
    due_ms = first_due_ms(in, now_ms);
    if (due_ms > now_ms) {
        loop_timer_set(in->close_timer, due_ms - now_ms);
        return;
    }
    if (!batch_is_due(in, now_ms)) {
        loop_timer_set(in->close_timer, in->queued_since_ms + in->batch_ms - now_ms);
        return;
    }
    take_batch(in);
    if (in->nbatch == 0) { /* they all were of sources that are gone */
        loop_timer_set(in->wake_timer, 0);
        return;
    }
    in->running = true;
    start_run(in);
}

static void on_close_timer(void *arg)
{
    struct ingest *in = arg;

    in->asleep = false;
    ingest_proceed(in);
}

/* Answers came: the run goes on from outside of the store. */
static void on_wake_timer(void *arg)
{
    struct ingest *in = arg;

    if (in->running && !in->settle && in->store)
        step(in);
    ingest_proceed(in);
}

static void on_wake(void *ctx)
{
    struct ingest *in = ctx;

    loop_timer_set(in->wake_timer, 0);
}

/* ---- database ---- */

static void on_up(void *ctx, struct store *s)
{
    struct ingest *in = ctx;

    in->store = s;
    in->prepared = false;
    in->poll_due = true;
    ingest_feel_pressure(in);
    loop_timer_set(in->wake_timer, 0);
}

static void on_down(void *ctx)
{
    struct ingest *in = ctx;

    in->store = NULL;
    in->down_since_ms = clock_mono_ms();
    in->polling = in->asleep = false;
    loop_timer_cancel(in->wake_timer);
    batch_run_abort(in->run);
    /* Another server may answer next, which knows less: after a failover ids may be gone. */
    registry_clear(in->registry);
    if (in->running)
        rewind_batch(in);
}

/* ---- drain ---- */

static void on_drain_timer(void *arg)
{
    drained(arg);
}

void ingest_drain(struct ingest *in, int timeout_ms, void (*done)(void *ctx), void *ctx)
{
    in->draining = true;
    in->drained = done;
    in->drained_ctx = ctx;
    loop_timer_set(in->drain_timer, timeout_ms);
    loop_timer_set(in->close_timer, 0);
}

/* ---- life ---- */

static enum emt_err make_parts(struct ingest *in, const struct ingest_settings *s,
                               struct emt_diag *diag)
{
    const struct run_handler handler = { on_wake, on_committed, in };
    const struct db_link_handler link_handler = { on_up, on_down, in };
    int64_t ahead_us =
        (int64_t)(s->clock_ahead_s ? s->clock_ahead_s : CLOCK_AHEAD_DEFAULT_S) * EMT_SECOND;
    struct run_settings run = { 0 };
    enum emt_err err = EMT_OK;

    if (s->scratch_path)
        err = scratch_open(s->scratch_path, &in->scratch, diag);
    if (err)
        return err;
    in->own_metrics = s->metrics ? NULL : metrics_new();
    if (!s->metrics && !in->own_metrics)
        return EMT_ENOMEM;
    ingest_metrics_init(&in->m, s->metrics ? s->metrics : in->own_metrics);
    in->sources = map_new();
    in->shares = map_new();
    in->registry = registry_new(&s->master);
    in->decoder = in->registry ? batch_decoder_new(in->registry, in->scratch, ahead_us) : NULL;
    run.registry = in->registry;
    run.decoder = in->decoder;
    in->run = in->decoder ? batch_run_new(&run, &handler) : NULL;
    in->close_timer = loop_timer_new(in->loop, on_close_timer, in);
    in->wake_timer = loop_timer_new(in->loop, on_wake_timer, in);
    in->poll_timer = loop_timer_new(in->loop, on_poll_timer, in);
    in->drain_timer = loop_timer_new(in->loop, on_drain_timer, in);
    in->link = db_link_new(in->loop, s->conninfo, STORE_INGEST, &link_handler);
    if (!in->sources || !in->shares || !in->run || !in->close_timer || !in->wake_timer ||
        !in->poll_timer || !in->drain_timer || !in->link)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    return EMT_OK;
}

enum emt_err ingest_new(struct loop *l, const struct ingest_settings *s,
                        const struct ingest_handler *h, struct ingest **out, struct emt_diag *diag)
{
    struct ingest *in = calloc(1, sizeof *in);
    enum emt_err err;

    *out = NULL;
    if (!in)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    in->loop = l;
    in->handler = *h;
    in->budget_bytes = s->budget_bytes ? s->budget_bytes : BUDGET_DEFAULT;
    in->batch_rows = s->batch_rows ? s->batch_rows : BATCH_ROWS_DEFAULT;
    in->batch_ms = s->batch_ms ? s->batch_ms : BATCH_MS_DEFAULT;
    in->tail = &in->head;
    in->rows_per_frame = 8u * 16u;
    in->down_since_ms = clock_mono_ms();
    err = make_parts(in, s, diag);
    if (err != EMT_OK) {
        ingest_free(in);
        return err;
    }
    loop_timer_set(in->poll_timer, POLL_MS);
    *out = in;
    return EMT_OK;
}

static void free_values(struct map *m)
{
    size_t at = 0;
    void *value;

    if (!m)
        return;
    while (map_next(m, &at, NULL, NULL, &value))
        free(value);
    map_free(m);
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    db_link_free(in->link); /* first: no callback comes after it */
    if (in->close_timer)
        loop_timer_free(in->close_timer);
    if (in->wake_timer)
        loop_timer_free(in->wake_timer);
    if (in->poll_timer)
        loop_timer_free(in->poll_timer);
    if (in->drain_timer)
        loop_timer_free(in->drain_timer);
    for (size_t i = 0; i < in->nbatch; i++)
        free(in->batch[i]);
    free(in->batch);
    while (in->head) {
        struct batch_frame *f = in->head;

        in->head = f->next;
        free(f);
    }
    batch_run_free(in->run);
    batch_decoder_free(in->decoder);
    registry_free(in->registry);
    scratch_close(in->scratch);
    free_values(in->sources);
    free_values(in->shares);
    if (in->own_metrics)
        metrics_free(in->own_metrics);
    free(in);
}
