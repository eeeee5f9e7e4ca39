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

/* NULL, none and negative: any. */
struct device_filter {
    const char *number;  /* the whole of it */
    const char *q;       /* part of ident, name or place, in any case */
    const char *gateway; /* that heard the device in the last three days: external id */
    const int *types;    /* EN 13757-7; -1: not known */
    size_t ntypes;
    int active, assignment;
};
/* (cursor, ident, manufacturer, number, version, type, name, place, active, assignment,
 * accept_plaintext, created_at, last seen, device_id). */
EMT_CHECKED enum emt_err device_list(struct store *s, int32_t tenant, const struct device_filter *f,
                                     const char *after, int limit, struct store_result **out);
/* One row as device_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_get(struct store *s, int32_t tenant, const char *ident,
                                    struct store_result **out);
/* Its number. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_find(struct store *s, int32_t tenant, const char *ident,
                                     int64_t *id);
/* The same, locked until the end of the transaction. */
EMT_CHECKED enum emt_err device_lock(struct store *s, int32_t tenant, const char *ident,
                                     int64_t *id);
struct device_row {
    const char *ident, *manufacturer, *number;
    int version, type;        /* -1: not known */
    const char *name, *place; /* NULL: as it is, or "" */
    int active, assignment;   /* -1: as it is, or active and adopted */
};
/* Makes the device, or changes what is said of a known one. */
EMT_CHECKED enum emt_err device_upsert(struct store *s, int32_t tenant, const struct device_row *d,
                                       int64_t *id);
/* Maintenance, daily, as STORE_ADMIN: notes when devices were heard last. Frames of more days than
 * between two runs are looked at. */
#define DEVICES_SEEN_DAYS 8
EMT_CHECKED enum emt_err devices_seen(struct store *s, int32_t tenant, emt_time now);
/* NULL or a negative number leaves a field as it is. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err device_update(struct store *s, int32_t tenant, const char *ident,
                                       const char *name, const char *place, int active,
                                       int assignment, int accept_plaintext);
/* (cursor, channel_id, ident, kind, obis, quantity, unit, function, storage, tariff, subunit,
 * qualifier, nth, and of the newest value: ts, quality, mantissa, exponent, text; NULL without). */
EMT_CHECKED enum emt_err channel_list(struct store *s, int32_t tenant, int64_t device_id,
                                      int64_t after, int limit, struct store_result **out);
/* One row as channel_list() up to nth. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err channel_get(struct store *s, int32_t tenant, int64_t channel_id,
                                     struct store_result **out);
/* The current register of a device by its OBIS code. EMT_ENOTFOUND; EMT_ECONFLICT several. */
EMT_CHECKED enum emt_err channel_find(struct store *s, int32_t tenant, const char *ident,
                                      const char *obis, int64_t *id);

const struct store_statement *device_store_statements(size_t *n);

#endif
