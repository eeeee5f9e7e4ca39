#include "store/market_rule_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { POLICY_LIST, POLICY_DELETE, PARTNER_LIST, PARTNER_DELETE, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [POLICY_LIST] = { "market_policy_list", 1,
        "SELECT use_case::text, CASE use_case WHEN 0 THEN 'default' ELSE use_case::text END, gap,"
        " method, reason, correction FROM export_policy p WHERE tenant_id = $1 ORDER BY p.use_case" },
    [POLICY_DELETE] = { "market_policy_delete", 2,
        "DELETE FROM export_policy WHERE tenant_id = $1 AND use_case = $2" },
    [PARTNER_LIST] = { "market_partner_list", 3,
        "SELECT mp_id, mp_id, name, role, file_bytes_max, file_messages_max FROM market_partner"
        " WHERE tenant_id = $1 AND mp_id > $2 ORDER BY mp_id LIMIT $3" },
    [PARTNER_DELETE] = { "market_partner_delete", 2,
        "DELETE FROM market_partner WHERE tenant_id = $1 AND mp_id = $2" },
};
/* clang-format on */

const struct store_statement *market_rule_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err market_policy_list(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p[1];

    p_int4(&p[0], tenant);
    return store_run(s, &statements[POLICY_LIST], p, out);
}

enum emt_err market_policy_delete(struct store *s, int32_t tenant, unsigned use_case)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int4(&p[1], (int32_t)use_case);
    return store_run_touch(s, &statements[POLICY_DELETE], p);
}

enum emt_err market_partner_list(struct store *s, int32_t tenant, const char *after, int limit,
                                 struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[PARTNER_LIST], p, out);
}

enum emt_err market_partner_delete(struct store *s, int32_t tenant, const char *mp_id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], mp_id);
    return store_run_touch(s, &statements[PARTNER_DELETE], p);
}
