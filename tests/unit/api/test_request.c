/* Requests as such: paths, methods, bodies that are none, and what is answered without a database.
 */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(health_and_document_need_no_key)
{
    size_t n = 0;

    ask(200, NULL, "GET", NULL, "/healthz");
    ck_assert_str_eq(text_at("status"), "ok");
    ask(200, NULL, "GET", NULL, "/api/v1/openapi.yaml");
    ck_assert_str_eq(last_header("Content-Type"), "application/yaml");
    ck_assert_int_eq(strncmp(last_body(&n), "openapi: 3.1.0", 14), 0);
}
END_TEST

START_TEST(head_is_get_without_a_body)
{
    struct test_tenant t;
    char length[16];
    size_t n = 0;

    tenant_new(&t, "head");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/head");
    snprintf(length, sizeof length, "%s", last_header("Content-Length"));
    ask(200, t.key, "HEAD", NULL, "/api/v1/tenants/head");
    last_body(&n);
    ck_assert_uint_eq(n, 0);
    ck_assert_str_eq(last_header("Content-Length"), length);
    ck_assert_str_eq(last_header("Content-Type"), "application/json");
    ask(404, t.key, "HEAD", NULL, "/api/v1/tenants/none");
    ask(401, NULL, "HEAD", NULL, "/api/v1/tenants/head");
    ask(200, NULL, "HEAD", NULL, "/healthz");
    ask(405, NULL, "HEAD", NULL, "/api/v1/login");
}
END_TEST

START_TEST(another_method_is_told_the_right_ones)
{
    static const struct {
        const char *method, *path, *allow;
    } cases[] = {
        { "DELETE", "/healthz", "GET, HEAD" },
        { "GET", "/api/v1/login", "POST" },
        { "PUT", "/api/v1/tenants/a", "GET, HEAD, PATCH" },
        { "OPTIONS", "/api/v1/tenants", "GET, HEAD, POST" },
        { "POST", "/api/v1/tenants/a/gateways/b", "GET, HEAD, PATCH" },
        { "BREW", "/api/v1/tenants/a/exports/1/content", "GET, HEAD" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(405, platform.operator_key, cases[i].method, NULL, "%s", cases[i].path);
        ck_assert_str_eq(last_header("Allow"), cases[i].allow);
        check_problem("method", NULL);
    }
}
END_TEST

START_TEST(a_path_that_is_none_is_not_found)
{
    static const char *const paths[] = {
        "/",
        "/api/v2/tenants",
        "/api/v1/tenants/",
        "/api/v1/tenants/a/",
        "/healthz/x",
        "/api/v1/tenants/%ff",
        "/api/v1/tenants/%c3",
        "/api/v1/tenants/%ed%a0%80/gateways",
    };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        ask(404, platform.operator_key, "GET", NULL, "%s", paths[i]);
    /* Well-formed, but nobody's: as long as it gets, and with every kind of character. */
    ask(404, platform.operator_key, "GET", NULL, "/api/v1/tenants/%s",
        "%E2%82%AC%22%27%3B--%20drop%20table%20tenant");
    ask(404, platform.operator_key, "GET", NULL, "/api/v1/tenants/%0500d", 0);
    ask(404, platform.operator_key, "GET", NULL, "/api/v1/tenants/%0600d", 0);
    ask(404, platform.operator_key, "GET", NULL,
        "/api/v1/tenants/"
        "%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC"
        "%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC"
        "%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC"
        "%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC"
        "%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC%%E2%%82%%AC"
        "%%E2%%82%%ACa"); /* the detail cuts it */
}
END_TEST

START_TEST(a_query_is_text)
{
    struct test_tenant t;

    tenant_new(&t, "query");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/query/devices?number=%%ff");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/query/devices?cursor=%%c3");
    ask(400, t.key, "GET", NULL, "/api/v1/tenants/query/devices?limit=5&limit=%%ff");
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/query/devices?cursor=%%C3%%A4%%27%%22&number=%%C3%%A4");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/query/gateways?cursor=zzz");
    ck_assert_uint_eq(items(), 0);
}
END_TEST

START_TEST(a_body_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "{",
        "}",
        "[]",
        "null",
        "1",
        "\"a\"",
        "{\"id\":\"a\"} x",
        "{\"id\":\"a\"}{}",
        "{\"id\":\"a\",}",
        "{'id':'a'}",
        "{\"id\":\"a\",\"id\":\"b\"}",
        "{\"id\":\"a\\u0000b\"}",
        "{\"id\":\"\\ud800\"}",
        "{\"id\":\"a\",\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
        "\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\":1}",
        "{\"id\":1}",
        "{\"id\":[\"a\"]}",
        "{\"id\":{\"a\":1}}",
        "{\"id\":true}",
        "{\"id\":null}",
    };
    struct test_tenant t;
    char headers[200];

    tenant_new(&t, "bodies");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "POST", bad[i], "/api/v1/tenants/bodies/gateways");
    ask(400, t.key, "POST", "", "/api/v1/tenants/bodies/gateways");
    check_problem("invalid", "id");
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", t.key);
    ask_with(400, headers, "POST", "{\"id\":\"\xff\"}", 10, "/api/v1/tenants/bodies/gateways");
    ask_with(400, headers, "POST", "{\"id\":\"a\0b\"}", 12, "/api/v1/tenants/bodies/gateways");
    ask_with(400, headers, "POST", "\xef\xbb\xbf{}", 5, "/api/v1/tenants/bodies/gateways");

    /* Deep, and long. */
    size_t n = 200000;
    char *text = malloc(n + 1);
    memset(text, '[', n);
    ask_with(400, headers, "POST", text, n, "/api/v1/tenants/bodies/gateways");
    memset(text, 'a', n);
    memcpy(text, "{\"id\":\"b\",\"name\":\"", 18);
    memcpy(text + n - 2, "\"}", 2);
    ask_with(400, headers, "POST", text, n, "/api/v1/tenants/bodies/gateways");
    check_problem("invalid", "name");
    free(text);
    ck_assert_int_eq(sql_number("select count(*) from gateway where tenant_id = %d", t.id), 0);

    /* 200 characters are 200 characters. */
    char body[1000] = "{\"id\":\"b\",\"name\":\"";
    for (int i = 0; i < 200; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "\xf0\x9f\x98\x80");
    snprintf(body + strlen(body), sizeof body - strlen(body), "\"}");
    ask(201, t.key, "POST", body, "/api/v1/tenants/bodies/gateways");
    body[strlen(body) - 2] = '\0';
    snprintf(body + strlen(body), sizeof body - strlen(body), "x\"}");
    ask(400, t.key, "POST", body, "/api/v1/tenants/bodies/gateways");
}
END_TEST

START_TEST(a_failed_request_leaves_the_connection_as_it_was)
{
    struct test_tenant t;

    tenant_new(&t, "after");
    /* Each of the four workers meets a refusal inside a transaction and then works on. */
    for (int i = 0; i < 12; i++) {
        ask(i == 0 ? 201 : 409, t.key, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/after/gateways");
        ask(400, t.key, "POST", "{\"id\":\"-\"}", "/api/v1/tenants/after/gateways");
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/after/gateways");
        ck_assert_uint_eq(items(), 1);
    }
    /* The server's own limit ends a statement; the next one works. */
    sql("alter table gateway add constraint broken check (tenant_id <> %d or name <> 'x') not valid",
        t.id);
    ask(400, t.key, "PATCH", "{\"name\":\"x\"}", "/api/v1/tenants/after/gateways/g");
    sql("alter table gateway drop constraint broken");
    ask(200, t.key, "PATCH", "{\"name\":\"x\"}", "/api/v1/tenants/after/gateways/g");
}
END_TEST

START_TEST(connections_that_broke_are_opened_again)
{
    struct test_tenant t;

    tenant_new(&t, "broken");
    for (int i = 0; i < 8; i++)
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/broken");
    sql("select pg_terminate_backend(pid) from pg_stat_activity where usename in ('emt_app',"
        " 'emt_admin')");
    int failed = 0;
    for (int i = 0; i < 12; i++) {
        ask(0, t.key, "GET", NULL, "/api/v1/tenants/broken");
        ck_assert(last_status() == 200 || last_status() == 503);
        failed += last_status() == 503;
    }
    ck_assert_int_le(failed, 4); /* at most one per worker */
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/broken");
}
END_TEST

START_TEST(without_a_database_only_health_is_well)
{
    api_stop();
    api_start_at("host=/nowhere dbname=emt");
    ask(200, NULL, "GET", NULL, "/healthz");
    ask(503, platform.operator_key, "GET", NULL, "/api/v1/tenants");
    check_problem("unavailable", NULL);
    ck_assert_ptr_nonnull(last_header("Retry-After"));
    ask(503, NULL, "POST", "{\"user\":\"a\",\"password\":\"b\"}", "/api/v1/login");
    ask(503, NULL, "POST", "{\"token\":\"a\",\"csr\":\"b\"}", "/api/v1/enrol");
}
END_TEST

TCase *request_tests(void)
{
    TCase *c = tcase_create("request");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, health_and_document_need_no_key);
    tcase_add_test(c, head_is_get_without_a_body);
    tcase_add_test(c, another_method_is_told_the_right_ones);
    tcase_add_test(c, a_path_that_is_none_is_not_found);
    tcase_add_test(c, a_query_is_text);
    tcase_add_test(c, a_body_that_is_none_is_refused);
    tcase_add_test(c, a_failed_request_leaves_the_connection_as_it_was);
    tcase_add_test(c, connections_that_broke_are_opened_again);
    tcase_add_test(c, without_a_database_only_health_is_well);
    return c;
}
