/* What an export hands out, taken and judged. */
#ifndef EMT_TESTS_EXPORT_TAKEN_H
#define EMT_TESTS_EXPORT_TAKEN_H

#include "base/error.h"
#include "export/mscons_export.h"
#include "export_fixture.h"

#include <jansson.h>

#define FILES_MAX 64

struct taken {
    unsigned files;
    int64_t id[FILES_MAX];
    char name[FILES_MAX][128];
    char *content[FILES_MAX];
    size_t len[FILES_MAX];
    int messages[FILES_MAX];
    char notes[20000];
    enum emt_err answer; /* of the file handler */
    enum emt_err err;    /* of the run */
    struct emt_diag diag;
};

/* Runs the export; whatever comes out, the connection is ready for the next one. */
void taken_run(struct store *s, const struct mscons_export_request *req, struct taken *t);
void taken_drop(struct taken *t);
/* With EMT_EXPORT_KEEP a copy of the file stays in that folder.
 * The file passes the checker, and the database holds the same bytes, and its messages where its
 * rows say. Its content as JSON. */
json_t *taken_judged(struct pg_fixture *f, const struct taken *t, unsigned i);
const json_t *taken_line(const json_t *file, size_t message, size_t line);
void taken_check_line(const json_t *l, const char *obis, int n, const char *sum);
/* Wh times ratio as kWh. */
const char *kwh(int64_t wh, char buf[32]);

#endif
