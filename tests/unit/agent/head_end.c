#include "head_end.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/writer.h"
#include "pki/authority.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000

struct head_end {
    int listener;
    uint16_t port;
    struct tls_context *ctx;
    struct authority *tenant;
    struct arena *arena;
    int fd;
    struct tls_conn *tls;
    struct writer in;
    size_t taken; /* of in, by the last message */
    pthread_t thread;
    bool running;
    atomic_bool done;
    void (*script)(struct head_end *h, void *arg);
    void *arg;
};

static void write_file(const char *dir, const char *name, const struct writer *w, mode_t mode)
{
    char path[256];

    ck_assert_int_eq(file_join(path, sizeof path, dir, name), EMT_OK);
    ck_assert_int_eq(file_write(path, w->data, w->len, mode, NULL), EMT_OK);
}

/* Root, server certificate for 127.0.0.1 into the context, gateway certificate under a tenant's CA
 * into dir. */
static void make_identities(struct head_end *h, const char *dir)
{
    struct authority *root = NULL, *servers = NULL, *tenant = NULL;
    struct writer root_pem, chain, key, csr;
    struct leaf_info info;
    struct emt_diag diag = { 0 };
    struct trust *trust = trust_new();
    emt_time now = clock_now();

    writer_init_heap(&root_pem, 65536);
    writer_init_heap(&chain, 65536);
    writer_init_heap(&key, 65536);
    writer_init_heap(&csr, 65536);
    ck_assert_int_eq(authority_new_root(KEY_P256, now, EMT_DAY, &root, &diag), EMT_OK);
    ck_assert_int_eq(authority_chain_pem(root, &root_pem), EMT_OK);
    ck_assert_int_eq(authority_new_sub(root, KEY_P256, NULL, "EMT Platform Server CA", now, EMT_DAY,
                                       &servers, &diag),
                     EMT_OK);
    ck_assert_int_eq(authority_issue_server(servers, KEY_P256, "127.0.0.1,localhost", now, EMT_DAY,
                                            &chain, &key, &info, &diag),
                     EMT_OK);
    ck_assert_int_eq(trust_add_pem(trust, (const char *)root_pem.data, root_pem.len, &diag),
                     EMT_OK);
    struct tls_settings settings = { .profile = TLS_PROFILE_FIELD_12,
                                     .chain_pem = (const char *)chain.data,
                                     .chain_len = chain.len,
                                     .key_pem = (const char *)key.data,
                                     .key_len = key.len,
                                     .trust = trust,
                                     .session_cache = 100 };
    ck_assert_msg(tls_context_new(&settings, &h->ctx, &diag) == EMT_OK, "%s", diag.text);

    writer_clear(&chain);
    writer_clear(&key);
    ck_assert_int_eq(authority_new_sub(root, KEY_P256, "acme", "EMT Tenant CA acme", now, EMT_DAY,
                                       &tenant, &diag),
                     EMT_OK);
    ck_assert_int_eq(csr_new(KEY_P256, "gateway", &key, &csr, &diag), EMT_OK);
    ck_assert_int_eq(authority_issue_gateway(tenant, (const char *)csr.data, csr.len, "acme",
                                             "gw-1", now, EMT_DAY, &chain, &info, &diag),
                     EMT_OK);
    write_file(dir, "gateway.key", &key, 0600);
    write_file(dir, "gateway.pem", &chain, 0644);
    write_file(dir, "ca.pem", &root_pem, 0644);
    writer_release(&root_pem);
    writer_release(&chain);
    writer_release(&key);
    writer_release(&csr);
    h->tenant = tenant;
    authority_free(servers);
    authority_free(root);
    trust_unref(trust);
}

static void write_config(const struct head_end *h, const char *dir)
{
    struct writer w;

    writer_init_heap(&w, 4096);
    writer_printf(&w, "gateway: gw-1\ntenant: acme\naddresses:\n  - \"127.0.0.1:%u\"\n", h->port);
    writer_printf(
        &w, "spool_size: 256KiB\nbackoff_first: 20ms\nbackoff_most: 40ms\nstatus_interval: 0s\n");
    write_file(dir, "agent.yaml", &w, 0644);
    writer_release(&w);
}

struct head_end *head_end_new(const char *dir)
{
    struct head_end *h = calloc(1, sizeof *h);
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;

    ck_assert_ptr_nonnull(h);
    h->fd = -1;
    h->arena = arena_new(0);
    writer_init_heap(&h->in, 4u * UPLINK_MESSAGE_MAX);
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(h->listener, (const struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(h->listener, 16), 0);
    ck_assert_int_eq(getsockname(h->listener, (struct sockaddr *)&addr, &len), 0);
    h->port = ntohs(addr.sin_port);
    make_identities(h, dir);
    write_config(h, dir);
    return h;
}

void head_end_certify(struct head_end *h, const char *csr, size_t len, struct writer *chain)
{
    struct leaf_info info;
    struct emt_diag diag = { 0 };

    ck_assert_msg(authority_issue_gateway(h->tenant, csr, len, "acme", "gw-1", clock_now(), EMT_DAY,
                                          chain, &info, &diag) == EMT_OK,
                  "%s", diag.text);
}

const char *head_end_peer_serial(const struct head_end *h)
{
    return tls_conn_peer(h->tls)->serial;
}

void head_end_free(struct head_end *h)
{
    if (!h)
        return;
    if (h->running)
        head_end_join(h);
    head_end_close(h);
    close(h->listener);
    tls_context_unref(h->ctx);
    authority_free(h->tenant);
    arena_free(h->arena);
    writer_release(&h->in);
    free(h);
}

uint16_t head_end_port(const struct head_end *h)
{
    return h->port;
}

static void *thread_main(void *arg)
{
    struct head_end *h = arg;

    h->script(h, h->arg);
    atomic_store(&h->done, true);
    return NULL;
}

void head_end_run(struct head_end *h, void (*script)(struct head_end *h, void *arg), void *arg)
{
    h->script = script;
    h->arg = arg;
    atomic_store(&h->done, false);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, thread_main, h), 0);
    h->running = true;
}

bool head_end_done(struct head_end *h)
{
    return atomic_load(&h->done);
}

void head_end_join(struct head_end *h)
{
    ck_assert_int_eq(pthread_join(h->thread, NULL), 0);
    h->running = false;
}

static bool readable(int fd, short events, int ms)
{
    struct pollfd p = { .fd = fd, .events = events };

    return poll(&p, 1, ms) == 1;
}

static void wait_tls(struct head_end *h, enum tls_wait wait)
{
    ck_assert_msg(readable(h->fd, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN, PATIENCE_MS),
                  "the gateway is silent");
}

void head_end_accept_silent(struct head_end *h)
{
    head_end_close(h);
    ck_assert_msg(readable(h->listener, POLLIN, PATIENCE_MS), "nobody connects");
    h->fd = accept(h->listener, NULL, NULL);
    ck_assert_int_ge(h->fd, 0);
    ck_assert_int_eq(fcntl(h->fd, F_SETFL, O_NONBLOCK), 0);
}

void head_end_accept(struct head_end *h)
{
    enum tls_wait wait = TLS_WAIT_NONE;

    head_end_accept_silent(h);
    h->tls = tls_conn_accept(h->ctx, h->fd);
    ck_assert_ptr_nonnull(h->tls);
    for (;;) {
        enum emt_err err = tls_conn_handshake(h->tls, &wait);
        if (err == EMT_OK)
            return;
        ck_assert_msg(err == EMT_EAGAIN, "handshake: %s", tls_conn_reason(h->tls));
        wait_tls(h, wait);
    }
}

void head_end_close(struct head_end *h)
{
    tls_conn_free(h->tls);
    h->tls = NULL;
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    writer_clear(&h->in);
    h->taken = 0;
}

void head_end_send_bytes(struct head_end *h, const void *p, size_t n)
{
    const uint8_t *at = p;
    enum tls_wait wait = TLS_WAIT_NONE;

    while (n > 0) {
        size_t done = 0;
        enum emt_err err = tls_conn_write(h->tls, at, n, &done, &wait);
        if (err == EMT_EAGAIN) {
            wait_tls(h, wait);
            continue;
        }
        ck_assert_int_eq(err, EMT_OK);
        at += done;
        n -= done;
    }
}

void head_end_send(struct head_end *h, const struct uplink_message *m)
{
    struct writer w;

    writer_init_heap(&w, 2u * UPLINK_MESSAGE_MAX);
    ck_assert_int_eq(uplink_encode(m, &w), EMT_OK);
    head_end_send_bytes(h, w.data, w.len);
    writer_release(&w);
}

/* Takes the next complete message out of the buffer. */
static bool take(struct head_end *h, struct uplink_message *m)
{
    size_t len = 0;

    if (h->taken) {
        memmove(h->in.data, h->in.data + h->taken, h->in.len - h->taken);
        h->in.len -= h->taken;
        h->taken = 0;
    }
    if (h->in.len < UPLINK_PREFIX_LEN)
        return false;
    ck_assert_int_eq(uplink_prefix(h->in.data, &len), EMT_OK);
    if (h->in.len < UPLINK_PREFIX_LEN + len)
        return false;
    arena_reset(h->arena);
    ck_assert_int_eq(uplink_decode(h->in.data + UPLINK_PREFIX_LEN, len, h->arena, m), EMT_OK);
    h->taken = UPLINK_PREFIX_LEN + len;
    return true;
}

/* The next message, or false after ms. */
static bool next(struct head_end *h, struct uplink_message *m, int ms)
{
    uint8_t chunk[16384];
    enum tls_wait wait = TLS_WAIT_NONE;

    while (!take(h, m)) {
        size_t n = 0;
        enum emt_err err = tls_conn_read(h->tls, chunk, sizeof chunk, &n, &wait);
        if (err == EMT_EAGAIN) {
            if (!readable(h->fd, POLLIN, ms))
                return false;
            continue;
        }
        ck_assert_msg(err == EMT_OK, "the gateway hung up: %s", tls_conn_reason(h->tls));
        ck_assert(writer_bytes(&h->in, chunk, n));
    }
    return true;
}

static bool passed_over(const struct uplink_message *m, enum uplink_kind kind)
{
    return m->kind != kind && (m->kind == UPLINK_PING || m->kind == UPLINK_STATUS);
}

struct uplink_message head_end_expect(struct head_end *h, enum uplink_kind kind)
{
    struct uplink_message m;

    do {
        ck_assert_msg(next(h, &m, PATIENCE_MS), "no %s arrives", uplink_kind_name(kind));
    } while (passed_over(&m, kind));
    ck_assert_msg(m.kind == kind, "%s in the place of %s", uplink_kind_name(m.kind),
                  uplink_kind_name(kind));
    return m;
}

void head_end_expect_silence(struct head_end *h, int ms)
{
    struct uplink_message m;
    int64_t until = clock_mono_ms() + ms;

    for (int64_t left = ms; left > 0; left = until - clock_mono_ms()) {
        if (next(h, &m, (int)left))
            ck_assert_msg(passed_over(&m, UPLINK_BYE), "%s is not silence",
                          uplink_kind_name(m.kind));
    }
}
