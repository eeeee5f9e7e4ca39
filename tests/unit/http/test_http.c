#include "http/http_server.h"
#include "http_client.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki_fixture.h"

#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static struct test_pki pki;
static struct tls_context *server_tls, *client_tls;
/* Handlers of /block wait here. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned gate_waiting;
static atomic_bool no_worker;

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

static void setup(void)
{
    test_pki_init(&pki);
    server_tls = context_for(TLS_PROFILE_HTTPS, "localhost");
    client_tls = context_for(TLS_PROFILE_HTTPS_CLIENT, NULL);
}

static void teardown(void)
{
    tls_context_unref(server_tls);
    tls_context_unref(client_tls);
    test_pki_release(&pki);
}

static void gate_wait(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    pthread_cond_broadcast(&gate_changed);
    while (!gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    gate_waiting--;
    pthread_mutex_unlock(&gate_lock);
}

static void gate_await(unsigned n)
{
    pthread_mutex_lock(&gate_lock);
    while (gate_waiting < n)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate_lock);
    gate_open = open;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void echo(const struct http_request *r, struct http_response *out)
{
    struct writer *w = http_response_body(out);
    size_t n = 0;
    const uint8_t *body = http_request_body(r, &n);
    const char *value = "";
    const char *name;

    writer_printf(w, "%s %s from %s\n", http_method_name(http_request_method(r)),
                  http_request_path(r), http_request_peer(r));
    for (unsigned i = 0; (name = http_request_query_at(r, i, &value)) != NULL; i++)
        writer_printf(w, "%s=%s\n", name, value);
    const char *header = http_request_header(r, "x-thing");
    writer_printf(w, "thing %s\n", header ? header : "(none)");
    writer_bytes(w, body, n);
}

static enum emt_err handle(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out)
{
    const char *path = http_request_path(r);
    const char *n = http_request_query(r, "n");
    struct writer *w = http_response_body(out);

    (void)ctx;
    ck_assert_ptr_nonnull(worker);
    if (strcmp(path, "/fail") == 0) {
        writer_text(w, "half an answer that nobody sees");
        return EMT_EDB;
    }
    if (strcmp(path, "/block") == 0)
        gate_wait();
    if (strcmp(path, "/body") == 0) {
        size_t len = 0;
        const uint8_t *body = http_request_body(r, &len);
        writer_bytes(w, body, len);
        return EMT_OK;
    }
    if (strcmp(path, "/big") == 0) {
        uint8_t *p = writer_reserve(w, strtoul(n, NULL, 10));
        if (p)
            memset(p, 'x', strtoul(n, NULL, 10));
        return EMT_OK;
    }
    if (strcmp(path, "/nothing") == 0) {
        http_response_status(out, 204);
        return EMT_OK;
    }
    if (strcmp(path, "/inject") == 0) {
        ck_assert_int_eq(http_response_header(out, "X-A", "b\r\nX-Evil: 1"), EMT_EMALFORMED);
        ck_assert_int_eq(http_response_header(out, "X-A: b", "c"), EMT_EMALFORMED);
        ck_assert_int_eq(http_response_header(out, "", "c"), EMT_EMALFORMED);
        for (unsigned i = 0; i < 64; i++)
            ck_assert_int_eq(http_response_header(out, "X-Good", "1"), EMT_OK);
        ck_assert_int_eq(http_response_header(out, "X-Good", "1"), EMT_ELIMIT);
    }
    echo(r, out);
    return EMT_OK;
}

static void *worker_new(void *ctx)
{
    (void)ctx;
    return atomic_load(&no_worker) ? NULL : malloc(1);
}

static void worker_free(void *ctx, void *worker)
{
    (void)ctx;
    free(worker);
}

static int32_t tenant_of(void *ctx, const struct http_request *r)
{
    const char *text = http_request_header(r, "X-Tenant");

    (void)ctx;
    return text ? (int32_t)strtol(text, NULL, 10) : 0;
}

static const struct http_handler handler = {
    .worker_new = worker_new, .worker_free = worker_free, .tenant_of = tenant_of, .handle = handle
};

static struct http_server *server_with(struct http_settings s)
{
    static const char *const loopback[] = { "127.0.0.1:0" };
    struct http_server *out = NULL;
    struct emt_diag diag = { 0 };

    if (!s.listen) {
        s.listen = loopback;
        s.nlisten = 1;
    }
    ck_assert_msg(http_server_start(&s, &handler, &out, &diag) == EMT_OK, "%s", diag.text);
    ck_assert_uint_ne(http_server_port(out, 0), 0);
    return out;
}

static struct http_server *server(void)
{
    return server_with((struct http_settings){ .tls = server_tls });
}

static void open_client(struct client *c, struct http_server *s)
{
    client_open(c, http_server_port(s, 0), client_tls);
}

START_TEST(a_request_arrives_as_sent_over_tls)
{
    struct http_server *s = server();
    struct client c;
    struct answer a;

    open_client(&c, s);
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
    struct http_server *s = server_with((struct http_settings){ 0 });
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
    struct http_server *s = server();
    struct http_counters counters;
    struct client c;

    open_client(&c, s);
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
    struct http_server *s = server();
    struct client c;
    struct answer a;

    open_client(&c, s);
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
    struct http_server *s = server();
    struct client c;
    struct answer a;

    open_client(&c, s);
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
    struct http_server *s = server();
    size_t n = 7u << 20;
    char *body = malloc(n + 1);
    char text[128];
    struct client c;
    struct answer a;

    for (size_t i = 0; i < n; i++)
        body[i] = (char)('A' + i * 7 % 61 + i / 4099 % 3);
    open_client(&c, s);
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
    struct http_server *s =
        server_with((struct http_settings){ .tls = server_tls, .body_max = 1000 });
    struct http_counters counters;
    char piece[600];
    struct client c;
    struct answer a;

    memset(piece, 'z', sizeof piece);
    piece[599] = 0;
    open_client(&c, s);
    client_ask(&c, "POST", "/echo", "", piece, 200, NULL);
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 413);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: application/problem+json"));
    ck_assert_ptr_nonnull(strstr(a.body, "\"status\":413"));
    answer_release(&a);
    client_close(&c);

    /* Without a length it shows on the way. */
    open_client(&c, s);
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
    open_client(&c, s);
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
    struct http_server *s =
        server_with((struct http_settings){ .tls = server_tls, .workers = 1, .queue = 1 });
    struct http_counters counters;
    struct client busy[2], c;
    struct answer a;

    for (unsigned i = 0; i < 2; i++) {
        open_client(&busy[i], s);
        client_text(&busy[i], "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 0)
            gate_await(1);
    }
    usleep(100000); /* the second one is in the queue */
    open_client(&c, s);
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
    struct http_server *s = server_with((struct http_settings){
        .tls = server_tls, .workers = 2, .tenant_share = 1, .tenant_queue = 1 });
    struct http_counters counters;
    struct client busy[2], c;
    struct answer a;

    for (unsigned i = 0; i < 2; i++) {
        open_client(&busy[i], s);
        client_text(&busy[i], "GET /block HTTP/1.1\r\nHost: x\r\nX-Tenant: 7\r\n\r\n");
        if (i == 0)
            gate_await(1);
    }
    usleep(100000);
    open_client(&c, s);
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
    struct http_server *s = server();
    struct client slow, c;
    struct answer a;

    open_client(&slow, s);
    client_text(&slow, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    gate_await(1);
    open_client(&c, s);
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
    struct http_server *s = server();
    struct client slow, c;
    struct answer a;

    open_client(&slow, s);
    client_text(&slow, "GET /big?n=20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(100000); /* its buffers are full */
    open_client(&c, s);
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

START_TEST(what_is_not_tls_is_counted_and_closed)
{
    static const char *const lines[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                         "\x01\x02\x03garbage garbage garbage" };
    struct http_server *s = server();
    struct http_counters counters;
    struct client c;

    for (unsigned i = 0; i < 2; i++) {
        struct client raw = { .fd = client_socket(http_server_port(s, 0)) };
        client_text(&raw, lines[i]);
        struct answer a;
        ck_assert(!client_read(&raw, false, &a)); /* an alert at most, then the end */
        client_close(&raw);
    }
    open_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.handshake_failed, 2);
    http_server_stop(s);
}
END_TEST

START_TEST(who_does_not_shake_hands_is_closed_in_time)
{
    struct http_server *s =
        server_with((struct http_settings){ .tls = server_tls, .handshake_s = 1 });
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
    struct http_server *s = server_with((struct http_settings){ .tls = server_tls, .idle_s = 1 });
    struct client c;

    open_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    ck_assert(client_ended(&c, 10000));
    client_close(&c);
    /* Also in the middle of a request. */
    open_client(&c, s);
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
    struct http_server *s = server();
    unsigned before = 0;
    struct client c;

    for (unsigned i = 0; i < 300; i++) {
        if (i == 20)
            before = open_descriptors();
        open_client(&c, s);
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
    struct http_server *s = server();
    struct client c;

    for (unsigned i = 0; i < 8; i++) {
        open_client(&c, s);
        client_text(&c, i % 2 ? "GET /big?n=9000000 HTTP/1.1\r\nHost: x\r\n\r\n"
                              : "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2 == 0)
            gate_await(i / 2 + 1 < 4 ? i / 2 + 1 : 4);
        client_drop(&c);
    }
    gate_set(true);
    open_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(a_client_may_close_its_side_first)
{
    struct http_server *s = server();
    struct client c;
    struct answer a;

    open_client(&c, s);
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
    struct http_server *s =
        server_with((struct http_settings){ .tls = server_tls, .connections = 3 });
    struct http_counters counters;
    struct client c[3];

    for (unsigned i = 0; i < 3; i++) {
        open_client(&c[i], s);
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
    open_client(&more, s);
    client_ask(&more, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&more);
    http_server_counters(s, &counters);
    ck_assert_uint_eq(counters.rejected_busy, 1);
    http_server_stop(s);
}
END_TEST

START_TEST(a_failing_handler_is_500_and_shows_nothing_of_its_own)
{
    struct http_server *s = server();
    struct client c;
    struct answer a;

    open_client(&c, s);
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
    atomic_store(&no_worker, true);
    struct http_server *s = server_with((struct http_settings){ .tls = server_tls, .workers = 1 });
    struct client c;

    open_client(&c, s);
    client_ask(&c, "GET", "/echo", "", NULL, 503, NULL);
    atomic_store(&no_worker, false);
    client_ask(&c, "GET", "/echo", "", NULL, 200, NULL);
    client_close(&c);
    http_server_stop(s);
}
END_TEST

START_TEST(targets_that_could_be_misread_are_400)
{
    static const char *const bad[] = { "/a%00b",           "/a?x=%00", "*",
                                       "http://evil/echo", "/a%2Fb",   "/a%2fb?x=1" };
    struct http_server *s = server();
    struct client c;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        open_client(&c, s);
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
    struct http_server *s = server();
    struct client c;
    struct answer a;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        open_client(&c, s);
        client_text(&c, bad[i]);
        ck_assert(client_read(&c, false, &a));
        ck_assert_uint_eq(a.status, 400);
        answer_release(&a);
        client_close(&c);
    }
    open_client(&c, s);
    client_text(&c, "GET /echo HTTP/1.0\r\n\r\n");
    ck_assert(client_read(&c, false, &a));
    ck_assert_uint_eq(a.status, 200);
    answer_release(&a);
    client_close(&c);
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
    struct http_server *s = server_with((struct http_settings){ .tls = server_tls, .threads = 2 });
    struct client c, idle;
    struct answer a;
    pthread_t helper;

    open_client(&idle, s);
    client_ask(&idle, "GET", "/echo", "", NULL, 200, NULL);
    open_client(&c, s);
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
    struct http_server *s = server_with((struct http_settings){ .tls = server_tls, .workers = 1 });
    struct client c[3];
    struct answer a;
    pthread_t helper;

    for (unsigned i = 0; i < 3; i++) {
        open_client(&c[i], s);
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
    struct http_server *s = server();
    struct client half, upload, reader;
    int silent = client_socket(http_server_port(s, 0));

    open_client(&half, s);
    client_text(&half, "GET /echo HTT");
    open_client(&upload, s);
    client_text(&upload, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nabc");
    open_client(&reader, s);
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
        struct http_server *s = server_with((struct http_settings){ 0 });
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
    struct http_server *s = server();
    struct tls_context *other = context_for(TLS_PROFILE_HTTPS, "localhost,other.example");
    struct client before, after;
    char old_serial[65];

    open_client(&before, s);
    memcpy(old_serial, tls_conn_peer(before.tls)->serial, sizeof old_serial);
    http_server_set_tls(s, other);
    tls_context_unref(other);
    client_ask(&before, "GET", "/echo", "", NULL, 200, NULL);
    open_client(&after, s);
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
    struct http_settings settings = { .tls = server_tls, .listen = both, .nlisten = 2 };
    struct http_server *s = NULL;
    struct emt_diag diag = { 0 };
    struct client c;
    struct answer a;

    if (http_server_start(&settings, &handler, &s, &diag) != EMT_OK) {
        printf("ipv6_peers_are_named_as_such: skipped, no ::1 on this machine (%s)\n", diag.text);
        return;
    }
    client_open_v6(&c, http_server_port(s, 1), client_tls);
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
        ck_assert_msg(http_server_start(&settings, &handler, &s, &diag) == EMT_EMALFORMED,
                      "'%s' was taken", bad[i]);
        ck_assert_str_ne(diag.text, "");
    }

    struct http_server *first = server();
    char taken[32];
    const char *list[] = { taken };
    snprintf(taken, sizeof taken, "127.0.0.1:%u", http_server_port(first, 0));
    struct http_settings settings = { .listen = list, .nlisten = 1 };
    ck_assert_int_eq(http_server_start(&settings, &handler, &s, &diag), EMT_EIO);
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
        open_client(&c, s);
        for (unsigned k = 0; k < 25; k++)
            client_ask(&c, "POST", "/echo", "", "some body", 200, NULL);
        client_close(&c);
    }
    return NULL;
}

START_TEST(several_threads_serve_several_clients)
{
    struct http_server *s =
        server_with((struct http_settings){ .tls = server_tls, .threads = 3, .workers = 3 });
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
    Suite *s = suite_create("http");
    TCase *tc = tcase_create("server");

    tcase_add_checked_fixture(tc, setup, teardown);
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
    tcase_add_test(tc, what_is_not_tls_is_counted_and_closed);
    tcase_add_test(tc, who_does_not_shake_hands_is_closed_in_time);
    tcase_add_test(tc, idle_connections_are_closed_in_time);
    tcase_add_test(tc, many_connections_leave_nothing_behind);
    tcase_add_test(tc, a_client_that_vanishes_harms_nobody);
    tcase_add_test(tc, a_client_may_close_its_side_first);
    tcase_add_test(tc, connections_beyond_the_limit_are_closed);
    tcase_add_test(tc, a_failing_handler_is_500_and_shows_nothing_of_its_own);
    tcase_add_test(tc, without_a_worker_the_answer_is_503_until_there_is_one);
    tcase_add_test(tc, targets_that_could_be_misread_are_400);
    tcase_add_test(tc, requests_with_two_ends_are_400_and_the_connection_ends);
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
