#include "loop/metrics.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *written(struct metrics *m, struct writer *w)
{
    writer_clear(w);
    metrics_write(m, w);
    ck_assert(!w->failed);
    return writer_cstr(w);
}

START_TEST(families_are_written_together_in_prometheus_text)
{
    struct metrics *m = metrics_new();
    struct writer w;

    writer_init_heap(&w, 65536);
    metric_add(metrics_counter(m, "emt_a_total", "state=\"ok\"", "What a is."), 2);
    metric_set(metrics_gauge(m, "emt_b", NULL, "What b is."), -7);
    metric_add(metrics_counter(m, "emt_a_total", "state=\"bad\"", "What a is."), 1);
    ck_assert_str_eq(written(m, &w), "# HELP emt_a_total What a is.\n# TYPE emt_a_total counter\n"
                                     "emt_a_total{state=\"ok\"} 2\nemt_a_total{state=\"bad\"} 1\n"
                                     "# HELP emt_b What b is.\n# TYPE emt_b gauge\nemt_b -7\n");
    writer_release(&w);
    metrics_free(m);
}
END_TEST

START_TEST(the_same_name_and_labels_are_the_same_metric)
{
    struct metrics *m = metrics_new();
    struct metric *a = metrics_counter(m, "emt_a_total", "x=\"1\"", "a");

    ck_assert_ptr_eq(metrics_counter(m, "emt_a_total", "x=\"1\"", "a"), a);
    ck_assert_ptr_ne(metrics_counter(m, "emt_a_total", "x=\"2\"", "a"), a);
    /* One name has one type: the other counts, but is not shown. */
    metric_add(metrics_gauge(m, "emt_a_total", "x=\"1\"", "a"), 5);
    ck_assert_int_eq(metric_get(a), 0);
    metrics_free(m);
    metrics_free(NULL);
}
END_TEST

START_TEST(a_histogram_cumulates_in_seconds)
{
    struct metrics *m = metrics_new();
    struct metric *h = metrics_histogram(m, "emt_h_seconds", "loop=\"0\"", "h");
    struct writer w;
    const char *text;

    writer_init_heap(&w, 65536);
    metric_observe_ms(h, -5);
    metric_observe_ms(h, 1);
    metric_observe_ms(h, 2000);
    metric_observe_ms(h, 2001);
    metric_observe_ms(h, 3600000);
    text = written(m, &w);
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_bucket{loop=\"0\",le=\"0.001\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_bucket{loop=\"0\",le=\"2.000\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_bucket{loop=\"0\",le=\"60.000\"} 4\n"));
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_bucket{loop=\"0\",le=\"+Inf\"} 5\n"));
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_sum{loop=\"0\"} 3604.002\n"));
    ck_assert_ptr_nonnull(strstr(text, "emt_h_seconds_count{loop=\"0\"} 5\n"));
    ck_assert_int_eq(metric_get(h), 5);
    writer_release(&w);
    metrics_free(m);
}
END_TEST

static void *add_many(void *arg)
{
    for (int i = 0; i < 10000; i++)
        metric_add(metrics_counter(arg, "emt_a_total", NULL, "a"), 1);
    return NULL;
}

START_TEST(counting_from_many_threads_loses_nothing)
{
    struct metrics *m = metrics_new();
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, add_many, m), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    ck_assert_int_eq(metric_get(metrics_counter(m, "emt_a_total", NULL, "a")), 40000);
    metrics_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("metrics");
    TCase *c = tcase_create("metrics");
    SRunner *r;
    int failed;

    tcase_add_test(c, families_are_written_together_in_prometheus_text);
    tcase_add_test(c, the_same_name_and_labels_are_the_same_metric);
    tcase_add_test(c, a_histogram_cumulates_in_seconds);
    tcase_add_test(c, counting_from_many_threads_loses_nothing);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
