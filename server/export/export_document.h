/* Documents of a place on their way into the file: compared with what the receiver has, marked
 * where they change it, cancelled where they cannot be overwritten. */
#ifndef EMT_EXPORT_EXPORT_DOCUMENT_H
#define EMT_EXPORT_EXPORT_DOCUMENT_H

#include "export_lot.h"
#include "export_out.h"
#include "export_place.h"

#define LINE_REGISTERS_MAX 16
/* Lines of one document. */
#define DOCUMENT_LINES_MAX 32

struct export_policy;

/* What an export to one receiver carries around. */
struct export_run {
    struct store *store;
    const struct mscons_export_request *req;
    const struct export_use_case *use;
    const struct export_policy *policy;
    int32_t tolerance_s;
    bool mandates; /* the receiver needs one for each day */
    struct export_out *out;
    struct emt_diag *diag; /* of what ends the export */
    struct export_lot *lot;
    /* What was sent to the receiver of the lot's places, at [sent_from, sent_to], as it stood when
     * the file `sent_epoch` was begun. */
    struct store_array *places;
    struct store_result *sent;
    emt_time sent_from, sent_to;
    unsigned sent_epoch;
    /* As it stood when the lot was loaded: strangers of out, and the highest message of the lot's
     * places. What a stranger sent since may be newer than the lot's readings. */
    unsigned strangers;
    int64_t sent_last;
    uint64_t unchanged; /* documents that stayed out */
    uint64_t ahead;     /* … because what they take the place of is dated ahead of now */
    uint64_t overtaken; /* … because a stranger sent others since the lot was loaded */
};

/* One register in the market's sense: the channels that follow each other in it, and its values. */
struct export_line {
    const struct place_register *regs[LINE_REGISTERS_MAX];
    size_t n_regs;
    struct export_value *values; /* borrowed; corrections are marked in them */
    size_t n_values;
};
struct export_lines {
    struct export_line line[DOCUMENT_LINES_MAX];
    size_t n;
};

/* What is wrong with a place is its own matter; what is broken on our side ends the export, as does
 * a transaction that the database gave up. */
bool export_ends(enum emt_err err);

/* Asks again what was sent when that may have changed. */
EMT_CHECKED enum emt_err export_sent_load(struct export_run *run, struct emt_diag *diag);

/* Z41, Z42: quantities as the network bills them, without status, basis or order. */
bool export_is_note(const char *document);

/* The document for [from, to] (a reading: both its instant) of these lines: device, config_id,
 * order of the lines' first register as far as the use case carries them. What cannot be sent is
 * noted. */
EMT_CHECKED enum emt_err export_document_put(struct export_run *run, const struct place *place,
                                             const char *document, emt_time from, emt_time to,
                                             struct export_lines *lines);
/* Takes back what was sent of the place in [from, to]. */
EMT_CHECKED enum emt_err export_document_cancel_all(struct export_run *run, const char *place,
                                                    emt_time from, emt_time to);

#endif
