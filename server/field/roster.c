#include "roster.h"

#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct entry {
    int64_t epoch;
    void *loop;
};

struct roster {
    pthread_mutex_t mutex;
    struct map *entries;
};

struct gateway_key gateway_key(int32_t tenant, int64_t gateway)
{
    struct gateway_key k;

    memcpy(k.bytes, &tenant, sizeof tenant);
    memcpy(k.bytes + sizeof tenant, &gateway, sizeof gateway);
    return k;
}

struct roster *roster_new(void)
{
    struct roster *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->entries = map_new();
    if (!r->entries || pthread_mutex_init(&r->mutex, NULL) != 0) {
        map_free(r->entries);
        free(r);
        return NULL;
    }
    return r;
}

void roster_free(struct roster *r)
{
    size_t at = 0;
    void *value;

    if (!r)
        return;
    while (map_next(r->entries, &at, NULL, NULL, &value))
        free(value);
    map_free(r->entries);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static enum emt_err put(struct roster *r, const struct gateway_key *k, int64_t epoch, void *loop,
                        void **before)
{
    struct entry *e = map_get(r->entries, k->bytes, sizeof k->bytes);
    enum emt_err err;

    if (e) {
        if (e->epoch >= epoch)
            return EMT_ESTATE;
        *before = e->loop;
        *e = (struct entry){ epoch, loop };
        return EMT_OK;
    }
    e = malloc(sizeof *e);
    if (!e)
        return EMT_ENOMEM;
    *e = (struct entry){ epoch, loop };
    err = map_put(r->entries, k->bytes, sizeof k->bytes, e, NULL);
    if (err != EMT_OK)
        free(e);
    return err;
}

enum emt_err roster_put(struct roster *r, int32_t tenant, int64_t gateway, int64_t epoch,
                        void *loop, void **before)
{
    struct gateway_key k = gateway_key(tenant, gateway);
    enum emt_err err;

    *before = NULL;
    pthread_mutex_lock(&r->mutex);
    err = put(r, &k, epoch, loop, before);
    pthread_mutex_unlock(&r->mutex);
    return err;
}

void roster_remove(struct roster *r, int32_t tenant, int64_t gateway, int64_t epoch)
{
    struct gateway_key k = gateway_key(tenant, gateway);
    struct entry *e;

    pthread_mutex_lock(&r->mutex);
    e = map_get(r->entries, k.bytes, sizeof k.bytes);
    if (e && e->epoch == epoch)
        free(map_del(r->entries, k.bytes, sizeof k.bytes));
    pthread_mutex_unlock(&r->mutex);
}
