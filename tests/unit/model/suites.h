/* One suite per module of schema/model, run by main.c. */
#ifndef EMT_TESTS_UNIT_MODEL_SUITES_H
#define EMT_TESTS_UNIT_MODEL_SUITES_H

#include <check.h>

Suite *decimal_suite(void);
Suite *obis_suite(void);
Suite *quantity_suite(void);
Suite *states_suite(void);
Suite *formula_suite(void);
Suite *device_id_suite(void);
Suite *reading_suite(void);
Suite *market_id_suite(void);
Suite *local_day_suite(void);
Suite *block_suite(void);
Suite *aggregate_suite(void);

/* A suite of one test case. */
#define SUITE(NAME, ...)                                                                           \
    Suite *NAME##_suite(void)                                                                      \
    {                                                                                              \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
        Suite *s = suite_create(#NAME);                                                            \
        TCase *c = tcase_create(#NAME);                                                            \
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)                                \
            tcase_add_test(c, tests[i]);                                                           \
        suite_add_tcase(s, c);                                                                     \
        return s;                                                                                  \
    }

#endif
