#include "store/gateway_store.h"

enum {
    GATEWAY_INSERT,
    GATEWAY_LIST,
    GATEWAY_GET,
    GATEWAY_FIND,
    GATEWAY_LOCK,
    GATEWAY_LOCK_NAME,
    GATEWAY_UPDATE,
    GATEWAY_REVOKE,
    ENROLMENT_INSERT,
    ENROLMENT_LOCK,
    ENROLMENT_USE,
    CERTIFICATE_INSERT,
    CERTIFICATE_RENEWABLE,
    CERTIFICATES_RETIRE,
    CERTIFICATES_WARN,
    COMMAND_INSERT,
    COMMAND_LIST,
    COMMAND_GET,
    STATEMENTS
};

/* clang-format off */
#define SPOOLS_OF_GATEWAY \
    "coalesce((SELECT json_agg(json_build_object('id', encode(c.spool_id, 'hex')," \
    "   'last_seq', c.last_seq, 'frames', c.frames, 'updated_at'," \
    "   to_char(c.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))" \
    "   ORDER BY c.updated_at)" \
    "  FROM gateway_cursor c" \
    "  WHERE c.tenant_id = g.tenant_id AND c.gateway_id = g.gateway_id), '[]')::text"
/* The columns of enum gateway_column. */
#define GATEWAY_SELECT \
    "SELECT g.external_id, g.external_id, g.name, g.place, g.state, g.software, g.hardware," \
    " g.serial, g.created_at," \
    " s.state, s.since, s.ended_at, host(s.peer), s.tls, s.epoch, s.node_id, s.reason," \
    " st.at, st.uptime_s, st.spool_bytes, st.spool_frames, st.frames_heard, st.metrics::text, " \
    SPOOLS_OF_GATEWAY ", g.gateway_id" \
    " FROM gateway g" \
    " LEFT JOIN gateway_session s ON s.tenant_id = g.tenant_id AND s.gateway_id = g.gateway_id" \
    " LEFT JOIN gateway_status st ON st.tenant_id = g.tenant_id AND st.gateway_id = g.gateway_id"
#define COMMAND_SELECT \
    "SELECT command_id::text, command_id, name, arguments::text, state, created_at, sent_at," \
    " ended_at, result FROM command"
/* clang-format on */

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [GATEWAY_INSERT] = { "gateway_insert", 4,
        "INSERT INTO gateway (tenant_id, external_id, name, place)"
        " VALUES ($1, $2, $3, $4) RETURNING gateway_id" },
    [GATEWAY_LIST] = { "gateway_list", 6,
        GATEWAY_SELECT
        " WHERE g.tenant_id = $1 AND g.external_id > $2"
        " AND ($4::text IS NULL OR strpos(lower(g.external_id || chr(10) || g.name || chr(10) ||"
        "  g.place), lower($4)) > 0)"
        " AND ($5::int2 IS NULL OR g.state = $5)"
        " AND ($6::int2 IS NULL OR coalesce(s.state, 3::int2) = $6)"
        " ORDER BY g.external_id LIMIT $3" },
    [GATEWAY_GET] = { "gateway_get", 2,
        GATEWAY_SELECT
        " WHERE g.tenant_id = $1 AND g.external_id = $2" },
    [GATEWAY_FIND] = { "gateway_find", 2,
        "SELECT gateway_id FROM gateway WHERE tenant_id = $1 AND external_id = $2" },
    [GATEWAY_LOCK] = { "gateway_lock", 2,
        "SELECT gateway_id FROM gateway WHERE tenant_id = $1 AND gateway_id = $2 FOR UPDATE" },
    [GATEWAY_LOCK_NAME] = { "gateway_lock_name", 2,
        "SELECT gateway_id FROM gateway WHERE tenant_id = $1 AND external_id = $2 FOR UPDATE" },
    [GATEWAY_UPDATE] = { "gateway_update", 4,
        "UPDATE gateway SET name = coalesce($3, name), place = coalesce($4, place)"
        " WHERE tenant_id = $1 AND external_id = $2" },
    [GATEWAY_REVOKE] = { "gateway_revoke", 4,
        "WITH c AS (UPDATE gateway_certificate SET revoked_at = $3, revoke_reason = $4"
        "  WHERE tenant_id = $1 AND gateway_id = $2 AND revoked_at IS NULL),"
        " e AS (DELETE FROM enrolment"
        "  WHERE tenant_id = $1 AND gateway_id = $2 AND used_at IS NULL)"
        " UPDATE gateway SET state = 2 WHERE tenant_id = $1 AND gateway_id = $2" },
    [ENROLMENT_INSERT] = { "enrolment_insert", 4,
        "INSERT INTO enrolment (tenant_id, gateway_id, token_hash, expires_at)"
        " VALUES ($1, $2, $3, $4) RETURNING enrolment_id" },
    [ENROLMENT_LOCK] = { "enrolment_lock", 4,
        "SELECT e.gateway_id, g.external_id, coalesce(t.certificate_name, t.key), e.used_at IS NOT NULL, e.expires_at <= $4"
        " FROM enrolment e"
        " JOIN gateway g ON g.tenant_id = e.tenant_id AND g.gateway_id = e.gateway_id"
        " JOIN tenant t ON t.id = e.tenant_id"
        " WHERE e.tenant_id = $1 AND e.enrolment_id = $2 AND e.token_hash = $3 AND t.state = 0"
        " FOR UPDATE OF e, g" },
    [ENROLMENT_USE] = { "enrolment_use", 4,
        "WITH u AS (UPDATE enrolment SET used_at = $4"
        "  WHERE tenant_id = $1 AND enrolment_id = $2)"
        " UPDATE gateway SET state = 1 WHERE tenant_id = $1 AND gateway_id = $3" },
    [CERTIFICATE_INSERT] = { "certificate_insert", 6,
        "INSERT INTO gateway_certificate"
        " (tenant_id, fingerprint, gateway_id, serial, not_before, not_after)"
        " VALUES ($1, $2, $3, $4, $5, $6)" },
    [CERTIFICATE_RENEWABLE] = { "certificate_renewable", 3,
        "SELECT coalesce(t.certificate_name, t.key), g.external_id, g.state <> 2 AND t.state = 0 AND c.revoked_at IS NULL AND c.import_id IS NULL,"
        " (SELECT count(*) FROM gateway_certificate o WHERE o.tenant_id = $1 AND o.gateway_id = $2"
        "   AND o.first_used_at IS NULL AND o.issued_at > now() - interval '1 hour')"
        " FROM gateway g JOIN tenant t ON t.id = g.tenant_id"
        " JOIN gateway_certificate c ON c.tenant_id = g.tenant_id AND c.gateway_id = g.gateway_id"
        "  AND c.fingerprint = $3"
        " WHERE g.tenant_id = $1 AND g.gateway_id = $2 FOR UPDATE OF g" },
    [CERTIFICATES_RETIRE] = { "certificates_retire", 1,
        "SELECT certificates_retire(make_interval(secs => $1::int8))" },
    [CERTIFICATES_WARN] = { "certificates_warn", 0, "SELECT certificates_warn()" },
    [COMMAND_INSERT] = { "command_insert", 7,
        "INSERT INTO command (tenant_id, gateway_id, idempotency_key, name, arguments, expires_at)"
        " SELECT $1, $2, $3, $4, $5, $6"
        " WHERE (SELECT count(*) FROM command"
        "  WHERE tenant_id = $1 AND gateway_id = $2 AND state < 2) < $7::int4"
        " RETURNING command_id" },
    [COMMAND_LIST] = { "command_list", 4,
        COMMAND_SELECT
        " WHERE tenant_id = $1 AND gateway_id = $2 AND ($3::int8 = 0 OR command_id < $3)"
        " ORDER BY command.command_id DESC LIMIT $4" },
    [COMMAND_GET] = { "command_get", 2,
        COMMAND_SELECT
        " WHERE tenant_id = $1 AND command_id = $2" },
};
/* clang-format on */

const struct store_statement *gateway_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err gateway_insert(struct store *s, int32_t tenant, const char *external_id,
                            const char *name, const char *place, int64_t *id)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], external_id);
    p_text(&p[2], name);
    p_text(&p[3], place);
    return store_run_number(s, &statements[GATEWAY_INSERT], p, id);
}

static void state_param(struct store_param *p, int v)
{
    if (v < 0)
        p_null(p);
    else
        p_int2(p, (int16_t)v);
}

enum emt_err gateway_list(struct store *s, int32_t tenant, const struct gateway_filter *f,
                          const char *after, int limit, struct store_result **out)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_text(&p[1], after);
    p_int8(&p[2], limit);
    p_text(&p[3], f->q);
    state_param(&p[4], f->state);
    state_param(&p[5], f->connection);
    return store_run(s, &statements[GATEWAY_LIST], p, out);
}

enum emt_err gateway_get(struct store *s, int32_t tenant, const char *external_id,
                         struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], external_id);
    return store_run_row(s, &statements[GATEWAY_GET], p, out);
}

enum emt_err gateway_find(struct store *s, int32_t tenant, const char *external_id, int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], external_id);
    return store_run_number(s, &statements[GATEWAY_FIND], p, id);
}

enum emt_err gateway_lock(struct store *s, int32_t tenant, const char *external_id, int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], external_id);
    return store_run_number(s, &statements[GATEWAY_LOCK_NAME], p, id);
}

enum emt_err gateway_update(struct store *s, int32_t tenant, const char *external_id,
                            const char *name, const char *place)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], external_id);
    p_text(&p[2], name);
    p_text(&p[3], place);
    return store_run_touch(s, &statements[GATEWAY_UPDATE], p);
}

enum emt_err gateway_revoke(struct store *s, int32_t tenant, int64_t gateway_id, emt_time now,
                            const char *reason)
{
    struct store_param p[4];
    int64_t locked;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway_id);
    p_time(&p[2], now);
    p_text(&p[3], reason);
    /* An enrolment under way holds the gateway: its certificate is seen only by a statement that
     * begins after it, and would outlive the revocation. */
    enum emt_err err = store_run_number(s, &statements[GATEWAY_LOCK], p, &locked);
    return err == EMT_OK ? store_run_touch(s, &statements[GATEWAY_REVOKE], p) : err;
}

enum emt_err enrolment_insert(struct store *s, int32_t tenant, int64_t gateway_id,
                              const uint8_t *token_hash, emt_time expires_at, int64_t *id)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway_id);
    p_bytes(&p[2], token_hash, 32);
    p_time(&p[3], expires_at);
    return store_run_number(s, &statements[ENROLMENT_INSERT], p, id);
}

enum emt_err enrolment_lock(struct store *s, int32_t tenant, int64_t enrolment_id,
                            const uint8_t *token_hash, emt_time now, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], enrolment_id);
    p_bytes(&p[2], token_hash, 32);
    p_time(&p[3], now);
    return store_run_row(s, &statements[ENROLMENT_LOCK], p, out);
}

enum emt_err enrolment_use(struct store *s, int32_t tenant, int64_t enrolment_id,
                           int64_t gateway_id, emt_time now)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], enrolment_id);
    p_int8(&p[2], gateway_id);
    p_time(&p[3], now);
    return store_run(s, &statements[ENROLMENT_USE], p, NULL);
}

enum emt_err certificate_insert(struct store *s, int32_t tenant, const uint8_t *fingerprint,
                                int64_t gateway_id, const char *serial, emt_time not_before,
                                emt_time not_after)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_bytes(&p[1], fingerprint, 32);
    p_int8(&p[2], gateway_id);
    p_text(&p[3], serial);
    p_time(&p[4], not_before);
    p_time(&p[5], not_after);
    return store_run(s, &statements[CERTIFICATE_INSERT], p, NULL);
}

enum emt_err certificate_renewable(struct store *s, int32_t tenant, int64_t gateway_id,
                                   const uint8_t *fingerprint, struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway_id);
    p_bytes(&p[2], fingerprint, 32);
    return store_run_row(s, &statements[CERTIFICATE_RENEWABLE], p, out);
}

enum emt_err certificates_retire(struct store *s, int64_t grace_s, int64_t *n)
{
    struct store_param p[1];

    p_int8(&p[0], grace_s);
    return store_run_number(s, &statements[CERTIFICATES_RETIRE], p, n);
}

enum emt_err certificates_warn(struct store *s, int64_t *n)
{
    return store_run_number(s, &statements[CERTIFICATES_WARN], NULL, n);
}

enum emt_err command_insert(struct store *s, int32_t tenant, int64_t gateway_id,
                            const uint8_t *key16, const char *name, const char *arguments_json,
                            emt_time expires_at, int32_t most, int64_t *id)
{
    struct store_param p[7];
    struct store_result *r = NULL;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway_id);
    p_bytes(&p[2], key16, 16);
    p_text(&p[3], name);
    p_text(&p[4], arguments_json);
    p_time(&p[5], expires_at);
    p_int4(&p[6], most);
    enum emt_err err = store_run(s, &statements[COMMAND_INSERT], p, &r);
    if (err != EMT_OK)
        return err;
    err = store_rows(r) == 1 ? EMT_OK : EMT_ELIMIT;
    if (err == EMT_OK)
        *id = c_int(r, 0, 0);
    store_result_free(r);
    return err;
}

enum emt_err command_list(struct store *s, int32_t tenant, int64_t gateway_id, int64_t before,
                          int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway_id);
    p_int8(&p[2], before);
    p_int8(&p[3], limit);
    return store_run(s, &statements[COMMAND_LIST], p, out);
}

enum emt_err command_get(struct store *s, int32_t tenant, int64_t command_id,
                         struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], command_id);
    return store_run_row(s, &statements[COMMAND_GET], p, out);
}
