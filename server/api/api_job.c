#include "api_job.h"

#include "api_query.h"
#include "api_route.h"
#include "store/job_store.h"

#include <inttypes.h>
#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* The client's names in the order of enum job_state. */
static const char *const state_names[] = {
    "waiting", "running", "failed", "done", "cancelled", NULL
};

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "kind", COL_TEXT, NULL },
    { "state", COL_ENUM, state_names },
};
static const struct api_column columns_behind[] = {
    { "created_at", COL_TIME, NULL }, { "started_at", COL_TIME, NULL },
    { "ended_at", COL_TIME, NULL },   { "run_at", COL_TIME, NULL },
    { "attempts", COL_INT, NULL },    { "error", COL_TEXT, NULL },
    { "result", COL_JSON, NULL },     { "created_by", COL_TEXT, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static json_t *job_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, JOB_ID, columns, N(columns));
    json_t *rest = api_row(r, row, JOB_CREATED_AT, columns_behind, N(columns_behind));
    json_t *total = c_null(r, row, JOB_PROGRESS_TOTAL)
                        ? json_null()
                        : json_integer(c_int(r, row, JOB_PROGRESS_TOTAL));

    json_object_set_new(j, "progress",
                        json_pack("{s:I, s:o}", "done",
                                  (json_int_t)c_int(r, row, JOB_PROGRESS_DONE), "total", total));
    json_object_update(j, rest);
    json_decref(rest);
    return j;
}

enum emt_err api_job_list(struct api_call *c)
{
    struct store_result *r = NULL;
    const char *kind = NULL;
    struct api_page page;
    int state = -1;

    if (!api_page_read(c, 1000, 100, true, &page) ||
        !api_query_text(c, "kind", JOB_KIND_MAX - 1, &kind) ||
        !api_query_enum(c, "state", state_names, &state))
        return EMT_OK;
    enum emt_err err =
        job_store_list(c->store, c->tenant, kind, state, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, job_json)
                         : api_store_problem(c, err, "jobs");
}

static enum emt_err answer_job(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = job_store_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "job");
    json_t *j = job_json(r, 0);
    store_result_free(r);
    return api_json(c, status, j);
}

enum emt_err api_job_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "job", &id) ? answer_job(c, 200, id) : EMT_OK;
}

enum emt_err api_job_cancel(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "job", &id))
        return EMT_OK;
    enum emt_err err = job_store_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "job");
    store_result_free(r);
    err = job_store_cancel(c->store, c->tenant, id);
    if (err == EMT_ENOTFOUND)
        return api_problem(c, 409, "conflict", NULL, "job %" PRId64 " has ended", id);
    if (err == EMT_OK)
        err = api_audit(c, "job.cancel", c->param[0], "cancelled");
    return err == EMT_OK ? answer_job(c, 200, id) : api_store_problem(c, err, "job");
}

enum emt_err api_job_accepted(struct api_call *c, int64_t id)
{
    snprintf(c->location, sizeof c->location, "/api/v1/tenants/%s/jobs/%" PRId64, c->tenant_key,
             id);
    return answer_job(c, 202, id);
}
