/* CPU time of one core; the median of the runs, because everything else is somebody else's work. */
#include "bench_decode_dlms.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "base/writer.h"
#include "bench_decode.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 7
#define WARM_FRAMES 1000
#define FRAMES 50000
#define FRAME_MAX 512
#define TAG_LEN 12
#define CONTROL 0x30 /* authenticated and encrypted */

struct sample {
    const char *name;
    uint8_t frame[FRAME_MAX];
    size_t len;
    bool has_key;
    unsigned nreadings;
};

static const uint8_t key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
static const uint8_t title[8] = { 'E', 'M', 'T', 0x10, 0x00, 0xbc, 0x61, 0x4e };

/* What a household meter pushes: number, import, export, power, three voltages. */
static bool put_push(struct writer *w)
{
    static const uint8_t head[] = { 0x0f, 0x40, 0x00, 0x00, 0x01, 0x0c, 0x07, 0xea,
                                    0x0b, 0x15, 0x06, 0x00, 0x0f, 0x00, 0xff, 0xff,
                                    0xc4, 0x00, 0x01, 0x07, 0x02, 0x02, 0x09, 0x06,
                                    0x00, 0x00, 0x60, 0x01, 0x00, 0xff, 0x0a, 0x0e };
    static const struct {
        uint8_t c, d;
        uint32_t value;
        uint8_t scaler, unit;
    } values[] = {
        { 1, 8, 12345678, 0, 30 }, { 2, 8, 345678, 0, 30 },   { 16, 7, 4321, 0, 27 },
        { 32, 7, 2301, 0xff, 35 }, { 52, 7, 2294, 0xff, 35 }, { 72, 7, 2310, 0xff, 35 },
    };

    writer_bytes(w, head, sizeof head);
    writer_text(w, "1EMT0012345678");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const uint8_t name[] = { 0x02, 0x03, 0x09, 0x06, 1, 0, values[i].c, values[i].d, 0, 255 };
        const uint8_t scale[] = { 0x02, 0x02, 0x0f, values[i].scaler, 0x16, values[i].unit };

        writer_bytes(w, name, sizeof name);
        writer_u8(w, 0x06);
        writer_be(w, values[i].value, 4);
        writer_bytes(w, scale, sizeof scale);
    }
    return !w->failed;
}

static bool put_ciphered(struct cipher *c, struct writer *w)
{
    uint8_t storage[FRAME_MAX], text[FRAME_MAX], tag[TAG_LEN];
    uint8_t nonce[12] = { 0 }, aad[1 + sizeof key] = { CONTROL };
    struct writer plain;

    writer_init_fixed(&plain, storage, sizeof storage);
    memcpy(nonce, title, sizeof title);
    nonce[11] = 7;
    memcpy(aad + 1, key, sizeof key);
    if (!put_push(&plain) ||
        cipher_aes_gcm_seal(c, key, sizeof key, nonce, aad, sizeof aad, storage, plain.len, text,
                            tag, sizeof tag) != EMT_OK)
        return false;
    writer_be(w, 0xdb08, 2);
    writer_bytes(w, title, sizeof title);
    writer_be(w, 0x8200, 2); /* length in two bytes, the high one is 0 or 1 */
    w->data[w->len - 1] = (uint8_t)((5 + plain.len + TAG_LEN) >> 8);
    writer_u8(w, (uint8_t)(5 + plain.len + TAG_LEN));
    writer_u8(w, CONTROL);
    writer_be(w, 7, 4);
    writer_bytes(w, text, plain.len);
    return writer_bytes(w, tag, sizeof tag);
}

/* ISO/IEC 13239, bit by bit. */
static void put_check(struct writer *w, size_t from)
{
    uint16_t crc = 0xffff;

    for (size_t i = from; i < w->len; i++) {
        crc ^= w->data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1);
    }
    writer_le(w, (uint16_t)~crc, 2);
}

static bool make_sample(struct cipher *c, struct sample *s, const char *name, bool ciphered)
{
    struct writer w;

    s->name = name;
    s->has_key = ciphered;
    writer_init_fixed(&w, s->frame, sizeof s->frame);
    writer_be(&w, 0x7ea0000201, 5);
    writer_u8(&w, 0x13);
    w.data[3] = 0x41;
    writer_be(&w, 0, 2); /* room for the header's check sequence */
    writer_be(&w, 0xe6e700, 3);
    if (!(ciphered ? put_ciphered(c, &w) : put_push(&w)))
        return false;
    s->len = w.len + 3;
    w.data[1] = (uint8_t)(0xa0 | (s->len - 2) >> 8);
    w.data[2] = (uint8_t)(s->len - 2);
    w.data[4] = 0x03;
    struct writer head = { w.data, 6, FRAME_MAX, 0, false };

    put_check(&head, 1);
    put_check(&w, 1);
    return writer_u8(&w, 0x7e);
}

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct sample *s = ctx;

    (void)device;
    if (!s->has_key)
        return 0;
    memcpy(keys[0].bytes, key, sizeof key);
    keys[0].len = sizeof key;
    memcpy(keys[0].ak, key, sizeof key);
    keys[0].ak_len = sizeof key;
    return 1;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool decode_many(struct arena *arena, struct cipher *c, struct sample *s, unsigned n)
{
    struct decode_request req = { .protocol = PROTOCOL_DLMS,
                                  .format = FRAME_FORMAT_HDLC,
                                  .frame = s->frame,
                                  .len = s->len,
                                  .keys = { find_key, s },
                                  .cipher = c,
                                  .arena = arena };
    struct decode_result r;

    for (unsigned i = 0; i < n; i++) {
        arena_reset(arena);
        if (decode_frame(&req, &r) != EMT_OK || r.state != FRAME_OK || r.nreadings == 0)
            return false;
        s->nreadings = r.nreadings;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Frames per second of CPU time; 0 when a frame does not decode or a warm decoder allocates. */
static double measure(struct arena *arena, struct cipher *c, struct sample *s)
{
    double rates[RUNS];
    unsigned long before, allocated;

    if (!decode_many(arena, c, s, WARM_FRAMES))
        return 0;
    before = bench_decode_allocations();
    for (unsigned run = 0; run < RUNS; run++) {
        double start = cpu_seconds();

        if (!decode_many(arena, c, s, FRAMES))
            return 0;
        rates[run] = FRAMES / (cpu_seconds() - start);
    }
    allocated = bench_decode_allocations() - before;
    bench_decode_put_allocations(s->name, allocated, RUNS);
    if (allocated)
        return 0;
    qsort(rates, RUNS, sizeof rates[0], by_value);
    return rates[RUNS / 2];
}

static bool run_sample(struct arena *arena, struct cipher *c, struct sample *s)
{
    double rate = measure(arena, c, s);

    if (rate == 0) {
        (void)fprintf(stderr, "emt-bench decode: %s failed\n", s->name);
        return false;
    }
    (void)printf("{\"bench\":\"decode\",\"name\":\"%s\",\"value\":%.0f,"
                 "\"unit\":\"frames/s\",\"runs\":%d,\"bytes\":%zu,\"readings\":%u}\n",
                 s->name, rate, RUNS, s->len, s->nreadings);
    return true;
}

int bench_decode_dlms(int argc, char **argv)
{
    static struct sample plain, ciphered;
    struct arena *arena;
    struct cipher *c;
    bool ok;

    (void)argv;
    if (argc != 1) {
        (void)fprintf(stderr, "emt-bench decode: takes no argument\n");
        return 2;
    }
    arena = arena_new(1024 * 1024);
    c = cipher_new();
    ok = arena && c && make_sample(c, &plain, "dlms-push", false) &&
         make_sample(c, &ciphered, "dlms-push-ciphered", true) && run_sample(arena, c, &plain) &&
         run_sample(arena, c, &ciphered);
    cipher_free(c);
    arena_free(arena);
    return ok ? 0 : 1;
}
