/* What waits for the database is bounded, and what must not be lost outlives its absence. */
#include "journal.h"
#include "loop/metrics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct metrics *metrics;
static struct metric *dropped, *met;
static struct journal *journal;

static void setup(void)
{
    metrics = metrics_new();
    dropped = metrics_counter(metrics, "dropped", NULL, "");
    met = metrics_counter(metrics, "met", NULL, "");
    journal = journal_new(dropped, met);
}

static void teardown(void)
{
    journal_free(journal);
    metrics_free(metrics);
}

START_TEST(log_lines_that_wait_are_bounded_in_bytes)
{
    static char text[UPLINK_TEXT_MAX];
    const struct uplink_log l = { 0, 6, text };

    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 4000; i++)
        journal_log(journal, 1, 1, &l);
    ck_assert_int_gt(metric_get(met), 1000);
    ck_assert_int_eq(metric_get(met), metric_get(dropped));
    /* The end of a session has room all the same. */
    journal_end(journal, 1, 1, 1, "idle");
    ck_assert_int_eq(metric_get(met), metric_get(dropped));
}
END_TEST

START_TEST(without_database_only_what_may_be_lost_is_lost)
{
    const struct uplink_status st = { .uptime_s = 1 };
    const struct uplink_log l = { 0, 6, NULL };
    const uint8_t key[UPLINK_KEY_LEN] = { 1 };

    journal_status(journal, 1, 1, &st);
    journal_log(journal, 1, 1, &l);
    ck_assert(!journal_flush(journal, NULL));
    ck_assert_int_eq(metric_get(dropped), 2);
    ck_assert(journal_is_idle(journal));
    journal_result(journal, 1, 1, key, 0, NULL);
    journal_end(journal, 1, 1, 1, "idle");
    journal_alarm(journal, 1, 1, "clone", "192.0.2.1");
    ck_assert(!journal_flush(journal, NULL));
    ck_assert_int_eq(metric_get(dropped), 2);
    ck_assert(!journal_is_idle(journal));
}
END_TEST

START_TEST(a_newer_status_takes_the_place_of_an_older_one)
{
    const struct uplink_status st = { .uptime_s = 1 };

    for (int i = 0; i < 10; i++)
        journal_status(journal, 1, 1, &st);
    journal_status(journal, 1, 2, &st);
    ck_assert(!journal_flush(journal, NULL));
    /* One each: replaced ones do not count as dropped. */
    ck_assert_int_eq(metric_get(dropped), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal");
    TCase *c = tcase_create("journal");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, log_lines_that_wait_are_bounded_in_bytes);
    tcase_add_test(c, without_database_only_what_may_be_lost_is_lost);
    tcase_add_test(c, a_newer_status_takes_the_place_of_an_older_one);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
