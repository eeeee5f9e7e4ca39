/* What else in pki/ signs with an authority. Internal to pki/. */
#ifndef EMT_PKI_AUTHORITY_INTERNAL_H
#define EMT_PKI_AUTHORITY_INTERNAL_H

#include "pki/authority.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* Both borrowed. */
X509 *authority_certificate(const struct authority *a);
EVP_PKEY *authority_key(const struct authority *a);

#endif
