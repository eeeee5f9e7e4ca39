/* Wrapped secrets (docs/decisions, "secrets from the first key on"): a master key wraps one data
 * key per tenant, which wraps records. AES-256-GCM; associated data binds a blob to its place, so
 * that a blob moved to another tenant, table, row or purpose does not open.
 *
 *  off size  blob
 *    0    1  format, 1
 *    1    2  version of the wrapping key, big endian
 *    3   12  nonce, random
 *   15    n  ciphertext
 * 15+n   16  tag */
#ifndef EMT_BASE_SEAL_H
#define EMT_BASE_SEAL_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_LEN 32
#define SEAL_OVERHEAD 31

/* A wrapping key in memory; wipe with seal_key_wipe(). */
struct seal_key {
    uint16_t version;
    uint8_t key[SEAL_KEY_LEN];
};

/* Where a blob belongs. Texts are borrowed; row is the natural key of the record as text. */
struct seal_place {
    int32_t tenant; /* 0: the platform */
    const char *table;
    const char *row;
    const char *purpose;
};

/* out holds len + SEAL_OVERHEAD. */
EMT_CHECKED enum emt_err seal_wrap(const struct seal_key *k, const struct seal_place *place,
                                   const void *plain, size_t len, uint8_t *out, size_t *out_len);
/* out holds blob_len. EMT_EMALFORMED no blob of ours; EMT_ENOTFOUND another key version (see
 * seal_version()); EMT_EAUTH wrong key or wrong place. */
EMT_CHECKED enum emt_err seal_unwrap(const struct seal_key *k, const struct seal_place *place,
                                     const uint8_t *blob, size_t blob_len, uint8_t *out,
                                     size_t *out_len);
/* Version of the key that wrapped a blob, 0 when it is none. */
uint16_t seal_version(const uint8_t *blob, size_t blob_len);
EMT_CHECKED enum emt_err seal_key_make(struct seal_key *k, uint16_t version);
/* A key file: one line "emt-master-key 1 <version> <64 hex>", mode 0600 or stricter (EMT_EAUTH
 * otherwise). */
EMT_CHECKED enum emt_err seal_key_read(const char *path, struct seal_key *k, struct emt_diag *diag);
/* Creates the file; EMT_ECONFLICT when it exists. */
EMT_CHECKED enum emt_err seal_key_create(const char *path, const struct seal_key *k,
                                         struct emt_diag *diag);
void seal_key_wipe(struct seal_key *k);

#endif
