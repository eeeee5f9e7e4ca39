/* One simulated OMS meter. Everything follows from seed, index and time: the same telegram comes
 * out whoever asks, in whatever order, after any restart; registers never go back. */
#ifndef EMT_AGENT_SIM_METER_H
#define EMT_AGENT_SIM_METER_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/device_id.h"

#include <stdbool.h>
#include <stdint.h>

struct cipher;

#define SIM_EPOCH INT64_C(1704063600000000) /* 2024-01-01 00:00 CET: registers start from here */

enum sim_kind {
    SIM_ELECTRICITY,
    SIM_WATER,
    SIM_WARM_WATER,
    SIM_HEAT,
    SIM_GAS,
    SIM_COST_ALLOCATOR,
    SIM_ROOM,
    SIM_KINDS
};

/* Amount by day, kept so that the next telegram need not begin at the epoch. */
struct sim_sum {
    int64_t day;    /* days since the epoch */
    int64_t amount; /* thousandths of the unit, up to the start of this day */
};

#define SIM_MONTHS 13

/* Main register at the first of this month, of the last month, and so on. */
struct sim_months {
    int64_t month; /* which month "this" is: years * 12 + months; 0: not made yet */
    int64_t value[SIM_MONTHS];
};

struct sim_meter {
    uint64_t seed;
    uint32_t index;
    enum sim_kind kind;
    struct device_id device;
    bool encrypted;
    uint8_t key[16];
    bool exports;        /* a roof with photovoltaics */
    int64_t start;       /* reading at the epoch, in units */
    int64_t daily_milli; /* mean amount of a day */
    int64_t phase_us, period_us, jitter_us;
    struct sim_sum sum, export_sum;
    struct sim_months months;
};

/* Every twenty indices in a row are seven electricity meters (one or more of them with
 * photovoltaics), four for water, two each for warm water, heat, gas and cost allocation, and one
 * room sensor; the first ten hold every kind. interval_s: mean time between two
 * telegrams, 1..86400. EMT_EINTERNAL when libcrypto fails. */
EMT_CHECKED enum emt_err sim_meter_init(struct sim_meter *m, uint64_t seed, uint32_t index,
                                        uint32_t interval_s);

/* When telegram k is sent: own phase, clock drift and jitter; not on a grid. */
emt_time sim_meter_time(const struct sim_meter *m, uint64_t k);
/* The first telegram sent at or after t. */
uint64_t sim_meter_first(const struct sim_meter *m, emt_time t);

/* Main register at t: electricity Wh, water and gas l, heat kWh, cost allocator units; 0 for a room
 * sensor. */
int64_t sim_meter_register(struct sim_meter *m, emt_time t);
/* Telegram k (format no-link-crc), appended to out. Values are those of the full minute that it
 * states. */
EMT_CHECKED enum emt_err sim_meter_telegram(struct sim_meter *m, uint64_t k, struct cipher *c,
                                            struct writer *out);

/* A line of a key list that the head-end imports; the key is empty for a meter without encryption.
 * Returns buf. */
#define SIM_METER_CSV_HEAD "address,key,manufacturer,deviceType,version"
#define SIM_METER_CSV_MAX 96
char *sim_meter_csv(const struct sim_meter *m, char buf[SIM_METER_CSV_MAX]);

#endif
