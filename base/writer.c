#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* First allocation of a growing writer: most messages and lines fit. */
#define FIRST_CAP 256

void writer_init_fixed(struct writer *w, void *storage, size_t size)
{
    *w = (struct writer){ storage, 0, size, 0, false };
}

void writer_init_heap(struct writer *w, size_t limit)
{
    *w = (struct writer){ NULL, 0, 0, limit, false };
}

void writer_release(struct writer *w)
{
    if (w->limit) {
        free(w->data);
        w->data = NULL;
        w->cap = 0;
    }
    w->len = 0;
    w->failed = false;
}

void writer_clear(struct writer *w)
{
    w->len = 0;
    w->failed = false;
}

/* Makes the storage hold `need` bytes; `extra` lets the closing 0 of a text stand beyond the limit.
 */
static bool grow(struct writer *w, size_t need, size_t extra)
{
    size_t most = w->limit > SIZE_MAX - extra ? SIZE_MAX : w->limit + extra;
    size_t cap = w->cap ? w->cap : FIRST_CAP;
    uint8_t *data;

    if (need <= w->cap)
        return true;
    if (w->limit == 0 || need > most)
        return false;
    while (cap < need)
        cap = cap > most / 2 ? most : cap * 2;
    if (cap > most)
        cap = most;
    data = realloc(w->data, cap);
    if (!data)
        return false;
    w->data = data;
    w->cap = cap;
    return true;
}

/* Room for n bytes at the end, not zeroed. */
static uint8_t *take(struct writer *w, size_t n)
{
    size_t need;
    uint8_t *p;

    if (w->failed)
        return NULL;
    /* The 0 of writer_cstr may have made cap one larger than the limit: the limit decides. */
    if (__builtin_add_overflow(w->len, n, &need) || (w->limit && need > w->limit) ||
        !grow(w, need, 0)) {
        w->failed = true;
        return NULL;
    }
    p = w->data + w->len;
    w->len = need;
    return p;
}

uint8_t *writer_reserve(struct writer *w, size_t n)
{
    uint8_t *p;

    /* Even an empty reservation gives a pointer, as long as nothing failed. */
    if (n == 0 && !w->failed && !w->data && !grow(w, 1, 1)) {
        w->failed = true;
        return NULL;
    }
    p = take(w, n);
    if (p && n)
        memset(p, 0, n);
    return p;
}

bool writer_bytes(struct writer *w, const void *p, size_t n)
{
    uint8_t *to;

    if (n == 0)
        return !w->failed;
    to = take(w, n);
    if (!to)
        return false;
    memcpy(to, p, n);
    return true;
}

bool writer_u8(struct writer *w, uint8_t v)
{
    return writer_bytes(w, &v, 1);
}

bool writer_le(struct writer *w, uint64_t v, unsigned n)
{
    uint8_t *p = n <= 8 ? take(w, n) : NULL;

    if (!p) {
        w->failed = true;
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    return true;
}

bool writer_be(struct writer *w, uint64_t v, unsigned n)
{
    uint8_t *p = n <= 8 ? take(w, n) : NULL;

    if (!p) {
        w->failed = true;
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    return true;
}

bool writer_text(struct writer *w, const char *s)
{
    return writer_bytes(w, s, strlen(s));
}

bool writer_printf(struct writer *w, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_list again;
    int n;
    uint8_t *p;

    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        w->failed = true;
    } else if ((size_t)n < sizeof small) {
        (void)writer_bytes(w, small, (size_t)n);
    } else if ((p = take(w, (size_t)n + 1))) { /* vsnprintf closes with a 0, which is not kept */
        (void)vsnprintf((char *)p, (size_t)n + 1, fmt, again);
        w->len--;
    }
    va_end(again);
    return !w->failed;
}

const char *writer_cstr(struct writer *w)
{
    if (w->failed)
        return "";
    if (w->len == SIZE_MAX || !grow(w, w->len + 1, 1)) {
        w->failed = true;
        return "";
    }
    w->data[w->len] = 0;
    return (const char *)w->data;
}
