/* What comparing a new decoding with the stored values asks for, and what came out. Inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_REPLAY_STORE_H
#define EMT_STORE_REPLAY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Adopted devices above `after`, ascending: rows (device_id, ident). */
EMT_CHECKED enum emt_err replay_devices(struct store *s, int32_t tenant, int64_t after, int limit,
                                        struct store_result **out);
/* One of them. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err replay_device_get(struct store *s, int32_t tenant, int64_t device,
                                           struct store_result **out);
/* Channels of a device that hold decoded numbers: rows (channel_id, key). */
EMT_CHECKED enum emt_err replay_channels(struct store *s, int32_t tenant, int64_t device,
                                         struct store_result **out);

/* Keeps what a job found, and forgets what jobs found before `oldest`. */
EMT_CHECKED enum emt_err replay_difference_keep(struct store *s, int32_t tenant, int64_t job,
                                                emt_time now, emt_time oldest,
                                                const char *document);
/* One row (document). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err replay_difference_get(struct store *s, int32_t tenant, int64_t job,
                                               struct store_result **out);

const struct store_statement *replay_store_statements(size_t *n);

#endif
