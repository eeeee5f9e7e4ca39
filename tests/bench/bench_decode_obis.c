/* CPU time of one core; the median of the runs, because everything else is somebody else's work. */
#include "bench_decode_obis.h"

#include "base/arena.h"
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
#define TEXT_MAX 1200

struct sample {
    const char *name;
    enum protocol protocol;
    const uint8_t *frame;
    size_t len;
    unsigned nreadings;
};

/* A basic meter: open, list of eight entries, close; laid out for this benchmark. */
static const uint8_t sml_file[] = {
    0x1b, 0x1b, 0x1b, 0x1b, 0x01, 0x01, 0x01, 0x01, 0x76, 0x05, 0x00, 0x00, 0x01, 0x01, 0x62, 0x00,
    0x62, 0x00, 0x72, 0x63, 0x01, 0x01, 0x76, 0x01, 0x01, 0x05, 0x00, 0x00, 0x00, 0x2a, 0x0b, 0x0a,
    0x01, 0x45, 0x4d, 0x54, 0x00, 0x00, 0xbc, 0x61, 0x4e, 0x72, 0x62, 0x01, 0x65, 0x00, 0x01, 0x3c,
    0x68, 0x01, 0x63, 0x24, 0x56, 0x00, 0x76, 0x05, 0x00, 0x00, 0x01, 0x02, 0x62, 0x00, 0x62, 0x00,
    0x72, 0x63, 0x07, 0x01, 0x77, 0x01, 0x0b, 0x0a, 0x01, 0x45, 0x4d, 0x54, 0x00, 0x00, 0xbc, 0x61,
    0x4e, 0x07, 0x01, 0x00, 0x62, 0x0a, 0xff, 0xff, 0x72, 0x62, 0x01, 0x65, 0x00, 0x01, 0x3c, 0x68,
    0x78, 0x77, 0x07, 0x01, 0x00, 0x60, 0x32, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x04, 0x45, 0x4d,
    0x54, 0x01, 0x77, 0x07, 0x01, 0x00, 0x60, 0x01, 0x00, 0xff, 0x01, 0x01, 0x01, 0x01, 0x0b, 0x0a,
    0x01, 0x45, 0x4d, 0x54, 0x00, 0x00, 0xbc, 0x61, 0x4e, 0x01, 0x77, 0x07, 0x01, 0x00, 0x01, 0x08,
    0x00, 0xff, 0x64, 0x1c, 0x01, 0x04, 0x01, 0x62, 0x1e, 0x52, 0xff, 0x59, 0x00, 0x00, 0x00, 0x00,
    0x49, 0x96, 0x02, 0xd2, 0x01, 0x77, 0x07, 0x01, 0x00, 0x02, 0x08, 0x00, 0xff, 0x01, 0x01, 0x62,
    0x1e, 0x52, 0xff, 0x59, 0x00, 0x00, 0x00, 0x00, 0x00, 0x34, 0xbf, 0x15, 0x01, 0x77, 0x07, 0x01,
    0x00, 0x10, 0x07, 0x00, 0xff, 0x01, 0x01, 0x62, 0x1b, 0x52, 0x00, 0x55, 0x00, 0x00, 0x10, 0xe1,
    0x01, 0x77, 0x07, 0x01, 0x00, 0x24, 0x07, 0x00, 0xff, 0x01, 0x01, 0x62, 0x1b, 0x52, 0x00, 0x55,
    0x00, 0x00, 0x05, 0x78, 0x01, 0x77, 0x07, 0x01, 0x00, 0x38, 0x07, 0x00, 0xff, 0x01, 0x01, 0x62,
    0x1b, 0x52, 0x00, 0x55, 0x00, 0x00, 0x05, 0x8d, 0x01, 0x77, 0x07, 0x01, 0x00, 0x4c, 0x07, 0x00,
    0xff, 0x01, 0x01, 0x62, 0x1b, 0x52, 0x00, 0x55, 0x00, 0x00, 0x05, 0xdc, 0x01, 0x01, 0x01, 0x63,
    0x94, 0x3a, 0x00, 0x76, 0x05, 0x00, 0x00, 0x01, 0x03, 0x62, 0x00, 0x62, 0x00, 0x72, 0x63, 0x02,
    0x01, 0x71, 0x01, 0x63, 0xfd, 0x63, 0x00, 0x00, 0x1b, 0x1b, 0x1b, 0x1b, 0x1a, 0x01, 0x2e, 0x47,
};

/* A household meter with two tariffs and twelve previous months: about 1 kB. */
static const char *const lines[] = {
    "F.F(00000000)",
    "0.0.0(12345678)",
    "0.9.1(1161500)",
    "0.9.2(1260823)",
    "0.1.0(12)",
    "0.1.2*12(1260801000000)",
    "1.8.0(001234.567*kWh)",
    "1.8.0*12(001200.000*kWh)",
    "1.8.0*11(001100.000*kWh)",
    "1.8.0*10(001000.000*kWh)",
    "1.8.0*09(000900.000*kWh)",
    "1.8.0*08(000800.000*kWh)",
    "1.8.1(000834.567*kWh)",
    "1.8.1*12(000800.000*kWh)",
    "1.8.1*11(000740.000*kWh)",
    "1.8.1*10(000660.000*kWh)",
    "1.8.1*09(000590.000*kWh)",
    "1.8.2(000400.000*kWh)",
    "1.8.2*12(000400.000*kWh)",
    "1.8.2*11(000360.000*kWh)",
    "1.8.2*10(000340.000*kWh)",
    "2.8.0(000010.500*kWh)",
    "2.8.0*12(000010.100*kWh)",
    "1.6.1(0.502*kW)(1260812073000)",
    "1.6.1*12(0.611*kW)(1260712073000)",
    "32.7.0(230.1*V)",
    "52.7.0(229.4*V)",
    "72.7.0(231.0*V)",
    "31.7.0(001.20*A)",
    "51.7.0(000.90*A)",
    "71.7.0(003.40*A)",
    "16.7.0(001.250*kW)",
    "14.7.0(49.98*Hz)",
    "13.7.0(0.98)",
    "21.7.0(000.350*kW)",
    "41.7.0(000.400*kW)",
    "61.7.0(000.500*kW)",
    "3.8.0(000123.456*kvarh)",
    "3.8.0*12(000120.100*kvarh)",
    "4.8.0(000023.456*kvarh)",
    "4.8.0*12(000022.100*kvarh)",
    "0.2.0(1.04.2)",
    "C.1.6(FDF5)",
    "!",
};

static size_t make_read_out(uint8_t out[TEXT_MAX])
{
    char *text = (char *)out;
    size_t n = (size_t)snprintf(text, TEXT_MAX, "/EMT4EXAMPLE-1\r\n\x02");
    size_t from = n;
    uint8_t bcc = 0;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s\r\n", lines[i]);
    out[n++] = 0x03;
    for (size_t i = from; i < n; i++)
        bcc ^= out[i];
    out[n++] = bcc;
    return n;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool decode_one(struct arena *arena, struct sample *s)
{
    struct decode_request req = {
        .protocol = s->protocol, .frame = s->frame, .len = s->len, .arena = arena
    };
    struct decode_result r;

    arena_reset(arena);
    if (decode_frame(&req, &r) != EMT_OK || r.state != FRAME_OK)
        return false;
    s->nreadings = r.nreadings;
    return true;
}

static bool decode_many(struct arena *arena, struct sample *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!decode_one(arena, s))
            return false;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Frames per second of CPU time; 0 when a frame does not decode or a warm decoder allocates. */
static double measure(struct arena *arena, struct sample *s)
{
    double rates[RUNS];
    unsigned long before, allocated;

    if (!decode_many(arena, s, WARM_FRAMES))
        return 0;
    before = bench_decode_allocations();
    for (unsigned run = 0; run < RUNS; run++) {
        double start = cpu_seconds();

        if (!decode_many(arena, s, FRAMES))
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

int bench_decode_obis(int argc, char **argv)
{
    static uint8_t text[TEXT_MAX];
    struct sample samples[] = {
        { "sml-file", PROTOCOL_SML, sml_file, sizeof sml_file, 0 },
        { "iec62056-21-read-out", PROTOCOL_IEC62056_21, text, 0, 0 },
    };
    struct arena *arena = arena_new(1024 * 1024);
    int code = 0;

    (void)argv;
    if (argc != 1 || !arena) {
        (void)fprintf(stderr, "emt-bench decode: takes no argument\n");
        arena_free(arena);
        return 2;
    }
    samples[1].len = make_read_out(text);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct sample *s = &samples[i];
        double rate = measure(arena, s);

        if (rate == 0) {
            (void)fprintf(stderr, "emt-bench decode: %s failed\n", s->name);
            code = 1;
            continue;
        }
        (void)printf("{\"bench\":\"decode\",\"name\":\"%s\",\"value\":%.0f,"
                     "\"unit\":\"frames/s\",\"runs\":%d,\"bytes\":%zu,\"readings\":%u}\n",
                     s->name, rate, RUNS, s->len, s->nreadings);
    }
    arena_free(arena);
    return code;
}
