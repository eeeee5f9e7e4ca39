/* One MSCONS export: from the places of a tenant to files with numbers, kept in the database before
 * anybody sees them.
 *
 * Use cases: 13018 load profile of a MeLo, 13025 load profile of a MaLo (interval energies
 * differenced from register readings, connectors/load_profile.h; a day with gaps goes out in
 * contiguous spans, a gap never), 13017 register readings of a MeLo at the start of each day. */
#ifndef EMT_EXPORT_MSCONS_EXPORT_H
#define EMT_EXPORT_MSCONS_EXPORT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/local_day.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Longest period of one export. */
#define MSCONS_EXPORT_DAYS_MAX 400

struct mscons_export_request {
    int32_t tenant;
    unsigned pid;               /* 13017, 13018, 13025 */
    struct local_date from, to; /* German local days, end exclusive */
    const char *location;       /* MeLo or MaLo; NULL: all of that kind */
    emt_time now;               /* creation time; messages never carry values after it */
    bool test;                  /* test flag of the interchange */
    bool hold_gaps;             /* a day with a gap is held back whole instead of sent in spans */
    int64_t job; /* that writes the files, 0: none. A job that begins again writes no receiver's
                    file twice: what stands there is handed back with its notes. */
};

/* What the export hands back; texts are borrowed for the call. */
struct mscons_export_handler {
    /* A committed file (content NULL: written by an earlier run of the job). An error stops the
     * export; the file stays in the database. */
    enum emt_err (*file)(void *ctx, int64_t file_id, const char *name, const void *content,
                         size_t len, int messages);
    /* A place, register or interval that did not go out, and why: "DE…: 2026-11-17T08:15Z to …:
     * no-reading". */
    void (*note)(void *ctx, const char *text);
    void *ctx;
    /* Before each receiver and at the end, with how many of them are done; false: stop with
     * EMT_EAGAIN. May be NULL. */
    bool (*step)(void *ctx, int64_t done, int64_t total);
};

/* Runs on a synchronous connection as emt_app, in transactions of its own: one per file, with the
 * number and the file. EMT_OK also when nothing could be written (see notes). EMT_ENOTFOUND no such
 * tenant or location; EMT_EUNSUPPORTED pid; EMT_EMALFORMED period, or no sender MP-ID at the
 * tenant; EMT_EAGAIN stopped by step; EMT_EDB. */
EMT_CHECKED enum emt_err mscons_export_run(struct store *s, const struct mscons_export_request *req,
                                           const struct mscons_export_handler *h,
                                           struct emt_diag *diag);

#endif
