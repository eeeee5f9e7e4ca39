#include "export_place.h"

#include "connectors/mscons_write.h"
#include "export_notes.h"
#include "store/export_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void export_note_line(const struct export_notes *n, const char *line)
{
    /* A list cut at its limit is still a list: the caller has all of it. */
    if (n->text != NULL && n->text->len + strlen(line) + 1 < EXPORT_NOTES_BYTES_MAX)
        writer_printf(n->text, "%s\n", line);
    if (n->note != NULL)
        n->note(n->ctx, line);
}

void export_note(const struct export_notes *n, const char *place, const char *fmt, ...)
{
    char text[320];
    char line[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(line, sizeof line, "%s: %s", place, text);
    export_note_line(n, line);
}

static bool is_of_any_use_case(struct obis obis)
{
    for (const unsigned *pid =
             (const unsigned[]){ 13002, 13007, 13008, 13009, 13016, 13017, 13018, 13019, 13025, 0 };
         *pid != 0; pid++) {
        if (mscons_register_allowed(*pid, obis, EMT_TIME_NONE))
            return true;
    }
    return false;
}

/* Type-2 values have no list of registers: a binding says that it is for them. */
static bool is_for(const struct export_use_case *u, const struct store_result *rows, int i,
                   struct obis obis, emt_time to)
{
    if (!c_null(rows, i, EXPORT_USE_CASE))
        return c_int(rows, i, EXPORT_USE_CASE) == (int64_t)u->pid;
    return u->shape != EXPORT_ORDERED && mscons_register_allowed(u->pid, obis, to);
}

static struct decimal decimal_at(const struct store_result *rows, int i, int column)
{
    return decimal_of(c_int(rows, i, column), (int)c_int(rows, i, column + 1));
}

static bool read_factors(const struct store_result *rows, int i, struct place_register *out)
{
    out->scale = decimal_of(1, export_unit_exponent(c_text(rows, i, EXPORT_UNIT)));
    return decimal_mul(decimal_at(rows, i, EXPORT_RATIO_MANTISSA), out->scale, &out->factor) ==
           EMT_OK;
}

static bool read_register(const struct export_use_case *u, const struct export_notes *notes,
                          const struct store_result *rows, int i, struct place_register *out)
{
    const char *place = c_text(rows, i, EXPORT_LOCATION_CODE);
    const char *unit = c_text(rows, i, EXPORT_UNIT);
    bool fits;
    const char *wanted = export_unit_wanted(u, out->obis, unit, &fits);

    if (!c_bool(rows, i, EXPORT_ACTIVE)) {
        export_note(notes, place, "%s: its device is passive", out->code);
        return false;
    }
    if (c_int(rows, i, EXPORT_KIND) != 0 || !fits) {
        export_note(notes, place, "%s: channel is in %s, this message needs %s", out->code,
                    *unit ? unit : "no unit", wanted != NULL ? wanted : "a number");
        return false;
    }
    if (!read_factors(rows, i, out)) {
        export_note(notes, place, "%s: transformer ratio is out of range", out->code);
        return false;
    }
    out->source = export_source_of(u, out->obis);
    out->channel = c_int(rows, i, EXPORT_CHANNEL_ID);
    out->device = c_text(rows, i, EXPORT_DEVICE_NUMBER);
    out->order = c_text(rows, i, EXPORT_ORDER_NUMBER);
    out->config = c_text(rows, i, EXPORT_CONFIG_ID);
    out->master_data = c_text(rows, i, EXPORT_MASTER_DATA);
    out->capacity = decimal_at(rows, i, EXPORT_CAPACITY_MANTISSA);
    out->has_first = !c_null(rows, i, EXPORT_FIRST_MANTISSA);
    out->has_last = !c_null(rows, i, EXPORT_LAST_MANTISSA);
    out->first = decimal_at(rows, i, EXPORT_FIRST_MANTISSA);
    out->last = decimal_at(rows, i, EXPORT_LAST_MANTISSA);
    out->step =
        c_null(rows, i, EXPORT_STEP_S) ? u->step : c_int(rows, i, EXPORT_STEP_S) * EMT_SECOND;
    out->from = c_time(rows, i, EXPORT_VALID_FROM);
    out->to = c_time(rows, i, EXPORT_VALID_TO);
    out->decimals = (int)mscons_decimals(u->pid, NULL, place, out->obis);
    if (!c_null(rows, i, EXPORT_DECIMALS) && c_int(rows, i, EXPORT_DECIMALS) < out->decimals)
        out->decimals = (int)c_int(rows, i, EXPORT_DECIMALS);
    return true;
}

/* A row with a register for this use case; what it is if not is noted. */
static bool take_row(const struct export_use_case *u, const struct export_notes *notes,
                     const struct store_result *rows, int i, emt_time to, struct place *out,
                     bool *other_sector)
{
    struct place_register *r = &out->regs[out->n];
    const char *text = c_text(rows, i, EXPORT_OBIS);

    if (obis_parse(text, &r->obis) != EMT_OK) {
        export_note(notes, out->code, "OBIS code %s is none", text);
        return false;
    }
    obis_format_short(r->obis, r->code);
    *other_sector = u->gas ? r->obis.a != 7 : r->obis.a == 7;
    if (!is_for(u, rows, i, r->obis, to)) {
        if (c_null(rows, i, EXPORT_USE_CASE) && !is_of_any_use_case(r->obis))
            export_note(notes, out->code, "OBIS number %s is for no use case", r->code);
        return false;
    }
    if (read_register(u, notes, rows, i, r))
        out->n++;
    return true;
}

void place_of_rows(const struct export_use_case *u, const struct export_notes *notes,
                   const struct store_result *rows, int first, int end, emt_time to,
                   struct place *out)
{
    bool other_sector = false;
    int suiting = 0;

    out->code = c_text(rows, first, EXPORT_LOCATION_CODE);
    out->kind = (int)c_int(rows, first, EXPORT_LOCATION_KIND);
    out->n = 0;
    for (int i = first; i < end; i++) {
        if (c_null(rows, i, EXPORT_BINDING_ID))
            continue;
        if (out->n == PLACE_REGISTERS_MAX) {
            export_note(notes, out->code, "more than %d registers", PLACE_REGISTERS_MAX);
            break;
        }
        suiting += take_row(u, notes, rows, i, to, out, &other_sector);
    }
    if (suiting == 0 && !other_sector &&
        (c_null(rows, first, EXPORT_BINDING_ID) || (u->expected & LOCATION_BIT(out->kind)) != 0))
        export_note(notes, out->code, "no channel is bound to it for this use case and period");
}

bool place_register_bound(const struct place_register *r, emt_time from, emt_time to)
{
    return r->from < to && (r->to == EMT_TIME_NONE || r->to > from);
}
