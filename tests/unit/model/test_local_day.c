#include "model/local_day.h"
#include "suites.h"

static struct local_date date(int year, int month, int day)
{
    return (struct local_date){ year, month, day };
}

static void assert_time(emt_time t, const char *expected)
{
    char buf[32];

    ck_assert_str_eq(time_format(t, buf), expected);
}

/* The days on which the clocks change: begin and end in UTC, for power and for gas. */
START_TEST(days_of_23_and_25_hours)
{
    static const struct {
        struct local_date power;
        const char *power_from;
        const char *power_to;
        struct local_date gas;
        const char *gas_from;
        const char *gas_to;
    } t[] = {
        { { 2020, 3, 29 },
          "2020-03-28T23:00:00Z",
          "2020-03-29T22:00:00Z",
          { 2020, 3, 28 },
          "2020-03-28T05:00:00Z",
          "2020-03-29T04:00:00Z" },
        { { 2021, 10, 31 },
          "2021-10-30T22:00:00Z",
          "2021-10-31T23:00:00Z",
          { 2021, 10, 30 },
          "2021-10-30T04:00:00Z",
          "2021-10-31T05:00:00Z" },
        { { 2024, 3, 31 },
          "2024-03-30T23:00:00Z",
          "2024-03-31T22:00:00Z",
          { 2024, 3, 30 },
          "2024-03-30T05:00:00Z",
          "2024-03-31T04:00:00Z" },
        { { 2026, 10, 25 },
          "2026-10-24T22:00:00Z",
          "2026-10-25T23:00:00Z",
          { 2026, 10, 24 },
          "2026-10-24T04:00:00Z",
          "2026-10-25T05:00:00Z" },
        { { 2027, 3, 28 },
          "2027-03-27T23:00:00Z",
          "2027-03-28T22:00:00Z",
          { 2027, 3, 27 },
          "2027-03-27T05:00:00Z",
          "2027-03-28T04:00:00Z" },
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_time(local_day_start(t[i].power), t[i].power_from);
        assert_time(local_day_end(t[i].power), t[i].power_to);
        assert_time(gas_day_start(t[i].gas), t[i].gas_from);
        assert_time(gas_day_start(local_date_add(t[i].gas, 1)), t[i].gas_to);
    }
}
END_TEST

START_TEST(a_year_has_one_short_and_one_long_day)
{
    struct local_date d = date(2026, 1, 1);
    unsigned hours[26] = { 0 };

    for (unsigned i = 0; i < 365; i++, d = local_date_add(d, 1)) {
        emt_time length = local_day_end(d) - local_day_start(d);
        struct local_date first = local_date_of(local_day_start(d));
        struct local_date last = local_date_of(local_day_end(d) - 1);

        ck_assert_int_eq(length % EMT_HOUR, 0);
        hours[length / EMT_HOUR]++;
        ck_assert(first.day == d.day && first.month == d.month && first.year == d.year);
        ck_assert(last.day == d.day && last.month == d.month);
    }
    ck_assert_int_eq(d.year, 2027);
    ck_assert_uint_eq(hours[23], 1);
    ck_assert_uint_eq(hours[24], 363);
    ck_assert_uint_eq(hours[25], 1);
}
END_TEST

START_TEST(the_offset_changes_at_one_utc)
{
    struct civil spring = { .year = 2026, .month = 3, .day = 29, .hour = 1 };
    struct civil autumn = { .year = 2026, .month = 10, .day = 25, .hour = 1 };

    ck_assert_int_eq(local_offset_s(civil_to_time(&spring) - 1), 3600);
    ck_assert_int_eq(local_offset_s(civil_to_time(&spring)), 7200);
    ck_assert_int_eq(local_offset_s(civil_to_time(&autumn) - 1), 7200);
    ck_assert_int_eq(local_offset_s(civil_to_time(&autumn)), 3600);
    ck_assert_int_eq(local_offset_s(EMT_TIME_NONE), 3600);
}
END_TEST

START_TEST(the_repeated_hour_is_chosen)
{
    struct civil c = { .year = 2026, .month = 10, .day = 25, .hour = 2, .minute = 30, .micros = 5 };

    ck_assert(local_is_ambiguous(&c));
    assert_time(local_to_time(&c, true), "2026-10-25T00:30:00.000005Z");
    assert_time(local_to_time(&c, false), "2026-10-25T01:30:00.000005Z");
    c.hour = 3;
    ck_assert(!local_is_ambiguous(&c));
    assert_time(local_to_time(&c, true), "2026-10-25T02:30:00.000005Z");
    c.hour = 1;
    ck_assert(!local_is_ambiguous(&c));
    assert_time(local_to_time(&c, false), "2026-10-24T23:30:00.000005Z");
}
END_TEST

START_TEST(the_skipped_hour_is_winter_time)
{
    struct civil c = { .year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 30 };

    ck_assert(!local_is_ambiguous(&c));
    assert_time(local_to_time(&c, true), "2026-03-29T01:30:00Z");
    assert_time(local_to_time(&c, false), "2026-03-29T01:30:00Z");
}
END_TEST

START_TEST(dates_that_do_not_exist)
{
    struct civil c = { .year = 2026, .month = 2, .day = 29 };

    ck_assert_int_eq(local_day_start(date(2026, 2, 29)), EMT_TIME_NONE);
    ck_assert_int_eq(local_day_end(date(2026, 13, 1)), EMT_TIME_NONE);
    ck_assert_int_eq(gas_day_start(date(0, 0, 0)), EMT_TIME_NONE);
    ck_assert_int_eq(local_to_time(&c, true), EMT_TIME_NONE);
    ck_assert(!local_is_ambiguous(&c));
    ck_assert_int_eq(local_date_of(EMT_TIME_NONE).year, 0);
    ck_assert_int_eq(local_date_of(INT64_MAX).year, 0);
}
END_TEST

START_TEST(texts_of_dates)
{
    static const char *const bad[] = {
        "",           "2026-10-2", "2026-10-250",          "2026-02-30",
        "2026/10/25", "26-10-25",  "2026-10-25T00:00:00Z", " 2026-10-25"
    };
    struct local_date d = date(1, 2, 3);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(local_date_parse(bad[i], &d) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_int_eq(d.year, 1);
    ck_assert_int_eq(local_date_parse("2024-02-29", &d), EMT_OK);
    ck_assert(d.year == 2024 && d.month == 2 && d.day == 29);
    d = local_date_add(d, -60);
    ck_assert(d.year == 2023 && d.month == 12 && d.day == 31);
}
END_TEST

SUITE(local_day, days_of_23_and_25_hours, a_year_has_one_short_and_one_long_day,
      the_offset_changes_at_one_utc, the_repeated_hour_is_chosen, the_skipped_hour_is_winter_time,
      dates_that_do_not_exist, texts_of_dates)
