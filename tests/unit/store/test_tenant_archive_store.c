/* A tenant as a whole: the catalogue's order, what may come in, what is wrapped, what is left. */
#include "pg_fixture.h"
#include "store/tenant_archive_store.h"
#include "store/tenant_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_fixture *fixture;

static size_t place_of(const struct archive_catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->tables[i].name, name) == 0)
            return i;
    ck_abort_msg("no table %s", name);
    return 0;
}

static struct archive_catalogue load(struct store *s)
{
    struct archive_catalogue c;
    struct emt_diag diag = { 0 };

    ck_assert_msg(archive_catalogue_load(s, &c, &diag) == EMT_OK, "%s", diag.text);
    return c;
}

START_TEST(what_refers_stands_behind_what_it_refers_to)
{
    struct store *s = pg_fixture_store(fixture, STORE_OWNER);
    struct archive_catalogue c = load(s);

    ck_assert_uint_eq(place_of(&c, "tenant"), 0);
    ck_assert_uint_lt(place_of(&c, "gateway"), place_of(&c, "gateway_certificate"));
    ck_assert_uint_lt(place_of(&c, "device"), place_of(&c, "channel"));
    ck_assert_uint_lt(place_of(&c, "channel"), place_of(&c, "location_channel"));
    ck_assert_uint_lt(place_of(&c, "export_file"), place_of(&c, "delivery"));
    ck_assert_int_eq((int64_t)c.n - 1,
                     pg_fixture_number(fixture,
                                       "select count(*) from pg_class c join pg_attribute a"
                                       " on a.attrelid = c.oid and a.attname = 'tenant_id'"
                                       " where c.relnamespace = 'public'::regnamespace and"
                                       " c.relkind in ('r', 'p') and not c.relispartition"));
    ck_assert_ptr_null(archive_catalogue_find(&c, "platform_user"));
    ck_assert_int_eq(archive_catalogue_find(&c, "tenant_key")->use, ARCHIVE_LEFT_OUT);
    archive_catalogue_release(&c);
    store_close(s);
}
END_TEST

/* A new column with a wrapped secret would stay wrapped by a key that does not come along. By their
 * names: blob, or ending so. */
START_TEST(every_wrapped_column_is_wrapped_anew)
{
    char sql[1024] = "select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid"
                     " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
                     " and not c.relispartition and a.attname ~ 'blob$'"
                     " and c.relname not in ('tenant_key', 'platform_secret')";
    size_t n = strlen(sql);

    for (const char *const *name = archive_sealed_columns(); *name; name++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, " and c.relname || '.' || a.attname <> '%s'",
                              *name);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 0);
}
END_TEST

struct text {
    const char *p;
};

static enum emt_err take(void *ctx, void *buf, size_t size, size_t *n)
{
    struct text *t = ctx;

    *n = strlen(t->p) < size ? strlen(t->p) : size;
    memcpy(buf, t->p, *n);
    t->p += *n;
    return EMT_OK;
}

static enum emt_err broken(void *ctx, void *buf, size_t size, size_t *n)
{
    (void)ctx;
    (void)buf;
    (void)size;
    *n = 0;
    return EMT_EIO;
}

static enum emt_err copy_in(struct store *s, const char *table, const char *column,
                            archive_source *source, const char *rows)
{
    struct archive_catalogue c = load(s);
    struct text text = { rows };
    struct emt_diag diag = { 0 };
    int32_t tenant = pg_fixture_tenant(fixture, table);
    const char *columns[] = { column };
    int64_t n = 0;
    enum emt_err err = store_begin(s, 0);

    ck_assert_int_eq(err, EMT_OK);
    err = archive_copy_in(s, archive_catalogue_find(&c, table), columns, 1, "", &tenant, source,
                          &text, &n, &diag);
    store_rollback(s);
    archive_catalogue_release(&c);
    return err;
}

START_TEST(what_does_not_fit_is_refused)
{
    struct store *s = pg_fixture_store(fixture, STORE_OWNER);

    ck_assert_int_eq(copy_in(s, "gateway", "external_id", take, "one\ntwo\n"), EMT_OK);
    ck_assert_int_eq(copy_in(s, "device", "no_such", take, ""), EMT_EUNSUPPORTED);
    ck_assert_int_eq(copy_in(s, "channel", "tenant_id", take, "1\n"), EMT_EUNSUPPORTED);
    ck_assert_int_eq(copy_in(s, "event", "kind\" from event; drop table event; --", take, ""),
                     EMT_EUNSUPPORTED);
    ck_assert_int_eq(copy_in(s, "job", "kind", take, "x\n"), EMT_EUNSUPPORTED);
    ck_assert_int_eq(copy_in(s, "location", "code", broken, ""), EMT_EIO);
    ck_assert_int_eq(copy_in(s, "reading", "mantissa", take, "1\ttwo\n"), EMT_EMALFORMED);
    /* The connection is of use afterwards. */
    ck_assert_int_eq(copy_in(s, "mandate", "recipient", take, ""), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(a_number_near_the_end_is_refused)
{
    struct store *s = pg_fixture_store(fixture, STORE_OWNER);
    int32_t tenant = pg_fixture_tenant(fixture, "far");
    struct emt_diag diag = { 0 };
    char sql[200];

    (void)snprintf(sql, sizeof sql,
                   "delete from registry_version where tenant_id = %d; insert into gateway"
                   " (tenant_id, gateway_id, external_id) values (%d, 9223372036854775807, 'g')",
                   (int)tenant, (int)tenant);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(archive_settle(s, tenant, "far", &diag), EMT_ELIMIT);
    store_rollback(s);
    ck_assert_int_eq(archive_partitions(s, "reading", 0, INT64_C(41) * 366 * EMT_DAY, &diag),
                     EMT_ELIMIT);
    store_close(s);
}
END_TEST

/* The archive's numbers of users are others' here: whose key it is the names say. */
START_TEST(keys_that_come_in_are_their_makers_and_nobody_elses)
{
    struct store *s = pg_fixture_store(fixture, STORE_OWNER);
    int32_t tenant = pg_fixture_tenant(fixture, "moved");
    struct emt_diag diag = { 0 };
    bool joined = false;
    char sql[900];

    (void)snprintf(
        sql, sizeof sql,
        "delete from registry_version where tenant_id = %d;"
        "insert into platform_user (id, name, password_hash, role) values (77, 'stranger', 'x', 2);"
        "insert into api_key (tenant_id, key_id, name, hash, role, created_by, user_id) values"
        " (%d, 5, 'a', 'moved-a', 4, 'user:mia', 77), (%d, 6, 'b', 'moved-b', 0, 'key:5 a', 77),"
        " (%d, 7, 'c', 'moved-c', 0, 'user:left behind', 77)",
        (int)tenant, (int)tenant, (int)tenant, (int)tenant);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_msg(archive_settle(s, tenant, "was", &diag) == EMT_OK, "%s", diag.text);
    ck_assert_int_eq(archive_user_add(s, tenant, "mia", "", "x", 4, false, &joined), EMT_OK);
    ck_assert(joined);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    (void)snprintf(sql, sizeof sql,
                   "select count(*) from api_key k left join platform_user u on u.id = k.user_id"
                   " where k.tenant_id = %d and coalesce(u.name, '') ="
                   " case when k.key_id < 7 then 'mia' else '' end",
                   (int)tenant);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 3);
    store_close(s);
}
END_TEST

START_TEST(removal_leaves_nothing_of_one_and_all_of_another)
{
    struct store *s = pg_fixture_store(fixture, STORE_OWNER);
    int32_t one = pg_fixture_tenant(fixture, "going"), two = pg_fixture_tenant(fixture, "staying");
    struct archive_catalogue c = load(s);
    struct emt_diag diag = { 0 };
    const char *table = NULL;
    int64_t left = 0, n = 0;
    char sql[600];

    (void)snprintf(
        sql, sizeof sql,
        "insert into gateway (tenant_id, external_id) values (%d, 'g'), (%d, 'g');"
        "insert into reading select 7, date_trunc('month', now()) + i * interval '1 s', 1,"
        " t, 0, 0 from generate_series(1, 30000) i, unnest(array[%d, %d]) t;"
        "insert into audit (tenant_id, actor, action, object) values (%d, 'a', 'b', 'c')",
        (int)one, (int)two, (int)one, (int)two, (int)one);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(archive_remaining(s, &c, one, &left, &table, &diag), EMT_OK);
    ck_assert_int_ge(left, 30003);
    /* Its row cannot go before the others. */
    ck_assert_int_eq(archive_remove_tenant(s, one), EMT_ECONFLICT);
    for (size_t i = c.n; i-- > 0;) {
        int batches = 0;

        for (n = 1; n > 0; batches++)
            ck_assert_msg(archive_remove_some(s, &c.tables[i], one, &n, &diag) == EMT_OK, "%s",
                          diag.text);
        if (strcmp(c.tables[i].name, "reading") == 0)
            ck_assert_int_eq(batches, 3); /* 20,000, the rest, nothing */
    }
    ck_assert_int_eq(archive_remaining(s, &c, one, &left, NULL, &diag), EMT_OK);
    ck_assert_int_eq(left, 0);
    ck_assert_int_eq(archive_remove_tenant(s, one), EMT_OK);
    ck_assert_int_eq(archive_remove_tenant(s, one), EMT_ENOTFOUND);
    ck_assert_int_eq(archive_remaining(s, &c, two, &left, NULL, &diag), EMT_OK);
    ck_assert_int_ge(left, 30002);
    archive_catalogue_release(&c);
    store_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tenant_archive_store");
    TCase *tc = tcase_create("tenant");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_refers_stands_behind_what_it_refers_to);
    tcase_add_test(tc, every_wrapped_column_is_wrapped_anew);
    tcase_add_test(tc, what_does_not_fit_is_refused);
    tcase_add_test(tc, a_number_near_the_end_is_refused);
    tcase_add_test(tc, keys_that_come_in_are_their_makers_and_nobody_elses);
    tcase_add_test(tc, removal_leaves_nothing_of_one_and_all_of_another);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(fixture);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
