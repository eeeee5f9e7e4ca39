/* A gateway gets its certificate: a single-use token made by somebody who may, spent by the gateway
 * with a certificate request. */
#include "api_route.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/seal.h"
#include "pki/authority.h"
#include "store/directory_store.h"
#include "store/gateway_store.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ENROLMENT_HOURS 72
#define AGENT_FOLDER "/var/lib/emt-agent"
#define GATEWAY_IS_REVOKED 2 /* gateway.state */

/* The gateway's number; false: the problem is answered. Who may not revoke cannot undo it either.
 */
static bool gateway_to_enrol(struct api_call *c, int64_t *gateway)
{
    struct store_result *r = NULL;
    enum emt_err err = gateway_get(c->store, c->tenant, c->param[0], &r);

    if (err != EMT_OK) {
        api_store_problem(c, err, "gateway");
        return false;
    }
    bool revoked = c_int(r, 0, GATEWAY_STATE) == GATEWAY_IS_REVOKED;
    *gateway = c_int(r, 0, GATEWAY_ID);
    store_result_free(r);
    if (!revoked || (ROLES_REVOKE & ROLE_BIT(c->who.role)) != 0)
        return true;
    api_problem(c, 409, "conflict", NULL,
                "gateway %s is revoked: a certificate manager enrols it again", c->param[0]);
    return false;
}

static enum emt_err answer_token(struct api_call *c, const char *token, emt_time expires)
{
    const char *url = c->settings->base_url;
    char pin[65];

    hex_encode(c->settings->server_pin, 32, pin);
    c->shown_once = true;
    return api_json(
        c, 201,
        json_pack("{s:s, s:o, s:s, s:s, s:o}", "token", token, "expires_at", api_time(expires),
                  "server", url, "pin", pin, "command",
                  json_sprintf("emt-agent enrol --server %s --token %s --pin %s --dir %s", url,
                               token, pin, AGENT_FOLDER)));
}

enum emt_err api_enrolment_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "valid_hours", FIELD_INT, false, false, 1, 720, NULL },
    };
    struct api_value v[1];
    uint8_t hash[32];
    char token[128];
    json_t *body = NULL;
    int64_t gateway = 0;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    emt_time expires = c->now + (v[0].present ? v[0].number : ENROLMENT_HOURS) * EMT_HOUR;
    json_decref(body);
    if (!gateway_to_enrol(c, &gateway))
        return EMT_OK;
    enum emt_err err = api_secret("emt_enrol_", token, hash);
    if (err == EMT_OK)
        err = enrolment_insert(c->store, c->tenant, gateway, hash, expires, &id);
    if (err == EMT_OK)
        err = directory_add(c->store, DIRECTORY_ENROLMENT, hash, id);
    if (err == EMT_OK)
        err = api_audit(c, "gateway.enrolment", c->param[0], "token %lld", (long long)id);
    err = err == EMT_OK ? answer_token(c, token, expires) : api_store_problem(c, err, "gateway");
    cipher_wipe(token, sizeof token);
    return err;
}

struct enrolment {
    int32_t tenant;
    int64_t id;
    int64_t gateway;
    char external_id[64];
    char tenant_key[64];
};

/* The token's enrolment, locked; false: the problem is answered. */
static bool find_enrolment(struct api_call *c, const uint8_t hash[32], struct enrolment *e)
{
    struct store_result *r = NULL;
    enum emt_err err = enrolment_lock(c->store, e->tenant, e->id, hash, c->now, &r);

    if (err == EMT_ENOTFOUND)
        api_problem(c, 401, "unauthorized", "token", "token: unknown");
    else if (err != EMT_OK)
        api_store_problem(c, err, "token");
    if (err != EMT_OK)
        return false;
    e->gateway = c_int(r, 0, 0);
    snprintf(e->external_id, sizeof e->external_id, "%s", c_text(r, 0, 1));
    snprintf(e->tenant_key, sizeof e->tenant_key, "%s", c_text(r, 0, 2));
    bool used = c_bool(r, 0, 3);
    bool expired = c_bool(r, 0, 4);
    store_result_free(r);
    if (used || expired) {
        api_problem(c, 410, "gone", "token", "token: %s; order a new one",
                    used ? "was used already" : "has expired");
        return false;
    }
    return true;
}

/* The CA, opened. */
static enum emt_err open_ca(struct api_call *c, struct authority **out, struct emt_diag *diag)
{
    struct seal_key data_key;
    struct writer chain;
    struct writer key;
    int32_t generation = 0;
    enum emt_err err = api_data_key(c, &data_key);

    if (err != EMT_OK)
        return err;
    writer_init_heap(&chain, 64u << 10);
    writer_init_heap(&key, 64u << 10);
    err = tenant_ca_load(c->store, c->tenant, &data_key, &generation, NULL, &chain, &key);
    seal_key_wipe(&data_key);
    if (err == EMT_OK)
        err = authority_load((const char *)chain.data, chain.len, (const char *)key.data, key.len,
                             out, diag);
    cipher_wipe(key.data, key.len);
    writer_release(&key);
    writer_release(&chain);
    return err;
}

/* The certificate; false: the problem is answered. */
static bool issue(struct api_call *c, const struct enrolment *e, const char *csr,
                  struct writer *chain, struct leaf_info *leaf)
{
    struct emt_diag diag = { 0 };
    struct authority *ca = NULL;
    enum emt_err err = open_ca(c, &ca, &diag);

    if (err != EMT_OK) {
        LOG_ERROR("tenant-ca-unusable", LOG_I("tenant", c->tenant),
                  LOG_S("error", emt_err_name(err)), LOG_S("reason", diag.text));
        api_store_problem(c, EMT_EDB, "ca");
        return false;
    }
    err = authority_issue_gateway(ca, csr, strlen(csr), e->tenant_key, e->external_id, c->now,
                                  c->settings->leaf_lifetime_s * EMT_SECOND, chain, leaf, &diag);
    authority_free(ca);
    if (emt_err_class(err) == EMT_CLASS_REJECT)
        api_problem(c, 400, "invalid", "csr", "csr: %s", diag.text);
    else if (err != EMT_OK)
        api_store_problem(c, EMT_EDB, "csr");
    return err == EMT_OK;
}

static enum emt_err keep(struct api_call *c, const struct enrolment *e,
                         const struct leaf_info *leaf)
{
    enum emt_err err = certificate_insert(c->store, c->tenant, leaf->fingerprint, e->gateway,
                                          leaf->serial, leaf->not_before, leaf->not_after);

    if (err == EMT_OK)
        err = directory_add(c->store, DIRECTORY_GATEWAY_CERTIFICATE, leaf->fingerprint, e->gateway);
    if (err == EMT_OK)
        err = enrolment_use(c->store, c->tenant, e->id, e->gateway, c->now);
    if (err == EMT_OK)
        err = api_audit(c, "gateway.enrol", e->external_id, "certificate %s", leaf->serial);
    return err;
}

static json_t *addresses(const char *const *list, size_t n)
{
    json_t *j = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(j, json_string(list[i]));
    return j;
}

/* The platform's root as PEM. */
static enum emt_err root_pem(struct api_call *c, struct writer *out)
{
    struct writer secret;
    struct store *admin = api_admin(c);

    if (admin == NULL)
        return EMT_EDB;
    writer_init_heap(&secret, 64u << 10);
    enum emt_err err =
        platform_secret_load(admin, API_ROOT_SECRET, &c->settings->master, &secret, out);
    cipher_wipe(secret.data, secret.len);
    writer_release(&secret);
    return err;
}

static enum emt_err answer(struct api_call *c, const struct enrolment *e, struct writer *chain)
{
    struct writer root;

    writer_init_heap(&root, 64u << 10);
    enum emt_err err = root_pem(c, &root);
    if (err == EMT_OK)
        err = api_json(c, 201,
                       json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "tenant", e->tenant_key,
                                 "gateway", e->external_id, "certificate", writer_cstr(chain), "ca",
                                 writer_cstr(&root), "field",
                                 addresses(c->settings->field12, c->settings->nfield12), "field13",
                                 addresses(c->settings->field13, c->settings->nfield13)));
    else
        err = api_store_problem(c, err, "root");
    writer_release(&root);
    return err;
}

static enum emt_err enrol(struct api_call *c, const uint8_t hash[32], struct enrolment *e,
                          const char *csr)
{
    struct leaf_info leaf;
    struct writer chain;
    enum emt_err err = EMT_OK;

    if (!find_enrolment(c, hash, e))
        return EMT_OK;
    snprintf(c->who.actor, sizeof c->who.actor, "gateway:%s", e->external_id);
    writer_init_heap(&chain, 64u << 10);
    if (issue(c, e, csr, &chain, &leaf)) {
        err = keep(c, e, &leaf);
        err = err == EMT_OK ? answer(c, e, &chain) : api_store_problem(c, err, "enrolment");
    }
    writer_release(&chain);
    return err;
}

/* A token that led to no certificate stays good. */
static enum emt_err enrol_in_transaction(struct api_call *c, const uint8_t hash[32],
                                         struct enrolment *e, const char *csr)
{
    c->tenant = e->tenant;
    if (store_begin(c->store, e->tenant) != EMT_OK)
        return api_store_problem(c, EMT_EDB, "enrolment");
    enum emt_err err = enrol(c, hash, e, csr);
    if (err != EMT_OK || c->status != 201) {
        store_rollback(c->store);
        return err;
    }
    return store_commit(c->store) == EMT_OK ? EMT_OK : api_store_problem(c, EMT_EDB, "enrolment");
}

enum emt_err api_enrol(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "token", FIELD_TEXT, true, false, 1, 200, NULL },
        { "csr", FIELD_TEXT, true, false, 1, 8192, NULL },
    };
    struct enrolment e = { 0 };
    struct api_value v[2];
    uint8_t hash[32];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    cipher_sha256(v[0].text, strlen(v[0].text), hash);
    enum emt_err err = directory_find(c->store, DIRECTORY_ENROLMENT, hash, &e.tenant, &e.id);
    if (err == EMT_OK)
        err = enrol_in_transaction(c, hash, &e, v[1].text);
    else if (err == EMT_ENOTFOUND)
        err = api_problem(c, 401, "unauthorized", "token", "token: unknown");
    else
        err = api_store_problem(c, err, "token");
    api_body_wipe(body);
    return err;
}
