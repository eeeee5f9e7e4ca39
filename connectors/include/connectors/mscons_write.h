/* Writes MSCONS files for the German market, by use case (Prüfidentifikator):
 *   power  13017 meter readings, 13018 load profile of a MeLo, NeLo or coupling point, 13025 load
 *          profile of a MaLo or tranche, 13019 energy, 13016 energy and maximum, 13027 type-2
 * values gas    13002 meter readings, state number and calorific value, 13008 load profile, 13009
 * energy, 13007 gas quality both   13006 cancellation of readings and energies What each asks for
 * is data (mscons_rules.c), the same that mscons_check() judges by.
 *
 * The version follows the German day of sending (export_file.created): 2.5 from 2026-10-01, 2.4c
 * from 2024-04-03 to 2026-09-30; earlier days are EMT_EUNSUPPORTED.
 *
 * Values: decimals with a point and as many places as use case and register allow, mostly 3; a
 * value with more is rounded half away from zero, each by itself (nothing is carried to the next),
 * and counted in `rounded`. Negative values are EMT_EMALFORMED but where the AHB lists them. Load
 * profiles carry kWh or kvarh per interval with the transformer ratio applied, readings what the
 * register shows.
 *
 * Gaps are the caller's policy. The values of every series must tile the document's period exactly;
 * a message with a gap or an overlap is refused (EMT_EMALFORMED, the diag names the first one) and
 * nothing of it reaches the sink. The caller then holds the message back, fills the gap with values
 * of quality substitute (method and reason) or provisional, or splits the period into contiguous
 * spans, one message each. Quality decides the qualifier (quality_mscons): measured and corrected
 * 220, substitute 67, provisional Z18; one without qualifier is refused, so an invalid value is
 * never sent. 67 needs method and reason. */
#ifndef EMT_CONNECTORS_MSCONS_WRITE_H
#define EMT_CONNECTORS_MSCONS_WRITE_H

#include "base/attr.h"
#include "base/error.h"
#include "connectors/connector.h"
#include "connectors/edi_writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest MSCONS file name with its closing 0. */
#define MSCONS_FILE_NAME_MAX 96
/* SG10 per LIN: a month of quarter hours has 2,976. */
#define MSCONS_VALUES_MAX 9999
/* Bytes of one message; a month of quarter hours with all status segments is under 400 KiB. */
#define MSCONS_MESSAGE_LIMIT (16u << 20)

struct mscons_writer {
    struct edi_writer edi;   /* edi.messages, edi.bytes: what reached the sink */
    struct export_file file; /* texts borrowed until mscons_end() */
    const char *version;     /* DE0057, after the day of sending */
    char application[8];     /* DE0026: "EM", "TL" or "VL", fixed by the first message; "" before */
    bool begun;
    uint64_t values;  /* written to the sink */
    uint64_t rounded; /* of these: had more than 3 decimals */
};

/* Checks parties, reference and version. w and the texts of file are used until mscons_release().
 * EMT_EMALFORMED sender, recipient or reference; EMT_EUNSUPPORTED no version for that day.
 * Writes nothing yet: a file in which no message succeeds has no bytes. */
EMT_CHECKED enum emt_err mscons_begin(struct mscons_writer *w, const struct export_file *file,
                                      const struct sink *out, struct emt_diag *diag);

/* One UNH..UNT. On an error (other than one of the sink) the file stays usable: this message is
 * left out and others may follow. EMT_EMALFORMED identifier, OBIS code, time, value, status or
 * tiling is wrong; EMT_EUNSUPPORTED kind or quality that cannot be sent; EMT_ECONFLICT another
 * application reference than the messages before (readings, energies and profiles stand in files of
 * their own); EMT_ELIMIT more values than MSCONS_VALUES_MAX or bytes than MSCONS_MESSAGE_LIMIT;
 * errors of cursor and sink as they come. */
EMT_CHECKED enum emt_err mscons_put(struct mscons_writer *w, const struct export_document *document,
                                    struct emt_diag *diag);

/* UNZ. EMT_ENOTFOUND when no message was put: there is no file then. */
EMT_CHECKED enum emt_err mscons_end(struct mscons_writer *w, struct emt_diag *diag);
/* Frees what the writer owns, at any time after mscons_begin(), also a failed one. */
void mscons_release(struct mscons_writer *w);

/* MSCONS_<DE0026>_<sender>_<recipient>_<yyyymmdd UTC>_<DE0020>.txt. EMT_EUNSUPPORTED unknown kind,
 * EMT_EMALFORMED party or reference, EMT_ELIMIT buf too small (MSCONS_FILE_NAME_MAX always does).
 */
EMT_CHECKED enum emt_err mscons_file_name(const struct export_file *file, unsigned kind, char *buf,
                                          size_t size, struct emt_diag *diag);

/* The whole file in one call: begin, put each, end. The first error stops it. */
EMT_CHECKED enum emt_err mscons_write(const struct export_file *file,
                                      const struct export_document *documents, size_t count,
                                      const struct sink *out, struct emt_diag *diag);

/* DE0026 of a use case that is written here ("EM", "TL", "VL"), or NULL. A cancellation (13006) has
 * that of what it cancels: ask with that kind, here and in mscons_file_name(). */
const char *mscons_application(unsigned kind);
/* --- what an export asks before it writes --- */

/* Whether the code list has this register for the use case in a period that ends at `to`;
 * EMT_TIME_NONE: ever had. */
bool mscons_register_allowed(unsigned kind, struct obis obis, emt_time to);
/* Whether it has it for this kind of document; NULL: the use case's first. */
bool mscons_document_register(unsigned kind, const char *document, struct obis obis);
/* Decimals that its values may have; document NULL: the use case's first, location NULL: behind a
 * configuration id. */
unsigned mscons_decimals(unsigned kind, const char *document, const char *location,
                         struct obis obis);
/* Whether STS+Z34 with this code may stand at a value of this qualifier. */
bool mscons_correction_allowed(unsigned kind, const char *code, const char *qualifier,
                               const char *location);
/* Whether the use case has this kind of document (DE1001) beside its first, as "Z41" of 13019. */
bool mscons_has_document(unsigned kind, const char *document);
/* Whether a value of this qualifier says how it was formed (STS+Z32, STS+Z40). */
bool mscons_has_methods(unsigned kind);
/* DE0057 for files created at t, or NULL. */
const char *mscons_version_at(emt_time t);

#endif
