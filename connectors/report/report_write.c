/* The shapes of a report: values come in, rows go out. What is kept is one row of cells, one local
 * day of boundaries and one meter's columns, whatever the period. */
#include "model/local_day.h"
#include "report_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* How far the reading at the begin of a month may be off it. */
#define MONTH_TOLERANCE (12 * EMT_HOUR)

enum emt_err report_fail(struct report_writer *w, enum emt_err err, const char *why)
{
    if (w->err == EMT_OK) {
        w->err = err;
        if (why != w->out.bytes.why)
            snprintf(w->out.bytes.why, sizeof w->out.bytes.why, "%s", why);
    }
    return w->err;
}

/* --- days, of the template's zone --- */

emt_time report_day_start(const struct report_template *t, emt_time at)
{
    emt_time in = at % EMT_DAY;

    if (!t->utc)
        return local_day_start(local_date_of(at));
    return at - (in < 0 ? in + EMT_DAY : in);
}

emt_time report_day_end(const struct report_template *t, emt_time at)
{
    return t->utc ? report_day_start(t, at) + EMT_DAY : local_day_end(local_date_of(at));
}

static bool slots_of(const struct report_template *t)
{
    return t->shape == REPORT_MATRIX || t->energy;
}

/* --- values --- */

/* Ratio, prefix and decimals of the template. */
static enum emt_err converted(struct report_writer *w, struct decimal v, struct decimal *out)
{
    enum emt_err err = EMT_OK;

    if (w->s.factor.mantissa != 0)
        err = decimal_mul(v, w->s.factor, &v);
    if (err == EMT_OK && w->unit[0] == 'k' && w->copies[UNIT][0] != 'k' && v.exponent > -61)
        v.exponent = (int16_t)(v.exponent - 3);
    if (err == EMT_OK && w->t->decimals >= 0)
        err = decimal_round(v, w->t->decimals, &v);
    if (err == EMT_OK && w->t->decimals >= 0)
        err = decimal_rescale(v, -w->t->decimals, &v);
    if (err != EMT_OK)
        return report_fail(w, EMT_EMALFORMED, "a value does not fit its decimals");
    *out = v;
    return EMT_OK;
}

/* --- boundaries of a day --- */

static void open_day(struct report_writer *w, emt_time at)
{
    struct day *d = &w->day;

    d->open = true;
    d->start = report_day_start(w->t, at);
    d->end = report_day_end(w->t, at);
    d->step = w->step == EMT_DAY ? d->end - d->start : w->step;
    d->n = (size_t)((d->end - d->start) / d->step);
    memset(d->has, 0, sizeof d->has);
}

/* Where the cell of a slot stands in its row. */
static size_t place_of(const struct report_writer *w, size_t slot)
{
    emt_time at = w->day.start + (emt_time)slot * w->day.step;
    bool long_day = w->day.end - w->day.start > EMT_DAY;
    struct civil c;
    size_t place;

    if (!w->t->wall_clock || w->step == EMT_DAY)
        return slot;
    time_to_civil(at + local_offset_s(at) * EMT_SECOND, &c);
    place = (size_t)((c.hour * 60 + c.minute) / (int)(w->step / EMT_MINUTE));
    if (w->repeats) {
        size_t hour = (size_t)(EMT_HOUR / w->step);
        bool again = long_day && c.hour == 2 && local_offset_s(at) == 3600;

        place += again || c.hour >= 3 ? hour : 0;
    }
    return place;
}

static void put_cell(struct report_writer *w, size_t place, const struct row *r)
{
    size_t n = w->t->n_columns;

    if (!w->t->cell_status) {
        w->cells[n + place] = r->has ? report_number_cell(r->value) : (struct report_cell){ 0 };
        return;
    }
    w->cells[n + 2 * place] = r->has ? report_number_cell(r->value) : (struct report_cell){ 0 };
    w->cells[n + 2 * place + 1] =
        r->has ? report_count_cell((int64_t)r->quality) : (struct report_cell){ 0 };
}

/* The energies of a day, by the product's rule; gaps stay without value. */
static enum emt_err energies(struct report_writer *w, struct row *rows)
{
    struct register_reading readings[SLOTS_MOST + 1];
    struct load_profile p;
    struct day *d = &w->day;
    size_t n = 0;
    struct load_profile_rule rule = { .step = d->step,
                                      .tolerance = w->tolerance > 0 ? w->tolerance : -1,
                                      .factor = w->s.factor,
                                      .rounds = w->t->decimals >= 0,
                                      .decimals = w->t->decimals };

    for (size_t i = 0; i <= d->n; i++) {
        if (d->has[i])
            readings[n++] = d->best[i];
    }
    if (w->unit[0] == 'k' && w->copies[UNIT][0] != 'k') {
        rule.factor = rule.factor.mantissa != 0 ? rule.factor : decimal_of(1, 0);
        rule.factor.exponent = (int16_t)(rule.factor.exponent - 3);
    }
    enum emt_err err = load_profile_build(&rule, d->start, d->end, readings, n, &p, NULL);
    if (err != EMT_OK)
        return report_fail(w, err, "energies of a day cannot be formed");
    for (size_t i = 0; i < p.n_values; i++) {
        struct row *r = &rows[(p.values[i].from - d->start) / d->step];

        r->has = true;
        r->value = p.values[i].value;
        r->quality = p.values[i].quality;
        if (w->t->decimals >= 0)
            (void)!decimal_rescale(r->value, -w->t->decimals, &r->value);
    }
    load_profile_release(&p);
    return EMT_OK;
}

static enum emt_err readings_of(struct report_writer *w, struct row *rows)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < w->day.n; i++) {
        rows[i].has = w->day.has[i];
        rows[i].quality = w->day.best[i].quality;
        if (rows[i].has)
            err = converted(w, w->day.best[i].value, &rows[i].value);
    }
    return err;
}

static enum emt_err write_matrix_row(struct report_writer *w, struct row *rows)
{
    size_t cells = w->t->wall_clock ? w->n_slots : w->day.n;
    struct row head = { .begin = w->day.start, .at = w->day.start, .unit = w->unit };
    const struct row none = { 0 };

    for (size_t i = 0; i < cells; i++)
        put_cell(w, i, &none);
    for (size_t i = 0; i < w->day.n; i++) {
        if (rows[i].has)
            put_cell(w, place_of(w, i), &rows[i]);
    }
    return report_write_row(w, &head, cells * (w->t->cell_status ? 2 : 1));
}

/* What the period does not have is not written: before its begin, behind its end. */
static bool fill_rows(struct report_writer *w, struct row *rows)
{
    const struct day *d = &w->day;
    bool any = false;

    for (size_t i = 0; i < d->n; i++) {
        rows[i].begin = d->start + (emt_time)i * d->step;
        rows[i].at = w->energy ? rows[i].begin + d->step : rows[i].begin;
        rows[i].unit = w->unit;
        if (rows[i].begin < w->head->from ||
            (w->energy ? rows[i].at > w->head->to : rows[i].at >= w->head->to))
            rows[i].has = false;
        any |= rows[i].has;
    }
    return any;
}

static enum emt_err close_day(struct report_writer *w)
{
    struct row rows[SLOTS_MOST] = { 0 };
    enum emt_err err = report_write_headings(w);

    w->day.open = false;
    if (err != EMT_OK)
        return report_fail(w, err, w->out.bytes.why);
    err = w->energy ? energies(w, rows) : readings_of(w, rows);
    if (err != EMT_OK || !fill_rows(w, rows))
        return err;
    if (w->t->shape == REPORT_MATRIX)
        return write_matrix_row(w, rows);
    for (size_t i = 0; err == EMT_OK && i < w->day.n; i++) {
        if (rows[i].has)
            err = report_write_row(w, &rows[i], 0);
    }
    return err;
}

/* The last boundary of a day is the first one of the next. */
static enum emt_err next_day(struct report_writer *w)
{
    struct day *d = &w->day;
    bool had = d->has[d->n];
    struct register_reading at_end = d->best[d->n];
    enum emt_err err = close_day(w);

    open_day(w, d->end);
    d->has[0] = had;
    d->best[0] = at_end;
    return err;
}

static emt_time distance(emt_time a, emt_time b)
{
    return a > b ? a - b : b - a;
}

static enum emt_err take_boundary(struct report_writer *w, const struct report_value *v)
{
    struct day *d = &w->day;
    emt_time tolerance = w->tolerance;
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && d->open && v->time > d->end + tolerance) {
        if (d->end >= w->head->to) { /* nothing of the period is behind it */
            return close_day(w);
        }
        err = next_day(w);
    }
    if (err != EMT_OK || !d->open || v->time < d->start - tolerance ||
        (w->energy && v->quality == QUALITY_INVALID))
        return err;
    emt_time off = v->time - d->start + d->step / 2;
    size_t k = off < 0 ? 0 : (size_t)(off / d->step);
    /* Exactly between two boundaries: the earlier one's. */
    if (k > 0 && off % d->step == 0)
        k--;
    if (k > d->n)
        k = d->n;
    emt_time boundary = k == d->n ? d->end : d->start + (emt_time)k * d->step;
    if (distance(v->time, boundary) > tolerance ||
        (d->has[k] && distance(d->best[k].time, boundary) <= distance(v->time, boundary)))
        return EMT_OK;
    d->has[k] = true;
    d->best[k] =
        (struct register_reading){ .time = v->time, .value = v->value, .quality = v->quality };
    return EMT_OK;
}

/* --- one row per value --- */

/* Whether its interval has had one. */
static bool is_thinned(struct report_writer *w, emt_time at)
{
    emt_time day = report_day_start(w->t, at);
    emt_time in;

    if (w->head->thin <= 0)
        return false;
    in = w->head->thin >= EMT_DAY ? 0 : (at - day) / w->head->thin;
    if (day == w->thin_day && in == w->thin_at)
        return true;
    w->thin_day = day;
    w->thin_at = in;
    return false;
}

static enum emt_err take_value(struct report_writer *w, const struct report_value *v)
{
    struct row r = {
        .has = true, .begin = EMT_TIME_NONE, .at = v->time, .quality = v->quality, .unit = w->unit
    };

    if (v->time < w->head->from || v->time >= w->head->to || is_thinned(w, v->time))
        return EMT_OK;
    enum emt_err err = converted(w, v->value, &r.value);
    return err == EMT_OK ? report_write_row(w, &r, 0) : err;
}

/* --- one row per meter --- */

static enum emt_err keep_found(struct report_writer *w, struct found *f,
                               const struct report_value *v)
{
    f->has = true;
    f->series = w->count;
    f->time = v->time;
    f->quality = v->quality;
    return converted(w, v->value, &f->value);
}

static enum emt_err take_in_column(struct report_writer *w, size_t i, const struct report_value *v)
{
    const struct report_column *c = &w->t->columns[i];
    struct found *f = &w->found[i];
    bool inside = v->time >= w->head->from && v->time < w->head->to;
    bool mine = obis_is_none(c->obis) ? w->main_series == w->count
                                      : w->has_obis && obis_equal(c->obis, w->obis);

    if (!mine || (f->has && f->series != w->count))
        return EMT_OK;
    if (c->field == REPORT_MONTH) {
        bool near = distance(v->time, w->months[i]) <= MONTH_TOLERANCE;
        bool nearer = !f->has || distance(v->time, w->months[i]) < distance(f->time, w->months[i]);

        return near && nearer ? keep_found(w, f, v) : EMT_OK;
    }
    if (!inside)
        return EMT_OK;
    if (c->field == REPORT_LAST || c->field == REPORT_LAST_TIME)
        return keep_found(w, f, v);
    if ((c->field == REPORT_FIRST || c->field == REPORT_FIRST_TIME) && !f->has)
        return keep_found(w, f, v);
    return EMT_OK;
}

static enum emt_err take_of_meter(struct report_writer *w, const struct report_value *v)
{
    enum emt_err err = EMT_OK;

    if (w->main_series == 0) {
        w->main_series = w->count;
        snprintf(w->meter_unit, sizeof w->meter_unit, "%s", w->unit);
    }
    if (w->main_series == w->count && v->time >= w->head->from && v->time < w->head->to)
        err = keep_found(w, &w->main, v);
    for (size_t i = 0; err == EMT_OK && i < w->t->n_columns; i++)
        err = take_in_column(w, i, v);
    return err;
}

static enum emt_err close_meter(struct report_writer *w)
{
    struct row r = { .has = w->main.has,
                     .begin = EMT_TIME_NONE,
                     .at = w->main.has ? w->main.time : EMT_TIME_NONE,
                     .value = w->main.value,
                     .quality = w->main.quality,
                     .unit = w->meter_unit };
    enum emt_err err = report_write_row(w, &r, 0);

    memset(w->found, 0, sizeof w->found);
    w->main = (struct found){ 0 };
    w->main_series = 0;
    w->meter_unit[0] = '\0';
    return err;
}

/* Begin of the local month N months before the one in which the period ends. */
static void make_months(struct report_writer *w)
{
    struct local_date d = local_date_of(w->head->to - 1);

    for (size_t i = 0; i < w->t->n_columns; i++) {
        int month = d.year * 12 + d.month - 1 - w->t->columns[i].month;
        struct local_date first = { month / 12, month % 12 + 1, 1 };

        w->months[i] = local_day_start(first);
    }
}

/* --- the writer --- */

static const struct report_format_ops *ops_of(enum report_format f)
{
    switch (f) {
    case REPORT_CSV:
        return &report_csv_ops;
    case REPORT_XML:
        return &report_xml_ops;
    case REPORT_XLSX:
        return &report_xlsx_ops;
    }
    return &report_csv_ops;
}

enum emt_err report_begin(const struct report_template *t, const struct report_head *head,
                          const struct sink *out, struct report_writer **w, struct emt_diag *diag)
{
    struct report_writer *x = calloc(1, sizeof *x);

    *w = NULL;
    if (x == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    x->t = t;
    x->head = head;
    x->out.ops = ops_of(t->format);
    x->out.t = t;
    x->out.head = head;
    report_bytes_init(&x->out.bytes, out, t);
    x->step = slots_of(t) && head->thin > 0 ? head->thin : t->step;
    x->tolerance = head->tolerance < x->step / 2 ? head->tolerance : x->step / 2;
    x->thin_day = EMT_TIME_NONE;
    x->repeats = report_has_repeated_hour(x);
    make_months(x);
    if (x->step != EMT_DAY &&
        (x->step <= 0 || EMT_HOUR % x->step != 0 || x->step < 300 * EMT_SECOND) && slots_of(t)) {
        report_free(x);
        return emt_fail(diag, EMT_EMALFORMED, "interval: a divisor of an hour, or a day");
    }
    x->err = x->out.ops->begin(&x->out);
    if (x->err != EMT_OK) {
        enum emt_err err = emt_fail(diag, x->err, "%s", x->out.bytes.why);

        report_free(x);
        return err;
    }
    *w = x;
    return EMT_OK;
}

static bool copy(struct report_writer *w, enum copy i, const char *text)
{
    free(w->copies[i]);
    w->copies[i] = strdup(text);
    return w->copies[i] != NULL;
}

/* Energies in kWh where the template says so; other units as stored. */
static void unit_of(struct report_writer *w, const char *unit)
{
    bool energy = strcmp(unit, "Wh") == 0 || strcmp(unit, "varh") == 0 || strcmp(unit, "VAh") == 0;

    snprintf(w->unit, sizeof w->unit, "%s%.20s", energy && w->t->kilo ? "k" : "", unit);
}

/* Rows of what came before, so far as they wait. */
static enum emt_err settle(struct report_writer *w, bool meter_ends)
{
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && w->day.open) {
        bool last = w->day.end >= w->head->to || !w->day.has[w->day.n];

        err = last ? close_day(w) : next_day(w);
    }
    if (err == EMT_OK && meter_ends && w->t->shape == REPORT_METERS && w->has_series)
        err = close_meter(w);
    return err;
}

enum emt_err report_series(struct report_writer *w, const struct report_series *s)
{
    const char *const texts[COPIES] = { s->meter, s->ident,    s->manufacturer, s->medium,
                                        s->name,  s->place,    s->location,     s->register_number,
                                        s->obis,  s->quantity, s->channel,      s->unit };
    bool other = !w->has_series || s->device != w->s.device;

    if (w->err != EMT_OK || settle(w, other) != EMT_OK)
        return w->err;
    for (int i = 0; i < COPIES; i++) {
        /* A meter's place stands in its first register that has one. */
        bool keeps = !other && w->t->shape == REPORT_METERS && texts[i][0] == '\0';

        if (!keeps && !copy(w, (enum copy)i, texts[i]))
            return report_fail(w, EMT_ENOMEM, "out of memory");
    }
    w->s = *s;
    w->has_series = true;
    w->has_obis = obis_parse(s->obis, &w->obis) == EMT_OK;
    w->count++;
    w->last = EMT_TIME_NONE;
    w->thin_day = EMT_TIME_NONE;
    w->energy = w->t->energy && s->cumulates;
    unit_of(w, s->unit);
    /* Differenced values of what is no register are its readings. */
    if (w->t->shape == REPORT_MATRIX || w->energy)
        open_day(w, w->head->from);
    return EMT_OK;
}

enum emt_err report_value(struct report_writer *w, const struct report_value *v)
{
    if (w->err != EMT_OK)
        return w->err;
    if (!w->has_series || (w->last != EMT_TIME_NONE && v->time < w->last))
        return report_fail(w, EMT_EMALFORMED, "values are not in the order of time");
    w->last = v->time;
    if (w->t->shape == REPORT_METERS)
        return take_of_meter(w, v);
    return w->t->shape == REPORT_MATRIX || w->energy ? take_boundary(w, v) : take_value(w, v);
}

enum emt_err report_end(struct report_writer *w, struct emt_diag *diag)
{
    enum emt_err err = w->err;

    if (err == EMT_OK)
        err = settle(w, true);
    if (err == EMT_OK)
        err = report_write_headings(w);
    if (err == EMT_OK)
        err = w->out.ops->end(&w->out);
    w->err = err;
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "%s", w->out.bytes.why);
}

void report_free(struct report_writer *w)
{
    if (w == NULL)
        return;
    w->out.ops->release(&w->out);
    for (int i = 0; i < COPIES; i++)
        free(w->copies[i]);
    free(w);
}

int64_t report_rows(const struct report_writer *w)
{
    return w->rows;
}

void report_span(const struct report_template *t, const struct report_head *head, emt_time *from,
                 emt_time *to)
{
    int back = -1;

    *from = head->from;
    *to = head->to;
    if (slots_of(t)) {
        *from -= head->tolerance;
        *to += head->tolerance + 1;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].field == REPORT_MONTH && t->columns[i].month > back)
            back = t->columns[i].month;
    }
    if (back >= 0) {
        struct local_date d = local_date_of(head->to - 1);
        int month = d.year * 12 + d.month - 1 - back;
        struct local_date first = { month / 12, month % 12 + 1, 1 };
        emt_time at = local_day_start(first) - MONTH_TOLERANCE;

        *from = at < *from ? at : *from;
    }
}
