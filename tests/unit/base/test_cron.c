#include "base/cron.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

/* Central European time of 2026, the year that these tests stay in. */
static int berlin_2026(emt_time t)
{
    return t >= INT64_C(1774746000) * EMT_SECOND && t < INT64_C(1792890000) * EMT_SECOND ? 7200
                                                                                         : 3600;
}

static emt_time at(const char *text)
{
    emt_time t = EMT_TIME_NONE;

    ck_assert_msg(time_parse(text, &t) == EMT_OK, "%s", text);
    return t;
}

static struct cron parsed(const char *text)
{
    struct cron c;
    struct emt_diag diag = { 0 };

    ck_assert_msg(cron_parse(text, &c, &diag) == EMT_OK, "%s: %s", text, diag.text);
    return c;
}

/* After `from`, the pattern is due at each of `due` in turn, "" closing. */
static void expect(const char *pattern, int (*zone)(emt_time), const char *from,
                   const char *const *due)
{
    struct cron c = parsed(pattern);
    emt_time t = at(from);
    char got[32];

    for (; **due != '\0'; due++) {
        t = cron_next(&c, 1, zone, t);
        ck_assert_msg(t == at(*due), "%s: %s instead of %s", pattern, time_format(t, got), *due);
    }
}

START_TEST(fields_lists_ranges_steps_and_names)
{
    expect("*/20 * * * *", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-01T00:20:00Z", "2026-05-01T00:40:00Z",
                                  "2026-05-01T01:00:00Z", "" });
    expect("5,10-14/2 3 * * *", NULL, "2026-05-01T03:05:00Z",
           (const char *const[]){ "2026-05-01T03:10:00Z", "2026-05-01T03:12:00Z",
                                  "2026-05-01T03:14:00Z", "2026-05-02T03:05:00Z", "" });
    expect("0 6 * jan,Jul mon-wed", NULL, "2026-01-31T00:00:00Z",
           (const char *const[]){ "2026-07-01T06:00:00Z", "2026-07-06T06:00:00Z", "" });
    expect("0 0 * * 7", NULL, "2026-05-01T00:00:00Z", (const char *const[]){ "2026-05-03", "" });
    expect("0 0 * * fri-sun", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-02", "2026-05-03", "2026-05-08", "" });
    expect("0 0 29 2 *", NULL, "2026-01-01T00:00:00Z",
           (const char *const[]){ "2028-02-29", "2032-02-29", "" });
}
END_TEST

START_TEST(sunday_is_0_and_7_and_one_day)
{
    static const char *const sundays[] = { "0",   "7",       "sun", "SUN",   "0-0",
                                           "7-7", "sun-sun", "0,7", "sun,0", "*/7" };

    for (size_t i = 0; i < sizeof sundays / sizeof sundays[0]; i++) {
        char text[32];

        snprintf(text, sizeof text, "0 0 * * %s", sundays[i]);
        expect(text, NULL, "2026-05-01T00:00:00Z",
               (const char *const[]){ "2026-05-03", "2026-05-10", "" });
    }
    expect("0 0 * * sat-sun", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-02", "2026-05-03", "2026-05-09", "" });
    expect("0 0 * * 5-7/2", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-03", "2026-05-08", "" });
    expect("0 0 * * mon-sun", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-02", "2026-05-03", "2026-05-04", "" });
}
END_TEST

START_TEST(steps_begin_with_their_range)
{
    expect("7-59/20 * * * *", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-01T00:07:00Z", "2026-05-01T00:27:00Z",
                                  "2026-05-01T00:47:00Z", "2026-05-01T01:07:00Z", "" });
    expect("*/999 * * * *", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-01T01:00:00Z", "2026-05-01T02:00:00Z", "" });
    expect("0 0 31 */2 *", NULL, "2026-04-30T00:00:00Z",
           (const char *const[]){ "2026-05-31", "2026-07-31", "2027-01-31", "" });
}
END_TEST

START_TEST(either_day_field_is_enough_when_both_are_said)
{
    expect("0 0 13 * fri", NULL, "2026-02-07T00:00:00Z",
           (const char *const[]){ "2026-02-13", "2026-02-20", "2026-02-27", "2026-03-06",
                                  "2026-03-13", "" });
    /* As in cron: a field that begins with a star does not widen. */
    expect("0 0 */2 * mon", NULL, "2026-02-01T00:00:00Z",
           (const char *const[]){ "2026-02-09", "2026-02-23", "2026-03-09", "" });
}
END_TEST

START_TEST(several_patterns_are_one_schedule)
{
    expect("0 6 * * mon-fri | 30 8 * * sat,sun", NULL, "2026-05-01T06:00:00Z",
           (const char *const[]){ "2026-05-02T08:30:00Z", "2026-05-03T08:30:00Z",
                                  "2026-05-04T06:00:00Z", "" });
    expect("0 6 * * *|0 6 1 * *", NULL, "2026-05-01T00:00:00Z",
           (const char *const[]){ "2026-05-01T06:00:00Z", "2026-05-02T06:00:00Z", "" });
}
END_TEST

START_TEST(now_is_not_next)
{
    struct cron c = parsed("* * * * *");
    emt_time t = at("2026-05-01T10:00:00Z");

    ck_assert_int_eq(cron_next(&c, 0, NULL, t), t + EMT_MINUTE);
    ck_assert_int_eq(cron_next(&c, 0, NULL, t - 1), t);
    ck_assert_int_eq(cron_next(&c, 0, NULL, t + EMT_SECOND), t + EMT_MINUTE);
}
END_TEST

START_TEST(a_fixed_hour_is_due_once_when_the_clock_changes)
{
    expect("30 2 * * *", berlin_2026, "2026-03-28T12:00:00+01:00",
           (const char *const[]){ "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00", "" });
    expect("0,30 2 * * *", berlin_2026, "2026-03-28T12:00:00+01:00",
           (const char *const[]){ "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "" });
    expect("30 2 * * *", berlin_2026, "2026-10-24T12:00:00+02:00",
           (const char *const[]){ "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00", "" });
    expect("0 2,3 * * *", berlin_2026, "2026-10-25T00:00:00+02:00",
           (const char *const[]){ "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00",
                                  "2026-10-26T02:00:00+01:00", "" });
    /* Asked within the repeated hour: nothing of it is due again. */
    expect("30 2 * * *", berlin_2026, "2026-10-25T02:10:00+01:00",
           (const char *const[]){ "2026-10-26T02:30:00+01:00", "" });
}
END_TEST

/* Every pattern with a fixed hour comes once on each local day of the year, the two with a changed
 * clock among them, and never twice within an hour. */
START_TEST(each_day_of_a_year_has_its_run)
{
    static const char *const patterns[] = { "0 2 * * *",     "30 2 * * *",     "59 2 * * *",
                                            "?0-59 2 * * *", "?30-30 2 * * *", "0 3 * * *" };

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct cron c = parsed(patterns[i]);
        emt_time t = at("2026-01-01T00:00:00+01:00");
        emt_time day = t;

        for (int n = 0; n < 365; n++) {
            emt_time next_day = day + EMT_DAY;

            next_day += (berlin_2026(day) - berlin_2026(next_day)) * EMT_SECOND;
            t = cron_next(&c, 7, berlin_2026, t);
            ck_assert_msg(t >= day && t < next_day, "%s, day %d", patterns[i], n);
            day = next_day;
        }
    }
}
END_TEST

START_TEST(drawn_minutes_when_the_clock_changes)
{
    struct cron c = parsed("?10-40 2 * * *");
    emt_time spring = cron_next(&c, 3, berlin_2026, at("2026-03-28T12:00:00+01:00"));
    emt_time autumn = cron_next(&c, 3, berlin_2026, at("2026-10-24T12:00:00+02:00"));

    ck_assert_int_eq(spring, at("2026-03-29T03:00:00+02:00"));
    ck_assert(autumn >= at("2026-10-25T02:10:00+02:00") &&
              autumn <= at("2026-10-25T02:40:00+02:00"));
    ck_assert_int_gt(cron_next(&c, 3, berlin_2026, autumn), at("2026-10-26T02:09:00+01:00"));
}
END_TEST

START_TEST(every_hour_is_every_real_hour)
{
    expect("15 * * * *", berlin_2026, "2026-03-29T01:00:00+01:00",
           (const char *const[]){ "2026-03-29T01:15:00+01:00", "2026-03-29T03:15:00+02:00", "" });
    expect("15 * * * *", berlin_2026, "2026-10-25T02:00:00+02:00",
           (const char *const[]){ "2026-10-25T02:15:00+02:00", "2026-10-25T02:15:00+01:00",
                                  "2026-10-25T03:15:00+01:00", "" });
}
END_TEST

START_TEST(drawn_minutes_spread_stay_inside_and_repeat)
{
    struct cron c = parsed("?10-40 3 * * *");
    unsigned seen[60] = { 0 };
    unsigned different = 0;

    for (uint64_t seed = 0; seed < 500; seed++) {
        emt_time t = cron_next(&c, seed, NULL, at("2026-05-01T00:00:00Z"));
        struct civil w;

        time_to_civil(t, &w);
        ck_assert_int_eq(w.hour, 3);
        ck_assert(w.minute >= 10 && w.minute <= 40);
        different += seen[w.minute]++ == 0;
        ck_assert_int_eq(t, cron_next(&c, seed, NULL, at("2026-05-01T02:59:00Z")));
        /* Once an hour, not once a minute. */
        ck_assert_int_ge(cron_next(&c, seed, NULL, t), at("2026-05-02T03:10:00Z"));
    }
    ck_assert_uint_eq(different, 31);
}
END_TEST

START_TEST(what_is_no_pattern_is_refused_by_name)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "minute: ends too early" },
        { "* * * *", "day of the week: ends too early" },
        { "* * * * * *", "five fields" },
        { "60 * * * *", "minute: 60 is not between 0 and 59" },
        { "* 24 * * *", "hour: 24" },
        { "* * 0 * *", "day of the month: 0" },
        { "* * 32 * *", "day of the month: 32" },
        { "* * * 13 *", "month: 13" },
        { "* * * * 8", "day of the week: 8" },
        { "* * * foo *", "month: is no number" },
        { "* * * * mond", "day of the week: is no number" },
        { "5-1 * * * *", "ends before it begins" },
        { "*/0 * * * *", "a step" },
        { "*/ * * * *", "a step" },
        { "5/2 * * * *", "needs a range" },
        { "1,,2 * * * *", "is no number" },
        { "1, * * * *", "is no number" },
        { "-1 * * * *", "is no number" },
        { "1000 * * * *", "is no number" },
        { "1x * * * *", "a character" },
        { "* ?1-2 * * *", "hour: ? is for the minute" },
        { "?30-10 * * * *", "ends before" },
        { "0 0 30 2 *", "no month" },
        { "0 0 31 4,6 *", "no month" },
        { "0 6 * * * |", "pattern 2, minute: ends too early" },
        { "0 6 * * * | * *", "pattern 2, day of the month" },
        { "@daily", "is no number" },
        { "?10 * * *", "ends too early" },
        { "? * * * *", "is no number" },
        { "?1-5/2 * * * *", "a character" },
        { "?1-5,7 * * * *", "a character" },
        { "1-2-3 * * * *", "a character" },
        { "*-5 * * * *", "a character" },
        { "**  * * * *", "a character" },
        { "0 0 * * mon-", "ends too early" },
        { "0 0 * * sun-mon-tue", "a character" },
        { "0 0 * * 7-1", "ends before it begins" },
        { "0 0 * jan-foo *", "is no number" },
        { "+1 * * * *", "is no number" },
        { "0x1 * * * *", "a character" },
        { "1\n2 * * * *", "a character" },
        { "99999999999999999999 * * * *", "is no number" },
        { "*/99999999999 * * * *", "a step" },
        { "\xc3\xa4 * * * *", "is no number" },
        { "|", "pattern 1, minute: ends too early" },
        { "0 6 * * *||0 7 * * *", "pattern 2, minute: ends too early" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cron c;
        struct emt_diag diag = { 0 };

        ck_assert_msg(cron_parse(bad[i].text, &c, &diag) == EMT_EMALFORMED, "%s", bad[i].text);
        ck_assert_msg(strstr(diag.text, bad[i].says) != NULL, "%s: %s", bad[i].text, diag.text);
    }
}
END_TEST

START_TEST(too_much_is_refused)
{
    struct cron c;
    char text[CRON_TEXT_MAX + 2] = { 0 };

    ck_assert_int_eq(cron_parse("* * * * *|* * * * *|* * * * *|* * * * *|* * * * *|"
                                "* * * * *|* * * * *|* * * * *|* * * * *",
                                &c, NULL),
                     EMT_ELIMIT);
    memset(text, ' ', CRON_TEXT_MAX + 1);
    ck_assert_int_eq(cron_parse(text, &c, NULL), EMT_ELIMIT);
}
END_TEST

START_TEST(times_at_the_ends_give_none)
{
    struct cron c = parsed("* * * * *");

    ck_assert_int_eq(cron_next(&c, 0, NULL, EMT_TIME_NONE), EMT_TIME_NONE);
    ck_assert_int_eq(cron_next(&c, 0, NULL, INT64_MAX), EMT_TIME_NONE);
}
END_TEST

SUITE(cron, fields_lists_ranges_steps_and_names, sunday_is_0_and_7_and_one_day,
      steps_begin_with_their_range, each_day_of_a_year_has_its_run,
      drawn_minutes_when_the_clock_changes, either_day_field_is_enough_when_both_are_said,
      several_patterns_are_one_schedule, now_is_not_next,
      a_fixed_hour_is_due_once_when_the_clock_changes, every_hour_is_every_real_hour,
      drawn_minutes_spread_stay_inside_and_repeat, what_is_no_pattern_is_refused_by_name,
      too_much_is_refused, times_at_the_ends_give_none)
