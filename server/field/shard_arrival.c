#include "base/log.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "shard_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* ---- arrivals ---- */

struct arrival {
    struct shard *shard;
    struct tls_conn *tls;
    int fd;
    char peer[LISTENER_PEER_MAX];
};

static void arrival_drop(struct arrival *a)
{
    tls_conn_free(a->tls);
    close(a->fd);
    shard_count_connection(a->shard, -1);
    free(a);
}

static void peer_of(const struct arrival *a, struct session_peer *out)
{
    const struct tls_peer *p = tls_conn_peer(a->tls);

    memset(out, 0, sizeof *out);
    snprintf(out->address, sizeof out->address, "%s", a->peer);
    snprintf(out->gateway, sizeof out->gateway, "%s", p->common_name);
    snprintf(out->tenant, sizeof out->tenant, "%s", p->organisation);
    memcpy(out->fingerprint, p->fingerprint, sizeof out->fingerprint);
    snprintf(out->serial, sizeof out->serial, "%s", p->serial);
    out->foreign = p->origin != TLS_PEER_OWN;
    out->has_anchor = p->origin == TLS_PEER_FOREIGN_CA;
    memcpy(out->anchor, p->anchor, sizeof out->anchor);
    memcpy(out->issuer, p->issuer_key_id, sizeof out->issuer);
    out->not_before = p->not_before;
    out->not_after = p->not_after;
    out->tls = tls_conn_version(a->tls);
    out->resumed = tls_conn_resumed(a->tls);
}

static void on_arrival(void *arg)
{
    struct arrival *a = arg;
    struct shard *sh = a->shard;
    struct conn *c = sh->stopping ? NULL : calloc(1, sizeof *c);
    struct session_peer peer;

    if (!c) {
        arrival_drop(a);
        return;
    }
    c->shard = sh;
    peer_of(a, &peer);
    if (link_new(&sh->links, &link_wire_tls, a->tls, a->fd, HELLO_LONGEST, &shard_link_handler, c,
                 &c->link) != EMT_OK) {
        free(c);
        arrival_drop(a);
        return;
    }
    free(a);
    if (peer.resumed)
        metric_add(sh->metrics->resumed, 1);
    if (session_init(&c->session, sh->loop, &shard_session_ops, &sh->limits, sh, c, &peer) !=
        EMT_OK) {
        link_close(c->link);
        free(c);
        return;
    }
    shard_add_session(sh, &c->session);
}

void shard_handshake_up(void *owner, struct tls_conn *tls, int fd, const char *peer)
{
    struct shard *sh = owner;
    struct arrival *a = calloc(1, sizeof *a);

    metric_add(sh->metrics->handshakes[HANDSHAKE_OK], 1);
    if (!a) {
        tls_conn_free(tls);
        close(fd);
        shard_count_connection(sh, -1);
        return;
    }
    a->shard = sh;
    a->tls = tls;
    a->fd = fd;
    snprintf(a->peer, sizeof a->peer, "%s", peer);
    if (loop_post(sh->loop, on_arrival, a) != EMT_OK) {
        metric_add(sh->metrics->limits[LIMIT_MAILBOX], 1);
        arrival_drop(a);
    }
}

void shard_handshake_failed(void *owner, enum handshake_outcome o, const char *reason,
                            const char *peer)
{
    struct shard *sh = owner;

    metric_add(sh->metrics->handshakes[o], 1);
    handshake_log_write(&sh->shared->handshake_log, o, reason, peer);
    shard_count_connection(sh, -1);
}

static struct tls_context *context_of(struct field_shared *shared, enum field_listener kind)
{
    struct tls_context *c;

    pthread_mutex_lock(&shared->tls_mutex);
    c = tls_context_ref(shared->tls[kind]);
    pthread_mutex_unlock(&shared->tls_mutex);
    return c;
}

static void on_accepted(void *ctx, int fd, const char *peer)
{
    struct port *port = ctx;
    struct shard *sh = port->shard;
    struct tls_context *tls;
    enum emt_err err;

    if (atomic_load(&sh->connections) >= sh->shared->settings.connections) {
        metric_add(sh->metrics->limits[LIMIT_CONNECTIONS], 1);
        close(fd);
        return;
    }
    shard_count_connection(sh, 1);
    tls = context_of(sh->shared, port->kind);
    err = handshake_pool_add(sh->shared->pool, tls, fd, peer, sh);
    tls_context_unref(tls);
    if (err == EMT_OK)
        return;
    close(fd);
    if (err == EMT_ELIMIT)
        metric_add(sh->metrics->limits[LIMIT_HANDSHAKE_QUEUE], 1);
    shard_handshake_failed(sh, err == EMT_ELIMIT ? HANDSHAKE_QUEUE_FULL : HANDSHAKE_BROKEN, "",
                           peer);
}

/* Who is not accepted yet keeps its place and costs nothing; who is sent away comes again. */
static bool has_room(void *ctx)
{
    struct port *port = ctx;
    struct field_shared *shared = port->shard->shared;

    if (handshake_pool_count(shared->pool) < shared->settings.handshake_queue)
        return true;
    metric_add(port->shard->metrics->limits[LIMIT_HANDSHAKE_QUEUE], 1);
    return false;
}

static void on_exhausted(void *ctx)
{
    struct port *port = ctx;

    metric_add(port->shard->metrics->limits[LIMIT_DESCRIPTORS], 1);
    LOG_WARN("accept-paused", LOG_S("reason", "no descriptors left"),
             LOG_I("loop", loop_index(port->shard->loop)));
}

enum emt_err shard_listen(struct shard *sh, const struct listener_address *a,
                          enum field_listener kind, uint16_t *port, struct emt_diag *diag)
{
    struct port *p = &sh->ports[sh->nports];
    struct listener_handler h = { on_accepted, on_exhausted, p, has_room };
    enum emt_err err;

    if (sh->nports == LISTENERS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d listening addresses", LISTENERS_MAX);
    p->shard = sh;
    p->kind = kind;
    err = listener_new(sh->loop, a, &h, &p->listener, diag);
    if (err != EMT_OK)
        return err;
    sh->nports++;
    *port = listener_port(p->listener);
    return EMT_OK;
}
