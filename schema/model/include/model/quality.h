/* Quality of a value, and its rank: of two values for one channel and time the higher rank wins
 * (docs/generic-schema.md). */
#ifndef EMT_MODEL_QUALITY_H
#define EMT_MODEL_QUALITY_H

#include "base/attr.h"
#include "base/error.h"

/* Stored as int2: the numbers are for good. */
enum quality {
    QUALITY_MEASURED = 0,
    QUALITY_SUBSTITUTE = 1, /* formed by a rule, with method and reason */
    QUALITY_ESTIMATED = 2,
    QUALITY_PROVISIONAL = 3,
    QUALITY_INVALID = 4,   /* the meter itself flags it (record error, permanent error) */
    QUALITY_CORRECTED = 5, /* set by a person, with reason */
    QUALITIES
};

/* substitute, estimated, provisional, invalid < measured < corrected. */
int quality_rank(enum quality q);
const char *quality_name(enum quality q);
EMT_CHECKED enum emt_err quality_parse(const char *name, enum quality *out);
/* MSCONS QTY qualifier (DE6063): "220", "67", "Z18"; NULL: must not be sent. */
const char *quality_mscons(enum quality q);

#endif
