/* Processes of the platform: each holds a lease that it renews; whose lease ran out has lost its
 * sessions (docs/decisions, ownership).
 *
 * Times are the database's, so that nodes need no common clock. All as STORE_ADMIN, outside of a
 * transaction. */
#ifndef EMT_STORE_NODE_STORE_H
#define EMT_STORE_NODE_STORE_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define NODE_LEASE_S 15

/* A new row and a fresh id at each start of a process; name is for people. */
EMT_CHECKED enum emt_err node_register(struct store *s, const char *name, const char *version,
                                       int64_t *id);
/* 15 s from now. *lapsed: it had run out meanwhile, so that others may have declared this node's
 * sessions lost; those that nobody took over are connected again with this call. EMT_ENOTFOUND: the
 * row is gone, register again. */
EMT_CHECKED enum emt_err node_renew(struct store *s, int64_t id, bool *lapsed);
/* Enters a row that is gone again, under its id. */
EMT_CHECKED enum emt_err node_restore(struct store *s, int64_t id, const char *name,
                                      const char *version);
/* The process ends: its lease is over now. */
EMT_CHECKED enum emt_err node_end(struct store *s, int64_t id);
/* Declares sessions of expired nodes lost, and forgets nodes that ended more than a day ago. *lost
 * (may be NULL) counts sessions. */
EMT_CHECKED enum emt_err node_expire(struct store *s, int64_t *lost);
/* Nodes with a lease now. */
EMT_CHECKED enum emt_err node_count(struct store *s, int64_t *alive);
/* The channel on which a node listens for wake-ups, for store_listen(). buf holds 40; returns buf.
 */
const char *node_channel(int64_t id, char buf[40]);
/* Wakes all other nodes that are alive. */
EMT_CHECKED enum emt_err node_wake_others(struct store *s, int64_t id);
/* Month partitions of readings and tomorrow's partition of raw frames stand: without them nothing
 * can be stored. */
EMT_CHECKED enum emt_err node_partitions_stand(struct store *s, bool *stand);
/* Makes the partitions from hot_days ago to three months ahead. */
EMT_CHECKED enum emt_err node_partitions_ensure(struct store *s, int32_t hot_days);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *node_store_statements(size_t *n);

#endif
