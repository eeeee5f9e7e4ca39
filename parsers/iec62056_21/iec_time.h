/* Dates and times as meters print them. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_TIME_H
#define EMT_PARSERS_IEC62056_21_IEC_TIME_H

#include "base/clock.h"
#include "iec_text.h"

#include <stdbool.h>

enum iec_zone {
    IEC_ZONE_LEGAL,  /* no mark: German legal time; the repeated hour is taken as winter time */
    IEC_ZONE_WINTER, /* season digit 0, W: UTC + 1 h, whatever the date */
    IEC_ZONE_SUMMER, /* season digit 1, S: UTC + 2 h */
    IEC_ZONE_UTC,    /* season digit 2 */
};

struct iec_time {
    struct civil local;
    enum iec_zone zone;
    bool valid; /* a date that exists */
};

#define IEC_TIME_TEXT_MAX 40

/* YYMMDDhhmm, YYMMDDhhmmss, either with a season digit in front (VDEW ZSTs11, ZSTs13) or S or W
 * behind (DSMR), "YY-MM-DD hh:mm[:ss]". False where the text is none of them. A stamp with S or W
 * that is no date (a meter without clock) is one, but not valid. */
bool iec_time_parse(struct iec_span s, struct iec_time *out);
/* Time and date of 0.9.1 and 0.9.2: hhmmss and YYMMDD, each with season digit or separators. */
bool iec_time_of_clock(struct iec_span time, struct iec_span date, struct iec_time *out);
/* EMT_TIME_NONE for one that is not valid. */
emt_time iec_time_instant(const struct iec_time *t);
/* The same clock `minutes` later. */
struct iec_time iec_time_later(const struct iec_time *t, int64_t minutes);
/* "2022-08-23T16:15:00+02:00", without offset for legal time; "" when not valid. Returns buf. */
char *iec_time_text(const struct iec_time *t, char buf[IEC_TIME_TEXT_MAX]);

#endif
