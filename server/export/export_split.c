#include "export_split.h"

#include "model/quality.h"
#include "store/export_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static bool is_usable(const struct register_reading *r)
{
    return quality_mscons(r->quality) != NULL;
}

/* The last usable reading before `at` and the first behind it; false: one is missing. */
static bool around(const struct register_reading *list, size_t n, emt_time at,
                   const struct register_reading **before, const struct register_reading **behind)
{
    *before = *behind = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_usable(&list[i]))
            continue;
        if (list[i].time < at)
            *before = &list[i];
        else if (*behind == NULL)
            *behind = &list[i];
    }
    return *before != NULL && *behind != NULL;
}

/* What the register moved on between the two. It may roll over once; by half of what it shows or
 * more it went back instead, as for energies (load_profile_chain.c). */
static bool moved_by(const struct place_register *r, const struct register_reading *before,
                     const struct register_reading *behind, struct decimal *out)
{
    struct decimal twice;

    if (decimal_sub(behind->value, before->value, out) != EMT_OK)
        return false;
    if (out->mantissa >= 0)
        return true;
    return r->capacity.mantissa != 0 && decimal_add(*out, r->capacity, out) == EMT_OK &&
           out->mantissa >= 0 && decimal_add(*out, *out, &twice) == EMT_OK &&
           decimal_compare(twice, r->capacity) < 0;
}

/* By time between the two, to the digit that the register shows. */
static bool shown_at(const struct place_register *r, const struct register_reading *before,
                     const struct register_reading *behind, emt_time at, struct decimal *out)
{
    struct decimal part = decimal_of((at - before->time) / EMT_SECOND, 0);
    struct decimal whole = decimal_of((behind->time - before->time) / EMT_SECOND, 0);
    struct decimal by;

    if (whole.mantissa == 0 || !moved_by(r, before, behind, &by))
        return false;
    int decimals = by.exponent < 0 ? -by.exponent : 0;
    if (decimal_mul(by, part, &by) != EMT_OK || decimal_div(by, whole, decimals, &by) != EMT_OK ||
        decimal_add(before->value, by, out) != EMT_OK)
        return false;
    if (r->capacity.mantissa != 0 && decimal_compare(*out, r->capacity) >= 0)
        return decimal_sub(*out, r->capacity, out) == EMT_OK;
    return true;
}

static enum emt_err insert(struct register_span *s, const struct register_reading *one,
                           struct register_reading **own)
{
    struct register_reading *list = calloc(s->n + 1, sizeof *list);
    size_t n = 0;

    if (list == NULL)
        return EMT_ENOMEM;
    while (n < s->n && s->readings[n].time <= one->time)
        n++;
    if (n > 0)
        memcpy(list, s->readings, n * sizeof *list);
    list[n] = *one;
    if (s->n > n)
        memcpy(list + n + 1, s->readings + n, (s->n - n) * sizeof *list);
    free(*own);
    *own = list;
    s->readings = list;
    s->n++;
    return EMT_OK;
}

enum emt_err split_at(struct export_run *run, const struct place_register *r, emt_time at,
                      struct register_span *s, struct register_reading **own, bool *formed)
{
    emt_time from = at - SPLIT_REACH > r->from ? at - SPLIT_REACH : r->from;
    emt_time to = r->to != EMT_TIME_NONE && r->to < at + SPLIT_REACH ? r->to : at + SPLIT_REACH;
    const struct register_reading *before;
    const struct register_reading *behind;
    const struct register_reading *list;
    struct register_reading one = { .time = at,
                                    .quality = QUALITY_SUBSTITUTE,
                                    .method = run->policy->method,
                                    .reason = run->policy->reason };
    size_t n;

    if (run->req->hold_gaps || strcmp(run->policy->gap, "substitute") != 0 || at <= r->from ||
        (r->to != EMT_TIME_NONE && at >= r->to))
        return EMT_OK;
    const struct register_reading *read =
        register_reading_at(s->readings, s->n, at, run->tolerance_s * EMT_SECOND);
    if (read != NULL && is_usable(read))
        return EMT_OK;
    enum emt_err err = lot_range(run->lot, r->channel, from, to + 1, &list, &n);
    if (err != EMT_OK || !around(list, n, at, &before, &behind) ||
        !shown_at(r, before, behind, at, &one.value))
        return err;
    *formed = true;
    return insert(s, &one, own);
}
