/* One frame explained: with the tenant's keys, and never the keys. */
#include "api_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "5a84e9d1c3b7f0426d8e1fa29b3c4d51"
#define CORPUS_KEY "000102030405060708090a0b0c0d0e0f"
#define CORPUS_AK "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
#define SPOOL "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define FRAME "/api/v1/tenants/%s/frames/g1/" SPOOL "/%d"
/* tests/corpus/mbus/security.txt, mode-5; tests/corpus/dlms/security.txt, general-glo */
#define MODE_5                                                                                     \
    "3e44b4157856341201027a2a0030053b042bd6732ad155ae45d350f980e384f7b2213a29b7cdda643a2bdd31904b" \
    "6b976f8ca42ce88dec82e4693f3b0b59a9"
#define GENERAL_GLO                                                                                \
    "db08454d541000bc614e3a3000000102f727b11693f44b124169c45e4e168a1d1a2bad9cd04df1f1040930e35fa0" \
    "f71920ee3bd68e1d0d3dd1afd1273966084fdae86c6090"

/* A gateway g1 and two frames of it: 1 wireless M-Bus, 2 DLMS. */
static void make_frames(const struct test_tenant *t, int assignment)
{
    channel_new(t, "EMT-12345678-01-02", 0, "Wh");
    sql("update device set assignment = %d where tenant_id = %d", assignment, t->id);
    sql("insert into gateway (tenant_id, external_id) values (%d, 'g1')", t->id);
    sql("insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at,"
        " stored_at, device_id, state, rssi_dbm, spool_id, data, reason)"
        " select g.tenant_id, p.protocol, p.format, g.gateway_id, p.seq, now(), now(), d.device_id,"
        " 1, -70, decode('" SPOOL "', 'hex'), decode(p.data, 'hex'), 'no key'"
        " from gateway g, device d, (values (1, 1, 1, '" MODE_5 "'), (2, 6, 7, '" GENERAL_GLO
        "')) p(seq, protocol, format, data)"
        " where g.tenant_id = %d and d.tenant_id = g.tenant_id",
        t->id);
}

static size_t count_of(const char *path)
{
    return json_array_size(value_at(path));
}

START_TEST(without_a_key_the_layers_are_shown)
{
    struct test_tenant t;

    tenant_new(&t, "layers");
    make_frames(&t, 1);
    ask(200, t.key, "GET", NULL, FRAME, t.name, 1);
    ck_assert_str_eq(text_at("gateway"), "g1");
    ck_assert_str_eq(text_at("data"), MODE_5);
    ck_assert_str_eq(text_at("device"), "EMT-12345678-01-02");
    ck_assert_str_eq(text_at("explain.layers.0.name"), "link");
    ck_assert_str_eq(text_at("explain.layers.1.name"), "tpl");
    ck_assert_int_eq(int_at("explain.layers.1.offset"), 10);
    ck_assert_uint_eq(count_of("explain.records"), 0);
    ck_assert(json_is_null(value_at("explain.plain")));
    ck_assert_ptr_nonnull(strstr(text_at("explain.note"), "no key known"));
}
END_TEST

START_TEST(with_its_key_each_record_is_shown)
{
    struct test_tenant t;

    tenant_new(&t, "records");
    make_frames(&t, 1);
    /* A key that does not fit does no harm. */
    ask(201, t.key, "POST", "{\"key\":\"" KEY "\",\"manufacturer\":\"EMT\"}",
        "/api/v1/tenants/%s/meter-keys", t.name);
    ask(201, t.key, "POST", "{\"key\":\"" CORPUS_KEY "\",\"number\":\"12345678\"}",
        "/api/v1/tenants/%s/meter-keys", t.name);
    ck_assert(json_is_false(value_at("has_authentication_key")));
    ck_assert(json_is_null(value_at("system_title")));
    ask(200, t.key, "GET", NULL, FRAME, t.name, 1);
    ck_assert_uint_eq(strlen(text_at("explain.plain")), 2 * 48);
    ck_assert_str_eq(text_at("explain.records.0.text"), "filler");
    ck_assert_str_eq(text_at("explain.records.1.in"), "plain");
    ck_assert_int_eq(int_at("explain.records.1.offset"), 2);
    ck_assert_str_eq(text_at("explain.records.2.dif"), "04");
    ck_assert_str_eq(text_at("explain.records.2.value"), "1234567");
    ck_assert_str_eq(text_at("explain.records.2.unit"), "Wh");
    ck_assert_str_eq(text_at("explain.records.2.obis"), "1-0:1.8.0*255");
    ck_assert(json_is_null(value_at("explain.note")));
    check_told_nowhere(KEY);
    check_told_nowhere(CORPUS_KEY);
}
END_TEST

START_TEST(an_authentication_key_opens_and_proves_a_push)
{
    static const char *const bad[] = {
        "\"authentication_key\":\"00\"",
        "\"authentication_key\":\"zz0102030405060708090a0b0c0d0e0f\"",
        "\"system_title\":\"454d541000bc61zz\"", "\"system_title\":\"45\""
    };
    struct test_tenant t;

    tenant_new(&t, "push");
    make_frames(&t, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[200];

        snprintf(body, sizeof body, "{\"key\":\"" CORPUS_KEY "\",%s}", bad[i]);
        ask(400, t.key, "POST", body, "/api/v1/tenants/%s/meter-keys", t.name);
    }
    ask(201, t.key, "POST",
        "{\"key\":\"" CORPUS_KEY "\",\"manufacturer\":\"EMT\",\"authentication_key\":\"" CORPUS_AK
        "\",\"system_title\":\"454D541000BC614E\"}",
        "/api/v1/tenants/%s/meter-keys", t.name);
    ck_assert(json_is_true(value_at("has_authentication_key")));
    ck_assert_str_eq(text_at("system_title"), "454d541000bc614e");
    ask(200, t.key, "GET", NULL, FRAME, t.name, 2);
    ck_assert_str_eq(text_at("explain.layers.0.name"), "general-glo-ciphering");
    ck_assert(json_is_null(value_at("explain.note"))); /* the tag was checked */
    ck_assert_uint_gt(count_of("explain.records"), 0);
    check_told_nowhere(CORPUS_AK);
}
END_TEST

START_TEST(a_line_of_csv_may_have_both_keys)
{
    static const char csv[] = "key;manufacturer;authenticationKey;systemTitle\n" CORPUS_KEY
                              ";EMT;" CORPUS_AK ";454d541000bc614e\n" CORPUS_KEY ";EMT;12;\n";
    struct test_tenant t;
    char headers[200], target[100];

    tenant_new(&t, "csvdlms");
    make_frames(&t, 1);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nContent-Type: text/csv\r\n",
             t.key);
    snprintf(target, sizeof target, "/api/v1/tenants/%s/meter-keys", t.name);
    ask_with(200, headers, "POST", csv, sizeof csv - 1, target);
    ck_assert_int_eq(int_at("accepted"), 1);
    ck_assert_int_eq(int_at("rejected"), 1);
    ask(200, t.key, "GET", NULL, FRAME, t.name, 2);
    ck_assert(json_is_null(value_at("explain.note")));
    check_told_nowhere(CORPUS_AK);
}
END_TEST

/* A meter that is heard only is a neighbour's. */
START_TEST(of_a_meter_not_adopted_no_value_is_shown)
{
    struct test_tenant t;

    tenant_new(&t, "heard");
    make_frames(&t, 0);
    ask(201, t.key, "POST", "{\"key\":\"" CORPUS_KEY "\"}", "/api/v1/tenants/%s/meter-keys",
        t.name);
    ask(200, t.key, "GET", NULL, FRAME, t.name, 1);
    ck_assert_uint_eq(count_of("explain.records"), 0);
    ck_assert(json_is_null(value_at("explain.plain")));
    ck_assert_ptr_nonnull(strstr(text_at("explain.note"), "not adopted"));
}
END_TEST

START_TEST(other_frames_and_other_tenants_are_not_found)
{
    static const char *const bad[] = { "g1/" SPOOL "/3",
                                       "g2/" SPOOL "/1",
                                       "g1/" SPOOL "/x",
                                       "g1/" SPOOL "/-1",
                                       "g1/cdcd/1",
                                       "g1/zzcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd/1",
                                       "g1/00000000000000000000000000000000/1" };
    struct test_tenant t, other;
    char reader[80];

    tenant_new(&t, "mine");
    tenant_new(&other, "other");
    make_frames(&t, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ask(404, t.key, "GET", NULL, "/api/v1/tenants/%s/frames/%s", t.name, bad[i]);
    ask(404, other.key, "GET", NULL, FRAME, other.name, 1);
    ask(0, other.key, "GET", NULL, FRAME, t.name, 1);
    ck_assert(last_status() == 403 || last_status() == 404);
    ask(200, tenant_key(&t, "reader", reader), "GET", NULL, FRAME, t.name, 1);
    ask(401, NULL, "GET", NULL, FRAME, t.name, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_frames");
    TCase *c = tcase_create("frames");

    platform_start();
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, api_start, api_stop);
    tcase_add_test(c, without_a_key_the_layers_are_shown);
    tcase_add_test(c, with_its_key_each_record_is_shown);
    tcase_add_test(c, an_authentication_key_opens_and_proves_a_push);
    tcase_add_test(c, a_line_of_csv_may_have_both_keys);
    tcase_add_test(c, of_a_meter_not_adopted_no_value_is_shown);
    tcase_add_test(c, other_frames_and_other_tenants_are_not_found);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    free(platform.operator_key);
    free(platform.auditor_key);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
