#include "base/error.h"
#include "suites.h"

#include <string.h>

START_TEST(class_is_the_hundreds_digit)
{
    ck_assert_int_eq(emt_err_class(EMT_OK), EMT_CLASS_OK);
    ck_assert_int_eq(emt_err_class(EMT_EAGAIN), EMT_CLASS_RETRY);
    ck_assert_int_eq(emt_err_class(EMT_ECONFLICT), EMT_CLASS_REJECT);
    ck_assert_int_eq(emt_err_class(EMT_ESTATE), EMT_CLASS_REFUSE);
    ck_assert_int_eq(emt_err_class(EMT_EINTERNAL), EMT_CLASS_BROKEN);
}
END_TEST

START_TEST(every_error_has_a_name)
{
    ck_assert_str_eq(emt_err_name(EMT_EMALFORMED), "malformed");
    ck_assert_str_eq(emt_err_name(EMT_ELIMIT), "limit");
    ck_assert_str_eq(emt_err_name((enum emt_err)999), "unknown");
}
END_TEST

START_TEST(fail_takes_no_diag)
{
    ck_assert_int_eq(emt_fail(NULL, EMT_ELIMIT, "more than %d", 3), EMT_ELIMIT);
}
END_TEST

START_TEST(diag_prints_the_parts_that_are_set)
{
    struct emt_diag d = { .file = "emtd.yaml", .line = 7, .key = "listen.port" };
    struct emt_diag only_text = { .file = "" };
    struct emt_diag no_file = { .line = 3 };
    char buf[128];

    (void)emt_fail(&d, EMT_EMALFORMED, "expected %s", "a number");
    ck_assert_str_eq(emt_diag_format(&d, buf, sizeof buf),
                     "emtd.yaml:7: listen.port: expected a number");
    (void)emt_fail(&only_text, EMT_EIO, "gone");
    ck_assert_str_eq(emt_diag_format(&only_text, buf, sizeof buf), "gone");
    (void)emt_fail(&no_file, EMT_EIO, "gone");
    ck_assert_str_eq(emt_diag_format(&no_file, buf, sizeof buf), "line 3: gone");
}
END_TEST

START_TEST(diag_is_cut_to_the_buffer)
{
    struct emt_diag d = { .file = "emtd.yaml", .text = "reason" };
    char buf[8];

    ck_assert_str_eq(emt_diag_format(&d, buf, sizeof buf), "emtd.ya");
}
END_TEST

SUITE(error, class_is_the_hundreds_digit, every_error_has_a_name, fail_takes_no_diag,
      diag_prints_the_parts_that_are_set, diag_is_cut_to_the_buffer)
