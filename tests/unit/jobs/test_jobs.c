/* Jobs: frames that wait are decoded when what they wait for arrives, once; leases, failures,
 * retention. */
#include "base/clock.h"
#include "base/hex.h"
#include "delivery/delivery.h"
#include "jobs/jobs.h"
#include "rig.h"
#include "store/job_store.h"

#include <arpa/inet.h>
#include <check.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct jobs *start_jobs(unsigned workers)
{
    struct jobs_settings s = { .conninfo = pg_fixture_conninfo(rig_fixture),
                               .master = rig_master(),
                               .workers = workers };
    struct jobs *j = NULL;
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(jobs_start(&s, &j, &diag), EMT_OK);
    return j;
}

static void order(int32_t tenant, const char *dedupe, const char *payload)
{
    struct store *s = pg_fixture_store(rig_fixture, STORE_APP);

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(job_store_add(s, tenant, "replay", dedupe, payload, EMT_TIME_NONE), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    store_close(s);
}

static int64_t open_jobs(int32_t tenant)
{
    return rig_number(
        "select count(*) from job where tenant_id = %d and kind = 'replay' and state < 2", tenant);
}

static void wait_jobs(struct jobs *j, int32_t tenant)
{
    jobs_wake(j);
    for (int i = 0; i < 400 && open_jobs(tenant) > 0; i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    ck_assert_int_eq(open_jobs(tenant), 0);
}

static int64_t frames(int32_t tenant, int state)
{
    return rig_number("select count(*) from raw_frame where tenant_id = %d and state = %d", tenant,
                      state);
}

static int64_t readings(int32_t tenant)
{
    return rig_number("select count(*) from reading where tenant_id = %d", tenant);
}

/* n encrypted telegrams of one meter, each heard by two gateways a second apart. */
static void hear_twice(int32_t tenant, unsigned n, bool with_time)
{
    int64_t a = rig_gateway(tenant, "a", 1), b = rig_gateway(tenant, "b", 2);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t ta = rig_open(e, tenant, a, 1, 1, 0), tb = rig_open(e, tenant, b, 2, 1, 0);
    emt_time at = rig_noon(2);

    for (unsigned i = 1; i <= n; i++) {
        struct rig_telegram t = {
            .number = "10000001", .access = (uint8_t)i, .energy_wh = i, .key = key
        };

        if (with_time)
            t.at = at + i * EMT_MINUTE;
        ck_assert_int_eq(rig_send(e, tb, i, at + i * EMT_MINUTE + EMT_SECOND, &t), EMT_OK);
        ck_assert_int_eq(rig_send(e, ta, i, at + i * EMT_MINUTE, &t), EMT_OK);
    }
    rig_wait(e, ta, n);
    rig_wait(e, tb, n);
    rig_engine_free(e);
}

START_TEST(a_key_decodes_what_waited_for_it_once)
{
    enum { N = 600 }; /* more than one lot */
    int32_t tenant = rig_tenant("replay");
    struct jobs *j;
    char payload[64];

    hear_twice(tenant, N, false);
    ck_assert_int_eq(frames(tenant, 1), 2 * N);
    ck_assert_int_eq(readings(tenant), 0);
    rig_key(tenant, "EMT", "10000001", -1, -1, key);
    snprintf(payload, sizeof payload, "{\"device\": %" PRId64 "}",
             rig_number("select device_id from device where tenant_id = %d", tenant));
    order(tenant, "d", payload);
    order(tenant, "d", payload); /* is the same job */
    ck_assert_int_eq(open_jobs(tenant), 1);
    j = start_jobs(2);
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 0), N);
    ck_assert_int_eq(frames(tenant, 5), N);
    ck_assert_int_eq(readings(tenant), N);
    ck_assert_int_eq(
        rig_number("select sum(mantissa)::int8 from reading where tenant_id = %d", tenant),
        N * (N + 1) / 2);
    /* The first reception counts and gives the time. */
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading r join raw_frame f on f.tenant_id = r.tenant_id and f.received_at = r.ts and f.state = 0 where r.tenant_id = %d",
            tenant),
        N);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from raw_frame where tenant_id = %d and state = 0 and hash is not null and reason = ''",
            tenant),
        N);
    /* Once more changes nothing. */
    order(tenant, "d", payload);
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 0), N);
    ck_assert_int_eq(readings(tenant), N);
    jobs_stop(j);
}
END_TEST

START_TEST(a_wildcard_key_decodes_all_that_fits)
{
    int32_t tenant = rig_tenant("wild");
    struct jobs *j = start_jobs(1);
    uint8_t wrong[16] = { 7 };

    hear_twice(tenant, 5, true);
    rig_key(tenant, NULL, "10000001", -1, -1, wrong);
    order(tenant, NULL, "{\"state\": \"key-needed\"}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 1), 0);
    ck_assert_int_eq(frames(tenant, 2), 10); /* a key, the wrong one */
    rig_key(tenant, "EMT", NULL, 1, 2, key);
    order(tenant, NULL,
          "{\"state\": \"key-needed\", \"manufacturer\": \"XYZ\"}"); /* somebody else's */
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 2), 10);
    order(tenant, NULL, "{\"state\": \"key-needed\", \"manufacturer\": \"EMT\", \"type\": 2}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 0), 5);
    ck_assert_int_eq(frames(tenant, 5), 5);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from reading r join channel c using (tenant_id, channel_id) where r.tenant_id = %d and quantity = 1",
            tenant),
        5);
    jobs_stop(j);
}
END_TEST

/* Between the key and the cache's next look frames are stored as key-needed: nobody orders their
 * replay but ingest itself. */
START_TEST(frames_of_the_second_before_the_cache_knows_do_not_stay_behind)
{
    enum { N = 40 };
    int32_t tenant = rig_tenant("stale");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 1 });
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    struct jobs *j = start_jobs(1);
    emt_time at = rig_noon(2);

    for (unsigned i = 1; i <= N; i++) {
        struct rig_telegram tg = {
            .number = "10000001", .access = (uint8_t)i, .energy_wh = i, .key = key
        };

        ck_assert_int_eq(rig_send(e, t, i, at + i * EMT_MINUTE, &tg), EMT_OK);
        rig_wait(e, t, i);
        if (i == N / 2) {
            rig_key(tenant, NULL, "10000001", -1, -1, key);
            order(tenant, "d",
                  "{\"state\": \"key-needed\"}"); /* as the API does; runs before the cache knows */
            wait_jobs(j, tenant);
        }
    }
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 1), 0);
    ck_assert_int_eq(readings(tenant), N);
    jobs_stop(j);
    rig_engine_free(e);
}
END_TEST

START_TEST(adopting_a_meter_reads_what_was_heard)
{
    int32_t tenant = rig_tenant("adopt");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    struct jobs *j = start_jobs(1);

    rig_sql("update tenant set device_policy = 1 where id = %d", tenant);
    ck_assert_int_eq(rig_send(e, t, 1, rig_noon(2),
                              &(struct rig_telegram){ .number = "10000001", .energy_wh = 4 }),
                     EMT_OK);
    rig_wait(e, t, 1);
    ck_assert_int_eq(readings(tenant), 0);
    order(tenant, NULL, "{\"state\": \"plaintext-refused\"}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 6), 1);
    rig_sql("update device set assignment = 1 where tenant_id = %d", tenant);
    order(tenant, NULL, "{\"state\": \"plaintext-refused\"}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 0), 1);
    ck_assert_int_eq(readings(tenant), 1);
    jobs_stop(j);
    rig_engine_free(e);
}
END_TEST

/* The telegram of a corpus line, by its id; false where there is no corpus. */
static bool corpus_telegram(const char *id, struct rig_frame *out)
{
    const char *folder = getenv("EMT_CORPORA");
    char path[512], want[96], *line = NULL;
    size_t cap = 0;
    bool found = false;
    FILE *f;

    snprintf(path, sizeof path, "%s/wmbus.jsonl", folder ? folder : "../shared/corpora");
    snprintf(want, sizeof want, "\"id\": \"%s\"", id);
    f = fopen(path, "r");
    while (f && !found && getline(&line, &cap, f) > 0) {
        const char *hex = strstr(line, "\"telegram\": \"");

        if (!hex || !strstr(line, want))
            continue;
        hex += strlen("\"telegram\": \"");
        found =
            hex_decode(hex, strcspn(hex, "\""), out->data, sizeof out->data, &out->len) == EMT_OK;
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

/* A compact frame waits for its format; the full frame teaches it, and orders the replay by itself.
 */
START_TEST(a_full_frame_teaches_what_compact_ones_waited_for)
{
    struct rig_frame full, compact;
    struct ingest_frame in = { .protocol = PROTOCOL_WMBUS,
                               .format = FRAME_FORMAT_NO_LINK_CRC,
                               .received_at = rig_noon(2) };

    if (!corpus_telegram("jm-kam-full-a", &full) ||
        !corpus_telegram("jm-kam-compact-a", &compact)) {
        printf("a_full_frame_teaches_what_compact_ones_waited_for: skipped, no corpus\n");
        return;
    }
    int32_t tenant = rig_tenant("compact");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t t = rig_open(e, tenant, gw, 1, 1, 0);
    struct jobs *j = start_jobs(1);

    rig_sql(
        "insert into device (tenant_id, ident, manufacturer, number, version, type, accept_plaintext)"
        " values (%d, 'KAM-60723506-19-0c', 'KAM', '60723506', 25, 12, true)",
        tenant);
    in.seq = 1;
    in.data = compact.data;
    in.len = compact.len;
    ck_assert_int_eq(rig_push(e, t, &in), EMT_OK);
    rig_wait(e, t, 1);
    ck_assert_int_eq(frames(tenant, 7), 1);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant), 0);
    in.seq = 2;
    in.received_at += EMT_MINUTE;
    in.data = full.data;
    in.len = full.len;
    ck_assert_int_eq(rig_push(e, t, &in), EMT_OK);
    rig_wait(e, t, 2);
    ck_assert_int_ge(rig_number("select count(*) from frame_format where tenant_id = %d", tenant),
                     1);
    wait_jobs(j, tenant);
    ck_assert_int_eq(frames(tenant, 7), 0);
    ck_assert_int_eq(frames(tenant, 0), 2);
    /* The next one needs no second try, in another engine neither; it is an old one that a slow
     * gateway brings in. */
    rig_engine_free(e);
    e = rig_engine_new(NULL);
    t = rig_open(e, tenant, gw, 1, 1, 2);
    in.seq = 3;
    in.received_at -= EMT_HOUR;
    in.data = compact.data;
    in.len = compact.len;
    ck_assert_int_eq(rig_push(e, t, &in), EMT_OK);
    rig_wait(e, t, 3);
    ck_assert_int_eq(frames(tenant, 0), 3);
    /* The same bytes an hour later are an attack: the counter does not rise. */
    in.seq = 4;
    in.received_at += 2 * EMT_HOUR;
    ck_assert_int_eq(rig_push(e, t, &in), EMT_OK);
    rig_wait(e, t, 4);
    ck_assert_int_eq(frames(tenant, 4), 1);
    ck_assert_int_eq(
        rig_number("select count(*) from event where tenant_id = %d and kind = 'replayed'", tenant),
        1);
    jobs_stop(j);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_dead_workers_job_comes_back)
{
    int32_t tenant = rig_tenant("lease");
    struct store *s = pg_fixture_store(rig_fixture, STORE_ADMIN);
    const char *kinds[] = { "replay" };
    struct job first, second;
    bool got = false;
    bool cancel = true;

    order(tenant, NULL, "{\"device\": 1}");
    ck_assert_int_eq(job_store_claim(s, kinds, 1, 60, &first, &got), EMT_OK);
    ck_assert(got);
    ck_assert_int_eq(first.tenant, tenant);
    ck_assert_int_eq(first.device, 1);
    ck_assert_int_eq(first.version, -1);
    ck_assert_int_eq(job_store_claim(s, kinds, 1, 60, &second, &got), EMT_OK);
    ck_assert(!got);
    ck_assert_int_eq(job_store_step(s, &first, 60, 3, -1, &cancel), EMT_OK);
    ck_assert(!cancel);
    rig_sql("update job set lease_until = now() - interval '1 s' where tenant_id = %d", tenant);
    ck_assert_int_eq(job_store_claim(s, kinds, 1, 60, &second, &got), EMT_OK);
    ck_assert(got);
    ck_assert_int_eq(second.id, first.id);
    ck_assert_int_eq(second.attempts, 2);
    /* The first worker was only slow: it has no say any more. */
    ck_assert_int_eq(job_store_step(s, &first, 60, 4, -1, &cancel), EMT_ENOTFOUND);
    ck_assert_int_eq(job_store_done(s, &first, 4, -1, NULL), EMT_ENOTFOUND);
    /* Failing while the same waits again: one of them is enough. */
    rig_sql("update job set dedupe = 'x' where tenant_id = %d", tenant);
    order(tenant, "x", "{\"device\": 1}");
    ck_assert_int_eq(job_store_failed(s, &second, "why", 0, 10), EMT_OK);
    ck_assert_int_eq(open_jobs(tenant), 1);
    rig_sql("delete from job where tenant_id = %d", tenant);
    store_close(s);
}
END_TEST

/* Else it could run now, without what the transaction brings, and nobody would order it again. */
START_TEST(a_tenant_does_not_wait_for_anothers_deliveries)
{
    int32_t slow = rig_tenant("slow-server");
    int32_t other = rig_tenant("other-server");
    struct store *s = pg_fixture_store(rig_fixture, STORE_ADMIN);
    const char *kinds[] = { "delivery", "delivery-test" };
    struct job job;
    bool got = false;

    rig_sql("insert into job (tenant_id, kind, payload, run_at) values"
            " (%d, 'delivery', '{}', now() - interval '3 s'), (%d, 'delivery-test', '{}', now() -"
            " interval '2 s'), (%d, 'delivery', '{}', now() - interval '1 s')",
            slow, slow, other);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, false, &job, &got), EMT_OK);
    ck_assert(got && job.tenant == slow);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, false, &job, &got), EMT_OK);
    ck_assert(got && job.tenant == other);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, false, &job, &got), EMT_OK);
    ck_assert(!got);
    /* A dead courier holds nobody up. */
    rig_sql(
        "update job set lease_until = now() - interval '1 s' where tenant_id = %d and state = 1",
        slow);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, false, &job, &got), EMT_OK);
    ck_assert(got && job.tenant == slow && job.attempts == 2);
    /* What is known to be slow is the slow couriers' and does not hold up the tenant's other ones.
     */
    rig_sql("update job set state = 0, lease_until = null, payload = '{\"slow\": true}'"
            " where tenant_id = %d and kind = 'delivery'",
            slow);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, true, &job, &got), EMT_OK);
    ck_assert(got && job.tenant == slow && job.slow);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, true, &job, &got), EMT_OK);
    ck_assert(!got);
    ck_assert_int_eq(job_store_claim_lane(s, kinds, 2, 60, false, &job, &got), EMT_OK);
    ck_assert(got && job.tenant == slow && !job.slow && strcmp(job.kind, "delivery-test") == 0);
    rig_sql("delete from job where tenant_id in (%d, %d)", slow, other);
    store_close(s);
}
END_TEST

/* A server that takes the connection and says nothing. */
static int silent_server(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

START_TEST(work_does_not_wait_for_a_server_that_says_nothing)
{
    int32_t tenant = rig_tenant("silence");
    struct jobs_settings s = { .conninfo = pg_fixture_conninfo(rig_fixture),
                               .workers = 1,
                               .private_networks = true };
    struct emt_diag diag = { 0 };
    const struct delivery_target curl = { .kind = DELIVERY_HTTPS, .host = "h", .path = "/" };
    struct jobs *j = NULL;
    uint16_t port;

    if (delivery_check(&curl, NULL) == EMT_EUNSUPPORTED) /* built without libcurl */
        return;
    int fd = silent_server(&port);
    rig_sql("with t as (insert into delivery_target (tenant_id, name, kind, host, port, path)"
            " values (%d, 't', 'https', '127.0.0.1', %u, '/') returning target_id)"
            " insert into job (tenant_id, kind, payload) select %d, 'delivery-test',"
            " jsonb_build_object('id', target_id) from t",
            tenant, port, tenant);
    ck_assert_int_eq(jobs_start(&s, &j, &diag), EMT_OK);
    while (rig_number("select state from job where tenant_id = %d", tenant) == 0)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    order(tenant, NULL, "{\"state\": \"duplicate\"}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(
        rig_number("select state from job where tenant_id = %d and kind = 'delivery-test'", tenant),
        1);
    jobs_stop(j);
    close(fd);
}
END_TEST

START_TEST(a_waiting_job_that_is_ordered_again_waits_for_the_order)
{
    int32_t tenant = rig_tenant("again");
    struct store *admin = pg_fixture_store(rig_fixture, STORE_ADMIN);
    struct store *app = pg_fixture_store(rig_fixture, STORE_APP);
    const char *kinds[] = { "replay" };
    struct job job;
    bool got = true;

    order(tenant, "x", "{\"device\": 1}");
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(job_store_add(app, tenant, "replay", "x", "{\"device\": 1}", EMT_TIME_NONE),
                     EMT_OK);
    ck_assert_int_eq(job_store_claim(admin, kinds, 1, 60, &job, &got), EMT_OK);
    ck_assert(!got);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    ck_assert_int_eq(open_jobs(tenant), 1);
    ck_assert_int_eq(job_store_claim(admin, kinds, 1, 60, &job, &got), EMT_OK);
    ck_assert(got);
    /* One that rests after a failure runs at once when it is ordered anew. */
    ck_assert_int_eq(job_store_failed(admin, &job, "why", 600, 10), EMT_OK);
    ck_assert_int_eq(job_store_claim(admin, kinds, 1, 60, &job, &got), EMT_OK);
    ck_assert(!got);
    order(tenant, "x", "{\"device\": 1}");
    ck_assert_int_eq(job_store_claim(admin, kinds, 1, 60, &job, &got), EMT_OK);
    ck_assert(got);
    rig_sql("delete from job where tenant_id = %d", tenant);
    store_close(app);
    store_close(admin);
}
END_TEST

START_TEST(a_job_that_makes_no_sense_fails_for_good)
{
    int32_t tenant = rig_tenant("nonsense");
    struct jobs *j = start_jobs(1);

    order(tenant, NULL, "{\"state\": \"no-such-state\"}");
    order(tenant, NULL, "{\"state\": \"duplicate\"}");
    order(tenant, NULL,
          "{\"device\": \"one\", \"version\": 70000, \"type\": -3, \"state\": \"format-needed\"}");
    wait_jobs(j, tenant);
    ck_assert_int_eq(
        rig_number(
            "select count(*) from job where tenant_id = %d and state = 2 and last_error like '%%no-such-state%%'",
            tenant),
        1);
    /* The others had nothing to do. */
    ck_assert_int_eq(
        rig_number("select count(*) from job where tenant_id = %d and state = 3", tenant), 2);
    ck_assert_int_eq(
        rig_number("select count(*) from job where tenant_id = %d and ended_at is not null",
                   tenant),
        3);
    jobs_stop(j);
}
END_TEST

START_TEST(closed_days_are_packed_on_order)
{
    int32_t tenant = rig_tenant("packed");
    struct jobs *j;

    rig_sql("update tenant set compact_after_days = 3 where id = %d", tenant);
    rig_sql(
        "insert into device (tenant_id, ident, manufacturer, number) values (%d, 'P1', 'EMT', '1');"
        "insert into channel (tenant_id, device_id, key, kind, quantity)"
        " select tenant_id, device_id, 'k', 0, 1 from device where tenant_id = %d and ident = 'P1';"
        "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
        " select tenant_id, channel_id, date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
        "  - i * interval '15 minutes', i, 0, 256 from channel, generate_series(1, 10 * 96) i"
        " where tenant_id = %d and key = 'k'",
        tenant, tenant, tenant);
    rig_sql("delete from job");
    rig_sql("insert into job (tenant_id, kind) values (%d, 'compaction')", tenant);
    j = start_jobs(1);
    for (int i = 0;
         i < 200 && rig_number("select count(*) from job where kind = 'compaction' and state = 3"
                               " and tenant_id = %d",
                               tenant) == 0;
         i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    ck_assert_int_eq(rig_number("select count(*) from reading where tenant_id = %d", tenant),
                     3 * 96);
    ck_assert_int_eq(rig_number("select sum(n) from reading_block where tenant_id = %d", tenant),
                     7 * 96);
    ck_assert_int_eq(rig_number("select (result->>'blocks')::int8 from job where state = 3"
                                " and kind = 'compaction' and tenant_id = %d",
                                tenant),
                     7);
    /* And tomorrow again, by itself. */
    ck_assert_int_eq(rig_number("select count(*) from job where kind = 'compaction' and state = 0"
                                " and tenant_id = %d and run_at > now()",
                                tenant),
                     1);
    jobs_stop(j);
}
END_TEST

START_TEST(frames_of_closed_days_are_packed_on_order)
{
    int32_t tenant = rig_tenant("packing");
    int64_t gw = rig_gateway(tenant, "gw", 1);
    struct jobs *j;

    rig_sql("set role emt_owner; do $$ begin execute format('create table if not exists %%I"
            " partition of raw_frame for values from (%%L) to (%%L)', 'raw_frame_' ||"
            " to_char(current_date - 8, 'YYYYMMDD'), current_date - 8, current_date - 7);"
            " end $$; reset role");
    for (int i = 0; i < 2; i++)
        rig_sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
                " stored_at, state, spool_id, data) select %d, 1, 0, %" PRId64 ", i, now(),"
                " current_date - %d + interval '1 h', i %% 2, '0123456789abcdef', 'frame'"
                " from generate_series(1, 10) i",
                tenant, gw, i ? 8 : 0);
    rig_sql("insert into job (tenant_id, kind) values (%d, 'packing')", tenant);
    j = start_jobs(1);
    for (int i = 0; i < 200 && rig_number("select count(*) from job where kind = 'packing'"
                                          " and state = 3 and tenant_id = %d",
                                          tenant) == 0;
         i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    /* Those that wait for a key, and today's, stay rows. */
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", tenant), 15);
    ck_assert_int_eq(rig_number("select sum(n) from raw_pack where tenant_id = %d", tenant), 5);
    ck_assert_int_eq(rig_number("select (result->>'frames')::int8 from job where state = 3"
                                " and kind = 'packing' and tenant_id = %d",
                                tenant),
                     5);
    /* And tomorrow again, by itself. */
    ck_assert_int_eq(rig_number("select count(*) from job where kind = 'packing' and state = 0"
                                " and tenant_id = %d and run_at > now()",
                                tenant),
                     1);
    jobs_stop(j);
    rig_sql("delete from raw_frame where tenant_id = %d", tenant);
}
END_TEST

START_TEST(retention_takes_what_is_old_and_nothing_else)
{
    int32_t brief = rig_tenant("brief"), other = rig_tenant("longer");
    int64_t gw = rig_gateway(brief, "gw", 1);
    struct jobs *j;

    rig_sql("update tenant set raw_retention_days = 2 where id = %d", brief);
    rig_sql(
        "create table raw_frame_20200101 partition of raw_frame for values from ('2020-01-01') to ('2020-01-02')");
    rig_sql(
        "do $$ begin execute format('create table raw_frame_%%s partition of raw_frame for values from (%%L) to (%%L)',"
        " to_char(current_date - 9, 'YYYYMMDD'), current_date - 9, current_date - 8); end $$");
    for (int i = 0; i < 2; i++)
        rig_sql(
            "insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at, state, spool_id, data)"
            " select %d, 1, 0, %" PRId64
            ", 1, now(), d, 0, 'x', 'x' from unnest(array[now(), (current_date - 9)::timestamptz + interval '1 h']) d",
            i ? other : brief, gw);
    rig_sql(
        "insert into telegram values (%d, 1, 1, now() - interval '46 days', 'a'), (%d, 1, 2, now() - interval '44 days', 'b')",
        brief, brief);
    rig_sql(
        "insert into frame_rejected (tenant_id, gateway_id, spool_id, seq, reason, at) values (%d, 1, 'x', 1, 'x', now() - interval '91 days')",
        brief);
    rig_sql("delete from job");
    j = start_jobs(1);
    for (int i = 0;
         i < 200 &&
         rig_number("select count(*) from pg_class where relname = 'raw_frame_20200101'") != 0;
         i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    /* Tomorrow morning, then; here it is now. */
    ck_assert_int_eq(
        rig_number(
            "select count(*) from job where kind = 'maintenance' and tenant_id = %d and run_at > now()",
            brief),
        1);
    ck_assert_int_eq(
        rig_number("select count(*) from pg_class where relname = 'raw_frame_20200101'"), 0);
    ck_assert_int_gt(
        rig_number(
            "select count(*) from pg_class where relname like 'raw_frame_2%%' and relkind = 'r'"),
        8);
    rig_sql("update job set run_at = now() where kind = 'maintenance'");
    jobs_wake(j);
    for (
        int i = 0;
        i < 200 &&
        rig_number(
            "select count(*) from job where kind = 'maintenance' and run_at <= now() and state < 2") >
            0;
        i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", brief), 1);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", other), 2);
    ck_assert_int_eq(
        rig_number("select count(*) from telegram where tenant_id = %d and slot = 2", brief), 1);
    ck_assert_int_eq(rig_number("select count(*) from telegram where tenant_id = %d", brief), 1);
    ck_assert_int_eq(rig_number("select count(*) from frame_rejected where tenant_id = %d", brief),
                     0);
    jobs_stop(j);
}
END_TEST

START_TEST(workers_outlive_the_database)
{
    int32_t tenant = rig_tenant("outlive");
    struct jobs *j = start_jobs(2);

    rig_sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename in ('emt_admin', 'emt_ingest')");
    order(tenant, NULL, "{\"state\": \"key-needed\"}");
    wait_jobs(j, tenant);
    jobs_stop(j);
}
END_TEST

/* ---- what a job says of itself ---- */

START_TEST(a_job_tells_how_far_it_came)
{
    int32_t tenant = rig_tenant("progress");
    struct jobs *j;

    hear_twice(tenant, 20, false);
    rig_key(tenant, "EMT", "10000001", -1, -1, key);
    order(tenant, "all", "{\"state\": \"key-needed\"}");
    j = start_jobs(1);
    wait_jobs(j, tenant);
    ck_assert_int_eq(rig_number("select count(*) from job where tenant_id = %d and kind = 'replay'"
                                " and state = 3 and progress_done = 40 and progress_total = 40"
                                " and started_at is not null and ended_at is not null"
                                " and result->>'frames' = '40' and result->>'ok' = '20'",
                                tenant),
                     1);
    jobs_stop(j);
}
END_TEST

START_TEST(a_cancelled_job_ends_at_its_next_step)
{
    int32_t tenant = rig_tenant("cancel");
    struct store *app = pg_fixture_store(rig_fixture, STORE_APP);
    struct jobs *j;

    hear_twice(tenant, 5, false);
    rig_key(tenant, "EMT", "10000001", -1, -1, key);
    order(tenant, "all", "{\"state\": \"key-needed\"}");
    /* As if it had been cancelled while another worker ran it, which then died. */
    rig_sql("update job set state = 1, lease_until = now() - interval '1 s' where tenant_id = %d"
            " and kind = 'replay'",
            tenant);
    int64_t id = rig_number("select id from job where tenant_id = %d and kind = 'replay'", tenant);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(job_store_cancel(app, tenant, id), EMT_OK);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    j = start_jobs(1);
    wait_jobs(j, tenant);
    ck_assert_int_eq(rig_number("select state from job where id = %" PRId64, id), 4);
    ck_assert_int_eq(readings(tenant), 0);
    /* It has ended: nobody can cancel it again. */
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(job_store_cancel(app, tenant, id), EMT_ENOTFOUND);
    store_rollback(app);
    jobs_stop(j);
    store_close(app);
}
END_TEST

START_TEST(ended_jobs_are_kept_for_thirty_days)
{
    int32_t tenant = rig_tenant("kept");
    struct jobs *j;

    rig_sql("insert into job (tenant_id, kind, state, ended_at) values"
            " (%d, 'replay', 3, now() - interval '31 days'), (%d, 'replay', 2, now() - interval"
            " '29 days'), (%d, 'replay', 0, null)",
            tenant, tenant, tenant);
    rig_sql("update job set run_at = now() + interval '1 day', created_at = now() - interval"
            " '40 days' where tenant_id = %d and state = 0",
            tenant);
    j = start_jobs(1);
    for (int i = 0; i < 200 && rig_number("select count(*) from job where tenant_id = %d and state"
                                          " = 3",
                                          tenant) > 0;
         i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    jobs_stop(j);
    ck_assert_int_eq(
        rig_number("select count(*) from job where tenant_id = %d and state = 3", tenant), 0);
    ck_assert_int_eq(
        rig_number("select count(*) from job where tenant_id = %d and kind = 'replay'", tenant), 2);
}
END_TEST

/* ---- exports ---- */

/* A day of values at a place with a receiver; five days ago. */
static void place_with_values(int32_t tenant)
{
    rig_sql("update tenant set own_mp_id = '9900999000106' where id = %d", tenant);
    rig_sql("insert into device (tenant_id, ident, manufacturer, number, version, type) values"
            " (%d, 'EMT-12345678-01-02', 'EMT', '12345678', 1, 2)",
            tenant);
    rig_sql("insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit) select"
            " tenant_id, device_id, 'k', 0, '1-0:1.8.0*255', 1, 'Wh' from device where tenant_id ="
            " %d",
            tenant);
    rig_sql("insert into location (tenant_id, kind, code, receiver_mp_id) values"
            " (%d, 1, 'DE0009991011500000000000000000001', '9900999000007')",
            tenant);
    rig_sql("insert into location_channel (tenant_id, location_id, channel_id, obis, valid_from)"
            " select c.tenant_id, l.location_id, c.channel_id, '1-1:1.29.0', '2020-01-01Z' from"
            " channel c join location l using (tenant_id) where tenant_id = %d",
            tenant);
    rig_sql("insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality) select"
            " c.tenant_id, c.channel_id, t, extract(epoch from t)::int8 / 900, 3, 256 from channel"
            " c, generate_series(((now() at time zone 'Europe/Berlin')::date - 5)::timestamp at"
            " time zone 'Europe/Berlin', ((now() at time zone 'Europe/Berlin')::date -"
            " 4)::timestamp at time zone 'Europe/Berlin', interval '15 min') t where c.tenant_id ="
            " %d",
            tenant);
}

static void order_export(int32_t tenant, const char *more)
{
    rig_sql("insert into job (tenant_id, kind, payload, created_by) select %d, 'export',"
            " jsonb_build_object('pid', 13018, 'from', d - 5, 'to', d - 4) || '%s', 'user:me' from"
            " (select (now() at time zone 'Europe/Berlin')::date d) x",
            tenant, more);
}

static void wait_export(struct jobs *j, int32_t tenant)
{
    jobs_wake(j);
    for (int i = 0; i < 400 && rig_number("select count(*) from job where tenant_id = %d and kind ="
                                          " 'export' and state < 2",
                                          tenant) > 0;
         i++)
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
}

START_TEST(an_export_that_is_begun_again_writes_no_file_twice)
{
    int32_t tenant = rig_tenant("export");
    struct jobs *j;

    place_with_values(tenant);
    order_export(tenant, "{}");
    j = start_jobs(2);
    for (int run = 1; run <= 2; run++) {
        wait_export(j, tenant);
        ck_assert_int_eq(
            rig_number("select count(*) from job where tenant_id = %d and kind = 'export' and"
                       " state = 3 and jsonb_array_length(result->'files') = 1 and"
                       " jsonb_array_length(result->'notes') = 0 and attempts = %d and"
                       " progress_total = 1",
                       tenant, run),
            1);
        ck_assert_int_eq(
            rig_number("select count(*) from export_file where tenant_id = %d", tenant), 1);
        ck_assert_int_eq(rig_number("select count(*) from audit where tenant_id = %d and actor ="
                                    " 'user:me' and action = 'export.mscons'",
                                    tenant),
                         1);
        /* As a server that was killed behind the file leaves it. */
        rig_sql("update job set state = 1, lease_until = now() - interval '1 s', result = null"
                " where tenant_id = %d and kind = 'export' and attempts = 1",
                tenant);
    }
    jobs_stop(j);
}
END_TEST

START_TEST(an_export_that_cannot_be_done_says_why)
{
    int32_t tenant = rig_tenant("export-bad");
    struct jobs *j;

    order_export(tenant, "{}");
    order_export(tenant, "{\"from\": \"soon\"}");
    order_export(tenant, "{\"pid\": \"thirteen\"}");
    j = start_jobs(1);
    wait_export(j, tenant);
    ck_assert_int_eq(rig_number("select count(*) from job where tenant_id = %d and state = 2 and"
                                " last_error like '%%own_mp_id%%'",
                                tenant),
                     1);
    ck_assert_int_eq(
        rig_number("select count(*) from job where tenant_id = %d and state = 2", tenant), 3);
    jobs_stop(j);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jobs");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_key_decodes_what_waited_for_it_once);
    tcase_add_test(t, a_wildcard_key_decodes_all_that_fits);
    tcase_add_test(t, frames_of_the_second_before_the_cache_knows_do_not_stay_behind);
    tcase_add_test(t, adopting_a_meter_reads_what_was_heard);
    tcase_add_test(t, a_full_frame_teaches_what_compact_ones_waited_for);
    tcase_add_test(t, a_dead_workers_job_comes_back);
    tcase_add_test(t, a_tenant_does_not_wait_for_anothers_deliveries);
    tcase_add_test(t, work_does_not_wait_for_a_server_that_says_nothing);
    tcase_add_test(t, a_waiting_job_that_is_ordered_again_waits_for_the_order);
    tcase_add_test(t, a_job_that_makes_no_sense_fails_for_good);
    tcase_add_test(t, closed_days_are_packed_on_order);
    tcase_add_test(t, frames_of_closed_days_are_packed_on_order);
    tcase_add_test(t, retention_takes_what_is_old_and_nothing_else);
    tcase_add_test(t, a_job_tells_how_far_it_came);
    tcase_add_test(t, a_cancelled_job_ends_at_its_next_step);
    tcase_add_test(t, ended_jobs_are_kept_for_thirty_days);
    tcase_add_test(t, an_export_that_is_begun_again_writes_no_file_twice);
    tcase_add_test(t, an_export_that_cannot_be_done_says_why);
    tcase_add_test(t, workers_outlive_the_database);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
