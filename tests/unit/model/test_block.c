#include "model/block.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1767225600000000) /* 2026-01-01 */
#define QUARTER (15 * EMT_MINUTE)
#define MOST 3000

/* A small generator of our own: the same numbers on every machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Packs, unpacks, compares everything; the length of the block. */
static size_t check_round(const struct block_value *v, size_t n)
{
    struct block_value *out = calloc(n, sizeof *out);
    struct writer w;
    size_t got = 0, len;

    ck_assert_ptr_nonnull(out);
    writer_init_heap(&w, BLOCK_BYTES_MAX);
    ck_assert_int_eq(block_encode(v, n, &w), EMT_OK);
    ck_assert_int_eq(block_decode(w.data, w.len, out, n, &got), EMT_OK);
    ck_assert_uint_eq(got, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(out[i].ts, v[i].ts);
        ck_assert_int_eq(out[i].mantissa, v[i].mantissa);
        ck_assert_int_eq(out[i].exponent, v[i].exponent);
        ck_assert_int_eq(out[i].quality, v[i].quality);
    }
    len = w.len;
    writer_release(&w);
    free(out);
    return len;
}

static void load_curve(struct block_value *v, size_t n)
{
    uint64_t seed = 42;
    int64_t wh = 12345678;

    for (size_t i = 0; i < n; i++) {
        wh += (int64_t)(next_random(&seed) % 500);
        v[i] = (struct block_value){ START + (int64_t)i * QUARTER, wh, -1, 0x100 };
    }
}

START_TEST(a_day_of_quarter_hours_is_small)
{
    struct block_value v[96];

    load_curve(v, 96);
    ck_assert_uint_lt(check_round(v, 96), 96 * 3 / 2);
}
END_TEST

START_TEST(a_constant_day_is_a_header)
{
    struct block_value v[96];

    for (int i = 0; i < 96; i++)
        v[i] = (struct block_value){ START + i * QUARTER, 4711, 0, 0x100 };
    ck_assert_uint_lt(check_round(v, 96), 32);
}
END_TEST

START_TEST(every_length_around_a_group_comes_back)
{
    struct block_value v[100];

    load_curve(v, 100);
    for (size_t n = 1; n <= 100; n++)
        check_round(v, n);
}
END_TEST

START_TEST(gaps_and_jitter_come_back)
{
    struct block_value v[200];
    uint64_t seed = 7;

    load_curve(v, 200);
    for (size_t i = 0; i < 200; i++)
        v[i].ts = START + (int64_t)(i + i / 10) * QUARTER;
    ck_assert_uint_lt(check_round(v, 200), 200 * 2);
    for (size_t i = 0; i < 200; i++)
        v[i].ts = START + (int64_t)i * QUARTER + (int64_t)(next_random(&seed) % 120) * EMT_SECOND;
    check_round(v, 200);
    for (size_t i = 0; i < 200; i++)
        v[i].ts = START + (int64_t)i * QUARTER + (int64_t)(next_random(&seed) % 1000000);
    check_round(v, 200);
}
END_TEST

START_TEST(digits_stay_as_they_were_sent)
{
    /* 1.20, 1.5, 2, 0.0, kWh after Wh: all at one exponent inside, and back. */
    struct block_value v[] = { { START, 120, -2, 0 },          { START + 1, 15, -1, 0 },
                               { START + 2, 2, 0, 0 },         { START + 3, 0, -1, 0 },
                               { START + 4, 12345678, 0, 0 },  { START + 5, 12346, 3, 0 },
                               { START + 6, -12346, 3, 0x105 } };

    check_round(v, sizeof v / sizeof v[0]);
}
END_TEST

START_TEST(exponents_too_far_apart_stay_exact)
{
    struct block_value v[] = { { START, INT64_MAX, 3, 0 },
                               { START + 1, INT64_MIN, -3, 0 },
                               { START + 2, 1, INT16_MAX, 0 },
                               { START + 3, -1, INT16_MIN, 0 },
                               { START + 4, 0, 0, 0 } };

    check_round(v, sizeof v / sizeof v[0]);
}
END_TEST

START_TEST(the_ends_of_the_numbers_come_back)
{
    struct block_value v[64];

    for (int i = 0; i < 64; i++)
        v[i] = (struct block_value){ START + i, i % 2 ? INT64_MAX : INT64_MIN, 0, 0 };
    check_round(v, 64);
    for (int i = 0; i < 64; i++)
        v[i].mantissa = i % 3 == 0 ? INT64_MIN : i % 3 == 1 ? 0 : INT64_MAX;
    check_round(v, 64);
    v[0].ts = INT64_MIN;
    v[63].ts = INT64_MAX;
    check_round(v, 64);
    check_round(&v[63], 1);
    v[1] = v[63];
    check_round(v, 2);
}
END_TEST

START_TEST(qualities_change_as_often_as_they_like)
{
    struct block_value v[300];
    uint64_t seed = 99;

    load_curve(v, 300);
    for (int i = 100; i < 110; i++)
        v[i].quality = 0x201;
    check_round(v, 300);
    for (int i = 0; i < 300; i++)
        v[i].quality = (int16_t)next_random(&seed);
    check_round(v, 300);
}
END_TEST

/* Any numbers whatever: lengths of bits, steps, exponents and qualities drawn anew per block. */
static void draw(struct block_value *v, size_t n, uint64_t *seed)
{
    unsigned value_bits = (unsigned)(next_random(seed) % 64) + 1;
    unsigned time_bits = (unsigned)(next_random(seed) % 40);
    unsigned exponents = (unsigned)(next_random(seed) % 4);
    int64_t unit = next_random(seed) % 2 ? EMT_SECOND : 1;
    emt_time t = (int64_t)(next_random(seed) >> 12) - (INT64_C(1) << 50);
    int64_t acc = (int64_t)next_random(seed);
    bool grows = next_random(seed) % 2;

    for (size_t i = 0; i < n; i++) {
        uint64_t x = next_random(seed) >> (64 - value_bits);

        t += unit * (1 + (int64_t)(time_bits ? next_random(seed) >> (64 - time_bits) : 0) % 1000);
        acc = (int64_t)((uint64_t)acc + x);
        v[i] =
            (struct block_value){ t, grows ? acc : (int64_t)x,
                                  (int16_t)(exponents ? (int)(next_random(seed) % exponents) : 0),
                                  (int16_t)(next_random(seed) % 50 ? 0x100 : 0x201) };
    }
}

START_TEST(whatever_goes_in_comes_out)
{
    static struct block_value v[MOST];
    uint64_t seed = 20260101;

    for (int round = 0; round < 500; round++) {
        size_t n = 1 + next_random(&seed) % (round % 10 ? 120 : MOST);

        draw(v, n, &seed);
        check_round(v, n);
    }
}
END_TEST

START_TEST(times_that_do_not_ascend_are_refused)
{
    struct block_value v[3] = { { START, 1, 0, 0 }, { START, 2, 0, 0 }, { START + 1, 3, 0, 0 } };
    struct writer w;

    writer_init_heap(&w, 1000);
    ck_assert_int_eq(block_encode(v, 3, &w), EMT_EMALFORMED);
    ck_assert_int_eq(block_encode(v, 0, &w), EMT_ELIMIT);
    v[0].ts = START + 5;
    ck_assert_int_eq(block_encode(v, 2, &w), EMT_EMALFORMED);
    writer_release(&w);
}
END_TEST

START_TEST(a_full_writer_is_told)
{
    struct block_value v[96];
    uint8_t room[200];
    struct writer w;

    load_curve(v, 96);
    v[5].ts++; /* explicit times */
    v[9].quality = 1;
    for (size_t size = 0; size < 100; size++) {
        writer_init_fixed(&w, room, size);
        ck_assert_int_eq(block_encode(v, 96, &w), EMT_ENOMEM);
    }
}
END_TEST

START_TEST(every_prefix_and_every_tail_is_refused)
{
    struct block_value v[70], out[70];
    struct writer w;
    size_t n;

    load_curve(v, 70);
    v[20].ts++;
    v[30].quality = 0x201;
    v[40].exponent = 0;
    writer_init_heap(&w, 4096);
    ck_assert_int_eq(block_encode(v, 70, &w), EMT_OK);
    for (size_t len = 0; len < w.len; len++)
        ck_assert_int_ne(block_decode(w.data, len, out, 70, &n), EMT_OK);
    ck_assert(writer_u8(&w, 0));
    ck_assert_int_ne(block_decode(w.data, w.len, out, 70, &n), EMT_OK);
    ck_assert_int_eq(block_decode(w.data, w.len - 1, out, 69, &n), EMT_ELIMIT);
    ck_assert_int_eq(block_decode(w.data, w.len - 1, out, 70, &n), EMT_OK);
    w.data[0] = 2;
    ck_assert_int_eq(block_decode(w.data, w.len - 1, out, 70, &n), EMT_EUNSUPPORTED);
    writer_release(&w);
}
END_TEST

START_TEST(hostile_heads_promise_nothing)
{
    static const struct {
        uint8_t b[24];
        uint8_t len;
    } heads[] = {
        { { 1, 0x21, 1, 7, 0, 0, 0, 0, 0, 0 }, 11 },                   /* unknown flag */
        { { 1, 0x01, 0, 7, 0, 0, 0, 0, 0, 0 }, 11 },                   /* no values */
        { { 1, 0x01, 0xff, 0xff, 0x3f, 7, 0, 1, 0, 0, 0, 0, 0 }, 13 }, /* a million in nothing */
        { { 1, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 20 },
        { { 1, 0x01, 1, 10, 0, 0, 0, 0, 0, 0, 0 }, 11 },   /* no such unit */
        { { 1, 0x01, 2, 7, 0, 0, 0, 0, 0, 0, 0 }, 11 },    /* two values at one time */
        { { 1, 0x00, 1, 7, 0, 0, 0, 5, 0, 0, 0, 0 }, 12 }, /* times behind the end */
        /* a time behind the end of times */
        { { 1, 0x01, 1, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0, 0, 0, 0, 0, 0 }, 17 },
    };
    struct block_value out[BLOCK_GROUP];
    size_t n;

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        ck_assert_int_ne(block_decode(heads[i].b, heads[i].len, out, BLOCK_GROUP, &n), EMT_OK);
}
END_TEST

START_TEST(a_block_of_version_one_stays_readable)
{
    /* Three quarter hours from 2026-01-01, 1000.0, 1001.5 and 1004.0, measured, time of the meter:
       what every later version has to read. */
    static const uint8_t v1[] = {
        0x01, 0x01, 0x03,             /* version, regular, three values */
        0x03, 0x80, 0xd9, 0xef, 0x01, /* unit of 15 minutes, first of them: 1963584 */
        0x01,                         /* step 1 */
        0x80, 0x04,                   /* quality 256 */
        0x01,                         /* exponent -1 */
        0x82, 0x9c, 0x01,             /* origin 9985 */
        0x04, 0x1e, 0x00, 0x0a,       /* four bits, least 15: 0, 0, 10 */
    };
    struct block_value out[3];
    size_t n;

    ck_assert_int_eq(block_decode(v1, sizeof v1, out, 3, &n), EMT_OK);
    ck_assert_uint_eq(n, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(out[i].ts, START + i * QUARTER);
        ck_assert_int_eq(out[i].exponent, -1);
        ck_assert_int_eq(out[i].quality, 0x100);
    }
    ck_assert_int_eq(out[0].mantissa, 10000);
    ck_assert_int_eq(out[1].mantissa, 10015);
    ck_assert_int_eq(out[2].mantissa, 10040);
}
END_TEST

SUITE(block, a_day_of_quarter_hours_is_small, a_constant_day_is_a_header,
      every_length_around_a_group_comes_back, gaps_and_jitter_come_back,
      digits_stay_as_they_were_sent, exponents_too_far_apart_stay_exact,
      the_ends_of_the_numbers_come_back, qualities_change_as_often_as_they_like,
      whatever_goes_in_comes_out, times_that_do_not_ascend_are_refused, a_full_writer_is_told,
      every_prefix_and_every_tail_is_refused, hostile_heads_promise_nothing,
      a_block_of_version_one_stays_readable)
