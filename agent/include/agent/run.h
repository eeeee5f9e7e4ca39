/* `emt-agent run`: one gateway with its sources of frames, until told to stop. */
#ifndef EMT_AGENT_RUN_H
#define EMT_AGENT_RUN_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
    const char *dir;
    const char *address; /* host:port in the place of the configured ones; NULL: those */
    const char *replay;  /* file; NULL: none */
    uint32_t rate;       /* replayed frames per second; 0: as fast as they are taken */
    uint32_t meters;     /* simulated; 0: none */
    uint64_t seed;
    uint32_t interval_s;
    uint32_t backfill_days;
    uint32_t speed;     /* 0: the past at once */
    bool once;          /* end when the sources are exhausted and everything is acknowledged */
    uint32_t timeout_s; /* with once: fail after this time; 0: never */
};

/* Exit code: 0 done, 1 failed, 2 wrong usage or configuration (diag says what). */
int run_agent(const struct run_options *o, struct emt_diag *diag);

#endif
