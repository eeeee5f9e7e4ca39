/* Messages in fragments (EN 13757-7, authentication and fragmentation layer), built here from the
 * layout: a mode 7 message with a MAC over the whole, cut into telegrams. */
#include "base/writer.h"
#include "parsers/fragment_buffer.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define KEY "000102030405060708090a0b0c0d0e0f"
#define MESSAGE_MAX 512
#define FRAME_MAX 256
#define FCL_MORE 0x4000u
#define FCL_MCL 0x2000u
#define FCL_ML 0x1000u
#define FCL_MCR 0x0800u
#define FCL_MAC 0x0400u
#define MCL 0x65 /* CMAC of 8 bytes, MCR and ML take part */

static const uint8_t address[] = { 0xb4, 0x15, 0x33, 0x22, 0x11, 0x00, 0x05, 0x04 };

struct message {
    uint8_t tpl[MESSAGE_MAX]; /* transport layer, encrypted */
    size_t len;
    uint8_t mcr[4];
    uint8_t mac[16];
};

static void derive(struct cipher *c, uint8_t constant, const uint8_t mcr[4], uint8_t out[16])
{
    uint8_t key[16], input[16];
    struct cipher_part part = { input, sizeof input };

    (void)bytes_of(KEY, key, sizeof key);
    memset(input, 0x07, sizeof input);
    input[0] = constant;
    memcpy(input + 1, mcr, 4);
    memcpy(input + 5, address + 2, 4);
    ck_assert_int_eq(cipher_aes128_cmac(c, key, &part, 1, out), EMT_OK);
}

/* A short header (CI 7A), mode 7, twelve volumes of storage 0 to 11 and fillers. */
static void make_message(struct cipher *c, uint32_t counter, struct message *m)
{
    static const uint8_t zero[16];
    uint8_t plain[MESSAGE_MAX], key[16], ml[2];
    struct writer w, out;
    struct cipher_part parts[4] = { { (const uint8_t[]){ MCL }, 1 }, { m->mcr, 4 }, { ml, 2 } };

    writer_init_fixed(&w, plain, sizeof plain);
    writer_init_fixed(&out, m->tpl, sizeof m->tpl);
    writer_be(&w, 0x2f2f, 2);
    for (unsigned i = 0; i < 12; i++) {
        writer_u8(&w, (uint8_t)(0x84u | (i & 1u) << 6));
        writer_u8(&w, (uint8_t)(i >> 1));
        writer_u8(&w, 0x13);
        writer_le(&w, counter * 100 + i, 4);
    }
    while (w.len % 16)
        writer_u8(&w, 0x2f);
    writer_u8(&out, 0x7a);
    writer_u8(&out, (uint8_t)counter);
    writer_u8(&out, 0);
    writer_le(&out, 0x0700u | w.len / 16 << 4, 2);
    writer_u8(&out, 0x10); /* key derivation 1 */
    for (unsigned i = 0; i < 4; i++)
        m->mcr[i] = (uint8_t)(counter >> 8 * i);
    derive(c, 0x00, m->mcr, key);
    ck_assert_int_eq(
        cipher_aes128_cbc_encrypt(c, key, zero, plain, w.len, writer_reserve(&out, w.len)), EMT_OK);
    ck_assert(!w.failed && !out.failed);
    m->len = out.len;
    ml[0] = (uint8_t)(m->len & 0xffu);
    ml[1] = (uint8_t)(m->len >> 8);
    parts[3] = (struct cipher_part){ m->tpl, m->len };
    derive(c, 0x01, m->mcr, key);
    ck_assert_int_eq(cipher_aes128_cmac(c, key, parts, 4, m->mac), EMT_OK);
}

/* Telegram `id` of `n`: MCL, MCR and ML in the first, the MAC in the last. */
static size_t make_telegram(const struct message *m, unsigned id, unsigned n, uint8_t *frame)
{
    size_t from = m->len * (id - 1) / n, to = m->len * id / n;
    unsigned fcl = id | (id < n ? FCL_MORE : FCL_MAC) | (id == 1 ? FCL_MCL | FCL_MCR | FCL_ML : 0);
    struct writer w;

    writer_init_fixed(&w, frame, FRAME_MAX);
    writer_be(&w, 0x0044, 2);
    writer_bytes(&w, address, sizeof address);
    writer_u8(&w, 0x90);
    writer_u8(&w, (uint8_t)(2 + (id == 1 ? 1 + 4 + 2 : 0) + (id == n ? 8 : 0)));
    writer_le(&w, fcl, 2);
    if (id == 1) {
        writer_u8(&w, MCL);
        writer_bytes(&w, m->mcr, sizeof m->mcr);
    }
    if (id == n)
        writer_bytes(&w, m->mac, 8);
    if (id == 1)
        writer_le(&w, m->len, 2);
    writer_bytes(&w, m->tpl + from, to - from);
    ck_assert(!w.failed);
    frame[0] = (uint8_t)(w.len - 1);
    return w.len;
}

struct fixture {
    struct decoder d;
    struct fragment_buffer *buffer;
    struct message m;
    struct decode_result r;
};

static void open_fixture(struct fixture *f)
{
    decoder_open(&f->d);
    decoder_add_key(&f->d, KEY);
    f->buffer = fragment_buffer_new();
    ck_assert_ptr_nonnull(f->buffer);
    make_message(f->d.cipher, 1000, &f->m);
}

static void close_fixture(struct fixture *f)
{
    fragment_buffer_free(f->buffer);
    decoder_close(&f->d);
}

static void decode_bytes(struct fixture *f, const uint8_t *frame, size_t len)
{
    struct decode_request req;

    arena_reset(f->d.arena);
    req = decoder_request(&f->d, PROTOCOL_WMBUS, arena_copy(f->d.arena, frame, len), len);
    req.format = FRAME_FORMAT_NO_LINK_CRC;
    if (f->buffer)
        req.fragments = fragment_buffer_store(f->buffer);
    ck_assert_int_eq(decode_frame(&req, &f->r), EMT_OK);
}

static void decode(struct fixture *f, unsigned id, unsigned n)
{
    uint8_t frame[FRAME_MAX];

    decode_bytes(f, frame, make_telegram(&f->m, id, n, frame));
}

static void check_waits(const struct fixture *f)
{
    ck_assert_msg(f->r.state == FRAME_OK, "%s", f->r.reason);
    ck_assert_uint_eq(f->r.nreadings, 0);
    ck_assert(!f->r.has_counter); /* the whole has one: it is no replay of its own pieces */
    ck_assert_str_ne(f->r.reason, "");
}

static void check_whole(const struct fixture *f, uint32_t counter)
{
    ck_assert_msg(f->r.state == FRAME_OK, "%s", f->r.reason);
    ck_assert_uint_eq(f->r.nreadings, 12);
    ck_assert_int_eq(f->r.readings[11].value.mantissa, counter * 100 + 11);
    ck_assert_uint_eq(f->r.readings[11].storage, 11);
    ck_assert(f->r.has_counter);
    ck_assert_uint_eq(f->r.counter, counter);
    ck_assert_str_eq(f->r.device.number, "00112233");
}

START_TEST(fragments_of_every_number_are_joined)
{
    struct fixture f;

    open_fixture(&f);
    for (unsigned n = 2; n <= 8; n++) {
        make_message(f.d.cipher, 1000 + n, &f.m);
        for (unsigned id = 1; id < n; id++) {
            decode(&f, id, n);
            check_waits(&f);
        }
        decode(&f, n, n);
        check_whole(&f, 1000 + n);
    }
    close_fixture(&f);
}
END_TEST

START_TEST(the_order_of_arrival_does_not_matter)
{
    static const unsigned orders[][3] = {
        { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 }
    };
    struct fixture f;

    open_fixture(&f);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        make_message(f.d.cipher, 2000 + (uint32_t)i, &f.m);
        decode(&f, orders[i][0], 3);
        check_waits(&f);
        decode(&f, orders[i][1], 3);
        check_waits(&f);
        decode(&f, orders[i][1], 3); /* heard twice */
        check_waits(&f);
        decode(&f, orders[i][2], 3);
        check_whole(&f, 2000 + (uint32_t)i);
    }
    close_fixture(&f);
}
END_TEST

START_TEST(the_last_one_heard_twice_reads_twice)
{
    struct fixture f;

    open_fixture(&f);
    decode(&f, 1, 2);
    for (unsigned i = 0; i < 2; i++) {
        decode(&f, 2, 2);
        check_whole(&f, 1000); /* the telegram's hash counts it once */
    }
    close_fixture(&f);
}
END_TEST

START_TEST(the_mac_covers_the_joined_whole)
{
    uint8_t frame[FRAME_MAX];
    struct fixture f;

    open_fixture(&f);
    for (unsigned id = 1; id <= 3; id++) {
        size_t len = make_telegram(&f.m, id, 3, frame);

        if (id == 2)
            frame[len - 1] ^= 1;
        decode_bytes(&f, frame, len);
    }
    ck_assert_int_eq(f.r.state, FRAME_MAC_WRONG);
    ck_assert_uint_eq(f.r.nreadings, 0);
    close_fixture(&f);
}
END_TEST

START_TEST(without_a_key_the_whole_waits_for_one)
{
    struct fixture f;

    open_fixture(&f);
    f.d.nkeys = 0;
    for (unsigned id = 1; id <= 3; id++) {
        decode(&f, id, 3);
        ck_assert_int_eq(f.r.state, FRAME_KEY_NEEDED);
        ck_assert_uint_eq(f.r.nreadings, 0);
    }
    /* The key comes, and all of them again. */
    decoder_add_key(&f.d, KEY);
    decode(&f, 1, 3);
    decode(&f, 2, 3);
    decode(&f, 3, 3);
    check_whole(&f, 1000);
    close_fixture(&f);
}
END_TEST

START_TEST(a_new_message_takes_the_place_of_an_old_one)
{
    struct fixture f;

    open_fixture(&f);
    decode(&f, 1, 3);
    decode(&f, 2, 3);
    make_message(f.d.cipher, 1001, &f.m);
    decode(&f, 1, 3);
    check_waits(&f);
    decode(&f, 3, 3); /* the second one is the old message's no more */
    check_waits(&f);
    decode(&f, 2, 3);
    check_whole(&f, 1001);
    close_fixture(&f);
}
END_TEST

START_TEST(a_wrong_message_length_is_malformed)
{
    uint8_t frame[FRAME_MAX];
    struct fixture f;
    size_t len;

    open_fixture(&f);
    len = make_telegram(&f.m, 1, 2, frame);
    frame[10 + 2 + 2 + 1 + 4]++; /* ML behind MCL and MCR */
    decode_bytes(&f, frame, len);
    check_waits(&f);
    decode(&f, 2, 2);
    ck_assert_int_eq(f.r.state, FRAME_MALFORMED);
    close_fixture(&f);
}
END_TEST

START_TEST(without_a_store_fragments_are_unsupported)
{
    struct fixture f;
    struct fragment_buffer *buffer;

    open_fixture(&f);
    buffer = f.buffer;
    f.buffer = NULL;
    decode(&f, 1, 2);
    ck_assert_int_eq(f.r.state, FRAME_UNSUPPORTED);
    f.buffer = buffer;
    decode(&f, 2, 2);
    check_waits(&f); /* the first one was not kept */
    close_fixture(&f);
}
END_TEST

START_TEST(a_peek_keeps_nothing)
{
    uint8_t frame[FRAME_MAX];
    struct decode_request req;
    struct decode_result r;
    struct fixture f;
    size_t len;

    open_fixture(&f);
    len = make_telegram(&f.m, 1, 2, frame);
    req = decoder_request(&f.d, PROTOCOL_WMBUS, frame, len);
    req.fragments = fragment_buffer_store(f.buffer);
    ck_assert_int_eq(decode_peek(&req, &r), EMT_OK);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(r.device.number, "00112233");
    ck_assert_uint_eq(fragment_buffer_count(f.buffer), 0);
    ck_assert_uint_eq(f.d.key_asked, 0);
    close_fixture(&f);
}
END_TEST

START_TEST(every_prefix_of_a_fragment_is_survived)
{
    uint8_t frame[FRAME_MAX];
    struct fixture f;
    size_t len;

    open_fixture(&f);
    len = make_telegram(&f.m, 1, 2, frame);
    for (size_t n = 11; n < len; n++) {
        frame[0] = (uint8_t)(n - 1);
        decode_bytes(&f, frame, n);
        ck_assert(f.r.state == FRAME_OK || f.r.state == FRAME_MALFORMED);
        ck_assert_uint_eq(f.r.nreadings, 0);
    }
    close_fixture(&f);
}
END_TEST

static struct device_id device_number(unsigned i)
{
    struct device_id id = { "EMT", "", 1, 4, true };

    (void)snprintf(id.number, sizeof id.number, "%08u", i);
    return id;
}

START_TEST(the_buffer_gives_up_what_is_old)
{
    struct fragment_buffer *b = fragment_buffer_new();
    struct fragment_store s = fragment_buffer_store(b);
    struct device_id first = device_number(1), second = device_number(2);
    size_t n;

    fragment_buffer_expire(b, 100 * EMT_SECOND, 60 * EMT_SECOND);
    s.put(s.ctx, &first, 1, (const uint8_t *)"abc", 3);
    fragment_buffer_expire(b, 130 * EMT_SECOND, 60 * EMT_SECOND);
    s.put(s.ctx, &second, 1, (const uint8_t *)"de", 2);
    ck_assert_uint_eq(fragment_buffer_count(b), 2);
    fragment_buffer_expire(b, 170 * EMT_SECOND, 60 * EMT_SECOND);
    ck_assert_uint_eq(fragment_buffer_count(b), 1);
    ck_assert_ptr_null(s.get(s.ctx, &first, 1, &n));
    ck_assert_mem_eq(s.get(s.ctx, &second, 1, &n), "de", 2);
    ck_assert_ptr_null(s.get(s.ctx, &second, 2, &n));
    s.drop(s.ctx, &second);
    s.drop(s.ctx, &second);
    ck_assert_uint_eq(fragment_buffer_count(b), 0);
    fragment_buffer_free(b);
}
END_TEST

START_TEST(the_buffer_is_bounded)
{
    static const uint8_t bytes[1000];
    struct fragment_buffer *b = fragment_buffer_new();
    struct fragment_store s = fragment_buffer_store(b);
    struct device_id id = device_number(0);
    size_t n;

    for (unsigned i = 0; i < 5000; i++) {
        id = device_number(i);
        s.put(s.ctx, &id, 1, bytes, sizeof bytes);
    }
    ck_assert_uint_le(fragment_buffer_count(b), FRAGMENT_BUFFER_BYTES / sizeof bytes);
    ck_assert_uint_gt(fragment_buffer_count(b), 500);
    ck_assert_ptr_nonnull(s.get(s.ctx, &id, 1, &n)); /* the newest one stays */
    for (unsigned i = 0; i < 100000; i++) {          /* tiny ones cost what they cost */
        id = device_number(i);
        s.put(s.ctx, &id, 1, bytes, 1);
    }
    ck_assert_uint_lt(fragment_buffer_count(b), 10000);
    for (unsigned part = 1; part <= 255; part++) /* one meter that never ends */
        s.put(s.ctx, &id, (uint8_t)part, bytes, sizeof bytes);
    ck_assert(s.get(s.ctx, &id, 1, &n) == NULL);
    fragment_buffer_free(b);
}
END_TEST

SUITE(mbus_fragment, fragments_of_every_number_are_joined, the_order_of_arrival_does_not_matter,
      the_last_one_heard_twice_reads_twice, the_mac_covers_the_joined_whole,
      without_a_key_the_whole_waits_for_one, a_new_message_takes_the_place_of_an_old_one,
      a_wrong_message_length_is_malformed, without_a_store_fragments_are_unsupported,
      a_peek_keeps_nothing, every_prefix_of_a_fragment_is_survived, the_buffer_gives_up_what_is_old,
      the_buffer_is_bounded)
