/* Exports that run by themselves. */
#include "api_condition.h"
#include "api_job.h"
#include "api_route.h"
#include "base/cron.h"
#include "model/local_day.h"
#include "store/job_store.h"
#include "store/location_store.h"
#include "store/schedule_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const pid_names[] = { "13002", "13007", "13008", "13009", "13016", "13017",
                                         "13018", "13019", "13025", "13027", NULL };
static const unsigned pids[] = { 13002, 13007, 13008, 13009, 13016,
                                 13017, 13018, 13019, 13025, 13027 };
static const char *const zone_names[] = { "UTC", "Europe/Berlin", NULL };

enum member {
    NAME,
    CRON,
    ZONE,
    PID,
    LOCATION,
    DAYS,
    HOLD_GAPS,
    TEST,
    RUN_MISSED,
    ENABLED,
    TARGET,
    SECOND_TARGET,
    MEMBERS
};
static const struct api_field fields[MEMBERS] = {
    [NAME] = { "name", FIELD_TEXT, false, false, 1, 100, NULL },
    [CRON] = { "cron", FIELD_TEXT, false, false, 9, CRON_TEXT_MAX, NULL },
    [ZONE] = { "time_zone", FIELD_ENUM, false, false, 0, 0, zone_names },
    [PID] = { "pid", FIELD_ENUM, false, false, 0, 0, pid_names },
    [LOCATION] = { "location", FIELD_TEXT, false, true, 1, 33, NULL },
    [DAYS] = { "days", FIELD_INT, false, false, 0, 180, NULL },
    [HOLD_GAPS] = { "hold_gaps", FIELD_BOOL, false, false, 0, 0, NULL },
    [TEST] = { "test", FIELD_BOOL, false, false, 0, 0, NULL },
    [RUN_MISSED] = { "run_missed", FIELD_BOOL, false, false, 0, 0, NULL },
    [ENABLED] = { "enabled", FIELD_BOOL, false, false, 0, 0, NULL },
    [TARGET] = { "target", FIELD_INT, false, true, 1, INT64_MAX, NULL },
    [SECOND_TARGET] = { "second_target", FIELD_INT, false, true, 1, INT64_MAX, NULL },
};
/* Set by the runs themselves. */
static const char *const lively[] = { "exported_to", "next_run_at", "last_run_at", NULL };

static json_t *number_or_null(const struct store_result *r, int row, enum schedule_column column)
{
    return c_null(r, row, (int)column) ? json_null() : json_integer(c_int(r, row, (int)column));
}

static json_t *text_or_null(const struct store_result *r, int row, enum schedule_column column)
{
    return c_null(r, row, (int)column) ? json_null() : json_string(c_text(r, row, (int)column));
}

static json_t *schedule_json(const struct store_result *r, int row)
{
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
        "id", (json_int_t)c_int(r, row, SCHEDULE_ID), "name", c_text(r, row, SCHEDULE_NAME), "cron",
        c_text(r, row, SCHEDULE_CRON), "time_zone", zone_names[c_bool(r, row, SCHEDULE_LOCAL_TIME)],
        "pid", json_sprintf("%d", (int)c_int(r, row, SCHEDULE_PID)), "location",
        text_or_null(r, row, SCHEDULE_LOCATION), "days", (json_int_t)c_int(r, row, SCHEDULE_DAYS),
        "hold_gaps", c_bool(r, row, SCHEDULE_HOLD_GAPS), "test", c_bool(r, row, SCHEDULE_TEST),
        "run_missed", c_bool(r, row, SCHEDULE_RUN_MISSED), "enabled",
        c_bool(r, row, SCHEDULE_ENABLED), "target", number_or_null(r, row, SCHEDULE_TARGET),
        "second_target", number_or_null(r, row, SCHEDULE_SECOND_TARGET), "exported_to",
        text_or_null(r, row, SCHEDULE_EXPORTED_TO), "next_run_at",
        api_time(c_time(r, row, SCHEDULE_NEXT_RUN_AT)), "last_run_at",
        api_time(c_time(r, row, SCHEDULE_LAST_RUN_AT)), "created_at",
        api_time(c_time(r, row, SCHEDULE_CREATED_AT)), "revision",
        (json_int_t)c_int(r, row, SCHEDULE_REVISION));
}

enum emt_err api_schedule_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = schedule_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, schedule_json)
                         : api_store_problem(c, err, "schedules");
}

static enum emt_err answer_schedule(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = schedule_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "schedule");
    json_t *j = schedule_json(r, 0);
    store_result_free(r);
    return api_resource(c, status, j, lively);
}

enum emt_err api_schedule_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "schedule", &id) ? answer_schedule(c, 200, id) : EMT_OK;
}

/* --- in --- */

static bool flag_of(const struct api_value *v, enum member m, const struct store_result *r,
                    enum schedule_column column, bool usual)
{
    if (v[m].present)
        return v[m].flag;
    return r != NULL ? c_bool(r, 0, (int)column) : usual;
}

static int64_t number_of(const struct api_value *v, enum member m, const struct store_result *r,
                         enum schedule_column column)
{
    if (v[m].present)
        return v[m].null ? 0 : v[m].number;
    return r != NULL && !c_null(r, 0, (int)column) ? c_int(r, 0, (int)column) : 0;
}

static void merge(const struct api_value *v, const struct store_result *r, struct schedule_row *row)
{
    row->name = v[NAME].present ? v[NAME].text : (r != NULL ? c_text(r, 0, SCHEDULE_NAME) : NULL);
    row->cron = v[CRON].present ? v[CRON].text : (r != NULL ? c_text(r, 0, SCHEDULE_CRON) : NULL);
    row->local_time =
        v[ZONE].present ? v[ZONE].number == 1 : r == NULL || c_bool(r, 0, SCHEDULE_LOCAL_TIME);
    row->pid = v[PID].present ? (int32_t)pids[v[PID].number]
                              : (r != NULL ? (int32_t)c_int(r, 0, SCHEDULE_PID) : 0);
    if (v[LOCATION].present)
        row->location = v[LOCATION].null ? NULL : v[LOCATION].text;
    else
        row->location =
            r != NULL && !c_null(r, 0, SCHEDULE_LOCATION) ? c_text(r, 0, SCHEDULE_LOCATION) : NULL;
    row->days = (int)number_of(v, DAYS, r, SCHEDULE_DAYS);
    row->hold_gaps = flag_of(v, HOLD_GAPS, r, SCHEDULE_HOLD_GAPS, false);
    row->test = flag_of(v, TEST, r, SCHEDULE_TEST, false);
    row->run_missed = flag_of(v, RUN_MISSED, r, SCHEDULE_RUN_MISSED, true);
    row->enabled = flag_of(v, ENABLED, r, SCHEDULE_ENABLED, true);
    row->target = number_of(v, TARGET, r, SCHEDULE_TARGET);
    row->second_target = number_of(v, SECOND_TARGET, r, SCHEDULE_SECOND_TARGET);
}

static bool refuse(struct api_call *c, const char *field, const char *reason)
{
    api_problem(c, 400, "invalid", field, "%s: %s", field, reason);
    return false;
}

/* False: answered. */
static bool is_good(struct api_call *c, const struct schedule_row *row, struct cron *cron)
{
    struct emt_diag diag = { 0 };
    int64_t id = 0;

    if (row->name == NULL)
        return refuse(c, "name", "is needed");
    if (row->cron == NULL)
        return refuse(c, "cron", "is needed, for example \"0 3 * * *\"");
    if (row->pid == 0)
        return refuse(c, "pid", "is needed");
    if (cron_parse(row->cron, cron, &diag) != EMT_OK)
        return refuse(c, "cron", diag.text);
    if (row->second_target != 0 && row->target == 0)
        return refuse(c, "second_target", "needs a first one");
    if (row->second_target != 0 && row->second_target == row->target)
        return refuse(c, "second_target", "is the first one");
    if (row->location != NULL && location_find(c->store, c->tenant, row->location, &id) != EMT_OK)
        return refuse(c, "location", "there is none of this code");
    return true;
}

/* Drawn minutes depend on the number, which a new schedule gets when it is kept. */
static emt_time next_run(const struct api_call *c, const struct schedule_row *row,
                         const struct cron *cron, int64_t id)
{
    if (!row->enabled)
        return EMT_TIME_NONE;
    return cron_next(cron, (uint64_t)id, row->local_time ? local_offset_s : NULL, c->now);
}

static enum emt_err problem_of(struct api_call *c, enum emt_err err)
{
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL,
                           "the name is taken, or there is no such target");
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL, "there are %d schedules, as many as may be",
                           SCHEDULES_MOST);
    return api_store_problem(c, err, "schedule");
}

enum emt_err api_schedule_create(struct api_call *c)
{
    struct api_value v[MEMBERS];
    struct schedule_row row;
    struct cron cron;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, fields, MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    merge(v, NULL, &row);
    if (is_good(c, &row, &cron)) {
        row.next_run_at = next_run(c, &row, &cron, 0);
        err = schedule_insert(c->store, c->tenant, &row, &id);
        row.next_run_at = next_run(c, &row, &cron, id);
        if (err == EMT_OK)
            err = schedule_advance(c->store, c->tenant, id, row.next_run_at, false);
        if (err == EMT_OK)
            err = api_audit(c, "schedule.create", row.name, "schedule %lld: %s, %d", (long long)id,
                            row.cron, row.pid);
        err = err == EMT_OK ? answer_schedule(c, 201, id) : problem_of(c, err);
    }
    json_decref(body);
    return err;
}

static enum emt_err update(struct api_call *c, const struct api_value *v, int64_t id,
                           const struct store_result *r)
{
    struct schedule_row row;
    struct cron cron;

    merge(v, r, &row);
    if (!is_good(c, &row, &cron))
        return EMT_OK;
    row.next_run_at = next_run(c, &row, &cron, id);
    enum emt_err err = schedule_update(c->store, c->tenant, id, &row);
    if (err == EMT_OK)
        err = api_audit(c, "schedule.update", row.name, "schedule %lld: %s, %d%s", (long long)id,
                        row.cron, row.pid, row.enabled ? "" : ", off");
    return err == EMT_OK ? answer_schedule(c, 200, id) : problem_of(c, err);
}

enum emt_err api_schedule_update(struct api_call *c)
{
    struct api_value v[MEMBERS];
    struct store_result *r = NULL;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "schedule", &id))
        return EMT_OK;
    api_body(c, fields, MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = schedule_lock(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = schedule_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        err = api_store_problem(c, err, "schedule");
    else if (api_if_match(c, schedule_json(r, 0), lively))
        err = update(c, v, id, r);
    store_result_free(r);
    json_decref(body);
    return err;
}

enum emt_err api_schedule_delete(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "schedule", &id))
        return EMT_OK;
    enum emt_err err = schedule_lock(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = schedule_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "schedule");
    bool unchanged = api_if_match(c, schedule_json(r, 0), lively);
    store_result_free(r);
    if (!unchanged)
        return EMT_OK;
    err = schedule_delete(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = api_audit(c, "schedule.delete", c->param[0], "schedule %lld", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "schedule");
}

/* Now, whatever its pattern says. */
enum emt_err api_schedule_run(struct api_call *c)
{
    struct store_result *r = NULL;
    char payload[48];
    char dedupe[32];
    int64_t id = 0;
    int64_t job = 0;

    if (!api_param_number(c, 0, "schedule", &id))
        return EMT_OK;
    enum emt_err err = schedule_get(c->store, c->tenant, id, &r);
    store_result_free(r);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)id);
    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id); /* the path may say 007 */
    if (err == EMT_OK)
        err = job_store_order(c->store, c->tenant, "schedule", dedupe, payload, EMT_TIME_NONE,
                              c->who.actor, &job);
    if (err == EMT_OK)
        err = api_audit(c, "schedule.run", dedupe, "job %lld", (long long)job);
    c->wake = true;
    return err == EMT_OK ? api_job_accepted(c, job) : api_store_problem(c, err, "schedule");
}
