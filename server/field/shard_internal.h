/* A shard's inside, for the files that make it up: shard.c (life, time, ingest, database),
 * shard_session.c (what sessions ask for), shard_arrival.c (from accept to session). */
#ifndef EMT_FIELD_SHARD_INTERNAL_H
#define EMT_FIELD_SHARD_INTERNAL_H

#include "base/writer.h"
#include "link.h"
#include "session.h"
#include "shard.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct claims;
struct commands;
struct db_link;
struct ingest;
struct journal;
struct loop_timer;
struct map;
struct revocation;

/* A Hello is short: longest message before Welcome. */
#define HELLO_LONGEST ((size_t)64 * 1024)
#define LISTENERS_MAX 32

/* A connection: session and link. Freed after the turn in which the session closed. */
struct conn {
    struct session session; /* first: a session of this folder is always a conn */
    struct shard *shard;
    struct link *link;
    struct conn *dead; /* list of the closed */
};

struct port {
    struct shard *shard;
    struct listener *listener;
    enum field_listener kind;
};

struct shard {
    struct field_shared *shared;
    struct loop *loop;
    struct field_metrics *metrics;
    struct session_limits limits;
    struct port ports[LISTENERS_MAX];
    unsigned nports;
    atomic_uint connections; /* from accept to the end, any thread */

    struct db_link *db;
    struct ingest *ingest;
    struct link_pool links;
    struct arena *arena;
    struct writer encoder;
    struct journal *journal;
    struct claims *claims;
    struct commands *commands;
    struct revocation *revocation; /* the first shard's only */

    struct session *sessions; /* all that are not closed */
    struct map *by_ticket, *by_gateway;
    struct conn *dead;
    struct loop_timer *tick, *stop_timer;
    unsigned ticks;
    bool reaping, credit_due;

    bool stopping, drained;
    int64_t stop_deadline_ms, release_until_ms;
    int64_t release_total; /* sessions when the drain began */
    unsigned released;
    void (*release_done)(void *ctx);
    void (*stop_done)(void *ctx);
    void *stop_ctx;
};

/* One more connection (1), or one less (-1). Any thread. */
void shard_count_connection(struct shard *sh, int n);
/* A session that stands in the list until it closes. */
void shard_add_session(struct shard *sh, struct session *s);
/* Feeds one event to every session, or to those of one state (SESSION_STATES: all). */
void shard_tell_all(struct shard *sh, enum session_event ev, enum session_state only);
/* NULL for none. */
struct session *shard_session_of(struct shard *sh, int32_t tenant, int64_t gateway);
/* Frees the closed; arg: the shard. */
void shard_reap(void *arg);
/* Into sh->encoder. */
EMT_CHECKED enum emt_err shard_encode(struct shard *sh, const struct uplink_message *m);
extern const struct session_ops shard_session_ops;
/* ctx: the conn. */
extern const struct link_handler shard_link_handler;

#endif
