/* What users may do in tenants. As STORE_ADMIN: users are the platform's. A list starts behind the
 * cursor, ascending; its column 0 is the cursor of each row. */
#ifndef EMT_STORE_MEMBER_STORE_H
#define EMT_STORE_MEMBER_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "store/store.h"
#include "store/user_store.h"

#include <stdint.h>

/* Adds the membership or changes its role. */
EMT_CHECKED enum emt_err member_set(struct store *s, int32_t tenant, int64_t user, int role);
/* The same by the tenant's key. EMT_ENOTFOUND no such tenant. */
EMT_CHECKED enum emt_err member_set_by_key(struct store *s, const char *tenant_key, int64_t user,
                                           int role);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err member_remove(struct store *s, int32_t tenant, int64_t user);
EMT_CHECKED enum emt_err member_remove_all(struct store *s, int64_t user);
/* (cursor, id, name, display_name, role, one_time, created_at, last_login_at, disabled_at) */
EMT_CHECKED enum emt_err member_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                     struct store_result **out);
/* One of them. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err member_get(struct store *s, int32_t tenant, int64_t user,
                                    struct store_result **out);

struct member {
    int role;
    int64_t others; /* memberships in other tenants */
    enum platform_role platform_role;
};
/* EMT_ENOTFOUND no member. */
EMT_CHECKED enum emt_err member_find(struct store *s, int32_t tenant, int64_t user,
                                     struct member *out);
/* Active tenants of a user, by number: (cursor, id, key, name, role). */
EMT_CHECKED enum emt_err member_tenants(struct store *s, int64_t user, int32_t after, int limit,
                                        struct store_result **out);

/* For the test that prepares them all. */
const struct store_statement *member_store_statements(size_t *n);

#endif
