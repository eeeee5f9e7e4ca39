/* The field channel while its database is gone. */
#include "field_fixture.h"

#include <check.h>

START_TEST(sessions_outlive_the_database)
{
    struct field_settings s = { .hello_ms = 1500 };
    struct gateway g, late;
    struct gateway_client c, d;
    struct uplink_message m = { .kind = UPLINK_PING, .u.nonce = 99 };

    /* A server of this test's own, since it is taken down. */
    struct pg_fixture *shared = node.pg;
    node.pg = pg_fixture_start();
    node_prepare(node.pg);
    change("alter database emt set synchronous_commit = on"); /* what is acknowledged stays */
    node.alpha = pg_fixture_tenant(node.pg, "alpha");
    node_start(&s);
    gateway_make(&g, "gw-outlives", true);
    gateway_make(&late, "gw-waits", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 3, 50);
    client_expect_ack(&c, 3);
    pg_fixture_crash(node.pg);
    client_frames(&c, 4, 3, 50);
    client_send(&c, &m);
    client_expect(&c, UPLINK_PONG, &m);
    ck_assert_uint_eq(m.u.nonce, 99);
    connect_from(&d, &late, NULL);
    client_hello(&d, 1);
    ck_assert(client_next(&d, &m, 5000));
    ck_assert_int_eq(m.kind, UPLINK_BYE);
    ck_assert_str_eq(m.u.bye.reason, "database");
    ck_assert_uint_ge(m.u.bye.retry_after_ms, 5000);
    client_close(&d);
    pg_fixture_restart(node.pg);
    client_expect_ack(&c, 6);
    ck_assert_int_eq(number(STORED, g.id), 6);
    /* A claim that waits is answered once the database is back. */
    connect_from(&d, &late, NULL);
    client_hello(&d, 1);
    client_expect(&d, UPLINK_WELCOME, &m);
    client_close(&d);
    client_close(&c);
    gateway_release(&g);
    gateway_release(&late);
    field_stop(node.field, 3000);
    node.field = NULL;
    pg_fixture_stop(node.pg);
    node.pg = shared;
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_outage");

    tcase_add_test(c, sessions_outlive_the_database);
    return field_fixture_run(c);
}
