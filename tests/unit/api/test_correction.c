/* Corrections, the versions behind a value, conflicts decided. */
#include "api_fixture.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHANNEL "/api/v1/tenants/%s/channels/%" PRId64
/* In the place of the time in all bodies; at() puts it there. */
#define TS "@"
#define VALUE(ts, value, quality)                                                                  \
    "{\"ts\":\"" ts "\",\"value\":\"" value "\",\"quality\":\"" quality "\",\"reason\":\"seal\"}"
#define ONE(ts, value, quality) "{\"values\":[" VALUE(ts, value, quality) "]}"

/* A quarter past midnight, some days ago: corrections are of values that are still rows. */
static const char *some_time(void)
{
    static char text[32];

    if (text[0] == '\0') /* the same one for all of a test, past midnight too */
        time_format(clock_now() / EMT_DAY * EMT_DAY - 20 * EMT_DAY + 15 * EMT_MINUTE, text);
    return text;
}

static const char *at(const char *body)
{
    static char out[600];
    size_t n = 0;

    for (; *body != '\0'; body++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s", *body == '@' ? 32 : 1,
                              *body == '@' ? some_time() : body);
    return out;
}

/* A channel with one measured value of 1.50 at that time. */
static int64_t measured(struct test_tenant *t, const char *name)
{
    tenant_new(t, name);
    int64_t c = channel_new(t, "EMT-12345678-01-02", 0, "Wh");
    sql("insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
        " values (%" PRId64 ", '%s', 150, %d, -2, 256)",
        c, some_time(), t->id);
    return c;
}

static void check_reading(const struct test_tenant *t, int64_t c, const char *value,
                          const char *quality)
{
    ask(200, t->key, "GET", NULL, CHANNEL "/readings?from=%.10sT00:00:00Z&to=%.10sT23:59:59Z",
        t->name, c, some_time(), some_time());
    ck_assert_uint_eq(items(), value ? 1 : 0);
    if (value) {
        ck_assert_str_eq(text_at("items.0.value"), value);
        ck_assert_str_eq(text_at("items.0.quality"), quality);
    }
}

START_TEST(a_correction_keeps_what_it_replaces)
{
    struct test_tenant t;
    int64_t c = measured(&t, "correct");

    ask(200, t.key, "POST", at(ONE(TS, "1.75", "corrected")), CHANNEL "/corrections", t.name, c);
    ck_assert_str_eq(text_at("items.0.outcome"), "written");
    ck_assert_str_eq(text_at("items.0.before"), "1.50");
    int64_t first = int_at("items.0.correction");
    check_reading(&t, c, "1.75", "corrected");
    ask(200, t.key, "POST", at(ONE(TS, "1.80", "corrected")), CHANNEL "/corrections", t.name, c);
    int64_t second = int_at("items.0.correction");
    ask(200, t.key, "GET", NULL, CHANNEL "/history", t.name, c);
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(text_at("items.0.value"), "1.50");
    ck_assert_str_eq(text_at("items.0.quality"), "measured");
    ck_assert_str_eq(text_at("items.0.reason"), "seal");
    ck_assert_str_eq(text_at("items.1.value"), "1.75");
    ask(200, t.key, "GET", NULL, CHANNEL "/history?limit=1", t.name, c);
    ask(200, t.key, "GET", NULL, CHANNEL "/history?limit=1&cursor=%s", t.name, c, text_at("next"));
    ck_assert_str_eq(text_at("items.0.value"), "1.75");
    ck_assert_ptr_null(value_at("next"));
    /* Withdrawn from the newest on. */
    ask(409, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, first);
    ask(200, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, second);
    ck_assert_str_eq(text_at("withdrawn_reason"), "no");
    check_reading(&t, c, "1.75", "corrected");
    ask(409, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, second);
    ask(200, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, first);
    check_reading(&t, c, "1.50", "measured");
    ask(200, t.key, "GET", NULL, CHANNEL "/corrections", t.name, c);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(int_at("items.0.id"), second);
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action in"
                                " ('readings.correct', 'readings.withdraw')",
                                t.id),
                     4);
}
END_TEST

START_TEST(a_gap_that_was_filled_is_one_again)
{
    struct test_tenant t;

    tenant_new(&t, "gap");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    ask(200, t.key, "POST", at(ONE(TS, "5", "substitute")), CHANNEL "/corrections", t.name, c);
    ck_assert(json_is_null(value_at("items.0.before")));
    int64_t id = int_at("items.0.correction");
    check_reading(&t, c, "5", "substitute");
    /* The measured value comes late and ranks higher: the correction has nothing to take back. */
    sql("update reading set mantissa = 6, quality = 256 where tenant_id = %d", t.id);
    ask(409, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, id);
    check_reading(&t, c, "6", "measured");
    sql("update reading set mantissa = 5, quality = 1 where tenant_id = %d", t.id);
    ask(200, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, id);
    check_reading(&t, c, NULL, NULL);
}
END_TEST

START_TEST(a_substitute_does_not_replace_what_was_measured_unless_told)
{
    struct test_tenant t;
    int64_t c = measured(&t, "substitute");

    ask(200, t.key, "POST", at(ONE(TS, "9", "substitute")), CHANNEL "/corrections", t.name, c);
    ck_assert_str_eq(text_at("items.0.outcome"), "outranked");
    ck_assert(json_is_null(value_at("items.0.correction")));
    check_reading(&t, c, "1.50", "measured");
    ask(200, t.key, "POST",
        at("{\"values\":[{\"ts\":\"" TS "\",\"value\":\"9\",\"quality\":\"substitute\",\"reason\":"
           "\"stuck\",\"method\":\"day before\",\"over_measured\":true}]}"),
        CHANNEL "/corrections", t.name, c);
    ck_assert_str_eq(text_at("items.0.outcome"), "written");
    check_reading(&t, c, "9", "substitute");
    ask(200, t.key, "GET", NULL, CHANNEL "/corrections", t.name, c);
    ck_assert(json_is_true(value_at("items.0.over_measured")));
    ck_assert_str_eq(text_at("items.0.method"), "day before");
}
END_TEST

START_TEST(what_is_wrong_with_a_correction_is_named)
{
    static const struct {
        const char *body, *field;
    } bad[] = {
        { "{\"values\":[]}", "values" },
        { "{\"values\":{}}", "values" },
        { "{\"values\":[1]}", "values.0.ts" },
        { ONE("today", "1", "corrected"), "values.0.ts" },
        { ONE("2126-01-01T00:00:00Z", "1", "corrected"), "values.0.ts" },
        { ONE("1969-01-01T00:00:00Z", "1", "corrected"), "values.0.ts" },
        { ONE(TS, "1,5", "corrected"), "values.0.value" },
        { ONE(TS, "", "corrected"), "values.0.value" },
        { ONE(TS, "99999999999999999999", "corrected"), "values.0.value" },
        { ONE(TS, "1", "measured"), "values.0.quality" },
        { ONE(TS, "1", "good"), "values.0.quality" },
        { "{\"values\":[{\"ts\":\"" TS "\",\"value\":\"1\",\"quality\":\"corrected\"}]}",
          "values.0.reason" },
        { "{\"values\":[{\"ts\":\"" TS
          "\",\"value\":1,\"quality\":\"corrected\",\"reason\":\"x\"}]}",
          "values.0.value" },
        { "{\"values\":[{\"ts\":\"" TS
          "\",\"value\":\"1\",\"quality\":\"invalid\",\"reason\":\"x\","
          "\"over_measured\":1}]}",
          "values.0.over_measured" },
        { "{\"values\":[{\"ts\":\"" TS
          "\",\"value\":\"1\",\"quality\":\"invalid\",\"reason\":\"x\","
          "\"rank\":1}]}",
          "values" },
        { "{\"values\":[" VALUE(TS, "1", "corrected") "," VALUE(TS, "2", "corrected") "]}",
          "values" },
        /* One wrong value, and none is set. */
        { "{\"values\":[" VALUE(TS, "1", "corrected") "," VALUE("x", "2", "corrected") "]}",
          "values.1.ts" },
    };
    struct test_tenant t, other;
    char key[80];
    int64_t c = measured(&t, "wrong");

    tenant_new(&other, "wrong-other");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ask(400, t.key, "POST", at(bad[i].body), CHANNEL "/corrections", t.name, c);
        check_problem("invalid", bad[i].field);
    }
    check_reading(&t, c, "1.50", "measured");
    ask(403, tenant_key(&t, "reader", key), "POST", at(ONE(TS, "1", "corrected")),
        CHANNEL "/corrections", t.name, c);
    ask(404, t.key, "POST", at(ONE(TS, "1", "corrected")), CHANNEL "/corrections", t.name,
        c + 1000);
    ask(404, other.key, "POST", at(ONE(TS, "1", "corrected")), CHANNEL "/corrections", other.name,
        c);
    ask(404, other.key, "GET", NULL, CHANNEL "/history", other.name, c);
    ask(400, t.key, "GET", NULL, CHANNEL "/history?cursor=1.2.3", t.name, c);
    int64_t text = channel_new(&t, "EMT-12345678-01-03", 1, NULL);
    ask(409, t.key, "POST", at(ONE(TS, "1", "corrected")), CHANNEL "/corrections", t.name, text);
}
END_TEST

#define DECISION(value, how)                                                                       \
    "{\"channel\":%" PRId64 ",\"ts\":\"" TS "\",\"value\":\"" value "\",\"decision\":\"" how       \
    "\",\"reason\":\"display\"}"

static void decide(const struct test_tenant *t, unsigned status, int64_t c, const char *format)
{
    char body[300];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, format, c);
#pragma GCC diagnostic pop
    ask(status, t->key, "POST", at(body), "/api/v1/tenants/%s/conflicts/decisions", t->name);
}

START_TEST(a_conflict_is_kept_or_taken)
{
    struct test_tenant t;
    int64_t c = measured(&t, "decide");

    for (int i = 0; i < 3; i++)
        sql("insert into reading_conflict (tenant_id, channel_id, ts, mantissa, exponent, quality,"
            " kept_mantissa, kept_exponent, kept_quality, seen_at)"
            " values (%d, %" PRId64 ", '%s', %d, 0, 256, 150, -2, 256, now())",
            t.id, c, some_time(), 2 + i);
    decide(&t, 404, c, DECISION("7", "keep"));
    decide(&t, 404, c + 1000, DECISION("2", "keep"));
    decide(&t, 400, c, DECISION("2", "drop"));
    decide(&t, 200, c, DECISION("2.00", "keep"));
    check_reading(&t, c, "1.50", "measured");
    decide(&t, 404, c, DECISION("2", "take"));
    decide(&t, 200, c, DECISION("3", "take"));
    ck_assert_str_eq(text_at("kept"), "1.50");
    check_reading(&t, c, "3", "measured");
    /* The last one is against what stands now. */
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/%s/conflicts", t.name);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(text_at("items.0.value"), "4");
    ck_assert_str_eq(text_at("items.0.kept"), "3");
    ask(200, t.key, "GET", NULL, CHANNEL "/corrections", t.name, c);
    ck_assert_str_eq(text_at("items.0.method"), "conflict");
    int64_t id = int_at("items.0.id");
    ask(200, t.key, "POST", "{\"reason\":\"no\"}", CHANNEL "/corrections/%" PRId64 "/withdraw",
        t.name, c, id);
    check_reading(&t, c, "1.50", "measured");
}
END_TEST

TCase *correction_tests(void)
{
    TCase *c = tcase_create("correction");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_correction_keeps_what_it_replaces);
    tcase_add_test(c, a_gap_that_was_filled_is_one_again);
    tcase_add_test(c, a_substitute_does_not_replace_what_was_measured_unless_told);
    tcase_add_test(c, what_is_wrong_with_a_correction_is_named);
    tcase_add_test(c, a_conflict_is_kept_or_taken);
    return c;
}
