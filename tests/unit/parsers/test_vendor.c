/* Profiles of manufacturers: what the language says, what it refuses and where, and that a block is
 * read as described and stays in the list as sent. Blocks are of our own making. */
#include "parsers/vendor_profiles.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define PROFILE                                                                                    \
    "profiles:\n"                                                                                  \
    "  - manufacturer: [EMT]\n"                                                                    \
    "    version: [\"01\"]\n"                                                                      \
    "    type: [\"07\"]\n"                                                                         \
    "    layouts:\n"
#define LAYOUT PROFILE "      - tail: true\n"
#define FIELDS LAYOUT "        fields:\n          - "

static struct vendor_profiles *load(const char *text)
{
    struct vendor_profiles *v = vendor_profiles_new();
    struct emt_diag diag = { 0 };
    char why[512];

    ck_assert_ptr_nonnull(v);
    if (vendor_profiles_add_text(v, "own.yaml", text, strlen(text), &diag) != EMT_OK)
        ck_abort_msg("%s", emt_diag_format(&diag, why, sizeof why));
    return v;
}

static struct decode_result decode(struct decoder *d, struct vendor_profiles *v, const char *hex)
{
    uint8_t frame[256];
    struct decode_request req;
    struct decode_result r;
    size_t n = bytes_of(hex, frame, sizeof frame);

    arena_reset(d->arena);
    frame[0] = (uint8_t)(n - 1);
    req = decoder_request(d, PROTOCOL_WMBUS, arena_copy(d->arena, frame, n), n);
    req.format = FRAME_FORMAT_NO_LINK_CRC;
    req.vendors = v;
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    return r;
}

/* One field over the block 0f | bytes of a water meter: the readings behind the raw one as text. */
static void check_field(const char *field, const char *block, const char *want)
{
    char text[1024], hex[256], got[1024] = "";
    struct vendor_profiles *v;
    struct decode_result r;
    struct decoder d;

    (void)snprintf(text, sizeof text, FIELDS "%s\n", field);
    (void)snprintf(hex, sizeof hex, "0044b415785634120107780f%s", block);
    v = load(text);
    decoder_open(&d);
    r = decode(&d, v, hex);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_ge(r.nreadings, 1);
    ck_assert_int_eq(r.readings[0].kind, READING_RAW); /* as sent, too */
    for (unsigned i = 1; i < r.nreadings; i++) {
        const struct reading *q = &r.readings[i];
        char number[DECIMAL_TEXT_MAX];
        size_t n = strlen(got);

        (void)snprintf(got + n, sizeof got - n, "%s%s %s%s%s%s%s", n ? ", " : "",
                       quantity_name(q->quantity), decimal_format(q->value, number),
                       q->unit ? " " : "", q->unit ? q->unit : "", q->time_text[0] ? " " : "",
                       q->time_text);
        n = strlen(got);
        if (q->storage)
            (void)snprintf(got + n, sizeof got - n, " s=%u", (unsigned)q->storage);
        n = strlen(got);
        if (q->quality != QUALITY_MEASURED)
            (void)snprintf(got + n, sizeof got - n, " %s", quality_name(q->quality));
    }
    ck_assert_msg(strcmp(got, want) == 0, "%s over %s:\n  is   %s\n  want %s", field, block, got,
                  want);
    decoder_close(&d);
    vendor_profiles_free(v);
}

START_TEST(numbers_are_read_as_described)
{
    check_field("{ at: 1, as: u16, quantity: volume, unit: m3, scale: \"0.001\" }", "ff0102ff",
                "volume 0.513 m3");
    check_field("{ at: 1, as: u16be, quantity: volume, unit: m3 }", "ff0102ff", "volume 258 m3");
    check_field("{ at: 0, as: i16, quantity: temperature, unit: \"°C\" }", "feff",
                "temperature -2 °C");
    check_field("{ at: 0, as: bcd4, quantity: counter }", "3412", "counter 1234");
    check_field("{ at: 0, as: bcd4, quantity: counter }", "3a12", ""); /* no digits, no value */
    check_field("{ at: 0, as: u8, bits: { first: 4, count: 3 }, quantity: counter }", "d5",
                "counter 5");
    check_field("{ sum: [{ at: 0, as: u8 }, { at: 1, as: u8, times: 256 }], quantity: counter }",
                "0102", "counter 513");
    check_field("{ at: 0, as: u32, quantity: volume, unit: m3, scale: \"0.00000390625\" }",
                "80bf1b00", "volume 7.1035 m3");
    check_field("{ at: 0, as: u16, none: 32768, quantity: counter }", "0080",
                "counter 32768 invalid");
    check_field("{ at: 1, as: u16, quantity: counter }", "ff01", ""); /* not in the block */
    check_field("{ at: 0, as: u64, quantity: counter }", "ffffffffffffffff", "");
}
END_TEST

START_TEST(thirds_powers_and_tables)
{
    check_field("{ at: 0, as: u16, quantity: volume, unit: m3, scale: \"0.001\", divide: 3,"
                " places: 6 }",
                "0a00", "volume 0.003333 m3");
    check_field("{ at: 0, as: u8, quantity: volume, unit: m3, divide: 3, places: 0 }", "05",
                "volume 2 m3"); /* 1.67 */
    check_field("{ at: 0, as: u8, power_of_two: 2, quantity: duration, unit: s }", "03",
                "duration 32 s");
    check_field("{ at: 0, as: u8, power_of_two: 2, quantity: duration, unit: s }", "3d", "");
    check_field("{ at: 0, as: u8, quantity: voltage, unit: V, lookup: [\"3.7\", \"1.9\"] }", "01",
                "voltage 1.9 V");
    check_field("{ at: 0, as: u8, quantity: voltage, unit: V, lookup: [\"3.7\", \"1.9\"] }", "02",
                "");
}
END_TEST

/* A layout with the keys given over the block of a tail: the readings behind the raw one. */
static void check_layout(const char *keys, const char *block, const char *want)
{
    char field[512];

    (void)snprintf(field, sizeof field, "{ at: 0, as: u8, quantity: counter }\n        %s", keys);
    check_field(field, block, want);
}

START_TEST(fields_count_from_where_a_byte_says)
{
    check_layout("skip: { at: 0, plus: 1 }", "02aaaa07", "counter 7");
    check_layout("skip: { at: 0, plus: 1 }", "03aaaa07", "");
    check_layout("skip: { at: 9, plus: 1 }", "07", "");
}
END_TEST

START_TEST(tags_are_walked)
{
    static const char tags[] =
        FIELDS "{ tag: \"10\", at: 0, as: u16, quantity: counter }\n"
               "        tags: { from: 1, lengths: [{ of: \"0001\", length: 2 },"
               " { of: \"10\", length: 2 }, { of: \"20\", length: 0 }] }\n";
    static const struct {
        const char *block;
        unsigned readings;
    } blocks[] = {
        { "ff 00aaaa 100700", 2 },    /* found behind another */
        { "ff 20 100700 100800", 2 }, /* an empty one; the first counts */
        { "ff 33 100700", 1 },        /* a tag that nobody knows ends the walk */
        { "ff 00aa", 1 },             /* cut */
        { "ff 1007", 1 },
        { "", 0 },
    };
    struct vendor_profiles *v = load(tags);
    struct decoder d;

    decoder_open(&d);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        char hex[128];
        struct decode_result r;

        (void)snprintf(hex, sizeof hex, "0044b41578563412010778 0f %s", blocks[i].block);
        r = decode(&d, v, hex);
        ck_assert_msg(r.nreadings == blocks[i].readings, "%s: %u", blocks[i].block, r.nreadings);
        if (r.nreadings == 2)
            ck_assert_int_eq(r.readings[1].value.mantissa, 7);
    }
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(bits_announce_parts)
{
    static const char parts[] =
        FIELDS "{ part: 2, at: 0, as: u8, quantity: counter }\n"
               "        parts: { flags: 0, from: 1, list: [{ bit: 7, length: 2 },"
               " { bit: 2, length: 1 }, { bit: 0, length: 1 }] }\n";
    static const struct {
        const char *block;
        unsigned readings;
    } blocks[] = {
        { "8c aaaa 07", 2 }, /* behind the part of bit 7 */
        { "05 07 bb", 2 },   { "01 bb", 1 }, { "84 aaaa", 1 }, { "84 aa", 1 },
    };
    struct vendor_profiles *v = load(parts);
    struct decoder d;

    decoder_open(&d);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        char hex[128];
        struct decode_result r;

        (void)snprintf(hex, sizeof hex, "0044b41578563412010778 0f %s", blocks[i].block);
        r = decode(&d, v, hex);
        ck_assert_msg(r.nreadings == blocks[i].readings, "%s: %u", blocks[i].block, r.nreadings);
        if (r.nreadings == 2)
            ck_assert_int_eq(r.readings[1].value.mantissa, 7);
    }
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(a_profile_may_stand_instead_of_a_record)
{
    struct vendor_profiles *v =
        load(PROFILE "      - { record: 02bb56, instead: true,"
                     " fields: [{ at: 0, as: u16, quantity: status, qualifier: error-code }] }\n");
    struct decode_result r;
    struct decoder d;

    decoder_open(&d);
    r = decode(&d, v, "0044b41578563412010778 02bb560500 0413e8030000");
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 2);
    ck_assert_int_eq(r.readings[0].quantity, QUANTITY_STATUS);
    ck_assert_int_eq(r.readings[0].value.mantissa, 5);
    ck_assert_int_eq(r.readings[1].quantity, QUANTITY_VOLUME);
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

#define CALCULATED                                                                                 \
    "profiles:\n"                                                                                  \
    "  - manufacturer: [EMT]\n"                                                                    \
    "    calculated:\n"                                                                            \
    "      - "

/* The last reading of a telegram with 0.3 kWh, 0.4 kvarh, 1,000 days of battery and a volume
 * without a value, as text; "" when nothing is calculated. */
static void check_calculated(const char *entry, const char *want)
{
    char text[1024], got[256] = "", number[DECIMAL_TEXT_MAX];
    struct vendor_profiles *v;
    struct decode_result r;
    struct decoder d;

    (void)snprintf(text, sizeof text, CALCULATED "%s\n", entry);
    v = load(text);
    decoder_open(&d);
    r = decode(&d, v,
               "0044b41578563412010278 04032c010000 04fb827304000000 02fd74e803 021300 80"
               " 046d0c0d1c39");
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_ge(r.nreadings, 5);
    if (r.readings[r.nreadings - 1].calculated) {
        const struct reading *q = &r.readings[r.nreadings - 1];

        (void)snprintf(got, sizeof got, "%s %s %s %s", quantity_name(q->quantity),
                       decimal_format(q->value, number), q->unit ? q->unit : "-", q->qualifier);
        ck_assert(obis_is_none(q->obis));
        ck_assert_str_eq(q->time_text, r.readings[0].time_text);
    }
    ck_assert_msg(strcmp(got, want) == 0, "%s:\n  is   %s\n  want %s", entry, got, want);
    decoder_close(&d);
    vendor_profiles_free(v);
}

START_TEST(readings_are_calculated_and_marked)
{
    check_calculated("{ operation: hypotenuse, of: [{ quantity: energy }, { quantity:"
                     " reactive-energy }], places: 0, quantity: apparent-energy, unit: VAh }",
                     "apparent-energy 300 VAh calculated"); /* 300.03 */
    check_calculated("{ operation: hypotenuse, of: [{ quantity: energy }, { quantity:"
                     " reactive-energy }], places: 3, quantity: apparent-energy, unit: VAh,"
                     " qualifier: export }",
                     "apparent-energy 300.027 VAh calculated+export");
    check_calculated("{ of: [{ quantity: battery, qualifier: remaining }], divide: \"31556952\","
                     " places: 6, quantity: battery, unit: year }",
                     "battery 2.737907 year calculated");
    check_calculated("{ operation: difference, of: [{ quantity: energy }, { quantity:"
                     " reactive-energy }], places: 0, quantity: other }",
                     "other 296 - calculated");
    check_calculated("{ operation: sum, of: [{ quantity: energy }, { quantity: energy }],"
                     " places: 0, quantity: energy, unit: Wh }",
                     "energy 600 Wh calculated");
}
END_TEST

START_TEST(nothing_is_calculated_from_what_is_not_there)
{
    check_calculated("{ of: [{ quantity: power }], places: 0, quantity: power, unit: W }", "");
    check_calculated("{ of: [{ quantity: energy, tariff: 1 }], places: 0, quantity: energy }", "");
    check_calculated("{ of: [{ quantity: volume }], places: 0, quantity: volume, unit: m3 }", "");
    check_calculated("{ operation: sum, of: [{ quantity: energy }, { quantity: power }], places: 0,"
                     " quantity: other }",
                     "");
}
END_TEST

START_TEST(a_vif_in_the_block_gives_the_scale)
{
    check_field("{ at: 1, as: u8, vif: 0 }", "1307", "volume 0.007 m3");
    check_field("{ at: 1, as: u8, vif: 0 }", "6e07", "hca 7 HCA");
    check_field("{ at: 1, as: u8, vif: 0 }", "6d07", ""); /* a date scales nothing */
    check_field("{ at: 0, as: u8, vif: 9 }", "07", "");
}
END_TEST

START_TEST(dates_stand_beside_their_values)
{
    check_field("{ at: 0, as: u8, quantity: counter, date: { at: 1, as: g } }", "079f2c",
                "counter 7 2020-12-31");
    check_field("{ at: 0, as: u8, quantity: counter, date: { at: 1, as: packed } }", "079f27",
                "counter 7 2019-12-31");
    check_field("{ at: 0, as: u8, quantity: counter, date: { at: 1, as: g } }", "07ffff",
                "counter 7");
    check_field("{ at: 0, as: u8, quantity: counter, date: { at: 1, as: g } }", "079f",
                "counter 7");
}
END_TEST

START_TEST(a_field_repeats)
{
    check_field("{ at: 0, as: u8, none: 255, quantity: counter, storage: 5,"
                " repeat: { count: 4, step: 2, storage: -1 } }",
                "01000200ff0004",
                "counter 1 s=5, counter 2 s=4, counter 255 s=3 invalid, counter 4 s=2");
}
END_TEST

START_TEST(only_the_meters_named_are_read)
{
    static const char *const others[] = {
        "0044b41578563412020778 0f07", /* version */
        "0044b41578563412010678 0f07", /* type */
        "0044b51578563412010778 0f07", /* manufacturer */
    };
    struct vendor_profiles *v = load(FIELDS "{ at: 0, as: u8, quantity: counter }\n");
    struct decoder d;

    decoder_open(&d);
    ck_assert_uint_eq(decode(&d, v, "0044b41578563412010778 0f07").nreadings, 2);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_uint_eq(decode(&d, v, others[i]).nreadings, 1);
    ck_assert_uint_eq(decode(&d, NULL, "0044b41578563412010778 0f07").nreadings, 1);
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(length_and_bytes_choose_the_layout)
{
    struct vendor_profiles *v =
        load(PROFILE
             "      - { tail: true, length: 2, fields: [{ at: 0, as: u8, quantity: counter }] }\n"
             "      - { tail: true, least: 3, when: [{ at: 1, is: \"aabb\" }],"
             " fields: [{ at: 0, as: u8, quantity: status }] }\n");
    struct decode_result r;
    struct decoder d;

    decoder_open(&d);
    r = decode(&d, v, "0044b41578563412010778 0f 0700");
    ck_assert_uint_eq(r.nreadings, 2);
    ck_assert_int_eq(r.readings[1].quantity, QUANTITY_COUNTER);
    r = decode(&d, v, "0044b41578563412010778 0f 07aabb");
    ck_assert_uint_eq(r.nreadings, 2);
    ck_assert_int_eq(r.readings[1].quantity, QUANTITY_STATUS);
    ck_assert_uint_eq(decode(&d, v, "0044b41578563412010778 0f 07aabc").nreadings, 1);
    ck_assert_uint_eq(decode(&d, v, "0044b41578563412010778 0f 07").nreadings, 1);
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(records_and_bodies_have_layouts_too)
{
    struct vendor_profiles *v =
        load(PROFILE "      - { record: 0dff5f, fields: [{ at: 0, as: u8, quantity: counter }] }\n"
                     "      - { body: a2, fields: [{ at: 0, as: u8, quantity: counter }] }\n");
    struct decode_result r;
    struct decoder d;

    decoder_open(&d);
    r = decode(&d, v, "0044b41578563412010778 0dff5fe20700");
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 2);
    ck_assert_int_eq(r.readings[1].value.mantissa, 7);
    r = decode(&d, v, "0044b415785634120107a2 08");
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nreadings, 1);
    ck_assert_int_eq(r.readings[0].value.mantissa, 8);
    ck_assert_int_eq(decode(&d, v, "0044b415785634120107a3 08").state, FRAME_UNSUPPORTED);
    decoder_add_key(&d, "000102030405060708090a0b0c0d0e0f");
    ck_assert_int_eq(decode(&d, v, "0044b415785634120107a2 08").state, FRAME_PLAINTEXT_REFUSED);
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(what_is_wrong_is_refused_with_its_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } wrong[] = {
        { "", 0 },
        { "profiles: []\n", 1 },
        { "profiles:\n  - manufacturer: [emt]\n", 2 },
        { "profiles:\n  - manufacturer: [EMT]\n", 2 },
        { "profiles:\n  - manufacturer: [EMT]\n    version: [\"100\"]\n", 3 },
        { PROFILE "      - { tail: true, body: a2 }\n", 6 },
        { PROFILE "      - { record: xx }\n", 6 },
        { LAYOUT, 6 },
        { LAYOUT "        length: 0\n", 7 },
        { LAYOUT "        when: [{ at: 0 }]\n", 7 },
        { FIELDS "{ at: 0 }\n", 8 },
        { FIELDS "{ at: 0, as: u7 }\n", 8 },
        { FIELDS "{ at: 256, as: u8 }\n", 8 },
        { FIELDS "{ at: 0, as: u8 }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: warmth }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: energy, unit: calories }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, scale: much }\n", 8 },
        { FIELDS "{ at: 0, as: u8, bits: { first: 5, count: 4 }, quantity: counter }\n", 8 },
        { FIELDS "{ at: 0, as: bcd2, bits: { first: 0, count: 4 }, quantity: counter }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, function: mean }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, date: { at: 0 } }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, qualifier: \"a|b\" }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter,\n"
                 "              repeat: { count: 3, step: 1, storage: -1 } }\n",
          9 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, kolor: red }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, divide: 3 }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, divide: 1, places: 2 }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, lookup: [] }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, lookup: [a] }\n", 8 },
        { FIELDS "{ at: 0, as: u8, quantity: counter, power_of_two: 63 }\n", 8 },
        { FIELDS "{ tag: \"10\", at: 0, as: u8, quantity: counter }\n", 8 },
        { FIELDS "{ part: 1, at: 0, as: u8, quantity: counter }\n", 8 },
        { LAYOUT "        tags: { from: 0 }\n", 7 },
        { LAYOUT "        tags: { from: 0, lengths: [{ of: \"10\" }] }\n", 7 },
        { LAYOUT "        tags: { from: 0, lengths: [{ of: \"10\", length: 255 }] }\n", 7 },
        { LAYOUT "        parts: { flags: 0, from: 1, list: [{ bit: 8, length: 1 }] }\n", 7 },
        { LAYOUT "        parts: { flags: 0, from: 1 }\n", 7 },
        { LAYOUT "        instead: true\n", 6 },
        { LAYOUT "        prios: [\"0011223344556677\"]\n", 7 },
        { PROFILE "      - body: a2\n        prios: [\"00\"]\n", 7 },
        { CALCULATED "{ places: 0, quantity: power }\n", 4 },
        { CALCULATED "{ of: [{ quantity: power }], quantity: power }\n", 4 },
        { CALCULATED "{ of: [{ quantity: power }], places: 0 }\n", 4 },
        { CALCULATED "{ of: [{ quantity: might }], places: 0, quantity: power }\n", 4 },
        { CALCULATED "{ of: [{ quantity: power }, { quantity: power }], places: 0,"
                     " quantity: power }\n",
          4 },
        { CALCULATED "{ operation: product, of: [{ quantity: power }], places: 0,"
                     " quantity: power }\n",
          4 },
        { CALCULATED "{ operation: hypotenuse, of: [{ quantity: power }], places: 0,"
                     " quantity: power }\n",
          4 },
        { CALCULATED "{ of: [{ quantity: power }], divide: \"0\", places: 0,"
                     " quantity: power }\n",
          4 },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vendor_profiles *v = vendor_profiles_new();
        struct emt_diag diag = { 0 };
        enum emt_err err =
            vendor_profiles_add_text(v, "own.yaml", wrong[i].text, strlen(wrong[i].text), &diag);

        ck_assert_msg(err == EMT_EMALFORMED, "%s", wrong[i].text);
        ck_assert_str_eq(diag.file, "own.yaml");
        ck_assert_msg(wrong[i].line == 0 || diag.line == wrong[i].line, "%s: line %u (%s)",
                      wrong[i].text, diag.line, diag.text);
        ck_assert_uint_eq(vendor_profiles_count(v), 0);
        vendor_profiles_free(v);
    }
}
END_TEST

START_TEST(what_is_added_last_is_asked_first)
{
    static const char own[] = FIELDS "{ at: 0, as: u8, quantity: status }\n";
    struct vendor_profiles *v = load(FIELDS "{ at: 0, as: u8, quantity: counter }\n");
    struct emt_diag diag = { 0 };
    struct decoder d;

    decoder_open(&d);
    ck_assert_int_eq(vendor_profiles_add_text(v, "own", own, strlen(own), &diag), EMT_OK);
    ck_assert_int_eq(decode(&d, v, "0044b41578563412010778 0f07").readings[1].quantity,
                     QUANTITY_STATUS);
    decoder_close(&d);
    vendor_profiles_free(v);
}
END_TEST

START_TEST(those_that_come_with_the_program_load)
{
    struct vendor_profiles *v = vendor_profiles_new();
    struct emt_diag diag = { 0 };
    char why[512];

    ck_assert_msg(vendor_profiles_add_builtin(v, &diag) == EMT_OK, "%s",
                  emt_diag_format(&diag, why, sizeof why));
    ck_assert_uint_gt(vendor_profiles_count(v), 4);
    vendor_profiles_free(v);
}
END_TEST

SUITE(vendor, numbers_are_read_as_described, thirds_powers_and_tables,
      fields_count_from_where_a_byte_says, tags_are_walked, bits_announce_parts,
      a_profile_may_stand_instead_of_a_record, readings_are_calculated_and_marked,
      nothing_is_calculated_from_what_is_not_there, a_vif_in_the_block_gives_the_scale,
      dates_stand_beside_their_values, a_field_repeats, only_the_meters_named_are_read,
      length_and_bytes_choose_the_layout, records_and_bodies_have_layouts_too,
      what_is_wrong_is_refused_with_its_line, what_is_added_last_is_asked_first,
      those_that_come_with_the_program_load)
