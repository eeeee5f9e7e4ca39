/* Decision 26: next = max(last + 1, milliseconds since 2020 in base 36). */
#include "connectors/mscons_number.h"
#include "suites.h"

#include <string.h>

#define T0 INT64_C(1577836800000000) /* 2020-01-01T00:00:00Z */

static char out[MSCONS_NUMBER_MAX];

START_TEST(the_first_number_is_the_clock)
{
    ck_assert_int_eq(mscons_number_next(NULL, T0 + 36 * 1000, out), EMT_OK);
    ck_assert_str_eq(out, "10");
    ck_assert_int_eq(mscons_number_next("", T0, out), EMT_OK);
    ck_assert_str_eq(out, "0");
}
END_TEST

START_TEST(a_slow_clock_does_not_repeat_a_number)
{
    ck_assert_int_eq(mscons_number_next("ZZ", T0 + 1000, out), EMT_OK);
    ck_assert_str_eq(out, "100");
    ck_assert_int_eq(mscons_number_next("10", T0 + 36 * 1000, out), EMT_OK);
    ck_assert_str_eq(out, "11");
}
END_TEST

START_TEST(after_a_restore_the_clock_is_ahead)
{
    /* The newest number of the backup is a day old; one per second was used since. */
    char used[MSCONS_NUMBER_MAX] = "";
    char backup[MSCONS_NUMBER_MAX];

    ck_assert_int_eq(mscons_number_next(NULL, T0 + 100 * EMT_DAY, backup), EMT_OK);
    memcpy(used, backup, sizeof(used));
    for (int i = 1; i <= 1000; i++)
        ck_assert_int_eq(mscons_number_next(used, T0 + 100 * EMT_DAY + i * EMT_SECOND, used),
                         EMT_OK);
    ck_assert_int_eq(mscons_number_next(backup, T0 + 101 * EMT_DAY, out), EMT_OK);
    ck_assert_uint_eq(strlen(out), strlen(used));
    ck_assert_int_gt(strcmp(out, used), 0);
}
END_TEST

START_TEST(leading_zeros_and_long_numbers_compare_by_value)
{
    ck_assert_int_eq(mscons_number_next("0000000000000Z", T0 + 1000, out), EMT_OK);
    ck_assert_str_eq(out, "10");
    ck_assert_int_eq(mscons_number_next("A0000000000000", T0 + EMT_DAY, out), EMT_OK);
    ck_assert_str_eq(out, "A0000000000001");
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
    ck_assert_int_eq(mscons_number_next("abc", T0, out), EMT_EMALFORMED);
    ck_assert_int_eq(mscons_number_next("1-2", T0, out), EMT_EMALFORMED);
    ck_assert_int_eq(mscons_number_next("123456789012345", T0, out), EMT_EMALFORMED);
    ck_assert_int_eq(mscons_number_next("1", T0 - 1, out), EMT_EMALFORMED);
    ck_assert_int_eq(mscons_number_next("ZZZZZZZZZZZZZZ", T0, out), EMT_ELIMIT);
}
END_TEST

Suite *mscons_number_suite(void)
{
    Suite *s = suite_create("mscons_number");
    TCase *t = tcase_create("mscons_number");

    tcase_add_test(t, the_first_number_is_the_clock);
    tcase_add_test(t, a_slow_clock_does_not_repeat_a_number);
    tcase_add_test(t, after_a_restore_the_clock_is_ahead);
    tcase_add_test(t, leading_zeros_and_long_numbers_compare_by_value);
    tcase_add_test(t, what_is_no_number_is_refused);
    suite_add_tcase(s, t);
    return s;
}
