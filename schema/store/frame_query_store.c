#include "store/frame_query_store.h"

#include "raw_pack_read.h"
#include "result_edit.h"
#include "store/frame_store.h"
#include "store/raw_pack_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_LIST, FRAME_LIST_DEVICE, EVENT_LIST, CONFLICT_LIST, WAITING_COUNT, STATEMENTS };

/* clang-format off */
#define FRAME_SELECT \
    "SELECT (extract(epoch from f.stored_at) * 1000000)::int8" \
    "  || '.' || f.gateway_id || '.' || f.seq," \
    " g.external_id, encode(f.spool_id, 'hex'), f.seq, f.received_at, f.stored_at, d.ident," \
    " f.protocol, f.state, f.reason, f.rssi_dbm, f.data" \
    " FROM raw_frame f" \
    " JOIN gateway g ON g.tenant_id = f.tenant_id AND g.gateway_id = f.gateway_id" \
    " LEFT JOIN device d ON d.tenant_id = f.tenant_id AND d.device_id = f.device_id"
/* Plain bounds on stored_at leave out the days that cannot have a row. */
#define FRAME_WHERE \
    " WHERE f.tenant_id = $1 AND ($2::int8 = 0 OR f.device_id = $2)" \
    " AND ($3::text IS NULL OR g.external_id = $3) AND ($4::int2 IS NULL OR f.state = $4)" \
    " AND f.stored_at <= coalesce($5, 'infinity'::timestamptz)" \
    " AND ($5::timestamptz IS NULL OR (f.stored_at, f.gateway_id, f.seq) < ($5, $6, $7))" \
    " AND f.stored_at >= coalesce($9, '-infinity'::timestamptz)" \
    " AND f.stored_at < coalesce($10, 'infinity'::timestamptz)"
#define FRAME_ORDER " ORDER BY f.stored_at DESC, f.gateway_id DESC, f.seq DESC LIMIT $8"

static const struct store_statement statements[STATEMENTS] = {
    [FRAME_LIST] = { "frame_list", 10,
        FRAME_SELECT FRAME_WHERE FRAME_ORDER },
    [FRAME_LIST_DEVICE] = { "frame_list_device", 10,
        FRAME_SELECT FRAME_WHERE " AND f.device_id = $2" FRAME_ORDER },
    [EVENT_LIST] = { "event_list", 7,
        "SELECT e.event_id::text, e.event_id, e.at, e.severity, e.kind, g.external_id, d.ident,"
        " e.detail"
        " FROM event e"
        " LEFT JOIN gateway g ON g.tenant_id = e.tenant_id AND g.gateway_id = e.gateway_id"
        " LEFT JOIN device d ON d.tenant_id = e.tenant_id AND d.device_id = e.device_id"
        " WHERE e.tenant_id = $1 AND ($2::int8 = 0 OR e.event_id < $2)"
        " AND ($4::int2 IS NULL OR e.severity = $4) AND ($5::text IS NULL OR e.kind = $5)"
        " AND ($6::timestamptz IS NULL OR e.at >= $6) AND ($7::timestamptz IS NULL OR e.at < $7)"
        " ORDER BY e.event_id DESC LIMIT $3" },
    /* Rows are numbered before OFFSET leaves the first ones out. */
    [CONFLICT_LIST] = { "conflict_list", 3,
        "SELECT (row_number() OVER (ORDER BY seen_at, channel_id, ts, mantissa, exponent))::text,"
        " channel_id, ts, mantissa, exponent, kept_mantissa, kept_exponent, seen_at"
        " FROM reading_conflict WHERE tenant_id = $1 AND resolved_at IS NULL"
        " ORDER BY seen_at, channel_id, ts, mantissa, exponent OFFSET $2 LIMIT $3" },
    [WAITING_COUNT] = { "waiting_count", 8,
        "SELECT count(*) FROM (SELECT FROM raw_frame f"
        " LEFT JOIN device d ON d.tenant_id = $1 AND d.device_id = f.device_id"
        " WHERE f.tenant_id = $1 AND f.state = ANY($2::int2[])"
        " AND f.state IN (1, 2, 3, 6, 7, 8, 10, 11) AND ($3::int8 = 0 OR f.device_id = $3)"
        " AND ($4::text IS NULL OR d.manufacturer = $4) AND ($5::text IS NULL OR d.number = $5)"
        " AND ($6::int2 IS NULL OR d.version = $6) AND ($7::int2 IS NULL OR d.type = $7)"
        " LIMIT $8) w" },
};
/* clang-format on */

const struct store_statement *frame_query_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* ---- frames, stored and packed ---- */

/* Columns of FRAME_SELECT. */
enum {
    COL_CURSOR,
    COL_GATEWAY,
    COL_SPOOL,
    COL_SEQ,
    COL_RECEIVED,
    COL_STORED,
    COL_DEVICE,
    COL_PROTOCOL,
    COL_STATE,
    COL_REASON,
    COL_RSSI,
    COL_DATA
};

static const char *ident_of(const struct store_result *devices, int64_t device)
{
    for (int i = 0; device != 0 && i < store_rows(devices); i++) {
        if (c_int(devices, i, 0) == device)
            return c_text(devices, i, 1);
    }
    return NULL;
}

static void hex_of(const uint8_t id[16], char out[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

bool frame_row_put(struct store_result *to, const struct packed_hit *h,
                   const struct store_result *devices)
{
    int row = store_rows(to);
    char cursor[80], spool[33];
    const struct packed_frame *f = &h->f;

    snprintf(cursor, sizeof cursor, "%" PRId64 ".%" PRId64 ".%" PRId64, f->stored_at, h->gateway,
             f->seq);
    hex_of(f->spool_id, spool);
    return result_put_text(to, row, COL_CURSOR, cursor) &&
           result_put_text(to, row, COL_GATEWAY, h->gateway_id) &&
           result_put_text(to, row, COL_SPOOL, spool) &&
           result_put_int(to, row, COL_SEQ, f->seq, 8) &&
           result_put_time(to, row, COL_RECEIVED, f->received_at) &&
           result_put_time(to, row, COL_STORED, f->stored_at) &&
           result_put_text(to, row, COL_DEVICE, ident_of(devices, f->device)) &&
           result_put_int(to, row, COL_PROTOCOL, f->protocol, 2) &&
           result_put_int(to, row, COL_STATE, f->state, 2) &&
           result_put_bytes(to, row, COL_REASON, f->reason, f->reason_len) &&
           (f->has_rssi ? result_put_int(to, row, COL_RSSI, f->rssi_dbm, 2)
                        : result_put_null(to, row, COL_RSSI)) &&
           result_put_bytes(to, row, COL_DATA, f->data, f->len);
}

/* <0: the row comes first, >0: the packed frame does; 0: it is the same frame, which was packed
 * between the two looks. */
static int compare_row(const struct store_result *rows, int i, const struct packed_hit *h)
{
    const char *p = strchr(c_text(rows, i, COL_CURSOR), '.');
    int64_t row[3] = { c_time(rows, i, COL_STORED), p ? strtoll(p + 1, NULL, 10) : 0,
                       c_int(rows, i, COL_SEQ) };
    int64_t hit[3] = { h->f.stored_at, h->gateway, h->f.seq };
    char spool[33];

    for (int k = 0; k < 3; k++) {
        if (row[k] != hit[k])
            return row[k] > hit[k] ? -1 : 1;
    }
    hex_of(h->f.spool_id, spool);
    return strcmp(c_text(rows, i, COL_SPOOL), spool) == 0 ? 0 : -1;
}

static enum emt_err merge_rows(struct store_result **rows, const struct packed_hits *h,
                               const struct store_result *devices, int limit)
{
    struct store_result *to = result_like(*rows);
    bool ok = to != NULL;
    size_t k = 0;
    int i = 0;

    while (ok && store_rows(to) < limit && (i < store_rows(*rows) || k < h->n)) {
        int by = i == store_rows(*rows) ? 1 : k == h->n ? -1 : compare_row(*rows, i, &h->list[k]);

        k += by == 0;
        ok = by <= 0 ? result_copy_row(to, *rows, i++) : frame_row_put(to, &h->list[k++], devices);
    }
    if (!ok) {
        store_result_free(to);
        return EMT_ENOMEM;
    }
    store_result_free(*rows);
    *rows = to;
    return EMT_OK;
}

/* The packed frames that belong into a list come into it. Rows were read before: what is packed
 * meanwhile is seen twice and not never. */
static enum emt_err add_packed(struct store *s, int32_t tenant, const struct frame_filter *f,
                               emt_time before, int64_t before_gateway, int64_t before_seq,
                               int limit, struct store_result **rows)
{
    struct packed_filter q = { .device = f->device,
                               .gateway = f->gateway,
                               .states = f->state < 0    ? RAW_PACK_STATES
                                         : f->state < 31 ? UINT32_C(1) << f->state & RAW_PACK_STATES
                                                         : 0,
                               .from = f->from,
                               .to = f->to,
                               .before = before,
                               .before_gateway = before_gateway,
                               .before_seq = before_seq };
    struct packed_hits hits;
    struct store_result *devices = NULL;

    if (q.states == 0 || limit < 1)
        return EMT_OK;
    if (store_rows(*rows) == limit) /* older ones have no place */
        q.from = c_time(*rows, limit - 1, COL_STORED);
    enum emt_err err = packed_newest(s, tenant, &q, (size_t)limit, &hits);
    if (err != EMT_OK || hits.n == 0)
        return err;
    err = packed_devices(s, tenant, &hits, &devices);
    if (err == EMT_OK)
        err = merge_rows(rows, &hits, devices, limit);
    store_result_free(devices);
    packed_hits_release(&hits);
    return err;
}

enum emt_err frame_list(struct store *s, int32_t tenant, const struct frame_filter *f,
                        emt_time before, int64_t before_gateway, int64_t before_seq, int limit,
                        struct store_result **out)
{
    struct store_param p[10];

    p_int4(&p[0], tenant);
    p_int8(&p[1], f->device);
    p_text(&p[2], f->gateway);
    if (f->state < 0)
        p_null(&p[3]);
    else
        p_int2(&p[3], (int16_t)f->state);
    p_time(&p[4], before);
    p_int8(&p[5], before_gateway);
    p_int8(&p[6], before_seq);
    p_int8(&p[7], limit);
    p_time(&p[8], f->from);
    p_time(&p[9], f->to);
    enum emt_err err =
        store_run(s, &statements[f->device ? FRAME_LIST_DEVICE : FRAME_LIST], p, out);
    if (err != EMT_OK)
        return err;
    err = add_packed(s, tenant, f, before, before_gateway, before_seq, limit, out);
    if (err != EMT_OK) {
        store_result_free(*out);
        *out = NULL;
    }
    return err;
}

enum emt_err event_list(struct store *s, int32_t tenant, const struct event_filter *f,
                        int64_t before, int limit, struct store_result **out)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int8(&p[1], before);
    p_int8(&p[2], limit);
    if (f->severity < 0)
        p_null(&p[3]);
    else
        p_int2(&p[3], (int16_t)f->severity);
    p_text(&p[4], f->kind);
    p_time(&p[5], f->from);
    p_time(&p[6], f->to);
    return store_run(s, &statements[EVENT_LIST], p, out);
}

enum emt_err conflict_list(struct store *s, int32_t tenant, int64_t after, int limit,
                           struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[CONFLICT_LIST], p, out);
}

static void byte_param(struct store_param *p, int v)
{
    if (v < 0)
        p_null(p);
    else
        p_int2(p, (int16_t)v);
}

enum emt_err waiting_count(struct store *s, int32_t tenant, int64_t device,
                           const struct waiting_filter *f, int64_t most, int64_t *n)
{
    struct store_array *states = store_array_new(STORE_INT2);
    struct store_param p[8];
    bool ok = states != NULL;

    for (int i = 0; ok && i < 32; i++)
        ok = !(f->states >> i & 1u) || store_array_int(states, i);
    if (!ok) {
        store_array_free(states);
        return EMT_ENOMEM;
    }
    p_int4(&p[0], tenant);
    p_array(&p[1], states);
    p_int8(&p[2], device);
    p_text(&p[3], f->manufacturer);
    p_text(&p[4], f->number);
    byte_param(&p[5], f->version);
    byte_param(&p[6], f->type);
    p_int8(&p[7], most);
    enum emt_err err = store_run_number(s, &statements[WAITING_COUNT], p, n);
    store_array_free(states);
    return err;
}
