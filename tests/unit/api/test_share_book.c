/* Whose share a request counts against. */
#include "share_book.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(who_is_not_known_is_a_stranger)
{
    struct share_book *b = share_book_new();

    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(share_book_find(b, NULL, 0), SHARE_STRANGERS);
    ck_assert_int_eq(share_book_find(b, "", 0), SHARE_STRANGERS);
    /* Whatever tenant the text claims. */
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_guessed", 0), SHARE_STRANGERS);
    share_book_free(b);
}
END_TEST

START_TEST(a_good_credential_counts_for_its_tenant_for_a_while)
{
    struct share_book *b = share_book_new();
    int64_t over = SHARE_KNOWN_S * INT64_C(1000);

    share_book_note(b, "Bearer emt_7_good", 7, 0);
    share_book_note(b, "Bearer emt_op_good", 0, 0);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_good", 0), 7);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_op_good", 0), 0);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_goo", 0), SHARE_STRANGERS);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_good", over - 1), 7);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_good", over), SHARE_STRANGERS);
    share_book_note(b, "Bearer emt_7_good", 7, over);
    ck_assert_int_eq(share_book_find(b, "Bearer emt_7_good", over), 7);
    share_book_free(b);
}
END_TEST

START_TEST(more_than_there_are_places_for_push_each_other_out)
{
    struct share_book *b = share_book_new();
    char text[32];
    unsigned known = 0;

    for (unsigned i = 0; i < 3 * SHARE_BOOK_PLACES; i++) {
        snprintf(text, sizeof text, "Bearer emt_%u_x", i);
        share_book_note(b, text, (int32_t)i, 0);
        ck_assert_int_eq(share_book_find(b, text, 0), (int32_t)i);
    }
    for (unsigned i = 0; i < 3 * SHARE_BOOK_PLACES; i++) {
        snprintf(text, sizeof text, "Bearer emt_%u_x", i);
        int32_t share = share_book_find(b, text, 0);
        ck_assert(share == (int32_t)i || share == SHARE_STRANGERS);
        known += share == (int32_t)i;
    }
    ck_assert_uint_gt(known, 0);
    ck_assert_uint_le(known, SHARE_BOOK_PLACES);
    share_book_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share_book");
    TCase *t = tcase_create("all");

    tcase_add_test(t, who_is_not_known_is_a_stranger);
    tcase_add_test(t, a_good_credential_counts_for_its_tenant_for_a_while);
    tcase_add_test(t, more_than_there_are_places_for_push_each_other_out);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
