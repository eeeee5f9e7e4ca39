/* One thread, one epoll: each gateway with its own certificate, session and sequence numbers, and
 * no spool. Tells on its output when a phase begins and ends, so that whoever started it reads the
 * server's clocks:
 *
 *   {"phase": "full", "state": "begin"}
 *   {"phase": "full", "state": "end", "frames": N, "seconds": S, "p50_ms": …, "p99_ms": …,
 * "own_us": …}
 */
#include "bench_ingest_load.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "bench_telegram.h"
#include "wire/uplink.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define METERS 10u /* of each gateway */
#define WINDOW 64u /* frames under way of each gateway */
#define IN_BYTES 16384
#define TICK_MS 2
#define LATENCIES_MAX 50000000u
#define DRAIN_SECONDS 30

struct client {
    SSL *ssl;
    int fd;
    unsigned at; /* its meters are METERS * at and following */
    uint64_t seq, acknowledged;
    uint64_t credit, under_way; /* bytes */
    int64_t sent_us[WINDOW];
    uint16_t bytes[WINDOW];
    unsigned turn; /* which meter, which step */
    uint8_t in[IN_BYTES];
    size_t nin;
    struct writer out; /* what the socket did not take */
};

struct load {
    struct client *clients;
    unsigned n, next;
    int epoll;
    uint16_t port;
    struct cipher *cipher;
    struct arena *arena;
    struct writer message;
    emt_time start;
    uint64_t sent, acknowledged;
    uint32_t *latency_us;
    unsigned nlatency;
};

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "emt-bench ingest-load: %s\n", what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- connections ---- */

static SSL_CTX *context_of(const char *folder)
{
    char path[1000];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    check(ctx != NULL, "memory");
    snprintf(path, sizeof path, "%s/gateway.pem", folder);
    check(SSL_CTX_use_certificate_chain_file(ctx, path) == 1, path);
    snprintf(path, sizeof path, "%s/gateway.key", folder);
    check(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1, path);
    snprintf(path, sizeof path, "%s/ca.pem", folder);
    check(SSL_CTX_load_verify_locations(ctx, path, NULL) == 1, path);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\005emt/1", 6);
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static void dial(struct load *l, struct client *c, const char *folder)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(l->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    SSL_CTX *ctx = context_of(folder);
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&sa, sizeof sa) == 0, "connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(c->ssl, c->fd);
    check(SSL_connect(c->ssl) == 1, "handshake");
}

static void say_hello(struct load *l, struct client *c)
{
    struct uplink_message m = { .kind = UPLINK_HELLO };

    m.u.hello.version_min = m.u.hello.version_max = UPLINK_VERSION;
    m.u.hello.next_seq = m.u.hello.oldest_seq = 1;
    memset(m.u.hello.spool_id, 7, sizeof m.u.hello.spool_id);
    m.u.hello.sent_at = clock_now();
    writer_clear(&l->message);
    check(uplink_encode(&m, &l->message) == EMT_OK, "hello");
    check(SSL_write(c->ssl, l->message.data, (int)l->message.len) == (int)l->message.len, "write");
}

/* ---- sending ---- */

static void flush(struct client *c)
{
    int n;

    if (c->out.len == 0)
        return;
    n = SSL_write(c->ssl, c->out.data, (int)c->out.len);
    if (n == (int)c->out.len)
        writer_clear(&c->out);
    else
        check(SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE, "a connection was cut");
}

static void put(struct load *l, struct client *c, const struct uplink_message *m)
{
    int n;

    writer_clear(&l->message);
    check(uplink_encode(m, &l->message) == EMT_OK, "message");
    flush(c);
    if (c->out.len == 0) {
        n = SSL_write(c->ssl, l->message.data, (int)l->message.len);
        if (n == (int)l->message.len)
            return;
        check(SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE, "a connection was cut");
    }
    check(writer_bytes(&c->out, l->message.data, l->message.len), "memory");
}

static bool send_frame(struct load *l, struct client *c)
{
    struct bench_telegram t;
    struct uplink_frame f = { .seq = c->seq + 1,
                              .received_at = clock_now(),
                              .protocol = PROTOCOL_WMBUS,
                              .format = FRAME_FORMAT_NO_LINK_CRC,
                              .data = t.data,
                              .rssi_dbm = -60 };
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { &f, 1 } };

    if (c->seq - c->acknowledged >= WINDOW || c->under_way + sizeof t.data > c->credit)
        return false;
    check(bench_telegram_make(l->cipher, c->at * METERS + c->turn % METERS, c->turn / METERS,
                              l->start, key, &t),
          "telegram");
    f.len = t.len;
    put(l, c, &m);
    c->turn++;
    c->seq++;
    c->sent_us[c->seq % WINDOW] = now_us();
    c->bytes[c->seq % WINDOW] = (uint16_t)t.len;
    c->under_way += t.len;
    l->sent++;
    return true;
}

/* ---- receiving ---- */

static void take_ack(struct load *l, struct client *c, const struct uplink_ack *a)
{
    int64_t now = now_us();

    check(a->nrejected == 0, "a frame was rejected");
    check(a->up_to <= c->seq, "more acknowledged than sent");
    for (; c->acknowledged < a->up_to; l->acknowledged++) {
        c->acknowledged++;
        c->under_way -= c->bytes[c->acknowledged % WINDOW];
        if (l->nlatency < LATENCIES_MAX)
            l->latency_us[l->nlatency++] = (uint32_t)(now - c->sent_us[c->acknowledged % WINDOW]);
    }
    c->credit = a->credit_bytes;
}

static void take_message(struct load *l, struct client *c, const struct uplink_message *m)
{
    struct uplink_message pong = { .kind = UPLINK_PONG };

    if (m->kind == UPLINK_WELCOME) {
        check(m->u.welcome.last_seq == 0, "the spool is known already");
        c->credit = m->u.welcome.credit_bytes;
    } else if (m->kind == UPLINK_ACK) {
        take_ack(l, c, &m->u.ack);
    } else if (m->kind == UPLINK_CREDIT) {
        c->credit = m->u.credit_bytes;
    } else if (m->kind == UPLINK_PING) {
        pong.u.nonce = m->u.nonce;
        put(l, c, &pong);
    } else {
        check(m->kind != UPLINK_BYE, "a session was ended");
    }
}

static void take_messages(struct load *l, struct client *c)
{
    size_t at = 0, len;
    struct uplink_message m;

    while (c->nin - at >= UPLINK_PREFIX_LEN) {
        check(uplink_prefix(&c->in[at], &len) == EMT_OK && len + UPLINK_PREFIX_LEN <= IN_BYTES,
              "a message's length");
        if (c->nin - at < UPLINK_PREFIX_LEN + len)
            break;
        arena_reset(l->arena);
        check(uplink_decode(&c->in[at + UPLINK_PREFIX_LEN], len, l->arena, &m) == EMT_OK,
              "a message");
        take_message(l, c, &m);
        at += UPLINK_PREFIX_LEN + len;
    }
    memmove(c->in, &c->in[at], c->nin - at);
    c->nin -= at;
}

static void receive(struct load *l, struct client *c)
{
    int n;

    while ((n = SSL_read(c->ssl, &c->in[c->nin], (int)(IN_BYTES - c->nin))) > 0) {
        c->nin += (size_t)n;
        take_messages(l, c);
    }
    check(SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ, "a connection was cut");
}

static void turn(struct load *l)
{
    struct epoll_event ev[256];
    int n = epoll_wait(l->epoll, ev, 256, TICK_MS);

    for (int i = 0; i < n; i++)
        receive(l, ev[i].data.ptr);
}

/* ---- phases ---- */

/* As many as are due, gateway after gateway; those with a full window are passed over. */
static void send_some(struct load *l, uint64_t until)
{
    for (unsigned idle = 0; l->sent < until && idle < l->n;) {
        struct client *c = &l->clients[l->next];

        l->next = (l->next + 1) % l->n;
        flush(c);
        idle = c->out.len == 0 && send_frame(l, c) ? 0 : idle + 1;
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int64_t own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static double latency_ms(const struct load *l, unsigned percent)
{
    return l->nlatency ? l->latency_us[(size_t)l->nlatency * percent / 100] / 1e3 : 0;
}

static void drain(struct load *l)
{
    int64_t end = now_us() + DRAIN_SECONDS * INT64_C(1000000);

    while (l->acknowledged < l->sent && now_us() < end)
        turn(l);
    check(l->acknowledged == l->sent, "not everything was acknowledged");
}

/* rate 0: as fast as it goes; frames 0: for so many seconds. How many per second. */
static double run_phase(struct load *l, const char *name, double rate, double seconds,
                        uint64_t frames)
{
    int64_t start = now_us(), cpu = own_cpu_us();
    uint64_t first = l->acknowledged, sent = l->sent;
    double took;

    printf("{\"phase\": \"%s\", \"state\": \"begin\"}\n", name);
    fflush(stdout);
    l->nlatency = 0;
    while (frames ? l->sent < sent + frames : (double)(now_us() - start) / 1e6 < seconds) {
        double due = (double)(now_us() - start) * rate / 1e6;

        send_some(l, frames ? sent + frames : rate > 0 ? sent + (uint64_t)due : UINT64_MAX);
        turn(l);
    }
    if (rate > 0 || frames)
        drain(l);
    took = (double)(now_us() - start) / 1e6;
    first = l->acknowledged - first;
    qsort(l->latency_us, l->nlatency, sizeof *l->latency_us, compare_u32);
    printf("{\"phase\": \"%s\", \"state\": \"end\", \"frames\": %llu, \"seconds\": %.3f,"
           " \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"own_us\": %lld}\n",
           name, (unsigned long long)first, took, latency_ms(l, 50), latency_ms(l, 99),
           (long long)(own_cpu_us() - cpu));
    fflush(stdout);
    drain(l);
    return (double)first / took;
}

/* ---- set-up ---- */

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void open_clients(struct load *l, const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, is_visible, alphasort);
    char folder[900];

    check(n > 0, dir);
    l->n = (unsigned)n;
    l->clients = calloc(l->n, sizeof *l->clients);
    check(l->clients != NULL, "memory");
    for (unsigned i = 0; i < l->n; i++) {
        struct client *c = &l->clients[i];
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

        snprintf(folder, sizeof folder, "%s/%s", dir, names[i]->d_name);
        free(names[i]);
        c->at = i;
        writer_init_heap(&c->out, 1u << 20);
        dial(l, c, folder);
        say_hello(l, c);
        check(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0 &&
                  epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) == 0,
              "epoll");
    }
    free(names);
}

static void wait_welcome(struct load *l)
{
    int64_t end = now_us() + DRAIN_SECONDS * INT64_C(1000000);

    for (unsigned i = 0; i < l->n; i++) {
        while (l->clients[i].credit == 0 && now_us() < end)
            turn(l);
        check(l->clients[i].credit > 0, "a gateway was not welcomed");
    }
}

int bench_ingest_load(int argc, char **argv)
{
    struct load l = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
    double rate, seconds;

    if (argc != 5)
        return 2;
    l.port = (uint16_t)strtoul(argv[2], NULL, 10);
    rate = strtod(argv[3], NULL);
    seconds = strtod(argv[4], NULL);
    l.cipher = cipher_new();
    l.arena = arena_new(1u << 20);
    l.latency_us = malloc(LATENCIES_MAX * sizeof *l.latency_us);
    l.start = clock_now() / EMT_DAY * EMT_DAY - 60 * EMT_DAY;
    check(l.epoll >= 0 && l.cipher && l.arena && l.latency_us, "memory");
    writer_init_heap(&l.message, 1u << 20);
    open_clients(&l, argv[1]);
    wait_welcome(&l);
    /* Every meter once: the registry learns them. */
    (void)run_phase(&l, "learning", 0, 0, (uint64_t)l.n * METERS);
    if (rate <= 0) {
        rate = run_phase(&l, "full", 0, seconds, 0) * 0.7;
        drain(&l);
    }
    (void)run_phase(&l, "paced", rate, seconds, 0);
    return 0;
}
