/* One suite per module of parsers/, run by main.c. */
#ifndef EMT_TESTS_UNIT_PARSERS_SUITES_H
#define EMT_TESTS_UNIT_PARSERS_SUITES_H

#include <check.h>

Suite *decode_suite(void);
Suite *explain_suite(void);
Suite *mbus_corpus_suite(void);
Suite *mbus_date_suite(void);
Suite *mbus_fragment_suite(void);
Suite *mbus_meaning_suite(void);
Suite *mbus_readout_suite(void);
Suite *mbus_record_suite(void);
Suite *mbus_security_suite(void);
Suite *mbus_wired_suite(void);
Suite *oms_encode_suite(void);
Suite *public_corpora_suite(void);
Suite *vendor_suite(void);
Suite *vendor_families_suite(void);
Suite *wmbus_link_suite(void);

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
