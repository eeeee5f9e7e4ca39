/* Connections: how they begin, how many there are, how they end. */
#include "http_fixture.h"
#include "pki/tls_conn.h"

#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(what_is_not_tls_is_counted_and_closed)
{
    static const char *const lines[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                         "\x01\x02\x03garbage garbage garbage" };
    struct http_server *s = http_fixture_server();
    struct http_counters counters;
    struct client c;

    for (unsigned i = 0; i < 2; i++) {
        struct client raw = { .fd = client_socket(http_server_port(s, 0)) };
        client_text(&raw, lines[i]);
        struct answer a;
        ck_assert(!client_read(&raw, false, &a)); /* an alert at most, then the end */
        client_close(&raw);
    }
    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.handshake_failed, 2);
    http_server_stop(s);
}
END_TEST

START_TEST(who_does_not_shake_hands_is_closed_in_time)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .handshake_s = 1 });
    struct http_counters counters;
    struct client raw = { .fd = client_socket(http_server_port(s, 0)) };

    ck_assert(!client_ended(&raw, 500));
    ck_assert(client_ended(&raw, 5000));
    client_close(&raw);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.handshake_failed, 1);
    http_server_stop(s);
}
END_TEST

START_TEST(idle_connections_are_closed_in_time)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .idle_s = 1 });
    struct client c;

    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    ck_assert(client_ended(&c, 10000));
    client_close(&c);
    /* Also in the middle of a request. */
    http_fixture_client(&c, s);
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le");
    ck_assert(client_ended(&c, 10000));
    client_close(&c);
    http_server_stop(s);
}
END_TEST

static unsigned open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

START_TEST(many_connections_leave_nothing_behind)
{
    struct http_server *s = http_fixture_server();
    unsigned before = 0;
    struct client c;

    for (unsigned i = 0; i < 300; i++) {
        if (i == 20)
            before = open_descriptors();
        http_fixture_client(&c, s);
        if (i % 3 != 2)
            client_ask(&c, "GET", "/echo", i % 3 == 1 ? "Connection: close\r\n" : "", NULL, 200,
                       NULL);
        if (i % 5 == 4)
            client_drop(&c);
        else
            client_close(&c);
    }
    unsigned after = 0;
    for (unsigned i = 0; i < 50; i++) {
        after = open_descriptors();
        if (after <= before + 2)
            break;
        usleep(100000);
    }
    ck_assert_uint_le(after, before + 2);
    http_server_stop(s);
}
END_TEST

START_TEST(a_client_that_vanishes_harms_nobody)
{
    struct http_server *s = http_fixture_server();
    struct client c;

    for (unsigned i = 0; i < 8; i++) {
        http_fixture_client(&c, s);
        client_text(&c, i % 2 ? "GET /big?n=9000000 HTTP/1.1\r\nHost: x\r\n\r\n"
                              : "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2 == 0)
            gate_await(i / 2 + 1 < 4 ? i / 2 + 1 : 4);
        client_drop(&c);
    }
    gate_set(true);
    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(a_client_may_close_its_side_first)
{
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    http_fixture_client(&c, s);
    client_text(&c, "GET /block HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    gate_await(1);
    tls_conn_shutdown(c.tls);
    usleep(50000);
    gate_set(true);
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 200);
    answer_release(&a);
    ck_assert(client_ended(&c, 5000));
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(connections_beyond_the_limit_are_closed)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .connections = 3 });
    struct http_counters counters;
    struct client c[3];

    for (unsigned i = 0; i < 3; i++) {
        http_fixture_client(&c[i], s);
        client_ask(&c[i], "GET", "/echo", "", NULL, 200, NULL);
    }
    struct client more = { .fd = client_socket(http_server_port(s, 0)) };
    ck_assert(client_ended(&more, 5000));
    client_close(&more);
    for (unsigned i = 0; i < 3; i++) {
        client_ask(&c[i], "GET", "/echo", "", NULL, 200, NULL);
        client_close(&c[i]);
    }
    usleep(200000);
    http_fixture_client(&more, s);
    client_ask(&more, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&more);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.rejected_busy, 1);
    http_server_stop(s);
}
END_TEST

/* Stops the server in a thread of its own. */
static void *stop_main(void *arg)
{
    http_server_stop(arg);
    return NULL;
}

START_TEST(stopping_lets_running_requests_finish)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .threads = 2 });
    struct client c, idle;
    struct answer a;
    pthread_t helper;

    http_fixture_client(&idle, s);
    client_ask(&idle, "GET", "/echo", "", NULL, 200, NULL);
    http_fixture_client(&c, s);
    client_text(&c, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    gate_await(1);
    pthread_create(&helper, NULL, stop_main, s);
    usleep(300000);
    gate_set(true);
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.head, "Connection: close"));
    answer_release(&a);
    ck_assert(client_ended(&c, 5000));
    ck_assert(client_ended(&idle, 5000));
    client_close(&c);
    client_close(&idle);
    pthread_join(helper, NULL);
}
END_TEST

START_TEST(stopping_answers_those_who_wait)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .workers = 1 });
    struct client c[3];
    struct answer a;
    pthread_t helper;

    for (unsigned i = 0; i < 3; i++) {
        http_fixture_client(&c[i], s);
        client_text(&c[i], "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 0)
            gate_await(1);
    }
    usleep(100000);
    pthread_create(&helper, NULL, stop_main, s);
    usleep(5500000); /* the time that requests are given */
    gate_set(true);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(client_read(&c[i], false, &a));
        ck_assert_uint_eq(a.status, i == 0 ? 200 : 503);
        answer_release(&a);
        client_close(&c[i]);
    }
    pthread_join(helper, NULL);
}
END_TEST

START_TEST(stopping_ends_unfinished_business)
{
    struct http_server *s = http_fixture_server();
    struct client half, upload, reader;
    int silent = client_socket(http_server_port(s, 0));

    http_fixture_client(&half, s);
    client_text(&half, "GET /echo HTT");
    http_fixture_client(&upload, s);
    client_text(&upload, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nabc");
    http_fixture_client(&reader, s);
    client_text(&reader, "GET /big?n=20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(100000);
    http_server_stop(s);
    close(silent);
    client_close(&half);
    client_close(&upload);
    client_close(&reader);
}
END_TEST

/* Hands the server ever new connections until told to stop. */
struct knocker {
    uint16_t port;
    atomic_bool stop;
};

static void *knock_main(void *arg)
{
    struct knocker *k = arg;

    while (!atomic_load(&k->stop)) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(k->port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        /* Refused once the server is gone. */
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof sa) == 0)
            (void)!write(fd, "GET /echo HTTP/1.1\r\n", 20);
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

START_TEST(connections_that_arrive_while_it_stops_harm_nobody)
{
    for (unsigned i = 0; i < 40; i++) {
        struct http_server *s = http_fixture_server_with((struct http_settings){ 0 });
        struct knocker k = { .port = http_server_port(s, 0) };
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, knock_main, &k), 0);
        usleep(1000);
        http_server_stop(s);
        atomic_store(&k.stop, true);
        pthread_join(thread, NULL);
    }
}
END_TEST

START_TEST(a_new_certificate_counts_from_the_next_handshake)
{
    struct http_server *s = http_fixture_server();
    struct tls_context *other = http_fixture_context(TLS_PROFILE_HTTPS, "localhost,other.example");
    struct client before, after;
    char old_serial[65];

    http_fixture_client(&before, s);
    memcpy(old_serial, tls_conn_peer(before.tls)->serial, sizeof old_serial);
    http_server_set_tls(s, other);
    tls_context_unref(other);
    client_ask(&before, "GET", "/echo", "", NULL, 200, NULL);
    http_fixture_client(&after, s);
    client_ask(&after, "GET", "/echo", "", NULL, 200, NULL);
    ck_assert_str_ne(tls_conn_peer(after.tls)->serial, old_serial);
    client_close(&before);
    client_close(&after);
    http_server_stop(s);
}
END_TEST

START_TEST(ipv6_peers_are_named_as_such)
{
    static const char *const both[] = { "127.0.0.1:0", "[::1]:0" };
    struct http_settings settings = { .tls = http_fixture.server_tls,
                                      .listen = both,
                                      .nlisten = 2 };
    struct http_server *s = NULL;
    struct emt_diag diag = { 0 };
    struct client c;
    struct answer a;

    if (http_server_start(&settings, &http_fixture_handler, &s, &diag) != EMT_OK) {
        printf("ipv6_peers_are_named_as_such: skipped, no ::1 on this machine (%s)\n", diag.text);
        return;
    }
    client_open_v6(&c, http_server_port(s, 1), http_fixture.client_tls);
    client_ask(&c, "GET", "/echo", "", NULL, 200, &a);
    ck_assert_str_eq(a.body, "GET /echo from ::1\nthing (none)\n");
    answer_release(&a);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(addresses_that_are_none_are_named)
{
    static const char *const bad[] = {
        "",        "127.0.0.1", "127.0.0.1:",   "127.0.0.1:99999", "localhost:80", "::1:80",
        "[::1]80", "[::1:80",   "127.0.0.1:+1", "1.2.3.4.5:1",     "127.0.0.1:1x"
    };
    struct http_server *s = NULL;
    struct emt_diag diag;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_settings settings = { .listen = &bad[i], .nlisten = 1 };
        diag = (struct emt_diag){ 0 };
        ck_assert_msg(http_server_start(&settings, &http_fixture_handler, &s, &diag) ==
                          EMT_EMALFORMED,
                      "'%s' was taken", bad[i]);
        ck_assert_str_ne(diag.text, "");
    }

    struct http_server *first = http_fixture_server();
    char taken[32];
    const char *list[] = { taken };
    snprintf(taken, sizeof taken, "127.0.0.1:%u", http_server_port(first, 0));
    struct http_settings settings = { .listen = list, .nlisten = 1 };
    ck_assert_int_eq(http_server_start(&settings, &http_fixture_handler, &s, &diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, taken));
    http_server_stop(first);
    http_server_stop(NULL);
}
END_TEST

static void *hammer(void *arg)
{
    struct http_server *s = arg;
    struct client c;

    for (unsigned i = 0; i < 4; i++) {
        http_fixture_client(&c, s);
        for (unsigned k = 0; k < 25; k++)
            client_ask(&c, "POST", "/echo", "", "some body", 200, NULL);
        client_close(&c);
    }
    return NULL;
}

START_TEST(several_threads_serve_several_clients)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .threads = 3, .workers = 3 });
    struct http_counters counters;
    pthread_t clients[8];

    for (unsigned i = 0; i < 8; i++)
        pthread_create(&clients[i], NULL, hammer, s);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(clients[i], NULL);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.requests, 800);
    ck_assert_uint_eq(counters.connections, 32);
    ck_assert_uint_eq(counters.responses_5xx, 0);
    http_server_stop(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_connections");
    TCase *tc = tcase_create("server");

    tcase_add_checked_fixture(tc, http_fixture_setup, http_fixture_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_not_tls_is_counted_and_closed);
    tcase_add_test(tc, who_does_not_shake_hands_is_closed_in_time);
    tcase_add_test(tc, idle_connections_are_closed_in_time);
    tcase_add_test(tc, many_connections_leave_nothing_behind);
    tcase_add_test(tc, a_client_that_vanishes_harms_nobody);
    tcase_add_test(tc, a_client_may_close_its_side_first);
    tcase_add_test(tc, connections_beyond_the_limit_are_closed);
    tcase_add_test(tc, stopping_lets_running_requests_finish);
    tcase_add_test(tc, stopping_answers_those_who_wait);
    tcase_add_test(tc, stopping_ends_unfinished_business);
    tcase_add_test(tc, connections_that_arrive_while_it_stops_harm_nobody);
    tcase_add_test(tc, a_new_certificate_counts_from_the_next_handshake);
    tcase_add_test(tc, ipv6_peers_are_named_as_such);
    tcase_add_test(tc, addresses_that_are_none_are_named);
    tcase_add_test(tc, several_threads_serve_several_clients);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
