#include "store/certificate_store.h"

#include "base/cipher.h"
#include "store/directory_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    IMPORT_INSERT_ROW,
    PIN_CERTIFICATE,
    PIN_TAKE,
    IMPORT_LIST_ROWS,
    IMPORT_GET_ROW,
    IMPORT_UPDATE_ROW,
    IMPORT_FORGET,
    IMPORT_DELETE_ROW,
    DIRECTORY_FORGET,
    CRL_PUT,
    LEAVES,
    REVOKE_ONE,
    CRL_DUE,
    CRL_TRIED,
    CRL_STALE,
    GATEWAY_CERTIFICATES,
    CA_UNREAD,
    CA_NOTE,
    CA_CRL_DUE,
    CA_REVOKED,
    ROOT_REVOKED,
    TENANT_CRL_PUT,
    PLATFORM_CRL_PUT,
    PLATFORM_CRL_DUE,
    PUBLISHED,
    CA_LIST,
    CA_REVOKE,
    CA_NAME,
    WARN,
    CHANGED,
    TRIPLE_INSERT,
    EMT_INSERT,
    TRIPLE_LIST,
    TRIPLE_DELETE,
    EMT_CURRENT,
    STATEMENTS
};

/* clang-format off */
#define IMPORT_SELECT \
    "SELECT i.import_id::text, i.import_id, i.purpose, i.pinned, i.name, i.fingerprint, i.subject, i.serial," \
    " i.not_before, i.not_after, g.external_id, i.crl_url, i.crl_policy, c.number, c.this_update, c.next_update," \
    " c.entries, c.source, coalesce(f.error, ''), i.created_at, i.pem, i.proven_at, u.certificates, u.sessions, u.first," \
    " u.last FROM imported_certificate i" \
    " LEFT JOIN gateway g ON g.tenant_id = i.tenant_id AND g.gateway_id = i.gateway_id" \
    " LEFT JOIN imported_crl c ON c.tenant_id = i.tenant_id AND c.import_id = i.import_id" \
    " LEFT JOIN imported_crl_fetch f ON f.tenant_id = i.tenant_id AND f.import_id = i.import_id" \
    " LEFT JOIN LATERAL (SELECT count(*) AS certificates, coalesce(sum(sessions), 0)::int8 AS sessions," \
    "  min(first_used_at) AS first, max(last_used_at) AS last FROM gateway_certificate g" \
    "  WHERE g.tenant_id = i.tenant_id AND g.import_id = i.import_id AND g.revoked_at IS NULL) u ON true"

/* Ends, then fingerprint: what the list goes by, and its cursor. */
#define GATEWAY_CERTIFICATE_KEY \
    "(to_char(c.not_after AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') || encode(c.fingerprint, 'hex')) COLLATE \"C\""
/* 0 counts, 1 revoked, 2 over. */
#define GATEWAY_CERTIFICATE_STATE \
    "CASE WHEN c.revoked_at IS NOT NULL OR g.state = 2 THEN 1 WHEN c.not_after <= now() THEN 2 ELSE 0 END"

static const struct store_statement statements[STATEMENTS] = {
    [IMPORT_INSERT_ROW] = { "import_insert", 14,
        "INSERT INTO imported_certificate (tenant_id, purpose, pinned, name, fingerprint, subject, serial, not_before,"
        " not_after, pem, gateway_id, crl_url, crl_policy, proven_at)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, CASE WHEN $14::bool THEN now() END"
        " WHERE (SELECT count(*) FROM imported_certificate WHERE tenant_id = $1) < 1000 RETURNING import_id" },
    /* A gateway that had this certificate before has it again. */
    [PIN_CERTIFICATE] = { "import_pin", 7,
        "WITH c AS (INSERT INTO gateway_certificate AS c"
        "  (tenant_id, fingerprint, gateway_id, serial, not_before, not_after, import_id)"
        "  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, fingerprint) DO UPDATE"
        "  SET gateway_id = excluded.gateway_id, import_id = excluded.import_id, revoked_at = NULL, revoke_reason = NULL,"
        "  warned_days = NULL WHERE c.import_id IS NOT NULL AND c.revoked_at IS NOT NULL RETURNING c.gateway_id)"
        " UPDATE gateway g SET state = 1 FROM c WHERE g.tenant_id = $1 AND g.gateway_id = c.gateway_id AND g.state <> 2" },
    [PIN_TAKE] = { "import_pin_take", 1, "SELECT pin_take($1::bytea)" },
    [IMPORT_LIST_ROWS] = { "import_list", 3,
        IMPORT_SELECT " WHERE i.tenant_id = $1 AND i.import_id > $2 ORDER BY i.import_id LIMIT $3::int8" },
    [IMPORT_GET_ROW] = { "import_get", 2, IMPORT_SELECT " WHERE i.tenant_id = $1 AND i.import_id = $2" },
    [IMPORT_UPDATE_ROW] = { "import_update", 5,
        "WITH f AS (DELETE FROM imported_crl_fetch WHERE tenant_id = $1 AND import_id = $2)"
        " UPDATE imported_certificate SET name = coalesce($3, name),"
        " crl_url = CASE WHEN $4::text IS NULL THEN crl_url ELSE nullif($4, '') END,"
        " crl_policy = coalesce($5::int2, crl_policy) WHERE tenant_id = $1 AND import_id = $2" },
    [IMPORT_FORGET] = { "import_forget", 2,
        "UPDATE gateway_certificate SET revoked_at = now(), revoke_reason = 'import removed'"
        " WHERE tenant_id = $1 AND import_id = $2 AND revoked_at IS NULL" },
    [DIRECTORY_FORGET] = { "import_directory_forget", 2,
        "SELECT directory_remove(1::int2, fingerprint)::text FROM gateway_certificate"
        " WHERE tenant_id = $1 AND import_id = $2" },
    [IMPORT_DELETE_ROW] = { "import_delete", 2,
        "DELETE FROM imported_certificate WHERE tenant_id = $1 AND import_id = $2" },
    [CRL_PUT] = { "import_crl_put", 8,
        "WITH told AS (UPDATE imported_crl_fetch SET stale_told = false WHERE tenant_id = $1 AND import_id = $2)"
        " INSERT INTO imported_crl AS c (tenant_id, import_id, number, this_update, next_update, entries, der, source, taken_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now()) ON CONFLICT (tenant_id, import_id) DO UPDATE"
        " SET number = excluded.number, this_update = excluded.this_update, next_update = excluded.next_update,"
        " entries = excluded.entries, der = excluded.der, source = excluded.source, taken_at = excluded.taken_at" },
    [LEAVES] = { "import_leaves", 2,
        "SELECT fingerprint, serial FROM gateway_certificate"
        " WHERE tenant_id = $1 AND import_id = $2 AND revoked_at IS NULL AND not_after > now()" },
    [REVOKE_ONE] = { "certificate_revoke", 3,
        "UPDATE gateway_certificate SET revoked_at = now(), revoke_reason = $3"
        " WHERE tenant_id = $1 AND fingerprint = $2 AND revoked_at IS NULL" },
    /* One list of each tenant at a time: many servers that keep us waiting are that tenant's loss. */
    [CRL_DUE] = { "import_crl_due", 2,
        "SELECT tenant_id, import_id, crl_url, tries FROM ("
        " SELECT DISTINCT ON (i.tenant_id) i.tenant_id, i.import_id, i.crl_url, coalesce(f.tries, 0) AS tries,"
        "  coalesce(f.next_try_at, '-infinity') AS due FROM imported_certificate i"
        " JOIN tenant t ON t.id = i.tenant_id AND t.state = 0"
        " LEFT JOIN imported_crl_fetch f ON f.tenant_id = i.tenant_id AND f.import_id = i.import_id"
        " WHERE i.crl_url IS NOT NULL AND coalesce(f.next_try_at, '-infinity') <= $1"
        " ORDER BY i.tenant_id, due) d ORDER BY due LIMIT $2::int8" },
    [CRL_TRIED] = { "import_crl_tried", 4,
        "INSERT INTO imported_crl_fetch AS f (tenant_id, import_id, next_try_at, tries, error)"
        " SELECT tenant_id, import_id, $4, CASE WHEN $3 = '' THEN 0 ELSE 1 END, $3 FROM imported_certificate"
        " WHERE tenant_id = $1 AND import_id = $2 ON CONFLICT (tenant_id, import_id) DO UPDATE"
        " SET next_try_at = excluded.next_try_at, error = excluded.error,"
        " tries = CASE WHEN $3 = '' THEN 0 ELSE f.tries + 1 END" },
    /* A CA that was imported this moment has an hour to get its first list. */
    [CRL_STALE] = { "import_crl_stale", 0,
        "WITH stale AS (SELECT i.tenant_id, i.import_id, i.name, i.crl_policy, c.next_update FROM imported_certificate i"
        "  JOIN tenant t ON t.id = i.tenant_id AND t.state = 0"
        "  LEFT JOIN imported_crl c ON c.tenant_id = i.tenant_id AND c.import_id = i.import_id"
        "  WHERE i.crl_policy > 0 AND CASE WHEN c.import_id IS NULL THEN i.created_at < now() - interval '1 hour'"
        "   ELSE c.next_update <= now() END"
        "), told AS (INSERT INTO imported_crl_fetch AS f (tenant_id, import_id, next_try_at, stale_told)"
        "  SELECT tenant_id, import_id, now(), true FROM stale ON CONFLICT (tenant_id, import_id) DO UPDATE"
        "  SET stale_told = true WHERE NOT f.stale_told RETURNING f.tenant_id, f.import_id"
        "), written AS (INSERT INTO event (tenant_id, at, severity, kind, detail)"
        "  SELECT s.tenant_id, now(), 2, 'crl-stale', 'list of revoked certificates of ' || s.name ||"
        "   CASE WHEN s.next_update IS NULL THEN ' is missing' ELSE ' was due '"
        "    || to_char(s.next_update AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') END ||"
        "   CASE WHEN s.crl_policy = 2 THEN ': new sessions are refused' ELSE '' END"
        "  FROM stale s JOIN told USING (tenant_id, import_id) RETURNING 1)"
        " SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM stale)" },
    [GATEWAY_CERTIFICATES] = { "gateway_certificate_list", 6,
        "SELECT " GATEWAY_CERTIFICATE_KEY ", c.fingerprint, g.external_id, c.serial, c.not_before, c.not_after, c.issued_at,"
        " c.first_used_at, c.last_used_at, CASE WHEN c.import_id IS NOT NULL THEN c.sessions END,"
        " i.import_id, c.revoked_at, c.revoke_reason, " GATEWAY_CERTIFICATE_STATE
        " FROM gateway_certificate c JOIN gateway g ON g.tenant_id = c.tenant_id AND g.gateway_id = c.gateway_id"
        " LEFT JOIN imported_certificate i ON i.tenant_id = c.tenant_id AND i.import_id = c.import_id"
        " WHERE c.tenant_id = $1 AND ($2 = '' OR g.external_id = $2)"
        "  AND ($3::int4 < 0 OR " GATEWAY_CERTIFICATE_STATE " = $3)"
        "  AND ($4::int4 < 0 OR c.not_after <= now() + make_interval(days => $4))"
        "  AND " GATEWAY_CERTIFICATE_KEY " > $5 ORDER BY 1 LIMIT $6::int8" },
    [CA_UNREAD] = { "authority_unread", 0,
        "SELECT tenant_id, generation, chain_pem FROM tenant_ca WHERE fingerprint IS NULL LIMIT 1000" },
    [CA_NOTE] = { "authority_note", 5,
        "UPDATE tenant_ca SET fingerprint = $3, serial = $4, not_after = $5 WHERE tenant_id = $1 AND generation = $2" },
    [CA_CRL_DUE] = { "authority_crl_due", 1,
        "SELECT a.tenant_id, a.generation, coalesce(c.number, 0) + 1, a.fingerprint FROM tenant_ca a"
        " JOIN tenant t ON t.id = a.tenant_id AND t.state <> 2"
        " LEFT JOIN tenant_crl c ON c.tenant_id = a.tenant_id AND c.authority = a.fingerprint"
        " WHERE a.fingerprint IS NOT NULL AND a.not_after > now() AND (c.authority IS NULL OR c.next_update <= $1"
        "  OR EXISTS (SELECT FROM gateway_certificate g WHERE g.tenant_id = a.tenant_id AND g.revoked_at >= c.this_update"
        "   AND g.import_id IS NULL AND g.not_after > now())) LIMIT 200" },
    [CA_REVOKED] = { "authority_revoked", 1,
        "SELECT serial, revoked_at FROM gateway_certificate WHERE tenant_id = $1 AND revoked_at IS NOT NULL"
        " AND import_id IS NULL AND not_after > now()" },
    [ROOT_REVOKED] = { "root_revoked", 0,
        "SELECT serial, revoked_at FROM tenant_ca WHERE revoked_at IS NOT NULL AND serial IS NOT NULL AND NOT foreign_root"
        " AND not_after > now()" },
    [TENANT_CRL_PUT] = { "tenant_crl_put", 7,
        "INSERT INTO tenant_crl (tenant_id, authority, number, this_update, next_update, entries, der)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, authority) DO UPDATE SET number = excluded.number,"
        " this_update = excluded.this_update, next_update = excluded.next_update, entries = excluded.entries,"
        " der = excluded.der WHERE tenant_crl.number < excluded.number" },
    [PLATFORM_CRL_PUT] = { "platform_crl_put", 7,
        "INSERT INTO platform_crl (authority, name, number, this_update, next_update, entries, der)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO UPDATE SET authority = excluded.authority,"
        " number = excluded.number, this_update = excluded.this_update, next_update = excluded.next_update,"
        " entries = excluded.entries, der = excluded.der WHERE platform_crl.number < excluded.number" },
    [PLATFORM_CRL_DUE] = { "platform_crl_due", 3,
        "SELECT CASE WHEN count(*) = 0 THEN 1 WHEN max(next_update) <= $2 OR max(entries) <> $3::int4 THEN max(number) + 1"
        " ELSE 0 END FROM platform_crl WHERE name = $1" },
    [PUBLISHED] = { "crl_published", 1,
        "SELECT der, this_update, next_update FROM crl_published($1::bytea) WHERE der IS NOT NULL" },
    [CA_LIST] = { "authority_list", 1,
        "SELECT a.generation::text, a.generation, a.fingerprint, a.serial, a.not_after, a.revoked_at, a.created_at, c.number,"
        " c.this_update, c.next_update, c.entries, a.chain_pem FROM tenant_ca a"
        " LEFT JOIN tenant_crl c ON c.tenant_id = a.tenant_id AND c.authority = a.fingerprint"
        " WHERE a.tenant_id = $1 ORDER BY a.generation DESC" },
    [CA_REVOKE] = { "authority_revoke", 2,
        "UPDATE tenant_ca SET revoked_at = now() WHERE tenant_id = $1 AND generation = $2 AND revoked_at IS NULL"
        " AND fingerprint IS NOT NULL" },
    [CA_NAME] = { "tenant_certificate_name", 1, "SELECT coalesce(certificate_name, key) FROM tenant WHERE id = $1" },
    [WARN] = { "other_certificates_warn", 0, "SELECT other_certificates_warn()" },
    [CHANGED] = { "trust_changed", 0, "SELECT trust_changed()::text" },
    [TRIPLE_INSERT] = { "emt_triple_insert", 2,
        "INSERT INTO emt_triple (tenant_id, name) VALUES ($1, $2) RETURNING triple_id" },
    [EMT_INSERT] = { "emt_certificate_insert", 10,
        "INSERT INTO emt_certificate (tenant_id, triple_id, use, chain_pem, key_blob, fingerprint, subject, serial, not_before,"
        " not_after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)" },
    [TRIPLE_LIST] = { "emt_triple_list", 2,
        "SELECT t.triple_id::text, t.triple_id, t.name, t.created_at, c.use, c.subject, c.serial, c.fingerprint, c.not_before,"
        " c.not_after, NOT EXISTS (SELECT FROM emt_certificate y WHERE y.tenant_id = $1 AND y.use = c.use"
        "  AND y.not_before <= now() AND y.not_after > now() AND (y.not_before, y.triple_id) > (c.not_before, c.triple_id))"
        "  AND c.not_before <= now() AND c.not_after > now(), c.chain_pem"
        " FROM emt_triple t JOIN emt_certificate c ON c.tenant_id = t.tenant_id AND c.triple_id = t.triple_id"
        " WHERE t.tenant_id = $1 AND ($2::int8 = 0 OR t.triple_id = $2)"
        " ORDER BY t.triple_id DESC, c.use DESC" },
    [TRIPLE_DELETE] = { "emt_triple_delete", 2, "DELETE FROM emt_triple WHERE tenant_id = $1 AND triple_id = $2" },
    [EMT_CURRENT] = { "emt_certificate_current", 3,
        "SELECT triple_id, chain_pem, key_blob FROM emt_certificate"
        " WHERE tenant_id = $1 AND use = $2 AND not_before <= $3 AND not_after > $3"
        " ORDER BY not_before DESC, triple_id DESC LIMIT 1" },
};
/* clang-format on */

const struct store_statement *certificate_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err trust_changed(struct store *s)
{
    return store_run(s, &statements[CHANGED], NULL, NULL);
}

/* ---- imports ---- */

static enum emt_err pin(struct store *s, int32_t tenant, const struct import_row *in, int64_t id)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_bytes(&p[1], in->fingerprint, 32);
    p_int8(&p[2], in->gateway);
    p_text(&p[3], in->serial);
    p_time(&p[4], in->not_before);
    p_time(&p[5], in->not_after);
    p_int8(&p[6], id);
    enum emt_err err = store_run_touch(s, &statements[PIN_CERTIFICATE], p);
    if (err == EMT_ENOTFOUND)
        return EMT_ECONFLICT;
    if (err != EMT_OK)
        return err;
    return directory_add(s, DIRECTORY_GATEWAY_CERTIFICATE, in->fingerprint, in->gateway);
}

enum emt_err import_insert(struct store *s, int32_t tenant, const struct import_row *in,
                           int64_t *id)
{
    struct store_param p[14];

    p_int4(&p[0], tenant);
    p_text(&p[1], in->purpose);
    p_bool(&p[2], in->pinned);
    p_text(&p[3], in->name);
    p_bytes(&p[4], in->fingerprint, 32);
    p_text(&p[5], in->subject);
    p_text(&p[6], in->serial);
    p_time(&p[7], in->not_before);
    p_time(&p[8], in->not_after);
    p_text(&p[9], in->pem);
    if (in->pinned)
        p_int8(&p[10], in->gateway);
    else
        p_null(&p[10]);
    p_text(&p[11], in->crl_url);
    p_int2(&p[12], (int16_t)in->crl_policy);
    p_bool(&p[13], in->proven);
    enum emt_err err = store_run_number(s, &statements[IMPORT_INSERT_ROW], p, id);
    if (err == EMT_ENOTFOUND)
        return EMT_ELIMIT;
    if (err == EMT_OK && in->proven)
        err = store_run(s, &statements[PIN_TAKE], &p[4], NULL);
    if (err == EMT_OK && in->pinned)
        err = pin(s, tenant, in, *id);
    return err == EMT_OK ? trust_changed(s) : err;
}

enum emt_err import_list(struct store *s, int32_t tenant, int64_t after, int limit,
                         struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[IMPORT_LIST_ROWS], p, out);
}

enum emt_err import_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_row(s, &statements[IMPORT_GET_ROW], p, out);
}

enum emt_err import_update(struct store *s, int32_t tenant, int64_t id, const char *name,
                           const char *crl_url, int crl_policy)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_text(&p[2], name);
    p_text(&p[3], crl_url);
    if (crl_policy < 0)
        p_null(&p[4]);
    else
        p_int2(&p[4], (int16_t)crl_policy);
    return store_run_touch(s, &statements[IMPORT_UPDATE_ROW], p);
}

enum emt_err import_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    enum emt_err err = store_run(s, &statements[IMPORT_FORGET], p, NULL);
    if (err == EMT_OK)
        err = store_run(s, &statements[DIRECTORY_FORGET], p, NULL);
    if (err == EMT_OK)
        err = store_run_touch(s, &statements[IMPORT_DELETE_ROW], p);
    return err == EMT_OK ? trust_changed(s) : err;
}

/* ---- lists of imported CAs ---- */

enum emt_err import_crl_put(struct store *s, int32_t tenant, int64_t id, const struct crl_row *in)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_text(&p[2], in->number);
    p_time(&p[3], in->this_update);
    p_time(&p[4], in->next_update);
    p_int4(&p[5], in->entries);
    p_bytes(&p[6], in->der, in->len);
    p_int2(&p[7], in->fetched);
    enum emt_err err = store_run(s, &statements[CRL_PUT], p, NULL);
    return err == EMT_OK ? trust_changed(s) : err;
}

enum emt_err gateway_certificate_list(struct store *s, int32_t tenant,
                                      const struct gateway_certificate_filter *f,
                                      const char *cursor, int limit, struct store_result **out)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_text(&p[1], f->gateway != NULL ? f->gateway : "");
    p_int4(&p[2], f->state);
    p_int4(&p[3], f->ends_within_days);
    p_text(&p[4], cursor);
    p_int8(&p[5], limit);
    return store_run(s, &statements[GATEWAY_CERTIFICATES], p, out);
}

enum emt_err import_leaves(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run(s, &statements[LEAVES], p, out);
}

enum emt_err certificate_revoke(struct store *s, int32_t tenant, const uint8_t fingerprint[32],
                                const char *reason)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_bytes(&p[1], fingerprint, 32);
    p_text(&p[2], reason);
    return store_run(s, &statements[REVOKE_ONE], p, NULL);
}

enum emt_err import_crl_due(struct store *s, emt_time now, int limit, struct store_result **out)
{
    struct store_param p[2];

    p_time(&p[0], now);
    p_int8(&p[1], limit);
    return store_run(s, &statements[CRL_DUE], p, out);
}

enum emt_err import_crl_tried(struct store *s, int32_t tenant, int64_t id, const char *error,
                              emt_time next)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_text(&p[2], error);
    p_time(&p[3], next);
    return store_run(s, &statements[CRL_TRIED], p, NULL);
}

enum emt_err import_crl_stale(struct store *s, int64_t *told, int64_t *stale)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run_row(s, &statements[CRL_STALE], NULL, &r);

    if (err != EMT_OK)
        return err;
    *told = c_int(r, 0, 0);
    *stale = c_int(r, 0, 1);
    store_result_free(r);
    return EMT_OK;
}

/* ---- our own lists ---- */

enum emt_err authority_unread(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[CA_UNREAD], NULL, out);
}

enum emt_err authority_note(struct store *s, int32_t tenant, int32_t generation,
                            const uint8_t fingerprint[32], const char *serial, emt_time not_after)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int4(&p[1], generation);
    p_bytes(&p[2], fingerprint, 32);
    p_text(&p[3], serial);
    p_time(&p[4], not_after);
    return store_run_touch(s, &statements[CA_NOTE], p);
}

enum emt_err authority_crl_due(struct store *s, emt_time renew_before, struct store_result **out)
{
    struct store_param p;

    p_time(&p, renew_before);
    return store_run(s, &statements[CA_CRL_DUE], &p, out);
}

enum emt_err authority_revoked(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, &statements[CA_REVOKED], &p, out);
}

enum emt_err root_revoked(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[ROOT_REVOKED], NULL, out);
}

/* Parameters from number on. */
static void p_crl(struct store_param *p, const struct own_crl *in)
{
    p_int8(&p[0], in->number);
    p_time(&p[1], in->this_update);
    p_time(&p[2], in->next_update);
    p_int4(&p[3], in->entries);
    p_bytes(&p[4], in->der, in->len);
}

enum emt_err tenant_crl_put(struct store *s, int32_t tenant, const struct own_crl *in)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_bytes(&p[1], in->authority, 32);
    p_crl(&p[2], in);
    return store_run(s, &statements[TENANT_CRL_PUT], p, NULL);
}

enum emt_err platform_crl_put(struct store *s, const struct own_crl *in)
{
    struct store_param p[7];

    p_bytes(&p[0], in->authority, 32);
    p_text(&p[1], in->name);
    p_crl(&p[2], in);
    return store_run(s, &statements[PLATFORM_CRL_PUT], p, NULL);
}

enum emt_err platform_crl_due(struct store *s, const char *name, emt_time renew_before,
                              int32_t entries, int64_t *number)
{
    struct store_param p[3];

    p_text(&p[0], name);
    p_time(&p[1], renew_before);
    p_int4(&p[2], entries);
    return store_run_number(s, &statements[PLATFORM_CRL_DUE], p, number);
}

enum emt_err crl_published(struct store *s, const uint8_t authority[32], struct store_result **out)
{
    struct store_param p;

    p_bytes(&p, authority, 32);
    return store_run_row(s, &statements[PUBLISHED], &p, out);
}

enum emt_err authority_list(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, &statements[CA_LIST], &p, out);
}

enum emt_err authority_revoke(struct store *s, int32_t tenant, int32_t generation)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int4(&p[1], generation);
    return store_run_touch(s, &statements[CA_REVOKE], p);
}

enum emt_err tenant_certificate_name(struct store *s, int32_t tenant, char out[65])
{
    struct store_result *r = NULL;
    struct store_param p;

    p_int4(&p, tenant);
    enum emt_err err = store_run_row(s, &statements[CA_NAME], &p, &r);
    if (err == EMT_OK)
        snprintf(out, 65, "%s", c_text(r, 0, 0));
    store_result_free(r);
    return err;
}

enum emt_err other_certificates_warn(struct store *s, int64_t *n)
{
    return store_run_number(s, &statements[WARN], NULL, n);
}

/* ---- certificates of the market participant ---- */

enum emt_err emt_triple_insert(struct store *s, int32_t tenant, const char *name, int64_t *id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], name);
    return store_run_number(s, &statements[TRIPLE_INSERT], p, id);
}

/* row: storage for the text of the triple. */
static struct seal_place key_place(int32_t tenant, int64_t triple, const char *use, char row[24])
{
    snprintf(row, 24, "%lld", (long long)triple);
    return (struct seal_place){ tenant, "emt_certificate", row, use };
}

enum emt_err emt_certificate_insert(struct store *s, int32_t tenant, int64_t triple,
                                    const struct emt_certificate_row *in,
                                    const struct seal_key *data_key)
{
    char row[24];
    struct seal_place place = key_place(tenant, triple, in->use, row);
    uint8_t *blob = malloc(in->key_len + SEAL_OVERHEAD);
    struct store_param p[10];
    size_t n;

    if (!blob)
        return EMT_ENOMEM;
    enum emt_err err = seal_wrap(data_key, &place, in->key_pem, in->key_len, blob, &n);
    if (err == EMT_OK) {
        p_int4(&p[0], tenant);
        p_int8(&p[1], triple);
        p_text(&p[2], in->use);
        p_text(&p[3], in->chain_pem);
        p_bytes(&p[4], blob, n);
        p_bytes(&p[5], in->fingerprint, 32);
        p_text(&p[6], in->subject);
        p_text(&p[7], in->serial);
        p_time(&p[8], in->not_before);
        p_time(&p[9], in->not_after);
        err = store_run(s, &statements[EMT_INSERT], p, NULL);
    }
    free(blob);
    return err;
}

enum emt_err emt_triple_list(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run(s, &statements[TRIPLE_LIST], p, out);
}

enum emt_err emt_triple_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_touch(s, &statements[TRIPLE_DELETE], p);
}

static enum emt_err open_key(const struct store_result *r, int32_t tenant, const char *use,
                             const struct seal_key *data_key, struct writer *chain_pem,
                             struct writer *key_pem)
{
    char row[24];
    struct seal_place place = key_place(tenant, c_int(r, 0, 0), use, row);
    size_t n = 0;
    size_t len = 0;
    const uint8_t *blob = c_bytes(r, 0, 2, &n);
    uint8_t *plain = malloc(n + 1);

    if (!plain)
        return EMT_ENOMEM;
    enum emt_err err = seal_unwrap(data_key, &place, blob, n, plain, &len);
    if (err == EMT_ENOTFOUND || err == EMT_EMALFORMED)
        err = EMT_EAUTH;
    if (err == EMT_OK &&
        (!writer_bytes(key_pem, plain, len) || !writer_text(chain_pem, c_text(r, 0, 1))))
        err = EMT_ENOMEM;
    cipher_wipe(plain, n);
    free(plain);
    return err;
}

enum emt_err emt_certificate_current(struct store *s, int32_t tenant, const char *use, emt_time now,
                                     const struct seal_key *data_key, struct writer *chain_pem,
                                     struct writer *key_pem)
{
    struct store_result *r = NULL;
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], use);
    p_time(&p[2], now);
    enum emt_err err = store_run_row(s, &statements[EMT_CURRENT], p, &r);
    if (err == EMT_OK)
        err = open_key(r, tenant, use, data_key, chain_pem, key_pem);
    store_result_free(r);
    return err;
}
