#include "pg_fixture.h"
#include "store/migrate.h"
#include "store_internal.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pg_fixture *fixture;
static char dir[] = "/tmp/emt-migrate-XXXXXX";

static void put(const char *name, const char *sql)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(sql, f);
    fclose(f);
}

static void drop(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* A database of the test's own: the fixture's stays whole. */
static struct store *fresh(void)
{
    char conninfo[200];
    struct store *s;

    pg_fixture_sql(fixture, "drop database if exists m");
    pg_fixture_sql(fixture, "create database m owner emt_owner");
    snprintf(conninfo, sizeof conninfo, "%s dbname=m", pg_fixture_conninfo(fixture));
    ck_assert_int_eq(store_open(conninfo, STORE_OWNER, 5000, &s, NULL), EMT_OK);
    put("0001_one.sql", "create table one (x int4);\n");
    put("0002_two.sql", "-- comment; with 'quote\ninsert into one values (2);\n");
    put("readme.txt", "no migration");
    drop("0003_three.sql");
    return s;
}

START_TEST(missing_ones_are_applied_once)
{
    static const struct store_statement count = { "m_count", 0, "select count(*) from one" };
    struct store *s = fresh();
    struct emt_diag diag = { 0 };
    struct store_result *r;
    unsigned n;

    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    ck_assert_uint_eq(n, 0);
    put("0003_three.sql", "insert into one values (3)");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(store_run(s, &count, NULL, &r), EMT_OK);
    ck_assert_int_eq(c_int(r, 0, 0), 2);
    store_result_free(r);
    store_close(s);
}
END_TEST

START_TEST(a_failing_file_leaves_nothing_and_names_its_line)
{
    static const struct store_statement gone = { "m_gone", 0,
                                                 "select to_regclass('three') is null" };
    struct store *s = fresh();
    struct emt_diag diag = { 0 };
    struct store_result *r;
    unsigned n;

    put("0003_three.sql", "create table three (x int4);\n\ninsert into nothing values (1);\n");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_EDB);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(diag.file, "0003_three.sql");
    ck_assert_uint_eq(diag.line, 3);
    ck_assert_ptr_nonnull(strstr(diag.text, "nothing"));
    ck_assert_int_eq(store_run(s, &gone, NULL, &r), EMT_OK);
    ck_assert(c_bool(r, 0, 0));
    store_result_free(r);
    put("0003_three.sql", "create table three (x int4)");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(history_is_not_rewritten)
{
    struct store *s = fresh();
    struct emt_diag diag = { 0 };
    unsigned n;

    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    put("0001_one.sql", "create table one (x int8);\n");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_ECONFLICT);
    ck_assert_ptr_nonnull(strstr(diag.text, "0001_one.sql"));
    put("0001_one.sql", "create table one (x int4);\n");
    drop("0002_two.sql");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_ECONFLICT);
    put("0002_two.sql", "-- comment; with 'quote\ninsert into one values (2);\n");
    put("0002_again.sql", "select 1");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_ECONFLICT);
    drop("0002_again.sql");
    ck_assert_int_eq(migrate_folder(s, dir, 1, &n, &diag), EMT_ECONFLICT); /* an older program */
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    ck_assert_int_eq(migrate_folder(s, "/nowhere", 3, &n, &diag), EMT_EIO);
    store_close(s);
}
END_TEST

static void *migrate_thread(void *arg)
{
    char conninfo[200];
    struct store *s;
    uintptr_t failed = 1;

    (void)arg;
    snprintf(conninfo, sizeof conninfo, "%s dbname=m", pg_fixture_conninfo(fixture));
    if (store_open(conninfo, STORE_OWNER, 5000, &s, NULL) == EMT_OK) {
        failed = migrate_folder(s, dir, 3, NULL, NULL) != EMT_OK;
        store_close(s);
    }
    return (void *)failed;
}

START_TEST(nodes_that_start_together_migrate_once)
{
    struct store *s = fresh();
    pthread_t threads[4];

    put("0003_three.sql", "create table three (x int4); select pg_sleep(0.2)");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, migrate_thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    store_close(s);
}
END_TEST

START_TEST(an_older_program_goes_on_as_far_as_the_migrations_say)
{
    struct store *s = fresh();
    struct emt_diag diag = { 0 };
    unsigned n;

    put("0003_three.sql", "-- More.\n-- oldest program: 2\ncreate table three (x int4)");
    ck_assert_int_eq(migrate_folder(s, dir, 3, &n, &diag), EMT_OK);
    drop("0003_three.sql");
    ck_assert_int_eq(migrate_folder(s, dir, 2, &n, &diag), EMT_OK);
    ck_assert_uint_eq(n, 0);
    drop("0002_two.sql");
    ck_assert_int_eq(migrate_folder(s, dir, 1, &n, &diag), EMT_ECONFLICT);
    ck_assert_ptr_nonnull(strstr(diag.text, "know 2; this one knows 1"));
    put("0002_two.sql", "-- comment; with 'quote\ninsert into one values (2);\n");
    store_close(s);
}
END_TEST

/* What the database asks of programs, asked as its operation asks. */
static enum emt_err checked(struct store *owner, struct store *s, const char *row)
{
    char sql[200];
    struct emt_diag diag = { 0 };
    int version;

    snprintf(sql, sizeof sql,
             "insert into schema_migration (version, name, checksum, oldest_program) values %s",
             row);
    ck_assert_int_eq(store_script(owner, sql, NULL), EMT_OK);
    enum emt_err err = migrate_check(s, &version, &diag);
    ck_assert_int_eq(version, 9000);
    ck_assert_int_eq(store_script(owner, "delete from schema_migration where version = 9000", NULL),
                     EMT_OK);
    return err;
}

START_TEST(operation_asks_for_a_database_that_lets_it)
{
    struct store *owner = pg_fixture_store(fixture, STORE_OWNER);
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store *empty = fresh();
    struct emt_diag diag = { 0 };
    int version;

    ck_assert_int_eq(migrate_check(s, &version, &diag), EMT_OK);
    ck_assert_int_eq(version, STORE_SCHEMA_VERSION);
    ck_assert_int_eq(checked(owner, s, "(9000, 'x', 'x', null)"), EMT_ESTATE);
    ck_assert_int_eq(checked(owner, s, "(9000, 'x', 'x', 9000)"), EMT_ESTATE);
    ck_assert_int_eq(checked(owner, s, "(9000, 'x', 'x', 1)"), EMT_OK);
    /* As programs from before that column left it. */
    ck_assert_int_eq(
        store_script(owner, "alter table schema_migration drop column oldest_program", NULL),
        EMT_OK);
    ck_assert_int_eq(migrate_check(s, &version, &diag), EMT_OK);
    ck_assert_int_eq(
        store_script(owner, "alter table schema_migration add column oldest_program int4", NULL),
        EMT_OK);
    ck_assert_int_eq(migrate_check(empty, &version, &diag), EMT_ESTATE);
    ck_assert_int_eq(version, 0);
    store_close(owner);
    store_close(s);
    store_close(empty);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migrate");
    TCase *t = tcase_create("migrate");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 30);
    tcase_add_test(t, missing_ones_are_applied_once);
    tcase_add_test(t, a_failing_file_leaves_nothing_and_names_its_line);
    tcase_add_test(t, history_is_not_rewritten);
    tcase_add_test(t, nodes_that_start_together_migrate_once);
    tcase_add_test(t, an_older_program_goes_on_as_far_as_the_migrations_say);
    tcase_add_test(t, operation_asks_for_a_database_that_lets_it);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    drop("0001_one.sql");
    drop("0002_two.sql");
    drop("0003_three.sql");
    drop("readme.txt");
    rmdir(dir);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
