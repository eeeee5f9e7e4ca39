/* Counters and gauges of one process in Prometheus text format. Registration before the threads
 * start; counting from any thread, relaxed atomics. */
#ifndef EMT_LOOP_METRICS_H
#define EMT_LOOP_METRICS_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdint.h>

struct metrics;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
/* name as Prometheus spells it ("emt_frames_total"); labels "state=\"ok\"" or NULL. The same name
 * and labels give the same metric. Never NULL: out of memory gives a metric that is not shown.
 * Static texts. May be called from any thread. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels,
                               const char *help);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels,
                             const char *help);
void metric_add(struct metric *c, int64_t n);
void metric_set(struct metric *c, int64_t v);
int64_t metric_get(const struct metric *c);
/* A duration histogram with fixed bounds 1 ms … 60 s. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                 const char *help);
void metric_observe_ms(struct metric *h, int64_t ms);
void metrics_write(struct metrics *m, struct writer *out);

#endif
