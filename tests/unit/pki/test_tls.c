#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "tls_fixture.h"
#include "tls_internal.h"

#include <check.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct test_pki pki;
static struct test_leaf server_leaf;
static struct test_leaf gateway_leaf;
/* What the looped tests run over: the listener's profile. */
static const enum tls_profile listeners[] = { TLS_PROFILE_FIELD_12, TLS_PROFILE_FIELD_13 };

static void setup(void)
{
    test_pki_init(&pki);
    test_leaf_server(&server_leaf, pki.servers, KEY_P256, "emt.example,127.0.0.1");
    test_leaf_gateway(&gateway_leaf, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now(), EMT_DAY);
}

static void teardown(void)
{
    test_leaf_release(&server_leaf);
    test_leaf_release(&gateway_leaf);
    test_pki_release(&pki);
}

/* A listener and an agent, as they are in the field. */
struct field {
    struct tls_context *listener, *agent;
};

static struct field field_new(enum tls_profile profile, int64_t age_ms)
{
    return (struct field){ test_context_aged(profile, &server_leaf, pki.trust, age_ms),
                           test_context_aged(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust, 0) };
}

static void field_free(struct field *f)
{
    tls_context_unref(f->listener);
    tls_context_unref(f->agent);
}

/* The server refuses a gateway with this certificate, for this reason; the gateway gets to know. */
static void expect_refusal(enum tls_profile profile, const struct test_leaf *leaf,
                           struct trust *trust, const char *reason)
{
    struct tls_context *listener = test_context(profile, &server_leaf, trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, leaf, pki.trust);
    struct tls_counters counters;
    struct tls_pair p;
    enum tls_wait wait;
    uint8_t byte;
    size_t n;

    tls_pair_open(&p, agent, listener, "emt.example");
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.server), reason);
    ck_assert(!tls_conn_peer(p.server)->present);
    if (p.client_err == EMT_OK) /* TLS 1.3: the client is up before the server has judged */
        p.client_err = tls_conn_read(p.client, &byte, 1, &n, &wait);
    ck_assert_int_eq(p.client_err, EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(tls_conn_reason(p.client), "refused by peer: "));
    ck_assert_int_eq(tls_conn_handshake(p.server, &wait), EMT_EAUTH); /* and stays so */
    ck_assert_int_eq(tls_conn_write(p.server, "x", 1, &n, &wait), EMT_EAUTH);
    tls_context_counters(listener, &counters);
    ck_assert_uint_eq(counters.failed, 1);
    ck_assert_uint_eq(counters.handshakes, 0);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
}

START_TEST(mutual_handshake_tells_who_the_peers_are)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_pair p;

    tls_pair_open(&p, f.agent, f.listener, "emt.example");
    ck_assert_msg(p.server_err == EMT_OK, "%s", tls_conn_reason(p.server));
    ck_assert_msg(p.client_err == EMT_OK, "%s", tls_conn_reason(p.client));
    ck_assert_str_eq(tls_conn_version(p.server), _i == 0 ? "TLSv1.2" : "TLSv1.3");
    ck_assert_str_eq(tls_conn_suite(p.server),
                     _i == 0 ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256");

    const struct tls_peer *peer = tls_conn_peer(p.server);
    uint8_t issuer[32];
    authority_fingerprint(pki.alpha, issuer);
    ck_assert(peer->present);
    ck_assert_str_eq(peer->common_name, "gw-1");
    ck_assert_str_eq(peer->organisation, "alpha");
    ck_assert_str_eq(peer->serial, gateway_leaf.info.serial);
    ck_assert_mem_eq(peer->fingerprint, gateway_leaf.info.fingerprint, 32);
    ck_assert_mem_eq(peer->issuer_key_id, issuer, 32);
    ck_assert_int_eq(peer->not_after, gateway_leaf.info.not_after);
    ck_assert_int_lt(clock_now() - peer->first_handshake, 10 * EMT_SECOND);
    ck_assert_str_eq(tls_conn_peer(p.client)->common_name, "emt.example");
    ck_assert(!tls_conn_resumed(p.server));
    tls_pair_talk(&p, 100000);
    tls_pair_close(&p);
    field_free(&f);
}
END_TEST

START_TEST(a_lost_connection_resumes_with_its_identity)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_counters counters;
    struct tls_pair p;
    emt_time first = 0;

    for (unsigned i = 0; i < 5; i++) {
        tls_pair_open(&p, f.agent, f.listener, "emt.example");
        ck_assert_int_eq(p.server_err, EMT_OK);
        ck_assert_int_eq(p.client_err, EMT_OK);
        ck_assert_int_eq(tls_conn_resumed(p.server), i > 0);
        ck_assert_int_eq(tls_conn_resumed(p.client), i > 0);
        if (i == 0)
            first = tls_conn_peer(p.server)->first_handshake;
        ck_assert_int_eq(tls_conn_peer(p.server)->first_handshake, first);
        ck_assert_str_eq(tls_conn_peer(p.server)->common_name, "gw-1");
        ck_assert_str_eq(tls_conn_peer(p.server)->organisation, "alpha");
        ck_assert_mem_eq(tls_conn_peer(p.server)->fingerprint, gateway_leaf.info.fingerprint, 32);
        ck_assert_str_eq(tls_conn_peer(p.client)->common_name, "emt.example");
        tls_pair_talk(&p, 3000);
        tls_pair_close(&p);
    }
    tls_context_counters(f.listener, &counters);
    ck_assert_uint_eq(counters.handshakes, 5);
    ck_assert_uint_eq(counters.resumed, 4);
    ck_assert_uint_eq(counters.failed, 0);

    /* Under another name there is nothing to resume. */
    tls_pair_open(&p, f.agent, f.listener, "127.0.0.1");
    ck_assert_int_eq(p.client_err, EMT_OK);
    ck_assert(!tls_conn_resumed(p.client));
    tls_pair_close(&p);
    field_free(&f);
}
END_TEST

START_TEST(another_context_does_not_resume)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_context *other = test_context(listeners[_i], &server_leaf, pki.trust);
    struct tls_pair p;

    tls_pair_open(&p, f.agent, f.listener, NULL);
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);
    tls_pair_open(&p, f.agent, other, NULL);
    ck_assert_int_eq(p.server_err, EMT_OK);
    ck_assert(!tls_conn_resumed(p.server));
    tls_pair_close(&p);
    tls_context_unref(other);
    field_free(&f);
}
END_TEST

START_TEST(a_session_past_its_age_is_refused_once_and_then_made_anew)
{
    struct field f = field_new(listeners[_i], 200);
    struct tls_counters counters;
    struct tls_pair p;

    tls_pair_open(&p, f.agent, f.listener, NULL);
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);

    /* Resuming does not make it younger. */
    tls_pair_open(&p, f.agent, f.listener, NULL);
    ck_assert(tls_conn_resumed(p.server));
    ck_assert_int_eq(p.server_err, EMT_OK);
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);
    usleep(250000);

    tls_pair_open(&p, f.agent, f.listener, NULL);
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.server), "expired session");
    ck_assert(!tls_conn_peer(p.server)->present);
    tls_context_counters(f.listener, &counters);
    ck_assert_uint_eq(counters.stale_refused, 1);
    tls_pair_close(&p);

    tls_pair_open(&p, f.agent, f.listener, NULL);
    ck_assert_int_eq(p.server_err, EMT_OK);
    ck_assert(!tls_conn_resumed(p.server));
    tls_pair_close(&p);
    field_free(&f);
}
END_TEST

START_TEST(revocation_counts_for_resumption_too)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_pair p;

    tls_pair_open(&p, f.agent, f.listener, NULL);
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);

    /* Somebody else's revocation changes the epoch and nothing for us. */
    ck_assert_int_eq(
        trust_set_revoked(pki.trust, (const uint8_t(*)[32]) & server_leaf.info.serial, 1), EMT_OK);
    tls_pair_open(&p, f.agent, f.listener, NULL);
    ck_assert_int_eq(p.server_err, EMT_OK);
    ck_assert(tls_conn_resumed(p.server));
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);

    ck_assert_int_eq(
        trust_set_revoked(pki.trust, (const uint8_t(*)[32])gateway_leaf.info.fingerprint, 1),
        EMT_OK);
    tls_pair_open(&p, f.agent, f.listener, NULL);
    ck_assert(tls_conn_resumed(p.server));
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.server), "revoked");
    tls_pair_close(&p);

    for (unsigned i = 0; i < 3; i++) { /* and the way round it, a full handshake, is shut */
        tls_pair_open(&p, f.agent, f.listener, NULL);
        ck_assert_int_eq(p.server_err, EMT_EAUTH);
        ck_assert_str_eq(tls_conn_reason(p.server), "revoked");
        ck_assert(!tls_conn_resumed(p.server));
        tls_pair_close(&p);
    }
    field_free(&f);
}
END_TEST

START_TEST(a_revoked_authority_takes_its_gateways_along)
{
    uint8_t alpha[1][32];

    authority_fingerprint(pki.alpha, alpha[0]);
    ck_assert_int_eq(trust_set_revoked(pki.trust, (const uint8_t(*)[32])alpha, 1), EMT_OK);
    expect_refusal(listeners[_i], &gateway_leaf, pki.trust, "revoked");
}
END_TEST

START_TEST(a_gateway_of_another_platform_is_refused)
{
    struct test_pki other;
    struct test_leaf l;

    test_pki_init(&other);
    test_leaf_gateway(&l, other.alpha, KEY_P256, "alpha", "gw-1", clock_now(), EMT_DAY);
    expect_refusal(listeners[_i], &l, pki.trust,
                   "certificate verify failed: unable to get local issuer certificate");
    test_leaf_release(&l);
    test_pki_release(&other);
}
END_TEST

START_TEST(an_expired_gateway_is_refused)
{
    struct test_leaf l;

    test_leaf_gateway(&l, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now() - 10 * EMT_DAY,
                      EMT_DAY);
    expect_refusal(listeners[_i], &l, pki.trust,
                   "certificate verify failed: certificate has expired");
    test_leaf_release(&l);
    test_leaf_gateway(&l, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now() + EMT_DAY, EMT_DAY);
    expect_refusal(listeners[_i], &l, pki.trust,
                   "certificate verify failed: certificate is not yet valid");
    test_leaf_release(&l);
}
END_TEST

START_TEST(a_session_ends_with_its_certificate)
{
    struct tls_context *listener = test_context(listeners[_i], &server_leaf, pki.trust);
    struct test_leaf l;
    struct tls_pair p;
    emt_time now = clock_now();

    /* Ends between one and two seconds from now. */
    test_leaf_gateway(&l, pki.alpha, KEY_P256, "alpha", "gw-1", now, 2 * EMT_SECOND);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &l, pki.trust);
    tls_pair_open(&p, agent, listener, NULL);
    ck_assert_int_eq(p.server_err, EMT_OK);
    tls_pair_talk(&p, 1);
    tls_pair_close(&p);
    usleep((useconds_t)(l.info.not_after + EMT_SECOND / 10 - clock_now()));
    tls_pair_open(&p, agent, listener, NULL);
    ck_assert(tls_conn_resumed(p.server));
    ck_assert_int_eq(p.server_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.server),
                     "certificate verify failed: certificate has expired");
    tls_pair_close(&p);
    test_leaf_release(&l);
    tls_context_unref(agent);
    tls_context_unref(listener);
}
END_TEST

START_TEST(a_tenant_cannot_name_another_tenant)
{
    struct test_leaf l;

    test_leaf_gateway(&l, pki.alpha, KEY_P256, "beta", "gw-1", clock_now(), EMT_DAY);
    expect_refusal(listeners[_i], &l, pki.trust, "organisation does not match issuer");
    test_leaf_release(&l);
    /* Nor can the server CA, which has no organisation, name one. */
    test_leaf_gateway(&l, pki.servers, KEY_P256, "beta", "gw-1", clock_now(), EMT_DAY);
    expect_refusal(listeners[_i], &l, pki.trust, "organisation does not match issuer");
    test_leaf_release(&l);
}
END_TEST

START_TEST(a_server_certificate_is_no_gateway)
{
    expect_refusal(listeners[_i], &server_leaf, pki.trust,
                   "certificate verify failed: unsuitable certificate purpose");
}
END_TEST

/* A client made of bare OpenSSL, for what our own would never do. alpn: with lengths, or NULL. */
static void raw_client(enum tls_profile profile, const char *alpn, int most_version,
                       enum emt_err expected, const char *reason)
{
    struct tls_context *listener = test_context(profile, &server_leaf, pki.trust);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct tls_pair p;

    SSL_CTX_set_max_proto_version(ctx, most_version);
    SSL_CTX_set_security_level(ctx, 0); /* TLS 1.1 */
    if (alpn)
        SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)alpn, (unsigned)strlen(alpn));
    tls_pair_connect(&p, NULL, listener, NULL);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, p.fd[0]);
    for (unsigned i = 0; i < 20; i++) {
        enum tls_wait wait;
        SSL_connect(ssl);
        if (p.server_err == EMT_EAGAIN)
            p.server_err = tls_conn_handshake(p.server, &wait);
    }
    ck_assert_str_eq(tls_conn_reason(p.server), reason);
    ck_assert_int_eq(p.server_err, expected);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_pair_close(&p);
    tls_context_unref(listener);
}

START_TEST(without_a_client_certificate_there_is_no_field_channel)
{
    raw_client(listeners[_i],
               "\x05"
               "emt/1",
               0, EMT_EAUTH, "no client certificate");
}
END_TEST

START_TEST(renegotiation_is_refused_and_counted)
{
    struct tls_context *listener = test_context(TLS_PROFILE_FIELD_12, &server_leaf, pki.trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust);
    struct tls_counters counters;
    struct tls_pair p;
    enum tls_wait wait;
    uint8_t byte;
    size_t n;

    tls_pair_open(&p, agent, listener, "emt.example");
    ck_assert_int_eq(p.server_err, EMT_OK);
    SSL *ssl = p.client->ssl;
    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    ck_assert_int_eq(SSL_renegotiate(ssl), 1);
    for (unsigned i = 0; i < 5; i++) {
        SSL_do_handshake(ssl);
        ck_assert_int_ne(tls_conn_read(p.server, &byte, 1, &n, &wait), EMT_OK);
    }
    tls_context_counters(listener, &counters);
    ck_assert_uint_eq(counters.renegotiations, 1);
    ck_assert_uint_eq(counters.handshakes, 1); /* there was no second one */
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
}
END_TEST

/* Root of P-256, the tenant's CA and all below it on brainpool, as TR-03116-3 has it. */
START_TEST(a_brainpool_authority_serves_end_to_end)
{
    static const enum key_kind kinds[] = { KEY_BRAINPOOL_P256R1, KEY_BRAINPOOL_P384R1, KEY_P384 };
    struct authority *ca = NULL;
    struct test_leaf server, gateway;
    struct tls_pair p;

    ck_assert_int_eq(authority_new_sub(pki.root, kinds[_i], "alpha", "EMT Tenant CA alpha",
                                       clock_now(), EMT_DAY, &ca, NULL),
                     EMT_OK);
    test_leaf_server(&server, pki.servers, kinds[_i], "emt.example");
    test_leaf_gateway(&gateway, ca, kinds[_i], "alpha", "gw-bp", clock_now(), EMT_HOUR);
    struct tls_context *listener = test_context(TLS_PROFILE_FIELD_12, &server, pki.trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &gateway, pki.trust);
    tls_pair_open(&p, agent, listener, "emt.example");
    ck_assert_msg(p.server_err == EMT_OK, "%s", tls_conn_reason(p.server));
    tls_pair_talk(&p, 1000);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
    test_leaf_release(&server);
    test_leaf_release(&gateway);
    authority_free(ca);
}
END_TEST

START_TEST(without_our_alpn_there_is_no_field_channel)
{
    raw_client(listeners[_i], NULL, 0, EMT_EMALFORMED, "no common alpn");
    raw_client(listeners[_i], "\x08http/1.1\x02h2", 0, EMT_EMALFORMED, "no common alpn");
}
END_TEST

START_TEST(versions_that_do_not_meet_are_named)
{
    struct tls_context *thirteen = test_context(TLS_PROFILE_FIELD_13, &server_leaf, pki.trust);
    struct tls_pair p;

    raw_client(TLS_PROFILE_FIELD_13,
               "\x05"
               "emt/1",
               TLS1_2_VERSION, EMT_EMALFORMED, "no common version");
    raw_client(TLS_PROFILE_FIELD_12,
               "\x05"
               "emt/1",
               TLS1_1_VERSION, EMT_EMALFORMED, "no common version");
    tls_context_unref(thirteen);

    /* A client of TLS 1.3 only at the listener for 1.2. */
    struct tls_context *twelve = test_context(TLS_PROFILE_FIELD_12, &server_leaf, pki.trust);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(ctx,
                            (const uint8_t *)"\x05"
                                             "emt/1",
                            6);
    SSL *ssl = SSL_new(ctx);
    enum tls_wait wait;
    tls_pair_connect(&p, NULL, twelve, NULL);
    SSL_set_fd(ssl, p.fd[0]);
    SSL_connect(ssl);
    ck_assert_int_eq(tls_conn_handshake(p.server, &wait), EMT_EMALFORMED);
    ck_assert_str_eq(tls_conn_reason(p.server), "no common version");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_pair_close(&p);
    tls_context_unref(twelve);
}
END_TEST

/* What a listener says to these bytes as the first ones. */
static void first_bytes(enum tls_profile profile, const void *bytes, size_t n,
                        enum emt_err expected, const char *reason)
{
    struct tls_context *listener = test_context(profile, &server_leaf, pki.trust);
    struct tls_pair p;
    enum tls_wait wait;

    tls_pair_connect(&p, NULL, listener, NULL);
    ck_assert_int_eq(tls_conn_handshake(p.server, &wait), EMT_EAGAIN);
    ck_assert_int_eq(wait, TLS_WAIT_READ);
    ck_assert_int_eq(send(p.fd[0], bytes, n, 0), (ssize_t)n);
    shutdown(p.fd[0], SHUT_WR);
    ck_assert_int_eq(tls_conn_handshake(p.server, &wait), expected);
    ck_assert_str_eq(tls_conn_reason(p.server), reason);
    tls_pair_close(&p);
    tls_context_unref(listener);
}

START_TEST(other_protocols_on_the_port_are_told_apart)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char connect_[] = "CONNECT a:443 HTTP/1.1\r\n\r\n";
    static const uint8_t record[] = { 0x16, 3, 1, 0, 8, 'n', 'o', 't', ' ', 't', 'l', 's', '!' };
    uint8_t noise[512];

    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 167 + 41);
    first_bytes(listeners[_i], get, sizeof get - 1, EMT_EMALFORMED, "http-request");
    first_bytes(listeners[_i], connect_, sizeof connect_ - 1, EMT_EMALFORMED, "http-request");
    first_bytes(listeners[_i], noise, sizeof noise, EMT_EMALFORMED, "not-tls");
    first_bytes(listeners[_i], "\0\0\0\0\0\0\0\0\0\0\0\0", 12, EMT_EMALFORMED, "not-tls");
    first_bytes(listeners[_i], record, sizeof record, EMT_EMALFORMED, "not-tls");
    first_bytes(listeners[_i], "\x16", 1, EMT_EIO, "peer closed");
    first_bytes(listeners[_i], "", 0, EMT_EIO, "peer closed");
}
END_TEST

START_TEST(brainpool_gateways_are_served_on_tls_12)
{
    static const enum key_kind kinds[] = { KEY_P384, KEY_BRAINPOOL_P256R1, KEY_BRAINPOOL_P384R1 };

    for (unsigned i = 0; i < 3; i++) {
        struct test_leaf server, gateway;
        struct tls_pair p;

        test_leaf_server(&server, pki.servers, kinds[i], "emt.example");
        test_leaf_gateway(&gateway, pki.alpha, kinds[i], "alpha", "gw-bp", clock_now(), EMT_DAY);
        struct tls_context *listener = test_context(TLS_PROFILE_FIELD_12, &server, pki.trust);
        struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &gateway, pki.trust);
        for (unsigned round = 0; round < 2; round++) {
            tls_pair_open(&p, agent, listener, "emt.example");
            ck_assert_msg(p.server_err == EMT_OK, "%s", tls_conn_reason(p.server));
            ck_assert_int_eq(tls_conn_resumed(p.server), round == 1);
            ck_assert_str_eq(tls_conn_peer(p.server)->common_name, "gw-bp");
            tls_pair_talk(&p, 1000);
            tls_pair_close(&p);
        }
        tls_context_unref(listener);
        tls_context_unref(agent);
        test_leaf_release(&server);
        test_leaf_release(&gateway);
    }
}
END_TEST

START_TEST(an_agent_refuses_a_server_that_it_does_not_know)
{
    struct test_pki other;
    struct test_leaf l;
    struct tls_pair p;

    test_pki_init(&other);
    test_leaf_server(&l, other.servers, KEY_P256, "emt.example");
    struct tls_context *listener = test_context(listeners[_i], &l, pki.trust);
    struct tls_context *agent = test_context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust);
    tls_pair_open(&p, agent, listener, "emt.example");
    ck_assert_int_eq(p.client_err, EMT_EAUTH);
    ck_assert_str_eq(tls_conn_reason(p.client),
                     "certificate verify failed: unable to get local issuer certificate");
    ck_assert_str_eq(tls_conn_reason(p.server), "refused by peer: tlsv1 alert unknown ca");
    tls_pair_close(&p);
    tls_context_unref(listener);

    /* A gateway's certificate does not make a server. */
    listener = test_context(listeners[_i], &gateway_leaf, pki.trust);
    tls_pair_open(&p, agent, listener, NULL);
    ck_assert_int_eq(p.client_err, EMT_EAUTH);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
    test_leaf_release(&l);
    test_pki_release(&other);
}
END_TEST

START_TEST(the_servers_name_is_checked)
{
    static const struct {
        const char *name;
        enum emt_err expected;
    } names[] = {
        { "emt.example", EMT_OK }, { "EMT.example", EMT_OK },      { "127.0.0.1", EMT_OK },
        { NULL, EMT_OK },          { "evil.example", EMT_EAUTH },  { "127.0.0.2", EMT_EAUTH },
        { "::1", EMT_EAUTH },      { "a.emt.example", EMT_EAUTH },
    };
    struct field f = field_new(listeners[_i], 0);

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct tls_pair p;
        tls_pair_open(&p, f.agent, f.listener, names[i].name);
        ck_assert_msg(p.client_err == names[i].expected, "%s: %s", names[i].name,
                      tls_conn_reason(p.client));
        tls_pair_close(&p);
    }
    field_free(&f);
}
END_TEST

START_TEST(the_end_of_a_connection_is_clean_or_not)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_pair p;
    enum tls_wait wait;
    uint8_t byte;
    size_t n;

    tls_pair_open(&p, f.agent, f.listener, NULL);
    tls_pair_talk(&p, 1);
    tls_conn_shutdown(p.client);
    tls_conn_shutdown(p.client); /* once is sent */
    ck_assert_int_eq(tls_conn_read(p.server, &byte, 1, &n, &wait), EMT_ENOTFOUND);
    ck_assert_int_eq(tls_conn_read(p.server, &byte, 1, &n, &wait), EMT_ENOTFOUND);
    ck_assert_int_eq(tls_conn_write(p.server, "x", 1, &n, &wait), EMT_OK); /* half closed */
    tls_pair_close(&p);

    tls_pair_open(&p, f.agent, f.listener, NULL);
    shutdown(p.fd[0], SHUT_WR);
    ck_assert_int_eq(tls_conn_read(p.server, &byte, 1, &n, &wait), EMT_EIO);
    ck_assert_str_eq(tls_conn_reason(p.server), "peer closed");
    tls_pair_close(&p);

    /* A peer that is gone raises no SIGPIPE, whatever the program does about it. */
    signal(SIGPIPE, SIG_DFL);
    tls_pair_open(&p, f.agent, f.listener, NULL);
    shutdown(p.fd[0], SHUT_RDWR);
    ck_assert_int_eq(tls_conn_write(p.server, "x", 1, &n, &wait), EMT_EIO);
    tls_conn_shutdown(p.server);
    tls_pair_close(&p);
    field_free(&f);
}
END_TEST

START_TEST(damaged_records_end_the_connection)
{
    struct field f = field_new(listeners[_i], 0);
    struct tls_pair p;
    enum tls_wait wait;
    uint8_t raw[200];
    size_t n;

    tls_pair_open(&p, f.agent, f.listener, NULL);
    tls_pair_talk(&p, 1);
    ck_assert_int_eq(tls_conn_write(p.client, "hello", 5, &n, &wait), EMT_OK);
    ssize_t got = recv(p.fd[1], raw, sizeof raw, 0);
    ck_assert_int_gt(got, 10);
    raw[got - 1] ^= 1;
    ck_assert_int_eq(send(p.fd[0], raw, (size_t)got, 0), got);
    ck_assert_int_eq(tls_conn_read(p.server, raw, sizeof raw, &n, &wait), EMT_EMALFORMED);
    ck_assert_uint_eq(n, 0);
    ck_assert_str_ne(tls_conn_reason(p.server), "");
    tls_pair_close(&p);
    field_free(&f);
}
END_TEST

START_TEST(settings_that_cannot_work_are_refused)
{
    struct tls_context *ctx = NULL;
    struct emt_diag diag = { 0 };
    struct tls_settings s = { .profile = TLS_PROFILE_FIELD_12,
                              .trust = pki.trust,
                              .chain_pem = (const char *)server_leaf.chain.data,
                              .chain_len = server_leaf.chain.len,
                              .key_pem = (const char *)gateway_leaf.key.data,
                              .key_len = gateway_leaf.key.len };

    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EAUTH);
    s.key_pem = (const char *)server_leaf.key.data;
    s.key_len = 20;
    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EMALFORMED);
    s.key_len = server_leaf.key.len;
    s.chain_len = 100;
    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EMALFORMED);
    s.chain_len = server_leaf.chain.len;
    s.trust = NULL;
    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EMALFORMED);
    s.profile = TLS_PROFILE_AGENT;
    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EMALFORMED);
    s.profile = TLS_PROFILE_HTTPS;
    s.chain_pem = NULL;
    ck_assert_int_eq(tls_context_new(&s, &ctx, &diag), EMT_EMALFORMED);
    ck_assert_ptr_null(ctx);
    ck_assert_str_ne(diag.text, "");
}
END_TEST

static void add_all(TCase *tc)
{
    enum { N = sizeof listeners / sizeof listeners[0] };

    tcase_add_loop_test(tc, mutual_handshake_tells_who_the_peers_are, 0, N);
    tcase_add_loop_test(tc, a_lost_connection_resumes_with_its_identity, 0, N);
    tcase_add_loop_test(tc, another_context_does_not_resume, 0, N);
    tcase_add_loop_test(tc, a_session_past_its_age_is_refused_once_and_then_made_anew, 0, N);
    tcase_add_loop_test(tc, revocation_counts_for_resumption_too, 0, N);
    tcase_add_loop_test(tc, a_revoked_authority_takes_its_gateways_along, 0, N);
    tcase_add_loop_test(tc, a_gateway_of_another_platform_is_refused, 0, N);
    tcase_add_loop_test(tc, an_expired_gateway_is_refused, 0, N);
    tcase_add_loop_test(tc, a_session_ends_with_its_certificate, 0, N);
    tcase_add_loop_test(tc, a_tenant_cannot_name_another_tenant, 0, N);
    tcase_add_loop_test(tc, a_server_certificate_is_no_gateway, 0, N);
    tcase_add_loop_test(tc, without_a_client_certificate_there_is_no_field_channel, 0, N);
    tcase_add_loop_test(tc, without_our_alpn_there_is_no_field_channel, 0, N);
    tcase_add_test(tc, renegotiation_is_refused_and_counted);
    tcase_add_loop_test(tc, a_brainpool_authority_serves_end_to_end, 0, 3);
    tcase_add_test(tc, versions_that_do_not_meet_are_named);
    tcase_add_loop_test(tc, other_protocols_on_the_port_are_told_apart, 0, N);
    tcase_add_test(tc, brainpool_gateways_are_served_on_tls_12);
    tcase_add_loop_test(tc, an_agent_refuses_a_server_that_it_does_not_know, 0, N);
    tcase_add_loop_test(tc, the_servers_name_is_checked, 0, N);
    tcase_add_loop_test(tc, the_end_of_a_connection_is_clean_or_not, 0, N);
    tcase_add_loop_test(tc, damaged_records_end_the_connection, 0, N);
    tcase_add_test(tc, settings_that_cannot_work_are_refused);
}

int main(void)
{
    Suite *s = suite_create("tls");
    TCase *tc = tcase_create("tls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    add_all(tc);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
