#include "api_login.h"

#include "api_text.h"
#include "base/cipher.h"
#include "base/log.h"
#include "store/user_session_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Failed logins of an address that are audited one by one; of further ones in a row each tenth. */
#define AUDITED LOGIN_ADDRESS_FREE

enum emt_err api_one_time(char password[PASSWORD_ONE_TIME_MAX], char hash[PASSWORD_HASH_MAX])
{
    enum emt_err err = password_one_time(password);

    return err == EMT_OK ? password_hash(password, hash) : err;
}

static enum emt_err wrong(struct api_call *c, struct login_try *t, bool known)
{
    char object[440];

    store_rollback(t->admin);
    LOG_NOTICE("login-failed", LOG_S("peer", http_request_peer(c->req)),
               LOG_S("request", http_request_id(c->req)));
    if (t->guard.attempts <= AUDITED || t->guard.attempts % 10 == 0) {
        /* A name that is none may be a password in the wrong field. */
        snprintf(object, sizeof object, "user/%s", known ? t->user.name : "?");
        if (c->who.actor[0] == '\0')
            snprintf(c->who.actor, sizeof c->who.actor, "anonymous");
        enum emt_err err = api_audit_on(c, t->admin, 0, "session.refuse", object,
                                        "attempt %d of this address", (int)t->guard.attempts);
        if (err != EMT_OK)
            return api_store_problem(c, err, "audit");
    }
    return api_problem(c, 401, "unauthorized", NULL, "user or password is wrong");
}

/* The new password replaces the one that was verified; every session of the user but this one
 * ends. */
static enum emt_err exchange(struct api_call *c, struct login_try *t)
{
    char hash[PASSWORD_HASH_MAX];
    struct emt_diag diag = { 0 };

    if (strcmp(t->password, t->new_password) == 0)
        return api_problem(c, 400, "invalid", "new_password",
                           "new_password: must be another one than password");
    if (password_policy(t->user.name, t->new_password, &diag) != EMT_OK)
        return api_problem(c, 400, "invalid", "new_password", "new_password: %s", diag.text);
    enum emt_err err = password_hash(t->new_password, hash);
    if (err == EMT_OK)
        err = user_set_password(t->admin, t->user.id, t->user.password_hash, hash);
    cipher_wipe(hash, sizeof hash);
    if (err == EMT_OK)
        err = user_session_end_all(t->admin, t->user.id, c->who.session_id);
    if (err == EMT_OK)
        err = api_audit_on(c, t->admin, 0, "user.password", t->user.name, "changed by the user");
    if (err == EMT_ECONFLICT) /* somebody else exchanged it meanwhile */
        return wrong(c, t, true);
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "user");
}

/* The verification takes a while: a reset or the end of the user in between counts. From here on
 * such a change waits for this login, and ends its session with the others. */
static enum emt_err still_valid(struct login_try *t, bool *valid)
{
    struct platform_user now;
    enum emt_err err = user_lock(t->admin, t->user.id, &now);

    *valid =
        err == EMT_OK && !now.disabled && strcmp(now.password_hash, t->user.password_hash) == 0;
    cipher_wipe(now.password_hash, sizeof now.password_hash);
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

static enum emt_err check(struct api_call *c, struct login_try *t)
{
    enum emt_err err = user_find(t->admin, t->name, &t->user);
    bool known = err == EMT_OK;

    if (!known && err != EMT_ENOTFOUND)
        return api_store_problem(c, err, "user");
    /* An unknown user costs the same time as a wrong password. */
    const char *hash = known ? t->user.password_hash : password_hash_of_nobody();
    bool good = password_verify(hash, t->password) == EMT_OK;
    if (!known || !good || t->user.disabled)
        return wrong(c, t, known);
    err = still_valid(t, &good);
    if (err != EMT_OK)
        return api_store_problem(c, err, "user");
    if (!good)
        return wrong(c, t, known);
    snprintf(c->who.actor, sizeof c->who.actor, "user:%.100s", t->user.name);
    text_clean(c->who.actor);
    if (t->user.one_time && t->new_password == NULL)
        return api_problem(c, 403, "password-change-required", "new_password",
                           "the one-time password is exchanged for one of your own: send "
                           "new_password (%d characters or more) as well",
                           PASSWORD_MIN);
    return t->new_password != NULL ? exchange(c, t) : EMT_OK;
}

enum emt_err api_login_passed(struct api_call *c, const struct login_try *t)
{
    enum emt_err err = login_guard_passed(&t->guard, t->admin, t->user.id, c->now);

    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "user");
}

enum emt_err api_login_begin(struct api_call *c, struct login_try *t)
{
    int64_t wait_s = 0;

    c->status = 0;
    t->admin = api_admin(c);
    if (t->admin == NULL)
        return api_store_problem(c, EMT_EDB, "user");
    enum emt_err err =
        login_guard_enter(&t->guard, t->admin, http_request_peer(c->req), t->name, c->now, &wait_s);
    if (err == EMT_OK && wait_s > 0) {
        c->retry_after_s = (unsigned)wait_s;
        return api_problem(c, 429, "too-many", NULL,
                           "too many failed logins; try again in %lld seconds", (long long)wait_s);
    }
    if (err == EMT_OK)
        err = store_begin(t->admin, 0);
    if (err != EMT_OK)
        return api_store_problem(c, err, "user");
    err = check(c, t);
    if (err != EMT_OK || c->status != 0)
        store_rollback(t->admin);
    /* Refused for another reason than the password. */
    if (err == EMT_OK && (c->status == 400 || c->status == 403))
        err = api_login_passed(c, t);
    cipher_wipe(t->user.password_hash, sizeof t->user.password_hash);
    return err;
}

enum emt_err api_login_end(struct api_call *c, struct login_try *t)
{
    enum emt_err err = user_logged_in(t->admin, t->user.id, c->now);

    if (err == EMT_OK)
        err = store_commit(t->admin);
    if (err == EMT_OK)
        return api_login_passed(c, t);
    store_rollback(t->admin);
    return api_store_problem(c, EMT_EDB, "user");
}
