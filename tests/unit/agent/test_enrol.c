/* Enrolment against a small HTTPS server of our own: what it leaves behind, and how it says no. */
#include "agent/enrol.h"
#include "agent/gateway_config.h"
#include "agent/json_pick.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/writer.h"
#include "pki/authority.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], url[64];
static struct authority *root, *servers, *tenant;
static struct tls_context *ctx;
static uint8_t pin[32];
static int listener;
static pthread_t thread;
static char request[16384]; /* what the server read */
static const char *answer;  /* what it says; NULL: enrols */

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 5000) == 1;
}

static void issue(struct writer *w)
{
    char csr[8192], token[64];
    struct writer chain, ca, body;
    struct leaf_info info;
    const char *json = strstr(request, "\r\n\r\n");

    writer_init_heap(&chain, 65536);
    writer_init_heap(&ca, 65536);
    writer_init_heap(&body, 65536);
    ck_assert_ptr_nonnull(json);
    json += 4;
    ck_assert_int_eq(json_pick_text(json, strlen(json), "token", token, sizeof token), EMT_OK);
    ck_assert_str_eq(token, "a \"token\"");
    ck_assert_int_eq(json_pick_text(json, strlen(json), "csr", csr, sizeof csr), EMT_OK);
    ck_assert_int_eq(authority_issue_gateway(tenant, csr, strlen(csr), "acme", "gw-7", clock_now(),
                                             EMT_DAY, &chain, &info, NULL),
                     EMT_OK);
    ck_assert_int_eq(authority_chain_pem(root, &ca), EMT_OK);
    writer_text(&body, "{\"gateway\":\"gw-7\",\"tenant\":\"acme\",\"certificate\":");
    json_put_string(&body, (const char *)chain.data, chain.len);
    writer_text(&body, ",\"ca\":");
    json_put_string(&body, (const char *)ca.data, ca.len);
    writer_text(&body,
                ",\"field\":[\"127.0.0.1:7443\",\"[::1]:7443\"],\"field13\":[\"127.0.0.1:7444\"]}");
    writer_printf(w, "HTTP/1.1 201 Created\r\nContent-Length: %zu\r\n\r\n", body.len);
    writer_bytes(w, body.data, body.len);
    writer_release(&chain);
    writer_release(&ca);
    writer_release(&body);
}

static bool request_complete(size_t n)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "Content-Length: ");

    return end && length && n >= (size_t)(end + 4 - request) + strtoul(length + 16, NULL, 10);
}

/* Reads the request and answers it; false when the peer went away before. */
static bool serve(struct tls_conn *c, int fd)
{
    enum tls_wait wait = TLS_WAIT_NONE;
    struct writer w;
    size_t n = 0, done = 0;
    enum emt_err err;

    while ((err = tls_conn_handshake(c, &wait)) == EMT_EAGAIN && readable(fd))
        ;
    if (err != EMT_OK)
        return false;
    while (!request_complete(n)) {
        err = tls_conn_read(c, request + n, sizeof request - 1 - n, &done, &wait);
        if (err == EMT_EAGAIN && readable(fd))
            continue;
        if (err != EMT_OK)
            return false;
        n += done;
    }
    writer_init_heap(&w, 65536);
    if (answer)
        writer_text(&w, answer);
    else
        issue(&w);
    for (size_t at = 0; at < w.len; at += done)
        ck_assert_int_eq(tls_conn_write(c, w.data + at, w.len - at, &done, &wait), EMT_OK);
    writer_release(&w);
    tls_conn_shutdown(c);
    return true;
}

static void *serve_once(void *arg)
{
    (void)arg;
    if (!readable(listener))
        return NULL;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return NULL; /* the test has shut the listener down */
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    struct tls_conn *c = tls_conn_accept(ctx, fd);
    serve(c, fd);
    tls_conn_free(c);
    close(fd);
    return NULL;
}

static void make_server(void)
{
    struct writer chain, key;
    struct leaf_info info;
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    emt_time now = clock_now();

    writer_init_heap(&chain, 65536);
    writer_init_heap(&key, 65536);
    ck_assert_int_eq(authority_new_root(KEY_P256, now, EMT_DAY, &root, NULL), EMT_OK);
    ck_assert_int_eq(authority_new_sub(root, KEY_P256, NULL, "EMT Platform Server CA", now, EMT_DAY,
                                       &servers, NULL),
                     EMT_OK);
    ck_assert_int_eq(authority_new_sub(root, KEY_P256, "acme", "EMT Tenant CA acme", now, EMT_DAY,
                                       &tenant, NULL),
                     EMT_OK);
    ck_assert_int_eq(authority_issue_server(servers, KEY_P256, "127.0.0.1", now, EMT_DAY, &chain,
                                            &key, &info, NULL),
                     EMT_OK);
    memcpy(pin, info.fingerprint, sizeof pin);
    struct tls_settings s = { .profile = TLS_PROFILE_HTTPS,
                              .chain_pem = (const char *)chain.data,
                              .chain_len = chain.len,
                              .key_pem = (const char *)key.data,
                              .key_len = key.len };
    ck_assert_int_eq(tls_context_new(&s, &ctx, NULL), EMT_OK);
    writer_release(&chain);
    writer_release(&key);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", ntohs(addr.sin_port));
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof dir, "/tmp/emt-enrol-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_server();
    memset(request, 0, sizeof request);
    answer = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_once, NULL), 0);
}

static void teardown(void)
{
    static const char *const names[] = { "gateway.key", "gateway.pem", "ca.pem", "agent.yaml" };
    char path[128];

    close(listener);
    tls_context_unref(ctx);
    authority_free(tenant);
    authority_free(servers);
    authority_free(root);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

static enum emt_err run(struct emt_diag *diag)
{
    struct enrol_request r = { .server = url, .token = "a \"token\"", .dir = dir, .tls = "1.2" };

    memcpy(r.pin, pin, sizeof r.pin);
    enum emt_err err = enrol(&r, diag);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return err;
}

static char *read_in(const char *name, size_t *len)
{
    char path[128];
    char *text = NULL;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(file_read(path, 65536, &text, len, NULL), EMT_OK);
    return text;
}

START_TEST(an_enrolled_folder_is_complete)
{
    struct emt_diag diag = { 0 };
    struct gateway_config c;
    struct stat st;
    struct tls_context *agent = NULL;
    struct trust *trust = trust_new();
    char path[128];
    size_t key_len = 0, chain_len = 0, ca_len = 0;

    ck_assert_msg(run(&diag) == EMT_OK, "%s", diag.text);
    ck_assert_int_eq(gateway_config_load(dir, &c, &diag), EMT_OK);
    ck_assert_str_eq(c.gateway, "gw-7");
    ck_assert_str_eq(c.tenant, "acme");
    ck_assert_uint_eq(c.nendpoints, 2);
    ck_assert_str_eq(c.endpoints[1].host, "::1");
    snprintf(path, sizeof path, "%s/gateway.key", dir);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777u, 0600);
    char *key = read_in("gateway.key", &key_len);
    char *chain = read_in("gateway.pem", &chain_len);
    char *ca = read_in("ca.pem", &ca_len);
    ck_assert_ptr_null(strstr(request, key)); /* it was not sent */
    ck_assert_int_eq(trust_add_pem(trust, ca, ca_len, &diag), EMT_OK);
    struct tls_settings s = { .profile = TLS_PROFILE_AGENT,
                              .chain_pem = chain,
                              .chain_len = chain_len,
                              .key_pem = key,
                              .key_len = key_len,
                              .trust = trust };
    ck_assert_int_eq(tls_context_new(&s, &agent, &diag),
                     EMT_OK); /* key and certificate belong together */
    tls_context_unref(agent);
    trust_unref(trust);
    free(key);
    free(chain);
    free(ca);
}
END_TEST

START_TEST(a_refusal_is_shown_as_the_head_end_words_it)
{
    struct emt_diag diag = { 0 };

    answer =
        "HTTP/1.1 410 Gone\r\nContent-Type: application/problem+json\r\n\r\n"
        "{\"type\":\"gone\",\"title\":\"Gone\",\"status\":410,\"detail\":\"token: was used already\"}";
    ck_assert_int_eq(run(&diag), EMT_ESTATE);
    ck_assert_str_eq(diag.text, "the head-end answered 410: Gone: token: was used already");
}
END_TEST

START_TEST(nonsense_is_no_answer)
{
    static const char *const answers[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 201 Created\r\n\r\n",
        "HTTP/1.1 201 Created\r\n\r\n{\"gateway\":\"g\",\"tenant\":\"t\",\"certificate\":\"x\",\"ca\":\"y\",\"field\":[]}",
        "HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n{}",
    };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct emt_diag diag = { 0 };
        char path[128];
        answer = answers[i];
        memset(request, 0, sizeof request);
        ck_assert_int_eq(emt_err_class(run(&diag)), EMT_CLASS_REJECT);
        ck_assert_str_ne(diag.text, "");
        snprintf(path, sizeof path, "%s/agent.yaml", dir);
        ck_assert_int_ne(access(path, F_OK), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, serve_once, NULL), 0);
    }
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(another_certificate_gets_no_token)
{
    struct emt_diag diag = { 0 };

    pin[0] ^= 1;
    ck_assert_int_eq(run(&diag), EMT_EAUTH);
    ck_assert_str_eq(request, "");
}
END_TEST

START_TEST(an_enrolled_folder_is_left_alone)
{
    struct emt_diag diag = { 0 };
    char path[128];

    snprintf(path, sizeof path, "%s/agent.yaml", dir);
    ck_assert_int_eq(file_write(path, "x", 1, 0600, NULL), EMT_OK);
    shutdown(listener, SHUT_RDWR);
    ck_assert_int_eq(run(&diag), EMT_ECONFLICT);
}
END_TEST

START_TEST(a_server_that_is_not_there_is_told)
{
    struct emt_diag diag = { 0 };

    close(listener);
    listener = -1;
    ck_assert_int_eq(run(&diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, "127.0.0.1"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent_enrol");
    TCase *t = tcase_create("enrol");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_enrolled_folder_is_complete);
    tcase_add_test(t, a_refusal_is_shown_as_the_head_end_words_it);
    tcase_add_test(t, nonsense_is_no_answer);
    tcase_add_test(t, another_certificate_gets_no_token);
    tcase_add_test(t, an_enrolled_folder_is_left_alone);
    tcase_add_test(t, a_server_that_is_not_there_is_told);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
