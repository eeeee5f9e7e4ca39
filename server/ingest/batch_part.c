#include "batch_part.h"

#include "store/ingest_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FIRST_ROOM 64

/* ---- storage ---- */

static bool room(void **at, size_t *cap, size_t want, size_t size)
{
    size_t more = *cap ? *cap : FIRST_ROOM;
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
#define ROOM(p, list, want) room((void **)&(p)->list, &(p)->list##_cap, (want), sizeof(*(p)->list))

void batch_part_release(struct batch_part *p)
{
    free(p->frames);
    free(p->groups);
    free(p->sources);
    free(p->locks);
    free(p->leads);
    memset(p, 0, sizeof *p);
}

/* ---- gathering ---- */

static bool is_out(const struct batch_frame *f)
{
    return f->done || f->deferred || f->source->gone;
}

/* Decoded, its meter known, and to be counted once. */
bool batch_part_counts(const struct batch_frame *f)
{
    return f->kind == BATCH_FRAME && f->state == FRAME_OK && !f->raw_only && !f->ignored &&
           f->device && f->device->device != 0;
}

static bool is_lead(const struct batch_frame *f)
{
    return batch_part_counts(f) && batch_is_radio(f) && f->has_hash;
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
static bool gather_sources(struct batch_part *p, struct part_group *g)
{
    g->source_from = p->nsources;
    for (size_t i = g->frame_from; i < g->frame_to; i++) {
        struct batch_frame *f = p->frames[i];
        struct batch_source *s = f->source;

        if (s->mark != p->mark) {
            s->mark = p->mark;
            s->reach = s->nframes = 0;
            s->hit = false;
            if (!ROOM(p, sources, p->nsources + 1))
                return false;
            p->sources[p->nsources++] = s;
        }
        if (f->seq > s->reach)
            s->reach = f->seq;
        s->nframes += f->kind == BATCH_FRAME && !f->ignored;
    }
    g->source_to = p->nsources;
    if (g->source_to > g->source_from)
        qsort(&p->sources[g->source_from], g->source_to - g->source_from, sizeof(void *),
              compare_sources);
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct part_lock *x = a, *y = b;

    return (x->device > y->device) - (x->device < y->device);
}

static bool gather_locks(struct batch_part *p, struct part_group *g)
{
    size_t n;

    g->lock_from = n = p->nlocks;
    for (size_t i = g->frame_from; i < g->frame_to; i++) {
        const struct batch_frame *f = p->frames[i];

        if (!batch_part_counts(f) || !(is_lead(f) || f->has_counter))
            continue;
        if (!ROOM(p, locks, p->nlocks + 1))
            return false;
        p->locks[p->nlocks++] = (struct part_lock){ f->device->device, -1, EMT_TIME_NONE, false };
    }
    if (p->nlocks > n)
        qsort(&p->locks[n], p->nlocks - n, sizeof *p->locks, compare_ids);
    for (size_t i = n; i < p->nlocks; i++) {
        if (n == g->lock_from || p->locks[n - 1].device != p->locks[i].device)
            p->locks[n++] = p->locks[i];
    }
    g->lock_to = p->nlocks = n;
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
static bool gather_leads(struct batch_part *p, struct part_group *g)
{
    size_t n;

    g->lead_from = n = p->nleads;
    for (size_t i = g->frame_from; i < g->frame_to; i++) {
        struct batch_frame *f = p->frames[i];

        f->fresh = batch_part_counts(f) && !is_lead(f);
        if (!is_lead(f))
            continue;
        if (!ROOM(p, leads, p->nleads + 1))
            return false;
        p->leads[p->nleads++] = f;
    }
    if (p->nleads > n)
        qsort(&p->leads[n], p->nleads - n, sizeof(void *), compare_leads);
    for (size_t i = n; i < p->nleads; i++) {
        struct batch_frame *f = p->leads[i];
        const struct batch_frame *last = n > g->lead_from ? p->leads[n - 1] : NULL;

        if (!last || compare_telegram(last, f) != 0 ||
            f->received_at - last->received_at > TELEGRAM_SLOT)
            p->leads[n++] = f;
    }
    g->lead_to = p->nleads = n;
    return true;
}

static bool gather(struct batch_part *p, struct part_group *g)
{
    return gather_sources(p, g) && gather_locks(p, g) && gather_leads(p, g);
}

static bool add_frame(struct batch_part *p, struct batch_frame *f)
{
    struct part_group *g = p->ngroups ? &p->groups[p->ngroups - 1] : NULL;

    if (!ROOM(p, frames, p->nframes + 1))
        return false;
    if (!g || g->tenant != f->source->tenant) {
        if (!ROOM(p, groups, p->ngroups + 1))
            return false;
        g = &p->groups[p->ngroups++];
        *g = (struct part_group){ .tenant = f->source->tenant, .frame_from = p->nframes };
    }
    p->frames[p->nframes++] = f;
    g->frame_to = p->nframes;
    return true;
}

enum emt_err batch_part_gather(struct batch_part *p, struct batch_frame *const *frames, size_t n)
{
    bool ok = true;

    p->mark++;
    p->nframes = p->ngroups = p->nsources = p->nlocks = p->nleads = 0;
    for (size_t i = 0; ok && i < n; i++) {
        if (!is_out(frames[i]))
            ok = add_frame(p, frames[i]);
    }
    for (size_t i = 0; ok && i < p->ngroups; i++)
        ok = gather(p, &p->groups[i]);
    return ok ? EMT_OK : EMT_ENOMEM;
}

/* ---- finding ---- */

struct batch_source *batch_part_source(const struct batch_part *p, const struct part_group *g,
                                       int64_t gateway, const uint8_t spool_id[16], int64_t epoch)
{
    struct batch_source key = { .gateway = gateway, .epoch = epoch };
    struct batch_source *at = &key;
    struct batch_source **found;

    if (g->source_to == g->source_from)
        return NULL;
    memcpy(key.spool_id, spool_id, sizeof key.spool_id);
    found = bsearch(&at, &p->sources[g->source_from], g->source_to - g->source_from, sizeof(void *),
                    compare_sources);
    return found ? *found : NULL;
}

struct part_lock *batch_part_lock(const struct batch_part *p, const struct part_group *g,
                                  int64_t device)
{
    struct part_lock key = { .device = device };

    if (g->lock_to == g->lock_from)
        return NULL;
    return bsearch(&key, &p->locks[g->lock_from], g->lock_to - g->lock_from, sizeof key,
                   compare_ids);
}

void batch_part_mark_fresh(struct batch_part *p, const struct part_group *g, int64_t device,
                           const uint8_t hash[16], int64_t slot)
{
    size_t lo = g->lead_from, hi = g->lead_to;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct batch_frame *f = p->leads[mid];
        int c = f->device->device != device ? (f->device->device < device ? -1 : 1)
                                            : memcmp(f->hash, hash, 16);

        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < g->lead_to; lo++) {
        struct batch_frame *f = p->leads[lo];

        if (f->device->device != device || memcmp(f->hash, hash, 16) != 0)
            return;
        if (telegram_slot(f->received_at) == slot)
            f->fresh = true;
    }
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
static bool is_replayed(struct batch_part *p, const struct part_group *g,
                        const struct batch_frame *f, emt_time now)
{
    struct part_lock *l;

    if (!f->has_counter)
        return false;
    l = batch_part_lock(p, g, f->device->device);
    if (!l)
        return false;
    if (f->counter <= l->counter)
        return l->counter_at != EMT_TIME_NONE && f->received_at > l->counter_at;
    l->counter = f->counter;
    /* A gateway whose clock is years ahead must not make every later replay look like a late one.
     */
    l->counter_at = f->received_at < now ? f->received_at : now;
    l->raised = true;
    return false;
}

static void judge(struct batch_part *p, const struct part_group *g, struct batch_frame *f,
                  emt_time now)
{
    f->final = f->state;
    if (!batch_part_counts(f))
        return;
    if (!f->fresh)
        f->final = FRAME_DUPLICATE;
    else if (is_replayed(p, g, f, now))
        f->final = FRAME_REPLAYED;
}

/* In order of reception: counters of one meter rise in that order whatever gateway brought them.
 * The order of frames[] is needed no longer. */
void batch_part_judge(struct batch_part *p, const struct part_group *g, emt_time now)
{
    qsort(&p->frames[g->frame_from], g->frame_to - g->frame_from, sizeof(void *), compare_received);
    for (size_t i = g->frame_from; i < g->frame_to; i++)
        judge(p, g, p->frames[i], now);
}
