#include "bootstrap.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/password.h"
#include "base/writer.h"
#include "platform_pki.h"
#include "store/audit_store.h"
#include "store/migrate.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/user_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000
#define SECRET_MAX ((size_t)256 << 10)
#define LOGIN_FILE "first-login"

/* ---- database ---- */

enum emt_err bootstrap_cluster(const char *superuser_conninfo, const char *migrations,
                               struct emt_diag *diag)
{
    struct store *s = NULL;
    enum emt_err err = store_open_user(superuser_conninfo, "postgres", CONNECT_MS, &s, diag);

    if (err == EMT_OK)
        err = migrate_cluster(s, migrations, diag);
    store_close(s);
    return err;
}

enum emt_err bootstrap_migrate(const char *conninfo, const char *migrations, struct emt_diag *diag)
{
    struct store *s = NULL;
    unsigned applied = 0;
    enum emt_err err = store_open(conninfo, STORE_OWNER, CONNECT_MS, &s, diag);

    if (err == EMT_OK)
        err = migrate_run(s, migrations, &applied, diag);
    store_close(s);
    if (applied)
        LOG_NOTICE("database-migrated", LOG_I("migrations", applied),
                   LOG_I("version", STORE_SCHEMA_VERSION));
    return err;
}

/* ---- master key ---- */

static enum emt_err make_master_key(struct store *admin, const char *path, struct seal_key *out,
                                    struct emt_diag *diag)
{
    struct writer ignored;
    struct seal_key none = { .version = 1 };
    enum emt_err err;

    writer_init_heap(&ignored, SECRET_MAX);
    err = platform_secret_load(admin, PLATFORM_ROOT, &none, &ignored, NULL);
    writer_release(&ignored);
    if (err == EMT_EAUTH)
        return emt_fail(diag, EMT_ENOTFOUND,
                        "missing, while the database holds secrets that are wrapped with it");
    if (err != EMT_ENOTFOUND)
        return emt_fail(diag, EMT_EDB, "%s", store_error(admin));
    err = seal_key_make(out, 1);
    if (err == EMT_OK)
        err = seal_key_create(path, out, diag);
    if (err == EMT_OK)
        LOG_NOTICE("master-key-made", LOG_S("file", path),
                   LOG_S("note", "no backup of the database contains it: keep a copy"));
    return err;
}

enum emt_err bootstrap_master_key(struct store *admin, const char *path, struct seal_key *out,
                                  struct emt_diag *diag)
{
    enum emt_err err = seal_key_read(path, out, diag);

    return err == EMT_ENOTFOUND ? make_master_key(admin, path, out, diag) : err;
}

/* ---- first operator ---- */

static enum emt_err write_login(const char *folder, const char *url, const char *password,
                                const uint8_t pin[32], struct emt_diag *diag)
{
    char path[512], text[700], hex[65];
    enum emt_err err = file_join(path, sizeof path, folder, LOGIN_FILE);

    if (err != EMT_OK)
        return err;
    snprintf(text, sizeof text, "url: %.400s\nuser: admin\npassword: %s\npin: %s\n", url, password,
             hex_encode(pin, 32, hex));
    err = file_write(path, text, strlen(text), 0600, diag);
    cipher_wipe(text, sizeof text);
    return err;
}

static enum emt_err make_operator(struct store *admin, const char *folder, const char *url,
                                  const uint8_t pin[32], struct first_login *out,
                                  struct emt_diag *diag)
{
    const struct audit_entry entry = {
        0, "emtd", "user.create", "user/admin", "first start", NULL
    };
    char hash[PASSWORD_HASH_MAX];
    int64_t id;
    enum emt_err err = password_one_time(out->password);

    if (err == EMT_OK)
        err = password_hash(out->password, hash);
    if (err == EMT_OK)
        err = user_create(admin, "admin", hash, true, PLATFORM_OPERATOR, &id);
    if (err == EMT_OK)
        err = audit_append(admin, &entry);
    if (err != EMT_OK)
        return emt_fail(diag, err, "first operator: %s", store_error(admin));
    return write_login(folder, url, out->password, pin, diag);
}

enum emt_err bootstrap_operator(struct store *admin, const char *folder, const char *url,
                                const uint8_t pin[32], struct first_login *out,
                                struct emt_diag *diag)
{
    int64_t n = 0;
    enum emt_err err = store_begin(admin, 0);

    *out = (struct first_login){ .created = false };
    if (err == EMT_OK)
        err = platform_lock(admin);
    if (err == EMT_OK)
        err = user_count(admin, &n);
    if (err != EMT_OK)
        (void)emt_fail(diag, err, "first operator: %s", store_error(admin));
    if (err == EMT_OK && n == 0)
        err = make_operator(admin, folder, url, pin, out, diag);
    if (err == EMT_OK)
        err = store_commit(admin);
    if (err != EMT_OK) {
        store_rollback(admin);
        return err;
    }
    out->created = n == 0;
    return EMT_OK;
}

enum emt_err first_login_set_url(const char *folder, const char *url, struct emt_diag *diag)
{
    char path[512];
    char *text = NULL, *rest;
    struct writer w;
    size_t len;
    enum emt_err err = file_join(path, sizeof path, folder, LOGIN_FILE);

    if (err == EMT_OK)
        err = file_read(path, 4096, &text, &len, NULL);
    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_OK : emt_fail(diag, err, "%s: cannot be read", path);
    rest = strchr(text, '\n');
    writer_init_heap(&w, 8192);
    writer_printf(&w, "url: %s%s", url, rest ? rest : "\n");
    if (w.failed)
        err = EMT_ENOMEM;
    else if (strncmp(text, "url: ", 5) == 0 && (w.len != len || memcmp(w.data, text, len) != 0))
        err = file_write(path, w.data, w.len, 0600, diag);
    writer_release(&w);
    free(text);
    return err;
}
