/* One event loop on its own thread: libevent, timers, a mailbox from other threads. */
#ifndef EMT_LOOP_LOOP_H
#define EMT_LOOP_LOOP_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event_base;
struct store;

struct loop *loop_new(unsigned index); /* NULL when out of memory; free after its thread ended */
void loop_free(struct loop *l);
unsigned loop_index(const struct loop *l);
struct event_base *loop_base(struct loop *l);
/* Starts the thread; runs until loop_stop(). */
EMT_CHECKED enum emt_err loop_start(struct loop *l);
/* From any thread: ends the loop after the current turn; loop_join() waits for the thread. */
void loop_stop(struct loop *l);
void loop_join(struct loop *l);
/* From any thread: run fn(arg) on the loop's thread. EMT_ELIMIT: more than 65,536 waiting. */
EMT_CHECKED enum emt_err loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* fn runs after all callbacks of the current turn: for freeing what must not be freed inside its
 * own callback. Loop thread only. */
EMT_CHECKED enum emt_err loop_after_turn(struct loop *l, void (*fn)(void *arg), void *arg);

/* A timer of the loop. Loop thread only. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg),
                                  void *arg); /* NULL when out of memory */
void loop_timer_free(struct loop_timer *t);
void loop_timer_set(struct loop_timer *t,
                    int64_t ms); /* one shot, from now; replaces the running one */
void loop_timer_cancel(struct loop_timer *t);

/* Keeps one asynchronous database connection of a loop alive: opens, reconnects with back-off and
 * jitter, pumps. */
struct db_link;
struct db_link_handler {
    void (*up)(void *ctx, struct store *s); /* connected; s is good until down() */
    void (*down)(void *ctx); /* all outstanding callbacks were called with EMT_EDB before */
    void *ctx;
};
struct db_link *db_link_new(struct loop *l, const char *conninfo, int role /* enum store_role */,
                            const struct db_link_handler *h);
void db_link_free(struct db_link *d);
struct store *db_link_store(struct db_link *d); /* NULL while down */
/* Call after store_send*(): flushes and watches the socket. */
void db_link_kick(struct db_link *d);

#endif
