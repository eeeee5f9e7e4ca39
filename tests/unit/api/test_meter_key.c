/* Keys of meters: they come in and never out. */
#include "api_fixture.h"
#include "store/secret_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEYS "/api/v1/tenants/%s/meter-keys"
#define K1 "5a84e9d1c3b7f0426d8e1fa29b3c4d50"
#define K2 "A1B2C3D4E5F60718293A4B5C6D7E8F90"
#define K3 "1f2e3d4c5b6a7988"

static int64_t waiting_jobs(const struct test_tenant *t, const char *payload)
{
    return sql_number("select count(*) from job where tenant_id = %d and kind = 'replay' and state"
                      " = 0 and payload = '%s'::jsonb",
                      t->id, payload);
}

/* The key as it comes out of its wrapping. */
static void check_kept(const struct test_tenant *t, int64_t id, const char *hex)
{
    struct store *s = pg_fixture_store(platform.pg, STORE_ADMIN);
    struct seal_key data_key;
    char row[24];
    char text[65] = "";

    ck_assert_int_eq(tenant_key_load(s, t->id, 0, &platform.master, &data_key), EMT_OK);
    snprintf(row, sizeof row, "%" PRId64, id);
    struct seal_place place = { t->id, "device_key", row, "key" };
    uint8_t blob[100];
    uint8_t key[100];
    size_t n =
        (size_t)sql_number("select length(blob) from device_key where key_id = %" PRId64, id);
    size_t len = 0;
    ck_assert_uint_le(n, sizeof blob);
    for (size_t i = 0; i < n; i++)
        blob[i] = (uint8_t)sql_number(
            "select get_byte(blob, %d) from device_key where key_id = %" PRId64, (int)i, id);
    ck_assert_int_eq(seal_unwrap(&data_key, &place, blob, n, key, &len), EMT_OK);
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    ck_assert_int_eq(strcasecmp(text, hex), 0);
    store_close(s);
}

START_TEST(a_key_is_wrapped_and_wakes_what_waits_for_it)
{
    struct test_tenant t;

    tenant_new(&t, "mk");
    int64_t version = sql_number("select version from registry_version where tenant_id = %d", t.id);
    unsigned before = api_woken();
    ask(201, t.key, "POST",
        "{\"key\":\"" K1 "\",\"number\":\"1234567\",\"manufacturer\":\"KAM\",\"version\":25,"
        "\"type\":22,\"label\":\"Flat 1\"}",
        KEYS, t.name);
    ck_assert_str_eq(text_at("number"), "01234567"); /* zeros that a spreadsheet dropped */
    ck_assert_int_eq(int_at("version"), 25);
    check_kept(&t, int_at("id"), K1);
    ck_assert_uint_eq(api_woken(), before + 1);
    ck_assert_int_gt(sql_number("select version from registry_version where tenant_id = %d", t.id),
                     version);
    ck_assert_int_eq(waiting_jobs(&t, "{\"state\":\"key-needed\",\"number\":\"01234567\","
                                      "\"manufacturer\":\"KAM\",\"version\":25,\"type\":22}"),
                     1);
    ask(201, t.key, "POST", "{\"key\":\"" K2 "\"}", KEYS, t.name);
    ck_assert(json_is_null(value_at("number")));
    ck_assert(json_is_null(value_at("type")));
    check_kept(&t, int_at("id"), K2);
    ck_assert_int_eq(waiting_jobs(&t, "{\"state\":\"key-needed\"}"), 1);
    int64_t id = int_at("id");
    ask(200, t.key, "GET", NULL, KEYS "?limit=1", t.name);
    ck_assert_str_eq(text_at("items.0.label"), "Flat 1");
    ask(200, t.key, "GET", NULL, KEYS "?limit=1&cursor=%s", t.name, text_at("next"));
    ck_assert_int_eq(int_at("items.0.id"), id);
    ask(204, t.key, "DELETE", NULL, KEYS "/%" PRId64, t.name, id);
    ask(404, t.key, "DELETE", NULL, KEYS "/%" PRId64, t.name, id);
    ask(404, t.key, "DELETE", NULL, KEYS "/x", t.name);
    check_told_nowhere(K1);
    check_told_nowhere(K2);
}
END_TEST

START_TEST(a_wrong_key_is_refused_without_being_repeated)
{
    static const struct {
        const char *body, *field;
    } cases[] = {
        { "{}", "key" },
        { "{\"key\":\"" K1 "0\"}", "key" },
        { "{\"key\":\"" K1 K1 "00\"}", "key" },
        { "{\"key\":\"x" K1 "\"}", "key" },
        { "{\"key\":[\"" K1 "\"]}", "key" },
        { "{\"key\":{\"" K1 "\":1}}", "key" },
        { "{\"key\":\"" K1 "\",\"number\":\"12g\"}", "number" },
        { "{\"key\":\"" K1 "\",\"number\":\"\"}", "number" },
        { "{\"key\":\"" K1 "\",\"manufacturer\":\"kam\"}", "manufacturer" },
        { "{\"key\":\"" K1 "\",\"version\":256}", "version" },
        { "{\"key\":\"" K1 "\",\"version\":\"1\"}", "version" },
        { "{\"key\":\"" K1 "\",\"type\":-1}", "type" },
        { "{\"key\":\"" K1 "\",\"secret\":1}", NULL },
        { "{\"key\":\"" K1 "\",\"key\":\"" K2 "\"}", NULL },
        { "{\"key\":\"" K1 "\"", NULL },
        { "{\"key\":" K1 "}", NULL },
        { "\"" K1 "\"", NULL },
        { K1, NULL },
    };
    struct test_tenant t;

    tenant_new(&t, "mk-wrong");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(400, t.key, "POST", cases[i].body, KEYS, t.name);
        check_problem("invalid", cases[i].field);
    }
    ck_assert_int_eq(sql_number("select count(*) from device_key where tenant_id = %d", t.id), 0);
    ck_assert_int_eq(sql_number("select count(*) from job where tenant_id = %d", t.id), 0);
    check_told_nowhere(K1);
}
END_TEST

static void post_csv(const struct test_tenant *t, unsigned status, const char *type,
                     const char *csv, size_t n)
{
    char headers[300];
    char target[100];

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nContent-Type: %s\r\n", t->key,
             type);
    snprintf(target, sizeof target, KEYS, t->name);
    ask_with(status, headers, "POST", csv, n, target);
}

START_TEST(good_lines_of_a_list_are_kept_beside_bad_ones)
{
    static const char csv[] = "\xef\xbb\xbf"
                              "Address;Key;Manufacturer;DeviceType;Version;Label\r\n"
                              "12345678;" K1 ";KAM;0x16;25;\"Flat; 1\"\r\n"
                              "12345679;" K2 "\r\n"
                              "1234567x;" K1 ";;;;\r\n"
                              "\r\n"
                              "12345680;" K1 K1 K1 "\r\n"
                              "12345681;" K3 ";;;;\xff\r\n"
                              "12345682;\"" K3 "\r\n"
                              "12345683;" K3;
    struct test_tenant t;

    tenant_new(&t, "mk-csv");
    unsigned before = api_woken();
    post_csv(&t, 200, "text/csv", csv, sizeof csv - 1);
    ck_assert_int_eq(int_at("accepted"), 3);
    ck_assert_int_eq(int_at("rejected"), 4);
    ck_assert_uint_eq(json_array_size(value_at("lines")), 7);
    ck_assert_int_eq(int_at("lines.0.line"), 2);
    ck_assert_str_eq(text_at("lines.0.result"), "accepted");
    ck_assert_ptr_nonnull(value_at("lines.0.id"));
    ck_assert_int_eq(int_at("lines.2.line"), 4);
    ck_assert_str_eq(text_at("lines.2.result"), "rejected");
    ck_assert_ptr_nonnull(value_at("lines.2.reason"));
    ck_assert_int_eq(int_at("lines.3.line"), 6);
    ck_assert_int_eq(int_at("lines.5.line"), 8);
    ck_assert_str_eq(text_at("lines.6.result"), "accepted");
    ck_assert_uint_eq(api_woken(), before + 1);
    ck_assert_int_eq(waiting_jobs(&t, "{\"state\":\"key-needed\"}"), 1);
    ck_assert_int_eq(sql_number("select count(*) from device_key where tenant_id = %d", t.id), 3);
    check_kept(&t,
               sql_number("select key_id from device_key where tenant_id = %d and number ="
                          " '12345683'",
                          t.id),
               K3);
    post_csv(&t, 200, "Text/CSV; charset=utf-8", "key\n" K1, 4 + 32);
    ck_assert_int_eq(int_at("accepted"), 1);
    check_told_nowhere(K1);
    check_told_nowhere(K2);
    check_told_nowhere(K3);
}
END_TEST

START_TEST(a_list_without_a_head_changes_nothing)
{
    static const char no_head[] = "12345678;" K1 "\n12345679;" K2 "\n";
    static const char only_key[] = K1 "\n";
    struct test_tenant t;

    tenant_new(&t, "mk-head");
    post_csv(&t, 400, "text/csv", no_head, sizeof no_head - 1);
    check_problem("invalid", NULL);
    post_csv(&t, 400, "text/csv", only_key, sizeof only_key - 1);
    post_csv(&t, 400, "text/csv", "", 0);
    post_csv(&t, 400, "text/csv", "number\n1\n", 9);
    post_csv(&t, 200, "text/csv", "key\n\n \r\n", 8);
    ck_assert_int_eq(int_at("accepted"), 0);
    ck_assert_int_eq(sql_number("select count(*) from device_key where tenant_id = %d", t.id), 0);
    ck_assert_int_eq(sql_number("select count(*) from job where tenant_id = %d", t.id), 0);
    check_told_nowhere(K1);
}
END_TEST

TCase *meter_key_tests(void)
{
    TCase *c = tcase_create("meter_key");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_key_is_wrapped_and_wakes_what_waits_for_it);
    tcase_add_test(c, a_wrong_key_is_refused_without_being_repeated);
    tcase_add_test(c, good_lines_of_a_list_are_kept_beside_bad_ones);
    tcase_add_test(c, a_list_without_a_head_changes_nothing);
    return c;
}
