/* Pieces of a read-out: borrowed text without closing 0. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_TEXT_H
#define EMT_PARSERS_IEC62056_21_IEC_TEXT_H

#include "common/decode_build.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stddef.h>

struct iec_span {
    const char *p;
    size_t n;
};

bool iec_span_is(struct iec_span s, const char *text);
/* Without spaces at both ends. */
struct iec_span iec_trim(struct iec_span s);
/* The readers below pass over spaces at both ends.
 *
 * 1 to 9 digits and nothing else. */
bool iec_digits(struct iec_span s, unsigned *out);
/* Up to 16 hex digits and nothing else. */
bool iec_hex(struct iec_span s, uint64_t *out);
/* A decimal as meters print it: sign, digits, one point (or the comma that some makers send); no
 * exponent. False for anything else, and for more digits than a decimal holds. */
bool iec_decimal(struct iec_span s, struct decimal *out);
/* A copy in the arena that is UTF-8: bytes that are not are taken as ISO 8859-1, control characters
 * become '?'. */
const char *iec_copy(struct decode_build *b, struct iec_span s);

#endif
