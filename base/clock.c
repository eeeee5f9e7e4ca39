/* Civil dates by counting days in eras of 400 years, with the year starting in March so that the
 * leap day stands at its end. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DAYS_PER_ERA 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

emt_time clock_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (emt_time)ts.tv_sec * EMT_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

emt_time civil_to_time(const struct civil *c)
{
    int64_t seconds;

    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > month_days(c->year, c->month))
        return EMT_TIME_NONE;
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
        c->second > 59 || c->micros < 0 || c->micros > 999999)
        return EMT_TIME_NONE;
    seconds =
        days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
    return seconds * EMT_SECOND + c->micros;
}

/* Whole days before t, also before 1970. */
static int64_t floor_days(emt_time t)
{
    int64_t days = t / EMT_DAY;

    return t % EMT_DAY < 0 ? days - 1 : days;
}

void time_to_civil(emt_time t, struct civil *c)
{
    int64_t days = floor_days(t);
    int64_t rest = t % EMT_DAY < 0 ? t % EMT_DAY + EMT_DAY : t % EMT_DAY;
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t doe = shifted - era * DAYS_PER_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c->year = (int)(yoe + era * 400 + (c->month <= 2));
    c->hour = (int)(rest / EMT_HOUR);
    c->minute = (int)(rest % EMT_HOUR / EMT_MINUTE);
    c->second = (int)(rest % EMT_MINUTE / EMT_SECOND);
    c->micros = (int)(rest % EMT_SECOND);
}

int time_weekday(emt_time t)
{
    int64_t d = (floor_days(t) + 4) % 7; /* 1970-01-01 was a Thursday */

    return (int)(d < 0 ? d + 7 : d);
}

char *time_format(emt_time t, char buf[32])
{
    struct civil c;
    int n;

    buf[0] = 0;
    if (t == EMT_TIME_NONE)
        return buf;
    time_to_civil(t, &c);
    n = snprintf(buf, 32, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute,
                 c.second);
    if (c.micros) {
        n += snprintf(buf + n, 32 - (size_t)n, ".%06d", c.micros);
        while (buf[n - 1] == '0')
            n--;
    }
    buf[n] = 'Z';
    buf[n + 1] = 0;
    return buf;
}

/* Exactly n digits at *p, which moves past them; false when there are fewer. */
static bool take_digits(const char **p, int n, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (**p < '0' || **p > '9')
            return false;
        v = v * 10 + (*(*p)++ - '0');
    }
    *out = v;
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

/* ".123", at most 9 digits; what is finer than a microsecond is cut off. */
static bool take_fraction(const char **p, int *micros)
{
    int scale = 100000;
    int n = 0;

    for (; **p >= '0' && **p <= '9' && n < 9; n++, scale /= 10)
        *micros += (*(*p)++ - '0') * scale;
    return n > 0;
}

static bool take_clock(const char **p, struct civil *c)
{
    if (!take_digits(p, 2, &c->hour) || !take_char(p, ':') || !take_digits(p, 2, &c->minute))
        return false;
    if (!take_char(p, ':'))
        return true;
    if (!take_digits(p, 2, &c->second))
        return false;
    return take_char(p, '.') ? take_fraction(p, &c->micros) : true;
}

static bool take_offset(const char **p, int *seconds)
{
    int sign = **p == '-' ? -1 : 1;
    int hours;
    int minutes;

    *seconds = 0;
    if (take_char(p, 'Z') || take_char(p, 'z'))
        return true;
    if (!take_char(p, '+') && !take_char(p, '-'))
        return false;
    if (!take_digits(p, 2, &hours) || !take_char(p, ':') || !take_digits(p, 2, &minutes))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

enum emt_err time_parse(const char *text, emt_time *out)
{
    struct civil c = { 0 };
    const char *p = text;
    int offset = 0;
    emt_time t;

    if (!take_digits(&p, 4, &c.year) || !take_char(&p, '-') || !take_digits(&p, 2, &c.month) ||
        !take_char(&p, '-') || !take_digits(&p, 2, &c.day))
        return EMT_EMALFORMED;
    if (*p) {
        if (!take_char(&p, 'T') && !take_char(&p, 't') && !take_char(&p, ' '))
            return EMT_EMALFORMED;
        if (!take_clock(&p, &c) || !take_offset(&p, &offset) || *p)
            return EMT_EMALFORMED;
    }
    t = civil_to_time(&c);
    if (t == EMT_TIME_NONE)
        return EMT_EMALFORMED;
    *out = t - offset * EMT_SECOND;
    return EMT_OK;
}
