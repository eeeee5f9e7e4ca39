#include "base/reader.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

uint64_t reader_le(struct reader *r, unsigned n)
{
    const uint8_t *p = reader_bytes(r, n);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < n && i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t reader_be(struct reader *r, unsigned n)
{
    const uint8_t *p = reader_bytes(r, n);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < n && i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

bool reader_copy(struct reader *r, void *out, size_t n)
{
    const uint8_t *p = reader_bytes(r, n);

    if (n == 0)
        return p != NULL || !r->failed;
    if (!p) {
        memset(out, 0, n);
        return false;
    }
    memcpy(out, p, n);
    return true;
}

struct reader reader_sub(struct reader *r, size_t n)
{
    const uint8_t *p = reader_bytes(r, n);
    struct reader sub = { p, p ? n : 0, 0, r->failed };

    return sub;
}
