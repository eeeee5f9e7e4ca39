/* Global identities: from a certificate's fingerprint or a key's hash to its tenant. The one place
 * that reaches over tenants, through functions of the database that answer one key at a time. */
#ifndef EMT_STORE_DIRECTORY_STORE_H
#define EMT_STORE_DIRECTORY_STORE_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum directory_kind {
    DIRECTORY_GATEWAY_CERTIFICATE = 1,
    DIRECTORY_API_KEY = 2,
    DIRECTORY_ENROLMENT = 3
};

/* key: SHA-256 of the certificate, key or token. row: what it stands for there (gateway_id, key_id,
 * enrolment_id). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err directory_find(struct store *s, enum directory_kind kind,
                                        const uint8_t key[32], int32_t *tenant, int64_t *row);
/* Inside a transaction of the tenant. EMT_ECONFLICT: somebody has it. */
EMT_CHECKED enum emt_err directory_add(struct store *s, enum directory_kind kind,
                                       const uint8_t key[32], int64_t row);
/* Inside a transaction of the tenant. EMT_ENOTFOUND: not this tenant's. */
EMT_CHECKED enum emt_err directory_remove(struct store *s, enum directory_kind kind,
                                          const uint8_t key[32]);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *directory_store_statements(size_t *n);

#endif
