#include "store/meaning_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    UNITS,
    UNIT_ADD,
    UNIT_CATALOGUE,
    UNIT_REMOVE,
    UNIT_USED,
    UNIT_KNOWN,
    QUANTITIES,
    QUANTITY_ADD,
    QUANTITY_REMOVE,
    QUANTITY_USED,
    QUANTITY_KNOWN,
    VERSION_FIRST,
    VERSION_ADD,
    VERSION_CURRENT,
    VERSIONS,
    ATTEMPT_ADD,
    ATTEMPTS,
    STATEMENTS
};

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [UNITS] = { "units_list", 1,
        "SELECT name, base, factor_mantissa, factor_exponent, false AS own FROM unit"
        " UNION ALL SELECT name, base, factor_mantissa, factor_exponent, true FROM tenant_unit WHERE tenant_id = $1"
        " ORDER BY 1" },
    [UNIT_ADD] = { "unit_add", 5,
        "INSERT INTO tenant_unit (tenant_id, name, base, factor_mantissa, factor_exponent)"
        " SELECT $1, $2::text, $3::text, $4, $5 WHERE $2 = $3"
        " OR EXISTS (SELECT FROM unit u WHERE u.name = $3 AND u.base = u.name)"
        " OR EXISTS (SELECT FROM tenant_unit u WHERE u.tenant_id = $1 AND u.name = $3 AND u.base = u.name)" },
    [UNIT_CATALOGUE] = { "unit_catalogue", 1, "SELECT 1 FROM unit WHERE name = $1" },
    [UNIT_REMOVE] = { "unit_remove", 2, "DELETE FROM tenant_unit WHERE tenant_id = $1 AND name = $2" },
    [UNIT_USED] = { "unit_used", 2,
        "SELECT 1 WHERE EXISTS (SELECT FROM channel_version v WHERE v.tenant_id = $1 AND v.unit = $2)"
        " OR EXISTS (SELECT FROM channel c WHERE c.tenant_id = $1 AND c.unit = $2)"
        " OR EXISTS (SELECT FROM tenant_unit u WHERE u.tenant_id = $1 AND u.base = $2 AND u.name <> $2)" },
    [UNIT_KNOWN] = { "unit_known", 2,
        "SELECT 1 WHERE EXISTS (SELECT FROM unit u WHERE u.name = $2)"
        " OR EXISTS (SELECT FROM tenant_unit u WHERE u.tenant_id = $1 AND u.name = $2)" },
    [QUANTITIES] = { "quantities_list", 1,
        "SELECT name, '' AS description, false AS own FROM quantity"
        " UNION ALL SELECT name, description, true FROM tenant_quantity WHERE tenant_id = $1 ORDER BY 1" },
    [QUANTITY_ADD] = { "quantity_add", 3,
        "INSERT INTO tenant_quantity (tenant_id, name, description) SELECT $1, $2::text, $3"
        " WHERE NOT EXISTS (SELECT FROM quantity q WHERE q.name = $2)" },
    [QUANTITY_REMOVE] = { "quantity_remove", 2, "DELETE FROM tenant_quantity WHERE tenant_id = $1 AND name = $2" },
    [QUANTITY_USED] = { "quantity_used", 2,
        "SELECT 1 FROM channel_version v WHERE v.tenant_id = $1 AND v.quantity = $2 LIMIT 1" },
    [QUANTITY_KNOWN] = { "quantity_known", 2,
        "SELECT 1 WHERE EXISTS (SELECT FROM quantity q WHERE q.name = $2)"
        " OR EXISTS (SELECT FROM tenant_quantity q WHERE q.tenant_id = $1 AND q.name = $2)" },
    /* What the channel was before anybody said otherwise, from the beginning of time. */
    [VERSION_FIRST] = { "channel_version_first", 2,
        "INSERT INTO channel_version (tenant_id, channel_id, version, valid_from, unit, quantity, reason)"
        " SELECT $1, c.channel_id, 1, '1970-01-01 00:00:00+00', c.unit, q.name, 'as the meter says' FROM channel c"
        " JOIN quantity q ON q.id = c.quantity WHERE c.tenant_id = $1 AND c.channel_id = $2"
        " ON CONFLICT DO NOTHING" },
    [VERSION_ADD] = { "channel_version_add", 8,
        "INSERT INTO channel_version (tenant_id, channel_id, version, valid_from, unit, quantity, meaning, reason, created_by)"
        " SELECT $1, v.channel_id, v.version + 1, $3, coalesce($4, v.unit), coalesce($5, v.quantity), $6, $7, $8"
        " FROM channel_version v WHERE v.tenant_id = $1 AND v.channel_id = $2 AND v.valid_from < $3"
        " AND v.version = (SELECT max(m.version) FROM channel_version m WHERE m.tenant_id = $1 AND m.channel_id = $2)" },
    [VERSION_CURRENT] = { "channel_version_current", 2,
        "UPDATE channel SET version = (SELECT max(v.version) FROM channel_version v"
        " WHERE v.tenant_id = $1 AND v.channel_id = $2) WHERE tenant_id = $1 AND channel_id = $2" },
    [VERSIONS] = { "channel_versions", 4,
        "SELECT version, valid_from, unit, quantity, meaning, reason, created_at, created_by FROM ("
        " SELECT v.*, lead(v.valid_from) OVER (ORDER BY v.version) AS past FROM channel_version v"
        " WHERE v.tenant_id = $1 AND v.channel_id = $2) x"
        " WHERE x.valid_from < coalesce($4, 'infinity'::timestamptz)"
        " AND coalesce(x.past, 'infinity'::timestamptz) > coalesce($3, '-infinity'::timestamptz) ORDER BY version" },
    [ATTEMPT_ADD] = { "read_attempt_add", 8,
        "INSERT INTO read_attempt (tenant_id, device_id, gateway_id, at, method, result, detail, made_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING attempt_id" },
    [ATTEMPTS] = { "read_attempt_list", 4,
        "SELECT a.attempt_id::text, a.attempt_id, a.at, a.method, a.result, a.detail, g.external_id, a.made_by"
        " FROM read_attempt a LEFT JOIN gateway g ON g.tenant_id = $1 AND g.gateway_id = a.gateway_id"
        " WHERE a.tenant_id = $1 AND a.device_id = $2 AND ($3::int8 = 0 OR a.attempt_id < $3)"
        " ORDER BY a.attempt_id DESC LIMIT $4" },
};
/* clang-format on */

const struct store_statement *meaning_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static enum emt_err run_named(struct store *s, unsigned statement, int32_t tenant, const char *name,
                              struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    return store_run(s, &statements[statement], p, out);
}

/* EMT_ENOTFOUND: the question is answered with no row. */
static enum emt_err ask(struct store *s, unsigned statement, int32_t tenant, const char *name)
{
    struct store_result *r = NULL;
    enum emt_err err = run_named(s, statement, tenant, name, &r);

    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    store_result_free(r);
    return err;
}

/* Takes away what nobody uses. */
static enum emt_err remove_named(struct store *s, unsigned used, unsigned statement, int32_t tenant,
                                 const char *name)
{
    struct store_param p[2];
    enum emt_err err = ask(s, used, tenant, name);

    if (err != EMT_ENOTFOUND)
        return err == EMT_OK ? EMT_ECONFLICT : err;
    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    return store_run_touch(s, &statements[statement], p);
}

enum emt_err units_list(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, &statements[UNITS], &p, out);
}

enum emt_err unit_add(struct store *s, int32_t tenant, const char *name, const char *base,
                      struct decimal factor)
{
    struct store_result *r = NULL;
    struct store_param p[5];

    p_text(&p[0], name);
    enum emt_err err = store_run(s, &statements[UNIT_CATALOGUE], p, &r);
    bool taken = err == EMT_OK && store_rows(r) > 0;
    store_result_free(r);
    if (err != EMT_OK || taken)
        return taken ? EMT_ECONFLICT : err;
    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    p_text(&p[2], base);
    p_int8(&p[3], factor.mantissa);
    p_int2(&p[4], factor.exponent);
    return store_run_touch(s, &statements[UNIT_ADD], p);
}

enum emt_err unit_remove(struct store *s, int32_t tenant, const char *name)
{
    return remove_named(s, UNIT_USED, UNIT_REMOVE, tenant, name);
}

enum emt_err unit_known(struct store *s, int32_t tenant, const char *name)
{
    return ask(s, UNIT_KNOWN, tenant, name);
}

enum emt_err quantities_list(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, &statements[QUANTITIES], &p, out);
}

enum emt_err quantity_add(struct store *s, int32_t tenant, const char *name,
                          const char *description)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    p_text(&p[2], description);
    enum emt_err err = store_run_touch(s, &statements[QUANTITY_ADD], p);
    return err == EMT_ENOTFOUND ? EMT_ECONFLICT : err;
}

enum emt_err quantity_remove(struct store *s, int32_t tenant, const char *name)
{
    return remove_named(s, QUANTITY_USED, QUANTITY_REMOVE, tenant, name);
}

enum emt_err quantity_known(struct store *s, int32_t tenant, const char *name)
{
    return ask(s, QUANTITY_KNOWN, tenant, name);
}

enum emt_err channel_version_add(struct store *s, int32_t tenant,
                                 const struct channel_version_new *v)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], v->channel);
    p_time(&p[2], v->from);
    p_text(&p[3], v->unit);
    p_text(&p[4], v->quantity);
    p_text(&p[5], v->meaning);
    p_text(&p[6], v->reason);
    p_text(&p[7], v->created_by);
    enum emt_err err = store_run(s, &statements[VERSION_FIRST], p, NULL);
    if (err == EMT_OK)
        err = store_run_touch(s, &statements[VERSION_ADD], p);
    if (err == EMT_ENOTFOUND)
        return EMT_ELIMIT;
    return err == EMT_OK ? store_run_touch(s, &statements[VERSION_CURRENT], p) : err;
}

enum emt_err channel_versions(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                              emt_time to, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], from);
    p_time(&p[3], to);
    return store_run(s, &statements[VERSIONS], p, out);
}

enum emt_err read_attempt_add(struct store *s, int32_t tenant, const struct read_attempt_new *a,
                              int64_t *id)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], a->device);
    p_int8(&p[2], a->gateway);
    if (a->gateway == 0)
        p_null(&p[2]);
    p_time(&p[3], a->at);
    p_text(&p[4], a->method);
    p_text(&p[5], a->result);
    p_text(&p[6], a->detail);
    p_text(&p[7], a->made_by);
    return store_run_number(s, &statements[ATTEMPT_ADD], p, id);
}

enum emt_err read_attempt_list(struct store *s, int32_t tenant, int64_t device, int64_t before,
                               int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    p_int8(&p[2], before);
    p_int8(&p[3], limit);
    return store_run(s, &statements[ATTEMPTS], p, out);
}
