#include "jobs/crl_import.h"

#include "store/certificate_store.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static enum emt_err check(const struct store_result *held, const struct crl *c, emt_time now,
                          const struct crl_info *info, struct emt_diag *diag)
{
    const char *pem = c_text(held, 0, IMPORT_PEM);
    struct crl_info before = { .this_update = c_time(held, 0, IMPORT_CRL_THIS_UPDATE) };
    enum emt_err err;

    if (c_bool(held, 0, IMPORT_PINNED))
        return emt_fail(diag, EMT_EUNSUPPORTED, "a pinned certificate is no CA: it has no list");
    err = crl_verify(c, pem, strlen(pem), now, diag);
    if (err != EMT_OK || c_null(held, 0, IMPORT_CRL_NUMBER))
        return err;
    (void)snprintf(before.number, sizeof before.number, "%s", c_text(held, 0, IMPORT_CRL_NUMBER));
    return crl_follows(&before, info, diag);
}

static enum emt_err keep(struct store *s, int32_t tenant, int64_t import, const struct crl *c,
                         const struct crl_info *info, bool fetched)
{
    struct writer der;
    enum emt_err err;

    writer_init_heap(&der, CRL_MAX_BYTES);
    err = crl_der(c, &der);
    if (err == EMT_OK) {
        const struct crl_row row = { .number = info->number,
                                     .this_update = info->this_update,
                                     .next_update = info->next_update,
                                     .entries = (int32_t)info->entries,
                                     .der = der.data,
                                     .len = der.len,
                                     .fetched = fetched };
        err = import_crl_put(s, tenant, import, &row);
    }
    writer_release(&der);
    return err;
}

/* What the handshake would refuse from now on is revoked in the registry, too: it stays so when the
 * list is gone. */
static enum emt_err revoke(struct store *s, int32_t tenant, int64_t import, const struct crl *c,
                           unsigned *n)
{
    struct store_result *r = NULL;
    enum emt_err err = import_leaves(s, tenant, import, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        size_t len = 0;
        const uint8_t *fingerprint = c_bytes(r, i, 0, &len);

        if (!crl_lists(c, c_text(r, i, 1)))
            continue;
        err = certificate_revoke(s, tenant, fingerprint, "crl");
        ++*n;
    }
    store_result_free(r);
    return err;
}

enum emt_err crl_import(struct store *s, int32_t tenant, int64_t import, const void *data, size_t n,
                        bool fetched, emt_time now, struct crl_import_result *out,
                        struct emt_diag *diag)
{
    struct store_result *held = NULL;
    struct crl *c = NULL;
    enum emt_err err = import_get(s, tenant, import, &held);

    out->revoked = 0;
    if (err != EMT_OK)
        return emt_fail(diag, err, "no such import");
    err = crl_read(data, n, &c, diag);
    if (err == EMT_OK) {
        crl_describe(c, &out->info);
        err = check(held, c, now, &out->info, diag);
    }
    if (err == EMT_OK) {
        err = keep(s, tenant, import, c, &out->info, fetched);
        if (err == EMT_OK)
            err = revoke(s, tenant, import, c, &out->revoked);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "%s", store_error(s));
    }
    store_result_free(held);
    crl_free(c);
    return err;
}
