/* What people said of exports: rules of gaps (export_policy) and limits of partners, to be listed
 * and taken back; export_store.h sets them and asks them. Inside a transaction of the tenant. */
#ifndef EMT_STORE_MARKET_RULE_STORE_H
#define EMT_STORE_MARKET_RULE_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* (cursor, use case as text, "default" for 0; gap, method, reason, correction), ascending. */
EMT_CHECKED enum emt_err market_policy_list(struct store *s, int32_t tenant,
                                            struct store_result **out);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err market_policy_delete(struct store *s, int32_t tenant, unsigned use_case);

/* (cursor, MP-ID, name, role, bytes of a file or NULL, its messages or NULL), ascending behind
 * `after`, "" for the first. */
EMT_CHECKED enum emt_err market_partner_list(struct store *s, int32_t tenant, const char *after,
                                             int limit, struct store_result **out);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err market_partner_delete(struct store *s, int32_t tenant, const char *mp_id);

const struct store_statement *market_rule_store_statements(size_t *n);

#endif
