#include "node.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/node_store.h"
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define RENEW_MS 5000 /* a third of the lease: two may fail */
#define EXPIRE_MS 10000
#define WAKE_GAP_MS 50

struct node {
    struct node_settings s;
    int64_t id;
    struct store *db; /* NULL while away */
    int event_fd;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    atomic_bool wanted; /* node_wake() since the last wake-up of others */
    _Atomic int64_t renewed_ms;
    void (*look)(void *ctx);
    void *ctx;
    int64_t next_renew, next_expire, next_wake;
};

static enum emt_err connect_db(struct node *n, struct emt_diag *diag)
{
    return store_open(n->s.conninfo, STORE_ADMIN, CONNECT_MS, &n->db, diag);
}

enum emt_err node_open(const struct node_settings *s, struct node **out, struct emt_diag *diag)
{
    struct node *n = calloc(1, sizeof *n);
    enum emt_err err;

    if (!n)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    n->s = *s;
    n->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = n->event_fd < 0 ? emt_fail(diag, EMT_EIO, "no event descriptor") : connect_db(n, diag);
    if (err == EMT_OK) {
        err = node_register(n->db, s->name, s->version, &n->id);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "node: %s", store_error(n->db));
    }
    if (err != EMT_OK) {
        node_close(n);
        return err;
    }
    n->renewed_ms = clock_mono_ms();
    *out = n;
    return EMT_OK;
}

int64_t node_id(const struct node *n)
{
    return n->id;
}

bool node_is_alive(const struct node *n)
{
    return clock_mono_ms() - n->renewed_ms < NODE_LEASE_S * INT64_C(1000);
}

static void ring(struct node *n)
{
    const uint64_t one = 1;

    if (write(n->event_fd, &one, sizeof one) < 0)
        return; /* full: it rings already */
}

void node_wake(void *arg)
{
    struct node *n = arg;

    n->wanted = true;
    ring(n);
}

/* ---- the thread ---- */

static enum emt_err renew(struct node *n)
{
    bool lapsed = false;
    enum emt_err err = node_renew(n->db, n->id, &lapsed);

    if (err == EMT_ENOTFOUND) /* away for more than a day, and forgotten */
        err = node_restore(n->db, n->id, n->s.name, n->s.version);
    if (err != EMT_OK)
        return err;
    if (lapsed)
        LOG_WARN("node-lease-lapsed", LOG_I("node", n->id));
    n->renewed_ms = clock_mono_ms();
    return EMT_OK;
}

static enum emt_err expire(struct node *n)
{
    int64_t lost = 0;
    enum emt_err err = node_expire(n->db, &lost);

    if (lost)
        LOG_WARN("sessions-lost", LOG_I("sessions", lost));
    return err;
}

static enum emt_err timers(struct node *n)
{
    int64_t now = clock_mono_ms();
    enum emt_err err = EMT_OK;

    if (now >= n->next_renew) {
        err = renew(n);
        n->next_renew = now + RENEW_MS;
        n->look(n->ctx);
    }
    if (err == EMT_OK && now >= n->next_expire) {
        err = expire(n);
        n->next_expire = now + EXPIRE_MS;
    }
    if (err == EMT_OK && n->wanted && now >= n->next_wake) {
        n->wanted = false;
        n->next_wake = now + WAKE_GAP_MS;
        err = node_wake_others(n->db, n->id);
    }
    return err;
}

static int wait_ms(const struct node *n)
{
    int64_t now = clock_mono_ms();
    int64_t at = n->next_renew < n->next_expire ? n->next_renew : n->next_expire;

    if (n->wanted && n->next_wake < at)
        at = n->next_wake;
    return at > now ? (int)(at - now) : 0;
}

/* Until a timer is due, somebody rings, or a notification comes. */
static enum emt_err wait_for_news(struct node *n)
{
    struct pollfd p[2] = { { n->event_fd, POLLIN, 0 }, { store_fd(n->db), POLLIN, 0 } };
    bool came = false;
    enum emt_err err = EMT_OK;
    uint64_t count;

    if (poll(p, 2, wait_ms(n)) < 0)
        return errno == EINTR ? EMT_OK : EMT_EIO;
    if (p[1].revents)
        err = store_wait_notify(n->db, 1, &came);
    if (p[0].revents && read(n->event_fd, &count, sizeof count) > 0)
        came = true;
    if (came && !n->stopping)
        n->look(n->ctx);
    return err;
}

static void rest(struct node *n, uint32_t ms)
{
    struct pollfd p = { n->event_fd, POLLIN, 0 };
    int64_t until = clock_mono_ms() + ms;
    uint64_t count;

    while (!n->stopping && clock_mono_ms() < until) {
        if (poll(&p, 1, (int)(until - clock_mono_ms()) + 1) <= 0)
            continue;
        if (read(n->event_fd, &count, sizeof count) > 0 && !n->stopping)
            n->look(n->ctx);
    }
}

static enum emt_err come_back(struct node *n)
{
    char channel[40];
    struct emt_diag diag = { 0 };
    enum emt_err err = n->db ? EMT_OK : connect_db(n, &diag);

    if (err != EMT_OK) {
        LOG_WARN("node-database-gone", LOG_S("error", diag.text));
        return err;
    }
    return store_listen(n->db, node_channel(n->id, channel));
}

static void *run(void *arg)
{
    struct node *n = arg;
    struct backoff back = { 200, 5000, 0 };

    while (!n->stopping) {
        enum emt_err err = come_back(n);

        n->next_renew = n->next_expire = 0;
        while (err == EMT_OK && !n->stopping) {
            err = timers(n);
            if (err == EMT_OK) {
                backoff_reset(&back);
                err = wait_for_news(n);
            }
            /* A lock time-out or the like is no reason to go away. */
            if (err != EMT_OK && n->db && !store_is_broken(n->db)) {
                LOG_WARN("node-database-error", LOG_S("error", store_error(n->db)));
                rest(n, backoff_next(&back));
                err = EMT_OK;
            }
        }
        if (n->stopping)
            break;
        store_close(n->db);
        n->db = NULL;
        rest(n, backoff_next(&back));
    }
    return NULL;
}

enum emt_err node_start(struct node *n, void (*look)(void *ctx), void *ctx)
{
    n->look = look;
    n->ctx = ctx;
    n->running = pthread_create(&n->thread, NULL, run, n) == 0;
    return n->running ? EMT_OK : EMT_ENOMEM;
}

void node_halt(struct node *n)
{
    if (!n || !n->running)
        return;
    n->stopping = true;
    ring(n);
    pthread_join(n->thread, NULL);
    n->running = false;
}

void node_close(struct node *n)
{
    if (!n)
        return;
    node_halt(n);
    if (n->db && n->id && node_end(n->db, n->id) != EMT_OK)
        LOG_WARN("node-end-failed", LOG_S("error", store_error(n->db)));
    store_close(n->db);
    if (n->event_fd >= 0)
        close(n->event_fd);
    free(n);
}
