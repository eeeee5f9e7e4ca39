#include "mbus_date.h"

#include "model/local_day.h"

#include <string.h>

/* G  b0 0-4 day, 5-7 year low      b1 0-3 month, 4-7 year high
 * F  b0 0-5 minute, 7 invalid      b1 0-4 hour, 5-6 hundred years, 7 summer      b2 b3 as G
 * I  b0 0-5 second, 6 summer       b1 0-5 minute, 7 invalid   b2 0-4 hour   b3 b4 as G   b5 week
 * J  b0 second  b1 minute  b2 hour */
#define LEN_G 2
#define LEN_J 3
#define LEN_F 4
#define LEN_I 6
#define INVALID 0x80u
/* Two-digit years up to 80 belong to this century while the hundred-year bits are 0. */
#define PIVOT 80

static bool read_date(uint8_t lo, uint8_t hi, unsigned hundreds, struct mbus_date *d)
{
    unsigned year = (lo >> 5 & 0x07u) | (hi >> 4 & 0x0fu) << 3;

    if (year > 99)
        return false;
    d->at.year = 1900 + (int)(100 * hundreds + year);
    if (hundreds == 0 && year <= PIVOT)
        d->at.year += 100;
    d->at.month = hi & 0x0f;
    d->at.day = lo & 0x1f;
    d->has_date = true;
    return true;
}

static void set_time(struct mbus_date *d, int hour, int minute, int second)
{
    d->at.hour = hour;
    d->at.minute = minute;
    d->at.second = second;
    d->has_time = true;
}

static bool read_type(const uint8_t *p, size_t n, struct mbus_date *d)
{
    switch (n) {
    case LEN_G:
        return read_date(p[0], p[1], 0, d);
    case LEN_J:
        set_time(d, p[2], p[1], p[0]);
        return true;
    case LEN_F:
        set_time(d, p[1] & 0x1f, p[0] & 0x3f, 0);
        d->summer = p[1] & 0x80u;
        return !(p[0] & INVALID) && read_date(p[2], p[3], p[1] >> 5 & 3u, d);
    case LEN_I:
        set_time(d, p[2] & 0x1f, p[1] & 0x3f, p[0] & 0x3f);
        d->summer = p[0] & 0x40u;
        return !(p[1] & INVALID) && read_date(p[3], p[4], 0, d);
    default:
        return false;
    }
}

bool mbus_date_read(const uint8_t *p, size_t n, struct mbus_date *out)
{
    struct mbus_date d = { 0 };
    struct civil check;

    if (!read_type(p, n, &d))
        return false;
    check = d.at;
    if (!d.has_date) {
        check.year = 2000;
        check.month = 1;
        check.day = 1;
    }
    if (civil_to_time(&check) == EMT_TIME_NONE)
        return false;
    *out = d;
    return true;
}

/* v in `width` digits, then `end`. Returns where the next one goes. */
static char *put_digits(char *at, int v, unsigned width, char end)
{
    for (unsigned i = width; i > 0; i--, v /= 10)
        at[i - 1] = (char)('0' + v % 10);
    at[width] = end;
    return at + width + 1;
}

void mbus_date_text(const struct mbus_date *d, char buf[MBUS_DATE_TEXT_MAX])
{
    const struct civil *c = &d->at;
    char *at = buf;

    *at = 0;
    if (d->has_date) {
        at = put_digits(at, c->year, 4, '-');
        at = put_digits(at, c->month, 2, '-');
        at = put_digits(at, c->day, 2, d->has_time ? 'T' : 0);
    }
    if (d->has_time) {
        at = put_digits(at, c->hour, 2, ':');
        at = put_digits(at, c->minute, 2, ':');
        (void)put_digits(at, c->second, 2, 0);
    }
}

emt_time mbus_date_instant(const struct mbus_date *d)
{
    if (!d->has_date)
        return EMT_TIME_NONE;
    return local_to_time(&d->at, d->summer);
}
