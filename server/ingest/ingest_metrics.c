#include "ingest_metrics.h"

#include "loop/metrics.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void ingest_metrics_init(struct ingest_metrics *m, struct metrics *in)
{
    static const char *const states[FRAME_STATES] = {
        [FRAME_OK] = "state=\"ok\"",
        [FRAME_KEY_NEEDED] = "state=\"key-needed\"",
        [FRAME_KEY_WRONG] = "state=\"key-wrong\"",
        [FRAME_MAC_WRONG] = "state=\"mac-wrong\"",
        [FRAME_REPLAYED] = "state=\"replayed\"",
        [FRAME_DUPLICATE] = "state=\"duplicate\"",
        [FRAME_PLAINTEXT_REFUSED] = "state=\"plaintext-refused\"",
        [FRAME_FORMAT_NEEDED] = "state=\"format-needed\"",
        [FRAME_UNSUPPORTED] = "state=\"unsupported\"",
        [FRAME_MALFORMED] = "state=\"malformed\"",
        [FRAME_CODEC_FAILED] = "state=\"codec-failed\"",
        [FRAME_QUARANTINED] = "state=\"quarantined\"",
    };
    const char *f = "emt_ingest_frames_total", *v = "emt_ingest_values_total";
    const char *fh = "Frames committed, by what became of them", *vh = "Values, by where they went";

    for (int i = 0; i < FRAME_STATES; i++)
        m->frames[i] = metrics_counter(in, f, states[i], fh);
    m->ignored = metrics_counter(in, f, "state=\"ignored\"", fh);
    m->rejected = metrics_counter(in, f, "state=\"rejected\"", fh);
    m->values = metrics_counter(in, v, "to=\"hot\"", vh);
    m->late = metrics_counter(in, v, "to=\"late\"", vh);
    m->texts = metrics_counter(in, v, "to=\"text\"", vh);
    m->repeated = metrics_counter(in, v, "to=\"repeated\"", vh);
    m->refused = metrics_counter(in, v, "to=\"past-retention\"", vh);
    m->unscalable = metrics_counter(in, v, "to=\"unscalable\"", vh);
    m->conflicts = metrics_counter(in, "emt_ingest_conflicts_total", NULL,
                                   "Values that contradict a stored one of equal rank");
    m->clock_ahead = metrics_counter(in, "emt_ingest_clock_ahead_total", NULL,
                                     "Frames with times in the future");
    m->commits = metrics_counter(in, "emt_ingest_commits_total", NULL, "Committed transactions");
    m->retries = metrics_counter(in, "emt_ingest_retries_total", NULL,
                                 "Transactions rolled back and repeated in parts");
    m->fenced =
        metrics_counter(in, "emt_ingest_fenced_total", NULL, "Sources that another node took over");
    m->deferred = metrics_counter(in, "emt_ingest_deferred_total", NULL,
                                  "Frames put off because the database refused for now");
    m->gaps = metrics_counter(in, "emt_ingest_gaps_total", NULL, "Gaps in sequences of gateways");
    m->bytes = metrics_counter(in, "emt_ingest_bytes_total", NULL, "Bytes of frames taken");
    m->over = metrics_counter(in, "emt_ingest_over_budget_total", NULL,
                              "Frames beyond the budget: their session ends");
    m->commit_ms =
        metrics_histogram(in, "emt_ingest_batch_ms", NULL, "From the start of a batch to its end");
    m->channels =
        metrics_gauge(in, "emt_ingest_cached_channels", NULL, "Channels in the cache of a loop");
    m->devices =
        metrics_gauge(in, "emt_ingest_cached_devices", NULL, "Devices in the cache of a loop");
}

void ingest_metrics_run(struct ingest_metrics *m, const struct run_stats *st)
{
    for (int i = 0; i < FRAME_STATES; i++)
        metric_add(m->frames[i], (int64_t)st->frames[i]);
    metric_add(m->ignored, (int64_t)st->ignored);
    metric_add(m->rejected, (int64_t)st->rejected);
    metric_add(m->values, (int64_t)st->values);
    metric_add(m->repeated, (int64_t)st->repeated);
    metric_add(m->late, (int64_t)st->late);
    metric_add(m->refused, (int64_t)st->refused);
    metric_add(m->conflicts, (int64_t)st->conflicts);
    metric_add(m->texts, (int64_t)st->texts);
    metric_add(m->clock_ahead, (int64_t)st->clock_ahead);
    metric_add(m->unscalable, (int64_t)st->unscalable);
    metric_add(m->commits, (int64_t)st->commits);
    metric_add(m->retries, (int64_t)st->retries);
}
