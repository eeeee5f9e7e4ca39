/* Up to 32 numbers of 64 bits: the least of them, and what each is more, in as many bits as the
 * largest needs. The ground of model/block.h; nobody else includes this. */
#ifndef EMT_MODEL_BLOCK_GROUP_H
#define EMT_MODEL_BLOCK_GROUP_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_MAX 32u
#define VARINT_MAX 10u

/* Flags and units of the header, for both directions. */
#define BLOCK_VERSION 1
#define BLOCK_REGULAR 0x01u       /* one step between all times */
#define BLOCK_QUALITY_RUNS 0x02u  /* more than one quality */
#define BLOCK_EXPONENT_RUNS 0x04u /* more than one exponent */
#define BLOCK_SCALED 0x08u        /* with runs: numbers are packed at the lowest exponent */
#define BLOCK_DIRECT 0x10u        /* numbers themselves, not their differences */
#define BLOCK_FLAGS 0x1fu
#define BLOCK_UNITS 10u
extern const int64_t block_units[BLOCK_UNITS]; /* µs, descending */
extern const int64_t block_powers[19];         /* of ten */

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Bits of v, 0..64. */
static inline unsigned bits_of(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

bool put_varint(struct writer *w, uint64_t v);
/* Seven bits a byte, low ones first; more than 64 bits fail the reader. */
uint64_t get_varint(struct reader *r);

/* n numbers, 1..GROUP_MAX, compared as signed. */
bool group_put(struct writer *w, const int64_t *x, unsigned n);
/* False: the bytes are no group of n numbers. */
bool group_get(struct reader *r, uint64_t *x, unsigned n);

#endif
