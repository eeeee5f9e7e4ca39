#include "store/location_store.h"

enum {
    LOCATION_INSERT,
    LOCATION_LIST,
    LOCATION_GET,
    LOCATION_FIND,
    LOCATION_LOCK,
    LOCATION_UPDATE,
    LOCATION_DELETE,
    BINDING_INSERT,
    BINDING_OVERLAP,
    BINDING_LIST,
    BINDING_GET,
    BINDING_UPDATE,
    BINDING_DELETE,
    BINDING_MARKET,
    MAPPING,
    STATEMENTS
};

#define LOCATION_SELECT                                                                            \
    "SELECT code, code, kind, name, receiver_mp_id, created_at, location_id FROM location"
#define BINDING_SELECT                                                                              \
    "SELECT binding_id::text, binding_id, channel_id, obis, ratio_mantissa, ratio_exponent,"        \
    " device_number, valid_from, valid_to, use_case::text, order_number, config_id, decimals,"      \
    " step_s, capacity_mantissa, capacity_exponent, first_mantissa, first_exponent, last_mantissa," \
    " last_exponent, master_data_number FROM location_channel"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [LOCATION_INSERT] = { "location_insert", 5,
        "INSERT INTO location (tenant_id, kind, code, name, receiver_mp_id)"
        " VALUES ($1, $2, $3, $4, $5) RETURNING location_id" },
    [LOCATION_LIST] = { "location_list", 5,
        LOCATION_SELECT
        " WHERE tenant_id = $1 AND code > $2"
        " AND ($4::text IS NULL OR strpos(lower(code || chr(10) || name), lower($4)) > 0)"
        " AND ($5::int2 IS NULL OR kind = $5)"
        " ORDER BY code LIMIT $3" },
    [LOCATION_GET] = { "location_get", 2,
        LOCATION_SELECT
        " WHERE tenant_id = $1 AND code = $2" },
    [LOCATION_FIND] = { "location_find", 2,
        "SELECT location_id FROM location WHERE tenant_id = $1 AND code = $2" },
    [LOCATION_LOCK] = { "location_lock", 2,
        "SELECT location_id FROM location WHERE tenant_id = $1 AND code = $2 FOR UPDATE" },
    [LOCATION_UPDATE] = { "location_update", 4,
        "UPDATE location SET name = $3, receiver_mp_id = $4 WHERE tenant_id = $1 AND code = $2" },
    [LOCATION_DELETE] = { "location_delete", 2,
        "DELETE FROM location WHERE tenant_id = $1 AND code = $2" },
    [BINDING_INSERT] = { "binding_insert", 9,
        "INSERT INTO location_channel (tenant_id, location_id, channel_id, obis,"
        " ratio_mantissa, ratio_exponent, device_number, valid_from, valid_to)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING binding_id" },
    /* Type-2 values are no register of the other use cases. */
    [BINDING_OVERLAP] = { "binding_overlap", 7,
        "SELECT count(*) FROM location_channel"
        " WHERE tenant_id = $1 AND location_id = $2 AND obis = $3 AND binding_id <> $6"
        " AND (valid_to IS NULL OR valid_to > $4)"
        " AND ($5::timestamptz IS NULL OR valid_from < $5)"
        " AND (use_case IS NOT DISTINCT FROM 13027) = $7" },
    [BINDING_LIST] = { "binding_list", 3,
        BINDING_SELECT
        " WHERE tenant_id = $1 AND location_id = $2"
        " ORDER BY location_channel.binding_id LIMIT $3" },
    [BINDING_GET] = { "binding_get", 3,
        BINDING_SELECT
        " WHERE tenant_id = $1 AND location_id = $2 AND binding_id = $3" },
    [BINDING_UPDATE] = { "binding_update", 10,
        "UPDATE location_channel SET channel_id = $4, obis = $5, ratio_mantissa = $6, ratio_exponent = $7,"
        " device_number = $8, valid_from = $9, valid_to = $10"
        " WHERE tenant_id = $1 AND location_id = $2 AND binding_id = $3" },
    [BINDING_DELETE] = { "binding_delete", 3,
        "DELETE FROM location_channel WHERE tenant_id = $1 AND location_id = $2 AND binding_id = $3" },
    [BINDING_MARKET] = { "binding_market", 15,
        "UPDATE location_channel SET use_case = $4, order_number = $5, config_id = $6, decimals = $7,"
        " step_s = $8, capacity_mantissa = $9, capacity_exponent = $10, first_mantissa = $11,"
        " first_exponent = $12, last_mantissa = $13, last_exponent = $14,"
        " master_data_number = $15"
        " WHERE tenant_id = $1 AND location_id = $2 AND binding_id = $3" },
    [MAPPING] = { "location_mapping", 3,
        "SELECT l.code, l.code, l.kind, l.name, coalesce(l.receiver_mp_id, ''), b.channel_id, d.ident,"
        " coalesce(c.obis, ''), b.obis, b.ratio_mantissa, b.ratio_exponent, b.device_number,"
        " b.valid_from, b.valid_to, b.use_case::text, b.order_number, b.config_id, b.decimals,"
        " b.step_s, b.capacity_mantissa, b.capacity_exponent, b.first_mantissa, b.first_exponent,"
        " b.last_mantissa, b.last_exponent, b.master_data_number"
        " FROM (SELECT tenant_id, location_id, code, kind, name, receiver_mp_id FROM location"
        "  WHERE tenant_id = $1 AND code > $2 ORDER BY code LIMIT $3) l"
        " LEFT JOIN location_channel b ON b.tenant_id = l.tenant_id AND b.location_id = l.location_id"
        " LEFT JOIN channel c ON c.tenant_id = b.tenant_id AND c.channel_id = b.channel_id"
        " LEFT JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"
        " ORDER BY l.code, b.obis, b.valid_from, b.binding_id" },
};
/* clang-format on */

const struct store_statement *location_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err location_insert(struct store *s, int32_t tenant, int kind, const char *code,
                             const char *name, const char *receiver, int64_t *id)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int2(&p[1], (int16_t)kind);
    p_text(&p[2], code);
    p_text(&p[3], name);
    p_text(&p[4], receiver);
    return store_run_number(s, &statements[LOCATION_INSERT], p, id);
}

enum emt_err location_list(struct store *s, int32_t tenant, const char *q, int kind,
                           const char *after, int limit, struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], after);
    p_int8(&p[2], limit);
    p_text(&p[3], q);
    p_null(&p[4]);
    if (kind >= 0)
        p_int2(&p[4], (int16_t)kind);
    return store_run(s, &statements[LOCATION_LIST], p, out);
}

enum emt_err location_get(struct store *s, int32_t tenant, const char *code,
                          struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    return store_run_row(s, &statements[LOCATION_GET], p, out);
}

static enum emt_err number_of(struct store *s, unsigned statement, int32_t tenant, const char *code,
                              int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    return store_run_number(s, &statements[statement], p, id);
}

enum emt_err location_find(struct store *s, int32_t tenant, const char *code, int64_t *id)
{
    return number_of(s, LOCATION_FIND, tenant, code, id);
}

enum emt_err location_lock(struct store *s, int32_t tenant, const char *code, int64_t *id)
{
    return number_of(s, LOCATION_LOCK, tenant, code, id);
}

enum emt_err location_update(struct store *s, int32_t tenant, const char *code, const char *name,
                             const char *receiver)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    p_text(&p[2], name);
    p_text(&p[3], receiver);
    return store_run_touch(s, &statements[LOCATION_UPDATE], p);
}

enum emt_err location_delete(struct store *s, int32_t tenant, const char *code)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    return store_run_touch(s, &statements[LOCATION_DELETE], p);
}

enum emt_err binding_insert(struct store *s, int32_t tenant, int64_t location_id,
                            int64_t channel_id, const char *obis, int64_t ratio_mantissa,
                            int ratio_exponent, const char *device_number, emt_time valid_from,
                            emt_time valid_to, int64_t *id)
{
    struct store_param p[9];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], channel_id);
    p_text(&p[3], obis);
    p_int8(&p[4], ratio_mantissa);
    p_int2(&p[5], (int16_t)ratio_exponent);
    p_text(&p[6], device_number);
    p_time(&p[7], valid_from);
    p_time(&p[8], valid_to);
    return store_run_number(s, &statements[BINDING_INSERT], p, id);
}

enum emt_err binding_overlap(struct store *s, int32_t tenant, int64_t location_id, const char *obis,
                             emt_time valid_from, emt_time valid_to, int64_t except, bool ordered,
                             int64_t *n)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_text(&p[2], obis);
    p_time(&p[3], valid_from);
    p_time(&p[4], valid_to);
    p_int8(&p[5], except);
    p_bool(&p[6], ordered);
    return store_run_number(s, &statements[BINDING_OVERLAP], p, n);
}

enum emt_err binding_list(struct store *s, int32_t tenant, int64_t location_id, int limit,
                          struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], limit);
    return store_run(s, &statements[BINDING_LIST], p, out);
}

enum emt_err binding_get(struct store *s, int32_t tenant, int64_t location_id, int64_t binding_id,
                         struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], binding_id);
    return store_run_row(s, &statements[BINDING_GET], p, out);
}

/* NULL with its exponent at 0. */
static void decimal_param(struct store_param p[2], const struct decimal *d)
{
    p_null(&p[0]);
    if (d != NULL)
        p_int8(&p[0], d->mantissa);
    p_int2(&p[1], d != NULL ? d->exponent : 0);
}

enum emt_err binding_market_set(struct store *s, int32_t tenant, int64_t location_id,
                                int64_t binding_id, const struct binding_market *m)
{
    struct store_param p[15];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], binding_id);
    p_null(&p[3]);
    if (m->use_case != 0)
        p_int4(&p[3], (int32_t)m->use_case);
    p_text(&p[4], m->order_number != NULL ? m->order_number : "");
    p_text(&p[5], m->config_id != NULL ? m->config_id : "");
    p_null(&p[6]);
    if (m->decimals >= 0)
        p_int2(&p[6], (int16_t)m->decimals);
    p_null(&p[7]);
    if (m->step_s != 0)
        p_int4(&p[7], m->step_s);
    decimal_param(&p[8], m->capacity);
    decimal_param(&p[10], m->first_reading);
    decimal_param(&p[12], m->last_reading);
    p_text(&p[14], m->master_data_number != NULL ? m->master_data_number : "");
    return store_run_touch(s, &statements[BINDING_MARKET], p);
}

enum emt_err binding_update(struct store *s, int32_t tenant, int64_t location_id,
                            int64_t binding_id, const struct binding_row *row)
{
    struct store_param p[10];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], binding_id);
    p_int8(&p[3], row->channel_id);
    p_text(&p[4], row->obis);
    p_int8(&p[5], row->ratio.mantissa);
    p_int2(&p[6], row->ratio.exponent);
    p_text(&p[7], row->device_number);
    p_time(&p[8], row->valid_from);
    p_time(&p[9], row->valid_to);
    enum emt_err err = store_run_touch(s, &statements[BINDING_UPDATE], p);
    return err == EMT_OK ? binding_market_set(s, tenant, location_id, binding_id, &row->market)
                         : err;
}

enum emt_err binding_delete(struct store *s, int32_t tenant, int64_t location_id,
                            int64_t binding_id)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], location_id);
    p_int8(&p[2], binding_id);
    return store_run_touch(s, &statements[BINDING_DELETE], p);
}

enum emt_err location_mapping(struct store *s, int32_t tenant, const char *after, int places,
                              struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], after);
    p_int8(&p[2], places);
    return store_run(s, &statements[MAPPING], p, out);
}
