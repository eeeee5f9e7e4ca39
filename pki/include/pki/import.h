/* Is this somebody else's certificate that we may believe, and what does it say? Asked before it is
 * imported, so that a mistake is told to the one who makes it and not to a gateway at night. */
#ifndef EMT_PKI_IMPORT_H
#define EMT_PKI_IMPORT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "pki/authority.h"

#include <stddef.h>

#define SUBJECT_MAX 512

struct certificate_facts {
    struct leaf_info info;
    char subject[SUBJECT_MAX]; /* RFC 2253 */
};

enum import_use {
    IMPORT_AS_CA,      /* its certificates are believed on the gateways' listeners */
    IMPORT_AS_GATEWAY, /* it is believed itself, there */
    IMPORT_AS_LOGGER,  /* … on the listener for devices of others */
};
/* pem: one certificate. EMT_EMALFORMED none, several, or one of the other sort; EMT_EUNSUPPORTED
 * key or digest too weak, or not on one of our curves; EMT_ESTATE it is over. diag names the
 * reason. */
EMT_CHECKED enum emt_err import_check(const char *pem, size_t n, enum import_use use, emt_time now,
                                      struct certificate_facts *out, struct emt_diag *diag);

/* That the holder of the certificate's key says whose it is: a certificate request (PKCS #10) of
 * the same key, signed with it, for this organisation (the tenant) and common name (the gateway).
 * EMT_EMALFORMED unreadable, or for somebody else; EMT_EAUTH of another key, or not signed with it.
 */
EMT_CHECKED enum emt_err import_proof(const char *pem, size_t n, const char *request,
                                      size_t request_len, const char *organisation,
                                      const char *common_name, struct emt_diag *diag);

enum emt_use { EMT_SIG, EMT_ENC, EMT_TLS };
/* A certificate (with its chain) and key of a market participant (SM-PKI: three for one identity,
 * with these key usages). EMT_EMALFORMED unreadable or of another use; EMT_EAUTH the key is not the
 * certificate's; EMT_ESTATE it is over. */
EMT_CHECKED enum emt_err emt_check(const char *chain_pem, size_t chain_len, const char *key_pem,
                                   size_t key_len, enum emt_use use, emt_time now,
                                   struct certificate_facts *out, struct emt_diag *diag);

#endif
