#include "iec_time.h"

#include "model/local_day.h"

#include <string.h>

#define CENTURY 2000
#define STAMP_SHORT 10 /* YYMMDDhhmm */
#define STAMP_LONG 12  /* YYMMDDhhmmss */
#define DATE_LEN 6
#define CLOCK_LEN 6

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int pair(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* n digits, two of them per field. */
static void take_date(const char *p, struct civil *c)
{
    c->year = CENTURY + pair(p);
    c->month = pair(p + 2);
    c->day = pair(p + 4);
}

static void take_clock(const char *p, size_t n, struct civil *c)
{
    c->hour = pair(p);
    c->minute = n > 2 ? pair(p + 2) : 0;
    c->second = n > 4 ? pair(p + 4) : 0;
}

/* 24:00 is the end of a day: 00:00 of the next one. */
static bool settle(struct iec_time *t)
{
    struct civil *c = &t->local;
    bool end = c->hour == 24 && c->minute == 0 && c->second == 0;
    emt_time at;

    if (end)
        c->hour = 0;
    at = civil_to_time(c);
    t->valid = at != EMT_TIME_NONE;
    if (t->valid && end)
        time_to_civil(at + EMT_DAY, c);
    return t->valid;
}

static bool take_season(char digit, enum iec_zone *zone)
{
    static const enum iec_zone zones[] = { IEC_ZONE_WINTER, IEC_ZONE_SUMMER, IEC_ZONE_UTC };

    if (digit < '0' || digit > '2')
        return false;
    *zone = zones[digit - '0'];
    return true;
}

/* Copies the digits of s; false where something else than digits and the separators of
 * "YY-MM-DD hh:mm:ss" stands in it. */
static bool take_digits(struct iec_span s, char *digits, size_t most, size_t *n, bool *separated)
{
    *n = 0;
    *separated = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (is_digit(c)) {
            if (*n == most)
                return false;
            digits[(*n)++] = c;
        } else if (c == '-' || c == ':' || c == ' ') {
            *separated = true;
        } else {
            return false;
        }
    }
    return true;
}

bool iec_time_parse(struct iec_span s, struct iec_time *out)
{
    struct iec_time t = { .zone = IEC_ZONE_LEGAL };
    char digits[STAMP_LONG + 1];
    const char *p = digits;
    bool marked = false, separated;
    size_t n;

    s = iec_trim(s);
    if (s.n < STAMP_SHORT || s.n > 20)
        return false;
    if (s.p[s.n - 1] == 'S' || s.p[s.n - 1] == 'W') {
        t.zone = s.p[--s.n] == 'S' ? IEC_ZONE_SUMMER : IEC_ZONE_WINTER;
        marked = true;
    }
    if (!take_digits(s, digits, sizeof digits, &n, &separated))
        return false;
    if (n == STAMP_SHORT + 1 || n == STAMP_LONG + 1) {
        if (marked || separated || !take_season(*p++, &t.zone))
            return false;
        n--;
    }
    if (n != STAMP_SHORT && n != STAMP_LONG)
        return false;
    take_date(p, &t.local);
    take_clock(p + DATE_LEN, n - DATE_LEN, &t.local);
    if (!settle(&t) && !marked)
        return false;
    *out = t;
    return true;
}

bool iec_time_of_clock(struct iec_span time, struct iec_span date, struct iec_time *out)
{
    struct iec_time t = { .zone = IEC_ZONE_LEGAL };
    char clock_digits[CLOCK_LEN + 1], date_digits[DATE_LEN + 1];
    const char *clock = clock_digits, *day = date_digits;
    size_t clock_len, date_len;
    bool separated;

    if (!take_digits(time, clock_digits, sizeof clock_digits, &clock_len, &separated) ||
        !take_digits(date, date_digits, sizeof date_digits, &date_len, &separated))
        return false;
    if (clock_len == CLOCK_LEN + 1 && !take_season(*clock++, &t.zone))
        return false;
    if (date_len == DATE_LEN + 1 && !take_season(*day++, &t.zone))
        return false;
    if (clock_len < 4 || clock_len == 5 || date_len < DATE_LEN)
        return false;
    take_date(day, &t.local);
    take_clock(clock, clock_len < CLOCK_LEN ? clock_len : CLOCK_LEN, &t.local);
    if (!settle(&t))
        return false;
    *out = t;
    return true;
}

static int offset_of(enum iec_zone zone)
{
    if (zone == IEC_ZONE_UTC)
        return 0;
    return zone == IEC_ZONE_SUMMER ? 2 : 1;
}

emt_time iec_time_instant(const struct iec_time *t)
{
    if (!t->valid)
        return EMT_TIME_NONE;
    if (t->zone == IEC_ZONE_LEGAL)
        return local_to_time(&t->local, false);
    return civil_to_time(&t->local) - offset_of(t->zone) * EMT_HOUR;
}

struct iec_time iec_time_later(const struct iec_time *t, int64_t minutes)
{
    struct iec_time later = *t;

    if (t->valid)
        time_to_civil(civil_to_time(&t->local) + minutes * EMT_MINUTE, &later.local);
    return later;
}

static char *put_pair(char *p, int v, char behind)
{
    *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    *p++ = behind;
    return p;
}

char *iec_time_text(const struct iec_time *t, char buf[IEC_TIME_TEXT_MAX])
{
    static const char *const offsets[] = { "", "+01:00", "+02:00", "Z" };
    const char *offset = offsets[t->zone];
    char *p = buf;

    buf[0] = 0;
    if (!t->valid)
        return buf;
    p = put_pair(p, t->local.year / 100, '0');
    p = put_pair(p - 1, t->local.year, '-');
    p = put_pair(p, t->local.month, '-');
    p = put_pair(p, t->local.day, 'T');
    p = put_pair(p, t->local.hour, ':');
    p = put_pair(p, t->local.minute, ':');
    p = put_pair(p, t->local.second, 0);
    memcpy(p - 1, offset, strlen(offset) + 1);
    return buf;
}
