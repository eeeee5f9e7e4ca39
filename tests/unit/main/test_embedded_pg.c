/* The private PostgreSQL with real kills: of the server, and of the process that started it. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bootstrap.h"
#include "embedded_pg.h"
#include "store/store.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[200];

static bool never(void)
{
    return false;
}

static pid_t postmaster(void)
{
    char path[300];
    char *text;
    size_t len;
    pid_t pid = 0;

    snprintf(path, sizeof path, "%s/pg/data/postmaster.pid", dir);
    if (file_read(path, 4096, &text, &len, NULL) == EMT_OK) {
        pid = (pid_t)strtol(text, NULL, 10);
        free(text);
    }
    return pid;
}

static struct embedded_pg *start(void)
{
    struct emt_diag diag = { 0 };
    struct embedded_pg *e = NULL;

    if (embedded_pg_start(dir, never, &e, &diag) != EMT_OK)
        ck_abort_msg("%s", diag.text);
    return e;
}

static bool connects(const struct embedded_pg *e, enum store_role role)
{
    struct store *s = NULL;
    bool up = store_open(embedded_pg_conninfo(e), role, 3000, &s, NULL) == EMT_OK;

    store_close(s);
    return up;
}

static bool comes_back(const struct embedded_pg *e, int ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; usleep(50000))
        if (connects(e, STORE_ADMIN))
            return true;
    return false;
}

static bool ends(pid_t pid, int ms)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; usleep(20000)) {
        char cwd[300];

        if (readlink(path, cwd, sizeof cwd) < 0)
            return true;
    }
    return false;
}

START_TEST(it_starts_serves_all_roles_and_ends)
{
    struct emt_diag diag = { 0 };
    struct embedded_pg *e = start();
    struct embedded_pg *second = NULL;
    pid_t pid = postmaster();

    ck_assert(!embedded_pg_was_adopted(e));
    ck_assert_int_eq(bootstrap_cluster(embedded_pg_superuser_conninfo(e), EMT_MIGRATIONS, &diag),
                     EMT_OK);
    ck_assert_int_eq(bootstrap_migrate(embedded_pg_conninfo(e), EMT_MIGRATIONS, &diag), EMT_OK);
    for (int role = STORE_OWNER; role <= STORE_ADMIN; role++)
        ck_assert(connects(e, (enum store_role)role));
    ck_assert_int_eq(embedded_pg_start(dir, never, &second, &diag),
                     EMT_ESTATE); /* one per folder */
    embedded_pg_stop(e);
    ck_assert(ends(pid, 1000));
}
END_TEST

START_TEST(a_killed_server_comes_back_by_itself)
{
    struct embedded_pg *e = start();
    pid_t before = postmaster();

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kill(postmaster(), SIGKILL), 0);
        ck_assert(ends(before, 5000));
        ck_assert(comes_back(e, 30000));
        ck_assert_int_ne(postmaster(), before);
        before = postmaster();
    }
    ck_assert_uint_ge(embedded_pg_restarts(e), 2);
    embedded_pg_stop(e);
    ck_assert(ends(before, 1000));
}
END_TEST

/* A process starts the server, tells us over a pipe, and is killed. */
static void start_and_die(void)
{
    int fds[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        (void)start();
        if (write(fds[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* The server holds none of our descriptors: the pipe's other end is gone with the child. */
    ck_assert_int_eq(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

START_TEST(an_orphan_is_adopted_and_still_watched)
{
    struct embedded_pg *e;
    pid_t pid;

    start_and_die();
    pid = postmaster();
    ck_assert_int_gt(pid, 0);
    e = start();
    ck_assert(embedded_pg_was_adopted(e));
    ck_assert_int_eq(postmaster(), pid);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert(ends(pid, 5000));
    ck_assert(comes_back(e, 30000));
    pid = postmaster();
    embedded_pg_stop(e);
    ck_assert(ends(pid, 1000));
}
END_TEST

START_TEST(an_adopted_orphan_is_stopped_at_the_end)
{
    struct embedded_pg *e;
    pid_t pid;

    start_and_die();
    pid = postmaster();
    e = start();
    ck_assert(embedded_pg_was_adopted(e));
    embedded_pg_stop(e);
    ck_assert(ends(pid, 1000));
}
END_TEST

START_TEST(a_stale_pid_file_does_not_stop_the_start)
{
    char path[300], text[300];
    struct embedded_pg *e;

    /* Somebody else lives under that number by now: us. */
    snprintf(path, sizeof path, "%s/pg/data/postmaster.pid", dir);
    snprintf(text, sizeof text, "1\n%s/pg/data\n1\n5432\n/nowhere\n\n", dir);
    ck_assert_int_eq(file_write(path, text, strlen(text), 0644, NULL), EMT_OK);
    e = start();
    ck_assert(!embedded_pg_was_adopted(e));
    ck_assert(connects(e, STORE_ADMIN));
    embedded_pg_stop(e);
}
END_TEST

START_TEST(a_deep_folder_gets_a_short_socket)
{
    char saved[sizeof dir], deep[sizeof dir];
    struct embedded_pg *e;

    memcpy(saved, dir, sizeof saved);
    snprintf(deep, sizeof deep,
             "%.90s/a-rather-long-name-of-a-folder/and-another-one-that-is-even-longer-than-that/x",
             saved);
    memcpy(dir, deep, sizeof dir);
    e = start();
    ck_assert_ptr_null(strstr(embedded_pg_conninfo(e), "a-rather-long"));
    embedded_pg_stop(e);
    memcpy(dir, saved, sizeof dir);
}
END_TEST

START_TEST(a_closed_home_is_no_obstacle_for_root)
{
    char saved[sizeof dir], home[100], below[140], link[sizeof dir + 8], real[PATH_MAX];
    struct embedded_pg *e;

    if (geteuid() != 0)
        return;
    memcpy(saved, dir, sizeof saved);
    snprintf(home, sizeof home, "%.80s/home", saved);
    ck_assert_int_eq(mkdir(home, 0700), 0);
    snprintf(below, sizeof below, "%s/emt", home);
    snprintf(dir, sizeof dir, "%s", below);
    for (int i = 0; i < 2; i++) { /* also when it starts again */
        e = start();
        embedded_pg_stop(e);
        snprintf(link, sizeof link, "%s/pg", dir);
        ck_assert_ptr_nonnull(realpath(link, real));
        ck_assert_int_eq(strncmp(real, "/var/lib/emt/pg-", 16), 0);
    }
    snprintf(link, sizeof link, "rm -rf '%.100s'", real);
    ck_assert_int_eq(system(link), 0);
    memcpy(dir, saved, sizeof dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_embedded_pg");
    TCase *t = tcase_create("embedded");
    SRunner *sr;
    glob_t g;
    char command[300];
    int failed;
    bool installed = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0;

    globfree(&g);
    if (!installed) {
        printf("skipped: no PostgreSQL server is installed here\n");
        return 77;
    }
    log_open("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, open("/dev/null", 1));
    snprintf(dir, sizeof dir, "/tmp/emt-embedded-XXXXXX");
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    tcase_set_timeout(t, 100);
    tcase_add_test(t, it_starts_serves_all_roles_and_ends);
    tcase_add_test(t, a_killed_server_comes_back_by_itself);
    tcase_add_test(t, an_orphan_is_adopted_and_still_watched);
    tcase_add_test(t, an_adopted_orphan_is_stopped_at_the_end);
    tcase_add_test(t, a_stale_pid_file_does_not_stop_the_start);
    tcase_add_test(t, a_deep_folder_gets_a_short_socket);
    tcase_add_test(t, a_closed_home_is_no_obstacle_for_root);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    if (!failed && system(command) != 0)
        failed = 1;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
