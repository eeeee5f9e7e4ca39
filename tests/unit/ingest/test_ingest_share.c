/* No tenant takes what belongs to the others: room in memory, room in a batch, room in the caches.
 */
#include "batch.h"
#include "registry.h"
#include "rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET ((size_t)4 << 20)

static uint8_t big[16000];

static enum emt_err push(struct rig_engine *e, uint64_t ticket, uint64_t seq, size_t len)
{
    struct ingest_frame f = { seq, rig_noon(2), PROTOCOL_WMBUS, 1, big, len, 0 };

    return rig_push(e, ticket, &f);
}

/* A session that does not keep to its credit, with frames that cost more than their bytes. */
START_TEST(who_sends_beyond_measure_leaves_room_for_others)
{
    int32_t a = rig_tenant("greedy"), b = rig_tenant("modest");
    int64_t ga = rig_gateway(a, "a", 1), gb = rig_gateway(b, "b", 1);
    struct rig_engine *e = rig_engine_new(
        &(struct rig_options){ .batch_ms = 3000, .batch_rows = 1000000, .budget_bytes = BUDGET });
    uint64_t ta = rig_open(e, a, ga, 1, 1, 0), tb = rig_open(e, b, gb, 1, 1, 0);
    enum emt_err err = EMT_OK;
    uint64_t n = 0;

    while (err == EMT_OK && n < 100000)
        err = push(e, ta, ++n, 1);
    ck_assert_int_eq(err, EMT_ELIMIT);
    ck_assert_int_eq(rig_gap(e, ta, n, n, "and gaps"), EMT_ELIMIT);
    ck_assert_uint_eq(rig_credit(e, ta), 0);
    ck_assert(!rig_is_full(e));
    ck_assert_uint_gt(rig_credit(e, tb), 0);
    for (uint64_t i = 1; i <= 500; i++)
        ck_assert_int_eq(push(e, tb, i, 200), EMT_OK);
    rig_wait(e, tb, 500);
    rig_wait(e, ta, n - 1);
    /* All of it is given back. */
    ck_assert_uint_eq(rig_credit(e, ta), BUDGET / 8 / 2);
    ck_assert_uint_eq(rig_credit(e, tb), BUDGET / 8 / 2);
    rig_close(e, tb);
    ck_assert_uint_eq(rig_credit(e, ta), BUDGET / 8);
    rig_engine_free(e);
}
END_TEST

START_TEST(large_frames_of_one_tenant_do_not_fill_the_batch)
{
    enum { N = 60 };
    int32_t a = rig_tenant("large"), b = rig_tenant("small");
    int64_t ga = rig_gateway(a, "a", 1), gb = rig_gateway(b, "b", 1);
    struct rig_engine *e = rig_engine_new(&(struct rig_options){ .batch_ms = 500 });
    uint64_t ta = rig_open(e, a, ga, 1, 1, 0), tb = rig_open(e, b, gb, 1, 1, 0);

    for (uint64_t i = 1; i <= N; i++)
        ck_assert_int_eq(push(e, ta, i, sizeof big), EMT_OK);
    ck_assert_int_eq(push(e, tb, 1, 100), EMT_OK);
    rig_wait(e, tb, 1);
    rig_wait(e, ta, N);
    ck_assert_int_eq(rig_number("select count(*) from raw_frame where tenant_id = %d", a), N);
    ck_assert_int_le(rig_number("select count(*) from raw_frame where tenant_id = %d and stored_at"
                                " <= (select stored_at from raw_frame where tenant_id = %d)",
                                a, b),
                     5);
    /* In order, although they went in several batches. */
    ck_assert_int_eq(rig_number("select count(*) from raw_frame x join raw_frame y on x.tenant_id ="
                                " y.tenant_id and x.seq < y.seq and x.stored_at > y.stored_at"
                                " where x.tenant_id = %d",
                                a),
                     0);
    rig_engine_free(e);
}
END_TEST

/* Meters that nobody has: they have no channel, and take memory all the same. */
START_TEST(meters_that_were_made_up_count_in_the_cache)
{
    struct seal_key master = rig_master();
    struct registry *r = registry_new(&master);
    struct registry_load *l = registry_load_new(r);
    struct store *s = pg_fixture_store(rig_fixture, STORE_INGEST);
    int32_t tenant = rig_tenant("made-up");
    enum emt_err err = EMT_OK;

    ck_assert_uint_eq(registry_devices(r), 0);
    for (unsigned i = 0; i < 300; i++) {
        struct device_id id = { .manufacturer = "EMT", .has_version = true };
        snprintf(id.number, sizeof id.number, "%08u", 10000000 + i % 200);
        ck_assert_int_eq(registry_load_want(l, tenant, &id), EMT_OK);
    }
    ck_assert_int_eq(registry_load_send(l, s, 1, &err, NULL, NULL), EMT_OK);
    ck_assert_int_eq(store_drain(s, RIG_WAIT_MS), EMT_OK);
    ck_assert_int_eq(err, EMT_OK);
    ck_assert_uint_eq(registry_devices(r), 200);
    registry_version_seen(r, tenant, 1000);
    ck_assert_uint_eq(registry_devices(r), 0);
    ck_assert_uint_eq(registry_channels(r), 0);
    store_close(s);
    registry_load_free(l);
    registry_free(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ingest_share");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, who_sends_beyond_measure_leaves_room_for_others);
    tcase_add_test(t, large_frames_of_one_tenant_do_not_fill_the_batch);
    tcase_add_test(t, meters_that_were_made_up_count_in_the_cache);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
