/* Mandates: who outside of the tenant may get which location's values. */
#include "api_query.h"
#include "api_route.h"
#include "store/location_store.h"
#include "store/mandate_store.h"

#include <inttypes.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Columns of mandate_get(). */
#define MANDATE_FROM 5
#define MANDATE_TO 6
#define MANDATE_EVIDENCE 7
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },          { "location", COL_TEXT, NULL },
    { "recipient", COL_TEXT, NULL },  { "purpose", COL_TEXT, NULL },
    { "from", COL_TIME, NULL },       { "to", COL_TIME, NULL },
    { "evidence", COL_TEXT, NULL },   { "created_at", COL_TIME, NULL },
    { "created_by", COL_TEXT, NULL },
};

enum emt_err api_mandate_list(struct api_call *c)
{
    struct store_result *r = NULL;
    const char *location = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page) || !api_query_text(c, "location", 33, &location))
        return EMT_OK;
    enum emt_err err =
        mandate_list(c->store, c->tenant, location, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, N(columns), NULL)
                         : api_store_problem(c, err, "mandates");
}

static enum emt_err answer(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = mandate_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "mandate");
    json_t *j = api_row(r, 0, 1, columns, N(columns));
    store_result_free(r);
    return api_json(c, status, j);
}

enum emt_err api_mandate_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "mandate", &id) ? answer(c, 200, id) : EMT_OK;
}

static enum emt_err bad_period(struct api_call *c)
{
    return api_problem(c, 400, "invalid", "to", "to: must lie behind from");
}

static enum emt_err insert(struct api_call *c, const char *location, struct mandate_new *m)
{
    int64_t id = 0;
    enum emt_err err = location_find(c->store, c->tenant, location, &m->location);

    if (err == EMT_ENOTFOUND)
        return api_problem(c, 400, "invalid", "location", "location: %s does not exist", location);
    if (m->to != EMT_TIME_NONE && m->to <= m->from)
        return bad_period(c);
    if (err == EMT_OK)
        err = mandate_insert(c->store, c->tenant, m, &id);
    if (err == EMT_OK)
        err = api_audit(c, "mandate.create", location, "%" PRId64 ": %s, %s", id, m->recipient,
                        m->purpose);
    return err == EMT_OK ? answer(c, 201, id) : api_store_problem(c, err, "mandate");
}

enum emt_err api_mandate_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "location", FIELD_TEXT, true, false, 1, 33, NULL },
        { "recipient", FIELD_TEXT, true, false, 1, 100, NULL },
        { "purpose", FIELD_TEXT, true, false, 1, 200, NULL },
        { "from", FIELD_TIME, true, false, 0, 0, NULL },
        { "to", FIELD_TIME, false, true, 0, 0, NULL },
        { "evidence", FIELD_TEXT, false, false, 0, 1000, NULL },
    };
    struct api_value v[6];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 6, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct mandate_new m = { .recipient = v[1].text,
                             .purpose = v[2].text,
                             .from = v[3].time,
                             .to = v[4].present && !v[4].null ? v[4].time : EMT_TIME_NONE,
                             .evidence = v[5].present ? v[5].text : "",
                             .created_by = c->who.actor };
    enum emt_err err = insert(c, v[0].text, &m);
    json_decref(body);
    return err;
}

static enum emt_err update(struct api_call *c, int64_t id, const struct api_value *v)
{
    struct store_result *r = NULL;
    enum emt_err err = mandate_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "mandate");
    emt_time to = c_time(r, 0, MANDATE_TO);
    if (v[0].present)
        to = v[0].null ? EMT_TIME_NONE : v[0].time;
    bool good = to == EMT_TIME_NONE || to > c_time(r, 0, MANDATE_FROM);
    if (good)
        err = mandate_update(c->store, c->tenant, id, to,
                             v[1].present ? v[1].text : c_text(r, 0, MANDATE_EVIDENCE));
    store_result_free(r);
    if (!good)
        return bad_period(c);
    if (err == EMT_OK)
        err = api_audit(c, "mandate.update", c->param[0], "changed");
    return err == EMT_OK ? answer(c, 200, id) : api_store_problem(c, err, "mandate");
}

enum emt_err api_mandate_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "to", FIELD_TIME, false, true, 0, 0, NULL },
        { "evidence", FIELD_TEXT, false, false, 0, 1000, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "mandate", &id))
        return EMT_OK;
    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = update(c, id, v);
    json_decref(body);
    return err;
}

enum emt_err api_mandate_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "mandate", &id))
        return EMT_OK;
    enum emt_err err = mandate_delete(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = api_audit(c, "mandate.delete", c->param[0], "removed");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "mandate");
}
