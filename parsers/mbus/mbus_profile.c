#include "mbus_profile.h"

#include "base/clock.h"
#include "mbus_value.h"

#include <string.h>

/* off size
 *   0    1  control: 0-3 coding of an element (as in a DIF), 4-5 spacing unit, 6-7 mode
 *   1    1  spacing: 1..250 units; 253 with d: half month; 254: half-year, quarter, month by unit;
 * 0: a column, no time 2    …  elements */
enum { MODE_ABSOLUTE, MODE_INCREMENTS, MODE_DECREMENTS, MODE_DIFFERENCES };
enum { UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY };
#define SPACING_MOST 250
#define SPACING_HALF_MONTH 253
#define SPACING_MONTHS 254

struct spacing {
    int64_t seconds; /* 0: by the calendar, or none */
    int months;
    bool half_month;
    bool none;
    uint16_t column;
};

static bool spacing_of(uint8_t control, uint8_t value, struct spacing *out)
{
    static const int64_t seconds[4] = { 1, 60, 3600, 86400 };
    static const int months[4] = { 0, 6, 3, 1 };
    unsigned unit = control >> 4 & 3u;

    memset(out, 0, sizeof *out);
    if (value == 0) {
        out->none = true;
        out->column = (uint16_t)unit;
    } else if (value <= SPACING_MOST) {
        out->seconds = value * seconds[unit];
    } else if (value == SPACING_HALF_MONTH && unit == UNIT_DAY) {
        out->half_month = true;
    } else if (value == SPACING_MONTHS && months[unit]) {
        out->months = months[unit];
    } else {
        return false;
    }
    return true;
}

static int days_in_month(int year, int month)
{
    for (int day = 31; day > 28; day--) {
        struct civil c = { .year = year, .month = month, .day = day };

        if (civil_to_time(&c) != EMT_TIME_NONE)
            return day;
    }
    return 28;
}

static void add_months(struct civil *c, int n, bool end_of_month)
{
    int month = c->year * 12 + c->month - 1 + n;

    c->year = month / 12;
    c->month = month % 12 + 1;
    if (end_of_month || c->day > days_in_month(c->year, c->month))
        c->day = days_in_month(c->year, c->month);
}

/* The boundaries are the 1st and the 16th. */
static void step_half_month(struct civil *c, int direction)
{
    bool late = c->day >= 16;

    if (direction > 0 ? late : !late)
        add_months(c, direction, false);
    c->day = late ? 1 : 16;
}

/* Date `steps` spacings away from the base. The wall clock is stepped, as the meter's own does not
 * know of zones. */
static bool step_date(const struct mbus_date *base, const struct spacing *s, int direction,
                      unsigned steps, struct mbus_date *out)
{
    struct civil c = base->at;
    emt_time t;

    *out = *base;
    if (s->none || !base->has_date)
        return false;
    if (s->months) {
        bool last = c.day == days_in_month(c.year, c.month);

        add_months(&c, direction * s->months * (int)steps, last);
    } else if (s->half_month) {
        for (unsigned i = 0; i < steps; i++)
            step_half_month(&c, direction);
    } else {
        t = civil_to_time(&c);
        if (t == EMT_TIME_NONE)
            return false;
        time_to_civil(t + direction * (int64_t)steps * s->seconds * EMT_SECOND, &c);
        if (s->seconds % 86400 != 0)
            out->has_time = true;
    }
    if (civil_to_time(&c) == EMT_TIME_NONE)
        return false;
    out->at = c;
    return true;
}

static size_t element_len(unsigned coding)
{
    static const uint8_t len[16] = {
        [MBUS_INT8] = 1,  [MBUS_INT16] = 2, [MBUS_INT24] = 3, [MBUS_INT32] = 4,
        [MBUS_INT48] = 6, [MBUS_INT64] = 8, [MBUS_BCD2] = 1,  [MBUS_BCD4] = 2,
        [MBUS_BCD6] = 3,  [MBUS_BCD8] = 4,  [MBUS_BCD12] = 6
    };

    return len[coding & 0x0fu];
}

static bool all_ones(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0xff)
            return false;
    return true;
}

/* False: the element holds no value. */
static bool element_number(unsigned coding, unsigned mode, const uint8_t *p, size_t n, int64_t *out)
{
    bool is_signed = mode == MODE_ABSOLUTE || mode == MODE_DIFFERENCES;

    if (coding >= MBUS_BCD2)
        return mbus_bcd(p, n, out);
    if (all_ones(p, n) && !(mode == MODE_DIFFERENCES))
        return false;
    *out = mbus_binary(p, n, is_signed);
    /* The smallest signed number means "no value". */
    return !is_signed || *out != -(INT64_C(1) << (8 * n - 1 < 63 ? 8 * n - 1 : 62));
}

/* The register's value behind one more element; false on overflow. */
static bool advance(int64_t *sum, int64_t number, unsigned mode, int direction)
{
    bool adds = mode != MODE_DECREMENTS;

    if (direction < 0)
        adds = !adds; /* back in time the steps are taken off again */
    return adds ? !__builtin_add_overflow(*sum, number, sum)
                : !__builtin_sub_overflow(*sum, number, sum);
}

enum emt_err mbus_profile_walk(const struct mbus_record *rec, uint8_t kind,
                               const struct mbus_profile_base *base,
                               enum emt_err (*put)(void *ctx, const struct mbus_profile_element *e),
                               void *ctx)
{
    struct reader in = reader_of(rec->value, rec->value_len);
    uint8_t control = reader_u8(&in);
    uint8_t value = reader_u8(&in);
    unsigned coding = control & 0x0fu, mode = control >> 6;
    size_t len = element_len(coding);
    int direction = kind == MBUS_PROFILE_INVERSE ? -1 : 1;
    int64_t sum = base->value;
    struct spacing spacing;

    if (in.failed || len == 0 || reader_left(&in) % len != 0 ||
        !spacing_of(control, value, &spacing))
        return EMT_EMALFORMED;
    for (unsigned i = 0; reader_left(&in) > 0; i++) {
        const uint8_t *p = reader_bytes(&in, len);
        struct mbus_profile_element e = { 0 };
        enum emt_err err;

        if (!element_number(coding, mode, p, len, &e.number)) {
            if (mode != MODE_ABSOLUTE)
                break;
            continue;
        }
        e.is_sum = mode == MODE_ABSOLUTE || base->has_value;
        if (mode != MODE_ABSOLUTE && base->has_value) {
            if (!advance(&sum, e.number, mode, direction))
                return EMT_EMALFORMED;
            e.number = sum;
        }
        e.storage = kind == MBUS_PROFILE_COMPACT ? rec->storage : rec->storage + 1 + i;
        e.column = spacing.column;
        e.has_date = base->has_date && step_date(&base->date, &spacing, direction, i + 1, &e.date);
        err = put(ctx, &e);
        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}
