/* Certificates of others, as a set that never changes: handshakes hold a reference while they look.
 * Internal to pki/. */
#ifndef EMT_PKI_IMPORT_SET_H
#define EMT_PKI_IMPORT_SET_H

#include "base/attr.h"
#include "base/error.h"
#include "pki/crl.h"
#include "pki/trust.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import {
    uint8_t fingerprint[32];
    X509 *cert;
    bool pinned;
    struct crl *crl; /* NULL: none */
};

struct import_set {
    unsigned refs; /* atomic */
    size_t n;
    struct import *items; /* in order; one certificate may be there as both, pinned and CA */
};

/* What cannot be read is passed over and counted. EMT_ENOMEM. */
EMT_CHECKED enum emt_err import_set_new(const struct trust_import *list, size_t n,
                                        struct import_set **out, size_t *bad,
                                        struct emt_diag *diag);
struct import_set *import_set_ref(struct import_set *s);
void import_set_unref(struct import_set *s); /* NULL is fine */
/* NULL: not in the set. */
const struct import *import_set_find(const struct import_set *s, const uint8_t fingerprint[32],
                                     bool pinned);
/* Whether the list of this CA has the serial number (hex). */
bool import_set_lists(const struct import_set *s, const uint8_t issuer[32], const char *serial);

#endif
