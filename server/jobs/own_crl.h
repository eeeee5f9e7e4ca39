/* Lists of revoked certificates that our CAs publish. */
#ifndef EMT_JOBS_OWN_CRL_H
#define EMT_JOBS_OWN_CRL_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdint.h>

struct store;

#define OWN_CRL_LIFETIME (7 * EMT_DAY)
#define OWN_CRL_RENEWED EMT_DAY /* each day, or with the next revocation */

/* As STORE_ADMIN, repeatable, on any number of nodes: notes what new CAs of tenants say of
 * themselves, and makes the lists that are due. *made of them. A CA whose key cannot be used is
 * named in diag and holds up no other; the last such error is returned. */
EMT_CHECKED enum emt_err own_crl_step(struct store *s, const struct seal_key *master, emt_time now,
                                      int64_t *made, struct emt_diag *diag);

#endif
