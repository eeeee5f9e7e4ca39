/* A message belongs to one place and, for load profiles, to one German local day. Registers that
 * cover the whole day share a message; a register with gaps sends its contiguous spans in messages
 * of their own, because a load profile must tile its period (AHB 13018, 13025) and a gap is never
 * filled here. */
#include "mscons_place.h"

#include "connectors/load_profile.h"
#include "model/obis.h"
#include "store/export_store.h"
#include "store/mandate_store.h"
#include "store/reading_query_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Energies have at most three decimals of a kWh (AHB, condition 906). */
#define MARKET_DECIMALS 3
/* Registers of one place. */
#define PLACE_REGISTERS_MAX 32

struct place_register {
    struct obis obis;
    int64_t channel;
    const char *device_number; /* borrowed from the rows */
    struct decimal ratio;
    emt_time valid_from, valid_to; /* EMT_TIME_NONE: open */
};

struct place {
    const char *code;
    struct place_register regs[PLACE_REGISTERS_MAX];
    size_t n;
};

void mscons_note(const struct mscons_run *run, const char *place, const char *fmt, ...)
{
    char text[320];
    char line[400];
    va_list ap;

    if (run->handler->note == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(line, sizeof line, "%s: %s", place, text);
    run->handler->note(run->handler->ctx, line);
}

/* EMT_OK and *usable tells whether the register can go out; why not is noted. */
static bool register_of_row(const struct mscons_run *run, const struct store_result *rows, int i,
                            struct place_register *out)
{
    const char *code = c_text(rows, i, EXPORT_LOCATION_CODE);
    const char *unit = c_text(rows, i, EXPORT_UNIT);

    if (obis_parse(c_text(rows, i, EXPORT_OBIS), &out->obis) != EMT_OK) {
        mscons_note(run, code, "OBIS code %s is none", c_text(rows, i, EXPORT_OBIS));
        return false;
    }
    if (!c_bool(rows, i, EXPORT_ACTIVE)) {
        mscons_note(run, code, "%s: its device is passive", c_text(rows, i, EXPORT_OBIS));
        return false;
    }
    if (strcmp(unit, "Wh") != 0 && strcmp(unit, "varh") != 0) {
        mscons_note(run, code, "%s: channel is in %s, this message needs Wh or varh",
                    c_text(rows, i, EXPORT_OBIS), *unit ? unit : "no unit");
        return false;
    }
    out->channel = c_int(rows, i, EXPORT_CHANNEL_ID);
    out->device_number = c_text(rows, i, EXPORT_DEVICE_NUMBER);
    out->ratio = decimal_of(c_int(rows, i, EXPORT_RATIO_MANTISSA),
                            (int)c_int(rows, i, EXPORT_RATIO_EXPONENT));
    out->valid_from = c_time(rows, i, EXPORT_VALID_FROM);
    out->valid_to = c_time(rows, i, EXPORT_VALID_TO);
    return true;
}

/* A place has registers for several use cases bound: counters (D = 8) are read, energies (D = 29)
 * tile a period. Which of the rest is allowed, the writer knows. */
static bool is_of_other_use_case(const struct mscons_run *run, const struct obis *obis)
{
    return obis->d == (run->req->pid == 13017 ? 29 : 8);
}

static void place_of_rows(const struct mscons_run *run, const struct store_result *rows, int first,
                          int end, struct place *out)
{
    struct obis obis;
    int others = 0;

    memset(out, 0, sizeof *out);
    out->code = c_text(rows, first, EXPORT_LOCATION_CODE);
    for (int i = first; i < end; i++) {
        if (c_null(rows, i, EXPORT_BINDING_ID))
            continue;
        if (obis_parse(c_text(rows, i, EXPORT_OBIS), &obis) == EMT_OK &&
            is_of_other_use_case(run, &obis)) {
            others++;
            continue;
        }
        if (out->n == PLACE_REGISTERS_MAX) {
            mscons_note(run, out->code, "more than %d registers", PLACE_REGISTERS_MAX);
            break;
        }
        if (register_of_row(run, rows, i, &out->regs[out->n]))
            out->n++;
    }
    if (c_null(rows, first, EXPORT_BINDING_ID) || others == end - first)
        mscons_note(run, out->code, "no channel is bound to it for this use case and period");
}

/* Register readings around [from, to], as far as the binding is valid. */
static enum emt_err read_register(const struct mscons_run *run, const struct place_register *reg,
                                  emt_time from, emt_time to, struct register_reading **out,
                                  size_t *n)
{
    emt_time margin = run->tolerance_s * EMT_SECOND;
    struct stored_reading *stored = NULL;
    size_t count = 0;

    from -= margin;
    to += margin + 1;
    if (from < reg->valid_from)
        from = reg->valid_from;
    if (reg->valid_to != EMT_TIME_NONE && to > reg->valid_to + 1)
        to = reg->valid_to + 1;
    if (to > run->req->now + 1)
        to = run->req->now + 1; /* a value of the future is a wrong clock */
    *out = NULL;
    *n = 0;
    if (from >= to)
        return EMT_OK;
    enum emt_err err = reading_range(run->store, run->req->tenant, reg->channel, from, to,
                                     READING_RANGE_MAX, &stored, &count);
    if (err != EMT_OK || count == 0) {
        free(stored);
        return err;
    }
    struct register_reading *list = calloc(count, sizeof *list);
    if (list != NULL) {
        for (size_t i = 0; i < count; i++) {
            list[i].time = stored[i].ts;
            list[i].value = stored[i].value;
            list[i].quality = stored[i].quality;
        }
    }
    free(stored);
    if (list == NULL)
        return EMT_ENOMEM;
    *out = list;
    *n = count;
    return EMT_OK;
}

/* --- one message --- */

/* What is wrong with a place is its own matter; what is broken on our side ends the export, as does
 * a transaction that the database gave up. */
static bool ends_export(enum emt_err err)
{
    return emt_err_class(err) == EMT_CLASS_BROKEN || emt_err_class(err) == EMT_CLASS_RETRY;
}

static enum emt_err put_document(struct mscons_run *run, const struct place *place,
                                 struct export_document *doc)
{
    struct emt_diag diag = { 0 };
    char number[36];

    snprintf(number, sizeof number, "%s-%u", run->reference, run->documents + 1);
    doc->kind = run->req->pid;
    doc->number = number;
    doc->location = place->code;
    enum emt_err err = mscons_put(run->writer, doc, &diag);
    doc->number = NULL;
    if (err == EMT_OK) {
        run->documents++;
        return EMT_OK;
    }
    if (ends_export(err))
        return err;
    mscons_note(run, place->code, "left out: %s", diag.text);
    return EMT_OK;
}

static enum emt_err put_profile(struct mscons_run *run, const struct place *place,
                                const struct obis *obis, const struct load_profile *profiles,
                                size_t n, emt_time from, emt_time to)
{
    struct export_series series[PLACE_REGISTERS_MAX];
    struct export_values values[PLACE_REGISTERS_MAX];
    struct export_document doc = { .from = from, .to = to, .series = series, .n_series = n };

    for (size_t i = 0; i < n; i++) {
        size_t first = 0;
        size_t count = 0;

        for (size_t k = 0; k < profiles[i].n_values; k++) {
            const struct export_value *v = &profiles[i].values[k];

            if (v->from < from)
                first = k + 1;
            else if (v->to <= to)
                count++;
        }
        values[i] = (struct export_values){ profiles[i].values + first, count, 0 };
        series[i].obis = obis[i];
        series[i].values = reading_cursor_of(&values[i]);
    }
    return put_document(run, place, &doc);
}

/* Each run of values without a gap is a message. */
static enum emt_err put_spans(struct mscons_run *run, const struct place *place,
                              const struct obis *obis, const struct load_profile *profile)
{
    for (size_t i = 0; i < profile->n_values;) {
        size_t k = i + 1;

        while (k < profile->n_values && profile->values[k].from == profile->values[k - 1].to)
            k++;
        enum emt_err err = put_profile(run, place, obis, profile, 1, profile->values[i].from,
                                       profile->values[k - 1].to);
        if (err != EMT_OK)
            return err;
        i = k;
    }
    return EMT_OK;
}

static void note_gaps(const struct mscons_run *run, const struct place *place,
                      const struct obis *obis, const struct load_profile *profile)
{
    char code[OBIS_TEXT_MAX];
    char from[32];
    char to[32];

    for (size_t i = 0; i < profile->n_gaps; i++) {
        const struct profile_gap *g = &profile->gaps[i];

        mscons_note(run, place->code, "%s: gap %s to %s: %s", obis_format_short(*obis, code),
                    time_format(g->from, from), time_format(g->to, to), gap_reason_name(g->reason));
    }
}

static void note_held(const struct mscons_run *run, const struct place *place,
                      const struct obis *obis, emt_time from, const char *why)
{
    char code[OBIS_TEXT_MAX];
    struct local_date d = local_date_of(from);

    mscons_note(run, place->code, "%s: %04d-%02d-%02d is held back: it %s",
                obis_format_short(*obis, code), d.year, d.month, d.day, why);
}

static bool has_obis_twice(const struct obis *obis, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            if (obis_equal(obis[i], obis[k]))
                return true;
        }
    }
    return false;
}

/* The profiles of all registers of a day; those with gaps go out alone, or not at all. */
static enum emt_err put_day(struct mscons_run *run, const struct place *place,
                            const struct obis *obis, const struct load_profile *profiles, size_t n,
                            emt_time from, emt_time to)
{
    struct load_profile whole[PLACE_REGISTERS_MAX];
    struct obis whole_obis[PLACE_REGISTERS_MAX];
    size_t n_whole = 0;
    enum emt_err err = EMT_OK;
    bool together = !has_obis_twice(obis, n);

    for (size_t i = 0; i < n && err == EMT_OK; i++) {
        note_gaps(run, place, &obis[i], &profiles[i]);
        if (profiles[i].n_gaps == 0 && together) {
            whole[n_whole] = profiles[i];
            whole_obis[n_whole++] = obis[i];
        } else if (profiles[i].n_gaps == 0 || !run->req->hold_gaps) {
            err = put_spans(run, place, &obis[i], &profiles[i]);
        } else {
            note_held(run, place, &obis[i], from, "has gaps");
        }
    }
    if (err == EMT_OK && n_whole > 0)
        err = put_profile(run, place, whole_obis, whole, n_whole, from, to);
    return err;
}

static enum emt_err build_profile(const struct mscons_run *run, const struct place_register *reg,
                                  emt_time from, emt_time to, struct load_profile *out,
                                  struct emt_diag *diag)
{
    struct register_reading *readings = NULL;
    struct load_profile_rule rule = { .step = LOAD_PROFILE_STEP,
                                      .rounds = true,
                                      .decimals = MARKET_DECIMALS };
    size_t n = 0;

    rule.tolerance = run->tolerance_s > 0 ? run->tolerance_s * EMT_SECOND : -1;
    if (decimal_mul(reg->ratio, decimal_of(1, -3), &rule.factor) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "transformer ratio is out of range");
    enum emt_err err = read_register(run, reg, from, to, &readings, &n);
    if (err == EMT_OK)
        err = load_profile_build(&rule, from, to, readings, n, out, diag);
    free(readings);
    return err;
}

static bool is_bound(const struct place_register *reg, emt_time from, emt_time to)
{
    return reg->valid_from < to && (reg->valid_to == EMT_TIME_NONE || reg->valid_to > from);
}

/* The end of a day that is not over is the last whole step before now. */
static emt_time past_steps(emt_time from, emt_time to, emt_time now)
{
    return to <= now ? to : from + (now - from) / LOAD_PROFILE_STEP * LOAD_PROFILE_STEP;
}

static enum emt_err place_profile_day(struct mscons_run *run, const struct place *place,
                                      emt_time from, emt_time to)
{
    struct load_profile profiles[PLACE_REGISTERS_MAX];
    struct obis obis[PLACE_REGISTERS_MAX];
    size_t n = 0;
    emt_time past = past_steps(from, to, run->req->now);
    enum emt_err err = EMT_OK;

    if (past < to && run->req->hold_gaps) {
        for (size_t i = 0; i < place->n; i++)
            note_held(run, place, &place->regs[i].obis, from, "is not over");
        return EMT_OK;
    }
    to = past;
    if (from == to)
        return EMT_OK;

    for (size_t i = 0; i < place->n && err == EMT_OK; i++) {
        struct emt_diag diag = { 0 };

        if (!is_bound(&place->regs[i], from, to))
            continue;
        err = build_profile(run, &place->regs[i], from, to, &profiles[n], &diag);
        if (err == EMT_OK) {
            obis[n++] = place->regs[i].obis;
        } else if (!ends_export(err)) {
            mscons_note(run, place->code, "left out: %s", diag.text);
            err = EMT_OK;
        }
    }
    if (err == EMT_OK && n > 0)
        err = put_day(run, place, obis, profiles, n, from, to);
    for (size_t i = 0; i < n; i++)
        load_profile_release(&profiles[i]);
    return err;
}

/* --- register readings --- */

/* The register's reading at the instant as the market wants it (kWh, ratio not applied); false:
 * there is none. */
static enum emt_err reading_value(const struct mscons_run *run, const struct place *place,
                                  const struct place_register *reg, emt_time at,
                                  struct export_value *out, bool *found)
{
    struct register_reading *list = NULL;
    size_t n = 0;
    char when[32];
    char code[OBIS_TEXT_MAX];
    enum emt_err err = read_register(run, reg, at, at, &list, &n);

    *found = false;
    if (err != EMT_OK)
        return err;
    const struct register_reading *r =
        register_reading_at(list, n, at, run->tolerance_s * EMT_SECOND);
    if (r == NULL || quality_mscons(r->quality) == NULL) {
        mscons_note(run, place->code, "%s: %s at %s", obis_format_short(reg->obis, code),
                    r == NULL ? "no reading" : "invalid reading", time_format(at, when));
    } else {
        struct decimal kwh = decimal_of(r->value.mantissa, r->value.exponent - 3);

        *out = export_value_of(EMT_TIME_NONE, at, kwh, r->quality);
        *found = true;
    }
    free(list);
    return EMT_OK;
}

/* All registers of one meter at one instant are one message. */
static enum emt_err place_readings_of_meter(struct mscons_run *run, const struct place *place,
                                            const char *device, emt_time at)
{
    struct export_series series[PLACE_REGISTERS_MAX];
    struct export_values values[PLACE_REGISTERS_MAX];
    struct export_value value[PLACE_REGISTERS_MAX];
    struct export_document doc = { .device = device, .series = series };

    for (size_t i = 0; i < place->n; i++) {
        const struct place_register *reg = &place->regs[i];
        size_t n = doc.n_series;
        bool found = false;

        if (strcmp(reg->device_number, device) != 0 || !is_bound(reg, at, at + 1))
            continue;
        enum emt_err err = reading_value(run, place, reg, at, &value[n], &found);
        if (err != EMT_OK)
            return err;
        if (!found)
            continue;
        values[n] = (struct export_values){ &value[n], 1, 0 };
        series[n].obis = reg->obis;
        series[n].values = reading_cursor_of(&values[n]);
        doc.n_series++;
    }
    return doc.n_series > 0 ? put_document(run, place, &doc) : EMT_OK;
}

static enum emt_err place_readings_day(struct mscons_run *run, const struct place *place,
                                       emt_time at)
{
    for (size_t i = 0; i < place->n; i++) {
        const char *device = place->regs[i].device_number;
        bool done = false;

        for (size_t k = 0; k < i; k++)
            done = done || strcmp(place->regs[k].device_number, device) == 0;
        if (done || !is_bound(&place->regs[i], at, at + 1))
            continue;
        if (*device == '\0') {
            mscons_note(run, place->code, "13017 needs the number of the meter at the binding");
            continue;
        }
        enum emt_err err = place_readings_of_meter(run, place, device, at);
        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

/* Days without mandate are noted once for each span of them. */
struct permission {
    struct store_result *mandates; /* rows (valid_from, valid_to); NULL: none is needed */
    bool refused;                  /* the day before */
};

static bool is_permitted(const struct mscons_run *run, const struct place *place,
                         struct permission *p, emt_time from, emt_time to)
{
    char when[32];
    bool permitted = p->mandates == NULL;

    for (int i = 0; !permitted && i < store_rows(p->mandates); i++)
        permitted = c_time(p->mandates, i, 0) <= from &&
                    (c_null(p->mandates, i, 1) || c_time(p->mandates, i, 1) >= to);
    if (!permitted && !p->refused)
        mscons_note(run, place->code, "no mandate for %s from %s on", run->receiver,
                    time_format(from, when));
    p->refused = !permitted;
    return permitted;
}

enum emt_err mscons_place(struct mscons_run *run, const struct store_result *rows, int first,
                          int end)
{
    const struct mscons_export_request *req = run->req;
    struct permission permission = { 0 };
    struct place place;
    enum emt_err err = EMT_OK;

    if (run->mandates)
        err = mandate_periods(run->store, req->tenant, c_text(rows, first, EXPORT_LOCATION_CODE),
                              run->receiver, &permission.mandates);
    place_of_rows(run, rows, first, end, &place);
    emt_time past = local_day_start(req->to);
    for (struct local_date d = req->from; err == EMT_OK && place.n > 0; d = local_date_add(d, 1)) {
        emt_time from = local_day_start(d);

        if (from >= past || from > req->now)
            break;
        if (!is_permitted(run, &place, &permission, from,
                          req->pid == 13017 ? from : local_day_end(d)))
            continue;
        if (req->pid == 13017)
            err = place_readings_day(run, &place, from);
        else
            err = place_profile_day(run, &place, from, local_day_end(d));
    }
    store_result_free(permission.mandates);
    return err;
}
