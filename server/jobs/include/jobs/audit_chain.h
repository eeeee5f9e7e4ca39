/* The chain of the audit: each entry's hash holds the one before, so that a changed, removed,
 * inserted or moved entry is found; once a day the end of the chain is signed with a key of the
 * platform, so that a chain that was made anew is found, too.
 *
 * What it does not see: an entry removed within the second before it is linked, and a forger who
 * has the platform's master key. */
#ifndef EMT_JOBS_AUDIT_CHAIN_H
#define EMT_JOBS_AUDIT_CHAIN_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct seal_key;
struct store;

/* Links what waits, of all tenants and the platform, and signs what is due. admin: STORE_ADMIN,
 * outside of a transaction. One node links a tenant at a time; who comes second passes on.
 * *linked counts entries. */
EMT_CHECKED enum emt_err audit_chain_step(struct store *admin, const struct seal_key *master,
                                          int64_t *linked, struct emt_diag *diag);

struct audit_verdict {
    int64_t entries; /* also those not linked yet */
    int64_t chained; /* recomputed */
    int64_t anchors; /* checked */
    int64_t base; /* the chain begins behind this number: older entries are cut. 0: it is whole */
    bool ok;
    int64_t bad_entry; /* 0: no entry is left to name */
    char reason[160];  /* "" when ok */
    emt_time checked_at;
};
/* Recomputes a tenant's chain (0: the platform's) and checks its anchors. s: reads the tenant's
 * entries, in a transaction of it or as STORE_ADMIN; keys: STORE_ADMIN. Entries that are linked
 * meanwhile do not disturb. EMT_OK also when it is broken. */
EMT_CHECKED enum emt_err audit_chain_verify(struct store *s, struct store *keys, int32_t tenant,
                                            struct audit_verdict *out);

#endif
