/* The rows of one part of a batch: which frames count, which values they bring, and the statements
 * of the three flights. Used by batch_run.c only. */
#ifndef EMT_INGEST_BATCH_WRITE_H
#define EMT_INGEST_BATCH_WRITE_H

#include "batch.h"
#include "batch_run.h"
#include "store/store.h"
#include "store/store_rows.h"

struct batch_write;

/* failed: called with the first error of each answer (EMT_ESTATE for those skipped behind it),
 * inside of store_pump(). */
struct batch_write *batch_write_new(bool replay, struct run_stats *stats,
                                    void (*failed)(void *ctx, enum emt_err err), void *ctx);
void batch_write_free(struct batch_write *w);
void batch_write_window(struct batch_write *w, emt_time hot_from, emt_time hot_to);

/* The frames of one part, sorted by tenant; frames that are done, deferred or of a source that is
 * gone are passed over. Groups them. careful: no value is taken for new, see
 * batch_write_was_hasty(). */
EMT_CHECKED enum emt_err batch_write_begin(struct batch_write *w, struct batch_frame *const *frames,
                                           size_t n, emt_time now, bool careful);
/* BEGIN, and per tenant: cursors, device locks, telegrams. */
EMT_CHECKED enum emt_err batch_write_flight1(struct batch_write *w, struct store *s, bool brief);
/* After its answers: sources whose cursor did not move are marked gone. true: there are some; roll
 * back. */
bool batch_write_fenced(struct batch_write *w);
/* Frames, values, texts, counters, formats, events. */
EMT_CHECKED enum emt_err batch_write_flight2(struct batch_write *w, struct store *s);
/* It failed since something was taken for new that was not: the same part once more, carefully. */
bool batch_write_was_hasty(const struct batch_write *w);
/* What contradicts stored values. COMMIT is the caller's. */
EMT_CHECKED enum emt_err batch_write_flight3(struct batch_write *w, struct store *s);
/* After the commit: caches and counters. */
void batch_write_committed(struct batch_write *w);

/* Settling: cursors of all sources of these frames; afterwards source->hit and source->settled.
 * BEGIN … COMMIT, without sync. */
EMT_CHECKED enum emt_err batch_write_settle(struct batch_write *w, struct store *s,
                                            store_done *committed, void *ctx);

#endif
