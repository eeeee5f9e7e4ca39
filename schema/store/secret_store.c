#include "store/secret_store.h"

#include "base/cipher.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_INSERT, KEY_NEWEST, KEY_VERSION, SECRET_INSERT, SECRET_GET, SECRET_REPLACE, LOCK };

static const struct store_statement statements[] = {
    [KEY_INSERT] = { "tenant_key_insert", 3,
                     "insert into tenant_key (tenant_id, version, blob) values ($1, $2, $3)" },
    [KEY_NEWEST] = { "tenant_key_newest", 1,
                     "select version, blob from tenant_key where tenant_id = $1"
                     " order by version desc limit 1" },
    [KEY_VERSION] = { "tenant_key_version", 2,
                      "select version, blob from tenant_key where tenant_id = $1 and version = $2" },
    [SECRET_INSERT] = { "platform_secret_insert", 3,
                        "insert into platform_secret (name, blob, public_text) values ($1, $2, $3)"
                        " on conflict do nothing" },
    [SECRET_GET] = { "platform_secret_get", 1,
                     "select blob, coalesce(public_text, '') from platform_secret where name = $1" },
    [SECRET_REPLACE] = { "platform_secret_replace", 2,
                         "update platform_secret set blob = $2 where name = $1" },
    [LOCK] = { "platform_lock", 0, "select pg_advisory_xact_lock(740002)::text" },
};

const struct store_statement *secret_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

/* row: storage for the text of the version. */
static struct seal_place key_place(int32_t tenant, uint16_t version, char row[8])
{
    snprintf(row, 8, "%u", (unsigned)version);
    return (struct seal_place){ tenant, "tenant_key", row, "data-key" };
}

enum emt_err tenant_key_create(struct store *s, int32_t tenant, const struct seal_key *master,
                               struct seal_key *out)
{
    uint8_t blob[SEAL_KEY_LEN + SEAL_OVERHEAD];
    struct store_param p[3];
    struct seal_place place;
    struct seal_key k;
    char row[8];
    size_t len;
    enum emt_err err = seal_key_make(&k, 1);

    place = key_place(tenant, k.version, row);
    if (err == EMT_OK)
        err = seal_wrap(master, &place, k.key, sizeof k.key, blob, &len);
    if (err == EMT_OK) {
        p_int4(&p[0], tenant);
        p_int4(&p[1], k.version);
        p_bytes(&p[2], blob, len);
        err = store_run(s, &statements[KEY_INSERT], p, NULL);
    }
    if (err == EMT_OK)
        *out = k;
    seal_key_wipe(&k);
    return err;
}

/* A master key that does not fit is an authentication failure, whichever way the blob says so. */
static enum emt_err unwrap_error(enum emt_err err)
{
    return err == EMT_ENOTFOUND || err == EMT_EMALFORMED ? EMT_EAUTH : err;
}

static enum emt_err open_key(const struct store_result *r, int32_t tenant,
                             const struct seal_key *master, struct seal_key *out)
{
    uint8_t plain[SEAL_KEY_LEN + SEAL_OVERHEAD];
    struct seal_place place;
    const uint8_t *blob;
    size_t n, len;
    char row[8];
    enum emt_err err;

    if (store_rows(r) == 0)
        return EMT_ENOTFOUND;
    blob = c_bytes(r, 0, 1, &n);
    if (n != sizeof plain)
        return EMT_EAUTH;
    place = key_place(tenant, (uint16_t)c_int(r, 0, 0), row);
    err = unwrap_error(seal_unwrap(master, &place, blob, n, plain, &len));
    if (err == EMT_OK) {
        out->version = (uint16_t)c_int(r, 0, 0);
        memcpy(out->key, plain, SEAL_KEY_LEN);
    }
    cipher_wipe(plain, sizeof plain);
    return err;
}

enum emt_err tenant_key_load(struct store *s, int32_t tenant, uint16_t version,
                             const struct seal_key *master, struct seal_key *out)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_int4(&p[0], tenant);
    p_int4(&p[1], version);
    err = store_run(s, &statements[version ? KEY_VERSION : KEY_NEWEST], p, &r);
    if (err == EMT_OK)
        err = open_key(r, tenant, master, out);
    store_result_free(r);
    return err;
}

enum emt_err platform_lock(struct store *s)
{
    return store_run(s, &statements[LOCK], NULL, NULL);
}

static struct seal_place secret_place(const char *name)
{
    return (struct seal_place){ 0, "platform_secret", name, "secret" };
}

enum emt_err platform_secret_create(struct store *s, const char *name, const void *secret,
                                    size_t len, const char *public_text,
                                    const struct seal_key *master)
{
    struct seal_place place = secret_place(name);
    uint8_t *blob = malloc(len + SEAL_OVERHEAD);
    struct store_result *r = NULL;
    struct store_param p[3];
    size_t n;
    enum emt_err err;

    if (!blob)
        return EMT_ENOMEM;
    err = seal_wrap(master, &place, secret, len, blob, &n);
    if (err == EMT_OK) {
        p_text(&p[0], name);
        p_bytes(&p[1], blob, n);
        p_text(&p[2], public_text);
        err = store_run(s, &statements[SECRET_INSERT], p, &r);
    }
    if (err == EMT_OK && store_affected(r) == 0)
        err = EMT_ECONFLICT;
    store_result_free(r);
    free(blob);
    return err;
}

enum emt_err platform_secret_replace(struct store *s, const char *name, const void *secret,
                                     size_t len, const struct seal_key *master)
{
    struct seal_place place = secret_place(name);
    uint8_t *blob = malloc(len + SEAL_OVERHEAD);
    struct store_param p[2];
    size_t n;
    enum emt_err err;

    if (!blob)
        return EMT_ENOMEM;
    err = seal_wrap(master, &place, secret, len, blob, &n);
    if (err == EMT_OK) {
        p_text(&p[0], name);
        p_bytes(&p[1], blob, n);
        err = store_run_touch(s, &statements[SECRET_REPLACE], p);
    }
    free(blob);
    return err;
}

static enum emt_err open_secret(const struct store_result *r, const char *name,
                                const struct seal_key *master, struct writer *secret,
                                struct writer *public_text)
{
    struct seal_place place = secret_place(name);
    const uint8_t *blob;
    uint8_t *plain;
    size_t n, len;
    enum emt_err err;

    if (store_rows(r) == 0)
        return EMT_ENOTFOUND;
    blob = c_bytes(r, 0, 0, &n);
    plain = malloc(n + 1);
    if (!plain)
        return EMT_ENOMEM;
    err = unwrap_error(seal_unwrap(master, &place, blob, n, plain, &len));
    if (err == EMT_OK && (!writer_bytes(secret, plain, len) ||
                          (public_text && !writer_text(public_text, c_text(r, 0, 1)))))
        err = EMT_ENOMEM;
    cipher_wipe(plain, n);
    free(plain);
    return err;
}

enum emt_err platform_secret_load(struct store *s, const char *name, const struct seal_key *master,
                                  struct writer *secret, struct writer *public_text)
{
    struct store_result *r = NULL;
    struct store_param p;
    enum emt_err err;

    p_text(&p, name);
    err = store_run(s, &statements[SECRET_GET], &p, &r);
    if (err == EMT_OK)
        err = open_secret(r, name, master, secret, public_text);
    store_result_free(r);
    return err;
}
