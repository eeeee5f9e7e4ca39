/* Sessions of gateways: frames acknowledged, one session per gateway, whoever comes and goes. */
#include "field_fixture.h"
#include "loop/metrics.h"

#include <check.h>
#include <inttypes.h>

START_TEST(frames_are_acknowledged_after_their_commit)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-ack", true);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.version, 1);
    ck_assert_uint_eq(m.u.welcome.last_seq, 0);
    ck_assert_uint_eq(m.u.welcome.epoch, 1);
    ck_assert_uint_gt(m.u.welcome.credit_bytes, 16384);
    client_frames(&c, 1, 10, 50);
    client_expect_ack(&c, 10);
    ck_assert_uint_eq(field_sessions(node.field), 1);
    ck_assert_int_eq(number(STORED, g.id), 10);
    ck_assert_int_eq(
        number("select last_seq from gateway_cursor where gateway_id = %" PRId64, g.id), 10);
    ck_assert_int_eq(number("select count(*) from gateway where software = 'test 1.0'"
                            " and serial = '4711' and gateway_id = %" PRId64,
                            g.id),
                     1);
    ck_assert_int_eq(number("select count(*) from gateway_session where state = 0 and epoch = 1"
                            " and node_id = 4711 and peer = '127.0.0.1' and tls = 'TLSv1.2'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    eventually("select count(*) from gateway_session where state = 1 and reason like 'peer-%%'"
               " and gateway_id = %" PRId64,
               g.id, 1);
    for (int i = 0; i < 200 && field_sessions(node.field) > 0; i++)
        nap();
    ck_assert_uint_eq(field_sessions(node.field), 0);
    ck_assert_int_eq(counter("emt_field_frames_total", NULL), 10);
    gateway_release(&g);
}
END_TEST

START_TEST(a_spool_resumes_where_it_was_committed)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-resume", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 10, 50);
    client_expect_ack(&c, 10);
    client_close(&c);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 10);
    ck_assert_uint_eq(m.u.welcome.epoch, 2);
    client_frames(&c, 8, 5, 50); /* three of them again */
    client_expect_ack(&c, 12);
    ck_assert_int_eq(number(STORED, g.id), 12);
    client_close(&c);
    /* Another spool of the same gateway starts anew. */
    connect_from(&c, &g, NULL);
    client_hello(&c, 2);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 0);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(the_second_connection_wins)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client first, second;

    node_start(&s);
    gateway_make(&g, "gw-twice", true);
    /* Several times, so that both loops are met. */
    join(&first, &g, NULL);
    for (unsigned i = 0; i < 6; i++) {
        join(&second, &g, NULL);
        client_expect_bye(&first, "superseded");
        client_close(&first);
        client_frames(&second, i + 1, 1, 50);
        client_expect_ack(&second, i + 1);
        first = second;
    }
    ck_assert_uint_eq(field_sessions(node.field), 1);
    ck_assert_int_eq(number(STORED, g.id), 6);
    client_close(&first);
    gateway_release(&g);
}
END_TEST

START_TEST(a_session_that_lost_its_epoch_elsewhere_is_fenced)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-fenced", true);
    join(&c, &g, NULL);
    /* What a claim on another node does. */
    change("update gateway_session set epoch = 9, node_id = 1 where gateway_id = %" PRId64
           "; update gateway_cursor set epoch = 9 where gateway_id = %" PRId64,
           g.id, g.id);
    client_frames(&c, 1, 1, 50);
    client_expect_bye(&c, "superseded");
    ck_assert_int_eq(number(STORED, g.id), 0);
    client_close(&c);
    /* Its end does not touch the other's session; stopping writes what waits. */
    field_stop(node.field, 3000);
    node.field = NULL;
    ck_assert_int_eq(number("select state from gateway_session where gateway_id = %" PRId64, g.id),
                     0);
    gateway_release(&g);
}
END_TEST

START_TEST(a_peer_may_leave_at_any_moment)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-leaving", true);
    for (unsigned i = 0; i < 30; i++) {
        connect_from(&c, &g, NULL);
        if (i % 3 > 0)
            client_hello(&c, 1);
        if (i % 3 > 1)
            client_frames(&c, 1, 2, 100); /* before Welcome, unless we are quick */
        client_close(&c);
    }
    join(&c, &g, NULL);
    client_frames(&c, 3, 1, 50); /* behind what a quick one may have left */
    client_expect_ack(&c, 3);
    client_close(&c);
    for (int i = 0;
         i < 500 && metric_get(metrics_gauge(node.metrics, "emt_field_connections", NULL, "")) > 0;
         i++)
        nap();
    ck_assert_int_eq(metric_get(metrics_gauge(node.metrics, "emt_field_connections", NULL, "")), 0);
    /* A claim that nobody waited for any more is given back. */
    eventually("select state from gateway_session where gateway_id = %" PRId64, g.id, 1);
    gateway_release(&g);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_session");

    tcase_add_test(c, frames_are_acknowledged_after_their_commit);
    tcase_add_test(c, a_spool_resumes_where_it_was_committed);
    tcase_add_test(c, the_second_connection_wins);
    tcase_add_test(c, a_session_that_lost_its_epoch_elsewhere_is_fenced);
    tcase_add_test(c, a_peer_may_leave_at_any_moment);
    return field_fixture_run(c);
}
