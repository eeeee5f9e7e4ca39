#include "http_link.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Buffers that one direction moves in one go: others want their turn. */
enum { TURNS = 4 };

struct http_link *http_link_new(int sock, struct tls_conn *tls, const struct sockaddr *peer,
                                socklen_t peer_len)
{
    struct http_link *l = calloc(1, sizeof *l);

    if (!l) {
        tls_conn_free(tls);
        close(sock);
        return NULL;
    }
    l->tls = tls;
    l->sock = (struct endpoint){ .kind = ENDPOINT_SOCK, .fd = sock, .link = l };
    l->pair = (struct endpoint){ .kind = ENDPOINT_PAIR, .fd = -1, .link = l };
    l->up.wait = TLS_WAIT_READ;
    memcpy(&l->peer, peer, peer_len);
    l->peer_len = peer_len;
    return l;
}

void http_link_free(struct http_link *l)
{
    tls_conn_free(l->tls);
    close(l->sock.fd);
    if (l->pair.fd >= 0)
        close(l->pair.fd);
    free(l->up.data);
    free(l->down.data);
    free(l);
}

enum emt_err http_link_handshake(struct http_link *l)
{
    return tls_conn_handshake(l->tls, &l->up.wait);
}

bool http_link_attach(struct http_link *l, struct MHD_Daemon *daemon)
{
    int fds[2];
    int size = LINK_SOCKET_BUFFER;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    for (unsigned i = 0; i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    l->pair.fd = fds[0];
    l->up.wait = TLS_WAIT_READ;
    l->state = LINK_OPEN;
    /* Closes fds[1] itself when it cannot use it. */
    return MHD_add_connection(daemon, fds[1], (struct sockaddr *)&l->peer, l->peer_len) == MHD_YES;
}

static void flow_drop(struct flow *f)
{
    free(f->data);
    f->data = NULL;
    f->len = 0;
}

/* Keeps what the sink did not take. */
static bool flow_keep(struct flow *f, const uint8_t *p, size_t n)
{
    if (n == 0)
        return true;
    f->data = malloc(n);
    if (!f->data)
        return false;
    memcpy(f->data, p, n);
    f->from = 0;
    f->len = n;
    return true;
}

static void up_discard(struct http_link *l)
{
    l->up.discard = true;
    flow_drop(&l->up);
}

/* Bytes that MHD's side took of these; 0 when it is full. A side that is gone takes everything. */
static size_t to_pair(struct http_link *l, const uint8_t *p, size_t n)
{
    ssize_t sent = l->up.discard ? (ssize_t)n : send(l->pair.fd, p, n, MSG_NOSIGNAL);

    if (sent >= 0)
        return (size_t)sent;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    up_discard(l);
    return n;
}

/* True when nothing is kept any more. */
static bool up_flush(struct http_link *l)
{
    struct flow *f = &l->up;

    if (f->len == 0)
        return true;
    size_t n = to_pair(l, f->data + f->from, f->len);
    if (f->len == 0) /* discarded meanwhile */
        return true;
    f->from += n;
    f->len -= n;
    if (f->len == 0)
        flow_drop(f);
    return f->len == 0;
}

static void up_end(struct http_link *l)
{
    if (l->up.told)
        return;
    l->up.told = true;
    if (l->pair.fd >= 0)
        shutdown(l->pair.fd, SHUT_WR);
}

/* One step from the peer to MHD; false when it has to wait. */
static bool up_step(struct http_link *l, uint8_t *scratch)
{
    size_t n = 0;

    if (!up_flush(l))
        return false;
    if (l->up.ended) {
        up_end(l);
        return false;
    }
    switch (tls_conn_read(l->tls, scratch, LINK_SCRATCH, &n, &l->up.wait)) {
    case EMT_OK: {
        size_t sent = to_pair(l, scratch, n);
        if (!flow_keep(&l->up, scratch + sent, n - sent))
            l->state = LINK_DEAD;
        return l->state != LINK_DEAD;
    }
    case EMT_EAGAIN:
        return false;
    case EMT_ENOTFOUND: /* close_notify */
        l->up.ended = true;
        return true;
    default: /* whatever broke it: there is nobody to tell */
        l->state = LINK_DEAD;
        return false;
    }
}

/* Bytes that the TLS side took; 0 when it has to wait. */
static size_t to_peer(struct http_link *l, const uint8_t *p, size_t n)
{
    size_t total = 0;

    while (total < n) {
        size_t k = 0;
        enum emt_err err = tls_conn_write(l->tls, p + total, n - total, &k, &l->down.wait);
        if (err != EMT_OK) {
            if (err != EMT_EAGAIN)
                l->state = LINK_DEAD;
            break;
        }
        total += k;
    }
    return total;
}

static bool down_flush(struct http_link *l)
{
    struct flow *f = &l->down;

    if (f->len == 0)
        return true;
    size_t n = to_peer(l, f->data + f->from, f->len);
    f->from += n;
    f->len -= n;
    if (f->len == 0)
        flow_drop(f);
    return f->len == 0;
}

/* The answer is out: say so, and let the peer close first, since closing with unread bytes in our
 * buffer would reset what it has not read yet. */
static void down_end(struct http_link *l)
{
    if (l->down.told)
        return;
    l->down.told = true;
    tls_conn_shutdown(l->tls);
    shutdown(l->sock.fd, SHUT_WR);
    l->state = LINK_LINGER;
}

/* One step from MHD to the peer; false when it has to wait. */
static bool down_step(struct http_link *l, uint8_t *scratch)
{
    if (!down_flush(l) || l->state == LINK_DEAD)
        return false;
    if (l->down.ended) {
        down_end(l);
        return false;
    }
    ssize_t n = recv(l->pair.fd, scratch, LINK_SCRATCH, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (n <= 0) {
        l->down.ended = true;
        return true;
    }
    size_t sent = to_peer(l, scratch, (size_t)n);
    if (l->state != LINK_DEAD && !flow_keep(&l->down, scratch + sent, (size_t)n - sent))
        l->state = LINK_DEAD;
    return l->state != LINK_DEAD;
}

void http_link_pump(struct http_link *l, uint8_t scratch[LINK_SCRATCH])
{
    bool up = true;
    bool down = true;

    l->again = false;
    for (unsigned i = 0; i < TURNS && (up || down); i++) {
        if (up && l->state != LINK_DEAD)
            up = up_step(l, scratch);
        if (down && l->state != LINK_DEAD)
            down = down_step(l, scratch);
    }
    l->again = up || down;
    if (l->up.ended && l->down.told)
        l->state = LINK_DEAD;
}

void http_link_pair_hangup(struct http_link *l)
{
    up_discard(l);
}

static uint32_t wait_events(enum tls_wait wait, uint32_t otherwise)
{
    switch (wait) {
    case TLS_WAIT_READ:
        return EPOLLIN;
    case TLS_WAIT_WRITE:
        return EPOLLOUT;
    case TLS_WAIT_NONE:
        break;
    }
    return otherwise;
}

uint32_t http_link_sock_interest(const struct http_link *l)
{
    uint32_t events = 0;

    if (l->state == LINK_HANDSHAKE)
        return wait_events(l->up.wait, EPOLLIN);
    if (!l->up.ended && l->up.len == 0)
        events |= wait_events(l->up.wait, EPOLLIN);
    if (l->down.len > 0)
        events |= wait_events(l->down.wait, EPOLLOUT);
    return events;
}

uint32_t http_link_pair_interest(const struct http_link *l)
{
    uint32_t events = 0;

    if (!l->down.ended && l->down.len == 0)
        events |= EPOLLIN;
    if (l->up.len > 0)
        events |= EPOLLOUT;
    return events;
}
