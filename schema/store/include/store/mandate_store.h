/* Who outside of the tenant may get which location's values, for which purpose and period. Inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_MANDATE_STORE_H
#define EMT_STORE_MANDATE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct mandate_new {
    int64_t location;
    const char *recipient, *purpose, *evidence, *created_by;
    emt_time from, to; /* to EMT_TIME_NONE: open */
};
/* EMT_ECONFLICT no such location; EMT_ELIMIT it ends before it begins. */
EMT_CHECKED enum emt_err mandate_insert(struct store *s, int32_t tenant,
                                        const struct mandate_new *m, int64_t *id);
/* (cursor, mandate_id, location code, recipient, purpose, valid_from, valid_to, evidence,
 * created_at, created_by), ascending above `after`; location NULL: of all. */
EMT_CHECKED enum emt_err mandate_list(struct store *s, int32_t tenant, const char *location,
                                      int64_t after, int limit, struct store_result **out);
/* One row as mandate_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err mandate_get(struct store *s, int32_t tenant, int64_t id,
                                     struct store_result **out);
/* EMT_ENOTFOUND, EMT_ELIMIT. */
EMT_CHECKED enum emt_err mandate_update(struct store *s, int32_t tenant, int64_t id, emt_time to,
                                        const char *evidence);
EMT_CHECKED enum emt_err mandate_delete(struct store *s, int32_t tenant, int64_t id);

/* Asked before values leave: rows (valid_from, valid_to) of all that a recipient has for a
 * location, whatever the purpose. */
EMT_CHECKED enum emt_err mandate_periods(struct store *s, int32_t tenant, const char *location,
                                         const char *recipient, struct store_result **out);

/* Whoever stands outside of the tenant and asks for values. */
struct mandate_asker {
    const char *recipient;
    const char *purpose; /* NULL, of stretches and reports: any */
};
/* Stretches of [from, to) whose values the asker may get: rows (channel_id, from, to), ascending,
 * of the first `limit` channels above `after`, or of one channel alone; from and to are NULL where
 * nothing of a channel is left. A channel is permitted while
 * it is bound to a location with a mandate; a calculated one only while none of its inputs belongs
 * to a location without. */
EMT_CHECKED enum emt_err mandate_stretches(struct store *s, int32_t tenant,
                                           const struct mandate_asker *who, int64_t channel,
                                           int64_t after, int limit, emt_time from, emt_time to,
                                           struct store_result **out);
/* The first stretch of [from, to) of a channel that is not permitted: one row (location code or
 * NULL, from, to, whether the asker has any mandate for that location). EMT_ENOTFOUND: all is. */
EMT_CHECKED enum emt_err mandate_missing(struct store *s, int32_t tenant,
                                         const struct mandate_asker *who, int64_t channel,
                                         emt_time from, emt_time to, struct store_result **out);
/* What may be asked for: rows (cursor, channel_id, location code, obis, unit, quantity, from, to)
 * of bindings under a mandate, whatever the channel is made of. after: place in the list. */
EMT_CHECKED enum emt_err mandate_permissions(struct store *s, int32_t tenant,
                                             const struct mandate_asker *who, int64_t after,
                                             int limit, struct store_result **out);

/* Asked before a file leaves: a row (location code, from, to) of what it shows and its receiver has
 * no mandate for any more. EMT_ENOTFOUND: it may leave. purpose: the receiver itself asks, also
 * where the tenant requires no mandates, and has those for this purpose only; NULL: any will do. Of
 * a file without noted messages it is known only which locations it names (of its receiver alone
 * unless that asks): one mandate within its period will do. */
EMT_CHECKED enum emt_err mandate_file_missing(struct store *s, int32_t tenant, int64_t file,
                                              const char *purpose, struct store_result **out);

/* The same of a report, whose messages are noted: each stretch of each channel, and of what a
 * calculated one is made of. */
EMT_CHECKED enum emt_err mandate_report_missing(struct store *s, int32_t tenant, int64_t file,
                                                const struct mandate_asker *who,
                                                struct store_result **out);

const struct store_statement *mandate_store_statements(size_t *n);

#endif
