/* Every statement of every aggregate prepares against a freshly migrated database, and no two share
 * a name. */
#include "pg_fixture.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGGREGATE(name) const struct store_statement *name##_statements(size_t *n);
#include "aggregates.def"
#undef AGGREGATE

static const struct {
    const char *name;
    const struct store_statement *(*statements)(size_t *n);
} aggregates[] = {
#define AGGREGATE(name) { #name, name##_statements },
#include "aggregates.def"
#undef AGGREGATE
    { NULL, NULL }
};

static struct pg_fixture *fixture;

static bool prepares(PGconn *c, const char *aggregate, const struct store_statement *st)
{
    PGresult *r = PQprepare(c, st->name, st->sql, 0, NULL);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

    if (!ok)
        fprintf(stderr, "%s: %s: %s", aggregate, st->name, PQerrorMessage(c));
    PQclear(r);
    if (!ok)
        return false;
    r = PQdescribePrepared(c, st->name);
    if (PQnparams(r) != st->nparams) {
        fprintf(stderr, "%s: %s: %d parameters, the table says %d\n", aggregate, st->name,
                PQnparams(r), st->nparams);
        ok = false;
    }
    PQclear(r);
    return ok;
}

START_TEST(every_statement_prepares)
{
    char conninfo[200];
    unsigned failed = 0;
    PGconn *c;

    snprintf(conninfo, sizeof conninfo, "%s user=postgres", pg_fixture_conninfo(fixture));
    c = PQconnectdb(conninfo);
    ck_assert_int_eq(PQstatus(c), CONNECTION_OK);
    for (size_t i = 0; aggregates[i].name; i++) {
        size_t n = 0;
        const struct store_statement *st = aggregates[i].statements(&n);

        ck_assert_uint_gt(n, 0);
        for (size_t k = 0; k < n; k++)
            failed += !prepares(c, aggregates[i].name, &st[k]);
    }
    PQfinish(c);
    ck_assert_uint_eq(failed, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store_statements");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    tcase_add_test(t, every_statement_prepares);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
