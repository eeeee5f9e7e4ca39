/* What the files of the tenant archive (store/tenant_archive_store.h) share: tenant_archive_store.c
 * reads a tenant out, _catalogue says which tables it has, _in brings it in, _seal turns its
 * secrets to other keys, _removal takes it away. */
#ifndef EMT_STORE_TENANT_ARCHIVE_INTERNAL_H
#define EMT_STORE_TENANT_ARCHIVE_INTERNAL_H

#include "base/writer.h"
#include "store/tenant_archive_store.h"
#include "store_internal.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define ARCHIVE_SQL_MAX ((size_t)64 << 10)

/* A statement made of names of the catalogue, which is not prepared. want: how it ends. *out (may
 * be NULL) is freed with PQclear(). */
EMT_CHECKED enum emt_err archive_run_text(struct store *s, struct writer *sql, ExecStatusType want,
                                          PGresult **out, struct emt_diag *diag);
/* A statement whose one parameter is the tenant; as store_run(). */
EMT_CHECKED enum emt_err archive_run_tenant(struct store *s, const struct store_statement *st,
                                            int32_t tenant, struct store_result **out);
/* A quoted identifier. */
void archive_put_name(struct writer *w, const char *name);
int64_t archive_number(const PGresult *res, int row, int col);

/* The table "tenant" itself, whose key is "id". */
bool archive_is_tenant(const struct archive_table *t);
/* By which a table is partitioned; NULL: it is not. */
const char *archive_partition_column(const char *table);

/* For the test that prepares every statement. */
const struct store_statement *tenant_archive_in_store_statements(size_t *n);
const struct store_statement *tenant_archive_removal_store_statements(size_t *n);

#endif
