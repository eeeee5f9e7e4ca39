/* Health, the document, and the operators' login. */
#include "api_login.h"
#include "api_route.h"
#include "base/cipher.h"
#include "openapi_text.h"

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
        err = api_audit_on(c, admin, 0, "operator.login", user->name, "key %lld", (long long)id);
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

static enum emt_err login(struct api_call *c, struct login_try *t)
{
    enum emt_err err = api_login_begin(c, t);

    if (err != EMT_OK || c->status != 0)
        return err;
    if (t->user.role == PLATFORM_NONE) {
        store_rollback(t->admin);
        err = api_login_passed(c, t);
        if (err != EMT_OK || c->status != 0)
            return err;
        return api_problem(c, 403, "forbidden", NULL,
                           "keys of users are for operators; a tenant's are made under api-keys");
    }
    err = give_key(c, t->admin, &t->user);
    if (err == EMT_OK && c->status == 201)
        return api_login_end(c, t);
    store_rollback(t->admin);
    return err;
}

enum emt_err api_login(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "user", FIELD_TEXT, true, false, 1, 100, NULL },
        { "password", FIELD_TEXT, true, false, 1, PASSWORD_MAX, NULL },
        { "new_password", FIELD_TEXT, false, false, 1, PASSWORD_MAX, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct login_try t = { .name = v[0].text, .password = v[1].text, .new_password = v[2].text };
    enum emt_err err = login(c, &t);
    api_body_wipe(body);
    return err;
}
