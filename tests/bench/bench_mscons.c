/* 100 places with a month of quarter hours each: 288,000 values, one of 50 a substitute. CPU time
 * of this thread; the best of the runs counts, because everything else is somebody else's work. */
#include "bench_mscons.h"

#include "bench_mscons_database.h"
#include "connectors/load_profile.h"
#include "connectors/mscons_check.h"
#include "connectors/mscons_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACES 100
#define DAYS 30
#define VALUES (DAYS * 96)
#define FROM                                                                                       \
    INT64_C(1790805600000000) /* 2026-09-30T22:00:00Z, midnight of October 1st in Germany */

struct month {
    struct export_value values[VALUES];
    struct register_reading readings[VALUES + 1];
    struct writer file;
};

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Register readings up to 100 s off the grid, and the energies between them. */
static void fill(struct month *m)
{
    int64_t wh = 12345678;

    for (int i = 0; i <= VALUES; i++) {
        emt_time off = (i * 7919 % 201 - 100) * EMT_SECOND;

        m->readings[i] =
            (struct register_reading){ FROM + i * LOAD_PROFILE_STEP + off, decimal_of(wh, 0),
                                       QUALITY_MEASURED, NULL, NULL };
        wh += i * 7919 % 700;
    }
    for (int i = 0; i < VALUES; i++) {
        emt_time from = FROM + i * LOAD_PROFILE_STEP;
        struct export_value *v = &m->values[i];

        *v = export_value_of(from, from + LOAD_PROFILE_STEP, decimal_of(i * 7919 % 700, -3),
                             QUALITY_MEASURED);
        if (i % 50 == 0) {
            v->quality = QUALITY_SUBSTITUTE;
            v->method = "Z92";
            v->reason = "Z75";
        }
    }
}

static enum emt_err write_file(struct month *m, uint64_t *values)
{
    struct export_file file = { .sender = "9900999000106",
                                .recipient = "9900999000205",
                                .reference = "BENCH1",
                                .created = FROM + (DAYS + 2) * EMT_DAY };
    struct sink sink = sink_to_writer(&m->file);
    struct mscons_writer w;
    enum emt_err err;

    writer_clear(&m->file);
    err = mscons_begin(&w, &file, &sink, NULL);
    for (unsigned i = 0; i < PLACES && err == EMT_OK; i++) {
        struct export_values list = { m->values, VALUES, 0 };
        struct export_series series = { { 1, 1, 1, 29, 0, 255 }, reading_cursor_of(&list) };
        char number[16];
        char place[40];
        struct export_document d = { .kind = 13018,
                                     .number = number,
                                     .location = place,
                                     .from = FROM,
                                     .to = FROM + VALUES * LOAD_PROFILE_STEP,
                                     .series = &series,
                                     .n_series = 1 };

        snprintf(number, sizeof(number), "B-%u", i);
        snprintf(place, sizeof(place), "DE00099910115%020u", i);
        err = mscons_put(&w, &d, NULL);
    }
    if (err == EMT_OK)
        err = mscons_end(&w, NULL);
    *values = w.values;
    mscons_release(&w);
    return err;
}

static void count_finding(void *ctx, const struct mscons_finding *f)
{
    unsigned *n = ctx;

    (void)f;
    (*n)++;
}

static enum emt_err check_file(struct month *m, uint64_t *values)
{
    struct mscons_check_result result;
    unsigned findings = 0;
    struct mscons_findings out = { count_finding, &findings };
    enum emt_err err = mscons_check(m->file.data, m->file.len, NULL, &out, &result);

    *values = result.values;
    return err == EMT_OK && findings > 0 ? EMT_EINTERNAL : err;
}

static enum emt_err difference(struct month *m, uint64_t *values)
{
    struct load_profile_rule rule = { .factor = decimal_of(1, -3) };

    *values = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        struct load_profile p;
        enum emt_err err = load_profile_build(&rule, FROM, FROM + VALUES * LOAD_PROFILE_STEP,
                                              m->readings, VALUES + 1, &p, NULL);

        if (err != EMT_OK)
            return err;
        *values += p.n_values;
        load_profile_release(&p);
    }
    return EMT_OK;
}

static int measure(const char *name, struct month *m, unsigned runs,
                   enum emt_err (*work)(struct month *m, uint64_t *values))
{
    double best = 0;

    for (unsigned i = 0; i < runs; i++) {
        double start = cpu_seconds();
        uint64_t values = 0;
        enum emt_err err = work(m, &values);
        double rate = (double)values / (cpu_seconds() - start);

        if (err != EMT_OK || values != (uint64_t)PLACES * VALUES) {
            fprintf(stderr, "mscons %s: %s\n", name, emt_err_name(err));
            return 1;
        }
        best = rate > best ? rate : best;
    }
    printf("{\"bench\":\"mscons\",\"name\":\"%s\",\"value\":%.0f,\"unit\":\"values/CPU s\","
           "\"runs\":%u}\n",
           name, best, runs);
    return 0;
}

int bench_mscons(int argc, char **argv)
{
    struct month *m;
    unsigned runs = 5;
    int code;

    unsigned places = 0;

    for (int i = 1; i < argc; i += 2) {
        unsigned *n = strcmp(argv[i], "--runs") == 0     ? &runs
                      : strcmp(argv[i], "--places") == 0 ? &places
                                                         : NULL;

        if (n == NULL || i + 1 == argc)
            return 2;
        *n = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (*n < 1 || *n > 100000) {
            fprintf(stderr, "emt-bench mscons: %s is 1 to 100000\n", argv[i]);
            return 2;
        }
    }
    if (places > 0)
        return bench_mscons_database(places, runs);
    m = calloc(1, sizeof(*m));
    if (!m)
        return 1;
    writer_init_heap(&m->file, (size_t)64 << 20);
    fill(m);
    code = measure("profile", m, runs, difference);
    if (code == 0)
        code = measure("write", m, runs, write_file);
    if (code == 0)
        code = measure("check", m, runs, check_file);
    writer_release(&m->file);
    free(m);
    return code;
}
