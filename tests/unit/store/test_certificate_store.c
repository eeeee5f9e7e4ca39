/* Imported certificates: who may have them, and whether they were seen. */
#include "base/cipher.h"
#include "pg_fixture.h"
#include "store/certificate_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pg_fixture *fixture;
static struct store *app;
static int32_t first, second;

/* What: "count(*) from table where …" */
static int64_t number(const char *what, int32_t tenant)
{
    char text[600];

    snprintf(text, sizeof text, "select %s and tenant_id = %d", what, tenant);
    return pg_fixture_number(fixture, text);
}

static void setup(void)
{
    static int round;
    char text[600];

    snprintf(text, sizeof text, "c%d-%d", (int)getpid(), round);
    first = pg_fixture_tenant(fixture, text);
    snprintf(text, sizeof text, "d%d-%d", (int)getpid(), round++);
    second = pg_fixture_tenant(fixture, text);
    snprintf(
        text, sizeof text,
        "insert into gateway (tenant_id, external_id, state) values (%d, 'gw', 0), (%d, 'gw', 0)",
        first, second);
    pg_fixture_sql(fixture, text);
    app = pg_fixture_store(fixture, STORE_APP);
}

static void teardown(void)
{
    store_close(app);
}

/* Pins a certificate of this name for the tenant's gateway. */
static enum emt_err pin(int32_t tenant, const char *name, bool proven, int64_t *id)
{
    struct import_row row = {
        .purpose = "logger",
        .pinned = true,
        .name = name,
        .subject = "CN=x",
        .serial = "01",
        .not_before = 0,
        .not_after = INT64_C(4102444800000000),
        .pem = "x",
        .gateway = number("gateway_id from gateway where true", tenant),
        .proven = proven,
    };

    cipher_sha256(name, strlen(name), row.fingerprint);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    enum emt_err err = import_insert(app, tenant, &row, id);
    if (err == EMT_OK)
        ck_assert_int_eq(store_commit(app), EMT_OK);
    else
        store_rollback(app);
    return err;
}

#define COUNTS "count(*) from gateway_certificate where revoked_at is null"

START_TEST(whoever_pins_first_has_it_until_the_key_is_proven)
{
    int64_t id = 0;

    ck_assert_int_eq(pin(first, "a", false, &id), EMT_OK);
    ck_assert_int_eq(pin(second, "a", false, &id), EMT_ECONFLICT);
    ck_assert_int_eq(number(COUNTS, first), 1);
    ck_assert_int_eq(pin(second, "a", true, &id), EMT_OK);
    ck_assert_int_eq(number(COUNTS, first), 0);
    ck_assert_int_eq(number(COUNTS, second), 1);
    ck_assert_int_eq(number("count(*) from imported_certificate where true", first), 0);
    ck_assert_int_eq(
        number("count(*) from event where severity = 2 and kind = 'certificate-taken'", first), 1);
    ck_assert_int_eq(number("count(*) from directory where kind = 1", second), 1);
    /* Nobody takes a proven one, proven or not. */
    ck_assert_int_eq(pin(first, "a", true, &id), EMT_ECONFLICT);
    ck_assert_int_eq(pin(first, "a", false, &id), EMT_ECONFLICT);
    ck_assert_int_eq(number(COUNTS, second), 1);
}
END_TEST

START_TEST(a_session_under_way_is_fenced_when_its_certificate_is_taken)
{
    char sql[900];
    int64_t id = 0;

    ck_assert_int_eq(pin(first, "s", false, &id), EMT_OK);
    snprintf(
        sql, sizeof sql,
        "insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since, peer,"
        " fingerprint, tls) select g.tenant_id, g.gateway_id, 1, 7, 0, now(), '::1', sha256('s'), ''"
        " from gateway g where g.tenant_id = %d;"
        "insert into gateway_cursor (tenant_id, gateway_id, spool_id, epoch, last_seq, updated_at)"
        " select g.tenant_id, g.gateway_id, decode(repeat('01', 16), 'hex'), 7, 0, now() from gateway g where g.tenant_id = %d",
        first, first);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(pin(second, "s", true, &id), EMT_OK);
    ck_assert_int_eq(number("epoch from gateway_cursor where true", first), 8);
    ck_assert_int_eq(number("epoch from gateway_session where state = 1", first), 8);
}
END_TEST

START_TEST(a_certificate_of_our_own_is_nobodys_to_take)
{
    char sql[600];
    int64_t id = 0;

    snprintf(
        sql, sizeof sql,
        "insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial, not_before,"
        " not_after) select tenant_id, sha256('own'), gateway_id, '1', now(), now() + interval '1 day'"
        " from gateway where tenant_id = %d;"
        "insert into directory (kind, key, tenant_id, row_id) values (1, sha256('own'), %d, 1)",
        first, first);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(pin(second, "own", true, &id), EMT_ECONFLICT);
    ck_assert_int_eq(number(COUNTS, first), 1);
}
END_TEST

static int listed(const struct gateway_certificate_filter *f, const char *cursor, int limit,
                  char last[96])
{
    struct store_result *r = NULL;

    ck_assert_int_eq(store_begin(app, first), EMT_OK);
    ck_assert_int_eq(gateway_certificate_list(app, first, f, cursor, limit, &r), EMT_OK);
    int n = store_rows(r);
    if (n > 0)
        snprintf(last, 96, "%s", c_text(r, n - 1, 0));
    store_result_free(r);
    store_rollback(app);
    return n;
}

START_TEST(certificates_are_listed_by_their_end)
{
    struct gateway_certificate_filter f = { NULL, GATEWAY_CERTIFICATE_ANY,
                                            GATEWAY_CERTIFICATE_ANY };
    char sql[900], last[96] = "", again[96] = "";

    snprintf(
        sql, sizeof sql,
        "insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial, not_before,"
        " not_after, revoked_at) select g.tenant_id, sha256(i::text::bytea), g.gateway_id, i::text,"
        " now(), now() + make_interval(days => i * 20 - 30), case when i = 5 then now() end"
        " from gateway g, generate_series(1, 6) i where g.tenant_id = %d",
        first);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(listed(&f, "", 10, last), 6);
    ck_assert_int_eq(listed(&f, "", 4, last), 4);
    ck_assert_int_eq(listed(&f, last, 10, again), 2);
    ck_assert_int_gt(strcmp(again, last), 0);
    ck_assert_int_eq(listed(&f, again, 10, last), 0);
    f.state = 0;
    ck_assert_int_eq(listed(&f, "", 10, last), 4);
    f.ends_within_days = 30;
    ck_assert_int_eq(listed(&f, "", 10, last), 2);
    f = (struct gateway_certificate_filter){ "gw", 1, GATEWAY_CERTIFICATE_ANY };
    ck_assert_int_eq(listed(&f, "", 10, last), 1);
    f.gateway = "another";
    ck_assert_int_eq(listed(&f, "", 10, last), 0);
}
END_TEST

int main(void)
{
    fixture = pg_fixture_start();
    Suite *s = suite_create("certificate");
    TCase *t = tcase_create("certificate");
    SRunner *sr = srunner_create(s);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, whoever_pins_first_has_it_until_the_key_is_proven);
    tcase_add_test(t, a_session_under_way_is_fenced_when_its_certificate_is_taken);
    tcase_add_test(t, a_certificate_of_our_own_is_nobodys_to_take);
    tcase_add_test(t, certificates_are_listed_by_their_end);
    suite_add_tcase(s, t);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    pg_fixture_stop(fixture);
    return failed == 0 ? 0 : 1;
}
