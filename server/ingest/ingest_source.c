#include "base/map.h"
#include "ingest_internal.h"
#include "loop/metrics.h"
#include "parsers/decode.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What a frame costs beside its bytes. Credit is told in bytes, so it is an eighth of the budget:
 * enough for frames of 60 bytes and more; who fills the whole credit with shorter ones meets the
 * budget's end. */
#define FRAME_COST sizeof(struct batch_frame)
#define CREDIT_SHARE 8u
/* Most and least that one session is told. */
#define CREDIT_MOST (4u << 20)
#define CREDIT_LEAST DECODE_FRAME_MAX
#define CREDIT_LEAST_TIGHT 1024u
/* Where several tenants have sessions, one alone takes no more than this of the budget: who sends
 * short frames or gaps beyond all measure meets his own end and not that of the others. */
#define TENANT_MOST(budget) ((budget) / 4 * 3)
/* Without database for this long: no more credit. */
#define GONE_MS 5000
/* Received times outside of these are no times: 1970 to 2200. */
#define RECEIVED_FIRST INT64_C(0)
#define RECEIVED_LAST INT64_C(7258118400000000)
#define GAP_REASON_MAX 200

/* ---- budget and credit ---- */

size_t ingest_cost(const struct batch_frame *f)
{
    return f->len + FRAME_COST;
}

void ingest_pay(struct ingest *in, const struct batch_frame *f)
{
    struct source *s = f->source->owner;

    in->used -= ingest_cost(f);
    s->share->used -= ingest_cost(f);
}

/* Is there room for n more bytes of this tenant? */
static bool budget_allows(const struct ingest *in, const struct tenant_share *t, size_t n)
{
    return in->used + n <= in->budget_bytes &&
           (in->tenants < 2 || t->used + n <= TENANT_MOST(in->budget_bytes));
}

static bool database_gone(const struct ingest *in)
{
    return !in->store && clock_mono_ms() - in->down_since_ms >= GONE_MS;
}

void ingest_feel_pressure(struct ingest *in)
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

    if (!s || !s->open || s->b.gone || in->full || database_gone(in) || in->draining ||
        !budget_allows(in, s->share, CREDIT_LEAST + FRAME_COST))
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
    in->used += ingest_cost(f);
    s->share->used += ingest_cost(f);
    s->pending++;
    if (s->share->waiting++ == 0)
        in->busy++;
    s->taken = f->seq;
}

void ingest_release(struct ingest *in, struct batch_frame *f, bool paid)
{
    struct source *s = f->source->owner;

    if (!paid)
        ingest_pay(in, f);
    s->pending--;
    if (--s->share->waiting == 0)
        in->busy--;
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
    if (!budget_allows(in, s->share, FRAME_COST + GAP_REASON_MAX)) {
        metric_add(in->m.over, 1);
        return EMT_ELIMIT;
    }
    err = add_gap(in, s, from > s->taken ? from : s->taken + 1, to, reason ? reason : "");
    if (err == EMT_OK)
        ingest_proceed(in);
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
    if (!budget_allows(in, s->share, f->len + 2 * FRAME_COST)) {
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
    ingest_feel_pressure(in);
    ingest_proceed(in);
    return EMT_OK;
}
