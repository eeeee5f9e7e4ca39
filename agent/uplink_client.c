/* Dialling, TLS and bytes. Event callbacks are thin: they say what happened, client_move() and
 * client_fail() alone change the state. Whoever handles messages may end the session, so loops
 * compare `session` before they go on. */
#include "agent/uplink_client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/reader.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "uplink_internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CONNECT_MS 10000u
#define GREETING_MS 20000u /* handshake, and then Welcome */
#define READ_CHUNK 16384u
#define READ_ROUNDS 64u /* chunks per turn of the loop, so that one peer does not keep it */
#define WRITE_CHUNK 65536u
#define IN_MAX (UPLINK_MESSAGE_MAX + UPLINK_PREFIX_LEN + READ_CHUNK)
#define OUT_MAX ((size_t)3 * UPLINK_MESSAGE_MAX)
#define KEEP_BUFFER 65536u /* larger buffers are given back when they run empty */
#define PROVED_MS 60000    /* a session that lasted this long was a good one */

static const char *const state_names[] = {
    [CLIENT_STOPPED] = "stopped", [CLIENT_WAITING] = "waiting", [CLIENT_CONNECTING] = "connecting",
    [CLIENT_TLS] = "tls",         [CLIENT_HELLO] = "hello",     [CLIENT_READY] = "ready",
};

static void dial_next(struct uplink_client *c);

static void arm(struct event *ev, uint32_t ms)
{
    struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

    event_add(ev, &tv);
}

static uint32_t state_limit_ms(enum client_state state)
{
    switch (state) {
    case CLIENT_CONNECTING:
        return CONNECT_MS;
    case CLIENT_TLS:
    case CLIENT_HELLO:
        return GREETING_MS;
    case CLIENT_STOPPED:
    case CLIENT_WAITING:
    case CLIENT_READY:
        break;
    }
    return 0;
}

void client_move(struct uplink_client *c, enum client_state state)
{
    uint32_t limit = state_limit_ms(state);

    LOG_DEBUG("uplink-state", LOG_S("gateway", c->config.gateway),
              LOG_S("from", state_names[c->state]), LOG_S("to", state_names[state]));
    c->state = state;
    event_del(c->timer);
    if (limit)
        arm(c->timer, limit);
}

static void close_socket(struct uplink_client *c)
{
    if (c->readable) {
        event_free(c->readable);
        event_free(c->writable);
        c->readable = c->writable = NULL;
    }
    tls_conn_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    writer_release(&c->in);
    writer_release(&c->out);
    writer_init_heap(&c->in, IN_MAX);
    writer_init_heap(&c->out, OUT_MAX);
    c->out_at = c->out_offered = 0;
    event_del(c->alive);
    event_del(c->status);
    event_del(c->resend);
    session_close(c);
    c->session++;
}

static void report_down(struct uplink_client *c, enum client_state was, const char *reason,
                        uint32_t wait_ms)
{
    LOG_NOTICE("uplink-down", LOG_S("gateway", c->config.gateway), LOG_S("while", state_names[was]),
               LOG_S("reason", reason), LOG_I("next_attempt_ms", wait_ms));
    if (c->config.events.down)
        c->config.events.down(c->config.ctx, reason, wait_ms);
}

static uint32_t jittered(uint32_t ms)
{
    struct backoff b = { .first_ms = ms / 4 + 1, .most_ms = ms / 4 + 1 };

    return ms + backoff_next(&b);
}

void client_fail(struct uplink_client *c, const char *reason, uint32_t retry_ms)
{
    enum client_state was = c->state;
    uint32_t wait_ms = 0;
    char text[200];

    if (was == CLIENT_STOPPED || was == CLIENT_WAITING)
        return;
    /* The reason may be borrowed from the connection that is closed now. */
    struct writer w;
    writer_init_fixed(&w, text, sizeof text);
    writer_printf(&w, "%.190s", *reason ? reason : "the connection broke");
    bool proved = c->proved || (was == CLIENT_READY && clock_mono_ms() - c->ready_ms > PROVED_MS);
    close_socket(c);
    c->counters.failures++;
    if (proved)
        backoff_reset(&c->backoff);
    if (retry_ms)
        wait_ms = jittered(retry_ms);
    else if (was == CLIENT_READY || c->next_address >= c->naddresses)
        wait_ms = backoff_next(&c->backoff);
    if (wait_ms)
        c->naddresses = 0; /* a new round, with names looked up again */
    client_move(c, CLIENT_WAITING);
    arm(c->timer, wait_ms);
    report_down(c, was, writer_cstr(&w), wait_ms);
}

/* --- bytes out --- */

size_t client_out_left(const struct uplink_client *c)
{
    return c->out.len - c->out_at;
}

/* What is sent makes room: on a slow link there is always something left, and the buffer would grow
 * to its limit. TLS takes an offer again from another place, as long as the bytes are the same. */
static void drop_sent(struct uplink_client *c)
{
    size_t left = client_out_left(c);

    if (c->out_at < KEEP_BUFFER || c->out_at < left)
        return;
    memmove(c->out.data, c->out.data + c->out_at, left);
    c->out.len = left;
    c->out_at = 0;
}

bool client_put(struct uplink_client *c, const struct uplink_message *m)
{
    drop_sent(c);
    enum emt_err err = uplink_encode(m, &c->out);

    if (err == EMT_OK)
        return true;
    LOG_WARN("uplink-encode", LOG_S("gateway", c->config.gateway),
             LOG_S("message", uplink_kind_name(m->kind)), LOG_S("error", emt_err_name(err)));
    client_fail(c, "a message could not be written", 0);
    return false;
}

static void wait_for(struct uplink_client *c, enum tls_wait wait)
{
    if (wait == TLS_WAIT_WRITE)
        event_add(c->writable, NULL);
}

void client_flush(struct uplink_client *c)
{
    enum tls_wait wait = TLS_WAIT_NONE;

    while (c->state >= CLIENT_HELLO && client_out_left(c) > 0) {
        size_t n = 0;
        size_t len = client_out_left(c);
        if (len > WRITE_CHUNK)
            len = WRITE_CHUNK;
        if (c->out_offered)
            len = c->out_offered; /* the same bytes again */
        enum emt_err err = tls_conn_write(c->tls, c->out.data + c->out_at, len, &n, &wait);
        if (err == EMT_EAGAIN) {
            c->out_offered = len;
            wait_for(c, wait);
            return;
        }
        if (err != EMT_OK) {
            client_fail(c, tls_conn_reason(c->tls), 0);
            return;
        }
        c->out_offered = 0;
        c->out_at += n;
    }
    if (c->out.cap > KEEP_BUFFER) {
        writer_release(&c->out);
        writer_init_heap(&c->out, OUT_MAX);
    }
    writer_clear(&c->out);
    c->out_at = 0;
}

/* --- bytes in --- */

/* Handles every complete message; false when the session ended. */
static bool take_messages(struct uplink_client *c)
{
    uint64_t session = c->session;
    struct reader in = reader_of(c->in.data, c->in.len);

    while (reader_left(&in) >= UPLINK_PREFIX_LEN) {
        struct uplink_message m;
        struct reader ahead = in;
        size_t len = 0;
        enum emt_err err = uplink_prefix(reader_bytes(&ahead, UPLINK_PREFIX_LEN), &len);
        if (err == EMT_OK && reader_left(&ahead) < len)
            break;
        if (err == EMT_OK)
            err = uplink_decode(reader_bytes(&ahead, len), len, c->config.arena, &m);
        if (err == EMT_OK)
            session_handle(c, &m);
        else
            client_fail(c, "the head-end sent no message of the protocol", 0);
        arena_reset(c->config.arena);
        if (c->session != session)
            return false;
        in = ahead;
    }
    size_t left = reader_left(&in);
    if (left && in.pos)
        memmove(c->in.data, c->in.data + in.pos, left);
    c->in.len = left;
    if (left == 0 && c->in.cap > KEEP_BUFFER) {
        writer_release(&c->in);
        writer_init_heap(&c->in, IN_MAX);
    }
    return true;
}

static void read_some(struct uplink_client *c)
{
    uint8_t chunk[READ_CHUNK];
    enum tls_wait wait = TLS_WAIT_NONE;

    for (unsigned i = 0; i < READ_ROUNDS; i++) {
        size_t n = 0;
        enum emt_err err = tls_conn_read(c->tls, chunk, sizeof chunk, &n, &wait);
        if (err == EMT_EAGAIN) {
            wait_for(c, wait);
            session_pump(c);
            return;
        }
        if (err != EMT_OK) {
            client_fail(c,
                        err == EMT_ENOTFOUND ? "the head-end closed the connection"
                                             : tls_conn_reason(c->tls),
                        0);
            return;
        }
        c->heard_ms = clock_mono_ms();
        if (!writer_bytes(&c->in, chunk, n)) {
            client_fail(c, "out of memory", 0);
            return;
        }
        if (!take_messages(c))
            return;
    }
    event_active(c->readable, EV_READ, 1); /* TLS may hold bytes that the socket does not show */
}

/* --- dialling --- */

static void handshake(struct uplink_client *c)
{
    enum tls_wait wait = TLS_WAIT_NONE;
    enum emt_err err = tls_conn_handshake(c->tls, &wait);

    if (err == EMT_EAGAIN) {
        wait_for(c, wait);
        return;
    }
    if (err != EMT_OK) {
        client_fail(c, tls_conn_reason(c->tls), 0);
        return;
    }
    client_move(c, CLIENT_HELLO);
    session_open(c);
}

static void connected(struct uplink_client *c)
{
    const struct endpoint_address *a = &c->address[c->next_address - 1];
    int error = 0, one = 1;
    socklen_t len = sizeof error;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        client_fail(c, strerror(error), 0);
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    const char *name =
        c->config.server_name ? c->config.server_name : c->config.endpoints[a->endpoint].host;
    c->tls = tls_conn_connect(c->config.tls, c->fd, name);
    if (!c->tls) {
        client_fail(c, "out of memory", 0);
        return;
    }
    event_add(c->readable, NULL);
    client_move(c, CLIENT_TLS);
    handshake(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct uplink_client *c = arg;

    (void)fd;
    (void)what;
    if (c->state == CLIENT_CONNECTING)
        connected(c);
    else if (c->state == CLIENT_TLS)
        handshake(c);
    else {
        client_flush(c);
        session_pump(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct uplink_client *c = arg;

    (void)fd;
    (void)what;
    if (c->state == CLIENT_TLS)
        handshake(c);
    else if (c->state >= CLIENT_HELLO)
        read_some(c);
}

static void resolve_round(struct uplink_client *c)
{
    c->naddresses = c->next_address = 0;
    for (size_t n = 0; n < c->config.nendpoints; n++) {
        size_t i = (c->config.first_endpoint + n) % c->config.nendpoints;
        const struct endpoint *e = &c->config.endpoints[i];
        if (endpoint_resolve(e, i, c->address, CLIENT_ADDRESSES_MAX, &c->naddresses) != EMT_OK)
            LOG_WARN("uplink-resolve", LOG_S("gateway", c->config.gateway), LOG_S("host", e->host));
    }
}

static void dial_next(struct uplink_client *c)
{
    if (c->next_address >= c->naddresses)
        resolve_round(c);
    client_move(c, CLIENT_CONNECTING);
    c->counters.attempts++;
    if (c->naddresses == 0) {
        client_fail(c, "no address resolves", 0);
        return;
    }
    const struct endpoint_address *a = &c->address[c->next_address++];
    c->fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        client_fail(c, strerror(errno), 0);
        return;
    }
    c->readable = event_new(c->config.base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(c->config.base, c->fd, EV_WRITE, on_writable, c);
    if (!c->readable || !c->writable) {
        if (c->readable)
            event_free(c->readable);
        if (c->writable)
            event_free(c->writable);
        c->readable = c->writable = NULL;
        client_fail(c, "out of memory", 0);
        return;
    }
    if (connect(c->fd, (const struct sockaddr *)&a->addr, a->len) != 0 && errno != EINPROGRESS) {
        client_fail(c, strerror(errno), 0);
        return;
    }
    event_add(c->writable, NULL);
}

/* --- timers --- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct uplink_client *c = arg;

    (void)fd;
    (void)what;
    switch (c->state) {
    case CLIENT_WAITING:
        dial_next(c);
        break;
    case CLIENT_CONNECTING:
        client_fail(c, "no answer", 0);
        break;
    case CLIENT_TLS:
        client_fail(c, "the TLS handshake takes too long", 0);
        break;
    case CLIENT_HELLO:
        client_fail(c, "no Welcome", 0);
        break;
    case CLIENT_STOPPED:
    case CLIENT_READY:
        break;
    }
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    session_alive(arg);
}

static void on_status(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    session_status(arg);
}

static void on_resend(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    session_resend(arg);
}

/* --- life --- */

enum emt_err uplink_client_new(const struct uplink_client_config *config,
                               struct uplink_client **out)
{
    struct uplink_client *c = calloc(1, sizeof *c);

    if (!c)
        return EMT_ENOMEM;
    c->config = *config;
    c->config.tls = tls_context_ref(config->tls);
    c->fd = -1;
    c->backoff = (struct backoff){ .first_ms = config->backoff_first_ms,
                                   .most_ms = config->backoff_most_ms };
    writer_init_heap(&c->in, IN_MAX);
    writer_init_heap(&c->out, OUT_MAX);
    c->timer = evtimer_new(config->base, on_timer, c);
    c->alive = event_new(config->base, -1, EV_PERSIST, on_alive, c);
    c->status = event_new(config->base, -1, EV_PERSIST, on_status, c);
    c->resend = event_new(config->base, -1, EV_PERSIST, on_resend, c);
    if (!c->timer || !c->alive || !c->status || !c->resend) {
        uplink_client_free(c);
        return EMT_ENOMEM;
    }
    *out = c;
    return EMT_OK;
}

void uplink_client_free(struct uplink_client *c)
{
    struct event **events[4];

    if (!c)
        return;
    if (c->timer && c->alive && c->status && c->resend)
        uplink_client_stop(c);
    events[0] = &c->timer;
    events[1] = &c->alive;
    events[2] = &c->status;
    events[3] = &c->resend;
    for (size_t i = 0; i < 4; i++) {
        if (*events[i])
            event_free(*events[i]);
    }
    sent_release(&c->sent);
    writer_release(&c->in);
    writer_release(&c->out);
    tls_context_unref(c->config.tls);
    free(c);
}

void uplink_client_start(struct uplink_client *c, uint32_t delay_ms)
{
    if (c->state != CLIENT_STOPPED)
        return;
    client_move(c, CLIENT_WAITING);
    arm(c->timer, delay_ms);
}

/* Once, without waiting. */
static void say_bye(struct uplink_client *c, const char *reason)
{
    struct uplink_message m = { .kind = UPLINK_BYE, .u.bye = { reason, 0 } };

    if (c->state == CLIENT_READY && client_put(c, &m))
        client_flush(c);
}

void uplink_client_cut(struct uplink_client *c)
{
    if (c->state >= CLIENT_CONNECTING)
        client_fail(c, "the network was cut", 0);
}

void uplink_client_flee(struct uplink_client *c)
{
    if (c->state < CLIENT_CONNECTING || c->next_address == 0)
        return;
    c->config.first_endpoint =
        (c->address[c->next_address - 1].endpoint + 1) % c->config.nendpoints;
    client_fail(c, "left in silence", 1);
}

void uplink_client_move(struct uplink_client *c)
{
    c->config.first_endpoint = (c->config.first_endpoint + 1) % c->config.nendpoints;
    say_bye(c, "moving");
    if (c->state >= CLIENT_CONNECTING)
        client_fail(c, "moved to the next address", 1);
}

void uplink_client_stop(struct uplink_client *c)
{
    say_bye(c, "stopping");
    if (c->tls)
        tls_conn_shutdown(c->tls);
    close_socket(c);
    c->naddresses = 0;
    client_move(c, CLIENT_STOPPED);
}

void uplink_client_kick(struct uplink_client *c)
{
    session_pump(c);
}

bool uplink_client_ready(const struct uplink_client *c)
{
    return c->state == CLIENT_READY;
}

bool uplink_client_may_renew(const struct uplink_client *c)
{
    return c->state == CLIENT_READY && c->may_renew;
}

bool uplink_client_request_certificate(struct uplink_client *c, const void *csr, size_t len)
{
    struct uplink_message m = { .kind = UPLINK_CERTIFICATE_REQUEST };

    m.u.certificate_request.csr = csr;
    m.u.certificate_request.len = len;
    if (!uplink_client_may_renew(c) || !client_put(c, &m))
        return false;
    client_flush(c);
    return c->state == CLIENT_READY;
}

void uplink_client_set_tls(struct uplink_client *c, struct tls_context *tls)
{
    struct tls_context *old = c->config.tls;

    c->config.tls = tls_context_ref(tls);
    tls_context_unref(old);
}

emt_time uplink_client_time(const struct uplink_client *c)
{
    return clock_now() + c->clock_ahead;
}

void uplink_client_counters(const struct uplink_client *c, struct uplink_client_counters *out)
{
    *out = c->counters;
    out->bytes_under_way = c->sent.bytes;
    out->credit_bytes = c->credit;
}
