#include "base/clock.h"
#include "loop/loop.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct order {
    struct loop *loop;
    int calls[8];
    atomic_int n;
};

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static void wait_for(atomic_int *n, int count)
{
    for (int i = 0; i < 2500 && atomic_load(n) < count; i++)
        nap();
    ck_assert_int_eq(atomic_load(n), count);
}

static void note(struct order *o, int what)
{
    int n = atomic_load(&o->n);
    o->calls[n] = what;
    atomic_store(&o->n, n + 1);
}

static void late(void *arg)
{
    note(arg, 3);
}

static void later(void *arg)
{
    note(arg, 4);
}

static void after(void *arg)
{
    struct order *o = arg;
    note(o, 2);
    ck_assert_int_eq(loop_after_turn(o->loop, late, o), EMT_OK);
}

static void second(void *arg)
{
    note(arg, 1);
}

static void first(void *arg)
{
    struct order *o = arg;
    ck_assert_int_eq(loop_after_turn(o->loop, after, o), EMT_OK);
    ck_assert_int_eq(loop_post(o->loop, later, o), EMT_OK);
    note(o, 0);
}

START_TEST(after_turn_runs_behind_all_callbacks_of_the_turn)
{
    struct order o = { .loop = loop_new(3) };

    ck_assert_ptr_nonnull(o.loop);
    ck_assert_uint_eq(loop_index(o.loop), 3);
    ck_assert_int_eq(loop_post(o.loop, first, &o), EMT_OK);
    ck_assert_int_eq(loop_post(o.loop, second, &o), EMT_OK);
    ck_assert_int_eq(loop_start(o.loop), EMT_OK);
    wait_for(&o.n, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(o.calls[i], i);
    loop_stop(o.loop);
    loop_join(o.loop);
    loop_free(o.loop);
}
END_TEST

struct many {
    struct loop *loop;
    atomic_int n;
};

static void count(void *arg)
{
    struct many *m = arg;
    atomic_fetch_add(&m->n, 1);
}

static void *post_many(void *arg)
{
    struct many *m = arg;
    for (int i = 0; i < 5000; i++)
        while (loop_post(m->loop, count, m) == EMT_ELIMIT)
            nap();
    return NULL;
}

START_TEST(posts_of_many_threads_all_run)
{
    struct many m = { .loop = loop_new(0) };
    pthread_t t[4];

    ck_assert_int_eq(loop_start(m.loop), EMT_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, post_many, &m), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    wait_for(&m.n, 20000);
    loop_stop(m.loop);
    loop_join(m.loop);
    loop_free(m.loop);
}
END_TEST

START_TEST(the_mailbox_is_bounded)
{
    struct many m = { .loop = loop_new(0) };

    for (int i = 0; i < 65536; i++)
        ck_assert_int_eq(loop_post(m.loop, count, &m), EMT_OK);
    ck_assert_int_eq(loop_post(m.loop, count, &m), EMT_ELIMIT);
    loop_free(m.loop);
    ck_assert_int_eq(atomic_load(&m.n), 0);
}
END_TEST

START_TEST(what_was_posted_before_the_stop_still_runs_and_nothing_after)
{
    struct many m = { .loop = loop_new(0) };

    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(loop_post(m.loop, count, &m), EMT_OK);
    loop_stop(m.loop);
    ck_assert_int_eq(loop_start(m.loop), EMT_OK);
    loop_join(m.loop);
    ck_assert_int_eq(atomic_load(&m.n), 100);
    ck_assert_int_eq(loop_post(m.loop, count, &m), EMT_ESTATE);
    loop_free(m.loop);
}
END_TEST

struct timing {
    struct loop *loop;
    struct loop_timer *timer, *never;
    int64_t start, fired;
    atomic_int n;
};

static void on_timer(void *arg)
{
    struct timing *t = arg;
    t->fired = clock_mono_ms();
    loop_timer_free(t->timer); /* in its own callback */
    t->timer = NULL;
    atomic_fetch_add(&t->n, 1);
}

static void on_never(void *arg)
{
    struct timing *t = arg;
    atomic_fetch_add(&t->n, 100);
}

static void arm(void *arg)
{
    struct timing *t = arg;
    t->start = clock_mono_ms();
    t->timer = loop_timer_new(t->loop, on_timer, t);
    t->never = loop_timer_new(t->loop, on_never, t);
    loop_timer_set(t->timer, 100000);
    loop_timer_set(t->timer, 50); /* replaces the one before */
    loop_timer_set(t->never, 20);
    loop_timer_cancel(t->never);
}

static void disarm(void *arg)
{
    struct timing *t = arg;
    loop_timer_free(t->never);
}

START_TEST(a_timer_fires_once_and_a_cancelled_one_never)
{
    struct timing t = { .loop = loop_new(0) };

    ck_assert_int_eq(loop_post(t.loop, arm, &t), EMT_OK);
    ck_assert_int_eq(loop_start(t.loop), EMT_OK);
    wait_for(&t.n, 1);
    for (int i = 0; i < 20; i++)
        nap();
    ck_assert_int_eq(loop_post(t.loop, disarm, &t), EMT_OK);
    loop_stop(t.loop);
    loop_join(t.loop);
    ck_assert_int_eq(atomic_load(&t.n), 1);
    ck_assert_int_ge(t.fired - t.start, 45);
    loop_free(t.loop);
}
END_TEST

START_TEST(a_loop_that_never_ran_can_be_freed)
{
    struct loop *l = loop_new(0);
    loop_join(l);
    loop_free(l);
    loop_free(NULL);
    loop_timer_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *c = tcase_create("loop");
    SRunner *r;
    int failed;

    tcase_set_timeout(c, 30);
    tcase_add_test(c, after_turn_runs_behind_all_callbacks_of_the_turn);
    tcase_add_test(c, posts_of_many_threads_all_run);
    tcase_add_test(c, the_mailbox_is_bounded);
    tcase_add_test(c, what_was_posted_before_the_stop_still_runs_and_nothing_after);
    tcase_add_test(c, a_timer_fires_once_and_a_cancelled_one_never);
    tcase_add_test(c, a_loop_that_never_ran_can_be_freed);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
