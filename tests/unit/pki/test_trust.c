#include "pki/trust.h"
#include "pki_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(epoch_rises_only_when_the_set_changes)
{
    struct trust *t = trust_new();
    uint8_t a[2][32];
    uint8_t swapped[3][32];
    uint64_t start = trust_epoch(t);

    memset(a[0], 7, 32);
    memset(a[1], 3, 32);
    memcpy(swapped[0], a[1], 32);
    memcpy(swapped[1], a[0], 32);
    memcpy(swapped[2], a[1], 32); /* repeated */

    ck_assert_int_eq(trust_set_revoked(t, NULL, 0), EMT_OK);
    ck_assert_uint_eq(trust_epoch(t), start);
    ck_assert_int_eq(trust_set_revoked(t, (const uint8_t(*)[32])a, 2), EMT_OK);
    ck_assert_uint_eq(trust_epoch(t), start + 1);
    ck_assert_int_eq(trust_set_revoked(t, (const uint8_t(*)[32])swapped, 3), EMT_OK);
    ck_assert_uint_eq(trust_epoch(t), start + 1);
    ck_assert_int_eq(trust_set_revoked(t, (const uint8_t(*)[32])a, 1), EMT_OK);
    ck_assert_uint_eq(trust_epoch(t), start + 2);
    trust_unref(t);
}
END_TEST

START_TEST(revoked_means_in_the_last_set)
{
    struct trust *t = trust_new();
    uint8_t set[100][32];
    uint8_t other[32];

    for (unsigned i = 0; i < 100; i++)
        memset(set[i], (int)(255 - i), 32);
    memset(other, 1, sizeof other);
    ck_assert(!trust_is_revoked(t, other));
    ck_assert_int_eq(trust_set_revoked(t, (const uint8_t(*)[32])set, 100), EMT_OK);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(trust_is_revoked(t, set[i]));
    ck_assert(!trust_is_revoked(t, other));
    ck_assert_int_eq(trust_set_revoked(t, NULL, 0), EMT_OK);
    ck_assert(!trust_is_revoked(t, set[0]));
    trust_unref(t);
}
END_TEST

START_TEST(anchors_need_one_readable_certificate)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    struct emt_diag diag = { 0 };
    struct test_pki pki;
    struct writer pem;

    test_pki_init(&pki);
    ck_assert_int_eq(trust_add_pem(pki.trust, "", 0, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(trust_add_pem(pki.trust, "hello", 5, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(trust_add_pem(pki.trust, broken, sizeof broken - 1, &diag), EMT_EMALFORMED);
    ck_assert_str_ne(diag.text, "");

    writer_init_heap(&pem, 65536);
    ck_assert_int_eq(authority_chain_pem(pki.root, &pem), EMT_OK);
    ck_assert_int_eq(authority_chain_pem(pki.alpha, &pem), EMT_OK);
    for (unsigned i = 0; i < 2; i++) /* the second time all are known */
        ck_assert_int_eq(trust_add_pem(pki.trust, (const char *)pem.data, pem.len, &diag), EMT_OK);
    ck_assert(writer_bytes(&pem, broken, sizeof broken - 1));
    ck_assert_int_eq(trust_add_pem(pki.trust, (const char *)pem.data, pem.len, &diag),
                     EMT_EMALFORMED);
    writer_release(&pem);
    test_pki_release(&pki);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trust");
    TCase *tc = tcase_create("trust");

    tcase_add_test(tc, epoch_rises_only_when_the_set_changes);
    tcase_add_test(tc, revoked_means_in_the_last_set);
    tcase_add_test(tc, anchors_need_one_readable_certificate);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
