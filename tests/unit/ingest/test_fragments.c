/* Messages in fragments (EN 13757-7, AFL) over ingest: joined per tenant, whichever gateway heard
 * which piece. */
#include "base/cipher.h"
#include "base/clock.h"
#include "base/writer.h"
#include "fragments.h"
#include "ingest/replay.h"
#include "model/frame_state.h"
#include "model/protocol.h"
#include "parsers/fragment_buffer.h"
#include "rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 3

static const uint8_t address[] = { 0xb4, 0x15, 0x01, 0x00, 0x00, 0x10, 0x01, 0x02 };
static const uint8_t key[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };

/* Energies first, first + 1, … of storage 0 to 5. */
static size_t make_records(int64_t first, uint8_t *out, size_t cap)
{
    struct writer w;

    writer_init_fixed(&w, out, cap);
    writer_be(&w, 0x2f2f, 2);
    for (unsigned i = 0; i < 6; i++) {
        writer_u8(&w, (uint8_t)(0x84u | (i & 1u) << 6));
        writer_u8(&w, (uint8_t)(i >> 1));
        writer_u8(&w, 0x03);
        writer_le(&w, (uint64_t)first + i, 4);
    }
    while (w.len % 16)
        writer_u8(&w, 0x2f);
    ck_assert(!w.failed);
    return w.len;
}

/* EN 13757-7, CI 7A, mode 0 or 5. */
static size_t make_message(int64_t first, bool encrypted, uint8_t *out, size_t cap)
{
    uint8_t records[64], iv[16];
    size_t n = make_records(first, records, sizeof records);
    struct cipher *c = cipher_new();
    struct writer w;

    writer_init_fixed(&w, out, cap);
    writer_be(&w, 0x7a2a00, 3);
    writer_le(&w, encrypted ? 0x0500u | n / 16 << 4 : 0, 2);
    memcpy(iv, address, sizeof address);
    memset(iv + 8, 0x2a, 8);
    if (encrypted)
        ck_assert_int_eq(cipher_aes128_cbc_encrypt(c, key, iv, records, n, records), EMT_OK);
    writer_bytes(&w, records, n);
    cipher_free(c);
    ck_assert(!w.failed);
    return w.len;
}

/* Piece id of the message, as a telegram. */
static struct rig_frame piece(unsigned id, int64_t first, bool encrypted)
{
    uint8_t message[128];
    size_t len = make_message(first, encrypted, message, sizeof message);
    size_t from = len * (id - 1) / PIECES, to = len * id / PIECES;
    struct rig_frame f;
    struct writer w;

    writer_init_fixed(&w, f.data, sizeof f.data);
    writer_be(&w, 0x0044, 2);
    writer_bytes(&w, address, sizeof address);
    writer_be(&w, 0x9002, 2);
    writer_le(&w, id | (id < PIECES ? 0x4000u : 0), 2);
    writer_bytes(&w, message + from, to - from);
    ck_assert(!w.failed);
    f.data[0] = (uint8_t)(w.len - 1);
    f.len = w.len;
    return f;
}

static void push_piece(struct rig_engine *e, uint64_t ticket, uint64_t seq, emt_time at,
                       unsigned id, int64_t first, bool encrypted)
{
    struct rig_frame f = piece(id, first, encrypted);
    struct ingest_frame frame = { .seq = seq,
                                  .received_at = at,
                                  .protocol = PROTOCOL_WMBUS,
                                  .format = FRAME_FORMAT_NO_LINK_CRC,
                                  .data = f.data,
                                  .len = f.len };

    ck_assert_int_eq(rig_push(e, ticket, &frame), EMT_OK);
    rig_wait(e, ticket, seq);
}

static void push(struct rig_engine *e, uint64_t ticket, uint64_t seq, emt_time at, unsigned id,
                 int64_t first)
{
    push_piece(e, ticket, seq, at, id, first, false);
}

static int64_t energies(int32_t tenant)
{
    return rig_number("select count(*) from reading r join channel c using (tenant_id, channel_id)"
                      " where r.tenant_id = %d and c.quantity = 1",
                      tenant);
}

static int64_t in_state(int32_t tenant, enum frame_state state)
{
    return rig_number("select count(*) from raw_frame where tenant_id = %d and state = %d", tenant,
                      (int)state);
}

START_TEST(pieces_of_two_gateways_make_one_message)
{
    int32_t tenant = rig_tenant("pieces");
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t a = rig_open(e, tenant, rig_gateway(tenant, "a", 1), 1, 1, 0);
    uint64_t b = rig_open(e, tenant, rig_gateway(tenant, "b", 2), 2, 1, 0);
    emt_time at = rig_noon(2);

    push(e, a, 1, at, 2, 1000);
    push(e, b, 1, at + EMT_SECOND, 2, 1000); /* heard twice */
    push(e, b, 2, at + EMT_SECOND, 1, 1000);
    ck_assert_int_eq(energies(tenant), 0);
    push(e, a, 2, at + 2 * EMT_SECOND, 3, 1000);
    ck_assert_int_eq(energies(tenant), 6);
    ck_assert_int_eq(in_state(tenant, FRAME_OK), 3);
    ck_assert_int_eq(in_state(tenant, FRAME_DUPLICATE), 1);
    rig_engine_free(e);
}
END_TEST

START_TEST(tenants_do_not_complete_each_others_messages)
{
    int32_t mine = rig_tenant("mine"), other = rig_tenant("other");
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t a = rig_open(e, mine, rig_gateway(mine, "a", 1), 1, 1, 0);
    uint64_t b = rig_open(e, other, rig_gateway(other, "b", 2), 2, 1, 0);
    emt_time at = rig_noon(2);

    push(e, a, 1, at, 1, 1000);
    push(e, b, 1, at, 2, 5000); /* same meter, made up */
    push(e, b, 2, at, 3, 5000);
    push(e, a, 2, at, 3, 1000);
    ck_assert_int_eq(energies(mine), 0);
    ck_assert_int_eq(energies(other), 0);
    push(e, a, 3, at, 2, 1000);
    ck_assert_int_eq(energies(mine), 6);
    ck_assert_int_eq(energies(other), 0);
    ck_assert_int_eq(rig_number("select max(mantissa)::int8 from reading where tenant_id = %d"
                                " and mantissa < 5000",
                                mine),
                     1005);
    rig_engine_free(e);
}
END_TEST

START_TEST(a_key_that_comes_later_opens_a_message_in_pieces)
{
    int32_t tenant = rig_tenant("later");
    struct rig_engine *e = rig_engine_new(NULL);
    uint64_t a = rig_open(e, tenant, rig_gateway(tenant, "a", 1), 1, 1, 0);
    struct seal_key master = rig_master();
    struct replay *r = replay_new(&master, NULL);
    struct store *s = pg_fixture_store(rig_fixture, STORE_INGEST);
    const struct replay_order order = { .tenant = tenant, .version = -1, .type = -1 };
    struct replay_result result;
    emt_time at = rig_noon(2);

    for (unsigned id = 1; id <= PIECES; id++)
        push_piece(e, a, id, at + id * EMT_SECOND, id, 1000, true);
    ck_assert_int_eq(in_state(tenant, FRAME_KEY_NEEDED), PIECES);
    rig_key(tenant, "EMT", "10000001", -1, -1, key);
    ck_assert_int_eq(replay_run(r, s, &order, NULL, NULL, &result), EMT_OK);
    ck_assert_int_eq(in_state(tenant, FRAME_OK), PIECES);
    ck_assert_int_eq(energies(tenant), 6);
    store_close(s);
    replay_free(r);
    rig_engine_free(e);
}
END_TEST

/* ---- without a database ---- */

static const struct device_id meter = { "EMT", "10000001", 1, 2, true };

static bool has(struct fragments *f, int32_t tenant, emt_time now)
{
    struct fragment_store s = fragments_of(f, tenant, now);
    size_t n = 0;

    return s.get(s.ctx, &meter, 1, &n) != NULL;
}

static void keep(struct fragments *f, int32_t tenant, emt_time now, const void *p, size_t n)
{
    struct fragment_store s = fragments_of(f, tenant, now);

    s.put(s.ctx, &meter, 1, p, n);
}

START_TEST(pieces_grow_old)
{
    struct fragments *f = fragments_new();

    keep(f, 1, EMT_HOUR, "piece", 5);
    ck_assert(has(f, 1, EMT_HOUR + FRAGMENTS_AGE));
    ck_assert(!has(f, 2, EMT_HOUR));
    ck_assert(!has(f, 1, EMT_HOUR + FRAGMENTS_AGE + 1));
    fragments_free(f);
    fragments_free(NULL);
}
END_TEST

START_TEST(the_tenant_silent_for_longest_gives_way)
{
    struct fragments *f = fragments_new();
    static uint8_t large[1024];

    for (int32_t t = 1; t <= (int32_t)FRAGMENTS_TENANTS_MAX + 1; t++)
        keep(f, t, EMT_HOUR + t, "piece", 5);
    ck_assert_uint_eq(fragments_tenants(f), FRAGMENTS_TENANTS_MAX);
    ck_assert(!has(f, 1, EMT_HOUR + 100));
    ck_assert(has(f, 2, EMT_HOUR + 100));
    /* A flood of one tenant takes nothing from another. */
    for (unsigned i = 0; i < 4096; i++) {
        struct fragment_store s = fragments_of(f, 3, EMT_HOUR + 100);
        struct device_id made_up = meter;

        made_up.version = (uint8_t)i;
        made_up.type = (uint8_t)(i >> 8);
        s.put(s.ctx, &made_up, 1, large, sizeof large);
    }
    ck_assert(has(f, 2, EMT_HOUR + 100));
    fragments_free(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fragments");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    rig_fixture = pg_fixture_start();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, pieces_of_two_gateways_make_one_message);
    tcase_add_test(t, tenants_do_not_complete_each_others_messages);
    tcase_add_test(t, a_key_that_comes_later_opens_a_message_in_pieces);
    tcase_add_test(t, pieces_grow_old);
    tcase_add_test(t, the_tenant_silent_for_longest_gives_way);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(rig_fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
