/* API keys of a tenant. Inside a transaction of the tenant. A list is ascending or newest first as
 * it says, starts behind the cursor, and its column 0 is the cursor of each row. */
#ifndef EMT_STORE_API_KEY_STORE_H
#define EMT_STORE_API_KEY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_key_new {
    const char *name;
    const uint8_t *hash; /* SHA-256 of the key */
    int role;
    uint32_t scopes;     /* as in the table; 0: all that the role allows */
    emt_time expires_at; /* EMT_TIME_NONE: never */
    const char *created_by;
    int64_t user_id;     /* member of the tenant who makes it; 0: nobody of it */
    int64_t made_by_key; /* or the key, whose user's it is then; 0: none */
    /* Who it is for outside of the tenant, reading by mandates for this purpose; both NULL: the
     * tenant itself. */
    const char *recipient, *purpose;
};
/* EMT_ECONFLICT: that key exists. */
EMT_CHECKED enum emt_err api_key_insert(struct store *s, int32_t tenant,
                                        const struct api_key_new *k, int64_t *id);
/* (cursor, key_id, name, role, scopes, created_at, created_by, expires_at, revoked_at,
 * last_used_at, recipient, purpose); after: 0 from the start. */
EMT_CHECKED enum emt_err api_key_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                      struct store_result **out);

struct api_key {
    int32_t tenant;
    int64_t id;
    int role;
    uint32_t scopes;
    char name[401];
    char tenant_key[64];
    char recipient[401]; /* "": the tenant itself */
    char purpose[801];
    bool unnoted; /* its last use was noted a minute ago or longer */
};
/* Outside of any transaction: the key of this hash, if it is good at this time. EMT_ENOTFOUND
 * revoked, expired or unknown, or its tenant not active. */
EMT_CHECKED enum emt_err api_key_find(struct store *s, const uint8_t hash[32], emt_time now,
                                      struct api_key *out);
/* Notes the use, at most once a minute; waits for nobody who does the same. */
EMT_CHECKED enum emt_err api_key_used(struct store *s, int32_t tenant, int64_t key_id,
                                      emt_time now);
/* EMT_ENOTFOUND unknown or revoked before. */
EMT_CHECKED enum emt_err api_key_revoke(struct store *s, int32_t tenant, int64_t key_id,
                                        emt_time now);

/* All keys of a user who leaves the tenant or its administration; *n were not revoked before. */
EMT_CHECKED enum emt_err api_key_revoke_user(struct store *s, int32_t tenant, int64_t user,
                                             emt_time now, int64_t *n);
/* As STORE_ADMIN: in every tenant of which the user is no administrator (any more); all:
 * everywhere.
 */
EMT_CHECKED enum emt_err api_key_revoke_left(struct store *s, int64_t user, bool all, emt_time now,
                                             int64_t *n);

const struct store_statement *api_key_store_statements(size_t *n);

#endif
