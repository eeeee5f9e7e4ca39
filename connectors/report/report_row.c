/* One row of a report: its cells, and the headings above all of them. */
#include "report_writer.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

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

struct report_cell report_number_cell(struct decimal d)
{
    return (struct report_cell){ .kind = CELL_NUMBER, .number = d };
}

struct report_cell report_count_cell(int64_t n)
{
    return report_number_cell(decimal_of(n, 0));
}

static struct report_cell time_cell(emt_time at, const char *pattern)
{
    return (struct report_cell){ .kind = at == EMT_TIME_NONE ? CELL_EMPTY : CELL_TIME,
                                 .time = at,
                                 .pattern = pattern };
}

static struct report_cell found_cell(const struct found *f)
{
    return f->has ? report_number_cell(f->value) : (struct report_cell){ .kind = CELL_EMPTY };
}

static struct report_cell cell_of(struct report_writer *w, size_t i, const struct row *r)
{
    const struct report_template *t = w->t;
    const struct report_column *c = &t->columns[i];
    const struct found *f = &w->found[i];
    const struct report_cell none = { .kind = CELL_EMPTY };

    switch (c->field) {
    case REPORT_ROW:
        return report_count_cell(w->rows + 1);
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
        return r->has ? report_number_cell(r->value) : none;
    case REPORT_QUALITY:
        return r->has ? text_cell(quality_text(t, r->quality)) : none;
    case REPORT_STATUS:
        return r->has ? report_count_cell((int64_t)r->quality) : none;
    case REPORT_TARIFF:
        return report_count_cell(w->s.tariff);
    case REPORT_STORAGE:
        return report_count_cell(w->s.storage);
    case REPORT_STEP:
        return report_count_cell(w->step / EMT_MINUTE);
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

bool report_has_repeated_hour(const struct report_writer *w)
{
    emt_time at = report_day_start(w->t, w->head->from);

    if (w->t->utc)
        return false;
    for (int i = 0; i < 500 && at < w->head->to; i++) {
        emt_time end = report_day_end(w->t, at);

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
enum emt_err report_write_headings(struct report_writer *w)
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

enum emt_err report_write_row(struct report_writer *w, const struct row *r, size_t more)
{
    enum emt_err err = report_write_headings(w);

    for (size_t i = 0; i < w->t->n_columns; i++)
        w->cells[i] = cell_of(w, i, r);
    if (err == EMT_OK)
        err = w->out.ops->row(&w->out, w->cells, w->names, w->labels, w->t->n_columns + more);
    if (err != EMT_OK)
        return report_fail(w, err, w->out.bytes.why);
    w->rows++;
    return EMT_OK;
}
