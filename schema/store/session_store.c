#include "store/session_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    TENANT,
    FIND,
    FIND_FOREIGN,
    FACTS,
    CLAIM,
    END,
    ALARM,
    STATUS,
    LOG,
    COMMANDS_OPEN,
    COMMAND_EXPIRE,
    COMMAND_TAKE,
    COMMAND_RESULT,
    REVOKED,
    FOREIGN,
    TRUST_VERSION,
    IMPORTS,
    STATEMENTS
};

/* clang-format off */
/* Turns between two addresses (decision 24): a turn is a claim from the address before the last one. */
#define BACK  "(excluded.peer <> s.peer AND excluded.peer = s.peer_before)"
#define FRESH "(s.turns_from > excluded.since - interval '10 minutes')"
#define CLONE "(" BACK " AND " FRESH " AND s.turns >= 5)"

/* c: the certificate. A CA without any list is given the hour that import_crl_stale() gives it. */
#define NAMES_FIT(organisation, name) \
    "CASE WHEN c.import_id IS NULL THEN coalesce(t.certificate_name, t.key) = " organisation \
    " AND g.external_id = " name " ELSE " organisation " IS NULL END"
#define CRL_STALE \
    "EXISTS (SELECT FROM imported_certificate i LEFT JOIN imported_crl l ON l.tenant_id = i.tenant_id" \
    "  AND l.import_id = i.import_id WHERE i.tenant_id = c.tenant_id AND i.import_id = c.import_id AND i.crl_policy = 2" \
    "  AND CASE WHEN l.import_id IS NULL THEN i.created_at < now() - interval '1 hour' ELSE l.next_update <= now() END)"

static const struct store_statement statements[STATEMENTS] = {
    [TENANT] = { "session_tenant", 1, "SELECT set_config('app.tenant', $1::text, true)" },
    [FIND] = { "session_find", 1, "SELECT tenant_id, row_id FROM directory_find(1::int2, $1::bytea)" },
    [FIND_FOREIGN] = { "session_find_foreign", 6,
        "SELECT tenant_id, gateway_id FROM imported_gateway($1::bytea, $2::bytea, $3::text, $4::text, $5, $6)" },
    /* Names count in certificates of the tenant's own CA; of others the import says whose they are. */
    [FACTS] = { "session_facts", 5,
        "SELECT t.state, " NAMES_FIT("$4", "$5") ", g.state, c.fingerprint IS NOT NULL,"
        "  c.revoked_at IS NOT NULL, coalesce(s.held_until > now(), false), " CRL_STALE
        " FROM gateway g JOIN tenant t ON t.id = g.tenant_id"
        " LEFT JOIN gateway_certificate c ON c.tenant_id = g.tenant_id AND c.fingerprint = $3"
        "  AND c.gateway_id = g.gateway_id"
        " LEFT JOIN gateway_session s ON s.tenant_id = g.tenant_id AND s.gateway_id = g.gateway_id"
        " WHERE g.tenant_id = $1 AND g.gateway_id = $2" },
    /* One statement, so that a refused claim touches nothing: first who fits, then the session row, whose lock
     * orders rival claims, then the cursors, which fence whatever is in flight under an older epoch. Only
     * of others' certificates sessions are counted: of our own it is known who holds the key. */
    [CLAIM] = { "session_claim", 12,
        "WITH fit AS ("
        " SELECT g.gateway_id FROM gateway g"
        " JOIN tenant t ON t.id = g.tenant_id AND t.state = 0"
        " JOIN gateway_certificate c ON c.tenant_id = g.tenant_id AND c.gateway_id = g.gateway_id"
        "  AND c.fingerprint = $3 AND c.revoked_at IS NULL"
        " WHERE g.tenant_id = $1 AND g.gateway_id = $2 AND " NAMES_FIT("$4", "$5") " AND g.state <> 2"
        "  AND NOT " CRL_STALE
        "), claimed AS ("
        " INSERT INTO gateway_session AS s"
        "  (tenant_id, gateway_id, node_id, epoch, state, since, peer, fingerprint, tls)"
        " SELECT $1, gateway_id, $6::int8, 1, 0, now(), $7::text::inet, $3, $8::text FROM fit"
        " ON CONFLICT (tenant_id, gateway_id) DO UPDATE SET epoch = s.epoch + 1,"
        "  node_id = excluded.node_id, since = excluded.since, peer = excluded.peer,"
        "  fingerprint = excluded.fingerprint, tls = excluded.tls,"
        "  state = CASE WHEN " CLONE " THEN 1 ELSE 0 END,"
        "  ended_at = CASE WHEN " CLONE " THEN excluded.since END,"
        "  reason = CASE WHEN " CLONE " THEN 'clone' ELSE '' END,"
        "  peer_before = CASE WHEN s.peer IS DISTINCT FROM excluded.peer THEN s.peer ELSE s.peer_before END,"
        "  turns = CASE WHEN " CLONE " THEN 0 WHEN NOT coalesce(" BACK ", false) THEN s.turns"
        "   WHEN " FRESH " THEN s.turns + 1 ELSE 1 END,"
        "  turns_from = CASE WHEN " BACK " AND NOT coalesce(" FRESH ", false) THEN excluded.since ELSE s.turns_from END,"
        "  held_until = CASE WHEN " CLONE " THEN excluded.since + interval '10 minutes' END"
        " WHERE s.held_until IS NULL OR s.held_until <= excluded.since"
        " RETURNING epoch, held_until IS NOT NULL AS held"
        "), others AS ("
        " UPDATE gateway_cursor k SET epoch = claimed.epoch FROM claimed"
        " WHERE k.tenant_id = $1 AND k.gateway_id = $2 AND k.spool_id <> $9"
        "), kept AS ("
        " INSERT INTO gateway_cursor (tenant_id, gateway_id, spool_id, epoch, last_seq, updated_at)"
        " SELECT $1, $2, $9::bytea, epoch, 0, now() FROM claimed"
        " ON CONFLICT (tenant_id, gateway_id, spool_id)"
        " DO UPDATE SET epoch = excluded.epoch, updated_at = excluded.updated_at RETURNING last_seq"
        "), used AS ("
        " UPDATE gateway_certificate c SET first_used_at = coalesce(c.first_used_at, now()),"
        "  last_used_at = CASE WHEN c.import_id IS NOT NULL THEN now() END,"
        "  sessions = c.sessions + (c.import_id IS NOT NULL)::int4 FROM claimed"
        " WHERE c.tenant_id = $1 AND c.fingerprint = $3 AND NOT claimed.held"
        "  AND (c.first_used_at IS NULL OR c.import_id IS NOT NULL)"
        "), told AS ("
        " UPDATE gateway g SET software = $10::text, hardware = $11::text, serial = $12::text FROM claimed"
        " WHERE g.tenant_id = $1 AND g.gateway_id = $2"
        "  AND (g.software, g.hardware, g.serial) IS DISTINCT FROM ($10, $11, $12)"
        "), installed AS ("
        " INSERT INTO event (tenant_id, gateway_id, at, severity, kind, detail)"
        " SELECT $1, $2, now(), 0, 'installation-finished', $10::text FROM claimed WHERE claimed.epoch = 1"
        ") SELECT claimed.epoch, claimed.held, kept.last_seq FROM claimed, kept" },
    [END] = { "session_end", 5,
        "UPDATE gateway_session SET state = 1, ended_at = $4, reason = $5"
        " WHERE tenant_id = $1 AND gateway_id = $2 AND epoch = $3 AND state = 0" },
    [ALARM] = { "session_alarm", 5,
        "INSERT INTO event (tenant_id, gateway_id, at, severity, kind, detail)"
        " VALUES ($1, $2, $3, 2, $4, $5)" },
    [STATUS] = { "session_status", 11,
        /* An uptime that began anew is a start. */
        "WITH started AS (INSERT INTO event (tenant_id, gateway_id, at, severity, kind, detail)"
        " SELECT $1, $2, $3, 0, 'gateway-started', '' WHERE NOT EXISTS (SELECT FROM gateway_status o"
        "  WHERE o.tenant_id = $1 AND o.gateway_id = $2 AND o.uptime_s <= $4))"
        " INSERT INTO gateway_status (tenant_id, gateway_id, at, uptime_s, spool_bytes, spool_frames,"
        "  frames_heard, load_permille, memory_free, disk_free, metrics)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb)"
        " ON CONFLICT (tenant_id, gateway_id) DO UPDATE SET at = excluded.at,"
        "  uptime_s = excluded.uptime_s, spool_bytes = excluded.spool_bytes,"
        "  spool_frames = excluded.spool_frames, frames_heard = excluded.frames_heard,"
        "  load_permille = excluded.load_permille, memory_free = excluded.memory_free,"
        "  disk_free = excluded.disk_free, metrics = excluded.metrics" },
    [LOG] = { "session_log", 5,
        "INSERT INTO gateway_log (tenant_id, gateway_id, at, level, text) VALUES ($1, $2, $3, $4, $5)" },
    [COMMANDS_OPEN] = { "session_commands_open", 1,
        "SELECT tenant_id, gateway_id, epoch FROM commands_open($1::int8)" },
    [COMMAND_EXPIRE] = { "session_command_expire", 2,
        "UPDATE command SET state = 4, ended_at = now()"
        " WHERE tenant_id = $1 AND gateway_id = $2 AND state < 2 AND expires_at <= now()" },
    /* Sent in an earlier session is not known to have arrived: sent again under the same key, and the
     * gateway remembers (decision 24). */
    [COMMAND_TAKE] = { "session_command_take", 4,
        "WITH due AS ("
        " SELECT c.command_id FROM command c"
        " JOIN gateway_session s ON s.tenant_id = c.tenant_id AND s.gateway_id = c.gateway_id"
        "  AND s.epoch = $3 AND s.state = 0"
        " WHERE c.tenant_id = $1 AND c.gateway_id = $2"
        "  AND (c.state = 0 OR (c.state = 1 AND c.sent_at < s.since))"
        "  AND (c.expires_at IS NULL OR c.expires_at > now())"
        " ORDER BY c.command_id LIMIT $4::int8"
        "), taken AS ("
        " UPDATE command c SET state = 1, sent_at = now() FROM due"
        " WHERE c.tenant_id = $1 AND c.command_id = due.command_id"
        " RETURNING c.command_id, c.idempotency_key, c.name, c.expires_at, c.arguments"
        ") SELECT t.command_id, t.idempotency_key, t.name, t.expires_at, a.key, a.value FROM taken t"
        " LEFT JOIN LATERAL jsonb_each_text(CASE WHEN jsonb_typeof(t.arguments) = 'object'"
        "  THEN t.arguments ELSE '{}' END) a ON true"
        " ORDER BY t.command_id, a.key" },
    [COMMAND_RESULT] = { "session_command_result", 6,
        "UPDATE command SET state = CASE $4::int2 WHEN 0 THEN 2 WHEN 3 THEN 4 ELSE 3 END,"
        "  outcome = $4, result = $5, ended_at = $6"
        " WHERE tenant_id = $1 AND gateway_id = $2 AND idempotency_key = $3 AND state < 2" },
    [REVOKED] = { "session_revoked", 0, "SELECT certificates_revoked()" },
    [FOREIGN] = { "session_foreign", 0, "SELECT tenant_authorities_foreign()" },
    [TRUST_VERSION] = { "session_trust_version", 0, "SELECT trust_version_now()" },
    [IMPORTS] = { "session_imports", 0, "SELECT purpose, pinned, pem, crl FROM trust_imports()" },
};
/* clang-format on */

const struct store_statement *session_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err session_send_tenant(struct store *s, int32_t tenant)
{
    struct store_param p[1];
    char text[16];

    snprintf(text, sizeof text, "%" PRId32, tenant);
    p_text(&p[0], text);
    return store_send(s, &statements[TENANT], p, NULL, NULL);
}

enum emt_err session_send_end_of_segment(struct store *s, store_done *done, void *ctx)
{
    return store_send_sync(s, done, ctx);
}

enum emt_err session_send_find(struct store *s, const uint8_t fingerprint[32], store_done *done,
                               void *ctx)
{
    struct store_param p[1];

    p_bytes(&p[0], fingerprint, 32);
    return store_send(s, &statements[FIND], p, done, ctx);
}

enum emt_err session_send_find_foreign(struct store *s, const struct session_foreign *f,
                                       store_done *done, void *ctx)
{
    struct store_param p[6];

    p_bytes(&p[0], f->fingerprint, 32);
    p_bytes(&p[1], f->anchor, 32);
    p_text(&p[2], f->common_name);
    p_text(&p[3], f->serial);
    p_time(&p[4], f->not_before);
    p_time(&p[5], f->not_after);
    return store_send(s, &statements[FIND_FOREIGN], p, done, ctx);
}

bool session_read_find(const struct store_result *r, int32_t *tenant, int64_t *gateway)
{
    /* A function with OUT parameters gives one row, of NULLs where nothing was found. */
    if (store_rows(r) != 1 || c_null(r, 0, 0) || c_null(r, 0, 1))
        return false;
    *tenant = (int32_t)c_int(r, 0, 0);
    *gateway = c_int(r, 0, 1);
    return true;
}

enum emt_err session_send_facts(struct store *s, const struct session_claim *c, store_done *done,
                                void *ctx)
{
    struct store_param p[5];

    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->gateway);
    p_bytes(&p[2], c->fingerprint, 32);
    p_text(&p[3], c->organisation);
    p_text(&p[4], c->external_id);
    return store_send(s, &statements[FACTS], p, done, ctx);
}

enum emt_err session_send_claim(struct store *s, const struct session_claim *c, store_done *done,
                                void *ctx)
{
    struct store_param p[12];

    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->gateway);
    p_bytes(&p[2], c->fingerprint, 32);
    p_text(&p[3], c->organisation);
    p_text(&p[4], c->external_id);
    p_int8(&p[5], c->node);
    p_text(&p[6], c->peer);
    p_text(&p[7], c->tls);
    p_bytes(&p[8], c->spool_id, 16);
    p_text(&p[9], c->software ? c->software : "");
    p_text(&p[10], c->hardware ? c->hardware : "");
    p_text(&p[11], c->serial ? c->serial : "");
    return store_send(s, &statements[CLAIM], p, done, ctx);
}

enum session_refusal session_read_facts(const struct store_result *r)
{
    if (store_rows(r) != 1)
        return SESSION_REFUSAL_UNKNOWN;
    if (c_int(r, 0, 0) != 0)
        return SESSION_REFUSAL_SUSPENDED;
    if (!c_bool(r, 0, 1))
        return SESSION_REFUSAL_TENANT;
    if (c_int(r, 0, 2) == 2 || c_bool(r, 0, 4))
        return SESSION_REFUSAL_REVOKED;
    if (!c_bool(r, 0, 3))
        return SESSION_REFUSAL_UNKNOWN;
    if (c_bool(r, 0, 6))
        return SESSION_REFUSAL_CRL;
    return c_bool(r, 0, 5) ? SESSION_REFUSAL_CLONE : SESSION_REFUSAL_NONE;
}

bool session_read_claimed(const struct store_result *r, struct session_claimed *out)
{
    if (store_rows(r) != 1)
        return false;
    out->epoch = c_int(r, 0, 0);
    out->held = c_bool(r, 0, 1);
    out->last_seq = (uint64_t)c_int(r, 0, 2);
    return true;
}

enum emt_err session_send_end(struct store *s, int32_t tenant, int64_t gateway, int64_t epoch,
                              emt_time at, const char *reason, store_done *done, void *ctx)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_int8(&p[2], epoch);
    p_time(&p[3], at);
    p_text(&p[4], reason);
    return store_send(s, &statements[END], p, done, ctx);
}

enum emt_err session_send_alarm(struct store *s, int32_t tenant, int64_t gateway, emt_time at,
                                const char *kind, const char *detail, store_done *done, void *ctx)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], at);
    p_text(&p[3], kind);
    p_text(&p[4], detail);
    return store_send(s, &statements[ALARM], p, done, ctx);
}

enum emt_err session_send_status(struct store *s, const struct session_status *st, store_done *done,
                                 void *ctx)
{
    struct store_param p[11];

    p_int4(&p[0], st->tenant);
    p_int8(&p[1], st->gateway);
    p_time(&p[2], st->at);
    p_int8(&p[3], st->uptime_s);
    p_int8(&p[4], st->spool_bytes);
    p_int8(&p[5], st->spool_frames);
    p_int8(&p[6], st->frames_heard);
    p_int4(&p[7], st->load_permille);
    p_int8(&p[8], st->memory_free);
    p_int8(&p[9], st->disk_free);
    p_text(&p[10], st->metrics);
    return store_send(s, &statements[STATUS], p, done, ctx);
}

enum emt_err session_send_log(struct store *s, int32_t tenant, int64_t gateway, emt_time at,
                              int level, const char *text, store_done *done, void *ctx)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], at);
    p_int2(&p[3], (int16_t)level);
    p_text(&p[4], text);
    return store_send(s, &statements[LOG], p, done, ctx);
}

enum emt_err session_send_commands_open(struct store *s, int64_t node, store_done *done, void *ctx)
{
    struct store_param p[1];

    p_int8(&p[0], node);
    return store_send(s, &statements[COMMANDS_OPEN], p, done, ctx);
}

void session_read_commands_open(const struct store_result *r, int row, int32_t *tenant,
                                int64_t *gateway, int64_t *epoch)
{
    *tenant = (int32_t)c_int(r, row, 0);
    *gateway = c_int(r, row, 1);
    *epoch = c_int(r, row, 2);
}

enum emt_err session_send_command_take(struct store *s, int32_t tenant, int64_t gateway,
                                       int64_t epoch, int most, store_done *done, void *ctx)
{
    struct store_param p[4];
    enum emt_err err;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    err = store_send(s, &statements[COMMAND_EXPIRE], p, NULL, NULL);
    if (err != EMT_OK)
        return err;
    p_int8(&p[2], epoch);
    p_int8(&p[3], most);
    return store_send(s, &statements[COMMAND_TAKE], p, done, ctx);
}

void session_read_command(const struct store_result *r, int row, struct session_command_row *out)
{
    size_t n = 0;

    out->command = c_int(r, row, 0);
    out->idempotency_key = c_bytes(r, row, 1, &n);
    if (n != 16)
        out->idempotency_key = NULL;
    out->name = c_text(r, row, 2);
    out->expires_at = c_time(r, row, 3);
    out->argument = c_null(r, row, 4) ? NULL : c_text(r, row, 4);
    out->value = c_text(r, row, 5);
}

enum emt_err session_send_command_result(struct store *s, int32_t tenant, int64_t gateway,
                                         const uint8_t idempotency_key[16], uint32_t outcome,
                                         const char *text, emt_time at, store_done *done, void *ctx)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_bytes(&p[2], idempotency_key, 16);
    p_int2(&p[3], (int16_t)(outcome > INT16_MAX ? INT16_MAX : outcome));
    p_text(&p[4], text);
    p_time(&p[5], at);
    return store_send(s, &statements[COMMAND_RESULT], p, done, ctx);
}

enum emt_err session_send_revoked(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[REVOKED], NULL, done, ctx);
}

enum emt_err session_send_foreign(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[FOREIGN], NULL, done, ctx);
}

enum emt_err session_send_trust_version(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[TRUST_VERSION], NULL, done, ctx);
}

enum emt_err session_send_imports(struct store *s, store_done *done, void *ctx)
{
    return store_send(s, &statements[IMPORTS], NULL, done, ctx);
}

void session_read_import(const struct store_result *r, int row, struct session_import *out)
{
    out->logger = strcmp(c_text(r, row, 0), "logger") == 0;
    out->pinned = c_bool(r, row, 1);
    out->pem = c_text(r, row, 2);
    out->crl = c_null(r, row, 3) ? NULL : c_bytes(r, row, 3, &out->crl_len);
    if (!out->crl)
        out->crl_len = 0;
}

bool session_read_revoked(const struct store_result *r, int row, uint8_t fingerprint[32])
{
    size_t n = 0;
    const uint8_t *p = c_bytes(r, row, 0, &n);

    if (!p || n != 32)
        return false;
    memcpy(fingerprint, p, 32);
    return true;
}
