#include "bench_decode.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "base/writer.h"
#include "parsers/decode.h"
#include "parsers/oms_encode.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 7
#define WARM_FRAMES 1000
#define FRAMES 20000
#define FRAME_MAX 300

/* Every allocation of the process is counted, the libraries' included. Under a sanitizer malloc
 * belongs to it. */
#if defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 0
static unsigned long allocations;
#else
#define COUNTS_ALLOCATIONS 1
static _Atomic unsigned long allocations;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}
#endif

struct sample {
    const char *name;
    enum protocol protocol;
    enum frame_format format;
    bool has_key;
    uint8_t frame[FRAME_MAX];
    size_t len;
};

static const uint8_t key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };

/* What an electricity meter sends: clock, import, export, two tariffs, power, due date and value.
 */
static bool put_records(struct writer *w)
{
    static const uint8_t import[] = { 0x03 }, export[] = { 0x83, 0x3c }, rate1[] = { 0x10, 0x03 };
    static const uint8_t rate2[] = { 0x20, 0x03 }, power[] = { 0x2b };
    static const uint8_t due_date[] = { 0x42, 0x6c, 0x5f, 0x3c };

    bool ok = oms_put_datetime(w, 0x04, 2026, 11, 21, 0, 7, false) == EMT_OK &&
              oms_put_record(w, 0x0e, import, sizeof import, 123456789) == EMT_OK &&
              oms_put_record(w, 0x0e, export, sizeof export, 3456789) == EMT_OK &&
              oms_put_record(w, 0x8e, rate1, sizeof rate1, 100000000) == EMT_OK &&
              oms_put_record(w, 0x8e, rate2, sizeof rate2, 23456789) == EMT_OK &&
              oms_put_record(w, 0x04, power, sizeof power, 4321) == EMT_OK;

    writer_bytes(w, due_date, sizeof due_date);
    return ok && oms_put_record(w, 0x4e, import, sizeof import, 120000000) == EMT_OK;
}

static bool make_radio(struct cipher *c, struct sample *s, const char *name, bool encrypted,
                       bool with_crc)
{
    struct oms_telegram t = { .device = { "EMT", "12345678", 1, 2, true }, .access_number = 42 };
    uint8_t records[200], frame[FRAME_MAX];
    struct writer r, w, out;

    writer_init_fixed(&r, records, sizeof records);
    writer_init_fixed(&w, frame, sizeof frame);
    writer_init_fixed(&out, s->frame, sizeof s->frame);
    s->name = name;
    s->protocol = PROTOCOL_WMBUS;
    s->format = with_crc ? FRAME_FORMAT_A_CRC : FRAME_FORMAT_NO_LINK_CRC;
    s->has_key = encrypted;
    t.encrypted = encrypted;
    memcpy(t.key, key, sizeof key);
    if (!put_records(&r))
        return false;
    t.records = records;
    t.records_len = r.len;
    if (oms_encode(c, &t, &w) != EMT_OK)
        return false;
    if (!with_crc)
        writer_bytes(&out, frame, w.len);
    else if (oms_add_crc_a(frame, w.len, &out) != EMT_OK)
        return false;
    s->len = out.len;
    return !out.failed;
}

static bool make_wired(struct sample *s)
{
    /* C A CI, then ID, manufacturer, version, type, access, status, configuration */
    static const uint8_t head[] = { 0x08, 0x01, 0x72, 0x78, 0x56, 0x34, 0x12, 0xb4,
                                    0x15, 0x01, 0x02, 0x2a, 0x00, 0x00, 0x00 };
    struct writer w;
    uint8_t sum = 0;
    size_t n;

    s->name = "mbus-long-frame";
    s->protocol = PROTOCOL_MBUS;
    writer_init_fixed(&w, s->frame, sizeof s->frame);
    writer_be(&w, 0x68000068, 4);
    writer_bytes(&w, head, sizeof head);
    if (!put_records(&w))
        return false;
    n = w.len - 4;
    s->frame[1] = s->frame[2] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + s->frame[4 + i]);
    writer_u8(&w, sum);
    writer_u8(&w, 0x16);
    s->len = w.len;
    return !w.failed;
}

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct sample *s = ctx;

    (void)device;
    if (!s->has_key)
        return 0;
    memcpy(keys[0].bytes, key, sizeof key);
    keys[0].len = sizeof key;
    return 1;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* False when a frame does not end ok. */
static bool decode_many(struct sample *s, struct arena *arena, struct cipher *c, unsigned n)
{
    struct decode_request req = { .protocol = s->protocol,
                                  .format = s->format,
                                  .frame = s->frame,
                                  .len = s->len,
                                  .cipher = c,
                                  .arena = arena };
    struct decode_result r;

    req.keys = (struct key_lookup){ find_key, s };
    for (unsigned i = 0; i < n; i++) {
        arena_reset(arena);
        if (decode_frame(&req, &r) != EMT_OK || r.state != FRAME_OK || r.nreadings == 0)
            return false;
    }
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void put_line(const char *name, const char *what, double value, const char *unit)
{
    (void)printf(
        "{\"bench\":\"decode\",\"name\":\"%s%s\",\"value\":%.4g,\"unit\":\"%s\",\"runs\":%d}\n",
        name, what, value, unit, RUNS);
}

static bool run_sample(struct sample *s, struct arena *arena, struct cipher *c)
{
    double rates[RUNS];
    unsigned long before, allocated;

    if (!decode_many(s, arena, c, WARM_FRAMES)) {
        (void)fprintf(stderr, "emt-bench decode: %s does not decode\n", s->name);
        return false;
    }
    before = allocations;
    for (unsigned run = 0; run < RUNS; run++) {
        double start = cpu_seconds();

        if (!decode_many(s, arena, c, FRAMES))
            return false;
        rates[run] = FRAMES / (cpu_seconds() - start);
    }
    allocated = allocations - before;
    qsort(rates, RUNS, sizeof rates[0], compare_doubles);
    (void)printf(
        "{\"bench\":\"decode\",\"name\":\"%s\",\"value\":%.0f,\"unit\":\"frames/s\",\"runs\":%d}\n",
        s->name, rates[RUNS / 2], RUNS);
    if (!COUNTS_ALLOCATIONS)
        return true;
    put_line(s->name, "-allocations_per_frame", (double)allocated / RUNS / FRAMES, "1");
    if (allocated != 0)
        (void)fprintf(stderr, "emt-bench decode: %s: %lu allocations in a warm decoder\n", s->name,
                      allocated);
    return allocated == 0;
}

int bench_decode(int argc, char **argv)
{
    static struct sample samples[4];
    struct arena *arena = arena_new(0);
    struct cipher *c = cipher_new();
    bool ok = arena && c && make_radio(c, &samples[0], "oms-plain", false, false) &&
              make_radio(c, &samples[1], "oms-plain-format-a", false, true) &&
              make_radio(c, &samples[2], "oms-mode-5", true, false) && make_wired(&samples[3]);

    (void)argc;
    (void)argv;
    for (unsigned i = 0; ok && i < sizeof samples / sizeof samples[0]; i++)
        ok = run_sample(&samples[i], arena, c);
    cipher_free(c);
    arena_free(arena);
    return ok ? 0 : 1;
}
