/* Templates of reports, and a look at what they make. */
#include "api_condition.h"
#include "api_route.h"
#include "connectors/report.h"
#include "model/local_day.h"
#include "model/quantity.h"
#include "report/report_run.h"
#include "store/export_store.h"
#include "store/location_store.h"
#include "store/report_store.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PREVIEW_ROWS 20
#define PREVIEW_BYTES (1u << 20)
#define PREVIEW_DAYS 400

/* --- definitions: JSON and struct report_text --- */

enum kind { WORD, FLAG, NUMBER };
static const struct member {
    const char *name;
    enum kind kind;
    size_t at;
} members[] = {
#define M(name, kind)                                                                              \
    {                                                                                              \
#name, kind, offsetof(struct report_text, name)                                            \
    }
    M(shape, WORD),
    M(format, WORD),
    M(language, WORD),
    M(encoding, WORD),
    M(unrepresentable, WORD),
    M(time_zone, WORD),
    M(time_format, WORD),
    M(date_format, WORD),
    M(clock_format, WORD),
    M(field_separator, WORD),
    M(decimal_separator, WORD),
    M(quoting, WORD),
    M(line_end, WORD),
    M(measure, WORD),
    M(energy_unit, WORD),
    M(grid, WORD),
    M(preamble, WORD),
    M(title, WORD),
    M(company, WORD),
    M(logo_text, WORD),
    M(contact_name, WORD),
    M(contact_mail, WORD),
    M(contact_phone, WORD),
    M(file_name, WORD),
    M(heading, FLAG),
    M(letterhead, FLAG),
    M(cell_status, FLAG),
    M(decimals, NUMBER),
    M(step_s, NUMBER),
#undef M
};
#define DEFINED (sizeof members / sizeof members[0])

static json_t *columns_json(const char *lines)
{
    json_t *list = json_array();

    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");

        json_array_append_new(list, json_stringn(lines, n));
        lines += n + (lines[n] == '\n');
    }
    return list;
}

static json_t *definition_json(const struct report_text *t)
{
    json_t *j = json_object();

    for (size_t i = 0; i < DEFINED; i++) {
        const char *at = (const char *)t + members[i].at;
        json_t *v = NULL;

        switch (members[i].kind) {
        case WORD:
            v = json_string(*(const char *const *)(const void *)at);
            break;
        case FLAG:
            v = json_boolean(*(const bool *)(const void *)at);
            break;
        case NUMBER:
            v = json_integer(*(const int *)(const void *)at);
            break;
        }
        json_object_set_new(j, members[i].name, v);
    }
    json_object_set_new(j, "columns", columns_json(t->columns));
    return j;
}

static bool refuse(struct api_call *c, const char *field, const char *reason)
{
    api_problem(c, 400, "invalid", field, "%s: %s", field, reason);
    return false;
}

/* What is wrong is told with its place in the body. */
static bool refuse_member(struct api_call *c, const char *member, const char *reason)
{
    char field[80];

    snprintf(field, sizeof field, "definition.%.60s", member);
    return refuse(c, field, reason);
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < DEFINED; i++) {
        if (strcmp(members[i].name, name) == 0)
            return true;
    }
    return strcmp(name, "columns") == 0;
}

/* Members of `change` over those of `whole`. False: answered. */
static bool overlay(struct api_call *c, json_t *whole, json_t *change)
{
    const char *name;
    json_t *value;

    json_object_foreach(change, name, value)
    {
        if (!is_known(name))
            return refuse_member(c, name, "there is no such member");
        json_object_set(whole, name, value);
    }
    return true;
}

/* Lines of a list of texts; NULL: it is none, or memory is. free() it. */
static char *lines_of(const json_t *list)
{
    size_t n = 1;
    size_t i;
    json_t *item;
    char *out;

    if (!json_is_array(list) || json_array_size(list) > REPORT_COLUMNS_MAX)
        return NULL;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || strchr(json_string_value(item), '\n') != NULL ||
            strlen(json_string_value(item)) != json_string_length(item))
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

/* The texts stay the JSON's; *columns is the caller's. False: answered. */
static bool text_of(struct api_call *c, const json_t *definition, struct report_text *t,
                    char **columns)
{
    *columns = lines_of(json_object_get(definition, "columns"));
    if (*columns == NULL)
        return refuse_member(c, "columns", "must be a list of at most 64 texts");
    t->columns = *columns;
    for (size_t i = 0; i < DEFINED; i++) {
        const json_t *v = json_object_get(definition, members[i].name);
        char *at = (char *)t + members[i].at;

        switch (members[i].kind) {
        case WORD:
            if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
                return refuse_member(c, members[i].name, "must be a text");
            *(const char **)(void *)at = json_string_value(v);
            break;
        case FLAG:
            if (!json_is_boolean(v))
                return refuse_member(c, members[i].name, "must be true or false");
            *(bool *)(void *)at = json_is_true(v);
            break;
        case NUMBER:
            if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > 86400)
                return refuse_member(c, members[i].name, "must be a whole number");
            *(int *)(void *)at = (int)json_integer_value(v);
            break;
        }
    }
    return true;
}

static bool parse(struct api_call *c, const struct report_text *t, struct report_template *out)
{
    struct emt_diag diag = { 0 };
    char member[64];
    size_t n;

    if (report_template_parse(t, out, &diag) == EMT_OK)
        return true;
    n = strcspn(diag.text, ":");
    snprintf(member, sizeof member, "%.*s", (int)(n < 60 ? n : 60), diag.text);
    return refuse_member(c, member, diag.text[n] == ':' ? diag.text + n + 2 : diag.text);
}

/* --- bodies --- */

enum body { NAME, READY, DEFINITION, QUANTITIES_LIST, HISTORY, BODY };
static const struct api_field fields[BODY] = {
    [NAME] = { "name", FIELD_TEXT, false, false, 1, 100, NULL },
    [READY] = { "ready", FIELD_TEXT, false, false, 1, 20, NULL },
    [DEFINITION] = { "definition", FIELD_OBJECT, false, false, 0, 0, NULL },
    [QUANTITIES_LIST] = { "quantities", FIELD_LIST, false, false, 0, 40, NULL },
    [HISTORY] = { "history", FIELD_BOOL, false, false, 0, 0, NULL },
};

/* What a body and, of a change, the row before it make together. */
struct made {
    json_t *definition;
    char *text, *columns;
    struct report_text words;
    struct report_template t;
    struct store_array *quantities;
    char *quantity_lines;
    bool history;
    const char *name;
};

static void made_release(struct made *m)
{
    json_decref(m->definition);
    free(m->text);
    free(m->columns);
    free(m->quantity_lines);
    store_array_free(m->quantities);
}

static bool base_of(struct api_call *c, const struct api_value *ready,
                    const struct store_result *before, struct made *m)
{
    const struct report_ready *r = report_ready_find(ready->present ? ready->text : "values");

    if (r == NULL)
        return refuse(c, "ready", "there is none of this name");
    if (ready->present || before == NULL)
        m->definition = definition_json(&r->text);
    else
        m->definition = json_loads(c_text(before, 0, REPORT_T_DEFINITION), 0, NULL);
    return m->definition != NULL;
}

static bool take_quantities(struct api_call *c, struct made *m)
{
    const char *p = m->quantity_lines;

    m->quantities = store_array_new(STORE_TEXT);
    while (m->quantities != NULL && *p != '\0') {
        enum quantity q = QUANTITY_NONE;
        char name[64];
        size_t n = strcspn(p, "\n");

        snprintf(name, sizeof name, "%.*s", (int)(n < 60 ? n : 60), p);
        if (quantity_parse(name, &q) != EMT_OK)
            return refuse(c, "quantities", "there is none of this name");
        if (!store_array_text(m->quantities, name))
            return refuse(c, "quantities", "out of memory");
        p += n + (p[n] == '\n');
    }
    return m->quantities != NULL;
}

/* False: answered (or no memory: refused as the list). */
static bool make(struct api_call *c, const struct api_value *v, const struct store_result *before,
                 struct made *m)
{
    if (!base_of(c, &v[READY], before, m))
        return false;
    if (v[DEFINITION].present && !overlay(c, m->definition, v[DEFINITION].object))
        return false;
    if (!text_of(c, m->definition, &m->words, &m->columns) || !parse(c, &m->words, &m->t))
        return false;
    m->text = json_dumps(m->definition, JSON_COMPACT | JSON_SORT_KEYS);
    m->history = v[HISTORY].present ? v[HISTORY].flag
                                    : before != NULL && c_bool(before, 0, REPORT_T_HISTORY);
    if (v[QUANTITIES_LIST].present)
        m->quantity_lines = lines_of(v[QUANTITIES_LIST].object);
    else
        m->quantity_lines = strdup(before != NULL ? c_text(before, 0, REPORT_T_QUANTITIES) : "");
    if (m->text == NULL || m->quantity_lines == NULL)
        return refuse(c, "quantities", "must be a list of texts");
    m->name =
        v[NAME].present ? v[NAME].text : (before != NULL ? c_text(before, 0, REPORT_T_NAME) : NULL);
    return take_quantities(c, m);
}

/* --- templates --- */

static json_t *template_json(const struct store_result *r, int row)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:b, s:o, s:I}", "id",
                     (json_int_t)c_int(r, row, REPORT_T_ID), "name", c_text(r, row, REPORT_T_NAME),
                     "definition", json_loads(c_text(r, row, REPORT_T_DEFINITION), 0, NULL),
                     "quantities", columns_json(c_text(r, row, REPORT_T_QUANTITIES)), "history",
                     c_bool(r, row, REPORT_T_HISTORY), "created_at",
                     api_time(c_time(r, row, REPORT_T_CREATED_AT)), "revision",
                     (json_int_t)c_int(r, row, REPORT_T_REVISION));
}

enum emt_err api_report_template_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 200, 100, true, &page))
        return EMT_OK;
    enum emt_err err =
        report_template_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, template_json)
                         : api_store_problem(c, err, "templates");
}

static enum emt_err answer_template(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = report_template_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "template");
    json_t *j = template_json(r, 0);
    store_result_free(r);
    return api_resource(c, status, j, NULL);
}

enum emt_err api_report_template_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "template", &id) ? answer_template(c, 200, id) : EMT_OK;
}

static enum emt_err problem_of(struct api_call *c, enum emt_err err)
{
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL, "the name is taken");
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL, "there are %d templates, as many as may be",
                           REPORT_TEMPLATES_MOST);
    return api_store_problem(c, err, "template");
}

static enum emt_err create(struct api_call *c, const struct made *m)
{
    const struct report_template_row row = { m->name, m->text, m->quantities, m->history };
    int64_t id = 0;
    enum emt_err err = report_template_insert(c->store, c->tenant, &row, &id);

    if (err == EMT_OK)
        err = api_audit(c, "report-template.create", m->name, "template %lld", (long long)id);
    return err == EMT_OK ? answer_template(c, 201, id) : problem_of(c, err);
}

enum emt_err api_report_template_create(struct api_call *c)
{
    struct api_value v[BODY];
    struct made m = { 0 };
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, fields, BODY, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    if (!v[NAME].present)
        (void)refuse(c, "name", "is needed");
    else if (make(c, v, NULL, &m))
        err = create(c, &m);
    made_release(&m);
    json_decref(body);
    return err;
}

static enum emt_err update(struct api_call *c, const struct api_value *v, int64_t id,
                           const struct store_result *before)
{
    struct made m = { 0 };
    enum emt_err err = EMT_OK;

    if (make(c, v, before, &m)) {
        const struct report_template_row row = { m.name, m.text, m.quantities, m.history };

        err = report_template_update(c->store, c->tenant, id, &row);
        if (err == EMT_OK)
            err = api_audit(c, "report-template.update", m.name, "template %lld", (long long)id);
        err = err == EMT_OK ? answer_template(c, 200, id) : problem_of(c, err);
    }
    made_release(&m);
    return err;
}

/* The row as it stands, locked. False: answered. */
static bool lock(struct api_call *c, int64_t id, struct store_result **r)
{
    enum emt_err err = report_template_lock(c->store, c->tenant, id);

    if (err == EMT_OK)
        err = report_template_get(c->store, c->tenant, id, r);
    if (err != EMT_OK) {
        (void)!api_store_problem(c, err, "template");
        return false;
    }
    return api_if_match(c, template_json(*r, 0), NULL);
}

enum emt_err api_report_template_update(struct api_call *c)
{
    struct api_value v[BODY];
    struct store_result *r = NULL;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    if (!api_param_number(c, 0, "template", &id))
        return EMT_OK;
    api_body(c, fields, BODY, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    if (lock(c, id, &r))
        err = update(c, v, id, r);
    store_result_free(r);
    json_decref(body);
    return err;
}

enum emt_err api_report_template_delete(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "template", &id))
        return EMT_OK;
    bool good = lock(c, id, &r);
    store_result_free(r);
    if (!good)
        return EMT_OK;
    enum emt_err err = report_template_delete(c->store, c->tenant, id);
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL, "a schedule uses this template");
    if (err == EMT_OK)
        err = api_audit(c, "report-template.delete", c->param[0], "template %lld", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "template");
}

enum emt_err api_report_ready(struct api_call *c)
{
    json_t *items = json_array();
    const struct report_ready *r;

    for (size_t i = 0; (r = report_ready_at(i)) != NULL; i++)
        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:o}", "name", r->name, "title_en",
                                               r->title_en, "title_de", r->title_de, "definition",
                                               definition_json(&r->text)));
    return api_json(c, 200, json_pack("{s:o}", "items", items));
}

/* --- a look --- */

enum look {
    L_READY,
    L_DEFINITION,
    L_QUANTITIES,
    L_HISTORY,
    L_LOCATION,
    L_FROM,
    L_TO,
    L_INTERVAL,
    LOOK
};

/* German days, the last whole one by default. False: answered. */
static bool days_of(struct api_call *c, const struct api_value *v, struct report_preview *p)
{
    struct local_date today = local_date_of(c->now);
    struct local_date from = local_date_add(today, -1);
    struct local_date to = today;

    if (v[L_FROM].present && local_date_parse(v[L_FROM].text, &from) != EMT_OK)
        return refuse(c, "from", "must be a day as in 2026-11-20");
    if (v[L_TO].present && local_date_parse(v[L_TO].text, &to) != EMT_OK)
        return refuse(c, "to", "must be a day as in 2026-11-20");
    p->from = local_day_start(from);
    p->to = local_day_start(to);
    if (p->from == EMT_TIME_NONE || p->to == EMT_TIME_NONE || p->from >= p->to)
        return refuse(c, "to", "must be a day after from");
    if (p->to - p->from > (PREVIEW_DAYS + 1) * EMT_DAY)
        return refuse(c, "to", "more than 400 days after from");
    return true;
}

static enum emt_err answer_look(struct api_call *c, const struct made *m, struct report_preview *p)
{
    struct emt_diag diag = { 0 };
    struct export_tenant tenant;
    struct writer out;
    enum emt_err err = export_tenant_get(c->store, c->tenant, &tenant);

    if (err != EMT_OK)
        return api_store_problem(c, err, "tenant");
    p->tolerance = tenant.tolerance_s * EMT_SECOND;
    p->t = &m->t;
    p->quantities = m->quantity_lines;
    p->history = m->history;
    writer_init_heap(&out, PREVIEW_BYTES);
    err = report_preview(c->store, p, &out, &diag);
    if (err == EMT_OK)
        err = api_json(c, 200, json_pack("{s:s}", "content", writer_cstr(&out)));
    else if (emt_err_class(err) == EMT_CLASS_REJECT || err == EMT_ELIMIT)
        err = api_problem(c, 400, "invalid", NULL, "%s", diag.text[0] ? diag.text : "too long");
    else
        err = api_store_problem(c, err, "report");
    writer_release(&out);
    return err;
}

/* As text people can read: an Excel file as CSV, code page 1252 as UTF-8. */
static bool readable(struct api_call *c, struct made *m)
{
    struct report_text t = m->words;

    if (m->t.format == REPORT_XLSX) {
        t.format = "csv";
        if (strcmp(t.field_separator, "comma") == 0 && strcmp(t.decimal_separator, "comma") == 0)
            t.field_separator = "semicolon";
    }
    t.encoding = "utf-8";
    return parse(c, &t, &m->t);
}

enum emt_err api_report_preview(struct api_call *c)
{
    static const struct api_field look[LOOK] = {
        [L_READY] = { "ready", FIELD_TEXT, false, false, 1, 20, NULL },
        [L_DEFINITION] = { "definition", FIELD_OBJECT, false, false, 0, 0, NULL },
        [L_QUANTITIES] = { "quantities", FIELD_LIST, false, false, 0, 40, NULL },
        [L_HISTORY] = { "history", FIELD_BOOL, false, false, 0, 0, NULL },
        [L_LOCATION] = { "location", FIELD_TEXT, false, true, 1, 33, NULL },
        [L_FROM] = { "from", FIELD_TEXT, false, false, 10, 10, NULL },
        [L_TO] = { "to", FIELD_TEXT, false, false, 10, 10, NULL },
        [L_INTERVAL] = { "interval_s", FIELD_INT, false, false, 0, 86400, NULL },
    };
    struct report_preview p = {
        .tenant = c->tenant, .name = "preview", .now = c->now, .rows = PREVIEW_ROWS
    };
    struct api_value v[LOOK];
    struct api_value made_of[BODY] = { 0 };
    struct made m = { 0 };
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, look, LOOK, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    made_of[READY] = v[L_READY];
    made_of[DEFINITION] = v[L_DEFINITION];
    made_of[QUANTITIES_LIST] = v[L_QUANTITIES];
    made_of[HISTORY] = v[L_HISTORY];
    p.location = v[L_LOCATION].present && !v[L_LOCATION].null ? v[L_LOCATION].text : NULL;
    p.thin = v[L_INTERVAL].present ? v[L_INTERVAL].number * EMT_SECOND : 0;
    if (p.location != NULL && location_find(c->store, c->tenant, p.location, &id) != EMT_OK)
        (void)refuse(c, "location", "there is none of this code");
    else if (days_of(c, v, &p) && make(c, made_of, NULL, &m) && readable(c, &m))
        err = answer_look(c, &m, &p);
    made_release(&m);
    json_decref(body);
    return err;
}
