#define _GNU_SOURCE /* accept4() */

#include "http_front.h"

#include "base/clock.h"
#include "base/log.h"
#include "http_internal.h"
#include "http_link.h"
#include "http_listen.h"
#include "http_outlet.h"
#include "http_peers.h"
#include "http_thread.h"
#include "pki/tls_context.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    EVENTS = 64,
    ACCEPTS = 16,          /* in one go: established connections want their turn */
    ACCEPT_PAUSE_MS = 100, /* when descriptors have run out */
    LINGER_MS = 2000,
    ENDING_MS = 1000, /* for answers still on their way when the server stops */
    LOG_MS = 1000,
    SCAN_MS = 1000, /* between looks at requests that take their time */
    TOLD = 256,     /* streams served in one go */
};

/* One line a second. */
struct log_gate {
    int64_t next_ms;
    unsigned left_out;
};

struct http_front {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    int epoll;
    struct endpoint wake;
    struct endpoint listeners[HTTP_LISTEN_MAX];
    bool accepting;
    int64_t paused_until_ms; /* 0: not paused */
    int64_t end_ms;          /* 0: not ending */
    int64_t scan_ms;
    struct log_gate handshakes, refusals;
    pthread_t thread;
    /* Streams with something to send, oldest first. */
    pthread_mutex_t told_lock;
    struct http_stream *told;
    struct http_stream **told_last;
    bool told_more; /* some were left for the next turn */
    /* One circular list per state, oldest first, so that the first has the earliest deadline. */
    struct http_link lists[LINK_DEAD + 1];
    unsigned nagain;
    uint8_t scratch[LINK_SCRATCH];
};

static void list_init(struct http_link *head)
{
    head->prev = head->next = head;
}

static void list_remove(struct http_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
}

static void list_append(struct http_link *head, struct http_link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static void endpoint_watch(struct http_front *f, struct endpoint *e, uint32_t interest)
{
    struct epoll_event ev = { .events = interest, .data.ptr = e };

    if (e->fd < 0 || (e->registered && e->interest == interest))
        return;
    if (epoll_ctl(f->epoll, e->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, e->fd, &ev) == 0) {
        e->registered = true;
        e->interest = interest;
    }
}

static void endpoint_forget(struct http_front *f, struct endpoint *e)
{
    if (e->registered)
        epoll_ctl(f->epoll, EPOLL_CTL_DEL, e->fd, NULL);
    e->registered = false;
}

static void uncount(struct http_front *f, struct http_link *l)
{
    if (l->counted)
        atomic_fetch_sub(&f->server->links, 1);
    l->counted = false;
}

/* A stream has no MHD behind it and counts for itself. */
static void link_leave_mhd(struct http_front *f, struct http_link *l)
{
    server_link_remove(f->server, l);
    endpoint_forget(f, &l->pair);
    if (l->pair.fd >= 0)
        close(l->pair.fd);
    l->pair.fd = -1;
    uncount(f, l);
    if (atomic_load(&f->server->phase) != SERVER_RUNNING)
        http_stream_end(atomic_load(&l->stream));
}

/* Puts the link where its state says. The dead wait until the end of the turn: more events of
 * theirs may stand in the same batch. */
static void http_link_settle(struct http_front *f, struct http_link *l, enum http_link_state before,
                             bool had_again)
{
    if (l->state == LINK_DEAD)
        l->again = false;
    f->nagain = f->nagain + (l->again ? 1u : 0u) - (had_again ? 1u : 0u);
    if (l->state != before) {
        list_remove(l);
        list_append(&f->lists[l->state], l);
        if (l->state == LINK_STREAM)
            link_leave_mhd(f, l);
        if (l->state == LINK_LINGER)
            l->deadline_ms = clock_mono_ms() + LINGER_MS;
    }
    if (l->state == LINK_DEAD) {
        endpoint_forget(f, &l->sock);
        endpoint_forget(f, &l->pair);
        return;
    }
    endpoint_watch(f, &l->sock, http_link_sock_interest(l));
    if (!l->pair_gone && l->pair.fd >= 0) /* after a hang-up the pair is read without epoll, which
                           would not stop reporting it */
        endpoint_watch(f, &l->pair, http_link_pair_interest(l));
}

/* True when a line may be written; *left_out were not since the last one. */
static bool log_gate_open(struct log_gate *g, unsigned *left_out)
{
    int64_t now = clock_mono_ms();

    if (now < g->next_ms) {
        g->left_out++;
        return false;
    }
    *left_out = g->left_out;
    g->left_out = 0;
    g->next_ms = now + LOG_MS;
    return true;
}

static void log_handshake(struct http_front *f, const struct http_link *l, const char *reason)
{
    char peer[INET6_ADDRSTRLEN];
    unsigned left_out;

    if (!log_gate_open(&f->handshakes, &left_out))
        return;
    LOG_INFO("http-handshake-failed",
             LOG_S("peer", address_text((const struct sockaddr *)&l->peer, peer)),
             LOG_S("reason", reason), LOG_I("left_out", left_out));
}

void front_refused(struct http_front *f, struct http_link *l, struct writer *w)
{
    char peer[INET6_ADDRSTRLEN];
    char id[17];
    unsigned left_out;

    request_id_new(f->server, id);
    http_gate_answer(&l->gate, id, w);
    http_count(&f->server->counters.malformed);
    if (!log_gate_open(&f->refusals, &left_out))
        return;
    LOG_INFO("http-request-refused",
             LOG_S("peer", address_text((const struct sockaddr *)&l->peer, peer)),
             LOG_I("status", l->gate.status), LOG_S("reason", l->gate.reason), LOG_S("request", id),
             LOG_I("left_out", left_out));
}

/* The daemon is there for as long as the server is not closed: both are looked at under one lock.
 */
static bool hand_over(struct http_front *f, struct http_link *l)
{
    int fd = -1;

    pthread_mutex_lock(&f->server->lock);
    bool ok = !f->server->closed && http_link_make_pair(l, &fd);
    if (ok && !server_link_add(f->server, l)) {
        close(fd);
        ok = false;
    }
    /* Closes fd itself when it cannot use it. */
    if (ok)
        ok = MHD_add_connection(f->daemon, fd, (struct sockaddr *)&l->peer, l->peer_len) == MHD_YES;
    pthread_mutex_unlock(&f->server->lock);
    return ok;
}

static void http_link_shake(struct http_front *f, struct http_link *l)
{
    enum emt_err err = http_link_handshake(l);

    if (err == EMT_EAGAIN)
        return;
    if (err != EMT_OK) {
        http_count(&f->server->counters.handshake_failed);
        log_handshake(f, l, tls_conn_reason(l->tls));
        l->state = LINK_DEAD;
        return;
    }
    if (hand_over(f, l))
        http_link_pump(l, f->scratch); /* the request may have come with the handshake */
    else
        l->state = LINK_DEAD;
}

static void http_link_work(struct http_front *f, struct http_link *l)
{
    enum http_link_state before = l->state;
    bool had_again = l->again;

    if (l->state == LINK_DEAD)
        return;
    if (l->state == LINK_HANDSHAKE)
        http_link_shake(f, l);
    else
        http_link_pump(l, f->scratch);
    http_link_settle(f, l, before, had_again);
}

static void http_link_kill(struct http_front *f, struct http_link *l)
{
    enum http_link_state before = l->state;
    bool had_again = l->again;

    if (before == LINK_DEAD)
        return;
    l->state = LINK_DEAD;
    http_link_settle(f, l, before, had_again);
}

static void on_pair(struct http_front *f, struct http_link *l, uint32_t events)
{
    /* MHD has closed its end; its last bytes are still to be read, as fast as the peer takes them.
     */
    if (events & (EPOLLHUP | EPOLLERR)) {
        endpoint_forget(f, &l->pair);
        http_link_pair_hangup(l);
    }
    http_link_work(f, l);
}

static void on_sock(struct http_front *f, struct http_link *l, uint32_t events)
{
    /* Reset, or closed on both sides: nothing can be delivered any more. */
    if (l->state != LINK_HANDSHAKE && (events & (EPOLLHUP | EPOLLERR)))
        http_link_kill(f, l);
    else
        http_link_work(f, l);
}

static struct tls_context *current_tls(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct tls_context *ctx = s->tls ? tls_context_ref(s->tls) : NULL;
    pthread_mutex_unlock(&s->lock);
    return ctx;
}

/* *tls stays NULL for plain HTTP. False: no memory. */
static bool tls_for(struct http_server *s, int fd, struct tls_conn **tls)
{
    if (!s->tls_on)
        return true;
    struct tls_context *ctx = current_tls(s);
    *tls = tls_conn_accept(ctx, fd); /* holds the context from here on */
    tls_context_unref(ctx);
    return *tls != NULL;
}

static void admit(struct http_front *f, int fd, const struct sockaddr *peer, socklen_t len)
{
    struct http_server *s = f->server;
    struct tls_conn *tls = NULL;
    int on = 1;

    http_count(&s->counters.connections);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (atomic_load(&s->links) >= s->settings.connections) {
        http_count(&s->counters.rejected_busy);
        close(fd);
        return;
    }
    if (!peers_enter(s->peers, peer)) {
        http_count(&s->counters.rejected_peer);
        close(fd);
        return;
    }
    if (!tls_for(s, fd, &tls)) {
        peers_leave(s->peers, peer);
        close(fd);
        return;
    }
    struct http_link *l = http_link_new(fd, tls, peer, len);
    if (!l) {
        peers_leave(s->peers, peer);
        return;
    }
    l->front = f;
    l->counted = true;
    atomic_fetch_add(&s->links, 1);
    l->deadline_ms = clock_mono_ms() + (int64_t)s->settings.handshake_s * 1000;
    list_append(&f->lists[LINK_HANDSHAKE], l);
    http_link_work(f, l);
}

static void listeners_watch(struct http_front *f)
{
    for (size_t i = 0; i < f->server->nlisteners; i++)
        endpoint_watch(f, &f->listeners[i], EPOLLIN | EPOLLEXCLUSIVE);
    f->accepting = true;
    f->paused_until_ms = 0;
}

static void listeners_forget(struct http_front *f)
{
    for (size_t i = 0; i < f->server->nlisteners; i++)
        endpoint_forget(f, &f->listeners[i]);
    f->accepting = false;
}

static void on_listener(struct http_front *f, const struct endpoint *e)
{
    for (unsigned i = 0; i < ACCEPTS && f->accepting; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t len = sizeof peer;
        int fd = accept4(e->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            admit(f, fd, (struct sockaddr *)&peer, len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_WARN("http-accept-paused", LOG_S("reason", strerror(errno)));
            listeners_forget(f);
            f->paused_until_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return; /* EAGAIN: another front was faster */
        }
    }
}

static struct http_stream *told_take(struct http_front *f)
{
    pthread_mutex_lock(&f->told_lock);
    struct http_stream *s = f->told;
    if (s) {
        f->told = s->next;
        if (!f->told)
            f->told_last = &f->told;
    }
    pthread_mutex_unlock(&f->told_lock);
    return s;
}

/* Serves the streams that were told of; the others' turn comes in between. */
static void work_told(struct http_front *f)
{
    struct http_stream *s = NULL;
    unsigned n = 0;

    while (n++ < TOLD && (s = told_take(f)) != NULL) {
        struct http_link *l = stream_heard(s);
        if (l)
            http_link_work(f, l);
        http_stream_unref(s);
    }
    f->told_more = s != NULL;
}

static void end_streams(struct http_front *f)
{
    struct http_link *head = &f->lists[LINK_STREAM];

    for (struct http_link *l = head->next; l != head; l = l->next)
        http_stream_end(atomic_load(&l->stream));
}

static void on_wake(struct http_front *f)
{
    uint64_t n;
    int phase = atomic_load(&f->server->phase);

    (void)!read(f->wake.fd, &n, sizeof n);
    f->told_more = true;
    if (phase == SERVER_RUNNING)
        return;
    if (f->accepting || f->paused_until_ms)
        listeners_forget(f);
    f->paused_until_ms = 0;
    end_streams(f);
    if (phase == SERVER_ENDING && f->end_ms == 0)
        f->end_ms = clock_mono_ms() + ENDING_MS;
}

static void on_event(struct http_front *f, struct endpoint *e, uint32_t events)
{
    switch (e->kind) {
    case ENDPOINT_WAKE:
        on_wake(f);
        break;
    case ENDPOINT_LISTENER:
        on_listener(f, e);
        break;
    case ENDPOINT_SOCK:
        if (e->registered)
            on_sock(f, e->link, events);
        break;
    case ENDPOINT_PAIR:
        if (e->registered)
            on_pair(f, e->link, events);
        break;
    }
}

static void work_again(struct http_front *f)
{
    for (enum http_link_state s = LINK_OPEN; f->nagain > 0 && s <= LINK_LINGER; s++) {
        struct http_link *end = &f->lists[s];
        for (struct http_link *l = end->next, *next; l != end; l = next) {
            next = l->next;
            if (l->again)
                http_link_work(f, l);
        }
    }
}

static void bury(struct http_front *f)
{
    struct http_link *dead = &f->lists[LINK_DEAD];

    while (dead->next != dead) {
        struct http_link *l = dead->next;
        list_remove(l);
        server_link_remove(f->server, l);
        uncount(f, l);
        peers_leave(f->server->peers, (const struct sockaddr *)&l->peer);
        http_link_free(l);
    }
}

/* Ends the links of this state whose time is over; answers milliseconds until the next one, or -1.
 */
static int64_t expire(struct http_front *f, enum http_link_state state, int64_t now)
{
    struct http_link *head = &f->lists[state];

    while (head->next != head && head->next->deadline_ms <= now) {
        if (state == LINK_HANDSHAKE) {
            http_count(&f->server->counters.handshake_failed);
            log_handshake(f, head->next, "time-out");
        }
        http_link_kill(f, head->next);
    }
    return head->next == head ? -1 : head->next->deadline_ms - now;
}

/* Looks after requests: refuses those whose time to arrive is over; answers as expire(). */
static int64_t scan_requests(struct http_front *f, int64_t now)
{
    struct http_link *head = &f->lists[LINK_OPEN];
    int64_t most = (int64_t)f->server->settings.request_s * 1000;

    if (head->next == head)
        return -1;
    if (now < f->scan_ms)
        return f->scan_ms - now;
    f->scan_ms = now + SCAN_MS;
    for (struct http_link *l = head->next, *next; l != head; l = next) {
        next = l->next;
        http_link_end_again(l);
        if (l->inside_ms == 0 || now - l->inside_ms < most)
            continue;
        http_link_time_out(l);
        http_link_work(f, l);
    }
    return SCAN_MS;
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0)
        return b;
    return b < 0 || a < b ? a : b;
}

/* Runs all timers; answers how long to wait for events, -1 for ever. */
static int64_t run_timers(struct http_front *f)
{
    int64_t now = clock_mono_ms();
    int64_t wait = earlier(expire(f, LINK_HANDSHAKE, now), expire(f, LINK_LINGER, now));

    wait = earlier(wait, scan_requests(f, now));
    if (f->paused_until_ms && f->paused_until_ms <= now)
        listeners_watch(f);
    if (f->paused_until_ms)
        wait = earlier(wait, f->paused_until_ms - now);
    if (f->end_ms)
        wait = earlier(wait, f->end_ms > now ? f->end_ms - now : 0);
    return f->nagain > 0 || f->told_more ? 0 : wait;
}

static bool has_links(const struct http_front *f)
{
    for (unsigned s = LINK_HANDSHAKE; s < LINK_DEAD; s++) {
        if (f->lists[s].next != &f->lists[s])
            return true;
    }
    return false;
}

static bool is_over(const struct http_front *f)
{
    return f->end_ms && (!has_links(f) || clock_mono_ms() >= f->end_ms);
}

static void *front_main(void *arg)
{
    struct http_front *f = arg;
    struct epoll_event events[EVENTS];

    while (!is_over(f)) {
        int64_t wait = run_timers(f);
        bury(f);
        int n = epoll_wait(f->epoll, events, EVENTS, (int)wait);
        for (int i = 0; i < n; i++)
            on_event(f, events[i].data.ptr, events[i].events);
        if (f->told_more)
            work_told(f);
        work_again(f);
        bury(f);
    }
    for (enum http_link_state s = LINK_HANDSHAKE; s < LINK_DEAD; s++) {
        while (f->lists[s].next != &f->lists[s])
            http_link_kill(f, f->lists[s].next);
    }
    bury(f);
    return NULL;
}

static void front_free(struct http_front *f)
{
    struct http_stream *s;

    while ((s = told_take(f)) != NULL)
        http_stream_unref(s);
    pthread_mutex_destroy(&f->told_lock);
    if (f->epoll >= 0)
        close(f->epoll);
    if (f->wake.fd >= 0)
        close(f->wake.fd);
    free(f);
}

enum emt_err front_start(struct http_server *s, struct MHD_Daemon *daemon, struct http_front **out)
{
    struct http_front *f = calloc(1, sizeof *f);

    if (!f)
        return EMT_ENOMEM;
    if (pthread_mutex_init(&f->told_lock, NULL) != 0) {
        free(f);
        return EMT_ENOMEM;
    }
    f->told_last = &f->told;
    f->server = s;
    f->daemon = daemon;
    for (unsigned i = 0; i <= LINK_DEAD; i++)
        list_init(&f->lists[i]);
    for (size_t i = 0; i < s->nlisteners; i++)
        f->listeners[i] = (struct endpoint){ .kind = ENDPOINT_LISTENER, .fd = s->listeners[i] };
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->wake =
        (struct endpoint){ .kind = ENDPOINT_WAKE, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
    if (f->epoll < 0 || f->wake.fd < 0) {
        front_free(f);
        return EMT_EIO;
    }
    endpoint_watch(f, &f->wake, EPOLLIN);
    listeners_watch(f);
    if (!thread_start(&f->thread, front_main, f)) {
        front_free(f);
        return EMT_ENOMEM;
    }
    *out = f;
    return EMT_OK;
}

void front_wake(struct http_front *f)
{
    uint64_t one = 1;

    (void)!write(f->wake.fd, &one, sizeof one);
}

void front_tell(struct http_front *f, struct http_stream *s)
{
    s->next = NULL;
    pthread_mutex_lock(&f->told_lock);
    bool first = f->told == NULL;
    *f->told_last = s;
    f->told_last = &s->next;
    pthread_mutex_unlock(&f->told_lock);
    if (first)
        front_wake(f);
}

void front_join(struct http_front *f)
{
    pthread_join(f->thread, NULL);
    front_free(f);
}

struct MHD_Daemon *front_daemon(const struct http_front *f)
{
    return f->daemon;
}
