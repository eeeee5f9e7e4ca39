#include "ingest/ingest.h"

#include "base/log.h"
#include "base/map.h"
#include "batch_run.h"
#include "ingest/scratch.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "parsers/decode.h"
#include "store/ingest_store.h"
#include "store/registry_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BUDGET_DEFAULT (64u << 20)
#define BATCH_ROWS_DEFAULT 5000u
#define BATCH_MS_DEFAULT 50u
#define CLOCK_AHEAD_DEFAULT_S (2u * 86400u)
/* What a frame costs beside its bytes; credit is told in bytes, so it is an eighth of the budget:
 * enough for frames of 28 bytes and more. */
#define FRAME_COST 192u
#define CREDIT_SHARE 8u
/* Most and least that one session is told. */
#define CREDIT_MOST (4u << 20)
#define CREDIT_LEAST DECODE_FRAME_MAX
#define CREDIT_LEAST_TIGHT 1024u
/* The caches ask after changes this often. */
#define POLL_MS 1000
/* Statements are planned anew every so many polls: some milliseconds, and a table that was empty
 * yesterday is not planned for as such. */
#define REPLAN_POLLS 10u
/* Without database for this long: no more credit. */
#define GONE_MS 5000
/* After a commit of unknown outcome. */
#define SETTLE_MS 500
/* A tenant whose frames were put off is tried again after this, doubling. */
#define STALL_FIRST_MS 500
#define STALL_MOST_MS 30000
/* Received times outside of these are no times: 1970 to 2200. */
#define RECEIVED_FIRST INT64_C(0)
#define RECEIVED_LAST INT64_C(7258118400000000)
#define GAP_REASON_MAX 200

struct tenant_share {
    int32_t tenant;
    unsigned sessions;
    int64_t stalled_until_ms;
    int64_t stall_ms; /* the last wait; 0: none */
    size_t waiting;   /* frames in the queue or under way */
};

struct source {
    struct batch_source b;
    uint64_t ticket;
    uint64_t taken; /* highest sequence number taken */
    bool open;
    bool told;      /* that it is fenced */
    size_t pending; /* frames in the queue or under way */
    struct tenant_share *share;
};

struct ingest_metrics {
    struct metric *frames[FRAME_STATES], *ignored, *rejected, *values, *repeated, *late, *refused,
        *conflicts, *texts, *clock_ahead, *unscalable, *commits, *retries, *fenced, *deferred,
        *gaps, *bytes, *over, *commit_ms, *channels;
};

struct ingest {
    struct loop *loop;
    struct ingest_handler handler;
    size_t budget_bytes;
    unsigned batch_rows, batch_ms;
    struct metrics *own_metrics;
    struct ingest_metrics m;
    struct scratch *scratch;
    struct registry *registry;
    struct batch_decoder *decoder;
    struct batch_run *run;
    struct db_link *link;
    struct loop_timer *close_timer, *wake_timer, *poll_timer, *drain_timer;

    struct map *sources; /* ticket → source */
    struct map *shares;  /* tenant → tenant_share */
    uint64_t next_ticket;
    unsigned tenants; /* with sessions */

    struct batch_frame *head, **tail; /* collected */
    size_t queued;
    int64_t queued_since_ms;
    size_t used; /* of the budget */
    bool full;

    struct batch_frame **batch; /* under way */
    size_t nbatch, batch_cap;
    bool running;
    bool settle; /* the batch may be in the database already */
    bool asleep; /* … and waits a moment before it is asked */
    int64_t started_ms;
    unsigned rows_per_frame; /* running mean, in sixteenths */

    struct store *store; /* NULL while down */
    int64_t down_since_ms;
    bool polling, poll_due, polled;
    bool prepared; /* this connection */
    unsigned polls;

    bool draining;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

static void proceed(struct ingest *in);

/* ---- budget and credit ---- */

static size_t cost_of(const struct batch_frame *f)
{
    return f->len + FRAME_COST;
}

static bool database_gone(const struct ingest *in)
{
    return !in->store && clock_mono_ms() - in->down_since_ms >= GONE_MS;
}

/* Full at the budget, free again at three quarters of it. */
static void feel_pressure(struct ingest *in)
{
    bool full = database_gone(in) || in->used + CREDIT_LEAST + FRAME_COST > in->budget_bytes;

    if (in->full && in->used > in->budget_bytes / 4 * 3)
        full = true;
    if (full == in->full)
        return;
    in->full = full;
    if (in->handler.pressure)
        in->handler.pressure(in->handler.ctx, full);
}

static struct source *source_find(const struct ingest *in, uint64_t ticket)
{
    return map_get(in->sources, &ticket, sizeof ticket);
}

size_t ingest_credit(const struct ingest *in, uint64_t ticket)
{
    const struct source *s = source_find(in, ticket);
    size_t left = in->budget_bytes > in->used ? in->budget_bytes - in->used : 0;
    size_t least = in->used < in->budget_bytes / 2 ? CREDIT_LEAST : CREDIT_LEAST_TIGHT;
    size_t share;

    if (!s || !s->open || s->b.gone || in->full || database_gone(in) || in->draining)
        return 0;
    share = left / CREDIT_SHARE / (in->tenants ? in->tenants : 1) /
            (s->share->sessions ? s->share->sessions : 1);
    if (share < least)
        share = least < left ? least : left;
    return share < CREDIT_MOST ? share : CREDIT_MOST;
}

/* ---- sources ---- */

static struct tenant_share *share_of(struct ingest *in, int32_t tenant)
{
    struct tenant_share *t = map_get(in->shares, &tenant, sizeof tenant);

    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->tenant = tenant;
    if (map_put(in->shares, &tenant, sizeof tenant, t, NULL) == EMT_OK)
        return t;
    free(t);
    return NULL;
}

static void share_forget(struct ingest *in, struct tenant_share *t)
{
    if (t->sessions || t->waiting)
        return;
    map_del(in->shares, &t->tenant, sizeof t->tenant);
    free(t);
}

static void source_forget(struct ingest *in, struct source *s)
{
    if (s->open || s->pending)
        return;
    map_del(in->sources, &s->ticket, sizeof s->ticket);
    share_forget(in, s->share);
    free(s);
}

enum emt_err ingest_open(struct ingest *in, const struct ingest_source *src, uint64_t last_seq,
                         uint64_t *ticket)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s)
        return EMT_ENOMEM;
    s->b.tenant = src->tenant;
    s->b.gateway = src->gateway;
    memcpy(s->b.spool_id, src->spool_id, sizeof s->b.spool_id);
    s->b.epoch = src->epoch;
    s->b.owner = s;
    s->ticket = ++in->next_ticket;
    s->taken = last_seq;
    s->open = true;
    s->share = share_of(in, src->tenant);
    if (!s->share || map_put(in->sources, &s->ticket, sizeof s->ticket, s, NULL) != EMT_OK) {
        if (s->share)
            share_forget(in, s->share);
        free(s);
        return EMT_ENOMEM;
    }
    if (s->share->sessions++ == 0)
        in->tenants++;
    *ticket = s->ticket;
    return EMT_OK;
}

void ingest_close(struct ingest *in, uint64_t ticket)
{
    struct source *s = source_find(in, ticket);

    if (!s || !s->open)
        return;
    s->open = false;
    if (--s->share->sessions == 0)
        in->tenants--;
    source_forget(in, s);
}

/* ---- collecting ---- */

static void enqueue(struct ingest *in, struct batch_frame *f)
{
    struct source *s = f->source->owner;

    if (!in->head)
        in->queued_since_ms = clock_mono_ms();
    f->next = NULL;
    *in->tail = f;
    in->tail = &f->next;
    in->queued++;
    in->used += cost_of(f);
    s->pending++;
    s->share->waiting++;
    s->taken = f->seq;
}

/* The frame is gone from queue and batch. */
static void release(struct ingest *in, struct batch_frame *f, bool paid)
{
    struct source *s = f->source->owner;

    if (!paid)
        in->used -= cost_of(f);
    s->pending--;
    s->share->waiting--;
    free(f);
    source_forget(in, s);
}

/* Why a frame is not even stored; NULL: it is. */
static const char *reject_reason(const struct ingest_frame *f)
{
    if (f->protocol == PROTOCOL_NONE || f->protocol >= PROTOCOLS)
        return "no-such-protocol";
    if (f->format >= FRAME_FORMATS)
        return "no-such-format";
    if (f->len == 0)
        return "frame-empty";
    if (f->len > DECODE_FRAME_MAX)
        return "frame-too-long";
    if (f->received_at < RECEIVED_FIRST || f->received_at >= RECEIVED_LAST)
        return "no-such-time";
    return NULL;
}

static enum emt_err add_gap(struct ingest *in, struct source *s, uint64_t from, uint64_t to,
                            const char *reason)
{
    size_t n = strnlen(reason, GAP_REASON_MAX);
    struct batch_frame *f = batch_frame_new(&s->b, NULL, n + 1);

    if (!f)
        return EMT_ENOMEM;
    memcpy(f->data, reason, n);
    /* Told by the peer: only plain characters reach the database. */
    for (size_t i = 0; i < n; i++) {
        if (f->data[i] < 0x20u || f->data[i] > 0x7eu)
            f->data[i] = '?';
    }
    f->kind = BATCH_GAP;
    f->reason = (const char *)f->data;
    f->from = from;
    f->seq = to;
    enqueue(in, f);
    metric_add(in->m.gaps, 1);
    return EMT_OK;
}

enum emt_err ingest_gap(struct ingest *in, uint64_t ticket, uint64_t from, uint64_t to,
                        const char *reason)
{
    struct source *s = source_find(in, ticket);
    enum emt_err err;

    if (!s || !s->open || s->b.gone)
        return EMT_ESTATE;
    if (to < from || to > INT64_MAX)
        return EMT_EMALFORMED;
    if (to <= s->taken)
        return EMT_OK;
    if (in->used + FRAME_COST + GAP_REASON_MAX > in->budget_bytes)
        return EMT_ELIMIT;
    err = add_gap(in, s, from > s->taken ? from : s->taken + 1, to, reason ? reason : "");
    if (err == EMT_OK)
        proceed(in);
    return err;
}

static enum emt_err add_frame(struct ingest *in, struct source *s, const struct ingest_frame *fr)
{
    const char *reason = reject_reason(fr);
    struct batch_frame *f = batch_frame_new(&s->b, fr->data, reason ? 0 : fr->len);

    if (!f)
        return EMT_ENOMEM;
    f->kind = reason ? BATCH_REJECTED : BATCH_FRAME;
    f->reason = reason;
    f->seq = fr->seq;
    f->received_at = fr->received_at;
    f->protocol = (int)fr->protocol;
    f->format = (int)fr->format;
    f->rssi_dbm = fr->rssi_dbm;
    f->sent = fr->len;
    enqueue(in, f);
    return EMT_OK;
}

enum emt_err ingest_frame(struct ingest *in, uint64_t ticket, const struct ingest_frame *f)
{
    struct source *s = source_find(in, ticket);
    enum emt_err err = EMT_OK;

    if (!s || !s->open || s->b.gone)
        return EMT_ESTATE;
    if (f->seq > INT64_MAX)
        return EMT_EMALFORMED;
    if (f->seq <= s->taken)
        return EMT_OK;
    if (in->used + f->len + 2 * FRAME_COST > in->budget_bytes) {
        metric_add(in->m.over, 1);
        return EMT_ELIMIT;
    }
    /* Acknowledging this one would acknowledge what is missing before it: say so. */
    if (f->seq > s->taken + 1)
        err = add_gap(in, s, s->taken + 1, f->seq - 1, "not sent");
    if (err == EMT_OK)
        err = add_frame(in, s, f);
    if (err != EMT_OK)
        return err;
    metric_add(in->m.bytes, (int64_t)f->len);
    feel_pressure(in);
    proceed(in);
    return EMT_OK;
}

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
            in->used -= cost_of(frames[i]);
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

/* Moves frames from the queue into the batch: as many as make batch_rows rows, none of a stalled
 * tenant. */
static void take_batch(struct ingest *in)
{
    int64_t now_ms = clock_mono_ms();
    struct batch_frame **at = &in->head;
    size_t rows = 0;

    in->nbatch = 0;
    if (!batch_room(in, in->queued))
        return;
    while (*at && rows < (size_t)in->batch_rows * 16u) {
        struct batch_frame *f = *at;

        if (!f->source->gone && is_stalled(f, now_ms)) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        in->queued--;
        if (f->source->gone) {
            release(in, f, false);
            continue;
        }
        in->batch[in->nbatch++] = f;
        rows += 16u + in->rows_per_frame;
    }
    if (!*at)
        in->tail = at;
    in->queued_since_ms = now_ms;
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

    for (int i = 0; i < FRAME_STATES; i++) {
        metric_add(in->m.frames[i], (int64_t)st->frames[i]);
        frames += st->frames[i];
    }
    metric_add(in->m.ignored, (int64_t)st->ignored);
    metric_add(in->m.rejected, (int64_t)st->rejected);
    metric_add(in->m.values, (int64_t)st->values);
    metric_add(in->m.repeated, (int64_t)st->repeated);
    metric_add(in->m.late, (int64_t)st->late);
    metric_add(in->m.refused, (int64_t)st->refused);
    metric_add(in->m.conflicts, (int64_t)st->conflicts);
    metric_add(in->m.texts, (int64_t)st->texts);
    metric_add(in->m.clock_ahead, (int64_t)st->clock_ahead);
    metric_add(in->m.unscalable, (int64_t)st->unscalable);
    metric_add(in->m.commits, (int64_t)st->commits);
    metric_add(in->m.retries, (int64_t)st->retries);
    metric_set(in->m.channels, (int64_t)registry_channels(in->registry));
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
        release(in, f, f->done);
    }
    metric_add(in->m.deferred, (int64_t)put);
    in->nbatch = 0;
    in->running = in->settle = false;
    batch_decoder_reset(in->decoder);
    registry_trim(in->registry);
    feel_pressure(in);
}

/* The batch starts anew: what is committed leaves it, the rest has not been looked at. */
static void rewind_batch(struct ingest *in)
{
    size_t n = 0;

    for (size_t i = 0; i < in->nbatch; i++) {
        struct batch_frame *f = in->batch[i];

        if (f->done) {
            release(in, f, true);
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
    bool settle = in->settle;

    in->started_ms = clock_mono_ms();
    in->settle = false;
    if (batch_run_start(in->run, in->store, in->batch, in->nbatch, settle) != EMT_OK) {
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
    feel_pressure(in);
    proceed(in);
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

/* The one place that starts something; called whenever something changed. */
static void proceed(struct ingest *in)
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
    proceed(in);
}

/* Answers came: the run goes on from outside of the store. */
static void on_wake_timer(void *arg)
{
    struct ingest *in = arg;

    if (in->running && !in->settle && in->store)
        step(in);
    proceed(in);
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
    feel_pressure(in);
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

static void make_metrics(struct ingest_metrics *m, struct metrics *in)
{
    static const char *const states[FRAME_STATES] = {
        [FRAME_OK] = "state=\"ok\"",
        [FRAME_KEY_NEEDED] = "state=\"key-needed\"",
        [FRAME_KEY_WRONG] = "state=\"key-wrong\"",
        [FRAME_MAC_WRONG] = "state=\"mac-wrong\"",
        [FRAME_REPLAYED] = "state=\"replayed\"",
        [FRAME_DUPLICATE] = "state=\"duplicate\"",
        [FRAME_PLAINTEXT_REFUSED] = "state=\"plaintext-refused\"",
        [FRAME_FORMAT_NEEDED] = "state=\"format-needed\"",
        [FRAME_UNSUPPORTED] = "state=\"unsupported\"",
        [FRAME_MALFORMED] = "state=\"malformed\"",
        [FRAME_CODEC_FAILED] = "state=\"codec-failed\"",
        [FRAME_QUARANTINED] = "state=\"quarantined\"",
    };
    const char *f = "emt_ingest_frames_total", *v = "emt_ingest_values_total";
    const char *fh = "Frames committed, by what became of them", *vh = "Values, by where they went";

    for (int i = 0; i < FRAME_STATES; i++)
        m->frames[i] = metrics_counter(in, f, states[i], fh);
    m->ignored = metrics_counter(in, f, "state=\"ignored\"", fh);
    m->rejected = metrics_counter(in, f, "state=\"rejected\"", fh);
    m->values = metrics_counter(in, v, "to=\"hot\"", vh);
    m->late = metrics_counter(in, v, "to=\"late\"", vh);
    m->texts = metrics_counter(in, v, "to=\"text\"", vh);
    m->repeated = metrics_counter(in, v, "to=\"repeated\"", vh);
    m->refused = metrics_counter(in, v, "to=\"past-retention\"", vh);
    m->unscalable = metrics_counter(in, v, "to=\"unscalable\"", vh);
    m->conflicts = metrics_counter(in, "emt_ingest_conflicts_total", NULL,
                                   "Values that contradict a stored one of equal rank");
    m->clock_ahead = metrics_counter(in, "emt_ingest_clock_ahead_total", NULL,
                                     "Frames with times in the future");
    m->commits = metrics_counter(in, "emt_ingest_commits_total", NULL, "Committed transactions");
    m->retries = metrics_counter(in, "emt_ingest_retries_total", NULL,
                                 "Transactions rolled back and repeated in parts");
    m->fenced =
        metrics_counter(in, "emt_ingest_fenced_total", NULL, "Sources that another node took over");
    m->deferred = metrics_counter(in, "emt_ingest_deferred_total", NULL,
                                  "Frames put off because the database refused for now");
    m->gaps = metrics_counter(in, "emt_ingest_gaps_total", NULL, "Gaps in sequences of gateways");
    m->bytes = metrics_counter(in, "emt_ingest_bytes_total", NULL, "Bytes of frames taken");
    m->over = metrics_counter(in, "emt_ingest_over_budget_total", NULL,
                              "Frames beyond the budget: their session ends");
    m->commit_ms =
        metrics_histogram(in, "emt_ingest_batch_ms", NULL, "From the start of a batch to its end");
    m->channels =
        metrics_gauge(in, "emt_ingest_cached_channels", NULL, "Channels in the cache of a loop");
}

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
    make_metrics(&in->m, s->metrics ? s->metrics : in->own_metrics);
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
