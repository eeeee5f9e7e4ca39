#include "store/user_store.h"

#include "store/store.h"

#include <stdio.h>

enum {
    INSERT,
    FIND,
    COUNT,
    SET_PASSWORD,
    DISABLE,
    KEY_INSERT,
    KEY_FIND,
    KEY_USED,
    KEY_REVOKE,
    KEY_REVOKE_ALL,
    KEY_LIST,
    LIST,
    GET,
    LOCK,
    UPDATE,
    RESET,
    LOGGED_IN,
    OPERATORS
};

/* A user as JSON wants it; memberships by number of the role. */
#define USER_COLUMNS                                                                               \
    "u.id::text, u.id, u.name, u.display_name, u.role, coalesce((select json_agg("                 \
    "json_build_object('tenant', t.key, 'role', m.role) order by t.key) from membership m"         \
    " join tenant t on t.id = m.tenant_id where m.user_id = u.id), '[]')::text, u.one_time,"       \
    " u.created_at, u.last_login_at, u.disabled_at from platform_user u"

#define KEY_COLUMNS                                                                                \
    "k.id, k.user_id, u.name, k.name, u.role, k.created_at, k.expires_at, k.revoked_at,"           \
    " k.last_used_at from platform_api_key k join platform_user u on u.id = k.user_id"

static const struct store_statement statements[] = {
    [INSERT] = { "user_insert", 5,
                 "insert into platform_user (name, password_hash, one_time, role, display_name)"
                 " values ($1, $2, $3, $4, $5) returning id" },
    [FIND] = { "user_find", 1,
               "select id, name, password_hash, one_time, disabled_at is not null, role,"
               " display_name from platform_user where name = $1" },
    [COUNT] = { "user_count", 0, "select count(*) from platform_user" },
    [SET_PASSWORD] = { "user_set_password", 3,
                       "update platform_user set password_hash = $3, one_time = false"
                       " where id = $1 and password_hash = $2 and disabled_at is null" },
    [DISABLE] = { "user_disable", 1,
                  "update platform_user set disabled_at = coalesce(disabled_at, now())"
                  " where id = $1" },
    [KEY_INSERT] = { "platform_key_insert", 4,
                     "insert into platform_api_key (user_id, name, hash, expires_at)"
                     " values ($1, $2, $3, $4) returning id" },
    [KEY_FIND] = { "platform_key_find", 2,
                   "select " KEY_COLUMNS " where k.hash = $1 and k.revoked_at is null"
                   " and (k.expires_at is null or k.expires_at > $2) and u.disabled_at is null"
                   " and u.role <> 2" },
    [KEY_USED] = { "platform_key_used", 2,
                   "update platform_api_key set last_used_at = $2::timestamptz where id = ("
                   "select id from platform_api_key where id = $1 and (last_used_at is null"
                   " or last_used_at < $2::timestamptz - interval '1 minute')"
                   " for update skip locked)" },
    [KEY_REVOKE] = { "platform_key_revoke", 2,
                     "update platform_api_key set revoked_at = $2"
                     " where id = $1 and revoked_at is null" },
    [KEY_REVOKE_ALL] = { "platform_key_revoke_all", 2,
                         "update platform_api_key set revoked_at = $2"
                         " where user_id = $1 and revoked_at is null" },
    [KEY_LIST] = { "platform_key_list", 2,
                   "select " KEY_COLUMNS " where k.id > $1 order by k.id limit $2::int8" },
    [LIST] = { "user_list", 2,
               "select " USER_COLUMNS " where u.id > $1 order by u.id limit $2::int8" },
    [GET] = { "user_get", 1, "select " USER_COLUMNS " where u.id = $1" },
    [LOCK] = { "user_lock", 1,
               "select u.id, u.name, u.password_hash, u.one_time, u.disabled_at is not null, u.role,"
               " u.display_name from platform_user u where u.id = $1 for update" },
    [UPDATE] = { "user_update", 4,
                 "update platform_user set display_name = $2, role = $3,"
                 " disabled_at = case when $4::bool then coalesce(disabled_at, now()) end"
                 " where id = $1" },
    [RESET] = { "user_reset", 2,
                "update platform_user set password_hash = $2, one_time = true where id = $1" },
    [LOGGED_IN] = { "user_logged_in", 2,
                    "update platform_user set last_login_at = $2 where id = $1" },
    [OPERATORS] = { "user_operators", 0,
                    "select count(*) from platform_user where role = 0 and disabled_at is null" },
};

const struct store_statement *user_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

static enum emt_err one_number(struct store *s, const struct store_statement *st,
                               const struct store_param *p, int64_t *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK)
        *out = c_int(r, 0, 0);
    store_result_free(r);
    return err;
}

static enum emt_err change_one(struct store *s, const struct store_statement *st,
                               const struct store_param *p, enum emt_err none)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK && store_affected(r) != 1)
        err = none;
    store_result_free(r);
    return err;
}

enum emt_err user_create(struct store *s, const char *name, const char *password_hash,
                         bool one_time, enum platform_role role, int64_t *id)
{
    return user_create_named(s, name, "", password_hash, one_time, role, id);
}

enum emt_err user_create_named(struct store *s, const char *name, const char *display_name,
                               const char *password_hash, bool one_time, enum platform_role role,
                               int64_t *id)
{
    struct store_param p[5];

    p_text(&p[0], name);
    p_text(&p[1], password_hash);
    p_bool(&p[2], one_time);
    p_int2(&p[3], (int16_t)role);
    p_text(&p[4], display_name);
    return one_number(s, &statements[INSERT], p, id);
}

static enum emt_err one_user(struct store *s, const struct store_statement *st,
                             const struct store_param *p, struct platform_user *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run_row(s, st, p, &r);

    if (err != EMT_OK)
        return err;
    *out = (struct platform_user){ .id = c_int(r, 0, 0),
                                   .one_time = c_bool(r, 0, 3),
                                   .disabled = c_bool(r, 0, 4),
                                   .role = (enum platform_role)c_int(r, 0, 5) };
    snprintf(out->name, sizeof out->name, "%s", c_text(r, 0, 1));
    snprintf(out->password_hash, sizeof out->password_hash, "%s", c_text(r, 0, 2));
    snprintf(out->display_name, sizeof out->display_name, "%s", c_text(r, 0, 6));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err user_find(struct store *s, const char *name, struct platform_user *out)
{
    struct store_param p;

    p_text(&p, name);
    return one_user(s, &statements[FIND], &p, out);
}

enum emt_err user_lock(struct store *s, int64_t id, struct platform_user *out)
{
    struct store_param p;

    p_int8(&p, id);
    return one_user(s, &statements[LOCK], &p, out);
}

enum emt_err user_update(struct store *s, const struct platform_user *u)
{
    struct store_param p[4];

    p_int8(&p[0], u->id);
    p_text(&p[1], u->display_name);
    p_int2(&p[2], (int16_t)u->role);
    p_bool(&p[3], u->disabled);
    return change_one(s, &statements[UPDATE], p, EMT_ENOTFOUND);
}

enum emt_err user_reset(struct store *s, int64_t id, const char *one_time_hash)
{
    struct store_param p[2];

    p_int8(&p[0], id);
    p_text(&p[1], one_time_hash);
    return change_one(s, &statements[RESET], p, EMT_ENOTFOUND);
}

enum emt_err user_logged_in(struct store *s, int64_t id, emt_time now)
{
    struct store_param p[2];

    p_int8(&p[0], id);
    p_time(&p[1], now);
    return change_one(s, &statements[LOGGED_IN], p, EMT_ENOTFOUND);
}

enum emt_err user_operators(struct store *s, int64_t *n)
{
    return one_number(s, &statements[OPERATORS], NULL, n);
}

enum emt_err user_list(struct store *s, int64_t after, int limit, struct store_result **out)
{
    struct store_param p[2];

    p_int8(&p[0], after);
    p_int8(&p[1], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err user_get(struct store *s, int64_t id, struct store_result **out)
{
    struct store_param p;

    p_int8(&p, id);
    return store_run_row(s, &statements[GET], &p, out);
}

enum emt_err user_count(struct store *s, int64_t *n)
{
    return one_number(s, &statements[COUNT], NULL, n);
}

enum emt_err user_set_password(struct store *s, int64_t id, const char *old_hash,
                               const char *new_hash)
{
    struct store_param p[3];

    p_int8(&p[0], id);
    p_text(&p[1], old_hash);
    p_text(&p[2], new_hash);
    return change_one(s, &statements[SET_PASSWORD], p, EMT_ECONFLICT);
}

enum emt_err user_disable(struct store *s, int64_t id)
{
    struct store_param p;

    p_int8(&p, id);
    return change_one(s, &statements[DISABLE], &p, EMT_ENOTFOUND);
}

static void row_to_key(const struct store_result *r, int row, struct platform_key *k)
{
    *k = (struct platform_key){ .id = c_int(r, row, 0),
                                .user_id = c_int(r, row, 1),
                                .role = (enum platform_role)c_int(r, row, 4),
                                .created_at = c_time(r, row, 5),
                                .expires_at = c_time(r, row, 6),
                                .revoked_at = c_time(r, row, 7),
                                .last_used_at = c_time(r, row, 8) };
    snprintf(k->user_name, sizeof k->user_name, "%s", c_text(r, row, 2));
    snprintf(k->name, sizeof k->name, "%s", c_text(r, row, 3));
}

enum emt_err platform_key_create(struct store *s, int64_t user_id, const char *name,
                                 const uint8_t hash[32], emt_time expires_at, int64_t *id)
{
    struct store_param p[4];

    p_int8(&p[0], user_id);
    p_text(&p[1], name);
    p_bytes(&p[2], hash, 32);
    p_time(&p[3], expires_at);
    return one_number(s, &statements[KEY_INSERT], p, id);
}

enum emt_err platform_key_find(struct store *s, const uint8_t hash[32], emt_time now,
                               struct platform_key *out)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_bytes(&p[0], hash, 32);
    p_time(&p[1], now);
    err = store_run(s, &statements[KEY_FIND], p, &r);
    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    if (err == EMT_OK)
        row_to_key(r, 0, out);
    store_result_free(r);
    return err;
}

enum emt_err platform_key_used(struct store *s, int64_t id, emt_time now)
{
    struct store_param p[2];

    p_int8(&p[0], id);
    p_time(&p[1], now);
    return store_run(s, &statements[KEY_USED], p, NULL);
}

enum emt_err platform_key_revoke(struct store *s, int64_t id, emt_time now)
{
    struct store_param p[2];

    p_int8(&p[0], id);
    p_time(&p[1], now);
    return change_one(s, &statements[KEY_REVOKE], p, EMT_ENOTFOUND);
}

enum emt_err platform_key_revoke_all(struct store *s, int64_t user, emt_time now)
{
    struct store_param p[2];

    p_int8(&p[0], user);
    p_time(&p[1], now);
    return store_run(s, &statements[KEY_REVOKE_ALL], p, NULL);
}

enum emt_err platform_key_list(struct store *s, int64_t after, struct platform_key *out, size_t *n)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_int8(&p[0], after);
    p_int8(&p[1], (int64_t)*n);
    *n = 0;
    err = store_run(s, &statements[KEY_LIST], p, &r);
    if (err == EMT_OK) {
        *n = (size_t)store_rows(r);
        for (int i = 0; i < store_rows(r); i++)
            row_to_key(r, i, &out[i]);
    }
    store_result_free(r);
    return err;
}
