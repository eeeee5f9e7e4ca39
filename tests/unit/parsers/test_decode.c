#include "suites.h"
#include "support.h"

#include <string.h>

/* Mode 5 telegrams of our own corpus (security.txt), key 000102…0f, and the same plain. */
#define KEY "000102030405060708090a0b0c0d0e0f"
#define OTHER_KEY "ffffffffffffffffffffffffffffffff"
#define PLAIN                                                                                      \
    "3544b4157856341201027a2a000000046d338c7028040387d6120004833c59000000841003e8030000042b9411"   \
    "000002fdc8fc010109"

START_TEST(a_protocol_that_is_not_built_is_unsupported)
{
    struct decoder d;
    struct decode_result r;

    decoder_open(&d);
    r = decoder_run(&d, PROTOCOL_NONE, "00");
    ck_assert_int_eq(r.state, FRAME_UNSUPPORTED);
    r = decoder_run(&d, PROTOCOL_CMS, "00");
    ck_assert_int_eq(r.state, FRAME_UNSUPPORTED);
    ck_assert_str_ne(r.reason, "");
    decoder_close(&d);
}
END_TEST

START_TEST(lengths_out_of_bounds_are_malformed)
{
    static uint8_t big[DECODE_FRAME_MAX + 1];
    struct decode_request req;
    struct decode_result r;
    struct decoder d;

    decoder_open(&d);
    req = decoder_request(&d, PROTOCOL_WMBUS, big, 0);
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    req.len = sizeof big;
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_int_eq(r.state, FRAME_MALFORMED);
    decoder_close(&d);
}
END_TEST

START_TEST(every_prefix_has_a_state)
{
    uint8_t frame[128];
    size_t n = bytes_of(PLAIN, frame, sizeof frame);
    struct decoder d;

    decoder_open(&d);
    for (size_t len = 1; len < n; len++) {
        struct decode_request req = decoder_request(&d, PROTOCOL_WMBUS, frame, len);
        struct decode_result r;

        arena_reset(d.arena);
        ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
        ck_assert_int_eq(r.state, FRAME_MALFORMED);
        ck_assert_str_ne(r.reason, "");
    }
    decoder_close(&d);
}
END_TEST

START_TEST(a_peek_names_the_device_and_asks_for_no_key)
{
    uint8_t frame[128];
    size_t n = bytes_of(PLAIN, frame, sizeof frame);
    struct decode_request req;
    struct decode_result peeked, decoded;
    struct decoder d;

    decoder_open(&d);
    req = decoder_request(&d, PROTOCOL_WMBUS, frame, n);
    ck_assert_int_eq(decode_peek(&req, &peeked), EMT_OK);
    ck_assert_int_eq(peeked.state, FRAME_OK);
    ck_assert_uint_eq(peeked.nreadings, 0);
    ck_assert_uint_eq(d.key_asked, 0);
    ck_assert_int_eq(decode_frame(&req, &decoded), EMT_OK);
    ck_assert_uint_gt(d.key_asked, 0);
    ck_assert(device_id_equal(&peeked.device, &decoded.device));
    ck_assert_mem_eq(peeked.telegram_hash, decoded.telegram_hash, sizeof peeked.telegram_hash);
    decoder_close(&d);
}
END_TEST

/* Two gateways hear one telegram; one takes the link CRCs away, the other does not (decision 9). */
START_TEST(the_hash_does_not_depend_on_link_crcs)
{
    struct decoder d;
    struct decode_result a, b;

    decoder_open(&d);
    a = decoder_run(&d, PROTOCOL_WMBUS, PLAIN);
    b = decoder_run(&d, PROTOCOL_WMBUS,
                    "3544b41578563412010207677a2a000000046d338c7028040387d612d5200004833c590000"
                    "00841003e8030000043c412b9411000002fdc8fc0101098b84");
    ck_assert_int_eq(a.state, FRAME_OK);
    ck_assert_int_eq(b.state, FRAME_OK);
    ck_assert_mem_eq(a.telegram_hash, b.telegram_hash, sizeof a.telegram_hash);
    ck_assert_uint_eq(b.layers[0].ci, 0);
    ck_assert_str_eq(b.layers[0].name, "link-a");
    ck_assert_str_eq(b.layers[1].name, "tpl");
    ck_assert_uint_eq(b.layers[1].offset, 12); /* behind the first CRC */
    decoder_close(&d);
}
END_TEST

START_TEST(an_exhausted_arena_is_our_fault)
{
    uint8_t frame[128];
    size_t n = bytes_of(PLAIN, frame, sizeof frame);
    struct decoder d;
    bool seen_ok = false, seen_nomem = false;

    decoder_open(&d);
    for (size_t limit = 64; limit < 64 * 1024; limit += 512) {
        struct arena *small = arena_new(limit);
        struct decode_request req = decoder_request(&d, PROTOCOL_WMBUS, frame, n);
        struct decode_result r;
        enum emt_err err;

        req.arena = small;
        err = decode_frame(&req, &r);
        ck_assert(err == EMT_OK || err == EMT_ENOMEM);
        if (err == EMT_ENOMEM)
            ck_assert_int_eq(r.state, FRAME_MALFORMED);
        seen_ok |= err == EMT_OK && r.state == FRAME_OK;
        seen_nomem |= err == EMT_ENOMEM;
        arena_free(small);
    }
    ck_assert(seen_ok && seen_nomem);
    decoder_close(&d);
}
END_TEST

/* Formats of an encrypted meter come from verified frames only. */
START_TEST(formats_are_marked_verified_or_not)
{
    struct decode_request req;
    struct decode_result r;
    struct decoder d;
    uint8_t frame[128];
    size_t n = bytes_of(PLAIN, frame, sizeof frame);

    decoder_open(&d);
    r = decoder_run(&d, PROTOCOL_WMBUS, PLAIN);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_uint_eq(d.nformats, 1);
    ck_assert(d.formats[0].verified); /* plaintext of a meter without a key */
    decoder_add_key(&d, KEY);
    req = decoder_request(&d, PROTOCOL_WMBUS, frame, n);
    req.accept_plaintext = true;
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert(!d.formats[1].verified);
    decoder_close(&d);
}
END_TEST

START_TEST(the_key_that_fits_is_found_among_several)
{
    /* security.txt, mode-7 */
    static const char *const telegram =
        "3344b4153322110005048c0001900f002c2502010000d14de758a9b6f91d7a05001007104615a067638e1ead4a"
        "b365ae91dce621";
    struct decoder d;
    struct decode_result r;

    decoder_open(&d);
    decoder_add_key(&d, OTHER_KEY);
    decoder_add_key(&d, "0011223344556677"); /* a DES key does not belong here */
    decoder_add_key(&d, KEY);
    r = decoder_run(&d, PROTOCOL_WMBUS, telegram);
    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert(r.encrypted);
    ck_assert_uint_eq(r.counter, 0x0102);
    ck_assert_str_eq(d.asked_for.number, "00112233");
    d.nkeys = 2; /* without the last one */
    r = decoder_run(&d, PROTOCOL_WMBUS, telegram);
    ck_assert_int_eq(r.state, FRAME_MAC_WRONG);
    decoder_close(&d);
}
END_TEST

SUITE(decode, a_protocol_that_is_not_built_is_unsupported, lengths_out_of_bounds_are_malformed,
      every_prefix_has_a_state, a_peek_names_the_device_and_asks_for_no_key,
      the_hash_does_not_depend_on_link_crcs, an_exhausted_arena_is_our_fault,
      formats_are_marked_verified_or_not, the_key_that_fits_is_found_among_several)
