#include "own_crl.h"

#include "base/cipher.h"
#include "base/writer.h"
#include "pki/authority.h"
#include "pki/crl.h"
#include "store/certificate_store.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/tenant_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MAX ((size_t)256 << 10)

/* What the bootstrap made (server/main/platform_pki.h). */
static const char root_name[] = "pki-root";
static const char *const platform_names[] = { root_name, "pki-server" };

/* ---- what CAs of tenants say of themselves ---- */

static enum emt_err note_one(struct store *s, const struct store_result *r, int row,
                             struct emt_diag *diag)
{
    const char *pem = c_text(r, row, 2);
    struct leaf_info info;
    enum emt_err err = certificate_info(pem, strlen(pem), &info, diag);

    if (err != EMT_OK)
        return err;
    return authority_note(s, (int32_t)c_int(r, row, 0), (int32_t)c_int(r, row, 1), info.fingerprint,
                          info.serial, info.not_after);
}

static enum emt_err note_authorities(struct store *s, struct emt_diag *diag)
{
    struct store_result *r = NULL;
    enum emt_err err = authority_unread(s, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = note_one(s, r, i, diag);
    store_result_free(r);
    return err;
}

/* ---- one list ---- */

struct list {
    struct store_result *rows; /* (serial, since) */
    struct crl_revoked *items;
    size_t n;
};

static enum emt_err list_of(struct store_result *rows, struct list *out)
{
    out->rows = rows;
    out->n = (size_t)store_rows(rows);
    out->items = calloc(out->n + 1, sizeof *out->items);
    if (!out->items)
        return EMT_ENOMEM;
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = (struct crl_revoked){ c_text(rows, (int)i, 0), c_time(rows, (int)i, 1) };
    return EMT_OK;
}

static void list_release(struct list *l)
{
    free(l->items);
    store_result_free(l->rows);
}

/* tenant 0: a CA of the platform. */
static enum emt_err publish(struct store *s, int32_t tenant, const char *name,
                            const struct authority *a, const struct list *l, int64_t number,
                            emt_time now, struct emt_diag *diag)
{
    struct own_crl row = { .name = name, .number = number, .entries = (int32_t)l->n };
    struct writer der;
    enum emt_err err;

    row.this_update = now / EMT_SECOND * EMT_SECOND;
    row.next_update = row.this_update + OWN_CRL_LIFETIME;
    writer_init_heap(&der, CRL_MAX_BYTES);
    err = crl_issue(a, l->items, l->n, number, row.this_update, OWN_CRL_LIFETIME, &der, diag);
    if (err == EMT_OK) {
        authority_fingerprint(a, row.authority);
        row.der = der.data;
        row.len = der.len;
        err = tenant ? tenant_crl_put(s, tenant, &row) : platform_crl_put(s, &row);
    }
    writer_release(&der);
    return err;
}

static void release_secret(struct writer *w)
{
    if (w->data)
        cipher_wipe(w->data, w->cap);
    writer_release(w);
}

/* ---- tenants ---- */

static enum emt_err open_tenant_ca(struct store *s, int32_t tenant, int32_t generation,
                                   const struct seal_key *master, struct authority **out,
                                   struct emt_diag *diag)
{
    struct seal_key data_key;
    struct writer chain, key;
    enum emt_err err = tenant_key_load(s, tenant, 0, master, &data_key);

    if (err != EMT_OK)
        return err;
    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    err = tenant_ca_load_generation(s, tenant, generation, &data_key, &chain, &key);
    seal_key_wipe(&data_key);
    if (err == EMT_OK)
        err = authority_load(writer_cstr(&chain), chain.len, (const char *)key.data, key.len, out,
                             diag);
    release_secret(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err tenant_list_make(struct store *s, const struct seal_key *master,
                                     const struct store_result *due, int row, emt_time now,
                                     struct emt_diag *diag)
{
    int32_t tenant = (int32_t)c_int(due, row, 0);
    struct store_result *rows = NULL;
    struct authority *a = NULL;
    struct list l = { 0 };
    enum emt_err err = open_tenant_ca(s, tenant, (int32_t)c_int(due, row, 1), master, &a, diag);

    if (err == EMT_OK)
        err = authority_revoked(s, tenant, &rows);
    if (err == EMT_OK)
        err = list_of(rows, &l);
    if (err == EMT_OK)
        err = publish(s, tenant, NULL, a, &l, c_int(due, row, 2), now, diag);
    list_release(&l);
    authority_free(a);
    return err;
}

static enum emt_err tenants(struct store *s, const struct seal_key *master, emt_time now,
                            int64_t *made, struct emt_diag *diag)
{
    struct store_result *due = NULL;
    enum emt_err last = EMT_OK;
    enum emt_err err = authority_crl_due(s, now + OWN_CRL_LIFETIME - OWN_CRL_RENEWED, &due);

    for (int i = 0; err == EMT_OK && i < store_rows(due); i++) {
        enum emt_err one = tenant_list_make(s, master, due, i, now, diag);

        if (one == EMT_OK)
            ++*made;
        else
            last = one;
        if (store_is_broken(s))
            err = EMT_EDB;
    }
    store_result_free(due);
    return err == EMT_OK ? last : err;
}

/* ---- the platform ---- */

static enum emt_err open_platform_ca(struct store *s, const char *name,
                                     const struct seal_key *master, struct authority **out,
                                     struct emt_diag *diag)
{
    struct writer chain, key;
    enum emt_err err;

    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    err = platform_secret_load(s, name, master, &key, &chain);
    if (err == EMT_OK)
        err = authority_load_platform(writer_cstr(&chain), chain.len, (const char *)key.data,
                                      key.len, out, diag);
    release_secret(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err platform_list(struct store *s, const char *name, const struct seal_key *master,
                                  emt_time now, int64_t *made, struct emt_diag *diag)
{
    struct store_result *rows = NULL;
    struct authority *a = NULL;
    struct list l = { 0 };
    int64_t number = 0;
    enum emt_err err = name == root_name ? root_revoked(s, &rows) : EMT_OK;

    if (err == EMT_OK && rows)
        err = list_of(rows, &l);
    if (err == EMT_OK)
        err = platform_crl_due(s, name, now + OWN_CRL_LIFETIME - OWN_CRL_RENEWED, (int32_t)l.n,
                               &number);
    if (err == EMT_OK && number > 0) {
        err = open_platform_ca(s, name, master, &a, diag);
        if (err == EMT_OK)
            err = publish(s, 0, name, a, &l, number, now, diag);
        if (err == EMT_OK)
            ++*made;
    }
    list_release(&l);
    authority_free(a);
    /* A platform that was never set up completely has nothing to publish. */
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

enum emt_err own_crl_step(struct store *s, const struct seal_key *master, emt_time now,
                          int64_t *made, struct emt_diag *diag)
{
    enum emt_err err = note_authorities(s, diag);
    enum emt_err last;

    *made = 0;
    if (err != EMT_OK)
        return err;
    last = tenants(s, master, now, made, diag);
    for (unsigned i = 0; i < 2 && !store_is_broken(s); i++) {
        err = platform_list(s, platform_names[i], master, now, made, diag);
        if (err != EMT_OK)
            last = err;
    }
    return last;
}
