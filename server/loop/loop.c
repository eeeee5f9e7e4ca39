#include "loop/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Calls from other threads that may wait for one loop. */
#define MAILBOX_MAX 65536u

struct call {
    void (*fn)(void *arg);
    void *arg;
};

/* Calls in the order in which they came; grows by doubling, never shrinks. */
struct call_list {
    struct call *calls;
    size_t n, cap;
};

struct loop {
    unsigned index;
    struct event_base *base;
    struct event wake_event;
    int wake_fd;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t mutex; /* guards mailbox and ended */
    struct call_list mailbox;
    bool ended;             /* nobody reads the mailbox any more */
    struct call_list taken; /* the mailbox of the turn before; loop thread only */
    struct call_list after; /* loop_after_turn(); loop thread only */
    struct call_list leaving;
};

struct loop_timer {
    struct event event;
    void (*fn)(void *arg);
    void *arg;
};

static enum emt_err call_list_add(struct call_list *l, void (*fn)(void *arg), void *arg)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct call *grown = realloc(l->calls, cap * sizeof *grown);
        if (!grown)
            return EMT_ENOMEM;
        l->calls = grown;
        l->cap = cap;
    }
    l->calls[l->n++] = (struct call){ fn, arg };
    return EMT_OK;
}

static void call_list_swap(struct call_list *a, struct call_list *b)
{
    struct call_list c = *a;

    *a = *b;
    *b = c;
}

static void call_list_run(struct call_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        l->calls[i].fn(l->calls[i].arg);
    l->n = 0;
}

static void mailbox_read(struct loop *l)
{
    pthread_mutex_lock(&l->mutex);
    call_list_swap(&l->mailbox, &l->taken);
    pthread_mutex_unlock(&l->mutex);
    call_list_run(&l->taken);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    uint64_t count;

    (void)what;
    /* The counter says no more than "look": a failed read means that somebody looked already. */
    if (read(fd, &count, sizeof count) < 0)
        count = 0;
    mailbox_read(l);
}

static void wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof one);

    (void)n; /* only fails when the counter is full, and then the loop is being woken anyway */
}

struct loop *loop_new(unsigned index)
{
    struct loop *l = calloc(1, sizeof *l);
    struct event_config *config = event_config_new();

    if (l)
        l->wake_fd = -1;
    if (!l || !config)
        goto fail;
    l->index = index;
    atomic_init(&l->stopping, false);
    if (pthread_mutex_init(&l->mutex, NULL) != 0)
        goto fail;
    /* One thread per base; the mailbox is the only door from outside. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(config);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!l->base || l->wake_fd < 0 ||
        event_assign(&l->wake_event, l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l) != 0 ||
        event_add(&l->wake_event, NULL) != 0) {
        event_config_free(config);
        loop_free(l);
        return NULL;
    }
    event_config_free(config);
    return l;

fail:
    if (config)
        event_config_free(config);
    free(l);
    return NULL;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    assert(!l->started);
    if (l->base) {
        if (event_initialized(&l->wake_event))
            event_del(&l->wake_event);
        event_base_free(l->base);
    }
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->mutex);
    free(l->mailbox.calls);
    free(l->taken.calls);
    free(l->after.calls);
    free(l->leaving.calls);
    free(l);
}

unsigned loop_index(const struct loop *l)
{
    return l->index;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

/* What runs after a turn may ask for more of its kind: that belongs to the same turn. */
static void after_turn_run(struct loop *l)
{
    while (l->after.n > 0) {
        call_list_swap(&l->after, &l->leaving);
        call_list_run(&l->leaving);
    }
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;

    while (!atomic_load(&l->stopping)) {
        event_base_loop(l->base, EVLOOP_ONCE);
        after_turn_run(l);
    }
    /* What was posted before the end still runs, so that what it carries is not lost. */
    for (bool more = true; more;) {
        mailbox_read(l);
        after_turn_run(l);
        pthread_mutex_lock(&l->mutex);
        more = l->mailbox.n > 0;
        l->ended = !more;
        pthread_mutex_unlock(&l->mutex);
    }
    return NULL;
}

enum emt_err loop_start(struct loop *l)
{
    if (l->started)
        return EMT_ESTATE;
    if (pthread_create(&l->thread, NULL, loop_main, l) != 0)
        return EMT_EIO;
    l->started = true;
    return EMT_OK;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    wake(l);
}

void loop_join(struct loop *l)
{
    if (!l->started)
        return;
    pthread_join(l->thread, NULL);
    l->started = false;
}

enum emt_err loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    enum emt_err err;
    bool first;

    pthread_mutex_lock(&l->mutex);
    first = l->mailbox.n == 0;
    if (l->ended)
        err = EMT_ESTATE;
    else if (l->mailbox.n == MAILBOX_MAX)
        err = EMT_ELIMIT;
    else
        err = call_list_add(&l->mailbox, fn, arg);
    pthread_mutex_unlock(&l->mutex);
    if (err == EMT_OK && first)
        wake(l);
    return err;
}

enum emt_err loop_after_turn(struct loop *l, void (*fn)(void *arg), void *arg)
{
    return call_list_add(&l->after, fn, arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    if (evtimer_assign(&t->event, l->base, on_timer, t) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    evtimer_del(&t->event);
    free(t);
}

void loop_timer_set(struct loop_timer *t, int64_t ms)
{
    struct timeval tv;

    if (ms < 0)
        ms = 0;
    tv.tv_sec = (time_t)(ms / 1000);
    tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    evtimer_add(&t->event, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
    evtimer_del(&t->event);
}
