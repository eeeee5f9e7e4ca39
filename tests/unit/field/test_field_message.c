/* Messages of a gateway beside its frames, and those that are too much. */
#include "field_fixture.h"

#include <check.h>
#include <inttypes.h>

START_TEST(frames_beyond_the_credit_and_long_messages_end_the_session)
{
    struct field_settings s = { .budget_bytes = 1 << 20 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-greedy", true);
    join(&c, &g, &m);
    ck_assert_uint_lt(m.u.welcome.credit_bytes, 500000);
    client_frames(&c, 1, 60, 16000);
    client_expect_bye(&c, "credit-exceeded");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x10\x00\x01", 4); /* 1 MiB and one byte */
    client_expect_bye(&c, "message-too-long");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x00\x00\x00", 4);
    client_expect_bye(&c, "unreadable");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x00\x00\x03\xff\xff\xff", 7);
    client_expect_bye(&c, "unreadable");
    client_close(&c);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"credit\""), 1);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"message\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(a_long_frame_is_rejected_and_the_others_live)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_frame f[3];
    static uint8_t data[UPLINK_FRAME_MAX + 1];
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { f, 2 } };

    node_start(&s);
    gateway_make(&g, "gw-long", true);
    join(&c, &g, NULL);
    for (unsigned i = 0; i < 2; i++)
        f[i] = (struct uplink_frame){ .seq = 1 + i,
                                      .received_at = clock_now(),
                                      .protocol = i ? 999 : PROTOCOL_WMBUS,
                                      .data = data,
                                      .len = 30 };
    client_send(&c, &m);
    client_expect(&c, UPLINK_ACK, &m);
    ck_assert_uint_eq(m.u.ack.up_to, 2);
    ck_assert_uint_eq(m.u.ack.nrejected, 1);
    ck_assert_uint_eq(m.u.ack.rejected[0].seq, 2);
    client_frames(&c, 3, 1, 30);
    client_expect_ack(&c, 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(status_log_and_gap_reach_the_database)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    const struct uplink_metric metric = { "modem \"1\"", -71 };
    struct uplink_message m = { .kind = UPLINK_STATUS };

    node_start(&s);
    gateway_make(&g, "gw-status", true);
    join(&c, &g, NULL);
    m.u.status = (struct uplink_status){ .at = clock_now(),
                                         .uptime_s = 5,
                                         .metrics = &metric,
                                         .nmetrics = 1,
                                         .spool_bytes = UINT64_MAX };
    client_send(&c, &m);
    m.u.status.uptime_s = 77;
    client_send(&c, &m);
    m = (struct uplink_message){ .kind = UPLINK_LOG };
    m.u.log = (struct uplink_log){ clock_now(), 4, "the modem is slow" };
    for (int i = 0; i < 70; i++)
        client_send(&c, &m);
    m = (struct uplink_message){ .kind = UPLINK_GAP, .u.gap = { 1, 5, "overwritten" } };
    client_send(&c, &m);
    client_expect_ack(&c, 5);
    eventually("select uptime_s from gateway_status where spool_bytes = 9223372036854775807"
               " and metrics ->> 'modem \"1\"' = '-71' and gateway_id = %" PRId64,
               g.id, 77);
    eventually("select count(*) from gateway_log where level = 4 and gateway_id = %" PRId64, g.id,
               60);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"log-lines\""), 10);
    ck_assert_int_eq(number("select to_seq from gateway_gap where gateway_id = %" PRId64, g.id), 5);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_message");

    tcase_add_test(c, frames_beyond_the_credit_and_long_messages_end_the_session);
    tcase_add_test(c, a_long_frame_is_rejected_and_the_others_live);
    tcase_add_test(c, status_log_and_gap_reach_the_database);
    return field_fixture_run(c);
}
