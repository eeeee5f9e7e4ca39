/* Binary form of a one-dimensional array, all big endian:
 *
 *  off size
 *    0    4  dimensions: 1, or 0 for an empty array, which ends behind the type
 *    4    4  1 when an element is NULL
 *    8    4  type of the elements (OID)
 *   12    4  number of elements
 *   16    4  lower bound: 1
 *   20       per element: length (4), -1 for NULL, and its bytes */
#include "base/writer.h"
#include "store_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 20
#define EMPTY_HEAD 12
/* The server takes messages up to 1 GiB; a batch stays far below. */
#define ARRAY_MAX ((size_t)256 << 20)

struct store_array {
    enum store_type type;
    struct writer w;
    size_t count;
    bool has_null;
    bool failed;
};

static const struct {
    uint32_t oid;
    unsigned width; /* 0: varies */
} types[] = {
    [STORE_BOOL] = { 16, 1 },  [STORE_INT2] = { 21, 2 },   [STORE_INT4] = { 23, 4 },
    [STORE_INT8] = { 20, 8 },  [STORE_TIME] = { 1184, 8 }, [STORE_TEXT] = { 25, 0 },
    [STORE_BYTES] = { 17, 0 },
};

struct store_array *store_array_new(enum store_type type)
{
    struct store_array *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->type = type;
    writer_init_heap(&a->w, ARRAY_MAX);
    store_array_clear(a);
    return a;
}

void store_array_free(struct store_array *a)
{
    if (!a)
        return;
    writer_release(&a->w);
    free(a);
}

void store_array_clear(struct store_array *a)
{
    writer_clear(&a->w);
    a->count = 0;
    a->has_null = false;
    a->failed = writer_reserve(&a->w, HEAD) == NULL;
}

static bool element(struct store_array *a, const void *p, size_t n)
{
    if (n > INT_MAX || !writer_be(&a->w, (uint64_t)n, 4) || !writer_bytes(&a->w, p, n))
        a->failed = true;
    else
        a->count++;
    return !a->failed;
}

static bool element_int(struct store_array *a, int64_t v)
{
    unsigned n = types[a->type].width;

    if (!writer_be(&a->w, n, 4) || !writer_be(&a->w, (uint64_t)v, n))
        a->failed = true;
    else
        a->count++;
    return !a->failed;
}

bool store_array_int(struct store_array *a, int64_t v)
{
    assert(a->type == STORE_BOOL || a->type == STORE_INT2 || a->type == STORE_INT4 ||
           a->type == STORE_INT8);
    assert(a->type != STORE_BOOL || v == 0 || v == 1);
    assert(a->type != STORE_INT2 || (v >= INT16_MIN && v <= INT16_MAX));
    assert(a->type != STORE_INT4 || (v >= INT32_MIN && v <= INT32_MAX));
    return element_int(a, v);
}

bool store_array_time(struct store_array *a, emt_time v)
{
    struct store_param p;
    size_t n = sizeof(int64_t);

    assert(a->type == STORE_TIME);
    p_time(&p, v);
    return v == EMT_TIME_NONE ? store_array_null(a) : element(a, p.inline_, n);
}

bool store_array_text(struct store_array *a, const char *v)
{
    assert(a->type == STORE_TEXT);
    return v ? element(a, v, strlen(v)) : store_array_null(a);
}

bool store_array_bytes(struct store_array *a, const void *p, size_t n)
{
    assert(a->type == STORE_BYTES);
    return p ? element(a, p, n) : store_array_null(a);
}

bool store_array_null(struct store_array *a)
{
    if (!writer_be(&a->w, UINT32_MAX, 4))
        a->failed = true;
    else
        a->count++;
    a->has_null = true;
    return !a->failed;
}

size_t store_array_count(const struct store_array *a)
{
    return a->count;
}

static void put4(uint8_t *at, uint32_t v)
{
    struct writer w;
    bool fits;

    writer_init_fixed(&w, at, 4);
    fits = writer_be(&w, v, 4);
    assert(fits);
    (void)fits;
}

void p_array(struct store_param *p, struct store_array *a)
{
    uint8_t *d = a->w.data;

    if (a->failed) {
        *p = (struct store_param){ NULL, 0, STORE_PARAM_BAD, { 0 } };
        return;
    }
    put4(d, a->count ? 1 : 0);
    put4(d + 4, a->has_null ? 1 : 0);
    put4(d + 8, types[a->type].oid);
    put4(d + 12, (uint32_t)a->count);
    put4(d + 16, 1);
    p_bytes(p, d, a->count ? a->w.len : EMPTY_HEAD);
}
