/* One part of a batch sorted out: its tenants, whose cursors move, which devices are locked, which
 * reception of a telegram counts. Pure data; the statements are batch_write.c. */
#ifndef EMT_INGEST_BATCH_PART_H
#define EMT_INGEST_BATCH_PART_H

#include "base/attr.h"
#include "base/clock.h"
#include "batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A device under lock. */
struct part_lock {
    int64_t device;
    int64_t counter; /* highest known message counter, and when it was received */
    emt_time counter_at;
    bool raised;
};

/* One tenant's share: slices of the lists below. */
struct part_group {
    int32_t tenant;
    size_t frame_from, frame_to;
    size_t source_from, source_to; /* by gateway, spool, epoch */
    size_t lock_from, lock_to;     /* by device */
    size_t lead_from, lead_to;     /* by device, hash, time */
};

struct batch_part {
    struct batch_frame **frames;
    size_t nframes, frames_cap;
    struct part_group *groups;
    size_t ngroups, groups_cap;
    struct batch_source **sources;
    size_t nsources, sources_cap;
    struct part_lock *locks;
    size_t nlocks, locks_cap;
    struct batch_frame **leads; /* of each radio telegram the reception that came first */
    size_t nleads, leads_cap;
    uint64_t mark;
};

void batch_part_release(struct batch_part *p);
/* Frames sorted by tenant; those that are done, deferred or of a source that is gone are passed
 * over. */
EMT_CHECKED enum emt_err batch_part_gather(struct batch_part *p, struct batch_frame *const *frames,
                                           size_t n);
/* The source with this cursor; NULL: none of the group's. */
struct batch_source *batch_part_source(const struct batch_part *p, const struct part_group *g,
                                       int64_t gateway, const uint8_t spool_id[16], int64_t epoch);
struct part_lock *batch_part_lock(const struct batch_part *p, const struct part_group *g,
                                  int64_t device);
/* The telegram was not known before: its leading reception is fresh. */
void batch_part_mark_fresh(struct batch_part *p, const struct part_group *g, int64_t device,
                           const uint8_t hash[16], int64_t slot);
/* Sets f->final of the group's frames: duplicates and replayed telegrams are told from those that
 * count. The frames are in order of reception afterwards. */
void batch_part_judge(struct batch_part *p, const struct part_group *g, emt_time now);
/* Decoded, its meter known: brings values when it is judged ok. */
bool batch_part_counts(const struct batch_frame *f);

#endif
