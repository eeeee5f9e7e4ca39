/* Private keys: the kinds we make and accept, and their PEM form. Internal to pki/. */
#ifndef EMT_PKI_KEY_H
#define EMT_PKI_KEY_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"
#include "pki/authority.h"

#include <openssl/evp.h>
#include <stddef.h>

/* Takes what OpenSSL says about its last failure into diag ("WHAT: reason"), empties its queue,
 * returns err. */
enum emt_err pki_fail(struct emt_diag *diag, enum emt_err err, const char *what);

/* For every PEM_read_bio_*(): any of them may say that it is encrypted, and without this OpenSSL
 * then asks for a pass phrase on the terminal, waits, and changes the process's signals. */
int no_passphrase(char *buf, int size, int writing, void *arg);

/* *out: free with EVP_PKEY_free(). */
EMT_CHECKED enum emt_err key_generate(enum key_kind kind, EVP_PKEY **out, struct emt_diag *diag);
/* Unencrypted PKCS#8. Reading: EMT_EMALFORMED. */
EMT_CHECKED enum emt_err key_from_pem(const char *pem, size_t n, EVP_PKEY **out,
                                      struct emt_diag *diag);
/* The same, or a key in a token by its URI (token.h). Only for what the operator of this machine
 * wrote: a tenant must not reach the platform's token. */
EMT_CHECKED enum emt_err key_from_pem_or_token(const char *text, size_t n, EVP_PKEY **out,
                                               struct emt_diag *diag);
EMT_CHECKED enum emt_err key_to_pem(const EVP_PKEY *key, struct writer *out);
/* EMT_EUNSUPPORTED a key that is none of the kinds, or EC with explicit parameters. */
EMT_CHECKED enum emt_err key_kind_of(const EVP_PKEY *key, enum key_kind *out);
/* The digest to sign with: as strong as the key (TR-03116-3: SHA-256 for 256 bit, SHA-384 for 384).
 */
const EVP_MD *key_digest(const EVP_PKEY *key);

#endif
