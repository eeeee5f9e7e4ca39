/* What readers see is the same before, during and after compaction. */
#include "model/quality.h"
#include "pg_fixture.h"
#include "store/block_store.h"
#include "store/reading_query_store.h"
#include "store/reading_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JANUARY INT64_C(1767225600000000) /* 2026-01-01 */
#define FEBRUARY (JANUARY + 31 * EMT_DAY)
#define NOW (JANUARY + 40 * EMT_DAY)
#define CLOSED (NOW - 5 * EMT_DAY)
#define QUARTER (15 * EMT_MINUTE)
#define MOST 8000

static struct pg_fixture *fixture;
static struct store *admin, *app;
static int32_t tenant;
static int64_t channel;

static int64_t make_channel(int32_t of, const char *ident)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "insert into device (tenant_id, ident, manufacturer, number, version, type)"
             " values (%d, '%s', 'KAM', '1', 1, 1) on conflict do nothing;"
             "insert into channel (tenant_id, device_id, key, kind, quantity)"
             " select %d, device_id, '%s', 0, 1 from device where tenant_id = %d and ident = '%s'",
             of, ident, of, ident, of, ident);
    pg_fixture_sql(fixture, sql);
    snprintf(sql, sizeof sql, "select max(channel_id) from channel where tenant_id = %d", of);
    return pg_fixture_number(fixture, sql);
}

static void setup(void)
{
    static int round;
    char key[32];

    snprintf(key, sizeof key, "t%d-%d", (int)getpid(), round++);
    tenant = pg_fixture_tenant(fixture, key);
    channel = make_channel(tenant, "d1");
    admin = pg_fixture_store(fixture, STORE_ADMIN);
    app = pg_fixture_store(fixture, STORE_APP);
}

static void teardown(void)
{
    store_close(admin);
    store_close(app);
}

static int64_t number(const char *what)
{
    char sql[300];

    snprintf(sql, sizeof sql, "%s where tenant_id = %d", what, (int)tenant);
    return pg_fixture_number(fixture, sql);
}

static void insert(const char *table, int64_t ch, emt_time ts, int64_t m, int e, int q)
{
    char sql[400], at[32];

    snprintf(sql, sizeof sql,
             "insert into %s (tenant_id, channel_id, ts, mantissa, exponent, quality%s)"
             " values (%d, %lld, '%s', %lld, %d, %d%s)",
             table, strcmp(table, "reading_late") ? "" : ", received_at", (int)tenant,
             (long long)ch, time_format(ts, at), (long long)m, e, q,
             strcmp(table, "reading_late") ? "" : ", now()");
    pg_fixture_sql(fixture, sql);
}

/* n values a step apart, growing. */
static void insert_many(int64_t ch, emt_time from, int n, emt_time step)
{
    char sql[500], at[32];

    snprintf(
        sql, sizeof sql,
        "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
        " select %d, %lld, timestamptz '%s' + i * interval '%lld us', 1000000 + i * 7 + i %% 5,"
        " -1, 256 from generate_series(0, %d) i",
        (int)tenant, (long long)ch, time_format(from, at), (long long)step, n - 1);
    pg_fixture_sql(fixture, sql);
}

static struct block_counts compact(emt_time closed)
{
    struct block_counts counts = { 0 };
    emt_time month = JANUARY - 3650 * EMT_DAY;

    for (;;) {
        ck_assert_int_eq(block_next_month(admin, tenant, month, closed, &month), EMT_OK);
        if (month == EMT_TIME_NONE)
            return counts;
        struct block_lot lot = { .month = month, .closed = closed };
        while (!lot.done)
            ck_assert_int_eq(block_compact(admin, tenant, &lot, NOW, &counts), EMT_OK);
        month += 31 * EMT_DAY;
        month -= month % EMT_DAY;
    }
}

static size_t read_range(int64_t ch, emt_time from, emt_time to, size_t limit,
                         struct stored_reading **list)
{
    size_t n = 0;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(reading_range(app, tenant, ch, from, to, limit, list, &n), EMT_OK);
    store_rollback(app);
    return n;
}

static void check_same(const struct stored_reading *a, const struct stored_reading *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(a[i].ts, b[i].ts);
        ck_assert_int_eq(a[i].value.mantissa, b[i].value.mantissa);
        ck_assert_int_eq(a[i].value.exponent, b[i].value.exponent);
        ck_assert_int_eq(a[i].quality, b[i].quality);
        ck_assert_int_eq(a[i].time_source, b[i].time_source);
    }
}

START_TEST(what_is_read_does_not_change)
{
    struct stored_reading *before, *after;
    size_t n, pages = 0;

    insert_many(channel, JANUARY + 7 * EMT_HOUR, 39 * 96, QUARTER);
    insert("reading_late", channel, JANUARY + EMT_HOUR, 5, 0, 0x300);
    insert("reading", channel, JANUARY + 2 * EMT_HOUR, 120, -2, 0x201);
    n = read_range(channel, JANUARY, NOW, MOST, &before);
    ck_assert_uint_eq(n, 39 * 96 + 2);
    struct block_counts counts = compact(CLOSED);
    ck_assert_int_eq(counts.blocks, 35);
    ck_assert_int_eq(counts.skipped, 0);
    ck_assert_int_eq(number("select count(*) from reading_late"), 0);
    ck_assert_int_eq(number("select min(span) + max(span) from reading_block"), 0);
    ck_assert_uint_eq(read_range(channel, JANUARY, NOW, MOST, &after), n);
    check_same(before, after, n);
    free(after);
    /* And in pages of any size, from any point on. */
    for (emt_time from = JANUARY; pages < n;) {
        size_t got = read_range(channel, from, NOW, 1 + pages % 700, &after);

        ck_assert_uint_gt(got, 0);
        check_same(before + pages, after, got);
        pages += got;
        from = after[got - 1].ts + 1;
        free(after);
    }
    ck_assert_uint_eq(read_range(channel, JANUARY + EMT_DAY, JANUARY + 2 * EMT_DAY, MOST, &after),
                      96);
    free(after);
    ck_assert_int_eq(compact(CLOSED).blocks, 0);
    free(before);
}
END_TEST

START_TEST(sparse_channels_wait_for_their_month)
{
    struct stored_reading *list;

    insert_many(channel, JANUARY + EMT_HOUR, 40, EMT_DAY);
    struct block_counts counts = compact(CLOSED);
    ck_assert_int_eq(counts.blocks, 1);
    ck_assert_int_eq(counts.rows, 31);
    ck_assert_int_eq(number("select max(span) from reading_block"), 1);
    ck_assert_int_eq(number("select count(*) from reading"), 9);
    ck_assert_uint_eq(read_range(channel, JANUARY, NOW, MOST, &list), 40);
    free(list);
    /* From a day of March on nothing of February's block counts towards the page. */
    counts = compact(JANUARY + 60 * EMT_DAY);
    ck_assert_int_eq(counts.blocks, 1);
    ck_assert_uint_eq(read_range(channel, FEBRUARY - EMT_DAY, NOW, 3, &list), 3);
    ck_assert_int_eq(list[0].ts, FEBRUARY - EMT_DAY + EMT_HOUR);
    ck_assert_int_eq(list[2].ts, FEBRUARY + EMT_DAY + EMT_HOUR);
    free(list);
}
END_TEST

START_TEST(rank_decides_when_blocks_are_merged)
{
    struct stored_reading *list;

    insert_many(channel, JANUARY, 96, QUARTER);
    insert("reading", channel, JANUARY + EMT_DAY, 111, 0, 0x101);
    compact(CLOSED);
    insert("reading", channel, JANUARY, 10000000, -2, 0x100);            /* the same value */
    insert("reading_late", channel, JANUARY + QUARTER, 9, 0, 0x300);     /* equal rank */
    insert("reading", channel, JANUARY + 2 * QUARTER, 8, 0, 0x105);      /* corrected */
    insert("reading_late", channel, JANUARY + 3 * QUARTER, 7, 0, 0x101); /* a substitute */
    insert("reading_late", channel, JANUARY + EMT_DAY, 6, 0, 0x100);     /* measured after all */
    for (int round = 0; round < 3; round++) {
        ck_assert_uint_eq(read_range(channel, JANUARY, NOW, MOST, &list), 97);
        ck_assert_int_eq(list[0].value.mantissa, 1000000);
        ck_assert_int_eq(list[0].value.exponent, -1);
        ck_assert_int_eq(list[1].value.mantissa, 1000008);
        ck_assert_int_eq(list[2].value.mantissa, 8);
        ck_assert_int_eq(list[2].quality, QUALITY_CORRECTED);
        ck_assert_int_eq(list[3].value.mantissa, 1000024);
        ck_assert_int_eq(list[96].value.mantissa, 6);
        free(list);
        compact(CLOSED);
        ck_assert_int_eq(number("select count(*) from reading"), 0);
        ck_assert_int_eq(number("select count(*) from reading_late"), 0);
        ck_assert_int_eq(number("select count(*) from reading_conflict"), 1);
        ck_assert_int_eq(number("select sum(kept_mantissa) from reading_conflict"), 1000008);
        ck_assert_int_eq(number("select count(*) from reading_history"), 2);
    }
}
END_TEST

START_TEST(a_repetition_rewrites_nothing)
{
    insert_many(channel, JANUARY, 96, QUARTER);
    compact(CLOSED);
    insert_many(channel, JANUARY, 96, QUARTER);
    struct block_counts counts = compact(CLOSED);
    ck_assert_int_eq(counts.rows, 96);
    ck_assert_int_eq(counts.blocks, 0);
    ck_assert_int_eq(counts.conflicts, 0);
}
END_TEST

START_TEST(a_second_by_second_day_goes_day_by_day)
{
    struct stored_reading *list;

    insert_many(channel, JANUARY, 30000, 10 * EMT_SECOND);
    struct block_counts counts = compact(CLOSED);
    ck_assert_int_eq(counts.rows, 30000);
    ck_assert_int_eq(counts.blocks, 4);
    ck_assert_uint_eq(read_range(channel, JANUARY, NOW, READING_RANGE_MAX, &list), 30000);
    free(list);
}
END_TEST

START_TEST(a_broken_block_stops_nobody_else)
{
    int64_t other = make_channel(tenant, "d2");
    char sql[200];

    insert_many(channel, JANUARY, 96, QUARTER);
    insert_many(other, JANUARY, 96, QUARTER);
    compact(CLOSED);
    snprintf(sql, sizeof sql,
             "update reading_block set data = '\\x0102' where tenant_id = %d and channel_id = %lld",
             (int)tenant, (long long)channel);
    pg_fixture_sql(fixture, sql);
    insert("reading", channel, JANUARY + 1, 9, 0, 0);
    insert("reading", other, JANUARY + 1, 9, 0, 0);
    struct block_counts counts = compact(CLOSED);
    ck_assert_int_eq(counts.skipped, 1);
    ck_assert_int_eq(counts.rows, 1);
    ck_assert_int_eq(number("select count(*) from reading"), 1);
}
END_TEST

START_TEST(values_of_long_ago_get_a_partition)
{
    struct stored_reading *list;

    insert("reading_late", channel, JANUARY - 20 * 365 * EMT_DAY, 3, 0, 0x100);
    struct block_counts counts = { 0 };
    emt_time month;
    ck_assert_int_eq(block_next_month(admin, tenant, 0, CLOSED, &month), EMT_OK);
    struct block_lot lot = { .month = month, .closed = CLOSED };
    ck_assert_int_eq(block_compact(admin, tenant, &lot, NOW, &counts), EMT_OK);
    ck_assert_int_eq(counts.blocks, 1);
    ck_assert_uint_eq(read_range(channel, 0, NOW, MOST, &list), 1);
    free(list);
}
END_TEST

static enum emt_err count_values(void *ctx, int64_t ch, const struct stored_reading *v)
{
    int64_t *sum = ctx;

    ck_assert_int_gt(ch, 0);
    *sum += v->value.mantissa;
    return EMT_OK;
}

START_TEST(walks_see_everything_once)
{
    int64_t all = 0, one = 0, last = 0, after = 0, want;
    struct reading_visitor visit = { count_values, &all };
    struct stored_reading latest[3];
    int64_t ids[3] = { channel, 0, 999999999 };

    for (int i = 2; i < 400; i++) {
        char ident[16];

        snprintf(ident, sizeof ident, "d%d", i);
        ids[1] = make_channel(tenant, ident);
        if (i % 100 == 0)
            insert_many(ids[1], JANUARY, 96 * 2, QUARTER);
    }
    insert_many(channel, JANUARY, 96 * 20, QUARTER);
    insert("reading", ids[1], NOW, 5, 0, 0x100);
    want = number("select sum(mantissa) filter (where ts < '2026-01-02T00:00:00Z') from reading");
    compact(JANUARY + 10 * EMT_DAY);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    do {
        ck_assert_int_eq(
            reading_walk_lot(app, tenant, after, 250, JANUARY, JANUARY + EMT_DAY, &visit, &last),
            EMT_OK);
        after = last;
    } while (last);
    ck_assert_int_eq(all, want);
    ck_assert_int_eq(
        reading_walk_lot(app, tenant, 0, 250, JANUARY, JANUARY + 2 * EMT_DAY, &visit, &last),
        EMT_ELIMIT);
    visit.ctx = &one;
    ck_assert_int_eq(reading_walk(app, tenant, channel, JANUARY, NOW, &visit), EMT_OK);
    ck_assert_int_gt(one, want);
    ck_assert_int_eq(reading_last(app, tenant, ids, 3, latest), EMT_OK);
    ck_assert_int_eq(latest[0].ts, JANUARY + 20 * EMT_DAY - QUARTER);
    ck_assert_int_eq(latest[1].value.mantissa, 5);
    ck_assert_int_eq(latest[2].ts, EMT_TIME_NONE);
    store_rollback(app);
    compact(JANUARY + 60 * EMT_DAY);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(reading_last(app, tenant, ids, 3, latest), EMT_OK);
    ck_assert_int_eq(latest[0].ts, JANUARY + 20 * EMT_DAY - QUARTER);
    ck_assert_int_eq(latest[1].value.mantissa, 5);
    store_rollback(app);
}
END_TEST

START_TEST(whole_days_are_delivered_as_blocks)
{
    struct block_row rows[3 * 96 + 1];
    struct block_counts counts = { 0 };
    struct stored_reading *list;
    size_t n = 0;

    insert("reading", channel, FEBRUARY, 4, 0, 0x100);
    for (int i = 0; i < 3 * 96; i++) /* into the next month */
        rows[n++] =
            (struct block_row){ channel, { FEBRUARY - EMT_DAY + i * QUARTER, 100 + i, 0, 0x200 } };
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
        ck_assert_int_eq(block_deliver(app, tenant, rows, n, NOW, &counts), EMT_OK);
        ck_assert_int_eq(store_commit(app), EMT_OK);
        ck_assert_int_eq(counts.blocks, 3);
    }
    ck_assert_uint_eq(read_range(channel, JANUARY, NOW, MOST, &list), 288);
    free(list);
    /* A single late value among them goes into the day. */
    rows[0] = (struct block_row){ channel, { FEBRUARY + 1, 9, 0, 0x200 } };
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(block_deliver(app, tenant, rows, 1, NOW, &counts), EMT_OK);
    ck_assert_int_eq(block_deliver(app, tenant, rows, 0, NOW, &counts), EMT_OK);
    rows[1] = (struct block_row){ channel, { NOW + 3 * EMT_DAY, 9, 0, 0x200 } };
    ck_assert_int_eq(block_deliver(app, tenant, rows, 2, NOW, &counts), EMT_ELIMIT);
    rows[1].v.ts = INT64_MIN;
    ck_assert_int_eq(block_deliver(app, tenant, &rows[1], 1, NOW, &counts), EMT_ELIMIT);
    rows[1] = rows[0];
    ck_assert_int_eq(block_deliver(app, tenant, rows, 2, NOW, &counts), EMT_EMALFORMED);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    ck_assert_uint_eq(read_range(channel, JANUARY, NOW, MOST, &list), 289);
    free(list);
}
END_TEST

START_TEST(another_tenant_sees_no_block)
{
    struct stored_reading *list = NULL;
    size_t n = 1;

    insert_many(channel, JANUARY, 96, QUARTER);
    compact(CLOSED);
    int32_t other = pg_fixture_tenant(fixture, "somebody-else");
    ck_assert_int_eq(store_begin(app, other), EMT_OK);
    ck_assert_int_eq(reading_range(app, tenant, channel, JANUARY, NOW, MOST, &list, &n), EMT_OK);
    ck_assert_uint_eq(n, 0);
    store_rollback(app);
}
END_TEST

START_TEST(empty_months_go_after_the_window)
{
    int64_t n;
    emt_time later = JANUARY + 400 * EMT_DAY;

    insert_many(channel, JANUARY, 96, QUARTER);
    ck_assert_int_eq(reading_partitions_drop(admin, later, 92, &n), EMT_OK);
    ck_assert_int_eq(n, 0); /* ingest has not heard of it yet */
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from pg_class where relname = "
                                                "'reading_202601'"),
                     1);
    ck_assert_int_eq(reading_partitions_drop(admin, later + EMT_HOUR, 92, &n), EMT_OK);
    ck_assert_int_gt(n, 0); /* but the one with rows */
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from pg_class where relname = "
                                                "'reading_202601'"),
                     1);
    compact(JANUARY + 60 * EMT_DAY);
    ck_assert_int_eq(number("select count(*) from reading"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block_store");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    pg_fixture_sql(fixture, "select partitions_ensure('2026-03-01', 92)");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_read_does_not_change);
    tcase_add_test(t, sparse_channels_wait_for_their_month);
    tcase_add_test(t, rank_decides_when_blocks_are_merged);
    tcase_add_test(t, a_repetition_rewrites_nothing);
    tcase_add_test(t, a_second_by_second_day_goes_day_by_day);
    tcase_add_test(t, a_broken_block_stops_nobody_else);
    tcase_add_test(t, values_of_long_ago_get_a_partition);
    tcase_add_test(t, walks_see_everything_once);
    tcase_add_test(t, whole_days_are_delivered_as_blocks);
    tcase_add_test(t, another_tenant_sees_no_block);
    tcase_add_test(t, empty_months_go_after_the_window); /* last: months are gone after it */
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
