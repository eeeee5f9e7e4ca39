/* Certificates that our own CA would never issue: the field channel refuses them by name. */
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "tls_fixture.h"

#include <check.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static const enum tls_profile listeners[] = { TLS_PROFILE_FIELD_12, TLS_PROFILE_FIELD_13 };

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

struct craft {
    const char *group;     /* NULL: P-256 */
    const EVP_MD *digest;  /* NULL: SHA-256 */
    const char *key_usage; /* NULL: none */
    bool self_signed;
};

static void craft_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    ck_assert_ptr_nonnull(ext);
    ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

/* The tenant's CA as OpenSSL has it. */
static void craft_ca(X509 **cert, EVP_PKEY **key)
{
    struct writer chain, secret;

    writer_init_heap(&chain, 65536);
    writer_init_heap(&secret, 65536);
    ck_assert_int_eq(authority_chain_pem(pki.alpha, &chain), EMT_OK);
    ck_assert_int_eq(authority_key_pem(pki.alpha, &secret), EMT_OK);
    BIO *bio = BIO_new_mem_buf(chain.data, (int)chain.len);
    *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(secret.data, (int)secret.len);
    *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    writer_release(&chain);
    writer_release(&secret);
}

static X509 *craft_leaf(const struct craft *k, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();

    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"alpha", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"gw-1", -1, -1, 0);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_subject_name(cert, name);
    X509_set_issuer_name(cert, k->self_signed ? name : X509_get_subject_name(ca));
    X509_set_pubkey(cert, key);
    craft_extension(cert, NID_basic_constraints, "critical,CA:FALSE");
    if (k->key_usage)
        craft_extension(cert, NID_key_usage, k->key_usage);
    craft_extension(cert, NID_ext_key_usage, "clientAuth");
    X509V3_CTX v3;
    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, k->self_signed ? cert : ca, cert, NULL, NULL, 0);
    X509_EXTENSION *ski = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_key_identifier, "hash");
    X509_add_ext(cert, ski, -1);
    X509_EXTENSION_free(ski);
    X509_EXTENSION *aki = X509V3_EXT_conf_nid(NULL, &v3, NID_authority_key_identifier, "keyid");
    X509_add_ext(cert, aki, -1);
    X509_EXTENSION_free(aki);
    ck_assert_int_gt(
        X509_sign(cert, k->self_signed ? key : ca_key, k->digest ? k->digest : EVP_sha256()), 0);
    X509_NAME_free(name);
    return cert;
}

/* A client of bare OpenSSL with such a certificate is refused, for one of two reasons: in TLS 1.3
 * and 1.2 the library may look before we do. */
static void refuse_crafted(enum tls_profile profile, const struct craft *k, const char *reason,
                           const char *other)
{
    struct tls_context *listener = test_context(profile, &server_leaf, pki.trust);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = EVP_EC_gen(k->group ? k->group : "prime256v1"), *ca_key = NULL;
    X509 *ca = NULL;
    struct tls_pair p;

    craft_ca(&ca, &ca_key);
    X509 *leaf = craft_leaf(k, key, ca, ca_key);
    SSL_CTX_set_security_level(ctx, 0);
    ck_assert_int_eq(SSL_CTX_use_certificate(ctx, leaf), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, key), 1);
    SSL_CTX_add0_chain_cert(ctx, ca); /* takes it over */
    SSL_CTX_set_alpn_protos(ctx,
                            (const uint8_t *)"\x05"
                                             "emt/1",
                            6);
    tls_pair_connect(&p, NULL, listener, NULL);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, p.fd[0]);
    for (unsigned i = 0; i < 20; i++) {
        enum tls_wait wait;
        SSL_connect(ssl);
        if (p.server_err == EMT_EAGAIN)
            p.server_err = tls_conn_handshake(p.server, &wait);
    }
    const char *said = tls_conn_reason(p.server);
    ck_assert_msg(strcmp(said, reason) == 0 || (other && strcmp(said, other) == 0), "%s", said);
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    X509_free(leaf);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    tls_pair_close(&p);
    tls_context_unref(listener);
}

START_TEST(a_self_signed_certificate_is_refused)
{
    const struct craft k = { .key_usage = "critical,digitalSignature", .self_signed = true };

    refuse_crafted(listeners[_i], &k, "certificate verify failed: self-signed certificate", NULL);
}
END_TEST

START_TEST(a_signature_with_sha_1_is_refused)
{
    const struct craft k = { .key_usage = "critical,digitalSignature", .digest = EVP_sha1() };

    refuse_crafted(listeners[_i], &k,
                   "certificate verify failed: CA signature digest algorithm too weak", NULL);
}
END_TEST

START_TEST(a_key_that_may_not_sign_is_refused)
{
    static const char *const usages[] = { "critical,keyAgreement", "critical,keyCertSign",
                                          "critical,digitalSignature,keyCertSign", NULL };

    for (unsigned i = 0; i < 4; i++) {
        const struct craft k = { .key_usage = usages[i] };
        refuse_crafted(listeners[_i], &k,
                       "certificate verify failed: key usage is not digitalSignature alone",
                       "certificate verify failed: Key usage keyCertSign invalid for non-CA cert");
    }
}
END_TEST

START_TEST(a_weak_or_foreign_curve_is_refused)
{
    static const char *const curves[] = { "prime192v1", "secp224r1", "secp256k1" };

    for (unsigned i = 0; i < 3; i++) {
        const struct craft k = { .group = curves[i], .key_usage = "critical,digitalSignature" };
        refuse_crafted(TLS_PROFILE_FIELD_12, &k,
                       i == 0 ? "certificate verify failed: EE certificate key too weak"
                              : "certificate verify failed: key type or curve not allowed",
                       "certificate on a curve that is not allowed");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tls_crafted");
    TCase *tc = tcase_create("tls_crafted");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, a_self_signed_certificate_is_refused, 0, 2);
    tcase_add_loop_test(tc, a_signature_with_sha_1_is_refused, 0, 2);
    tcase_add_loop_test(tc, a_key_that_may_not_sign_is_refused, 0, 2);
    tcase_add_test(tc, a_weak_or_foreign_curve_is_refused);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
