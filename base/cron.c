#include "base/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define HORIZON_YEARS 9
#define FIELDS 5

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct {
    const char *name;
    unsigned least, most;
    const char *words; /* three letters each, the first stands for `least` */
} fields[FIELDS] = {
    [MINUTE] = { "minute", 0, 59, NULL },
    [HOUR] = { "hour", 0, 23, NULL },
    [DAY] = { "day of the month", 1, 31, NULL },
    [MONTH] = { "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
    [WEEKDAY] = { "day of the week", 0, 7, "sunmontuewedthufrisat" },
};

/* --- reading --- */

struct scan {
    const char *p;
    unsigned pattern; /* from 1, for messages */
    enum field field;
    struct emt_diag *diag;
};

static enum emt_err wrong(const struct scan *s, const char *reason)
{
    return emt_fail(s->diag, EMT_EMALFORMED, "pattern %u, %s: %s", s->pattern,
                    fields[s->field].name, reason);
}

static bool scan_word(struct scan *s, unsigned *out)
{
    const char *words = fields[s->field].words;
    char w[4] = { 0 };

    for (unsigned i = 0; i < 3; i++) {
        if (!isalpha((unsigned char)s->p[i]))
            return false;
        w[i] = (char)tolower((unsigned char)s->p[i]);
    }
    if (words == NULL || isalnum((unsigned char)s->p[3]))
        return false;
    for (unsigned i = 0; words[3 * (size_t)i] != '\0'; i++) {
        if (memcmp(words + 3 * (size_t)i, w, 3) != 0)
            continue;
        *out = fields[s->field].least + i;
        s->p += 3;
        return true;
    }
    return false;
}

static bool scan_digits(struct scan *s, unsigned *out)
{
    unsigned n = 0;
    unsigned v = 0;

    for (; n < 3 && isdigit((unsigned char)s->p[n]); n++)
        v = 10 * v + (unsigned)(s->p[n] - '0');
    if (n == 0 || isdigit((unsigned char)s->p[n]))
        return false;
    s->p += n;
    *out = v;
    return true;
}

static enum emt_err scan_value(struct scan *s, unsigned *out)
{
    char reason[64];

    if (!scan_word(s, out) && !scan_digits(s, out))
        return wrong(s, *s->p == '\0' || *s->p == '|' ? "ends too early" : "is no number");
    if (*out >= fields[s->field].least && *out <= fields[s->field].most)
        return EMT_OK;
    snprintf(reason, sizeof reason, "%u is not between %u and %u", *out, fields[s->field].least,
             fields[s->field].most);
    return wrong(s, reason);
}

static enum emt_err scan_range(struct scan *s, unsigned *from, unsigned *to)
{
    enum emt_err err = scan_value(s, from);

    *to = *from;
    if (err != EMT_OK || *s->p != '-')
        return err;
    s->p++;
    err = scan_value(s, to);
    if (err == EMT_OK && s->field == WEEKDAY && *to == 0 && *from != 0)
        *to = 7; /* fri-sun; sun-sun is one day, not all */
    if (err == EMT_OK && *to < *from)
        return wrong(s, "the range ends before it begins");
    return err;
}

static enum emt_err scan_step(struct scan *s, unsigned *step)
{
    *step = 1;
    if (*s->p != '/')
        return EMT_OK;
    s->p++;
    if (!scan_digits(s, step) || *step == 0)
        return wrong(s, "a step is a number from 1");
    return EMT_OK;
}

static enum emt_err scan_item(struct scan *s, uint64_t *bits)
{
    unsigned from = fields[s->field].least;
    unsigned to = fields[s->field].most;
    unsigned step;
    bool single = false;
    enum emt_err err = EMT_OK;

    if (*s->p == '*') {
        s->p++;
        to = s->field == WEEKDAY ? 6 : to;
    } else {
        err = scan_range(s, &from, &to);
        single = from == to;
    }
    if (err == EMT_OK && single && *s->p == '/')
        return wrong(s, "a step needs a range or *");
    if (err == EMT_OK)
        err = scan_step(s, &step);
    if (err != EMT_OK)
        return err;
    for (unsigned v = from; v <= to; v += step)
        *bits |= UINT64_C(1) << v;
    return EMT_OK;
}

static enum emt_err scan_list(struct scan *s, uint64_t *bits, bool *any)
{
    *bits = 0;
    *any = *s->p == '*';
    for (;;) {
        enum emt_err err = scan_item(s, bits);

        if (err != EMT_OK || *s->p != ',')
            return err;
        s->p++;
    }
}

static enum emt_err scan_drawn(struct scan *s, struct cron_pattern *p)
{
    unsigned from;
    unsigned to;

    if (s->field != MINUTE)
        return wrong(s, "? is for the minute");
    s->p++;
    enum emt_err err = scan_range(s, &from, &to);
    if (err != EMT_OK)
        return err;
    p->drawn = true;
    p->from = (uint8_t)from;
    p->to = (uint8_t)to;
    return EMT_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static enum emt_err scan_field(struct scan *s, struct cron_pattern *p)
{
    uint64_t bits = 0;
    bool any = false;

    while (is_space(*s->p))
        s->p++;
    enum emt_err err = *s->p == '?' ? scan_drawn(s, p) : scan_list(s, &bits, &any);
    if (err != EMT_OK)
        return err;
    if (*s->p != '\0' && *s->p != '|' && !is_space(*s->p))
        return wrong(s, "a character that does not belong there");
    switch (s->field) {
    case MINUTE:
        p->minutes = bits;
        break;
    case HOUR:
        p->hours = (uint32_t)bits;
        p->any_hour = any;
        break;
    case DAY:
        p->days = (uint32_t)bits;
        p->any_day = any;
        break;
    case MONTH:
        p->months = (uint16_t)bits;
        break;
    case WEEKDAY:
        p->weekdays = (uint8_t)((bits | bits >> 7) & 0x7f);
        p->any_weekday = any;
        break;
    }
    return EMT_OK;
}

/* A day of the month that none of the months has, and no day of the week beside it. */
static bool never_comes(const struct cron_pattern *p)
{
    static const uint8_t lengths[13] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (!p->any_weekday)
        return false;
    for (unsigned m = 1; m <= 12; m++) {
        if ((p->months >> m & 1) != 0 && (p->days & ((UINT64_C(2) << lengths[m]) - 1)) != 0)
            return false;
    }
    return true;
}

static enum emt_err scan_pattern(struct scan *s, struct cron_pattern *p)
{
    *p = (struct cron_pattern){ 0 };
    for (unsigned f = 0; f < FIELDS; f++) {
        s->field = (enum field)f;
        enum emt_err err = scan_field(s, p);

        if (err != EMT_OK)
            return err;
    }
    while (is_space(*s->p))
        s->p++;
    if (*s->p != '\0' && *s->p != '|')
        return wrong(s, "five fields are enough");
    s->field = DAY;
    return never_comes(p) ? wrong(s, "no month of this pattern has that day") : EMT_OK;
}

enum emt_err cron_parse(const char *text, struct cron *out, struct emt_diag *diag)
{
    struct scan s = { .p = text, .diag = diag };
    struct cron c = { .n = 0 };

    if (strnlen(text, CRON_TEXT_MAX + 1) > CRON_TEXT_MAX)
        return emt_fail(diag, EMT_ELIMIT, "longer than %d characters", CRON_TEXT_MAX);
    for (;;) {
        if (c.n == CRON_PATTERNS_MAX)
            return emt_fail(diag, EMT_ELIMIT, "more than %d patterns", CRON_PATTERNS_MAX);
        s.pattern = (unsigned)c.n + 1;
        enum emt_err err = scan_pattern(&s, &c.patterns[c.n]);
        if (err != EMT_OK)
            return err;
        c.n++;
        if (*s.p == '\0')
            break;
        s.p++;
    }
    *out = c;
    return EMT_OK;
}

/* --- asking --- */

/* A step of splitmix64: near seeds and hours give far minutes. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool day_fits(const struct cron_pattern *p, const struct civil *c, int weekday)
{
    bool day = (p->days >> c->day & 1) != 0;
    bool of_week = (p->weekdays >> weekday & 1) != 0;

    if ((p->months >> c->month & 1) == 0)
        return false;
    return p->any_day || p->any_weekday ? day && of_week : day || of_week;
}

/* Whether the wall clock reading fits; *hour_fits says whether another minute of the hour might. */
static bool fits(const struct cron_pattern *p, uint64_t seed, emt_time wall, bool *hour_fits)
{
    struct civil c;

    time_to_civil(wall, &c);
    *hour_fits = day_fits(p, &c, time_weekday(wall)) && (p->hours >> c.hour & 1) != 0;
    if (!*hour_fits)
        return false;
    if (!p->drawn)
        return (p->minutes >> c.minute & 1) != 0;
    uint64_t hour = (uint64_t)(wall / EMT_HOUR);
    return (uint64_t)c.minute == p->from + mix(seed ^ mix(hour)) % (p->to - p->from + 1u);
}

static emt_time wall_of(int (*offset_s)(emt_time), emt_time t)
{
    return offset_s == NULL ? t : t + offset_s(t) * EMT_SECOND;
}

/* Whether a reading that the clock skips just before t fits. */
static bool skipped_fits(const struct cron_pattern *p, uint64_t seed, int (*offset_s)(emt_time),
                         emt_time t)
{
    emt_time end = wall_of(offset_s, t);
    bool hour_fits;

    for (emt_time w = wall_of(offset_s, t - EMT_MINUTE) + EMT_MINUTE; w < end; w += EMT_MINUTE) {
        if (fits(p, seed, w, &hour_fits))
            return true;
    }
    return false;
}

/* Whether the wall clock shows at t what it showed an hour before. */
static bool is_repeated(int (*offset_s)(emt_time), emt_time t)
{
    return wall_of(offset_s, t) == wall_of(offset_s, t - EMT_HOUR);
}

static emt_time floor_to(emt_time t, emt_time unit)
{
    emt_time rest = t % unit;

    return t - (rest < 0 ? rest + unit : rest);
}

static emt_time pattern_next(const struct cron_pattern *p, uint64_t seed, int (*offset_s)(emt_time),
                             emt_time after, emt_time limit)
{
    emt_time t = floor_to(after, EMT_MINUTE) + EMT_MINUTE;

    while (t < limit) {
        bool hour_fits;
        bool due = fits(p, seed, wall_of(offset_s, t), &hour_fits);

        if (!p->any_hour) {
            due = due && !is_repeated(offset_s, t);
            due = due || skipped_fits(p, seed, offset_s, t);
        }
        if (due)
            return t;
        t = hour_fits ? t + EMT_MINUTE : floor_to(t, EMT_HOUR) + EMT_HOUR;
    }
    return EMT_TIME_NONE;
}

emt_time cron_next(const struct cron *c, uint64_t seed, int (*offset_s)(emt_time), emt_time after)
{
    emt_time best = EMT_TIME_NONE;

    if (after < 0 || after > INT64_MAX - HORIZON_YEARS * 366 * EMT_DAY)
        return EMT_TIME_NONE;
    for (size_t i = 0; i < c->n; i++) {
        emt_time limit = best != EMT_TIME_NONE ? best : after + HORIZON_YEARS * 366 * EMT_DAY;
        emt_time t = pattern_next(&c->patterns[i], seed, offset_s, after, limit);

        if (t != EMT_TIME_NONE)
            best = t;
    }
    return best;
}
