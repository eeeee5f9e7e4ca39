#include "bench_curves.h"

#include <stdbool.h>

#define QUARTER (15 * EMT_MINUTE)
#define QUALITY_OF_METER 0x100 /* measured, time of the meter */

static const char *const names[CURVES] = { "household", "industry", "solar",
                                           "power",     "off-grid", "heat-daily" };

const char *curve_name(enum curve c)
{
    return names[c];
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Wh of a quarter hour, between base load and the evening's oven. */
static int64_t household(unsigned quarter, uint64_t *seed)
{
    bool evening = quarter >= 68 && quarter < 88, awake = quarter >= 26 && quarter < 92;
    int64_t wh = 15 + next_random(seed) % (awake ? 120 : 30);

    if (next_random(seed) % (evening ? 4 : 16) == 0)
        wh += next_random(seed) % 700;
    return wh;
}

static int64_t industry(unsigned quarter, uint64_t *seed)
{
    return (quarter >= 24 && quarter < 72 ? 900 : 250) + next_random(seed) % 60;
}

static int64_t solar(unsigned quarter, uint64_t *seed)
{
    int64_t off = (int64_t)quarter - 50;

    return off * off > 500 ? 0 : (500 - off * off) * 2 + next_random(seed) % 80;
}

void curve_fill(enum curve c, unsigned meter, emt_time from, struct block_value *v, size_t n)
{
    uint64_t seed = meter * UINT64_C(2654435761) + (uint64_t)(from / EMT_DAY) + 1;
    int64_t days = from / EMT_DAY - 20000;
    int64_t wh = 1000000 + meter * INT64_C(123457) + days * 20000;
    emt_time at = from;

    for (size_t i = 0; i < n; i++) {
        unsigned quarter = (unsigned)(at % EMT_DAY / QUARTER);

        v[i] = (struct block_value){ at, wh, 0, QUALITY_OF_METER };
        at += QUARTER;
        switch (c) {
        case CURVE_HOUSEHOLD:
            wh += household(quarter, &seed);
            break;
        case CURVE_INDUSTRY:
            v[i].exponent = 2;
            wh += industry(quarter, &seed);
            break;
        case CURVE_SOLAR:
            wh += solar(quarter, &seed);
            break;
        case CURVE_POWER:
            v[i].mantissa = household(quarter, &seed) * 4;
            break;
        case CURVE_OFF_GRID:
            wh += household(quarter, &seed);
            at += (next_random(&seed) % 20) * EMT_SECOND;
            at += next_random(&seed) % 30 == 0 ? QUARTER : 0;
            break;
        case CURVE_HEAT_DAILY:
            v[i].exponent = 3;
            at += EMT_DAY - QUARTER;
            wh += 5 + next_random(&seed) % 40;
            break;
        case CURVES:
            break;
        }
    }
}
