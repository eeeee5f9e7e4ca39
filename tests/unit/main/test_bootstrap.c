#include "base/file.h"
#include "base/password.h"
#include "bootstrap.h"
#include "pg_fixture.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "platform_pki.h"
#include "store/user_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1800000000000000)

/* No token. */
static const struct platform_keys in_database;

static struct pg_fixture *fixture;
static char dir[] = "/tmp/emt-bootstrap-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

START_TEST(roles_and_migrations_are_repeatable)
{
    char superuser[200];
    struct emt_diag diag = { 0 };

    snprintf(superuser, sizeof superuser, "%s dbname=postgres", pg_fixture_conninfo(fixture));
    ck_assert_int_eq(bootstrap_cluster(superuser, EMT_MIGRATIONS, &diag), EMT_OK);
    ck_assert_int_eq(bootstrap_migrate(pg_fixture_conninfo(fixture), EMT_MIGRATIONS, &diag),
                     EMT_OK);
    ck_assert_int_eq(bootstrap_migrate("host=/nowhere", EMT_MIGRATIONS, &diag), EMT_EDB);
}
END_TEST

START_TEST(the_platform_keeps_one_root_and_needs_its_master_key)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct seal_key master, again, other;
    struct platform_pki first, second;
    struct emt_diag diag = { 0 };

    pg_fixture_sql(fixture, "delete from platform_secret");
    ck_assert_int_eq(bootstrap_master_key(s, in_dir("master.key"), &master, &diag), EMT_OK);
    ck_assert_int_eq(platform_pki_open(s, &master, &in_database, NOW, &first, &diag), EMT_OK);
    ck_assert_int_eq(bootstrap_master_key(s, in_dir("master.key"), &again, &diag), EMT_OK);
    ck_assert_mem_eq(master.key, again.key, SEAL_KEY_LEN);
    ck_assert_int_eq(platform_pki_open(s, &again, &in_database, NOW, &second, &diag), EMT_OK);
    ck_assert_mem_eq(first.pin, second.pin, 32);
    platform_pki_release(&second);
    ck_assert_int_eq(seal_key_make(&other, 1), EMT_OK);
    ck_assert_int_eq(platform_pki_open(s, &other, &in_database, NOW, &second, &diag), EMT_EAUTH);
    /* A lost key file is noticed and not replaced by a new one. */
    unlink(in_dir("master.key"));
    ck_assert_int_eq(bootstrap_master_key(s, in_dir("master.key"), &again, &diag), EMT_ENOTFOUND);
    ck_assert_int_ne(access(in_dir("master.key"), F_OK), 0);
    platform_pki_release(&first);
    store_close(s);
}
END_TEST

START_TEST(a_server_certificate_is_issued_for_all_listeners)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct tls_set_settings t = { .names = "head.example,127.0.0.1,::1",
                                  .session_age_ms = 3600000 };
    struct seal_key master;
    struct platform_pki pki;
    struct emt_diag diag = { 0 };
    struct tls_set set;

    pg_fixture_sql(fixture, "delete from platform_secret");
    ck_assert_int_eq(seal_key_make(&master, 1), EMT_OK);
    ck_assert_int_eq(platform_pki_open(s, &master, &in_database, NOW, &pki, &diag), EMT_OK);
    t.trust = trust_new();
    ck_assert_int_eq(trust_add_pem(t.trust, (char *)pki.root_pem.data, pki.root_pem.len, &diag),
                     EMT_OK);
    ck_assert_int_eq(tls_set_make(&pki, &t, NOW, &set, &diag), EMT_OK);
    ck_assert(set.field12 && set.field13 && set.https);
    ck_assert(set.not_after > NOW + 80 * EMT_DAY && set.not_after < NOW + 91 * EMT_DAY);
    tls_set_release(&set);
    t.certificate = t.key = "/nowhere/file.pem";
    ck_assert_int_ne(tls_set_make(&pki, &t, NOW, &set, &diag), EMT_OK);
    trust_unref(t.trust);
    platform_pki_release(&pki);
    store_close(s);
}
END_TEST

START_TEST(the_first_operator_is_made_once_and_kept_for_its_owner_only)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    const uint8_t pin[32] = { 0xab };
    struct first_login login, later;
    struct platform_user u;
    struct emt_diag diag = { 0 };
    struct stat st;
    char expected[300];
    char *text;
    size_t len;

    ck_assert_int_eq(bootstrap_operator(s, dir, "", pin, &login, &diag), EMT_OK);
    ck_assert(login.created);
    ck_assert_int_eq(first_login_set_url(dir, "https://host:8443", &diag), EMT_OK);
    ck_assert_int_eq(stat(in_dir("first-login"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(file_read(in_dir("first-login"), 4096, &text, &len, &diag), EMT_OK);
    snprintf(expected, sizeof expected,
             "url: https://host:8443\nuser: admin\npassword: %s\npin: ab%062d\n", login.password,
             0);
    ck_assert_str_eq(text, expected);
    free(text);
    ck_assert_int_eq(user_find(s, "admin", &u), EMT_OK);
    ck_assert(u.one_time);
    ck_assert_int_eq(password_verify(u.password_hash, login.password), EMT_OK);
    ck_assert_int_eq(bootstrap_operator(s, dir, "", pin, &later, &diag), EMT_OK);
    ck_assert(!later.created);
    ck_assert_int_eq(file_read(in_dir("first-login"), 4096, &text, &len, &diag), EMT_OK);
    ck_assert_str_eq(text, expected);
    free(text);
    unlink(in_dir("first-login"));
    ck_assert_int_eq(first_login_set_url(dir, "https://x", &diag),
                     EMT_OK); /* none: nothing to do */
    ck_assert_int_ne(access(in_dir("first-login"), F_OK), 0);
    store_close(s);
}
END_TEST

START_TEST(a_login_that_cannot_be_kept_is_not_made)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    const uint8_t pin[32] = { 0 };
    struct first_login login;
    struct emt_diag diag = { 0 };
    int64_t n;

    pg_fixture_sql(fixture, "delete from platform_user");
    ck_assert_int_ne(bootstrap_operator(s, "/nowhere", "", pin, &login, &diag), EMT_OK);
    ck_assert_int_eq(user_count(s, &n), EMT_OK);
    ck_assert_int_eq(n, 0);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_bootstrap");
    TCase *t = tcase_create("bootstrap");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, roles_and_migrations_are_repeatable);
    tcase_add_test(t, the_platform_keeps_one_root_and_needs_its_master_key);
    tcase_add_test(t, a_server_certificate_is_issued_for_all_listeners);
    tcase_add_test(t, the_first_operator_is_made_once_and_kept_for_its_owner_only);
    tcase_add_test(t, a_login_that_cannot_be_kept_is_not_made);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    rmdir(dir);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
