#include "archive_file.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/hex.h"
#include "ctl_database.h"
#include "store/audit_store.h"
#include "store/migrate.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/tenant_archive_store.h"
#include "tenant_move.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define KEYS_MAX 256
#define SECRET_MAX 4096

struct import {
    const struct tenant_move *m;
    struct store *s;
    struct seal_key master, transport;
    struct seal_key *old_keys; /* KEYS_MAX */
    size_t n_old;
    struct archive_catalogue catalogue;
    json_t *manifest;
    const char *former_key, *key; /* of the manifest; under which it comes in */
    int32_t former, tenant;
    int64_t rows;
};

static enum emt_err db_failed(const struct import *x, enum emt_err err, struct emt_diag *diag)
{
    return err == EMT_OK ? err : emt_fail(diag, err, "%s", store_error(x->s));
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s != NULL ? s : "";
}

static enum emt_err read_head(struct import *x, struct emt_diag *diag)
{
    const json_t *t = json_object_get(x->manifest, "tenant");
    json_int_t id = json_integer_value(json_object_get(t, "id"));

    x->former_key = text_of(t, "key");
    x->key = x->m->key != NULL ? x->m->key : x->former_key;
    if (id < 1 || id > INT32_MAX || *x->former_key == '\0')
        return emt_fail(diag, EMT_EMALFORMED, "the manifest names no tenant");
    x->former = (int32_t)id;
    return EMT_OK;
}

/* A secret under the transport key; at most `size` bytes. */
static enum emt_err open_secret(const struct import *x, const char *table, const char *row,
                                const char *hex, uint8_t *out, size_t size, size_t *n)
{
    const struct seal_place place = { x->former, table, row, "transport" };
    uint8_t *blob = malloc(size + SEAL_OVERHEAD);
    uint8_t *plain = malloc(size + SEAL_OVERHEAD);
    size_t len = 0;
    enum emt_err err = blob && plain ? EMT_OK : EMT_ENOMEM;

    if (err == EMT_OK)
        err = hex_decode(hex, strlen(hex), blob, size + SEAL_OVERHEAD, &len);
    if (err == EMT_OK)
        err = seal_unwrap(&x->transport, &place, blob, len, plain, n);
    if (err == EMT_OK && *n > size)
        err = EMT_ELIMIT;
    if (err == EMT_OK)
        memcpy(out, plain, *n);
    if (plain != NULL)
        cipher_wipe(plain, size + SEAL_OVERHEAD);
    free(plain);
    free(blob);
    return err;
}

static enum emt_err read_keys(struct import *x, struct emt_diag *diag)
{
    const json_t *list = json_object_get(x->manifest, "keys");
    enum emt_err err = EMT_OK;

    x->old_keys = calloc(KEYS_MAX, sizeof *x->old_keys);
    if (x->old_keys == NULL || json_array_size(list) > KEYS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d data keys", KEYS_MAX);
    for (size_t i = 0; err == EMT_OK && i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        json_int_t version = json_integer_value(json_object_get(e, "version"));
        struct seal_key *k = &x->old_keys[i];
        char row[32];
        size_t n = 0;

        (void)snprintf(row, sizeof row, "%lld", (long long)version);
        err = open_secret(x, "tenant_key", row, text_of(e, "blob"), k->key, sizeof k->key, &n);
        if (err != EMT_OK || n != sizeof k->key || version < 1 || version > UINT16_MAX)
            return emt_fail(diag, EMT_EAUTH, "data key %s does not open", row);
        k->version = (uint16_t)version;
        x->n_old++;
    }
    return err;
}

/* ---- tables ---- */

static const json_t *entry_of(const struct import *x, const char *table)
{
    const json_t *list = json_object_get(x->manifest, "tables");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text_of(json_array_get(list, i), "name"), table) == 0)
            return json_array_get(list, i);
    return NULL;
}

/* Everything in the archive has a place here, and is there once. */
static enum emt_err check_tables(const struct import *x, struct emt_diag *diag)
{
    const json_t *list = json_object_get(x->manifest, "tables");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        const char *name = text_of(e, "name");
        const struct archive_table *t = archive_catalogue_find(&x->catalogue, name);

        if (t == NULL || t->use == ARCHIVE_LEFT_OUT || entry_of(x, name) != e)
            return emt_fail(diag, EMT_EUNSUPPORTED, "the archive's table %.64s has no place here",
                            name);
    }
    if (entry_of(x, "tenant") == NULL)
        return emt_fail(diag, EMT_EMALFORMED, "the archive has no tenant");
    return EMT_OK;
}

static enum emt_err make_partitions(const struct import *x, struct emt_diag *diag)
{
    const json_t *list = json_object_get(x->manifest, "tables");
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        const json_t *from = json_object_get(e, "from_us"), *to = json_object_get(e, "to_us");

        if (json_is_integer(from) && json_is_integer(to))
            err = archive_partitions(x->s, text_of(e, "name"), json_integer_value(from),
                                     json_integer_value(to), diag);
    }
    return err;
}

static enum emt_err read_only(struct archive_file *f)
{
    char buf[4096];
    size_t n = 1;
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && n > 0)
        err = archive_file_take(f, buf, sizeof buf, &n);
    return err;
}

static enum emt_err copy_table(struct import *x, const struct archive_table *t, const json_t *e,
                               struct archive_file *f, int64_t *rows, struct emt_diag *diag)
{
    const json_t *list = json_object_get(e, "columns");
    const char *columns[ARCHIVE_COLUMNS_MAX];
    size_t n = json_array_size(list);

    if (n > ARCHIVE_COLUMNS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "%s: too many columns", t->name);
    for (size_t i = 0; i < n; i++) {
        columns[i] = json_string_value(json_array_get(list, i));
        if (columns[i] == NULL)
            return emt_fail(diag, EMT_EMALFORMED, "%s: a column has no name", t->name);
    }
    return archive_copy_in(x->s, t, columns, n, x->key, &x->tenant, archive_file_take, f, rows,
                           diag);
}

static enum emt_err take_table(struct import *x, const struct archive_table *t, const json_t *e,
                               struct emt_diag *diag)
{
    json_int_t want = json_integer_value(json_object_get(e, "rows"));
    struct archive_file f;
    char sha256[ARCHIVE_HEX] = "";
    int64_t rows = want;
    enum emt_err err = archive_file_open(x->m->folder, t->name, false, &f, diag), end;

    if (err == EMT_OK)
        err = t->use == ARCHIVE_EVIDENCE ? read_only(&f) : copy_table(x, t, e, &f, &rows, diag);
    end = archive_file_close(&f, sha256);
    if (err != EMT_OK || end != EMT_OK) {
        if (diag->text[0] == '\0')
            (void)emt_fail(diag, err, "%s cannot be read", t->name);
        return err != EMT_OK ? err : end;
    }
    if (strcmp(sha256, text_of(e, "sha256")) != 0)
        return emt_fail(diag, EMT_EMALFORMED, "%s: SHA-256 is not the manifest's", t->name);
    if (rows != want)
        return emt_fail(diag, EMT_EMALFORMED, "%s: %lld rows, the manifest says %lld", t->name,
                        (long long)rows, (long long)want);
    x->rows += rows;
    return EMT_OK;
}

static enum emt_err take_tables(struct import *x, struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < x->catalogue.n; i++) {
        const struct archive_table *t = &x->catalogue.tables[i];
        const json_t *e = entry_of(x, t->name);

        if (e != NULL)
            err = take_table(x, t, e, diag);
        if (err == EMT_OK && strcmp(t->name, "tenant") == 0 && x->tenant == 0)
            err = emt_fail(diag, EMT_EMALFORMED, "the archive has no tenant");
    }
    return err;
}

/* ---- keys, users, audit ---- */

static enum emt_err new_key(struct import *x, struct emt_diag *diag)
{
    struct seal_key key = { 0 };
    enum emt_err err = db_failed(x, tenant_key_create(x->s, x->tenant, &x->master, &key), diag);

    if (err == EMT_OK)
        err = archive_rewrap(x->s, x->former, x->old_keys, x->n_old, x->tenant, &key, diag);
    seal_key_wipe(&key);
    return err;
}

static enum emt_err take_user(struct import *x, const json_t *e, struct emt_diag *diag)
{
    const char *name = text_of(e, "name");
    uint8_t hash[SECRET_MAX + 1];
    bool joined = false;
    size_t n = 0;
    enum emt_err err =
        open_secret(x, "platform_user", name, text_of(e, "password_hash"), hash, SECRET_MAX, &n);

    if (err != EMT_OK)
        return emt_fail(diag, err, "the password hash of a user does not open");
    hash[n] = 0;
    err = db_failed(x,
                    archive_user_add(x->s, x->tenant, name, text_of(e, "display_name"),
                                     (const char *)hash,
                                     (int16_t)json_integer_value(json_object_get(e, "role")),
                                     x->m->link_users, &joined),
                    diag);
    cipher_wipe(hash, sizeof hash);
    if (err == EMT_OK && !joined)
        (void)fprintf(stderr, "emtctl tenant: a user %s exists here: no membership was made\n",
                      name);
    return err;
}

static enum emt_err take_users(struct import *x, struct emt_diag *diag)
{
    const json_t *list = json_object_get(x->manifest, "users");
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < json_array_size(list); i++)
        err = take_user(x, json_array_get(list, i), diag);
    return err;
}

static enum emt_err audit(struct import *x, struct emt_diag *diag)
{
    char detail[256];
    struct audit_entry e = { .tenant = x->tenant,
                             .actor = x->m->actor,
                             .action = "tenant.import",
                             .object = x->key,
                             .detail = detail };
    enum emt_err err;

    (void)snprintf(detail, sizeof detail, "%.64s of %.40s, %lld rows", x->former_key,
                   text_of(x->manifest, "created_at"), (long long)x->rows);
    err = audit_append(x->s, &e);
    e.tenant = 0;
    if (err == EMT_OK)
        err = audit_append(x->s, &e);
    return db_failed(x, err, diag);
}

static enum emt_err fill(struct import *x, struct emt_diag *diag)
{
    enum emt_err err = db_failed(x, store_begin(x->s, 0), diag);

    if (err == EMT_OK)
        err = take_tables(x, diag);
    if (err == EMT_OK)
        err = new_key(x, diag);
    if (err == EMT_OK)
        err = archive_settle(x->s, x->tenant, x->former_key, diag);
    if (err == EMT_OK)
        err = take_users(x, diag);
    if (err == EMT_OK)
        err = audit(x, diag);
    if (err == EMT_OK)
        err = db_failed(x, store_commit(x->s), diag);
    if (err != EMT_OK)
        store_rollback(x->s);
    return err;
}

static enum emt_err run(struct import *x, struct emt_diag *diag)
{
    int version = 0;
    enum emt_err err = archive_manifest_read(x->m->folder, &x->transport, &x->manifest, diag);

    if (err == EMT_OK)
        err = read_head(x, diag);
    if (err == EMT_OK)
        err = read_keys(x, diag);
    if (err == EMT_OK)
        err = store_open(x->m->conninfo, STORE_OWNER, CTL_CONNECT_MS, &x->s, diag);
    if (err == EMT_OK)
        err = migrate_check(x->s, &version, diag);
    if (err == EMT_OK && json_integer_value(json_object_get(x->manifest, "schema")) > version)
        err = emt_fail(diag, EMT_EUNSUPPORTED, "the archive is newer than the database");
    if (err == EMT_OK)
        err = archive_catalogue_load(x->s, &x->catalogue, diag);
    if (err == EMT_OK)
        err = check_tables(x, diag);
    if (err == EMT_OK)
        err = make_partitions(x, diag);
    return err == EMT_OK ? fill(x, diag) : err;
}

enum emt_err tenant_import(const struct tenant_move *m, struct emt_diag *diag)
{
    struct import x = { .m = m };
    enum emt_err err = seal_key_read(m->master, &x.master, diag);

    if (err == EMT_OK)
        err = seal_key_read(m->transport, &x.transport, diag);
    if (err == EMT_OK) {
        *diag = (struct emt_diag){ 0 }; /* it names the key's file */
        err = run(&x, diag);
    }
    if (err == EMT_OK)
        (void)printf("%s: tenant %d, %lld rows\n", x.key, (int)x.tenant, (long long)x.rows);
    archive_catalogue_release(&x.catalogue);
    json_decref(x.manifest);
    store_close(x.s);
    for (size_t i = 0; x.old_keys != NULL && i < KEYS_MAX; i++)
        seal_key_wipe(&x.old_keys[i]);
    free(x.old_keys);
    seal_key_wipe(&x.master);
    seal_key_wipe(&x.transport);
    return err;
}
