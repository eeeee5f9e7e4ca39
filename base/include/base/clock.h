/* Points in time: microseconds since 1970-01-01T00:00:00Z, UTC, no leap seconds.
 * Civil dates are proleptic Gregorian. German local days are model/local_day.h. */
#ifndef EMT_BASE_CLOCK_H
#define EMT_BASE_CLOCK_H

#include "base/attr.h"
#include "base/error.h"

#include <stdint.h>

typedef int64_t emt_time; /* the one typedef: a plain number with a unit */

#define EMT_TIME_NONE INT64_MIN
#define EMT_SECOND INT64_C(1000000)
#define EMT_MINUTE (60 * EMT_SECOND)
#define EMT_HOUR (60 * EMT_MINUTE)
#define EMT_DAY (24 * EMT_HOUR)
/* PostgreSQL counts from 2000-01-01: pg = t - EMT_PG_EPOCH. */
#define EMT_PG_EPOCH INT64_C(946684800000000)

struct civil {
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour, minute, second;
    int micros;
};

/* Wall clock. Libraries below server/ and agent/ take times as arguments instead. */
emt_time clock_now(void);
/* Milliseconds that never go back, from an arbitrary start. */
int64_t clock_mono_ms(void);

/* Fields out of range give EMT_TIME_NONE. */
emt_time civil_to_time(const struct civil *c);
void time_to_civil(emt_time t, struct civil *c);
/* 0 = Sunday. */
int time_weekday(emt_time t);

/* "2026-11-20T23:56:21Z", with fraction only where it is not 0; buf holds 32. Returns buf ("" for
 * none). */
char *time_format(emt_time t, char buf[32]);
/* RFC 3339: date, 'T' or ' ', time (seconds optional), fraction optional, 'Z' or +hh:mm required;
 * a bare date "2026-11-20" is midnight UTC. EMT_EMALFORMED otherwise. */
EMT_CHECKED enum emt_err time_parse(const char *text, emt_time *out);

#endif
