/* Ciphered DLMS pushes over ingest: the second key of a meter proves them. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/seal.h"
#include "model/frame_state.h"
#include "model/protocol.h"
#include "rig.h"
#include "store/secret_store.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tests/corpus/dlms/security.txt, general-glo and title-of-the-key: keys 000102…0f and d0d1…df */
static const char general_glo[] =
    "db08454d541000bc614e3a3000000102f727b11693f44b124169c45e4e168a1d1a2bad9cd04df1f1040930e35fa0f719"
    "20ee3bd68e1d0d3dd1afd1273966084fdae86c6090";
static const uint8_t title[] = { 'E', 'M', 'T', 0x10, 0x00, 0xbc, 0x61, 0x4e };

/* The encryption key for any meter, with an authentication key that begins with this byte. */
static void add_keys(int32_t tenant, uint8_t first)
{
    struct store *s = pg_fixture_store(rig_fixture, STORE_APP);
    struct seal_key master = rig_master(), data_key;
    uint8_t ek[16], ak[16], blob[16 + SEAL_OVERHEAD];
    char row[24], hex[2 * sizeof blob + 1], title_hex[2 * sizeof title + 1];
    int64_t id;
    size_t n;

    for (uint8_t i = 0; i < 16; i++) {
        ek[i] = i;
        ak[i] = (uint8_t)(first + i);
    }
    rig_key(tenant, NULL, NULL, -1, -1, ek);
    id = rig_number("select max(key_id) from device_key where tenant_id = %d", tenant);
    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, tenant, 0, &master, &data_key), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    store_close(s);
    (void)snprintf(row, sizeof row, "%" PRId64, id);
    struct seal_place place = { tenant, "device_key", row, "authentication-key" };
    ck_assert_int_eq(seal_wrap(&data_key, &place, ak, sizeof ak, blob, &n), EMT_OK);
    rig_sql("update device_key set authentication_blob = decode('%s', 'hex'),"
            " system_title = decode('%s', 'hex') where tenant_id = %d",
            hex_encode(blob, n, hex), hex_encode(title, sizeof title, title_hex), tenant);
}

static void push(struct rig_engine *e, uint64_t ticket, const char *hex)
{
    uint8_t data[300];
    size_t n = 0;

    ck_assert_int_eq(hex_decode(hex, strlen(hex), data, sizeof data, &n), EMT_OK);
    ck_assert_int_eq(rig_push(e, ticket,
                              &(struct ingest_frame){ .seq = 1,
                                                      .received_at = rig_noon(1),
                                                      .protocol = PROTOCOL_DLMS,
                                                      .format = FRAME_FORMAT_NONE,
                                                      .data = data,
                                                      .len = n }),
                     EMT_OK);
    rig_wait(e, ticket, 1);
}

static void check(const char *name, uint8_t first, enum frame_state state, int64_t unchecked)
{
    int32_t tenant = rig_tenant(name);
    struct rig_engine *e;
    uint64_t t;

    add_keys(tenant, first);
    e = rig_engine_new(NULL);
    t = rig_open(e, tenant, rig_gateway(tenant, "gw", 1), 1, 1, 0);
    push(e, t, general_glo);
    ck_assert_int_eq(rig_number("select state from raw_frame where tenant_id = %d", tenant),
                     (int64_t)state);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d and reason"
                                " like '%%unchecked%%'",
                                tenant),
                     unchecked);
    /* The telegram tells its own time: in years to come it is a late one. */
    ck_assert_int_eq(rig_number("select (select count(*) from reading where tenant_id = %d)"
                                " + (select count(*) from reading_late where tenant_id = %d)",
                                tenant, tenant) > 0,
                     state == FRAME_OK);
    rig_engine_free(e);
}

START_TEST(the_second_key_proves_a_push)
{
    check("proved", 0xd0, FRAME_OK, 0);
}
END_TEST

START_TEST(a_second_key_that_does_not_fit_refuses_it)
{
    check("refused", 0xd1, FRAME_MAC_WRONG, 0);
}
END_TEST

START_TEST(without_a_second_key_it_is_read_and_said)
{
    int32_t tenant = rig_tenant("unproved");
    uint8_t ek[16];
    struct rig_engine *e;
    uint64_t t;

    for (uint8_t i = 0; i < 16; i++)
        ek[i] = i;
    rig_key(tenant, "EMT", NULL, -1, -1, ek);
    e = rig_engine_new(NULL);
    t = rig_open(e, tenant, rig_gateway(tenant, "gw", 1), 1, 1, 0);
    push(e, t, general_glo);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d and state = 0"
                                " and reason like '%%unchecked%%'",
                                tenant),
                     1);
    rig_engine_free(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dlms_keys");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_second_key_proves_a_push);
    tcase_add_test(t, a_second_key_that_does_not_fit_refuses_it);
    tcase_add_test(t, without_a_second_key_it_is_read_and_said);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
