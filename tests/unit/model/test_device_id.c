#include "model/device_id.h"
#include "suites.h"

#include <string.h>

START_TEST(texts_of_identities)
{
    struct device_id meter = { "KAM", "60723506", 0x19, 0x0c, true };
    struct device_id adapter = { "KAM", "60723506", 0, 0, false };
    struct device_id electric = { "", "1EMH0010599732", 0, 0, false };
    char buf[DEVICE_ID_TEXT_MAX];

    ck_assert_str_eq(device_id_format(&meter, buf), "KAM-60723506-19-0c");
    ck_assert_str_eq(device_id_format(&adapter, buf), "KAM-60723506");
    ck_assert_str_eq(device_id_format(&electric, buf), "-1EMH0010599732");
}
END_TEST

/* Numbers that look like the end of another identity: every text must lead back to its own. */
START_TEST(no_two_identities_share_a_text)
{
    static const char *const numbers[] = {
        "1",      "x-", "x--", "x-19-0c", "x-19-0c-",
        "-19-0c", "-",  "--",  "19-0c",   "12345678901234567890123456789012"
    };
    enum { N = sizeof numbers / sizeof numbers[0] };
    char texts[N * 4][DEVICE_ID_TEXT_MAX];

    for (unsigned i = 0; i < N * 4; i++) {
        struct device_id id = { .has_version = i & 1,
                                .version = i & 1 ? 0x19 : 0,
                                .type = i & 1 ? 0x0c : 0 };
        struct device_id back;

        memcpy(id.manufacturer, i & 2 ? "@_Z" : "", i & 2 ? 4 : 1);
        memcpy(id.number, numbers[i / 4], strlen(numbers[i / 4]));
        (void)device_id_format(&id, texts[i]);
        ck_assert_msg(device_id_parse(texts[i], &back) == EMT_OK, "%s", texts[i]);
        ck_assert_msg(device_id_equal(&id, &back), "%s", texts[i]);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(texts[i], texts[j]);
    }
}
END_TEST

START_TEST(what_is_no_identity_is_malformed)
{
    static const char *const bad[] = {
        "",
        "-",
        "KAM",
        "KAM-",
        "KA-1",
        "KAMM-1",
        "kam-1",
        "KAM--19-0c-x\n",
        "-123456789012345678901234567890123",
        "KAM-x-",
        "1-2",
        "-1234567890123456789012345678901234567890123456789012345678901234"
    };
    struct device_id id = { .version = 42 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(device_id_parse(bad[i], &id) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_uint_eq(id.version, 42);
}
END_TEST

START_TEST(equality_needs_every_part)
{
    struct device_id a = { "KAM", "1", 2, 3, true };
    struct device_id b = a;

    ck_assert(device_id_equal(&a, &b));
    b.type = 4;
    ck_assert(!device_id_equal(&a, &b));
    a.has_version = b.has_version = false;
    ck_assert(device_id_equal(&a, &b));
    memcpy(b.manufacturer, "ELS", 4);
    ck_assert(!device_id_equal(&a, &b));
}
END_TEST

START_TEST(manufacturers_in_five_bits)
{
    char out[4];
    uint16_t code;

    manufacturer_from_code(0x2c2d, out);
    ck_assert_str_eq(out, "KAM");
    manufacturer_from_code(0xac2d, out);
    ck_assert_str_eq(out, "KAM");
    manufacturer_from_code(0, out);
    ck_assert_str_eq(out, "@@@");
    ck_assert_int_eq(manufacturer_to_code("KAM", &code), EMT_OK);
    ck_assert_uint_eq(code, 0x2c2d);
    ck_assert_int_eq(manufacturer_to_code("kam", &code), EMT_EMALFORMED);
    ck_assert_int_eq(manufacturer_to_code("KA", &code), EMT_EMALFORMED);
    ck_assert_int_eq(manufacturer_to_code("KAMS", &code), EMT_EMALFORMED);
    ck_assert_int_eq(manufacturer_to_code("", &code), EMT_EMALFORMED);
}
END_TEST

START_TEST(every_type_has_a_name)
{
    for (unsigned i = 0; i <= 255; i++)
        ck_assert_ptr_nonnull(medium_name((uint8_t)i));
    ck_assert_str_eq(medium_name(0x02), "electricity");
    ck_assert_str_eq(medium_name(0x06), "warm-water");
    ck_assert_str_eq(medium_name(0xff), "unknown");
}
END_TEST

SUITE(device_id, texts_of_identities, no_two_identities_share_a_text,
      what_is_no_identity_is_malformed, equality_needs_every_part, manufacturers_in_five_bits,
      every_type_has_a_name)
