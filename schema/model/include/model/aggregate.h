/* Values of one channel by hour, German local day or local month: exact, in one pass, with memory
 * for one period. */
#ifndef EMT_MODEL_AGGREGATE_H
#define EMT_MODEL_AGGREGATE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stdint.h>

enum aggregate_period { AGGREGATE_HOUR, AGGREGATE_DAY, AGGREGATE_MONTH };

/* "hour", "day", "month"; EMT_EMALFORMED. */
EMT_CHECKED enum emt_err aggregate_period_parse(const char *name, enum aggregate_period *out);
const char *aggregate_period_name(enum aggregate_period p);
/* The period that t is in; a day has 23 to 25 hours. */
void aggregate_bounds(enum aggregate_period p, emt_time t, emt_time *start, emt_time *end);

struct aggregate {
    emt_time start;
    struct decimal first, last, min, max;
    int64_t count;
    /* First value of what follows less the first value here, so that the deltas of a counter add
     * up; without a following value the last one less the first. */
    struct decimal delta;
    bool has_delta; /* false: it does not fit a decimal */
};

struct aggregator {
    enum aggregate_period period;
    struct aggregate now;
    emt_time end; /* of now */
    bool open;
};

void aggregator_init(struct aggregator *a, enum aggregate_period period);
/* Values ascend in time. True: the value is the first of another period, and *done has the one
 * before it. */
bool aggregator_add(struct aggregator *a, emt_time ts, struct decimal value,
                    struct aggregate *done);
/* The last period; next: the value that follows it, NULL for none. False: there was no value. */
bool aggregator_end(struct aggregator *a, const struct decimal *next, struct aggregate *done);

#endif
