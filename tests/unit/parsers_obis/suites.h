/* One suite per module of parsers/ that has to do with OBIS codes, run by main.c. */
#ifndef EMT_TESTS_UNIT_PARSERS_OBIS_SUITES_H
#define EMT_TESTS_UNIT_PARSERS_OBIS_SUITES_H

#include <check.h>

Suite *crc16_suite(void);
Suite *iec_suite(void);
Suite *iec_line_suite(void);
Suite *obis_corpus_suite(void);
Suite *obis_meaning_suite(void);
Suite *obis_public_suite(void);
Suite *sml_suite(void);
Suite *sml_transport_suite(void);

/* A suite of one test case. */
#define SUITE(NAME, ...)                                                                           \
    Suite *NAME##_suite(void)                                                                      \
    {                                                                                              \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
        Suite *s = suite_create(#NAME);                                                            \
        TCase *c = tcase_create(#NAME);                                                            \
        tcase_set_timeout(c, 60);                                                                  \
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)                                \
            tcase_add_test(c, tests[i]);                                                           \
        suite_add_tcase(s, c);                                                                     \
        return s;                                                                                  \
    }

#endif
