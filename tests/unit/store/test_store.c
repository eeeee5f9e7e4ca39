#include "pg_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pg_fixture *fixture;
static int32_t tenant_a, tenant_b;

static const struct store_statement echo = {
    "t_echo", 8,
    "select $1::bool, $2::int2, $3::int4, $4::int8, $5::timestamptz, $6::text, $7::bytea, "
    "$8::jsonb ->> 'k'"
};
static const struct store_statement arrays = {
    "t_arrays", 7,
    "select a, b, c, d, e, f, g from unnest($1::bool[], $2::int2[], $3::int4[], $4::int8[],"
    " $5::timestamptz[], $6::text[], $7::bytea[]) as u(a, b, c, d, e, f, g)"
};
static const struct store_statement setting = {
    "t_setting", 0, "select coalesce(current_setting('app.tenant', true), '')"
};
static const struct store_statement location_add = {
    "t_location_add", 2, "insert into location (tenant_id, kind, code) values ($1, 1, $2)"
};
static const struct store_statement location_count = { "t_location_count", 0,
                                                       "select count(*) from location" };

START_TEST(scalars_come_back_as_sent)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_param p[8], copy[8];
    struct store_result *r;
    const uint8_t *bytes;
    size_t n;

    p_bool(&p[0], true);
    p_int2(&p[1], INT16_MIN);
    p_int4(&p[2], INT32_MIN);
    p_int8(&p[3], INT64_MAX);
    p_time(&p[4], INT64_C(1700000000123456));
    p_text(&p[5], "it's \"so\" \\ ü");
    p_bytes(&p[6], "\0\xff\1", 3);
    p_text(&p[7], "{\"k\": \"v\"}");
    memcpy(copy, p, sizeof p); /* parameters may be copied */
    memset(p, 0, sizeof p);
    ck_assert_int_eq(store_run(s, &echo, copy, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 1);
    ck_assert(c_bool(r, 0, 0));
    ck_assert_int_eq(c_int(r, 0, 1), INT16_MIN);
    ck_assert_int_eq(c_int(r, 0, 2), INT32_MIN);
    ck_assert_int_eq(c_int(r, 0, 3), INT64_MAX);
    ck_assert_int_eq(c_time(r, 0, 4), INT64_C(1700000000123456));
    ck_assert_str_eq(c_text(r, 0, 5), "it's \"so\" \\ ü");
    bytes = c_bytes(r, 0, 6, &n);
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(bytes, "\0\xff\1", 3);
    ck_assert_str_eq(c_text(r, 0, 7), "v");
    store_result_free(r);

    ck_assert_int_eq(store_run(s, &echo, p, &r), EMT_OK); /* zeroed parameters are NULL */
    for (int i = 0; i < 8; i++)
        ck_assert(c_null(r, 0, i));
    ck_assert_int_eq(c_time(r, 0, 4), EMT_TIME_NONE);
    ck_assert_int_eq(c_int(r, 0, 3), 0);
    ck_assert_str_eq(c_text(r, 0, 5), "");
    store_result_free(r);
    store_close(s);
}
END_TEST

START_TEST(infinite_times_are_the_ends_of_ours)
{
    static const struct store_statement st = {
        "t_infinity", 0, "select 'infinity'::timestamptz, '-infinity'::timestamptz"
    };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;

    ck_assert_int_eq(store_run(s, &st, NULL, &r), EMT_OK);
    ck_assert(c_time(r, 0, 0) == INT64_MAX);
    ck_assert(c_time(r, 0, 1) == INT64_MIN + 1);
    store_result_free(r);
    store_close(s);
}
END_TEST

START_TEST(a_time_before_the_calendar_is_refused_not_wrapped)
{
    static const struct store_statement st = { "t_time", 1, "select $1::timestamptz" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_param p;

    p_time(&p, INT64_MIN + 1);
    ck_assert_int_eq(store_run(s, &st, &p, NULL), EMT_EDB);
    ck_assert_str_eq(store_sqlstate(s), "22008");
    ck_assert(!store_is_broken(s));
    store_close(s);
}
END_TEST

/* i-th row of all arrays; every third is NULL. */
static void fill(struct store_array *a[7], int i)
{
    char text[40];

    if (i % 3 == 2) {
        for (int k = 0; k < 7; k++)
            ck_assert(store_array_null(a[k]));
        return;
    }
    snprintf(text, sizeof text, "'%d', \"{},NULL\\", i);
    ck_assert(store_array_int(a[0], i & 1));
    ck_assert(store_array_int(a[1], -i));
    ck_assert(store_array_int(a[2], -i * 1000));
    ck_assert(store_array_int(a[3], INT64_MIN + i));
    ck_assert(store_array_time(a[4], i * EMT_DAY - 1));
    ck_assert(store_array_text(a[5], i == 3 ? "" : text));
    ck_assert(store_array_bytes(a[6], text, i == 3 ? 0 : 3));
}

START_TEST(arrays_keep_nulls_quotes_and_order)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_array *a[7];
    struct store_param p[7];
    struct store_result *r;
    char text[40];
    size_t n;

    for (int k = 0; k < 7; k++)
        ck_assert_ptr_nonnull(a[k] = store_array_new((enum store_type)k));
    for (int round = 0; round < 2; round++) { /* an array is reused */
        for (int k = 0; k < 7; k++)
            store_array_clear(a[k]);
        for (int i = 0; i < 30; i++)
            fill(a, i);
        ck_assert_uint_eq(store_array_count(a[0]), 30);
        for (int k = 0; k < 7; k++)
            p_array(&p[k], a[k]);
        ck_assert_int_eq(store_run(s, &arrays, p, &r), EMT_OK);
        ck_assert_int_eq(store_rows(r), 30);
        for (int i = 0; i < 30; i++) {
            for (int k = 0; k < 7; k++)
                ck_assert_int_eq(c_null(r, i, k), i % 3 == 2);
            if (i % 3 == 2)
                continue;
            snprintf(text, sizeof text, "'%d', \"{},NULL\\", i);
            ck_assert_int_eq(c_bool(r, i, 0), i & 1);
            ck_assert_int_eq(c_int(r, i, 1), -i);
            ck_assert_int_eq(c_int(r, i, 2), -i * 1000);
            ck_assert_int_eq(c_int(r, i, 3), INT64_MIN + i);
            ck_assert_int_eq(c_time(r, i, 4), i * EMT_DAY - 1);
            ck_assert_str_eq(c_text(r, i, 5), i == 3 ? "" : text);
            (void)c_bytes(r, i, 6, &n);
            ck_assert_uint_eq(n, i == 3 ? 0 : 3);
        }
        store_result_free(r);
    }
    for (int k = 0; k < 7; k++)
        store_array_clear(a[k]);
    for (int k = 0; k < 7; k++)
        p_array(&p[k], a[k]);
    ck_assert_int_eq(store_run(s, &arrays, p, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 0);
    store_result_free(r);
    for (int k = 0; k < 7; k++)
        store_array_free(a[k]);
    store_close(s);
}
END_TEST

START_TEST(the_tenant_of_a_transaction_vanishes_with_it)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;
    char text[20];

    snprintf(text, sizeof text, "%d", tenant_a);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
        ck_assert_int_eq(store_run(s, &setting, NULL, &r), EMT_OK);
        ck_assert_str_eq(c_text(r, 0, 0), text);
        store_result_free(r);
        if (i)
            store_rollback(s);
        else
            ck_assert_int_eq(store_commit(s), EMT_OK);
        ck_assert_int_eq(store_run(s, &setting, NULL, &r), EMT_OK);
        ck_assert_str_eq(c_text(r, 0, 0), "");
        store_result_free(r);
    }
    store_close(s);
}
END_TEST

static int64_t locations(struct store *s, int32_t tenant)
{
    struct store_result *r;
    int64_t n;

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(store_run(s, &location_count, NULL, &r), EMT_OK);
    n = c_int(r, 0, 0);
    store_result_free(r);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    return n;
}

START_TEST(a_tenant_sees_and_writes_its_own_rows_only)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_param p[2];

    p_int4(&p[0], tenant_a);
    p_text(&p[1], "A1");
    ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
    ck_assert_int_eq(store_run(s, &location_add, p, NULL), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(locations(s, tenant_a), 1);
    ck_assert_int_eq(locations(s, tenant_b), 0);
    ck_assert_int_eq(locations(s, 0), 0); /* no tenant, no rows */

    p_text(&p[1], "A2"); /* the other tenant writes into a's place */
    ck_assert_int_eq(store_begin(s, tenant_b), EMT_OK);
    ck_assert_int_eq(store_run(s, &location_add, p, NULL), EMT_EDB);
    ck_assert_str_eq(store_sqlstate(s), "42501");
    ck_assert_int_eq(store_commit(s), EMT_ESTATE); /* the server rolled back */
    ck_assert_int_eq(locations(s, tenant_a), 1);
    store_close(s);
}
END_TEST

START_TEST(sqlstates_say_what_to_do)
{
    static const struct {
        const char *sql;
        enum emt_err err;
    } cases[] = {
        { "do $$ begin raise unique_violation; end $$", EMT_ECONFLICT },
        { "do $$ begin raise foreign_key_violation; end $$", EMT_ECONFLICT },
        { "do $$ begin raise check_violation; end $$", EMT_ELIMIT },
        { "do $$ begin raise serialization_failure; end $$", EMT_EAGAIN },
        { "do $$ begin raise deadlock_detected; end $$", EMT_EAGAIN },
        { "do $$ begin raise lock_not_available; end $$", EMT_EAGAIN },
        { "do $$ begin raise division_by_zero; end $$", EMT_EDB },
        { "select syntax error", EMT_EDB },
    };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct emt_diag diag;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(store_script(s, cases[i].sql, &diag), cases[i].err);
    ck_assert(!store_is_broken(s));
    ck_assert_int_eq(store_script(s, "select 1;\nselect 2;\nselect nothing", &diag), EMT_EDB);
    ck_assert_uint_eq(diag.line, 3);
    ck_assert_ptr_nonnull(strstr(diag.text, "nothing"));
    store_close(s);
}
END_TEST

START_TEST(a_statement_that_does_not_prepare_can_be_mended)
{
    static const struct store_statement broken = { "t_late", 0, "select 1::int4 from t_late" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;

    ck_assert_int_eq(store_run(s, &broken, NULL, &r), EMT_EDB);
    ck_assert_str_eq(store_sqlstate(s), "42P01");
    pg_fixture_sql(fixture, "create table t_late (x int); grant select on t_late to emt_app;"
                            "insert into t_late values (1)");
    ck_assert_int_eq(store_run(s, &broken, NULL, &r), EMT_OK);
    ck_assert_int_eq(c_int(r, 0, 0), 1);
    store_result_free(r);
    pg_fixture_sql(fixture, "drop table t_late");
    store_close(s);
}
END_TEST

START_TEST(a_statement_survives_a_change_of_its_columns)
{
    static const struct store_statement all = { "t_columns", 0, "select * from t_columns" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;

    pg_fixture_sql(fixture, "create table t_columns (x int4); grant select on t_columns to emt_app;"
                            "insert into t_columns values (1)");
    ck_assert_int_eq(store_run(s, &all, NULL, NULL), EMT_OK);
    pg_fixture_sql(fixture, "alter table t_columns alter x type int8");
    ck_assert_int_eq(store_run(s, &all, NULL, NULL), EMT_EDB);
    ck_assert_int_eq(store_run(s, &all, NULL, &r), EMT_OK);
    ck_assert_int_eq(c_int(r, 0, 0), 1);
    store_result_free(r);
    ck_assert_int_eq(store_script(s, "deallocate all", NULL), EMT_OK);
    ck_assert_int_eq(store_run(s, &all, NULL, NULL), EMT_EDB);
    ck_assert_int_eq(store_run(s, &all, NULL, NULL), EMT_OK);
    pg_fixture_sql(fixture, "drop table t_columns");
    store_close(s);
}
END_TEST

START_TEST(a_role_ended_by_the_administrator_is_broken)
{
    static const struct store_statement pid = { "t_pid", 0, "select pg_backend_pid()" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;
    char sql[80];

    ck_assert_int_eq(store_run(s, &pid, NULL, &r), EMT_OK);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d, 5000)", (int)c_int(r, 0, 0));
    store_result_free(r);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(store_run(s, &pid, NULL, &r), EMT_EDB);
    ck_assert(store_is_broken(s));
    ck_assert_int_eq(store_begin(s, 1), EMT_EDB);
    store_rollback(s);
    store_close(s);
}
END_TEST

START_TEST(an_idle_connection_that_was_ended_is_seen_before_it_is_used)
{
    static const struct store_statement pid = { "t_pid", 0, "select pg_backend_pid()" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r;
    char sql[80];

    ck_assert_int_eq(store_run(s, &pid, NULL, &r), EMT_OK);
    ck_assert(!store_has_ended(s));
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d, 5000)", (int)c_int(r, 0, 0));
    store_result_free(r);
    pg_fixture_sql(fixture, sql);
    ck_assert(store_has_ended(s));
    ck_assert(store_is_broken(s));
    store_close(s);
}
END_TEST

START_TEST(no_server_is_an_error_in_time)
{
    struct emt_diag diag = { 0 };
    struct store *s = NULL;

    ck_assert_int_eq(store_open("host=/nowhere dbname=emt", STORE_APP, 2000, &s, &diag), EMT_EDB);
    ck_assert_ptr_nonnull(strstr(diag.text, "emt_app"));
    ck_assert_int_eq(store_open("host=/nowhere nonsense=1", STORE_APP, 2000, &s, &diag), EMT_EDB);
    ck_assert_ptr_null(s);
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_given_up)
{
    static const struct store_statement slow = { "t_slow", 0, "select pg_sleep(20)::text" };
    static const struct store_statement quick = { "t_quick", 0, "select 1::int8" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    int64_t n = 0;

    store_set_patience(s, 200);
    ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
    ck_assert_int_eq(store_run_number(s, &quick, NULL, &n), EMT_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(store_run(s, &slow, NULL, NULL), EMT_EDB);
    ck_assert(store_is_broken(s));
    ck_assert_str_eq(store_error(s), "no answer from the database in time");
    ck_assert_int_eq(store_run_number(s, &quick, NULL, &n), EMT_EDB);
    ck_assert_int_eq(store_commit(s), EMT_EDB);
    store_rollback(s);
    store_close(s);
}
END_TEST

START_TEST(patience_does_not_change_answers)
{
    static const struct store_statement big = { "t_big", 0,
                                                "select repeat('x', 1000) from generate_series(1,"
                                                " 20000)" };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct emt_diag diag = { 0 };
    struct store_result *r = NULL;

    store_set_patience(s, 30000);
    ck_assert_int_eq(store_run(s, &big, NULL, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 20000);
    store_result_free(r);
    ck_assert_int_eq(store_script(s, "select 1; select 2", &diag), EMT_OK);
    ck_assert_int_eq(store_script(s, "select 1; select nothing", &diag), EMT_EDB);
    ck_assert_int_eq(store_run(s, &big, NULL, NULL), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(a_notification_wakes)
{
    struct store *a = pg_fixture_store(fixture, STORE_ADMIN);
    struct store *b = pg_fixture_store(fixture, STORE_ADMIN);
    bool came;

    ck_assert_int_eq(store_listen(a, "node-\"1"), EMT_OK);
    ck_assert_int_eq(store_wait_notify(a, 50, &came), EMT_OK);
    ck_assert(!came);
    ck_assert_int_eq(store_script(b, "notify \"node-\"\"1\"", NULL), EMT_OK);
    ck_assert_int_eq(store_wait_notify(a, 5000, &came), EMT_OK);
    ck_assert(came);
    store_close(a);
    store_close(b);
}
END_TEST

static const struct store_statement resting = {
    "t_resting", 0, "select current_setting('idle_in_transaction_session_timeout')"
};

/* A node that is gone in the middle of a batch keeps nobody from its gateways. Requests and exports
 * wait for slow readers between their statements. */
START_TEST(only_ingest_may_not_rest_in_a_transaction)
{
    static const struct {
        enum store_role role;
        const char *most;
    } roles[] = { { STORE_INGEST, "5s" }, { STORE_APP, "0" }, { STORE_ADMIN, "0" } };

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct store *s = pg_fixture_store(fixture, roles[i].role);
        struct store_result *r = NULL;

        ck_assert_int_eq(store_run(s, &resting, NULL, &r), EMT_OK);
        ck_assert_str_eq(c_text(r, 0, 0), roles[i].most);
        store_result_free(r);
        store_close(s);
    }
}
END_TEST

/* The warning of a wait for a standby that an administrator cancels (no standby ever comes here).
 */
START_TEST(a_commit_whose_replication_was_cancelled_is_unknown)
{
    pid_t helper;
    struct store *s;

    pg_fixture_sql(fixture, "alter system set synchronous_standby_names = 'nobody'");
    pg_fixture_sql(fixture, "select pg_reload_conf(), pg_sleep(0.3)");
    s = pg_fixture_store(fixture, STORE_ADMIN);
    ck_assert_int_eq(store_script(s, "set synchronous_commit = on", NULL), EMT_OK);
    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(store_script(s,
                                  "insert into node (name, version, lease_until) values"
                                  " ('unknown', '1', now())",
                                  NULL),
                     EMT_OK);
    helper = fork();
    if (helper == 0) {
        usleep(300000);
        pg_fixture_sql(fixture, "select pg_cancel_backend(pid) from pg_stat_activity"
                                " where query = 'COMMIT' and usename = 'emt_admin'");
        _exit(0);
    }
    ck_assert_int_eq(store_commit(s), EMT_EDB);
    ck_assert_int_eq(waitpid(helper, NULL, 0), helper);
    ck_assert(store_take_unknown_commit(s));
    ck_assert(!store_take_unknown_commit(s));
    ck_assert(!store_is_broken(s));
    store_close(s);
    pg_fixture_sql(fixture, "alter system reset synchronous_standby_names");
    pg_fixture_sql(fixture, "select pg_reload_conf(), pg_sleep(0.3)");
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from node where name = 'unknown'"),
                     1);
}
END_TEST

START_TEST(an_error_is_cut_between_characters)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    static const char *const characters[] = { "chr(252)", "chr(8364)", "chr(128512)" };
    static const size_t widths[] = { 2, 3, 4 };

    for (size_t i = 0; i < 3; i++) {
        for (int before = 0; before < 4; before++) {
            char sql[160];

            snprintf(sql, sizeof sql,
                     "do $$ begin raise exception '%%', repeat('x', %d) || repeat(%s, 300); end $$",
                     before, characters[i]);
            ck_assert_int_ne(store_script(s, sql, NULL), EMT_OK);
            size_t n = strlen(store_error(s));
            ck_assert_uint_gt(n, 390);
            ck_assert_uint_eq((n - (size_t)before) % widths[i], 0);
        }
    }
    store_close(s);
}
END_TEST

static const struct store_statement much = { "t_much", 1,
                                             "select i, repeat('x', 500) from"
                                             " generate_series(1, $1::int4) i" };
static const struct store_statement divide = { "t_divide", 1, "select 1 / $1::int4" };

START_TEST(an_answer_waits_until_it_is_fetched)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_param p;
    struct store_result *r = NULL;

    p_int4(&p, 20000);
    ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
    ck_assert_int_eq(store_ask(s, &much, &p), EMT_OK);
    ck_assert_int_eq(store_ask(s, &much, &p), EMT_ESTATE);
    for (int i = 0; i < 1000; i++)
        store_listen_in(s);
    /* A statement and the end of the transaction in between. */
    ck_assert_int_eq(store_run(s, &location_count, NULL, &r), EMT_OK);
    store_result_free(r);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(store_begin(s, tenant_b), EMT_OK);
    ck_assert_int_eq(store_answer(s, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 20000);
    ck_assert_int_eq(c_int(r, 19999, 0), 20000);
    store_result_free(r);
    ck_assert_int_eq(store_answer(s, &r), EMT_ESTATE);
    store_rollback(s);
    /* At once, dropped, and left behind. */
    ck_assert_int_eq(store_ask(s, &much, &p), EMT_OK);
    ck_assert_int_eq(store_answer(s, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 20000);
    store_result_free(r);
    ck_assert_int_eq(store_ask(s, &much, &p), EMT_OK);
    ck_assert_int_eq(store_answer(s, NULL), EMT_OK);
    ck_assert_int_eq(store_ask(s, &much, &p), EMT_OK);
    ck_assert_int_eq(store_run(s, &location_count, NULL, NULL), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(what_was_asked_in_vain_is_told_once_and_to_who_asked)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_param p;
    struct store_result *r = NULL;

    p_int4(&p, 0);
    ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
    ck_assert_int_eq(store_ask(s, &divide, &p), EMT_OK);
    ck_assert_int_eq(store_run(s, &location_count, NULL, &r), EMT_EDB);
    ck_assert_str_eq(store_error(s), "division by zero");
    store_rollback(s);
    ck_assert_int_eq(store_answer(s, &r), EMT_EDB);
    ck_assert_int_eq(store_begin(s, tenant_a), EMT_OK);
    ck_assert_int_eq(store_ask(s, &divide, &p), EMT_OK);
    store_rollback(s);
    ck_assert_int_eq(store_answer(s, NULL), EMT_EDB);
    ck_assert_int_eq(store_run(s, &location_count, NULL, NULL), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(who_asked_a_server_that_went_away_is_told)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    static const struct store_statement pid = { "t_pid", 0, "select pg_backend_pid()::int8" };
    static const struct store_statement slow = { "t_sleeps", 0, "select pg_sleep(20)::text" };
    struct store_result *r = NULL;
    int64_t n;
    char sql[80];

    ck_assert_int_eq(store_run_number(s, &pid, NULL, &n), EMT_OK);
    ck_assert_int_eq(store_ask(s, &slow, NULL), EMT_OK);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld)", (long long)n);
    pg_fixture_sql(fixture, sql);
    store_listen_in(s);
    ck_assert_int_eq(store_answer(s, &r), EMT_EDB);
    ck_assert(store_is_broken(s));
    store_listen_in(s);
    ck_assert_int_eq(store_ask(s, &slow, NULL), EMT_EDB);
    store_rollback(s);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *t = tcase_create("sync");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    tenant_a = pg_fixture_tenant(fixture, "a");
    tenant_b = pg_fixture_tenant(fixture, "b");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, scalars_come_back_as_sent);
    tcase_add_test(t, an_error_is_cut_between_characters);
    tcase_add_test(t, infinite_times_are_the_ends_of_ours);
    tcase_add_test(t, a_time_before_the_calendar_is_refused_not_wrapped);
    tcase_add_test(t, arrays_keep_nulls_quotes_and_order);
    tcase_add_test(t, the_tenant_of_a_transaction_vanishes_with_it);
    tcase_add_test(t, a_tenant_sees_and_writes_its_own_rows_only);
    tcase_add_test(t, sqlstates_say_what_to_do);
    tcase_add_test(t, a_statement_that_does_not_prepare_can_be_mended);
    tcase_add_test(t, a_statement_survives_a_change_of_its_columns);
    tcase_add_test(t, a_role_ended_by_the_administrator_is_broken);
    tcase_add_test(t, an_idle_connection_that_was_ended_is_seen_before_it_is_used);
    tcase_add_test(t, no_server_is_an_error_in_time);
    tcase_add_test(t, a_server_that_does_not_answer_is_given_up);
    tcase_add_test(t, patience_does_not_change_answers);
    tcase_add_test(t, an_answer_waits_until_it_is_fetched);
    tcase_add_test(t, what_was_asked_in_vain_is_told_once_and_to_who_asked);
    tcase_add_test(t, who_asked_a_server_that_went_away_is_told);
    tcase_add_test(t, a_notification_wakes);
    tcase_add_test(t, only_ingest_may_not_rest_in_a_transaction);
    tcase_add_test(t, a_commit_whose_replication_was_cancelled_is_unknown);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
