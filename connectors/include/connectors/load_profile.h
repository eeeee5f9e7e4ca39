/* From register readings to the energy of each interval of a grid: the product's rule.
 *
 * Meters do not send on the quarter hour, so for each boundary of the grid the rule takes the
 * reading nearest to it within a tolerance (on a tie the earlier one) and subtracts neighbouring
 * boundaries. Nothing is interpolated and nothing is invented: a boundary without a reading makes
 * its two intervals gaps. Exact decimals throughout.
 *
 * What the tolerance means: with readings up to T seconds off the boundary, the energy of an
 * interval belongs to a time that is up to 2 T longer or shorter. Errors do not add up: one reading
 * ends an interval and begins the next, so the sum over a day is the register's own difference.
 * The same holds for rounding: it is the register that is rounded, at each boundary, and not the
 * energy of each interval. Half a watt-hour in every quarter hour is 1, 0, 1, 0 and never 1, 1, 1,
 * 1; and an interval has one value, whatever period it is asked for in. */
#ifndef EMT_CONNECTORS_LOAD_PROFILE_H
#define EMT_CONNECTORS_LOAD_PROFILE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "connectors/connector.h"
#include "model/decimal.h"
#include "model/quality.h"

#include <stdbool.h>
#include <stddef.h>

#define LOAD_PROFILE_STEP (900 * EMT_SECOND)
/* Default tolerance: 120 s. Smart meter gateways stamp within seconds of the boundary, and a radio
 * meter that sends every few minutes has a telegram within two minutes of it. The time an interval
 * stands for is then off by 240 of 900 s in the worst case. A tenant with sparser meters sets more,
 * at most half a step; beyond that one reading could serve two boundaries and make a false zero. */
#define LOAD_PROFILE_TOLERANCE (120 * EMT_SECOND)
/* Most intervals of one call: 37 days of quarter hours. */
#define LOAD_PROFILE_INTERVALS_MAX 3600

/* One register reading as the meter showed it. */
struct register_reading {
    emt_time time;
    struct decimal value;
    enum quality quality;
    const char *method; /* of a substitute, as in export_value; NULL for none; borrowed */
    const char *reason;
};

enum gap_reason {
    GAP_NO_READING = 0, /* "no-reading": none within the tolerance of a boundary */
    GAP_WENT_BACK,      /* "register-went-back": smaller than before, and no roll-over */
    GAP_INVALID,        /* "invalid-reading": the only reading there is one that must not be used */
    GAP_OUT_OF_RANGE,   /* "out-of-range": the energy does not fit an exact decimal */
    GAP_NO_METER,       /* "no-meter": none is mounted at a boundary */
    GAP_EXCHANGE,       /* "exchange-without-reading": what a meter showed at its end or begin is
                           not known */
};
const char *gap_reason_name(enum gap_reason reason);

/* A stretch of whole intervals without energy; neighbours of one reason are one gap. */
struct profile_gap {
    emt_time from, to;
    enum gap_reason reason;
};

struct load_profile_rule {
    emt_time step; /* 0: LOAD_PROFILE_STEP */
    /* 0: LOAD_PROFILE_TOLERANCE, or half a step where that is less; at most step / 2; negative:
     * exactly on the boundary. */
    emt_time tolerance;
    /* Transformer ratio times unit conversion (Wh to kWh: 1e-3), above 0; mantissa 0: 1. */
    struct decimal factor;
    /* The register rolls over to 0 here, in the unit of the readings; mantissa 0: no roll-over. */
    struct decimal modulus;
    /* Decimals of the register behind the factor, half away from zero. */
    bool rounds;
    int decimals;
};

struct load_profile {
    struct export_value *values; /* owned: intervals with energy, in order of time */
    size_t n_values;
    struct profile_gap *gaps; /* owned */
    size_t n_gaps;
    size_t n_intervals; /* of the period: n_values + the intervals inside gaps */
    size_t n_rollovers; /* intervals over which the register rolled over */
};

/* The period [from, to) in steps counted from `from`; both must be whole steps apart. A German
 * local day has 92, 96 or 100 quarter hours: local_day_start() and local_day_end() give its ends.
 * readings: borrowed, ascending by time; they should reach one tolerance beyond both ends. Of
 * readings with one time the last counts. A reading of quality invalid is not used; where it is the
 * only one within the tolerance, the gap says so. With a tolerance of half a step, a reading
 * exactly between two boundaries belongs to the earlier boundary.
 *
 * Quality of an interval, with method and reason: that of the worse end, in the order corrected,
 * measured, substitute, provisional, estimated; on a tie that of the later end.
 *
 * A step back by more than half the modulus is a roll-over when a modulus is given; every other
 * step back is GAP_WENT_BACK.
 *
 * EMT_EMALFORMED period, step, tolerance, factor or modulus does not fit, or readings are not
 * ascending; EMT_ELIMIT more than LOAD_PROFILE_INTERVALS_MAX intervals; EMT_ENOMEM. out is written
 * on EMT_OK only; free with load_profile_release(). */
EMT_CHECKED enum emt_err load_profile_build(const struct load_profile_rule *rule, emt_time from,
                                            emt_time to, const struct register_reading *readings,
                                            size_t n, struct load_profile *out,
                                            struct emt_diag *diag);
void load_profile_release(struct load_profile *p);

/* --- a place through the exchanges of its meter --- */

/* One register in the place, from when it was mounted to when it was taken down. */
struct register_span {
    emt_time from, to;                       /* to EMT_TIME_NONE: mounted still */
    const struct register_reading *readings; /* borrowed, ascending, within [from, to] */
    size_t n;
    struct decimal factor, modulus; /* as in load_profile_rule */
    /* What it showed at `from` and at `to` as the exchange was written down; NULL: the reading next
     * to that time within the tolerance. Borrowed. */
    const struct register_reading *first, *last;
};
struct register_chain {
    const struct register_span *spans; /* borrowed; ascending, they do not overlap */
    size_t n;
    emt_time tolerance; /* exactly as it says: 0 is on the instant */
    bool rounds;        /* as in load_profile_rule */
    int decimals;
};

/* Energy from one instant to another, through every exchange between them: the sum of what each
 * register moved on while it was mounted. *out: value, worst quality. EMT_ENOTFOUND with *reason;
 * EMT_EMALFORMED to is not behind from. */
EMT_CHECKED enum emt_err register_chain_energy(const struct register_chain *c, emt_time from,
                                               emt_time to, struct export_value *out,
                                               enum gap_reason *reason);
/* load_profile_build() for a chain. */
EMT_CHECKED enum emt_err load_profile_chain(const struct register_chain *c, emt_time step,
                                            emt_time from, emt_time to, struct load_profile *out,
                                            struct emt_diag *diag);
/* Fills the gaps whose energy is known as a whole, because the registers tell it at both ends: in
 * equal parts, rounded so that their sum is that energy exactly. The values get this quality,
 * method and reason (borrowed). p is of load_profile_chain() with the same chain and step.
 * EMT_ENOMEM: p is as before. */
EMT_CHECKED enum emt_err load_profile_interpolate(const struct register_chain *c, emt_time step,
                                                  struct load_profile *p, enum quality quality,
                                                  const char *method, const char *reason);

/* The register reading for one instant (a meter reading of 13017, a boundary): nearest within the
 * tolerance, tie to the earlier; NULL for none. Same rule as above. */
const struct register_reading *register_reading_at(const struct register_reading *readings,
                                                   size_t n, emt_time instant, emt_time tolerance);

#endif
