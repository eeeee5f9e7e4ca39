#include "store/job_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { JOB_ADD, JOB_CLAIM, JOB_EXTEND, JOB_DONE, JOB_AGAIN, JOB_GIVE_WAY, STATEMENTS };

static const struct store_statement statements[STATEMENTS] = {
    /* The waiting job is touched, not passed over: its lock keeps workers from it until this
       transaction is seen, else it could run just before and miss what it was ordered for. It runs
       no later than ordered, also when it waits after a failure. */
    [JOB_ADD] = { "job_add", 5,
                  "INSERT INTO job (tenant_id, kind, dedupe, payload, run_at)"
                  " VALUES ($1, $2::text, $3::text, $4::text::jsonb, coalesce($5::timestamptz, "
                  "now())) ON CONFLICT (tenant_id, kind, dedupe) WHERE state = 0 AND dedupe IS NOT "
                  "NULL DO UPDATE SET run_at = least(job.run_at, excluded.run_at)" },
    /* Numbers of another shape than expected are NULL, not an error: a payload is written by many
       hands. */
    [JOB_CLAIM] = { "job_claim", 2,
                    "WITH due AS (SELECT j.id FROM job j WHERE ((j.state = 0 AND j.run_at <= "
                    "now()) OR (j.state = 1 AND j.lease_until < now()))"
                    " AND j.kind = ANY($1::text[]) ORDER BY j.run_at, j.id LIMIT 1 FOR UPDATE SKIP "
                    "LOCKED)"
                    " UPDATE job j SET state = 1, lease_until = now() + make_interval(secs => "
                    "$2::int4), attempts = j.attempts + 1"
                    " FROM due WHERE j.id = due.id"
                    " RETURNING j.id, j.tenant_id, j.kind, j.attempts,"
                    " CASE WHEN j.payload->>'device' ~ '^[0-9]{1,18}$' THEN "
                    "(j.payload->>'device')::int8 END,"
                    " j.payload->>'state', j.payload->>'manufacturer', j.payload->>'number',"
                    " CASE WHEN j.payload->>'version' ~ '^[0-9]{1,3}$' THEN "
                    "(j.payload->>'version')::int2 END,"
                    " CASE WHEN j.payload->>'type' ~ '^[0-9]{1,3}$' THEN "
                    "(j.payload->>'type')::int2 END" },
    [JOB_EXTEND] = { "job_extend", 3,
                     "UPDATE job SET lease_until = now() + make_interval(secs => $3::int4) WHERE "
                     "id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_DONE] = { "job_done", 2,
                   "DELETE FROM job WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_AGAIN] = { "job_again", 5,
                    "UPDATE job SET state = CASE WHEN attempts >= $5::int4 THEN 2 ELSE 0 END, "
                    "last_error = $3::text,"
                    " run_at = now() + make_interval(secs => $4::int4), lease_until = NULL"
                    " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_GIVE_WAY] = { "job_give_way", 2,
                       "DELETE FROM job j WHERE j.id = $1::int8 AND j.state = 1 AND j.attempts = "
                       "$2::int2" },
};

const struct store_statement *job_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err job_store_add(struct store *s, int32_t tenant, const char *kind, const char *dedupe,
                           const char *payload, emt_time run_at)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], kind);
    p_text(&p[2], dedupe);
    p_text(&p[3], payload);
    p_time(&p[4], run_at);
    return store_run(s, &statements[JOB_ADD], p, NULL);
}

static int int_or_none(const struct store_result *r, int col)
{
    return c_null(r, 0, col) ? -1 : (int)c_int(r, 0, col);
}

static void job_of(const struct store_result *r, struct job *out)
{
    memset(out, 0, sizeof *out);
    out->id = c_int(r, 0, 0);
    out->tenant = (int32_t)c_int(r, 0, 1);
    (void)snprintf(out->kind, sizeof out->kind, "%s", c_text(r, 0, 2));
    out->attempts = (int)c_int(r, 0, 3);
    out->device = c_null(r, 0, 4) ? 0 : c_int(r, 0, 4);
    (void)snprintf(out->state, sizeof out->state, "%s", c_text(r, 0, 5));
    (void)snprintf(out->manufacturer, sizeof out->manufacturer, "%s", c_text(r, 0, 6));
    (void)snprintf(out->number, sizeof out->number, "%s", c_text(r, 0, 7));
    out->version = int_or_none(r, 8);
    out->type = int_or_none(r, 9);
}

enum emt_err job_store_claim(struct store *s, const char *const *kinds, size_t nkinds,
                             int32_t lease_s, struct job *out, bool *got)
{
    struct store_array *a = store_array_new(STORE_TEXT);
    struct store_param p[2];
    struct store_result *r;
    bool ok = a;
    enum emt_err err;

    *got = false;
    for (size_t i = 0; ok && i < nkinds; i++)
        ok = store_array_text(a, kinds[i]);
    if (!ok) {
        store_array_free(a);
        return EMT_ENOMEM;
    }
    p_array(&p[0], a);
    p_int4(&p[1], lease_s);
    err = store_run(s, &statements[JOB_CLAIM], p, &r);
    store_array_free(a);
    if (err != EMT_OK)
        return err;
    *got = store_rows(r) > 0;
    if (*got)
        job_of(r, out);
    store_result_free(r);
    return EMT_OK;
}

static void job_params(struct store_param *p, const struct job *j)
{
    p_int8(&p[0], j->id);
    p_int2(&p[1], (int16_t)j->attempts);
}

/* attempts tells one claim from the next: who lost the lease hits no row. */
static enum emt_err run_owned(struct store *s, unsigned statement, const struct store_param *p)
{
    struct store_result *r;
    enum emt_err err = store_run(s, &statements[statement], p, &r);

    if (err == EMT_OK) {
        err = store_affected(r) > 0 ? EMT_OK : EMT_ENOTFOUND;
        store_result_free(r);
    }
    return err;
}

enum emt_err job_store_extend(struct store *s, const struct job *j, int32_t lease_s)
{
    struct store_param p[3];

    job_params(p, j);
    p_int4(&p[2], lease_s);
    return run_owned(s, JOB_EXTEND, p);
}

enum emt_err job_store_done(struct store *s, const struct job *j)
{
    struct store_param p[2];

    job_params(p, j);
    return run_owned(s, JOB_DONE, p);
}

enum emt_err job_store_failed(struct store *s, const struct job *j, const char *error,
                              int32_t retry_s, int32_t most)
{
    struct store_param p[5];
    enum emt_err err;

    job_params(p, j);
    p_text(&p[2], error);
    p_int4(&p[3], retry_s);
    p_int4(&p[4], most);
    err = run_owned(s, JOB_AGAIN, p);
    if (err != EMT_ECONFLICT)
        return err;
    /* The same was ordered again meanwhile and waits: that one does the work. */
    return run_owned(s, JOB_GIVE_WAY, p);
}
