/* Load curves as meters show them, for benchmarks: the same on every machine. */
#ifndef BENCH_CURVES_H
#define BENCH_CURVES_H

#include "model/block.h"

#include <stddef.h>
#include <stdint.h>

enum curve {
    CURVE_HOUSEHOLD,  /* register in Wh, quarter hours, 50 to 3,000 W with peaks */
    CURVE_INDUSTRY,   /* register in 0.1 kWh, quarter hours, shifts */
    CURVE_SOLAR,      /* register in Wh, quarter hours, nothing at night */
    CURVE_POWER,      /* W, quarter hours */
    CURVE_OFF_GRID,   /* radio meter: every quarter of an hour and some seconds, gaps */
    CURVE_HEAT_DAILY, /* kWh, a value a day */
    CURVES
};
const char *curve_name(enum curve c);

/* n values of a meter from `from` on; `meter` tells meters from one another. */
void curve_fill(enum curve c, unsigned meter, emt_time from, struct block_value *v, size_t n);

#endif
