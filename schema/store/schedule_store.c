#include "store/schedule_store.h"

enum {
    INSERT,
    UPDATE,
    DELETE,
    LOCK,
    GET,
    LIST,
    EXPORTED,
    EXPORTED_UNTIL,
    DUE,
    ADVANCE,
    TRIGGERED,
    TRIGGERS_DONE,
    EVENTS_DONE,
    READOUTS,
    RAN,
    HOLD,
    RELEASE,
    STATEMENTS
};

/* clang-format off */
#define COLUMNS \
    "name, cron, local_time, pid, location, days, hold_gaps, test, run_missed, enabled," \
    " target_id, second_target_id, next_run_at, template_id, on_event, after_readout, quiet_s," \
    " gap_s, until_now, most_days, interval_s, retries, retry_s, read_first, deadline_s," \
    " recipient, mail_to, mail_cc, mail_bcc, document, event_from"
#define LINES(n) "string_to_array($" #n "::text, E'\\n')"
/* $2 to $31; events from now on. */
#define VALUES \
    "$2::text, $3::text, $4::bool, $5::int4, $6::text, $7::int2, $8::bool, $9::bool, $10::bool," \
    " $11::bool, $12::int8, $13::int8, $14::timestamptz, $15::int8, " LINES(16) ", $17::bool," \
    " $18::int4, $19::int4, $20::bool, $21::int2, $22::int4, $23::int2, $24::int4, $25::bool," \
    " $26::int4, $27::text, " LINES(28) ", " LINES(29) ", " LINES(30) "," \
    " $31::text," \
    " coalesce((SELECT max(event_id) FROM event WHERE tenant_id = $1), 0)"
#define PARAMS 31
#define TEXT_OF(list) " array_to_string(" list ", E'\\n')"
/* The columns of enum schedule_column. */
#define SELECT \
    "SELECT schedule_id::text, schedule_id, name, cron, local_time, pid, location, days," \
    " hold_gaps, test, run_missed, enabled, target_id, second_target_id, exported_to::text," \
    " next_run_at, last_run_at, created_at, revision, template_id," TEXT_OF("on_event") "," \
    " after_readout, quiet_s, gap_s, until_now, most_days, interval_s, retries, retry_s, read_first," \
    " deadline_s, recipient," TEXT_OF("mail_to") "," TEXT_OF("mail_cc") "," TEXT_OF("mail_bcc") "," \
    " exported_until, document FROM export_schedule"

static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "schedule_insert", PARAMS + 1,
        "INSERT INTO export_schedule (tenant_id, " COLUMNS ") SELECT $1::int4, " VALUES
        " WHERE (SELECT count(*) FROM export_schedule WHERE tenant_id = $1) < $32"
        " RETURNING schedule_id" },
    [UPDATE] = { "schedule_update", PARAMS + 1,
        "UPDATE export_schedule SET (" COLUMNS ") = ROW(" VALUES "), revision = revision + 1"
        " WHERE tenant_id = $1 AND schedule_id = $32" },
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
    [EXPORTED_UNTIL] = { "schedule_exported_until", 3,
        "UPDATE export_schedule SET exported_until = greatest(exported_until, $3::timestamptz)"
        " WHERE tenant_id = $1 AND schedule_id = $2" },
    [DUE] = { "schedule_due", 2,
        "SELECT tenant_id, schedule_id, cron, local_time, run_missed, next_run_at"
        " FROM export_schedule WHERE enabled AND next_run_at <= $1"
        " ORDER BY next_run_at LIMIT $2 FOR UPDATE SKIP LOCKED" },
    [ADVANCE] = { "schedule_advance", 4,
        "UPDATE export_schedule SET next_run_at = $3,"
        " last_run_at = CASE WHEN $4::bool THEN now() ELSE last_run_at END"
        " WHERE tenant_id = $1 AND schedule_id = $2" },
    /* The key of schedule_trigger makes it once: who comes second waits for the first, and finds the row. */
    [TRIGGERED] = { "schedule_triggered", 0,
        "WITH hit AS (INSERT INTO schedule_trigger (tenant_id, schedule_id, event_id)"
        " SELECT s.tenant_id, s.schedule_id, e.event_id FROM export_schedule s"
        " JOIN event e ON e.tenant_id = s.tenant_id AND e.event_id > s.event_from"
        " WHERE s.enabled AND s.on_event <> '{}' AND EXISTS (SELECT FROM unnest(s.on_event) AS w(kind)"
        "  WHERE w.kind = e.kind OR (w.kind = 'alarm' AND e.severity = 2)"
        "  OR (right(w.kind, 1) = '*' AND starts_with(e.kind, left(w.kind, -1))))"
        /* What the schedule's own failure says orders it no more. */
        " AND NOT (e.kind = 'export-failed' AND starts_with(e.detail, 'schedule:' || left(s.name, 100) || ':'))"
        " ON CONFLICT DO NOTHING RETURNING tenant_id, schedule_id)"
        " SELECT DISTINCT s.tenant_id, s.schedule_id, s.last_run_at + make_interval(secs => s.gap_s)"
        " FROM hit JOIN export_schedule s USING (tenant_id, schedule_id)" },
    [TRIGGERS_DONE] = { "schedule_triggers_done", 0,
        "DELETE FROM schedule_trigger t USING export_schedule s WHERE s.tenant_id = t.tenant_id"
        " AND s.schedule_id = t.schedule_id AND t.event_id <= s.event_from" },
    /* A transaction that writes events is over within a minute. */
    [EVENTS_DONE] = { "schedule_events_done", 0,
        "UPDATE export_schedule s SET event_from = greatest(s.event_from, s.event_next),"
        " event_next = coalesce((SELECT max(e.event_id) FROM event e WHERE e.tenant_id = s.tenant_id), 0),"
        " event_next_at = now() WHERE s.enabled AND s.on_event <> '{}' AND s.event_next_at < now() - interval '60 s'" },
    [READOUTS] = { "schedule_readouts", 0,
        "UPDATE export_schedule s SET readout_seen = c.at FROM (SELECT s.tenant_id, s.schedule_id, max(k.updated_at) AS at"
        "  FROM export_schedule s JOIN gateway_cursor k ON k.tenant_id = s.tenant_id AND k.last_seq > 0"
        "  AND k.updated_at > coalesce(s.readout_seen, s.created_at)"
        "  AND k.updated_at < now() - make_interval(secs => s.quiet_s)"
        "  WHERE s.enabled AND s.after_readout GROUP BY 1, 2) c"
        " WHERE s.tenant_id = c.tenant_id AND s.schedule_id = c.schedule_id"
        " AND c.at > coalesce(s.readout_seen, s.created_at)"
        " RETURNING s.tenant_id, s.schedule_id, s.last_run_at + make_interval(secs => s.gap_s)" },
    [HOLD] = { "schedule_hold", 2,
        "SELECT pg_try_advisory_lock(hashtextextended('schedule ' || $1::int4 || ' ' || $2::int8, 0))" },
    [RELEASE] = { "schedule_release", 2,
        "SELECT pg_advisory_unlock(hashtextextended('schedule ' || $1::int4 || ' ' || $2::int8, 0))" },
    [RAN] = { "schedule_ran", 2,
        "UPDATE export_schedule SET last_run_at = now() WHERE tenant_id = $1 AND schedule_id = $2" },
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

/* $1 to $31. */
static void row_params(struct store_param p[PARAMS], int32_t tenant, const struct schedule_row *row)
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
    number_or_null(&p[14], row->template_id);
    p_text(&p[15], row->on_event);
    p_bool(&p[16], row->after_readout);
    p_int4(&p[17], row->quiet_s);
    p_int4(&p[18], row->gap_s);
    p_bool(&p[19], row->until_now);
    p_int2(&p[20], (int16_t)row->most_days);
    p_int4(&p[21], row->interval_s);
    p_null(&p[22]);
    p_null(&p[23]);
    if (row->retries >= 0) {
        p_int2(&p[22], (int16_t)row->retries);
        p_int4(&p[23], row->retry_s);
    }
    p_bool(&p[24], row->read_first);
    p_int4(&p[25], row->deadline_s);
    p_text(&p[26], row->recipient);
    p_text(&p[27], row->mail_to);
    p_text(&p[28], row->mail_cc);
    p_text(&p[29], row->mail_bcc);
    p_text(&p[30], row->document);
}

enum emt_err schedule_insert(struct store *s, int32_t tenant, const struct schedule_row *row,
                             int64_t *id)
{
    struct store_param p[PARAMS + 1];

    row_params(p, tenant, row);
    p_int8(&p[PARAMS], SCHEDULES_MOST);
    enum emt_err err = store_run_number(s, &statements[INSERT], p, id);
    return err == EMT_ENOTFOUND ? EMT_ELIMIT : err;
}

enum emt_err schedule_update(struct store *s, int32_t tenant, int64_t id,
                             const struct schedule_row *row)
{
    struct store_param p[PARAMS + 1];

    row_params(p, tenant, row);
    p_int8(&p[PARAMS], id);
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

enum emt_err schedule_exported_until(struct store *s, int32_t tenant, int64_t id, emt_time until)
{
    struct store_param p[3];

    two(p, tenant, id);
    p_time(&p[2], until);
    return store_run_touch(s, &statements[EXPORTED_UNTIL], p);
}

enum emt_err schedule_triggered(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[TRIGGERED], NULL, out);
}

enum emt_err schedule_readouts(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[READOUTS], NULL, out);
}

enum emt_err schedule_events_done(struct store *s)
{
    enum emt_err err = store_run(s, &statements[EVENTS_DONE], NULL, NULL);

    return err == EMT_OK ? store_run(s, &statements[TRIGGERS_DONE], NULL, NULL) : err;
}

enum emt_err schedule_ran(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[RAN], p);
}

enum emt_err schedule_hold(struct store *s, int32_t tenant, int64_t id, bool *held)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    two(p, tenant, id);
    enum emt_err err = store_run_row(s, &statements[HOLD], p, &r);
    if (err == EMT_OK)
        *held = c_bool(r, 0, 0);
    store_result_free(r);
    return err;
}

enum emt_err schedule_release(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run(s, &statements[RELEASE], p, NULL);
}
