#include "store/mandate_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { INSERT, LIST, GET, UPDATE, DELETE, PERIODS, STATEMENTS };

#define SELECT                                                                                     \
    "SELECT m.mandate_id::text, m.mandate_id, l.code, m.recipient, m.purpose, m.valid_from,"       \
    " m.valid_to, m.evidence, m.created_at, m.created_by FROM mandate m"                           \
    " JOIN location l ON l.tenant_id = m.tenant_id AND l.location_id = m.location_id"              \
    " WHERE m.tenant_id = $1"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "mandate_insert", 8,
        "INSERT INTO mandate (tenant_id, location_id, recipient, purpose, valid_from, valid_to, evidence,"
        " created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING mandate_id" },
    [LIST] = { "mandate_list", 4,
        SELECT " AND ($2::text IS NULL OR l.code = $2) AND m.mandate_id > $3 ORDER BY m.mandate_id LIMIT $4" },
    [GET] = { "mandate_get", 2, SELECT " AND m.mandate_id = $2" },
    [UPDATE] = { "mandate_update", 4,
        "UPDATE mandate SET valid_to = $3, evidence = $4 WHERE tenant_id = $1 AND mandate_id = $2" },
    [DELETE] = { "mandate_delete", 2, "DELETE FROM mandate WHERE tenant_id = $1 AND mandate_id = $2" },
    [PERIODS] = { "mandate_periods", 3,
        "SELECT m.valid_from, m.valid_to FROM mandate m"
        " JOIN location l ON l.tenant_id = m.tenant_id AND l.location_id = m.location_id"
        " WHERE m.tenant_id = $1 AND l.code = $2 AND m.recipient = $3" },
};
/* clang-format on */

const struct store_statement *mandate_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err mandate_insert(struct store *s, int32_t tenant, const struct mandate_new *m,
                            int64_t *id)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], m->location);
    p_text(&p[2], m->recipient);
    p_text(&p[3], m->purpose);
    p_time(&p[4], m->from);
    p_time(&p[5], m->to);
    p_text(&p[6], m->evidence);
    p_text(&p[7], m->created_by);
    return store_run_number(s, &statements[INSERT], p, id);
}

enum emt_err mandate_list(struct store *s, int32_t tenant, const char *location, int64_t after,
                          int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], location);
    p_int8(&p[2], after);
    p_int8(&p[3], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err mandate_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err mandate_update(struct store *s, int32_t tenant, int64_t id, emt_time to,
                            const char *evidence)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_time(&p[2], to);
    p_text(&p[3], evidence);
    return store_run_touch(s, &statements[UPDATE], p);
}

enum emt_err mandate_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_touch(s, &statements[DELETE], p);
}

enum emt_err mandate_periods(struct store *s, int32_t tenant, const char *location,
                             const char *recipient, struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], location);
    p_text(&p[2], recipient);
    return store_run(s, &statements[PERIODS], p, out);
}
