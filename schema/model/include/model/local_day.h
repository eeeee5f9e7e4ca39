/* German legal time: the only place that knows CET, CEST and gas days. EU rule since 1996: summer
 * time from the last Sunday of March 01:00 UTC to the last Sunday of October 01:00 UTC. No time
 * zone database is read. */
#ifndef EMT_MODEL_LOCAL_DAY_H
#define EMT_MODEL_LOCAL_DAY_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

struct local_date {
    int year, month, day;
};

/* Offset of German legal time at an instant: 3600 or 7200 seconds. */
int local_offset_s(emt_time t);
/* Start of a local day, and start of the next one (23, 24 or 25 hours later). EMT_TIME_NONE for a
 * date that does not exist. */
emt_time local_day_start(struct local_date d);
emt_time local_day_end(struct local_date d);
/* Gas day: 06:00 legal time to 06:00 of the next day. */
emt_time gas_day_start(struct local_date d);
struct local_date local_date_of(emt_time t);
struct local_date local_date_add(struct local_date d, int days);
/* "2026-10-25"; EMT_EMALFORMED. */
EMT_CHECKED enum emt_err local_date_parse(const char *text, struct local_date *out);
/* The instant of a local wall clock reading. In the repeated hour `summer` chooses (true: the
 * first); in the skipped hour the reading is taken as winter time. c->micros counts. EMT_TIME_NONE
 * for fields out of range. */
emt_time local_to_time(const struct civil *c, bool summer);
/* True when the wall clock reading happens twice. */
bool local_is_ambiguous(const struct civil *c);

#endif
