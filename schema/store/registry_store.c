#include "store/registry_store.h"

#include "base/cipher.h"
#include "model/obis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    VERSIONS,
    WINDOW,
    TENANT,
    DATA_KEYS,
    DEVICES_CREATE,
    DEVICES,
    KEYS,
    CHANNELS,
    CHANNELS_CREATE,
    CHANNELS_FIND,
    STALE_REPLAY,
    STATEMENTS
};

#define DEVICE_COLUMNS                                                                             \
    "unnest($2::text[], $3::text[], $4::text[], $5::int2[], $6::int2[]) AS u(ident, "              \
    "manufacturer, number, version, type)"
#define KEY_FITS                                                                                   \
    " AND (k.manufacturer IS NULL OR k.manufacturer = u.manufacturer) AND (k.version IS NULL OR "  \
    "k.version = u.version)"                                                                       \
    " AND (k.type IS NULL OR k.type = u.type)"
#define KEY_SCORE                                                                                  \
    " + 4 * (k.manufacturer IS NOT NULL)::int4 + 2 * (k.version IS NOT NULL)::int4 + (k.type IS "  \
    "NOT NULL)::int4"
#define CHANNEL_COLUMNS                                                                            \
    "unnest($2::int8[], $3::text[], $4::int2[], $5::text[], $6::int2[], $7::text[], $8::int2[], "  \
    "$9::int8[], $10::int4[], $11::int4[],"                                                        \
    " $12::text[], $13::int4[])"                                                                   \
    " AS u(device_id, key, kind, obis, quantity, unit, function, storage, tariff, subunit, "       \
    "qualifier, nth)"

/* What is looked up stands in subqueries that stay whole (OFFSET 0): once for each row of the
 * arrays, through the key. A join planned while the tables were small goes through all devices of
 * the tenant instead, once for each row. */
static const struct store_statement statements[STATEMENTS] = {
    [VERSIONS] = { "registry_versions", 0, "SELECT tenant_id, version FROM registry_version" },
    [WINDOW] = { "storage_window", 0, "SELECT hot_from, hot_to FROM storage_window" },
    /* The version first: whoever raises it does so in the transaction of the change, so a later
       read of a device sees at least that. */
    [TENANT] = { "registry_tenant", 1,
                 "SELECT device_policy,"
                 " greatest(reading_retention_days, daily_retention_days),"
                 " coalesce((SELECT v.version FROM registry_version v WHERE v.tenant_id = "
                 "$1::int4), 0)"
                 " FROM tenant WHERE id = $1::int4" },
    [DATA_KEYS] = { "registry_data_keys", 1,
                    "SELECT version, blob FROM tenant_key WHERE tenant_id = $1 ORDER BY version "
                    "DESC LIMIT 16" },
    /* Meters beyond the agreed number are kept like the others, but passive, with an event.
       What exists is left out before ON CONFLICT sees it: that would draw a number each time. */
    [DEVICES_CREATE] = { "registry_devices_create", 6,
                         "WITH fresh AS ("
                         "INSERT INTO device (tenant_id, ident, manufacturer, number, version, "
                         "type, assignment, active)"
                         " SELECT $1, u.ident, u.manufacturer, u.number, u.version, u.type, CASE "
                         "t.device_policy WHEN 0 THEN 1 ELSE 0 END,"
                         " t.meters_max IS NULL OR (SELECT count(*) FROM device a WHERE "
                         "a.tenant_id = $1 AND a.active AND a.assignment = 1)"
                         " + row_number() OVER (ORDER BY u.ident) <= t.meters_max"
                         " FROM tenant t, " DEVICE_COLUMNS
                         " WHERE t.id = $1 AND t.device_policy < 2"
                         " AND NOT EXISTS (SELECT FROM device d WHERE d.tenant_id = $1 AND d.ident "
                         "= u.ident OFFSET 0) ORDER BY u.ident"
                         " ON CONFLICT (tenant_id, ident) DO NOTHING"
                         " RETURNING device_id, ident, active)"
                         " INSERT INTO event (tenant_id, at, severity, kind, device_id, detail)"
                         " SELECT $1, now(), 1, 'meters-exceeded', device_id, ident FROM fresh"
                         " WHERE NOT active" },
    [DEVICES] = { "registry_devices", 6,
                  "SELECT d.ident, d.device_id, d.assignment, d.accept_plaintext "
                  "FROM " DEVICE_COLUMNS
                  " CROSS JOIN LATERAL (SELECT * FROM device d WHERE d.tenant_id = $1 AND "
                  "d.ident = u.ident OFFSET 0) AS d" },
    /* Exact numbers through the index, wildcards (few) beside them; 8 is what a decoder tries. */
    [KEYS] = { "registry_keys", 6,
               "SELECT u.ident, m.key_id, m.blob, m.authentication_blob, m.system_title FROM " DEVICE_COLUMNS
               " CROSS JOIN LATERAL ("
               "SELECT k.key_id, k.blob, k.authentication_blob, k.system_title, 8" KEY_SCORE
               " AS score FROM device_key k WHERE k.tenant_id = $1 AND k.number = u.number" KEY_FITS
               " UNION ALL SELECT k.key_id, k.blob, k.authentication_blob, k.system_title, 0" KEY_SCORE
               " FROM device_key k WHERE k.tenant_id = $1 AND k.number IS NULL" KEY_FITS
               " ORDER BY score DESC, key_id DESC LIMIT 8) m ORDER BY u.ident, m.score DESC, "
               "m.key_id DESC" },
    [CHANNELS] = { "registry_channels", 6,
                   "SELECT c.device_id, c.channel_id, c.key, u.ident FROM " DEVICE_COLUMNS
                   " CROSS JOIN LATERAL (SELECT * FROM device d WHERE d.tenant_id = $1 AND "
                   "d.ident = u.ident OFFSET 0) AS d"
                   " CROSS JOIN LATERAL (SELECT * FROM channel c WHERE c.tenant_id = $1 AND "
                   "c.device_id = d.device_id OFFSET 0) AS c" },
    /* A register that goes on in another unit is a channel of its own, so that nobody adds up what
       does not belong together; its first version names the one before. */
    [CHANNELS_CREATE] = { "registry_channels_create", 13,
                          "WITH fresh AS (INSERT INTO channel (tenant_id, device_id, key, kind, obis, quantity, "
                          "unit, function, storage, tariff, subunit, qualifier, nth)"
                          " SELECT $1, u.* FROM " CHANNEL_COLUMNS
                          " WHERE NOT EXISTS (SELECT FROM channel c WHERE c.tenant_id = $1 AND "
                          "c.device_id = u.device_id AND c.key = u.key OFFSET 0)"
                          " ORDER BY u.device_id, u.key ON CONFLICT (tenant_id, device_id, key) DO "
                          "NOTHING RETURNING *), former AS ("
                          "SELECT DISTINCT ON (f.channel_id) f.channel_id, f.device_id, f.unit,"
                          " c.channel_id AS before, c.unit AS unit_before FROM fresh f"
                          " JOIN channel c ON c.tenant_id = $1 AND c.device_id = f.device_id"
                          " AND c.quantity = f.quantity AND c.kind = f.kind AND c.function = "
                          "f.function AND c.storage = f.storage AND c.tariff = f.tariff"
                          " AND c.subunit = f.subunit AND c.nth = f.nth AND c.qualifier = "
                          "f.qualifier AND c.obis IS NOT DISTINCT FROM f.obis"
                          " AND c.unit <> f.unit WHERE f.quantity NOT IN (0, 34, 35, 36)"
                          " ORDER BY f.channel_id, c.channel_id DESC), said AS ("
                          "INSERT INTO event (tenant_id, at, severity, kind, device_id, detail)"
                          " SELECT $1, now(), 1, 'unit-changed', device_id, unit_before || ' to ' || "
                          "unit || ': channel ' || before || ' to ' || channel_id FROM former)"
                          " INSERT INTO channel_version (tenant_id, channel_id, version, valid_from,"
                          " unit, reason, created_by) SELECT $1, channel_id, 1, now(), unit,"
                          " 'channel ' || before || ' before, in ' || unit_before, 'emtd' FROM former" },
    [CHANNELS_FIND] = { "registry_channels_find", 3,
                        "SELECT c.device_id, c.channel_id, c.key FROM unnest($2::int8[], "
                        "$3::text[]) AS u(device_id, key)"
                        " CROSS JOIN LATERAL (SELECT * FROM channel c WHERE c.tenant_id = $1 AND "
                        "c.device_id = u.device_id AND c.key = u.key OFFSET 0) AS c" },
    /* The share lock makes a change that is under way wait for this batch, or this batch for it:
     * either the change's own replay sees these frames, or this one is ordered. A job that waits
     * already is held until this batch is committed (job_store.c). */
    [STALE_REPLAY] = { "registry_stale_replay", 3,
                       "WITH v AS (SELECT version FROM registry_version WHERE tenant_id = $1 FOR SHARE)"
                       " INSERT INTO job (tenant_id, kind, dedupe, payload)"
                       " SELECT $1, 'replay', 'device-' || u.d, jsonb_build_object('device', u.d)"
                       " FROM v, (SELECT DISTINCT d FROM unnest($3::int8[]) d ORDER BY d) u"
                       " WHERE v.version <> $2::int8"
                       " ON CONFLICT (tenant_id, kind, dedupe) WHERE state = 0 AND dedupe IS NOT NULL"
                       " DO UPDATE SET run_at = least(job.run_at, excluded.run_at)" },
};

const struct store_statement *registry_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err registry_poll_send(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[VERSIONS], NULL, done, ctx);
}

enum emt_err storage_window_send(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[WINDOW], NULL, done, ctx);
}

static enum emt_err send_of_tenant(struct store *s, unsigned statement, int32_t tenant,
                                   store_done *done, void *ctx)
{
    struct store_param p[1];

    p_int4(&p[0], tenant);
    return store_send(s, &statements[statement], p, done, ctx);
}

enum emt_err registry_tenant_send(struct store *s, int32_t tenant, store_done *done, void *ctx)
{
    return send_of_tenant(s, TENANT, tenant, done, ctx);
}

enum emt_err tenant_row_of(const struct store_result *r, struct tenant_row *out)
{
    if (store_rows(r) == 0)
        return EMT_ENOTFOUND;
    out->policy = (enum device_policy)c_int(r, 0, 0);
    out->reading_retention_days = (int32_t)c_int(r, 0, 1);
    out->version = c_int(r, 0, 2);
    return EMT_OK;
}

enum emt_err registry_data_keys_send(struct store *s, int32_t tenant, store_done *done, void *ctx)
{
    return send_of_tenant(s, DATA_KEYS, tenant, done, ctx);
}

enum emt_err data_key_of(const struct store_result *r, int row, int32_t tenant,
                         const struct seal_key *master, struct seal_key *out)
{
    char version[16];
    struct seal_place place = { tenant, "tenant_key", version, "data-key" };
    uint8_t plain[SEAL_KEY_LEN + SEAL_OVERHEAD];
    size_t blob_len, len;
    const uint8_t *blob = c_bytes(r, row, 1, &blob_len);
    enum emt_err err;

    (void)snprintf(version, sizeof version, "%" PRId64, c_int(r, row, 0));
    if (blob_len != SEAL_KEY_LEN + SEAL_OVERHEAD)
        return EMT_EAUTH;
    err = seal_unwrap(master, &place, blob, blob_len, plain, &len);
    if (err == EMT_OK && len == SEAL_KEY_LEN) {
        out->version = (uint16_t)c_int(r, row, 0);
        memcpy(out->key, plain, SEAL_KEY_LEN);
    } else {
        err = EMT_EAUTH;
    }
    cipher_wipe(plain, sizeof plain);
    return err;
}

bool device_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_TEXT, STORE_TEXT, STORE_TEXT, STORE_INT2,
                                             STORE_INT2 };

    return store_rows_init(r, types, 5);
}

bool device_rows_add(struct store_rows *r, const struct device_id *id, const char *ident)
{
    bool ok = store_array_text(r->column[0], ident) &&
              store_array_text(r->column[1], id->manufacturer) &&
              store_array_text(r->column[2], id->number);

    if (!id->has_version)
        return ok && store_array_null(r->column[3]) && store_array_null(r->column[4]);
    return ok && store_array_int(r->column[3], id->version) &&
           store_array_int(r->column[4], id->type);
}

enum emt_err registry_devices_create_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[DEVICES_CREATE], tenant, r, 0, done, ctx);
}

enum emt_err registry_devices_send(struct store *s, int32_t tenant, struct store_rows *r,
                                   store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[DEVICES], tenant, r, 0, done, ctx);
}

void device_row_of(const struct store_result *r, int row, struct device_row *out)
{
    out->ident = c_text(r, row, 0);
    out->device = c_int(r, row, 1);
    out->assignment = (enum device_assignment)c_int(r, row, 2);
    out->accept_plaintext = c_bool(r, row, 3);
}

enum emt_err registry_keys_send(struct store *s, int32_t tenant, struct store_rows *devices,
                                store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[KEYS], tenant, devices, 0, done, ctx);
}

const char *device_key_ident(const struct store_result *r, int row)
{
    return c_text(r, row, 0);
}

static enum emt_err open_blob(const struct store_result *r, int row, int column, const char *what,
                              int32_t tenant, const struct seal_key *keys, size_t nkeys,
                              uint8_t out[32], size_t *len)
{
    char key_id[24];
    struct seal_place place = { tenant, "device_key", key_id, what };
    uint8_t plain[32 + SEAL_OVERHEAD];
    size_t blob_len;
    const uint8_t *blob = c_bytes(r, row, column, &blob_len);
    uint16_t version = seal_version(blob, blob_len);
    enum emt_err err = EMT_ENOTFOUND;

    (void)snprintf(key_id, sizeof key_id, "%" PRId64, c_int(r, row, 1));
    if (blob_len > sizeof plain)
        return EMT_EAUTH;
    for (size_t i = 0; i < nkeys && err == EMT_ENOTFOUND; i++) {
        if (keys[i].version == version)
            err = seal_unwrap(&keys[i], &place, blob, blob_len, plain, len);
    }
    if (err == EMT_OK)
        memcpy(out, plain, *len);
    cipher_wipe(plain, sizeof plain);
    return err;
}

enum emt_err device_key_open(const struct store_result *r, int row, int32_t tenant,
                             const struct seal_key *keys, size_t nkeys, uint8_t out[32],
                             size_t *len)
{
    return open_blob(r, row, 2, "key", tenant, keys, nkeys, out, len);
}

enum emt_err device_key_open_authentication(const struct store_result *r, int row, int32_t tenant,
                                            const struct seal_key *keys, size_t nkeys,
                                            uint8_t out[32], size_t *len)
{
    *len = 0;
    if (c_null(r, row, 3))
        return EMT_OK;
    return open_blob(r, row, 3, "authentication-key", tenant, keys, nkeys, out, len);
}

const uint8_t *device_key_title(const struct store_result *r, int row)
{
    size_t n;
    const uint8_t *title = c_bytes(r, row, 4, &n);

    return n == 8 ? title : NULL;
}

enum emt_err registry_channels_send(struct store *s, int32_t tenant, struct store_rows *devices,
                                    store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[CHANNELS], tenant, devices, 0, done, ctx);
}

void channel_row_of(const struct store_result *r, int row, struct channel_row *out)
{
    out->device = c_int(r, row, 0);
    out->channel = c_int(r, row, 1);
    out->key = c_text(r, row, 2);
}

const char *channel_row_ident(const struct store_result *r, int row)
{
    return c_text(r, row, 3);
}

bool channel_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TEXT, STORE_INT2, STORE_TEXT,
                                             STORE_INT2, STORE_TEXT, STORE_INT2, STORE_INT8,
                                             STORE_INT4, STORE_INT4, STORE_TEXT, STORE_INT4 };

    return store_rows_init(r, types, 12);
}

/* The columns are for people and queries; the key tells channels apart, so a number beyond the
 * column is cut here and whole there. */
static int64_t at_most(uint64_t v, int64_t most)
{
    return v > (uint64_t)most ? most : (int64_t)v;
}

bool channel_rows_add(struct store_rows *rows, int64_t device, const char *key,
                      const struct reading *r)
{
    const struct unit *u = r->unit ? unit_find(r->unit) : NULL;
    char obis[OBIS_TEXT_MAX];
    const char *code = r->obis_text;

    if (!code)
        code = obis_is_none(r->obis) ? NULL : obis_format(r->obis, obis);
    return store_array_int(rows->column[0], device) && store_array_text(rows->column[1], key) &&
           store_array_int(rows->column[2], r->kind) && store_array_text(rows->column[3], code) &&
           store_array_int(rows->column[4], r->quantity) &&
           store_array_text(rows->column[5], u && u->exact ? u->base : r->unit) &&
           store_array_int(rows->column[6], r->function) &&
           store_array_int(rows->column[7], at_most(r->storage, INT64_MAX)) &&
           store_array_int(rows->column[8], at_most(r->tariff, INT32_MAX)) &&
           store_array_int(rows->column[9], r->subunit) &&
           store_array_text(rows->column[10], r->qualifier) &&
           store_array_int(rows->column[11], at_most(r->nth, INT32_MAX));
}

enum emt_err channel_rows_create_send(struct store *s, int32_t tenant, struct store_rows *r,
                                      store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[CHANNELS_CREATE], tenant, r, 0, done, ctx);
}

enum emt_err channel_rows_find_send(struct store *s, int32_t tenant, struct store_rows *r,
                                    store_done *done, void *ctx)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_array(&p[1], r->column[0]);
    p_array(&p[2], r->column[1]);
    return store_send(s, &statements[CHANNELS_FIND], p, done, ctx);
}

enum emt_err registry_stale_send(struct store *s, int32_t tenant, int64_t version,
                                 struct store_array *devices, store_done *done, void *ctx)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], version);
    p_array(&p[2], devices);
    return store_send(s, &statements[STALE_REPLAY], p, done, ctx);
}
