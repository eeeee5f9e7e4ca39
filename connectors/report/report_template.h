/* What the files of this folder share about templates and texts. */
#ifndef EMT_CONNECTORS_REPORT_TEMPLATE_H
#define EMT_CONNECTORS_REPORT_TEMPLATE_H

#include "connectors/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *report_field_name(enum report_field f);

/* The next code point of a text that ends with 0; false, and one byte on, where it is no UTF-8. */
bool report_utf8_next(const char **text, uint32_t *cp);

/* The file's bytes, in its encoding. The first error sticks. */
struct report_bytes {
    const struct sink *out;
    const struct report_template *t;
    enum emt_err err;
    char why[160]; /* of EMT_EMALFORMED */
    unsigned char buf[8192];
    size_t len;
};
void report_bytes_init(struct report_bytes *b, const struct sink *out,
                       const struct report_template *t);
void report_put(struct report_bytes *b, const char *text); /* ASCII, as it stands */
void report_put_char(struct report_bytes *b, uint32_t cp); /* in the file's encoding */
void report_put_raw(struct report_bytes *b, const void *p, size_t n);
void report_flush(struct report_bytes *b);

/* A time after a pattern; buf holds REPORT_TIME_MAX. Returns buf. */
#define REPORT_TIME_MAX 128
char *report_time_text(const struct report_template *t, const char *pattern, emt_time at,
                       char buf[REPORT_TIME_MAX]);

/* --- one row, whatever the format --- */

enum report_cell_kind { CELL_EMPTY, CELL_TEXT, CELL_NUMBER, CELL_TIME };
struct report_cell {
    enum report_cell_kind kind;
    const char *text;
    struct decimal number;
    emt_time time;
    const char *pattern; /* of a time */
};

/* The cell as the template writes it; times and numbers in buf, texts as they stand. */
const char *report_cell_text(const struct report_template *t, const struct report_cell *c,
                             char buf[REPORT_TIME_MAX]);

/* What a format does. `name` of a cell in XML stands in names, NULL in the others. */
struct report_out;
struct report_format_ops {
    enum emt_err (*begin)(struct report_out *o);
    /* names[i] and labels[i]: element and heading of cell i. A label that is not NULL in a row of
     * a matrix is the interval's. */
    enum emt_err (*headings)(struct report_out *o, const char *const *labels, size_t n);
    enum emt_err (*row)(struct report_out *o, const struct report_cell *cells,
                        const char *const *names, const char *const *labels, size_t n);
    enum emt_err (*end)(struct report_out *o);
    void (*release)(struct report_out *o);
};
struct report_out {
    const struct report_format_ops *ops;
    const struct report_template *t;
    const struct report_head *head;
    struct report_bytes bytes;
    void *own; /* of the format */
};
extern const struct report_format_ops report_csv_ops, report_xml_ops, report_xlsx_ops;
bool report_has_xlsx(void);

/* The lines of a letterhead: label and text. At most REPORT_LETTER_LINES. */
#define REPORT_LETTER_LINES 8
struct report_letter {
    size_t n;
    const char *label[REPORT_LETTER_LINES];
    const char *text[REPORT_LETTER_LINES];
    char contact[3 * REPORT_TEXT_MAX + 8];
    char period[2 * REPORT_TIME_MAX + 8];
    char created[REPORT_TIME_MAX];
};
void report_letter_make(const struct report_template *t, const struct report_head *head,
                        struct report_letter *out);

#endif
