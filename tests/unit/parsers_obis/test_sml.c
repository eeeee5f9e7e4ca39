/* SML files laid out field by field (BSI TR-03109-1 annex IV part b). */
#include "sml_writer.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define SERVER "0a01454d480000a1bd34"
#define OTHER "0a01454d480000a1bd35"

static struct sml_writer w;
static uint8_t file[8192];

static struct decode_result decode(void)
{
    return decode_bytes(PROTOCOL_SML, file, sml_envelope(&w, 1, file));
}

static void begin(const char *server, unsigned entries)
{
    sml_writer_init(&w);
    sml_open(&w, server);
    sml_get_list(&w, server, entries);
}

static void end(void)
{
    sml_get_list_end(&w);
    sml_close(&w);
}

START_TEST(a_list_gives_exact_values)
{
    struct decode_result r;

    begin(SERVER, 4);
    sml_entry(&w, "0100010800ff", 30, -1, 147981129);
    sml_entry(&w, "0100020800ff", 30, 3, 12);
    sml_entry(&w, "0100100700ff", 27, 0, -2300);
    sml_entry(&w, "0100600100ff", 255, 0, 0);
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 4);
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", NULL), "14798112.9");
    ck_assert_str_eq(reading_of(&r, "1-0:1.8.0*255", NULL)->unit, "Wh");
    ck_assert_int_eq(reading_of(&r, "1-0:1.8.0*255", NULL)->quantity, QUANTITY_ENERGY);
    ck_assert_str_eq(value_of(&r, "1-0:2.8.0*255", NULL), "12000");
    ck_assert_str_eq(value_of(&r, "1-0:16.7.0*255", NULL), "-2300");
    ck_assert_ptr_null(reading_of(&r, "1-0:96.1.0*255", NULL)->unit);
    ck_assert_int_eq(reading_of(&r, "1-0:1.8.0*255", NULL)->time_source, TIME_SOURCE_NONE);
    ck_assert_str_eq(link_of(&r, "list_name"), "0100620affff");
    ck_assert_uint_eq(r.nlayers, 4);
    ck_assert_str_eq(r.layers[2].name, "list");
    ck_assert_uint_eq(file[r.layers[2].offset], 0x76);
    support_release();
}
END_TEST

START_TEST(the_meter_number_is_that_of_din_43863_5)
{
    static const struct {
        const char *server, *device;
    } cases[] = {
        { "0a01454d480000a1bd34", "-1EMH0010599732" },
        { "09014553591103b599a5", "-1ESY1162232997" },
        { "0a0e454d480000000001", "-EEMH0000000001" },
        { "3032323830383136", "-02280816" },
        { "06454d4801027153c8c6", "-06454d4801027153c8c6" },
        { "01a815133577030102", "-01a815133577030102" },
        { "0a01454d4800ffffffff", "-0a01454d4800ffffffff" },
    };
    char text[DEVICE_ID_TEXT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decode_result r;

        begin(cases[i].server, 0);
        end();
        r = decode();
        ck_assert(r.has_device);
        ck_assert_str_eq(device_id_format(&r.device, text), cases[i].device);
    }
    support_release();
}
END_TEST

START_TEST(integers_of_every_length)
{
    struct decode_result r;
    char code[32];

    begin(SERVER, 12);
    for (unsigned n = 1; n <= 8; n++) {
        sml_list(&w, 7);
        (void)snprintf(code, sizeof code, "01000108%02xff", n);
        sml_hex(&w, code);
        for (unsigned i = 0; i < 4; i++)
            sml_none(&w);
        sml_integer(&w, n, -2);
        sml_none(&w);
    }
    sml_list(&w, 7); /* above what a signed mantissa holds */
    sml_hex(&w, "0100020800ff");
    for (unsigned i = 0; i < 3; i++)
        sml_none(&w);
    sml_integer(&w, 1, -1);
    sml_unsigned(&w, 8, UINT64_MAX);
    sml_none(&w);
    for (int scaler = -128; scaler <= 127; scaler += 255) {
        sml_list(&w, 7); /* scalers that no decimal has */
        sml_hex(&w, scaler < 0 ? "0100030800ff" : "0100040800ff");
        for (unsigned i = 0; i < 3; i++)
            sml_none(&w);
        sml_integer(&w, 1, scaler);
        sml_unsigned(&w, 3, 70000);
        sml_none(&w);
    }
    sml_entry(&w, "0100050800ff", 30, -64, 5);
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    for (unsigned n = 1; n <= 8; n++) {
        (void)snprintf(code, sizeof code, "1-0:1.8.%u*255", n);
        ck_assert_str_eq(value_of(&r, code, NULL), "-2");
    }
    ck_assert_str_eq(value_of(&r, "1-0:2.8.0*255", NULL), "18446744073709551615e-1");
    ck_assert_str_eq(value_of(&r, "1-0:3.8.0*255", NULL), "70000e-128");
    ck_assert_str_eq(value_of(&r, "1-0:4.8.0*255", NULL), "70000e127");
    ck_assert_int_eq(reading_of(&r, "1-0:5.8.0*255", NULL)->kind, READING_NUMBER);
    support_release();
}
END_TEST

static void entry_with_time(const char *obis)
{
    sml_list(&w, 7);
    sml_hex(&w, obis);
    sml_unsigned(&w, 4, 0x1c6904);
}

START_TEST(three_kinds_of_time)
{
    struct decode_result r;
    const struct reading *x;

    begin(SERVER, 3);
    entry_with_time("0100010800ff");
    sml_timestamp(&w, 1793664000);
    sml_raw(&w, "621e 52ff 5500000001 01");
    entry_with_time("0100020800ff");
    sml_raw(&w, "72 6203 73 656ae9d380 53003c 53003c"); /* local: zone and season 60 min each */
    sml_raw(&w, "621e 52ff 5500000002 01");
    entry_with_time("0100030800ff");
    sml_raw(&w, "72 6201 6500000042"); /* operating seconds */
    sml_raw(&w, "621e 52ff 5500000003 01");
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    x = reading_of(&r, "1-0:1.8.0*255", NULL);
    ck_assert_int_eq(x->time, INT64_C(1793664000) * EMT_SECOND);
    ck_assert_int_eq(x->time_source, TIME_SOURCE_METER);
    ck_assert_str_eq(x->time_text, "2026-11-03T00:00:00Z");
    x = reading_of(&r, "1-0:2.8.0*255", NULL);
    ck_assert_int_eq(x->time, INT64_C(0x6ae9d380) * EMT_SECOND);
    ck_assert_ptr_nonnull(strstr(x->time_text, "+02:00"));
    ck_assert_int_eq(reading_of(&r, "1-0:3.8.0*255", NULL)->time, EMT_TIME_NONE);
    /* The status word has its own reading, and its bits say where the power flows. */
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", "status"), "1861892");
    ck_assert_str_eq(link_of(&r, "direction"), "export");
    support_release();
}
END_TEST

START_TEST(status_words_of_old_meters_stay_numbers)
{
    struct decode_result r;

    begin(SERVER, 1);
    sml_list(&w, 7);
    sml_hex(&w, "0100010800ff");
    sml_unsigned(&w, 2, 0x0182);
    sml_raw(&w, "01 621e 52ff 5500000001 01");
    end();
    r = decode();
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", "status"), "386");
    ck_assert_ptr_null(link_of(&r, "direction"));
    support_release();
}
END_TEST

START_TEST(a_fatal_error_marks_the_value)
{
    struct decode_result r;

    begin(SERVER, 1);
    sml_list(&w, 7);
    sml_hex(&w, "0100010800ff");
    sml_unsigned(&w, 4, 0x020004);
    sml_raw(&w, "01 621e 52ff 5500000001 01");
    end();
    r = decode();
    ck_assert_int_eq(reading_of(&r, "1-0:1.8.0*255", NULL)->quality, QUALITY_INVALID);
    support_release();
}
END_TEST

START_TEST(octets_are_text_number_or_bytes)
{
    struct decode_result r;

    begin(SERVER, 4);
    sml_list(&w, 7);
    sml_hex(&w, "8181c78203ff");
    sml_raw(&w, "01 01 01 01 04454d48 01");
    sml_list(&w, 7);
    sml_hex(&w, "0100000009ff");
    sml_raw(&w, "01 01 01 01 0b" SERVER " 01");
    sml_list(&w, 7);
    sml_hex(&w, "8181c78205ff");
    sml_raw(&w, "01 01 01 01 05deadbeef 05cafef00d"); /* and signed */
    sml_list(&w, 7);
    sml_hex(&w, "0100600100ff");
    sml_raw(&w, "01 01 01 01 4201 01"); /* true */
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(value_of(&r, "129-129:199.130.3*255", NULL), "EMH");
    ck_assert_str_eq(value_of(&r, "1-0:0.0.9*255", NULL), "1EMH0010599732");
    ck_assert_str_eq(value_of(&r, "129-129:199.130.5*255", NULL), "deadbeef");
    ck_assert_str_eq(value_of(&r, "129-129:199.130.5*255", "signature"), "cafef00d");
    ck_assert_str_eq(value_of(&r, "1-0:96.1.0*255", NULL), "1");
    support_release();
}
END_TEST

START_TEST(known_defects_are_counted_by_name)
{
    struct decode_result r;

    sml_writer_init(&w);
    w.kermit = true;
    sml_open(&w, SERVER);
    sml_get_list(&w, SERVER, 1);
    sml_list(&w, 7);
    sml_hex(&w, "0100010800ff");
    sml_raw(&w, "01 6500000042 621e 52ff 5500000001 01"); /* a time without its choice */
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(link_of(&r, "quirk"), "kermit-message-crc:3,bare-time:1");
    /* DZG DVS74 by its number: 35624 sent as a signed number of two bytes. */
    begin("0a01445a47000282225e", 1);
    sml_list(&w, 7);
    sml_hex(&w, "0100100700ff");
    sml_raw(&w, "01 01 621b 52fe 538b28 01");
    end();
    r = decode();
    ck_assert_str_eq(value_of(&r, "1-0:16.7.0*255", NULL), "356.24");
    ck_assert_str_eq(link_of(&r, "quirk"), "dzg-dvs74-short-power:1");
    /* Another model of the same maker means what it sends. */
    begin("0a01445a470002632316", 1);
    sml_list(&w, 7);
    sml_hex(&w, "0100100700ff");
    sml_raw(&w, "01 01 621b 52fe 538b28 01");
    end();
    r = decode();
    ck_assert_str_eq(value_of(&r, "1-0:16.7.0*255", NULL), "-299.12");
    ck_assert_ptr_null(link_of(&r, "quirk"));
    support_release();
}
END_TEST

/* serverId, actTime, regPeriod, parameterTreePath */
static void profile_head(void)
{
    sml_hex(&w, SERVER);
    sml_timestamp(&w, 1793664000);
    sml_unsigned(&w, 4, 900);
    sml_list(&w, 1);
    sml_hex(&w, "0100630100ff");
}

START_TEST(a_profile_pack_has_times_and_status)
{
    struct decode_result r;

    sml_writer_init(&w);
    sml_open(&w, SERVER);
    sml_message(&w, 0x0301);
    sml_list(&w, 8);
    profile_head();
    sml_list(&w, 2);
    sml_raw(&w, "73 070100010800ff 621e 52ff");
    sml_raw(&w, "73 070100020800ff 621e 52ff");
    sml_list(&w, 3);
    for (unsigned i = 0; i < 2; i++) {
        sml_list(&w, 4);
        sml_timestamp(&w, 1793664000 + 900 * i);
        sml_unsigned(&w, 1, i);
        sml_list(&w, 2);
        sml_list(&w, 2);
        sml_unsigned(&w, 4, 100 + i);
        sml_none(&w);
        sml_list(&w, 2);
        sml_unsigned(&w, 4, 200 + i);
        sml_none(&w);
        sml_none(&w);
    }
    sml_raw(&w, "74 72 6201 6500000042 01 71 72 6201 01 01"); /* a row of operating seconds */
    sml_none(&w);
    sml_none(&w);
    sml_message_end(&w);
    sml_close(&w);
    r = decode();
    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_uint_eq(r.nreadings, 6);
    ck_assert_str_eq(link_of(&r, "period_s"), "900");
    ck_assert_int_eq(r.readings[0].time_source, TIME_SOURCE_PROFILE);
    ck_assert_int_eq(r.readings[3].time, INT64_C(1793664900) * EMT_SECOND);
    ck_assert_uint_eq(r.readings[3].nth, 0);
    ck_assert_str_eq(value_of(&r, "1-0:99.1.0*255", "status"), "0");
    ck_assert_ptr_nonnull(strstr(r.reason, "1 profile rows"));
    support_release();
}
END_TEST

START_TEST(a_profile_list_is_one_row)
{
    struct decode_result r;

    sml_writer_init(&w);
    sml_message(&w, 0x0401);
    sml_list(&w, 9);
    profile_head();
    sml_timestamp(&w, 1793664000);
    sml_unsigned(&w, 8, 4);
    sml_list(&w, 1);
    sml_raw(&w, "75 070100010800ff 621e 52ff 6300ff 03aabb");
    sml_none(&w);
    sml_none(&w);
    sml_message_end(&w);
    r = decode();
    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", NULL), "25.5");
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", "signature"), "aabb");
    ck_assert_str_eq(value_of(&r, "1-0:99.1.0*255", "status"), "4");
    support_release();
}
END_TEST

START_TEST(parameter_trees_give_their_leaves)
{
    struct decode_result r;

    sml_writer_init(&w);
    sml_message(&w, 0x0501);
    sml_list(&w, 3);
    sml_hex(&w, SERVER);
    sml_list(&w, 1);
    sml_hex(&w, "8181c78801ff");
    sml_raw(&w, "73 078181c78801ff 01 73");                         /* no value, three children */
    sml_raw(&w, "73 078181c78802ff 72 6201 62 05 01");              /* a number */
    sml_raw(&w, "73 078181c78803ff 72 6204 72 6202 656ae9d380 01"); /* a time */
    sml_raw(&w, "73 0100010800ff01 01 01"); /* broken name length: 0 bytes */
    sml_message_end(&w);
    r = decode();
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    sml_writer_init(&w);
    sml_message(&w, 0x0501);
    sml_list(&w, 3);
    sml_hex(&w, SERVER);
    sml_list(&w, 1);
    sml_hex(&w, "8181c78801ff");
    sml_raw(&w, "73 078181c78801ff 01 73");
    sml_raw(&w, "73 078181c78802ff 72 6201 6205 01");
    sml_raw(&w, "73 078181c78803ff 72 6204 72 6202 656ae9d380 01");
    sml_raw(&w, "73 070100010800ff 72 6202 75 070100010800ff 621e 52ff 6207 01 01");
    sml_message_end(&w);
    r = decode();
    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(value_of(&r, "129-129:199.136.2*255", NULL), "5");
    ck_assert_str_eq(value_of(&r, "129-129:199.136.3*255", NULL), "2026-11-03T12:28:48Z");
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", NULL), "0.7");
    support_release();
}
END_TEST

START_TEST(attention_is_an_application_message)
{
    struct decode_result r;

    sml_writer_init(&w);
    sml_message(&w, 0xff01);
    sml_list(&w, 4);
    sml_hex(&w, SERVER);
    sml_hex(&w, "8181c7c7fe03");
    sml_none(&w);
    sml_none(&w);
    sml_message_end(&w);
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert(r.has_application);
    ck_assert_uint_eq(r.application_code, 0xfe03);
    ck_assert_str_eq(r.application_text, "unknown server");
    ck_assert_uint_eq(r.nreadings, 0);
    support_release();
}
END_TEST

START_TEST(requests_carry_no_data)
{
    struct decode_result r;

    sml_writer_init(&w);
    sml_message(&w, 0x0700);
    sml_raw(&w, "75 01 01 01 01 01");
    sml_message_end(&w);
    r = decode();
    ck_assert_int_eq(r.state, FRAME_UNSUPPORTED);
    support_release();
}
END_TEST

START_TEST(a_second_meter_is_left_out)
{
    struct decode_result r;

    begin(SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 1);
    sml_get_list_end(&w);
    sml_get_list(&w, OTHER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 2);
    end();
    r = decode();
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 1);
    ck_assert_ptr_nonnull(strstr(r.reason, "other meters"));
    /* Two lists of one meter: the second value of a channel says so. */
    begin(SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 1);
    sml_get_list_end(&w);
    sml_get_list(&w, SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 2);
    end();
    r = decode();
    ck_assert_uint_eq(r.nreadings, 2);
    ck_assert_uint_eq(r.readings[1].nth, 1);
    support_release();
}
END_TEST

START_TEST(a_file_may_come_without_envelope)
{
    struct decode_result r;
    uint8_t bare[4096];
    size_t n;

    begin(SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 1);
    end();
    n = w.body.len;
    memcpy(bare, w.body.data, n);
    r = decode_bytes(PROTOCOL_SML, bare, n);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.layers[0].offset, 0);
    memset(bare + n, 0, 4);
    ck_assert_int_eq(decode_bytes(PROTOCOL_SML, bare, n + 3).state, FRAME_OK);
    ck_assert_int_eq(decode_bytes(PROTOCOL_SML, bare, n + 4).state, FRAME_MALFORMED);
    for (size_t i = 1; i < n; i++) { /* between two messages a file may end, too */
        r = decode_bytes(PROTOCOL_SML, bare, i);
        ck_assert(r.state == FRAME_MALFORMED || r.nreadings == 0 || i > n - 30);
    }
    support_release();
}
END_TEST

START_TEST(a_wrong_message_checksum_refuses_the_file)
{
    struct decode_result r;

    begin(SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, 1);
    end();
    w.body.data[w.body.len - 2] ^= 1; /* of the close message */
    r = decode();
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    ck_assert_uint_eq(r.nreadings, 0);
    ck_assert(!r.has_device);
    support_release();
}
END_TEST

static void check_malformed_body(const char *entries)
{
    struct decode_result r;

    begin(SERVER, 1);
    sml_raw(&w, entries);
    end();
    r = decode();
    ck_assert_msg(r.state == FRAME_MALFORMED, "%s: %s", entries, frame_state_name(r.state));
    ck_assert_uint_eq(r.nreadings, 0);
}

START_TEST(lengths_depth_and_types_are_checked)
{
    char nest[801];

    check_malformed_body("77 8f8f 01");                              /* octets past the end */
    check_malformed_body("ffff8f0f 01");                             /* a list of thousands */
    check_malformed_body("76 070100010800ff 01 01 01 01 01");        /* six elements only */
    check_malformed_body("77 070100010800ff 5201 01 01 01 6201 01"); /* a signed status */
    check_malformed_body("77 070100010800ff 01 01 621e 52ff 10 01"); /* a reserved type */
    check_malformed_body("77 070100010800ff 01 01 621e 52ff 5a 010203040506070809 01");
    check_malformed_body("77 070100010800ff 01 01 621e 52ff 50 01"); /* a length below its own */
    check_malformed_body("77 070100010800ff 01 72 6209 6500000001 01 01 01 01"); /* no such time */
    check_malformed_body("80808080 01"); /* endless length field */
    for (unsigned i = 0; i < 400; i++)
        memcpy(nest + 2 * i, "71", 3);
    check_malformed_body(nest);
    support_release();
}
END_TEST

START_TEST(a_line_gives_its_files_and_the_last_values)
{
    struct decode_result r;
    uint8_t line[8192];
    size_t len = 3, n;

    memset(line, 0x55, len);
    for (int i = 1; i <= 3; i++) {
        begin(SERVER, 1);
        sml_entry(&w, "0100010800ff", 30, -1, i);
        end();
        n = sml_envelope(&w, 1, file);
        memcpy(line + len, file, n);
        len += n;
    }
    r = decode_bytes(PROTOCOL_SML_STREAM, line, len - 1);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nframes, 2);
    ck_assert_str_eq(value_of(&r, "1-0:1.8.0*255", NULL), "0.2");
    ck_assert_mem_ne(r.frames[0], r.frames[1], 8);
    r = decode_bytes(PROTOCOL_SML_STREAM, line, 20);
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    ck_assert_uint_eq(r.nframes, 0);
    support_release();
}
END_TEST

SUITE(sml, a_list_gives_exact_values, the_meter_number_is_that_of_din_43863_5,
      integers_of_every_length, three_kinds_of_time, status_words_of_old_meters_stay_numbers,
      a_fatal_error_marks_the_value, octets_are_text_number_or_bytes,
      known_defects_are_counted_by_name, a_profile_pack_has_times_and_status,
      a_profile_list_is_one_row, parameter_trees_give_their_leaves,
      attention_is_an_application_message, requests_carry_no_data, a_second_meter_is_left_out,
      a_file_may_come_without_envelope, a_wrong_message_checksum_refuses_the_file,
      lengths_depth_and_types_are_checked, a_line_gives_its_files_and_the_last_values)
