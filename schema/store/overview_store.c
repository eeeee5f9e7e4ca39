#include "store/overview_store.h"

#include "store/store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { REGISTRY, TRAFFIC, OTHERS, NODES };

/* clang-format off */
static const struct store_statement statements[] = {
    [REGISTRY] = { "overview_registry", 1,
        "SELECT (SELECT count(*) FROM gateway WHERE tenant_id = $1),"
        " (SELECT count(*) FROM gateway_session WHERE tenant_id = $1 AND state = 0),"
        " (SELECT count(*) FROM gateway WHERE tenant_id = $1 AND state = 2),"
        " d.n, d.active, d.heard FROM ("
        "  SELECT count(*) AS n, count(*) FILTER (WHERE active AND assignment = 1) AS active,"
        "   count(*) FILTER (WHERE assignment = 0) AS heard"
        "  FROM device WHERE tenant_id = $1) d" },
    /* Readings channel by channel: each is a short piece of the key's index. */
    [TRAFFIC] = { "overview_traffic", 3,
        "SELECT f.n, f.bad,"
        " (SELECT count(*) FROM (SELECT FROM raw_frame w WHERE w.tenant_id = $1 AND w.state = 1"
        "   AND w.state IN (1, 2, 3, 6, 7, 8, 10, 11) LIMIT $3) x),"
        " (SELECT count(*) FROM (SELECT FROM channel c CROSS JOIN LATERAL ("
        "   SELECT FROM reading v WHERE v.tenant_id = $1 AND v.channel_id = c.channel_id"
        "   AND v.ts >= $2::timestamptz - interval '1 day' AND v.ts < $2 OFFSET 0) r"
        "   WHERE c.tenant_id = $1 LIMIT $3) x)"
        " FROM (SELECT count(*) AS n, count(*) FILTER (WHERE state NOT IN (0, 5)) AS bad FROM ("
        "  SELECT state FROM raw_frame"
        "  WHERE tenant_id = $1 AND stored_at >= $2::timestamptz - interval '1 day' LIMIT $3) l) f" },
    [OTHERS] = { "overview_others", 2,
        "SELECT (SELECT count(*) FROM reading_conflict"
        "  WHERE tenant_id = $1 AND resolved_at IS NULL),"
        " e.alarms, e.warnings, x.at, x.n, j.running, j.failed"
        " FROM (SELECT count(*) FILTER (WHERE severity = 2) AS alarms,"
        "   count(*) FILTER (WHERE severity = 1) AS warnings FROM event"
        "   WHERE tenant_id = $1 AND at >= $2::timestamptz - interval '7 days') e,"
        "  (SELECT max(created_at) AS at,"
        "   count(*) FILTER (WHERE created_at >= $2::timestamptz - interval '7 days') AS n"
        "   FROM export_file WHERE tenant_id = $1) x,"
        "  (SELECT count(*) FILTER (WHERE state = 1) AS running,"
        "   count(*) FILTER (WHERE state = 2) AS failed FROM job WHERE tenant_id = $1) j" },
    [NODES] = { "node_list", 0,
        "SELECT n.id, n.name, n.version, n.started_at, n.lease_until, n.lease_until > now(),"
        " (SELECT count(*) FROM gateway_session s WHERE s.node_id = n.id AND s.state = 0)"
        " FROM node n ORDER BY n.id LIMIT 1000" },
};
/* clang-format on */

const struct store_statement *overview_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

static enum emt_err run(struct store *s, unsigned statement, int32_t tenant, emt_time now,
                        struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_time(&p[1], now);
    p_int8(&p[2], OVERVIEW_COUNT_MOST);
    return store_run_row(s, &statements[statement], p, out);
}

enum emt_err overview_read(struct store *s, int32_t tenant, emt_time now, struct overview *out)
{
    struct store_result *a = NULL;
    struct store_result *b = NULL;
    struct store_result *c = NULL;
    enum emt_err err = run(s, REGISTRY, tenant, now, &a);

    if (err == EMT_OK)
        err = run(s, TRAFFIC, tenant, now, &b);
    if (err == EMT_OK)
        err = run(s, OTHERS, tenant, now, &c);
    if (err == EMT_OK) {
        *out = (struct overview){
            .gateways = c_int(a, 0, 0),
            .connected = c_int(a, 0, 1),
            .revoked = c_int(a, 0, 2),
            .devices = c_int(a, 0, 3),
            .active = c_int(a, 0, 4),
            .heard = c_int(a, 0, 5),
            .frames_24h = c_int(b, 0, 0),
            .not_ok_24h = c_int(b, 0, 1),
            .key_needed = c_int(b, 0, 2),
            .readings_24h = c_int(b, 0, 3),
            .conflicts = c_int(c, 0, 0),
            .alarms_7d = c_int(c, 0, 1),
            .warnings_7d = c_int(c, 0, 2),
            .export_at = c_time(c, 0, 3),
            .exports_7d = c_int(c, 0, 4),
            .jobs_running = c_int(c, 0, 5),
            .jobs_failed = c_int(c, 0, 6),
        };
    }
    store_result_free(a);
    store_result_free(b);
    store_result_free(c);
    return err;
}

enum emt_err node_list(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[NODES], NULL, out);
}
