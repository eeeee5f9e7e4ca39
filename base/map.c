/* Open addressing with linear probing. Each slot points to an entry that holds its key; a removed
 * entry leaves a mark, so that walking and removing may be mixed. The hash is SipHash-2-4 (Aumasson
 * and Bernstein, 2012) under a random key, so that peers cannot choose colliding keys. */
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FIRST_SLOTS 16

struct entry {
    uint64_t hash;
    void *value;
    size_t n;
    uint8_t key[];
};

struct map {
    struct entry **slots;
    size_t nslots; /* a power of two, 0 before the first entry */
    size_t count;
    size_t filled; /* entries and marks */
    uint64_t seed[2];
    struct entry *mark; /* stands where an entry was removed: an address that no entry has */
};

struct map *map_new(void)
{
    struct map *m = calloc(1, sizeof *m);

    if (m && getrandom(m->seed, sizeof m->seed, 0) != (ssize_t)sizeof m->seed) {
        free(m);
        return NULL;
    }
    if (m)
        m->mark = (struct entry *)(void *)m;
    return m;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->nslots; i++) {
        if (m->slots[i] != m->mark)
            free(m->slots[i]);
        m->slots[i] = NULL;
    }
    m->count = m->filled = 0;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    map_clear(m);
    free(m->slots);
    free(m);
}

size_t map_count(const struct map *m)
{
    return m->count;
}

static uint64_t rotate(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(const struct map *m, const uint8_t *p, size_t n)
{
    uint64_t v[4] = { m->seed[0] ^ UINT64_C(0x736f6d6570736575),
                      m->seed[1] ^ UINT64_C(0x646f72616e646f6d),
                      m->seed[0] ^ UINT64_C(0x6c7967656e657261),
                      m->seed[1] ^ UINT64_C(0x7465646279746573) };

    for (size_t at = 0; at <= n; at += 8) {
        uint64_t word = 0;
        size_t left = n - at < 8 ? n - at : 8;

        for (size_t i = 0; i < left; i++)
            word |= (uint64_t)p[at + i] << (8 * i);
        if (left < 8)
            word |= (uint64_t)n << 56; /* the last word, also when it holds no byte */
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot of a key, or NULL. The table always has an empty slot, where the search ends. */
static struct entry **slot_of(const struct map *m, const void *key, size_t n, uint64_t hash)
{
    if (m->nslots == 0)
        return NULL;
    for (size_t i = hash & (m->nslots - 1);; i = (i + 1) & (m->nslots - 1)) {
        struct entry *e = m->slots[i];

        if (!e)
            return NULL;
        if (e != m->mark && e->hash == hash && e->n == n && (n == 0 || !memcmp(e->key, key, n)))
            return &m->slots[i];
    }
}

static void place(struct map *m, struct entry *e)
{
    size_t i = e->hash & (m->nslots - 1);

    while (m->slots[i])
        i = (i + 1) & (m->nslots - 1);
    m->slots[i] = e;
    m->filled++;
}

/* A table of twice the entries at least, without marks. */
static enum emt_err rebuild(struct map *m)
{
    size_t nslots = FIRST_SLOTS;
    struct entry **old = m->slots;
    size_t nold = m->nslots;

    while (nslots / 4 < m->count + 1)
        nslots *= 2;
    m->slots = calloc(nslots, sizeof(struct entry *));
    if (!m->slots) {
        m->slots = old;
        return EMT_ENOMEM;
    }
    m->nslots = nslots;
    m->filled = 0;
    for (size_t i = 0; i < nold; i++)
        if (old[i] && old[i] != m->mark)
            place(m, old[i]);
    free(old);
    return EMT_OK;
}

void *map_get(const struct map *m, const void *key, size_t n)
{
    struct entry **slot = slot_of(m, key, n, hash_of(m, key, n));

    return slot ? (*slot)->value : NULL;
}

enum emt_err map_put(struct map *m, const void *key, size_t n, void *value, void **old)
{
    uint64_t hash = hash_of(m, key, n);
    struct entry **slot = slot_of(m, key, n, hash);
    struct entry *e;

    if (old)
        *old = slot ? (*slot)->value : NULL;
    if (slot) {
        (*slot)->value = value;
        return EMT_OK;
    }
    /* Half full at most, marks included: probes stay short. */
    if ((m->filled + 1) * 2 > m->nslots && rebuild(m))
        return EMT_ENOMEM;
    if (n > SIZE_MAX - sizeof *e || !(e = malloc(sizeof *e + n)))
        return EMT_ENOMEM;
    e->hash = hash;
    e->value = value;
    e->n = n;
    if (n)
        memcpy(e->key, key, n);
    place(m, e);
    m->count++;
    return EMT_OK;
}

void *map_del(struct map *m, const void *key, size_t n)
{
    struct entry **slot = slot_of(m, key, n, hash_of(m, key, n));
    void *value;

    if (!slot)
        return NULL;
    value = (*slot)->value;
    free(*slot);
    *slot = m->mark;
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *at, const void **key, size_t *n, void **value)
{
    while (*at < m->nslots) {
        const struct entry *e = m->slots[(*at)++];

        if (!e || e == m->mark)
            continue;
        if (key)
            *key = e->key;
        if (n)
            *n = e->n;
        if (value)
            *value = e->value;
        return true;
    }
    return false;
}
