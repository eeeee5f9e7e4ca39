#include "gateway_client.h"

#include "base/writer.h"
#include "pki/tls_conn.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define BUFFER (2u << 20)

static void address_of(struct sockaddr_storage *sa, socklen_t *len, const char *address,
                       uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;

    memset(sa, 0, sizeof *sa);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return;
    }
    ck_assert_int_eq(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *len = sizeof *v6;
}

int client_dial(const char *address, uint16_t port, const char *from)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int fd;

    address_of(&sa, &len, address, port);
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (from) {
        struct sockaddr_storage mine;
        socklen_t mine_len;
        address_of(&mine, &mine_len, from, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&mine, mine_len), 0);
    }
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static bool wait_for(int fd, enum tls_wait wait, int timeout_ms)
{
    struct pollfd p = { fd, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN, 0 };

    return poll(&p, 1, timeout_ms) > 0;
}

static enum emt_err shake_hands(struct gateway_client *c, struct tls_context *ctx)
{
    enum tls_wait wait;
    enum emt_err err;

    c->tls = tls_conn_connect(ctx, c->fd, "localhost");
    c->arena = arena_new(0);
    c->buffer = malloc(BUFFER);
    ck_assert(c->tls && c->arena && c->buffer);
    while ((err = tls_conn_handshake(c->tls, &wait)) == EMT_EAGAIN)
        ck_assert(wait_for(c->fd, wait, TIMEOUT_MS));
    return err;
}

enum emt_err client_open(struct gateway_client *c, struct tls_context *ctx, const char *address,
                         uint16_t port, const char *from)
{
    memset(c, 0, sizeof *c);
    c->fd = client_dial(address, port, from);
    return shake_hands(c, ctx);
}

enum emt_err client_open_behind(struct gateway_client *c, struct tls_context *ctx,
                                const char *address, uint16_t port, const void *first, size_t n)
{
    memset(c, 0, sizeof *c);
    c->fd = client_dial(address, port, NULL);
    ck_assert_int_eq(send(c->fd, first, n, MSG_NOSIGNAL), (ssize_t)n);
    return shake_hands(c, ctx);
}

void client_close(struct gateway_client *c)
{
    tls_conn_free(c->tls);
    close(c->fd);
    arena_free(c->arena);
    free(c->buffer);
    memset(c, 0, sizeof *c);
}

void client_send_bytes(struct gateway_client *c, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        enum tls_wait wait;
        size_t done = 0;
        enum emt_err err = tls_conn_write(c->tls, at, n, &done, &wait);
        if (err == EMT_EAGAIN) {
            ck_assert(wait_for(c->fd, wait, TIMEOUT_MS));
            continue;
        }
        if (err != EMT_OK)
            return; /* the other end has enough: the test looks at what it says */
        at += done;
        n -= done;
    }
}

void client_send(struct gateway_client *c, const struct uplink_message *m)
{
    struct writer w;

    writer_init_heap(&w, UPLINK_PREFIX_LEN + UPLINK_MESSAGE_MAX);
    ck_assert_int_eq(uplink_encode(m, &w), EMT_OK);
    client_send_bytes(c, w.data, w.len);
    writer_release(&w);
}

static bool take(struct gateway_client *c, struct uplink_message *m)
{
    size_t need;

    if (c->len < UPLINK_PREFIX_LEN)
        return false;
    ck_assert_int_eq(uplink_prefix(c->buffer, &need), EMT_OK);
    if (c->len < UPLINK_PREFIX_LEN + need)
        return false;
    arena_reset(c->arena);
    uint8_t *copy = arena_copy(c->arena, c->buffer + UPLINK_PREFIX_LEN, need);
    ck_assert_int_eq(uplink_decode(copy, need, c->arena, m), EMT_OK);
    c->len -= UPLINK_PREFIX_LEN + need;
    memmove(c->buffer, c->buffer + UPLINK_PREFIX_LEN + need, c->len);
    return true;
}

bool client_next(struct gateway_client *c, struct uplink_message *m, int timeout_ms)
{
    while (!take(c, m)) {
        enum tls_wait wait;
        size_t n = 0;
        enum emt_err err = tls_conn_read(c->tls, c->buffer + c->len, BUFFER - c->len, &n, &wait);
        if (err == EMT_OK)
            c->len += n;
        else if (err != EMT_EAGAIN || !wait_for(c->fd, wait, timeout_ms))
            return false;
    }
    return true;
}

void client_expect(struct gateway_client *c, enum uplink_kind kind, struct uplink_message *m)
{
    for (;;) {
        ck_assert_msg(client_next(c, m, TIMEOUT_MS), "no %s came", uplink_kind_name(kind));
        if (m->kind == kind)
            return;
        ck_assert_msg(m->kind != UPLINK_BYE, "Bye \"%s\" instead of %s", m->u.bye.reason,
                      uplink_kind_name(kind));
        if (m->kind == UPLINK_PING) {
            m->kind = UPLINK_PONG;
            client_send(c, m);
        }
    }
}

void client_expect_bye(struct gateway_client *c, const char *reason)
{
    struct uplink_message m;

    do
        ck_assert_msg(client_next(c, &m, TIMEOUT_MS), "no Bye \"%s\" came", reason);
    while (m.kind != UPLINK_BYE);
    ck_assert_str_eq(m.u.bye.reason, reason);
    while (client_next(c, &m, TIMEOUT_MS))
        ck_assert_int_eq(m.kind, UPLINK_ACK);
}

void client_hello(struct gateway_client *c, uint8_t spool)
{
    static const char *const capabilities[] = { "gap", "command", "status", "log" };
    struct uplink_message m = { .kind = UPLINK_HELLO };

    m.u.hello.version_min = 1;
    m.u.hello.version_max = 3;
    m.u.hello.spool_id[0] = spool;
    m.u.hello.next_seq = m.u.hello.oldest_seq = 1;
    m.u.hello.capabilities = capabilities;
    m.u.hello.ncapabilities = 4;
    m.u.hello.software = "test 1.0";
    m.u.hello.hardware = "none";
    m.u.hello.serial = "4711";
    m.u.hello.sent_at = EMT_TIME_NONE;
    client_send(c, &m);
}

void client_frames(struct gateway_client *c, uint64_t first, unsigned n, size_t len)
{
    struct uplink_frame *f = calloc(n, sizeof *f);
    uint8_t *data = calloc(1, len);
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { f, n } };

    ck_assert(f && data);
    for (unsigned i = 0; i < n; i++)
        f[i] = (struct uplink_frame){ .seq = first + i,
                                      .received_at = clock_now(),
                                      .protocol = PROTOCOL_WMBUS,
                                      .data = data,
                                      .len = len };
    client_send(c, &m);
    free(f);
    free(data);
}

void client_expect_ack(struct gateway_client *c, uint64_t seq)
{
    struct uplink_message m;

    do
        client_expect(c, UPLINK_ACK, &m);
    while (m.u.ack.up_to < seq);
    ck_assert_uint_eq(m.u.ack.up_to, seq);
}
