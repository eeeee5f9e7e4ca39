#include "http/http_server.h"

#include "base/clock.h"
#include "http_front.h"
#include "http_internal.h"
#include "http_link.h"
#include "http_listen.h"
#include "http_mhd.h"
#include "http_peers.h"
#include "pki/tls_context.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    DRAIN_MS = 5000,      /* for requests that are being handled when the server stops */
    FLUSH_MS = 1000,      /* and for the answers of those that were waiting */
    BODIES_IN_MEMORY = 8, /* of the largest size; all bodies together may take as much */
    BODY_TOTAL_MIN = 64 << 20,
    LINK_TABLE_STEP = 256,
};

static void set_default(unsigned *value, unsigned otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static unsigned at_least_1(unsigned n)
{
    return n > 0 ? n : 1;
}

static void set_defaults(struct http_settings *s)
{
    set_default(&s->threads, 1);
    if (s->threads > HTTP_THREADS_MAX)
        s->threads = HTTP_THREADS_MAX;
    set_default(&s->workers, 4);
    set_default(&s->queue, 256);
    set_default(&s->tenant_share, at_least_1(s->workers / 2));
    set_default(&s->tenant_queue, at_least_1(s->queue / 8));
    set_default(&s->connections, 1024);
    set_default(&s->streams, 8192);
    set_default(&s->peer_connections, s->connections + s->streams);
    set_default(&s->request_s, 60);
    set_default(&s->idle_s, 60);
    set_default(&s->handshake_s, 10);
    if (s->body_max == 0)
        s->body_max = 8u << 20;
}

static enum emt_err open_listeners(struct http_server *s, const struct http_settings *settings,
                                   struct emt_diag *diag)
{
    if (settings->nlisten == 0 || settings->nlisten > HTTP_LISTEN_MAX)
        return emt_fail(diag, EMT_EMALFORMED, "1 to %d addresses to listen on", HTTP_LISTEN_MAX);
    for (size_t i = 0; i < settings->nlisten; i++) {
        enum emt_err err = listen_open(settings->listen[i], &s->listeners[i], diag);
        if (err != EMT_OK)
            return err;
        s->ports[i] = listen_port(s->listeners[i]);
        s->nlisteners++;
    }
    return EMT_OK;
}

static enum emt_err start_fronts(struct http_server *s, struct emt_diag *diag)
{
    for (unsigned i = 0; i < s->settings.threads; i++) {
        struct MHD_Daemon *daemon = NULL;
        enum emt_err err = mhd_start(s, &daemon);

        if (err == EMT_OK) {
            err = front_start(s, daemon, &s->fronts[i]);
            if (err != EMT_OK)
                MHD_stop_daemon(daemon);
        }
        if (err != EMT_OK)
            return emt_fail(diag, err, "HTTP thread %u does not start", i);
        s->nfronts++;
    }
    return EMT_OK;
}

static enum emt_err start_all(struct http_server *s, const struct http_settings *settings,
                              struct emt_diag *diag)
{
    struct pool_limits limits = { .workers = s->settings.workers,
                                  .queue = s->settings.queue,
                                  .tenant_share = s->settings.tenant_share,
                                  .tenant_queue = s->settings.tenant_queue };
    struct pool_calls calls = mhd_pool_calls(s);
    enum emt_err err = open_listeners(s, settings, diag);

    if (err == EMT_OK && !s->peers)
        err = EMT_ENOMEM;
    if (err != EMT_OK)
        return err;
    err = http_pool_new(&limits, &calls, &s->pool);
    if (err != EMT_OK)
        return emt_fail(diag, err, "HTTP workers do not start");
    return start_fronts(s, diag);
}

static struct http_server *server_alloc(const struct http_settings *settings,
                                        const struct http_handler *h)
{
    struct http_server *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;

    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &attr);
    pthread_condattr_destroy(&attr);
    s->settings = *settings;
    s->settings.listen = NULL;
    s->settings.tls = NULL;
    set_defaults(&s->settings);
    s->handler = *h;
    s->tls_on = settings->tls != NULL;
    s->tls = settings->tls ? tls_context_ref(settings->tls) : NULL;
    s->body_total = s->settings.body_max * BODIES_IN_MEMORY;
    if (s->body_total < BODY_TOTAL_MIN)
        s->body_total = BODY_TOTAL_MIN;
    s->peers = peers_new(s->settings.peer_connections);
    if (getrandom(&s->id_seed, sizeof s->id_seed, 0) != sizeof s->id_seed)
        s->id_seed = (uint64_t)clock_now();
    return s;
}

enum emt_err http_server_start(const struct http_settings *settings, const struct http_handler *h,
                               struct http_server **out, struct emt_diag *diag)
{
    struct http_server *s = server_alloc(settings, h);
    enum emt_err err = s ? start_all(s, settings, diag) : EMT_ENOMEM;

    if (err == EMT_OK)
        *out = s;
    else
        http_server_stop(s);
    return err;
}

uint16_t http_server_port(const struct http_server *s, size_t i)
{
    return i < s->nlisteners ? s->ports[i] : 0;
}

void http_server_set_tls(struct http_server *s, struct tls_context *tls)
{
    if (!s->tls_on)
        return;
    tls_context_ref(tls);
    pthread_mutex_lock(&s->lock);
    struct tls_context *old = s->tls;
    s->tls = tls;
    pthread_mutex_unlock(&s->lock);
    tls_context_unref(old);
}

static void enter_phase(struct http_server *s, enum server_phase phase)
{
    atomic_store(&s->phase, phase);
    for (unsigned i = 0; i < s->nfronts; i++)
        front_wake(s->fronts[i]);
}

/* Until every request in the pool is answered and its answer handed over, or the time is over. */
static void wait_idle(struct http_server *s, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    pthread_mutex_lock(&s->lock);
    while (s->active > 0 && pthread_cond_timedwait(&s->idle, &s->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&s->lock);
}

/* A front may be handing a connection to a daemon right now: it holds the lock meanwhile. */
static void close_daemons(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->nfronts; i++)
        MHD_stop_daemon(front_daemon(s->fronts[i]));
}

bool server_link_add(struct http_server *s, struct http_link *l)
{
    size_t at = (size_t)l->mhd_fd;

    if (at >= s->nlinks_by_fd) {
        size_t n = at + 1 + LINK_TABLE_STEP;
        struct http_link **table = realloc(s->links_by_fd, n * sizeof(struct http_link *));
        if (!table)
            return false;
        for (size_t i = s->nlinks_by_fd; i < n; i++)
            table[i] = NULL;
        s->links_by_fd = table;
        s->nlinks_by_fd = n;
    }
    s->links_by_fd[at] = l;
    return true;
}

void server_link_remove(struct http_server *s, struct http_link *l)
{
    if (l->mhd_fd < 0)
        return;
    pthread_mutex_lock(&s->lock);
    if ((size_t)l->mhd_fd < s->nlinks_by_fd && s->links_by_fd[l->mhd_fd] == l)
        s->links_by_fd[l->mhd_fd] = NULL;
    pthread_mutex_unlock(&s->lock);
    l->mhd_fd = -1;
}

bool server_adopt(struct http_server *s, int mhd_fd, struct http_stream *stream)
{
    pthread_mutex_lock(&s->lock);
    struct http_link *l =
        mhd_fd >= 0 && (size_t)mhd_fd < s->nlinks_by_fd ? s->links_by_fd[mhd_fd] : NULL;
    bool ok = l && !atomic_load(&l->stream);
    if (ok)
        atomic_store(&l->stream, stream);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    enter_phase(s, SERVER_DRAINING);
    wait_idle(s, DRAIN_MS);
    /* A handler that still runs is waited for: it works on memory that goes away. */
    if (s->pool)
        http_pool_stop(s->pool);
    wait_idle(s, FLUSH_MS);
    close_daemons(s);
    enter_phase(s, SERVER_ENDING);
    for (unsigned i = 0; i < s->nfronts; i++)
        front_join(s->fronts[i]);
    http_pool_free(s->pool);
    free(s->links_by_fd);
    peers_free(s->peers);
    for (size_t i = 0; i < s->nlisteners; i++)
        close(s->listeners[i]);
    tls_context_unref(s->tls);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void http_server_counters(const struct http_server *s, struct http_counters *out)
{
    out->connections = atomic_load(&s->counters.connections);
    out->requests = atomic_load(&s->counters.requests);
    out->rejected_busy = atomic_load(&s->counters.rejected_busy);
    out->rejected_share = atomic_load(&s->counters.rejected_share);
    out->handshake_failed = atomic_load(&s->counters.handshake_failed);
    out->body_too_large = atomic_load(&s->counters.body_too_large);
    out->streams = atomic_load(&s->counters.streams);
    out->streams_refused = atomic_load(&s->counters.streams_refused);
    out->streams_open = atomic_load(&s->streams);
    out->malformed = atomic_load(&s->counters.malformed);
    out->rejected_peer = atomic_load(&s->counters.rejected_peer);
    out->responses_5xx = atomic_load(&s->counters.responses_5xx);
}
