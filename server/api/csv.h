/* CSV as people hand it over: comma, semicolon or tab, quotes allowed (RFC 4180, without line ends
 * inside of them), lines ended by LF or CRLF, a byte order mark ignored; the first line names the
 * columns, in any order and case. */
#ifndef EMT_API_CSV_H
#define EMT_API_CSV_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_COLUMNS_MAX 32
#define CSV_CELL_MAX 801 /* 200 characters of four bytes, and the closing 0 */

/* The lines of a text, which stays with the caller. */
struct csv {
    const char *at, *past;
    unsigned line; /* number of the last one, the head is 1 */
};
struct csv_line {
    const char *at, *end; /* at is past end behind the last cell */
    const char *fault;    /* what is wrong, without a word of the line; NULL: nothing */
};
void csv_init(struct csv *c, const char *text, size_t n);
/* The next line, without its end; false: none is left. */
bool csv_next_line(struct csv *c, struct csv_line *line);
bool csv_is_blank(const struct csv_line *line);
/* The next cell, trimmed, without quotes; false at the end of the line or at a fault. */
bool csv_next_cell(struct csv_line *line, char cell[CSV_CELL_MAX]);

/* A name of a column and the field it stands for; several names may stand for one. */
struct csv_name {
    const char *name;
    int field; /* 0 to 31 */
};
struct csv_head {
    int field[CSV_COLUMNS_MAX];
    size_t n;
};
/* Reads the first line; `needed` has a bit per field that must be there. The diagnosis quotes
 * nothing of the line: a file without a head begins with data, which may be secret.
 * EMT_EMALFORMED: a fault, a column that is not known or there twice, or one is missing. */
EMT_CHECKED enum emt_err csv_read_head(struct csv *c, const struct csv_name *names, size_t n,
                                       unsigned needed, struct csv_head *out,
                                       struct emt_diag *diag);
/* Reads a line's cells; set is called with each, also with empty ones, and ends the line with its
 * error. The cells' memory is wiped. EMT_EMALFORMED a fault, or more cells than columns. */
EMT_CHECKED enum emt_err csv_read_line(struct csv_line *line, const struct csv_head *head,
                                       enum emt_err (*set)(void *ctx, int field, const char *text,
                                                           struct emt_diag *diag),
                                       void *ctx, struct emt_diag *diag);

#endif
