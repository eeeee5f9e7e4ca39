#include "api_acknowledgement.h"
#include "api_job.h"
#include "api_query.h"
#include "api_rights.h"
#include "api_route.h"
#include "connectors/report.h"
#include "export/mscons_export.h"
#include "store/acknowledgement_store.h"
#include "store/export_store.h"
#include "store/job_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define NOTES_MAX 5000

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },         { "kind", COL_TEXT, NULL },
    { "pid", COL_TEXT, NULL },       { "sender", COL_TEXT, NULL },
    { "receiver", COL_TEXT, NULL },  { "reference", COL_TEXT, NULL },
    { "file_name", COL_TEXT, NULL }, { "from", COL_TIME, NULL },
    { "to", COL_TIME, NULL },        { "created_at", COL_TIME, NULL },
    { "messages", COL_INT, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])
/* Columns of export_file_list() from 0. */
enum {
    FILE_ID = 0,
    FILE_RECEIVER = 4,
    FILE_NAME = 6,
    FILE_NOTES = 11,
    FILE_SIZE = 12,
    FILE_CONTENT = 13
};

static const char *const kinds[] = { "mscons", "report", NULL };
static const char *const pids[] = { "13002", "13006", "13007", "13008", "13009", "13016",
                                    "13017", "13018", "13019", "13025", "13027", NULL };

static json_t *notes_json(const char *text)
{
    json_t *list = json_array();

    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
    return list;
}

/* facts: sent_file_facts() of this file and others, newest first. */
static json_t *export_json(const struct store_result *r, int row, const struct store_result *facts)
{
    json_t *j = api_row(r, row, FILE_ID, columns, COLUMNS);
    int fact = 0;

    while (fact < store_rows(facts) &&
           c_int(facts, fact, SENT_FILE_NUMBER) != c_int(r, row, FILE_ID))
        fact++;
    api_sent_file(j, facts, fact < store_rows(facts) ? fact : -1);

    json_object_set_new(j, "size", json_integer(c_int(r, row, FILE_SIZE)));
    json_object_set_new(j, "notes", notes_json(c_text(r, row, FILE_NOTES)));
    return j;
}

/* One file with what became of it; NULL: *err. */
static json_t *whole_json(struct api_call *c, const struct store_result *r, enum emt_err *err)
{
    struct store_result *facts = NULL;
    int64_t id = c_int(r, 0, FILE_ID);

    *err = sent_file_facts(c->store, c->tenant, id, &facts);
    json_t *j = *err == EMT_OK ? export_json(r, 0, facts) : NULL;
    store_result_free(facts);
    return j;
}

static bool filter_read(struct api_call *c, struct export_file_filter *f)
{
    int pid = -1;
    int kind = -1;

    *f = (struct export_file_filter){ .state = -1,
                                      .from = EMT_TIME_NONE,
                                      .to = EMT_TIME_NONE,
                                      .created_from = EMT_TIME_NONE,
                                      .created_to = EMT_TIME_NONE };
    if (!api_query_enum(c, "state", api_sent_state_names, &f->state) ||
        !api_query_enum(c, "kind", kinds, &kind) || !api_query_enum(c, "pid", pids, &pid) ||
        !api_query_text(c, "receiver", 100, &f->receiver) || !api_query_time(c, "from", &f->from) ||
        !api_query_time(c, "to", &f->to) || !api_query_time(c, "created_from", &f->created_from) ||
        !api_query_time(c, "created_to", &f->created_to))
        return false;
    f->kind = kind >= 0 ? kinds[kind] : NULL;
    f->pid = pid >= 0 ? pids[pid] : NULL;
    return true;
}

/* Facts of the first `shown` files. */
static enum emt_err facts_of(struct api_call *c, const struct store_result *r, int shown,
                             struct store_result **out)
{
    struct store_array *ids = store_array_new(STORE_INT8);
    bool ok = ids != NULL;

    for (int i = 0; ok && i < shown; i++)
        ok = store_array_int(ids, c_int(r, i, FILE_ID));
    enum emt_err err = ok ? sent_files_facts(c->store, c->tenant, ids, out) : EMT_ENOMEM;
    store_array_free(ids);
    return err;
}

enum emt_err api_export_list(struct api_call *c)
{
    struct store_result *facts = NULL;
    struct store_result *r = NULL;
    struct export_file_filter filter;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page) || !filter_read(c, &filter))
        return EMT_OK;
    enum emt_err err =
        export_file_list(c->store, c->tenant, &filter, page.cursor_number, page.limit + 1, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "exports");
    int rows = store_rows(r);
    int shown = rows > page.limit ? page.limit : rows;
    err = facts_of(c, r, shown, &facts);
    if (err != EMT_OK) {
        store_result_free(r);
        return api_store_problem(c, err, "exports");
    }
    json_t *items = json_array();
    for (int i = 0; i < shown; i++)
        json_array_append_new(items, export_json(r, i, facts));
    store_result_free(facts);
    json_t *body = json_pack("{s:o}", "items", items);
    if (rows > shown)
        json_object_set_new(body, "next",
                            json_sprintf("%lld", (long long)c_int(r, shown - 1, FILE_ID)));
    store_result_free(r);
    return api_json(c, 200, body);
}

static enum emt_err get_file(struct api_call *c, struct store_result **r)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "export", &id))
        return EMT_ESTATE;
    enum emt_err err = export_file_get(c->store, c->tenant, id, r);
    if (err == EMT_OK)
        return EMT_OK;
    err = api_store_problem(c, err, "export");
    return err == EMT_OK ? EMT_ESTATE : err; /* ESTATE: answered */
}

enum emt_err api_export_get(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = get_file(c, &r);

    if (err != EMT_OK)
        return err == EMT_ESTATE ? EMT_OK : err;
    json_t *j = whole_json(c, r, &err);
    store_result_free(r);
    return err == EMT_OK ? api_json(c, 200, j) : api_store_problem(c, err, "export");
}

enum emt_err api_export_content(struct api_call *c)
{
    struct store_result *r = NULL;
    size_t n = 0;
    enum emt_err err = get_file(c, &r);

    if (err != EMT_OK)
        return err == EMT_ESTATE ? EMT_OK : err;
    if (!api_may_read_file(c, c_int(r, 0, FILE_ID), c_text(r, 0, FILE_ID + 1),
                           c_text(r, 0, FILE_RECEIVER), &err)) {
        store_result_free(r);
        return err;
    }
    const uint8_t *p = c_bytes(r, 0, FILE_CONTENT, &n);
    snprintf(c->disposition, sizeof c->disposition, "attachment; filename=\"%s\"",
             c_text(r, 0, FILE_NAME));
    err = writer_bytes(http_response_body(c->out), p, n) ? EMT_OK : EMT_ENOMEM;
    const char *report = report_media_type_of(c_text(r, 0, FILE_NAME));
    store_result_free(r);
    c->status = 200;
    c->content_type = report != NULL ? report : "application/edifact";
    return err;
}

/* --- a new export --- */

struct outcome {
    struct api_call *call;
    json_t *ids;
    json_t *notes;
};

/* In the transaction that keeps the file. */
static enum emt_err keep_file(void *ctx, struct store *s, int64_t file_id, const char *name,
                              int messages)
{
    struct outcome *o = ctx;

    (void)file_id;
    return api_audit_on(o->call, s, o->call->tenant, "export.mscons", name, "%d messages",
                        messages);
}

static enum emt_err take_file(void *ctx, int64_t file_id, const char *name, const void *content,
                              size_t len, int messages)
{
    struct outcome *o = ctx;

    (void)name;
    (void)content;
    (void)len;
    (void)messages;
    return json_array_append_new(o->ids, json_integer(file_id)) == 0 ? EMT_OK : EMT_ENOMEM;
}

static void take_note(void *ctx, const char *text)
{
    struct outcome *o = ctx;

    if (json_array_size(o->notes) < NOTES_MAX)
        json_array_append_new(o->notes, json_string(text));
}

/* The facts of the written files. */
static json_t *list_files(struct api_call *c, const struct outcome *o)
{
    json_t *files = json_array();
    json_t *id;
    size_t i;
    enum emt_err err = store_begin(c->store, c->tenant);

    json_array_foreach(o->ids, i, id)
    {
        struct store_result *r = NULL;

        if (err == EMT_OK)
            err = export_file_get(c->store, c->tenant, json_integer_value(id), &r);
        if (err != EMT_OK)
            break;
        json_t *file = whole_json(c, r, &err);
        if (file != NULL)
            json_array_append_new(files, file);
        store_result_free(r);
    }
    if (err == EMT_OK)
        err = store_commit(c->store);
    else
        store_rollback(c->store);
    if (err == EMT_OK)
        return files;
    json_decref(files);
    return NULL;
}

static enum emt_err answer_export(struct api_call *c, const struct mscons_export_request *req)
{
    struct outcome o = { c, json_array(), json_array() };
    struct mscons_export_handler h = {
        .keep = keep_file, .file = take_file, .note = take_note, .ctx = &o
    };
    struct emt_diag diag = { 0 };
    json_t *files = NULL;
    enum emt_err err = mscons_export_run(c->store, req, &h, &diag);

    if (err == EMT_ENOTFOUND) {
        err = api_problem(c, 404, "not-found", "location", "%s", diag.text);
    } else if (emt_err_class(err) == EMT_CLASS_REJECT) {
        err = api_problem(c, 400, "invalid", NULL, "%s", diag.text);
    } else if (err != EMT_OK) {
        err = api_store_problem(c, err, "export");
    } else if ((files = list_files(c, &o)) == NULL) {
        err = api_store_problem(c, EMT_EDB, "export");
    } else {
        err = api_json(c, 201, json_pack("{s:o, s:O}", "files", files, "notes", o.notes));
    }
    json_decref(o.ids);
    json_decref(o.notes);
    return err;
}

/* RFC 7240: the client would rather not wait. */
static bool prefers_async(const struct api_call *c)
{
    const char *prefer = http_request_header(c->req, "Prefer");

    for (const char *p = prefer; p != NULL && *p != '\0'; p += strcspn(p, ",")) {
        p += strspn(p, " \t,");
        if (strncasecmp(p, "respond-async", 13) == 0 && strchr(" \t,;", p[13]) != NULL)
            return true;
    }
    return false;
}

/* The job checks the rest: its error says what the answer would have said. */
static enum emt_err order_export(struct api_call *c, const struct mscons_export_request *req,
                                 const struct api_value *v)
{
    int64_t job = 0;
    json_t *j = json_pack("{s:i, s:s, s:s, s:s*, s:b, s:b, s:b, s:i, s:s*}", "pid", (int)req->pid,
                          "from", v[1].text, "to", v[2].text, "location", req->location, "test",
                          req->test, "hold_gaps", req->hold_gaps, "only_changes", req->only_changes,
                          "cancels", (int)req->cancels, "document", req->document);
    char *payload = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

    json_decref(j);
    if (payload == NULL)
        return EMT_ENOMEM;
    enum emt_err err = store_begin(c->store, c->tenant);
    if (err == EMT_OK)
        err = job_store_order(c->store, c->tenant, "export", NULL, payload, EMT_TIME_NONE,
                              c->who.actor, &job);
    free(payload);
    if (err == EMT_OK)
        err = api_audit(c, "export.order", "mscons", "job %lld", (long long)job);
    if (err == EMT_OK)
        err = api_job_accepted(c, job);
    if (err == EMT_OK && c->status == 202)
        err = store_commit(c->store);
    if (err != EMT_OK || c->status != 202)
        store_rollback(c->store);
    c->wake = true;
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "export");
}

/* What a partner rejected, once more: a job writes it as it is now, in a new file. */
enum emt_err api_export_resend(struct api_call *c)
{
    struct store_result *facts = NULL;
    char dedupe[32];
    char payload[48];
    int64_t file = 0;
    int64_t job = 0;

    if (!api_param_number(c, 0, "export", &file))
        return EMT_OK;
    enum emt_err err = sent_file_facts(c->store, c->tenant, file, &facts);
    bool rejected = err == EMT_OK && (c_int(facts, 0, SENT_FILE_STATE) == EXPORT_REJECTED ||
                                      c_int(facts, 0, SENT_FILE_STATE) == EXPORT_REFUSED);
    bool replaced = err == EMT_OK && !c_null(facts, 0, SENT_FILE_REPLACED_BY);
    store_result_free(facts);
    if (err != EMT_OK)
        return api_store_problem(c, err, "export");
    if (!rejected || replaced)
        return api_problem(c, 409, "state", NULL,
                           replaced ? "another file has taken its place already"
                                    : "the partner has not rejected this file");
    snprintf(dedupe, sizeof dedupe, "%lld", (long long)file);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)file);
    err = job_store_order(c->store, c->tenant, "resend", dedupe, payload, EMT_TIME_NONE,
                          c->who.actor, &job);
    if (err == EMT_OK)
        err = api_audit(c, "export.resend", c->param[0], "job %lld", (long long)job);
    c->wake = true;
    return err == EMT_OK ? api_job_accepted(c, job) : api_store_problem(c, err, "export");
}

/* Delivery notes, and what was moved before a supply. */
static const char *const documents[] = { "Z27", "Z41", "Z42", NULL };

enum emt_err api_export_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "pid", FIELD_ENUM, true, false, 0, 0, pids },
        { "from", FIELD_TEXT, true, false, 10, 10, NULL },
        { "to", FIELD_TEXT, true, false, 10, 10, NULL },
        { "location", FIELD_TEXT, false, false, 1, 33, NULL },
        { "test", FIELD_BOOL, false, false, 0, 0, NULL },
        { "hold_gaps", FIELD_BOOL, false, false, 0, 0, NULL },
        { "only_changes", FIELD_BOOL, false, false, 0, 0, NULL },
        { "cancels", FIELD_ENUM, false, false, 0, 0, pids },
        { "document", FIELD_ENUM, false, false, 0, 0, documents },
    };
    struct mscons_export_request req = { .tenant = c->tenant, .now = c->now };
    struct emt_diag diag = { 0 };
    struct api_value v[9];
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err;

    api_body(c, fields, 9, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    req.pid = mscons_export_pids()[v[0].number];
    req.only_changes = v[6].flag;
    req.cancels = v[7].present ? mscons_export_pids()[v[7].number] : 0;
    req.document = v[8].present ? documents[v[8].number] : NULL;
    req.location = v[3].text;
    req.test = v[4].flag;
    req.hold_gaps = v[5].flag;
    if (local_date_parse(v[1].text, &req.from) != EMT_OK)
        err = api_problem(c, 400, "invalid", "from", "from: must be a day as in 2026-11-20");
    else if (local_date_parse(v[2].text, &req.to) != EMT_OK)
        err = api_problem(c, 400, "invalid", "to", "to: must be a day as in 2026-11-20");
    else if ((req.cancels != 0) != (req.pid == 13006))
        err = api_problem(c, 400, "invalid", "cancels",
                          "cancels: the use case that is taken back, with 13006 and only there");
    else if (mscons_export_check(&req, &diag) != EMT_OK)
        err = api_problem(c, 400, "invalid", NULL, "%s", diag.text);
    else
        err = prefers_async(c) ? order_export(c, &req, v) : answer_export(c, &req);
    json_decref(body);
    return err;
}
