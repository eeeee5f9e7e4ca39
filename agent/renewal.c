#include "renewal.h"

#include "agent/uplink_client.h"
#include "base/cipher.h"
#include "base/file.h"
#include "base/log.h"
#include "pki/tls_context.h"
#include "pki/trust.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MAX 65536u
#define KEY_BEGINS "-----BEGIN PRIVATE KEY-----"
/* The head-end's CA dates certificates back by this (pki/authority.h): it is no part of their life.
 */
#define BACKDATE (5 * EMT_MINUTE)
#define LOOK_MOST_S 60
#define ANSWER_MS 60000
#define RETRY_LEAST_MS 5000
#define RETRY_MOST_MS 86400000

struct renewal {
    const struct gateway_config *config;
    struct uplink_client *client;
    struct event *timer;
    emt_time due;
    int64_t ask_at_ms; /* not before: monotonic */
    bool asked;
    struct writer key; /* of the request under way */
};

/* --- files --- */

static void path_of(const struct gateway_config *c, char out[GATEWAY_PATH_MAX + 16])
{
    snprintf(out, GATEWAY_PATH_MAX + 16, "%s.renewed", c->certificate);
}

static void key_forget(struct writer *w)
{
    if (w->data)
        cipher_wipe(w->data, w->len);
    writer_release(w);
    writer_init_heap(w, PEM_MAX);
}

static enum emt_err make_tls(const struct gateway_config *c, const char *chain, size_t chain_len,
                             const char *key, size_t key_len, struct tls_context **out,
                             struct emt_diag *diag)
{
    struct trust *trust = trust_new();
    char *ca = NULL;
    size_t ca_len = 0;
    enum emt_err err = trust ? file_read(c->ca, PEM_MAX, &ca, &ca_len, diag) : EMT_ENOMEM;

    if (err == EMT_OK)
        err = trust_add_pem(trust, ca, ca_len, diag);
    if (err == EMT_OK) {
        struct tls_settings settings = { .profile = TLS_PROFILE_AGENT,
                                         .chain_pem = chain,
                                         .chain_len = chain_len,
                                         .key_pem = key,
                                         .key_len = key_len,
                                         .trust = trust,
                                         .session_cache = c->no_resume ? 0 : 1 };
        err = tls_context_new(&settings, out, diag);
    }
    free(ca);
    trust_unref(trust);
    return err;
}

/* Replaces both files by what the pair's file says. */
static enum emt_err roll_forward(const struct gateway_config *c, const char *path, const char *pair,
                                 size_t n, struct emt_diag *diag)
{
    const char *key = strstr(pair, KEY_BEGINS);
    struct tls_context *tls = NULL;

    if (!key)
        return emt_fail(diag, EMT_EMALFORMED, "%.200s holds no key", path);
    size_t chain_len = (size_t)(key - pair);
    enum emt_err err = make_tls(c, pair, chain_len, key, n - chain_len, &tls, diag);
    tls_context_unref(tls); /* NULL is fine */
    if (err == EMT_OK)
        err = file_write(c->key, key, n - chain_len, 0600, diag);
    if (err == EMT_OK)
        err = file_write(c->certificate, pair, chain_len, 0644, diag);
    if (err == EMT_OK && unlink(path) != 0)
        err = emt_fail(diag, EMT_EIO, "%.200s: %s", path, strerror(errno));
    return err;
}

/* A pair that is of no use is put aside: what was before it still serves. */
static enum emt_err recover(const struct gateway_config *c, struct emt_diag *diag)
{
    char path[GATEWAY_PATH_MAX + 16], aside[GATEWAY_PATH_MAX + 32];
    char *pair = NULL;
    size_t n = 0;

    path_of(c, path);
    /* The usual case leaves no word in diag. */
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return EMT_OK;
    enum emt_err err = file_read(path, 2 * PEM_MAX, &pair, &n, diag);
    if (err == EMT_OK)
        err = roll_forward(c, path, pair, n, diag);
    if (pair)
        cipher_wipe(pair, n);
    free(pair);
    if (err == EMT_OK) {
        LOG_NOTICE("certificate-replaced", LOG_S("gateway", c->gateway));
        return EMT_OK;
    }
    if (emt_err_class(err) != EMT_CLASS_REJECT)
        return err;
    snprintf(aside, sizeof aside, "%s.damaged", path);
    LOG_ERROR("certificate-not-replaced", LOG_S("gateway", c->gateway),
              LOG_S("reason", diag ? diag->text : NULL), LOG_S("moved_to", aside));
    return rename(path, aside) == 0 ? EMT_OK
                                    : emt_fail(diag, EMT_EIO, "%.200s: %s", path, strerror(errno));
}

enum emt_err renewal_load_tls(const struct gateway_config *c, struct tls_context **out,
                              struct emt_diag *diag)
{
    char *key = NULL, *chain = NULL;
    size_t key_len = 0, chain_len = 0;
    enum emt_err err = recover(c, diag);

    if (err == EMT_OK)
        err = file_read(c->key, PEM_MAX, &key, &key_len, diag);
    if (err == EMT_OK)
        err = file_read(c->certificate, PEM_MAX, &chain, &chain_len, diag);
    if (err == EMT_OK)
        err = make_tls(c, chain, chain_len, key, key_len, out, diag);
    if (key)
        cipher_wipe(key, key_len);
    free(key);
    free(chain);
    return err;
}

/* --- time --- */

emt_time renewal_due(const struct leaf_info *leaf)
{
    int64_t life = leaf->not_after - leaf->not_before - BACKDATE;
    int64_t third = life > 0 ? life / 3 : 0;
    int64_t chance = leaf->fingerprint[0] * 256 + leaf->fingerprint[1];

    /* The last tenth of the first two thirds. */
    return leaf->not_after - third - third / 5 * chance / 65536;
}

static enum emt_err read_due(struct renewal *r, struct emt_diag *diag)
{
    struct leaf_info leaf;
    char *chain = NULL;
    size_t n = 0;
    enum emt_err err = file_read(r->config->certificate, PEM_MAX, &chain, &n, diag);

    if (err == EMT_OK)
        err = certificate_info(chain, n, &leaf, diag);
    free(chain);
    if (err == EMT_OK)
        r->due = renewal_due(&leaf);
    return err;
}

static void wait(struct renewal *r)
{
    int64_t left_s = (r->due - uplink_client_time(r->client)) / EMT_SECOND / 4;
    struct timeval tv = { 1, 0 };

    if (left_s > LOOK_MOST_S)
        left_s = LOOK_MOST_S;
    if (left_s > 1)
        tv.tv_sec = (time_t)left_s;
    event_add(r->timer, &tv);
}

/* --- asking --- */

/* The new key is of the old one's kind: a change of curve is a new enrolment. */
static enum emt_err new_key(struct renewal *r, struct writer *csr, struct emt_diag *diag)
{
    enum key_kind kind = KEY_P256;
    char *old = NULL;
    size_t n = 0;
    enum emt_err err = file_read(r->config->key, PEM_MAX, &old, &n, diag);

    if (err == EMT_OK)
        err = key_kind_of_pem(old, n, &kind);
    if (old)
        cipher_wipe(old, n);
    free(old);
    key_forget(&r->key);
    return err == EMT_OK ? csr_new(kind, "gateway", &r->key, csr, diag) : err;
}

static void ask(struct renewal *r)
{
    struct emt_diag diag = { 0 };
    struct writer csr;

    writer_init_heap(&csr, PEM_MAX);
    enum emt_err err = new_key(r, &csr, &diag);
    r->ask_at_ms = clock_mono_ms() + ANSWER_MS;
    if (err != EMT_OK)
        LOG_ERROR("certificate-request", LOG_S("gateway", r->config->gateway),
                  LOG_S("reason", diag.text));
    else
        r->asked = uplink_client_request_certificate(r->client, csr.data, csr.len);
    writer_release(&csr);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct renewal *r = arg;

    (void)fd;
    (void)what;
    if (uplink_client_time(r->client) >= r->due && clock_mono_ms() >= r->ask_at_ms &&
        uplink_client_may_renew(r->client))
        ask(r);
    wait(r);
}

static enum emt_err take(struct renewal *r, const struct uplink_certificate_issued *a,
                         struct tls_context **tls, struct emt_diag *diag)
{
    const char *chain = (const char *)a->chain;
    struct leaf_info leaf;
    struct writer pair;
    char path[GATEWAY_PATH_MAX + 16];
    enum emt_err err = certificate_info(chain, a->len, &leaf, diag);

    if (err == EMT_OK)
        err = make_tls(r->config, chain, a->len, (const char *)r->key.data, r->key.len, tls, diag);
    if (err != EMT_OK)
        return err;
    path_of(r->config, path);
    writer_init_heap(&pair, 3 * PEM_MAX);
    writer_bytes(&pair, chain, a->len);
    writer_bytes(&pair, r->key.data, r->key.len);
    err = pair.failed ? EMT_ENOMEM : file_write(path, pair.data, pair.len, 0600, diag);
    if (pair.data)
        cipher_wipe(pair.data, pair.len);
    writer_release(&pair);
    if (err == EMT_OK)
        err = recover(r->config, diag);
    return err == EMT_OK ? read_due(r, diag) : err;
}

bool renewal_answer(struct renewal *r, const struct uplink_certificate_issued *a)
{
    struct emt_diag diag = { 0 };
    struct tls_context *tls = NULL;
    int64_t wait_ms = a->retry_after_ms;

    if (!r->asked)
        return false; /* of an earlier request that took too long */
    r->asked = false;
    if (wait_ms < RETRY_LEAST_MS)
        wait_ms = RETRY_LEAST_MS;
    r->ask_at_ms = clock_mono_ms() + (wait_ms < RETRY_MOST_MS ? wait_ms : RETRY_MOST_MS);
    if (a->len == 0) {
        LOG_WARN("certificate-refused", LOG_S("gateway", r->config->gateway),
                 LOG_S("reason", a->reason));
        key_forget(&r->key);
        return false;
    }
    enum emt_err err = take(r, a, &tls, &diag);
    key_forget(&r->key);
    if (err != EMT_OK)
        LOG_ERROR("certificate-not-taken", LOG_S("gateway", r->config->gateway),
                  LOG_S("reason", diag.text));
    else
        uplink_client_set_tls(r->client, tls);
    tls_context_unref(tls); /* NULL is fine */
    return err == EMT_OK;
}

void renewal_look(struct renewal *r)
{
    struct timeval now = { 0, 0 };

    event_add(r->timer, &now);
}

/* --- life --- */

enum emt_err renewal_new(const struct gateway_config *c, struct event_base *base,
                         struct uplink_client *client, struct renewal **out, struct emt_diag *diag)
{
    struct renewal *r = calloc(1, sizeof *r);

    if (!r)
        return EMT_ENOMEM;
    r->config = c;
    r->client = client;
    writer_init_heap(&r->key, PEM_MAX);
    r->timer = evtimer_new(base, on_timer, r);
    enum emt_err err = r->timer ? read_due(r, diag) : EMT_ENOMEM;
    if (err != EMT_OK) {
        renewal_free(r);
        return err;
    }
    wait(r);
    *out = r;
    return EMT_OK;
}

void renewal_free(struct renewal *r)
{
    if (!r)
        return;
    if (r->timer)
        event_free(r->timer);
    key_forget(&r->key);
    writer_release(&r->key);
    free(r);
}
