/* Users, sessions and scopes over REST: what tests/e2e/session.py attacks, here with every answer
 * held against the document. */
#include "api_fixture.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD "a password of the test"

/* Headers of a session. */
struct seat {
    char headers[400];
    char cookie[120];
    char csrf[60];
};

static void sit(struct seat *s)
{
    const char *cookie = last_header("Set-Cookie");

    ck_assert_ptr_nonnull(cookie);
    snprintf(s->cookie, sizeof s->cookie, "%.*s", (int)strcspn(cookie, ";"), cookie);
    snprintf(s->csrf, sizeof s->csrf, "%s", text_at("csrf_token"));
    snprintf(s->headers, sizeof s->headers, "Cookie: %s\r\nX-CSRF-Token: %s\r\n", s->cookie,
             s->csrf);
}

static void log_in(struct seat *s, unsigned status, const char *name, const char *password,
                   const char *new_password)
{
    char body[400];

    if (new_password != NULL)
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"password\":\"%s\",\"new_password\":\"%s\"}",
                 name, password, new_password);
    else
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"password\":\"%s\"}", name, password);
    ask(status, NULL, "POST", body, "/api/v1/sessions");
    if (status == 201)
        sit(s);
}

static json_t *as(const struct seat *s, unsigned status, const char *method, const char *body,
                  const char *target)
{
    return ask_with(status, s->headers, method, body, body != NULL ? strlen(body) : 0, target);
}

START_TEST(a_session_is_shown_changed_and_ended)
{
    struct seat a;
    struct seat b;

    platform_user("sora", "k7m2-good-for-once", true, PLATFORM_OPERATOR);
    log_in(&a, 403, "sora", "k7m2-good-for-once", NULL);
    check_problem("password-change-required", "new_password");
    log_in(&a, 400, "sora", "k7m2-good-for-once", "elevenchars");
    check_problem("invalid", "new_password");
    log_in(&a, 400, "sora", "k7m2-good-for-once", "sora has a password");
    check_problem("invalid", "new_password");
    log_in(&a, 201, "sora", "k7m2-good-for-once", PASSWORD);
    ck_assert_str_eq(text_at("user.name"), "sora");
    ck_assert_str_eq(text_at("user.platform_role"), "operator");
    log_in(&b, 201, "sora", PASSWORD, NULL);
    ck_assert_str_ne(a.cookie, b.cookie);
    as(&a, 200, "GET", NULL, "/api/v1/session");
    ck_assert_str_eq(text_at("csrf_token"), a.csrf);
    as(&a, 400, "POST", "{\"password\":\"wrong\",\"new_password\":\"another good one\"}",
       "/api/v1/session/password");
    check_problem("invalid", "password");
    as(&a, 400, "POST", "{\"password\":\"" PASSWORD "\",\"new_password\":\"" PASSWORD "\"}",
       "/api/v1/session/password");
    check_problem("invalid", "new_password");
    as(&b, 200, "GET", NULL, "/api/v1/session");
    as(&a, 204, "POST", "{\"password\":\"" PASSWORD "\",\"new_password\":\"another good one\"}",
       "/api/v1/session/password");
    as(&b, 401, "GET", NULL, "/api/v1/session");
    as(&a, 204, "DELETE", NULL, "/api/v1/session");
    as(&a, 401, "GET", NULL, "/api/v1/session");
    as(&a, 401, "GET", NULL, "/api/v1/users");
    /* A key is no session. */
    ask(401, platform.operator_key, "GET", NULL, "/api/v1/session");
    check_told_nowhere("good-for-once");
    check_told_nowhere(PASSWORD);
}
END_TEST

/* The session of s with another token and more headers. */
static void forge(struct seat *f, const struct seat *s, const char *csrf, const char *more)
{
    snprintf(f->headers, sizeof f->headers, "Cookie: %s\r\nX-CSRF-Token: %s\r\n%s", s->cookie, csrf,
             more);
}

START_TEST(a_forged_request_is_refused)
{
    struct seat s;
    struct seat other;
    struct seat forged;

    platform_user("fred", PASSWORD, false, PLATFORM_OPERATOR);
    log_in(&s, 201, "fred", PASSWORD, NULL);
    log_in(&other, 201, "fred", PASSWORD, NULL);
    snprintf(forged.headers, sizeof forged.headers, "Cookie: %s\r\n", s.cookie);
    as(&forged, 200, "GET", NULL, "/api/v1/users");
    as(&forged, 403, "POST", "{}", "/api/v1/users");
    check_problem("csrf", NULL);
    forge(&forged, &s, other.csrf, "");
    as(&forged, 403, "POST", "{}", "/api/v1/users");
    forge(&forged, &s, s.csrf, "Origin: https://evil.example\r\n");
    as(&forged, 403, "POST", "{}", "/api/v1/users");
    as(&forged, 403, "POST", "{\"name\":\"fred\",\"password\":\"" PASSWORD "\"}",
       "/api/v1/sessions");
    check_problem("csrf", NULL);
    forge(&forged, &s, s.csrf, "Origin: https://LOCALHOST\r\n");
    as(&forged, 400, "POST", "{}", "/api/v1/users");
    /* The public address of the server. */
    forge(&forged, &s, s.csrf, "Origin: https://emt.example:8443\r\n");
    as(&forged, 400, "POST", "{}", "/api/v1/users");
    /* An Authorization header decides alone. */
    forge(&forged, &s, s.csrf,
          "Authorization: Bearer emt_1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n");
    as(&forged, 401, "GET", NULL, "/api/v1/users");
}
END_TEST

START_TEST(operators_make_change_and_list_users)
{
    struct test_tenant t;
    struct seat s;
    char once[60];
    char body[200];

    tenant_new(&t, "people");
    ask(201, platform.operator_key, "POST",
        "{\"name\":\"uma\",\"display_name\":\"Uma\",\"memberships\":"
        "[{\"tenant\":\"people\",\"role\":\"data-manager\"}]}",
        "/api/v1/users");
    int64_t id = int_at("user.id");
    snprintf(once, sizeof once, "%s", text_at("password"));
    ck_assert(json_is_true(value_at("user.one_time")));
    ck_assert_str_eq(text_at("user.memberships.0.role"), "data-manager");
    log_in(&s, 201, "uma", once, PASSWORD);
    ck_assert_str_eq(text_at("tenants.0.key"), "people");
    ck_assert_str_eq(text_at("tenants.0.role"), "data-manager");
    as(&s, 200, "GET", NULL, "/api/v1/tenants/people");
    as(&s, 200, "GET", NULL, "/api/v1/tenants");
    ck_assert_uint_eq(items(), 1);
    as(&s, 403, "GET", NULL, "/api/v1/users");
    check_problem("forbidden", NULL);
    as(&s, 403, "GET", NULL, "/api/v1/tenants/people/users");
    ask(200, platform.operator_key, "GET", NULL, "/api/v1/users/%lld", (long long)id);
    ck_assert(json_is_string(value_at("last_login_at")));
    ask(200, platform.auditor_key, "GET", NULL, "/api/v1/users?limit=1");
    ck_assert_uint_eq(items(), 1);
    ask(200, platform.auditor_key, "GET", NULL, "/api/v1/users?limit=1&cursor=%s", text_at("next"));

    ask(200, platform.operator_key, "PATCH", "{\"memberships\":[]}", "/api/v1/users/%lld",
        (long long)id);
    as(&s, 401, "GET", NULL, "/api/v1/session");
    log_in(&s, 201, "uma", PASSWORD, NULL);
    as(&s, 404, "GET", NULL, "/api/v1/tenants/people");
    ask(200, platform.operator_key, "PATCH", "{\"platform_role\":\"auditor\"}",
        "/api/v1/users/%lld", (long long)id);
    as(&s, 401, "GET", NULL, "/api/v1/session");
    log_in(&s, 201, "uma", PASSWORD, NULL);
    as(&s, 200, "GET", NULL, "/api/v1/tenants/people");
    as(&s, 403, "PATCH", "{}", "/api/v1/tenants/people");
    ask(201, platform.operator_key, "POST", NULL, "/api/v1/users/%lld/one-time-password",
        (long long)id);
    as(&s, 401, "GET", NULL, "/api/v1/session");
    ask(200, platform.operator_key, "PATCH", "{\"disabled\":true}", "/api/v1/users/%lld",
        (long long)id);
    snprintf(body, sizeof body, "%s", text_at("disabled_at"));
    ask(200, platform.operator_key, "PATCH", "{\"disabled\":true}", "/api/v1/users/%lld",
        (long long)id);
    ck_assert_str_eq(text_at("disabled_at"), body); /* the first time counts */
    log_in(&s, 401, "uma", PASSWORD, NULL);
    check_told_nowhere(PASSWORD);
}
END_TEST

START_TEST(a_user_that_breaks_a_rule_is_not_made)
{
    static const struct {
        const char *body, *field;
        unsigned status;
    } cases[] = {
        { "{}", "name", 400 },
        { "{\"name\":\"\"}", "name", 400 },
        { "{\"name\":\"Anna\"}", "name", 400 },
        { "{\"name\":\"an na\"}", "name", 400 },
        { "{\"name\":\".anna\"}", "name", 400 },
        { "{\"name\":\"\xd0\xb0nna\"}", "name", 400 }, /* a Cyrillic a */
        { "{\"name\":\"anna\\u0000\"}", NULL, 400 },
        { "{\"name\":\"operator\"}", "name", 409 },
        { "{\"name\":\"ok\",\"platform_role\":\"god\"}", "platform_role", 400 },
        { "{\"name\":\"ok\",\"memberships\":{}}", "memberships", 400 },
        { "{\"name\":\"ok\",\"memberships\":[1]}", "memberships", 400 },
        { "{\"name\":\"ok\",\"memberships\":[{\"tenant\":\"x\"}]}", "memberships", 400 },
        { "{\"name\":\"ok\",\"memberships\":[{\"tenant\":\"none\",\"role\":\"reader\"}]}",
          "memberships", 400 },
        { "{\"name\":\"ok\",\"memberships\":[{\"tenant\":\"rules\",\"role\":\"operator\"}]}",
          "memberships", 400 },
        { "{\"name\":\"ok\",\"memberships\":[{\"tenant\":\"rules\",\"role\":\"reader\",\"x\":1}]}",
          "memberships", 400 },
        { "{\"name\":\"ok\",\"password\":\"my own choice of it\"}", NULL, 400 },
    };
    struct test_tenant t;

    tenant_new(&t, "rules");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].status, platform.operator_key, "POST", cases[i].body, "/api/v1/users");
        check_problem(cases[i].status == 409 ? "conflict" : "invalid", cases[i].field);
    }
    ck_assert_int_eq(sql_number("select count(*) from platform_user where name = 'ok'"), 0);
    ask(404, platform.operator_key, "GET", NULL, "/api/v1/users/4711");
    ask(404, platform.operator_key, "GET", NULL, "/api/v1/users/x");
    ask(404, platform.operator_key, "PATCH", "{}", "/api/v1/users/4711");
    ask(404, platform.operator_key, "POST", NULL, "/api/v1/users/4711/one-time-password");
    ask(400, platform.operator_key, "POST", "{\"password\":\"x\"}",
        "/api/v1/users/1/one-time-password");
}
END_TEST

START_TEST(a_tenant_has_its_own_users)
{
    struct test_tenant t;
    struct test_tenant other;
    struct seat s;
    char once[60];

    tenant_new(&t, "own-users");
    tenant_new(&other, "other-users");
    ask(201, t.key, "POST", "{\"name\":\"vera\",\"role\":\"reader\"}",
        "/api/v1/tenants/own-users/users");
    int64_t id = int_at("user.id");
    snprintf(once, sizeof once, "%s", text_at("password"));
    ask(409, t.key, "POST", "{\"name\":\"vera\",\"role\":\"reader\"}",
        "/api/v1/tenants/own-users/users");
    check_problem("conflict", "name");
    log_in(&s, 201, "vera", once, PASSWORD);
    as(&s, 200, "GET", NULL, "/api/v1/tenants/own-users/gateways");
    as(&s, 404, "GET", NULL, "/api/v1/tenants/other-users");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/own-users/users");
    ck_assert_uint_eq(items(), 1);
    ask(200, other.key, "GET", NULL, "/api/v1/tenants/other-users/users");
    ck_assert_uint_eq(items(), 0);
    /* Another tenant's administrator finds nobody of this number. */
    ask(404, other.key, "GET", NULL, "/api/v1/tenants/other-users/users/%lld", (long long)id);
    ask(404, other.key, "PATCH", "{\"role\":\"tenant-admin\"}",
        "/api/v1/tenants/other-users/users/%lld", (long long)id);
    ask(404, other.key, "DELETE", NULL, "/api/v1/tenants/other-users/users/%lld", (long long)id);
    ask(404, other.key, "POST", NULL, "/api/v1/tenants/other-users/users/%lld/one-time-password",
        (long long)id);
    as(&s, 200, "GET", NULL, "/api/v1/session");

    ask(200, t.key, "PATCH", "{\"display_name\":\"Vera\"}", "/api/v1/tenants/own-users/users/%lld",
        (long long)id);
    ck_assert_str_eq(text_at("display_name"), "Vera");
    as(&s, 200, "GET", NULL, "/api/v1/session");
    ask(200, t.key, "PATCH", "{\"role\":\"tenant-admin\"}", "/api/v1/tenants/own-users/users/%lld",
        (long long)id);
    as(&s, 401, "GET", NULL, "/api/v1/session");
    ask(201, t.key, "POST", NULL, "/api/v1/tenants/own-users/users/%lld/one-time-password",
        (long long)id);
    snprintf(once, sizeof once, "%s", text_at("password"));
    log_in(&s, 201, "vera", once, "another good one");
    as(&s, 204, "POST",
       "{\"password\":\"another good one\",\"new_password\":\"and one more of it\"}",
       "/api/v1/session/password");
    /* Known to a second tenant: neither may change what is the whole user's. */
    sql("insert into membership (tenant_id, user_id, role) values (%d, %lld, 0)", (int)other.id,
        (long long)id);
    ask(409, t.key, "PATCH", "{\"disabled\":true}", "/api/v1/tenants/own-users/users/%lld",
        (long long)id);
    ask(409, t.key, "POST", NULL, "/api/v1/tenants/own-users/users/%lld/one-time-password",
        (long long)id);
    ask(204, other.key, "DELETE", NULL, "/api/v1/tenants/other-users/users/%lld", (long long)id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/own-users/users/%lld", (long long)id);
    ck_assert(json_is_null(value_at("disabled_at")));
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/own-users/users/%lld", (long long)id);
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/own-users/users/%lld", (long long)id);
    ck_assert_int_eq(sql_number("select count(*) from platform_user where id = %lld"
                                " and disabled_at is not null",
                                (long long)id),
                     1);
}
END_TEST

START_TEST(a_scope_opens_one_thing)
{
    struct test_tenant t;
    char key[80];

    tenant_new(&t, "scopes");
    ask(201, t.key, "POST",
        "{\"name\":\"k\",\"role\":\"tenant-admin\",\"scopes\":[\"gateways:write\","
        "\"devices:read\",\"users:write\",\"gateways:write\"]}",
        "/api/v1/tenants/scopes/api-keys");
    ck_assert_uint_eq(json_array_size(value_at("key.scopes")), 3);
    ck_assert_str_eq(text_at("key.scopes.0"), "gateways:write"); /* in their own order */
    snprintf(key, sizeof key, "%s", text_at("api_key"));
    ask(201, key, "POST", "{\"id\":\"g\"}", "/api/v1/tenants/scopes/gateways");
    ask(403, key, "GET", NULL, "/api/v1/tenants/scopes/gateways");
    check_problem("scope", NULL);
    ask(403, key, "HEAD", NULL, "/api/v1/tenants/scopes/gateways");
    ask(403, key, "GET", NULL, "/api/v1/tenants");
    check_problem("scope", NULL);
    ask(403, key, "POST", "{\"name\":\"more\",\"role\":\"reader\"}",
        "/api/v1/tenants/scopes/api-keys");
    check_problem("scope", "scopes");
    ask(400, t.key, "POST", "{\"name\":\"k\",\"role\":\"reader\",\"scopes\":[\"gateways:all\"]}",
        "/api/v1/tenants/scopes/api-keys");
    check_problem("invalid", "scopes");
}
END_TEST

START_TEST(a_member_is_changed_as_it_was_seen)
{
    static const char stale[] = "If-Match: \"0123\"\r\n";
    struct test_tenant t;
    char headers[400];
    char path[100];

    tenant_new(&t, "seen");
    ask(201, t.key, "POST", "{\"name\":\"sean\",\"role\":\"reader\"}",
        "/api/v1/tenants/seen/users");
    snprintf(path, sizeof path, "/api/v1/tenants/seen/users/%lld", (long long)int_at("user.id"));
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n%s", t.key, stale);
    ask_with(412, headers, "PATCH", "{\"role\":\"tenant-admin\"}", 23, path);
    check_problem("precondition", "If-Match");
    ask_with(412, headers, "DELETE", NULL, 0, path);
    ask(200, t.key, "GET", NULL, "%s", path);
    ck_assert_str_eq(text_at("role"), "reader");
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nIf-Match: %s\r\n", t.key,
             last_header("ETag"));
    ask_with(200, headers, "PATCH", "{\"role\":\"tenant-admin\"}", 23, path);
    ask_with(412, headers, "DELETE", NULL, 0, path);
    ask(204, t.key, "DELETE", NULL, "%s", path);
}
END_TEST

START_TEST(a_reset_during_a_login_ends_it)
{
    struct seat s;
    int64_t id = platform_user("lola", PASSWORD, false, PLATFORM_AUDITOR);

    log_in(&s, 201, "lola", PASSWORD, NULL);
    meanwhile("update platform_user set password_hash = 'another', one_time = true where id = %lld;"
              " delete from user_session where user_id = %lld",
              (long long)id, (long long)id);
    log_in(&s, 401, "lola", PASSWORD, NULL);
    meanwhile_over();
    ck_assert_int_eq(
        sql_number("select count(*) from user_session where user_id = %lld", (long long)id), 0);
}
END_TEST

TCase *user_tests(void)
{
    TCase *c = tcase_create("user");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_session_is_shown_changed_and_ended);
    tcase_add_test(c, a_forged_request_is_refused);
    tcase_add_test(c, operators_make_change_and_list_users);
    tcase_add_test(c, a_user_that_breaks_a_rule_is_not_made);
    tcase_add_test(c, a_tenant_has_its_own_users);
    tcase_add_test(c, a_scope_opens_one_thing);
    tcase_add_test(c, a_member_is_changed_as_it_was_seen);
    tcase_add_test(c, a_reset_during_a_login_ends_it);
    return c;
}
