/* offset size
 *      0    2 year, big endian; ffff open
 *      2    1 month 1..12; fd, fe: begin, end of summer time; ff open
 *      3    1 day 1..31; e0..ff: from the end of the month, or open
 *      4    1 weekday 1 = Monday; ff open
 *      5    1 hour
 *      6    1 minute
 *      7    1 second; ff open
 *      8    1 hundredths; ff open
 *      9    2 deviation: minutes from local time to UTC; 8000 open
 *     11    1 clock status */
#include "dlms_clock.h"

#include "base/reader.h"
#include "model/local_day.h"

#include <string.h>

#define OPEN 0xff
#define DEVIATION_OPEN INT16_MIN
#define DEVIATION_MOST 900 /* minutes; -720..840 in IEC 62056-6-2 */
#define STATUS_INVALID 0x01
#define STATUS_SUMMER 0x80
#define YEAR_FIRST 1970
#define YEAR_LAST 2199

bool dlms_clock_read(const uint8_t p[DLMS_CLOCK_LEN], struct dlms_clock *out)
{
    struct reader in = reader_of(p, DLMS_CLOCK_LEN);
    struct dlms_clock c = { .local = { .year = reader_u16be(&in) } };
    uint8_t weekday, second, hundredths;
    int deviation;

    c.local.month = reader_u8(&in);
    c.local.day = reader_u8(&in);
    weekday = reader_u8(&in);
    c.local.hour = reader_u8(&in);
    c.local.minute = reader_u8(&in);
    second = reader_u8(&in);
    hundredths = reader_u8(&in);
    deviation = (int16_t)reader_u16be(&in);
    c.status = reader_u8(&in);
    c.local.second = second == OPEN ? 0 : second;
    c.local.micros = hundredths == OPEN ? 0 : hundredths * 10000;
    c.has_offset = deviation != DEVIATION_OPEN;
    c.offset_min = c.has_offset ? -deviation : 0;
    if (c.local.year < YEAR_FIRST || c.local.year > YEAR_LAST || (weekday > 7 && weekday != OPEN) ||
        (hundredths > 99 && hundredths != OPEN) || c.offset_min > DEVIATION_MOST ||
        c.offset_min < -DEVIATION_MOST || civil_to_time(&c.local) == EMT_TIME_NONE)
        return false;
    *out = c;
    return true;
}

static char *put2(char *at, int v, char behind)
{
    *at++ = (char)('0' + v / 10 % 10);
    *at++ = (char)('0' + v % 10);
    if (behind)
        *at++ = behind;
    return at;
}

char *dlms_clock_text(const struct dlms_clock *c, char buf[DLMS_CLOCK_TEXT_MAX])
{
    int offset = c->offset_min < 0 ? -c->offset_min : c->offset_min;
    char *at = put2(buf, c->local.year / 100, 0);

    at = put2(at, c->local.year, '-');
    at = put2(at, c->local.month, '-');
    at = put2(at, c->local.day, 'T');
    at = put2(at, c->local.hour, ':');
    at = put2(at, c->local.minute, ':');
    at = put2(at, c->local.second, 0);
    if (c->local.micros) {
        *at++ = '.';
        at = put2(at, c->local.micros / 10000, 0);
    }
    if (c->has_offset) {
        *at++ = c->offset_min < 0 ? '-' : '+';
        at = put2(at, offset / 60, ':');
        at = put2(at, offset % 60, 0);
    }
    *at = 0;
    return buf;
}

emt_time dlms_clock_instant(const struct dlms_clock *c)
{
    bool known = c->status != DLMS_CLOCK_STATUS_UNKNOWN;

    if (known && (c->status & STATUS_INVALID))
        return EMT_TIME_NONE;
    if (c->has_offset)
        return civil_to_time(&c->local) - c->offset_min * EMT_MINUTE;
    if (!known && local_is_ambiguous(&c->local))
        return EMT_TIME_NONE;
    return local_to_time(&c->local, known && (c->status & STATUS_SUMMER));
}

void dlms_clock_add(struct dlms_clock *c, uint32_t seconds)
{
    time_to_civil(civil_to_time(&c->local) + (emt_time)seconds * EMT_SECOND, &c->local);
}
