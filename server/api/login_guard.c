#include "login_guard.h"

#include <arpa/inet.h>
#include <string.h>

bool login_guard_init(struct login_guard *g)
{
    memset(g->peers, 0, sizeof g->peers);
    return pthread_mutex_init(&g->mutex, NULL) == 0;
}

void login_guard_release(struct login_guard *g)
{
    pthread_mutex_destroy(&g->mutex);
}

static void address_of(const char *peer, uint8_t out[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    memset(out, 0, 16);
    if (inet_pton(AF_INET, peer, out + 12) == 1) {
        memcpy(out, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, peer, out) == 1) {
        /* A subscriber has a /64: its lower half is free to choose. A mapped IPv4 address is one.
         */
        if (memcmp(out, mapped, sizeof mapped) != 0)
            memset(out + 8, 0, 8);
    }
}

/* The peer's entry; NULL: it has none. Entries whose window is over are free. */
static struct login_peer *find(struct login_guard *g, const uint8_t address[16], emt_time now)
{
    for (size_t i = 0; i < LOGIN_PEERS_MAX; i++) {
        struct login_peer *p = &g->peers[i];

        if (p->since != 0 && now - p->since > LOGIN_WINDOW)
            p->since = 0;
        if (p->since != 0 && memcmp(p->address, address, 16) == 0)
            return p;
    }
    return NULL;
}

bool login_guard_allows(struct login_guard *g, const char *peer, emt_time now)
{
    uint8_t address[16];

    address_of(peer, address);
    pthread_mutex_lock(&g->mutex);
    const struct login_peer *p = find(g, address, now);
    bool ok = p == NULL || p->failures < LOGIN_FAILURES_MAX;
    pthread_mutex_unlock(&g->mutex);
    return ok;
}

/* A free entry, or the one whose window began first. */
static struct login_peer *place(struct login_guard *g)
{
    struct login_peer *oldest = &g->peers[0];

    for (size_t i = 0; i < LOGIN_PEERS_MAX; i++) {
        if (g->peers[i].since == 0)
            return &g->peers[i];
        if (g->peers[i].since < oldest->since)
            oldest = &g->peers[i];
    }
    return oldest;
}

void login_guard_failed(struct login_guard *g, const char *peer, emt_time now)
{
    uint8_t address[16];

    address_of(peer, address);
    pthread_mutex_lock(&g->mutex);
    struct login_peer *p = find(g, address, now);
    if (p == NULL) {
        p = place(g);
        memcpy(p->address, address, 16);
        p->since = now;
        p->failures = 0;
    }
    p->failures++;
    pthread_mutex_unlock(&g->mutex);
}
