/* What tls_context.c and tls_conn.c share. Internal to pki/. */
#ifndef EMT_PKI_TLS_INTERNAL_H
#define EMT_PKI_TLS_INTERNAL_H

#include "base/clock.h"
#include "identity.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "verify.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SERVER_NAME_MAX = 255 };

struct tls_context {
    atomic_uint refs;
    enum tls_profile profile;
    SSL_CTX *ssl;
    BIO_METHOD *bio; /* over a descriptor, without SIGPIPE */
    struct trust *trust;
    bool has_pin;
    uint8_t pin[32];
    uint8_t own[32]; /* server: SHA-256 of the own certificate */
    bool cache;
    int64_t max_age_us;
    atomic_uint_fast64_t handshakes, resumed, failed, stale_refused, renegotiations;
    /* Client: the last session, for the next connection to the same name. */
    pthread_mutex_t lock;
    SSL_SESSION *last;
    char last_name[SERVER_NAME_MAX + 1];
};

enum conn_state { CONN_HANDSHAKE, CONN_UP, CONN_ENDED, CONN_BROKEN };

struct tls_conn {
    struct tls_context *ctx;
    SSL *ssl;
    int fd;
    enum conn_state state;
    enum emt_err broken; /* what a broken connection answers from then on */
    bool server;
    bool hello_seen; /* the peer speaks TLS */
    bool lost;       /* broken by the network while it was up, not by what was said */
    bool resumed;
    char *name; /* client: server_name, or NULL */
    struct tls_peer peer;
    const char *reason;   /* static, or reason_text */
    char *reason_text;    /* on the heap and only after a failure: idle connections stay small */
    enum emt_err verdict; /* of our own callbacks, says more than OpenSSL's error */
};

/* One row of the table of profiles. */
struct profile {
    const char *name;
    bool client;
    bool mutual; /* server: a certificate of the peer is asked for and judged by rule */
    enum leaf_rule rule;
    int least, most; /* versions */
    const SSL_METHOD *(*method)(void);
    bool slim; /* sessions without the peer's certificates (tls_session.h) */
    const char *suites_12, *suites_13, *groups, *signatures; /* NULL: the library's */
    const char
        *peer_signatures; /* of client certificates where others are allowed; NULL: as ours */
    const uint8_t *alpn;  /* RFC 7301, 3.1: with its length in front */
    unsigned alpn_len;
    bool needs_alpn;
};
const struct profile *profile_of(enum tls_profile p);

static inline bool profile_is_client(enum tls_profile p)
{
    return profile_of(p)->client;
}

static inline bool profile_needs_alpn(enum tls_profile p)
{
    return profile_of(p)->needs_alpn;
}

/* Remembers why the connection fails; the first reason stays. text is copied. Returns err. */
enum emt_err conn_blame(struct tls_conn *c, enum emt_err err, const char *text);

/* Client: keeps the session for later (reference taken over), gives the one that suits, forgets it.
 */
void context_keep_session(struct tls_context *ctx, const char *name, SSL_SESSION *session);
SSL_SESSION *context_take_session(struct tls_context *ctx,
                                  const char *name); /* new reference or NULL */
void context_forget_session(struct tls_context *ctx);

#endif
