#include "http_pool.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* What happened, and a gate that tasks wait at. */
struct scene {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    unsigned running, most_running, ran, dropped, done;
    bool worker_fails;
};

static void scene_init(struct scene *s)
{
    *s = (struct scene){ 0 };
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
}

static void run(void *ctx, void *worker, bool have_worker, struct pool_task *task)
{
    struct scene *s = ctx;

    (void)task;
    pthread_mutex_lock(&s->lock);
    ck_assert_int_eq(have_worker, worker != NULL);
    s->running++;
    if (s->running > s->most_running)
        s->most_running = s->running;
    pthread_cond_broadcast(&s->changed);
    while (!s->open)
        pthread_cond_wait(&s->changed, &s->lock);
    s->running--;
    s->ran++;
    pthread_mutex_unlock(&s->lock);
}

static void drop(void *ctx, struct pool_task *task)
{
    struct scene *s = ctx;

    (void)task;
    pthread_mutex_lock(&s->lock);
    s->dropped++;
    pthread_mutex_unlock(&s->lock);
}

static void done(void *ctx, struct pool_task *task)
{
    struct scene *s = ctx;

    (void)task;
    pthread_mutex_lock(&s->lock);
    s->done++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void *worker_new(void *ctx)
{
    struct scene *s = ctx;

    return s->worker_fails ? NULL : malloc(1);
}

static void worker_free(void *ctx, void *worker)
{
    (void)ctx;
    free(worker);
}

static struct http_pool *pool_of(struct scene *s, struct pool_limits limits)
{
    struct pool_calls calls = { .ctx = s,
                                .worker_new = worker_new,
                                .worker_free = worker_free,
                                .run = run,
                                .done = done,
                                .drop = drop };
    struct http_pool *p = NULL;

    ck_assert_int_eq(http_pool_new(&limits, &calls, &p), EMT_OK);
    return p;
}

static void open_gate(struct scene *s)
{
    pthread_mutex_lock(&s->lock);
    s->open = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void wait_running(struct scene *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->running < n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void wait_done(struct scene *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->done < n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void put(struct http_pool *p, struct pool_task *t, int32_t tenant)
{
    ck_assert_int_eq(http_pool_admit(p, tenant), POOL_ADMITTED);
    t->tenant = tenant;
    http_pool_submit(p, t);
}

START_TEST(beyond_workers_and_queue_the_pool_is_busy)
{
    struct scene s;
    struct pool_task tasks[6];

    scene_init(&s);
    struct http_pool *p = pool_of(&s, (struct pool_limits){ 2, 3, 2, 3 });
    for (unsigned i = 0; i < 5; i++)
        put(p, &tasks[i], 0);
    ck_assert_int_eq(http_pool_admit(p, 0), POOL_BUSY);
    ck_assert_int_eq(http_pool_admit(p, 7), POOL_BUSY);
    wait_running(&s, 2);
    open_gate(&s);
    wait_done(&s, 5);
    put(p, &tasks[5], 0);
    wait_done(&s, 6);
    ck_assert_uint_eq(s.most_running, 2);
    http_pool_free(p);
}
END_TEST

START_TEST(a_tenant_occupies_its_share_and_no_more)
{
    struct scene s;
    struct pool_task tasks[5];

    scene_init(&s);
    struct http_pool *p = pool_of(&s, (struct pool_limits){ 4, 20, 2, 1 });
    for (unsigned i = 0; i < 3; i++) /* two run, one waits */
        put(p, &tasks[i], 7);
    ck_assert_int_eq(http_pool_admit(p, 7), POOL_SHARE);
    wait_running(&s, 2);
    put(p, &tasks[3], 8); /* passes the one that waits */
    put(p, &tasks[4], 0);
    wait_running(&s, 4);
    ck_assert_uint_eq(s.most_running, 4);
    open_gate(&s);
    wait_done(&s, 5);
    ck_assert_int_eq(http_pool_admit(p, 7), POOL_ADMITTED);
    tasks[0].tenant = 7;
    http_pool_submit(p, &tasks[0]);
    wait_done(&s, 6);
    http_pool_free(p);
}
END_TEST

START_TEST(the_place_is_free_when_done_is_told)
{
    struct scene s;
    struct pool_task task;

    scene_init(&s);
    open_gate(&s);
    struct http_pool *p = pool_of(&s, (struct pool_limits){ 1, 0, 1, 0 });
    for (unsigned i = 0; i < 500; i++) {
        put(p, &task, 3);
        wait_done(&s, i + 1);
    }
    http_pool_free(p);
    ck_assert_uint_eq(s.ran, 500);
}
END_TEST

static void *open_later(void *arg)
{
    usleep(50000);
    open_gate(arg);
    return NULL;
}

START_TEST(stopping_waits_for_what_runs_and_drops_what_waits)
{
    struct scene s;
    struct pool_task tasks[4];
    pthread_t helper;

    scene_init(&s);
    struct http_pool *p = pool_of(&s, (struct pool_limits){ 1, 5, 1, 5 });
    for (unsigned i = 0; i < 4; i++)
        put(p, &tasks[i], 7);
    wait_running(&s, 1);
    pthread_create(&helper, NULL, open_later, &s);
    http_pool_stop(p);
    ck_assert_uint_eq(s.ran, 1);
    ck_assert_uint_eq(s.dropped, 3);
    ck_assert_uint_eq(s.done, 4);
    ck_assert_int_eq(http_pool_admit(p, 0), POOL_BUSY);
    pthread_join(helper, NULL);
    http_pool_free(p);
}
END_TEST

START_TEST(a_worker_that_cannot_be_made_is_tried_again)
{
    struct scene s;
    struct pool_task task;

    scene_init(&s);
    s.worker_fails = true;
    open_gate(&s);
    struct http_pool *p = pool_of(&s, (struct pool_limits){ 1, 5, 1, 5 });
    put(p, &task, 0);
    wait_done(&s, 1);
    s.worker_fails = false;
    put(p, &task, 0);
    wait_done(&s, 2);
    ck_assert_uint_eq(s.ran, 2);
    http_pool_free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_pool");
    TCase *tc = tcase_create("pool");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, beyond_workers_and_queue_the_pool_is_busy);
    tcase_add_test(tc, a_tenant_occupies_its_share_and_no_more);
    tcase_add_test(tc, the_place_is_free_when_done_is_told);
    tcase_add_test(tc, stopping_waits_for_what_runs_and_drops_what_waits);
    tcase_add_test(tc, a_worker_that_cannot_be_made_is_tried_again);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
