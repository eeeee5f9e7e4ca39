/* Certificates of others, their CAs' lists of revoked certificates; certificates of gateways. */
#include "api_condition.h"
#include "api_query.h"
#include "api_route.h"
#include "base/hex.h"
#include "delivery/fetch.h"
#include "jobs/crl_import.h"
#include "pki/import.h"
#include "store/certificate_store.h"
#include "store/gateway_store.h"

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

static const char *const policy_names[] = { "none", "alarm", "refuse", NULL };
static const char *const source_names[] = { "uploaded", "fetched", NULL };

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
