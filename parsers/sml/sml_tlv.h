/* The SML binary encoding: type-length fields (BSI TR-03109-1 annex IV part b, chapter "SML binary
 * encoding"). Everything goes through a reader: a field of another type or a length that does not
 * fit marks it failed. */
#ifndef EMT_PARSERS_SML_TLV_H
#define EMT_PARSERS_SML_TLV_H

#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lists within lists: parameter trees are the deepest. */
#define SML_DEPTH_MAX 16
/* Bytes of one type-length field: four bits of length each. */
#define SML_TL_MAX 4

enum sml_type {
    SML_OCTETS = 0,
    SML_BOOLEAN = 4,
    SML_INTEGER = 5,
    SML_UNSIGNED = 6,
    SML_LIST = 7,
};

enum sml_value_kind {
    SML_VALUE_NONE, /* left out */
    SML_VALUE_OCTETS,
    SML_VALUE_BOOLEAN,
    SML_VALUE_INTEGER,
    SML_VALUE_UNSIGNED,
    SML_VALUE_LIST, /* n elements follow */
};

struct sml_value {
    enum sml_value_kind kind;
    int64_t i;        /* INTEGER, BOOLEAN */
    uint64_t u;       /* UNSIGNED, BOOLEAN */
    const uint8_t *p; /* OCTETS, borrowed */
    size_t n;         /* OCTETS: bytes; LIST: elements, never more than bytes left; numbers: bytes
                         of the number as sent */
};

/* Any element, for a list only its head. "01" is an element left out. */
struct sml_value sml_read(struct reader *in);
/* The head of a list of at least `least` elements; returns their number, 0 when failed. */
size_t sml_read_list(struct reader *in, size_t least);
/* A list or nothing: 0 elements when left out. *present may be NULL. */
size_t sml_read_optional_list(struct reader *in, bool *present);
/* Octets; NULL and *n = 0 when left out. */
const uint8_t *sml_read_octets(struct reader *in, size_t *n);
/* An unsigned number that must be there, at most `most`. */
uint64_t sml_read_unsigned(struct reader *in, uint64_t most);
/* An unsigned number or nothing; *present says which. */
uint64_t sml_read_optional_unsigned(struct reader *in, uint64_t most, bool *present);
/* A signed number of at most `bytes` bytes or nothing. */
int64_t sml_read_optional_integer(struct reader *in, size_t bytes, bool *present);
/* Passes over n elements with all that they hold, at most SML_DEPTH_MAX deep. */
void sml_skip(struct reader *in, size_t n);

#endif
