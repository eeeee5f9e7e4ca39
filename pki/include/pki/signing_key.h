/* A key that signs small texts: ECDSA P-256 with SHA-256, signatures in DER. */
#ifndef EMT_PKI_SIGNING_KEY_H
#define EMT_PKI_SIGNING_KEY_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stddef.h>

#define SIGNATURE_MAX 80

/* A new key: PKCS#8 PEM (wrap it with base/seal.h, wipe it) and its public half as PEM. */
EMT_CHECKED enum emt_err signing_key_new(struct writer *secret_pem, struct writer *public_pem,
                                         struct emt_diag *diag);
/* EMT_EMALFORMED the key is none; EMT_EINTERNAL. */
EMT_CHECKED enum emt_err signing_key_sign(const char *secret_pem, size_t n, const void *text,
                                          size_t len, unsigned char out[SIGNATURE_MAX],
                                          size_t *out_len, struct emt_diag *diag);
/* EMT_EAUTH the signature is not this key's of this text; EMT_EMALFORMED the key is none. */
EMT_CHECKED enum emt_err signing_key_verify(const char *public_pem, size_t n, const void *text,
                                            size_t len, const void *signature, size_t signature_len,
                                            struct emt_diag *diag);

#endif
