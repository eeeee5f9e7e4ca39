#include "batch_write.h"

#include "base/cipher.h"
#include "model/quality.h"
#include "store/event_store.h"
#include "store/format_store.h"
#include "store/frame_store.h"
#include "store/ingest_store.h"
#include "store/reading_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Most events of one tenant in one batch; the counters know the rest. */
#define EVENTS_MAX 50
/* A meter whose clock is ahead is an event once an hour. */
#define CLOCK_AHEAD_MS (60 * 60 * 1000)
/* A hundred years: keeps the arithmetic of times in range. */
#define RETENTION_DAYS_MOST 36500

enum row_place { ROW_HOT, ROW_LATE, ROW_TEXT, ROW_PLACES };

/* A value on its way into a table. */
struct value_row {
    const struct batch_value *v;
    int64_t channel;
    enum row_place place;
    int rank;
    size_t order;   /* of arrival */
    bool outranked; /* another value of the batch stands for this (channel, ts); kept to be looked
                       at as a conflict */
};

/* A device under lock. */
struct locked {
    int64_t device;
    int64_t counter;
    emt_time counter_at;
    bool raised;
};

struct group {
    struct batch_write *w;
    int32_t tenant;
    size_t from, to;               /* of frames[] */
    size_t source_from, source_to; /* of sources[] */
    size_t lock_from, lock_to;     /* of locks[] */
    size_t lead_from, lead_to;     /* of leads[] */
    size_t row_from, row_to;       /* of rows[] */
    uint64_t sent[ROW_PLACES], touched[ROW_PLACES];
    bool losers[ROW_PLACES]; /* values outranked or contradicted within the batch */
    unsigned events;
};

#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t n, cap;                                                                             \
    }

struct batch_write {
    bool replay;
    struct run_stats *stats;
    struct run_stats part; /* counted when the part commits */
    void (*failed)(void *ctx, enum emt_err err);
    void *ctx;
    emt_time now;
    emt_time hot_from, hot_to;
    uint64_t mark;

    LIST(struct batch_frame *) frames;
    LIST(struct group) groups;
    LIST(struct batch_source *) sources;
    LIST(struct locked) locks;
    LIST(struct batch_frame *) leads; /* radio frames that count, by device, hash, time */
    LIST(struct value_row) rows;

    struct store_array *device_ids;
    struct store_rows cursors, telegrams, counters, rejected, gaps, raw, updates, updates_unknown,
        readings, texts, formats, events;
};

/* ---- storage ---- */

static bool room(void **at, size_t *cap, size_t want, size_t size)
{
    size_t more = *cap ? *cap : 64;
    void *grown;

    if (want <= *cap)
        return true;
    while (more < want)
        more *= 2;
    grown = realloc(*at, more * size);
    if (!grown)
        return false;
    *at = grown;
    *cap = more;
    return true;
}
#define ROOM(list, want) room((void **)&(list).at, &(list).cap, (want), sizeof *(list).at)

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
    w->hot_from = INT64_MAX; /* until the window is known everything is late */
    w->hot_to = INT64_MAX;
    w->device_ids = store_array_new(STORE_INT8);
    ok = w->device_ids;
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
    free(w->frames.at);
    free(w->groups.at);
    free(w->sources.at);
    free(w->locks.at);
    free(w->leads.at);
    free(w->rows.at);
    free(w);
}

void batch_write_window(struct batch_write *w, emt_time hot_from, emt_time hot_to)
{
    w->hot_from = hot_from;
    w->hot_to = hot_to;
}

static bool fails(struct batch_write *w, enum emt_err err)
{
    if (err != EMT_OK)
        w->failed(w->ctx, err);
    return err != EMT_OK;
}

/* ---- what belongs to the part ---- */

static bool is_out(const struct batch_frame *f)
{
    return f->done || f->deferred || f->source->gone;
}

/* Decoded, its meter known, and to be counted once. */
static bool counts(const struct batch_frame *f)
{
    return f->kind == BATCH_FRAME && f->state == FRAME_OK && !f->raw_only && !f->ignored &&
           f->device && f->device->device != 0;
}

static bool is_lead(const struct batch_frame *f)
{
    return counts(f) && batch_is_radio(f) && f->has_hash;
}

static int compare_sources(const void *a, const void *b)
{
    const struct batch_source *x = *(struct batch_source *const *)a;
    const struct batch_source *y = *(struct batch_source *const *)b;

    if (x->gateway != y->gateway)
        return x->gateway < y->gateway ? -1 : 1;
    int spool = memcmp(x->spool_id, y->spool_id, sizeof x->spool_id);
    return spool ? spool : (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* Each source once, with how far its cursor goes. */
static bool gather_sources(struct batch_write *w, struct group *g)
{
    g->source_from = w->sources.n;
    for (size_t i = g->from; i < g->to; i++) {
        struct batch_frame *f = w->frames.at[i];
        struct batch_source *s = f->source;

        if (s->mark != w->mark) {
            s->mark = w->mark;
            s->reach = s->nframes = 0;
            s->hit = false;
            if (!ROOM(w->sources, w->sources.n + 1))
                return false;
            w->sources.at[w->sources.n++] = s;
        }
        if (f->seq > s->reach)
            s->reach = f->seq;
        s->nframes += f->kind == BATCH_FRAME && !f->ignored;
    }
    g->source_to = w->sources.n;
    if (g->source_to > g->source_from)
        qsort(&w->sources.at[g->source_from], g->source_to - g->source_from, sizeof *w->sources.at,
              compare_sources);
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct locked *x = a, *y = b;

    return (x->device > y->device) - (x->device < y->device);
}

static bool gather_locks(struct batch_write *w, struct group *g)
{
    size_t n;

    g->lock_from = n = w->locks.n;
    for (size_t i = g->from; i < g->to; i++) {
        const struct batch_frame *f = w->frames.at[i];

        if (!counts(f) || !(is_lead(f) || f->has_counter))
            continue;
        if (!ROOM(w->locks, w->locks.n + 1))
            return false;
        w->locks.at[w->locks.n++] = (struct locked){ f->device->device, -1, EMT_TIME_NONE, false };
    }
    if (w->locks.n > n)
        qsort(&w->locks.at[n], w->locks.n - n, sizeof *w->locks.at, compare_ids);
    for (size_t i = n; i < w->locks.n; i++) {
        if (n == g->lock_from || w->locks.at[n - 1].device != w->locks.at[i].device)
            w->locks.at[n++] = w->locks.at[i];
    }
    g->lock_to = w->locks.n = n;
    return true;
}

static int compare_telegram(const struct batch_frame *x, const struct batch_frame *y)
{
    if (x->device->device != y->device->device)
        return x->device->device < y->device->device ? -1 : 1;
    return memcmp(x->hash, y->hash, sizeof x->hash);
}

static int compare_leads(const void *a, const void *b)
{
    const struct batch_frame *x = *(struct batch_frame *const *)a;
    const struct batch_frame *y = *(struct batch_frame *const *)b;
    int c = compare_telegram(x, y);

    if (c)
        return c;
    if (x->received_at != y->received_at)
        return x->received_at < y->received_at ? -1 : 1;
    if (x->source->gateway != y->source->gateway)
        return x->source->gateway < y->source->gateway ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Of each telegram the reception that came first: others within five minutes of it are the same
 * telegram heard again. */
static bool gather_leads(struct batch_write *w, struct group *g)
{
    size_t n;

    g->lead_from = n = w->leads.n;
    for (size_t i = g->from; i < g->to; i++) {
        struct batch_frame *f = w->frames.at[i];

        f->fresh = counts(f) && !is_lead(f);
        if (!is_lead(f))
            continue;
        if (!ROOM(w->leads, w->leads.n + 1))
            return false;
        w->leads.at[w->leads.n++] = f;
    }
    if (w->leads.n > n)
        qsort(&w->leads.at[n], w->leads.n - n, sizeof(struct batch_frame *), compare_leads);
    for (size_t i = n; i < w->leads.n; i++) {
        struct batch_frame *f = w->leads.at[i];
        const struct batch_frame *last = n > g->lead_from ? w->leads.at[n - 1] : NULL;

        if (!last || compare_telegram(last, f) != 0 ||
            f->received_at - last->received_at > TELEGRAM_SLOT)
            w->leads.at[n++] = f;
    }
    g->lead_to = w->leads.n = n;
    return true;
}

static bool gather(struct batch_write *w, struct group *g)
{
    return gather_sources(w, g) && gather_locks(w, g) && gather_leads(w, g);
}

enum emt_err batch_write_begin(struct batch_write *w, struct batch_frame *const *frames, size_t n,
                               emt_time now)
{
    w->now = now;
    w->mark++;
    w->frames.n = w->groups.n = w->sources.n = w->locks.n = w->leads.n = w->rows.n = 0;
    memset(&w->part, 0, sizeof w->part);
    if (!ROOM(w->frames, n) || !ROOM(w->groups, n))
        return EMT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct group *g = w->groups.n ? &w->groups.at[w->groups.n - 1] : NULL;

        if (is_out(frames[i]))
            continue;
        if (!g || g->tenant != frames[i]->source->tenant) {
            g = &w->groups.at[w->groups.n++];
            *g = (struct group){ .w = w, .tenant = frames[i]->source->tenant, .from = w->frames.n };
        }
        w->frames.at[w->frames.n++] = frames[i];
        g->to = w->frames.n;
    }
    for (size_t i = 0; i < w->groups.n; i++) {
        if (!gather(w, &w->groups.at[i]))
            return EMT_ENOMEM;
    }
    return EMT_OK;
}

/* ---- flight 1 ---- */

static struct batch_source *source_of_row(struct group *g, const struct store_result *r, int row,
                                          int epoch_col)
{
    struct batch_source key = { .gateway = c_int(r, row, 0), .epoch = c_int(r, row, epoch_col) };
    struct batch_source *at = &key;
    struct batch_source **found;
    size_t n;
    const uint8_t *spool = c_bytes(r, row, 1, &n);

    if (n != sizeof key.spool_id || g->source_to == g->source_from)
        return NULL;
    memcpy(key.spool_id, spool, n);
    found = bsearch(&at, &g->w->sources.at[g->source_from], g->source_to - g->source_from,
                    sizeof at, compare_sources);
    return found ? *found : NULL;
}

static void got_cursors(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (fails(g->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct batch_source *s = source_of_row(g, r, i, 2);

        if (s)
            s->hit = true;
    }
}

static void got_locks(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (fails(g->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct locked key = { .device = c_int(r, i, 0) };
        struct locked *l = bsearch(&key, &g->w->locks.at[g->lock_from], g->lock_to - g->lock_from,
                                   sizeof key, compare_ids);

        if (l) {
            l->counter = c_int(r, i, 1);
            l->counter_at = c_time(r, i, 2);
        }
    }
}

static void mark_fresh(struct group *g, int64_t device, const uint8_t *hash, int64_t slot)
{
    size_t lo = g->lead_from, hi = g->lead_to;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct batch_frame *f = g->w->leads.at[mid];
        int c = f->device->device != device ? (f->device->device < device ? -1 : 1)
                                            : memcmp(f->hash, hash, sizeof f->hash);

        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < g->lead_to; lo++) {
        struct batch_frame *f = g->w->leads.at[lo];

        if (f->device->device != device || memcmp(f->hash, hash, sizeof f->hash) != 0)
            return;
        if (telegram_slot(f->received_at) == slot)
            f->fresh = true;
    }
}

static void got_telegrams(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (fails(g->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        size_t n;
        const uint8_t *hash = c_bytes(r, i, 1, &n);

        if (n == 16)
            mark_fresh(g, c_int(r, i, 0), hash, c_int(r, i, 2));
    }
}

static bool fill_cursors(struct group *g)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->cursors);
    for (size_t i = g->source_from; ok && i < g->source_to; i++) {
        const struct batch_source *s = w->sources.at[i];
        struct cursor_row row = { s->gateway, s->spool_id, s->epoch, s->reach, s->nframes };

        ok = cursor_rows_add(&w->cursors, &row);
    }
    return ok;
}

static bool fill_locks(struct group *g)
{
    bool ok = true;

    store_array_clear(g->w->device_ids);
    for (size_t i = g->lock_from; ok && i < g->lock_to; i++)
        ok = store_array_int(g->w->device_ids, g->w->locks.at[i].device);
    return ok;
}

static bool fill_telegrams(struct group *g)
{
    bool ok = true;

    store_rows_clear(&g->w->telegrams);
    for (size_t i = g->lead_from; ok && i < g->lead_to; i++) {
        const struct batch_frame *f = g->w->leads.at[i];
        struct telegram_row row = { f->device->device, f->hash, f->received_at };

        ok = telegram_rows_add(&g->w->telegrams, &row);
    }
    return ok;
}

enum emt_err batch_write_flight1(struct batch_write *w, struct store *s)
{
    enum emt_err err = store_send_begin(s);

    for (size_t i = 0; !err && i < w->groups.n; i++) {
        struct group *g = &w->groups.at[i];

        if (!fill_cursors(g) || !fill_locks(g) || !fill_telegrams(g))
            return EMT_ENOMEM;
        err = store_send_tenant(s, g->tenant);
        if (!err && !w->replay)
            err = cursor_rows_send(s, g->tenant, &w->cursors, w->now, got_cursors, g);
        if (!err && g->lock_to > g->lock_from)
            err = device_lock_send(s, g->tenant, w->device_ids, got_locks, g);
        if (!err && g->lead_to > g->lead_from)
            err = telegram_rows_send(s, g->tenant, &w->telegrams, got_telegrams, g);
    }
    return err;
}

bool batch_write_fenced(struct batch_write *w)
{
    bool some = false;

    if (w->replay)
        return false;
    for (size_t i = 0; i < w->sources.n; i++) {
        if (!w->sources.at[i]->hit)
            some = w->sources.at[i]->gone = true;
    }
    return some;
}

/* ---- judging ---- */

static int compare_received(const void *a, const void *b)
{
    const struct batch_frame *x = *(struct batch_frame *const *)a;
    const struct batch_frame *y = *(struct batch_frame *const *)b;

    if (x->received_at != y->received_at)
        return x->received_at < y->received_at ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* A counter that does not rise is an attack only when the telegram also came later: what a slow
 * gateway brings in late is welcome. */
static bool is_replayed(struct group *g, const struct batch_frame *f)
{
    struct locked key = { .device = f->device->device };
    struct locked *l;

    if (!f->has_counter)
        return false;
    l = bsearch(&key, &g->w->locks.at[g->lock_from], g->lock_to - g->lock_from, sizeof key,
                compare_ids);
    if (!l)
        return false;
    if (f->counter <= l->counter)
        return l->counter_at != EMT_TIME_NONE && f->received_at > l->counter_at;
    l->counter = f->counter;
    l->counter_at = f->received_at;
    l->raised = true;
    return false;
}

static void judge(struct group *g, struct batch_frame *f)
{
    f->final = f->state;
    if (!counts(f))
        return;
    if (!f->fresh)
        f->final = FRAME_DUPLICATE;
    else if (is_replayed(g, f))
        f->final = FRAME_REPLAYED;
}

/* In order of reception: counters of one meter rise in that order whatever gateway brought them.
 * The order of frames[] is needed no longer. */
static void judge_group(struct group *g)
{
    qsort(&g->w->frames.at[g->from], g->to - g->from, sizeof(struct batch_frame *),
          compare_received);
    for (size_t i = g->from; i < g->to; i++)
        judge(g, g->w->frames.at[i]);
}

/* ---- values ---- */

static void text_hash(const char *text, uint8_t out[16])
{
    uint8_t sum[32];

    cipher_sha256(text, strlen(text), sum);
    memcpy(out, sum, 16);
}

/* The same as what was committed last for this channel: meters repeat due-date values in every
 * telegram. */
static bool is_repeated(const struct batch_value *v)
{
    const struct registry_channel *c = &v->device->channels[v->channel];
    uint8_t hash[16];

    if (!c->has_last)
        return false;
    if (v->is_text) {
        if (v->ts < c->last_ts)
            return false;
        text_hash(v->text, hash);
        return memcmp(hash, c->last_text, sizeof hash) == 0;
    }
    return c->last_ts == v->ts && decimal_compare(c->last, v->value) == 0 &&
           quality_rank((enum quality)(v->quality & 255)) <=
               quality_rank((enum quality)(c->last_quality & 255));
}

static emt_time oldest_kept(const struct batch_write *w, const struct registry_tenant *t)
{
    int32_t days = t->reading_retention_days < RETENTION_DAYS_MOST ? t->reading_retention_days
                                                                   : RETENTION_DAYS_MOST;

    return w->now - days * EMT_DAY;
}

static bool add_value(struct group *g, const struct batch_value *v)
{
    struct batch_write *w = g->w;
    emt_time oldest = oldest_kept(w, v->device->tenant);
    enum row_place place = v->is_text                                  ? ROW_TEXT
                           : v->ts >= w->hot_from && v->ts < w->hot_to ? ROW_HOT
                                                                       : ROW_LATE;

    if (v->ts < oldest) {
        w->part.refused++;
        return true;
    }
    if (is_repeated(v)) {
        w->part.repeated++;
        return true;
    }
    if (!ROOM(w->rows, w->rows.n + 1))
        return false;
    w->rows.at[w->rows.n] =
        (struct value_row){ v,         v->device->channels[v->channel].id,
                            place,     quality_rank((enum quality)(v->quality & 255)),
                            w->rows.n, false };
    w->rows.n++;
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const struct value_row *x = a, *y = b;

    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->v->ts != y->v->ts)
        return x->v->ts < y->v->ts ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* The text in force just before it in this batch. */
static bool is_same_text(const struct group *g, size_t n, const struct value_row *row)
{
    const struct value_row *before = n > g->row_from ? &g->w->rows.at[n - 1] : NULL;

    return row->place == ROW_TEXT && before && before->place == ROW_TEXT &&
           before->channel == row->channel && strcmp(before->v->text, row->v->text) == 0;
}

/* One row per (channel, ts) is sent; another value of the same rank is looked at as a conflict,
 * once everything stands. */
static void fold(struct group *g)
{
    struct batch_write *w = g->w;
    size_t n = g->row_from;

    for (size_t i = g->row_from; i < w->rows.n; i++) {
        struct value_row *row = &w->rows.at[i];
        const struct value_row *best = NULL;

        for (size_t k = n; k > g->row_from && !best; k--) {
            const struct value_row *before = &w->rows.at[k - 1];

            if (before->place != row->place || before->channel != row->channel ||
                before->v->ts != row->v->ts)
                break;
            if (!before->outranked)
                best = before;
        }
        if (is_same_text(g, n, row))
            continue;
        if (best) {
            if (row->place == ROW_TEXT || row->rank < best->rank ||
                decimal_compare(row->v->value, best->v->value) == 0)
                continue;
            row->outranked = true;
            g->losers[row->place] = true;
        }
        w->rows.at[n++] = *row;
    }
    g->row_to = w->rows.n = n;
}

static bool gather_values(struct group *g)
{
    struct batch_write *w = g->w;

    g->row_from = w->rows.n;
    for (size_t i = g->from; i < g->to; i++) {
        const struct batch_frame *f = w->frames.at[i];

        if (!counts(f) || f->final != FRAME_OK)
            continue;
        for (unsigned k = 0; k < f->nvalues; k++) {
            if (!add_value(g, &f->values[k]))
                return false;
        }
    }
    if (w->rows.n > g->row_from)
        qsort(&w->rows.at[g->row_from], w->rows.n - g->row_from, sizeof *w->rows.at, compare_rows);
    fold(g);
    return true;
}

static bool fill_readings(struct group *g, enum row_place place, bool with_losers)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->readings);
    for (size_t i = g->row_from; ok && i < g->row_to; i++) {
        const struct value_row *v = &w->rows.at[i];
        struct reading_row row = { v->channel, v->v->ts, v->v->value, v->v->quality };

        if (v->place == place && (with_losers || !v->outranked))
            ok = reading_rows_add(&w->readings, &row);
    }
    return ok;
}

static bool fill_texts(struct group *g)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->texts);
    for (size_t i = g->row_from; ok && i < g->row_to; i++) {
        const struct value_row *v = &w->rows.at[i];
        struct text_row row = { v->channel, v->v->ts, v->v->quality, v->v->text };

        if (v->place == ROW_TEXT)
            ok = text_rows_add(&w->texts, &row);
    }
    return ok;
}

static void got_hot(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (!fails(g->w, err))
        g->touched[ROW_HOT] = (uint64_t)store_affected(r);
}

static void got_late(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (!fails(g->w, err))
        g->touched[ROW_LATE] = (uint64_t)store_affected(r);
}

static void got_nothing(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    (void)r;
    (void)fails(g->w, err);
}

static enum emt_err send_values(struct group *g, struct store *s)
{
    struct batch_write *w = g->w;
    enum emt_err err = EMT_OK;

    if (!fill_readings(g, ROW_HOT, false))
        return EMT_ENOMEM;
    g->sent[ROW_HOT] = store_rows_count(&w->readings);
    if (g->sent[ROW_HOT])
        err = reading_rows_send(s, g->tenant, &w->readings, got_hot, g);
    if (!err && !fill_readings(g, ROW_LATE, false))
        return EMT_ENOMEM;
    g->sent[ROW_LATE] = store_rows_count(&w->readings);
    if (!err && g->sent[ROW_LATE])
        err = reading_late_send(s, g->tenant, &w->readings, w->now, got_late, g);
    if (!err && !fill_texts(g))
        return EMT_ENOMEM;
    g->sent[ROW_TEXT] = store_rows_count(&w->texts);
    if (!err && g->sent[ROW_TEXT])
        err = text_rows_send(s, g->tenant, &w->texts, got_nothing, g);
    w->part.values += g->sent[ROW_HOT];
    w->part.late += g->sent[ROW_LATE];
    w->part.texts += g->sent[ROW_TEXT];
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

static bool fill_frames(struct group *g)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->rejected);
    store_rows_clear(&w->gaps);
    store_rows_clear(&w->raw);
    store_rows_clear(&w->updates);
    store_rows_clear(&w->updates_unknown);
    for (size_t i = g->from; ok && i < g->to; i++)
        ok = add_frame(w, w->frames.at[i]);
    return ok;
}

static enum emt_err send_frames(struct group *g, struct store *s)
{
    struct batch_write *w = g->w;
    enum emt_err err = EMT_OK;

    if (!fill_frames(g))
        return EMT_ENOMEM;
    if (store_rows_count(&w->raw))
        err = frame_rows_send(s, g->tenant, &w->raw, got_nothing, g);
    if (!err && store_rows_count(&w->updates))
        err = update_rows_send(s, g->tenant, &w->updates, true, got_nothing, g);
    if (!err && store_rows_count(&w->updates_unknown))
        err = update_rows_send(s, g->tenant, &w->updates_unknown, false, got_nothing, g);
    if (!err && store_rows_count(&w->rejected))
        err = rejected_rows_send(s, g->tenant, &w->rejected, w->now);
    if (!err && store_rows_count(&w->gaps))
        err = gap_rows_send(s, g->tenant, &w->gaps, w->now);
    return err;
}

static enum emt_err send_counters(struct group *g, struct store *s)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->counters);
    for (size_t i = g->lock_from; ok && i < g->lock_to; i++) {
        const struct locked *l = &w->locks.at[i];

        if (l->raised)
            ok = counter_rows_add(&w->counters, l->device, l->counter, l->counter_at);
    }
    if (!ok)
        return EMT_ENOMEM;
    return store_rows_count(&w->counters) ? counter_rows_send(s, g->tenant, &w->counters) : EMT_OK;
}

static bool add_event(struct group *g, const struct batch_frame *f, enum event_severity severity,
                      const char *kind, const char *detail)
{
    struct event_row e = { g->w->now,
                           severity,
                           kind,
                           f->source->gateway,
                           f->device && !f->raw_only ? f->device->device : 0,
                           detail };

    if (g->events >= EVENTS_MAX)
        return true;
    g->events++;
    g->w->part.events++;
    return event_rows_add(&g->w->events, &e);
}

static bool event_of(struct group *g, const struct batch_frame *f)
{
    int64_t now_ms = clock_mono_ms();

    if (f->kind != BATCH_FRAME || f->ignored)
        return true;
    if (f->raw_only)
        return add_event(g, f, EVENT_ALARM, "frame-refused", f->why);
    if (f->final == FRAME_QUARANTINED && !f->is_stored)
        return add_event(g, f, EVENT_ALARM, "quarantined", f->why);
    if (f->final == FRAME_REPLAYED)
        return add_event(g, f, EVENT_WARNING, "replayed", "the message counter does not rise");
    if (f->final != FRAME_OK || !f->clock_ahead || !f->device)
        return true;
    g->w->part.clock_ahead++;
    if (f->device->clock_ahead_ms && now_ms - f->device->clock_ahead_ms < CLOCK_AHEAD_MS)
        return true;
    f->device->clock_ahead_ms = now_ms;
    return add_event(g, f, EVENT_WARNING, "clock-ahead",
                     "times of the meter lie in the future: kept in the frame only");
}

static enum emt_err send_events(struct group *g, struct store *s)
{
    struct batch_write *w = g->w;
    bool ok = true;

    store_rows_clear(&w->events);
    for (size_t i = g->from; ok && i < g->to; i++)
        ok = event_of(g, w->frames.at[i]);
    if (!ok)
        return EMT_ENOMEM;
    return store_rows_count(&w->events) ? event_rows_send(s, g->tenant, &w->events) : EMT_OK;
}

/* Formats learnt since the last commit of the tenant. */
static struct registry_tenant *tenant_of(const struct group *g)
{
    for (size_t i = g->from; i < g->to; i++) {
        if (g->w->frames.at[i]->device)
            return g->w->frames.at[i]->device->tenant;
    }
    return NULL;
}

static enum emt_err send_formats(struct group *g, struct store *s)
{
    const struct registry_tenant *t = tenant_of(g);
    bool ok = true;

    if (!t || !t->formats_unsaved)
        return EMT_OK;
    store_rows_clear(&g->w->formats);
    for (unsigned i = 0; ok && i < t->nformats; i++) {
        const struct registry_format *f = &t->formats[i];
        struct format_row row = { f->manufacturer, f->version,    f->type,    f->signature,
                                  f->header,       f->header_len, f->verified };

        if (!f->saved)
            ok = format_rows_add(&g->w->formats, &row);
    }
    return ok ? format_rows_send(s, g->tenant, &g->w->formats, g->w->now) : EMT_ENOMEM;
}

/* Kept waiting for a key, a policy or a format: were these still missing just now? */
static bool waits(const struct batch_frame *f)
{
    enum frame_retry retry = frame_state_retry(f->final);

    return f->kind == BATCH_FRAME && !f->ignored && !f->raw_only && f->device &&
           f->device->device &&
           (retry == FRAME_RETRY_KEY || retry == FRAME_RETRY_POLICY || retry == FRAME_RETRY_FORMAT);
}

static enum emt_err send_stale(struct group *g, struct store *s)
{
    struct batch_write *w = g->w;
    const struct registry_tenant *t = tenant_of(g);
    int64_t last = 0;
    bool ok = true;

    if (w->replay || !t)
        return EMT_OK;
    store_array_clear(w->device_ids);
    for (size_t i = g->from; ok && i < g->to; i++) {
        const struct batch_frame *f = w->frames.at[i];

        if (!waits(f) || f->device->device == last)
            continue;
        last = f->device->device;
        ok = store_array_int(w->device_ids, last); /* repeated ones are one job */
    }
    if (!ok)
        return EMT_ENOMEM;
    if (store_array_count(w->device_ids) == 0)
        return EMT_OK;
    return registry_stale_send(s, g->tenant, t->version, w->device_ids, got_nothing, g);
}

/* ---- flights 2 and 3 ---- */

enum emt_err batch_write_flight2(struct batch_write *w, struct store *s)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; !err && i < w->groups.n; i++) {
        struct group *g = &w->groups.at[i];

        judge_group(g);
        if (!gather_values(g))
            return EMT_ENOMEM;
        err = store_send_tenant(s, g->tenant);
        if (!err)
            err = send_values(g, s);
        if (!err)
            err = send_frames(g, s);
        if (!err)
            err = send_counters(g, s);
        if (!err)
            err = send_events(g, s);
        if (!err)
            err = send_stale(g, s);
        if (!err)
            err = send_formats(g, s);
    }
    return err;
}

static void got_conflicts(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (!fails(g->w, err))
        g->w->part.conflicts += (uint64_t)store_affected(r);
}

static bool may_conflict(const struct group *g, enum row_place place)
{
    return g->losers[place] || g->touched[place] < g->sent[place];
}

enum emt_err batch_write_flight3(struct batch_write *w, struct store *s)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; !err && i < w->groups.n; i++) {
        struct group *g = &w->groups.at[i];

        if (!may_conflict(g, ROW_HOT) && !may_conflict(g, ROW_LATE))
            continue;
        err = store_send_tenant(s, g->tenant);
        if (!err && may_conflict(g, ROW_HOT)) {
            if (!fill_readings(g, ROW_HOT, true))
                return EMT_ENOMEM;
            err = reading_conflict_send(s, g->tenant, &w->readings, w->now, got_conflicts, g);
        }
        if (!err && may_conflict(g, ROW_LATE)) {
            if (!fill_readings(g, ROW_LATE, true))
                return EMT_ENOMEM;
            err = reading_late_conflict_send(s, g->tenant, &w->readings, w->now, got_conflicts, g);
        }
    }
    return err;
}

static void remember(const struct value_row *row)
{
    struct registry_channel *c = &row->v->device->channels[row->v->channel];

    if (row->outranked || (c->has_last && row->v->ts < c->last_ts))
        return;
    c->has_last = true;
    c->last_ts = row->v->ts;
    c->last = row->v->value;
    c->last_quality = row->v->quality;
    if (row->v->is_text)
        text_hash(row->v->text, c->last_text);
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
    for (size_t i = 0; i < w->rows.n; i++)
        remember(&w->rows.at[i]);
    for (size_t i = 0; i < w->groups.n; i++) {
        struct registry_tenant *t = tenant_of(&w->groups.at[i]);

        if (!t || !t->formats_unsaved)
            continue;
        for (unsigned k = 0; k < t->nformats; k++)
            t->formats[k].saved = true;
        t->formats_unsaved = false;
    }
    for (size_t i = 0; i < w->frames.n; i++)
        w->frames.at[i]->done = true;
    add_stats(w->stats, &w->part);
}

/* ---- settling ---- */

static void got_settled(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct group *g = ctx;

    if (fails(g->w, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct batch_source *s = source_of_row(g, r, i, 3);

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

    for (size_t i = 0; !err && i < w->groups.n; i++) {
        struct group *g = &w->groups.at[i];

        if (!fill_cursors(g))
            return EMT_ENOMEM;
        err = store_send_tenant(s, g->tenant);
        if (!err)
            err = cursor_settle_send(s, g->tenant, &w->cursors, w->now, got_settled, g);
    }
    return err ? err : store_send_commit(s, committed, ctx);
}
