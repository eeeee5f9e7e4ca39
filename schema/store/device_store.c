#include "store/device_store.h"

enum {
    DEVICE_LIST,
    DEVICE_GET,
    DEVICE_FIND,
    DEVICE_LOCK,
    DEVICE_UPDATE,
    DEVICE_UPSERT,
    DEVICES_SEEN,
    CHANNEL_LIST,
    CHANNEL_GET,
    CHANNEL_FIND,
    STATEMENTS
};

/* clang-format off */
/* seen_at is as old as the last maintenance; frames of the last days are looked at besides. Clocks
 * of gateways may be ahead. */
#define DEVICE_SELECT \
    "SELECT device.ident, device.ident, manufacturer, number, version, type, name, place, active," \
    " assignment, accept_plaintext, created_at, greatest(device.seen_at, heard.at)," \
    " device.device_id FROM device" \
    " LEFT JOIN LATERAL (SELECT least(f.received_at, f.stored_at) AS at FROM raw_frame f" \
    "  WHERE f.tenant_id = device.tenant_id AND f.device_id = device.device_id" \
    "  AND f.stored_at > now() - interval '3 days'" \
    "  ORDER BY f.received_at DESC LIMIT 1) heard ON true"
#define CHANNEL_COLUMNS \
    "SELECT c.channel_id::text, c.channel_id, d.ident, c.kind, c.obis, q.name, c.unit," \
    " c.function, c.storage, c.tariff, c.subunit, c.qualifier, c.nth"
#define CHANNEL_FROM \
    " FROM channel c" \
    " JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id" \
    " JOIN quantity q ON q.id = c.quantity"
#define CHANNEL_SELECT CHANNEL_COLUMNS CHANNEL_FROM
#define LAST_OF(table, columns) \
    " LEFT JOIN LATERAL (SELECT ts, quality, " columns " FROM " table " v" \
    "  WHERE v.tenant_id = c.tenant_id AND v.channel_id = c.channel_id" \
    "  ORDER BY v.ts DESC LIMIT 1) "
#define CHANNEL_SELECT_LAST \
    CHANNEL_COLUMNS \
    ", coalesce(r.ts, l.ts, t.ts), coalesce(r.quality, l.quality, t.quality)," \
    " coalesce(r.mantissa, l.mantissa), coalesce(r.exponent, l.exponent), t.text" CHANNEL_FROM \
    LAST_OF("reading", "mantissa, exponent") "r ON c.kind IN (0, 2)" \
    LAST_OF("reading_late", "mantissa, exponent") "l ON c.kind IN (0, 2) AND r.ts IS NULL" \
    LAST_OF("reading_text", "text") "t ON c.kind IN (1, 3)"
/* clang-format on */

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [DEVICE_LIST] = { "device_list", 9,
        DEVICE_SELECT
        " WHERE tenant_id = $1 AND ($2::text IS NULL OR number = $2) AND ident > $3"
        " AND ($5::text IS NULL OR strpos(lower(ident || chr(10) || name || chr(10) || place),"
        "  lower($5)) > 0)"
        " AND ($6::int2[] IS NULL OR coalesce(type, -1) = ANY($6))"
        " AND ($7::bool IS NULL OR active = $7) AND ($8::int2 IS NULL OR assignment = $8)"
        " AND ($9::text IS NULL OR EXISTS (SELECT FROM raw_frame h"
        "  JOIN gateway g ON g.tenant_id = h.tenant_id AND g.gateway_id = h.gateway_id"
        "  WHERE h.tenant_id = device.tenant_id AND h.device_id = device.device_id"
        "  AND h.stored_at > now() - interval '3 days' AND g.external_id = $9))"
        " ORDER BY ident LIMIT $4" },
    [DEVICE_GET] = { "device_get", 2,
        DEVICE_SELECT
        " WHERE tenant_id = $1 AND ident = $2" },
    [DEVICE_LOCK] = { "device_lock_ident", 2,
        "SELECT device_id FROM device WHERE tenant_id = $1 AND ident = $2 FOR UPDATE" },
    /* Known devices get what is said, new ones are made with it. */
    [DEVICE_UPSERT] = { "device_upsert", 10,
        "INSERT INTO device (tenant_id, ident, manufacturer, number, version, type, name, place,"
        " active, assignment)"
        " VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, ''), coalesce($8, ''),"
        "  coalesce($9::int2 = 1, true), coalesce($10, 1::int2))"
        " ON CONFLICT (tenant_id, ident) DO UPDATE SET name = coalesce($7, device.name),"
        " place = coalesce($8, device.place), active = coalesce($9::int2 = 1, device.active),"
        " assignment = coalesce($10, device.assignment)"
        " RETURNING device_id" },
    [DEVICES_SEEN] = { "devices_seen", 2,
        "UPDATE device d SET seen_at = h.at FROM ("
        " SELECT f.device_id, max(least(f.received_at, f.stored_at)) AS at FROM raw_frame f"
        " WHERE f.tenant_id = $1 AND f.stored_at > $2 AND f.device_id IS NOT NULL"
        " GROUP BY f.device_id) h"
        " WHERE d.tenant_id = $1 AND d.device_id = h.device_id"
        " AND (d.seen_at IS NULL OR d.seen_at < h.at)" },
    [DEVICE_FIND] = { "device_find", 2,
        "SELECT device_id FROM device WHERE tenant_id = $1 AND ident = $2" },
    [DEVICE_UPDATE] = { "device_update", 7,
        "UPDATE device SET name = coalesce($3, name), place = coalesce($4, place),"
        " active = coalesce($5::int2 = 1, active), assignment = coalesce($6, assignment),"
        " accept_plaintext = coalesce($7::int2 = 1, accept_plaintext)"
        " WHERE tenant_id = $1 AND ident = $2" },
    /* Months are asked from the newest one on; the first row found ends it. */
    [CHANNEL_LIST] = { "channel_list", 4,
        CHANNEL_SELECT_LAST
        " WHERE c.tenant_id = $1 AND c.device_id = $2 AND c.channel_id > $3"
        " ORDER BY c.channel_id LIMIT $4" },
    [CHANNEL_GET] = { "channel_get", 2,
        CHANNEL_SELECT
        " WHERE c.tenant_id = $1 AND c.channel_id = $2" },
    [CHANNEL_FIND] = { "channel_find", 3,
        "SELECT c.channel_id FROM channel c"
        " JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"
        " WHERE c.tenant_id = $1 AND d.ident = $2 AND c.obis = $3"
        " AND c.kind = 0 AND c.storage = 0 AND c.function = 0"
        " ORDER BY c.nth, c.channel_id LIMIT 2" },
};
/* clang-format on */

const struct store_statement *device_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static void flag_param(struct store_param *p, int v)
{
    if (v < 0)
        p_null(p);
    else
        p_int2(p, (int16_t)v);
}

enum emt_err device_list(struct store *s, int32_t tenant, const struct device_filter *f,
                         const char *after, int limit, struct store_result **out)
{
    struct store_array *types = f->ntypes > 0 ? store_array_new(STORE_INT2) : NULL;
    struct store_param p[9];
    bool ok = f->ntypes == 0 || types != NULL;

    for (size_t i = 0; ok && i < f->ntypes; i++)
        ok = store_array_int(types, f->types[i]);
    p_int4(&p[0], tenant);
    p_text(&p[1], f->number);
    p_text(&p[2], after);
    p_int8(&p[3], limit);
    p_text(&p[4], f->q);
    p_null(&p[5]);
    if (types != NULL)
        p_array(&p[5], types);
    p_null(&p[6]);
    if (f->active >= 0)
        p_bool(&p[6], f->active > 0);
    flag_param(&p[7], f->assignment);
    p_text(&p[8], f->gateway);
    enum emt_err err = ok ? store_run(s, &statements[DEVICE_LIST], p, out) : EMT_ENOMEM;
    store_array_free(types);
    return err;
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

enum emt_err device_lock(struct store *s, int32_t tenant, const char *ident, int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    return store_run_number(s, &statements[DEVICE_LOCK], p, id);
}

enum emt_err device_upsert(struct store *s, int32_t tenant, const struct device_row *d, int64_t *id)
{
    struct store_param p[10];

    p_int4(&p[0], tenant);
    p_text(&p[1], d->ident);
    p_text(&p[2], d->manufacturer);
    p_text(&p[3], d->number);
    flag_param(&p[4], d->version);
    flag_param(&p[5], d->type);
    p_text(&p[6], d->name);
    p_text(&p[7], d->place);
    flag_param(&p[8], d->active);
    flag_param(&p[9], d->assignment);
    return store_run_number(s, &statements[DEVICE_UPSERT], p, id);
}

enum emt_err devices_seen(struct store *s, int32_t tenant, emt_time now)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_time(&p[1], now - DEVICES_SEEN_DAYS * EMT_DAY);
    return store_run(s, &statements[DEVICES_SEEN], p, NULL);
}

enum emt_err channel_find(struct store *s, int32_t tenant, const char *ident, const char *obis,
                          int64_t *id)
{
    struct store_result *r = NULL;
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    p_text(&p[2], obis);
    enum emt_err err = store_run(s, &statements[CHANNEL_FIND], p, &r);
    if (err != EMT_OK)
        return err;
    if (store_rows(r) == 1)
        *id = c_int(r, 0, 0);
    else
        err = store_rows(r) == 0 ? EMT_ENOTFOUND : EMT_ECONFLICT;
    store_result_free(r);
    return err;
}

enum emt_err device_update(struct store *s, int32_t tenant, const char *ident, const char *name,
                           const char *place, int active, int assignment, int accept_plaintext)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    p_text(&p[2], name);
    p_text(&p[3], place);
    flag_param(&p[4], active);
    flag_param(&p[5], assignment);
    flag_param(&p[6], accept_plaintext);
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
