/* The gateway's end of the field channel against a scripted head-end: real sockets, real TLS, real
 * spool. */
#include "agent/gateway.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "head_end.h"
#include "pki/authority.h"

#include <check.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[64];
static struct event_base *base;
static struct arena *arena;
static struct head_end *head;
static struct gateway *gateway;
static unsigned ups, downs;
static uint32_t last_wait_ms;
static char last_reason[200];

static void on_up(void *ctx)
{
    (void)ctx;
    ups++;
}

static void on_down(void *ctx, const char *reason, uint32_t wait_ms)
{
    (void)ctx;
    downs++;
    last_wait_ms = wait_ms;
    snprintf(last_reason, sizeof last_reason, "%s", reason);
}

static void open_gateway(void)
{
    struct gateway_options o = { .dir = dir, .sync = true, .base = base, .arena = arena };
    struct emt_diag diag = { 0 };

    o.events.up = on_up;
    o.events.down = on_down;
    ck_assert_msg(gateway_open(&o, &gateway, &diag) == EMT_OK, "%s", diag.text);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_open("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
    snprintf(dir, sizeof dir, "/tmp/emt-uplink-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    base = event_base_new();
    arena = arena_new(16u * UPLINK_MESSAGE_MAX);
    head = head_end_new(dir);
    ups = downs = 0;
    open_gateway();
}

static void remove_files(void)
{
    static const char *const names[] = { "gateway.key",
                                         "gateway.pem",
                                         "ca.pem",
                                         "agent.yaml",
                                         "spool",
                                         "commands",
                                         "spool.damaged",
                                         "spool.new",
                                         "gateway.pem.renewed",
                                         "gateway.pem.renewed.damaged" };
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void teardown(void)
{
    gateway_close(gateway);
    head_end_free(head);
    arena_free(arena);
    event_base_free(base);
    remove_files();
}

/* Frame n: length and bytes follow from n. */
static size_t content(uint64_t n, uint8_t out[200])
{
    size_t len = 20 + (size_t)(n % 150);

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(n * 7 + i);
    return len;
}

static void submit(uint64_t from, uint64_t to)
{
    uint8_t data[200];

    for (uint64_t n = from; n <= to; n++) {
        struct spool_frame f = {
            .received_at = (emt_time)n, .protocol = 1, .format = 1, .rssi_dbm = -50, .data = data
        };
        f.len = content(n, data);
        ck_assert_int_eq(gateway_submit(gateway, &f), EMT_OK);
    }
}

/* Runs the loop until the script has ended (and, then, until extra() holds). */
static void run(void (*script)(struct head_end *h, void *arg), bool (*extra)(void))
{
    head_end_run(head, script, NULL);
    gateway_start(gateway, 0);
    for (unsigned turns = 0; !head_end_done(head) || (extra && !extra()); turns++) {
        struct timeval tick = { 0, 5000 };
        event_base_loopexit(base, &tick);
        ck_assert_int_ge(event_base_dispatch(base), 0);
        ck_assert_uint_lt(turns, 4000);
    }
    head_end_join(head);
}

static bool all_acknowledged(void)
{
    return gateway_idle(gateway);
}

static void welcome(struct head_end *h, uint64_t last_seq, uint64_t credit)
{
    static const char *const caps[] = { "gap", "command", "log" };
    struct uplink_message m = { .kind = UPLINK_WELCOME };

    m.u.welcome = (struct uplink_welcome){ .version = 1,
                                           .last_seq = last_seq,
                                           .credit_bytes = credit,
                                           .capabilities = caps,
                                           .ncapabilities = 3,
                                           .epoch = 1,
                                           .idle_ms = 60000,
                                           .max_message = UPLINK_MESSAGE_MAX,
                                           .max_frame = UPLINK_FRAME_MAX };
    head_end_send(h, &m);
}

static void greet(struct head_end *h, uint64_t last_seq, uint64_t credit)
{
    head_end_accept(h);
    head_end_expect(h, UPLINK_HELLO);
    welcome(h, last_seq, credit);
}

static void ack(struct head_end *h, uint64_t up_to, uint64_t credit)
{
    struct uplink_message m = { .kind = UPLINK_ACK, .u.ack = { up_to, NULL, 0, credit } };

    head_end_send(h, &m);
}

/* Frames up to `to` arrive, in order from `from`; returns their bytes. */
static uint64_t expect_frames(struct head_end *h, uint64_t from, uint64_t to)
{
    uint8_t data[200];
    uint64_t bytes = 0;

    while (from <= to) {
        struct uplink_frames f = head_end_expect(h, UPLINK_FRAMES).u.frames;
        for (size_t i = 0; i < f.nframes; i++, from++) {
            ck_assert_uint_eq(f.frames[i].seq, from);
            ck_assert_uint_eq(f.frames[i].len, content(from, data));
            ck_assert_mem_eq(f.frames[i].data, data, f.frames[i].len);
            ck_assert_int_eq(f.frames[i].received_at, (emt_time)from);
            ck_assert_int_eq(f.frames[i].rssi_dbm, -50);
            bytes += f.frames[i].len;
        }
    }
    ck_assert_uint_eq(from, to + 1);
    return bytes;
}

static struct spool_stats stats(void)
{
    struct spool_stats st;

    gateway_spool(gateway, &st);
    return st;
}

static void script_simple(struct head_end *h, void *arg)
{
    (void)arg;
    head_end_accept(h);
    struct uplink_hello hello = head_end_expect(h, UPLINK_HELLO).u.hello;
    ck_assert_uint_eq(hello.version_min, 1);
    ck_assert_uint_eq(hello.next_seq, 301);
    ck_assert_uint_eq(hello.oldest_seq, 1);
    ck_assert_uint_eq(hello.ncapabilities, 5);
    ck_assert_str_eq(hello.software, "emt-agent 0.1.0");
    welcome(h, 0, 1000000);
    expect_frames(h, 1, 300);
    ack(h, 150, 1000000);
    ack(h, 300, 1000000);
}

START_TEST(frames_arrive_in_order_and_are_acknowledged)
{
    submit(1, 300);
    run(script_simple, all_acknowledged);
    ck_assert_uint_eq(stats().acked_seq, 300);
    ck_assert_uint_eq(ups, 1);
    ck_assert_uint_eq(downs, 0);
}
END_TEST

static void script_lost(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 1000000);
    expect_frames(h, 1, 100);
    head_end_close(h); /* 1..40 were committed, the acknowledgement is lost */
    greet(h, 40, 1000000);
    expect_frames(h, 41, 100);
    ack(h, 100, 1000000);
}

START_TEST(after_a_lost_connection_the_rest_is_sent_again)
{
    submit(1, 100);
    run(script_lost, all_acknowledged);
    ck_assert_uint_eq(ups, 2);
}
END_TEST

static void script_restored(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 1000000);
    expect_frames(h, 1, 100);
    ack(h, 100, 1000000);
    head_end_expect_silence(h, 50);
    head_end_close(h);
    greet(h, 60, 1000000); /* a backup of an hour ago */
    expect_frames(h, 61, 100);
    ack(h, 100, 1000000);
}

START_TEST(a_head_end_that_went_back_gets_acknowledged_frames_again)
{
    submit(1, 100);
    run(script_restored, all_acknowledged);
}
END_TEST

static void script_credit(struct head_end *h, void *arg)
{
    struct uplink_message credit = { .kind = UPLINK_CREDIT };
    uint64_t from = 1;

    (void)arg;
    greet(h, 0, 0);
    head_end_expect_silence(h, 200);
    credit.u.credit_bytes = 2000;
    head_end_send(h, &credit);
    while (from <= 200) { /* never more than 2,000 bytes under way */
        uint64_t bytes = 0, first = from;
        while (bytes + 200 <= 2000 && from <= 200) {
            struct uplink_frames f = head_end_expect(h, UPLINK_FRAMES).u.frames;
            for (size_t i = 0; i < f.nframes; i++, from++)
                bytes += f.frames[i].len;
        }
        ck_assert_uint_gt(from, first);
        ck_assert_uint_le(bytes, 2000);
        ack(h, from - 1, 2000);
    }
}

START_TEST(frames_keep_within_the_credit)
{
    submit(1, 200);
    run(script_credit, all_acknowledged);
    ck_assert_uint_eq(stats().acked_seq, 200);
}
END_TEST

static void script_small_credit(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 1);
    for (uint64_t n = 1; n <= 3; n++) {
        expect_frames(h, n, n);
        head_end_expect_silence(h, 30);
        ack(h, n, 1);
    }
}

START_TEST(a_frame_larger_than_the_credit_goes_alone)
{
    submit(1, 3);
    run(script_small_credit, all_acknowledged);
}
END_TEST

static void script_gap(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 10000000);
    struct uplink_gap gap = head_end_expect(h, UPLINK_GAP).u.gap;
    ck_assert_uint_eq(gap.from, 1);
    ck_assert_str_eq(gap.reason, "overwritten");
    ck_assert_uint_gt(gap.to, 1000);
    expect_frames(h, gap.to + 1, 4000);
    ack(h, 4000, 10000000);
}

START_TEST(what_was_given_up_is_announced)
{
    submit(1, 4000);
    run(script_gap, all_acknowledged);
    ck_assert_uint_gt(stats().given_up, 1000);
}
END_TEST

static void script_rejected(struct head_end *h, void *arg)
{
    static const struct uplink_rejected list[2] = { { 2, "frame-too-long" },
                                                    { 5, "no-such-protocol" } };
    struct uplink_message m = { .kind = UPLINK_ACK, .u.ack = { 10, list, 2, 1000 } };

    (void)arg;
    greet(h, 0, 100000);
    expect_frames(h, 1, 10);
    head_end_send(h, &m);
}

START_TEST(rejected_frames_are_not_owed_any_more)
{
    struct uplink_client_counters c;

    submit(1, 10);
    run(script_rejected, all_acknowledged);
    uplink_client_counters(gateway_client(gateway), &c);
    ck_assert_uint_eq(c.frames_rejected, 2);
}
END_TEST

static void send_command(struct head_end *h, uint8_t key, const char *name,
                         const struct uplink_argument *args, size_t n, emt_time expires)
{
    struct uplink_message m = { .kind = UPLINK_COMMAND };

    memset(m.u.command.idempotency_key, key, UPLINK_KEY_LEN);
    m.u.command.name = name;
    m.u.command.arguments = args;
    m.u.command.narguments = n;
    m.u.command.expires_at = expires;
    head_end_send(h, &m);
}

static void expect_result(struct head_end *h, uint8_t key, uint32_t outcome, const char *text)
{
    struct uplink_command_result r = head_end_expect(h, UPLINK_COMMAND_RESULT).u.command_result;

    ck_assert_uint_eq(r.idempotency_key[0], key);
    ck_assert_uint_eq(r.outcome, outcome);
    if (text)
        ck_assert_str_eq(r.text, text);
}

static void script_commands(struct head_end *h, void *arg)
{
    static const struct uplink_argument range[2] = { { "from", "3" }, { "to", "5" } };
    static const struct uplink_argument bad[2] = { { "from", "5x" }, { "to", "5" } };

    (void)arg;
    greet(h, 0, 100000);
    expect_frames(h, 1, 8);
    ack(h, 8, 100000);
    send_command(h, 1, "ping", NULL, 0, EMT_TIME_NONE);
    expect_result(h, 1, 0, "pong");
    send_command(h, 2, "reboot-the-world", NULL, 0, EMT_TIME_NONE);
    expect_result(h, 2, 2, "not supported");
    send_command(h, 3, "ping", NULL, 0, 1);
    expect_result(h, 3, 3, "expired");
    send_command(h, 4, "resend", bad, 2, EMT_TIME_NONE);
    expect_result(h, 4, 1, NULL);
    send_command(h, 5, "resend", range, 2, EMT_TIME_NONE);
    expect_result(h, 5, 0, "repeating from 3");
    expect_frames(h, 3, 5);
    head_end_expect_silence(h, 300);
    /* the same key again: the first result, and nothing is done */
    send_command(h, 5, "resend", range, 2, EMT_TIME_NONE);
    expect_result(h, 5, 0, "repeating from 3");
    head_end_expect_silence(h, 300);
}

START_TEST(commands_are_carried_out_once)
{
    submit(1, 8);
    run(script_commands, NULL);
}
END_TEST

static void script_remembered(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 0);
    send_command(h, 9, "reboot", NULL, 0, EMT_TIME_NONE);
    expect_result(h, 9, 2, NULL);
}

static void script_ask_again(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 0);
    send_command(h, 9, "ping", NULL, 0, EMT_TIME_NONE); /* the name does not count, the key does */
    expect_result(h, 9, 2, NULL);
}

START_TEST(results_survive_the_process)
{
    run(script_remembered, NULL);
    gateway_close(gateway);
    open_gateway();
    run(script_ask_again, NULL);
}
END_TEST

static void script_bye(struct head_end *h, void *arg)
{
    struct uplink_message m = { .kind = UPLINK_BYE, .u.bye = { "draining", 300 } };

    (void)arg;
    greet(h, 0, 1000);
    head_end_send(h, &m);
    greet(h, 0, 1000);
}

static bool is_up_again(void)
{
    return ups == 2;
}

START_TEST(bye_says_when_to_come_back)
{
    run(script_bye, is_up_again);
    ck_assert_uint_eq(downs, 1);
    ck_assert_uint_ge(last_wait_ms, 300);
    ck_assert_uint_le(last_wait_ms, 400);
    ck_assert_str_eq(last_reason, "bye: draining");
}
END_TEST

static void script_nonsense(struct head_end *h, void *arg)
{
    struct uplink_message hello = { .kind = UPLINK_FRAMES };

    (void)arg;
    greet(h, 0, 1000);
    ack(h, 1, 1000); /* never sent */
    greet(h, 0, 1000);
    head_end_send_bytes(h, "GET / HTTP/1.1\r\n", 16);
    greet(h, 0, 1000);
    head_end_send_bytes(h, "\0\0\0\3\xff\xff\xff", 7);
    greet(h, 0, 1000);
    head_end_send(h, &hello); /* only gateways send frames */
    head_end_accept(h);
    head_end_expect(h, UPLINK_HELLO);
    ack(h, 0, 1000); /* before Welcome */
    greet(h, 0, 1000);
}

static bool is_up_five_times(void)
{
    return ups == 5;
}

START_TEST(a_head_end_that_breaks_the_protocol_is_left)
{
    run(script_nonsense, is_up_five_times);
    ck_assert_uint_eq(downs, 5);
}
END_TEST

static void script_no_tls(struct head_end *h, void *arg)
{
    (void)arg;
    head_end_accept_silent(h);
    head_end_close(h);
    head_end_accept_silent(h);
    greet(h, 0, 0);
}

static bool is_up(void)
{
    return ups == 1;
}

START_TEST(a_connection_that_breaks_early_is_tried_again)
{
    run(script_no_tls, is_up);
    ck_assert_uint_ge(downs, 1);
}
END_TEST

static uint8_t first_id[UPLINK_SPOOL_ID_LEN];

static void script_set_back(struct head_end *h, void *arg)
{
    (void)arg;
    head_end_accept(h);
    struct uplink_hello hello = head_end_expect(h, UPLINK_HELLO).u.hello;
    memcpy(first_id, hello.spool_id, sizeof first_id);
    welcome(h, 500, 1000); /* knows more than the spool ever gave */
    head_end_accept(h);
    hello = head_end_expect(h, UPLINK_HELLO).u.hello;
    ck_assert_mem_ne(hello.spool_id, first_id, sizeof first_id);
    ck_assert_uint_eq(hello.next_seq, 6);
    welcome(h, 0, 1000);
    head_end_expect(h, UPLINK_LOG);
    expect_frames(h, 1, 5);
    ack(h, 5, 1000);
}

START_TEST(a_spool_that_was_set_back_gets_a_new_identity)
{
    submit(1, 5);
    run(script_set_back, all_acknowledged);
}
END_TEST

static void script_ping(struct head_end *h, void *arg)
{
    struct uplink_message m = { .kind = UPLINK_PING, .u.nonce = 77 };

    (void)arg;
    greet(h, 0, 0);
    head_end_send(h, &m);
    ck_assert_uint_eq(head_end_expect(h, UPLINK_PONG).u.nonce, 77);
}

START_TEST(ping_is_answered_without_any_credit)
{
    run(script_ping, NULL);
}
END_TEST

static void script_idle(struct head_end *h, void *arg)
{
    struct uplink_message m = { .kind = UPLINK_WELCOME };

    (void)arg;
    head_end_accept(h);
    head_end_expect(h, UPLINK_HELLO);
    m.u.welcome = (struct uplink_welcome){ .version = 1, .idle_ms = 3000 };
    head_end_send(h, &m);
    head_end_expect(h, UPLINK_PING);
    head_end_expect(h, UPLINK_PING);
    greet(h, 0, 0); /* it gives a silent head-end up */
}

START_TEST(a_silent_head_end_is_pinged_and_given_up)
{
    run(script_idle, NULL);
}
END_TEST

START_TEST(another_server_is_not_trusted)
{
    char other[80], from[128], to[128];
    char *pem = NULL;
    size_t len = 0;

    /* The root of somebody else in the place of ours. */
    snprintf(other, sizeof other, "%s-other", dir);
    ck_assert_int_eq(file_mkdirs(other, 0700, NULL), EMT_OK);
    struct head_end *stranger = head_end_new(other);
    head_end_free(stranger);
    snprintf(from, sizeof from, "%s/ca.pem", other);
    snprintf(to, sizeof to, "%s/ca.pem", dir);
    ck_assert_int_eq(file_read(from, 65536, &pem, &len, NULL), EMT_OK);
    ck_assert_int_eq(file_write(to, pem, len, 0644, NULL), EMT_OK);
    free(pem);
    gateway_close(gateway);
    open_gateway();
    submit(1, 5);
    gateway_start(gateway, 0);
    for (unsigned i = 0; i < 100 && downs < 2; i++) {
        struct timeval tick = { 0, 20000 };
        event_base_loopexit(base, &tick);
        event_base_dispatch(base);
    }
    ck_assert_uint_eq(ups, 0);
    ck_assert_uint_eq(stats().acked_seq, 0);
    snprintf(from, sizeof from, "rm -r %s", other);
    ck_assert_int_eq(system(from), 0);
}
END_TEST

#define BACKLOG_FRAMES 400u
#define BACKLOG_LEN 16000u

static void script_thin_line(struct head_end *h, void *arg)
{
    uint64_t seen = 0;

    (void)arg;
    greet(h, 0, 100000000);
    while (seen < BACKLOG_FRAMES) {
        seen += head_end_expect(h, UPLINK_FRAMES).u.frames.nframes;
        usleep(5000);
    }
    ack(h, BACKLOG_FRAMES, 100000000);
}

/* As over a mobile network: the kernel takes little at a time, so that something always waits. */
static void on_up_thin(void *ctx)
{
    int least = 4096;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
            ntohs(peer.sin_port) == head_end_port(head))
            ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    }
    on_up(ctx);
}

/* Twice what the buffer of outgoing bytes may hold. */
START_TEST(a_long_backlog_passes_a_thin_line_in_one_session)
{
    struct gateway_options o = {
        .dir = dir, .base = base, .arena = arena, .spool_size = UINT64_C(16) << 20
    };
    static uint8_t data[BACKLOG_LEN];
    struct emt_diag diag = { 0 };
    char path[128];

    gateway_close(gateway);
    snprintf(path, sizeof path, "%s/spool", dir);
    ck_assert_int_eq(unlink(path), 0);
    o.events.up = on_up_thin;
    o.events.down = on_down;
    ck_assert_msg(gateway_open(&o, &gateway, &diag) == EMT_OK, "%s", diag.text);
    for (unsigned n = 1; n <= BACKLOG_FRAMES; n++) {
        struct spool_frame f = {
            .received_at = n, .protocol = 1, .format = 1, .data = data, .len = sizeof data
        };
        ck_assert_int_eq(gateway_submit(gateway, &f), EMT_OK);
    }
    run(script_thin_line, all_acknowledged);
    ck_assert_msg(downs == 0, "%s", last_reason);
    ck_assert_uint_eq(stats().acked_seq, BACKLOG_FRAMES);
}
END_TEST

/* ---- a new certificate ---- */

static char serial_before[65], serial_after[65];

/* Welcome of a head-end by whose clock the certificate's last hours have come. */
static void greet_late(struct head_end *h)
{
    static const char *const capabilities[] = { "gap", "certificate" };
    struct uplink_message m = { .kind = UPLINK_WELCOME };

    head_end_accept(h);
    head_end_expect(h, UPLINK_HELLO);
    m.u.welcome = (struct uplink_welcome){ .version = UPLINK_VERSION,
                                           .credit_bytes = 100000,
                                           .capabilities = capabilities,
                                           .ncapabilities = 2,
                                           .server_time = clock_now() + 20 * EMT_HOUR };
    head_end_send(h, &m);
}

static void issue(struct head_end *h)
{
    struct uplink_certificate_request q =
        head_end_expect(h, UPLINK_CERTIFICATE_REQUEST).u.certificate_request;
    struct uplink_message m = { .kind = UPLINK_CERTIFICATE_ISSUED };
    struct writer chain;

    writer_init_heap(&chain, 65536);
    head_end_certify(h, (const char *)q.csr, q.len, &chain);
    m.u.certificate_issued.chain = chain.data;
    m.u.certificate_issued.len = chain.len;
    head_end_send(h, &m);
    writer_release(&chain);
}

static void script_renewal(struct head_end *h, void *arg)
{
    (void)arg;
    greet_late(h);
    snprintf(serial_before, sizeof serial_before, "%s", head_end_peer_serial(h));
    issue(h);
    head_end_close(h); /* it dials again by itself */
    greet_late(h);
    snprintf(serial_after, sizeof serial_after, "%s", head_end_peer_serial(h));
}

static void read_leaf(struct leaf_info *out)
{
    char path[128];
    char *pem = NULL;
    size_t n = 0;

    snprintf(path, sizeof path, "%s/gateway.pem", dir);
    ck_assert_int_eq(file_read(path, 65536, &pem, &n, NULL), EMT_OK);
    ck_assert_int_eq(certificate_info(pem, n, out, NULL), EMT_OK);
    free(pem);
}

static bool ready_twice(void)
{
    return ups == 2;
}

START_TEST(a_certificate_near_its_end_is_replaced_and_used_at_once)
{
    struct leaf_info leaf;
    char path[128];

    run(script_renewal, ready_twice);
    ck_assert_str_ne(serial_before, serial_after);
    read_leaf(&leaf);
    ck_assert_str_eq(leaf.serial, serial_after);
    snprintf(path, sizeof path, "%s/gateway.pem.renewed", dir);
    ck_assert_int_ne(access(path, F_OK), 0);
    gateway_close(gateway); /* what lies there serves after a restart */
    open_gateway();
}
END_TEST

static void script_foreign(struct head_end *h, void *arg)
{
    struct uplink_message m = { .kind = UPLINK_CERTIFICATE_ISSUED };
    struct writer key, csr, chain;

    (void)arg;
    greet_late(h);
    snprintf(serial_before, sizeof serial_before, "%s", head_end_peer_serial(h));
    head_end_expect(h, UPLINK_CERTIFICATE_REQUEST);
    /* A certificate, but for another key. */
    writer_init_heap(&key, 65536);
    writer_init_heap(&csr, 65536);
    writer_init_heap(&chain, 65536);
    ck_assert_int_eq(csr_new(KEY_P256, "gateway", &key, &csr, NULL), EMT_OK);
    head_end_certify(h, (const char *)csr.data, csr.len, &chain);
    m.u.certificate_issued.chain = chain.data;
    m.u.certificate_issued.len = chain.len;
    head_end_send(h, &m);
    m.u.certificate_issued = (struct uplink_certificate_issued){ NULL, 0, "unasked", 0 };
    head_end_send(h, &m);
    head_end_expect_silence(h, 200);
    writer_release(&key);
    writer_release(&csr);
    writer_release(&chain);
}

START_TEST(a_certificate_for_another_key_changes_nothing)
{
    struct leaf_info leaf;

    run(script_foreign, NULL);
    read_leaf(&leaf);
    ck_assert_str_eq(leaf.serial, serial_before);
    ck_assert_uint_eq(downs, 0);
}
END_TEST

static void script_old_head_end(struct head_end *h, void *arg)
{
    (void)arg;
    greet(h, 0, 100000);
    head_end_expect_silence(h, 1500);
}

START_TEST(a_head_end_that_does_not_offer_it_is_not_asked)
{
    run(script_old_head_end, NULL);
    ck_assert_uint_eq(downs, 0);
}
END_TEST

/* The pair that a killed agent left: written, and nothing or only the key replaced since. */
static void leave_pair(struct leaf_info *leaf, bool key_replaced, bool whole)
{
    struct writer key, csr, pair;
    char path[128];

    gateway_close(gateway);
    gateway = NULL;
    writer_init_heap(&key, 65536);
    writer_init_heap(&csr, 65536);
    writer_init_heap(&pair, 131072);
    ck_assert_int_eq(csr_new(KEY_P256, "gateway", &key, &csr, NULL), EMT_OK);
    head_end_certify(head, (const char *)csr.data, csr.len, &pair);
    ck_assert_int_eq(certificate_info((const char *)pair.data, pair.len, leaf, NULL), EMT_OK);
    if (whole)
        writer_bytes(&pair, key.data, key.len);
    snprintf(path, sizeof path, "%s/gateway.pem.renewed", dir);
    ck_assert_int_eq(file_write(path, pair.data, pair.len, 0600, NULL), EMT_OK);
    snprintf(path, sizeof path, "%s/gateway.key", dir);
    if (key_replaced)
        ck_assert_int_eq(file_write(path, key.data, key.len, 0600, NULL), EMT_OK);
    writer_release(&key);
    writer_release(&csr);
    writer_release(&pair);
}

START_TEST(an_interrupted_replacement_is_finished_at_the_next_start)
{
    struct leaf_info expected, leaf;

    leave_pair(&expected, _i == 1, true);
    open_gateway();
    read_leaf(&leaf);
    ck_assert_str_eq(leaf.serial, expected.serial);
}
END_TEST

START_TEST(a_pair_without_its_key_is_put_aside)
{
    struct leaf_info useless, before, leaf;
    char path[128];

    read_leaf(&before);
    leave_pair(&useless, false, false);
    open_gateway();
    read_leaf(&leaf);
    ck_assert_str_eq(leaf.serial, before.serial);
    snprintf(path, sizeof path, "%s/gateway.pem.renewed.damaged", dir);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent_uplink_client");
    TCase *t = tcase_create("uplink");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, frames_arrive_in_order_and_are_acknowledged);
    tcase_add_test(t, a_certificate_near_its_end_is_replaced_and_used_at_once);
    tcase_add_test(t, a_certificate_for_another_key_changes_nothing);
    tcase_add_test(t, a_head_end_that_does_not_offer_it_is_not_asked);
    tcase_add_loop_test(t, an_interrupted_replacement_is_finished_at_the_next_start, 0, 2);
    tcase_add_test(t, a_pair_without_its_key_is_put_aside);
    tcase_add_test(t, after_a_lost_connection_the_rest_is_sent_again);
    tcase_add_test(t, a_head_end_that_went_back_gets_acknowledged_frames_again);
    tcase_add_test(t, frames_keep_within_the_credit);
    tcase_add_test(t, a_frame_larger_than_the_credit_goes_alone);
    tcase_add_test(t, what_was_given_up_is_announced);
    tcase_add_test(t, rejected_frames_are_not_owed_any_more);
    tcase_add_test(t, commands_are_carried_out_once);
    tcase_add_test(t, results_survive_the_process);
    tcase_add_test(t, bye_says_when_to_come_back);
    tcase_add_test(t, a_head_end_that_breaks_the_protocol_is_left);
    tcase_add_test(t, a_connection_that_breaks_early_is_tried_again);
    tcase_add_test(t, a_spool_that_was_set_back_gets_a_new_identity);
    tcase_add_test(t, ping_is_answered_without_any_credit);
    tcase_add_test(t, a_silent_head_end_is_pinged_and_given_up);
    tcase_add_test(t, another_server_is_not_trusted);
    tcase_add_test(t, a_long_backlog_passes_a_thin_line_in_one_session);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
