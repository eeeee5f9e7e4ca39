#include "store/member_store.h"

enum { SET, SET_BY_KEY, REMOVE, REMOVE_ALL, LIST, GET, FIND, TENANTS, STATEMENTS };

#define MEMBER_SELECT                                                                              \
    "select u.id::text, u.id, u.name, u.display_name, m.role, u.one_time, u.created_at,"           \
    " u.last_login_at, u.disabled_at from membership m join platform_user u on u.id = m.user_id"
#define UPSERT " on conflict (tenant_id, user_id) do update set role = excluded.role"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [SET] = { "member_set", 3,
        "insert into membership (tenant_id, user_id, role) values ($1, $2, $3)" UPSERT },
    [SET_BY_KEY] = { "member_set_by_key", 3,
        "insert into membership (tenant_id, user_id, role)"
        " select id, $2, $3 from tenant where key = $1" UPSERT },
    [REMOVE] = { "member_remove", 2,
        "delete from membership where tenant_id = $1 and user_id = $2" },
    [REMOVE_ALL] = { "member_remove_all", 1, "delete from membership where user_id = $1" },
    [LIST] = { "member_list", 3,
        MEMBER_SELECT " where m.tenant_id = $1 and u.id > $2 order by u.id limit $3::int8" },
    [GET] = { "member_get", 2, MEMBER_SELECT " where m.tenant_id = $1 and u.id = $2" },
    [FIND] = { "member_find", 2,
        "select m.role, (select count(*) from membership o where o.user_id = $2 and o.tenant_id <> $1),"
        " u.role from membership m join platform_user u on u.id = m.user_id"
        " where m.tenant_id = $1 and m.user_id = $2" },
    [TENANTS] = { "member_tenants", 3,
        "select t.id::text, t.id, t.key, t.name, m.role from membership m"
        " join tenant t on t.id = m.tenant_id"
        " where m.user_id = $1 and t.id > $2 and t.state = 0 order by t.id limit $3::int8" },
};
/* clang-format on */

const struct store_statement *member_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err member_set(struct store *s, int32_t tenant, int64_t user, int role)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], user);
    p_int2(&p[2], (int16_t)role);
    return store_run_touch(s, &statements[SET], p);
}

enum emt_err member_set_by_key(struct store *s, const char *tenant_key, int64_t user, int role)
{
    struct store_param p[3];

    p_text(&p[0], tenant_key);
    p_int8(&p[1], user);
    p_int2(&p[2], (int16_t)role);
    return store_run_touch(s, &statements[SET_BY_KEY], p);
}

enum emt_err member_remove(struct store *s, int32_t tenant, int64_t user)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], user);
    return store_run_touch(s, &statements[REMOVE], p);
}

enum emt_err member_remove_all(struct store *s, int64_t user)
{
    struct store_param p;

    p_int8(&p, user);
    return store_run(s, &statements[REMOVE_ALL], &p, NULL);
}

enum emt_err member_list(struct store *s, int32_t tenant, int64_t after, int limit,
                         struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err member_get(struct store *s, int32_t tenant, int64_t user, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], user);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err member_find(struct store *s, int32_t tenant, int64_t user, struct member *out)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], user);
    enum emt_err err = store_run_row(s, &statements[FIND], p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct member){ .role = (int)c_int(r, 0, 0),
                            .others = c_int(r, 0, 1),
                            .platform_role = (enum platform_role)c_int(r, 0, 2) };
    store_result_free(r);
    return EMT_OK;
}

enum emt_err member_tenants(struct store *s, int64_t user, int32_t after, int limit,
                            struct store_result **out)
{
    struct store_param p[3];

    p_int8(&p[0], user);
    p_int4(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[TENANTS], p, out);
}
