/* A tenant as a whole: its rows table by table, out of one installation and into another
 * (docs/tenant-archive.md), and their removal. What tables a tenant has is asked of the catalogue,
 * so that none is forgotten.
 *
 * Rows travel in PostgreSQL's text format of COPY, without tenant_id. Out: as STORE_ADMIN in a
 * snapshot. In and removal: as STORE_OWNER, who alone writes and removes audit entries. */
#ifndef EMT_STORE_TENANT_ARCHIVE_STORE_H
#define EMT_STORE_TENANT_ARCHIVE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

#define ARCHIVE_NAME_MAX 64
#define ARCHIVE_COLUMNS_MAX 64
#define ARCHIVE_TABLES_MAX 256

enum archive_use {
    ARCHIVE_ROWS,     /* goes out and comes in */
    ARCHIVE_EVIDENCE, /* goes out, is not read back: the chain of the audit */
    ARCHIVE_LEFT_OUT  /* keys, users and what is made anew: never as a table */
};
struct archive_table {
    char name[ARCHIVE_NAME_MAX];
    enum archive_use use;
    size_t ncolumns; /* without tenant_id */
    char columns[ARCHIVE_COLUMNS_MAX][ARCHIVE_NAME_MAX];
};
/* Every table that has a tenant, and "tenant" itself as the first; a table stands behind those that
 * it refers to. */
struct archive_catalogue {
    size_t n;
    struct archive_table *tables;
};
EMT_CHECKED enum emt_err archive_catalogue_load(struct store *s, struct archive_catalogue *out,
                                                struct emt_diag *diag);
void archive_catalogue_release(struct archive_catalogue *c);
/* NULL: no such table. */
const struct archive_table *archive_catalogue_find(const struct archive_catalogue *c,
                                                   const char *name);

/* --- out --- */

/* BEGIN of a transaction that sees one state and writes nothing; end it with store_rollback(). */
EMT_CHECKED enum emt_err archive_snapshot(struct store *s, struct emt_diag *diag);
/* Takes bytes; an error ends the copy with it. */
typedef enum emt_err archive_sink(void *ctx, const void *p, size_t n);
EMT_CHECKED enum emt_err archive_copy_out(struct store *s, const struct archive_table *t,
                                          int32_t tenant, archive_sink *sink, void *ctx,
                                          int64_t *rows, struct emt_diag *diag);
/* Earliest and latest time of a table in partitions; EMT_TIME_NONE for other tables, and where the
 * tenant has no row. */
EMT_CHECKED enum emt_err archive_span(struct store *s, const char *table, int32_t tenant,
                                      emt_time *from, emt_time *to, struct emt_diag *diag);
/* (version int4, blob) of its data keys. */
EMT_CHECKED enum emt_err archive_keys(struct store *s, int32_t tenant, struct store_result **out);
/* (name, display_name, password_hash, role int2) of its members. */
EMT_CHECKED enum emt_err archive_users(struct store *s, int32_t tenant, struct store_result **out);

/* --- in --- */

/* Partitions for a span of archive_span(), in a transaction of its own: making one holds up
 * everybody. EMT_ELIMIT more than 40 years. */
EMT_CHECKED enum emt_err archive_partitions(struct store *s, const char *table, emt_time from,
                                            emt_time to, struct emt_diag *diag);
/* Fills buf with at most size bytes; *n 0 at the end. */
typedef enum emt_err archive_source(void *ctx, void *buf, size_t size, size_t *n);
/* The rest inside one transaction of the caller. t: the table of this database; columns: those of
 * the archive, each of which must be one of t's (EMT_EUNSUPPORTED). Of "tenant" the row is made
 * under `key`, and *tenant becomes its number; the other tables belong to *tenant. */
EMT_CHECKED enum emt_err archive_copy_in(struct store *s, const struct archive_table *t,
                                         const char *const *columns, size_t ncolumns,
                                         const char *key, int32_t *tenant, archive_source *source,
                                         void *ctx, int64_t *rows, struct emt_diag *diag);
/* All wrapped columns of the tenant: from the keys of the tenant's old number to one of the new.
 * EMT_EAUTH a blob opens with none of them. */
EMT_CHECKED enum emt_err archive_rewrap(struct store *s, int32_t old_tenant,
                                        const struct seal_key *old_keys, size_t n_old,
                                        int32_t tenant, const struct seal_key *key,
                                        struct emt_diag *diag);
/* Registry version, directory, and sequences that stand before what came in. former_key: of the
 * tenant where it came from. EMT_ECONFLICT a certificate or API key is known here already. */
EMT_CHECKED enum emt_err archive_settle(struct store *s, int32_t tenant, const char *former_key,
                                        struct emt_diag *diag);
/* Makes the user and the membership; the API keys that the user made are the user's again. A user
 * of that name who exists is linked when `link` says so, and else left alone: *joined. */
EMT_CHECKED enum emt_err archive_user_add(struct store *s, int32_t tenant, const char *name,
                                          const char *display_name, const char *password_hash,
                                          int16_t role, bool link, bool *joined);

/* --- removal --- */

/* Connections of gateways and running jobs that the tenant still has. */
EMT_CHECKED enum emt_err archive_busy(struct store *s, int32_t tenant, int64_t *busy);
/* Asks its jobs to end and takes away those that wait. */
EMT_CHECKED enum emt_err archive_cancel_jobs(struct store *s, int32_t tenant);
/* Destroys the data keys; how many there were. */
EMT_CHECKED enum emt_err archive_destroy_keys(struct store *s, int32_t tenant, int64_t *n);
/* One batch of a table's rows; *n 0: none is left. A transaction of its own. */
EMT_CHECKED enum emt_err archive_remove_some(struct store *s, const struct archive_table *t,
                                             int32_t tenant, int64_t *n, struct emt_diag *diag);
/* Rows of the tenant in all tables of the catalogue, the tenant's own row not counted; *table
 * (borrowed of c, may be NULL) one that has some. */
EMT_CHECKED enum emt_err archive_remaining(struct store *s, const struct archive_catalogue *c,
                                           int32_t tenant, int64_t *rows, const char **table,
                                           struct emt_diag *diag);
EMT_CHECKED enum emt_err archive_remove_tenant(struct store *s, int32_t tenant);

/* Columns that hold wrapped secrets, as "table.column", and in the end NULL: for the test that
 * compares them with the catalogue. */
const char *const *archive_sealed_columns(void);
const struct store_statement *tenant_archive_store_statements(size_t *n);

#endif
