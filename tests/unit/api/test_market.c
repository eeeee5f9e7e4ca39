/* Locations, bindings, exports. */
#include "api_fixture.h"
#include "connectors/mscons_check.h"
#include "model/local_day.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MELO "DE0009991011500000000000000000001"
#define MELO_2 "DE0009991011500000000000000000002"
#define MALO "51234567895"
#define SENDER "9900999000106"
#define RECEIVER "9900999000205"
#define BINDINGS "/api/v1/tenants/%s/locations/" MELO "/bindings"

START_TEST(check_digits_of_a_location_are_verified)
{
    static const struct {
        const char *body, *field;
    } bad[] = {
        { "{\"code\":\"51234567894\",\"kind\":\"malo\"}", "code" },
        { "{\"code\":\"01234567895\",\"kind\":\"malo\"}", "code" },
        { "{\"code\":\"5123456789\",\"kind\":\"malo\"}", "code" },
        { "{\"code\":\"" MALO "\",\"kind\":\"melo\"}", "code" },
        { "{\"code\":\"" MELO "\",\"kind\":\"malo\"}", "code" },
        { "{\"code\":\"de0009991011500000000000000000001\",\"kind\":\"melo\"}", "code" },
        { "{\"code\":\"DE00099910115000000000000000000A!\",\"kind\":\"melo\"}", "code" },
        { "{\"code\":\"" MALO "\",\"kind\":\"nelo\"}", "code" },
        { "{\"code\":\"" MALO "\",\"kind\":\"house\"}", "kind" },
        { "{\"code\":\"" MALO "\"}", "kind" },
        { "{\"code\":\"" MALO "\",\"kind\":\"malo\",\"receiver_mp_id\":\"9900\"}",
          "receiver_mp_id" },
        { "{\"code\":\"" MALO "\",\"kind\":\"malo\",\"receiver_mp_id\":\"99009990002x5\"}",
          "receiver_mp_id" },
    };
    struct test_tenant t;

    tenant_new(&t, "location");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ask(400, t.key, "POST", bad[i].body, "/api/v1/tenants/location/locations");
        check_problem("invalid", bad[i].field);
    }
    ask(201, t.key, "POST",
        "{\"code\":\"" MALO
        "\",\"kind\":\"malo\",\"name\":\"House 1\",\"receiver_mp_id\":\"" RECEIVER "\"}",
        "/api/v1/tenants/location/locations");
    ck_assert_str_eq(text_at("kind"), "malo");
    ask(409, t.key, "POST", "{\"code\":\"" MALO "\",\"kind\":\"malo\"}",
        "/api/v1/tenants/location/locations");
    ask(201, t.key, "POST", "{\"code\":\"" MELO "\",\"kind\":\"melo\"}",
        "/api/v1/tenants/location/locations");
    ck_assert(json_is_null(value_at("receiver_mp_id")));
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/location/locations?limit=1");
    ck_assert_str_eq(text_at("items.0.code"), MALO);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/location/locations?limit=1&cursor=%s",
        text_at("next"));
    ck_assert_str_eq(text_at("items.0.code"), MELO);
    ck_assert_ptr_null(value_at("next"));
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/location/locations/" MELO);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/location/locations/" MELO_2);
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/location/locations/" MELO);
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/location/locations/" MELO);
}
END_TEST

static void bind(const struct test_tenant *t, unsigned status, int64_t channel, const char *rest)
{
    char body[400];

    snprintf(body, sizeof body, "{\"channel\":%" PRId64 ",%s}", channel, rest);
    ask(status, t->key, "POST", body, BINDINGS, t->name);
}

START_TEST(a_register_is_bound_once_at_a_time)
{
    static const struct {
        const char *rest, *field;
    } bad[] = {
        { "\"obis\":\"1-1:1.29\",\"valid_from\":\"2026-01-01T00:00:00Z\"", "obis" },
        { "\"obis\":\"1-1:1.29.256\",\"valid_from\":\"2026-01-01T00:00:00Z\"", "obis" },
        { "\"obis\":\"1-1:1.29.0\"", "valid_from" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"1.1.2026\"", "valid_from" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"valid_to\":"
          "\"2026-01-01T00:00:00Z\"",
          "valid_to" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":\"0\"",
          "ratio" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":\"-1\"",
          "ratio" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":\"x\"",
          "ratio" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":\"1e30\"",
          "ratio" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":\"1e-30\"",
          "ratio" },
        { "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\",\"ratio\":1", "ratio" },
    };
    struct test_tenant t;
    struct test_tenant other;

    tenant_new(&t, "bind");
    tenant_new(&other, "bind-other");
    int64_t c = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    int64_t theirs = channel_new(&other, "EMT-12345678-01-02", 0, "Wh");
    bind(&t, 404, c, "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\"");
    ask(201, t.key, "POST", "{\"code\":\"" MELO "\",\"kind\":\"melo\"}",
        "/api/v1/tenants/bind/locations");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bind(&t, 400, c, bad[i].rest);
        check_problem("invalid", bad[i].field);
    }
    bind(&t, 400, theirs, "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-01-01T00:00:00Z\"");
    check_problem("invalid", "channel");

    bind(&t, 201, c,
         "\"obis\":\"1-1:1.29.0*255\",\"valid_from\":\"2026-01-01T00:00:00+01:00\",\"valid_to\":"
         "\"2026-06-01T00:00:00Z\",\"ratio\":\"0.50\",\"device_number\":\"1EMT0012345678\"");
    ck_assert_str_eq(text_at("obis"), "1-1:1.29.0");
    ck_assert_str_eq(text_at("ratio"), "0.50");
    ck_assert_str_eq(text_at("valid_from"), "2025-12-31T23:00:00Z");
    int64_t first = int_at("id");
    /* Overlaps on either side, inside, around; another spelling of the same code. */
    bind(&t, 409, c, "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-05-31T00:00:00Z\"");
    check_problem("conflict", "valid_from");
    bind(&t, 409, c,
         "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2025-01-01T00:00:00Z\",\"valid_to\":"
         "\"2025-12-31T23:00:00.000001Z\"");
    bind(&t, 409, c,
         "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-02-01T00:00:00Z\",\"valid_to\":"
         "\"2026-03-01T00:00:00Z\"");
    bind(&t, 409, c, "\"obis\":\"1-1:1.29.0*255\",\"valid_from\":\"2020-01-01T00:00:00Z\"");
    /* End to end is no overlap; another register is none either. */
    bind(&t, 201, c, "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2026-06-01T00:00:00Z\"");
    ck_assert_str_eq(text_at("ratio"), "1");
    int64_t second = int_at("id");
    bind(&t, 201, c, "\"obis\":\"1-1:2.29.0\",\"valid_from\":\"2026-02-01T00:00:00Z\"");

    ask(200, t.key, "PATCH", "{\"valid_to\":\"2026-07-01T00:00:00Z\"}", BINDINGS "/%" PRId64,
        t.name, second);
    ck_assert_str_eq(text_at("valid_to"), "2026-07-01T00:00:00Z");
    ask(409, t.key, "PATCH", "{\"valid_to\":\"2026-06-01T00:00:01Z\"}", BINDINGS "/%" PRId64,
        t.name, first);
    check_problem("conflict", "valid_to");
    ask(200, t.key, "PATCH", "{\"valid_to\":\"2026-05-01T00:00:00Z\"}", BINDINGS "/%" PRId64,
        t.name, first);
    ask(400, t.key, "PATCH", "{\"valid_to\":\"2025-12-31T23:00:00Z\"}", BINDINGS "/%" PRId64,
        t.name, first);
    check_problem("invalid", "valid_to");
    /* What is not given stays; an end that is taken back meets who came after. */
    ask(200, t.key, "PATCH", "{}", BINDINGS "/%" PRId64, t.name, first);
    ck_assert_str_eq(text_at("valid_to"), "2026-05-01T00:00:00Z");
    ask(409, t.key, "PATCH", "{\"valid_to\":null}", BINDINGS "/%" PRId64, t.name, first);
    check_problem("conflict", "valid_to");
    ask(404, t.key, "PATCH", "{\"valid_to\":\"2027-01-01T00:00:00Z\"}", BINDINGS "/%" PRId64,
        t.name, second + 1000);
    ask(404, t.key, "PATCH", "{\"valid_to\":\"2027-01-01T00:00:00Z\"}", BINDINGS "/x", t.name);
    ask(200, t.key, "GET", NULL, BINDINGS, t.name);
    ck_assert_uint_eq(items(), 3);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/bind/locations/" MELO_2 "/bindings");
    ask(409, t.key, "DELETE", NULL, "/api/v1/tenants/bind/locations/" MELO);
    ask(204, t.key, "DELETE", NULL, BINDINGS "/%" PRId64, t.name, second);
    ask(404, t.key, "DELETE", NULL, BINDINGS "/%" PRId64, t.name, second);
    ask(200, t.key, "PATCH", "{\"valid_to\":null}", BINDINGS "/%" PRId64, t.name, first);
    ask(200, t.key, "GET", NULL, BINDINGS, t.name);
    ck_assert_uint_eq(items(), 2);
}
END_TEST

/* --- exports --- */

static void put_finding(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    fprintf(stderr, "%u: %s: %s\n", f->segment, f->code, f->text);
}

static void day_text(struct local_date d, char out[16])
{
    snprintf(out, 16, "%04d-%02d-%02d", d.year, d.month, d.day);
}

/* A MeLo with a register and a complete day of readings, three days ago. */
static struct local_date place_with_values(const struct test_tenant *t, int64_t channel)
{
    struct local_date day = local_date_add(local_date_of(clock_now()), -3);
    char from[32];

    time_format(local_day_start(day), from);
    ask(200, t->key, "PATCH", "{\"own_mp_id\":\"" SENDER "\"}", "/api/v1/tenants/%s", t->name);
    ask(201, t->key, "POST",
        "{\"code\":\"" MELO "\",\"kind\":\"melo\",\"receiver_mp_id\":\"" RECEIVER "\"}",
        "/api/v1/tenants/%s/locations", t->name);
    bind(t, 201, channel, "\"obis\":\"1-1:1.29.0\",\"valid_from\":\"2020-01-01T00:00:00Z\"");
    sql("insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
        " select %" PRId64 ", '%s'::timestamptz + i * interval '15 minutes', 1000000 + 250 * i, %d,"
        " 0, 256 from generate_series(0, %d) i",
        channel, from, t->id,
        (int)((local_day_end(day) - local_day_start(day)) / (15 * EMT_MINUTE)));
    return day;
}

START_TEST(an_export_writes_a_file_that_is_listed_and_fetched)
{
    struct mscons_findings out = { put_finding, NULL };
    struct mscons_check_result result;
    struct test_tenant t;
    char body[300];
    char from[16];
    char to[16];
    char name[128];
    char disposition[200];
    size_t len = 0;

    tenant_new(&t, "export");
    int64_t channel = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    struct local_date day = place_with_values(&t, channel);
    day_text(day, from);
    day_text(local_date_add(day, 1), to);
    snprintf(body, sizeof body, "{\"pid\":\"13018\",\"from\":\"%s\",\"to\":\"%s\"}", from, to);
    ask(201, t.key, "POST", body, "/api/v1/tenants/export/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 1);
    ck_assert_uint_eq(json_array_size(value_at("notes")), 0);
    ck_assert_str_eq(text_at("files.0.pid"), "13018");
    ck_assert_str_eq(text_at("files.0.receiver"), RECEIVER);
    int64_t id = int_at("files.0.id");
    int64_t size = int_at("files.0.size");
    snprintf(name, sizeof name, "%s", text_at("files.0.file_name"));

    ask(200, t.key, "GET", NULL, "/api/v1/tenants/export/exports/%" PRId64 "/content", id);
    const char *content = last_body(&len);
    ck_assert_int_eq((int64_t)len, size);
    ck_assert_str_eq(last_header("Content-Type"), "application/edifact");
    snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", name);
    ck_assert_str_eq(last_header("Content-Disposition"), disposition);
    ck_assert_int_eq(mscons_check(content, len, name, &out, &result), EMT_OK);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_ge(result.values, 92);
    ask(200, t.key, "HEAD", NULL, "/api/v1/tenants/export/exports/%" PRId64 "/content", id);
    ck_assert_int_eq(atol(last_header("Content-Length")), size);

    /* The next day has no values: nothing goes out, and why is said. */
    day_text(local_date_add(day, 2), to);
    day_text(local_date_add(day, 1), from);
    snprintf(body, sizeof body,
             "{\"pid\":\"13018\",\"from\":\"%s\",\"to\":\"%s\",\"location\":\"" MELO
             "\",\"test\":true,\"hold_gaps\":true}",
             from, to);
    ask(201, t.key, "POST", body, "/api/v1/tenants/export/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 0);
    ck_assert_ptr_nonnull(strstr(text_at("notes.0"), "no-reading"));

    day_text(day, from);
    snprintf(body, sizeof body, "{\"pid\":\"13018\",\"from\":\"%s\",\"to\":\"%s\"}", from, to);
    ask(201, t.key, "POST", body, "/api/v1/tenants/export/exports"); /* a second file, with a gap */
    ck_assert_int_ge((int64_t)json_array_size(value_at("files.0.notes")), 1);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/export/exports?limit=1");
    ck_assert_int_gt(int_at("items.0.id"), id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/export/exports?limit=1&cursor=%s",
        text_at("next"));
    ck_assert_int_eq(int_at("items.0.id"), id);
    ck_assert_ptr_null(value_at("next"));
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/export/exports/%" PRId64, id);
    ck_assert_str_eq(text_at("file_name"), name);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/export/exports/%" PRId64, id + 1000);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/export/exports/%" PRId64 "/content", id + 1000);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/export/exports/x");
    ck_assert_int_eq(sql_number("select count(*) from audit where tenant_id = %d and action ="
                                " 'export.mscons'",
                                t.id),
                     2);
}
END_TEST

START_TEST(an_export_that_makes_no_sense_is_refused)
{
    static const char *const bad[] = {
        "{}",
        "{\"pid\":13018,\"from\":\"2026-11-01\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13020\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-02-30\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-13-01\"}",
        "{\"pid\":\"13018\",\"from\":\"01.11.2026\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-02\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13018\",\"from\":\"2020-11-02\",\"to\":\"2026-11-02\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\",\"location\":\"DE1\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\",\"test\":\"yes\"}",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\",\"out\":\"/tmp\"}",
    };
    static const char good[] = "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\"}";
    struct test_tenant t;

    tenant_new(&t, "export-bad");
    ask(400, t.key, "POST", good, "/api/v1/tenants/export-bad/exports"); /* no MP-ID of its own */
    ask(200, t.key, "PATCH", "{\"own_mp_id\":\"" SENDER "\"}", "/api/v1/tenants/export-bad");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "POST", bad[i], "/api/v1/tenants/export-bad/exports");
    ask(404, t.key, "POST",
        "{\"pid\":\"13018\",\"from\":\"2026-11-01\",\"to\":\"2026-11-02\",\"location\":\"" MELO
        "\"}",
        "/api/v1/tenants/export-bad/exports");
    ask(201, t.key, "POST", good, "/api/v1/tenants/export-bad/exports"); /* nothing to export */
    ck_assert_int_eq(sql_number("select count(*) from export_file where tenant_id = %d", t.id), 0);
}
END_TEST

/* --- mandates --- */

#define MANDATE(to)                                                                                \
    "{\"location\":\"" MELO "\",\"recipient\":\"" RECEIVER                                         \
    "\",\"purpose\":\"billing\",\"from\":\"2020-01-01T00:00:00Z\"," to                             \
    "\"evidence\":\"letter 7\"}"

START_TEST(others_get_values_by_a_mandate_only)
{
    struct test_tenant t;
    char body[300];
    char from[16];
    char to[16];

    tenant_new(&t, "mandated");
    int64_t channel = channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    struct local_date day = place_with_values(&t, channel);
    day_text(day, from);
    day_text(local_date_add(day, 1), to);
    snprintf(body, sizeof body, "{\"pid\":\"13018\",\"from\":\"%s\",\"to\":\"%s\"}", from, to);
    ask(200, t.key, "PATCH", "{\"mandates_required\":true}", "/api/v1/tenants/mandated");
    ck_assert(json_is_true(value_at("mandates_required")));
    ask(201, t.key, "POST", body, "/api/v1/tenants/mandated/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 0);
    ck_assert_ptr_nonnull(strstr(text_at("notes.0"), "no mandate for " RECEIVER));

    /* One that ended before, one of somebody else. */
    ask(201, t.key, "POST", MANDATE("\"to\":\"2021-01-01T00:00:00Z\","),
        "/api/v1/tenants/mandated/mandates");
    int64_t id = int_at("id");
    ask(201, t.key, "POST",
        "{\"location\":\"" MELO "\",\"recipient\":\"9900999000304\",\"purpose\":\"x\",\"from\":"
        "\"2020-01-01T00:00:00Z\"}",
        "/api/v1/tenants/mandated/mandates");
    ask(201, t.key, "POST", body, "/api/v1/tenants/mandated/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 0);
    ask(200, t.key, "PATCH", "{\"to\":null}", "/api/v1/tenants/mandated/mandates/%" PRId64, id);
    ck_assert(json_is_null(value_at("to")));
    ck_assert_str_eq(text_at("evidence"), "letter 7");
    ask(201, t.key, "POST", body, "/api/v1/tenants/mandated/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 1);
    ck_assert_uint_eq(json_array_size(value_at("notes")), 0);
    /* Who sends to itself needs none. */
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/mandated/mandates/%" PRId64, id);
    sql("update location set receiver_mp_id = '" SENDER "' where tenant_id = %d", t.id);
    ask(201, t.key, "POST", body, "/api/v1/tenants/mandated/exports");
    ck_assert_uint_eq(json_array_size(value_at("files")), 1);
}
END_TEST

START_TEST(a_mandate_is_of_a_location_and_a_period)
{
    struct test_tenant t, other;
    char key[80];

    tenant_new(&t, "mandate");
    tenant_new(&other, "mandate-other");
    ask(400, t.key, "POST", MANDATE(""), "/api/v1/tenants/mandate/mandates");
    check_problem("invalid", "location");
    ask(201, t.key, "POST", "{\"code\":\"" MELO "\",\"kind\":\"melo\"}",
        "/api/v1/tenants/mandate/locations");
    ask(400, t.key, "POST", MANDATE("\"to\":\"2020-01-01T00:00:00Z\","),
        "/api/v1/tenants/mandate/mandates");
    check_problem("invalid", "to");
    ask(403, tenant_key(&t, "reader", key), "POST", MANDATE(""),
        "/api/v1/tenants/mandate/mandates");
    ask(201, t.key, "POST", MANDATE(""), "/api/v1/tenants/mandate/mandates");
    int64_t id = int_at("id");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/mandate/mandates?location=" MELO);
    ck_assert_uint_eq(items(), 1);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/mandate/mandates?location=" MELO_2);
    ck_assert_uint_eq(items(), 0);
    ask(404, other.key, "GET", NULL, "/api/v1/tenants/mandate-other/mandates/%" PRId64, id);
    ask(404, other.key, "DELETE", NULL, "/api/v1/tenants/mandate-other/mandates/%" PRId64, id);
    ask(400, t.key, "PATCH", "{\"to\":\"2019-01-01T00:00:00Z\"}",
        "/api/v1/tenants/mandate/mandates/%" PRId64, id);
    /* What a mandate names is not taken away under it. */
    ask(409, t.key, "DELETE", NULL, "/api/v1/tenants/mandate/locations/" MELO);
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/mandate/mandates/%" PRId64, id);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/mandate/mandates/%" PRId64, id);
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/mandate/locations/" MELO);
}
END_TEST

/* --- settings --- */

START_TEST(policies_and_partners_are_set_listed_and_taken_back)
{
    static const struct {
        const char *path, *body, *field;
    } bad[] = {
        { "export-policies/13018", "{}", "gap" },
        { "export-policies/13018", "{\"gap\":\"none\"}", "gap" },
        { "export-policies/13018", "{\"gap\":\"hold\",\"method\":\"Z93\"}", "method" },
        { "export-policies/13018", "{\"gap\":\"hold\",\"reason\":\"z75\"}", "reason" },
        { "export-policies/13018", "{\"gap\":\"hold\",\"correction\":\"Z'7\"}", "correction" },
        { "market-partners/" RECEIVER,
          "{\"name\":\"\",\"role\":\"NB\",\"file_bytes_max\":9999,\"file_messages_max\":null}",
          "file_bytes_max" },
        { "market-partners/" RECEIVER,
          "{\"name\":\"\",\"role\":\"NB\",\"file_bytes_max\":null,\"file_messages_max\":0}",
          "file_messages_max" },
    };
    struct test_tenant t;

    tenant_new(&t, "limits");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ask(400, t.key, "PUT", bad[i].body, "/api/v1/tenants/limits/%s", bad[i].path);
        check_problem("invalid", bad[i].field);
    }
    ask(404, t.key, "PUT", "{\"gap\":\"hold\"}", "/api/v1/tenants/limits/export-policies/13020");
    ask(404, t.key, "PUT", "{\"gap\":\"hold\"}", "/api/v1/tenants/limits/export-policies/0");
    ask(404, t.key, "PUT", "{}", "/api/v1/tenants/limits/market-partners/99");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/limits/export-policies");
    ck_assert_uint_eq(json_array_size(value_at("items")), 0);

    ask(200, t.key, "PUT", "{\"gap\":\"hold\"}", "/api/v1/tenants/limits/export-policies/default");
    ck_assert_str_eq(text_at("method"), "Z92");
    ask(200, t.key, "PUT", "{\"gap\":\"substitute\",\"method\":\"ZJ2\",\"reason\":\"Z74\"}",
        "/api/v1/tenants/limits/export-policies/13018");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/limits/export-policies");
    ck_assert_str_eq(text_at("items.0.use_case"), "default");
    ck_assert_str_eq(text_at("items.1.use_case"), "13018");
    ck_assert_str_eq(text_at("items.1.reason"), "Z74");
    ck_assert_str_eq(text_at("items.1.correction"), "ZA7");
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/limits/export-policies/13018");
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/limits/export-policies/13018");

    ask(200, t.key, "PUT",
        "{\"name\":\"\",\"role\":\"NB\",\"file_bytes_max\":20000,\"file_messages_max\":null}",
        "/api/v1/tenants/limits/market-partners/" RECEIVER);
    ck_assert(json_is_null(value_at("file_messages_max")));
    ask(200, t.key, "PUT",
        "{\"name\":\"\",\"role\":\"LF\",\"file_bytes_max\":null,\"file_messages_max\":null}",
        "/api/v1/tenants/limits/market-partners/" SENDER);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/limits/market-partners?limit=1");
    ck_assert_str_eq(text_at("items.0.mp_id"), SENDER);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/limits/market-partners?limit=1&cursor=%s",
        text_at("next"));
    ck_assert_int_eq(json_integer_value(value_at("items.0.file_bytes_max")), 20000);
    ask(204, t.key, "DELETE", NULL, "/api/v1/tenants/limits/market-partners/" RECEIVER);
    ask(404, t.key, "DELETE", NULL, "/api/v1/tenants/limits/market-partners/" RECEIVER);
}
END_TEST

TCase *market_tests(void)
{
    TCase *c = tcase_create("market");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, check_digits_of_a_location_are_verified);
    tcase_add_test(c, a_register_is_bound_once_at_a_time);
    tcase_add_test(c, an_export_writes_a_file_that_is_listed_and_fetched);
    tcase_add_test(c, an_export_that_makes_no_sense_is_refused);
    tcase_add_test(c, others_get_values_by_a_mandate_only);
    tcase_add_test(c, a_mandate_is_of_a_location_and_a_period);
    tcase_add_test(c, policies_and_partners_are_set_listed_and_taken_back);
    return c;
}
