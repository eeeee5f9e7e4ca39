/* What all resources have in common: filters, conditions, idempotency keys, imports, jobs, audit.
 */
#include "api_fixture.h"
#include "jobs/audit_chain.h"
#include "store/job_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MELO "DE00056266802AO6G56M11SN51G21M24S"

/* With further headers, each closed by CRLF. */
static json_t *ask_more(unsigned status, const char *key, const char *headers, const char *method,
                        const char *body, const char *target)
{
    char all[600];

    ck_assert_int_lt(snprintf(all, sizeof all, "Authorization: Bearer %s\r\n%s", key, headers),
                     (int)sizeof all);
    return ask_with(status, all, method, body, body != NULL ? strlen(body) : 0, target);
}

/* ---- filters ---- */

static size_t found(const struct test_tenant *t, const char *query)
{
    ask(200, t->key, "GET", NULL, "/api/v1/tenants/%s/%s", t->name, query);
    return items();
}

START_TEST(a_query_parameter_that_is_not_known_is_named)
{
    struct test_tenant t;

    tenant_new(&t, "unknown-q");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/unknown-q/gateways?stat=revoked");
    check_problem("invalid", "stat");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/unknown-q/gateways?limit=1&x");
    check_problem("invalid", "x");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/unknown-q?limit=1");
    ask(400, t.key, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/unknown-q/gateways?q=g");
    ask(400, NULL, "GET", NULL, "/api/v1/version?a=b");
    /* Who may not ask is not told what there is to ask. */
    ask(401, NULL, "GET", NULL, "/api/v1/tenants/unknown-q/gateways?x=1");
    ck_assert_int_eq(sql_number("select count(*) from gateway where tenant_id = %d", t.id), 0);
}
END_TEST

START_TEST(gateways_are_found_by_what_they_are)
{
    struct test_tenant t;

    tenant_new(&t, "gw-filter");
    sql("insert into gateway (tenant_id, external_id, name, place, state) values"
        " (%d, 'GW-1', 'Keller', 'Hauptstra\xc3\x9f"
        "e', 1), (%d, 'GW-2', '50%% off_', '', 0),"
        " (%d, 'x3', 'KELLER', '', 2)",
        t.id, t.id, t.id);
    sql("insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since)"
        " select tenant_id, gateway_id, 1, 1, 0, now() from gateway where tenant_id = %d"
        " and external_id = 'GW-1'",
        t.id);
    ck_assert_uint_eq(found(&t, "gateways?q=keller"), 2);
    ck_assert_uint_eq(found(&t, "gateways?q=gw-"), 2);
    ck_assert_uint_eq(found(&t, "gateways?q=STRA%C3%9FE"), 1);
    /* Not a pattern. */
    ck_assert_uint_eq(found(&t, "gateways?q=%25"), 1);
    ck_assert_uint_eq(found(&t, "gateways?q=_"), 1);
    ck_assert_uint_eq(found(&t, "gateways?q=keller&state=revoked"), 1);
    ck_assert_uint_eq(found(&t, "gateways?connection=connected"), 1);
    ck_assert_uint_eq(found(&t, "gateways?connection=never"), 2);
    ck_assert_uint_eq(found(&t, "gateways?connection=lost"), 0);
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/gw-filter/gateways?state=gone");
    check_problem("invalid", "state");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/gw-filter/gateways?q=");
    check_problem("invalid", "q");
}
END_TEST

START_TEST(devices_are_found_and_say_when_they_were_heard)
{
    struct test_tenant t;

    tenant_new(&t, "dev-filter");
    sql("insert into device (tenant_id, ident, manufacturer, number, version, type, name, active,"
        " assignment, seen_at) values (%d, 'EMT-1-01-07', 'EMT', '00000001', 1, 7, 'Flat 1', true,"
        " 1, '2026-01-01Z'), (%d, 'EMT-2-01-02', 'EMT', '00000002', 1, 2, 'Flat 2', false, 1, null),"
        " (%d, '-abc', '', 'abc', null, null, '', true, 0, null)",
        t.id, t.id, t.id);
    sql("insert into gateway (tenant_id, external_id) values (%d, 'g'), (%d, 'h')", t.id, t.id);
    sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
        " stored_at, device_id, state, spool_id, data) select g.tenant_id, 1, 0, g.gateway_id, 1,"
        " date_trunc('second', now()) + interval '1 year', date_trunc('second', now()),"
        " d.device_id, 0, 'x', 'x' from gateway g join device d using (tenant_id)"
        " where g.tenant_id = %d and g.external_id = 'g' and d.number = '00000002'",
        t.id);
    ck_assert_uint_eq(found(&t, "devices?q=flat"), 2);
    ck_assert_uint_eq(found(&t, "devices?medium=water"), 1);
    ck_assert_str_eq(text_at("items.0.last_seen_at"), "2026-01-01T00:00:00Z");
    ck_assert_uint_eq(found(&t, "devices?medium=unknown"), 1);
    ck_assert(json_is_null(value_at("items.0.last_seen_at")));
    ck_assert_uint_eq(found(&t, "devices?active=false"), 1);
    /* A gateway's clock ahead says nothing of the future. */
    ck_assert_int_eq(
        sql_number("select ('%s'::timestamptz <= now())::int", text_at("items.0.last_seen_at")), 1);
    ck_assert_uint_eq(found(&t, "devices?assignment=heard"), 1);
    ck_assert_uint_eq(found(&t, "devices?number=00000001&active=true"), 1);
    ck_assert_uint_eq(found(&t, "devices?gateway=g"), 1);
    ck_assert_uint_eq(found(&t, "devices?gateway=h"), 0);
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/dev-filter/devices?medium=plasma");
    check_problem("invalid", "medium");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/dev-filter/devices?active=1");
    check_problem("invalid", "active");
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/dev-filter/frames?device=EMT-2-01-02&from=2020-01-01T00:00:00Z");
    ck_assert_uint_eq(items(), 1);
    ck_assert_uint_eq(found(&t, "frames?to=2020-01-01T00:00:00Z"), 0);
    ck_assert_uint_eq(found(&t, "frames?device=EMT-9-01-02"), 0);
}
END_TEST

START_TEST(a_channel_shows_its_newest_value)
{
    struct test_tenant t;

    tenant_new(&t, "newest");
    int64_t number = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    int64_t text = channel_new(&t, "EMT-12345678-01-02", 1, NULL);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/newest/devices/EMT-12345678-01-02/channels");
    ck_assert(json_is_null(value_at("items.0.last")));
    sql("insert into reading_late (tenant_id, channel_id, ts, mantissa, exponent, quality, received_at)"
        " values (%d, %" PRId64 ", '2020-01-01Z', 7, 0, 0, now())",
        t.id, number);
    sql("insert into reading_text (tenant_id, channel_id, ts, quality, text) values (%d, %" PRId64
        ", '2026-01-02Z', 0, 'open'), (%d, %" PRId64 ", '2026-01-01Z', 0, 'shut')",
        t.id, text, t.id, text);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/newest/devices/EMT-12345678-01-02/channels");
    ck_assert_str_eq(text_at("items.0.last.value"), "7");
    ck_assert_str_eq(text_at("items.1.last.value"), "open");
    sql("insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality) select %d, %" PRId64
        ", date_trunc('hour', now()) - i * interval '1 hour', 100 - i, -1, 0 from generate_series(0, 3) i",
        t.id, number);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/newest/devices/EMT-12345678-01-02/channels");
    ck_assert_str_eq(text_at("items.0.last.value"), "10.0");
    ck_assert_str_eq(text_at("items.0.last.quality"), "measured");
}
END_TEST

START_TEST(the_overview_counts_what_is_there)
{
    struct test_tenant t;

    tenant_new(&t, "over");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/over/overview");
    ck_assert_int_eq(int_at("gateways.total"), 0);
    ck_assert(json_is_null(value_at("exports.last_at")));
    int64_t channel = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into gateway (tenant_id, external_id, state) values (%d, 'a', 1), (%d, 'b', 2)",
        t.id, t.id);
    sql("insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality) select %d, %" PRId64
        ", now() - i * interval '1 hour', i, 0, 0 from generate_series(1, 30) i",
        t.id, channel);
    sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
        " stored_at, state, spool_id, data) select %d, 1, 0, 1, i, now(), now(), i %% 3, 'x', 'x'"
        " from generate_series(0, 5) i",
        t.id);
    sql("insert into event (tenant_id, at, severity, kind) values (%d, now(), 2, 'x'),"
        " (%d, now() - interval '8 days', 2, 'x'), (%d, now(), 1, 'x')",
        t.id, t.id, t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/over/overview");
    ck_assert_int_eq(int_at("gateways.total"), 2);
    ck_assert_int_eq(int_at("gateways.revoked"), 1);
    ck_assert_int_eq(int_at("devices.active"), 1);
    ck_assert_int_eq(int_at("frames.last_24h"), 6);
    ck_assert_int_eq(int_at("frames.not_ok_24h"), 4);
    ck_assert_int_eq(int_at("frames.key_needed"), 2);
    ck_assert_int_ge(int_at("readings_24h"), 23);
    ck_assert_int_le(int_at("readings_24h"), 24);
    ck_assert_int_eq(int_at("events.alarms_7d"), 1);
    ck_assert_int_eq(int_at("events.warnings_7d"), 1);
}
END_TEST

START_TEST(nodes_are_shown_to_operators_and_the_version_to_all)
{
    struct test_tenant t;

    tenant_new(&t, "nodes");
    sql("insert into node (name, version, lease_until) values ('n1', '1', now() + interval '1 min'),"
        " ('n2', '1', now() - interval '1 min')");
    ask(200, platform.auditor_key, "GET", NULL, "/api/v1/nodes");
    ck_assert_uint_ge(items(), 2);
    ask(403, t.key, "GET", NULL, "/api/v1/nodes");
    ask(401, NULL, "GET", NULL, "/api/v1/nodes");
    ask(200, NULL, "GET", NULL, "/api/v1/version");
    ck_assert_int_ge(int_at("schema"), 3);
}
END_TEST

/* ---- conditions ---- */

static void etag(char out[64])
{
    const char *header = last_header("ETag");

    ck_assert_ptr_nonnull(header);
    ck_assert_int_eq(header[0], '"');
    snprintf(out, 64, "%s", header);
}

static void conditions_of(const struct test_tenant *t, const char *target, const char *change)
{
    char first[64];
    char second[64];
    char header[128];

    ask(200, t->key, "GET", NULL, "%s", target);
    etag(first);
    snprintf(header, sizeof header, "If-None-Match: \"x\", W/%s\r\n", first);
    ask_more(304, t->key, header, "GET", NULL, target);
    etag(second);
    ck_assert_str_eq(first, second);
    snprintf(header, sizeof header, "If-Match: \"0123\"\r\n");
    ask_more(412, t->key, header, "PATCH", change, target);
    check_problem("precondition", "If-Match");
    /* A weak tag is never good enough for a change. */
    snprintf(header, sizeof header, "If-Match: W/%s\r\n", first);
    ask_more(412, t->key, header, "PATCH", change, target);
    snprintf(header, sizeof header, "If-Match: \"a\" , %s\r\n", first);
    ask_more(200, t->key, header, "PATCH", change, target);
    etag(second);
    ck_assert_str_ne(first, second);
    ask_more(412, t->key, header, "PATCH", change, target);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", first);
    ask_more(200, t->key, header, "GET", NULL, target);
    ask_more(200, t->key, "If-Match: *\r\n", "PATCH", change, target);
    /* Without it the last writer wins. */
    ask(200, t->key, "PATCH", change, "%s", target);
}

START_TEST(a_change_is_bound_to_what_was_read)
{
    struct test_tenant t;

    tenant_new(&t, "etag");
    ask(201, t.key, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/etag/gateways");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    conditions_of(&t, "/api/v1/tenants/etag/gateways/g", "{\"name\":\"new\"}");
    conditions_of(&t, "/api/v1/tenants/etag/devices/EMT-12345678-01-02", "{\"name\":\"new\"}");
    conditions_of(&t, "/api/v1/tenants/etag", "{\"name\":\"new\"}");
    ask_more(404, t.key, "If-Match: \"x\"\r\n", "PATCH", "{\"name\":\"x\"}",
             "/api/v1/tenants/etag/gateways/none");
    /* Users are the platform's. */
    struct test_tenant operators = { .id = 0 };
    char target[60];
    snprintf(operators.key, sizeof operators.key, "%s", platform.operator_key);
    snprintf(target, sizeof target, "/api/v1/users/%" PRId64,
             platform_user("etag", "correct horse", false, PLATFORM_AUDITOR));
    conditions_of(&operators, target, "{\"display_name\":\"new\"}");
}
END_TEST

START_TEST(a_connection_does_not_change_the_gateways_tag)
{
    struct test_tenant t;
    char before[64];

    tenant_new(&t, "etag-live");
    ask(201, t.key, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/etag-live/gateways");
    etag(before);
    sql("insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since)"
        " select tenant_id, gateway_id, 1, 1, 0, now() from gateway where tenant_id = %d",
        t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/etag-live/gateways/g");
    ck_assert(json_is_object(value_at("connection")));
    ck_assert_str_eq(last_header("ETag"), before);
}
END_TEST

START_TEST(a_location_is_removed_as_it_was_seen)
{
    struct test_tenant t;
    char header[128];
    char tag[64];

    tenant_new(&t, "etag-loc");
    ask(201, t.key, "POST", "{\"code\":\"" MELO "\",\"kind\":\"melo\"}",
        "/api/v1/tenants/etag-loc/locations");
    etag(tag);
    ask_more(412, t.key, "If-Match: \"x\"\r\n", "DELETE", NULL,
             "/api/v1/tenants/etag-loc/locations/" MELO);
    snprintf(header, sizeof header, "If-Match: %s\r\n", tag);
    ask_more(204, t.key, header, "DELETE", NULL, "/api/v1/tenants/etag-loc/locations/" MELO);
}
END_TEST

/* ---- idempotency ---- */

#define KEY(k) "Idempotency-Key: " k "\r\n"

START_TEST(a_repeated_request_gets_the_first_answer)
{
    const char *path = "/api/v1/tenants/idem/gateways";
    struct test_tenant t;
    char other[80];

    tenant_new(&t, "idem");
    ask_more(201, t.key, KEY("k1"), "POST", "{\"id\":\"g\"}", path);
    ck_assert_ptr_null(last_header("Idempotency-Replayed"));
    sql("update gateway set name = 'changed' where tenant_id = %d", t.id);
    ask_more(201, t.key, KEY("k1"), "POST", "{\"id\":\"g\"}", path);
    ck_assert_str_eq(last_header("Idempotency-Replayed"), "true");
    ck_assert_str_eq(text_at("name"), "");
    ck_assert_ptr_nonnull(last_header("ETag"));
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action ="
                                " 'gateway.create'",
                                t.id),
                     1);
    /* Another body or path under the same key; another key; another principal. */
    ask_more(422, t.key, KEY("k1"), "POST", "{\"id\":\"h\"}", path);
    check_problem("idempotency", "Idempotency-Key");
    ask_more(422, t.key, KEY("k1"), "POST", "{\"id\":\"g\"}",
             "/api/v1/tenants/idem/gateways/g/revoke");
    ask_more(409, t.key, KEY("k2"), "POST", "{\"id\":\"g\"}", path);
    check_problem("conflict", "id");
    tenant_key(&t, "tenant-admin", other);
    ask_more(409, other, KEY("k1"), "POST", "{\"id\":\"g\"}", path);
    check_problem("conflict", "id");
    /* After a day it is a new request. */
    sql("update idempotency set created_at = now() - interval '25 hours'");
    ask_more(409, t.key, KEY("k1"), "POST", "{\"id\":\"g\"}", path);
    check_problem("conflict", "id");
}
END_TEST

START_TEST(what_failed_may_be_tried_again_under_its_key)
{
    struct test_tenant t;

    tenant_new(&t, "idem-fail");
    ask_more(400, t.key, KEY("k"), "POST", "{\"id\":\"-\"}", "/api/v1/tenants/idem-fail/gateways");
    ask_more(201, t.key, KEY("k"), "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-fail/gateways");
    ask_more(204, t.key, KEY("r"), "POST", NULL, "/api/v1/tenants/idem-fail/gateways/g/revoke");
    ask_more(204, t.key, KEY("r"), "POST", NULL, "/api/v1/tenants/idem-fail/gateways/g/revoke");
    ck_assert_str_eq(last_header("Idempotency-Replayed"), "true");
}
END_TEST

START_TEST(a_secret_is_shown_once)
{
    struct test_tenant t;
    char secret[128];

    tenant_new(&t, "idem-once");
    ask_more(201, t.key, KEY("s"), "POST", "{\"name\":\"a\",\"role\":\"reader\"}",
             "/api/v1/tenants/idem-once/api-keys");
    snprintf(secret, sizeof secret, "%s", text_at("api_key"));
    ask_more(409, t.key, KEY("s"), "POST", "{\"name\":\"a\",\"role\":\"reader\"}",
             "/api/v1/tenants/idem-once/api-keys");
    check_problem("idempotency", "Idempotency-Key");
    ck_assert_int_eq(sql_number("select count(*) from idempotency where body is not null and"
                                " position(convert_to('%s', 'UTF8') in body) > 0",
                                secret),
                     0);
    /* A tenant, too: the platform's own. */
    ask_more(201, platform.operator_key, KEY("t"), "POST", "{\"key\":\"idem-t\",\"name\":\"T\"}",
             "/api/v1/tenants");
    ask_more(409, platform.operator_key, KEY("t"), "POST", "{\"key\":\"idem-t\",\"name\":\"T\"}",
             "/api/v1/tenants");
    check_problem("idempotency", "Idempotency-Key");
    ask_more(422, platform.operator_key, KEY("t"), "POST", "{\"key\":\"idem-u\",\"name\":\"T\"}",
             "/api/v1/tenants");
}
END_TEST

START_TEST(an_export_that_was_cut_off_is_not_made_again)
{
    const char *body = "{\"pid\":\"13018\",\"from\":\"2026-01-01\",\"to\":\"2026-01-02\"}";
    struct test_tenant t;

    tenant_new(&t, "idem-open");
    ask(200, t.key, "PATCH", "{\"own_mp_id\":\"9900999000106\"}", "/api/v1/tenants/idem-open");
    ask_more(201, t.key, KEY("e"), "POST", body, "/api/v1/tenants/idem-open/exports");
    ask_more(201, t.key, KEY("e"), "POST", body, "/api/v1/tenants/idem-open/exports");
    ck_assert_str_eq(last_header("Idempotency-Replayed"), "true");
    /* As a server that was killed leaves it. */
    sql("update idempotency set state = 0, body = null where tenant_id = %d", t.id);
    ask_more(409, t.key, KEY("e"), "POST", body, "/api/v1/tenants/idem-open/exports");
    check_problem("idempotency", "Idempotency-Key");
    /* What was refused is not begun. */
    ask_more(400, t.key, KEY("f"), "POST",
             "{\"pid\":\"13018\",\"from\":\"x\",\"to\":\"2026-01-02\"}",
             "/api/v1/tenants/idem-open/exports");
    ask_more(201, t.key, KEY("f"), "POST", body, "/api/v1/tenants/idem-open/exports");
}
END_TEST

START_TEST(a_request_that_still_runs_is_not_joined)
{
    struct test_tenant t;

    tenant_new(&t, "idem-run");
    struct store *s = pg_fixture_store(platform.pg, STORE_ADMIN);
    char lock[300];
    int64_t key = sql_number("select key_id from api_key where tenant_id = %d", t.id);
    snprintf(lock, sizeof lock,
             "begin; select pg_advisory_xact_lock(hashtext('idempotency %d'),"
             " hashtext('key:%" PRId64 " first key' || chr(10) || 'k'))",
             (int)t.id, key);
    ck_assert_int_eq(store_script(s, lock, NULL), EMT_OK);
    ask_more(409, t.key, KEY("k"), "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-run/gateways");
    check_problem("idempotency", "Idempotency-Key");
    ck_assert_int_eq(store_script(s, "rollback", NULL), EMT_OK);
    store_close(s);
    ask_more(201, t.key, KEY("k"), "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-run/gateways");
}
END_TEST

START_TEST(a_key_that_is_none_is_refused)
{
    struct test_tenant t;
    char header[300];

    tenant_new(&t, "idem-bad");
    ask_more(400, t.key, KEY("a b"), "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-bad/gateways");
    check_problem("invalid", "Idempotency-Key");
    ask_more(400, t.key, KEY("\xc3\xa4"), "POST", "{\"id\":\"g\"}",
             "/api/v1/tenants/idem-bad/gateways");
    snprintf(header, sizeof header, "Idempotency-Key: %0129d\r\n", 1);
    ask_more(400, t.key, header, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-bad/gateways");
    snprintf(header, sizeof header, "Idempotency-Key: %0128d\r\n", 1);
    ask_more(201, t.key, header, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/idem-bad/gateways");
}
END_TEST

/* ---- imports ---- */

static void import(const struct test_tenant *t, unsigned status, const char *what, const char *csv)
{
    char target[200];

    snprintf(target, sizeof target, "/api/v1/tenants/%s/%s/import", t->name, what);
    ask_more(status, t->key, "Content-Type: text/csv; charset=utf-8\r\n", "POST", csv, target);
}

START_TEST(good_gateways_of_a_list_are_kept_beside_bad_ones)
{
    struct test_tenant t;
    char *many = malloc(200000);
    size_t n = 0;

    tenant_new(&t, "imp-gw");
    import(
        &t, 200, "gateways",
        "\xef\xbb\xbfName;ID\r\n\"Cellar; left\";g1\r\nx;g1\r\n;-\r\n\r\n\"open;g2\r\n\xff;g3\r\n;g4;more\r\n;g5");
    ck_assert_int_eq(int_at("accepted"), 2);
    ck_assert_int_eq(int_at("rejected"), 5);
    ck_assert_uint_eq(json_array_size(value_at("lines")), 7);
    ck_assert_int_eq(int_at("lines.0.line"), 2);
    ck_assert_str_eq(text_at("lines.0.id"), "g1");
    ck_assert_str_eq(text_at("lines.1.reason"), "id: a gateway of this id exists");
    ck_assert_str_eq(text_at("lines.6.id"), "g5");
    ck_assert_int_eq(int_at("lines.6.line"), 9);
    ck_assert_int_eq(sql_number("select count(*) from gateway where tenant_id = %d", t.id), 2);
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action ="
                                " 'gateway.import'",
                                t.id),
                     1);
    import(&t, 400, "gateways", "");
    import(&t, 400, "gateways", "name\nx\n");
    import(&t, 400, "gateways", "id,id\n");
    import(&t, 400, "gateways", "id,secret\n");
    ask(400, t.key, "POST", "{}", "/api/v1/tenants/imp-gw/gateways/import");
    check_problem("invalid", "Content-Type");
    n += (size_t)snprintf(many, 10, "id\n");
    for (int i = 0; i < 10001; i++)
        n += (size_t)snprintf(many + n, 20, "-%d\n", i);
    import(&t, 413, "gateways", many);
    check_problem("too-large", NULL);
    free(many);
}
END_TEST

START_TEST(a_list_of_devices_makes_and_changes_them)
{
    struct test_tenant t;

    tenant_new(&t, "imp-dev");
    channel_new(&t, "EMT-00000001-01-02", 0, "Wh");
    unsigned before = api_woken();
    import(&t, 200, "devices",
           "id,name,active,assignment\nEMT-00000001-01-02,Flat 1,false,\n"
           "EMT-00000002-01-07,Flat 2,,adopted\nnonsense,,,\nEMT-00000003-01-07,,perhaps,\n"
           "EMT-00000004-01-07,,,stolen\n");
    ck_assert_int_eq(int_at("accepted"), 2);
    ck_assert_int_eq(int_at("rejected"), 3);
    ck_assert_uint_eq(api_woken(), before + 1);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/imp-dev/devices/EMT-00000001-01-02");
    ck_assert(json_is_false(value_at("active")));
    ck_assert_str_eq(text_at("name"), "Flat 1");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/imp-dev/devices/EMT-00000002-01-07");
    ck_assert_str_eq(text_at("medium"), "water");
    ck_assert_str_eq(text_at("assignment"), "adopted");
}
END_TEST

START_TEST(locations_come_with_their_bindings)
{
    struct test_tenant t;
    char csv[1500];

    tenant_new(&t, "imp-loc");
    int64_t channel = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    snprintf(
        csv, sizeof csv,
        "code;kind;name;receiver_mp_id;channel;device;register;obis;ratio;valid_from;valid_to\n" MELO
        ";melo;House;9900999000106;%" PRId64
        ";;;1-1:1.29.0;40;2026-01-01T00:00:00Z;2026-02-01T00:00:00Z\n" MELO
        ";;;;;EMT-12345678-01-02;1-0:1.8.0*255;1-1:1.29.0;;2026-02-01T00:00:00Z;\n" MELO
        ";;;;;EMT-12345678-01-02;1-0:1.8.0*255;1-1:1.29.0;;2026-03-01T00:00:00Z;\n" MELO
        ";;;;;;;;;;\n"
        "DE0005626680200000000000000000000;melo;;;;;;;;;\n"
        "51238696780;;;;999999;;;1-1:1.29.0;;2026-03-01T00:00:00Z;\n"
        "51238696781;malo;;123;;;;;;;\n",
        channel);
    import(&t, 200, "locations", csv);
    ck_assert_str_eq(text_at("lines.0.result"), "accepted");
    ck_assert_str_eq(text_at("lines.1.result"), "accepted");
    ck_assert_str_eq(text_at("lines.2.result"), "rejected");
    ck_assert_str_eq(text_at("lines.3.reason"), "code: this location exists");
    for (int i = 4; i < 7; i++) {
        char path[32];

        snprintf(path, sizeof path, "lines.%d.result", i);
        (void)text_at(path);
    }
    ck_assert_int_eq(sql_number("select count(*) from location_channel where tenant_id = %d", t.id),
                     2);
    /* The location of a line whose binding failed is undone with it. */
    ck_assert_int_eq(sql_number("select count(*) from location where tenant_id = %d and code ="
                                " '51238696780'",
                                t.id),
                     0);
}
END_TEST

/* ---- jobs ---- */

START_TEST(a_replay_is_a_job_that_can_be_watched_and_cancelled)
{
    struct test_tenant t;
    struct test_tenant other;
    char reader[80];
    char target[100];

    tenant_new(&t, "job");
    tenant_new(&other, "job-other");
    tenant_key(&t, "reader", reader);
    ask(202, t.key, "POST", "{\"state\":\"key-needed\"}", "/api/v1/tenants/job/replays");
    int64_t id = int_at("id");
    ck_assert_str_eq(text_at("state"), "waiting");
    ck_assert(strncmp(text_at("created_by"), "key:", 4) == 0);
    snprintf(target, sizeof target, "/api/v1/tenants/job/jobs/%" PRId64, id);
    ck_assert_str_eq(last_header("Location"), target);
    ask(200, reader, "GET", NULL, "%s", target);
    ask(403, reader, "DELETE", NULL, "%s", target);
    ask(404, other.key, "GET", NULL, "/api/v1/tenants/job-other/jobs/%" PRId64, id);
    ask(404, other.key, "DELETE", NULL, "/api/v1/tenants/job-other/jobs/%" PRId64, id);
    ck_assert_uint_eq(found(&t, "jobs?kind=replay&state=waiting"), 1);
    ck_assert_uint_eq(found(&t, "jobs?kind=export"), 0);
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/job/jobs?state=lazy");
    ask(200, t.key, "DELETE", NULL, "%s", target);
    ck_assert_str_eq(text_at("state"), "cancelled");
    ask(409, t.key, "DELETE", NULL, "%s", target);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/job/jobs/999999999");
    /* A running one is told. */
    ask(202, t.key, "POST", "{\"state\":\"key-needed\"}", "/api/v1/tenants/job/replays");
    id = int_at("id");
    sql("update job set state = 1, progress_done = 5, progress_total = 9 where id = %" PRId64, id);
    ask(200, t.key, "DELETE", NULL, "/api/v1/tenants/job/jobs/%" PRId64, id);
    ck_assert_str_eq(text_at("state"), "running");
    ck_assert_int_eq(int_at("progress.done"), 5);
    ck_assert_int_eq(sql_number("select cancel::int from job where id = %" PRId64, id), 1);
}
END_TEST

START_TEST(an_export_nobody_waits_for_is_a_job)
{
    struct test_tenant t;

    tenant_new(&t, "async");
    unsigned before = api_woken();
    ask_more(202, t.key, "Prefer: handling=lenient, respond-async; wait=1\r\n", "POST",
             "{\"pid\":\"13018\",\"from\":\"2026-01-01\",\"to\":\"2026-01-02\",\"test\":true}",
             "/api/v1/tenants/async/exports");
    ck_assert_str_eq(text_at("kind"), "export");
    ck_assert_uint_eq(api_woken(), before + 1);
    ck_assert_int_eq(
        sql_number("select (payload->>'test' = 'true')::int from job where id = %" PRId64,
                   int_at("id")),
        1);
    ask_more(400, t.key, "Prefer: respond-async\r\n", "POST",
             "{\"pid\":\"13018\",\"from\":\"x\",\"to\":\"2026-01-02\"}",
             "/api/v1/tenants/async/exports");
    ask_more(400, t.key, "Prefer: respond-asynchronously\r\n", "POST",
             "{\"pid\":\"13018\",\"from\":\"2026-01-01\",\"to\":\"2026-01-02\"}",
             "/api/v1/tenants/async/exports"); /* another preference: now, and it has no MP-ID */
}
END_TEST

/* ---- audit ---- */

static void link_audit(void)
{
    struct store *s = pg_fixture_store(platform.pg, STORE_ADMIN);
    struct emt_diag diag = { 0 };
    int64_t n = 0;

    ck_assert_msg(audit_chain_step(s, &platform.master, &n, &diag) == EMT_OK, "%s", diag.text);
    store_close(s);
}

START_TEST(the_audit_is_listed_and_verified)
{
    struct test_tenant t;
    char reader[80];

    tenant_new(&t, "trail");
    tenant_key(&t, "reader", reader);
    for (int i = 0; i < 3; i++) {
        char body[40];

        snprintf(body, sizeof body, "{\"id\":\"g%d\"}", i);
        ask(201, t.key, "POST", body, "/api/v1/tenants/trail/gateways");
    }
    ck_assert_uint_eq(found(&t, "audit?action=gateway.&limit=2"), 2);
    ck_assert_str_eq(text_at("items.0.object"), "g2");
    ck_assert(json_is_null(value_at("items.0.chain_no")));
    ck_assert_uint_eq(found(&t, "audit?actor=user:"), 0);
    ck_assert_uint_eq(found(&t, "audit?to=2020-01-01T00:00:00Z"), 0);
    ask(403, reader, "GET", NULL, "/api/v1/tenants/trail/audit");
    ask(403, t.key, "GET", NULL, "/api/v1/audit");
    ask(200, platform.auditor_key, "GET", NULL, "/api/v1/audit?action=tenant.create");
    ck_assert_uint_ge(items(), 1);
    link_audit();
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/trail/audit/verification");
    ck_assert(json_is_true(value_at("ok")));
    ck_assert_int_eq(int_at("chained"), int_at("entries"));
    ck_assert_int_eq(int_at("anchors"), 1);
    ask(200, platform.auditor_key, "GET", NULL, "/api/v1/audit/verification");
    ck_assert(json_is_true(value_at("ok")));
    sql("update audit set detail = 'nothing' where tenant_id = %d and object = 'g1'", t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/trail/audit/verification");
    ck_assert(json_is_false(value_at("ok")));
    ck_assert_int_eq(
        int_at("first_bad.entry_id"),
        sql_number("select entry_id from audit where tenant_id = %d and object = 'g1'", t.id));
}
END_TEST

START_TEST(who_reads_a_load_profile_is_noted_once_in_ten_minutes)
{
    struct test_tenant t;
    char other[80];

    tenant_new(&t, "peep");
    int64_t channel = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    int64_t second = channel_new(&t, "EMT-12345679-01-02", 0, "Wh");
    tenant_key(&t, "reader", other);
    for (int i = 0; i < 3; i++)
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/peep/channels/%" PRId64 "/readings", channel);
    /* Ten minutes may end between two of them. */
    int64_t n = sql_number("select count(*) from audit where tenant_id = %d and action ="
                           " 'readings.read'",
                           t.id);
    ck_assert(n == 1 || n == 2);
    ask(200, other, "GET", NULL, "/api/v1/tenants/peep/channels/%" PRId64 "/readings", channel);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/peep/channels/%" PRId64 "/readings", second);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/peep/channels/999999/readings");
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action ="
                                " 'readings.read'",
                                t.id),
                     n + 2);
}
END_TEST

/* ---- bodies ---- */

START_TEST(a_body_beyond_reason_is_refused_in_words)
{
    struct test_tenant t;
    char *big = malloc(400000);

    tenant_new(&t, "bodies");
    ask(400, t.key, "POST", "{\"id\":\"a\",\"id\":\"b\"}", "/api/v1/tenants/bodies/gateways");
    ck_assert_ptr_nonnull(strstr(text_at("detail"), "there twice"));
    memset(big, '[', 1000);
    big[1000] = '\0';
    ask(400, t.key, "POST", big, "/api/v1/tenants/bodies/gateways");
    ck_assert_ptr_nonnull(strstr(text_at("detail"), "in each other"));
    /* Brackets within a text are none. */
    ask(201, t.key, "POST", "{\"id\":\"b\",\"name\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"{{{\"}",
        "/api/v1/tenants/bodies/gateways");
    snprintf(big, 400000, "{\"id\":\"%0300000d\"}", 1);
    ask(413, t.key, "POST", big, "/api/v1/tenants/bodies/gateways");
    check_problem("too-large", NULL);
    ask(400, t.key, "POST", "{\"id\":1}", "/api/v1/tenants/bodies/gateways");
    check_problem("invalid", "id");
    free(big);
}
END_TEST

/* ---- targets and schedules ---- */

#define TARGET                                                                                     \
    "{\"name\":\"p\",\"kind\":\"https\",\"host\":\"a.example\",\"path\":\"/in\","                  \
    "\"bearer\":\"sesame-sesame\"}"

START_TEST(a_targets_secret_goes_nowhere_else)
{
    static const char *const elsewhere[] = { "{\"host\":\"b.example\"}", "{\"port\":444}",
                                             "{\"kind\":\"ftps\"}" };
    static const char *const here[] = { "{\"path\":\"/b\"}", "{\"host\":\"A.example\",\"port\":0}",
                                        "{\"host\":\"b.example\",\"bearer\":\"another\"}",
                                        "{\"host\":\"c.example\",\"bearer\":null}",
                                        "{\"host\":\"d.example\"}" };
    struct test_tenant t;

    tenant_new(&t, "elsewhere");
    ask(201, t.key, "POST", TARGET, "/api/v1/tenants/elsewhere/targets");
    int64_t id = int_at("id");
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        ask(400, t.key, "PATCH", elsewhere[i], "/api/v1/tenants/elsewhere/targets/%" PRId64, id);
        check_problem("invalid", "bearer");
    }
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
        ask(200, t.key, "PATCH", here[i], "/api/v1/tenants/elsewhere/targets/%" PRId64, id);
    ask(400, t.key, "PATCH", "{\"bearer\":\"a\\r\\nX-Own: b\"}",
        "/api/v1/tenants/elsewhere/targets/%" PRId64, id);
    check_problem("invalid", "bearer");
    ask(400, t.key, "POST", "{\"name\":\"l\",\"kind\":\"local\",\"path\":\"a\\nb\"}",
        "/api/v1/tenants/elsewhere/targets");
    check_problem("invalid", "path");
}
END_TEST

START_TEST(a_target_changed_meanwhile_is_not_overwritten)
{
    struct test_tenant t;
    char match[100];

    tenant_new(&t, "at-once");
    ask(201, t.key, "POST", TARGET, "/api/v1/tenants/at-once/targets");
    int64_t id = int_at("id");
    snprintf(match, sizeof match, "If-Match: %s\r\n", last_header("ETag"));
    char path[100];
    snprintf(path, sizeof path, "/api/v1/tenants/at-once/targets/%" PRId64, id);
    meanwhile(
        "update delivery_target set path = '/theirs', revision = 2 where target_id = %" PRId64, id);
    ask_more(412, t.key, match, "PATCH", "{\"user\":\"u\"}", path);
    meanwhile_over();
    ask(200, t.key, "PATCH", "{\"user\":\"u\"}", "%s", path);
    ck_assert_str_eq(text_at("path"), "/theirs");
}
END_TEST

START_TEST(a_schedule_changed_meanwhile_is_not_overwritten)
{
    struct test_tenant t;
    char match[100];
    char path[100];

    tenant_new(&t, "on-time");
    ask(201, t.key, "POST", "{\"name\":\"s\",\"cron\":\"0 3 * * *\",\"pid\":\"13018\"}",
        "/api/v1/tenants/on-time/schedules");
    int64_t id = int_at("id");
    snprintf(match, sizeof match, "If-Match: %s\r\n", last_header("ETag"));
    snprintf(path, sizeof path, "/api/v1/tenants/on-time/schedules/%" PRId64, id);
    meanwhile("update export_schedule set days = 7, revision = 2 where schedule_id = %" PRId64, id);
    ask_more(412, t.key, match, "PATCH", "{\"test\":true}", path);
    meanwhile_over();
    /* Written in another way it is the same one: a waiting run is not ordered twice. */
    ask(202, t.key, "POST", "{}", "%s/run", path);
    ask(202, t.key, "POST", "{}", "/api/v1/tenants/on-time/schedules/000%" PRId64 "/run", id);
    ck_assert_int_eq(sql_number("select count(*) from job where tenant_id = %d", t.id), 1);
}
END_TEST

START_TEST(a_schedule_orders_a_kind_of_document_that_its_use_case_has)
{
    struct test_tenant t;
    char path[100];

    tenant_new(&t, "notes");
    ask(201, t.key, "POST",
        "{\"name\":\"s\",\"cron\":\"0 3 * * *\",\"pid\":\"13019\",\"document\":\"Z41\"}",
        "/api/v1/tenants/notes/schedules");
    ck_assert_str_eq(text_at("document"), "Z41");
    snprintf(path, sizeof path, "/api/v1/tenants/notes/schedules/%" PRId64, int_at("id"));
    ask(200, t.key, "PATCH", "{\"test\":true}", "%s", path);
    ck_assert_str_eq(text_at("document"), "Z41");
    /* What the use case does not have is refused by name, also where only the use case changes. */
    ask(400, t.key, "PATCH", "{\"pid\":\"13016\"}", "%s", path);
    ck_assert_str_eq(text_at("field"), "document");
    ask(400, t.key, "PATCH", "{\"document\":\"Z42\"}", "%s", path);
    ck_assert_str_eq(text_at("field"), "document");
    ask(400, t.key, "PATCH", "{\"document\":\"Z85\"}", "%s", path);
    ask(200, t.key, "PATCH", "{\"pid\":\"13016\",\"document\":\"Z42\"}", "%s", path);
    ask(200, t.key, "PATCH", "{\"pid\":\"13018\",\"document\":null}", "%s", path);
    ck_assert(json_is_null(value_at("document")));
}
END_TEST

START_TEST(schedules_and_targets_of_a_tenant_are_limited)
{
    struct test_tenant t;

    tenant_new(&t, "limited");
    sql("insert into delivery_target (tenant_id, name, kind) select %d, 'n' || i, 'local'"
        " from generate_series(1, 999) i",
        t.id);
    sql("insert into export_schedule (tenant_id, name, cron, pid) select %d, 'n' || i,"
        " '0 3 * * *', 13018 from generate_series(1, 999) i",
        t.id);
    ask(201, t.key, "POST", TARGET, "/api/v1/tenants/limited/targets");
    ask(409, t.key, "POST", "{\"name\":\"l\",\"kind\":\"local\",\"path\":\"a\"}",
        "/api/v1/tenants/limited/targets");
    ask(201, t.key, "POST", "{\"name\":\"s\",\"cron\":\"0 3 * * *\",\"pid\":\"13018\"}",
        "/api/v1/tenants/limited/schedules");
    ask(409, t.key, "POST", "{\"name\":\"t\",\"cron\":\"0 3 * * *\",\"pid\":\"13018\"}",
        "/api/v1/tenants/limited/schedules");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/limited/targets?limit=1000");
    ck_assert_uint_eq(items(), 100);
    ck_assert_ptr_nonnull(value_at("next"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_foundation");
    TCase *c = tcase_create("foundation");

    platform_start();
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_query_parameter_that_is_not_known_is_named);
    tcase_add_test(c, gateways_are_found_by_what_they_are);
    tcase_add_test(c, devices_are_found_and_say_when_they_were_heard);
    tcase_add_test(c, a_channel_shows_its_newest_value);
    tcase_add_test(c, the_overview_counts_what_is_there);
    tcase_add_test(c, nodes_are_shown_to_operators_and_the_version_to_all);
    tcase_add_test(c, a_change_is_bound_to_what_was_read);
    tcase_add_test(c, a_connection_does_not_change_the_gateways_tag);
    tcase_add_test(c, a_location_is_removed_as_it_was_seen);
    tcase_add_test(c, a_repeated_request_gets_the_first_answer);
    tcase_add_test(c, what_failed_may_be_tried_again_under_its_key);
    tcase_add_test(c, a_secret_is_shown_once);
    tcase_add_test(c, an_export_that_was_cut_off_is_not_made_again);
    tcase_add_test(c, a_request_that_still_runs_is_not_joined);
    tcase_add_test(c, a_key_that_is_none_is_refused);
    tcase_add_test(c, good_gateways_of_a_list_are_kept_beside_bad_ones);
    tcase_add_test(c, a_list_of_devices_makes_and_changes_them);
    tcase_add_test(c, locations_come_with_their_bindings);
    tcase_add_test(c, a_replay_is_a_job_that_can_be_watched_and_cancelled);
    tcase_add_test(c, an_export_nobody_waits_for_is_a_job);
    tcase_add_test(c, the_audit_is_listed_and_verified);
    tcase_add_test(c, who_reads_a_load_profile_is_noted_once_in_ten_minutes);
    tcase_add_test(c, a_body_beyond_reason_is_refused_in_words);
    tcase_add_test(c, a_targets_secret_goes_nowhere_else);
    tcase_add_test(c, a_target_changed_meanwhile_is_not_overwritten);
    tcase_add_test(c, a_schedule_changed_meanwhile_is_not_overwritten);
    tcase_add_test(c, a_schedule_orders_a_kind_of_document_that_its_use_case_has);
    tcase_add_test(c, schedules_and_targets_of_a_tenant_are_limited);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    free(platform.operator_key);
    free(platform.auditor_key);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
