#include "base/arena.h"
#include "base/map.h"
#include "claims.h"
#include "commands.h"
#include "ingest/ingest.h"
#include "journal.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "revocation.h"
#include "shard_internal.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TICK_MS 1000
#define REVOCATION_TICKS 5
#define STOP_STEP_MS 20
#define RELEASE_STEP_MS 50
/* After Bye: for what was sent before it was read. */
#define DRAIN_MS 2000
#define LINGER_MS 2000
#define LOG_MINUTE 60
/* Messages of all links of a loop that have not arrived whole. */
#define UNFINISHED_MAX ((size_t)64 << 20)
/* One decoded message: 4,096 frames with their structs, and the texts. */
#define ARENA_MAX ((size_t)8 << 20)

static void on_link_gone(void *ctx)
{
    shard_count_connection(ctx, -1);
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
    shard_tell_all(sh, EV_CREDIT, SESSION_READY);
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
    struct session *s = shard_session_of(ctx, tenant, gateway);

    return s && s->state == SESSION_READY ? s : NULL;
}

static bool can_send(void *ctx, const struct uplink_message *m)
{
    return shard_encode(ctx, m) == EMT_OK;
}

/* ---- revocation ---- */

/* The sets of revoked certificates are the same for all listeners. */
static bool is_revoked(struct trust *trust, const struct session_peer *peer)
{
    struct tls_peer p = { .origin = peer->has_anchor ? TLS_PEER_FOREIGN_CA : TLS_PEER_OWN };

    memcpy(p.fingerprint, peer->fingerprint, sizeof p.fingerprint);
    memcpy(p.issuer_key_id, peer->issuer, sizeof p.issuer_key_id);
    memcpy(p.serial, peer->serial, sizeof p.serial);
    return trust_peer_revoked(trust, &p);
}

static void check_revoked(void *arg)
{
    struct shard *sh = arg;
    struct trust *trust = sh->shared->settings.trust;

    for (struct session *s = sh->sessions, *next; s; s = next) {
        next = s->next;
        if (is_revoked(trust, &s->peer))
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

/* TLS 1.3 has none. */
static int64_t renegotiations(struct field_shared *shared)
{
    struct tls_counters c = { 0 };
    int64_t n = 0;

    pthread_mutex_lock(&shared->tls_mutex);
    for (unsigned i = 0; i < FIELD_LISTENERS; i++) {
        if (!shared->tls[i])
            continue;
        tls_context_counters(shared->tls[i], &c);
        n += (int64_t)c.renegotiations;
    }
    pthread_mutex_unlock(&shared->tls_mutex);
    return n;
}

static void on_tick(void *arg)
{
    struct shard *sh = arg;
    struct store *db = db_link_store(sh->db);

    loop_timer_set(sh->tick, TICK_MS);
    sh->ticks++;
    shard_reap(sh);
    claims_retry(sh->claims);
    if (journal_flush(sh->journal, db))
        db_link_kick(sh->db);
    if (!sh->stopping) {
        shard_tell_all(sh, EV_CREDIT, SESSION_READY);
        commands_poll(sh->commands, db);
    }
    if (sh->revocation) {
        metric_set(sh->metrics->renegotiations, renegotiations(sh->shared));
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

static unsigned count_ready(const struct shard *sh)
{
    unsigned n = 0;

    for (const struct session *s = sh->sessions; s; s = s->next)
        n += s->state == SESSION_READY;
    return n;
}

/* As many as keep the pace, so that the last one goes when the time is over. What the others have
 * under way goes on. */
static void release_some(struct shard *sh)
{
    int64_t all = sh->shared->settings.drain_ms;
    int64_t gone = all - (sh->release_until_ms - clock_mono_ms());
    unsigned due = (unsigned)(sh->release_total * gone / all);

    for (struct session *s = sh->sessions, *next; s && sh->released < due; s = next) {
        next = s->next;
        if (s->state != SESSION_READY)
            continue;
        session_handle(s, EV_STOP, &(struct session_input){ 0 });
        sh->released++;
    }
}

/* The drain is over when its time is, or when nobody is left. */
static void on_release_step(struct shard *sh)
{
    void (*done)(void *ctx) = sh->release_done;

    if (sh->sessions && clock_mono_ms() < sh->release_until_ms) {
        release_some(sh);
        loop_timer_set(sh->stop_timer, RELEASE_STEP_MS);
        return;
    }
    shard_tell_all(sh, EV_STOP, SESSION_READY);
    sh->release_done = NULL;
    done(sh->stop_ctx);
}

/* Once nothing is under way any more the sessions end; then their ends are written and the last
 * bytes go out. */
static void on_stop_step(void *arg)
{
    struct shard *sh = arg;
    struct store *db = db_link_store(sh->db);
    bool late = clock_mono_ms() >= sh->stop_deadline_ms;

    if (sh->release_done) {
        on_release_step(sh);
        return;
    }
    if (sh->drained || late)
        shard_tell_all(sh, EV_TIMEOUT, SESSION_DRAINING);
    if (journal_flush(sh->journal, db))
        db_link_kick(sh->db);
    if (!late && (sh->sessions || sh->links.first || (db && !journal_is_idle(sh->journal)))) {
        loop_timer_set(sh->stop_timer, STOP_STEP_MS);
        return;
    }
    sh->stop_done(sh->stop_ctx);
}

static void stop_listening(struct shard *sh)
{
    for (unsigned i = 0; i < sh->nports; i++)
        listener_free(sh->ports[i].listener);
    sh->nports = 0;
}

static void on_drain(void *arg)
{
    struct shard *sh = arg;

    stop_listening(sh);
    sh->release_until_ms = clock_mono_ms() + sh->shared->settings.drain_ms;
    sh->release_total = count_ready(sh);
    sh->limits.one_by_one = true;
    on_release_step(sh);
}

void shard_drain(struct shard *sh, void (*done)(void *ctx), void *ctx)
{
    sh->release_done = done;
    sh->stop_ctx = ctx;
    if (loop_post(sh->loop, on_drain, sh) == EMT_OK)
        return;
    sh->release_done = NULL;
    done(ctx);
}

static void on_stop(void *arg)
{
    struct shard *sh = arg;
    int64_t left = sh->stop_deadline_ms - clock_mono_ms();

    sh->stopping = true;
    stop_listening(sh);
    shard_tell_all(sh, EV_STOP, SESSION_STATES);
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
            revocation_new(sh->shared->settings.trust, sh->shared->settings.trust_logger,
                           on_revocation_changed, on_queued, sh);
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
        struct session *s = sh->sessions;
        sh->sessions = s->next;
        session_release(s);
        free(s); /* the conn that it begins */
    }
    shard_reap(sh);
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
