#include "base/writer.h"
#include "parsers/oms_encode.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct oms_telegram telegram(const uint8_t *records, size_t len, bool encrypted)
{
    struct oms_telegram t = {
        .access_number = 42, .encrypted = encrypted, .records = records, .records_len = len
    };

    memcpy(t.device.manufacturer, "EMT", 4);
    memcpy(t.device.number, "12345678", 9);
    t.device.version = 1;
    t.device.type = 2;
    t.device.has_version = true;
    memcpy(t.key, key, sizeof key);
    return t;
}

static size_t make_records(uint8_t *out, size_t cap)
{
    static const uint8_t energy[] = { 0x03 }, export[] = { 0x83, 0x3c }, tariff[] = { 0x10, 0x03 };
    static const uint8_t power[] = { 0x2b };
    struct writer w;

    writer_init_fixed(&w, out, cap);
    ck_assert_int_eq(oms_put_datetime(&w, 0x04, 2026, 11, 21, 0, 7, false), EMT_OK);
    ck_assert_int_eq(oms_put_record(&w, 0x07, energy, 1, INT64_C(123456789012)), EMT_OK);
    ck_assert_int_eq(oms_put_record(&w, 0x0c, export, 2, 1234567), EMT_OK);
    ck_assert_int_eq(oms_put_record(&w, 0x84, tariff, 2, 99), EMT_OK);
    ck_assert_int_eq(oms_put_record(&w, 0x0a, power, 1, -450), EMT_OK);
    ck_assert_int_eq(oms_put_record(&w, 0x02, power, 1, -450), EMT_OK);
    return w.len;
}

static void check_values(const struct decode_result *r)
{
    static const struct {
        const char *obis, *value;
    } want[] = {
        { "1-0:1.8.0*255", "123456789012" }, { "1-0:2.8.0*255", "1234567" },
        { "1-0:1.8.1*255", "99" },           { "1-0:1.7.0*255", "-450" },
        { "1-0:1.7.0*255", "-450" },
    };
    char text[DECIMAL_TEXT_MAX];

    ck_assert_msg(r->state == FRAME_OK, "%s: %s", frame_state_name(r->state), r->reason);
    ck_assert_uint_eq(r->nreadings, 6);
    for (unsigned i = 0; i < 5; i++) {
        const struct reading *x = &r->readings[i + 1];

        ck_assert_str_eq(obis_format(x->obis, text), want[i].obis);
        ck_assert_str_eq(decimal_format(x->value, text), want[i].value);
        ck_assert_str_eq(x->time_text, "2026-11-21T00:07:00");
        ck_assert_int_eq(x->time_source, TIME_SOURCE_METER);
    }
}

static void round_trip(bool encrypted, bool with_crc)
{
    uint8_t records[200], frame[300], sent[340];
    struct oms_telegram t = telegram(records, make_records(records, sizeof records), encrypted);
    struct decode_request req;
    struct decode_result result;
    struct decoder d;
    struct writer w, link;

    decoder_open(&d);
    if (encrypted)
        decoder_add_key(&d, "0102030405060708090a0b0c0d0e0f10");
    writer_init_fixed(&w, frame, sizeof frame);
    writer_init_fixed(&link, sent, sizeof sent);
    ck_assert_int_eq(oms_encode(d.cipher, &t, &w), EMT_OK);
    ck_assert_uint_eq(frame[0] + 1u, w.len);
    if (with_crc)
        ck_assert_int_eq(oms_add_crc_a(frame, w.len, &link), EMT_OK);
    req = decoder_request(&d, PROTOCOL_WMBUS, with_crc ? sent : frame, with_crc ? link.len : w.len);
    ck_assert_int_eq(decode_frame(&req, &result), EMT_OK);
    check_values(&result);
    ck_assert_int_eq(result.encrypted, encrypted);
    ck_assert_uint_eq(result.access_number, 42);
    decoder_close(&d);
}

START_TEST(what_is_encoded_decodes_the_same)
{
    round_trip(false, false);
    round_trip(false, true);
    round_trip(true, false);
    round_trip(true, true);
}
END_TEST

START_TEST(the_longest_telegram)
{
    uint8_t records[201], frame[300];
    struct oms_telegram t;
    struct decoder d;
    struct writer w;

    decoder_open(&d);
    memset(records, 0x2f, sizeof records);
    t = telegram(records, 200, true);
    writer_init_fixed(&w, frame, sizeof frame);
    ck_assert_int_eq(oms_encode(d.cipher, &t, &w), EMT_OK);
    t.records_len = 201;
    writer_clear(&w);
    ck_assert_int_eq(oms_encode(d.cipher, &t, &w), EMT_ELIMIT);
    t.records_len = 200;
    writer_init_fixed(&w, frame, 100);
    ck_assert_int_eq(oms_encode(d.cipher, &t, &w), EMT_ELIMIT);
    decoder_close(&d);
}
END_TEST

START_TEST(a_device_that_is_none_is_refused)
{
    struct oms_telegram t = telegram(NULL, 0, false);
    uint8_t frame[300];
    struct writer w;

    writer_init_fixed(&w, frame, sizeof frame);
    memcpy(t.device.number, "1234567", 8);
    ck_assert_int_eq(oms_encode(NULL, &t, &w), EMT_EMALFORMED);
    memcpy(t.device.number, "1234567A", 9);
    ck_assert_int_eq(oms_encode(NULL, &t, &w), EMT_EMALFORMED);
    memcpy(t.device.number, "12345678", 9);
    memcpy(t.device.manufacturer, "E1T", 4);
    ck_assert_int_eq(oms_encode(NULL, &t, &w), EMT_EMALFORMED);
}
END_TEST

START_TEST(values_that_do_not_fit_are_refused)
{
    static const uint8_t vif[] = { 0x13 };
    uint8_t out[32];
    struct writer w;

    writer_init_fixed(&w, out, sizeof out);
    ck_assert_int_eq(oms_put_record(&w, 0x02, vif, 1, 32768), EMT_ELIMIT);
    ck_assert_int_eq(oms_put_record(&w, 0x0a, vif, 1, 10000), EMT_ELIMIT);
    ck_assert_int_eq(oms_put_record(&w, 0x0a, vif, 1, -1000), EMT_ELIMIT);
    ck_assert_int_eq(oms_put_record(&w, 0x05, vif, 1, 1), EMT_EUNSUPPORTED);
    ck_assert_int_eq(oms_put_record(&w, 0x02, vif, 0, 1), EMT_EMALFORMED);
    ck_assert_int_eq(oms_put_datetime(&w, 0x04, 2026, 13, 1, 0, 0, false), EMT_EMALFORMED);
}
END_TEST

SUITE(oms_encode, what_is_encoded_decodes_the_same, the_longest_telegram,
      a_device_that_is_none_is_refused, values_that_do_not_fit_are_refused)
