/* What replay.c and replay_diff.c share. */
#ifndef EMT_INGEST_REPLAY_INTERNAL_H
#define EMT_INGEST_REPLAY_INTERNAL_H

#include "base/clock.h"
#include "base/seal.h"

struct scratch;

/* A meter's clock further ahead is wrong (decision 5). */
#define REPLAY_CLOCK_AHEAD_US (2 * EMT_DAY)
#define REPLAY_DRAIN_MS 60000

struct replay {
    struct seal_key master;
    struct scratch *scratch;
};

#endif
