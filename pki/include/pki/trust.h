/* A set of trusted CA certificates, of revoked ones, and the revocation epoch. Thread safe;
 * changes count at once for new handshakes. */
#ifndef EMT_PKI_TRUST_H
#define EMT_PKI_TRUST_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trust;

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
bool trust_is_revoked(struct trust *t, const uint8_t fingerprint[32]);
uint64_t trust_epoch(struct trust *t);

#endif
