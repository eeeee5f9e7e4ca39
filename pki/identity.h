/* What a TLS session remembers of its peer in the place of the peer's certificates. Internal to
 * pki/.
 *
 * It travels as OpenSSL's application data of the session, so it survives resumption, duplication
 * (TLS 1.3 tickets) and re-encoding (decision 14) without a process-wide index. Sessions stay in
 * this process: the bytes never come from outside. */
#ifndef EMT_PKI_IDENTITY_H
#define EMT_PKI_IDENTITY_H

#include "base/attr.h"
#include "base/error.h"
#include "pki/tls_conn.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct identity {
    struct tls_peer peer;
    emt_time valid_until; /* earliest end of a certificate in the verified chain */
    uint64_t epoch;       /* of the trust when the chain was verified */
};

EMT_CHECKED enum emt_err identity_save(const struct identity *id, SSL_SESSION *session);
/* EMT_ENOTFOUND the session carries none. */
EMT_CHECKED enum emt_err identity_load(SSL_SESSION *session, struct identity *out);

#endif
