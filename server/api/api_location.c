#include "api_condition.h"
#include "api_import.h"
#include "api_query.h"
#include "api_route.h"
#include "model/market_id.h"
#include "store/export_store.h"
#include "store/location_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Numbers of enum location_kind. */
static const char *const location_kind_names[] = {
    "none", "melo", "malo", "nelo", "tranche", NULL
};
static const char *const new_kind_names[] = { "melo", "malo", "nelo", "tranche", NULL };

static const struct api_column location_columns[] = {
    { "code", COL_TEXT, NULL },       { "kind", COL_ENUM, location_kind_names },
    { "name", COL_TEXT, NULL },       { "receiver_mp_id", COL_TEXT, NULL },
    { "created_at", COL_TIME, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

enum emt_err api_location_list(struct api_call *c)
{
    struct store_result *r = NULL;
    const char *q = NULL;
    struct api_page page;
    int kind = -1;

    if (!api_page_read(c, 1000, 100, false, &page) || !api_query_text(c, "q", API_Q_MAX, &q) ||
        !api_query_enum(c, "kind", new_kind_names, &kind))
        return EMT_OK;
    if (kind >= 0)
        kind += LOCATION_MELO;
    enum emt_err err = location_list(c->store, c->tenant, q, kind, page.cursor, page.limit + 1, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, page.limit, location_columns, N(location_columns), NULL)
               : api_store_problem(c, err, "locations");
}

static enum emt_err answer_location(struct api_call *c, unsigned status, const char *code)
{
    struct store_result *r = NULL;
    enum emt_err err = location_get(c->store, c->tenant, code, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    json_t *j = api_row(r, 0, 1, location_columns, N(location_columns));
    store_result_free(r);
    return api_resource(c, status, j, NULL);
}

enum emt_err api_location_get(struct api_call *c)
{
    return answer_location(c, 200, c->param[0]);
}

/* A tranche is numbered as a MaLo. */
enum emt_err location_code_check(int kind, const char *code, struct emt_diag *diag)
{
    switch ((enum location_kind)kind) {
    case LOCATION_MELO:
        return melo_check(code, diag);
    case LOCATION_NELO:
        return nelo_check(code, diag);
    case LOCATION_MALO:
    case LOCATION_TRANCHE:
        break;
    }
    return malo_check(code, diag);
}

enum emt_err api_location_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "code", FIELD_TEXT, true, false, 1, 33, NULL },
        { "kind", FIELD_ENUM, true, false, 0, 0, new_kind_names },
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "receiver_mp_id", FIELD_TEXT, false, false, 13, 13, NULL },
    };
    struct emt_diag diag = { 0 };
    struct api_value v[4];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum location_kind kind = (enum location_kind)(LOCATION_MELO + v[1].number);
    enum emt_err err = location_code_check((int)kind, v[0].text, &diag);
    if (err != EMT_OK)
        err = api_problem(c, 400, "invalid", "code", "code: %s", diag.text);
    else if (v[3].present && mp_id_check(v[3].text, &diag) != EMT_OK)
        err = api_problem(c, 400, "invalid", "receiver_mp_id", "receiver_mp_id: %s", diag.text);
    if (c->status == 0)
        err = location_insert(c->store, c->tenant, (int)kind, v[0].text,
                              v[2].present ? v[2].text : "", v[3].text, &id);
    if (c->status == 0 && err == EMT_OK)
        err = api_audit(c, "location.create", v[0].text, "location %lld", (long long)id);
    if (c->status == 0)
        err = err == EMT_OK ? answer_location(c, 201, v[0].text)
                            : api_store_problem(c, err, "location");
    json_decref(body);
    return err;
}

/* False: answered, or *err. */
static bool location_unchanged(struct api_call *c, enum emt_err *err)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    *err = EMT_OK;
    if (!api_has_if_match(c))
        return true;
    *err = location_lock(c->store, c->tenant, c->param[0], &id);
    if (*err == EMT_OK)
        *err = location_get(c->store, c->tenant, c->param[0], &r);
    if (*err != EMT_OK)
        return false;
    json_t *j = api_row(r, 0, 1, location_columns, N(location_columns));
    store_result_free(r);
    return api_if_match(c, j, NULL);
}

/* A wrong receiver is why a file was refused: it is set right where it stands. */
static enum emt_err change_location(struct api_call *c, const struct api_value *v)
{
    struct store_result *r = NULL;
    struct emt_diag diag = { 0 };
    int64_t id = 0;
    enum emt_err err;

    if (v[1].present && !v[1].null && mp_id_check(v[1].text, &diag) != EMT_OK)
        return api_problem(c, 400, "invalid", "receiver_mp_id", "receiver_mp_id: %s", diag.text);
    if (!location_unchanged(c, &err))
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "location");
    err = location_lock(c->store, c->tenant, c->param[0], &id);
    if (err == EMT_OK)
        err = location_get(c->store, c->tenant, c->param[0], &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    const char *receiver = c_null(r, 0, LOCATION_RECEIVER) ? NULL : c_text(r, 0, LOCATION_RECEIVER);
    if (v[1].present)
        receiver = v[1].null ? NULL : v[1].text;
    err = location_update(c->store, c->tenant, c->param[0],
                          v[0].present ? v[0].text : c_text(r, 0, LOCATION_NAME), receiver);
    if (err == EMT_OK)
        err = api_audit(c, "location.update", c->param[0], "receiver %s",
                        receiver != NULL ? receiver : "none");
    store_result_free(r);
    return err == EMT_OK ? answer_location(c, 200, c->param[0])
                         : api_store_problem(c, err, "location");
}

enum emt_err api_location_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "receiver_mp_id", FIELD_TEXT, false, true, 13, 13, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 2, v, &body, &ok);
    enum emt_err err = ok ? change_location(c, v) : EMT_OK;
    json_decref(body);
    return err;
}

enum emt_err api_location_delete(struct api_call *c)
{
    enum emt_err err;

    if (!location_unchanged(c, &err))
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "location");
    err = location_delete(c->store, c->tenant, c->param[0]);
    if (err == EMT_OK)
        err = api_audit(c, "location.delete", c->param[0], "removed");
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL,
                           "location %s: channels are or were bound to it, or a mandate is",
                           c->param[0]);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "location");
}
