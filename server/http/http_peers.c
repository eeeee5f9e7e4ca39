#include "http_peers.h"

#include "base/map.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct http_peers {
    pthread_mutex_t lock;
    struct map *counts; /* address → unsigned, owned */
    unsigned most;
};

struct address_key {
    uint8_t bytes[8];
    size_t n;
};

/* Other families share one entry. */
static struct address_key key_of(const struct sockaddr *peer)
{
    struct address_key k = { .n = 0 };

    if (peer->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, peer, sizeof v4);
        k.n = sizeof v4.sin_addr;
        memcpy(k.bytes, &v4.sin_addr, k.n);
    } else if (peer->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, peer, sizeof v6);
        k.n = sizeof k.bytes;
        memcpy(k.bytes, &v6.sin6_addr, k.n);
    }
    return k;
}

struct http_peers *peers_new(unsigned most)
{
    struct http_peers *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->most = most;
    p->counts = map_new();
    if (!p->counts || pthread_mutex_init(&p->lock, NULL) != 0) {
        map_free(p->counts);
        free(p);
        return NULL;
    }
    return p;
}

void peers_free(struct http_peers *p)
{
    size_t at = 0;
    void *count;

    if (!p)
        return;
    while (map_next(p->counts, &at, NULL, NULL, &count))
        free(count);
    map_free(p->counts);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static unsigned *count_new(struct http_peers *p, const struct address_key *k)
{
    unsigned *count = calloc(1, sizeof *count);

    if (count && map_put(p->counts, k->bytes, k->n, count, NULL) == EMT_OK)
        return count;
    free(count);
    return NULL;
}

bool peers_enter(struct http_peers *p, const struct sockaddr *peer)
{
    struct address_key k = key_of(peer);

    pthread_mutex_lock(&p->lock);
    unsigned *count = map_get(p->counts, k.bytes, k.n);
    if (!count)
        count = count_new(p, &k);
    bool ok = count && *count < p->most;
    if (ok)
        ++*count;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void peers_leave(struct http_peers *p, const struct sockaddr *peer)
{
    struct address_key k = key_of(peer);

    pthread_mutex_lock(&p->lock);
    unsigned *count = map_get(p->counts, k.bytes, k.n);
    if (count && --*count == 0)
        free(map_del(p->counts, k.bytes, k.n));
    pthread_mutex_unlock(&p->lock);
}
