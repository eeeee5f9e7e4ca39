#include "pki/tls_conn.h"

#include "tls_fault.h"
#include "tls_internal.h"
#include "tls_session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { REASON_MAX = 160 };

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

enum emt_err conn_blame(struct tls_conn *c, enum emt_err err, const char *text)
{
    if (c->verdict != EMT_OK)
        return c->verdict;
    c->verdict = err;
    c->reason_text = strdup(text);
    c->reason = c->reason_text ? c->reason_text : "out of memory";
    return err;
}

static bool is_address(const char *name)
{
    uint8_t bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool attach(struct tls_conn *c)
{
    BIO *bio = BIO_new(c->ctx->bio);

    c->ssl = bio ? SSL_new(c->ctx->ssl) : NULL;
    if (!c->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, c);
    SSL_set_bio(c->ssl, bio, bio); /* takes bio */
    return SSL_set_app_data(c->ssl, c) == 1;
}

static struct tls_conn *conn_new(struct tls_context *ctx, int fd)
{
    struct tls_conn *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->ctx = tls_context_ref(ctx);
    c->fd = fd;
    c->reason = "";
    if (!attach(c)) {
        ERR_clear_error();
        tls_conn_free(c);
        return NULL;
    }
    return c;
}

struct tls_conn *tls_conn_accept(struct tls_context *ctx, int fd)
{
    struct tls_conn *c = conn_new(ctx, fd);

    if (c) {
        c->server = true;
        SSL_set_accept_state(c->ssl);
    }
    return c;
}

/* The name goes into SNI unless it is an address (RFC 6066, 3), and is what the certificate is
 * checked against. */
static bool set_server_name(struct tls_conn *c, const char *name)
{
    c->name = strdup(name);
    return c->name && (is_address(name) || SSL_set_tlsext_host_name(c->ssl, name) == 1);
}

struct tls_conn *tls_conn_connect(struct tls_context *ctx, int fd, const char *server_name)
{
    struct tls_conn *c = conn_new(ctx, fd);

    if (!c)
        return NULL;
    c->hello_seen = true;
    if (server_name && !set_server_name(c, server_name)) {
        ERR_clear_error();
        tls_conn_free(c);
        return NULL;
    }

    SSL_SESSION *last = context_take_session(ctx, server_name);
    if (last)
        (void)SSL_set_session(c->ssl, last); /* not taken: a full handshake then */
    SSL_SESSION_free(last);
    SSL_set_connect_state(c->ssl);
    ERR_clear_error();
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    /* A lost connection is what gateways come back from: without this its session would leave the
     * cache. A broken one does leave. */
    if (c->ssl && (c->state == CONN_UP || c->state == CONN_ENDED || c->lost))
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    tls_context_unref(c->ctx);
    free(c->name);
    free(c->reason_text);
    free(c);
}

/* From here on the connection only answers err. */
static enum emt_err conn_break(struct tls_conn *c, enum emt_err err, const char *text)
{
    if (c->state == CONN_HANDSHAKE) {
        count(&c->ctx->failed);
        /* A listener that is full or gone says nothing about the session. */
        if (!c->server && err != EMT_EIO)
            context_forget_session(c->ctx);
    }
    c->state = CONN_BROKEN;
    c->broken = conn_blame(c, err, text);
    return c->broken;
}

static enum emt_err break_with_fault(struct tls_conn *c)
{
    struct tls_fault fault = tls_fault_take(c->hello_seen);
    char text[REASON_MAX];

    snprintf(text, sizeof text, "%s%s",
             fault.from_peer && fault.err == EMT_EAUTH ? "refused by peer: " : "", fault.text);
    return conn_break(c, fault.err, text);
}

/* Sorts out a call that did not succeed. */
static enum emt_err after_failure(struct tls_conn *c, int result, int saved_errno,
                                  enum tls_wait *wait)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *wait = TLS_WAIT_READ;
        return EMT_EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wait = TLS_WAIT_WRITE;
        return EMT_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        if (c->state == CONN_HANDSHAKE)
            return conn_break(c, EMT_EIO, "peer closed");
        c->state = CONN_ENDED;
        c->reason = "peer closed";
        return EMT_ENOTFOUND;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        c->lost = c->state == CONN_UP;
        if (saved_errno == 0 || saved_errno == ECONNRESET || saved_errno == EPIPE)
            return conn_break(c, EMT_EIO, "peer closed");
        return conn_break(c, EMT_EIO, strerror(saved_errno));
    default:
        return break_with_fault(c);
    }
}

static bool alpn_agreed(const struct tls_conn *c)
{
    const unsigned char *p = NULL;
    unsigned n = 0;

    SSL_get0_alpn_selected(c->ssl, &p, &n);
    return n == 5 && memcmp(p, "emt/1", 5) == 0;
}

/* Decision 15. A refused session must not be offered a second time. */
static enum emt_err check_resumed(struct tls_conn *c, const struct identity *id)
{
    struct verify_failure failure;
    enum emt_err err = verify_resumed(c->ctx->trust, id, clock_now(), c->ctx->max_age_us, &failure);

    if (err == EMT_OK)
        return EMT_OK;
    count(&c->ctx->stale_refused);
    SSL_CTX_remove_session(c->ctx->ssl, SSL_get_session(c->ssl));
    return conn_break(c, err, failure.text);
}

static enum emt_err handshake_done(struct tls_conn *c)
{
    struct identity id = { 0 };
    bool verified = profile_of(c->ctx->profile)->mutual;

    c->resumed = SSL_session_reused(c->ssl) == 1;
    if (profile_needs_alpn(c->ctx->profile) && !alpn_agreed(c))
        return conn_break(c, EMT_EMALFORMED, "no common alpn");
    if (verified) {
        if (identity_load(SSL_get_session(c->ssl), &id) != EMT_OK)
            return conn_break(c, EMT_EAUTH, "session without identity");
        if (c->resumed) {
            enum emt_err err = check_resumed(c, &id);
            if (err != EMT_OK)
                return err;
        }
        c->peer = id.peer;
    } else {
        c->peer.first_handshake =
            (emt_time)SSL_SESSION_get_time(SSL_get_session(c->ssl)) * EMT_SECOND;
    }
    if (profile_of(c->ctx->profile)->slim && !c->resumed)
        session_slim(c->ssl, c->ctx->cache);
    c->state = CONN_UP;
    count(&c->ctx->handshakes);
    if (c->resumed)
        count(&c->ctx->resumed);
    return EMT_OK;
}

enum emt_err tls_conn_handshake(struct tls_conn *c, enum tls_wait *wait)
{
    *wait = TLS_WAIT_NONE;
    if (c->state == CONN_BROKEN)
        return c->broken;
    if (c->state != CONN_HANDSHAKE)
        return EMT_OK;

    ERR_clear_error();
    errno = 0;
    int r = SSL_do_handshake(c->ssl);
    return r == 1 ? handshake_done(c) : after_failure(c, r, errno, wait);
}

/* Reading and writing before the handshake is up, or after the end. */
static enum emt_err not_up(const struct tls_conn *c)
{
    switch (c->state) {
    case CONN_HANDSHAKE:
        return EMT_ESTATE;
    case CONN_UP:
        return EMT_OK;
    case CONN_ENDED:
        return EMT_ENOTFOUND;
    case CONN_BROKEN:
        return c->broken;
    }
    return EMT_EINTERNAL;
}

enum emt_err tls_conn_read(struct tls_conn *c, void *buf, size_t cap, size_t *n,
                           enum tls_wait *wait)
{
    enum emt_err err = not_up(c);

    assert(cap > 0);
    *n = 0;
    *wait = TLS_WAIT_NONE;
    if (err != EMT_OK)
        return err;
    ERR_clear_error();
    errno = 0;
    int r = SSL_read_ex(c->ssl, buf, cap, n);
    return r == 1 ? EMT_OK : after_failure(c, r, errno, wait);
}

enum emt_err tls_conn_write(struct tls_conn *c, const void *buf, size_t len, size_t *n,
                            enum tls_wait *wait)
{
    /* A peer that has sent its close_notify may still read. */
    enum emt_err err = c->state == CONN_ENDED ? EMT_OK : not_up(c);

    assert(len > 0);
    *n = 0;
    *wait = TLS_WAIT_NONE;
    if (err != EMT_OK)
        return err;
    ERR_clear_error();
    errno = 0;
    int r = SSL_write_ex(c->ssl, buf, len, n);
    return r == 1 ? EMT_OK : after_failure(c, r, errno, wait);
}

size_t tls_conn_pending(const struct tls_conn *c)
{
    int n = SSL_pending(c->ssl);

    return n > 0 ? (size_t)n : 0;
}

void tls_conn_shutdown(struct tls_conn *c)
{
    if (c->state != CONN_UP && c->state != CONN_ENDED)
        return;
    if ((SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) == 0)
        (void)SSL_shutdown(c->ssl);
    ERR_clear_error();
}

bool tls_conn_heard(const struct tls_conn *c)
{
    return c->hello_seen;
}

const struct tls_peer *tls_conn_peer(const struct tls_conn *c)
{
    return &c->peer;
}

bool tls_conn_resumed(const struct tls_conn *c)
{
    return c->resumed;
}

const char *tls_conn_version(const struct tls_conn *c)
{
    return SSL_get_version(c->ssl);
}

const char *tls_conn_suite(const struct tls_conn *c)
{
    return SSL_get_cipher_name(c->ssl);
}

const char *tls_conn_reason(const struct tls_conn *c)
{
    return c->reason;
}
