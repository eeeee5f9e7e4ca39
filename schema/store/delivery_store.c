#include "store/delivery_store.h"

enum {
    TARGET_INSERT,
    TARGET_UPDATE,
    TARGET_DELETE,
    TARGET_LOCK,
    TARGET_GET,
    TARGET_LIST,
    SECRET_SET,
    SECRET_FORGET,
    SECRET_LIST,
    DELIVERY_ADD,
    DELIVERY_BEGIN,
    DELIVERY_END,
    DELIVERY_LIST,
    DELIVERY_GET,
    DELIVERY_SLOW,
    TARGET_SLOW,
    STATEMENTS
};

#define TARGET_COLUMNS                                                                             \
    "name, kind, host, port, path, user_name, host_key, ca_pem, client_pem, sign_pem,"             \
    " encrypt_pem, plain_allowed, implicit_tls, mail_from, mail_to, mail_cc, mail_bcc,"            \
    " mail_subject, mail_text, partner"
/* $2 to $21. */
#define TARGET_VALUES                                                                              \
    "$2::text, $3::text, $4::text, $5::int4, $6::text, $7::text, $8::text, $9::text, $10::text,"   \
    " $11::text, $12::text, $13::bool, $14::bool, $15::text, string_to_array($16::text, E'\\n'),"  \
    " string_to_array($17::text, E'\\n'), string_to_array($18::text, E'\\n'), $19::text,"          \
    " $20::text, $21::text"
/* The columns of enum target_column. */
#define TARGET_SELECT                                                                               \
    "SELECT t.target_id::text, t.target_id, t.name, t.kind, t.host, t.port, t.path, t.user_name,"   \
    " t.host_key, t.ca_pem, t.client_pem, t.sign_pem, t.encrypt_pem, t.plain_allowed,"              \
    " t.implicit_tls, t.mail_from, array_to_string(t.mail_to, E'\\n'),"                             \
    " array_to_string(t.mail_cc, E'\\n'), array_to_string(t.mail_bcc, E'\\n'), t.mail_subject,"     \
    " t.mail_text, coalesce((SELECT string_agg(x.purpose, ' ' ORDER BY x.purpose)"                  \
    "  FROM delivery_secret x WHERE x.tenant_id = t.tenant_id AND x.target_id = t.target_id), '')," \
    " t.created_at, t.revision, t.partner FROM delivery_target t"
/* The columns of enum delivery_column. */
#define DELIVERY_SELECT                                                                            \
    "SELECT d.delivery_id::text, d.delivery_id, d.file_id, f.file_name, d.target_id, t.name,"      \
    " d.state, d.tries, d.outcome, d.detail, d.created_at, d.tried_at, d.ended_at, d.created_by"   \
    " FROM delivery d"                                                                             \
    " JOIN export_file f ON f.tenant_id = d.tenant_id AND f.file_id = d.file_id"                   \
    " JOIN delivery_target t ON t.tenant_id = d.tenant_id AND t.target_id = d.target_id"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [TARGET_INSERT] = { "target_insert", 22,
        "INSERT INTO delivery_target (tenant_id, " TARGET_COLUMNS ")"
        " SELECT $1::int4, " TARGET_VALUES
        " WHERE (SELECT count(*) FROM delivery_target WHERE tenant_id = $1) < $22"
        " RETURNING target_id" },
    [TARGET_UPDATE] = { "target_update", 22,
        "UPDATE delivery_target SET (" TARGET_COLUMNS ") = ROW(" TARGET_VALUES "),"
        " revision = revision + 1 WHERE tenant_id = $1 AND target_id = $22" },
    [TARGET_DELETE] = { "target_delete", 2,
        "DELETE FROM delivery_target WHERE tenant_id = $1 AND target_id = $2" },
    [TARGET_LOCK] = { "target_lock", 2,
        "SELECT target_id FROM delivery_target WHERE tenant_id = $1 AND target_id = $2 FOR UPDATE" },
    [TARGET_GET] = { "target_get", 2,
        TARGET_SELECT " WHERE t.tenant_id = $1 AND t.target_id = $2" },
    [TARGET_LIST] = { "target_list", 3,
        TARGET_SELECT " WHERE t.tenant_id = $1 AND t.target_id > $2 ORDER BY t.target_id LIMIT $3" },
    [SECRET_SET] = { "target_secret_set", 4,
        "INSERT INTO delivery_secret (tenant_id, target_id, purpose, blob) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (tenant_id, target_id, purpose) DO UPDATE SET blob = excluded.blob" },
    [SECRET_FORGET] = { "target_secret_forget", 3,
        "DELETE FROM delivery_secret WHERE tenant_id = $1 AND target_id = $2 AND purpose = $3" },
    [SECRET_LIST] = { "target_secret_list", 2,
        "SELECT purpose, blob FROM delivery_secret WHERE tenant_id = $1 AND target_id = $2" },
    /* What waits, is under way or arrived is left as it is, but its number is told; $8: what arrived
       goes once more, as a further try of it. No row: the target is another party's. */
    [DELIVERY_ADD] = { "delivery_add", 8,
        "INSERT INTO delivery AS d (tenant_id, file_id, target_id, second_target_id, retries,"
        " retry_s, created_by) SELECT $1, $2::int8, $3::int8, $4::int8, $5::int4, $6::int4, $7::text"
        " WHERE NOT EXISTS (SELECT FROM delivery_target t JOIN export_file f ON f.tenant_id = t.tenant_id"
        "  WHERE t.tenant_id = $1 AND t.target_id = $3 AND f.file_id = $2"
        "  AND t.partner <> '' AND t.partner <> f.receiver)"
        " ON CONFLICT (tenant_id, file_id, target_id) DO UPDATE SET"
        " state = CASE WHEN d.state IN (3, 4) OR (d.state = 2 AND $8::bool) THEN 0 ELSE d.state END,"
        " tries = CASE WHEN d.state IN (3, 4) THEN 0 ELSE d.tries END,"
        " retries = CASE WHEN d.state = 2 AND $8 THEN d.tries + excluded.retries ELSE d.retries END,"
        " ended_at = CASE WHEN d.state IN (3, 4) OR (d.state = 2 AND $8) THEN NULL ELSE d.ended_at END,"
        " created_by = CASE WHEN d.state IN (3, 4) OR (d.state = 2 AND $8) THEN excluded.created_by"
        "  ELSE d.created_by END"
        " RETURNING delivery_id" },
    [DELIVERY_BEGIN] = { "delivery_begin", 2,
        "WITH before AS (SELECT d.state FROM delivery d WHERE d.tenant_id = $1"
        "  AND d.delivery_id = $2 AND d.state IN (0, 1) FOR UPDATE)"
        " UPDATE delivery d SET state = 1, tries = d.tries + 1, tried_at = now()"
        " FROM before b WHERE d.tenant_id = $1 AND d.delivery_id = $2"
        " RETURNING d.file_id, d.target_id, d.second_target_id, d.tries, d.retries, d.retry_s,"
        " b.state = 1" },
    [DELIVERY_END] = { "delivery_end", 5,
        "UPDATE delivery SET state = $3::int2, outcome = $4, detail = $5,"
        " ended_at = CASE WHEN $3::int2 >= 2 THEN now() END"
        " WHERE tenant_id = $1 AND delivery_id = $2 AND state = 1" },
    [DELIVERY_LIST] = { "delivery_list", 5,
        DELIVERY_SELECT
        " WHERE d.tenant_id = $1 AND ($2::int8 = 0 OR d.file_id = $2)"
        " AND ($3::int2 IS NULL OR d.state = $3) AND ($4::int8 = 0 OR d.delivery_id < $4)"
        " ORDER BY d.delivery_id DESC LIMIT $5" },
    [DELIVERY_GET] = { "delivery_get", 2,
        DELIVERY_SELECT " WHERE d.tenant_id = $1 AND d.delivery_id = $2" },
    [DELIVERY_SLOW] = { "delivery_slow", 2,
        "SELECT t.slow FROM delivery d JOIN delivery_target t ON t.tenant_id = d.tenant_id"
        " AND t.target_id = d.target_id WHERE d.tenant_id = $1 AND d.delivery_id = $2" },
    [TARGET_SLOW] = { "target_slow", 3,
        "UPDATE delivery_target SET slow = $3::bool WHERE tenant_id = $1 AND target_id = $2"
        " AND slow <> $3" },
};
/* clang-format on */

const struct store_statement *delivery_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* $1 to $21. */
static void target_params(struct store_param p[21], int32_t tenant, const struct target_row *row)
{
    const char *const before[] = { row->name, row->kind, row->host };
    const char *const between[] = { row->path,       row->user,     row->host_key,   row->ca_pem,
                                    row->client_pem, row->sign_pem, row->encrypt_pem };
    const char *const after[] = { row->mail_from,    row->mail_to,   row->mail_cc, row->mail_bcc,
                                  row->mail_subject, row->mail_text, row->partner };
    size_t at = 0;

    p_int4(&p[at++], tenant);
    for (size_t i = 0; i < 3; i++)
        p_text(&p[at++], before[i]);
    p_int4(&p[at++], row->port);
    for (size_t i = 0; i < 7; i++)
        p_text(&p[at++], between[i]);
    p_bool(&p[at++], row->plain_allowed);
    p_bool(&p[at++], row->implicit_tls);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
        p_text(&p[at++], after[i]);
}

enum emt_err target_insert(struct store *s, int32_t tenant, const struct target_row *row,
                           int64_t *id)
{
    struct store_param p[22];

    target_params(p, tenant, row);
    p_int8(&p[21], TARGETS_MOST);
    enum emt_err err = store_run_number(s, &statements[TARGET_INSERT], p, id);
    return err == EMT_ENOTFOUND ? EMT_ELIMIT : err;
}

enum emt_err target_update(struct store *s, int32_t tenant, int64_t id,
                           const struct target_row *row)
{
    struct store_param p[22];

    target_params(p, tenant, row);
    p_int8(&p[21], id);
    return store_run_touch(s, &statements[TARGET_UPDATE], p);
}

static void two(struct store_param p[2], int32_t tenant, int64_t id)
{
    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
}

enum emt_err target_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[TARGET_DELETE], p);
}

enum emt_err target_lock(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[TARGET_LOCK], p);
}

enum emt_err target_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_row(s, &statements[TARGET_GET], p, out);
}

enum emt_err target_list(struct store *s, int32_t tenant, int64_t after, int limit,
                         struct store_result **out)
{
    struct store_param p[3];

    two(p, tenant, after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[TARGET_LIST], p, out);
}

enum emt_err target_secret_set(struct store *s, int32_t tenant, int64_t id, const char *purpose,
                               const void *blob, size_t len)
{
    struct store_param p[4];

    two(p, tenant, id);
    p_text(&p[2], purpose);
    if (blob == NULL)
        return store_run(s, &statements[SECRET_FORGET], p, NULL);
    p_bytes(&p[3], blob, len);
    return store_run(s, &statements[SECRET_SET], p, NULL);
}

enum emt_err target_secrets(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run(s, &statements[SECRET_LIST], p, out);
}

enum emt_err delivery_add(struct store *s, int32_t tenant, const struct delivery_order *order,
                          int64_t *id)
{
    struct store_param p[8];

    two(p, tenant, order->file);
    p_int8(&p[2], order->target);
    p_null(&p[3]);
    if (order->second_target != 0)
        p_int8(&p[3], order->second_target);
    p_int4(&p[4], order->retries);
    p_int4(&p[5], order->retry_s);
    p_text(&p[6], order->created_by);
    p_bool(&p[7], order->again);
    enum emt_err err = store_run_number(s, &statements[DELIVERY_ADD], p, id);
    return err == EMT_ENOTFOUND ? EMT_ESTATE : err;
}

enum emt_err delivery_begin(struct store *s, int32_t tenant, int64_t id, struct delivery_try *out)
{
    struct store_param p[2];
    struct store_result *r = NULL;

    two(p, tenant, id);
    enum emt_err err = store_run_row(s, &statements[DELIVERY_BEGIN], p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct delivery_try){ .file = c_int(r, 0, 0),
                                  .target = c_int(r, 0, 1),
                                  .second_target = c_null(r, 0, 2) ? 0 : c_int(r, 0, 2),
                                  .tries = (int32_t)c_int(r, 0, 3),
                                  .retries = (int32_t)c_int(r, 0, 4),
                                  .retry_s = (int32_t)c_int(r, 0, 5),
                                  .interrupted = c_bool(r, 0, 6) };
    store_result_free(r);
    return EMT_OK;
}

enum emt_err delivery_end(struct store *s, int32_t tenant, int64_t id, enum delivery_state state,
                          const char *outcome, const char *detail)
{
    struct store_param p[5];

    two(p, tenant, id);
    p_int2(&p[2], (int16_t)state);
    p_text(&p[3], outcome);
    p_text(&p[4], detail);
    return store_run_touch(s, &statements[DELIVERY_END], p);
}

enum emt_err delivery_list(struct store *s, int32_t tenant, int64_t file, int state, int64_t before,
                           int limit, struct store_result **out)
{
    struct store_param p[5];

    two(p, tenant, file);
    p_null(&p[2]);
    if (state >= 0)
        p_int2(&p[2], (int16_t)state);
    p_int8(&p[3], before);
    p_int8(&p[4], limit);
    return store_run(s, &statements[DELIVERY_LIST], p, out);
}

enum emt_err delivery_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_row(s, &statements[DELIVERY_GET], p, out);
}

enum emt_err delivery_is_slow(struct store *s, int32_t tenant, int64_t id, bool *slow)
{
    struct store_param p[2];
    struct store_result *r = NULL;

    two(p, tenant, id);
    enum emt_err err = store_run_row(s, &statements[DELIVERY_SLOW], p, &r);
    if (err != EMT_OK)
        return err;
    *slow = c_bool(r, 0, 0);
    store_result_free(r);
    return EMT_OK;
}

enum emt_err target_slow_set(struct store *s, int32_t tenant, int64_t id, bool slow)
{
    struct store_param p[3];

    two(p, tenant, id);
    p_bool(&p[2], slow);
    return store_run(s, &statements[TARGET_SLOW], p, NULL);
}
