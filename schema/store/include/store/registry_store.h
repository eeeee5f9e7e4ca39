/* What the caches of ingest are filled from: tenants, their data keys, devices with keys, channels.
 * Asynchronous, inside a transaction of the tenant unless said otherwise. */
#ifndef EMT_STORE_REGISTRY_STORE_H
#define EMT_STORE_REGISTRY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "model/device_id.h"
#include "model/reading.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Outside of a tenant, as STORE_INGEST or STORE_ADMIN. Rows (tenant_id, version). */
EMT_CHECKED enum emt_err registry_poll_send(struct store *s, store_done *done, void *ctx);
/* One row (hot_from, hot_to), or none before the first partitions were made. */
EMT_CHECKED enum emt_err storage_window_send(struct store *s, store_done *done, void *ctx);

enum device_policy {
    DEVICE_POLICY_LEARN = 0,
    DEVICE_POLICY_ALLOW_LIST = 1,
    DEVICE_POLICY_IGNORE = 2
};
enum device_assignment { DEVICE_HEARD = 0, DEVICE_ADOPTED = 1, DEVICE_IGNORED = 2 };

struct tenant_row {
    enum device_policy policy;
    int32_t reading_retention_days;
    int64_t version; /* registry_version as of this load, 0: none yet */
};
EMT_CHECKED enum emt_err registry_tenant_send(struct store *s, int32_t tenant, store_done *done,
                                              void *ctx);
/* EMT_ENOTFOUND no such tenant. */
EMT_CHECKED enum emt_err tenant_row_of(const struct store_result *r, struct tenant_row *out);
/* All wrapped data keys, rows (version, blob), newest first. */
EMT_CHECKED enum emt_err registry_data_keys_send(struct store *s, int32_t tenant, store_done *done,
                                                 void *ctx);
/* Opens row `row`; EMT_EAUTH the master key does not fit. Wipe *out. */
EMT_CHECKED enum emt_err data_key_of(const struct store_result *r, int row, int32_t tenant,
                                     const struct seal_key *master, struct seal_key *out);

/* Devices by identity. */
bool device_rows_init(struct store_rows *r);
bool device_rows_add(struct store_rows *r, const struct device_id *id, const char *ident);
/* Creates those that are not there, as the tenant's policy says: adopted, heard only, or not at
 * all. */
EMT_CHECKED enum emt_err registry_devices_create_send(struct store *s, int32_t tenant,
                                                      struct store_rows *r, store_done *done,
                                                      void *ctx);
EMT_CHECKED enum emt_err registry_devices_send(struct store *s, int32_t tenant,
                                               struct store_rows *r, store_done *done, void *ctx);
struct device_row {
    const char *ident; /* borrowed */
    int64_t device;
    enum device_assignment assignment;
    bool accept_plaintext;
};
void device_row_of(const struct store_result *r, int row, struct device_row *out);

/* Keys that match the devices, wildcards last; several rows per device, best first. */
EMT_CHECKED enum emt_err registry_keys_send(struct store *s, int32_t tenant,
                                            struct store_rows *devices, store_done *done,
                                            void *ctx);
const char *device_key_ident(const struct store_result *r, int row);
/* Opens the key of a row with the data key of its version among keys. *len 0..32. EMT_ENOTFOUND no
 * data key of this version; EMT_EAUTH. */
EMT_CHECKED enum emt_err device_key_open(const struct store_result *r, int row, int32_t tenant,
                                         const struct seal_key *keys, size_t nkeys, uint8_t out[32],
                                         size_t *len);
/* The DLMS authentication key beside it; *len 0: none. As device_key_open(). */
EMT_CHECKED enum emt_err device_key_open_authentication(const struct store_result *r, int row,
                                                        int32_t tenant, const struct seal_key *keys,
                                                        size_t nkeys, uint8_t out[32], size_t *len);
/* The DLMS system title, 8 bytes, borrowed; NULL: none. */
const uint8_t *device_key_title(const struct store_result *r, int row);

/* Channels of the devices: rows as channel_row_of(), with channel_row_ident(). */
EMT_CHECKED enum emt_err registry_channels_send(struct store *s, int32_t tenant,
                                                struct store_rows *devices, store_done *done,
                                                void *ctx);
struct channel_row {
    int64_t device;
    int64_t channel;
    const char *key; /* borrowed */
};
void channel_row_of(const struct store_result *r, int row, struct channel_row *out);
const char *channel_row_ident(const struct store_result *r, int row);
bool channel_rows_init(struct store_rows *r);
/* r is what first showed the channel; key as reading_channel_key(). */
bool channel_rows_add(struct store_rows *rows, int64_t device, const char *key,
                      const struct reading *r);
EMT_CHECKED enum emt_err channel_rows_create_send(struct store *s, int32_t tenant,
                                                  struct store_rows *r, store_done *done,
                                                  void *ctx);
/* Rows as channel_row_of() for exactly these. */
EMT_CHECKED enum emt_err channel_rows_find_send(struct store *s, int32_t tenant,
                                                struct store_rows *r, store_done *done, void *ctx);

/* Frames of these devices (STORE_INT8) are stored as waiting by somebody who knows `version` of the
 * registry. If that is not the version now, their replay is ordered: what would decode them came in
 * between. */
EMT_CHECKED enum emt_err registry_stale_send(struct store *s, int32_t tenant, int64_t version,
                                             struct store_array *devices, store_done *done,
                                             void *ctx);

const struct store_statement *registry_store_statements(size_t *n);

#endif
