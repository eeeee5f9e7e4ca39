/* Values changed wherever they lie: readers see it at once, compaction keeps it, nothing is lost.
 */
#include "model/quality.h"
#include "pg_fixture.h"
#include "store/block_store.h"
#include "store/correction_store.h"
#include "store/reading_query_store.h"
#include "store/value_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JANUARY INT64_C(1767225600000000) /* 2026-01-01 */
#define NOW (JANUARY + 60 * EMT_DAY)
#define QUARTER (15 * EMT_MINUTE)
#define HAND (QUALITY_CORRECTED | QUALITY_BY_HAND)

static struct pg_fixture *fixture;
static struct store *admin, *app;
static int32_t tenant;
static int64_t channel;

static void setup(void)
{
    static int round;
    char sql[700], key[32];

    snprintf(key, sizeof key, "t%d-%d", (int)getpid(), round++);
    tenant = pg_fixture_tenant(fixture, key);
    snprintf(
        sql, sizeof sql,
        "insert into device (tenant_id, ident, manufacturer, number) values (%d, 'd', 'K', '1');"
        "insert into channel (tenant_id, device_id, key, kind, quantity)"
        " select %d, device_id, 'k', 0, 1 from device where tenant_id = %d",
        (int)tenant, (int)tenant, (int)tenant);
    pg_fixture_sql(fixture, sql);
    snprintf(sql, sizeof sql, "select max(channel_id) from channel where tenant_id = %d",
             (int)tenant);
    channel = pg_fixture_number(fixture, sql);
    admin = pg_fixture_store(fixture, STORE_ADMIN);
    app = pg_fixture_store(fixture, STORE_APP);
}

static void teardown(void)
{
    store_close(admin);
    store_close(app);
}

static int64_t count(const char *what)
{
    char sql[400];

    snprintf(sql, sizeof sql, "select count(*) from %s", what);
    char *at = strstr(sql, "$T");
    if (at)
        memmove(at + snprintf(at, 12, "%d", (int)tenant), at + 2, strlen(at + 2) + 1);
    return pg_fixture_number(fixture, sql);
}

/* n values of a measured load curve from a time on: 100, 101, … */
static void measure(const char *table, emt_time from, int n)
{
    char sql[600], at[32];
    bool late = strcmp(table, "reading_late") == 0;

    snprintf(sql, sizeof sql,
             "insert into %s (tenant_id, channel_id, ts, mantissa, exponent, quality%s)"
             " select %d, %lld, timestamptz '%s' + i * interval '15 min', 100 + i, 0, 256%s"
             " from generate_series(0, %d) i",
             table, late ? ", received_at" : "", (int)tenant, (long long)channel,
             time_format(from, at), late ? ", now()" : "", n - 1);
    pg_fixture_sql(fixture, sql);
}

static struct block_counts compact(void)
{
    struct block_counts counts = { 0 };
    emt_time month = JANUARY - 3650 * EMT_DAY;

    for (;;) {
        ck_assert_int_eq(block_next_month(admin, tenant, month, JANUARY + 50 * EMT_DAY, &month),
                         EMT_OK);
        if (month == EMT_TIME_NONE)
            return counts;
        struct block_lot lot = { .month = month, .closed = JANUARY + 50 * EMT_DAY };
        while (!lot.done)
            ck_assert_int_eq(block_compact(admin, tenant, &lot, NOW, &counts), EMT_OK);
        month = block_month_after(month);
    }
}

static struct value_change put(emt_time ts, int64_t mantissa, int quality)
{
    return (struct value_change){ .v = { ts, mantissa, 0, (int16_t)quality }, .reason = "why" };
}

static enum emt_err change(enum value_rule rule, struct value_change *list, size_t n)
{
    static emt_time at = NOW;
    const struct value_who who = { "user:anna", ++at };

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    enum emt_err err = value_change(app, tenant, channel, rule, list, n, &who);
    if (err == EMT_OK)
        ck_assert_int_eq(store_commit(app), EMT_OK);
    else
        store_rollback(app);
    return err;
}

/* What readers see at a time; mantissa -1: nothing. */
static struct stored_reading at(emt_time ts)
{
    struct stored_reading *list = NULL, v = { .value = { -1, 0 } };
    size_t n = 0;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(reading_range(app, tenant, channel, ts, ts + 1, 10, &list, &n), EMT_OK);
    store_rollback(app);
    ck_assert_uint_le(n, 1);
    if (n)
        v = list[0];
    free(list);
    return v;
}

static void check_value(emt_time ts, int64_t mantissa, enum quality q)
{
    struct stored_reading v = at(ts);

    ck_assert_int_eq(v.value.mantissa, mantissa);
    if (mantissa >= 0)
        ck_assert_int_eq(v.quality, q);
}

/* The same three changes wherever the values lie: replaced, replaced again, taken away. */
static void check_changes(emt_time ts)
{
    struct value_change c[1] = { put(ts, 777, HAND) };

    ck_assert_int_eq(change(VALUE_BY_RANK, c, 1), EMT_OK);
    ck_assert_int_eq(c[0].outcome, VALUE_WRITTEN);
    ck_assert(c[0].had);
    ck_assert_int_eq(c[0].before.mantissa, 104);
    check_value(ts, 777, QUALITY_CORRECTED);
    ck_assert_int_eq(at(ts).time_source, TIME_SOURCE_METER);
    c[0] = put(ts, 778, HAND);
    ck_assert_int_eq(change(VALUE_BY_RANK, c, 1), EMT_OK);
    ck_assert_int_eq(c[0].before.mantissa, 777);
    check_value(ts, 778, QUALITY_CORRECTED);
    c[0] = put(ts, 778, HAND);
    ck_assert_int_eq(change(VALUE_BY_RANK, c, 1), EMT_OK);
    ck_assert_int_eq(c[0].outcome, VALUE_SAME);
    ck_assert_int_eq(count("reading_history where tenant_id = $T and replaced_by = 'user:anna'"
                           " and reason = 'why'"),
                     2);
    (void)compact();
    check_value(ts, 778, QUALITY_CORRECTED);
    check_value(ts - QUARTER, 103, QUALITY_MEASURED);
    check_value(ts + QUARTER, 105, QUALITY_MEASURED);
    ck_assert_int_eq(count("reading_conflict where tenant_id = $T"), 0);
    ck_assert_int_eq(count("reading_history where tenant_id = $T"), 2);
    c[0].remove = true;
    ck_assert_int_eq(change(VALUE_ALWAYS, c, 1), EMT_OK);
    check_value(ts, -1, 0);
    check_value(ts + QUARTER, 105, QUALITY_MEASURED);
    c[0].remove = true;
    ck_assert_int_eq(change(VALUE_ALWAYS, c, 1), EMT_OK);
    ck_assert_int_eq(c[0].outcome, VALUE_SAME);
}

START_TEST(a_row_is_changed)
{
    measure("reading", JANUARY, 96);
    check_changes(JANUARY + 4 * QUARTER);
}
END_TEST

START_TEST(a_late_value_is_changed)
{
    measure("reading_late", JANUARY, 96);
    check_changes(JANUARY + 4 * QUARTER);
}
END_TEST

START_TEST(a_value_in_a_block_is_changed)
{
    measure("reading", JANUARY, 96);
    (void)compact();
    ck_assert_int_eq(count("reading where tenant_id = $T"), 0);
    check_changes(JANUARY + 4 * QUARTER);
    ck_assert_int_eq(count("reading where tenant_id = $T"), 0);
}
END_TEST

START_TEST(a_value_in_a_block_of_a_month_is_changed)
{
    measure("reading", JANUARY, 10); /* few: the month is one block */
    (void)compact();
    ck_assert_int_eq(count("reading_block where tenant_id = $T and span = 1"), 1);
    check_changes(JANUARY + 4 * QUARTER);
}
END_TEST

START_TEST(the_same_time_in_all_three_places_is_one_value_afterwards)
{
    measure("reading", JANUARY, 96);
    (void)compact();
    measure("reading", JANUARY, 96);
    measure("reading_late", JANUARY, 96);
    check_changes(JANUARY + 4 * QUARTER);
}
END_TEST

START_TEST(the_last_value_of_a_block_takes_it_along)
{
    struct value_change c = put(JANUARY, 0, 0);

    measure("reading", JANUARY, 1);
    (void)compact();
    c.remove = true;
    ck_assert_int_eq(change(VALUE_ALWAYS, &c, 1), EMT_OK);
    ck_assert_int_eq(count("reading_block where tenant_id = $T"), 0);
    check_value(JANUARY, -1, 0);
}
END_TEST

START_TEST(rank_decides)
{
    struct value_change c[4];

    measure("reading", JANUARY, 4);
    c[0] = put(JANUARY, 1, QUALITY_SUBSTITUTE);
    c[1] = put(JANUARY + QUARTER, 2, QUALITY_SUBSTITUTE | QUALITY_BY_HAND);
    c[2] = put(JANUARY + 3 * QUARTER, 3, QUALITY_INVALID);
    c[3] = put(JANUARY + 5 * QUARTER, 4, QUALITY_SUBSTITUTE);
    ck_assert_int_eq(change(VALUE_BY_RANK, c, 4), EMT_OK);
    ck_assert_int_eq(c[0].outcome, VALUE_OUTRANKED);
    ck_assert_int_eq(c[1].outcome, VALUE_WRITTEN);
    ck_assert_int_eq(c[2].outcome, VALUE_OUTRANKED);
    ck_assert_int_eq(c[3].outcome, VALUE_WRITTEN);
    check_value(JANUARY, 100, QUALITY_MEASURED);
    check_value(JANUARY + QUARTER, 2, QUALITY_SUBSTITUTE);
    check_value(JANUARY + 5 * QUARTER, 4, QUALITY_SUBSTITUTE);
    /* A substitute over a substitute; no machine over a person. */
    c[0] = put(JANUARY + QUARTER, 9, QUALITY_MEASURED);
    c[1] = put(JANUARY + 5 * QUARTER, 5, QUALITY_ESTIMATED);
    ck_assert_int_eq(change(VALUE_NOT_BY_HAND, c, 2), EMT_OK);
    ck_assert_int_eq(c[0].outcome, VALUE_OUTRANKED);
    ck_assert_int_eq(c[1].outcome, VALUE_WRITTEN);
    /* What is by hand stands through compaction against the same value measured again. */
    measure("reading_late", JANUARY, 4);
    (void)compact();
    check_value(JANUARY + QUARTER, 2, QUALITY_SUBSTITUTE);
    ck_assert_int_eq(count("reading_conflict where tenant_id = $T"), 0);
}
END_TEST

START_TEST(a_gap_of_long_ago_is_filled)
{
    struct value_change c = put(JANUARY - 900 * EMT_DAY, 5, HAND);

    ck_assert_int_eq(change(VALUE_BY_RANK, &c, 1), EMT_OK);
    ck_assert(!c.had);
    ck_assert_int_eq(count("reading_late where tenant_id = $T"), 1);
    check_value(JANUARY - 900 * EMT_DAY, 5, QUALITY_CORRECTED);
    (void)compact();
    check_value(JANUARY - 900 * EMT_DAY, 5, QUALITY_CORRECTED);
}
END_TEST

START_TEST(what_is_wrong_with_a_call_changes_nothing)
{
    struct value_change c[2] = { put(JANUARY, 1, HAND), put(JANUARY, 2, HAND) };
    int64_t mine = channel;

    ck_assert_int_eq(change(VALUE_BY_RANK, c, 2), EMT_EMALFORMED);
    ck_assert_int_eq(change(VALUE_BY_RANK, c, VALUE_CHANGES_MAX + 1), EMT_ELIMIT);
    ck_assert_int_eq(change(VALUE_BY_RANK, c, 0), EMT_OK);
    channel = mine + 100000;
    ck_assert_int_eq(change(VALUE_BY_RANK, c, 1), EMT_ENOTFOUND);
    channel = mine;
    measure("reading", JANUARY, 96);
    (void)compact();
    pg_fixture_sql(fixture, "update reading_block set data = '\\x0102'");
    ck_assert_int_ne(change(VALUE_BY_RANK, c, 1), EMT_OK);
    ck_assert_int_eq(count("reading_history where tenant_id = $T"), 0);
    pg_fixture_sql(fixture, "delete from reading_block");
}
END_TEST

struct met {
    int64_t ids[40];
    struct stored_reading *all[40];
    size_t n[40], at[40], slot;
};

static enum emt_err meet(void *ctx, int64_t id, const struct stored_reading *v)
{
    struct met *m = ctx;

    while (m->ids[m->slot] < id)
        m->slot++;
    ck_assert_int_eq(m->ids[m->slot], id);
    ck_assert_uint_lt(m->at[m->slot], m->n[m->slot]);
    const struct stored_reading *want = &m->all[m->slot][m->at[m->slot]++];

    ck_assert(v->ts == want->ts && decimal_compare(v->value, want->value) == 0 &&
              v->stored_quality == want->stored_quality);
    return EMT_OK;
}

/* Rows in any order, late ones at the same times, packed days, negative exponents and qualities. */
START_TEST(many_channels_at_once_are_what_each_is_alone)
{
    struct met m = { .slot = 0 };
    struct reading_visitor visitor = { meet, &m };
    struct block_counts counts = { 0 };
    struct block_lot lot = { .month = JANUARY, .closed = JANUARY + EMT_DAY };
    emt_time from = JANUARY + EMT_HOUR;
    emt_time to = JANUARY + 2 * EMT_DAY;
    char sql[1600];

    snprintf(
        sql, sizeof sql,
        "insert into channel (tenant_id, device_id, key, kind, quantity) select tenant_id,"
        " device_id, 'm' || i, 0, 1 from device, generate_series(1, 39) i where tenant_id = %d;"
        "select setseed(0.5);"
        "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
        " select channel_id, '2026-01-01Z'::timestamptz + i * interval '15 minutes', i - 90,"
        " tenant_id, channel_id %% 5 - 3, (array[256, 257, -255])[1 + i %% 3]"
        " from channel, generate_series(0, 191) i where tenant_id = %d order by random();",
        (int)tenant, (int)tenant);
    pg_fixture_sql(fixture, sql);
    while (!lot.done)
        ck_assert_int_eq(block_compact(admin, tenant, &lot, NOW, &counts), EMT_OK);
    ck_assert_int_eq(counts.blocks, 40);
    snprintf(
        sql, sizeof sql,
        "insert into reading_late (channel_id, ts, mantissa, received_at, tenant_id, exponent,"
        " quality) select channel_id, '2026-01-01Z'::timestamptz + i * interval '5 minutes', i,"
        " now(), tenant_id, 0, (array[256, 257, 16641])[1 + i %% 3]"
        " from channel, generate_series(0, 400) i where tenant_id = %d and channel_id %% 3 > 0"
        " order by random()",
        (int)tenant);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(sql, sizeof sql,
                 "select channel_id from channel where tenant_id = %d order by 1 offset %d",
                 (int)tenant, i);
        m.ids[i] = pg_fixture_number(fixture, sql);
        ck_assert_int_eq(
            reading_range(app, tenant, m.ids[i], from, to, READING_RANGE_MAX, &m.all[i], &m.n[i]),
            EMT_OK);
        ck_assert_uint_ge(m.n[i], 188);
    }
    ck_assert_int_eq(reading_ask_channels(app, tenant, m.ids, 40, from, to), EMT_OK);
    ck_assert_int_eq(reading_answer_channels(app, m.ids, 40, from, to, &visitor), EMT_OK);
    for (int i = 0; i < 40; i++) {
        ck_assert_uint_eq(m.at[i], m.n[i]);
        free(m.all[i]);
    }
    store_rollback(app);
}
END_TEST

START_TEST(ranks_in_sql_are_those_of_the_model)
{
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        for (int q = 0; q < QUALITIES; q++) {
            char sql[300];
            int stored = q | 0x300 | (by_hand ? QUALITY_BY_HAND : 0);

            /* The expression of reading_store.c. */
            snprintf(sql, sizeof sql,
                     "select CASE WHEN v & 16384 <> 0 THEN 2 WHEN v & 255 = 0 THEN 1"
                     " WHEN v & 255 = 5 THEN 2 ELSE 0 END from (select %d::int2 as v) x",
                     stored);
            ck_assert_int_eq(pg_fixture_number(fixture, sql), quality_stored_rank(stored));
        }
    }
}
END_TEST

/* Nobody looked ahead while the database rested; what lies between counts as recent all the same.
 */
START_TEST(a_long_rest_leaves_no_month_without_partition)
{
    pg_fixture_sql(
        fixture, "begin; select partitions_ensure('2034-11-05', 92);"
                 "do $$ declare w record; begin select * into w from storage_window;"
                 " for i in 0 .. 200 loop"
                 "  exit when w.hot_from + make_interval(months => i) >= w.hot_to;"
                 "  if to_regclass('reading_' || to_char((w.hot_from + make_interval(months => i))"
                 "     at time zone 'UTC', 'YYYYMM')) is null then"
                 "   raise exception 'no partition % months behind %', i, w.hot_from; end if;"
                 " end loop;"
                 " if w.hot_to <> '2035-03-01 00:00:00Z' then raise exception '%', w; end if;"
                 "end $$; rollback");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("value_store");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    pg_fixture_sql(fixture, "select partitions_ensure('2026-03-01', 92)");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_row_is_changed);
    tcase_add_test(t, a_late_value_is_changed);
    tcase_add_test(t, a_value_in_a_block_is_changed);
    tcase_add_test(t, a_value_in_a_block_of_a_month_is_changed);
    tcase_add_test(t, the_same_time_in_all_three_places_is_one_value_afterwards);
    tcase_add_test(t, the_last_value_of_a_block_takes_it_along);
    tcase_add_test(t, rank_decides);
    tcase_add_test(t, a_gap_of_long_ago_is_filled);
    tcase_add_test(t, what_is_wrong_with_a_call_changes_nothing);
    tcase_add_test(t, many_channels_at_once_are_what_each_is_alone);
    tcase_add_test(t, ranks_in_sql_are_those_of_the_model);
    tcase_add_test(t, a_long_rest_leaves_no_month_without_partition);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(fixture);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
