/* Devices and channels as people see them. Inside a transaction of the tenant. A list is ascending
 * or newest first as it says, starts behind the cursor, and its column 0 is the cursor of each row.
 */
#ifndef EMT_STORE_DEVICE_STORE_H
#define EMT_STORE_DEVICE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* (cursor, ident, manufacturer, number, version, type, name, place, active, assignment,
 * accept_plaintext, created_at, device_id); number NULL: all. */
EMT_CHECKED enum emt_err device_list(struct store *s, int32_t tenant, const char *number,
                                     const char *after, int limit, struct store_result **out);
/* One row as device_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_get(struct store *s, int32_t tenant, const char *ident,
                                    struct store_result **out);
/* Its number. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_find(struct store *s, int32_t tenant, const char *ident,
                                     int64_t *id);
/* NULL or a negative number leaves a field as it is. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_update(struct store *s, int32_t tenant, const char *ident,
                                       const char *name, const char *place, int active,
                                       int assignment, int accept_plaintext);
/* (cursor, channel_id, ident, kind, obis, quantity, unit, function, storage, tariff, subunit,
 * qualifier, nth). */
EMT_CHECKED enum emt_err channel_list(struct store *s, int32_t tenant, int64_t device_id,
                                      int64_t after, int limit, struct store_result **out);
/* One row as channel_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err channel_get(struct store *s, int32_t tenant, int64_t channel_id,
                                     struct store_result **out);

const struct store_statement *device_store_statements(size_t *n);

#endif
