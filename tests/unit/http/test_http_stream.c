/* Answers that stay open. */
#include "http/http_server.h"
#include "http/http_stream.h"
#include "http_client.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki_fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS_MOST = 64, QUEUE = 65536 };

static struct test_pki pki;
static struct tls_context *server_tls, *client_tls;
static struct http_server *server;
/* Opened by the handler, in this order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static struct http_stream *streams[STREAMS_MOST];
static unsigned nstreams;

static struct tls_context *context_for(enum tls_profile profile, const char *name)
{
    struct tls_settings s = { .profile = profile, .trust = pki.trust, .session_cache = 64 };
    struct tls_context *ctx = NULL;
    struct test_leaf leaf = { 0 };

    if (name) {
        test_leaf_server(&leaf, pki.servers, KEY_P256, name);
        s.chain_pem = (const char *)leaf.chain.data;
        s.chain_len = leaf.chain.len;
        s.key_pem = (const char *)leaf.key.data;
        s.key_len = leaf.key.len;
    }
    ck_assert_int_eq(tls_context_new(&s, &ctx, NULL), EMT_OK);
    if (name)
        test_leaf_release(&leaf);
    return ctx;
}

static enum emt_err open_one(struct http_response *out)
{
    struct http_stream *stream = NULL;
    enum emt_err err = http_response_stream(out, QUEUE, &stream);

    if (err != EMT_OK) {
        http_response_status(out, 429);
        return err == EMT_ELIMIT ? EMT_OK : err;
    }
    struct http_stream *second = NULL;
    ck_assert_int_eq(http_response_stream(out, QUEUE, &second), EMT_ESTATE);
    pthread_mutex_lock(&lock);
    streams[nstreams++] = stream;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&lock);
    return http_response_header(out, "Content-Type", "text/event-stream");
}

static enum emt_err handle(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out)
{
    const char *path = http_request_path(r);

    (void)ctx;
    (void)worker;
    if (strcmp(path, "/plain") == 0) {
        writer_text(http_response_body(out), "plain");
        return EMT_OK;
    }
    writer_text(http_response_body(out), "beginning\n");
    enum emt_err err = open_one(out);
    return strcmp(path, "/fails") == 0 ? EMT_EDB : err;
}

static void *worker_new(void *ctx)
{
    (void)ctx;
    return malloc(1);
}

static void worker_free(void *ctx, void *worker)
{
    (void)ctx;
    free(worker);
}

static const struct http_handler handler = { .worker_new = worker_new,
                                             .worker_free = worker_free,
                                             .handle = handle };

static void start_with(struct http_settings s)
{
    static const char *const loopback[] = { "127.0.0.1:0" };
    struct emt_diag diag = { 0 };

    s.listen = loopback;
    s.nlisten = 1;
    ck_assert_msg(http_server_start(&s, &handler, &server, &diag) == EMT_OK, "%s", diag.text);
}

static void setup(void)
{
    test_pki_init(&pki);
    server_tls = context_for(TLS_PROFILE_HTTPS, "localhost");
    client_tls = context_for(TLS_PROFILE_HTTPS_CLIENT, NULL);
}

static void teardown(void)
{
    http_server_stop(server);
    server = NULL;
    while (nstreams > 0)
        http_stream_unref(streams[--nstreams]);
    tls_context_unref(server_tls);
    tls_context_unref(client_tls);
    test_pki_release(&pki);
}

/* The stream that the handler opened as the n-th. */
static struct http_stream *stream_at(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (nstreams <= n)
        pthread_cond_wait(&opened, &lock);
    struct http_stream *s = streams[n];
    pthread_mutex_unlock(&lock);
    return s;
}

static struct http_stream *ask(struct client *c, struct tls_context *tls)
{
    unsigned n = nstreams;

    client_open(c, http_server_port(server, 0), tls);
    client_text(c, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return stream_at(n);
}

static bool say(struct http_stream *s, const char *text)
{
    return http_stream_write(s, text, strlen(text));
}

static bool closes(struct http_stream *s)
{
    const struct timespec moment = { 0, 20000000 };

    for (unsigned i = 0; i < 500; i++) {
        if (!http_stream_is_open(s))
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

static unsigned open_now(void)
{
    struct http_counters n;

    http_server_counters(server, &n);
    return (unsigned)n.streams_open;
}

/* With TLS and without. */
START_TEST(a_stream_says_what_is_written_from_outside)
{
    struct client c;

    start_with((struct http_settings){ .tls = _i ? server_tls : NULL });
    struct http_stream *s = ask(&c, _i ? client_tls : NULL);
    ck_assert(say(s, "early\n"));
    ck_assert(client_await(&c, "HTTP/1.1 200 OK\r\n"));
    ck_assert(client_await(&c, "X-Request-Id: "));
    ck_assert(client_await(&c, "Content-Type: text/event-stream\r\n"));
    ck_assert(client_await(&c, "\r\n\r\nbeginning\nearly\n"));
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof text, "line %u\n", i);
        ck_assert(say(s, text));
        ck_assert(client_await(&c, text));
    }
    ck_assert_uint_eq(open_now(), 1);
    client_close(&c);
}
END_TEST

START_TEST(an_ended_stream_is_sent_to_its_end)
{
    static char big[QUEUE];
    struct client c;

    start_with((struct http_settings){ .tls = server_tls });
    struct http_stream *s = ask(&c, client_tls);
    ck_assert(client_await(&c, "beginning\n"));
    memset(big, 'x', sizeof big);
    memcpy(big + sizeof big - 3, "end", 3);
    /* What the client has read is still in the server's books for a moment. */
    for (int i = 0; !http_stream_write(s, big, sizeof big); i++) {
        ck_assert_int_lt(i, 1000);
        usleep(5000);
    }
    http_stream_end(s);
    ck_assert(!say(s, "too late"));
    ck_assert(client_await(&c, "end"));
    ck_assert(client_ended(&c, 15000));
    client_close(&c);
    ck_assert(closes(s));
}
END_TEST

START_TEST(a_slow_reader_loses_and_holds_up_nobody)
{
    static char piece[1000];
    struct answer a = { 0 };
    struct client slow;
    struct client other;
    unsigned written = 0;

    memset(piece, 'y', sizeof piece);
    start_with((struct http_settings){ .tls = server_tls });
    struct http_stream *s = ask(&slow, client_tls);
    ck_assert(client_await(&slow, "beginning\n"));
    /* The kernel's buffers take some megabytes, the queue no more than it may. */
    while (written < 100000 && http_stream_write(s, piece, sizeof piece)) {
        const struct timespec moment = { 0, 10000 };
        nanosleep(&moment, NULL);
        written++;
    }
    ck_assert_uint_lt(written, 100000);
    ck_assert_int_gt(http_stream_stalled_ms(s, INT64_MAX / 2), 0);
    ck_assert(http_stream_is_open(s));
    client_open(&other, http_server_port(server, 0), client_tls);
    client_ask(&other, "GET", "/plain", "", NULL, 200, &a);
    answer_release(&a);
    client_close(&other);
    /* It reads at last: what was queued comes, and there is room again. */
    for (unsigned i = 0; i < written; i++)
        ck_assert(
            client_await(&slow, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"));
    unsigned tries = 0;
    while (!say(s, "again\n") && tries++ < 500) {
        const struct timespec moment = { 0, 20000000 };
        nanosleep(&moment, NULL);
    }
    ck_assert(client_await(&slow, "again\n"));
    client_close(&slow);
}
END_TEST

START_TEST(a_peer_that_leaves_closes_its_stream)
{
    struct client c;

    start_with((struct http_settings){ .tls = server_tls });
    for (unsigned i = 0; i < 3; i++) {
        struct http_stream *s = ask(&c, client_tls);
        ck_assert(client_await(&c, "beginning\n"));
        if (i == 0)
            client_close(&c);
        else
            client_drop(&c);
        ck_assert(closes(s));
        ck_assert(!say(s, "nobody"));
        ck_assert_int_eq(http_stream_stalled_ms(s, INT64_MAX / 2), 0);
    }
    ck_assert_uint_eq(open_now(), 0);
}
END_TEST

START_TEST(what_the_peer_still_says_is_dropped)
{
    static char noise[200000];
    struct client c;

    start_with((struct http_settings){ .tls = server_tls });
    struct http_stream *s = ask(&c, client_tls);
    memset(noise, 'z', sizeof noise);
    client_send(&c, noise, sizeof noise);
    client_text(&c, "GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert(say(s, "still here\n"));
    ck_assert(client_await(&c, "still here\n"));
    ck_assert(say(s, "and here\n"));
    ck_assert(client_await(&c, "and here\n"));
    ck_assert(http_stream_is_open(s));
    client_close(&c);
}
END_TEST

START_TEST(beyond_the_limit_no_stream_is_opened)
{
    struct answer a = { 0 };
    struct client first;
    struct client second;

    start_with((struct http_settings){ .tls = server_tls, .streams = 1 });
    struct http_stream *s = ask(&first, client_tls);
    client_open(&second, http_server_port(server, 0), client_tls);
    client_ask(&second, "GET", "/stream", "", NULL, 429, &a);
    answer_release(&a);
    client_close(&first);
    ck_assert(closes(s));
    client_text(&second, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert(client_await(&second, "beginning\n"));
    client_close(&second);
}
END_TEST

START_TEST(a_handler_that_fails_has_no_stream)
{
    struct answer a = { 0 };
    struct client c;

    start_with((struct http_settings){ .tls = server_tls });
    client_open(&c, http_server_port(server, 0), client_tls);
    client_ask(&c, "GET", "/fails", "", NULL, 500, &a);
    answer_release(&a);
    struct http_stream *s = stream_at(0);
    ck_assert(!http_stream_is_open(s));
    ck_assert(!say(s, "nobody"));
    ck_assert_uint_eq(open_now(), 0);
    client_ask(&c, "GET", "/plain", "", NULL, 200, &a);
    answer_release(&a);
    client_close(&c);
}
END_TEST

START_TEST(an_aborted_stream_ends_at_once)
{
    struct client c;

    start_with((struct http_settings){ .tls = server_tls });
    struct http_stream *s = ask(&c, client_tls);
    ck_assert(client_await(&c, "beginning\n"));
    http_stream_abort(s);
    ck_assert(client_ended(&c, 15000));
    ck_assert(closes(s));
    client_close(&c);
}
END_TEST

START_TEST(streams_do_not_count_as_connections)
{
    struct client c[8];
    struct client other;
    struct answer a = { 0 };

    start_with((struct http_settings){ .tls = server_tls, .connections = 2, .workers = 1 });
    for (unsigned i = 0; i < 8; i++) {
        ask(&c[i], client_tls);
        ck_assert(client_await(&c[i], "beginning\n"));
    }
    ck_assert_uint_eq(open_now(), 8);
    client_open(&other, http_server_port(server, 0), client_tls);
    client_ask(&other, "GET", "/plain", "", NULL, 200, &a);
    answer_release(&a);
    client_close(&other);
    for (unsigned i = 0; i < 8; i++)
        client_close(&c[i]);
}
END_TEST

START_TEST(stopping_ends_all_streams)
{
    struct client c[4];

    start_with((struct http_settings){ .tls = server_tls, .threads = 2 });
    for (unsigned i = 0; i < 4; i++) {
        ask(&c[i], client_tls);
        ck_assert(client_await(&c[i], "beginning\n"));
        ck_assert(say(streams[i], "last words\n"));
    }
    http_server_stop(server);
    server = NULL;
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(!http_stream_is_open(streams[i]));
        ck_assert(!say(streams[i], "nobody"));
        ck_assert(client_await(&c[i], "last words\n"));
        client_close(&c[i]);
    }
}
END_TEST

static atomic_bool writing;

static void *write_all(void *arg)
{
    (void)arg;
    while (atomic_load(&writing)) {
        pthread_mutex_lock(&lock);
        unsigned n = nstreams;
        pthread_mutex_unlock(&lock);
        for (unsigned i = 0; i < n; i++)
            (void)say(streams[i], "tick\n");
    }
    return NULL;
}

START_TEST(streams_come_and_go_while_others_write)
{
    pthread_t writers[2];
    struct client c;

    start_with((struct http_settings){ .tls = server_tls, .threads = 2 });
    atomic_store(&writing, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&writers[i], NULL, write_all, NULL);
    for (unsigned i = 0; i < 40; i++) {
        ask(&c, client_tls);
        ck_assert(client_await(&c, "tick\n"));
        if (i % 3 == 0)
            http_stream_end(streams[i]);
        if (i % 2)
            client_drop(&c);
        else
            client_close(&c);
    }
    atomic_store(&writing, false);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_stream");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_stream_says_what_is_written_from_outside, 0, 2);
    tcase_add_test(t, an_ended_stream_is_sent_to_its_end);
    tcase_add_test(t, a_slow_reader_loses_and_holds_up_nobody);
    tcase_add_test(t, a_peer_that_leaves_closes_its_stream);
    tcase_add_test(t, what_the_peer_still_says_is_dropped);
    tcase_add_test(t, beyond_the_limit_no_stream_is_opened);
    tcase_add_test(t, a_handler_that_fails_has_no_stream);
    tcase_add_test(t, an_aborted_stream_ends_at_once);
    tcase_add_test(t, streams_do_not_count_as_connections);
    tcase_add_test(t, stopping_ends_all_streams);
    tcase_add_test(t, streams_come_and_go_while_others_write);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
