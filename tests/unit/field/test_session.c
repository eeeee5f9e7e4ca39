/* The state machine without sockets and database: events in, calls of the outside counted. */
#include "base/file.h"
#include "base/writer.h"
#include "loop/loop.h"
#include "session.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outside {
    unsigned sent[UPLINK_CERTIFICATE_ISSUED + 1]; /* by kind */
    struct uplink_message last[UPLINK_CERTIFICATE_ISSUED + 1];
    struct uplink_rejected rejected; /* of the last Ack */
    unsigned claims, opened, frames, gaps, ready, closed, statuses, logs, results, renewals;
    uint64_t gap_from, gap_to;
    size_t credit, longest;
    enum emt_err send_err, frame_err, gap_err, open_err, claim_err, renew_err;
};

static struct outside out;
static struct loop *loop;
static struct session session;
static const struct session_limits limits = { .hello_ms = 1000,
                                              .idle_ms = 60000,
                                              .age_ms = 3600000,
                                              .drain_ms = 1000,
                                              .commands = 2,
                                              .log_minute = 3,
                                              .hello_longest = 1000 };

static enum emt_err fake_send(void *link, const struct uplink_message *m)
{
    struct outside *o = link;

    if (o->send_err != EMT_OK)
        return o->send_err;
    o->sent[m->kind]++;
    o->last[m->kind] = *m;
    if (m->kind == UPLINK_ACK && m->u.ack.nrejected > 0)
        o->rejected = m->u.ack.rejected[m->u.ack.nrejected - 1];
    return EMT_OK;
}

static void fake_allow(void *link, size_t longest)
{
    ((struct outside *)link)->longest = longest;
}

static enum emt_err fake_claim(void *host, struct session *s, const struct uplink_hello *hello)
{
    struct outside *o = host;

    (void)s;
    (void)hello;
    o->claims++;
    return o->claim_err;
}

static enum emt_err fake_open(void *host, struct session *s, uint64_t last_seq)
{
    struct outside *o = host;

    (void)s;
    (void)last_seq;
    o->opened++;
    return o->open_err;
}

static enum emt_err fake_frame(void *host, struct session *s, const struct ingest_frame *f)
{
    struct outside *o = host;

    (void)s;
    (void)f;
    if (o->frame_err == EMT_OK)
        o->frames++;
    return o->frame_err;
}

static enum emt_err fake_gap(void *host, struct session *s, const struct uplink_gap *g)
{
    struct outside *o = host;

    (void)s;
    o->gaps++;
    o->gap_from = g->from;
    o->gap_to = g->to;
    return o->gap_err;
}

static size_t fake_credit(void *host, struct session *s)
{
    (void)s;
    return ((struct outside *)host)->credit;
}

static void fake_status(void *host, struct session *s, const struct uplink_status *st)
{
    (void)s;
    (void)st;
    ((struct outside *)host)->statuses++;
}

static enum emt_err fake_renew(void *host, struct session *s,
                               const struct uplink_certificate_request *r)
{
    struct outside *o = host;

    (void)s;
    (void)r;
    o->renewals++;
    return o->renew_err;
}

static void fake_log(void *host, struct session *s, const struct uplink_log *l)
{
    (void)s;
    (void)l;
    ((struct outside *)host)->logs++;
}

static void fake_result(void *host, struct session *s, const struct uplink_command_result *r)
{
    (void)s;
    (void)r;
    ((struct outside *)host)->results++;
}

static void fake_ready(void *host, struct session *s)
{
    (void)s;
    ((struct outside *)host)->ready++;
}

static void fake_closed(void *host, struct session *s)
{
    (void)s;
    ((struct outside *)host)->closed++;
}

static const struct session_ops ops = {
    .send = fake_send,
    .allow = fake_allow,
    .claim = fake_claim,
    .ingest_open = fake_open,
    .ingest_frame = fake_frame,
    .ingest_gap = fake_gap,
    .ingest_credit = fake_credit,
    .status = fake_status,
    .log = fake_log,
    .command_result = fake_result,
    .renew = fake_renew,
    .ready = fake_ready,
    .closed = fake_closed,
};

static const char *const agent_capabilities[] = { "gap", "command", "something-new" };

static void say(enum uplink_kind kind)
{
    struct uplink_message m = { .kind = kind };

    if (kind == UPLINK_HELLO) {
        m.u.hello.version_min = m.u.hello.version_max = 1;
        m.u.hello.capabilities = agent_capabilities;
        m.u.hello.ncapabilities = 3;
    }
    session_message(&session, &m);
}

static void feed(enum session_event ev)
{
    struct uplink_message m = { .kind = UPLINK_COMMAND };
    struct session_owned owned = { 7, 11, 3, 100 };
    struct ingest_report report = { .up_to = 100 };
    struct session_input in = {
        .message = &m, .owned = &owned, .refusal = ENDING_CLONE, .report = &report
    };

    session_handle(&session, ev, &in);
}

/* A fresh session in this state, with a credit of 1,000 bytes. */
static void enter(enum session_state state)
{
    struct session_peer peer = { .address = "127.0.0.1", .tls = "TLSv1.2" };

    session_release(&session);
    memset(&out, 0, sizeof out);
    out.credit = 1000;
    ck_assert_int_eq(session_init(&session, loop, &ops, &limits, &out, &out, &peer), EMT_OK);
    if (state != SESSION_HELLO)
        say(UPLINK_HELLO);
    if (state == SESSION_READY || state == SESSION_DRAINING)
        feed(EV_CLAIMED);
    if (state == SESSION_DRAINING)
        feed(EV_STOP);
    if (state == SESSION_CLOSED)
        feed(EV_PEER_LOST);
    ck_assert_int_eq(session.state, state);
}

static void frames(uint64_t first, unsigned n, size_t len)
{
    static const uint8_t data[2000];
    struct uplink_frame f[64];
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { f, n } };

    ck_assert_uint_le(n, 64);
    for (unsigned i = 0; i < n; i++)
        f[i] = (struct uplink_frame){ .seq = first + i, .data = data, .len = len };
    session_message(&session, &m);
}

static void commit(uint64_t up_to, size_t bytes)
{
    struct ingest_report r = { .up_to = up_to, .bytes_done = bytes };

    session_handle(&session, EV_COMMITTED, &(struct session_input){ .report = &r });
}

static void pong(uint64_t nonce)
{
    struct uplink_message m = { .kind = UPLINK_PONG, .u.nonce = nonce };

    session_message(&session, &m);
}

static void setup(void)
{
    loop = loop_new(0);
}

static void teardown(void)
{
    session_release(&session);
    loop_free(loop);
}

/* ---- the whole table ---- */

static bool is_foreseen(enum session_state state, enum session_event ev)
{
    bool acts;

    return session_next(state, ev, &acts) != SESSION_CLOSED || acts;
}

START_TEST(every_event_in_every_state_leads_where_the_table_says)
{
    for (int st = SESSION_HELLO; st < SESSION_STATES; st++) {
        for (int ev = 0; ev < SESSION_EVENTS; ev++) {
            bool acts;
            enum session_state next =
                session_next((enum session_state)st, (enum session_event)ev, &acts);
            enter((enum session_state)st);
            if (ev == EV_HELLO)
                say(UPLINK_HELLO);
            else
                feed((enum session_event)ev);
            /* Two actions decide otherwise for a good reason: refusals and missed deadlines end. */
            if (acts && (ev == EV_REFUSED || (ev == EV_TIMEOUT && st != SESSION_READY)))
                next = SESSION_CLOSED;
            ck_assert_msg(session.state == next, "%s, %s: %s instead of %s",
                          session_state_name((enum session_state)st),
                          session_event_name((enum session_event)ev),
                          session_state_name(session.state), session_state_name(next));
            ck_assert_uint_eq(out.closed, next == SESSION_CLOSED);
            ck_assert_int_eq(session.ending == ENDING_NONE,
                             next != SESSION_CLOSED && next != SESSION_DRAINING);
        }
    }
}
END_TEST

START_TEST(a_closed_session_is_deaf)
{
    for (int ev = 0; ev < SESSION_EVENTS; ev++) {
        enter(SESSION_CLOSED);
        feed((enum session_event)ev);
        ck_assert_int_eq(session.state, SESSION_CLOSED);
        ck_assert_uint_eq(out.closed, 1);
        ck_assert_int_eq(session.ending, ENDING_PEER_LOST);
    }
}
END_TEST

START_TEST(what_was_not_foreseen_is_a_protocol_violation_with_bye)
{
    for (int st = SESSION_HELLO; st <= SESSION_READY; st++) {
        for (int ev = EV_HELLO; ev <= EV_FOREIGN; ev++) {
            if (is_foreseen((enum session_state)st, (enum session_event)ev) || ev == EV_BYE)
                continue;
            enter((enum session_state)st);
            feed((enum session_event)ev);
            ck_assert_int_eq(session.ending, ENDING_PROTOCOL);
            ck_assert_uint_eq(out.sent[UPLINK_BYE], 1);
            ck_assert_str_eq(out.last[UPLINK_BYE].u.bye.reason, "protocol");
        }
    }
}
END_TEST

START_TEST(messages_that_only_we_send_end_the_session)
{
    static const enum uplink_kind ours[] = { UPLINK_WELCOME, UPLINK_ACK, UPLINK_COMMAND,
                                             UPLINK_CREDIT, UPLINK_CERTIFICATE_ISSUED };

    for (unsigned i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        enter(SESSION_READY);
        say(ours[i]);
        ck_assert_int_eq(session.ending, ENDING_PROTOCOL);
    }
}
END_TEST

/* docs/session.dot is drawn from the table; with EMT_UPDATE set this test writes it. */
static void draw(struct writer *w)
{
    writer_text(w,
                "// Drawn from the table in server/field/session.c by the unit test of sessions.\n"
                "// Edges to \"closed\" that no action foresaw are left out: they are all others.\n"
                "digraph session {\n    rankdir=LR;\n    node [shape=box];\n");
    for (int st = SESSION_HELLO; st < SESSION_STATES; st++)
        for (int ev = 0; ev < SESSION_EVENTS; ev++) {
            bool acts;
            enum session_state next =
                session_next((enum session_state)st, (enum session_event)ev, &acts);
            if (is_foreseen((enum session_state)st, (enum session_event)ev))
                writer_printf(w, "    \"%s\" -> \"%s\" [label=\"%s\"%s];\n",
                              session_state_name((enum session_state)st), session_state_name(next),
                              session_event_name((enum session_event)ev),
                              acts ? "" : ", style=dotted");
        }
    writer_text(w, "}\n");
}

START_TEST(the_drawing_shows_the_table)
{
    struct writer w;
    char *text = NULL;
    size_t n = 0;

    writer_init_heap(&w, 1 << 20);
    draw(&w);
    ck_assert(!w.failed);
    if (getenv("EMT_UPDATE"))
        ck_assert_int_eq(file_write("docs/session.dot", w.data, w.len, 0644, NULL), EMT_OK);
    ck_assert_int_eq(file_read("docs/session.dot", 1 << 20, &text, &n, NULL), EMT_OK);
    ck_assert_str_eq(text, writer_cstr(&w));
    free(text);
    writer_release(&w);
}
END_TEST

/* ---- hello ---- */

START_TEST(welcome_names_what_stands_and_what_may_come)
{
    enter(SESSION_READY);
    const struct uplink_welcome *w = &out.last[UPLINK_WELCOME].u.welcome;

    ck_assert_uint_eq(out.sent[UPLINK_WELCOME], 1);
    ck_assert_uint_eq(w->version, 1);
    ck_assert_uint_eq(w->last_seq, 100);
    ck_assert_uint_eq(w->credit_bytes, 1000);
    ck_assert_uint_eq(w->epoch, 3);
    ck_assert_uint_eq(w->idle_ms, 60000);
    ck_assert_uint_eq(w->max_frame, UPLINK_FRAME_MAX);
    ck_assert_uint_eq(out.ready, 1);
    ck_assert_uint_eq(out.opened, 1);
    ck_assert_uint_eq(out.longest, UPLINK_MESSAGE_MAX);
    ck_assert(session.wants_commands);
}
END_TEST

START_TEST(no_common_version_ends_with_bye)
{
    struct uplink_message m = { .kind = UPLINK_HELLO };

    enter(SESSION_HELLO);
    m.u.hello.version_min = 2;
    m.u.hello.version_max = 9;
    session_message(&session, &m);
    ck_assert_int_eq(session.ending, ENDING_NO_VERSION);
    ck_assert_str_eq(out.last[UPLINK_BYE].u.bye.reason, "no-common-version");
    ck_assert_uint_eq(out.claims, 0);
}
END_TEST

START_TEST(before_hello_only_short_messages_are_taken)
{
    enter(SESSION_HELLO);
    ck_assert_uint_eq(out.longest, limits.hello_longest);
    enter(SESSION_CLAIM);
    ck_assert_uint_eq(out.longest, limits.hello_longest);
}
END_TEST

START_TEST(a_claim_that_takes_too_long_says_database)
{
    enter(SESSION_CLAIM);
    feed(EV_TIMEOUT);
    ck_assert_int_eq(session.ending, ENDING_DATABASE);
    ck_assert_uint_ge(out.last[UPLINK_BYE].u.bye.retry_after_ms, 5000);
    ck_assert_uint_le(out.last[UPLINK_BYE].u.bye.retry_after_ms, 30000);
}
END_TEST

START_TEST(no_hello_in_time_is_named)
{
    enter(SESSION_HELLO);
    feed(EV_TIMEOUT);
    ck_assert_int_eq(session.ending, ENDING_NO_HELLO);
}
END_TEST

START_TEST(a_refusal_is_told_as_it_is)
{
    enter(SESSION_CLAIM);
    feed(EV_REFUSED);
    ck_assert_int_eq(session.ending, ENDING_CLONE);
    ck_assert_str_eq(out.last[UPLINK_BYE].u.bye.reason, "clone");
    ck_assert_uint_eq(out.ready, 0);
}
END_TEST

/* ---- flow ---- */

START_TEST(ack_follows_the_commit_and_returns_credit)
{
    enter(SESSION_READY);
    frames(101, 4, 100);
    ck_assert_uint_eq(out.frames, 4);
    ck_assert_uint_eq(session.in_flight, 400);
    ck_assert_uint_eq(out.sent[UPLINK_ACK], 0);
    commit(102, 200);
    ck_assert_uint_eq(out.sent[UPLINK_ACK], 1);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.up_to, 102);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.credit_bytes, 1000);
    ck_assert_uint_eq(session.in_flight, 200);
    /* All that was taken is reported: nothing is under way, whatever the bytes say. */
    commit(104, 0);
    ck_assert_uint_eq(session.in_flight, 0);
}
END_TEST

START_TEST(frames_beyond_the_credit_end_the_session)
{
    enter(SESSION_READY);
    frames(101, 10, 100);
    ck_assert_int_eq(session.state, SESSION_READY);
    frames(111, 1, 1);
    ck_assert_int_eq(session.ending, ENDING_CREDIT);
    ck_assert_uint_eq(out.frames, 10);
    ck_assert_str_eq(out.last[UPLINK_BYE].u.bye.reason, "credit-exceeded");
}
END_TEST

START_TEST(a_frame_larger_than_the_credit_passes_when_nothing_is_under_way)
{
    enter(SESSION_READY);
    frames(101, 1, 1500);
    ck_assert_int_eq(session.state, SESSION_READY);
    ck_assert_uint_eq(out.frames, 1);
}
END_TEST

START_TEST(a_lowered_credit_binds_from_its_pong_on)
{
    enter(SESSION_READY);
    out.credit = 0;
    feed(EV_CREDIT);
    ck_assert_uint_eq(out.sent[UPLINK_CREDIT], 1);
    ck_assert_uint_eq(out.last[UPLINK_CREDIT].u.credit_bytes, 0);
    ck_assert_uint_eq(out.sent[UPLINK_PING], 1);
    /* On its way while we spoke. */
    frames(101, 2, 100);
    ck_assert_int_eq(session.state, SESSION_READY);
    pong(out.last[UPLINK_PING].u.nonce + 1); /* not ours */
    frames(103, 1, 100);
    ck_assert_int_eq(session.state, SESSION_READY);
    pong(out.last[UPLINK_PING].u.nonce);
    frames(104, 1, 100);
    ck_assert_int_eq(session.ending, ENDING_CREDIT);
    ck_assert_uint_eq(out.frames, 3);
}
END_TEST

START_TEST(a_credit_raised_meanwhile_counts)
{
    enter(SESSION_READY);
    out.credit = 0;
    feed(EV_CREDIT);
    out.credit = 600;
    feed(EV_CREDIT);
    pong(out.last[UPLINK_PING].u.nonce);
    frames(101, 6, 100);
    ck_assert_int_eq(session.state, SESSION_READY);
    frames(107, 1, 100);
    ck_assert_int_eq(session.ending, ENDING_CREDIT);
}
END_TEST

START_TEST(small_drifts_of_credit_are_not_told)
{
    enter(SESSION_READY);
    out.credit = 900;
    feed(EV_CREDIT);
    ck_assert_uint_eq(out.sent[UPLINK_CREDIT], 0);
    out.credit = 2000;
    feed(EV_CREDIT);
    ck_assert_uint_eq(out.sent[UPLINK_CREDIT], 1);
    ck_assert_uint_eq(out.sent[UPLINK_PING], 0);
}
END_TEST

START_TEST(one_request_for_a_certificate_at_a_time)
{
    struct uplink_message issued = { .kind = UPLINK_CERTIFICATE_ISSUED };
    const uint8_t chain[] = "chain";

    enter(SESSION_READY);
    say(UPLINK_CERTIFICATE_REQUEST);
    say(UPLINK_CERTIFICATE_REQUEST);
    ck_assert_uint_eq(out.renewals, 1);
    ck_assert_uint_eq(out.sent[UPLINK_CERTIFICATE_ISSUED], 1);
    ck_assert_str_eq(out.last[UPLINK_CERTIFICATE_ISSUED].u.certificate_issued.reason, "under-way");
    issued.u.certificate_issued.chain = chain;
    issued.u.certificate_issued.len = sizeof chain;
    session_handle(&session, EV_CERTIFICATE, &(struct session_input){ .message = &issued });
    ck_assert_uint_eq(out.sent[UPLINK_CERTIFICATE_ISSUED], 2);
    ck_assert_uint_eq(out.last[UPLINK_CERTIFICATE_ISSUED].u.certificate_issued.len, sizeof chain);
    out.renew_err = EMT_ELIMIT;
    say(UPLINK_CERTIFICATE_REQUEST);
    ck_assert_uint_eq(out.renewals, 2);
    ck_assert_str_eq(out.last[UPLINK_CERTIFICATE_ISSUED].u.certificate_issued.reason, "busy");
    ck_assert_uint_ge(out.last[UPLINK_CERTIFICATE_ISSUED].u.certificate_issued.retry_after_ms,
                      1000);
    ck_assert_int_eq(session.state, SESSION_READY);
}
END_TEST

START_TEST(a_used_up_budget_says_busy)
{
    enter(SESSION_READY);
    out.frame_err = EMT_ELIMIT;
    frames(101, 1, 10);
    ck_assert_int_eq(session.ending, ENDING_BUSY);
}
END_TEST

START_TEST(frames_sent_again_are_passed_over)
{
    enter(SESSION_READY);
    frames(101, 3, 100);
    frames(102, 3, 100);
    ck_assert_uint_eq(out.frames, 4);
    ck_assert_uint_eq(session.repeated, 2);
    ck_assert_uint_eq(session.in_flight, 400);
}
END_TEST

START_TEST(frames_that_were_committed_before_are_acknowledged_at_once)
{
    enter(SESSION_READY);
    frames(99, 2, 100);
    ck_assert_uint_eq(out.frames, 0);
    ck_assert_uint_eq(out.sent[UPLINK_ACK], 1);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.up_to, 100);
}
END_TEST

START_TEST(many_rejections_come_in_several_acks)
{
    struct ingest_rejected rejected[600];
    struct ingest_report r = { .up_to = 700, .rejected = rejected, .nrejected = 600 };

    enter(SESSION_READY);
    for (unsigned i = 0; i < 600; i++)
        rejected[i] = (struct ingest_rejected){ 101 + i, "frame-too-long" };
    session_handle(&session, EV_COMMITTED, &(struct session_input){ .report = &r });
    ck_assert_uint_eq(out.sent[UPLINK_ACK], 3);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.up_to, 700);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.nrejected, 600 - 2 * UPLINK_LIST_MAX);
    ck_assert_uint_eq(out.rejected.seq, 700);
}
END_TEST

static void gap(uint64_t from, uint64_t to)
{
    struct uplink_message m = { .kind = UPLINK_GAP, .u.gap = { from, to, "overwritten" } };

    session_message(&session, &m);
}

START_TEST(a_gap_moves_on_and_overlap_is_cut)
{
    enter(SESSION_READY);
    gap(90, 95);
    ck_assert_uint_eq(out.gaps, 0);
    gap(90, 110);
    ck_assert_uint_eq(out.gap_from, 101);
    ck_assert_uint_eq(out.gap_to, 110);
    frames(110, 2, 10);
    ck_assert_uint_eq(out.frames, 1);
    gap(120, 119);
    ck_assert_int_eq(session.ending, ENDING_PROTOCOL);
}
END_TEST

/* ---- the rest ---- */

START_TEST(after_bye_what_was_under_way_is_still_acknowledged)
{
    enter(SESSION_READY);
    frames(101, 1, 10);
    feed(EV_STOP);
    ck_assert_int_eq(session.state, SESSION_DRAINING);
    ck_assert_str_eq(out.last[UPLINK_BYE].u.bye.reason, "shutdown");
    frames(102, 1, 10);
    commit(102, 20);
    ck_assert_uint_eq(out.last[UPLINK_ACK].u.ack.up_to, 102);
    feed(EV_TIMEOUT);
    ck_assert_int_eq(session.state, SESSION_CLOSED);
    ck_assert_int_eq(session.ending, ENDING_SHUTDOWN);
    ck_assert_uint_eq(out.sent[UPLINK_BYE], 1);
}
END_TEST

START_TEST(silence_asks_first_and_ends_then)
{
    enter(SESSION_READY);
    feed(EV_TIMEOUT);
    ck_assert_uint_eq(out.sent[UPLINK_PING], 0);
    session.heard_ms -= 30000;
    feed(EV_TIMEOUT);
    feed(EV_TIMEOUT);
    ck_assert_uint_eq(out.sent[UPLINK_PING], 1);
    session.heard_ms -= 30000;
    feed(EV_TIMEOUT);
    ck_assert_int_eq(session.ending, ENDING_IDLE);
}
END_TEST

START_TEST(log_lines_are_bounded_by_the_minute)
{
    enter(SESSION_READY);
    for (int i = 0; i < 10; i++)
        say(UPLINK_LOG);
    ck_assert_uint_eq(out.logs, 3);
    ck_assert_uint_eq(session.log_dropped, 7);
    session.log_window_ms -= 60000;
    say(UPLINK_LOG);
    ck_assert_uint_eq(out.logs, 4);
}
END_TEST

START_TEST(a_full_queue_ends_the_session_without_bye)
{
    enter(SESSION_READY);
    out.send_err = EMT_ELIMIT;
    say(UPLINK_PING);
    ck_assert_int_eq(session.ending, ENDING_SLOW_READER);
    ck_assert_uint_eq(out.closed, 1);
}
END_TEST

START_TEST(ping_is_answered_with_its_nonce_also_while_the_claim_waits)
{
    struct uplink_message m = { .kind = UPLINK_PING, .u.nonce = 4711 };

    enter(SESSION_CLAIM);
    session_message(&session, &m);
    ck_assert_int_eq(session.state, SESSION_CLAIM);
    ck_assert_uint_eq(out.last[UPLINK_PONG].u.nonce, 4711);
}
END_TEST

START_TEST(open_commands_are_counted)
{
    enter(SESSION_READY);
    feed(EV_COMMAND);
    feed(EV_COMMAND);
    ck_assert_uint_eq(session.open_commands, 2);
    say(UPLINK_COMMAND_RESULT);
    ck_assert_uint_eq(session.open_commands, 1);
    say(UPLINK_COMMAND_RESULT);
    say(UPLINK_COMMAND_RESULT);
    ck_assert_uint_eq(session.open_commands, 0);
    ck_assert_uint_eq(out.results, 3);
}
END_TEST

START_TEST(names_are_complete)
{
    for (int i = 0; i < SESSION_ENDINGS; i++)
        ck_assert_ptr_nonnull(session_ending_name((enum session_ending)i));
    for (int i = 0; i < SESSION_EVENTS; i++)
        ck_assert_ptr_nonnull(session_event_name((enum session_event)i));
    for (int i = 0; i < SESSION_STATES; i++)
        ck_assert_ptr_nonnull(session_state_name((enum session_state)i));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session");
    TCase *c = tcase_create("session");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_event_in_every_state_leads_where_the_table_says);
    tcase_add_test(c, a_closed_session_is_deaf);
    tcase_add_test(c, what_was_not_foreseen_is_a_protocol_violation_with_bye);
    tcase_add_test(c, messages_that_only_we_send_end_the_session);
    tcase_add_test(c, the_drawing_shows_the_table);
    tcase_add_test(c, welcome_names_what_stands_and_what_may_come);
    tcase_add_test(c, no_common_version_ends_with_bye);
    tcase_add_test(c, before_hello_only_short_messages_are_taken);
    tcase_add_test(c, a_claim_that_takes_too_long_says_database);
    tcase_add_test(c, no_hello_in_time_is_named);
    tcase_add_test(c, a_refusal_is_told_as_it_is);
    tcase_add_test(c, ack_follows_the_commit_and_returns_credit);
    tcase_add_test(c, frames_beyond_the_credit_end_the_session);
    tcase_add_test(c, a_frame_larger_than_the_credit_passes_when_nothing_is_under_way);
    tcase_add_test(c, a_lowered_credit_binds_from_its_pong_on);
    tcase_add_test(c, a_credit_raised_meanwhile_counts);
    tcase_add_test(c, small_drifts_of_credit_are_not_told);
    tcase_add_test(c, one_request_for_a_certificate_at_a_time);
    tcase_add_test(c, a_used_up_budget_says_busy);
    tcase_add_test(c, frames_sent_again_are_passed_over);
    tcase_add_test(c, frames_that_were_committed_before_are_acknowledged_at_once);
    tcase_add_test(c, many_rejections_come_in_several_acks);
    tcase_add_test(c, a_gap_moves_on_and_overlap_is_cut);
    tcase_add_test(c, after_bye_what_was_under_way_is_still_acknowledged);
    tcase_add_test(c, silence_asks_first_and_ends_then);
    tcase_add_test(c, log_lines_are_bounded_by_the_minute);
    tcase_add_test(c, a_full_queue_ends_the_session_without_bye);
    tcase_add_test(c, ping_is_answered_with_its_nonce_also_while_the_claim_waits);
    tcase_add_test(c, open_commands_are_counted);
    tcase_add_test(c, names_are_complete);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
