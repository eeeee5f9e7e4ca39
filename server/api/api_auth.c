/* Keys and sessions are 256 random bits; the database knows their SHA-256. So the lookup by hash is
 * no oracle and needs no slow hash. */
#include "api_auth.h"

#include "api_text.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/log.h"
#include "store/api_key_store.h"
#include "store/user_session_store.h"
#include "store/user_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SCHEME "Bearer " /* its case does not matter (RFC 9110, 11.1) */
#define SESSION_SHARE 0x40000000u

/* --- texts --- */

static const char *bearer(const char *text)
{
    if (text == NULL || strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
        return NULL;
    text += strlen(SCHEME);
    return strlen(text) >= 20 && strlen(text) < 128 ? text : NULL;
}

bool api_session_text(const char *cookie, char out[API_SESSION_TEXT_MAX])
{
    static const char start[] = API_SESSION_COOKIE "=";

    while (cookie != NULL && *cookie != '\0') {
        cookie += strspn(cookie, " ;");
        size_t n = strcspn(cookie, ";");
        size_t name = strlen(start);

        if (n > name && n - name < API_SESSION_TEXT_MAX && strncmp(cookie, start, name) == 0) {
            memcpy(out, cookie + name, n - name);
            out[n - name] = '\0';
            return true;
        }
        cookie += n;
    }
    return false;
}

enum emt_err api_session_csrf(const char *session, char out[48])
{
    uint8_t mac[32];
    enum emt_err err =
        cipher_hmac_sha256((const uint8_t *)session, strlen(session), "csrf", 4, mac);

    if (err == EMT_OK)
        base64url_encode(mac, sizeof mac, out);
    cipher_wipe(mac, sizeof mac);
    return err;
}

int32_t api_claim(const char *authorization, const char *cookie)
{
    static const char start[] = SCHEME API_KEY_TENANT_PREFIX;
    char session[API_SESSION_TEXT_MAX];
    uint32_t hash = 2166136261u; /* FNV-1a */

    if (authorization != NULL) {
        if (strncasecmp(authorization, start, strlen(start)) != 0)
            return 0;
        long v = strtol(authorization + strlen(start), NULL, 10);
        return v > 0 && v < (long)SESSION_SHARE ? (int32_t)v : 0;
    }
    if (!api_session_text(cookie, session))
        return 0;
    for (const char *p = session; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    cipher_wipe(session, sizeof session);
    return (int32_t)(SESSION_SHARE | (hash & (SESSION_SHARE - 1)));
}

/* --- principals --- */

/* A use that could not be noted is no reason to refuse it. */
static void noted(enum emt_err err)
{
    if (err != EMT_OK)
        LOG_WARN("use-not-noted", LOG_S("error", emt_err_name(err)));
}

static void name_actor(struct api_call *c, const char *name)
{
    snprintf(c->who.actor, sizeof c->who.actor, "user:%.100s", name);
    text_clean(c->who.actor);
}

static void platform_rights(struct api_principal *who, enum platform_role role)
{
    who->is_operator = role != PLATFORM_NONE;
    who->auditor = role == PLATFORM_AUDITOR;
    who->role = role != PLATFORM_NONE ? ROLE_TENANT_ADMIN : ROLE_READER;
}

static enum emt_err authenticate_operator(struct api_call *c, const uint8_t hash[32])
{
    struct platform_key key;
    struct store *admin = api_admin(c);

    if (admin == NULL)
        return EMT_EDB;
    enum emt_err err = platform_key_find(admin, hash, c->now, &key);
    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_EAUTH : err;
    platform_rights(&c->who, key.role);
    c->who.user_id = key.user_id;
    c->who.key_id = key.id;
    name_actor(c, key.user_name);
    if (key.last_used_at == EMT_TIME_NONE || key.last_used_at < c->now - EMT_MINUTE)
        noted(platform_key_used(admin, key.id, c->now));
    return EMT_OK;
}

static enum emt_err note_key(struct api_call *c, const struct api_key *key)
{
    enum emt_err err = store_begin(c->store, key->tenant);

    if (err == EMT_OK)
        err = api_key_used(c->store, key->tenant, key->id, c->now);
    if (err == EMT_OK)
        return store_commit(c->store);
    store_rollback(c->store);
    return err;
}

static enum emt_err authenticate_tenant(struct api_call *c, const uint8_t hash[32])
{
    struct api_key key;
    enum emt_err err = api_key_find(c->store, hash, c->now, &key);

    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_EAUTH : err;
    c->who.tenant = key.tenant;
    c->who.key_id = key.id;
    c->who.role = (enum api_role)key.role;
    c->who.scopes = key.scopes;
    memcpy(c->who.recipient, key.recipient, sizeof key.recipient);
    memcpy(c->who.purpose, key.purpose, sizeof key.purpose);
    snprintf(c->who.actor, sizeof c->who.actor, "key:%lld %.90s", (long long)key.id, key.name);
    text_clean(c->who.actor);
    snprintf(c->who.tenant_key, sizeof c->who.tenant_key, "%s", key.tenant_key);
    if (key.unnoted)
        noted(note_key(c, &key));
    return EMT_OK;
}

static enum emt_err authenticate_session(struct api_call *c, const char *text)
{
    struct user_session s;
    uint8_t hash[32];
    struct store *admin = api_admin(c);

    if (admin == NULL)
        return EMT_EDB;
    cipher_sha256(text, strlen(text), hash);
    enum emt_err err = user_session_find(
        admin, hash, c->now, c->now - c->settings->session_idle_s * EMT_SECOND, c->tenant_key, &s);
    if (err == EMT_OK)
        err = api_session_csrf(text, c->csrf);
    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_EAUTH : err;
    platform_rights(&c->who, s.platform_role);
    c->who.user_id = s.user_id;
    c->who.session_id = s.id;
    c->session_expires = s.expires_at;
    name_actor(c, s.user_name);
    if (s.tenant != 0) {
        c->who.tenant = s.tenant;
        c->who.role = (enum api_role)s.tenant_role;
        snprintf(c->who.tenant_key, sizeof c->who.tenant_key, "%s", c->tenant_key);
    }
    if (s.unnoted)
        noted(user_session_seen(admin, s.id, c->now));
    return EMT_OK;
}

enum emt_err api_authenticate(struct api_call *c)
{
    const char *authorization = http_request_header(c->req, "Authorization");
    const char *key = bearer(authorization);
    char session[API_SESSION_TEXT_MAX];
    uint8_t hash[32];

    memset(&c->who, 0, sizeof c->who);
    if (authorization == NULL) {
        if (!api_session_text(http_request_header(c->req, "Cookie"), session))
            return EMT_EAUTH;
        enum emt_err err = authenticate_session(c, session);

        cipher_wipe(session, sizeof session);
        return err;
    }
    if (key == NULL)
        return EMT_EAUTH;
    cipher_sha256(key, strlen(key), hash);
    if (strncmp(key, API_KEY_OPERATOR_PREFIX, strlen(API_KEY_OPERATOR_PREFIX)) == 0)
        return authenticate_operator(c, hash);
    if (strncmp(key, API_KEY_TENANT_PREFIX, strlen(API_KEY_TENANT_PREFIX)) == 0)
        return authenticate_tenant(c, hash);
    return EMT_EAUTH;
}

/* --- forged requests --- */

/* Scheme and host of an origin are ASCII and of any case (RFC 6454, 4). */
static bool same_origin(const char *origin, const char *host)
{
    static const char scheme[] = "https://";
    size_t n = strlen(scheme);

    if (host == NULL || strncasecmp(origin, scheme, n) != 0)
        return false;
    if (strcasecmp(origin + n, host) == 0)
        return true;
    /* A browser leaves the usual port out of both; others may not. */
    size_t bare = strlen(origin + n);
    return strncasecmp(host, origin + n, bare) == 0 && strcmp(host + bare, ":443") == 0;
}

bool api_origin_good(const struct api_call *c)
{
    const char *origin = http_request_header(c->req, "Origin");

    return origin == NULL || same_origin(origin, http_request_header(c->req, "Host")) ||
           strcasecmp(origin, c->settings->base_url) == 0;
}

bool api_csrf_good(const struct api_call *c)
{
    const char *sent = http_request_header(c->req, "X-CSRF-Token");
    size_t n = strlen(c->csrf);

    return api_origin_good(c) && n > 0 && sent != NULL && strlen(sent) == n &&
           cipher_equal(sent, c->csrf, n);
}
