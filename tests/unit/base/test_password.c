#include "base/password.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(the_right_password_fits_and_no_other)
{
    char a[PASSWORD_HASH_MAX], b[PASSWORD_HASH_MAX];

    ck_assert_int_eq(password_hash("correct horse ü", a), EMT_OK);
    ck_assert_int_eq(password_hash("correct horse ü", b), EMT_OK);
    ck_assert_str_ne(a, b); /* salted */
    ck_assert_int_eq(strncmp(a, "$argon2id$v=19$", 15), 0);
    ck_assert_int_eq(password_verify(a, "correct horse ü"), EMT_OK);
    ck_assert_int_eq(password_verify(a, "correct horse u"), EMT_EAUTH);
    ck_assert_int_eq(password_verify(a, ""), EMT_EAUTH);
}
END_TEST

START_TEST(hostile_input_is_refused)
{
    char a[PASSWORD_HASH_MAX], big[PASSWORD_MAX + 2];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    ck_assert_int_eq(password_hash(big, a), EMT_ELIMIT);
    ck_assert_int_eq(password_verify(password_hash_of_nobody(), big), EMT_EAUTH);
    ck_assert_int_eq(password_verify("", "x"), EMT_EMALFORMED);
    ck_assert_int_eq(password_verify("$argon2id$", "x"), EMT_EMALFORMED);
    ck_assert_int_eq(password_verify("$argon2d$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAA", "x"),
                     EMT_EMALFORMED);
    ck_assert_int_eq(password_verify("plain", "plain"), EMT_EMALFORMED);
}
END_TEST

START_TEST(nobody_has_a_hash_that_verifies_as_slowly_and_never_fits)
{
    ck_assert_int_eq(password_verify(password_hash_of_nobody(), "x"), EMT_EAUTH);
    ck_assert_int_eq(password_verify(password_hash_of_nobody(), ""), EMT_EAUTH);
}
END_TEST

START_TEST(one_time_passwords_differ)
{
    char a[PASSWORD_ONE_TIME_MAX], b[PASSWORD_ONE_TIME_MAX];

    ck_assert_int_eq(password_one_time(a), EMT_OK);
    ck_assert_int_eq(password_one_time(b), EMT_OK);
    ck_assert_str_ne(a, b);
    ck_assert_uint_eq(strlen(a), 27);
    ck_assert_uint_eq(strspn(a, "abcdefghijkmnpqrstuvwxyz23456789-"), 27);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_password");
    TCase *t = tcase_create("password");
    SRunner *sr;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_right_password_fits_and_no_other);
    tcase_add_test(t, hostile_input_is_refused);
    tcase_add_test(t, nobody_has_a_hash_that_verifies_as_slowly_and_never_fits);
    tcase_add_test(t, one_time_passwords_differ);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
