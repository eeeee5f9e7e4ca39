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

/* EMT_ECONFLICT: that key exists. */
EMT_CHECKED enum emt_err api_key_insert(struct store *s, int32_t tenant, const char *name,
                                        const uint8_t *hash, int role, emt_time expires_at,
                                        int64_t *id);
/* (cursor, key_id, name, role, created_at, expires_at, revoked_at, last_used_at); after: 0 from the
 * start. */
EMT_CHECKED enum emt_err api_key_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                      struct store_result **out);
/* The key if it is good at this time: (role, name, key of the tenant). Notes the use, at most once
 * a minute. EMT_ENOTFOUND revoked, expired or unknown. */
EMT_CHECKED enum emt_err api_key_use(struct store *s, int32_t tenant, int64_t key_id,
                                     const uint8_t *hash, emt_time now, struct store_result **out);
/* EMT_ENOTFOUND unknown or revoked before. */
EMT_CHECKED enum emt_err api_key_revoke(struct store *s, int32_t tenant, int64_t key_id,
                                        emt_time now);

const struct store_statement *api_key_store_statements(size_t *n);

#endif
