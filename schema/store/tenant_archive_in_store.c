#include "tenant_archive_internal.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CHUNK ((size_t)64 << 10)
#define SPAN_MAX (INT64_C(14610) * EMT_DAY) /* 40 years */
#define ID_MAX "4611686018427387904"        /* beyond, a sequence would soon be used up */

enum {
    USER_INSERT,
    USER_FIND,
    MEMBER_INSERT,
    MAKERS_UNKNOWN,
    MAKER_KNOWN,
    REGISTRY,
    DIRECTORY,
    AUDIT_UNCHAIN,
    CERTIFICATE_NAME
};

/* clang-format off */
static const struct store_statement statements[] = {
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
};
/* clang-format on */

const struct store_statement *tenant_archive_in_store_statements(size_t *n)
{
    *n = COUNT(statements);
    return statements;
}

/* ---- rows ---- */

enum emt_err archive_partitions(struct store *s, const char *table, emt_time from, emt_time to,
                                struct emt_diag *diag)
{
    struct writer sql;
    enum emt_err err;

    if (archive_partition_column(table) == NULL || from == EMT_TIME_NONE || to < from)
        return EMT_OK;
    if (to - from > SPAN_MAX)
        return emt_fail(diag, EMT_ELIMIT, "%s: a span of more than 40 years", table);
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
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
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, NULL, diag);
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
        archive_put_name(w, columns[i]);
    }
}

/* COPY refuses tables with row level security, so rows come into a table that lives as long as the
 * transaction. */
static enum emt_err make_incoming(struct store *s, const struct archive_table *t,
                                  const char *const *columns, size_t n, struct emt_diag *diag)
{
    struct writer sql;
    enum emt_err err;

    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, "create temporary table incoming on commit drop as select ");
    put_columns(&sql, columns, n);
    writer_text(&sql, " from ");
    archive_put_name(&sql, t->name);
    writer_text(&sql, " with no data");
    err = archive_run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
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

    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, "insert into ");
    archive_put_name(&sql, t->name);
    writer_printf(&sql, " (%s, ", archive_is_tenant(t) ? "key" : "tenant_id");
    put_columns(&sql, columns, n);
    writer_text(&sql, ") overriding system value select ");
    if (archive_is_tenant(t))
        writer_text(&sql, quoted != NULL ? quoted : "null");
    else
        writer_printf(&sql, "%d", (int)*tenant);
    writer_text(&sql, ", ");
    put_columns(&sql, columns, n);
    writer_printf(&sql, " from incoming%s", archive_is_tenant(t) ? " returning id" : "");
    err = archive_run_text(s, &sql, archive_is_tenant(t) ? PGRES_TUPLES_OK : PGRES_COMMAND_OK, &res,
                           diag);
    if (err == EMT_OK)
        *rows = strtoll(PQcmdTuples(res), NULL, 10);
    if (err == EMT_OK && archive_is_tenant(t) && *rows == 1)
        *tenant = (int32_t)archive_number(res, 0, 0);
    PQclear(res);
    PQfreemem(quoted);
    writer_clear(&sql);
    writer_text(&sql, "drop table incoming");
    if (err == EMT_OK)
        err = archive_run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
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
    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, "copy incoming from stdin");
    err = archive_run_text(s, &sql, PGRES_COPY_IN, &res, diag);
    writer_release(&sql);
    PQclear(res);
    if (err == EMT_OK)
        err = feed(s, source, ctx, diag);
    return err == EMT_OK ? move_incoming(s, t, columns, ncolumns, key, tenant, rows, diag) : err;
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

    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_text(&sql, list);
    err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
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
        err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &one, diag);
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
    enum emt_err err = archive_run_tenant(s, &statements[REGISTRY], tenant, NULL);

    p_int4(&p[0], tenant);
    p_text(&p[1], former_key);
    if (err == EMT_OK)
        err = archive_run_tenant(s, &statements[AUDIT_UNCHAIN], tenant, NULL);
    if (err == EMT_OK)
        err = archive_run_tenant(s, &statements[MAKERS_UNKNOWN], tenant, NULL);
    if (err == EMT_OK)
        err = store_run(s, &statements[CERTIFICATE_NAME], p, NULL);
    if (err == EMT_OK)
        err = archive_run_tenant(s, &statements[DIRECTORY], tenant, NULL);
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
