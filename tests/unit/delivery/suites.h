#ifndef EMT_TESTS_DELIVERY_SUITES_H
#define EMT_TESTS_DELIVERY_SUITES_H

#include <check.h>

Suite *delivery_suite(void);
Suite *mail_message_suite(void);

#endif
