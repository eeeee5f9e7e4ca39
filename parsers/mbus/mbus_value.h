/* The data of a record as a value, by its coding alone (EN 13757-3, data field). */
#ifndef EMT_PARSERS_MBUS_VALUE_H
#define EMT_PARSERS_MBUS_VALUE_H

#include "base/attr.h"
#include "base/error.h"
#include "mbus_record.h"
#include "model/decimal.h"

#include <stdbool.h>

struct arena;

enum mbus_value_kind {
    MBUS_VALUE_NONE, /* no data, or coding 8 */
    MBUS_VALUE_NUMBER,
    MBUS_VALUE_TEXT,
    MBUS_VALUE_BYTES,   /* binary of variable length: as transmitted, in hex */
    MBUS_VALUE_INVALID, /* digits that are none, NaN: text shows what was sent */
};

struct mbus_value {
    enum mbus_value_kind kind;
    struct decimal number;
    bool not_available; /* the coding's own mark for "no value" (smallest signed number) */
    const char *text;   /* TEXT, BYTES, INVALID; in the arena */
};

/* is_signed: binary numbers are two's complement; flags and identifiers are not. EMT_ENOMEM. */
EMT_CHECKED enum emt_err mbus_value_of(struct arena *arena, const struct mbus_record *rec,
                                       bool is_signed, struct mbus_value *out);
/* Digits or letters as printed, leading zeros kept. EMT_ENOMEM. */
EMT_CHECKED enum emt_err mbus_value_identifier(struct arena *arena, const struct mbus_record *rec,
                                               const char **out);
/* A binary number of n bytes, 1..8. */
int64_t mbus_binary(const uint8_t *p, size_t n, bool is_signed);
/* BCD of n bytes, 1..9, with F in the top nibble as minus. False: a digit is none. */
bool mbus_bcd(const uint8_t *p, size_t n, int64_t *out);

#endif
