/* One suite per module of base/, run by main.c. */
#ifndef EMT_TESTS_UNIT_BASE_SUITES_H
#define EMT_TESTS_UNIT_BASE_SUITES_H

#include <check.h>

Suite *error_suite(void);
Suite *reader_suite(void);
Suite *writer_suite(void);
Suite *arena_suite(void);
Suite *hex_suite(void);
Suite *clock_suite(void);
Suite *file_suite(void);
Suite *map_suite(void);
Suite *log_suite(void);
Suite *cipher_suite(void);
Suite *seal_suite(void);
Suite *backoff_suite(void);
Suite *cron_suite(void);
Suite *json_text_suite(void);
Suite *yaml_suite(void);

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
