#include "pki/authority.h"
#include "pki_fixture.h"

#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static struct test_pki pki;

static void setup(void)
{
    test_pki_init(&pki);
}

static void teardown(void)
{
    test_pki_release(&pki);
}

/* Certificate number `at` of a PEM text, or NULL. */
static X509 *nth(const struct writer *pem, unsigned at)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *cert = NULL;

    for (unsigned i = 0; i <= at; i++) {
        X509_free(cert);
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    BIO_free(bio);
    return cert;
}

static const char *subject_of(X509 *cert, char buf[256])
{
    BIO *bio = BIO_new(BIO_s_mem());

    X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
    int n = BIO_read(bio, buf, 255);
    buf[n > 0 ? n : 0] = 0;
    BIO_free(bio);
    return buf;
}

START_TEST(kinds_have_the_names_of_the_standards)
{
    enum key_kind kind;

    ck_assert_int_eq(key_kind_parse("P-256", &kind), EMT_OK);
    ck_assert_int_eq(kind, KEY_P256);
    ck_assert_int_eq(key_kind_parse("brainpoolP384r1", &kind), EMT_OK);
    ck_assert_int_eq(kind, KEY_BRAINPOOL_P384R1);
    ck_assert_int_eq(key_kind_parse("p-256", &kind), EMT_ENOTFOUND);
    ck_assert_int_eq(key_kind_parse("", &kind), EMT_ENOTFOUND);
}
END_TEST

START_TEST(a_gateway_leaf_has_our_subject_and_profile)
{
    struct test_leaf l;
    char subject[256];
    emt_time now = clock_now();

    test_leaf_gateway(&l, pki.alpha, (enum key_kind)_i, "alpha", "gw-0001", now, 30 * EMT_DAY);
    X509 *leaf = nth(&l.chain, 0);
    X509 *ca = nth(&l.chain, 1);

    ck_assert_str_eq(subject_of(leaf, subject), "CN=gw-0001,O=alpha");
    ck_assert_str_eq(subject_of(ca, subject), "CN=EMT Tenant CA alpha,O=alpha");
    ck_assert_ptr_null(nth(&l.chain, 2)); /* the root is not sent */
    ck_assert_uint_eq(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(X509_get_extended_key_usage(leaf), XKU_SSL_CLIENT);
    ck_assert_int_eq(X509_check_ca(leaf), 0);
    ck_assert_ptr_nonnull(X509_get0_subject_key_id(leaf));
    ck_assert_int_eq(
        ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(ca)), 0);
    ck_assert_uint_eq(strlen(l.info.serial), 32);
    ck_assert_int_eq(l.info.not_before, (now - 5 * EMT_MINUTE) / EMT_SECOND * EMT_SECOND);
    ck_assert_int_eq(l.info.not_after, (now + 30 * EMT_DAY) / EMT_SECOND * EMT_SECOND);
    X509_free(leaf);
    X509_free(ca);
    test_leaf_release(&l);
}
END_TEST

START_TEST(a_leaf_ends_with_its_issuer)
{
    struct test_leaf l;
    struct leaf_info ca;
    struct writer pem;

    test_leaf_gateway(&l, pki.alpha, KEY_P256, "alpha", "gw", clock_now(), 4000 * EMT_DAY);
    writer_init_heap(&pem, 65536);
    ck_assert_int_eq(authority_chain_pem(pki.alpha, &pem), EMT_OK);
    ck_assert_int_eq(certificate_info((const char *)pem.data, pem.len, &ca, NULL), EMT_OK);
    ck_assert_int_eq(l.info.not_after, ca.not_after);
    writer_release(&pem);
    test_leaf_release(&l);
}
END_TEST

START_TEST(subjects_with_control_characters_or_too_long_are_refused)
{
    static const char *const bad[] = {
        "",
        "a\nb",
        "a\x7f",
        "12345678901234567890123456789012345678901234567890123456789012345",
    };
    struct writer key, csr, chain;
    struct leaf_info info;
    struct authority *sub = NULL;

    writer_init_heap(&key, 65536);
    writer_init_heap(&csr, 65536);
    writer_init_heap(&chain, 65536);
    ck_assert_int_eq(csr_new(KEY_P256, "x", &key, &csr, NULL), EMT_OK);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(authority_issue_gateway(pki.alpha, (char *)csr.data, csr.len, "alpha",
                                                 bad[i], clock_now(), EMT_DAY, &chain, &info, NULL),
                         EMT_EMALFORMED);
        ck_assert_int_eq(authority_issue_gateway(pki.alpha, (char *)csr.data, csr.len, bad[i], "gw",
                                                 clock_now(), EMT_DAY, &chain, &info, NULL),
                         EMT_EMALFORMED);
        ck_assert_int_eq(
            authority_new_sub(pki.root, KEY_P256, bad[i], "ca", clock_now(), EMT_DAY, &sub, NULL),
            EMT_EMALFORMED);
    }
    ck_assert_uint_eq(chain.len, 0);
    writer_release(&key);
    writer_release(&csr);
    writer_release(&chain);
}
END_TEST

static enum emt_err issue(const char *csr, size_t n)
{
    struct writer chain;
    struct leaf_info info;

    writer_init_heap(&chain, 65536);
    enum emt_err err = authority_issue_gateway(pki.alpha, csr, n, "alpha", "gw", clock_now(),
                                               EMT_DAY, &chain, &info, NULL);
    writer_release(&chain);
    return err;
}

/* A request for `key`, signed with `signer`. */
static enum emt_err issue_for(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md)
{
    X509_REQ *req = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    X509_REQ_set_pubkey(req, key);
    ck_assert_int_gt(X509_REQ_sign(req, signer, md), 0);
    PEM_write_bio_X509_REQ(bio, req);
    long n = BIO_get_mem_data(bio, &text);
    enum emt_err err = issue(text, (size_t)n);
    BIO_free(bio);
    X509_REQ_free(req);
    return err;
}

START_TEST(a_request_proves_possession_of_its_key)
{
    EVP_PKEY *mine = EVP_EC_gen("P-256");
    EVP_PKEY *theirs = EVP_EC_gen("P-256");

    ck_assert_int_eq(issue_for(mine, mine, EVP_sha256()), EMT_OK);
    ck_assert_int_eq(issue_for(theirs, mine, EVP_sha256()), EMT_EAUTH);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
}
END_TEST

START_TEST(requests_with_other_keys_are_unsupported)
{
    EVP_PKEY *keys[] = { EVP_RSA_gen(2048), EVP_EC_gen("secp256k1"),
                         EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };

    ck_assert_int_eq(issue_for(keys[0], keys[0], EVP_sha256()), EMT_EUNSUPPORTED);
    ck_assert_int_eq(issue_for(keys[1], keys[1], EVP_sha256()), EMT_EUNSUPPORTED);
    ck_assert_int_eq(issue_for(keys[2], keys[2], NULL), EMT_EUNSUPPORTED);
    for (unsigned i = 0; i < 3; i++)
        EVP_PKEY_free(keys[i]);
}
END_TEST

START_TEST(every_damaged_request_is_refused)
{
    struct writer key, csr;

    writer_init_heap(&key, 65536);
    writer_init_heap(&csr, 65536);
    ck_assert_int_eq(csr_new(KEY_P256, "gw", &key, &csr, NULL), EMT_OK);
    ck_assert_int_eq(issue((const char *)csr.data, csr.len), EMT_OK);
    for (size_t n = 0; n + 2 < csr.len; n += 7)
        ck_assert_int_ne(issue((const char *)csr.data, n), EMT_OK);
    for (size_t i = 40; i + 40 < csr.len; i += 5) {
        uint8_t was = csr.data[i];
        csr.data[i] = was == 'A' ? 'B' : 'A';
        if (was != '\n')
            ck_assert_int_ne(issue((const char *)csr.data, csr.len), EMT_OK);
        csr.data[i] = was;
    }
    ck_assert_int_eq(issue("", 0), EMT_EMALFORMED);

    char *big = calloc(1, 70000);
    ck_assert_int_eq(issue(big, 70000), EMT_EMALFORMED);
    free(big);
    writer_release(&key);
    writer_release(&csr);
}
END_TEST

START_TEST(an_authority_survives_storage)
{
    struct writer chain, key, again, other;
    struct authority *a = NULL;
    struct authority *none = NULL;
    uint8_t before[32], after[32];

    writer_init_heap(&chain, 65536);
    writer_init_heap(&key, 65536);
    writer_init_heap(&again, 65536);
    writer_init_heap(&other, 65536);
    ck_assert_int_eq(authority_chain_pem(pki.alpha, &chain), EMT_OK);
    ck_assert_int_eq(authority_key_pem(pki.alpha, &key), EMT_OK);
    ck_assert_int_eq(authority_key_pem(pki.beta, &other), EMT_OK);
    ck_assert_int_eq(
        authority_load((char *)chain.data, chain.len, (char *)key.data, key.len, &a, NULL), EMT_OK);
    authority_fingerprint(pki.alpha, before);
    authority_fingerprint(a, after);
    ck_assert_mem_eq(before, after, 32);
    ck_assert_int_eq(authority_chain_pem(a, &again), EMT_OK);
    ck_assert_uint_eq(again.len, chain.len);

    struct test_leaf l;
    test_leaf_gateway(&l, a, KEY_P256, "alpha", "gw", clock_now(), EMT_DAY);
    test_leaf_release(&l);
    authority_free(a);

    ck_assert_int_eq(
        authority_load((char *)chain.data, chain.len, (char *)other.data, other.len, &none, NULL),
        EMT_EAUTH);
    ck_assert_int_eq(authority_load((char *)chain.data, chain.len, "x", 1, &none, NULL),
                     EMT_EMALFORMED);
    ck_assert_int_eq(authority_load("x", 1, (char *)key.data, key.len, &none, NULL),
                     EMT_EMALFORMED);
    authority_free(NULL);
    writer_release(&chain);
    writer_release(&key);
    writer_release(&again);
    writer_release(&other);
}
END_TEST

START_TEST(a_leaf_is_no_authority)
{
    struct authority *a = NULL;
    struct test_leaf l;

    test_leaf_gateway(&l, pki.alpha, KEY_P256, "alpha", "gw", clock_now(), EMT_DAY);
    ck_assert_int_eq(
        authority_load((char *)l.chain.data, l.chain.len, (char *)l.key.data, l.key.len, &a, NULL),
        EMT_EMALFORMED);
    ck_assert_int_eq(
        authority_new_sub(pki.alpha, KEY_P256, "beta", "rogue", clock_now(), EMT_DAY, &a, NULL),
        EMT_ESTATE);
    test_leaf_release(&l);
}
END_TEST

START_TEST(server_names_become_dns_and_addresses)
{
    struct test_leaf l;

    test_leaf_server(&l, pki.servers, KEY_P256, "emt.example, *.emt.example,192.0.2.1, ::1");
    X509 *leaf = nth(&l.chain, 0);
    ck_assert_int_eq(X509_check_host(leaf, "emt.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(leaf, "a.emt.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(leaf, "192.0.2.1", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "192.0.2.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "192.0.2.2", 0), 0);
    ck_assert_uint_eq(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
    X509_free(leaf);
    test_leaf_release(&l);
}
END_TEST

START_TEST(server_names_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "",
        ",",
        "a,,b",
        "a b",
        "-a",
        "a,",
        "URI:http://x",
        "email:copy",
        "a\nb",
        "*",
        "a.*.b",
        "1,2,3,4,5,6,7,8,9,10,11,"
        "12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,"
        "32,33"
    };
    struct writer chain, key;
    struct leaf_info info;

    writer_init_heap(&chain, 65536);
    writer_init_heap(&key, 65536);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(authority_issue_server(pki.servers, KEY_P256, bad[i], clock_now(), EMT_DAY,
                                             &chain, &key, &info, NULL) == EMT_EMALFORMED,
                      "'%s' was taken", bad[i]);
    writer_release(&chain);
    writer_release(&key);
}
END_TEST

START_TEST(serial_numbers_differ)
{
    struct test_leaf a, b;

    test_leaf_server(&a, pki.servers, KEY_P256, "a");
    test_leaf_server(&b, pki.servers, KEY_P256, "a");
    ck_assert_str_ne(a.info.serial, b.info.serial);
    test_leaf_release(&a);
    test_leaf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("authority");
    TCase *tc = tcase_create("authority");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, kinds_have_the_names_of_the_standards);
    tcase_add_loop_test(tc, a_gateway_leaf_has_our_subject_and_profile, KEY_P256,
                        KEY_BRAINPOOL_P384R1 + 1);
    tcase_add_test(tc, a_leaf_ends_with_its_issuer);
    tcase_add_test(tc, subjects_with_control_characters_or_too_long_are_refused);
    tcase_add_test(tc, a_request_proves_possession_of_its_key);
    tcase_add_test(tc, requests_with_other_keys_are_unsupported);
    tcase_add_test(tc, every_damaged_request_is_refused);
    tcase_add_test(tc, an_authority_survives_storage);
    tcase_add_test(tc, a_leaf_is_no_authority);
    tcase_add_test(tc, server_names_become_dns_and_addresses);
    tcase_add_test(tc, server_names_that_are_none_are_refused);
    tcase_add_test(tc, serial_numbers_differ);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
