/* A thread that takes a step with the administrator's connection, rests, takes the next, until it
 * is stopped. The connection is opened again when it broke, meanwhile no step is taken. */
#ifndef EMT_JOBS_STEPPER_H
#define EMT_JOBS_STEPPER_H

#include "base/attr.h"
#include "base/backoff.h"
#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

/* What a step answers instead of milliseconds: it failed, the next one comes later each time. */
#define STEPPER_FAILED (-1)

/* Lies in whoever takes the steps; zeroed before the start. */
struct stepper {
    int64_t (*step)(void *ctx, struct store *admin);
    void *ctx;
    char *conninfo;
    struct store *admin;
    struct backoff backoff;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool started, stopping;
};

/* step: on a thread of its own; answers the milliseconds to the next one, or STEPPER_FAILED.
 * conninfo is copied; ctx lives until stepper_stop(). what: whose thread, for the diagnosis.
 * EMT_ENOMEM the thread does not start: nothing is left to stop. */
EMT_CHECKED enum emt_err stepper_start(struct stepper *s, const char *conninfo,
                                       int64_t (*step)(void *ctx, struct store *admin), void *ctx,
                                       const char *what, struct emt_diag *diag);
/* False once it is to stop: a long step ends early then. From any thread. */
bool stepper_goes_on(struct stepper *s);
/* Waits for the end of a step under way. Fine for one that never started. */
void stepper_stop(struct stepper *s);

#endif
