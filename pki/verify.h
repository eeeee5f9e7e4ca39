/* Is this peer believed, and who is it? Internal to pki/. */
#ifndef EMT_PKI_VERIFY_H
#define EMT_PKI_VERIFY_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "identity.h"

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdint.h>

struct trust;

X509_STORE *trust_store(struct trust *t);          /* borrowed */
struct import_set *trust_imports(struct trust *t); /* a reference, or NULL */

/* What is asked of the leaf beyond a chain that holds. */
enum leaf_rule {
    LEAF_ANY,
    LEAF_EMT,    /* gateways: a leaf of our own tenant CAs, whose organisation is its issuer's, or
                    one that was imported, itself or its CA; elliptic curves only */
    LEAF_LOGGER, /* devices of others: imported itself; RSA from 2048 bits, too */
};

struct verify_request {
    struct trust *trust; /* may be NULL with a pin */
    const uint8_t *pin;  /* 32 bytes, or NULL */
    X509 *leaf;
    STACK_OF(X509) * sent; /* what the peer sent, leaf included */
    bool server;           /* the peer acts as server (else as client) */
    const char *host;      /* name or address that the leaf must carry; NULL: any */
    enum leaf_rule rule;
    emt_time now;
};

struct verify_failure {
    int x509_error; /* X509_V_ERR_…, for the alert */
    char text[128];
};

/* EMT_OK: *out filled. EMT_EAUTH: *failure says why; EMT_ENOMEM. */
EMT_CHECKED enum emt_err verify_chain(const struct verify_request *q, struct identity *out,
                                      struct verify_failure *failure);

/* Key, digest and usage of a certificate that is to be believed by itself. EMT_EAUTH with *failure.
 */
EMT_CHECKED enum emt_err verify_leaf_alone(X509 *leaf, enum leaf_rule rule,
                                           struct verify_failure *failure);

/* Whether a resumed session's peer would still pass (decision 15: resumption runs no verification).
 * max_age_us: oldest first handshake. EMT_EAUTH with *failure. */
EMT_CHECKED enum emt_err verify_resumed(struct trust *trust, const struct identity *id,
                                        emt_time now, int64_t max_age_us,
                                        struct verify_failure *failure);

#endif
