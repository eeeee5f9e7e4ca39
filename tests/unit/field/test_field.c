/* The whole field channel against a real PostgreSQL: TLS on loopback, messages by hand. */
#include "base/cipher.h"
#include "base/file.h"
#include "base/log.h"
#include "field/field.h"
#include "gateway_client.h"
#include "loop/metrics.h"
#include "pg_fixture.h"
#include "pki_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NODE 4711

static struct pg_fixture *pg;
static struct test_pki pki;
static struct test_leaf server_leaf;
static struct tls_context *tls12, *tls13;
static struct metrics *metrics;
static struct field *field;
static char state_dir[64];
static int32_t alpha;

static struct tls_context *context(enum tls_profile profile, const struct test_leaf *leaf)
{
    struct tls_context *ctx = NULL;
    struct emt_diag diag = { 0 };
    struct tls_settings s = { .profile = profile,
                              .trust = pki.trust,
                              .chain_pem = (const char *)leaf->chain.data,
                              .chain_len = leaf->chain.len,
                              .key_pem = (const char *)leaf->key.data,
                              .key_len = leaf->key.len,
                              .session_cache = 100,
                              .session_age_ms = 3600000 };

    ck_assert_msg(tls_context_new(&s, &ctx, &diag) == EMT_OK, "%s", diag.text);
    return ctx;
}

static void prepare(void)
{
    pg_fixture_sql(pg, "select partitions_ensure(now(), 62);"
                       "insert into node (id, name, version, lease_until)"
                       " values (4711, 'test', '0', now() + interval '1 day')");
}

static void start(struct field_settings *s)
{
    static const char *const listen12[] = { "127.0.0.1:0", "[::1]:0" };
    static const char *const listen13[] = { "127.0.0.1:0" };
    struct emt_diag diag = { 0 };

    s->listen12 = listen12;
    s->nlisten12 = 2;
    s->listen13 = listen13;
    s->nlisten13 = 1;
    s->tls12 = tls12;
    s->tls13 = tls13;
    s->trust = pki.trust;
    s->loops = 2;
    s->handshakes = 2;
    s->conninfo = pg_fixture_conninfo(pg);
    s->node_id = NODE;
    s->state_dir = state_dir;
    s->metrics = metrics;
    ck_assert_int_eq(seal_key_make(&s->master, 1), EMT_OK);
    ck_assert_msg(field_start(s, &field, &diag) == EMT_OK, "%s", diag.text);
}

static void setup(void)
{
    char key[32];

    snprintf(state_dir, sizeof state_dir, "/tmp/emt-test-field-%d", (int)getpid());
    ck_assert_int_eq(file_mkdirs(state_dir, 0700, NULL), EMT_OK);
    metrics = metrics_new();
    test_pki_init(&pki);
    test_leaf_server(&server_leaf, pki.servers, KEY_P256, "localhost");
    tls12 = context(TLS_PROFILE_FIELD_12, &server_leaf);
    tls13 = context(TLS_PROFILE_FIELD_13, &server_leaf);
    /* The tests share one database: what a test before left under the name is renamed. */
    snprintf(key, sizeof key, "was-%d", (int)getpid());
    char sql[200];
    snprintf(sql, sizeof sql, "update tenant set key = '%s' where key = 'alpha'", key);
    pg_fixture_sql(pg, sql);
    alpha = pg_fixture_tenant(pg, "alpha");
}

static void scratch_remove(const char *dir)
{
    char path[128];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/ingest-%d.scratch", dir, i);
        (void)!unlink(path);
    }
    (void)!rmdir(dir);
}

static void teardown(void)
{
    field_stop(field, 3000);
    field = NULL;
    tls_context_unref(tls12);
    tls_context_unref(tls13);
    test_leaf_release(&server_leaf);
    test_pki_release(&pki);
    metrics_free(metrics);
    scratch_remove(state_dir);
}

/* First column of the first row. */
static int64_t EMT_PRINTF(1, 2) number(const char *fmt, ...)
{
    char sql[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    return pg_fixture_number(pg, sql);
}

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
}

#define eventually(fmt, a, expected)                                                               \
    do {                                                                                           \
        for (int i_ = 0; i_ < 500 && number(fmt, a) != (expected); i_++)                           \
            nap();                                                                                 \
        ck_assert_int_eq(number(fmt, a), expected);                                                \
    } while (0)

static int64_t counter(const char *name, const char *labels)
{
    return metric_get(metrics_counter(metrics, name, labels, ""));
}

static void hex(char out[65], const uint8_t p[32])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* A gateway with a certificate, known to the database. Returns its id. */
struct gateway {
    int64_t id;
    struct test_leaf leaf;
    struct tls_context *ctx;
    char fingerprint[65];
};

static void gateway_make(struct gateway *g, const char *name, bool known)
{
    char sql[800];

    test_leaf_gateway(&g->leaf, pki.alpha, KEY_P256, "alpha", name, clock_now(), 30 * EMT_DAY);
    g->ctx = context(TLS_PROFILE_AGENT, &g->leaf);
    hex(g->fingerprint, g->leaf.info.fingerprint);
    if (!known)
        return;
    snprintf(sql, sizeof sql,
             "insert into gateway (tenant_id, external_id, state) values (%d, '%s', 1)", alpha,
             name);
    pg_fixture_sql(pg, sql);
    g->id =
        number("select max(gateway_id) from gateway where tenant_id = %" PRId64, (int64_t)alpha);
    snprintf(sql, sizeof sql,
             "insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial,"
             " not_before, not_after) values (%d, '\\x%s', %" PRId64
             ", '1', now(), now() + interval '30 days');"
             "insert into directory values (1, '\\x%s', %d, %" PRId64 ")",
             alpha, g->fingerprint, g->id, g->fingerprint, alpha, g->id);
    pg_fixture_sql(pg, sql);
}

static void gateway_release(struct gateway *g)
{
    tls_context_unref(g->ctx);
    test_leaf_release(&g->leaf);
}

static void connect_from(struct gateway_client *c, const struct gateway *g, const char *from)
{
    ck_assert_int_eq(client_open(c, g->ctx, "127.0.0.1", field_port12(field, 0), from), EMT_OK);
}

/* Connected and welcomed. */
static void join(struct gateway_client *c, const struct gateway *g, struct uplink_message *welcome)
{
    struct uplink_message m;

    connect_from(c, g, NULL);
    client_hello(c, 1);
    client_expect(c, UPLINK_WELCOME, welcome ? welcome : &m);
}

#define STORED "select count(*) from raw_frame where gateway_id = %" PRId64

START_TEST(frames_are_acknowledged_after_their_commit)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-ack", true);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.version, 1);
    ck_assert_uint_eq(m.u.welcome.last_seq, 0);
    ck_assert_uint_eq(m.u.welcome.epoch, 1);
    ck_assert_uint_gt(m.u.welcome.credit_bytes, 16384);
    client_frames(&c, 1, 10, 50);
    client_expect_ack(&c, 10);
    ck_assert_uint_eq(field_sessions(field), 1);
    ck_assert_int_eq(number(STORED, g.id), 10);
    ck_assert_int_eq(
        number("select last_seq from gateway_cursor where gateway_id = %" PRId64, g.id), 10);
    ck_assert_int_eq(number("select count(*) from gateway where software = 'test 1.0'"
                            " and serial = '4711' and gateway_id = %" PRId64,
                            g.id),
                     1);
    ck_assert_int_eq(number("select count(*) from gateway_session where state = 0 and epoch = 1"
                            " and node_id = 4711 and peer = '127.0.0.1' and tls = 'TLSv1.2'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    eventually("select count(*) from gateway_session where state = 1 and reason like 'peer-%%'"
               " and gateway_id = %" PRId64,
               g.id, 1);
    for (int i = 0; i < 200 && field_sessions(field) > 0; i++)
        nap();
    ck_assert_uint_eq(field_sessions(field), 0);
    ck_assert_int_eq(counter("emt_field_frames_total", NULL), 10);
    gateway_release(&g);
}
END_TEST

START_TEST(a_spool_resumes_where_it_was_committed)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-resume", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 10, 50);
    client_expect_ack(&c, 10);
    client_close(&c);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 10);
    ck_assert_uint_eq(m.u.welcome.epoch, 2);
    client_frames(&c, 8, 5, 50); /* three of them again */
    client_expect_ack(&c, 12);
    ck_assert_int_eq(number(STORED, g.id), 12);
    client_close(&c);
    /* Another spool of the same gateway starts anew. */
    connect_from(&c, &g, NULL);
    client_hello(&c, 2);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 0);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(the_second_connection_wins)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client first, second;

    start(&s);
    gateway_make(&g, "gw-twice", true);
    /* Several times, so that both loops are met. */
    join(&first, &g, NULL);
    for (unsigned i = 0; i < 6; i++) {
        join(&second, &g, NULL);
        client_expect_bye(&first, "superseded");
        client_close(&first);
        client_frames(&second, i + 1, 1, 50);
        client_expect_ack(&second, i + 1);
        first = second;
    }
    ck_assert_uint_eq(field_sessions(field), 1);
    ck_assert_int_eq(number(STORED, g.id), 6);
    client_close(&first);
    gateway_release(&g);
}
END_TEST

START_TEST(a_session_that_lost_its_epoch_elsewhere_is_fenced)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    char sql[300];

    start(&s);
    gateway_make(&g, "gw-fenced", true);
    join(&c, &g, NULL);
    /* What a claim on another node does. */
    snprintf(sql, sizeof sql,
             "update gateway_session set epoch = 9, node_id = 1 where gateway_id = %" PRId64
             "; update gateway_cursor set epoch = 9 where gateway_id = %" PRId64,
             g.id, g.id);
    pg_fixture_sql(pg, sql);
    client_frames(&c, 1, 1, 50);
    client_expect_bye(&c, "superseded");
    ck_assert_int_eq(number(STORED, g.id), 0);
    client_close(&c);
    /* Its end does not touch the other's session. */
    for (int i = 0; i < 150; i++)
        nap();
    ck_assert_int_eq(number("select state from gateway_session where gateway_id = %" PRId64, g.id),
                     0);
    gateway_release(&g);
}
END_TEST

START_TEST(a_revoked_certificate_ends_its_session_and_gets_no_other)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    char sql[300];

    start(&s);
    gateway_make(&g, "gw-revoked", true);
    join(&c, &g, NULL);
    snprintf(sql, sizeof sql,
             "update gateway_certificate set revoked_at = now() where gateway_id = %" PRId64, g.id);
    pg_fixture_sql(pg, sql);
    field_wake(field);
    client_expect_bye(&c, "revoked");
    client_close(&c);
    /* Resuming, the client believes to be done before the server has looked. */
    if (client_open(&c, g.ctx, "127.0.0.1", field_port12(field, 0), NULL) == EMT_OK) {
        struct uplink_message m;
        ck_assert(!client_next(&c, &m, 5000));
    }
    client_close(&c);
    for (int i = 0; i < 200 && counter("emt_field_handshakes_total", "result=\"revoked\"") == 0;
         i++)
        nap();
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"revoked\""), 1);
    ck_assert_int_eq(counter("emt_field_closed_total", "reason=\"revoked\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(who_is_not_known_or_not_this_tenants_is_refused)
{
    struct field_settings s = { 0 };
    struct gateway g, other;
    struct gateway_client c;
    char sql[300];

    start(&s);
    gateway_make(&g, "gw-unknown", false);
    connect_from(&c, &g, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "unknown-certificate");
    client_close(&c);
    gateway_release(&g);

    /* The directory says one gateway, the certificate another. */
    gateway_make(&other, "gw-other", true);
    snprintf(sql, sizeof sql,
             "update gateway set external_id = 'gw-renamed' where gateway_id = %" PRId64, other.id);
    pg_fixture_sql(pg, sql);
    connect_from(&c, &other, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "wrong-tenant");
    client_close(&c);
    ck_assert_int_eq(
        number("select count(*) from gateway_session where gateway_id = %" PRId64, other.id), 0);

    snprintf(sql, sizeof sql, "update tenant set state = 1 where id = %d", alpha);
    pg_fixture_sql(pg, sql);
    connect_from(&c, &other, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "tenant-suspended");
    client_close(&c);
    gateway_release(&other);
}
END_TEST

START_TEST(frames_beyond_the_credit_and_long_messages_end_the_session)
{
    struct field_settings s = { .budget_bytes = 1 << 20 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-greedy", true);
    join(&c, &g, &m);
    ck_assert_uint_lt(m.u.welcome.credit_bytes, 500000);
    client_frames(&c, 1, 60, 16000);
    client_expect_bye(&c, "credit-exceeded");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x10\x00\x01", 4); /* 1 MiB and one byte */
    client_expect_bye(&c, "message-too-long");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x00\x00\x00", 4);
    client_expect_bye(&c, "unreadable");
    client_close(&c);

    join(&c, &g, NULL);
    client_send_bytes(&c, "\x00\x00\x00\x03\xff\xff\xff", 7);
    client_expect_bye(&c, "unreadable");
    client_close(&c);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"credit\""), 1);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"message\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(a_long_frame_is_rejected_and_the_others_live)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_frame f[3];
    static uint8_t data[UPLINK_FRAME_MAX + 1];
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { f, 2 } };

    start(&s);
    gateway_make(&g, "gw-long", true);
    join(&c, &g, NULL);
    for (unsigned i = 0; i < 2; i++)
        f[i] = (struct uplink_frame){ .seq = 1 + i,
                                      .received_at = clock_now(),
                                      .protocol = i ? 999 : PROTOCOL_WMBUS,
                                      .data = data,
                                      .len = 30 };
    client_send(&c, &m);
    client_expect(&c, UPLINK_ACK, &m);
    ck_assert_uint_eq(m.u.ack.up_to, 2);
    ck_assert_uint_eq(m.u.ack.nrejected, 1);
    ck_assert_uint_eq(m.u.ack.rejected[0].seq, 2);
    client_frames(&c, 3, 1, 30);
    client_expect_ack(&c, 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(no_hello_in_time_ends)
{
    struct field_settings s = { .hello_ms = 300 };
    struct gateway g;
    struct gateway_client c;

    start(&s);
    gateway_make(&g, "gw-mute", true);
    connect_from(&c, &g, NULL);
    client_expect_bye(&c, "no-hello");
    client_close(&c);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"hello\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(silence_is_asked_and_then_ends)
{
    struct field_settings s = { .idle_ms = 400 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-idle", true);
    join(&c, &g, &m);
    ck_assert_uint_eq(m.u.welcome.idle_ms, 400);
    ck_assert(client_next(&c, &m, 5000));
    ck_assert_int_eq(m.kind, UPLINK_PING);
    client_expect_bye(&c, "idle");
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(an_old_session_is_sent_away_and_may_come_back)
{
    struct field_settings s = { .session_age_ms = 300 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-old", true);
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_BYE, &m);
    ck_assert_str_eq(m.u.bye.reason, "session-age");
    ck_assert_uint_le(m.u.bye.retry_after_ms, 5000);
    /* What was sent before the Bye was read is still acknowledged. */
    client_frames(&c, 1, 2, 50);
    client_expect_ack(&c, 2);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(status_log_and_gap_reach_the_database)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    const struct uplink_metric metric = { "modem \"1\"", -71 };
    struct uplink_message m = { .kind = UPLINK_STATUS };

    start(&s);
    gateway_make(&g, "gw-status", true);
    join(&c, &g, NULL);
    m.u.status = (struct uplink_status){ .at = clock_now(),
                                         .uptime_s = 5,
                                         .metrics = &metric,
                                         .nmetrics = 1,
                                         .spool_bytes = UINT64_MAX };
    client_send(&c, &m);
    m.u.status.uptime_s = 77;
    client_send(&c, &m);
    m = (struct uplink_message){ .kind = UPLINK_LOG };
    m.u.log = (struct uplink_log){ clock_now(), 4, "the modem is slow" };
    for (int i = 0; i < 70; i++)
        client_send(&c, &m);
    m = (struct uplink_message){ .kind = UPLINK_GAP, .u.gap = { 1, 5, "overwritten" } };
    client_send(&c, &m);
    client_expect_ack(&c, 5);
    eventually("select uptime_s from gateway_status where spool_bytes = 9223372036854775807"
               " and metrics ->> 'modem \"1\"' = '-71' and gateway_id = %" PRId64,
               g.id, 77);
    eventually("select count(*) from gateway_log where level = 4 and gateway_id = %" PRId64, g.id,
               60);
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"log-lines\""), 10);
    ck_assert_int_eq(number("select to_seq from gateway_gap where gateway_id = %" PRId64, g.id), 5);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

static void command_insert(const struct gateway *g, uint8_t key, const char *name,
                           const char *arguments)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "insert into command (tenant_id, gateway_id, idempotency_key, name, arguments)"
             " values (%d, %" PRId64 ", '\\x%02x0102030405060708090a0b0c0d0e0f', '%s', '%s')",
             alpha, g->id, key, name, arguments);
    pg_fixture_sql(pg, sql);
}

START_TEST(commands_are_delivered_until_a_result_came)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m, r = { .kind = UPLINK_COMMAND_RESULT };

    start(&s);
    gateway_make(&g, "gw-command", true);
    join(&c, &g, NULL);
    command_insert(&g, 1, "resend", "{\"from\": \"1\", \"to\": 5}");
    command_insert(&g, 2, "ping", "{}");
    field_wake(field);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "resend");
    ck_assert_uint_eq(m.u.command.narguments, 2);
    ck_assert_str_eq(m.u.command.arguments[1].name, "to");
    ck_assert_str_eq(m.u.command.arguments[1].value, "5");
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "ping");
    ck_assert_uint_eq(m.u.command.narguments, 0);
    memcpy(r.u.command_result.idempotency_key, m.u.command.idempotency_key, UPLINK_KEY_LEN);
    r.u.command_result.text = "pong";
    client_send(&c, &r);
    r.u.command_result.outcome = 1;
    r.u.command_result.text = "said twice";
    client_send(&c, &r);
    eventually("select count(*) from command where state = 2 and result = 'pong'"
               " and gateway_id = %" PRId64,
               g.id, 1);
    ck_assert_int_eq(
        number("select count(*) from command where state = 1 and gateway_id = %" PRId64, g.id), 1);
    client_close(&c);
    /* No result for the first: the next session gets it again, under its key. */
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_str_eq(m.u.command.name, "resend");
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(open_commands_of_a_gateway_are_bounded)
{
    struct field_settings s = { .commands = 2 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m, r = { .kind = UPLINK_COMMAND_RESULT };

    start(&s);
    gateway_make(&g, "gw-many-commands", true);
    for (uint8_t i = 1; i <= 3; i++)
        command_insert(&g, i, "ping", "{}");
    join(&c, &g, NULL);
    client_expect(&c, UPLINK_COMMAND, &m);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 2);
    for (int i = 0; i < 500 && counter("emt_field_limit_total", "limit=\"commands\"") == 0; i++)
        nap();
    ck_assert_int_gt(counter("emt_field_limit_total", "limit=\"commands\""), 0);
    ck_assert_int_eq(counter("emt_field_commands_sent_total", NULL), 2);
    memcpy(r.u.command_result.idempotency_key, m.u.command.idempotency_key, UPLINK_KEY_LEN);
    client_send(&c, &r);
    client_expect(&c, UPLINK_COMMAND, &m);
    ck_assert_uint_eq(m.u.command.idempotency_key[0], 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(commands_past_their_time_are_not_sent)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    start(&s);
    gateway_make(&g, "gw-late", true);
    command_insert(&g, 1, "ping", "{}");
    pg_fixture_sql(pg, "update command set expires_at = now() - interval '1 minute'");
    join(&c, &g, NULL);
    eventually("select state from command where gateway_id = %" PRId64, g.id, 4);
    ck_assert_int_eq(counter("emt_field_commands_sent_total", NULL), 0);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(one_identity_at_two_addresses_is_held)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;
    unsigned turns = 0;

    start(&s);
    gateway_make(&g, "gw-clone", true);
    for (;; turns++) {
        ck_assert_uint_lt(turns, 12);
        connect_from(&c, &g, turns % 2 ? "127.0.0.2" : "127.0.0.1");
        client_hello(&c, 1);
        ck_assert(client_next(&c, &m, 5000));
        if (m.kind == UPLINK_BYE)
            break;
        ck_assert_int_eq(m.kind, UPLINK_WELCOME);
        client_close(&c);
    }
    ck_assert_str_eq(m.u.bye.reason, "clone");
    /* To the second address and back is the first turn; five are borne. */
    ck_assert_uint_eq(turns, 7);
    client_close(&c);
    for (int i = 0; i < 2; i++) {
        connect_from(&c, &g, i ? "127.0.0.2" : "127.0.0.1");
        client_hello(&c, 1);
        client_expect_bye(&c, "clone");
        client_close(&c);
    }
    eventually("select count(*) from event where kind = 'clone' and severity = 2"
               " and gateway_id = %" PRId64,
               g.id, 1);
    gateway_release(&g);
}
END_TEST

START_TEST(tls_1_3_and_ipv6_serve_alike)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-other-ways", true);
    ck_assert_int_eq(client_open(&c, g.ctx, "127.0.0.1", field_port13(field, 0), NULL), EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    client_frames(&c, 1, 1, 50);
    client_expect_ack(&c, 1);
    ck_assert_int_eq(number("select count(*) from gateway_session where tls = 'TLSv1.3'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    ck_assert_int_eq(client_open(&c, g.ctx, "::1", field_port12(field, 1), NULL), EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_uint_eq(m.u.welcome.last_seq, 1);
    ck_assert_int_eq(
        number("select count(*) from gateway_session where peer = '::1' and gateway_id = %" PRId64,
               g.id),
        1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(a_peer_may_leave_at_any_moment)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    start(&s);
    gateway_make(&g, "gw-leaving", true);
    for (unsigned i = 0; i < 30; i++) {
        connect_from(&c, &g, NULL);
        if (i % 3 > 0)
            client_hello(&c, 1);
        if (i % 3 > 1)
            client_frames(&c, 1, 2, 100); /* before Welcome, unless we are quick */
        client_close(&c);
    }
    join(&c, &g, NULL);
    client_frames(&c, 3, 1, 50); /* behind what a quick one may have left */
    client_expect_ack(&c, 3);
    client_close(&c);
    for (int i = 0;
         i < 500 && metric_get(metrics_gauge(metrics, "emt_field_connections", NULL, "")) > 0; i++)
        nap();
    ck_assert_int_eq(metric_get(metrics_gauge(metrics, "emt_field_connections", NULL, "")), 0);
    /* A claim that nobody waited for any more is given back. */
    eventually("select state from gateway_session where gateway_id = %" PRId64, g.id, 1);
    gateway_release(&g);
}
END_TEST

static void *stop_now(void *arg)
{
    field_stop(arg, 5000);
    return NULL;
}

START_TEST(stopping_says_bye_and_commits_what_it_has)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;
    uint64_t up_to = 0;
    pthread_t t;

    start(&s);
    gateway_make(&g, "gw-stop", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 200, 50);
    ck_assert_int_eq(pthread_create(&t, NULL, stop_now, field), 0);
    bool bye = false;
    while (client_next(&c, &m, 8000)) {
        if (m.kind == UPLINK_ACK)
            up_to = m.u.ack.up_to;
        bye = bye || (m.kind == UPLINK_BYE && strcmp(m.u.bye.reason, "shutdown") == 0);
    }
    pthread_join(t, NULL);
    field = NULL;
    ck_assert(bye);
    ck_assert_int_eq(number(STORED, g.id), (int64_t)up_to);
    ck_assert_int_eq(number("select count(*) from gateway_session where state = 1"
                            " and reason = 'shutdown' and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(a_balancer_tells_the_gateways_address)
{
    static const char *const balancers[] = { "10.0.0.0/8", "127.0.0.1" };
    /* PROXY, IPv4 stream, 203.0.113.9:4711 to 192.0.2.1:7443, and an extension */
    static const uint8_t header[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                      0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x10,
                                      203,  0,    113,  9,    192,  0,    2,    1,
                                      0x12, 0x67, 0x1d, 0x13, 0x04, 0x00, 0x01, 0xff };
    struct field_settings s = { .proxy_from = balancers, .nproxy_from = 2 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;

    start(&s);
    gateway_make(&g, "gw-proxy", true);
    ck_assert_int_eq(
        client_open_behind(&c, g.ctx, "127.0.0.1", field_port12(field, 0), header, sizeof header),
        EMT_OK);
    client_hello(&c, 1);
    client_expect(&c, UPLINK_WELCOME, &m);
    ck_assert_int_eq(number("select count(*) from gateway_session where peer = '203.0.113.9'"
                            " and gateway_id = %" PRId64,
                            g.id),
                     1);
    client_close(&c);
    /* A balancer that says nothing of whom it speaks for is refused. */
    ck_assert_int_ne(client_open(&c, g.ctx, "127.0.0.1", field_port12(field, 0), NULL), EMT_OK);
    client_close(&c);
    for (int i = 0; i < 500 && counter("emt_field_handshakes_total", "result=\"proxy-header\"") < 1;
         i++)
        nap();
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"proxy-header\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(nobody_else_is_taken_for_a_balancer)
{
    static const char *const balancers[] = { "10.0.0.0/8" };
    static const uint8_t local[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                     0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00 };
    struct field_settings s = { .proxy_from = balancers, .nproxy_from = 1 };
    struct gateway g;
    struct gateway_client c;

    start(&s);
    gateway_make(&g, "gw-no-proxy", true);
    ck_assert_int_ne(
        client_open_behind(&c, g.ctx, "127.0.0.1", field_port12(field, 0), local, sizeof local),
        EMT_OK);
    client_close(&c);
    join(&c, &g, NULL);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

/* A certificate whose life of a year ends in so many days. */
static void age_certificate(const struct gateway *g, int days)
{
    char sql[300];

    snprintf(sql, sizeof sql,
             "update gateway_certificate set not_after = now() + interval '%d days',"
             " not_before = now() - interval '%d days' where fingerprint = '\\x%s'",
             days, 365 - days, g->fingerprint);
    pg_fixture_sql(pg, sql);
}

START_TEST(the_end_of_a_certificate_is_told_three_times)
{
    struct field_settings s = { 0 };
    struct gateway g;

    gateway_make(&g, "gw-ends", true);
    age_certificate(&g, 91);
    ck_assert_int_eq(number("select certificates_warn() + %d", 0), 0);
    age_certificate(&g, 89);
    start(&s); /* the node looks by itself */
    eventually(
        "select count(*) from event where kind = 'certificate-ends' and gateway_id = %" PRId64,
        g.id, 1);
    ck_assert_int_eq(number("select certificates_warn() + %d", 0), 0); /* once */
    age_certificate(&g, 29);
    ck_assert_int_eq(number("select certificates_warn() + %d", 0), 1);
    age_certificate(&g, 6);
    ck_assert_int_eq(number("select certificates_warn() + %d", 0), 1);
    ck_assert_int_eq(number("select certificates_warn() + %d", 0), 0);
    ck_assert_int_eq(number("select max(severity) from event where gateway_id = %" PRId64, g.id),
                     2);
    gateway_release(&g);
}
END_TEST

/* What the head-end answers to a request of this text. */
static void expect_no_certificate(struct gateway_client *c, const char *csr, const char *reason)
{
    struct uplink_message q = { .kind = UPLINK_CERTIFICATE_REQUEST }, a;

    q.u.certificate_request.csr = (const uint8_t *)csr;
    q.u.certificate_request.len = strlen(csr);
    client_send(c, &q);
    client_expect(c, UPLINK_CERTIFICATE_ISSUED, &a);
    ck_assert_uint_eq(a.u.certificate_issued.len, 0);
    ck_assert_str_eq(a.u.certificate_issued.reason, reason);
    ck_assert_uint_ge(a.u.certificate_issued.retry_after_ms, 60000);
}

START_TEST(who_gets_no_certificate_is_told_why_and_goes_on)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    char sql[400];

    start(&s);
    gateway_make(&g, "gw-greedy", true);
    join(&c, &g, NULL);
    ck_assert_int_eq(
        number("select count(*) from gateway_certificate where first_used_at is not null"
               " and gateway_id = %" PRId64,
               g.id),
        1);
    expect_no_certificate(&c, "no request at all", "no-authority"); /* this tenant has no CA */
    snprintf(
        sql, sizeof sql,
        "insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial,"
        " not_before, not_after) select %d, decode(repeat(lpad(to_hex(i), 2, '0'), 32), 'hex'),"
        " %" PRId64 ", 'unused', now(), now() + interval '1 day' from generate_series(1, 5) i",
        alpha, g.id);
    pg_fixture_sql(pg, sql);
    expect_no_certificate(&c, "one more", "too-often");
    ck_assert_int_eq(counter("emt_field_certificates_total", "result=\"refused\""), 2);
    client_frames(&c, 1, 3, 50);
    client_expect_ack(&c, 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

START_TEST(draining_sends_sessions_away_one_after_the_other)
{
    enum { N = 6 };
    struct field_settings s = { .drain_ms = 1200 };
    struct gateway g[N];
    struct gateway_client c[N];
    char name[32];
    int64_t began, ended;

    start(&s);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "gw-drain-%d", i);
        gateway_make(&g[i], name, true);
        join(&c[i], &g[i], NULL);
    }
    began = clock_mono_ms();
    field_drain(field);
    ended = clock_mono_ms();
    /* Each has its Bye, and the last did not leave with the first. */
    for (int i = 0; i < N; i++) {
        client_expect_bye(&c[i], "shutdown");
        client_close(&c[i]);
        gateway_release(&g[i]);
    }
    ck_assert_int_ge(ended - began, 300);
}
END_TEST

START_TEST(connections_beyond_the_cap_are_closed_and_counted)
{
    struct field_settings s = { .connections = 1 };
    int fds[8];

    start(&s);
    for (int i = 0; i < 8; i++)
        fds[i] = client_dial("127.0.0.1", field_port12(field, 0), NULL);
    for (int i = 0; i < 200 && counter("emt_field_limit_total", "limit=\"connections\"") < 6; i++)
        nap();
    /* One on each of the two loops at most. */
    ck_assert_int_ge(counter("emt_field_limit_total", "limit=\"connections\""), 6);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_lack_of_descriptors_pauses_accepting)
{
    struct field_settings s = { 0 };
    struct rlimit before, low;
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd, filled[512];
    unsigned n = 0;

    start(&s);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 100; i++) /* database connections and such are up */
        nap();
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    low = before;
    low.rlim_cur = (rlim_t)fd + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 512 && (filled[n] = dup(2)) >= 0)
        n++;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(field_port12(field, 0));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    for (int i = 0; i < 500 && counter("emt_field_limit_total", "limit=\"descriptors\"") == 0; i++)
        nap();
    ck_assert_int_eq(counter("emt_field_limit_total", "limit=\"descriptors\""), 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (n > 0)
        close(filled[--n]);
    /* The connection has waited in the backlog. */
    ck_assert_int_gt((int)send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 0);
    for (int i = 0; i < 500 && counter("emt_field_handshakes_total", "result=\"http\"") == 0; i++)
        nap();
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"http\""), 1);
    close(fd);
}
END_TEST

START_TEST(an_address_that_is_none_is_named)
{
    struct field_settings s = { .loops = 1,
                                .tls12 = tls12,
                                .trust = pki.trust,
                                .conninfo = pg_fixture_conninfo(pg),
                                .state_dir = state_dir,
                                .metrics = metrics,
                                .nlisten12 = 1 };
    static const char *const bad[] = { "7443",          "localhost:7443",
                                       "0.0.0.0:",      "0.0.0.0:65536",
                                       "::1:7443",      "[::1]",
                                       "[127.0.0.1]:1", "" };

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct emt_diag diag = { 0 };
        s.listen12 = &bad[i];
        ck_assert_int_eq(field_start(&s, &field, &diag), EMT_EMALFORMED);
        ck_assert_ptr_nonnull(strstr(diag.text, bad[i]));
    }
    field = NULL;
}
END_TEST

START_TEST(a_port_in_use_is_not_shared_silently)
{
    struct field_settings s = { 0 }, again;
    struct emt_diag diag = { 0 };
    struct field *second = NULL;
    char address[32], other_dir[80];
    const char *const listen[] = { address };

    start(&s);
    again = s;
    snprintf(address, sizeof address, "127.0.0.1:%u", field_port12(field, 0));
    again.listen12 = listen;
    again.nlisten12 = 1;
    again.nlisten13 = 0;
    again.state_dir = other_dir; /* the port is what stands in the way */
    snprintf(other_dir, sizeof other_dir, "%s/other", state_dir);
    ck_assert_int_eq(file_mkdirs(other_dir, 0700, NULL), EMT_OK);
    ck_assert_int_eq(field_start(&again, &second, &diag), EMT_EIO);
    ck_assert_msg(strstr(diag.text, "cannot listen on port") != NULL, "%s", diag.text);
    scratch_remove(other_dir);
}
END_TEST

START_TEST(sessions_outlive_the_database)
{
    struct field_settings s = { .hello_ms = 1500 };
    struct gateway g, late;
    struct gateway_client c, d;
    struct uplink_message m = { .kind = UPLINK_PING, .u.nonce = 99 };

    /* A server of this test's own, since it is taken down. */
    struct pg_fixture *shared = pg;
    pg = pg_fixture_start();
    prepare();
    pg_fixture_sql(
        pg, "alter database emt set synchronous_commit = on"); /* what is acknowledged stays */
    alpha = pg_fixture_tenant(pg, "alpha");
    start(&s);
    gateway_make(&g, "gw-outlives", true);
    gateway_make(&late, "gw-waits", true);
    join(&c, &g, NULL);
    client_frames(&c, 1, 3, 50);
    client_expect_ack(&c, 3);
    pg_fixture_crash(pg);
    client_frames(&c, 4, 3, 50);
    client_send(&c, &m);
    client_expect(&c, UPLINK_PONG, &m);
    ck_assert_uint_eq(m.u.nonce, 99);
    connect_from(&d, &late, NULL);
    client_hello(&d, 1);
    ck_assert(client_next(&d, &m, 5000));
    ck_assert_int_eq(m.kind, UPLINK_BYE);
    ck_assert_str_eq(m.u.bye.reason, "database");
    ck_assert_uint_ge(m.u.bye.retry_after_ms, 5000);
    client_close(&d);
    pg_fixture_restart(pg);
    client_expect_ack(&c, 6);
    ck_assert_int_eq(number(STORED, g.id), 6);
    /* A claim that waits is answered once the database is back. */
    connect_from(&d, &late, NULL);
    client_hello(&d, 1);
    client_expect(&d, UPLINK_WELCOME, &m);
    client_close(&d);
    client_close(&c);
    gateway_release(&g);
    gateway_release(&late);
    field_stop(field, 3000);
    field = NULL;
    pg_fixture_stop(pg);
    pg = shared;
}
END_TEST

int main(void)
{
    Suite *s = suite_create("field");
    TCase *c = tcase_create("field");
    SRunner *r;
    int failed;

    log_open("test_field", LOG_LEVEL_WARN, LOG_FORMAT_TEXT, 2);
    pg = pg_fixture_start();
    prepare();
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, frames_are_acknowledged_after_their_commit);
    tcase_add_test(c, a_spool_resumes_where_it_was_committed);
    tcase_add_test(c, the_second_connection_wins);
    tcase_add_test(c, a_session_that_lost_its_epoch_elsewhere_is_fenced);
    tcase_add_test(c, a_revoked_certificate_ends_its_session_and_gets_no_other);
    tcase_add_test(c, who_is_not_known_or_not_this_tenants_is_refused);
    tcase_add_test(c, frames_beyond_the_credit_and_long_messages_end_the_session);
    tcase_add_test(c, a_long_frame_is_rejected_and_the_others_live);
    tcase_add_test(c, no_hello_in_time_ends);
    tcase_add_test(c, silence_is_asked_and_then_ends);
    tcase_add_test(c, an_old_session_is_sent_away_and_may_come_back);
    tcase_add_test(c, status_log_and_gap_reach_the_database);
    tcase_add_test(c, commands_are_delivered_until_a_result_came);
    tcase_add_test(c, open_commands_of_a_gateway_are_bounded);
    tcase_add_test(c, commands_past_their_time_are_not_sent);
    tcase_add_test(c, one_identity_at_two_addresses_is_held);
    tcase_add_test(c, tls_1_3_and_ipv6_serve_alike);
    tcase_add_test(c, a_peer_may_leave_at_any_moment);
    tcase_add_test(c, stopping_says_bye_and_commits_what_it_has);
    tcase_add_test(c, a_balancer_tells_the_gateways_address);
    tcase_add_test(c, nobody_else_is_taken_for_a_balancer);
    tcase_add_test(c, the_end_of_a_certificate_is_told_three_times);
    tcase_add_test(c, who_gets_no_certificate_is_told_why_and_goes_on);
    tcase_add_test(c, draining_sends_sessions_away_one_after_the_other);
    tcase_add_test(c, connections_beyond_the_cap_are_closed_and_counted);
    tcase_add_test(c, a_lack_of_descriptors_pauses_accepting);
    tcase_add_test(c, an_address_that_is_none_is_named);
    tcase_add_test(c, a_port_in_use_is_not_shared_silently);
    tcase_add_test(c, sessions_outlive_the_database);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    pg_fixture_stop(pg);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
