/* Messages of one session: Hello and Welcome, frames under credit, acknowledgements, commands,
 * signs of life. */
#include "agent/command_memory.h"
#include "agent/host.h"
#include "agent/spool.h"
#include "agent/uplink_client.h"
#include "base/clock.h"
#include "base/log.h"
#include "uplink_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BATCH_FRAMES 512u
#define BATCH_BYTES ((size_t)65536) /* data of one Frames message, before its last frame */
#define BATCH_BUFFER (BATCH_BYTES + SPOOL_FRAME_MAX)
#define OUT_HIGH (4 * BATCH_BYTES) /* no more frames while this much waits to be written */
#define FRAME_OVERHEAD 64u         /* bytes of a frame in a message besides its data, at most */
#define IDLE_DEFAULT_MS 90000u
#define IDLE_LEAST_MS 3000u
#define RESEND_EVERY_MS 200
#define RETRY_MOST_MS 3600000u /* what a Bye may ask for */

static const char *const capabilities[] = { "gap", "status", "log", "command", "certificate" };

static struct timeval timeval_of(int64_t ms)
{
    struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

    return tv;
}

/* --- frames under way --- */

static bool sent_push(struct sent_queue *q, struct sent_frame f)
{
    if (q->count == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct sent_frame *item = calloc(cap, sizeof *item);
        if (!item)
            return false;
        for (size_t i = 0; i < q->count; i++)
            item[i] = q->item[(q->head + i) & (q->cap - 1)];
        free(q->item);
        q->item = item;
        q->cap = cap;
        q->head = 0;
    }
    q->item[(q->head + q->count) & (q->cap - 1)] = f;
    q->count++;
    q->bytes += f.len;
    return true;
}

static void sent_pop(struct sent_queue *q)
{
    q->bytes -= q->item[q->head].len;
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
}

void sent_release(struct sent_queue *q)
{
    free(q->item);
    *q = (struct sent_queue){ 0 };
}

/* --- opening and closing --- */

void session_open(struct uplink_client *c)
{
    struct uplink_message m = { .kind = UPLINK_HELLO };
    struct spool_stats st;

    spool_stats(c->config.spool, &st);
    m.u.hello =
        (struct uplink_hello){ .version_min = UPLINK_VERSION,
                               .version_max = UPLINK_VERSION,
                               .next_seq = st.next_seq,
                               .oldest_seq = st.oldest_seq,
                               .capabilities = capabilities,
                               .ncapabilities = sizeof capabilities / sizeof capabilities[0],
                               .software = c->config.software,
                               .hardware = c->config.hardware,
                               .serial = c->config.serial,
                               .sent_at = clock_now() };
    memcpy(m.u.hello.spool_id, spool_id(c->config.spool), SPOOL_ID_LEN);
    if (client_put(c, &m))
        client_flush(c);
}

void session_close(struct uplink_client *c)
{
    sent_release(&c->sent);
    c->credit = 0;
    c->resend_from = c->resend_to = 0;
    c->proved = false;
}

static bool agreed(const struct uplink_welcome *w, const char *name)
{
    for (size_t i = 0; i < w->ncapabilities; i++) {
        if (strcmp(w->capabilities[i], name) == 0)
            return true;
    }
    return false;
}

/* The head-end has numbers that this spool never gave: the file was set back in time. New frames
 * under the old numbers would be taken for known ones, so the spool begins a new life. */
static void begin_new_life(struct uplink_client *c, uint64_t last_seq)
{
    struct emt_diag diag = { 0 };
    enum emt_err err = spool_renew(c->config.spool, &diag);

    LOG_WARN("spool-renewed", LOG_S("gateway", c->config.gateway),
             LOG_I("head_end_last_seq", last_seq),
             LOG_S("error", err == EMT_OK ? NULL : diag.text));
    uplink_client_log(c, 4, "the spool was set back in time; it goes on under a new identity");
    client_fail(c, "the spool begins a new life", err == EMT_OK ? 1 : 0);
}

static void start_timers(struct uplink_client *c)
{
    struct timeval alive = timeval_of(c->idle_ms / 3);
    struct timeval status = timeval_of(c->config.status_interval_ms);

    event_add(c->alive, &alive);
    if (c->may_status && c->config.status_interval_ms > 0)
        event_add(c->status, &status);
}

static void send_logs(struct uplink_client *c)
{
    while (c->state == CLIENT_READY && c->may_log && c->log_count > 0) {
        const struct pending_log *l = &c->log[c->log_head];
        struct uplink_message m = { .kind = UPLINK_LOG, .u.log = { l->at, l->level, l->text } };
        c->log_head = (c->log_head + 1) % CLIENT_LOG_MAX;
        c->log_count--;
        if (!client_put(c, &m))
            return;
    }
}

static void handle_welcome(struct uplink_client *c, const struct uplink_welcome *w)
{
    struct spool_stats st;

    if (w->version != UPLINK_VERSION) {
        client_fail(c, "the head-end chose a version that was not offered", 0);
        return;
    }
    spool_stats(c->config.spool, &st);
    if (w->last_seq > st.durable_seq) {
        begin_new_life(c, w->last_seq);
        return;
    }
    if (spool_ack(c->config.spool, w->last_seq) != EMT_OK)
        LOG_ERROR("spool-cursor", LOG_S("gateway", c->config.gateway));
    /* Also when that is less than was acknowledged once: a head-end restored from a backup gets
     * again what is still held. */
    c->send_next = w->last_seq + 1;
    c->credit = w->credit_bytes;
    c->idle_ms = w->idle_ms ? w->idle_ms : IDLE_DEFAULT_MS;
    if (c->idle_ms < IDLE_LEAST_MS)
        c->idle_ms = IDLE_LEAST_MS;
    c->max_message =
        w->max_message && w->max_message < UPLINK_MESSAGE_MAX ? w->max_message : UPLINK_MESSAGE_MAX;
    c->may_gap = agreed(w, "gap");
    c->may_status = agreed(w, "status");
    c->may_log = agreed(w, "log");
    c->may_renew = agreed(w, "certificate");
    if (w->server_time != EMT_TIME_NONE)
        c->clock_ahead = w->server_time - clock_now();
    c->ready_ms = c->heard_ms = clock_mono_ms();
    c->counters.sessions++;
    client_move(c, CLIENT_READY);
    LOG_INFO("uplink-up", LOG_S("gateway", c->config.gateway), LOG_I("last_seq", w->last_seq),
             LOG_I("owed", st.next_seq - c->send_next), LOG_I("credit_bytes", w->credit_bytes),
             LOG_I("epoch", w->epoch));
    start_timers(c);
    session_status(c);
    send_logs(c);
    if (c->state != CLIENT_READY)
        return; /* the connection broke on the way */
    if (c->config.events.up)
        c->config.events.up(c->config.ctx);
    if (c->config.events.progress)
        c->config.events.progress(c->config.ctx);
}

/* --- acknowledgements --- */

static void handle_ack(struct uplink_client *c, const struct uplink_ack *a)
{
    uint64_t session = c->session;
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < a->nrejected; i++)
        LOG_WARN("frame-rejected", LOG_S("gateway", c->config.gateway),
                 LOG_I("seq", a->rejected[i].seq), LOG_S("reason", a->rejected[i].reason));
    c->counters.frames_rejected += a->nrejected;
    if (a->up_to >= c->send_next) {
        client_fail(c, "the head-end acknowledged what was not sent", 0);
        return;
    }
    if (spool_ack(c->config.spool, a->up_to) != EMT_OK)
        LOG_ERROR("spool-cursor", LOG_S("gateway", c->config.gateway));
    c->credit = a->credit_bytes;
    c->proved = true;
    while (c->sent.count > 0 && c->sent.item[c->sent.head].seq <= a->up_to) {
        int64_t after = now - c->sent.item[c->sent.head].sent_ms;
        sent_pop(&c->sent);
        c->counters.frames_acked++;
        if (c->config.events.acked)
            c->config.events.acked(c->config.ctx, after);
        if (c->session != session)
            return;
    }
    if (c->config.events.progress)
        c->config.events.progress(c->config.ctx);
}

/* --- frames --- */

struct batch {
    struct uplink_frame frame[BATCH_FRAMES];
    size_t n;
    size_t bytes;
    uint8_t data[BATCH_BUFFER];
};

static bool fits(const struct batch *b, const struct uplink_client *c)
{
    size_t most = c->max_message / 2 < BATCH_BYTES ? c->max_message / 2 : BATCH_BYTES;

    return b->n < BATCH_FRAMES && b->bytes + b->n * FRAME_OVERHEAD < most;
}

/* One frame may always be under way while there is any credit: a frame larger than the credit would
 * never leave otherwise. */
static bool credit_allows(const struct uplink_client *c, size_t len)
{
    uint64_t under_way = c->sent.bytes;

    return c->credit > 0 && (under_way == 0 || (len <= c->credit && under_way <= c->credit - len));
}

/* Reads frame seq behind the ones in the batch. */
static enum emt_err batch_add(struct batch *b, struct spool *spool, uint64_t seq)
{
    struct spool_frame f;
    enum emt_err err = spool_read(spool, seq, b->data + b->bytes, &f);

    if (err != EMT_OK)
        return err;
    b->frame[b->n++] = (struct uplink_frame){ .seq = f.seq,
                                              .received_at = f.received_at,
                                              .protocol = f.protocol,
                                              .format = f.format,
                                              .data = f.data,
                                              .len = f.len,
                                              .rssi_dbm = f.rssi_dbm };
    b->bytes += f.len;
    return EMT_OK;
}

/* What is missing before seq (or, 0, before the end of what is durable) was given up or damaged:
 * says so once. */
static bool announce_gap(struct uplink_client *c, uint64_t seq)
{
    struct spool_stats st;
    struct uplink_message m = { .kind = UPLINK_GAP };

    spool_stats(c->config.spool, &st);
    uint64_t to = seq ? seq - 1 : st.durable_seq;
    if (to < c->send_next)
        return true;
    LOG_WARN("spool-gap", LOG_S("gateway", c->config.gateway), LOG_I("from", c->send_next),
             LOG_I("to", to));
    m.u.gap = (struct uplink_gap){ c->send_next, to, st.given_up ? "overwritten" : "damaged" };
    c->send_next = to + 1;
    c->counters.gaps++;
    return !c->may_gap || client_put(c, &m);
}

static bool send_batch(struct uplink_client *c, const struct batch *b)
{
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { b->frame, b->n } };

    return b->n == 0 || client_put(c, &m);
}

/* Fills and sends one batch; false when nothing more can go now. */
static bool send_next_batch(struct uplink_client *c, struct batch *b)
{
    int64_t now = clock_mono_ms();

    b->n = b->bytes = 0;
    while (fits(b, c)) {
        uint64_t seq = spool_next(c->config.spool, c->send_next);
        if (seq != c->send_next) {
            if (b->n > 0)
                break; /* the gap comes after these */
            uint64_t before = c->send_next;
            if (!announce_gap(c, seq))
                return false;
            if (c->send_next == before)
                break; /* nothing missing, nothing left */
            continue;
        }
        enum emt_err err = batch_add(b, c->config.spool, seq);
        if (err == EMT_EMALFORMED)
            continue; /* it is a hole now */
        if (err != EMT_OK)
            break;
        size_t len = b->frame[b->n - 1].len;
        if (!credit_allows(c, len) ||
            !sent_push(&c->sent, (struct sent_frame){ seq, (uint32_t)len, now })) {
            b->n--;
            b->bytes -= len;
            send_batch(c, b);
            return false;
        }
        c->send_next = seq + 1;
        c->counters.frames_sent++;
        c->counters.bytes_sent += len;
    }
    return b->n > 0 && send_batch(c, b);
}

void session_pump(struct uplink_client *c)
{
    struct spool_stats st;

    if (c->state != CLIENT_READY) {
        client_flush(c);
        return;
    }
    spool_stats(c->config.spool, &st);
    if (c->credit > 0 && st.durable_seq >= c->send_next && client_out_left(c) < OUT_HIGH) {
        struct batch *b = malloc(sizeof *b);
        if (!b)
            return; /* the next acknowledgement or frame tries again */
        while (c->state == CLIENT_READY && client_out_left(c) < OUT_HIGH && send_next_batch(c, b))
            client_flush(c);
        free(b);
    }
    client_flush(c);
}

bool uplink_client_idle(const struct uplink_client *c)
{
    struct spool_stats st;

    spool_stats(c->config.spool, &st);
    return c->state == CLIENT_READY && c->sent.count == 0 && st.durable_seq < c->send_next &&
           st.durable_seq == st.acked_seq;
}

/* --- repeating a range on command --- */

/* Not counted as under way: the head-end has acknowledged these before. Paced instead, and silent
 * while there is no credit. */
void session_resend(struct uplink_client *c)
{
    if (c->state != CLIENT_READY || c->credit == 0 || client_out_left(c) >= OUT_HIGH)
        return;
    struct batch *b = malloc(sizeof *b);
    if (!b)
        return;
    b->n = b->bytes = 0;
    while (fits(b, c) && c->resend_from) {
        uint64_t seq = spool_next(c->config.spool, c->resend_from);
        if (seq == 0 || seq > c->resend_to || seq >= c->send_next) {
            c->resend_from = c->resend_to = 0;
            event_del(c->resend);
            break;
        }
        if (batch_add(b, c->config.spool, seq) == EMT_OK)
            c->counters.resent++;
        c->resend_from = seq + 1;
    }
    if (send_batch(c, b))
        client_flush(c);
    free(b);
}

/* --- commands --- */

static bool argument_number(const struct uplink_command *cmd, const char *name, uint64_t *out)
{
    for (size_t i = 0; i < cmd->narguments; i++) {
        char *end = NULL;
        if (strcmp(cmd->arguments[i].name, name) != 0)
            continue;
        const char *text = cmd->arguments[i].value;
        if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
            return false;
        *out = strtoull(text, &end, 10);
        return *end == '\0';
    }
    return false;
}

static void run_resend(struct uplink_client *c, const struct uplink_command *cmd,
                       struct command_outcome *o)
{
    struct timeval every = timeval_of(RESEND_EVERY_MS);
    uint64_t from = 0, to = 0;

    o->outcome = 1;
    if (!argument_number(cmd, "from", &from) || !argument_number(cmd, "to", &to) || from == 0 ||
        from > to) {
        snprintf(o->text, sizeof o->text, "from and to must be sequence numbers");
        return;
    }
    if (c->resend_from) {
        snprintf(o->text, sizeof o->text, "another range is being repeated");
        return;
    }
    uint64_t first = spool_next(c->config.spool, from);
    if (first == 0 || first > to) {
        snprintf(o->text, sizeof o->text, "nothing of this range is held any more");
        return;
    }
    c->resend_from = first;
    c->resend_to = to;
    event_add(c->resend, &every);
    o->outcome = 0;
    snprintf(o->text, sizeof o->text, "repeating from %llu", (unsigned long long)first);
}

static void run_command(struct uplink_client *c, const struct uplink_command *cmd,
                        struct command_outcome *o)
{
    if (cmd->expires_at != EMT_TIME_NONE && cmd->expires_at < clock_now()) {
        o->outcome = 3;
        snprintf(o->text, sizeof o->text, "expired");
    } else if (strcmp(cmd->name, "ping") == 0) {
        snprintf(o->text, sizeof o->text, "pong");
    } else if (strcmp(cmd->name, "status") == 0) {
        session_status(c);
        snprintf(o->text, sizeof o->text, "sent");
    } else if (strcmp(cmd->name, "resend") == 0) {
        run_resend(c, cmd, o);
    } else if (!c->config.events.command || !c->config.events.command(c->config.ctx, cmd, o)) {
        o->outcome = 2;
        snprintf(o->text, sizeof o->text, "not supported");
    }
}

static void handle_command(struct uplink_client *c, const struct uplink_command *cmd)
{
    const struct command_outcome *known =
        command_memory_find(c->config.commands, cmd->idempotency_key);
    struct command_outcome o = { .outcome = 0 };
    struct uplink_message m = { .kind = UPLINK_COMMAND_RESULT };
    uint64_t session = c->session;

    if (known) {
        o = *known;
    } else {
        memcpy(o.key, cmd->idempotency_key, sizeof o.key);
        run_command(c, cmd, &o);
        c->counters.commands++;
        if (command_memory_put(c->config.commands, &o) != EMT_OK)
            LOG_WARN("command-memory", LOG_S("gateway", c->config.gateway));
        LOG_INFO("command", LOG_S("gateway", c->config.gateway), LOG_S("name", cmd->name),
                 LOG_I("outcome", o.outcome), LOG_S("result", o.text));
    }
    memcpy(m.u.command_result.idempotency_key, o.key, sizeof o.key);
    m.u.command_result.outcome = o.outcome;
    m.u.command_result.text = o.text;
    if (c->session == session)
        (void)client_put(c, &m); /* a failure has ended the session */
}

/* --- signs of life --- */

void session_alive(struct uplink_client *c)
{
    struct uplink_message m = { .kind = UPLINK_PING };

    if (c->state != CLIENT_READY)
        return;
    if (clock_mono_ms() - c->heard_ms > (int64_t)c->idle_ms) {
        client_fail(c, "the head-end is silent", 0);
        return;
    }
    m.u.nonce = ++c->nonce;
    if (client_put(c, &m))
        client_flush(c);
}

void session_status(struct uplink_client *c)
{
    struct uplink_message m = { .kind = UPLINK_STATUS };
    struct host_status host;
    struct spool_stats st;

    if (c->state != CLIENT_READY || !c->may_status)
        return;
    host_status_read(c->config.disk, &host);
    spool_stats(c->config.spool, &st);
    m.u.status = (struct uplink_status){ .at = clock_now(),
                                         .uptime_s = host.uptime_s,
                                         .spool_bytes = st.owed_bytes,
                                         .spool_frames = st.owed_frames,
                                         .load_permille = host.load_permille,
                                         .memory_free_bytes = host.memory_free_bytes,
                                         .disk_free_bytes = host.disk_free_bytes };
    if (c->config.events.fill_status)
        c->config.events.fill_status(c->config.ctx, &m.u.status);
    if (client_put(c, &m))
        client_flush(c);
}

void uplink_client_log(struct uplink_client *c, uint32_t level, const char *text)
{
    if (c->log_count == CLIENT_LOG_MAX) { /* the oldest line goes */
        c->log_head = (c->log_head + 1) % CLIENT_LOG_MAX;
        c->log_count--;
    }
    struct pending_log *l = &c->log[(c->log_head + c->log_count++) % CLIENT_LOG_MAX];
    l->level = level;
    l->at = clock_now();
    snprintf(l->text, sizeof l->text, "%s", text);
    send_logs(c);
    client_flush(c);
}

/* --- the front door --- */

static void handle_bye(struct uplink_client *c, const struct uplink_bye *b)
{
    char reason[160];

    snprintf(reason, sizeof reason, "bye: %.150s", b->reason);
    client_fail(c, reason, b->retry_after_ms < RETRY_MOST_MS ? b->retry_after_ms : RETRY_MOST_MS);
}

static void answer_ping(struct uplink_client *c, uint64_t nonce)
{
    struct uplink_message m = { .kind = UPLINK_PONG, .u.nonce = nonce };

    (void)client_put(c, &m); /* a failure has ended the session */
}

static void handle_certificate(struct uplink_client *c, const struct uplink_certificate_issued *a)
{
    if (c->config.events.certificate && c->config.events.certificate(c->config.ctx, a))
        client_fail(c, "the certificate was renewed", 1);
}

static void handle_ready(struct uplink_client *c, const struct uplink_message *m)
{
    switch (m->kind) {
    case UPLINK_ACK:
        handle_ack(c, &m->u.ack);
        break;
    case UPLINK_CREDIT:
        c->credit = m->u.credit_bytes;
        break;
    case UPLINK_PING:
        answer_ping(c, m->u.nonce);
        break;
    case UPLINK_PONG:
        break; /* heard_ms is what counts */
    case UPLINK_COMMAND:
        handle_command(c, &m->u.command);
        break;
    case UPLINK_BYE:
        handle_bye(c, &m->u.bye);
        break;
    case UPLINK_CERTIFICATE_ISSUED:
        handle_certificate(c, &m->u.certificate_issued);
        break;
    case UPLINK_HELLO:
    case UPLINK_WELCOME:
    case UPLINK_FRAMES:
    case UPLINK_GAP:
    case UPLINK_STATUS:
    case UPLINK_LOG:
    case UPLINK_COMMAND_RESULT:
    case UPLINK_CERTIFICATE_REQUEST:
        client_fail(c, "the head-end sent what only a gateway sends", 0);
        break;
    }
}

void session_handle(struct uplink_client *c, const struct uplink_message *m)
{
    if (c->state == CLIENT_READY)
        handle_ready(c, m);
    else if (c->state == CLIENT_HELLO && m->kind == UPLINK_WELCOME)
        handle_welcome(c, &m->u.welcome);
    else if (c->state == CLIENT_HELLO && m->kind == UPLINK_BYE)
        handle_bye(c, &m->u.bye);
    else
        client_fail(c, "Welcome expected", 0);
}
