/* Mandates stretch by stretch, erasure to the value, what is agreed with a tenant. */
#include "base/hex.h"
#include "base/writer.h"
#include "model/block.h"
#include "pg_fixture.h"
#include "store/audit_store.h"
#include "store/certificate_store.h"
#include "store/entitlement_store.h"
#include "store/erasure_store.h"
#include "store/mandate_store.h"
#include "store/meaning_store.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARCH INT64_C(1772323200000000) /* 2026-03-01 */
#define HOUR_VALUES 24

static struct pg_fixture *fixture;
static struct store *app, *admin;
static int32_t tenant, other;

static void run_sql(const char *format, ...) EMT_PRINTF(1, 2);
static void run_sql(const char *format, ...)
{
    char sql[4000];
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

/* Two locations with a channel each, 1 and 2; 3 is of no location; 4 is computed from 1 and 2. */
static void fill(int32_t of)
{
    run_sql(
        "insert into device (tenant_id, device_id, ident, manufacturer, number)"
        " select %d, i, 'EMT-' || i, 'EMT', i::text from generate_series(1, 3) i;"
        "insert into channel (tenant_id, channel_id, device_id, key, kind, quantity, unit)"
        " select %d, i, least(i, 3), 'k' || i, 0, 1, 'Wh' from generate_series(1, 4) i;"
        "insert into calculation (tenant_id, channel_id, step_s, decimals) values (%d, 4, 0, 3);"
        "insert into calculated_channel (tenant_id, channel_id, version, valid_from, formula, inputs)"
        " values (%d, 4, 1, '2020-01-01', 'c1 + c2', '{1,2}');"
        "insert into location (tenant_id, location_id, kind, code) values (%d, 1, 1, 'A'), (%d, 2, 1, 'B');"
        "insert into location_channel (tenant_id, location_id, channel_id, obis, valid_from, valid_to)"
        " values (%d, 1, 1, 'x', '2026-03-01Z', '2026-03-20Z'), (%d, 1, 1, 'y', '2026-03-10Z', null),"
        " (%d, 2, 2, 'x', '2026-03-01Z', null), (%d, 1, 4, 'z', '2026-03-01Z', null)",
        of, of, of, of, of, of, of, of, of, of);
}

static void setup(void)
{
    static int round;
    char key[32];

    snprintf(key, sizeof key, "r%d-%d", (int)getpid(), round);
    tenant = pg_fixture_tenant(fixture, key);
    snprintf(key, sizeof key, "s%d-%d", (int)getpid(), round++);
    other = pg_fixture_tenant(fixture, key);
    pg_fixture_sql(fixture, "set client_min_messages = warning; set role emt_owner;"
                            "select partitions_ensure('2026-04-01', 92); reset role");
    fill(tenant);
    fill(other);
    app = pg_fixture_store(fixture, STORE_APP);
    admin = pg_fixture_store(fixture, STORE_ADMIN);
}

static void teardown(void)
{
    store_close(app);
    store_close(admin);
}

/* ---- mandates ---- */

static const struct mandate_asker partner = { "P", "billing" };

static void mandate(int location, const char *purpose, const char *from, const char *to)
{
    run_sql("insert into mandate (tenant_id, location_id, recipient, purpose, valid_from, valid_to)"
            " values (%d, %d, 'P', '%s', '%s', nullif('%s', '')::timestamptz)",
            tenant, location, purpose, from, to);
}

/* "1:0-3 1:5-7": channel, first and last hour of March. */
static void check_stretches(int64_t channel, const char *want)
{
    struct store_result *r = NULL;
    char is[400] = "";
    size_t n = 0;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(
        mandate_stretches(app, tenant, &partner, channel, 0, 100, MARCH, MARCH + 10 * EMT_DAY, &r),
        EMT_OK);
    for (int i = 0; i < store_rows(r); i++)
        n += (size_t)snprintf(
            is + n, sizeof is - n, "%s%lld:%lld-%lld", n ? " " : "", (long long)c_int(r, i, 0),
            c_null(r, i, 1) ? -1 : (long long)((c_time(r, i, 1) - MARCH) / EMT_HOUR),
            c_null(r, i, 2) ? -1 : (long long)((c_time(r, i, 2) - MARCH) / EMT_HOUR));
    store_result_free(r);
    store_rollback(app);
    ck_assert_str_eq(is, want);
}

START_TEST(stretches_join_and_end_with_mandate_and_binding)
{
    check_stretches(0, "");
    mandate(1, "billing", "2026-03-02Z", "2026-03-03Z");
    mandate(1, "billing", "2026-03-03Z", "2026-03-04Z");
    mandate(1, "billing", "2026-03-06Z", "2026-03-07Z");
    mandate(1, "research", "2026-03-01Z", "");
    check_stretches(1, "1:24-72 1:120-144");
    check_stretches(2, "");
    check_stretches(3, "");
    check_stretches(999, "");
    /* Computed from a channel of a location without mandate: nothing of it, until there is one. */
    check_stretches(0, "1:24-72 1:120-144 4:-1--1");
    mandate(2, "billing", "2026-03-03 12:00Z", "");
    check_stretches(4, "4:60-72 4:120-144");
}
END_TEST

START_TEST(what_is_missing_is_named_with_its_location)
{
    struct store_result *r = NULL;

    mandate(1, "billing", "2026-03-02Z", "2026-03-04Z");
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(
        mandate_missing(app, tenant, &partner, 1, MARCH + EMT_DAY, MARCH + 3 * EMT_DAY, &r),
        EMT_ENOTFOUND);
    ck_assert_int_eq(mandate_missing(app, tenant, &partner, 1, MARCH, MARCH + 3 * EMT_DAY, &r),
                     EMT_OK);
    ck_assert_str_eq(c_text(r, 0, 0), "A");
    ck_assert(c_time(r, 0, 1) == MARCH && c_time(r, 0, 2) == MARCH + EMT_DAY && c_bool(r, 0, 3));
    store_result_free(r);
    ck_assert_int_eq(
        mandate_missing(app, tenant, &partner, 4, MARCH + EMT_DAY, MARCH + 2 * EMT_DAY, &r),
        EMT_OK);
    ck_assert_str_eq(c_text(r, 0, 0), "B");
    ck_assert(!c_bool(r, 0, 3));
    store_result_free(r);
    ck_assert_int_eq(mandate_missing(app, tenant, &partner, 999, MARCH, MARCH + 1, &r), EMT_OK);
    ck_assert(c_null(r, 0, 0));
    store_result_free(r);
    store_rollback(app);
}
END_TEST

/* What a report shows of channel 1, in hours of March; "": it may leave. */
static void check_report(int first, int last, const char *missing)
{
    const struct mandate_asker who = { "P", NULL };
    struct store_result *r = NULL;
    char is[64] = "";

    run_sql(
        "update tenant set mandates_required = true where id = %d;"
        "delete from export_file where tenant_id = %d;"
        "insert into export_file (tenant_id, file_id, kind, pid, sender, receiver, reference, file_name,"
        " period_from, period_to, created_at, messages, content)"
        " values (%d, 1, 'report', '1', 'S', 'P', 'R1', 'x', '2026-03-01Z', '2026-03-31Z', now(), 1, '');"
        "insert into export_message (tenant_id, file_id, nth, number, use_case, receiver, location, obis,"
        " channels, period_from, period_to, version, digest, n_values, content_at, content_len)"
        " values (%d, 1, 1, '', 0, 'P', 'A', '{x}', '{1}', timestamptz '2026-03-01Z' + interval '%d hours',"
        " timestamptz '2026-03-01Z' + interval '%d hours', now(), 0, 1, 0, 0)",
        tenant, tenant, tenant, tenant, first, last);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    enum emt_err err = mandate_report_missing(app, tenant, 1, &who, &r);
    if (err == EMT_OK)
        snprintf(is, sizeof is, "%s", c_text(r, 0, 0));
    else
        ck_assert_int_eq(err, EMT_ENOTFOUND);
    store_result_free(r);
    store_rollback(app);
    ck_assert_msg(strcmp(is, missing) == 0, "%d to %d: '%s'", first, last, is);
}

START_TEST(a_report_leaves_with_what_its_mandates_cover_both_ends_included)
{
    mandate(1, "billing", "2026-03-02Z", "2026-03-04Z");
    check_report(24, 72, "");
    check_report(24, 24, "");
    check_report(30, 30, "");
    check_report(72, 72, ""); /* the one reading there is: the register at the end */
    check_report(23, 72, "A");
    check_report(23, 23, "A");
    check_report(24, 73, "A");
    check_report(73, 73, "A");
}
END_TEST

/* ---- erasure ---- */

static void put_block(int32_t of, int64_t channel, emt_time start, size_t n)
{
    struct block_value v[100];
    struct writer w;
    char sql[8000], hex[6000];

    for (size_t i = 0; i < n; i++)
        v[i] = (struct block_value){ start + (emt_time)i * EMT_HOUR, (int64_t)(1000 + i * i),
                                     (int16_t)(i % 5 == 0), (int16_t)(i % 3) };
    writer_init_heap(&w, BLOCK_BYTES_MAX);
    ck_assert_int_eq(block_encode(v, n, &w), EMT_OK);
    hex_encode(w.data, w.len, hex);
    snprintf(sql, sizeof sql,
             "insert into reading_block (channel_id, span_start, tenant_id, n, span, data) values"
             " (%lld, to_timestamp(%lld), %d, %zu, 0, '\\x%s')",
             (long long)channel, (long long)(start / EMT_SECOND), of, n, hex);
    pg_fixture_sql(fixture, sql);
    writer_release(&w);
}

static int64_t order(emt_time from, emt_time until)
{
    const struct erasure_new e = {
        .location = "A", .from = from, .until = until, .reason = "x", .ordered_by = "test"
    };
    int64_t id = 0;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(erasure_insert(app, tenant, &e, &id), EMT_OK);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    return id;
}

/* The block of a channel and day as it stands: its values must be those of put_block() from
 * `first` on. */
static void check_block(int64_t channel, emt_time start, size_t first, size_t past)
{
    struct block_value v[100];
    static const struct store_statement st = {
        "test_block", 3,
        "select data from reading_block where tenant_id = $1 and channel_id = $2 and span_start = $3"
    };
    size_t n = 0;
    struct store_result *r = NULL;
    struct store_param p[3];
    size_t len;

    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], start);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(store_run(app, &st, p, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), past > first);
    if (past > first) {
        const uint8_t *data = c_bytes(r, 0, 0, &len);
        ck_assert_int_eq(block_decode(data, len, v, 100, &n), EMT_OK);
    }
    ck_assert_uint_eq(n, past - first);
    for (size_t i = 0; i < n; i++) {
        size_t k = first + i;
        ck_assert(v[i].ts == start + (emt_time)k * EMT_HOUR &&
                  v[i].mantissa == (int64_t)(1000 + k * k) && v[i].exponent == (k % 5 == 0) &&
                  v[i].quality == (int)(k % 3));
    }
    store_result_free(r);
    store_rollback(app);
}

START_TEST(blocks_are_cut_inside_and_others_left)
{
    struct erasure_counts c;

    for (int64_t channel = 1; channel <= 4; channel++)
        put_block(tenant, channel, MARCH + EMT_DAY, HOUR_VALUES);
    put_block(other, 1, MARCH + EMT_DAY, HOUR_VALUES);
    put_block(tenant, 1, MARCH + 2 * EMT_DAY, HOUR_VALUES);
    int64_t id = order(EMT_TIME_NONE, MARCH + EMT_DAY + 7 * EMT_HOUR);
    ck_assert_int_eq(erasure_run(app, tenant, id, MARCH, NULL, NULL, &c), EMT_OK);
    /* 7 of the channel, and 7 of what is computed from it. */
    ck_assert_int_eq(c.n[ERASED_PACKED_VALUES], 14);
    check_block(1, MARCH + EMT_DAY, 7, HOUR_VALUES);
    ck_assert_int_eq(count("reading_block where n = 17 and channel_id in (1, 4)"), 2);
    ck_assert_int_eq(count("reading_block where n = 24 and channel_id in (2, 3)"), 2);
    id = order(MARCH + EMT_DAY + 10 * EMT_HOUR, MARCH + 30 * EMT_DAY);
    ck_assert_int_eq(erasure_run(app, tenant, id, MARCH, NULL, NULL, &c), EMT_OK);
    check_block(1, MARCH + EMT_DAY, 7, 10);
    check_block(1, MARCH + 2 * EMT_DAY, 0, 0); /* nothing left: no row */
    ck_assert_int_eq(
        pg_fixture_number(fixture, "select n from reading_block order by tenant_id desc limit 1"),
        24);
    ck_assert_int_eq(count("erasure where verified_at is not null and runs = 1"), 2);
}
END_TEST

START_TEST(a_broken_block_is_said_and_not_verified)
{
    struct erasure_counts c;

    run_sql("insert into reading_block (channel_id, span_start, tenant_id, n, span, data) values"
            " (1, '2026-03-02Z', %d, 5, 0, '\\x0102ff')",
            tenant);
    int64_t id = order(EMT_TIME_NONE, MARCH + 5 * EMT_DAY);
    enum emt_err err = erasure_run(app, tenant, id, MARCH, NULL, NULL, &c);
    ck_assert_int_eq(emt_err_class(err), EMT_CLASS_REJECT);
    ck_assert_int_eq(count("erasure where verified_at is not null"), 0);
    ck_assert_int_eq(count("reading_block where true"), 1);
}
END_TEST

static bool three_steps(void *ctx, int64_t done, int64_t total)
{
    int *left = ctx;

    ck_assert_int_lt(done, total);
    return (*left)-- > 0;
}

START_TEST(what_is_interrupted_goes_on_later)
{
    struct erasure_counts c;
    int steps = 3;

    run_sql(
        "insert into reading select i %% 4 + 1, timestamptz '2026-03-02Z' + make_interval(mins => i), i, %d, 0, 256"
        " from generate_series(0, 99) i",
        tenant);
    int64_t id = order(EMT_TIME_NONE, MARCH + 5 * EMT_DAY);
    ck_assert_int_eq(erasure_run(app, tenant, id, MARCH, three_steps, &steps, &c), EMT_EAGAIN);
    ck_assert_int_eq(count("erasure where runs > 0"), 0);
    ck_assert_int_eq(erasure_run(app, tenant, id, MARCH, NULL, NULL, &c), EMT_OK);
    ck_assert_int_eq(count("reading where channel_id in (1, 4)"), 0);
    ck_assert_int_eq(count("reading where channel_id in (2, 3)"), 50);
    ck_assert_int_eq(erasure_run(app, tenant, id + 1000, MARCH, NULL, NULL, &c), EMT_ENOTFOUND);
    /* Of another tenant there is no such order. */
    ck_assert_int_eq(erasure_run(app, other, id, MARCH, NULL, NULL, &c), EMT_ENOTFOUND);
}
END_TEST

/* ---- agreements, meaning, the audit ---- */

START_TEST(agreements_hold_and_unknown_modules_disturb_nobody)
{
    struct entitlements e;
    int64_t passive = 0;
    bool yes = false;

    ck_assert_int_eq(store_begin(admin, 0), EMT_OK);
    ck_assert_int_eq(entitlements_get(admin, tenant, &e), EMT_OK);
    ck_assert(e.all_modules && e.meters_max == -1 && e.meters == 3);
    e = (struct entitlements){ .modules = 1u << MODULE_REPLAY, .meters_max = 2 };
    ck_assert_int_eq(entitlements_set(admin, tenant, &e), EMT_OK);
    ck_assert_int_eq(entitlements_enforce(admin, tenant, &passive), EMT_OK);
    ck_assert_int_eq(passive, 1);
    ck_assert_int_eq(entitlements_enforce(admin, tenant, &passive), EMT_OK);
    ck_assert_int_eq(passive, 0);
    ck_assert_int_eq(store_commit(admin), EMT_OK);
    ck_assert_int_eq(count("device where not active and device_id = 3"), 1);
    run_sql("update tenant set modules = modules || '{of-tomorrow}' where id = %d", tenant);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(entitlements_get(app, tenant, &e), EMT_OK);
    ck_assert(!e.all_modules && e.modules == 1u << MODULE_REPLAY);
    ck_assert_int_eq(entitlement_has(app, tenant, MODULE_EXPORT, &yes), EMT_OK);
    ck_assert(!yes);
    ck_assert_int_eq(entitlement_has(app, tenant, MODULE_REPLAY, &yes), EMT_OK);
    ck_assert(yes);
    ck_assert_int_eq(entitlement_has_room(app, tenant, "EMT-3", false, true, &yes), EMT_OK);
    ck_assert(!yes);
    ck_assert_int_eq(entitlement_has_room(app, tenant, "EMT-3", true, false, &yes), EMT_OK);
    ck_assert(yes); /* stays passive */
    ck_assert_int_eq(entitlement_has_room(app, tenant, "EMT-1", true, true, &yes), EMT_OK);
    ck_assert(yes);
    ck_assert_int_eq(entitlement_has_room(app, tenant, "of-tomorrow", true, false, &yes), EMT_OK);
    ck_assert(!yes);
    ck_assert_int_eq(entitlement_has(app, 999999, MODULE_EXPORT, &yes), EMT_ENOTFOUND);
    store_rollback(app);
}
END_TEST

START_TEST(a_register_in_another_unit_is_a_version_behind_the_last)
{
    struct channel_version_new v = { .channel = 3,
                                     .from = MARCH,
                                     .unit = "kWh",
                                     .meaning = "",
                                     .reason = "x",
                                     .created_by = "test" };
    struct store_result *r = NULL;

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(channel_version_add(app, tenant, &v), EMT_OK);
    ck_assert_int_eq(channel_version_add(app, tenant, &v), EMT_ELIMIT);
    v.from += 1;
    v.unit = NULL;
    ck_assert_int_eq(channel_version_add(app, tenant, &v), EMT_OK);
    ck_assert_int_eq(channel_versions(app, tenant, 3, MARCH, MARCH + 1, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 1);
    ck_assert_int_eq(c_int(r, 0, 0), 2);
    ck_assert_str_eq(c_text(r, 0, 2), "kWh");
    ck_assert_str_eq(c_text(r, 0, 3), "energy");
    store_result_free(r);
    v.channel = 999;
    ck_assert_int_eq(channel_version_add(app, tenant, &v), EMT_ELIMIT);
    store_rollback(app);
}
END_TEST

START_TEST(the_audit_is_cut_behind_an_old_anchor_only)
{
    int64_t n = -1, base = -1;
    bool noted = true;

    run_sql(
        "insert into audit (tenant_id, actor, action, object, chain_no, chain_hash)"
        " select %d, 'a', 'b', 'c', i, decode(md5('x') || md5('y'), 'hex') from generate_series(1, 9) i;"
        "insert into audit_head (tenant_id, chain_no, chain_hash) values (%d, 9, decode(md5('x') || md5('y'), 'hex'));"
        "insert into audit_anchor (tenant_id, day, chain_no, chain_hash, signature)"
        " select %d, current_date - 95 + i, i, decode(md5('x') || md5('y'), 'hex'), 'x' from generate_series(1, 9) i;"
        "update tenant set audit_retention_days = 90 where id = %d",
        tenant, tenant, tenant, tenant);
    ck_assert_int_eq(audit_cut(admin, other, &n), EMT_OK);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(audit_cut(admin, tenant, &n), EMT_OK);
    ck_assert_int_eq(n, 4); /* of 91 days ago and before */
    ck_assert_int_eq(count("audit where chain_no = 5"), 1);
    ck_assert_int_eq(count("audit_anchor where chain_no >= 4"), 6);
    ck_assert_int_eq(count("audit_anchor where true"), 6);
    ck_assert_int_eq(audit_base_read(admin, tenant, &base, &noted), EMT_OK);
    ck_assert(base == 4 && noted);
    ck_assert_int_eq(audit_cut(admin, tenant, &n), EMT_OK);
    ck_assert_int_eq(n, 0);
    /* Nobody who serves requests may. */
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(audit_cut(app, tenant, &n), EMT_EDB);
    store_rollback(app);
}
END_TEST

START_TEST(lists_of_one_tenant_are_fetched_one_at_a_time)
{
    struct store_result *r = NULL;

    for (int i = 0; i < 9; i++)
        run_sql("insert into imported_certificate (tenant_id, purpose, pinned, name, fingerprint,"
                " subject, serial, not_before, not_after, pem, crl_url) values (%d, 'gateway',"
                " false, 'x', sha256('%d'), '', '', now(), now(), '', 'http://h/')",
                i < 8 ? tenant : other, i);
    ck_assert_int_eq(import_crl_due(admin, MARCH, 8, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 2);
    ck_assert_int_ne(c_int(r, 0, 0), c_int(r, 1, 0));
    /* The next one of it when that was tried. */
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(import_crl_tried(admin, (int32_t)c_int(r, i, 0), c_int(r, i, 1), "slow",
                                          MARCH + EMT_HOUR),
                         EMT_OK);
    store_result_free(r);
    ck_assert_int_eq(import_crl_due(admin, MARCH, 8, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 1);
    ck_assert_int_eq(c_int(r, 0, 0), tenant);
    store_result_free(r);
}
END_TEST

int main(void)
{
    fixture = pg_fixture_start();
    Suite *s = suite_create("rights");
    TCase *t = tcase_create("rights");
    SRunner *sr = srunner_create(s);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, stretches_join_and_end_with_mandate_and_binding);
    tcase_add_test(t, a_report_leaves_with_what_its_mandates_cover_both_ends_included);
    tcase_add_test(t, what_is_missing_is_named_with_its_location);
    tcase_add_test(t, blocks_are_cut_inside_and_others_left);
    tcase_add_test(t, a_broken_block_is_said_and_not_verified);
    tcase_add_test(t, what_is_interrupted_goes_on_later);
    tcase_add_test(t, agreements_hold_and_unknown_modules_disturb_nobody);
    tcase_add_test(t, a_register_in_another_unit_is_a_version_behind_the_last);
    tcase_add_test(t, the_audit_is_cut_behind_an_old_anchor_only);
    tcase_add_test(t, lists_of_one_tenant_are_fetched_one_at_a_time);
    suite_add_tcase(s, t);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(fixture);
    return failed ? 1 : 0;
}
