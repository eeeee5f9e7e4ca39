#include "base/cipher.h"
#include "tenant_archive_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define REWRAP_AT_ONCE "500"

/* clang-format off */
/* Where wrapped secrets stand; place, row and purpose as their writers bind them (base/seal.h). */
static const struct sealed {
    const char *table, *column, *place, *row, *purpose, *key;
} sealed[] = {
    { "tenant_ca", "key_blob", "tenant_ca", "generation::text", "'private-key'", "generation" },
    { "device_key", "blob", "device_key", "key_id::text", "'key'", "key_id" },
    { "device_key", "authentication_blob", "device_key", "key_id::text", "'authentication-key'", "key_id" },
    { "delivery_secret", "blob", "delivery_target", "target_id::text", "purpose", "target_id" },
    { "emt_certificate", "key_blob", "emt_certificate", "triple_id::text", "use", "triple_id" },
};
/* clang-format on */

const char *const *archive_sealed_columns(void)
{
    static const char *const names[] = {
        "tenant_ca.key_blob",   "device_key.blob",          "device_key.authentication_blob",
        "delivery_secret.blob", "emt_certificate.key_blob", NULL
    };

    static_assert(COUNT(names) == COUNT(sealed) + 1, "every wrapped column is listed");
    return names;
}

static enum emt_err reseal(const PGresult *res, int row, int32_t old_tenant,
                           const struct seal_key *old_keys, size_t n_old, int32_t tenant,
                           const struct seal_key *key, const struct sealed *c, struct writer *out)
{
    struct seal_place was = { old_tenant, c->place, PQgetvalue(res, row, 0),
                              PQgetvalue(res, row, 1) };
    struct seal_place is = { tenant, c->place, was.row, was.purpose };
    size_t n = 0, len = 0, out_len = 0;
    uint8_t *blob = PQunescapeBytea((const unsigned char *)PQgetvalue(res, row, 2), &n);
    uint8_t *plain = malloc(n + SEAL_OVERHEAD);
    uint8_t *place;
    enum emt_err err = blob && plain ? EMT_EAUTH : EMT_ENOMEM;

    for (size_t i = 0; err == EMT_EAUTH && i < n_old; i++)
        if (old_keys[i].version == seal_version(blob, n))
            err = seal_unwrap(&old_keys[i], &was, blob, n, plain, &len);
    writer_clear(out);
    place = err == EMT_OK ? writer_reserve(out, len + SEAL_OVERHEAD) : NULL;
    if (err == EMT_OK && place == NULL)
        err = EMT_ENOMEM;
    if (err == EMT_OK)
        err = seal_wrap(key, &is, plain, len, place, &out_len);
    if (plain)
        cipher_wipe(plain, n + SEAL_OVERHEAD);
    free(plain);
    PQfreemem(blob);
    return err == EMT_EMALFORMED ? EMT_EAUTH : err;
}

static enum emt_err put_back(struct store *s, const struct sealed *c, int32_t tenant,
                             const char *row, const char *purpose, const struct writer *blob,
                             struct emt_diag *diag)
{
    char number[16];
    char sql[512];
    const char *values[4] = { number, row, purpose, (const char *)blob->data };
    const int lengths[4] = { 0, 0, 0, (int)blob->len };
    const int formats[4] = { 0, 0, 0, 1 };
    PGresult *res;
    enum emt_err err;

    (void)snprintf(number, sizeof number, "%d", (int)tenant);
    (void)snprintf(sql, sizeof sql,
                   "update %s set %s = $4::bytea where tenant_id = $1::int4 and %s = $2::text::int8"
                   " and %s = $3::text",
                   c->table, c->column, c->key, c->purpose);
    res = PQexecParams(s->conn, sql, 4, NULL, values, lengths, formats, 0);
    err = store_judge(s, res);
    PQclear(res);
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "%s: %s", c->table, store_error(s));
}

static enum emt_err rewrap_column(struct store *s, const struct sealed *c, int32_t old_tenant,
                                  const struct seal_key *old_keys, size_t n_old, int32_t tenant,
                                  const struct seal_key *key, struct emt_diag *diag)
{
    struct writer sql, blob;
    PGresult *res = NULL;
    int n = 1;
    enum emt_err err;

    writer_init_heap(&sql, ARCHIVE_SQL_MAX);
    writer_init_heap(&blob, (size_t)16 << 20);
    /* A cursor sees the rows as they were when it was opened. */
    writer_printf(&sql,
                  "declare wrapped insensitive no scroll cursor for select %s, %s, %s from %s"
                  " where tenant_id = %d and %s is not null",
                  c->row, c->purpose, c->column, c->table, (int)tenant, c->column);
    err = archive_run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    while (err == EMT_OK && n > 0) {
        writer_clear(&sql);
        writer_text(&sql, "fetch " REWRAP_AT_ONCE " from wrapped");
        err = archive_run_text(s, &sql, PGRES_TUPLES_OK, &res, diag);
        n = err == EMT_OK ? PQntuples(res) : 0;
        for (int i = 0; err == EMT_OK && i < n; i++) {
            err = reseal(res, i, old_tenant, old_keys, n_old, tenant, key, c, &blob);
            if (err != EMT_OK)
                (void)emt_fail(diag, err, "%s %s: the secret does not open", c->table,
                               PQgetvalue(res, i, 0));
            else
                err = put_back(s, c, tenant, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), &blob,
                               diag);
        }
        PQclear(res);
        res = NULL;
    }
    writer_clear(&sql);
    writer_text(&sql, "close wrapped");
    if (err == EMT_OK)
        err = archive_run_text(s, &sql, PGRES_COMMAND_OK, NULL, diag);
    writer_release(&sql);
    writer_release(&blob);
    return err;
}

enum emt_err archive_rewrap(struct store *s, int32_t old_tenant, const struct seal_key *old_keys,
                            size_t n_old, int32_t tenant, const struct seal_key *key,
                            struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < COUNT(sealed); i++)
        err = rewrap_column(s, &sealed[i], old_tenant, old_keys, n_old, tenant, key, diag);
    return err;
}
