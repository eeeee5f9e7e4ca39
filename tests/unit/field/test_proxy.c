#include "proxy.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t v6[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54,
                              0x0a, 0x21, 0x21, 0x00, 0x24, 0x20, 0x01, 0x0d, 0xb8, 0,    0,
                              0,    0,    0,    0,    0,    0,    0,    0,    0,    7,    0x20,
                              0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,
                              0,    0,    0,    1,    0x12, 0x67, 0x1d, 0x13 };

static struct proxy_header whole(const uint8_t *p, size_t n)
{
    struct proxy_header h = { 0 };

    memcpy(h.bytes, p, n);
    h.have = n;
    return h;
}

START_TEST(networks_are_told_apart)
{
    static const char *const nets[] = { "10.1.0.0/16", "192.0.2.7", "fd00::/8",
                                        "203.0.113.128/25" };
    struct proxy_trust *t = NULL;

    ck_assert_int_eq(proxy_trust_new(nets, 4, &t, NULL), EMT_OK);
    ck_assert(proxy_trusts(t, "10.1.255.3"));
    ck_assert(!proxy_trusts(t, "10.2.0.1"));
    ck_assert(proxy_trusts(t, "192.0.2.7"));
    ck_assert(!proxy_trusts(t, "192.0.2.8"));
    ck_assert(proxy_trusts(t, "fdab::1"));
    ck_assert(!proxy_trusts(t, "fe80::1"));
    ck_assert(proxy_trusts(t, "203.0.113.200"));
    ck_assert(!proxy_trusts(t, "203.0.113.100"));
    ck_assert(!proxy_trusts(t, "somewhere"));
    ck_assert(!proxy_trusts(NULL, "10.1.0.1"));
    free(t);
}
END_TEST

START_TEST(what_is_no_network_is_named)
{
    static const char *const bad[] = { "",           "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/x",
                                       "fd00::/129", "balancer",    "10.0.0.0/0008" };

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct proxy_trust *t = NULL;
        struct emt_diag diag = { 0 };
        ck_assert_int_eq(proxy_trust_new(&bad[i], 1, &t, &diag), EMT_EMALFORMED);
        ck_assert_ptr_null(t);
        ck_assert_ptr_nonnull(strstr(diag.text, "no network"));
    }
}
END_TEST

START_TEST(an_ipv6_address_is_read)
{
    char peer[LISTENER_PEER_MAX] = "127.0.0.1";
    struct proxy_header h = whole(v6, sizeof v6);
    size_t left = 1;

    ck_assert_int_eq(proxy_header_wants(&h, &left), EMT_OK);
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_OK);
    ck_assert_str_eq(peer, "2001:db8::7");
}
END_TEST

START_TEST(the_balancers_own_checks_keep_its_address)
{
    char peer[LISTENER_PEER_MAX] = "127.0.0.1";
    struct proxy_header h = whole(v6, sizeof v6);

    h.bytes[12] = 0x20; /* LOCAL */
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_OK);
    ck_assert_str_eq(peer, "127.0.0.1");
    h.bytes[12] = 0x21;
    h.bytes[13] = 0x00; /* unspecified */
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_OK);
    ck_assert_str_eq(peer, "127.0.0.1");
}
END_TEST

START_TEST(every_damage_is_refused)
{
    char peer[LISTENER_PEER_MAX] = "";
    size_t left;

    for (unsigned i = 0; i < 12; i++) {
        struct proxy_header h = whole(v6, sizeof v6);
        h.bytes[i] ^= 0x01;
        ck_assert_int_eq(proxy_header_wants(&h, &left), EMT_EMALFORMED);
    }
    struct proxy_header h = whole(v6, sizeof v6);
    h.bytes[12] = 0x11; /* version 1 */
    ck_assert_int_eq(proxy_header_wants(&h, &left), EMT_EMALFORMED);
    h = whole(v6, sizeof v6);
    h.bytes[12] = 0x22; /* no such command */
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_EMALFORMED);
    h = whole(v6, sizeof v6);
    h.bytes[13] = 0x22; /* datagrams */
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_EMALFORMED);
    h = whole(v6, 40); /* shorter than its family needs */
    h.bytes[15] = 24;
    ck_assert_int_eq(proxy_header_peer(&h, peer), EMT_EMALFORMED);
    h = whole(v6, 16);
    h.bytes[14] = 0xff;
    ck_assert_int_eq(proxy_header_wants(&h, &left), EMT_EMALFORMED);
}
END_TEST

START_TEST(one_byte_at_a_time_and_not_one_too_many)
{
    struct proxy_header h = { 0 };
    int fd[2];
    char rest[8];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    for (size_t i = 0; i < sizeof v6; i++) {
        ck_assert_int_eq(proxy_header_read(&h, fd[1]), EMT_EAGAIN);
        ck_assert_int_eq(write(fd[0], &v6[i], 1), 1);
    }
    ck_assert_int_eq(write(fd[0], "TLS", 3), 3);
    ck_assert_int_eq(proxy_header_read(&h, fd[1]), EMT_OK);
    ck_assert_int_eq(read(fd[1], rest, sizeof rest), 3);
    h = (struct proxy_header){ 0 };
    close(fd[0]);
    ck_assert_int_eq(proxy_header_read(&h, fd[1]), EMT_EIO);
    close(fd[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("proxy");
    TCase *c = tcase_create("proxy");
    SRunner *r;
    int failed;

    tcase_add_test(c, networks_are_told_apart);
    tcase_add_test(c, what_is_no_network_is_named);
    tcase_add_test(c, an_ipv6_address_is_read);
    tcase_add_test(c, the_balancers_own_checks_keep_its_address);
    tcase_add_test(c, every_damage_is_refused);
    tcase_add_test(c, one_byte_at_a_time_and_not_one_too_many);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
