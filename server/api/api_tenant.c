#include "api_condition.h"
#include "api_route.h"
#include "base/cipher.h"
#include "base/seal.h"
#include "model/market_id.h"
#include "pki/authority.h"
#include "store/api_key_store.h"
#include "store/directory_store.h"
#include "store/member_store.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TENANT_CA_LIFETIME (INT64_C(3650) * EMT_DAY)
#define TENANT_PAGE_MAX 200

/* In the order of enum key_kind. */
static const char *const key_kind_names[] = { "P-256", "P-384", "brainpoolP256r1",
                                              "brainpoolP384r1", NULL };
static const char *const policy_names[] = { "learn", "allow-list", "ignore", NULL };

static json_t *tenant_json(const struct tenant *t)
{
    unsigned policy = (unsigned)t->device_policy <= TENANT_IGNORE ? t->device_policy : TENANT_LEARN;

    return json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:s?, s:o}", "key", t->key, "name",
        t->name, "device_policy", policy_names[policy], "profile_tolerance_s",
        (int)t->profile_tolerance_s, "raw_retention_days", (int)t->raw_retention_days,
        "reading_retention_days", (int)t->reading_retention_days, "compact_after_days",
        (int)t->compact_after_days, "daily_retention_days", (int)t->daily_retention_days,
        "raw_pack_after_days", (int)t->raw_pack_after_days, "audit_retention_days",
        (int)t->audit_retention_days, "mandates_required", (int)t->mandates_required, "own_mp_id",
        t->own_mp_id[0] ? t->own_mp_id : NULL, "created_at", api_time(t->created_at));
}

static enum emt_err own_tenant(struct api_call *c)
{
    struct tenant t;
    enum emt_err err = store_begin(c->store, c->who.tenant);

    if (err == EMT_OK) {
        err = tenant_get(c->store, c->who.tenant, &t);
        store_rollback(c->store);
    }
    if (err != EMT_OK)
        return api_store_problem(c, err, "tenant");
    return api_json(c, 200, json_pack("{s:[o]}", "items", tenant_json(&t)));
}

/* Those of a user's memberships. */
static enum emt_err member_page(struct api_call *c, struct store *admin,
                                const struct api_page *page)
{
    struct store_result *r = NULL;
    struct tenant t;
    enum emt_err err =
        member_tenants(admin, c->who.user_id, (int32_t)page->cursor_number, page->limit + 1, &r);
    json_t *items = json_array();
    int n = err == EMT_OK ? store_rows(r) : 0;

    for (int i = 0; i < n && i < page->limit && err == EMT_OK; i++) {
        err = tenant_get(admin, (int32_t)c_int(r, i, 1), &t);
        if (err == EMT_OK)
            json_array_append_new(items, tenant_json(&t));
    }
    json_t *body = json_pack("{s:o}", "items", items);
    if (body != NULL && err == EMT_OK && n > page->limit)
        json_object_set_new(body, "next", json_string(c_text(r, page->limit - 1, 0)));
    store_result_free(r);
    if (err == EMT_OK)
        return api_json(c, 200, body);
    json_decref(body);
    return api_store_problem(c, err, "tenants");
}

static json_t *tenants_json(const struct tenant *list, size_t n, size_t limit)
{
    json_t *items = json_array();
    size_t shown = n > limit ? limit : n;

    for (size_t i = 0; i < shown; i++)
        json_array_append_new(items, tenant_json(&list[i]));
    json_t *body = json_pack("{s:o}", "items", items);
    if (body != NULL && n > shown)
        json_object_set_new(body, "next", json_sprintf("%d", (int)list[shown - 1].id));
    return body;
}

enum emt_err api_tenant_list(struct api_call *c)
{
    struct api_page page;

    if (c->who.user_id == 0)
        return own_tenant(c);
    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    if (page.limit > TENANT_PAGE_MAX)
        page.limit = TENANT_PAGE_MAX;
    if (page.cursor_number > INT32_MAX)
        return api_problem(c, 400, "invalid", "cursor", "cursor: not one of this list");
    if (!c->who.is_operator)
        return member_page(c, c->worker->admin, &page);
    size_t n = (size_t)page.limit + 1;
    struct tenant *list = calloc(n, sizeof *list);
    if (list == NULL)
        return EMT_ENOMEM;
    enum emt_err err = tenant_list(c->worker->admin, (int32_t)page.cursor_number, list, &n);
    err = err == EMT_OK ? api_json(c, 200, tenants_json(list, n, (size_t)page.limit))
                        : api_store_problem(c, err, "tenants");
    free(list);
    return err;
}

enum emt_err api_tenant_get(struct api_call *c)
{
    struct tenant t;
    enum emt_err err = tenant_get(c->store, c->tenant, &t);

    return err == EMT_OK ? api_resource(c, 200, tenant_json(&t), NULL)
                         : api_store_problem(c, err, "tenant");
}

static bool good_mp_id(struct api_call *c, const char *text)
{
    struct emt_diag diag = { 0 };

    if (mp_id_check(text, &diag) == EMT_OK)
        return true;
    api_problem(c, 400, "invalid", "own_mp_id", "own_mp_id: %s", diag.text);
    return false;
}

enum emt_err api_tenant_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, false, false, 1, 200, NULL },
        { "device_policy", FIELD_ENUM, false, false, 0, 0, policy_names },
        { "profile_tolerance_s", FIELD_INT, false, false, 0, 450, NULL },
        { "raw_retention_days", FIELD_INT, false, false, 1, 36500, NULL },
        { "reading_retention_days", FIELD_INT, false, false, 1, 36500, NULL },
        { "own_mp_id", FIELD_TEXT, false, true, 13, 13, NULL },
        { "compact_after_days", FIELD_INT, false, false, 1, 3650, NULL },
        { "daily_retention_days", FIELD_INT, false, false, 1, 36500, NULL },
        { "raw_pack_after_days", FIELD_INT, false, false, 4, 3650, NULL },
        { "mandates_required", FIELD_BOOL, false, false, 0, 0, NULL },
        { "audit_retention_days", FIELD_INT, false, false, 90, 36500, NULL },
    };
    struct api_value v[11];
    struct tenant t;
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 11, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = api_has_if_match(c) ? tenant_lock(c->store, c->tenant) : EMT_OK;
    if (err == EMT_OK)
        err = tenant_get(c->store, c->tenant, &t);
    if (err != EMT_OK || !api_if_match(c, tenant_json(&t), NULL)) {
        json_decref(body);
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "tenant");
    }
    if (v[0].present)
        snprintf(t.name, sizeof t.name, "%s", v[0].text);
    if (v[1].present)
        t.device_policy = (enum tenant_device_policy)v[1].number;
    if (v[2].present)
        t.profile_tolerance_s = (int32_t)v[2].number;
    if (v[3].present)
        t.raw_retention_days = (int32_t)v[3].number;
    if (v[4].present)
        t.reading_retention_days = (int32_t)v[4].number;
    if (v[5].present)
        snprintf(t.own_mp_id, sizeof t.own_mp_id, "%s", v[5].null ? "" : v[5].text);
    if (v[6].present)
        t.compact_after_days = (int32_t)v[6].number;
    if (v[7].present)
        t.daily_retention_days = (int32_t)v[7].number;
    if (v[8].present)
        t.raw_pack_after_days = (int32_t)v[8].number;
    if (v[9].present)
        t.mandates_required = v[9].flag;
    if (v[10].present)
        t.audit_retention_days = (int32_t)v[10].number;
    ok = !v[5].present || v[5].null || good_mp_id(c, v[5].text);
    json_decref(body);
    if (!ok)
        return EMT_OK;
    if (err == EMT_OK)
        err = tenant_update(c->store, &t);
    if (err == EMT_OK)
        err = api_audit(c, "tenant.update", "tenant", "%s", t.name);
    return err == EMT_OK ? api_resource(c, 200, tenant_json(&t), NULL)
                         : api_store_problem(c, err, "tenant");
}

/* The tenant's CA under the platform's root. */
static enum emt_err make_ca(struct api_call *c, struct store *admin, int32_t id, const char *key,
                            enum key_kind kind, const struct seal_key *data_key,
                            struct emt_diag *diag)
{
    struct authority *root = NULL;
    struct authority *ca = NULL;
    struct writer secret;
    struct writer chain;
    char name[128];

    writer_init_heap(&secret, 64u << 10);
    writer_init_heap(&chain, 64u << 10);
    enum emt_err err =
        platform_secret_load(admin, API_ROOT_SECRET, &c->settings->master, &secret, &chain);
    if (err == EMT_OK)
        err = authority_load_platform((const char *)chain.data, chain.len,
                                      (const char *)secret.data, secret.len, &root, diag);
    cipher_wipe(secret.data, secret.len);
    writer_clear(&secret);
    writer_clear(&chain);
    snprintf(name, sizeof name, "EMT Tenant CA %s", key);
    if (err == EMT_OK)
        err = authority_new_sub(root, kind, key, name, c->now, TENANT_CA_LIFETIME, &ca, diag);
    if (err == EMT_OK)
        err = authority_chain_pem(ca, &chain);
    if (err == EMT_OK)
        err = authority_key_pem(ca, &secret);
    if (err == EMT_OK)
        err =
            tenant_ca_create(admin, id, 1, writer_cstr(&chain), secret.data, secret.len, data_key);
    cipher_wipe(secret.data, secret.len);
    writer_release(&secret);
    writer_release(&chain);
    authority_free(ca);
    authority_free(root);
    return err;
}

/* Everything of a tenant in the transaction of the admin connection; the first API key's text goes
 * to `secret`. */
static enum emt_err make_tenant(struct api_call *c, struct store *admin, const struct api_value *v,
                                struct tenant *t, char secret[128], struct emt_diag *diag)
{
    enum key_kind kind = v[3].present ? (enum key_kind)v[3].number : KEY_P256;
    struct seal_key data_key;
    char prefix[32];
    char set[64];
    uint8_t hash[32];
    int64_t key_id = 0;
    int32_t id = 0;
    enum emt_err err =
        tenant_create(admin, v[0].text, v[1].text, &c->settings->master, &id, &data_key);

    if (err != EMT_OK)
        return err;
    snprintf(set, sizeof set, "SET LOCAL app.tenant = '%d'", (int)id);
    err = store_script(admin, set, diag);
    if (err == EMT_OK)
        err = make_ca(c, admin, id, v[0].text, kind, &data_key, diag);
    seal_key_wipe(&data_key);
    snprintf(prefix, sizeof prefix, "emt_%d_", (int)id);
    if (err == EMT_OK)
        err = api_secret(prefix, secret, hash);
    const struct api_key_new key = { .name = "first key",
                                     .hash = hash,
                                     .role = ROLE_TENANT_ADMIN,
                                     .expires_at = EMT_TIME_NONE,
                                     .created_by = c->who.actor };
    if (err == EMT_OK)
        err = api_key_insert(admin, id, &key, &key_id);
    if (err == EMT_OK)
        err = directory_add(admin, DIRECTORY_API_KEY, hash, key_id);
    if (err == EMT_OK)
        err = tenant_get(admin, id, t);
    if (err == EMT_OK && v[2].present) {
        snprintf(t->own_mp_id, sizeof t->own_mp_id, "%s", v[2].text);
        err = tenant_update(admin, t);
    }
    if (err == EMT_OK)
        err = api_audit(c, "tenant.create", v[0].text, "tenant %d", (int)id);
    return err;
}

static enum emt_err tenant_problem(struct api_call *c, enum emt_err err,
                                   const struct emt_diag *diag)
{
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "key", "key: a tenant of this key exists");
    if (err == EMT_ELIMIT)
        return api_problem(
            c, 400, "invalid", "key",
            "key: small letters, digits and '-', at most 63, beginning with a letter or digit");
    if (err == EMT_EAUTH || err == EMT_ENOTFOUND)
        return api_problem(c, 503, "unavailable", NULL, "the platform's root does not open: %s",
                           diag->text);
    return api_store_problem(c, err, "tenant");
}

enum emt_err api_tenant_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "key", FIELD_TEXT, true, false, 1, 63, NULL },
        { "name", FIELD_TEXT, true, false, 1, 200, NULL },
        { "own_mp_id", FIELD_TEXT, false, false, 13, 13, NULL },
        { "key_kind", FIELD_ENUM, false, false, 0, 0, key_kind_names },
    };
    struct api_value v[4];
    struct emt_diag diag = { 0 };
    struct tenant t;
    char secret[128] = "";
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 4, v, &body, &ok);
    if (ok && v[2].present)
        ok = good_mp_id(c, v[2].text);
    if (!ok) {
        json_decref(body);
        return EMT_OK;
    }
    struct store *admin = api_admin(c);
    enum emt_err err = admin != NULL ? store_begin(admin, 0) : EMT_EDB;
    if (err == EMT_OK) {
        err = make_tenant(c, admin, v, &t, secret, &diag);
        if (err == EMT_OK)
            err = store_commit(admin);
        else
            store_rollback(admin);
    }
    json_decref(body);
    c->shown_once = true;
    if (err == EMT_OK)
        err =
            api_json(c, 201, json_pack("{s:o, s:s}", "tenant", tenant_json(&t), "api_key", secret));
    else
        err = tenant_problem(c, err, &diag);
    cipher_wipe(secret, sizeof secret);
    return err;
}
