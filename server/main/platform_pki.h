/* The platform's own certificates: its root and the CA of its servers, kept wrapped in the
 * database, and this node's server certificate, which is issued at each start and renewed in time.
 */
#ifndef EMT_MAIN_PLATFORM_PKI_H
#define EMT_MAIN_PLATFORM_PKI_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "base/writer.h"

#include <stdint.h>

struct authority;
struct store;
struct tls_context;
struct trust;

/* Names in platform_secret; the root's is what the tenants' CAs are issued with. */
#define PLATFORM_ROOT "pki-root"
#define PLATFORM_SERVER_CA "pki-server"

struct platform_pki {
    struct writer root_pem;
    uint8_t pin[32]; /* SHA-256 of the root */
    struct authority *server_ca;
    emt_time root_ends, server_ca_ends;
};

/* "pkcs11:" URIs of keys that are in a token; NULL: in the database. */
struct platform_keys {
    const char *root, *server_ca;
};

/* A key in a token must be there before the first start; later its URI may change (another path of
 * the module, of the PIN) but not the key, and a key that is in the database stays there:
 * EMT_ESTATE. Loads them, or makes them when the database has none yet; of several first nodes one
 * makes them. As STORE_ADMIN, outside of a transaction. EMT_EAUTH the master key is not the one
 * they are wrapped with. Release with platform_pki_release(). */
EMT_CHECKED enum emt_err platform_pki_open(struct store *admin, const struct seal_key *master,
                                           const struct platform_keys *keys, emt_time now,
                                           struct platform_pki *out, struct emt_diag *diag);
void platform_pki_release(struct platform_pki *p);

/* What the listeners use. NULL members were not asked for. */
struct tls_set {
    struct tls_context *field12, *field13, *logger, *https;
    emt_time not_after; /* of the platform's server certificate */
};
struct tls_set_settings {
    const char *names;
    const char *server_key; /* "pkcs11:" URI; NULL: a new one each time */
    const char *certificate,
        *key; /* PEM files for HTTPS; NULL: the platform's server certificate too */
    int64_t session_age_ms;
    struct trust *trust;        /* of the field channel */
    struct trust *trust_logger; /* of the loggers' listener; NULL: none */
};
EMT_CHECKED enum emt_err tls_set_make(const struct platform_pki *p,
                                      const struct tls_set_settings *s, emt_time now,
                                      struct tls_set *out, struct emt_diag *diag);
void tls_set_release(struct tls_set *t);

#endif
