#include "bench_blocks.h"

#include "base/writer.h"
#include "bench_curves.h"
#include "pg_fixture.h"
#include "store/block_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_VALUES 96
#define FROM INT64_C(1793491200000000) /* 2026-11-01 */
/* Blocks of the timing in memory: 2,000 days, as many as fit into the caches of a core. */
#define DAYS 2000
#define LOT 500 /* channels of a transaction */

struct options {
    unsigned runs, channels, days;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print(const char *name, double value, const char *unit, unsigned runs)
{
    printf("{\"bench\": \"blocks\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": "
           "%u}\n",
           name, value, unit, runs);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

/* ---- in memory ---- */

struct memory {
    struct block_value *values; /* DAYS days of DAY_VALUES */
    size_t *ends;               /* of the blocks in packed */
    struct writer packed;
};

static bool encode_all(struct memory *m, size_t per_block, size_t blocks)
{
    writer_clear(&m->packed);
    for (size_t i = 0; i < blocks; i++) {
        if (block_encode(m->values + i * per_block, per_block, &m->packed) != EMT_OK)
            return false;
        m->ends[i] = m->packed.len;
    }
    return true;
}

static bool decode_all(const struct memory *m, size_t per_block, size_t blocks)
{
    struct block_value out[DAY_VALUES];
    size_t at = 0, n;

    for (size_t i = 0; i < blocks; i++) {
        if (block_decode(m->packed.data + at, m->ends[i] - at, out, DAY_VALUES, &n) != EMT_OK ||
            n != per_block)
            return false;
        at = m->ends[i];
    }
    return true;
}

static bool measure_curve(struct memory *m, enum curve c, unsigned runs)
{
    size_t per_block = c == CURVE_HEAT_DAILY ? 30 : DAY_VALUES;
    double encode[100], decode[100], values = (double)per_block * DAYS;
    char name[64];

    for (unsigned i = 0; i < DAYS; i++)
        curve_fill(c, i, FROM, m->values + i * per_block, per_block);
    for (unsigned r = 0; r < runs; r++) {
        double t0 = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (!encode_all(m, per_block, DAYS))
            return false;
        double t1 = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (!decode_all(m, per_block, DAYS))
            return false;
        encode[r] = values / (t1 - t0) / 1e6;
        decode[r] = values / (seconds(CLOCK_THREAD_CPUTIME_ID) - t1) / 1e6;
    }
    snprintf(name, sizeof name, "%s-bytes-per-value", curve_name(c));
    print(name, (double)m->packed.len / values, "bytes", 1);
    snprintf(name, sizeof name, "%s-encode", curve_name(c));
    print(name, median(encode, runs), "million values/s", runs);
    snprintf(name, sizeof name, "%s-decode", curve_name(c));
    print(name, median(decode, runs), "million values/s", runs);
    return true;
}

static bool measure_memory(unsigned runs)
{
    struct memory m = { .values = calloc((size_t)DAYS * DAY_VALUES, sizeof *m.values),
                        .ends = calloc(DAYS, sizeof *m.ends) };
    bool ok = m.values && m.ends;

    writer_init_heap(&m.packed, (size_t)64 << 20);
    for (int c = 0; ok && c < CURVES; c++)
        ok = measure_curve(&m, (enum curve)c, runs);
    writer_release(&m.packed);
    free(m.values);
    free(m.ends);
    return ok;
}

/* ---- in the database ---- */

static bool deliver_lot(struct store *s, int32_t tenant, int64_t first, unsigned n, emt_time day,
                        struct block_row *rows)
{
    struct block_counts counts = { 0 };
    struct block_value v[DAY_VALUES];

    for (unsigned i = 0; i < n; i++) {
        curve_fill((enum curve)((first + i) % 3), (unsigned)(first + i), day, v, DAY_VALUES);
        for (unsigned k = 0; k < DAY_VALUES; k++)
            rows[i * DAY_VALUES + k] = (struct block_row){ first + i, v[k] };
    }
    return store_begin(s, tenant) == EMT_OK &&
           block_deliver(s, tenant, rows, (size_t)n * DAY_VALUES, day + EMT_DAY, &counts) ==
               EMT_OK &&
           store_commit(s) == EMT_OK;
}

static bool deliver(struct store *s, int32_t tenant, int64_t first, const struct options *o)
{
    struct block_row *rows = calloc((size_t)LOT * DAY_VALUES, sizeof *rows);
    double t0 = seconds(CLOCK_MONOTONIC);
    bool ok = rows != NULL;

    for (unsigned d = 0; ok && d < o->days; d++) {
        for (unsigned i = 0; ok && i < o->channels; i += LOT)
            ok = deliver_lot(s, tenant, first + i, o->channels - i < LOT ? o->channels - i : LOT,
                             FROM + d * EMT_DAY, rows);
    }
    double values = (double)o->days * o->channels * DAY_VALUES;
    if (ok)
        print("whole-day-delivery", values / (seconds(CLOCK_MONOTONIC) - t0) / 1e6,
              "million values/s", 1);
    free(rows);
    return ok;
}

static double bytes_of(struct pg_fixture *f, const char *parent, const char *fork)
{
    char sql[300];

    snprintf(sql, sizeof sql,
             "select sum(%s(inhrelid))::int8 from pg_inherits where inhparent = '%s'::regclass",
             fork, parent);
    return (double)pg_fixture_number(f, sql);
}

/* The same days as rows, and their way into blocks. */
static bool compact(struct pg_fixture *f, struct store *s, int32_t tenant, const struct options *o)
{
    struct block_counts counts = { 0 };
    struct block_lot lot = { .month = FROM, .closed = FROM + 5 * EMT_DAY };
    double values = 4.0 * o->channels * DAY_VALUES;

    pg_fixture_sql(
        f, "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
           " select c.tenant_id, c.channel_id, '2026-11-01T00:00:00Z'::timestamptz"
           " + i * interval '15 minutes', 1000000 + c.channel_id * 1000 + i * 70 + i % 13, 0, 256"
           " from generate_series(0, 4 * 96 - 1) i, channel c order by i, c.channel_id");
    print("rows-bytes-per-value", bytes_of(f, "reading", "pg_total_relation_size") / values,
          "bytes", 1);
    pg_fixture_sql(f, "truncate reading_block");
    pg_fixture_sql(f, "analyze reading");
    double t0 = seconds(CLOCK_MONOTONIC);
    while (!lot.done) {
        if (block_compact(s, tenant, &lot, FROM + 40 * EMT_DAY, &counts) != EMT_OK)
            return false;
    }
    print("compaction", (double)counts.rows / (seconds(CLOCK_MONOTONIC) - t0) / 1e6,
          "million values/s", 1);
    return (double)counts.rows == values;
}

static bool measure_database(const struct options *o)
{
    struct pg_fixture *f = pg_fixture_start();
    int32_t tenant = pg_fixture_tenant(f, "bench");
    double values = (double)o->days * o->channels * DAY_VALUES;
    char sql[600];

    snprintf(sql, sizeof sql,
             "select partitions_ensure('2026-12-01', 92);"
             "insert into device (tenant_id, ident, manufacturer, number)"
             " select %d, 'D' || i, 'EMT', i::text from generate_series(1, %u) i;"
             "insert into channel (tenant_id, device_id, key, kind, quantity)"
             " select tenant_id, device_id, 'k', 0, 1 from device",
             (int)tenant, o->channels);
    pg_fixture_sql(f, sql);
    int64_t first = pg_fixture_number(f, "select min(channel_id) from channel");
    struct store *s = pg_fixture_store(f, STORE_ADMIN);
    bool ok = deliver(s, tenant, first, o);
    double heap = bytes_of(f, "reading_block", "pg_table_size");
    double all = bytes_of(f, "reading_block", "pg_total_relation_size");
    if (ok) {
        print("disk-heap-bytes-per-value", heap / values, "bytes", 1);
        print("disk-bytes-per-value", all / values, "bytes", 1);
        ok = compact(f, s, tenant, o);
    }
    store_close(s);
    pg_fixture_stop(f);
    return ok;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i += 2) {
        unsigned *to = strcmp(argv[i], "--runs") == 0       ? &o->runs
                       : strcmp(argv[i], "--channels") == 0 ? &o->channels
                       : strcmp(argv[i], "--days") == 0     ? &o->days
                                                            : NULL;
        long v = to && i + 1 < argc ? strtol(argv[i + 1], NULL, 10) : 0;

        if (v < 1 || v > 100000)
            return false;
        *to = (unsigned)v;
    }
    return o->runs <= 100;
}

int bench_blocks(int argc, char **argv)
{
    struct options o = { 5, 2000, 30 };

    if (!parse(argc, argv, &o))
        return 2;
    if (measure_memory(o.runs) && measure_database(&o))
        return 0;
    fprintf(stderr, "blocks: failed\n");
    return 1;
}
