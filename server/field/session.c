#include "session.h"

#include "base/cipher.h"
#include "loop/loop.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* How a session ends, and what the gateway is told: come back after a time spread over least..most,
 * so that a node that sends away thousands does not get them back at once. */
struct ending {
    const char *name;
    bool bye;
    uint32_t least_ms, most_ms;
};

static const struct ending endings[SESSION_ENDINGS] = {
    [ENDING_NONE] = { "none", false, 0, 0 },
    [ENDING_PROTOCOL] = { "protocol", true, 30000, 60000 },
    [ENDING_NO_HELLO] = { "no-hello", true, 5000, 30000 },
    [ENDING_NO_VERSION] = { "no-common-version", true, 3600000, 4200000 },
    [ENDING_IDLE] = { "idle", true, 0, 5000 },
    [ENDING_AGE] = { "session-age", true, 0, 5000 },
    [ENDING_SHUTDOWN] = { "shutdown", true, 1000, 15000 },
    [ENDING_SUPERSEDED] = { "superseded", true, 60000, 120000 },
    [ENDING_REVOKED] = { "revoked", true, 3600000, 4200000 },
    [ENDING_UNKNOWN] = { "unknown-certificate", true, 600000, 900000 },
    [ENDING_WRONG_TENANT] = { "wrong-tenant", true, 3600000, 4200000 },
    [ENDING_SUSPENDED] = { "tenant-suspended", true, 600000, 900000 },
    [ENDING_CRL] = { "crl-stale", true, 600000, 900000 },
    [ENDING_CLONE] = { "clone", true, 60000, 120000 },
    [ENDING_DATABASE] = { "database", true, 5000, 30000 },
    [ENDING_BUSY] = { "busy", true, 5000, 30000 },
    [ENDING_CREDIT] = { "credit-exceeded", true, 30000, 60000 },
    [ENDING_TOO_LONG] = { "message-too-long", true, 30000, 60000 },
    [ENDING_UNREADABLE] = { "unreadable", true, 30000, 60000 },
    [ENDING_SLOW_READER] = { "slow-reader", false, 0, 0 },
    [ENDING_PEER_BYE] = { "peer-bye", false, 0, 0 },
    [ENDING_PEER_CLOSED] = { "peer-closed", false, 0, 0 },
    [ENDING_PEER_LOST] = { "peer-lost", false, 0, 0 },
    [ENDING_MEMORY] = { "memory", true, 5000, 30000 },
};

/* A gateway whose request for a certificate is refused asks again after this. */
#define RENEW_LEAST_MS 60000
#define RENEW_MOST_MS 120000

/* Why an event ends a session that did not foresee it, or whose table says so. */
static const enum session_ending event_endings[SESSION_EVENTS] = {
    [EV_HELLO] = ENDING_PROTOCOL,
    [EV_FRAMES] = ENDING_PROTOCOL,
    [EV_GAP] = ENDING_PROTOCOL,
    [EV_STATUS] = ENDING_PROTOCOL,
    [EV_LOG] = ENDING_PROTOCOL,
    [EV_PING] = ENDING_PROTOCOL,
    [EV_PONG] = ENDING_PROTOCOL,
    [EV_COMMAND_RESULT] = ENDING_PROTOCOL,
    [EV_CERTIFICATE_REQUEST] = ENDING_PROTOCOL,
    [EV_BYE] = ENDING_PEER_BYE,
    [EV_FOREIGN] = ENDING_PROTOCOL,
    [EV_TOO_LONG] = ENDING_TOO_LONG,
    [EV_UNREADABLE] = ENDING_UNREADABLE,
    [EV_PEER_CLOSED] = ENDING_PEER_CLOSED,
    [EV_PEER_LOST] = ENDING_PEER_LOST,
    [EV_LINK_MEMORY] = ENDING_MEMORY,
    [EV_CLAIMED] = ENDING_PROTOCOL,
    [EV_REFUSED] = ENDING_UNKNOWN,
    [EV_COMMITTED] = ENDING_PROTOCOL,
    [EV_CREDIT] = ENDING_PROTOCOL,
    [EV_COMMAND] = ENDING_PROTOCOL,
    [EV_CERTIFICATE] = ENDING_PROTOCOL,
    [EV_FENCED] = ENDING_SUPERSEDED,
    [EV_REPLACED] = ENDING_SUPERSEDED,
    [EV_REVOKED] = ENDING_REVOKED,
    [EV_TIMEOUT] = ENDING_IDLE,
    [EV_AGE] = ENDING_AGE,
    [EV_STOP] = ENDING_SHUTDOWN,
};

static const char *const state_names[SESSION_STATES] = {
    [SESSION_CLOSED] = "closed", [SESSION_HELLO] = "hello",       [SESSION_CLAIM] = "claim",
    [SESSION_READY] = "ready",   [SESSION_DRAINING] = "draining",
};

static const char *const event_names[SESSION_EVENTS] = {
    [EV_HELLO] = "Hello",
    [EV_FRAMES] = "Frames",
    [EV_GAP] = "Gap",
    [EV_STATUS] = "Status",
    [EV_LOG] = "Log",
    [EV_PING] = "Ping",
    [EV_PONG] = "Pong",
    [EV_COMMAND_RESULT] = "CommandResult",
    [EV_CERTIFICATE_REQUEST] = "CertificateRequest",
    [EV_BYE] = "Bye",
    [EV_FOREIGN] = "foreign message",
    [EV_TOO_LONG] = "too long",
    [EV_UNREADABLE] = "unreadable",
    [EV_PEER_CLOSED] = "peer closed",
    [EV_PEER_LOST] = "peer lost",
    [EV_LINK_MEMORY] = "link memory",
    [EV_CLAIMED] = "claimed",
    [EV_REFUSED] = "refused",
    [EV_COMMITTED] = "committed",
    [EV_CREDIT] = "credit",
    [EV_COMMAND] = "command",
    [EV_CERTIFICATE] = "certificate",
    [EV_FENCED] = "fenced",
    [EV_REPLACED] = "replaced",
    [EV_REVOKED] = "revoked",
    [EV_TIMEOUT] = "timeout",
    [EV_AGE] = "age",
    [EV_STOP] = "stop",
};

/* What the head-end uses of what an agent offers. */
static const char *const capabilities[] = { "gap", "status", "log", "command", "certificate" };
#define CAPABILITIES (sizeof capabilities / sizeof capabilities[0])

const char *session_ending_name(enum session_ending e)
{
    return endings[e].name;
}

const char *session_state_name(enum session_state s)
{
    return state_names[s];
}

const char *session_event_name(enum session_event ev)
{
    return event_names[ev];
}

/* least..most; the spread is for load, not for secrecy, so that a dry random source gives the
 * middle. */
static uint32_t spread(uint32_t least, uint32_t most)
{
    uint32_t r;

    if (cipher_random(&r, sizeof r) != EMT_OK)
        return least + (most - least) / 2;
    return least + r % (most - least + 1);
}

/* Ends the session for a reason of the action's own. */
static enum emt_err end_with(struct session *s, enum session_ending e)
{
    s->ending = e;
    return EMT_ESTATE;
}

static enum emt_err send(struct session *s, const struct uplink_message *m)
{
    enum emt_err err = s->ops->send(s->link, m);

    if (err == EMT_OK)
        return EMT_OK;
    return end_with(s, err == EMT_ELIMIT ? ENDING_SLOW_READER : ENDING_MEMORY);
}

/* ---- hello and claim ---- */

static bool offers(const struct uplink_hello *h, const char *name)
{
    for (size_t i = 0; i < h->ncapabilities; i++)
        if (strcmp(h->capabilities[i], name) == 0)
            return true;
    return false;
}

static enum emt_err negotiate(struct session *s, const struct session_input *in)
{
    const struct uplink_hello *h = &in->message->u.hello;

    if (h->version_min > UPLINK_VERSION || h->version_max < UPLINK_VERSION)
        return end_with(s, ENDING_NO_VERSION);
    s->version = UPLINK_VERSION;
    s->wants_commands = offers(h, "command");
    memcpy(s->spool_id, h->spool_id, sizeof s->spool_id);
    if (s->ops->claim(s->host_ctx, s, h) != EMT_OK)
        return end_with(s, ENDING_MEMORY);
    return EMT_OK;
}

static enum emt_err no_hello(struct session *s, const struct session_input *in)
{
    (void)in;
    return end_with(s, ENDING_NO_HELLO);
}

static enum emt_err no_database(struct session *s, const struct session_input *in)
{
    (void)in;
    return end_with(s, ENDING_DATABASE);
}

static enum emt_err refused(struct session *s, const struct session_input *in)
{
    return end_with(s, in->refusal);
}

static enum emt_err welcome(struct session *s, const struct session_input *in)
{
    struct uplink_message m = { .kind = UPLINK_WELCOME };
    struct uplink_welcome *w = &m.u.welcome;
    enum emt_err err;

    s->owned = *in->owned;
    s->heard_ms = clock_mono_ms(); /* until now there was nothing to say */
    s->last_taken = s->acked = s->owned.last_seq;
    err = s->ops->ingest_open(s->host_ctx, s, s->owned.last_seq);
    if (err != EMT_OK)
        return end_with(s, err == EMT_ELIMIT ? ENDING_BUSY : ENDING_MEMORY);
    s->credit = s->limit = s->ops->ingest_credit(s->host_ctx, s);
    s->ops->allow(s->link, UPLINK_MESSAGE_MAX);
    w->version = s->version;
    w->last_seq = s->owned.last_seq;
    w->credit_bytes = s->credit;
    w->capabilities = capabilities;
    w->ncapabilities = CAPABILITIES;
    w->epoch = (uint64_t)s->owned.epoch;
    w->idle_ms = s->limits->idle_ms;
    w->server_time = clock_now();
    w->max_message = UPLINK_MESSAGE_MAX;
    w->max_frame = UPLINK_FRAME_MAX;
    return send(s, &m);
}

/* ---- flow ---- */

/* A lowered credit: from the pong on the gateway is held to it. */
static enum emt_err raise_barrier(struct session *s)
{
    struct uplink_message ping = { .kind = UPLINK_PING };

    s->barrier = ++s->nonce;
    s->lowered_to = s->credit;
    ping.u.nonce = s->barrier;
    return send(s, &ping);
}

static enum emt_err credit_set(struct session *s, size_t credit)
{
    s->credit = credit;
    if (credit >= s->limit)
        s->limit = credit;
    if (s->barrier && credit > s->lowered_to)
        s->lowered_to = credit;
    return credit < s->limit && !s->barrier ? raise_barrier(s) : EMT_OK;
}

static enum emt_err acknowledge(struct session *s, const struct ingest_report *r)
{
    struct uplink_message m = { .kind = UPLINK_ACK };
    struct uplink_rejected rejected[UPLINK_LIST_MAX];
    size_t done = 0, credit = s->ops->ingest_credit(s->host_ctx, s);
    enum emt_err err;

    /* A list has a limit on the wire: what is beyond it goes ahead in messages that move up_to
     * nowhere. */
    do {
        size_t n = 0;
        while (n < UPLINK_LIST_MAX && done < r->nrejected) {
            rejected[n].seq = r->rejected[done].seq;
            rejected[n++].reason = r->rejected[done++].reason;
        }
        m.u.ack.up_to = done < r->nrejected ? s->acked : r->up_to;
        m.u.ack.rejected = rejected;
        m.u.ack.nrejected = n;
        m.u.ack.credit_bytes = credit;
        err = send(s, &m);
    } while (err == EMT_OK && done < r->nrejected);
    if (err != EMT_OK)
        return err;
    s->acked = r->up_to;
    return credit_set(s, credit);
}

static enum emt_err committed(struct session *s, const struct session_input *in)
{
    const struct ingest_report *r = in->report;

    if (r->up_to >= s->last_taken)
        s->in_flight = 0;
    else
        s->in_flight -= r->bytes_done < s->in_flight ? r->bytes_done : s->in_flight;
    return acknowledge(s, r);
}

/* The credit of a session drifts with its neighbours; only a change that matters is told. */
static enum emt_err credit(struct session *s, const struct session_input *in)
{
    struct uplink_message m = { .kind = UPLINK_CREDIT };
    size_t now = s->ops->ingest_credit(s->host_ctx, s);
    size_t far = now > s->credit ? now - s->credit : s->credit - now;
    enum emt_err err;

    (void)in;
    if (now == s->credit || ((now == 0) == (s->credit == 0) && far < s->credit / 4))
        return EMT_OK;
    m.u.credit_bytes = now;
    err = send(s, &m);
    return err == EMT_OK ? credit_set(s, now) : err;
}

static enum session_ending ingest_ending(enum emt_err err)
{
    if (err == EMT_ESTATE)
        return ENDING_SUPERSEDED; /* fenced, and the word of it is under way */
    if (err == EMT_ELIMIT)
        return ENDING_BUSY;
    return emt_err_class(err) == EMT_CLASS_REJECT ? ENDING_PROTOCOL : ENDING_MEMORY;
}

static enum emt_err take_frame(struct session *s, const struct uplink_frame *f)
{
    struct ingest_frame frame = { f->seq,  f->received_at, f->protocol, f->format,
                                  f->data, f->len,         f->rssi_dbm };
    enum emt_err err;

    /* One frame may overshoot the credit: else a frame larger than a small credit could never be
     * sent. */
    if (s->in_flight >= s->limit)
        return end_with(s, ENDING_CREDIT);
    err = s->ops->ingest_frame(s->host_ctx, s, &frame);
    if (err != EMT_OK)
        return end_with(s, ingest_ending(err));
    s->last_taken = f->seq;
    s->in_flight += f->len;
    s->frames++;
    s->bytes += f->len;
    return EMT_OK;
}

static enum emt_err take_frames(struct session *s, const struct session_input *in)
{
    const struct uplink_frames *fs = &in->message->u.frames;
    bool fresh = false;

    for (size_t i = 0; i < fs->nframes; i++) {
        enum emt_err err;
        if (fs->frames[i].seq <= s->last_taken) {
            s->repeated++;
            continue;
        }
        fresh = true;
        err = take_frame(s, &fs->frames[i]);
        if (err != EMT_OK)
            return err;
    }
    /* All of it was committed before: no commit will answer, so we do. */
    if (!fresh && s->acked == s->last_taken) {
        struct ingest_report known = { .up_to = s->acked };
        return acknowledge(s, &known);
    }
    return EMT_OK;
}

static enum emt_err take_gap(struct session *s, const struct session_input *in)
{
    struct uplink_gap g = in->message->u.gap;
    enum emt_err err;

    if (g.from > g.to)
        return end_with(s, ENDING_PROTOCOL);
    if (g.to <= s->last_taken)
        return EMT_OK; /* said again */
    if (g.from <= s->last_taken)
        g.from = s->last_taken + 1;
    err = s->ops->ingest_gap(s->host_ctx, s, &g);
    if (err != EMT_OK)
        return end_with(s, ingest_ending(err));
    s->last_taken = g.to;
    return EMT_OK;
}

/* ---- the rest ---- */

static enum emt_err status(struct session *s, const struct session_input *in)
{
    s->ops->status(s->host_ctx, s, &in->message->u.status);
    return EMT_OK;
}

static enum emt_err log_line(struct session *s, const struct session_input *in)
{
    int64_t now = clock_mono_ms();

    if (now - s->log_window_ms >= 60000) {
        s->log_window_ms = now;
        s->log_lines = 0;
    }
    if (s->log_lines >= s->limits->log_minute) {
        s->log_dropped++;
        return EMT_OK;
    }
    s->log_lines++;
    s->ops->log(s->host_ctx, s, &in->message->u.log);
    return EMT_OK;
}

static enum emt_err pong(struct session *s, const struct session_input *in)
{
    struct uplink_message m = { .kind = UPLINK_PONG, .u.nonce = in->message->u.nonce };

    return send(s, &m);
}

static enum emt_err ponged(struct session *s, const struct session_input *in)
{
    if (s->barrier == 0 || in->message->u.nonce != s->barrier)
        return EMT_OK;
    s->barrier = 0;
    s->limit = s->lowered_to;
    return s->credit < s->limit ? raise_barrier(s) : EMT_OK;
}

static enum emt_err command(struct session *s, const struct session_input *in)
{
    enum emt_err err = send(s, in->message);

    if (err == EMT_OK)
        s->open_commands++;
    return err;
}

static enum emt_err command_result(struct session *s, const struct session_input *in)
{
    if (s->open_commands > 0)
        s->open_commands--;
    s->ops->command_result(s->host_ctx, s, &in->message->u.command_result);
    return EMT_OK;
}

static enum emt_err certificate_refuse(struct session *s, const char *reason)
{
    struct uplink_message m = { .kind = UPLINK_CERTIFICATE_ISSUED };

    m.u.certificate_issued.reason = reason;
    m.u.certificate_issued.retry_after_ms = spread(RENEW_LEAST_MS, RENEW_MOST_MS);
    return send(s, &m);
}

static enum emt_err certificate_request(struct session *s, const struct session_input *in)
{
    enum emt_err err;

    if (s->renewing)
        return certificate_refuse(s, "under-way");
    err = s->ops->renew(s->host_ctx, s, &in->message->u.certificate_request);
    if (err != EMT_OK)
        return certificate_refuse(s, "busy");
    s->renewing = true;
    return EMT_OK;
}

static enum emt_err certificate(struct session *s, const struct session_input *in)
{
    s->renewing = false;
    return send(s, in->message);
}

/* The timer of READY: silence. Half of it asks, all of it ends. */
static enum emt_err check_idle(struct session *s, const struct session_input *in)
{
    struct uplink_message ping = { .kind = UPLINK_PING };
    int64_t silent = clock_mono_ms() - s->heard_ms;

    (void)in;
    if (silent >= (int64_t)s->limits->idle_ms)
        return end_with(s, ENDING_IDLE);
    if (silent < (int64_t)s->limits->idle_ms / 2 || s->pinged)
        return EMT_OK;
    s->pinged = true;
    ping.u.nonce = ++s->nonce;
    return send(s, &ping);
}

static enum emt_err bye(struct session *s, enum session_ending e)
{
    struct uplink_message m = { .kind = UPLINK_BYE };
    bool one_by_one = e == ENDING_SHUTDOWN && s->limits->one_by_one;

    s->ending = e;
    m.u.bye.reason = endings[e].name;
    m.u.bye.retry_after_ms =
        spread(endings[e].least_ms, one_by_one ? endings[e].least_ms : endings[e].most_ms);
    return s->ops->send(s->link, &m);
}

static enum emt_err bye_age(struct session *s, const struct session_input *in)
{
    (void)in;
    return bye(s, ENDING_AGE);
}

static enum emt_err bye_stop(struct session *s, const struct session_input *in)
{
    (void)in;
    return bye(s, ENDING_SHUTDOWN);
}

/* ---- the table ---- */

struct step {
    enum session_state next;
    enum emt_err (*act)(struct session *s, const struct session_input *in);
};

/* A cell left out is { SESSION_CLOSED, NULL }: whatever was not foreseen ends the session. */
static const struct step table[SESSION_STATES][SESSION_EVENTS] = {
    [SESSION_HELLO] = { [EV_HELLO] = { SESSION_CLAIM, negotiate },
                        [EV_TIMEOUT] = { SESSION_CLOSED, no_hello } },
    [SESSION_CLAIM] = { [EV_CLAIMED] = { SESSION_READY, welcome },
                        [EV_REFUSED] = { SESSION_CLOSED, refused },
                        [EV_PING] = { SESSION_CLAIM, pong },
                        [EV_TIMEOUT] = { SESSION_CLOSED, no_database } },
    [SESSION_READY] = { [EV_FRAMES] = { SESSION_READY, take_frames },
                        [EV_GAP] = { SESSION_READY, take_gap },
                        [EV_STATUS] = { SESSION_READY, status },
                        [EV_LOG] = { SESSION_READY, log_line },
                        [EV_PING] = { SESSION_READY, pong },
                        [EV_PONG] = { SESSION_READY, ponged },
                        [EV_COMMAND_RESULT] = { SESSION_READY, command_result },
                        [EV_CERTIFICATE_REQUEST] = { SESSION_READY, certificate_request },
                        [EV_COMMITTED] = { SESSION_READY, committed },
                        [EV_CREDIT] = { SESSION_READY, credit },
                        [EV_COMMAND] = { SESSION_READY, command },
                        [EV_CERTIFICATE] = { SESSION_READY, certificate },
                        [EV_TIMEOUT] = { SESSION_READY, check_idle },
                        [EV_AGE] = { SESSION_DRAINING, bye_age },
                        [EV_STOP] = { SESSION_DRAINING, bye_stop } },
    /* What the gateway sent before it read the Bye is taken and acknowledged; what we would start
       is not. */
    [SESSION_DRAINING] = { [EV_FRAMES] = { SESSION_DRAINING, take_frames },
                           [EV_GAP] = { SESSION_DRAINING, take_gap },
                           [EV_STATUS] = { SESSION_DRAINING, status },
                           [EV_LOG] = { SESSION_DRAINING, log_line },
                           [EV_PING] = { SESSION_DRAINING, pong },
                           [EV_PONG] = { SESSION_DRAINING, ponged },
                           [EV_COMMAND_RESULT] = { SESSION_DRAINING, command_result },
                           [EV_CERTIFICATE_REQUEST] = { SESSION_DRAINING, NULL },
                           [EV_COMMITTED] = { SESSION_DRAINING, committed },
                           [EV_CREDIT] = { SESSION_DRAINING, NULL },
                           [EV_COMMAND] = { SESSION_DRAINING, NULL },
                           [EV_CERTIFICATE] = { SESSION_DRAINING, NULL },
                           [EV_AGE] = { SESSION_DRAINING, NULL },
                           [EV_STOP] = { SESSION_DRAINING, NULL } },
};

enum session_state session_next(enum session_state state, enum session_event ev, bool *acts)
{
    *acts = table[state][ev].act != NULL;
    return table[state][ev].next;
}

/* Idling is looked at, not rearmed with each message: a busy session costs no timer. */
static int64_t idle_due(const struct session *s)
{
    int64_t silent = clock_mono_ms() - s->heard_ms, idle = s->limits->idle_ms;

    return silent < idle / 2 ? idle / 2 - silent : idle - silent;
}

static void arm(struct session *s)
{
    switch (s->state) {
    case SESSION_HELLO:
    case SESSION_CLAIM:
        loop_timer_set(s->timer, s->limits->hello_ms);
        break;
    case SESSION_READY:
        loop_timer_set(s->timer, idle_due(s));
        break;
    case SESSION_DRAINING:
        loop_timer_set(s->timer, s->limits->drain_ms);
        break;
    case SESSION_CLOSED:
    case SESSION_STATES:
        loop_timer_cancel(s->timer);
        loop_timer_cancel(s->age);
        break;
    }
}

static void close_with(struct session *s, enum session_event ev, bool told)
{
    if (s->ending == ENDING_NONE)
        s->ending = event_endings[ev];
    /* Best effort: the link may be gone or full. */
    if (endings[s->ending].bye && !told && ev != EV_PEER_LOST && ev != EV_PEER_CLOSED)
        (void)!bye(s, s->ending);
    s->ops->closed(s->host_ctx, s);
}

/* The one place that assigns the state. */
static void session_move(struct session *s, enum session_state next, enum session_event ev)
{
    enum session_state before = s->state;

    s->state = next;
    if (next != before || ev == EV_TIMEOUT)
        arm(s);
    if (next == before)
        return;
    if (next == SESSION_READY) {
        s->was_ready = true;
        s->ops->ready(s->host_ctx, s);
    }
    if (next == SESSION_CLOSED)
        close_with(s, ev, before == SESSION_DRAINING);
}

void session_handle(struct session *s, enum session_event ev, const struct session_input *in)
{
    const struct step *step = &table[s->state][ev];
    enum emt_err err;

    if (s->state == SESSION_CLOSED)
        return;
    err = step->act ? step->act(s, in) : EMT_OK;
    if (s->state == SESSION_CLOSED)
        return; /* something that the action set off has ended it */
    if (err != EMT_OK && s->ending == ENDING_NONE)
        s->ending = ENDING_MEMORY;
    session_move(s, err == EMT_OK ? step->next : SESSION_CLOSED, ev);
}

void session_message(struct session *s, const struct uplink_message *m)
{
    struct session_input in = { .message = m };
    enum session_event ev = EV_FOREIGN;

    s->heard_ms = clock_mono_ms();
    s->pinged = false;
    switch (m->kind) {
    case UPLINK_HELLO:
        ev = EV_HELLO;
        break;
    case UPLINK_FRAMES:
        ev = EV_FRAMES;
        break;
    case UPLINK_GAP:
        ev = EV_GAP;
        break;
    case UPLINK_STATUS:
        ev = EV_STATUS;
        break;
    case UPLINK_LOG:
        ev = EV_LOG;
        break;
    case UPLINK_PING:
        ev = EV_PING;
        break;
    case UPLINK_PONG:
        ev = EV_PONG;
        break;
    case UPLINK_COMMAND_RESULT:
        ev = EV_COMMAND_RESULT;
        break;
    case UPLINK_CERTIFICATE_REQUEST:
        ev = EV_CERTIFICATE_REQUEST;
        break;
    case UPLINK_BYE:
        ev = EV_BYE;
        break;
    case UPLINK_WELCOME:
    case UPLINK_ACK:
    case UPLINK_COMMAND:
    case UPLINK_CREDIT:
    case UPLINK_CERTIFICATE_ISSUED:
        break;
    }
    session_handle(s, ev, &in);
}

static void on_timer(void *arg)
{
    session_handle(arg, EV_TIMEOUT, &(struct session_input){ 0 });
}

static void on_age(void *arg)
{
    session_handle(arg, EV_AGE, &(struct session_input){ 0 });
}

enum emt_err session_init(struct session *s, struct loop *l, const struct session_ops *ops,
                          const struct session_limits *limits, void *host, void *link,
                          const struct session_peer *peer)
{
    uint32_t tenth = limits->age_ms / 10;

    memset(s, 0, sizeof *s);
    s->ops = ops;
    s->limits = limits;
    s->host_ctx = host;
    s->link = link;
    s->peer = *peer;
    s->started_ms = s->heard_ms = clock_mono_ms();
    s->log_window_ms = s->started_ms;
    s->timer = loop_timer_new(l, on_timer, s);
    s->age = loop_timer_new(l, on_age, s);
    if (!s->timer || !s->age) {
        session_release(s);
        return EMT_ENOMEM;
    }
    ops->allow(link, limits->hello_longest);
    s->state = SESSION_HELLO;
    arm(s);
    loop_timer_set(s->age, spread(limits->age_ms - tenth, limits->age_ms + tenth));
    return EMT_OK;
}

void session_release(struct session *s)
{
    loop_timer_free(s->timer);
    loop_timer_free(s->age);
    s->timer = s->age = NULL;
}
