/* A set of trusted CA certificates, of those that tenants imported from elsewhere, of revoked ones,
 * and the revocation epoch. Thread safe; changes count at once for new handshakes. */
#ifndef EMT_PKI_TRUST_H
#define EMT_PKI_TRUST_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trust;
struct tls_peer; /* pki/tls_conn.h */

struct trust *trust_new(void); /* NULL when out of memory; one reference */
struct trust *trust_ref(struct trust *t);
void trust_unref(struct trust *t);
/* Adds every certificate of the PEM text as an anchor; known ones are passed over. EMT_EMALFORMED
 * none readable. */
EMT_CHECKED enum emt_err trust_add_pem(struct trust *t, const char *pem, size_t n,
                                       struct emt_diag *diag);
/* Replaces the set of revoked certificates (SHA-256 fingerprints: leaves, or a CA for all below it)
 * and raises the epoch when it changed. */
EMT_CHECKED enum emt_err trust_set_revoked(struct trust *t, const uint8_t (*fingerprints)[32],
                                           size_t n);
/* A certificate of somebody else; borrowed for the call. */
struct trust_import {
    const char *pem;    /* its first certificate counts */
    bool pinned;        /* this very certificate; else a CA and what it issues */
    const uint8_t *crl; /* of a CA: its list of revoked certificates, DER, verified before; NULL */
    size_t crl_len;
};
/* Replaces the imported certificates and raises the epoch. What cannot be read is passed over and
 * counted in *bad (diag says why the last of them is). Each CA is an anchor for itself: two that
 * bear one name do not stand in each other's way. EMT_ENOMEM: the set before stays. */
EMT_CHECKED enum emt_err trust_set_imports(struct trust *t, const struct trust_import *list,
                                           size_t n, size_t *bad, struct emt_diag *diag);
/* The peer of a connection that is up: itself or its issuer revoked, or on its issuer's list. */
bool trust_peer_revoked(struct trust *t, const struct tls_peer *peer);
bool trust_is_revoked(struct trust *t, const uint8_t fingerprint[32]);
uint64_t trust_epoch(struct trust *t);

#endif
