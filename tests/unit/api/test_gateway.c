/* Gateways, their enrolment and their commands. */
#include "api_fixture.h"
#include "http_client.h"
#include "pki/authority.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"token": …, "csr": …} with line ends escaped. */
static void enrol_body(const char *token, const char *csr, char out[6000])
{
    json_t *j = json_pack("{s:s, s:s}", "token", token, "csr", csr);
    char *text = json_dumps(j, JSON_COMPACT);

    snprintf(out, 6000, "%s", text);
    free(text);
    json_decref(j);
}

static void csr_text(char out[4000])
{
    struct writer key;
    struct writer csr;

    writer_init_heap(&key, 1u << 16);
    writer_init_heap(&csr, 1u << 16);
    ck_assert_int_eq(csr_new(KEY_P256, "whatever it says", &key, &csr, NULL), EMT_OK);
    snprintf(out, 4000, "%s", writer_cstr(&csr));
    writer_release(&key);
    writer_release(&csr);
}

static void token_new(const struct test_tenant *t, const char *gateway, char out[100])
{
    ask(201, t->key, "POST", NULL, "/api/v1/tenants/%s/gateways/%s/enrolment", t->name, gateway);
    snprintf(out, 100, "%s", text_at("token"));
}

static void gateway_new(const struct test_tenant *t, const char *id)
{
    char body[200];

    snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    ask(201, t->key, "POST", body, "/api/v1/tenants/%s/gateways", t->name);
}

START_TEST(a_gateway_is_announced_once)
{
    static const char *const bad[] = { "{\"id\":\"\"}",
                                       "{\"id\":\"-a\"}",
                                       "{\"id\":\"a b\"}",
                                       "{\"id\":\"a/b\"}",
                                       "{}",
                                       "{\"id\":\"\xc3\xa4\"}",
                                       "{\"id\":\"a\",\"place\":7}",
                                       "{\"id\":\"a\",\"state\":1}" };
    struct test_tenant t;

    tenant_new(&t, "gw");
    ask(201, t.key, "POST", "{\"id\":\"GW-1.a\",\"name\":\"Cellar\",\"place\":\"House 1\"}",
        "/api/v1/tenants/gw/gateways");
    ck_assert_str_eq(text_at("state"), "announced");
    ck_assert(json_is_null(value_at("connection")));
    ask(409, t.key, "POST", "{\"id\":\"GW-1.a\"}", "/api/v1/tenants/gw/gateways");
    check_problem("conflict", "id");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "POST", bad[i], "/api/v1/tenants/gw/gateways");
    ask(200, t.key, "PATCH", "{\"name\":\"Attic\"}", "/api/v1/tenants/gw/gateways/GW-1.a");
    ck_assert_str_eq(text_at("name"), "Attic");
    ck_assert_str_eq(text_at("place"), "House 1");
    ask(404, t.key, "PATCH", "{\"name\":\"x\"}", "/api/v1/tenants/gw/gateways/none");
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/gw/gateways/none");
    ck_assert_int_eq(sql_number("select count(*) from gateway where tenant_id = %d", t.id), 1);
}
END_TEST

START_TEST(gateways_are_paged_with_their_state)
{
    struct test_tenant t;
    char cursor[64] = "";
    char last[64] = "";
    int seen = 0;

    tenant_new(&t, "gw-page");
    sql("insert into gateway (tenant_id, external_id) select %d, 'g' || i from"
        " generate_series(1, 25) i",
        t.id);
    sql("insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since, peer, tls)"
        " select tenant_id, gateway_id, 7, 3, 0, now(), '2001:db8::1', 'TLSv1.2' from gateway"
        " where tenant_id = %d and external_id = 'g1'",
        t.id);
    sql("insert into gateway_status (tenant_id, gateway_id, at, uptime_s, spool_bytes, spool_frames,"
        " frames_heard, load_permille, memory_free, disk_free) select tenant_id, gateway_id, now(),"
        " 1, 2, 3, 4, 5, 6, 7 from gateway where tenant_id = %d and external_id = 'g1'",
        t.id);
    sql("insert into gateway_cursor (tenant_id, gateway_id, spool_id, epoch, last_seq, frames,"
        " updated_at) select tenant_id, gateway_id, decode(repeat('ab', 16), 'hex'), 3, 99, 98, now()"
        " from gateway where tenant_id = %d and external_id = 'g1'",
        t.id);
    do {
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/gw-page/gateways?limit=7&cursor=%s", cursor);
        for (size_t i = 0; i < items(); i++, seen++) {
            char path[32];

            snprintf(path, sizeof path, "items.%zu.id", i);
            ck_assert_str_lt(last, text_at(path));
            snprintf(last, sizeof last, "%s", text_at(path));
        }
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 25);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/gw-page/gateways/g1");
    ck_assert_str_eq(text_at("connection.state"), "connected");
    ck_assert_str_eq(text_at("connection.peer"), "2001:db8::1");
    ck_assert_int_eq(int_at("connection.epoch"), 3);
    ck_assert_int_eq(int_at("status.frames_heard"), 4);
    ck_assert_str_eq(text_at("spools.0.id"), "abababababababababababababababab");
    ck_assert_int_eq(int_at("spools.0.last_seq"), 99);
}
END_TEST

START_TEST(a_gateway_gets_its_certificate_for_a_token_once)
{
    struct test_tenant t;
    struct leaf_info info;
    char csr[4000];
    char token[100];
    char body[6000];
    char sha[65];

    tenant_new(&t, "enrol");
    gateway_new(&t, "gw-1");
    csr_text(csr);
    token_new(&t, "gw-1", token);
    ck_assert_str_eq(text_at("server"), "https://emt.example:8443");
    ck_assert_ptr_nonnull(strstr(text_at("command"), token));
    ck_assert_ptr_nonnull(strstr(text_at("command"), text_at("pin")));
    for (int i = 0; i < 32; i++)
        snprintf(sha + 2 * i, 3, "%02x", platform.pin[i]);
    ck_assert_str_eq(text_at("pin"), sha);
    enrol_body(token, csr, body);
    ask(201, NULL, "POST", body, "/api/v1/enrol");
    ck_assert_str_eq(text_at("tenant"), "enrol");
    ck_assert_str_eq(text_at("gateway"), "gw-1");
    ck_assert_str_eq(text_at("field.1"), "[2001:db8::1]:7443");
    ck_assert_str_eq(text_at("field13.0"), "emt.example:7444");
    ck_assert_int_eq(strncmp(text_at("ca"), "-----BEGIN CERTIFICATE-----", 27), 0);
    const char *chain = text_at("certificate");
    ck_assert_int_eq(certificate_info(chain, strlen(chain), &info, NULL), EMT_OK);
    ck_assert_ptr_nonnull(strstr(chain + 27, "-----BEGIN CERTIFICATE-----")); /* the CA follows */
    for (int i = 0; i < 32; i++)
        snprintf(sha + 2 * i, 3, "%02x", info.fingerprint[i]);
    ck_assert_int_eq(sql_number("select count(*) from gateway_certificate c join directory d on"
                                " d.key = c.fingerprint and d.kind = 1 where c.tenant_id = %d and"
                                " d.tenant_id = %d and c.fingerprint = '\\x%s' and c.serial = '%s'",
                                t.id, t.id, sha, info.serial),
                     1);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/enrol/gateways/gw-1");
    ck_assert_str_eq(text_at("state"), "enrolled");

    ask(410, NULL, "POST", body, "/api/v1/enrol");
    check_problem("gone", "token");
    token_new(&t, "gw-1", token);
    sql("update enrolment set expires_at = now() where tenant_id = %d and used_at is null", t.id);
    enrol_body(token, csr, body);
    ask(410, NULL, "POST", body, "/api/v1/enrol");
    enrol_body("emt_enrol_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", csr, body);
    ask(401, NULL, "POST", body, "/api/v1/enrol");
    ck_assert_int_eq(
        sql_number("select count(*) from gateway_certificate where tenant_id = %d", t.id), 1);
    ask(404, t.key, "POST", NULL, "/api/v1/tenants/enrol/gateways/none/enrolment");
    ask(400, t.key, "POST", "{\"valid_hours\":0}", "/api/v1/tenants/enrol/gateways/gw-1/enrolment");
    ask(400, t.key, "POST", "{\"valid_hours\":721}",
        "/api/v1/tenants/enrol/gateways/gw-1/enrolment");
    ask(201, t.key, "POST", "{\"valid_hours\":720}",
        "/api/v1/tenants/enrol/gateways/gw-1/enrolment");
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action ="
                                " 'gateway.enrol' and actor = 'gateway:gw-1'",
                                t.id),
                     1);
}
END_TEST

START_TEST(a_wrong_request_costs_no_token)
{
    struct test_tenant t;
    char csr[4000];
    char broken[4000];
    char token[100];
    char body[6000];

    tenant_new(&t, "wrong-csr");
    gateway_new(&t, "gw-1");
    csr_text(csr);
    token_new(&t, "gw-1", token);
    enrol_body(token, "no request at all", body);
    ask(400, NULL, "POST", body, "/api/v1/enrol");
    check_problem("invalid", "csr");
    snprintf(broken, sizeof broken, "%s", csr); /* another signature */
    char *at = strstr(broken, "-----END") - 8;
    *at = *at == 'A' ? 'B' : 'A';
    enrol_body(token, broken, body);
    ask(400, NULL, "POST", body, "/api/v1/enrol");
    check_problem("invalid", "csr");
    broken[strlen(broken) / 2] = '\0';
    enrol_body(token, broken, body);
    ask(400, NULL, "POST", body, "/api/v1/enrol");
    enrol_body(token, "", body);
    ask(400, NULL, "POST", body, "/api/v1/enrol");
    ask(400, NULL, "POST", "{\"token\":\"x\"}", "/api/v1/enrol");
    enrol_body(token, csr, body);
    sql("update tenant set state = 1 where id = %d", t.id);
    ask(401, NULL, "POST", body, "/api/v1/enrol"); /* a suspended tenant's tokens sleep */
    sql("update tenant set state = 0 where id = %d", t.id);
    ask(201, NULL, "POST", body, "/api/v1/enrol");
}
END_TEST

START_TEST(a_tenant_whose_authority_does_not_open_is_our_fault)
{
    struct test_tenant t;
    char csr[4000];
    char token[100];
    char body[6000];

    tenant_new(&t, "no-ca");
    gateway_new(&t, "gw-1");
    csr_text(csr);
    token_new(&t, "gw-1", token);
    sql("update tenant_ca set key_blob = overlay(key_blob placing '\\x00' from 40)"
        " where tenant_id = %d",
        t.id);
    enrol_body(token, csr, body);
    ask(503, NULL, "POST", body, "/api/v1/enrol");
    check_problem("unavailable", NULL);
}
END_TEST

/* --- at the same time --- */

struct racer {
    pthread_t thread;
    const char *body;
    unsigned status;
};

static void *race(void *ctx)
{
    struct racer *r = ctx;
    struct answer a = { 0 };
    struct client c;
    char head[200];

    client_open(&c, api_port(), NULL);
    snprintf(head, sizeof head,
             "POST /api/v1/enrol HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
             strlen(r->body));
    client_text(&c, head);
    client_text(&c, r->body);
    if (client_read(&c, false, &a))
        r->status = a.status;
    answer_release(&a);
    client_close(&c);
    return NULL;
}

START_TEST(of_those_who_spend_a_token_together_one_wins)
{
    enum { RACERS = 4 };
    struct racer racers[RACERS];
    struct test_tenant t;
    char csr[4000];
    char token[100];
    char body[6000];
    int made = 0;

    tenant_new(&t, "race");
    gateway_new(&t, "gw-1");
    csr_text(csr);
    token_new(&t, "gw-1", token);
    enrol_body(token, csr, body);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ .body = body };
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        ck_assert_msg(racers[i].status == 201 || racers[i].status == 410, "%u", racers[i].status);
        made += racers[i].status == 201;
    }
    ck_assert_int_eq(made, 1);
    ck_assert_int_eq(
        sql_number("select count(*) from gateway_certificate where tenant_id = %d", t.id), 1);
}
END_TEST

START_TEST(revocation_takes_certificates_and_open_tokens)
{
    struct test_tenant t;
    char csr[4000];
    char token[100];
    char open[100];
    char body[6000];
    char technician[80];
    char certificates[80];

    tenant_new(&t, "revoke");
    tenant_key(&t, "field-technician", technician);
    tenant_key(&t, "certificate-manager", certificates);
    gateway_new(&t, "gw-1");
    csr_text(csr);
    token_new(&t, "gw-1", token);
    token_new(&t, "gw-1", open);
    enrol_body(token, csr, body);
    ask(201, NULL, "POST", body, "/api/v1/enrol");
    unsigned before = api_woken();
    ask(204, certificates, "POST", "{\"reason\":\"stolen\"}",
        "/api/v1/tenants/revoke/gateways/gw-1/revoke");
    ck_assert_uint_gt(api_woken(), before);
    ck_assert_int_eq(sql_number("select count(*) from gateway_certificate where tenant_id = %d and"
                                " revoked_at is not null and revoke_reason = 'stolen'",
                                t.id),
                     1);
    enrol_body(open, csr, body);
    ask(401, NULL, "POST", body, "/api/v1/enrol");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/revoke/gateways/gw-1");
    ck_assert_str_eq(text_at("state"), "revoked");
    /* Who may not revoke cannot undo it. */
    ask(409, technician, "POST", NULL, "/api/v1/tenants/revoke/gateways/gw-1/enrolment");
    check_problem("conflict", NULL);
    ask(201, certificates, "POST", NULL, "/api/v1/tenants/revoke/gateways/gw-1/enrolment");
    enrol_body(text_at("token"), csr, body);
    ask(201, NULL, "POST", body, "/api/v1/enrol");
    ck_assert_int_eq(sql_number("select count(*) from gateway_certificate where tenant_id = %d and"
                                " revoked_at is null",
                                t.id),
                     1);
    ask(404, t.key, "POST", NULL, "/api/v1/tenants/revoke/gateways/none/revoke");
}
END_TEST

START_TEST(commands_are_ordered_up_to_a_limit)
{
    static const char *const bad[] = {
        "{}",
        "{\"name\":\"\"}",
        "{\"name\":\"a\",\"arguments\":[]}",
        "{\"name\":\"a\",\"arguments\":{\"b\":1}}",
        "{\"name\":\"a\",\"arguments\":{\"b\":null}}",
        "{\"name\":\"a\",\"expires_at\":\"soon\"}",
        "{\"name\":\"a\",\"arguments\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":\"\",\"6\":"
        "\"\",\"7\":\"\",\"8\":\"\",\"9\":\"\",\"10\":\"\",\"11\":\"\",\"12\":\"\",\"13\":\"\",\"14\":"
        "\"\",\"15\":\"\",\"16\":\"\",\"17\":\"\"}}",
    };
    struct test_tenant t;

    tenant_new(&t, "commands");
    gateway_new(&t, "gw-1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "POST", bad[i], "/api/v1/tenants/commands/gateways/gw-1/commands");
    ask(404, t.key, "POST", "{\"name\":\"reboot\"}",
        "/api/v1/tenants/commands/gateways/none/commands");
    ask(202, t.key, "POST",
        "{\"name\":\"set\",\"arguments\":{\"interval\":\"15 min\",\"note\":\"\\u00fc\\\"\"},"
        "\"expires_at\":\"2999-01-01T00:00:00+01:00\"}",
        "/api/v1/tenants/commands/gateways/gw-1/commands");
    ck_assert_str_eq(text_at("arguments.interval"), "15 min");
    ck_assert_str_eq(text_at("arguments.note"), "\xc3\xbc\"");
    ck_assert_str_eq(text_at("state"), "waiting");
    unsigned before = api_woken();
    for (int i = 1; i < 64; i++)
        ask(202, t.key, "POST", "{\"name\":\"reboot\"}",
            "/api/v1/tenants/commands/gateways/gw-1/commands");
    ck_assert_uint_eq(api_woken(), before + 63);
    ask(409, t.key, "POST", "{\"name\":\"reboot\"}",
        "/api/v1/tenants/commands/gateways/gw-1/commands");
    sql("update command set state = 2, sent_at = now(), ended_at = now(), result = 'ok'"
        " where tenant_id = %d and name = 'set'",
        t.id);
    ask(202, t.key, "POST", "{\"name\":\"last\"}",
        "/api/v1/tenants/commands/gateways/gw-1/commands");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/commands/gateways/gw-1/commands?limit=64");
    ck_assert_str_eq(text_at("items.0.name"), "last"); /* the newest first */
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/commands/gateways/gw-1/commands?limit=64&cursor=%s", text_at("next"));
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(text_at("items.0.name"), "set");
    ck_assert_str_eq(text_at("items.0.state"), "done");
    ck_assert_str_eq(text_at("items.0.result"), "ok");
}
END_TEST

TCase *gateway_tests(void)
{
    TCase *c = tcase_create("gateway");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_gateway_is_announced_once);
    tcase_add_test(c, gateways_are_paged_with_their_state);
    tcase_add_test(c, a_gateway_gets_its_certificate_for_a_token_once);
    tcase_add_test(c, a_wrong_request_costs_no_token);
    tcase_add_test(c, a_tenant_whose_authority_does_not_open_is_our_fault);
    tcase_add_test(c, of_those_who_spend_a_token_together_one_wins);
    tcase_add_test(c, revocation_takes_certificates_and_open_tokens);
    tcase_add_test(c, commands_are_ordered_up_to_a_limit);
    return c;
}
