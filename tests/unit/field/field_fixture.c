#include "field_fixture.h"

#include "base/file.h"
#include "base/log.h"
#include "loop/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NODE 4711

struct field_fixture node;

/* ---- the node ---- */

static struct tls_context *context(enum tls_profile profile, const struct test_leaf *leaf)
{
    struct tls_context *ctx = NULL;
    struct emt_diag diag = { 0 };
    struct tls_settings s = { .profile = profile,
                              .trust = node.pki.trust,
                              .chain_pem = (const char *)leaf->chain.data,
                              .chain_len = leaf->chain.len,
                              .key_pem = (const char *)leaf->key.data,
                              .key_len = leaf->key.len,
                              .session_cache = 100,
                              .session_age_ms = 3600000 };

    ck_assert_msg(tls_context_new(&s, &ctx, &diag) == EMT_OK, "%s", diag.text);
    return ctx;
}

void node_prepare(struct pg_fixture *pg)
{
    pg_fixture_sql(pg, "select partitions_ensure(now(), 62);"
                       "insert into node (id, name, version, lease_until)"
                       " values (4711, 'test', '0', now() + interval '1 day')");
}

void node_start(struct field_settings *s)
{
    static const char *const listen12[] = { "127.0.0.1:0", "[::1]:0" };
    static const char *const listen13[] = { "127.0.0.1:0" };
    struct emt_diag diag = { 0 };

    s->listen12 = listen12;
    s->nlisten12 = 2;
    s->listen13 = listen13;
    s->nlisten13 = 1;
    s->tls12 = node.tls12;
    s->tls13 = node.tls13;
    s->trust = node.pki.trust;
    s->loops = 2;
    s->handshakes = 2;
    s->conninfo = pg_fixture_conninfo(node.pg);
    s->node_id = NODE;
    s->state_dir = node.state_dir;
    s->metrics = node.metrics;
    ck_assert_int_eq(seal_key_make(&s->master, 1), EMT_OK);
    ck_assert_msg(field_start(s, &node.field, &diag) == EMT_OK, "%s", diag.text);
}

static void setup(void)
{
    snprintf(node.state_dir, sizeof node.state_dir, "/tmp/emt-test-field-%d", (int)getpid());
    ck_assert_int_eq(file_mkdirs(node.state_dir, 0700, NULL), EMT_OK);
    node.metrics = metrics_new();
    test_pki_init(&node.pki);
    test_leaf_server(&node.leaf, node.pki.servers, KEY_P256, "localhost");
    node.tls12 = context(TLS_PROFILE_FIELD_12, &node.leaf);
    node.tls13 = context(TLS_PROFILE_FIELD_13, &node.leaf);
    /* The tests share one database: what a test before left under the name is renamed. */
    change("update tenant set key = 'was-%d' where key = 'alpha'", (int)getpid());
    node.alpha = pg_fixture_tenant(node.pg, "alpha");
}

void scratch_remove(const char *dir)
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
    field_stop(node.field, 3000);
    node.field = NULL;
    tls_context_unref(node.tls12);
    tls_context_unref(node.tls13);
    test_leaf_release(&node.leaf);
    test_pki_release(&node.pki);
    metrics_free(node.metrics);
    scratch_remove(node.state_dir);
}

TCase *field_fixture_case(const char *name)
{
    TCase *c = tcase_create(name);

    log_open(name, LOG_LEVEL_WARN, LOG_FORMAT_TEXT, 2);
    node.pg = pg_fixture_start();
    node_prepare(node.pg);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    return c;
}

int field_fixture_run(TCase *c)
{
    Suite *s = suite_create("field");
    SRunner *r = srunner_create(s);
    int failed;

    suite_add_tcase(s, c);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    pg_fixture_stop(node.pg);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- what the database and the metrics say ---- */

void change(const char *fmt, ...)
{
    char sql[1000];
    va_list args;

    va_start(args, fmt);
    ck_assert_uint_lt((size_t)vsnprintf(sql, sizeof sql, fmt, args), sizeof sql);
    va_end(args);
    pg_fixture_sql(node.pg, sql);
}

int64_t number(const char *fmt, ...)
{
    char sql[400];
    va_list args;

    va_start(args, fmt);
    ck_assert_uint_lt((size_t)vsnprintf(sql, sizeof sql, fmt, args), sizeof sql);
    va_end(args);
    return pg_fixture_number(node.pg, sql);
}

int64_t counter(const char *name, const char *labels)
{
    return metric_get(metrics_counter(node.metrics, name, labels, ""));
}

void counter_await(const char *name, const char *labels, int64_t n)
{
    for (int i = 0; i < 500 && counter(name, labels) < n; i++)
        nap();
    ck_assert_int_ge(counter(name, labels), n);
}

void nap(void)
{
    nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
}

/* ---- gateways ---- */

static void hex(char out[65], const uint8_t p[32])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

void gateway_make(struct gateway *g, const char *name, bool known)
{
    test_leaf_gateway(&g->leaf, node.pki.alpha, KEY_P256, "alpha", name, clock_now(), 30 * EMT_DAY);
    g->ctx = context(TLS_PROFILE_AGENT, &g->leaf);
    hex(g->fingerprint, g->leaf.info.fingerprint);
    if (!known)
        return;
    change("insert into gateway (tenant_id, external_id, state) values (%d, '%s', 1)", node.alpha,
           name);
    g->id = number("select max(gateway_id) from gateway where tenant_id = %d", node.alpha);
    change("insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial,"
           " not_before, not_after) values (%d, '\\x%s', %" PRId64
           ", '1', now(), now() + interval '30 days');"
           "insert into directory values (1, '\\x%s', %d, %" PRId64 ")",
           node.alpha, g->fingerprint, g->id, g->fingerprint, node.alpha, g->id);
}

void gateway_release(struct gateway *g)
{
    tls_context_unref(g->ctx);
    test_leaf_release(&g->leaf);
}

void connect_from(struct gateway_client *c, const struct gateway *g, const char *from)
{
    ck_assert_int_eq(client_open(c, g->ctx, "127.0.0.1", field_port12(node.field, 0), from),
                     EMT_OK);
}

void join(struct gateway_client *c, const struct gateway *g, struct uplink_message *welcome)
{
    struct uplink_message m;

    connect_from(c, g, NULL);
    client_hello(c, 1);
    client_expect(c, UPLINK_WELCOME, welcome ? welcome : &m);
}
