#include "fleet_attack.h"

#include "agent/gateway_config.h"
#include "base/clock.h"
#include "base/file.h"
#include "fleet.h"
#include "fleet_dir.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MAX 65536u
#define DRIP_MS 250
#define AGAIN_MS                                                                                   \
    20 /* after the end of a connection, and the whole's start is spread over as much */

static const char *const mode_names[ATTACK_MODES] = {
    [ATTACK_HALF_OPEN] = "half-open",
    [ATTACK_SLOW_HELLO] = "slow-hello",
    [ATTACK_GARBAGE] = "garbage",
    [ATTACK_NO_HELLO] = "no-hello",
    [ATTACK_JUNK] = "junk",
    [ATTACK_OVERSIZED] = "oversized",
    [ATTACK_SLOW_MESSAGE] = "slow-message",
    [ATTACK_STORM] = "storm",
};

/* RFC 5246, 7.4.1.2: a record of 512 bytes that begins a ClientHello of 508. */
static const uint8_t client_hello[] = { 0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc,
                                        0x03, 0x03, 0x45, 0x6d, 0x74, 0x45, 0x6d, 0x74, 0x45 };
/* The prefix of a message, four bytes of length, and what may follow. */
static const uint8_t two_gigabytes[] = { 0x80, 0x00, 0x00, 0x00, 0x0a };
static const uint8_t slow_message[] = { 0x00, 0x00, 0x40, 0x00, 0x0a };

enum bad_state { BAD_WAITING, BAD_CONNECTING, BAD_TLS, BAD_ACTING };

struct bad {
    struct attack *attack;
    enum bad_state state;
    int fd;
    struct tls_conn *tls;
    struct event *io, *timer;
    size_t said; /* bytes, of what is said slowly */
};

struct attack {
    const struct attack_options *o;
    struct event_base *base;
    struct tls_context *tls;
    struct endpoint_address address;
    struct bad *bad;
    struct event *report, *end;
    int64_t started_ms;
    uint64_t opened, refused, closed, open;
};

enum emt_err attack_mode_parse(const char *name, enum attack_mode *out)
{
    for (int i = 0; i < ATTACK_MODES; i++) {
        if (strcmp(name, mode_names[i]) == 0) {
            *out = (enum attack_mode)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

static void arm(struct event *timer, long ms)
{
    struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

    event_add(timer, &tv);
}

/* --- one connection --- */

static void bad_over(struct bad *b)
{
    struct attack *a = b->attack;

    if (b->state == BAD_CONNECTING)
        a->refused++;
    else {
        a->closed++;
        a->open--;
    }
    event_del(b->io);
    tls_conn_free(b->tls);
    b->tls = NULL;
    close(b->fd);
    b->fd = -1;
    b->state = BAD_WAITING;
    arm(b->timer, AGAIN_MS);
}

/* false: the connection is over. */
static bool say(struct bad *b, const void *p, size_t n)
{
    enum tls_wait wait;
    enum emt_err err = EMT_EIO;
    size_t done = 0;

    if (b->tls)
        err = tls_conn_write(b->tls, p, n, &done, &wait);
    else if (send(b->fd, p, n, MSG_NOSIGNAL) >= 0 || errno == EAGAIN)
        err = EMT_OK;
    if (err == EMT_OK || err == EMT_EAGAIN)
        return true;
    bad_over(b);
    return false;
}

static void say_junk(struct bad *b)
{
    uint8_t junk[256];

    memset(junk, 0xff, sizeof junk);
    (void)!getrandom(junk, sizeof junk, GRND_NONBLOCK); /* all bits set are as bad */
    if (b->attack->o->mode == ATTACK_JUNK)
        memcpy(junk, (const uint8_t[]){ 0, 0, 0, 64 }, 4); /* a length that is believed */
    else
        junk[0] = 0x47; /* no record of TLS */
    (void)say(b, junk, sizeof junk);
}

static void drip(struct bad *b, const uint8_t *p, size_t n)
{
    size_t at = b->said < n ? b->said : n - 1;

    b->said++;
    if (say(b, p + at, 1))
        arm(b->timer, DRIP_MS);
}

static void act(struct bad *b)
{
    switch (b->attack->o->mode) {
    case ATTACK_HALF_OPEN:
    case ATTACK_NO_HELLO:
    case ATTACK_MODES:
        break;
    case ATTACK_SLOW_HELLO:
        drip(b, client_hello, sizeof client_hello);
        break;
    case ATTACK_GARBAGE:
    case ATTACK_JUNK:
        say_junk(b);
        break;
    case ATTACK_OVERSIZED:
        (void)say(b, two_gigabytes, sizeof two_gigabytes);
        break;
    case ATTACK_SLOW_MESSAGE:
        drip(b, slow_message, sizeof slow_message);
        break;
    case ATTACK_STORM:
        bad_over(b);
        break;
    }
}

static bool speaks_tls(enum attack_mode m)
{
    return m >= ATTACK_NO_HELLO;
}

static void watch(struct bad *b, short what);

static void shake(struct bad *b)
{
    enum tls_wait wait;
    enum emt_err err = tls_conn_handshake(b->tls, &wait);

    if (err == EMT_EAGAIN) {
        watch(b, wait == TLS_WAIT_WRITE ? EV_WRITE : EV_READ);
        return;
    }
    if (err != EMT_OK) {
        bad_over(b);
        return;
    }
    b->state = BAD_ACTING;
    watch(b, EV_READ);
    act(b);
}

static void connected(struct bad *b)
{
    struct attack *a = b->attack;
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        bad_over(b);
        return;
    }
    a->opened++;
    a->open++;
    b->said = 0;
    b->state = BAD_ACTING;
    if (speaks_tls(a->o->mode)) {
        b->state = BAD_TLS;
        b->tls = tls_conn_connect(a->tls, b->fd, a->o->address->host);
        if (b->tls)
            shake(b);
        else
            bad_over(b);
        return;
    }
    watch(b, EV_READ);
    act(b);
}

/* Whatever comes is thrown away. */
static void hear(struct bad *b)
{
    uint8_t buf[4096];
    enum tls_wait wait;
    enum emt_err err = EMT_EAGAIN;
    size_t n = 0;

    if (b->tls) {
        err = tls_conn_read(b->tls, buf, sizeof buf, &n, &wait);
    } else {
        ssize_t got = recv(b->fd, buf, sizeof buf, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            err = EMT_EIO;
    }
    if (err != EMT_OK && err != EMT_EAGAIN)
        bad_over(b);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct bad *b = arg;

    (void)fd;
    (void)what;
    if (b->state == BAD_CONNECTING)
        connected(b);
    else if (b->state == BAD_TLS)
        shake(b);
    else if (b->state == BAD_ACTING)
        hear(b);
}

static void watch(struct bad *b, short what)
{
    event_del(b->io);
    event_assign(b->io, b->attack->base, b->fd, (short)(what | EV_PERSIST), on_io, b);
    event_add(b->io, NULL);
}

static void dial(struct bad *b)
{
    const struct endpoint_address *to = &b->attack->address;

    b->fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->fd < 0) {
        b->attack->refused++;
        arm(b->timer, 1000);
        return;
    }
    b->state = BAD_CONNECTING;
    if (connect(b->fd, (const struct sockaddr *)&to->addr, to->len) != 0 && errno != EINPROGRESS)
        bad_over(b);
    else
        watch(b, EV_WRITE);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct bad *b = arg;

    (void)fd;
    (void)what;
    if (b->state == BAD_WAITING)
        dial(b);
    else if (b->state == BAD_ACTING)
        act(b);
}

/* --- all of them --- */

static void print_figures(const struct attack *a, bool final)
{
    int64_t ms = clock_mono_ms() - a->started_ms;

    printf("{\"seconds\":%lld.%03lld,\"mode\":\"%s\",\"opened\":%llu,\"refused\":%llu,"
           "\"closed\":%llu,\"open\":%llu%s}\n",
           (long long)(ms / 1000), (long long)(ms % 1000), mode_names[a->o->mode],
           (unsigned long long)a->opened, (unsigned long long)a->refused,
           (unsigned long long)a->closed, (unsigned long long)a->open,
           final ? ",\"final\":true" : "");
    fflush(stdout);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    print_figures(arg, false);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct attack *a = arg;

    (void)fd;
    (void)what;
    event_base_loopbreak(a->base);
}

static enum emt_err lend(struct attack *a, const struct gateway_config *c, struct emt_diag *diag)
{
    struct tls_settings s = { .profile = TLS_PROFILE_AGENT };
    struct trust *trust = trust_new();
    char *ca = NULL, *chain = NULL, *key = NULL;
    size_t ca_len = 0;
    enum emt_err err = trust ? file_read(c->ca, PEM_MAX, &ca, &ca_len, diag)
                             : emt_fail(diag, EMT_ENOMEM, "out of memory");

    if (err == EMT_OK)
        err = trust_add_pem(trust, ca, ca_len, diag);
    if (err == EMT_OK)
        err = file_read(c->certificate, PEM_MAX, &chain, &s.chain_len, diag);
    if (err == EMT_OK)
        err = file_read(c->key, PEM_MAX, &key, &s.key_len, diag);
    s.chain_pem = chain;
    s.key_pem = key;
    s.trust = trust;
    if (err == EMT_OK)
        err = tls_context_new(&s, &a->tls, diag);
    if (key)
        explicit_bzero(key, s.key_len);
    free(key);
    free(chain);
    free(ca);
    trust_unref(trust);
    return err;
}

static enum emt_err borrow_certificate(struct attack *a, struct emt_diag *diag)
{
    struct fleet_dir dir = { 0 };
    struct gateway_config *c = calloc(1, sizeof *c);
    enum emt_err err =
        c ? fleet_dir_read(a->o->dir, 1, &dir, diag) : emt_fail(diag, EMT_ENOMEM, "out of memory");

    if (err == EMT_OK)
        err = gateway_config_load(dir.member[0].path, c, diag);
    if (err == EMT_OK)
        err = lend(a, c, diag);
    fleet_dir_release(&dir);
    free(c);
    return err;
}

static enum emt_err set_up(struct attack *a, struct emt_diag *diag)
{
    struct timeval second = { 1, 0 }, end = { (time_t)a->o->seconds, 0 };
    size_t n = 0;
    enum emt_err err = borrow_certificate(a, diag);

    if (err != EMT_OK)
        return err;
    if (endpoint_resolve(a->o->address, 0, &a->address, 1, &n) != EMT_OK || n == 0)
        return emt_fail(diag, EMT_ENOTFOUND, "%s does not resolve", a->o->address->host);
    a->base = event_base_new();
    a->bad = calloc(a->o->connections, sizeof *a->bad);
    if (!a->base || !a->bad)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    a->report = event_new(a->base, -1, EV_PERSIST, on_report, a);
    a->end = evtimer_new(a->base, on_end, a);
    if (!a->report || !a->end)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    event_add(a->report, &second);
    event_add(a->end, &end);
    for (uint32_t i = 0; i < a->o->connections; i++) {
        struct bad *b = &a->bad[i];
        *b = (struct bad){ .attack = a, .fd = -1 };
        b->timer = evtimer_new(a->base, on_timer, b);
        b->io = event_new(a->base, -1, EV_READ, on_io, b);
        if (!b->timer || !b->io)
            return emt_fail(diag, EMT_ENOMEM, "out of memory");
        arm(b->timer, (long)((uint64_t)i * 1000 / a->o->connections));
    }
    return EMT_OK;
}

static void release(struct attack *a)
{
    for (uint32_t i = 0; a->bad && i < a->o->connections; i++) {
        struct bad *b = &a->bad[i];
        if (b->timer)
            event_free(b->timer);
        if (b->io)
            event_free(b->io);
        tls_conn_free(b->tls);
        if (b->attack && b->fd >= 0)
            close(b->fd);
    }
    free(a->bad);
    if (a->report)
        event_free(a->report);
    if (a->end)
        event_free(a->end);
    if (a->base)
        event_base_free(a->base);
    tls_context_unref(a->tls);
}

int fleet_attack(const struct attack_options *o, struct emt_diag *diag)
{
    struct attack a = { .o = o, .started_ms = clock_mono_ms() };
    int code = 2;

    fleet_raise_descriptors();
    if (set_up(&a, diag) == EMT_OK) {
        event_base_dispatch(a.base);
        print_figures(&a, true);
        code = 0;
    }
    release(&a);
    return code;
}
