#include "api_auth.h"
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
    { "scopes", COL_INT, NULL }, /* bits; their names in the answer */
    { "created_at", COL_TIME, NULL },
    { "created_by", COL_TEXT, NULL },
    { "expires_at", COL_TIME, NULL },
    { "revoked_at", COL_TIME, NULL },
    { "last_used_at", COL_TIME, NULL },
    { "recipient", COL_TEXT, NULL },
    { "purpose", COL_TEXT, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* --- scopes --- */

static json_t *scopes_json(uint32_t scopes)
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < 2 * AREAS && list != NULL; bit++) {
        if ((scopes & (1u << bit)) != 0)
            json_array_append_new(list, json_sprintf("%s:%s", api_area_names[bit / 2],
                                                     bit % 2 != 0 ? "write" : "read"));
    }
    return list;
}

static uint32_t scope_of(const char *text)
{
    size_t n = strcspn(text, ":");

    for (unsigned a = 0; a < AREAS; a++) {
        if (strlen(api_area_names[a]) != n || strncmp(api_area_names[a], text, n) != 0)
            continue;
        if (strcmp(text + n, ":read") == 0)
            return SCOPE_BIT(a, false);
        if (strcmp(text + n, ":write") == 0)
            return SCOPE_BIT(a, true);
    }
    return 0;
}

static bool scopes_read(struct api_call *c, const json_t *list, uint32_t *out)
{
    size_t i;
    json_t *item;

    *out = 0;
    json_array_foreach(list, i, item)
    {
        uint32_t bit = json_is_string(item) ? scope_of(json_string_value(item)) : 0;

        if (bit == 0) {
            api_problem(c, 400, "invalid", "scopes",
                        "scopes: item %zu is none of <area>:read and <area>:write", i + 1);
            return false;
        }
        *out |= bit;
    }
    return true;
}

static json_t *key_row(const struct store_result *r, int row)
{
    json_t *key = api_row(r, row, 1, columns, COLUMNS);

    if (key != NULL)
        json_object_set_new(key, "scopes", scopes_json((uint32_t)c_int(r, row, 4)));
    return key;
}

/* --- handlers --- */

enum emt_err api_key_list_get(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = api_key_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, key_row)
                         : api_store_problem(c, err, "keys");
}

static enum emt_err answer_key(struct api_call *c, int64_t id, const char *secret)
{
    struct store_result *r = NULL;
    enum emt_err err = api_key_list(c->store, c->tenant, id - 1, 1, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "key");
    json_t *key = key_row(r, 0);
    store_result_free(r);
    c->shown_once = true;
    return api_json(c, 201, json_pack("{s:o, s:s}", "key", key, "api_key", secret));
}

static enum emt_err make_key(struct api_call *c, struct api_key_new *k)
{
    char prefix[32];
    char secret[128];
    uint8_t hash[32];
    int64_t id = 0;

    snprintf(prefix, sizeof prefix, API_KEY_TENANT_PREFIX "%d_", (int)c->tenant);
    enum emt_err err = api_secret(prefix, secret, hash);
    k->hash = hash;
    if (err == EMT_OK)
        err = api_key_insert(c->store, c->tenant, k, &id);
    if (err == EMT_OK)
        err = directory_add(c->store, DIRECTORY_API_KEY, hash, id);
    if (err == EMT_OK)
        err = api_audit(c, "api-key.create", k->name, "key %lld, %s, scopes %x%s%s", (long long)id,
                        api_role_names[k->role], (unsigned)k->scopes,
                        k->recipient != NULL ? ", for " : "",
                        k->recipient != NULL ? k->recipient : "");
    err = err == EMT_OK ? answer_key(c, id, secret) : api_store_problem(c, err, "key");
    cipher_wipe(secret, sizeof secret);
    return err;
}

enum emt_err api_key_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "role", FIELD_ENUM, true, false, 0, 0, api_role_names },
        { "scopes", FIELD_LIST, false, false, 0, 2 * AREAS, NULL },
        { "expires_at", FIELD_TIME, false, false, 0, 0, NULL },
        { "recipient", FIELD_TEXT, false, false, 1, 100, NULL },
        { "purpose", FIELD_TEXT, false, false, 1, 200, NULL },
    };
    struct api_value v[6];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 6, v, &body, &ok);
    struct api_key_new k = { .name = v[0].text,
                             .role = (int)v[1].number,
                             .expires_at = v[3].present ? v[3].time : EMT_TIME_NONE,
                             .created_by = c->who.actor,
                             .user_id = c->who.is_operator ? 0 : c->who.user_id,
                             .made_by_key = c->who.is_operator ? 0 : c->who.key_id,
                             .recipient = v[4].text,
                             .purpose = v[5].text };
    if (!ok || !scopes_read(c, v[2].object, &k.scopes)) {
        json_decref(body);
        return EMT_OK;
    }
    enum emt_err err;
    if (v[3].present && v[3].time <= c->now)
        err = api_problem(c, 400, "invalid", "expires_at", "expires_at: lies in the past");
    else if (v[4].present != v[5].present)
        err = api_problem(c, 400, "invalid", v[4].present ? "purpose" : "recipient",
                          "a key for somebody outside names recipient and purpose");
    else if (v[4].present && k.role != ROLE_READER)
        err = api_problem(c, 400, "invalid", "role",
                          "role: a key for somebody outside is a reader's");
    else if (c->who.scopes != 0 && (k.scopes == 0 || (k.scopes & ~c->who.scopes) != 0))
        err = api_problem(c, 403, "scope", "scopes",
                          "scopes: a key gives no scope that it does not have itself");
    else
        err = make_key(c, &k);
    json_decref(body);
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
