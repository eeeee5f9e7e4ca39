/* A list of revoked certificates of an imported CA, brought by people or fetched: checked, kept,
 * and what it lists is revoked. */
#ifndef EMT_JOBS_CRL_IMPORT_H
#define EMT_JOBS_CRL_IMPORT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "pki/crl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct crl_import_result {
    struct crl_info info;
    unsigned revoked; /* gateways' certificates that this list ended */
};
/* Inside a transaction of the tenant. EMT_ENOTFOUND no such import; EMT_EMALFORMED,
 * EMT_EUNSUPPORTED, EMT_EAUTH, EMT_ESTATE, EMT_ECONFLICT: as pki/crl.h says, the list before stays;
 * EMT_EDB. diag names the reason. */
EMT_CHECKED enum emt_err crl_import(struct store *s, int32_t tenant, int64_t import,
                                    const void *data, size_t n, bool fetched, emt_time now,
                                    struct crl_import_result *out, struct emt_diag *diag);

#endif
