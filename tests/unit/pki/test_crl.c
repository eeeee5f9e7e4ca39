#include "foreign_fixture.h"
#include "pki/crl.h"

#include <check.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static struct test_pki pki;
static struct writer der, ca_pem;

static void setup(void)
{
    test_pki_init(&pki);
    writer_init_heap(&der, 1u << 20);
    writer_init_heap(&ca_pem, 1u << 20);
    ck_assert_int_eq(authority_chain_pem(pki.alpha, &ca_pem), EMT_OK);
}

static void teardown(void)
{
    writer_release(&der);
    writer_release(&ca_pem);
    test_pki_release(&pki);
}

static const struct crl_revoked two[] = { { "0a1b2c", 0 },
                                          { "7f00000000000000000000000000000001", 0 } };

static struct crl *issue(int64_t number, emt_time now, int64_t lifetime)
{
    struct emt_diag diag = { 0 };
    struct crl *c = NULL;

    der.len = 0;
    ck_assert_msg(crl_issue(pki.alpha, two, 2, number, now, lifetime, &der, &diag) == EMT_OK, "%s",
                  diag.text);
    ck_assert_msg(crl_read(der.data, der.len, &c, &diag) == EMT_OK, "%s", diag.text);
    return c;
}

static enum emt_err verify(const struct crl *c, emt_time now, struct emt_diag *diag)
{
    return crl_verify(c, writer_cstr(&ca_pem), ca_pem.len, now, diag);
}

START_TEST(what_we_issue_reads_as_issued)
{
    emt_time now = clock_now() / EMT_SECOND * EMT_SECOND;
    struct crl *c = issue(17, now, EMT_DAY);
    struct emt_diag diag = { 0 };
    struct crl_info info;

    crl_describe(c, &info);
    ck_assert_str_eq(info.number, "0000000000000000000000000000000000000011");
    ck_assert_int_eq(info.this_update, now);
    ck_assert_int_eq(info.next_update, now + EMT_DAY);
    ck_assert_uint_eq(info.entries, 2);
    ck_assert_int_eq(verify(c, now, &diag), EMT_OK);
    ck_assert(crl_lists(c, "0a1b2c"));
    ck_assert(crl_lists(c, "7f00000000000000000000000000000001"));
    ck_assert(!crl_lists(c, "0a1b2d"));
    ck_assert(!crl_lists(c, ""));
    ck_assert(!crl_lists(c, "no serial"));
    crl_free(c);
}
END_TEST

START_TEST(an_empty_list_is_a_list)
{
    struct emt_diag diag = { 0 };
    struct crl *c = NULL;
    struct crl_info info;

    ck_assert_int_eq(crl_issue(pki.root, NULL, 0, 1, clock_now(), EMT_DAY, &der, &diag), EMT_OK);
    ck_assert_int_eq(crl_read(der.data, der.len, &c, &diag), EMT_OK);
    crl_describe(c, &info);
    ck_assert_uint_eq(info.entries, 0);
    crl_free(c);
}
END_TEST

START_TEST(a_serial_that_is_none_makes_no_list)
{
    static const char *const bad[] = {
        "", "xyz", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00"
    };
    struct emt_diag diag = { 0 };

    for (size_t i = 0; i < 3; i++) {
        struct crl_revoked r = { bad[i], 0 };
        ck_assert_int_eq(crl_issue(pki.alpha, &r, 1, 1, clock_now(), EMT_DAY, &der, &diag),
                         EMT_EMALFORMED);
    }
}
END_TEST

START_TEST(another_ca_is_not_its_issuer)
{
    struct crl *c = issue(1, clock_now(), EMT_DAY);
    struct emt_diag diag = { 0 };

    ca_pem.len = 0;
    ck_assert_int_eq(authority_chain_pem(pki.beta, &ca_pem), EMT_OK);
    ck_assert_int_eq(verify(c, clock_now(), &diag), EMT_EAUTH);
    ck_assert_str_eq(diag.text, "the list is of another issuer");
    crl_free(c);
}
END_TEST

START_TEST(a_changed_list_is_no_list_of_the_ca)
{
    struct emt_diag diag = { 0 };
    unsigned accepted = 0;
    struct crl *c = issue(1, clock_now(), EMT_DAY);

    crl_free(c);
    for (size_t i = 0; i < der.len; i++) {
        c = NULL;
        der.data[i] ^= 1;
        if (crl_read(der.data, der.len, &c, &diag) == EMT_OK &&
            verify(c, clock_now(), &diag) == EMT_OK)
            accepted++;
        crl_free(c);
        der.data[i] ^= 1;
    }
    ck_assert_uint_eq(accepted, 0);
}
END_TEST

START_TEST(every_prefix_is_malformed)
{
    struct emt_diag diag = { 0 };
    struct crl *c = issue(1, clock_now(), EMT_DAY);

    crl_free(c);
    for (size_t n = 0; n < der.len; n++) {
        c = NULL;
        ck_assert_int_eq(crl_read(der.data, n, &c, &diag), EMT_EMALFORMED);
    }
    ck_assert(writer_u8(&der, 0)); /* nor is something behind it */
    ck_assert_int_eq(crl_read(der.data, der.len, &c, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(crl_read(der.data, CRL_MAX_BYTES + 1, &c, &diag), EMT_ELIMIT);
}
END_TEST

START_TEST(a_list_counts_for_its_time)
{
    emt_time now = clock_now();
    struct emt_diag diag = { 0 };
    struct crl *c = issue(1, now, EMT_DAY);

    ck_assert_int_eq(verify(c, now + EMT_DAY + EMT_SECOND, &diag), EMT_ESTATE);
    ck_assert_int_eq(verify(c, now - EMT_HOUR, &diag), EMT_ESTATE);
    ck_assert_int_eq(verify(c, now - EMT_MINUTE, &diag), EMT_OK); /* clocks differ */
    crl_free(c);
}
END_TEST

START_TEST(numbers_do_not_go_back)
{
    struct crl_info nine = { "0000000000000000000000000000000000000009", 1000, 2000, 0 };
    struct crl_info ten = { "000000000000000000000000000000000000000a", 900, 2000, 0 };
    struct crl_info none = { "", 950, 2000, 0 };
    struct crl_info later = { "", 960, 2000, 0 };
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(crl_follows(&nine, &ten, &diag), EMT_OK); /* the number decides */
    ck_assert_int_eq(crl_follows(&ten, &nine, &diag), EMT_ECONFLICT);
    ck_assert_int_eq(crl_follows(&ten, &ten, &diag), EMT_OK);
    ck_assert_int_eq(crl_follows(&ten, &none, &diag), EMT_ECONFLICT);
    ck_assert_int_eq(crl_follows(&none, &later, &diag), EMT_OK);
    ck_assert_int_eq(crl_follows(&later, &none, &diag), EMT_ECONFLICT);
}
END_TEST

/* A list of a vendor's CA with an extension more. */
static X509_CRL *foreign_list(const struct foreign *ca, const EVP_MD *md)
{
    X509_CRL *x = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));

    X509_CRL_set_version(x, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(x, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(x, now);
    ASN1_TIME_adj(now, time(NULL), 1, 0);
    X509_CRL_set1_nextUpdate(x, now);
    ASN1_TIME_free(now);
    ck_assert_int_gt(X509_CRL_sign(x, ca->key, md), 0);
    return x;
}

static enum emt_err read_list(X509_CRL *x, struct crl **out)
{
    struct emt_diag diag = { 0 };
    uint8_t *bytes = NULL;
    int n = i2d_X509_CRL(x, &bytes);
    enum emt_err err = crl_read(bytes, (size_t)n, out, &diag);

    OPENSSL_free(bytes);
    return err;
}

START_TEST(partial_lists_are_not_read)
{
    static const char *const idp[] = { "critical,onlyuser:TRUE", "critical,onlyCA:TRUE",
                                       "critical,indirectCRL:TRUE",
                                       "critical,onlysomereasons:keyCompromise" };
    struct foreign ca;
    struct crl *c = NULL;

    foreign_make(&ca, &(struct foreign_spec){ .name = "vendor", .ca = true });
    for (size_t i = 0; i < 4; i++) {
        X509_CRL *x = foreign_list(&ca, EVP_sha256());
        X509V3_CTX ctx;
        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, ca.cert, NULL, NULL, x, 0);
        X509_EXTENSION *e =
            X509V3_EXT_nconf_nid(NULL, &ctx, NID_issuing_distribution_point, idp[i]);
        ck_assert_ptr_nonnull(e);
        X509_CRL_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
        X509_CRL_sign(x, ca.key, EVP_sha256());
        ck_assert_int_eq(read_list(x, &c), EMT_EUNSUPPORTED);
        X509_CRL_free(x);
    }

    X509_CRL *delta = foreign_list(&ca, EVP_sha256());
    ASN1_INTEGER *base = ASN1_INTEGER_new();
    ASN1_INTEGER_set(base, 1);
    ck_assert_int_eq(X509_CRL_add1_ext_i2d(delta, NID_delta_crl, base, 1, 0), 1);
    X509_CRL_sign(delta, ca.key, EVP_sha256());
    ck_assert_int_eq(read_list(delta, &c), EMT_EUNSUPPORTED);
    ASN1_INTEGER_free(base);
    X509_CRL_free(delta);
    foreign_release(&ca);
}
END_TEST

START_TEST(weak_or_unentitled_signatures_do_not_count)
{
    struct emt_diag diag = { 0 };
    struct foreign ca, silent;
    struct crl *c = NULL;

    foreign_make(&ca, &(struct foreign_spec){ .name = "vendor", .ca = true });
    foreign_make(&silent, &(struct foreign_spec){
                              .name = "silent", .ca = true, .usage = "critical,keyCertSign" });
    X509_CRL *x = foreign_list(&ca, EVP_sha1());
    ck_assert_int_eq(read_list(x, &c), EMT_OK);
    ck_assert_int_eq(crl_verify(c, ca.pem, strlen(ca.pem), clock_now(), &diag), EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(diag.text, "too weak"));
    crl_free(c);
    X509_CRL_free(x);
    x = foreign_list(&silent, EVP_sha256());
    ck_assert_int_eq(read_list(x, &c), EMT_OK);
    ck_assert_int_eq(crl_verify(c, silent.pem, strlen(silent.pem), clock_now(), &diag), EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(diag.text, "cRLSign"));
    crl_free(c);
    X509_CRL_free(x);
    foreign_release(&ca);
    foreign_release(&silent);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("crl");
    TCase *tc = tcase_create("crl");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_we_issue_reads_as_issued);
    tcase_add_test(tc, an_empty_list_is_a_list);
    tcase_add_test(tc, a_serial_that_is_none_makes_no_list);
    tcase_add_test(tc, another_ca_is_not_its_issuer);
    tcase_add_test(tc, a_changed_list_is_no_list_of_the_ca);
    tcase_add_test(tc, every_prefix_is_malformed);
    tcase_add_test(tc, a_list_counts_for_its_time);
    tcase_add_test(tc, numbers_do_not_go_back);
    tcase_add_test(tc, partial_lists_are_not_read);
    tcase_add_test(tc, weak_or_unentitled_signatures_do_not_count);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
