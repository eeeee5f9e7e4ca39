/* Points in time as meters send them: types F, G, I and J of EN 13757-3, annex A. */
#ifndef EMT_PARSERS_MBUS_DATE_H
#define EMT_PARSERS_MBUS_DATE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mbus_date {
    struct civil at; /* local time of the meter */
    bool has_date;   /* false: type J, time of day only */
    bool has_time;   /* false: type G, date only */
    bool summer;     /* the meter says so (F, I) */
};

#define MBUS_DATE_TEXT_MAX 32

/* The type follows from the length: 2 G, 3 J, 4 F, 6 I. False: no such type, marked invalid, or no
 * date that exists. */
bool mbus_date_read(const uint8_t *p, size_t n, struct mbus_date *out);
/* "2019-08-16T12:51:00", "2019-08-16" or "12:51:00". */
void mbus_date_text(const struct mbus_date *d, char buf[MBUS_DATE_TEXT_MAX]);
/* German legal time; a date alone is the start of that local day; EMT_TIME_NONE without a date. */
emt_time mbus_date_instant(const struct mbus_date *d);

#endif
