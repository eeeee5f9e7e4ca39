#include "connectors/mscons_show.h"
#include "corpus.h"
#include "suites.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *show(const char *text, size_t len)
{
    struct writer out;
    json_t *json;

    writer_init_heap(&out, 1u << 20);
    ck_assert_int_eq(mscons_show(text, len, &out, NULL), EMT_OK);
    json = json_loadb((const char *)out.data, out.len, 0, NULL);
    ck_assert_ptr_nonnull(json);
    writer_release(&out);
    return json;
}

static json_t *show_text(const char *text)
{
    return show(text, strlen(text));
}

static void equals(json_t *json, const char *expected)
{
    json_t *e = json_loads(expected, 0, NULL);
    char *printed = json_dumps(json, JSON_COMPACT);

    ck_assert_ptr_nonnull(e);
    ck_assert_msg(json_equal(json, e), "%s", printed);
    free(printed);
    json_decref(e);
    json_decref(json);
}

START_TEST(a_load_profile_is_summed_exactly)
{
    size_t len = 0;
    char *text = golden_read("13018_half_hour.edi", &len);

    equals(show(text, len),
           "{\"interchange\":{\"sender\":\"9900999000106\",\"receiver\":\"9900999000205\","
           "\"ref\":\"GOLDEN1\",\"app\":\"TL\",\"test\":false,\"created\":\"2026-11-18T03:12Z\"},"
           "\"messages\":[{\"ref\":\"1\",\"pid\":\"13018\",\"version\":\"2.5\",\"bgm\":\"7\","
           "\"doc\":\"G-1\",\"function\":\"9\",\"date\":\"202611180312+00\","
           "\"loc\":\"DE0009991011500000000000000000001\",\"device\":null,\"config\":null,"
           "\"cancels\":null,\"lines\":[{\"obis\":\"1-1:1.29.0\",\"n\":2,\"sum\":\"0.55\","
           "\"from\":\"202611170800\",\"to\":\"202611170830\",\"qty\":{\"220\":1,\"67\":1}}]}]}");
    free(text);
}
END_TEST

START_TEST(latin1_becomes_utf8)
{
    json_t *json =
        show_text("UNB+UNOC:3+A:500+B:500+261118:0312+R++TL++++1'UNH+1+MSCONS:D:04B:UN:2.5'"
                  "BGM+7+M\xfcll\"er+9'UNT+3+1'UNZ+1+R'");
    json_t *message = json_array_get(json_object_get(json, "messages"), 0);

    ck_assert_str_eq(json_string_value(json_object_get(message, "doc")), "M\xc3\xbcll\"er");
    ck_assert(json_is_true(json_object_get(json_object_get(json, "interchange"), "test")));
    ck_assert(json_is_null(json_object_get(message, "pid")));
    json_decref(json);
}
END_TEST

START_TEST(an_unreadable_value_makes_no_sum)
{
    json_t *json = show_text("UNB+UNOC:3+A:500+B:500+261118:0312+R++TL'UNH+1+MSCONS:D:04B:UN:2.5'"
                             "LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:1'QTY+220:x'UNT+6+1'UNZ+1+R'");
    json_t *message = json_array_get(json_object_get(json, "messages"), 0);
    json_t *line = json_array_get(json_object_get(message, "lines"), 0);

    ck_assert(json_is_null(json_object_get(line, "sum")));
    ck_assert_int_eq(json_integer_value(json_object_get(line, "n")), 2);
    json_decref(json);
}
END_TEST

#define CONTRL(body)                                                                               \
    "UNA:+.? 'UNB+UNOC:3+9900999000205:500+9900999000106:500+261118:0320+C1'"                      \
    "UNH+1+CONTRL:D:3:UN:2.0b'" body "UNT+3+1'UNZ+1+C1'"
#define UCI "UCI+F1+9900999000106:500+9900999000205:500+"

START_TEST(contrl_says_what_happened_to_which_file)
{
    equals(show_text(CONTRL(UCI "7'")),
           "{\"type\":\"CONTRL\",\"kind\":\"acknowledged\",\"interchange\":\"F1\"}");
    equals(show_text(CONTRL(UCI "4+28+UNZ+2'")),
           "{\"type\":\"CONTRL\",\"kind\":\"interchange rejected\",\"interchange\":\"F1\","
           "\"error\":\"28\",\"segment\":\"UNZ\",\"element\":2}");
    equals(show_text(CONTRL(UCI "4'UCM+3+MSCONS:D:04B:UN:2.5+4'UCS+14'UCD+12+2:2'UCS+20+13'"
                                "UCM+5+MSCONS:D:04B:UN:2.5+4+29+UNT+1'")),
           "{\"type\":\"CONTRL\",\"kind\":\"message rejected\",\"interchange\":\"F1\","
           "\"message\":\"3\",\"segment\":14,\"error\":\"12\",\"element\":2,\"component\":2,"
           "\"more\":[{\"interchange\":\"F1\",\"message\":\"3\",\"segment\":20,\"error\":\"13\"},"
           "{\"interchange\":\"F1\",\"message\":\"5\",\"segment\":\"UNT\",\"error\":\"29\","
           "\"element\":1}]}");
}
END_TEST

START_TEST(contrl_that_accepts_some_messages_rejects_the_others)
{
    equals(show_text(CONTRL(UCI "7'UCM+1+MSCONS:D:04B:UN:2.5+7'UCM+2+MSCONS:D:04B:UN:2.5+4+29+"
                                "UNT+1'")),
           "{\"type\":\"CONTRL\",\"kind\":\"message rejected\",\"interchange\":\"F1\","
           "\"message\":\"2\",\"segment\":\"UNT\",\"error\":\"29\",\"element\":1}");
    equals(show_text(CONTRL(UCI "8'")),
           "{\"type\":\"CONTRL\",\"kind\":\"received\",\"interchange\":\"F1\"}");
}
END_TEST

START_TEST(several_answers_in_a_file_are_told_one_by_one)
{
    equals(show_text("UNB+UNOC:3+A:500+B:500+261118:0330+A1'UNH+1+CONTRL:D:3:UN:2.0b'"
                     "UCI+F1+X:500+Y:500+7'UNT+3+1'UNH+2+CONTRL:D:3:UN:2.0b'"
                     "UCI+F2+X:500+Y:500+4+28+UNZ+2'UNT+3+2'UNZ+2+A1'"),
           "{\"type\":\"CONTRL\",\"kind\":\"acknowledged\",\"interchange\":\"F1\","
           "\"others\":[{\"type\":\"CONTRL\",\"kind\":\"interchange rejected\","
           "\"interchange\":\"F2\",\"error\":\"28\",\"segment\":\"UNZ\",\"element\":2}]}");
}
END_TEST

START_TEST(aperak_names_error_file_and_document)
{
    equals(
        show_text("UNB+UNOC:3+A:500+B:500+261118:0330+A1'UNH+1+APERAK:D:07B:UN:2.2'BGM+313+X'"
                  "RFF+ACE:F1'ERC+Z20'RFF+ACW:D1'RFF+AGO:1'ERC+Z30'RFF+ACW:D2'UNT+9+1'UNZ+1+A1'"),
        "{\"type\":\"APERAK\",\"kind\":\"error\",\"erc\":\"Z20\",\"interchange\":\"F1\","
        "\"document\":\"D1\",\"more\":[{\"erc\":\"Z30\",\"document\":\"D2\"}]}");
}
END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
    struct writer out;
    struct emt_diag diag = { 0 };

    writer_init_heap(&out, 1u << 20);
    ck_assert_int_eq(mscons_show("hello", 5, &out, &diag), EMT_EUNSUPPORTED);
    ck_assert_int_eq(mscons_show("UNB+A'", 6, &out, &diag), EMT_ETRUNCATED);
    ck_assert_int_eq(mscons_show("UNB+A'UNH+1+ORDERS'", 19, &out, &diag), EMT_EUNSUPPORTED);
    ck_assert_int_eq(mscons_show("UNB+A'UNH+1+MSCONS'BGM", 22, &out, &diag), EMT_ETRUNCATED);
    ck_assert_str_ne(diag.text, "");
    ck_assert_int_eq(mscons_show("UNB+A'UNH+1+MSCONS'UNT+2+1'UNZ+1+A'UNB+B'", 42, &out, &diag),
                     EMT_EUNSUPPORTED);
    ck_assert_str_eq(diag.text, "something stands behind UNZ: one file holds one interchange");
    writer_release(&out);
}
END_TEST

START_TEST(an_output_that_is_full_is_an_error)
{
    size_t len = 0;
    char *text = golden_read("13018_half_hour.edi", &len);
    char small[64];
    struct writer out;

    writer_init_fixed(&out, small, sizeof(small));
    ck_assert_int_eq(mscons_show(text, len, &out, NULL), EMT_ELIMIT);
    free(text);
}
END_TEST

static void compare_sample(const char *name)
{
    char json_name[256];
    char *expected_text = NULL;
    char *text = NULL;
    size_t expected_len = 0;
    size_t len = 0;
    json_t *expected;
    json_t *summary;
    json_t *shown;

    snprintf(json_name, sizeof(json_name), "%.*s.expected.json", (int)(strlen(name) - 4), name);
    if (!sample_read(name, &text, &len) || !sample_read(json_name, &expected_text, &expected_len)) {
        free(text);
        return;
    }
    expected = json_loadb(expected_text, expected_len, 0, NULL);
    shown = show(text, len);
    summary = json_object_get(expected, "summary");
    json_object_del(expected, "synthetic");
    if (summary)
        ck_assert_msg(json_equal(shown, summary), "%s differs", name);
    else if (json_object_get(expected, "type"))
        ck_assert_msg(json_equal(shown, expected), "%s differs", name);
    json_decref(shown);
    json_decref(expected);
    free(expected_text);
    free(text);
}

START_TEST(samples_are_shown_as_expected)
{
    samples_walk(".edi", compare_sample);
}
END_TEST

Suite *mscons_show_suite(void)
{
    Suite *s = suite_create("mscons_show");
    TCase *t = tcase_create("mscons_show");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_load_profile_is_summed_exactly);
    tcase_add_test(t, latin1_becomes_utf8);
    tcase_add_test(t, an_unreadable_value_makes_no_sum);
    tcase_add_test(t, contrl_says_what_happened_to_which_file);
    tcase_add_test(t, contrl_that_accepts_some_messages_rejects_the_others);
    tcase_add_test(t, several_answers_in_a_file_are_told_one_by_one);
    tcase_add_test(t, aperak_names_error_file_and_document);
    tcase_add_test(t, what_cannot_be_read_is_an_error);
    tcase_add_test(t, an_output_that_is_full_is_an_error);
    tcase_add_test(t, samples_are_shown_as_expected);
    suite_add_tcase(s, t);
    return s;
}
