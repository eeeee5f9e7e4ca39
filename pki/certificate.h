/* Reading X.509 certificates: PEM texts, names, times, fingerprints. Internal to pki/. */
#ifndef EMT_PKI_CERTIFICATE_H
#define EMT_PKI_CERTIFICATE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "pki/authority.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAME_MAX_BYTES = 64, /* ub-common-name, ub-organization-name (RFC 5280, A.1) */
    PEM_MAX_BYTES = 1 << 20,
    PEM_MAX_CERTIFICATES = 256,
};

/* All certificates of a PEM text, in order; free with sk_X509_pop_free(x, X509_free).
 * EMT_EMALFORMED none, or one of them unreadable; EMT_ELIMIT too large or too many. */
EMT_CHECKED enum emt_err certificates_from_pem(const char *pem, size_t n, STACK_OF(X509) * *out,
                                               struct emt_diag *diag);
EMT_CHECKED enum emt_err certificate_to_pem(const X509 *cert, struct writer *out);

/* SHA-256 over the DER; false when OpenSSL is out of memory. */
bool certificate_fingerprint(const X509 *cert, uint8_t out[32]);

enum name_found { NAME_ABSENT, NAME_FOUND, NAME_BAD };
/* The subject's attribute as UTF-8. NAME_BAD: more than one, empty, longer than 64 bytes, or with
 * control characters: such a name could be read in two ways and must not identify anybody. out: ""
 * unless found. */
enum name_found certificate_name(const X509 *cert, int nid, char out[NAME_MAX_BYTES + 1]);
enum name_found subject_name(const X509_NAME *subject, int nid, char out[NAME_MAX_BYTES + 1]);
/* Upper bound, control characters: whether we would put this text into a subject. */
bool name_is_plain(const char *text, size_t n);

/* EMT_TIME_NONE when unreadable. */
emt_time time_from_asn1(const ASN1_TIME *t);
/* Lower-case hex without leading zeros pairs; "" when longer than 32 bytes. */
void certificate_serial(const X509 *cert, char out[65]);
EMT_CHECKED enum emt_err leaf_info_of(const X509 *cert, struct leaf_info *out);

#endif
