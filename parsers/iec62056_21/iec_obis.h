/* Codes as read-outs print them. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_OBIS_H
#define EMT_PARSERS_IEC62056_21_IEC_OBIS_H

#include "iec_text.h"
#include "model/obis.h"

#include <stdbool.h>

struct iec_code {
    struct obis obis;
    bool has_medium;   /* A-B: is printed; otherwise the meter's main medium, taken as 1-0 */
    bool has_previous; /* *F or &F is printed, and F is a billing period */
};

/* [A-B:]C.D[.E][*F] with C, F, L, P for 96, 97, 98, 99 and & for *; what is left out is A = 1, B =
 * 0, E = 0, F = 255. False for a code of another kind. */
bool iec_code_parse(struct iec_span s, struct iec_code *out);

#endif
