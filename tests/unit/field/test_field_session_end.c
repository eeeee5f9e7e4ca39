/* How sessions end on the server's side: silence, age, draining, stop. */
#include "base/clock.h"
#include "field_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

START_TEST(no_hello_in_time_ends)
{
    struct field_settings s = { .hello_ms = 300 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-mute", true);
    connect_from(&c, &g, NULL);
    client_expect_bye(&c, "no-hello");
    client_close(&c);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"hello\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(silence_is_asked_and_then_ends)
{
    struct field_settings s = { .idle_ms = 400 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-idle", true);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.idle_ms, 400);
    ck_assert(client_next(&c, &m, 5000));
    ck_assert_int_eq(m.kind, UPLINK_PING);
    client_expect_bye(&c, "idle");
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(an_old_session_is_sent_away_and_may_come_back)
{
    struct field_settings s = { .session_age_ms = 300 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    node_start(&s);
    gateway_make(&g, "gw-old", true);
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_BYE, &m);
    ck_assert_str_eq(m.u.bye.reason, "session-age");
    ck_assert_uint_le(m.u.bye.retry_after_ms, 5000);
    /* What was sent before the Bye was read is still acknowledged. */
    client_frames(&c, 1, 2, 50);
    client_expect_ack(&c, 2);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

static void *stop_now(void *arg)
{
    field_stop(arg, 5000);
    return NULL;
}

START_TEST(stopping_says_bye_and_commits_what_it_has)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;
    uint64_t up_to = 0;
    pthread_t t;

    node_start(&s);
    gateway_make(&g, "gw-stop", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 200, 50);
    ck_assert_int_eq(pthread_create(&t, NULL, stop_now, node.field), 0);
    bool bye = false;
    while (client_next(&c, &m, 8000)) {
        if (m.kind == UPLINK_ACK)
            up_to = m.u.ack.up_to;
        bye = bye || (m.kind == UPLINK_BYE && strcmp(m.u.bye.reason, "shutdown") == 0);
    }
    pthread_join(t, NULL);
    node.field = NULL;
    ck_assert(bye);
    ck_assert_int_eq(number(STORED, g.id), (int64_t)up_to);
    ck_assert_int_eq(number("select count(*) from gateway_session where state = 1"
                            " and reason = 'shutdown' and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(draining_sends_sessions_away_one_after_the_other)
{
    enum { N = 6 };
    struct field_settings s = { .drain_ms = 1200 };
    struct gateway g[N];
    struct gateway_client c[N];
    char name[32];
    int64_t began, ended;

    node_start(&s);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "gw-drain-%d", i);
        gateway_make(&g[i], name, true);
        join(&c[i], &g[i], NULL);
    }
    began = clock_mono_ms();
    field_drain(node.field);
    ended = clock_mono_ms();
    /* Each has its Bye, and the last did not leave with the first. */
    for (int i = 0; i < N; i++) {
        client_expect_bye(&c[i], "shutdown");
        client_close(&c[i]);
        gateway_release(&g[i]);
    }
    ck_assert_int_ge(ended - began, 300);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_session_end");

    tcase_add_test(c, no_hello_in_time_ends);
    tcase_add_test(c, silence_is_asked_and_then_ends);
    tcase_add_test(c, an_old_session_is_sent_away_and_may_come_back);
    tcase_add_test(c, stopping_says_bye_and_commits_what_it_has);
    tcase_add_test(c, draining_sends_sessions_away_one_after_the_other);
    return field_fixture_run(c);
}
