/* Reports by template: CSV, XML and Excel files whose columns, order, headings, separators,
 * encoding, time zone, formats and language are data.
 *
 * A template comes as texts (struct report_text: a row of the database, a request) and is checked
 * once: report_template_parse(). A writer is then pushed one register after the other and each
 * register's values in the order of time; it holds what one row needs and no more, however long the
 * report is. It knows no database and no clock. */
#ifndef EMT_CONNECTORS_REPORT_H
#define EMT_CONNECTORS_REPORT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "connectors/connector.h"
#include "model/decimal.h"
#include "model/obis.h"
#include "model/quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_format { REPORT_CSV, REPORT_XML, REPORT_XLSX };
enum report_shape {
    REPORT_VALUES, /* one row per value */
    REPORT_METERS, /* one row per meter */
    REPORT_MATRIX  /* one row per register and local day, a cell per interval */
};

/* One column. Those with a parameter are written "last:1-0:1.8.0", "month:1", "text:A". */
enum report_field {
    REPORT_ROW, /* number of the row, from 1 */
    REPORT_TIME,
    REPORT_DATE,
    REPORT_CLOCK,
    REPORT_BEGIN, /* of the interval of an energy */
    REPORT_METER,
    REPORT_IDENT,
    REPORT_MANUFACTURER,
    REPORT_MEDIUM,
    REPORT_NAME,
    REPORT_PLACE,
    REPORT_LOCATION,
    REPORT_REGISTER_NUMBER, /* number of the meter as the market knows it */
    REPORT_OBIS,
    REPORT_QUANTITY,
    REPORT_CHANNEL,
    REPORT_UNIT,
    REPORT_VALUE,
    REPORT_QUALITY,
    REPORT_STATUS, /* the quality as a number */
    REPORT_TARIFF,
    REPORT_STORAGE,
    REPORT_STEP, /* minutes of an interval */
    REPORT_TITLE,
    REPORT_COMPANY,
    REPORT_EMPTY,
    REPORT_TEXT, /* text:… */
    /* One row per meter only. */
    REPORT_LAST, /* last:OBIS, first:OBIS: the period's last and first value of this register */
    REPORT_LAST_TIME,
    REPORT_FIRST,
    REPORT_FIRST_TIME,
    REPORT_MONTH /* month:N: the main register at the begin of the local month, N months back */
};

#define REPORT_COLUMNS_MAX 64
#define REPORT_HEADING_MAX 64 /* bytes */
#define REPORT_MONTHS_MAX 24
struct report_column {
    enum report_field field;
    struct obis obis; /* of last, first; none: the meter's main register */
    int month;
    char heading[REPORT_HEADING_MAX + 1];
    char text[REPORT_HEADING_MAX + 1]; /* of text */
};

/* A template as texts; all borrowed, none NULL. `columns` are one per line:
 * "field", or "field=heading". */
struct report_text {
    const char *shape;             /* values meters matrix */
    const char *format;            /* csv xml xlsx */
    const char *columns;           /* 1 to REPORT_COLUMNS_MAX lines */
    const char *language;          /* de en: headings not given, names of qualities */
    const char *encoding;          /* utf-8 utf-8-bom cp1252 */
    const char *unrepresentable;   /* replace refuse: what cp1252 does not have */
    const char *time_zone;         /* Europe/Berlin UTC */
    const char *time_format;       /* of YYYY YY MM DD HH mm ss Z and what stands between them */
    const char *date_format;       /* likewise */
    const char *clock_format;      /* likewise */
    const char *field_separator;   /* semicolon comma tab pipe */
    const char *decimal_separator; /* point comma */
    const char *quoting;           /* needed always */
    const char *line_end;          /* crlf lf */
    const char *measure;           /* readings energy: registers as read, or differenced */
    const char *energy_unit;       /* Wh kWh, for the reactive and apparent ones alike */
    const char *grid;              /* wall-clock: a column per quarter hour of the wall clock,
                                      day: as many cells as the day has */
    const char *preamble;          /* a line before everything else, "" for none */
    const char *title, *company, *logo_text;
    const char *contact_name, *contact_mail, *contact_phone;
    const char *file_name; /* without ending; {from} {to} {created} {name} {part} */
    bool heading;          /* a line of headings */
    bool letterhead;       /* title, company, contact and period stand in the file */
    bool cell_status;      /* matrix: each value is followed by its status */
    int decimals;          /* -1: as stored */
    int step_s; /* of energies and of a matrix: a divisor of an hour from 300, or 86400 */
};

#define REPORT_TEXT_MAX 200
#define REPORT_FORMAT_MAX 40 /* characters of a time format */
struct report_template {
    enum report_format format;
    enum report_shape shape;
    struct report_column columns[REPORT_COLUMNS_MAX];
    size_t n_columns;
    bool english, cp1252, bom, refuses, utc, quotes_all, lf, energy, kilo, wall_clock;
    bool heading, letterhead, cell_status;
    char separator, point;
    char time_format[REPORT_FORMAT_MAX + 1];
    char date_format[REPORT_FORMAT_MAX + 1];
    char clock_format[REPORT_FORMAT_MAX + 1];
    char preamble[REPORT_TEXT_MAX + 1];
    char title[REPORT_TEXT_MAX + 1], company[REPORT_TEXT_MAX + 1], logo_text[REPORT_TEXT_MAX + 1];
    char contact_name[REPORT_TEXT_MAX + 1], contact_mail[REPORT_TEXT_MAX + 1];
    char contact_phone[REPORT_TEXT_MAX + 1];
    char file_name[REPORT_TEXT_MAX + 1];
    int decimals; /* -1: as stored */
    emt_time step;
};

/* EMT_EMALFORMED: diag is "field: reason", with the field spelled as in report_text
 * ("columns[2]: …"); EMT_EUNSUPPORTED: Excel, which this program was built without. */
EMT_CHECKED enum emt_err report_template_parse(const struct report_text *text,
                                               struct report_template *out, struct emt_diag *diag);

/* Templates that come with the product: NULL past the end, NULL for an unknown name. */
struct report_ready {
    const char *name;     /* "values", "meters", "months", "matrix", "lpex", "xml", "xlsx" */
    const char *title_en; /* what it is, for people */
    const char *title_de;
    struct report_text text;
};
const struct report_ready *report_ready_at(size_t i);
const struct report_ready *report_ready_find(const char *name);

/* What is said about all of it; texts borrowed until report_end(). */
struct report_head {
    const char *name;  /* of the template */
    emt_time from, to; /* the period, end exclusive */
    emt_time created;
    emt_time thin;      /* of each interval of this length the first value; 0: all. Of a
                           matrix and of energies: their step instead of the template's */
    emt_time tolerance; /* how far a reading may be off a boundary */
    unsigned part;      /* number of the file, from 1 */
};

/* One register. Texts are borrowed until the next register, "" where there is none. */
struct report_series {
    int64_t device; /* rows of one device follow each other */
    const char *meter, *ident, *manufacturer, *medium, *name, *place;
    const char *location, *register_number;
    const char *obis, *quantity, *channel, *unit; /* unit as stored: the base unit */
    bool cumulates;                               /* a register: may be differenced */
    int64_t tariff, storage;
    struct decimal factor; /* transformer ratio; mantissa 0: 1 */
};
struct report_value {
    emt_time time;
    struct decimal value; /* in the unit of the series */
    enum quality quality;
};

struct report_writer;
/* head, template and out are borrowed until report_free(). EMT_ENOMEM, EMT_EUNSUPPORTED (xlsx). */
EMT_CHECKED enum emt_err report_begin(const struct report_template *t,
                                      const struct report_head *head, const struct sink *out,
                                      struct report_writer **w, struct emt_diag *diag);
/* The first error sticks and comes back from report_end() with its words: EMT_EMALFORMED times not
 * ascending, or a text that cp1252 does not have where the template refuses it. */
EMT_CHECKED enum emt_err report_series(struct report_writer *w, const struct report_series *s);
EMT_CHECKED enum emt_err report_value(struct report_writer *w, const struct report_value *v);
EMT_CHECKED enum emt_err report_end(struct report_writer *w, struct emt_diag *diag);
void report_free(struct report_writer *w); /* NULL is fine */
int64_t report_rows(const struct report_writer *w);

/* Values that a report of this period looks at: energies need a reading just outside, months those
 * of their begin. */
void report_span(const struct report_template *t, const struct report_head *head, emt_time *from,
                 emt_time *to);
/* The file's name with its ending. EMT_ELIMIT: buf is too small. */
EMT_CHECKED enum emt_err report_file_name(const struct report_template *t,
                                          const struct report_head *head, char *buf, size_t size);
const char *report_media_type(enum report_format f);
/* By the ending of a file's name; NULL for another one. */
const char *report_media_type_of(const char *file_name);

#endif
