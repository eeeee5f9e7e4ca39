#include "stepper.h"

#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CONNECT_MS 10000
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 30000

/* False: it is to stop. */
static bool rest(struct stepper *s, int64_t ms)
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
    pthread_mutex_lock(&s->mutex);
    while (rc != ETIMEDOUT && !s->stopping)
        rc = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->mutex);
    return go_on;
}

static bool connect_admin(struct stepper *s)
{
    struct emt_diag diag = { 0 };

    if (s->admin && !store_is_broken(s->admin))
        return true;
    store_close(s->admin);
    s->admin = NULL;
    if (store_open(s->conninfo, STORE_ADMIN, CONNECT_MS, &s->admin, &diag) == EMT_OK)
        return true;
    s->admin = NULL;
    return false; /* the job engine says so already */
}

/* Milliseconds to rest. */
static int64_t take_step(struct stepper *s)
{
    int64_t ms = connect_admin(s) ? s->step(s->ctx, s->admin) : STEPPER_FAILED;

    if (ms < 0)
        return backoff_next(&s->backoff);
    backoff_reset(&s->backoff);
    return ms;
}

static void *stepper_main(void *arg)
{
    struct stepper *s = arg;

    while (rest(s, take_step(s)))
        ;
    store_close(s->admin);
    s->admin = NULL;
    return NULL;
}

static void release(struct stepper *s)
{
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    free(s->conninfo);
    *s = (struct stepper){ 0 };
}

enum emt_err stepper_start(struct stepper *s, const char *conninfo,
                           int64_t (*step)(void *ctx, struct store *admin), void *ctx,
                           const char *what, struct emt_diag *diag)
{
    pthread_condattr_t attr;

    s->step = step;
    s->ctx = ctx;
    s->backoff = (struct backoff){ RETRY_FIRST_MS, RETRY_MOST_MS, 0 };
    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    s->conninfo = strdup(conninfo);
    s->started = s->conninfo && pthread_create(&s->thread, NULL, stepper_main, s) == 0;
    if (s->started)
        return EMT_OK;
    release(s);
    return emt_fail(diag, EMT_ENOMEM, "%s thread does not start", what);
}

bool stepper_goes_on(struct stepper *s)
{
    return rest(s, 0);
}

void stepper_stop(struct stepper *s)
{
    if (!s->started)
        return;
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    release(s);
}
