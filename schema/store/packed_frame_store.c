/* Packs are walked in the order asked for until none of those left can have a frame that counts. */
#include "base/reader.h"
#include "store/raw_pack_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PACKS_LOT 16

enum { NEWEST, NEWEST_DEVICE, OF_DEVICE, ONE, DEVICES, STATEMENTS };

/* clang-format off */
#define NEWEST_SELECT \
    "SELECT p.gateway_id, g.external_id, p.last_stored, p.last_stored, p.part, p.data" \
    " FROM raw_pack p JOIN gateway g ON g.tenant_id = p.tenant_id AND g.gateway_id = p.gateway_id" \
    " WHERE p.tenant_id = $1 AND ($3::text IS NULL OR g.external_id = $3)" \
    " AND (p.states & $4::int4) <> 0 AND p.last_stored >= coalesce($5, '-infinity'::timestamptz)" \
    " AND p.first_stored <= coalesce($6, 'infinity'::timestamptz)" \
    " AND ($7::timestamptz IS NULL" \
    "  OR (p.last_stored, p.gateway_id, p.part) < ($7, $8::int8, $9::int4))" \
    " AND p.last_stored <= coalesce($7, 'infinity'::timestamptz)"
#define NEWEST_ORDER " ORDER BY p.last_stored DESC, p.gateway_id DESC, p.part DESC LIMIT $10::int4"

static const struct store_statement statements[STATEMENTS] = {
    [NEWEST] = { "packed_newest", 10, NEWEST_SELECT " AND $2::int8 = 0" NEWEST_ORDER },
    [NEWEST_DEVICE] = { "packed_newest_device", 10,
        NEWEST_SELECT " AND p.devices @> ARRAY[$2::int8]" NEWEST_ORDER },
    [OF_DEVICE] = { "packed_of_device", 9,
        "SELECT p.gateway_id, ''::text, p.first_received, p.last_stored, p.part, p.data"
        " FROM raw_pack p WHERE p.tenant_id = $1 AND p.devices @> ARRAY[$2::int8]"
        " AND (p.states & $3::int4) <> 0 AND p.last_received >= $4::timestamptz"
        " AND ($5::timestamptz IS NULL OR (p.first_received, p.gateway_id, p.last_stored, p.part)"
        "  > ($5, $6::int8, $7::timestamptz, $8::int4))"
        " ORDER BY p.first_received, p.gateway_id, p.last_stored, p.part LIMIT $9::int4" },
    [ONE] = { "packed_one", 3,
        "SELECT p.gateway_id, g.external_id, p.last_stored, p.last_stored, p.part, p.data"
        " FROM gateway g JOIN raw_pack p ON p.tenant_id = $1 AND p.gateway_id = g.gateway_id"
        " AND p.first_seq <= $3::int8 AND p.last_seq >= $3"
        " WHERE g.tenant_id = $1 AND g.external_id = $2 ORDER BY p.last_stored DESC" },
    [DEVICES] = { "packed_devices", 2,
        "SELECT device_id, ident, assignment, accept_plaintext FROM device"
        " WHERE tenant_id = $1 AND device_id = ANY($2::int8[]) ORDER BY device_id" },
};
/* clang-format on */

const struct store_statement *packed_frame_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* ---- hits ---- */

void packed_hits_release(struct packed_hits *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->list[i].memory);
    free(h->list);
    *h = (struct packed_hits){ 0 };
}

static bool hits_add(struct packed_hits *h, int64_t gateway, const char *gateway_id,
                     const struct packed_frame *f)
{
    size_t fixed = 32, len = fixed + f->reason_len + f->len;

    if (h->n == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 64;
        struct packed_hit *list = realloc(h->list, cap * sizeof *list);

        if (!list)
            return false;
        h->list = list;
        h->cap = cap;
    }
    struct packed_hit *hit = &h->list[h->n];
    uint8_t *m = malloc(len);
    if (!m)
        return false;
    *hit = (struct packed_hit){ .gateway = gateway, .f = *f, .memory = m };
    snprintf(hit->gateway_id, sizeof hit->gateway_id, "%s", gateway_id);
    memcpy(m, f->spool_id, 16);
    if (f->hash)
        memcpy(m + 16, f->hash, 16);
    memcpy(m + fixed, f->reason, f->reason_len);
    memcpy(m + fixed + f->reason_len, f->data, f->len);
    hit->f.spool_id = m;
    hit->f.hash = f->hash ? m + 16 : NULL;
    hit->f.reason = (const char *)m + fixed;
    hit->f.data = m + fixed + f->reason_len;
    h->n++;
    return true;
}

static int compare3(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int newest_first(const void *a, const void *b)
{
    const struct packed_hit *x = a, *y = b;
    int by = compare3(y->f.stored_at, x->f.stored_at);

    if (by == 0)
        by = compare3(y->gateway, x->gateway);
    return by ? by : compare3(y->f.seq, x->f.seq);
}

static int oldest_received(const void *a, const void *b)
{
    const struct packed_hit *x = a, *y = b;
    int by = compare3(x->f.received_at, y->f.received_at);

    if (by == 0)
        by = compare3(x->gateway, y->gateway);
    if (by == 0)
        by = compare3(x->f.seq, y->f.seq);
    return by ? by : memcmp(x->f.spool_id, y->f.spool_id, 16);
}

/* ---- the walk ---- */

struct walk {
    struct store *s;
    int32_t tenant;
    const struct store_statement *st;
    struct store_param *p;
    unsigned cursor;  /* first of the parameters that say where the last lot ended */
    bool with_stored; /* the cursor has last_stored besides */
    int (*order)(const void *a, const void *b);
    bool (*fits)(const void *ctx, int64_t gateway, const struct packed_frame *f);
    /* Whether a pack with this key, and all behind it, comes too late for what is there. */
    bool (*beyond)(emt_time key, const struct packed_hit *last);
    const void *ctx;
    size_t limit;
    struct packed_hits *out;
};

static void trim(struct walk *w)
{
    qsort(w->out->list, w->out->n, sizeof *w->out->list, w->order);
    while (w->out->n > w->limit)
        free(w->out->list[--w->out->n].memory);
}

static enum emt_err take_pack(struct walk *w, const struct store_result *r, int i)
{
    size_t len;
    const uint8_t *data = c_bytes(r, i, 5, &len);
    struct frame_pack pack;
    enum emt_err err = frame_pack_decode(data, len, &pack);

    if (err != EMT_OK)
        return emt_err_class(err) == EMT_CLASS_BROKEN ? err : EMT_EMALFORMED;
    for (size_t k = 0; err == EMT_OK && k < pack.n; k++) {
        if (w->fits(w->ctx, c_int(r, i, 0), &pack.frames[k]) &&
            !hits_add(w->out, c_int(r, i, 0), c_text(r, i, 1), &pack.frames[k]))
            err = EMT_ENOMEM;
    }
    frame_pack_release(&pack);
    if (w->out->n > 0)
        trim(w);
    return err;
}

/* Where the next lot begins: behind the last row of this one. */
static void move_cursor(struct walk *w, const struct store_result *r, int i)
{
    struct store_param *p = w->p + w->cursor;

    p_time(p++, c_time(r, i, 2));
    p_int8(p++, c_int(r, i, 0));
    if (w->with_stored)
        p_time(p++, c_time(r, i, 3));
    p_int4(p, (int32_t)c_int(r, i, 4));
}

static enum emt_err walk(struct walk *w)
{
    enum emt_err err = EMT_OK;
    bool more = w->limit > 0;

    while (err == EMT_OK && more) {
        struct store_result *r;

        err = store_run(w->s, w->st, w->p, &r);
        if (err != EMT_OK)
            break;
        int n = store_rows(r);
        more = n == PACKS_LOT;
        for (int i = 0; err == EMT_OK && i < n; i++) {
            if (w->out->n == w->limit && w->beyond(c_time(r, i, 2), &w->out->list[w->limit - 1])) {
                more = false;
                break;
            }
            err = take_pack(w, r, i);
        }
        if (err == EMT_OK && more)
            move_cursor(w, r, n - 1);
        store_result_free(r);
    }
    if (err != EMT_OK)
        packed_hits_release(w->out);
    return err;
}

/* ---- newest first ---- */

static bool fits_filter(const void *ctx, int64_t gateway, const struct packed_frame *f)
{
    const struct packed_filter *q = ctx;
    struct packed_hit hit = { .gateway = gateway, .f = *f };
    struct packed_hit before = { .gateway = q->before_gateway,
                                 .f = { .stored_at = q->before, .seq = q->before_seq } };

    return (q->device == 0 || f->device == q->device) && f->state < 32 &&
           (q->states >> f->state & 1u) && (q->from == EMT_TIME_NONE || f->stored_at >= q->from) &&
           (q->to == EMT_TIME_NONE || f->stored_at < q->to) &&
           (q->before == EMT_TIME_NONE || newest_first(&before, &hit) < 0);
}

static bool older(emt_time key, const struct packed_hit *last)
{
    return key < last->f.stored_at;
}

enum emt_err packed_newest(struct store *s, int32_t tenant, const struct packed_filter *f,
                           size_t limit, struct packed_hits *out)
{
    struct store_param p[10];
    struct walk w = { .s = s,
                      .tenant = tenant,
                      .st = &statements[f->device ? NEWEST_DEVICE : NEWEST],
                      .p = p,
                      .cursor = 6,
                      .order = newest_first,
                      .fits = fits_filter,
                      .beyond = older,
                      .ctx = f,
                      .limit = limit,
                      .out = out };
    emt_time until = f->to;

    *out = (struct packed_hits){ 0 };
    if (f->before != EMT_TIME_NONE && (until == EMT_TIME_NONE || f->before < until))
        until = f->before;
    p_int4(&p[0], tenant);
    p_int8(&p[1], f->device);
    p_text(&p[2], f->gateway);
    p_int4(&p[3], (int32_t)f->states);
    p_time(&p[4], f->from);
    p_time(&p[5], until);
    for (unsigned i = 6; i < 9; i++)
        p_null(&p[i]);
    p_int4(&p[9], PACKS_LOT);
    return walk(&w);
}

/* ---- of a device, in order of reception ---- */

struct behind {
    int64_t device;
    uint32_t states;
    struct packed_hit at;
};

static bool fits_behind(const void *ctx, int64_t gateway, const struct packed_frame *f)
{
    const struct behind *b = ctx;
    struct packed_hit hit = { .gateway = gateway, .f = *f };

    return f->device == b->device && f->state < 32 && (b->states >> f->state & 1u) &&
           oldest_received(&hit, &b->at) > 0;
}

static bool received_later(emt_time key, const struct packed_hit *last)
{
    return key > last->f.received_at;
}

enum emt_err packed_of_device(struct store *s, int32_t tenant, int64_t device, uint32_t states,
                              emt_time received_at, int64_t gateway, int64_t seq,
                              const uint8_t spool[16], size_t limit, struct packed_hits *out)
{
    struct behind behind = {
        device,
        states,
        { .gateway = gateway, .f = { .received_at = received_at, .seq = seq, .spool_id = spool } },
    };
    struct store_param p[9];
    struct walk w = { .s = s,
                      .tenant = tenant,
                      .st = &statements[OF_DEVICE],
                      .p = p,
                      .cursor = 4,
                      .with_stored = true,
                      .order = oldest_received,
                      .fits = fits_behind,
                      .beyond = received_later,
                      .ctx = &behind,
                      .limit = limit,
                      .out = out };

    *out = (struct packed_hits){ 0 };
    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    p_int4(&p[2], (int32_t)states);
    p_time(&p[3], received_at);
    for (unsigned i = 4; i < 8; i++)
        p_null(&p[i]);
    p_int4(&p[8], PACKS_LOT);
    return walk(&w);
}

/* ---- one ---- */

enum emt_err packed_one(struct store *s, int32_t tenant, const char *gateway,
                        const uint8_t spool[16], int64_t seq, struct packed_hits *out)
{
    struct store_param p[3];
    struct store_result *r;

    *out = (struct packed_hits){ 0 };
    p_int4(&p[0], tenant);
    p_text(&p[1], gateway);
    p_int8(&p[2], seq);
    enum emt_err err = store_run(s, &statements[ONE], p, &r);
    if (err != EMT_OK)
        return err;
    for (int i = 0; err == EMT_OK && out->n == 0 && i < store_rows(r); i++) {
        struct frame_pack pack;
        size_t len;
        const uint8_t *data = c_bytes(r, i, 5, &len);

        if (frame_pack_decode(data, len, &pack) != EMT_OK) {
            err = EMT_EMALFORMED;
            break;
        }
        for (size_t k = 0; err == EMT_OK && out->n == 0 && k < pack.n; k++) {
            const struct packed_frame *f = &pack.frames[k];

            if (f->seq == seq && memcmp(f->spool_id, spool, 16) == 0 &&
                !hits_add(out, c_int(r, i, 0), c_text(r, i, 1), f))
                err = EMT_ENOMEM;
        }
        frame_pack_release(&pack);
    }
    store_result_free(r);
    return err;
}

enum emt_err packed_devices(struct store *s, int32_t tenant, const struct packed_hits *h,
                            struct store_result **out)
{
    struct store_array *ids = store_array_new(STORE_INT8);
    struct store_param p[2];
    bool ok = ids != NULL;

    for (size_t i = 0; ok && i < h->n; i++)
        ok = store_array_int(ids, h->list[i].f.device);
    p_int4(&p[0], tenant);
    p_array(&p[1], ids);
    enum emt_err err = ok ? store_run(s, &statements[DEVICES], p, out) : EMT_ENOMEM;
    store_array_free(ids);
    return err;
}
