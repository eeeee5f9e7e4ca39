/* Certificates of others, their CAs' lists of revoked certificates; our own CAs and their lists. */
#include "api_condition.h"
#include "api_query.h"
#include "api_route.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/seal.h"
#include "delivery/fetch.h"
#include "jobs/crl_import.h"
#include "pki/authority.h"
#include "pki/import.h"
#include "store/certificate_store.h"
#include "store/gateway_store.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PAGE_MOST 100
#define PEM_MOST 65536
#define PROOF_MOST 8192
#define ENDS_WITHIN_MOST 36500
/* As text, base64 or PEM; the request's body is smaller anyway. */
#define CRL_TEXT_MOST ((int64_t)16 << 20)
/* Lists are made each day and live for a week. */
#define CRL_CACHED_S 3600
#define TENANT_CA_LIFETIME (INT64_C(3650) * EMT_DAY)

static const char *const policy_names[] = { "none", "alarm", "refuse", NULL };
static const char *const source_names[] = { "uploaded", "fetched", NULL };
/* In the order of enum key_kind. */
static const char *const key_kind_names[] = { "P-256", "P-384", "brainpoolP256r1",
                                              "brainpoolP384r1", NULL };

/* ---- imports: out ---- */

static json_t *crl_json(const struct store_result *r, int row)
{
    if (c_null(r, row, IMPORT_CRL_NUMBER))
        return json_null();
    return json_pack("{s:s, s:o, s:o, s:I, s:s}", "number", c_text(r, row, IMPORT_CRL_NUMBER),
                     "this_update", api_time(c_time(r, row, IMPORT_CRL_THIS_UPDATE)), "next_update",
                     api_time(c_time(r, row, IMPORT_CRL_NEXT_UPDATE)), "entries",
                     (json_int_t)c_int(r, row, IMPORT_CRL_ENTRIES), "source",
                     source_names[c_int(r, row, IMPORT_CRL_SOURCE) == 1]);
}

/* A handshake shows that the device has the key; until then a pinned certificate is a claim. */
static json_t *seen_json(const struct store_result *r, int row)
{
    return json_pack("{s:I, s:I, s:o, s:o}", "certificates",
                     (json_int_t)c_int(r, row, IMPORT_CERTIFICATES), "sessions",
                     (json_int_t)c_int(r, row, IMPORT_SESSIONS), "first",
                     api_time(c_time(r, row, IMPORT_FIRST_USED)), "last",
                     api_time(c_time(r, row, IMPORT_LAST_USED)));
}

static json_t *import_json(const struct store_result *r, int row)
{
    static const struct api_column head[] = {
        { "id", COL_INT, NULL },          { "purpose", COL_TEXT, NULL },
        { "pinned", COL_BOOL, NULL },     { "name", COL_TEXT, NULL },
        { "fingerprint", COL_HEX, NULL }, { "subject", COL_TEXT, NULL },
        { "serial", COL_TEXT, NULL },     { "not_before", COL_TIME, NULL },
        { "not_after", COL_TIME, NULL },  { "gateway", COL_TEXT, NULL },
        { "crl_url", COL_TEXT, NULL },    { "crl_policy", COL_ENUM, policy_names },
    };
    json_t *j = api_row(r, row, IMPORT_ID, head, sizeof head / sizeof head[0]);

    if (j == NULL)
        return NULL;
    json_object_set_new(j, "crl", crl_json(r, row));
    json_object_set_new(j, "crl_error", json_string(c_text(r, row, IMPORT_CRL_ERROR)));
    json_object_set_new(j, "created_at", api_time(c_time(r, row, IMPORT_CREATED_AT)));
    json_object_set_new(j, "certificate", json_string(c_text(r, row, IMPORT_PEM)));
    json_object_set_new(j, "proven_at", api_time(c_time(r, row, IMPORT_PROVEN_AT)));
    json_object_set_new(j, "seen", seen_json(r, row));
    return j;
}

enum emt_err api_import_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    if (page.limit > PAGE_MOST)
        page.limit = PAGE_MOST;
    enum emt_err err = import_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, import_json)
                         : api_store_problem(c, err, "certificates");
}

static enum emt_err answer_import(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = import_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "certificate");
    json_t *j = import_json(r, 0);
    store_result_free(r);
    return api_json(c, status, j);
}

enum emt_err api_import_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "certificate", &id) ? answer_import(c, 200, id) : EMT_OK;
}

/* ---- imports: in ---- */

/* False: the problem is answered. */
static bool url_good(struct api_call *c, const char *url)
{
    struct emt_diag diag = { 0 };

    if (url == NULL || *url == '\0' || fetch_check(url, &diag) == EMT_OK)
        return true;
    api_problem(c, 400, "invalid", "crl_url", "crl_url: %s", diag.text);
    return false;
}

/* What the store says to a new one. */
static enum emt_err import_problem(struct api_call *c, enum emt_err err)
{
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "certificate",
                           "certificate: it is imported, or somebody's already");
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL, "there are 1000 imports, as many as may be");
    return api_store_problem(c, err, "certificate");
}

/* What the listeners and nothing else use imports for; false: answered. */
static bool read_purpose(struct api_call *c, const char *text, bool *logger)
{
    static const struct {
        const char *name, *why;
    } unused[] = {
        { "smgw",
          "nothing receives from smart meter gateways by itself yet; a CA of the SM-PKI whose"
          " gateways come to the ports of the gateways is imported as gateway" },
        { "partner", "partners' certificates stand in their target (ca, encrypt_certificates)" },
    };

    *logger = strcmp(text, "logger") == 0;
    if (*logger || strcmp(text, "gateway") == 0)
        return true;
    for (size_t i = 0; i < sizeof unused / sizeof unused[0]; i++) {
        if (strcmp(text, unused[i].name) == 0) {
            api_problem(c, 400, "invalid", "purpose", "purpose: %s: %s", text, unused[i].why);
            return false;
        }
    }
    api_problem(c, 400, "invalid", "purpose", "purpose: must be one of gateway, logger");
    return false;
}

static bool check_certificate(struct api_call *c, const char *pem, bool logger, bool pinned,
                              struct certificate_facts *facts)
{
    enum import_use use = !pinned ? IMPORT_AS_CA : logger ? IMPORT_AS_LOGGER : IMPORT_AS_GATEWAY;
    struct emt_diag diag = { 0 };

    if (logger && !pinned) {
        api_problem(c, 400, "invalid", "gateway",
                    "gateway: devices of others are let in by their own certificates only");
        return false;
    }
    if (import_check(pem, strlen(pem), use, c->now, facts, &diag) == EMT_OK)
        return true;
    api_problem(c, 400, "invalid", "certificate", "certificate: %s", diag.text);
    return false;
}

/* What the holder of the key signed; false: answered. */
static bool check_proof(struct api_call *c, const char *pem, const char *gateway,
                        const char *request)
{
    struct emt_diag diag = { 0 };

    if (request == NULL)
        return true;
    if (gateway == NULL)
        api_problem(c, 400, "invalid", "proof", "proof: of certificates of one gateway only");
    else if (import_proof(pem, strlen(pem), request, strlen(request), c->tenant_key, gateway,
                          &diag) == EMT_OK)
        return true;
    else
        api_problem(c, 400, "invalid", "proof", "proof: %s", diag.text);
    return false;
}

enum import_field {
    IN_PURPOSE,
    IN_NAME,
    IN_CERTIFICATE,
    IN_GATEWAY,
    IN_PROOF,
    IN_URL,
    IN_POLICY,
    IN_FIELDS
};

static enum emt_err import_new(struct api_call *c, const struct api_value *v)
{
    bool pinned = v[IN_GATEWAY].present && !v[IN_GATEWAY].null;
    bool proven = v[IN_PROOF].present && !v[IN_PROOF].null;
    bool logger = false;
    struct certificate_facts facts;
    struct import_row row = { .purpose = v[IN_PURPOSE].text,
                              .proven = proven,
                              .pinned = pinned,
                              .name = v[IN_NAME].text,
                              .pem = v[IN_CERTIFICATE].text,
                              .crl_policy = v[IN_POLICY].present ? (int)v[IN_POLICY].number : 0 };
    int64_t id = 0;

    if (v[IN_URL].present && !v[IN_URL].null && *v[IN_URL].text != '\0')
        row.crl_url = v[IN_URL].text;
    if (!read_purpose(c, row.purpose, &logger) ||
        !check_certificate(c, row.pem, logger, pinned, &facts) ||
        !check_proof(c, row.pem, pinned ? v[IN_GATEWAY].text : NULL,
                     proven ? v[IN_PROOF].text : NULL) ||
        !url_good(c, row.crl_url))
        return EMT_OK;
    if (pinned && (row.crl_url != NULL || row.crl_policy != 0))
        return api_problem(c, 400, "invalid", "crl_policy",
                           "crl_policy: only CAs have lists of revoked certificates");
    memcpy(row.fingerprint, facts.info.fingerprint, sizeof row.fingerprint);
    row.subject = facts.subject;
    row.serial = facts.info.serial;
    row.not_before = facts.info.not_before;
    row.not_after = facts.info.not_after;
    enum emt_err err =
        pinned ? gateway_find(c->store, c->tenant, v[IN_GATEWAY].text, &row.gateway) : EMT_OK;
    if (err != EMT_OK)
        return api_store_problem(c, err, "gateway");
    err = import_insert(c->store, c->tenant, &row, &id);
    if (err == EMT_OK)
        err = api_audit(c, "certificate.import", row.name, "%s, %s, serial %s%s", row.purpose,
                        pinned ? v[IN_GATEWAY].text : "CA", row.serial, proven ? ", proven" : "");
    c->wake = true;
    return err == EMT_OK ? answer_import(c, 201, id) : import_problem(c, err);
}

enum emt_err api_import_create(struct api_call *c)
{
    static const struct api_field fields[IN_FIELDS] = {
        [IN_PURPOSE] = { "purpose", FIELD_TEXT, true, false, 1, 20, NULL },
        [IN_NAME] = { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        [IN_CERTIFICATE] = { "certificate", FIELD_TEXT, true, false, 1, PEM_MOST, NULL },
        [IN_GATEWAY] = { "gateway", FIELD_TEXT, false, true, 1, 63, NULL },
        [IN_PROOF] = { "proof", FIELD_TEXT, false, true, 1, PROOF_MOST, NULL },
        [IN_URL] = { "crl_url", FIELD_TEXT, false, true, 0, 1000, NULL },
        [IN_POLICY] = { "crl_policy", FIELD_ENUM, false, false, 0, 0, policy_names },
    };
    struct api_value v[IN_FIELDS];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, IN_FIELDS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = import_new(c, v);
    json_decref(body);
    return err;
}

enum emt_err api_import_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, false, false, 1, 100, NULL },
        { "crl_url", FIELD_TEXT, false, true, 0, 1000, NULL },
        { "crl_policy", FIELD_ENUM, false, false, 0, 0, policy_names },
    };
    struct api_value v[3];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "certificate", &id))
        return EMT_OK;
    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    const char *url = !v[1].present ? NULL : v[1].null ? "" : v[1].text;
    enum emt_err err = EMT_OK;
    if (url_good(c, url)) {
        err = import_update(c->store, c->tenant, id, v[0].present ? v[0].text : NULL, url,
                            v[2].present ? (int)v[2].number : -1);
        if (err == EMT_OK)
            err = api_audit(c, "certificate.update", c->param[0], "%s",
                            v[2].present ? policy_names[v[2].number] : "");
        if (err == EMT_ELIMIT)
            err = api_problem(c, 400, "invalid", "crl_policy",
                              "crl_policy: only CAs have lists of revoked certificates");
        else
            err = err == EMT_OK ? answer_import(c, 200, id)
                                : api_store_problem(c, err, "certificate");
    }
    json_decref(body);
    return err;
}

enum emt_err api_import_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "certificate", &id))
        return EMT_OK;
    enum emt_err err = import_delete(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = api_audit(c, "certificate.remove", c->param[0], "%s", "");
    c->wake = true;
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "certificate");
}

/* ---- lists of imported CAs ---- */

static enum emt_err answer_crl(struct api_call *c, int64_t id, enum emt_err err,
                               const struct crl_import_result *res, const struct emt_diag *diag)
{
    if (err == EMT_ENOTFOUND)
        return api_store_problem(c, err, "certificate");
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "crl", "crl: %s", diag->text);
    if (err == EMT_ESTATE || emt_err_class(err) == EMT_CLASS_REJECT || err == EMT_ELIMIT)
        return api_problem(c, 400, "invalid", "crl", "crl: %s", diag->text);
    if (err == EMT_OK)
        err = api_audit(c, "certificate.crl", c->param[0], "%zu entries, %u gateways revoked",
                        res->info.entries, res->revoked);
    c->wake = true;
    return err == EMT_OK ? answer_import(c, 200, id) : api_store_problem(c, err, "certificate");
}

enum emt_err api_import_crl(struct api_call *c)
{
    static const struct api_field fields[] = { { "crl", FIELD_TEXT, true, false, 1, CRL_TEXT_MOST,
                                                 NULL } };
    struct crl_import_result res = { 0 };
    struct emt_diag diag = { 0 };
    struct api_value v[1];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "certificate", &id))
        return EMT_OK;
    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    /* PEM as it is; anything else is DER in base64. */
    size_t n = strlen(v[0].text);
    const void *data = v[0].text;
    uint8_t *der = NULL;
    if (strstr(v[0].text, "-----BEGIN") == NULL) {
        size_t len = 0;
        der = malloc(n + 1);
        if (der != NULL && base64_decode(v[0].text, n, der, n + 1, &len) == EMT_OK) {
            data = der;
            n = len;
        }
    }
    enum emt_err err = crl_import(c->store, c->tenant, id, data, n, false, c->now, &res, &diag);
    err = answer_crl(c, id, err, &res, &diag);
    free(der);
    json_decref(body);
    return err;
}

/* ---- certificates of gateways ---- */

static bool query_days(struct api_call *c, int *out)
{
    int64_t days = 0;

    if (!api_query_number(c, "ends_within", &days))
        return false;
    if (days > ENDS_WITHIN_MOST) {
        api_problem(c, 400, "invalid", "ends_within", "ends_within: 1 to %d days",
                    ENDS_WITHIN_MOST);
        return false;
    }
    *out = days > 0 ? (int)days : GATEWAY_CERTIFICATE_ANY;
    return true;
}

enum emt_err api_gateway_certificate_list(struct api_call *c)
{
    static const char *const states[] = { "valid", "revoked", "expired", NULL };
    static const struct api_column cols[] = {
        { "fingerprint", COL_HEX, NULL },    { "gateway", COL_TEXT, NULL },
        { "serial", COL_TEXT, NULL },        { "not_before", COL_TIME, NULL },
        { "not_after", COL_TIME, NULL },     { "issued_at", COL_TIME, NULL },
        { "first_used_at", COL_TIME, NULL }, { "last_used_at", COL_TIME, NULL },
        { "sessions", COL_INT, NULL },       { "import", COL_INT, NULL },
        { "revoked_at", COL_TIME, NULL },    { "revoke_reason", COL_TEXT, NULL },
        { "state", COL_ENUM, states },
    };
    struct gateway_certificate_filter f = { .state = GATEWAY_CERTIFICATE_ANY };
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, false, &page) ||
        !api_query_text(c, "gateway", 63, &f.gateway) ||
        !api_query_enum(c, "state", states, &f.state) || !query_days(c, &f.ends_within_days))
        return EMT_OK;
    enum emt_err err =
        gateway_certificate_list(c->store, c->tenant, &f, page.cursor, page.limit + 1, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, page.limit, cols, sizeof cols / sizeof cols[0], NULL)
               : api_store_problem(c, err, "certificates");
}

/* ---- our own ---- */

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
