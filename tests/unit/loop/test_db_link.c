/* A loop's database connection: it comes, serves, goes with the server and comes back. */
#include "base/log.h"
#include "loop/loop.h"
#include "pg_fixture.h"

#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct pg_fixture *pg;

static const struct store_statement one = { "test_one", 1, "SELECT $1::int8 + 1" };
static const struct store_statement slow = { "test_slow", 0, "SELECT pg_sleep(30)" };

struct user {
    struct loop *loop;
    struct db_link *link;
    atomic_int ups, downs, answers, failures;
    atomic_llong answer;
    bool sleepy; /* asks for something that the server's end will find under way */
};

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static void wait_for(atomic_int *n, int count)
{
    for (int i = 0; i < 10000 && atomic_load(n) < count; i++)
        nap();
    ck_assert_int_ge(atomic_load(n), count);
}

static void on_answer(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct user *u = ctx;

    if (err == EMT_OK)
        atomic_store(&u->answer, c_int(r, 0, 0));
    atomic_fetch_add(err == EMT_OK ? &u->answers : &u->failures, 1);
}

static void on_up(void *ctx, struct store *s)
{
    struct user *u = ctx;
    struct store_param p[1];

    ck_assert_ptr_eq(db_link_store(u->link), s);
    p_int8(&p[0], 41);
    ck_assert_int_eq(u->sleepy ? store_send(s, &slow, NULL, on_answer, u)
                               : store_send(s, &one, p, on_answer, u),
                     EMT_OK);
    ck_assert_int_eq(store_send_sync(s, NULL, NULL), EMT_OK);
    db_link_kick(u->link);
    db_link_kick(u->link); /* twice is once */
    atomic_fetch_add(&u->ups, 1);
}

static void on_down(void *ctx)
{
    struct user *u = ctx;

    ck_assert_ptr_null(db_link_store(u->link));
    atomic_fetch_add(&u->downs, 1);
}

static void user_start(struct user *u, const char *conninfo)
{
    struct db_link_handler h = { on_up, on_down, u };

    u->loop = loop_new(0);
    u->link = db_link_new(u->loop, conninfo, STORE_INGEST, &h);
    ck_assert_ptr_nonnull(u->link);
    ck_assert_int_eq(loop_start(u->loop), EMT_OK);
}

static void user_stop(struct user *u)
{
    loop_stop(u->loop);
    loop_join(u->loop);
    db_link_free(u->link);
    loop_free(u->loop);
}

START_TEST(what_is_sent_is_answered_on_the_loop)
{
    struct user u = { 0 };

    user_start(&u, pg_fixture_conninfo(pg));
    wait_for(&u.answers, 1);
    ck_assert_int_eq(atomic_load(&u.answer), 42);
    user_stop(&u);
    ck_assert_int_eq(atomic_load(&u.downs), 0);
}
END_TEST

START_TEST(a_server_that_goes_fails_what_is_under_way_and_is_found_again)
{
    struct user u = { .sleepy = true };

    user_start(&u, pg_fixture_conninfo(pg));
    wait_for(&u.ups, 1);
    pg_fixture_crash(pg);
    wait_for(&u.downs, 1);
    ck_assert_int_eq(atomic_load(&u.failures), 1);
    pg_fixture_restart(pg);
    wait_for(&u.ups, 2);
    user_stop(&u);
}
END_TEST

START_TEST(nobody_there_is_tried_again_and_again)
{
    struct user u = { 0 };

    user_start(&u, "host=127.0.0.1 port=1 dbname=emt");
    for (int i = 0; i < 200; i++)
        nap();
    ck_assert_int_eq(atomic_load(&u.ups), 0);
    ck_assert_int_eq(atomic_load(&u.downs), 0);
    user_stop(&u);
    db_link_free(NULL);
}
END_TEST

/* Refused at once: there is no descriptor that would tell, and nobody waits for the time-out. */
START_TEST(a_local_socket_that_nobody_listens_on_is_tried_again_soon)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    char dir[] = "/tmp/emt_link_XXXXXX";
    char conninfo[120];
    struct user u = { 0 };

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s/.s.PGSQL.5432", dir);
    snprintf(conninfo, sizeof conninfo, "host=%s port=5432 dbname=emt", dir);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&sa, sizeof sa), 0);
    user_start(&u, conninfo);
    for (int i = 0; i < 50; i++)
        nap();
    ck_assert_int_eq(listen(s, 1), 0);
    struct pollfd p = { .fd = s, .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, 8000), 1); /* less than the time-out of a connection */
    user_stop(&u);
    close(s);
    unlink(sa.sun_path);
    rmdir(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("db_link");
    TCase *c = tcase_create("db_link");
    SRunner *r;
    int failed;

    log_open("test_db_link", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
    pg = pg_fixture_start();
    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_is_sent_is_answered_on_the_loop);
    tcase_add_test(c, nobody_there_is_tried_again_and_again);
    tcase_add_test(c, a_local_socket_that_nobody_listens_on_is_tried_again_soon);
    tcase_add_test(c, a_server_that_goes_fails_what_is_under_way_and_is_found_again);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_set_fork_status(r, CK_NOFORK); /* the server is a child of this process */
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    pg_fixture_stop(pg);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
