/* Health, the document, and the operators' login. */
#include "api/password.h"
#include "api_internal.h"
#include "api_route.h"
#include "api_text.h"
#include "base/cipher.h"
#include "base/log.h"
#include "openapi_text.h"
#include "store/user_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define OPERATOR_KEY_LIFETIME (30 * EMT_DAY)

enum emt_err api_health(struct api_call *c)
{
    return api_json(c, 200, json_pack("{s:s, s:s}", "status", "ok", "version", EMT_VERSION));
}

enum emt_err api_openapi(struct api_call *c)
{
    c->status = 200;
    c->content_type = "application/yaml";
    return writer_bytes(http_response_body(c->out), openapi_text, openapi_text_len) ? EMT_OK
                                                                                    : EMT_ENOMEM;
}

static enum emt_err exchange_password(struct store *admin, const struct platform_user *user,
                                      const char *password)
{
    char hash[PASSWORD_HASH_MAX];
    enum emt_err err = password_hash(password, hash);

    if (err != EMT_OK)
        return err;
    err = user_set_password(admin, user->id, user->password_hash, hash);
    cipher_wipe(hash, sizeof hash);
    return err;
}

static enum emt_err give_key(struct api_call *c, struct store *admin,
                             const struct platform_user *user)
{
    uint8_t hash[32];
    char key[128];
    int64_t id = 0;
    emt_time expires = c->now + OPERATOR_KEY_LIFETIME;
    enum emt_err err = api_secret("emt_op_", key, hash);

    if (err == EMT_OK)
        err = platform_key_create(admin, user->id, "login", hash, expires, &id);
    if (err == EMT_OK)
        err = api_audit(c, "operator.login", user->name, "key %lld", (long long)id);
    if (err == EMT_OK)
        err = api_json(c, 201,
                       json_pack("{s:s, s:s, s:o}", "api_key", key, "role",
                                 user->role == PLATFORM_AUDITOR ? "auditor" : "operator",
                                 "expires_at", api_time(expires)));
    else
        err = api_store_problem(c, err, "key");
    cipher_wipe(key, sizeof key);
    return err;
}

static enum emt_err login(struct api_call *c, struct store *admin, const struct api_value *v)
{
    struct platform_user user;
    enum emt_err err = user_find(admin, v[0].text, &user);

    if (err != EMT_OK && err != EMT_ENOTFOUND)
        return api_store_problem(c, err, "user");
    /* An unknown user costs the same time as a wrong password. */
    const char *hash = err == EMT_OK ? user.password_hash : password_hash_of_nobody();
    bool good = password_verify(hash, v[1].text) == EMT_OK && err == EMT_OK;
    if (!good || user.disabled) {
        login_guard_failed(&c->api->logins, http_request_peer(c->req), c->now);
        LOG_NOTICE("login-failed", LOG_S("peer", http_request_peer(c->req)),
                   LOG_S("request", http_request_id(c->req)));
        return api_problem(c, 401, "unauthorized", NULL, "user or password is wrong");
    }
    snprintf(c->who.actor, sizeof c->who.actor, "user:%.100s", user.name);
    text_clean(c->who.actor);
    if (user.one_time && !v[2].present)
        return api_problem(
            c, 403, "password-change-required", "new_password",
            "the one-time password is exchanged for one of your own: send new_password "
            "(12 characters or more) as well");
    if (v[2].present && strcmp(v[1].text, v[2].text) == 0)
        return api_problem(c, 400, "invalid", "new_password",
                           "new_password: must be another one than password");
    if (v[2].present) {
        err = exchange_password(admin, &user, v[2].text);
        if (err == EMT_ELIMIT)
            return api_problem(c, 400, "invalid", "new_password",
                               "new_password: longer than %d bytes", PASSWORD_MAX);
        if (err == EMT_ECONFLICT)
            return api_problem(c, 401, "unauthorized", NULL, "user or password is wrong");
        if (err != EMT_OK)
            return api_store_problem(c, err, "user");
    }
    return give_key(c, admin, &user);
}

enum emt_err api_login(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "user", FIELD_TEXT, true, false, 1, 100, NULL },
        { "password", FIELD_TEXT, true, false, 1, 200, NULL },
        { "new_password", FIELD_TEXT, false, false, 12, 200, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    bool ok = false;

    if (!login_guard_allows(&c->api->logins, http_request_peer(c->req), c->now)) {
        c->retry_after_s = (unsigned)(LOGIN_WINDOW / EMT_SECOND);
        return api_problem(c, 429, "too-many", NULL,
                           "too many failed logins; try again in five minutes");
    }
    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct store *admin = api_admin(c);
    enum emt_err err = admin != NULL ? store_begin(admin, 0) : EMT_EDB;
    if (err == EMT_OK) {
        err = login(c, admin, v);
        if (err == EMT_OK && c->status == 201) {
            if (store_commit(admin) != EMT_OK)
                err = api_store_problem(c, EMT_EDB, "user");
        } else {
            store_rollback(admin);
        }
    } else {
        err = api_store_problem(c, EMT_EDB, "user");
    }
    api_body_wipe(body);
    return err;
}
