/* Pieces of the REST interface that need no server: the routes and the document, rights, cookies,
 * passwords, texts, keys as CSV. */
#include "api_auth.h"
#include "api_query.h"
#include "api_route.h"
#include "api_text.h"
#include "base/password.h"
#include "login_guard.h"
#include "meter_key_csv.h"
#include "openapi.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- routes --- */

static void lower(const char *text, char out[8])
{
    size_t n = 0;

    for (; text[n] != '\0' && n < 7; n++)
        out[n] = (char)tolower((unsigned char)text[n]);
    out[n] = '\0';
}

START_TEST(the_document_and_the_routes_are_the_same_set)
{
    struct openapi *o = openapi_load();
    char method[8];
    char path[128];
    size_t n = 0;

    for (; openapi_operation(o, n, method, path); n++) {
        bool found = false;

        for (size_t i = 0; api_route_at(i) != NULL; i++) {
            char ours[8];

            lower(http_method_name(api_route_at(i)->method), ours);
            found =
                found || (strcmp(ours, method) == 0 && strcmp(api_route_at(i)->pattern, path) == 0);
        }
        ck_assert_msg(found, "documented, but not there: %s %s", method, path);
    }
    ck_assert_ptr_null(api_route_at(n));
    ck_assert_ptr_nonnull(api_route_at(n - 1));
    openapi_free(o);
}
END_TEST

static unsigned role_bits(const struct openapi_access *a)
{
    unsigned bits = 0;

    for (size_t i = 0; i < a->nroles; i++) {
        int role = 0;

        while (role < ROLES && strcmp(api_role_names[role], a->roles[i]) != 0)
            role++;
        ck_assert_msg(role < ROLES, "no such role: %s", a->roles[i]);
        bits |= ROLE_BIT(role);
    }
    return bits;
}

START_TEST(who_may_call_stands_in_the_document_as_in_the_table)
{
    static const char *const access[] = {
        [ACCESS_PUBLIC] = "public",     [ACCESS_ANY] = "any",       [ACCESS_SESSION] = "session",
        [ACCESS_OPERATOR] = "operator", [ACCESS_TENANT] = "tenant", [ACCESS_TENANT_OPEN] = "tenant"
    };
    struct openapi *o = openapi_load();

    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        const struct api_route *r = api_route_at(i);
        struct openapi_access a;
        char method[8];

        lower(http_method_name(r->method), method);
        openapi_access(o, method, r->pattern, &a);
        ck_assert_msg(strcmp(a.access, access[r->access]) == 0, "%s %s: x-emt-access: %s", method,
                      r->pattern, a.access);
        ck_assert_msg(role_bits(&a) == r->roles, "%s %s: x-emt-roles", method, r->pattern);
        ck_assert_msg(strcmp(a.scope, r->area < AREAS ? api_area_names[r->area] : "none") == 0,
                      "%s %s: x-emt-scope: %s", method, r->pattern, a.scope);
        /* Nothing that a key can do is beyond its scopes. */
        ck_assert_msg(r->area != AREA_NONE || r->access == ACCESS_PUBLIC ||
                          r->access == ACCESS_SESSION || r->access == ACCESS_TENANT_OPEN,
                      "%s %s: needs a scope", method, r->pattern);
    }
    openapi_free(o);
}
END_TEST

START_TEST(query_parameters_stand_in_the_document_as_in_the_table)
{
    struct openapi *o = openapi_load();

    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        const struct api_route *r = api_route_at(i);
        char method[8];
        char name[64];
        size_t n = 0;

        lower(http_method_name(r->method), method);
        for (const char *p = api_query_names(r); *p != '\0'; n++) {
            size_t len = strcspn(p, " ");

            snprintf(name, sizeof name, "%.*s", (int)len, p);
            ck_assert_msg(openapi_has_query(o, method, r->pattern, name),
                          "%s %s: %s is not documented", method, r->pattern, name);
            p += len + (p[len] == ' ');
        }
        ck_assert_msg(openapi_queries(o, method, r->pattern) == n,
                      "%s %s: documented are %zu query parameters, known %zu", method, r->pattern,
                      openapi_queries(o, method, r->pattern), n);
    }
    openapi_free(o);
}
END_TEST

START_TEST(a_path_finds_its_route_and_its_parameters)
{
    struct api_call c = { 0 };
    char allow[64];
    bool known;
    const struct api_route *r =
        api_route_find(HTTP_PATCH, "/api/v1/tenants/a-b/locations/DE1/bindings/7", &c, &known);

    ck_assert_ptr_nonnull(r);
    ck_assert_str_eq(c.tenant_key, "a-b");
    ck_assert_str_eq(c.param[0], "DE1");
    ck_assert_str_eq(c.param[1], "7");
    ck_assert_ptr_nonnull(api_route_find(HTTP_GET, "/api/v1/users/17", &c, &known));
    ck_assert_ptr_null(c.tenant_key);
    ck_assert_str_eq(c.param[0], "17");
    ck_assert_ptr_nonnull(api_route_find(HTTP_HEAD, "/healthz", &c, &known));
    ck_assert_ptr_null(api_route_find(HTTP_PUT, "/api/v1/tenants/a", &c, &known));
    ck_assert(known);
    ck_assert_str_eq(api_route_allow("/api/v1/tenants/a", allow), "GET, HEAD, PATCH");
    ck_assert_str_eq(api_route_allow("/api/v1/login", allow), "POST");
}
END_TEST

START_TEST(a_path_that_is_none_finds_nothing)
{
    static const char *const paths[] = {
        "/",
        "",
        "/api",
        "/api/v1/tenants/",
        "/api/v1/tenants//gateways",
        "/healthz/",
        "/api/v1/tenants/a/gateways/b/c/d/e/f/g",
        "//healthz",
        "/HEALTHZ",
        "/api/v1/tenants/a/",
    };
    char longest[1000] = "/api/v1/tenants/";
    struct api_call c = { 0 };
    bool known;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_ptr_null(api_route_find(HTTP_GET, paths[i], &c, &known));
        ck_assert_msg(!known, "%s", paths[i]);
    }
    memset(longest + strlen(longest), 'a', 600);
    ck_assert_ptr_null(api_route_find(HTTP_GET, longest, &c, &known));
}
END_TEST

START_TEST(a_key_claims_its_tenant_for_fair_shares_only)
{
    static const char one[] = "a=b; __Host-emt-session=AAAAAAAAAAAAAAAAAAAA";
    static const char two[] = "__Host-emt-session=BBBBBBBBBBBBBBBBBBBB; c=d";

    ck_assert_int_eq(api_claim("Bearer emt_17_abc", NULL), 17);
    ck_assert_int_eq(api_claim("bearer emt_17_abc", one), 17);
    ck_assert_int_eq(api_claim("Bearer emt_op_abc", NULL), 0);
    ck_assert_int_eq(api_claim("Bearer emt_-5_abc", NULL), 0);
    ck_assert_int_eq(api_claim("Bearer emt_99999999999999999999", NULL), 0);
    ck_assert_int_eq(api_claim("Basic emt_17_abc", one), 0);
    ck_assert_int_eq(api_claim("", NULL), 0);
    ck_assert_int_eq(api_claim(NULL, NULL), 0);
    ck_assert_int_eq(api_claim(NULL, "a=b"), 0);
    /* Sessions have shares of their own, beyond the numbers of tenants. */
    ck_assert_int_ge(api_claim(NULL, one), 0x40000000);
    ck_assert_int_eq(api_claim(NULL, one), api_claim(NULL, one));
    ck_assert_int_ne(api_claim(NULL, one), api_claim(NULL, two));
}
END_TEST

START_TEST(the_session_is_found_among_cookies)
{
    static const struct {
        const char *cookie;
        const char *session; /* NULL: none */
    } cases[] = {
        { "__Host-emt-session=abc", "abc" },
        { "a=b; __Host-emt-session=abc; c=d", "abc" },
        { "a=b;__Host-emt-session=abc", "abc" },
        { " ;; __Host-emt-session=abc", "abc" },
        { "__Host-emt-session=abc; __Host-emt-session=def", "abc" },
        { "x__Host-emt-session=abc", NULL },
        { "a=__Host-emt-session=abc", NULL },
        { "__Host-emt-session", NULL },
        { "__Host-emt-session=", NULL },
        { "__host-emt-session=abc", NULL },
        { "emt-session=abc", NULL },
        { "__Host-emt-session="
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          NULL },
        { "", NULL },
        { NULL, NULL },
    };
    char text[API_SESSION_TEXT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found = api_session_text(cases[i].cookie, text);

        ck_assert_msg(found == (cases[i].session != NULL), "%zu", i);
        if (found)
            ck_assert_str_eq(text, cases[i].session);
    }
}
END_TEST

START_TEST(a_csrf_token_belongs_to_one_session)
{
    char a[48];
    char again[48];
    char b[48];

    ck_assert_int_eq(api_session_csrf("session one", a), EMT_OK);
    ck_assert_int_eq(api_session_csrf("session one", again), EMT_OK);
    ck_assert_int_eq(api_session_csrf("session two", b), EMT_OK);
    ck_assert_str_eq(a, again);
    ck_assert_str_ne(a, b);
    ck_assert_uint_eq(strlen(a), 43);
}
END_TEST

START_TEST(a_password_that_is_none_is_told_why)
{
    static const struct {
        const char *name, *password;
        const char *says; /* NULL: fine */
    } cases[] = {
        { "anna", "correct horse battery", NULL },
        { "anna", "elevenchars", "12 characters" },
        /* Characters, not bytes: eleven of two each. */
        { "anna",
          "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4"
          "\xc3\xb6",
          "12 characters" },
        { "anna", "", "12 characters" },
        { "anna", "ANNA-anna-anna", "user name" },
        { "anna", "savANNAh sunshine", "user name" },
        { "al", "always the same", NULL },
        { "anna", "xxxxxxxxxxxxxxxx", "different" },
        { "anna", "abababababababab", "different" },
    };
    char longest[300];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emt_diag diag = { 0 };
        enum emt_err err = password_policy(cases[i].name, cases[i].password, &diag);

        ck_assert_msg((err == EMT_OK) == (cases[i].says == NULL), "%zu: %s", i, diag.text);
        ck_assert_msg(cases[i].says == NULL || strstr(diag.text, cases[i].says) != NULL, "%zu: %s",
                      i, diag.text);
    }
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = (char)('a' + i % 20);
    longest[PASSWORD_MAX + 1] = '\0';
    ck_assert_int_eq(password_policy("anna", longest, NULL), EMT_ELIMIT);
    longest[PASSWORD_MAX] = '\0';
    ck_assert_int_eq(password_policy("anna", longest, NULL), EMT_OK);
}
END_TEST

START_TEST(an_address_is_counted_by_what_a_subscriber_has)
{
    static const char *const same[][2] = {
        { "192.0.2.1", "::ffff:192.0.2.1" },
        { "2001:db8::1", "2001:db8::ffff:2" }, /* the lower half is free to choose */
        { "no address", "none either" },
    };
    static const char *const others[][2] = {
        { "192.0.2.1", "192.0.2.2" },
        { "2001:db8::1", "2001:db8:0:1::1" },
        { "192.0.2.1", "no address" },
    };
    uint8_t a[16];
    uint8_t b[16];

    for (size_t i = 0; i < 3; i++) {
        login_guard_address(same[i][0], a);
        login_guard_address(same[i][1], b);
        ck_assert_mem_eq(a, b, 16);
        login_guard_address(others[i][0], a);
        login_guard_address(others[i][1], b);
        ck_assert_mem_ne(a, b, 16);
    }
}
END_TEST

/* --- texts --- */

START_TEST(only_whole_characters_are_text)
{
    static const struct {
        const char *text;
        size_t n;
        bool good;
    } cases[] = {
        { "", 0, true },
        { "abc", 3, true },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, true },
        { "\xc3", 1, false },             /* cut */
        { "\xe2\x82", 2, false },         /* cut */
        { "\xc0\xaf", 2, false },         /* overlong */
        { "\xed\xa0\x80", 3, false },     /* surrogate */
        { "\xf4\x90\x80\x80", 4, false }, /* above U+10FFFF */
        { "\xff", 1, false },
        { "\x80", 1, false },
        { "a\0b", 3, false },
    };
    char cut[] = "ab\xc3\xa4\xe2\x82";

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(text_is_utf8(cases[i].text, cases[i].n) == cases[i].good, "%zu", i);
    ck_assert_uint_eq(text_length("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"), 4);
    text_clean(cut);
    ck_assert_str_eq(cut, "ab\xc3\xa4??");
}
END_TEST

/* --- keys as CSV --- */

#define KEY "00112233445566778899aabbccddeeff"

struct lines {
    char text[4000];
    unsigned good, bad;
};

static void take(void *ctx, unsigned line, const struct meter_key *k, const char *reason)
{
    struct lines *l = ctx;
    size_t n = strlen(l->text);

    if (k != NULL) {
        l->good++;
        snprintf(l->text + n, sizeof l->text - n, "%u:%s|%s|%d|%d|%s|%zu\n", line, k->number,
                 k->manufacturer, k->version, k->type, k->label, k->key_len);
    } else {
        l->bad++;
        snprintf(l->text + n, sizeof l->text - n, "%u!%s\n", line, reason);
    }
}

static enum emt_err read_text(const char *text, size_t n, struct lines *out, struct emt_diag *diag)
{
    /* Exactly as long as it is: a byte too far is seen by the sanitizer. */
    char *copy = malloc(n + (n == 0));

    memset(out, 0, sizeof *out);
    memcpy(copy, text, n);
    enum emt_err err = meter_key_csv_read(copy, n, take, out, diag);
    free(copy);
    return err;
}

START_TEST(keys_are_read_in_any_column_order_and_separator)
{
    static const char file[] = "\xef\xbb\xbf"
                               "Key;ADDRESS;manufacturer;deviceType;version;label\r\n" KEY
                               ";12345678;KAM;0x16;25;Flat 1\r\n\r\n" KEY
                               ";\"1234567a\";;;;\"a;\"\"b\"\"\"\n" KEY "; 99 ;ABC; 7;0X1b;  x  ";
    static const char tabs[] = "key\tnumber\n" KEY "\t1\n";
    struct lines l;

    ck_assert_int_eq(read_text(file, sizeof file - 1, &l, NULL), EMT_OK);
    ck_assert_str_eq(l.text, "2:12345678|KAM|25|22|Flat 1|16\n"
                             "4:1234567A||-1|-1|a;\"b\"|16\n"
                             "5:00000099|ABC|27|7|x|16\n");
    ck_assert_int_eq(read_text("key\n0011223344556677\n", 21, &l, NULL), EMT_OK);
    ck_assert_str_eq(l.text, "2:||-1|-1||8\n");
    ck_assert_int_eq(read_text(tabs, sizeof tabs - 1, &l, NULL), EMT_OK);
    ck_assert_str_eq(l.text, "2:00000001||-1|-1||16\n");
}
END_TEST

START_TEST(a_bad_line_is_told_and_the_others_stay)
{
    static const struct {
        const char *line, *reason;
    } cases[] = {
        { "12345678;", "key: is missing" },
        { "12345678", "key: is missing" },
        { "12345678;0011", "key: must be 32 hex digits" },
        { "12345678;" KEY "zz", "key: must be 32 hex digits" },
        { "12345678;" KEY KEY KEY, "key: must be 32 hex digits" },
        { "1234567x;" KEY, "number: must be hex digits" },
        { "000000000000000000000000000000000;" KEY, "number: must be hex digits" },
        { "1;" KEY ";kam", "manufacturer: must be three capital letters" },
        { "1;" KEY ";KAMX", "manufacturer: must be three capital letters" },
        { "1;" KEY ";;256", "version: must be 0 to 255" },
        { "1;" KEY ";;-1", "version: must be 0 to 255" },
        { "1;" KEY ";;0x", "version: must be 0 to 255" },
        { "1;" KEY ";;1 2", "version: must be 0 to 255" },
        { "1;" KEY ";;99999999999999999999999", "version: must be 0 to 255" },
        { "1;" KEY ";;1;x;y", "more cells than columns" },
        { "\"1;" KEY, "a quote is not closed" },
        { "\"1\"x;" KEY, "something stands behind a quote" },
        { "1;" KEY ";;;\xff", "label: is not UTF-8" },
        { "1;" KEY ";;;a\x01", "a control character" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[600];
        struct lines l;
        int n = snprintf(text, sizeof text,
                         "number;key;manufacturer;version;label\n%s\n7;" KEY "\n", cases[i].line);

        ck_assert_int_eq(read_text(text, (size_t)n, &l, NULL), EMT_OK);
        ck_assert_uint_eq(l.good, 1);
        ck_assert_uint_eq(l.bad, 1);
        ck_assert_msg(strncmp(l.text, "2!", 2) == 0 && strstr(l.text, cases[i].reason) != NULL,
                      "%s: %s", cases[i].line, l.text);
        ck_assert_ptr_null(strstr(l.text, "0011"));
    }
}
END_TEST

START_TEST(a_label_has_a_hundred_characters_of_any_length)
{
    char text[1200] = "key;label\n" KEY ";";
    struct lines l;

    for (int i = 0; i < 100; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "\xf0\x9f\x98\x80");
    ck_assert_int_eq(read_text(text, strlen(text), &l, NULL), EMT_OK);
    ck_assert_uint_eq(l.good, 1);
    snprintf(text, sizeof text, "key;label\n" KEY ";%0101d", 0);
    ck_assert_int_eq(read_text(text, strlen(text), &l, NULL), EMT_OK);
    ck_assert_uint_eq(l.bad, 1);
    ck_assert_ptr_nonnull(strstr(l.text, "longer than 100"));
    memset(text + 50, 'x', 1000);
    text[1050] = '\0';
    ck_assert_int_eq(read_text(text, strlen(text), &l, NULL), EMT_OK);
    ck_assert_ptr_nonnull(strstr(l.text, "too long"));
}
END_TEST

START_TEST(a_file_without_a_good_head_is_refused_and_not_quoted)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "no head line" },
        { "12345678;" KEY "\n", "column 1 is not known" },
        { KEY "\n" KEY "\n", "column 1 is not known" },
        { "number;label\n1;a\n", "no column 'key'" },
        { "key;key\n", "key is there twice" },
        { "number;address;key\n", "number is there twice" },
        { "key,\n", "column 2 is not known" },
        { "\"key\n", "quote" },
        { "key,key,key,key,key,key,key,key,key,key,key,key,key,key,key,key,key\n", "twice" },
        { "\n" KEY "\n", "column 1 is not known" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emt_diag diag = { 0 };
        struct lines l;

        ck_assert_int_eq(read_text(cases[i].text, strlen(cases[i].text), &l, &diag),
                         EMT_EMALFORMED);
        ck_assert_msg(strstr(diag.text, cases[i].says) != NULL, "%zu: %s", i, diag.text);
        ck_assert_ptr_null(strstr(diag.text, "0011"));
        ck_assert_uint_eq(l.good, 0);
    }
}
END_TEST

START_TEST(every_prefix_and_every_byte_of_a_file_is_harmless)
{
    static const char file[] =
        "\xef\xbb\xbfkey;number;label\r\n" KEY ";\"12\";\"a\"\"b\"\r\n  \n" KEY ";7;x\n";
    struct lines l;

    for (size_t n = 0; n < sizeof file; n++)
        (void)!read_text(file, n, &l, NULL);
    for (size_t i = 0; i < sizeof file - 1; i++) {
        char changed[sizeof file];

        for (unsigned b = 0; b < 256; b += 5) {
            memcpy(changed, file, sizeof file);
            changed[i] = (char)b;
            (void)!read_text(changed, sizeof file - 1, &l, NULL);
        }
    }
}
END_TEST

START_TEST(more_lines_than_allowed_are_refused)
{
    size_t n = 4 + METER_KEY_LINES_MAX;
    char *text = malloc(n);
    struct lines l;

    memset(text, '\n', n);
    memcpy(text, "key\n", 4);
    ck_assert_int_eq(read_text(text, n - 1, &l, NULL), EMT_OK);
    ck_assert_int_eq(read_text(text, n, &l, NULL), EMT_ELIMIT);
    free(text);
}
END_TEST

/* --- the judge itself --- */

START_TEST(the_judge_sees_what_is_wrong)
{
    static const struct {
        const char *schema, *text, *says; /* says NULL: it is good */
    } cases[] = {
        { "Health", "{\"status\":\"ok\",\"version\":\"1\"}", NULL },
        { "Health", "{\"status\":\"no\",\"version\":\"1\"}", "constant" },
        { "Health", "{\"status\":\"ok\"}", "missing: version" },
        { "Health", "{\"status\":\"ok\",\"version\":1}", ".version: wrong type" },
        { "Health", "{\"status\":\"ok\",\"version\":\"1\",\"x\":1}", "not foreseen: x" },
        { "Health", "[]", "wrong type" },
        { "TenantPage", "{\"items\":[{}]}", ".items[0]: is missing" },
        { "TenantPage", "{\"items\":[],\"next\":null}", ".next: wrong type" },
        { "Reading", "{\"ts\":\"2026-01-01T00:00:00Z\",\"value\":\"1\",\"quality\":\"measured\"}",
          NULL },
        { "Reading", "{\"ts\":\"yesterday\",\"value\":\"1\",\"quality\":\"measured\"}",
          ".ts: no UTC time" },
        { "Reading", "{\"ts\":\"2026-01-01T00:00:00Z\",\"value\":\"1\",\"quality\":\"good\"}",
          "none of the enum" },
        { "Reading", "{\"ts\":\"2026-01-01T00:00:00Z\",\"value\":1,\"quality\":\"measured\"}",
          ".value: wrong type" },
        { "CommandNew", "{\"name\":\"a\",\"arguments\":{\"b\":1}}", ".arguments.b: wrong type" },
        { "EnrolmentNew", "{\"valid_hours\":0}", "below the minimum" },
        { "EnrolmentNew", "{\"valid_hours\":721}", "above the maximum" },
    };
    struct openapi *o = openapi_load();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[400] = "";
        json_t *j = json_loads(cases[i].text, 0, NULL);
        bool ok = openapi_is(o, cases[i].schema, j, why);

        ck_assert_msg(ok == (cases[i].says == NULL), "%zu: %s", i, why);
        ck_assert_msg(ok || strstr(why, cases[i].says) != NULL, "%zu: %s", i, why);
        json_decref(j);
    }
    openapi_free(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_parts");
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_document_and_the_routes_are_the_same_set);
    tcase_add_test(c, who_may_call_stands_in_the_document_as_in_the_table);
    tcase_add_test(c, the_session_is_found_among_cookies);
    tcase_add_test(c, a_csrf_token_belongs_to_one_session);
    tcase_add_test(c, a_password_that_is_none_is_told_why);
    tcase_add_test(c, an_address_is_counted_by_what_a_subscriber_has);
    tcase_add_test(c, query_parameters_stand_in_the_document_as_in_the_table);
    tcase_add_test(c, a_path_finds_its_route_and_its_parameters);
    tcase_add_test(c, a_path_that_is_none_finds_nothing);
    tcase_add_test(c, a_key_claims_its_tenant_for_fair_shares_only);
    tcase_add_test(c, only_whole_characters_are_text);
    tcase_add_test(c, keys_are_read_in_any_column_order_and_separator);
    tcase_add_test(c, a_bad_line_is_told_and_the_others_stay);
    tcase_add_test(c, a_label_has_a_hundred_characters_of_any_length);
    tcase_add_test(c, a_file_without_a_good_head_is_refused_and_not_quoted);
    tcase_add_test(c, every_prefix_and_every_byte_of_a_file_is_harmless);
    tcase_add_test(c, more_lines_than_allowed_are_refused);
    tcase_add_test(c, the_judge_sees_what_is_wrong);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
