/* Texts out of small JSON objects: strict, bounded, nothing else looked at. */
#include "agent/json_pick.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char out[64];

static enum emt_err text(const char *json, const char *key)
{
    return json_pick_text(json, strlen(json), key, out, sizeof out);
}

static enum emt_err element(const char *json, const char *key, size_t i)
{
    return json_pick_element(json, strlen(json), key, i, out, sizeof out);
}

START_TEST(members_are_found_by_name)
{
    static const char json[] =
        " {\"a\":{\"token\":\"inner\"},\"n\":-1.5e+3,\"token\":\"x\\ny\",\"l\":[true,false,null,[]]} ";

    ck_assert_int_eq(text(json, "token"), EMT_OK);
    ck_assert_str_eq(out, "x\ny");
    ck_assert_int_eq(text(json, "missing"), EMT_ENOTFOUND);
    ck_assert_int_eq(text(json, "n"), EMT_EMALFORMED);
    ck_assert_int_eq(text(json, "a"), EMT_EMALFORMED);
}
END_TEST

START_TEST(escapes_become_utf8)
{
    ck_assert_int_eq(text("{\"t\":\"\\u00e4\\u20ac\\ud83d\\ude00\\/\\\"\\\\\\b\\f\\r\\t\"}", "t"),
                     EMT_OK);
    ck_assert_str_eq(out, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80/\"\\\b\f\r\t");
}
END_TEST

START_TEST(elements_are_found_by_index)
{
    static const char json[] = "{\"field\":[\"a:1\" , \"b:2\"],\"other\":[],\"mixed\":[1,\"x\"]}";

    ck_assert_int_eq(element(json, "field", 0), EMT_OK);
    ck_assert_str_eq(out, "a:1");
    ck_assert_int_eq(element(json, "field", 1), EMT_OK);
    ck_assert_str_eq(out, "b:2");
    ck_assert_int_eq(element(json, "field", 2), EMT_ENOTFOUND);
    ck_assert_int_eq(element(json, "other", 0), EMT_ENOTFOUND);
    ck_assert_int_eq(element(json, "mixed", 0), EMT_EMALFORMED);
    ck_assert_int_eq(element(json, "mixed", 1), EMT_OK);
    ck_assert_int_eq(element("{\"field\":\"a\"}", "field", 0), EMT_EMALFORMED);
}
END_TEST

START_TEST(everything_else_is_malformed)
{
    static const char *const cases[] = {
        "",
        "null",
        "[\"t\"]",
        "{\"t\":\"x\"",
        "{\"t\":\"x\"} x",
        "{\"t\":\"x\",}",
        "{t:\"x\"}",
        "{\"t\" \"x\"}",
        "{\"t\":'x'}",
        "{\"t\":\"x\ny\"}",
        "{\"t\":\"\\x\"}",
        "{\"t\":\"\\u12g4\"}",
        "{\"t\":\"\\ud800\"}",
        "{\"t\":\"\\ud800\\u0041\"}",
        "{\"t\":\"\\udc00\"}",
        "{\"t\":\"\\u0000\"}",
        "{\"t\":\"x\",\"t\":\"y\"}",
        "{\"t\":\"x\",\"n\":01}",
        "{\"t\":\"x\",\"n\":1.}",
        "{\"t\":\"x\",\"n\":+1}",
        "{\"t\":\"x\",\"n\":nul}",
        "{\"t\":\"x\",\"n\":}",
        "{\"t\":\"x\",\"n\":[1,]}",
        "{\"t\":\"x\"}{}",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(text(cases[i], "t") == EMT_EMALFORMED, "%s", cases[i]);
}
END_TEST

START_TEST(every_prefix_is_malformed)
{
    static const char json[] = "{\"a\":[1,{\"b\":\"\\u00e4\"}],\"t\":\"value\"}";

    for (size_t n = 0; n + 1 < sizeof json; n++) {
        char *copy = malloc(n + 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, json, n);
        ck_assert_int_eq(json_pick_text(copy, n, "t", out, sizeof out), EMT_EMALFORMED);
        free(copy);
    }
}
END_TEST

START_TEST(limits_hold)
{
    char json[200] = "{\"t\":\"";
    char deep[64] = "{\"t\":\"x\",\"d\":";

    memset(json + 6, 'a', 64);
    memcpy(json + 70, "\"}", 3);
    ck_assert_int_eq(text(json, "t"), EMT_ELIMIT); /* 64 bytes and the closing 0 do not fit */
    json[69] = '"';
    json[70] = '}';
    json[71] = '\0';
    ck_assert_int_eq(text(json, "t"), EMT_OK);
    size_t n = strlen(deep);
    memset(deep + n, '[', 30);
    deep[n + 30] = '\0';
    ck_assert_int_eq(text(deep, "t"), EMT_ELIMIT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent_json_pick");
    TCase *t = tcase_create("json_pick");

    tcase_add_test(t, members_are_found_by_name);
    tcase_add_test(t, escapes_become_utf8);
    tcase_add_test(t, elements_are_found_by_index);
    tcase_add_test(t, everything_else_is_malformed);
    tcase_add_test(t, every_prefix_is_malformed);
    tcase_add_test(t, limits_hold);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
