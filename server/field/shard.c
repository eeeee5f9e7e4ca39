#include "shard.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "base/writer.h"
#include "claims.h"
#include "commands.h"
#include "ingest/ingest.h"
#include "journal.h"
#include "link.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "revocation.h"
#include "session.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TICK_MS 1000
#define REVOCATION_TICKS 5
#define STOP_STEP_MS 20
/* After Bye: for what was sent before it was read. */
#define DRAIN_MS 2000
#define LINGER_MS 2000
/* A Hello is short. */
#define HELLO_LONGEST (64u * 1024)
#define LOG_MINUTE 60
/* Messages of all links of a loop that have not arrived whole. */
#define UNFINISHED_MAX (64u << 20)
/* One decoded message: 4,096 frames with their structs, and the texts. */
#define ARENA_MAX (8u << 20)
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
    bool tls12;
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
    int64_t stop_deadline_ms;
    void (*stop_done)(void *ctx);
    void *stop_ctx;
};

static struct conn *conn_of(struct session *s)
{
    return (struct conn *)s;
}

/* ---- connections and their lists ---- */

static void connection_count(struct shard *sh, int n)
{
    if (n > 0)
        atomic_fetch_add(&sh->connections, 1);
    else
        atomic_fetch_sub(&sh->connections, 1);
    metric_add(sh->metrics->connections, n);
}

static void session_link(struct shard *sh, struct session *s)
{
    s->next = sh->sessions;
    s->slot = &sh->sessions;
    if (s->next)
        s->next->slot = &s->next;
    sh->sessions = s;
}

static void session_unlink(struct session *s)
{
    *s->slot = s->next;
    if (s->next)
        s->next->slot = s->slot;
}

static void reap(void *arg)
{
    struct shard *sh = arg;

    sh->reaping = false;
    while (sh->dead) {
        struct conn *c = sh->dead;
        sh->dead = c->dead;
        session_release(&c->session);
        free(c);
    }
}

static void conn_bury(struct conn *c)
{
    struct shard *sh = c->shard;

    c->dead = sh->dead;
    sh->dead = c;
    /* Without memory for the list the next tick does it. */
    if (!sh->reaping)
        sh->reaping = loop_after_turn(sh->loop, reap, sh) == EMT_OK;
}

static struct session *session_of_gateway(struct shard *sh, int32_t tenant, int64_t gateway)
{
    struct gateway_key k = gateway_key(tenant, gateway);

    return map_get(sh->by_gateway, k.bytes, sizeof k.bytes);
}

/* Feeds one event to every session; a session may close meanwhile, and closing one never closes
 * another. */
static void all_sessions(struct shard *sh, enum session_event ev, enum session_state only)
{
    for (struct session *s = sh->sessions, *next; s; s = next) {
        next = s->next;
        if (only == SESSION_STATES || s->state == only)
            session_handle(s, ev, &(struct session_input){ 0 });
    }
}

/* ---- what a session asks for ---- */

static enum emt_err encode(struct shard *sh, const struct uplink_message *m)
{
    writer_clear(&sh->encoder);
    return uplink_encode(m, &sh->encoder);
}

static enum emt_err op_send(void *link, const struct uplink_message *m)
{
    struct conn *c = link;
    struct shard *sh = c->shard;
    enum emt_err err = encode(sh, m);

    if (err != EMT_OK)
        return EMT_EINTERNAL; /* ours are short and well-formed */
    err = link_send(c->link, sh->encoder.data, sh->encoder.len);
    if (err == EMT_ELIMIT)
        metric_add(sh->metrics->limits[LIMIT_SESSION_QUEUE], 1);
    return err;
}

static void op_allow(void *link, size_t longest)
{
    struct conn *c = link;

    link_allow(c->link, longest);
}

static enum emt_err op_claim(void *host, struct session *s, const struct uplink_hello *hello)
{
    struct shard *sh = host;

    return claims_add(sh->claims, s, hello);
}

static enum emt_err op_ingest_open(void *host, struct session *s, uint64_t last_seq)
{
    struct shard *sh = host;
    struct ingest_source src = { .tenant = s->owned.tenant,
                                 .gateway = s->owned.gateway,
                                 .epoch = s->owned.epoch };
    enum emt_err err;

    memcpy(src.spool_id, s->spool_id, sizeof src.spool_id);
    err = ingest_open(sh->ingest, &src, last_seq, &s->ticket);
    if (err != EMT_OK)
        return err;
    err = map_put(sh->by_ticket, &s->ticket, sizeof s->ticket, s, NULL);
    if (err != EMT_OK)
        ingest_close(sh->ingest, s->ticket);
    s->ticket_open = err == EMT_OK;
    return err;
}

static enum emt_err op_ingest_frame(void *host, struct session *s, const struct ingest_frame *f)
{
    struct shard *sh = host;

    return ingest_frame(sh->ingest, s->ticket, f);
}

static enum emt_err op_ingest_gap(void *host, struct session *s, const struct uplink_gap *g)
{
    struct shard *sh = host;

    return ingest_gap(sh->ingest, s->ticket, g->from, g->to, g->reason ? g->reason : "");
}

static size_t op_ingest_credit(void *host, struct session *s)
{
    struct shard *sh = host;

    return sh->stopping ? 0 : ingest_credit(sh->ingest, s->ticket);
}

static void op_status(void *host, struct session *s, const struct uplink_status *st)
{
    struct shard *sh = host;

    metric_add(sh->metrics->status, 1);
    journal_status(sh->journal, s->owned.tenant, s->owned.gateway, st);
}

static void op_log(void *host, struct session *s, const struct uplink_log *l)
{
    struct shard *sh = host;

    metric_add(sh->metrics->log_lines, 1);
    journal_log(sh->journal, s->owned.tenant, s->owned.gateway, l);
}

static void op_command_result(void *host, struct session *s, const struct uplink_command_result *r)
{
    struct shard *sh = host;

    metric_add(sh->metrics->commands_answered, 1);
    journal_result(sh->journal, s->owned.tenant, s->owned.gateway, r->idempotency_key, r->outcome,
                   r->text);
}

/* ---- one gateway, one session ---- */

/* For another loop of this node: a younger session of this gateway stands elsewhere. */
struct replacement {
    struct shard *shard;
    int32_t tenant;
    int64_t gateway, epoch;
};

static void on_replaced(void *arg)
{
    struct replacement *r = arg;
    struct session *s = session_of_gateway(r->shard, r->tenant, r->gateway);

    if (s && s->owned.epoch < r->epoch)
        session_handle(s, EV_REPLACED, &(struct session_input){ 0 });
    free(r);
}

static void replace_elsewhere(struct shard *other, const struct session *s)
{
    struct replacement *r = malloc(sizeof *r);

    if (r)
        *r = (struct replacement){ other, s->owned.tenant, s->owned.gateway, s->owned.epoch };
    /* Should the note get lost: the older session's next frame is fenced by its epoch. */
    if (r && loop_post(other->loop, on_replaced, r) != EMT_OK)
        free(r);
}

static void on_stale(void *arg)
{
    struct replacement *r = arg;
    struct session *s = session_of_gateway(r->shard, r->tenant, r->gateway);

    if (s && s->owned.epoch == r->epoch)
        session_handle(s, EV_REPLACED, &(struct session_input){ 0 });
    free(r);
}

/* The session is READY: whatever served the gateway on this node before is over. */
static void take_over(struct shard *sh, struct session *s)
{
    struct gateway_key k = gateway_key(s->owned.tenant, s->owned.gateway);
    struct session *older;
    void *before = NULL, *old = NULL;
    enum emt_err err = roster_put(sh->shared->roster, s->owned.tenant, s->owned.gateway,
                                  s->owned.epoch, sh, &before);

    if (err == EMT_ESTATE) {
        /* Two claims answered out of order: this one is the older. It ends after this turn, not
         * inside itself. */
        struct replacement *r = malloc(sizeof *r);
        if (r)
            *r = (struct replacement){ sh, s->owned.tenant, s->owned.gateway, s->owned.epoch };
        if (r && loop_after_turn(sh->loop, on_stale, r) != EMT_OK)
            free(r);
    }
    if (before && before != sh)
        replace_elsewhere(before, s);
    older = map_get(sh->by_gateway, k.bytes, sizeof k.bytes);
    if (older && older->owned.epoch > s->owned.epoch)
        return;
    if (map_put(sh->by_gateway, k.bytes, sizeof k.bytes, s, &old) == EMT_OK && old)
        session_handle(old, EV_REPLACED, &(struct session_input){ 0 });
}

static void op_ready(void *host, struct session *s)
{
    struct shard *sh = host;

    metric_add(sh->metrics->sessions, 1);
    atomic_fetch_add(&sh->shared->sessions, 1);
    LOG_INFO("session-ready", LOG_S("tenant", s->peer.tenant), LOG_S("gateway", s->peer.gateway),
             LOG_S("peer", s->peer.address), LOG_S("tls", s->peer.tls),
             LOG_I("resumed", s->peer.resumed), LOG_I("epoch", s->owned.epoch),
             LOG_I("last_seq", s->owned.last_seq), LOG_I("loop", loop_index(sh->loop)));
    take_over(sh, s);
}

static void limit_count(struct shard *sh, const struct session *s)
{
    struct metric *const *limits = sh->metrics->limits;

    if (s->ending == ENDING_NO_HELLO)
        metric_add(limits[LIMIT_HELLO], 1);
    else if (s->ending == ENDING_TOO_LONG)
        metric_add(limits[LIMIT_MESSAGE], 1);
    else if (s->ending == ENDING_CREDIT)
        metric_add(limits[LIMIT_CREDIT], 1);
    else if (s->ending == ENDING_MEMORY)
        metric_add(limits[LIMIT_UNFINISHED], 1);
}

static void ready_over(struct shard *sh, struct session *s)
{
    struct gateway_key k = gateway_key(s->owned.tenant, s->owned.gateway);

    metric_add(sh->metrics->sessions, -1);
    atomic_fetch_sub(&sh->shared->sessions, 1);
    if (map_get(sh->by_gateway, k.bytes, sizeof k.bytes) == s)
        (void)map_del(sh->by_gateway, k.bytes, sizeof k.bytes);
    roster_remove(sh->shared->roster, s->owned.tenant, s->owned.gateway, s->owned.epoch);
}

static void op_closed(void *host, struct session *s)
{
    struct shard *sh = host;
    struct conn *c = conn_of(s);
    const char *reason = session_ending_name(s->ending);

    claims_forget(s);
    if (s->ticket_open) {
        (void)map_del(sh->by_ticket, &s->ticket, sizeof s->ticket);
        ingest_close(sh->ingest, s->ticket);
    }
    if (s->owned.epoch > 0)
        journal_end(sh->journal, s->owned.tenant, s->owned.gateway, s->owned.epoch, reason);
    if (s->was_ready)
        ready_over(sh, s);
    metric_add(sh->metrics->closed[s->ending], 1);
    limit_count(sh, s);
    LOG_INFO("session-closed", LOG_S("tenant", s->peer.tenant), LOG_S("gateway", s->peer.gateway),
             LOG_S("peer", s->peer.address), LOG_S("reason", reason),
             LOG_I("seconds", (clock_mono_ms() - s->started_ms) / 1000), LOG_I("frames", s->frames),
             LOG_I("bytes", s->bytes));
    session_unlink(s);
    link_close(c->link);
    conn_bury(c);
}

static const struct session_ops session_ops = {
    .send = op_send,
    .allow = op_allow,
    .claim = op_claim,
    .ingest_open = op_ingest_open,
    .ingest_frame = op_ingest_frame,
    .ingest_gap = op_ingest_gap,
    .ingest_credit = op_ingest_credit,
    .status = op_status,
    .log = op_log,
    .command_result = op_command_result,
    .ready = op_ready,
    .closed = op_closed,
};

/* ---- what the link tells ---- */

static void on_message(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    struct session *s = &c->session;
    struct shard *sh = c->shard;
    struct uplink_message m;
    uint64_t frames = s->frames, bytes = s->bytes, repeated = s->repeated;
    uint64_t dropped = s->log_dropped;

    arena_reset(sh->arena);
    if (uplink_decode(p, n, sh->arena, &m) == EMT_OK)
        session_message(s, &m);
    else
        session_handle(s, EV_UNREADABLE, &(struct session_input){ 0 });
    /* s is still there: the closed are buried after the turn. */
    metric_add(sh->metrics->frames, (int64_t)(s->frames - frames));
    metric_add(sh->metrics->bytes, (int64_t)(s->bytes - bytes));
    if (s->repeated != repeated)
        metric_add(sh->metrics->repeated, (int64_t)(s->repeated - repeated));
    if (s->log_dropped != dropped)
        metric_add(sh->metrics->limits[LIMIT_LOG_LINES], 1);
}

static void on_ended(void *ctx, enum link_end end)
{
    static const enum session_event events[] = {
        [LINK_CLOSED] = EV_PEER_CLOSED, [LINK_LOST] = EV_PEER_LOST,
        [LINK_TOO_LONG] = EV_TOO_LONG,  [LINK_UNREADABLE] = EV_UNREADABLE,
        [LINK_MEMORY] = EV_LINK_MEMORY,
    };
    struct conn *c = ctx;

    session_handle(&c->session, events[end], &(struct session_input){ 0 });
}

static const struct link_handler link_handler = { on_message, on_ended };

static void on_link_gone(void *ctx)
{
    connection_count(ctx, -1);
}

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
    connection_count(a->shard, -1);
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
    if (link_new(&sh->links, &link_wire_tls, a->tls, a->fd, HELLO_LONGEST, &link_handler, c,
                 &c->link) != EMT_OK) {
        free(c);
        arrival_drop(a);
        return;
    }
    free(a);
    if (peer.resumed)
        metric_add(sh->metrics->resumed, 1);
    if (session_init(&c->session, sh->loop, &session_ops, &sh->limits, sh, c, &peer) != EMT_OK) {
        link_close(c->link);
        free(c);
        return;
    }
    session_link(sh, &c->session);
}

void shard_handshake_up(void *owner, struct tls_conn *tls, int fd, const char *peer)
{
    struct shard *sh = owner;
    struct arrival *a = calloc(1, sizeof *a);

    metric_add(sh->metrics->handshakes[HANDSHAKE_OK], 1);
    if (!a) {
        tls_conn_free(tls);
        close(fd);
        connection_count(sh, -1);
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
    connection_count(sh, -1);
}

static struct tls_context *context_of(struct field_shared *shared, bool tls12)
{
    struct tls_context *c;

    pthread_mutex_lock(&shared->tls_mutex);
    c = tls_context_ref(tls12 ? shared->tls12 : shared->tls13);
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
    connection_count(sh, 1);
    tls = context_of(sh->shared, port->tls12);
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

static void on_exhausted(void *ctx)
{
    struct port *port = ctx;

    metric_add(port->shard->metrics->limits[LIMIT_DESCRIPTORS], 1);
    LOG_WARN("accept-paused", LOG_S("reason", "no descriptors left"),
             LOG_I("loop", loop_index(port->shard->loop)));
}

enum emt_err shard_listen(struct shard *sh, const struct listener_address *a, bool tls12,
                          uint16_t *port, struct emt_diag *diag)
{
    struct port *p = &sh->ports[sh->nports];
    struct listener_handler h = { on_accepted, on_exhausted, p };
    enum emt_err err;

    if (sh->nports == LISTENERS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d listening addresses", LISTENERS_MAX);
    p->shard = sh;
    p->tls12 = tls12;
    err = listener_new(sh->loop, a, &h, &p->listener, diag);
    if (err != EMT_OK)
        return err;
    sh->nports++;
    *port = listener_port(p->listener);
    return EMT_OK;
}

/* ---- what ingest tells ---- */

static void on_committed(void *ctx, uint64_t ticket, const struct ingest_report *r)
{
    struct shard *sh = ctx;
    struct session *s = map_get(sh->by_ticket, &ticket, sizeof ticket);

    if (s)
        session_handle(s, EV_COMMITTED, &(struct session_input){ .report = r });
}

struct fencing {
    struct shard *shard;
    uint64_t ticket;
};

static void on_fenced_after(void *arg)
{
    struct fencing *f = arg;
    struct session *s = map_get(f->shard->by_ticket, &f->ticket, sizeof f->ticket);

    if (s)
        session_handle(s, EV_FENCED, &(struct session_input){ 0 });
    free(f);
}

/* May come from inside ingest_frame(), that is, from inside the session: told after the turn.
 * Should there be no memory for that, the next frame is refused. */
static void on_fenced(void *ctx, uint64_t ticket)
{
    struct fencing *f = malloc(sizeof *f);

    if (!f)
        return;
    *f = (struct fencing){ ctx, ticket };
    if (loop_after_turn(f->shard->loop, on_fenced_after, f) != EMT_OK)
        free(f);
}

static void on_credit_due(void *arg)
{
    struct shard *sh = arg;

    sh->credit_due = false;
    all_sessions(sh, EV_CREDIT, SESSION_READY);
}

/* May come from inside ingest_frame(), that is, from inside a session: told after the turn. */
static void on_pressure(void *ctx, bool full)
{
    struct shard *sh = ctx;

    (void)full;
    if (!sh->credit_due)
        sh->credit_due = loop_after_turn(sh->loop, on_credit_due, sh) == EMT_OK;
}

/* ---- database ---- */

static void on_queued(void *ctx)
{
    struct shard *sh = ctx;

    db_link_kick(sh->db);
}

static void on_db_up(void *ctx, struct store *s)
{
    struct shard *sh = ctx;

    claims_store(sh->claims, s);
}

static void on_db_down(void *ctx)
{
    struct shard *sh = ctx;

    claims_store(sh->claims, NULL);
}

static struct session *find_ready(void *ctx, int32_t tenant, int64_t gateway)
{
    struct session *s = session_of_gateway(ctx, tenant, gateway);

    return s && s->state == SESSION_READY ? s : NULL;
}

static bool can_send(void *ctx, const struct uplink_message *m)
{
    return encode(ctx, m) == EMT_OK;
}

/* ---- revocation ---- */

static void check_revoked(void *arg)
{
    struct shard *sh = arg;
    struct trust *trust = sh->shared->settings.trust;

    for (struct session *s = sh->sessions, *next; s; s = next) {
        next = s->next;
        if (trust_is_revoked(trust, s->peer.fingerprint))
            session_handle(s, EV_REVOKED, &(struct session_input){ 0 });
    }
}

static void on_revocation_changed(void *ctx)
{
    struct shard *sh = ctx;

    for (unsigned i = 0; i < sh->shared->nshards; i++)
        if (loop_post(sh->shared->shards[i]->loop, check_revoked, sh->shared->shards[i]) != EMT_OK)
            metric_add(sh->metrics->limits[LIMIT_MAILBOX], 1);
}

/* ---- time ---- */

static void on_tick(void *arg)
{
    struct shard *sh = arg;
    struct store *db = db_link_store(sh->db);

    loop_timer_set(sh->tick, TICK_MS);
    sh->ticks++;
    reap(sh);
    claims_retry(sh->claims);
    if (journal_flush(sh->journal, db))
        db_link_kick(sh->db);
    if (!sh->stopping) {
        all_sessions(sh, EV_CREDIT, SESSION_READY);
        commands_poll(sh->commands, db);
    }
    if (sh->revocation) {
        metric_set(sh->metrics->handshakes_waiting, handshake_pool_count(sh->shared->pool));
        if (sh->ticks % REVOCATION_TICKS == 1)
            revocation_poll(sh->revocation, db);
    }
}

static void on_wake(void *arg)
{
    struct shard *sh = arg;
    struct store *db = db_link_store(sh->db);

    if (sh->stopping)
        return;
    commands_poll(sh->commands, db);
    if (sh->revocation)
        revocation_poll(sh->revocation, db);
}

void shard_wake(struct shard *sh)
{
    if (loop_post(sh->loop, on_wake, sh) != EMT_OK)
        metric_add(sh->metrics->limits[LIMIT_MAILBOX], 1);
}

/* ---- the end ---- */

static void on_drained(void *ctx)
{
    struct shard *sh = ctx;

    sh->drained = true;
}

/* Once nothing is under way any more the sessions end; then their ends are written and the last
 * bytes go out. */
static void on_stop_step(void *arg)
{
    struct shard *sh = arg;
    struct store *db = db_link_store(sh->db);
    bool late = clock_mono_ms() >= sh->stop_deadline_ms;

    if (sh->drained || late)
        all_sessions(sh, EV_TIMEOUT, SESSION_DRAINING);
    if (journal_flush(sh->journal, db))
        db_link_kick(sh->db);
    if (!late && (sh->sessions || sh->links.first || (db && !journal_is_idle(sh->journal)))) {
        loop_timer_set(sh->stop_timer, STOP_STEP_MS);
        return;
    }
    sh->stop_done(sh->stop_ctx);
}

static void on_stop(void *arg)
{
    struct shard *sh = arg;
    int64_t left = sh->stop_deadline_ms - clock_mono_ms();

    sh->stopping = true;
    for (unsigned i = 0; i < sh->nports; i++)
        listener_free(sh->ports[i].listener);
    sh->nports = 0;
    all_sessions(sh, EV_STOP, SESSION_STATES);
    ingest_drain(sh->ingest, left > 0 ? (int)left : 0, on_drained, sh);
    loop_timer_set(sh->stop_timer, STOP_STEP_MS);
}

void shard_stop(struct shard *sh, int timeout_ms, void (*done)(void *ctx), void *ctx)
{
    sh->stop_deadline_ms = clock_mono_ms() + timeout_ms;
    sh->stop_done = done;
    sh->stop_ctx = ctx;
    if (loop_post(sh->loop, on_stop, sh) != EMT_OK)
        done(ctx);
}

/* ---- life ---- */

static enum emt_err ingest_start(struct shard *sh, struct emt_diag *diag)
{
    const struct field_settings *fs = &sh->shared->settings;
    struct ingest_handler h = { on_committed, on_fenced, on_pressure, sh };
    struct ingest_settings is = { .conninfo = fs->conninfo,
                                  .master = fs->master,
                                  .metrics = fs->metrics,
                                  .budget_bytes = fs->budget_bytes };
    char path[4096];
    struct writer w;
    enum emt_err err;

    writer_init_fixed(&w, path, sizeof path);
    writer_printf(&w, "%s/ingest-%u.scratch", fs->state_dir, loop_index(sh->loop));
    is.scratch_path = writer_cstr(&w);
    if (w.failed)
        return emt_fail(diag, EMT_ELIMIT, "the state folder's path is too long");
    err = ingest_new(sh->loop, &is, &h, &sh->ingest, diag);
    seal_key_wipe(&is.master);
    return err;
}

static bool parts_new(struct shard *sh)
{
    struct field_metrics *m = sh->metrics;
    struct claims_settings cs = { sh->shared->settings.node_id, NULL, m, on_queued, sh };
    struct commands_settings ms = {
        sh->shared->settings.node_id, NULL, m, find_ready, can_send, on_queued, sh
    };
    struct db_link_handler dh = { on_db_up, on_db_down, sh };

    sh->journal = journal_new(m->journal_dropped, m->limits[LIMIT_JOURNAL]);
    cs.journal = ms.journal = sh->journal;
    sh->claims = claims_new(&cs);
    sh->commands = commands_new(&ms);
    sh->by_ticket = map_new();
    sh->by_gateway = map_new();
    sh->arena = arena_new(ARENA_MAX);
    sh->tick = loop_timer_new(sh->loop, on_tick, sh);
    sh->stop_timer = loop_timer_new(sh->loop, on_stop_step, sh);
    sh->db = db_link_new(sh->loop, sh->shared->settings.conninfo, STORE_INGEST, &dh);
    if (loop_index(sh->loop) == 0)
        sh->revocation =
            revocation_new(sh->shared->settings.trust, on_revocation_changed, on_queued, sh);
    return sh->journal && sh->claims && sh->commands && sh->by_ticket && sh->by_gateway &&
           sh->arena && sh->tick && sh->stop_timer && sh->db &&
           (sh->revocation || loop_index(sh->loop) != 0) &&
           link_pool_init(&sh->links, sh->loop) == EMT_OK;
}

enum emt_err shard_new(struct field_shared *shared, unsigned index, struct shard **out,
                       struct emt_diag *diag)
{
    struct shard *sh = calloc(1, sizeof *sh);
    const struct field_settings *fs = &shared->settings;
    enum emt_err err;

    if (!sh)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    sh->shared = shared;
    sh->metrics = &shared->metrics;
    writer_init_heap(&sh->encoder, UPLINK_PREFIX_LEN + UPLINK_MESSAGE_MAX);
    sh->limits = (struct session_limits){ .hello_ms = fs->hello_ms,
                                          .idle_ms = fs->idle_ms,
                                          .age_ms = fs->session_age_ms,
                                          .drain_ms = DRAIN_MS,
                                          .commands = fs->commands,
                                          .log_minute = LOG_MINUTE,
                                          .hello_longest = HELLO_LONGEST };
    sh->loop = loop_new(index);
    if (!sh->loop || !parts_new(sh)) {
        shard_free(sh);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    sh->links.unfinished_max = UNFINISHED_MAX;
    sh->links.queue_max = fs->session_queue_bytes;
    sh->links.linger_ms = LINGER_MS;
    sh->links.gone = on_link_gone;
    sh->links.ctx = sh;
    err = ingest_start(sh, diag);
    if (err != EMT_OK) {
        shard_free(sh);
        return err;
    }
    loop_timer_set(sh->tick, TICK_MS);
    *out = sh;
    return EMT_OK;
}

void shard_free(struct shard *sh)
{
    if (!sh)
        return;
    for (unsigned i = 0; i < sh->nports; i++)
        listener_free(sh->ports[i].listener);
    db_link_free(sh->db);
    claims_free(sh->claims);
    commands_free(sh->commands);
    revocation_free(sh->revocation);
    journal_free(sh->journal);
    while (sh->sessions) {
        struct conn *c = conn_of(sh->sessions);
        session_unlink(&c->session);
        session_release(&c->session);
        free(c);
    }
    reap(sh);
    link_pool_release(&sh->links);
    ingest_free(sh->ingest);
    map_free(sh->by_ticket);
    map_free(sh->by_gateway);
    arena_free(sh->arena);
    writer_release(&sh->encoder);
    if (sh->tick)
        loop_timer_free(sh->tick);
    if (sh->stop_timer)
        loop_timer_free(sh->stop_timer);
    loop_free(sh->loop);
    free(sh);
}

struct loop *shard_loop(struct shard *sh)
{
    return sh->loop;
}
