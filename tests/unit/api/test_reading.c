/* Values, conflicts, frames, events: pages that neither lose nor repeat, digits as they came. */
#include "api_fixture.h"
#include "base/reader.h"
#include "model/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READINGS "/api/v1/tenants/%s/channels/%" PRId64 "/readings"

START_TEST(values_are_paged_exactly)
{
    struct test_tenant t;
    char cursor[40] = "";
    int seen = 0;
    int pages = 0;

    tenant_new(&t, "values");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    /* Uneven times of microseconds, every digit of the mantissa in use. */
    sql("insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
        " select %" PRId64 ", date_trunc('hour', now()) - interval '20 hours'"
        "  + i * interval '61 seconds 1 microsecond', i - 500, %d, -3, 256"
        " from generate_series(0, 999) i",
        c, t.id);
    do {
        ask(200, t.key, "GET", NULL, READINGS "?limit=77%s%s", t.name, c, *cursor ? "&cursor=" : "",
            cursor);
        ck_assert_str_eq(text_at("unit"), "Wh");
        for (size_t i = 0; i < items(); i++, seen++) {
            char path[40];
            char value[40];
            int milli = seen - 500;

            snprintf(path, sizeof path, "items.%zu.value", i);
            snprintf(value, sizeof value, "%s%d.%03d", milli < 0 ? "-" : "", abs(milli) / 1000,
                     abs(milli) % 1000);
            ck_assert_str_eq(text_at(path), value);
        }
        pages++;
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 1000);
    ck_assert_int_eq(pages, 13);
    ask(200, t.key, "GET", NULL, READINGS "?limit=10000", t.name, c);
    ck_assert_uint_eq(items(), 1000);
    ck_assert_ptr_null(value_at("next"));
    /* A cursor behind the end is an empty page. */
    ask(200, t.key, "GET", NULL, READINGS "?cursor=9000000000000000000", t.name, c);
    ck_assert_uint_eq(items(), 0);
}
END_TEST

START_TEST(a_period_has_its_start_and_not_its_end)
{
    static const char *const bad[] = { "from=yesterday",
                                       "to=2026",
                                       "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
                                       "from=2026-11-02T00:00:00Z&to=2026-11-02T00:00:00Z",
                                       "from=2026-11-02T00:00:00",
                                       "limit=50001",
                                       "cursor=a",
                                       "from=" };
    struct test_tenant t;

    tenant_new(&t, "period");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "m3");
    sql("insert into reading_late (channel_id, ts, mantissa, received_at, tenant_id, exponent,"
        " quality) select %" PRId64 ", '2020-01-01T00:00:00Z'::timestamptz + i * interval '1 hour',"
        " 1230 + i, now(), %d, -2, 256 | i from generate_series(0, 5) i",
        c, t.id);
    ask(200, t.key, "GET", NULL,
        READINGS "?from=2020-01-01T01:00:00Z&to=2020-01-01T04:00:00%%2B00:00", t.name, c);
    ck_assert_uint_eq(items(), 3);
    ck_assert_str_eq(text_at("items.0.ts"), "2020-01-01T01:00:00Z");
    ck_assert_str_eq(text_at("items.0.value"), "12.31");
    ck_assert_str_eq(text_at("items.0.quality"), "substitute");
    ck_assert_str_eq(text_at("items.0.time_source"), "meter");
    ck_assert_str_eq(text_at("items.2.quality"), "provisional");
    ask(200, t.key, "GET", NULL, READINGS "?from=2020-01-01", t.name, c);
    ck_assert_uint_eq(items(), 6);
    ck_assert_str_eq(text_at("items.0.value"), "12.30"); /* digits as sent */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "GET", NULL, READINGS "?%s", t.name, c, bad[i]);
    ask(404, t.key, "GET", NULL, READINGS, t.name, c + 1000000);
}
END_TEST

START_TEST(a_damaged_block_is_no_missing_channel)
{
    struct test_tenant t;

    tenant_new(&t, "damaged");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("select block_partition_ensure('2025-03-01T00:00:00Z')");
    sql("insert into reading_block (tenant_id, channel_id, span_start, n, span, data) values"
        " (%d, %" PRId64 ", '2025-03-01T00:00:00Z', 96, 0, '\\xffffffffffff')",
        t.id, c);
    ask(503, t.key, "GET", NULL, READINGS "?from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z",
        t.name, c);
    check_problem("damaged", NULL);
    ask(200, t.key, "GET", NULL, READINGS "?from=2025-03-03T00:00:00Z&to=2025-03-04T00:00:00Z",
        t.name, c);
}
END_TEST

START_TEST(the_higher_rank_of_two_values_is_shown)
{
    struct test_tenant t;

    tenant_new(&t, "rank");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) values"
        " (%" PRId64 ", date_trunc('hour', now()), 9223372036854775807, %d, 0, 256)",
        c, t.id);
    sql("insert into reading_late (channel_id, ts, mantissa, received_at, tenant_id, exponent,"
        " quality) values (%" PRId64 ", date_trunc('hour', now()), 7, now(), %d, 0, 1)",
        c, t.id);
    ask(200, t.key, "GET", NULL, READINGS, t.name, c);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(text_at("items.0.value"), "9223372036854775807");
    sql("update reading_late set quality = 5 where tenant_id = %d", t.id);
    ask(200, t.key, "GET", NULL, READINGS, t.name, c);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(text_at("items.0.value"), "7");
    ck_assert_str_eq(text_at("items.0.quality"), "corrected");
}
END_TEST

START_TEST(texts_are_values_too)
{
    struct test_tenant t;

    tenant_new(&t, "texts");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 1, NULL);
    sql("insert into reading_text (tenant_id, channel_id, ts, quality, text)"
        " select %d, %" PRId64 ", date_trunc('hour', now()) - i * interval '1 hour', 0,"
        " 'Z\xc3\xa4hler \"' || i from generate_series(1, 5) i",
        t.id, c);
    ask(200, t.key, "GET", NULL, READINGS "?limit=3", t.name, c);
    ck_assert_uint_eq(items(), 3);
    ck_assert_str_eq(text_at("items.0.value"), "Z\xc3\xa4hler \"5");
    ck_assert(json_is_null(value_at("unit")));
    ask(200, t.key, "GET", NULL, READINGS "?limit=3&cursor=%s", t.name, c, text_at("next"));
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(text_at("items.1.value"), "Z\xc3\xa4hler \"1");
    ck_assert_ptr_null(value_at("next"));
}
END_TEST

/* A request with Accept; the body as text. */
static const char *fetch(const struct test_tenant *t, const char *accept, int64_t channel,
                         const char *query)
{
    char headers[300], path[300], target[400];
    size_t n;

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nAccept: %s\r\n", t->key, accept);
    if (channel)
        snprintf(path, sizeof path, "/api/v1/tenants/%s/channels/%" PRId64 "/readings", t->name,
                 channel);
    else
        snprintf(path, sizeof path, "/api/v1/tenants/%s/readings", t->name);
    snprintf(target, sizeof target, "%s?%s", path, query);
    ask_with(200, headers, "GET", NULL, 0, target);
    return last_body(&n);
}

/* Four local days over the end of summer time, every quarter of an hour: 3 Wh each. */
static int64_t quarter_hours(const struct test_tenant *t, const char *ident)
{
    int64_t c = channel_new(t, ident, 0, "Wh");

    sql("update channel set quantity = 1 where channel_id = %" PRId64, c);
    sql("insert into reading_late (channel_id, ts, mantissa, received_at, tenant_id, exponent,"
        " quality) select %" PRId64 ", '2020-10-23T22:00:00Z'::timestamptz + i * interval '15 min',"
        " 1000 + 3 * i, now(), %d, -1, 256 from generate_series(0, 96 * 4 + 4) i",
        c, t->id);
    return c;
}

START_TEST(days_are_added_up_as_germany_counts_them)
{
    struct test_tenant t;

    tenant_new(&t, "sums");
    int64_t c = quarter_hours(&t, "EMT-12345678-01-02");
    ask(200, t.key, "GET", NULL,
        READINGS "?from=2020-10-23T22:00:00Z&to=2020-10-27T23:00:00Z&aggregate=day", t.name, c);
    ck_assert_uint_eq(items(), 4);
    ck_assert_str_eq(text_at("aggregate"), "day");
    ck_assert_int_eq(int_at("items.0.count"), 96);
    ck_assert_int_eq(int_at("items.1.count"), 100); /* 25 hours */
    ck_assert_str_eq(text_at("items.1.ts"), "2020-10-24T22:00:00Z");
    ck_assert_str_eq(text_at("items.1.first"), "128.8");
    ck_assert_str_eq(text_at("items.1.last"), "158.5");
    ck_assert_str_eq(text_at("items.1.delta"), "30.0");
    ck_assert_str_eq(text_at("items.3.delta"), "28.8"); /* with the value behind the end */
    ask(200, t.key, "GET", NULL,
        READINGS "?from=2020-10-23T22:00:00Z&to=2020-10-27T23:00:00Z&aggregate=hour&limit=60",
        t.name, c);
    ck_assert_uint_eq(items(), 60);
    ck_assert_str_eq(text_at("items.59.delta"), "1.2");
    ask(200, t.key, "GET", NULL,
        READINGS "?from=2020-10-23T22:00:00Z&to=2020-10-27T23:00:00Z&aggregate=hour&limit=60"
                 "&cursor=%s",
        t.name, c, text_at("next"));
    ck_assert_uint_eq(items(), 37);
    ck_assert_ptr_null(value_at("next"));
    ask(200, t.key, "GET", NULL, READINGS "?from=2020-10-01&to=2020-11-01&aggregate=month", t.name,
        c);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(text_at("items.0.ts"), "2020-09-30T22:00:00Z");
    ck_assert_str_eq(text_at("items.0.min"), "100.0");
    /* Invalid ones do not count; a power has no difference; texts have no sums. */
    sql("update reading_late set quality = 260 where tenant_id = %d and mantissa > 1300", t.id);
    sql("update channel set quantity = 6 where channel_id = %" PRId64, c);
    ask(200, t.key, "GET", NULL, READINGS "?from=2020-10-01&to=2020-11-01&aggregate=month", t.name,
        c);
    ck_assert_int_eq(int_at("items.0.count"), 101);
    ck_assert(json_is_null(value_at("items.0.delta")));
    ask(400, t.key, "GET", NULL, READINGS "?aggregate=week", t.name, c);
    ask(200, t.key, "GET", NULL, READINGS "?from=2010-01-01&to=2010-01-02&aggregate=day", t.name,
        c);
    ck_assert_uint_eq(items(), 0);
}
END_TEST

START_TEST(the_same_rows_come_as_csv_and_as_blocks)
{
    struct test_tenant t;
    struct block_value v[200];
    size_t n, len;

    tenant_new(&t, "csv");
    int64_t c = quarter_hours(&t, "EMT-12345678-01-02");
    const char *text = fetch(&t, "text/csv", c, "from=2020-10-24&to=2020-10-25&limit=2");
    ck_assert_str_eq(text, "ts,value,quality,time_source\r\n"
                           "2020-10-24T00:00:00Z,102.4,measured,meter\r\n"
                           "2020-10-24T00:15:00Z,102.7,measured,meter\r\n");
    ck_assert_str_eq(last_header("X-Next-Cursor"), "1603498500000001");
    text = fetch(&t, "text/csv", c,
                 "from=2020-10-25T00:00:00Z&to=2020-10-25T01:00:00Z&aggregate=hour");
    ck_assert_str_eq(text, "ts,first,last,min,max,count,delta\r\n"
                           "2020-10-25T00:00:00Z,131.2,132.1,131.2,132.1,4,1.2\r\n");
    ck_assert_ptr_null(last_header("X-Next-Cursor"));
    text = fetch(&t, "application/octet-stream", c, "from=2020-10-24&to=2020-10-25");
    text = last_body(&len);
    ck_assert_uint_gt(len, 12);
    struct reader r = reader_of(text, len);
    ck_assert_int_eq((int64_t)reader_le(&r, 8), c);
    ck_assert_uint_eq(reader_le(&r, 4), len - 12);
    ck_assert_int_eq(block_decode(reader_bytes(&r, len - 12), len - 12, v, 200, &n), EMT_OK);
    ck_assert_uint_eq(n, 96);
    ck_assert_int_eq(v[95].mantissa, 1024 + 95 * 3);
}
END_TEST

START_TEST(all_channels_of_a_day_come_in_pages_of_channels)
{
    struct test_tenant t;
    char query[200], first[400];
    int64_t channels[5];
    size_t lines = 0, pages = 0;

    tenant_new(&t, "bulk");
    for (int i = 0; i < 5; i++) {
        char ident[40];

        snprintf(ident, sizeof ident, "EMT-1234567%d-01-02", i);
        channels[i] = i == 3 ? channel_new(&t, ident, 0, "W") : quarter_hours(&t, ident);
    }
    snprintf(query, sizeof query, "from=2020-10-24&to=2020-10-25&limit=2");
    for (;;) {
        const char *text = fetch(&t, "text/csv", 0, query);

        ck_assert(strncmp(text, "channel,ts,value,quality,time_source\r\n", 38) == 0);
        if (pages++ == 0) {
            snprintf(first, sizeof first, "%" PRId64 ",2020-10-24T00:00:00Z,102.4,measured,meter",
                     channels[0]);
            ck_assert(strncmp(text + 38, first, strlen(first)) == 0);
        }
        for (text += 38; *text; text++)
            lines += *text == '\n';
        if (last_header("X-Next-Cursor") == NULL)
            break;
        snprintf(query, sizeof query, "from=2020-10-24&to=2020-10-25&limit=2&cursor=%s",
                 last_header("X-Next-Cursor"));
    }
    ck_assert_uint_eq(lines, 4 * 96);
    ck_assert_uint_ge(pages, 3);
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/%s/readings?from=2020-10-24&to=2020-10-26",
        t.name);
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/%s/readings?limit=1001", t.name);
}
END_TEST

START_TEST(conflicts_are_paged_exactly)
{
    struct test_tenant t;
    char cursor[40] = "";
    int seen = 0;

    tenant_new(&t, "conflicts");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into reading_conflict (tenant_id, channel_id, ts, mantissa, exponent, quality,"
        " kept_mantissa, kept_exponent, kept_quality, seen_at)"
        " select %d, %" PRId64 ", now(), i, -1, 0, -i, 2, 0,"
        " '2026-01-01T00:00:00Z'::timestamptz + (i / 3) * interval '1 second'"
        " from generate_series(1, 20) i",
        t.id, c);
    sql("update reading_conflict set resolved_at = now() where tenant_id = %d and mantissa = 20",
        t.id);
    do {
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/conflicts/conflicts?limit=4&cursor=%s",
            cursor);
        for (size_t i = 0; i < items(); i++) {
            char path[40];
            char value[40];

            seen++;
            snprintf(path, sizeof path, "items.%zu.value", i);
            snprintf(value, sizeof value, "%d.%d", seen / 10, seen % 10);
            ck_assert_str_eq(text_at(path), value);
            snprintf(path, sizeof path, "items.%zu.kept", i);
            snprintf(value, sizeof value, "-%d00", seen);
            ck_assert_str_eq(text_at(path), value);
        }
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 19);
}
END_TEST

START_TEST(frames_of_one_instant_are_paged_exactly)
{
    static const char *const bad[] = { "state=none",
                                       "cursor=1",
                                       "cursor=1.2",
                                       "cursor=a",
                                       "cursor=1.2.3.4",
                                       "cursor=1.2.x",
                                       "cursor=.",
                                       "cursor=-1.2.3",
                                       "cursor=1.2.3%20",
                                       "limit=0",
                                       "cursor=9999999999999999999.1.1" };
    struct test_tenant t;
    char cursor[100] = "";
    int seen = 0;

    tenant_new(&t, "frames");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into gateway (tenant_id, external_id) values (%d, 'g1'), (%d, 'g2')", t.id, t.id);
    sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
        " stored_at, device_id, state, rssi_dbm, spool_id, data, reason)"
        " select g.tenant_id, 1, 1, g.gateway_id, i, now(), date_trunc('minute', now()),"
        " d.device_id, i %% 3, -70, decode(repeat('cd', 16), 'hex'), '\\x2c44'::bytea,"
        " case when i %% 3 = 0 then '' else 'no key' end"
        " from gateway g, device d, generate_series(1, 15) i"
        " where g.tenant_id = %d and d.tenant_id = g.tenant_id",
        t.id);
    sql("update raw_frame set device_id = null, rssi_dbm = null where tenant_id = %d and seq = 15",
        t.id);
    do {
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/frames/frames?limit=4&cursor=%s", cursor);
        seen += (int)items();
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 30);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/frames/frames?limit=1");
    ck_assert_int_eq(int_at("items.0.seq"), 15);
    ck_assert_str_eq(text_at("items.0.gateway"), "g2");
    ck_assert_str_eq(text_at("items.0.data"), "2c44");
    ck_assert_str_eq(text_at("items.0.protocol"), "wmbus");
    ck_assert(json_is_null(value_at("items.0.device")));
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/frames/frames?gateway=g1&state=key-needed&device=EMT-12345678-01-02");
    ck_assert_uint_eq(items(), 5);
    ck_assert_str_eq(text_at("items.0.reason"), "no key");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/frames/frames?gateway=none");
    ck_assert_uint_eq(items(), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "GET", NULL, "/api/v1/tenants/frames/frames?%s", bad[i]);
}
END_TEST

START_TEST(events_are_paged_from_the_newest)
{
    struct test_tenant t;
    char cursor[40] = "";
    int seen = 0;

    tenant_new(&t, "events");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into event (tenant_id, at, severity, kind, device_id, detail)"
        " select tenant_id, now(), i %% 3, 'clock-ahead', device_id, i::text"
        " from device, generate_series(1, 10) i where tenant_id = %d",
        t.id);
    do {
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/events/events?limit=3&cursor=%s", cursor);
        for (size_t i = 0; i < items(); i++, seen++) {
            char path[40];

            snprintf(path, sizeof path, "items.%zu.detail", i);
            ck_assert_int_eq(atol(text_at(path)), 10 - seen);
        }
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 10);
}
END_TEST

START_TEST(waiting_frames_are_decoded_again_on_order)
{
    static const char *const bad[] = {
        "{}",
        "{\"state\":\"ok\"}",
        "{\"state\":\"duplicate\"}",
        "{\"state\":\"none\"}",
        "{\"device\":\"EMT-12345678-01-02\",\"state\":\"key-needed\"}",
        "{\"state\":1}",
        "{\"state\":\"\\\"}\"}",
    };
    struct test_tenant t;

    tenant_new(&t, "replays");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "POST", bad[i], "/api/v1/tenants/replays/replays");
    ask(404, t.key, "POST", "{\"device\":\"EMT-1\"}", "/api/v1/tenants/replays/replays");
    unsigned before = api_woken();
    ask(202, t.key, "POST", "{\"device\":\"EMT-12345678-01-02\"}",
        "/api/v1/tenants/replays/replays");
    ask(202, t.key, "POST", "{\"state\":\"unsupported\"}", "/api/v1/tenants/replays/replays");
    ask(202, t.key, "POST", "{\"state\":\"unsupported\"}", "/api/v1/tenants/replays/replays");
    ck_assert_uint_eq(api_woken(), before + 3);
    ck_assert_int_eq(sql_number("select count(*) from job where tenant_id = %d and payload ="
                                " '{\"state\": \"unsupported\"}'",
                                t.id),
                     1);
    ck_assert_int_eq(sql_number("select count(*) from job where tenant_id = %d", t.id), 2);
}
END_TEST

TCase *reading_tests(void)
{
    TCase *c = tcase_create("reading");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, values_are_paged_exactly);
    tcase_add_test(c, a_period_has_its_start_and_not_its_end);
    tcase_add_test(c, a_damaged_block_is_no_missing_channel);
    tcase_add_test(c, the_higher_rank_of_two_values_is_shown);
    tcase_add_test(c, texts_are_values_too);
    tcase_add_test(c, days_are_added_up_as_germany_counts_them);
    tcase_add_test(c, the_same_rows_come_as_csv_and_as_blocks);
    tcase_add_test(c, all_channels_of_a_day_come_in_pages_of_channels);
    tcase_add_test(c, conflicts_are_paged_exactly);
    tcase_add_test(c, frames_of_one_instant_are_paged_exactly);
    tcase_add_test(c, events_are_paged_from_the_newest);
    tcase_add_test(c, waiting_frames_are_decoded_again_on_order);
    return c;
}
