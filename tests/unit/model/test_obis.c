#include "model/obis.h"
#include "suites.h"

START_TEST(long_short_and_bare_forms)
{
    static const char *const texts[][2] = {
        { "1-0:1.8.0*255", "1-0:1.8.0*255" },
        { "1-0:1.8.0", "1-0:1.8.0*255" },
        { "1.8.0", "1-0:1.8.0*255" },
        { "1.8.1*03", "1-0:1.8.1*3" },
        { "1-1:2.9.0&7", "1-1:2.9.0*7" },
        { "255-255:255.255.255*255", "255-255:255.255.255*255" },
        { "0-0:96.1.0", "0-0:96.1.0*255" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char buf[OBIS_TEXT_MAX];
        struct obis o;

        ck_assert_int_eq(obis_parse(texts[i][0], &o), EMT_OK);
        ck_assert_str_eq(obis_format(o, buf), texts[i][1]);
    }
}
END_TEST

START_TEST(what_is_no_code_is_malformed)
{
    static const char *const bad[] = {
        "",           "1",           "1.8",         "1.8.",       "1-0",           "1-0:",
        "1-0:1.8",    "256-0:1.8.0", "1-0:1.8.256", "1-0:1.8.0*", "1-0:1.8.0*256", "1-0:1.8.0*255x",
        "1-0:1.8.0 ", "C.1.0",       "1-0:1..0",    "0001.8.0",   "-1.8.0",        "1.8.0.0"
    };
    struct obis o = { 9, 9, 9, 9, 9, 9 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(obis_parse(bad[i], &o) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_int_eq(o.a, 9);
}
END_TEST

START_TEST(packed_order_is_the_order_of_codes)
{
    struct obis import = { 1, 0, 1, 8, 0, 255 };
    struct obis export = { 1, 0, 2, 8, 0, 255 };
    struct obis none = { 0 };
    char buf[OBIS_TEXT_MAX];

    ck_assert_uint_eq(obis_pack(import), UINT64_C(0x0100010800ff));
    ck_assert_uint_lt(obis_pack(import), obis_pack(export));
    ck_assert(obis_equal(obis_unpack(obis_pack(import)), import));
    ck_assert(!obis_equal(import, export));
    ck_assert(obis_is_none(none) && !obis_is_none(import));
    ck_assert_str_eq(obis_format_short(import, buf), "1-0:1.8.0");
}
END_TEST

SUITE(obis, long_short_and_bare_forms, what_is_no_code_is_malformed,
      packed_order_is_the_order_of_codes)
