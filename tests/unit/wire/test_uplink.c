/* The messages of the field channel: what goes in comes out, and nothing hostile gets through. */
#include "base/arena.h"
#include "base/hex.h"
#include "base/writer.h"
#include "wire/uplink.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_MAX (2u * UPLINK_MESSAGE_MAX)

static struct arena *arena;
static struct writer wire;

static void setup(void)
{
    arena = arena_new(16u * UPLINK_MESSAGE_MAX);
    ck_assert_ptr_nonnull(arena);
    writer_init_heap(&wire, WRITER_MAX);
}

static void teardown(void)
{
    writer_release(&wire);
    arena_free(arena);
}

/* Encodes, checks the prefix and decodes again. */
static struct uplink_message through(const struct uplink_message *m)
{
    struct uplink_message out;
    size_t len = 0;

    writer_clear(&wire);
    ck_assert_int_eq(uplink_encode(m, &wire), EMT_OK);
    ck_assert_int_eq(uplink_prefix(wire.data, &len), EMT_OK);
    ck_assert_uint_eq(len + UPLINK_PREFIX_LEN, wire.len);
    ck_assert_int_eq(uplink_decode(wire.data + UPLINK_PREFIX_LEN, len, arena, &out), EMT_OK);
    ck_assert_int_eq((int)out.kind, (int)m->kind);
    return out;
}

static enum emt_err encode(const struct uplink_message *m)
{
    writer_clear(&wire);
    return uplink_encode(m, &wire);
}

static enum emt_err decode_hex(const char *hex, struct uplink_message *out)
{
    uint8_t bytes[256];
    size_t n = 0;

    ck_assert_int_eq(hex_decode(hex, strlen(hex), bytes, sizeof bytes, &n), EMT_OK);
    return uplink_decode(bytes, n, arena, out);
}

static const char *const caps[] = { "gap", "command", "status" };

static struct uplink_message hello_message(void)
{
    struct uplink_message m = { .kind = UPLINK_HELLO };

    m.u.hello = (struct uplink_hello){ .version_min = 1,
                                       .version_max = 3,
                                       .next_seq = 77,
                                       .oldest_seq = 5,
                                       .capabilities = caps,
                                       .ncapabilities = 3,
                                       .software = "emt-agent 0.1.0",
                                       .serial = "Zähler-9",
                                       .sent_at = INT64_C(1763680000000000) };
    memset(m.u.hello.spool_id, 0xa5, sizeof m.u.hello.spool_id);
    return m;
}

START_TEST(hello_comes_back)
{
    struct uplink_message m = hello_message();
    struct uplink_hello h = through(&m).u.hello;

    ck_assert_uint_eq(h.version_min, 1);
    ck_assert_uint_eq(h.version_max, 3);
    ck_assert_mem_eq(h.spool_id, m.u.hello.spool_id, sizeof h.spool_id);
    ck_assert_uint_eq(h.next_seq, 77);
    ck_assert_uint_eq(h.oldest_seq, 5);
    ck_assert_uint_eq(h.ncapabilities, 3);
    ck_assert_str_eq(h.capabilities[1], "command");
    ck_assert_str_eq(h.software, "emt-agent 0.1.0");
    ck_assert_str_eq(h.hardware, "");
    ck_assert_str_eq(h.serial, "Zähler-9");
    ck_assert_int_eq(h.sent_at, INT64_C(1763680000000000));
}
END_TEST

START_TEST(welcome_comes_back)
{
    struct uplink_message m = { .kind = UPLINK_WELCOME };

    m.u.welcome = (struct uplink_welcome){ .version = 1,
                                           .last_seq = UINT64_MAX,
                                           .credit_bytes = 65536,
                                           .capabilities = caps,
                                           .ncapabilities = 2,
                                           .epoch = 9,
                                           .idle_ms = 90000,
                                           .server_time = 1,
                                           .max_message = UPLINK_MESSAGE_MAX,
                                           .max_frame = UPLINK_FRAME_MAX };
    struct uplink_welcome w = through(&m).u.welcome;
    ck_assert_uint_eq(w.version, 1);
    ck_assert_uint_eq(w.last_seq, UINT64_MAX);
    ck_assert_uint_eq(w.credit_bytes, 65536);
    ck_assert_uint_eq(w.ncapabilities, 2);
    ck_assert_str_eq(w.capabilities[0], "gap");
    ck_assert_uint_eq(w.epoch, 9);
    ck_assert_uint_eq(w.idle_ms, 90000);
    ck_assert_int_eq(w.server_time, 1);
    ck_assert_uint_eq(w.max_message, UPLINK_MESSAGE_MAX);
    ck_assert_uint_eq(w.max_frame, UPLINK_FRAME_MAX);
}
END_TEST

START_TEST(frames_come_back_in_order)
{
    static const uint8_t data[3] = { 0x44, 0x00, 0xff };
    struct uplink_frame list[2] = {
        { .seq = 8,
          .received_at = 5,
          .protocol = 1,
          .format = 2,
          .data = data,
          .len = 3,
          .rssi_dbm = -87 },
        { .seq = 9, .received_at = 6, .protocol = 999, .data = data, .len = 0 },
    };
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { list, 2 } };
    struct uplink_frames f = through(&m).u.frames;

    ck_assert_uint_eq(f.nframes, 2);
    ck_assert_uint_eq(f.frames[0].seq, 8);
    ck_assert_int_eq(f.frames[0].received_at, 5);
    ck_assert_uint_eq(f.frames[0].protocol, 1);
    ck_assert_uint_eq(f.frames[0].format, 2);
    ck_assert_uint_eq(f.frames[0].len, 3);
    ck_assert_mem_eq(f.frames[0].data, data, 3);
    ck_assert_int_eq(f.frames[0].rssi_dbm, -87);
    ck_assert_uint_eq(f.frames[1].seq, 9);
    ck_assert_uint_eq(f.frames[1].protocol, 999); /* judged by the session, not here */
    ck_assert_uint_eq(f.frames[1].len, 0);
}
END_TEST

START_TEST(an_empty_list_of_frames_is_a_message)
{
    struct uplink_message m = { .kind = UPLINK_FRAMES };

    ck_assert_uint_eq(through(&m).u.frames.nframes, 0);
}
END_TEST

START_TEST(ack_and_gap_come_back)
{
    struct uplink_rejected list[2] = { { 3, "frame-too-long" }, { 4, NULL } };
    struct uplink_message m = { .kind = UPLINK_ACK };
    struct uplink_message g = { .kind = UPLINK_GAP, .u.gap = { 11, 19, "overwritten" } };

    m.u.ack = (struct uplink_ack){ 10, list, 2, 4096 };
    struct uplink_ack a = through(&m).u.ack;
    ck_assert_uint_eq(a.up_to, 10);
    ck_assert_uint_eq(a.nrejected, 2);
    ck_assert_uint_eq(a.rejected[0].seq, 3);
    ck_assert_str_eq(a.rejected[0].reason, "frame-too-long");
    ck_assert_str_eq(a.rejected[1].reason, "");
    ck_assert_uint_eq(a.credit_bytes, 4096);
    struct uplink_gap back = through(&g).u.gap;
    ck_assert_uint_eq(back.from, 11);
    ck_assert_uint_eq(back.to, 19);
    ck_assert_str_eq(back.reason, "overwritten");
}
END_TEST

START_TEST(status_and_log_come_back)
{
    struct uplink_metric metrics[2] = { { "radio_crc_errors", 12 }, { "temperature_dc", -55 } };
    struct uplink_message m = { .kind = UPLINK_STATUS };
    struct uplink_message l = { .kind = UPLINK_LOG, .u.log = { 7, 4, "clock stepped" } };

    m.u.status = (struct uplink_status){ 1, 2, 3, 4, 5, 6, 7, 8, metrics, 2 };
    struct uplink_status s = through(&m).u.status;
    ck_assert_int_eq(s.at, 1);
    ck_assert_uint_eq(s.uptime_s, 2);
    ck_assert_uint_eq(s.spool_bytes, 3);
    ck_assert_uint_eq(s.spool_frames, 4);
    ck_assert_uint_eq(s.frames_heard, 5);
    ck_assert_uint_eq(s.load_permille, 6);
    ck_assert_uint_eq(s.memory_free_bytes, 7);
    ck_assert_uint_eq(s.disk_free_bytes, 8);
    ck_assert_uint_eq(s.nmetrics, 2);
    ck_assert_str_eq(s.metrics[1].name, "temperature_dc");
    ck_assert_int_eq(s.metrics[1].value, -55);
    struct uplink_log log = through(&l).u.log;
    ck_assert_uint_eq(log.level, 4);
    ck_assert_str_eq(log.text, "clock stepped");
}
END_TEST

START_TEST(command_and_result_come_back)
{
    struct uplink_argument args[2] = { { "from", "5" }, { "to", "" } };
    struct uplink_message c = { .kind = UPLINK_COMMAND };
    struct uplink_message r = { .kind = UPLINK_COMMAND_RESULT };

    c.u.command = (struct uplink_command){ { 1, 2, 3 }, "resend", args, 2, EMT_TIME_NONE };
    struct uplink_command cb = through(&c).u.command;
    ck_assert_mem_eq(cb.idempotency_key, c.u.command.idempotency_key, UPLINK_KEY_LEN);
    ck_assert_str_eq(cb.name, "resend");
    ck_assert_uint_eq(cb.narguments, 2);
    ck_assert_str_eq(cb.arguments[0].name, "from");
    ck_assert_str_eq(cb.arguments[0].value, "5");
    ck_assert_str_eq(cb.arguments[1].value, "");
    ck_assert_int_eq(cb.expires_at, EMT_TIME_NONE);
    r.u.command_result = (struct uplink_command_result){ { 9 }, 2, "not supported" };
    struct uplink_command_result rb = through(&r).u.command_result;
    ck_assert_mem_eq(rb.idempotency_key, r.u.command_result.idempotency_key, UPLINK_KEY_LEN);
    ck_assert_uint_eq(rb.outcome, 2);
    ck_assert_str_eq(rb.text, "not supported");
}
END_TEST

START_TEST(small_messages_come_back)
{
    struct uplink_message ping = { .kind = UPLINK_PING, .u.nonce = UINT64_MAX };
    struct uplink_message pong = { .kind = UPLINK_PONG, .u.nonce = 0 };
    struct uplink_message credit = { .kind = UPLINK_CREDIT, .u.credit_bytes = 123456789 };
    struct uplink_message bye = { .kind = UPLINK_BYE, .u.bye = { "draining", 1500 } };

    ck_assert_uint_eq(through(&ping).u.nonce, UINT64_MAX);
    ck_assert_uint_eq(through(&pong).u.nonce, 0);
    ck_assert_uint_eq(through(&credit).u.credit_bytes, 123456789);
    struct uplink_bye b = through(&bye).u.bye;
    ck_assert_str_eq(b.reason, "draining");
    ck_assert_uint_eq(b.retry_after_ms, 1500);
}
END_TEST

START_TEST(certificates_come_back_within_their_bounds)
{
    static uint8_t text[UPLINK_CHAIN_MAX + 1];
    struct uplink_message q = { .kind = UPLINK_CERTIFICATE_REQUEST };
    struct uplink_message a = { .kind = UPLINK_CERTIFICATE_ISSUED };
    struct writer w;

    memset(text, 'A', sizeof text);
    q.u.certificate_request = (struct uplink_certificate_request){ text, UPLINK_CSR_MAX };
    ck_assert_uint_eq(through(&q).u.certificate_request.len, UPLINK_CSR_MAX);
    a.u.certificate_issued = (struct uplink_certificate_issued){ text, UPLINK_CHAIN_MAX, NULL, 0 };
    struct uplink_certificate_issued b = through(&a).u.certificate_issued;
    ck_assert_uint_eq(b.len, UPLINK_CHAIN_MAX);
    ck_assert_mem_eq(b.chain, text, UPLINK_CHAIN_MAX);
    a.u.certificate_issued = (struct uplink_certificate_issued){ NULL, 0, "busy", 5000 };
    b = through(&a).u.certificate_issued;
    ck_assert_uint_eq(b.len, 0);
    ck_assert_str_eq(b.reason, "busy");
    ck_assert_uint_eq(b.retry_after_ms, 5000);
    writer_init_heap(&w, UPLINK_MESSAGE_MAX);
    q.u.certificate_request.len++;
    ck_assert_int_eq(uplink_encode(&q, &w), EMT_ELIMIT);
    a.u.certificate_issued = (struct uplink_certificate_issued){ text, sizeof text, NULL, 0 };
    ck_assert_int_eq(uplink_encode(&a, &w), EMT_ELIMIT);
    writer_release(&w);
}
END_TEST

START_TEST(each_kind_has_a_name)
{
    for (int k = UPLINK_HELLO; k <= UPLINK_CERTIFICATE_ISSUED; k++)
        ck_assert_str_ne(uplink_kind_name((enum uplink_kind)k), "unknown");
    ck_assert_str_eq(uplink_kind_name((enum uplink_kind)0), "unknown");
}
END_TEST

START_TEST(prefix_knows_its_bounds)
{
    static const uint8_t zero[4] = { 0 };
    static const uint8_t most[4] = { 0x00, 0x10, 0x00, 0x00 };
    static const uint8_t above[4] = { 0x00, 0x10, 0x00, 0x01 };
    static const uint8_t http[4] = { 'G', 'E', 'T', ' ' };
    size_t len = 5;

    ck_assert_int_eq(uplink_prefix(zero, &len), EMT_EMALFORMED);
    ck_assert_int_eq(uplink_prefix(above, &len), EMT_ELIMIT);
    ck_assert_int_eq(uplink_prefix(http, &len), EMT_ELIMIT);
    ck_assert_uint_eq(len, 5);
    ck_assert_int_eq(uplink_prefix(most, &len), EMT_OK);
    ck_assert_uint_eq(len, UPLINK_MESSAGE_MAX);
}
END_TEST

START_TEST(encoder_refuses_what_is_too_much)
{
    static uint8_t data[UPLINK_FRAME_MAX + 1];
    static char text[UPLINK_TEXT_MAX + 2];
    struct uplink_frame *list = calloc(UPLINK_FRAMES_MAX + 1, sizeof *list);
    struct uplink_message m = { .kind = UPLINK_FRAMES,
                                .u.frames = { list, UPLINK_FRAMES_MAX + 1 } };
    struct uplink_message log = { .kind = UPLINK_LOG, .u.log = { 0, 3, text } };

    ck_assert_ptr_nonnull(list);
    ck_assert_int_eq(encode(&m), EMT_ELIMIT); /* too many */
    m.u.frames.nframes = UPLINK_FRAMES_MAX;
    ck_assert_int_eq(encode(&m), EMT_OK);
    list[0].data = data;
    list[0].len = sizeof data;
    m.u.frames.nframes = 1;
    ck_assert_int_eq(encode(&m), EMT_ELIMIT); /* one too long */
    for (size_t i = 0; i < 64; i++)
        list[i] = (struct uplink_frame){ .seq = i + 1, .data = data, .len = UPLINK_FRAME_MAX };
    m.u.frames.nframes = 64;
    ck_assert_int_eq(encode(&m), EMT_ELIMIT); /* together above 1 MiB */
    m.u.frames.nframes = 63;
    ck_assert_int_eq(encode(&m), EMT_OK);
    memset(text, 'a', UPLINK_TEXT_MAX);
    ck_assert_int_eq(encode(&log), EMT_OK);
    text[UPLINK_TEXT_MAX] = 'a';
    ck_assert_int_eq(encode(&log), EMT_ELIMIT);
    log.u.log.text = "\xff";
    ck_assert_int_eq(encode(&log), EMT_EMALFORMED);
    log.kind = (enum uplink_kind)99;
    ck_assert_int_eq(encode(&log), EMT_EMALFORMED);
    free(list);
}
END_TEST

START_TEST(encoder_says_when_the_writer_is_full)
{
    uint8_t storage[20];
    struct writer w;
    struct uplink_message m = hello_message();

    writer_init_fixed(&w, storage, sizeof storage);
    ck_assert_int_eq(uplink_encode(&m, &w), EMT_ELIMIT);
}
END_TEST

/* A prefix of a protobuf message may be a message (fields are optional), but never reads past its
 * end: the copy on the heap has no byte more, so the sanitizer sees every step outside. */
START_TEST(every_prefix_is_a_smaller_message_or_malformed)
{
    struct uplink_message m = hello_message();
    struct uplink_message out;

    ck_assert_int_eq(encode(&m), EMT_OK);
    size_t len = wire.len - UPLINK_PREFIX_LEN;
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n + (n == 0));
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, wire.data + UPLINK_PREFIX_LEN, n);
        ck_assert_int_eq(uplink_decode(copy, n, arena, &out), EMT_EMALFORMED);
        free(copy);
        arena_reset(arena);
    }
}
END_TEST

START_TEST(every_changed_byte_is_survived)
{
    struct uplink_message m = hello_message();
    struct uplink_message out;

    ck_assert_int_eq(encode(&m), EMT_OK);
    for (size_t i = UPLINK_PREFIX_LEN; i < wire.len; i++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = wire.data[i];
            wire.data[i] = (uint8_t)v;
            enum emt_err err = uplink_decode(wire.data + UPLINK_PREFIX_LEN,
                                             wire.len - UPLINK_PREFIX_LEN, arena, &out);
            ck_assert(err == EMT_OK || err == EMT_EMALFORMED || err == EMT_ELIMIT);
            wire.data[i] = was;
            arena_reset(arena);
        }
    }
}
END_TEST

START_TEST(hostile_messages_are_refused)
{
    static const struct {
        const char *what, *hex;
        enum emt_err err;
    } cases[] = {
        { "no body", "", EMT_EMALFORMED },
        { "a body of a later version", "a206020801", EMT_EMALFORMED },
        { "a length beyond the end", "0aff010801", EMT_EMALFORMED },
        { "a length of 2^31", "0affffffff07", EMT_EMALFORMED },
        { "a length of 2^64 - 1", "0affffffffffffffffff01", EMT_EMALFORMED },
        { "a varint without an end", "0a0408ffffff", EMT_EMALFORMED },
        { "a varint of eleven bytes", "420c08ffffffffffffffffffff7f", EMT_EMALFORMED },
        { "group wire type", "0b", EMT_EMALFORMED },
        { "field number 0", "0000", EMT_EMALFORMED },
        { "a spool id of three bytes", "0a051a03010203", EMT_EMALFORMED },
        { "no spool id", "0a00", EMT_EMALFORMED },
        { "an idempotency key of one byte", "52030a0107", EMT_EMALFORMED },
        { "a text that is no UTF-8", "3a041a02c328", EMT_EMALFORMED },
        { "an overlong text", "3a041a02c0af", EMT_EMALFORMED },
        { "a surrogate", "3a051a03eda080", EMT_EMALFORMED },
        { "a time after the end of time", "3a0b08ffffffffffffffffff01", EMT_EMALFORMED },
    };
    struct uplink_message out;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum emt_err err = decode_hex(cases[i].hex, &out);
        ck_assert_msg(err == cases[i].err, "%s: %s", cases[i].what, emt_err_name(err));
    }
}
END_TEST

START_TEST(a_field_of_a_later_version_is_passed_over)
{
    struct uplink_message out;

    /* ping: nonce = 5, then field 127 as a varint */
    ck_assert_int_eq(decode_hex("42 05 0805 f80701", &out), EMT_OK);
    ck_assert_int_eq((int)out.kind, UPLINK_PING);
    ck_assert_uint_eq(out.u.nonce, 5);
}
END_TEST

START_TEST(of_two_bodies_the_last_one_counts)
{
    struct uplink_message out;

    ck_assert_int_eq(decode_hex("42 02 0805 4a 02 0806", &out), EMT_OK); /* ping, pong */
    ck_assert_int_eq((int)out.kind, UPLINK_PONG);
    ck_assert_uint_eq(out.u.nonce, 6);
}
END_TEST

/* 5,000 empty frames in 10,000 bytes; 300 rejected; half a million of them. */
static enum emt_err decode_many(uint8_t body_tag, uint8_t list_tag, size_t n)
{
    struct uplink_message out;
    struct writer w;
    size_t inner = 2 * n;

    writer_init_heap(&w, UPLINK_MESSAGE_MAX + 16);
    writer_u8(&w, body_tag);
    for (size_t rest = inner; rest > 0; rest >>= 7)
        writer_u8(&w, (uint8_t)((rest & 0x7fu) | (rest >> 7 ? 0x80u : 0u)));
    for (size_t i = 0; i < n; i++)
        writer_be(&w, (uint64_t)list_tag << 8, 2);
    ck_assert(!w.failed);
    enum emt_err err = uplink_decode(w.data, w.len, arena, &out);
    writer_release(&w);
    arena_reset(arena);
    return err;
}

START_TEST(lists_are_bounded)
{
    ck_assert_int_eq(decode_many(0x1a, 0x0a, UPLINK_FRAMES_MAX), EMT_OK);
    ck_assert_int_eq(decode_many(0x1a, 0x0a, UPLINK_FRAMES_MAX + 1), EMT_ELIMIT);
    ck_assert_int_eq(decode_many(0x22, 0x12, UPLINK_LIST_MAX), EMT_OK);
    ck_assert_int_eq(decode_many(0x22, 0x12, UPLINK_LIST_MAX + 1), EMT_ELIMIT);
    ck_assert_int_eq(decode_many(0x32, 0x4a, UPLINK_LIST_MAX + 1), EMT_ELIMIT); /* metrics */
    ck_assert_int_eq(decode_many(0x22, 0x12, 500000), EMT_ELIMIT); /* stopped by the memory bound */
}
END_TEST

START_TEST(a_message_above_the_limit_is_not_looked_at)
{
    uint8_t byte = 0;
    struct uplink_message out;

    ck_assert_int_eq(uplink_decode(&byte, UPLINK_MESSAGE_MAX + 1, arena, &out), EMT_ELIMIT);
}
END_TEST

START_TEST(a_full_arena_is_a_limit)
{
    struct arena *small = arena_new(512);
    static uint8_t data[4096];
    struct uplink_frame frame = { .seq = 1, .data = data, .len = sizeof data };
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { &frame, 1 } };
    struct uplink_message out;

    ck_assert_ptr_nonnull(small);
    ck_assert_int_eq(encode(&m), EMT_OK);
    ck_assert_int_eq(
        uplink_decode(wire.data + UPLINK_PREFIX_LEN, wire.len - UPLINK_PREFIX_LEN, small, &out),
        EMT_ELIMIT);
    arena_free(small);
}
END_TEST

/* Longer than we send, but the session must be able to say so by its sequence number. */
START_TEST(a_frame_that_is_too_long_reaches_the_session)
{
    struct uplink_message out;
    struct writer w;
    size_t data = UPLINK_FRAME_MAX + 10;

    writer_init_heap(&w, UPLINK_MESSAGE_MAX);
    writer_be(&w, 0x1a, 1); /* frames, length of a 3 byte varint */
    size_t outer = data + 4 + 2 + 4;
    for (int i = 0; i < 3; i++)
        writer_u8(&w, (uint8_t)(((outer >> (7 * i)) & 0x7fu) | (i < 2 ? 0x80u : 0u)));
    writer_u8(&w, 0x0a); /* frame */
    size_t inner = data + 2 + 4;
    for (int i = 0; i < 3; i++)
        writer_u8(&w, (uint8_t)(((inner >> (7 * i)) & 0x7fu) | (i < 2 ? 0x80u : 0u)));
    writer_be(&w, 0x0807, 2); /* seq = 7 */
    writer_u8(&w, 0x2a);      /* data */
    for (int i = 0; i < 3; i++)
        writer_u8(&w, (uint8_t)(((data >> (7 * i)) & 0x7fu) | (i < 2 ? 0x80u : 0u)));
    ck_assert_ptr_nonnull(writer_reserve(&w, data));
    ck_assert_int_eq(uplink_decode(w.data, w.len, arena, &out), EMT_OK);
    ck_assert_uint_eq(out.u.frames.frames[0].seq, 7);
    ck_assert_uint_eq(out.u.frames.frames[0].len, data);
    writer_release(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire_uplink");
    TCase *t = tcase_create("uplink");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, hello_comes_back);
    tcase_add_test(t, welcome_comes_back);
    tcase_add_test(t, frames_come_back_in_order);
    tcase_add_test(t, an_empty_list_of_frames_is_a_message);
    tcase_add_test(t, ack_and_gap_come_back);
    tcase_add_test(t, status_and_log_come_back);
    tcase_add_test(t, command_and_result_come_back);
    tcase_add_test(t, small_messages_come_back);
    tcase_add_test(t, certificates_come_back_within_their_bounds);
    tcase_add_test(t, each_kind_has_a_name);
    tcase_add_test(t, prefix_knows_its_bounds);
    tcase_add_test(t, encoder_refuses_what_is_too_much);
    tcase_add_test(t, encoder_says_when_the_writer_is_full);
    tcase_add_test(t, every_prefix_is_a_smaller_message_or_malformed);
    tcase_add_test(t, every_changed_byte_is_survived);
    tcase_add_test(t, hostile_messages_are_refused);
    tcase_add_test(t, a_field_of_a_later_version_is_passed_over);
    tcase_add_test(t, of_two_bodies_the_last_one_counts);
    tcase_add_test(t, lists_are_bounded);
    tcase_add_test(t, a_message_above_the_limit_is_not_looked_at);
    tcase_add_test(t, a_full_arena_is_a_limit);
    tcase_add_test(t, a_frame_that_is_too_long_reaches_the_session);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
