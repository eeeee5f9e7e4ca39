/* Energies through the exchange of meters. Each register counts for the time that it was mounted;
 * its part of an interval ends with its last reading and the next one's begins with its first. The
 * parts are rounded as registers are, at their ends, so that sums over any number of intervals are
 * the registers' own differences. */
#include "connectors/load_profile.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

__extension__ typedef __int128 wide;

/* --- one register --- */

static struct decimal or_one(struct decimal factor)
{
    return factor.mantissa != 0 ? factor : decimal_of(1, 0);
}

static enum emt_err rounded(const struct register_chain *c, const struct register_span *s,
                            struct decimal value, struct decimal *out)
{
    enum emt_err err = decimal_mul(value, or_one(s->factor), out);

    return err == EMT_OK && c->rounds ? decimal_round(*out, c->decimals, out) : err;
}

/* after, with the modulus added where the register rolled over between the two. EMT_ENOTFOUND: it
 * went back. */
static enum emt_err unrolled(const struct register_span *s, struct decimal before,
                             struct decimal *after, bool *rolled)
{
    struct decimal diff, twice;

    *rolled = false;
    if (decimal_compare(*after, before) >= 0)
        return EMT_OK;
    if (s->modulus.mantissa == 0 || decimal_add(*after, s->modulus, after) != EMT_OK ||
        decimal_sub(*after, before, &diff) != EMT_OK || diff.mantissa < 0 ||
        decimal_add(diff, diff, &twice) != EMT_OK || decimal_compare(twice, s->modulus) >= 0)
        return EMT_ENOTFOUND;
    *rolled = true;
    return EMT_OK;
}

static int badness(enum quality q)
{
    static const int order[QUALITIES] = {
        [QUALITY_CORRECTED] = 0,   [QUALITY_MEASURED] = 1,  [QUALITY_SUBSTITUTE] = 2,
        [QUALITY_PROVISIONAL] = 3, [QUALITY_ESTIMATED] = 4, [QUALITY_INVALID] = 5,
    };

    return order[q];
}

static void take_quality(struct export_value *v, const struct register_reading *r)
{
    if (badness(r->quality) < badness(v->quality))
        return;
    v->quality = r->quality;
    v->method = r->method;
    v->reason = r->reason;
}

/* Adds what the register moved on between two of its readings to v. */
static enum emt_err add_part(const struct register_chain *c, const struct register_span *s,
                             const struct register_reading *a, const struct register_reading *b,
                             struct export_value *v, bool *rolled, enum gap_reason *reason)
{
    struct decimal after = b->value;
    struct decimal first, last, part;

    *reason = GAP_WENT_BACK;
    if (unrolled(s, a->value, &after, rolled) != EMT_OK)
        return EMT_ENOTFOUND;
    *reason = GAP_OUT_OF_RANGE;
    if (rounded(c, s, a->value, &first) != EMT_OK || rounded(c, s, after, &last) != EMT_OK ||
        decimal_sub(last, first, &part) != EMT_OK ||
        decimal_add(v->value, part, &v->value) != EMT_OK)
        return EMT_ENOTFOUND;
    take_quality(v, a);
    take_quality(v, b);
    return EMT_OK;
}

/* --- the place --- */

static bool ends_by(const struct register_span *s, emt_time t)
{
    return s->to != EMT_TIME_NONE && s->to <= t;
}

/* The register that is mounted behind t; n for none. */
static size_t span_behind(const struct register_chain *c, emt_time t)
{
    size_t i = 0;

    while (i < c->n && ends_by(&c->spans[i], t))
        i++;
    return i < c->n && c->spans[i].from <= t ? i : c->n;
}

/* The register that is mounted up to t; n for none. */
static size_t span_before(const struct register_chain *c, emt_time t)
{
    size_t i = c->n;

    while (i > 0 && c->spans[i - 1].from >= t)
        i--;
    if (i == 0)
        return c->n;
    return ends_by(&c->spans[i - 1], t - 1) ? c->n : i - 1;
}

static bool has_unusable(const struct register_span *s, emt_time t, emt_time tolerance)
{
    for (size_t i = 0; i < s->n && s->readings[i].time <= t + tolerance; i++) {
        if (s->readings[i].time >= t - tolerance && s->readings[i].quality == QUALITY_INVALID)
            return true;
    }
    return false;
}

/* What the register shows at t. */
static const struct register_reading *shown(const struct register_chain *c,
                                            const struct register_span *s, emt_time t,
                                            enum gap_reason *reason)
{
    const struct register_reading *r = NULL;

    if (t == s->from)
        r = s->first;
    else if (t == s->to)
        r = s->last;
    if (r == NULL)
        r = register_reading_at(s->readings, s->n, t, c->tolerance);
    if (r == NULL) {
        *reason = GAP_NO_READING;
        if (has_unusable(s, t, c->tolerance))
            *reason = GAP_INVALID;
        else if (t == s->from || t == s->to)
            *reason = GAP_EXCHANGE;
    }
    return r;
}

static enum emt_err energy_between(const struct register_chain *c, emt_time from, emt_time to,
                                   struct export_value *out, unsigned *rollovers,
                                   enum gap_reason *reason)
{
    size_t i = span_behind(c, from);
    size_t end = span_before(c, to);

    *out = export_value_of(from, to, decimal_of(0, 0), QUALITY_CORRECTED);
    *reason = GAP_NO_METER;
    if (i == c->n || end == c->n || i > end)
        return EMT_ENOTFOUND;
    for (; i <= end; i++) {
        const struct register_span *s = &c->spans[i];
        const struct register_reading *a = shown(c, s, s->from > from ? s->from : from, reason);
        const struct register_reading *b =
            a != NULL ? shown(c, s, ends_by(s, to) ? s->to : to, reason) : NULL;
        bool rolled = false;

        if (b == NULL || add_part(c, s, a, b, out, &rolled, reason) != EMT_OK)
            return EMT_ENOTFOUND;
        *rollovers += rolled;
    }
    return EMT_OK;
}

enum emt_err register_chain_energy(const struct register_chain *c, emt_time from, emt_time to,
                                   struct export_value *out, enum gap_reason *reason)
{
    unsigned rollovers = 0;

    if (from == EMT_TIME_NONE || to == EMT_TIME_NONE || to <= from)
        return EMT_EMALFORMED;
    return energy_between(c, from, to, out, &rollovers, reason);
}

/* --- profiles --- */

static bool covers(const struct register_span *s, emt_time from, emt_time to)
{
    bool whole = s->from <= from && (s->to == EMT_TIME_NONE || s->to >= to);

    /* What stands in the protocol of an exchange is not among the readings. */
    return whole && (s->from != from || s->first == NULL) && (s->to != to || s->last == NULL);
}

static void add_gap(struct load_profile *p, emt_time from, emt_time to, enum gap_reason reason)
{
    struct profile_gap *last = p->n_gaps > 0 ? &p->gaps[p->n_gaps - 1] : NULL;

    if (last != NULL && last->to == from && last->reason == reason)
        last->to = to;
    else
        p->gaps[p->n_gaps++] = (struct profile_gap){ from, to, reason };
}

static enum emt_err build_by_parts(const struct register_chain *c, emt_time step, emt_time from,
                                   emt_time to, struct load_profile *out)
{
    struct load_profile p = { .n_intervals = (size_t)((to - from) / step) };

    p.values = calloc(p.n_intervals, sizeof *p.values);
    p.gaps = calloc(p.n_intervals, sizeof *p.gaps);
    if (p.values == NULL || p.gaps == NULL) {
        load_profile_release(&p);
        return EMT_ENOMEM;
    }
    for (emt_time t = from; t < to; t += step) {
        enum gap_reason reason = GAP_NO_READING;
        unsigned rollovers = 0;

        if (energy_between(c, t, t + step, &p.values[p.n_values], &rollovers, &reason) != EMT_OK) {
            add_gap(&p, t, t + step, reason);
            continue;
        }
        p.n_values++;
        p.n_rollovers += rollovers > 0;
    }
    *out = p;
    return EMT_OK;
}

enum emt_err load_profile_chain(const struct register_chain *c, emt_time step, emt_time from,
                                emt_time to, struct load_profile *out, struct emt_diag *diag)
{
    if (step <= 0 || from == EMT_TIME_NONE || to == EMT_TIME_NONE || to <= from ||
        (to - from) % step != 0 || c->tolerance < 0 || c->tolerance > step / 2)
        return emt_fail(
            diag, EMT_EMALFORMED,
            "the period is not a whole number of steps, or the tolerance more than half "
            "a step");
    if ((to - from) / step > LOAD_PROFILE_INTERVALS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d intervals", LOAD_PROFILE_INTERVALS_MAX);
    if (c->n == 1 && covers(&c->spans[0], from, to)) {
        const struct register_span *s = &c->spans[0];
        struct load_profile_rule rule = { .step = step,
                                          .tolerance = c->tolerance > 0 ? c->tolerance : -1,
                                          .factor = s->factor,
                                          .modulus = s->modulus,
                                          .rounds = c->rounds,
                                          .decimals = c->decimals };

        return load_profile_build(&rule, from, to, s->readings, s->n, out, diag);
    }
    return build_by_parts(c, step, from, to, out);
}

/* --- gaps --- */

/* The i-th of n parts of a total, so that any run of them differs from its share by less than one
 * in the last place and all together are the total. */
static int64_t part_of(int64_t total, size_t i, size_t n)
{
    wide before = ((wide)total * (wide)i + (wide)(n / 2)) / (wide)n;
    wide after = ((wide)total * (wide)(i + 1) + (wide)(n / 2)) / (wide)n;

    return (int64_t)(after - before);
}

/* Decimals to cut a total into: those of the market, or as many as it has and three more. */
static enum emt_err divisible(const struct register_chain *c, struct decimal *total)
{
    int exponent = c->rounds ? -c->decimals : total->exponent - 3;

    return decimal_rescale(*total, exponent, total);
}

/* Appends the parts of [from, to); false: its energy is not known. */
static bool fill(const struct register_chain *c, emt_time step, emt_time from, emt_time to,
                 const struct export_value *like, struct export_value *out, size_t *n)
{
    enum gap_reason reason;
    struct export_value whole;
    unsigned rollovers = 0;
    size_t parts = (size_t)((to - from) / step);

    if (energy_between(c, from, to, &whole, &rollovers, &reason) != EMT_OK ||
        divisible(c, &whole.value) != EMT_OK)
        return false;
    for (size_t i = 0; i < parts; i++) {
        struct export_value *v = &out[(*n)++];

        *v = *like;
        v->from = from + (emt_time)i * step;
        v->to = v->from + step;
        v->value = decimal_of(part_of(whole.value.mantissa, i, parts), whole.value.exponent);
    }
    return true;
}

/* A hole of which only the begin or only the end is known may hold a reading: what lies between it
 * and the known end is filled, and *from or *to is moved to leave the rest. */
static bool fill_part(const struct register_chain *c, emt_time step, emt_time *from, emt_time *to,
                      const struct export_value *like, struct export_value *out, size_t *n)
{
    for (emt_time t = *from + step; t < *to; t += step) {
        if (fill(c, step, t, *to, like, out, n)) {
            *to = t;
            return true;
        }
    }
    for (emt_time t = *to - step; t > *from; t -= step) {
        if (fill(c, step, *from, t, like, out, n)) {
            *from = t;
            return true;
        }
    }
    return false;
}

enum emt_err load_profile_interpolate(const struct register_chain *c, emt_time step,
                                      struct load_profile *p, enum quality quality,
                                      const char *method, const char *reason)
{
    struct export_value like = export_value_of(0, 0, decimal_of(0, 0), quality);
    struct export_value *values;
    struct load_profile out = { .n_intervals = p->n_intervals, .n_rollovers = p->n_rollovers };
    size_t k = 0;

    if (p->n_gaps == 0)
        return EMT_OK;
    values = calloc(p->n_intervals, sizeof *values);
    if (values == NULL)
        return EMT_ENOMEM;
    like.method = method;
    like.reason = reason;
    for (size_t i = 0; i < p->n_gaps;) {
        size_t j = i + 1;

        /* Neighbours of different reasons are one hole. */
        while (j < p->n_gaps && p->gaps[j].from == p->gaps[j - 1].to)
            j++;
        for (; k < p->n_values && p->values[k].to <= p->gaps[i].from; k++)
            values[out.n_values++] = p->values[k];
        emt_time from = p->gaps[i].from;
        emt_time to = p->gaps[j - 1].to;

        if (fill(c, step, from, to, &like, values, &out.n_values)) {
            i = j;
            continue;
        }
        if (fill_part(c, step, &from, &to, &like, values, &out.n_values)) {
            p->gaps[out.n_gaps++] = (struct profile_gap){ from, to, p->gaps[i].reason };
        } else {
            memmove(&p->gaps[out.n_gaps], &p->gaps[i], (j - i) * sizeof *p->gaps);
            out.n_gaps += j - i;
        }
        i = j;
    }
    for (; k < p->n_values; k++)
        values[out.n_values++] = p->values[k];
    free(p->values);
    out.values = values;
    out.gaps = p->gaps;
    *p = out;
    return EMT_OK;
}
