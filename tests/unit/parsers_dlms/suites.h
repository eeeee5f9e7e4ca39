/* One suite per module of parsers/dlms, run by main.c. */
#ifndef EMT_TESTS_UNIT_PARSERS_DLMS_SUITES_H
#define EMT_TESTS_UNIT_PARSERS_DLMS_SUITES_H

#include <check.h>

Suite *axdr_suite(void);
Suite *dlms_client_suite(void);
Suite *dlms_clock_suite(void);
Suite *dlms_corpus_suite(void);
Suite *dlms_decode_suite(void);
Suite *dlms_profile_suite(void);
Suite *dlms_public_suite(void);
Suite *dlms_security_suite(void);
Suite *hdlc_link_suite(void);
Suite *hdlc_suite(void);

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
