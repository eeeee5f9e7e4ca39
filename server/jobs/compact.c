#include "compact.h"

#include "loop/metrics.h"
#include "store/store.h"

#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A lot whose rows somebody else works on is tried again after a moment, so many times. */
#define BUSY_TRIES 10
#define BUSY_MS 200
/* Nothing was measured before it. */
#define BEGINNING INT64_C(0)

void compact_metrics_make(struct compact_metrics *c, struct metrics *m)
{
    c->rows = metrics_counter(m, "emt_compaction_rows_total", NULL, "Rows moved into blocks");
    c->blocks = metrics_counter(m, "emt_compaction_blocks_total", NULL, "Blocks written");
    c->conflicts = metrics_counter(m, "emt_compaction_conflicts_total", NULL,
                                   "Rows that contradict their block at equal rank");
    c->skipped = metrics_counter(m, "emt_compaction_skipped_total", NULL,
                                 "Rows left alone, because their block could not be written");
}

static void count(const struct compact_metrics *m, const struct block_counts *got,
                  struct block_counts *sum)
{
    metric_add(m->rows, got->rows);
    metric_add(m->blocks, got->blocks);
    metric_add(m->conflicts, got->conflicts);
    metric_add(m->skipped, got->skipped);
    sum->rows += got->rows;
    sum->blocks += got->blocks;
    sum->conflicts += got->conflicts;
    sum->skipped += got->skipped;
}

static enum emt_err compact_lot(struct store *s, int32_t tenant, struct block_lot *lot,
                                emt_time now, struct block_counts *got)
{
    const struct timespec moment = { 0, BUSY_MS * 1000000L };
    enum emt_err err = EMT_EAGAIN;

    for (unsigned i = 0; err == EMT_EAGAIN && i < BUSY_TRIES; i++) {
        if (i > 0)
            (void)nanosleep(&moment, NULL);
        err = block_compact(s, tenant, lot, now, got);
    }
    return err;
}

enum emt_err compact_tenant(struct store *s, int32_t tenant, emt_time now,
                            bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                            const struct compact_metrics *metrics, struct block_counts *out)
{
    struct block_lot lot = { .done = true };
    emt_time month = BEGINNING;

    memset(out, 0, sizeof *out);
    enum emt_err err = block_closed(s, tenant, now, &lot.closed);
    while (err == EMT_OK) {
        struct block_counts got = { 0 };

        if (lot.done) {
            err = block_next_month(s, tenant, month, lot.closed, &lot.month);
            if (err != EMT_OK || lot.month == EMT_TIME_NONE)
                break;
            lot = (struct block_lot){ .month = lot.month, .closed = lot.closed };
            month = block_month_after(lot.month);
        }
        err = compact_lot(s, tenant, &lot, now, &got);
        count(metrics, &got, out);
        if (err == EMT_OK && !step(ctx, out->rows, -1))
            err = EMT_EAGAIN;
    }
    return err;
}
