/* When a schedule is due: five fields as crontab(5) has them, read once, asked often.
 *
 *   minute hour day-of-month month day-of-week
 *
 * A field is `*`, a number, a range `1-5`, either with a step `/15`, or a list of those with
 * commas. Months are 1-12 or jan-dec, days of the week 0-7 or sun-sat (0 and 7 are Sunday). When
 * both day fields are restricted, a day that fits either one counts, as everywhere else. `|`
 * between patterns: due when any is. In the minute field `?10-40` is one minute of each hour
 * between the two, drawn from the seed and the hour: many jobs with one pattern spread, and every
 * node draws the same.
 *
 * Local time: a pattern whose hour is not `*` is due once a day also when the clock changes: what
 * falls into the skipped hour is due when that hour would have begun, what falls into the repeated
 * hour is due the first time. A pattern with `*` as hour goes by real hours. */
#ifndef EMT_BASE_CRON_H
#define EMT_BASE_CRON_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRON_PATTERNS_MAX 8
#define CRON_TEXT_MAX 256 /* characters */

struct cron_pattern {
    uint64_t minutes; /* bit 0..59 */
    uint32_t hours;   /* bit 0..23 */
    uint32_t days;    /* bit 1..31 */
    uint16_t months;  /* bit 1..12 */
    uint8_t weekdays; /* bit 0..6, 0 is Sunday */
    bool any_hour;    /* the hour is `*` */
    bool any_day;     /* the day of the month begins with `*` */
    bool any_weekday; /* the day of the week begins with `*` */
    bool drawn;       /* the minute is `?from-to` */
    uint8_t from, to; /* of it */
};

struct cron {
    struct cron_pattern patterns[CRON_PATTERNS_MAX];
    size_t n;
};

/* EMT_EMALFORMED: diag names the pattern, the field and the reason, also for a date that never
 * comes (30 February); EMT_ELIMIT: too long, or too many patterns. */
EMT_CHECKED enum emt_err cron_parse(const char *text, struct cron *out, struct emt_diag *diag);

/* The first time after `after` (never `after` itself) that is due, whole minutes. offset_s: seconds
 * that local time is ahead of UTC at an instant, changing by whole hours at whole hours; NULL: UTC.
 * seed: what drawn minutes are drawn from, the number of the job. EMT_TIME_NONE when nothing is due
 * within nine years (29 February needs eight around a century). */
emt_time cron_next(const struct cron *c, uint64_t seed, int (*offset_s)(emt_time), emt_time after);

#endif
