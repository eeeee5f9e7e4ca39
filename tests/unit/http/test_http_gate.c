/* What passes to the library and what does not, whole and in pieces. */
#include "http_gate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    const char *text;
    unsigned status; /* 0: passes as it is */
};

#define HOST "Host: a\r\n"

static const struct sample samples[] = {
    { "GET / HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET / HTTP/1.0\r\n\r\n", 0 },
    { "GET /a%20b?c=%2F&d HTTP/1.1\r\nhost:a:8443\r\nX-A:\t b \r\n\r\n", 0 },
    { "GET /a.b/..c/...?x=/../ HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0000001\r\n"
      "x\r\n0\r\n\r\n",
      0 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\n" HOST "\r\n", 0 },

    /* Two ends (RFC 9112, 6.3 and 11.2). */
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
      "chunked\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
      501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      400 },
    { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },

    /* Lines (2.2, 5.1, 5.2). */
    { "GET / HTTP/1.1\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
    { "\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X-A: b\r\n folded\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X-A: b\r\n\tfolded\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n folded: first\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X-A : b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X-A: b\x7f\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X-(A): b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "Expect: the unexpected\r\n\r\n", 417 },

    /* The request line (3). */
    { "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
    { "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
    { "PRI * HTTP/2.0\r\n\r\n", 400 },
    { "GET / http/1.1\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
    { "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\r\n\r\n", 400 },
    { "GET\r\n\r\n", 400 },
    { " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "G@T / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400 },

    /* Targets. */
    { "GET /../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a/.. HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a/./b HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a/.%2e?x HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a%5cb HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a\\b HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a?b=%00 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a%zz HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a% HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a%4 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400 },

    /* Chunks (7.1): what stands before is with the library already. */
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n000000005\r\nhello\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n",
      400 },
};

/* Feeds pieces of the size; what passed is appended to out. */
static size_t feed(struct http_gate *g, const char *text, size_t n, size_t piece, char *out)
{
    size_t total = 0;

    for (size_t at = 0; at < n; at += piece) {
        const uint8_t *p = NULL;
        size_t k = 0;
        size_t len = n - at < piece ? n - at : piece;
        /* A copy of exactly this size, so that a look beyond it is seen. */
        uint8_t *copy = malloc(len);

        memcpy(copy, text + at, len);
        ck_assert(http_gate_feed(g, copy, len, &p, &k));
        memcpy(out + total, p, k);
        total += k;
        free(copy);
    }
    return total;
}

START_TEST(each_sample_whole_and_in_pieces)
{
    const struct sample *s = &samples[_i];
    size_t n = strlen(s->text);
    char out[1024];

    for (size_t piece = 1; piece <= n; piece++) {
        struct http_gate g = { 0 };
        size_t passed = feed(&g, s->text, n, piece, out);

        ck_assert_msg(g.status == s->status, "%s\n%u: %s", s->text, g.status, g.reason);
        ck_assert_mem_eq(out, s->text, passed);
        if (s->status == 0) {
            ck_assert_uint_eq(passed, n);
            ck_assert(!http_gate_is_inside(&g));
        }
        http_gate_release(&g);
    }
}
END_TEST

START_TEST(nothing_of_a_refused_head_passes_and_nothing_behind_it)
{
    static const char text[] = "GET /a HTTP/1.1\r\n" HOST "\r\nGET /../b HTTP/1.1\r\n" HOST
                               "\r\nGET /c HTTP/1.1\r\n" HOST "\r\n";
    char out[1024];
    struct http_gate g = { 0 };
    size_t first = strlen("GET /a HTTP/1.1\r\n" HOST "\r\n");

    ck_assert_uint_eq(feed(&g, text, strlen(text), strlen(text), out), first);
    ck_assert_uint_eq(g.status, 400);
    ck_assert_uint_eq(feed(&g, text, strlen(text), 7, out), 0);
    http_gate_release(&g);
}
END_TEST

START_TEST(every_beginning_of_a_request_is_inside_of_it)
{
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n0\r\n\r\n";
    char out[1024];

    for (size_t n = 1; n < strlen(text); n++) {
        struct http_gate g = { 0 };

        feed(&g, text, n, n, out);
        ck_assert_uint_eq(g.status, 0);
        ck_assert(http_gate_is_inside(&g));
        http_gate_release(&g);
    }
}
END_TEST

static unsigned status_of(const char *text, size_t piece)
{
    struct http_gate g = { 0 };
    char *out = malloc(strlen(text) + 1);

    feed(&g, text, strlen(text), piece, out);
    unsigned status = g.status;
    http_gate_release(&g);
    free(out);
    return status;
}

static unsigned long_target(size_t n, size_t piece)
{
    char *text = malloc(n + 100);

    snprintf(text, 6, "GET /");
    memset(text + 5, 'a', n - 1);
    snprintf(text + 4 + n, 90, " HTTP/1.1\r\n" HOST "\r\n");
    unsigned status = status_of(text, piece);
    free(text);
    return status;
}

START_TEST(long_targets_are_414)
{
    for (size_t piece = 1; piece < 100000; piece = piece * 5 + 2) {
        ck_assert_uint_eq(long_target(GATE_TARGET_MAX, piece), 0);
        ck_assert_uint_eq(long_target(GATE_TARGET_MAX + 1, piece), 414);
        ck_assert_uint_eq(long_target(60000, piece), 414);
    }
}
END_TEST

static unsigned headers(unsigned count, unsigned value, bool end)
{
    char *text = malloc(200 + (size_t)count * (value + 32));
    size_t n = (size_t)snprintf(text, 200, "GET / HTTP/1.1\r\n" HOST);

    for (unsigned i = 1; i < count; i++)
        n += (size_t)snprintf(text + n, value + 32, "X-%u: %0*u\r\n", i, (int)value, 0u);
    if (end)
        snprintf(text + n, 3, "\r\n");
    unsigned status = status_of(text, 1000);
    free(text);
    return status;
}

START_TEST(many_and_long_headers_are_431)
{
    ck_assert_uint_eq(headers(GATE_HEADERS_MAX, 10, true), 0);
    ck_assert_uint_eq(headers(GATE_HEADERS_MAX + 1, 10, true), 431);
    ck_assert_uint_eq(headers(2, 8000, true), 0);
    ck_assert_uint_eq(headers(2, 9000, true), 431);
    ck_assert_uint_eq(headers(2, 9000, false), 431);
    ck_assert_uint_eq(headers(1000, 100, false), 431);
}
END_TEST

static unsigned parameters(unsigned count)
{
    char text[GATE_HEAD_MAX];
    size_t n = (size_t)snprintf(text, sizeof text, "GET /?a=1");

    for (unsigned i = 1; i < count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "&a%u=1", i);
    snprintf(text + n, sizeof text - n, " HTTP/1.1\r\n" HOST "\r\n");
    return status_of(text, sizeof text);
}

START_TEST(many_parameters_are_400)
{
    ck_assert_uint_eq(parameters(GATE_QUERY_MAX), 0);
    ck_assert_uint_eq(parameters(GATE_QUERY_MAX + 1), 400);
    ck_assert_uint_eq(parameters(600), 400);
}
END_TEST

START_TEST(a_refusal_is_a_whole_answer)
{
    struct http_gate g = { 0 };
    struct writer w;

    http_gate_refuse(&g, 408, "too slow");
    http_gate_refuse(&g, 400, "the first reason counts");
    writer_init_heap(&w, 4096);
    http_gate_answer(&g, "0123456789abcdef", &w);
    const char *text = writer_cstr(&w);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 408 Request Timeout\r\n", 30), 0);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    ck_assert_ptr_nonnull(strstr(text, length));
    ck_assert_ptr_nonnull(strstr(text, "Connection: close\r\n"));
    ck_assert_ptr_nonnull(strstr(body, "\"detail\":\"too slow\""));
    writer_release(&w);
    http_gate_release(&g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_gate");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, each_sample_whole_and_in_pieces, 0,
                        (int)(sizeof samples / sizeof samples[0]));
    tcase_add_test(t, nothing_of_a_refused_head_passes_and_nothing_behind_it);
    tcase_add_test(t, every_beginning_of_a_request_is_inside_of_it);
    tcase_add_test(t, long_targets_are_414);
    tcase_add_test(t, many_and_long_headers_are_431);
    tcase_add_test(t, many_parameters_are_400);
    tcase_add_test(t, a_refusal_is_a_whole_answer);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
