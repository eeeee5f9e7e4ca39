/* What each use case is exported from, as data. */
#ifndef EMT_EXPORT_EXPORT_USE_CASE_H
#define EMT_EXPORT_EXPORT_USE_CASE_H

#include "base/clock.h"
#include "model/obis.h"

#include <stdbool.h>

enum export_shape {
    EXPORT_PROFILE, /* intervals of each day */
    EXPORT_READING, /* registers at the begin of each day */
    EXPORT_ENERGY,  /* one value for the period, or for each month of it */
    EXPORT_ORDERED  /* type-2 values: what their register is */
};

struct export_use_case {
    unsigned pid;
    enum export_shape shape;
    unsigned places;   /* LOCATION_BIT of those that it is for */
    unsigned expected; /* of these: one without a register for it is told of */
    bool gas;
    bool cancelled; /* what was sent is taken back (13006), not overwritten */
    bool months;    /* its period is cut into calendar months */
    emt_time step;
};

/* NULL: not exported. 13006 is that of what it cancels. */
const struct export_use_case *export_use_case(unsigned pid);

/* Where the values of a register come from. */
enum export_source {
    SOURCE_COUNTER, /* differences of a counter */
    SOURCE_SHOWN,   /* the counter itself */
    SOURCE_MAXIMUM, /* largest mean power of a month */
    SOURCE_HOURS,   /* stored values as they are, one for each step */
    SOURCE_DAY,     /* … one for the day or period */
    SOURCE_INSTANT  /* … at their instants */
};
enum export_source export_source_of(const struct export_use_case *u, struct obis obis);

/* What the channel must count in, for people: "Wh or varh"; NULL: anything. `unit` fits or not. */
const char *export_unit_wanted(const struct export_use_case *u, struct obis obis, const char *unit,
                               bool *fits);
/* Power of ten from the channel's unit to the market's: -3 for Wh. */
int export_unit_exponent(const char *unit);

#endif
