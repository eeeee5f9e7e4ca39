#include "base/writer.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

START_TEST(numbers_in_both_byte_orders)
{
    uint8_t out[8];
    struct writer w;
    static const uint8_t expected[] = { 1, 0x34, 0x12, 0x12, 0x34, 0, 0, 0 };

    writer_init_fixed(&w, out, sizeof out);
    ck_assert(writer_u8(&w, 1));
    ck_assert(writer_le(&w, 0x1234, 2));
    ck_assert(writer_be(&w, 0x1234, 2));
    ck_assert_ptr_nonnull(writer_reserve(&w, 3));
    ck_assert_mem_eq(out, expected, 8);
    ck_assert_uint_eq(w.len, 8);
}
END_TEST

START_TEST(a_full_writer_stays_failed)
{
    uint8_t out[3] = { 0 };
    struct writer w;

    writer_init_fixed(&w, out, sizeof out);
    ck_assert(!writer_le(&w, 1, 4));
    ck_assert(!writer_u8(&w, 1));
    ck_assert(w.failed);
    ck_assert_uint_eq(out[0], 0);
    writer_clear(&w);
    ck_assert(writer_u8(&w, 1));
}
END_TEST

START_TEST(a_growing_writer_stops_at_its_limit)
{
    struct writer w;

    writer_init_heap(&w, 1000);
    for (int i = 0; i < 1000; i++)
        ck_assert(writer_u8(&w, (uint8_t)i));
    ck_assert_uint_eq(w.data[999], 999 % 256);
    ck_assert(!writer_u8(&w, 0));
    ck_assert_str_eq(writer_cstr(&w), "");
    writer_release(&w);
}
END_TEST

START_TEST(a_text_at_the_limit_still_has_its_zero)
{
    struct writer w;

    writer_init_heap(&w, 5);
    ck_assert(writer_text(&w, "hello"));
    ck_assert_str_eq(writer_cstr(&w), "hello");
    ck_assert_uint_eq(w.len, 5);
    ck_assert(!writer_u8(&w, 'x'));
    writer_release(&w);
}
END_TEST

START_TEST(a_fixed_text_needs_room_for_its_zero)
{
    char out[5];
    struct writer w;

    writer_init_fixed(&w, out, sizeof out);
    ck_assert(writer_text(&w, "hello"));
    ck_assert_str_eq(writer_cstr(&w), "");
    ck_assert(w.failed);
}
END_TEST

START_TEST(printf_of_any_length)
{
    struct writer w;

    writer_init_heap(&w, 2000);
    ck_assert(writer_printf(&w, "%d-%s", 7, "x"));
    ck_assert(writer_printf(&w, "%01000d", 1));
    ck_assert_uint_eq(w.len, 1003);
    ck_assert_uint_eq(w.data[1002], '1');
    ck_assert(!writer_printf(&w, "%01000d", 1));
    writer_release(&w);
}
END_TEST

START_TEST(a_length_that_wraps_is_refused)
{
    struct writer w;

    writer_init_heap(&w, SIZE_MAX);
    ck_assert(writer_u8(&w, 1));
    ck_assert_ptr_null(writer_reserve(&w, SIZE_MAX));
    ck_assert(w.failed);
    writer_release(&w);
}
END_TEST

SUITE(writer, numbers_in_both_byte_orders, a_full_writer_stays_failed,
      a_growing_writer_stops_at_its_limit, a_text_at_the_limit_still_has_its_zero,
      a_fixed_text_needs_room_for_its_zero, printf_of_any_length, a_length_that_wraps_is_refused)
