/* One MSCONS export: from the places of a tenant to files with numbers, kept in the database before
 * anybody sees them.
 *
 * Use cases, each from the channels bound to a place (connectors/load_profile.h differences
 * registers, through exchanges and roll-overs):
 *   power  13018, 13025 load profiles of a day; 13017 readings at the begin of each day and at an
 *          exchange; 13019 energy of the whole period; 13016 energy and maximum of each month in
 *          it; 13027 what was ordered as type-2 values
 *   gas    13008 load profile and 13007 gas quality of a gas day; 13002 readings at the begin of
 *          each gas day, state number and calorific value of the period; 13009 energy of the
 *          period
 *   13006  takes back what was sent of the use case `cancels` in the period
 * A period of gas days is that of the local days, from 06:00 to 06:00.
 *
 * Intervals without energy: the tenant's policy for the use case (export_policy_get()): a day goes
 * out in contiguous spans, is held back whole, or is filled with provisional values or substitutes.
 *
 * What a receiver has already: of profiles a later message takes the place of the one before and
 * says which values changed (STS+Z34). Readings and energies that changed are cancelled and sent
 * anew in one file; those that did not change are never sent twice.
 *
 * Files are closed before they grow beyond what the receiver takes (market_partner), else beyond
 * MSCONS_EXPORT_FILE_BYTES. Each is judged by mscons_check() before it is kept; a file with a
 * finding is not kept, and a note says segment and rule. */
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
/* Bytes of a file to a receiver who said nothing. One message is never cut: one that is larger goes
 * out alone. */
#define MSCONS_EXPORT_FILE_BYTES (4 << 20)

struct mscons_export_request {
    int32_t tenant;
    unsigned pid;               /* mscons_export_pids() */
    struct local_date from, to; /* German local days, end exclusive */
    const char *location; /* MeLo, MaLo, NeLo or tranche; NULL: all that the use case is for */
    const char *receiver; /* only this one's files; NULL: those of all */
    emt_time now;         /* creation time; messages never carry values after it */
    bool test;            /* test flag of the interchange */
    bool hold_gaps;       /* a day with a gap is held back whole, whatever the policy */
    bool only_changes;    /* of profiles: what is the same as sent before stays out */
    const char *document; /* DE1001 in the place of the use case's first: delivery notes Z41 (13019)
                             and Z42 (13016), what was moved before a supply Z27 (13009); or NULL */
    unsigned cancels;     /* 13006: the use case that is taken back; else 0 */
    int64_t again; /* a file of before, 0: none. Only the places of its messages; with 13006 only
                      what they were to take back */
    int64_t job;   /* that writes the files, 0: none. A job that begins again writes no receiver's
                      file twice: what stands there is handed back with its notes. */
};

/* What the export hands back; texts are borrowed for the call. */
struct mscons_export_handler {
    /* A file in the transaction that keeps it: what is written here stands with the file or not at
     * all. Not called for files of an earlier run. May be NULL. */
    enum emt_err (*keep)(void *ctx, struct store *s, int64_t file_id, const char *name,
                         int messages);
    /* A committed file (content NULL: written by an earlier run of the job). An error stops the
     * export; the file stays in the database. */
    enum emt_err (*file)(void *ctx, int64_t file_id, const char *name, const void *content,
                         size_t len, int messages);
    /* A place, register or interval that did not go out, and why: "DE…: 2026-11-17T08:15Z to …:
     * no-reading". */
    void (*note)(void *ctx, const char *text);
    void *ctx;
    /* Before each lot of places and at the end, with how many places are done; false: stop with
     * EMT_EAGAIN. May be NULL. */
    bool (*step)(void *ctx, int64_t done, int64_t total);
};

/* The use cases that can be exported, ascending, closed by 0. */
const unsigned *mscons_export_pids(void);

/* What can be said without the database: pid, cancels, period, shape of the location's code. Errors
 * as those of the run. */
EMT_CHECKED enum emt_err mscons_export_check(const struct mscons_export_request *req,
                                             struct emt_diag *diag);

/* Runs on a synchronous connection as emt_app, in transactions of its own: one per file, with the
 * number and the file. EMT_OK also when nothing could be written (see notes). EMT_ENOTFOUND no such
 * tenant or location; EMT_EUNSUPPORTED pid; EMT_EMALFORMED period, or no sender MP-ID at the
 * tenant; EMT_EAGAIN stopped by step; EMT_EDB; EMT_ESTATE the database gave the transaction
 * of a file up; errors of the handler. */
EMT_CHECKED enum emt_err mscons_export_run(struct store *s, const struct mscons_export_request *req,
                                           const struct mscons_export_handler *h,
                                           struct emt_diag *diag);

#endif
