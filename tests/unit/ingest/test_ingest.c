/* What is counted, once, and as what. */
#include "base/clock.h"
#include "rig.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static int64_t frames(int32_t tenant, int state)
{
    return rig_number("select count(*) from raw_frame where tenant_id = %d and state = %d", tenant,
                      state);
}

/* Values of the energy register. */
static int64_t energies(int32_t tenant)
{
    return rig_number("select count(*) from reading r join channel c using (tenant_id, channel_id)"
                      " where r.tenant_id = %d and c.quantity = 1",
                      tenant);
}

static int64_t energy_at(int32_t tenant, emt_time t)
{
    return rig_number("select (mantissa * power(10::numeric, exponent))::int8 from reading r"
                      " join channel c using (tenant_id, channel_id)"
                      " where r.tenant_id = %d and c.quantity = 1"
                      " and ts = to_timestamp(%" PRId64 " / 1000000)",
                      tenant, t);
}

START_TEST(a_telegram_becomes_device_channel_reading_and_frame)
{
    int32_t tenant = rig_tenant("plain");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001", .energy_wh = 12345, .at = at, .text = true };

    ck_assert_int_eq(rig_send(e, t, 1, at + EMT_MINUTE, &tg), EMT_OK);
    rig_wait(e, t, 1);
    ck_assert_int_eq(frames(tenant, 0), 1);
    ck_assert_int_eq(energies(tenant), 1);
    ck_assert_int_eq(energy_at(tenant, at), 12345);
    /* low byte 0: measured; next byte 1: the meter's own time */
    ck_assert_int_eq(
        rig_number("select quality from reading r join channel c using (tenant_id, channel_id)"
                   " where r.tenant_id = %d and c.quantity = 1",
                   tenant),
        256);
    ck_assert_int_eq(
        rig_number("select assignment from device where tenant_id = %d and number = '10000001'",
                   tenant),
        1);
    ck_assert_int_eq(
        rig_number("select count(*) from reading_text where tenant_id = %d and text = '1.3'",
                   tenant),
        1);
    /* The meter's clock is the time of the values, and no text beside them. */
    ck_assert_int_eq(rig_number("select count(*) from channel where tenant_id = %d", tenant), 2);
    ck_assert_int_eq(rig_number("select last_seq from gateway_cursor where tenant_id = %d", tenant),
                     1);
    ck_assert_int_eq(rig_number("select frames from gateway_cursor where tenant_id = %d", tenant),
                     1);
    ck_assert_int_eq(rig_number("select rssi_dbm from raw_frame where tenant_id = %d", tenant),
                     -71);
    /* The text comes again and is the same: no second row. */
    tg.access = 1;
    tg.energy_wh = 12346;
    tg.at = at + 15 * EMT_MINUTE;
    ck_assert_int_eq(rig_send(e, t, 2, at + 16 * EMT_MINUTE, &tg), EMT_OK);
    rig_wait(e, t, 2);
    ck_assert_int_eq(energies(tenant), 2);
    ck_assert_int_eq(
        rig_number("select count(*) from reading_text where tenant_id = %d and text = '1.3'",
                   tenant),
        1);
    rig_engine_free(e);
}
END_TEST

static void send_text(struct rig_engine *e, uint64_t ticket, uint64_t seq, emt_time at,
                      char release)
{
    struct rig_telegram tg = { .number = "10000001",
                               .access = (uint8_t)seq,
                               .energy_wh = 1000 + (int64_t)seq,
                               .text = true,
                               .release = release };

    ck_assert_int_eq(rig_send(e, ticket, seq, at, &tg), EMT_OK);
}

static int64_t texts(int32_t tenant, char release)
{
    return rig_number("select count(*) from reading_text where tenant_id = %d and text = '1.%c'",
                      tenant, release);
}

START_TEST(a_text_that_changes_back_within_a_batch_is_news)
{
    int32_t tenant = rig_tenant("textbatch");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);

    send_text(e, t, 1, at, 'a');
    rig_wait(e, t, 1);
    for (uint64_t i = 2; i <= 7; i++) /* a b b a b a, in one batch */
        send_text(e, t, i, at + (emt_time)i * EMT_HOUR, "abbaba"[i - 2]);
    rig_wait(e, t, 7);
    ck_assert_int_eq(texts(tenant, 'a'), 3);
    ck_assert_int_eq(texts(tenant, 'b'), 2);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_text_that_changed_elsewhere_meanwhile_is_news)
{
    int32_t tenant = rig_tenant("textloops");
    int64_t gw1 = rig_gateway(tenant, "gw1", 1), gw2 = rig_gateway(tenant, "gw2", 2);
    struct rig_engine *e1 = rig_engine_new(NULL), *e2 = rig_engine_new(NULL);
    uint64_t t1 = rig_open(e1, tenant, gw1, 1, 1, 0), t2 = rig_open(e2, tenant, gw2, 2, 1, 0);
    emt_time at = rig_noon(2);

    send_text(e1, t1, 1, at, 'a');
    rig_wait(e1, t1, 1);
    usleep(2500000); /* the new device is a new version of the registry: caches are read anew */
    send_text(e1, t1, 2, at + EMT_HOUR, 'a');
    rig_wait(e1, t1, 2);
    send_text(e2, t2, 3, at + 2 * EMT_HOUR, 'b');
    rig_wait(e2, t2, 3);
    send_text(e1, t1, 4, at + 3 * EMT_HOUR, 'a');
    rig_wait(e1, t1, 4);
    ck_assert_int_eq(texts(tenant, 'a'), 2);
    ck_assert_int_eq(texts(tenant, 'b'), 1);
    rig_engine_free(e1);
    rig_engine_free(e2);
}
END_TEST

START_TEST(without_meter_time_the_reception_is_the_time)
{
    int32_t tenant = rig_tenant("notime");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);

    ck_assert_int_eq(
        rig_send(e, t, 1, at, &(struct rig_telegram){ .number = "10000001", .energy_wh = 77 }),
        EMT_OK);
    rig_wait(e, t, 1);
    ck_assert_int_eq(energy_at(tenant, at), 77);
    ck_assert_int_eq(rig_number("select quality from reading where tenant_id = %d", tenant),
                     3 * 256);
    rig_engine_free(e);
}
END_TEST

/* kWh instead of Wh is the same channel; 1.20 is the value 1.2. */
START_TEST(a_change_of_unit_stays_one_channel)
{
    int32_t tenant = rig_tenant("units");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram wh = { .number = "10000001", .energy_wh = 2000, .at = at };
    struct rig_telegram kwh = {
        .number = "10000001", .access = 1, .energy_wh = 2, .in_kwh = true, .at = at
    };
    struct rig_telegram more = {
        .number = "10000001", .access = 2, .energy_wh = 3, .in_kwh = true, .at = at + EMT_HOUR
    };

    ck_assert_int_eq(rig_send(e, t, 1, at, &wh), EMT_OK);
    rig_wait(e, t, 1);
    ck_assert_int_eq(rig_send(e, t, 2, at + EMT_MINUTE, &kwh), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 3, at + EMT_HOUR, &more), EMT_OK);
    rig_wait(e, t, 3);
    ck_assert_int_eq(
        rig_number("select count(*) from channel where tenant_id = %d and quantity = 1", tenant),
        1);
    ck_assert_int_eq(energies(tenant), 2);
    ck_assert_int_eq(energy_at(tenant, at), 2000);
    ck_assert_int_eq(energy_at(tenant, at + EMT_HOUR), 3000);
    ck_assert_int_eq(
        rig_number("select count(*) from reading_conflict where tenant_id = %d", tenant), 0);
    rig_engine_free(e);
}
END_TEST

START_TEST(two_gateways_hear_one_telegram_in_one_batch)
{
    int32_t tenant = rig_tenant("twohear");
    int64_t a = rig_gateway(tenant, "a", 1), b = rig_gateway(tenant, "b", 2);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 200 });
    uint64_t ta = rig_open(e, tenant, a, 1, 1, 0), tb = rig_open(e, tenant, b, 2, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001", .energy_wh = 5 };

    /* The later reception comes first: the earlier one's time is the reading's. */
    ck_assert_int_eq(rig_send(e, tb, 1, at + 2 * EMT_SECOND, &tg), EMT_OK);
    ck_assert_int_eq(rig_send(e, ta, 1, at, &tg), EMT_OK);
    rig_wait(e, ta, 1);
    rig_wait(e, tb, 1);
    ck_assert_int_eq(energies(tenant), 1);
    ck_assert_int_eq(energy_at(tenant, at), 5);
    ck_assert_int_eq(frames(tenant, 0), 1);
    ck_assert_int_eq(frames(tenant, 5), 1);
    ck_assert_int_eq(
        rig_number("select gateway_id from raw_frame where tenant_id = %d and state = 5", tenant),
        b);
    rig_engine_free(e);
}
END_TEST

/* Two engines are two loops or two nodes; 300 s apart is another slot, and still the same telegram.
 */
START_TEST(two_engines_count_one_telegram_once_over_a_slot_border)
{
    int32_t tenant = rig_tenant("twoengines");
    int64_t a = rig_gateway(tenant, "a", 1), b = rig_gateway(tenant, "b", 2);
    struct rig_engine *e1 = rig_engine_new(NULL), *e2 = rig_engine_new(NULL);
    uint64_t ta = rig_open(e1, tenant, a, 1, 1, 0), tb = rig_open(e2, tenant, b, 2, 1, 0);
    emt_time border = rig_noon(2); /* noon is a multiple of 300 s */
    struct rig_telegram one = { .number = "10000001", .energy_wh = 5 };
    struct rig_telegram two = { .number = "10000001", .energy_wh = 6, .access = 1 };
    struct rig_telegram three = { .number = "10000001", .energy_wh = 7, .access = 2 };

    ck_assert_int_eq(rig_send(e1, ta, 1, border - EMT_SECOND, &one), EMT_OK);
    rig_wait(e1, ta, 1);
    ck_assert_int_eq(rig_send(e2, tb, 1, border + EMT_SECOND, &one), EMT_OK);
    rig_wait(e2, tb, 1);
    ck_assert_int_eq(energies(tenant), 1);
    /* The other way round: the later slot is committed first. */
    ck_assert_int_eq(rig_send(e2, tb, 2, border + 10 * EMT_SECOND, &two), EMT_OK);
    rig_wait(e2, tb, 2);
    ck_assert_int_eq(rig_send(e1, ta, 2, border - 10 * EMT_SECOND, &two), EMT_OK);
    rig_wait(e1, ta, 2);
    ck_assert_int_eq(energies(tenant), 2);
    ck_assert_int_eq(frames(tenant, 5), 2);
    /* More than five minutes later the same bytes are another telegram. */
    ck_assert_int_eq(rig_send(e1, ta, 3, border, &three), EMT_OK);
    rig_wait(e1, ta, 3);
    ck_assert_int_eq(rig_send(e2, tb, 3, border + 301 * EMT_SECOND, &three), EMT_OK);
    rig_wait(e2, tb, 3);
    ck_assert_int_eq(frames(tenant, 5), 2);
    ck_assert_int_eq(energies(tenant), 4);
    rig_engine_free(e1);
    rig_engine_free(e2);
}
END_TEST

/* Both loops at the same moment, many times: the device's lock decides. */
START_TEST(two_engines_at_once_count_each_telegram_once)
{
    int32_t tenant = rig_tenant("race");
    int64_t a = rig_gateway(tenant, "a", 1), b = rig_gateway(tenant, "b", 2);
    struct rig_engine *e1 = rig_engine_new(&(struct rig_options){ .batch_ms = 1 });
    struct rig_engine *e2 = rig_engine_new(&(struct rig_options){ .batch_ms = 1 });
    uint64_t ta = rig_open(e1, tenant, a, 1, 1, 0), tb = rig_open(e2, tenant, b, 2, 1, 0);
    emt_time at = rig_noon(3);

    for (unsigned i = 1; i <= 200; i++) {
        char number[9];
        struct rig_telegram tg = { .number = number, .energy_wh = i, .access = (uint8_t)i };

        snprintf(number, sizeof number, "2000%04u", i % 10);
        ck_assert_int_eq(rig_send(e1, ta, i, at + i * EMT_MINUTE, &tg), EMT_OK);
        ck_assert_int_eq(rig_send(e2, tb, i, at + i * EMT_MINUTE + EMT_SECOND, &tg), EMT_OK);
    }
    rig_wait(e1, ta, 200);
    rig_wait(e2, tb, 200);
    ck_assert_int_eq(frames(tenant, 0), 200);
    ck_assert_int_eq(frames(tenant, 5), 200);
    ck_assert_int_eq(energies(tenant), 200);
    ck_assert_int_eq(rig_number("select count(*) from device where tenant_id = %d", tenant), 10);
    rig_engine_free(e1);
    rig_engine_free(e2);
}
END_TEST

START_TEST(a_contradiction_is_kept_and_shown)
{
    int32_t tenant = rig_tenant("conflict");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 100 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram a = { .number = "10000001", .energy_wh = 5, .at = at };
    struct rig_telegram b = { .number = "10000001", .energy_wh = 6, .at = at, .access = 1 };
    struct rig_telegram c = { .number = "10000001", .energy_wh = 7, .at = at, .access = 2 };

    ck_assert_int_eq(rig_send(e, t, 1, at, &a), EMT_OK);
    rig_wait(e, t, 1);
    /* Against what is stored, and two values against each other in one batch. */
    ck_assert_int_eq(rig_send(e, t, 2, at + EMT_MINUTE, &b), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 3, at + 2 * EMT_MINUTE, &c), EMT_OK);
    rig_wait(e, t, 3);
    ck_assert_int_eq(energy_at(tenant, at), 5);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading_conflict where tenant_id = %d and kept_mantissa = 5 and mantissa in (6, 7)",
            tenant),
        2);
    rig_engine_free(e);
}
END_TEST

/* This loop takes what is younger than all that it stored itself for new; it may be wrong. */
START_TEST(values_that_somebody_else_brought_meanwhile_are_seen)
{
    int32_t tenant = rig_tenant("meanwhile");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 100 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001", .energy_wh = 5, .at = at };

    ck_assert_int_eq(rig_send(e, t, 1, at, &tg), EMT_OK);
    rig_wait(e, t, 1);
    /* Equal, another one, and a substitute. */
    for (int i = 1; i <= 3; i++)
        rig_sql("insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
                " select tenant_id, channel_id, ts + %d * interval '1 minute', %d, exponent, %d"
                " from reading where tenant_id = %d and mantissa = 5",
                i, 10 * i, i == 3 ? 1 : 256, tenant);
    for (int i = 1; i <= 4; i++) {
        tg.access = (uint8_t)i;
        tg.at = at + i * EMT_MINUTE;
        tg.energy_wh = i == 1 ? 10 : 100 + i;
        ck_assert_int_eq(rig_send(e, t, (uint64_t)i + 1, tg.at, &tg), EMT_OK);
    }
    rig_wait(e, t, 5);
    ck_assert_int_eq(energies(tenant), 5);
    ck_assert_int_eq(energy_at(tenant, at + EMT_MINUTE), 10);
    ck_assert_int_eq(energy_at(tenant, at + 2 * EMT_MINUTE), 20);
    ck_assert_int_eq(energy_at(tenant, at + 3 * EMT_MINUTE), 103);
    ck_assert_int_eq(energy_at(tenant, at + 4 * EMT_MINUTE), 104);
    ck_assert_int_eq(frames(tenant, 0), 5);
    ck_assert_int_eq(
        rig_number("select count(*) from reading_conflict where tenant_id = %d", tenant), 1);
    ck_assert_int_eq(rig_number("select count(*) from reading_conflict where tenant_id = %d"
                                " and kept_mantissa = 20 and mantissa = 102",
                                tenant),
                     1);
    rig_engine_free(e);
}
END_TEST

START_TEST(the_higher_rank_stays)
{
    int32_t tenant = rig_tenant("rank");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram a = { .number = "10000001", .energy_wh = 5, .at = at };
    struct rig_telegram b = { .number = "10000001", .energy_wh = 6, .at = at, .access = 1 };

    ck_assert_int_eq(rig_send(e, t, 1, at, &a), EMT_OK);
    rig_wait(e, t, 1);
    /* A person corrects it; the meter's next word does not count, and is no conflict. */
    rig_sql("update reading set mantissa = 9, quality = 5 where tenant_id = %d", tenant);
    ck_assert_int_eq(rig_send(e, t, 2, at + EMT_MINUTE, &b), EMT_OK);
    rig_wait(e, t, 2);
    ck_assert_int_eq(energy_at(tenant, at), 9);
    ck_assert_int_eq(
        rig_number("select count(*) from reading_conflict where tenant_id = %d", tenant), 0);
    /* A substitute stands in for the measured value until it comes. */
    rig_sql("update reading set mantissa = 1, quality = 1 where tenant_id = %d", tenant);
    b.access = 2;
    ck_assert_int_eq(rig_send(e, t, 3, at + 2 * EMT_MINUTE,
                              &(struct rig_telegram){
                                  .number = "10000001", .energy_wh = 8, .at = at, .access = 3 }),
                     EMT_OK);
    rig_wait(e, t, 3);
    ck_assert_int_eq(energy_at(tenant, at), 8);
    rig_engine_free(e);
}
END_TEST

START_TEST(times_choose_the_table)
{
    int32_t tenant = rig_tenant("late");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time now = rig_noon(1);
    struct rig_telegram late = { .number = "10000001", .energy_wh = 1, .at = rig_noon(400) };
    struct rig_telegram ahead = {
        .number = "10000001", .energy_wh = 2, .at = rig_noon(-4), .access = 1
    };
    struct rig_telegram ancient = {
        .number = "10000001", .energy_wh = 3, .at = rig_noon(3700), .access = 2
    };
    struct rig_telegram again = {
        .number = "10000001", .energy_wh = 4, .at = rig_noon(400), .access = 3
    };

    ck_assert_int_eq(rig_send(e, t, 1, now, &late), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 2, now, &ahead), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 3, now, &ancient), EMT_OK);
    rig_wait(e, t, 3);
    ck_assert_int_eq(frames(tenant, 0), 3);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant), 0);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading_late r join channel c using (tenant_id, channel_id) where r.tenant_id = %d and mantissa = 1 and c.quantity = 1",
            tenant),
        1);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading_late r join channel c using (tenant_id, channel_id) where r.tenant_id = %d and c.quantity = 1",
            tenant),
        1);
    ck_assert_int_eq(
        rig_number("select count(*) from event where tenant_id = %d and kind = 'clock-ahead'",
                   tenant),
        1);
    ck_assert_int_eq(rig_send(e, t, 4, now, &again), EMT_OK);
    rig_wait(e, t, 4);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading_conflict where tenant_id = %d and kept_mantissa = 1 and mantissa = 4",
            tenant),
        1);
    rig_engine_free(e);
}
END_TEST

START_TEST(frames_beyond_the_rules_are_rejected_and_listed)
{
    int32_t tenant = rig_tenant("rejected");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    static uint8_t big[17000];
    struct ingest_frame bad[] = {
        { 1, at, 99, 0, big, 20, 0 },
        { 2, at, 0, 0, big, 20, 0 },
        { 3, at, PROTOCOL_WMBUS, 1000, big, 20, 0 },
        { 4, at, PROTOCOL_WMBUS, 1, big, sizeof big, 0 },
        { 5, at, PROTOCOL_WMBUS, 1, big, 0, 0 },
        { 6, INT64_MAX, PROTOCOL_WMBUS, 1, big, 20, 0 },
        { 7, -1, PROTOCOL_WMBUS, 1, big, 20, INT32_MAX },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(rig_push(e, t, &bad[i]), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 8, at, &(struct rig_telegram){ .number = "10000001" }), EMT_OK);
    rig_wait(e, t, 8);
    ck_assert_uint_eq(rig_rejected(e, t), 7);
    ck_assert_int_eq(rig_number("select count(*) from frame_rejected where tenant_id = %d", tenant),
                     7);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from frame_rejected where tenant_id = %d and seq = 4 and reason = 'frame-too-long'",
            tenant),
        1);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", tenant), 1);
    ck_assert_uint_gt(rig_bytes_done(e, t), sizeof big);
    /* Nothing that a database could not number. */
    bad[0].seq = UINT64_MAX;
    ck_assert_int_eq(rig_push(e, t, &bad[0]), EMT_EMALFORMED);
    rig_engine_free(e);
}
END_TEST

START_TEST(garbage_is_stored_and_acknowledged)
{
    int32_t tenant = rig_tenant("garbage");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    uint8_t junk[64];
    uint64_t seq = 0;

    for (uint32_t p = 1; p < PROTOCOLS; p++) {
        for (unsigned k = 0; k < 4; k++) {
            for (size_t i = 0; i < sizeof junk; i++)
                junk[i] = (uint8_t)(i * 37 + k * 91 + p);
            struct ingest_frame f = { ++seq, rig_noon(2), p, 0, junk, sizeof junk - k, 0 };
            ck_assert_int_eq(rig_push(e, t, &f), EMT_OK);
        }
    }
    rig_wait(e, t, seq);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", tenant),
                     (int64_t)seq);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from raw_frame where tenant_id = %d and state = 9 and device_id is null and reason <> ''",
            tenant) > 0,
        1);
    rig_engine_free(e);
}
END_TEST

START_TEST(gaps_are_kept_and_passed_over)
{
    int32_t tenant = rig_tenant("gaps");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001" };

    ck_assert_int_eq(rig_gap(e, t, 1, 4, "damaged \x01\xff"), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 5, at, &tg), EMT_OK);
    ck_assert_int_eq(rig_send(e, t, 5, at, &tg), EMT_OK); /* sent again: passed over */
    ck_assert_int_eq(rig_gap(e, t, 2, 3, "old"), EMT_OK); /* behind us */
    ck_assert_int_eq(rig_gap(e, t, 9, 8, "backwards"), EMT_EMALFORMED);
    tg.access = 1;
    ck_assert_int_eq(rig_send(e, t, 8, at, &tg), EMT_OK); /* 6 and 7 were never sent */
    rig_wait(e, t, 8);
    ck_assert_int_eq(rig_number("select count(*) from gateway_gap where tenant_id = %d", tenant),
                     2);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from gateway_gap where tenant_id = %d and from_seq = 6 and to_seq = 7 and reason = 'not sent'",
            tenant),
        1);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", tenant), 2);
    ck_assert_int_eq(rig_number("select frames from gateway_cursor where tenant_id = %d", tenant),
                     2);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_key_that_is_added_is_used_within_a_second)
{
    int32_t tenant = rig_tenant("keys");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001", .energy_wh = 5, .at = at, .key = key };
    uint8_t other[16] = { 9 };
    uint64_t seq = 1;

    ck_assert_int_eq(rig_send(e, t, seq, at, &tg), EMT_OK);
    rig_wait(e, t, seq);
    ck_assert_int_eq(frames(tenant, 1), 1);
    ck_assert_int_eq(energies(tenant), 0);
    /* Wildcards of the kind of device, the wrong one for all of its number first. */
    rig_key(tenant, NULL, "10000001", -1, -1, other);
    rig_key(tenant, "EMT", NULL, -1, 2, key);
    rig_key(tenant, "XYZ", NULL, -1, -1, other);
    for (int i = 0; i < 40 && energies(tenant) == 0; i++) {
        struct timespec nap = { 0, 100000000 };

        nanosleep(&nap, NULL);
        tg.access++;
        tg.at += EMT_MINUTE;
        ck_assert_int_eq(rig_send(e, t, ++seq, tg.at, &tg), EMT_OK);
        rig_wait(e, t, seq);
    }
    ck_assert_int_gt(energies(tenant), 0);
    ck_assert_int_lt((int64_t)seq, 30);
    rig_engine_free(e);
}
END_TEST

START_TEST(policy_decides_about_unknown_meters)
{
    int32_t allow = rig_tenant("allowlist"), ignore = rig_tenant("ignoring");
    int64_t ga = rig_gateway(allow, "gw", 1), gi = rig_gateway(ignore, "gw", 2);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t ta = rig_open(e, allow, ga, 1, 1, 0), ti = rig_open(e, ignore, gi, 2, 1, 0);
    emt_time at = rig_noon(2);
    struct rig_telegram tg = { .number = "10000001", .energy_wh = 5, .at = at };
    struct rig_telegram mine = { .number = "10000002", .energy_wh = 6, .at = at };

    rig_sql("update tenant set device_policy = 1 where id = %d", allow);
    rig_sql("update tenant set device_policy = 2 where id = %d", ignore);
    rig_sql("insert into device (tenant_id, ident, manufacturer, number, version, type)"
            " values (%d, 'EMT-10000002-01-02', 'EMT', '10000002', 1, 2)",
            ignore);
    ck_assert_int_eq(rig_send(e, ta, 1, at, &tg), EMT_OK);
    ck_assert_int_eq(rig_send(e, ti, 1, at, &tg), EMT_OK);
    ck_assert_int_eq(rig_send(e, ti, 2, at, &mine), EMT_OK);
    rig_wait(e, ta, 1);
    rig_wait(e, ti, 2);
    /* Heard: kept, not read. */
    ck_assert_int_eq(rig_number("select assignment from device where tenant_id = %d", allow), 0);
    ck_assert_int_eq(frames(allow, 6), 1);
    ck_assert_int_eq(energies(allow), 0);
    /* Ignored: acknowledged, not kept; what the tenant knows is counted. */
    ck_assert_int_eq(rig_number("select count(*) from device where tenant_id = %d", ignore), 1);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", ignore), 1);
    ck_assert_int_eq(energies(ignore), 1);
    rig_engine_free(e);
}
END_TEST

START_TEST(tenants_do_not_mix)
{
    enum { N = 20 };
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 300 });
    int32_t tenants[N];
    uint64_t tickets[N];
    emt_time at = rig_noon(2);

    for (int i = 0; i < N; i++) {
        char name[32];

        snprintf(name, sizeof name, "mix-%d", i);
        tenants[i] = rig_tenant(name);
        tickets[i] = rig_open(e, tenants[i], rig_gateway(tenants[i], "gw", 1), 1, 1, 0);
    }
    /* The same meter number everywhere, each with its own value. */
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(rig_send(e, tickets[i], 1, at,
                                  &(struct rig_telegram){
                                      .number = "10000001", .energy_wh = 100 + i, .at = at }),
                         EMT_OK);
    for (int i = 0; i < N; i++) {
        rig_wait(e, tickets[i], 1);
        ck_assert_int_eq(energy_at(tenants[i], at), 100 + i);
        ck_assert_int_eq(
            rig_number("select count(*) from raw_frame where tenant_id = %d", tenants[i]), 1);
    }
    rig_engine_free(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ingest");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_telegram_becomes_device_channel_reading_and_frame);
    tcase_add_test(t, a_text_that_changes_back_within_a_batch_is_news);
    tcase_add_test(t, a_text_that_changed_elsewhere_meanwhile_is_news);
    tcase_add_test(t, without_meter_time_the_reception_is_the_time);
    tcase_add_test(t, a_change_of_unit_stays_one_channel);
    tcase_add_test(t, two_gateways_hear_one_telegram_in_one_batch);
    tcase_add_test(t, two_engines_count_one_telegram_once_over_a_slot_border);
    tcase_add_test(t, two_engines_at_once_count_each_telegram_once);
    tcase_add_test(t, a_contradiction_is_kept_and_shown);
    tcase_add_test(t, values_that_somebody_else_brought_meanwhile_are_seen);
    tcase_add_test(t, the_higher_rank_stays);
    tcase_add_test(t, times_choose_the_table);
    tcase_add_test(t, frames_beyond_the_rules_are_rejected_and_listed);
    tcase_add_test(t, garbage_is_stored_and_acknowledged);
    tcase_add_test(t, gaps_are_kept_and_passed_over);
    tcase_add_test(t, a_key_that_is_added_is_used_within_a_second);
    tcase_add_test(t, policy_decides_about_unknown_meters);
    tcase_add_test(t, tenants_do_not_mix);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
