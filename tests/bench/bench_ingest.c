/* The same rows go once more through a bare idempotent insert, as the ground that the engine's
 * database time is measured against. With --age the whole is done twice: on an empty database and
 * on one with months of history.
 *
 * Three phases, one figure each that the others would blur: learning (every telegram brings an
 * unknown meter), full speed (as much under way as the budget allows), and paced (half of that
 * speed, for the time until the acknowledgement). */
#include "bench_ingest.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "ingest/ingest.h"
#include "loop/loop.h"
#include "parsers/oms_encode.h"
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
#define AHEAD_FRAMES 4000u
#define PACE_MS 5
#define RECORD_VALUES 4

struct options {
    const char *conninfo, *drop_index;
    unsigned frames, tenants, devices, age;
};

/* The bare insert. */
#define BARE_LOT 2000
enum { PID, BARE_ROWS, BARE_INSERT };
static const struct store_statement statements[] = {
    [PID] = { "bench_pid", 0, "select pg_backend_pid()" },
    [BARE_ROWS] = { "bench_rows", 3,
                    "select channel_id, ts, mantissa, exponent, quality from reading"
                    " where tenant_id = $1 and channel_id < 1000000000"
                    " order by ctid, tableoid offset $2::int8 limit $3::int4" },
    [BARE_INSERT] = { "bench_insert", 6,
                      "insert into bench_bare (tenant_id, channel_id, ts, mantissa, exponent,"
                      " quality) select $1, * from unnest($2::int8[], $3::timestamptz[],"
                      " $4::int8[], $5::int2[], $6::int2[])"
                      " on conflict (tenant_id, channel_id, ts) do nothing" },
};

struct gateway {
    int32_t tenant;
    int64_t id;
    uint64_t ticket, pushed, acknowledged;
    int64_t *pushed_us; /* by sequence number */
};

struct telegram {
    uint8_t data[128];
    uint8_t len;
};

struct bench {
    struct options o;
    struct pg_fixture *fixture;
    const char *conninfo;
    struct seal_key master;
    struct gateway *gateways;
    struct telegram *telegrams; /* by number: telegram n is of gateway n % tenants */
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
    bool over, broken;
    double rate_full, backend_us; /* figures of the phase at full speed, per second and frame */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* With --age each name comes twice, the empty database first. */
static void print(const char *name, double value, const char *unit)
{
    printf(
        "{\"bench\": \"ingest\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": 1}\n",
        name, value, unit);
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

/* Months of history, thinly filled, and the table that the bare insert writes to. */
static void make_past(struct bench *b)
{
    char sql[1500];

    if (b->o.age)
        snprintf(sql, sizeof sql,
                 "set client_min_messages = warning;"
                 "select partitions_ensure(now(), %u);"
                 "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
                 " select t.id, 1000000000 + c, now() - m * interval '30 days'"
                 "  + k * interval '15 minutes', c * k, 0, 256"
                 " from tenant t, generate_series(1, %u) m, generate_series(1, %u) c,"
                 " generate_series(1, 96) k;"
                 "analyze reading",
                 b->o.age * 31, b->o.age, 200 / b->o.tenants + 1);
    if (b->o.age)
        pg_fixture_sql(b->fixture, sql);
    if (b->o.drop_index) {
        snprintf(sql, sizeof sql, "drop index %s", b->o.drop_index);
        pg_fixture_sql(b->fixture, sql);
    }
    pg_fixture_sql(
        b->fixture,
        "create table bench_bare (like reading, primary key (tenant_id, channel_id, ts))"
        " partition by range (ts);"
        "do $$ declare p record; begin"
        " for p in select c.relname, pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits i"
        "  join pg_class c on c.oid = i.inhrelid where i.inhparent = 'reading'::regclass loop"
        "  execute format('create table %I partition of bench_bare %s', 'bare_' || p.relname, p.bound);"
        " end loop; end $$;"
        "grant all on bench_bare to emt_admin");
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
        make_past(b);
    return ok;
}

/* Registers, power and the meter's date, as an electricity meter sends them, every quarter of an
 * hour. */
static bool make_telegram(struct cipher *c, unsigned n, const struct options *o, emt_time start,
                          const uint8_t key[16], struct telegram *out)
{
    static const uint8_t import[] = { 0x03 }, export[] = { 0x83, 0x3c }, power[] = { 0x2b },
                         seconds[] = { 0x20 };
    unsigned device = n / o->tenants % o->devices, step = n / o->tenants / o->devices;
    struct oms_telegram t = {
        .device = { .manufacturer = "EMT", .version = 1, .type = 2, .has_version = true },
        .access_number = (uint8_t)step,
        .encrypted = true
    };
    struct civil at;
    uint8_t records[100];
    struct writer w, frame;
    bool ok;

    snprintf(t.device.number, sizeof t.device.number, "%08u", 10000000 + device);
    memcpy(t.key, key, sizeof t.key);
    time_to_civil(start + (int64_t)(step * 15ul + device) * EMT_MINUTE, &at);
    writer_init_fixed(&w, records, sizeof records);
    ok = oms_put_record(&w, 0x04, import, 1, 100000 + (int64_t)step * 250) == EMT_OK &&
         oms_put_record(&w, 0x04, export, 2, 500 + step) == EMT_OK &&
         oms_put_record(&w, 0x02, power, 1, 1000 + n % 500) == EMT_OK &&
         oms_put_record(&w, 0x04, seconds, 1, (int64_t)900 * step) == EMT_OK &&
         oms_put_datetime(&w, 0x04, at.year, at.month, at.day, at.hour, at.minute, false) == EMT_OK;
    t.records = records;
    t.records_len = w.len;
    writer_init_fixed(&frame, out->data, sizeof out->data);
    ok = ok && oms_encode(c, &t, &frame) == EMT_OK;
    out->len = (uint8_t)frame.len;
    return ok;
}

static bool make_telegrams(struct bench *b, const uint8_t key[16])
{
    struct cipher *c = cipher_new();
    emt_time start = clock_now() / EMT_DAY * EMT_DAY - 60 * EMT_DAY;
    bool ok = c != NULL;

    for (unsigned n = 0; ok && n < b->total; n++)
        ok = make_telegram(c, n, &b->o, start, key, &b->telegrams[n]);
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
    const struct telegram *t = &b->telegrams[b->next];
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
    const struct ingest_settings s = { .conninfo = b->conninfo, .master = b->master };
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

static int64_t process_cpu_us(int64_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, kernel = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    f = fopen(path, "r");
    if (!f)
        return 0;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    /* utime and stime, the 14th and 15th field; the second may hold blanks and ends in ')'. */
    char *p = strrchr(text, ')');
    for (int field = 2; p && field < 14; field++)
        p = strchr(p + 1, ' ');
    if (p) {
        user = strtoul(p, &p, 10);
        kernel = strtoul(p, &p, 10);
    }
    return (int64_t)(user + kernel) * 1000000 / sysconf(_SC_CLK_TCK);
}

/* CPU of the engine's backend, in microseconds; 0 where the server is on another machine. */
static int64_t backend_cpu_us(struct bench *b)
{
    if (!b->fixture)
        return 0;
    return process_cpu_us(pg_fixture_number(
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

static bool insert_lot(struct store *s, int32_t tenant, const struct store_result *r)
{
    struct store_array *a[5] = { store_array_new(STORE_INT8), store_array_new(STORE_TIME),
                                 store_array_new(STORE_INT8), store_array_new(STORE_INT2),
                                 store_array_new(STORE_INT2) };
    struct store_param p[6];
    bool ok = a[0] && a[1] && a[2] && a[3] && a[4];

    for (int i = 0; ok && i < store_rows(r); i++)
        ok = store_array_int(a[0], c_int(r, i, 0)) && store_array_time(a[1], c_time(r, i, 1)) &&
             store_array_int(a[2], c_int(r, i, 2)) && store_array_int(a[3], c_int(r, i, 3)) &&
             store_array_int(a[4], c_int(r, i, 4));
    p_int4(&p[0], tenant);
    for (unsigned i = 0; ok && i < 5; i++)
        p_array(&p[1 + i], a[i]);
    ok = ok && store_begin(s, tenant) == EMT_OK &&
         store_run(s, &statements[BARE_INSERT], p, NULL) == EMT_OK && store_commit(s) == EMT_OK;
    for (unsigned i = 0; i < 5; i++)
        store_array_free(a[i]);
    return ok;
}

/* All readings of this run again, in the order in which they came, a connection for reading and
 * one for writing. */
static bool bare_insert(struct bench *b, struct store *from, struct store *to, double *us)
{
    int64_t rows = 0, pid, start;
    bool ok = store_run_number(to, &statements[PID], NULL, &pid) == EMT_OK;

    start = ok ? process_cpu_us(pid) : 0;
    for (unsigned i = 0; ok && i < b->o.tenants; i++) {
        int n = BARE_LOT;

        for (int64_t at = 0; ok && n == BARE_LOT; at += n) {
            struct store_param p[3];
            struct store_result *r = NULL;

            p_int4(&p[0], b->gateways[i].tenant);
            p_int8(&p[1], at);
            p_int4(&p[2], BARE_LOT);
            ok = store_run(from, &statements[BARE_ROWS], p, &r) == EMT_OK;
            n = ok ? store_rows(r) : 0;
            rows += n;
            ok = ok && (n == 0 || insert_lot(to, b->gateways[i].tenant, r));
            if (r)
                store_result_free(r);
        }
    }
    *us = rows ? (double)(process_cpu_us(pid) - start) / (double)rows : 0;
    return ok && rows > 0;
}

static bool compare_bare(struct bench *b, double value_us)
{
    struct store *from = pg_fixture_store(b->fixture, STORE_ADMIN);
    struct store *to = pg_fixture_store(b->fixture, STORE_ADMIN);
    double bare;
    bool ok = bare_insert(b, from, to, &bare);

    if (ok)
        printf("{\"bench\": \"ingest\", \"name\": \"%sdatabase-cpu-per-value\","
               " \"value\": %.2f, \"unit\": \"us\", \"runs\": 1,"
               " \"baseline\": \"bare idempotent insert %.2f us\", \"ratio\": %.2f}\n",
               b->o.age ? "aged-" : "", value_us, bare, value_us / bare);
    else
        fprintf(stderr, "ingest: bare: %s %s\n", store_error(from), store_error(to));
    store_close(from);
    store_close(to);
    return ok;
}

static bool run_all(struct bench *b)
{
    unsigned learn = b->o.tenants * b->o.devices, full = learn + b->o.frames;
    struct figures f;
    double rate;

    if (!run_phase(b, learn, 0, &f))
        return false;
    print("unknown-devices", f.frames / f.seconds, "1/s");
    if (!run_phase(b, full, 0, &f))
        return false;
    rate = f.frames / f.seconds;
    b->rate_full = rate;
    b->backend_us = f.backend_us / f.frames;
    print("frames", rate, "1/s");
    print("readings", rate * RECORD_VALUES, "1/s");
    print("engine-cpu-per-frame", f.own_us / f.frames, "us");
    if (f.backend_us > 0) {
        print("database-cpu-per-frame", f.backend_us / f.frames, "us");
        /* What a frame leaves: itself, its telegram, the readings and the meter's date as text. */
        print("database-cpu-per-row", f.backend_us / f.frames / (3 + RECORD_VALUES), "us");
    }
    if (!run_phase(b, b->total, rate / 2, &f))
        return false;
    print("paced-frames", f.frames / f.seconds, "1/s");
    print("acknowledgement-p50", latency_ms(b, 50), "ms");
    print("acknowledgement-p99", latency_ms(b, 99), "ms");
    return !b->fixture || compare_bare(b, b->backend_us / RECORD_VALUES);
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
        else
            ok = false;
        if (!ok) {
            fprintf(stderr, "usage: emt-bench ingest [--frames N] [--tenants N] [--devices N]"
                            " [--age MONTHS] [--drop-index NAME] [--conninfo TEXT]\n");
            return false;
        }
    }
    return true;
}

static bool measure(struct bench *b)
{
    static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    bool ok;

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
    ok = on_loop(b, start_engine) && run_all(b);
    (void)on_loop(b, stop_engine);
    loop_stop(b->loop);
    loop_join(b->loop);
    return ok;
}

static bool run_once(const struct options *o, double *rate, double *backend_us)
{
    struct bench b = { .o = *o };
    bool ok;

    pthread_mutex_init(&b.mutex, NULL);
    pthread_cond_init(&b.cond, NULL);
    ok = measure(&b);
    for (unsigned i = 0; b.gateways && i < b.o.tenants; i++)
        free(b.gateways[i].pushed_us);
    free(b.gateways);
    free(b.telegrams);
    free(b.latency_us);
    loop_free(b.loop);
    if (b.fixture)
        pg_fixture_stop(b.fixture);
    pthread_mutex_destroy(&b.mutex);
    pthread_cond_destroy(&b.cond);
    *rate = b.rate_full;
    *backend_us = b.backend_us;
    return ok;
}

int bench_ingest(int argc, char **argv)
{
    struct options o = { .frames = 60000, .tenants = 10, .devices = 200 };
    double rate, aged_rate, us, aged_us;
    bool ok;

    if (!parse(argc, argv, &o))
        return 2;
    unsigned age = o.age;
    o.age = 0;
    ok = run_once(&o, &rate, &us);
    if (ok && age > 0) {
        o.age = age;
        ok = run_once(&o, &aged_rate, &aged_us);
        if (ok) {
            print("aged-speed-ratio", aged_rate / rate, "of empty");
            print("aged-database-cpu-ratio", aged_us / us, "of empty");
        }
    }
    if (!ok)
        fprintf(stderr, "ingest: failed\n");
    return ok ? 0 : 1;
}
