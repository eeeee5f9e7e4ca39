#include "api_route.h"
#include "base/cipher.h"
#include "store/api_key_store.h"
#include "store/directory_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "name", COL_TEXT, NULL },
    { "role", COL_ENUM, api_role_names },
    { "created_at", COL_TIME, NULL },
    { "expires_at", COL_TIME, NULL },
    { "revoked_at", COL_TIME, NULL },
    { "last_used_at", COL_TIME, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

enum emt_err api_key_list_get(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = api_key_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, NULL)
                         : api_store_problem(c, err, "keys");
}

static enum emt_err answer_key(struct api_call *c, int64_t id, const char *secret)
{
    struct store_result *r = NULL;
    enum emt_err err = api_key_list(c->store, c->tenant, id - 1, 1, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "key");
    json_t *key = api_row(r, 0, 1, columns, COLUMNS);
    store_result_free(r);
    return api_json(c, 201, json_pack("{s:o, s:s}", "key", key, "api_key", secret));
}

enum emt_err api_key_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "role", FIELD_ENUM, true, false, 0, 0, api_role_names },
        { "expires_at", FIELD_TIME, false, false, 0, 0, NULL },
    };
    struct api_value v[3];
    char prefix[32];
    char secret[128];
    uint8_t hash[32];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    emt_time expires = v[2].present ? v[2].time : EMT_TIME_NONE;
    if (v[2].present && expires <= c->now) {
        json_decref(body);
        return api_problem(c, 400, "invalid", "expires_at", "expires_at: lies in the past");
    }
    snprintf(prefix, sizeof prefix, "emt_%d_", (int)c->tenant);
    enum emt_err err = api_secret(prefix, secret, hash);
    if (err == EMT_OK)
        err = api_key_insert(c->store, c->tenant, v[0].text, hash, (int)v[1].number, expires, &id);
    if (err == EMT_OK)
        err = directory_add(c->store, DIRECTORY_API_KEY, hash, id);
    if (err == EMT_OK)
        err = api_audit(c, "api-key.create", v[0].text, "key %lld, %s", (long long)id,
                        api_role_names[v[1].number]);
    json_decref(body);
    err = err == EMT_OK ? answer_key(c, id, secret) : api_store_problem(c, err, "key");
    cipher_wipe(secret, sizeof secret);
    return err;
}

enum emt_err api_key_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "key", &id))
        return EMT_OK;
    enum emt_err err = api_key_revoke(c->store, c->tenant, id, c->now);
    if (err == EMT_OK)
        err = api_audit(c, "api-key.revoke", c->param[0], "key %lld", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "key");
}
