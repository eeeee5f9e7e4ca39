#include "ingest/replay_diff.h"

#include "batch.h"
#include "model/decimal.h"
#include "model/quality.h"
#include "replay_internal.h"
#include "store/frame_store.h"
#include "store/reading_query_store.h"
#include "store/replay_store.h"
#include "store/store.h"
#include "store/value_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LOT_FRAMES 500
#define LOT_DEVICES 100
/* Rounds of looking up: the meter of a frame may turn out to be another one. */
#define ROUNDS 3
#define ALL_STATES ((UINT32_C(1) << FRAME_STATES) - 1)
#define REPETITIONS ((UINT32_C(1) << FRAME_DUPLICATE) | (UINT32_C(1) << FRAME_REPLAYED))

/* A value as decoded now. */
struct decoded {
    unsigned channel; /* of the device's list */
    int16_t quality;
    emt_time ts;
    struct decimal value;
    emt_time stored_at; /* of its frame: ingest takes the first */
};

struct run {
    const struct replay_diff_order *o;
    struct store *ingest, *app;
    struct registry *registry;
    struct batch_decoder *decoder;
    struct registry_load *load;
    bool (*go_on)(void *ctx, uint64_t frames);
    void *ctx;
    struct replay_diff_result *result;
    struct writer *rows;
    unsigned told;

    /* The device at hand. */
    int64_t device;
    const char *ident;
    struct registry_device *known;
    struct decoded *values;
    size_t n, cap;
    emt_time covered_from; /* reception of its first frame, EMT_TIME_NONE: it has none */
    bool lost;             /* a frame that was read once is not any more */
};

/* ---- decoding ---- */

static enum emt_err take_value(struct run *r, const struct batch_frame *f,
                               const struct batch_value *v)
{
    if (v->is_text || v->ts < r->o->from || v->ts >= r->o->to)
        return EMT_OK;
    if (r->n == REPLAY_DIFF_VALUES)
        return EMT_ELIMIT;
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4096;
        struct decoded *grown = reallocarray(r->values, cap, sizeof *grown);

        if (grown == NULL)
            return EMT_ENOMEM;
        r->values = grown;
        r->cap = cap;
    }
    r->values[r->n++] = (struct decoded){ v->channel, v->quality, v->ts, v->value, f->stored_at };
    return EMT_OK;
}

/* Looks the frame's meter up. Nothing is created: that of a stored frame exists, and one that does
 * not is left out. */
static enum emt_err look_up(struct run *r, struct batch_frame *f)
{
    enum emt_err load_err = EMT_OK;
    char ident[DEVICE_ID_TEXT_MAX];

    f->device = registry_device(r->registry, r->o->tenant, &f->id, clock_mono_ms());
    if (f->device != NULL)
        return EMT_OK;
    if (strcmp(device_id_format(&f->id, ident), r->ident) != 0)
        return EMT_ENOTFOUND;
    registry_load_clear(r->load);
    enum emt_err err = registry_load_want(r->load, r->o->tenant, &f->id);
    if (err == EMT_OK)
        err = registry_load_send(r->load, r->ingest, clock_mono_ms(), &load_err, NULL, NULL);
    if (err == EMT_OK)
        err = store_drain(r->ingest, REPLAY_DRAIN_MS);
    if (err == EMT_OK)
        err = load_err;
    if (err != EMT_OK)
        return err;
    f->device = registry_device(r->registry, r->o->tenant, &f->id, clock_mono_ms());
    return f->device != NULL ? EMT_OK : EMT_ENOTFOUND;
}

/* EMT_ENOTFOUND: it is another meter's. */
static enum emt_err decode(struct run *r, struct batch_frame *f)
{
    enum emt_err err = EMT_OK;

    batch_peek(r->decoder, f);
    for (unsigned i = 0; err == EMT_OK && i < ROUNDS && !f->decoded; i++) {
        if (f->has_device)
            err = look_up(r, f);
        if (err == EMT_OK)
            batch_decode(r->decoder, f, clock_now());
    }
    if (err == EMT_OK && f->decoded && f->device != NULL && f->device->device != r->device)
        err = EMT_ENOTFOUND;
    return err;
}

static enum emt_err take_frame(struct run *r, const struct waiting_frame *w)
{
    struct batch_source source = { .tenant = r->o->tenant, .gateway = w->at.gateway };
    struct batch_frame *f = batch_frame_new(&source, w->data, w->len);

    if (f == NULL)
        return EMT_ENOMEM;
    f->seq = (uint64_t)w->at.seq;
    f->received_at = w->at.received_at;
    f->protocol = w->protocol;
    f->format = w->format;
    f->rssi_dbm = w->rssi_dbm;
    f->is_stored = true;
    f->stored_at = w->stored_at;
    r->result->frames++;
    enum emt_err err = decode(r, f);
    if (err == EMT_ENOTFOUND) {
        r->result->foreign++;
        err = EMT_OK;
    } else if (err == EMT_OK && f->decoded && f->state == FRAME_OK && f->device != NULL) {
        r->known = f->device;
        for (unsigned i = 0; err == EMT_OK && i < f->nvalues; i++)
            err = take_value(r, f, &f->values[i]);
    } else if (err == EMT_OK && w->state == FRAME_OK) {
        r->result->failed++;
        r->lost = true;
    }
    free(f);
    return err;
}

/* EMT_ENOTFOUND: no more. */
static enum emt_err take_lot(struct run *r, struct waiting_at *at)
{
    uint32_t states = r->o->states ? r->o->states : ALL_STATES & ~REPETITIONS;
    struct store_result *rows = NULL;
    enum emt_err err = store_begin(r->ingest, r->o->tenant);

    if (err == EMT_OK)
        err = waiting_frames(r->ingest, r->o->tenant, r->device, states, at, LOT_FRAMES, &rows);
    store_rollback(r->ingest);
    int n = err == EMT_OK ? store_rows(rows) : 0;
    for (int i = 0; err == EMT_OK && i < n; i++) {
        struct waiting_frame w;

        waiting_frame_of(rows, i, &w);
        *at = w.at;
        if (r->covered_from == EMT_TIME_NONE)
            r->covered_from = w.at.received_at;
        err = take_frame(r, &w);
    }
    store_result_free(rows);
    batch_decoder_reset(r->decoder);
    if (err == EMT_OK && r->go_on != NULL && !r->go_on(r->ctx, r->result->frames))
        return EMT_EAGAIN;
    return err == EMT_OK && n == 0 ? EMT_ENOTFOUND : err;
}

static enum emt_err take_frames(struct run *r)
{
    struct waiting_at at = WAITING_FIRST;
    enum emt_err err = EMT_OK;

    if (r->o->from > 2 * EMT_DAY)
        at.received_at = r->o->from - 2 * EMT_DAY;
    while (err == EMT_OK)
        err = take_lot(r, &at);
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

/* ---- one value for each channel and time ---- */

static int compare_values(const void *a, const void *b)
{
    const struct decoded *x = a, *y = b;

    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    int rx = quality_stored_rank(x->quality), ry = quality_stored_rank(y->quality);
    if (rx != ry)
        return ry - rx;
    return (x->stored_at > y->stored_at) - (x->stored_at < y->stored_at);
}

static size_t group_end(const struct run *r, size_t from)
{
    size_t to = from;

    while (to < r->n && r->values[to].channel == r->values[from].channel &&
           r->values[to].ts == r->values[from].ts)
        to++;
    return to;
}

/* What stands agrees with one of the frames: two that contradict each other are a conflict, and no
 * difference. */
static bool agrees(const struct run *r, size_t from, size_t to, const struct block_value *stands)
{
    int rank = quality_stored_rank(stands->quality);

    if (rank > quality_stored_rank(r->values[from].quality))
        return true; /* it outranks them all */
    for (size_t i = from; i < to; i++) {
        if (quality_stored_rank(r->values[i].quality) == rank &&
            decimal_compare(r->values[i].value, decimal_of(stands->mantissa, stands->exponent)) ==
                0)
            return true;
    }
    return false;
}

/* ---- telling ---- */

static void put_value(struct writer *w, const char *name, const struct block_value *v)
{
    char text[DECIMAL_TEXT_MAX];

    if (v == NULL)
        writer_printf(w, ",\"%s\":null", name);
    else
        writer_printf(w, ",\"%s\":\"%s\"", name,
                      decimal_format(decimal_of(v->mantissa, v->exponent), text));
}

/* Idents and keys of channels are ASCII of ours, but a unit or a qualifier may be any text. */
static void put_text(struct writer *w, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            writer_u8(w, '\\');
        writer_u8(w, (uint8_t)*text < 0x20 ? '?' : (uint8_t)*text);
    }
}

static void tell(struct run *r, const char *change, int64_t channel, const char *key,
                 const struct block_value *before, const struct block_value *after)
{
    char ts[32];

    if (r->told == REPLAY_DIFF_ROWS)
        return;
    writer_printf(r->rows, "%s{\"change\":\"%s\",\"device\":\"", r->told ? "," : "", change);
    put_text(r->rows, r->ident);
    if (channel != 0)
        writer_printf(r->rows, "\",\"channel\":%" PRId64 ",\"key\":\"", channel);
    else
        writer_text(r->rows, "\",\"channel\":null,\"key\":\"");
    put_text(r->rows, key);
    writer_printf(r->rows, "\",\"ts\":\"%s\"", time_format(after ? after->ts : before->ts, ts));
    put_value(r->rows, "before", before);
    put_value(r->rows, "after", after);
    writer_text(r->rows, "}");
    r->told++;
}

/* ---- added and changed ---- */

static struct block_value value_of(const struct decoded *d)
{
    return (struct block_value){ d->ts, d->value.mantissa, d->value.exponent, d->quality };
}

/* In a transaction of its own: what is applied of a channel is applied at once. */
static enum emt_err apply(struct run *r, int64_t channel, struct value_change *list, size_t n)
{
    const struct value_who who = { r->o->actor, clock_now() };

    if (!r->o->apply || channel == 0 || n == 0)
        return EMT_OK;
    enum emt_err err = store_begin(r->app, r->o->tenant);
    if (err == EMT_OK)
        err = value_change(r->app, r->o->tenant, channel,
                           list[0].remove ? VALUE_NOT_BY_HAND : VALUE_BY_RANK, list, n, &who);
    if (err == EMT_OK)
        err = store_commit(r->app);
    if (err != EMT_OK) {
        store_rollback(r->app);
        return err;
    }
    for (size_t i = 0; i < n; i++)
        r->result->applied += list[i].outcome == VALUE_WRITTEN;
    return EMT_OK;
}

/* The groups that `looked` (n of them, from value `from` on) are about. */
static enum emt_err compare_lot(struct run *r, const struct registry_channel *c, size_t from,
                                struct value_change *looked, size_t n)
{
    size_t differ = 0;
    enum emt_err err = EMT_OK;

    if (c->id != 0) {
        err = store_begin(r->app, r->o->tenant);
        if (err == EMT_OK)
            err = value_look(r->app, r->o->tenant, c->id, looked, n);
        store_rollback(r->app);
    }
    for (size_t i = 0, at = from; err == EMT_OK && i < n; i++) {
        size_t end = group_end(r, at);
        struct block_value now = value_of(&r->values[at]), before = looked[i].before;

        if (looked[i].had && agrees(r, at, end, &before)) {
            r->result->same++;
        } else {
            *(looked[i].had ? &r->result->changed : &r->result->added) += 1;
            tell(r, looked[i].had ? "changed" : "added", c->id, c->key,
                 looked[i].had ? &before : NULL, &now);
            looked[differ++] = (struct value_change){ .v = now, .reason = r->o->reason };
        }
        at = end;
    }
    return err == EMT_OK ? apply(r, c->id, looked, differ) : err;
}

/* Values [from, to) of one channel. */
static enum emt_err compare_channel(struct run *r, size_t from, size_t to)
{
    const struct registry_channel *c = &r->known->channels[r->values[from].channel];
    struct value_change *looked = calloc(VALUE_CHANGES_MAX, sizeof *looked);
    enum emt_err err = looked != NULL ? EMT_OK : EMT_ENOMEM;

    while (err == EMT_OK && from < to) {
        size_t n = 0, at = from;

        while (at < to && n < VALUE_CHANGES_MAX) {
            looked[n++] = (struct value_change){ .v = { .ts = r->values[at].ts } };
            at = group_end(r, at);
        }
        err = compare_lot(r, c, from, looked, n);
        from = at;
    }
    free(looked);
    return err;
}

/* ---- gone ---- */

struct missing {
    struct run *r;
    int64_t channel;
    const char *key;
    unsigned index;
    bool any; /* decoded values of this channel */
    struct value_change *list;
    size_t n, cap;
};

static bool is_decoded(const struct missing *m, emt_time ts)
{
    const struct decoded *v = m->r->values;
    size_t lo = 0, hi = m->r->n;

    while (m->any && lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (v[mid].channel < m->index || (v[mid].channel == m->index && v[mid].ts < ts))
            lo = mid + 1;
        else
            hi = mid;
    }
    return m->any && lo < m->r->n && v[lo].channel == m->index && v[lo].ts == ts;
}

/* Without a source of its time a value came from no frame. */
static enum emt_err visit_stored(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct missing *m = ctx;
    struct block_value before = { v->ts, v->value.mantissa, v->value.exponent, v->stored_quality };

    (void)channel;
    if ((v->stored_quality & QUALITY_BY_HAND) || v->quality == QUALITY_CORRECTED ||
        v->time_source == TIME_SOURCE_NONE || is_decoded(m, v->ts))
        return EMT_OK;
    m->r->result->gone++;
    tell(m->r, "gone", m->channel, m->key, &before, NULL);
    if (!m->r->o->apply)
        return EMT_OK;
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 256;
        struct value_change *grown = reallocarray(m->list, cap, sizeof *grown);

        if (grown == NULL)
            return EMT_ENOMEM;
        m->list = grown;
        m->cap = cap;
    }
    m->list[m->n++] =
        (struct value_change){ .v = { .ts = v->ts }, .remove = true, .reason = m->r->o->reason };
    return EMT_OK;
}

static enum emt_err gone_of_channel(struct run *r, int64_t channel, const char *key)
{
    struct missing m = { .r = r, .channel = channel, .key = key };
    const struct reading_visitor visitor = { visit_stored, &m };
    emt_time from = r->o->from > r->covered_from ? r->o->from : r->covered_from;

    for (unsigned i = 0; r->known != NULL && i < r->known->nchannels; i++) {
        if (r->known->channels[i].id == channel) {
            m.any = true;
            m.index = i;
        }
    }
    enum emt_err err = store_begin(r->app, r->o->tenant);
    if (err == EMT_OK && from < r->o->to)
        err = reading_walk(r->app, r->o->tenant, channel, from, r->o->to, &visitor);
    store_rollback(r->app);
    for (size_t at = 0; err == EMT_OK && at < m.n; at += VALUE_CHANGES_MAX) {
        size_t n = m.n - at < VALUE_CHANGES_MAX ? m.n - at : VALUE_CHANGES_MAX;

        err = apply(r, channel, m.list + at, n);
    }
    free(m.list);
    return err;
}

static enum emt_err find_gone(struct run *r)
{
    struct store_result *channels = NULL;

    if (r->lost || r->o->states != 0 || r->covered_from == EMT_TIME_NONE)
        return EMT_OK;
    enum emt_err err = store_begin(r->app, r->o->tenant);
    if (err == EMT_OK)
        err = replay_channels(r->app, r->o->tenant, r->device, &channels);
    store_rollback(r->app);
    for (int i = 0; err == EMT_OK && i < store_rows(channels); i++)
        err = gone_of_channel(r, c_int(channels, i, 0), c_text(channels, i, 1));
    store_result_free(channels);
    return err;
}

/* ---- a device ---- */

/* New channels, before their values are applied. */
static enum emt_err create_channels(struct run *r)
{
    enum emt_err load_err = EMT_OK;
    bool any = false;

    for (size_t i = 0; i < r->n; i++)
        any = any || r->known->channels[r->values[i].channel].id == 0;
    if (!r->o->apply || !any)
        return EMT_OK;
    enum emt_err err =
        registry_create_send(r->load, r->ingest, &r->known, 1, &load_err, NULL, NULL);
    if (err == EMT_OK)
        err = store_drain(r->ingest, REPLAY_DRAIN_MS);
    return err == EMT_OK ? load_err : err;
}

static enum emt_err run_device(struct run *r, int64_t device, const char *ident)
{
    r->device = device;
    r->ident = ident;
    r->known = NULL;
    r->n = 0;
    r->covered_from = EMT_TIME_NONE;
    r->lost = false;
    enum emt_err err = take_frames(r);
    if (err == EMT_OK && r->n > 0)
        err = create_channels(r);
    if (err == EMT_OK && r->n > 0)
        qsort(r->values, r->n, sizeof *r->values, compare_values);
    for (size_t from = 0, to = 0; err == EMT_OK && from < r->n; from = to) {
        while (to < r->n && r->values[to].channel == r->values[from].channel)
            to++;
        err = compare_channel(r, from, to);
    }
    if (err == EMT_OK)
        err = find_gone(r);
    registry_trim(r->registry);
    return err;
}

static enum emt_err next_devices(struct run *r, int64_t after, struct store_result **out)
{
    enum emt_err err = store_begin(r->app, r->o->tenant);

    *out = NULL;
    if (err == EMT_OK)
        err = r->o->device ? replay_device_get(r->app, r->o->tenant, r->o->device, out)
                           : replay_devices(r->app, r->o->tenant, after, LOT_DEVICES, out);
    store_rollback(r->app);
    return err;
}

static enum emt_err run_devices(struct run *r)
{
    enum emt_err err = EMT_OK;
    int64_t after = 0;
    int n = LOT_DEVICES;

    while (err == EMT_OK && n == LOT_DEVICES) {
        struct store_result *devices;

        err = next_devices(r, after, &devices);
        n = err == EMT_OK ? store_rows(devices) : 0;
        for (int i = 0; err == EMT_OK && i < n; i++) {
            after = c_int(devices, i, 0);
            err = run_device(r, after, c_text(devices, i, 1));
        }
        store_result_free(devices);
    }
    return err;
}

enum emt_err replay_diff_run(struct replay *own, struct store *ingest, struct store *app,
                             const struct replay_diff_order *o,
                             bool (*go_on)(void *ctx, uint64_t frames), void *ctx,
                             struct replay_diff_result *out, struct writer *rows)
{
    struct run r = { .o = o,
                     .ingest = ingest,
                     .app = app,
                     .go_on = go_on,
                     .ctx = ctx,
                     .result = out,
                     .rows = rows };

    memset(out, 0, sizeof *out);
    r.registry = registry_new(&own->master);
    r.decoder =
        r.registry ? batch_decoder_new(r.registry, own->scratch, REPLAY_CLOCK_AHEAD_US) : NULL;
    r.load = r.decoder ? registry_load_new(r.registry) : NULL;
    enum emt_err err = r.load ? run_devices(&r) : EMT_ENOMEM;
    registry_load_free(r.load);
    batch_decoder_free(r.decoder);
    registry_free(r.registry);
    free(r.values);
    return err;
}
