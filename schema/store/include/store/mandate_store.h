/* Who outside of the tenant may get which location's values, for which purpose and period. Inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_MANDATE_STORE_H
#define EMT_STORE_MANDATE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdint.h>

struct mandate_new {
    int64_t location;
    const char *recipient, *purpose, *evidence, *created_by;
    emt_time from, to; /* to EMT_TIME_NONE: open */
};
/* EMT_ECONFLICT no such location; EMT_ELIMIT it ends before it begins. */
EMT_CHECKED enum emt_err mandate_insert(struct store *s, int32_t tenant,
                                        const struct mandate_new *m, int64_t *id);
/* (cursor, mandate_id, location code, recipient, purpose, valid_from, valid_to, evidence,
 * created_at, created_by), ascending above `after`; location NULL: of all. */
EMT_CHECKED enum emt_err mandate_list(struct store *s, int32_t tenant, const char *location,
                                      int64_t after, int limit, struct store_result **out);
/* One row as mandate_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err mandate_get(struct store *s, int32_t tenant, int64_t id,
                                     struct store_result **out);
/* EMT_ENOTFOUND, EMT_ELIMIT. */
EMT_CHECKED enum emt_err mandate_update(struct store *s, int32_t tenant, int64_t id, emt_time to,
                                        const char *evidence);
EMT_CHECKED enum emt_err mandate_delete(struct store *s, int32_t tenant, int64_t id);

/* Asked before values leave: rows (valid_from, valid_to) of all that a recipient has for a
 * location, whatever the purpose. */
EMT_CHECKED enum emt_err mandate_periods(struct store *s, int32_t tenant, const char *location,
                                         const char *recipient, struct store_result **out);

const struct store_statement *mandate_store_statements(size_t *n);

#endif
