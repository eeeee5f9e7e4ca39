/* HTTPS: the client believes a pin or its trust, and needs no certificate. */
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "tls_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct test_pki pki;
static struct test_leaf server_leaf;

static void setup(void)
{
    test_pki_init(&pki);
    test_leaf_server(&server_leaf, pki.servers, KEY_P256, "emt.example,127.0.0.1");
}

static void teardown(void)
{
    test_leaf_release(&server_leaf);
    test_pki_release(&pki);
}

static struct tls_context *pinned_context(const uint8_t pin[32], struct trust *trust)
{
    struct tls_settings s = { .profile = TLS_PROFILE_HTTPS_CLIENT,
                              .has_pin = true,
                              .trust = trust };
    struct tls_context *ctx = NULL;

    memcpy(s.pin, pin, 32);
    ck_assert_int_eq(tls_context_new(&s, &ctx, NULL), EMT_OK);
    return ctx;
}

static enum emt_err https_with_pin(const uint8_t pin[32], struct trust *trust,
                                   const struct test_leaf *leaf, const char *reason)
{
    struct tls_context *server = test_context(TLS_PROFILE_HTTPS, leaf, NULL);
    struct tls_context *client = pinned_context(pin, trust);
    struct tls_pair p;

    tls_pair_open(&p, client, server, "emt.example");
    if (p.client_err == EMT_OK)
        tls_pair_talk(&p, 1000);
    ck_assert_str_eq(tls_conn_reason(p.client), reason);
    enum emt_err err = p.client_err;
    tls_pair_close(&p);
    tls_context_unref(server);
    tls_context_unref(client);
    return err;
}

START_TEST(a_pin_stands_for_leaf_or_issuer)
{
    static const char missing[] = "certificate verify failed: pinned certificate not in the chain";
    uint8_t servers[32], alpha[32];

    authority_fingerprint(pki.servers, servers);
    authority_fingerprint(pki.alpha, alpha);
    ck_assert_int_eq(https_with_pin(server_leaf.info.fingerprint, NULL, &server_leaf, ""), EMT_OK);
    ck_assert_int_eq(https_with_pin(servers, NULL, &server_leaf, ""), EMT_OK);
    ck_assert_int_eq(https_with_pin(servers, pki.trust, &server_leaf, ""), EMT_OK);
    ck_assert_int_eq(https_with_pin(alpha, NULL, &server_leaf, missing), EMT_EAUTH);
    ck_assert_int_eq(https_with_pin(alpha, pki.trust, &server_leaf, missing), EMT_EAUTH);
}
END_TEST

START_TEST(a_pinned_certificate_sent_along_proves_nothing)
{
    struct test_pki evil;
    struct test_leaf l;
    struct writer extra;
    uint8_t servers[32];

    /* The chain of an attacker, with the pinned certificate behind it. */
    test_pki_init(&evil);
    test_leaf_server(&l, evil.servers, KEY_P256, "emt.example");
    writer_init_heap(&extra, 65536);
    ck_assert_int_eq(authority_chain_pem(pki.servers, &extra), EMT_OK);
    ck_assert(writer_bytes(&l.chain, extra.data, extra.len));
    authority_fingerprint(pki.servers, servers);
    ck_assert_int_eq(https_with_pin(servers, NULL, &l,
                                    "certificate verify failed: unable to get local issuer "
                                    "certificate"),
                     EMT_EAUTH);
    writer_release(&extra);
    test_leaf_release(&l);
    test_pki_release(&evil);
}
END_TEST

START_TEST(https_needs_no_client_certificate)
{
    struct tls_context *server = test_context(TLS_PROFILE_HTTPS, &server_leaf, NULL);
    struct tls_context *client = test_context(TLS_PROFILE_HTTPS_CLIENT, NULL, pki.trust);
    struct tls_pair p;

    for (unsigned i = 0; i < 2; i++) {
        tls_pair_open(&p, client, server, "emt.example");
        ck_assert_int_eq(p.server_err, EMT_OK);
        ck_assert_int_eq(p.client_err, EMT_OK);
        ck_assert(!tls_conn_peer(p.server)->present);
        ck_assert_int_eq(tls_conn_resumed(p.server), i == 1);
        tls_pair_talk(&p, 50000);
        tls_pair_close(&p);
    }
    tls_context_unref(server);
    tls_context_unref(client);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("https");
    TCase *tc = tcase_create("https");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, a_pin_stands_for_leaf_or_issuer);
    tcase_add_test(tc, a_pinned_certificate_sent_along_proves_nothing);
    tcase_add_test(tc, https_needs_no_client_certificate);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
