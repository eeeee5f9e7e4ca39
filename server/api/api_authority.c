/* Our own CAs: a tenant's, their rotation, and the lists of revoked certificates of all of them. */
#include "api_route.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/seal.h"
#include "pki/authority.h"
#include "store/certificate_store.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MOST 65536
/* Lists are made each day and live for a week. */
#define CRL_CACHED_S 3600
#define TENANT_CA_LIFETIME (INT64_C(3650) * EMT_DAY)

/* In the order of enum key_kind. */
static const char *const key_kind_names[] = { "P-256", "P-384", "brainpoolP256r1",
                                              "brainpoolP384r1", NULL };

/* "<64 hex>" or "<64 hex>.crl". */
static bool authority_of(const char *text, uint8_t out[32])
{
    size_t n = strlen(text);
    size_t len = 0;

    if (n == 68 && strcmp(text + 64, ".crl") == 0)
        n = 64;
    return n == 64 && strspn(text, "0123456789abcdefABCDEF") == n &&
           hex_decode(text, n, out, 32, &len) == EMT_OK && len == 32;
}

enum emt_err api_crl(struct api_call *c)
{
    struct store_result *r = NULL;
    uint8_t authority[32];
    size_t n = 0;

    if (!authority_of(c->param[0], authority))
        return api_problem(c, 404, "not-found", NULL, "no such list");
    enum emt_err err = crl_published(c->store, authority, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "list");
    const uint8_t *der = c_bytes(r, 0, 0, &n);
    if (!writer_bytes(http_response_body(c->out), der, n))
        err = EMT_ENOMEM;
    store_result_free(r);
    c->status = 200;
    c->content_type = "application/pkix-crl";
    c->cached_s = CRL_CACHED_S;
    return err;
}

static json_t *authority_json(const struct store_result *r, int row)
{
    static const struct api_column cols[] = {
        { "generation", COL_INT, NULL },       { "fingerprint", COL_HEX, NULL },
        { "serial", COL_TEXT, NULL },          { "not_after", COL_TIME, NULL },
        { "revoked_at", COL_TIME, NULL },      { "created_at", COL_TIME, NULL },
        { "crl_number", COL_INT, NULL },       { "crl_this_update", COL_TIME, NULL },
        { "crl_next_update", COL_TIME, NULL }, { "crl_entries", COL_INT, NULL },
        { "certificate", COL_TEXT, NULL },
    };

    return api_row(r, row, 1, cols, sizeof cols / sizeof cols[0]);
}

enum emt_err api_authority_list(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = authority_list(c->store, c->tenant, &r);

    return err == EMT_OK ? api_page_answer(c, r, 1000, NULL, 0, authority_json)
                         : api_store_problem(c, err, "authorities");
}

static void release_secret(struct writer *w)
{
    if (w->data != NULL)
        cipher_wipe(w->data, w->cap);
    writer_release(w);
}

/* The platform's root, opened. */
static enum emt_err open_root(struct api_call *c, struct authority **out, struct emt_diag *diag)
{
    struct store *admin = api_admin(c);
    struct writer key;
    struct writer chain;

    if (admin == NULL)
        return EMT_EDB;
    writer_init_heap(&key, PEM_MOST);
    writer_init_heap(&chain, PEM_MOST);
    enum emt_err err =
        platform_secret_load(admin, API_ROOT_SECRET, &c->settings->master, &key, &chain);
    if (err == EMT_OK)
        err = authority_load_platform(writer_cstr(&chain), chain.len, (const char *)key.data,
                                      key.len, out, diag);
    release_secret(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err keep_authority(struct api_call *c, const struct authority *ca,
                                   int32_t generation)
{
    struct seal_key data_key;
    struct leaf_info info;
    struct writer key;
    struct writer chain;
    enum emt_err err = api_data_key(c, &data_key);

    if (err != EMT_OK)
        return err;
    writer_init_heap(&key, PEM_MOST);
    writer_init_heap(&chain, PEM_MOST);
    err = authority_chain_pem(ca, &chain);
    if (err == EMT_OK)
        err = authority_key_pem(ca, &key);
    if (err == EMT_OK)
        err = certificate_info(writer_cstr(&chain), chain.len, &info, NULL);
    if (err == EMT_OK)
        err = tenant_ca_create(c->store, c->tenant, generation, writer_cstr(&chain), key.data,
                               key.len, &data_key);
    if (err == EMT_OK)
        err = authority_note(c->store, c->tenant, generation, info.fingerprint, info.serial,
                             info.not_after);
    seal_key_wipe(&data_key);
    release_secret(&key);
    writer_release(&chain);
    return err;
}

/* The generation after the newest one; 0: none can be read. */
static int32_t next_generation(struct api_call *c, enum emt_err *err)
{
    struct store_result *r = NULL;
    int32_t next = 0;

    *err = authority_list(c->store, c->tenant, &r);
    if (*err == EMT_OK)
        next = store_rows(r) > 0 ? (int32_t)c_int(r, 0, 1) + 1 : 1;
    store_result_free(r);
    return next;
}

enum emt_err api_authority_create(struct api_call *c)
{
    static const struct api_field fields[] = { { "key_kind", FIELD_ENUM, false, false, 0, 0,
                                                 key_kind_names } };
    struct authority *root = NULL;
    struct authority *ca = NULL;
    struct emt_diag diag = { 0 };
    struct api_value v[1];
    json_t *body = NULL;
    char organisation[65] = "";
    char name[128];
    bool ok = false;

    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    json_decref(body);
    enum key_kind kind = v[0].present ? (enum key_kind)v[0].number : KEY_P256;
    enum emt_err err = tenant_lock(c->store, c->tenant);
    if (err == EMT_OK)
        err = tenant_certificate_name(c->store, c->tenant, organisation);
    int32_t generation = err == EMT_OK ? next_generation(c, &err) : 0;
    if (err == EMT_OK)
        err = open_root(c, &root, &diag);
    /* One generation is told from the other by its name, too. */
    snprintf(name, sizeof name, "EMT Tenant CA %.40s %d", c->tenant_key, (int)generation);
    if (err == EMT_OK)
        err = authority_new_sub(root, kind, organisation, name, c->now, TENANT_CA_LIFETIME, &ca,
                                &diag);
    if (err == EMT_OK)
        err = keep_authority(c, ca, generation);
    if (err == EMT_OK)
        err = api_audit(c, "authority.create", c->tenant_key, "generation %d", (int)generation);
    authority_free(root);
    authority_free(ca);
    c->wake = true;
    if (err == EMT_OK)
        return api_json(c, 201, json_pack("{s:i}", "generation", (int)generation));
    return diag.text[0] ? api_problem(c, 503, "unavailable", NULL, "%s", diag.text)
                        : api_store_problem(c, err, "authority");
}

enum emt_err api_authority_revoke(struct api_call *c)
{
    int64_t generation = 0;
    enum emt_err err;

    if (!api_param_number(c, 0, "authority", &generation) || generation > INT32_MAX)
        return c->status ? EMT_OK : api_store_problem(c, EMT_ENOTFOUND, "authority");
    if (next_generation(c, &err) == (int32_t)generation + 1)
        return api_problem(c, 409, "conflict", NULL,
                           "the newest CA issues what gateways get: make another one first");
    if (err == EMT_OK)
        err = authority_revoke(c->store, c->tenant, (int32_t)generation);
    if (err == EMT_OK)
        err = api_audit(c, "authority.revoke", c->param[0], "%s", "");
    c->wake = true;
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "authority");
}
