/* A message belongs to one place and one day. Registers that cover the whole day share a message; a
 * register with gaps sends its contiguous spans in messages of their own, or waits, or has its gaps
 * filled: a load profile must tile its period (AHB 13018, 13025, 13008). */
#include "export_unit.h"
#include "store/export_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WEEK (7 * EMT_DAY)

/* --- lines --- */

void unit_note(const struct export_run *run, const struct place *place,
               const struct export_line *line, const char *fmt, ...)
{
    char text[280];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    export_note(&run->out->notes, place->code, "%s: %s", line->regs[0]->code, text);
}

static bool same_line(const struct export_run *run, const struct place_register *a,
                      const struct place_register *b)
{
    if (strcmp(a->code, b->code) != 0 || strcmp(a->order, b->order) != 0 || a->step != b->step)
        return false;
    return run->use->shape != EXPORT_READING ||
           (strcmp(a->device, b->device) == 0 && strcmp(a->config, b->config) == 0);
}

bool unit_next_line(const struct export_run *run, const struct place *place,
                    enum export_source source, emt_time from, emt_time to, size_t *next,
                    struct export_line *out)
{
    out->n_regs = 0;
    out->values = NULL;
    out->n_values = 0;
    for (; *next < place->n; ++*next) {
        const struct place_register *first = &place->regs[*next];
        bool again = false;

        if (first->source != source || !place_register_bound(first, from, to))
            continue;
        for (size_t i = 0; i < *next; i++)
            again = again || (place->regs[i].source == source &&
                              place_register_bound(&place->regs[i], from, to) &&
                              same_line(run, &place->regs[i], first));
        if (again)
            continue;
        for (size_t i = *next; i < place->n && out->n_regs < LINE_REGISTERS_MAX; i++) {
            if (place->regs[i].source == source &&
                place_register_bound(&place->regs[i], from, to) &&
                same_line(run, &place->regs[i], first))
                out->regs[out->n_regs++] = &place->regs[i];
        }
        ++*next;
        return true;
    }
    return false;
}

/* Rows come in the order of begin: only neighbours can overlap. */
static bool overlaps(const struct export_line *line)
{
    for (size_t i = 1; i < line->n_regs; i++) {
        const struct place_register *a = line->regs[i - 1];

        if (a->to == EMT_TIME_NONE || a->to > line->regs[i]->from)
            return true;
    }
    return false;
}

void unit_span_of(const struct place_register *r, struct register_span *s,
                  struct register_reading two[2])
{
    *s = (struct register_span){
        .from = r->from, .to = r->to, .factor = r->factor, .modulus = r->capacity
    };
    if (r->has_first) {
        two[0] = (struct register_reading){ r->from, r->first, QUALITY_MEASURED, NULL, NULL };
        s->first = &two[0];
    }
    if (r->has_last && r->to != EMT_TIME_NONE) {
        two[1] = (struct register_reading){ r->to, r->last, QUALITY_MEASURED, NULL, NULL };
        s->last = &two[1];
    }
}

enum emt_err unit_chain_of(struct export_run *run, const struct export_line *line, emt_time from,
                           emt_time to, emt_time tolerance, struct unit_chain *out)
{
    emt_time margin = run->tolerance_s * EMT_SECOND;
    enum emt_err err = EMT_OK;

    out->chain = (struct register_chain){ .spans = out->spans,
                                          .n = line->n_regs,
                                          .tolerance = tolerance,
                                          .rounds = true,
                                          .decimals = line->regs[0]->decimals };
    for (size_t i = 0; i < line->n_regs && err == EMT_OK; i++) {
        const struct place_register *r = line->regs[i];
        struct register_span *s = &out->spans[i];
        emt_time a = from - margin;
        emt_time b = to + margin + 1;

        unit_span_of(r, s, &out->protocol[2 * i]);
        if (a < r->from)
            a = r->from;
        if (r->to != EMT_TIME_NONE && b > r->to + 1)
            b = r->to + 1;
        err = lot_range(run->lot, r->channel, a, b, &s->readings, &s->n);
    }
    return err;
}

enum emt_err unit_market_value(const struct place_register *r, struct decimal factor,
                               struct decimal value, struct decimal *out)
{
    enum emt_err err = decimal_mul(value, factor, out);

    return err == EMT_OK ? decimal_round(*out, r->decimals, out) : err;
}

/* --- gaps --- */

static bool fills(const struct export_run *run)
{
    return !run->req->hold_gaps && (strcmp(run->policy->gap, "provisional") == 0 ||
                                    strcmp(run->policy->gap, "substitute") == 0);
}

static bool holds(const struct export_run *run)
{
    return run->req->hold_gaps || strcmp(run->policy->gap, "spans") != 0;
}

/* Only the part of a longer profile that lies in [from, to). */
static void cut(struct load_profile *p, emt_time from, emt_time to, emt_time step)
{
    size_t values = 0;
    size_t gaps = 0;

    for (size_t i = 0; i < p->n_values; i++) {
        if (p->values[i].from >= from && p->values[i].to <= to)
            p->values[values++] = p->values[i];
    }
    for (size_t i = 0; i < p->n_gaps; i++) {
        struct profile_gap g = p->gaps[i];

        if (g.to <= from || g.from >= to)
            continue;
        g.from = g.from > from ? g.from : from;
        g.to = g.to < to ? g.to : to;
        p->gaps[gaps++] = g;
    }
    p->n_values = values;
    p->n_gaps = gaps;
    p->n_intervals = (size_t)((to - from) / step);
}

/* The same register over a longer time: with meters that were there before and after. */
static void widen(const struct export_run *run, const struct place *place,
                  const struct export_line *line, emt_time from, emt_time to,
                  struct export_line *out)
{
    size_t next = 0;

    while (unit_next_line(run, place, SOURCE_COUNTER, from, to, &next, out)) {
        if (same_line(run, out->regs[0], line->regs[0]))
            return;
    }
    *out = *line;
}

/* Whole steps of a day on either side, as far as it is past: the same window for an interval
 * whatever period is asked for. */
static enum emt_err interpolated(struct export_run *run, const struct place *place,
                                 const struct export_line *line, emt_time from, emt_time to,
                                 enum quality quality, struct load_profile *out)
{
    emt_time step = line->regs[0]->step;
    emt_time first = from - EMT_DAY;
    emt_time last = to + EMT_DAY;
    struct load_profile p;
    struct export_line wide;
    struct unit_chain c;
    bool named = quality == QUALITY_SUBSTITUTE && run->lot->method != NULL;

    while (last > to && last > run->req->now)
        last -= step;
    widen(run, place, line, first, last, &wide);
    enum emt_err err = unit_chain_of(run, &wide, first, last, run->tolerance_s * EMT_SECOND, &c);
    if (err == EMT_OK)
        err = load_profile_chain(&c.chain, step, first, last, &p, NULL);
    if (err != EMT_OK)
        return err;
    err = load_profile_interpolate(&c.chain, step, &p, quality, named ? "Z92" : NULL,
                                   named ? run->policy->reason : NULL);
    if (err != EMT_OK) {
        load_profile_release(&p);
        return err;
    }
    cut(&p, from, to, step);
    load_profile_release(out);
    *out = p;
    return EMT_OK;
}

/* The value of the same quarter hour by the clock, seven days before. */
static const struct export_value *value_like(const struct load_profile *p, emt_time from)
{
    emt_time wanted = from - WEEK;

    wanted += (local_offset_s(from) - local_offset_s(wanted)) * EMT_SECOND;
    for (size_t i = 0; i < p->n_values; i++) {
        if (p->values[i].from == wanted)
            return &p->values[i];
    }
    return NULL;
}

/* Gaps become what was a week before, where there is such a value. */
static enum emt_err compared(struct export_run *run, const struct place *place,
                             const struct export_line *line, enum quality quality,
                             struct load_profile *p)
{
    emt_time step = line->regs[0]->step;
    emt_time first = p->gaps[0].from - WEEK - EMT_HOUR;
    emt_time last = p->gaps[p->n_gaps - 1].to - WEEK + EMT_HOUR;
    struct load_profile before, out = { .n_intervals = p->n_intervals };
    struct export_line wide;
    struct unit_chain c;
    size_t k = 0;
    bool named = quality == QUALITY_SUBSTITUTE && run->lot->method != NULL;

    widen(run, place, line, first, last, &wide);
    enum emt_err err = unit_chain_of(run, &wide, first, last, run->tolerance_s * EMT_SECOND, &c);

    if (err == EMT_OK)
        err = load_profile_chain(&c.chain, step, first, last, &before, NULL);
    if (err != EMT_OK)
        return err;
    out.values = calloc(p->n_intervals, sizeof *out.values);
    out.gaps = calloc(p->n_intervals, sizeof *out.gaps);
    for (size_t i = 0; i < p->n_gaps && out.values != NULL && out.gaps != NULL; i++) {
        for (; k < p->n_values && p->values[k].to <= p->gaps[i].from; k++)
            out.values[out.n_values++] = p->values[k];
        for (emt_time t = p->gaps[i].from; t < p->gaps[i].to; t += step) {
            const struct export_value *like = value_like(&before, t);

            if (like == NULL) {
                out.gaps[out.n_gaps++] = (struct profile_gap){ t, t + step, p->gaps[i].reason };
                continue;
            }
            struct export_value *v = &out.values[out.n_values++];

            *v = export_value_of(t, t + step, like->value, quality);
            v->method = named ? "ZJ2" : NULL;
            v->reason = named ? run->policy->reason : NULL;
        }
    }
    load_profile_release(&before);
    if (out.values == NULL || out.gaps == NULL) {
        load_profile_release(&out);
        return EMT_ENOMEM;
    }
    for (; k < p->n_values; k++)
        out.values[out.n_values++] = p->values[k];
    load_profile_release(p);
    *p = out;
    return EMT_OK;
}

static enum emt_err fill_gaps(struct export_run *run, const struct place *place,
                              const struct export_line *line, emt_time from, emt_time to,
                              struct load_profile *p)
{
    bool provisional = strcmp(run->policy->gap, "provisional") == 0;
    bool week = strcmp(run->policy->method, "ZJ2") == 0;
    enum quality quality = provisional ? QUALITY_PROVISIONAL : QUALITY_SUBSTITUTE;
    enum emt_err err = EMT_OK;

    if (p->n_gaps > 0 && (provisional || !week))
        err = interpolated(run, place, line, from, to, quality, p);
    if (err == EMT_OK && p->n_gaps > 0 && (provisional || week))
        err = compared(run, place, line, quality, p);
    return err;
}

/* --- stored values --- */

/* One stored value for each step, at its end. */
static enum emt_err stored_profile(struct export_run *run, const struct export_line *line,
                                   emt_time step, emt_time from, emt_time to,
                                   struct load_profile *out)
{
    struct load_profile p = { .n_intervals = (size_t)((to - from) / step) };
    emt_time tolerance = run->tolerance_s * EMT_SECOND;
    struct unit_chain c;
    enum emt_err err = unit_chain_of(run, line, from, to, tolerance, &c);

    if (err != EMT_OK)
        return err;
    p.values = calloc(p.n_intervals, sizeof *p.values);
    p.gaps = calloc(p.n_intervals, sizeof *p.gaps);
    if (p.values == NULL || p.gaps == NULL) {
        load_profile_release(&p);
        return EMT_ENOMEM;
    }
    for (emt_time t = from; t < to; t += step) {
        const struct register_reading *r = NULL;
        struct export_value *v = &p.values[p.n_values];
        size_t i;

        for (i = 0; i < c.chain.n && r == NULL; i++)
            r = register_reading_at(c.spans[i].readings, c.spans[i].n, t + step, tolerance);
        if (r == NULL || unit_market_value(line->regs[0], line->regs[i - 1]->factor, r->value,
                                           &v->value) != EMT_OK) {
            p.gaps[p.n_gaps++] = (struct profile_gap){ t, t + step, GAP_NO_READING };
            continue;
        }
        struct decimal value = v->value;

        *v = export_value_of(t, t + step, value, r->quality);
        v->method = r->method;
        v->reason = r->reason;
        p.n_values++;
    }
    *out = p;
    return EMT_OK;
}

static enum emt_err build(struct export_run *run, const struct place *place,
                          const struct export_line *line, enum export_source source, emt_time from,
                          emt_time to, struct load_profile *out, struct emt_diag *diag)
{
    emt_time step = source == SOURCE_DAY ? to - from : line->regs[0]->step;
    struct unit_chain c;

    if (source != SOURCE_COUNTER)
        return stored_profile(run, line, step, from, to, out);
    if (overlaps(line))
        return emt_fail(diag, EMT_ECONFLICT, "%s: several channels are bound at one time",
                        line->regs[0]->code);
    enum emt_err err = unit_chain_of(run, line, from, to, run->tolerance_s * EMT_SECOND, &c);
    if (err == EMT_OK)
        err = load_profile_chain(&c.chain, step, from, to, out, diag);
    if (err != EMT_OK || out->n_gaps == 0 || !fills(run))
        return err;
    err = fill_gaps(run, place, line, from, to, out);
    if (err != EMT_OK)
        load_profile_release(out);
    return err;
}

/* --- the day --- */

struct day {
    struct export_run *run;
    const struct place *place;
    emt_time from, to;
    struct export_lines lines;
    struct load_profile profiles[DOCUMENT_LINES_MAX]; /* of the lines */
};

static void note_gaps(const struct day *d, size_t i)
{
    const struct load_profile *p = &d->profiles[i];
    char from[32];
    char to[32];

    for (size_t k = 0; k < p->n_gaps; k++)
        unit_note(d->run, d->place, &d->lines.line[i], "gap %s to %s: %s",
                  time_format(p->gaps[k].from, from), time_format(p->gaps[k].to, to),
                  gap_reason_name(p->gaps[k].reason));
}

static void note_held(const struct day *d, size_t i, const char *why)
{
    struct local_date date = local_date_of(d->from);

    unit_note(d->run, d->place, &d->lines.line[i], "%04d-%02d-%02d is held back: it %s", date.year,
              date.month, date.day, why);
}

/* Each run of values without a gap is a message. */
static enum emt_err put_spans(struct day *d, size_t i)
{
    struct load_profile *p = &d->profiles[i];
    struct export_lines one = { .n = 1 };
    enum emt_err err = EMT_OK;

    for (size_t k = 0; k < p->n_values && err == EMT_OK;) {
        size_t end = k + 1;

        while (end < p->n_values && p->values[end].from == p->values[end - 1].to)
            end++;
        one.line[0] = d->lines.line[i];
        one.line[0].values = &p->values[k];
        one.line[0].n_values = end - k;
        err = export_document_put(d->run, d->place, NULL, p->values[k].from, p->values[end - 1].to,
                                  &one);
        k = end;
    }
    return err;
}

/* Whole lines of one order, from *first on, are one message. */
static enum emt_err put_whole(struct day *d, const bool *whole)
{
    struct export_lines *together = calloc(1, sizeof *together);
    bool done[DOCUMENT_LINES_MAX] = { false };
    enum emt_err err = together != NULL ? EMT_OK : EMT_ENOMEM;

    for (size_t i = 0; i < d->lines.n && err == EMT_OK; i++) {
        if (!whole[i] || done[i])
            continue;
        together->n = 0;
        for (size_t k = i; k < d->lines.n; k++) {
            if (!whole[k] || done[k] ||
                strcmp(d->lines.line[k].regs[0]->order, d->lines.line[i].regs[0]->order) != 0)
                continue;
            done[k] = true;
            together->line[together->n] = d->lines.line[k];
            together->line[together->n].values = d->profiles[k].values;
            together->line[together->n++].n_values = d->profiles[k].n_values;
        }
        err = export_document_put(d->run, d->place, NULL, d->from, d->to, together);
    }
    free(together);
    return err;
}

static enum emt_err put_day(struct day *d)
{
    bool whole[DOCUMENT_LINES_MAX] = { false };
    enum emt_err err = EMT_OK;

    for (size_t i = 0; i < d->lines.n && err == EMT_OK; i++) {
        note_gaps(d, i);
        whole[i] = d->profiles[i].n_gaps == 0;
        if (whole[i])
            continue;
        if (holds(d->run))
            note_held(d, i, "has gaps");
        else
            err = put_spans(d, i);
    }
    return err == EMT_OK ? put_whole(d, whole) : err;
}

static enum emt_err add_lines(struct day *d, enum export_source source)
{
    enum emt_err err = EMT_OK;
    size_t next = 0;

    while (err == EMT_OK && d->lines.n < DOCUMENT_LINES_MAX) {
        struct export_line *line = &d->lines.line[d->lines.n];
        struct emt_diag diag = { 0 };

        if (!unit_next_line(d->run, d->place, source, d->from, d->to, &next, line))
            break;
        err =
            build(d->run, d->place, line, source, d->from, d->to, &d->profiles[d->lines.n], &diag);
        if (err == EMT_OK) {
            d->lines.n++;
        } else if (!export_ends(err)) {
            export_note(&d->run->out->notes, d->place->code, "left out: %s", diag.text);
            err = EMT_OK;
        }
    }
    return err;
}

/* A day that is not over ends with the last whole step before now. */
static emt_time past_steps(const struct export_run *run, emt_time from, emt_time to)
{
    emt_time now = run->req->now;

    return to <= now ? to : from + (now - from) / run->use->step * run->use->step;
}

enum emt_err unit_profile(struct export_run *run, const struct place *place, emt_time from,
                          emt_time to)
{
    static const enum export_source sources[] = { SOURCE_COUNTER, SOURCE_HOURS, SOURCE_DAY };
    emt_time past = past_steps(run, from, to);
    struct day *d = calloc(1, sizeof *d);
    enum emt_err err = d != NULL ? EMT_OK : EMT_ENOMEM;

    if (err != EMT_OK)
        return err;
    *d = (struct day){ .run = run, .place = place, .from = from, .to = past };
    if (past < to && run->req->hold_gaps) {
        for (size_t next = 0;
             unit_next_line(run, place, SOURCE_COUNTER, from, to, &next, &d->lines.line[0]);)
            note_held(d, 0, "is not over");
    } else if (from < past) {
        for (size_t i = 0; i < 3 && err == EMT_OK; i++) {
            if (sources[i] != SOURCE_DAY || past == to)
                err = add_lines(d, sources[i]);
        }
        if (err == EMT_OK && d->lines.n > 0)
            err = put_day(d);
        for (size_t i = 0; i < d->lines.n; i++)
            load_profile_release(&d->profiles[i]);
    }
    free(d);
    return err;
}
