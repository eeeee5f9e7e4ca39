#include "store/frame_query_store.h"

#include "store/frame_store.h"

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
    return store_run(s, &statements[f->device ? FRAME_LIST_DEVICE : FRAME_LIST], p, out);
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
