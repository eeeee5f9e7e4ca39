#include "tenant_archive_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define REMOVE_AT_ONCE "20000"

enum { BUSY, JOBS_STOP, JOBS_DROP, DESTROY_KEYS, REMOVE_TENANT };

/* clang-format off */
static const struct store_statement statements[] = {
    [BUSY] = { "archive_busy", 1,
        "select (select count(*) from gateway_session where tenant_id = $1 and state = 0)"
        " + (select count(*) from job where tenant_id = $1 and state = 1 and lease_until > now())" },
    [JOBS_STOP] = { "archive_jobs_stop", 1, "update job set cancel = true where tenant_id = $1 and state = 1" },
    [JOBS_DROP] = { "archive_jobs_drop", 1, "delete from job where tenant_id = $1 and state <> 1" },
    [DESTROY_KEYS] = { "archive_destroy_keys", 1, "delete from tenant_key where tenant_id = $1" },
    [REMOVE_TENANT] = { "archive_remove_tenant", 1, "delete from tenant where id = $1" },
};
/* clang-format on */

const struct store_statement *tenant_archive_removal_store_statements(size_t *n)
{
    *n = COUNT(statements);
    return statements;
}

enum emt_err archive_busy(struct store *s, int32_t tenant, int64_t *busy)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run_number(s, &statements[BUSY], &p, busy);
}

enum emt_err archive_cancel_jobs(struct store *s, int32_t tenant)
{
    enum emt_err err = archive_run_tenant(s, &statements[JOBS_STOP], tenant, NULL);

    return err == EMT_OK ? archive_run_tenant(s, &statements[JOBS_DROP], tenant, NULL) : err;
}

static enum emt_err run_counted(struct store *s, const struct store_statement *st, int32_t tenant,
                                int64_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = archive_run_tenant(s, st, tenant, &r);

    if (err == EMT_OK)
        *n = store_affected(r);
    store_result_free(r);
    return err;
}

enum emt_err archive_destroy_keys(struct store *s, int32_t tenant, int64_t *n)
{
    return run_counted(s, &statements[DESTROY_KEYS], tenant, n);
}

/* One leaf with rows of the tenant: rows are addressed by their place, which is a leaf's. */
static enum emt_err find_leaf(struct store *s, const char *table, int32_t tenant, char *leaf,
                              size_t size, struct emt_diag *diag)
{
    PGresult *res = NULL, *any = NULL;
    struct writer sql;
    enum emt_err err;

    *leaf = '\0';
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_printf(&sql,
                  "select relid::regclass::text from pg_partition_tree('public.%s') where isleaf"
                  " union select 'public.%s' where not exists"
                  " (select from pg_partitioned_table where partrelid = 'public.%s'::regclass)",
                  table, table, table);
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    for (int i = 0; err == EMT_OK && *leaf == '\0' && i < PQntuples(res); i++) {
        writer_clear(&sql);
        writer_printf(&sql, "select exists (select from %s where tenant_id = %d)",
                      PQgetvalue(res, i, 0), (int)tenant);
        err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &any, diag);
        if (err == EMT_OK && *PQgetvalue(any, 0, 0) == 't')
            (void)snprintf(leaf, size, "%s", PQgetvalue(res, i, 0));
        PQclear(any);
        any = NULL;
    }
    PQclear(res);
    writer_release(&sql);
    return err;
}

enum emt_err archive_remove_some(struct store *s, const struct archive_table *t, int32_t tenant,
                                 int64_t *n, struct emt_diag *diag)
{
    char leaf[256];
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    *n = 0;
    if (archive_is_tenant(t))
        return EMT_OK;
    err = find_leaf(s, t->name, tenant, leaf, sizeof leaf, diag);
    if (err != EMT_OK || *leaf == '\0')
        return err;
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_printf(&sql,
                  "delete from %s where ctid = any (array(select ctid from %s where tenant_id = %d"
                  " limit " REMOVE_AT_ONCE "))",
                  leaf, leaf, (int)tenant);
    err = archive_run_text(s, &sql, PGRES_COMMAND_OK, &res, diag);
    if (err == EMT_OK)
        *n = strtoll(PQcmdTuples(res), NULL, 10);
    PQclear(res);
    writer_release(&sql);
    return err;
}

enum emt_err archive_remaining(struct store *s, const struct archive_catalogue *c, int32_t tenant,
                               int64_t *rows, const char **table, struct emt_diag *diag)
{
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err = EMT_OK;

    *rows = 0;
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    for (size_t i = 0; err == EMT_OK && i < c->n; i++) {
        if (archive_is_tenant(&c->tables[i]))
            continue;
        writer_clear(&sql);
        writer_text(&sql, "select count(*) from ");
        archive_put_name(&sql, c->tables[i].name);
        writer_printf(&sql, " where tenant_id = %d", (int)tenant);
        err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
        if (err == EMT_OK && archive_number(res, 0, 0) > 0) {
            *rows += archive_number(res, 0, 0);
            if (table != NULL)
                *table = c->tables[i].name;
        }
        PQclear(res);
        res = NULL;
    }
    writer_release(&sql);
    return err;
}

enum emt_err archive_remove_tenant(struct store *s, int32_t tenant)
{
    int64_t n = 0;
    enum emt_err err = run_counted(s, &statements[REMOVE_TENANT], tenant, &n);

    return err == EMT_OK && n != 1 ? EMT_ENOTFOUND : err;
}
