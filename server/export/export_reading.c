/* Registers as they show, transformer ratio not applied. All registers of one meter at one instant
 * are one message; time of use is the begin of the day (AHB 13017, 13002), also of the two readings
 * of an exchange, which say their real time besides (DTM+60). */
#include "export_unit.h"
#include "store/export_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* The readings of one meter. */
struct meter {
    struct export_lines lines;
    struct export_value values[DOCUMENT_LINES_MAX];
};

/* The register's reading at the instant; NULL is noted. */
static enum emt_err find_reading(struct export_run *run, const struct place *place,
                                 const struct export_line *line, emt_time at,
                                 struct register_reading *protocol,
                                 const struct register_reading **out)
{
    const struct place_register *r = line->regs[0];
    emt_time margin = run->tolerance_s * EMT_SECOND;
    emt_time from = at - margin > r->from ? at - margin : r->from;
    emt_time to = at + margin + 1;
    const struct register_reading *list;
    char when[32];
    size_t n;

    *out = protocol;
    if ((at == r->from && r->has_first) || (at == r->to && r->has_last)) {
        *protocol = (struct register_reading){ at, at == r->to ? r->last : r->first,
                                               QUALITY_MEASURED, NULL, NULL };
        return EMT_OK;
    }
    if (r->to != EMT_TIME_NONE && to > r->to + 1)
        to = r->to + 1;
    enum emt_err err = lot_range(run->lot, r->channel, from, to, &list, &n);
    if (err != EMT_OK)
        return err;
    const struct register_reading *found = register_reading_at(list, n, at, margin);
    if (found == NULL || quality_mscons(found->quality) == NULL) {
        unit_note(run, place, line, "%s at %s", n == 0 ? "no reading" : "invalid reading",
                  time_format(at, when));
        found = NULL;
    }
    *out = found;
    return EMT_OK;
}

/* Adds the line with its reading at `at`; exchange_at: EMT_TIME_NONE for none. */
static enum emt_err add_reading(struct export_run *run, const struct place *place,
                                const struct export_line *line, emt_time use, emt_time at,
                                bool exchange, struct meter *m)
{
    struct register_reading protocol;
    const struct register_reading *r = NULL;
    struct export_value *v = &m->values[m->lines.n];
    struct decimal value;
    enum emt_err err = find_reading(run, place, line, at, &protocol, &r);

    if (err != EMT_OK || r == NULL)
        return err;
    if (unit_market_value(line->regs[0], line->regs[0]->scale, r->value, &value) != EMT_OK) {
        unit_note(run, place, line, "the reading is out of range");
        return EMT_OK;
    }
    *v = export_value_of(EMT_TIME_NONE, use, value, r->quality);
    v->method = r->method;
    v->reason = r->reason;
    if (exchange)
        v->exchange_at = at;
    m->lines.line[m->lines.n] = *line;
    m->lines.line[m->lines.n].values = v;
    m->lines.line[m->lines.n++].n_values = 1;
    return EMT_OK;
}

static bool same_meter(const struct place_register *a, const struct place_register *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->config, b->config) == 0 &&
           strcmp(a->order, b->order) == 0;
}

static bool is_shown(const struct place_register *r)
{
    return r->source == SOURCE_SHOWN;
}

/* Which registers of a meter are read, and when. */
enum moment { MOMENT_DAY, MOMENT_LAST, MOMENT_FIRST };

/* Whether another meter took over this register within the day, or it from another. */
static bool is_exchanged(const struct place *place, const struct place_register *r,
                         enum moment moment, emt_time at, emt_time end)
{
    emt_time when = moment == MOMENT_LAST ? r->to : r->from;

    if (when == EMT_TIME_NONE || when <= at || when >= end)
        return false;
    for (size_t i = 0; i < place->n; i++) {
        const struct place_register *o = &place->regs[i];
        emt_time other = moment == MOMENT_LAST ? o->from : o->to;

        if (o != r && is_shown(o) && strcmp(o->code, r->code) == 0 && other != EMT_TIME_NONE &&
            (moment == MOMENT_LAST ? other >= when && other < end : other <= when && other > at))
            return true;
    }
    return false;
}

static bool is_due(const struct place *place, const struct place_register *r, enum moment moment,
                   emt_time at, emt_time end)
{
    if (moment == MOMENT_DAY)
        return place_register_bound(r, at, at + 1);
    return is_exchanged(place, r, moment, at, end);
}

static enum emt_err put_meter(struct export_run *run, const struct place *place,
                              const struct place_register *first, enum moment moment, emt_time at,
                              emt_time end)
{
    emt_time when = moment == MOMENT_DAY ? at : moment == MOMENT_LAST ? first->to : first->from;
    struct meter *m = calloc(1, sizeof *m);
    enum emt_err err = m != NULL ? EMT_OK : EMT_ENOMEM;

    for (size_t i = 0; i < place->n && err == EMT_OK && m->lines.n < DOCUMENT_LINES_MAX; i++) {
        const struct place_register *r = &place->regs[i];
        struct export_line line = { .regs = { r }, .n_regs = 1 };

        if (is_shown(r) && same_meter(r, first) && is_due(place, r, moment, at, end) &&
            (moment == MOMENT_DAY || when == (moment == MOMENT_LAST ? r->to : r->from)))
            err = add_reading(run, place, &line, at, when, moment != MOMENT_DAY, m);
    }
    if (err == EMT_OK && m->lines.n > 0)
        err = export_document_put(run, place, NULL, at, when, &m->lines);
    free(m);
    return err;
}

/* Each meter of the place once. */
static enum emt_err put_meters(struct export_run *run, const struct place *place,
                               enum moment moment, emt_time at, emt_time end)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; i < place->n && err == EMT_OK; i++) {
        const struct place_register *r = &place->regs[i];
        bool done = false;

        if (!is_shown(r) || !is_due(place, r, moment, at, end))
            continue;
        for (size_t k = 0; k < i; k++)
            done = done || (is_shown(&place->regs[k]) && same_meter(&place->regs[k], r) &&
                            is_due(place, &place->regs[k], moment, at, end));
        if (done)
            continue;
        if (run->use->shape == EXPORT_READING && r->device[0] == '\0' && r->config[0] == '\0')
            export_note(&run->out->notes, place->code,
                        "%u needs the number of the meter at the binding", run->use->pid);
        else
            err = put_meter(run, place, r, moment, at, end);
    }
    return err;
}

enum emt_err unit_reading(struct export_run *run, const struct place *place, emt_time at,
                          emt_time end)
{
    enum emt_err err = put_meters(run, place, MOMENT_DAY, at, end);

    if (end > run->req->now)
        end = run->req->now;
    if (err == EMT_OK && at < end)
        err = put_meters(run, place, MOMENT_LAST, at, end);
    return err == EMT_OK && at < end ? put_meters(run, place, MOMENT_FIRST, at, end) : err;
}

/* --- values at their instants --- */

static enum emt_err add_instants(struct export_run *run, struct export_line *line, emt_time from,
                                 emt_time to)
{
    emt_time step = line->regs[0]->step;
    emt_time tolerance = run->tolerance_s * EMT_SECOND;
    struct unit_chain c;
    enum emt_err err = unit_chain_of(run, line, from, to, tolerance, &c);

    if (err != EMT_OK)
        return err;
    line->values = calloc((size_t)((to - from) / step) + 1, sizeof *line->values);
    if (line->values == NULL)
        return EMT_ENOMEM;
    for (emt_time t = from + step; t <= to; t += step) {
        for (size_t i = 0; i < c.chain.n; i++) {
            const struct register_reading *r =
                register_reading_at(c.spans[i].readings, c.spans[i].n, t, tolerance);
            struct decimal value;

            if (r == NULL || quality_mscons(r->quality) == NULL ||
                unit_market_value(line->regs[i], line->regs[i]->factor, r->value, &value) != EMT_OK)
                continue;
            line->values[line->n_values++] = export_value_of(EMT_TIME_NONE, t, value, r->quality);
            break;
        }
    }
    return EMT_OK;
}

enum emt_err unit_instants(struct export_run *run, const struct place *place, emt_time from,
                           emt_time to)
{
    struct export_lines *one = calloc(1, sizeof *one);
    enum emt_err err = one != NULL ? EMT_OK : EMT_ENOMEM;
    size_t next = 0;

    while (to > run->req->now)
        to -= run->use->step;
    while (err == EMT_OK && from < to &&
           unit_next_line(run, place, SOURCE_INSTANT, from, to, &next, &one->line[0])) {
        err = add_instants(run, &one->line[0], from, to);
        one->n = 1;
        if (err == EMT_OK && one->line[0].n_values == 0)
            unit_note(run, place, &one->line[0], "no value");
        else if (err == EMT_OK)
            err = export_document_put(run, place, NULL, from, to, one);
        free(one->line[0].values);
    }
    free(one);
    return err;
}
