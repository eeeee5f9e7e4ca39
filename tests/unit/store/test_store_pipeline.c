#include "pg_fixture.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_fixture *fixture;
static int32_t tenant_a;

static const struct store_statement number = { "p_number", 1, "select $1::int8" };
static const struct store_statement divide = { "p_divide", 1, "select 1 / $1::int4" };
static const struct store_statement missing = { "p_missing", 0, "select 1 from p_no_such_table" };
static const struct store_statement location_add = {
    "p_location_add", 2, "insert into location (tenant_id, kind, code) values ($1, 1, $2)"
};
static const struct store_statement nap = { "p_nap", 0, "select pg_sleep(30)" };

/* What the callbacks said, in order: "7" a value, "ok" no rows, "!edb" an error. */
static struct {
    char text[4000];
    unsigned n;
} heard;

static void note(void *ctx, enum emt_err err, const struct store_result *r)
{
    size_t len = strlen(heard.text);
    char *at = heard.text + len;
    size_t room = sizeof heard.text - len;

    heard.n++;
    if (err != EMT_OK)
        snprintf(at, room, "%s!%s ", (const char *)ctx, emt_err_name(err));
    else if (r && store_rows(r) > 0)
        snprintf(at, room, "%s%lld ", (const char *)ctx, (long long)c_int(r, 0, 0));
    else
        snprintf(at, room, "%sok ", (const char *)ctx);
}

static void reset(void)
{
    memset(&heard, 0, sizeof heard);
}

static void send_number(struct store *s, int64_t v)
{
    struct store_param p;

    p_int8(&p, v);
    ck_assert_int_eq(store_send(s, &number, &p, note, (void *)(uintptr_t) ""), EMT_OK);
}

static void send_divide(struct store *s, int32_t by)
{
    struct store_param p;

    p_int4(&p, by);
    ck_assert_int_eq(store_send(s, &divide, &p, note, (void *)(uintptr_t) "d"), EMT_OK);
}

static void sync_noted(struct store *s)
{
    ck_assert_int_eq(store_send_sync(s, note, (void *)(uintptr_t) "s"), EMT_OK);
}

static struct store *open_async(enum store_role role)
{
    struct store *s;
    enum emt_err err;

    ck_assert_int_eq(store_open_start(pg_fixture_conninfo(fixture), role, &s), EMT_OK);
    while ((err = store_connect_poll(s)) == EMT_EAGAIN) {
        struct pollfd p = { store_fd(s), 0, 0 };

        p.events = (short)((store_wait(s) & STORE_WAIT_READ ? POLLIN : 0) |
                           (store_wait(s) & STORE_WAIT_WRITE ? POLLOUT : 0));
        ck_assert_int_gt(poll(&p, 1, 5000), 0);
    }
    ck_assert_int_eq(err, EMT_OK);
    return s;
}

START_TEST(answers_come_in_the_order_of_sending)
{
    struct store *s = open_async(STORE_APP);

    reset();
    for (int i = 0; i < 200; i++) {
        send_number(s, i);
        if (i % 7 == 0)
            ck_assert_int_eq(store_send_sync(s, NULL, NULL), EMT_OK);
    }
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK); /* adds the missing sync by itself */
    ck_assert_uint_eq(heard.n, 200);
    ck_assert_int_eq(strncmp(heard.text, "0 1 2 3 4 5 6 7 8 9 10 11 ", 26), 0);
    ck_assert_ptr_nonnull(strstr(heard.text, " 198 199 "));
    ck_assert_int_eq(store_run(s, &number, NULL, NULL),
                     EMT_ESTATE); /* an event loop does not wait */
    store_close(s);
}
END_TEST

START_TEST(an_error_skips_to_the_sync_and_later_segments_work)
{
    struct store *s = open_async(STORE_APP);

    reset();
    send_number(s, 1);
    send_divide(s, 0);
    send_number(s, 2);
    sync_noted(s);
    send_number(s, 3);
    send_divide(s, 1);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "1 d!database !state sok 3 d1 sok ");
    ck_assert_str_eq(store_sqlstate(s), "22012");
    store_close(s);
}
END_TEST

/* The prepare of a statement is skipped together with it; segments queued before that is known
 * prepare it themselves. */
START_TEST(a_skipped_prepare_is_sent_again)
{
    struct store *s = open_async(STORE_APP);

    reset();
    send_divide(s, 0);
    send_number(s, 1);
    sync_noted(s);
    send_number(s, 2);
    send_number(s, 3);
    sync_noted(s);
    send_number(s, 4);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "d!database !state sok 2 3 sok 4 sok ");
    reset();
    send_number(s, 5);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "5 ");
    store_close(s);
}
END_TEST

START_TEST(a_prepare_that_fails_fails_its_item)
{
    struct store *s = open_async(STORE_APP);

    reset();
    send_number(s, 1);
    ck_assert_int_eq(store_send(s, &missing, NULL, note, (void *)(uintptr_t) "m"), EMT_OK);
    send_number(s, 2);
    sync_noted(s);
    send_number(s, 3);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "1 m!database !state sok 3 sok ");
    store_close(s);
}
END_TEST

static void send_location(struct store *s, const char *code)
{
    struct store_param p[2];

    p_int4(&p[0], tenant_a);
    p_text(&p[1], code);
    ck_assert_int_eq(store_send(s, &location_add, p, note, (void *)(uintptr_t) "l"), EMT_OK);
}

static void send_batch(struct store *s, const char *first, const char *second)
{
    ck_assert_int_eq(store_send_begin(s), EMT_OK);
    ck_assert_int_eq(store_send_tenant(s, tenant_a), EMT_OK);
    send_location(s, first);
    send_location(s, second);
    ck_assert_int_eq(store_send_commit(s, note, (void *)(uintptr_t) "c"), EMT_OK);
    sync_noted(s);
}

START_TEST(a_transaction_is_committed_whole_or_not_at_all)
{
    struct store *s = open_async(STORE_APP);

    reset();
    send_batch(s, "P1", "P2");
    send_batch(s, "P3", "P1"); /* twice the same code */
    ck_assert_int_eq(store_send_rollback(s), EMT_OK);
    sync_noted(s);
    send_batch(s, "P4", "P5");
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "lok lok cok sok lok l!conflict c!state sok sok lok lok cok sok ");
    ck_assert_int_eq(
        pg_fixture_number(fixture, "select count(*) from location where code like 'P%'"), 4);
    store_close(s);
}
END_TEST

START_TEST(commit_of_a_failed_transaction_is_no_success)
{
    struct store *s = open_async(STORE_APP);

    reset();
    ck_assert_int_eq(store_send_begin(s), EMT_OK);
    send_divide(s, 0);
    sync_noted(s);
    ck_assert_int_eq(store_send_commit(s, note, (void *)(uintptr_t) "c"), EMT_OK);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "d!database sok c!state sok ");
    store_close(s);
}
END_TEST

static void send_more(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct store *s = ctx;

    (void)r;
    ck_assert_int_eq(err, EMT_OK);
    send_number(s, 8);
    sync_noted(s);
    ck_assert_int_eq(store_pump(s), EMT_OK); /* from a callback: harmless */
}

START_TEST(a_callback_may_queue_more)
{
    struct store *s = open_async(STORE_APP);
    struct store_param p;

    reset();
    p_int8(&p, 1);
    ck_assert_int_eq(store_send(s, &number, &p, send_more, s), EMT_OK);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "8 sok ");
    store_close(s);
}
END_TEST

START_TEST(a_synchronous_store_may_use_the_pipeline_in_between)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;
    struct store_param p;

    for (int i = 0; i < 3; i++) {
        p_int8(&p, i);
        ck_assert_int_eq(store_run(s, &number, &p, &r), EMT_OK);
        ck_assert_int_eq(c_int(r, 0, 0), i);
        store_result_free(r);
        reset();
        send_number(s, 10);
        send_divide(s, 1);
        ck_assert_int_eq(store_run(s, &number, &p, &r), EMT_ESTATE); /* answers are due */
        ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
        ck_assert_str_eq(heard.text, "10 d1 ");
    }
    store_close(s);
}
END_TEST

START_TEST(much_data_flows_without_waiting_for_each_other)
{
    static const struct store_statement big = { "p_big", 1, "select $1::bytea" };
    struct store *s = open_async(STORE_APP);
    size_t n = (size_t)4 << 20;
    uint8_t *bytes = calloc(1, n);
    struct store_param p;

    ck_assert_ptr_nonnull(bytes);
    reset();
    p_bytes(&p, bytes, n);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(store_send(s, &big, &p, NULL, NULL), EMT_OK);
    send_number(s, 1);
    ck_assert_int_eq(store_drain(s, 20000), EMT_OK);
    ck_assert_str_eq(heard.text, "1 ");
    free(bytes);
    store_close(s);
}
END_TEST

START_TEST(waiting_ends_at_the_time_limit)
{
    struct store *s = open_async(STORE_APP);

    reset();
    ck_assert_int_eq(store_send(s, &nap, NULL, note, (void *)(uintptr_t) "n"), EMT_OK);
    ck_assert_int_eq(store_drain(s, 100), EMT_EAGAIN);
    ck_assert_uint_eq(heard.n, 0);
    store_close(s); /* gives up without calling back */
}
END_TEST

START_TEST(the_end_of_the_server_fails_all_that_is_outstanding)
{
    struct store *s = open_async(STORE_APP);

    reset();
    send_number(s, 1);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_int_eq(store_send_begin(s), EMT_OK);
    ck_assert_int_eq(store_send(s, &nap, NULL, note, (void *)(uintptr_t) "n"), EMT_OK);
    send_number(s, 2);
    ck_assert_int_eq(store_send_commit(s, note, (void *)(uintptr_t) "c"), EMT_OK);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 200), EMT_EAGAIN);
    pg_fixture_crash(fixture);
    ck_assert_int_eq(store_drain(s, 5000), EMT_EDB);
    ck_assert_str_eq(heard.text, "1 sok n!database !database c!database s!database ");
    ck_assert(store_is_broken(s));
    ck_assert_int_eq(store_send_begin(s), EMT_EDB);
    store_close(s);
    pg_fixture_restart(fixture);
    s = open_async(STORE_APP);
    reset();
    send_number(s, 3);
    ck_assert_int_eq(store_drain(s, 5000), EMT_OK);
    ck_assert_str_eq(heard.text, "3 ");
    store_close(s);
}
END_TEST

/* A shutdown is announced: the statement under way and everything behind it has an unknown end, not
 * a known one. */
START_TEST(a_terminated_backend_fails_all_that_is_outstanding)
{
    struct store *s = open_async(STORE_APP);

    reset();
    ck_assert_int_eq(store_send(s, &nap, NULL, note, (void *)(uintptr_t) "n"), EMT_OK);
    send_number(s, 2);
    ck_assert_int_eq(store_send_commit(s, note, (void *)(uintptr_t) "c"), EMT_OK);
    sync_noted(s);
    ck_assert_int_eq(store_drain(s, 200), EMT_EAGAIN);
    pg_fixture_sql(fixture, "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                            " where query like '%pg_sleep(30)%' and usename = 'emt_app'");
    ck_assert_int_eq(store_drain(s, 5000), EMT_EDB);
    ck_assert_str_eq(heard.text, "n!database !database c!database s!database ");
    ck_assert_str_eq(store_sqlstate(s), "57P01");
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_pipeline");
    TCase *t = tcase_create("pipeline");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    tenant_a = pg_fixture_tenant(fixture, "a");
    tcase_add_test(t, answers_come_in_the_order_of_sending);
    tcase_add_test(t, an_error_skips_to_the_sync_and_later_segments_work);
    tcase_add_test(t, a_skipped_prepare_is_sent_again);
    tcase_add_test(t, a_prepare_that_fails_fails_its_item);
    tcase_add_test(t, a_transaction_is_committed_whole_or_not_at_all);
    tcase_add_test(t, commit_of_a_failed_transaction_is_no_success);
    tcase_add_test(t, a_callback_may_queue_more);
    tcase_add_test(t, a_synchronous_store_may_use_the_pipeline_in_between);
    tcase_add_test(t, much_data_flows_without_waiting_for_each_other);
    tcase_add_test(t, waiting_ends_at_the_time_limit);
    tcase_add_test(t, a_terminated_backend_fails_all_that_is_outstanding);
    tcase_add_test(t, the_end_of_the_server_fails_all_that_is_outstanding);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_set_fork_status(sr, CK_NOFORK); /* the server is a child of this process */
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
