#include "link.h"

#include "base/reader.h"
#include "loop/loop.h"
#include "pki/tls_conn.h"
#include "wire/uplink.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define READ_BUFFER ((size_t)64 * 1024)
/* Reads of one link in one turn, so that a busy gateway does not keep the others waiting. */
#define READS_A_TURN 16
/* First storage of a message that did not arrive whole; it doubles as bytes really arrive, so that
 * a prefix alone costs the sender's bytes and not our memory. */
#define PARTIAL_FIRST 4096

enum link_phase {
    PHASE_OPEN,
    PHASE_FLUSHING,  /* closing: what is queued still goes out */
    PHASE_LINGERING, /* our side is shut; the peer's last bytes are thrown away, else it sees a
                        reset instead of our Bye */
};

struct link {
    struct link_pool *pool;
    struct link *next, **slot;
    const struct link_wire *wire_ops;
    void *wire;
    int fd;
    struct event event;
    short watched;
    const struct link_handler *handler;
    void *ctx;
    enum link_phase phase;
    bool ended;     /* nothing more comes in; the handler was told, or will be after this turn */
    bool reporting; /* the report runs after this turn */
    bool lost;      /* nothing can be sent any more */
    bool doomed;    /* freed after this turn */
    enum link_end end;
    struct loop_timer *linger;
    size_t longest;

    /* unfinished message: prefix, then body */
    uint8_t prefix[UPLINK_PREFIX_LEN];
    size_t prefix_have;
    size_t need, have, cap;
    uint8_t *body;

    /* queued to the peer: out[out_head .. out_len) */
    uint8_t *out;
    size_t out_head, out_len, out_cap;
    unsigned read_wait, write_wait; /* bits of enum tls_wait */
};

/* ---- TLS as a wire ---- */

static enum emt_err tls_read(void *wire, void *buf, size_t cap, size_t *n, unsigned *wait)
{
    enum tls_wait w;
    enum emt_err err = tls_conn_read(wire, buf, cap, n, &w);

    *wait = w;
    return err;
}

static enum emt_err tls_write(void *wire, const void *buf, size_t len, size_t *n, unsigned *wait)
{
    enum tls_wait w;
    enum emt_err err = tls_conn_write(wire, buf, len, n, &w);

    *wait = w;
    return err;
}

static size_t tls_pending(const void *wire)
{
    return tls_conn_pending(wire);
}

static void tls_shutdown(void *wire)
{
    tls_conn_shutdown(wire);
}

static void tls_free(void *wire)
{
    tls_conn_free(wire);
}

const struct link_wire link_wire_tls = { tls_read, tls_write, tls_pending, tls_shutdown, tls_free };

/* ---- life ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);
static void on_linger(void *arg);

enum emt_err link_pool_init(struct link_pool *pool, struct loop *l)
{
    memset(pool, 0, sizeof *pool);
    pool->loop = l;
    pool->size = READ_BUFFER;
    pool->buffer = malloc(pool->size);
    return pool->buffer ? EMT_OK : EMT_ENOMEM;
}

static void partial_clear(struct link *l)
{
    l->pool->unfinished -= l->cap;
    free(l->body);
    l->body = NULL;
    l->prefix_have = l->need = l->have = l->cap = 0;
}

static void link_free(struct link *l)
{
    struct link_pool *pool = l->pool;

    event_del(&l->event);
    loop_timer_free(l->linger);
    partial_clear(l);
    free(l->out);
    l->wire_ops->free(l->wire);
    close(l->fd);
    *l->slot = l->next;
    if (l->next)
        l->next->slot = l->slot;
    free(l);
    if (pool->gone)
        pool->gone(pool->ctx);
}

void link_pool_release(struct link_pool *pool)
{
    while (pool->first)
        link_free(pool->first);
    free(pool->buffer);
    pool->buffer = NULL;
}

static void on_doom(void *arg)
{
    link_free(arg);
}

/* Never freed inside its own callback. */
static void doom(struct link *l)
{
    if (l->doomed)
        return;
    event_del(&l->event);
    l->watched = 0;
    loop_timer_cancel(l->linger);
    /* Out of memory for the list: the pool frees it at its end. */
    l->doomed = true;
    (void)!loop_after_turn(l->pool->loop, on_doom, l);
}

static void watch(struct link *l)
{
    unsigned wait = l->read_wait | l->write_wait;
    short what = (short)((wait & TLS_WAIT_READ ? EV_READ : 0) |
                         (wait & TLS_WAIT_WRITE ? EV_WRITE : 0) | EV_PERSIST);

    if (l->doomed || l->watched == what)
        return;
    event_del(&l->event);
    l->watched = 0;
    if (!(what & (EV_READ | EV_WRITE)))
        return;
    event_assign(&l->event, loop_base(l->pool->loop), l->fd, what, on_ready, l);
    if (event_add(&l->event, NULL) == 0)
        l->watched = what;
}

enum emt_err link_new(struct link_pool *pool, const struct link_wire *wire_ops, void *wire, int fd,
                      size_t longest, const struct link_handler *h, void *ctx, struct link **out)
{
    struct link *l = calloc(1, sizeof *l);

    if (!l)
        return EMT_ENOMEM;
    l->linger = loop_timer_new(pool->loop, on_linger, l);
    if (!l->linger) {
        free(l);
        return EMT_ENOMEM;
    }
    l->pool = pool;
    l->wire_ops = wire_ops;
    l->wire = wire;
    l->fd = fd;
    l->handler = h;
    l->ctx = ctx;
    l->longest = longest;
    l->next = pool->first;
    l->slot = &pool->first;
    if (l->next)
        l->next->slot = &l->next;
    pool->first = l;
    event_assign(&l->event, loop_base(pool->loop), fd, EV_READ | EV_PERSIST, on_ready, l);
    l->read_wait = TLS_WAIT_READ;
    watch(l);
    /* The last flight of the handshake may have brought the first message with it. */
    event_active(&l->event, EV_READ, 0);
    *out = l;
    return EMT_OK;
}

void link_allow(struct link *l, size_t longest)
{
    l->longest = longest;
}

static void on_report(void *arg)
{
    struct link *l = arg;

    if (l->phase == PHASE_OPEN)
        l->handler->ended(l->ctx, l->end);
}

/* Nothing more will come in. The handler hears of it after the turn: the link may be inside of
 * link_send() now. */
static void end(struct link *l, enum link_end why)
{
    if (l->ended)
        return;
    l->ended = true;
    l->end = why;
    l->read_wait = l->write_wait = 0;
    watch(l);
    /* Without memory for the list nobody is told, and the session's idle timer finds out. */
    (void)!loop_after_turn(l->pool->loop, on_report, l);
}

/* The connection is of no use in either direction. */
static void lose(struct link *l, enum link_end why)
{
    l->lost = true;
    l->write_wait = 0;
    if (l->phase == PHASE_OPEN)
        end(l, why);
    else
        doom(l);
    watch(l);
}

/* ---- in ---- */

static bool partial_room(struct link *l, size_t size)
{
    size_t cap = l->cap ? l->cap : PARTIAL_FIRST;
    uint8_t *grown;

    while (cap < size)
        cap *= 2;
    if (cap > l->need)
        cap = l->need;
    if (cap <= l->cap)
        return true;
    if (cap - l->cap > l->pool->unfinished_max - l->pool->unfinished)
        return false;
    grown = realloc(l->body, cap);
    if (!grown)
        return false;
    l->pool->unfinished += cap - l->cap;
    l->body = grown;
    l->cap = cap;
    return true;
}

/* The prefix is complete: is the length one that we take? */
static bool length_known(struct link *l)
{
    enum emt_err err = uplink_prefix(l->prefix, &l->need);

    if (err == EMT_OK && l->need > l->longest)
        err = EMT_ELIMIT;
    if (err == EMT_OK)
        return true;
    end(l, err == EMT_ELIMIT ? LINK_TOO_LONG : LINK_UNREADABLE);
    return false;
}

/* Bytes of a message in pieces. false: the link has ended. */
static bool take_piece(struct link *l, struct reader *in)
{
    size_t n;

    if (l->prefix_have < UPLINK_PREFIX_LEN) {
        n = UPLINK_PREFIX_LEN - l->prefix_have;
        if (n > reader_left(in))
            n = reader_left(in);
        if (!reader_copy(in, l->prefix + l->prefix_have, n))
            return false;
        l->prefix_have += n;
        if (l->prefix_have < UPLINK_PREFIX_LEN)
            return true;
        if (!length_known(l))
            return false;
    }
    n = l->need - l->have;
    /* Whole in the loop's buffer: no copy. */
    if (l->have == 0 && n <= reader_left(in)) {
        l->prefix_have = 0;
        l->handler->message(l->ctx, reader_bytes(in, n), n);
        return l->phase == PHASE_OPEN && !l->ended;
    }
    if (n > reader_left(in))
        n = reader_left(in);
    if (n > 0 && !partial_room(l, l->have + n)) {
        end(l, LINK_MEMORY);
        return false;
    }
    if (n > 0 && !reader_copy(in, l->body + l->have, n))
        return false;
    l->have += n;
    if (l->have == l->need) {
        l->handler->message(l->ctx, l->body, l->need);
        partial_clear(l);
    }
    return l->phase == PHASE_OPEN && !l->ended;
}

static void read_failed(struct link *l, enum emt_err err)
{
    bool inside = l->prefix_have > 0;

    if (err == EMT_ENOTFOUND)
        end(l, inside ? LINK_LOST : LINK_CLOSED);
    else
        lose(l, emt_err_class(err) == EMT_CLASS_REJECT ? LINK_UNREADABLE : LINK_LOST);
}

static void read_some(struct link *l)
{
    for (unsigned i = 0; i < READS_A_TURN; i++) {
        size_t n = 0;
        unsigned wait = 0;
        enum emt_err err = l->wire_ops->read(l->wire, l->pool->buffer, l->pool->size, &n, &wait);
        if (err == EMT_EAGAIN) {
            l->read_wait = wait;
            return;
        }
        if (err != EMT_OK) {
            read_failed(l, err);
            return;
        }
        struct reader in = reader_of(l->pool->buffer, n);
        while (reader_left(&in) > 0)
            if (!take_piece(l, &in))
                return;
    }
    l->read_wait = TLS_WAIT_READ;
    /* What TLS has already taken from the socket would not wake us. */
    if (l->wire_ops->pending(l->wire) > 0)
        event_active(&l->event, EV_READ, 0);
}

/* ---- out ---- */

/* Our last bytes are out: close our side and wait for the peer's, so that its reads see the Bye
 * before the end. */
static void linger(struct link *l)
{
    l->phase = PHASE_LINGERING;
    l->wire_ops->shutdown(l->wire);
    shutdown(l->fd, SHUT_WR);
    l->read_wait = TLS_WAIT_READ;
    l->write_wait = 0;
    watch(l);
}

static void flush(struct link *l)
{
    while (l->out_head < l->out_len) {
        size_t n = 0;
        unsigned wait = 0;
        enum emt_err err =
            l->wire_ops->write(l->wire, l->out + l->out_head, l->out_len - l->out_head, &n, &wait);
        if (err == EMT_EAGAIN) {
            l->write_wait = wait;
            return;
        }
        if (err != EMT_OK) {
            lose(l, LINK_LOST);
            return;
        }
        l->out_head += n;
    }
    free(l->out);
    l->out = NULL;
    l->out_head = l->out_len = l->out_cap = 0;
    l->write_wait = 0;
}

static enum emt_err queue(struct link *l, const uint8_t *p, size_t n)
{
    size_t waiting = l->out_len - l->out_head;

    if (n > l->pool->queue_max || waiting > l->pool->queue_max - n)
        return EMT_ELIMIT;
    if (l->out_head > 0) {
        memmove(l->out, l->out + l->out_head, waiting);
        l->out_head = 0;
        l->out_len = waiting;
    }
    if (waiting + n > l->out_cap) {
        size_t cap = 2 * l->out_cap > waiting + n ? 2 * l->out_cap : waiting + n;
        uint8_t *grown = realloc(l->out, cap);
        if (!grown)
            return EMT_ENOMEM;
        l->out = grown;
        l->out_cap = cap;
    }
    memcpy(l->out + l->out_len, p, n);
    l->out_len += n;
    return EMT_OK;
}

enum emt_err link_send(struct link *l, const uint8_t *p, size_t n)
{
    /* Nothing waits: past the queue, without a copy. */
    while (n > 0 && l->out_len == 0 && !l->lost && l->write_wait == 0) {
        size_t done = 0;
        unsigned wait = 0;
        enum emt_err err = l->wire_ops->write(l->wire, p, n, &done, &wait);
        if (err == EMT_EAGAIN) {
            l->write_wait = wait;
            break;
        }
        if (err != EMT_OK) {
            lose(l, LINK_LOST);
            break;
        }
        p += done;
        n -= done;
    }
    if (l->lost || n == 0)
        return EMT_OK;
    watch(l);
    return queue(l, p, n);
}

void link_close(struct link *l)
{
    if (l->phase != PHASE_OPEN)
        return;
    l->phase = PHASE_FLUSHING;
    if (l->lost) {
        doom(l);
        return;
    }
    loop_timer_set(l->linger, l->pool->linger_ms);
    if (l->out_len == 0)
        linger(l);
    else
        l->read_wait = 0;
    watch(l);
}

/* Throws away what still comes in. */
static void discard(struct link *l)
{
    for (unsigned i = 0; i < READS_A_TURN; i++) {
        ssize_t n = recv(l->fd, l->pool->buffer, l->pool->size, MSG_DONTWAIT);
        if (n > 0)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            doom(l);
        return;
    }
}

static void on_linger(void *arg)
{
    doom(arg);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    unsigned met = (what & EV_READ ? TLS_WAIT_READ : 0u) | (what & EV_WRITE ? TLS_WAIT_WRITE : 0u);

    (void)fd;
    if (l->phase == PHASE_LINGERING) {
        discard(l);
        return;
    }
    if (l->out_len > 0 && (l->write_wait & met) && !l->lost) {
        flush(l);
        if (l->phase == PHASE_FLUSHING && l->out_len == 0 && !l->lost)
            linger(l);
    }
    if (l->phase == PHASE_OPEN && !l->ended && (l->read_wait & met))
        read_some(l);
    if (!l->doomed)
        watch(l);
}
