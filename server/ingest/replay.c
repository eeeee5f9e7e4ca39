#include "ingest/replay.h"

#include "batch.h"
#include "batch_run.h"
#include "replay_internal.h"
#include "store/frame_store.h"
#include "store/ingest_store.h"
#include "store/registry_store.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Frames and devices per round. */
#define LOT_FRAMES 500
#define LOT_DEVICES 1000

/* One run: caches of its own, so that the keys are those of now. */
struct replaying {
    const struct replay_order *order;
    uint32_t states;
    struct store *store;
    struct registry *registry;
    struct batch_decoder *decoder;
    struct batch_run *run;
    struct batch_frame *frames[LOT_FRAMES];
    struct batch_source sources[LOT_FRAMES];
    size_t n;
    bool (*go_on)(void *ctx);
    void *ctx;
    struct replay_result *result;
};

struct replay *replay_new(const struct seal_key *master, struct scratch *scratch)
{
    struct replay *r = calloc(1, sizeof *r);

    if (r) {
        r->master = *master;
        r->scratch = scratch;
    }
    return r;
}

void replay_free(struct replay *r)
{
    if (r)
        seal_key_wipe(&r->master);
    free(r);
}

static uint32_t states_of(enum frame_retry retry)
{
    uint32_t states = 0;

    for (int i = 0; i < FRAME_STATES; i++) {
        if (frame_state_retry((enum frame_state)i) == retry)
            states |= UINT32_C(1) << i;
    }
    return states;
}

uint32_t replay_states_like(int state)
{
    enum frame_retry retry = frame_state_retry((enum frame_state)state);

    return retry == FRAME_RETRY_NEVER ? 0 : states_of(retry);
}

uint32_t replay_states_waiting(void)
{
    return states_of(FRAME_RETRY_KEY) | states_of(FRAME_RETRY_POLICY) |
           states_of(FRAME_RETRY_FORMAT);
}

/* ---- one lot ---- */

static void on_wake(void *ctx)
{
    (void)ctx; /* the drain below sees it */
}

static void on_committed(void *ctx, struct batch_frame *const *frames, size_t n)
{
    (void)ctx;
    (void)frames;
    (void)n;
}

static void drop_lot(struct replaying *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->frames[i]);
    r->n = 0;
    batch_decoder_reset(r->decoder);
    registry_trim(r->registry);
}

static enum emt_err take_row(struct replaying *r, const struct store_result *rows, int row,
                             int64_t device, struct waiting_at *at)
{
    struct batch_source *s = &r->sources[r->n];
    struct waiting_frame w;
    struct batch_frame *f;

    waiting_frame_of(rows, row, &w);
    *at = w.at;
    memset(s, 0, sizeof *s);
    s->tenant = r->order->tenant;
    s->gateway = w.at.gateway;
    memcpy(s->spool_id, w.at.spool_id, sizeof s->spool_id);
    f = batch_frame_new(s, w.data, w.len);
    if (!f)
        return EMT_ENOMEM;
    f->seq = (uint64_t)w.at.seq;
    f->received_at = w.at.received_at;
    f->protocol = w.protocol;
    f->format = w.format;
    f->rssi_dbm = w.rssi_dbm;
    f->is_stored = true;
    f->stored_at = w.stored_at;
    f->old_state = w.state;
    f->old_device = device;
    r->frames[r->n++] = f;
    return EMT_OK;
}

/* EMT_ENOTFOUND: no more. */
static enum emt_err read_lot(struct replaying *r, int64_t device, struct waiting_at *at)
{
    struct store_result *rows = NULL;
    enum emt_err err = store_begin(r->store, r->order->tenant);

    if (!err)
        err = waiting_frames(r->store, r->order->tenant, device, r->states, at, LOT_FRAMES, &rows);
    for (int i = 0; !err && i < store_rows(rows); i++)
        err = take_row(r, rows, i, device, at);
    if (rows)
        store_result_free(rows);
    if (!err)
        err = store_commit(r->store);
    else
        store_rollback(r->store);
    if (err)
        return err;
    return r->n ? EMT_OK : EMT_ENOTFOUND;
}

static enum emt_err run_lot(struct replaying *r)
{
    enum emt_err err = batch_run_start(r->run, r->store, r->frames, r->n, 0);
    enum run_status status = RUN_DONE;

    while (!err && (status = batch_run_step(r->run)) == RUN_WAIT)
        err = store_drain(r->store, REPLAY_DRAIN_MS);
    if (!err && status == RUN_DONE)
        err = store_drain(r->store, REPLAY_DRAIN_MS); /* a rollback may be under way */
    if (err || status != RUN_DONE) {
        batch_run_abort(r->run);
        return err == EMT_EAGAIN || err == EMT_ENOMEM ? err : EMT_EDB;
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct batch_frame *f = r->frames[i];
        bool changed = f->done && !f->ignored && f->final != f->old_state;

        r->result->frames++;
        r->result->changed += changed;
        r->result->ok += changed && f->final == FRAME_OK;
        if (!f->done)
            err = EMT_EAGAIN;
    }
    return err;
}

static enum emt_err replay_device(struct replaying *r, int64_t device)
{
    struct waiting_at at = WAITING_FIRST;
    enum emt_err err = EMT_OK;

    while (!err) {
        if (r->go_on && !r->go_on(r->ctx))
            return EMT_EAGAIN;
        err = read_lot(r, device, &at);
        if (!err)
            err = run_lot(r);
        drop_lot(r);
    }
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

/* ---- which devices ---- */

static enum emt_err next_devices(struct replaying *r, int64_t after, struct store_result **out)
{
    struct waiting_filter f = { r->states, r->order->manufacturer, r->order->number,
                                r->order->version, r->order->type };
    enum emt_err err = store_begin(r->store, r->order->tenant);

    *out = NULL;
    if (!err)
        err = waiting_devices(r->store, r->order->tenant, &f, after, LOT_DEVICES, out);
    if (!err)
        err = store_commit(r->store);
    else
        store_rollback(r->store);
    return err;
}

static enum emt_err replay_all(struct replaying *r)
{
    enum emt_err err = EMT_OK;
    int64_t after = 0;
    int n = LOT_DEVICES;

    while (!err && n == LOT_DEVICES) {
        struct store_result *rows;

        err = next_devices(r, after, &rows);
        if (err)
            return err;
        n = store_rows(rows);
        for (int i = 0; !err && i < n; i++) {
            after = c_int(rows, i, 0);
            err = replay_device(r, after);
        }
        store_result_free(rows);
    }
    /* Frames that nobody could be told for: only when nobody in particular is asked for. */
    if (!err && !r->order->manufacturer && !r->order->number && r->order->version < 0 &&
        r->order->type < 0)
        err = replay_device(r, 0);
    return err;
}

/* ---- a run ---- */

static void got_window(void *ctx, enum emt_err err, const struct store_result *rows)
{
    struct replaying *r = ctx;

    if (err == EMT_OK && store_rows(rows) > 0)
        batch_run_set_window(r->run, c_time(rows, 0, 0), c_time(rows, 0, 1));
}

static enum emt_err prepare(struct replaying *r, const struct replay *own)
{
    const struct run_handler handler = { on_wake, on_committed, NULL };
    struct run_settings settings = { .replay = true };
    enum emt_err err;

    r->registry = registry_new(&own->master);
    r->decoder =
        r->registry ? batch_decoder_new(r->registry, own->scratch, REPLAY_CLOCK_AHEAD_US) : NULL;
    settings.registry = r->registry;
    settings.decoder = r->decoder;
    r->run = r->decoder ? batch_run_new(&settings, &handler) : NULL;
    if (!r->run)
        return EMT_ENOMEM;
    err = ingest_prepare_send(r->store);
    if (!err)
        err = storage_window_send(r->store, got_window, r);
    return err ? err : store_drain(r->store, REPLAY_DRAIN_MS);
}

enum emt_err replay_run(struct replay *own, struct store *s, const struct replay_order *o,
                        bool (*go_on)(void *ctx), void *ctx, struct replay_result *out)
{
    struct replaying *r = calloc(1, sizeof *r);
    enum emt_err err;

    memset(out, 0, sizeof *out);
    if (!r)
        return EMT_ENOMEM;
    r->order = o;
    r->states = o->states ? o->states : replay_states_waiting();
    r->store = s;
    r->go_on = go_on;
    r->ctx = ctx;
    r->result = out;
    err = prepare(r, own);
    if (!err)
        err = o->device ? replay_device(r, o->device) : replay_all(r);
    batch_run_free(r->run);
    batch_decoder_free(r->decoder);
    registry_free(r->registry);
    free(r);
    return err;
}
