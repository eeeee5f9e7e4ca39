/* A closed span of one channel, packed: times, exact values, quality. Pure bytes; who keeps them is
 * store/block_store.h. docs/generic-schema.md describes the encoding byte by byte.
 *
 * What comes out is what went in, to the digit: 1.20 stays 120e-2 beside 15e-1. */
#ifndef EMT_MODEL_BLOCK_H
#define EMT_MODEL_BLOCK_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One value: mantissa * 10^exponent. quality: low byte model/quality.h, next byte the time source
 * of model/reading.h. */
struct block_value {
    emt_time ts;
    int64_t mantissa;
    int16_t exponent;
    int16_t quality;
};

/* Most values of one block: a day at twelve values a second. */
#define BLOCK_VALUES_MAX ((size_t)1 << 20)
/* Values come out in lots of this many; the last one is shorter. */
#define BLOCK_GROUP 32u
/* No block is longer, whatever its values. */
#define BLOCK_BYTES_MAX (BLOCK_VALUES_MAX * 32)

/* Appends the block of v[0..n), strictly ascending in time. EMT_EMALFORMED: they are not.
 * EMT_ELIMIT: none, or more than BLOCK_VALUES_MAX. EMT_ENOMEM: out is full. */
EMT_CHECKED enum emt_err block_encode(const struct block_value *v, size_t n, struct writer *out);

/* Walks over a block with constant memory. The bytes are borrowed. */
struct block_runs {
    struct reader in;
    uint32_t left; /* of the run in force */
    int16_t value;
};
struct block_cursor {
    uint32_t count; /* of the whole block */
    uint32_t left;  /* not yet handed out */
    uint8_t flags;
    int64_t unit; /* µs */
    uint64_t time, step;
    uint64_t value;
    int16_t exponent; /* of the packed numbers */
    bool started;
    int64_t last; /* time in units */
    struct reader times, values;
    struct block_runs quality, exponents;
};

/* EMT_EMALFORMED, EMT_ETRUNCATED; EMT_EUNSUPPORTED: written by a later version. c is usable on
 * EMT_OK only. */
EMT_CHECKED enum emt_err block_open(struct block_cursor *c, const void *data, size_t len);
/* The next lot, in order of time; *n is 0 behind the last value. Errors as block_open(); then
 * nothing of the block is to be believed. */
EMT_CHECKED enum emt_err block_next(struct block_cursor *c, struct block_value out[BLOCK_GROUP],
                                    size_t *n);
/* All values at once. EMT_ELIMIT: more than cap. */
EMT_CHECKED enum emt_err block_decode(const void *data, size_t len, struct block_value *out,
                                      size_t cap, size_t *n);

#endif
