/* Which reception counts, what is replayed, which value stands: judged on made-up frames, without
 * database. */
#include "base/clock.h"
#include "batch_part.h"
#include "batch_run.h"
#include "model/protocol.h"
#include "store/ingest_store.h"
#include "store/reading_store.h"
#include "value_rows.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 16

static struct registry_tenant tenants[2];
static struct registry_channel channels[2];
static struct registry_device devices[2];
static struct batch_source sources[3];
static struct batch_frame *frames[MAX_FRAMES];
static size_t n;
static struct batch_part part;
static emt_time noon;

static void setup(void)
{
    memset(sources, 0, sizeof sources);
    memset(channels, 0, sizeof channels);
    memset(devices, 0, sizeof devices);
    memset(tenants, 0, sizeof tenants);
    memset(&part, 0, sizeof part);
    n = 0;
    noon = INT64_C(1800000000000000) / TELEGRAM_SLOT * TELEGRAM_SLOT;
    for (int i = 0; i < 2; i++) {
        tenants[i].id = i + 1;
        tenants[i].reading_retention_days = 3650;
        channels[i].id = 70 + i;
        devices[i].tenant = &tenants[0];
        devices[i].device = 500 + i;
        devices[i].channels = channels;
        devices[i].nchannels = 2;
    }
    for (int i = 0; i < 3; i++) {
        sources[i].tenant = i < 2 ? 1 : 2;
        sources[i].gateway = 10 + i;
        sources[i].epoch = 1;
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < n; i++)
        free(frames[i]);
    batch_part_release(&part);
}

/* A decoded radio telegram; hash 0: none. */
static struct batch_frame *frame(int source, uint64_t seq, uint8_t hash, emt_time at)
{
    struct batch_frame *f = batch_frame_new(&sources[source], "x", 1);

    ck_assert_ptr_nonnull(f);
    f->seq = seq;
    f->protocol = PROTOCOL_WMBUS;
    f->received_at = at;
    f->device = &devices[0];
    f->has_device = f->decoded = true;
    f->has_hash = hash != 0;
    memset(f->hash, hash, sizeof f->hash);
    frames[n++] = f;
    return f;
}

static struct batch_frame *counted(struct batch_frame *f, int64_t counter)
{
    f->has_counter = true;
    f->counter = counter;
    return f;
}

static const struct part_group *gather(void)
{
    ck_assert_int_eq(batch_part_gather(&part, frames, n), EMT_OK);
    return &part.groups[0];
}

static void judge(int64_t known, emt_time known_at)
{
    const struct part_group *g = gather();
    struct part_lock *l = batch_part_lock(&part, g, 500);

    if (l) {
        l->counter = known;
        l->counter_at = known_at;
    }
    for (size_t i = g->lead_from; i < g->lead_to; i++)
        batch_part_mark_fresh(&part, g, part.leads[i]->device->device, part.leads[i]->hash,
                              telegram_slot(part.leads[i]->received_at));
    batch_part_judge(&part, g, noon + EMT_DAY);
}

START_TEST(the_earliest_reception_leads)
{
    struct batch_frame *late = frame(0, 1, 7, noon + 10 * EMT_SECOND);
    struct batch_frame *early = frame(1, 1, 7, noon - 10 * EMT_SECOND);
    struct batch_frame *other = frame(0, 2, 8, noon);
    struct batch_frame *again = frame(1, 2, 7, noon + 400 * EMT_SECOND);

    judge(-1, EMT_TIME_NONE);
    ck_assert_uint_eq(part.nleads, 3);
    ck_assert_int_eq(early->final, FRAME_OK);
    ck_assert_int_eq(late->final, FRAME_DUPLICATE);
    ck_assert_int_eq(other->final, FRAME_OK);
    ck_assert_int_eq(again->final, FRAME_OK);
}
END_TEST

START_TEST(what_the_database_knows_is_a_duplicate)
{
    struct batch_frame *a = frame(0, 1, 7, noon), *b = frame(1, 1, 7, noon + EMT_SECOND);
    const struct part_group *g = gather();

    /* The insert returned no row. */
    batch_part_judge(&part, g, noon + EMT_DAY);
    ck_assert_int_eq(a->final, FRAME_DUPLICATE);
    ck_assert_int_eq(b->final, FRAME_DUPLICATE);
}
END_TEST

START_TEST(a_counter_that_does_not_rise_is_replayed_only_when_it_came_later)
{
    struct batch_frame *old_late = counted(frame(0, 1, 1, noon + EMT_MINUTE), 5);
    struct batch_frame *same_late = counted(frame(0, 2, 2, noon + 2 * EMT_MINUTE), 10);
    struct batch_frame *old_early = counted(frame(0, 3, 3, noon - EMT_HOUR), 4);
    struct batch_frame *next = counted(frame(0, 4, 4, noon + 3 * EMT_MINUTE), 11);
    struct batch_frame *then = counted(frame(0, 5, 5, noon + 4 * EMT_MINUTE), 11);
    struct part_lock *l;

    judge(10, noon);
    ck_assert_int_eq(old_late->final, FRAME_REPLAYED);
    ck_assert_int_eq(same_late->final, FRAME_REPLAYED);
    ck_assert_int_eq(old_early->final, FRAME_OK); /* a slow gateway brings it in: welcome */
    ck_assert_int_eq(next->final, FRAME_OK);
    ck_assert_int_eq(then->final, FRAME_REPLAYED);
    l = batch_part_lock(&part, &part.groups[0], 500);
    ck_assert(l->raised);
    ck_assert_int_eq(l->counter, 11);
    ck_assert_int_eq(l->counter_at, noon + 3 * EMT_MINUTE);
}
END_TEST

START_TEST(a_gateways_wrong_clock_does_not_open_the_door_to_replays)
{
    struct batch_frame *ahead = counted(frame(0, 1, 1, noon + 3650 * EMT_DAY), 11);

    judge(10, noon);
    ck_assert_int_eq(ahead->final, FRAME_OK);
    ck_assert_int_eq(batch_part_lock(&part, &part.groups[0], 500)->counter_at, noon + EMT_DAY);
}
END_TEST

START_TEST(another_gateways_copy_is_a_duplicate_and_no_replay)
{
    struct batch_frame *a = counted(frame(0, 1, 1, noon), 5);
    struct batch_frame *b = counted(frame(1, 1, 1, noon + EMT_SECOND), 5);

    judge(4, noon - EMT_HOUR);
    ck_assert_int_eq(a->final, FRAME_OK);
    ck_assert_int_eq(b->final, FRAME_DUPLICATE);
}
END_TEST

/* A forged counter in a frame that does not authenticate must not shut the meter out. */
START_TEST(only_frames_that_decode_move_the_counter)
{
    struct batch_frame *forged = counted(frame(0, 1, 1, noon), 1000000);
    struct batch_frame *real = counted(frame(0, 2, 2, noon + EMT_MINUTE), 6);

    forged->state = FRAME_MAC_WRONG;
    judge(5, noon - EMT_HOUR);
    ck_assert_int_eq(forged->final, FRAME_MAC_WRONG);
    ck_assert_int_eq(real->final, FRAME_OK);
    ck_assert_int_eq(batch_part_lock(&part, &part.groups[0], 500)->counter, 6);
}
END_TEST

/* A wire has one listener: the same bytes again are the same value later. */
START_TEST(wired_frames_are_never_duplicates)
{
    struct batch_frame *a = frame(0, 1, 7, noon), *b = frame(0, 2, 7, noon + EMT_MINUTE);

    a->protocol = b->protocol = PROTOCOL_MBUS;
    judge(-1, EMT_TIME_NONE);
    ck_assert_uint_eq(part.nleads, 0);
    ck_assert_int_eq(a->final, FRAME_OK);
    ck_assert_int_eq(b->final, FRAME_OK);
}
END_TEST

START_TEST(who_is_out_is_passed_over)
{
    frame(0, 1, 1, noon)->done = true;
    frame(0, 2, 2, noon)->deferred = true;
    frame(1, 1, 3, noon);
    frame(2, 9, 4, noon)->device = &devices[1];
    sources[1].gone = true;
    const struct part_group *g = gather();

    ck_assert_uint_eq(part.ngroups, 1);
    ck_assert_int_eq(g->tenant, 2);
    ck_assert_uint_eq(part.nsources, 1);
    ck_assert_uint_eq(sources[2].reach, 9);
    ck_assert_uint_eq(sources[2].nframes, 1);
    ck_assert_ptr_eq(batch_part_source(&part, g, 12, sources[2].spool_id, 1), &sources[2]);
    ck_assert_ptr_null(batch_part_source(&part, g, 12, sources[2].spool_id, 2));
    ck_assert_ptr_null(batch_part_lock(&part, g, 500));
}
END_TEST

/* ---- values ---- */

static struct run_stats stats;
static struct value_rows rows;
static struct batch_value values[MAX_FRAMES];
static size_t nvalues;

static void values_setup(void)
{
    setup();
    memset(&stats, 0, sizeof stats);
    value_rows_init(&rows, &stats);
    value_rows_clear(&rows, noon);
    rows.hot_from = noon - 90 * EMT_DAY;
    rows.hot_to = noon + 90 * EMT_DAY;
    nvalues = 0;
}

static void values_teardown(void)
{
    value_rows_release(&rows);
    teardown();
}

static void put(unsigned channel, emt_time ts, int64_t mantissa, int exponent, enum quality q)
{
    struct batch_value *v = &values[nvalues++];

    *v = (struct batch_value){ .device = &devices[0],
                               .channel = channel,
                               .ts = ts,
                               .value = decimal_of(mantissa, exponent),
                               .quality = READING_QUALITY(q, TIME_SOURCE_METER),
                               .text = "" };
    ck_assert(value_rows_add(&rows, v));
}

static void put_text(emt_time ts, const char *text)
{
    struct batch_value *v = &values[nvalues++];

    *v = (struct batch_value){
        .device = &devices[0], .channel = 1, .ts = ts, .is_text = true, .text = text
    };
    ck_assert(value_rows_add(&rows, v));
}

START_TEST(one_value_stands_for_a_time)
{
    put(0, noon, 5, 0, QUALITY_MEASURED);
    put(0, noon, 50, -1, QUALITY_MEASURED); /* the same value */
    put(0, noon, 6, 0, QUALITY_MEASURED);   /* a contradiction */
    put(0, noon, 7, 0, QUALITY_ESTIMATED);  /* beneath */
    put(0, noon, 9, 0, QUALITY_CORRECTED);  /* above all of them */
    put(1, noon, 8, 0, QUALITY_MEASURED);
    struct value_span s = value_rows_close(&rows, 0);

    ck_assert_uint_eq(s.to - s.from, 2);
    ck_assert_int_eq(rows.at[0].v->value.mantissa, 9);
    ck_assert(!s.losers[VALUE_HOT]); /* lower ranks do not contradict */
}
END_TEST

START_TEST(equal_rank_contradicts)
{
    put(0, noon, 5, 0, QUALITY_MEASURED);
    put(0, noon, 6, 0, QUALITY_MEASURED);
    put(0, noon, 5000, -3, QUALITY_MEASURED);
    struct value_span s = value_rows_close(&rows, 0);

    ck_assert_uint_eq(s.to, 2);
    ck_assert(!rows.at[0].outranked);
    ck_assert_int_eq(rows.at[0].v->value.mantissa, 5); /* the first one stands */
    ck_assert(rows.at[1].outranked);
    ck_assert(s.losers[VALUE_HOT]);
    ck_assert(!s.losers[VALUE_LATE]);
}
END_TEST

START_TEST(time_chooses_the_place_and_retention_refuses)
{
    put(0, rows.hot_from - 1, 1, 0, QUALITY_MEASURED);
    put(0, rows.hot_from, 2, 0, QUALITY_MEASURED);
    put(0, rows.hot_to, 3, 0, QUALITY_MEASURED);
    put(0, noon - 3651 * EMT_DAY, 4, 0, QUALITY_MEASURED);
    struct value_span s = value_rows_close(&rows, 0);

    ck_assert_uint_eq(s.to, 3);
    ck_assert_int_eq(rows.at[0].place, VALUE_HOT);
    ck_assert_int_eq(rows.at[1].place, VALUE_LATE);
    ck_assert_int_eq(rows.at[2].place, VALUE_LATE);
    ck_assert_uint_eq(stats.refused, 1);
}
END_TEST

START_TEST(what_was_committed_last_is_not_sent_again)
{
    put(0, noon, 5, 0, QUALITY_MEASURED);
    put_text(noon, "abc");
    put_text(noon + EMT_SECOND, "abc");
    put_text(noon + 2 * EMT_SECOND, "abd");
    struct value_span s = value_rows_close(&rows, 0);

    ck_assert_uint_eq(s.to, 3); /* the same text does not follow itself */
    value_rows_remember(&rows);
    value_rows_clear(&rows, noon);
    put(0, noon, 50, -1, QUALITY_MEASURED);
    put(0, noon, 5, 0, QUALITY_ESTIMATED);
    put_text(noon + 3 * EMT_SECOND, "abd"); /* at another time: the database knows better */
    ck_assert_uint_eq(stats.repeated, 2);
    put(0, noon, 5, 0, QUALITY_CORRECTED); /* says more */
    put(0, noon, 6, 0, QUALITY_MEASURED);
    put(0, noon + 1, 5, 0, QUALITY_MEASURED);
    put_text(noon + 4 * EMT_SECOND, "abc");
    put_text(noon - EMT_SECOND, "abd");
    ck_assert_uint_eq(stats.repeated, 2);
    put_text(noon + 2 * EMT_SECOND, "abd"); /* just that was committed */
    ck_assert_uint_eq(stats.repeated, 3);
    s = value_rows_close(&rows, 0);
    ck_assert_uint_eq(s.to, 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("batch_part");
    TCase *t = tcase_create("receptions"), *v = tcase_create("values");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_earliest_reception_leads);
    tcase_add_test(t, what_the_database_knows_is_a_duplicate);
    tcase_add_test(t, a_counter_that_does_not_rise_is_replayed_only_when_it_came_later);
    tcase_add_test(t, a_gateways_wrong_clock_does_not_open_the_door_to_replays);
    tcase_add_test(t, another_gateways_copy_is_a_duplicate_and_no_replay);
    tcase_add_test(t, only_frames_that_decode_move_the_counter);
    tcase_add_test(t, wired_frames_are_never_duplicates);
    tcase_add_test(t, who_is_out_is_passed_over);
    tcase_add_checked_fixture(v, values_setup, values_teardown);
    tcase_add_test(v, one_value_stands_for_a_time);
    tcase_add_test(v, equal_rank_contradicts);
    tcase_add_test(v, time_chooses_the_place_and_retention_refuses);
    tcase_add_test(v, what_was_committed_last_is_not_sent_again);
    suite_add_tcase(s, t);
    suite_add_tcase(s, v);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
