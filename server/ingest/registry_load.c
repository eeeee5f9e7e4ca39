#include "base/map.h"
#include "registry_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

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
        f = registry_format_add(t->tenant, &row);
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
            t->load->registry->devices++;
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
    const uint8_t *title;
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
    k->ak_len = k->system_title_len = 0;
    /* Without its second key a text is still deciphered; it is unauthenticated then. */
    if (device_key_open_authentication(r, row, t->tenant->id, t->tenant->keys, t->tenant->nkeys,
                                       k->ak, &len) == EMT_OK)
        k->ak_len = (uint8_t)len;
    title = device_key_title(r, row);
    if (title) {
        memcpy(k->system_title, title, sizeof k->system_title);
        k->system_title_len = sizeof k->system_title;
    }
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
    uint64_t hash = registry_hash(row->key);
    int at = registry_channel_find(d, row->key, hash);
    struct registry_channel *c;

    if (at >= 0) {
        c = &d->channels[at];
    } else {
        c = registry_channel_add(d, row->key, hash);
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
