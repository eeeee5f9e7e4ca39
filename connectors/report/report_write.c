/* The shapes of a report: values come in, rows go out. What is kept is one row of cells, one local
 * day of boundaries and one meter's columns, whatever the period. */
#include "connectors/load_profile.h"
#include "model/local_day.h"
#include "report_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A day of 25 hours in steps of five minutes. */
#define SLOTS_MOST 300
#define CELLS_MOST (REPORT_COLUMNS_MAX + 2 * SLOTS_MOST)
/* How far the reading at the begin of a month may be off it. */
#define MONTH_TOLERANCE (12 * EMT_HOUR)

/* What stands of a meter in a row of its own. */
struct found {
    bool has;
    int64_t series; /* whose value it is: the first one that fits keeps the column */
    struct decimal value;
    emt_time time;
    enum quality quality;
};

enum copy {
    METER,
    IDENT,
    MANUFACTURER,
    MEDIUM,
    NAME,
    PLACE,
    LOCATION,
    NUMBER,
    OBIS,
    QUANTITY,
    CHANNEL,
    UNIT,
    COPIES
};

struct day {
    bool open;
    emt_time start, end, step;
    size_t n; /* slots; n + 1 boundaries */
    bool has[SLOTS_MOST + 1];
    struct register_reading best[SLOTS_MOST + 1];
};

struct report_writer {
    const struct report_template *t;
    const struct report_head *head;
    struct report_out out;
    enum emt_err err;
    bool headed;
    int64_t rows, count; /* count: series so far */
    emt_time step, tolerance, last;
    emt_time thin_day, thin_at; /* interval of the value that went out last */
    /* the series */
    bool has_series, energy, has_obis;
    struct report_series s;
    struct obis obis;
    char *copies[COPIES];
    char unit[24];
    struct day day;
    /* the meter, of a row per meter */
    int64_t main_series;
    struct found main;
    struct found found[REPORT_COLUMNS_MAX];
    emt_time months[REPORT_COLUMNS_MAX];
    char meter_unit[24];
    /* the row */
    struct report_cell cells[CELLS_MOST];
    const char *names[CELLS_MOST];
    const char *labels[CELLS_MOST];
    char slot_labels[SLOTS_MOST][16];
    size_t n_slots; /* cells of a row of a matrix */
    bool repeats;   /* the wall clock has an hour twice within the period */
};

static enum emt_err fail(struct report_writer *w, enum emt_err err, const char *why)
{
    if (w->err == EMT_OK) {
        w->err = err;
        if (why != w->out.bytes.why)
            snprintf(w->out.bytes.why, sizeof w->out.bytes.why, "%s", why);
    }
    return w->err;
}

/* --- days, of the template's zone --- */

static emt_time day_start(const struct report_template *t, emt_time at)
{
    emt_time in = at % EMT_DAY;

    if (!t->utc)
        return local_day_start(local_date_of(at));
    return at - (in < 0 ? in + EMT_DAY : in);
}

static emt_time day_end(const struct report_template *t, emt_time at)
{
    return t->utc ? day_start(t, at) + EMT_DAY : local_day_end(local_date_of(at));
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
        return fail(w, EMT_EMALFORMED, "a value does not fit its decimals");
    *out = v;
    return EMT_OK;
}

static const char *quality_text(const struct report_template *t, enum quality q)
{
    static const char *const german[] = { "gemessen",  "Ersatzwert", "geschätzt",
                                          "vorläufig", "ungültig",   "korrigiert" };

    return t->english ? quality_name(q) : german[q <= QUALITY_CORRECTED ? q : QUALITY_INVALID];
}

static struct report_cell text_cell(const char *text)
{
    return (struct report_cell){ .kind = text[0] != '\0' ? CELL_TEXT : CELL_EMPTY, .text = text };
}

static struct report_cell number_cell(struct decimal d)
{
    return (struct report_cell){ .kind = CELL_NUMBER, .number = d };
}

static struct report_cell count_cell(int64_t n)
{
    return number_cell(decimal_of(n, 0));
}

static struct report_cell time_cell(emt_time at, const char *pattern)
{
    return (struct report_cell){ .kind = at == EMT_TIME_NONE ? CELL_EMPTY : CELL_TIME,
                                 .time = at,
                                 .pattern = pattern };
}

/* What a row of its own says: times, value and status. */
struct row {
    bool has;
    emt_time begin, at;
    struct decimal value;
    enum quality quality;
    const char *unit;
};

static struct report_cell found_cell(const struct found *f)
{
    return f->has ? number_cell(f->value) : (struct report_cell){ .kind = CELL_EMPTY };
}

static struct report_cell cell_of(struct report_writer *w, size_t i, const struct row *r)
{
    const struct report_template *t = w->t;
    const struct report_column *c = &t->columns[i];
    const struct found *f = &w->found[i];
    const struct report_cell none = { .kind = CELL_EMPTY };

    switch (c->field) {
    case REPORT_ROW:
        return count_cell(w->rows + 1);
    case REPORT_TIME:
        return time_cell(r->at, t->time_format);
    case REPORT_DATE:
        return time_cell(r->at, t->date_format);
    case REPORT_CLOCK:
        return time_cell(r->at, t->clock_format);
    case REPORT_BEGIN:
        return time_cell(r->begin, t->time_format);
    case REPORT_METER:
        return text_cell(w->copies[METER]);
    case REPORT_IDENT:
        return text_cell(w->copies[IDENT]);
    case REPORT_MANUFACTURER:
        return text_cell(w->copies[MANUFACTURER]);
    case REPORT_MEDIUM:
        return text_cell(w->copies[MEDIUM]);
    case REPORT_NAME:
        return text_cell(w->copies[NAME]);
    case REPORT_PLACE:
        return text_cell(w->copies[PLACE]);
    case REPORT_LOCATION:
        return text_cell(w->copies[LOCATION]);
    case REPORT_REGISTER_NUMBER:
        return text_cell(w->copies[NUMBER]);
    case REPORT_OBIS:
        return text_cell(w->copies[OBIS]);
    case REPORT_QUANTITY:
        return text_cell(w->copies[QUANTITY]);
    case REPORT_CHANNEL:
        return text_cell(w->copies[CHANNEL]);
    case REPORT_UNIT:
        return text_cell(r->unit);
    case REPORT_VALUE:
        return r->has ? number_cell(r->value) : none;
    case REPORT_QUALITY:
        return r->has ? text_cell(quality_text(t, r->quality)) : none;
    case REPORT_STATUS:
        return r->has ? count_cell((int64_t)r->quality) : none;
    case REPORT_TARIFF:
        return count_cell(w->s.tariff);
    case REPORT_STORAGE:
        return count_cell(w->s.storage);
    case REPORT_STEP:
        return count_cell(w->step / EMT_MINUTE);
    case REPORT_TITLE:
        return text_cell(t->title[0] != '\0' ? t->title : w->head->name);
    case REPORT_COMPANY:
        return text_cell(t->company);
    case REPORT_EMPTY:
        return none;
    case REPORT_TEXT:
        return text_cell(c->text);
    case REPORT_LAST:
    case REPORT_FIRST:
    case REPORT_MONTH:
        return found_cell(f);
    case REPORT_LAST_TIME:
    case REPORT_FIRST_TIME:
        return f->has ? time_cell(f->time, t->time_format) : none;
    }
    return none;
}

/* --- headings --- */

static bool has_repeated_hour(const struct report_writer *w)
{
    emt_time at = day_start(w->t, w->head->from);

    if (w->t->utc)
        return false;
    for (int i = 0; i < 500 && at < w->head->to; i++) {
        emt_time end = day_end(w->t, at);

        if (end - at > EMT_DAY)
            return true;
        at = end;
    }
    return false;
}

/* "02:15", and "02:15B" for the second time. */
static void label_slot(struct report_writer *w, int minute, bool second)
{
    char *label = w->slot_labels[w->n_slots++];

    snprintf(label, sizeof w->slot_labels[0], "%02d:%02d%s", minute / 60 % 24, minute % 60,
             second ? "B" : "");
}

static void label_slots(struct report_writer *w)
{
    int step = (int)(w->step / EMT_MINUTE);

    for (int m = 0; m < 24 * 60; m += step) {
        label_slot(w, m, false);
        if (w->repeats && step <= 60 && m + step == 3 * 60) {
            for (int again = 2 * 60; again < 3 * 60; again += step)
                label_slot(w, again, true);
        }
    }
}

static void name_cells(struct report_writer *w)
{
    size_t n = w->t->n_columns;

    for (size_t i = 0; i < n; i++) {
        w->names[i] = w->t->columns[i].heading;
        w->labels[i] = w->t->columns[i].heading;
    }
    for (size_t i = 0; i < 2 * SLOTS_MOST; i++) {
        bool status = w->t->cell_status && i % 2 == 1;
        size_t slot = w->t->cell_status ? i / 2 : i;

        if (slot >= SLOTS_MOST)
            break;
        w->names[n + i] = status ? "status" : "cell";
        w->labels[n + i] = w->slot_labels[slot];
    }
}

/* A matrix by days calls its cells by number: a day has as many as it has. Its line of headings
 * has one for all of them. */
static enum emt_err write_headings(struct report_writer *w)
{
    const char *labels[REPORT_COLUMNS_MAX + 1];
    size_t n = w->t->n_columns;

    if (w->headed)
        return EMT_OK;
    w->headed = true;
    if (w->t->shape == REPORT_MATRIX && w->t->wall_clock)
        label_slots(w);
    if (w->t->shape == REPORT_MATRIX && !w->t->wall_clock) {
        for (size_t i = 0; i < SLOTS_MOST; i++)
            snprintf(w->slot_labels[i], sizeof w->slot_labels[i], "%zu", i + 1);
    }
    name_cells(w);
    if (!w->t->heading)
        return EMT_OK;
    if (w->t->shape == REPORT_MATRIX && !w->t->wall_clock) {
        memcpy(labels, w->labels, n * sizeof labels[0]);
        labels[n] = w->t->english ? "Values" : "Werte";
        return w->out.ops->headings(&w->out, labels, n + 1);
    }
    if (w->t->shape == REPORT_MATRIX)
        n += w->n_slots * (w->t->cell_status ? 2 : 1);
    return w->out.ops->headings(&w->out, w->labels, n);
}

static enum emt_err write_row(struct report_writer *w, const struct row *r, size_t more)
{
    enum emt_err err = write_headings(w);

    for (size_t i = 0; i < w->t->n_columns; i++)
        w->cells[i] = cell_of(w, i, r);
    if (err == EMT_OK)
        err = w->out.ops->row(&w->out, w->cells, w->names, w->labels, w->t->n_columns + more);
    if (err != EMT_OK)
        return fail(w, err, w->out.bytes.why);
    w->rows++;
    return EMT_OK;
}

/* --- boundaries of a day --- */

static void open_day(struct report_writer *w, emt_time at)
{
    struct day *d = &w->day;

    d->open = true;
    d->start = day_start(w->t, at);
    d->end = day_end(w->t, at);
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
        w->cells[n + place] = r->has ? number_cell(r->value) : (struct report_cell){ 0 };
        return;
    }
    w->cells[n + 2 * place] = r->has ? number_cell(r->value) : (struct report_cell){ 0 };
    w->cells[n + 2 * place + 1] =
        r->has ? count_cell((int64_t)r->quality) : (struct report_cell){ 0 };
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
        return fail(w, err, "energies of a day cannot be formed");
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
    return write_row(w, &head, cells * (w->t->cell_status ? 2 : 1));
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
    enum emt_err err = write_headings(w);

    w->day.open = false;
    if (err != EMT_OK)
        return fail(w, err, w->out.bytes.why);
    err = w->energy ? energies(w, rows) : readings_of(w, rows);
    if (err != EMT_OK || !fill_rows(w, rows))
        return err;
    if (w->t->shape == REPORT_MATRIX)
        return write_matrix_row(w, rows);
    for (size_t i = 0; err == EMT_OK && i < w->day.n; i++) {
        if (rows[i].has)
            err = write_row(w, &rows[i], 0);
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
    emt_time day = day_start(w->t, at);
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
    return err == EMT_OK ? write_row(w, &r, 0) : err;
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
    enum emt_err err = write_row(w, &r, 0);

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
    x->repeats = has_repeated_hour(x);
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
            return fail(w, EMT_ENOMEM, "out of memory");
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
        return fail(w, EMT_EMALFORMED, "values are not in the order of time");
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
        err = write_headings(w);
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

/* --- names --- */

/* NULL past the last format. */
static const char *ending_of(enum report_format f)
{
    switch (f) {
    case REPORT_CSV:
        return "csv";
    case REPORT_XML:
        return "xml";
    case REPORT_XLSX:
        return "xlsx";
    }
    return NULL;
}

static void put_day(struct writer *w, const struct report_template *t, emt_time at)
{
    char text[REPORT_TIME_MAX];

    writer_text(w, report_time_text(t, "YYYYMMDD", at, text));
}

/* What a template's name may have that a file's name should not becomes _. */
static void put_name(struct writer *w, const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '-';

        writer_u8(w, good ? (uint8_t)*p : '_');
    }
}

enum emt_err report_file_name(const struct report_template *t, const struct report_head *head,
                              char *buf, size_t size)
{
    char text[REPORT_TIME_MAX];
    struct writer w;
    bool numbered = false;

    writer_init_fixed(&w, buf, size);
    for (const char *p = t->file_name; *p != '\0';) {
        size_t n = *p == '{' ? strcspn(p, "}") + 1 : 1;

        if (strncmp(p, "{from}", n) == 0 && n > 1)
            put_day(&w, t, head->from);
        else if (strncmp(p, "{to}", n) == 0 && n > 1)
            put_day(&w, t, head->to - 1);
        else if (strncmp(p, "{created}", n) == 0 && n > 1)
            writer_text(&w, report_time_text(t, "YYYYMMDD_HHmmss", head->created, text));
        else if (strncmp(p, "{name}", n) == 0 && n > 1)
            put_name(&w, head->name);
        else if (strncmp(p, "{part}", n) == 0 && n > 1)
            numbered = writer_printf(&w, "%u", head->part);
        else
            writer_u8(&w, (uint8_t)*p);
        p += n;
    }
    if (head->part > 1 && !numbered)
        writer_printf(&w, "_%u", head->part);
    writer_printf(&w, ".%s", ending_of(t->format));
    (void)writer_cstr(&w);
    return w.failed ? EMT_ELIMIT : EMT_OK;
}

const char *report_media_type(enum report_format f)
{
    switch (f) {
    case REPORT_CSV:
        return "text/csv";
    case REPORT_XML:
        return "application/xml";
    case REPORT_XLSX:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    }
    return "application/octet-stream";
}

const char *report_media_type_of(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');

    for (int i = 0; dot != NULL && ending_of((enum report_format)i) != NULL; i++) {
        if (strcmp(dot + 1, ending_of((enum report_format)i)) == 0)
            return report_media_type((enum report_format)i);
    }
    return NULL;
}
