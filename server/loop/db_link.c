#include "base/backoff.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Waiting between attempts, and how long one attempt may take. */
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 2000
#define CONNECT_MS 10000

enum db_link_state { DB_LINK_DOWN, DB_LINK_CONNECTING, DB_LINK_UP };

struct db_link {
    struct loop *loop;
    char *conninfo;
    enum store_role role;
    struct db_link_handler handler;
    enum db_link_state state;
    struct store *store;
    struct loop_timer *timer; /* down: next attempt; connecting: the attempt's deadline */
    struct backoff backoff;
    struct event event;
    bool watching;
    short watched; /* what the event waits for */
    int watched_fd;
    bool kicked;  /* a pump after this turn is asked for */
    bool pumping; /* inside store_pump(): whoever sends now is served by the pump after the turn */
    bool freed;   /* db_link_free() came while calls of ours were still to run */
    bool said;    /* the log knows that the database is gone */
};

static void on_ready(evutil_socket_t fd, short what, void *arg);
static void on_after_turn(void *arg);
static void link_connect(struct db_link *d);

static void unwatch(struct db_link *d)
{
    if (d->watching)
        event_del(&d->event);
    d->watching = false;
}

static void watch(struct db_link *d)
{
    unsigned wait = store_wait(d->store);
    short what = (short)((wait & STORE_WAIT_READ ? EV_READ : 0) |
                         (wait & STORE_WAIT_WRITE ? EV_WRITE : 0) | EV_PERSIST);
    int fd = store_fd(d->store);

    if (d->watching && d->watched == what && d->watched_fd == fd)
        return;
    unwatch(d);
    if (fd < 0)
        return;
    event_assign(&d->event, loop_base(d->loop), fd, what, on_ready, d);
    d->watching = event_add(&d->event, NULL) == 0;
    d->watched = what;
    d->watched_fd = fd;
}

/* The connection is of no use any more: tell, close, try again later. */
static void link_lost(struct db_link *d)
{
    bool was_up = d->state == DB_LINK_UP;

    if (!d->said)
        LOG_WARN("database-gone", LOG_S("role", store_role_name(d->role)),
                 LOG_S("error", d->store ? store_error(d->store) : "out of memory"),
                 LOG_I("loop", loop_index(d->loop)));
    d->said = true;
    unwatch(d);
    d->state = DB_LINK_DOWN;
    if (was_up)
        d->handler.down(d->handler.ctx);
    store_close(d->store);
    d->store = NULL;
    loop_timer_set(d->timer, backoff_next(&d->backoff));
}

static void link_pump(struct db_link *d)
{
    enum emt_err err;

    d->pumping = true;
    err = store_pump(d->store);
    d->pumping = false;
    if (err != EMT_OK || store_is_broken(d->store))
        link_lost(d);
    else
        watch(d);
}

static void link_up(struct db_link *d)
{
    d->state = DB_LINK_UP;
    backoff_reset(&d->backoff);
    loop_timer_cancel(d->timer);
    if (d->said)
        LOG_NOTICE("database-back", LOG_S("role", store_role_name(d->role)),
                   LOG_I("loop", loop_index(d->loop)));
    d->said = false;
    d->handler.up(d->handler.ctx, d->store);
    db_link_kick(d);
}

static void link_connect_step(struct db_link *d)
{
    enum emt_err err = store_connect_poll(d->store);

    if (err == EMT_OK)
        link_up(d);
    else if (err != EMT_EAGAIN)
        link_lost(d);
    else {
        /* libpq may go to the next host with a new descriptor of the same number: watch anew. */
        unwatch(d);
        watch(d);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct db_link *d = arg;

    (void)fd;
    (void)what;
    if (d->state == DB_LINK_CONNECTING)
        link_connect_step(d);
    else
        link_pump(d);
}

static void on_timer(void *arg)
{
    struct db_link *d = arg;

    if (d->state == DB_LINK_CONNECTING)
        link_lost(d);
    else if (d->state == DB_LINK_DOWN)
        link_connect(d);
}

static void link_connect(struct db_link *d)
{
    enum emt_err err = store_open_start(d->conninfo, d->role, &d->store);

    if (err != EMT_OK) {
        d->store = NULL;
        link_lost(d);
        return;
    }
    d->state = DB_LINK_CONNECTING;
    if (store_is_broken(d->store)) { /* refused at once, as by a local socket nobody listens on */
        link_lost(d);
        return;
    }
    loop_timer_set(d->timer, CONNECT_MS);
    watch(d);
}

struct db_link *db_link_new(struct loop *l, const char *conninfo, int role,
                            const struct db_link_handler *h)
{
    struct db_link *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->loop = l;
    d->conninfo = strdup(conninfo);
    d->role = (enum store_role)role;
    d->handler = *h;
    d->backoff = (struct backoff){ RETRY_FIRST_MS, RETRY_MOST_MS, 0 };
    d->timer = loop_timer_new(l, on_timer, d);
    if (!d->conninfo || !d->timer) {
        db_link_free(d);
        return NULL;
    }
    loop_timer_set(d->timer, 0); /* the first attempt runs on the loop, not on the maker's thread */
    return d;
}

static void link_release(struct db_link *d)
{
    free(d->conninfo);
    free(d);
}

void db_link_free(struct db_link *d)
{
    if (!d)
        return;
    unwatch(d);
    loop_timer_free(d->timer);
    d->timer = NULL;
    store_close(d->store);
    d->store = NULL;
    d->state = DB_LINK_DOWN;
    if (d->kicked)
        d->freed = true; /* on_after_turn() does the rest */
    else
        link_release(d);
}

struct store *db_link_store(struct db_link *d)
{
    return d->state == DB_LINK_UP ? d->store : NULL;
}

static void on_after_turn(void *arg)
{
    struct db_link *d = arg;

    d->kicked = false;
    if (d->freed)
        link_release(d);
    else if (d->state == DB_LINK_UP)
        link_pump(d);
}

/* Sending is put off to the end of the turn: many kicks become one write, and no callback of the
 * store runs inside of the caller. */
void db_link_kick(struct db_link *d)
{
    if (d->kicked || d->state != DB_LINK_UP)
        return;
    if (loop_after_turn(d->loop, on_after_turn, d) == EMT_OK)
        d->kicked = true;
    else if (!d->pumping)
        link_pump(d); /* no memory for the list: now, then */
}
