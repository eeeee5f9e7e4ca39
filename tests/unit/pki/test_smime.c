/* memmem() */
#define _GNU_SOURCE
/* What a partner does with a sealed mail is tested end to end with another program; here what is
 * refused. */
#include "base/writer.h"
#include "pki/authority.h"
#include "pki/smime.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char entity[] = "Content-Type: text/plain\r\n\r\nhello\r\n";
static struct writer cert[2], key[2];
static struct emt_diag diag;

static void setup(void)
{
    for (int i = 0; i < 2; i++) {
        struct authority *a = NULL;

        ck_assert_int_eq(
            authority_new_root(KEY_P256, INT64_C(1795000000) * EMT_SECOND, EMT_DAY, &a, &diag),
            EMT_OK);
        writer_init_heap(&cert[i], 1u << 16);
        writer_init_heap(&key[i], 1u << 16);
        ck_assert_int_eq(authority_chain_pem(a, &cert[i]), EMT_OK);
        ck_assert_int_eq(authority_key_pem(a, &key[i]), EMT_OK);
        authority_free(a);
    }
    diag = (struct emt_diag){ 0 };
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        writer_release(&cert[i]);
        writer_release(&key[i]);
    }
}

static enum emt_err seal(const struct smime_settings *s, uint8_t **out, size_t *n)
{
    return smime_seal(s, (const uint8_t *)entity, sizeof entity - 1, out, n, &diag);
}

START_TEST(signed_text_stays_readable_and_sealed_text_does_not)
{
    struct smime_settings s = { writer_cstr(&cert[0]), writer_cstr(&key[0]), NULL };
    uint8_t *out = NULL;
    size_t n = 0;

    ck_assert_int_eq(seal(&s, &out, &n), EMT_OK);
    ck_assert_ptr_nonnull(memmem(out, n, "multipart/signed", 16));
    ck_assert_ptr_nonnull(memmem(out, n, "\r\nhello\r\n", 9));
    free(out);
    s.encrypt_pem = writer_cstr(&cert[1]);
    ck_assert_int_eq(seal(&s, &out, &n), EMT_OK);
    ck_assert_ptr_nonnull(memmem(out, n, "enveloped-data", 14));
    ck_assert_ptr_null(memmem(out, n, "hello", 5));
    for (size_t i = 0; i < n; i++)
        ck_assert(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
    free(out);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_by_name)
{
    struct smime_settings s = { NULL, NULL, NULL };
    uint8_t *out = NULL;
    size_t n = 0;

    ck_assert_int_eq(seal(&s, &out, &n), EMT_EMALFORMED);
    s.sign_pem = writer_cstr(&cert[0]);
    ck_assert_int_eq(seal(&s, &out, &n), EMT_EMALFORMED);
    ck_assert_ptr_nonnull(strstr(diag.text, "without its key"));
    s.sign_key_pem = writer_cstr(&key[1]);
    ck_assert_int_eq(seal(&s, &out, &n), EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(diag.text, "does not belong"));
    s.sign_key_pem = "no key";
    ck_assert_int_eq(seal(&s, &out, &n), EMT_EMALFORMED);
    s = (struct smime_settings){ .encrypt_pem = "no certificate" };
    ck_assert_int_eq(seal(&s, &out, &n), EMT_EMALFORMED);
    ck_assert_ptr_null(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("smime");
    TCase *t = tcase_create("core");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, signed_text_stays_readable_and_sealed_text_does_not);
    tcase_add_test(t, what_does_not_fit_is_refused_by_name);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
