/* A list of revoked certificates as OpenSSL has it. Internal to pki/. */
#ifndef EMT_PKI_CRL_INTERNAL_H
#define EMT_PKI_CRL_INTERNAL_H

#include "pki/crl.h"

#include <openssl/x509.h>

X509_CRL *crl_x509(const struct crl *c); /* borrowed */

#endif
