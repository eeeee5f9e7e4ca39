/* One value for a period: what the registers moved on from its begin to its end, through every
 * exchange; the largest mean power in it; or a stored value that holds for it. */
#include "connectors/mscons_write.h"
#include "export_split.h"
#include "export_unit.h"
#include "store/export_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct period {
    struct export_run *run;
    const struct place *place;
    emt_time from, to;
    bool split_begin, split_end; /* of the line at hand: a register was formed there */
    struct export_lines lines;
    struct export_value values[DOCUMENT_LINES_MAX];
};

/* Only what stands at the ends of the period and of each meter's time in it is read: a year of
 * quarter hours is not. */
static enum emt_err edges_of(struct export_run *run, const struct place_register *r, emt_time from,
                             emt_time to, struct register_span *s)
{
    emt_time margin = run->tolerance_s * EMT_SECOND;
    emt_time a = from > r->from ? from : r->from;
    emt_time b = r->to != EMT_TIME_NONE && r->to < to ? r->to : to;
    emt_time start = a - margin > r->from ? a - margin : r->from;
    emt_time stop = r->to != EMT_TIME_NONE && b + margin > r->to ? r->to : b + margin;

    return lot_edges(run->lot, r->channel, start, a + margin + 1, b - margin, stop + 1,
                     &s->readings, &s->n);
}

static enum emt_err counter_value(struct period *p, const struct export_line *line,
                                  struct export_value *out, bool *found)
{
    struct unit_chain c = { .chain = { .spans = c.spans,
                                       .n = line->n_regs,
                                       .tolerance = p->run->tolerance_s * EMT_SECOND,
                                       .rounds = true,
                                       .decimals = line->regs[0]->decimals } };
    struct register_reading *own[LINE_REGISTERS_MAX] = { NULL };
    enum gap_reason reason = GAP_NO_READING;
    enum emt_err err = EMT_OK;
    char from[32];
    char to[32];

    p->split_begin = p->split_end = false;
    for (size_t i = 0; i < line->n_regs && err == EMT_OK; i++) {
        const struct place_register *r = line->regs[i];
        struct register_span *s = &c.spans[i];

        unit_span_of(r, s, &c.protocol[2 * i]);
        err = edges_of(p->run, r, p->from, p->to, s);
        if (err == EMT_OK)
            err = split_at(p->run, r, p->from, s, &own[i], &p->split_begin);
        if (err == EMT_OK)
            err = split_at(p->run, r, p->to, s, &own[i], &p->split_end);
    }
    *found =
        err == EMT_OK && register_chain_energy(&c.chain, p->from, p->to, out, &reason) == EMT_OK;
    for (size_t i = 0; i < line->n_regs; i++)
        free(own[i]);
    if (err != EMT_OK)
        return err;
    if (!*found)
        unit_note(p->run, p->place, line, "no energy from %s to %s: %s", time_format(p->from, from),
                  time_format(p->to, to), gap_reason_name(reason));
    return EMT_OK;
}

/* The largest mean power of a step: its energy times steps per hour. A month with a gap has none:
 * it might lie there. */
static enum emt_err maximum_value(struct period *p, const struct export_line *line,
                                  struct export_value *out, bool *found)
{
    emt_time step = line->regs[0]->step;
    struct load_profile profile;
    struct unit_chain c;
    char when[32];
    enum emt_err err =
        unit_chain_of(p->run, line, p->from, p->to, p->run->tolerance_s * EMT_SECOND, &c);

    if (err == EMT_OK)
        err = load_profile_chain(&c.chain, step, p->from, p->to, &profile, NULL);
    if (err != EMT_OK)
        return err;
    *found = false;
    for (size_t i = 0; i < profile.n_values; i++) {
        const struct export_value *v = &profile.values[i];

        if (i == 0 || decimal_compare(v->value, out->value) > 0) {
            *out = *v;
            *found = true;
        }
    }
    if (profile.n_gaps > 0) {
        unit_note(p->run, p->place, line, "no maximum: a gap begins at %s (%s)",
                  time_format(profile.gaps[0].from, when), gap_reason_name(profile.gaps[0].reason));
        *found = false;
    }
    load_profile_release(&profile);
    out->from = p->from;
    out->to = p->to;
    return *found ? decimal_mul(out->value, decimal_of(EMT_HOUR / step, 0), &out->value) : EMT_OK;
}

/* The latest stored value of the period holds for it. */
static enum emt_err stored_value(struct period *p, const struct export_line *line,
                                 struct export_value *out, bool *found)
{
    emt_time margin = p->run->tolerance_s * EMT_SECOND;
    const struct register_reading *last = NULL;
    const struct place_register *of = NULL;
    char from[32];

    for (size_t i = 0; i < line->n_regs; i++) {
        const struct place_register *r = line->regs[i];
        emt_time a = p->from + margin > r->from ? p->from + margin : r->from;
        const struct register_reading *list;
        size_t n;
        enum emt_err err = lot_range(p->run->lot, r->channel, a + 1, p->to + margin + 1, &list, &n);

        if (err != EMT_OK)
            return err;
        for (; n > 0 && (last == NULL || list[n - 1].time > last->time); n--) {
            if (quality_mscons(list[n - 1].quality) != NULL) {
                last = &list[n - 1];
                of = r;
            }
        }
    }
    *found = last != NULL && unit_market_value(of, of->factor, last->value, &out->value) == EMT_OK;
    if (!*found) {
        unit_note(p->run, p->place, line, "no value for the period from %s on",
                  time_format(p->from, from));
        return EMT_OK;
    }
    struct decimal value = out->value;

    *out = export_value_of(p->from, p->to, value, last->quality);
    out->method = last->method;
    out->reason = last->reason;
    return EMT_OK;
}

/* 7-0:33.47.0: of the two highest months of a year, which no chain of readings says alone. */
static bool is_before_supply_maximum(struct obis o)
{
    return o.a == 7 && o.c == 33 && o.d == 47;
}

/* State number and calorific value are sent on request, of the metering location (13009, 524); a
 * market location has energies in whole kWh. */
static bool is_quality(struct obis o)
{
    return o.a == 7 && (o.c == 52 || o.c == 54);
}

/* An energy of gas goes without state number and calorific value of volumes (13009, 51). */
static bool is_total(struct obis o)
{
    return o.a == 7 && o.c == 33 && o.d == 86;
}

/* Energy of a metering location is a correction, which names its order (13019, RFF+AGI). */
static bool is_for_place(const struct period *p, const struct export_line *line)
{
    const struct place_register *r = line->regs[0];
    const char *document = p->run->req->document;

    /* A register of another kind of document is no fault of this one. */
    if (!mscons_document_register(p->run->use->pid, document, r->obis))
        return false;
    if (p->run->use->pid == 13009 && p->place->kind != LOCATION_MELO && is_quality(r->obis)) {
        unit_note(p->run, p->place, line, "stands at metering locations (MeLo) only in 13009");
        return false;
    }
    if (is_before_supply_maximum(r->obis)) {
        unit_note(p->run, p->place, line, "maxima before a supply are not formed");
        return false;
    }
    if (p->place->kind == LOCATION_MELO && document != NULL)
        return false;
    return p->run->use->pid != 13019 || p->place->kind != LOCATION_MELO || r->order[0] != '\0';
}

/* An energy of a market location says whether the readings at its ends were sent or formed; what
 * goes with another document says neither that nor how it was formed. */
static void set_basis(const struct period *p, struct export_value *v)
{
    const char *document = p->run->req->document;

    if (document != NULL) {
        v->method = v->reason = NULL;
        v->qualifier = export_is_note(document) ? "Z31" : NULL;
    } else if (p->run->use->pid == 13019 && p->place->kind != LOCATION_MELO) {
        v->basis_begin = p->split_begin ? "Z38" : "Z36";
        v->basis_end = p->split_end ? "Z39" : "Z37";
    }
}

static enum emt_err add_lines(struct period *p, enum export_source source)
{
    enum emt_err err = EMT_OK;
    size_t next = 0;

    while (err == EMT_OK && p->lines.n < DOCUMENT_LINES_MAX) {
        struct export_line *line = &p->lines.line[p->lines.n];
        struct export_value *v = &p->values[p->lines.n];
        bool found = false;

        if (!unit_next_line(p->run, p->place, source, p->from, p->to, &next, line))
            break;
        if (!is_for_place(p, line))
            continue;
        *v = export_value_of(p->from, p->to, decimal_of(0, 0), QUALITY_MEASURED);
        if (source == SOURCE_COUNTER)
            err = counter_value(p, line, v, &found);
        else if (source == SOURCE_MAXIMUM)
            err = maximum_value(p, line, v, &found);
        else
            err = stored_value(p, line, v, &found);
        if (err != EMT_OK && !export_ends(err)) {
            unit_note(p->run, p->place, line, "left out: %s", emt_err_name(err));
            err = EMT_OK;
            found = false;
        }
        if (!found)
            continue;
        set_basis(p, v);
        line->values = v;
        line->n_values = 1;
        p->lines.n++;
    }
    return err;
}

static bool same_document(const struct export_line *a, const struct export_line *b)
{
    return strcmp(a->regs[0]->order, b->regs[0]->order) == 0 &&
           strcmp(a->regs[0]->config, b->regs[0]->config) == 0 &&
           is_total(a->regs[0]->obis) == is_total(b->regs[0]->obis) &&
           strcmp(a->regs[0]->device, b->regs[0]->device) == 0;
}

/* Registers of one order, configuration and meter are one message. */
static enum emt_err put_lines(struct period *p)
{
    struct export_lines *together = calloc(1, sizeof *together);
    bool done[DOCUMENT_LINES_MAX] = { false };
    enum emt_err err = together != NULL ? EMT_OK : EMT_ENOMEM;

    for (size_t i = 0; i < p->lines.n && err == EMT_OK; i++) {
        if (done[i])
            continue;
        together->n = 0;
        for (size_t k = i; k < p->lines.n; k++) {
            if (done[k] || !same_document(&p->lines.line[i], &p->lines.line[k]))
                continue;
            done[k] = true;
            together->line[together->n++] = p->lines.line[k];
        }
        err =
            export_document_put(p->run, p->place, p->run->req->document, p->from, p->to, together);
    }
    free(together);
    return err;
}

enum emt_err unit_energy(struct export_run *run, const struct place *place, emt_time from,
                         emt_time to)
{
    static const enum export_source sources[] = { SOURCE_COUNTER, SOURCE_MAXIMUM, SOURCE_DAY };
    struct period *p = calloc(1, sizeof *p);
    enum emt_err err = p != NULL ? EMT_OK : EMT_ENOMEM;
    char when[32];

    if (err != EMT_OK)
        return err;
    *p = (struct period){ .run = run, .place = place, .from = from, .to = to };
    if (to > run->req->now)
        export_note(&run->out->notes, place->code, "the period ends at %s, which is not over",
                    time_format(to, when));
    else {
        for (size_t i = 0; i < 3 && err == EMT_OK; i++) {
            /* Of a meter reading's kind, only what has a period stands here. */
            if (run->use->shape == EXPORT_ENERGY || sources[i] == SOURCE_DAY)
                err = add_lines(p, sources[i]);
        }
        if (err == EMT_OK)
            err = put_lines(p);
    }
    free(p);
    return err;
}
