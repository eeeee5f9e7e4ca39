/* Read-outs of IEC 62056-21 meters, over TCP (a serial converter) or a serial port: one reading at
 * each interval, mode D as often as the meter sends and at most once per interval.
 *
 * A read-out is a frame as it came. Replies of programming mode are put together as one data
 * message under the meter's identification line: what a reply leaves out (the code, where it is the
 * one asked for) is written before it, and the block check is made anew. */
#include "base/log.h"
#include "base/writer.h"
#include "parsers/decode.h"
#include "parsers/iec_line.h"
#include "source_internal.h"
#include "source_port.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define STX 0x02
#define ETX 0x03
#define SEVEN_BITS 0x7fu
#define LINGER_MS 400 /* the break at the end has to leave a serial port */

struct iec {
    struct source *source;
    struct source_port *port;
    struct iec_line line;
    struct iec_line_plan plan;
    struct iec_line_command commands[SOURCE_COMMANDS_MAX];
    char password[sizeof(struct source_secret) + 1];
    struct event *silence, *limit;
    struct writer answers; /* of programming mode */
    bool reading, ending, reply_goes_on, too_long;
    const char *reason;
    uint8_t buf[DECODE_FRAME_MAX];
    uint8_t composed[DECODE_FRAME_MAX];
};

/* ---- end of a reading ---- */

static void end(struct iec *m, const char *reason)
{
    struct source *s = m->source;

    m->reading = m->ending = false;
    event_del(m->silence);
    event_del(m->limit);
    source_port_close(m->port);
    s->counters.connected = 0;
    if (reason)
        source_failed(s, reason);
    else
        source_done(s);
}

/* Replies that say why there is no value: "(ER23)", "(ERROR)". */
static bool is_error(const uint8_t *p, size_t n)
{
    const uint8_t *bracket = memchr(p, '(', n);

    return bracket && (size_t)(p + n - bracket) > 3 && memcmp(bracket, "(ER", 3) == 0;
}

static void put_composed(struct iec *m)
{
    struct writer w;
    uint8_t bcc = 0;
    size_t from;

    if (m->answers.len == 0)
        return;
    writer_init_fixed(&w, m->composed, sizeof m->composed);
    writer_bytes(&w, m->line.buf, m->line.ident_len);
    writer_u8(&w, STX);
    from = w.len;
    writer_bytes(&w, m->answers.data, m->answers.len);
    writer_text(&w, "!\r\n");
    writer_u8(&w, ETX);
    for (size_t i = from; i < w.len && !w.failed; i++)
        bcc ^= w.data[i] & SEVEN_BITS;
    writer_u8(&w, bcc);
    if (w.failed || m->answers.failed)
        m->too_long = true;
    else
        source_put(m->source, PROTOCOL_IEC62056_21, FRAME_FORMAT_AUTO, w.data, w.len);
}

/* The machine has closed: what it leaves on the line may still leave. */
static void finish(struct iec *m)
{
    event_del(m->limit);
    if (m->line.result == IEC_LINE_DONE && m->plan.program)
        put_composed(m);
    m->reason = m->line.result != IEC_LINE_DONE ? iec_line_result_text(m->line.result)
                : m->too_long                   ? "longer than a frame"
                                                : NULL;
    m->ending = true;
    source_after(m->silence, m->source->config->place == SOURCE_DEVICE ? LINGER_MS : 0);
}

/* After everything that can move the machine. */
static void go_on(struct iec *m)
{
    unsigned wait = iec_line_wait_ms(&m->line);

    if (!m->reading || m->ending)
        return;
    if (wait)
        source_after(m->silence, wait);
    else
        finish(m);
}

/* ---- the port of the machine ---- */

static void on_send(void *ctx, const uint8_t *p, size_t n)
{
    struct iec *m = ctx;

    source_port_write(m->port, p, n);
}

static void on_baud(void *ctx, unsigned baud)
{
    struct iec *m = ctx;

    source_port_baud(m->port, m->plan.listen ? m->source->config->iec.speed : baud);
}

static void put_reply(struct iec *m, int command, const uint8_t *p, size_t n, bool more)
{
    struct writer *w = &m->answers;
    const char *text = m->commands[command].text;

    if (n < 3 || p[0] != STX)
        return; /* an acknowledgement */
    p++;
    n -= 3; /* STX, ETX or EOT, BCC */
    if (is_error(p, n)) {
        LOG_WARN("source-command-refused", LOG_S("source", m->source->config->name),
                 LOG_S("command", text));
        m->reply_goes_on = more;
        return;
    }
    if (n > 0 && p[0] == '(' && !m->reply_goes_on)
        writer_bytes(w, text, strcspn(text, "("));
    writer_bytes(w, p, n);
    if (!more && w->len && w->data[w->len - 1] != '\n')
        writer_text(w, "\r\n");
    m->reply_goes_on = more;
}

static void on_message(void *ctx, int command, const uint8_t *p, size_t n, bool more)
{
    struct iec *m = ctx;

    if (command >= 0)
        put_reply(m, command, p, n, more);
    else
        source_put(m->source, PROTOCOL_IEC62056_21, FRAME_FORMAT_AUTO, p, n);
}

/* ---- events ---- */

static void on_up(void *ctx)
{
    struct iec *m = ctx;
    struct iec_line_port port = { on_send, on_baud, on_message, m };

    m->reading = true;
    m->source->counters.connected = 1;
    iec_line_start(&m->line, &port, &m->plan, m->buf, sizeof m->buf);
    go_on(m);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct iec *m = ctx;

    m->source->counters.bytes += n;
    if (m->ending)
        return;
    iec_line_bytes(&m->line, p, n);
    go_on(m);
}

static void on_down(void *ctx, const char *reason)
{
    struct iec *m = ctx;

    end(m, m->ending ? m->reason : reason);
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
    struct iec *m = arg;

    (void)fd;
    (void)what;
    if (m->ending) {
        end(m, m->reason);
        return;
    }
    iec_line_silence(&m->line);
    go_on(m);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end(arg, "not done in time");
}

static void begin(struct source *s)
{
    struct iec *m = s->own;

    writer_clear(&m->answers);
    m->reading = m->ending = m->reply_goes_on = m->too_long = false;
    source_after(m->limit, s->config->timeout_ms);
    source_port_open(m->port, s->config);
}

/* ---- life ---- */

static char code_of(unsigned baud)
{
    char code = '0';

    for (unsigned b = 300; b < baud && code < '6'; b *= 2)
        code++;
    return code;
}

static void make_plan(struct iec *m, const struct source_iec *c)
{
    memcpy(m->password, c->password.bytes, c->password.len);
    for (unsigned i = 0; i < c->ncommands; i++)
        m->commands[i] = (struct iec_line_command){ c->kind[i], c->text[i] };
    m->plan = (struct iec_line_plan){ .listen = c->mode == 'D',
                                      .echo = c->echo,
                                      .program = c->program,
                                      .address = c->address,
                                      .baud_most = c->mode == 'A' ? '0' : code_of(c->speed),
                                      .password_level = c->password_level,
                                      .password = m->password,
                                      .commands = m->commands,
                                      .ncommands = c->ncommands };
}

static enum emt_err open_iec(struct source *s, struct emt_diag *diag)
{
    struct iec *m = calloc(1, sizeof *m);
    struct source_port_events events = { on_up, on_bytes, on_down, m };

    s->own = m;
    if (!m)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    m->source = s;
    writer_init_heap(&m->answers, DECODE_FRAME_MAX);
    make_plan(m, &s->config->iec);
    m->port = source_port_new(s->base, &events);
    m->silence = evtimer_new(s->base, on_silence, m);
    m->limit = evtimer_new(s->base, on_limit, m);
    if (!m->port || !m->silence || !m->limit)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    source_after(s->next, 0);
    return EMT_OK;
}

static void close_iec(struct source *s)
{
    struct iec *m = s->own;

    if (!m)
        return;
    source_port_free(m->port);
    if (m->silence)
        event_free(m->silence);
    if (m->limit)
        event_free(m->limit);
    writer_release(&m->answers);
    explicit_bzero(m, sizeof *m);
    free(m);
    s->own = NULL;
}

const struct source_kind source_kind_iec = { open_iec, begin, close_iec };
