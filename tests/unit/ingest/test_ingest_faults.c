/* What goes wrong, and what is left of it: nothing acknowledged is lost, nothing is counted twice,
 * nobody waits for somebody else. */
#include "base/cipher.h"
#include "base/clock.h"
#include "ingest/scratch.h"
#include "rig.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static int64_t stored(int32_t tenant)
{
    return rig_number("select count(*) from raw_frame where tenant_id = %d", tenant);
}

/* The n-th telegram of some meters, each with a value of its own. */
static enum emt_err send_nth(struct rig_engine *e, uint64_t ticket, unsigned n)
{
    char number[9];
    struct rig_telegram t = { .number = number, .access = (uint8_t)n, .energy_wh = 1000 + n };

    snprintf(number, sizeof number, "3000%04u", n % 7);
    return rig_send(e, ticket, n, rig_noon(3) + n * EMT_MINUTE, &t);
}

START_TEST(every_frame_once_although_connections_die)
{
    enum { N = 1500 };
    int32_t tenant = rig_tenant("killed");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e =
        rig_engine_new(&(struct rig_options){ .batch_ms = 1, .batch_rows = 200 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);

    for (unsigned n = 1; n <= N; n++) {
        ck_assert_int_eq(send_nth(e, t, n), EMT_OK);
        if (n % 60 == 0) {
            uint64_t acknowledged = rig_up_to(e, t);

            rig_sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'emt_ingest'");
            /* What was acknowledged is there, whatever becomes of the rest. */
            ck_assert_int_ge(
                rig_number("select last_seq from gateway_cursor where tenant_id = %d", tenant),
                (int64_t)acknowledged);
        }
    }
    rig_wait(e, t, N);
    ck_assert_int_eq(stored(tenant), N);
    ck_assert_int_eq(
        rig_number("select count(distinct seq) from raw_frame where tenant_id = %d", tenant), N);
    ck_assert_int_eq(rig_number("select frames from gateway_cursor where tenant_id = %d", tenant),
                     N);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant), N);
    ck_assert_int_eq(
        rig_number("select sum(mantissa)::int8 from reading where tenant_id = %d", tenant),
        (int64_t)N * 1000 + (int64_t)N * (N + 1) / 2);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and state <> 0", tenant),
        0);
    rig_engine_free(e);
}
END_TEST

START_TEST(every_frame_once_although_the_server_dies)
{
    enum { N = 300 };
    int32_t tenant = rig_tenant("crashed");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e =
        rig_engine_new(&(struct rig_options){ .batch_ms = 1, .batch_rows = 100 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    uint64_t acknowledged;

    for (unsigned n = 1; n <= N; n++) {
        ck_assert_int_eq(send_nth(e, t, n), EMT_OK);
        if (n == N / 2) {
            acknowledged = rig_up_to(e, t);
            pg_fixture_crash(rig_fixture);
        }
    }
    nap_ms(6000);
    ck_assert_uint_eq(rig_credit(e, t), 0); /* without database nobody is invited */
    ck_assert(rig_is_full(e));
    pg_fixture_restart(rig_fixture);
    ck_assert_int_ge(rig_number("select last_seq from gateway_cursor where tenant_id = %d", tenant),
                     (int64_t)acknowledged);
    rig_wait(e, t, N);
    ck_assert_int_eq(stored(tenant), N);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant), N);
    ck_assert_uint_gt(rig_credit(e, t), 0);
    ck_assert(!rig_is_full(e));
    rig_engine_free(e);
}
END_TEST

START_TEST(who_lost_the_gateway_is_fenced_and_the_others_go_on)
{
    int32_t tenant = rig_tenant("fenced");
    int64_t lost = rig_gateway(tenant, "lost", 1), kept = rig_gateway(tenant, "kept", 2);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 200 });
    uint64_t tl = rig_open(e, tenant, lost, 1, 1, 0), tk = rig_open(e, tenant, kept, 2, 1, 0);

    rig_sql("update gateway_cursor set epoch = 2 where tenant_id = %d and gateway_id = %" PRId64,
            tenant, lost);
    for (unsigned n = 1; n <= 5; n++) {
        ck_assert_int_eq(send_nth(e, tl, n), EMT_OK);
        ck_assert_int_eq(rig_send(e, tk, n, rig_noon(2),
                                  &(struct rig_telegram){
                                      .number = "44444444", .access = (uint8_t)n, .energy_wh = n }),
                         EMT_OK);
    }
    rig_wait_fenced(e, tl);
    rig_wait(e, tk, 5);
    ck_assert_uint_eq(rig_up_to(e, tl), 0);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and gateway_id = %" PRId64,
                   tenant, lost),
        0);
    ck_assert_int_eq(stored(tenant), 5);
    ck_assert_int_eq(send_nth(e, tl, 6), EMT_ESTATE);
    ck_assert_uint_eq(rig_credit(e, tl), 0);
    /* The new owner, on the same loop, goes on where the cursor stands. */
    rig_close(e, tl);
    uint64_t again = rig_open(e, tenant, lost, 1, 2, 0);
    ck_assert_int_eq(send_nth(e, again, 1), EMT_OK);
    rig_wait(e, again, 1);
    ck_assert_int_eq(stored(tenant), 6);
    rig_engine_free(e);
}
END_TEST

/* A session that ends with frames under way: they are committed, nobody is told. */
START_TEST(frames_of_a_closed_session_are_still_committed)
{
    int32_t tenant = rig_tenant("closed");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 300 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);

    for (unsigned n = 1; n <= 3; n++)
        ck_assert_int_eq(send_nth(e, t, n), EMT_OK);
    rig_close(e, t);
    rig_close(e, t);
    rig_drain(e);
    ck_assert_int_eq(stored(tenant), 3);
    ck_assert_uint_eq(rig_up_to(e, t), 0);
    rig_engine_free(e);
}
END_TEST

START_TEST(one_bad_row_keeps_its_bytes_and_stops_nobody)
{
    enum { N = 40 };
    int32_t bad = rig_tenant("badrow"), good = rig_tenant("goodrow");
    int64_t gb = rig_gateway(bad, "gw", 1), gg = rig_gateway(good, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 400 });
    uint64_t tb = rig_open(e, bad, gb, 1, 1, 0), tg = rig_open(e, good, gg, 1, 1, 0);

    rig_sql("alter table reading add constraint test_refuses check (mantissa <> 1017) not valid");
    for (unsigned n = 1; n <= N; n++) {
        ck_assert_int_eq(send_nth(e, tb, n), EMT_OK);
        ck_assert_int_eq(rig_send(e, tg, n, rig_noon(2) + n * EMT_MINUTE,
                                  &(struct rig_telegram){
                                      .number = "55555555", .access = (uint8_t)n, .energy_wh = n }),
                         EMT_OK);
    }
    rig_wait(e, tg, N);
    rig_wait(e, tb, N);
    rig_sql("alter table reading drop constraint test_refuses");
    ck_assert_int_eq(stored(good), N);
    ck_assert_int_eq(stored(bad), N);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", bad), N - 1);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", good), N);
    ck_assert_int_eq(
        rig_number(
            "select seq from raw_frame where tenant_id = %d and state = 9 and reason like 'store: %%test_refuses%%'",
            bad),
        17);
    ck_assert_int_eq(
        rig_number("select count(*) from event where tenant_id = %d and kind = 'frame-refused'",
                   bad),
        1);
    rig_engine_free(e);
}
END_TEST

/* Cut within a character the text would be refused in its turn, and the tenant would stand still.
 */
START_TEST(a_long_refusal_in_any_language_stops_nobody)
{
    int32_t tenant = rig_tenant("umlauts");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);

    rig_sql("create function test_refuse() returns trigger language plpgsql as $$ begin"
            " raise exception using errcode = '23514', message = repeat(chr(252), 300); end $$;"
            "create trigger test_refuses before insert on reading for each row"
            " when (new.tenant_id = %d) execute function test_refuse()",
            tenant);
    ck_assert_int_eq(send_nth(e, t, 1), EMT_OK);
    rig_wait(e, t, 1);
    rig_sql("drop trigger test_refuses on reading; drop function test_refuse");
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d and state = 9"
                                " and reason like 'store: ???%%'",
                                tenant),
                     1);
    rig_engine_free(e);
}
END_TEST

/* The table of frames itself refuses one tenant: nothing is acknowledged, the others go on, and it
 * is made up for later. */
START_TEST(a_tenant_that_cannot_be_stored_is_put_off)
{
    int32_t bad = rig_tenant("noroom"), good = rig_tenant("room");
    int64_t gb = rig_gateway(bad, "gw", 1), gg = rig_gateway(good, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 50 });
    uint64_t tb = rig_open(e, bad, gb, 1, 1, 0), tg = rig_open(e, good, gg, 1, 1, 0);

    rig_sql("alter table raw_frame add constraint test_full check (tenant_id <> %d) not valid",
            bad);
    for (unsigned n = 1; n <= 4; n++) {
        ck_assert_int_eq(send_nth(e, tb, n), EMT_OK);
        ck_assert_int_eq(send_nth(e, tg, n), EMT_OK);
    }
    rig_wait(e, tg, 4);
    ck_assert_int_eq(send_nth(e, tb, 5), EMT_OK);
    ck_assert_int_eq(send_nth(e, tg, 5), EMT_OK);
    rig_wait(e, tg, 5);
    nap_ms(1200);
    ck_assert_uint_eq(rig_up_to(e, tb), 0);
    ck_assert_int_eq(rig_number("select last_seq from gateway_cursor where tenant_id = %d", bad),
                     0);
    rig_sql("alter table raw_frame drop constraint test_full");
    rig_wait(e, tb, 5);
    ck_assert_int_eq(stored(bad), 5);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", bad), 5);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_lock_holds_up_its_tenant_only)
{
    int32_t held = rig_tenant("held"), free_ = rig_tenant("notheld");
    int64_t gh = rig_gateway(held, "gw", 1), gf = rig_gateway(free_, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 50 });
    uint64_t th = rig_open(e, held, gh, 1, 1, 0), tf = rig_open(e, free_, gf, 1, 1, 0);
    struct store *s = pg_fixture_store(rig_fixture, STORE_ADMIN);
    char sql[200];

    ck_assert_int_eq(send_nth(e, th, 1), EMT_OK);
    ck_assert_int_eq(send_nth(e, tf, 1), EMT_OK);
    rig_wait(e, th, 1);
    rig_wait(e, tf, 1);
    snprintf(sql, sizeof sql, "begin; select from device where tenant_id = %d for update", held);
    ck_assert_int_eq(store_script(s, sql, NULL), EMT_OK);
    ck_assert_int_eq(send_nth(e, th, 8), EMT_OK); /* the same meter, with a gap before it */
    ck_assert_int_eq(send_nth(e, tf, 8), EMT_OK);
    rig_wait(e, tf, 8);
    ck_assert_uint_eq(rig_up_to(e, th), 1);
    /* From then on the other one is not slowed, although the lock stands and is tried again. */
    for (unsigned n = 9; n <= 28; n++) {
        int64_t sent_ms = clock_mono_ms();

        ck_assert_int_eq(send_nth(e, th, n), EMT_OK);
        ck_assert_int_eq(send_nth(e, tf, n), EMT_OK);
        rig_wait(e, tf, n);
        ck_assert_int_lt(clock_mono_ms() - sent_ms, 1500);
        usleep(100000);
    }
    ck_assert_uint_eq(rig_up_to(e, th), 1);
    ck_assert_int_eq(store_script(s, "commit", NULL), EMT_OK);
    store_close(s);
    rig_wait(e, th, 28);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and state = 0", held), 22);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_frame_that_once_crashed_us_is_quarantined)
{
    int32_t tenant = rig_tenant("poisoned");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_telegram poison = { .number = "10000001", .energy_wh = 1 };
    struct rig_telegram fine = { .number = "10000001", .energy_wh = 2, .access = 1 };
    struct rig_frame f = rig_telegram(&poison);
    char path[] = "/tmp/emt-note-XXXXXX";
    struct scratch *s = NULL;
    uint8_t sum[32];
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(scratch_open(path, &s, NULL), EMT_OK);
    cipher_sha256(f.data, f.len, sum);
    scratch_enter(s, sum);
    scratch_close(s); /* the process died */
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .scratch_path = path });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    ck_assert_int_eq(rig_send(e, t, 1, rig_noon(2), &poison), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 2, rig_noon(2), &fine), EMT_OK);
    rig_wait(e, t, 2);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and state = 11 and seq = 1",
                   tenant),
        1);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and state = 0 and seq = 2",
                   tenant),
        1);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from event where tenant_id = %d and kind = 'quarantined' and severity = 2",
            tenant),
        1);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant), 1);
    rig_engine_free(e);
    unlink(path);
}
END_TEST

START_TEST(the_budget_is_shared_and_ends)
{
    int32_t a = rig_tenant("budget-a"), b = rig_tenant("budget-b");
    int64_t g[4] = { rig_gateway(a, "a1", 1), rig_gateway(a, "a2", 1), rig_gateway(a, "a3", 1),
                     rig_gateway(b, "b1", 1) };
    struct rig_engine *e =
        rig_engine_new(&(struct rig_options){ .batch_ms = 1500, .budget_bytes = 4u << 20 });
    uint64_t t[4];
    unsigned n = 0;
    enum emt_err err = EMT_OK;
    static uint8_t big[16000];

    for (int i = 0; i < 4; i++)
        t[i] = rig_open(e, i < 3 ? a : b, g[i], 1, 1, 0);
    /* An eighth of the budget, halved by tenants; three sessions share what one of the other tenant
     * has alone. */
    ck_assert_uint_eq(rig_credit(e, t[3]), (4u << 20) / 8 / 2);
    ck_assert_uint_eq(rig_credit(e, t[0]), (4u << 20) / 8 / 2 / 3);
    while (err == EMT_OK && n < 1000) {
        struct ingest_frame f = { ++n, rig_noon(2), PROTOCOL_WMBUS, 1, big, sizeof big, 0 };

        err = rig_push(e, t[0], &f);
    }
    ck_assert_int_eq(err, EMT_ELIMIT);
    ck_assert_uint_lt(n, (4u << 20) / sizeof big + 1);
    /* Three quarters: the rest is for the others. */
    ck_assert_uint_eq(rig_credit(e, t[0]), 0);
    ck_assert(!rig_is_full(e));
    ck_assert_uint_gt(rig_credit(e, t[3]), 0);
    for (uint64_t i = 1; !rig_is_full(e) && i < 1000; i++) {
        struct ingest_frame f = { i, rig_noon(2), PROTOCOL_WMBUS, 1, big, sizeof big, 0 };

        ck_assert_int_eq(rig_push(e, t[3], &f), EMT_OK);
    }
    ck_assert(rig_is_full(e));
    ck_assert_uint_eq(rig_credit(e, t[3]), 0);
    rig_wait(e, t[0], n - 1);
    ck_assert_uint_eq(rig_bytes_done(e, t[0]), (n - 1) * sizeof big);
    for (int i = 0; i < 100 && rig_is_full(e); i++)
        nap_ms(20);
    ck_assert(!rig_is_full(e));
    ck_assert_uint_eq(rig_credit(e, t[3]), (4u << 20) / 8 / 2);
    rig_close(e, t[3]);
    ck_assert_uint_eq(rig_credit(e, t[3]), 0);
    ck_assert_uint_eq(rig_credit(e, t[0]), (4u << 20) / 8 / 3);
    rig_engine_free(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ingest_faults");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    /* The fixture is quick and forgetful; here it is counted what survives. */
    pg_fixture_sql(rig_fixture, "alter database emt set synchronous_commit = on");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_frame_once_although_connections_die);
    tcase_add_test(t, every_frame_once_although_the_server_dies);
    tcase_add_test(t, who_lost_the_gateway_is_fenced_and_the_others_go_on);
    tcase_add_test(t, frames_of_a_closed_session_are_still_committed);
    tcase_add_test(t, one_bad_row_keeps_its_bytes_and_stops_nobody);
    tcase_add_test(t, a_long_refusal_in_any_language_stops_nobody);
    tcase_add_test(t, a_tenant_that_cannot_be_stored_is_put_off);
    tcase_add_test(t, a_lock_holds_up_its_tenant_only);
    tcase_add_test(t, a_frame_that_once_crashed_us_is_quarantined);
    tcase_add_test(t, the_budget_is_shared_and_ends);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_set_fork_status(sr, CK_NOFORK); /* the server is crashed and started again from here */
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
