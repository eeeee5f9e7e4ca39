/* Many simulated meters in the order in which they send. */
#ifndef EMT_AGENT_SIMULATE_H
#define EMT_AGENT_SIMULATE_H

#include "agent/sim_meter.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SIMULATE_METERS_MAX 10000000u

struct simulation;

struct simulation_config {
    uint64_t seed;
    uint32_t meters;
    uint32_t first_index; /* so that several simulations of one seed share no meter */
    uint32_t interval_s;
    emt_time from; /* no telegram before this */
};

struct sim_telegram {
    uint32_t meter; /* 0 .. meters-1 */
    emt_time sent_at;
    int32_t rssi_dbm;
    const uint8_t *data; /* borrowed until the next call */
    size_t len;
};

/* EMT_ELIMIT, EMT_ENOMEM, EMT_EINTERNAL. Free with simulation_free(). */
EMT_CHECKED enum emt_err simulation_new(const struct simulation_config *config,
                                        struct simulation **out);
void simulation_free(struct simulation *s);
/* When the next telegram is sent. */
emt_time simulation_due(const struct simulation *s);
/* Whose it is. */
uint32_t simulation_due_meter(const struct simulation *s);
/* The next telegram. EMT_EINTERNAL when it cannot be encoded. */
EMT_CHECKED enum emt_err simulation_next(struct simulation *s, struct sim_telegram *out);
const struct sim_meter *simulation_meter(const struct simulation *s, uint32_t meter);

/* Simulated time: starts some days back and runs faster than the clock until it has caught up. */
struct sim_clock {
    emt_time start; /* simulated, and real at that moment */
    emt_time real_start;
    int64_t speed; /* 0: at once up to now */
};
struct sim_clock sim_clock_of(emt_time real_now, unsigned backfill_days, unsigned speed);
emt_time sim_clock_now(const struct sim_clock *c, emt_time real_now);

#endif
