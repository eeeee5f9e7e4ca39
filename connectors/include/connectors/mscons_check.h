/* Judges MSCONS files: syntax, MIG and the rules of the use case, as tables know them
 * (mscons_rules.c). CONTRL and APERAK files are judged for their envelope only.
 *
 * Only the content counts: the version is chosen by the date in UNB, never by the clock. Rules that
 * depend on what the file does not say (the sender's role, orders, master data, earlier messages)
 * are not judged. */
#ifndef EMT_CONNECTORS_MSCONS_CHECK_H
#define EMT_CONNECTORS_MSCONS_CHECK_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong, and where. Codes: the tag of the segment (UNB, BGM, DTM, RFF, NAD, QTY, STS, …)
 * and APP (DE0026), CHAR, COM, DAYLINE (not at the begin of a day), FUTURE (after the document's
 * date), GAP (values do not tile the period), LF and LFEND (line breaks), LOCID, MPID, MPIDCHK
 * (check digit, prefix), NAME (file name), NUM, OBIS, ORDER (of segments), PID, SEG (unknown
 * segment), SYNTAX, UNIT, USEDATE (time of use a day off). */
struct mscons_finding {
    unsigned segment; /* in the file, from 1 = UNB (UNA does not count); 0: the file as a whole */
    const char *code; /* static */
    bool warning;     /* a rule that is only inferred: does not make the file wrong */
    char text[200];   /* UTF-8 */
};

/* f is borrowed for the call. */
struct mscons_findings {
    void (*put)(void *ctx, const struct mscons_finding *f);
    void *ctx;
};

struct mscons_check_result {
    unsigned findings; /* without warnings; counts those that were not put as well */
    unsigned warnings;
    unsigned messages;
    uint64_t values; /* QTY */
};

/* Findings of one code that are put; further ones are counted and summed up in one more. */
#define MSCONS_FINDINGS_PER_CODE 50

/* file_name: name without folder, to be judged too; NULL: not judged. result is always written.
 * EMT_OK judged, whatever was found; EMT_EUNSUPPORTED this is no EDIFACT file; EMT_ENOMEM. */
EMT_CHECKED enum emt_err mscons_check(const void *data, size_t len, const char *file_name,
                                      const struct mscons_findings *out,
                                      struct mscons_check_result *result);

#endif
