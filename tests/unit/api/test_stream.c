/* The event stream of a tenant, over loopback and a throw-away database. */
#include "api_fixture.h"
#include "event_watch.h"
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void listen_to(struct client *c, const char *key, const struct test_tenant *t,
                      const char *query, const char *headers)
{
    char text[600];

    client_open(c, api_port(), NULL);
    snprintf(text, sizeof text,
             "GET /api/v1/tenants/%s/stream%s HTTP/1.1\r\nHost: localhost\r\n"
             "Authorization: Bearer %s\r\n%s\r\n",
             t->name, query, key, headers);
    client_text(c, text);
    ck_assert(client_await(c, "HTTP/1.1 200 OK\r\n"));
    ck_assert(client_await(c, "Content-Type: text/event-stream\r\n"));
    ck_assert(client_await(c, "event: hello\ndata: {\"node\":\"\",\"at\":\""));
    ck_assert(client_await(c, "\"}\n\n"));
}

static void event_new(const struct test_tenant *t, const char *kind)
{
    sql("insert into event (tenant_id, at, severity, kind, detail)"
        " values (%d, now() - interval '1 year', 1, '%s', '')",
        t->id, kind);
}

static void gateway_new(const struct test_tenant *t, const char *id)
{
    sql("insert into gateway (tenant_id, external_id) values (%d, '%s')", t->id, id);
}

static void frames_new(const struct test_tenant *t, const char *gateway, int from, int to)
{
    sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
        " stored_at, state, spool_id, data) select g.tenant_id, 1, 0, g.gateway_id, n, now(), now(),"
        " 0, decode(repeat('ab', 16), 'hex'), decode('0102', 'hex')"
        " from gateway g, generate_series(%d, %d) n where g.tenant_id = %d and g.external_id = '%s'",
        from, to, t->id, gateway);
}

START_TEST(what_happens_is_told)
{
    struct test_tenant t;
    struct client c;

    tenant_new(&t, "told");
    gateway_new(&t, "gw1");
    event_new(&t, "before");
    listen_to(&c, t.key, &t, "", "");
    event_new(&t, "clock-ahead");
    ck_assert(client_await(&c, "id: "));
    ck_assert(client_await(&c, "event: event\ndata: {\"id\":"));
    ck_assert(
        client_await(&c, "\"severity\":\"warning\",\"kind\":\"clock-ahead\",\"gateway\":null,"));
    sql("insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since, peer)"
        " select tenant_id, gateway_id, 7, 1, 0, now(), '192.0.2.1' from gateway"
        " where tenant_id = %d",
        t.id);
    ck_assert(
        client_await(&c, "event: gateway\ndata: {\"gateway\":\"gw1\",\"state\":\"connected\","));
    ck_assert(client_await(&c, "\"peer\":\"192.0.2.1\",\"node\":7}\n\n"));
    sql("update gateway_session set state = 1, ended_at = now() where tenant_id = %d", t.id);
    ck_assert(client_await(&c, "\"state\":\"ended\""));
    frames_new(&t, "gw1", 5, 5);
    ck_assert(client_await(&c, "event: frame\ndata: {\"gateway\":\"gw1\",\"spool\":\"abab"));
    ck_assert(client_await(&c, "\"seq\":5,"));
    ck_assert(client_await(&c, "\"data\":\"0102\""));
    sql("insert into job (tenant_id, kind) values (%d, 'nothing')", t.id);
    ck_assert(client_await(&c, "event: job\ndata: {"));
    ck_assert(client_await(&c, "\"state\":\"waiting\""));
    sql("update job set state = 3, progress_done = 4, progress_total = 4, ended_at = now(),"
        " result = '{\"frames\": 4}' where tenant_id = %d",
        t.id);
    ck_assert(client_await(&c, "\"state\":\"done\""));
    ck_assert(client_await(&c, "\"result\":{\"frames\":4}"));
    ck_assert(client_await(&c, "\"progress\":{\"done\":4,\"total\":4}"));
    client_close(&c);
}
END_TEST

/* Numbers and times are given before the commit: whoever asks only for what is above the highest
 * one that he saw misses the late. */
START_TEST(a_late_commit_is_not_missed)
{
    struct test_tenant t;
    struct client c;
    struct emt_diag diag = { 0 };
    char text[300];

    tenant_new(&t, "late");
    listen_to(&c, t.key, &t, "?topics=events", "");
    struct store *late = pg_fixture_store(platform.pg, STORE_ADMIN);
    snprintf(text, sizeof text,
             "begin; insert into event (tenant_id, at, severity, kind, detail)"
             " values (%d, now(), 0, 'first', '')",
             t.id);
    ck_assert_msg(store_script(late, text, &diag) == EMT_OK, "%s", diag.text);
    event_new(&t, "second");
    ck_assert(client_await(&c, "\"kind\":\"second\""));
    ck_assert_int_eq(store_script(late, "commit", &diag), EMT_OK);
    ck_assert(client_await(&c, "\"kind\":\"first\""));
    event_new(&t, "third");
    /* And nothing is told twice. */
    ck_assert(client_await(&c, "event: event"));
    ck_assert(client_await(&c, "\"kind\":\"third\""));
    store_close(late);
    client_close(&c);
}
END_TEST

START_TEST(only_what_was_asked_for_is_told_and_only_of_this_tenant)
{
    struct test_tenant t;
    struct test_tenant other;
    struct client c;

    tenant_new(&t, "mine");
    tenant_new(&other, "theirs");
    gateway_new(&t, "gw1");
    gateway_new(&other, "gw2");
    listen_to(&c, t.key, &t, "?topics=frames,events", "");
    struct client theirs;
    listen_to(&theirs, other.key, &other, "", "");
    event_new(&other, "foreign");
    ck_assert(client_await(&theirs, "\"kind\":\"foreign\""));
    sql("insert into job (tenant_id, kind) values (%d, 'unheard')", t.id);
    frames_new(&other, "gw2", 1, 1);
    ck_assert(client_await(&theirs, "\"gateway\":\"gw2\""));
    event_new(&t, "own");
    /* The first block behind the greeting is our own. */
    ck_assert(client_await(&c, "event: "));
    ck_assert(client_await(&c, "\"kind\":\"own\""));
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/theirs/stream");
    client_close(&theirs);
    client_close(&c);
}
END_TEST

START_TEST(more_frames_than_anybody_reads_are_counted)
{
    struct test_tenant t;
    struct client c;

    tenant_new(&t, "many");
    gateway_new(&t, "gw1");
    listen_to(&c, t.key, &t, "?topics=frames", "");
    frames_new(&t, "gw1", 1, 300);
    ck_assert(client_await(&c, "event: lost\ndata: {\"count\":"));
    ck_assert(client_await(&c, "\"seq\":300,"));
    frames_new(&t, "gw1", 1000, 1000);
    ck_assert(client_await(&c, "\"seq\":1000,"));
    client_close(&c);
}
END_TEST

START_TEST(who_comes_back_hears_what_he_missed)
{
    struct test_tenant t;
    struct client c;
    char last[100];

    tenant_new(&t, "back");
    event_new(&t, "before");
    snprintf(last, sizeof last, "Last-Event-ID: %lld.%lld\r\n",
             (long long)sql_number("select max(event_id) from event"), (long long)clock_now());
    event_new(&t, "missed-1");
    event_new(&t, "missed-2");
    sql("insert into job (tenant_id, kind) values (%d, 'nothing')", t.id);
    listen_to(&c, t.key, &t, "?topics=events,jobs", last);
    ck_assert(client_await(&c, "event: job"));
    ck_assert(client_await(&c, "event: event"));
    ck_assert(client_await(&c, "\"kind\":\"missed-1\""));
    ck_assert(client_await(&c, "\"kind\":\"missed-2\""));
    event_new(&t, "after");
    ck_assert(client_await(&c, "\"kind\":\"after\""));
    client_close(&c);
    /* An id that is none of ours is no reason to refuse. */
    listen_to(&c, t.key, &t, "", "Last-Event-ID: nonsense\r\n");
    client_close(&c);
}
END_TEST

START_TEST(topics_that_are_none_are_refused)
{
    struct test_tenant t;

    tenant_new(&t, "topics");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/topics/stream?topics=weather");
    check_problem("invalid", "topics");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/topics/stream?topics=");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/topics/stream?topics=frames,");
    ask(401, NULL, "GET", NULL, "/api/v1/tenants/topics/stream");
    ask(401, "emt_1_wrongwrongwrongwrongwrong", "GET", NULL, "/api/v1/tenants/topics/stream");
}
END_TEST

START_TEST(each_topic_needs_its_scope)
{
    struct test_tenant t;
    struct client c;
    char key[80];

    tenant_new(&t, "scopes");
    ask(201, t.key, "POST",
        "{\"name\":\"narrow\",\"role\":\"reader\",\"scopes\":[\"frames:read\"]}",
        "/api/v1/tenants/scopes/api-keys");
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    ask(403, key, "GET", NULL, "/api/v1/tenants/scopes/stream?topics=events");
    check_problem("scope", "topics");
    listen_to(&c, key, &t, "", "");
    gateway_new(&t, "gw1");
    event_new(&t, "not-for-it");
    frames_new(&t, "gw1", 1, 1);
    ck_assert(client_await(&c, "event: "));
    ck_assert(client_await(&c, "\"seq\":1,"));
    client_close(&c);
}
END_TEST

static int64_t key_number(const struct test_tenant *t)
{
    return sql_number("select max(key_id) from api_key where tenant_id = %d", t->id);
}

START_TEST(the_stream_of_a_revoked_key_ends)
{
    struct test_tenant t;
    struct client c;
    struct client good;
    char key[80];

    tenant_new(&t, "revoked");
    tenant_key(&t, "reader", key);
    listen_to(&good, t.key, &t, "", "");
    listen_to(&c, key, &t, "", "");
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/revoked/api-keys/%lld",
        (long long)key_number(&t));
    ck_assert(client_ended(&c, 15000));
    event_new(&t, "still-told");
    ck_assert(client_await(&good, "\"kind\":\"still-told\""));
    client_close(&c);
    client_close(&good);
}
END_TEST

START_TEST(the_stream_of_an_expired_key_ends)
{
    struct test_tenant t;
    struct client c;
    char key[80];

    tenant_new(&t, "expired");
    tenant_key(&t, "reader", key);
    listen_to(&c, key, &t, "", "");
    sql("update api_key set expires_at = now() where tenant_id = %d and key_id = %lld", t.id,
        (long long)key_number(&t));
    ck_assert(client_ended(&c, 15000));
    client_close(&c);
}
END_TEST

START_TEST(the_streams_of_an_operator_end_with_him)
{
    struct test_tenant t;
    struct client c;

    tenant_new(&t, "operated");
    listen_to(&c, platform.auditor_key, &t, "", "");
    event_new(&t, "seen");
    ck_assert(client_await(&c, "\"kind\":\"seen\""));
    ck_assert(client_await(&c, "\n\n"));
    sql("update platform_user set disabled_at = now() where name = 'auditor'");
    ck_assert(client_ended(&c, 15000));
    sql("update platform_user set disabled_at = null where name = 'auditor'");
    client_close(&c);
}
END_TEST

START_TEST(one_key_has_so_many_streams_and_no_more)
{
    struct test_tenant t;
    struct client c[32];

    tenant_new(&t, "share");
    for (unsigned i = 0; i < 32; i++)
        listen_to(&c[i], t.key, &t, "?topics=events", "");
    ask(429, t.key, "GET", NULL, "/api/v1/tenants/share/stream");
    check_problem("too-many-streams", NULL);
    ck_assert_ptr_nonnull(last_header("Retry-After"));
    ask(200, t.key, "HEAD", NULL, "/api/v1/tenants/share/stream");
    event_new(&t, "for-all");
    for (unsigned i = 0; i < 32; i++)
        ck_assert(client_await(&c[i], "\"kind\":\"for-all\""));
    for (unsigned i = 0; i < 32; i++)
        client_close(&c[i]);
}
END_TEST

START_TEST(marks_are_read_strictly)
{
    static const char *const bad[] = { "",
                                       "1",
                                       "1.",
                                       ".1",
                                       "-1.2",
                                       "1.-2",
                                       "1.2.3",
                                       "a.b",
                                       "1.2x",
                                       " 1.2",
                                       "99999999999999999999.1" };
    struct event_mark m;

    ck_assert(event_mark_parse("12.345", &m));
    ck_assert_int_eq(m.event_id, 12);
    ck_assert_int_eq(m.at, 345);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!event_mark_parse(bad[i], &m), "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_stream");
    TCase *t = tcase_create("stream");

    platform_start();
    pg_fixture_sql(platform.pg, "set client_min_messages = warning;"
                                " select partitions_ensure(now(), 92)");
    tcase_add_checked_fixture(t, api_start, api_stop);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_happens_is_told);
    tcase_add_test(t, a_late_commit_is_not_missed);
    tcase_add_test(t, only_what_was_asked_for_is_told_and_only_of_this_tenant);
    tcase_add_test(t, more_frames_than_anybody_reads_are_counted);
    tcase_add_test(t, who_comes_back_hears_what_he_missed);
    tcase_add_test(t, topics_that_are_none_are_refused);
    tcase_add_test(t, each_topic_needs_its_scope);
    tcase_add_test(t, the_stream_of_a_revoked_key_ends);
    tcase_add_test(t, the_stream_of_an_expired_key_ends);
    tcase_add_test(t, the_streams_of_an_operator_end_with_him);
    tcase_add_test(t, one_key_has_so_many_streams_and_no_more);
    tcase_add_test(t, marks_are_read_strictly);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    free(platform.operator_key);
    free(platform.auditor_key);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
