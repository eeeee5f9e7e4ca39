#include "archive_file.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "ctl_database.h"
#include "store/audit_store.h"
#include "store/migrate.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/tenant_archive_store.h"
#include "store/tenant_store.h"
#include "tenant_move.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct export
{
    const struct tenant_move *m;
    struct store *s;
    struct seal_key master, transport;
    struct archive_catalogue catalogue;
    struct tenant tenant;
    json_t *manifest;
    int64_t rows;
};

static enum emt_err db_failed(const struct export *x, enum emt_err err, struct emt_diag *diag)
{
    return err == EMT_OK ? err : emt_fail(diag, err, "%s", store_error(x->s));
}

static enum emt_err transport_key(const char *path, struct seal_key *out, struct emt_diag *diag)
{
    enum emt_err err = seal_key_read(path, out, diag);

    if (err != EMT_ENOTFOUND)
        return err;
    err = seal_key_make(out, 1);
    if (err == EMT_OK)
        err = seal_key_create(path, out, diag);
    if (err == EMT_OK)
        (void)fprintf(stderr, "emtctl tenant: made the transport key %s\n", path);
    return err;
}

/* Hex of a secret under the transport key, or NULL. */
static json_t *under_transport(const struct export *x, const char *table, const char *row,
                               const void *secret, size_t n)
{
    const struct seal_place place = { x->tenant.id, table, row, "transport" };
    uint8_t *blob = malloc(n + SEAL_OVERHEAD);
    char *hex = malloc(2 * (n + SEAL_OVERHEAD) + 1);
    json_t *out = NULL;
    size_t len = 0;

    if (blob != NULL && hex != NULL &&
        seal_wrap(&x->transport, &place, secret, n, blob, &len) == EMT_OK)
        out = json_string(hex_encode(blob, len, hex));
    free(blob);
    free(hex);
    return out;
}

static enum emt_err put_keys(struct export *x, struct emt_diag *diag)
{
    json_t *list = json_array();
    struct store_result *r = NULL;
    enum emt_err err = db_failed(x, archive_keys(x->s, x->tenant.id, &r), diag);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        int version = (int)c_int(r, i, 0);
        struct seal_key k = { 0 };
        char row[16];

        (void)snprintf(row, sizeof row, "%d", version);
        err = tenant_key_load(x->s, x->tenant.id, (uint16_t)version, &x->master, &k);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "the master key does not open the tenant's data key");
        else if (json_array_append_new(
                     list, json_pack("{s:i, s:o}", "version", version, "blob",
                                     under_transport(x, "tenant_key", row, k.key, sizeof k.key))))
            err = emt_fail(diag, EMT_ENOMEM, "out of memory");
        seal_key_wipe(&k);
    }
    store_result_free(r);
    if (json_object_set_new(x->manifest, "keys", list) != 0 && err == EMT_OK)
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    return err;
}

static enum emt_err put_users(struct export *x, struct emt_diag *diag)
{
    json_t *list = json_array();
    struct store_result *r = NULL;
    enum emt_err err = db_failed(x, archive_users(x->s, x->tenant.id, &r), diag);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        const char *name = c_text(r, i, 0), *hash = c_text(r, i, 2);

        if (json_array_append_new(
                list, json_pack("{s:s, s:s, s:i, s:o}", "name", name, "display_name",
                                c_text(r, i, 1), "role", (int)c_int(r, i, 3), "password_hash",
                                under_transport(x, "platform_user", name, hash, strlen(hash)))))
            err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    store_result_free(r);
    if (json_object_set_new(x->manifest, "users", list) != 0 && err == EMT_OK)
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    return err;
}

static enum emt_err put_span(struct export *x, const char *table, json_t *entry,
                             struct emt_diag *diag)
{
    emt_time from, to;
    enum emt_err err = archive_span(x->s, table, x->tenant.id, &from, &to, diag);

    if (err == EMT_OK && from != EMT_TIME_NONE &&
        (json_object_set_new(entry, "from_us", json_integer(from)) ||
         json_object_set_new(entry, "to_us", json_integer(to))))
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    return err;
}

static enum emt_err put_table(struct export *x, const struct archive_table *t, json_t *list,
                              struct emt_diag *diag)
{
    json_t *columns = json_array(), *entry;
    struct archive_file f;
    char sha256[ARCHIVE_HEX] = "";
    int64_t rows = 0;
    enum emt_err err = archive_file_open(x->m->folder, t->name, true, &f, diag), end;

    if (err == EMT_OK)
        err = archive_copy_out(x->s, t, x->tenant.id, archive_file_put, &f, &rows, diag);
    end = archive_file_close(&f, sha256);
    if (err == EMT_OK && end != EMT_OK)
        err = emt_fail(diag, end, "%s: the file cannot be written", t->name);
    for (size_t i = 0; i < t->ncolumns; i++)
        (void)json_array_append_new(columns, json_string(t->columns[i]));
    entry = json_pack("{s:s, s:b, s:o, s:I, s:I, s:s}", "name", t->name, "evidence",
                      t->use == ARCHIVE_EVIDENCE, "columns", columns, "rows", (json_int_t)rows,
                      "bytes", (json_int_t)f.bytes, "sha256", sha256);
    if (err == EMT_OK && (entry == NULL || json_array_size(columns) != t->ncolumns))
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK)
        err = put_span(x, t->name, entry, diag);
    if (json_array_append_new(list, entry) != 0 && err == EMT_OK)
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    x->rows += rows;
    return err;
}

static enum emt_err put_tables(struct export *x, struct emt_diag *diag)
{
    char path[ARCHIVE_FOLDER_MAX];
    json_t *list = json_array();
    enum emt_err err = file_join(path, sizeof path, x->m->folder, "tables");

    if (err == EMT_OK)
        err = file_mkdirs(path, 0700, diag);
    for (size_t i = 0; err == EMT_OK && i < x->catalogue.n; i++)
        if (x->catalogue.tables[i].use != ARCHIVE_LEFT_OUT)
            err = put_table(x, &x->catalogue.tables[i], list, diag);
    if (json_object_set_new(x->manifest, "tables", list) != 0 && err == EMT_OK)
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    return err;
}

static enum emt_err put_head(struct export *x, struct emt_diag *diag)
{
    char at[32];
    int version = 0;
    enum emt_err err = migrate_check(x->s, &version, diag);

    if (err != EMT_OK)
        return err;
    (void)time_format(clock_now(), at);
    x->manifest =
        json_pack("{s:s, s:i, s:i, s:s, s:{s:i, s:s, s:s}}", "format", ARCHIVE_FORMAT, "version",
                  ARCHIVE_VERSION, "schema", version, "created_at", at, "tenant", "id",
                  (int)x->tenant.id, "key", x->tenant.key, "name", x->tenant.name);
    return x->manifest != NULL ? EMT_OK : emt_fail(diag, EMT_ENOMEM, "out of memory");
}

/* Who took a tenant's data away stands in its audit, and in the archive as well. */
static enum emt_err audit(struct export *x, struct emt_diag *diag)
{
    struct audit_entry e = { .tenant = x->tenant.id,
                             .actor = x->m->actor,
                             .action = "tenant.export",
                             .object = x->tenant.key };

    return db_failed(x, audit_append(x->s, &e), diag);
}

static enum emt_err run(struct export *x, struct emt_diag *diag)
{
    enum emt_err err = db_failed(x, tenant_find(x->s, x->m->key, &x->tenant), diag);

    if (err == EMT_ENOTFOUND)
        return emt_fail(diag, err, "there is no tenant %s", x->m->key);
    if (err == EMT_OK)
        err = audit(x, diag);
    if (err == EMT_OK)
        err = archive_catalogue_load(x->s, &x->catalogue, diag);
    if (err == EMT_OK)
        err = put_head(x, diag);
    if (err == EMT_OK)
        err = archive_snapshot(x->s, diag);
    if (err == EMT_OK)
        err = put_tables(x, diag);
    if (err == EMT_OK)
        err = put_keys(x, diag);
    if (err == EMT_OK)
        err = put_users(x, diag);
    store_rollback(x->s);
    /* Last: a folder without a manifest is no archive. */
    return err == EMT_OK ? archive_manifest_write(x->m->folder, &x->transport, x->manifest, diag)
                         : err;
}

enum emt_err tenant_export(const struct tenant_move *m, struct emt_diag *diag)
{
    struct export x = { .m = m };
    enum emt_err err = seal_key_read(m->master, &x.master, diag);

    if (err == EMT_OK)
        err = transport_key(m->transport, &x.transport, diag);
    if (err == EMT_OK)
        *diag = (struct emt_diag){ 0 }; /* it names the key's file */
    if (err == EMT_OK)
        err = store_open(m->conninfo, STORE_ADMIN, CTL_CONNECT_MS, &x.s, diag);
    if (err == EMT_OK)
        err = run(&x, diag);
    if (err == EMT_OK)
        (void)printf("%s: %zu tables, %lld rows\n", m->folder,
                     json_array_size(json_object_get(x.manifest, "tables")), (long long)x.rows);
    json_decref(x.manifest);
    archive_catalogue_release(&x.catalogue);
    store_close(x.s);
    seal_key_wipe(&x.master);
    seal_key_wipe(&x.transport);
    return err;
}
