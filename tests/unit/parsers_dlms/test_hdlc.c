/* Frame format type 3 of IEC 62056-46. */
#include "common/crc16.h"
#include "dlms/dlms_hdlc.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static uint8_t frame[4096];

/* 7E, format, the bytes between it and the check sequences, and both of them. */
static size_t make(const char *head_hex, const char *info_hex, bool segmented)
{
    size_t n = 3 + dlms_test_hex(head_hex, frame + 3, 64), len;
    size_t info = info_hex ? dlms_test_hex(info_hex, frame + n + 2, 2040) : 0;
    uint16_t crc;

    len = n - 1 + (info ? 2 + info : 0) + 2;
    frame[0] = HDLC_FLAG;
    frame[1] = (uint8_t)(0xa0 | (segmented ? 8 : 0) | len >> 8);
    frame[2] = (uint8_t)len;
    if (info) {
        crc = crc16_x25(frame + 1, n - 1);
        frame[n] = (uint8_t)crc;
        frame[n + 1] = (uint8_t)(crc >> 8);
        n += 2 + info;
    }
    crc = crc16_x25(frame + 1, n - 1);
    frame[n] = (uint8_t)crc;
    frame[n + 1] = (uint8_t)(crc >> 8);
    frame[n + 2] = HDLC_FLAG;
    return n + 3;
}

static enum emt_err read_frame(size_t n, struct hdlc_frame *f)
{
    struct reader in = reader_of(frame, n);

    return hdlc_frame_read(&in, f);
}

START_TEST(addresses_have_one_two_or_four_bytes)
{
    struct hdlc_frame f;

    ck_assert_int_eq(read_frame(make("0321 13", "0102", false), &f), EMT_OK);
    ck_assert_uint_eq(f.destination, 1);
    ck_assert_uint_eq(f.source, 0x10);
    ck_assert_int_eq(read_frame(make("0003 00020021 13", "0102", false), &f), EMT_OK);
    ck_assert_uint_eq(f.destination, 1);
    ck_assert_uint_eq(f.source, (1u << 14) + 0x10);
    ck_assert_int_eq(read_frame(make("000003 21 13", "0102", false), &f), EMT_EMALFORMED);
    ck_assert_int_eq(read_frame(make("00000000 03 13", "0102", false), &f), EMT_EMALFORMED);
}
END_TEST

START_TEST(information_and_segmentation_are_told)
{
    struct hdlc_frame f;

    ck_assert_int_eq(read_frame(make("0321 13", "0102 03", true), &f), EMT_OK);
    ck_assert(f.segmented);
    ck_assert_uint_eq(f.info_len, 3);
    ck_assert_uint_eq(f.info[2], 3);
    ck_assert_int_eq(read_frame(make("0321 73", NULL, false), &f), EMT_OK); /* UA */
    ck_assert_ptr_null(f.info);
    ck_assert(!f.segmented);
}
END_TEST

START_TEST(information_and_unnumbered_information_carry_data)
{
    ck_assert(hdlc_carries_data(0x00));
    ck_assert(hdlc_carries_data(0x30));
    ck_assert(hdlc_carries_data(0x03));
    ck_assert(hdlc_carries_data(0x13));
    ck_assert(!hdlc_carries_data(0x31)); /* RR */
    ck_assert(!hdlc_carries_data(0x93)); /* SNRM */
    ck_assert(!hdlc_carries_data(0x73)); /* UA */
}
END_TEST

START_TEST(every_flipped_bit_is_found)
{
    size_t n = make("0321 13", "e6e700 0f40000001000200", false);
    struct hdlc_frame f;

    for (size_t bit = 0; bit < 8 * n; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(read_frame(n, &f) != EMT_OK, "bit %zu", bit);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(read_frame(n, &f), EMT_OK);
}
END_TEST

START_TEST(every_prefix_is_truncated)
{
    size_t n = make("0321 13", "e6e700 0f40000001000200", false);
    struct hdlc_frame f;

    for (size_t i = 0; i < n; i++)
        ck_assert_msg(read_frame(i, &f) != EMT_OK, "%zu bytes", i);
}
END_TEST

SUITE(hdlc, addresses_have_one_two_or_four_bytes, information_and_segmentation_are_told,
      information_and_unnumbered_information_carry_data, every_flipped_bit_is_found,
      every_prefix_is_truncated)
