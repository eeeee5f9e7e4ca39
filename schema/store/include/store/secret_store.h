/* Data keys of tenants and secrets of the platform, wrapped by the master key (base/seal.h). */
#ifndef EMT_STORE_SECRET_STORE_H
#define EMT_STORE_SECRET_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"
#include "base/writer.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Inside a transaction of the tenant. Makes version 1 of its data key. */
EMT_CHECKED enum emt_err tenant_key_create(struct store *s, int32_t tenant,
                                           const struct seal_key *master, struct seal_key *out);
/* Newest data key (version 0) or a certain version. EMT_ENOTFOUND; EMT_EAUTH the master key does
 * not fit. Wipe *out. */
EMT_CHECKED enum emt_err tenant_key_load(struct store *s, int32_t tenant, uint16_t version,
                                         const struct seal_key *master, struct seal_key *out);

/* As STORE_ADMIN inside a transaction: waits until no other process is between this call and its
 * commit. For the first start of several nodes. */
EMT_CHECKED enum emt_err platform_lock(struct store *s);
/* As STORE_ADMIN. EMT_ECONFLICT exists; EMT_ENOTFOUND; EMT_EAUTH. secret goes to out (wipe);
 * public_text may be NULL. */
EMT_CHECKED enum emt_err platform_secret_create(struct store *s, const char *name,
                                                const void *secret, size_t len,
                                                const char *public_text,
                                                const struct seal_key *master);
/* In the place of one that stands. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err platform_secret_replace(struct store *s, const char *name,
                                                 const void *secret, size_t len,
                                                 const struct seal_key *master);
EMT_CHECKED enum emt_err platform_secret_load(struct store *s, const char *name,
                                              const struct seal_key *master, struct writer *secret,
                                              struct writer *public_text);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *secret_store_statements(size_t *n);

#endif
