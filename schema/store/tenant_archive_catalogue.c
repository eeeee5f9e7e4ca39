#include "tenant_archive_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* clang-format off */
/* Not as tables: the data keys travel under the transport key; users are the platform's; directory and registry version follow from
 * the rest; jobs, their results and answers kept for a day end with the installation. */
static const char *const left_out[] = { "tenant_key", "membership", "directory", "registry_version", "job", "idempotency",
                                        "replay_difference" };
/* Linked and signed over the tenant's number and with the platform's key: entries are linked anew where they come in. */
static const char *const evidence[] = { "audit_head", "audit_anchor" };

static const struct {
    const char *table, *column;
} partitioned[] = { { "reading", "ts" }, { "raw_frame", "stored_at" }, { "reading_block", "span_start" } };
/* clang-format on */

/* ---- statements made of names of the catalogue ---- */

enum emt_err archive_run_text(struct store *s, struct writer *sql, ExecStatusType want,
                              PGresult **out, struct emt_diag *diag)
{
    enum emt_err err = store_leave_pipeline(s);
    PGresult *res;

    if (err == EMT_OK && sql->failed)
        err = EMT_ENOMEM;
    if (err != EMT_OK)
        return emt_fail(diag, err, "the statement cannot be sent");
    res = PQexec(s->conn, writer_cstr(sql));
    if (PQresultStatus(res) != want) {
        err = store_judge(s, res);
        if (err == EMT_OK)
            err = EMT_EDB;
        PQclear(res);
        return emt_fail(diag, err, "%s", store_error(s));
    }
    if (out != NULL)
        *out = res;
    else
        PQclear(res);
    return EMT_OK;
}

void archive_put_name(struct writer *w, const char *name)
{
    writer_u8(w, '"');
    for (; *name; name++) {
        if (*name == '"')
            writer_u8(w, '"');
        writer_u8(w, (uint8_t)*name);
    }
    writer_u8(w, '"');
}

int64_t archive_number(const PGresult *res, int row, int col)
{
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

enum emt_err archive_run_tenant(struct store *s, const struct store_statement *st, int32_t tenant,
                                struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, st, &p, out);
}

/* ---- the catalogue ---- */

static const char catalogue_sql[] =
    "with recursive t as ("
    " select c.oid, c.relname from pg_class c where c.relnamespace = 'public'::regnamespace"
    "  and c.relkind in ('r', 'p') and not c.relispartition"
    "  and (c.relname = 'tenant' or exists (select from pg_attribute a where a.attrelid = c.oid"
    "   and a.attname = 'tenant_id' and not a.attisdropped))"
    "), f as ("
    " select distinct conrelid as child, confrelid as parent from pg_constraint"
    " where contype = 'f' and conrelid <> confrelid"
    "  and conrelid in (select oid from t) and confrelid in (select oid from t)"
    "), d as ("
    " select oid, case when relname = 'tenant' then 0 else 1 end as depth from t"
    " union select f.child, d.depth + 1 from d join f on f.parent = d.oid where d.depth < 64"
    "), o as (select oid, max(depth) as depth from d group by oid)"
    " select t.relname, a.attname from o join t using (oid)"
    " join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped"
    "  and a.attgenerated = '' and a.attname <> 'tenant_id'"
    "  and not (t.relname = 'tenant' and a.attname in ('id', 'key', 'state'))"
    " order by o.depth, t.relname, a.attnum";

static enum archive_use use_of(const char *table)
{
    for (size_t i = 0; i < COUNT(left_out); i++)
        if (strcmp(table, left_out[i]) == 0)
            return ARCHIVE_LEFT_OUT;
    for (size_t i = 0; i < COUNT(evidence); i++)
        if (strcmp(table, evidence[i]) == 0)
            return ARCHIVE_EVIDENCE;
    return ARCHIVE_ROWS;
}

static bool take_column(struct archive_catalogue *c, const char *table, const char *column)
{
    struct archive_table *t = c->n > 0 ? &c->tables[c->n - 1] : NULL;

    if (t == NULL || strcmp(t->name, table) != 0) {
        if (c->n == ARCHIVE_TABLES_MAX)
            return false;
        t = &c->tables[c->n++];
        (void)snprintf(t->name, sizeof t->name, "%s", table);
        t->use = use_of(table);
    }
    if (t->ncolumns == ARCHIVE_COLUMNS_MAX)
        return false;
    (void)snprintf(t->columns[t->ncolumns++], ARCHIVE_NAME_MAX, "%s", column);
    return true;
}

enum emt_err archive_catalogue_load(struct store *s, struct archive_catalogue *out,
                                    struct emt_diag *diag)
{
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    *out = (struct archive_catalogue){ 0, calloc(ARCHIVE_TABLES_MAX, sizeof *out->tables) };
    if (out->tables == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, catalogue_sql);
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    writer_release(&sql);
    for (int i = 0; err == EMT_OK && i < PQntuples(res); i++)
        if (!take_column(out, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1)))
            err = emt_fail(diag, EMT_ELIMIT, "too many tables or columns");
    PQclear(res);
    if (err != EMT_OK)
        archive_catalogue_release(out);
    return err;
}

void archive_catalogue_release(struct archive_catalogue *c)
{
    free(c->tables);
    *c = (struct archive_catalogue){ 0, NULL };
}

const struct archive_table *archive_catalogue_find(const struct archive_catalogue *c,
                                                   const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->tables[i].name, name) == 0)
            return &c->tables[i];
    return NULL;
}

bool archive_is_tenant(const struct archive_table *t)
{
    return strcmp(t->name, "tenant") == 0;
}

const char *archive_partition_column(const char *table)
{
    for (size_t i = 0; i < COUNT(partitioned); i++)
        if (strcmp(partitioned[i].table, table) == 0)
            return partitioned[i].column;
    return NULL;
}
