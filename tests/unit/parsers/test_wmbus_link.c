#include "base/writer.h"
#include "mbus/mbus_crc.h"
#include "mbus/wmbus_link.h"
#include "parsers/oms_encode.h"
#include "suites.h"
#include "support.h"

#include <string.h>

#define FRAME_MAX 300

/* A telegram with L = n - 1, counting bytes as content. */
static void make_frame(uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(i * 7);
    out[0] = (uint8_t)(n - 1);
}

static size_t add_crc_a(const uint8_t *frame, size_t n, uint8_t *out)
{
    struct writer w;

    writer_init_fixed(&w, out, FRAME_MAX + 50);
    ck_assert_int_eq(oms_add_crc_a(frame, n, &w), EMT_OK);
    return w.len;
}

/* EN 13757-4: the check value of this polynomial over "123456789" is C2B7. */
START_TEST(crc_of_the_check_string)
{
    ck_assert_uint_eq(mbus_crc16((const uint8_t *)"123456789", 9), 0xc2b7);
}
END_TEST

START_TEST(format_a_of_every_length)
{
    struct arena *arena = arena_new(0);
    uint8_t frame[FRAME_MAX], sent[FRAME_MAX + 50];
    struct wmbus_link link;

    for (size_t n = 10; n <= 256; n++) {
        size_t len;

        make_frame(frame, n);
        len = add_crc_a(frame, n, sent);
        ck_assert_int_eq(wmbus_link_parse(arena, sent, len, FRAME_FORMAT_A_CRC, &link), EMT_OK);
        ck_assert_uint_eq(link.len, n);
        ck_assert_mem_eq(link.bytes, frame, n);
        ck_assert_int_eq(wmbus_link_parse(arena, sent, len - 1, FRAME_FORMAT_A_CRC, &link),
                         EMT_ETRUNCATED);
        sent[len / 2] ^= 0x10;
        ck_assert_int_ne(wmbus_link_parse(arena, sent, len, FRAME_FORMAT_A_CRC, &link), EMT_OK);
        arena_reset(arena);
    }
    arena_free(arena);
}
END_TEST

static size_t add_crc_b(const uint8_t *frame, size_t n, uint8_t *out)
{
    struct writer w;
    size_t first = n + 2 <= 128 ? n : 126;

    writer_init_fixed(&w, out, FRAME_MAX + 50);
    writer_u8(&w, (uint8_t)(n - 1 + (first < n ? 4 : 2)));
    writer_bytes(&w, frame + 1, first - 1);
    writer_be(&w, mbus_crc16(out, first), 2);
    if (first < n) {
        writer_bytes(&w, frame + first, n - first);
        writer_be(&w, mbus_crc16(frame + first, n - first), 2);
    }
    ck_assert(!w.failed);
    return w.len;
}

START_TEST(format_b_of_every_length)
{
    struct arena *arena = arena_new(0);
    uint8_t frame[FRAME_MAX], sent[FRAME_MAX + 50];
    struct wmbus_link link;

    for (size_t n = 10; n <= 252; n++) {
        size_t len;

        make_frame(frame, n);
        len = add_crc_b(frame, n, sent);
        ck_assert_int_eq(wmbus_link_parse(arena, sent, len, FRAME_FORMAT_B_CRC, &link), EMT_OK);
        ck_assert_mem_eq(link.bytes, frame, n);
        ck_assert_uint_eq(link.len, n);
        ck_assert_int_eq(wmbus_link_parse(arena, sent, len, FRAME_FORMAT_AUTO, &link), EMT_OK);
        ck_assert_int_eq(link.format, FRAME_FORMAT_B_CRC);
        sent[len - 1] ^= 1;
        ck_assert_int_eq(wmbus_link_parse(arena, sent, len, FRAME_FORMAT_B_CRC, &link),
                         EMT_EMALFORMED);
        arena_reset(arena);
    }
    arena_free(arena);
}
END_TEST

START_TEST(offsets_count_the_crcs_before_them)
{
    struct wmbus_link a = { .format = FRAME_FORMAT_A_CRC }, b = { .format = FRAME_FORMAT_B_CRC };

    ck_assert_uint_eq(wmbus_link_offset(&a, 9), 9);
    ck_assert_uint_eq(wmbus_link_offset(&a, 10), 12);
    ck_assert_uint_eq(wmbus_link_offset(&a, 25), 27);
    ck_assert_uint_eq(wmbus_link_offset(&a, 26), 30);
    ck_assert_uint_eq(wmbus_link_offset(&b, 125), 125);
    ck_assert_uint_eq(wmbus_link_offset(&b, 126), 128);
}
END_TEST

START_TEST(a_header_is_the_least)
{
    struct arena *arena = arena_new(0);
    const uint8_t short_frame[] = { 8, 0x44, 1, 2, 3, 4, 5, 6, 7 };
    struct wmbus_link link;

    ck_assert_int_eq(
        wmbus_link_parse(arena, short_frame, sizeof short_frame, FRAME_FORMAT_AUTO, &link),
        EMT_EMALFORMED);
    ck_assert_int_eq(wmbus_link_parse(arena, short_frame, 0, FRAME_FORMAT_AUTO, &link),
                     EMT_ETRUNCATED);
    arena_free(arena);
}
END_TEST

SUITE(wmbus_link, crc_of_the_check_string, format_a_of_every_length, format_b_of_every_length,
      offsets_count_the_crcs_before_them, a_header_is_the_least)
