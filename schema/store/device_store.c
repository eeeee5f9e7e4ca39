#include "store/device_store.h"

enum { DEVICE_LIST, DEVICE_GET, DEVICE_FIND, DEVICE_UPDATE, CHANNEL_LIST, CHANNEL_GET, STATEMENTS };

/* clang-format off */
#define DEVICE_SELECT \
    "SELECT ident, ident, manufacturer, number, version, type, name, place, active, assignment," \
    " accept_plaintext, created_at, device_id FROM device"
#define CHANNEL_SELECT \
    "SELECT c.channel_id::text, c.channel_id, d.ident, c.kind, c.obis, q.name, c.unit," \
    " c.function, c.storage, c.tariff, c.subunit, c.qualifier, c.nth" \
    " FROM channel c" \
    " JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id" \
    " JOIN quantity q ON q.id = c.quantity"
/* clang-format on */

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [DEVICE_LIST] = { "device_list", 4,
        DEVICE_SELECT
        " WHERE tenant_id = $1 AND ($2::text IS NULL OR number = $2) AND ident > $3"
        " ORDER BY ident LIMIT $4" },
    [DEVICE_GET] = { "device_get", 2,
        DEVICE_SELECT
        " WHERE tenant_id = $1 AND ident = $2" },
    [DEVICE_FIND] = { "device_find", 2,
        "SELECT device_id FROM device WHERE tenant_id = $1 AND ident = $2" },
    [DEVICE_UPDATE] = { "device_update", 7,
        "UPDATE device SET name = coalesce($3, name), place = coalesce($4, place),"
        " active = coalesce($5::int2 = 1, active), assignment = coalesce($6, assignment),"
        " accept_plaintext = coalesce($7::int2 = 1, accept_plaintext)"
        " WHERE tenant_id = $1 AND ident = $2" },
    [CHANNEL_LIST] = { "channel_list", 4,
        CHANNEL_SELECT
        " WHERE c.tenant_id = $1 AND c.device_id = $2 AND c.channel_id > $3"
        " ORDER BY c.channel_id LIMIT $4" },
    [CHANNEL_GET] = { "channel_get", 2,
        CHANNEL_SELECT
        " WHERE c.tenant_id = $1 AND c.channel_id = $2" },
};
/* clang-format on */

const struct store_statement *device_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err device_list(struct store *s, int32_t tenant, const char *number, const char *after,
                         int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], number);
    p_text(&p[2], after);
    p_int8(&p[3], limit);
    return store_run(s, &statements[DEVICE_LIST], p, out);
}

enum emt_err device_get(struct store *s, int32_t tenant, const char *ident,
                        struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    return store_run_row(s, &statements[DEVICE_GET], p, out);
}

enum emt_err device_find(struct store *s, int32_t tenant, const char *ident, int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    return store_run_number(s, &statements[DEVICE_FIND], p, id);
}

enum emt_err device_update(struct store *s, int32_t tenant, const char *ident, const char *name,
                           const char *place, int active, int assignment, int accept_plaintext)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    p_text(&p[2], name);
    p_text(&p[3], place);
    if (active < 0)
        p_null(&p[4]);
    else
        p_int2(&p[4], (int16_t)active);
    if (assignment < 0)
        p_null(&p[5]);
    else
        p_int2(&p[5], (int16_t)assignment);
    if (accept_plaintext < 0)
        p_null(&p[6]);
    else
        p_int2(&p[6], (int16_t)accept_plaintext);
    return store_run_touch(s, &statements[DEVICE_UPDATE], p);
}

enum emt_err channel_list(struct store *s, int32_t tenant, int64_t device_id, int64_t after,
                          int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], device_id);
    p_int8(&p[2], after);
    p_int8(&p[3], limit);
    return store_run(s, &statements[CHANNEL_LIST], p, out);
}

enum emt_err channel_get(struct store *s, int32_t tenant, int64_t channel_id,
                         struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel_id);
    return store_run_row(s, &statements[CHANNEL_GET], p, out);
}
