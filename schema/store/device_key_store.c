#include "store/device_key_store.h"

enum {
    DEVICE_KEY_NEXT,
    DEVICE_KEY_INSERT,
    DEVICE_KEY_DLMS,
    DEVICE_KEY_LIST,
    DEVICE_KEY_GET,
    DEVICE_KEY_DELETE,
    REGISTRY_TOUCH,
    STATEMENTS
};

/* Never the blob. */
#define DEVICE_KEY_SELECT                                                                          \
    "SELECT key_id::text, key_id, number, manufacturer, version, type, label, created_at,"         \
    " authentication_blob IS NOT NULL, encode(system_title, 'hex') FROM device_key"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [DEVICE_KEY_NEXT] = { "device_key_next", 1,
        "SELECT nextval(pg_get_serial_sequence('device_key', 'key_id')) WHERE $1::int4 IS NOT NULL" },
    [DEVICE_KEY_INSERT] = { "device_key_insert", 8,
        "INSERT INTO device_key (tenant_id, key_id, manufacturer, number, version, type, label, blob)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)" },
    [DEVICE_KEY_DLMS] = { "device_key_dlms", 4,
        "UPDATE device_key SET authentication_blob = $3, system_title = $4"
        " WHERE tenant_id = $1 AND key_id = $2" },
    [DEVICE_KEY_LIST] = { "device_key_list", 3,
        DEVICE_KEY_SELECT
        " WHERE tenant_id = $1 AND key_id > $2"
        " ORDER BY device_key.key_id LIMIT $3" },
    [DEVICE_KEY_GET] = { "device_key_get", 2,
        DEVICE_KEY_SELECT
        " WHERE tenant_id = $1 AND key_id = $2" },
    [DEVICE_KEY_DELETE] = { "device_key_delete", 2,
        "DELETE FROM device_key WHERE tenant_id = $1 AND key_id = $2" },
    [REGISTRY_TOUCH] = { "registry_touch", 1,
        "INSERT INTO registry_version (tenant_id, version) VALUES ($1, 1)"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = registry_version.version + 1" },
};
/* clang-format on */

const struct store_statement *device_key_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err device_key_next(struct store *s, int32_t tenant, int64_t *id)
{
    struct store_param p[1];

    p_int4(&p[0], tenant);
    return store_run_number(s, &statements[DEVICE_KEY_NEXT], p, id);
}

enum emt_err device_key_insert(struct store *s, int32_t tenant, int64_t key_id,
                               const char *manufacturer, const char *number, int version, int type,
                               const char *label, const void *blob, size_t blob_len)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    p_text(&p[2], manufacturer);
    p_text(&p[3], number);
    if (version < 0)
        p_null(&p[4]);
    else
        p_int2(&p[4], (int16_t)version);
    if (type < 0)
        p_null(&p[5]);
    else
        p_int2(&p[5], (int16_t)type);
    p_text(&p[6], label);
    p_bytes(&p[7], blob, blob_len);
    return store_run(s, &statements[DEVICE_KEY_INSERT], p, NULL);
}

enum emt_err device_key_set_dlms(struct store *s, int32_t tenant, int64_t key_id, const void *blob,
                                 size_t blob_len, const uint8_t *title)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    if (blob)
        p_bytes(&p[2], blob, blob_len);
    else
        p_null(&p[2]);
    if (title)
        p_bytes(&p[3], title, 8);
    else
        p_null(&p[3]);
    return store_run_touch(s, &statements[DEVICE_KEY_DLMS], p);
}

enum emt_err device_key_list(struct store *s, int32_t tenant, int64_t after, int limit,
                             struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[DEVICE_KEY_LIST], p, out);
}

enum emt_err device_key_get(struct store *s, int32_t tenant, int64_t key_id,
                            struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    return store_run_row(s, &statements[DEVICE_KEY_GET], p, out);
}

enum emt_err device_key_delete(struct store *s, int32_t tenant, int64_t key_id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], key_id);
    return store_run_touch(s, &statements[DEVICE_KEY_DELETE], p);
}

enum emt_err registry_touch(struct store *s, int32_t tenant)
{
    struct store_param p[1];

    p_int4(&p[0], tenant);
    return store_run(s, &statements[REGISTRY_TOUCH], p, NULL);
}
