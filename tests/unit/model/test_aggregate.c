#include "model/aggregate.h"
#include "suites.h"

#define QUARTER (15 * EMT_MINUTE)

static emt_time at(const char *text)
{
    emt_time t;

    ck_assert_int_eq(time_parse(text, &t), EMT_OK);
    return t;
}

static void check_bounds(enum aggregate_period p, const char *t, const char *start, int hours)
{
    emt_time from, to;

    aggregate_bounds(p, at(t), &from, &to);
    ck_assert_int_eq(from, at(start));
    ck_assert_int_eq(to - from, hours * EMT_HOUR);
}

START_TEST(days_and_months_are_german)
{
    check_bounds(AGGREGATE_HOUR, "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z", 1);
    check_bounds(AGGREGATE_HOUR, "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", 1);
    check_bounds(AGGREGATE_DAY, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", 23);
    check_bounds(AGGREGATE_DAY, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", 25);
    check_bounds(AGGREGATE_DAY, "2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z", 24);
    check_bounds(AGGREGATE_MONTH, "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", 31 * 24 - 1);
    check_bounds(AGGREGATE_MONTH, "2026-12-31T22:59:59Z", "2026-11-30T23:00:00Z", 31 * 24);
    check_bounds(AGGREGATE_MONTH, "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z", 31 * 24);
}
END_TEST

START_TEST(deltas_of_a_counter_add_up)
{
    struct aggregator a;
    struct aggregate done;
    emt_time t = at("2026-10-24T00:00:00Z");
    int64_t sum = 0, values = 0, items = 0;

    aggregator_init(&a, AGGREGATE_DAY);
    ck_assert(!aggregator_end(&a, NULL, &done));
    for (int i = 0; i < 96 * 4; i++) {
        if (i >= 100 && i < 250)
            continue; /* a gap of a day and a half */
        values++;
        if (aggregator_add(&a, t + i * QUARTER, decimal_of(1000 + 3 * i, -1), &done)) {
            ck_assert(done.has_delta);
            sum += done.delta.mantissa;
            items++;
            values -= done.count;
        }
    }
    ck_assert(aggregator_end(&a, NULL, &done));
    ck_assert_int_eq(values - done.count, 0);
    ck_assert_int_eq(sum + done.delta.mantissa, 3 * (96 * 4 - 1));
    ck_assert_int_eq(items, 4);
}
END_TEST

START_TEST(least_and_most_are_by_value)
{
    struct aggregator a;
    struct aggregate done;

    aggregator_init(&a, AGGREGATE_HOUR);
    ck_assert(!aggregator_add(&a, 0, decimal_of(120, -2), &done));
    ck_assert(!aggregator_add(&a, 1, decimal_of(1, 3), &done));
    ck_assert(!aggregator_add(&a, 2, decimal_of(-5, 0), &done));
    ck_assert(!aggregator_add(&a, 3, decimal_of(12, -1), &done));
    ck_assert(aggregator_add(&a, EMT_HOUR, decimal_of(INT64_MAX, 0), &done));
    ck_assert_int_eq(done.min.mantissa, -5);
    ck_assert_int_eq(done.max.exponent, 3);
    ck_assert_int_eq(done.last.mantissa, 12);
    ck_assert_int_eq(done.count, 4);
    /* What does not fit is not told. */
    ck_assert(aggregator_add(&a, 2 * EMT_HOUR, decimal_of(INT64_MIN, 0), &done));
    ck_assert(!done.has_delta);
}
END_TEST

START_TEST(names_of_periods)
{
    enum aggregate_period p;

    ck_assert_int_eq(aggregate_period_parse("month", &p), EMT_OK);
    ck_assert_str_eq(aggregate_period_name(p), "month");
    ck_assert_int_eq(aggregate_period_parse("week", &p), EMT_EMALFORMED);
}
END_TEST

SUITE(aggregate, days_and_months_are_german, deltas_of_a_counter_add_up,
      least_and_most_are_by_value, names_of_periods)
