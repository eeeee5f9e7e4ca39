/* One TLS connection. It offers read, write and what it waits for; sockets and event loops belong
 * to the caller, who hands in a connected, non-blocking descriptor and keeps owning it.
 *
 * Not thread safe, but may move between threads between calls (handshake on a pool, then the loop).
 * Writes never raise SIGPIPE. */
#ifndef EMT_PKI_TLS_CONN_H
#define EMT_PKI_TLS_CONN_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_conn;

enum tls_wait { TLS_WAIT_NONE = 0, TLS_WAIT_READ = 1, TLS_WAIT_WRITE = 2 };

/* Who vouches for a peer. */
enum tls_peer_origin {
    TLS_PEER_OWN,        /* a CA below the platform's root */
    TLS_PEER_FOREIGN_CA, /* a CA that a tenant imported (trust_set_imports) */
    TLS_PEER_PINNED,     /* the very certificate was imported */
};

/* Who the peer is, from its verified certificate: common name = "<gateway external id>",
 * organisation = "<tenant key>" for certificates of our own CA (pki/authority.h); a
 * gateway whose organisation is not its issuer's is refused. Names in certificates of others say
 * nothing about a tenant. */
struct tls_peer {
    bool present;
    enum tls_peer_origin origin;
    uint8_t anchor[32];      /* SHA-256 of the imported CA; zero for all others */
    uint8_t fingerprint[32]; /* SHA-256 of the leaf, DER */
    char common_name[65];
    char organisation[65];
    char serial[65];           /* hex */
    uint8_t issuer_key_id[32]; /* SHA-256 of the issuing certificate, DER; zero where unknown */
    emt_time not_before, not_after;
    emt_time first_handshake; /* of the session, also when resumed */
};

/* server_name: client only, SNI and name check; NULL without. NULL result: out of memory. */
struct tls_conn *tls_conn_accept(struct tls_context *ctx, int fd);
struct tls_conn *tls_conn_connect(struct tls_context *ctx, int fd, const char *server_name);
void tls_conn_free(struct tls_conn *c);

/* EMT_OK the connection is up; EMT_EAGAIN call again when *wait is met; EMT_EAUTH the peer's
 * certificate is refused; EMT_EMALFORMED no TLS (plain HTTP, garbage) or no common version or ALPN;
 * EMT_EIO the peer is gone. tls_conn_reason() tells more. Checks age, end of the certificates and
 * revocation after resumption too. */
EMT_CHECKED enum emt_err tls_conn_handshake(struct tls_conn *c, enum tls_wait *wait);
/* *n bytes read, at least 1 on EMT_OK. EMT_EAGAIN with *wait; EMT_ENOTFOUND the peer closed
 * cleanly; EMT_EAUTH it refuses our certificate (in TLS 1.3 a client learns that here, not in the
 * handshake); EMT_EIO, EMT_EMALFORMED otherwise; EMT_ESTATE before the handshake is up. */
EMT_CHECKED enum emt_err tls_conn_read(struct tls_conn *c, void *buf, size_t cap, size_t *n,
                                       enum tls_wait *wait);
/* *n bytes taken, at least 1 on EMT_OK; after EMT_EAGAIN the same bytes must be offered again (they
 * may have moved). */
EMT_CHECKED enum emt_err tls_conn_write(struct tls_conn *c, const void *buf, size_t len, size_t *n,
                                        enum tls_wait *wait);
/* Bytes already decrypted and not yet read. */
size_t tls_conn_pending(const struct tls_conn *c);
/* Sends close_notify once, without waiting. */
void tls_conn_shutdown(struct tls_conn *c);

/* The peer's ClientHello was read. */
bool tls_conn_heard(const struct tls_conn *c);

/* Valid after the handshake. */
const struct tls_peer *tls_conn_peer(const struct tls_conn *c);
bool tls_conn_resumed(const struct tls_conn *c);
const char *tls_conn_version(const struct tls_conn *c); /* "TLSv1.2", static */
const char *tls_conn_suite(const struct tls_conn *c);   /* static */
/* Why the connection failed, for logs and counters; "" while it has not. In our own words:
 *   "http-request" plain HTTP on the TLS port      "not-tls" other bytes before a ClientHello
 *   "no common version"                            "no common cipher suite or group"
 *   "no common alpn"                               "no client certificate"
 *   "certificate verify failed: <why>"             "organisation does not match issuer"
 *   "ambiguous subject", "no common name"          "revoked"
 *   "not pinned"
 *   "expired session" resumed later than allowed   "peer closed"
 *   "refused by peer: <alert>" it does not believe us
 * anything else is OpenSSL's or the system's text. */
const char *tls_conn_reason(const struct tls_conn *c);

#endif
