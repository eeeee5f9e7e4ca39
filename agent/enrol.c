/* POST /api/v1/enrol {"token","csr"} → 201
 * {"gateway","tenant","certificate","ca","field":[],"field13":[]}.
 *
 * The key is written before the request, so that an answer is never without its key; agent.yaml
 * comes last: a folder with it is complete. */
#include "agent/enrol.h"

#include "agent/endpoint.h"
#include "agent/gateway_config.h"
#include "agent/https.h"
#include "agent/json_pick.h"
#include "base/cipher.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/writer.h"
#include "pki/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ENROL_PATH "/api/v1/enrol"
#define PEM_MAX 32768u

struct answer {
    char gateway[GATEWAY_NAME_MAX];
    char tenant[GATEWAY_NAME_MAX];
    char certificate[PEM_MAX];
    char ca[PEM_MAX];
};

static enum emt_err write_in(const char *dir, const char *name, const void *p, size_t n,
                             mode_t mode, struct emt_diag *diag)
{
    char path[GATEWAY_PATH_MAX];
    enum emt_err err = file_join(path, sizeof path, dir, name);

    return err == EMT_OK ? file_write(path, p, n, mode, diag)
                         : emt_fail(diag, err, "%s: path too long", name);
}

static enum emt_err check_folder(const char *dir, struct emt_diag *diag)
{
    char path[GATEWAY_PATH_MAX];
    enum emt_err err = file_mkdirs(dir, 0700, diag);

    if (err != EMT_OK)
        return err;
    err = file_join(path, sizeof path, dir, "agent.yaml");
    if (err != EMT_OK)
        return emt_fail(diag, err, "path too long");
    if (access(path, F_OK) == 0)
        return emt_fail(diag, EMT_ECONFLICT, "%.250s: this folder holds an enrolled gateway", path);
    return EMT_OK;
}

/* Title and detail of application/problem+json (RFC 9457), or the bare status. */
static enum emt_err refusal(unsigned status, const struct writer *body, struct emt_diag *diag)
{
    char title[160], detail[200];
    const char *text = (const char *)body->data;

    if (json_pick_text(text, body->len, "title", title, sizeof title) != EMT_OK)
        return emt_fail(diag, EMT_ESTATE, "the head-end answered %u", status);
    if (json_pick_text(text, body->len, "detail", detail, sizeof detail) != EMT_OK)
        return emt_fail(diag, EMT_ESTATE, "the head-end answered %u: %s", status, title);
    return emt_fail(diag, EMT_ESTATE, "the head-end answered %u: %s: %s", status, title, detail);
}

static enum emt_err pick(const struct writer *body, const char *key, char *out, size_t cap,
                         struct emt_diag *diag)
{
    enum emt_err err = json_pick_text((const char *)body->data, body->len, key, out, cap);

    if (err != EMT_OK || !*out)
        return emt_fail(diag, EMT_EMALFORMED, "the answer has no usable \"%s\" (%s)", key,
                        emt_err_name(err));
    return EMT_OK;
}

static enum emt_err read_answer(const struct writer *body, struct answer *a, struct emt_diag *diag)
{
    struct leaf_info leaf;
    enum emt_err err = pick(body, "gateway", a->gateway, sizeof a->gateway, diag);

    if (err == EMT_OK)
        err = pick(body, "tenant", a->tenant, sizeof a->tenant, diag);
    if (err == EMT_OK)
        err = pick(body, "certificate", a->certificate, sizeof a->certificate, diag);
    if (err == EMT_OK)
        err = pick(body, "ca", a->ca, sizeof a->ca, diag);
    if (err == EMT_OK)
        err = certificate_info(a->certificate, strlen(a->certificate), &leaf, diag);
    if (err == EMT_OK)
        err = certificate_info(a->ca, strlen(a->ca), &leaf, diag);
    return err;
}

/* "name:" and the addresses of the answer as a YAML list; each must be an address, so nothing of it
 * needs quoting but the brackets. */
static enum emt_err put_addresses(struct writer *w, const char *name, const char *key,
                                  const struct writer *body, size_t *n, struct emt_diag *diag)
{
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint e;

    for (*n = 0; *n < GATEWAY_ENDPOINTS_MAX; (*n)++) {
        enum emt_err err =
            json_pick_element((const char *)body->data, body->len, key, *n, text, sizeof text);
        if (err == EMT_ENOTFOUND)
            break;
        if (err != EMT_OK || endpoint_parse(text, &e) != EMT_OK)
            return emt_fail(diag, EMT_EMALFORMED, "the answer has no usable \"%s\"", key);
        if (*n == 0)
            writer_printf(w, "%s:\n", name);
        writer_text(w, "  - ");
        json_put_cstr(w, text);
        writer_text(w, "\n");
    }
    return EMT_OK;
}

static void put_member(struct writer *w, const char *key, const char *text)
{
    writer_printf(w, "%s: ", key);
    json_put_cstr(w, text); /* a JSON string is a YAML string */
    writer_text(w, "\n");
}

static enum emt_err write_config(const struct enrol_request *r, const struct answer *a,
                                 const struct writer *body, struct emt_diag *diag)
{
    struct writer w;
    size_t lean = 0, modern = 0;

    writer_init_heap(&w, 65536);
    writer_text(&w, "# Written by emt-agent enrol; the keys are explained in docs/agent.md.\n");
    put_member(&w, "gateway", a->gateway);
    put_member(&w, "tenant", a->tenant);
    if (r->serial)
        put_member(&w, "serial", r->serial);
    enum emt_err err = put_addresses(&w, "addresses", "field", body, &lean, diag);
    if (err == EMT_OK)
        err = put_addresses(&w, "addresses_tls13", "field13", body, &modern, diag);
    if (err == EMT_OK && (strcmp(r->tls, "1.3") == 0 ? modern : lean) == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "the answer names no address for TLS %s", r->tls);
    put_member(&w, "tls", r->tls);
    if (err == EMT_OK && w.failed)
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK)
        err = write_in(r->dir, "agent.yaml", w.data, w.len, 0644, diag);
    writer_release(&w);
    return err;
}

static enum emt_err store(const struct enrol_request *r, const struct writer *body,
                          struct emt_diag *diag)
{
    struct answer *a = calloc(1, sizeof *a);
    enum emt_err err = a ? read_answer(body, a, diag) : EMT_ENOMEM;

    if (err == EMT_OK)
        err = write_in(r->dir, "gateway.pem", a->certificate, strlen(a->certificate), 0644, diag);
    if (err == EMT_OK)
        err = write_in(r->dir, "ca.pem", a->ca, strlen(a->ca), 0644, diag);
    if (err == EMT_OK)
        err = write_config(r, a, body, diag);
    free(a);
    return err;
}

static enum emt_err ask(const struct enrol_request *r, const struct endpoint *server,
                        const struct writer *csr, struct emt_diag *diag)
{
    struct writer request, body;
    unsigned status = 0;

    writer_init_heap(&request, HTTPS_BODY_MAX);
    writer_init_heap(&body, HTTPS_BODY_MAX);
    writer_text(&request, "{\"token\":");
    json_put_cstr(&request, r->token);
    writer_text(&request, ",\"csr\":");
    json_put_string(&request, (const char *)csr->data, csr->len);
    writer_text(&request, "}");
    enum emt_err err = request.failed ? emt_fail(diag, EMT_ENOMEM, "out of memory") : EMT_OK;
    if (err == EMT_OK)
        err = https_post_json(server, r->pin, ENROL_PATH, (const char *)request.data, request.len,
                              &status, &body, diag);
    if (err == EMT_OK)
        err = status == 201 ? store(r, &body, diag) : refusal(status, &body, diag);
    if (request.data)
        cipher_wipe(request.data, request.len); /* the token */
    writer_release(&request);
    writer_release(&body);
    return err;
}

enum emt_err enrol(const struct enrol_request *r, struct emt_diag *diag)
{
    struct endpoint server;
    struct writer key, csr;

    if (https_parse_url(r->server, &server) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "\"%.100s\" is no https://host:port", r->server);
    enum emt_err err = check_folder(r->dir, diag);
    if (err != EMT_OK)
        return err;
    writer_init_heap(&key, PEM_MAX);
    writer_init_heap(&csr, PEM_MAX);
    /* The subject of the request is not used: the head-end writes the names that belong to the
     * token. */
    err = csr_new(r->key, "gateway", &key, &csr, diag);
    if (err == EMT_OK)
        err = write_in(r->dir, "gateway.key", key.data, key.len, 0600, diag);
    if (err == EMT_OK)
        err = ask(r, &server, &csr, diag);
    if (key.data)
        cipher_wipe(key.data, key.len);
    writer_release(&key);
    writer_release(&csr);
    return err;
}
