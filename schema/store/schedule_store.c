#include "store/schedule_store.h"

enum { INSERT, UPDATE, DELETE, LOCK, GET, LIST, EXPORTED, DUE, ADVANCE, STATEMENTS };

#define COLUMNS                                                                                    \
    "name, cron, local_time, pid, location, days, hold_gaps, test, run_missed, enabled,"           \
    " target_id, second_target_id, next_run_at"
/* $2 to $14. */
#define VALUES                                                                                     \
    "$2::text, $3::text, $4::bool, $5::int4, $6::text, $7::int2, $8::bool, $9::bool, $10::bool,"   \
    " $11::bool, $12::int8, $13::int8, $14::timestamptz"
/* The columns of enum schedule_column. */
#define SELECT                                                                                     \
    "SELECT schedule_id::text, schedule_id, name, cron, local_time, pid, location, days,"          \
    " hold_gaps, test, run_missed, enabled, target_id, second_target_id, exported_to::text,"       \
    " next_run_at, last_run_at, created_at, revision FROM export_schedule"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "schedule_insert", 15,
        "INSERT INTO export_schedule (tenant_id, " COLUMNS ") SELECT $1::int4, " VALUES
        " WHERE (SELECT count(*) FROM export_schedule WHERE tenant_id = $1) < $15"
        " RETURNING schedule_id" },
    [UPDATE] = { "schedule_update", 15,
        "UPDATE export_schedule SET (" COLUMNS ") = ROW(" VALUES "), revision = revision + 1"
        " WHERE tenant_id = $1 AND schedule_id = $15" },
    [DELETE] = { "schedule_delete", 2,
        "DELETE FROM export_schedule WHERE tenant_id = $1 AND schedule_id = $2" },
    [LOCK] = { "schedule_lock", 2,
        "SELECT schedule_id FROM export_schedule WHERE tenant_id = $1 AND schedule_id = $2 FOR UPDATE" },
    [GET] = { "schedule_get", 2, SELECT " WHERE tenant_id = $1 AND schedule_id = $2" },
    [LIST] = { "schedule_list", 3,
        SELECT " WHERE tenant_id = $1 AND schedule_id > $2"
        " ORDER BY export_schedule.schedule_id LIMIT $3" },
    [EXPORTED] = { "schedule_exported", 3,
        "UPDATE export_schedule SET exported_to = greatest(exported_to, $3::text::date)"
        " WHERE tenant_id = $1 AND schedule_id = $2" },
    [DUE] = { "schedule_due", 2,
        "SELECT tenant_id, schedule_id, cron, local_time, run_missed, next_run_at"
        " FROM export_schedule WHERE enabled AND next_run_at <= $1"
        " ORDER BY next_run_at LIMIT $2 FOR UPDATE SKIP LOCKED" },
    [ADVANCE] = { "schedule_advance", 4,
        "UPDATE export_schedule SET next_run_at = $3,"
        " last_run_at = CASE WHEN $4::bool THEN now() ELSE last_run_at END"
        " WHERE tenant_id = $1 AND schedule_id = $2" },
};
/* clang-format on */

const struct store_statement *schedule_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static void number_or_null(struct store_param *p, int64_t v)
{
    p_null(p);
    if (v != 0)
        p_int8(p, v);
}

/* $1 to $14. */
static void row_params(struct store_param p[14], int32_t tenant, const struct schedule_row *row)
{
    p_int4(&p[0], tenant);
    p_text(&p[1], row->name);
    p_text(&p[2], row->cron);
    p_bool(&p[3], row->local_time);
    p_int4(&p[4], row->pid);
    p_text(&p[5], row->location);
    p_int2(&p[6], (int16_t)row->days);
    p_bool(&p[7], row->hold_gaps);
    p_bool(&p[8], row->test);
    p_bool(&p[9], row->run_missed);
    p_bool(&p[10], row->enabled);
    number_or_null(&p[11], row->target);
    number_or_null(&p[12], row->second_target);
    p_time(&p[13], row->next_run_at);
}

enum emt_err schedule_insert(struct store *s, int32_t tenant, const struct schedule_row *row,
                             int64_t *id)
{
    struct store_param p[15];

    row_params(p, tenant, row);
    p_int8(&p[14], SCHEDULES_MOST);
    enum emt_err err = store_run_number(s, &statements[INSERT], p, id);
    return err == EMT_ENOTFOUND ? EMT_ELIMIT : err;
}

enum emt_err schedule_update(struct store *s, int32_t tenant, int64_t id,
                             const struct schedule_row *row)
{
    struct store_param p[15];

    row_params(p, tenant, row);
    p_int8(&p[14], id);
    return store_run_touch(s, &statements[UPDATE], p);
}

static void two(struct store_param p[2], int32_t tenant, int64_t id)
{
    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
}

enum emt_err schedule_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[DELETE], p);
}

enum emt_err schedule_lock(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[LOCK], p);
}

enum emt_err schedule_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err schedule_list(struct store *s, int32_t tenant, int64_t after, int limit,
                           struct store_result **out)
{
    struct store_param p[3];

    two(p, tenant, after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err schedule_exported(struct store *s, int32_t tenant, int64_t id, const char *day)
{
    struct store_param p[3];

    two(p, tenant, id);
    p_text(&p[2], day);
    return store_run_touch(s, &statements[EXPORTED], p);
}

enum emt_err schedule_due(struct store *s, emt_time at, int limit, struct store_result **out)
{
    struct store_param p[2];

    p_time(&p[0], at);
    p_int8(&p[1], limit);
    return store_run(s, &statements[DUE], p, out);
}

enum emt_err schedule_advance(struct store *s, int32_t tenant, int64_t id, emt_time next, bool ran)
{
    struct store_param p[4];

    two(p, tenant, id);
    p_time(&p[2], next);
    p_bool(&p[3], ran);
    return store_run_touch(s, &statements[ADVANCE], p);
}
