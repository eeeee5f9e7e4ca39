#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "claims.h"
#include "ingest/ingest.h"
#include "journal.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "renewal.h"
#include "shard_internal.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A gateway that was refused a certificate asks again after this. */
#define RENEWAL_RETRY_MS 300000

static struct conn *conn_of(struct session *s)
{
    return (struct conn *)s;
}

/* ---- connections and their lists ---- */

void shard_count_connection(struct shard *sh, int n)
{
    if (n > 0)
        atomic_fetch_add(&sh->connections, 1);
    else
        atomic_fetch_sub(&sh->connections, 1);
    metric_add(sh->metrics->connections, n);
}

void shard_add_session(struct shard *sh, struct session *s)
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

void shard_reap(void *arg)
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
        sh->reaping = loop_after_turn(sh->loop, shard_reap, sh) == EMT_OK;
}

struct session *shard_session_of(struct shard *sh, int32_t tenant, int64_t gateway)
{
    struct gateway_key k = gateway_key(tenant, gateway);

    return map_get(sh->by_gateway, k.bytes, sizeof k.bytes);
}

/* Feeds one event to every session; a session may close meanwhile, and closing one never closes
 * another. */
void shard_tell_all(struct shard *sh, enum session_event ev, enum session_state only)
{
    for (struct session *s = sh->sessions, *next; s; s = next) {
        next = s->next;
        if (only == SESSION_STATES || s->state == only)
            session_handle(s, ev, &(struct session_input){ 0 });
    }
}

/* ---- what a session asks for ---- */

enum emt_err shard_encode(struct shard *sh, const struct uplink_message *m)
{
    writer_clear(&sh->encoder);
    return uplink_encode(m, &sh->encoder);
}

static enum emt_err op_send(void *link, const struct uplink_message *m)
{
    struct conn *c = link;
    struct shard *sh = c->shard;
    enum emt_err err = shard_encode(sh, m);

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

static enum emt_err op_renew(void *host, struct session *s,
                             const struct uplink_certificate_request *r)
{
    struct shard *sh = host;
    struct renewal_request q = { .loop = sh->loop,
                                 .owner = sh,
                                 .tenant = s->owned.tenant,
                                 .gateway = s->owned.gateway,
                                 .epoch = s->owned.epoch };

    memcpy(q.fingerprint, s->peer.fingerprint, sizeof q.fingerprint);
    return renewal_ask(sh->shared->renewal, &q, r->csr, r->len);
}

void shard_renewed(void *answer)
{
    struct renewal_answer *a = answer;
    struct session *s = shard_session_of(a->owner, a->tenant, a->gateway);
    struct uplink_message m = { .kind = UPLINK_CERTIFICATE_ISSUED };
    struct uplink_certificate_issued *c = &m.u.certificate_issued;

    c->chain = (const uint8_t *)a->chain;
    c->len = a->len;
    c->reason = a->reason;
    c->retry_after_ms = a->reason ? RENEWAL_RETRY_MS : 0;
    /* Of the session that asked only: the next one asks for itself. */
    if (s && s->owned.epoch == a->epoch) {
        LOG_INFO("certificate-renewal", LOG_S("tenant", s->peer.tenant),
                 LOG_S("gateway", s->peer.gateway), LOG_S("refused", a->reason));
        session_handle(s, EV_CERTIFICATE, &(struct session_input){ .message = &m });
    }
    renewal_answer_free(a);
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
    struct session *s = shard_session_of(r->shard, r->tenant, r->gateway);

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
    struct session *s = shard_session_of(r->shard, r->tenant, r->gateway);

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

const struct session_ops shard_session_ops = {
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
    .renew = op_renew,
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

const struct link_handler shard_link_handler = { on_message, on_ended };
