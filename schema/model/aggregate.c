#include "model/aggregate.h"

#include "model/local_day.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const names[] = { "hour", "day", "month" };

enum emt_err aggregate_period_parse(const char *name, enum aggregate_period *out)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum aggregate_period)i;
            return EMT_OK;
        }
    }
    return EMT_EMALFORMED;
}

const char *aggregate_period_name(enum aggregate_period p)
{
    return names[p];
}

void aggregate_bounds(enum aggregate_period p, emt_time t, emt_time *start, emt_time *end)
{
    struct local_date d;
    emt_time into = t % EMT_HOUR;

    switch (p) {
    case AGGREGATE_HOUR: /* the offset is whole hours, the year round */
        *start = t - (into < 0 ? into + EMT_HOUR : into);
        *end = *start + EMT_HOUR;
        return;
    case AGGREGATE_DAY:
        d = local_date_of(t);
        *start = local_day_start(d);
        *end = local_day_end(d);
        return;
    case AGGREGATE_MONTH:
        d = local_date_of(t);
        d.day = 1;
        *start = local_day_start(d);
        d.year += d.month == 12;
        d.month = d.month % 12 + 1;
        *end = local_day_start(d);
        return;
    }
}

void aggregator_init(struct aggregator *a, enum aggregate_period period)
{
    *a = (struct aggregator){ .period = period };
}

static int compare(struct decimal a, struct decimal b)
{
    if (a.exponent != b.exponent)
        return decimal_compare(a, b);
    return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
}

static void finish(struct aggregator *a, struct decimal next, struct aggregate *done)
{
    *done = a->now;
    done->has_delta = decimal_sub(next, a->now.first, &done->delta) == EMT_OK;
}

static void begin(struct aggregator *a, emt_time ts, struct decimal v)
{
    aggregate_bounds(a->period, ts, &a->now.start, &a->end);
    a->now.first = a->now.last = a->now.min = a->now.max = v;
    a->now.count = 1;
    a->open = true;
}

bool aggregator_add(struct aggregator *a, emt_time ts, struct decimal v, struct aggregate *done)
{
    if (a->open && ts < a->end) {
        a->now.last = v;
        if (compare(v, a->now.min) < 0)
            a->now.min = v;
        if (compare(v, a->now.max) > 0)
            a->now.max = v;
        a->now.count++;
        return false;
    }
    bool was_open = a->open;
    if (was_open)
        finish(a, v, done);
    begin(a, ts, v);
    return was_open;
}

bool aggregator_end(struct aggregator *a, const struct decimal *next, struct aggregate *done)
{
    if (!a->open)
        return false;
    finish(a, next ? *next : a->now.last, done);
    a->open = false;
    return true;
}
