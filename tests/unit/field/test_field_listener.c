/* Listeners: addresses, both TLS versions, balancers, too many connections. */
#include "base/file.h"
#include "field_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(tls_1_3_and_ipv6_serve_alike)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-other-ways", true);
    ck_assert_int_eq(client_open(&c, g.ctx, "127.0.0.1", field_port13(node.field, 0), NULL),
                     EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    client_frames(&c, 1, 1, 50);
    client_expect_ack(&c, 1);
    ck_assert_int_eq(number("select count(*) from gateway_session where tls = 'TLSv1.3'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    ck_assert_int_eq(client_open(&c, g.ctx, "::1", field_port12(node.field, 1), NULL), EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 1);
    ck_assert_int_eq(
        number("select count(*) from gateway_session where peer = '::1' and gateway_id = %" PRId64,
               g.id),
        1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(a_balancer_tells_the_gateways_address)
{
    static const char *const balancers[] = { "10.0.0.0/8", "127.0.0.1" };
    /* PROXY, IPv4 stream, 203.0.113.9:4711 to 192.0.2.1:7443, and an extension */
    static const uint8_t header[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                      0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x10,
                                      203,  0,    113,  9,    192,  0,    2,    1,
                                      0x12, 0x67, 0x1d, 0x13, 0x04, 0x00, 0x01, 0xff };
    struct field_settings s = { .proxy_from = balancers, .nproxy_from = 2 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-proxy", true);
    ck_assert_int_eq(client_open_behind(&c, g.ctx, "127.0.0.1", field_port12(node.field, 0), header,
                                        sizeof header),
                     EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_int_eq(number("select count(*) from gateway_session where peer = '203.0.113.9'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    /* A balancer that says nothing of whom it speaks for is refused. */
    ck_assert_int_ne(client_open(&c, g.ctx, "127.0.0.1", field_port12(node.field, 0), NULL),
                     EMT_OK);
    client_close(&c);
    counter_await("emt_field_handshakes_total", "result=\"proxy-header\"", 1);
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"proxy-header\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(nobody_else_is_taken_for_a_balancer)
{
    static const char *const balancers[] = { "10.0.0.0/8" };
    static const uint8_t local[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                     0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00 };
    struct field_settings s = { .proxy_from = balancers, .nproxy_from = 1 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-no-proxy", true);
    ck_assert_int_ne(client_open_behind(&c, g.ctx, "127.0.0.1", field_port12(node.field, 0), local,
                                        sizeof local),
                     EMT_OK);
    client_close(&c);
    join(&c, &g, NULL);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(connections_beyond_the_cap_are_closed_and_counted)
{
    struct field_settings s = { .connections = 1 };
    int fds[8];

    node_start(&s);
    for (int i = 0; i < 8; i++)
        fds[i] = client_dial("127.0.0.1", field_port12(node.field, 0), NULL);
    /* One on each of the two loops at most. */
    counter_await("emt_field_limit_total", "limit=\"connections\"", 6);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_lack_of_descriptors_pauses_accepting)
{
    struct field_settings s = { 0 };
    struct rlimit before, low;
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd, filled[512];
    unsigned n = 0;

    node_start(&s);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 100; i++) /* database connections and such are up */
        nap();
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    low = before;
    low.rlim_cur = (rlim_t)fd + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 512 && (filled[n] = dup(2)) >= 0)
        n++;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(field_port12(node.field, 0));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    counter_await("emt_field_limit_total", "limit=\"descriptors\"", 1);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"descriptors\""), 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (n > 0)
        close(filled[--n]);
    /* The connection has waited in the backlog. */
    ck_assert_int_gt((int)send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 0);
    counter_await("emt_field_handshakes_total", "result=\"http\"", 1);
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"http\""), 1);
    close(fd);
}
END_TEST

START_TEST(an_address_that_is_none_is_named)
{
    struct field_settings s = { .loops = 1,
                                .tls12 = node.tls12,
                                .trust = node.pki.trust,
                                .conninfo = pg_fixture_conninfo(node.pg),
                                .state_dir = node.state_dir,
                                .metrics = node.metrics,
                                .nlisten12 = 1 };
    static const char *const bad[] = { "7443",          "localhost:7443",
                                       "0.0.0.0:",      "0.0.0.0:65536",
                                       "::1:7443",      "[::1]",
                                       "[127.0.0.1]:1", "" };

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct emt_diag diag = { 0 };
        s.listen12 = &bad[i];
        ck_assert_int_eq(field_start(&s, &node.field, &diag), EMT_EMALFORMED);
        ck_assert_ptr_nonnull(strstr(diag.text, bad[i]));
    }
    node.field = NULL;
}
END_TEST

START_TEST(a_port_in_use_is_not_shared_silently)
{
    struct field_settings s = { 0 }, again;
    struct emt_diag diag = { 0 };
    struct field *second = NULL;
    char address[32], other_dir[80];
    const char *const listen[] = { address };

    node_start(&s);
    again = s;
    snprintf(address, sizeof address, "127.0.0.1:%u", field_port12(node.field, 0));
    again.listen12 = listen;
    again.nlisten12 = 1;
    again.nlisten13 = 0;
    again.state_dir = other_dir; /* the port is what stands in the way */
    snprintf(other_dir, sizeof other_dir, "%s/other", node.state_dir);
    ck_assert_int_eq(file_mkdirs(other_dir, 0700, NULL), EMT_OK);
    ck_assert_int_eq(field_start(&again, &second, &diag), EMT_EIO);
    ck_assert_msg(strstr(diag.text, "cannot listen on port") != NULL, "%s", diag.text);
    scratch_remove(other_dir);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_listener");

    tcase_add_test(c, tls_1_3_and_ipv6_serve_alike);
    tcase_add_test(c, a_balancer_tells_the_gateways_address);
    tcase_add_test(c, nobody_else_is_taken_for_a_balancer);
    tcase_add_test(c, connections_beyond_the_cap_are_closed_and_counted);
    tcase_add_test(c, a_lack_of_descriptors_pauses_accepting);
    tcase_add_test(c, an_address_that_is_none_is_named);
    tcase_add_test(c, a_port_in_use_is_not_shared_silently);
    return field_fixture_run(c);
}
