#include "base/clock.h"
#include "base/log.h"
#include "node.h"
#include "pg_fixture.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pg_fixture *fixture;

static void count(void *ctx)
{
    atomic_int *n = ctx;

    (*n)++;
}

static struct node *start(const char *name, atomic_int *looks)
{
    const struct node_settings s = { pg_fixture_conninfo(fixture), name, "0.1" };
    struct emt_diag diag = { 0 };
    struct node *n;

    ck_assert_int_eq(node_open(&s, &n, &diag), EMT_OK);
    ck_assert_int_eq(node_start(n, count, looks), EMT_OK);
    return n;
}

static bool reaches(atomic_int *n, int least, int ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; usleep(5000))
        if (*n >= least)
            return true;
    return false;
}

START_TEST(a_change_here_wakes_every_node_soon)
{
    atomic_int a = 0, b = 0;
    struct node *na = start("a", &a), *nb = start("b", &b);
    int before;

    ck_assert(reaches(&a, 1, 5000) && reaches(&b, 1, 5000));
    usleep(200000); /* both listen */
    before = b;
    node_wake(na);
    ck_assert(reaches(&b, before + 1, 1500));
    ck_assert(node_is_alive(na));
    node_close(na);
    node_close(nb);
}
END_TEST

START_TEST(many_changes_are_few_wake_ups)
{
    atomic_int a = 0, b = 0;
    struct node *na = start("a", &a), *nb = start("b", &b);
    int before;

    ck_assert(reaches(&a, 1, 5000) && reaches(&b, 1, 5000));
    usleep(200000);
    before = b;
    for (int i = 0; i < 300; i++) {
        node_wake(na);
        usleep(1000);
    }
    usleep(200000);
    ck_assert_int_gt(b, before);
    ck_assert_int_lt(b - before, 30);
    node_close(na);
    node_close(nb);
}
END_TEST

START_TEST(the_end_of_a_node_ends_its_lease)
{
    atomic_int a = 0;
    struct node *na = start("ending", &a);

    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from node where name = 'ending'"
                                                " and lease_until > now()"),
                     1);
    node_close(na);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from node where name = 'ending'"
                                                " and lease_until > now()"),
                     0);
}
END_TEST

START_TEST(a_node_comes_back_after_the_database)
{
    atomic_int a = 0;
    struct node *na = start("back", &a);
    int before;

    ck_assert(reaches(&a, 1, 5000));
    pg_fixture_crash(fixture);
    node_wake(na); /* still looks here */
    pg_fixture_restart(fixture);
    pg_fixture_sql(fixture, "delete from node");
    before = a;
    for (int i = 0; i < 100 && pg_fixture_number(fixture, "select count(*) from node") == 0; i++)
        usleep(100000);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from node where name = 'back'"),
                     1);
    ck_assert(reaches(&a, before + 1, 8000));
    node_close(na);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_node");
    TCase *t = tcase_create("node");
    SRunner *sr;
    int failed;

    log_open("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
    fixture = pg_fixture_start();
    tcase_add_test(t, a_change_here_wakes_every_node_soon);
    tcase_add_test(t, many_changes_are_few_wake_ups);
    tcase_add_test(t, the_end_of_a_node_ends_its_lease);
    tcase_add_test(t, a_node_comes_back_after_the_database);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_set_fork_status(sr, CK_NOFORK);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
