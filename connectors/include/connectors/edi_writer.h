/* UN/EDIFACT syntax version 3 (ISO 9735) with the service characters of the German market (UNA:+.?
 * '), character set UNOC (ISO 8859-1): separators, release character, counts. Knows no message.
 *
 * Text arguments are UTF-8. Every call after the first error does nothing; the error is in `err`.
 */
#ifndef EMT_CONNECTORS_EDI_WRITER_H
#define EMT_CONNECTORS_EDI_WRITER_H

#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "connectors/connector.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edi_writer {
    struct writer buf; /* what has not reached the sink: service segments, the message begun */
    const struct sink *sink; /* borrowed */
    enum emt_err err;        /* first error; sticks */
    char text[160];          /* why, for a human; "" without error */
    bool sink_failed;        /* the error came from the sink: nothing more can be written */
    size_t message_start;    /* where in buf the message begun starts */
    unsigned segments;       /* of the message begun, UNH included */
    unsigned messages;       /* complete messages put to the sink */
    unsigned owed_elements;  /* separators not yet written: dropped when nothing follows */
    unsigned owed_components;
    emt_time day; /* start of the UTC day whose date stands in day_text */
    char day_text[9];
    uint64_t bytes; /* put to the sink */
};

/* limit: most bytes of one message. Free with edi_release(). */
void edi_init(struct edi_writer *w, const struct sink *sink, size_t limit);
void edi_release(struct edi_writer *w);

/* Segment tag; then elements and components in their order; then edi_end(). Empty components and
 * elements at the end are dropped, as the syntax rules ask. */
void edi_segment(struct edi_writer *w, const char *tag);
void edi_element(struct edi_writer *w,
                 const char *text); /* first component of the next element; NULL or "": empty */
void edi_component(struct edi_writer *w, const char *text); /* next component of the same element */
void edi_component_decimal(struct edi_writer *w,
                           struct decimal value); /* decimal mark is the point */
void edi_element_number(struct edi_writer *w, uint64_t value);
/* Next component: CCYYMMDDHHMM+00, DE2379 format 303, UTC. Seconds other than 0: EMT_EMALFORMED. */
void edi_component_time303(struct edi_writer *w, emt_time t);
void edi_end(struct edi_writer *w); /* terminator; counts the segment */

/* UNA as the market fixes it; the first thing in a file. */
void edi_una(struct edi_writer *w);
/* Starts counting: UNH with the reference and up to five components of the message type. */
void edi_message_begin(struct edi_writer *w, const char *reference, const char *const type[5]);
/* UNT with the count (UNH and UNT included); the message goes to the sink as a whole. */
enum emt_err edi_message_end(struct edi_writer *w, const char *reference);
/* Forgets the message begun and its error; nothing of it reached the sink. An error of the sink
 * itself stays. */
void edi_message_drop(struct edi_writer *w);
/* Puts what is buffered (service segments outside messages) to the sink. */
enum emt_err edi_flush(struct edi_writer *w);

#endif
