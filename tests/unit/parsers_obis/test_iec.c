/* Read-outs after IEC 62056-21, VDEW "Lastenheft Elektronische Lastgangzähler" and the DSMR P1
 * companion standard. */
#include "common/crc16.h"
#include "iec62056_21/iec_frame.h"
#include "iec62056_21/iec_obis.h"
#include "iec62056_21/iec_time.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define EOL "\r\n"

static char telegram[8192];

/* "/XXXZ…" with a data block in STX, ETX and BCC; ident NULL: the block alone. */
static struct decode_result read_block(const char *ident, const char *lines)
{
    int n = snprintf(telegram, sizeof telegram, "%s\x02%s\x03", ident ? ident : "", lines);
    char *stx = strchr(telegram, 2);

    telegram[n] = (char)iec_bcc((const uint8_t *)stx + 1, (size_t)(telegram + n - stx - 1));
    telegram[n + 1] = 0;
    return decode_bytes(PROTOCOL_IEC62056_21, telegram, (size_t)n + 1);
}

static struct decode_result read_plain(const char *text)
{
    return decode_bytes(PROTOCOL_IEC62056_21, text, strlen(text));
}

static struct decode_result read_p1(const char *text)
{
    int n = snprintf(telegram, sizeof telegram, "%s!", text);
    uint16_t crc = crc16_arc((const uint8_t *)telegram, (size_t)n);

    n += snprintf(telegram + n, sizeof telegram - (size_t)n, "%04X" EOL, crc);
    return decode_bytes(PROTOCOL_IEC62056_21, telegram, (size_t)n);
}

static struct iec_span span(const char *text)
{
    return (struct iec_span){ text, strlen(text) };
}

START_TEST(check_characters_of_known_messages)
{
    ck_assert_uint_eq(iec_bcc((const uint8_t *)"P0\x02(1234567)\x03", 13), 'P');
    ck_assert_uint_eq(iec_bcc((const uint8_t *)"3:171.0(0)\x03", 11), 0x12);
}
END_TEST

START_TEST(codes_long_short_and_with_letters)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        { "1-0:1.8.0*255", "1-0:1.8.0*255" }, { "1.8.0", "1-0:1.8.0*255" },
        { "1.5", "1-0:1.5.0*255" },           { "1-1:1.29", "1-1:1.29.0*255" },
        { "1.8.0*12", "1-0:1.8.0*12" },       { "1.8.1&03", "1-0:1.8.1*3" },
        { "F.F", "1-0:97.97.0*255" },         { "C.1.0", "1-0:96.1.0*255" },
        { "0-0:C.1.0", "0-0:96.1.0*255" },    { "P.01", "1-0:99.1.0*255" },
        { "0-1:24.2.1", "0-1:24.2.1*255" },   { "L.1.0*01", "1-0:98.1.0*1" },
    };
    static const char *const bad[] = { "",         "1",          "1.",       "1..8",
                                       "256.1",    "1-0:1.8.0*", "1.8.0*1x", "VOL",
                                       "1-:1.8.0", "1.8.0.0",    "1-0;1.8.0" };
    char text[OBIS_TEXT_MAX];
    struct iec_code c;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(iec_code_parse(span(cases[i].text), &c), "%s", cases[i].text);
        ck_assert_str_eq(obis_format(c.obis, text), cases[i].code);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!iec_code_parse(span(bad[i]), &c), "%s", bad[i]);
}
END_TEST

START_TEST(times_with_and_without_season)
{
    static const struct {
        const char *text, *printed;
        emt_time utc_hour; /* of the day, to tell offsets apart */
    } cases[] = {
        { "1220823161500", "2022-08-23T16:15:00+02:00", 14 },
        { "0210114223000", "2021-01-14T22:30:00+01:00", 21 },
        { "2210114223000", "2021-01-14T22:30:00Z", 22 },
        { "12208231615", "2022-08-23T16:15:00+02:00", 14 },
        { "2208231615", "2022-08-23T16:15:00", 14 }, /* legal time: summer by its date */
        { "210114223000", "2021-01-14T22:30:00", 21 },
        { "0220823161500", "2022-08-23T16:15:00+01:00", 15 }, /* a meter on winter time all year */
        { "161129200000W", "2016-11-29T20:00:00+01:00", 19 },
        { "190816125118S", "2019-08-16T12:51:18+02:00", 10 },
        { "22-11-12 07:30", "2022-11-12T07:30:00", 6 },
        { "2212312400", "2023-01-01T00:00:00", 23 },
    };
    static const char *const bad[] = {
        "",         "221112073", "2213120730",     "22111207301", "3221112073015",
        "22-11-12", "0.502*kW",  "123456789012345"
    };
    char text[IEC_TIME_TEXT_MAX];
    struct iec_time t;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(iec_time_parse(span(cases[i].text), &t), "%s", cases[i].text);
        ck_assert_str_eq(iec_time_text(&t, text), cases[i].printed);
        ck_assert_msg(iec_time_instant(&t) / EMT_HOUR % 24 == cases[i].utc_hour, "%s",
                      cases[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!iec_time_parse(span(bad[i]), &t), "%s", bad[i]);
    /* The repeated hour of October 2026: only the season digit tells. */
    ck_assert(iec_time_parse(span("1261025023000"), &t));
    ck_assert_int_eq(iec_time_instant(&t) / EMT_MINUTE % 1440, 30);
    ck_assert(iec_time_parse(span("0261025023000"), &t));
    ck_assert_int_eq(iec_time_instant(&t) / EMT_MINUTE % 1440, 90);
    /* A meter whose clock is not set. */
    ck_assert(iec_time_parse(span("632525252525S"), &t));
    ck_assert_int_eq(iec_time_instant(&t), EMT_TIME_NONE);
}
END_TEST

START_TEST(a_read_out_gives_its_values)
{
    struct decode_result r =
        read_block("/EMH4\\@LZQJL0013F" EOL,
                   "F.F(00000000)" EOL "0.0.0( 23456321 )" EOL "C.1.1(   )" EOL "0.9.1(1161500)" EOL
                   "0.9.2(1220823)" EOL "1.8.1(001234.567*kWh)(2208010000)" EOL
                   "1.8.2(+00012,50*kWh)2.8.0(-1.0*kWh)" EOL "1.6.1(0.502*kW)(2208120730)" EOL
                   "32.7(230.1*V)" EOL "1.7.0(-----*kW)" EOL "!" EOL);
    const struct reading *x;
    char text[DEVICE_ID_TEXT_MAX];

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(device_id_format(&r.device, text), "EMH-23456321");
    ck_assert_str_eq(link_of(&r, "ident"), "EMH4\\@LZQJL0013F");
    ck_assert_str_eq(link_of(&r, "check"), "bcc");
    ck_assert_str_eq(value_of(&r, "F.F", NULL), "00000000");
    ck_assert_str_eq(value_of(&r, "C.1.1", NULL), "   "); /* as printed */
    x = reading_of(&r, "1.8.1", NULL);
    ck_assert_str_eq(value_of(&r, "1.8.1", NULL), "1234.567");
    ck_assert_str_eq(x->unit, "kWh");
    ck_assert_uint_eq(x->tariff, 1);
    ck_assert_str_eq(x->time_text, "2022-08-01T00:00:00");
    ck_assert_str_eq(value_of(&r, "1.8.2", NULL), "12.50");
    /* What has no time of its own has that of the telegram. */
    ck_assert_str_eq(reading_of(&r, "1.8.2", NULL)->time_text, "2022-08-23T16:15:00+02:00");
    ck_assert_str_eq(value_of(&r, "2.8.0", NULL), "-1.0");
    x = reading_of(&r, "1.6.1", NULL);
    ck_assert_int_eq(x->function, READING_MAXIMUM);
    ck_assert_str_eq(x->time_text, "2022-08-12T07:30:00");
    ck_assert_int_eq(reading_of(&r, "32.7", NULL)->quantity, QUANTITY_VOLTAGE);
    x = reading_of(&r, "1.7.0", NULL);
    ck_assert_int_eq(x->kind, READING_TEXT);
    ck_assert_int_eq(x->quality, QUALITY_INVALID);
    support_release();
}
END_TEST

START_TEST(previous_values_have_the_date_of_their_period)
{
    struct decode_result r =
        read_block("/LGZ4ZMD" EOL,
                   "0.1.0(12)" EOL "0.1.2*12(2208010000)" EOL "0.1.2*11(1220701000000)" EOL
                   "1.8.0(3.0*kWh)" EOL "1.8.0*12(2.0*kWh)" EOL "1.8.0&11(1.0*kWh)" EOL "!" EOL);
    const struct reading *x = reading_of(&r, "1.8.0*12", NULL);

    ck_assert_uint_eq(x->storage, 12);
    ck_assert_str_eq(x->time_text, "2022-08-01T00:00:00");
    x = reading_of(&r, "1.8.0&11", NULL);
    ck_assert_uint_eq(x->storage, 11);
    ck_assert_str_eq(x->time_text, "2022-07-01T00:00:00+02:00");
    ck_assert_int_eq(reading_of(&r, "1.8.0", NULL)->time_source, TIME_SOURCE_NONE);
    support_release();
}
END_TEST

START_TEST(heat_heads_without_medium_are_no_electricity)
{
    struct decode_result r = read_block(
        "/KAM MC" EOL, "6.8(00433.65*GJ)" EOL "6.26(03052.95*m3)" EOL "6.31(0109868*h)!" EOL);
    const struct reading *x = reading_of(&r, "6.8", NULL);

    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_int_eq(x->quantity, QUANTITY_ENERGY);
    ck_assert(obis_is_none(x->obis));
    ck_assert_int_eq(reading_of(&r, "6.26", NULL)->quantity, QUANTITY_VOLUME);
    ck_assert_int_eq(reading_of(&r, "6.31", NULL)->quantity, QUANTITY_DURATION);
    support_release();
}
END_TEST

START_TEST(load_profile_rows_follow_the_header)
{
    struct decode_result r = read_block(
        NULL, "P.01(0210114223000)(00000000)(15)(2)(1.5)(kW)(1-1:1.29)(kWh)" EOL
              "(0.00063)(0.1)" EOL "(0.00064)(0.2)" EOL "(0.00065)()" EOL
              "P.01(1210714223000)(00000024)(15)(1)(1.5)" EOL "(kW)" EOL "(7.1)" EOL "(7.2)" EOL);

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_uint_eq(r.nreadings, 2 + 5 + 2);
    ck_assert_str_eq(value_of(&r, "P.01", "status"), "0");
    ck_assert_str_eq(r.readings[1].time_text, "2021-01-14T22:30:00+01:00");
    ck_assert_str_eq(r.readings[3].time_text, "2021-01-14T22:45:00+01:00");
    ck_assert_int_eq(r.readings[3].time_source, TIME_SOURCE_PROFILE);
    ck_assert_str_eq(r.readings[2].obis_text, "1-1:1.29");
    ck_assert_int_eq(r.readings[2].quantity, QUANTITY_ENERGY);
    /* Data not valid: the first row of the header, no other. */
    ck_assert_int_eq(r.readings[7].quality, QUALITY_INVALID);
    ck_assert_int_eq(r.readings[8].quality, QUALITY_MEASURED);
    ck_assert_str_eq(r.readings[8].time_text, "2021-07-14T22:45:00+02:00");
    ck_assert_uint_eq(r.readings[8].nth, 0);
    support_release();
}
END_TEST

START_TEST(a_cut_row_is_left_out_and_told)
{
    struct decode_result r = read_block(NULL, "P.01(0210114223000)(00)(15)(2)(1.5)(kW)(2.5)(kW)" EOL
                                              "(1)(2)" EOL "(3)" EOL);

    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 3);
    ck_assert_ptr_nonnull(strstr(r.reason, "2021-01-14T22:45:00+01:00"));
    support_release();
}
END_TEST

START_TEST(log_books_give_status_and_values)
{
    struct decode_result r = read_block(
        NULL, "P.98(1220826235646)(00008020)()(2)(0.9.1)()(0.9.2)()(1235703)(1220826)" EOL
              "P.98(1220901000000)(00000010)()(0)" EOL "P.98()" EOL);

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(value_of(&r, "P.98", "status"), "32800");
    ck_assert_str_eq(r.readings[0].time_text, "2022-08-26T23:56:46+02:00");
    ck_assert_str_eq(value_of(&r, "0.9.1", NULL), "1235703");
    ck_assert_str_eq(value_of(&r, "0.9.2", NULL), "1220826");
    ck_assert_str_eq(r.readings[3].time_text, "2022-09-01T00:00:00+02:00");
    support_release();
}
END_TEST

#define P1                                                                                         \
    "/ISk5\\2MT382-1000" EOL EOL "1-3:0.2.8(50)" EOL "0-0:1.0.0(101209113020W)" EOL                \
    "0-0:96.1.1(4B384547303034303436333935353037)" EOL "1-0:1.8.1(123456.789*kWh)" EOL             \
    "1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)" EOL    \
    "0-1:24.1.0(003)" EOL "0-1:24.2.1(101209112500W)(12785.123*m3)" EOL                            \
    "0-2:24.2.1(632525252525S)(00000.000)" EOL

START_TEST(p1_telegrams_are_checked_and_read)
{
    struct decode_result r = read_p1(P1);
    const struct reading *x;
    char text[DEVICE_ID_TEXT_MAX];

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(device_id_format(&r.device, text), "ISK-K8EG004046395507");
    ck_assert_str_eq(link_of(&r, "check"), "crc16");
    x = reading_of(&r, "0-1:24.2.1", NULL);
    ck_assert_str_eq(x->time_text, "2010-12-09T11:25:00+01:00");
    ck_assert_int_eq(x->quantity, QUANTITY_VOLUME);
    ck_assert_str_eq(reading_of(&r, "1-0:1.8.1", NULL)->time_text, "2010-12-09T11:30:20+01:00");
    ck_assert_str_eq(value_of(&r, "0-0:96.7.19", NULL), "240");
    ck_assert_str_eq(reading_of(&r, "0-0:96.7.19", NULL)->time_text, "2010-12-08T15:24:15+01:00");
    ck_assert_int_eq(reading_of(&r, "0-2:24.2.1", NULL)->time, EMT_TIME_NONE);
    support_release();
}
END_TEST

START_TEST(p1_of_version_two_dates_its_gas_hour)
{
    struct decode_result r =
        read_plain("/KMP5 KA6U001660297912" EOL EOL "1-0:1.8.1(00068.000*kWh)" EOL
                   "0-1:24.3.0(121106150000)(00)(60)(1)(0-1:24.2.1)(m3)" EOL "(00054.386)" EOL
                   "0-1:24.4.0(1)" EOL "!" EOL);
    const struct reading *x = reading_of(&r, "0-1:24.2.1", NULL);

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_str_eq(value_of(&r, "0-1:24.2.1", NULL), "54.386");
    ck_assert_str_eq(x->unit, "m3");
    ck_assert_str_eq(x->time_text, "2012-11-06T15:00:00");
    support_release();
}
END_TEST

START_TEST(a_meter_number_of_din_43863_5_names_its_maker)
{
    struct decode_result r =
        read_plain("/ESY5Q3DA1004 V3.04" EOL EOL "1-0:0.0.0*255(1336001560)" EOL
                   "0-0:96.1.255*255(1ESY1336001560)" EOL "!" EOL "  25818685" EOL);
    char text[DEVICE_ID_TEXT_MAX];

    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(device_id_format(&r.device, text), "-1ESY1336001560");
    support_release();
}
END_TEST

START_TEST(every_flipped_bit_of_a_block_is_found)
{
    size_t n;

    (void)read_block("/EMH4" EOL, "1.8.0(12*kWh)" EOL "!" EOL);
    n = strlen(telegram);
    for (size_t i = 0; i < n * 8; i++) {
        struct decode_result r;

        if (i % 8 == 7 || i / 8 < 7) /* seven bits; the identification has no check */
            continue;
        telegram[i / 8] ^= (char)(1u << i % 8);
        r = decode_bytes(PROTOCOL_IEC62056_21, telegram, n);
        ck_assert_msg(r.state != FRAME_OK, "bit %zu", i);
        ck_assert_uint_eq(r.nreadings, 0);
        telegram[i / 8] ^= (char)(1u << i % 8);
    }
    support_release();
}
END_TEST

START_TEST(every_prefix_is_refused)
{
    size_t n;

    (void)read_p1(P1);
    n = strlen(telegram);
    for (size_t i = 1; i < n - 2; i++) /* without its last line end it is whole */
        ck_assert_msg(decode_bytes(PROTOCOL_IEC62056_21, telegram, i).state != FRAME_OK,
                      "%zu of %zu", i, n);
    (void)read_block("/EMH4" EOL, "1.8.0(12*kWh)" EOL "!" EOL);
    n = strlen(telegram);
    for (size_t i = 1; i < n; i++)
        ck_assert_int_ne(decode_bytes(PROTOCOL_IEC62056_21, telegram, i).state, FRAME_OK);
    support_release();
}
END_TEST

START_TEST(lines_that_are_none_refuse_the_read_out)
{
    static const char *const bad[] = {
        "1.8.0(12*kWh" EOL "!" EOL, "1.8.0 12*kWh" EOL "!" EOL, "1.8.0((12*kWh)" EOL "!" EOL,
        "(12)" EOL "!" EOL,         "1.8.0)12(" EOL "!" EOL,
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(read_block("/EMH4" EOL, bad[i]).state, FRAME_MALFORMED);
        ck_assert_int_eq(read_plain(bad[i]).state, FRAME_MALFORMED);
    }
    ck_assert_int_eq(read_plain("/EMH4" EOL "1.8.0(1*kWh)" EOL "! what" EOL).state,
                     FRAME_MALFORMED);
    ck_assert_int_eq(read_plain("/EMH4" EOL "1.8.0(1*kWh)" EOL "!" EOL "/EMH4" EOL).state,
                     FRAME_MALFORMED);
    /* DSMR 4 and 5 have to print a checksum. */
    ck_assert_int_eq(read_plain("/KFM5" EOL EOL "1-3:0.2.8(42)" EOL "!" EOL).state,
                     FRAME_MALFORMED);
    ck_assert_int_eq(decode_bytes(PROTOCOL_IEC62056_21, "\xdb\x08", 2).state, FRAME_UNSUPPORTED);
    support_release();
}
END_TEST

START_TEST(seven_bits_with_parity_read_with_eight)
{
    struct decode_result r = read_block("/EMH4" EOL, "1.8.0(12*kWh)" EOL "!" EOL);
    size_t n = strlen(telegram);

    for (size_t i = 0; i < n; i++)
        if (__builtin_parity((unsigned char)telegram[i]))
            telegram[i] = (char)((unsigned char)telegram[i] | 0x80u);
    r = decode_bytes(PROTOCOL_IEC62056_21, telegram, n);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(link_of(&r, "parity"), "even");
    ck_assert_str_eq(value_of(&r, "1.8.0", NULL), "12");
    support_release();
}
END_TEST

START_TEST(other_alphabets_end_as_utf_8)
{
    struct decode_result r =
        read_plain("/EMH4" EOL "7-0:3.0.0(1*m\xb3)" EOL "6-0:10.0.0(20*\xb0"
                   "C)" EOL "8-0:1.0.0(2*m\xc2\xb3)" EOL "0-0:96.13.0(\x01\xfc)" EOL "!" EOL);

    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(reading_of(&r, "7-0:3.0.0", NULL)->unit, "m3");
    ck_assert_str_eq(reading_of(&r, "6-0:10.0.0", NULL)->unit, "\xc2\xb0"
                                                               "C");
    ck_assert_str_eq(reading_of(&r, "8-0:1.0.0", NULL)->unit, "m3");
    ck_assert_str_eq(value_of(&r, "0-0:96.13.0", NULL), "?\xc3\xbc");
    support_release();
}
END_TEST

START_TEST(blocks_in_parts_say_that_more_follows)
{
    char block[] = "\x02"
                   "1.8.0(1*kWh)" EOL "\x04"
                   "?";
    size_t n = strlen(block);
    struct decode_result r;

    block[n - 1] = (char)iec_bcc((const uint8_t *)block + 1, n - 2);
    r = decode_bytes(PROTOCOL_IEC62056_21, block, n);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert(r.more_follows);
    support_release();
}
END_TEST

SUITE(iec, check_characters_of_known_messages, codes_long_short_and_with_letters,
      times_with_and_without_season, a_read_out_gives_its_values,
      previous_values_have_the_date_of_their_period, heat_heads_without_medium_are_no_electricity,
      load_profile_rows_follow_the_header, a_cut_row_is_left_out_and_told,
      log_books_give_status_and_values, p1_telegrams_are_checked_and_read,
      p1_of_version_two_dates_its_gas_hour, a_meter_number_of_din_43863_5_names_its_maker,
      every_flipped_bit_of_a_block_is_found, every_prefix_is_refused,
      lines_that_are_none_refuse_the_read_out, seven_bits_with_parity_read_with_eight,
      other_alphabets_end_as_utf_8, blocks_in_parts_say_that_more_follows)
