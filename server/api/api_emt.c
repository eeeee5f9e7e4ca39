/* Certificates of the tenant as market participant: triples of SIG, ENC and TLS, old and new beside
 * each other. Keys go in and never come out. */
#include "api_route.h"
#include "base/seal.h"
#include "pki/import.h"
#include "store/certificate_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MOST 65536
#define KEY_MOST 16384

static const char *const use_names[] = { "sig", "enc", "tls", NULL };

/* ---- out ---- */

static json_t *certificate_json(const struct store_result *r, int row)
{
    static const struct api_column cols[] = {
        { "subject", COL_TEXT, NULL },     { "serial", COL_TEXT, NULL },
        { "fingerprint", COL_HEX, NULL },  { "not_before", COL_TIME, NULL },
        { "not_after", COL_TIME, NULL },   { "current", COL_BOOL, NULL },
        { "certificate", COL_TEXT, NULL },
    };

    return api_row(r, row, 5, cols, sizeof cols / sizeof cols[0]);
}

/* Rows of one triple follow each other. */
static json_t *triples_json(const struct store_result *r)
{
    json_t *items = json_array();
    json_t *item = NULL;
    int64_t last = 0;

    for (int i = 0; items != NULL && i < store_rows(r); i++) {
        if (item == NULL || c_int(r, i, 1) != last) {
            last = c_int(r, i, 1);
            item = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)last, "name", c_text(r, i, 2),
                             "created_at", api_time(c_time(r, i, 3)));
            json_array_append_new(items, item);
        }
        json_object_set_new(item, c_text(r, i, 4), certificate_json(r, i));
    }
    return items;
}

enum emt_err api_emt_list(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = emt_triple_list(c->store, c->tenant, 0, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "certificates");
    json_t *items = triples_json(r);
    store_result_free(r);
    return api_json(c, 200, json_pack("{s:o}", "items", items));
}

static enum emt_err answer_triple(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = emt_triple_list(c->store, c->tenant, id, &r);

    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    if (err != EMT_OK) {
        store_result_free(r);
        return api_store_problem(c, err, "certificate");
    }
    json_t *items = triples_json(r);
    json_t *item = json_incref(json_array_get(items, 0));
    json_decref(items);
    store_result_free(r);
    return api_json(c, status, item);
}

enum emt_err api_emt_get(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "certificate", &id))
        return EMT_OK;
    return id > 0 ? answer_triple(c, 200, id) : api_store_problem(c, EMT_ENOTFOUND, "certificate");
}

/* ---- in ---- */

/* One of the three; false: answered, or *err. */
static bool add(struct api_call *c, int64_t triple, unsigned use, const char *chain,
                const char *key, const struct seal_key *data_key, enum emt_err *err)
{
    struct certificate_facts facts;
    struct emt_diag diag = { 0 };

    if (emt_check(chain, strlen(chain), key, strlen(key), (enum emt_use)use, c->now, &facts,
                  &diag) != EMT_OK) {
        api_problem(c, 400, "invalid", use_names[use], "%s: %s", use_names[use], diag.text);
        return false;
    }
    struct emt_certificate_row row = { .use = use_names[use],
                                       .chain_pem = chain,
                                       .key_pem = key,
                                       .key_len = strlen(key),
                                       .subject = facts.subject,
                                       .serial = facts.info.serial,
                                       .not_before = facts.info.not_before,
                                       .not_after = facts.info.not_after };
    memcpy(row.fingerprint, facts.info.fingerprint, sizeof row.fingerprint);
    *err = emt_certificate_insert(c->store, c->tenant, triple, &row, data_key);
    return *err == EMT_OK;
}

enum emt_err api_emt_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 100, NULL },
        { "sig", FIELD_TEXT, true, false, 1, PEM_MOST, NULL },
        { "sig_key", FIELD_TEXT, true, false, 1, KEY_MOST, NULL },
        { "enc", FIELD_TEXT, true, false, 1, PEM_MOST, NULL },
        { "enc_key", FIELD_TEXT, true, false, 1, KEY_MOST, NULL },
        { "tls", FIELD_TEXT, true, false, 1, PEM_MOST, NULL },
        { "tls_key", FIELD_TEXT, true, false, 1, KEY_MOST, NULL },
    };
    struct api_value v[7];
    struct seal_key data_key;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 7, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = api_data_key(c, &data_key);
    if (err == EMT_OK)
        err = emt_triple_insert(c->store, c->tenant, v[0].text, &id);
    for (unsigned i = 0; ok && err == EMT_OK && i < 3; i++)
        ok = add(c, id, i, v[1 + 2 * i].text, v[2 + 2 * i].text, &data_key, &err);
    seal_key_wipe(&data_key);
    if (ok && err == EMT_OK)
        err = api_audit(c, "emt-certificate.create", v[0].text, "triple %lld", (long long)id);
    api_body_wipe(body);
    if (err != EMT_OK)
        return api_store_problem(c, err, "certificate");
    return ok ? answer_triple(c, 201, id) : EMT_OK;
}

enum emt_err api_emt_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "certificate", &id))
        return EMT_OK;
    enum emt_err err = emt_triple_delete(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = api_audit(c, "emt-certificate.delete", c->param[0], "%s", "");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "certificate");
}
