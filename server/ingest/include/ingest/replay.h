/* Decoding stored frames again: with keys, formats or policies that were not there when they came.
 * The same decoding and writing as in ingest, on a worker thread: one telegram counts once however
 * often it is tried, and a frame whose state stays the same is left alone. */
#ifndef EMT_INGEST_REPLAY_H
#define EMT_INGEST_REPLAY_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stdint.h>

struct replay;
struct scratch;
struct store;

/* master is copied. scratch (crash notes) is borrowed, may be NULL. NULL when out of memory. */
struct replay *replay_new(const struct seal_key *master, struct scratch *scratch);
void replay_free(struct replay *r);

/* Which frames: of one device, or of all that fit (0, NULL, -1: any). */
struct replay_order {
    int32_t tenant;
    int64_t device;
    uint32_t states; /* bit per enum frame_state; 0: what a key, a policy or a format can help */
    const char *manufacturer, *number;
    int version, type;
};
/* States that the same event makes worth another try as this one, as bits. */
uint32_t replay_states_like(int frame_state);
/* What an order without states means: those that a key, a policy or a format can help. */
uint32_t replay_states_waiting(void);

struct replay_result {
    uint64_t frames;  /* looked at */
    uint64_t changed; /* in another state now */
    uint64_t ok;      /* … that counts */
};
/* s: a synchronous store of role STORE_INGEST, outside of a transaction. go_on (may be NULL) is
 * asked between lots. EMT_EAGAIN: stopped by go_on or put off by a lock, try again later: what was
 * done stays done. EMT_EDB, EMT_ENOMEM. *out counts in every case. */
EMT_CHECKED enum emt_err replay_run(struct replay *r, struct store *s, const struct replay_order *o,
                                    bool (*go_on)(void *ctx), void *ctx, struct replay_result *out);

#endif
