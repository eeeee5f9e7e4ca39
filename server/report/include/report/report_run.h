/* A report from the database: a template, the registers that it is about, their values, files that
 * are kept. The values of one register are in memory for a part only, one file at most. */
#ifndef EMT_REPORT_REPORT_RUN_H
#define EMT_REPORT_REPORT_RUN_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "connectors/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

/* A file is closed behind the register that brings it here; what follows is its next part. */
#define REPORT_FILE_BYTES (48u << 20)
#define REPORT_FILE_ROWS 1000000 /* a worksheet takes 1,048,576 */

struct report_request {
    int32_t tenant;
    int64_t template_id;
    const char *location; /* MeLo or MaLo; NULL: all registers */
    emt_time from, to;    /* end exclusive */
    emt_time now;
    emt_time thin;         /* report_head.thin */
    const char *recipient; /* who has the mandates, where the tenant asks for them; "": nobody */
    bool leaves;           /* it goes to a target: mandates count */
    const char *mail_to, *mail_cc, *mail_bcc; /* one per line; to "": the target's */
    int64_t job;
    const char *actor; /* for the audit */
};
struct report_handler {
    /* A file, in the transaction that keeps all files of the report. An error takes all back. */
    enum emt_err (*file)(void *ctx, struct store *s, int64_t file_id);
    /* The last word of that transaction; not where an earlier run wrote the files. */
    enum emt_err (*written)(void *ctx, struct store *s);
    void (*note)(void *ctx, const char *text);
    /* Registers done, of how many; false: stop with EMT_EAGAIN. */
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

/* On a synchronous connection as emt_app, outside of a transaction. All files stand in one
 * transaction, or none; what the job wrote before it was interrupted is handed to `file` again.
 * EMT_ENOTFOUND no such template; EMT_EMALFORMED the template cannot be used, a text that its
 * encoding lacks, or no recipient where mandates are required: in words in diag; EMT_EAGAIN stopped
 * by step; EMT_EDB. */
EMT_CHECKED enum emt_err report_run(struct store *s, const struct report_request *req,
                                    const struct report_handler *h, struct emt_diag *diag);

/* The begin of a report: at most `rows` rows, into out. Inside a transaction of the tenant. Nothing
 * is kept. */
struct report_preview {
    int32_t tenant;
    const struct report_template *t;
    const char *name;
    const char *location, *quantities; /* as struct report_choice */
    bool history;
    emt_time from, to, now, thin, tolerance;
    int64_t rows;
};
EMT_CHECKED enum emt_err report_preview(struct store *s, const struct report_preview *p,
                                        struct writer *out, struct emt_diag *diag);

/* The template of a row of report_template_get(). */
EMT_CHECKED enum emt_err report_template_of(const struct store_result *r, int row,
                                            struct report_template *out, struct emt_diag *diag);

#endif
