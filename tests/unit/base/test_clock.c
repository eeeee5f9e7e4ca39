#include "base/clock.h"
#include "suites.h"

#include <string.h>

static emt_time parse(const char *text)
{
    emt_time t = EMT_TIME_NONE;

    ck_assert_msg(time_parse(text, &t) == EMT_OK, "%s", text);
    return t;
}

START_TEST(known_instants)
{
    char buf[32];

    ck_assert_int_eq(parse("1970-01-01T00:00:00Z"), 0);
    ck_assert_int_eq(parse("2000-01-01T00:00:00Z"), EMT_PG_EPOCH);
    ck_assert_int_eq(parse("2009-02-13T23:31:30Z"), INT64_C(1234567890) * EMT_SECOND);
    ck_assert_int_eq(parse("1969-12-31T23:59:59.999999Z"), -1);
    ck_assert_str_eq(time_format(-1, buf), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(time_format(EMT_TIME_NONE, buf), "");
}
END_TEST

START_TEST(offsets_fractions_and_short_forms)
{
    emt_time t = parse("2026-11-20T23:56:21Z");

    ck_assert_int_eq(parse("2026-11-21T00:56:21+01:00"), t);
    ck_assert_int_eq(parse("2026-11-20 18:26:21-05:30"), t);
    ck_assert_int_eq(parse("2026-11-20t23:56:21.5z"), t + EMT_SECOND / 2);
    ck_assert_int_eq(parse("2026-11-20T23:56:21.123456789Z"), t + 123456);
    ck_assert_int_eq(parse("2026-11-20T23:56Z"), t - 21 * EMT_SECOND);
    ck_assert_int_eq(parse("2026-11-20"), t - 23 * EMT_HOUR - 56 * EMT_MINUTE - 21 * EMT_SECOND);
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-1-01",
        "2026-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-04-31",
        "0000-01-01",
        "2026-11-20T",
        "2026-11-20T23:56:21",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:60:00Z",
        "2026-11-20T23:56:60Z",
        "2026-11-20T23:56:21.Z",
        "2026-11-20T23:56:21+0100",
        "2026-11-20T23:56:21+24:00",
        "2026-11-20T23:56:21+01:60",
        "2026-11-20T23:56:21Zx",
        "2026-11-20x",
        "2026-11-20T23:56:21.0000000001Z",
        "+026-11-20",
    };
    emt_time t = 42;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(time_parse(bad[i], &t) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_int_eq(t, 42);
}
END_TEST

START_TEST(every_day_of_four_centuries_comes_back)
{
    struct civil first = { .year = 1800, .month = 1, .day = 1 };
    emt_time t = civil_to_time(&first);
    int weekday = time_weekday(t);

    ck_assert_int_eq(weekday, 3); /* a Wednesday */
    for (int i = 0; i < 146097; i++, t += EMT_DAY, weekday = (weekday + 1) % 7) {
        struct civil c;

        time_to_civil(t + 12 * EMT_HOUR, &c);
        if (c.hour != 12 || time_weekday(t) != weekday)
            ck_abort_msg("day %d", i);
        c.hour = 0;
        if (civil_to_time(&c) != t)
            ck_abort_msg("%04d-%02d-%02d", c.year, c.month, c.day);
    }
}
END_TEST

START_TEST(leap_days)
{
    struct civil c = { .year = 2000, .month = 2, .day = 29 };

    ck_assert_int_ne(civil_to_time(&c), EMT_TIME_NONE);
    c.year = 2100;
    ck_assert_int_eq(civil_to_time(&c), EMT_TIME_NONE);
}
END_TEST

START_TEST(extreme_instants_stay_in_the_buffer)
{
    char buf[32];
    struct civil c;

    ck_assert_uint_lt(strlen(time_format(INT64_MAX, buf)), sizeof buf);
    ck_assert_uint_lt(strlen(time_format(INT64_MIN + 1, buf)), sizeof buf);
    time_to_civil(EMT_TIME_NONE, &c);
    ck_assert_int_ge(c.month, 1);
}
END_TEST

START_TEST(the_clock_moves_on)
{
    int64_t before = clock_mono_ms();

    ck_assert_int_gt(clock_now(), parse("2024-01-01"));
    ck_assert_int_ge(clock_mono_ms(), before);
}
END_TEST

SUITE(clock, known_instants, offsets_fractions_and_short_forms, what_is_no_time_is_refused,
      every_day_of_four_centuries_comes_back, leap_days, extreme_instants_stay_in_the_buffer,
      the_clock_moves_on)
