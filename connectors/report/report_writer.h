/* The writer of reports, for the files that are its parts: shapes (report_write.c) and rows
 * (report_row.c). */
#ifndef EMT_CONNECTORS_REPORT_WRITER_H
#define EMT_CONNECTORS_REPORT_WRITER_H

#include "connectors/load_profile.h"
#include "report_template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A day of 25 hours in steps of five minutes. */
#define SLOTS_MOST 300
#define CELLS_MOST (REPORT_COLUMNS_MAX + 2 * SLOTS_MOST)

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

/* Of one report: its series, the meter, the row that is being made. */
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

/* What a row of its own says: times, value and status. */
struct row {
    bool has;
    emt_time begin, at;
    struct decimal value;
    enum quality quality;
    const char *unit;
};

/* The first error sticks, with its reason. Returns it. */
enum emt_err report_fail(struct report_writer *w, enum emt_err err, const char *why);

/* Of the template's zone. */
emt_time report_day_start(const struct report_template *t, emt_time at);
emt_time report_day_end(const struct report_template *t, emt_time at);

struct report_cell report_number_cell(struct decimal d);
struct report_cell report_count_cell(int64_t n);
/* Whether the wall clock has an hour twice within the period. */
bool report_has_repeated_hour(const struct report_writer *w);
/* Once, where the template wants them. */
EMT_CHECKED enum emt_err report_write_headings(struct report_writer *w);
/* The template's columns, and as many cells behind them as stand in w->cells. */
EMT_CHECKED enum emt_err report_write_row(struct report_writer *w, const struct row *r,
                                          size_t more);

#endif
