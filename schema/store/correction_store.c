#include "store/correction_store.h"

#include "store/store_rows.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    INSERT,
    LIST,
    LOCK,
    NEWEST,
    WITHDRAW,
    HISTORY_LIST,
    CONFLICT_LOCK,
    CONFLICT_DECIDE,
    CONFLICT_REBASE,
    STATEMENTS
};

#define SELECT                                                                                     \
    "SELECT correction_id::text, correction_id, ts, mantissa, exponent, quality, had_mantissa,"    \
    " had_exponent, had_quality, reason, method, made_at, made_by, withdrawn_at, withdrawn_by,"    \
    " withdrawn_reason FROM reading_correction WHERE tenant_id = $1 AND channel_id = $2"
#define MICROS(t) "(extract(epoch from " t ") * 1000000)::int8"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "correction_insert", 13,
        "INSERT INTO reading_correction (tenant_id, channel_id, ts, mantissa, exponent, quality,"
        " had_mantissa, had_exponent, had_quality, reason, method, made_at, made_by)"
        " SELECT $1, $2::int8, u.ts, u.mantissa, u.exponent, u.quality, u.hm, u.he, u.hq, u.reason, u.method,"
        " $12::timestamptz, $13::text"
        " FROM unnest($3::timestamptz[], $4::int8[], $5::int2[], $6::int2[], $7::int8[], $8::int2[], $9::int2[],"
        " $10::text[], $11::text[]) AS u(ts, mantissa, exponent, quality, hm, he, hq, reason, method)"
        " RETURNING correction_id, ts" },
    [LIST] = { "correction_list", 6,
        SELECT " AND ($3::timestamptz IS NULL OR ts >= $3) AND ($4::timestamptz IS NULL OR ts < $4)"
        " AND ($5::int8 = 0 OR correction_id < $5) ORDER BY reading_correction.correction_id DESC LIMIT $6" },
    [LOCK] = { "correction_lock", 3, SELECT " AND correction_id = $3 FOR UPDATE" },
    [NEWEST] = { "correction_newest", 3,
        "SELECT max(correction_id) FROM reading_correction"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts = $3 AND withdrawn_at IS NULL"
        " HAVING max(correction_id) IS NOT NULL" },
    [WITHDRAW] = { "correction_withdraw", 5,
        "UPDATE reading_correction SET withdrawn_at = $3, withdrawn_by = $4, withdrawn_reason = $5"
        " WHERE tenant_id = $1 AND correction_id = $2 AND withdrawn_at IS NULL" },
    [HISTORY_LIST] = { "history_list", 7,
        "SELECT " MICROS("ts") " || '.' || " MICROS("replaced_at") ", ts, mantissa, exponent, quality,"
        " replaced_at, replaced_by, reason FROM reading_history"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4"
        " AND ($5::timestamptz IS NULL OR (ts, replaced_at) > ($5, $6))"
        " ORDER BY ts, replaced_at LIMIT $7" },
    /* By value: 1.20 is 1.2. */
    [CONFLICT_LOCK] = { "conflict_lock", 5,
        "SELECT mantissa, exponent, quality, kept_mantissa, kept_exponent, kept_quality FROM reading_conflict"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts = $3 AND resolved_at IS NULL"
        " AND mantissa::numeric * ('1e' || (exponent - least(exponent, $5::int2)))::numeric"
        " = $4::int8::numeric * ('1e' || ($5::int2 - least(exponent, $5::int2)))::numeric"
        " ORDER BY exponent LIMIT 1 FOR UPDATE" },
    [CONFLICT_DECIDE] = { "conflict_decide", 9,
        "UPDATE reading_conflict SET resolved_at = $6, resolved_by = $7, taken = $8, reason = $9"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts = $3 AND resolved_at IS NULL"
        " AND mantissa::numeric * ('1e' || (exponent - least(exponent, $5::int2)))::numeric"
        " = $4::int8::numeric * ('1e' || ($5::int2 - least(exponent, $5::int2)))::numeric" },
    [CONFLICT_REBASE] = { "conflict_rebase", 6,
        "UPDATE reading_conflict SET kept_mantissa = $4, kept_exponent = $5, kept_quality = $6"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts = $3 AND resolved_at IS NULL" },
};
/* clang-format on */

const struct store_statement *correction_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static bool add_before(struct store_array *const *column, const struct correction *c)
{
    if (!c->had)
        return store_array_null(column[4]) && store_array_null(column[5]) &&
               store_array_null(column[6]);
    return store_array_int(column[4], c->before.mantissa) &&
           store_array_int(column[5], c->before.exponent) &&
           store_array_int(column[6], c->before.quality);
}

static bool add(struct store_rows *rows, const struct correction *c)
{
    struct store_array *const *column = rows->column;

    return store_array_time(column[0], c->v.ts) && store_array_int(column[1], c->v.mantissa) &&
           store_array_int(column[2], c->v.exponent) && store_array_int(column[3], c->v.quality) &&
           add_before(column, c) && store_array_text(column[7], c->reason) &&
           store_array_text(column[8], c->method);
}

enum emt_err correction_insert(struct store *s, int32_t tenant, int64_t channel,
                               const struct correction *list, size_t n, const struct value_who *who,
                               struct store_result **out)
{
    static const enum store_type types[] = { STORE_TIME, STORE_INT8, STORE_INT2,
                                             STORE_INT2, STORE_INT8, STORE_INT2,
                                             STORE_INT2, STORE_TEXT, STORE_TEXT };
    struct store_param p[13];
    struct store_rows rows;
    bool ok = store_rows_init(&rows, types, 9);

    for (size_t i = 0; ok && i < n; i++)
        ok = add(&rows, &list[i]);
    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    for (unsigned i = 0; i < 9; i++)
        p_array(&p[2 + i], rows.column[i]);
    p_time(&p[11], who->at);
    p_text(&p[12], who->by);
    enum emt_err err = ok ? store_run(s, &statements[INSERT], p, out) : EMT_ENOMEM;
    store_rows_release(&rows);
    return err;
}

enum emt_err correction_list(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                             emt_time to, int64_t before, int limit, struct store_result **out)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_int8(&p[4], before);
    p_int8(&p[5], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err correction_lock(struct store *s, int32_t tenant, int64_t channel, int64_t id,
                             struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_int8(&p[2], id);
    return store_run_row(s, &statements[LOCK], p, out);
}

enum emt_err correction_newest(struct store *s, int32_t tenant, int64_t channel, emt_time ts,
                               int64_t *id)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], ts);
    return store_run_number(s, &statements[NEWEST], p, id);
}

enum emt_err correction_withdraw(struct store *s, int32_t tenant, int64_t id,
                                 const struct value_who *who, const char *reason)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_time(&p[2], who->at);
    p_text(&p[3], who->by);
    p_text(&p[4], reason);
    return store_run_touch(s, &statements[WITHDRAW], p);
}

enum emt_err history_list(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                          emt_time to, emt_time after_ts, emt_time after_replaced, int limit,
                          struct store_result **out)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_time(&p[4], after_ts);
    p_time(&p[5], after_replaced);
    p_int8(&p[6], limit);
    return store_run(s, &statements[HISTORY_LIST], p, out);
}

enum emt_err conflict_lock(struct store *s, int32_t tenant, int64_t channel, emt_time ts,
                           struct decimal value, struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], ts);
    p_int8(&p[3], value.mantissa);
    p_int2(&p[4], value.exponent);
    return store_run_row(s, &statements[CONFLICT_LOCK], p, out);
}

enum emt_err conflict_decide(struct store *s, int32_t tenant, int64_t channel,
                             const struct block_value *value, bool taken,
                             const struct value_who *who, const char *reason)
{
    struct store_param p[9];

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], value->ts);
    p_int8(&p[3], value->mantissa);
    p_int2(&p[4], value->exponent);
    p_time(&p[5], who->at);
    p_text(&p[6], who->by);
    p_bool(&p[7], taken);
    p_text(&p[8], reason);
    enum emt_err err = store_run_touch(s, &statements[CONFLICT_DECIDE], p);
    if (err != EMT_OK || !taken)
        return err;
    p_int2(&p[5], value->quality);
    return store_run(s, &statements[CONFLICT_REBASE], p, NULL);
}
