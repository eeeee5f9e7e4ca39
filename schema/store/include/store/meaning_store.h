/* What a channel's values mean: the tenant's own units and quantities beside the catalogue, and
 * versions of a channel from a time on. Inside a transaction of the tenant. */
#ifndef EMT_STORE_MEANING_STORE_H
#define EMT_STORE_MEANING_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* (name, base, mantissa, exponent, own bool), the catalogue's and the tenant's own, by name. */
EMT_CHECKED enum emt_err units_list(struct store *s, int32_t tenant, struct store_result **out);
/* EMT_ECONFLICT the tenant or the catalogue has it; EMT_ENOTFOUND base is no base unit: neither one
 * of the catalogue, nor the new one itself, nor another own one that is its own base. */
EMT_CHECKED enum emt_err unit_add(struct store *s, int32_t tenant, const char *name,
                                  const char *base, struct decimal factor);
/* EMT_ENOTFOUND; EMT_ECONFLICT a channel, a version or another unit is in it. */
EMT_CHECKED enum emt_err unit_remove(struct store *s, int32_t tenant, const char *name);
/* EMT_ENOTFOUND: neither in the catalogue nor the tenant's own. */
EMT_CHECKED enum emt_err unit_known(struct store *s, int32_t tenant, const char *name);

/* (name, description, own bool). */
EMT_CHECKED enum emt_err quantities_list(struct store *s, int32_t tenant,
                                         struct store_result **out);
EMT_CHECKED enum emt_err quantity_add(struct store *s, int32_t tenant, const char *name,
                                      const char *description);
EMT_CHECKED enum emt_err quantity_remove(struct store *s, int32_t tenant, const char *name);
EMT_CHECKED enum emt_err quantity_known(struct store *s, int32_t tenant, const char *name);

struct channel_version_new {
    int64_t channel;
    emt_time from;
    const char *unit, *quantity; /* NULL: as the version before */
    const char *meaning, *reason, *created_by;
};
/* The first one makes version 1 of what the channel was before. EMT_ECONFLICT there is one of that
 * time; EMT_ENOTFOUND no such channel; EMT_ELIMIT: not behind the last version. */
EMT_CHECKED enum emt_err channel_version_add(struct store *s, int32_t tenant,
                                             const struct channel_version_new *v);
/* (version, valid_from, unit, quantity, meaning, reason, created_at, created_by), ascending, of
 * those in force at some time of [from, to). */
EMT_CHECKED enum emt_err channel_versions(struct store *s, int32_t tenant, int64_t channel,
                                          emt_time from, emt_time to, struct store_result **out);

/* --- reads of devices --- */

struct read_attempt_new {
    int64_t device, gateway; /* gateway 0: none */
    emt_time at;
    const char *method, *result, *detail, *made_by;
};
EMT_CHECKED enum emt_err read_attempt_add(struct store *s, int32_t tenant,
                                          const struct read_attempt_new *a, int64_t *id);
/* (cursor, attempt_id, at, method, result, detail, gateway external id, made_by), newest first,
 * with a number below `before` (0: from the newest). */
EMT_CHECKED enum emt_err read_attempt_list(struct store *s, int32_t tenant, int64_t device,
                                           int64_t before, int limit, struct store_result **out);

const struct store_statement *meaning_store_statements(size_t *n);

#endif
