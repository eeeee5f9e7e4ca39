/* Every use case out of the database, with meters that are exchanged and roll over, and gaps by the
 * tenant's policy: exact values, clean files. */
#include "export_taken.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-11-20T09:30:10Z"
#define DAY_START "2026-11-17T23:00:00Z"
#define DAY ((struct local_date){ 2026, 11, 18 })
#define NEXT_DAY ((struct local_date){ 2026, 11, 19 })
#define ALWAYS "2024-01-01T00:00:00Z"
#define GAS_SENDER "9800999000207"
#define GAS_RECEIVER "9800999000306"
#define GAS_MALO "11234567906"

static struct pg_fixture *fixture;
static struct store *store;
static struct taken t;

static void setup(void)
{
    store = pg_fixture_store(fixture, STORE_APP);
    memset(&t, 0, sizeof t);
}

static void teardown(void)
{
    taken_drop(&t);
    store_close(store);
}

static int32_t gas_tenant(const char *key)
{
    int32_t tenant = export_tenant_new(fixture, key);

    export_sql(fixture, "update tenant set own_mp_id = '" GAS_SENDER "' where id = %d",
               (int)tenant);
    return tenant;
}

/* n + 1 values every `step` seconds, start + i * by. */
static void counts(int32_t tenant, int64_t channel, const char *from, int step, int n,
                   int64_t start, int64_t by, int exponent)
{
    export_sql(fixture,
               "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
               " select %" PRId64 ", '%s'::timestamptz + i * interval '%d seconds', %" PRId64
               " + i * %" PRId64 ", %d, %d, 256 from generate_series(0, %d) i"
               " on conflict do nothing",
               channel, from, step, start, by, (int)tenant, exponent, n);
}

static int64_t bound(int32_t tenant, const char *ident, const char *unit, const char *place,
                     const char *obis, const char *device)
{
    int64_t channel = export_channel(fixture, tenant, ident, unit);
    struct export_bind b = {
        .place = place, .obis = obis, .device = device, .channel = channel, .from = ALWAYS
    };

    export_bind(fixture, tenant, &b);
    return channel;
}

static json_t *exported(int32_t tenant, unsigned pid, struct local_date from, struct local_date to,
                        int messages)
{
    struct mscons_export_request req = {
        .tenant = tenant, .pid = pid, .from = from, .to = to, .now = at(NOW)
    };

    taken_run(store, &req, &t);
    ck_assert_msg(t.err == EMT_OK, "%s: %s", emt_err_name(t.err), t.diag.text);
    ck_assert_msg(t.files == 1, "%u files: %s", t.files, t.notes);
    ck_assert_msg(t.messages[0] == messages, "%d messages: %s\n%s", t.messages[0], t.notes,
                  t.content[0]);
    return taken_judged(fixture, &t, 0);
}

static void holds(const char *text)
{
    ck_assert_msg(strstr(t.content[0], text) != NULL, "no %s in %s", text, t.content[0]);
}

/* --- power --- */

START_TEST(an_exchange_inside_a_quarter_hour_adds_both_meters)
{
    int32_t tenant = export_tenant_new(fixture, "inside");
    struct export_bind b = { .place = MELO, .obis = "1-1:1.29.0", .from = "2026-11-18T11:07:00Z" };

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t old = bound(tenant, "OLD-1", "Wh", MELO, "1-1:1.29.0", "A");
    b.channel = export_channel(fixture, tenant, "NEW-1", "Wh");
    b.ratio_mantissa = 40;
    /* 48 quarter hours of 250 Wh, 47 of 10 Wh behind a ratio of 40; the protocol says 100 Wh more
     * on the old one and 3 Wh on the new one when it came. */
    export_sql(fixture,
               "update location_channel set valid_to = '2026-11-18T11:07:00Z', last_mantissa ="
               " 1012100 where tenant_id = %d",
               (int)tenant);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "update location_channel set first_mantissa = 3 where tenant_id = %d"
               " and channel_id = %" PRId64,
               (int)tenant, b.channel);
    counts(tenant, old, DAY_START, 900, 48, 1000000, 250, 0);
    counts(tenant, b.channel, "2026-11-18T11:15:00Z", 900, 47, 8, 10, 0);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 1);
    /* 12,100 + 40 * (8 + 470 - 3) */
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "31.1");
    holds("QTY+220:0.3'DTM+163:202611181100?+00:303'DTM+164:202611181115?+00:303'");
    ck_assert_str_eq(t.notes, "");
    json_decref(file);
}
END_TEST

START_TEST(an_exchange_nobody_wrote_down_is_a_gap)
{
    int32_t tenant = export_tenant_new(fixture, "unwritten");
    struct export_bind b = { .place = MELO, .obis = "1-1:1.29.0", .from = "2026-11-18T11:07:00Z" };

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t old = bound(tenant, "OLD-2", "Wh", MELO, "1-1:1.29.0", "A");
    b.channel = export_channel(fixture, tenant, "NEW-2", "Wh");
    export_sql(fixture,
               "update location_channel set valid_to = '2026-11-18T11:07:00Z' where tenant_id = %d",
               (int)tenant);
    export_bind(fixture, tenant, &b);
    counts(tenant, old, DAY_START, 900, 48, 1000000, 250, 0);
    counts(tenant, b.channel, "2026-11-18T11:15:00Z", 900, 47, 0, 10, 0);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 2);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 48, "12");
    taken_check_line(taken_line(file, 1, 0), "1-1:1.29.0", 47, "0.47");
    ck_assert_ptr_nonnull(strstr(t.notes, "exchange-without-reading"));
    json_decref(file);
}
END_TEST

START_TEST(a_register_that_rolls_over_goes_on)
{
    int32_t tenant = export_tenant_new(fixture, "rolls");

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t channel = bound(tenant, "ROLL-1", "Wh", MELO, "1-1:1.29.0", "A");
    export_sql(fixture,
               "update location_channel set capacity_mantissa = 1, capacity_exponent = 6"
               " where tenant_id = %d;"
               "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) select"
               " %" PRId64 ", '" DAY_START "'::timestamptz + i * interval '15 minutes',"
               " (995000 + i * 100) %% 1000000, %d, 0, 256 from generate_series(0, 96) i",
               (int)tenant, channel, (int)tenant);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 1);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "9.6");
    json_decref(file);
}
END_TEST

START_TEST(decimals_of_the_mapping_round_the_register_not_the_energies)
{
    int32_t tenant = export_tenant_new(fixture, "decimals");

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t channel = bound(tenant, "DEC-1", "Wh", MELO, "1-1:1.29.0", "A");
    export_sql(fixture, "update location_channel set decimals = 1 where tenant_id = %d",
               (int)tenant);
    counts(tenant, channel, DAY_START, 900, 96, 1000000, 133, 0);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 1);
    /* 96 * 0.133 = 12.768 */
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "12.8");
    json_decref(file);
}
END_TEST

START_TEST(a_register_that_the_list_dropped_does_not_hold_the_place_up)
{
    int32_t tenant = export_tenant_new(fixture, "dropped");

    export_place(fixture, tenant, MALO, RECEIVER);
    counts(tenant, bound(tenant, "DROP-1", "Wh", MALO, "1-1:1.29.0", ""), DAY_START, 900, 96, 0, 4,
           0);
    counts(tenant, bound(tenant, "DROP-2", "varh", MALO, "1-1:3.29.0", ""), DAY_START, 900, 96, 0,
           4, 0);
    json_t *file = exported(tenant, 13025, DAY, NEXT_DAY, 1);
    ck_assert_ptr_null(strstr(t.content[0], "3.29.0"));
    json_decref(file);
}
END_TEST

START_TEST(a_grid_node_has_its_profile)
{
    int32_t tenant = export_tenant_new(fixture, "nelo");

    export_place(fixture, tenant, "E1234848431", RECEIVER);
    export_sql(fixture, "update location set kind = 3 where tenant_id = %d", (int)tenant);
    counts(tenant, bound(tenant, "NELO-1", "Wh", "E1234848431", "1-1:1.29.0", ""), DAY_START, 900,
           96, 0, 4, 0);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 1);
    holds("LOC+172+E1234848431'");
    json_decref(file);
}
END_TEST

START_TEST(readings_of_an_exchange_say_when_it_was)
{
    int32_t tenant = export_tenant_new(fixture, "exchange-readings");
    struct export_bind b = { .place = MELO,
                             .obis = "1-1:1.8.0",
                             .device = "1NEW0000222222",
                             .from = "2026-11-18T09:15:00Z" };

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t old = bound(tenant, "OLD-3", "Wh", MELO, "1-1:1.8.0", "1OLD0000111111");
    b.channel = export_channel(fixture, tenant, "NEW-3", "Wh");
    export_sql(
        fixture,
        "update location_channel set valid_to = '2026-11-18T09:15:00Z', last_mantissa = 45210,"
        " last_exponent = 3 where tenant_id = %d",
        (int)tenant);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "update location_channel set first_mantissa = 400 where tenant_id = %d"
               " and channel_id = %" PRId64,
               (int)tenant, b.channel);
    counts(tenant, old, DAY_START, 900, 10, 45200000, 1000, 0);
    json_t *file = exported(tenant, 13017, DAY, NEXT_DAY, 3);
    holds("RFF+MG:1OLD0000111111'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:45200'"
          "DTM+7:202611172300?+00:303'UNT");
    holds("RFF+MG:1OLD0000111111'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:45210'"
          "DTM+7:202611172300?+00:303'DTM+60:202611180915?+00:303'");
    holds("RFF+MG:1NEW0000222222'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:0.4'"
          "DTM+7:202611172300?+00:303'DTM+60:202611180915?+00:303'");
    json_decref(file);
}
END_TEST

START_TEST(values_of_a_gateway_stand_behind_its_configuration)
{
    int32_t tenant = export_tenant_new(fixture, "config");

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t channel = bound(tenant, "CFG-1", "Wh", MELO, "1-1:1.8.0", "1EMT0012345678");
    counts(tenant, channel, DAY_START, 900, 1, 3310125, 0, 0);
    export_sql(fixture,
               "update location_channel set config_id = 'CFG1' where tenant_id = %d;"
               "update reading set quality = 256 + 3 where tenant_id = %d",
               (int)tenant, (int)tenant);
    json_t *file = exported(tenant, 13017, DAY, NEXT_DAY, 1);
    holds("NAD+DP'LOC+172'RFF+AGK:CFG1'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+Z18:3310.125'");
    json_decref(file);
}
END_TEST

START_TEST(energy_of_a_year_runs_through_an_exchange)
{
    int32_t tenant = export_tenant_new(fixture, "year");
    struct export_bind b = { .place = MALO, .obis = "1-1:1.9.0", .from = "2026-05-04T09:07:00Z" };

    export_place(fixture, tenant, MALO, RECEIVER);
    int64_t old = bound(tenant, "OLD-4", "Wh", MALO, "1-1:1.9.0", "A");
    b.channel = export_channel(fixture, tenant, "NEW-4", "Wh");
    export_sql(
        fixture,
        "update location_channel set valid_to = '2026-05-04T09:00:00Z', last_mantissa = 1900,"
        " last_exponent = 3 where tenant_id = %d",
        (int)tenant);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "update location_channel set first_mantissa = 500 where tenant_id = %d"
               " and channel_id = %" PRId64,
               (int)tenant, b.channel);
    counts(tenant, old, "2025-10-31T23:00:30Z", 900, 0, 1000000, 0, 0);
    counts(tenant, b.channel, "2026-10-31T22:59:10Z", 900, 0, 1975800, 0, 0);
    json_t *file = exported(tenant, 13019, (struct local_date){ 2025, 11, 1 },
                            (struct local_date){ 2026, 11, 1 }, 1);
    /* 900 + 1975.3 */
    holds("QTY+220:2875.3'DTM+163:202510312300?+00:303'DTM+164:202610312300?+00:303'"
          "STS+10+Z36'STS+10+Z37'");
    json_decref(file);
}
END_TEST

START_TEST(a_month_has_its_energy_and_its_maximum)
{
    int32_t tenant = export_tenant_new(fixture, "maximum");
    char sql[200];

    export_place(fixture, tenant, MALO, RECEIVER);
    int64_t channel = bound(tenant, "MAX-1", "Wh", MALO, "1-1:1.9.0", "");
    struct export_bind b = {
        .place = MALO, .obis = "1-1:1.6.0", .channel = channel, .from = ALWAYS
    };
    export_bind(fixture, tenant, &b);
    /* October has 2,980 quarter hours; from number 1,234 on the register stands 24,350 Wh higher.
     */
    counts(tenant, channel, "2026-09-30T22:00:00Z", 900, 2980, 5000000, 250, 0);
    snprintf(sql, sizeof sql,
             "update reading set mantissa = mantissa + 24350 where channel_id = %" PRId64
             " and ts >= '2026-09-30T22:00:00Z'::timestamptz + interval '15 minutes' * 1234",
             channel);
    pg_fixture_sql(fixture, sql);
    json_t *file = exported(tenant, 13016, (struct local_date){ 2026, 9, 15 },
                            (struct local_date){ 2026, 11, 10 }, 1);
    holds("BGM+Z28+");
    holds("PIA+5+1-1?:1.9.0:SRW'QTY+220:769.35'DTM+163:202609302200?+00:303'"
          "DTM+164:202610312300?+00:303'");
    holds("PIA+5+1-1?:1.6.0:SRW'QTY+220:98.4'DTM+306:202610:610'");
    json_decref(file);
}
END_TEST

/* One file of the document; its text is in t.content[0]. */
static void noted(int32_t tenant, unsigned pid, const char *document, struct local_date from,
                  struct local_date to, int messages)
{
    struct mscons_export_request req = {
        .tenant = tenant, .pid = pid, .document = document, .from = from, .to = to, .now = at(NOW)
    };

    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_msg(t.err == EMT_OK, "%s: %s", emt_err_name(t.err), t.diag.text);
    ck_assert_msg(t.files == (messages > 0), "%u files: %s", t.files, t.notes);
    if (messages > 0) {
        ck_assert_msg(t.messages[0] == messages, "%d messages: %s", t.messages[0], t.content[0]);
        json_decref(taken_judged(fixture, &t, 0));
    }
}

START_TEST(delivery_notes_are_other_documents_beside_the_energies)
{
    static const struct local_date from = { 2026, 10, 1 };
    static const struct local_date to = { 2026, 11, 1 };
    int32_t tenant = export_tenant_new(fixture, "notes");

    export_place(fixture, tenant, MALO, RECEIVER);
    int64_t channel = bound(tenant, "NOTE-1", "Wh", MALO, "1-1:1.9.0", "");
    struct export_bind feed = {
        .place = MALO, .obis = "1-1:2.6.0", .channel = channel, .from = ALWAYS
    };
    export_bind(fixture, tenant, &feed);
    export_sql(fixture, "update location_channel set order_number = 'ORD-1' where tenant_id = %d",
               (int)tenant);
    counts(tenant, channel, "2026-09-30T22:00:00Z", 900, 2980, 5000000, 250, 0);
    json_decref(exported(tenant, 13019, from, to, 1));
    holds("RFF+AGI:ORD-1'");
    /* Without status, basis and order. The energy sent before is another document and stays. */
    noted(tenant, 13019, "Z41", from, to, 1);
    holds("BGM+Z41+");
    holds("QTY+Z31:745'DTM+163:202609302200?+00:303'DTM+164:202610312300?+00:303'UNT+");
    ck_assert_ptr_null(strstr(t.content[0], "RFF+AGI"));
    noted(tenant, 13019, "Z41", from, to, 0);
    /* The maximum of feed-in stands in Z28 only. */
    noted(tenant, 13016, "Z42", from, to, 1);
    holds("BGM+Z42+");
    holds("QTY+Z31:745'");
    ck_assert_ptr_null(strstr(t.content[0], "2.6.0"));
    /* What changed is taken back as what it was. */
    export_sql(fixture,
               "update reading set mantissa = mantissa + 1000 where tenant_id = %d and ts ="
               " '2026-10-31T23:00:00Z'",
               (int)tenant);
    noted(tenant, 13019, "Z41", from, to, 2);
    holds("BGM+Z41+");
    holds("RFF+Z13:13006'");
    holds("QTY+Z31:746'");
    ck_assert_ptr_null(strstr(t.content[0], "BGM+7+"));
    ck_assert_ptr_null(strstr(t.content[0], "STS+"));
}
END_TEST

START_TEST(an_energy_is_split_where_nobody_read_the_register)
{
    static const struct local_date from = { 2026, 10, 1 };
    static const struct local_date to = { 2026, 11, 1 };
    int32_t tenant = export_tenant_new(fixture, "split");

    export_place(fixture, tenant, MALO, RECEIVER);
    int64_t channel = bound(tenant, "SPLIT-1", "Wh", MALO, "1-1:1.9.0", "");
    /* Ten hours before the month and thirty behind its begin; over the end the register rolls over
     * 9,999,999 Wh. */
    export_sql(fixture,
               "update location_channel set capacity_mantissa = 10000000 where tenant_id = %d;"
               "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
               " select %d, %" PRId64 ", t::timestamptz, v, 0, 256 from (values"
               " ('2026-09-30T12:00:00Z', 9000000), ('2026-10-02T04:00:00Z', 9040000),"
               " ('2026-10-31T22:00:00Z', 9998000), ('2026-11-01T02:00:00Z', 6000)) x (t, v)",
               (int)tenant, (int)tenant, channel);
    struct mscons_export_request req = {
        .tenant = tenant, .pid = 13019, .from = from, .to = to, .now = at(NOW)
    };
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "no energy"));
    export_sql(fixture,
               "insert into export_policy (tenant_id, gap, method, reason) values (%d,"
               " 'substitute', 'Z92', 'Z75')",
               (int)tenant);
    noted(tenant, 13019, NULL, from, to, 1);
    /* 9,010,000 to 10,000,000 is 990. */
    holds("QTY+67:990'DTM+163:202609302200?+00:303'DTM+164:202610312300?+00:303'"
          "STS+Z32++Z92'STS+Z40++Z75'STS+10+Z38'STS+10+Z39'");
    req.hold_gaps = true;
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    /* A register that went back did not roll over: nothing is formed between the two. */
    export_sql(fixture,
               "update reading set mantissa = 9997900 where tenant_id = %d and mantissa = 6000",
               (int)tenant);
    req.hold_gaps = false;
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "no energy"));
}
END_TEST

START_TEST(a_document_belongs_to_its_use_case)
{
    int32_t tenant = export_tenant_new(fixture, "no-note");
    struct mscons_export_request req = { .tenant = tenant,
                                         .pid = 13018,
                                         .document = "Z41",
                                         .from = DAY,
                                         .to = NEXT_DAY,
                                         .now = at(NOW) };

    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_EMALFORMED);
    ck_assert_str_eq(t.diag.text, "document: use case 13018 has no Z41");
    req.pid = 13019;
    req.document = "7";
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_EMALFORMED);
}
END_TEST

START_TEST(what_was_moved_before_a_supply_has_no_status)
{
    int32_t tenant = gas_tenant("before");

    export_place(fixture, tenant, GAS_MALO, GAS_RECEIVER);
    int64_t channel = bound(tenant, "B-1", "Wh", GAS_MALO, "7-0:33.86.0", "");
    struct export_bind most = {
        .place = GAS_MALO, .obis = "7-0:33.47.0", .channel = channel, .from = ALWAYS
    };
    export_bind(fixture, tenant, &most);
    export_sql(fixture,
               "insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
               " select %d, %" PRId64 ", t::timestamptz, v, 0, 257 from (values"
               " ('2026-10-01T04:00:00Z', 1000000), ('2026-11-01T05:00:00Z', 13500000)) x (t, v)",
               (int)tenant, channel);
    noted(tenant, 13009, "Z27", (struct local_date){ 2026, 10, 1 },
          (struct local_date){ 2026, 11, 1 }, 1);
    holds("BGM+Z27+");
    holds("QTY+67:12500'DTM+163:202610010400?+00:303'DTM+164:202611010500?+00:303'UNT+");
    ck_assert_ptr_nonnull(strstr(t.notes, "maxima before a supply are not formed"));
}
END_TEST

START_TEST(an_energy_of_gas_and_the_quality_of_volumes_are_two_messages)
{
    int32_t tenant = gas_tenant("total");

    export_place(fixture, tenant, MELO, GAS_RECEIVER);
    export_place(fixture, tenant, GAS_MALO, GAS_RECEIVER);
    int64_t energy = bound(tenant, "T-1", "Wh", MELO, "7-0:33.86.0", "");
    int64_t state = bound(tenant, "T-2", "", MELO, "7-0:52.0.22", "");
    struct export_bind there = {
        .place = GAS_MALO, .obis = "7-0:52.0.22", .channel = state, .from = ALWAYS
    };
    export_bind(fixture, tenant, &there);
    counts(tenant, energy, "2026-10-01T04:00:00Z", 3600, 745, 0, 1000, 0);
    counts(tenant, state, "2026-10-15T05:00:00Z", 3600, 1, 9512, 0, -4);
    json_decref(exported(tenant, 13009, (struct local_date){ 2026, 10, 1 },
                         (struct local_date){ 2026, 11, 1 }, 2));
    holds("7-0?:33.86.0:SRW'QTY+220:745'");
    holds("7-0?:52.0.22:SRW'QTY+220:0.9512'");
    ck_assert_ptr_nonnull(strstr(t.notes, GAS_MALO ": 7-0:52.0.22: stands at metering locations"));
}
END_TEST

START_TEST(type_two_values_come_as_they_were_ordered)
{
    int32_t tenant = export_tenant_new(fixture, "type-two");

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t volts = bound(tenant, "V-1", "V", MELO, "1-1:32.7.0", "");
    int64_t energy = bound(tenant, "V-2", "Wh", MELO, "1-1:1.29.0", "");
    export_sql(fixture,
               "update location_channel set use_case = 13027, order_number = 'ORD-9'"
               " where tenant_id = %d",
               (int)tenant);
    counts(tenant, volts, "2026-11-18T07:45:00Z", 900, 1, 2301, 2, -1);
    counts(tenant, energy, DAY_START, 900, 96, 100, 7, 0);
    json_t *file = exported(tenant, 13027, DAY, NEXT_DAY, 2);
    holds("BGM+Z83+");
    holds("RFF+AGI:ORD-9'");
    holds("PIA+5+1-1?:32.7.0:SRW'QTY+220:230.1'DTM+7:202611180745?+00:303'"
          "QTY+220:230.3'DTM+7:202611180800?+00:303'UNT");
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "0.672");
    json_decref(file);
    /* No other use case takes them. */
    struct mscons_export_request req = {
        .tenant = tenant, .pid = 13018, .from = DAY, .to = NEXT_DAY, .now = at(NOW)
    };
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
}
END_TEST

START_TEST(the_version_is_that_of_the_day_of_sending)
{
    int32_t tenant = export_tenant_new(fixture, "version");
    struct mscons_export_request req = { .tenant = tenant,
                                         .pid = 13018,
                                         .from = { 2026, 9, 20 },
                                         .to = { 2026, 9, 21 },
                                         .now = at("2026-09-30T21:59:00Z") };

    export_place(fixture, tenant, MELO, RECEIVER);
    counts(tenant, bound(tenant, "VERSION-1", "Wh", MELO, "1-1:1.29.0", ""), "2026-09-19T22:00:00Z",
           900, 96, 0, 4, 0);
    taken_run(store, &req, &t);
    json_decref(taken_judged(fixture, &t, 0));
    holds("MSCONS:D:04B:UN:2.4c'");
    taken_drop(&t);
    req.now += EMT_MINUTE; /* October in Germany */
    taken_run(store, &req, &t);
    json_decref(taken_judged(fixture, &t, 0));
    holds("MSCONS:D:04B:UN:2.5'");
}
END_TEST

/* --- gas --- */

START_TEST(the_long_gas_day_has_25_hours)
{
    int32_t tenant = gas_tenant("gas-day");

    export_place(fixture, tenant, MELO, GAS_RECEIVER);
    int64_t channel = bound(tenant, "GAS-1", "m3", MELO, "7-10:99.21.0", "");
    /* It begins on the Saturday before the change, at 06:00 summer time. */
    counts(tenant, channel, "2025-10-25T04:00:00Z", 3600, 25, 100000, 1234, -3);
    json_t *file = exported(tenant, 13008, (struct local_date){ 2025, 10, 25 },
                            (struct local_date){ 2025, 10, 26 }, 1);
    taken_check_line(taken_line(file, 0, 0), "7-10:99.21.0", 25, "30.85");
    holds("DTM+163:202510250400?+00:303'DTM+164:202510260500?+00:303'LIN");
    json_decref(file);
}
END_TEST

START_TEST(a_gas_meter_is_read_at_six_and_converted_by_the_month)
{
    int32_t tenant = gas_tenant("gas-reading");

    export_place(fixture, tenant, MELO, GAS_RECEIVER);
    int64_t channel = bound(tenant, "GAS-2", "m3", MELO, "7-0:3.0.0", "7ELS0055512345");
    int64_t state = bound(tenant, "GAS-3", "", MELO, "7-0:52.0.22", "7ELS0055512345");
    int64_t calorific = bound(tenant, "GAS-4", "kWh/m3", MELO, "7-0:54.0.22", "7ELS0055512345");
    counts(tenant, channel, "2026-10-01T04:00:00Z", 900, 0, 1523021, 0, -2);
    counts(tenant, state, "2026-11-01T05:00:00Z", 900, 0, 95123, 0, -5);
    counts(tenant, calorific, "2026-11-01T05:00:00Z", 900, 0, 11283, 0, -3);
    json_t *file = exported(tenant, 13002, (struct local_date){ 2026, 10, 1 },
                            (struct local_date){ 2026, 11, 1 }, 2);
    holds("PIA+5+7-0?:3.0.0:SRW'QTY+220:15230.21'DTM+7:202610010400?+00:303'UNT");
    holds("RFF+MG:7ELS0055512345'LIN+1'PIA+5+7-0?:52.0.22:SRW'QTY+220:0.9512'"
          "DTM+163:202610010400?+00:303'DTM+164:202611010500?+00:303'LIN+2'"
          "PIA+5+7-0?:54.0.22:SRW'QTY+220:11.283'");
    json_decref(file);
}
END_TEST

START_TEST(readings_of_a_gas_meters_exchange_name_what_announced_it)
{
    int32_t tenant = gas_tenant("gas-exchange");
    struct export_bind b = {
        .place = MELO, .obis = "7-0:3.0.0", .device = "7NEW", .from = "2026-11-18T09:15:00Z"
    };

    export_place(fixture, tenant, MELO, GAS_RECEIVER);
    int64_t old = bound(tenant, "GAS-X", "m3", MELO, "7-0:3.0.0", "7OLD");
    b.channel = export_channel(fixture, tenant, "GAS-Y", "m3");
    export_sql(fixture,
               "update location_channel set valid_to = '2026-11-18T09:15:00Z', last_mantissa = 700,"
               " master_data_number = 'UTILMD-1' where tenant_id = %d",
               (int)tenant);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "update location_channel set first_mantissa = 3, master_data_number = 'UTILMD-1'"
               " where tenant_id = %d and channel_id = %" PRId64,
               (int)tenant, b.channel);
    counts(tenant, old, "2026-11-18T05:00:00Z", 3600, 4, 696, 1, 0);
    json_t *file = exported(tenant, 13002, DAY, NEXT_DAY, 3);
    holds("RFF+Z30:UTILMD-1'RFF+Z13:13002'");
    holds("RFF+MG:7OLD'LIN+1'PIA+5+7-0?:3.0.0:SRW'QTY+220:700'DTM+7:202611180500?+00:303'"
          "DTM+60:202611180915?+00:303'");
    holds("RFF+MG:7NEW'LIN+1'PIA+5+7-0?:3.0.0:SRW'QTY+220:3'DTM+7:202611180500?+00:303'"
          "DTM+60:");
    /* The reading of the day is nobody's exchange. */
    const char *first = strstr(t.content[0], "UNT+");
    const char *named = strstr(t.content[0], "RFF+Z30");
    ck_assert(named > first);
    json_decref(file);
}
END_TEST

START_TEST(gas_energy_of_a_market_location_is_whole)
{
    int32_t tenant = gas_tenant("gas-energy");

    export_place(fixture, tenant, GAS_MALO, GAS_RECEIVER);
    int64_t channel = bound(tenant, "GAS-5", "Wh", GAS_MALO, "7-0:33.86.0", "");
    counts(tenant, channel, "2026-10-01T04:00:00Z", 900, 0, 1000400, 0, 0);
    counts(tenant, channel, "2026-11-01T05:00:00Z", 900, 0, 1123600, 0, 0);
    json_t *file = exported(tenant, 13009, (struct local_date){ 2026, 10, 1 },
                            (struct local_date){ 2026, 11, 1 }, 1);
    /* 1,124 - 1,000: the register is rounded, so that months add up. */
    holds("QTY+220:124'DTM+163:202610010400?+00:303'DTM+164:202611010500?+00:303'");
    json_decref(file);
}
END_TEST

START_TEST(gas_quality_is_sent_as_stored)
{
    int32_t tenant = gas_tenant("gas-quality");

    export_place(fixture, tenant, GAS_MALO, GAS_RECEIVER);
    int64_t channel = bound(tenant, "GAS-6", "", GAS_MALO, "7-0:54.0.16", "");
    counts(tenant, channel, "2026-11-18T05:00:00Z", 3600, 24, 112300, 7, -4);
    json_t *file = exported(tenant, 13007, DAY, NEXT_DAY, 1);
    holds("BGM+Z21+");
    holds("DTM+293:20261120093000?+00:304'");
    holds("QTY+220:11.2307'DTM+163:202611180500?+00:303'DTM+164:202611180600?+00:303'");
    taken_check_line(taken_line(file, 0, 0), "7-0:54.0.16", 24, "269.73");
    json_decref(file);
}
END_TEST

/* --- gaps --- */

/* Boundaries 40 and 41 have no reading: intervals 39, 40 and 41 are gone, 301 Wh each. */
static int32_t gap_tenant(const char *key, const char *gap, const char *method)
{
    int32_t tenant = export_tenant_new(fixture, key);

    export_place(fixture, tenant, MELO, RECEIVER);
    int64_t channel = bound(tenant, key, "Wh", MELO, "1-1:1.29.0", "");
    counts(tenant, channel, DAY_START, 900, 96, 1000000, 301, 0);
    counts(tenant, channel, "2026-11-10T23:00:00Z", 900, 96, 500000, 200, 0);
    export_sql(
        fixture,
        "delete from reading where tenant_id = %d and ts between '2026-11-18T09:00:00Z' and"
        " '2026-11-18T09:15:00Z';"
        "insert into export_policy (tenant_id, use_case, gap, method) values (%d, 0, '%s', '%s')",
        (int)tenant, (int)tenant, gap, method);
    return tenant;
}

START_TEST(a_gap_is_filled_with_what_the_register_moved_on)
{
    json_t *file = exported(gap_tenant("gap-z92", "substitute", "Z92"), 13018, DAY, NEXT_DAY, 1);

    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "28.896");
    holds("QTY+67:0.301'DTM+163:202611180845?+00:303'DTM+164:202611180900?+00:303'STS+Z32++Z92'"
          "STS+Z40++Z75'QTY+67:0.301'");
    ck_assert_str_eq(t.notes, "");
    json_decref(file);
}
END_TEST

START_TEST(a_gap_is_filled_with_the_week_before)
{
    json_t *file = exported(gap_tenant("gap-zj2", "substitute", "ZJ2"), 13018, DAY, NEXT_DAY, 1);

    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "28.593");
    holds("QTY+67:0.2'DTM+163:202611180845?+00:303'DTM+164:202611180900?+00:303'STS+Z32++ZJ2'");
    json_decref(file);
}
END_TEST

START_TEST(a_gap_is_filled_provisionally)
{
    json_t *file = exported(gap_tenant("gap-z18", "provisional", "Z92"), 13018, DAY, NEXT_DAY, 1);

    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "28.896");
    holds("QTY+Z18:0.301'DTM+163:202611180845?+00:303'DTM+164:202611180900?+00:303'QTY+Z18:0.301'");
    json_decref(file);
}
END_TEST

START_TEST(a_gap_holds_the_day_back)
{
    int32_t tenant = gap_tenant("gap-hold", "hold", "Z92");
    struct mscons_export_request req = {
        .tenant = tenant, .pid = 13018, .from = DAY, .to = NEXT_DAY, .now = at(NOW)
    };

    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "2026-11-18 is held back: it has gaps"));
    /* A gap that nothing ends cannot be filled either. */
    export_sql(fixture,
               "update export_policy set gap = 'substitute' where tenant_id = %d;"
               "delete from reading where tenant_id = %d and ts > '2026-11-18T09:00:00Z'",
               (int)tenant, (int)tenant);
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 0);
    ck_assert_ptr_nonnull(strstr(t.notes, "held back"));
}
END_TEST

START_TEST(a_gap_over_midnight_is_filled_alike_from_both_days)
{
    int32_t tenant = gap_tenant("gap-midnight", "substitute", "Z92");
    int64_t n;
    char sql[300];

    snprintf(sql, sizeof sql, "select channel_id from location_channel where tenant_id = %d",
             (int)tenant);
    n = pg_fixture_number(fixture, sql);
    counts(tenant, n, "2026-11-18T23:00:00Z", 900, 40, 1028896, 301, 0);
    export_sql(fixture,
               "delete from reading where tenant_id = %d and ts between '2026-11-18T22:00:00Z' and"
               " '2026-11-19T00:30:00Z'",
               (int)tenant);
    json_t *file = exported(tenant, 13018, DAY, NEXT_DAY, 1);
    taken_check_line(taken_line(file, 0, 0), "1-1:1.29.0", 96, "28.896");
    json_decref(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export_use_cases");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    export_partitions(fixture);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, an_exchange_inside_a_quarter_hour_adds_both_meters);
    tcase_add_test(c, an_exchange_nobody_wrote_down_is_a_gap);
    tcase_add_test(c, a_register_that_rolls_over_goes_on);
    tcase_add_test(c, decimals_of_the_mapping_round_the_register_not_the_energies);
    tcase_add_test(c, a_register_that_the_list_dropped_does_not_hold_the_place_up);
    tcase_add_test(c, a_grid_node_has_its_profile);
    tcase_add_test(c, readings_of_an_exchange_say_when_it_was);
    tcase_add_test(c, values_of_a_gateway_stand_behind_its_configuration);
    tcase_add_test(c, energy_of_a_year_runs_through_an_exchange);
    tcase_add_test(c, a_month_has_its_energy_and_its_maximum);
    tcase_add_test(c, delivery_notes_are_other_documents_beside_the_energies);
    tcase_add_test(c, an_energy_is_split_where_nobody_read_the_register);
    tcase_add_test(c, a_document_belongs_to_its_use_case);
    tcase_add_test(c, what_was_moved_before_a_supply_has_no_status);
    tcase_add_test(c, an_energy_of_gas_and_the_quality_of_volumes_are_two_messages);
    tcase_add_test(c, type_two_values_come_as_they_were_ordered);
    tcase_add_test(c, the_version_is_that_of_the_day_of_sending);
    tcase_add_test(c, the_long_gas_day_has_25_hours);
    tcase_add_test(c, a_gas_meter_is_read_at_six_and_converted_by_the_month);
    tcase_add_test(c, readings_of_a_gas_meters_exchange_name_what_announced_it);
    tcase_add_test(c, gas_energy_of_a_market_location_is_whole);
    tcase_add_test(c, gas_quality_is_sent_as_stored);
    tcase_add_test(c, a_gap_is_filled_with_what_the_register_moved_on);
    tcase_add_test(c, a_gap_is_filled_with_the_week_before);
    tcase_add_test(c, a_gap_is_filled_provisionally);
    tcase_add_test(c, a_gap_holds_the_day_back);
    tcase_add_test(c, a_gap_over_midnight_is_filled_alike_from_both_days);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
