/* The compactor: closed spans of a tenant become blocks, in small steps beside everything else. As
 * STORE_ADMIN. */
#ifndef EMT_JOBS_COMPACT_H
#define EMT_JOBS_COMPACT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/block_store.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct metrics;

struct compact_metrics {
    struct metric *rows, *blocks, *conflicts, *skipped;
};
void compact_metrics_make(struct compact_metrics *c, struct metrics *m);

/* Moves all that is closed at `now`; repeatable, and what it moved stays moved however it ends.
 * step is asked between transactions with the rows moved so far; EMT_EAGAIN when it says no, or
 * when the tables were busy for long. *out counts also then. */
EMT_CHECKED enum emt_err compact_tenant(struct store *s, int32_t tenant, emt_time now,
                                        bool (*step)(void *ctx, int64_t done, int64_t total),
                                        void *ctx, const struct compact_metrics *metrics,
                                        struct block_counts *out);

#endif
