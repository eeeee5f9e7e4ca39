/* The decoder as a whole: keys, limits, and what an attacker tries. */
#include "base/cipher.h"
#include "suites.h"
#include "support.h"

#include <string.h>

/* data-notification, clock, a code with value and scale */
static const char push[] = "0f40000001 0c07ea0b150600150000ffc400"
                           "0101 0203 09060100010800ff 0600003039 0202 0f00 161e";

static struct decode_result decode_hex(const struct test_meter *m, const char *hex)
{
    static uint8_t bytes[4096];

    return dlms_test_decode(m, bytes, dlms_test_hex(hex, bytes, sizeof bytes));
}

START_TEST(every_prefix_of_a_push_is_refused)
{
    struct test_meter m = { .format = FRAME_FORMAT_NONE };
    uint8_t bytes[256];
    size_t n = dlms_test_hex(push, bytes, sizeof bytes);

    for (size_t i = 1; i < n; i++)
        ck_assert_msg(dlms_test_decode(&m, bytes, i).state != FRAME_OK, "%zu bytes", i);
    ck_assert_int_eq(dlms_test_decode(&m, bytes, n).state, FRAME_OK);
    dlms_test_release();
}
END_TEST

START_TEST(plaintext_passes_where_the_meter_may_send_it)
{
    struct test_meter m = dlms_test_meter();

    ck_assert_int_eq(decode_hex(&m, push).state, FRAME_PLAINTEXT_REFUSED);
    m.accept_plaintext = true;
    ck_assert_int_eq(decode_hex(&m, push).state, FRAME_OK);
    m.accept_plaintext = false;
    m.nkeys = 0;
    ck_assert_int_eq(decode_hex(&m, push).state, FRAME_OK);
    dlms_test_release();
}
END_TEST

/* A general-glo push of the test meter with this counter. */
static size_t seal(uint32_t counter, uint8_t *out)
{
    uint8_t text[256], aad[17] = { 0x30 }, nonce[12] = { 0 }, tag[12];
    size_t n = dlms_test_hex(push, text, sizeof text);
    struct test_meter m = dlms_test_meter();
    struct cipher *c = cipher_new();

    memcpy(nonce, "EMT\x10\x00\xbc\x61\x4e", 8);
    for (unsigned i = 0; i < 4; i++)
        nonce[8 + i] = (uint8_t)(counter >> (24 - 8 * i));
    memcpy(aad + 1, m.keys[0].ak, 16);
    out[0] = 0xdb;
    out[1] = 8;
    memcpy(out + 2, nonce, 8);
    out[10] = (uint8_t)(5 + n + sizeof tag);
    out[11] = 0x30;
    memcpy(out + 12, nonce + 8, 4);
    ck_assert_int_eq(cipher_aes_gcm_seal(c, m.keys[0].bytes, 16, nonce, aad, sizeof aad, text, n,
                                         out + 16, tag, sizeof tag),
                     EMT_OK);
    memcpy(out + 16 + n, tag, sizeof tag);
    cipher_free(c);
    return 16 + n + sizeof tag;
}

START_TEST(a_ciphered_push_tells_its_counter_and_text)
{
    uint8_t frame[256], text[256];
    size_t n = seal(0xfffffffe, frame), want = dlms_test_hex(push, text, sizeof text);
    struct test_meter m = dlms_test_meter();
    struct decode_result r = dlms_test_decode(&m, frame, n);

    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert(r.encrypted && r.has_counter && r.counter == 0xfffffffe);
    ck_assert_uint_eq(r.plain_len, want);
    ck_assert_mem_eq(r.plain, text, want);
    ck_assert_str_eq(r.device.manufacturer, "EMT");
    ck_assert_str_eq(dlms_test_link(&r, "security_control"), "30");
    ck_assert_str_eq(dlms_test_value(&r, "1-0:1.8.0*255", "import"), "12345");
    dlms_test_release();
}
END_TEST

START_TEST(every_flipped_bit_of_a_ciphered_push_is_found)
{
    uint8_t frame[256];
    size_t n = seal(7, frame);
    struct test_meter m = dlms_test_meter();

    for (size_t bit = 0; bit < 8 * n; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct decode_result r = dlms_test_decode(&m, frame, n);

        /* bit 6 of the control byte says which key, and is authenticated like all others */
        ck_assert_msg(r.state != FRAME_OK && !r.has_counter && r.nreadings == 0, "bit %zu", bit);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    dlms_test_release();
}
END_TEST

START_TEST(the_key_that_fits_is_found_among_others)
{
    uint8_t frame[256];
    size_t n = seal(7, frame);
    struct test_meter m = dlms_test_meter();

    m.keys[2] = m.keys[0];
    m.keys[0].bytes[3] ^= 1;
    m.keys[1].len = 8;
    m.nkeys = 3;
    ck_assert_int_eq(dlms_test_decode(&m, frame, n).state, FRAME_OK);
    m.nkeys = 2;
    ck_assert_int_eq(dlms_test_decode(&m, frame, n).state, FRAME_MAC_WRONG);
    dlms_test_release();
}
END_TEST

START_TEST(a_mixed_frame_has_no_readings)
{
    /* data, then a list that ends in the middle of its second entry */
    struct test_meter m = { .format = FRAME_FORMAT_NONE };
    struct decode_result r =
        decode_hex(&m, "c403c102 00 0202 09060100010800ff 0600000001 00 0202 0906");

    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    ck_assert_uint_eq(r.nreadings, 0);
    r = decode_hex(&m, "c403c102 0103 02");
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    ck_assert(!r.has_application);
    dlms_test_release();
}
END_TEST

START_TEST(layers_are_told_with_their_places)
{
    struct test_meter m = { .format = FRAME_FORMAT_AUTO };
    struct decode_result r = decode_hex(&m, "0001 0001 0067 0005 c501c100 00");

    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    r = decode_hex(&m, "0001 0001 0067 0004 c501c100");
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(r.nlayers, 2);
    ck_assert_str_eq(r.layers[0].name, "wrapper");
    ck_assert_str_eq(r.layers[1].name, "set-response");
    ck_assert_uint_eq(r.layers[1].offset, 8);
    ck_assert_str_eq(dlms_test_link(&r, "source_wport"), "1");
    ck_assert_str_eq(dlms_test_link(&r, "destination_wport"), "103");
    dlms_test_release();
}
END_TEST

START_TEST(more_apdus_than_anybody_sends_are_refused)
{
    static uint8_t bytes[65 * 12];
    struct test_meter m = { .format = FRAME_FORMAT_WRAPPER };

    for (unsigned i = 0; i < 65; i++)
        (void)dlms_test_hex("0001 0001 0067 0004 c501c100", bytes + i * 12, 12);
    ck_assert_int_eq(dlms_test_decode(&m, bytes, sizeof bytes - 12).state, FRAME_OK);
    ck_assert_int_eq(dlms_test_decode(&m, bytes, sizeof bytes).state, FRAME_MALFORMED);
    dlms_test_release();
}
END_TEST

START_TEST(the_longest_frame_fits_the_arena)
{
    /* a profile of nothing but small rows under two columns */
    static uint8_t bytes[DECODE_FRAME_MAX];
    struct test_meter m = { .format = FRAME_FORMAT_NONE };
    size_t n = dlms_test_hex("0f4000000100 0202 0102 0204 12 0008 0906 0000010000ff 0f02 12 0000"
                             "0204 12 0003 0906 0100010800ff 0f02 12 0000 0182 0000"
                             "0202 090c07ea0b150600150000ffc400 1100",
                             bytes, sizeof bytes);
    size_t rows = 1, count_at = n - 18 - 2;

    for (; n + 18 <= sizeof bytes; n += 18, rows++)
        memcpy(bytes + n, bytes + n - 18, 18);
    bytes[count_at] = (uint8_t)(rows >> 8);
    bytes[count_at + 1] = (uint8_t)rows;
    struct decode_result r = dlms_test_decode(&m, bytes, n);

    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert_uint_eq(r.nreadings, 2 + rows);
    ck_assert_uint_eq(r.readings[r.nreadings - 1].nth, rows - 1);
    dlms_test_release();
}
END_TEST

SUITE(dlms_decode, every_prefix_of_a_push_is_refused, plaintext_passes_where_the_meter_may_send_it,
      a_ciphered_push_tells_its_counter_and_text, every_flipped_bit_of_a_ciphered_push_is_found,
      the_key_that_fits_is_found_among_others, a_mixed_frame_has_no_readings,
      layers_are_told_with_their_places, more_apdus_than_anybody_sends_are_refused,
      the_longest_frame_fits_the_arena)
