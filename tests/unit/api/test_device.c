/* Devices and channels. */
#include "api_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

START_TEST(a_device_is_found_and_changed)
{
    static const char *const bad[] = { "{\"active\":1}", "{\"active\":null}",
                                       "{\"assignment\":\"mine\"}", "{\"assignment\":1}",
                                       "{\"number\":\"1\"}" };
    struct test_tenant t;

    tenant_new(&t, "device");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    int64_t version = sql_number("select version from registry_version where tenant_id = %d", t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/device/devices/EMT-12345678-01-02");
    ck_assert_str_eq(text_at("medium"), "electricity");
    ck_assert_str_eq(text_at("assignment"), "adopted");
    ask(200, t.key, "PATCH",
        "{\"name\":\"Main\",\"place\":\"Cellar\",\"active\":false,\"assignment\":\"ignored\"}",
        "/api/v1/tenants/device/devices/EMT-12345678-01-02");
    ck_assert_str_eq(text_at("name"), "Main");
    ck_assert_str_eq(text_at("assignment"), "ignored");
    ck_assert(json_is_false(value_at("active")));
    ask(200, t.key, "PATCH", "{\"active\":true}",
        "/api/v1/tenants/device/devices/EMT-12345678-01-02");
    ck_assert_str_eq(text_at("place"), "Cellar");
    ck_assert(json_is_true(value_at("active")));
    ck_assert_int_gt(sql_number("select version from registry_version where tenant_id = %d", t.id),
                     version);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(400, t.key, "PATCH", bad[i], "/api/v1/tenants/device/devices/EMT-12345678-01-02");
    ask(404, t.key, "PATCH", "{\"active\":true}", "/api/v1/tenants/device/devices/EMT-1");
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/device/devices/EMT-1");
    /* A device of which little is known. */
    sql("insert into device (tenant_id, ident, manufacturer, number) values (%d, '-x', '', 'x')",
        t.id);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/device/devices/-x");
    ck_assert_str_eq(text_at("medium"), "unknown");
    ck_assert(json_is_null(value_at("version")));
}
END_TEST

START_TEST(a_device_that_may_send_plaintext_is_decoded_again)
{
    struct test_tenant t;

    tenant_new(&t, "plaintext");
    channel_new(&t, "EMT-12345678-01-02", 0, "Wh");
    unsigned before = api_woken();
    ask(200, t.key, "PATCH", "{\"accept_plaintext\":false}",
        "/api/v1/tenants/plaintext/devices/EMT-12345678-01-02");
    ck_assert_uint_eq(api_woken(), before);
    for (int i = 0; i < 2; i++) /* a waiting job stands for the second one, too */
        ask(200, t.key, "PATCH", "{\"accept_plaintext\":true}",
            "/api/v1/tenants/plaintext/devices/EMT-12345678-01-02");
    ck_assert(json_is_true(value_at("accept_plaintext")));
    ck_assert_uint_eq(api_woken(), before + 2);
    ck_assert_int_eq(sql_number("select count(*) from job j join device d on d.tenant_id ="
                                " j.tenant_id and (j.payload->>'device')::int8 = d.device_id"
                                " where j.tenant_id = %d and j.kind = 'replay'",
                                t.id),
                     1);
}
END_TEST

START_TEST(devices_and_channels_are_paged)
{
    struct test_tenant t;
    char cursor[80] = "";
    int seen = 0;
    int pages = 0;

    tenant_new(&t, "device-page");
    sql("insert into device (tenant_id, ident, manufacturer, number, version, type) select %d,"
        " 'EMT-' || i || '-01-02', 'EMT', (i %% 3)::text, 1, 2 from generate_series(100, 130) i",
        t.id);
    do {
        ask(200, t.key, "GET", NULL, "/api/v1/tenants/device-page/devices?limit=10&cursor=%s",
            cursor);
        seen += (int)items();
        pages++;
        snprintf(cursor, sizeof cursor, "%s", value_at("next") ? text_at("next") : "");
    } while (*cursor);
    ck_assert_int_eq(seen, 31);
    ck_assert_int_eq(pages, 4);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/device-page/devices?number=2");
    ck_assert_uint_eq(items(), 10);
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/device-page/devices?number=7");
    ck_assert_uint_eq(items(), 0);

    int64_t first = channel_new(&t, "EMT-100-01-02", 0, "Wh");
    channel_new(&t, "EMT-100-01-02", 1, NULL);
    channel_new(&t, "EMT-100-01-02", 2, NULL);
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/device-page/devices/EMT-100-01-02/channels?limit=2");
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(text_at("items.0.unit"), "Wh");
    ck_assert_str_eq(text_at("items.1.kind"), "text");
    ck_assert(json_is_null(value_at("items.1.unit")));
    ask(200, t.key, "GET", NULL,
        "/api/v1/tenants/device-page/devices/EMT-100-01-02/channels?limit=2&cursor=%s",
        text_at("next"));
    ck_assert_uint_eq(items(), 1);
    ck_assert_ptr_null(value_at("next"));
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/device-page/devices/none/channels");
    ask(200, t.key, "GET", NULL, "/api/v1/tenants/device-page/channels/%" PRId64, first);
    ck_assert_str_eq(text_at("device"), "EMT-100-01-02");
    ck_assert_str_eq(text_at("quantity"), "energy");
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/device-page/channels/%" PRId64, first + 1000000);
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/device-page/channels/x");
    ask(404, t.key, "GET", NULL, "/api/v1/tenants/device-page/channels/-1");
}
END_TEST

START_TEST(numbers_of_another_tenant_lead_nowhere)
{
    struct test_tenant mine;
    struct test_tenant theirs;

    tenant_new(&mine, "numbers-a");
    tenant_new(&theirs, "numbers-b");
    int64_t channel = channel_new(&theirs, "EMT-12345678-01-02", 0, "Wh");
    ask(404, mine.key, "GET", NULL, "/api/v1/tenants/numbers-a/channels/%" PRId64, channel);
    ask(404, mine.key, "GET", NULL, "/api/v1/tenants/numbers-a/channels/%" PRId64 "/readings",
        channel);
    ask(404, mine.key, "GET", NULL, "/api/v1/tenants/numbers-a/devices/EMT-12345678-01-02");
    ask(200, theirs.key, "GET", NULL, "/api/v1/tenants/numbers-b/channels/%" PRId64, channel);
}
END_TEST

TCase *device_tests(void)
{
    TCase *c = tcase_create("device");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, a_device_is_found_and_changed);
    tcase_add_test(c, a_device_that_may_send_plaintext_is_decoded_again);
    tcase_add_test(c, devices_and_channels_are_paged);
    tcase_add_test(c, numbers_of_another_tenant_lead_nowhere);
    return c;
}
