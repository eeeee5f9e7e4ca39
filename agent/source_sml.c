/* SML over TCP, as loggers and serial converters send it. Bytes of each connection go through a
 * stream framer of its own; an intact file is a frame. */
#include "base/clock.h"
#include "base/log.h"
#include "parsers/decode.h"
#include "parsers/sml_stream.h"
#include "source_internal.h"
#include "source_port.h"

#include <errno.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LOSS_LOG_MS 60000 /* at most one line about losses in this time */

struct sml;

struct connection {
    struct sml *sml;
    struct source_port *port;
    struct sml_stream stream;
    uint8_t *buf;
    struct event *silence;
    int64_t last_ms;    /* of a byte */
    uint64_t in_files;  /* bytes of this connection in frames */
    uint64_t bytes;     /* of this connection */
    uint64_t lost;      /* of these, told to the counters */
    unsigned long told; /* damaged starts told to the counters */
    bool used;
};

struct sml {
    struct source *source;
    struct connection *list; /* one when dialling */
    unsigned n;
    struct evconnlistener *listener[2];
    int64_t logged_ms;
    uint64_t logged_lost;
};

static void log_losses(struct sml *m, bool now)
{
    const struct source_counters *c = &m->source->counters;
    int64_t at = clock_mono_ms();

    if (c->lost == m->logged_lost || (!now && at - m->logged_ms < LOSS_LOG_MS))
        return;
    LOG_WARN("source-bytes-lost", LOG_S("source", m->source->config->name),
             LOG_I("lost", c->lost - m->logged_lost), LOG_I("lost_in_all", c->lost),
             LOG_I("damaged_files", c->damaged), LOG_I("intact_files", c->frames));
    m->logged_ms = at;
    m->logged_lost = c->lost;
}

/* What is neither in a file nor waiting to be one is lost. */
static void count(struct connection *k)
{
    struct source_counters *c = &k->sml->source->counters;
    uint64_t lost = k->bytes - k->in_files - k->stream.len;

    c->lost += lost - k->lost;
    k->lost = lost;
    c->damaged += k->stream.damaged - k->told;
    k->told = k->stream.damaged;
}

static enum emt_err put_file(void *ctx, const uint8_t *file, size_t len)
{
    struct connection *k = ctx;

    k->in_files += len;
    source_put(k->sml->source, PROTOCOL_SML, FRAME_FORMAT_AUTO, file, len);
    return EMT_OK;
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct connection *k = ctx;
    struct source *s = k->sml->source;

    k->last_ms = clock_mono_ms();
    k->bytes += n;
    s->counters.bytes += n;
    if (sml_stream_push(&k->stream, p, n, put_file, k) != EMT_OK)
        LOG_ERROR("source-failed", LOG_S("source", s->config->name));
    backoff_reset(&s->backoff); /* it is more than a port that opens and closes */
    count(k);
    log_losses(k->sml, false);
    source_after(k->silence, s->config->sml.silence_ms);
}

static void flush(struct connection *k)
{
    if (sml_stream_flush(&k->stream, put_file, k) != EMT_OK)
        LOG_ERROR("source-failed", LOG_S("source", k->sml->source->config->name));
    count(k);
}

/* The connection is over: `reason` NULL when we free it. */
static void end(struct connection *k, const char *reason)
{
    struct sml *m = k->sml;
    struct source *s = m->source;

    if (!k->used)
        return;
    k->used = false;
    event_del(k->silence);
    source_port_close(k->port);
    if (reason)
        flush(k);
    s->counters.connected--;
    LOG_INFO("source-disconnected", LOG_S("source", s->config->name), LOG_S("text", reason),
             LOG_I("bytes", k->bytes), LOG_I("lost", k->lost));
    log_losses(m, true);
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
    struct connection *k = arg;
    const struct source_config *c = k->sml->source->config;
    int64_t idle = clock_mono_ms() - k->last_ms;

    (void)fd;
    (void)what;
    flush(k);
    log_losses(k->sml, false);
    if (idle < c->sml.idle_ms) {
        source_after(k->silence, c->sml.idle_ms - idle + 1);
        return;
    }
    end(k, "silent for too long");
    if (c->place == SOURCE_CONNECT)
        source_failed(k->sml->source, "silent for too long");
}

static void begin_connection(struct connection *k)
{
    struct source *s = k->sml->source;

    sml_stream_init(&k->stream, k->buf, DECODE_FRAME_MAX);
    k->in_files = k->bytes = k->lost = 0;
    k->told = 0;
    k->used = true;
    k->last_ms = clock_mono_ms();
    s->counters.connected++;
    LOG_INFO("source-connected", LOG_S("source", s->config->name));
    source_after(k->silence, s->config->sml.idle_ms);
}

static void on_up(void *ctx)
{
    begin_connection(ctx);
}

static void on_down(void *ctx, const char *reason)
{
    struct connection *k = ctx;

    end(k, reason);
    if (k->sml->source->config->place == SOURCE_CONNECT)
        source_failed(k->sml->source, reason);
}

static void begin(struct source *s)
{
    struct sml *m = s->own;

    source_port_open(m->list[0].port, s->config);
}

/* ---- listening ---- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                      int len, void *arg)
{
    struct sml *m = arg;

    (void)listener;
    (void)addr;
    (void)len;
    for (unsigned i = 0; i < m->n; i++) {
        struct connection *k = &m->list[i];
        if (k->used)
            continue;
        if (source_port_adopt(k->port, fd) == EMT_OK) {
            begin_connection(k);
            return;
        }
        break;
    }
    m->source->counters.refused++;
    LOG_WARN("source-connection-refused", LOG_S("source", m->source->config->name),
             LOG_I("connections", m->source->counters.connected));
    evutil_closesocket(fd);
}

static enum emt_err listen_on(struct source *s, struct emt_diag *diag)
{
    struct sml *m = s->own;
    const struct endpoint *e = &s->config->endpoint;
    struct endpoint_address address[2];
    size_t n = 0;

    if (endpoint_resolve(e, 0, address, 2, &n) != EMT_OK)
        return emt_fail(diag, EMT_EIO, "source %s: %.200s does not resolve", s->config->name,
                        e->host);
    for (size_t i = 0; i < n; i++) {
        unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;

        if (address[i].addr.ss_family == AF_INET6)
            flags |= LEV_OPT_BIND_IPV6ONLY; /* "::" leaves IPv4 to a source of its own */
        m->listener[i] =
            evconnlistener_new_bind(s->base, on_accept, m, flags, 16,
                                    (const struct sockaddr *)&address[i].addr, (int)address[i].len);
        if (!m->listener[i])
            return emt_fail(diag, EMT_EIO, "source %s: cannot listen on %.200s:%s: %s",
                            s->config->name, e->host, e->port, strerror(errno));
    }
    return EMT_OK;
}

/* ---- life ---- */

static enum emt_err open_sml(struct source *s, struct emt_diag *diag)
{
    struct sml *m = calloc(1, sizeof *m);

    s->own = m;
    if (!m)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    m->source = s;
    m->n = s->config->place == SOURCE_LISTEN ? s->config->sml.connections : 1;
    m->list = calloc(m->n, sizeof *m->list);
    for (unsigned i = 0; m->list && i < m->n; i++) {
        struct connection *k = &m->list[i];
        struct source_port_events events = { on_up, on_bytes, on_down, k };

        k->sml = m;
        k->port = source_port_new(s->base, &events);
        k->buf = malloc(DECODE_FRAME_MAX);
        k->silence = evtimer_new(s->base, on_silence, k);
        if (!k->port || !k->buf || !k->silence)
            return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    if (!m->list)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (s->config->place == SOURCE_LISTEN)
        return listen_on(s, diag);
    source_after(s->next, 0);
    return EMT_OK;
}

static void close_sml(struct source *s)
{
    struct sml *m = s->own;

    if (!m)
        return;
    for (unsigned i = 0; m->list && i < m->n; i++) {
        end(&m->list[i], NULL);
        source_port_free(m->list[i].port);
        free(m->list[i].buf);
        if (m->list[i].silence)
            event_free(m->list[i].silence);
    }
    for (size_t i = 0; i < 2; i++) {
        if (m->listener[i])
            evconnlistener_free(m->listener[i]);
    }
    free(m->list);
    free(m);
    s->own = NULL;
}

const struct source_kind source_kind_sml = { open_sml, begin, close_sml };
