/* Certificate authorities: the platform's root and one issuing CA per tenant under it; leaves for
 * gateways and servers.
 *
 * Subjects. Root: CN = "EMT Platform Root <8 hex>". Tenant CA: O = <tenant key>, CN = "EMT Tenant
 * CA <tenant key>", path length 0. Gateway leaf: O = <tenant key>, CN = <gateway external id>,
 * clientAuth. Server leaf: CN and subjectAltName from the caller, serverAuth, issued by the root's
 * own server CA "EMT Platform Server CA". Keys are EC P-256 unless the algorithm says otherwise;
 * serial numbers 16 random bytes. */
#ifndef EMT_PKI_AUTHORITY_H
#define EMT_PKI_AUTHORITY_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind { KEY_P256, KEY_P384, KEY_BRAINPOOL_P256R1, KEY_BRAINPOOL_P384R1 };
/* "P-256", "brainpoolP256r1", …; EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err key_kind_parse(const char *name, enum key_kind *out);
/* Of a private key (PKCS#8, PEM). EMT_EMALFORMED no key; EMT_EUNSUPPORTED none of the kinds. */
EMT_CHECKED enum emt_err key_kind_of_pem(const char *pem, size_t n, enum key_kind *out);

/* A CA with its private key in memory. */
struct authority;

/* New self-signed root. Free with authority_free(). now and lifetime in emt_time units. Every
 * certificate begins 5 minutes before now, for gateways whose clock is behind, and ends with its
 * issuer's at the latest. */
EMT_CHECKED enum emt_err authority_new_root(enum key_kind kind, emt_time now, int64_t lifetime,
                                            struct authority **out, struct emt_diag *diag);
/* New CA under issuer. organisation NULL: none. */
EMT_CHECKED enum emt_err authority_new_sub(struct authority *issuer, enum key_kind kind,
                                           const char *organisation, const char *common_name,
                                           emt_time now, int64_t lifetime, struct authority **out,
                                           struct emt_diag *diag);
/* From PEM: certificate (followed by its chain up to, without, the root) and PKCS#8 key. */
EMT_CHECKED enum emt_err authority_load(const char *chain_pem, size_t chain_len,
                                        const char *key_pem, size_t key_len, struct authority **out,
                                        struct emt_diag *diag);
/* The same for a CA of the platform itself, whose key may be the "pkcs11:" URI of one in a token:
 * pkcs11:token=T;object=O?module-path=/….so&pin-source=file:/…. Nothing that came from a tenant
 * goes in here. Errors besides: EMT_ENOTFOUND, EMT_EUNSUPPORTED, EMT_EIO of the token. */
EMT_CHECKED enum emt_err authority_load_platform(const char *chain_pem, size_t chain_len,
                                                 const char *key, size_t key_len,
                                                 struct authority **out, struct emt_diag *diag);
/* As authority_new_root() and authority_new_sub(), with a key that is in a token already. */
EMT_CHECKED enum emt_err authority_new_root_token(const char *uri, emt_time now, int64_t lifetime,
                                                  struct authority **out, struct emt_diag *diag);
EMT_CHECKED enum emt_err authority_new_sub_token(struct authority *issuer, const char *uri,
                                                 const char *organisation, const char *common_name,
                                                 emt_time now, int64_t lifetime,
                                                 struct authority **out, struct emt_diag *diag);
void authority_free(struct authority *a); /* wipes the key */

/* Certificate and chain as PEM, leaf-most first; for the root only itself. */
EMT_CHECKED enum emt_err authority_chain_pem(const struct authority *a, struct writer *out);
/* PKCS#8 PEM, or the URI of a key in a token: wrap it (base/seal.h) and wipe the writer's memory.
 */
EMT_CHECKED enum emt_err authority_key_pem(const struct authority *a, struct writer *out);
/* SHA-256 of the CA's certificate, DER. */
void authority_fingerprint(const struct authority *a, uint8_t out[32]);

struct leaf_info {
    uint8_t fingerprint[32];
    char serial[65]; /* hex */
    emt_time not_before, not_after;
};
/* Signs a gateway's PKCS#10 request (PEM): proof of possession verified, key type checked, the
 * subject is ours and not the request's. chain_out: leaf and chain as PEM. EMT_EMALFORMED,
 * EMT_EAUTH bad signature, EMT_EUNSUPPORTED key type. */
EMT_CHECKED enum emt_err authority_issue_gateway(struct authority *a, const char *csr_pem,
                                                 size_t csr_len, const char *organisation,
                                                 const char *common_name, emt_time now,
                                                 int64_t lifetime, struct writer *chain_out,
                                                 struct leaf_info *info, struct emt_diag *diag);
/* New key and server certificate for these names (DNS names or IP addresses, comma separated, first
 * = CN). */
EMT_CHECKED enum emt_err authority_issue_server(struct authority *a, enum key_kind kind,
                                                const char *names, emt_time now, int64_t lifetime,
                                                struct writer *chain_out, struct writer *key_out,
                                                struct leaf_info *info, struct emt_diag *diag);

/* The same for a key in a token. */
EMT_CHECKED enum emt_err authority_issue_server_token(struct authority *a, const char *uri,
                                                      const char *names, emt_time now,
                                                      int64_t lifetime, struct writer *chain_out,
                                                      struct leaf_info *info,
                                                      struct emt_diag *diag);

/* Agent side: a new key and a PKCS#10 request for it, both PEM. */
EMT_CHECKED enum emt_err csr_new(enum key_kind kind, const char *common_name,
                                 struct writer *key_out, struct writer *csr_out,
                                 struct emt_diag *diag);

/* Facts of the first certificate of a PEM text. */
EMT_CHECKED enum emt_err certificate_info(const char *pem, size_t n, struct leaf_info *out,
                                          struct emt_diag *diag);

#endif
