/* The pool that handlers run on: a bounded queue, served in order, with a share per tenant. */
#ifndef EMT_HTTP_POOL_H
#define EMT_HTTP_POOL_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct http_pool;

/* Embedded in what is to be done. */
struct pool_task {
    struct pool_task *next;
    int32_t tenant; /* 0: nobody's */
};

struct pool_calls {
    void *ctx;
    void *(*worker_new)(void *ctx);               /* may be NULL: no worker object */
    void (*worker_free)(void *ctx, void *worker); /* may be NULL */
    /* On a pool thread. have_worker false: worker_new failed, tried again with the next task. */
    void (*run)(void *ctx, void *worker, bool have_worker, struct pool_task *task);
    /* After run or drop, when the task's place is free again; the task may be gone afterwards. */
    void (*done)(void *ctx, struct pool_task *task);
    /* In the place of run: the pool stopped before it was the task's turn. */
    void (*drop)(void *ctx, struct pool_task *task);
};

struct pool_limits {
    unsigned workers;      /* threads */
    unsigned queue;        /* tasks waiting */
    unsigned tenant_share; /* threads one tenant may occupy */
    unsigned tenant_queue; /* tasks of one tenant waiting */
};

EMT_CHECKED enum emt_err http_pool_new(const struct pool_limits *limits,
                                       const struct pool_calls *calls, struct http_pool **out);

enum pool_admission { POOL_ADMITTED, POOL_BUSY, POOL_SHARE };
/* Takes a place for one task of this tenant; http_pool_submit() must follow when admitted. */
enum pool_admission http_pool_admit(struct http_pool *p, int32_t tenant);
void http_pool_submit(struct http_pool *p, struct pool_task *task);

/* Admits no more, drops what waits and waits for what runs. */
void http_pool_stop(struct http_pool *p);
void http_pool_free(struct http_pool *p); /* stops first */

#endif
