/* What is kept no longer: values and packed frames of a tenant past its settings. As STORE_ADMIN.
 */
#ifndef EMT_STORE_RETENTION_STORE_H
#define EMT_STORE_RETENTION_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct retention_counts {
    int64_t rows;   /* of reading and reading_late */
    int64_t blocks; /* of reading_block */
    int64_t others; /* texts, conflicts, predecessors */
    int64_t packs;
};

/* A channel's day with 48 values or more, and a block of a day, keep to reading_retention_days;
 * what is sparser, and a block of a month, to daily_retention_days; texts, conflicts and
 * predecessors to the longer of both; packs to raw_retention_days. Whole days and months only.
 * Outside of a transaction: what was deleted stays deleted. EMT_ENOTFOUND no such tenant. */
EMT_CHECKED enum emt_err retention_expire(struct store *s, int32_t tenant, emt_time now,
                                          struct retention_counts *out);

const struct store_statement *retention_store_statements(size_t *n);

#endif
