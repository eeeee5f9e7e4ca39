#include "source_port.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ADDRESSES_MAX 8
#define BITS_PER_BYTE 10u /* start, seven and parity or eight, stop */

struct source_port {
    struct event_base *base;
    struct source_port_events events;
    const struct source_config *config;
    evutil_socket_t fd;
    struct event *readable, *writable, *timer; /* timer: connecting, or a speed change */
    struct endpoint_address address[ADDRESSES_MAX];
    size_t naddresses, next_address;
    bool connecting;
    uint8_t out[SOURCE_PORT_OUT_MAX];
    size_t out_len;
    unsigned baud, wanted; /* serial port: speed now and, not 0, the next one */
    int64_t busy_until_ms; /* serial port: what was handed to the system is on the wire till then */
};

static void try_next(struct source_port *p);

struct source_port *source_port_new(struct event_base *base,
                                    const struct source_port_events *events)
{
    struct source_port *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->base = base;
    p->events = *events;
    p->fd = -1;
    return p;
}

static void drop(struct event **ev)
{
    if (*ev)
        event_free(*ev);
    *ev = NULL;
}

void source_port_close(struct source_port *p)
{
    drop(&p->readable);
    drop(&p->writable);
    drop(&p->timer);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->connecting = false;
    p->out_len = 0;
    p->baud = p->wanted = 0;
    p->naddresses = p->next_address = 0;
    explicit_bzero(p->out, sizeof p->out); /* it may have been a password */
}

void source_port_free(struct source_port *p)
{
    if (!p)
        return;
    source_port_close(p);
    free(p);
}

bool source_port_is_open(const struct source_port *p)
{
    return p->fd >= 0 && !p->connecting;
}

static void fail(struct source_port *p, const char *reason)
{
    source_port_close(p);
    p->events.down(p->events.ctx, reason);
}

static void after(struct source_port *p, int64_t ms)
{
    struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

    event_add(p->timer, &tv);
}

/* ---- serial ports ---- */

static speed_t speed_of(unsigned baud)
{
    static const struct {
        unsigned baud;
        speed_t speed;
    } speeds[] = { { 300, B300 },     { 600, B600 },      { 1200, B1200 },   { 2400, B2400 },
                   { 4800, B4800 },   { 9600, B9600 },    { 19200, B19200 }, { 38400, B38400 },
                   { 57600, B57600 }, { 115200, B115200 } };

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i].baud == baud)
            return speeds[i].speed;
    }
    return B300;
}

static bool set_line(struct source_port *p, unsigned baud)
{
    struct termios t;
    speed_t speed = speed_of(baud);

    if (tcgetattr(p->fd, &t) != 0)
        return false;
    cfmakeraw(&t);
    t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS);
    t.c_cflag |= CLOCAL | CREAD | (p->config->iec.eight ? CS8 : CS7 | PARENB);
    t.c_iflag |= IGNBRK;
    if (cfsetispeed(&t, speed) != 0 || cfsetospeed(&t, speed) != 0 ||
        tcsetattr(p->fd, TCSADRAIN, &t) != 0)
        return false;
    p->baud = baud;
    return true;
}

/* ---- bytes ---- */

static void on_writable(evutil_socket_t fd, short what, void *arg);

/* The bytes leave at the speed they were written with; the system holds them so long. */
static void note_sent(struct source_port *p, size_t n)
{
    int64_t now = clock_mono_ms();

    if (p->baud == 0)
        return;
    if (p->busy_until_ms < now)
        p->busy_until_ms = now;
    p->busy_until_ms += (int64_t)(n * BITS_PER_BYTE * 1000 / p->baud) + 1;
    if (p->wanted && p->out_len == 0)
        after(p, p->busy_until_ms - now);
}

static void flush(struct source_port *p)
{
    while (p->out_len > 0) {
        ssize_t n = write(p->fd, p->out, p->out_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            event_add(p->writable, NULL);
            return;
        }
        if (n <= 0)
            return; /* reading finds out why, outside of this call */
        p->out_len -= (size_t)n;
        memmove(p->out, p->out + n, p->out_len);
        explicit_bzero(p->out + p->out_len, (size_t)n);
        note_sent(p, (size_t)n);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct source_port *p = arg;
    uint8_t buf[SOURCE_PORT_READ];
    ssize_t n = read(fd, buf, sizeof buf);

    (void)what;
    if (n > 0)
        p->events.bytes(p->events.ctx, buf, (size_t)n);
    else if (n == 0)
        fail(p, "closed by the other side");
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail(p, errno == ECONNRESET ? "connection reset" : "read error");
}

void source_port_write(struct source_port *p, const uint8_t *data, size_t n)
{
    if (p->fd < 0)
        return;
    if (n > sizeof p->out - p->out_len)
        return; /* nobody takes our bytes: there will be no answer */
    memcpy(p->out + p->out_len, data, n);
    p->out_len += n;
    if (!p->connecting)
        flush(p);
}

void source_port_baud(struct source_port *p, unsigned baud)
{
    if (p->fd < 0 || p->config == NULL || p->config->place != SOURCE_DEVICE || baud == p->baud)
        return;
    int64_t left = p->busy_until_ms - clock_mono_ms();

    p->wanted = baud;
    if (p->out_len == 0)
        after(p, left > 0 ? left : 0);
}

/* ---- opening ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct source_port *p = arg;

    (void)fd;
    (void)what;
    if (p->connecting) {
        drop(&p->readable);
        drop(&p->writable);
        drop(&p->timer);
        close(p->fd);
        p->fd = -1;
        try_next(p);
    } else if (p->wanted) {
        unsigned baud = p->wanted;

        p->wanted = 0;
        if (!set_line(p, baud))
            fail(p, "the speed cannot be set");
    }
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct source_port *p = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        on_timer(-1, 0, p);
        return;
    }
    p->connecting = false;
    event_del(p->timer);
    drop(&p->writable);
    p->writable = event_new(p->base, p->fd, EV_WRITE, on_writable, p);
    if (!p->writable) {
        fail(p, "out of memory");
        return;
    }
    event_add(p->readable, NULL);
    p->events.up(p->events.ctx);
    if (p->fd >= 0)
        flush(p);
}

static bool make_events(struct source_port *p, event_callback_fn writable)
{
    p->readable = event_new(p->base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
    p->writable = event_new(p->base, p->fd, EV_WRITE, writable, p);
    p->timer = evtimer_new(p->base, on_timer, p);
    if (p->readable && p->writable && p->timer)
        return true;
    drop(&p->readable);
    drop(&p->writable);
    drop(&p->timer);
    return false;
}

/* The next address; down() when there is none left. */
static void try_next(struct source_port *p)
{
    while (p->next_address < p->naddresses) {
        const struct endpoint_address *a = &p->address[p->next_address++];
        int one = 1;

        p->fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fd < 0)
            continue;
        (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if ((connect(p->fd, (const struct sockaddr *)&a->addr, a->len) == 0 ||
             errno == EINPROGRESS) &&
            make_events(p, on_connected)) {
            p->connecting = true;
            event_add(p->writable, NULL);
            after(p, p->config->timeout_ms);
            return;
        }
        close(p->fd);
        p->fd = -1;
    }
    fail(p, "no connection");
}

static const char *open_device(struct source_port *p)
{
    p->fd = open(p->config->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->fd < 0)
        return "the device cannot be opened";
    if (!isatty(p->fd))
        return "the device is no serial port";
    /* Two readers on one line read nonsense. */
    if (ioctl(p->fd, TIOCEXCL) != 0 || !set_line(p, 300))
        return "the line cannot be set";
    return make_events(p, on_writable) ? NULL : "out of memory";
}

/* The answer of source_port_open() comes from the loop, never from within the call. */
static void on_begin(evutil_socket_t fd, short what, void *arg)
{
    struct source_port *p = arg;
    const char *reason;

    (void)fd;
    (void)what;
    if (p->config->place != SOURCE_DEVICE) {
        drop(&p->timer);
        if (endpoint_resolve(&p->config->endpoint, 0, p->address, ADDRESSES_MAX, &p->naddresses) !=
            EMT_OK)
            fail(p, "the name does not resolve");
        else
            try_next(p);
        return;
    }
    drop(&p->timer);
    reason = open_device(p);
    if (reason) {
        fail(p, reason);
        return;
    }
    event_add(p->readable, NULL);
    p->events.up(p->events.ctx);
}

void source_port_open(struct source_port *p, const struct source_config *config)
{
    struct timeval now = { 0, 0 };

    source_port_close(p);
    p->config = config;
    p->timer = evtimer_new(p->base, on_begin, p);
    if (p->timer)
        event_add(p->timer, &now);
    else
        p->events.down(p->events.ctx, "out of memory");
}

enum emt_err source_port_adopt(struct source_port *p, evutil_socket_t fd)
{
    source_port_close(p);
    p->fd = fd;
    if (!make_events(p, on_writable)) {
        p->fd = -1;
        return EMT_ENOMEM;
    }
    event_add(p->readable, NULL);
    return EMT_OK;
}
