#include "store/heard_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { HEARD, ADOPTED, PUT, GET, WITHDRAW, DEVICES, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [HEARD] = { "heard_list", 6,
        "SELECT d.ident, d.ident, d.manufacturer, d.number, d.version, d.type, d.assignment,"
        " h.n, h.rssi, h.best, h.first_at, h.last_at, h.state,"
        " EXISTS (SELECT FROM device_key k WHERE k.tenant_id = $1"
        "  AND (k.number IS NULL OR k.number = d.number)"
        "  AND (k.manufacturer IS NULL OR k.manufacturer = d.manufacturer)"
        "  AND (k.version IS NULL OR k.version = d.version)"
        "  AND (k.type IS NULL OR k.type = d.type))"
        " FROM (SELECT f.device_id, count(*) AS n, max(f.rssi_dbm) AS best,"
        "  min(f.received_at) AS first_at, max(f.received_at) AS last_at,"
        "  (array_agg(f.rssi_dbm ORDER BY f.received_at DESC)"
        "   FILTER (WHERE f.rssi_dbm IS NOT NULL))[1] AS rssi,"
        "  (array_agg(f.state ORDER BY f.received_at DESC))[1] AS state"
        "  FROM raw_frame f WHERE f.tenant_id = $1 AND f.gateway_id = $2"
        "  AND f.stored_at >= $3 AND f.device_id IS NOT NULL GROUP BY f.device_id) h"
        " JOIN device d ON d.tenant_id = $1 AND d.device_id = h.device_id"
        " WHERE ($4::int2 IS NULL OR d.assignment = $4) AND d.ident > $5"
        " ORDER BY d.ident LIMIT $6" },
    [ADOPTED] = { "allow_list_adopted", 2,
        "SELECT ident FROM device WHERE tenant_id = $1 AND assignment = 1 AND version IS NOT NULL"
        " ORDER BY ident LIMIT $2" },
    [PUT] = { "allow_list_put", 8,
        "INSERT INTO gateway_allow_list AS a (tenant_id, gateway_id, mode, devices, version,"
        " command_id, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (tenant_id, gateway_id) DO UPDATE SET mode = excluded.mode,"
        " devices = excluded.devices, version = excluded.version,"
        " command_id = excluded.command_id, updated_at = excluded.updated_at,"
        " updated_by = excluded.updated_by" },
    [GET] = { "allow_list_get", 2,
        "SELECT a.mode, cardinality(a.devices), a.version, a.updated_at, a.updated_by,"
        " a.command_id, c.state, c.result FROM gateway_allow_list a"
        " LEFT JOIN command c ON c.tenant_id = $1 AND c.command_id = a.command_id"
        " WHERE a.tenant_id = $1 AND a.gateway_id = $2" },
    [WITHDRAW] = { "allow_list_withdraw", 3,
        "UPDATE command SET state = 4, ended_at = $3, result = 'a newer list was ordered'"
        " WHERE tenant_id = $1 AND gateway_id = $2 AND name = 'allow-list' AND state = 0" },
    [DEVICES] = { "allow_list_devices", 2,
        "SELECT unnest(devices) FROM gateway_allow_list WHERE tenant_id = $1 AND gateway_id = $2" },
};
/* clang-format on */

const struct store_statement *heard_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err heard_list(struct store *s, int32_t tenant, int64_t gateway, emt_time since,
                        int assignment, const char *after, int limit, struct store_result **out)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], since);
    if (assignment < 0)
        p_null(&p[3]);
    else
        p_int2(&p[3], (int16_t)assignment);
    p_text(&p[4], after);
    p_int8(&p[5], limit);
    return store_run(s, &statements[HEARD], p, out);
}

enum emt_err allow_list_adopted(struct store *s, int32_t tenant, int limit,
                                struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], limit);
    return store_run(s, &statements[ADOPTED], p, out);
}

enum emt_err allow_list_put(struct store *s, int32_t tenant, const struct allow_list_row *row)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], row->gateway);
    p_int2(&p[2], (int16_t)row->mode);
    p_array(&p[3], row->devices);
    p_int8(&p[4], row->version);
    p_int8(&p[5], row->command);
    p_time(&p[6], row->at);
    p_text(&p[7], row->by);
    return store_run_touch(s, &statements[PUT], p);
}

enum emt_err allow_list_get(struct store *s, int32_t tenant, int64_t gateway,
                            struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err allow_list_withdraw(struct store *s, int32_t tenant, int64_t gateway, emt_time now)
{
    struct store_param p[3];
    struct store_result *r = NULL;
    enum emt_err err;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], now);
    err = store_run(s, &statements[WITHDRAW], p, &r);
    if (err == EMT_OK)
        store_result_free(r);
    return err;
}

enum emt_err allow_list_devices(struct store *s, int32_t tenant, int64_t gateway,
                                struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    return store_run(s, &statements[DEVICES], p, out);
}
