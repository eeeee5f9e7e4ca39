/* One thread, many clients: good ones get through while others are slow, silent or hostile. */
#include "handshake_pool.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki_fixture.h"

#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct test_pki pki;
static struct test_leaf server_leaf, gateway_leaf;
static struct tls_context *server;
static struct handshake_pool *pool;
static atomic_int outcomes[HANDSHAKE_OUTCOMES];
static int owner;

static void on_up(void *o, struct tls_conn *tls, int fd, const char *peer)
{
    if (o == &owner && strcmp(peer, "192.0.2.1") == 0 && tls_conn_peer(tls)->present)
        atomic_fetch_add(&outcomes[HANDSHAKE_OK], 1);
    tls_conn_free(tls);
    close(fd);
}

static void on_failed(void *o, enum handshake_outcome outcome, const char *reason, const char *peer)
{
    (void)o;
    (void)reason;
    (void)peer;
    atomic_fetch_add(&outcomes[outcome], 1);
}

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static void wait_for(enum handshake_outcome o, int count)
{
    for (int i = 0; i < 4000 && atomic_load(&outcomes[o]) < count; i++)
        nap();
    ck_assert_int_eq(atomic_load(&outcomes[o]), count);
}

static struct tls_context *context(enum tls_profile profile, const struct test_leaf *leaf,
                                   struct trust *trust)
{
    struct tls_context *ctx = NULL;
    struct emt_diag diag = { 0 };
    struct tls_settings s = { .profile = profile, .trust = trust };

    if (leaf) {
        s.chain_pem = (const char *)leaf->chain.data;
        s.chain_len = leaf->chain.len;
        s.key_pem = (const char *)leaf->key.data;
        s.key_len = leaf->key.len;
    }
    ck_assert_msg(tls_context_new(&s, &ctx, &diag) == EMT_OK, "%s", diag.text);
    return ctx;
}

static void setup(void)
{
    struct handshake_settings s = { 1, 60, 700, NULL, on_up, on_failed };

    test_pki_init(&pki);
    test_leaf_server(&server_leaf, pki.servers, KEY_P256, "localhost");
    test_leaf_gateway(&gateway_leaf, pki.alpha, KEY_P256, "alpha", "gw-1", clock_now(),
                      30 * EMT_DAY);
    server = context(TLS_PROFILE_FIELD_12, &server_leaf, pki.trust);
    ck_assert_int_eq(handshake_pool_new(&s, &pool), EMT_OK);
}

static void teardown(void)
{
    handshake_pool_free(pool);
    tls_context_unref(server);
    test_leaf_release(&server_leaf);
    test_leaf_release(&gateway_leaf);
    test_pki_release(&pki);
}

/* Our end of a connection that the pool has the other end of. */
static int enter(enum emt_err expected)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ck_assert_int_eq(handshake_pool_add(pool, server, fds[1], "192.0.2.1", &owner), expected);
    if (expected != EMT_OK)
        close(fds[1]);
    return fds[0];
}

/* A client's handshake as far as it gets. */
static void shake(struct tls_context *ctx)
{
    int fd = enter(EMT_OK);
    struct tls_conn *c = tls_conn_connect(ctx, fd, "localhost");
    enum tls_wait wait;
    enum emt_err err;

    while ((err = tls_conn_handshake(c, &wait)) == EMT_EAGAIN) {
        struct pollfd p = { fd, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN, 0 };
        if (poll(&p, 1, 5000) <= 0)
            break;
    }
    tls_conn_free(c);
    close(fd);
    tls_context_unref(ctx);
}

START_TEST(silent_clients_hold_a_slot_and_not_the_thread)
{
    int silent[40];
    int64_t start = clock_mono_ms();

    for (int i = 0; i < 40; i++)
        silent[i] = enter(EMT_OK);
    ck_assert_int_eq((int)send(silent[7], "\x16\x03\x01", 3, 0), 3); /* a slow one */
    shake(context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust));
    wait_for(HANDSHAKE_OK, 1);
    ck_assert_int_lt(clock_mono_ms() - start, 650);
    wait_for(HANDSHAKE_TIMEOUT, 40);
    ck_assert_uint_eq(handshake_pool_count(pool), 0);
    for (int i = 0; i < 40; i++)
        close(silent[i]);
}
END_TEST

START_TEST(what_is_no_tls_is_told_apart)
{
    int http = enter(EMT_OK), garbage = enter(EMT_OK), gone = enter(EMT_OK);

    ck_assert_int_gt((int)send(http, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0), 0);
    ck_assert_int_gt((int)send(garbage, "\x01\x02\x03 nothing of ours at all", 27, 0), 0);
    close(gone);
    wait_for(HANDSHAKE_HTTP, 1);
    wait_for(HANDSHAKE_GARBAGE, 1);
    wait_for(HANDSHAKE_PEER_CLOSED, 1);
    close(http);
    close(garbage);
}
END_TEST

START_TEST(who_left_while_waiting_costs_no_handshake)
{
    struct tls_context *ctx = context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust);
    struct tls_counters counters;
    enum tls_wait wait;

    for (int i = 0; i < 10; i++) {
        int fds[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        struct tls_conn *c = tls_conn_connect(ctx, fds[0], "localhost");
        ck_assert_int_eq(tls_conn_handshake(c, &wait), EMT_EAGAIN); /* its ClientHello is there */
        tls_conn_free(c);
        close(fds[0]);
        ck_assert_int_eq(handshake_pool_add(pool, server, fds[1], "192.0.2.1", &owner), EMT_OK);
    }
    wait_for(HANDSHAKE_PEER_CLOSED, 10);
    tls_context_counters(server, &counters);
    ck_assert_uint_eq(counters.failed, 0); /* none was begun */
    tls_context_unref(ctx);
}
END_TEST

START_TEST(a_foreign_certificate_is_bad)
{
    struct test_pki other;
    struct test_leaf leaf;

    test_pki_init(&other);
    test_leaf_gateway(&leaf, other.alpha, KEY_P256, "alpha", "gw-1", clock_now(), 30 * EMT_DAY);
    shake(context(TLS_PROFILE_AGENT, &leaf, pki.trust));
    wait_for(HANDSHAKE_BAD_CERTIFICATE, 1);
    test_leaf_release(&leaf);
    test_pki_release(&other);
}
END_TEST

START_TEST(a_revoked_certificate_is_named)
{
    ck_assert_int_eq(
        trust_set_revoked(pki.trust, (const uint8_t(*)[32])gateway_leaf.info.fingerprint, 1),
        EMT_OK);
    shake(context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust));
    wait_for(HANDSHAKE_REVOKED, 1);
}
END_TEST

START_TEST(near_the_limit_the_silent_give_way)
{
    struct handshake_settings s = { 1, 60, 2000, NULL, on_up, on_failed };
    int silent[60];

    handshake_pool_free(pool);
    ck_assert_int_eq(handshake_pool_new(&s, &pool), EMT_OK);
    for (int i = 0; i < 60; i++)
        silent[i] = enter(EMT_OK);
    wait_for(HANDSHAKE_QUEUE_FULL, 15);
    ck_assert_int_eq(atomic_load(&outcomes[HANDSHAKE_TIMEOUT]), 0);
    shake(context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust));
    wait_for(HANDSHAKE_OK, 1);
    for (int i = 0; i < 60; i++)
        close(silent[i]);
}
END_TEST

/* Those who have begun keep their place. */
START_TEST(beyond_the_limit_nobody_gets_in)
{
    struct tls_context *ctx = context(TLS_PROFILE_AGENT, &gateway_leaf, pki.trust);
    struct tls_conn *begun[60];
    enum tls_wait wait;
    int fds[60][2];

    for (int i = 0; i < 60; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]), 0);
        begun[i] = tls_conn_connect(ctx, fds[i][0], "localhost");
        ck_assert_int_eq(tls_conn_handshake(begun[i], &wait), EMT_EAGAIN);
        ck_assert_int_eq(handshake_pool_add(pool, server, fds[i][1], "192.0.2.1", &owner), EMT_OK);
    }
    close(enter(EMT_ELIMIT));
    for (int i = 0; i < 60; i++) {
        tls_conn_free(begun[i]);
        close(fds[i][0]);
    }
    wait_for(HANDSHAKE_PEER_CLOSED, 60);
    shake(ctx);
    wait_for(HANDSHAKE_OK, 1);
}
END_TEST

START_TEST(stopping_ends_what_is_under_way)
{
    struct handshake_settings s = { 2, 60, 60000, NULL, on_up, on_failed };
    struct handshake_pool *other;
    int fds[2];

    ck_assert_int_eq(handshake_pool_new(&s, &other), EMT_OK);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ck_assert_int_eq(handshake_pool_add(other, server, fds[1], "192.0.2.1", &owner), EMT_OK);
    handshake_pool_free(other);
    ck_assert_int_eq(atomic_load(&outcomes[HANDSHAKE_STOPPED]), 1);
    close(fds[0]);
}
END_TEST

START_TEST(failures_are_judged_by_error_and_reason)
{
    ck_assert_int_eq(handshake_judge(EMT_EAUTH, "no client certificate"), HANDSHAKE_NO_CERTIFICATE);
    ck_assert_int_eq(handshake_judge(EMT_EAUTH, "no common name"), HANDSHAKE_BAD_CERTIFICATE);
    ck_assert_int_eq(handshake_judge(EMT_EMALFORMED, "no common alpn"), HANDSHAKE_NO_ALPN);
    ck_assert_int_eq(handshake_judge(EMT_EMALFORMED, "no common version"), HANDSHAKE_NO_COMMON);
    static const struct {
        const char *reason;
        enum handshake_outcome outcome;
    } certificates[] = {
        { "revoked", HANDSHAKE_REVOKED },
        { "expired session", HANDSHAKE_STALE },
        { "not pinned", HANDSHAKE_NOT_PINNED },
        { "certificate verify failed: certificate has expired", HANDSHAKE_EXPIRED },
        { "certificate verify failed: certificate is not yet valid", HANDSHAKE_NOT_YET_VALID },
        { "organisation does not match issuer", HANDSHAKE_WRONG_TENANT },
        { "certificate verify failed: self-signed certificate", HANDSHAKE_SELF_SIGNED },
        { "certificate verify failed: CA signature digest algorithm too weak",
          HANDSHAKE_WEAK_DIGEST },
        { "certificate verify failed: signature digest too weak", HANDSHAKE_WEAK_DIGEST },
        { "certificate verify failed: EE certificate key too weak", HANDSHAKE_WEAK },
        { "certificate verify failed: key type or curve not allowed", HANDSHAKE_WEAK_CURVE },
        { "certificate on a curve that is not allowed", HANDSHAKE_WEAK_CURVE },
        { "certificate verify failed: key usage is not digitalSignature alone",
          HANDSHAKE_WRONG_USAGE },
        { "certificate verify failed: Key usage keyCertSign invalid for non-CA cert",
          HANDSHAKE_WRONG_USAGE },
        { "certificate verify failed: unsuitable certificate purpose", HANDSHAKE_WRONG_USAGE },
    };
    for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++)
        ck_assert_int_eq(handshake_judge(EMT_EAUTH, certificates[i].reason),
                         certificates[i].outcome);
    ck_assert_int_eq(handshake_judge(EMT_EMALFORMED, "not-tls"), HANDSHAKE_GARBAGE);
    ck_assert_int_eq(handshake_judge(EMT_EAUTH, "refused by peer: unknown ca"), HANDSHAKE_REFUSED);
    ck_assert_int_eq(handshake_judge(EMT_EIO, "peer closed"), HANDSHAKE_PEER_CLOSED);
    ck_assert_int_eq(handshake_judge(EMT_ENOMEM, ""), HANDSHAKE_BROKEN);
    for (int i = 0; i < HANDSHAKE_OUTCOMES; i++)
        ck_assert_ptr_nonnull(handshake_outcome_name((enum handshake_outcome)i));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("handshake_pool");
    TCase *c = tcase_create("handshake_pool");
    SRunner *r;
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, silent_clients_hold_a_slot_and_not_the_thread);
    tcase_add_test(c, what_is_no_tls_is_told_apart);
    tcase_add_test(c, who_left_while_waiting_costs_no_handshake);
    tcase_add_test(c, a_foreign_certificate_is_bad);
    tcase_add_test(c, a_revoked_certificate_is_named);
    tcase_add_test(c, near_the_limit_the_silent_give_way);
    tcase_add_test(c, beyond_the_limit_nobody_gets_in);
    tcase_add_test(c, stopping_ends_what_is_under_way);
    tcase_add_test(c, failures_are_judged_by_error_and_reason);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
