/* Exact decimals: mantissa * 10^exponent. Values of meters are never anything else in this code. */
#ifndef EMT_MODEL_DECIMAL_H
#define EMT_MODEL_DECIMAL_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decimal {
    int64_t mantissa;
    int16_t exponent; /* power of ten, -64..64 */
};

#define DECIMAL_TEXT_MAX 96 /* longest text of decimal_format() with its closing 0 */

static inline struct decimal decimal_of(int64_t mantissa, int exponent)
{
    struct decimal d = { mantissa, (int16_t)exponent };
    return d;
}

/* "12.30", "-0.5", "1e3" → exact, digits kept as written (12.30 is 1230e-2). EMT_EMALFORMED;
 * EMT_ELIMIT when it does not fit. */
EMT_CHECKED enum emt_err decimal_parse(const char *text, size_t n, struct decimal *out);
/* Plain notation, no exponent, no plus, as many decimals as the exponent says ("12.30"); buf holds
 * DECIMAL_TEXT_MAX. Returns buf. */
char *decimal_format(struct decimal d, char buf[DECIMAL_TEXT_MAX]);
/* Trailing zeros of the mantissa removed; 0 is 0e0. */
struct decimal decimal_normal(struct decimal d);
/* -1, 0, 1 by value: 1.20 equals 1.2. Exact for every input. */
int decimal_compare(struct decimal a, struct decimal b);
/* Exact or EMT_ELIMIT. */
EMT_CHECKED enum emt_err decimal_add(struct decimal a, struct decimal b, struct decimal *out);
EMT_CHECKED enum emt_err decimal_sub(struct decimal a, struct decimal b, struct decimal *out);
EMT_CHECKED enum emt_err decimal_mul(struct decimal a, struct decimal b, struct decimal *out);
/* The same value with this exponent; EMT_ELIMIT when digits would be lost or overflow. */
EMT_CHECKED enum emt_err decimal_rescale(struct decimal d, int exponent, struct decimal *out);
/* Rounded half away from zero to at most `decimals` places (market rule). EMT_ELIMIT on overflow.
 */
EMT_CHECKED enum emt_err decimal_round(struct decimal d, int decimals, struct decimal *out);
/* Quotient rounded half away from zero to `decimals` places; EMT_EMALFORMED for a zero divisor. */
EMT_CHECKED enum emt_err decimal_div(struct decimal a, struct decimal b, int decimals,
                                     struct decimal *out);
/* The exact value of an IEEE 754 single or double given by its bits, without a detour over
 * `double`; when the exact decimal does not fit: the shortest decimal that reads back as the same
 * float (at most 9 / 17 digits). EMT_EMALFORMED for NaN and infinities. */
EMT_CHECKED enum emt_err decimal_from_float32(uint32_t bits, struct decimal *out);
EMT_CHECKED enum emt_err decimal_from_float64(uint64_t bits, struct decimal *out);

#endif
