#include "model/local_day.h"
#include "model/quality.h"
#include "mscons/mscons_message.h"
#include "mscons/mscons_value_rule.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *describe(emt_time t, char buf[32])
{
    return t == EMT_TIME_NONE ? "none" : time_format(t, buf);
}

/* One SG9 while its values pass. */
struct line {
    struct mscons_message *m;
    struct mscons_value_place place;
    emt_time expected; /* where the next interval starts, at the earliest */
    size_t n;
};

/* --- times --- */

static enum emt_err check_future(const struct line *l, emt_time t, struct emt_diag *diag)
{
    char a[32];

    if (t == EMT_TIME_NONE || t <= l->m->w->file.created || l->m->rules->future)
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "%s lies after the file's creation", describe(t, a));
}

static enum emt_err check_day_line(const struct line *l, enum mscons_time_shape shape, emt_time t,
                                   struct emt_diag *diag)
{
    const struct mscons_use_case *r = l->m->rules;
    char a[32];

    if (t == EMT_TIME_NONE || !mscons_needs_day_line(&l->place, shape) ||
        mscons_on_day_line(r, false, t))
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "%s is not German %s", describe(t, a),
                    r->line == LINE_GAS ? "06:00, where a gas day begins" : "midnight");
}

static enum emt_err check_interval(const struct line *l, const struct export_value *v,
                                   struct emt_diag *diag)
{
    const struct export_document *d = l->m->document;
    char a[32];
    char b[32];

    if (v->from == EMT_TIME_NONE || v->to == EMT_TIME_NONE || v->to <= v->from)
        return emt_fail(diag, EMT_EMALFORMED, "interval %s to %s is empty", describe(v->from, a),
                        describe(v->to, b));
    if (l->m->rules->tiles && v->from > l->expected)
        return emt_fail(diag, EMT_EMALFORMED, "gap from %s to %s", describe(l->expected, a),
                        describe(v->from, b));
    if (l->expected != EMT_TIME_NONE && v->from < l->expected)
        return emt_fail(diag, EMT_EMALFORMED, "overlap: an interval starts at %s, expected %s",
                        describe(v->from, a), describe(l->expected, b));
    if (l->m->rules->tiles && v->to > d->to)
        return emt_fail(diag, EMT_EMALFORMED, "an interval ends after the period, at %s",
                        describe(v->to, a));
    return check_future(l, v->to, diag);
}

/* One time of use for the whole message; a date of reading stands only at true values read from the
 * meter itself (AHB, conditions 93, 131) and within a day of the time of use (130, 133). */
static enum emt_err check_reading(const struct line *l, const struct export_value *v,
                                  const char *qualifier, struct emt_diag *diag)
{
    struct mscons_message *m = l->m;
    bool read_ok = v->read_at == EMT_TIME_NONE || mscons_within_a_day(v->read_at, v->to);
    char a[32];

    if (v->from != EMT_TIME_NONE || v->to == EMT_TIME_NONE)
        return emt_fail(diag, EMT_EMALFORMED, "a reading belongs to an instant, not an interval");
    if (m->reading_at != EMT_TIME_NONE && m->reading_at != v->to)
        return emt_fail(diag, EMT_EMALFORMED, "another time of use (%s) needs a message of its own",
                        describe(v->to, a));
    m->reading_at = v->to;
    if (v->read_at != EMT_TIME_NONE && v->read_day_only)
        read_ok = mscons_neighbour_days(local_date_of(v->read_at), local_date_of(v->to));
    if (!read_ok ||
        (v->exchange_at != EMT_TIME_NONE && !mscons_within_a_day(v->exchange_at, v->to)))
        return emt_fail(diag, EMT_EMALFORMED,
                        "time of reading or exchange is a day or more from the time of use");
    if (v->read_at != EMT_TIME_NONE && (m->document->config_id || strcmp(qualifier, "220") != 0))
        return emt_fail(diag, EMT_EMALFORMED,
                        "only a true value read from the meter has a date of reading");
    enum emt_err err = check_future(l, v->to, diag);
    if (err == EMT_OK)
        err = check_future(l, v->read_at, diag);
    return err == EMT_OK ? check_future(l, v->exchange_at, diag) : err;
}

/* Whole local months or single local days, which DTM+306 names. */
static enum emt_err check_month(const struct line *l, const struct export_value *v,
                                struct emt_diag *diag)
{
    struct local_date d = local_date_of(v->from);

    if (v->from == EMT_TIME_NONE || v->to == EMT_TIME_NONE || v->to <= v->from)
        return emt_fail(diag, EMT_EMALFORMED, "a value of a month needs the month's begin and end");
    if (d.day != 1 && strcmp(l->m->bgm, "Z42") != 0)
        return emt_fail(diag, EMT_EMALFORMED, "a month begins on its first day");
    return check_future(l, v->from, diag);
}

static enum emt_err check_times(const struct line *l, enum mscons_time_shape shape,
                                const struct export_value *v, const char *qualifier,
                                struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    switch (shape) {
    case SHAPE_INTERVAL:
        err = check_interval(l, v, diag);
        break;
    case SHAPE_READING:
        err = check_reading(l, v, qualifier, diag);
        break;
    case SHAPE_MONTH:
        err = check_month(l, v, diag);
        break;
    case SHAPE_INSTANT:
        err = check_future(l, v->to, diag);
        break;
    case SHAPE_NONE:
        return emt_fail(diag, EMT_EUNSUPPORTED, "values without a time are not written");
    }
    if (err == EMT_OK)
        err = check_day_line(l, shape, v->from, diag);
    return err == EMT_OK ? check_day_line(l, shape, v->to, diag) : err;
}

/* --- status --- */

static enum emt_err check_code(const struct line *l, const char *what, const char *list,
                               const char *code, const char *qualifier, struct emt_diag *diag)
{
    if (!code || !*code || mscons_status_allowed(list, code, qualifier, l->place.place_len == 11))
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "%s %.8s may not stand at a value of qualifier %s", what,
                    code, qualifier);
}

static bool is_one_of(const char *code, const char *a, const char *b)
{
    return code && (strcmp(code, a) == 0 || strcmp(code, b) == 0);
}

static enum emt_err check_basis(const struct line *l, const struct export_value *v,
                                struct emt_diag *diag)
{
    bool given = v->basis_begin || v->basis_end;

    if (!given && !mscons_needs_basis(&l->place))
        return EMT_OK;
    if (!mscons_needs_basis(&l->place))
        return emt_fail(diag, EMT_EMALFORMED, "this value of use case %u has no basis",
                        l->m->rules->pid);
    if (is_one_of(v->basis_begin, "Z36", "Z38") && is_one_of(v->basis_end, "Z37", "Z39"))
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED,
                    "an energy of a market location says on which readings it stands: Z36 or Z38 "
                    "at its begin, Z37 or Z39 at its end");
}

static enum emt_err check_status(const struct line *l, const struct export_value *v,
                                 const char *qualifier, struct emt_diag *diag)
{
    const struct mscons_use_case *r = l->m->rules;
    bool substitute = strcmp(qualifier, "67") == 0;
    bool proposed = strcmp(qualifier, "201") == 0;
    bool given = v->note || v->method || v->correction || v->reason || v->gas_quality_changed;
    enum emt_err err = EMT_OK;

    if (!mscons_has_status(&l->place))
        return given ? emt_fail(diag, EMT_EMALFORMED, "a value of document %s has no status",
                                l->m->bgm)
                     : EMT_OK;
    if (r->methods && (substitute || proposed) && (!v->method || !*v->method))
        return emt_fail(diag, EMT_EMALFORMED, "a substitute value needs method and reason");
    if (r->reasons && substitute && (!v->reason || !*v->reason))
        return emt_fail(diag, EMT_EMALFORMED, "a substitute value needs method and reason");
    if (v->gas_quality_changed && !r->gas_quality)
        return emt_fail(diag, EMT_EMALFORMED, "use case %u knows no gas quality", r->pid);
    err = check_code(l, "plausibility note", r->notes, v->note, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(l, "method", r->methods, v->method, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(l, "correction reason", r->corrections, v->correction, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(l, "reason", r->reasons, v->reason, qualifier, diag);
    return err == EMT_OK ? check_basis(l, v, diag) : err;
}

static enum emt_err find_qualifier(const struct line *l, const struct export_value *v,
                                   const char **out, struct emt_diag *diag)
{
    const char *q = v->qualifier ? v->qualifier : quality_mscons(v->quality);

    if (!q)
        return emt_fail(diag, EMT_EUNSUPPORTED, "a value of quality %s must not be sent",
                        quality_name(v->quality));
    /* A delivery note has one kind of value only. */
    if (!v->qualifier && is_one_of(l->m->bgm, "Z41", "Z42"))
        q = "Z31";
    if (!mscons_qualifier_allowed(&l->place, q)) {
        if (strcmp(q, "Z18") == 0 && l->m->rules->pid == 13017)
            return emt_fail(
                diag, EMT_EMALFORMED,
                "a provisional reading needs a configuration id in the place of the MeLo");
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "qualifier %.4s (quality %s) is not for this value in use case %u", q,
                        quality_name(v->quality), l->m->rules->pid);
    }
    *out = q;
    return EMT_OK;
}

/* --- value --- */

static enum emt_err market_value(struct line *l, struct decimal in, struct decimal *out,
                                 struct emt_diag *diag)
{
    unsigned places = mscons_decimals_allowed(&l->place);
    char text[DECIMAL_TEXT_MAX];

    if (in.mantissa < 0 && !mscons_negative_allowed(&l->place))
        return emt_fail(diag, EMT_EMALFORMED, "value %s is negative", decimal_format(in, text));
    in = decimal_normal(in);
    if (in.exponent < -(int)places) {
        enum emt_err err = decimal_round(in, (int)places, &in);

        if (err != EMT_OK)
            return emt_fail(diag, err, "a value cannot be rounded to %u decimals", places);
        in = decimal_normal(in);
        l->m->rounded++;
    }
    *out = in;
    return EMT_OK;
}

static void put_date(struct edi_writer *e, const char *qualifier, emt_time t, bool month)
{
    struct local_date d = local_date_of(t);
    char text[16];

    if (month)
        snprintf(text, sizeof(text), "%04u%02u", (unsigned)d.year % 10000u,
                 (unsigned)d.month % 100u);
    else
        snprintf(text, sizeof(text), "%04u%02u%02u", (unsigned)d.year % 10000u,
                 (unsigned)d.month % 100u, (unsigned)d.day % 100u);
    edi_segment(e, "DTM");
    edi_element(e, qualifier);
    edi_component(e, text);
    edi_component(e, month ? "610" : "102");
    edi_end(e);
}

static emt_time whole_minute(emt_time t)
{
    emt_time rest = t % EMT_MINUTE;

    return t - (rest < 0 ? rest + EMT_MINUTE : rest);
}

static bool is_month(const struct export_value *v)
{
    struct local_date a = local_date_of(v->from);
    struct local_date b = local_date_of(v->to - 1);

    return a.day == 1 && a.month == b.month && a.year == b.year && v->to - v->from > 2 * EMT_DAY;
}

static void put_reading_times(struct edi_writer *e, const struct export_value *v)
{
    if (v->read_at != EMT_TIME_NONE) {
        if (v->read_day_only)
            put_date(e, "9", v->read_at, false);
        else
            mscons_write_time(e, "9", whole_minute(v->read_at));
    }
    mscons_write_time(e, "7", v->to);
    if (v->exchange_at != EMT_TIME_NONE)
        mscons_write_time(e, "60", whole_minute(v->exchange_at));
}

static void put_times(struct edi_writer *e, enum mscons_time_shape shape,
                      const struct export_value *v)
{
    switch (shape) {
    case SHAPE_INTERVAL:
        mscons_write_time(e, "163", v->from);
        mscons_write_time(e, "164", v->to);
        break;
    case SHAPE_READING:
        put_reading_times(e, v);
        break;
    case SHAPE_MONTH:
        put_date(e, "306", v->from, is_month(v));
        break;
    case SHAPE_INSTANT:
        mscons_write_time(e, "7", v->to);
        break;
    case SHAPE_NONE:
        break;
    }
}

static void put_status(struct edi_writer *e, const char *category, const char *code)
{
    if (!code || !*code)
        return;
    edi_segment(e, "STS");
    edi_element(e, category);
    edi_element(e, NULL);
    edi_element(e, code);
    edi_end(e);
}

static void put_basis(struct edi_writer *e, const char *code)
{
    if (!code)
        return;
    edi_segment(e, "STS");
    edi_element(e, "10");
    edi_element(e, code);
    edi_end(e);
}

static enum emt_err put_value(struct line *l, const struct export_value *v, struct emt_diag *diag)
{
    struct edi_writer *e = &l->m->w->edi;
    enum mscons_time_shape shape = mscons_time_shape(&l->place, v->from == EMT_TIME_NONE);
    const char *qualifier = NULL;
    struct decimal value = decimal_of(0, 0);
    enum emt_err err = find_qualifier(l, v, &qualifier, diag);

    if (err == EMT_OK)
        err = check_times(l, shape, v, qualifier, diag);
    if (err == EMT_OK)
        err = check_status(l, v, qualifier, diag);
    if (err == EMT_OK)
        err = market_value(l, v->value, &value, diag);
    if (err != EMT_OK)
        return err;
    edi_segment(e, "QTY");
    edi_element(e, qualifier);
    edi_component_decimal(e, value);
    edi_end(e);
    put_times(e, shape, v);
    put_status(e, "Z33", v->note);
    put_status(e, "Z32", v->method);
    put_status(e, "Z34", v->correction);
    put_status(e, "Z40", v->reason);
    put_status(e, "Z31", v->gas_quality_changed ? "ZG3" : NULL);
    put_basis(e, v->basis_begin);
    put_basis(e, v->basis_end);
    l->m->values++;
    l->expected = v->to;
    return e->err;
}

static enum emt_err put_values(struct line *l, const struct export_series *s, struct emt_diag *diag)
{
    const struct export_document *d = l->m->document;
    char a[32];
    char b[32];

    for (;;) {
        struct export_value v;
        bool more = false;
        enum emt_err err = s->values.next(s->values.ctx, &v, &more);

        if (err != EMT_OK)
            return emt_fail(diag, err, "the values could not be read");
        if (!more)
            break;
        if (++l->n > MSCONS_VALUES_MAX)
            return emt_fail(diag, EMT_ELIMIT, "more than %d values of one register",
                            MSCONS_VALUES_MAX);
        err = put_value(l, &v, diag);
        if (err != EMT_OK)
            return err;
    }
    if (l->n == 0)
        return emt_fail(diag, EMT_EMALFORMED, "register without a value");
    if (l->m->rules->tiles && l->expected != d->to)
        return emt_fail(diag, EMT_EMALFORMED, "gap from %s to %s", describe(l->expected, a),
                        describe(d->to, b));
    return EMT_OK;
}

/* "SRW", or "Z02" for registers that only look like an OBIS number; NULL: not for this use case. */
static const char *product_of(const struct mscons_use_case *r, struct obis obis, const char *bgm)
{
    static const char *const products[] = { "SRW", "Z02" };

    for (size_t i = 0; i < 2; i++) {
        if (mscons_list_has(r->products, products[i], "", NULL) &&
            mscons_obis_allowed(r->pid, obis, products[i], bgm))
            return products[i];
    }
    return NULL;
}

enum emt_err mscons_write_series(struct mscons_message *m, size_t i, struct emt_diag *diag)
{
    const struct export_document *d = m->document;
    const struct export_series *s = &d->series[i];
    const char *product = product_of(m->rules, s->obis, m->bgm);
    struct edi_writer *e = &m->w->edi;
    struct line l = { .m = m,
                      .place = { .rules = m->rules,
                                 .bgm = m->bgm,
                                 .place_len = d->location ? strlen(d->location) : 0,
                                 .config = d->config_id != NULL,
                                 .obis = s->obis },
                      .expected = m->rules->tiles ? d->from : EMT_TIME_NONE };
    char obis[OBIS_TEXT_MAX];

    obis_format_short(s->obis, obis);
    if (!product || mscons_obis_ended(m->rules->pid, s->obis, d->to))
        return emt_fail(diag, EMT_EMALFORMED, "OBIS number %s is not for use case %u", obis,
                        m->rules->pid);
    edi_segment(e, "LIN");
    edi_element_number(e, i + 1);
    edi_end(e);
    edi_segment(e, "PIA");
    edi_element(e, "5");
    edi_element(e, obis);
    edi_component(e, product);
    edi_end(e);
    enum emt_err err = put_values(&l, s, diag);
    if (err != EMT_OK && diag)
        snprintf(diag->key, sizeof(diag->key), "%.40s %.30s",
                 d->location ? d->location : d->config_id, obis);
    return err;
}
