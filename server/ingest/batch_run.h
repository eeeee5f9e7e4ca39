/* Writes a batch of frames: look up or create devices, decode, create channels, then one pipelined
 * transaction over many tenants.
 *
 * A state machine over an asynchronous store; it knows neither loop nor thread. batch_run_step()
 * does what can be done and says why it stopped; when the answers it waits for are complete, wake()
 * is called (from inside of store_pump()), and the owner calls batch_run_step() again from outside
 * of the store.
 *
 *   settle ─▶ look up ─▶ decode ─▶ create channels ─▶ flight 1: cursors, device locks, telegrams
 *                                                     flight 2: frames, values, counters, events
 *                                                     flight 3: conflicts, COMMIT
 *
 * What fails is rolled back and repeated tenant by tenant; within the failing tenant halves are
 * tried until one frame is left, which is then stored as bytes only. Failures that time heals
 * (locks, no space) put the tenant's frames off. */
#ifndef EMT_INGEST_BATCH_RUN_H
#define EMT_INGEST_BATCH_RUN_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_run;
struct store;

enum run_status {
    RUN_WAIT,   /* for answers; wake() comes */
    RUN_DONE,   /* every frame is done, deferred, or its source is gone */
    RUN_SETTLE, /* the outcome of a commit is not known: start again with settle */
    RUN_BROKEN, /* the connection is: abort, and start again with settle on another one */
};

/* What happened in a commit, for counters. */
struct run_stats {
    uint64_t frames[FRAME_STATES];
    uint64_t ignored, rejected;
    uint64_t values;   /* rows sent */
    uint64_t repeated; /* equal to the last committed value: not sent */
    uint64_t late, refused, conflicts, texts, clock_ahead, unscalable, events;
    uint64_t commits, retries;
};

struct run_handler {
    void (*wake)(void *ctx);
    /* These frames are in the database: f->done is set. They stay the owner's. Frames of sources
     * that are gone or deferred among them are to be passed over. */
    void (*committed)(void *ctx, struct batch_frame *const *frames, size_t n);
    void *ctx;
};

struct run_settings {
    struct registry *registry;     /* borrowed */
    struct batch_decoder *decoder; /* borrowed */
    bool replay; /* frames are rows of raw_frame: no cursors, the rows are updated */
};

struct batch_run *batch_run_new(const struct run_settings *s, const struct run_handler *h);
void batch_run_free(struct batch_run *r);
/* Bounds of the month partitions; values outside of them are late ones. */
void batch_run_set_window(struct batch_run *r, emt_time hot_from, emt_time hot_to);
enum run_how {
    RUN_UNSETTLED = 1, /* an earlier attempt may have been committed: cursors are asked first */
    RUN_BRIEF = 2,     /* locks are waited for briefly only */
};
/* Takes n frames (the array is copied, each source's frames in order of seq). how: bits of enum
 * run_how. */
EMT_CHECKED enum emt_err batch_run_start(struct batch_run *r, struct store *s,
                                         struct batch_frame *const *frames, size_t n, unsigned how);
enum run_status batch_run_step(struct batch_run *r);
/* Forgets what is under way; all callbacks of the store were called, or will not be. */
void batch_run_abort(struct batch_run *r);
const struct run_stats *batch_run_stats(const struct batch_run *r); /* since the start of the run */
/* Text of the last failure, for logs. */
const char *batch_run_error(const struct batch_run *r);

#endif
