/* Users of a tenant, as its administrators see them. Users are the platform's, so all of this runs
 * on the admin connection, and every statement names the tenant of the path. */
#include "api_condition.h"
#include "api_login.h"
#include "api_route.h"
#include "api_user.h"
#include "base/cipher.h"
#include "store/api_key_store.h"
#include "store/member_store.h"
#include "store/user_session_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "name", COL_TEXT, NULL },
    { "display_name", COL_TEXT, NULL },
    { "role", COL_ENUM, api_role_names },
    { "one_time", COL_BOOL, NULL },
    { "created_at", COL_TIME, NULL },
    { "last_login_at", COL_TIME, NULL },
    { "disabled_at", COL_TIME, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])
static const char *const lively[] = { "last_login_at", NULL };

/* --- reading --- */

enum emt_err api_member_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    struct store *admin = api_admin(c);

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = admin != NULL
                           ? member_list(admin, c->tenant, page.cursor_number, page.limit + 1, &r)
                           : EMT_EDB;
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, NULL)
                         : api_store_problem(c, err, "users");
}

static enum emt_err member_json(struct api_call *c, int64_t id, json_t **out)
{
    struct store_result *r = NULL;
    enum emt_err err = member_get(c->worker->admin, c->tenant, id, &r);

    if (err != EMT_OK)
        return err;
    *out = api_row(r, 0, 1, columns, COLUMNS);
    store_result_free(r);
    return *out != NULL ? EMT_OK : EMT_ENOMEM;
}

static enum emt_err answer_member(struct api_call *c, int64_t id)
{
    json_t *user = NULL;
    enum emt_err err = member_json(c, id, &user);

    return err == EMT_OK ? api_resource(c, 200, user, lively) : api_store_problem(c, err, "user");
}

enum emt_err api_member_get(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    return api_admin(c) != NULL ? answer_member(c, id) : api_store_problem(c, EMT_EDB, "user");
}

/* --- changing --- */

/* A key is the tenant's, and ends with the rights of who made it: else it would be a way back in.
 */
static enum emt_err end_keys(struct api_call *c, int64_t user, const char *name)
{
    struct store *admin = c->worker->admin;
    int64_t n = 0;
    enum emt_err err = api_key_revoke_user(admin, c->tenant, user, c->now, &n);

    return err == EMT_OK && n > 0
               ? api_audit_on(c, admin, c->tenant, "api-key.revoke", name,
                              "%lld keys made by user %lld", (long long)n, (long long)user)
               : err;
}

static enum emt_err make_member(struct api_call *c, const struct api_value *v, const char *hash,
                                int64_t *id)
{
    struct store *admin = c->worker->admin;
    enum emt_err err = user_create_named(admin, v[0].text, v[1].present ? v[1].text : "", hash,
                                         true, PLATFORM_NONE, id);

    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "name", "name: is taken");
    if (err == EMT_OK)
        err = member_set(admin, c->tenant, *id, (int)v[2].number);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, c->tenant, "user.create", v[0].text, "user %lld, %s",
                           (long long)*id, api_role_names[v[2].number]);
    return err;
}

enum emt_err api_member_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "display_name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "role", FIELD_ENUM, true, false, 0, 0, api_role_names },
    };
    struct api_value v[3];
    char password[PASSWORD_ONE_TIME_MAX];
    char hash[PASSWORD_HASH_MAX];
    json_t *body = NULL;
    json_t *user = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok || !api_user_name_good(c, v[0].text)) {
        json_decref(body);
        return EMT_OK;
    }
    enum emt_err err = api_one_time(password, hash);
    if (err == EMT_OK)
        err = api_user_begin(c);
    if (err == EMT_OK)
        err = make_member(c, v, hash, &id);
    json_decref(body);
    err = api_user_settle(c, err);
    if (err == EMT_OK && c->status == 0) {
        err = member_json(c, id, &user);
        err =
            err == EMT_OK ? api_user_created(c, user, password) : api_store_problem(c, err, "user");
    }
    cipher_wipe(password, sizeof password);
    return err;
}

/* Name, password and disabled are the whole user's: they are this tenant's to change while nobody
 * else knows the user. */
static bool is_ours(const struct member *m)
{
    return m->others == 0 && m->platform_role == PLATFORM_NONE;
}

static enum emt_err not_ours(struct api_call *c)
{
    return api_problem(c, 409, "conflict", NULL,
                       "other tenants or the platform know this user too; ask its operator");
}

/* The member, locked. A refusal is answered. */
static enum emt_err lock_member(struct api_call *c, int64_t id, struct platform_user *user,
                                struct member *m)
{
    enum emt_err err = user_lock(c->worker->admin, id, user);

    if (err == EMT_OK) {
        cipher_wipe(user->password_hash, sizeof user->password_hash);
        err = member_find(c->worker->admin, c->tenant, id, m);
    }
    return err;
}

/* Of a member that is locked. False with EMT_OK: changed meanwhile, and answered. */
static enum emt_err is_unchanged(struct api_call *c, int64_t id, bool *ok)
{
    json_t *current = NULL;

    *ok = true;
    if (!api_has_if_match(c))
        return EMT_OK;
    enum emt_err err = member_json(c, id, &current);
    *ok = err == EMT_OK && api_if_match(c, current, lively);
    return err;
}

static enum emt_err change_member(struct api_call *c, int64_t id, const struct api_value *v)
{
    struct store *admin = c->worker->admin;
    struct platform_user user;
    struct member m;
    bool unchanged = false;
    enum emt_err err = lock_member(c, id, &user, &m);

    if (err == EMT_OK)
        err = is_unchanged(c, id, &unchanged);
    if (err != EMT_OK || !unchanged)
        return err;
    bool role = v[0].present && v[0].number != m.role;
    bool disable = v[2].present && v[2].flag && !user.disabled;
    if ((v[1].present || v[2].present) && !is_ours(&m))
        return not_ours(c);
    if (id == c->who.user_id && (role || disable))
        return api_problem(c, 409, "conflict", NULL,
                           "nobody takes away the own rights; ask another administrator");
    if (v[1].present)
        snprintf(user.display_name, sizeof user.display_name, "%s", v[1].text);
    if (v[2].present)
        user.disabled = v[2].flag;
    if (v[1].present || v[2].present)
        err = user_update(admin, &user);
    if (err == EMT_OK && role)
        err = member_set(admin, c->tenant, id, (int)v[0].number);
    if (err == EMT_OK && (role || disable))
        err = user_session_end_all(admin, id, 0);
    /* Keys are made by administrators, who may give them every right. */
    if (err == EMT_OK && (disable || (role && m.role == ROLE_TENANT_ADMIN)))
        err = end_keys(c, id, user.name);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, c->tenant, "user.update", user.name, "user %lld, %s%s",
                           (long long)id, api_role_names[role ? v[0].number : m.role],
                           user.disabled ? ", disabled" : "");
    return err;
}

enum emt_err api_member_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "role", FIELD_ENUM, false, false, 0, 0, api_role_names },
        { "display_name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "disabled", FIELD_BOOL, false, false, 0, 0, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = api_user_begin(c);
    if (err == EMT_OK)
        err = change_member(c, id, v);
    json_decref(body);
    err = api_user_settle(c, err);
    return err == EMT_OK && c->status == 0 ? answer_member(c, id) : err;
}

static enum emt_err remove_member(struct api_call *c, int64_t id)
{
    struct store *admin = c->worker->admin;
    struct platform_user user;
    struct member m;
    bool unchanged = false;
    enum emt_err err = lock_member(c, id, &user, &m);

    if (err == EMT_OK)
        err = is_unchanged(c, id, &unchanged);
    if (err != EMT_OK || !unchanged)
        return err;
    if (id == c->who.user_id)
        return api_problem(c, 409, "conflict", NULL,
                           "nobody takes away the own rights; ask another administrator");
    err = member_remove(admin, c->tenant, id);
    /* Nothing is left that this user might do; the name stays taken, as the audit tells of it. */
    if (err == EMT_OK && is_ours(&m))
        err = user_disable(admin, id);
    if (err == EMT_OK)
        err = user_session_end_all(admin, id, 0);
    if (err == EMT_OK)
        err = end_keys(c, id, user.name);
    if (err == EMT_OK)
        err =
            api_audit_on(c, admin, c->tenant, "user.remove", user.name, "user %lld", (long long)id);
    return err;
}

enum emt_err api_member_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    enum emt_err err = api_user_begin(c);
    if (err == EMT_OK)
        err = remove_member(c, id);
    err = api_user_settle(c, err);
    return err == EMT_OK && c->status == 0 ? api_empty(c, 204) : err;
}

static enum emt_err reset(struct api_call *c, int64_t id, const char *hash)
{
    struct store *admin = c->worker->admin;
    struct platform_user user;
    struct member m;
    enum emt_err err = lock_member(c, id, &user, &m);

    if (err != EMT_OK)
        return err;
    if (!is_ours(&m))
        return not_ours(c);
    err = user_reset(admin, id, hash);
    if (err == EMT_OK)
        err = user_session_end_all(admin, id, 0);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, c->tenant, "user.reset", user.name,
                           "user %lld: one-time password", (long long)id);
    return err;
}

enum emt_err api_member_reset(struct api_call *c)
{
    return api_user_reset_by(c, reset);
}
