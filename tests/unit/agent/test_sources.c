/* Where frames come from: replayed files and simulated meters; and the small parts of the agent. */
#include "agent/command_memory.h"
#include "agent/endpoint.h"
#include "agent/gateway_config.h"
#include "agent/https.h"
#include "agent/latency.h"
#include "agent/replay.h"
#include "agent/simulate.h"
#include "base/arena.h"
#include "base/cipher.h"
#include "base/file.h"
#include "model/local_day.h"
#include "model/protocol.h"
#include "parsers/decode.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- replay --- */

static uint8_t buf[SPOOL_FRAME_MAX];

static enum emt_err parse(const char *line, struct spool_frame *f)
{
    char copy[256];

    snprintf(copy, sizeof copy, "%s", line);
    return replay_parse_line(copy, buf, f, NULL);
}

START_TEST(a_line_is_a_telegram_with_options)
{
    struct spool_frame f;

    ck_assert_int_eq(parse("2E44\n", &f), EMT_OK);
    ck_assert_uint_eq(f.protocol, PROTOCOL_WMBUS);
    ck_assert_uint_eq(f.format, FRAME_FORMAT_AUTO);
    ck_assert_uint_eq(f.len, 2);
    ck_assert_int_eq(f.received_at, EMT_TIME_NONE);
    ck_assert_int_eq(parse("mbus 68AA  rssi=-93 time=2026-11-20T10:00:00Z # wired", &f), EMT_OK);
    ck_assert_uint_eq(f.protocol, PROTOCOL_MBUS);
    ck_assert_int_eq(f.rssi_dbm, -93);
    ck_assert_int_ne(f.received_at, EMT_TIME_NONE);
    ck_assert_int_eq(parse("wmbus 2e44 format=frame-a-crc", &f), EMT_OK);
    ck_assert_uint_eq(f.format, FRAME_FORMAT_A_CRC);
    ck_assert_int_eq(parse("   # nothing", &f), EMT_ENOTFOUND);
    ck_assert_int_eq(parse("\r\n", &f), EMT_ENOTFOUND);
}
END_TEST

START_TEST(lines_that_are_none_are_told)
{
    static const char *const bad[] = { "wmbus",         "2E4",           "xyz",
                                       "2E44 2E44",     "2E44 format=x", "2E44 rssi=loud",
                                       "2E44 colour=1", "2E44 time=x",   "2E44 rssi=" };
    struct spool_frame f;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(parse(bad[i], &f) == EMT_EMALFORMED, "%s", bad[i]);
}
END_TEST

START_TEST(a_file_is_read_to_its_end_and_errors_name_the_line)
{
    char path[] = "/tmp/emt-replay-XXXXXX";
    static const char text[] = "# head\n2E44\n\nmbus 10\nrubbish\n";
    int fd = mkstemp(path);
    struct replay *r = NULL;
    struct spool_frame f;
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(write(fd, text, sizeof text - 1), (ssize_t)(sizeof text - 1));
    close(fd);
    ck_assert_int_eq(replay_open(path, &r, NULL), EMT_OK);
    ck_assert_int_eq(replay_next(r, &f, &diag), EMT_OK);
    ck_assert_int_eq(replay_next(r, &f, &diag), EMT_OK);
    ck_assert_int_eq(replay_next(r, &f, &diag), EMT_EMALFORMED);
    ck_assert_uint_eq(diag.line, 5);
    ck_assert_int_eq(replay_next(r, &f, &diag), EMT_ENOTFOUND);
    replay_close(r);
    unlink(path);
    ck_assert_int_eq(replay_open(path, &r, &diag), EMT_EIO);
}
END_TEST

/* --- simulated meters --- */

struct key_of {
    const struct sim_meter *meter;
};

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct key_of *k = ctx;

    ck_assert(device_id_equal(device, &k->meter->device));
    if (!k->meter->encrypted)
        return 0;
    memcpy(keys[0].bytes, k->meter->key, 16);
    keys[0].len = 16;
    return 1;
}

static void decode(const struct sim_meter *m, const struct writer *w, struct cipher *c,
                   struct arena *a, struct decode_result *out)
{
    struct key_of key = { m };
    struct decode_request req = { .protocol = PROTOCOL_WMBUS,
                                  .format = FRAME_FORMAT_NO_LINK_CRC,
                                  .frame = w->data,
                                  .len = w->len,
                                  .keys = { find_key, &key },
                                  .cipher = c,
                                  .arena = a };

    ck_assert_int_eq(decode_frame(&req, out), EMT_OK);
}

START_TEST(telegrams_decode_to_the_register)
{
    struct cipher *c = cipher_new();
    struct arena *a = arena_new(0);
    bool seen[SIM_KINDS] = { false };
    emt_time from = SIM_EPOCH + 700 * EMT_DAY;

    for (uint32_t i = 0; i < 200; i++) {
        struct sim_meter m;
        struct decode_result r;
        uint8_t bytes[256];
        struct writer w;
        ck_assert_int_eq(sim_meter_init(&m, 42, i, 900), EMT_OK);
        seen[m.kind] = true;
        uint64_t k = sim_meter_first(&m, from);
        writer_init_fixed(&w, bytes, sizeof bytes);
        ck_assert_int_eq(sim_meter_telegram(&m, k, c, &w), EMT_OK);
        decode(&m, &w, c, a, &r);
        ck_assert_msg(r.state == FRAME_OK, "meter %u: %s", i, frame_state_name(r.state));
        ck_assert(device_id_equal(&r.device, &m.device));
        ck_assert_int_eq(r.encrypted, m.encrypted);
        ck_assert_uint_ge(r.nreadings, 2);
        /* the first reading after the meter's clock is its main register at that full minute */
        emt_time t = sim_meter_time(&m, k);
        int64_t expect = sim_meter_register(&m, t - t % EMT_MINUTE);
        if (m.kind == SIM_ELECTRICITY || m.kind == SIM_WATER) {
            struct decimal want = decimal_of(expect, m.kind == SIM_WATER ? -3 : 0);
            bool found = false;
            for (unsigned n = 0; n < r.nreadings; n++)
                found = found || (decimal_compare(r.readings[n].value, want) == 0 &&
                                  r.readings[n].time == t - t % EMT_MINUTE);
            ck_assert_msg(found, "meter %u", i);
        }
        arena_reset(a);
    }
    for (int k = 0; k < SIM_KINDS; k++)
        ck_assert(seen[k]);
    arena_free(a);
    cipher_free(c);
}
END_TEST

/* What a kind of meter sends: its device type (EN 13757-7) and how often each quantity comes. */
struct kind_case {
    enum sim_kind kind;
    uint8_t type;
    enum quantity main;
    unsigned months; /* values of past months in one telegram */
};

static const struct kind_case kind_cases[] = {
    { SIM_ELECTRICITY, 0x02, QUANTITY_ENERGY, 0 }, { SIM_WATER, 0x07, QUANTITY_VOLUME, 0 },
    { SIM_WARM_WATER, 0x06, QUANTITY_VOLUME, 0 },  { SIM_HEAT, 0x04, QUANTITY_ENERGY, 6 },
    { SIM_GAS, 0x03, QUANTITY_VOLUME, 0 },         { SIM_COST_ALLOCATOR, 0x08, QUANTITY_HCA, 13 },
};

static const struct reading *stored(const struct decode_result *r, enum quantity q,
                                    uint64_t storage)
{
    const struct reading *found = NULL;

    for (unsigned i = 0; i < r->nreadings; i++) {
        if (r->readings[i].quantity == q && r->readings[i].storage == storage &&
            r->readings[i].kind == READING_NUMBER) {
            ck_assert_msg(!found || r->readings[i].qualifier[0], "storage twice");
            if (!r->readings[i].qualifier[0] || !found)
                found = &r->readings[i];
        }
    }
    return found;
}

/* A meter of this kind, and its telegram k after this time, decoded. */
static void telegram_of(const struct kind_case *of, emt_time from, uint64_t more,
                        struct sim_meter *m, emt_time *stated, struct cipher *c, struct arena *a,
                        struct decode_result *r)
{
    uint8_t bytes[256];
    struct writer w;
    uint32_t i = 0;

    do
        ck_assert_int_eq(sim_meter_init(m, 5, i++, 900), EMT_OK);
    while (m->kind != of->kind || !m->encrypted);
    ck_assert_uint_eq(m->device.type, of->type);
    uint64_t k = sim_meter_first(m, from) + more;
    *stated = sim_meter_time(m, k);
    *stated -= *stated % EMT_MINUTE;
    writer_init_fixed(&w, bytes, sizeof bytes);
    ck_assert_int_eq(sim_meter_telegram(m, k, c, &w), EMT_OK);
    decode(m, &w, c, a, r);
    ck_assert_int_eq(r->state, FRAME_OK);
    ck_assert(r->encrypted);
}

START_TEST(every_kind_sends_its_register_with_the_time_of_its_clock)
{
    const struct kind_case *of = &kind_cases[_i];
    struct cipher *c = cipher_new();
    struct arena *a = arena_new(0);
    struct sim_meter m;
    struct decode_result r;
    emt_time stated;

    telegram_of(of, SIM_EPOCH + 1050 * EMT_DAY, 0, &m, &stated, c, a, &r);
    const struct reading *now = stored(&r, of->main, 0);
    ck_assert_ptr_nonnull(now);
    ck_assert_int_eq(now->time, stated);
    ck_assert_int_eq(now->time_source, TIME_SOURCE_METER);
    /* whole units of the register: Wh, l (gas: 10 l), kWh, units */
    int exponent = of->main == QUANTITY_VOLUME ? -3 : of->kind == SIM_HEAT ? 3 : 0;
    int64_t value = sim_meter_register(&m, stated);
    if (of->kind == SIM_GAS)
        value -= value % 10;
    ck_assert_int_eq(decimal_compare(now->value, decimal_of(value, exponent)), 0);
    arena_free(a);
    cipher_free(c);
}
END_TEST

START_TEST(past_months_are_repeated_with_their_dates)
{
    const struct kind_case *of = &kind_cases[_i];
    struct cipher *c = cipher_new();
    struct arena *a = arena_new(0);
    /* 2026-10-20: the months reach over the end of summer time and of the year */
    emt_time from = local_day_start((struct local_date){ 2026, 10, 20 });
    unsigned seen = 0;

    for (uint64_t k = 0; k < 2; k++) {
        struct sim_meter m, asked;
        struct decode_result r;
        emt_time stated;
        unsigned in_one = 0;

        telegram_of(of, from, k, &m, &stated, c, a, &r);
        ck_assert_int_eq(sim_meter_init(&asked, 5, m.index, 900), EMT_OK);
        /* the due date: this month for those who bill it, this year for heat */
        const struct reading *due = stored(&r, of->main, 1);
        ck_assert_ptr_nonnull(due);
        ck_assert_int_eq(due->time,
                         local_day_start((struct local_date){ 2026, of->months ? 1 : 10, 1 }));
        for (unsigned back = 0; back < SIM_MONTHS; back++) {
            const struct reading *month = stored(&r, of->main, 2 + back);
            struct local_date d = { back < 10 ? 2026 : 2025, 1 + (int)(21 - back) % 12, 1 };

            if (!month)
                continue;
            in_one++;
            seen |= 1u << back;
            ck_assert_int_eq(month->time, local_day_start(d));
            int64_t value = sim_meter_register(&asked, month->time);
            ck_assert_int_eq(
                decimal_compare(month->value, decimal_of(value, of->kind == SIM_HEAT ? 3 : 0)), 0);
        }
        ck_assert_uint_eq(in_one, of->months);
        arena_reset(a);
    }
    ck_assert_uint_eq(seen, of->kind == SIM_COST_ALLOCATOR ? 0x1fff
                            : of->kind == SIM_HEAT         ? 0x0fff
                                                           : 0);
    arena_free(a);
    cipher_free(c);
}
END_TEST

START_TEST(a_roof_feeds_in_by_day_and_more_in_summer)
{
    struct cipher *c = cipher_new();
    struct arena *a = arena_new(0);
    int64_t fed[2] = { 0 };

    for (int summer = 0; summer < 2; summer++) {
        emt_time day = local_day_start((struct local_date){ 2026, summer ? 6 : 12, 15 });
        struct decimal at[2];

        for (int end = 0; end < 2; end++) {
            struct sim_meter m;
            struct decode_result r;
            uint8_t bytes[256];
            struct writer w;

            ck_assert_int_eq(sim_meter_init(&m, 5, 2, 900), EMT_OK);
            ck_assert(m.exports);
            writer_init_fixed(&w, bytes, sizeof bytes);
            ck_assert_int_eq(
                sim_meter_telegram(&m, sim_meter_first(&m, day + end * 7 * EMT_DAY), c, &w),
                EMT_OK);
            decode(&m, &w, c, a, &r);
            bool found = false;
            for (unsigned i = 0; i < r.nreadings; i++) {
                char code[OBIS_TEXT_MAX];

                if (strncmp(obis_format(r.readings[i].obis, code), "1-0:2.8.0", 9) == 0) {
                    at[end] = r.readings[i].value;
                    found = true;
                }
            }
            ck_assert(found);
            arena_reset(a);
        }
        fed[summer] = at[1].mantissa - at[0].mantissa;
    }
    ck_assert(fed[0] > 0);
    ck_assert(fed[1] > 3 * fed[0]);
    arena_free(a);
    cipher_free(c);
}
END_TEST

START_TEST(rooms_are_as_warm_and_moist_as_rooms_are)
{
    struct cipher *c = cipher_new();
    struct arena *a = arena_new(0);
    int64_t last = 0;

    for (unsigned i = 0; i < 2000; i++) {
        struct sim_meter m;
        struct decode_result r;
        uint8_t bytes[256];
        struct writer w;

        ck_assert_int_eq(sim_meter_init(&m, 5, 6, 900), EMT_OK);
        ck_assert_int_eq(m.kind, SIM_ROOM);
        writer_init_fixed(&w, bytes, sizeof bytes);
        uint64_t k = sim_meter_first(&m, SIM_EPOCH + 400 * EMT_DAY) + i * 5;
        ck_assert_int_eq(sim_meter_telegram(&m, k, c, &w), EMT_OK);
        decode(&m, &w, c, a, &r);
        const struct reading *warm = stored(&r, QUANTITY_EXTERNAL_TEMPERATURE, 0);
        const struct reading *moist = stored(&r, QUANTITY_HUMIDITY, 0);
        ck_assert_ptr_nonnull(warm);
        ck_assert_ptr_nonnull(moist);
        ck_assert(decimal_compare(warm->value, decimal_of(16, 0)) > 0);
        ck_assert(decimal_compare(warm->value, decimal_of(26, 0)) < 0);
        ck_assert(decimal_compare(moist->value, decimal_of(25, 0)) > 0);
        ck_assert(decimal_compare(moist->value, decimal_of(70, 0)) < 0);
        /* 75 minutes later at most half a degree more or less */
        ck_assert_int_eq(warm->value.exponent, -2);
        ck_assert(i == 0 || llabs(warm->value.mantissa - last) < 50);
        last = warm->value.mantissa;
        arena_reset(a);
    }
    arena_free(a);
    cipher_free(c);
}
END_TEST

START_TEST(twenty_meters_are_a_street)
{
    for (uint64_t seed = 1; seed < 10; seed++) {
        unsigned n[SIM_KINDS] = { 0 }, roofs = 0, early[SIM_KINDS] = { 0 };

        for (uint32_t i = 0; i < 20; i++) {
            struct sim_meter m;
            ck_assert_int_eq(sim_meter_init(&m, seed, i, 900), EMT_OK);
            n[m.kind]++;
            early[m.kind] += i < 10;
            roofs += m.exports;
        }
        ck_assert_uint_eq(n[SIM_ELECTRICITY], 7);
        ck_assert_uint_ge(roofs, 1);
        for (int k = 0; k < SIM_KINDS; k++)
            ck_assert_uint_ge(early[k], 1);
    }
}
END_TEST

START_TEST(registers_never_go_back_and_do_not_depend_on_the_way)
{
    for (uint32_t i = 0; i < 60; i++) {
        struct sim_meter walked, asked;
        int64_t last = 0;
        ck_assert_int_eq(sim_meter_init(&walked, 7, i, 900), EMT_OK);
        for (emt_time t = SIM_EPOCH + 90 * EMT_DAY; t < SIM_EPOCH + 93 * EMT_DAY;
             t += 7 * EMT_MINUTE + EMT_SECOND) {
            int64_t now = sim_meter_register(&walked, t);
            ck_assert_int_ge(now, last);
            last = now;
        }
        emt_time end = SIM_EPOCH + 400 * EMT_DAY + 5 * EMT_HOUR;
        ck_assert_int_eq(sim_meter_init(&asked, 7, i, 60),
                         EMT_OK); /* the interval does not change the meter */
        ck_assert_int_eq(sim_meter_register(&walked, end), sim_meter_register(&asked, end));
        ck_assert_int_le(sim_meter_register(&asked, end - EMT_DAY),
                         sim_meter_register(&walked, end));
    }
}
END_TEST

START_TEST(meters_differ_and_keys_are_derived)
{
    struct sim_meter a, b, again, other;

    ck_assert_int_eq(sim_meter_init(&a, 1, 0, 900), EMT_OK);
    ck_assert_int_eq(sim_meter_init(&again, 1, 0, 300), EMT_OK);
    ck_assert_int_eq(sim_meter_init(&b, 1, 1, 900), EMT_OK);
    ck_assert_int_eq(sim_meter_init(&other, 2, 0, 900), EMT_OK);
    ck_assert_mem_eq(a.key, again.key, 16);
    ck_assert_mem_ne(a.key, b.key, 16);
    ck_assert_mem_ne(a.key, other.key, 16);
    ck_assert_str_ne(a.device.number, b.device.number);
}
END_TEST

START_TEST(meters_send_off_the_quarter_hour)
{
    struct simulation_config config = {
        .seed = 3, .meters = 300, .interval_s = 900, .from = SIM_EPOCH + 300 * EMT_DAY
    };
    struct simulation *s = NULL;
    struct sim_telegram t;
    emt_time last = 0;
    unsigned on_grid = 0, heard[300] = { 0 };

    ck_assert_int_eq(simulation_new(&config, &s), EMT_OK);
    for (unsigned i = 0; i < 300 * 8; i++) {
        ck_assert_int_eq(simulation_due(s) >= config.from, 1);
        ck_assert_int_eq(simulation_next(s, &t), EMT_OK);
        ck_assert_int_ge(t.sent_at, last);
        last = t.sent_at;
        heard[t.meter]++;
        on_grid += t.sent_at % (15 * EMT_MINUTE) < EMT_SECOND;
    }
    ck_assert_uint_lt(on_grid, 30); /* by chance 2 or 3 */
    for (unsigned i = 0; i < 300; i++) {
        ck_assert_uint_ge(heard[i], 7);
        ck_assert_uint_le(heard[i], 9);
    }
    simulation_free(s);
}
END_TEST

START_TEST(simulated_time_catches_up_and_never_runs_ahead)
{
    emt_time now = SIM_EPOCH + 500 * EMT_DAY;
    struct sim_clock fast = sim_clock_of(now, 1, 1000), at_once = sim_clock_of(now, 30, 0);

    ck_assert_int_eq(sim_clock_now(&fast, now), now - EMT_DAY);
    ck_assert_int_eq(sim_clock_now(&fast, now + 10 * EMT_SECOND),
                     now - EMT_DAY + 10000 * EMT_SECOND);
    ck_assert_int_eq(sim_clock_now(&fast, now + 100 * EMT_SECOND), now + 100 * EMT_SECOND);
    ck_assert_int_eq(at_once.start, now - 30 * EMT_DAY);
    ck_assert_int_eq(sim_clock_now(&at_once, now), now);
}
END_TEST

/* --- small parts --- */

START_TEST(endpoints_have_host_and_port)
{
    static const char *const bad[] = { "",           "host",    "host:", ":1",     "host:0",
                                       "host:65536", "host:1x", "[::1]", "[::1]1", "[::1:1",
                                       "::1:7443",   "a b:1",   "[]:1" };
    struct endpoint e;

    ck_assert_int_eq(endpoint_parse("gate.example:7443", &e), EMT_OK);
    ck_assert_str_eq(e.host, "gate.example");
    ck_assert_str_eq(e.port, "7443");
    ck_assert_int_eq(endpoint_parse("[2001:db8::1]:7443", &e), EMT_OK);
    ck_assert_str_eq(e.host, "2001:db8::1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(endpoint_parse(bad[i], &e) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_int_eq(https_parse_url("https://[::1]:8443/", &e), EMT_OK);
    ck_assert_str_eq(e.host, "::1");
    ck_assert_int_eq(https_parse_url("https://host", &e), EMT_OK);
    ck_assert_str_eq(e.port, "443");
    ck_assert_int_eq(https_parse_url("http://host", &e), EMT_EMALFORMED);
    ck_assert_int_eq(https_parse_url("https://user@host", &e), EMT_EMALFORMED);
    ck_assert_int_eq(https_parse_url("https://host/path", &e), EMT_EMALFORMED);
}
END_TEST

static enum emt_err answer(const char *text, unsigned *status, struct writer *body)
{
    writer_clear(body);
    return https_parse_answer((const uint8_t *)text, strlen(text), status, body);
}

START_TEST(http_answers_are_read_whole_or_not_at_all)
{
    struct writer b;
    unsigned status = 0;

    writer_init_heap(&b, 1000);
    ck_assert_int_eq(answer("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}xx", &status, &b),
                     EMT_OK);
    ck_assert_uint_eq(status, 201);
    ck_assert_uint_eq(b.len, 2);
    ck_assert_int_eq(
        answer(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            &status, &b),
        EMT_OK);
    ck_assert_str_eq(writer_cstr(&b), "abcd");
    ck_assert_int_eq(answer("HTTP/1.0 410 Gone\r\n\r\nrest", &status, &b), EMT_OK);
    ck_assert_str_eq(writer_cstr(&b), "rest");
    ck_assert_int_eq(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", &status, &b),
                     EMT_ETRUNCATED);
    ck_assert_int_eq(answer("HTTP/1.1 200 OK\r\nContent-Length: 5", &status, &b), EMT_ETRUNCATED);
    ck_assert_int_eq(
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", &status, &b),
        EMT_EMALFORMED);
    ck_assert_int_eq(
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", &status, &b),
        EMT_ETRUNCATED);
    ck_assert_int_eq(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", &status, &b),
                     EMT_EUNSUPPORTED);
    ck_assert_int_eq(answer("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", &status, &b),
                     EMT_EMALFORMED);
    ck_assert_int_eq(answer("SSH-2.0-OpenSSH_9.2p1\r\n\r\n", &status, &b), EMT_EMALFORMED);
    ck_assert_int_eq(answer("", &status, &b), EMT_ETRUNCATED);
    writer_release(&b);
}
END_TEST

START_TEST(a_thousand_results_are_remembered_over_restarts)
{
    char path[] = "/tmp/emt-commands-XXXXXX";
    struct command_memory *m = NULL;
    struct command_outcome o = { .outcome = 0 };
    int fd = mkstemp(path);

    close(fd);
    unlink(path);
    ck_assert_int_eq(command_memory_open(NULL, &m, NULL), EMT_OK);
    for (unsigned i = 0; i < COMMAND_MEMORY_MAX + 1; i++) {
        memcpy(o.key, &i, sizeof i);
        o.outcome = i;
        ck_assert_int_eq(command_memory_put(m, &o), EMT_OK);
    }
    memset(o.key, 0, sizeof o.key);
    ck_assert_ptr_null(command_memory_find(m, o.key)); /* the oldest one went */
    o.key[0] = 1;
    ck_assert_uint_eq(command_memory_find(m, o.key)->outcome, 1);
    command_memory_free(m);

    ck_assert_int_eq(command_memory_open(path, &m, NULL), EMT_OK);
    snprintf(o.text, sizeof o.text, "two words\nand a line");
    ck_assert_int_eq(command_memory_put(m, &o), EMT_OK);
    command_memory_free(m);
    ck_assert_int_eq(command_memory_open(path, &m, NULL), EMT_OK);
    ck_assert_str_eq(command_memory_find(m, o.key)->text, "two words and a line");
    command_memory_free(m);
    ck_assert_int_eq(file_write(path, "rubbish\n", 8, 0600, NULL), EMT_OK);
    ck_assert_int_eq(command_memory_open(path, &m, NULL), EMT_EMALFORMED);
    unlink(path);
}
END_TEST

static enum emt_err config(const char *text, struct gateway_config *c, struct emt_diag *diag)
{
    char dir[] = "/tmp/emt-config-XXXXXX";
    char path[64];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/agent.yaml", dir);
    ck_assert_int_eq(file_write(path, text, strlen(text), 0600, NULL), EMT_OK);
    enum emt_err err = gateway_config_load(dir, c, diag);
    unlink(path);
    rmdir(dir);
    return err;
}

START_TEST(the_configuration_has_defaults_and_knows_its_keys)
{
    struct gateway_config c;
    struct emt_diag d = { 0 };

    ck_assert_int_eq(
        config("gateway: g\naddresses: [\"a:1\", \"[::1]:2\"]\naddresses_tls13: [\"a:3\"]\n", &c,
               &d),
        EMT_OK);
    ck_assert_uint_eq(c.nendpoints, 2);
    ck_assert_uint_eq(c.spool_size, SPOOL_SIZE_DEFAULT);
    ck_assert_int_eq(c.status_interval_ms, 60000);
    ck_assert_int_eq(
        config("gateway: g\ntls: \"1.3\"\naddresses_tls13: [\"a:3\"]\nspool_size: 1MiB\nkey: /k\n",
               &c, &d),
        EMT_OK);
    ck_assert_str_eq(c.endpoints[0].port, "3");
    ck_assert_str_eq(c.key, "/k");
    ck_assert_int_eq(config("gateway: g\naddresses: [\"a:1\"]\ncolour: red\n", &c, &d),
                     EMT_EMALFORMED);
    ck_assert_str_eq(d.key, "colour");
    ck_assert_uint_eq(d.line, 3);
    ck_assert_int_eq(config("addresses: [\"a:1\"]\n", &c, &d), EMT_EMALFORMED);
    ck_assert_int_eq(config("gateway: g\n", &c, &d), EMT_EMALFORMED);
    ck_assert_int_eq(config("gateway: g\naddresses: [\"nonsense\"]\n", &c, &d), EMT_EMALFORMED);
    ck_assert_int_eq(config("gateway: g\naddresses: [\"a:1\"]\ntls: \"1.1\"\n", &c, &d),
                     EMT_EMALFORMED);
    ck_assert_int_eq(config("gateway: g\naddresses: [\"a:1\"]\nspool_size: 5\n", &c, &d),
                     EMT_EMALFORMED);
}
END_TEST

START_TEST(percentiles_are_those_of_the_values)
{
    struct latency l;

    latency_clear(&l);
    ck_assert_int_eq(latency_percentile(&l, 99), 0);
    for (int64_t i = 1; i <= 100; i++)
        latency_add(&l, i);
    ck_assert_int_eq(latency_percentile(&l, 50), 50);
    ck_assert_int_eq(latency_percentile(&l, 99), 99);
    ck_assert_int_eq(latency_percentile(&l, 100), 100);
    for (int i = 0; i < 100; i++)
        latency_add(&l, 5004);
    ck_assert_int_eq(latency_percentile(&l, 99), 5009);
    latency_add(&l, 1000000);
    ck_assert_int_eq(latency_percentile(&l, 100), 11000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent_sources");
    TCase *t = tcase_create("sources");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_line_is_a_telegram_with_options);
    tcase_add_test(t, lines_that_are_none_are_told);
    tcase_add_test(t, a_file_is_read_to_its_end_and_errors_name_the_line);
    tcase_add_test(t, telegrams_decode_to_the_register);
    tcase_add_loop_test(t, every_kind_sends_its_register_with_the_time_of_its_clock, 0, 6);
    tcase_add_loop_test(t, past_months_are_repeated_with_their_dates, 0, 6);
    tcase_add_test(t, a_roof_feeds_in_by_day_and_more_in_summer);
    tcase_add_test(t, rooms_are_as_warm_and_moist_as_rooms_are);
    tcase_add_test(t, twenty_meters_are_a_street);
    tcase_add_test(t, registers_never_go_back_and_do_not_depend_on_the_way);
    tcase_add_test(t, meters_differ_and_keys_are_derived);
    tcase_add_test(t, meters_send_off_the_quarter_hour);
    tcase_add_test(t, simulated_time_catches_up_and_never_runs_ahead);
    tcase_add_test(t, endpoints_have_host_and_port);
    tcase_add_test(t, http_answers_are_read_whole_or_not_at_all);
    tcase_add_test(t, a_thousand_results_are_remembered_over_restarts);
    tcase_add_test(t, the_configuration_has_defaults_and_knows_its_keys);
    tcase_add_test(t, percentiles_are_those_of_the_values);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
