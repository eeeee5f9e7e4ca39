/* What became of files at their targets, and sending one by hand. */
#include "api_query.h"
#include "api_route.h"
#include "store/acknowledgement_store.h"
#include "store/delivery_store.h"
#include "store/export_store.h"
#include "store/job_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* By hand somebody looks on: a few tries soon after each other. */
#define RETRIES 3
#define RETRY_S 500

/* The client's names in the order of enum delivery_state. */
static const char *const state_names[] = { "waiting", "sending", "delivered",
                                           "failed",  "unknown", NULL };
static const struct api_column columns[] = {
    { "id", COL_INT, NULL },           { "file", COL_INT, NULL },
    { "file_name", COL_TEXT, NULL },   { "target", COL_INT, NULL },
    { "target_name", COL_TEXT, NULL }, { "state", COL_ENUM, state_names },
    { "tries", COL_INT, NULL },        { "outcome", COL_TEXT, NULL },
    { "detail", COL_TEXT, NULL },      { "created_at", COL_TIME, NULL },
    { "tried_at", COL_TIME, NULL },    { "ended_at", COL_TIME, NULL },
    { "created_by", COL_TEXT, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

enum emt_err api_delivery_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int64_t file = 0;
    int state = -1;

    if (!api_page_read(c, 1000, 100, true, &page) || !api_query_number(c, "file", &file) ||
        !api_query_enum(c, "state", state_names, &state))
        return EMT_OK;
    enum emt_err err =
        delivery_list(c->store, c->tenant, file, state, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, NULL)
                         : api_store_problem(c, err, "deliveries");
}

static enum emt_err answer_delivery(struct api_call *c, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = delivery_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "delivery");
    json_t *j = api_row(r, 0, DELIVERY_ID, columns, COLUMNS);
    store_result_free(r);
    return api_json(c, 202, j);
}

/* The same bytes with the same number: only as long as the partner has said nothing to them. */
static enum emt_err may_go_again(struct api_call *c, int64_t file)
{
    int64_t state = 0;
    enum emt_err err = sent_file_lock(c->store, c->tenant, file, &state);

    if (err == EMT_ENOTFOUND)
        return api_problem(c, 404, "not-found", NULL, "no such file");
    if (err == EMT_OK &&
        (state == EXPORT_ACCEPTED || state == EXPORT_REJECTED || state == EXPORT_REFUSED))
        return api_problem(
            c, 409, "state", "again",
            "again: the partner has answered this file; what was rejected is resent");
    return err;
}

/* A file to a target, also once more where it failed or nobody knows. */
enum emt_err api_delivery_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "target", FIELD_INT, true, false, 1, INT64_MAX, NULL },
        { "again", FIELD_BOOL, false, false, 0, 0, NULL },
    };
    struct delivery_order order = { .retries = RETRIES,
                                    .retry_s = RETRY_S,
                                    .created_by = c->who.actor };
    struct api_value v[2];
    json_t *body = NULL;
    char dedupe[32];
    char payload[48];
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "file", &order.file))
        return EMT_OK;
    api_body(c, fields, 2, v, &body, &ok);
    json_decref(body);
    if (!ok)
        return EMT_OK;
    order.target = v[0].number;
    order.again = v[1].flag;
    enum emt_err err = order.again ? may_go_again(c, order.file) : EMT_OK;
    if (c->status != 0)
        return err;
    if (err == EMT_OK)
        err = delivery_add(c->store, c->tenant, &order, &id);
    if (err == EMT_ESTATE)
        return api_problem(c, 409, "partner", "target",
                           "target: it takes files of another partner only");
    if (err == EMT_ECONFLICT)
        return api_problem(c, 404, "not-found", NULL, "no such file, or no such target");
    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)id);
    if (err == EMT_OK)
        err = job_store_add(c->store, c->tenant, "delivery", dedupe, payload, EMT_TIME_NONE);
    if (err == EMT_OK)
        err = api_audit(c, "delivery.create", c->param[0], "delivery %lld to target %lld%s",
                        (long long)id, (long long)order.target, order.again ? ", again" : "");
    c->wake = true;
    return err == EMT_OK ? answer_delivery(c, id) : api_store_problem(c, err, "delivery");
}
