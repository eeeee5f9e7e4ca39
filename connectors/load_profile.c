#include "connectors/load_profile.h"

#include <stdlib.h>
#include <string.h>

const char *gap_reason_name(enum gap_reason reason)
{
    switch (reason) {
    case GAP_NO_READING:
        return "no-reading";
    case GAP_WENT_BACK:
        return "register-went-back";
    case GAP_INVALID:
        return "invalid-reading";
    case GAP_OUT_OF_RANGE:
        return "out-of-range";
    case GAP_NO_METER:
        return "no-meter";
    case GAP_EXCHANGE:
        return "exchange-without-reading";
    }
    return "unknown";
}

static emt_time distance(emt_time a, emt_time b)
{
    return a > b ? a - b : b - a;
}

/* The first reading at or after t, from `start` on. */
static size_t lower_bound(const struct register_reading *r, size_t start, size_t n, emt_time t)
{
    size_t lo = start;
    size_t hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r[mid].time < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Nearest usable reading to `instant` among those not before first and not after last. An earlier
 * one wins a tie; of equal times the last in the array counts. *invalid: one was there but
 * unusable. */
static const struct register_reading *nearest(const struct register_reading *r, size_t n,
                                              emt_time instant, emt_time first, emt_time last,
                                              bool *invalid)
{
    const struct register_reading *best = NULL;

    *invalid = false;
    for (size_t i = lower_bound(r, 0, n, first); i < n && r[i].time <= last; i++) {
        if (i + 1 < n && r[i + 1].time == r[i].time)
            continue;
        if (r[i].quality == QUALITY_INVALID) {
            *invalid = true;
            continue;
        }
        if (!best || distance(r[i].time, instant) < distance(best->time, instant))
            best = &r[i];
        else if (r[i].time > instant)
            break; /* only further away from here on */
    }
    return best;
}

const struct register_reading *register_reading_at(const struct register_reading *readings,
                                                   size_t n, emt_time instant, emt_time tolerance)
{
    bool invalid;
    emt_time t = tolerance > 0 ? tolerance : 0;

    return nearest(readings, n, instant, instant - t, instant + t, &invalid);
}

/* What the options come to once defaults are in. */
struct grid {
    emt_time step, tolerance, from;
    struct decimal factor, modulus;
    bool rounds;
    int decimals;
    size_t n_intervals;
};

static enum emt_err grid_of(const struct load_profile_rule *rule, emt_time from, emt_time to,
                            struct grid *out, struct emt_diag *diag)
{
    struct grid g = { .step = rule->step ? rule->step : LOAD_PROFILE_STEP,
                      .tolerance = rule->tolerance ? rule->tolerance : LOAD_PROFILE_TOLERANCE,
                      .from = from,
                      .factor = rule->factor.mantissa ? rule->factor : decimal_of(1, 0),
                      .modulus = rule->modulus,
                      .rounds = rule->rounds,
                      .decimals = rule->decimals };

    if (g.tolerance < 0)
        g.tolerance = 0;
    if (rule->tolerance == 0 && g.step > 0 && g.tolerance > g.step / 2)
        g.tolerance = g.step / 2;
    if (g.step <= 0 || from == EMT_TIME_NONE || to == EMT_TIME_NONE || to <= from ||
        (to - from) % g.step != 0)
        return emt_fail(diag, EMT_EMALFORMED, "the period is not a whole number of steps");
    if (g.tolerance > g.step / 2)
        return emt_fail(diag, EMT_EMALFORMED, "the tolerance is more than half a step");
    if (g.factor.mantissa < 0 || g.modulus.mantissa < 0)
        return emt_fail(diag, EMT_EMALFORMED, "factor and modulus must be above 0");
    if ((to - from) / g.step > LOAD_PROFILE_INTERVALS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d intervals", LOAD_PROFILE_INTERVALS_MAX);
    g.n_intervals = (size_t)((to - from) / g.step);
    *out = g;
    return EMT_OK;
}

/* One end of an interval. */
struct boundary {
    const struct register_reading *reading; /* NULL: none */
    enum gap_reason reason;                 /* without reading */
};

static struct boundary boundary_at(const struct grid *g, const struct register_reading *r, size_t n,
                                   size_t i)
{
    emt_time at = g->from + (emt_time)i * g->step;
    emt_time first = at - g->tolerance;
    bool invalid;
    struct boundary b;

    if (2 * g->tolerance == g->step)
        first++; /* the middle belongs to the boundary before it */
    b.reading = nearest(r, n, at, first, at + g->tolerance, &invalid);
    b.reason = invalid ? GAP_INVALID : GAP_NO_READING;
    return b;
}

/* The register as it is sent. */
static enum emt_err register_rounded(const struct grid *g, struct decimal value,
                                     struct decimal *out)
{
    enum emt_err err = decimal_mul(value, g->factor, out);

    return err == EMT_OK ? decimal_round(*out, g->decimals, out) : err;
}

/* after - before = diff; after is above the modulus where the register rolled over. Where a long
 * factor takes the register out of range, the energy is rounded by itself. */
static enum emt_err energy_of(const struct grid *g, struct decimal before, struct decimal after,
                              struct decimal diff, struct decimal *out)
{
    struct decimal first, last;

    if (!g->rounds)
        return decimal_mul(diff, g->factor, out);
    if (register_rounded(g, before, &first) == EMT_OK &&
        register_rounded(g, after, &last) == EMT_OK && decimal_sub(last, first, out) == EMT_OK)
        return EMT_OK;
    return register_rounded(g, diff, out);
}

/* The energy between two readings; EMT_ENOTFOUND with the reason when there is none. */
static enum emt_err energy(const struct grid *g, struct decimal before, struct decimal after,
                           struct decimal *out, bool *rolled, enum gap_reason *reason)
{
    struct decimal diff;

    *rolled = false;
    *reason = GAP_OUT_OF_RANGE;
    if (decimal_sub(after, before, &diff) != EMT_OK)
        return EMT_ENOTFOUND;
    if (diff.mantissa < 0) {
        struct decimal twice;

        *reason = GAP_WENT_BACK;
        if (g->modulus.mantissa == 0 || decimal_add(diff, g->modulus, &diff) != EMT_OK ||
            diff.mantissa < 0 || decimal_add(diff, diff, &twice) != EMT_OK ||
            decimal_compare(twice, g->modulus) >= 0 ||
            decimal_add(after, g->modulus, &after) != EMT_OK)
            return EMT_ENOTFOUND;
        *rolled = true;
        *reason = GAP_OUT_OF_RANGE;
    }
    return energy_of(g, before, after, diff, out) == EMT_OK ? EMT_OK : EMT_ENOTFOUND;
}

/* Best to worst; invalid never gets here. */
static int badness(enum quality q)
{
    switch (q) {
    case QUALITY_CORRECTED:
        return 0;
    case QUALITY_MEASURED:
        return 1;
    case QUALITY_SUBSTITUTE:
        return 2;
    case QUALITY_PROVISIONAL:
        return 3;
    case QUALITY_ESTIMATED:
        return 4;
    case QUALITY_INVALID:
    case QUALITIES:
        break;
    }
    return 5;
}

static void add_gap(struct load_profile *p, emt_time from, emt_time to, enum gap_reason reason)
{
    struct profile_gap *last = p->n_gaps > 0 ? &p->gaps[p->n_gaps - 1] : NULL;

    if (last && last->to == from && last->reason == reason) {
        last->to = to;
        return;
    }
    p->gaps[p->n_gaps++] = (struct profile_gap){ from, to, reason };
}

static void add_value(struct load_profile *p, emt_time from, emt_time to, struct decimal value,
                      const struct register_reading *a, const struct register_reading *b)
{
    const struct register_reading *worse = badness(a->quality) > badness(b->quality) ? a : b;
    struct export_value v = export_value_of(from, to, value, worse->quality);

    v.method = worse->method;
    v.reason = worse->reason;
    p->values[p->n_values++] = v;
}

static void add_interval(const struct grid *g, struct load_profile *p, size_t i,
                         const struct boundary *a, const struct boundary *b)
{
    emt_time from = g->from + (emt_time)i * g->step;
    emt_time to = from + g->step;
    enum gap_reason reason = GAP_NO_READING;
    struct decimal value = decimal_of(0, 0);
    bool rolled = false;

    if (!a->reading || !b->reading) {
        add_gap(p, from, to, !a->reading ? a->reason : b->reason);
        return;
    }
    if (energy(g, a->reading->value, b->reading->value, &value, &rolled, &reason) != EMT_OK) {
        add_gap(p, from, to, reason);
        return;
    }
    if (rolled)
        p->n_rollovers++;
    add_value(p, from, to, value, a->reading, b->reading);
}

enum emt_err load_profile_build(const struct load_profile_rule *rule, emt_time from, emt_time to,
                                const struct register_reading *readings, size_t n,
                                struct load_profile *out, struct emt_diag *diag)
{
    struct load_profile p = { 0 };
    struct boundary a;
    struct grid g;
    enum emt_err err = grid_of(rule, from, to, &g, diag);

    if (err != EMT_OK)
        return err;
    for (size_t i = 1; i < n; i++) {
        if (readings[i].time < readings[i - 1].time)
            return emt_fail(diag, EMT_EMALFORMED, "readings are not in the order of time");
    }
    p.n_intervals = g.n_intervals;
    p.values = calloc(g.n_intervals, sizeof(*p.values));
    p.gaps = calloc(g.n_intervals, sizeof(*p.gaps));
    if (!p.values || !p.gaps) {
        load_profile_release(&p);
        return EMT_ENOMEM;
    }
    a = boundary_at(&g, readings, n, 0);
    for (size_t i = 0; i < g.n_intervals; i++) {
        struct boundary b = boundary_at(&g, readings, n, i + 1);

        add_interval(&g, &p, i, &a, &b);
        a = b;
    }
    *out = p;
    return EMT_OK;
}

void load_profile_release(struct load_profile *p)
{
    free(p->values);
    free(p->gaps);
    *p = (struct load_profile){ 0 };
}
