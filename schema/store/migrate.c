#include "store/migrate.h"

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "store_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)4 << 20)
#define CHECKSUM_MAX 65

enum { LOCK, UNLOCK, RECORDED, RECORD, VERSION, DATABASE };

static const struct store_statement statements[] = {
    /* One process migrates, the others wait here and find the work done. */
    [LOCK] = { "migrate_lock", 0, "select pg_advisory_lock(740000)::text" },
    [UNLOCK] = { "migrate_unlock", 0, "select pg_advisory_unlock(740000)" },
    [RECORDED] = { "migrate_recorded", 0,
                   "select version, name, checksum, max(coalesce(oldest_program, version)) over ()"
                   " from schema_migration order by version" },
    [RECORD] = { "migrate_record", 4,
                 "insert into schema_migration (version, name, checksum, oldest_program)"
                 " values ($1, $2, $3, $4)" },
    /* By way of JSON: the column may not be there yet. */
    [VERSION] = { "migrate_version", 0,
                  "select coalesce(max(version), 0), coalesce(max(coalesce("
                  "(to_jsonb(m) ->> 'oldest_program')::int4, version)), 0) from schema_migration m" },
    [DATABASE] = { "migrate_database", 0,
                   "select exists (select from pg_database where datname = 'emt')" },
};

static const char table_sql[] =
    "set client_min_messages = warning;"
    "create table if not exists schema_migration ("
    " version int4 primary key, name text not null, checksum text not null,"
    " applied_at timestamptz not null default now());"
    "alter table schema_migration add column if not exists oldest_program int4;"
    "grant select on schema_migration to emt_app, emt_ingest, emt_admin";

/* "0001_generic_schema.sql": the number, 0 for any other name. */
static int file_version(const char *name)
{
    size_t n = strlen(name);

    if (n < 10 || name[4] != '_' || strcmp(name + n - 4, ".sql") != 0)
        return 0;
    for (int i = 0; i < 4; i++)
        if (!isdigit((unsigned char)name[i]))
            return 0;
    return (int)strtol(name, NULL, 10);
}

static int wanted(const struct dirent *e)
{
    return file_version(e->d_name) > 0;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* The number behind OLDEST at the begin of a line of the head; without it only programs that know
 * the migration itself run on what it leaves behind. */
static int oldest_program(const char *sql, int version)
{
    static const char mark[] = "-- oldest program: ";

    while (strncmp(sql, "--", 2) == 0) {
        const char *end = strchr(sql, '\n');

        if (strncmp(sql, mark, strlen(mark)) == 0) {
            long v = strtol(sql + strlen(mark), NULL, 10);
            return v > 0 && v < version ? (int)v : version;
        }
        if (end == NULL)
            break;
        sql = end + 1;
    }
    return version;
}

static enum emt_err load(const char *folder, const char *name, char **sql, char *checksum,
                         struct emt_diag *diag)
{
    char path[512];
    uint8_t hash[32];
    size_t len;
    enum emt_err err = file_join(path, sizeof path, folder, name);

    if (err == EMT_OK)
        err = file_read(path, FILE_MAX_BYTES, sql, &len, diag);
    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_EIO : err;
    cipher_sha256(*sql, len, hash);
    hex_encode(hash, sizeof hash, checksum);
    return EMT_OK;
}

static enum emt_err apply(struct store *s, const char *name, const char *sql, const char *checksum,
                          struct emt_diag *diag)
{
    struct store_param p[4];
    enum emt_err err = store_begin(s, 0);

    if (err == EMT_OK)
        err = store_script(s, sql, diag);
    if (err != EMT_OK) {
        if (diag)
            snprintf(diag->file, sizeof diag->file, "%s", name);
        store_rollback(s);
        return EMT_EDB;
    }
    p_int4(&p[0], file_version(name));
    p_text(&p[1], name);
    p_text(&p[2], checksum);
    p_int4(&p[3], oldest_program(sql, file_version(name)));
    err = store_run(s, &statements[RECORD], p, NULL);
    if (err == EMT_OK)
        err = store_commit(s);
    if (err == EMT_OK)
        return EMT_OK;
    store_rollback(s);
    return emt_fail(diag, EMT_EDB, "recording migration %s: %s", name, store_error(s));
}

/* What is recorded must be what lies in the folder. */
static enum emt_err compare(const struct store_result *rows, int i, const char *name,
                            const char *checksum, struct emt_diag *diag)
{
    if (c_int(rows, i, 0) != file_version(name))
        return emt_fail(diag, EMT_ECONFLICT, "migration %s comes before %s, which is applied", name,
                        c_text(rows, i, 1));
    if (strcmp(c_text(rows, i, 2), checksum) != 0)
        return emt_fail(diag, EMT_ECONFLICT, "migration %s was changed after it had been applied",
                        name);
    return EMT_OK;
}

static enum emt_err run_files(struct store *s, const char *folder, struct dirent **names, int n,
                              const struct store_result *rows, unsigned *applied,
                              struct emt_diag *diag)
{
    int recorded = store_rows(rows);
    enum emt_err err = EMT_OK;

    for (int i = 0; i < n && err == EMT_OK; i++) {
        char checksum[CHECKSUM_MAX];
        char *sql = NULL;

        err = load(folder, names[i]->d_name, &sql, checksum, diag);
        if (err == EMT_OK && i < recorded) {
            err = compare(rows, i, names[i]->d_name, checksum, diag);
        } else if (err == EMT_OK) {
            err = apply(s, names[i]->d_name, sql, checksum, diag);
            *applied += err == EMT_OK;
        }
        free(sql);
    }
    if (err == EMT_OK && recorded > n)
        err = emt_fail(diag, EMT_ECONFLICT, "migration %s is applied but not in the folder",
                       c_text(rows, n, 1));
    return err;
}

static enum emt_err check_names(struct dirent **names, int n, int newest, const char *folder,
                                struct emt_diag *diag)
{
    for (int i = 0; i < n; i++) {
        int version = file_version(names[i]->d_name);

        if (i && version == file_version(names[i - 1]->d_name))
            return emt_fail(diag, EMT_ECONFLICT, "two migrations with number %04d in %s", version,
                            folder);
        if (version > newest)
            return emt_fail(diag, EMT_ECONFLICT, "migration %s is newer than this program (%d)",
                            names[i]->d_name, newest);
    }
    return EMT_OK;
}

/* What belongs behind every migration, and is no migration itself: not recorded, repeatable. */
static enum emt_err run_last_step(struct store *s, const char *folder, struct emt_diag *diag)
{
    char path[512];
    char *sql = NULL;
    size_t len;
    enum emt_err err = file_join(path, sizeof path, folder, "distribute.sql");

    if (err == EMT_OK)
        err = file_read(path, FILE_MAX_BYTES, &sql, &len, diag);
    if (err == EMT_ENOTFOUND)
        return EMT_OK; /* a folder of before */
    if (err == EMT_OK && store_script(s, sql, diag) != EMT_OK) {
        if (diag)
            snprintf(diag->file, sizeof diag->file, "distribute.sql");
        err = EMT_EDB;
    }
    free(sql);
    return err;
}

static enum emt_err run_locked(struct store *s, const char *folder, struct dirent **names, int n,
                               int newest, unsigned *applied, struct emt_diag *diag)
{
    struct store_result *rows = NULL;
    enum emt_err err = store_script(s, table_sql, diag);
    int last;

    if (err != EMT_OK)
        return EMT_EDB;
    err = store_run(s, &statements[RECORDED], NULL, &rows);
    if (err != EMT_OK)
        return emt_fail(diag, EMT_EDB, "%s", store_error(s));
    last = store_rows(rows);
    if (last && c_int(rows, last - 1, 3) > newest)
        err = emt_fail(diag, EMT_ECONFLICT,
                       "the database has migration %s and needs programs that know %d; this one "
                       "knows %d",
                       c_text(rows, last - 1, 1), (int)c_int(rows, last - 1, 3), newest);
    else if (last && c_int(rows, last - 1, 0) > newest)
        err = EMT_OK; /* a newer program has migrated, and lets this one go on */
    else
        err = run_files(s, folder, names, n, rows, applied, diag);
    if (err == EMT_OK)
        err = run_last_step(s, folder, diag);
    store_result_free(rows);
    return err;
}

enum emt_err migrate_folder(struct store *s, const char *folder, int newest, unsigned *applied,
                            struct emt_diag *diag)
{
    struct dirent **names = NULL;
    unsigned count = 0;
    enum emt_err err;
    int n = scandir(folder, &names, wanted, alphasort);

    if (n < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", folder, strerror(errno));
    err = n ? check_names(names, n, newest, folder, diag)
            : emt_fail(diag, EMT_EIO, "%s: no migrations here", folder);
    if (err == EMT_OK && store_run(s, &statements[LOCK], NULL, NULL) != EMT_OK)
        err = emt_fail(diag, EMT_EDB, "migration lock: %s", store_error(s));
    if (err == EMT_OK) {
        err = run_locked(s, folder, names, n, newest, &count, diag);
        /* A broken connection has given it up by itself. */
        if (store_run(s, &statements[UNLOCK], NULL, NULL) != EMT_OK && err == EMT_OK)
            err = emt_fail(diag, EMT_EDB, "migration lock: %s", store_error(s));
    }
    free_names(names, n);
    if (applied)
        *applied = count;
    return err;
}

enum emt_err migrate_run(struct store *owner, const char *folder, unsigned *applied,
                         struct emt_diag *diag)
{
    return migrate_folder(owner, folder, STORE_SCHEMA_VERSION, applied, diag);
}

enum emt_err migrate_check(struct store *s, int *version, struct emt_diag *diag)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, &statements[VERSION], NULL, &r);
    int oldest = 0;

    *version = 0;
    if (err != EMT_OK && strcmp(store_sqlstate(s), "42P01") != 0)
        return emt_fail(diag, EMT_EDB, "%s", store_error(s));
    if (err == EMT_OK) {
        *version = (int)c_int(r, 0, 0);
        oldest = (int)c_int(r, 0, 1);
    }
    store_result_free(r);
    /* An upgrade expands first, then contracts: what has been expanded still serves older programs,
     * as far as its migrations say so. */
    if (oldest > STORE_SCHEMA_VERSION)
        return emt_fail(diag, EMT_ESTATE,
                        "the database has version %d and needs programs that know %d; this one "
                        "knows %d",
                        *version, oldest, STORE_SCHEMA_VERSION);
    if (*version < STORE_SCHEMA_NEEDS)
        return emt_fail(diag, EMT_ESTATE, "the database has version %d, this program needs %d",
                        *version, STORE_SCHEMA_NEEDS);
    return EMT_OK;
}

static enum emt_err make_database(struct store *s, struct emt_diag *diag)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, &statements[DATABASE], NULL, &r);
    bool there = err == EMT_OK && c_bool(r, 0, 0);

    store_result_free(r);
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(s));
    return there ? EMT_OK : store_script(s, "create database emt owner emt_owner", diag);
}

enum emt_err migrate_cluster(struct store *superuser, const char *folder, struct emt_diag *diag)
{
    char path[512];
    char *sql = NULL;
    size_t len;
    enum emt_err err = file_join(path, sizeof path, folder, "roles.sql");

    if (err == EMT_OK)
        err = file_read(path, FILE_MAX_BYTES, &sql, &len, diag);
    if (err == EMT_OK)
        err = store_script(superuser, sql, diag);
    free(sql);
    return err == EMT_OK ? make_database(superuser, diag) : err;
}
