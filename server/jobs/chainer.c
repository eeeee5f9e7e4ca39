#include "chainer.h"

#include "base/backoff.h"
#include "base/log.h"
#include "jobs/audit_chain.h"
#include "loop/metrics.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define STEP_MS 1000
#define CONNECT_MS 10000

struct chainer {
    char *conninfo;
    struct seal_key master;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool started, stopping;
    struct store *admin;
    struct backoff backoff;
    struct metric *linked, *failed;
};

/* False: the process stops. */
static bool rest(struct chainer *c, int64_t ms)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&c->mutex);
    while (rc != ETIMEDOUT && !c->stopping)
        rc = pthread_cond_timedwait(&c->cond, &c->mutex, &until);
    bool go_on = !c->stopping;
    pthread_mutex_unlock(&c->mutex);
    return go_on;
}

static bool connect_admin(struct chainer *c)
{
    struct emt_diag diag = { 0 };

    if (c->admin && !store_is_broken(c->admin))
        return true;
    store_close(c->admin);
    c->admin = NULL;
    if (store_open(c->conninfo, STORE_ADMIN, CONNECT_MS, &c->admin, &diag) != EMT_OK) {
        c->admin = NULL;
        return false; /* the job engine says so already */
    }
    backoff_reset(&c->backoff);
    return true;
}

static int64_t step(struct chainer *c)
{
    struct emt_diag diag = { 0 };
    int64_t linked = 0;

    if (!connect_admin(c))
        return backoff_next(&c->backoff);
    enum emt_err err = audit_chain_step(c->admin, &c->master, &linked, &diag);
    metric_add(c->linked, linked);
    if (err == EMT_OK || err == EMT_EAGAIN)
        return STEP_MS;
    metric_add(c->failed, 1);
    LOG_ERROR("audit-not-linked", LOG_S("error", diag.text));
    return backoff_next(&c->backoff);
}

static void *chainer_main(void *arg)
{
    struct chainer *c = arg;

    while (rest(c, step(c)))
        ;
    store_close(c->admin);
    c->admin = NULL;
    return NULL;
}

enum emt_err chainer_start(const char *conninfo, const struct seal_key *master, struct metrics *m,
                           struct chainer **out, struct emt_diag *diag)
{
    struct chainer *c = calloc(1, sizeof *c);
    pthread_condattr_t attr;

    if (!c)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    c->master = *master;
    c->backoff = (struct backoff){ STEP_MS, 30000, 0 };
    c->linked = metrics_counter(m, "emt_audit_linked_total", NULL, "Audit entries linked");
    c->failed = metrics_counter(m, "emt_audit_link_failures_total", NULL,
                                "Attempts to link the audit that failed");
    c->conninfo = strdup(conninfo);
    c->started = c->conninfo && pthread_create(&c->thread, NULL, chainer_main, c) == 0;
    if (!c->started) {
        chainer_stop(c);
        return emt_fail(diag, EMT_ENOMEM, "the audit's thread does not start");
    }
    *out = c;
    return EMT_OK;
}

void chainer_stop(struct chainer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stopping = true;
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->mutex);
    if (c->started)
        pthread_join(c->thread, NULL);
    seal_key_wipe(&c->master);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->mutex);
    free(c->conninfo);
    free(c);
}
