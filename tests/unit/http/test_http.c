/* Requests and their answers. */
#include "http_fixture.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(a_request_arrives_as_sent_over_tls)
{
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo/a%20b?x=1%262&empty&y=", "X-Thing: Straße\r\n", NULL, 200, &a);
    ck_assert_str_eq(a.body, "GET /echo/a b from 127.0.0.1\nx=1&2\nempty=\ny=\nthing Straße\n");
    const char *id = strstr(a.head, "X-Request-Id: ");
    ck_assert_ptr_nonnull(id);
    ck_assert_uint_eq(strspn(id + 14, "0123456789abcdef"), 16);
    answer_release(&a);
    client_ask(&c, "POST", "/echo", "", "hello", 200, &a);
    ck_assert_str_eq(a.body, "POST /echo from 127.0.0.1\nthing (none)\nhello");
    answer_release(&a);
    client_ask(&c, "PURGE", "/echo", "", NULL, 200, &a);
    ck_assert_str_eq(a.body, "OTHER /echo from 127.0.0.1\nthing (none)\n");
    answer_release(&a);
    client_ask(&c, "DELETE", "/nothing", "", NULL, 204, NULL);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(plain_http_where_tls_is_not_asked_for)
{
    struct http_server *s = http_fixture_server_with((struct http_settings){ 0 });
    struct client c;
    struct answer a;

    client_open(&c, http_server_port(s, 0), NULL);
    client_ask(&c, "GET", "/echo", "", NULL, 200, &a);
    ck_assert_str_eq(a.body, "GET /echo from 127.0.0.1\nthing (none)\n");
    answer_release(&a);
    client_ask(&c, "GET", "/big?n=3000000", "", NULL, 200, &a);
    ck_assert_uint_eq(a.body_len, 3000000);
    answer_release(&a);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(a_connection_carries_many_requests)
{
    struct http_server *s = http_fixture_server();
    struct http_counters counters;
    struct client c;

    http_fixture_client(&c, s);
    for (unsigned i = 0; i < 100; i++)
        client_ask(&c, i % 2 ? "GET" : "POST", "/echo", "", i % 2 ? NULL : "body", 200, NULL);
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.connections, 1);
    ck_assert_uint_eq(counters.requests, 100);
    http_server_stop(s);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    http_fixture_client(&c, s);
    for (unsigned i = 0; i < 10; i++) {
        char text[64];
        snprintf(text, sizeof text, "GET /%u HTTP/1.1\r\nHost: x\r\n\r\n", i);
        client_text(&c, text);
    }
    for (unsigned i = 0; i < 10; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "GET /%u from", i);
        ck_assert(client_read(&c, false, &a));
        ck_assert_int_eq(strncmp(a.body, expected, strlen(expected)), 0);
        answer_release(&a);
    }
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(head_has_the_length_and_no_body)
{
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    http_fixture_client(&c, s);
    client_ask(&c, "HEAD", "/big?n=12345", "", NULL, 200, &a);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Length: 12345\r\n"));
    answer_release(&a);
    client_ask(&c, "GET", "/echo", "", NULL, 200, &a);
    ck_assert_int_eq(strncmp(a.body, "GET /echo", 9), 0);
    answer_release(&a);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

/* Both ways more than all buffers between hold. */
START_TEST(large_bodies_pass_unharmed)
{
    struct http_server *s = http_fixture_server();
    size_t n = 7u << 20;
    char *body = malloc(n + 1);
    char text[128];
    struct client c;
    struct answer a;

    for (size_t i = 0; i < n; i++)
        body[i] = (char)('A' + i * 7 % 61 + i / 4099 % 3);
    http_fixture_client(&c, s);
    for (unsigned round = 0; round < 2; round++) {
        snprintf(text, sizeof text, "PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 n);
        client_text(&c, text);
        client_send(&c, body, n);
        ck_assert(client_read(&c, false, &a));
        ck_assert_uint_eq(a.status, 200);
        ck_assert_uint_eq(a.body_len, n);
        ck_assert_mem_eq(a.body, body, n);
        answer_release(&a);
    }
    free(body);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(bodies_beyond_the_limit_are_413)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .body_max = 1000 });
    struct http_counters counters;
    char piece[600];
    struct client c;
    struct answer a;

    memset(piece, 'z', sizeof piece);
    piece[599] = 0;
    http_fixture_client(&c, s);
    client_ask(&c, "POST", "/echo", "", piece, 200, NULL);
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 413);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: application/problem+json"));
    ck_assert_ptr_nonnull(strstr(a.body, "\"status\":413"));
    answer_release(&a);
    client_close(&c);

    /* Without a length it shows on the way. */
    http_fixture_client(&c, s);
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 2; i++) {
        client_text(&c, "257\r\n");
        client_send(&c, piece, 599);
        client_text(&c, "\r\n");
    }
    client_text(&c, "0\r\n\r\n");
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 413);
    answer_release(&a);
    client_close(&c);

    /* And who does not stop is cut off. */
    http_fixture_client(&c, s);
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 20; i++) {
        client_text(&c, "257\r\n");
        client_send(&c, piece, 599);
        client_text(&c, "\r\n");
    }
    ck_assert(!client_read(&c, false, &a) || a.status == 413);
    answer_release(&a);
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_ge(counters.body_too_large, 2);
    http_server_stop(s);
}
END_TEST

START_TEST(a_full_queue_is_503)
{
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .workers = 1, .queue = 1 });
    struct http_counters counters;
    struct client busy[2], c;
    struct answer a;

    for (unsigned i = 0; i < 2; i++) {
        http_fixture_client(&busy[i], s);
        client_text(&busy[i], "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 0)
            gate_await(1);
    }
    usleep(100000); /* the second one is in the queue */
    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 503, &a);
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: 1\r\n"));
    answer_release(&a);
    gate_set(true);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(client_read(&busy[i], false, &a));
        ck_assert_uint_eq(a.status, 200);
        answer_release(&a);
        client_close(&busy[i]);
    }
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL); /* the connection lived on */
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.rejected_busy, 1);
    ck_assert_uint_eq(counters.responses_5xx, 1);
    http_server_stop(s);
}
END_TEST

START_TEST(a_tenant_beyond_its_share_is_429_and_others_are_served)
{
    struct http_server *s = http_fixture_server_with((struct http_settings){
        .tls = http_fixture.server_tls, .workers = 2, .tenant_share = 1, .tenant_queue = 1 });
    struct http_counters counters;
    struct client busy[2], c;
    struct answer a;

    for (unsigned i = 0; i < 2; i++) {
        http_fixture_client(&busy[i], s);
        client_text(&busy[i], "GET /block HTTP/1.1\r\nHost: x\r\nX-Tenant: 7\r\n\r\n");
        if (i == 0)
            gate_await(1);
    }
    usleep(100000);
    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "X-Tenant: 7\r\n", NULL, 429, &a);
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: 1\r\n"));
    answer_release(&a);
    client_ask(&c, "GET", "/echo", "X-Tenant: 8\r\n", NULL, 200, NULL);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    gate_set(true);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(client_read(&busy[i], false, &a));
        ck_assert_uint_eq(a.status, 200);
        answer_release(&a);
        client_close(&busy[i]);
    }
    client_ask(&c, "GET", "/echo", "X-Tenant: 7\r\n", NULL, 200, NULL);
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.rejected_share, 1);
    http_server_stop(s);
}
END_TEST

START_TEST(a_slow_handler_does_not_hold_up_the_others)
{
    struct http_server *s = http_fixture_server();
    struct client slow, c;
    struct answer a;

    http_fixture_client(&slow, s);
    client_text(&slow, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    gate_await(1);
    http_fixture_client(&c, s);
    for (unsigned i = 0; i < 50; i++)
        client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    gate_set(true);
    ck_assert(client_read(&slow, false, &a));
    ck_assert_uint_eq(a.status, 200);
    answer_release(&a);
    client_close(&slow);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(a_slow_reader_does_not_hold_up_the_others)
{
    struct http_server *s = http_fixture_server();
    struct client slow, c;
    struct answer a;

    http_fixture_client(&slow, s);
    client_text(&slow, "GET /big?n=20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(100000); /* its buffers are full */
    http_fixture_client(&c, s);
    for (unsigned i = 0; i < 50; i++)
        client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    ck_assert(client_read(&slow, false, &a));
    ck_assert_uint_eq(a.body_len, 20000000);
    ck_assert_uint_eq(strspn(a.body, "x"), 20000000);
    answer_release(&a);
    client_close(&slow);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(a_failing_handler_is_500_and_shows_nothing_of_its_own)
{
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/fail", "", NULL, 500, &a);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: application/problem+json\r\n"));
    ck_assert_ptr_nonnull(strstr(a.body, "\"status\":500"));
    ck_assert_ptr_null(strstr(a.body, "half an answer"));
    answer_release(&a);
    client_ask(&c, "GET", "/big?n=99999999", "", NULL, 500, NULL); /* beyond the answer's limit */
    client_ask(&c, "GET", "/inject", "", NULL, 200, &a);
    ck_assert_ptr_null(strstr(a.head, "Evil"));
    answer_release(&a);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(without_a_worker_the_answer_is_503_until_there_is_one)
{
    atomic_store(&http_fixture.no_worker, true);
    struct http_server *s = http_fixture_server_with(
        (struct http_settings){ .tls = http_fixture.server_tls, .workers = 1 });
    struct client c;

    http_fixture_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 503, NULL);
    atomic_store(&http_fixture.no_worker, false);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(targets_that_could_be_misread_are_400)
{
    static const char *const bad[] = { "/a%00b",           "/a?x=%00", "*",
                                       "http://evil/echo", "/a%2Fb",   "/a%2fb?x=1" };
    struct http_server *s = http_fixture_server();
    struct client c;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        http_fixture_client(&c, s);
        client_ask(&c, "GET", bad[i], "", NULL, 400, NULL);
        client_close(&c);
    }
    http_server_stop(s);
}
END_TEST

START_TEST(requests_with_two_ends_are_400_and_the_connection_ends)
{
    static const char *const bad[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /echo HTTP/1.1\r\n\r\n",
    };
    struct http_server *s = http_fixture_server();
    struct client c;
    struct answer a;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        http_fixture_client(&c, s);
        client_text(&c, bad[i]);
        ck_assert(client_read(&c, false, &a));
        ck_assert_uint_eq(a.status, 400);
        answer_release(&a);
        client_close(&c);
    }
    http_fixture_client(&c, s);
    client_text(&c, "GET /echo HTTP/1.0\r\n\r\n");
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 200);
    answer_release(&a);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http");
    TCase *tc = tcase_create("server");

    tcase_add_checked_fixture(tc, http_fixture_setup, http_fixture_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_request_arrives_as_sent_over_tls);
    tcase_add_test(tc, plain_http_where_tls_is_not_asked_for);
    tcase_add_test(tc, a_connection_carries_many_requests);
    tcase_add_test(tc, pipelined_requests_are_answered_in_order);
    tcase_add_test(tc, head_has_the_length_and_no_body);
    tcase_add_test(tc, large_bodies_pass_unharmed);
    tcase_add_test(tc, bodies_beyond_the_limit_are_413);
    tcase_add_test(tc, a_full_queue_is_503);
    tcase_add_test(tc, a_tenant_beyond_its_share_is_429_and_others_are_served);
    tcase_add_test(tc, a_slow_handler_does_not_hold_up_the_others);
    tcase_add_test(tc, a_slow_reader_does_not_hold_up_the_others);
    tcase_add_test(tc, a_failing_handler_is_500_and_shows_nothing_of_its_own);
    tcase_add_test(tc, without_a_worker_the_answer_is_503_until_there_is_one);
    tcase_add_test(tc, targets_that_could_be_misread_are_400);
    tcase_add_test(tc, requests_with_two_ends_are_400_and_the_connection_ends);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
