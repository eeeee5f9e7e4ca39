/* Portal sessions: login, who am I, logout, another password. */
#include "api_auth.h"
#include "api_login.h"
#include "api_route.h"
#include "api_user.h"
#include "base/cipher.h"
#include "store/member_store.h"
#include "store/tenant_store.h"
#include "store/user_session_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TENANTS_MAX 200
#define COOKIE_FLAGS "; Path=/; Secure; HttpOnly; SameSite=Strict"

/* --- the session as JSON --- */

static json_t *session_tenant(const char *key, const char *name, const char *role)
{
    return json_pack("{s:s, s:s, s:s}", "key", key, "name", name, "role", role);
}

/* Every tenant, for those who are something to the platform. */
static enum emt_err platform_tenants(struct store *admin, const char *role, json_t *out)
{
    size_t n = TENANTS_MAX;
    struct tenant *list = calloc(n, sizeof *list);
    enum emt_err err = list != NULL ? tenant_list(admin, 0, list, &n) : EMT_ENOMEM;

    for (size_t i = 0; i < n && err == EMT_OK; i++) {
        if (json_array_append_new(out, session_tenant(list[i].key, list[i].name, role)) != 0)
            err = EMT_ENOMEM;
    }
    free(list);
    return err;
}

static enum emt_err own_tenants(struct store *admin, int64_t user, json_t *out)
{
    struct store_result *r = NULL;
    enum emt_err err = member_tenants(admin, user, 0, TENANTS_MAX, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        int64_t role = c_int(r, i, 4);

        if (json_array_append_new(out, session_tenant(c_text(r, i, 2), c_text(r, i, 3),
                                                      api_role_names[role % ROLES])) != 0)
            err = EMT_ENOMEM;
    }
    store_result_free(r);
    return err;
}

static enum emt_err answer_session(struct api_call *c, struct store *admin, unsigned status,
                                   int64_t user_id, enum platform_role role, emt_time expires)
{
    json_t *tenants = json_array();
    json_t *user = NULL;
    enum emt_err err = api_user_json(admin, user_id, &user);

    if (err == EMT_OK)
        err = role == PLATFORM_NONE
                  ? own_tenants(admin, user_id, tenants)
                  : platform_tenants(admin, api_platform_role_names[role], tenants);
    if (err != EMT_OK) {
        json_decref(user);
        json_decref(tenants);
        return api_store_problem(c, err, "session");
    }
    return api_json(c, status,
                    json_pack("{s:o, s:s, s:o, s:o}", "user", user, "csrf_token", c->csrf,
                              "expires_at", api_time(expires), "tenants", tenants));
}

/* --- login --- */

/* Whatever session this browser had is over: a cookie from before the login, which somebody may
 * have put there, is not taken over. */
static enum emt_err end_former(struct api_call *c, struct store *admin)
{
    char former[API_SESSION_TEXT_MAX];
    uint8_t hash[32];

    if (!api_session_text(http_request_header(c->req, "Cookie"), former))
        return EMT_OK;
    cipher_sha256(former, strlen(former), hash);
    cipher_wipe(former, sizeof former);
    return user_session_end_hash(admin, hash);
}

static enum emt_err start_session(struct api_call *c, struct login_try *t, char secret[128],
                                  emt_time expires)
{
    emt_time idle_since = c->now - c->settings->session_idle_s * EMT_SECOND;
    uint8_t hash[32];
    int64_t id = 0;
    enum emt_err err = api_secret("", secret, hash);

    if (err == EMT_OK)
        err = end_former(c, t->admin);
    if (err == EMT_OK)
        err = user_session_purge(t->admin, c->now, idle_since);
    if (err == EMT_OK)
        err = user_session_create(t->admin, t->user.id, hash, c->now, expires,
                                  http_request_peer(c->req), &id);
    if (err == EMT_OK)
        err = api_audit_on(c, t->admin, 0, "session.create", t->user.name, "session %lld",
                           (long long)id);
    if (err == EMT_OK)
        err = api_session_csrf(secret, c->csrf);
    return err;
}

static enum emt_err log_in(struct api_call *c, struct login_try *t)
{
    emt_time expires = c->now + c->settings->session_s * EMT_SECOND;
    char secret[128] = "";
    char cookie[256];
    enum emt_err err = api_login_begin(c, t);

    if (err != EMT_OK || c->status != 0)
        return err;
    err = start_session(c, t, secret, expires);
    if (err != EMT_OK) {
        store_rollback(t->admin);
        return api_store_problem(c, err, "session");
    }
    err = api_login_end(c, t);
    if (err == EMT_OK && c->status == 0) {
        snprintf(cookie, sizeof cookie, API_SESSION_COOKIE "=%s" COOKIE_FLAGS, secret);
        err = http_response_header(c->out, "Set-Cookie", cookie);
        cipher_wipe(cookie, sizeof cookie);
    }
    cipher_wipe(secret, sizeof secret);
    if (err != EMT_OK || c->status != 0)
        return err;
    return answer_session(c, t->admin, 201, t->user.id, t->user.role, expires);
}

enum emt_err api_session_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "password", FIELD_TEXT, true, false, 1, PASSWORD_MAX, NULL },
        { "new_password", FIELD_TEXT, false, false, 1, PASSWORD_MAX, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    bool ok = false;

    /* Somebody else's page must not log its visitor in as somebody else. */
    if (!api_origin_good(c))
        return api_problem(c, 403, "csrf", NULL, "Origin: is not this server");
    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct login_try t = { .name = v[0].text, .password = v[1].text, .new_password = v[2].text };
    enum emt_err err = log_in(c, &t);
    api_body_wipe(body);
    return err;
}

/* --- the session of the request --- */

enum emt_err api_session_get(struct api_call *c)
{
    enum platform_role role = !c->who.is_operator ? PLATFORM_NONE
                              : c->who.auditor    ? PLATFORM_AUDITOR
                                                  : PLATFORM_OPERATOR;

    return answer_session(c, c->worker->admin, 200, c->who.user_id, role, c->session_expires);
}

enum emt_err api_session_delete(struct api_call *c)
{
    struct store *admin = c->worker->admin;
    enum emt_err err = store_begin(admin, 0);

    if (err == EMT_OK)
        err = user_session_end(admin, c->who.session_id);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, 0, "session.end", c->who.actor, "session %lld",
                           (long long)c->who.session_id);
    if (err == EMT_OK)
        err = store_commit(admin);
    if (err != EMT_OK)
        return api_store_problem(c, err, "session");
    err =
        http_response_header(c->out, "Set-Cookie", API_SESSION_COOKIE "=; Max-Age=0" COOKIE_FLAGS);
    return err == EMT_OK ? api_empty(c, 204) : err;
}

/* The name of the user who asks; its password is verified once more, and as throttled as a login:
 * a stolen session is no place to guess at it. */
static enum emt_err change_password(struct api_call *c, struct login_try *t)
{
    struct platform_user user;
    struct store *admin = c->worker->admin;
    enum emt_err err = store_begin(admin, 0);

    if (err == EMT_OK)
        err = user_lock(admin, c->who.user_id, &user);
    store_rollback(admin);
    if (err != EMT_OK)
        return api_store_problem(c, err, "user");
    cipher_wipe(user.password_hash, sizeof user.password_hash);
    t->name = user.name;
    err = api_login_begin(c, t);
    if (err == EMT_OK && c->status == 401)
        return api_problem(c, 400, "invalid", "password", "password: is not yours");
    if (err != EMT_OK || c->status != 0)
        return err;
    err = api_login_end(c, t);
    return err == EMT_OK && c->status == 0 ? api_empty(c, 204) : err;
}

enum emt_err api_session_password(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "password", FIELD_TEXT, true, false, 1, PASSWORD_MAX, NULL },
        { "new_password", FIELD_TEXT, true, false, 1, PASSWORD_MAX, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct login_try t = { .password = v[0].text, .new_password = v[1].text };
    enum emt_err err = change_password(c, &t);
    api_body_wipe(body);
    return err;
}
