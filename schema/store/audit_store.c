#include "store/audit_store.h"

#include "store/store.h"

static const struct store_statement statements[] = {
    { "audit_append", 6,
      "insert into audit (tenant_id, actor, action, object, detail, peer)"
      " values ($1, $2, $3, $4, coalesce($5, ''), $6)" },
};

const struct store_statement *audit_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

enum emt_err audit_append(struct store *s, const struct audit_entry *e)
{
    struct store_param p[6];

    p_int4(&p[0], e->tenant);
    p_text(&p[1], e->actor);
    p_text(&p[2], e->action);
    p_text(&p[3], e->object);
    p_text(&p[4], e->detail);
    p_text(&p[5], e->peer);
    return store_run(s, &statements[0], p, NULL);
}
