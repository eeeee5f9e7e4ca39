/* Calculated channels: what they are, their formulas by version, when they are computed. Inside a
 * transaction of the tenant unless said otherwise. */
#ifndef EMT_STORE_CALCULATED_STORE_H
#define EMT_STORE_CALCULATED_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Values of so long ago are computed again each time; once a day all of them. */
#define CALCULATION_RECENT (3 * EMT_DAY)
#define CALCULATION_EVERY (5 * EMT_MINUTE)

struct calculated_new {
    int64_t device;          /* whose channel it becomes */
    const char *name, *unit; /* unit NULL: none */
    int quantity;
    int32_t step_s;
    int decimals;
    const char *formula, *created_by;
    const int64_t *inputs;
    size_t ninputs;
    emt_time now;
};
/* EMT_ECONFLICT: the device has a calculated channel of this name. */
EMT_CHECKED enum emt_err calculated_insert(struct store *s, int32_t tenant,
                                           const struct calculated_new *c, int64_t *channel);
/* A further version; EMT_ENOTFOUND: no calculated channel. */
EMT_CHECKED enum emt_err calculated_version_add(struct store *s, int32_t tenant, int64_t channel,
                                                const struct calculated_new *c,
                                                emt_time valid_from);
enum calculated_column {
    CALCULATED_CURSOR,
    CALCULATED_CHANNEL,
    CALCULATED_NAME,
    CALCULATED_DEVICE, /* ident */
    CALCULATED_QUANTITY,
    CALCULATED_UNIT, /* "" for none */
    CALCULATED_STEP,
    CALCULATED_DECIMALS,
    CALCULATED_CREATED_AT,
    CALCULATED_CREATED_BY
};
/* Ascending above `after`. */
EMT_CHECKED enum emt_err calculated_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                         struct store_result **out);
/* One row as calculated_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err calculated_get(struct store *s, int32_t tenant, int64_t channel,
                                        struct store_result **out);
/* Rows (version, valid_from, formula, created_at, created_by), ascending. */
EMT_CHECKED enum emt_err calculated_versions(struct store *s, int32_t tenant, int64_t channel,
                                             struct store_result **out);
/* Of these channels, those that may be inputs: rows (channel_id, device_id, quantity, unit):
 * numbers that are not calculated themselves. */
EMT_CHECKED enum emt_err calculated_inputs(struct store *s, int32_t tenant, const int64_t *ids,
                                           size_t n, struct store_result **out);

/* Orders the channels with this input to be computed again for the period. */
EMT_CHECKED enum emt_err calculation_touch(struct store *s, int32_t tenant, int64_t input,
                                           emt_time from, emt_time to);
/* Orders one. from EMT_TIME_NONE: from the beginning. */
EMT_CHECKED enum emt_err calculation_order(struct store *s, int32_t tenant, int64_t channel,
                                           emt_time from, emt_time to);
/* Those that are due are ordered, each node finding others. As STORE_ADMIN, inside a transaction
 * without tenant. */
EMT_CHECKED enum emt_err calculation_order_due(struct store *s, emt_time now, int64_t *n);

const struct store_statement *calculated_store_statements(size_t *n);

#endif
