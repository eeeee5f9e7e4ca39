/* TLS settings shared by many connections: profile, own certificate, trust.
 *
 * Thread safe once made. Reload makes a new context; connections keep the old one until they end.
 */
#ifndef EMT_PKI_TLS_CONTEXT_H
#define EMT_PKI_TLS_CONTEXT_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct trust; /* pki/trust.h */

enum tls_profile {
    TLS_PROFILE_FIELD_12, /* gateways, TLS 1.2 only, lean, mutual, ALPN emt/1 */
    TLS_PROFILE_FIELD_13, /* gateways, TLS 1.3 only, mutual, ALPN emt/1 */
    TLS_PROFILE_LOGGER,   /* devices of others, TLS 1.2 and 1.3, mutual, ALPN emt/1: certificates
                             that were imported themselves, RSA from 2048 bits too */
    TLS_PROFILE_HTTPS, /* portal and REST: TLS 1.2 and 1.3, no client certificate, ALPN http/1.1 */
    TLS_PROFILE_AGENT, /* client side of the field channel, TLS 1.2 and 1.3, ALPN emt/1 */
    TLS_PROFILE_HTTPS_CLIENT, /* enrolment: no client certificate, server checked by trust or by
                                 pinned fingerprint */
};

/* "emt", "emt-13", "logger", "https", "agent", "https-client"; static. */
const char *tls_profile_name(enum tls_profile p);

struct tls_settings {
    enum tls_profile profile;
    const char *chain_pem; /* own certificate and its chain, leaf first; NULL for HTTPS_CLIENT */
    size_t chain_len;
    /* Unencrypted PKCS#8, wiped by the caller; or the "pkcs11:" URI of a key in a token. */
    const char *key_pem;
    size_t key_len;
    struct trust *trust; /* who is believed; shared (ref taken); NULL with a pin */
    bool has_pin;
    /* Client: SHA-256 of a certificate that the server sends and that its chain leads to: its leaf
     * or a CA below the root (the root itself is not sent). Without trust it is the only anchor. */
    uint8_t pin[32];
    /* Server: cached sessions, 0: none. Client: above 0 the last session is kept and resumed with
     * the next connection to the same name. */
    uint32_t session_cache;
    /* Oldest first handshake that is still resumed; 0 and anything above 48 h mean 48 h. */
    int64_t session_age_ms;
};

/* EMT_EMALFORMED certificate or key unreadable, or nobody to trust; EMT_EAUTH they do not belong
 * together; diag names the reason. */
EMT_CHECKED enum emt_err tls_context_new(const struct tls_settings *s, struct tls_context **out,
                                         struct emt_diag *diag);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

struct tls_counters {
    uint64_t handshakes;     /* that came up */
    uint64_t resumed;        /* of these */
    uint64_t failed;         /* that did not */
    uint64_t stale_refused;  /* of these: resumed, but too old, expired or revoked */
    uint64_t renegotiations; /* asked for by a peer, and refused */
};
void tls_context_counters(struct tls_context *c, struct tls_counters *out);

#endif
