#include "batch_write.h"

#include "batch_part.h"
#include "day_blocks.h"
#include "store/block_store.h"
#include "store/event_store.h"
#include "store/format_store.h"
#include "store/frame_store.h"
#include "store/ingest_store.h"
#include "store/reading_store.h"
#include "value_rows.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Most events of one tenant in one batch; the counters know the rest. */
#define EVENTS_MAX 50
/* A meter whose clock is ahead is an event once an hour. */
#define CLOCK_AHEAD_MS INT64_C(3600000)
/* How long values of a tenant are not taken for new once one was not. */
#define CAREFUL_MS INT64_C(5000)
#define CAREFUL_MOST_MS INT64_C(600000)

/* A tenant's share on its way; what the callbacks get. */
struct share {
    struct batch_write *w;
    const struct part_group *g;
    struct value_span values;
    uint64_t sent[VALUE_PLACES], touched[VALUE_PLACES];
    uint64_t blocks; /* sent */
    bool careful;
    unsigned events;
};

struct batch_write {
    bool replay;
    struct run_stats *stats;
    struct run_stats part; /* counted when the part commits */
    void (*failed)(void *ctx, enum emt_err err);
    void *ctx;
    emt_time now;
    bool careful, hasty;
    struct batch_part p;
    struct share *shares; /* beside p.groups */
    size_t shares_cap;
    struct value_rows values;
    struct day_blocks days;

    struct store_array *device_ids;
    struct store_rows cursors, telegrams, counters, rejected, gaps, raw, updates, updates_unknown,
        readings, texts, formats, events;
};

/* ---- storage ---- */

struct batch_write *batch_write_new(bool replay, struct run_stats *stats,
                                    void (*failed)(void *ctx, enum emt_err err), void *ctx)
{
    struct batch_write *w = calloc(1, sizeof *w);
    bool ok;

    if (!w)
        return NULL;
    w->replay = replay;
    w->stats = stats;
    w->failed = failed;
    w->ctx = ctx;
    value_rows_init(&w->values, &w->part);
    w->device_ids = store_array_new(STORE_INT8);
    ok = w->device_ids;
    ok = day_blocks_init(&w->days) && ok;
    ok = cursor_rows_init(&w->cursors) && ok;
    ok = telegram_rows_init(&w->telegrams) && ok;
    ok = counter_rows_init(&w->counters) && ok;
    ok = rejected_rows_init(&w->rejected) && ok;
    ok = gap_rows_init(&w->gaps) && ok;
    ok = frame_rows_init(&w->raw) && ok;
    ok = update_rows_init(&w->updates) && ok;
    ok = update_rows_init(&w->updates_unknown) && ok;
    ok = reading_rows_init(&w->readings) && ok;
    ok = text_rows_init(&w->texts) && ok;
    ok = format_rows_init(&w->formats) && ok;
    ok = event_rows_init(&w->events) && ok;
    if (ok)
        return w;
    batch_write_free(w);
    return NULL;
}

void batch_write_free(struct batch_write *w)
{
    struct store_rows *rows[] = { &w->cursors,  &w->telegrams, &w->counters, &w->rejected,
                                  &w->gaps,     &w->raw,       &w->updates,  &w->updates_unknown,
                                  &w->readings, &w->texts,     &w->formats,  &w->events };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        store_rows_release(rows[i]);
    store_array_free(w->device_ids);
    free(w->shares);
    batch_part_release(&w->p);
    value_rows_release(&w->values);
    day_blocks_release(&w->days);
    free(w);
}

void batch_write_window(struct batch_write *w, emt_time hot_from, emt_time hot_to)
{
    w->values.hot_from = hot_from;
    w->values.hot_to = hot_to;
}

static bool fails(struct batch_write *w, enum emt_err err)
{
    if (err != EMT_OK)
        w->failed(w->ctx, err);
    return err != EMT_OK;
}

/* A device of the tenant knows it. */
static struct registry_tenant *tenant_of(const struct share *h)
{
    for (size_t i = h->g->frame_from; i < h->g->frame_to; i++) {
        if (h->w->p.frames[i]->device)
            return h->w->p.frames[i]->device->tenant;
    }
    return NULL;
}

static bool is_careful(const struct registry_tenant *t)
{
    return t && clock_mono_ms() < t->careful_until_ms;
}

/* What this loop took for new was there: another loop or node hears the same meters, or somebody
 * brought the values another way. Each time it happens again, caution lasts longer. */
static void be_careful(struct share *h)
{
    struct registry_tenant *t = tenant_of(h);
    int64_t now_ms = clock_mono_ms();

    h->w->hasty = true;
    if (!t)
        return;
    if (t->careful_ms == 0 || now_ms > t->careful_until_ms + CAREFUL_MOST_MS)
        t->careful_ms = CAREFUL_MS;
    else if (t->careful_ms < CAREFUL_MOST_MS)
        t->careful_ms *= 2;
    t->careful_until_ms = now_ms + t->careful_ms;
}

bool batch_write_was_hasty(const struct batch_write *w)
{
    return w->hasty;
}

enum emt_err batch_write_begin(struct batch_write *w, struct batch_frame *const *frames, size_t n,
                               emt_time now, bool careful)
{
    enum emt_err err = batch_part_gather(&w->p, frames, n);

    w->now = now;
    w->careful = careful || w->replay; /* what is decoded again stands there already */
    w->hasty = false;
    memset(&w->part, 0, sizeof w->part);
    value_rows_clear(&w->values, now);
    day_blocks_clear(&w->days, now);
    if (err)
        return err;
    if (w->p.ngroups > w->shares_cap) {
        struct share *grown = realloc(w->shares, w->p.ngroups * sizeof *grown);

        if (!grown)
            return EMT_ENOMEM;
        w->shares = grown;
        w->shares_cap = w->p.ngroups;
    }
    for (size_t i = 0; i < w->p.ngroups; i++) {
        struct share *h = &w->shares[i];

        *h = (struct share){ .w = w, .g = &w->p.groups[i], .careful = w->careful };
        h->careful = h->careful || is_careful(tenant_of(h));
    }
    return EMT_OK;
}

/* ---- flight 1 ---- */

static struct batch_source *source_of_row(struct share *s, const struct store_result *r, int row,
                                          int epoch_col)
{
    size_t n;
    const uint8_t *spool = c_bytes(r, row, 1, &n);

    if (n != 16)
        return NULL;
    return batch_part_source(&s->w->p, s->g, c_int(r, row, 0), spool, c_int(r, row, epoch_col));
}

static void got_cursors(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (fails(h->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct batch_source *s = source_of_row(h, r, i, 2);

        if (s)
            s->hit = true;
    }
}

static void got_locks(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (fails(h->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct part_lock *l = batch_part_lock(&h->w->p, h->g, c_int(r, i, 0));

        if (l) {
            l->counter = c_int(r, i, 1);
            l->counter_at = c_time(r, i, 2);
        }
    }
}

static void got_telegrams(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (err == EMT_ECONFLICT && !h->careful)
        be_careful(h);
    if (fails(h->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        size_t n;
        const uint8_t *hash = c_bytes(r, i, 1, &n);

        if (n == 16)
            batch_part_mark_fresh(&h->w->p, h->g, c_int(r, i, 0), hash, c_int(r, i, 2));
    }
}

static bool fill_cursors(struct share *h)
{
    struct batch_write *w = h->w;
    bool ok = true;

    store_rows_clear(&w->cursors);
    for (size_t i = h->g->source_from; ok && i < h->g->source_to; i++) {
        const struct batch_source *s = w->p.sources[i];
        struct cursor_row row = { s->gateway, s->spool_id, s->epoch, s->reach, s->nframes };

        ok = cursor_rows_add(&w->cursors, &row);
    }
    return ok;
}

static bool fill_locks(struct share *h)
{
    bool ok = true;

    store_array_clear(h->w->device_ids);
    for (size_t i = h->g->lock_from; ok && i < h->g->lock_to; i++)
        ok = store_array_int(h->w->device_ids, h->w->p.locks[i].device);
    return ok;
}

static bool fill_telegrams(struct share *h)
{
    bool ok = true;

    store_rows_clear(&h->w->telegrams);
    for (size_t i = h->g->lead_from; ok && i < h->g->lead_to; i++) {
        const struct batch_frame *f = h->w->p.leads[i];
        struct telegram_row row = { f->device->device, f->hash, f->received_at };

        ok = telegram_rows_add(&h->w->telegrams, &row);
    }
    return ok;
}

static void got_days(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;
    bool ok = true;

    if (fails(h->w, err))
        return;
    for (int i = 0; ok && i < store_rows(r); i++)
        ok = day_blocks_take(&h->w->days, h->g->tenant, r, i);
    if (!ok)
        (void)fails(h->w, EMT_ENOMEM);
}

/* What is packed of the days that the values are about. */
static enum emt_err send_asks(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    size_t from = w->days.n;
    bool ok = true;

    for (size_t i = h->g->frame_from; ok && i < h->g->frame_to; i++) {
        const struct batch_frame *f = w->p.frames[i];

        if (batch_part_counts(f))
            ok = day_blocks_ask(&w->days, &w->values, f);
    }
    if (!ok || !day_blocks_fill_asks(&w->days, h->g->tenant, from))
        return EMT_ENOMEM;
    return store_rows_count(&w->days.asks)
               ? block_ask_send(s, h->g->tenant, &w->days.asks, got_days, h)
               : EMT_OK;
}

enum emt_err batch_write_flight1(struct batch_write *w, struct store *s, bool brief)
{
    enum emt_err err = store_send_begin(s);

    if (!err && brief)
        err = ingest_brief_send(s);
    for (size_t i = 0; !err && i < w->p.ngroups; i++) {
        struct share *h = &w->shares[i];

        if (!fill_cursors(h) || !fill_locks(h) || !fill_telegrams(h))
            return EMT_ENOMEM;
        err = store_send_tenant(s, h->g->tenant);
        if (!err && !w->replay)
            err = cursor_rows_send(s, h->g->tenant, &w->cursors, w->now, got_cursors, h);
        if (!err && h->g->lock_to > h->g->lock_from)
            err = device_lock_send(s, h->g->tenant, w->device_ids, got_locks, h);
        if (!err && h->g->lead_to > h->g->lead_from)
            err = telegram_rows_send(s, h->g->tenant, &w->telegrams, h->careful, got_telegrams, h);
        if (!err)
            err = send_asks(h, s);
    }
    return err;
}

bool batch_write_fenced(struct batch_write *w)
{
    bool some = false;

    if (w->replay)
        return false;
    for (size_t i = 0; i < w->p.nsources; i++) {
        if (!w->p.sources[i]->hit)
            some = w->p.sources[i]->gone = true;
    }
    return some;
}

/* ---- values ---- */

static bool gather_values(struct share *s)
{
    struct batch_write *w = s->w;
    size_t from = w->values.n;

    for (size_t i = s->g->frame_from; i < s->g->frame_to; i++) {
        const struct batch_frame *f = w->p.frames[i];

        if (!batch_part_counts(f) || f->final != FRAME_OK)
            continue;
        for (unsigned k = 0; k < f->nvalues; k++) {
            if (!value_rows_add(&w->values, &f->values[k]))
                return false;
        }
    }
    s->values = value_rows_close(&w->values, from);
    return true;
}

static void got_hot(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (!fails(h->w, err))
        h->touched[VALUE_HOT] = (uint64_t)store_affected(r);
}

static void got_new(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    (void)r;
    if (err == EMT_ECONFLICT)
        be_careful(h);
    (void)fails(h->w, err);
}

static void got_late(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (!fails(h->w, err))
        h->touched[VALUE_LATE] = (uint64_t)store_affected(r);
}

static void got_nothing(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    (void)r;
    (void)fails(h->w, err);
}

static void got_conflicts(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (!fails(h->w, err))
        h->w->part.conflicts += (uint64_t)store_affected(r);
}

static void got_blocks(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (fails(h->w, err) || (uint64_t)store_affected(r) == h->blocks)
        return;
    /* Somebody packed one of the days, or stored a row of it, since they were asked about: the same
     * once more. */
    h->w->hasty = true;
    (void)fails(h->w, EMT_EAGAIN);
}

/* Before the rows: who compacts locks channels first, too. */
static enum emt_err send_blocks(struct share *h, struct store *s)
{
    struct day_blocks *d = &h->w->days;
    enum emt_err err = EMT_OK;

    if (!day_blocks_settle(d, h->g->tenant, &h->w->values, &h->values))
        return EMT_ENOMEM;
    h->blocks = store_rows_count(&d->blocks);
    if (h->blocks)
        err = block_lock_send(s, h->g->tenant, d->channels, got_nothing, h);
    if (!err && h->blocks)
        err = block_day_send(s, h->g->tenant, &d->blocks, got_blocks, h);
    if (!err && store_rows_count(&d->losers))
        err = block_loser_send(s, h->g->tenant, &d->losers, h->w->now, got_conflicts, h);
    return err;
}

static enum emt_err send_values(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    enum emt_err err = EMT_OK;

    if (!h->careful) {
        if (!value_span_readings(&w->values, &h->values, VALUE_HOT, VALUE_STANDING_AHEAD,
                                 &w->readings))
            return EMT_ENOMEM;
        w->part.values += store_rows_count(&w->readings);
        if (store_rows_count(&w->readings))
            err = reading_new_send(s, h->g->tenant, &w->readings, got_new, h);
    }
    if (!err &&
        !value_span_readings(&w->values, &h->values, VALUE_HOT,
                             h->careful ? VALUE_STANDING : VALUE_STANDING_BEHIND, &w->readings))
        return EMT_ENOMEM;
    h->sent[VALUE_HOT] = store_rows_count(&w->readings);
    if (!err && h->sent[VALUE_HOT])
        err = reading_rows_send(s, h->g->tenant, &w->readings, got_hot, h);
    if (!err &&
        !value_span_readings(&w->values, &h->values, VALUE_LATE, VALUE_STANDING, &w->readings))
        return EMT_ENOMEM;
    h->sent[VALUE_LATE] = store_rows_count(&w->readings);
    if (!err && h->sent[VALUE_LATE])
        err = reading_late_send(s, h->g->tenant, &w->readings, w->now, got_late, h);
    if (!err && !value_span_texts(&w->values, &h->values, &w->texts))
        return EMT_ENOMEM;
    h->sent[VALUE_TEXT] = store_rows_count(&w->texts);
    if (!err && h->sent[VALUE_TEXT])
        err = text_rows_send(s, h->g->tenant, &w->texts, got_nothing, h);
    w->part.values += h->sent[VALUE_HOT];
    w->part.late += h->sent[VALUE_LATE];
    w->part.texts += h->sent[VALUE_TEXT];
    return err;
}

/* ---- frames, counters, events ---- */

static const char *why_of(const struct batch_frame *f)
{
    return f->final == f->state || f->raw_only ? f->why : "";
}

static bool add_raw(struct batch_write *w, const struct batch_frame *f)
{
    struct frame_row row = {
        .gateway = f->source->gateway,
        .spool_id = f->source->spool_id,
        .seq = f->seq,
        .protocol = f->protocol,
        .format = f->format,
        .received_at = f->received_at,
        .device = f->device && !f->raw_only ? f->device->device : 0,
        .has_counter = f->has_counter && !f->raw_only,
        .counter = f->counter,
        .state = f->final,
        .rssi_dbm = f->rssi_dbm,
        .hash = f->has_hash && !f->raw_only ? f->hash : NULL,
        .data = f->data,
        .len = f->len,
        .reason = why_of(f),
    };

    return frame_rows_add(&w->raw, &row);
}

static bool add_update(struct batch_write *w, const struct batch_frame *f)
{
    struct frame_update row = {
        .at = { f->received_at, f->source->gateway, (int64_t)f->seq, { 0 } },
        .stored_at = f->stored_at,
        .old_device = f->old_device,
        .old_state = f->old_state,
        .state = f->final,
        .device = f->device && !f->raw_only ? f->device->device : f->old_device,
        .has_counter = f->has_counter && !f->raw_only,
        .counter = f->counter,
        .hash = f->has_hash && !f->raw_only ? f->hash : NULL,
        .reason = why_of(f),
    };

    if (f->final == f->old_state)
        return true;
    memcpy(row.at.spool_id, f->source->spool_id, sizeof row.at.spool_id);
    return update_rows_add(f->old_device ? &w->updates : &w->updates_unknown, &row);
}

static bool add_frame(struct batch_write *w, const struct batch_frame *f)
{
    if (f->kind == BATCH_REJECTED) {
        w->part.rejected++;
        return rejected_rows_add(&w->rejected, f->source->gateway, f->source->spool_id, f->seq,
                                 f->reason);
    }
    if (f->kind == BATCH_GAP)
        return gap_rows_add(&w->gaps, f->source->gateway, f->source->spool_id, f->from, f->seq,
                            f->reason);
    if (f->ignored) {
        w->part.ignored++;
        return true;
    }
    w->part.frames[f->final]++;
    w->part.unscalable += f->final == FRAME_OK ? f->unscalable : 0;
    return f->is_stored ? add_update(w, f) : add_raw(w, f);
}

static bool fill_frames(struct share *h)
{
    struct batch_write *w = h->w;
    bool ok = true;

    store_rows_clear(&w->rejected);
    store_rows_clear(&w->gaps);
    store_rows_clear(&w->raw);
    store_rows_clear(&w->updates);
    store_rows_clear(&w->updates_unknown);
    for (size_t i = h->g->frame_from; ok && i < h->g->frame_to; i++)
        ok = add_frame(w, w->p.frames[i]);
    return ok;
}

static enum emt_err send_frames(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    enum emt_err err = EMT_OK;

    if (!fill_frames(h))
        return EMT_ENOMEM;
    if (store_rows_count(&w->raw))
        err = frame_rows_send(s, h->g->tenant, &w->raw, got_nothing, h);
    if (!err && store_rows_count(&w->updates))
        err = update_rows_send(s, h->g->tenant, &w->updates, true, got_nothing, h);
    if (!err && store_rows_count(&w->updates_unknown))
        err = update_rows_send(s, h->g->tenant, &w->updates_unknown, false, got_nothing, h);
    if (!err && store_rows_count(&w->rejected))
        err = rejected_rows_send(s, h->g->tenant, &w->rejected, w->now);
    if (!err && store_rows_count(&w->gaps))
        err = gap_rows_send(s, h->g->tenant, &w->gaps, w->now);
    return err;
}

static enum emt_err send_counters(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    bool ok = true;

    store_rows_clear(&w->counters);
    for (size_t i = h->g->lock_from; ok && i < h->g->lock_to; i++) {
        const struct part_lock *l = &w->p.locks[i];

        if (l->raised)
            ok = counter_rows_add(&w->counters, l->device, l->counter, l->counter_at);
    }
    if (!ok)
        return EMT_ENOMEM;
    return store_rows_count(&w->counters) ? counter_rows_send(s, h->g->tenant, &w->counters)
                                          : EMT_OK;
}

static bool add_event(struct share *h, const struct batch_frame *f, enum event_severity severity,
                      const char *kind, const char *detail)
{
    struct event_row e = { h->w->now,
                           severity,
                           kind,
                           f->source->gateway,
                           f->device && !f->raw_only ? f->device->device : 0,
                           detail };

    if (h->events >= EVENTS_MAX)
        return true;
    h->events++;
    h->w->part.events++;
    return event_rows_add(&h->w->events, &e);
}

static bool event_of(struct share *h, const struct batch_frame *f)
{
    int64_t now_ms = clock_mono_ms();

    if (f->kind != BATCH_FRAME || f->ignored)
        return true;
    if (f->raw_only)
        return add_event(h, f, EVENT_ALARM, "frame-refused", f->why);
    if (f->final == FRAME_QUARANTINED && !f->is_stored)
        return add_event(h, f, EVENT_ALARM, "quarantined", f->why);
    if (f->final == FRAME_REPLAYED)
        return add_event(h, f, EVENT_WARNING, "replayed", "the message counter does not rise");
    if (f->final != FRAME_OK || !f->clock_ahead || !f->device)
        return true;
    h->w->part.clock_ahead++;
    if (f->device->clock_ahead_ms && now_ms - f->device->clock_ahead_ms < CLOCK_AHEAD_MS)
        return true;
    f->device->clock_ahead_ms = now_ms;
    return add_event(h, f, EVENT_WARNING, "clock-ahead",
                     "times of the meter lie in the future: kept in the frame only");
}

static enum emt_err send_events(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    bool ok = true;

    store_rows_clear(&w->events);
    for (size_t i = h->g->frame_from; ok && i < h->g->frame_to; i++)
        ok = event_of(h, w->p.frames[i]);
    if (!ok)
        return EMT_ENOMEM;
    return store_rows_count(&w->events) ? event_rows_send(s, h->g->tenant, &w->events) : EMT_OK;
}

/* Formats learnt since the last commit of the tenant. */
static enum emt_err send_formats(struct share *h, struct store *s)
{
    const struct registry_tenant *t = tenant_of(h);
    bool ok = true;

    if (!t || !t->formats_unsaved)
        return EMT_OK;
    store_rows_clear(&h->w->formats);
    for (unsigned i = 0; ok && i < t->nformats; i++) {
        const struct registry_format *f = &t->formats[i];
        struct format_row row = { f->manufacturer, f->version,    f->type,    f->signature,
                                  f->header,       f->header_len, f->verified };

        if (!f->saved)
            ok = format_rows_add(&h->w->formats, &row);
    }
    return ok ? format_rows_send(s, h->g->tenant, &h->w->formats, h->w->now) : EMT_ENOMEM;
}

/* Kept waiting for a key, a policy or a format: were these still missing just now? */
static bool waits(const struct batch_frame *f)
{
    enum frame_retry retry = frame_state_retry(f->final);

    return f->kind == BATCH_FRAME && !f->ignored && !f->raw_only && f->device &&
           f->device->device &&
           (retry == FRAME_RETRY_KEY || retry == FRAME_RETRY_POLICY || retry == FRAME_RETRY_FORMAT);
}

static enum emt_err send_stale(struct share *h, struct store *s)
{
    struct batch_write *w = h->w;
    const struct registry_tenant *t = tenant_of(h);
    int64_t last = 0;
    bool ok = true;

    if (w->replay || !t)
        return EMT_OK;
    store_array_clear(w->device_ids);
    for (size_t i = h->g->frame_from; ok && i < h->g->frame_to; i++) {
        const struct batch_frame *f = w->p.frames[i];

        if (!waits(f) || f->device->device == last)
            continue;
        last = f->device->device;
        ok = store_array_int(w->device_ids, last); /* repeated ones are one job */
    }
    if (!ok)
        return EMT_ENOMEM;
    if (store_array_count(w->device_ids) == 0)
        return EMT_OK;
    return registry_stale_send(s, h->g->tenant, t->version, w->device_ids, got_nothing, h);
}

/* ---- flights 2 and 3 ---- */

enum emt_err batch_write_flight2(struct batch_write *w, struct store *s)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; !err && i < w->p.ngroups; i++) {
        struct share *h = &w->shares[i];

        batch_part_judge(&w->p, h->g, w->now);
        if (!gather_values(h))
            return EMT_ENOMEM;
        err = store_send_tenant(s, h->g->tenant);
        if (!err)
            err = send_blocks(h, s);
        if (!err)
            err = send_values(h, s);
        if (!err)
            err = send_frames(h, s);
        if (!err)
            err = send_counters(h, s);
        if (!err)
            err = send_events(h, s);
        if (!err)
            err = send_stale(h, s);
        if (!err)
            err = send_formats(h, s);
    }
    return err;
}

static bool may_conflict(const struct share *h, enum value_place place)
{
    return h->values.losers[place] || h->touched[place] < h->sent[place];
}

enum emt_err batch_write_flight3(struct batch_write *w, struct store *s)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; !err && i < w->p.ngroups; i++) {
        struct share *h = &w->shares[i];

        if (!may_conflict(h, VALUE_HOT) && !may_conflict(h, VALUE_LATE))
            continue;
        err = store_send_tenant(s, h->g->tenant);
        if (!err && may_conflict(h, VALUE_HOT)) {
            if (!value_span_readings(&w->values, &h->values, VALUE_HOT, VALUE_ALL, &w->readings))
                return EMT_ENOMEM;
            err = reading_conflict_send(s, h->g->tenant, &w->readings, w->now, got_conflicts, h);
        }
        if (!err && may_conflict(h, VALUE_LATE)) {
            if (!value_span_readings(&w->values, &h->values, VALUE_LATE, VALUE_ALL, &w->readings))
                return EMT_ENOMEM;
            err =
                reading_late_conflict_send(s, h->g->tenant, &w->readings, w->now, got_conflicts, h);
        }
    }
    return err;
}

static void add_stats(struct run_stats *sum, const struct run_stats *part)
{
    for (int i = 0; i < FRAME_STATES; i++)
        sum->frames[i] += part->frames[i];
    sum->ignored += part->ignored;
    sum->rejected += part->rejected;
    sum->values += part->values;
    sum->repeated += part->repeated;
    sum->late += part->late;
    sum->refused += part->refused;
    sum->conflicts += part->conflicts;
    sum->texts += part->texts;
    sum->clock_ahead += part->clock_ahead;
    sum->unscalable += part->unscalable;
    sum->events += part->events;
    sum->commits++;
}

void batch_write_committed(struct batch_write *w)
{
    value_rows_remember(&w->values);
    for (size_t i = 0; i < w->p.ngroups; i++) {
        struct registry_tenant *t = tenant_of(&w->shares[i]);

        if (!t || !t->formats_unsaved)
            continue;
        for (unsigned k = 0; k < t->nformats; k++)
            t->formats[k].saved = true;
        t->formats_unsaved = false;
    }
    for (size_t i = 0; i < w->p.nframes; i++)
        w->p.frames[i]->done = true;
    add_stats(w->stats, &w->part);
}

/* ---- settling ---- */

static void got_settled(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct share *h = ctx;

    if (fails(h->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct batch_source *s = source_of_row(h, r, i, 3);

        if (s) {
            s->hit = true;
            s->settled = (uint64_t)c_int(r, i, 2);
        }
    }
}

enum emt_err batch_write_settle(struct batch_write *w, struct store *s, store_done *committed,
                                void *ctx)
{
    enum emt_err err = store_send_begin(s);

    for (size_t i = 0; !err && i < w->p.ngroups; i++) {
        struct share *h = &w->shares[i];

        if (!fill_cursors(h))
            return EMT_ENOMEM;
        err = store_send_tenant(s, h->g->tenant);
        if (!err)
            err = cursor_settle_send(s, h->g->tenant, &w->cursors, w->now, got_settled, h);
    }
    return err ? err : store_send_commit(s, committed, ctx);
}
