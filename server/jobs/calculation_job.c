/* A value stands at each time at which every input has one: on a grid, the input's value closest to
 * the boundary within the tenant's tolerance (meters do not send on the quarter hour, decision 9);
 * without a grid at exactly the same time. What has no result (an input is missing, a division by
 * zero, too many digits) is a gap. */
#include "calculation_job.h"

#include "model/decimal.h"
#include "model/formula.h"
#include "model/quality.h"
#include "store/calculated_store.h"
#include "store/export_store.h"
#include "store/job_store.h"
#include "store/reading_query_store.h"
#include "store/store.h"
#include "store/value_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define VERSIONS_MAX 64
/* Computed at a time. */
#define SPAN (30 * EMT_DAY)
#define BY "calculation"
#define WHY "an input or the formula changed"

struct version {
    emt_time from;
    struct formula formula;
};

struct series {
    struct stored_reading *list;
    size_t n, cap, at;
};

struct calculation {
    struct store *s;
    int32_t tenant;
    int64_t channel;
    emt_time step, tolerance, now; /* step 0: no grid */
    int decimals;
    struct version versions[VERSIONS_MAX];
    unsigned nversions;
    struct series inputs[FORMULA_INPUTS_MAX];
    struct series computed, stored;
    int64_t values, written;
};

/* ---- what it is ---- */

static enum emt_err read_versions(struct calculation *c)
{
    struct store_result *r = NULL;
    enum emt_err err = calculated_versions(c->s, c->tenant, c->channel, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        struct version *v;

        if (c->nversions == VERSIONS_MAX)
            err = EMT_ELIMIT;
        if (err != EMT_OK)
            break;
        v = &c->versions[c->nversions++];
        v->from = c_time(r, i, 1);
        err = formula_parse(c_text(r, i, 2), &v->formula, NULL);
    }
    store_result_free(r);
    return err;
}

static enum emt_err read_definition(struct calculation *c)
{
    struct export_tenant tenant;
    struct store_result *r = NULL;
    enum emt_err err = calculated_get(c->s, c->tenant, c->channel, &r);

    if (err != EMT_OK)
        return err;
    c->step = c_int(r, 0, CALCULATED_STEP) * EMT_SECOND;
    c->decimals = (int)c_int(r, 0, CALCULATED_DECIMALS);
    store_result_free(r);
    err = export_tenant_get(c->s, c->tenant, &tenant);
    if (err != EMT_OK)
        return err;
    c->tolerance = tenant.tolerance_s * EMT_SECOND;
    if (c->tolerance > c->step / 2)
        c->tolerance = c->step / 2;
    return read_versions(c);
}

/* The formula in force: of those that began before, the newest. */
static const struct formula *formula_at(const struct calculation *c, emt_time ts)
{
    const struct formula *f = NULL;

    for (unsigned i = 0; i < c->nversions; i++) {
        if (c->versions[i].from <= ts)
            f = &c->versions[i].formula;
    }
    return f;
}

/* ---- values ---- */

static enum emt_err push(struct series *s, const struct stored_reading *v)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1024;
        struct stored_reading *grown = reallocarray(s->list, cap, sizeof *grown);

        if (grown == NULL)
            return EMT_ENOMEM;
        s->list = grown;
        s->cap = cap;
    }
    s->list[s->n++] = *v;
    return EMT_OK;
}

static enum emt_err take(void *ctx, int64_t channel, const struct stored_reading *v)
{
    (void)channel;
    return push(ctx, v);
}

static enum emt_err read_series(struct calculation *c, struct series *s, int64_t channel,
                                emt_time from, emt_time to)
{
    const struct reading_visitor visitor = { take, s };

    s->n = s->at = 0;
    return reading_walk(c->s, c->tenant, channel, from, to, &visitor);
}

/* The value closest to ts, the earlier of two; NULL: none within the tolerance. Asked in ascending
 * order. */
static const struct stored_reading *value_near(struct series *s, emt_time ts, emt_time tolerance)
{
    const struct stored_reading *best = NULL;
    emt_time distance = tolerance;

    while (s->at < s->n && s->list[s->at].ts < ts - tolerance)
        s->at++;
    for (size_t i = s->at; i < s->n && s->list[i].ts <= ts + tolerance; i++) {
        emt_time d = s->list[i].ts > ts ? s->list[i].ts - ts : ts - s->list[i].ts;

        if (best == NULL ? d <= distance : d < distance) {
            best = &s->list[i];
            distance = d;
        }
    }
    return best;
}

static enum emt_err compute_at(struct calculation *c, const struct formula *f, emt_time ts)
{
    struct decimal values[FORMULA_INPUTS_MAX];
    struct stored_reading out = { .ts = ts, .quality = QUALITY_MEASURED };

    for (unsigned i = 0; i < f->ninputs; i++) {
        const struct stored_reading *v = value_near(&c->inputs[i], ts, c->tolerance);

        if (v == NULL)
            return EMT_OK;
        values[i] = v->value;
        out.quality = quality_worse(out.quality, v->quality);
    }
    if (formula_value(f, values, c->decimals, &out.value) != EMT_OK)
        return EMT_OK;
    out.stored_quality = (int16_t)out.quality;
    return push(&c->computed, &out);
}

/* [from, to) under one formula. */
static enum emt_err compute(struct calculation *c, const struct formula *f, emt_time from,
                            emt_time to)
{
    enum emt_err err = EMT_OK;

    for (unsigned i = 0; err == EMT_OK && i < f->ninputs; i++)
        err =
            read_series(c, &c->inputs[i], f->inputs[i], from - c->tolerance, to + c->tolerance + 1);
    if (c->step == 0) {
        for (size_t i = 0; err == EMT_OK && i < c->inputs[0].n; i++) {
            if (c->inputs[0].list[i].ts >= from && c->inputs[0].list[i].ts < to)
                err = compute_at(c, f, c->inputs[0].list[i].ts);
        }
        return err;
    }
    if (err != EMT_OK || c->inputs[0].n == 0)
        return err;
    /* The grid begins at the first value. */
    if (c->inputs[0].list[0].ts - c->step > from)
        from = c->inputs[0].list[0].ts - c->step;
    for (emt_time ts = (from + c->step - 1) / c->step * c->step;
         err == EMT_OK && ts < to && ts <= c->now; ts += c->step)
        err = compute_at(c, f, ts);
    return err;
}

/* ---- differences ---- */

static struct value_change change_of(const struct stored_reading *v, bool remove)
{
    return (struct value_change){ .v = { v->ts, v->value.mantissa, v->value.exponent,
                                         v->stored_quality },
                                  .remove = remove,
                                  .reason = WHY };
}

static bool is_same(const struct stored_reading *a, const struct stored_reading *b)
{
    return a->quality == b->quality && decimal_compare(a->value, b->value) == 0;
}

/* What differs, ascending: at most as many as both series have. */
static size_t find_changes(const struct calculation *c, struct value_change *out)
{
    const struct series *a = &c->computed, *b = &c->stored;
    size_t i = 0, k = 0, n = 0;

    while (i < a->n || k < b->n) {
        if (k == b->n || (i < a->n && a->list[i].ts < b->list[k].ts)) {
            out[n++] = change_of(&a->list[i++], false);
        } else if (i == a->n || b->list[k].ts < a->list[i].ts) {
            out[n++] = change_of(&b->list[k++], true);
        } else {
            if (!is_same(&a->list[i], &b->list[k]))
                out[n++] = change_of(&a->list[i], false);
            i++;
            k++;
        }
    }
    return n;
}

static enum emt_err write_changes(struct calculation *c)
{
    const struct value_who who = { BY, c->now };
    struct value_change *list = calloc(c->computed.n + c->stored.n + 1, sizeof *list);
    enum emt_err err = EMT_OK;

    if (list == NULL)
        return EMT_ENOMEM;
    size_t n = find_changes(c, list);
    for (size_t at = 0; err == EMT_OK && at < n; at += VALUE_CHANGES_MAX) {
        size_t lot = n - at < VALUE_CHANGES_MAX ? n - at : VALUE_CHANGES_MAX;

        err = value_change(c->s, c->tenant, c->channel, VALUE_NOT_BY_HAND, list + at, lot, &who);
        for (size_t i = at; err == EMT_OK && i < at + lot; i++)
            c->written += list[i].outcome == VALUE_WRITTEN;
    }
    free(list);
    return err;
}

/* One span in one transaction, so that a correction meanwhile is either seen or comes after it. */
static enum emt_err run_span(struct calculation *c, emt_time from, emt_time to)
{
    enum emt_err err = store_begin(c->s, c->tenant);

    c->computed.n = 0;
    for (emt_time at = from, end; err == EMT_OK && at < to; at = end) {
        const struct formula *f = formula_at(c, at);

        end = to;
        for (unsigned i = 0; i < c->nversions; i++) {
            if (c->versions[i].from > at && c->versions[i].from < end)
                end = c->versions[i].from;
        }
        if (f != NULL)
            err = compute(c, f, at, end);
    }
    if (err == EMT_OK)
        err = read_series(c, &c->stored, c->channel, from, to);
    if (err == EMT_OK)
        err = write_changes(c);
    if (err == EMT_OK)
        err = store_commit(c->s);
    else
        store_rollback(c->s);
    c->values += (int64_t)c->computed.n;
    return err;
}

/* ---- the job ---- */

/* The time of the first value of any input, so that a whole run does not walk from 1970 on. */
static enum emt_err first_time(struct calculation *c, emt_time *out)
{
    *out = c->now;
    for (unsigned v = 0; v < c->nversions; v++) {
        const struct formula *f = &c->versions[v].formula;

        for (unsigned i = 0; i < f->ninputs; i++) {
            struct stored_reading *list = NULL;
            size_t n = 0;
            enum emt_err err =
                reading_range(c->s, c->tenant, f->inputs[i], 0, c->now, 1, &list, &n);

            if (err != EMT_OK)
                return err;
            if (n > 0 && list[0].ts < *out)
                *out = list[0].ts;
            free(list);
        }
    }
    return EMT_OK;
}

static enum emt_err begin(struct calculation *c, const struct job *job, emt_time *from,
                          emt_time *to)
{
    enum emt_err err = store_begin(c->s, c->tenant);

    if (err == EMT_OK)
        err = read_definition(c);
    *to = c->now;
    if (err == EMT_OK && job->to[0] && time_parse(job->to, to) != EMT_OK)
        err = EMT_EMALFORMED;
    if (err == EMT_OK && job->from[0])
        err = time_parse(job->from, from);
    else if (err == EMT_OK)
        err = first_time(c, from);
    /* A corrected value reaches the grid times around it. */
    *from -= *from > EMT_DAY ? c->step : 0;
    *to += c->step;
    store_rollback(c->s);
    return err;
}

static void release(struct calculation *c)
{
    for (unsigned i = 0; i < FORMULA_INPUTS_MAX; i++)
        free(c->inputs[i].list);
    free(c->computed.list);
    free(c->stored.list);
    free(c);
}

enum emt_err calculation_job_run(struct store *app, const struct job *job,
                                 bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                                 char *result, size_t result_size, char *error, size_t error_size)
{
    struct calculation *c = calloc(1, sizeof *c);
    emt_time from = 0, to = 0;

    if (c == NULL)
        return EMT_ENOMEM;
    c->s = app;
    c->tenant = job->tenant;
    c->channel = job->subject;
    c->now = clock_now();
    enum emt_err err = begin(c, job, &from, &to);
    while (err == EMT_OK && from < to) {
        emt_time end = to - from > SPAN ? from + SPAN : to;

        err = run_span(c, from, end);
        from = end;
        if (err == EMT_OK && !step(ctx, c->values, -1))
            err = EMT_EAGAIN;
    }
    (void)snprintf(result, result_size, "{\"values\": %" PRId64 ", \"written\": %" PRId64 "}",
                   c->values, c->written);
    if (err != EMT_OK)
        (void)snprintf(error, error_size, "%s: %s", emt_err_name(err), store_error(app));
    release(c);
    return err;
}

enum emt_err calculation_step(struct store *admin, emt_time now, int64_t *ordered)
{
    int64_t n = 0;
    enum emt_err err = store_begin(admin, 0);

    *ordered = 0;
    if (err == EMT_OK)
        err = calculation_order_due(admin, now, &n);
    if (err == EMT_OK)
        err = store_commit(admin);
    else
        store_rollback(admin);
    if (err == EMT_OK)
        *ordered = n;
    return err;
}
