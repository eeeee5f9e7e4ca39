/* The end of a tenant: keys destroyed, every row removed, and the proof that none is left in the
 * platform's audit. */
#ifndef EMT_STORE_TENANT_REMOVAL_H
#define EMT_STORE_TENANT_REMOVAL_H

#include "base/attr.h"
#include "base/error.h"

struct store;

#define TENANT_REMOVAL_TEXT 160

/* Waits half a minute for its connections and jobs to end; repeatable after an interruption. owner:
 * STORE_OWNER, outside of a transaction. said: what was removed. EMT_ENOTFOUND there is no such
 * tenant; EMT_EAGAIN somebody still writes, try again. */
EMT_CHECKED enum emt_err tenant_remove(struct store *owner, const char *key, const char *actor,
                                       char said[TENANT_REMOVAL_TEXT], struct emt_diag *diag);

#endif
