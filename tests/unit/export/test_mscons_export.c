/* Exports against a real database: what goes out is exact and clean, what does not is said, and a
 * number is never given twice. */
#include "base/error.h"
#include "connectors/mscons_check.h"
#include "connectors/mscons_show.h"
#include "export/mscons_export.h"
#include "export_fixture.h"
#include "export_taken.h"
#include "store/block_store.h"
#include "store/export_store.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-11-20T09:30:10Z"
/* 2026-11-18 as a German day: winter time. */
#define DAY_START "2026-11-17T23:00:00Z"
#define DAY ((struct local_date){ 2026, 11, 18 })
#define NEXT_DAY ((struct local_date){ 2026, 11, 19 })

static struct pg_fixture *fixture;

static struct mscons_export_request request(int32_t tenant, unsigned pid)
{
    return (struct mscons_export_request){
        .tenant = tenant, .pid = pid, .from = DAY, .to = NEXT_DAY, .now = at(NOW)
    };
}

/* One MeLo, one register, 2026-11-18 complete. */
static int32_t simple_tenant(const char *key, int64_t *channel)
{
    int32_t t = export_tenant_new(fixture, key);
    struct export_bind b = { .place = MELO,
                             .obis = "1-1:1.29.0",
                             .device = "1EMT0012345678",
                             .from = "2025-01-01T00:00:00Z" };

    b.channel = *channel = export_channel(fixture, t, "EMT-12345678-01-02", "Wh");
    export_place(fixture, t, MELO, RECEIVER);
    export_bind(fixture, t, &b);
    export_readings(fixture, t, b.channel, DAY_START, 96);
    return t;
}

/* --- load profiles --- */

START_TEST(a_complete_day_is_one_message_with_exact_values)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    char value[64];
    int64_t channel;
    int32_t tenant = simple_tenant("complete", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 1);
    ck_assert_str_eq(t.notes, "");
    ck_assert_int_eq(strncmp(t.name[0], "MSCONS_TL_" SENDER "_" RECEIVER "_20261120_", 47), 0);
    json_t *file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 1);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96,
                     kwh(register_at(96) - register_at(0), sum));
    const char *p = t.content[0];
    for (int i = 0; i < 96; i++) {
        struct decimal is;

        p = strstr(p, "QTY+220:");
        ck_assert_ptr_nonnull(p);
        p += strlen("QTY+220:");
        size_t n = strcspn(p, "':");
        ck_assert_int_eq(decimal_parse(p, n, &is), EMT_OK);
        snprintf(value, sizeof value, "%.*s", (int)n, p);
        ck_assert_msg(decimal_compare(is, decimal_of(register_at(i + 1) - register_at(i), -3)) == 0,
                      "interval %d: %s", i, value);
    }
    ck_assert_ptr_null(strstr(p, "QTY+"));
    json_decref(file);
    taken_drop(&t);
    store_close(s);
}
END_TEST

static void compact_all(int32_t tenant)
{
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    struct block_counts counts = { 0 };
    struct block_lot lot = { .month = at("2026-11-01T00:00:00Z"),
                             .closed = at("2026-12-01T00:00:00Z") };

    while (!lot.done)
        ck_assert_int_eq(block_compact(admin, tenant, &lot, at(NOW), &counts), EMT_OK);
    ck_assert_int_gt(counts.rows, 90);
    ck_assert_int_gt(counts.blocks, 0);
    store_close(admin);
}

START_TEST(files_are_the_same_before_and_after_compaction)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken before = { 0 }, after = { 0 };
    int64_t channel;
    int32_t tenant = simple_tenant("packed", &channel);

    /* Spelled in other units, substitutes, a correction, late ones, a gap. */
    export_sql(
        fixture,
        "update reading set quality = 257 where tenant_id = %d and ts between "
        "'2026-11-18T03:00:00Z' and '2026-11-18T04:00:00Z';"
        "update reading set mantissa = mantissa * 10, exponent = exponent - 1"
        " where tenant_id = %d and extract(hour from ts) = 7;"
        "insert into reading_late (tenant_id, channel_id, ts, mantissa, received_at, exponent,"
        " quality) select tenant_id, channel_id, ts, mantissa + 1, now(), exponent, 261"
        " from reading where tenant_id = %d and extract(hour from ts) = 12;"
        "delete from reading where tenant_id = %d and ts between '2026-11-18T18:50:00Z'"
        " and '2026-11-18T19:10:00Z'",
        (int)tenant, (int)tenant, (int)tenant, (int)tenant);
    for (unsigned pid = 13017; pid <= 13018; pid++) {
        struct mscons_export_request req = request(tenant, pid);

        export_sql(fixture, "update location_channel set obis = '%s' where tenant_id = %d",
                   pid == 13017 ? "1-1:1.8.0" : "1-1:1.29.0", (int)tenant);
        /* The same number again: only then can all bytes be equal. */
        export_sql(fixture,
                   "delete from export_file where tenant_id = %d;"
                   "delete from export_number where tenant_id = %d",
                   (int)tenant, (int)tenant);
        taken_run(s, &req, &before);
        ck_assert_int_eq(before.err, EMT_OK);
        ck_assert_msg(before.files == 1, "%u: %s", pid, before.notes);
        if (pid == 13017) {
            export_sql(fixture, "create table rows_before as select * from reading;"
                                "create table late_before as select * from reading_late");
        }
        compact_all(tenant);
        ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from reading_late"), 0);
        export_sql(fixture,
                   "delete from export_file where tenant_id = %d;"
                   "delete from export_number where tenant_id = %d",
                   (int)tenant, (int)tenant);
        taken_run(s, &req, &after);
        ck_assert_uint_eq(after.files, 1);
        ck_assert_uint_eq(after.len[0], before.len[0]);
        ck_assert_mem_eq(after.content[0], before.content[0], before.len[0]);
        ck_assert_str_eq(after.notes, before.notes);
        taken_drop(&before);
        taken_drop(&after);
        export_sql(fixture,
                   "delete from reading_block where tenant_id = %d;"
                   "insert into reading select * from rows_before where tenant_id = %d;"
                   "insert into reading_late select * from late_before where tenant_id = %d",
                   (int)tenant, (int)tenant, (int)tenant);
    }
    export_sql(fixture, "drop table rows_before; drop table late_before");
    store_close(s);
}
END_TEST

START_TEST(a_gap_splits_the_day_and_is_never_filled)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char first[32];
    char second[32];
    int64_t channel;
    int32_t tenant = simple_tenant("gap", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    /* Boundary 40 (10:00 local) has no reading: intervals 39 and 40 are gone. */
    export_sql(fixture,
               "delete from reading where tenant_id = %d and ts between '2026-11-18T08:50:00Z'"
               " and '2026-11-18T09:10:00Z'",
               (int)tenant);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 1);
    json_t *file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 2);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 39,
                     kwh(register_at(39) - register_at(0), first));
    taken_check_line(taken_line(file, 1, 0), "1-1:1.29.0", 55,
                     kwh(register_at(96) - register_at(41), second));
    ck_assert_str_eq(t.notes, MELO ": 1-1:1.29.0: gap 2026-11-18T08:45:00Z to 2026-11-18T09:15:00Z:"
                                   " no-reading\n");
    json_decref(file);
    taken_drop(&t);

    req.hold_gaps = true;
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "no-reading"));
    ck_assert_ptr_nonnull(strstr(t.notes, "2026-11-18 is held back: it has gaps"));
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_gap_of_one_register_leaves_the_other_whole)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("two-registers", &channel);
    int64_t other = export_channel(fixture, tenant, "EMT-12345679-01-02", "varh");
    struct export_bind b = {
        .place = MELO, .obis = "1-1:3.29.0", .channel = other, .from = "2025-01-01T00:00:00Z"
    };
    struct mscons_export_request req = request(tenant, 13018);

    export_bind(fixture, tenant, &b);
    export_readings(fixture, tenant, other, DAY_START, 96);
    taken_run(s, &req, &t);
    json_t *file = taken_judged(fixture, &t, 0); /* both in one message */
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 1);
    taken_check_line(taken_line(file, 0, 1), "1-1:3.29.0", 96,
                     kwh(register_at(96) - register_at(0), sum));
    json_decref(file);
    taken_drop(&t);

    export_sql(fixture, "delete from reading where channel_id = %" PRId64 " and ts < '%s'", other,
               "2026-11-18T03:10:00Z");
    taken_run(s, &req, &t);
    file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 2);
    taken_check_line(taken_line(file, 0, 0), "1-1:3.29.0", 79,
                     kwh(register_at(96) - register_at(17), sum));
    taken_check_line(taken_line(file, 1, 0), "1-1:1.29.0", 96,
                     kwh(register_at(96) - register_at(0), sum));
    json_decref(file);
    taken_drop(&t);
    req.hold_gaps = true;
    taken_run(s, &req, &t);
    file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 1);
    json_decref(file);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(days_of_the_time_change_have_92_and_100_quarter_hours)
{
    static const struct {
        struct local_date day;
        const char *start;
        int n;
    } days[] = {
        { { 2026, 3, 29 }, "2026-03-28T23:00:00Z", 92 },
        { { 2025, 10, 26 }, "2025-10-25T22:00:00Z", 100 },
    };
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    int64_t channel;
    int32_t tenant = simple_tenant("dst", &channel);
    struct mscons_export_request req = request(tenant, 13018);
    char sum[32];

    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct taken t = { 0 };

        export_readings(fixture, tenant, channel, days[i].start, days[i].n);
        req.from = days[i].day;
        req.to = local_date_add(days[i].day, 1);
        taken_run(s, &req, &t);
        ck_assert_int_eq(t.err, EMT_OK);
        ck_assert_str_eq(t.notes, "");
        json_t *file = taken_judged(fixture, &t, 0);
        ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 1);
        taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", days[i].n,
                         kwh(register_at(days[i].n) - register_at(0), sum));
        json_decref(file);
        taken_drop(&t);
    }
    store_close(s);
}
END_TEST

START_TEST(a_market_location_gets_its_own_use_case)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("malo", &channel);
    struct export_bind b = {
        .place = MALO, .obis = "1-1:1.29.0", .channel = channel, .from = "2025-01-01T00:00:00Z"
    };
    struct mscons_export_request req = request(tenant, 13025);

    export_place(fixture, tenant, MALO, RECEIVER);
    export_bind(fixture, tenant, &b);
    req.location = MALO;
    req.test = true;
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    json_t *file = taken_judged(fixture, &t, 0);
    const json_t *m = json_array_get(json_object_get(file, "messages"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(m, "loc")), MALO);
    ck_assert_str_eq(json_string_value(json_object_get(m, "pid")), "13025");
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96,
                     kwh(register_at(96) - register_at(0), sum));
    json_decref(file);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(the_transformer_ratio_multiplies_energies)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("ratio", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    export_sql(fixture,
               "update location_channel set ratio_mantissa = 40, ratio_exponent = 0"
               " where tenant_id = %d",
               (int)tenant);
    taken_run(s, &req, &t);
    json_t *file = taken_judged(fixture, &t, 0);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96,
                     kwh(40 * (register_at(96) - register_at(0)), sum));
    json_decref(file);
    taken_drop(&t);
    /* This times the energies fits nowhere: the place is left out, the export goes on. */
    export_sql(fixture,
               "update location_channel set ratio_mantissa = 8999999999999999999"
               " where tenant_id = %d",
               (int)tenant);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, ": out-of-range\n"));
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_meter_exchanged_on_a_boundary_leaves_the_day_whole)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("exchange", &channel);
    int64_t other = export_channel(fixture, tenant, "EMT-22222222-01-02", "Wh");
    struct export_bind b = {
        .place = MELO, .obis = "1-1:1.29.0", .channel = other, .from = "2026-11-18T11:00:00Z"
    };
    struct mscons_export_request req = request(tenant, 13018);

    export_sql(fixture,
               "update location_channel set valid_to = '2026-11-18T11:00:00Z' where tenant_id = %d",
               (int)tenant);
    export_bind(fixture, tenant, &b);
    /* Both meters show something at the exchange itself. */
    export_sql(fixture,
               "update reading set ts = '2026-11-18T11:00:00Z' where tenant_id = %d"
               " and ts between '2026-11-18T10:55:00Z' and '2026-11-18T11:05:00Z'",
               (int)tenant);
    export_readings(fixture, tenant, other, "2026-11-18T11:00:00Z", 48);
    export_sql(fixture,
               "update reading set ts = '2026-11-18T11:00:00Z' where channel_id = %" PRId64
               " and ts < '2026-11-18T11:05:00Z'",
               other);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    json_t *file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 1);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96,
                     kwh(2 * (register_at(48) - register_at(0)), sum));
    json_decref(file);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_day_that_is_not_over_ends_at_its_last_whole_quarter_hour)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("today", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    /* 09:58:30 local; a meter whose clock is ahead has shown 10:00 and later already. */
    req.now = at("2026-11-18T08:58:30Z");
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    json_t *file = taken_judged(fixture, &t, 0);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 39,
                     kwh(register_at(39) - register_at(0), sum));
    json_decref(file);
    taken_drop(&t);
    req.hold_gaps = true;
    taken_run(s, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "is not over"));
    taken_drop(&t);
    req.now = at("2026-11-17T20:00:00Z"); /* the day has not begun */
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 0);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(values_that_must_not_be_sent_are_gaps)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    int64_t channel;
    int32_t tenant = simple_tenant("quality", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    /* 08:00 local is flagged by the meter, 16:00 went back, 20:00 is provisional. */
    export_sql(fixture,
               "update reading set quality = quality | 4 where tenant_id = %d"
               " and ts between '2026-11-18T06:55:00Z' and '2026-11-18T07:05:00Z';"
               "update reading set mantissa = 5 where tenant_id = %d"
               " and ts between '2026-11-18T14:55:00Z' and '2026-11-18T15:05:00Z';"
               "update reading set quality = quality | 3 where tenant_id = %d"
               " and ts between '2026-11-18T18:55:00Z' and '2026-11-18T19:05:00Z'",
               (int)tenant, (int)tenant, (int)tenant);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_ptr_nonnull(strstr(t.notes, "2026-11-18T06:45:00Z to 2026-11-18T07:15:00Z: "
                                          "invalid-reading"));
    ck_assert_ptr_nonnull(strstr(t.notes, "2026-11-18T14:45:00Z to 2026-11-18T15:00:00Z: "
                                          "register-went-back"));
    json_decref(taken_judged(fixture, &t, 0));
    const char *p = strstr(t.content[0], "QTY+Z18:");
    ck_assert_ptr_nonnull(p);
    p = strstr(p + 1, "QTY+Z18:");
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(strstr(p + 1, "QTY+Z18:"));
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(late_and_corrected_values_count)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char sum[32];
    int64_t channel;
    int32_t tenant = simple_tenant("late", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    /* The last boundary arrived late, and a person corrected it by 1 kWh. */
    export_sql(fixture,
               "insert into reading_late (channel_id, ts, mantissa, received_at, tenant_id,"
               " exponent, quality) select channel_id, ts, mantissa + 1000, now(), tenant_id,"
               " exponent, 5 from reading where tenant_id = %d and ts > '2026-11-18T22:55:00Z'",
               (int)tenant);
    taken_run(s, &req, &t);
    json_t *file = taken_judged(fixture, &t, 0);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96,
                     kwh(register_at(96) - register_at(0) + 1000, sum));
    json_decref(file);
    taken_drop(&t);
    store_close(s);
}
END_TEST

/* --- register readings --- */

START_TEST(meter_readings_show_the_register_at_the_start_of_each_day)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char value[32];
    int64_t channel;
    int32_t tenant = simple_tenant("readings", &channel);
    struct mscons_export_request req = request(tenant, 13017);

    /* The ratio is the market's to apply. */
    export_sql(fixture,
               "update location_channel set ratio_mantissa = 40, obis = '1-1:1.8.0'"
               " where tenant_id = %d",
               (int)tenant);
    req.to = (struct local_date){ 2026, 11, 21 };
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 1);
    ck_assert_int_eq(strncmp(t.name[0], "MSCONS_VL_", 10), 0);
    json_t *file = taken_judged(fixture, &t, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(file, "messages")), 2);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.8.0", 1, kwh(register_at(0), value));
    taken_check_line(taken_line(file, 1, 0), "1-1:1.8.0", 1, kwh(register_at(96), value));
    const json_t *m = json_array_get(json_object_get(file, "messages"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(m, "device")), "1EMT0012345678");
    ck_assert_str_eq(t.notes, MELO ": 1-1:1.8.0: no reading at 2026-11-19T23:00:00Z\n");
    json_decref(file);
    taken_drop(&t);

    export_sql(fixture, "update location_channel set device_number = '' where tenant_id = %d",
               (int)tenant);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "number of the meter"));
    taken_drop(&t);
    store_close(s);
}
END_TEST

/* --- what does not go out --- */

START_TEST(what_is_left_out_is_said)
{
    static const struct {
        const char *sql, *note;
    } cases[] = {
        { "update device set active = false where tenant_id = %d", "its device is passive" },
        { "update channel set unit = 'm3' where tenant_id = %d", "channel is in m3" },
        { "update channel set unit = null where tenant_id = %d", "channel is in no unit" },
        { "update location set receiver_mp_id = null where tenant_id = %d", "no receiver_mp_id" },
        { "update location set receiver_mp_id = '99' where tenant_id = %d", "no receiver: MP-ID" },
        { "update location_channel set obis = 'x' where tenant_id = %d", "OBIS code x is none" },
        { "delete from location_channel where tenant_id = %d", "no channel is bound" },
        { "delete from reading where tenant_id = %d", "no-reading" },
        { "update tenant set profile_tolerance_s = 3600 where id = %d", "left out" },
    };
    struct store *s = pg_fixture_store(fixture, STORE_APP);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct taken t = { 0 };
        char sql[300];
        int64_t channel;

        snprintf(sql, sizeof sql, "left-out-%zu", i);
        int32_t tenant = simple_tenant(sql, &channel);
        struct mscons_export_request req = request(tenant, 13018);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(sql, sizeof sql, cases[i].sql, (int)tenant);
#pragma GCC diagnostic pop
        pg_fixture_sql(fixture, sql);
        taken_run(s, &req, &t);
        ck_assert_int_eq(t.err, EMT_OK);
        ck_assert_uint_eq(t.files, 0);
        ck_assert_msg(strstr(t.notes, cases[i].note) != NULL, "%s: %s", cases[i].sql, t.notes);
        ck_assert_int_eq(strncmp(t.notes, MELO ": ", strlen(MELO) + 2), 0);
        taken_drop(&t);
    }
    store_close(s);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    int64_t channel;
    int32_t tenant = simple_tenant("refused", &channel);
    int32_t stranger = export_tenant_new(fixture, "stranger");
    int32_t nameless = pg_fixture_tenant(fixture, "nameless");
    struct mscons_export_request base = request(tenant, 13018);
    struct mscons_export_request bad[10];
    static const enum emt_err expected[10] = { EMT_EUNSUPPORTED, EMT_EMALFORMED, EMT_EMALFORMED,
                                               EMT_EMALFORMED,   EMT_EMALFORMED, EMT_ENOTFOUND,
                                               EMT_ENOTFOUND,    EMT_EMALFORMED, EMT_ENOTFOUND,
                                               EMT_EUNSUPPORTED };

    for (size_t i = 0; i < 10; i++)
        bad[i] = base;
    bad[0].pid = 13020;
    bad[1].to = DAY;
    bad[2].to = (struct local_date){ 2028, 1, 1 };
    bad[3].from = (struct local_date){ 2026, 2, 30 };
    bad[4].location = "DE1";
    bad[5].location = MELO_2;
    bad[6].tenant = stranger; /* another tenant's place does not exist */
    bad[6].location = MELO;
    bad[7].tenant = nameless;
    bad[8].tenant = tenant + 1000;
    bad[9].now = at("2023-11-20T00:00:00Z"); /* no version of the message for that day */
    bad[9].from = (struct local_date){ 2023, 11, 1 };
    bad[9].to = (struct local_date){ 2023, 11, 2 };
    for (size_t i = 0; i < 10; i++) {
        struct taken t = { 0 };

        taken_run(s, &bad[i], &t);
        ck_assert_msg(t.err == expected[i], "%zu: %s: %s", i, emt_err_name(t.err), t.diag.text);
        ck_assert_str_ne(t.diag.text, "");
        ck_assert_uint_eq(t.files, 0);
        taken_drop(&t);
    }
    store_close(s);
}
END_TEST

START_TEST(a_tenant_exports_nothing_of_another)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    int64_t channel;
    int32_t tenant = simple_tenant("mine", &channel);
    int32_t other = export_tenant_new(fixture, "theirs");
    struct mscons_export_request req = request(other, 13018);

    (void)tenant;
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_str_eq(t.notes, "");
    store_close(s);
}
END_TEST

/* --- numbers --- */

static void reference_of(const struct taken *t, unsigned i, char out[32])
{
    const char *p = strrchr(t->name[i], '_') + 1;

    snprintf(out, 32, "%.*s", (int)strcspn(p, "."), p);
}

START_TEST(each_receiver_gets_a_file_with_a_number_of_its_own)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char first[32];
    char second[32];
    int64_t channel;
    int32_t tenant = simple_tenant("receivers", &channel);
    struct export_bind b = {
        .place = MELO_2, .obis = "1-1:1.29.0", .channel = channel, .from = "2025-01-01T00:00:00Z"
    };
    struct mscons_export_request req = request(tenant, 13018);

    export_place(fixture, tenant, MELO_2, SENDER);
    export_bind(fixture, tenant, &b);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 2);
    json_decref(taken_judged(fixture, &t, 0));
    json_decref(taken_judged(fixture, &t, 1));
    reference_of(&t, 0, first);
    reference_of(&t, 1, second);
    ck_assert_str_ne(first, second); /* of the same millisecond */
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_number_taken_in_a_transaction_that_fails_is_not_reused_for_something_else)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char first[32];
    char second[32];
    char sql[300];
    int64_t channel;
    int32_t tenant = simple_tenant("crash", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    taken_run(s, &req, &t);
    reference_of(&t, 0, first);
    taken_drop(&t);
    /* The process ends between number and file: neither is there. */
    snprintf(sql, sizeof sql,
             "alter table export_file add constraint broken check (tenant_id <> %d) not valid",
             (int)tenant);
    pg_fixture_sql(fixture, sql);
    taken_run(s, &req, &t);
    ck_assert_int_ne(t.err, EMT_OK);
    ck_assert_str_ne(t.diag.text, "");
    ck_assert_uint_eq(t.files, 0); /* nobody saw anything that is not committed */
    taken_drop(&t);
    pg_fixture_sql(fixture, "alter table export_file drop constraint broken");
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    reference_of(&t, 0, second);
    ck_assert_str_gt(second, first); /* base 36 of equal length sorts as text */
    snprintf(sql, sizeof sql,
             "select count(*) from export_number n where tenant_id = %d and last = '%s' and sender"
             " = '" SENDER "'",
             (int)tenant, second);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 1);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_restored_database_gives_no_number_again)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { 0 };
    char old[32];
    char first[32];
    char second[32];
    int64_t channel;
    int32_t tenant = simple_tenant("restore", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    taken_run(s, &req, &t);
    reference_of(&t, 0, old);
    taken_drop(&t);
    req.now += EMT_SECOND;
    taken_run(s, &req, &t);
    reference_of(&t, 0, first);
    taken_drop(&t);
    /* Back to the state before the second file; time has gone on. */
    export_sql(fixture, "update export_number set last = '%s' where tenant_id = %d", old,
               (int)tenant);
    export_sql(fixture, "delete from export_file where tenant_id = %d and reference = '%s'",
               (int)tenant, first);
    req.now += EMT_SECOND;
    taken_run(s, &req, &t);
    reference_of(&t, 0, second);
    ck_assert_str_gt(second, first);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(a_file_that_cannot_be_handed_out_stays_in_the_database)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct taken t = { .answer = EMT_EIO };
    char sql[200];
    int64_t channel;
    int32_t tenant = simple_tenant("handed", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_EIO);
    snprintf(sql, sizeof sql, "select count(*) from export_file where tenant_id = %d", (int)tenant);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 1);
    taken_drop(&t);
    store_close(s);
}
END_TEST

START_TEST(the_notes_of_a_file_are_kept_with_it)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store_result *r = NULL;
    struct taken t = { 0 };
    int64_t channel;
    int32_t tenant = simple_tenant("notes", &channel);
    struct mscons_export_request req = request(tenant, 13018);

    export_place(fixture, tenant, MELO_2, RECEIVER);
    taken_run(s, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(export_file_get(s, tenant, t.id[0], &r), EMT_OK);
    ck_assert_str_eq(c_text(r, 0, 11), t.notes);
    ck_assert_ptr_nonnull(strstr(t.notes, MELO_2 ": no channel is bound"));
    store_result_free(r);
    store_rollback(s);
    taken_drop(&t);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mscons_export");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    export_partitions(fixture);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_complete_day_is_one_message_with_exact_values);
    tcase_add_test(c, files_are_the_same_before_and_after_compaction);
    tcase_add_test(c, a_gap_splits_the_day_and_is_never_filled);
    tcase_add_test(c, a_gap_of_one_register_leaves_the_other_whole);
    tcase_add_test(c, days_of_the_time_change_have_92_and_100_quarter_hours);
    tcase_add_test(c, a_market_location_gets_its_own_use_case);
    tcase_add_test(c, the_transformer_ratio_multiplies_energies);
    tcase_add_test(c, a_meter_exchanged_on_a_boundary_leaves_the_day_whole);
    tcase_add_test(c, a_day_that_is_not_over_ends_at_its_last_whole_quarter_hour);
    tcase_add_test(c, values_that_must_not_be_sent_are_gaps);
    tcase_add_test(c, late_and_corrected_values_count);
    tcase_add_test(c, meter_readings_show_the_register_at_the_start_of_each_day);
    tcase_add_test(c, what_is_left_out_is_said);
    tcase_add_test(c, requests_that_make_no_sense_are_refused);
    tcase_add_test(c, a_tenant_exports_nothing_of_another);
    tcase_add_test(c, each_receiver_gets_a_file_with_a_number_of_its_own);
    tcase_add_test(c, a_number_taken_in_a_transaction_that_fails_is_not_reused_for_something_else);
    tcase_add_test(c, a_restored_database_gives_no_number_again);
    tcase_add_test(c, a_file_that_cannot_be_handed_out_stays_in_the_database);
    tcase_add_test(c, the_notes_of_a_file_are_kept_with_it);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
