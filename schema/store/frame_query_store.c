#include "store/frame_query_store.h"

enum { FRAME_LIST, EVENT_LIST, CONFLICT_LIST, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [FRAME_LIST] = { "frame_list", 8,
        "SELECT (extract(epoch from f.stored_at) * 1000000)::int8"
        "  || '.' || f.gateway_id || '.' || f.seq,"
        " g.external_id, encode(f.spool_id, 'hex'), f.seq, f.received_at, f.stored_at, d.ident,"
        " f.protocol, f.state, f.reason, f.rssi_dbm, f.data"
        " FROM raw_frame f"
        " JOIN gateway g ON g.tenant_id = f.tenant_id AND g.gateway_id = f.gateway_id"
        " LEFT JOIN device d ON d.tenant_id = f.tenant_id AND d.device_id = f.device_id"
        " WHERE f.tenant_id = $1 AND ($2::text IS NULL OR d.ident = $2)"
        " AND ($3::text IS NULL OR g.external_id = $3) AND ($4::int2 IS NULL OR f.state = $4)"
        " AND ($5::timestamptz IS NULL OR (f.stored_at, f.gateway_id, f.seq) < ($5, $6, $7))"
        " ORDER BY f.stored_at DESC, f.gateway_id DESC, f.seq DESC LIMIT $8" },
    [EVENT_LIST] = { "event_list", 3,
        "SELECT e.event_id::text, e.event_id, e.at, e.severity, e.kind, g.external_id, d.ident,"
        " e.detail"
        " FROM event e"
        " LEFT JOIN gateway g ON g.tenant_id = e.tenant_id AND g.gateway_id = e.gateway_id"
        " LEFT JOIN device d ON d.tenant_id = e.tenant_id AND d.device_id = e.device_id"
        " WHERE e.tenant_id = $1 AND ($2::int8 = 0 OR e.event_id < $2)"
        " ORDER BY e.event_id DESC LIMIT $3" },
    /* Rows are numbered before OFFSET leaves the first ones out. */
    [CONFLICT_LIST] = { "conflict_list", 3,
        "SELECT (row_number() OVER (ORDER BY seen_at, channel_id, ts, mantissa, exponent))::text,"
        " channel_id, ts, mantissa, exponent, kept_mantissa, kept_exponent, seen_at"
        " FROM reading_conflict WHERE tenant_id = $1 AND resolved_at IS NULL"
        " ORDER BY seen_at, channel_id, ts, mantissa, exponent OFFSET $2 LIMIT $3" },
};
/* clang-format on */

const struct store_statement *frame_query_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err frame_list(struct store *s, int32_t tenant, const char *device, const char *gateway,
                        int state, emt_time before, int64_t before_gateway, int64_t before_seq,
                        int limit, struct store_result **out)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_text(&p[1], device);
    p_text(&p[2], gateway);
    if (state < 0)
        p_null(&p[3]);
    else
        p_int2(&p[3], (int16_t)state);
    p_time(&p[4], before);
    p_int8(&p[5], before_gateway);
    p_int8(&p[6], before_seq);
    p_int8(&p[7], limit);
    return store_run(s, &statements[FRAME_LIST], p, out);
}

enum emt_err event_list(struct store *s, int32_t tenant, int64_t before, int limit,
                        struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], before);
    p_int8(&p[2], limit);
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
