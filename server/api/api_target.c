/* Delivery targets. What is secret goes in and never comes out; the answer says of which purposes
 * there is one. */
#include "api_condition.h"
#include "api_job.h"
#include "api_route.h"
#include "base/seal.h"
#include "delivery/delivery.h"
#include "store/delivery_store.h"
#include "store/job_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MOST 65536
#define SECRET_MOST 16384
#define PATH_MOST 1000
#define PAGE_MOST 100

static const char *const kind_names[] = { "local", "sftp",          "ftp",  "ftps",
                                          "https", "ftps-implicit", "mail", NULL };

/* Members of a body, in this order. */
enum member {
    NAME,
    PARTNER,
    KIND,
    HOST,
    PORT,
    PATH,
    USER,
    HOST_KEY,
    CA,
    CLIENT_CERTIFICATE,
    SIGN_CERTIFICATE,
    ENCRYPT_CERTIFICATES,
    PLAIN_ALLOWED,
    IMPLICIT_TLS,
    MAIL_FROM,
    MAIL_TO,
    MAIL_CC,
    MAIL_BCC,
    MAIL_SUBJECT,
    MAIL_TEXT,
    FIRST_SECRET,
    PASSWORD = FIRST_SECRET,
    PRIVATE_KEY,
    PRIVATE_KEY_PASSWORD,
    BEARER,
    CLIENT_KEY,
    SIGN_KEY,
    MEMBERS
};
static const struct api_field fields[MEMBERS] = {
    [NAME] = { "name", FIELD_TEXT, false, false, 1, 100, NULL },
    [PARTNER] = { "partner", FIELD_TEXT, false, false, 0, 100, NULL },
    [KIND] = { "kind", FIELD_ENUM, false, false, 0, 0, kind_names },
    [HOST] = { "host", FIELD_TEXT, false, false, 0, 253, NULL },
    [PORT] = { "port", FIELD_INT, false, false, 0, 65535, NULL },
    [PATH] = { "path", FIELD_TEXT, false, false, 0, PATH_MOST, NULL },
    [USER] = { "user", FIELD_TEXT, false, false, 0, 200, NULL },
    [HOST_KEY] = { "host_key", FIELD_TEXT, false, false, 0, 60, NULL },
    [CA] = { "ca", FIELD_TEXT, false, false, 0, PEM_MOST, NULL },
    [CLIENT_CERTIFICATE] = { "client_certificate", FIELD_TEXT, false, false, 0, PEM_MOST, NULL },
    [SIGN_CERTIFICATE] = { "sign_certificate", FIELD_TEXT, false, false, 0, PEM_MOST, NULL },
    [ENCRYPT_CERTIFICATES] = { "encrypt_certificates", FIELD_TEXT, false, false, 0, PEM_MOST,
                               NULL },
    [PLAIN_ALLOWED] = { "plain_allowed", FIELD_BOOL, false, false, 0, 0, NULL },
    [IMPLICIT_TLS] = { "implicit_tls", FIELD_BOOL, false, false, 0, 0, NULL },
    [MAIL_FROM] = { "mail_from", FIELD_TEXT, false, false, 0, 254, NULL },
    [MAIL_TO] = { "mail_to", FIELD_LIST, false, false, 0, DELIVERY_ADDRESSES_MAX, NULL },
    [MAIL_CC] = { "mail_cc", FIELD_LIST, false, false, 0, DELIVERY_ADDRESSES_MAX, NULL },
    [MAIL_BCC] = { "mail_bcc", FIELD_LIST, false, false, 0, DELIVERY_ADDRESSES_MAX, NULL },
    [MAIL_SUBJECT] = { "mail_subject", FIELD_TEXT, false, false, 0, 200, NULL },
    [MAIL_TEXT] = { "mail_text", FIELD_TEXT, false, false, 0, 10000, NULL },
    [PASSWORD] = { "password", FIELD_TEXT, false, true, 1, 1000, NULL },
    [PRIVATE_KEY] = { "private_key", FIELD_TEXT, false, true, 1, SECRET_MOST, NULL },
    [PRIVATE_KEY_PASSWORD] = { "private_key_password", FIELD_TEXT, false, true, 1, 1000, NULL },
    [BEARER] = { "bearer", FIELD_TEXT, false, true, 1, SECRET_MOST, NULL },
    [CLIENT_KEY] = { "client_key", FIELD_TEXT, false, true, 1, SECRET_MOST, NULL },
    [SIGN_KEY] = { "sign_key", FIELD_TEXT, false, true, 1, SECRET_MOST, NULL },
};
static const char *const purposes[] = { "password", "private-key", "private-key-password",
                                        "bearer",   "client-key",  "sign-key" };

/* --- out --- */

static json_t *lines_json(const char *text)
{
    json_t *list = json_array();

    while (list != NULL && *text != '\0') {
        size_t n = strcspn(text, "\n");

        json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
    return list;
}

static json_t *words_json(const char *text)
{
    json_t *list = json_array();

    while (list != NULL && *text != '\0') {
        size_t n = strcspn(text, " ");

        json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ' ');
    }
    return list;
}

static json_t *target_json(const struct store_result *r, int row)
{
    static const struct api_column head[] = {
        { "id", COL_INT, NULL },
        { "name", COL_TEXT, NULL },
        { "kind", COL_TEXT, NULL },
        { "host", COL_TEXT, NULL },
        { "port", COL_INT, NULL },
        { "path", COL_TEXT, NULL },
        { "user", COL_TEXT, NULL },
        { "host_key", COL_TEXT, NULL },
        { "ca", COL_TEXT, NULL },
        { "client_certificate", COL_TEXT, NULL },
        { "sign_certificate", COL_TEXT, NULL },
        { "encrypt_certificates", COL_TEXT, NULL },
        { "plain_allowed", COL_BOOL, NULL },
        { "implicit_tls", COL_BOOL, NULL },
        { "mail_from", COL_TEXT, NULL },
    };
    json_t *j = api_row(r, row, TARGET_ID, head, sizeof head / sizeof head[0]);

    if (j == NULL)
        return NULL;
    json_object_set_new(j, "mail_to", lines_json(c_text(r, row, TARGET_MAIL_TO)));
    json_object_set_new(j, "mail_cc", lines_json(c_text(r, row, TARGET_MAIL_CC)));
    json_object_set_new(j, "mail_bcc", lines_json(c_text(r, row, TARGET_MAIL_BCC)));
    json_object_set_new(j, "mail_subject", json_string(c_text(r, row, TARGET_MAIL_SUBJECT)));
    json_object_set_new(j, "mail_text", json_string(c_text(r, row, TARGET_MAIL_TEXT)));
    json_object_set_new(j, "secrets", words_json(c_text(r, row, TARGET_SECRETS)));
    json_object_set_new(j, "partner", json_string(c_text(r, row, TARGET_PARTNER)));
    json_object_set_new(j, "created_at", api_time(c_time(r, row, TARGET_CREATED_AT)));
    json_object_set_new(j, "revision", json_integer(c_int(r, row, TARGET_REVISION)));
    return j;
}

enum emt_err api_target_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    /* Certificates make them long: the answer goes on behind its `next` instead. */
    if (page.limit > PAGE_MOST)
        page.limit = PAGE_MOST;
    enum emt_err err = target_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, target_json)
                         : api_store_problem(c, err, "targets");
}

static enum emt_err answer_target(struct api_call *c, unsigned status, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = target_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "target");
    json_t *j = target_json(r, 0);
    store_result_free(r);
    return api_resource(c, status, j, NULL);
}

enum emt_err api_target_get(struct api_call *c)
{
    int64_t id = 0;

    return api_param_number(c, 0, "target", &id) ? answer_target(c, 200, id) : EMT_OK;
}

/* --- in --- */

/* A body over what stands (r NULL: nothing), as one row. */
struct change {
    struct api_value v[MEMBERS];
    struct target_row row;
    char *lists[3];
    const char *addresses[3][DELIVERY_ADDRESSES_MAX + 1];
};

static const char *text_of(const struct change *x, enum member m, const struct store_result *r,
                           enum target_column column)
{
    if (x->v[m].present)
        return x->v[m].text;
    return r != NULL ? c_text(r, 0, (int)column) : "";
}

/* Items of a list one per line. False: one is no text, or memory is short. */
static bool join(const json_t *list, char **out)
{
    size_t n = 1;
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || strchr(json_string_value(item), '\n') != NULL)
            return false;
        n += json_string_length(item) + 1;
    }
    char *p = calloc(1, n);
    *out = p;
    if (p == NULL)
        return false;
    json_array_foreach(list, i, item)
    {
        if (i > 0)
            *p++ = '\n';
        memcpy(p, json_string_value(item), json_string_length(item));
        p += json_string_length(item);
    }
    return true;
}

/* The list of the body, or what stands; and each address by itself in x->addresses. */
static const char *list_of(struct api_call *c, struct change *x, size_t which, enum member m,
                           const struct store_result *r, enum target_column column)
{
    if (x->v[m].present
            ? !join(x->v[m].object, &x->lists[which])
            : (x->lists[which] = strdup(r != NULL ? c_text(r, 0, (int)column) : "")) == NULL) {
        api_problem(c, 400, "invalid", fields[m].name, "%s: must be a list of mail addresses",
                    fields[m].name);
        return "";
    }
    return x->lists[which];
}

static void merge(struct api_call *c, struct change *x, const struct store_result *r)
{
    struct target_row *row = &x->row;

    row->name = text_of(x, NAME, r, TARGET_NAME);
    row->partner = text_of(x, PARTNER, r, TARGET_PARTNER);
    row->kind = x->v[KIND].present ? kind_names[x->v[KIND].number]
                                   : (r != NULL ? c_text(r, 0, TARGET_KIND) : "");
    row->host = text_of(x, HOST, r, TARGET_HOST);
    row->path = text_of(x, PATH, r, TARGET_PATH);
    row->user = text_of(x, USER, r, TARGET_USER);
    row->host_key = text_of(x, HOST_KEY, r, TARGET_HOST_KEY);
    row->ca_pem = text_of(x, CA, r, TARGET_CA_PEM);
    row->client_pem = text_of(x, CLIENT_CERTIFICATE, r, TARGET_CLIENT_PEM);
    row->sign_pem = text_of(x, SIGN_CERTIFICATE, r, TARGET_SIGN_PEM);
    row->encrypt_pem = text_of(x, ENCRYPT_CERTIFICATES, r, TARGET_ENCRYPT_PEM);
    row->mail_from = text_of(x, MAIL_FROM, r, TARGET_MAIL_FROM);
    row->mail_subject = text_of(x, MAIL_SUBJECT, r, TARGET_MAIL_SUBJECT);
    row->mail_text = text_of(x, MAIL_TEXT, r, TARGET_MAIL_TEXT);
    row->mail_to = list_of(c, x, 0, MAIL_TO, r, TARGET_MAIL_TO);
    row->mail_cc = list_of(c, x, 1, MAIL_CC, r, TARGET_MAIL_CC);
    row->mail_bcc = list_of(c, x, 2, MAIL_BCC, r, TARGET_MAIL_BCC);
    row->port = x->v[PORT].present ? (int32_t)x->v[PORT].number
                                   : (r != NULL ? (int32_t)c_int(r, 0, TARGET_PORT) : 0);
    row->plain_allowed = x->v[PLAIN_ALLOWED].present
                             ? x->v[PLAIN_ALLOWED].flag
                             : r != NULL && c_bool(r, 0, TARGET_PLAIN_ALLOWED);
    row->implicit_tls = x->v[IMPLICIT_TLS].present ? x->v[IMPLICIT_TLS].flag
                                                   : r != NULL && c_bool(r, 0, TARGET_IMPLICIT_TLS);
}

/* Of one that is kept only that there is one counts. */
static const char *secret_of(const struct change *x, enum member m, const struct store_result *r)
{
    const char *purpose = purposes[m - FIRST_SECRET];
    const char *have = r != NULL ? c_text(r, 0, TARGET_SECRETS) : "";
    size_t n = strlen(purpose);

    if (x->v[m].present)
        return x->v[m].null ? NULL : x->v[m].text;
    while (*have != '\0') {
        size_t word = strcspn(have, " ");

        if (word == n && memcmp(have, purpose, n) == 0)
            return "kept";
        have += word + (have[word] == ' ');
    }
    return NULL;
}

static const char *or_null(const char *text)
{
    return *text != '\0' ? text : NULL;
}

static void cut(char *lines, const char *out[DELIVERY_ADDRESSES_MAX + 1])
{
    for (size_t n = 0; lines != NULL && *lines != '\0' && n < DELIVERY_ADDRESSES_MAX; n++) {
        out[n] = lines;
        lines = strchr(lines, '\n');
        if (lines != NULL)
            *lines++ = '\0';
    }
}

/* The check of the delivery itself, so that a target that is kept can be tried. False: answered. */
static bool is_complete(struct api_call *c, struct change *x, const struct store_result *r)
{
    const struct target_row *row = &x->row;
    const char *const lists[3] = { row->mail_to, row->mail_cc, row->mail_bcc };
    char *copies[3] = { strdup(lists[0]), strdup(lists[1]), strdup(lists[2]) };
    char path[4 * PATH_MOST + 2];
    struct emt_diag diag = { 0 };
    struct delivery_mail mail = { .from = or_null(row->mail_from),
                                  .to = x->addresses[0],
                                  .cc = x->addresses[1],
                                  .bcc = x->addresses[2],
                                  .subject = row->mail_subject,
                                  .text = row->mail_text };
    struct delivery_target t = { .host = or_null(row->host),
                                 .path = or_null(row->path),
                                 .user = or_null(row->user),
                                 .host_key = or_null(row->host_key),
                                 .password = secret_of(x, PASSWORD, r),
                                 .private_key = secret_of(x, PRIVATE_KEY, r),
                                 .bearer = secret_of(x, BEARER, r),
                                 .client_pem = or_null(row->client_pem),
                                 .client_key_pem = secret_of(x, CLIENT_KEY, r),
                                 .plain_allowed = row->plain_allowed,
                                 .mail = &mail };
    bool local;

    for (size_t i = 0; i < 3; i++)
        cut(copies[i], x->addresses[i]);
    enum emt_err err = delivery_kind_parse(row->kind, &t.kind)
                           ? EMT_OK
                           : emt_fail(&diag, EMT_EMALFORMED, "kind: is needed");
    local = err == EMT_OK && t.kind == DELIVERY_LOCAL;
    if (err == EMT_OK && *row->name == '\0')
        err = emt_fail(&diag, EMT_EMALFORMED, "name: is needed");
    if (err == EMT_OK && local && strstr(row->path, "..") != NULL)
        err = emt_fail(&diag, EMT_EMALFORMED, "path: leads out of its folder");
    /* "emt": the certificate of the market participant, with its own key. */
    bool own_pair = *row->sign_pem != '\0' && strcmp(row->sign_pem, "emt") != 0;
    if (err == EMT_OK && own_pair != (secret_of(x, SIGN_KEY, r) != NULL))
        err = emt_fail(&diag, EMT_EMALFORMED, "sign_key: certificate and key belong together");
    /* A local path stands below the operator's folder. */
    snprintf(path, sizeof path, "/%s", row->path);
    if (local)
        t.path = path;
    if (err == EMT_OK)
        err = delivery_check(&t, &diag);
    for (size_t i = 0; i < 3; i++)
        free(copies[i]);
    if (err == EMT_OK)
        return true;
    api_problem(c, 400, "invalid", diag.key[0] != '\0' ? diag.key : NULL, "%s%s%s", diag.key,
                diag.key[0] != '\0' ? ": " : "", diag.text);
    return false;
}

/* What a server is shown goes to the one it was given for: who may point the target elsewhere must
 * not get to read it there. False: answered. */
static bool stays_in_place(struct api_call *c, const struct change *x, const struct store_result *r)
{
    static const enum member shown[] = { PASSWORD, BEARER };
    const struct target_row *row = &x->row;

    if (strcmp(row->kind, c_text(r, 0, TARGET_KIND)) == 0 &&
        strcasecmp(row->host, c_text(r, 0, TARGET_HOST)) == 0 &&
        row->port == c_int(r, 0, TARGET_PORT))
        return true;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const char *name = fields[shown[i]].name;

        if (!x->v[shown[i]].present && secret_of(x, shown[i], r) != NULL) {
            api_problem(c, 400, "invalid", name,
                        "%s: is needed again, or null, where kind, host or port change", name);
            return false;
        }
    }
    return true;
}

static enum emt_err keep_secret(struct api_call *c, const struct seal_key *key, int64_t id,
                                const char *purpose, const char *secret)
{
    uint8_t blob[4 * SECRET_MOST + SEAL_OVERHEAD];
    size_t n = 0;
    char row[32];
    struct seal_place place = { c->tenant, "delivery_target", row, purpose };

    if (secret == NULL)
        return target_secret_set(c->store, c->tenant, id, purpose, NULL, 0);
    snprintf(row, sizeof row, "%lld", (long long)id);
    enum emt_err err = seal_wrap(key, &place, secret, strlen(secret), blob, &n);
    return err == EMT_OK ? target_secret_set(c->store, c->tenant, id, purpose, blob, n) : err;
}

static enum emt_err keep_secrets(struct api_call *c, const struct change *x, int64_t id)
{
    struct seal_key key = { 0 };
    enum emt_err err = api_data_key(c, &key);

    for (unsigned m = FIRST_SECRET; err == EMT_OK && m < MEMBERS; m++) {
        if (x->v[m].present)
            err = keep_secret(c, &key, id, purposes[m - FIRST_SECRET],
                              x->v[m].null ? NULL : x->v[m].text);
    }
    seal_key_wipe(&key);
    return err;
}

static void change_release(struct change *x)
{
    for (size_t i = 0; i < 3; i++)
        free(x->lists[i]);
}

enum emt_err api_target_create(struct api_call *c)
{
    struct change x = { .v = { { .present = false } } };
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, fields, MEMBERS, x.v, &body, &ok);
    if (!ok)
        return EMT_OK;
    merge(c, &x, NULL);
    if (c->status == 0 && is_complete(c, &x, NULL)) {
        err = target_insert(c->store, c->tenant, &x.row, &id);
        if (err == EMT_OK)
            err = keep_secrets(c, &x, id);
        if (err == EMT_OK)
            err = api_audit(c, "target.create", x.row.name, "target %lld, %s", (long long)id,
                            x.row.kind);
        if (err == EMT_OK)
            err = answer_target(c, 201, id);
        else if (err == EMT_ELIMIT)
            err = api_problem(c, 409, "conflict", NULL, "there are %d targets, as many as may be",
                              TARGETS_MOST);
        else
            err = api_store_problem(c, err, "target");
    }
    change_release(&x);
    api_body_wipe(body);
    return err;
}

static enum emt_err update(struct api_call *c, struct change *x, int64_t id,
                           const struct store_result *r)
{
    merge(c, x, r);
    if (c->status != 0 || !is_complete(c, x, r) || !stays_in_place(c, x, r))
        return EMT_OK;
    enum emt_err err = target_update(c->store, c->tenant, id, &x->row);
    if (err == EMT_OK)
        err = keep_secrets(c, x, id);
    if (err == EMT_OK)
        err = api_audit(c, "target.update", x->row.name, "target %lld", (long long)id);
    return err == EMT_OK ? answer_target(c, 200, id) : api_store_problem(c, err, "target");
}

enum emt_err api_target_update(struct api_call *c)
{
    struct change x = { .v = { { .present = false } } };
    struct store_result *r = NULL;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "target", &id))
        return EMT_OK;
    api_body(c, fields, MEMBERS, x.v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = target_lock(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = target_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        err = api_store_problem(c, err, "target");
    else if (api_if_match(c, target_json(r, 0), NULL))
        err = update(c, &x, id, r);
    store_result_free(r);
    change_release(&x);
    api_body_wipe(body);
    return err;
}

enum emt_err api_target_delete(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "target", &id))
        return EMT_OK;
    enum emt_err err = target_lock(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = target_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "target");
    bool unchanged = api_if_match(c, target_json(r, 0), NULL);
    store_result_free(r);
    if (!unchanged)
        return EMT_OK;
    err = target_delete(c->store, c->tenant, id);
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL,
                           "a schedule or a delivery names this target: it stays for the record");
    if (err == EMT_OK)
        err = api_audit(c, "target.delete", c->param[0], "target %lld", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "target");
}

/* A sample goes there; the job's result tells how. */
enum emt_err api_target_test(struct api_call *c)
{
    struct store_result *r = NULL;
    char payload[48];
    char dedupe[32];
    int64_t id = 0;
    int64_t job = 0;

    if (!api_param_number(c, 0, "target", &id))
        return EMT_OK;
    enum emt_err err = target_get(c->store, c->tenant, id, &r);
    store_result_free(r);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)id);
    snprintf(dedupe, sizeof dedupe, "%lld", (long long)id); /* the path may say 007 */
    if (err == EMT_OK)
        err = job_store_order(c->store, c->tenant, "delivery-test", dedupe, payload, EMT_TIME_NONE,
                              c->who.actor, &job);
    if (err == EMT_OK)
        err = api_audit(c, "target.test", dedupe, "job %lld", (long long)job);
    c->wake = true;
    return err == EMT_OK ? api_job_accepted(c, job) : api_store_problem(c, err, "target");
}
