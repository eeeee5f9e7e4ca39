/* Meters as one gateway heard them lately, and the list of those that it is told to keep. Inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_HEARD_STORE_H
#define EMT_STORE_HEARD_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdint.h>

enum heard_column {
    HEARD_CURSOR, /* ident */
    HEARD_IDENT,
    HEARD_MANUFACTURER,
    HEARD_NUMBER,
    HEARD_VERSION,
    HEARD_TYPE,
    HEARD_ASSIGNMENT, /* enum device_assignment */
    HEARD_FRAMES,
    HEARD_RSSI, /* of the last frame that tells it */
    HEARD_RSSI_BEST,
    HEARD_FIRST_AT,
    HEARD_LAST_AT,
    HEARD_STATE,   /* of the last frame */
    HEARD_HAS_KEY, /* a key matches its address */
};
/* Devices with frames of the gateway stored since then, by ident behind `after`. assignment -1:
 * any. Frames of ignored devices are not kept, so those stand here as long as older frames do. */
EMT_CHECKED enum emt_err heard_list(struct store *s, int32_t tenant, int64_t gateway,
                                    emt_time since, int assignment, const char *after, int limit,
                                    struct store_result **out);

enum allow_list_mode { ALLOW_LIST_OFF = 0, ALLOW_LIST_LISTED = 1, ALLOW_LIST_ADOPTED = 2 };
#define ALLOW_LIST_DEVICES_MAX 5000

/* Idents of the tenant's adopted devices of wireless M-Bus, at most limit. */
EMT_CHECKED enum emt_err allow_list_adopted(struct store *s, int32_t tenant, int limit,
                                            struct store_result **out);

struct allow_list_row {
    int64_t gateway;
    enum allow_list_mode mode;
    struct store_array *devices; /* STORE_TEXT */
    int64_t version, command;
    emt_time at;
    const char *by;
};
EMT_CHECKED enum emt_err allow_list_put(struct store *s, int32_t tenant,
                                        const struct allow_list_row *row);
/* (mode, number of devices, version, updated_at, updated_by, command id, state and result of the
 * command (NULL once it is forgotten)). EMT_ENOTFOUND: none was ever ordered. */
EMT_CHECKED enum emt_err allow_list_get(struct store *s, int32_t tenant, int64_t gateway,
                                        struct store_result **out);
/* Orders that were not sent yet give way to a new one. */
EMT_CHECKED enum emt_err allow_list_withdraw(struct store *s, int32_t tenant, int64_t gateway,
                                             emt_time now);
/* The idents of the last order, one per row. */
EMT_CHECKED enum emt_err allow_list_devices(struct store *s, int32_t tenant, int64_t gateway,
                                            struct store_result **out);

const struct store_statement *heard_store_statements(size_t *n);

#endif
