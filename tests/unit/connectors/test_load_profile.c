#include "connectors/load_profile.h"
#include "model/local_day.h"
#include "suites.h"

#include <stdlib.h>

#define Q (900 * EMT_SECOND)
#define T0 INT64_C(1794873600000000) /* 2026-11-17T00:00:00Z */

static struct load_profile p;
static const struct load_profile_rule plain;

static struct register_reading reading(emt_time t, int64_t wh)
{
    return (struct register_reading){ t, decimal_of(wh, 0), QUALITY_MEASURED, NULL, NULL };
}

static void build(const struct load_profile_rule *rule, emt_time to,
                  const struct register_reading *r, size_t n)
{
    ck_assert_int_eq(load_profile_build(rule, T0, to, r, n, &p, NULL), EMT_OK);
    ck_assert_uint_eq(p.n_intervals, (size_t)((to - T0) / Q));
}

static void value_is(size_t i, int64_t mantissa, int exponent)
{
    ck_assert_uint_lt(i, p.n_values);
    ck_assert_int_eq(decimal_compare(p.values[i].value, decimal_of(mantissa, exponent)), 0);
}

static void gap_is(size_t i, emt_time from, emt_time to, enum gap_reason reason)
{
    ck_assert_uint_lt(i, p.n_gaps);
    ck_assert_int_eq(p.gaps[i].from, from);
    ck_assert_int_eq(p.gaps[i].to, to);
    ck_assert_int_eq(p.gaps[i].reason, reason);
}

START_TEST(readings_off_the_grid_give_intervals_on_it)
{
    const struct register_reading r[] = { reading(T0 - 47 * EMT_SECOND, 1000),
                                          reading(T0 + Q + 119 * EMT_SECOND, 1250),
                                          reading(T0 + 2 * Q - 120 * EMT_SECOND, 1400) };

    build(&plain, T0 + 2 * Q, r, 3);
    ck_assert_uint_eq(p.n_values, 2);
    ck_assert_uint_eq(p.n_gaps, 0);
    value_is(0, 250, 0);
    value_is(1, 150, 0);
    ck_assert_int_eq(p.values[0].from, T0);
    ck_assert_int_eq(p.values[0].to, T0 + Q);
    load_profile_release(&p);
}
END_TEST

START_TEST(the_nearest_reading_wins_and_on_a_tie_the_earlier)
{
    const struct register_reading r[] = { reading(T0 - 60 * EMT_SECOND, 1),
                                          reading(T0 - 10 * EMT_SECOND, 10),
                                          reading(T0 + 9 * EMT_SECOND, 20),
                                          reading(T0 + Q - 30 * EMT_SECOND, 100),
                                          reading(T0 + Q + 30 * EMT_SECOND, 200) };

    build(&plain, T0 + Q, r, 5);
    value_is(0, 80, 0);
    load_profile_release(&p);
}
END_TEST

START_TEST(a_missing_boundary_is_a_gap_on_both_sides)
{
    const struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 10),
                                          /* 121 s late: outside the tolerance */
                                          reading(T0 + 2 * Q + 121 * EMT_SECOND, 20),
                                          reading(T0 + 3 * Q, 30), reading(T0 + 4 * Q, 45) };

    build(&plain, T0 + 4 * Q, r, 5);
    ck_assert_uint_eq(p.n_values, 2);
    ck_assert_uint_eq(p.n_gaps, 1);
    gap_is(0, T0 + Q, T0 + 3 * Q, GAP_NO_READING);
    value_is(0, 10, 0);
    value_is(1, 15, 0);
    load_profile_release(&p);
}
END_TEST

START_TEST(no_readings_make_one_gap)
{
    build(&plain, T0 + 96 * Q, NULL, 0);
    ck_assert_uint_eq(p.n_values, 0);
    ck_assert_uint_eq(p.n_gaps, 1);
    gap_is(0, T0, T0 + 96 * Q, GAP_NO_READING);
    load_profile_release(&p);
}
END_TEST

START_TEST(a_register_that_went_back_is_a_gap_without_modulus)
{
    const struct register_reading r[] = { reading(T0, 999990), reading(T0 + Q, 15),
                                          reading(T0 + 2 * Q, 20) };

    build(&plain, T0 + 2 * Q, r, 3);
    ck_assert_uint_eq(p.n_values, 1);
    gap_is(0, T0, T0 + Q, GAP_WENT_BACK);
    ck_assert_str_eq(gap_reason_name(p.gaps[0].reason), "register-went-back");
    load_profile_release(&p);
}
END_TEST

START_TEST(a_roll_over_needs_the_modulus)
{
    const struct register_reading r[] = { reading(T0, 999990), reading(T0 + Q, 15) };
    struct load_profile_rule rule = { .modulus = decimal_of(1, 6) };

    build(&rule, T0 + Q, r, 2);
    value_is(0, 25, 0);
    ck_assert_uint_eq(p.n_rollovers, 1);
    load_profile_release(&p);
}
END_TEST

START_TEST(a_small_step_back_is_no_roll_over)
{
    const struct register_reading r[] = { reading(T0, 500), reading(T0 + Q, 499) };
    struct load_profile_rule rule = { .modulus = decimal_of(1, 6) };

    build(&rule, T0 + Q, r, 2);
    gap_is(0, T0, T0 + Q, GAP_WENT_BACK);
    load_profile_release(&p);
}
END_TEST

START_TEST(ratio_and_unit_are_applied_exactly)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 0) };
    /* Transformers 20/5 A and 20 kV/100 V: 800; Wh to kWh: 1e-3. */
    struct load_profile_rule rule = { .factor = decimal_of(800, -3) };

    r[0].value = decimal_of(12345678, -4);
    r[1].value = decimal_of(12346, -1);
    build(&rule, T0 + Q, r, 2);
    value_is(0, 25760, -6 + 0);
    load_profile_release(&p);
}
END_TEST

START_TEST(exponents_may_change_between_readings)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 0) };

    r[0].value = decimal_of(99, 3);       /* 99 kWh in Wh */
    r[1].value = decimal_of(9900025, -2); /* 99000.25 Wh */
    build(&plain, T0 + Q, r, 2);
    value_is(0, 25, -2);
    load_profile_release(&p);
}
END_TEST

/* A stand-by load of two watts: by itself each half watt-hour would become a whole one, and the day
 * twice of what the register says. */
START_TEST(rounding_the_register_keeps_the_sum)
{
    enum { N = 96 };
    struct register_reading r[N + 1];
    struct load_profile_rule rule = { .factor = { 1, -3 }, .rounds = true, .decimals = 3 };
    struct decimal sum = decimal_of(0, 0);

    for (int i = 0; i <= N; i++) {
        r[i] = reading(T0 + i * Q, 0);
        r[i].value = decimal_of(1234567 * 10 + i * 5, -1); /* 0.5 Wh in each interval */
    }
    build(&rule, T0 + N * Q, r, N + 1);
    ck_assert_uint_eq(p.n_values, N);
    value_is(0, 1, -3);
    value_is(1, 0, 0);
    value_is(2, 1, -3);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(decimal_add(sum, p.values[i].value, &sum), EMT_OK);
    ck_assert_int_eq(decimal_compare(sum, decimal_of(48, -3)), 0);
    load_profile_release(&p);
    /* An interval has one value, also when the period begins with it. */
    ck_assert_int_eq(load_profile_build(&rule, T0 + Q, T0 + 3 * Q, r, N + 1, &p, NULL), EMT_OK);
    value_is(0, 0, 0);
    value_is(1, 1, -3);
    load_profile_release(&p);
}
END_TEST

START_TEST(rounding_goes_on_over_a_roll_over_and_beyond_the_range)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 0), reading(T0 + 2 * Q, 0) };
    struct load_profile_rule rule = {
        .factor = { 1, -3 }, .modulus = { 1000, 0 }, .rounds = true, .decimals = 3
    };

    r[0].value = decimal_of(9994, -1); /* 999.4 Wh */
    r[1].value = decimal_of(4, -1);
    r[2].value = decimal_of(16, -1);
    build(&rule, T0 + 2 * Q, r, 3);
    ck_assert_uint_eq(p.n_rollovers, 1);
    value_is(0, 1, -3); /* 1000 - 999 */
    value_is(1, 2, -3);
    load_profile_release(&p);
    /* The register times this ratio is no decimal any more; the energy is. */
    rule = (struct load_profile_rule){ .factor = { INT64_C(1333333333333), -12 },
                                       .rounds = true,
                                       .decimals = 3 };
    r[0].value = decimal_of(INT64_C(123456789013), -1);
    r[1].value = decimal_of(INT64_C(123456789016), -1);
    r[2].value = decimal_of(INT64_C(123456789020), -1);
    build(&rule, T0 + 2 * Q, r, 3);
    value_is(0, 4, -1);
    value_is(1, 533, -3);
    load_profile_release(&p);
}
END_TEST

START_TEST(quality_is_the_worse_of_both_ends)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 1), reading(T0 + 2 * Q, 2),
                                    reading(T0 + 3 * Q, 3), reading(T0 + 4 * Q, 4) };

    r[1].quality = QUALITY_SUBSTITUTE;
    r[1].method = "Z92";
    r[1].reason = "Z75";
    r[3].quality = QUALITY_CORRECTED;
    r[4].quality = QUALITY_CORRECTED;
    build(&plain, T0 + 4 * Q, r, 5);
    ck_assert_int_eq(p.values[0].quality, QUALITY_SUBSTITUTE);
    ck_assert_int_eq(p.values[1].quality, QUALITY_SUBSTITUTE);
    ck_assert_str_eq(p.values[1].method, "Z92");
    ck_assert_str_eq(p.values[1].reason, "Z75");
    ck_assert_int_eq(p.values[2].quality, QUALITY_MEASURED);
    ck_assert_int_eq(p.values[3].quality, QUALITY_CORRECTED);
    load_profile_release(&p);
}
END_TEST

START_TEST(an_invalid_reading_is_not_used)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + 5 * EMT_SECOND, 1),
                                    reading(T0 + Q, 7), reading(T0 + Q + EMT_MINUTE, 10),
                                    reading(T0 + 2 * Q, 20) };

    r[2].quality = QUALITY_INVALID; /* a usable one a minute later */
    r[4].quality = QUALITY_INVALID; /* the only one */
    build(&plain, T0 + 2 * Q, r, 5);
    value_is(0, 10, 0);
    gap_is(0, T0 + Q, T0 + 2 * Q, GAP_INVALID);
    load_profile_release(&p);
}
END_TEST

START_TEST(neighbouring_gaps_of_different_reasons_stay_apart)
{
    struct register_reading r[] = { reading(T0, 10), reading(T0 + Q, 5) };

    build(&plain, T0 + 3 * Q, r, 2);
    ck_assert_uint_eq(p.n_gaps, 2);
    gap_is(0, T0, T0 + Q, GAP_WENT_BACK);
    gap_is(1, T0 + Q, T0 + 3 * Q, GAP_NO_READING);
    load_profile_release(&p);
}
END_TEST

START_TEST(one_reading_never_serves_two_boundaries)
{
    /* Half a step of tolerance, a reading in the very middle. */
    const struct register_reading r[] = { reading(T0 + 450 * EMT_SECOND, 10),
                                          reading(T0 + 2 * Q, 20) };
    struct load_profile_rule rule = { .tolerance = 450 * EMT_SECOND };

    build(&rule, T0 + 2 * Q, r, 2);
    ck_assert_uint_eq(p.n_values, 0);
    gap_is(0, T0, T0 + 2 * Q, GAP_NO_READING);
    load_profile_release(&p);
}
END_TEST

START_TEST(of_equal_times_the_last_counts)
{
    const struct register_reading r[] = { reading(T0, 1), reading(T0, 2), reading(T0 + Q, 10) };

    build(&plain, T0 + Q, r, 3);
    value_is(0, 8, 0);
    load_profile_release(&p);
}
END_TEST

START_TEST(a_sum_over_the_day_is_the_difference_of_the_register)
{
    struct register_reading r[97];
    struct decimal sum = decimal_of(0, 0);

    /* Up to 119 s off in both directions. */
    for (int i = 0; i <= 96; i++)
        r[i] = reading(T0 + i * Q + (i * 37 % 239 - 119) * EMT_SECOND, (int64_t)i * i * 3);
    build(&plain, T0 + 96 * Q, r, 97);
    ck_assert_uint_eq(p.n_values, 96);
    for (size_t i = 0; i < p.n_values; i++)
        ck_assert_int_eq(decimal_add(sum, p.values[i].value, &sum), EMT_OK);
    ck_assert_int_eq(decimal_compare(sum, decimal_of(96 * 96 * 3, 0)), 0);
    load_profile_release(&p);
}
END_TEST

/* The short and the long day of summer time (March 29th and October 25th 2026) have 92 and 100
 * quarter hours. */
START_TEST(local_days_have_92_96_or_100_intervals)
{
    static const struct {
        struct local_date day;
        size_t n;
    } days[] = { { { 2026, 3, 29 }, 92 }, { { 2026, 11, 17 }, 96 }, { { 2026, 10, 25 }, 100 } };

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(load_profile_build(&plain, local_day_start(days[i].day),
                                            local_day_end(days[i].day), NULL, 0, &p, NULL),
                         EMT_OK);
        ck_assert_uint_eq(p.n_intervals, days[i].n);
        load_profile_release(&p);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    const struct register_reading back[] = { reading(T0 + Q, 1), reading(T0, 0) };
    struct load_profile_rule rule = { .tolerance = 451 * EMT_SECOND };

    ck_assert_int_eq(load_profile_build(&plain, T0, T0 + Q, back, 2, &p, NULL), EMT_EMALFORMED);
    ck_assert_int_eq(load_profile_build(&plain, T0, T0 + Q + 1, NULL, 0, &p, NULL), EMT_EMALFORMED);
    ck_assert_int_eq(load_profile_build(&plain, T0, T0, NULL, 0, &p, NULL), EMT_EMALFORMED);
    ck_assert_int_eq(load_profile_build(&rule, T0, T0 + Q, NULL, 0, &p, NULL), EMT_EMALFORMED);
    rule = (struct load_profile_rule){ .step = -1 };
    ck_assert_int_eq(load_profile_build(&rule, T0, T0 + Q, NULL, 0, &p, NULL), EMT_EMALFORMED);
    rule = (struct load_profile_rule){ .factor = decimal_of(-1, 0) };
    ck_assert_int_eq(load_profile_build(&rule, T0, T0 + Q, NULL, 0, &p, NULL), EMT_EMALFORMED);
    ck_assert_int_eq(load_profile_build(&plain, T0, T0 + 3601 * Q, NULL, 0, &p, NULL), EMT_ELIMIT);
}
END_TEST

START_TEST(an_energy_that_fits_no_decimal_is_a_gap)
{
    struct register_reading r[] = { reading(T0, 0), reading(T0 + Q, 0) };

    r[0].value = decimal_of(INT64_MIN + 1, 0);
    r[1].value = decimal_of(INT64_MAX, 0);
    build(&plain, T0 + Q, r, 2);
    gap_is(0, T0, T0 + Q, GAP_OUT_OF_RANGE);
    load_profile_release(&p);
}
END_TEST

START_TEST(a_single_instant_follows_the_same_rule)
{
    struct register_reading r[] = { reading(T0 - 30 * EMT_SECOND, 1),
                                    reading(T0 + 30 * EMT_SECOND, 2),
                                    reading(T0 + 40 * EMT_SECOND, 3) };

    ck_assert_ptr_eq(register_reading_at(r, 3, T0, LOAD_PROFILE_TOLERANCE), &r[0]);
    ck_assert_ptr_eq(register_reading_at(r, 3, T0 + EMT_MINUTE, LOAD_PROFILE_TOLERANCE), &r[2]);
    ck_assert_ptr_null(register_reading_at(r, 3, T0, -1));
    ck_assert_ptr_null(register_reading_at(r, 3, T0 + Q, LOAD_PROFILE_TOLERANCE));
    r[0].quality = QUALITY_INVALID;
    ck_assert_ptr_eq(register_reading_at(r, 3, T0, LOAD_PROFILE_TOLERANCE), &r[1]);
}
END_TEST

/* A reading with nothing before it is no end of the gap behind it: that one is filled. */
START_TEST(a_gap_behind_a_lone_reading_is_filled)
{
    const struct register_reading r[] = { reading(T0 + 2 * Q, 1000), reading(T0 + 5 * Q, 1300),
                                          reading(T0 + 6 * Q, 1350) };
    struct register_span span = {
        .from = T0 - EMT_DAY, .to = EMT_TIME_NONE, .readings = r, .n = 3, .factor = decimal_of(1, 0)
    };
    struct register_chain c = { .spans = &span, .n = 1, .rounds = true };

    ck_assert_int_eq(load_profile_chain(&c, Q, T0, T0 + 8 * Q, &p, NULL), EMT_OK);
    ck_assert_uint_eq(p.n_values, 1);
    gap_is(0, T0, T0 + 5 * Q, GAP_NO_READING);
    ck_assert_int_eq(load_profile_interpolate(&c, Q, &p, QUALITY_SUBSTITUTE, "Z92", "Z75"), EMT_OK);
    ck_assert_uint_eq(p.n_values, 4);
    ck_assert_int_eq(p.values[0].from, T0 + 2 * Q);
    for (size_t i = 0; i < 3; i++)
        value_is(i, 100, 0);
    value_is(3, 50, 0);
    ck_assert_uint_eq(p.n_gaps, 2);
    gap_is(0, T0, T0 + 2 * Q, GAP_NO_READING);
    gap_is(1, T0 + 6 * Q, T0 + 8 * Q, GAP_NO_READING);
    load_profile_release(&p);
}
END_TEST

Suite *load_profile_suite(void)
{
    Suite *s = suite_create("load_profile");
    TCase *t = tcase_create("load_profile");

    tcase_add_test(t, readings_off_the_grid_give_intervals_on_it);
    tcase_add_test(t, the_nearest_reading_wins_and_on_a_tie_the_earlier);
    tcase_add_test(t, a_missing_boundary_is_a_gap_on_both_sides);
    tcase_add_test(t, no_readings_make_one_gap);
    tcase_add_test(t, a_register_that_went_back_is_a_gap_without_modulus);
    tcase_add_test(t, a_roll_over_needs_the_modulus);
    tcase_add_test(t, a_small_step_back_is_no_roll_over);
    tcase_add_test(t, ratio_and_unit_are_applied_exactly);
    tcase_add_test(t, exponents_may_change_between_readings);
    tcase_add_test(t, rounding_the_register_keeps_the_sum);
    tcase_add_test(t, rounding_goes_on_over_a_roll_over_and_beyond_the_range);
    tcase_add_test(t, quality_is_the_worse_of_both_ends);
    tcase_add_test(t, an_invalid_reading_is_not_used);
    tcase_add_test(t, neighbouring_gaps_of_different_reasons_stay_apart);
    tcase_add_test(t, one_reading_never_serves_two_boundaries);
    tcase_add_test(t, of_equal_times_the_last_counts);
    tcase_add_test(t, a_sum_over_the_day_is_the_difference_of_the_register);
    tcase_add_test(t, local_days_have_92_96_or_100_intervals);
    tcase_add_test(t, what_does_not_fit_is_refused);
    tcase_add_test(t, an_energy_that_fits_no_decimal_is_a_gap);
    tcase_add_test(t, a_single_instant_follows_the_same_rule);
    tcase_add_test(t, a_gap_behind_a_lone_reading_is_filled);
    suite_add_tcase(s, t);
    return s;
}
