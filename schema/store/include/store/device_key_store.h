/* Meter keys, wrapped; never selected by this aggregate. Inside a transaction of the tenant. A list
 * is ascending or newest first as it says, starts behind the cursor, and its column 0 is the cursor
 * of each row. */
#ifndef EMT_STORE_DEVICE_KEY_STORE_H
#define EMT_STORE_DEVICE_KEY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number for a new key: the blob is bound to it. */
EMT_CHECKED enum emt_err device_key_next(struct store *s, int32_t tenant, int64_t *id);
/* NULL or a negative number matches any. */
EMT_CHECKED enum emt_err device_key_insert(struct store *s, int32_t tenant, int64_t key_id,
                                           const char *manufacturer, const char *number,
                                           int version, int type, const char *label,
                                           const void *blob, size_t blob_len);
/* What a DLMS meter has beside its key: an authentication key, wrapped, and the system title of 8
 * bytes; NULL: none. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_key_set_dlms(struct store *s, int32_t tenant, int64_t key_id,
                                             const void *blob, size_t blob_len,
                                             const uint8_t *title);
/* (cursor, key_id, number, manufacturer, version, type, label, created_at, has an authentication
 * key, system title in hex). */
EMT_CHECKED enum emt_err device_key_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                         struct store_result **out);
/* One row as device_key_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_key_get(struct store *s, int32_t tenant, int64_t key_id,
                                        struct store_result **out);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_key_delete(struct store *s, int32_t tenant, int64_t key_id);
/* Caches of the tenant are stale: every node sees it within a second. */
EMT_CHECKED enum emt_err registry_touch(struct store *s, int32_t tenant);

const struct store_statement *device_key_store_statements(size_t *n);

#endif
