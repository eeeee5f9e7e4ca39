#include "store/api_key_store.h"

enum { API_KEY_INSERT, API_KEY_LIST, API_KEY_USE, API_KEY_REVOKE, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [API_KEY_INSERT] = { "api_key_insert", 5,
        "INSERT INTO api_key (tenant_id, name, hash, role, expires_at)"
        " VALUES ($1, $2, $3, $4, $5) RETURNING key_id" },
    [API_KEY_LIST] = { "api_key_list", 3,
        "SELECT key_id::text, key_id, name, role, created_at, expires_at, revoked_at, last_used_at"
        " FROM api_key WHERE tenant_id = $1 AND key_id > $2"
        " ORDER BY api_key.key_id LIMIT $3" },
    [API_KEY_USE] = { "api_key_use", 4,
        "WITH used AS (UPDATE api_key SET last_used_at = $4 WHERE tenant_id = $1 AND key_id = $2"
        "  AND (last_used_at IS NULL OR last_used_at < $4::timestamptz - interval '1 minute'))"
        " SELECT k.role, k.name, t.key"
        " FROM api_key k JOIN tenant t ON t.id = k.tenant_id"
        " WHERE k.tenant_id = $1 AND k.key_id = $2 AND k.hash = $3 AND k.revoked_at IS NULL"
        " AND (k.expires_at IS NULL OR k.expires_at > $4) AND t.state = 0" },
    [API_KEY_REVOKE] = { "api_key_revoke", 3,
        "UPDATE api_key SET revoked_at = $3"
        " WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL" },
};
/* clang-format on */

const struct store_statement *api_key_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err api_key_insert(struct store *s, int32_t tenant, const char *name, const uint8_t *hash,
                            int role, emt_time expires_at, int64_t *id)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    p_bytes(&p[2], hash, 32);
    p_int2(&p[3], (int16_t)role);
    p_time(&p[4], expires_at);
    return store_run_number(s, &statements[API_KEY_INSERT], p, id);
}

enum emt_err api_key_list(struct store *s, int32_t tenant, int64_t after, int limit,
                          struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[API_KEY_LIST], p, out);
}

enum emt_err api_key_use(struct store *s, int32_t tenant, int64_t key_id, const uint8_t *hash,
                         emt_time now, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    p_bytes(&p[2], hash, 32);
    p_time(&p[3], now);
    return store_run_row(s, &statements[API_KEY_USE], p, out);
}

enum emt_err api_key_revoke(struct store *s, int32_t tenant, int64_t key_id, emt_time now)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    p_time(&p[2], now);
    return store_run_touch(s, &statements[API_KEY_REVOKE], p);
}
