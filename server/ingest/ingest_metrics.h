/* Counters of the batch engine. */
#ifndef EMT_INGEST_INGEST_METRICS_H
#define EMT_INGEST_INGEST_METRICS_H

#include "batch_run.h"
#include "model/frame_state.h"

struct metric;
struct metrics;

struct ingest_metrics {
    struct metric *frames[FRAME_STATES], *ignored, *rejected, *values, *repeated, *late, *refused,
        *conflicts, *texts, *clock_ahead, *unscalable, *commits, *retries, *fenced, *deferred,
        *gaps, *bytes, *over, *commit_ms, *channels, *devices;
};

void ingest_metrics_init(struct ingest_metrics *m, struct metrics *in);
/* What a run committed. */
void ingest_metrics_run(struct ingest_metrics *m, const struct run_stats *st);

#endif
