#include "store/idempotency_store.h"

#include "store/store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { TRY, TRY_SESSION, UNLOCK, FIND, KEEP, FORGET, EXPIRE };

/* Two numbers of a hash: another key that happens to have them waits for its turn, no more. */
#define PLACE "hashtext('idempotency ' || $1::int4), hashtext($2::text || chr(10) || $3::text)"

/* clang-format off */
static const struct store_statement statements[] = {
    [TRY] = { "idempotency_try", 3, "select pg_try_advisory_xact_lock(" PLACE ")" },
    [TRY_SESSION] = { "idempotency_try_session", 3, "select pg_try_advisory_lock(" PLACE ")" },
    [UNLOCK] = { "idempotency_unlock", 3, "select pg_advisory_unlock(" PLACE ")" },
    [FIND] = { "idempotency_find", 4,
        "select request_hash, state, status, content_type, location, etag, body from idempotency"
        " where tenant_id = $1 and principal = $2 and key = $3 and created_at > $4" },
    [KEEP] = { "idempotency_keep", 10,
        "insert into idempotency (tenant_id, principal, key, request_hash, state, status,"
        " content_type, location, etag, body)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " on conflict (tenant_id, principal, key) do update set"
        " request_hash = excluded.request_hash, state = excluded.state, status = excluded.status,"
        " content_type = excluded.content_type, location = excluded.location,"
        " etag = excluded.etag, body = excluded.body, created_at = excluded.created_at" },
    [FORGET] = { "idempotency_forget", 3,
        "delete from idempotency where tenant_id = $1 and principal = $2 and key = $3" },
    [EXPIRE] = { "idempotency_expire", 2,
        "delete from idempotency where (tenant_id, principal, key) in ("
        " select tenant_id, principal, key from idempotency where created_at < $1"
        " order by created_at limit $2 for update skip locked)" },
};
/* clang-format on */

const struct store_statement *idempotency_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

static void who(struct store_param *p, const struct idempotency *i)
{
    p_int4(&p[0], i->tenant);
    p_text(&p[1], i->principal);
    p_text(&p[2], i->key);
}

enum emt_err idempotency_lock(struct store *s, const struct idempotency *i, bool session,
                              bool *mine)
{
    struct store_result *r = NULL;
    struct store_param p[3];

    who(p, i);
    enum emt_err err = store_run_row(s, &statements[session ? TRY_SESSION : TRY], p, &r);
    if (err == EMT_OK) {
        *mine = c_bool(r, 0, 0);
        store_result_free(r);
    }
    return err;
}

enum emt_err idempotency_unlock(struct store *s, const struct idempotency *i)
{
    struct store_param p[3];

    who(p, i);
    return store_run(s, &statements[UNLOCK], p, NULL);
}

enum emt_err idempotency_find(struct store *s, const struct idempotency *i,
                              struct store_result **out)
{
    struct store_param p[4];

    who(p, i);
    p_time(&p[3], i->now - IDEMPOTENCY_KEPT);
    return store_run_row(s, &statements[FIND], p, out);
}

enum emt_err idempotency_keep(struct store *s, const struct idempotency *i,
                              const struct idempotency_answer *a)
{
    struct store_param p[10];

    who(p, i);
    p_bytes(&p[3], i->request_hash, sizeof i->request_hash);
    p_int2(&p[4], (int16_t)a->state);
    p_int2(&p[5], (int16_t)a->status);
    p_text(&p[6], a->content_type);
    p_text(&p[7], a->location);
    p_text(&p[8], a->etag);
    if (a->body != NULL)
        p_bytes(&p[9], a->body, a->len);
    else
        p_null(&p[9]);
    return store_run(s, &statements[KEEP], p, NULL);
}

enum emt_err idempotency_forget(struct store *s, const struct idempotency *i)
{
    struct store_param p[3];

    who(p, i);
    return store_run(s, &statements[FORGET], p, NULL);
}

enum emt_err idempotency_expire(struct store *s, emt_time before, int64_t limit, int64_t *n)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_time(&p[0], before);
    p_int8(&p[1], limit);
    enum emt_err err = store_run(s, &statements[EXPIRE], p, &r);
    if (err == EMT_OK)
        *n = store_affected(r);
    store_result_free(r);
    return err;
}
