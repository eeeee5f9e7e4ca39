#include "http_pool.h"

#include "http_thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What one tenant has in the pool; entries without anything are removed. */
struct share {
    int32_t tenant;
    unsigned running;
    unsigned total; /* running, waiting, and admitted but not yet submitted */
};

struct http_pool {
    struct pool_limits limits;
    struct pool_calls calls;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stopping;
    unsigned total; /* as in struct share, over all tenants */
    struct pool_task *first;
    struct pool_task **last;
    struct share *shares; /* at most one per admitted task */
    unsigned nshares;
    pthread_t *threads;
    unsigned nthreads;
};

/* Linear: the table is as short as the queue. */
static struct share *share_find(struct http_pool *p, int32_t tenant)
{
    for (unsigned i = 0; i < p->nshares; i++) {
        if (p->shares[i].tenant == tenant)
            return &p->shares[i];
    }
    return NULL;
}

enum pool_admission http_pool_admit(struct http_pool *p, int32_t tenant)
{
    enum pool_admission answer = POOL_ADMITTED;

    pthread_mutex_lock(&p->lock);
    struct share *s = tenant ? share_find(p, tenant) : NULL;
    if (p->stopping || p->total >= p->limits.workers + p->limits.queue) {
        answer = POOL_BUSY;
    } else if (s && s->total >= p->limits.tenant_share + p->limits.tenant_queue) {
        answer = POOL_SHARE;
    } else {
        p->total++;
        if (tenant && !s) {
            s = &p->shares[p->nshares++];
            *s = (struct share){ .tenant = tenant };
        }
        if (s)
            s->total++;
    }
    pthread_mutex_unlock(&p->lock);
    return answer;
}

void http_pool_submit(struct http_pool *p, struct pool_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->last = task;
    p->last = &task->next;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

/* The oldest task whose tenant has a thread left. */
static struct pool_task *take(struct http_pool *p)
{
    for (struct pool_task **at = &p->first; *at; at = &(*at)->next) {
        struct pool_task *task = *at;
        struct share *s = task->tenant ? share_find(p, task->tenant) : NULL;

        if (s && s->running >= p->limits.tenant_share && !p->stopping)
            continue;
        if (s)
            s->running++;
        *at = task->next;
        if (p->last == &task->next)
            p->last = at;
        return task;
    }
    return NULL;
}

static void give_back(struct http_pool *p, int32_t tenant)
{
    struct share *s = tenant ? share_find(p, tenant) : NULL;

    p->total--;
    if (!s)
        return;
    s->running--;
    if (--s->total == 0)
        *s = p->shares[--p->nshares];
}

static void worker_ready(struct http_pool *p, void **worker, bool *have)
{
    if (*have)
        return;
    *worker = p->calls.worker_new ? p->calls.worker_new(p->calls.ctx) : NULL;
    *have = *worker || !p->calls.worker_new;
}

static void *worker_main(void *arg)
{
    struct http_pool *p = arg;
    void *worker = NULL;
    bool have = false;

    worker_ready(p, &worker, &have);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct pool_task *task = take(p);

        if (!task && p->stopping)
            break;
        if (!task) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        bool drop = p->stopping;
        pthread_mutex_unlock(&p->lock);
        if (drop) {
            p->calls.drop(p->calls.ctx, task);
        } else {
            worker_ready(p, &worker, &have);
            p->calls.run(p->calls.ctx, worker, have, task);
        }
        /* The place is free before the client can know that it has its answer. */
        pthread_mutex_lock(&p->lock);
        give_back(p, task->tenant);
        pthread_mutex_unlock(&p->lock);
        p->calls.done(p->calls.ctx, task);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (worker && p->calls.worker_free)
        p->calls.worker_free(p->calls.ctx, worker);
    return NULL;
}

enum emt_err http_pool_new(const struct pool_limits *limits, const struct pool_calls *calls,
                           struct http_pool **out)
{
    struct http_pool *p = calloc(1, sizeof *p);

    if (!p)
        return EMT_ENOMEM;
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return EMT_ENOMEM;
    }
    if (pthread_cond_init(&p->work, NULL) != 0) {
        pthread_mutex_destroy(&p->lock);
        free(p);
        return EMT_ENOMEM;
    }
    p->limits = *limits;
    p->calls = *calls;
    p->last = &p->first;
    p->shares = calloc((size_t)limits->workers + limits->queue, sizeof *p->shares);
    p->threads = calloc(limits->workers, sizeof *p->threads);
    if (!p->shares || !p->threads) {
        http_pool_free(p);
        return EMT_ENOMEM;
    }
    for (; p->nthreads < limits->workers; p->nthreads++) {
        if (!thread_start(&p->threads[p->nthreads], worker_main, p)) {
            http_pool_free(p);
            return EMT_ENOMEM;
        }
    }
    *out = p;
    return EMT_OK;
}

void http_pool_stop(struct http_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    while (p->nthreads > 0)
        pthread_join(p->threads[--p->nthreads], NULL);
}

void http_pool_free(struct http_pool *p)
{
    if (!p)
        return;
    http_pool_stop(p);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->shares);
    free(p->threads);
    free(p);
}
