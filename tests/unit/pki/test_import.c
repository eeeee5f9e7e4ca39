/* Peers with certificates of others: imported CAs, imported certificates, devices with RSA keys. */
#include "foreign_fixture.h"
#include "pki/crl.h"
#include "pki/import.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "tls_fixture.h"
#include "tls_internal.h"

#include <check.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct test_pki pki;
static struct test_leaf server_leaf;
static struct foreign vendor, device;
static struct trust *loggers;

static void setup(void)
{
    test_pki_init(&pki);
    test_leaf_server(&server_leaf, pki.servers, KEY_P256, "a.example,b.example,127.0.0.1");
    foreign_make(&vendor, &(struct foreign_spec){ .name = "Vendor CA", .ca = true });
    foreign_make(&device, &(struct foreign_spec){ .name = "EXXX0011223344", .issuer = &vendor });
    loggers = trust_new();
    ck_assert_ptr_nonnull(loggers);
}

static void teardown(void)
{
    foreign_release(&vendor);
    foreign_release(&device);
    test_leaf_release(&server_leaf);
    trust_unref(loggers);
    test_pki_release(&pki);
}

static void import(struct trust *t, const struct trust_import *list, size_t n)
{
    struct emt_diag diag = { 0 };
    size_t bad = 0;

    ck_assert_int_eq(trust_set_imports(t, list, n, &bad, &diag), EMT_OK);
    ck_assert_uint_eq(bad, 0);
}

/* What a listener says to a certificate: "" when it is let in. */
static struct tls_peer met;
static void meet(enum tls_profile profile, struct trust *trust, const struct foreign *who,
                 const char *reason)
{
    struct tls_context *listener = test_context(profile, &server_leaf, trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &who->leaf, pki.trust);
    struct tls_pair p;

    tls_pair_open(&p, agent, listener, "a.example");
    ck_assert_str_eq(tls_conn_reason(p.server), reason);
    ck_assert_int_eq(p.server_err, reason[0] ? EMT_EAUTH : EMT_OK);
    met = *tls_conn_peer(p.server);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
}

/* The same for a device without scruples about its own certificate. reason NULL: any, also one of
 * OpenSSL's own. */
static void meet_lax(enum tls_profile profile, struct trust *trust, const struct foreign *who,
                     const char *reason)
{
    struct tls_context *listener = test_context(profile, &server_leaf, trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &device.leaf, pki.trust);
    struct tls_pair p;

    SSL_CTX_set_security_level(agent->ssl, 0);
    SSL_CTX_clear_extra_chain_certs(agent->ssl);
    ck_assert_int_eq(SSL_CTX_use_certificate(agent->ssl, who->cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(agent->ssl, who->key), 1);
    ck_assert_int_eq(SSL_CTX_set1_client_sigalgs_list(
                         agent->ssl, "RSA+SHA256:RSA-PSS+SHA256:ECDSA+SHA256:ECDSA+SHA512"),
                     1);
    tls_pair_open(&p, agent, listener, "a.example");
    ck_assert_int_eq(p.server_err == EMT_OK, reason && reason[0] == 0);
    if (reason)
        ck_assert_str_eq(tls_conn_reason(p.server), reason);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
}

START_TEST(a_vendors_device_is_let_in_once_its_ca_is_imported)
{
    struct trust_import ca = { .pem = vendor.pem };

    meet(TLS_PROFILE_FIELD_12, pki.trust, &device,
         "certificate verify failed: unable to get local issuer certificate");
    import(pki.trust, &ca, 1);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "");
    ck_assert_int_eq(met.origin, TLS_PEER_FOREIGN_CA);
    ck_assert_mem_eq(met.anchor, vendor.leaf.info.fingerprint, 32);
    ck_assert_str_eq(met.common_name, "EXXX0011223344");
    meet(TLS_PROFILE_FIELD_13, pki.trust, &device, "");
    import(pki.trust, NULL, 0);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device,
         "certificate verify failed: unable to get local issuer certificate");
}
END_TEST

START_TEST(a_ca_of_the_same_name_stands_in_nobodys_way)
{
    struct foreign twin;
    struct trust_import both[2];

    foreign_make(&twin, &(struct foreign_spec){ .name = "Vendor CA", .ca = true });
    for (unsigned i = 0; i < 2; i++) {
        both[i] = (struct trust_import){ .pem = vendor.pem };
        both[1 - i] = (struct trust_import){ .pem = twin.pem };
        import(pki.trust, both, 2);
        meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "");
    }
    foreign_release(&twin);
}
END_TEST

START_TEST(an_imported_ca_named_like_ours_changes_nothing_for_our_gateways)
{
    struct test_leaf ours;
    struct foreign fake;
    struct trust_import ca = { .pem = fake.pem };
    struct tls_context *listener, *agent;
    struct tls_pair p;

    foreign_make(&fake, &(struct foreign_spec){ .name = "EMT Tenant CA alpha", .ca = true });
    import(pki.trust, &ca, 1);
    test_leaf_gateway(&ours, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now(), EMT_DAY);
    listener = test_context(TLS_PROFILE_FIELD_12, &server_leaf, pki.trust);
    agent = test_context(TLS_PROFILE_AGENT, &ours, pki.trust);
    tls_pair_open(&p, agent, listener, "a.example");
    ck_assert_int_eq(p.server_err, EMT_OK);
    ck_assert_int_eq(tls_conn_peer(p.server)->origin, TLS_PEER_OWN);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
    test_leaf_release(&ours);
    foreign_release(&fake);
}
END_TEST

START_TEST(a_ca_as_pinned_by_another_does_not_hide_it)
{
    struct trust_import both[2] = { { .pem = vendor.pem, .pinned = true }, { .pem = vendor.pem } };

    import(pki.trust, both, 2);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "");
    /* Pinned alone it is no CA for anybody. */
    import(pki.trust, both, 1);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device,
         "certificate verify failed: unable to get local issuer certificate");
}
END_TEST

START_TEST(an_intermediate_ca_may_lie_between)
{
    struct foreign sub, leaf;
    struct trust_import ca = { .pem = vendor.pem };

    foreign_make(&sub,
                 &(struct foreign_spec){ .name = "Vendor sub", .ca = true, .issuer = &vendor });
    foreign_make(&leaf, &(struct foreign_spec){ .name = "deep", .issuer = &sub });
    import(pki.trust, &ca, 1);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &leaf, "");
    ck_assert_mem_eq(met.anchor, vendor.leaf.info.fingerprint, 32);
    ck_assert_mem_eq(met.issuer_key_id, sub.leaf.info.fingerprint, 32);
    foreign_release(&leaf);
    foreign_release(&sub);
}
END_TEST

START_TEST(brainpool_from_a_vendor_works)
{
    struct foreign ca, leaf;
    struct trust_import i = { .pem = ca.pem };

    foreign_make(&ca, &(struct foreign_spec){
                          .name = "BP", .ca = true, .key = "brainpoolP384r1", .digest = "SHA384" });
    foreign_make(
        &leaf, &(struct foreign_spec){ .name = "device", .key = "brainpoolP256r1", .issuer = &ca });
    import(pki.trust, &i, 1);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &leaf, "");
    foreign_release(&leaf);
    foreign_release(&ca);
}
END_TEST

START_TEST(what_a_vendor_must_not_send)
{
    static const struct {
        struct foreign_spec spec;
        const char *reason;
    } cases[] = {
        { { .name = "rsa", .key = "rsa:2048" }, NULL },
        { { .name = "old", .from_s = -7200, .until_s = -3600 },
          "certificate verify failed: certificate has expired" },
        { { .name = "young", .from_s = 3600, .until_s = 7200 },
          "certificate verify failed: certificate is not yet valid" },
        { { .name = "sha1", .digest = "SHA1" },
          "certificate verify failed: CA signature digest algorithm too weak" },
        { { .name = "agree", .usage = "critical,keyAgreement" },
          "certificate verify failed: key usage does not allow TLS clients" },
        { { .name = "curve", .key = "P-521" }, NULL },
    };
    struct trust_import ca = { .pem = vendor.pem };
    struct foreign f;
    struct foreign_spec spec = cases[_i].spec;

    import(pki.trust, &ca, 1);
    spec.issuer = &vendor;
    foreign_make(&f, &spec);
    /* A key that no signature of ours fits is refused by OpenSSL before we are asked. */
    meet_lax(TLS_PROFILE_FIELD_12, pki.trust, &f, cases[_i].reason);
    foreign_release(&f);
}
END_TEST

/* The vendor's list with these serials. */
static X509_CRL *list_of(const struct foreign *ca, const struct foreign *revoked)
{
    X509_CRL *x = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, time(NULL) - 60);

    X509_CRL_set_version(x, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(x, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(x, t);
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->cert));
        X509_REVOKED_set_revocationDate(r, t);
        X509_CRL_add0_revoked(x, r);
    }
    ASN1_TIME_adj(t, time(NULL), 1, 0);
    X509_CRL_set1_nextUpdate(x, t);
    ASN1_TIME_free(t);
    X509_CRL_sign(x, ca->key, EVP_sha256());
    return x;
}

static void import_with_list(const struct foreign *revoked)
{
    X509_CRL *x = list_of(&vendor, revoked);
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(x, &der);
    struct trust_import ca = { .pem = vendor.pem, .crl = der, .crl_len = (size_t)n };

    import(pki.trust, &ca, 1);
    OPENSSL_free(der);
    X509_CRL_free(x);
}

START_TEST(who_is_on_the_list_is_revoked)
{
    import_with_list(NULL);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "");
    ck_assert(!trust_peer_revoked(pki.trust, &met));
    import_with_list(&device);
    ck_assert(trust_peer_revoked(pki.trust, &met)); /* the session that is up */
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "revoked");
}
END_TEST

START_TEST(a_listed_or_forgotten_peer_does_not_resume)
{
    struct tls_context *listener =
        test_context_aged(TLS_PROFILE_FIELD_12, &server_leaf, pki.trust, 0);
    struct tls_context *agent = test_context_aged(TLS_PROFILE_AGENT, &device.leaf, pki.trust, 0);
    struct tls_pair p;

    import_with_list(NULL);
    for (unsigned i = 0; i < 2; i++) {
        tls_pair_open(&p, agent, listener, "a.example");
        ck_assert_int_eq(p.server_err, EMT_OK);
        ck_assert(tls_conn_resumed(p.server) == (i == 1));
        ck_assert_int_eq(tls_conn_peer(p.server)->origin, TLS_PEER_FOREIGN_CA);
        tls_pair_close(&p);
    }
    if (_i == 0)
        import_with_list(&device);
    else
        import(pki.trust, NULL, 0);
    tls_pair_open(&p, agent, listener, "a.example");
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.server), "revoked");
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
}
END_TEST

START_TEST(a_pinned_certificate_needs_no_ca)
{
    struct foreign self;
    struct trust_import pin = { .pem = self.pem, .pinned = true };

    foreign_make(&self, &(struct foreign_spec){ .name = "alone" });
    meet(TLS_PROFILE_FIELD_12, pki.trust, &self,
         "certificate verify failed: self-signed certificate");
    import(pki.trust, &pin, 1);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &self, "");
    ck_assert_int_eq(met.origin, TLS_PEER_PINNED);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device,
         "certificate verify failed: unable to get local issuer certificate");
    foreign_release(&self);
}
END_TEST

/* A request with these names, for the key of one and signed with that of another. */
static void request(const struct foreign *whose, const struct foreign *signer, const char *o,
                    const char *cn, char out[2048])
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();
    BIO *bio = BIO_new(BIO_s_mem());

    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)o, -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_REQ_set_subject_name(req, name);
    X509_REQ_set_pubkey(req, whose->key);
    ck_assert_int_gt(X509_REQ_sign(req, signer->key, EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_bio_X509_REQ(bio, req), 1);
    int n = BIO_read(bio, out, 2047);
    ck_assert_int_gt(n, 0);
    out[n] = 0;
    BIO_free(bio);
    X509_NAME_free(name);
    X509_REQ_free(req);
}

START_TEST(who_has_the_key_proves_it_for_one_gateway_of_one_tenant)
{
    static const struct {
        const char *o, *cn, *key;
        bool other_key, other_signer;
        enum emt_err err;
        const char *reason;
    } cases[] = {
        { "alpha", "logger-1", NULL, false, false, EMT_OK, "" },
        { "alpha", "logger-1", "rsa:2048", false, false, EMT_OK, "" },
        { "alpha", "logger-1", "brainpoolP256r1", false, false, EMT_OK, "" },
        { "beta", "logger-1", NULL, false, false, EMT_EMALFORMED, "organisation" },
        { "alpha", "logger-2", NULL, false, false, EMT_EMALFORMED, "common name" },
        { "alpha", "logger-1", NULL, true, true, EMT_EAUTH, "another key" },
        { "alpha", "logger-1", NULL, false, true, EMT_EAUTH, "not signed" },
    };
    struct foreign self, other;
    struct emt_diag diag = { 0 };
    char text[2048];

    foreign_make(&self, &(struct foreign_spec){ .name = "x", .key = cases[_i].key });
    foreign_make(&other, &(struct foreign_spec){ .name = "y" });
    request(cases[_i].other_key ? &other : &self, cases[_i].other_signer ? &other : &self,
            cases[_i].o, cases[_i].cn, text);
    ck_assert_int_eq(
        import_proof(self.pem, strlen(self.pem), text, strlen(text), "alpha", "logger-1", &diag),
        cases[_i].err);
    ck_assert_ptr_nonnull(strstr(diag.text, cases[_i].reason));
    foreign_release(&self);
    foreign_release(&other);
}
END_TEST

START_TEST(what_is_no_request_proves_nothing)
{
    const char *texts[] = { "", "nothing", device.pem,
                            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
                            "-----END CERTIFICATE REQUEST-----\n" };
    struct emt_diag diag = { 0 };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_int_eq(import_proof(device.pem, strlen(device.pem), texts[i], strlen(texts[i]),
                                      "alpha", "x", &diag),
                         EMT_EMALFORMED);
}
END_TEST

#define ENCRYPTED(what)                                                                            \
    "-----BEGIN " what "-----\nProc-Type: 4,ENCRYPTED\n"                                           \
    "DEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEF\n\n"                                   \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END " what "-----\n"

/* Who sends such a text must not make the server wait for somebody at its terminal. */
START_TEST(nobody_is_asked_for_a_pass_phrase)
{
    const char cert[] = ENCRYPTED("CERTIFICATE");
    const char csr[] = ENCRYPTED("CERTIFICATE REQUEST");
    const char list[] = ENCRYPTED("X509 CRL");
    struct certificate_facts facts;
    struct emt_diag diag = { 0 };
    struct crl *crl = NULL;
    int left = 0;
    int ends[2];

    setsid(); /* no terminal: OpenSSL turns to the standard input */
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "secret\n", 7), 7);
    ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
    close(ends[1]);
    ck_assert_int_eq(import_check(cert, strlen(cert), IMPORT_AS_CA, 0, &facts, &diag),
                     EMT_EMALFORMED);
    ck_assert_int_eq(
        import_proof(device.pem, strlen(device.pem), csr, strlen(csr), "alpha", "x", &diag),
        EMT_EMALFORMED);
    ck_assert_int_eq(crl_read(list, strlen(list), &crl, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(ioctl(STDIN_FILENO, FIONREAD, &left), 0);
    ck_assert_int_eq(left, 7);
    close(ends[0]);
}
END_TEST

START_TEST(loggers_are_let_in_pinned_and_strong)
{
    static const struct {
        struct foreign_spec spec;
        bool pinned;
        const char *reason;
    } cases[] = {
        { { .name = "rsa", .key = "rsa:2048" }, true, "" },
        { { .name = "ec" }, true, "" },
        { { .name = "rsa-unpinned", .key = "rsa:2048" }, false, "not pinned" },
        { { .name = "short", .key = "rsa:1024" }, true, "certificate verify failed: key too weak" },
        { { .name = "sha1", .key = "rsa:2048", .digest = "SHA1" },
          true,
          "certificate verify failed: signature digest too weak" },
        { { .name = "old", .key = "rsa:2048", .from_s = -7200, .until_s = -60 },
          true,
          "certificate verify failed: certificate has expired" },
        { { .name = "cipher", .key = "rsa:2048", .usage = "critical,keyEncipherment" },
          true,
          "certificate verify failed: key usage does not allow TLS clients" },
    };
    struct foreign f;
    struct trust_import pin = { .pem = f.pem, .pinned = true };

    foreign_make(&f, &cases[_i].spec);
    import(loggers, &pin, cases[_i].pinned ? 1 : 0);
    meet_lax(TLS_PROFILE_LOGGER, loggers, &f, cases[_i].reason);
    foreign_release(&f);
}
END_TEST

/* As our own agent would, with an RSA key. */
START_TEST(an_agent_with_an_rsa_key_serves_as_logger)
{
    struct foreign f;
    struct trust_import pin = { .pem = f.pem, .pinned = true };

    foreign_make(&f, &(struct foreign_spec){ .name = "rsa", .key = "rsa:3072" });
    import(loggers, &pin, 1);
    meet(TLS_PROFILE_LOGGER, loggers, &f, "");
    ck_assert_int_eq(met.origin, TLS_PEER_PINNED);
    foreign_release(&f);
}
END_TEST

START_TEST(a_logger_is_no_gateway_and_a_gateway_no_logger)
{
    struct foreign rsa;
    struct trust_import pin = { .pem = rsa.pem, .pinned = true };
    struct trust_import ca = { .pem = vendor.pem };

    foreign_make(&rsa, &(struct foreign_spec){ .name = "rsa", .key = "rsa:2048" });
    import(pki.trust, &pin, 1); /* even pinned there */
    meet_lax(TLS_PROFILE_FIELD_12, pki.trust, &rsa, NULL);
    import(loggers, &ca, 1); /* a CA is nothing there */
    meet(TLS_PROFILE_LOGGER, loggers, &device, "not pinned");
    foreign_release(&rsa);
}
END_TEST

START_TEST(what_cannot_be_read_is_passed_over)
{
    struct trust_import list[3] = {
        { .pem = "no certificate" },
        { .pem = vendor.pem },
        { .pem = vendor.pem, .crl = (const uint8_t *)"x", .crl_len = 1 }
    };
    struct emt_diag diag = { 0 };
    size_t bad = 0;

    ck_assert_int_eq(trust_set_imports(pki.trust, list, 3, &bad, &diag), EMT_OK);
    ck_assert_uint_eq(bad, 2);
    meet(TLS_PROFILE_FIELD_12, pki.trust, &device, "");
}
END_TEST

/* Offers the session of another name, as a client of ours never would. */
static bool resumes(struct tls_context *listener, struct tls_context *agent, const char *first,
                    const char *second)
{
    struct tls_pair p;
    bool resumed;

    tls_pair_open(&p, agent, listener, first);
    ck_assert_int_eq(p.server_err, EMT_OK);
    tls_pair_talk(&p, 10);
    tls_pair_close(&p);
    memcpy(agent->last_name, second, strlen(second) + 1);
    tls_pair_open(&p, agent, listener, second);
    ck_assert_msg(p.server_err == EMT_OK, "%s", tls_conn_reason(p.server));
    resumed = tls_conn_resumed(p.server);
    tls_pair_close(&p);
    context_forget_session(agent);
    return resumed;
}

START_TEST(a_session_of_one_name_does_not_resume_under_another)
{
    static const enum tls_profile profiles[] = { TLS_PROFILE_FIELD_12, TLS_PROFILE_FIELD_13 };
    struct test_leaf gw;
    struct tls_context *listener, *agent;

    test_leaf_gateway(&gw, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now(), EMT_DAY);
    listener = test_context_aged(profiles[_i], &server_leaf, pki.trust, 0);
    agent = test_context_aged(TLS_PROFILE_AGENT, &gw, pki.trust, 0);
    ck_assert(resumes(listener, agent, "a.example", "a.example"));
    ck_assert(!resumes(listener, agent, "a.example", "b.example"));
    ck_assert(resumes(listener, agent, "b.example", "b.example"));
    tls_context_unref(listener);
    tls_context_unref(agent);
    test_leaf_release(&gw);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import");
    TCase *tc = tcase_create("import");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_vendors_device_is_let_in_once_its_ca_is_imported);
    tcase_add_test(tc, a_ca_of_the_same_name_stands_in_nobodys_way);
    tcase_add_test(tc, an_imported_ca_named_like_ours_changes_nothing_for_our_gateways);
    tcase_add_test(tc, a_ca_as_pinned_by_another_does_not_hide_it);
    tcase_add_test(tc, an_intermediate_ca_may_lie_between);
    tcase_add_test(tc, brainpool_from_a_vendor_works);
    tcase_add_loop_test(tc, what_a_vendor_must_not_send, 0, 6);
    tcase_add_test(tc, who_is_on_the_list_is_revoked);
    tcase_add_loop_test(tc, a_listed_or_forgotten_peer_does_not_resume, 0, 2);
    tcase_add_test(tc, a_pinned_certificate_needs_no_ca);
    tcase_add_loop_test(tc, who_has_the_key_proves_it_for_one_gateway_of_one_tenant, 0, 7);
    tcase_add_test(tc, what_is_no_request_proves_nothing);
    tcase_add_test(tc, nobody_is_asked_for_a_pass_phrase);
    tcase_add_loop_test(tc, loggers_are_let_in_pinned_and_strong, 0, 7);
    tcase_add_test(tc, an_agent_with_an_rsa_key_serves_as_logger);
    tcase_add_test(tc, a_logger_is_no_gateway_and_a_gateway_no_logger);
    tcase_add_test(tc, what_cannot_be_read_is_passed_over);
    tcase_add_loop_test(tc, a_session_of_one_name_does_not_resume_under_another, 0, 2);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
