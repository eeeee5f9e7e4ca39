#include "base/map.h"
#include "registry_internal.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct registry *registry_new(const struct seal_key *master)
{
    struct registry *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->master = *master;
    r->tenants = map_new();
    if (r->tenants)
        return r;
    registry_free(r);
    return NULL;
}

/* ---- letting go ---- */

static void channel_release(struct registry_channel *c)
{
    free(c->key);
    free(c->first);
    free(c->first_obis);
}

static void device_free(struct registry_device *d)
{
    for (unsigned i = 0; i < d->nchannels; i++)
        channel_release(&d->channels[i]);
    free(d->channels);
    if (d->keys)
        explicit_bzero(d->keys, DECODE_KEYS_MAX * sizeof *d->keys);
    free(d->keys);
    free(d);
}

static void tenant_empty(struct registry *r, struct registry_tenant *t)
{
    size_t at = 0;
    void *value;

    while (map_next(t->devices, &at, NULL, NULL, &value)) {
        struct registry_device *d = value;

        for (unsigned i = 0; i < d->nchannels; i++)
            r->channels -= d->channels[i].id != 0;
        r->devices--;
        device_free(d);
    }
    map_clear(t->devices);
    for (unsigned i = 0; i < t->nformats; i++)
        free(t->formats[i].header);
    t->nformats = 0;
    t->formats_unsaved = false;
    for (unsigned i = 0; i < t->nkeys; i++)
        seal_key_wipe(&t->keys[i]);
    t->nkeys = 0;
    t->loaded = false;
    t->exists = false;
    t->version = 0;
}

static void tenant_free(struct registry *r, struct registry_tenant *t)
{
    if (t->devices)
        tenant_empty(r, t);
    map_free(t->devices);
    free(t->formats);
    free(t);
}

void registry_clear(struct registry *r)
{
    size_t at = 0;
    void *value;

    while (map_next(r->tenants, &at, NULL, NULL, &value))
        tenant_free(r, value);
    map_clear(r->tenants);
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    if (r->tenants)
        registry_clear(r);
    map_free(r->tenants);
    seal_key_wipe(&r->master);
    free(r);
}

size_t registry_channels(const struct registry *r)
{
    return r->channels;
}

size_t registry_devices(const struct registry *r)
{
    return r->devices;
}

void registry_trim(struct registry *r)
{
    if (r->channels + r->devices > REGISTRY_SIZE_MAX)
        registry_clear(r);
}

void registry_version_seen(struct registry *r, int32_t tenant, int64_t version)
{
    struct registry_tenant *t = map_get(r->tenants, &tenant, sizeof tenant);

    if (t && t->loaded && t->version != version)
        tenant_empty(r, t);
}

/* ---- tenants and devices ---- */

struct registry_tenant *registry_tenant(struct registry *r, int32_t tenant)
{
    struct registry_tenant *t = map_get(r->tenants, &tenant, sizeof tenant);

    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->id = tenant;
    t->devices = map_new();
    if (t->devices && map_put(r->tenants, &tenant, sizeof tenant, t, NULL) == EMT_OK)
        return t;
    tenant_free(r, t);
    return NULL;
}

static bool is_due(const struct registry_device *d, int64_t now_ms)
{
    bool negative = d->device == 0 || d->nkeys == 0;

    return negative && now_ms - d->loaded_ms >= REGISTRY_NEGATIVE_MS;
}

struct registry_device *registry_device(struct registry *r, int32_t tenant,
                                        const struct device_id *id, int64_t now_ms)
{
    struct registry_tenant *t = map_get(r->tenants, &tenant, sizeof tenant);
    char ident[DEVICE_ID_TEXT_MAX];
    struct registry_device *d;

    if (!t || !t->loaded)
        return NULL;
    device_id_format(id, ident);
    d = map_get(t->devices, ident, strlen(ident));
    return d && d->loaded_ms && !is_due(d, now_ms) ? d : NULL;
}

/* ---- channels ---- */

/* FNV-1a, to find a key among a device's own: comparing the text decides. */
uint64_t registry_hash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h;
}

int registry_channel_find(const struct registry_device *d, const char *key, uint64_t hash)
{
    for (unsigned i = 0; i < d->nchannels; i++) {
        if (d->channels[i].hash == hash && strcmp(d->channels[i].key, key) == 0)
            return (int)i;
    }
    return -1;
}

struct registry_channel *registry_channel_add(struct registry_device *d, const char *key,
                                              uint64_t hash)
{
    struct registry_channel *c;

    if (d->nchannels == REGISTRY_CHANNELS_MAX)
        return NULL;
    if (d->nchannels == d->channels_cap) {
        unsigned cap = d->channels_cap ? 2 * d->channels_cap : 8;
        struct registry_channel *grown = realloc(d->channels, cap * sizeof *grown);
        if (!grown)
            return NULL;
        d->channels = grown;
        d->channels_cap = cap;
    }
    c = &d->channels[d->nchannels];
    memset(c, 0, sizeof *c);
    c->hash = hash;
    c->key = strdup(key);
    if (!c->key)
        return NULL;
    d->nchannels++;
    return c;
}

/* What the channel's row is made of; the units are static texts, the printed code is not. */
static bool channel_remember(struct registry_channel *c, const struct reading *r)
{
    c->first = malloc(sizeof *c->first);
    if (!c->first)
        return false;
    *c->first = *r;
    c->first->text = NULL;
    if (!r->obis_text)
        return true;
    c->first_obis = strdup(r->obis_text);
    c->first->obis_text = c->first_obis;
    return c->first_obis != NULL;
}

int registry_channel(struct registry_device *d, const struct reading *r)
{
    char key[CHANNEL_KEY_MAX];
    uint64_t hash = registry_hash(reading_channel_key(r, key));
    int at = registry_channel_find(d, key, hash);
    struct registry_channel *c;

    if (at >= 0)
        return at;
    c = registry_channel_add(d, key, hash);
    if (!c)
        return -1;
    if (!channel_remember(c, r)) {
        channel_release(c);
        d->nchannels--;
        return -1;
    }
    return (int)d->nchannels - 1;
}

/* ---- lookups of the decoder ---- */

static unsigned find_keys(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct registry_device *d = ctx;

    /* A meter behind a radio adapter may ask for either address; a key that does not fit does no
     * harm. */
    (void)device;
    for (unsigned i = 0; i < d->nkeys; i++)
        keys[i] = d->keys[i];
    return d->nkeys;
}

struct key_lookup registry_keys_of(struct registry_device *d)
{
    return (struct key_lookup){ find_keys, d };
}

static bool same_kind(const struct registry_format *f, const struct device_id *id,
                      uint16_t signature)
{
    return f->signature == signature && f->version == id->version && f->type == id->type &&
           strcmp(f->manufacturer, id->manufacturer) == 0;
}

static bool find_format(void *ctx, const struct device_id *device, uint16_t signature,
                        bool (*use)(void *use_ctx, const uint8_t *header, size_t len),
                        void *use_ctx)
{
    const struct registry_device *d = ctx;
    const struct registry_tenant *t = d->tenant;

    for (unsigned i = 0; i < t->nformats; i++) {
        const struct registry_format *f = &t->formats[i];

        if (!same_kind(f, device, signature))
            continue;
        /* An encrypted meter's formats come from verified frames only. */
        if (!f->verified && d->nkeys > 0)
            continue;
        if (use(use_ctx, f->header, f->header_len))
            return true;
    }
    return false;
}

static struct registry_format *format_known(struct registry_tenant *t,
                                            const struct device_id *device, uint16_t signature,
                                            const uint8_t *header, size_t len, unsigned *candidates)
{
    *candidates = 0;
    for (unsigned i = 0; i < t->nformats; i++) {
        struct registry_format *f = &t->formats[i];

        if (!same_kind(f, device, signature))
            continue;
        if (f->header_len == len && memcmp(f->header, header, len) == 0)
            return f;
        ++*candidates;
    }
    return NULL;
}

struct registry_format *registry_format_add(struct registry_tenant *t, const struct format_row *row)
{
    struct registry_format *f;

    if (t->nformats == FORMAT_LOAD_MAX)
        return NULL;
    if (t->nformats == t->formats_cap) {
        unsigned cap = t->formats_cap ? 2 * t->formats_cap : 16;
        struct registry_format *grown = realloc(t->formats, cap * sizeof *grown);
        if (!grown)
            return NULL;
        t->formats = grown;
        t->formats_cap = cap;
    }
    f = &t->formats[t->nformats];
    memset(f, 0, sizeof *f);
    strncpy(f->manufacturer, row->manufacturer, sizeof f->manufacturer - 1);
    f->version = row->version;
    f->type = row->type;
    f->signature = row->signature;
    f->verified = row->verified;
    f->header = malloc(row->header_len ? row->header_len : 1);
    if (!f->header)
        return NULL;
    memcpy(f->header, row->header, row->header_len);
    f->header_len = row->header_len;
    t->nformats++;
    return f;
}

static void learn_format(void *ctx, const struct device_id *device, uint16_t signature,
                         const uint8_t *header, size_t len, bool verified)
{
    struct registry_tenant *t = ((struct registry_device *)ctx)->tenant;
    struct format_row row = {
        device->manufacturer, device->version, device->type, signature, header, len, verified
    };
    unsigned candidates;
    struct registry_format *f = format_known(t, device, signature, header, len, &candidates);

    if (f && (f->verified || !verified))
        return;
    if (!f && candidates >= REGISTRY_CANDIDATES_MAX)
        return;
    if (!f)
        f = registry_format_add(t, &row);
    if (!f)
        return; /* learnt from the next full frame */
    f->verified = verified;
    f->saved = false;
    t->formats_unsaved = true;
}

struct format_store registry_formats_of(struct registry_device *d)
{
    return (struct format_store){ find_format, learn_format, d };
}
