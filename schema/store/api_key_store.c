#include "store/api_key_store.h"

#include <stdio.h>

enum {
    API_KEY_INSERT,
    API_KEY_LIST,
    API_KEY_PRINCIPAL,
    API_KEY_USED,
    API_KEY_REVOKE,
    API_KEY_REVOKE_USER,
    API_KEY_REVOKE_LEFT,
    STATEMENTS
};

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    /* A key that a key made is that of its maker. */
    [API_KEY_INSERT] = { "api_key_insert", 11,
        "INSERT INTO api_key (tenant_id, name, hash, role, expires_at, scopes, created_by, recipient, purpose, user_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, ''), coalesce($10::int8, (SELECT k.user_id FROM api_key k"
        "  WHERE k.tenant_id = $1 AND k.key_id = $11::int8))) RETURNING key_id" },
    [API_KEY_LIST] = { "api_key_list", 3,
        "SELECT key_id::text, key_id, name, role, scopes, created_at, created_by, expires_at,"
        " revoked_at, last_used_at, recipient, nullif(purpose, '') FROM api_key WHERE tenant_id = $1 AND key_id > $2"
        " ORDER BY api_key.key_id LIMIT $3" },
    [API_KEY_PRINCIPAL] = { "api_key_principal", 2,
        "SELECT tenant_id, key_id, role, scopes, name, tenant_key, unnoted, coalesce(recipient, ''), purpose"
        " FROM api_key_asker($1, $2)" },
    /* Requests of the same key at the same time do not wait for one another here. */
    [API_KEY_USED] = { "api_key_used", 3,
        "UPDATE api_key SET last_used_at = $3 WHERE tenant_id = $1 AND key_id = ("
        "SELECT key_id FROM api_key WHERE tenant_id = $1 AND key_id = $2 AND (last_used_at IS NULL"
        " OR last_used_at < $3::timestamptz - interval '1 minute') FOR UPDATE SKIP LOCKED)" },
    [API_KEY_REVOKE] = { "api_key_revoke", 3,
        "UPDATE api_key SET revoked_at = $3"
        " WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL" },
    [API_KEY_REVOKE_USER] = { "api_key_revoke_user", 3,
        "UPDATE api_key SET revoked_at = $3"
        " WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL" },
    /* Role 4, tenant-admin: who else was one once lost the right to make keys. */
    [API_KEY_REVOKE_LEFT] = { "api_key_revoke_left", 3,
        "UPDATE api_key k SET revoked_at = $2 WHERE k.user_id = $1 AND k.revoked_at IS NULL AND ($3::bool"
        " OR NOT EXISTS (SELECT FROM membership m WHERE m.tenant_id = k.tenant_id AND m.user_id = $1 AND m.role = 4))" },
};
/* clang-format on */

const struct store_statement *api_key_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err api_key_insert(struct store *s, int32_t tenant, const struct api_key_new *k,
                            int64_t *id)
{
    struct store_param p[11];

    p_int4(&p[0], tenant);
    p_text(&p[1], k->name);
    p_bytes(&p[2], k->hash, 32);
    p_int2(&p[3], (int16_t)k->role);
    p_time(&p[4], k->expires_at);
    p_int4(&p[5], (int32_t)k->scopes);
    p_text(&p[6], k->created_by);
    p_text(&p[7], k->recipient);
    p_text(&p[8], k->purpose);
    p_null(&p[9]);
    if (k->user_id != 0)
        p_int8(&p[9], k->user_id);
    p_int8(&p[10], k->made_by_key);
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

enum emt_err api_key_find(struct store *s, const uint8_t hash[32], emt_time now,
                          struct api_key *out)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_bytes(&p[0], hash, 32);
    p_time(&p[1], now);
    enum emt_err err = store_run_row(s, &statements[API_KEY_PRINCIPAL], p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct api_key){ .tenant = (int32_t)c_int(r, 0, 0),
                             .id = c_int(r, 0, 1),
                             .role = (int)c_int(r, 0, 2),
                             .scopes = (uint32_t)c_int(r, 0, 3),
                             .unnoted = c_bool(r, 0, 6) };
    snprintf(out->name, sizeof out->name, "%s", c_text(r, 0, 4));
    snprintf(out->tenant_key, sizeof out->tenant_key, "%s", c_text(r, 0, 5));
    snprintf(out->recipient, sizeof out->recipient, "%s", c_text(r, 0, 7));
    snprintf(out->purpose, sizeof out->purpose, "%s", c_text(r, 0, 8));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err api_key_used(struct store *s, int32_t tenant, int64_t key_id, emt_time now)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    p_time(&p[2], now);
    return store_run(s, &statements[API_KEY_USED], p, NULL);
}

enum emt_err api_key_revoke(struct store *s, int32_t tenant, int64_t key_id, emt_time now)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    p_time(&p[2], now);
    return store_run_touch(s, &statements[API_KEY_REVOKE], p);
}

enum emt_err api_key_revoke_user(struct store *s, int32_t tenant, int64_t user, emt_time now,
                                 int64_t *n)
{
    struct store_result *r = NULL;
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], user);
    p_time(&p[2], now);
    enum emt_err err = store_run(s, &statements[API_KEY_REVOKE_USER], p, &r);
    if (err == EMT_OK)
        *n = store_affected(r);
    store_result_free(r);
    return err;
}

enum emt_err api_key_revoke_left(struct store *s, int64_t user, bool all, emt_time now, int64_t *n)
{
    struct store_result *r = NULL;
    struct store_param p[3];

    p_int8(&p[0], user);
    p_time(&p[1], now);
    p_bool(&p[2], all);
    enum emt_err err = store_run(s, &statements[API_KEY_REVOKE_LEFT], p, &r);
    if (err == EMT_OK)
        *n = store_affected(r);
    store_result_free(r);
    return err;
}
