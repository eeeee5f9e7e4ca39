#include "store/calculated_store.h"

#include "store/job_store.h"

#include <inttypes.h>
#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DUE_MOST 100

enum { CHANNEL, CALCULATION, VERSION, LIST, GET, VERSIONS, INPUTS, TOUCHED, DUE, STATEMENTS };

#define SELECT                                                                                     \
    "SELECT k.channel_id::text, k.channel_id, c.name, d.ident, q.name, coalesce(c.unit, ''),"      \
    " k.step_s, k.decimals, k.created_at, k.created_by FROM calculation k"                         \
    " JOIN channel c ON c.tenant_id = k.tenant_id AND c.channel_id = k.channel_id"                 \
    " JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"                    \
    " JOIN quantity q ON q.id = c.quantity WHERE k.tenant_id = $1"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [CHANNEL] = { "calculated_channel_insert", 5,
        "INSERT INTO channel (tenant_id, device_id, key, kind, quantity, unit, name)"
        " VALUES ($1, $2, 'calculated|' || $3::text, 0, $4, $5, $3::text) RETURNING channel_id" },
    [CALCULATION] = { "calculation_insert", 5,
        "INSERT INTO calculation (tenant_id, channel_id, step_s, decimals, created_by)"
        " VALUES ($1, $2, $3, $4, $5)" },
    /* The first version has been valid since ever. */
    [VERSION] = { "calculated_version", 7,
        "INSERT INTO calculated_channel (tenant_id, channel_id, version, valid_from, formula, inputs, created_at,"
        " created_by) SELECT $1, k.channel_id, coalesce((SELECT max(v.version) FROM calculated_channel v"
        " WHERE v.tenant_id = $1 AND v.channel_id = k.channel_id), 0) + 1, $3, $4, $5::int8[], $6, $7"
        " FROM calculation k WHERE k.tenant_id = $1 AND k.channel_id = $2 FOR UPDATE OF k" },
    [LIST] = { "calculated_list", 3, SELECT " AND k.channel_id > $2 ORDER BY k.channel_id LIMIT $3" },
    [GET] = { "calculated_get", 2, SELECT " AND k.channel_id = $2" },
    [VERSIONS] = { "calculated_versions", 2,
        "SELECT version, valid_from, formula, created_at, created_by FROM calculated_channel"
        " WHERE tenant_id = $1 AND channel_id = $2 ORDER BY version" },
    [INPUTS] = { "calculated_inputs", 2,
        "SELECT c.channel_id, c.device_id, c.quantity, coalesce(c.unit, '') FROM channel c"
        " WHERE c.tenant_id = $1 AND c.channel_id = ANY($2::int8[]) AND c.kind = 0 AND NOT EXISTS ("
        " SELECT FROM calculation k WHERE k.tenant_id = $1 AND k.channel_id = c.channel_id)"
        " ORDER BY array_position($2::int8[], c.channel_id)" },
    [TOUCHED] = { "calculation_touched", 2,
        "SELECT DISTINCT channel_id FROM calculated_channel WHERE tenant_id = $1 AND inputs @> ARRAY[$2::int8]"
        " ORDER BY channel_id" },
    [DUE] = { "calculation_due", 4,
        "WITH due AS (SELECT tenant_id, channel_id, full_run_at <= $1 AS whole FROM calculation"
        " WHERE next_run_at <= $1 ORDER BY next_run_at LIMIT $4 FOR UPDATE SKIP LOCKED)"
        " UPDATE calculation k SET next_run_at = $2,"
        " full_run_at = CASE WHEN due.whole THEN $3 ELSE k.full_run_at END FROM due"
        " WHERE k.tenant_id = due.tenant_id AND k.channel_id = due.channel_id"
        " RETURNING k.tenant_id, k.channel_id, due.whole" },
};
/* clang-format on */

const struct store_statement *calculated_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static struct store_array *array_of(const int64_t *ids, size_t n)
{
    struct store_array *a = store_array_new(STORE_INT8);
    bool ok = a != NULL;

    for (size_t i = 0; ok && i < n; i++)
        ok = store_array_int(a, ids[i]);
    if (ok)
        return a;
    store_array_free(a);
    return NULL;
}

enum emt_err calculated_version_add(struct store *s, int32_t tenant, int64_t channel,
                                    const struct calculated_new *c, emt_time valid_from)
{
    struct store_array *inputs = array_of(c->inputs, c->ninputs);
    struct store_param p[7];

    if (inputs == NULL)
        return EMT_ENOMEM;
    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], valid_from);
    p_text(&p[3], c->formula);
    p_array(&p[4], inputs);
    p_time(&p[5], c->now);
    p_text(&p[6], c->created_by);
    enum emt_err err = store_run_touch(s, &statements[VERSION], p);
    store_array_free(inputs);
    return err;
}

enum emt_err calculated_insert(struct store *s, int32_t tenant, const struct calculated_new *c,
                               int64_t *channel)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], c->device);
    p_text(&p[2], c->name);
    p_int2(&p[3], (int16_t)c->quantity);
    p_text(&p[4], c->unit);
    enum emt_err err = store_run_number(s, &statements[CHANNEL], p, channel);
    if (err != EMT_OK)
        return err;
    p_int8(&p[1], *channel);
    p_int4(&p[2], c->step_s);
    p_int2(&p[3], (int16_t)c->decimals);
    p_text(&p[4], c->created_by);
    err = store_run_touch(s, &statements[CALCULATION], p);
    return err == EMT_OK ? calculated_version_add(s, tenant, *channel, c, 0) : err;
}

enum emt_err calculated_list(struct store *s, int32_t tenant, int64_t after, int limit,
                             struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err calculated_get(struct store *s, int32_t tenant, int64_t channel,
                            struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err calculated_versions(struct store *s, int32_t tenant, int64_t channel,
                                 struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    return store_run(s, &statements[VERSIONS], p, out);
}

enum emt_err calculated_inputs(struct store *s, int32_t tenant, const int64_t *ids, size_t n,
                               struct store_result **out)
{
    struct store_array *inputs = array_of(ids, n);
    struct store_param p[2];

    if (inputs == NULL)
        return EMT_ENOMEM;
    p_int4(&p[0], tenant);
    p_array(&p[1], inputs);
    enum emt_err err = store_run(s, &statements[INPUTS], p, out);
    store_array_free(inputs);
    return err;
}

enum emt_err calculation_order(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                               emt_time to)
{
    char payload[160], since[32], until[32];

    if (from == EMT_TIME_NONE)
        (void)snprintf(payload, sizeof payload, "{\"id\": %" PRId64 "}", channel);
    else
        (void)snprintf(payload, sizeof payload,
                       "{\"id\": %" PRId64 ", \"from\": \"%s\", \"to\": \"%s\"}", channel,
                       time_format(from, since), time_format(to, until));
    return job_store_add(s, tenant, "calculation", payload, payload, EMT_TIME_NONE);
}

enum emt_err calculation_touch(struct store *s, int32_t tenant, int64_t input, emt_time from,
                               emt_time to)
{
    struct store_param p[2];
    struct store_result *r;

    p_int4(&p[0], tenant);
    p_int8(&p[1], input);
    enum emt_err err = store_run(s, &statements[TOUCHED], p, &r);
    if (err != EMT_OK)
        return err;
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = calculation_order(s, tenant, c_int(r, i, 0), from, to);
    store_result_free(r);
    return err;
}

enum emt_err calculation_order_due(struct store *s, emt_time now, int64_t *n)
{
    struct store_param p[4];
    struct store_result *r;

    *n = 0;
    p_time(&p[0], now);
    p_time(&p[1], now + CALCULATION_EVERY);
    p_time(&p[2], now + EMT_DAY);
    p_int8(&p[3], DUE_MOST);
    enum emt_err err = store_run(s, &statements[DUE], p, &r);
    if (err != EMT_OK)
        return err;
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        bool whole = c_bool(r, i, 2);

        /* Whole hours, so that an order that waits stands for the next one, too. */
        err = calculation_order(s, (int32_t)c_int(r, i, 0), c_int(r, i, 1),
                                whole ? EMT_TIME_NONE
                                      : (now - CALCULATION_RECENT) / EMT_HOUR * EMT_HOUR,
                                now / EMT_HOUR * EMT_HOUR + EMT_HOUR);
        *n += err == EMT_OK;
    }
    store_result_free(r);
    return err;
}
