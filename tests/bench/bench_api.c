/* The server runs in a child process, so that its processor time and memory can be told from the
 * clients'. Requests are sent when they are due, whether the server keeps up or not. */
#include "bench_api.h"

#include "api/api.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/log.h"
#include "bench_api_client.h"
#include "http/http_server.h"
#include "loop/metrics.h"
#include "pg_fixture.h"
#include "pki/authority.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "store/secret_store.h"
#include "store/user_store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 16,
    GATEWAYS = 100,
    CHANNELS = 10,
    REQUEST_MAX = 512,
    PEM_MAX = 65536,
    IDLE_CONNECTIONS = 500,
    UNREAD_REQUESTS = 400,
    UNREAD_STREAMS = 200,
    TOGETHER = 20,       /* fewer than a tenant may have waiting */
    BUSY_RATE = 1000000, /* more than can be: as fast as it goes */
};

struct options {
    unsigned rate, seconds, streams;
};

struct bench {
    struct options o;
    struct pg_fixture *pg;
    struct seal_key master;
    struct tls_context *server_tls, *client_tls;
    char operator_key[80], tenant_key[120];
    char requests[CHANNELS + 2][REQUEST_MAX]; /* the list, the channels, /healthz */
    pid_t server;
    int stop_fd; /* closed: the server ends */
    uint16_t port;
    double cpu_us; /* of the server when the load began */
};

static void print(const char *name, double value, const char *unit)
{
    printf(
        "{\"bench\": \"api\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": 1}\n",
        name, value, unit);
    fflush(stdout);
}

static bool complain(const char *what)
{
    fprintf(stderr, "api: %s\n", what);
    return false;
}

/* --- the server --- */

/* CPU of the server process in microseconds. */
static double server_cpu_us(const struct bench *b)
{
    struct timespec t = { 0, 0 };
    clockid_t clock;

    if (clock_getcpuclockid(b->server, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double server_rss_kib(const struct bench *b)
{
    char path[64];
    char line[200];
    unsigned long pages = 0;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)b->server);
    FILE *f = fopen(path, "r");
    if (f && fgets(line, sizeof line, f)) {
        char *second = strchr(line, ' ');
        pages = second ? strtoul(second, NULL, 10) : 0;
    }
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static int serve(const struct bench *b, int port_fd, int stop_fd)
{
    static const char *const listen[] = { "127.0.0.1:0" };
    struct http_settings http = { .listen = listen,
                                  .nlisten = 1,
                                  .tls = b->server_tls,
                                  .connections = 4096,
                                  .streams = b->o.streams + 100 };
    struct api_settings s = { .conninfo = pg_fixture_conninfo(b->pg),
                              .master = b->master,
                              .base_url = "https://localhost",
                              .node = "bench",
                              .tenant_streams = b->o.streams + 100,
                              .principal_streams = b->o.streams + 100,
                              .metrics = metrics_new() };
    struct http_server *server = NULL;
    struct api *api = NULL;
    char byte;

    log_open("emt-bench", LOG_LEVEL_INFO, LOG_FORMAT_JSON, open("/dev/null", O_WRONLY));
    if (api_new(&s, &api, NULL) != EMT_OK ||
        http_server_start(&http, api_handler(api), &server, NULL) != EMT_OK)
        return 1;
    uint16_t port = http_server_port(server, 0);
    if (write(port_fd, &port, sizeof port) != sizeof port)
        return 1;
    while (read(stop_fd, &byte, 1) > 0)
        ;
    http_server_stop(server);
    api_free(api);
    metrics_free(s.metrics);
    return 0;
}

static bool start_server(struct bench *b)
{
    int port[2];
    int stop[2];

    if (pipe(port) != 0 || pipe(stop) != 0)
        return complain("pipe");
    fflush(NULL);
    b->server = fork();
    if (b->server < 0)
        return complain("fork");
    if (b->server == 0) {
        close(stop[1]);
        _exit(serve(b, port[1], stop[0]));
    }
    close(port[1]);
    close(stop[0]);
    b->stop_fd = stop[1];
    bool ok = read(port[0], &b->port, sizeof b->port) == sizeof b->port;
    close(port[0]);
    return ok || complain("the server does not start");
}

static void stop_server(struct bench *b)
{
    if (b->server <= 0)
        return;
    close(b->stop_fd);
    waitpid(b->server, NULL, 0);
    b->server = 0;
}

/* --- set-up --- */

static bool make_tls(struct bench *b, struct authority *root)
{
    struct writer chain;
    struct writer key;
    struct writer pem;
    struct leaf_info info;
    struct trust *trust = trust_new();
    struct tls_settings server = { .profile = TLS_PROFILE_HTTPS, .session_cache = 64 };
    struct tls_settings client = { .profile = TLS_PROFILE_HTTPS_CLIENT, .trust = trust };
    emt_time now = clock_now();

    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    writer_init_heap(&pem, PEM_MAX);
    bool ok = trust && authority_chain_pem(root, &pem) == EMT_OK &&
              trust_add_pem(trust, (const char *)pem.data, pem.len, NULL) == EMT_OK &&
              authority_issue_server(root, KEY_P256, "localhost", now, 90 * EMT_DAY, &chain, &key,
                                     &info, NULL) == EMT_OK;
    server.chain_pem = (const char *)chain.data;
    server.chain_len = chain.len;
    server.key_pem = (const char *)key.data;
    server.key_len = key.len;
    server.trust = trust;
    ok = ok && tls_context_new(&server, &b->server_tls, NULL) == EMT_OK &&
         tls_context_new(&client, &b->client_tls, NULL) == EMT_OK;
    writer_release(&chain);
    writer_release(&key);
    writer_release(&pem);
    trust_unref(trust);
    return ok || complain("certificates");
}

static bool keep_root(struct bench *b, struct store *admin, struct authority *root)
{
    struct writer chain;
    struct writer key;

    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    bool ok = authority_chain_pem(root, &chain) == EMT_OK &&
              authority_key_pem(root, &key) == EMT_OK &&
              platform_secret_create(admin, "pki-root", key.data, key.len, writer_cstr(&chain),
                                     &b->master) == EMT_OK;
    writer_release(&chain);
    writer_release(&key);
    return ok;
}

static bool make_operator(struct bench *b, struct store *admin)
{
    uint8_t hash[32];
    int64_t user = 0;
    int64_t id = 0;

    snprintf(b->operator_key, sizeof b->operator_key, "emt_op_0123456789abcdef0123456789abcdef");
    cipher_sha256(b->operator_key, strlen(b->operator_key), hash);
    return user_create(admin, "bench", "$argon2id$none", false, PLATFORM_OPERATOR, &user) ==
               EMT_OK &&
           platform_key_create(admin, user, "bench", hash, EMT_TIME_NONE, &id) == EMT_OK;
}

static bool make_platform(struct bench *b)
{
    struct authority *root = NULL;
    struct store *admin = pg_fixture_store(b->pg, STORE_ADMIN);

    memset(b->master.key, 0x5a, sizeof b->master.key);
    b->master.version = 1;
    bool ok = authority_new_root(KEY_P256, clock_now(), 3650 * EMT_DAY, &root, NULL) == EMT_OK &&
              make_tls(b, root) && keep_root(b, admin, root) && make_operator(b, admin);
    authority_free(root);
    store_close(admin);
    return ok || complain("the platform cannot be made");
}

static void put_request(char out[REQUEST_MAX], const char *method, const char *target,
                        const char *key, const char *body)
{
    snprintf(out, REQUEST_MAX,
             "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             method, target, key, strlen(body), body);
}

static bool make_tenant(struct bench *b)
{
    static const char mark[] = "\"api_key\":\"";
    char request[REQUEST_MAX];
    struct bench_client c;
    const char *body = NULL;
    size_t n = 0;

    put_request(request, "POST", "/api/v1/tenants", b->operator_key,
                "{\"key\":\"bench\",\"name\":\"Bench\"}");
    bool ok = bench_client_open(&c, b->port, b->client_tls) &&
              bench_client_send(&c, request, strlen(request)) &&
              bench_client_answer(&c, &body, &n) == 201;
    const char *key = ok ? memchr(body, '{', n) : NULL;
    key = key ? strstr(key, mark) : NULL;
    ok = key != NULL;
    if (ok)
        snprintf(b->tenant_key, sizeof b->tenant_key, "%.*s",
                 (int)strcspn(key + strlen(mark), "\""), key + strlen(mark));
    bench_client_close(&c);
    return ok || complain("the tenant cannot be made");
}

static void make_data(struct bench *b)
{
    char text[1500];

    snprintf(
        text, sizeof text,
        "set client_min_messages = warning; select partitions_ensure(now(), 92);"
        "insert into gateway (tenant_id, external_id, name, place, state, software)"
        " select t.id, 'gw-' || n, 'Gateway ' || n, 'Keller', 1, '1.0'"
        " from tenant t, generate_series(1, %d) n;"
        "insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since, peer)"
        " select tenant_id, gateway_id, 1, 1, 0, now() - interval '1 hour', '192.0.2.1'"
        " from gateway;"
        "insert into device (tenant_id, ident, manufacturer, number, version, type)"
        " select id, 'EMT-12345678-01-02', 'EMT', '12345678', 1, 2 from tenant;"
        "insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit)"
        " select d.tenant_id, d.device_id, 'k' || n, 0, '1-0:1.8.' || n || '*255', 1, 'Wh'"
        " from device d, generate_series(1, %d) n;"
        "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
        " select tenant_id, channel_id, date_trunc('day', now()) - interval '1 day'"
        "  + i * interval '15 minutes', 1000000 + i * 37, 0, 256"
        " from channel, generate_series(0, 95) i;"
        "analyze",
        GATEWAYS, CHANNELS);
    pg_fixture_sql(b->pg, text);
}

static void make_requests(struct bench *b)
{
    char target[200];
    char day[32];
    char next[32];
    emt_time today = clock_now() / EMT_DAY * EMT_DAY;
    int64_t first = pg_fixture_number(b->pg, "select min(channel_id) from channel");

    put_request(b->requests[0], "GET", "/api/v1/tenants/bench/gateways?limit=100", b->tenant_key,
                "");
    time_format(today - EMT_DAY, day);
    time_format(today, next);
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(target, sizeof target,
                 "/api/v1/tenants/bench/channels/%" PRId64 "/readings?from=%s&to=%s", first + i,
                 day, next);
        put_request(b->requests[1 + i], "GET", target, b->tenant_key, "");
    }
    put_request(b->requests[CHANNELS + 1], "GET", "/healthz", b->tenant_key, "");
}

/* --- phases --- */

static void note_cpu(void *ctx)
{
    struct bench *b = ctx;

    b->cpu_us = server_cpu_us(b);
}

static bool run_load(struct bench *b, const char *name, size_t first, size_t n)
{
    const char *requests[CHANNELS];
    struct bench_load l = { .port = b->port,
                            .tls = b->client_tls,
                            .requests = requests,
                            .nrequests = n,
                            .connections = CONNECTIONS,
                            .rate = b->o.rate,
                            .total = b->o.rate * b->o.seconds };
    struct bench_load warm = l;
    struct bench_load_result r;
    char line[64];

    for (size_t i = 0; i < n; i++)
        requests[i] = b->requests[first + i];
    warm.total = b->o.rate;
    if (!bench_load_run(&warm, &r))
        return complain("a request failed");
    l.started = note_cpu;
    l.ctx = b;
    if (!bench_load_run(&l, &r))
        return complain("a request failed");
    double used = server_cpu_us(b) - b->cpu_us;
    snprintf(line, sizeof line, "%s-cpu-per-request", name);
    print(line, used / r.asked, "us");
    snprintf(line, sizeof line, "%s-p50", name);
    print(line, r.p50_ms, "ms");
    snprintf(line, sizeof line, "%s-p99", name);
    print(line, r.p99_ms, "ms");
    return true;
}

/* As many requests as fit: what a request costs when wake-ups are shared. */
static bool run_busy(struct bench *b)
{
    const char *requests[1] = { b->requests[CHANNELS + 1] };
    struct bench_load l = { .port = b->port,
                            .tls = b->client_tls,
                            .requests = requests,
                            .nrequests = 1,
                            .connections = CONNECTIONS,
                            .rate = BUSY_RATE,
                            .total = b->o.rate * b->o.seconds,
                            .started = note_cpu,
                            .ctx = b };
    struct bench_load_result r;
    int64_t start = bench_now_us();

    if (!bench_load_run(&l, &r))
        return complain("a request failed");
    print("https-busy-cpu-per-request", (server_cpu_us(b) - b->cpu_us) / r.asked, "us");
    print("https-busy", r.asked * 1e6 / (double)(bench_now_us() - start), "1/s");
    return true;
}

static void rest(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&ts, NULL);
}

/* Asks for far more than it reads. */
static bool slow_reader(struct bench *b)
{
    struct bench_client c;
    double before = server_rss_kib(b);
    size_t n = strlen(b->requests[0]);
    unsigned sent = 0;

    if (!bench_client_open(&c, b->port, b->client_tls))
        return false;
    for (; sent < UNREAD_REQUESTS && bench_client_send(&c, b->requests[0], n); sent++)
        ;
    rest(2000);
    double after = server_rss_kib(b);
    bench_client_close(&c);
    print("slow-reader-memory", after - before, "KiB");
    return sent > 0;
}

static bool idle_connections(struct bench *b)
{
    struct bench_client *c = calloc(IDLE_CONNECTIONS, sizeof *c);
    const char *text = b->requests[CHANNELS + 1];
    double before = server_rss_kib(b);
    bool ok = c != NULL;
    unsigned n = 0;

    for (; ok && n < IDLE_CONNECTIONS; n++) {
        const char *body = NULL;
        size_t len = 0;
        ok = bench_client_open(&c[n], b->port, b->client_tls) &&
             bench_client_send(&c[n], text, strlen(text)) &&
             bench_client_answer(&c[n], &body, &len) == 200;
    }
    if (ok)
        print("idle-connection-memory", (server_rss_kib(b) - before) / n, "KiB");
    while (c && n > 0)
        bench_client_close(&c[--n]);
    free(c);
    return ok || complain("idle connections");
}

static bool open_stream(struct bench *b, struct bench_client *c)
{
    char request[REQUEST_MAX];

    put_request(request, "GET", "/api/v1/tenants/bench/stream", b->tenant_key, "");
    return bench_client_open(c, b->port, b->client_tls) &&
           bench_client_send(c, request, strlen(request));
}

/* Some at a time: the hub greets together who comes together. */
static bool open_streams(struct bench *b, struct bench_client *c, unsigned n)
{
    for (unsigned at = 0; at < n; at += TOGETHER) {
        unsigned end = n - at < TOGETHER ? n : at + TOGETHER;

        for (unsigned i = at; i < end; i++) {
            if (!open_stream(b, &c[i]))
                return complain("a stream was not opened");
        }
        for (unsigned i = at; i < end; i++) {
            if (!bench_client_await(&c[i], "event: hello\n") || !bench_client_await(&c[i], "\n\n"))
                return complain("a stream did not begin");
        }
    }
    return true;
}

static bool fan_out(struct bench *b, struct bench_client *c, unsigned n)
{
    double cpu = server_cpu_us(b);

    pg_fixture_sql(b->pg, "insert into event (tenant_id, at, severity, kind, detail)"
                          " select id, now(), 0, 'bench', '' from tenant");
    int64_t start = bench_now_us();
    for (unsigned i = 0; i < n; i++) {
        if (!bench_client_await(&c[i], "\"kind\":\"bench\""))
            return complain("an event did not come");
    }
    print("stream-fan-out", (double)(bench_now_us() - start) / 1000, "ms");
    print("stream-event-cpu", (server_cpu_us(b) - cpu) / n, "us");
    return true;
}

static bool idle_streams(struct bench *b, struct bench_client *c)
{
    double before = server_rss_kib(b);
    unsigned n = b->o.streams;

    if (!open_streams(b, c, n))
        return false;
    rest(2000);
    print("streams", n, "1");
    print("stream-memory", (server_rss_kib(b) - before) / n, "KiB");
    double cpu = server_cpu_us(b);
    int64_t start = bench_now_us();
    rest(b->o.seconds * 1000);
    print("streams-idle-cpu", 100 * (server_cpu_us(b) - cpu) / (double)(bench_now_us() - start),
          "%");
    if (!run_load(b, "beside-streams", CHANNELS + 1, 1) || !fan_out(b, c, n))
        return false;
    /* Some go on, and nobody reads any more. */
    while (n > UNREAD_STREAMS)
        bench_client_close(&c[--n]);
    rest(2000);
    before = server_rss_kib(b);
    for (unsigned i = 0; i < 20; i++) {
        pg_fixture_sql(b->pg, "insert into event (tenant_id, at, severity, kind, detail) select id,"
                              " now(), 0, 'unread', repeat('x', 400) from tenant,"
                              " generate_series(1, 50)");
        rest(1100);
    }
    print("stream-memory-unread", (server_rss_kib(b) - before) / n, "KiB");
    return true;
}

static bool streams(struct bench *b)
{
    struct bench_client *c = calloc(b->o.streams, sizeof *c);
    bool ok = c != NULL;

    for (unsigned i = 0; ok && i < b->o.streams; i++)
        c[i].fd = -1;
    ok = ok && idle_streams(b, c);
    for (unsigned i = 0; c && i < b->o.streams; i++)
        bench_client_close(&c[i]);
    free(c);
    return ok;
}

static bool run_all(struct bench *b)
{
    if (!make_platform(b) || !start_server(b) || !make_tenant(b))
        return false;
    make_data(b);
    make_requests(b);
    bool ok = run_load(b, "https", CHANNELS + 1, 1) && run_busy(b) &&
              run_load(b, "gateways", 0, 1) && run_load(b, "day", 1, CHANNELS) && slow_reader(b);

    /* Memory is told from a fresh start: what was freed before would hide what is used. */
    stop_server(b);
    ok = ok && start_server(b) && idle_connections(b);
    stop_server(b);
    return ok && start_server(b) && streams(b);
}

/* --- the benchmark --- */

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i += 2) {
        unsigned long v = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
        bool ok = v > 0 && v <= 100000;

        if (ok && strcmp(argv[i], "--rate") == 0)
            o->rate = (unsigned)v;
        else if (ok && strcmp(argv[i], "--seconds") == 0)
            o->seconds = (unsigned)v;
        else if (ok && strcmp(argv[i], "--streams") == 0)
            o->streams = (unsigned)v;
        else
            ok = false;
        if (!ok)
            return false;
    }
    return true;
}

int bench_api(int argc, char **argv)
{
    struct bench b = { .o = { .rate = 300, .seconds = 10, .streams = 5000 } };
    struct rlimit files;

    if (!parse(argc, argv, &b.o))
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    b.pg = pg_fixture_start();
    bool ok = run_all(&b);
    stop_server(&b);
    tls_context_unref(b.server_tls);
    tls_context_unref(b.client_tls);
    pg_fixture_stop(b.pg);
    return ok ? 0 : 1;
}
