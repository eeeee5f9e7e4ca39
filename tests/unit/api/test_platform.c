/* Operators, tenants, API keys, rights. */
#include "api_fixture.h"
#include "api_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- login --- */

static void login(unsigned status, const char *user, const char *password, const char *new_password)
{
    char body[700];

    if (new_password != NULL)
        snprintf(body, sizeof body, "{\"user\":\"%s\",\"password\":\"%s\",\"new_password\":\"%s\"}",
                 user, password, new_password);
    else
        snprintf(body, sizeof body, "{\"user\":\"%s\",\"password\":\"%s\"}", user, password);
    ask(status, NULL, "POST", body, "/api/v1/login");
}

START_TEST(a_one_time_password_is_exchanged_for_another_one_once)
{
    char key[80];

    platform_user("anna", "k7m2-good-for-once", true, PLATFORM_OPERATOR);
    login(401, "anna", "wrong", NULL);
    check_problem("unauthorized", NULL);
    login(401, "nobody", "k7m2-good-for-once", NULL);
    login(403, "anna", "k7m2-good-for-once", NULL);
    check_problem("password-change-required", "new_password");
    login(400, "anna", "k7m2-good-for-once", "short");
    check_problem("invalid", "new_password");
    login(400, "anna", "k7m2-good-for-once", "k7m2-good-for-once");
    check_problem("invalid", "new_password");
    login(201, "anna", "k7m2-good-for-once", "correct horse battery");
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    ck_assert_str_eq(text_at("role"), "operator");
    ask(200, key, "GET", NULL, "/api/v1/tenants");
    login(401, "anna", "k7m2-good-for-once", "another long password");
    login(201, "anna", "correct horse battery", NULL);
    ck_assert_str_ne(text_at("api_key"), key);
    ask(200, key, "GET", NULL, "/api/v1/tenants"); /* keys live side by side */
    ck_assert_int_eq(
        sql_number("select count(*) from audit where tenant_id = 0 and action = 'operator.login'"
                   " and actor = 'user:anna'"),
        2);
    sql("update platform_user set disabled_at = now() where name = 'anna'");
    ask(401, key, "GET", NULL, "/api/v1/tenants");
    login(401, "anna", "correct horse battery", NULL);
    check_told_nowhere("good-for-once");
    check_told_nowhere("battery");
}
END_TEST

START_TEST(guessing_passwords_is_slowed_down_and_not_for_ever)
{
    platform_user("bert", "a password of his", false, PLATFORM_AUDITOR);
    login(201, "bert", "a password of his", NULL);
    ck_assert_str_eq(text_at("role"), "auditor");
    for (int i = 0; i < 10; i++)
        login(401, i % 2 ? "bert" : "nobody", "guess", NULL);
    login(429, "bert", "a password of his", NULL);
    check_problem("too-many", NULL);
    ck_assert_str_eq(last_header("Retry-After"), "1");
    /* Every further failure doubles the wait, up to a minute. */
    for (int i = 0; i < 12; i++) {
        sql("update login_throttle set blocked_until = now() where blocked_until > now()");
        login(401, i % 2 ? "bert" : "somebody", "guess", NULL);
    }
    login(429, "bert", "a password of his", NULL);
    long wait = strtol(last_header("Retry-After"), NULL, 10);
    ck_assert_int_ge(wait, 30);
    ck_assert_int_le(wait, 60);
    sql("update login_throttle set blocked_until = now() where blocked_until > now()");
    login(201, "bert", "a password of his", NULL);
    /* Nobody is named in the throttle. */
    ck_assert_int_eq(sql_number("select count(*) from login_throttle"
                                " where encode(key, 'escape') like '%%bert%%'"),
                     0);
}
END_TEST

START_TEST(a_stranger_slows_down_nobody_where_he_is_known)
{
    platform_user("dora", "a password of hers", false, PLATFORM_OPERATOR);
    login(201, "dora", "a password of hers", NULL);
    /* As if it came from elsewhere: the name waits, the address does not. */
    sql("insert into login_throttle values (1, sha256('dora'), 40, now(), now() + interval '30 s')"
        " on conflict (kind, key) do update set blocked_until = now() + interval '30 s'");
    login(201, "dora", "a password of hers", NULL);
    sql("delete from login_place");
    login(429, "dora", "a password of hers", NULL);
    ck_assert_int_le(strtol(last_header("Retry-After"), NULL, 10), 30);
    ck_assert_int_eq(
        sql_number("select coalesce(max(attempts), 0) from login_throttle where kind = 0"), 0);
    /* What nobody tried for a quarter of an hour is forgotten. */
    sql("update login_throttle set last_at = now() - interval '16 min',"
        " blocked_until = now() - interval '15 min'");
    login(401, "dora", "a guess", NULL);
    ck_assert_int_eq(sql_number("select max(attempts) from login_throttle"), 1);
}
END_TEST

START_TEST(a_password_of_many_bytes_is_refused_with_its_field)
{
    char password[420] = "";

    platform_user("cleo", "a password of her", false, PLATFORM_OPERATOR);
    for (int i = 0; i < 150; i++)
        snprintf(password + strlen(password), sizeof password - strlen(password), "\xc3\xa4");
    login(400, "cleo", "a password of her", password);
    check_problem("invalid", "new_password");
    login(201, "cleo", "a password of her", NULL);
}
END_TEST

/* --- tenants --- */

START_TEST(an_operator_makes_a_tenant_with_everything_it_needs)
{
    struct test_tenant t;

    tenant_new(&t, "stadtwerke");
    ck_assert_int_eq(sql_number("select count(*) from tenant_key where tenant_id = %d", t.id), 1);
    ck_assert_int_eq(sql_number("select count(*) from tenant_ca where tenant_id = %d and"
                                " chain_pem like '-----BEGIN CERTIFICATE%%'",
                                t.id),
                     1);
    ck_assert_int_eq(sql_number("select count(*) from tenant_ca where tenant_id = %d and"
                                " position('PRIVATE'::bytea in key_blob) > 0",
                                t.id),
                     0);
    ck_assert_int_eq(sql_number("select count(*) from registry_version where tenant_id = %d", t.id),
                     1);
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = 0 and action ="
                                " 'tenant.create' and object = 'stadtwerke' and actor ="
                                " 'user:operator'"),
                     1);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/stadtwerke");
    ck_assert_str_eq(text_at("name"), "The stadtwerke");
    ck_assert_str_eq(text_at("device_policy"), "learn");
    ck_assert(json_is_null(value_at("own_mp_id")));
    ask(200, t.key, "GET", NULL, "/api/v1/tenants");
    ck_assert_uint_eq(items(), 1); /* its own */
}
END_TEST

START_TEST(a_tenant_that_breaks_a_rule_is_not_made)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *field;
    } cases[] = {
        { "{\"key\":\"taken\",\"name\":\"a\"}", 409, "key" },
        { "{\"key\":\"Big\",\"name\":\"a\"}", 400, "key" },
        { "{\"key\":\"-a\",\"name\":\"a\"}", 400, "key" },
        { "{\"key\":\"a b\",\"name\":\"a\"}", 400, "key" },
        { "{\"key\":\"\",\"name\":\"a\"}", 400, "key" },
        { "{\"key\":\"0123456789012345678901234567890123456789012345678901234567890123\","
          "\"name\":\"a\"}",
          400, "key" },
        { "{\"key\":\"new\",\"name\":\"\"}", 400, "name" },
        { "{\"key\":\"new\"}", 400, "name" },
        { "{\"name\":\"a\"}", 400, "key" },
        { "{\"key\":7,\"name\":\"a\"}", 400, "key" },
        { "{\"key\":\"new\",\"name\":null}", 400, "name" },
        { "{\"key\":\"new\",\"name\":\"a\",\"own_mp_id\":\"99000000\"}", 400, "own_mp_id" },
        { "{\"key\":\"new\",\"name\":\"a\",\"own_mp_id\":\"990000000000x\"}", 400, "own_mp_id" },
        { "{\"key\":\"new\",\"name\":\"a\",\"state\":1}", 400, NULL },
    };
    struct test_tenant t;

    tenant_new(&t, "taken");
    int64_t n = sql_number("select count(*) from tenant");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].status, platform.operator_key, "POST", cases[i].body, "/api/v1/tenants");
        check_problem(cases[i].status == 409 ? "conflict" : "invalid", cases[i].field);
    }
    ask(403, t.key, "POST", "{\"key\":\"new\",\"name\":\"a\"}", "/api/v1/tenants");
    ask(403, platform.auditor_key, "POST", "{\"key\":\"new\",\"name\":\"a\"}", "/api/v1/tenants");
    ask(401, NULL, "POST", "{\"key\":\"new\",\"name\":\"a\"}", "/api/v1/tenants");
    ck_assert_int_eq(sql_number("select count(*) from tenant"), n);
    ask(201, platform.operator_key, "POST",
        "{\"key\":\"with-mp-id\",\"name\":\"a\",\"own_mp_id\":\"9900999000106\"}",
        "/api/v1/tenants");
    ck_assert_str_eq(text_at("tenant.own_mp_id"), "9900999000106");
}
END_TEST

START_TEST(tenants_are_paged_without_gap_or_repetition)
{
    struct test_tenant t;
    char cursor[64] = "";
    char name[40];
    int64_t seen = 0;

    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "paged-%d", i);
        tenant_new(&t, name);
    }
    do {
        ask(200, platform.auditor_key, "GET", NULL, "/api/v1/tenants?limit=2&cursor=%s", cursor);
        ck_assert_uint_le(items(), 2);
        seen += (int64_t)items();
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, sql_number("select count(*) from tenant"));
    static const char *const bad[] = { "limit=0",    "limit=1001",
                                       "limit=x",    "limit=-1",
                                       "cursor=x",   "cursor=-1",
                                       "limit=",     "cursor=99999999999",
                                       "limit=1%20", "cursor=99999999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, platform.operator_key, "GET", NULL, "/api/v1/tenants?%s", bad[i]);
}
END_TEST

START_TEST(settings_of_a_tenant_change_one_by_one)
{
    static const char *const bad[] = {
        "{\"profile_tolerance_s\":451}",  "{\"profile_tolerance_s\":-1}",
        "{\"raw_retention_days\":0}",     "{\"reading_retention_days\":36501}",
        "{\"device_policy\":\"all\"}",    "{\"name\":\"\"}",
        "{\"own_mp_id\":\"1\"}",          "{\"raw_retention_days\":1.5}",
        "{\"raw_retention_days\":\"7\"}", "{\"key\":\"other\"}"
    };
    struct test_tenant t;

    tenant_new(&t, "settings");
    int64_t version = sql_number("select version from registry_version where tenant_id = %d", t.id);
    ask(200, t.key, "PATCH", "{\"name\":\"Gr\\u00fcn\",\"own_mp_id\":\"9900999000106\"}",
        "/api/v1/tenants/settings");
    ck_assert_str_eq(text_at("name"), "Gr\xc3\xbcn");
    ask(200, t.key, "PATCH", "{\"device_policy\":\"allow-list\",\"raw_retention_days\":30}",
        "/api/v1/tenants/settings");
    ck_assert_str_eq(text_at("name"), "Gr\xc3\xbcn");
    ck_assert_str_eq(text_at("own_mp_id"), "9900999000106");
    ck_assert_int_eq(int_at("raw_retention_days"), 30);
    ask(200, t.key, "PATCH", "{\"own_mp_id\":null}", "/api/v1/tenants/settings");
    ck_assert(json_is_null(value_at("own_mp_id")));
    ask(200, t.key, "PATCH", "{}", "/api/v1/tenants/settings");
    ck_assert_int_gt(sql_number("select version from registry_version where tenant_id = %d", t.id),
                     version);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "PATCH", bad[i], "/api/v1/tenants/settings");
    /* As an operator; and a name that the audit has to cut. */
    char body[1000] = "{\"name\":\"";
    for (int i = 0; i < 200; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "\xe2\x82\xac");
    snprintf(body + strlen(body), sizeof body - strlen(body), "\"}");
    ask(200, platform.operator_key, "PATCH", body, "/api/v1/tenants/settings");
    ask(404, platform.operator_key, "PATCH", "{}", "/api/v1/tenants/none");
    ask(403, platform.auditor_key, "PATCH", "{}", "/api/v1/tenants/settings");
}
END_TEST

/* --- keys --- */

START_TEST(a_key_works_until_it_is_revoked_or_its_time_is_over)
{
    struct test_tenant t;
    char key[80];
    char body[200];

    tenant_new(&t, "keys");
    ask(201, t.key, "POST", "{\"name\":\"nightly\",\"role\":\"data-manager\"}",
        "/api/v1/tenants/keys/api-keys");
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    int64_t id = int_at("key.id");
    ck_assert(json_is_null(value_at("key.last_used_at")));
    ask(200, key, "GET", NULL, "/api/v1/tenants/keys");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/keys/api-keys");
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(text_at("items.1.name"), "nightly");
    ck_assert_str_eq(text_at("items.1.role"), "data-manager");
    ck_assert(json_is_string(value_at("items.1.last_used_at")));
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/keys/api-keys?limit=1");
    ck_assert_str_eq(text_at("items.0.name"), "first key");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/keys/api-keys?limit=1&cursor=%s",
        text_at("next"));
    ck_assert_str_eq(text_at("items.0.name"), "nightly");
    ck_assert_ptr_null(value_at("next"));

    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/keys/api-keys/%lld", (long long)id);
    ask(401, key, "GET", NULL, "/api/v1/tenants/keys");
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/keys/api-keys/%lld", (long long)id);
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/keys/api-keys/x");
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/keys/api-keys/99999999999999999999");

    snprintf(body, sizeof body,
             "{\"name\":\"short\",\"role\":\"reader\",\"expires_at\":\"2999-01-01T00:00:00Z\"}");
    ask(201, t.key, "POST", body, "/api/v1/tenants/keys/api-keys");
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    ask(200, key, "GET", NULL, "/api/v1/tenants/keys");
    sql("update api_key set expires_at = now() - interval '1 second' where key_id = %lld",
        (long long)sql_number("select max(key_id) from api_key where tenant_id = %d", t.id));
    ask(401, key, "GET", NULL, "/api/v1/tenants/keys");
    ask(400, t.key, "POST",
        "{\"name\":\"a\",\"role\":\"reader\",\"expires_at\":\"2020-01-01T00:00:00Z\"}",
        "/api/v1/tenants/keys/api-keys");
    check_problem("invalid", "expires_at");
    ask(400, t.key, "POST", "{\"name\":\"a\",\"role\":\"god\"}", "/api/v1/tenants/keys/api-keys");
    check_problem("invalid", "role");
    sql("update tenant set state = 1 where id = %d", t.id);
    ask(401, t.key, "GET", NULL, "/api/v1/tenants/keys");
    sql("update tenant set state = 0 where id = %d", t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/keys");
}
END_TEST

START_TEST(a_long_name_of_a_key_is_cut_where_a_character_ends)
{
    struct test_tenant t;
    char body[600] = "{\"role\":\"tenant-admin\",\"name\":\"";
    char key[80];

    tenant_new(&t, "long-names");
    for (int i = 0; i < 100; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "\xe2\x82\xac");
    size_t n = strlen(body);
    snprintf(body + n, sizeof body - n, "\"}");
    ask(201, t.key, "POST", body, "/api/v1/tenants/long-names/api-keys");
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    /* Its name goes into the audit. */
    ask(200, key, "PATCH", "{\"name\":\"a\"}", "/api/v1/tenants/long-names");
    snprintf(body + n, sizeof body - n, "x\"}");
    ask(400, t.key, "POST", body, "/api/v1/tenants/long-names/api-keys");
    check_problem("invalid", "name");
}
END_TEST

START_TEST(what_is_no_key_is_told_nothing)
{
    static const char *const headers[] = {
        "",
        "Authorization: \r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer emt_1_\r\n",
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer emt_1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        "Authorization: Bearer emt_op_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        "Authorization: Bearer xyz_op_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
    };
    struct test_tenant t;
    char header[300];
    char first[400] = "";

    tenant_new(&t, "no-key");
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        ask_with(401, headers[i], "GET", NULL, 0, "/api/v1/tenants/no-key");
        ck_assert_str_eq(last_header("WWW-Authenticate"), "Bearer");
        if (*first)
            ck_assert_str_eq(text_at("detail"), first); /* the same for all */
        snprintf(first, sizeof first, "%s", text_at("detail"));
    }
    snprintf(header, sizeof header, "Authorization: Bearer %.*sx\r\n", (int)strlen(t.key) - 1,
             t.key);
    ask_with(401, header, "GET", NULL, 0, "/api/v1/tenants/no-key");
    snprintf(header, sizeof header, "Authorization: Bearer %s%0100d\r\n", t.key, 0);
    ask_with(401, header, "GET", NULL, 0, "/api/v1/tenants/no-key");
    snprintf(header, sizeof header, "authorization: bEARER %s\r\n", t.key);
    ask_with(200, header, "GET", NULL, 0, "/api/v1/tenants/no-key");
}
END_TEST

/* --- rights: the table is held against the document elsewhere (test_api_parts.c) --- */

/* The pattern with a tenant, and 0 for everything else, which names nothing. */
static char *target_of(const char *pattern, const char *tenant, char out[200])
{
    size_t n = 0;

    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p != '{') {
            out[n++] = *p;
            continue;
        }
        n +=
            (size_t)snprintf(out + n, 200 - n, "%s", strncmp(p, "{tenant}", 8) == 0 ? tenant : "0");
        p += strcspn(p, "}");
    }
    out[n] = '\0';
    return out;
}

START_TEST(every_role_may_exactly_what_the_table_says)
{
    static const char *const roles[] = { "reader", "field-technician", "data-manager",
                                         "certificate-manager", "tenant-admin" };
    struct test_tenant t;
    char key[5][80];
    char target[200];

    tenant_new(&t, "rights");
    for (int i = 0; i < 5; i++)
        tenant_key(&t, roles[i], key[i]);
    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        const struct api_route *route = api_route_at(i);
        const char *method = http_method_name(route->method);
        const char *body = route->method != HTTP_GET ? "{}" : NULL;

        /* An event stream has no end; tests/e2e/privileges.py asks for it too. */
        if (route->access == ACCESS_PUBLIC || strstr(route->pattern, "/stream") != NULL)
            continue;
        target_of(route->pattern, "rights", target);
        ask(401, NULL, method, body, "%s", target);
        if (route->access == ACCESS_SESSION) {
            ask(401, key[4], method, body, "%s", target);
            continue;
        }
        for (unsigned r = 0; r < 5; r++) {
            bool may = route->access == ACCESS_ANY || (route->roles & ROLE_BIT(r)) != 0;

            ask(0, key[r], method, body, "%s", target);
            ck_assert_msg(may == (last_status() != 403), "%s: %s %s", roles[r], method, target);
            ck_assert_uint_lt(last_status(), 500);
            ck_assert_uint_ne(last_status(), 401);
        }
        if (body != NULL) {
            ask(403, platform.auditor_key, method, body, "%s", target);
        } else {
            ask(0, platform.auditor_key, method, body, "%s", target);
            ck_assert(last_status() == 200 || last_status() == 404);
        }
    }
}
END_TEST

START_TEST(another_tenant_does_not_exist)
{
    struct test_tenant mine;
    struct test_tenant theirs;
    char target[200];
    char detail[300];

    tenant_new(&mine, "mine");
    tenant_new(&theirs, "theirs");
    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        const struct api_route *route = api_route_at(i);
        const char *method = http_method_name(route->method);
        const char *body = route->method != HTTP_GET ? "{}" : NULL;

        if (strstr(route->pattern, "{tenant}") == NULL)
            continue;
        ask(404, mine.key, method, body, "%s", target_of(route->pattern, "nobodys", target));
        snprintf(detail, sizeof detail, "%s", text_at("detail"));
        ask(404, mine.key, method, body, "%s", target_of(route->pattern, "theirs", target));
        /* Word for word as a tenant that was never there. */
        ck_assert_str_eq(strstr(text_at("detail"), " does not exist"),
                         strstr(detail, " does not exist"));
    }
}
END_TEST

TCase *platform_tests(void)
{
    TCase *c = tcase_create("platform");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_one_time_password_is_exchanged_for_another_one_once);
    tcase_add_test(c, guessing_passwords_is_slowed_down_and_not_for_ever);
    tcase_add_test(c, a_stranger_slows_down_nobody_where_he_is_known);
    tcase_add_test(c, a_password_of_many_bytes_is_refused_with_its_field);
    tcase_add_test(c, an_operator_makes_a_tenant_with_everything_it_needs);
    tcase_add_test(c, a_tenant_that_breaks_a_rule_is_not_made);
    tcase_add_test(c, tenants_are_paged_without_gap_or_repetition);
    tcase_add_test(c, settings_of_a_tenant_change_one_by_one);
    tcase_add_test(c, a_key_works_until_it_is_revoked_or_its_time_is_over);
    tcase_add_test(c, a_long_name_of_a_key_is_cut_where_a_character_ends);
    tcase_add_test(c, what_is_no_key_is_told_nothing);
    tcase_add_test(c, every_role_may_exactly_what_the_table_says);
    tcase_add_test(c, another_tenant_does_not_exist);
    return c;
}
