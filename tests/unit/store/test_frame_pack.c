/* Packed raw frames: everything comes back, and broken bytes are refused. */
#include "store/frame_pack.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N 300

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct set {
    struct packed_frame f[N];
    uint8_t bytes[N][256], spools[4][16], hashes[N][16];
};

static const char *const reasons[] = { "", "no key", "counter 17 is not above 18", "Zähler" };

/* As a gateway brings them, with now and then an extreme. */
static void fill(struct set *s, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < sizeof s->spools; i++)
        s->spools[i / 16][i % 16] = (uint8_t)next_random(&seed);
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(&seed);
        struct packed_frame *f = &s->f[i];

        memset(f, 0, sizeof *f);
        for (size_t k = 0; k < sizeof s->bytes[i]; k++)
            s->bytes[i][k] = (uint8_t)next_random(&seed);
        memcpy(s->hashes[i], s->bytes[i], 16);
        f->spool_id = s->spools[r % 4];
        f->seq = r % 50 == 0 ? INT64_MAX : (int64_t)i * 3;
        f->stored_at = INT64_C(1767225600000000) + (int64_t)(i / 7) * 50000;
        f->received_at = r % 40 == 1   ? INT64_MIN + 1
                         : r % 40 == 2 ? INT64_MAX
                                       : f->stored_at - (int64_t)(r % 1000000);
        f->device = r % 5 ? (int64_t)(r % 90) + 1 : 0;
        f->device = r % 60 == 3 ? INT64_MAX : f->device;
        f->has_counter = r & 64;
        f->counter = f->has_counter ? (int64_t)next_random(&seed) : 0;
        f->has_rssi = r & 128;
        f->rssi_dbm = f->has_rssi ? (int16_t) - (int16_t)(r % 110) : (int16_t)0;
        f->protocol = (int16_t)(r % 7);
        f->format = r % 30 == 4 ? INT16_MIN : (int16_t)1;
        f->state = (uint8_t)(r % 6);
        f->hash = r & 256 ? s->hashes[i] : NULL;
        f->data = s->bytes[i];
        f->len = r % 20 == 5 ? 0 : (r >> 20) % sizeof s->bytes[i];
        f->reason = reasons[(r >> 10) % 4];
        f->reason_len = strlen(f->reason);
    }
}

static void check_same(const struct packed_frame *a, const struct packed_frame *b)
{
    ck_assert_mem_eq(a->spool_id, b->spool_id, 16);
    ck_assert_int_eq(a->seq, b->seq);
    ck_assert_int_eq(a->stored_at, b->stored_at);
    ck_assert_int_eq(a->received_at, b->received_at);
    ck_assert_int_eq(a->device, b->device);
    ck_assert_int_eq(a->has_counter, b->has_counter);
    ck_assert_int_eq(a->counter, b->counter);
    ck_assert_int_eq(a->has_rssi, b->has_rssi);
    ck_assert_int_eq(a->rssi_dbm, b->rssi_dbm);
    ck_assert_int_eq(a->protocol, b->protocol);
    ck_assert_int_eq(a->format, b->format);
    ck_assert_int_eq(a->state, b->state);
    ck_assert_int_eq(a->hash == NULL, b->hash == NULL);
    if (a->hash)
        ck_assert_mem_eq(a->hash, b->hash, 16);
    ck_assert_uint_eq(a->len, b->len);
    if (a->len)
        ck_assert_mem_eq(a->data, b->data, a->len);
    ck_assert_uint_eq(a->reason_len, b->reason_len);
    if (a->reason_len)
        ck_assert_mem_eq(a->reason, b->reason, a->reason_len);
}

static void check_round(const struct packed_frame *f, size_t n)
{
    struct frame_pack p;
    struct writer w;

    writer_init_heap(&w, FRAME_PACK_BODY_MOST);
    ck_assert_int_eq(frame_pack_encode(f, n, &w), EMT_OK);
    ck_assert_int_eq(frame_pack_decode(w.data, w.len, &p), EMT_OK);
    ck_assert_uint_eq(p.n, n);
    for (size_t i = 0; i < n; i++)
        check_same(&p.frames[i], &f[i]);
    frame_pack_release(&p);
    writer_release(&w);
}

START_TEST(whatever_goes_in_comes_out)
{
    struct set *s = calloc(1, sizeof *s);

    for (uint64_t seed = 1; seed <= 60; seed++) {
        size_t n = seed < 20 ? seed : N;

        fill(s, n, seed * 7919);
        check_round(s->f, n);
    }
    free(s);
}
END_TEST

START_TEST(what_shrinks_is_deflated_and_noise_is_not)
{
    struct set *s = calloc(1, sizeof *s);
    struct writer w;

    fill(s, 1, 5);
    s->f[0].len = 200;
    s->f[0].reason_len = 0;
    writer_init_heap(&w, FRAME_PACK_BODY_MOST);
    ck_assert_int_eq(frame_pack_encode(s->f, 1, &w), EMT_OK);
    ck_assert_int_eq(w.data[1], 0);
    writer_clear(&w);
    for (size_t i = 0; i < N; i++) {
        s->f[i] = s->f[0];
        s->f[i].seq = (int64_t)i;
    }
    ck_assert_int_eq(frame_pack_encode(s->f, N, &w), EMT_OK);
    ck_assert_int_eq(w.data[1], 1);
    ck_assert_uint_lt(w.len, N * 20);
    writer_release(&w);
    check_round(s->f, N);
    free(s);
}
END_TEST

/* As in docs/generic-schema.md. */
START_TEST(the_bytes_are_those_of_the_documentation)
{
    static const uint8_t spool[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const uint8_t want[] = { 0x01, 0x00, 0x01, 0x01, 1,    1,    1,    1,    1,    1,
                                    1,    1,    1,    1,    1,    1,    1,    1,    1,    1,
                                    0x01, 0x07, 0x02, 0x00, 0x00, 0x01, 0x0a, 0xd0, 0x0f, 0x01,
                                    0x02, 0x00, 0x03, 0x77, 0x0a, 0x0b, 0x0c };
    struct packed_frame f = { .spool_id = spool,
                              .seq = 5,
                              .stored_at = 1000,
                              .received_at = 999,
                              .device = 7,
                              .has_rssi = true,
                              .rssi_dbm = -60,
                              .protocol = 1,
                              .data = (const uint8_t *)"\x0a\x0b\x0c",
                              .len = 3,
                              .reason = "" };
    struct writer w;

    writer_init_heap(&w, 1000);
    ck_assert_int_eq(frame_pack_encode(&f, 1, &w), EMT_OK);
    ck_assert_uint_eq(w.len, sizeof want);
    ck_assert_mem_eq(w.data, want, sizeof want);
    writer_release(&w);
}
END_TEST

START_TEST(every_prefix_and_every_changed_byte_is_survived)
{
    struct set *s = calloc(1, sizeof *s);
    struct frame_pack p;
    struct writer w;

    fill(s, 12, 99);
    writer_init_heap(&w, FRAME_PACK_BODY_MOST);
    ck_assert_int_eq(frame_pack_encode(s->f, 12, &w), EMT_OK);
    for (size_t n = 0; n < w.len; n++) {
        uint8_t *cut = malloc(n ? n : 1);

        memcpy(cut, w.data, n);
        ck_assert_int_ne(frame_pack_decode(cut, n, &p), EMT_OK);
        free(cut);
    }
    for (size_t i = 0; i < w.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            w.data[i] ^= (uint8_t)(1u << bit);
            if (frame_pack_decode(w.data, w.len, &p) == EMT_OK)
                frame_pack_release(&p);
            w.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    writer_release(&w);
    free(s);
}
END_TEST

START_TEST(promises_of_memory_are_not_believed)
{
    static const uint8_t bodies[][16] = {
        { 1, 1, 0xff, 0xff, 0xff, 0x7f, 0x78, 0x9c },             /* 256 MiB out of nothing */
        { 1, 1, 0x80, 0x80, 0x80, 0x10, 0x78, 0x9c },             /* 32 MiB of two bytes */
        { 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01 },             /* frames */
        { 1, 0, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x02 }, /* spools */
        { 1, 0, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01 }, /* devices */
        { 2, 0, 0x01 },                                           /* version */
        { 1, 4, 0x01 },                                           /* flags */
        { 1, 0, 0x00 },                                           /* no frame */
    };
    struct frame_pack p;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        ck_assert_int_ne(frame_pack_decode(bodies[i], sizeof bodies[i], &p), EMT_OK);
    ck_assert_int_eq(frame_pack_decode(bodies[5], 16, &p), EMT_EUNSUPPORTED);
    ck_assert_int_eq(frame_pack_decode(bodies[6], 16, &p), EMT_EUNSUPPORTED);
    ck_assert_int_eq(frame_pack_decode(bodies[0], 16, &p), EMT_ELIMIT);
}
END_TEST

START_TEST(too_many_frames_are_refused)
{
    struct packed_frame f = { .spool_id = (const uint8_t *)"0123456789abcdef", .reason = "" };
    struct writer w;

    writer_init_heap(&w, 1000);
    ck_assert_int_eq(frame_pack_encode(&f, 0, &w), EMT_ELIMIT);
    ck_assert_int_eq(frame_pack_encode(&f, FRAME_PACK_FRAMES_MOST + 1, &w), EMT_ELIMIT);
    f.device = -1;
    ck_assert_int_eq(frame_pack_encode(&f, 1, &w), EMT_ELIMIT);
    writer_release(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame_pack");
    TCase *t = tcase_create("frame_pack");
    SRunner *sr = srunner_create(s);

    tcase_add_test(t, whatever_goes_in_comes_out);
    tcase_add_test(t, what_shrinks_is_deflated_and_noise_is_not);
    tcase_add_test(t, the_bytes_are_those_of_the_documentation);
    tcase_add_test(t, every_prefix_and_every_changed_byte_is_survived);
    tcase_add_test(t, promises_of_memory_are_not_believed);
    tcase_add_test(t, too_many_frames_are_refused);
    suite_add_tcase(s, t);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
