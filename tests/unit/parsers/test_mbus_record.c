#include "mbus/mbus_record.h"
#include "mbus/mbus_value.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static enum emt_err decode_one(const char *hex, struct mbus_record *rec)
{
    static uint8_t bytes[64];
    struct reader in = reader_of(bytes, bytes_of(hex, bytes, sizeof bytes));

    return mbus_record_decode(&in, rec);
}

/* EN 13757-3: 84 40 14 is sub-unit 1, C4 F1 41 13 is storage 35, tariff 3, sub-unit 3. */
START_TEST(extensions_add_bits)
{
    struct mbus_record r;

    ck_assert_int_eq(decode_one("844014 01000000", &r), EMT_OK);
    ck_assert_uint_eq(r.subunit, 1);
    ck_assert_uint_eq(r.storage, 0);
    ck_assert_int_eq(decode_one("c4f14113 01000000", &r), EMT_OK);
    ck_assert_uint_eq(r.storage, 35);
    ck_assert_uint_eq(r.tariff, 3);
    ck_assert_uint_eq(r.subunit, 3);
    /* Ten extensions: storage up to 41 bits. */
    ck_assert_int_eq(decode_one("c4 8f8f8f8f8f8f8f8f8f0f 13 01000000", &r), EMT_OK);
    ck_assert_uint_eq(r.storage, UINT64_C(0x1ffffffffff));
    ck_assert_uint_eq(r.header_len, 12);
}
END_TEST

START_TEST(every_prefix_is_truncated)
{
    static const char *const records[] = {
        "84401493ba3c01020304",
        "0dfd0c0548454c4c4f",
        "04fc03522548 74 01020304",
        "8da0019313020000",
    };
    struct mbus_record r;

    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        uint8_t bytes[64];
        size_t n = bytes_of(records[i], bytes, sizeof bytes);
        struct reader whole = reader_of(bytes, n);

        ck_assert_int_eq(mbus_record_decode(&whole, &r), EMT_OK);
        for (size_t k = 1; k < whole.pos; k++) {
            struct reader part = reader_of(bytes, k);

            ck_assert_msg(mbus_record_decode(&part, &r) == EMT_ETRUNCATED, "%s, %zu bytes",
                          records[i], k);
        }
    }
}
END_TEST

START_TEST(more_than_ten_extensions_are_malformed)
{
    struct mbus_record r;

    ck_assert_int_eq(decode_one("04938484848484848484848404 00000000", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("848b8b8b8b8b8b8b8b8b8b0013 00000000", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("0493848484848484848404 00000000", &r), EMT_OK);
}
END_TEST

START_TEST(reserved_codes_are_malformed)
{
    struct mbus_record r;

    ck_assert_int_eq(decode_one("3f00", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("7f", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("8f00", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("0d13ca", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("0d13f7", &r), EMT_EMALFORMED);
    ck_assert_int_eq(decode_one("2f2f2f", &r), EMT_ENOTFOUND);
    ck_assert_int_eq(decode_one("", &r), EMT_ENOTFOUND);
}
END_TEST

START_TEST(a_tail_takes_the_rest)
{
    struct mbus_record r;

    ck_assert_int_eq(decode_one("0f010203", &r), EMT_OK);
    ck_assert(r.tail && !r.more_follows);
    ck_assert_uint_eq(r.value_len, 3);
    ck_assert_int_eq(decode_one("1f", &r), EMT_OK);
    ck_assert(r.tail && r.more_follows);
    ck_assert_uint_eq(r.value_len, 0);
}
END_TEST

START_TEST(bcd_knows_minus_and_refuses_letters)
{
    const uint8_t minus[] = { 0x40, 0x00, 0xf0 };
    const uint8_t letter[] = { 0x4a, 0x00 };
    const uint8_t all[] = { 0xff, 0xff };
    const uint8_t nine[] = { 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99 };
    int64_t v;

    ck_assert(mbus_bcd(minus, sizeof minus, &v));
    ck_assert_int_eq(v, -40);
    ck_assert(!mbus_bcd(letter, sizeof letter, &v));
    ck_assert(!mbus_bcd(all, sizeof all, &v));
    ck_assert(mbus_bcd(nine, sizeof nine, &v));
    ck_assert_int_eq(v, INT64_C(999999999999999999));
}
END_TEST

START_TEST(binary_is_sign_extended_from_its_width)
{
    const uint8_t p[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };

    ck_assert_int_eq(mbus_binary(p, 3, true), -1);
    ck_assert_int_eq(mbus_binary(p, 3, false), 0xffffff);
    ck_assert_int_eq(mbus_binary(p, 8, true), INT64_MAX);
    ck_assert_int_eq(mbus_binary(p, 0, true), 0);
}
END_TEST

SUITE(mbus_record, extensions_add_bits, every_prefix_is_truncated,
      more_than_ten_extensions_are_malformed, reserved_codes_are_malformed, a_tail_takes_the_rest,
      bcd_knows_minus_and_refuses_letters, binary_is_sign_extended_from_its_width)
