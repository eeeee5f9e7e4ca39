#include "registry.h"

#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct registry {
    struct seal_key master;
    struct map *tenants; /* id → registry_tenant */
    size_t channels;
};

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
        r->channels -= ((struct registry_device *)value)->nchannels;
        device_free(value);
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
    r->channels = 0;
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

void registry_trim(struct registry *r)
{
    if (r->channels > REGISTRY_SIZE_MAX)
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
static uint64_t hash_of(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h;
}

static int channel_find(const struct registry_device *d, const char *key, uint64_t hash)
{
    for (unsigned i = 0; i < d->nchannels; i++) {
        if (d->channels[i].hash == hash && strcmp(d->channels[i].key, key) == 0)
            return (int)i;
    }
    return -1;
}

static struct registry_channel *channel_add(struct registry_device *d, const char *key,
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
    uint64_t hash = hash_of(reading_channel_key(r, key));
    int at = channel_find(d, key, hash);
    struct registry_channel *c;

    if (at >= 0)
        return at;
    c = channel_add(d, key, hash);
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

static struct registry_format *format_add(struct registry_tenant *t, const struct format_row *row)
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
        f = format_add(t, &row);
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

/* ---- loading ---- */

/* One tenant's share of a flight. */
struct tenant_load {
    struct registry_load *load;
    struct registry_tenant *tenant;
    size_t from, to; /* of wanted[] */
};
struct wanted {
    int32_t tenant;
    struct device_id id;
    char ident[DEVICE_ID_TEXT_MAX];
};
struct registry_load {
    struct registry *registry;
    struct wanted *wanted;
    size_t nwanted, wanted_cap;
    struct tenant_load *tenants;
    size_t ntenants, tenants_cap;
    struct store_rows device_rows, channel_rows;
    struct registry_device *const *devices; /* of registry_create_send() */
    enum emt_err *err;
    int64_t now_ms;
};

struct registry_load *registry_load_new(struct registry *r)
{
    struct registry_load *l = calloc(1, sizeof *l);
    bool ok;

    if (!l)
        return NULL;
    l->registry = r;
    ok = device_rows_init(&l->device_rows);
    ok = channel_rows_init(&l->channel_rows) && ok;
    if (ok)
        return l;
    registry_load_free(l);
    return NULL;
}

void registry_load_free(struct registry_load *l)
{
    if (!l)
        return;
    store_rows_release(&l->device_rows);
    store_rows_release(&l->channel_rows);
    free(l->wanted);
    free(l->tenants);
    free(l);
}

void registry_load_clear(struct registry_load *l)
{
    l->nwanted = 0;
    l->ntenants = 0;
}

bool registry_load_empty(const struct registry_load *l)
{
    return l->nwanted == 0;
}

enum emt_err registry_load_want(struct registry_load *l, int32_t tenant, const struct device_id *id)
{
    struct wanted *w;

    if (l->nwanted == l->wanted_cap) {
        size_t cap = l->wanted_cap ? 2 * l->wanted_cap : 64;
        struct wanted *grown = realloc(l->wanted, cap * sizeof *grown);
        if (!grown)
            return EMT_ENOMEM;
        l->wanted = grown;
        l->wanted_cap = cap;
    }
    w = &l->wanted[l->nwanted++];
    w->tenant = tenant;
    w->id = *id;
    device_id_format(id, w->ident);
    return EMT_OK;
}

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;

    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return strcmp(x->ident, y->ident);
}

static void sort_wanted(struct registry_load *l)
{
    size_t n = 0;

    qsort(l->wanted, l->nwanted, sizeof *l->wanted, compare_wanted);
    for (size_t i = 0; i < l->nwanted; i++) {
        if (n == 0 || compare_wanted(&l->wanted[n - 1], &l->wanted[i]) != 0)
            l->wanted[n++] = l->wanted[i];
    }
    l->nwanted = n;
}

static struct tenant_load *add_tenant(struct registry_load *l, int32_t tenant, size_t from)
{
    struct tenant_load *t;

    /* All room at once before the first pointer goes out: see the callers. */
    assert(l->ntenants < l->tenants_cap);
    t = &l->tenants[l->ntenants++];
    t->load = l;
    t->tenant = registry_tenant(l->registry, tenant);
    t->from = from;
    return t->tenant ? t : NULL;
}

static bool tenants_room(struct registry_load *l, size_t most)
{
    struct tenant_load *grown;

    l->ntenants = 0;
    if (most <= l->tenants_cap)
        return true;
    grown = realloc(l->tenants, most * sizeof *grown);
    if (!grown)
        return false;
    l->tenants = grown;
    l->tenants_cap = most;
    return true;
}

/* Keeps the first error: the ones behind it are its consequence. */
static bool failed(struct tenant_load *t, enum emt_err err)
{
    if (err != EMT_OK && *t->load->err == EMT_OK)
        *t->load->err = err;
    return err != EMT_OK;
}

static void only_failed(void *ctx, enum emt_err err, const struct store_result *r)
{
    (void)r;
    (void)failed(ctx, err);
}

static void got_tenant(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;
    struct tenant_row row;

    if (failed(t, err))
        return;
    t->tenant->loaded = true;
    t->tenant->exists = tenant_row_of(r, &row) == EMT_OK;
    if (!t->tenant->exists)
        return;
    t->tenant->policy = row.policy;
    t->tenant->reading_retention_days = row.reading_retention_days;
    t->tenant->version = row.version;
}

static void got_data_keys(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;

    if (failed(t, err))
        return;
    t->tenant->nkeys = 0;
    for (int i = 0; i < store_rows(r); i++) {
        struct seal_key *k = &t->tenant->keys[t->tenant->nkeys];

        if (t->tenant->nkeys == sizeof t->tenant->keys / sizeof t->tenant->keys[0])
            break;
        /* One that does not open leaves its records closed: their frames are kept as key-needed. */
        if (data_key_of(r, i, t->tenant->id, &t->load->registry->master, k) == EMT_OK)
            t->tenant->nkeys++;
    }
}

static void got_formats(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;

    if (failed(t, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct format_row row;
        struct registry_format *f;

        format_row_of(r, i, &row);
        f = format_add(t->tenant, &row);
        if (f)
            f->saved = true;
    }
}

/* Entries for what was asked for, whether it exists or not. */
static void enter_wanted(struct tenant_load *t)
{
    for (size_t i = t->from; i < t->to; i++) {
        const struct wanted *w = &t->load->wanted[i];
        size_t n = strlen(w->ident);
        struct registry_device *d = map_get(t->tenant->devices, w->ident, n);

        if (!d) {
            d = calloc(1, sizeof *d);
            if (!d || map_put(t->tenant->devices, w->ident, n, d, NULL) != EMT_OK) {
                free(d);
                (void)failed(t, EMT_ENOMEM);
                return;
            }
            d->tenant = t->tenant;
            d->id = w->id;
            memcpy(d->ident, w->ident, n + 1);
        }
        d->loaded_ms = t->load->now_ms ? t->load->now_ms : 1;
        d->device = 0;
        d->nkeys = 0;
    }
}

static void got_devices(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;

    if (failed(t, err))
        return;
    enter_wanted(t);
    for (int i = 0; i < store_rows(r); i++) {
        struct device_row row;
        struct registry_device *d;

        device_row_of(r, i, &row);
        d = map_get(t->tenant->devices, row.ident, strlen(row.ident));
        if (!d)
            continue;
        d->device = row.device;
        d->assignment = row.assignment;
        d->accept_plaintext = row.accept_plaintext;
    }
}

static void take_key(struct tenant_load *t, struct registry_device *d, const struct store_result *r,
                     int row)
{
    struct device_key *k;
    size_t len;

    if (!d->keys)
        d->keys = calloc(DECODE_KEYS_MAX, sizeof *d->keys);
    if (!d->keys || d->nkeys == DECODE_KEYS_MAX)
        return;
    k = &d->keys[d->nkeys];
    if (device_key_open(r, row, t->tenant->id, t->tenant->keys, t->tenant->nkeys, k->bytes, &len) !=
        EMT_OK)
        return;
    k->len = (uint8_t)len;
    d->nkeys++;
}

static void got_keys(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;

    if (failed(t, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        const char *ident = device_key_ident(r, i);
        struct registry_device *d = map_get(t->tenant->devices, ident, strlen(ident));

        if (d)
            take_key(t, d, r, i);
    }
}

static void take_channel(struct registry *reg, struct registry_device *d,
                         const struct channel_row *row)
{
    uint64_t hash = hash_of(row->key);
    int at = channel_find(d, row->key, hash);
    struct registry_channel *c;

    if (at >= 0) {
        c = &d->channels[at];
    } else {
        c = channel_add(d, row->key, hash);
        if (!c)
            return;
    }
    if (c->id == 0)
        reg->channels++;
    c->id = row->channel;
    free(c->first);
    free(c->first_obis);
    c->first = NULL;
    c->first_obis = NULL;
}

static void got_channels(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;

    if (failed(t, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        const char *ident = channel_row_ident(r, i);
        struct registry_device *d = map_get(t->tenant->devices, ident, strlen(ident));
        struct channel_row row;

        channel_row_of(r, i, &row);
        if (d)
            take_channel(t->load->registry, d, &row);
    }
}

static enum emt_err send_tenant_load(struct tenant_load *t, struct store *s)
{
    struct registry_load *l = t->load;
    int32_t id = t->tenant->id;
    bool ok = true;
    enum emt_err err = store_send_tenant(s, id);

    store_rows_clear(&l->device_rows);
    for (size_t i = t->from; ok && i < t->to; i++)
        ok = device_rows_add(&l->device_rows, &l->wanted[i].id, l->wanted[i].ident);
    if (!ok)
        return EMT_ENOMEM;
    if (!err && !t->tenant->loaded)
        err = registry_tenant_send(s, id, got_tenant, t);
    if (!err && !t->tenant->loaded)
        err = registry_data_keys_send(s, id, got_data_keys, t);
    if (!err && !t->tenant->loaded)
        err = format_load_send(s, id, got_formats, t);
    if (!err)
        err = registry_devices_create_send(s, id, &l->device_rows, only_failed, t);
    if (!err)
        err = registry_devices_send(s, id, &l->device_rows, got_devices, t);
    if (!err)
        err = registry_keys_send(s, id, &l->device_rows, got_keys, t);
    if (!err)
        err = registry_channels_send(s, id, &l->device_rows, got_channels, t);
    return err;
}

enum emt_err registry_load_send(struct registry_load *l, struct store *s, int64_t now_ms,
                                enum emt_err *err_out, store_done *done, void *ctx)
{
    enum emt_err err;

    sort_wanted(l);
    l->err = err_out;
    l->now_ms = now_ms;
    *err_out = EMT_OK;
    if (!tenants_room(l, l->nwanted))
        return EMT_ENOMEM;
    err = store_send_begin(s);
    for (size_t i = 0; !err && i < l->nwanted;) {
        struct tenant_load *t = add_tenant(l, l->wanted[i].tenant, i);

        if (!t)
            return EMT_ENOMEM;
        while (i < l->nwanted && l->wanted[i].tenant == l->wanted[t->from].tenant)
            i++;
        t->to = i;
        err = send_tenant_load(t, s);
    }
    if (!err)
        err = store_send_commit(s, only_failed, &l->tenants[0]);
    return err ? err : store_send_sync(s, done, ctx);
}

/* ---- creating channels ---- */

static void got_created(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct tenant_load *t = ctx;
    size_t at = t->from;

    if (failed(t, err))
        return;
    for (int i = 0; i < store_rows(r); i++) {
        struct channel_row row;

        channel_row_of(r, i, &row);
        /* Rows may come in any order, though mostly in ours. */
        for (size_t n = t->from; n < t->to && t->load->devices[at]->device != row.device; n++)
            at = at + 1 < t->to ? at + 1 : t->from;
        if (t->load->devices[at]->device == row.device)
            take_channel(t->load->registry, t->load->devices[at], &row);
    }
}

static bool add_created(struct registry_load *l, const struct registry_device *d)
{
    bool ok = true;

    for (unsigned i = 0; ok && i < d->nchannels; i++) {
        const struct registry_channel *c = &d->channels[i];

        if (c->id == 0 && c->first)
            ok = channel_rows_add(&l->channel_rows, d->device, c->key, c->first);
    }
    return ok;
}

enum emt_err registry_create_send(struct registry_load *l, struct store *s,
                                  struct registry_device *const *devices, size_t n,
                                  enum emt_err *err_out, store_done *done, void *ctx)
{
    enum emt_err err;

    l->err = err_out;
    l->devices = devices;
    *err_out = EMT_OK;
    if (!tenants_room(l, n))
        return EMT_ENOMEM;
    err = store_send_begin(s);
    for (size_t i = 0; !err && i < n;) {
        int32_t tenant = devices[i]->tenant->id;
        struct tenant_load *t = add_tenant(l, tenant, i);

        if (!t)
            return EMT_ENOMEM;
        store_rows_clear(&l->channel_rows);
        for (; i < n && devices[i]->tenant->id == tenant; i++) {
            if (!add_created(l, devices[i]))
                return EMT_ENOMEM;
        }
        t->to = i;
        err = store_send_tenant(s, tenant);
        if (!err)
            err = channel_rows_create_send(s, tenant, &l->channel_rows, only_failed, t);
        if (!err)
            err = channel_rows_find_send(s, tenant, &l->channel_rows, got_created, t);
    }
    if (!err)
        err = store_send_commit(s, only_failed, &l->tenants[0]);
    return err ? err : store_send_sync(s, done, ctx);
}
