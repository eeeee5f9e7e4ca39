#include "ctl_database.h"
#include "store/audit_store.h"
#include "store/store.h"
#include "store/tenant_store.h"
#include "tenant_move.h"

#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What was agreed is the platform's business, and its effect the tenant's. */
static enum emt_err change(struct store *s, const struct tenant_move *m, int32_t tenant)
{
    char detail[48];
    struct audit_entry e = { .tenant = tenant,
                             .actor = m->actor,
                             .action = "tenant.limit",
                             .object = m->key,
                             .detail = detail };
    enum emt_err err = tenant_set_meters_max(s, tenant, m->meters);

    if (m->meters < 0)
        (void)snprintf(detail, sizeof detail, "meters: any number");
    else
        (void)snprintf(detail, sizeof detail, "meters: %d", (int)m->meters);
    if (err == EMT_OK)
        err = audit_append(s, &e);
    e.tenant = 0;
    return err == EMT_OK ? audit_append(s, &e) : err;
}

enum emt_err tenant_limit(const struct tenant_move *m, struct emt_diag *diag)
{
    struct store *s = NULL;
    int32_t tenant = 0;
    enum emt_err err = ctl_tenant(m->conninfo, m->key, &tenant, diag);

    if (err == EMT_OK)
        err = store_open(m->conninfo, STORE_ADMIN, CTL_CONNECT_MS, &s, diag);
    if (err != EMT_OK)
        return err;
    err = store_begin(s, 0);
    if (err == EMT_OK)
        err = change(s, m, tenant);
    if (err == EMT_OK)
        err = store_commit(s);
    if (err != EMT_OK) {
        (void)emt_fail(diag, err, "%s", store_error(s));
        store_rollback(s);
    }
    store_close(s);
    return err;
}
