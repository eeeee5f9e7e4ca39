#include "pki/tls_context.h"

#include "base/reader.h"
#include "certificate.h"
#include "key.h"
#include "pki/trust.h"
#include "tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* 48 h: TR-03116-3 for the WAN. */
#define SESSION_AGE_MAX_MS INT64_C(172800000)

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static int bio_write(BIO *b, const char *p, int n)
{
    const struct tls_conn *c = BIO_get_data(b);
    ssize_t r = send(c->fd, p, (size_t)n, MSG_NOSIGNAL);

    BIO_clear_retry_flags(b);
    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(b);
    return (int)r;
}

static int bio_read(BIO *b, char *p, int n)
{
    const struct tls_conn *c = BIO_get_data(b);
    ssize_t r = recv(c->fd, p, (size_t)n, 0);

    BIO_clear_retry_flags(b);
    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(b);
    return (int)r;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *p)
{
    (void)b;
    (void)num;
    (void)p;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "emt descriptor");

    if (m && BIO_meth_set_create(m, bio_create) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
        BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

static bool set_algorithms(SSL_CTX *ssl, const struct profile *p)
{
    return SSL_CTX_set_min_proto_version(ssl, p->least) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, p->most) == 1 &&
           SSL_CTX_set_cipher_list(ssl, p->suites_12) == 1 &&
           (!p->suites_13 || SSL_CTX_set_ciphersuites(ssl, p->suites_13) == 1) &&
           (!p->groups || SSL_CTX_set1_groups_list(ssl, p->groups) == 1) &&
           (!p->signatures || SSL_CTX_set1_sigalgs_list(ssl, p->signatures) == 1) &&
           (!p->peer_signatures || SSL_CTX_set1_client_sigalgs_list(ssl, p->peer_signatures) == 1);
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    const struct tls_context *ctx = arg;
    struct tls_conn *c = SSL_get_app_data(ssl);
    const struct profile *p = profile_of(ctx->profile);
    unsigned char *chosen = NULL;

    if (SSL_select_next_proto(&chosen, out_len, p->alpn, p->alpn_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        (void)conn_blame(c, EMT_EMALFORMED, "no common alpn");
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* supported_versions (RFC 8446, 4.2.1): length u8, versions u16 each. A client without it is one of
 * TLS 1.2 at most. */
static bool offers_tls12(SSL *ssl)
{
    const uint8_t *p = NULL;
    size_t n = 0;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) != 1)
        return true;
    for (size_t i = 1; i + 1 < n; i += 2) {
        if (p[i] == 0x03 && p[i + 1] == 0x03)
            return true;
    }
    return false;
}

/* The name that the client asks for (RFC 6066, 3): list u16, type u8, name u16. Lower case, "" for
 * none. */
static void asked_name(SSL *ssl, char out[SERVER_NAME_MAX + 1])
{
    const uint8_t *ext = NULL;
    size_t n = 0;

    out[0] = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &n) != 1)
        return;
    struct reader r = reader_of(ext, n);
    reader_skip(&r, 2);
    uint8_t type = reader_u8(&r);
    size_t len = (size_t)reader_be(&r, 2);
    if (type != TLSEXT_NAMETYPE_host_name || len > SERVER_NAME_MAX || !reader_copy(&r, out, len))
        len = 0;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] - 'A' + 'a' : out[i]);
    out[len] = 0;
}

/* Sessions are resumed under the name only that they began with, where each tenant has a name of
 * its own. It must happen here: the session is looked up before the callback for names runs
 * (decision 15). Sessions of another certificate of ours are not resumed either. */
static bool set_session_context(const struct tls_context *ctx, SSL *ssl)
{
    char name[SERVER_NAME_MAX + 1];
    uint8_t id[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    asked_name(ssl, name);
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, ctx->own, sizeof ctx->own) == 1 &&
              EVP_DigestUpdate(md, name, strlen(name)) == 1 &&
              EVP_DigestFinal_ex(md, id, NULL) == 1 &&
              SSL_set_session_id_context(ssl, id, sizeof id) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

/* Runs before the session look-up and before any key operation: who cannot be served is sent away
 * cheaply. */
static int hello_seen(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *ctx = arg;
    struct tls_conn *c = SSL_get_app_data(ssl);
    const uint8_t *ext = NULL;
    size_t n = 0;

    c->hello_seen = true;
    if (ctx->profile == TLS_PROFILE_FIELD_12 && !offers_tls12(ssl)) {
        (void)conn_blame(c, EMT_EMALFORMED, "no common version");
        *alert = SSL_AD_PROTOCOL_VERSION;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (profile_needs_alpn(ctx->profile) &&
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext,
                                  &n) != 1) {
        (void)conn_blame(c, EMT_EMALFORMED, "no common alpn");
        *alert = TLS1_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!set_session_context(ctx, ssl)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* In the place of OpenSSL's own verification: an X509_STORE_CTX of ours leaves no verified chain
 * behind in the connection, and the identity goes into the session while it is being made, before
 * TLS 1.3 copies the session into tickets. */
static int verify_peer(X509_STORE_CTX *store_ctx, void *arg)
{
    struct tls_context *ctx = arg;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_conn *c = SSL_get_app_data(ssl);
    struct verify_failure failure;
    struct identity id;
    struct verify_request q = { .trust = ctx->trust,
                                .pin = ctx->has_pin ? ctx->pin : NULL,
                                .leaf = X509_STORE_CTX_get0_cert(store_ctx),
                                .sent = X509_STORE_CTX_get0_untrusted(store_ctx),
                                .server = !c->server,
                                .host = c->name,
                                .rule = profile_of(ctx->profile)->rule,
                                .now = clock_now() };
    enum emt_err err = verify_chain(&q, &id, &failure);

    if (err == EMT_OK)
        err = identity_save(&id, SSL_get_session(ssl));
    else if (err == EMT_EAUTH)
        X509_STORE_CTX_set_error(store_ctx, failure.x509_error);
    if (err == EMT_OK)
        return 1;
    (void)conn_blame(c, err, err == EMT_EAUTH ? failure.text : emt_err_name(err));
    return 0;
}

/* Client: called with each session that the server lets us keep; 1 = the reference is ours. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_conn *c = SSL_get_app_data(ssl);

    context_keep_session(c->ctx, c->name, session);
    return 1;
}

/* OpenSSL would put each session that ends without close_notify out of the cache, and does its
 * housekeeping over the whole cache in one handshake of 255: the cache is bounded by number and
 * checked by age, that is enough. */
static bool set_server_cache(struct tls_context *ctx, const struct tls_settings *s)
{
    long mode = SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_AUTO_CLEAR;

    if (s->session_cache == 0) {
        SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    } else {
        if (profile_of(ctx->profile)->slim)
            mode |= SSL_SESS_CACHE_NO_INTERNAL_STORE; /* session_slim() stores */
        SSL_CTX_set_session_cache_mode(ctx->ssl, mode);
        SSL_CTX_sess_set_cache_size(ctx->ssl, (long)s->session_cache);
    }
    /* Each connection gets its own context; this one is for the case that it does not. */
    return certificate_fingerprint(SSL_CTX_get0_certificate(ctx->ssl), ctx->own) &&
           SSL_CTX_set_session_id_context(ctx->ssl, ctx->own, sizeof ctx->own) == 1;
}

static bool set_server(struct tls_context *ctx, const struct tls_settings *s)
{
    int mode = profile_of(ctx->profile)->mutual ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                                : SSL_VERIFY_NONE;

    SSL_CTX_set_verify(ctx->ssl, mode, NULL);
    SSL_CTX_set_client_hello_cb(ctx->ssl, hello_seen, ctx);
    SSL_CTX_set_alpn_select_cb(ctx->ssl, select_alpn, ctx);
    return set_server_cache(ctx, s) && SSL_CTX_set_num_tickets(ctx->ssl, 1) == 1;
}

static bool set_client(struct tls_context *ctx, const struct tls_settings *s)
{
    const struct profile *p = profile_of(ctx->profile);

    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
    if (s->session_cache > 0) {
        SSL_CTX_set_session_cache_mode(ctx->ssl,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx->ssl, new_session);
    } else {
        SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    }
    /* 0 is success here. */
    return SSL_CTX_set_alpn_protos(ctx->ssl, p->alpn, p->alpn_len) == 0;
}

static enum emt_err set_chain(SSL_CTX *ssl, STACK_OF(X509) * chain, struct emt_diag *diag)
{
    X509 *leaf = sk_X509_value(chain, 0);

    if (SSL_CTX_use_certificate(ssl, leaf) != 1)
        return pki_fail(diag, EMT_EMALFORMED, "own certificate");
    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (SSL_CTX_add1_chain_cert(ssl, sk_X509_value(chain, i)) != 1)
            return pki_fail(diag, EMT_EMALFORMED, "own chain");
    }
    return EMT_OK;
}

static enum emt_err set_own_certificate(SSL_CTX *ssl, const struct tls_settings *s,
                                        struct emt_diag *diag)
{
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    enum emt_err err = certificates_from_pem(s->chain_pem, s->chain_len, &chain, diag);

    if (err == EMT_OK)
        err = s->key_pem ? key_from_pem_or_token(s->key_pem, s->key_len, &key, diag)
                         : emt_fail(diag, EMT_EMALFORMED, "private key: missing");
    if (err == EMT_OK && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
        err = pki_fail(diag, EMT_EAUTH, "certificate and key do not belong together");
    if (err == EMT_OK)
        err = set_chain(ssl, chain, diag);
    if (err == EMT_OK && SSL_CTX_use_PrivateKey(ssl, key) != 1)
        err = pki_fail(diag, EMT_EMALFORMED, "private key");
    /* A device with an RSA key proves it at the loggers' listener; whom it believes stays as it
     * is. */
    if (err == EMT_OK && profile_is_client(s->profile) && EVP_PKEY_is_a(key, "RSA") &&
        SSL_CTX_set1_client_sigalgs_list(ssl, profile_of(TLS_PROFILE_LOGGER)->peer_signatures) != 1)
        err = pki_fail(diag, EMT_EINTERNAL, "signatures of the own certificate");
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return err;
}

static enum emt_err check_settings(const struct tls_settings *s, struct emt_diag *diag)
{
    bool client = profile_is_client(s->profile);

    if (!s->chain_pem && s->profile != TLS_PROFILE_HTTPS_CLIENT)
        return emt_fail(diag, EMT_EMALFORMED, "certificate: missing");
    if (profile_of(s->profile)->mutual && !client && !s->trust)
        return emt_fail(diag, EMT_EMALFORMED, "trust: missing");
    if (client && !s->trust && !s->has_pin)
        return emt_fail(diag, EMT_EMALFORMED,
                        "neither trust nor pin: any server would be believed");
    return EMT_OK;
}

/* Renegotiation is refused by OpenSSL, with this warning; who asks is counted. */
static void on_info(const SSL *ssl, int where, int ret)
{
    struct tls_conn *c = SSL_get_app_data(ssl);

    if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT &&
        (ret & 0xff) == SSL_AD_NO_RENEGOTIATION && c)
        atomic_fetch_add(&c->ctx->renegotiations, 1);
}

static bool set_common(struct tls_context *ctx)
{
    /* Tickets would carry the session outside of our cache, where no revocation reaches it. */
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    /* Whole seconds, so never below the exact check of ours. */
    SSL_CTX_set_timeout(ctx->ssl, (long)(ctx->max_age_us / EMT_SECOND) + 1);
    SSL_CTX_set_cert_verify_callback(ctx->ssl, verify_peer, ctx);
    SSL_CTX_set_info_callback(ctx->ssl, on_info);
    return set_algorithms(ctx->ssl, profile_of(ctx->profile));
}

static struct tls_context *context_alloc(const struct tls_settings *s)
{
    struct tls_context *ctx = calloc(1, sizeof *ctx);
    int64_t age_ms = s->session_age_ms;

    if (!ctx)
        return NULL;
    if (pthread_mutex_init(&ctx->lock, NULL) != 0) {
        free(ctx);
        return NULL;
    }
    if (age_ms <= 0 || age_ms > SESSION_AGE_MAX_MS)
        age_ms = SESSION_AGE_MAX_MS;
    atomic_init(&ctx->refs, 1);
    ctx->profile = s->profile;
    ctx->trust = s->trust ? trust_ref(s->trust) : NULL;
    ctx->has_pin = s->has_pin;
    memcpy(ctx->pin, s->pin, sizeof ctx->pin);
    ctx->cache = s->session_cache > 0;
    ctx->max_age_us = age_ms * 1000;
    ctx->bio = bio_method_new();
    ctx->ssl = SSL_CTX_new(profile_of(s->profile)->method());
    if (!ctx->bio || !ctx->ssl) {
        tls_context_unref(ctx);
        return NULL;
    }
    return ctx;
}

enum emt_err tls_context_new(const struct tls_settings *s, struct tls_context **out,
                             struct emt_diag *diag)
{
    enum emt_err err = check_settings(s, diag);

    if (err != EMT_OK)
        return err;

    struct tls_context *ctx = context_alloc(s);
    if (!ctx)
        return pki_fail(diag, EMT_ENOMEM, "TLS context");
    if (!set_common(ctx))
        err = pki_fail(diag, EMT_EINTERNAL, "TLS settings");
    if (err == EMT_OK && s->chain_pem)
        err = set_own_certificate(ctx->ssl, s, diag);
    if (err == EMT_OK && !(profile_is_client(s->profile) ? set_client(ctx, s) : set_server(ctx, s)))
        err = pki_fail(diag, EMT_EINTERNAL, "TLS settings");
    if (err == EMT_OK)
        *out = ctx;
    else
        tls_context_unref(ctx);
    return err;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_SESSION_free(c->last);
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->bio);
    trust_unref(c->trust);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void tls_context_counters(struct tls_context *c, struct tls_counters *out)
{
    out->handshakes = atomic_load_explicit(&c->handshakes, memory_order_relaxed);
    out->resumed = atomic_load_explicit(&c->resumed, memory_order_relaxed);
    out->failed = atomic_load_explicit(&c->failed, memory_order_relaxed);
    out->stale_refused = atomic_load_explicit(&c->stale_refused, memory_order_relaxed);
    out->renegotiations = atomic_load_explicit(&c->renegotiations, memory_order_relaxed);
}

void context_keep_session(struct tls_context *ctx, const char *name, SSL_SESSION *session)
{
    SSL_SESSION *old = session;
    size_t n = name ? strlen(name) : 0;

    pthread_mutex_lock(&ctx->lock);
    if (n <= SERVER_NAME_MAX) {
        old = ctx->last;
        ctx->last = session;
        memcpy(ctx->last_name, name ? name : "", n);
        ctx->last_name[n] = 0;
    }
    pthread_mutex_unlock(&ctx->lock);
    SSL_SESSION_free(old);
}

SSL_SESSION *context_take_session(struct tls_context *ctx, const char *name)
{
    SSL_SESSION *found = NULL;

    pthread_mutex_lock(&ctx->lock);
    if (ctx->last && strcmp(ctx->last_name, name ? name : "") == 0 &&
        SSL_SESSION_up_ref(ctx->last) == 1)
        found = ctx->last;
    pthread_mutex_unlock(&ctx->lock);
    return found;
}

void context_forget_session(struct tls_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    SSL_SESSION *old = ctx->last;
    ctx->last = NULL;
    pthread_mutex_unlock(&ctx->lock);
    SSL_SESSION_free(old);
}
