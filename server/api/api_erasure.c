/* Orders to erase what was measured at a location. */
#include "api_query.h"
#include "api_route.h"
#include "store/erasure_store.h"
#include "store/job_store.h"
#include "store/location_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },           { "location", COL_TEXT, NULL },
    { "from", COL_TIME, NULL },        { "until", COL_TIME, NULL },
    { "reason", COL_TEXT, NULL },      { "ordered_at", COL_TIME, NULL },
    { "ordered_by", COL_TEXT, NULL },  { "job", COL_INT, NULL },
    { "runs", COL_INT, NULL },         { "ended_at", COL_TIME, NULL },
    { "verified_at", COL_TIME, NULL }, { "erased", COL_JSON, NULL },
};

/* EMT_ENOTFOUND: no such location. */
static enum emt_err check_location(struct api_call *c)
{
    int64_t id = 0;

    return location_find(c->store, c->tenant, c->param[0], &id);
}

enum emt_err api_erasure_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = check_location(c);
    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    err = erasure_list(c->store, c->tenant, c->param[0], page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, N(columns), NULL)
                         : api_store_problem(c, err, "erasures");
}

static enum emt_err answer(struct api_call *c, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = erasure_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "erasure");
    json_t *j = api_row(r, 0, 1, columns, N(columns));
    store_result_free(r);
    return api_json(c, 202, j);
}

static enum emt_err order(struct api_call *c, const struct erasure_new *e)
{
    char until[32], payload[48], dedupe[32];
    int64_t id = 0, job = 0;
    enum emt_err err = erasure_insert(c->store, c->tenant, e, &id);

    if (err == EMT_ENOTFOUND)
        return api_store_problem(c, err, "location");
    (void)snprintf(payload, sizeof payload, "{\"id\": %" PRId64 "}", id);
    (void)snprintf(dedupe, sizeof dedupe, "%" PRId64, id);
    if (err == EMT_OK)
        err = job_store_order(c->store, c->tenant, "erasure", dedupe, payload, EMT_TIME_NONE,
                              c->who.actor, &job);
    if (err == EMT_OK)
        err = erasure_job_set(c->store, c->tenant, id, job);
    if (err == EMT_OK)
        err = api_audit(c, "location.erase", e->location, "erasure %" PRId64 ", until %s: %s", id,
                        time_format(e->until, until), e->reason);
    c->wake = true;
    return err == EMT_OK ? answer(c, id) : api_store_problem(c, err, "erasure");
}

/* False: the problem is answered. Nobody erases by a slip of the mouse: the code is typed. */
static bool good_order(struct api_call *c, const struct erasure_new *e, const char *confirm)
{
    if (strcmp(confirm, e->location) != 0)
        (void)api_problem(c, 400, "invalid", "confirm",
                          "confirm: must be the location's code, letter by letter");
    else if (e->until > c->now)
        (void)api_problem(c, 400, "invalid", "until", "until: lies in the future");
    else if (e->from != EMT_TIME_NONE && e->from >= e->until)
        (void)api_problem(c, 400, "invalid", "from", "from: must lie before until");
    return c->status == 0;
}

enum emt_err api_erasure_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "reason", FIELD_TEXT, true, false, 1, 500, NULL },
        { "confirm", FIELD_TEXT, true, false, 1, 33, NULL },
        { "from", FIELD_TIME, false, false, 0, 0, NULL },
        { "until", FIELD_TIME, false, false, 0, 0, NULL },
    };
    struct api_value v[4];
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err = check_location(c);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    const struct erasure_new e = { .location = c->param[0],
                                   .from = v[2].present ? v[2].time : EMT_TIME_NONE,
                                   .until = v[3].present ? v[3].time : c->now,
                                   .reason = v[0].text,
                                   .ordered_by = c->who.actor };
    err = good_order(c, &e, v[1].text) ? order(c, &e) : EMT_OK;
    json_decref(body);
    return err;
}
