#include "store/frame_detail_store.h"

#include "raw_pack_read.h"
#include "result_edit.h"
#include "store/raw_pack_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { FRAME, KEYS, FORMATS, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [FRAME] = { "frame_detail", 4,
        "SELECT ''::text, g.external_id, encode(f.spool_id, 'hex'), f.seq, f.received_at,"
        " f.stored_at, d.ident, f.protocol, f.state, f.reason, f.rssi_dbm, f.data,"
        " f.format, d.assignment, d.accept_plaintext"
        " FROM gateway g"
        " JOIN raw_frame f ON f.tenant_id = $1 AND f.gateway_id = g.gateway_id AND f.seq = $4"
        "  AND f.spool_id = $3"
        " LEFT JOIN device d ON d.tenant_id = $1 AND d.device_id = f.device_id"
        " WHERE g.tenant_id = $1 AND g.external_id = $2"
        " ORDER BY f.stored_at DESC LIMIT 1" },
    /* As registry_keys, for one device. */
    [KEYS] = { "frame_detail_keys", 5,
        "SELECT ''::text, k.key_id, k.blob, k.authentication_blob, k.system_title"
        " FROM device_key k WHERE k.tenant_id = $1 AND (k.number = $3 OR k.number IS NULL)"
        " AND (k.manufacturer IS NULL OR k.manufacturer = $2)"
        " AND (k.version IS NULL OR k.version = $4::int2)"
        " AND (k.type IS NULL OR k.type = $5::int2)"
        " ORDER BY 8 * (k.number IS NOT NULL)::int4 + 4 * (k.manufacturer IS NOT NULL)::int4"
        "  + 2 * (k.version IS NOT NULL)::int4 + (k.type IS NOT NULL)::int4 DESC, k.key_id DESC"
        " LIMIT 8" },
    [FORMATS] = { "frame_detail_formats", 5,
        "SELECT header FROM frame_format WHERE tenant_id = $1 AND manufacturer = $2"
        " AND version = $3::int2 AND type = $4::int2 AND signature = $5::int4"
        " ORDER BY verified DESC, learnt_at LIMIT 16" },
};
/* clang-format on */

const struct store_statement *frame_detail_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* rows: of FRAME, empty. EMT_ENOTFOUND: not packed either. */
static enum emt_err find_packed(struct store *s, int32_t tenant, const char *gateway,
                                const uint8_t spool[16], int64_t seq, struct store_result **rows)
{
    struct store_result *to = result_like(*rows), *devices = NULL;
    struct packed_hits hits = { 0 };
    enum emt_err err = to ? packed_one(s, tenant, gateway, spool, seq, &hits) : EMT_ENOMEM;

    if (err == EMT_OK && hits.n == 0)
        err = EMT_ENOTFOUND;
    if (err == EMT_OK)
        err = packed_devices(s, tenant, &hits, &devices);
    if (err == EMT_OK) {
        bool known = store_rows(devices) > 0;

        if (!frame_row_put(to, &hits.list[0], devices) ||
            !result_put_text(to, 0, 0, "") || /* no list, no cursor */
            !result_put_int(to, 0, FRAME_DETAIL_FORMAT, hits.list[0].f.format, 2) ||
            !(known ? result_put_int(to, 0, FRAME_DETAIL_ASSIGNMENT, c_int(devices, 0, 2), 2) &&
                          result_put_int(to, 0, FRAME_DETAIL_PLAINTEXT, c_bool(devices, 0, 3), 1)
                    : result_put_null(to, 0, FRAME_DETAIL_ASSIGNMENT) &&
                          result_put_null(to, 0, FRAME_DETAIL_PLAINTEXT)))
            err = EMT_ENOMEM;
    }
    store_result_free(devices);
    packed_hits_release(&hits);
    store_result_free(err == EMT_OK ? *rows : to);
    if (err == EMT_OK)
        *rows = to;
    return err;
}

enum emt_err frame_detail(struct store *s, int32_t tenant, const char *gateway,
                          const uint8_t spool[16], int64_t seq, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], gateway);
    p_bytes(&p[2], spool, 16);
    p_int8(&p[3], seq);
    enum emt_err err = store_run(s, &statements[FRAME], p, out);
    if (err == EMT_OK && store_rows(*out) == 0) {
        err = find_packed(s, tenant, gateway, spool, seq, out);
        if (err != EMT_OK)
            store_result_free(*out);
    }
    return err;
}

enum emt_err frame_detail_keys(struct store *s, int32_t tenant, const struct device_id *id,
                               struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], id->manufacturer);
    p_text(&p[2], id->number);
    if (id->has_version) {
        p_int2(&p[3], id->version);
        p_int2(&p[4], id->type);
    } else {
        p_null(&p[3]);
        p_null(&p[4]);
    }
    return store_run(s, &statements[KEYS], p, out);
}

enum emt_err frame_detail_formats(struct store *s, int32_t tenant, const struct device_id *id,
                                  uint16_t signature, struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], id->manufacturer);
    p_int2(&p[2], id->version);
    p_int2(&p[3], id->type);
    p_int4(&p[4], signature);
    return store_run(s, &statements[FORMATS], p, out);
}
