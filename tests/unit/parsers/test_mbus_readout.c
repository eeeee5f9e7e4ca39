/* The readout of a wired meter as a machine, against a meter of our own (EN 13757-2: FCB, repeats;
 * EN 13757-3: more records follow), and its telegrams joined by the decoder. */
#include "base/hex.h"
#include "base/writer.h"
#include "parsers/mbus_readout.h"
#include "suites.h"
#include "support.h"

#include <string.h>

#define STORAGE 16384
#define ADDRESS 5

/* A meter with `telegrams` telegrams, each a volume of its own storage number. */
struct meter {
    unsigned telegrams;
    bool never_ends; /* says 1F in the last one, too, and repeats it */
    bool counts;     /* its access number rises */
    unsigned loses;  /* answers that get lost: bit n is the n-th */
    bool needs_select;
    bool deaf;
    bool selected;
    bool expected_fcb, has_fcb; /* of the next request; a request with another one is a repeat */
    unsigned at;                /* telegram that was sent last, from 1 */
    unsigned answers;
    uint8_t access;
};

static size_t put_telegram(struct meter *m, uint8_t *out)
{
    /* C A CI ID(4) M(2) version type access status configuration(2) */
    const uint8_t head[] = { 0x08, ADDRESS, 0x72, 0x78,      0x56, 0x34, 0x12, 0xb4,
                             0x15, 0x01,    0x07, m->access, 0x00, 0x00, 0x00 };
    bool more = m->at < m->telegrams || m->never_ends;
    unsigned storage = m->at - 1;
    struct writer w;
    uint8_t sum = 0;

    if (m->counts)
        m->access++;
    writer_init_fixed(&w, out, MBUS_READOUT_RECEIVE_MAX);
    writer_be(&w, 0x68000068, 4);
    writer_bytes(&w, head, sizeof head);
    if (m->at == 1) /* the time of everything that follows */
        writer_bytes(&w, (const uint8_t[]){ 0x04, 0x6d, 0x33, 0x8c, 0x70, 0x28 }, 6);
    writer_u8(&w, (uint8_t)(0x84u | (storage & 1u) << 6));
    writer_u8(&w, (uint8_t)(storage >> 1 & 0x0fu));
    writer_u8(&w, 0x13);
    writer_le(&w, 1000 + m->at, 4);
    writer_u8(&w, more ? 0x1f : 0x0f);
    out[1] = out[2] = (uint8_t)(w.len - 4);
    for (size_t i = 4; i < w.len; i++)
        sum = (uint8_t)(sum + out[i]);
    writer_u8(&w, sum);
    writer_u8(&w, 0x16);
    ck_assert(!w.failed);
    return w.len;
}

static size_t answer_request(struct meter *m, bool fcb, uint8_t *out)
{
    bool repeat = m->has_fcb && fcb != m->expected_fcb;

    if (m->at == 0 || (!repeat && m->at < m->telegrams))
        m->at++;
    m->has_fcb = true;
    m->expected_fcb = !fcb;
    return put_telegram(m, out);
}

/* What the meter answers; 0: nothing. */
static size_t meter_answer(struct meter *m, const uint8_t *p, size_t n, uint8_t *out)
{
    size_t len = 0;

    out[0] = 0xe5;
    if (m->deaf)
        return 0;
    if (n == 5 && p[1] == 0x40) {
        m->has_fcb = false;
        m->at = 0;
        len = p[2] == ADDRESS ? 1 : 0;
    } else if (n == 17 && p[6] == 0x52) {
        m->selected = memcmp(p + 7, "\x78\x56\x34\x12", 4) == 0;
        len = m->selected ? 1 : 0;
    } else if (n == 5 && (p[1] & 0x5f) == 0x5b &&
               (p[2] == ADDRESS || (p[2] == 253 && m->selected))) {
        len = answer_request(m, p[1] & 0x20u, out);
    }
    if (len > 0 && m->answers < 32 && (m->loses >> m->answers++ & 1u))
        return 0;
    return len;
}

struct bus {
    struct mbus_readout r;
    uint8_t storage[STORAGE];
    char sent[1024]; /* C fields in hex, one after the other */
};

static void run(struct bus *b, struct meter *m)
{
    uint8_t out[MBUS_READOUT_SEND_MAX], in[MBUS_READOUT_RECEIVE_MAX];
    size_t n, got;

    b->sent[0] = 0;
    for (unsigned i = 0; mbus_readout_send(&b->r, out, &n); i++) {
        char *end = b->sent + strlen(b->sent);

        ck_assert_uint_lt(i, 200);
        (void)hex_encode(out[0] == 0x68 ? &out[4] : &out[1], 1, end);
        got = meter_answer(m, out, n, in);
        for (size_t k = 1; k < got; k++) { /* the port knows when the frame is complete */
            size_t want = mbus_readout_length(in, k);

            ck_assert(want == 0 || want == got);
        }
        mbus_readout_receive(&b->r, in, got);
    }
}

static void run_primary(struct bus *b, struct meter *m)
{
    mbus_readout_primary(&b->r, ADDRESS, b->storage, sizeof b->storage);
    run(b, m);
}

START_TEST(one_telegram_needs_one_request)
{
    struct meter m = { .telegrams = 1 };
    struct bus b;

    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert_str_eq(b.sent, "407b");
    ck_assert_uint_eq(b.r.telegrams, 1);
    ck_assert(!b.r.cut && !b.r.repeated);
}
END_TEST

START_TEST(the_fcb_toggles_while_more_follows)
{
    struct meter m = { .telegrams = 4, .counts = true };
    struct bus b;

    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert_str_eq(b.sent, "407b5b7b5b");
    ck_assert_uint_eq(b.r.telegrams, 4);
}
END_TEST

START_TEST(a_lost_answer_is_asked_for_with_the_same_fcb)
{
    struct meter m = { .telegrams = 3, .loses = 1u << 2 | 1u << 3 };
    struct bus b;

    run_primary(&b, &m); /* E5, first, second lost twice */
    ck_assert_str_eq(b.sent, "407b5b5b5b7b");
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert_uint_eq(b.r.telegrams, 3);
    ck_assert(!b.r.cut);
}
END_TEST

START_TEST(a_meter_that_repeats_itself_for_ever_is_stopped)
{
    struct meter m = { .telegrams = 2, .never_ends = true, .counts = true };
    struct bus b;

    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert(b.r.repeated);
    ck_assert_uint_eq(b.r.telegrams, 2); /* the repeat is not kept */
}
END_TEST

START_TEST(the_number_of_telegrams_is_capped)
{
    struct meter m = { .telegrams = 1000 };
    struct bus b;

    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert(b.r.cut);
    ck_assert_uint_eq(b.r.telegrams, MBUS_READOUT_TELEGRAMS_MAX);
}
END_TEST

START_TEST(storage_that_is_used_up_cuts)
{
    struct meter m = { .telegrams = 5 };
    struct bus b;

    mbus_readout_primary(&b.r, ADDRESS, b.storage, 80);
    run(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert(b.r.cut);
    ck_assert_uint_eq(b.r.telegrams, 2);
    ck_assert_uint_le(b.r.len, 80);
}
END_TEST

START_TEST(silence_ends_it)
{
    struct meter m = { .telegrams = 1, .deaf = true };
    struct bus b;

    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_SILENT);
    ck_assert_str_eq(b.sent, "404040"); /* once and two repeats */
    ck_assert_uint_eq(b.r.len, 0);
    m.deaf = false;
    m.telegrams = 3;
    m.loses = ~7u; /* nothing comes behind the second telegram */
    run_primary(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert(b.r.cut);
    ck_assert_uint_eq(b.r.telegrams, 2);
}
END_TEST

START_TEST(a_secondary_address_is_selected_first)
{
    static const uint8_t here[8] = { 0x78, 0x56, 0x34, 0x12, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t nowhere[8] = { 0x11, 0x56, 0x34, 0x12, 0xff, 0xff, 0xff, 0xff };
    struct meter m = { .telegrams = 2 };
    struct bus b;

    mbus_readout_secondary(&b.r, here, b.storage, sizeof b.storage);
    run(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_DONE);
    ck_assert_str_eq(b.sent, "40737b5b");
    ck_assert_uint_eq(b.r.telegrams, 2);
    mbus_readout_secondary(&b.r, nowhere, b.storage, sizeof b.storage);
    run(&b, &m);
    ck_assert_int_eq(b.r.state, MBUS_READOUT_SILENT);
    ck_assert_str_eq(b.sent, "40737373");
}
END_TEST

START_TEST(frames_that_are_sent_are_those_of_the_standard)
{
    static const uint8_t secondary[8] = { 0x78, 0x56, 0x34, 0x12, 0xb4, 0x15, 0x01, 0x07 };
    uint8_t out[MBUS_READOUT_SEND_MAX];
    char hex[2 * MBUS_READOUT_SEND_MAX + 1];
    struct bus b;
    size_t n;

    mbus_readout_secondary(&b.r, secondary, b.storage, sizeof b.storage);
    ck_assert(mbus_readout_send(&b.r, out, &n));
    ck_assert_str_eq(hex_encode(out, n, hex), "1040fd3d16");
    mbus_readout_receive(&b.r, NULL, 0);
    ck_assert(mbus_readout_send(&b.r, out, &n));
    ck_assert_str_eq(hex_encode(out, n, hex), "680b0b6873fd5278563412b4150107a716");
    mbus_readout_receive(&b.r, (const uint8_t[]){ 0xe5 }, 1);
    ck_assert(mbus_readout_send(&b.r, out, &n));
    ck_assert_str_eq(hex_encode(out, n, hex), "107bfd7816");
}
END_TEST

/* Another meter's answer, a request heard back, a broken checksum: none is taken. */
START_TEST(what_is_no_answer_is_asked_again)
{
    static const char *const wrong[] = {
        "680303680801727b16", /* from address 1 */
        "68030368480572bf16", /* C of a master */
        "680303680805720016", /* checksum */
        "e5",
        "00",
        "107b058016",
    };
    struct bus b;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t bytes[32];
        size_t n = bytes_of(wrong[i], bytes, sizeof bytes);

        mbus_readout_primary(&b.r, ADDRESS, b.storage, sizeof b.storage);
        mbus_readout_receive(&b.r, (const uint8_t[]){ 0xe5 }, 1);
        mbus_readout_receive(&b.r, bytes, n);
        ck_assert_int_eq(b.r.state, MBUS_READOUT_REQUEST);
        ck_assert_uint_eq(b.r.telegrams, 0);
        ck_assert(b.r.fcb);
    }
}
END_TEST

/* The decoder joins: one time for all, order kept, nothing left to follow. */
START_TEST(telegrams_of_a_readout_are_read_as_one)
{
    struct meter m = { .telegrams = 3, .counts = true };
    struct decode_request req;
    struct decode_result r, peeked, first;
    struct decoder d;
    struct bus b;

    run_primary(&b, &m);
    decoder_open(&d);
    req = decoder_request(&d, PROTOCOL_MBUS, b.storage, b.r.len);
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_msg(r.state == FRAME_OK, "%s", r.reason);
    ck_assert(!r.more_follows);
    ck_assert_uint_eq(r.nreadings, 4); /* the clock, and one volume of each */
    for (unsigned i = 1; i < 4; i++) {
        ck_assert_int_eq(r.readings[i].value.mantissa, 1000 + i);
        ck_assert_uint_eq(r.readings[i].storage, i - 1);
    }
    ck_assert_str_eq(r.readings[1].time_text, "2019-08-16T12:51:00");
    ck_assert_int_eq(decode_peek(&req, &peeked), EMT_OK);
    ck_assert_mem_eq(peeked.telegram_hash, r.telegram_hash, sizeof r.telegram_hash);

    req.len = b.r.last; /* the last one is missing */
    ck_assert_int_eq(decode_frame(&req, &first), EMT_OK);
    ck_assert_int_eq(first.state, FRAME_OK);
    ck_assert(first.more_follows);
    ck_assert_uint_eq(first.nreadings, 3);
    ck_assert_mem_ne(first.telegram_hash, r.telegram_hash, sizeof r.telegram_hash);
    decoder_close(&d);
}
END_TEST

START_TEST(a_telegram_of_another_meter_trails)
{
    struct meter m = { .telegrams = 2 };
    struct decode_request req;
    struct decode_result r;
    struct decoder d;
    struct bus b;

    run_primary(&b, &m);
    b.storage[b.r.last + 7]++; /* the ID */
    b.storage[b.r.len - 2]++;  /* and its checksum */
    decoder_open(&d);
    req = decoder_request(&d, PROTOCOL_MBUS, b.storage, b.r.len);
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert(r.more_follows);
    ck_assert_uint_eq(r.nreadings, 2);
    decoder_close(&d);
}
END_TEST

SUITE(mbus_readout, one_telegram_needs_one_request, the_fcb_toggles_while_more_follows,
      a_lost_answer_is_asked_for_with_the_same_fcb, a_meter_that_repeats_itself_for_ever_is_stopped,
      the_number_of_telegrams_is_capped, storage_that_is_used_up_cuts, silence_ends_it,
      a_secondary_address_is_selected_first, frames_that_are_sent_are_those_of_the_standard,
      what_is_no_answer_is_asked_again, telegrams_of_a_readout_are_read_as_one,
      a_telegram_of_another_meter_trails)
