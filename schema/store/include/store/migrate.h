/* Forward-only migrations: files NNNN_what.sql, each in one transaction, under an advisory lock,
 * recorded with a checksum. */
#ifndef EMT_STORE_MIGRATE_H
#define EMT_STORE_MIGRATE_H

#include "base/attr.h"
#include "base/error.h"

struct store;

/* Newest migration that this program knows. It serves a newer database as long as every migration
 * there lets it: each may say in its head "-- oldest program: N", the oldest STORE_SCHEMA_VERSION
 * that goes on working with what it leaves behind; one that says nothing wants programs that know
 * it. */
#define STORE_SCHEMA_VERSION 27
/* Oldest database that the statements of this program work with. */
#define STORE_SCHEMA_NEEDS 27

/* Roles (roles.sql of the folder) and the database "emt" owned by STORE_OWNER, connected as the
 * cluster's superuser to another database. Repeatable. */
EMT_CHECKED enum emt_err migrate_cluster(struct store *superuser, const char *folder,
                                         struct emt_diag *diag);
/* Applies what is missing from the folder, connected as STORE_OWNER. *applied (may be NULL) counts.
 * EMT_ECONFLICT: a recorded file changed, or the database is too new for this program; EMT_EDB with
 * file and the server's message; EMT_EIO folder unreadable. */
EMT_CHECKED enum emt_err migrate_run(struct store *owner, const char *folder, unsigned *applied,
                                     struct emt_diag *diag);
/* Version of the database (any role that may read schema_migration). EMT_ESTATE: too
 * new or too old for this program. */
EMT_CHECKED enum emt_err migrate_check(struct store *s, int *version, struct emt_diag *diag);

#endif
