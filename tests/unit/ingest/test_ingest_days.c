/* Days that a device delivers whole, and values of days that are packed. */
#include "base/cipher.h"
#include "base/clock.h"
#include "model/block.h"
#include "model/local_day.h"
#include "parsers/oms_encode.h"
#include "rig.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS 88 /* quarter hours behind the first value */
#define ABSENT 0xffffu

struct scene {
    int32_t tenant;
    int64_t gateway;
    struct rig_engine *e;
    uint64_t ticket, seq;
    emt_time day; /* UTC, long over, without a change of the clock */
    unsigned access;
};

static void scene_begin(struct scene *s, const char *name)
{
    struct civil c;

    time_to_civil(clock_now(), &c);
    c.day = 1;
    c.hour = c.minute = c.second = c.micros = 0;
    s->day = civil_to_time(&c) - 20 * EMT_DAY; /* clocks change in the last week of a month */
    s->tenant = rig_tenant(name);
    s->gateway = rig_gateway(s->tenant, "gw", 1);
    s->seq = 0;
    s->access = 0;
    s->e = rig_engine_new(NULL);
    s->ticket = rig_open(s->e, s->tenant, s->gateway, 1, 1, 0);
}

/* Caches are empty afterwards. */
static void scene_restart(struct scene *s)
{
    rig_engine_free(s->e);
    s->e = rig_engine_new(NULL);
    s->ticket = rig_open(s->e, s->tenant, s->gateway, 1, 1, s->seq);
}

static void put_time(struct writer *w, emt_time at)
{
    int offset = local_offset_s(at);
    struct civil l;

    time_to_civil(at + offset * EMT_SECOND, &l);
    ck_assert_int_eq(
        oms_put_datetime(w, 0x44, l.year, l.month, l.day, l.hour, l.minute, offset == 7200),
        EMT_OK);
}

/* EN 13757-3 annex F: a value of storage 1 with its time, and behind it a compact profile (VIFE 1F)
 * of absolute values, two bytes each, every 15 minutes. values NULL: the first value alone. */
static void deliver(struct scene *s, emt_time at, int64_t first, const uint16_t *values)
{
    static const uint8_t energy[] = { 0x03 };
    static const uint8_t profile[] = { 0x4d, 0x83, 0x1f, 2 + 2 * ELEMENTS, 0x12, 0x0f };
    struct oms_telegram o = {
        .device = { .manufacturer = "EMT", .version = 1, .type = 2, .has_version = true },
        .access_number = (uint8_t)s->access++
    };
    struct cipher *c = cipher_new();
    uint8_t records[220], data[260];
    struct writer w, out;

    memcpy(o.device.number, "10000001", 9);
    writer_init_fixed(&w, records, sizeof records);
    ck_assert_int_eq(oms_put_record(&w, 0x44, energy, 1, first), EMT_OK);
    put_time(&w, at);
    if (values)
        writer_bytes(&w, profile, sizeof profile);
    for (unsigned i = 0; values && i < ELEMENTS; i++)
        writer_bytes(&w, (uint8_t[]){ (uint8_t)values[i], (uint8_t)(values[i] >> 8) }, 2);
    o.records = records;
    o.records_len = w.len;
    writer_init_fixed(&out, data, sizeof data);
    ck_assert_int_eq(oms_encode(c, &o, &out), EMT_OK);
    cipher_free(c);
    struct ingest_frame in = { .seq = ++s->seq,
                               .received_at = clock_now(),
                               .protocol = PROTOCOL_WMBUS,
                               .format = FRAME_FORMAT_NO_LINK_CRC,
                               .data = data,
                               .len = out.len };
    ck_assert_int_eq(rig_push(s->e, s->ticket, &in), EMT_OK);
    rig_wait(s->e, s->ticket, s->seq);
    ck_assert_int_eq(
        rig_number("select count(*) from raw_frame where tenant_id = %d and state = 0", s->tenant),
        (int64_t)s->seq);
}

static void fill(uint16_t *values, unsigned from)
{
    for (unsigned i = 0; i < ELEMENTS; i++)
        values[i] = (uint16_t)(from + i);
}

static int64_t rows(const struct scene *s)
{
    return rig_number("select count(*) from reading where tenant_id = %d", s->tenant) +
           rig_number("select count(*) from reading_late where tenant_id = %d", s->tenant);
}

static int64_t blocks(const struct scene *s)
{
    return rig_number("select count(*) from reading_block where tenant_id = %d", s->tenant);
}

static int64_t conflicts(const struct scene *s)
{
    return rig_number("select count(*) from reading_conflict where tenant_id = %d", s->tenant);
}

/* The one block of the tenant. */
static size_t read_block(const struct scene *s, struct block_value *out, size_t cap)
{
    struct store *db = pg_fixture_store(rig_fixture, STORE_ADMIN);
    static const struct store_statement one = {
        "test_block", 1, "select data from reading_block where tenant_id = $1"
    };
    struct store_param p;
    struct store_result *r;
    size_t len, n;
    const uint8_t *data;

    p_int4(&p, s->tenant);
    ck_assert_int_eq(store_run_row(db, &one, &p, &r), EMT_OK);
    data = c_bytes(r, 0, 0, &len);
    ck_assert_int_eq(block_decode(data, len, out, cap, &n), EMT_OK);
    store_result_free(r);
    store_close(db);
    return n;
}

START_TEST(a_day_that_comes_whole_is_a_block)
{
    struct block_value v[200];
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "whole");
    fill(values, 1001);
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(rows(&s), 0);
    ck_assert_int_eq(blocks(&s), 1);
    ck_assert_uint_eq(read_block(&s, v, 200), ELEMENTS + 1);
    for (unsigned i = 0; i <= ELEMENTS; i++) {
        ck_assert_int_eq(v[i].ts, s.day + i * 15 * EMT_MINUTE);
        ck_assert_int_eq(v[i].mantissa, 1000 + i);
    }
    /* The same again, also after a restart, changes nothing; nor does a telegram that repeats one
     * of its values. */
    deliver(&s, s.day, 1000, values);
    scene_restart(&s);
    deliver(&s, s.day, 1000, values);
    scene_restart(&s);
    deliver(&s, s.day, 1000, NULL);
    deliver(&s, s.day + 15 * EMT_MINUTE, 1001, NULL);
    ck_assert_int_eq(rows(&s), 0);
    ck_assert_int_eq(blocks(&s), 1);
    ck_assert_int_eq(conflicts(&s), 0);
    /* The next day is a block of its own. */
    fill(values, 2001);
    deliver(&s, s.day + EMT_DAY, 2000, values);
    ck_assert_int_eq(rows(&s), 0);
    ck_assert_int_eq(blocks(&s), 2);
    rig_engine_free(s.e);
}
END_TEST

START_TEST(what_contradicts_a_block_is_a_conflict_at_once)
{
    struct block_value v[200];
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "contradicts");
    fill(values, 1001);
    deliver(&s, s.day, 1000, values);
    values[10] = 5;
    deliver(&s, s.day, 1000, values);
    scene_restart(&s);
    deliver(&s, s.day, 999, NULL);
    ck_assert_int_eq(conflicts(&s), 2);
    ck_assert_int_eq(rig_number("select count(*) from reading_conflict where tenant_id = %d and"
                                " (mantissa, kept_mantissa) in ((5, 1011), (999, 1000))",
                                s.tenant),
                     2);
    ck_assert_int_eq(rows(&s), 0);
    ck_assert_uint_eq(read_block(&s, v, 200), ELEMENTS + 1);
    ck_assert_int_eq(v[11].mantissa, 1011);
    rig_engine_free(s.e);
}
END_TEST

START_TEST(what_a_block_lacks_goes_on_as_a_row)
{
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "lacks");
    fill(values, 1001);
    values[20] = ABSENT;
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(blocks(&s), 1);
    values[20] = 1021;
    scene_restart(&s);
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(blocks(&s), 1);
    ck_assert_int_eq(rows(&s), 1);
    ck_assert_int_eq(rig_number("select mantissa from reading where tenant_id = %d", s.tenant),
                     1021);
    ck_assert_int_eq(conflicts(&s), 0);
    rig_engine_free(s.e);
}
END_TEST

START_TEST(rows_of_the_day_stay_what_stands)
{
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "rows");
    deliver(&s, s.day, 7, NULL); /* too few for a block */
    ck_assert_int_eq(rows(&s), 1);
    fill(values, 1001);
    scene_restart(&s);
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(blocks(&s), 0);
    ck_assert_int_eq(rows(&s), ELEMENTS + 1);
    ck_assert_int_eq(conflicts(&s), 1);
    ck_assert_int_eq(rig_number("select count(*) from reading_conflict where tenant_id = %d"
                                " and kept_mantissa = 7 and mantissa = 1000",
                                s.tenant),
                     1);
    rig_engine_free(s.e);
}
END_TEST

START_TEST(a_month_that_is_packed_gets_no_days)
{
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "month");
    fill(values, 1001);
    deliver(&s, s.day, 1000, values);
    rig_sql("update reading_block set span = 1, span_start = date_trunc('month', span_start)"
            " where tenant_id = %d",
            s.tenant);
    scene_restart(&s);
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(rows(&s), 0);
    deliver(&s, s.day, 3, NULL);
    ck_assert_int_eq(conflicts(&s), 1);
    deliver(&s, s.day + EMT_DAY, 1000, values);
    ck_assert_int_eq(blocks(&s), 1);
    ck_assert_int_eq(rows(&s), ELEMENTS + 1);
    rig_engine_free(s.e);
}
END_TEST

START_TEST(a_substitute_in_a_block_gives_way_to_a_row)
{
    uint16_t values[ELEMENTS];
    struct writer w;
    struct block_value v[2];
    struct scene s;
    char hex[200];

    scene_begin(&s, "substitute");
    fill(values, 1001);
    deliver(&s, s.day, 1000, values);
    /* As if it had been filled in: quality 1 is a substitute, whose rank is lower. */
    for (int i = 0; i < 2; i++)
        v[i] = (struct block_value){ s.day + i * 15 * EMT_MINUTE, 900 + i, 0, 1 };
    writer_init_heap(&w, 4096);
    ck_assert_int_eq(block_encode(v, 2, &w), EMT_OK);
    for (size_t i = 0; i < w.len; i++)
        snprintf(&hex[2 * i], 3, "%02x", w.data[i]);
    writer_release(&w);
    rig_sql("update reading_block set n = 2, data = decode('%s', 'hex') where tenant_id = %d", hex,
            s.tenant);
    scene_restart(&s);
    deliver(&s, s.day, 1000, NULL);
    ck_assert_int_eq(rows(&s), 1);
    ck_assert_int_eq(conflicts(&s), 0);
    rig_engine_free(s.e);
}
END_TEST

/* What cannot be read holds nothing up. */
START_TEST(a_broken_block_is_passed_over)
{
    uint16_t values[ELEMENTS];
    struct scene s;

    scene_begin(&s, "broken");
    fill(values, 1001);
    deliver(&s, s.day, 1000, values);
    rig_sql("update reading_block set data = '\\x0102ff' where tenant_id = %d", s.tenant);
    scene_restart(&s);
    deliver(&s, s.day, 1000, values);
    ck_assert_int_eq(blocks(&s), 1);
    ck_assert_int_eq(rows(&s), ELEMENTS + 1);
    rig_engine_free(s.e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ingest_days");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_day_that_comes_whole_is_a_block);
    tcase_add_test(t, what_contradicts_a_block_is_a_conflict_at_once);
    tcase_add_test(t, what_a_block_lacks_goes_on_as_a_row);
    tcase_add_test(t, rows_of_the_day_stay_what_stands);
    tcase_add_test(t, a_month_that_is_packed_gets_no_days);
    tcase_add_test(t, a_substitute_in_a_block_gives_way_to_a_row);
    tcase_add_test(t, a_broken_block_is_passed_over);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
