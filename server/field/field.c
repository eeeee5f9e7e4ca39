#include "field/field.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "pki/tls_context.h"
#include "proxy.h"
#include "renewal.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct field {
    struct field_shared shared;
    char *conninfo, *state_dir;
    struct proxy_trust *proxies;
    uint16_t *ports[FIELD_LISTENERS];
    size_t nports[FIELD_LISTENERS];
    unsigned started;
    bool handshake_log, tls_mutex, stop_sync;
    pthread_mutex_t stop_mutex; /* guards stopped */
    pthread_cond_t stop_cond;
    unsigned stopped;
};

/* ---- settings ---- */

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 && n < 1024 ? (unsigned)n : 1;
}

static void defaults(struct field_settings *s)
{
    if (s->loops == 0)
        s->loops = cores();
    if (s->handshakes == 0)
        s->handshakes = cores();
    if (s->handshake_queue == 0)
        s->handshake_queue = 512;
    if (s->connections == 0)
        s->connections = 20000;
    if (s->hello_ms == 0)
        s->hello_ms = 10000;
    if (s->handshake_ms == 0)
        s->handshake_ms = 10000;
    if (s->idle_ms == 0)
        s->idle_ms = 180000;
    if (s->session_age_ms == 0)
        s->session_age_ms = 47u * 3600 * 1000;
    if (s->session_queue_bytes == 0)
        s->session_queue_bytes = (size_t)256 * 1024;
    if (s->commands == 0)
        s->commands = 64;
    if (s->leaf_lifetime_s == 0)
        s->leaf_lifetime_s = INT64_C(365) * 86400;
}

static bool settings_copy(struct field *f, const struct field_settings *s)
{
    struct field_settings *own = &f->shared.settings;

    *own = *s;
    defaults(own);
    f->conninfo = strdup(s->conninfo);
    f->state_dir = strdup(s->state_dir);
    f->ports[FIELD_TLS12] = calloc(s->nlisten12 + 1, sizeof(uint16_t));
    f->ports[FIELD_TLS13] = calloc(s->nlisten13 + 1, sizeof(uint16_t));
    f->ports[FIELD_LOGGER] = calloc(s->nlisten_logger + 1, sizeof(uint16_t));
    own->conninfo = f->conninfo;
    own->state_dir = f->state_dir;
    own->listen12 = own->listen13 = own->listen_logger = own->proxy_from = NULL; /* the caller's */
    f->shared.tls[FIELD_TLS12] = s->tls12 ? tls_context_ref(s->tls12) : NULL;
    f->shared.tls[FIELD_TLS13] = s->tls13 ? tls_context_ref(s->tls13) : NULL;
    f->shared.tls[FIELD_LOGGER] = s->tls_logger ? tls_context_ref(s->tls_logger) : NULL;
    return f->conninfo && f->state_dir && f->ports[FIELD_TLS12] && f->ports[FIELD_TLS13] &&
           f->ports[FIELD_LOGGER];
}

/* ---- start ---- */

/* Port 0 is chosen by the first loop; the others follow. */
static enum emt_err listen_on(struct field *f, const char *text, enum field_listener kind,
                              uint16_t *port, struct emt_diag *diag)
{
    struct listener_address a;
    enum emt_err err = listener_address_parse(text, &a);

    if (err != EMT_OK)
        return emt_fail(diag, err, "\"%s\" is no address like 0.0.0.0:7443 or [::]:7443", text);
    err = listener_probe(&a, diag);
    for (unsigned i = 0; i < f->shared.nshards && err == EMT_OK; i++) {
        err = shard_listen(f->shared.shards[i], &a, kind, port, diag);
        if (err == EMT_OK)
            listener_address_set_port(&a, *port);
    }
    return err;
}

static enum emt_err listen_all(struct field *f, const struct field_settings *s,
                               struct emt_diag *diag)
{
    const struct {
        const char *const *list;
        size_t n;
    } kinds[FIELD_LISTENERS] = { [FIELD_TLS12] = { s->listen12, s->nlisten12 },
                                 [FIELD_TLS13] = { s->listen13, s->nlisten13 },
                                 [FIELD_LOGGER] = { s->listen_logger, s->nlisten_logger } };
    enum emt_err err = EMT_OK;

    for (unsigned k = 0; k < FIELD_LISTENERS && err == EMT_OK; k++) {
        size_t *n = &f->nports[k];

        if (kinds[k].n > 0 && !f->shared.tls[k])
            return emt_fail(diag, EMT_ESTATE, "an address to listen on has no TLS context");
        for (; *n < kinds[k].n && err == EMT_OK; ++*n)
            err = listen_on(f, kinds[k].list[*n], (enum field_listener)k, &f->ports[k][*n], diag);
    }
    return err;
}

static enum emt_err sync_new(struct field *f, struct emt_diag *diag)
{
    f->handshake_log = handshake_log_init(&f->shared.handshake_log) == EMT_OK;
    f->tls_mutex = pthread_mutex_init(&f->shared.tls_mutex, NULL) == 0;
    if (!f->handshake_log || !f->tls_mutex || pthread_mutex_init(&f->stop_mutex, NULL) != 0)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (pthread_cond_init(&f->stop_cond, NULL) != 0) {
        pthread_mutex_destroy(&f->stop_mutex);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    f->stop_sync = true;
    return EMT_OK;
}

static enum emt_err shards_new(struct field *f, struct emt_diag *diag)
{
    struct field_shared *sh = &f->shared;
    enum emt_err err = EMT_OK;

    sh->shards = calloc(sh->settings.loops, sizeof(struct shard *));
    if (!sh->shards)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    while (sh->nshards < sh->settings.loops && err == EMT_OK) {
        err = shard_new(sh, sh->nshards, &sh->shards[sh->nshards], diag);
        if (err == EMT_OK)
            sh->nshards++;
    }
    return err;
}

static enum emt_err pool_new(struct field *f, struct emt_diag *diag)
{
    const struct field_settings *s = &f->shared.settings;
    struct handshake_settings hs = { s->handshakes, s->handshake_queue, s->handshake_ms,
                                     f->proxies,    shard_handshake_up, shard_handshake_failed };
    enum emt_err err = handshake_pool_new(&hs, &f->shared.pool);

    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "cannot start the handshake threads");
}

static enum emt_err renewal_start(struct field *f, struct emt_diag *diag)
{
    const struct field_settings *s = &f->shared.settings;
    struct renewal_settings rs = { .conninfo = s->conninfo,
                                   .master = s->master,
                                   .leaf_lifetime_us = s->leaf_lifetime_s * EMT_SECOND,
                                   .grace_s = s->certificate_grace_s,
                                   .metrics = &f->shared.metrics,
                                   .answer = shard_renewed };
    enum emt_err err = renewal_new(&rs, &f->shared.renewal);

    seal_key_wipe(&rs.master);
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "cannot start the renewal thread");
}

static enum emt_err loops_start(struct field *f, struct emt_diag *diag)
{
    for (; f->started < f->shared.nshards; f->started++) {
        enum emt_err err = loop_start(shard_loop(f->shared.shards[f->started]));
        if (err != EMT_OK)
            return emt_fail(diag, err, "cannot start a loop's thread");
    }
    return EMT_OK;
}

static void field_free(struct field *f)
{
    struct field_shared *sh = &f->shared;

    for (unsigned i = 0; i < f->started; i++)
        loop_stop(shard_loop(sh->shards[i]));
    for (unsigned i = 0; i < f->started; i++)
        loop_join(shard_loop(sh->shards[i]));
    /* The loops give work to the pool, and the pool gives connections to the loops, which refuse
     * them now. */
    handshake_pool_free(sh->pool);
    renewal_free(sh->renewal);
    for (unsigned i = 0; i < sh->nshards; i++)
        shard_free(sh->shards[i]);
    free(sh->shards);
    roster_free(sh->roster);
    for (unsigned k = 0; k < FIELD_LISTENERS; k++)
        tls_context_unref(sh->tls[k]);
    if (f->handshake_log)
        handshake_log_release(&sh->handshake_log);
    if (f->tls_mutex)
        pthread_mutex_destroy(&sh->tls_mutex);
    if (f->stop_sync) {
        pthread_mutex_destroy(&f->stop_mutex);
        pthread_cond_destroy(&f->stop_cond);
    }
    seal_key_wipe(&sh->settings.master);
    free(f->proxies);
    free(f->conninfo);
    free(f->state_dir);
    for (unsigned k = 0; k < FIELD_LISTENERS; k++)
        free(f->ports[k]);
    free(f);
}

enum emt_err field_start(const struct field_settings *s, struct field **out, struct emt_diag *diag)
{
    struct field *f = calloc(1, sizeof *f);
    enum emt_err err;

    if (!f)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    atomic_init(&f->shared.sessions, 0);
    field_metrics_init(&f->shared.metrics, s->metrics);
    f->shared.roster = roster_new();
    err = settings_copy(f, s) && f->shared.roster ? EMT_OK
                                                  : emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK)
        err = sync_new(f, diag);
    if (err == EMT_OK)
        err = proxy_trust_new(s->proxy_from, s->nproxy_from, &f->proxies, diag);
    if (err == EMT_OK)
        err = shards_new(f, diag);
    if (err == EMT_OK)
        err = pool_new(f, diag);
    if (err == EMT_OK)
        err = renewal_start(f, diag);
    if (err == EMT_OK)
        err = listen_all(f, s, diag);
    if (err == EMT_OK)
        err = loops_start(f, diag);
    if (err != EMT_OK) {
        field_free(f);
        return err;
    }
    *out = f;
    return EMT_OK;
}

/* ---- while it runs ---- */

uint16_t field_port12(const struct field *f, size_t i)
{
    return i < f->nports[FIELD_TLS12] ? f->ports[FIELD_TLS12][i] : 0;
}

uint16_t field_port13(const struct field *f, size_t i)
{
    return i < f->nports[FIELD_TLS13] ? f->ports[FIELD_TLS13][i] : 0;
}

uint16_t field_port_logger(const struct field *f, size_t i)
{
    return i < f->nports[FIELD_LOGGER] ? f->ports[FIELD_LOGGER][i] : 0;
}

static void context_replace(struct tls_context **place, struct tls_context *by)
{
    if (!by)
        return;
    if (*place)
        tls_context_unref(*place);
    *place = tls_context_ref(by);
}

void field_set_tls(struct field *f, struct tls_context *tls12, struct tls_context *tls13)
{
    pthread_mutex_lock(&f->shared.tls_mutex);
    context_replace(&f->shared.tls[FIELD_TLS12], tls12);
    context_replace(&f->shared.tls[FIELD_TLS13], tls13);
    pthread_mutex_unlock(&f->shared.tls_mutex);
}

void field_set_tls_logger(struct field *f, struct tls_context *tls)
{
    pthread_mutex_lock(&f->shared.tls_mutex);
    context_replace(&f->shared.tls[FIELD_LOGGER], tls);
    pthread_mutex_unlock(&f->shared.tls_mutex);
}

void field_wake(struct field *f)
{
    for (unsigned i = 0; i < f->shared.nshards; i++)
        shard_wake(f->shared.shards[i]);
}

unsigned field_sessions(const struct field *f)
{
    return atomic_load(&f->shared.sessions);
}

static void on_stopped(void *ctx)
{
    struct field *f = ctx;

    pthread_mutex_lock(&f->stop_mutex);
    f->stopped++;
    pthread_cond_signal(&f->stop_cond);
    pthread_mutex_unlock(&f->stop_mutex);
}

/* The loops keep the time; this is for a loop that does not come back. */
static void wait_for_shards(struct field *f, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000 + 2;
    pthread_mutex_lock(&f->stop_mutex);
    while (f->stopped < f->shared.nshards &&
           pthread_cond_timedwait(&f->stop_cond, &f->stop_mutex, &until) == 0)
        continue;
    f->stopped = 0;
    pthread_mutex_unlock(&f->stop_mutex);
}

void field_drain(struct field *f)
{
    if (!f || f->shared.settings.drain_ms == 0)
        return;
    for (unsigned i = 0; i < f->shared.nshards; i++)
        shard_drain(f->shared.shards[i], on_stopped, f);
    wait_for_shards(f, f->shared.settings.drain_ms);
}

void field_stop(struct field *f, int timeout_ms)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->shared.nshards; i++)
        shard_stop(f->shared.shards[i], timeout_ms, on_stopped, f);
    wait_for_shards(f, timeout_ms);
    field_free(f);
}
