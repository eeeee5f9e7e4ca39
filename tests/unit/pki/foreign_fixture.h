/* Certificates as others make them, with OpenSSL alone: vendors' CAs, devices with RSA keys,
 * mistakes. Failures end the test. */
#ifndef EMT_TESTS_FOREIGN_FIXTURE_H
#define EMT_TESTS_FOREIGN_FIXTURE_H

#include "pki_fixture.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct foreign {
    X509 *cert;
    EVP_PKEY *key;
    char pem[16384];
    struct test_leaf leaf; /* chain up to, without, the topmost CA, and key, as PEM */
};

struct foreign_spec {
    const char *name;             /* CN */
    const char *key;              /* "P-256", "brainpoolP256r1", "rsa:2048"; NULL: P-256 */
    const struct foreign *issuer; /* NULL: signs itself */
    const char *digest;           /* NULL: SHA256 */
    const char *usage;            /* NULL: digitalSignature, or those of a CA */
    bool ca;
    int from_s, until_s; /* from now; both 0: an hour back to a day ahead */
};
void foreign_make(struct foreign *f, const struct foreign_spec *s);
void foreign_release(struct foreign *f);

#endif
