/* Commands to gateways: delivered until a result came, bounded, in time. */
#include "field_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

static void command_insert(const struct gateway *g, uint8_t key, const char *name,
                           const char *arguments)
{
    change("insert into command (tenant_id, gateway_id, idempotency_key, name, arguments)"
           " values (%d, %" PRId64 ", '\\x%02x0102030405060708090a0b0c0d0e0f', '%s', '%s')",
           node.alpha, g->id, key, name, arguments);
}

START_TEST(commands_are_delivered_until_a_result_came)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m, r = { .kind = UPLINK_COMMAND_RESULT };

    node_start(&s);
    gateway_make(&g, "gw-command", true);
    join(&c, &g, NULL);
    command_insert(&g, 1, "resend", "{\"from\": \"1\", \"to\": 5}");
    command_insert(&g, 2, "ping", "{}");
    field_wake(node.field);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "resend");
    ck_assert_uint_eq(m.u.command.narguments, 2);
    ck_assert_str_eq(m.u.command.arguments[1].name, "to");
    ck_assert_str_eq(m.u.command.arguments[1].value, "5");
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "ping");
    ck_assert_uint_eq(m.u.command.narguments, 0);
    memcpy(r.u.command_result.idempotency_key, m.u.command.idempotency_key, UPLINK_KEY_LEN);
    r.u.command_result.text = "pong";
    client_send(&c, &r);
    r.u.command_result.outcome = 1;
    r.u.command_result.text = "said twice";
    client_send(&c, &r);
    eventually("select count(*) from command where state = 2 and result = 'pong'"
               " and gateway_id = %" PRId64,
               g.id, 1);
    ck_assert_int_eq(
        number("select count(*) from command where state = 1 and gateway_id = %" PRId64, g.id), 1);
    client_close(&c);
    /* No result for the first: the next session gets it again, under its key. */
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "resend");
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(open_commands_of_a_gateway_are_bounded)
{
    struct field_settings s = { .commands = 2 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m, r = { .kind = UPLINK_COMMAND_RESULT };

    node_start(&s);
    gateway_make(&g, "gw-many-commands", true);
    for (uint8_t i = 1; i <= 3; i++)
        command_insert(&g, i, "ping", "{}");
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_COMMAND, &m);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 2);
    counter_await("emt_field_limit_total", "limit=\"commands\"", 1);
    ck_assert_int_gt(counter("emt_field_limit_total", "limit=\"commands\""), 0);
    ck_assert_int_eq(counter("emt_field_commands_sent_total", NULL), 2);
    memcpy(r.u.command_result.idempotency_key, m.u.command.idempotency_key, UPLINK_KEY_LEN);
    client_send(&c, &r);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(commands_past_their_time_are_not_sent)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-late", true);
    command_insert(&g, 1, "ping", "{}");
    change("update command set expires_at = now() - interval '1 minute'");
    join(&c, &g, NULL);
    eventually("select state from command where gateway_id = %" PRId64, g.id, 4);
    ck_assert_int_eq(counter("emt_field_commands_sent_total", NULL), 0);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_command");

    tcase_add_test(c, commands_are_delivered_until_a_result_came);
    tcase_add_test(c, open_commands_of_a_gateway_are_bounded);
    tcase_add_test(c, commands_past_their_time_are_not_sent);
    return field_fixture_run(c);
}
