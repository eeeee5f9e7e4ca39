#include "base/reader.h"
#include "suites.h"

#include <string.h>

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

START_TEST(numbers_in_both_byte_orders)
{
    struct reader r = reader_of(bytes, sizeof bytes);

    ck_assert_uint_eq(reader_u16le(&r), 0x0201);
    ck_assert_uint_eq(reader_u16be(&r), 0x0304);
    ck_assert_uint_eq(reader_be(&r, 3), 0x050607);
    ck_assert_uint_eq(reader_left(&r), 2);
    r = reader_of(bytes, sizeof bytes);
    ck_assert_uint_eq(reader_le(&r, 8), UINT64_C(0x0807060504030201));
    ck_assert(!r.failed);
}
END_TEST

START_TEST(a_read_past_the_end_sticks_and_consumes_nothing)
{
    struct reader r = reader_of(bytes, 3);

    ck_assert_uint_eq(reader_u32le(&r), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(r.pos, 0);
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(a_huge_length_does_not_wrap)
{
    struct reader r = reader_of(bytes, sizeof bytes);

    (void)reader_u8(&r);
    ck_assert_ptr_null(reader_bytes(&r, SIZE_MAX));
    ck_assert(r.failed);
}
END_TEST

START_TEST(peeking_neither_moves_nor_fails)
{
    struct reader r = reader_of(bytes, 2);

    ck_assert_uint_eq(reader_peek(&r, 1), 2);
    ck_assert_uint_eq(reader_peek(&r, 2), 0);
    ck_assert_uint_eq(r.pos, 0);
    ck_assert(!r.failed);
}
END_TEST

START_TEST(a_part_has_its_own_end)
{
    struct reader r = reader_of(bytes, sizeof bytes);
    struct reader sub = reader_sub(&r, 2);

    ck_assert_uint_eq(reader_u16le(&sub), 0x0201);
    ck_assert_uint_eq(reader_u8(&sub), 0);
    ck_assert(sub.failed && !r.failed);
    ck_assert_uint_eq(reader_u8(&r), 3);
}
END_TEST

START_TEST(a_part_that_is_not_there_fails_both)
{
    struct reader r = reader_of(bytes, 3);
    struct reader sub = reader_sub(&r, 4);

    ck_assert(sub.failed && r.failed);
    ck_assert_uint_eq(reader_left(&sub), 0);
}
END_TEST

START_TEST(a_failed_copy_zeroes_its_target)
{
    struct reader r = reader_of(bytes, 3);
    uint8_t out[4] = { 9, 9, 9, 9 };
    static const uint8_t zeros[4];

    ck_assert(!reader_copy(&r, out, sizeof out));
    ck_assert_mem_eq(out, zeros, 4);
    r = reader_of(bytes, 3);
    ck_assert(reader_copy(&r, out, 3));
    ck_assert_mem_eq(out, bytes, 3);
    ck_assert(reader_copy(&r, out, 0));
}
END_TEST

START_TEST(an_empty_input_is_at_its_end)
{
    struct reader r = reader_of("", 0);

    ck_assert(reader_at_end(&r));
    ck_assert(!r.failed);
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert(r.failed);
}
END_TEST

SUITE(reader, numbers_in_both_byte_orders, a_read_past_the_end_sticks_and_consumes_nothing,
      a_huge_length_does_not_wrap, peeking_neither_moves_nor_fails, a_part_has_its_own_end,
      a_part_that_is_not_there_fails_both, a_failed_copy_zeroes_its_target,
      an_empty_input_is_at_its_end)
