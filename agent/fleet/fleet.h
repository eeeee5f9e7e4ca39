/* Many simulated gateways in one process, on one event loop: real certificates, real spools, the
 * real uplink client. */
#ifndef EMT_FLEET_H
#define EMT_FLEET_H

#include "agent/endpoint.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct fleet_options {
    const char *dir;
    uint32_t gateways;        /* 0: all of the folder */
    uint32_t meters;          /* of each gateway */
    uint32_t overlap_percent; /* of its meters that its neighbour (same tenant) hears too */
    uint64_t seed;
    uint32_t interval_s;
    uint32_t backfill_days, speed;
    uint32_t seconds;      /* 0: until TERM */
    uint32_t drain_s;      /* afterwards wait so long for acknowledgements */
    uint32_t connect_rate; /* first attempts per second */
    uint64_t spool_size;
    bool sync;                      /* fdatasync as a real gateway does */
    bool once;                      /* end when the past is sent and acknowledged */
    bool no_resume;                 /* full handshakes only */
    bool orders;                    /* read them from standard input */
    const struct endpoint *address; /* NULL: as configured */
    size_t naddresses;              /* gateway number i begins with number i of them */
};

/* Orders, one per line: "cut" drops all connections as a network does that is gone; "flee"
 * does so and takes every gateway to the next of its addresses, "move" says Bye before; "hush"
 * stops the telegrams, "speak" goes on.
 *
 * One JSON line per second on stdout, a last one with "final":true. Exit code: 0 everything
 * submitted was acknowledged, 1 not everything or a failure, 2 wrong configuration (diag says
 * what). */
int fleet_run(const struct fleet_options *o, struct emt_diag *diag);
/* As many descriptors as the system allows: two for each gateway. A refusal shows in open(). */
void fleet_raise_descriptors(void);
/* CSV of the keys of the fleet's meters, of one tenant or (NULL) of all. */
int fleet_meters(const struct fleet_options *o, const char *tenant, struct emt_diag *diag);

#endif
