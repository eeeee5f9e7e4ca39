/* Threads that leave signals to the program's main thread. */
#ifndef EMT_HTTP_THREAD_H
#define EMT_HTTP_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* Threads made between the two calls block all signals. */
static inline void signals_block(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

static inline void signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static inline bool thread_start(pthread_t *out, void *(*body)(void *), void *arg)
{
    sigset_t old;

    signals_block(&old);
    bool ok = pthread_create(out, NULL, body, arg) == 0;
    signals_restore(&old);
    return ok;
}

#endif
