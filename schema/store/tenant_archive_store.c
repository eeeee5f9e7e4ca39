#include "store/tenant_archive_store.h"

#include "base/cipher.h"
#include "base/writer.h"
#include "store_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SQL_MAX ((size_t)64 << 10)
#define CHUNK ((size_t)64 << 10)
#define REMOVE_AT_ONCE "20000"
#define REWRAP_AT_ONCE "500"
#define SPAN_MAX (INT64_C(14610) * EMT_DAY) /* 40 years */
#define ID_MAX "4611686018427387904"        /* beyond, a sequence would soon be used up */

enum {
    KEYS,
    USERS,
    USER_INSERT,
    USER_FIND,
    MEMBER_INSERT,
    MAKERS_UNKNOWN,
    MAKER_KNOWN,
    REGISTRY,
    DIRECTORY,
    AUDIT_UNCHAIN,
    CERTIFICATE_NAME,
    BUSY,
    JOBS_STOP,
    JOBS_DROP,
    DESTROY_KEYS,
    REMOVE_TENANT
};

/* clang-format off */
static const struct store_statement statements[] = {
    [KEYS] = { "archive_keys", 1,
        "select version, blob from tenant_key where tenant_id = $1 order by version" },
    [USERS] = { "archive_users", 1,
        "select u.name, u.display_name, u.password_hash, m.role from membership m"
        " join platform_user u on u.id = m.user_id where m.tenant_id = $1 order by u.name" },
    /* Role 2: none but its memberships. */
    [USER_INSERT] = { "archive_user_insert", 3,
        "insert into platform_user (name, display_name, password_hash, role) values ($1, $2, $3, 2)"
        " on conflict (name) do nothing returning id" },
    [USER_FIND] = { "archive_user_find", 1, "select id from platform_user where name = $1" },
    [MEMBER_INSERT] = { "archive_member_insert", 3,
        "insert into membership (tenant_id, user_id, role) values ($1, $2, $3)" },
    /* Users have other numbers here: those of the archive are somebody else's, or nobody's. */
    [MAKERS_UNKNOWN] = { "archive_makers_unknown", 1,
        "update api_key set user_id = null where tenant_id = $1 and user_id is not null" },
    [MAKER_KNOWN] = { "archive_maker_known", 2,
        "with recursive own as ("
        " select k.key_id, k.name from api_key k join platform_user u on u.id = $2"
        " where k.tenant_id = $1 and k.created_by = 'user:' || u.name"
        " union select k.key_id, k.name from own o join api_key k on k.tenant_id = $1"
        "  and k.created_by = 'key:' || o.key_id || ' ' || o.name"
        ") update api_key k set user_id = $2 from own o where k.tenant_id = $1 and k.key_id = o.key_id" },
    [REGISTRY] = { "archive_registry", 1, "insert into registry_version (tenant_id) values ($1)" },
    [DIRECTORY] = { "archive_directory", 1,
        "insert into directory (kind, key, tenant_id, row_id)"
        " select 1, fingerprint, tenant_id, gateway_id from gateway_certificate where tenant_id = $1"
        " union all select 2, hash, tenant_id, key_id from api_key where tenant_id = $1 and revoked_at is null"
        " union all select 3, token_hash, tenant_id, enrolment_id from enrolment"
        "  where tenant_id = $1 and used_at is null and expires_at > now()" },
    [AUDIT_UNCHAIN] = { "archive_audit_unchain", 1,
        "update audit set chain_no = null, chain_hash = null where tenant_id = $1 and chain_no is not null" },
    [CERTIFICATE_NAME] = { "archive_certificate_name", 2,
        "update tenant set certificate_name = nullif(coalesce(certificate_name, $2), key) where id = $1" },
    [BUSY] = { "archive_busy", 1,
        "select (select count(*) from gateway_session where tenant_id = $1 and state = 0)"
        " + (select count(*) from job where tenant_id = $1 and state = 1 and lease_until > now())" },
    [JOBS_STOP] = { "archive_jobs_stop", 1, "update job set cancel = true where tenant_id = $1 and state = 1" },
    [JOBS_DROP] = { "archive_jobs_drop", 1, "delete from job where tenant_id = $1 and state <> 1" },
    [DESTROY_KEYS] = { "archive_destroy_keys", 1, "delete from tenant_key where tenant_id = $1" },
    [REMOVE_TENANT] = { "archive_remove_tenant", 1, "delete from tenant where id = $1" },
};

/* Not as tables: the data keys travel under the transport key; users are the platform's; directory and registry version follow from
 * the rest; jobs, their results and answers kept for a day end with the installation. */
static const char *const left_out[] = { "tenant_key", "membership", "directory", "registry_version", "job", "idempotency",
                                        "replay_difference" };
/* Linked and signed over the tenant's number and with the platform's key: entries are linked anew where they come in. */
static const char *const evidence[] = { "audit_head", "audit_anchor" };

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

static const struct {
    const char *table, *column;
} partitioned[] = { { "reading", "ts" }, { "raw_frame", "stored_at" }, { "reading_block", "span_start" } };

/* Where wrapped secrets stand; place, row and purpose as their writers bind them (base/seal.h). */
static const struct sealed {
    const char *table, *column, *place, *row, *purpose, *key;
} sealed[] = {
    { "tenant_ca", "key_blob", "tenant_ca", "generation::text", "'private-key'", "generation" },
    { "device_key", "blob", "device_key", "key_id::text", "'key'", "key_id" },
    { "device_key", "authentication_blob", "device_key", "key_id::text", "'authentication-key'", "key_id" },
    { "delivery_secret", "blob", "delivery_target", "target_id::text", "purpose", "target_id" },
    { "emt_certificate", "key_blob", "emt_certificate", "triple_id::text", "use", "triple_id" },
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

const struct store_statement *tenant_archive_store_statements(size_t *n)
{
    *n = COUNT(statements);
    return statements;
}

const char *const *archive_sealed_columns(void)
{
    static const char *const names[] = {
        "tenant_ca.key_blob",   "device_key.blob",          "device_key.authentication_blob",
        "delivery_secret.blob", "emt_certificate.key_blob", NULL
    };

    static_assert(COUNT(names) == COUNT(sealed) + 1, "every wrapped column is listed");
    return names;
}

/* ---- statements made of names of the catalogue ---- */

/* *out (may be NULL) is freed with PQclear(). */
static enum emt_err run_text(struct store *s, struct writer *sql, ExecStatusType want,
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

/* A quoted identifier. */
static void put_name(struct writer *w, const char *name)
{
    writer_u8(w, '"');
    for (; *name; name++) {
        if (*name == '"')
            writer_u8(w, '"');
        writer_u8(w, (uint8_t)*name);
    }
    writer_u8(w, '"');
}

static int64_t number_of(const PGresult *res, int row, int col)
{
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
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
    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, catalogue_sql);
    err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
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

static bool is_tenant(const struct archive_table *t)
{
    return strcmp(t->name, "tenant") == 0;
}

/* ---- out ---- */

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
    put_name(w, column);
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
    writer_init_heap(&sql, SQL_MAX);
    writer_printf(&sql,
                  "select quote_ident(a.attname) from pg_index i"
                  " join unnest(i.indkey::int2[]) with ordinality k (attnum, place) on true"
                  " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"
                  " where i.indisprimary and i.indrelid = 'public.%s'::regclass order by k.place",
                  table);
    err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    writer_release(&sql);
    for (int i = 0; err == EMT_OK && i < PQntuples(res); i++)
        writer_printf(w, "%s%s", i > 0 ? ", " : "", PQgetvalue(res, i, 0));
    if (err == EMT_OK && PQntuples(res) == 0) {
        put_name(w, table);
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

    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, "copy (select ");
    for (size_t i = 0; i < t->ncolumns; i++) {
        writer_text(&sql, i > 0 ? ", " : "");
        put_spoken(&sql, t->name, t->columns[i]);
    }
    writer_text(&sql, " from ");
    put_name(&sql, t->name);
    writer_printf(&sql, " where %s = %d order by ", is_tenant(t) ? "id" : "tenant_id", (int)tenant);
    err = put_order(s, &sql, t->name, diag);
    writer_text(&sql, ") to stdout");
    if (err == EMT_OK)
        err = run_text(s, &sql, PGRES_COPY_OUT, &res, diag);
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

static const char *partition_column(const char *table)
{
    for (size_t i = 0; i < COUNT(partitioned); i++)
        if (strcmp(partitioned[i].table, table) == 0)
            return partitioned[i].column;
    return NULL;
}

enum emt_err archive_span(struct store *s, const char *table, int32_t tenant, emt_time *from,
                          emt_time *to, struct emt_diag *diag)
{
    const char *column = partition_column(table);
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    *from = *to = EMT_TIME_NONE;
    if (column == NULL)
        return EMT_OK;
    writer_init_heap(&sql, SQL_MAX);
    writer_printf(&sql,
                  "select (extract(epoch from min(%s)) * 1000000)::int8,"
                  " (extract(epoch from max(%s)) * 1000000)::int8 from %s where tenant_id = %d",
                  column, column, table, (int)tenant);
    err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    writer_release(&sql);
    if (err == EMT_OK && !PQgetisnull(res, 0, 0)) {
        *from = number_of(res, 0, 0);
        *to = number_of(res, 0, 1);
    }
    PQclear(res);
    return err;
}

static enum emt_err run_tenant(struct store *s, const struct store_statement *st, int32_t tenant,
                               struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, st, &p, out);
}

enum emt_err archive_keys(struct store *s, int32_t tenant, struct store_result **out)
{
    return run_tenant(s, &statements[KEYS], tenant, out);
}

enum emt_err archive_users(struct store *s, int32_t tenant, struct store_result **out)
{
    return run_tenant(s, &statements[USERS], tenant, out);
}

/* ---- in ---- */

enum emt_err archive_partitions(struct store *s, const char *table, emt_time from, emt_time to,
                                struct emt_diag *diag)
{
    struct writer sql;
    enum emt_err err;

    if (partition_column(table) == NULL || from == EMT_TIME_NONE || to < from)
        return EMT_OK;
    if (to - from > SPAN_MAX)
        return emt_fail(diag, EMT_ELIMIT, "%s: a span of more than 40 years", table);
    writer_init_heap(&sql, SQL_MAX);
    if (strcmp(table, "reading") == 0)
        writer_printf(&sql,
                      "select partitions_ensure(now(), greatest(0, ceil((extract(epoch from now())"
                      " - %lld) / 86400))::int4)",
                      (long long)(from / EMT_SECOND));
    else
        writer_printf(&sql,
                      "select count(%s(to_timestamp(t))) from generate_series(%lld::int8,"
                      " %lld::int8 + 86400, 86400) t",
                      strcmp(table, "raw_frame") == 0 ? "raw_partition_ensure"
                                                      : "block_partition_ensure",
                      (long long)(from / EMT_SECOND), (long long)(to / EMT_SECOND));
    err = run_text(s, &sql, PGRES_TUPLES_OK, NULL, diag);
    writer_release(&sql);
    return err;
}

static bool has_column(const struct archive_table *t, const char *column)
{
    for (size_t i = 0; i < t->ncolumns; i++)
        if (strcmp(t->columns[i], column) == 0)
            return true;
    return false;
}

static void put_columns(struct writer *w, const char *const *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        writer_text(w, i > 0 ? ", " : "");
        put_name(w, columns[i]);
    }
}

/* COPY refuses tables with row level security, so rows come into a table that lives as long as the
 * transaction. */
static enum emt_err make_incoming(struct store *s, const struct archive_table *t,
                                  const char *const *columns, size_t n, struct emt_diag *diag)
{
    struct writer sql;
    enum emt_err err;

    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, "create temporary table incoming on commit drop as select ");
    put_columns(&sql, columns, n);
    writer_text(&sql, " from ");
    put_name(&sql, t->name);
    writer_text(&sql, " with no data");
    err = run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    writer_release(&sql);
    return err;
}

static enum emt_err feed(struct store *s, archive_source *source, void *ctx, struct emt_diag *diag)
{
    char *buf = malloc(CHUNK);
    enum emt_err err = buf != NULL ? EMT_OK : EMT_ENOMEM;
    size_t n = 1;
    PGresult *res;

    while (err == EMT_OK && n > 0) {
        err = source(ctx, buf, CHUNK, &n);
        if (err == EMT_OK && n > 0 && PQputCopyData(s->conn, buf, (int)n) != 1)
            err = store_break(s);
    }
    free(buf);
    if (PQputCopyEnd(s->conn, err == EMT_OK ? NULL : "the archive cannot be read") != 1)
        return emt_fail(diag, store_break(s), "%s", store_error(s));
    while ((res = PQgetResult(s->conn)) != NULL) {
        enum emt_err end = store_judge(s, res);

        PQclear(res);
        if (err == EMT_OK && end != EMT_OK)
            err = emt_fail(diag, EMT_EMALFORMED, "%s", store_error(s));
    }
    return err;
}

/* For "tenant" the number of the row made is returned. */
static enum emt_err move_incoming(struct store *s, const struct archive_table *t,
                                  const char *const *columns, size_t n, const char *key,
                                  int32_t *tenant, int64_t *rows, struct emt_diag *diag)
{
    char *quoted = PQescapeLiteral(s->conn, key, strlen(key));
    PGresult *res = NULL;
    struct writer sql;
    enum emt_err err;

    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, "insert into ");
    put_name(&sql, t->name);
    writer_printf(&sql, " (%s, ", is_tenant(t) ? "key" : "tenant_id");
    put_columns(&sql, columns, n);
    writer_text(&sql, ") overriding system value select ");
    if (is_tenant(t))
        writer_text(&sql, quoted != NULL ? quoted : "null");
    else
        writer_printf(&sql, "%d", (int)*tenant);
    writer_text(&sql, ", ");
    put_columns(&sql, columns, n);
    writer_printf(&sql, " from incoming%s", is_tenant(t) ? " returning id" : "");
    err = run_text(s, &sql, is_tenant(t) ? PGRES_TUPLES_OK : PGRES_COMMAND_OK, &res, diag);
    if (err == EMT_OK)
        *rows = strtoll(PQcmdTuples(res), NULL, 10);
    if (err == EMT_OK && is_tenant(t) && *rows == 1)
        *tenant = (int32_t)number_of(res, 0, 0);
    PQclear(res);
    PQfreemem(quoted);
    writer_clear(&sql);
    writer_text(&sql, "drop table incoming");
    if (err == EMT_OK)
        err = run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    writer_release(&sql);
    return err;
}

enum emt_err archive_copy_in(struct store *s, const struct archive_table *t,
                             const char *const *columns, size_t ncolumns, const char *key,
                             int32_t *tenant, archive_source *source, void *ctx, int64_t *rows,
                             struct emt_diag *diag)
{
    struct writer sql;
    PGresult *res = NULL;
    enum emt_err err;

    if (t->use != ARCHIVE_ROWS || ncolumns == 0)
        return emt_fail(diag, EMT_EUNSUPPORTED, "%s: not a table that comes in", t->name);
    for (size_t i = 0; i < ncolumns; i++)
        if (!has_column(t, columns[i]))
            return emt_fail(diag, EMT_EUNSUPPORTED, "%s has no column %s here", t->name,
                            columns[i]);
    err = make_incoming(s, t, columns, ncolumns, diag);
    if (err != EMT_OK)
        return err;
    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, "copy incoming from stdin");
    err = run_text(s, &sql, PGRES_COPY_IN, &res, diag);
    writer_release(&sql);
    PQclear(res);
    if (err == EMT_OK)
        err = feed(s, source, ctx, diag);
    return err == EMT_OK ? move_incoming(s, t, columns, ncolumns, key, tenant, rows, diag) : err;
}

/* ---- wrapped columns ---- */

static enum emt_err reseal(const PGresult *res, int row, int32_t old_tenant,
                           const struct seal_key *old_keys, size_t n_old, int32_t tenant,
                           const struct seal_key *key, const struct sealed *c, struct writer *out)
{
    struct seal_place was = { old_tenant, c->place, PQgetvalue(res, row, 0),
                              PQgetvalue(res, row, 1) };
    struct seal_place is = { tenant, c->place, was.row, was.purpose };
    size_t n = 0, len = 0, out_len = 0;
    uint8_t *blob = PQunescapeBytea((const unsigned char *)PQgetvalue(res, row, 2), &n);
    uint8_t *plain = malloc(n + SEAL_OVERHEAD);
    uint8_t *place;
    enum emt_err err = blob && plain ? EMT_EAUTH : EMT_ENOMEM;

    for (size_t i = 0; err == EMT_EAUTH && i < n_old; i++)
        if (old_keys[i].version == seal_version(blob, n))
            err = seal_unwrap(&old_keys[i], &was, blob, n, plain, &len);
    writer_clear(out);
    place = err == EMT_OK ? writer_reserve(out, len + SEAL_OVERHEAD) : NULL;
    if (err == EMT_OK && place == NULL)
        err = EMT_ENOMEM;
    if (err == EMT_OK)
        err = seal_wrap(key, &is, plain, len, place, &out_len);
    if (plain)
        cipher_wipe(plain, n + SEAL_OVERHEAD);
    free(plain);
    PQfreemem(blob);
    return err == EMT_EMALFORMED ? EMT_EAUTH : err;
}

static enum emt_err put_back(struct store *s, const struct sealed *c, int32_t tenant,
                             const char *row, const char *purpose, const struct writer *blob,
                             struct emt_diag *diag)
{
    char number[16];
    char sql[512];
    const char *values[4] = { number, row, purpose, (const char *)blob->data };
    const int lengths[4] = { 0, 0, 0, (int)blob->len };
    const int formats[4] = { 0, 0, 0, 1 };
    PGresult *res;
    enum emt_err err;

    (void)snprintf(number, sizeof number, "%d", (int)tenant);
    (void)snprintf(sql, sizeof sql,
                   "update %s set %s = $4::bytea where tenant_id = $1::int4 and %s = $2::text::int8"
                   " and %s = $3::text",
                   c->table, c->column, c->key, c->purpose);
    res = PQexecParams(s->conn, sql, 4, NULL, values, lengths, formats, 0);
    err = store_judge(s, res);
    PQclear(res);
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "%s: %s", c->table, store_error(s));
}

static enum emt_err rewrap_column(struct store *s, const struct sealed *c, int32_t old_tenant,
                                  const struct seal_key *old_keys, size_t n_old, int32_t tenant,
                                  const struct seal_key *key, struct emt_diag *diag)
{
    struct writer sql, blob;
    PGresult *res = NULL;
    int n = 1;
    enum emt_err err;

    writer_init_heap(&sql, SQL_MAX);
    writer_init_heap(&blob, (size_t)16 << 20);
    /* A cursor sees the rows as they were when it was opened. */
    writer_printf(&sql,
                  "declare wrapped insensitive no scroll cursor for select %s, %s, %s from %s"
                  " where tenant_id = %d and %s is not null",
                  c->row, c->purpose, c->column, c->table, (int)tenant, c->column);
    err = run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    while (err == EMT_OK && n > 0) {
        writer_clear(&sql);
        writer_text(&sql, "fetch " REWRAP_AT_ONCE " from wrapped");
        err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
        n = err == EMT_OK ? PQntuples(res) : 0;
        for (int i = 0; err == EMT_OK && i < n; i++) {
            err = reseal(res, i, old_tenant, old_keys, n_old, tenant, key, c, &blob);
            if (err != EMT_OK)
                (void)emt_fail(diag, err, "%s %s: the secret does not open", c->table,
                               PQgetvalue(res, i, 0));
            else
                err = put_back(s, c, tenant, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), &blob,
                               diag);
        }
        PQclear(res);
        res = NULL;
    }
    writer_clear(&sql);
    writer_text(&sql, "close wrapped");
    if (err == EMT_OK)
        err = run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    writer_release(&sql);
    writer_release(&blob);
    return err;
}

enum emt_err archive_rewrap(struct store *s, int32_t old_tenant, const struct seal_key *old_keys,
                            size_t n_old, int32_t tenant, const struct seal_key *key,
                            struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < COUNT(sealed); i++)
        err = rewrap_column(s, &sealed[i], old_tenant, old_keys, n_old, tenant, key, diag);
    return err;
}

/* ---- what follows from the rows ---- */

/* Numbers of a tenant come along, so the sequences must stand before them; they are shared by all
 * tenants, which a number near the end would stop. job_id of a file is a number of the table job,
 * and a job of that number would take the file for its own. */
static enum emt_err advance_sequences(struct store *s, int32_t tenant, struct emt_diag *diag)
{
    static const char list[] =
        "select a.attrelid::regclass::text, quote_ident(a.attname),"
        " pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname)"
        " from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and not c.relispartition and a.attidentity <> ''"
        " and exists (select from pg_attribute b where b.attrelid = c.oid and b.attname = 'tenant_id')"
        " union all select 'export_file', 'job_id', 'public.job_id_seq'";
    PGresult *res = NULL, *one = NULL;
    struct writer sql;
    enum emt_err err;

    writer_init_heap(&sql, SQL_MAX);
    writer_text(&sql, list);
    err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    for (int i = 0; err == EMT_OK && i < PQntuples(res); i++) {
        const char *table = PQgetvalue(res, i, 0), *column = PQgetvalue(res, i, 1);
        const char *sequence = PQgetvalue(res, i, 2);

        writer_clear(&sql);
        writer_printf(&sql,
                      "select m < " ID_MAX ", case when m < " ID_MAX
                      " then setval('%s', greatest(m, (select last_value from %s))) end"
                      " from (select max(%s) as m from %s where tenant_id = %d) x"
                      " where m is not null",
                      sequence, sequence, column, table, (int)tenant);
        err = run_text(s, &sql, PGRES_TUPLES_OK, &one, diag);
        if (err == EMT_OK && PQntuples(one) == 1 && *PQgetvalue(one, 0, 0) != 't')
            err = emt_fail(diag, EMT_ELIMIT, "%s: a number is too large", table);
        PQclear(one);
        one = NULL;
    }
    PQclear(res);
    writer_release(&sql);
    return err;
}

enum emt_err archive_settle(struct store *s, int32_t tenant, const char *former_key,
                            struct emt_diag *diag)
{
    struct store_param p[2];
    enum emt_err err = run_tenant(s, &statements[REGISTRY], tenant, NULL);

    p_int4(&p[0], tenant);
    p_text(&p[1], former_key);
    if (err == EMT_OK)
        err = run_tenant(s, &statements[AUDIT_UNCHAIN], tenant, NULL);
    if (err == EMT_OK)
        err = run_tenant(s, &statements[MAKERS_UNKNOWN], tenant, NULL);
    if (err == EMT_OK)
        err = store_run(s, &statements[CERTIFICATE_NAME], p, NULL);
    if (err == EMT_OK)
        err = run_tenant(s, &statements[DIRECTORY], tenant, NULL);
    if (err == EMT_ECONFLICT)
        return emt_fail(diag, err, "a certificate or API key of the tenant is known here already");
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(s));
    return advance_sequences(s, tenant, diag);
}

enum emt_err archive_user_add(struct store *s, int32_t tenant, const char *name,
                              const char *display_name, const char *password_hash, int16_t role,
                              bool link, bool *joined)
{
    struct store_result *r = NULL;
    struct store_param p[3];
    int64_t id = 0;
    enum emt_err err;

    *joined = false;
    p_text(&p[0], name);
    p_text(&p[1], display_name);
    p_text(&p[2], password_hash);
    err = store_run_number(s, &statements[USER_INSERT], p, &id);
    if (err == EMT_ENOTFOUND && !link)
        return EMT_OK;
    if (err == EMT_ENOTFOUND)
        err = store_run_number(s, &statements[USER_FIND], p, &id);
    if (err != EMT_OK)
        return err;
    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_int2(&p[2], role);
    err = store_run(s, &statements[MEMBER_INSERT], p, &r);
    store_result_free(r);
    if (err == EMT_OK)
        err = store_run(s, &statements[MAKER_KNOWN], p, NULL);
    *joined = err == EMT_OK;
    return err;
}

/* ---- removal ---- */

enum emt_err archive_busy(struct store *s, int32_t tenant, int64_t *busy)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run_number(s, &statements[BUSY], &p, busy);
}

enum emt_err archive_cancel_jobs(struct store *s, int32_t tenant)
{
    enum emt_err err = run_tenant(s, &statements[JOBS_STOP], tenant, NULL);

    return err == EMT_OK ? run_tenant(s, &statements[JOBS_DROP], tenant, NULL) : err;
}

static enum emt_err run_counted(struct store *s, const struct store_statement *st, int32_t tenant,
                                int64_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = run_tenant(s, st, tenant, &r);

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
    writer_init_heap(&sql, SQL_MAX);
    writer_printf(&sql,
                  "select relid::regclass::text from pg_partition_tree('public.%s') where isleaf"
                  " union select 'public.%s' where not exists"
                  " (select from pg_partitioned_table where partrelid = 'public.%s'::regclass)",
                  table, table, table);
    err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
    for (int i = 0; err == EMT_OK && *leaf == '\0' && i < PQntuples(res); i++) {
        writer_clear(&sql);
        writer_printf(&sql, "select exists (select from %s where tenant_id = %d)",
                      PQgetvalue(res, i, 0), (int)tenant);
        err = run_text(s, &sql, PGRES_TUPLES_OK, &any, diag);
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
    if (is_tenant(t))
        return EMT_OK;
    err = find_leaf(s, t->name, tenant, leaf, sizeof leaf, diag);
    if (err != EMT_OK || *leaf == '\0')
        return err;
    writer_init_heap(&sql, SQL_MAX);
    writer_printf(&sql,
                  "delete from %s where ctid = any (array(select ctid from %s where tenant_id = %d"
                  " limit " REMOVE_AT_ONCE "))",
                  leaf, leaf, (int)tenant);
    err = run_text(s, &sql, PGRES_COMMAND_OK, &res, diag);
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
    writer_init_heap(&sql, SQL_MAX);
    for (size_t i = 0; err == EMT_OK && i < c->n; i++) {
        if (is_tenant(&c->tables[i]))
            continue;
        writer_clear(&sql);
        writer_text(&sql, "select count(*) from ");
        put_name(&sql, c->tables[i].name);
        writer_printf(&sql, " where tenant_id = %d", (int)tenant);
        err = run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
        if (err == EMT_OK && number_of(res, 0, 0) > 0) {
            *rows += number_of(res, 0, 0);
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
