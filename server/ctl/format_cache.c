#include "format_cache.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define FORMATS_MAX 10000
#define CANDIDATES_MAX 8 /* a signature has 16 bits: several formats may share one */

struct format {
    struct format *next;
    size_t len;
    uint8_t header[];
};

struct format_cache {
    struct map *map; /* key to the first struct format */
    size_t count;
};

struct cache_key {
    char manufacturer[4];
    uint8_t version, type;
    uint8_t signature[2];
};

static void make_key(const struct device_id *device, uint16_t signature, struct cache_key *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->manufacturer, device->manufacturer, sizeof out->manufacturer);
    out->version = device->version;
    out->type = device->type;
    out->signature[0] = (uint8_t)(signature & 0xffu);
    out->signature[1] = (uint8_t)(signature >> 8);
}

struct format_cache *format_cache_new(void)
{
    struct format_cache *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->map = map_new();
    if (!c->map) {
        free(c);
        return NULL;
    }
    return c;
}

static void free_list(struct format *f)
{
    while (f) {
        struct format *next = f->next;

        free(f);
        f = next;
    }
}

void format_cache_free(struct format_cache *c)
{
    size_t at = 0;
    void *value;

    if (!c)
        return;
    while (map_next(c->map, &at, NULL, NULL, &value))
        free_list(value);
    map_free(c->map);
    free(c);
}

static bool find(void *ctx, const struct device_id *device, uint16_t signature,
                 bool (*use)(void *use_ctx, const uint8_t *header, size_t len), void *use_ctx)
{
    const struct format_cache *c = ctx;
    struct cache_key key;

    make_key(device, signature, &key);
    for (const struct format *f = map_get(c->map, &key, sizeof key); f; f = f->next)
        if (use(use_ctx, f->header, f->len))
            return true;
    return false;
}

static struct format *make_format(const uint8_t *header, size_t len)
{
    struct format *f = malloc(sizeof *f + len);

    if (!f)
        return NULL;
    f->next = NULL;
    f->len = len;
    memcpy(f->header, header, len);
    return f;
}

static void learn(void *ctx, const struct device_id *device, uint16_t signature,
                  const uint8_t *header, size_t len, bool verified)
{
    struct format_cache *c = ctx;
    struct format *first, *last = NULL, *added;
    struct cache_key key;
    unsigned n = 0;

    (void)verified;
    make_key(device, signature, &key);
    first = map_get(c->map, &key, sizeof key);
    for (struct format *f = first; f; f = f->next, n++) {
        if (f->len == len && memcmp(f->header, header, len) == 0)
            return;
        last = f;
    }
    if (n == CANDIDATES_MAX || c->count == FORMATS_MAX)
        return;
    added = make_format(header, len);
    if (!added)
        return;
    if (last)
        last->next = added;
    else if (map_put(c->map, &key, sizeof key, added, NULL) != EMT_OK) {
        free(added);
        return;
    }
    c->count++;
}

struct format_store format_cache_store(struct format_cache *c)
{
    return (struct format_store){ find, learn, c };
}
