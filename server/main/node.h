/* This process as a node of the platform: its row and lease, lost sessions of others, and wake-ups
 * between nodes.
 *
 * One thread with one database connection. Wake-ups go out at most 20 times a second (they
 * serialise commits in the database), and every node looks by itself every 5 s besides. */
#ifndef EMT_MAIN_NODE_H
#define EMT_MAIN_NODE_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct node;

struct node_settings {
    const char *conninfo;
    const char *name;
    const char *version;
};

/* Registers. EMT_EDB. s is copied by reference: texts outlive the node. */
EMT_CHECKED enum emt_err node_open(const struct node_settings *s, struct node **out,
                                   struct emt_diag *diag);
int64_t node_id(const struct node *n);
/* Starts the thread; look(ctx) is called on it whenever something may have changed, here or
 * elsewhere. */
EMT_CHECKED enum emt_err node_start(struct node *n, void (*look)(void *ctx), void *ctx);
/* From any thread: something changed here; look() and all other nodes' look() will run. arg is the
 * node. */
void node_wake(void *arg);
/* The lease was renewed within its time: the database is there. */
bool node_is_alive(const struct node *n);
/* Ends the thread; the lease runs on. NULL is fine. */
void node_halt(struct node *n);
/* Ends the lease and frees. NULL is fine. */
void node_close(struct node *n);

#endif
