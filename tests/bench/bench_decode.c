#include "bench_decode.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "base/map.h"
#include "base/writer.h"
#include "parsers/decode.h"
#include "parsers/oms_encode.h"
#include "parsers/vendor_profiles.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 7
#define WARM_FRAMES 1000
#define FRAMES 100000
#define FRAME_MAX 300
#define FEW_METERS 100
#define MANY_METERS 100000
/* A prime: telegrams of a fleet arrive in no order that a cache of its keys would guess. */
#define STRIDE 7919

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
    unsigned readings; /* of one frame, set by the first decoding */
};

/* Many meters, each with its telegram and its key. */
struct fleet {
    struct sample *telegrams; /* as they arrive */
    uint8_t (*keys)[16];      /* of the meters by number */
    struct map *key_of;       /* device number to its key */
    unsigned n;
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

static bool make_radio(struct cipher *c, struct sample *s, const char *number,
                       const uint8_t *meter_key, bool with_crc)
{
    struct oms_telegram t = { .device = { "EMT", "", 1, 2, true }, .access_number = 42 };
    uint8_t records[200], frame[FRAME_MAX];
    struct writer r, w, out;

    writer_init_fixed(&r, records, sizeof records);
    writer_init_fixed(&w, frame, sizeof frame);
    writer_init_fixed(&out, s->frame, sizeof s->frame);
    (void)snprintf(t.device.number, sizeof t.device.number, "%s", number);
    s->protocol = PROTOCOL_WMBUS;
    s->format = with_crc ? FRAME_FORMAT_A_CRC : FRAME_FORMAT_NO_LINK_CRC;
    s->has_key = t.encrypted = meter_key != NULL;
    if (meter_key)
        memcpy(t.key, meter_key, sizeof t.key);
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

/* Current energy and volume of a heat meter, and twelve months of them with their dates. */
static bool put_history(struct writer *w)
{
    static const uint8_t energy[] = { 0x06 }, volume[] = { 0x13 };
    bool ok = oms_put_record(w, 0x0c, energy, sizeof energy, 123456) == EMT_OK &&
              oms_put_record(w, 0x0c, volume, sizeof volume, 2345678) == EMT_OK;

    for (unsigned month = 1; ok && month <= 12; month++) {
        /* storage = bit 6 of the DIF and the low nibble of the DIFE */
        uint8_t bit = (uint8_t)((month & 1u) << 6), dife = (uint8_t)(month >> 1);
        const uint8_t head[] = { (uint8_t)(0x82 | bit), dife, 0x6c, 0x41, (uint8_t)(0x30 | month) };

        writer_bytes(w, head, sizeof head);
        for (unsigned i = 0; i < 2; i++) {
            writer_u8(w, (uint8_t)(0x8c | bit));
            writer_u8(w, dife);
            writer_u8(w, i ? volume[0] : energy[0]);
            writer_le(w, 0x00123456 + month, 4);
        }
    }
    return ok;
}

static bool make_wired(struct sample *s, bool (*put)(struct writer *w), uint8_t type)
{
    /* C A CI, then ID, manufacturer, version, type, access, status, configuration */
    const uint8_t head[] = { 0x08, 0x01, 0x72, 0x78, 0x56, 0x34, 0x12, 0xb4,
                             0x15, 0x01, type, 0x2a, 0x00, 0x00, 0x00 };
    struct writer w;
    uint8_t sum = 0;
    size_t n;

    s->protocol = PROTOCOL_MBUS;
    writer_init_fixed(&w, s->frame, sizeof s->frame);
    writer_be(&w, 0x68000068, 4);
    writer_bytes(&w, head, sizeof head);
    if (!put(&w))
        return false;
    n = w.len - 4;
    s->frame[1] = s->frame[2] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + s->frame[4 + i]);
    writer_u8(&w, sum);
    writer_u8(&w, 0x16);
    s->len = w.len;
    return !w.failed && n <= 255;
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

static unsigned find_fleet_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct fleet *f = ctx;
    const uint8_t *found = map_get(f->key_of, device->number, strlen(device->number));

    if (!found)
        return 0;
    memcpy(keys[0].bytes, found, sizeof key);
    keys[0].len = sizeof key;
    return 1;
}

/* Every full frame is offered to a store of formats, as in the server. */
static void learn_nothing(void *ctx, const struct device_id *device, uint16_t signature,
                          const uint8_t *header, size_t len, bool verified)
{
    (void)ctx;
    (void)device;
    (void)signature;
    (void)header;
    (void)len;
    (void)verified;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct bench {
    struct arena *arena;
    struct cipher *cipher;
    struct vendor_profiles *vendors;
};

static bool decode_one(const struct bench *b, struct sample *s, struct key_lookup keys)
{
    struct decode_request req = { .protocol = s->protocol,
                                  .format = s->format,
                                  .frame = s->frame,
                                  .len = s->len,
                                  .keys = keys,
                                  .formats = { NULL, learn_nothing, NULL },
                                  .cipher = b->cipher,
                                  .vendors = b->vendors,
                                  .arena = b->arena };
    struct decode_result r;

    arena_reset(b->arena);
    if (decode_frame(&req, &r) != EMT_OK || r.state != FRAME_OK || r.nreadings == 0)
        return false;
    s->readings = r.nreadings;
    return true;
}

/* Decodes n frames. False when one does not end ok. */
static bool decode_sample(const struct bench *b, void *ctx, unsigned n)
{
    struct sample *s = ctx;

    for (unsigned i = 0; i < n; i++)
        if (!decode_one(b, s, (struct key_lookup){ find_key, s }))
            return false;
    return true;
}

static bool decode_fleet(const struct bench *b, void *ctx, unsigned n)
{
    struct fleet *f = ctx;

    for (unsigned i = 0; i < n; i++)
        if (!decode_one(b, &f->telegrams[i % f->n], (struct key_lookup){ find_fleet_key, f }))
            return false;
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

unsigned long bench_decode_allocations(void)
{
    return allocations;
}

void bench_decode_put_allocations(const char *name, unsigned long n, int runs)
{
    if (COUNTS_ALLOCATIONS)
        (void)printf("{\"bench\":\"decode\",\"name\":\"%s-allocations\",\"value\":%lu,\"unit\":"
                     "\"1\",\"runs\":%d}\n",
                     name, n, runs);
}

/* Frames per CPU second, the median of RUNS; 0 when a frame does not decode or the warm decoder
 * allocates. */
static double measure(const struct bench *b, const char *name,
                      bool (*decode)(const struct bench *b, void *ctx, unsigned n), void *ctx)
{
    double rates[RUNS];
    unsigned long before, allocated;

    if (!decode(b, ctx, WARM_FRAMES)) {
        (void)fprintf(stderr, "emt-bench decode: %s does not decode\n", name);
        return 0;
    }
    before = allocations;
    for (unsigned run = 0; run < RUNS; run++) {
        double start = cpu_seconds();

        if (!decode(b, ctx, FRAMES))
            return 0;
        rates[run] = FRAMES / (cpu_seconds() - start);
    }
    allocated = allocations - before;
    qsort(rates, RUNS, sizeof rates[0], compare_doubles);
    bench_decode_put_allocations(name, allocated, RUNS);
    return COUNTS_ALLOCATIONS && allocated ? 0 : rates[RUNS / 2];
}

static void put_line(const char *name, double value, const char *unit)
{
    (void)printf(
        "{\"bench\":\"decode\",\"name\":\"%s\",\"value\":%.0f,\"unit\":\"%s\",\"runs\":%d}\n", name,
        value, unit, RUNS);
}

static bool run_sample(const struct bench *b, struct sample *s)
{
    double rate = measure(b, s->name, decode_sample, s);
    char name[64];

    if (rate == 0)
        return false;
    put_line(s->name, rate, "frames/s");
    (void)snprintf(name, sizeof name, "%s-readings", s->name);
    put_line(name, rate * s->readings, "readings/s");
    return true;
}

static bool run_samples(const struct bench *b)
{
    struct sample samples[] = { { .name = "oms-plain" },
                                { .name = "oms-plain-format-a" },
                                { .name = "oms-mode-5" },
                                { .name = "mbus-long-frame" },
                                { .name = "mbus-history" } };
    bool ok = make_radio(b->cipher, &samples[0], "12345678", NULL, false) &&
              make_radio(b->cipher, &samples[1], "12345678", NULL, true) &&
              make_radio(b->cipher, &samples[2], "12345678", key, false) &&
              make_wired(&samples[3], put_records, 0x02) &&
              make_wired(&samples[4], put_history, 0x04);

    for (unsigned i = 0; ok && i < sizeof samples / sizeof samples[0]; i++)
        ok = run_sample(b, &samples[i]);
    return ok;
}

static void fleet_release(struct fleet *f)
{
    map_free(f->key_of);
    free(f->telegrams);
    free(f->keys);
}

static bool fleet_init(struct fleet *f, struct cipher *c, unsigned n)
{
    f->n = n;
    f->telegrams = calloc(n, sizeof *f->telegrams);
    f->keys = calloc(n, sizeof *f->keys);
    f->key_of = map_new();
    if (!f->telegrams || !f->keys || !f->key_of)
        return false;
    for (unsigned i = 0; i < n; i++) {
        unsigned meter = (unsigned)((uint64_t)i * STRIDE % n);
        char number[9];

        (void)snprintf(number, sizeof number, "%08u", 10000000 + meter);
        memcpy(f->keys[meter], key, sizeof key);
        memcpy(f->keys[meter], &meter, sizeof meter);
        if (!make_radio(c, &f->telegrams[i], number, f->keys[meter], false) ||
            map_put(f->key_of, number, strlen(number), f->keys[meter], NULL) != EMT_OK)
            return false;
    }
    return true;
}

/* Mode 5 telegrams of n meters, one after the other. 0 on failure. */
static double run_fleet(const struct bench *b, unsigned n, const char *name)
{
    struct fleet f = { 0 };
    double rate = fleet_init(&f, b->cipher, n) ? measure(b, name, decode_fleet, &f) : 0;

    fleet_release(&f);
    return rate;
}

static bool run_fleets(const struct bench *b)
{
    double few = run_fleet(b, FEW_METERS, "oms-mode-5-100-meters");
    double many = run_fleet(b, MANY_METERS, "oms-mode-5-100000-meters");

    if (few == 0 || many == 0)
        return false;
    put_line("oms-mode-5-100-meters", few, "frames/s");
    (void)printf("{\"bench\":\"decode\",\"name\":\"oms-mode-5-100000-meters\",\"value\":%.0f,"
                 "\"unit\":\"frames/s\",\"runs\":%d,\"baseline\":%.0f,\"ratio\":%.3f}\n",
                 many, RUNS, few, few / many);
    return true;
}

int bench_decode(int argc, char **argv)
{
    struct bench b = { arena_new(0), cipher_new(), vendor_profiles_new() };
    bool ok = b.arena && b.cipher && b.vendors &&
              vendor_profiles_add_builtin(b.vendors, NULL) == EMT_OK && run_samples(&b) &&
              run_fleets(&b);

    (void)argc;
    (void)argv;
    vendor_profiles_free(b.vendors);
    cipher_free(b.cipher);
    arena_free(b.arena);
    return ok ? 0 : 1;
}
