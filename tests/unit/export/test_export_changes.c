/* What a receiver has already: only what changed goes out again, with its reason; readings and
 * energies are taken back first; files end before they are too large, and a job goes on where it
 * was interrupted. */
#include "export_taken.h"
#include "store/export_store.h"
#include "store/store.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-11-20T09:30:10Z"
#define DAY_START "2026-11-17T23:00:00Z"
#define DAY ((struct local_date){ 2026, 11, 18 })
#define NEXT_DAY ((struct local_date){ 2026, 11, 19 })
#define LAST_DAY ((struct local_date){ 2026, 11, 20 })
#define ALWAYS "2024-01-01T00:00:00Z"

static struct pg_fixture *fixture;
static struct store *store;
static struct taken t;
static struct mscons_export_request req;

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

/* One MeLo with a profile of two days, 250 Wh in each quarter hour. */
static int32_t profile_tenant(const char *key)
{
    int32_t tenant = export_tenant_new(fixture, key);
    struct export_bind b = { .place = MELO, .obis = "1-1:1.29.0", .device = "A", .from = ALWAYS };

    b.channel = export_channel(fixture, tenant, key, "Wh");
    export_place(fixture, tenant, MELO, RECEIVER);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) select"
               " %" PRId64 ", '" DAY_START "'::timestamptz + i * interval '15 minutes',"
               " 1000000 + i * 250, %d, 0, 256 from generate_series(0, 192) i",
               b.channel, (int)tenant);
    req = (struct mscons_export_request){ .tenant = tenant,
                                          .pid = 13018,
                                          .from = DAY,
                                          .to = LAST_DAY,
                                          .now = at(NOW),
                                          .only_changes = true };
    return tenant;
}

static void run(unsigned files, int messages)
{
    taken_drop(&t);
    req.now += EMT_MINUTE;
    taken_run(store, &req, &t);
    ck_assert_msg(t.err == EMT_OK, "%s: %s", emt_err_name(t.err), t.diag.text);
    ck_assert_msg(t.files == files, "%u files: %s", t.files, t.notes);
    if (files > 0) {
        json_decref(taken_judged(fixture, &t, 0));
        ck_assert_msg(t.messages[0] == messages, "%d messages: %s", t.messages[0], t.content[0]);
    }
}

static void holds(const char *text)
{
    ck_assert_msg(strstr(t.content[0], text) != NULL, "no %s in %s", text, t.content[0]);
}

static unsigned count(const char *text)
{
    unsigned n = 0;

    for (const char *p = t.content[0]; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

static int64_t number(const char *what, int32_t tenant)
{
    char sql[400];

    snprintf(sql, sizeof sql, "select %s and tenant_id = %d", what, (int)tenant);
    return pg_fixture_number(fixture, sql);
}

START_TEST(only_days_that_changed_go_out_again)
{
    int32_t tenant = profile_tenant("changes");

    run(1, 2);
    run(0, 0);
    /* One boundary of the second day: two quarter hours change. */
    export_sql(fixture,
               "update reading set mantissa = mantissa + 7 where tenant_id = %d and ts ="
               " '2026-11-19T05:00:00Z'",
               (int)tenant);
    run(1, 1);
    holds("DTM+163:202611182300?+00:303'DTM+164:202611192300?+00:303'LIN");
    holds("QTY+220:0.257'DTM+163:202611190445?+00:303'DTM+164:202611190500?+00:303'STS+Z34++ZA7'"
          "QTY+220:0.243'DTM+163:202611190500?+00:303'DTM+164:202611190515?+00:303'STS+Z34++ZA7'");
    ck_assert_uint_eq(count("STS+"), 2);
    run(0, 0);
    /* Asked for by hand it goes out again, as it was. */
    req.only_changes = false;
    run(1, 2);
    ck_assert_uint_eq(count("STS+"), 0);
    req.only_changes = true;
    run(0, 0);
}
END_TEST

START_TEST(the_true_value_that_was_waited_for_has_no_reason_a_substitute_has)
{
    int32_t tenant = profile_tenant("waited");

    export_sql(
        fixture,
        "insert into export_policy (tenant_id, gap, correction) values (%d, 'substitute', 'ZA4');"
        "create table kept as select * from reading where tenant_id = %d and ts ="
        " '2026-11-18T05:00:00Z';"
        "delete from reading where tenant_id = %d and ts = '2026-11-18T05:00:00Z'",
        (int)tenant, (int)tenant, (int)tenant);
    req.to = NEXT_DAY;
    run(1, 1);
    ck_assert_uint_eq(count("QTY+67:0.25'"), 2);
    ck_assert_uint_eq(count("STS+Z34"), 0);
    export_sql(fixture, "insert into reading select * from kept; drop table kept");
    run(1, 1);
    ck_assert_uint_eq(count("QTY+67"), 0);
    ck_assert_uint_eq(count("STS+"), 0); /* the same numbers, now true */
    /* A true value that turns into a substitute: its reason is due. */
    export_sql(fixture,
               "update reading set quality = 257 where tenant_id = %d and ts ="
               " '2026-11-18T05:00:00Z'",
               (int)tenant);
    run(1, 1);
    ck_assert_uint_eq(count("STS+Z32++Z92'STS+Z34++ZA4'STS+Z40++Z75'"), 2);
    run(0, 0);
}
END_TEST

START_TEST(a_gap_that_closes_sends_the_day_whole)
{
    int32_t tenant = profile_tenant("closes");

    export_sql(fixture,
               "create table kept as select * from reading where tenant_id = %d and ts ="
               " '2026-11-18T05:00:00Z';"
               "delete from reading where tenant_id = %d and ts = '2026-11-18T05:00:00Z'",
               (int)tenant, (int)tenant);
    req.to = NEXT_DAY;
    run(1, 2);
    run(0, 0);
    export_sql(fixture, "insert into reading select * from kept; drop table kept");
    run(1, 1);
    ck_assert_uint_eq(count("QTY+220:0.25'"), 96);
    ck_assert_uint_eq(count("STS+"), 0);
    run(0, 0);
    /* And opens again: the receiver has more than what could be said now. */
    export_sql(fixture, "delete from reading where tenant_id = %d and ts = '2026-11-18T05:00:00Z'",
               (int)tenant);
    run(0, 0);
}
END_TEST

START_TEST(a_rejected_message_was_never_sent)
{
    int32_t tenant = profile_tenant("rejected");

    run(1, 2);
    export_sql(fixture, "update export_message set state = 3 where tenant_id = %d and nth = 1",
               (int)tenant);
    run(1, 1);
    holds("DTM+163:202611172300?+00:303'DTM+164:202611182300?+00:303'LIN");
    run(0, 0);
}
END_TEST

START_TEST(what_was_sent_as_a_test_is_not_sent)
{
    (void)profile_tenant("as-test");
    req.test = true;
    run(1, 2);
    run(0, 0);
    req.test = false;
    run(1, 2);
    run(0, 0);
}
END_TEST

START_TEST(a_correction_is_later_than_what_it_corrects)
{
    int32_t tenant = profile_tenant("later");

    run(1, 2);
    export_sql(fixture,
               "update reading set mantissa = mantissa + 7 where tenant_id = %d and ts ="
               " '2026-11-18T05:00:00Z'",
               (int)tenant);
    req.now -= EMT_MINUTE; /* within the same minute */
    run(1, 1);
    holds("DTM+137:202611200932?+00:303'");
    ck_assert_int_eq(
        number("count(distinct version) from export_message where use_case = 13018", tenant), 2);
}
END_TEST

static int32_t reading_tenant(const char *key)
{
    int32_t tenant = profile_tenant(key);

    export_sql(fixture, "update location_channel set obis = '1-1:1.8.0' where tenant_id = %d",
               (int)tenant);
    req.pid = 13017;
    req.only_changes = false;
    return tenant;
}

/* Each is a minute later than the one before, so that it holds; how far ahead that may lead is
 * bounded. A clock that was set back by a little, or of another node, is no matter. */
START_TEST(what_is_sent_again_is_not_dated_far_ahead)
{
    int32_t tenant = profile_tenant("ahead");
    struct export_bind b = { .place = MELO_2, .obis = "1-1:1.29.0", .device = "B", .from = ALWAYS };

    b.channel = export_channel(fixture, tenant, "ahead 2", "Wh");
    export_place(fixture, tenant, MELO_2, RECEIVER);
    export_bind(fixture, tenant, &b);
    export_readings(fixture, tenant, b.channel, DAY_START, 192);
    req.only_changes = false;
    for (int i = 0; i < 8; i++) {
        req.now -= EMT_MINUTE + (i == 3 ? EMT_SECOND / 3 : 0);
        run(1, 4); /* adds a minute */
        ck_assert_str_eq(t.notes, "");
    }
    holds("DTM+137:202611200937?+00:303'");
    export_sql(fixture,
               "update export_message set version = '2026-11-20T10:01Z' where tenant_id = %d",
               (int)tenant);
    run(0, 0);
    ck_assert_str_eq(t.notes, MELO ": left out, and whatever else it holds for: what was sent "
                                   "before is dated 2026-11-20T10:01:00Z, ahead of now: try again "
                                   "later, or set the clock\n");
    run(1, 4);
    holds("DTM+137:202611201002?+00:303'");
}
END_TEST

START_TEST(a_reading_that_changed_is_taken_back_and_sent_anew)
{
    int32_t tenant = reading_tenant("taken-back");
    char old[40];

    run(1, 2);
    snprintf(old, sizeof old, "%s", strstr(t.content[0], "BGM+7+") + 6);
    old[strcspn(old, "+")] = '\0';
    run(0, 0); /* never twice, whoever asks */
    export_sql(fixture,
               "update reading set mantissa = mantissa + 7 where tenant_id = %d and ts ="
               " '" DAY_START "'",
               (int)tenant);
    run(1, 2);
    holds("+1'DTM+137:");
    holds("RFF+Z13:13006'");
    ck_assert_ptr_nonnull(strstr(t.content[0], old));
    ck_assert_ptr_null(strstr(t.content[0], "DTM+7:202611182300")); /* the other day stays */
    holds("QTY+220:1000.007'DTM+7:202611172300?+00:303'STS+Z34++ZA7'");
    ck_assert_ptr_nonnull(strstr(t.name[0], "MSCONS_VL_"));
    ck_assert_int_eq(number("count(*) from export_message where cancelled_by is not null", tenant),
                     1);
    ck_assert_int_eq(number("count(*) from export_message where cancels_id is not null", tenant),
                     1);
    run(0, 0);
}
END_TEST

START_TEST(what_a_rejected_message_took_back_is_taken_back_again)
{
    int32_t tenant = reading_tenant("back-again");
    char old[60];

    run(1, 2);
    snprintf(old, sizeof old, "RFF+ACW:%.20s", strstr(t.content[0], "BGM+7+") + 6);
    old[strcspn(old + 8, "+") + 8] = '\0';
    export_sql(fixture,
               "update reading set mantissa = mantissa + 7 where tenant_id = %d and ts ="
               " '" DAY_START "'",
               (int)tenant);
    run(1, 2);
    holds(old);
    export_sql(fixture,
               "update export_message set state = 3 where tenant_id = %d and file_id ="
               " (select max(file_id) from export_file where tenant_id = %d)",
               (int)tenant, (int)tenant);
    run(1, 2);
    holds(old);
    holds("RFF+Z13:13006'");
    holds("QTY+220:1000.007'");
    run(0, 0);
}
END_TEST

START_TEST(all_readings_of_a_period_can_be_taken_back)
{
    int32_t tenant = reading_tenant("all-back");

    run(1, 2);
    req.pid = 13006;
    req.cancels = 13017;
    run(1, 2);
    ck_assert_uint_eq(count("RFF+ACW:"), 2);
    ck_assert_uint_eq(count("RFF+Z13:13006'"), 2);
    run(0, 0);
    /* What was taken back may be sent again. */
    req.pid = 13017;
    req.cancels = 0;
    run(1, 2);
    ck_assert_uint_eq(count("RFF+ACW:"), 0);
    /* A profile cannot be taken back. */
    req.pid = 13006;
    req.cancels = 13018;
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_EUNSUPPORTED);
    (void)tenant;
}
END_TEST

START_TEST(an_energy_that_changed_is_taken_back)
{
    int32_t tenant = export_tenant_new(fixture, "energy-back");
    struct export_bind b = { .place = MALO, .obis = "1-1:1.9.0", .from = ALWAYS };

    b.channel = export_channel(fixture, tenant, "energy-back", "Wh");
    export_place(fixture, tenant, MALO, RECEIVER);
    export_bind(fixture, tenant, &b);
    export_sql(fixture,
               "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) values"
               " (%" PRId64 ", '2026-09-30T22:00:00Z', 1000000, %d, 0, 256),"
               " (%" PRId64 ", '2026-10-31T23:00:00Z', 1500000, %d, 0, 256)",
               b.channel, (int)tenant, b.channel, (int)tenant);
    req = (struct mscons_export_request){ .tenant = tenant,
                                          .pid = 13019,
                                          .from = { 2026, 10, 1 },
                                          .to = { 2026, 11, 1 },
                                          .now = at(NOW) };
    run(1, 1);
    run(0, 0);
    export_sql(fixture,
               "update reading set mantissa = 1500250 where tenant_id = %d and mantissa ="
               " 1500000",
               (int)tenant);
    run(1, 2);
    holds("RFF+ACW:");
    holds("QTY+220:500.25'");
    ck_assert_uint_eq(count("STS+Z34++ZA7'STS+10+Z36'STS+10+Z37'"), 1);
}
END_TEST

/* --- sizes --- */

static int32_t many_places(const char *key, int places)
{
    int32_t tenant = export_tenant_new(fixture, key);

    for (int i = 0; i < places; i++) {
        char code[40];
        char ident[40];
        struct export_bind b = { .place = code, .obis = "1-1:1.29.0", .from = ALWAYS };

        snprintf(code, sizeof code, "DE00099910115%020d", 100 + i);
        snprintf(ident, sizeof ident, "%s-%d", key, i);
        export_place(fixture, tenant, code, RECEIVER);
        b.channel = export_channel(fixture, tenant, ident, "Wh");
        export_bind(fixture, tenant, &b);
    }
    export_sql(
        fixture,
        "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) select"
        " channel_id, '" DAY_START "'::timestamptz + i * interval '15 minutes',"
        " 1000000 + i * (250 + channel_id), %d, 0, 256 from generate_series(0, 96) i, channel"
        " where tenant_id = %d",
        (int)tenant, (int)tenant);
    req = (struct mscons_export_request){
        .tenant = tenant, .pid = 13018, .from = DAY, .to = NEXT_DAY, .now = at(NOW)
    };
    return tenant;
}

START_TEST(files_end_before_they_are_too_large)
{
    int32_t tenant = many_places("sizes", 12);
    int messages = 0;

    export_sql(
        fixture,
        "insert into market_partner (tenant_id, mp_id, file_bytes_max) values (%d, '" RECEIVER
        "', 40000)",
        (int)tenant);
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_ge(t.files, 3);
    for (unsigned i = 0; i < t.files; i++) {
        ck_assert_uint_le(t.len[i], 40000);
        json_decref(taken_judged(fixture, &t, i));
        for (unsigned k = 0; k < i; k++)
            ck_assert_str_ne(t.name[i], t.name[k]);
        messages += t.messages[i];
    }
    ck_assert_int_eq(messages, 12);
    ck_assert_int_eq(number("count(distinct number) from export_message where true", tenant), 12);
    taken_drop(&t);
    export_sql(fixture,
               "update market_partner set file_messages_max = 5, file_bytes_max = null where"
               " tenant_id = %d",
               (int)tenant);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 3);
    ck_assert_int_eq(t.messages[0], 5);
    ck_assert_int_eq(t.messages[2], 2);
    /* A message that is larger than a file may be goes out alone. */
    taken_drop(&t);
    export_sql(fixture, "update market_partner set file_bytes_max = 10000 where tenant_id = %d",
               (int)tenant);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 12);
}
END_TEST

START_TEST(a_job_goes_on_behind_its_last_file)
{
    int32_t tenant = many_places("goes-on", 9);

    unsigned first;

    export_sql(
        fixture,
        "insert into market_partner (tenant_id, mp_id, file_messages_max) values (%d, '" RECEIVER
        "', 2)",
        (int)tenant);
    req.job = 4711;
    t.answer = EMT_EIO; /* the process ends behind the first file */
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_EIO);
    ck_assert_uint_eq(t.files, 1);
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_uint_eq(t.files, 5); /* the first one is handed back */
    ck_assert_uint_eq(t.len[0], 0);
    first = 0;
    for (unsigned i = 1; i < t.files; i++)
        first += (unsigned)t.messages[i];
    ck_assert_uint_eq(first, 7);
    ck_assert_int_eq(number("count(distinct location) from export_message where true", tenant), 9);
    ck_assert_int_eq(number("count(*) from export_message where true", tenant), 9);
    taken_drop(&t);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 5); /* done: all are handed back, nothing is written */
    ck_assert_int_eq(number("count(*) from export_file where true", tenant), 5);
}
END_TEST

/* As many_places(), at once; 250 Wh in each quarter hour. */
static int32_t crowd_of_places(const char *key, int places)
{
    int32_t tenant = many_places(key, 0);

    export_sql(
        fixture,
        "with d as (insert into device (tenant_id, ident, manufacturer, number) select %d,"
        "  'c' || i, 'EMT', i::text from generate_series(1, %d) i returning *),"
        " c as (insert into channel (tenant_id, device_id, key, kind, quantity, unit)"
        "  select tenant_id, device_id, 'a', 0, 1, 'Wh' from d returning *),"
        " l as (insert into location (tenant_id, kind, code, receiver_mp_id) select"
        "  tenant_id, 1, 'DE00099910115' || lpad(number, 20, '0'), '" RECEIVER "' from d"
        "  returning *)"
        " insert into location_channel (tenant_id, location_id, channel_id, obis, valid_from)"
        " select tenant_id, location_id, channel_id, '1-1:1.29.0', '" ALWAYS "' from"
        " (select *, row_number() over (order by channel_id) from c) c join"
        " (select *, row_number() over (order by code) from l) l using (tenant_id,"
        " row_number);"
        "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality) select"
        " channel_id, '" DAY_START "'::timestamptz + i * interval '15 minutes',"
        " 1000000 + i * 250, tenant_id, 0, 256 from generate_series(0, 96) i, channel"
        " where tenant_id = %d order by i",
        (int)tenant, places, (int)tenant);
    return tenant;
}

/* The readings of the second lot are asked for while the first one is written. Somebody else sends
 * what has changed meanwhile, and takes the next number: ours must not be older. */
static enum emt_err meddle(void *ctx, int64_t file_id, const char *name, const void *content,
                           size_t len, int messages)
{
    int32_t tenant = *(int32_t *)ctx;

    (void)file_id;
    (void)name;
    (void)len;
    if (t.files++ == 0) {
        export_sql(fixture,
                   "update export_number set last = 'ZZZZZZZZ' where tenant_id = %d;"
                   "update reading set mantissa = mantissa + 7000 where tenant_id = %d and ts ="
                   " (select max(ts) from reading where tenant_id = %d)",
                   (int)tenant, (int)tenant, (int)tenant);
        return EMT_OK;
    }
    t.messages[0] += messages;
    for (const char *p = content; (p = strstr(p, "QTY+220:7.25'")) != NULL; p++)
        t.messages[1]++;
    return EMT_OK;
}

START_TEST(what_was_read_before_somebody_else_sent_is_read_again)
{
    int32_t tenant = crowd_of_places("meddled", 300);
    struct mscons_export_handler h = { .file = meddle, .ctx = &tenant };
    struct emt_diag diag = { 0 };

    export_sql(fixture,
               "insert into market_partner (tenant_id, mp_id, file_messages_max) values (%d,"
               " '" RECEIVER "', 250)",
               (int)tenant);
    ck_assert_int_eq(mscons_export_run(store, &req, &h, &diag), EMT_OK);
    ck_assert_uint_eq(t.files, 2);
    ck_assert_int_eq(t.messages[0], 50); /* six of the first lot */
    ck_assert_int_eq(t.messages[1], 44);
    t.files = 0;
}
END_TEST

/* --- another export between two files of one step --- */

struct other {
    struct mscons_export_request req; /* what it is asked for */
    struct taken ran;                 /* what it wrote */
    unsigned files;                   /* of the export that it overtakes */
    char notes[1000];
};

static enum emt_err overtake(void *ctx, int64_t file_id, const char *name, const void *content,
                             size_t len, int messages)
{
    struct other *o = ctx;
    struct store *second;

    (void)file_id;
    (void)name;
    (void)content;
    (void)len;
    (void)messages;
    if (o->files++ > 0)
        return EMT_OK;
    export_sql(
        fixture,
        "update reading set mantissa = mantissa + 7 + extract(minute from ts)::int / 30 where"
        " tenant_id = %d and ts >= '2026-11-18T23:00:00Z'",
        (int)o->req.tenant);
    second = pg_fixture_store(fixture, STORE_APP);
    taken_run(second, &o->req, &o->ran);
    ck_assert_int_eq(o->ran.err, EMT_OK);
    store_close(second);
    return EMT_OK;
}

static void take_other_note(void *ctx, const char *text)
{
    struct other *o = ctx;
    size_t n = strlen(o->notes);

    snprintf(o->notes + n, sizeof o->notes - n, "%s\n", text);
}

/* One message per file, so that the other export of [from, to) runs behind the first of them. */
static void run_overtaken(struct other *o, struct local_date from, struct local_date to)
{
    struct mscons_export_handler h = { .file = overtake, .note = take_other_note, .ctx = o };
    struct emt_diag diag = { 0 };

    export_sql(fixture,
               "insert into market_partner (tenant_id, mp_id, file_messages_max) values (%d,"
               " '" RECEIVER "', 1)",
               (int)req.tenant);
    o->req = req;
    o->req.from = from;
    o->req.to = to;
    ck_assert_int_eq(mscons_export_run(store, &req, &h, &diag), EMT_OK);
}

static const char overtaken_note[] =
    MELO ": left out, and whatever else it holds for: another export has sent what may be newer:"
         " the next one compares\n";

START_TEST(a_reading_that_another_export_sent_newer_is_not_taken_back)
{
    struct other o = { 0 };
    int32_t tenant = reading_tenant("overtaken");

    req.to = (struct local_date){ 2026, 11, 21 };
    run_overtaken(&o, NEXT_DAY, LAST_DAY);
    ck_assert_uint_eq(o.ran.files, 1);
    ck_assert_uint_eq(o.files, 2); /* what the other one did not send goes out */
    ck_assert_str_eq(o.notes, overtaken_note);
    ck_assert_int_eq(number("count(*) from export_message where true", tenant), 3);
    ck_assert_int_eq(number("count(*) from export_message where cancels_id is not null", tenant),
                     0);
    taken_drop(&o.ran);
    /* The last day was sent as it stood when the step began: the next run sends what is missing. */
    export_sql(fixture, "update market_partner set file_messages_max = null where tenant_id = %d",
               (int)tenant);
    run(1, 2);
    holds("RFF+ACW:");
    holds("DTM+7:202611192300?+00:303'");
    run(0, 0);
}
END_TEST

/* Also where no file is begun in between, because the one before is still empty. */
START_TEST(all_that_is_left_of_a_step_is_held_against_what_another_export_sent)
{
    struct other o = { 0 };
    int32_t tenant = reading_tenant("overtaken-all");

    req.to = (struct local_date){ 2026, 11, 21 };
    run_overtaken(&o, DAY, req.to);
    ck_assert_uint_eq(o.ran.files, 2);
    ck_assert_uint_eq(o.files, 1);
    ck_assert_str_eq(o.notes, overtaken_note);
    ck_assert_int_eq(number("count(*) from export_message where true", tenant), 3);
    taken_drop(&o.ran);
    run(0, 0);
}
END_TEST

START_TEST(a_profile_that_another_export_sent_newer_is_not_sent_old)
{
    struct other o = { 0 };
    int32_t tenant = profile_tenant("overtaken-profile");

    req.only_changes = false;
    run_overtaken(&o, NEXT_DAY, LAST_DAY);
    ck_assert_uint_eq(o.ran.files, 1);
    ck_assert_uint_eq(o.files, 1);
    ck_assert_str_eq(o.notes, overtaken_note);
    ck_assert_int_eq(number("count(*) from export_message where true", tenant), 2);
    taken_drop(&o.ran);
}
END_TEST

/* --- a file that the database does not keep --- */

static enum emt_err fail_unseen(void *ctx, struct store *s, int64_t file_id, const char *name,
                                int messages)
{
    static const struct store_statement fails = { "test_fails", 0, "select 1 / 0" };

    (void)ctx;
    (void)file_id;
    (void)name;
    (void)messages;
    ck_assert_int_eq(store_run(s, &fails, NULL, NULL), EMT_EDB);
    return EMT_OK;
}

static void count_note(void *ctx, const char *text)
{
    (void)text;
    ++*(unsigned *)ctx;
}

/* The commit then answers with a rollback, which no document's own fate is. */
START_TEST(a_file_that_is_rolled_back_ends_the_export)
{
    unsigned notes = 0;
    struct mscons_export_handler h = { .keep = fail_unseen, .note = count_note, .ctx = &notes };
    struct emt_diag diag = { 0 };
    int32_t tenant = many_places("rolled-back", 3);

    export_sql(fixture,
               "insert into market_partner (tenant_id, mp_id, file_messages_max) values (%d,"
               " '" RECEIVER "', 1)",
               (int)tenant);
    ck_assert_int_eq(mscons_export_run(store, &req, &h, &diag), EMT_ESTATE);
    ck_assert_ptr_nonnull(strstr(diag.text, "file not kept"));
    ck_assert_uint_eq(notes, 0);
    ck_assert_int_eq(number("count(*) from export_file where true", tenant), 0);
}
END_TEST

/* Places come in pages; one has more registers than any may have. */
START_TEST(each_of_many_places_comes_once)
{
    int32_t tenant = crowd_of_places("pages", 1300);
    struct store_result *r = NULL;
    int64_t places = 0;
    int rows = 0;
    bool cut = true;

    export_sql(fixture,
               "insert into location_channel (tenant_id, location_id, channel_id, obis,"
               " device_number, valid_from) select tenant_id, location_id, channel_id,"
               " '1-1:1.8.' || i, '', '2025-01-01' from location_channel, generate_series(0, 62) i"
               " where tenant_id = %d and binding_id %% 50 = 0",
               (int)tenant);
    export_sql(
        fixture,
        "insert into location_channel (tenant_id, location_id, channel_id, obis,"
        " device_number, valid_from) select tenant_id, location_id, channel_id,"
        " '1-1:2.29.0', '', '2015-01-01'::timestamptz + i * interval '1 day' from"
        " (select * from location_channel where tenant_id = %d order by binding_id limit 1) b,"
        " generate_series(1, 2300) i",
        (int)tenant);
    ck_assert_int_eq(store_begin(store, tenant), EMT_OK);
    ck_assert_int_eq(export_places_open(store, tenant, LOCATION_BIT(LOCATION_MELO), NULL, 0,
                                        at(DAY_START), at(NOW), &places),
                     EMT_OK);
    ck_assert_int_eq(store_commit(store), EMT_OK);
    ck_assert_int_eq(places, 1300);
    for (int n = 1; n > 0; rows += n) {
        ck_assert_int_eq(export_places_next(store, &r, &n, &cut), EMT_OK);
        ck_assert_int_le(n, EXPORT_PLACES_ROWS);
        store_result_free(r);
    }
    export_places_close(store);
    ck_assert_int_eq(rows, number("count(*) from location_channel where valid_from <"
                                  " '2026-11-20T09:30:10Z'",
                                  tenant));
    taken_run(store, &req, &t);
    ck_assert_int_eq(t.err, EMT_OK);
    ck_assert_ptr_nonnull(strstr(t.notes, "more than 64 registers"));
    ck_assert_int_eq(number("count(*) from export_message where true", tenant), 1300);
    ck_assert_int_eq(number("count(distinct location) from export_message where true", tenant),
                     1300);
}
END_TEST

START_TEST(a_place_without_mapping_does_not_hold_the_others_up)
{
    int32_t tenant = many_places("unmapped", 3);

    export_place(fixture, tenant, MELO, RECEIVER);
    export_sql(fixture,
               "update location_channel set ratio_mantissa = 8999999999999999999 where binding_id ="
               " (select min(binding_id) from location_channel where tenant_id = %d)",
               (int)tenant);
    taken_run(store, &req, &t);
    ck_assert_uint_eq(t.files, 1);
    ck_assert_int_eq(t.messages[0], 2);
    ck_assert_ptr_nonnull(strstr(t.notes, MELO ": no channel is bound to it"));
    ck_assert_ptr_nonnull(strstr(t.notes, "00000000000000000100: 1-1:1.29.0: gap"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export_changes");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    export_partitions(fixture);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, only_days_that_changed_go_out_again);
    tcase_add_test(c, the_true_value_that_was_waited_for_has_no_reason_a_substitute_has);
    tcase_add_test(c, a_gap_that_closes_sends_the_day_whole);
    tcase_add_test(c, a_rejected_message_was_never_sent);
    tcase_add_test(c, what_was_sent_as_a_test_is_not_sent);
    tcase_add_test(c, a_correction_is_later_than_what_it_corrects);
    tcase_add_test(c, what_is_sent_again_is_not_dated_far_ahead);
    tcase_add_test(c, a_reading_that_changed_is_taken_back_and_sent_anew);
    tcase_add_test(c, what_a_rejected_message_took_back_is_taken_back_again);
    tcase_add_test(c, all_readings_of_a_period_can_be_taken_back);
    tcase_add_test(c, an_energy_that_changed_is_taken_back);
    tcase_add_test(c, files_end_before_they_are_too_large);
    tcase_add_test(c, a_job_goes_on_behind_its_last_file);
    tcase_add_test(c, what_was_read_before_somebody_else_sent_is_read_again);
    tcase_add_test(c, a_reading_that_another_export_sent_newer_is_not_taken_back);
    tcase_add_test(c, all_that_is_left_of_a_step_is_held_against_what_another_export_sent);
    tcase_add_test(c, a_profile_that_another_export_sent_newer_is_not_sent_old);
    tcase_add_test(c, a_file_that_is_rolled_back_ends_the_export);
    tcase_add_test(c, each_of_many_places_comes_once);
    tcase_add_test(c, a_place_without_mapping_does_not_hold_the_others_up);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
