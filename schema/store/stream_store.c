#include "store/stream_store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { GATEWAYS, FRAMES, FRAME_COUNT, EVENTS, JOBS, ASKERS, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    /* As the index gateway_session_changed spells it. */
    [GATEWAYS] = { "stream_gateways", 3,
        "SELECT s.gateway_id, s.epoch, g.external_id, s.state, greatest(s.since, s.ended_at),"
        " host(s.peer), s.node_id"
        " FROM gateway_session s"
        " JOIN gateway g ON g.tenant_id = s.tenant_id AND g.gateway_id = s.gateway_id"
        " WHERE s.tenant_id = $1 AND greatest(s.since, s.ended_at) > $2::timestamptz"
        " ORDER BY greatest(s.since, s.ended_at) DESC LIMIT $3::int8" },
    [FRAMES] = { "stream_frames", 3,
        "SELECT f.gateway_id, (extract(epoch from f.stored_at) * 1000000)::int8, g.external_id,"
        " encode(f.spool_id, 'hex'), f.seq, f.received_at, f.stored_at, d.ident, f.protocol, f.state,"
        " f.reason, f.rssi_dbm, f.data"
        " FROM (SELECT * FROM raw_frame r WHERE r.tenant_id = $1 AND r.stored_at > $2::timestamptz"
        "  ORDER BY r.stored_at DESC LIMIT $3::int8) f"
        " JOIN gateway g ON g.tenant_id = f.tenant_id AND g.gateway_id = f.gateway_id"
        " LEFT JOIN device d ON d.tenant_id = f.tenant_id AND d.device_id = f.device_id"
        " ORDER BY f.stored_at DESC, f.gateway_id DESC, f.seq DESC" },
    [FRAME_COUNT] = { "stream_frame_count", 4,
        "SELECT count(*) FROM (SELECT FROM raw_frame WHERE tenant_id = $1"
        " AND stored_at > $2::timestamptz AND stored_at < $3::timestamptz LIMIT $4::int8) f" },
    [EVENTS] = { "stream_events", 3,
        "SELECT e.event_id, e.event_id, e.at, e.severity, e.kind, g.external_id, d.ident, e.detail"
        " FROM event e"
        " LEFT JOIN gateway g ON g.tenant_id = e.tenant_id AND g.gateway_id = e.gateway_id"
        " LEFT JOIN device d ON d.tenant_id = e.tenant_id AND d.device_id = e.device_id"
        " WHERE e.tenant_id = $1 AND e.event_id > $2::int8 ORDER BY e.event_id DESC LIMIT $3::int8" },
    [JOBS] = { "stream_jobs", 3,
        "SELECT id, hashtextextended(concat_ws('/', state, progress_done, progress_total, attempts,"
        "  started_at, ended_at, run_at, last_error), 0), state < 2 OR ended_at > $2::timestamptz,"
        " id, kind, state, progress_done, progress_total, created_at, started_at, ended_at, run_at,"
        " attempts, last_error, CASE WHEN ended_at > $2 THEN result::text END, created_by"
        " FROM job WHERE tenant_id = $1 ORDER BY job.id DESC LIMIT $3::int8" },
    [ASKERS] = { "stream_askers", 5,
        "SELECT a.n FROM unnest($1::int2[], $2::int8[], $3::int4[]) WITH ORDINALITY"
        "  AS a(kind, id, tenant, n)"
        " WHERE CASE a.kind"
        "  WHEN 0 THEN EXISTS (SELECT FROM api_key k JOIN tenant t ON t.id = k.tenant_id"
        "   WHERE k.tenant_id = a.tenant AND k.key_id = a.id AND k.revoked_at IS NULL"
        "   AND (k.expires_at IS NULL OR k.expires_at > $4::timestamptz) AND t.state = 0)"
        "  WHEN 1 THEN EXISTS (SELECT FROM platform_api_key k JOIN platform_user u ON u.id = k.user_id"
        "   WHERE k.id = a.id AND k.revoked_at IS NULL"
        "   AND (k.expires_at IS NULL OR k.expires_at > $4) AND u.disabled_at IS NULL"
        "   AND u.role < 2)"
        "  ELSE EXISTS (SELECT FROM user_session s JOIN platform_user u ON u.id = s.user_id"
        "   WHERE s.id = a.id AND s.expires_at > $4 AND s.seen_at > $5::timestamptz"
        "   AND u.disabled_at IS NULL AND (u.role < 2 OR EXISTS (SELECT FROM membership m"
        "    JOIN tenant t ON t.id = m.tenant_id"
        "    WHERE m.tenant_id = a.tenant AND m.user_id = u.id AND t.state = 0))) END" },
};
/* clang-format on */

const struct store_statement *stream_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* $1 the tenant, $2 a time, $3 how many. */
static enum emt_err send_since(struct store *s, unsigned statement, int32_t tenant, emt_time since,
                               int limit, store_done *done, void *ctx)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_time(&p[1], since);
    p_int8(&p[2], limit);
    return store_send(s, &statements[statement], p, done, ctx);
}

enum emt_err stream_send_gateways(struct store *s, int32_t tenant, emt_time since, int limit,
                                  store_done *done, void *ctx)
{
    return send_since(s, GATEWAYS, tenant, since, limit, done, ctx);
}

enum emt_err stream_send_frames(struct store *s, int32_t tenant, emt_time since, int limit,
                                store_done *done, void *ctx)
{
    return send_since(s, FRAMES, tenant, since, limit, done, ctx);
}

enum emt_err stream_send_frame_count(struct store *s, int32_t tenant, emt_time since,
                                     emt_time before, int most, store_done *done, void *ctx)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_time(&p[1], since);
    p_time(&p[2], before);
    p_int8(&p[3], most);
    return store_send(s, &statements[FRAME_COUNT], p, done, ctx);
}

enum emt_err stream_send_events(struct store *s, int32_t tenant, int64_t above, int limit,
                                store_done *done, void *ctx)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], above);
    p_int8(&p[2], limit);
    return store_send(s, &statements[EVENTS], p, done, ctx);
}

enum emt_err stream_send_jobs(struct store *s, int32_t tenant, emt_time since, int limit,
                              store_done *done, void *ctx)
{
    return send_since(s, JOBS, tenant, since, limit, done, ctx);
}

static bool add_askers(struct store_array *const column[3], const struct stream_asker *askers,
                       size_t n)
{
    bool ok = column[0] && column[1] && column[2];

    for (size_t i = 0; i < n && ok; i++)
        ok = store_array_int(column[0], (int64_t)askers[i].kind) &&
             store_array_int(column[1], askers[i].id) &&
             store_array_int(column[2], askers[i].tenant);
    return ok;
}

enum emt_err stream_askers_good(struct store *s, const struct stream_asker *askers, size_t n,
                                emt_time now, emt_time idle_since, bool *good)
{
    struct store_array *column[3] = { store_array_new(STORE_INT2), store_array_new(STORE_INT8),
                                      store_array_new(STORE_INT4) };
    struct store_result *r = NULL;
    struct store_param p[5];
    enum emt_err err = add_askers(column, askers, n) ? EMT_OK : EMT_ENOMEM;

    if (err == EMT_OK) {
        for (unsigned i = 0; i < 3; i++)
            p_array(&p[i], column[i]);
        p_time(&p[3], now);
        p_time(&p[4], idle_since);
        err = store_run(s, &statements[ASKERS], p, &r);
    }
    if (err == EMT_OK) {
        memset(good, 0, n * sizeof *good);
        for (int i = 0; i < store_rows(r); i++)
            good[c_int(r, i, 0) - 1] = true;
        store_result_free(r);
    }
    for (unsigned i = 0; i < 3; i++)
        store_array_free(column[i]);
    return err;
}
