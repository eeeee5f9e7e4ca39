/* What one loop (or one replay worker) knows of the registry: tenants with their data keys and
 * formats, devices with keys, channels with their last values.
 *
 * A cache that may be lost: cleared when the connection is, dropped per tenant when
 * registry_version rises (polled each second), entries that say "no" expire after a minute.
 * Pointers into it are good until the next registry_drop_tenant(), registry_clear() or
 * registry_trim(), which the batch engine calls between batches only. */
#ifndef EMT_INGEST_REGISTRY_H
#define EMT_INGEST_REGISTRY_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "model/decimal.h"
#include "model/device_id.h"
#include "model/reading.h"
#include "parsers/decode.h"
#include "store/format_store.h"
#include "store/registry_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

/* Entries without device row or without key are looked up again after this. */
#define REGISTRY_NEGATIVE_MS 60000
/* Most channels of one device; a frame that would open more is kept undecoded. */
#define REGISTRY_CHANNELS_MAX 4096u
/* Most candidates for one signature and kind of device. */
#define REGISTRY_CANDIDATES_MAX 16u
/* Most devices and channels in the cache before it starts anew. */
#define REGISTRY_SIZE_MAX 4000000u

struct registry_channel {
    int64_t id; /* 0: not created yet, then `first` says what to create */
    uint64_t hash;
    char *key;
    struct reading *first; /* with text and unit borrowed from static tables or NULL */
    char *first_obis;
    /* Last committed value (numbers) or hash of the last committed text. */
    bool has_last;
    emt_time last_ts;
    struct decimal last;
    int16_t last_quality;
    uint8_t last_text[16];
    /* Start of the UTC day that was asked about last and is not packed; 0: none. */
    emt_time open_day;
};

struct registry_tenant {
    int32_t id;
    bool loaded;
    bool exists;
    enum device_policy policy;
    int32_t reading_retention_days;
    int64_t version; /* registry_version */
    struct seal_key keys[16];
    unsigned nkeys;
    struct map *devices; /* ident → registry_device */
    struct registry_format *formats;
    unsigned nformats, formats_cap;
    bool formats_unsaved;
    /* Somebody else stored values that this loop thought new: until then none is taken for new. */
    int64_t careful_until_ms;
    int64_t careful_ms; /* how long the last time; 0: not yet */
};

struct registry_device {
    struct registry_tenant *tenant;
    struct device_id id;
    char ident[DEVICE_ID_TEXT_MAX];
    int64_t device; /* 0: no row: the tenant ignores unknown devices */
    enum device_assignment assignment;
    bool accept_plaintext;
    struct device_key *keys;
    unsigned nkeys;
    int64_t loaded_ms;
    int64_t clock_ahead_ms; /* last event of this kind; 0: none */
    struct registry_channel *channels;
    unsigned nchannels, channels_cap;
};

/* A format of compact frames. */
struct registry_format {
    char manufacturer[4];
    uint8_t version, type;
    uint16_t signature;
    bool verified;
    bool saved;
    uint8_t *header;
    size_t header_len;
};

struct registry *registry_new(const struct seal_key *master); /* copied; NULL when out of memory */
void registry_free(struct registry *r);
void registry_clear(struct registry *r);
/* Starts anew when it holds more than REGISTRY_SIZE_MAX devices and channels. Devices count for
 * themselves: a gateway that makes up meters opens no channel. */
void registry_trim(struct registry *r);
/* A tenant's version as polled: drops what is known of the tenant when it is another. */
void registry_version_seen(struct registry *r, int32_t tenant, int64_t version);
/* NULL when out of memory. */
struct registry_tenant *registry_tenant(struct registry *r, int32_t tenant);
/* NULL: not known, or to be looked up again. */
struct registry_device *registry_device(struct registry *r, int32_t tenant,
                                        const struct device_id *id, int64_t now_ms);
/* Index of the channel of this reading, entered without id when it is new; -1: too many, or out of
 * memory. */
int registry_channel(struct registry_device *d, const struct reading *r);
/* The lookups that decode_frame() wants, for one device. */
struct key_lookup registry_keys_of(struct registry_device *d);
struct format_store registry_formats_of(struct registry_device *d);
size_t registry_channels(const struct registry *r);
size_t registry_devices(const struct registry *r);

/* --- loading: one flight for many tenants
 * ------------------------------------------------------------------------- */

struct registry_load;
struct registry_load *registry_load_new(struct registry *r);
void registry_load_free(struct registry_load *l);
void registry_load_clear(struct registry_load *l);
/* Tells what is wanted, sorted by tenant; repeated entries are passed over. */
EMT_CHECKED enum emt_err registry_load_want(struct registry_load *l, int32_t tenant,
                                            const struct device_id *id);
bool registry_load_empty(const struct registry_load *l);
/* BEGIN … COMMIT and sync; done after the last answer. The first error of a statement goes to *err
 * (EMT_OK set before). Creates devices as policy says. */
EMT_CHECKED enum emt_err registry_load_send(struct registry_load *l, struct store *s,
                                            int64_t now_ms, enum emt_err *err, store_done *done,
                                            void *ctx);
/* The same for channels without id of these devices (each once, sorted by tenant and device). */
EMT_CHECKED enum emt_err registry_create_send(struct registry_load *l, struct store *s,
                                              struct registry_device *const *devices, size_t n,
                                              enum emt_err *err, store_done *done, void *ctx);

#endif
