/* Partners' answers, what they say about files and messages, and until when one is expected. */
#include "api_acknowledgement.h"

#include "acknowledgement/acknowledgement_match.h"
#include "api_query.h"
#include "api_route.h"
#include "connectors/acknowledgement.h"
#include "store/acknowledgement_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WITHIN_MOST 2592000 /* 30 days */

static const char *const verdict_names[] = { "received", "accepted", "rejected", NULL };
static const char *const level_names[] = { "interchange", "message", "segment", "element", NULL };

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "kind", COL_TEXT, NULL },
    { "sender", COL_TEXT, NULL },
    { "recipient", COL_TEXT, NULL },
    { "reference", COL_TEXT, NULL },
    { "version", COL_TEXT, NULL },
    { "test", COL_BOOL, NULL },
    { "source", COL_TEXT, NULL },
    { "file_name", COL_TEXT, NULL },
    { "received_at", COL_TIME, NULL },
    { "received_by", COL_TEXT, NULL },
    { "repeats", COL_INT, NULL },
    { "verdict", COL_ENUM, verdict_names },
    { "unmatched", COL_INT, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static const struct api_column note_columns[] = {
    { "acknowledgement", COL_INT, NULL },
    { "nth", COL_INT, NULL },
    { "kind", COL_TEXT, NULL },
    { "reference", COL_TEXT, NULL },
    { "received_at", COL_TIME, NULL },
    { "interchange", COL_TEXT, NULL },
    { "file", COL_INT, NULL },
    { "sent_message", COL_INT, NULL },
    { "level", COL_ENUM, level_names },
    { "verdict", COL_ENUM, verdict_names },
    { "message", COL_TEXT, NULL },
    { "document", COL_TEXT, NULL },
    { "code", COL_TEXT, NULL },
    { "segment", COL_TEXT, NULL },
    { "element", COL_INT, NULL },
    { "component", COL_INT, NULL },
    { "text", COL_TEXT, NULL },
};
#define NOTE_COLUMNS (sizeof note_columns / sizeof note_columns[0])

json_t *api_acknowledgement_notes(const struct store_result *r)
{
    json_t *list = json_array();

    for (int i = 0; i < store_rows(r); i++)
        json_array_append_new(list, api_row(r, i, 0, note_columns, NOTE_COLUMNS));
    return list;
}

enum emt_err api_acknowledgement_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int64_t file = 0;
    int unmatched = 0;

    if (!api_page_read(c, 1000, 100, true, &page) || !api_query_number(c, "file", &file) ||
        !api_query_flag(c, "unmatched", &unmatched))
        return EMT_OK;
    enum emt_err err = acknowledgement_list(c->store, c->tenant, file, unmatched == 1,
                                            page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, NULL)
                         : api_store_problem(c, err, "acknowledgements");
}

static enum emt_err answer_one(struct api_call *c, int64_t id, unsigned status, int repeated)
{
    struct store_result *r = NULL;
    struct store_result *notes = NULL;
    json_t *j = NULL;
    enum emt_err err = acknowledgement_get(c->store, c->tenant, id, &r);

    if (err == EMT_OK)
        err = acknowledgement_note_list(c->store, c->tenant, id, 0, &notes);
    if (err == EMT_OK) {
        j = api_row(r, 0, ACKNOWLEDGEMENT_ID, columns, COLUMNS);
        json_object_set_new(j, "notes", api_acknowledgement_notes(notes));
        if (repeated >= 0)
            json_object_set_new(j, "repeated", json_boolean(repeated));
    }
    store_result_free(notes);
    store_result_free(r);
    return err == EMT_OK ? api_json(c, status, j) : api_store_problem(c, err, "acknowledgement");
}

enum emt_err api_acknowledgement_get(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "acknowledgement", &id))
        return EMT_OK;
    return answer_one(c, id, 200, -1);
}

enum emt_err api_acknowledgement_content(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;
    size_t n = 0;

    if (!api_param_number(c, 0, "acknowledgement", &id))
        return EMT_OK;
    enum emt_err err = acknowledgement_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "acknowledgement");
    const uint8_t *p = c_bytes(r, 0, ACKNOWLEDGEMENT_CONTENT, &n);
    snprintf(c->disposition, sizeof c->disposition,
             "attachment; filename=\"acknowledgement-%lld.edi\"", (long long)id);
    err = writer_bytes(http_response_body(c->out), p, n) ? EMT_OK : EMT_ENOMEM;
    store_result_free(r);
    c->status = 200;
    c->content_type = "application/edifact";
    return err;
}

/* The file as the body. Once more is no error: the answer says so and nothing changes. */
enum emt_err api_acknowledgement_create(struct api_call *c)
{
    struct acknowledgement_arrival a = {
        .tenant = c->tenant, .source = "rest", .file_name = "", .actor = c->who.actor, .now = c->now
    };
    struct acknowledgement_outcome got;
    struct emt_diag diag = { 0 };

    a.data = http_request_body(c->req, &a.len);
    enum emt_err err = acknowledgement_take(c->store, &a, &got, &diag);
    if (err == EMT_ELIMIT)
        return api_problem(c, 413, "too-large", NULL, "%s", diag.text);
    if (err == EMT_ETRUNCATED || err == EMT_EMALFORMED || err == EMT_EUNSUPPORTED)
        return api_problem(c, 400, "invalid", NULL, "%s", diag.text);
    if (err != EMT_OK)
        return api_store_problem(c, err, "acknowledgement");
    return answer_one(c, got.id, got.repeated ? 200 : 201, got.repeated);
}

/* --- how long to wait for an answer --- */

enum emt_err api_acknowledgement_rule_list(struct api_call *c)
{
    struct store_result *r = NULL;
    json_t *items = json_array();
    enum emt_err err = acknowledgement_rule_list(c->store, c->tenant, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        json_array_append_new(items,
                              json_pack("{s:s, s:I}", "partner",
                                        c_text(r, i, 0)[0] != '\0' ? c_text(r, i, 0) : "default",
                                        "within_s", (json_int_t)c_int(r, i, 1)));
    store_result_free(r);
    if (err != EMT_OK) {
        json_decref(items);
        return api_store_problem(c, err, "rules");
    }
    return api_json(
        c, 200,
        json_pack("{s:o, s:i}", "items", items, "without_rule_s", ACKNOWLEDGEMENT_WITHIN_S));
}

/* "default" stands for every partner without a rule. NULL: answered. */
static const char *partner_of(struct api_call *c)
{
    const char *p = c->param[0];

    if (strcmp(p, "default") == 0)
        return "";
    if (strlen(p) >= 1 && strlen(p) <= 35 && p[strspn(p, "0123456789")] == '\0')
        return p;
    api_problem(c, 404, "not-found", NULL, "no such partner: its MP-ID, or default");
    return NULL;
}

enum emt_err api_acknowledgement_rule_put(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "within_s", FIELD_INT, true, false, 0, WITHIN_MOST, NULL },
    };
    const char *partner = partner_of(c);
    struct api_value v[1];
    json_t *body = NULL;
    bool ok = false;

    if (partner == NULL)
        return EMT_OK;
    api_body(c, fields, 1, v, &body, &ok);
    json_decref(body);
    if (!ok)
        return EMT_OK;
    enum emt_err err = acknowledgement_rule_put(c->store, c->tenant, partner, (int32_t)v[0].number);
    if (err == EMT_OK)
        err =
            api_audit(c, "acknowledgement-rule.set", c->param[0], "%lld s", (long long)v[0].number);
    return err == EMT_OK ? api_json(c, 200,
                                    json_pack("{s:s, s:I}", "partner", c->param[0], "within_s",
                                              (json_int_t)v[0].number))
                         : api_store_problem(c, err, "rule");
}

enum emt_err api_acknowledgement_rule_delete(struct api_call *c)
{
    const char *partner = partner_of(c);

    if (partner == NULL)
        return EMT_OK;
    enum emt_err err = acknowledgement_rule_delete(c->store, c->tenant, partner);
    if (err == EMT_OK)
        err = api_audit(c, "acknowledgement-rule.delete", c->param[0], "as the product has it");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "rule");
}
