#include "ctl_database.h"
#include "store/store.h"
#include "store/tenant_removal.h"
#include "tenant_move.h"

#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum emt_err tenant_delete(const struct tenant_move *m, struct emt_diag *diag)
{
    char said[TENANT_REMOVAL_TEXT];
    struct store *s = NULL;
    enum emt_err err = store_open(m->conninfo, STORE_OWNER, CTL_CONNECT_MS, &s, diag);

    if (err == EMT_OK)
        err = tenant_remove(s, m->key, m->actor, said, diag);
    if (err == EMT_OK)
        (void)printf("%s: %s\n", m->key, said);
    store_close(s);
    return err;
}
