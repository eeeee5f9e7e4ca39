/* What the data sets of one read-out tell each other. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_CONTEXT_H
#define EMT_PARSERS_IEC62056_21_IEC_CONTEXT_H

#include "common/decode_build.h"
#include "iec_frame.h"
#include "iec_obis.h"
#include "iec_time.h"

#include <stdbool.h>

#define IEC_PERIODS 100 /* billing periods *00 to *99 */

struct iec_context {
    struct decode_build b;
    struct iec_frame frame;

    struct iec_span unit_text; /* the unit looked up last: most values share theirs */
    const char *unit;

    struct iec_time clock; /* of the telegram (0-0:1.0.0 of DSMR) */
    bool has_clock;
    struct iec_span clock_time, clock_date; /* 0.9.1, 0.9.2 */
    struct iec_time *periods;       /* 0.1.2*nn: when period nn was closed; NULL: none is known */
    unsigned p1_version;            /* 1-3:0.2.8, as 42 or 50; 0: none */
    bool damaged_rows;              /* a profile ended within a row */
    char cut_at[IEC_TIME_TEXT_MAX]; /* the time of that row */
    unsigned timeless;              /* profile values without a date: left out */
};

#endif
