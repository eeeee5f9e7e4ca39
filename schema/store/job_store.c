#include "store/job_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    JOB_ADD,
    JOB_CLAIM,
    JOB_STEP,
    JOB_DONE,
    JOB_DONE_EXPORT,
    JOB_CANCELLED,
    JOB_AGAIN,
    JOB_REST,
    JOB_GIVE_WAY,
    JOB_LIST,
    JOB_GET,
    JOB_CANCEL,
    JOB_EXPIRE,
    STATEMENTS
};

/* clang-format off */
#define TIME_TEXT(t) "to_char(" t " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
/* The columns of enum job_column. */
#define JOB_SELECT \
    "SELECT id::text, id, kind, state, progress_done, progress_total, created_at, started_at," \
    " ended_at, run_at, attempts, last_error, result::text, created_by FROM job"
/* clang-format on */

static const struct store_statement statements[STATEMENTS] = {
    /* The waiting job is touched, not passed over: its lock keeps workers from it until this
       transaction is seen, else it could run just before and miss what it was ordered for. It runs
       no later than ordered, also when it waits after a failure. */
    [JOB_ADD] = { "job_add", 6,
                  "INSERT INTO job (tenant_id, kind, dedupe, payload, run_at, created_by)"
                  " VALUES ($1, $2::text, $3::text, $4::text::jsonb, coalesce($5::timestamptz, "
                  "now()), $6::text) ON CONFLICT (tenant_id, kind, dedupe) WHERE state = 0 AND "
                  "dedupe IS NOT NULL DO UPDATE SET run_at = least(job.run_at, excluded.run_at)"
                  " RETURNING id" },
    /* Numbers of another shape than expected are NULL, not an error: a payload is written by many
       hands. */
    [JOB_CLAIM] = { "job_claim", 4,
                    "WITH due AS (SELECT j.id FROM job j WHERE ((j.state = 0 AND j.run_at <= "
                    "now()) OR (j.state = 1 AND j.lease_until < now()))"
                    " AND j.kind = ANY($1::text[]) AND (NOT $3::bool OR NOT EXISTS (SELECT FROM job r"
                    " WHERE r.tenant_id = j.tenant_id AND r.kind = ANY($1::text[]) AND r.state = 1"
                    " AND r.lease_until >= now()"
                    " AND coalesce(r.payload->>'slow' = 'true', false) = $4::bool))"
                    " AND ($4::bool IS NULL OR coalesce(j.payload->>'slow' = 'true', false) = $4)"
                    " ORDER BY j.run_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED)"
                    " UPDATE job j SET state = 1, lease_until = now() + make_interval(secs => "
                    "$2::int4), attempts = j.attempts + 1, started_at = coalesce(j.started_at, "
                    "now())"
                    " FROM due WHERE j.id = due.id"
                    " RETURNING j.id, j.tenant_id, j.kind, j.attempts,"
                    " CASE WHEN j.payload->>'device' ~ '^[0-9]{1,18}$' THEN "
                    "(j.payload->>'device')::int8 END,"
                    " j.payload->>'state', j.payload->>'manufacturer', j.payload->>'number',"
                    " CASE WHEN j.payload->>'version' ~ '^[0-9]{1,3}$' THEN "
                    "(j.payload->>'version')::int2 END,"
                    " CASE WHEN j.payload->>'type' ~ '^[0-9]{1,3}$' THEN "
                    "(j.payload->>'type')::int2 END,"
                    " CASE WHEN j.payload->>'pid' ~ '^[0-9]{1,5}$' THEN "
                    "(j.payload->>'pid')::int4 END,"
                    " j.payload->>'from', j.payload->>'to', j.payload->>'location',"
                    " coalesce(j.payload->>'test' = 'true', false),"
                    " coalesce(j.payload->>'hold_gaps' = 'true', false), j.created_by,"
                    " CASE WHEN j.payload->>'id' ~ '^[0-9]{1,18}$' THEN "
                    "(j.payload->>'id')::int8 END, coalesce(j.payload->>'slow' = 'true', false),"
                    " coalesce(j.payload->>'read_first' = 'true', false),"
                    " CASE WHEN j.payload->>'deadline_s' ~ '^[0-9]{1,6}$' THEN "
                    "(j.payload->>'deadline_s')::int4 END,"
                    " coalesce(j.payload->>'only_changes' = 'true', false),"
                    " CASE WHEN j.payload->>'cancels' ~ '^[0-9]{1,5}$' THEN "
                    "(j.payload->>'cancels')::int4 END, j.payload->>'document'" },
    [JOB_STEP] = { "job_step", 5,
                   "UPDATE job SET lease_until = now() + make_interval(secs => $3::int4),"
                   " progress_done = $4::int8, progress_total = $5::int8"
                   " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2 RETURNING cancel" },
    [JOB_DONE] = { "job_done", 5,
                   "UPDATE job SET state = 3, ended_at = now(), lease_until = NULL, last_error = "
                   "NULL, progress_done = $3::int8, progress_total = $4::int8, result = "
                   "$5::text::jsonb WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    /* The files as the API shows them, so that the result does not change when they do. */
    /* clang-format off */
    [JOB_DONE_EXPORT] = { "job_done_export", 4,
        "UPDATE job j SET state = CASE WHEN $4::bool THEN 4 ELSE 3 END, ended_at = now(),"
        " lease_until = NULL, last_error = NULL,"
        " progress_done = CASE WHEN $4::bool THEN progress_done"
        "  ELSE coalesce(progress_total, progress_done) END,"
        " result = jsonb_build_object("
        "  'notes', to_jsonb($3::text[]), 'files', coalesce((SELECT jsonb_agg(jsonb_build_object("
        "   'id', f.file_id, 'kind', f.kind, 'pid', f.pid, 'sender', f.sender,"
        "   'receiver', f.receiver, 'reference', f.reference, 'file_name', f.file_name,"
        "   'from', " TIME_TEXT("f.period_from") ", 'to', " TIME_TEXT("f.period_to") ","
        "   'created_at', " TIME_TEXT("f.created_at") ", 'messages', f.messages,"
        "   'size', length(f.content),"
        "   'notes', to_jsonb(string_to_array(rtrim(f.notes, E'\n'), E'\n'))) ORDER BY f.file_id)"
        "  FROM export_file f WHERE f.tenant_id = j.tenant_id AND f.job_id = j.id), '[]'::jsonb))"
        " WHERE j.id = $1::int8 AND j.state = 1 AND j.attempts = $2::int2" },
    /* clang-format on */
    [JOB_CANCELLED] = { "job_cancelled", 2,
                        "UPDATE job SET state = 4, ended_at = now(), lease_until = NULL"
                        " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_AGAIN] = { "job_again", 5,
                    "UPDATE job SET state = CASE WHEN cancel THEN 4 WHEN attempts >= $5::int4 THEN "
                    "2 ELSE 0 END, ended_at = CASE WHEN cancel OR attempts >= $5::int4 THEN now() "
                    "END, last_error = $3::text,"
                    " run_at = now() + make_interval(secs => $4::int4), lease_until = NULL"
                    " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    /* Without dedupe: what is ordered meanwhile is another job. */
    [JOB_REST] = { "job_rest", 5,
                   "UPDATE job SET state = CASE WHEN cancel THEN 4 ELSE 0 END, ended_at = CASE WHEN "
                   "cancel THEN now() END, run_at = now() + make_interval(secs => $3::int4),"
                   " lease_until = NULL, dedupe = NULL, attempts = attempts - 1,"
                   " progress_done = $4::int8, progress_total = $5::int8"
                   " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_GIVE_WAY] = { "job_give_way", 2,
                       "UPDATE job SET state = 4, ended_at = now(), lease_until = NULL, last_error "
                       "= 'was ordered again meanwhile: that job does it'"
                       " WHERE id = $1::int8 AND state = 1 AND attempts = $2::int2" },
    [JOB_LIST] = { "job_list", 5,
                   JOB_SELECT " WHERE tenant_id = $1 AND ($2::text IS NULL OR kind = $2)"
                              " AND ($3::int2 IS NULL OR state = $3) AND ($4::int8 = 0 OR id < $4)"
                              " ORDER BY job.id DESC LIMIT $5" },
    [JOB_GET] = { "job_get", 2, JOB_SELECT " WHERE tenant_id = $1 AND id = $2" },
    /* A running one is told; ended ones stay as they are. */
    [JOB_CANCEL] = { "job_cancel", 2,
                     "UPDATE job SET cancel = true, state = CASE WHEN state = 0 THEN 4 ELSE state "
                     "END, ended_at = CASE WHEN state = 0 THEN now() END"
                     " WHERE tenant_id = $1 AND id = $2 AND state < 2" },
    [JOB_EXPIRE] = { "job_expire", 2,
                     "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state >= 2"
                     " AND ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)" },
};

const struct store_statement *job_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err job_store_order(struct store *s, int32_t tenant, const char *kind, const char *dedupe,
                             const char *payload, emt_time run_at, const char *created_by,
                             int64_t *id)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_text(&p[1], kind);
    p_text(&p[2], dedupe);
    p_text(&p[3], payload);
    p_time(&p[4], run_at);
    p_text(&p[5], created_by);
    return store_run_number(s, &statements[JOB_ADD], p, id);
}

enum emt_err job_store_add(struct store *s, int32_t tenant, const char *kind, const char *dedupe,
                           const char *payload, emt_time run_at)
{
    int64_t id;

    return job_store_order(s, tenant, kind, dedupe, payload, run_at, "", &id);
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
    out->pid = c_null(r, 0, 10) ? 0 : (unsigned)c_int(r, 0, 10);
    (void)snprintf(out->from, sizeof out->from, "%s", c_text(r, 0, 11));
    (void)snprintf(out->to, sizeof out->to, "%s", c_text(r, 0, 12));
    (void)snprintf(out->location, sizeof out->location, "%s", c_text(r, 0, 13));
    out->test = c_bool(r, 0, 14);
    out->hold_gaps = c_bool(r, 0, 15);
    (void)snprintf(out->created_by, sizeof out->created_by, "%s", c_text(r, 0, 16));
    out->subject = c_null(r, 0, 17) ? 0 : c_int(r, 0, 17);
    out->slow = c_bool(r, 0, 18);
    out->read_first = c_bool(r, 0, 19);
    out->deadline_s = c_null(r, 0, 20) ? 0 : (int32_t)c_int(r, 0, 20);
    out->only_changes = c_bool(r, 0, 21);
    out->cancels = c_null(r, 0, 22) ? 0 : (unsigned)c_int(r, 0, 22);
    (void)snprintf(out->document, sizeof out->document, "%s", c_text(r, 0, 23));
}

static enum emt_err claim(struct store *s, const char *const *kinds, size_t nkinds, int32_t lease_s,
                          const bool *lane, struct job *out, bool *got)
{
    struct store_array *a = store_array_new(STORE_TEXT);
    struct store_param p[4];
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
    p_bool(&p[2], lane != NULL);
    p_null(&p[3]);
    if (lane != NULL)
        p_bool(&p[3], *lane);
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

enum emt_err job_store_claim(struct store *s, const char *const *kinds, size_t nkinds,
                             int32_t lease_s, struct job *out, bool *got)
{
    return claim(s, kinds, nkinds, lease_s, NULL, out, got);
}

enum emt_err job_store_claim_lane(struct store *s, const char *const *kinds, size_t nkinds,
                                  int32_t lease_s, bool slow, struct job *out, bool *got)
{
    return claim(s, kinds, nkinds, lease_s, &slow, out, got);
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

static void total_param(struct store_param *p, int64_t total)
{
    if (total < 0)
        p_null(p);
    else
        p_int8(p, total);
}

enum emt_err job_store_step(struct store *s, const struct job *j, int32_t lease_s, int64_t done,
                            int64_t total, bool *cancel)
{
    struct store_param p[5];
    struct store_result *r;

    job_params(p, j);
    p_int4(&p[2], lease_s);
    p_int8(&p[3], done);
    total_param(&p[4], total);
    enum emt_err err = store_run_row(s, &statements[JOB_STEP], p, &r);
    if (err == EMT_OK) {
        *cancel = c_bool(r, 0, 0);
        store_result_free(r);
    }
    return err;
}

enum emt_err job_store_done(struct store *s, const struct job *j, int64_t done, int64_t total,
                            const char *result)
{
    struct store_param p[5];

    job_params(p, j);
    p_int8(&p[2], done);
    total_param(&p[3], total);
    p_text(&p[4], result);
    return run_owned(s, JOB_DONE, p);
}

enum emt_err job_store_done_export(struct store *s, const struct job *j, struct store_array *notes,
                                   bool cancelled)
{
    struct store_param p[4];

    job_params(p, j);
    p_array(&p[2], notes);
    p_bool(&p[3], cancelled);
    return run_owned(s, JOB_DONE_EXPORT, p);
}

enum emt_err job_store_rest(struct store *s, const struct job *j, int32_t seconds, int64_t done,
                            int64_t total)
{
    struct store_param p[5];

    job_params(p, j);
    p_int4(&p[2], seconds);
    p_int8(&p[3], done);
    p_int8(&p[4], total);
    return run_owned(s, JOB_REST, p);
}

enum emt_err job_store_cancelled(struct store *s, const struct job *j)
{
    struct store_param p[2];

    job_params(p, j);
    return run_owned(s, JOB_CANCELLED, p);
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

/* ---- what the API shows ---- */

enum emt_err job_store_list(struct store *s, int32_t tenant, const char *kind, int state,
                            int64_t before, int limit, struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], kind);
    if (state < 0)
        p_null(&p[2]);
    else
        p_int2(&p[2], (int16_t)state);
    p_int8(&p[3], before);
    p_int8(&p[4], limit);
    return store_run(s, &statements[JOB_LIST], p, out);
}

enum emt_err job_store_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_row(s, &statements[JOB_GET], p, out);
}

enum emt_err job_store_cancel(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_touch(s, &statements[JOB_CANCEL], p);
}

enum emt_err job_store_expire(struct store *s, emt_time before, int64_t limit, int64_t *n)
{
    struct store_param p[2];
    struct store_result *r;

    p_time(&p[0], before);
    p_int8(&p[1], limit);
    enum emt_err err = store_run(s, &statements[JOB_EXPIRE], p, &r);
    if (err == EMT_OK) {
        *n = store_affected(r);
        store_result_free(r);
    }
    return err;
}
