/* Data sets of a read-out: a code and its brackets, which may go on over several lines. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_SET_H
#define EMT_PARSERS_IEC62056_21_IEC_SET_H

#include "base/attr.h"
#include "base/error.h"
#include "iec_obis.h"
#include "iec_text.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest code and value that are read (IEC 62056-21: 16 and 32, DSMR P1: messages of 2048). */
#define IEC_CODE_MAX 64
#define IEC_VALUE_MAX 2048

struct iec_set {
    struct iec_span code; /* trimmed; n = 0 where the first line begins with a bracket */
    bool is_obis;         /* obis is set */
    struct iec_code obis;
    struct iec_span brackets; /* "(…)(…)" with line ends between them */
    size_t count;             /* brackets in it, at least 1 */
};

/* The next set of *in, which moves past it. EMT_ENOTFOUND: no more; EMT_EMALFORMED: a line that is
 * none, or a bracket that does not close. */
EMT_CHECKED enum emt_err iec_set_next(struct iec_span *in, struct iec_set *out);
/* The content of the next bracket as printed; false when there is no more. */
bool iec_bracket_next(struct iec_span *brackets, struct iec_span *out);
/* Cuts "value*unit"; true when there is a '*'. */
bool iec_value_cut(struct iec_span bracket, struct iec_span *value, struct iec_span *unit);

#endif
