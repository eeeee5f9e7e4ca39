/* A list of blocks; allocation moves a mark through the current one and then goes to the next that
 * is large enough. Reset rewinds to the first block. With AddressSanitizer, memory that is not
 * handed out is poisoned and a gap lies behind every piece, so that use after a reset and overruns
 * are found. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
#define ARENA_HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define ARENA_SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define ARENA_GAP 0
#define ARENA_HIDE(p, n) ((void)(p), (void)(n))
#define ARENA_SHOW(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN alignof(max_align_t)
#define BLOCK_SIZE ((size_t)64 * 1024)

struct block {
    struct block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct block *first;
    struct block *current; /* blocks after it are empty */
    size_t limit;
    size_t held; /* sum of the blocks' cap */
    size_t used;
};

struct arena *arena_new(size_t limit)
{
    struct arena *a = calloc(1, sizeof *a);

    if (a)
        a->limit = limit;
    return a;
}

/* Frees the blocks behind `last` (all when it is NULL). */
static void drop_after(struct arena *a, struct block *last)
{
    struct block *b = last ? last->next : a->first;

    if (last)
        last->next = NULL;
    else
        a->first = a->current = NULL;
    while (b) {
        struct block *next = b->next;

        a->held -= b->cap;
        ARENA_SHOW(b->data, b->cap);
        free(b);
        b = next;
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    drop_after(a, NULL);
    free(a);
}

void arena_reset(struct arena *a)
{
    for (struct block *b = a->first; b; b = b->next) {
        b->used = 0;
        ARENA_HIDE(b->data, b->cap);
    }
    a->current = a->first;
    a->used = 0;
}

static bool over_limit(const struct arena *a, size_t more)
{
    return a->limit && (more > a->limit || a->held > a->limit - more);
}

/* A new block for at least n bytes, put behind the current one. */
static struct block *add_block(struct arena *a, size_t n)
{
    size_t cap = n > BLOCK_SIZE ? n : BLOCK_SIZE;
    struct block *b;

    /* Empty blocks too small for this request give way before the limit refuses it. */
    if (over_limit(a, cap))
        drop_after(a, a->used ? a->current : NULL);
    if (over_limit(a, cap))
        cap = a->limit - a->held > n ? a->limit - a->held : n;
    if (over_limit(a, cap) || cap > SIZE_MAX - sizeof *b)
        return NULL;
    b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    b->cap = cap;
    b->used = 0;
    b->next = a->current ? a->current->next : a->first;
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    a->held += cap;
    ARENA_HIDE(b->data, cap);
    return b;
}

static struct block *block_for(struct arena *a, size_t n)
{
    for (struct block *b = a->current; b; b = b->next) {
        if (b->cap - b->used < n)
            continue;
        if (b != a->current) {
            /* Blocks passed over stay behind the new current one, so that only empty ones follow
             * it. */
            struct block *before = a->current;

            while (before->next != b)
                before = before->next;
            before->next = b->next;
            b->next = a->current->next == b ? b->next : a->current->next;
            a->current->next = b;
        }
        return b;
    }
    return add_block(a, n);
}

static void *take(struct arena *a, size_t n)
{
    size_t size;
    struct block *b;
    uint8_t *p;

    if (__builtin_add_overflow(n, ALIGN - 1 + ARENA_GAP, &size))
        return NULL;
    size = size / ALIGN * ALIGN;
    if (size == 0)
        size = ALIGN;
    b = block_for(a, size);
    if (!b)
        return NULL;
    a->current = b;
    p = b->data + b->used;
    b->used += size;
    a->used += n;
    ARENA_SHOW(p, n);
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p = take(a, n);

    if (p && n)
        memset(p, 0, n);
    return p;
}

void *arena_copy(struct arena *a, const void *p, size_t n)
{
    void *to = take(a, n);

    if (to && n)
        memcpy(to, p, n);
    return to;
}

char *arena_text(struct arena *a, const char *s, size_t n)
{
    char *to = n < SIZE_MAX ? take(a, n + 1) : NULL;

    if (!to)
        return NULL;
    if (n)
        memcpy(to, s, n);
    to[n] = 0;
    return to;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
