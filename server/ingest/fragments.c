#include "fragments.h"

#include "parsers/fragment_buffer.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct slot {
    struct fragment_buffer *buffer; /* NULL: free */
    int32_t tenant;
    emt_time used; /* when a piece came last */
};

struct fragments {
    struct slot slots[FRAGMENTS_TENANTS_MAX];
    int32_t tenant; /* of the frame being decoded */
    emt_time now;
};

struct fragments *fragments_new(void)
{
    return calloc(1, sizeof(struct fragments));
}

void fragments_free(struct fragments *f)
{
    for (size_t i = 0; f && i < FRAGMENTS_TENANTS_MAX; i++)
        fragment_buffer_free(f->slots[i].buffer);
    free(f);
}

/* The tenant's slot, its old pieces given up; NULL: it has none. */
static struct slot *find(struct fragments *f)
{
    for (size_t i = 0; i < FRAGMENTS_TENANTS_MAX; i++) {
        struct slot *s = &f->slots[i];

        if (s->buffer && s->tenant == f->tenant) {
            fragment_buffer_expire(s->buffer, f->now, FRAGMENTS_AGE);
            return s;
        }
    }
    return NULL;
}

static struct slot *take(struct fragments *f)
{
    struct slot *best = &f->slots[0];

    for (size_t i = 1; i < FRAGMENTS_TENANTS_MAX && best->buffer; i++) {
        struct slot *s = &f->slots[i];

        if (!s->buffer || s->used < best->used)
            best = s;
    }
    fragment_buffer_free(best->buffer);
    best->buffer = fragment_buffer_new();
    best->tenant = f->tenant;
    if (!best->buffer)
        return NULL;
    fragment_buffer_expire(best->buffer, f->now, FRAGMENTS_AGE);
    return best;
}

static void put(void *ctx, const struct device_id *device, uint8_t id, const uint8_t *p, size_t n)
{
    struct fragments *f = ctx;
    struct slot *s = find(f);
    struct fragment_store store;

    if (!s)
        s = take(f);
    if (!s)
        return;
    s->used = f->now;
    store = fragment_buffer_store(s->buffer);
    store.put(store.ctx, device, id, p, n);
}

static const uint8_t *get(void *ctx, const struct device_id *device, uint8_t id, size_t *n)
{
    struct slot *s = find(ctx);
    struct fragment_store store;

    if (!s)
        return NULL;
    store = fragment_buffer_store(s->buffer);
    return store.get(store.ctx, device, id, n);
}

static void drop(void *ctx, const struct device_id *device)
{
    struct slot *s = find(ctx);
    struct fragment_store store;

    if (!s)
        return;
    store = fragment_buffer_store(s->buffer);
    store.drop(store.ctx, device);
}

struct fragment_store fragments_of(struct fragments *f, int32_t tenant, emt_time now)
{
    f->tenant = tenant;
    f->now = now;
    return (struct fragment_store){ put, get, drop, f };
}

size_t fragments_tenants(const struct fragments *f)
{
    size_t n = 0;

    for (size_t i = 0; i < FRAGMENTS_TENANTS_MAX; i++)
        n += f->slots[i].buffer != NULL;
    return n;
}
