/* Tenants: their row, their data key, their certificate authority. */
#ifndef EMT_STORE_TENANT_STORE_H
#define EMT_STORE_TENANT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum tenant_state { TENANT_ACTIVE = 0, TENANT_SUSPENDED = 1, TENANT_DELETING = 2 };
/* What happens to meters that nobody announced. */
enum tenant_device_policy { TENANT_LEARN = 0, TENANT_ALLOW_LIST = 1, TENANT_IGNORE = 2 };

struct tenant {
    int32_t id;
    char key[64];   /* [a-z0-9-], unique for good */
    char name[801]; /* 200 characters */
    enum tenant_state state;
    enum tenant_device_policy device_policy;
    int32_t profile_tolerance_s;
    int32_t raw_retention_days;
    int32_t reading_retention_days; /* quarter hours: 48 values a day and more */
    int32_t daily_retention_days;   /* sparser values */
    int32_t compact_after_days;     /* then rows become blocks (block_store.h) */
    int32_t raw_pack_after_days;    /* then raw frames become packs (raw_pack_store.h) */
    bool mandates_required;         /* exports to others need a mandate (mandate_store.h) */
    int32_t audit_retention_days;
    char own_mp_id[32]; /* "" for none */
    emt_time created_at;
};

/* Inside a transaction, as STORE_ADMIN: the row with default settings, version 1 of its data key,
 * its registry version. The caller adds the certificate authority and commits. EMT_ECONFLICT the
 * key is taken; EMT_ELIMIT key or name break their rules. Wipe *data_key. */
EMT_CHECKED enum emt_err tenant_create(struct store *s, const char *key, const char *name,
                                       const struct seal_key *master, int32_t *id,
                                       struct seal_key *data_key);
/* As STORE_ADMIN, or as STORE_APP in a transaction of that tenant. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err tenant_find(struct store *s, const char *key, struct tenant *out);
EMT_CHECKED enum emt_err tenant_get(struct store *s, int32_t id, struct tenant *out);
/* As STORE_ADMIN: tenants with id > after in order of id, at most *n of them; *n becomes how many.
 */
/* Its row, until the end of the transaction. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err tenant_lock(struct store *s, int32_t id);
EMT_CHECKED enum emt_err tenant_list(struct store *s, int32_t after, struct tenant *out, size_t *n);
/* Name, policy, tolerance, retentions and MP-ID as t says, and raises the registry version. Roles
 * as tenant_find(). EMT_ENOTFOUND; EMT_ELIMIT out of range. */
EMT_CHECKED enum emt_err tenant_update(struct store *s, const struct tenant *t);
/* As STORE_ADMIN. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err tenant_set_state(struct store *s, int32_t id, enum tenant_state state);
/* How many active meters the tenant may have; -1: any number. What comes beyond begins passive,
 * with the event meters-exceeded; what is active stays so. As STORE_ADMIN. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err tenant_set_meters_max(struct store *s, int32_t id, int32_t most);

/* The CA's chain and its PKCS#8 key, wrapped here by the data key. generation from 1. As
 * STORE_ADMIN, or as STORE_APP in a transaction of the tenant. EMT_ECONFLICT that generation
 * exists. */
EMT_CHECKED enum emt_err tenant_ca_create(struct store *s, int32_t tenant, int32_t generation,
                                          const char *chain_pem, const void *key_pem,
                                          size_t key_len, const struct seal_key *data_key);
/* The newest generation: chain and key (wipe it) are appended to the writers. The data key's
 * version must be the blob's (load it with tenant_key_load(); *key_version, may be NULL, says which
 * is needed). EMT_ENOTFOUND no CA; EMT_EAUTH the data key does not fit. */
EMT_CHECKED enum emt_err tenant_ca_load(struct store *s, int32_t tenant,
                                        const struct seal_key *data_key, int32_t *generation,
                                        uint16_t *key_version, struct writer *chain_pem,
                                        struct writer *key_pem);

/* The same for one generation. */
EMT_CHECKED enum emt_err tenant_ca_load_generation(struct store *s, int32_t tenant,
                                                   int32_t generation,
                                                   const struct seal_key *data_key,
                                                   struct writer *chain_pem,
                                                   struct writer *key_pem);

/* For the test that prepares them all. */
struct store_statement;
/* As STORE_ADMIN: from the commit on nothing of the tenant counts; jobs remove it. */
EMT_CHECKED enum emt_err tenant_order_removal(struct store *s, int32_t id, const char *by,
                                              const char *reason);
/* (key, by) of tenants that are to be removed. */
struct store_result;
EMT_CHECKED enum emt_err tenant_removals(struct store *s, struct store_result **out);

const struct store_statement *tenant_store_statements(size_t *n);

#endif
