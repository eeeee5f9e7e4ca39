/* Raw frames: what arrived, kept before anything interprets it. */
#ifndef EMT_STORE_FRAME_STORE_H
#define EMT_STORE_FRAME_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/frame_state.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_row {
    int64_t gateway;
    const uint8_t *spool_id; /* 16 */
    uint64_t seq;
    int protocol, format;
    emt_time received_at;
    int64_t device; /* 0: not known */
    bool has_counter;
    int64_t counter;
    enum frame_state state;
    int rssi_dbm;
    const uint8_t *hash; /* 16, or NULL */
    const uint8_t *data;
    size_t len;
    const char *reason; /* "" */
};
/* Asynchronous, inside a transaction of the tenant. */
bool frame_rows_init(struct store_rows *r);
bool frame_rows_add(struct store_rows *r, const struct frame_row *f);
EMT_CHECKED enum emt_err frame_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                         store_done *done, void *ctx);

/* --- replay
 * --------------------------------------------------------------------------------------------------------
 */

/* Which waiting frames: of one device, or of all devices that fit (0, NULL, -1: any). */
struct waiting_filter {
    uint32_t states; /* bit per enum frame_state */
    const char *manufacturer, *number;
    int version, type;
};
/* Devices with waiting frames, ascending, above `after`; rows (device_id), at most limit.
 * Synchronous, in a transaction of the tenant. */
EMT_CHECKED enum emt_err waiting_devices(struct store *s, int32_t tenant,
                                         const struct waiting_filter *f, int64_t after,
                                         int32_t limit, struct store_result **out);

/* Place of a frame in the order of a device's frames; start with WAITING_FIRST. */
struct waiting_at {
    emt_time received_at;
    int64_t gateway, seq;
    uint8_t spool_id[16];
};
#define WAITING_FIRST ((struct waiting_at){ .received_at = 0, .gateway = -1, .seq = -1 })
/* Waiting frames of a device (0: frames whose device is not known) behind `at`, in order of
 * reception. */
EMT_CHECKED enum emt_err waiting_frames(struct store *s, int32_t tenant, int64_t device,
                                        uint32_t states, const struct waiting_at *at, int32_t limit,
                                        struct store_result **out);
struct waiting_frame {
    struct waiting_at at;
    emt_time stored_at;
    enum frame_state state;
    int protocol, format, rssi_dbm;
    const uint8_t *data; /* borrowed from the result */
    size_t len;
};
void waiting_frame_of(const struct store_result *r, int row, struct waiting_frame *out);

/* A frame's new state. */
struct frame_update {
    struct waiting_at at;
    emt_time stored_at;
    int64_t old_device; /* 0: was not known */
    enum frame_state old_state, state;
    int64_t device;
    bool has_counter;
    int64_t counter;
    const uint8_t *hash; /* 16, or NULL */
    const char *reason;
};
bool update_rows_init(struct store_rows *r);
bool update_rows_add(struct store_rows *r, const struct frame_update *u);
/* Asynchronous. A frame whose state is no longer old_state is left alone. known: whether the rows
 * have an old_device (all or none). */
EMT_CHECKED enum emt_err update_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          bool known, store_done *done, void *ctx);

/* --- retention (as STORE_ADMIN)
 * ------------------------------------------------------------------------------------ */

/* Drops the day partitions of raw_frame that no tenant's retention covers at `now`; *n of them. */
EMT_CHECKED enum emt_err frames_drop(struct store *s, emt_time now, int64_t *n);
/* Drops the day partitions that end before `past` and have no row: their frames are packed. */
EMT_CHECKED enum emt_err frames_drop_empty(struct store *s, emt_time past, int64_t *n);
/* Deletes one lot of a tenant's frames past its retention, and frames of devices that are only
 * heard past heard_days. */
EMT_CHECKED enum emt_err frames_expire(struct store *s, int32_t tenant, emt_time now,
                                       int32_t heard_days, int64_t *n);
/* Telegram identities from before `past`, rejected frames and gaps as well. */
EMT_CHECKED enum emt_err telegrams_expire(struct store *s, int32_t tenant, emt_time past,
                                          int64_t *n);
EMT_CHECKED enum emt_err rejections_expire(struct store *s, int32_t tenant, emt_time past,
                                           int64_t *n);
/* Rows (id) of all tenants. */
EMT_CHECKED enum emt_err tenants_of_maintenance(struct store *s, struct store_result **out);
EMT_CHECKED enum emt_err partitions_ensure(struct store *s, emt_time now, int32_t hot_days);

const struct store_statement *frame_store_statements(size_t *n);

#endif
