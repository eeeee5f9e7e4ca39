#ifndef TEST_CONNECTORS_SUITES_H
#define TEST_CONNECTORS_SUITES_H

#include <check.h>

Suite *edi_writer_suite(void);
Suite *edi_reader_suite(void);
Suite *acknowledgement_suite(void);
Suite *load_profile_suite(void);
Suite *mscons_number_suite(void);
Suite *mscons_write_suite(void);
Suite *mscons_kinds_suite(void);
Suite *mscons_check_suite(void);
Suite *mscons_mutation_suite(void);
Suite *mscons_show_suite(void);

#endif
