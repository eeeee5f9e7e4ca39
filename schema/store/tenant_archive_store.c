#include "tenant_archive_internal.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { KEYS, USERS };

/* clang-format off */
static const struct store_statement statements[] = {
    [KEYS] = { "archive_keys", 1,
        "select version, blob from tenant_key where tenant_id = $1 order by version" },
    [USERS] = { "archive_users", 1,
        "select u.name, u.display_name, u.password_hash, m.role from membership m"
        " join platform_user u on u.id = m.user_id where m.tenant_id = $1 order by u.name" },
};

/* What a column says in an archive where that is not what it says in the table. */
static const struct {
    const char *table, *column, *expression;
} spoken[] = {
    /* A connection ends with its installation; the epoch goes on to rise, because cursors are fenced by it. */
    { "gateway_session", "node_id", "0" },
    { "gateway_session", "state", "case when state = 0 then 1 else state end" },
    { "gateway_session", "ended_at", "coalesce(ended_at, since)" },
    { "gateway_session", "reason", "case when state = 0 then 'moved' else reason end" },
    { "tenant_ca", "foreign_root", "true" },
    /* Whether it went out is known only where its job was. */
    { "delivery", "state", "case when state < 2 then 4 else state end" },
};

static const struct {
    const char *table, *order;
} orders[] = {
    { "raw_frame", "stored_at, gateway_id, spool_id, seq" },
};
/* clang-format on */

const struct store_statement *tenant_archive_store_statements(size_t *n)
{
    *n = COUNT(statements);
    return statements;
}

enum emt_err archive_snapshot(struct store *s, struct emt_diag *diag)
{
    return store_script(s, "begin isolation level repeatable read, read only", diag);
}

static void put_spoken(struct writer *w, const char *table, const char *column)
{
    for (size_t i = 0; i < COUNT(spoken); i++) {
        if (strcmp(spoken[i].table, table) == 0 && strcmp(spoken[i].column, column) == 0) {
            writer_text(w, spoken[i].expression);
            return;
        }
    }
    archive_put_name(w, column);
}

/* The same rows in the same order give the same bytes. Without a key the rows' text decides. */
static enum emt_err put_order(struct store *s, struct writer *w, const char *table,
                              struct emt_diag *diag)
{
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    for (size_t i = 0; i < COUNT(orders); i++) {
        if (strcmp(orders[i].table, table) == 0) {
            writer_text(w, orders[i].order);
            return EMT_OK;
        }
    }
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_printf(&sql,
                  "select quote_ident(a.attname) from pg_index i"
                  " join unnest(i.indkey::int2[]) with ordinality k (attnum, place) on true"
                  " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"
                  " where i.indisprimary and i.indrelid = 'public.%s'::regclass order by k.place",
                  table);
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    writer_release(&sql);
    for (int i = 0; err == EMT_OK && i < PQntuples(res); i++)
        writer_printf(w, "%s%s", i > 0 ? ", " : "", PQgetvalue(res, i, 0));
    if (err == EMT_OK && PQntuples(res) == 0) {
        archive_put_name(w, table);
        writer_text(w, "::text");
    }
    PQclear(res);
    return err;
}

static enum emt_err drain_copy(struct store *s, archive_sink *sink, void *ctx)
{
    enum emt_err err = EMT_OK;
    char *p = NULL;
    int n;

    while ((n = PQgetCopyData(s->conn, &p, 0)) > 0) {
        if (err == EMT_OK)
            err = sink(ctx, p, (size_t)n);
        PQfreemem(p);
    }
    return err == EMT_OK && n == -2 ? EMT_EDB : err;
}

enum emt_err archive_copy_out(struct store *s, const struct archive_table *t, int32_t tenant,
                              archive_sink *sink, void *ctx, int64_t *rows, struct emt_diag *diag)
{
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err, end;

    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, "copy (select ");
    for (size_t i = 0; i < t->ncolumns; i++) {
        writer_text(&sql, i > 0 ? ", " : "");
        put_spoken(&sql, t->name, t->columns[i]);
    }
    writer_text(&sql, " from ");
    archive_put_name(&sql, t->name);
    writer_printf(&sql, " where %s = %d order by ", archive_is_tenant(t) ? "id" : "tenant_id",
                  (int)tenant);
    err = put_order(s, &sql, t->name, diag);
    writer_text(&sql, ") to stdout");
    if (err == EMT_OK)
        err = archive_run_text(s, &sql, PGRES_COPY_OUT, &res, diag);
    writer_release(&sql);
    PQclear(res);
    if (err != EMT_OK)
        return err;
    err = drain_copy(s, sink, ctx);
    res = PQgetResult(s->conn);
    *rows = strtoll(PQcmdTuples(res), NULL, 10);
    end = store_judge(s, res);
    PQclear(res);
    while ((res = PQgetResult(s->conn)) != NULL)
        PQclear(res);
    return err != EMT_OK   ? emt_fail(diag, err, "%s: the copy cannot be written", t->name)
           : end != EMT_OK ? emt_fail(diag, end, "%s: %s", t->name, store_error(s))
                           : EMT_OK;
}

enum emt_err archive_span(struct store *s, const char *table, int32_t tenant, emt_time *from,
                          emt_time *to, struct emt_diag *diag)
{
    const char *column = archive_partition_column(table);
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    *from = *to = EMT_TIME_NONE;
    if (column == NULL)
        return EMT_OK;
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_printf(&sql,
                  "select (extract(epoch from min(%s)) * 1000000)::int8,"
                  " (extract(epoch from max(%s)) * 1000000)::int8 from %s where tenant_id = %d",
                  column, column, table, (int)tenant);
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    writer_release(&sql);
    if (err == EMT_OK && !PQgetisnull(res, 0, 0)) {
        *from = archive_number(res, 0, 0);
        *to = archive_number(res, 0, 1);
    }
    PQclear(res);
    return err;
}

enum emt_err archive_keys(struct store *s, int32_t tenant, struct store_result **out)
{
    return archive_run_tenant(s, &statements[KEYS], tenant, out);
}

enum emt_err archive_users(struct store *s, int32_t tenant, struct store_result **out)
{
    return archive_run_tenant(s, &statements[USERS], tenant, out);
}
