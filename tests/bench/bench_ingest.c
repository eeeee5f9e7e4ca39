/* Three phases, one figure each that the others would blur: learning (every telegram brings an
 * unknown meter), full speed (as much under way as the budget allows, in rounds, of which the
 * median counts), and paced (70 % of that speed, for the time until the acknowledgement).
 * Afterwards the same rows go once more through bare idempotent inserts, as the ground that the
 * engine's database time is measured against.
 *
 * With --age a second database with months of history stands beside the empty one, and the rounds
 * take turns, so that both see the same machine. With --gateways it is the whole server that is
 * measured, see bench_ingest_fleet.c. */
#include "bench_ingest.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "bench_ingest_bare.h"
#include "bench_ingest_fleet.h"
#include "bench_telegram.h"
#include "ingest/ingest.h"
#include "loop/loop.h"
#include "pg_fixture.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/tenant_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Keep ahead of the engine by this much: enough for two full batches. */
#define AHEAD_FRAMES 8000u
#define PACE_MS 5
#define ROUNDS 5
#define PACED_PERCENT 70

struct options {
    const char *conninfo, *drop_index;
    unsigned frames, tenants, devices, age, batch_rows;
    unsigned gateways, rate, seconds; /* of the fleet */
};

struct gateway {
    int32_t tenant;
    int64_t id;
    uint64_t ticket, pushed, acknowledged;
    int64_t *pushed_us; /* by sequence number */
};

struct bench {
    struct options o;
    struct pg_fixture *fixture;
    const char *conninfo;
    struct seal_key master;
    struct gateway *gateways;
    struct bench_telegram *telegrams; /* by number: telegram n is of gateway n % tenants */
    unsigned total;
    struct loop *loop;
    struct ingest *ingest;
    struct loop_timer *timer;
    unsigned next, until, acknowledged; /* of the phase */
    double rate;                        /* frames per second, 0: as fast as it goes */
    unsigned phase_first;
    int64_t phase_us;
    uint32_t *latency_us;
    unsigned nlatency;
    bool over, broken, started;
    unsigned rounds;
    double rates[ROUNDS], backend_us[ROUNDS], own_us[ROUNDS]; /* per second; per frame */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void print_runs(const char *name, double value, const char *unit, int runs)
{
    printf(
        "{\"bench\": \"ingest\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": %d}\n",
        name, value, unit, runs);
    fflush(stdout);
}

static void print(const char *name, double value, const char *unit)
{
    print_runs(name, value, unit, 1);
}

static void print_ratio(const char *name, double value, const char *baseline, double of)
{
    printf("{\"bench\": \"ingest\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"us\","
           " \"runs\": %d, \"baseline\": \"%s %.2f us\", \"ratio\": %.2f}\n",
           name, value, ROUNDS, baseline, of, value / of);
    fflush(stdout);
}

/* ---- set-up ---- */

static bool script(struct store *s, int32_t tenant, const char *sql)
{
    enum emt_err err = store_begin(s, tenant);
    struct emt_diag diag = { 0 };

    if (!err)
        err = store_script(s, sql, &diag);
    if (!err)
        err = store_commit(s);
    if (err)
        fprintf(stderr, "ingest: %s\n", diag.text[0] ? diag.text : store_error(s));
    return err == EMT_OK;
}

static bool add_key(struct store *admin, int32_t tenant, const struct seal_key *data_key,
                    const uint8_t key[16])
{
    struct seal_place place = { tenant, "device_key", "1", "key" };
    uint8_t blob[16 + SEAL_OVERHEAD];
    char sql[400], hex[2 * sizeof blob + 1];
    size_t n;

    /* Numbers of keys count per tenant: 1 is free in a new one. */
    if (seal_wrap(data_key, &place, key, 16, blob, &n) != EMT_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", blob[i]);
    snprintf(sql, sizeof sql,
             "insert into device_key (tenant_id, key_id, manufacturer, blob)"
             " values (%" PRId32 ", 1, 'EMT', decode('%s', 'hex'))",
             tenant, hex);
    return script(admin, tenant, sql);
}

static bool make_tenant(struct bench *b, struct store *admin, unsigned i, const uint8_t key[16])
{
    struct gateway *g = &b->gateways[i];
    struct seal_key data_key;
    char name[64], sql[500];
    bool ok;

    snprintf(name, sizeof name, "bench-%d-%u", (int)getpid(), i);
    if (store_begin(admin, 0) != EMT_OK ||
        tenant_create(admin, name, name, &b->master, &g->tenant, &data_key) != EMT_OK ||
        store_commit(admin) != EMT_OK) {
        fprintf(stderr, "ingest: tenant: %s\n", store_error(admin));
        return false;
    }
    g->id = 1;
    snprintf(
        sql, sizeof sql,
        "insert into gateway (tenant_id, gateway_id, external_id, state) values (%" PRId32
        ", 1, 'gw', 1);"
        "insert into gateway_cursor (tenant_id, gateway_id, spool_id, epoch, last_seq, updated_at)"
        " values (%" PRId32 ", 1, decode(repeat('01', 16), 'hex'), 1, 0, now())",
        g->tenant, g->tenant);
    ok = script(admin, g->tenant, sql) && add_key(admin, g->tenant, &data_key, key);
    seal_key_wipe(&data_key);
    g->pushed_us = calloc(b->total / b->o.tenants + 2, sizeof *g->pushed_us);
    return ok && g->pushed_us;
}

/* Months of history, thinly filled, and of what is kept for weeks as much as a busy day leaves. */
static void make_past(struct bench *b)
{
    char sql[2500];

    snprintf(sql, sizeof sql,
             "set client_min_messages = warning;"
             "select partitions_ensure(now(), %u);"
             "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
             " select t.id, 1000000000 + c, now() - m * interval '30 days'"
             "  + k * interval '15 minutes', c * k, 0, 256"
             " from tenant t, generate_series(1, %u) m, generate_series(1, %u) c,"
             " generate_series(1, 96) k;"
             "insert into telegram (tenant_id, device_id, slot, received_at, hash)"
             " select t.id, 1000000000 + d, k, now() - k * interval '15 minutes',"
             "  decode(md5(d::text || '.' || k), 'hex')"
             " from tenant t, generate_series(1, %u) d, generate_series(1, 960) k;"
             "analyze reading; analyze telegram",
             b->o.age * 31, b->o.age, 200 / b->o.tenants + 1, 500 / b->o.tenants + 1);
    pg_fixture_sql(b->fixture, sql);
}

static void make_tables(struct bench *b)
{
    char sql[200];

    if (b->o.age)
        make_past(b);
    if (b->o.drop_index) {
        snprintf(sql, sizeof sql, "drop index %s", b->o.drop_index);
        pg_fixture_sql(b->fixture, sql);
    }
    bare_tables_make(b->fixture);
}

static bool make_database(struct bench *b, const uint8_t key[16])
{
    struct store *admin = NULL;
    struct emt_diag diag = { 0 };
    bool ok = true;

    if (b->o.conninfo) {
        b->conninfo = b->o.conninfo;
    } else {
        b->fixture = pg_fixture_start();
        b->conninfo = pg_fixture_conninfo(b->fixture);
        pg_fixture_sql(b->fixture, "alter database emt set synchronous_commit = on");
    }
    if (store_open(b->conninfo, STORE_ADMIN, 10000, &admin, &diag) != EMT_OK) {
        fprintf(stderr, "ingest: %s\n", diag.text);
        return false;
    }
    for (unsigned i = 0; ok && i < b->o.tenants; i++)
        ok = make_tenant(b, admin, i, key);
    store_close(admin);
    if (ok && b->fixture)
        make_tables(b);
    return ok;
}

static bool make_telegrams(struct bench *b, const uint8_t key[16])
{
    struct cipher *c = cipher_new();
    emt_time start = clock_now() / EMT_DAY * EMT_DAY - 60 * EMT_DAY;
    bool ok = c != NULL;

    for (unsigned n = 0; ok && n < b->total; n++)
        ok = bench_telegram_make(c, n / b->o.tenants % b->o.devices,
                                 n / b->o.tenants / b->o.devices, start, key, &b->telegrams[n]);
    cipher_free(c);
    return ok;
}

/* ---- feeding, on the loop's thread ---- */

static void phase_over(struct bench *b)
{
    pthread_mutex_lock(&b->mutex);
    b->over = true;
    pthread_cond_broadcast(&b->cond);
    pthread_mutex_unlock(&b->mutex);
}

static bool push_next(struct bench *b, emt_time received_at)
{
    struct gateway *g = &b->gateways[b->next % b->o.tenants];
    const struct bench_telegram *t = &b->telegrams[b->next];
    struct ingest_frame f = { .seq = g->pushed + 1,
                              .received_at = received_at,
                              .protocol = PROTOCOL_WMBUS,
                              .format = FRAME_FORMAT_NO_LINK_CRC,
                              .data = t->data,
                              .len = t->len,
                              .rssi_dbm = -60 };

    g->pushed_us[f.seq] = now_us();
    if (ingest_frame(b->ingest, g->ticket, &f) != EMT_OK)
        return false;
    g->pushed++;
    b->next++;
    return true;
}

static void feed(struct bench *b)
{
    emt_time now = clock_now();
    unsigned most = b->until;

    if (b->rate > 0) {
        double due = (double)(now_us() - b->phase_us) * b->rate / 1e6;

        if (b->phase_first + due < most)
            most = b->phase_first + (unsigned)due;
    } else if (b->acknowledged + b->phase_first + AHEAD_FRAMES < most) {
        most = b->phase_first + b->acknowledged + AHEAD_FRAMES;
    }
    while (b->next < most && push_next(b, now))
        continue;
}

static void on_timer(void *arg)
{
    struct bench *b = arg;

    feed(b);
    if (b->next < b->until)
        loop_timer_set(b->timer, PACE_MS);
}

static void on_committed(void *ctx, uint64_t ticket, const struct ingest_report *r)
{
    struct bench *b = ctx;
    struct gateway *g = &b->gateways[ticket - 1];
    int64_t now = now_us();

    for (uint64_t seq = g->acknowledged + 1; seq <= r->up_to; seq++) {
        b->latency_us[b->nlatency++] = (uint32_t)(now - g->pushed_us[seq]);
        b->acknowledged++;
    }
    g->acknowledged = r->up_to;
    if (b->phase_first + b->acknowledged == b->until)
        phase_over(b);
    else if (b->rate == 0)
        loop_timer_set(b->timer, 0);
}

static void on_fenced(void *ctx, uint64_t ticket)
{
    struct bench *b = ctx;

    (void)ticket;
    b->broken = true;
    phase_over(b);
}

static void on_pressure(void *ctx, bool full)
{
    (void)ctx;
    (void)full;
}

static void start_engine(void *arg)
{
    struct bench *b = arg;
    const struct ingest_handler h = { on_committed, on_fenced, on_pressure, b };
    const struct ingest_settings s = { .conninfo = b->conninfo,
                                       .master = b->master,
                                       .batch_rows = b->o.batch_rows };
    struct emt_diag diag = { 0 };

    b->timer = loop_timer_new(b->loop, on_timer, b);
    b->broken = !b->timer || ingest_new(b->loop, &s, &h, &b->ingest, &diag) != EMT_OK;
    for (unsigned i = 0; !b->broken && i < b->o.tenants; i++) {
        struct ingest_source src = { .tenant = b->gateways[i].tenant,
                                     .gateway = b->gateways[i].id,
                                     .epoch = 1 };

        memset(src.spool_id, 1, sizeof src.spool_id);
        b->broken = ingest_open(b->ingest, &src, 0, &b->gateways[i].ticket) != EMT_OK ||
                    b->gateways[i].ticket != i + 1;
    }
    phase_over(b);
}

static void start_phase(void *arg)
{
    struct bench *b = arg;

    b->phase_us = now_us();
    b->phase_first = b->next;
    on_timer(b);
}

static void stop_engine(void *arg)
{
    struct bench *b = arg;

    loop_timer_free(b->timer);
    ingest_free(b->ingest);
    phase_over(b);
}

static bool on_loop(struct bench *b, void (*fn)(void *arg))
{
    b->over = false;
    if (loop_post(b->loop, fn, b) != EMT_OK)
        return false;
    pthread_mutex_lock(&b->mutex);
    while (!b->over)
        pthread_cond_wait(&b->cond, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
    return !b->broken;
}

/* ---- figures ---- */

/* CPU of the engine's backend, in microseconds; 0 where the server is on another machine. */
static int64_t backend_cpu_us(struct bench *b)
{
    if (!b->fixture)
        return 0;
    return bench_process_cpu_us(pg_fixture_number(
        b->fixture, "select pid from pg_stat_activity where usename = 'emt_ingest' limit 1"));
}

static int64_t own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

struct figures {
    double seconds;
    double backend_us, own_us;
    unsigned frames;
};

static bool run_phase(struct bench *b, unsigned until, double rate, struct figures *out)
{
    int64_t start, backend = backend_cpu_us(b), own = own_cpu_us();
    unsigned first = b->next;
    bool ok;

    b->until = until;
    b->rate = rate;
    b->acknowledged = b->nlatency = 0;
    start = now_us();
    ok = on_loop(b, start_phase);
    out->seconds = (double)(now_us() - start) / 1e6;
    out->backend_us = (double)(backend_cpu_us(b) - backend);
    out->own_us = (double)(own_cpu_us() - own);
    out->frames = until - first;
    qsort(b->latency_us, b->nlatency, sizeof *b->latency_us, compare_u32);
    return ok;
}

static double latency_ms(const struct bench *b, unsigned percent)
{
    size_t at = (size_t)b->nlatency * percent / 100;

    return b->latency_us[at] / 1e3;
}

static bool run_learning(struct bench *b)
{
    struct figures f;

    if (!run_phase(b, b->o.tenants * b->o.devices, 0, &f))
        return false;
    if (b->o.age == 0)
        print("unknown-devices", f.frames / f.seconds, "1/s");
    return true;
}

static bool run_round(struct bench *b)
{
    struct figures f;

    if (!run_phase(b, b->next + b->o.frames / ROUNDS, 0, &f))
        return false;
    b->rates[b->rounds] = f.frames / f.seconds;
    b->backend_us[b->rounds] = f.backend_us / f.frames;
    b->own_us[b->rounds] = f.own_us / f.frames;
    b->rounds++;
    return true;
}

static bool compare_bare(struct bench *b, double value_us)
{
    int32_t *tenants = calloc(b->o.tenants, sizeof *tenants);
    struct bare_figures bare;
    bool ok = tenants;

    for (unsigned i = 0; ok && i < b->o.tenants; i++)
        tenants[i] = b->gateways[i].tenant;
    ok = ok && bare_measure(b->fixture, tenants, b->o.tenants, &bare);
    free(tenants);
    if (!ok || bare.same_rows <= 0)
        return ok;
    print_runs("bare-readings", bare.readings, "us", BARE_SLICES);
    print_runs("bare-readings-unrolled", bare.readings_unrolled, "us", BARE_SLICES);
    print_runs("bare-same-rows", bare.same_rows, "us", BARE_SLICES);
    print_runs("bare-same-rows-unrolled", bare.same_rows_unrolled, "us", BARE_SLICES);
    print_ratio("database-cpu-per-value", value_us, "bare insert of the same rows", bare.same_rows);
    print_ratio("database-cpu-per-value-of-readings", value_us, "bare insert of the readings alone",
                bare.readings);
    return true;
}

static bool run_rest(struct bench *b)
{
    double rate = bench_median(b->rates, ROUNDS), us = bench_median(b->backend_us, ROUNDS);
    struct figures f;

    print_runs("frames", rate, "1/s", ROUNDS);
    print_runs("readings", rate * BENCH_TELEGRAM_VALUES, "1/s", ROUNDS);
    print_runs("engine-cpu-per-frame", bench_median(b->own_us, ROUNDS), "us", ROUNDS);
    if (us > 0) {
        print_runs("database-cpu-per-frame", us, "us", ROUNDS);
        /* What a frame leaves: itself, its telegram and the readings. */
        print_runs("database-cpu-per-row", us / (2 + BENCH_TELEGRAM_VALUES), "us", ROUNDS);
    }
    if (!run_phase(b, b->total, rate * PACED_PERCENT / 100, &f))
        return false;
    print("paced-frames", f.frames / f.seconds, "1/s");
    print("acknowledgement-p50", latency_ms(b, 50), "ms");
    print("acknowledgement-p99", latency_ms(b, 99), "ms");
    return !b->fixture || compare_bare(b, us / BENCH_TELEGRAM_VALUES);
}

/* ---- the benchmark ---- */

static bool parse_number(const char *text, unsigned *out)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*end || v == 0 || v > 10000000)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i += 2) {
        bool ok = i + 1 < argc;

        if (ok && strcmp(argv[i], "--conninfo") == 0)
            o->conninfo = argv[i + 1];
        else if (ok && strcmp(argv[i], "--frames") == 0)
            ok = parse_number(argv[i + 1], &o->frames);
        else if (ok && strcmp(argv[i], "--tenants") == 0)
            ok = parse_number(argv[i + 1], &o->tenants) && o->tenants <= 10000;
        else if (ok && strcmp(argv[i], "--devices") == 0)
            ok = parse_number(argv[i + 1], &o->devices) && o->devices <= 10000;
        else if (ok && strcmp(argv[i], "--age") == 0)
            ok = parse_number(argv[i + 1], &o->age) && o->age <= 120;
        else if (ok && strcmp(argv[i], "--drop-index") == 0)
            o->drop_index = argv[i + 1];
        else if (ok && strcmp(argv[i], "--batch-rows") == 0)
            ok = parse_number(argv[i + 1], &o->batch_rows);
        else if (ok && strcmp(argv[i], "--gateways") == 0)
            ok = parse_number(argv[i + 1], &o->gateways) && o->gateways <= 10000;
        else if (ok && strcmp(argv[i], "--rate") == 0)
            ok = parse_number(argv[i + 1], &o->rate);
        else if (ok && strcmp(argv[i], "--seconds") == 0)
            ok = parse_number(argv[i + 1], &o->seconds);
        else
            ok = false;
        if (!ok)
            return false;
    }
    return true;
}

static bool prepare(struct bench *b)
{
    static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->cond, NULL);
    b->total = b->o.tenants * b->o.devices + b->o.frames + b->o.frames / 4;
    b->gateways = calloc(b->o.tenants, sizeof *b->gateways);
    b->telegrams = calloc(b->total, sizeof *b->telegrams);
    b->latency_us = calloc(b->total, sizeof *b->latency_us);
    b->loop = loop_new(0);
    if (!b->gateways || !b->telegrams || !b->latency_us || !b->loop)
        return false;
    memset(b->master.key, 0x5a, sizeof b->master.key);
    b->master.version = 1;
    if (!make_database(b, key) || !make_telegrams(b, key) || loop_start(b->loop) != EMT_OK)
        return false;
    b->started = true;
    return on_loop(b, start_engine) && run_learning(b);
}

static void tear_down(struct bench *b)
{
    if (b->started) {
        (void)on_loop(b, stop_engine);
        loop_stop(b->loop);
        loop_join(b->loop);
    }
    for (unsigned i = 0; b->gateways && i < b->o.tenants; i++)
        free(b->gateways[i].pushed_us);
    free(b->gateways);
    free(b->telegrams);
    free(b->latency_us);
    loop_free(b->loop);
    if (b->fixture)
        pg_fixture_stop(b->fixture);
    pthread_mutex_destroy(&b->mutex);
    pthread_cond_destroy(&b->cond);
}

static bool run_once(const struct options *o)
{
    struct bench b = { .o = *o };
    bool ok = prepare(&b);

    while (ok && b.rounds < ROUNDS)
        ok = run_round(&b);
    ok = ok && run_rest(&b);
    tear_down(&b);
    return ok;
}

/* Turn by turn, an empty database and one with history. */
static bool run_aged(const struct options *o)
{
    struct bench young = { .o = *o }, old = { .o = *o };
    double speed[ROUNDS], cpu[ROUNDS];
    bool ok;

    young.o.age = 0;
    ok = prepare(&young) && prepare(&old);
    for (unsigned i = 0; ok && i < ROUNDS; i++) {
        ok = run_round(&young) && run_round(&old);
        if (!ok)
            break;
        speed[i] = old.rates[i] / young.rates[i];
        cpu[i] = old.backend_us[i] / young.backend_us[i];
    }
    if (ok) {
        print_runs("aged-speed-ratio", bench_median(speed, ROUNDS), "of empty", ROUNDS);
        print_runs("aged-database-cpu-ratio", bench_median(cpu, ROUNDS), "of empty", ROUNDS);
        ok = run_rest(&young);
    }
    tear_down(&old);
    tear_down(&young);
    return ok;
}

int bench_ingest(int argc, char **argv)
{
    struct options o = { .frames = 60000, .tenants = 10, .devices = 200, .seconds = 20 };
    bool ok;

    if (!parse(argc, argv, &o))
        return 2;
    if (o.gateways)
        return bench_ingest_fleet(o.gateways, o.tenants, o.rate, o.seconds);
    ok = o.age ? run_aged(&o) : run_once(&o);
    if (!ok)
        fprintf(stderr, "ingest: failed\n");
    return ok ? 0 : 1;
}
