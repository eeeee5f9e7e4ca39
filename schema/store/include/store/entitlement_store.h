/* What the operator has agreed with a tenant: modules (model/module.h) and a number of active
 * meters. */
#ifndef EMT_STORE_ENTITLEMENT_STORE_H
#define EMT_STORE_ENTITLEMENT_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "model/module.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct entitlements {
    unsigned modules;   /* bits of enum module */
    bool all_modules;   /* also those to come */
    int32_t meters_max; /* -1: any number */
    int64_t meters;     /* active ones */
};
/* Inside a transaction of the tenant, or as STORE_ADMIN. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err entitlements_get(struct store *s, int32_t tenant,
                                          struct entitlements *out);
EMT_CHECKED enum emt_err entitlement_has(struct store *s, int32_t tenant, enum module m, bool *has);
/* Whether the device may become what is asked for, as active and adopted ones count; one that
 * counts already may. A device that is not there yet is an active one. Inside a transaction. */
EMT_CHECKED enum emt_err entitlement_has_room(struct store *s, int32_t tenant, const char *ident,
                                              bool adopts, bool activates, bool *room);

/* As STORE_ADMIN inside a transaction. */
EMT_CHECKED enum emt_err entitlements_set(struct store *s, int32_t tenant,
                                          const struct entitlements *e);
/* Active meters beyond the number become passive, the youngest first, each with the event
 * `meters-exceeded`; how many. Their values stay, and go on to be stored. */
EMT_CHECKED enum emt_err entitlements_enforce(struct store *s, int32_t tenant, int64_t *passive);

const struct store_statement *entitlement_store_statements(size_t *n);

#endif
