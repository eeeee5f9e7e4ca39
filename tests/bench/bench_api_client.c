#define _GNU_SOURCE /* memmem() */
#include "bench_api_client.h"

#include "pki/tls_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, PIECE = 65536 };

int64_t bench_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool wait_for(const struct bench_client *c, enum tls_wait wait)
{
    struct pollfd p = { c->fd, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN, 0 };

    return poll(&p, 1, PATIENCE_MS) == 1;
}

static int dial(uint16_t port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        fprintf(stderr, "api: connect: %s\n", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

bool bench_client_open(struct bench_client *c, uint16_t port, struct tls_context *tls)
{
    enum tls_wait wait = TLS_WAIT_NONE;
    enum emt_err err;

    *c = (struct bench_client){ .fd = dial(port) };
    if (c->fd < 0)
        return false;
    c->tls = tls_conn_connect(tls, c->fd, "localhost");
    if (!c->tls)
        return false;
    while ((err = tls_conn_handshake(c->tls, &wait)) == EMT_EAGAIN) {
        if (!wait_for(c, wait))
            break;
    }
    if (err != EMT_OK)
        fprintf(stderr, "api: handshake: %s\n", tls_conn_reason(c->tls));
    return err == EMT_OK;
}

void bench_client_close(struct bench_client *c)
{
    tls_conn_free(c->tls);
    if (c->fd >= 0)
        close(c->fd);
    free(c->buf);
    *c = (struct bench_client){ .fd = -1 };
}

bool bench_client_send(struct bench_client *c, const char *text, size_t n)
{
    size_t done = 0;

    while (done < n) {
        enum tls_wait wait = TLS_WAIT_NONE;
        size_t k = 0;
        enum emt_err err = tls_conn_write(c->tls, text + done, n - done, &k, &wait);

        if (err == EMT_OK)
            done += k;
        else if (err != EMT_EAGAIN || !wait_for(c, wait))
            return false;
    }
    return true;
}

/* 1 bytes came, 0 none are there, -1 the connection is over. */
static int receive(struct bench_client *c)
{
    enum tls_wait wait = TLS_WAIT_NONE;
    size_t k = 0;

    if (c->cap - c->len < PIECE) {
        char *buf = realloc(c->buf, c->cap + PIECE);
        if (!buf)
            return -1;
        c->buf = buf;
        c->cap += PIECE;
    }
    enum emt_err err = tls_conn_read(c->tls, c->buf + c->len, c->cap - c->len, &k, &wait);
    if (err == EMT_EAGAIN)
        return 0;
    if (err != EMT_OK)
        return -1;
    c->len += k;
    return 1;
}

static void consume(struct bench_client *c, size_t n)
{
    memmove(c->buf, c->buf + n, c->len - n);
    c->len -= n;
}

/* Bytes of the answer that the buffer begins with; 0: not whole yet. */
static size_t whole_answer(const struct bench_client *c, size_t *head)
{
    const char *end = c->len ? memmem(c->buf, c->len, "\r\n\r\n", 4) : NULL;
    const char *length =
        end ? memmem(c->buf, (size_t)(end - c->buf), "Content-Length: ", 16) : NULL;

    if (!length)
        return 0;
    *head = (size_t)(end - c->buf) + 4;
    size_t n = *head + strtoul(length + 16, NULL, 10);
    return n <= c->len ? n : 0;
}

static unsigned status_of(const struct bench_client *c)
{
    return (unsigned)strtoul(c->buf + 9, NULL, 10);
}

unsigned bench_client_answer(struct bench_client *c, const char **body, size_t *n)
{
    size_t head = 0;
    size_t all;

    consume(c, c->busy ? 0 : c->len);
    while ((all = whole_answer(c, &head)) == 0) {
        int got = receive(c);
        if (got < 0 || (got == 0 && !wait_for(c, TLS_WAIT_READ)))
            return 0;
    }
    *body = c->buf + head;
    *n = all - head;
    return status_of(c);
}

bool bench_client_await(struct bench_client *c, const char *text)
{
    size_t n = strlen(text);

    for (;;) {
        const char *at = c->len >= n ? memmem(c->buf, c->len, text, n) : NULL;
        if (at) {
            consume(c, (size_t)(at - c->buf) + n);
            if (c->len == 0) { /* thousands of them wait */
                free(c->buf);
                c->buf = NULL;
                c->cap = 0;
            }
            return true;
        }
        int got = receive(c);
        if (got < 0 || (got == 0 && !wait_for(c, TLS_WAIT_READ)))
            return false;
    }
}

/* --- load --- */

struct load {
    const struct bench_load *l;
    struct bench_client *clients;
    struct pollfd *polls;
    int64_t *latency_us;
    unsigned asked, answered, total;
    bool failed;
};

static void ask(struct load *load, struct bench_client *c, int64_t due)
{
    const char *text = load->l->requests[load->asked % load->l->nrequests];

    c->busy = true;
    c->due_us = due;
    load->asked++;
    load->failed |= !bench_client_send(c, text, strlen(text));
}

static void collect(struct load *load, struct bench_client *c)
{
    size_t head = 0;
    size_t all;
    int got;

    while ((got = receive(c)) > 0)
        ;
    load->failed |= got < 0;
    if (!c->busy || (all = whole_answer(c, &head)) == 0)
        return;
    load->failed |= status_of(c) != 200;
    load->latency_us[load->answered++] = bench_now_us() - c->due_us;
    consume(c, all);
    c->busy = false;
}

static struct bench_client *idle_client(struct load *load)
{
    for (unsigned i = 0; i < load->l->connections; i++) {
        if (!load->clients[i].busy)
            return &load->clients[i];
    }
    return NULL;
}

static void run(struct load *load)
{
    const struct bench_load *l = load->l;
    int64_t start = bench_now_us();

    while (load->answered < load->total && !load->failed) {
        int64_t due = start + (int64_t)load->asked * 1000000 / l->rate;
        int64_t now = bench_now_us();
        struct bench_client *c = load->asked < load->total && due <= now ? idle_client(load) : NULL;

        if (c) {
            ask(load, c, due);
            continue;
        }
        int64_t wait = load->asked < load->total && due > now ? due - now : 100000;
        struct timespec ts = { wait / 1000000, wait % 1000000 * 1000 };
        if (ppoll(load->polls, l->connections, &ts, NULL) <= 0)
            continue;
        for (unsigned i = 0; i < l->connections; i++) {
            if (load->polls[i].revents)
                collect(load, &load->clients[i]);
        }
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool load_open(struct load *load)
{
    const struct bench_load *l = load->l;

    load->clients = calloc(l->connections, sizeof *load->clients);
    load->polls = calloc(l->connections, sizeof *load->polls);
    load->latency_us = calloc(load->total, sizeof *load->latency_us);
    if (!load->clients || !load->polls || !load->latency_us)
        return false;
    for (unsigned i = 0; i < l->connections; i++)
        load->clients[i].fd = -1;
    for (unsigned i = 0; i < l->connections; i++) {
        if (!bench_client_open(&load->clients[i], l->port, l->tls))
            return false;
        load->polls[i] = (struct pollfd){ load->clients[i].fd, POLLIN, 0 };
    }
    return true;
}

bool bench_load_run(const struct bench_load *l, struct bench_load_result *out)
{
    struct load load = { .l = l, .total = l->total };

    bool ok = load_open(&load);
    if (ok && l->started)
        l->started(l->ctx);
    if (ok)
        run(&load);
    ok = ok && !load.failed && load.answered > 0;
    if (ok) {
        qsort(load.latency_us, load.answered, sizeof *load.latency_us, compare);
        *out = (struct bench_load_result){
            load.asked, (double)load.latency_us[load.answered / 2] / 1000,
            (double)load.latency_us[load.answered - load.answered / 100 - 1] / 1000
        };
    }
    for (unsigned i = 0; load.clients && i < l->connections; i++)
        bench_client_close(&load.clients[i]);
    free(load.clients);
    free(load.polls);
    free(load.latency_us);
    return ok;
}
