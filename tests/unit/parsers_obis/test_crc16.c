#include "common/crc16.h"
#include "suites.h"

static const uint8_t check[] = "123456789";

START_TEST(check_values_of_the_catalogue)
{
    ck_assert_uint_eq(crc16_x25(check, 9), 0x906e);
    ck_assert_uint_eq(crc16_kermit(check, 9), 0x2189);
    ck_assert_uint_eq(crc16_arc(check, 9), 0xbb3d);
}
END_TEST

static uint16_t bit_by_bit(uint16_t crc, uint16_t poly, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (unsigned k = 0; k < 8; k++)
            crc = (uint16_t)(crc & 1u ? crc >> 1 ^ poly : crc >> 1);
    }
    return crc;
}

START_TEST(every_length_agrees_with_the_definition)
{
    uint8_t bytes[70];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 73 + 11);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        ck_assert_uint_eq(crc16_x25(bytes, n), (uint16_t)~bit_by_bit(0xffff, 0x8408, bytes, n));
        ck_assert_uint_eq(crc16_kermit(bytes, n), bit_by_bit(0, 0x8408, bytes, n));
        ck_assert_uint_eq(crc16_arc(bytes, n), bit_by_bit(0, 0xa001, bytes, n));
    }
}
END_TEST

SUITE(crc16, check_values_of_the_catalogue, every_length_agrees_with_the_definition)
