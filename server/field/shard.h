/* One loop's part of the field channel: its listeners, connections, sessions, ingest engine and
 * database connection. Everything here belongs to the loop's thread, except where "any thread"
 * stands. */
#ifndef EMT_FIELD_SHARD_H
#define EMT_FIELD_SHARD_H

#include "base/attr.h"
#include "base/error.h"
#include "field/field.h"
#include "field_metrics.h"
#include "handshake_pool.h"
#include "listener.h"
#include "roster.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct loop;
struct renewal;
struct shard;
struct tls_conn;

/* The kinds of listeners, each with a TLS context of its own. */
enum field_listener { FIELD_TLS12, FIELD_TLS13, FIELD_LOGGER, FIELD_LISTENERS };

/* What the loops of one process share. */
struct field_shared {
    struct field_settings settings; /* texts are field.c's copies */
    struct field_metrics metrics;
    struct handshake_log handshake_log;
    struct handshake_pool *pool;
    struct roster *roster;
    struct renewal *renewal;
    pthread_mutex_t tls_mutex; /* guards the contexts */
    struct tls_context *tls[FIELD_LISTENERS];
    struct shard **shards;
    unsigned nshards;
    atomic_uint sessions;
};

/* Before its loop starts. */
EMT_CHECKED enum emt_err shard_new(struct field_shared *shared, unsigned index, struct shard **out,
                                   struct emt_diag *diag);
/* After its loop ended; NULL is fine. */
void shard_free(struct shard *s);
struct loop *shard_loop(struct shard *s);
/* Before its loop starts: accept on this address, with the context of this kind. *port: where it
 * listens. */
EMT_CHECKED enum emt_err shard_listen(struct shard *s, const struct listener_address *a,
                                      enum field_listener kind, uint16_t *port,
                                      struct emt_diag *diag);

/* Outcomes of the handshake pool, any thread; owner: the shard. */
void shard_handshake_up(void *owner, struct tls_conn *tls, int fd, const char *peer);
void shard_handshake_failed(void *owner, enum handshake_outcome o, const char *reason,
                            const char *peer);

/* A struct renewal_answer, given; its owner is the shard. On the loop's thread. */
void shard_renewed(void *answer);

/* Any thread. Commands and revocations now. */
void shard_wake(struct shard *s);
/* Any thread, before shard_stop(): no new connections, and Bye to one session after the other over
 * the time of the settings; then done(ctx) once, on the loop's thread. */
void shard_drain(struct shard *s, void (*done)(void *ctx), void *ctx);
/* Any thread: Bye to all, then done(ctx) once, on the loop's thread, when all is written and sent,
 * or after timeout_ms. */
void shard_stop(struct shard *s, int timeout_ms, void (*done)(void *ctx), void *ctx);

#endif
