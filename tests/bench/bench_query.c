/* The server of emtd's API in this process, a throw-away PostgreSQL beside it, a client in this
 * thread over plain HTTP on loopback. CPU is that of this process without the client's, and of the
 * database's backends. */
#include "bench_query.h"

#include "api/api.h"
#include "base/cipher.h"
#include "base/log.h"
#include "bench_curves.h"
#include "http/http_server.h"
#include "loop/metrics.h"
#include "pg_fixture.h"
#include "store/block_store.h"
#include "store/user_store.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FROM INT64_C(1735689600000000) /* 2025-01-01 */
#define DAY_VALUES 96
#define YEAR_DAYS 365
#define REPEAT 20 /* requests of a run: the backend's CPU is counted in hundredths of a second */
#define LOT 500
#define KEY "emt_op_benchmark_of_queries"
#define BUFFER (256u << 10)

struct bench {
    struct pg_fixture *pg;
    struct api *api;
    struct metrics *metrics;
    struct http_server *server;
    int fd;
    char *buffer;
    int64_t year; /* channel with a year of quarter hours */
    unsigned runs, meters;
    char next[32]; /* cursor of the last answer */
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print(const char *name, double value, const char *unit, unsigned runs)
{
    printf("{\"bench\": \"query\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": "
           "%u}\n",
           name, value, unit, runs);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* ---- data ---- */

static bool deliver(struct store *s, int32_t tenant, int64_t first, unsigned n, emt_time day)
{
    struct block_row *rows = calloc((size_t)n * DAY_VALUES, sizeof *rows);
    struct block_value v[DAY_VALUES];
    struct block_counts counts = { 0 };
    bool ok = rows != NULL;

    for (unsigned i = 0; ok && i < n; i++) {
        curve_fill(CURVE_HOUSEHOLD, (unsigned)first + i, day, v, DAY_VALUES);
        for (unsigned k = 0; k < DAY_VALUES; k++)
            rows[i * DAY_VALUES + k] = (struct block_row){ first + i, v[k] };
    }
    ok = ok && store_begin(s, tenant) == EMT_OK &&
         block_deliver(s, tenant, rows, (size_t)n * DAY_VALUES, day + EMT_DAY, &counts) == EMT_OK &&
         store_commit(s) == EMT_OK;
    free(rows);
    return ok;
}

static bool make_data(struct bench *b)
{
    int32_t tenant = pg_fixture_tenant(b->pg, "bench");
    struct store *s = pg_fixture_store(b->pg, STORE_ADMIN);
    char sql[500];
    bool ok = true;

    snprintf(sql, sizeof sql,
             "insert into device (tenant_id, ident, manufacturer, number)"
             " select %d, 'D' || i, 'EMT', i::text from generate_series(1, %u) i;"
             "insert into channel (tenant_id, device_id, key, kind, quantity, unit)"
             " select tenant_id, device_id, 'k', 0, 1, 'Wh' from device order by device_id",
             (int)tenant, b->meters);
    pg_fixture_sql(b->pg, sql);
    b->year = pg_fixture_number(b->pg, "select min(channel_id) from channel");
    for (unsigned d = 0; ok && d < YEAR_DAYS; d++)
        ok = deliver(s, tenant, b->year, 1, FROM + d * EMT_DAY);
    for (unsigned i = 0; ok && i < b->meters; i += LOT)
        ok = deliver(s, tenant, b->year + i, b->meters - i < LOT ? b->meters - i : LOT,
                     FROM + 400 * EMT_DAY);
    pg_fixture_sql(b->pg, "analyze");
    store_close(s);
    return ok;
}

/* ---- server and client ---- */

static bool start(struct bench *b)
{
    static const char *const listen[] = { "127.0.0.1:0" };
    struct http_settings http = { .listen = listen, .nlisten = 1 };
    struct api_settings s = { .conninfo = pg_fixture_conninfo(b->pg), .base_url = "https://bench" };
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct store *admin = pg_fixture_store(b->pg, STORE_ADMIN);
    uint8_t hash[32];
    int64_t user, id;
    bool ok;

    cipher_sha256(KEY, strlen(KEY), hash);
    ok = user_create(admin, "bench", "$argon2id$none", false, PLATFORM_OPERATOR, &user) == EMT_OK &&
         platform_key_create(admin, user, "bench", hash, EMT_TIME_NONE, &id) == EMT_OK &&
         seal_key_make(&s.master, 1) == EMT_OK;
    store_close(admin);
    b->metrics = s.metrics = metrics_new();
    ok = ok && b->metrics && api_new(&s, &b->api, NULL) == EMT_OK &&
         http_server_start(&http, api_handler(b->api), &b->server, NULL) == EMT_OK;
    b->buffer = malloc(BUFFER);
    b->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!ok || !b->buffer || b->fd < 0)
        return false;
    to.sin_port = htons(http_server_port(b->server, 0));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(b->fd, (const struct sockaddr *)&to, sizeof to) == 0;
}

static void stop(struct bench *b)
{
    close(b->fd);
    free(b->buffer);
    if (b->server)
        http_server_stop(b->server);
    api_free(b->api);
    if (b->metrics)
        metrics_free(b->metrics);
}

/* The head of the answer into the buffer, *got bytes with what came behind it; its length. */
static size_t read_head(struct bench *b, size_t *got)
{
    *got = 0;
    for (;;) {
        ssize_t n = recv(b->fd, b->buffer + *got, BUFFER - 1 - *got, 0);
        char *end;

        if (n <= 0)
            return 0;
        *got += (size_t)n;
        b->buffer[*got] = '\0';
        end = strstr(b->buffer, "\r\n\r\n");
        if (end)
            return (size_t)(end - b->buffer) + 4;
        if (*got == BUFFER - 1)
            return 0;
    }
}

/* One request, its body read and thrown away. Bytes of it; 0: failed. */
static size_t fetch(struct bench *b, const char *target, const char *accept)
{
    char request[600];
    size_t got, head, length;
    const char *at;
    int n = snprintf(request, sizeof request,
                     "GET /api/v1/tenants/bench/%s HTTP/1.1\r\nHost: bench\r\n"
                     "Authorization: Bearer " KEY "\r\nAccept: %s\r\n\r\n",
                     target, accept);

    if (send(b->fd, request, (size_t)n, 0) != n || (head = read_head(b, &got)) == 0)
        return 0;
    if (strncmp(b->buffer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "query: %.200s\n", b->buffer);
        return 0;
    }
    at = strstr(b->buffer, "Content-Length: ");
    length = at ? (size_t)strtoull(at + 16, NULL, 10) : 0;
    at = strstr(b->buffer, "X-Next-Cursor: ");
    b->next[0] = '\0';
    if (at && at < b->buffer + head)
        snprintf(b->next, sizeof b->next, "%.*s", (int)strcspn(at + 15, "\r"), at + 15);
    for (size_t left = length - (got - head); left > 0;) {
        ssize_t r = recv(b->fd, b->buffer, left < BUFFER ? left : BUFFER, 0);

        if (r <= 0)
            return 0;
        left -= (size_t)r;
    }
    return length;
}

/* ---- figures ---- */

static double backend_cpu(void)
{
    char line[1024], path[64];
    double sum = 0;
    FILE *list =
        popen("ps -eo pid=,args= | grep '[p]ostgres: emt_app emt' | awk '{print $1}'", "r");

    while (list && fgets(line, sizeof line, list)) {
        char text[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)strtol(line, NULL, 10));
        FILE *f = fopen(path, "r");
        char *p = f && fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;

        for (int field = 2; p && field < 14; field++)
            p = strchr(p + 1, ' ');
        if (p) {
            unsigned long user = strtoul(p, &p, 10);

            sum += (double)(user + strtoul(p, &p, 10)) / (double)sysconf(_SC_CLK_TCK);
        }
        if (f)
            fclose(f);
    }
    if (list)
        pclose(list);
    return sum;
}

static double server_cpu(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID) - seconds(CLOCK_THREAD_CPUTIME_ID);
}

static bool measure_year(struct bench *b, const char *name, const char *accept, const char *more)
{
    double cpu[100], database[100];
    char target[200], line[64];
    size_t bytes = 0;

    snprintf(target, sizeof target,
             "channels/%" PRId64 "/readings?from=2025-01-01&to=2026-01-01&limit=50000%s", b->year,
             more);
    if (fetch(b, target, accept) == 0) /* warm: connection, plans, pages */
        return false;
    for (unsigned r = 0; r < b->runs; r++) {
        double d0 = backend_cpu(), c0 = server_cpu();

        for (unsigned i = 0; i < REPEAT; i++) {
            if ((bytes = fetch(b, target, accept)) == 0)
                return false;
        }
        cpu[r] = (server_cpu() - c0) / REPEAT * 1000;
        database[r] = (backend_cpu() - d0) / REPEAT * 1000;
    }
    qsort(cpu, b->runs, sizeof *cpu, compare);
    qsort(database, b->runs, sizeof *database, compare);
    snprintf(line, sizeof line, "%s-server-cpu", name);
    print(line, cpu[b->runs / 2], "ms", b->runs);
    snprintf(line, sizeof line, "%s-database-cpu", name);
    print(line, database[b->runs / 2], "ms", b->runs);
    snprintf(line, sizeof line, "%s-bytes", name);
    print(line, (double)bytes, "bytes", 1);
    return true;
}

static bool measure_day(struct bench *b, const char *name, const char *accept)
{
    double rate[100];
    char target[200], line[64];

    for (unsigned r = 0; r < b->runs; r++) {
        double t0 = seconds(CLOCK_MONOTONIC);

        b->next[0] = '\0';
        do {
            snprintf(target, sizeof target, "readings?from=2026-02-05&to=2026-02-06&limit=1000%s%s",
                     b->next[0] ? "&cursor=" : "", b->next);
            if (fetch(b, target, accept) == 0 && b->next[0])
                return false;
        } while (b->next[0]);
        rate[r] = (double)b->meters * DAY_VALUES / (seconds(CLOCK_MONOTONIC) - t0);
    }
    qsort(rate, b->runs, sizeof *rate, compare);
    snprintf(line, sizeof line, "all-channels-day-%s", name);
    print(line, rate[b->runs / 2], "values/s", b->runs);
    return true;
}

static double peak_mib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static bool measure(struct bench *b)
{
    static const char *const json = "application/json", *const csv = "text/csv",
                             *const blocks = "application/octet-stream";

    return make_data(b) && start(b) && measure_year(b, "year-json", json, "") &&
           measure_year(b, "year-csv", csv, "") && measure_year(b, "year-blocks", blocks, "") &&
           measure_year(b, "year-by-day", json, "&aggregate=day") && measure_day(b, "csv", csv) &&
           measure_day(b, "blocks", blocks);
}

int bench_query(int argc, char **argv)
{
    struct bench b = { .fd = -1, .runs = 5, .meters = 10000 };
    bool ok;

    for (int i = 1; i < argc; i += 2) {
        unsigned *to = strcmp(argv[i], "--runs") == 0     ? &b.runs
                       : strcmp(argv[i], "--meters") == 0 ? &b.meters
                                                          : NULL;
        long v = to && i + 1 < argc ? strtol(argv[i + 1], NULL, 10) : 0;

        if (v < 1 || v > (to == &b.runs ? 100 : 1000000))
            return 2;
        *to = (unsigned)v;
    }
    log_open("emt-bench", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
    b.pg = pg_fixture_start();
    ok = measure(&b);
    if (ok)
        print("peak-memory", peak_mib(), "MiB", 1);
    else
        fprintf(stderr, "query: failed\n");
    stop(&b);
    pg_fixture_stop(b.pg);
    return ok ? 0 : 1;
}
