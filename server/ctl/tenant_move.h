/* What emtctl tenant does (docs/tenant-archive.md). */
#ifndef EMT_CTL_TENANT_MOVE_H
#define EMT_CTL_TENANT_MOVE_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct tenant_move {
    const char *conninfo;
    const char *key;       /* the tenant's; import: the new one, NULL as in the archive */
    const char *folder;    /* the archive */
    const char *master;    /* file of the master key */
    const char *transport; /* file of the transport key */
    const char *actor;     /* for the audit */
    int32_t meters;        /* limit: -1 any number */
    bool link_users;       /* import: users who exist get their membership */
};

/* Makes the transport key's file where there is none. Says on stdout what was written. */
EMT_CHECKED enum emt_err tenant_export(const struct tenant_move *m, struct emt_diag *diag);
EMT_CHECKED enum emt_err tenant_import(const struct tenant_move *m, struct emt_diag *diag);
/* Repeatable after an interruption. */
EMT_CHECKED enum emt_err tenant_delete(const struct tenant_move *m, struct emt_diag *diag);
/* Audited on both sides. */
EMT_CHECKED enum emt_err tenant_limit(const struct tenant_move *m, struct emt_diag *diag);

#endif
