/* What readers of frames see is the same before and after packing; retention takes packs and values
 * that are old, and nothing else. */
#include "pg_fixture.h"
#include "store/frame_detail_store.h"
#include "store/frame_query_store.h"
#include "store/frame_store.h"
#include "store/raw_pack_store.h"
#include "store/retention_store.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARCH INT64_C(1772323200000000) /* 2026-03-01 */
#define NOW (MARCH + 30 * EMT_DAY)
#define PAGE 7

static struct pg_fixture *fixture;
static struct store *admin, *app;
static int32_t tenant, other;

static void run_sql(const char *format, ...) EMT_PRINTF(1, 2);
static void run_sql(const char *format, ...)
{
    char sql[2000];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    pg_fixture_sql(fixture, sql);
}

static int64_t count(const char *what)
{
    char sql[600];

    snprintf(sql, sizeof sql, "select count(*) from %s and tenant_id = %d", what, tenant);
    return pg_fixture_number(fixture, sql);
}

/* Two gateways and three devices, one of them only heard; frames of three days, several a moment.
 */
static void fill(int32_t of)
{
    run_sql("insert into gateway (tenant_id, gateway_id, external_id, state)"
            " values (%d, 1, 'gw1', 1), (%d, 2, 'gw2', 1);"
            "insert into device (tenant_id, device_id, ident, manufacturer, number, version, type,"
            " assignment) select %d, i, 'EMT-' || i, 'EMT', i::text, 1, 2, (i < 3)::int4"
            " from generate_series(1, 3) i",
            of, of, of);
    run_sql(
        "insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at,"
        " device_id, counter, state, rssi_dbm, spool_id, hash, data, reason)"
        " select %d, 1, 2, 1 + i %% 2, i / 2, t - make_interval(secs => i %% 11), t,"
        " nullif(i %% 4, 0), case when i %% 3 = 0 then i end,"
        " (array[0, 0, 5, 0, 1, 0, 4, 0, 9, 0])[1 + i %% 10], case when i %% 5 > 0 then -i %% 100 end,"
        " decode(md5('s' || (i > 150)::text), 'hex'), case when i %% 2 = 0 then decode(md5(i::text), 'hex') end,"
        " decode(repeat(md5(i::text), 4), 'hex'), case when i %% 10 = 4 then 'no key' else '' end"
        " from (select i, '2026-03-01 00:00Z'::timestamptz + (i / 6) * interval '80 minutes' as t"
        " from generate_series(0, 299) i) f",
        of);
}

static void setup(void)
{
    static int round;
    char key[32];

    snprintf(key, sizeof key, "p%d-%d", (int)getpid(), round);
    tenant = pg_fixture_tenant(fixture, key);
    snprintf(key, sizeof key, "q%d-%d", (int)getpid(), round++);
    other = pg_fixture_tenant(fixture, key);
    pg_fixture_sql(fixture,
                   "set client_min_messages = warning; set role emt_owner;"
                   "select partitions_ensure('2026-04-01', 92);"
                   "do $$ begin for d in 0..3 loop execute format('create table if not exists %I"
                   " partition of raw_frame for values from (%L) to (%L)',"
                   " 'raw_frame_2026030' || d + 1, date '2026-03-01' + d, date '2026-03-02' + d);"
                   " end loop; end $$; reset role");
    fill(tenant);
    fill(other);
    admin = pg_fixture_store(fixture, STORE_ADMIN);
    app = pg_fixture_store(fixture, STORE_APP);
}

static void teardown(void)
{
    store_close(admin);
    store_close(app);
}

static struct raw_pack_counts pack_all(void)
{
    struct raw_pack_counts c = { 0 };
    emt_time closed, day, from = 0;

    ck_assert_int_eq(raw_pack_closed(admin, tenant, NOW, &closed), EMT_OK);
    ck_assert_int_eq(closed, NOW - 7 * EMT_DAY);
    for (;;) {
        struct store_result *r;

        ck_assert_int_eq(raw_pack_next_day(admin, tenant, from, closed, &day), EMT_OK);
        if (day == EMT_TIME_NONE)
            return c;
        ck_assert_int_eq(raw_pack_gateways(admin, tenant, day, INT64_MIN, &r), EMT_OK);
        for (int i = 0; i < store_rows(r); i++) {
            int64_t after = INT64_MIN;
            bool done = false;

            while (!done)
                ck_assert_int_eq(
                    raw_pack_move(admin, tenant, c_int(r, i, 0), day, &after, &done, &c), EMT_OK);
        }
        store_result_free(r);
        from = day + EMT_DAY;
    }
}

static void text_of(FILE *to, const struct store_result *r, int row, int columns)
{
    for (int col = 0; col < columns; col++) {
        size_t n;
        const uint8_t *b = c_bytes(r, row, col, &n);

        fprintf(to, "%s", c_null(r, row, col) ? "-" : "");
        for (size_t i = 0; i < n; i++)
            fprintf(to, "%02x", b[i]);
        fprintf(to, "|");
    }
    fprintf(to, "\n");
}

/* Everything, page after page, as text. */
static char *list_text(const struct frame_filter *f, int *rows)
{
    emt_time before = EMT_TIME_NONE;
    int64_t gateway = 0, seq = 0;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    int n = PAGE;

    *rows = 0;
    while (n == PAGE) {
        struct store_result *r;

        ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
        ck_assert_int_eq(frame_list(app, tenant, f, before, gateway, seq, PAGE, &r), EMT_OK);
        n = store_rows(r);
        for (int i = 0; i < n; i++) {
            text_of(to, r, i, 12);
            ck_assert_int_eq(sscanf(c_text(r, i, 0), "%" SCNd64 ".%" SCNd64 ".%" SCNd64, &before,
                                    &gateway, &seq),
                             3);
        }
        *rows += n;
        store_result_free(r);
        store_rollback(app);
    }
    fclose(to);
    return text;
}

START_TEST(lists_are_the_same_before_and_after)
{
    const struct frame_filter filters[] = {
        { .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
        { .device = 1, .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
        { .gateway = "gw2", .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
        { .state = 5, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
        { .state = 1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
        { .state = -1, .from = MARCH + EMT_DAY / 2, .to = MARCH + 2 * EMT_DAY },
        { .device = 77, .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE },
    };
    enum { FILTERS = sizeof filters / sizeof filters[0] };
    char *before[FILTERS];
    int rows[FILTERS], n;

    for (int i = 0; i < FILTERS; i++)
        before[i] = list_text(&filters[i], &rows[i]);
    ck_assert_int_eq(rows[0], 300);
    ck_assert_int_gt(rows[1], 60);
    struct raw_pack_counts c = pack_all();
    ck_assert_int_eq(c.skipped, 0);
    ck_assert_int_gt(c.packs, 5);
    ck_assert_int_eq(count("raw_frame where true"), 300 - c.frames);
    for (int i = 0; i < FILTERS; i++) {
        char *after = list_text(&filters[i], &n);

        ck_assert_int_eq(n, rows[i]);
        ck_assert_str_eq(after, before[i]);
        free(after);
        free(before[i]);
    }
    /* What waits, and what is only heard, has stayed; a second run finds nothing. */
    ck_assert_int_eq(count("raw_frame where state in (0, 4, 5) and device_id is distinct from 3"),
                     0);
    ck_assert_int_gt(count("raw_frame where state = 1"), 0);
    ck_assert_int_gt(count("raw_frame where state = 0 and device_id = 3"), 0);
    c = pack_all();
    ck_assert_int_eq(c.frames, 0);
    /* Nobody else's. */
    run_sql("set emt.x = '%d'", other);
    char sql[200];
    snprintf(sql, sizeof sql, "select count(*) from raw_frame where tenant_id = %d", other);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 300);
}
END_TEST

static char *detail_text(int64_t seq, const char *gateway, const uint8_t spool[16])
{
    struct store_result *r;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    enum emt_err err = frame_detail(app, tenant, gateway, spool, seq, &r);
    if (err == EMT_OK) {
        text_of(to, r, 0, FRAME_DETAIL_PLAINTEXT + 1);
        store_result_free(r);
    } else {
        ck_assert_int_eq(err, EMT_ENOTFOUND);
    }
    store_rollback(app);
    fclose(to);
    return text;
}

START_TEST(one_frame_is_found_in_its_pack)
{
    uint8_t spool[16], strange[16] = { 0 };
    char *before[150];
    struct store_result *r;
    size_t n;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(waiting_frames(app, tenant, 1, 1u, &WAITING_FIRST, 1, &r), EMT_OK);
    memcpy(spool, c_bytes(r, 0, 1, &n), 16);
    store_result_free(r);
    store_rollback(app);
    for (int i = 0; i < 150; i++)
        before[i] = detail_text(i, i & 1 ? "gw1" : "gw2", spool);
    ck_assert_str_ne(before[3], "");
    pack_all();
    for (int i = 0; i < 150; i++) {
        char *after = detail_text(i, i & 1 ? "gw1" : "gw2", spool);

        ck_assert_str_eq(after, before[i]);
        free(after);
        free(before[i]);
    }
    char *none = detail_text(3, "gw1", strange);
    ck_assert_str_eq(none, "");
    free(none);
}
END_TEST

static char *waiting_text(int64_t device, uint32_t states, int *rows)
{
    struct waiting_at at = WAITING_FIRST;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    int n = PAGE;

    *rows = 0;
    while (n == PAGE) {
        struct store_result *r;
        struct waiting_frame w;

        ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
        ck_assert_int_eq(waiting_frames(app, tenant, device, states, &at, PAGE, &r), EMT_OK);
        n = store_rows(r);
        for (int i = 0; i < n; i++) {
            text_of(to, r, i, 10);
            waiting_frame_of(r, i, &w);
            at = w.at;
        }
        *rows += n;
        store_result_free(r);
        store_rollback(app);
    }
    fclose(to);
    return text;
}

START_TEST(decoding_again_reads_packs_in_order_of_reception)
{
    const int64_t devices[] = { 0, 1, 2, 3 };
    char *before[4], *waiting;
    int rows[4], n, nwaiting;

    for (int i = 0; i < 4; i++)
        before[i] = waiting_text(devices[i], UINT32_C(0xfff), &rows[i]);
    waiting = waiting_text(1, 1u << 1, &nwaiting);
    ck_assert_int_eq(rows[0] + rows[1] + rows[2] + rows[3], 300);
    pack_all();
    for (int i = 0; i < 4; i++) {
        char *after = waiting_text(devices[i], UINT32_C(0xfff), &n);

        ck_assert_int_eq(n, rows[i]);
        ck_assert_str_eq(after, before[i]);
        free(after);
        free(before[i]);
    }
    char *after = waiting_text(1, 1u << 1, &n);
    ck_assert_str_eq(after, waiting);
    free(after);
    free(waiting);
}
END_TEST

START_TEST(a_broken_pack_is_said_and_not_skipped)
{
    struct frame_filter f = { .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE };
    struct store_result *r = NULL;

    pack_all();
    run_sql("update raw_pack set data = substr(data, 1, 40) where tenant_id = %d", tenant);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(frame_list(app, tenant, &f, EMT_TIME_NONE, 0, 0, 300, &r), EMT_EMALFORMED);
    store_rollback(app);
}
END_TEST

START_TEST(a_pack_that_was_not_committed_changes_nothing)
{
    bool done;
    int64_t after = INT64_MIN;
    struct raw_pack_counts c = { 0 };

    run_sql("alter table raw_pack add constraint test_full check (tenant_id <> %d)", tenant);
    ck_assert_int_ne(raw_pack_move(admin, tenant, 1, MARCH, &after, &done, &c), EMT_EAGAIN);
    pg_fixture_sql(fixture, "alter table raw_pack drop constraint test_full");
    ck_assert_int_eq(count("raw_frame where true"), 300);
    ck_assert_int_eq(count("raw_pack where true"), 0);
    ck_assert_int_eq(c.frames, 0);
}
END_TEST

START_TEST(days_without_frames_lose_their_partition)
{
    int64_t n;

    run_sql("delete from raw_frame where device_id = 3 or state not in (0, 4, 5) or tenant_id = %d",
            other);
    pack_all();
    run_sql("delete from raw_frame where tenant_id <> %d", tenant);
    run_sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
            " stored_at, state, spool_id, data)"
            " values (%d, 1, 2, 1, 9999, now(), '2026-03-03 12:00Z', 1, '0123456789abcdef', 'x')",
            tenant);
    ck_assert_msg(frames_drop_empty(admin, MARCH + 4 * EMT_DAY, &n) == EMT_OK, "%s",
                  store_error(admin));
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(count("raw_frame where true"), 1);
}
END_TEST

/* A day of quarter hours and a daily value, as rows, late rows and blocks, old and young. */
static void fill_values(void)
{
    run_sql("insert into channel (tenant_id, device_id, channel_id, key, kind, quantity)"
            " select %d, 1, i, 'k' || i, 0, 1 from generate_series(1, 2) i",
            tenant);
    for (int i = 0; i < 2; i++)
        run_sql("insert into reading%s (tenant_id, channel_id, ts, mantissa, exponent, quality%s)"
                " select %d, 1, d + i * interval '15 minutes', i, 0, 256%s"
                " from generate_series(0, 95) i,"
                "  unnest(array['2026-03-01 00:00Z', '2026-03-21 00:00Z']::timestamptz[]) d"
                " union all select %d, 2, d, 1, 0, 256%s"
                "  from unnest(array['2026-03-01 00:00Z', '2026-03-21 00:00Z']::timestamptz[]) d",
                i ? "_late" : "", i ? ", received_at" : "", tenant, i ? ", now()" : "", tenant,
                i ? ", now()" : "");
    run_sql(
        "insert into reading_block (tenant_id, channel_id, span_start, n, span, data)"
        " values (%d, 1, '2026-02-20 00:00Z', 96, 0, 'x'), (%d, 1, '2026-03-22 00:00Z', 96, 0, 'x'),"
        " (%d, 2, '2025-11-01 00:00Z', 30, 1, 'x'), (%d, 2, '2026-02-01 00:00Z', 28, 1, 'x')",
        tenant, tenant, tenant, tenant);
    run_sql("insert into reading_text (tenant_id, channel_id, ts, quality, text)"
            " values (%d, 1, '2025-01-01 00:00Z', 0, 'a'), (%d, 1, '2026-03-01 00:00Z', 0, 'b')",
            tenant, tenant);
    run_sql(
        "insert into reading_history (tenant_id, channel_id, ts, replaced_at, mantissa, exponent,"
        " quality, replaced_by, reason) select %d, 1, t, now(), 1, 0, 0, '', ''"
        " from unnest(array['2025-01-01 00:00Z', '2026-03-01 00:00Z']::timestamptz[]) t",
        tenant);
}

START_TEST(retention_takes_each_class_at_its_age)
{
    struct retention_counts c;

    fill_values();
    pack_all();
    int64_t packs = count("raw_pack where true");
    run_sql("update tenant set reading_retention_days = 20, daily_retention_days = 100,"
            " raw_retention_days = 29 where id = %d",
            tenant);
    ck_assert_int_eq(retention_expire(admin, tenant, NOW, &c), EMT_OK);
    /* Quarter hours of 1 March go, as rows and late ones; those of 21 March and daily values stay.
     */
    ck_assert_int_eq(c.rows, 2 * 96);
    ck_assert_int_eq(count("reading where true"), 96 + 2);
    ck_assert_int_eq(count("reading_late where true"), 96 + 2);
    ck_assert_int_eq(count("reading where ts < '2026-03-05' and channel_id = 2"), 1);
    /* The day of February and the month of November. */
    ck_assert_int_eq(c.blocks, 2);
    ck_assert_int_eq(count("reading_block where span_start >= '2026-02-01' and (span = 1 or"
                           " span_start > '2026-03-01')"),
                     2);
    ck_assert_int_eq(c.others, 2);
    ck_assert_int_eq(count("reading_text where text = 'b'"), 1);
    ck_assert_int_eq(count("reading_history where true"), 1);
    /* Packs of 1 March. */
    ck_assert_int_eq(c.packs, 2);
    ck_assert_int_eq(count("raw_pack where last_stored >= '2026-03-02'"), packs - 2);
    /* And it stays so. */
    ck_assert_int_eq(retention_expire(admin, tenant, NOW, &c), EMT_OK);
    ck_assert_int_eq(c.rows + c.blocks + c.others + c.packs, 0);
    ck_assert_int_eq(retention_expire(admin, 999999, NOW, &c), EMT_ENOTFOUND);
}
END_TEST

int main(void)
{
    fixture = pg_fixture_start();
    Suite *s = suite_create("raw_pack_store");
    TCase *t = tcase_create("packs");
    SRunner *sr = srunner_create(s);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, lists_are_the_same_before_and_after);
    tcase_add_test(t, one_frame_is_found_in_its_pack);
    tcase_add_test(t, decoding_again_reads_packs_in_order_of_reception);
    tcase_add_test(t, a_broken_pack_is_said_and_not_skipped);
    tcase_add_test(t, a_pack_that_was_not_committed_changes_nothing);
    tcase_add_test(t, days_without_frames_lose_their_partition);
    tcase_add_test(t, retention_takes_each_class_at_its_age);
    suite_add_tcase(s, t);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(fixture);
    return failed ? 1 : 0;
}
