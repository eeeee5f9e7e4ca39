#include "api_idempotency.h"

#include "api_route.h"
#include "base/cipher.h"
#include "base/log.h"
#include "store/idempotency_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define HEADER "Idempotency-Key"
#define KEY_MAX 128
#define ANSWER_MAX (8u << 20) /* larger ones are told to be too large to repeat */

enum { HASH, STATE, STATUS, CONTENT_TYPE, LOCATION, ETAG, BODY };

bool api_is_idempotent(const struct api_call *c, const struct api_route *route)
{
    bool heeds = route->access == ACCESS_TENANT || route->access == ACCESS_TENANT_OPEN ||
                 route->handle == api_tenant_create;

    return heeds && route->method == HTTP_POST && http_request_header(c->req, HEADER) != NULL;
}

static void hash_request(const struct api_call *c, uint8_t out[32])
{
    const char *method = http_method_name(http_request_method(c->req));
    const char *path = http_request_path(c->req);
    uint8_t parts[3 * 32];
    size_t n = 0;
    const uint8_t *body = http_request_body(c->req, &n);

    cipher_sha256(method, strlen(method), parts);
    cipher_sha256(path, strlen(path), parts + 32);
    cipher_sha256(n > 0 ? body : (const uint8_t *)"", n, parts + 64);
    cipher_sha256(parts, sizeof parts, out);
}

/* False: the problem is answered. */
static bool read_key(struct api_call *c, struct idempotency *i)
{
    const char *key = http_request_header(c->req, HEADER);
    size_t n = strlen(key);
    bool good = n >= 1 && n <= KEY_MAX;

    for (size_t k = 0; good && k < n; k++)
        good = key[k] > 0x20 && key[k] < 0x7f;
    if (!good) {
        api_problem(c, 400, "invalid", HEADER, HEADER ": must be 1 to %d visible ASCII characters",
                    KEY_MAX);
        return false;
    }
    *i = (struct idempotency){
        .tenant = c->tenant, .principal = c->who.actor, .key = key, .now = c->now
    };
    hash_request(c, i->request_hash);
    return true;
}

static enum emt_err repeat(struct api_call *c, const struct idempotency *i,
                           const struct store_result *r)
{
    size_t n = 0;
    const uint8_t *hash = c_bytes(r, 0, HASH, &n);

    if (n != sizeof i->request_hash || memcmp(hash, i->request_hash, n) != 0)
        return api_problem(c, 422, "idempotency", HEADER, HEADER ": was used for another request");
    switch ((enum idempotency_state)c_int(r, 0, STATE)) {
    case IDEMPOTENCY_BEGUN:
        return api_problem(c, 409, "idempotency", HEADER,
                           HEADER ": the first request did not end; look whether it worked");
    case IDEMPOTENCY_SECRET:
        return api_problem(c, 409, "idempotency", HEADER,
                           HEADER ": the answer held a secret and was shown once");
    case IDEMPOTENCY_ANSWERED:
        break;
    }
    const uint8_t *body = c_bytes(r, 0, BODY, &n);
    struct writer *w = http_response_body(c->out);
    writer_clear(w);
    if (n > 0 && !writer_bytes(w, body, n))
        return EMT_ENOMEM;
    c->status = (unsigned)c_int(r, 0, STATUS);
    c->content_type = c_null(r, 0, CONTENT_TYPE) ? NULL : "application/json";
    snprintf(c->location, sizeof c->location, "%s", c_text(r, 0, LOCATION));
    snprintf(c->etag, sizeof c->etag, "%s", c_text(r, 0, ETAG));
    c->replayed = true;
    return EMT_OK;
}

/* Takes the key's lock. *go: the handler shall run; else the answer is given. */
static enum emt_err first_time(struct api_call *c, struct store *s, const struct idempotency *i,
                               bool session, bool *mine, bool *go)
{
    struct store_result *r = NULL;
    enum emt_err err = idempotency_lock(s, i, session, mine);

    *go = false;
    if (err != EMT_OK)
        return api_store_problem(c, err, HEADER);
    if (!*mine)
        return api_problem(c, 409, "idempotency", HEADER,
                           HEADER ": a request with this key is running");
    err = idempotency_find(s, i, &r);
    if (err == EMT_ENOTFOUND) {
        *go = true;
        return EMT_OK;
    }
    if (err != EMT_OK)
        return api_store_problem(c, err, HEADER);
    err = repeat(c, i, r);
    store_result_free(r);
    return err;
}

static enum emt_err keep_answer(struct api_call *c, struct store *s, const struct idempotency *i)
{
    const struct writer *w = http_response_body(c->out);
    bool secret = c->shown_once || w->len > ANSWER_MAX;
    struct idempotency_answer a = { .state = secret ? IDEMPOTENCY_SECRET : IDEMPOTENCY_ANSWERED,
                                    .status = c->status,
                                    .content_type = c->content_type,
                                    .location = c->location[0] ? c->location : NULL,
                                    .etag = c->etag[0] ? c->etag : NULL,
                                    .body = secret ? NULL : w->data,
                                    .len = w->len };

    return idempotency_keep(s, i, &a);
}

static bool worked(const struct api_call *c, enum emt_err err)
{
    return err == EMT_OK && c->status >= 200 && c->status < 400;
}

enum emt_err api_idempotent_inside(struct api_call *c, const struct api_route *route,
                                   struct store *s)
{
    struct idempotency i;
    bool mine = false;
    bool go = false;

    if (!read_key(c, &i))
        return EMT_OK;
    enum emt_err err = first_time(c, s, &i, false, &mine, &go);
    if (err != EMT_OK || !go)
        return err;
    err = route->handle(c);
    if (!worked(c, err))
        return err;
    err = keep_answer(c, s, &i);
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, HEADER);
}

/* In a transaction of its own. */
static enum emt_err note(struct api_call *c, struct store *s, const struct idempotency *i,
                         bool done)
{
    const struct idempotency_answer begun = { .state = IDEMPOTENCY_BEGUN };
    enum emt_err err = store_begin(s, c->tenant);

    if (err == EMT_OK && !done)
        err = idempotency_keep(s, i, &begun);
    else if (err == EMT_OK && worked(c, EMT_OK))
        err = keep_answer(c, s, i);
    else if (err == EMT_OK)
        err = idempotency_forget(s, i);
    if (err == EMT_OK)
        return store_commit(s);
    store_rollback(s);
    return err;
}

static enum emt_err around_locked(struct api_call *c, const struct api_route *route,
                                  struct store *s, const struct idempotency *i)
{
    enum emt_err err = note(c, s, i, false);

    if (err != EMT_OK)
        return api_store_problem(c, err, HEADER);
    err = route->handle(c);
    if (err != EMT_OK)
        c->status = 500; /* nothing that could be repeated; also not that it failed */
    /* What was done is done and told; only a repetition will not know it. */
    enum emt_err kept = c->status >= 500 ? EMT_OK : note(c, s, i, true);
    if (kept != EMT_OK)
        LOG_WARN("answer-not-kept", LOG_S("request", http_request_id(c->req)),
                 LOG_S("error", emt_err_name(kept)));
    return err;
}

enum emt_err api_idempotent_around(struct api_call *c, const struct api_route *route,
                                   struct store *s)
{
    struct idempotency i;
    bool mine = false;
    bool go = false;

    if (!read_key(c, &i))
        return EMT_OK;
    enum emt_err err = store_begin(s, c->tenant);
    if (err != EMT_OK)
        return api_store_problem(c, err, HEADER);
    err = first_time(c, s, &i, true, &mine, &go);
    store_rollback(s);
    if (err == EMT_OK && go)
        err = around_locked(c, route, s, &i);
    /* Without it the lock lives as long as the connection. */
    if (mine && !store_is_broken(s) && idempotency_unlock(s, &i) != EMT_OK)
        LOG_WARN("idempotency-lock-stays", LOG_S("request", http_request_id(c->req)));
    return err;
}
