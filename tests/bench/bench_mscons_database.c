/* Yesterday's quarter hours of N metering points, from a throw-away PostgreSQL to MSCONS files that
 * are judged and kept in it: what a tenant's night costs. The export runs in a process of its own,
 * whose greatest memory is told; CPU is that process's and its backend's. Each run finds a database
 * to which nothing was sent yet, as a night does. */
#include "bench_mscons_database.h"

#include "export/mscons_export.h"
#include "model/local_day.h"
#include "pg_fixture.h"
#include "store/block_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The local day that is exported: 92, 96 or 100 quarter hours. */
struct day {
    struct local_date date;
    emt_time from, to;
    unsigned steps;
};

struct outcome {
    double wall, own_cpu, backend_cpu;
    unsigned long messages, bytes, files;
    long rss_kib, rss_before_kib;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct day yesterday(void)
{
    struct day d = { .date = local_date_add(local_date_of(clock_now()), -1) };

    d.from = local_day_start(d.date);
    d.to = local_day_end(d.date);
    d.steps = (unsigned)((d.to - d.from) / (15 * EMT_MINUTE));
    return d;
}

static bool fill(struct pg_fixture *f, int32_t tenant, const struct day *day, unsigned places)
{
    char sql[2200];
    char start[32];

    snprintf(
        sql, sizeof sql,
        "update tenant set own_mp_id = '9900999000106' where id = %d;"
        "set synchronous_commit = off;"
        "insert into device (tenant_id, ident, manufacturer, number)"
        " select %d, 'D' || i, 'EMT', i::text from generate_series(1, %u) i;"
        "insert into channel (tenant_id, device_id, key, kind, quantity, unit)"
        " select tenant_id, device_id, 'k', 0, 1, 'Wh' from device where tenant_id = %d;"
        "insert into location (tenant_id, kind, code, receiver_mp_id)"
        " select tenant_id, 1, 'DE00099910115' || lpad(device_id::text, 20, '0'), '9900999000205'"
        " from device where tenant_id = %d;"
        "insert into location_channel (tenant_id, location_id, channel_id, obis, valid_from)"
        " select l.tenant_id, l.location_id, c.channel_id, '1-1:1.29.0', '2024-01-01'"
        " from location l join channel c on c.tenant_id = l.tenant_id"
        " and l.code = 'DE00099910115' || lpad(c.device_id::text, 20, '0')"
        " where l.tenant_id = %d;"
        "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
        " select c.tenant_id, c.channel_id, '%s'::timestamptz"
        " + i * interval '15 minutes' + (i * 37 %% 119 - 59) * interval '1 second',"
        " 1000000 + c.channel_id * 1000 + i * 170 + i * i %% 97, 0, 256"
        " from channel c, generate_series(0, %u) i where c.tenant_id = %d"
        " order by i, c.channel_id",
        (int)tenant, (int)tenant, places, (int)tenant, (int)tenant, (int)tenant,
        time_format(day->from, start), day->steps, (int)tenant);
    pg_fixture_sql(f, sql);
    pg_fixture_sql(f, "analyze");
    return true;
}

/* The day may lie in two months of UTC. */
static bool compact_here(struct pg_fixture *f, int32_t tenant, const struct day *day)
{
    struct store *s = pg_fixture_store(f, STORE_ADMIN);
    struct block_counts counts = { 0 };
    emt_time closed = block_month_after(block_month_of(day->to));
    bool ok = true;

    for (emt_time month = block_month_of(day->from); ok && month < closed;
         month = block_month_after(month)) {
        struct block_lot lot = { .month = month, .closed = closed };

        while (ok && !lot.done)
            ok = block_compact(s, tenant, &lot, closed, &counts) == EMT_OK;
    }
    store_close(s);
    pg_fixture_sql(f, "vacuum analyze"); /* the fixture's server does none of its own */
    return ok && counts.blocks > 0;
}

/* In a process of its own: its memory is not the export's. */
static bool compact(struct pg_fixture *f, int32_t tenant, const struct day *day)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(compact_here(f, tenant, day) ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static enum emt_err take_file(void *ctx, int64_t file_id, const char *name, const void *content,
                              size_t len, int messages)
{
    struct outcome *o = ctx;

    (void)file_id;
    (void)name;
    o->messages += (unsigned long)messages;
    o->bytes += len;
    o->files++;
    return content != NULL ? EMT_OK : EMT_EINTERNAL;
}

static void print_note(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "mscons: %s\n", text);
}

static double backend_cpu(struct pg_fixture *f)
{
    char path[64];
    char text[1024];
    int64_t pid = pg_fixture_number(
        f,
        "select pid from pg_stat_activity where usename = 'emt_app' order by backend_start desc");
    double sum = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    char *p = file != NULL && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    for (int field = 2; p != NULL && field < 14; field++)
        p = strchr(p + 1, ' ');
    if (p != NULL) {
        unsigned long user = strtoul(p, &p, 10);

        sum = (double)(user + strtoul(p, &p, 10)) / (double)sysconf(_SC_CLK_TCK);
    }
    if (file != NULL)
        fclose(file);
    return sum;
}

static long rss_now(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static int export_day(struct pg_fixture *f, int32_t tenant, const struct day *day,
                      struct outcome *o)
{
    struct mscons_export_handler h = { .file = take_file, .note = print_note, .ctx = o };
    struct mscons_export_request req = {
        .tenant = tenant,
        .pid = 13018,
        .from = day->date,
        .to = local_date_add(day->date, 1),
        .now = clock_now(),
    };
    struct emt_diag diag = { 0 };
    struct store *s = pg_fixture_store(f, STORE_APP);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double wall = seconds(CLOCK_MONOTONIC);

    o->rss_before_kib = rss_now();
    enum emt_err err = mscons_export_run(s, &req, &h, &diag);
    o->wall = seconds(CLOCK_MONOTONIC) - wall;
    o->own_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    o->rss_kib = rss_now();
    o->backend_cpu = backend_cpu(f);
    store_close(s);
    if (err != EMT_OK)
        fprintf(stderr, "mscons: %s: %s\n", emt_err_name(err), diag.text);
    return err == EMT_OK ? 0 : 1;
}

/* In a process of its own, begun anew for each run. */
static bool run_alone(struct pg_fixture *f, int32_t tenant, const struct day *day,
                      struct outcome *o)
{
    int fds[2];
    int status = 1;

    if (pipe(fds) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        struct outcome mine = { 0 };
        int code = export_day(f, tenant, day, &mine);

        close(fds[0]);
        if (write(fds[1], &mine, sizeof mine) != (ssize_t)sizeof mine)
            code = 1;
        _exit(code);
    }
    close(fds[1]);
    bool ok = pid > 0 && read(fds[0], o, sizeof *o) == (ssize_t)sizeof *o;
    close(fds[0]);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && ok;
}

static void print(const char *name, const char *of, double value, const char *unit, unsigned runs)
{
    printf("{\"bench\":\"mscons\",\"name\":\"%s-%s\",\"value\":%.0f,\"unit\":\"%s\",\"runs\":%u}\n",
           name, of, value, unit, runs);
    fflush(stdout);
}

static bool measure(struct pg_fixture *f, int32_t tenant, const struct day *day, const char *of,
                    unsigned places, unsigned runs)
{
    struct outcome best = { .wall = 1e9, .own_cpu = 1e9 };
    double values = (double)places * day->steps;
    double cpu = 1e9;
    long rss = 0;

    for (unsigned i = 0; i < runs; i++) {
        struct outcome o = { 0 };

        pg_fixture_sql(f, "set client_min_messages = warning; truncate export_file cascade");
        pg_fixture_sql(f, "checkpoint");
        if (!run_alone(f, tenant, day, &o) || o.messages != places) {
            fprintf(stderr, "mscons: %lu of %u places were sent\n", o.messages, places);
            return false;
        }
        best.wall = o.wall < best.wall ? o.wall : best.wall;
        best.own_cpu = o.own_cpu < best.own_cpu ? o.own_cpu : best.own_cpu;
        cpu = o.own_cpu + o.backend_cpu < cpu ? o.own_cpu + o.backend_cpu : cpu;
        rss = o.rss_kib > rss ? o.rss_kib : rss;
    }
    print("database", of, values / best.wall, "values/s", runs);
    print("database-own-cpu", of, values / best.own_cpu, "values/CPU s", runs);
    print("database-all-cpu", of, values / cpu, "values/CPU s", runs);
    print("database-memory", of, (double)rss, "KiB", runs);
    printf(
        "{\"bench\":\"mscons\",\"name\":\"night-%s\",\"value\":%.2f,\"unit\":\"s\",\"runs\":%u}\n",
        of, best.wall, runs);
    return true;
}

int bench_mscons_database(unsigned places, unsigned runs)
{
    struct pg_fixture *f = pg_fixture_start();
    struct day day = yesterday();
    int32_t few = pg_fixture_tenant(f, "few");
    int32_t many = pg_fixture_tenant(f, "many");
    bool ok = fill(f, few, &day, 10) && fill(f, many, &day, places);

    ok = ok && measure(f, few, &day, "rows-10", 10, runs) &&
         measure(f, many, &day, "rows", places, runs);
    ok = ok && compact(f, few, &day) && compact(f, many, &day) &&
         measure(f, few, &day, "blocks-10", 10, runs) &&
         measure(f, many, &day, "blocks", places, runs);
    pg_fixture_stop(f);
    return ok ? 0 : 1;
}
