/* From raw frames to committed rows: the batch engine of one loop.
 *
 * Frames of many sessions and tenants are collected, their devices, keys and channels fetched or
 * created (own sorted transaction, decision 10), decoded once, written in one pipelined transaction
 * (decision 4) together with each gateway's cursor (decision 1), and reported after the commit. A
 * frame is exactly one of: committed, rejected (committed as rejected), or still owed (never
 * reported: the session ends or the gateway sends again).
 *
 * One instance per loop, on the loop's thread; no locks. Without database the engine keeps what it
 * has (bounded) and credit runs out. */
#ifndef EMT_INGEST_INGEST_H
#define EMT_INGEST_INGEST_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "model/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ingest;
struct loop;
struct metrics;
struct scratch; /* ingest/scratch.h: crash notes, decision 11 */

struct ingest_settings {
    const char *conninfo;   /* database; role emt_ingest */
    struct seal_key master; /* copied; wiped on free */
    struct metrics *metrics;
    const char
        *scratch_path;      /* mapped file for the hash of the frame being decoded; one per loop */
    size_t budget_bytes;    /* frames held by this loop, default 64 MiB */
    unsigned batch_rows;    /* default 5000 */
    unsigned batch_ms;      /* default 50 */
    unsigned clock_ahead_s; /* default 2 days */
};

/* A source of frames: one gateway session (or an intake). Opaque numbers, no pointers, so that a
 * session may die while its frames are under way. */
struct ingest_source {
    int32_t tenant;
    int64_t gateway;
    uint8_t spool_id[16];
    int64_t epoch;
};

struct ingest_frame {
    uint64_t seq;
    emt_time received_at;
    uint32_t protocol,
        format; /* as sent: numbers out of range make the frame rejected, not the session */
    const uint8_t *data; /* copied */
    size_t len;
    int32_t rssi_dbm;
};

/* What became of a source's frames. */
struct ingest_rejected {
    uint64_t seq;
    const char *reason;
};
struct ingest_report {
    uint64_t up_to; /* everything up to here is committed or rejected */
    const struct ingest_rejected *rejected;
    size_t nrejected;
    size_t bytes_done; /* of data, to return credit */
};
struct ingest_handler {
    /* After a commit, once per channel id and batch. */
    void (*committed)(void *ctx, uint64_t ticket, const struct ingest_report *r);
    /* The source lost its epoch (another node owns the gateway) or its cursor row: end the session;
     * its frames are dropped, not acknowledged. */
    void (*fenced)(void *ctx, uint64_t ticket);
    /* Budget is used up (full = true) or free again. */
    void (*pressure)(void *ctx, bool full);
    void *ctx;
};

/* NULL and diag on failure. s is copied. */
EMT_CHECKED enum emt_err ingest_new(struct loop *l, const struct ingest_settings *s,
                                    const struct ingest_handler *h, struct ingest **out,
                                    struct emt_diag *diag);
void ingest_free(struct ingest *in);

/* Registers a source whose cursor row stands (session_store claim did it); ticket names it in all
 * calls. last_seq as claimed. */
EMT_CHECKED enum emt_err ingest_open(struct ingest *in, const struct ingest_source *src,
                                     uint64_t last_seq, uint64_t *ticket);
/* No more reports for it; frames under way are still committed. */
void ingest_close(struct ingest *in, uint64_t ticket);

/* Takes one frame. Sequence numbers at or below the last taken one are passed over silently (sent
 * again). EMT_ELIMIT the budget is used up: the session sent beyond its credit. */
EMT_CHECKED enum emt_err ingest_frame(struct ingest *in, uint64_t ticket,
                                      const struct ingest_frame *f);
/* from..to will never come: the cursor passes over them in the next batch and a gateway_gap row is
 * written. */
EMT_CHECKED enum emt_err ingest_gap(struct ingest *in, uint64_t ticket, uint64_t from, uint64_t to,
                                    const char *reason);

/* Bytes that a session of this tenant may have under way now: the loop's budget shared by tenants,
 * then by their sessions (decision 3). 0: none. */
size_t ingest_credit(const struct ingest *in, uint64_t ticket);
/* Finishes what is collected; done is called when nothing is left or after timeout_ms. */
void ingest_drain(struct ingest *in, int timeout_ms, void (*done)(void *ctx), void *ctx);

#endif
