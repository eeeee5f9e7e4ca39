#include "archive_file.h"

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define MANIFEST "manifest.json"
#define MAC "manifest.mac"
#define MANIFEST_MAX ((size_t)64 << 20)

static enum emt_err file_failed(struct emt_diag *diag, const char *path, const char *what)
{
    int e = errno;

    return emt_fail(diag,
                    e == EEXIST   ? EMT_ECONFLICT
                    : e == ENOENT ? EMT_ENOTFOUND
                                  : EMT_EIO,
                    "%s: %s: %s", path, what, strerror(e));
}

enum emt_err archive_file_open(const char *folder, const char *table, bool write,
                               struct archive_file *out, struct emt_diag *diag)
{
    char path[ARCHIVE_FOLDER_MAX + 128];
    int n = snprintf(path, sizeof path, "%s/tables/%s.copy", folder, table);
    int fd;

    *out = (struct archive_file){ 0 };
    if (n < 0 || (size_t)n >= sizeof path)
        return emt_fail(diag, EMT_ELIMIT, "%s: the path is too long", folder);
    fd = open(path, write ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_failed(diag, path, "cannot be opened");
    out->file = fdopen(fd, write ? "w" : "r");
    if (out->file == NULL)
        (void)close(fd);
    out->digest = cipher_digest_new();
    if (out->file != NULL && out->digest != NULL)
        return EMT_OK;
    if (out->file != NULL)
        (void)fclose(out->file);
    cipher_digest_free(out->digest);
    *out = (struct archive_file){ 0 };
    return emt_fail(diag, EMT_ENOMEM, "out of memory");
}

enum emt_err archive_file_put(void *ctx, const void *p, size_t n)
{
    struct archive_file *f = ctx;

    if (fwrite(p, 1, n, f->file) != n)
        return EMT_EIO;
    cipher_digest_add(f->digest, p, n);
    f->bytes += (int64_t)n;
    return EMT_OK;
}

enum emt_err archive_file_take(void *ctx, void *buf, size_t size, size_t *n)
{
    struct archive_file *f = ctx;

    *n = fread(buf, 1, size, f->file);
    if (*n == 0 && ferror(f->file))
        return EMT_EIO;
    cipher_digest_add(f->digest, buf, *n);
    f->bytes += (int64_t)*n;
    return EMT_OK;
}

enum emt_err archive_file_close(struct archive_file *f, char sha256[ARCHIVE_HEX])
{
    uint8_t hash[32];
    bool ok;

    if (f->file == NULL)
        return EMT_OK;
    cipher_digest_end(f->digest, hash);
    hex_encode(hash, sizeof hash, sha256);
    cipher_digest_free(f->digest);
    ok = fflush(f->file) == 0 && (fsync(fileno(f->file)) == 0 || errno == EINVAL);
    ok = fclose(f->file) == 0 && ok;
    *f = (struct archive_file){ .bytes = f->bytes };
    return ok ? EMT_OK : EMT_EIO;
}

/* ---- the manifest ---- */

/* The transport key itself wraps; what seals the manifest is made of it. */
static enum emt_err mac_of(const struct seal_key *transport, const void *p, size_t n,
                           uint8_t mac[32])
{
    static const char purpose[] = ARCHIVE_FORMAT " manifest";
    uint8_t key[32];
    enum emt_err err =
        cipher_hmac_sha256(transport->key, sizeof transport->key, purpose, sizeof purpose - 1, key);

    if (err == EMT_OK)
        err = cipher_hmac_sha256(key, sizeof key, p, n, mac);
    cipher_wipe(key, sizeof key);
    return err;
}

static enum emt_err create_in(const char *folder, const char *name, const char *text,
                              struct emt_diag *diag)
{
    char path[ARCHIVE_FOLDER_MAX + 128];
    enum emt_err err = file_join(path, sizeof path, folder, name);

    return err == EMT_OK ? file_create(path, text, strlen(text), 0600, diag) : err;
}

enum emt_err archive_manifest_write(const char *folder, const struct seal_key *transport,
                                    const json_t *manifest, struct emt_diag *diag)
{
    char *text = json_dumps(manifest, JSON_INDENT(1));
    char hex[ARCHIVE_HEX];
    uint8_t mac[32];
    enum emt_err err;

    if (text == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    err = mac_of(transport, text, strlen(text), mac);
    if (err == EMT_OK)
        err = create_in(folder, MANIFEST, text, diag);
    if (err == EMT_OK)
        err = create_in(folder, MAC, hex_encode(mac, sizeof mac, hex), diag);
    free(text);
    return err;
}

static enum emt_err read_in(const char *folder, const char *name, char **text, size_t *n,
                            struct emt_diag *diag)
{
    char path[ARCHIVE_FOLDER_MAX + 128];
    enum emt_err err = file_join(path, sizeof path, folder, name);

    return err == EMT_OK ? file_read(path, MANIFEST_MAX, text, n, diag) : err;
}

static enum emt_err check_mac(const char *folder, const struct seal_key *transport,
                              const char *text, size_t n, struct emt_diag *diag)
{
    uint8_t mac[32], said[32];
    char *hex = NULL;
    size_t len = 0, got = 0;
    enum emt_err err = read_in(folder, MAC, &hex, &len, diag);

    if (err != EMT_OK)
        return err;
    err = mac_of(transport, text, n, mac);
    if (err == EMT_OK && (hex_decode(hex, len, said, sizeof said, &got) != EMT_OK ||
                          got != sizeof said || !cipher_equal(mac, said, sizeof mac)))
        err = emt_fail(diag, EMT_EAUTH, "%s: not sealed with this transport key, or changed since",
                       MANIFEST);
    free(hex);
    return err;
}

static enum emt_err check_version(const json_t *m, struct emt_diag *diag)
{
    const char *format = json_string_value(json_object_get(m, "format"));
    json_int_t version = json_integer_value(json_object_get(m, "version"));
    json_int_t schema = json_integer_value(json_object_get(m, "schema"));

    if (format == NULL || strcmp(format, ARCHIVE_FORMAT) != 0 || version < 1 || schema < 1)
        return emt_fail(diag, EMT_EMALFORMED, "%s is not the manifest of an archive", MANIFEST);
    if (version > ARCHIVE_VERSION || schema > STORE_SCHEMA_VERSION)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "the archive (format %lld, schema %lld) is newer than this program"
                        " (format %d, schema %d)",
                        (long long)version, (long long)schema, ARCHIVE_VERSION,
                        STORE_SCHEMA_VERSION);
    return EMT_OK;
}

enum emt_err archive_manifest_read(const char *folder, const struct seal_key *transport,
                                   json_t **out, struct emt_diag *diag)
{
    char *text = NULL;
    size_t n = 0;
    enum emt_err err = read_in(folder, MANIFEST, &text, &n, diag);

    *out = NULL;
    if (err != EMT_OK)
        return err;
    err = check_mac(folder, transport, text, n, diag);
    if (err == EMT_OK) {
        *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        if (*out == NULL)
            err = emt_fail(diag, EMT_EMALFORMED, "%s is no JSON", MANIFEST);
    }
    free(text);
    if (err == EMT_OK)
        err = check_version(*out, diag);
    if (err != EMT_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}
