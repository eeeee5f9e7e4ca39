/* Exports that run by themselves. */
#include "api_condition.h"
#include "api_job.h"
#include "api_route.h"
#include "base/cron.h"
#include "connectors/mscons_write.h"
#include "model/local_day.h"
#include "report/report_run.h"
#include "store/delivery_store.h"
#include "store/job_store.h"
#include "store/location_store.h"
#include "store/report_store.h"
#include "store/schedule_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const pid_names[] = { "13002", "13007", "13008", "13009", "13016", "13017",
                                         "13018", "13019", "13025", "13027", NULL };
static const unsigned pids[] = { 13002, 13007, 13008, 13009, 13016,
                                 13017, 13018, 13019, 13025, 13027 };
/* As orders of exports have them. */
static const char *const documents[] = { "Z27", "Z41", "Z42", NULL };
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
    TEMPLATE,
    ON_EVENT,
    AFTER_READOUT,
    QUIET_S,
    GAP_S,
    UNTIL_NOW,
    MOST_DAYS,
    INTERVAL_S,
    RETRIES,
    RETRY_S,
    READ_FIRST,
    DEADLINE_S,
    RECIPIENT,
    MAIL_TO,
    MAIL_CC,
    MAIL_BCC,
    DOCUMENT,
    MEMBERS
};
#define ADDRESSES_MOST 50
#define EVENTS_MOST 20
static const struct api_field fields[MEMBERS] = {
    [NAME] = { "name", FIELD_TEXT, false, false, 1, 100, NULL },
    [CRON] = { "cron", FIELD_TEXT, false, false, 0, CRON_TEXT_MAX, NULL },
    [ZONE] = { "time_zone", FIELD_ENUM, false, false, 0, 0, zone_names },
    [PID] = { "pid", FIELD_ENUM, false, true, 0, 0, pid_names },
    [LOCATION] = { "location", FIELD_TEXT, false, true, 1, 33, NULL },
    [DAYS] = { "days", FIELD_INT, false, false, 0, 180, NULL },
    [HOLD_GAPS] = { "hold_gaps", FIELD_BOOL, false, false, 0, 0, NULL },
    [TEST] = { "test", FIELD_BOOL, false, false, 0, 0, NULL },
    [RUN_MISSED] = { "run_missed", FIELD_BOOL, false, false, 0, 0, NULL },
    [ENABLED] = { "enabled", FIELD_BOOL, false, false, 0, 0, NULL },
    [TARGET] = { "target", FIELD_INT, false, true, 1, INT64_MAX, NULL },
    [SECOND_TARGET] = { "second_target", FIELD_INT, false, true, 1, INT64_MAX, NULL },
    [TEMPLATE] = { "template", FIELD_INT, false, true, 1, INT64_MAX, NULL },
    [ON_EVENT] = { "on_event", FIELD_LIST, false, false, 0, EVENTS_MOST, NULL },
    [AFTER_READOUT] = { "after_readout", FIELD_BOOL, false, false, 0, 0, NULL },
    [QUIET_S] = { "quiet_s", FIELD_INT, false, false, 10, 3600, NULL },
    [GAP_S] = { "gap_s", FIELD_INT, false, false, 0, 86400, NULL },
    [UNTIL_NOW] = { "until_now", FIELD_BOOL, false, false, 0, 0, NULL },
    [MOST_DAYS] = { "most_days", FIELD_INT, false, false, 1, 400, NULL },
    [INTERVAL_S] = { "interval_s", FIELD_INT, false, false, 0, 86400, NULL },
    [RETRIES] = { "retries", FIELD_INT, false, true, 0, 20, NULL },
    [RETRY_S] = { "retry_s", FIELD_INT, false, true, 10, 86400, NULL },
    [READ_FIRST] = { "read_first", FIELD_BOOL, false, false, 0, 0, NULL },
    [DEADLINE_S] = { "deadline_s", FIELD_INT, false, false, 10, 86400, NULL },
    [RECIPIENT] = { "recipient", FIELD_TEXT, false, false, 0, 100, NULL },
    [MAIL_TO] = { "mail_to", FIELD_LIST, false, false, 0, ADDRESSES_MOST, NULL },
    [MAIL_CC] = { "mail_cc", FIELD_LIST, false, false, 0, ADDRESSES_MOST, NULL },
    [MAIL_BCC] = { "mail_bcc", FIELD_LIST, false, false, 0, ADDRESSES_MOST, NULL },
    [DOCUMENT] = { "document", FIELD_ENUM, false, true, 0, 0, documents },
};
/* Set by the runs themselves. */
static const char *const lively[] = { "exported_to", "exported_until", "next_run_at", "last_run_at",
                                      NULL };

static json_t *number_or_null(const struct store_result *r, int row, enum schedule_column column)
{
    return c_null(r, row, (int)column) ? json_null() : json_integer(c_int(r, row, (int)column));
}

static json_t *text_or_null(const struct store_result *r, int row, enum schedule_column column)
{
    return c_null(r, row, (int)column) ? json_null() : json_string(c_text(r, row, (int)column));
}

static json_t *lines_json(const char *lines)
{
    json_t *list = json_array();

    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");

        json_array_append_new(list, json_stringn(lines, n));
        lines += n + (lines[n] == '\n');
    }
    return list;
}

/* What came with reports. */
static void add_more(json_t *j, const struct store_result *r, int row)
{
    static const struct {
        const char *name;
        enum schedule_column column;
    } flags[] = { { "after_readout", SCHEDULE_AFTER_READOUT },
                  { "until_now", SCHEDULE_UNTIL_NOW },
                  { "read_first", SCHEDULE_READ_FIRST } },
      numbers[] = { { "template", SCHEDULE_TEMPLATE },     { "quiet_s", SCHEDULE_QUIET_S },
                    { "gap_s", SCHEDULE_GAP_S },           { "most_days", SCHEDULE_MOST_DAYS },
                    { "interval_s", SCHEDULE_INTERVAL_S }, { "retries", SCHEDULE_RETRIES },
                    { "retry_s", SCHEDULE_RETRY_S },       { "deadline_s", SCHEDULE_DEADLINE_S } },
      lists[] = { { "on_event", SCHEDULE_ON_EVENT },
                  { "mail_to", SCHEDULE_MAIL_TO },
                  { "mail_cc", SCHEDULE_MAIL_CC },
                  { "mail_bcc", SCHEDULE_MAIL_BCC } };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        json_object_set_new(j, flags[i].name, json_boolean(c_bool(r, row, (int)flags[i].column)));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_object_set_new(j, numbers[i].name, number_or_null(r, row, numbers[i].column));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        json_object_set_new(j, lists[i].name, lines_json(c_text(r, row, (int)lists[i].column)));
    json_object_set_new(j, "recipient", json_string(c_text(r, row, SCHEDULE_RECIPIENT)));
    json_object_set_new(j, "document", text_or_null(r, row, SCHEDULE_DOCUMENT));
    json_object_set_new(j, "exported_until", api_time(c_time(r, row, SCHEDULE_EXPORTED_UNTIL)));
}

static json_t *pid_or_null(const struct store_result *r, int row)
{
    return c_int(r, row, SCHEDULE_PID) == 0 ? json_null()
                                            : json_sprintf("%d", (int)c_int(r, row, SCHEDULE_PID));
}

static json_t *schedule_json(const struct store_result *r, int row)
{
    json_t *j = json_pack(
        "{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
        "id", (json_int_t)c_int(r, row, SCHEDULE_ID), "name", c_text(r, row, SCHEDULE_NAME), "cron",
        c_text(r, row, SCHEDULE_CRON), "time_zone", zone_names[c_bool(r, row, SCHEDULE_LOCAL_TIME)],
        "pid", pid_or_null(r, row), "location", text_or_null(r, row, SCHEDULE_LOCATION), "days",
        (json_int_t)c_int(r, row, SCHEDULE_DAYS), "hold_gaps", c_bool(r, row, SCHEDULE_HOLD_GAPS),
        "test", c_bool(r, row, SCHEDULE_TEST), "run_missed", c_bool(r, row, SCHEDULE_RUN_MISSED),
        "enabled", c_bool(r, row, SCHEDULE_ENABLED), "target",
        number_or_null(r, row, SCHEDULE_TARGET), "second_target",
        number_or_null(r, row, SCHEDULE_SECOND_TARGET), "exported_to",
        text_or_null(r, row, SCHEDULE_EXPORTED_TO), "next_run_at",
        api_time(c_time(r, row, SCHEDULE_NEXT_RUN_AT)), "last_run_at",
        api_time(c_time(r, row, SCHEDULE_LAST_RUN_AT)), "created_at",
        api_time(c_time(r, row, SCHEDULE_CREATED_AT)), "revision",
        (json_int_t)c_int(r, row, SCHEDULE_REVISION));

    add_more(j, r, row);
    return j;
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

/* Lists of a body as lines; the row borrows them. */
enum list { L_EVENTS, L_TO, L_CC, L_BCC, LISTS };
struct lists {
    char *text[LISTS];
};

static void lists_release(struct lists *l)
{
    for (int i = 0; i < LISTS; i++)
        free(l->text[i]);
}

/* Good letters only: kinds of events, addresses. NULL: not a list of such texts. */
static char *join(const json_t *list)
{
    size_t n = 1;
    size_t i;
    json_t *item;
    char *out;

    json_array_foreach(list, i, item)
    {
        const char *t = json_is_string(item) ? json_string_value(item) : "";

        for (const char *p = t; *p != '\0'; p++) {
            if (*p <= ' ' || *p == 0x7f || strchr("<>,;\"", *p) != NULL)
                return NULL;
        }
        if (t[0] == '\0' || json_string_length(item) > 254)
            return NULL;
        n += json_string_length(item) + 1;
    }
    out = calloc(1, n);
    n = 0;
    json_array_foreach(list, i, item)
    {
        if (out == NULL)
            return NULL;
        if (i > 0)
            out[n++] = '\n';
        memcpy(out + n, json_string_value(item), json_string_length(item));
        n += json_string_length(item);
    }
    return out;
}

static const char *list_of(const struct api_value *v, enum member m, const struct store_result *r,
                           enum schedule_column column, struct lists *l, enum list which)
{
    if (!v[m].present)
        return r != NULL ? c_text(r, 0, (int)column) : "";
    l->text[which] = join(v[m].object);
    return l->text[which]; /* NULL: refused */
}

static int64_t usual_of(const struct api_value *v, enum member m, const struct store_result *r,
                        enum schedule_column column, int64_t usual)
{
    if (v[m].present)
        return v[m].null ? usual : v[m].number;
    return r != NULL && !c_null(r, 0, (int)column) ? c_int(r, 0, (int)column) : usual;
}

static void merge_more(const struct api_value *v, const struct store_result *r,
                       struct schedule_row *row, struct lists *l)
{
    row->template_id = usual_of(v, TEMPLATE, r, SCHEDULE_TEMPLATE, 0);
    row->on_event = list_of(v, ON_EVENT, r, SCHEDULE_ON_EVENT, l, L_EVENTS);
    row->after_readout = flag_of(v, AFTER_READOUT, r, SCHEDULE_AFTER_READOUT, false);
    row->quiet_s = (int32_t)usual_of(v, QUIET_S, r, SCHEDULE_QUIET_S, 60);
    row->gap_s = (int32_t)usual_of(v, GAP_S, r, SCHEDULE_GAP_S, 60);
    row->until_now = flag_of(v, UNTIL_NOW, r, SCHEDULE_UNTIL_NOW, false);
    row->most_days = (int)usual_of(v, MOST_DAYS, r, SCHEDULE_MOST_DAYS, 180);
    row->interval_s = (int32_t)usual_of(v, INTERVAL_S, r, SCHEDULE_INTERVAL_S, 0);
    row->retries = (int)usual_of(v, RETRIES, r, SCHEDULE_RETRIES, -1);
    row->retry_s = (int32_t)usual_of(v, RETRY_S, r, SCHEDULE_RETRY_S, 600);
    row->read_first = flag_of(v, READ_FIRST, r, SCHEDULE_READ_FIRST, false);
    row->deadline_s = (int32_t)usual_of(v, DEADLINE_S, r, SCHEDULE_DEADLINE_S, 900);
    row->recipient = v[RECIPIENT].present ? v[RECIPIENT].text
                                          : (r != NULL ? c_text(r, 0, SCHEDULE_RECIPIENT) : "");
    row->mail_to = list_of(v, MAIL_TO, r, SCHEDULE_MAIL_TO, l, L_TO);
    row->mail_cc = list_of(v, MAIL_CC, r, SCHEDULE_MAIL_CC, l, L_CC);
    row->mail_bcc = list_of(v, MAIL_BCC, r, SCHEDULE_MAIL_BCC, l, L_BCC);
}

static void merge(const struct api_value *v, const struct store_result *r, struct schedule_row *row,
                  struct lists *l)
{
    merge_more(v, r, row, l);
    row->name = v[NAME].present ? v[NAME].text : (r != NULL ? c_text(r, 0, SCHEDULE_NAME) : NULL);
    row->cron = v[CRON].present ? v[CRON].text : (r != NULL ? c_text(r, 0, SCHEDULE_CRON) : "");
    row->local_time =
        v[ZONE].present ? v[ZONE].number == 1 : r == NULL || c_bool(r, 0, SCHEDULE_LOCAL_TIME);
    row->pid = r != NULL ? (int32_t)c_int(r, 0, SCHEDULE_PID) : 0;
    if (v[PID].present)
        row->pid = v[PID].null ? 0 : (int32_t)pids[v[PID].number];
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
    row->document =
        r != NULL && !c_null(r, 0, SCHEDULE_DOCUMENT) ? c_text(r, 0, SCHEDULE_DOCUMENT) : NULL;
    if (v[DOCUMENT].present)
        row->document = v[DOCUMENT].null ? NULL : documents[v[DOCUMENT].number];
}

static bool refuse(struct api_call *c, const char *field, const char *reason)
{
    api_problem(c, 400, "invalid", field, "%s: %s", field, reason);
    return false;
}

/* Something in it that looks like an address, and nothing that ends a header. */
static bool are_addresses(const char *lines)
{
    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");
        const char *at = memchr(lines, '@', n);

        if (at == NULL || at == lines || at == lines + n - 1)
            return false;
        lines += n + (lines[n] == '\n');
    }
    return true;
}

static bool lists_are_good(struct api_call *c, const struct schedule_row *row)
{
    static const char *const names[] = { "mail_to", "mail_cc", "mail_bcc" };
    const char *const lists[] = { row->mail_to, row->mail_cc, row->mail_bcc };

    if (row->on_event == NULL)
        return refuse(c, "on_event", "must be a list of kinds of events");
    for (int i = 0; i < 3; i++) {
        if (lists[i] == NULL || !are_addresses(lists[i]))
            return refuse(c, names[i], "must be a list of mail addresses");
    }
    if (row->mail_to[0] == '\0' && (row->mail_cc[0] != '\0' || row->mail_bcc[0] != '\0'))
        return refuse(c, "mail_to", "is needed where there are mail_cc or mail_bcc");
    return true;
}

/* Whether the template can be used with what the schedule says. */
static bool template_is_good(struct api_call *c, const struct schedule_row *row)
{
    struct store_result *r = NULL;
    struct report_template *t = calloc(1, sizeof *t);
    struct emt_diag diag = { 0 };
    enum emt_err err =
        t == NULL ? EMT_ENOMEM : report_template_get(c->store, c->tenant, row->template_id, &r);
    bool good = err == EMT_OK;

    if (good && report_template_of(r, 0, t, &diag) != EMT_OK)
        good = refuse(c, "template", diag.text);
    else if (!good)
        good = refuse(c, "template", "there is none of this number");
    else if ((t->energy || t->shape == REPORT_MATRIX) && row->interval_s != 0 &&
             row->interval_s != 86400 && (row->interval_s < 300 || 3600 % row->interval_s != 0))
        good = refuse(c, "interval_s", "this template needs a divisor of an hour, or a day");
    store_result_free(r);
    free(t);
    return good;
}

static bool report_is_good(struct api_call *c, const struct schedule_row *row)
{
    if (row->template_id != 0 && row->pid != 0)
        return refuse(c, "template", "a schedule makes reports or messages of a pid, not both");
    if (row->interval_s != 0 && 86400 % row->interval_s != 0)
        return refuse(c, "interval_s", "must be a divisor of a day");
    if (row->template_id != 0)
        return template_is_good(c, row);
    if (row->pid == 0)
        return refuse(c, "pid", "is needed, or a template");
    if (row->until_now)
        return refuse(c, "until_now", "messages are about whole days");
    if (row->interval_s != 0)
        return refuse(c, "interval_s", "is for reports");
    if (row->mail_to[0] != '\0')
        return refuse(c, "mail_to", "is for reports; messages go where the target says");
    return row->recipient[0] == '\0' || refuse(c, "recipient", "is for reports");
}

/* Whose files the schedule makes, where that is known: "" for all partners'. */
static enum emt_err party_of(struct api_call *c, const struct schedule_row *row, char out[401])
{
    struct store_result *r = NULL;

    out[0] = '\0';
    if (row->template_id != 0) {
        snprintf(out, 401, "%s", row->recipient);
        return EMT_OK;
    }
    if (row->location == NULL)
        return EMT_OK;
    enum emt_err err = location_get(c->store, c->tenant, row->location, &r);
    if (err == EMT_OK)
        snprintf(out, 401, "%s", c_text(r, 0, LOCATION_RECEIVER));
    store_result_free(r);
    return err;
}

/* A target of one party is not given what is known to be for another one. What a schedule of all
 * places makes for others than the target's party is kept back when it runs. */
static bool target_fits(struct api_call *c, const struct schedule_row *row, const char *field,
                        int64_t target)
{
    struct store_result *r = NULL;
    char party[401];
    char reason[900];

    if (target == 0)
        return true;
    enum emt_err err = target_get(c->store, c->tenant, target, &r);
    if (err != EMT_OK) /* there is none: said when the schedule is kept */
        return true;
    const char *owner = c_text(r, 0, TARGET_PARTNER);
    bool fits = owner[0] == '\0' || party_of(c, row, party) != EMT_OK ||
                (party[0] == '\0' && row->template_id == 0) || strcmp(owner, party) == 0;
    snprintf(reason, sizeof reason, "takes files of %.400s only, this makes files of %s", owner,
             fits || party[0] == '\0' ? "nobody in particular: say recipient" : party);
    store_result_free(r);
    return fits || refuse(c, field, reason);
}

/* False: answered. */
static bool is_good(struct api_call *c, const struct schedule_row *row, struct cron *cron)
{
    struct emt_diag diag = { 0 };
    int64_t id = 0;

    if (row->name == NULL)
        return refuse(c, "name", "is needed");
    cron->n = 0;
    if (!lists_are_good(c, row) || !report_is_good(c, row))
        return false;
    if (row->cron[0] == '\0' && row->on_event[0] == '\0' && !row->after_readout)
        return refuse(c, "cron",
                      "is needed, for example \"0 3 * * *\", or on_event or after_readout");
    if (row->cron[0] != '\0' && cron_parse(row->cron, cron, &diag) != EMT_OK)
        return refuse(c, "cron", diag.text);
    if (row->document != NULL && !mscons_has_document((unsigned)row->pid, row->document))
        return refuse(c, "document",
                      row->pid == 0 ? "a report has none" : "this use case has no such one");
    if (row->second_target != 0 && row->target == 0)
        return refuse(c, "second_target", "needs a first one");
    if (row->second_target != 0 && row->second_target == row->target)
        return refuse(c, "second_target", "is the first one");
    if (row->location != NULL && location_find(c->store, c->tenant, row->location, &id) != EMT_OK)
        return refuse(c, "location", "there is none of this code");
    return target_fits(c, row, "target", row->target) &&
           target_fits(c, row, "second_target", row->second_target);
}

/* Drawn minutes depend on the number, which a new schedule gets when it is kept. */
static emt_time next_run(const struct api_call *c, const struct schedule_row *row,
                         const struct cron *cron, int64_t id)
{
    if (!row->enabled || cron->n == 0)
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
    struct lists lists = { { NULL } };
    struct cron cron;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, fields, MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    merge(v, NULL, &row, &lists);
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
    lists_release(&lists);
    json_decref(body);
    return err;
}

static enum emt_err update(struct api_call *c, const struct api_value *v, int64_t id,
                           const struct store_result *r)
{
    struct lists lists = { { NULL } };
    struct schedule_row row;
    struct cron cron;
    enum emt_err err = EMT_OK;

    merge(v, r, &row, &lists);
    if (is_good(c, &row, &cron)) {
        row.next_run_at = next_run(c, &row, &cron, id);
        err = schedule_update(c->store, c->tenant, id, &row);
        if (err == EMT_OK)
            err = api_audit(c, "schedule.update", row.name, "schedule %lld: %s, %d%s",
                            (long long)id, row.cron, row.pid, row.enabled ? "" : ", off");
        err = err == EMT_OK ? answer_schedule(c, 200, id) : problem_of(c, err);
    }
    lists_release(&lists);
    return err;
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

/* --- now, whatever its pattern says --- */

enum now { FROM, TO, NOW_READ_FIRST, NOW_DEADLINE, NOW_MEMBERS };
static const struct api_field now_fields[NOW_MEMBERS] = {
    [FROM] = { "from", FIELD_TEXT, false, false, 10, 32, NULL },
    [TO] = { "to", FIELD_TEXT, false, false, 10, 32, NULL },
    [NOW_READ_FIRST] = { "read_first", FIELD_BOOL, false, false, 0, 0, NULL },
    [NOW_DEADLINE] = { "deadline_s", FIELD_INT, false, false, 10, 86400, NULL },
};

/* Days, or instants where instants make sense. */
static bool is_period(const char *from, const char *to, bool report)
{
    struct local_date a;
    struct local_date b;
    emt_time x = 0;
    emt_time y = 0;

    if (local_date_parse(from, &a) == EMT_OK && local_date_parse(to, &b) == EMT_OK)
        return local_day_start(a) < local_day_start(b);
    return report && time_parse(from, &x) == EMT_OK && time_parse(to, &y) == EMT_OK && x < y;
}

/* The job's payload; NULL: answered. */
static json_t *payload_of(struct api_call *c, const struct api_value *v, int64_t id, bool report)
{
    json_t *j = json_pack("{s:I}", "id", (json_int_t)id);

    if (v[FROM].present != v[TO].present ||
        (v[FROM].present && !is_period(v[FROM].text, v[TO].text, report))) {
        (void)refuse(c, v[FROM].present ? "to" : "from",
                     "from and to: days as in 2026-11-20, to behind from; of reports times, too");
        json_decref(j);
        return NULL;
    }
    if (v[FROM].present) {
        json_object_set_new(j, "from", json_string(v[FROM].text));
        json_object_set_new(j, "to", json_string(v[TO].text));
    }
    if (v[NOW_READ_FIRST].present && v[NOW_READ_FIRST].flag)
        json_object_set_new(j, "read_first", json_true());
    if (v[NOW_DEADLINE].present)
        json_object_set_new(j, "deadline_s", json_integer(v[NOW_DEADLINE].number));
    return j;
}

/* A run that says more than "now" is a job of its own; plain ones that wait stand for each other.
 */
static enum emt_err order(struct api_call *c, const json_t *payload, int64_t id)
{
    char dedupe[32];
    char *text = json_dumps(payload, JSON_COMPACT);
    int64_t job = 0;

    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id); /* the path may say 007 */
    enum emt_err err = text == NULL
                           ? EMT_ENOMEM
                           : job_store_order(c->store, c->tenant, "schedule",
                                             json_object_size(payload) == 1 ? dedupe : NULL, text,
                                             EMT_TIME_NONE, c->who.actor, &job);
    free(text);
    if (err == EMT_OK)
        err = api_audit(c, "schedule.run", dedupe, "job %lld", (long long)job);
    c->wake = true;
    return err == EMT_OK ? api_job_accepted(c, job) : api_store_problem(c, err, "schedule");
}

enum emt_err api_schedule_run(struct api_call *c)
{
    struct api_value v[NOW_MEMBERS];
    struct store_result *r = NULL;
    json_t *body = NULL;
    json_t *payload = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "schedule", &id))
        return EMT_OK;
    api_body(c, now_fields, NOW_MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = schedule_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        err = api_store_problem(c, err, "schedule");
    else if ((payload = payload_of(c, v, id, !c_null(r, 0, SCHEDULE_TEMPLATE))) != NULL)
        err = order(c, payload, id);
    store_result_free(r);
    json_decref(payload);
    json_decref(body);
    return err;
}
