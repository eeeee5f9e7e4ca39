/* Users as operators see them: of all tenants, with their role of the platform. */
#include "api_user.h"

#include "api_condition.h"
#include "api_login.h"
#include "api_route.h"
#include "base/cipher.h"
#include "store/api_key_store.h"
#include "store/member_store.h"
#include "store/secret_store.h"
#include "store/user_session_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

const char *const api_platform_role_names[4] = { "operator", "auditor", "none", NULL };

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "name", COL_TEXT, NULL },
    { "display_name", COL_TEXT, NULL },
    { "platform_role", COL_ENUM, api_platform_role_names },
    { "memberships", COL_JSON, NULL },
    { "one_time", COL_BOOL, NULL },
    { "created_at", COL_TIME, NULL },
    { "last_login_at", COL_TIME, NULL },
    { "disabled_at", COL_TIME, NULL },
};

/* --- what the files about users share --- */

json_t *api_user_row(const struct store_result *r, int row)
{
    json_t *user = api_row(r, row, 1, columns, sizeof columns / sizeof columns[0]);
    size_t i;
    json_t *member;

    /* The database keeps roles by number. */
    json_array_foreach(json_object_get(user, "memberships"), i, member)
    {
        json_int_t role = json_integer_value(json_object_get(member, "role"));

        json_object_set_new(member, "role", json_string(api_role_names[role % ROLES]));
    }
    return user;
}

enum emt_err api_user_json(struct store *admin, int64_t id, json_t **out)
{
    struct store_result *r = NULL;
    enum emt_err err = user_get(admin, id, &r);

    if (err != EMT_OK)
        return err;
    *out = api_user_row(r, 0);
    store_result_free(r);
    return *out != NULL ? EMT_OK : EMT_ENOMEM;
}

bool api_user_name_good(struct api_call *c, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._@+-");

    if (name[n] == '\0' && n > 0 && strchr(letters, name[0]) != NULL)
        return true;
    api_problem(c, 400, "invalid", "name",
                "name: small letters, digits and . _ @ + -, beginning with a letter or digit");
    return false;
}

enum emt_err api_user_created(struct api_call *c, json_t *user, const char *password)
{
    c->shown_once = true;
    return api_json(c, 201, json_pack("{s:o, s:s}", "user", user, "password", password));
}

/* --- handlers --- */

enum emt_err api_user_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = user_list(c->worker->admin, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, api_user_row)
                         : api_store_problem(c, err, "users");
}

/* A login changes nothing that somebody edits. */
static const char *const user_lively[] = { "last_login_at", NULL };

enum emt_err api_user_get(struct api_call *c)
{
    json_t *user = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    enum emt_err err = api_user_json(c->worker->admin, id, &user);
    return err == EMT_OK ? api_resource(c, 200, user, user_lively)
                         : api_store_problem(c, err, "user");
}

/* [{tenant, role}] to rows. A wrong item is answered: *ok false. */
static enum emt_err set_members(struct api_call *c, int64_t user, const json_t *list, bool *ok)
{
    struct store *admin = c->worker->admin;
    enum emt_err err = member_remove_all(admin, user);
    size_t i;
    json_t *item;

    *ok = true;
    json_array_foreach(list, i, item)
    {
        const char *tenant = json_string_value(json_object_get(item, "tenant"));
        const char *name = json_string_value(json_object_get(item, "role"));
        int role = 0;

        while (name != NULL && role < ROLES && strcmp(api_role_names[role], name) != 0)
            role++;
        if (err != EMT_OK)
            return err;
        *ok = tenant != NULL && name != NULL && role < ROLES && json_object_size(item) == 2;
        if (*ok) {
            err = member_set_by_key(admin, tenant, user, role);
            *ok = err != EMT_ENOTFOUND;
        }
        if (!*ok)
            return api_problem(c, 400, "invalid", "memberships",
                               "memberships: item %zu: the key of a tenant and a role of it",
                               i + 1);
    }
    return err;
}

/* Inside a transaction of the admin connection; *ok false: answered. */
static enum emt_err make_user(struct api_call *c, const struct api_value *v, const char *hash,
                              int64_t *id, bool *ok)
{
    struct store *admin = c->worker->admin;
    enum platform_role role = v[2].present ? (enum platform_role)v[2].number : PLATFORM_NONE;
    enum emt_err err =
        user_create_named(admin, v[0].text, v[1].present ? v[1].text : "", hash, true, role, id);

    if (err == EMT_ECONFLICT) {
        *ok = false;
        return api_problem(c, 409, "conflict", "name", "name: is taken");
    }
    if (err == EMT_OK && v[3].present)
        err = set_members(c, *id, v[3].object, ok);
    if (err == EMT_OK && *ok)
        err = api_audit_on(c, admin, 0, "user.create", v[0].text, "user %lld, %s", (long long)*id,
                           api_platform_role_names[role]);
    return err;
}

enum emt_err api_user_begin(struct api_call *c)
{
    struct store *admin = api_admin(c);

    return admin != NULL ? store_begin(admin, 0) : EMT_EDB;
}

enum emt_err api_user_settle(struct api_call *c, enum emt_err err)
{
    if (err == EMT_OK && c->status == 0)
        err = store_commit(c->worker->admin);
    else if (c->worker->admin != NULL)
        store_rollback(c->worker->admin);
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "user");
}

enum emt_err api_user_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "display_name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "platform_role", FIELD_ENUM, false, false, 0, 0, api_platform_role_names },
        { "memberships", FIELD_LIST, false, false, 0, API_MEMBERSHIPS_MAX, NULL },
    };
    struct api_value v[4];
    char password[PASSWORD_ONE_TIME_MAX];
    char hash[PASSWORD_HASH_MAX];
    json_t *body = NULL;
    json_t *user = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 4, v, &body, &ok);
    if (!ok || !api_user_name_good(c, v[0].text)) {
        json_decref(body);
        return EMT_OK;
    }
    enum emt_err err = api_one_time(password, hash);
    if (err == EMT_OK)
        err = store_begin(c->worker->admin, 0);
    if (err == EMT_OK)
        err = make_user(c, v, hash, &id, &ok);
    json_decref(body);
    err = api_user_settle(c, err);
    if (err == EMT_OK && c->status == 0) {
        err = api_user_json(c->worker->admin, id, &user);
        err =
            err == EMT_OK ? api_user_created(c, user, password) : api_store_problem(c, err, "user");
    }
    cipher_wipe(password, sizeof password);
    return err;
}

/* What a change does to those who are logged in: other rights begin with another login. */
static enum emt_err after_change(struct api_call *c, const struct platform_user *before,
                                 const struct platform_user *after, bool members)
{
    struct store *admin = c->worker->admin;
    bool rights = members || before->role != after->role;
    bool disabled = after->disabled && !before->disabled;
    int64_t keys = 0;
    enum emt_err err = EMT_OK;

    if (rights || disabled)
        err = user_session_end_all(admin, after->id, 0);
    if (err == EMT_OK && disabled)
        err = platform_key_revoke_all(admin, after->id, c->now);
    if (err == EMT_OK && (members || disabled))
        err = api_key_revoke_left(admin, after->id, disabled, c->now, &keys);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, 0, "user.update", after->name,
                           "user %lld, %s%s%s, %lld keys of tenants revoked", (long long)after->id,
                           api_platform_role_names[after->role], members ? ", memberships" : "",
                           after->disabled ? ", disabled" : "", (long long)keys);
    return err;
}

/* Inside a transaction, under the platform's lock: two operators cannot take each other's role. */
static enum emt_err change_user(struct api_call *c, int64_t id, const struct api_value *v, bool *ok)
{
    struct store *admin = c->worker->admin;
    struct platform_user before;
    int64_t operators = 0;
    enum emt_err err = platform_lock(admin);

    if (err == EMT_OK)
        err = user_lock(admin, id, &before);
    if (err != EMT_OK)
        return err;
    cipher_wipe(before.password_hash, sizeof before.password_hash);
    if (api_has_if_match(c)) {
        json_t *current = NULL;

        err = api_user_json(admin, id, &current);
        if (err != EMT_OK)
            return err;
        *ok = api_if_match(c, current, user_lively);
        if (!*ok)
            return EMT_OK;
    }
    struct platform_user after = before;
    if (v[0].present)
        snprintf(after.display_name, sizeof after.display_name, "%s", v[0].text);
    if (v[1].present)
        after.role = (enum platform_role)v[1].number;
    if (v[3].present)
        after.disabled = v[3].flag;
    err = user_update(admin, &after);
    if (err == EMT_OK && v[2].present)
        err = set_members(c, id, v[2].object, ok);
    if (err == EMT_OK && *ok)
        err = after_change(c, &before, &after, v[2].present);
    if (err == EMT_OK && *ok)
        err = user_operators(admin, &operators);
    if (err == EMT_OK && *ok && operators == 0) {
        *ok = false;
        return api_problem(c, 409, "conflict", NULL,
                           "the platform needs an operator who is not disabled");
    }
    return err;
}

enum emt_err api_user_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "display_name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "platform_role", FIELD_ENUM, false, false, 0, 0, api_platform_role_names },
        { "memberships", FIELD_LIST, false, false, 0, API_MEMBERSHIPS_MAX, NULL },
        { "disabled", FIELD_BOOL, false, false, 0, 0, NULL },
    };
    struct api_value v[4];
    json_t *body = NULL;
    json_t *user = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = store_begin(c->worker->admin, 0);
    if (err == EMT_OK)
        err = change_user(c, id, v, &ok);
    json_decref(body);
    err = api_user_settle(c, err);
    if (err != EMT_OK || c->status != 0)
        return err;
    err = api_user_json(c->worker->admin, id, &user);
    return err == EMT_OK ? api_resource(c, 200, user, user_lively)
                         : api_store_problem(c, err, "user");
}

static enum emt_err reset(struct api_call *c, int64_t id, const char *hash)
{
    struct store *admin = c->worker->admin;
    struct platform_user user;
    enum emt_err err = user_lock(admin, id, &user);

    if (err != EMT_OK)
        return err;
    cipher_wipe(user.password_hash, sizeof user.password_hash);
    err = user_reset(admin, id, hash);
    if (err == EMT_OK)
        err = user_session_end_all(admin, id, 0);
    if (err == EMT_OK)
        err = platform_key_revoke_all(admin, id, c->now);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, 0, "user.reset", user.name, "user %lld: one-time password",
                           (long long)id);
    return err;
}

enum emt_err api_user_reset_by(struct api_call *c,
                               enum emt_err (*give)(struct api_call *c, int64_t id,
                                                    const char *hash))
{
    char password[PASSWORD_ONE_TIME_MAX];
    char hash[PASSWORD_HASH_MAX];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "user", &id))
        return EMT_OK;
    api_body(c, NULL, 0, NULL, &body, &ok);
    json_decref(body);
    if (!ok)
        return EMT_OK;
    enum emt_err err = api_one_time(password, hash);
    if (err == EMT_OK)
        err = api_user_begin(c);
    if (err == EMT_OK)
        err = give(c, id, hash);
    err = api_user_settle(c, err);
    if (err == EMT_OK && c->status == 0)
        err = api_json(c, 201, json_pack("{s:s}", "password", password));
    c->shown_once = true;
    cipher_wipe(password, sizeof password);
    return err;
}

enum emt_err api_user_reset(struct api_call *c)
{
    return api_user_reset_by(c, reset);
}
