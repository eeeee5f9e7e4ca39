/* Fleets of chance: places whose meters are exchanged and roll over, with every register's way
 * known, so that what an export says of them can be judged to the digit. */
#ifndef EMT_TESTS_RANDOM_FLEET_H
#define EMT_TESTS_RANDOM_FLEET_H

#include "export_fixture.h"
#include "model/local_day.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_PLACES 6
#define FLEET_METERS 3
#define FLEET_STEPS_MAX 3100
#define FLEET_CAPACITY INT64_C(10000000)

/* What a fleet is for. */
struct fleet_kind {
    const char *name;
    unsigned pid;
    const char *obis;
    const char *unit; /* of the channels */
    int64_t milli;    /* thousandths of the market's unit that one of the register's is */
    int64_t by;       /* registers move on in multiples of this */
    bool malo, gas;
    unsigned days, places;
};

struct fleet_meter {
    int64_t channel;
    emt_time from, to; /* to EMT_TIME_NONE: mounted still */
    int64_t ratio, first, last;
    char number[40];
};
struct fleet_place {
    char code[40];
    struct fleet_meter meters[FLEET_METERS];
    unsigned n_meters;
    int64_t moved;                  /* in all the days, in units of the register, ratios applied */
    int64_t steps[FLEET_STEPS_MAX]; /* the same by interval */
};
struct fleet {
    const struct fleet_kind *kind;
    int32_t tenant;
    struct local_date first_day;
    emt_time from, to, step;
    unsigned n_steps;
    struct fleet_place places[FLEET_PLACES];
};

/* The same numbers for the same seed, everywhere. */
void fleet_seed(uint64_t seed);
uint64_t fleet_draw(uint64_t n);

void fleet_build(struct fleet *f, struct pg_fixture *fixture, const struct fleet_kind *kind,
                 const char *key, struct local_date first_day);
/* Readings of up to six hours go at some places; never those of the first and last instant. */
void fleet_lose(const struct fleet *f, struct pg_fixture *fixture);
/* Some of them come back. */
void fleet_find(const struct fleet *f, struct pg_fixture *fixture);
/* Registers are corrected by one unit at some instants: the sum stays. None is set behind what it
 * showed before, nor over what it shows next. */
void fleet_correct(const struct fleet *f, struct pg_fixture *fixture);
/* The place of a LOC segment's text. */
struct fleet_place *fleet_place_of(struct fleet *f, const char *code);

#endif
