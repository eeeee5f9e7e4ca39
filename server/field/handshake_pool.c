#define _GNU_SOURCE /* POLLRDHUP */
#include "handshake_pool.h"

#include "base/clock.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "proxy.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define EVENTS_A_TURN 32
#define CROWDED_MS 100 /* between two looks for the silent */
/* After so many handshakes, and a rest, what they took is given back to the system: malloc keeps
 * it, and a node that saw a storm would stay as large as it was then. */
#define TRIM_AFTER 500
#define TRIM_REST_MS 3000

static const char *const outcome_names[HANDSHAKE_OUTCOMES] = {
    [HANDSHAKE_OK] = "ok",
    [HANDSHAKE_HTTP] = "http",
    [HANDSHAKE_GARBAGE] = "garbage",
    [HANDSHAKE_PROXY] = "proxy-header",
    [HANDSHAKE_NO_COMMON] = "no-common-profile",
    [HANDSHAKE_NO_CERTIFICATE] = "no-certificate",
    [HANDSHAKE_NO_ALPN] = "no-alpn",
    [HANDSHAKE_BAD_CERTIFICATE] = "bad-certificate",
    [HANDSHAKE_EXPIRED] = "expired",
    [HANDSHAKE_NOT_YET_VALID] = "not-yet-valid",
    [HANDSHAKE_WRONG_TENANT] = "wrong-tenant",
    [HANDSHAKE_SELF_SIGNED] = "self-signed",
    [HANDSHAKE_NOT_PINNED] = "not-pinned",
    [HANDSHAKE_WEAK_DIGEST] = "weak-digest",
    [HANDSHAKE_WEAK_CURVE] = "weak-curve",
    [HANDSHAKE_WEAK] = "weak-key",
    [HANDSHAKE_WRONG_USAGE] = "wrong-key-usage",
    [HANDSHAKE_STALE] = "session-too-old",
    [HANDSHAKE_REVOKED] = "revoked",
    [HANDSHAKE_REFUSED] = "refused-by-peer",
    [HANDSHAKE_TIMEOUT] = "timeout",
    [HANDSHAKE_PEER_CLOSED] = "peer-closed",
    [HANDSHAKE_QUEUE_FULL] = "queue-full",
    [HANDSHAKE_BROKEN] = "broken",
    [HANDSHAKE_STOPPED] = "stopped",
};

const char *handshake_outcome_name(enum handshake_outcome o)
{
    return outcome_names[o];
}

struct handshake {
    struct handshake *next, *prev; /* in the order of the deadlines, which is that of arrival */
    struct tls_context *context;   /* until the connection stands on it */
    struct tls_conn *tls;
    struct proxy_header *proxy; /* until it is whole */
    int fd;
    int64_t deadline_ms;
    uint32_t watched; /* epoll events */
    void *owner;
    char peer[46];
};

struct worker {
    struct handshake_pool *pool;
    pthread_t thread;
    bool started;
    int epoll_fd, wake_fd;
    pthread_mutex_t mutex;   /* guards inbox */
    struct handshake *inbox; /* newest first, linked by next */
    struct handshake *first, *last;
    unsigned n;    /* in that list */
    unsigned done; /* handshakes since memory was given back */
};

struct handshake_pool {
    struct handshake_settings settings;
    atomic_uint count, turn;
    atomic_bool stopping;
    unsigned nworkers;
    struct worker workers[];
};

/* What pki/ and OpenSSL call it (X509_verify_cert_error_string). */
static enum handshake_outcome judge_certificate(const char *reason)
{
    static const struct {
        const char *part;
        enum handshake_outcome outcome;
    } known[] = {
        { "expired session", HANDSHAKE_STALE },
        { "has expired", HANDSHAKE_EXPIRED },
        { "not yet valid", HANDSHAKE_NOT_YET_VALID },
        { "organisation does not match", HANDSHAKE_WRONG_TENANT },
        { "revoked", HANDSHAKE_REVOKED },
        { "self-signed", HANDSHAKE_SELF_SIGNED },
        { "not pinned", HANDSHAKE_NOT_PINNED },
        { "digest", HANDSHAKE_WEAK_DIGEST },
        { "curve", HANDSHAKE_WEAK_CURVE },
        { "too weak", HANDSHAKE_WEAK },
        { "ey usage", HANDSHAKE_WRONG_USAGE },
        { "purpose", HANDSHAKE_WRONG_USAGE },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(reason, known[i].part))
            return known[i].outcome;
    return HANDSHAKE_BAD_CERTIFICATE;
}

enum handshake_outcome handshake_judge(enum emt_err err, const char *reason)
{
    if (err == EMT_EAUTH) {
        if (strcmp(reason, "no client certificate") == 0)
            return HANDSHAKE_NO_CERTIFICATE;
        if (strncmp(reason, "refused by peer", 15) == 0)
            return HANDSHAKE_REFUSED;
        return judge_certificate(reason);
    }
    if (strcmp(reason, "http-request") == 0)
        return HANDSHAKE_HTTP;
    if (strcmp(reason, "no common alpn") == 0)
        return HANDSHAKE_NO_ALPN;
    if (strncmp(reason, "no common", 9) == 0)
        return HANDSHAKE_NO_COMMON;
    if (err == EMT_EIO)
        return HANDSHAKE_PEER_CLOSED;
    return emt_err_class(err) == EMT_CLASS_REJECT ? HANDSHAKE_GARBAGE : HANDSHAKE_BROKEN;
}

/* ---- one connection ---- */

static void unlink_handshake(struct worker *w, struct handshake *h)
{
    w->n--;
    if (h->prev)
        h->prev->next = h->next;
    else
        w->first = h->next;
    if (h->next)
        h->next->prev = h->prev;
    else
        w->last = h->prev;
}

static void handshake_release(struct worker *w, struct handshake *h)
{
    tls_context_unref(h->context);
    free(h->proxy);
    free(h);
    atomic_fetch_sub(&w->pool->count, 1);
}

/* h is on no list any more. */
static void handshake_fail(struct worker *w, struct handshake *h, enum handshake_outcome o)
{
    char reason[160];

    snprintf(reason, sizeof reason, "%s", h->tls ? tls_conn_reason(h->tls) : "");
    tls_conn_free(h->tls);
    close(h->fd); /* leaves the epoll set */
    w->pool->settings.failed(h->owner, o, reason, h->peer);
    handshake_release(w, h);
}

static void handshake_up(struct worker *w, struct handshake *h)
{
    epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, h->fd, NULL);
    w->pool->settings.up(h->owner, h->tls, h->fd, h->peer);
    handshake_release(w, h);
}

static bool handshake_watch(struct worker *w, struct handshake *h, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = h };

    if (h->watched == events)
        return true;
    if (epoll_ctl(w->epoll_fd, h->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, h->fd, &ev) != 0)
        return false;
    h->watched = events;
    return true;
}

static void handshake_tls(struct worker *w, struct handshake *h);

/* The balancer's header comes first; then TLS begins. */
static void handshake_proxy(struct worker *w, struct handshake *h)
{
    enum emt_err err = proxy_header_read(h->proxy, h->fd);

    if (err == EMT_EAGAIN && handshake_watch(w, h, EPOLLIN))
        return;
    if (err == EMT_OK)
        err = proxy_header_peer(h->proxy, h->peer);
    if (err != EMT_OK) {
        unlink_handshake(w, h);
        handshake_fail(w, h,
                       err == EMT_EIO          ? HANDSHAKE_PEER_CLOSED
                       : err == EMT_EMALFORMED ? HANDSHAKE_PROXY
                                               : HANDSHAKE_BROKEN);
        return;
    }
    free(h->proxy);
    h->proxy = NULL;
    handshake_tls(w, h);
}

static void handshake_step(struct worker *w, struct handshake *h)
{
    enum tls_wait wait;

    if (h->proxy) {
        handshake_proxy(w, h);
        return;
    }
    enum emt_err err = tls_conn_handshake(h->tls, &wait);
    enum handshake_outcome o = HANDSHAKE_BROKEN;

    if (err == EMT_EAGAIN && handshake_watch(w, h, wait == TLS_WAIT_WRITE ? EPOLLOUT : EPOLLIN))
        return;
    unlink_handshake(w, h);
    if (err == EMT_OK && tls_conn_peer(h->tls)->present) {
        handshake_up(w, h);
        return;
    }
    if (err == EMT_OK)
        o = HANDSHAKE_NO_CERTIFICATE;
    else if (err != EMT_EAGAIN)
        o = handshake_judge(err, tls_conn_reason(h->tls));
    tls_conn_shutdown(h->tls);
    handshake_fail(w, h, o);
}

/* In a storm that is longer than the gateways' patience many have given up while they waited in the
 * kernel's queue, with their ClientHello still there: work for them would make the others wait
 * until they give up, too. */
static bool has_left(const struct handshake *h)
{
    struct pollfd p = { h->fd, POLLRDHUP, 0 };

    return poll(&p, 1, 0) == 1;
}

static void handshake_begin(struct worker *w, struct handshake *h)
{
    if (has_left(h)) {
        handshake_fail(w, h, HANDSHAKE_PEER_CLOSED);
        return;
    }
    w->done++;
    w->n++;
    h->prev = w->last;
    h->next = NULL;
    if (w->last)
        w->last->next = h;
    else
        w->first = h;
    w->last = h;
    if (h->proxy)
        handshake_proxy(w, h);
    else
        handshake_tls(w, h);
}

static void handshake_tls(struct worker *w, struct handshake *h)
{
    h->tls = tls_conn_accept(h->context, h->fd);
    if (!h->tls) {
        unlink_handshake(w, h);
        handshake_fail(w, h, HANDSHAKE_BROKEN);
        return;
    }
    handshake_step(w, h);
}

/* ---- a thread ---- */

static struct handshake *inbox_take(struct worker *w)
{
    struct handshake *newest, *oldest = NULL;

    pthread_mutex_lock(&w->mutex);
    newest = w->inbox;
    w->inbox = NULL;
    pthread_mutex_unlock(&w->mutex);
    while (newest) {
        struct handshake *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* No ClientHello was read, and there are no bytes to be read. */
static bool is_silent(const struct handshake *h)
{
    uint8_t byte;

    if (h->tls && tls_conn_heard(h->tls))
        return false;
    return recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* How many are near the limit, for one thread. */
static unsigned share_of(const struct handshake_pool *p)
{
    return p->settings.limit / p->settings.threads * 3 / 4;
}

/* Near the limit those give way who have been silent for long, so that nobody is kept out by
 * connections that say nothing. */
static void make_room(struct worker *w)
{
    const struct handshake_settings *s = &w->pool->settings;
    int64_t silent_since = clock_mono_ms() + s->timeout_ms * INT64_C(7) / 10; /* as a deadline */

    for (struct handshake *h = w->first, *next;
         h && w->n > share_of(w->pool) && h->deadline_ms <= silent_since; h = next) {
        next = h->next;
        if (!is_silent(h))
            continue;
        unlink_handshake(w, h);
        handshake_fail(w, h, HANDSHAKE_QUEUE_FULL);
    }
}

static void inbox_read(struct worker *w)
{
    struct handshake *h;
    uint64_t count;

    /* First the wake, then the inbox: the other way round one could get lost between. */
    if (read(w->wake_fd, &count, sizeof count) < 0)
        count = 0;
    h = inbox_take(w);
    while (h) {
        struct handshake *next = h->next;
        handshake_begin(w, h);
        h = next;
    }
}

static void expire(struct worker *w)
{
    int64_t now = clock_mono_ms();

    while (w->first && w->first->deadline_ms <= now) {
        struct handshake *h = w->first;
        unlink_handshake(w, h);
        handshake_fail(w, h, HANDSHAKE_TIMEOUT);
    }
}

static int wait_ms(const struct worker *w)
{
    int64_t left;

    if (!w->first)
        return w->done >= TRIM_AFTER ? TRIM_REST_MS : -1;
    left = w->first->deadline_ms - clock_mono_ms();
    if (w->n > share_of(w->pool) && left > CROWDED_MS)
        left = CROWDED_MS;
    return left < 0 ? 0 : (int)left + 1;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct epoll_event events[EVENTS_A_TURN];

    while (!atomic_load(&w->pool->stopping)) {
        int n = epoll_wait(w->epoll_fd, events, EVENTS_A_TURN, wait_ms(w));
        bool woken = false;
        if (n == 0 && !w->first && w->done >= TRIM_AFTER) {
            malloc_trim(0);
            w->done = 0;
        }
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                handshake_step(w, events[i].data.ptr);
            else
                woken = true;
        }
        if (woken)
            inbox_read(w);
        /* After the events: nothing of this turn's array may point to what has expired. */
        expire(w);
        make_room(w);
    }
    return NULL;
}

/* ---- the pool ---- */

static enum emt_err worker_start(struct worker *w)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

    if (pthread_mutex_init(&w->mutex, NULL) != 0)
        return EMT_ENOMEM;
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->epoll_fd < 0 || w->wake_fd < 0 ||
        epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev) != 0 ||
        pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        if (w->epoll_fd >= 0)
            close(w->epoll_fd);
        if (w->wake_fd >= 0)
            close(w->wake_fd);
        pthread_mutex_destroy(&w->mutex);
        return EMT_EIO;
    }
    w->started = true;
    return EMT_OK;
}

static void worker_wake(struct worker *w)
{
    uint64_t one = 1;
    ssize_t n = write(w->wake_fd, &one, sizeof one);

    (void)n; /* only fails when the counter is full: it is being woken anyway */
}

static void worker_stop(struct worker *w)
{
    struct handshake *h;

    worker_wake(w);
    pthread_join(w->thread, NULL);
    while ((h = w->first)) {
        unlink_handshake(w, h);
        handshake_fail(w, h, HANDSHAKE_STOPPED);
    }
    for (h = inbox_take(w); h;) {
        struct handshake *next = h->next;
        handshake_fail(w, h, HANDSHAKE_STOPPED);
        h = next;
    }
    close(w->epoll_fd);
    close(w->wake_fd);
    pthread_mutex_destroy(&w->mutex);
}

enum emt_err handshake_pool_new(const struct handshake_settings *s, struct handshake_pool **out)
{
    struct handshake_pool *p = calloc(1, sizeof *p + s->threads * sizeof p->workers[0]);

    if (!p)
        return EMT_ENOMEM;
    p->settings = *s;
    atomic_init(&p->stopping, false);
    for (unsigned i = 0; i < s->threads; i++) {
        p->workers[i].pool = p;
        enum emt_err err = worker_start(&p->workers[i]);
        if (err != EMT_OK) {
            handshake_pool_free(p);
            return err;
        }
        p->nworkers++;
    }
    *out = p;
    return EMT_OK;
}

void handshake_pool_free(struct handshake_pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stopping, true);
    for (unsigned i = 0; i < p->nworkers; i++)
        worker_stop(&p->workers[i]);
    free(p);
}

unsigned handshake_pool_count(const struct handshake_pool *p)
{
    return atomic_load(&p->count);
}

enum emt_err handshake_pool_add(struct handshake_pool *p, struct tls_context *tls, int fd,
                                const char *peer, void *owner)
{
    struct worker *w = &p->workers[atomic_fetch_add(&p->turn, 1) % p->nworkers];
    struct handshake *h;
    bool first;

    if (atomic_fetch_add(&p->count, 1) >= p->settings.limit) {
        atomic_fetch_sub(&p->count, 1);
        return EMT_ELIMIT;
    }
    h = calloc(1, sizeof *h);
    if (!h) {
        atomic_fetch_sub(&p->count, 1);
        return EMT_ENOMEM;
    }
    if (proxy_trusts(p->settings.proxies, peer)) {
        h->proxy = calloc(1, sizeof *h->proxy);
        if (!h->proxy) {
            free(h);
            atomic_fetch_sub(&p->count, 1);
            return EMT_ENOMEM;
        }
    }
    h->context = tls_context_ref(tls);
    h->fd = fd;
    h->owner = owner;
    h->deadline_ms = clock_mono_ms() + p->settings.timeout_ms;
    snprintf(h->peer, sizeof h->peer, "%s", peer);
    pthread_mutex_lock(&w->mutex);
    first = w->inbox == NULL;
    h->next = w->inbox;
    w->inbox = h;
    pthread_mutex_unlock(&w->mutex);
    if (first)
        worker_wake(w);
    return EMT_OK;
}
