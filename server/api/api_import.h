/* Many at once, as CSV: each line is tried by itself, good ones stay beside bad ones, and the
 * answer tells each line's result. */
#ifndef EMT_API_API_IMPORT_H
#define EMT_API_API_IMPORT_H

#include "api_call.h"
#include "csv.h"

/* More lines than this are not all told. */
#define IMPORT_LINES_TOLD 10000

struct import_result {
    struct api_call *call;
    json_t *lines;
    json_t *rejected_lines; /* of a file with more lines than are told */
    int64_t accepted, rejected;
};
void import_begin(struct import_result *r, struct api_call *c);
void import_accepted(struct import_result *r, unsigned line, const char *id);
void import_rejected(struct import_result *r, unsigned line, const char *reason);
void import_release(struct import_result *r);
/* Answers and releases. */
enum emt_err import_answer(struct api_call *c, struct import_result *r);
/* Whether the body says that it is CSV. */
bool import_is_csv(const struct api_call *c);

/* --- a whole import --- */

#define IMPORT_FIELDS_MAX 24
#define IMPORT_ID_MAX 80

/* The cells of a line, by field; "" where there is none. */
struct import_row {
    char cell[IMPORT_FIELDS_MAX][CSV_CELL_MAX];
};
struct import_kind {
    const char *action; /* in the audit */
    const struct csv_name *names;
    size_t nnames;
    unsigned needed; /* bits of fields */
    /* Keeps a line and says what it made. A reject or EMT_ELIMIT: the line is undone, the reason
     * stands in diag. */
    enum emt_err (*keep)(struct api_call *c, const struct import_row *row, char id[IMPORT_ID_MAX],
                         struct emt_diag *diag);
    enum emt_err (*after)(struct api_call *c); /* when something was accepted; may be NULL */
};
enum emt_err import_run(struct api_call *c, const struct import_kind *kind);
/* For keep: at most 200 characters. */
EMT_CHECKED enum emt_err import_check_length(const char *name, const char *text,
                                             struct emt_diag *diag);

/* A transformer's ratio (api_location.c): from a millionth to a million, there is no other. */
bool location_ratio(const char *text, struct decimal *out);
/* The code suits the kind (enum location_kind). */
EMT_CHECKED enum emt_err location_code_check(int kind, const char *code, struct emt_diag *diag);

#endif
