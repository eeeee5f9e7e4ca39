/* A throw-away PostgreSQL for tests: a cluster of its own under /tmp, reached through a socket
 * only, with roles, database "emt" and all migrations applied. Stopped and removed when the program
 * ends, also after a failing test.
 *
 * Use: pg_fixture_start() once in main(), before srunner_run_all(); tests share the database and
 * keep apart by tenants of their own. */
#ifndef EMT_TESTS_PG_FIXTURE_H
#define EMT_TESTS_PG_FIXTURE_H

#include "store/store.h"

struct pg_fixture;

/* Prints why and ends the program: with 77 (ctest: skipped) where no PostgreSQL server is
 * installed, with 1 when it does not start. */
struct pg_fixture *pg_fixture_start(void);
/* The same without database, roles and migrations, for tests of those. */
struct pg_fixture *pg_fixture_start_empty(void);
void pg_fixture_stop(struct pg_fixture *f);

/* For store_open(), without user. */
const char *pg_fixture_conninfo(const struct pg_fixture *f);
/* One or more statements as superuser, in database "emt"; ends the test when they fail. */
void pg_fixture_sql(struct pg_fixture *f, const char *sql);
/* First column of the first row as a number, as superuser; -1 for NULL or no row. */
int64_t pg_fixture_number(struct pg_fixture *f, const char *sql);
/* A fresh tenant with its registry_version row; key must be unused. */
int32_t pg_fixture_tenant(struct pg_fixture *f, const char *key);
/* An open store; ends the test when it fails. */
struct store *pg_fixture_store(struct pg_fixture *f, enum store_role role);

/* kill -9 of the whole server, and its start again. Only in the process that started the fixture:
 * set srunner_set_fork_status(sr, CK_NOFORK). */
void pg_fixture_crash(struct pg_fixture *f);
void pg_fixture_restart(struct pg_fixture *f);

#endif
