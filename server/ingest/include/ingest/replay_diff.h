/* Decoding stored frames again and comparing what comes out with what is stored: shown first,
 * applied on order, and nothing is left to apply afterwards.
 *
 * A value with a time in [from, to) can come from any frame received since then, so all frames of
 * the device from two days before `from` on are decoded. Each (channel, time) is
 *   added    no value stands there,
 *   changed  one of no higher rank and of another value stands there,
 *   gone     one stands there that no frame gives any more: only within the span of the stored
 *            frames, only when all of them are decoded, and only if every frame that was read once
 *            still is.
 * Texts are not compared. What people set and what is computed is left alone. */
#ifndef EMT_INGEST_REPLAY_DIFF_H
#define EMT_INGEST_REPLAY_DIFF_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "ingest/replay.h"

#include <stdbool.h>
#include <stdint.h>

/* Rows told; all are counted. */
#define REPLAY_DIFF_ROWS 1000
/* Most values of one device: more is EMT_ELIMIT; ask for a shorter period. */
#define REPLAY_DIFF_VALUES 4000000u

struct replay_diff_order {
    int32_t tenant;
    int64_t device;    /* 0: all that are adopted */
    uint32_t states;   /* frames in these states only, as bits; 0: all but repetitions */
    emt_time from, to; /* of the values */
    bool apply;
    const char *actor; /* noted with predecessors */
    const char *reason;
};

struct replay_diff_result {
    uint64_t frames;
    uint64_t failed;  /* were read once, and are not any more */
    uint64_t foreign; /* of a device that is not the one it is filed under: left out */
    uint64_t same, added, changed, gone;
    uint64_t applied; /* values written or taken away */
};

/* ingest: synchronous, of STORE_INGEST, app: of STORE_APP; both outside of a transaction. go_on
 * (may be NULL) is asked between frames and devices. Appends the rows as JSON objects with a comma
 * between. Errors as replay_run(); EMT_ENOTFOUND: no such device; what was applied stays. */
EMT_CHECKED enum emt_err replay_diff_run(struct replay *r, struct store *ingest, struct store *app,
                                         const struct replay_diff_order *o,
                                         bool (*go_on)(void *ctx, uint64_t frames), void *ctx,
                                         struct replay_diff_result *out, struct writer *rows);

#endif
