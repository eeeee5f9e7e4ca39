/* Keys are 256 random bits; the database knows their SHA-256. So the lookup by hash is no oracle
 * and needs no slow hash. */
#include "api_auth.h"

#include "api_text.h"
#include "base/cipher.h"
#include "store/api_key_store.h"
#include "store/directory_store.h"
#include "store/user_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SCHEME "Bearer " /* its case does not matter (RFC 9110, 11.1) */

static const char *bearer(const struct http_request *r)
{
    const char *text = http_request_header(r, "Authorization");

    if (text == NULL || strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
        return NULL;
    text += strlen(SCHEME);
    return strlen(text) >= 20 && strlen(text) < 128 ? text : NULL;
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
    c->who.is_operator = true;
    c->who.auditor = key.role == PLATFORM_AUDITOR;
    c->who.role = ROLE_TENANT_ADMIN;
    snprintf(c->who.actor, sizeof c->who.actor, "user:%.100s", key.user_name);
    text_clean(c->who.actor);
    return platform_key_used(admin, key.id, c->now);
}

static enum emt_err authenticate_tenant(struct api_call *c, const uint8_t hash[32])
{
    struct store_result *r = NULL;
    int64_t key_id = 0;
    int32_t tenant = 0;
    enum emt_err err = directory_find(c->store, DIRECTORY_API_KEY, hash, &tenant, &key_id);

    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_EAUTH : err;
    err = store_begin(c->store, tenant);
    if (err != EMT_OK)
        return err;
    err = api_key_use(c->store, tenant, key_id, hash, c->now, &r);
    if (err == EMT_OK) {
        c->who.tenant = tenant;
        c->who.role = (enum api_role)c_int(r, 0, 0);
        snprintf(c->who.actor, sizeof c->who.actor, "key:%lld %.90s", (long long)key_id,
                 c_text(r, 0, 1));
        text_clean(c->who.actor);
        snprintf(c->who.tenant_key, sizeof c->who.tenant_key, "%s", c_text(r, 0, 2));
        store_result_free(r);
        return store_commit(c->store);
    }
    store_rollback(c->store);
    return err == EMT_ENOTFOUND ? EMT_EAUTH : err;
}

enum emt_err api_authenticate(struct api_call *c)
{
    const char *key = bearer(c->req);
    uint8_t hash[32];

    memset(&c->who, 0, sizeof c->who);
    if (key == NULL)
        return EMT_EAUTH;
    cipher_sha256(key, strlen(key), hash);
    if (strncmp(key, API_KEY_OPERATOR_PREFIX, strlen(API_KEY_OPERATOR_PREFIX)) == 0)
        return authenticate_operator(c, hash);
    if (strncmp(key, API_KEY_TENANT_PREFIX, strlen(API_KEY_TENANT_PREFIX)) == 0)
        return authenticate_tenant(c, hash);
    return EMT_EAUTH;
}

int32_t api_key_claim(const char *authorization)
{
    static const char start[] = SCHEME API_KEY_TENANT_PREFIX;

    if (authorization == NULL || strncasecmp(authorization, start, strlen(start)) != 0)
        return 0;
    long v = strtol(authorization + strlen(start), NULL, 10);
    return v > 0 && v < INT32_MAX ? (int32_t)v : 0;
}
