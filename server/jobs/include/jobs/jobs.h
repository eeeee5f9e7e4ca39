/* The job engine: worker threads that take jobs from PostgreSQL (lease, SKIP LOCKED), so that jobs
 * survive a crash and spread over nodes. */
#ifndef EMT_JOBS_JOBS_H
#define EMT_JOBS_JOBS_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jobs;
struct metrics;

struct jobs_settings {
    const char *conninfo;
    struct seal_key master;
    unsigned workers; /* default 1; two more only deliver */
    int64_t node_id;
    unsigned hot_days;         /* month partitions of the past, default 92 */
    const char *scratch_path;  /* crash notes of replay decoding */
    const char *delivery_root; /* local targets stand below it; NULL: there are none */
    bool private_networks;     /* targets may stand in them */
    struct metrics *metrics;
};

/* Kinds: "replay" (payload {"device": id} or {"state": "key-needed"}: decode waiting frames again),
 * "compaction" (closed spans become blocks; daily), "schedule" (an export that
 * runs by itself: what is due is ordered by the workers), "delivery" (one try of one file at one
 * target), "maintenance" (partitions, old telegrams and frames after retention, lost sessions;
 * every node daily, once). */
EMT_CHECKED enum emt_err jobs_start(const struct jobs_settings *s, struct jobs **out,
                                    struct emt_diag *diag);
void jobs_wake(struct jobs *j); /* from any thread */
void jobs_stop(struct jobs *j); /* finishes the running job */

#endif
