/* Directive 2000/84/EC: summer time begins and ends at 01:00 UTC of the last Sunday of March and
 * October. */
#include "model/local_day.h"

#include <stddef.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WINTER_S 3600
#define SUMMER_S 7200

static emt_time last_sunday_at_one(int year, int month)
{
    struct civil c = { .year = year, .month = month, .day = 31, .hour = 1 };
    emt_time t = civil_to_time(&c);

    return t == EMT_TIME_NONE ? t : t - time_weekday(t) * EMT_DAY;
}

int local_offset_s(emt_time t)
{
    struct civil c;

    if (t == EMT_TIME_NONE)
        return WINTER_S;
    time_to_civil(t, &c);
    if (c.month < 3 || c.month > 10)
        return WINTER_S;
    return t >= last_sunday_at_one(c.year, 3) && t < last_sunday_at_one(c.year, 10) ? SUMMER_S
                                                                                    : WINTER_S;
}

/* The instants that a wall clock reading may stand for. */
struct candidates {
    emt_time winter;
    emt_time summer;
    bool is_winter;
    bool is_summer;
};

static bool find_candidates(const struct civil *c, struct candidates *out)
{
    emt_time t = civil_to_time(c);

    if (t == EMT_TIME_NONE)
        return false;
    out->winter = t - WINTER_S * EMT_SECOND;
    out->summer = t - SUMMER_S * EMT_SECOND;
    out->is_winter = local_offset_s(out->winter) == WINTER_S;
    out->is_summer = local_offset_s(out->summer) == SUMMER_S;
    return true;
}

emt_time local_to_time(const struct civil *c, bool summer)
{
    struct candidates at;

    if (!find_candidates(c, &at))
        return EMT_TIME_NONE;
    if (at.is_summer && (summer || !at.is_winter))
        return at.summer;
    return at.winter;
}

bool local_is_ambiguous(const struct civil *c)
{
    struct candidates at;

    return find_candidates(c, &at) && at.is_summer && at.is_winter;
}

static emt_time at_hour(struct local_date d, int hour)
{
    struct civil c = { .year = d.year, .month = d.month, .day = d.day, .hour = hour };

    return local_to_time(&c, true);
}

emt_time local_day_start(struct local_date d)
{
    return at_hour(d, 0);
}

emt_time local_day_end(struct local_date d)
{
    if (local_day_start(d) == EMT_TIME_NONE)
        return EMT_TIME_NONE;
    return local_day_start(local_date_add(d, 1));
}

emt_time gas_day_start(struct local_date d)
{
    return at_hour(d, 6);
}

static struct local_date date_of(emt_time t)
{
    struct civil c;

    time_to_civil(t, &c);
    return (struct local_date){ c.year, c.month, c.day };
}

struct local_date local_date_of(emt_time t)
{
    if (t == EMT_TIME_NONE || t > INT64_MAX - EMT_DAY)
        return (struct local_date){ 0, 0, 0 };
    return date_of(t + local_offset_s(t) * EMT_SECOND);
}

struct local_date local_date_add(struct local_date d, int days)
{
    struct civil c = { .year = d.year, .month = d.month, .day = d.day };
    emt_time t = civil_to_time(&c);

    /* No date stays no date. */
    return t == EMT_TIME_NONE ? d : date_of(t + days * EMT_DAY);
}

enum emt_err local_date_parse(const char *text, struct local_date *out)
{
    emt_time t;

    /* A bare date is what time_parse reads as midnight; anything longer is no date. */
    if (strnlen(text, 11) != 10 || time_parse(text, &t))
        return EMT_EMALFORMED;
    *out = date_of(t);
    return EMT_OK;
}
