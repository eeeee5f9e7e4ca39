/* A bounded cursor over bytes from outside; the only place with pointer arithmetic on frames.
 *
 * A read past the end gives 0 (or NULL), consumes nothing and marks the reader failed for good, so
 * a decoder reads like the layout in the standard and checks `failed` once at the end. */
#ifndef EMT_BASE_READER_H
#define EMT_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *data; /* borrowed */
    size_t len;
    size_t pos;
    bool failed;
};

static inline struct reader reader_of(const void *data, size_t len)
{
    struct reader r = { (const uint8_t *)data, len, 0, false };
    return r;
}

/* Bytes not yet read; 0 once the reader failed. */
static inline size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : r->len - r->pos;
}

static inline bool reader_at_end(const struct reader *r)
{
    return reader_left(r) == 0;
}

static inline void reader_fail(struct reader *r)
{
    r->failed = true;
}

/* The next n bytes, borrowed, and moves past them; NULL (failed) when fewer are left. */
static inline const uint8_t *reader_bytes(struct reader *r, size_t n)
{
    if (r->failed || n > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->pos;
    r->pos += n;
    return p;
}

/* The byte `ahead` positions on without moving; 0 past the end, which does not fail the reader. */
static inline uint8_t reader_peek(const struct reader *r, size_t ahead)
{
    return reader_left(r) > ahead ? r->data[r->pos + ahead] : 0;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 1);
    return p ? p[0] : 0;
}

/* How many of the next bytes are of a class, one after the other. */
static inline size_t reader_span(const struct reader *r, const bool class_of[256])
{
    size_t n = reader_left(r);
    size_t i = 0;

    while (i < n && class_of[r->data[r->pos + i]])
        i++;
    return i;
}

static inline bool reader_skip(struct reader *r, size_t n)
{
    return reader_bytes(r, n) != NULL;
}

/* Little endian, n = 1..8 bytes. */
uint64_t reader_le(struct reader *r, unsigned n);
/* Big endian, n = 1..8 bytes. */
uint64_t reader_be(struct reader *r, unsigned n);

static inline uint16_t reader_u16le(struct reader *r)
{
    return (uint16_t)reader_le(r, 2);
}

static inline uint32_t reader_u32le(struct reader *r)
{
    return (uint32_t)reader_le(r, 4);
}

static inline uint16_t reader_u16be(struct reader *r)
{
    return (uint16_t)reader_be(r, 2);
}

static inline uint32_t reader_u32be(struct reader *r)
{
    return (uint32_t)reader_be(r, 4);
}

/* Copies n bytes to out and moves on; false (failed, out zeroed) when fewer are left. */
bool reader_copy(struct reader *r, void *out, size_t n);

/* A reader of its own over the next n bytes, for a length-prefixed part; r moves past them. When
 * fewer are left both readers are failed. */
struct reader reader_sub(struct reader *r, size_t n);

#endif
