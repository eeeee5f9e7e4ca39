#include "http_link.h"

#include "base/clock.h"
#include "http_front.h"
#include "http_outlet.h"

#include <errno.h>
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
    l->mhd_fd = -1;
    l->up.wait = TLS_WAIT_READ;
    memcpy(&l->peer, peer, peer_len);
    l->peer_len = peer_len;
    return l;
}

void http_link_free(struct http_link *l)
{
    struct http_stream *stream = atomic_load(&l->stream);

    if (stream) {
        stream_close(stream);
        http_stream_unref(stream);
    }
    tls_conn_free(l->tls);
    close(l->sock.fd);
    if (l->pair.fd >= 0)
        close(l->pair.fd);
    http_gate_release(&l->gate);
    free(l->up.data);
    free(l->down.data);
    free(l);
}

enum emt_err http_link_handshake(struct http_link *l)
{
    return l->tls ? tls_conn_handshake(l->tls, &l->up.wait) : EMT_OK;
}

bool http_link_make_pair(struct http_link *l, int *mhd_end)
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
    l->mhd_fd = *mhd_end = fds[1];
    return true;
}

/* --- the peer's side, with or without TLS --- */

static enum emt_err err_of_errno(enum tls_wait *wait, enum tls_wait otherwise)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return EMT_EIO;
    *wait = otherwise;
    return EMT_EAGAIN;
}

static enum emt_err peer_read(struct http_link *l, uint8_t *p, size_t cap, size_t *n)
{
    if (l->tls)
        return tls_conn_read(l->tls, p, cap, n, &l->up.wait);
    ssize_t got = recv(l->sock.fd, p, cap, 0);
    if (got < 0)
        return err_of_errno(&l->up.wait, TLS_WAIT_READ);
    *n = (size_t)got;
    return got > 0 ? EMT_OK : EMT_ENOTFOUND;
}

static enum emt_err peer_write(struct http_link *l, const uint8_t *p, size_t len, size_t *n)
{
    if (l->tls)
        return tls_conn_write(l->tls, p, len, n, &l->down.wait);
    ssize_t sent = send(l->sock.fd, p, len, MSG_NOSIGNAL);
    if (sent < 0)
        return err_of_errno(&l->down.wait, TLS_WAIT_WRITE);
    *n = (size_t)sent;
    return EMT_OK;
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

/* The time for a request runs from its first byte to its last. */
static void keep_time(struct http_link *l)
{
    if (!http_gate_is_inside(&l->gate)) {
        l->inside_ms = 0;
    } else if (l->inside_ms == 0 || l->message != l->gate.messages) {
        l->inside_ms = clock_mono_ms();
        l->message = l->gate.messages;
    }
}

/* Hands on what may pass. */
static bool up_take(struct http_link *l, const uint8_t *p, size_t n)
{
    const uint8_t *out = NULL;
    size_t nout = 0;

    if (l->up.discard)
        return true;
    if (!http_gate_feed(&l->gate, p, n, &out, &nout)) {
        l->state = LINK_DEAD;
        return false;
    }
    keep_time(l);
    size_t sent = to_pair(l, out, nout);
    if (!l->up.discard && !flow_keep(&l->up, out + sent, nout - sent))
        l->state = LINK_DEAD;
    return l->state != LINK_DEAD;
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
    /* MHD answers what came before, then closes; the refusal follows. */
    if (l->gate.state == GATE_REFUSED && !l->up.told) {
        up_end(l);
        up_discard(l);
    }
    switch (peer_read(l, scratch, LINK_SCRATCH, &n)) {
    case EMT_OK:
        return up_take(l, scratch, n);
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
        enum emt_err err = peer_write(l, p + total, n - total, &k);
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
    if (l->tls)
        tls_conn_shutdown(l->tls);
    shutdown(l->sock.fd, SHUT_WR);
    l->state = LINK_LINGER;
}

static void say_refusal(struct http_link *l)
{
    struct writer w;

    writer_init_heap(&w, LINK_SCRATCH);
    front_refused(l->front, l, &w);
    if (w.failed || !flow_keep(&l->down, w.data, w.len))
        l->state = LINK_DEAD;
    writer_release(&w);
}

/* MHD has closed its end: for good, or because a stream takes its place. */
static bool pair_ended(struct http_link *l)
{
    struct http_stream *stream = atomic_load(&l->stream);

    l->down.ended = true;
    if (!stream) {
        if (l->gate.state == GATE_REFUSED)
            say_refusal(l);
        return true;
    }
    up_discard(l);
    stream_attach(stream, l->front, l);
    l->state = LINK_STREAM;
    return false;
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
    if (n <= 0)
        return pair_ended(l);
    size_t sent = to_peer(l, scratch, (size_t)n);
    if (l->state != LINK_DEAD && !flow_keep(&l->down, scratch + sent, (size_t)n - sent))
        l->state = LINK_DEAD;
    return l->state != LINK_DEAD;
}

/* The peer of a stream has nothing more to say: what it sends is dropped, and its end ends it. */
static bool stream_listen(struct http_link *l, uint8_t *scratch)
{
    size_t n = 0;
    enum emt_err err = peer_read(l, scratch, LINK_SCRATCH, &n);

    if (err != EMT_OK && err != EMT_EAGAIN)
        l->state = LINK_DEAD;
    return err == EMT_OK;
}

/* Sends what is queued; false when it has to wait. */
static bool stream_step(struct http_link *l)
{
    struct http_stream *stream = atomic_load(&l->stream);
    bool over = false;
    bool abort = false;
    size_t before = l->down.len;

    if (before > 0) {
        bool all = down_flush(l);
        stream_sent(stream, before - l->down.len);
        return all;
    }
    l->down.from = 0;
    l->down.len = stream_take(stream, &l->down.data, &over, &abort);
    if (abort)
        l->state = LINK_DEAD;
    else if (l->down.len == 0 && over)
        down_end(l);
    return l->down.len > 0;
}

static void stream_pump(struct http_link *l, uint8_t *scratch)
{
    bool up = true;
    bool down = true;

    for (unsigned i = 0; i < TURNS && (up || down); i++) {
        if (up && l->state == LINK_STREAM)
            up = stream_listen(l, scratch);
        if (down && l->state == LINK_STREAM)
            down = stream_step(l);
    }
    l->again = l->state == LINK_STREAM && (up || down);
}

void http_link_pump(struct http_link *l, uint8_t scratch[LINK_SCRATCH])
{
    bool up = true;
    bool down = true;

    l->again = false;
    for (unsigned i = 0; i < TURNS && (up || down) && l->state != LINK_STREAM; i++) {
        if (up && l->state != LINK_DEAD)
            up = up_step(l, scratch);
        if (down && l->state != LINK_DEAD)
            down = down_step(l, scratch);
    }
    if (l->state == LINK_STREAM) {
        stream_pump(l, scratch);
        return;
    }
    l->again = up || down;
    if (l->up.ended && l->down.told)
        l->state = LINK_DEAD;
}

void http_link_end_again(struct http_link *l)
{
    if (l->up.told && !l->pair_gone && !l->down.ended && l->pair.fd >= 0)
        shutdown(l->pair.fd, SHUT_WR);
}

void http_link_time_out(struct http_link *l)
{
    http_gate_refuse(&l->gate, 408, "the request did not arrive in time");
    l->inside_ms = 0;
}

void http_link_pair_hangup(struct http_link *l)
{
    l->pair_gone = true;
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
