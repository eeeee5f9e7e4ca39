/* Private keys that stay in a token (PKCS #11), named by a URI (RFC 7512):
 *   pkcs11:token=emt;object=root;type=private?module-path=/usr/lib/….so&pin-source=file:/etc/emt/pin
 * Debian 12 has no provider for them; the engine libengine-pkcs11-openssl is what there is.
 * Internal to pki/. */
#ifndef EMT_PKI_TOKEN_H
#define EMT_PKI_TOKEN_H

#include "base/attr.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

bool token_is_uri(const char *text, size_t n);
/* *out: free with EVP_PKEY_free(); signing asks the token. The PIN is read from the file, which
 * nobody but its owner may read. All keys of a process are in tokens of one module. EMT_EMALFORMED
 * the URI or one of the kinds of its key; EMT_EAUTH the file's rights, or the token refuses the
 * PIN; EMT_ENOTFOUND no such key; EMT_EUNSUPPORTED the engine is not installed. */
EMT_CHECKED enum emt_err token_key(const char *uri, size_t n, EVP_PKEY **out,
                                   struct emt_diag *diag);

#endif
