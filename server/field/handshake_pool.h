/* Handshakes on threads of their own: a full one costs a millisecond or three, too long for a loop
 * that serves thousands (decision 16).
 *
 * Each thread serves many connections at once by epoll, each with a deadline, so that a slow client
 * holds a slot and not a thread. */
#ifndef EMT_FIELD_HANDSHAKE_POOL_H
#define EMT_FIELD_HANDSHAKE_POOL_H

#include "base/attr.h"
#include "base/error.h"

#include <stdint.h>

struct handshake_pool;
struct tls_conn;
struct tls_context;

/* Every connection ends in exactly one of these. */
enum handshake_outcome {
    HANDSHAKE_OK,
    HANDSHAKE_HTTP,      /* plain HTTP on the TLS port */
    HANDSHAKE_GARBAGE,   /* something else that is no TLS */
    HANDSHAKE_PROXY,     /* a balancer's PROXY header is missing or unreadable */
    HANDSHAKE_NO_COMMON, /* TLS, but no common version, suite or protocol */
    HANDSHAKE_NO_CERTIFICATE,
    HANDSHAKE_NO_ALPN,
    HANDSHAKE_BAD_CERTIFICATE, /* for none of the reasons that have a name of their own */
    HANDSHAKE_EXPIRED,
    HANDSHAKE_NOT_YET_VALID,
    HANDSHAKE_WRONG_TENANT,
    HANDSHAKE_SELF_SIGNED,
    HANDSHAKE_NOT_PINNED, /* on the loggers' listener */
    HANDSHAKE_WEAK_DIGEST,
    HANDSHAKE_WEAK_CURVE, /* or a kind of key that has no place there */
    HANDSHAKE_WEAK,       /* a short key */
    HANDSHAKE_WRONG_USAGE,
    HANDSHAKE_STALE, /* resumed later than allowed */
    HANDSHAKE_REVOKED,
    HANDSHAKE_REFUSED, /* the peer does not like our certificate */
    HANDSHAKE_TIMEOUT,
    HANDSHAKE_PEER_CLOSED,
    HANDSHAKE_QUEUE_FULL,
    HANDSHAKE_BROKEN,  /* our fault */
    HANDSHAKE_STOPPED, /* the pool was stopped meanwhile */
    HANDSHAKE_OUTCOMES
};
/* "ok", "http", …; static. */
const char *handshake_outcome_name(enum handshake_outcome o);

struct proxy_trust;

struct handshake_settings {
    unsigned threads;
    unsigned limit; /* connections waiting for or in handshake */
    uint32_t timeout_ms;
    const struct proxy_trust *proxies; /* who sends a PROXY header first; borrowed, may be NULL */
    /* Both on a thread of the pool, or in handshake_pool_free(). up: tls and fd are given to the
     * callee. */
    void (*up)(void *owner, struct tls_conn *tls, int fd, const char *peer);
    /* fd is closed already. reason: text for the log, borrowed. */
    void (*failed)(void *owner, enum handshake_outcome o, const char *reason, const char *peer);
};

/* EMT_ENOMEM, EMT_EIO. */
EMT_CHECKED enum emt_err handshake_pool_new(const struct handshake_settings *s,
                                            struct handshake_pool **out);
/* Ends what is in handshake as HANDSHAKE_STOPPED, waits for the threads. */
void handshake_pool_free(struct handshake_pool *p);
/* From any thread. Takes fd (connected, not blocking) on EMT_OK; tls is referenced. peer: address
 * as text. EMT_ELIMIT too many are under way; EMT_ENOMEM. */
EMT_CHECKED enum emt_err handshake_pool_add(struct handshake_pool *p, struct tls_context *tls,
                                            int fd, const char *peer, void *owner);
unsigned handshake_pool_count(const struct handshake_pool *p);

/* For tests: how a failure of tls_conn_handshake() is told. */
enum handshake_outcome handshake_judge(enum emt_err err, const char *reason);

#endif
