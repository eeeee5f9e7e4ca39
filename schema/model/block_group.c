/* off size
 *   0    1  width w of a number, 0..64
 *   1 1–10  the least number, zigzag varint
 *   .       ceil(n * w / 8) bytes: n numbers of w bits, low bits first, the least subtracted */
#include "block_group.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WORDS (GROUP_MAX + 1) /* one more, so that two neighbours can be read at the end */

const int64_t block_units[BLOCK_UNITS] = { INT64_C(86400000000), INT64_C(3600000000),
                                           INT64_C(1800000000),  INT64_C(900000000),
                                           INT64_C(300000000),   INT64_C(60000000),
                                           INT64_C(10000000),    INT64_C(1000000),
                                           INT64_C(1000),        INT64_C(1) };
const int64_t block_powers[19] = { INT64_C(1),
                                   INT64_C(10),
                                   INT64_C(100),
                                   INT64_C(1000),
                                   INT64_C(10000),
                                   INT64_C(100000),
                                   INT64_C(1000000),
                                   INT64_C(10000000),
                                   INT64_C(100000000),
                                   INT64_C(1000000000),
                                   INT64_C(10000000000),
                                   INT64_C(100000000000),
                                   INT64_C(1000000000000),
                                   INT64_C(10000000000000),
                                   INT64_C(100000000000000),
                                   INT64_C(1000000000000000),
                                   INT64_C(10000000000000000),
                                   INT64_C(100000000000000000),
                                   INT64_C(1000000000000000000) };

static unsigned varint_bytes(uint64_t v, uint8_t out[VARINT_MAX])
{
    unsigned n = 0;

    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80u);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

bool put_varint(struct writer *w, uint64_t v)
{
    uint8_t b[VARINT_MAX];

    return writer_bytes(w, b, varint_bytes(v, b));
}

uint64_t get_varint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < VARINT_MAX; i++) {
        uint8_t b = reader_u8(r);

        if (i == VARINT_MAX - 1 && b > 1) {
            reader_fail(r);
            return 0;
        }
        v |= (uint64_t)(b & 0x7fu) << (7 * i);
        if (b < 0x80)
            break;
    }
    return v;
}

/* Words are kept low byte first, whatever the machine. */
static uint64_t word_le(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

static void pack(uint64_t words[WORDS], const int64_t *x, unsigned n, uint64_t least,
                 unsigned width)
{
    uint64_t acc = 0;
    unsigned fill = 0, at = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t v = (uint64_t)x[i] - least;

        acc |= v << fill;
        fill += width;
        if (fill >= 64) {
            words[at++] = word_le(acc);
            fill -= 64;
            acc = fill ? v >> (width - fill) : 0;
        }
    }
    words[at] = word_le(acc);
}

bool group_put(struct writer *w, const int64_t *x, unsigned n)
{
    int64_t least = x[0], most = x[0];
    uint8_t head[1 + VARINT_MAX];
    uint64_t words[WORDS];
    unsigned len;

    for (unsigned i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    head[0] = (uint8_t)bits_of((uint64_t)most - (uint64_t)least);
    len = 1 + varint_bytes(zigzag(least), head + 1);
    if (!writer_bytes(w, head, len))
        return false;
    if (head[0] == 0)
        return true;
    pack(words, x, n, (uint64_t)least, head[0]);
    return writer_bytes(w, words, ((size_t)n * head[0] + 7) / 8);
}

static inline void unpack(const uint64_t *words, unsigned width, unsigned n, uint64_t least,
                          uint64_t *x)
{
    uint64_t mask = UINT64_MAX >> (64 - width);

    for (unsigned i = 0; i < n; i++) {
        unsigned bit = i * width;
        unsigned off = bit & 63u;
        uint64_t lo = words[bit >> 6] >> off;
        uint64_t hi = words[(bit >> 6) + 1] << 1 << (63 - off);

        x[i] = ((lo | hi) & mask) + least;
    }
}

bool group_get(struct reader *r, uint64_t *x, unsigned n)
{
    unsigned width = reader_u8(r);
    uint64_t least = (uint64_t)unzigzag(get_varint(r));
    uint64_t words[WORDS];
    size_t len = ((size_t)n * width + 7) / 8;

    if (width > 64 || r->failed)
        return false;
    if (width == 0) {
        for (unsigned i = 0; i < n; i++)
            x[i] = least;
        return true;
    }
    words[len / 8] = 0; /* the last one, where it is not filled, and the one behind it */
    words[(len + 7) / 8] = 0;
    if (!reader_copy(r, words, len))
        return false;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i * 8 < len; i++)
        words[i] = word_le(words[i]);
#endif
    if (n == GROUP_MAX)
        unpack(words, width, GROUP_MAX, least, x); /* a loop of known length */
    else
        unpack(words, width, n, least, x);
    return true;
}
