#define _GNU_SOURCE /* accept4 */
#include "listener.h"

#include "loop/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BACKLOG 4096 /* a storm waits here; net.core.somaxconn may say less */
#define ACCEPTS_A_TURN 64
#define REST_MS 1000
#define NO_ROOM_MS 10

struct listener {
    struct loop *loop;
    struct listener_handler handler;
    int fd;
    struct event event;
    struct loop_timer *rest;
};

/* ---- addresses ---- */

static bool port_parse(const char *text, uint16_t *out)
{
    unsigned port = 0, digits = 0;

    for (; *text >= '0' && *text <= '9' && digits < 5; text++, digits++)
        port = port * 10 + (unsigned)(*text - '0');
    if (*text != '\0' || digits == 0 || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

enum emt_err listener_address_parse(const char *text, struct listener_address *out)
{
    const char *colon = strrchr(text, ':'), *from = text;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sa;
    bool brackets = text[0] == '[';
    char host[LISTENER_PEER_MAX];
    uint16_t port;
    size_t n;

    memset(out, 0, sizeof *out);
    if (!colon || !port_parse(colon + 1, &port))
        return EMT_EMALFORMED;
    n = (size_t)(colon - text);
    if (brackets) {
        if (n < 2 || text[n - 1] != ']')
            return EMT_EMALFORMED;
        from++;
        n -= 2;
    }
    if (n >= sizeof host)
        return EMT_EMALFORMED;
    memcpy(host, from, n);
    host[n] = '\0';
    if (!brackets && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        out->len = sizeof *v4;
    } else if (brackets && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        out->len = sizeof *v6;
    } else {
        return EMT_EMALFORMED;
    }
    listener_address_set_port(out, port);
    return EMT_OK;
}

uint16_t listener_address_port(const struct listener_address *a)
{
    if (a->sa.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

void listener_address_set_port(struct listener_address *a, uint16_t port)
{
    if (a->sa.ss_family == AF_INET)
        ((struct sockaddr_in *)&a->sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&a->sa)->sin6_port = htons(port);
}

static void peer_text(const struct sockaddr_storage *sa, char out[LISTENER_PEER_MAX])
{
    const void *host = sa->ss_family == AF_INET
                           ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
                           : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

    if (!inet_ntop(sa->ss_family, host, out, LISTENER_PEER_MAX))
        snprintf(out, LISTENER_PEER_MAX, "::");
}

/* ---- accepting ---- */

/* Dead peers behind mobile networks are found by the kernel, too: keep-alive after a minute, and
 * bytes unacknowledged for a minute end the connection. Each is best effort. */
static void tune(int fd)
{
    int one = 1, idle_s = 60, interval_s = 15, probes = 4;
    unsigned timeout_ms = 60000;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void rest(struct listener *l, int64_t ms)
{
    event_del(&l->event);
    loop_timer_set(l->rest, ms);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage sa = { 0 };
        socklen_t len = sizeof sa;
        char peer[LISTENER_PEER_MAX];
        if (l->handler.has_room && !l->handler.has_room(l->handler.ctx)) {
            rest(l, NO_ROOM_MS);
            return;
        }
        int c = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (c >= 0) {
            tune(c);
            peer_text(&sa, peer);
            l->handler.accepted(l->handler.ctx, c, peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The connection stays in the backlog; without a rest the loop would spin on it. */
            rest(l, REST_MS);
            l->handler.exhausted(l->handler.ctx);
            return;
        }
        if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO)
            return;
    }
}

static void on_rested(void *arg)
{
    struct listener *l = arg;

    event_add(&l->event, NULL);
}

static int open_socket(const struct listener_address *a, bool shared, struct emt_diag *diag)
{
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0) {
        (void)emt_fail(diag, EMT_EIO, "socket: %s", strerror(errno));
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) ||
        (a->sa.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) ||
        bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0 ||
        (shared && listen(fd, BACKLOG) != 0)) {
        (void)emt_fail(diag, EMT_EIO, "cannot listen on port %u: %s", listener_address_port(a),
                       strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

enum emt_err listener_probe(const struct listener_address *a, struct emt_diag *diag)
{
    int fd;

    if (listener_address_port(a) == 0)
        return EMT_OK; /* the kernel chooses a free one */
    fd = open_socket(a, false, diag);
    if (fd < 0)
        return EMT_EIO;
    close(fd);
    return EMT_OK;
}

enum emt_err listener_new(struct loop *loop, const struct listener_address *a,
                          const struct listener_handler *h, struct listener **out,
                          struct emt_diag *diag)
{
    struct listener *l = calloc(1, sizeof *l);

    if (!l)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    l->loop = loop;
    l->handler = *h;
    l->fd = open_socket(a, true, diag);
    if (l->fd < 0) {
        free(l);
        return EMT_EIO;
    }
    l->rest = loop_timer_new(loop, on_rested, l);
    event_assign(&l->event, loop_base(loop), l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
    if (!l->rest || event_add(&l->event, NULL) != 0) {
        listener_free(l);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    *out = l;
    return EMT_OK;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    event_del(&l->event);
    loop_timer_free(l->rest);
    close(l->fd);
    free(l);
}

uint16_t listener_port(const struct listener *l)
{
    struct listener_address a = { .len = sizeof a.sa };

    if (getsockname(l->fd, (struct sockaddr *)&a.sa, &a.len) != 0)
        return 0;
    return listener_address_port(&a);
}
