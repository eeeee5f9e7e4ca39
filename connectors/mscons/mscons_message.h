/* The two parts of the MSCONS writer: file and message (mscons_write.c), values of a message
 * (mscons_write_value.c). */
#ifndef EMT_CONNECTORS_MSCONS_MESSAGE_H
#define EMT_CONNECTORS_MSCONS_MESSAGE_H

#include "base/attr.h"
#include "base/error.h"
#include "connectors/connector.h"
#include "connectors/mscons_write.h"
#include "mscons/mscons_rules.h"

#include <stddef.h>
#include <stdint.h>

/* State of one message while its values pass. */
struct mscons_message {
    struct mscons_writer *w;
    const struct mscons_use_case *rules;
    const struct export_document *document;
    const char *bgm;     /* DE1001 */
    emt_time reading_at; /* readings: the one time of use of the message */
    uint64_t values;
    uint64_t rounded;
};

/* SG9 of the document's series i, from 0. Errors as mscons_put() says; the diag's key names place
 * and register. */
EMT_CHECKED enum emt_err mscons_write_series(struct mscons_message *m, size_t i,
                                             struct emt_diag *diag);

/* DTM in format 303. */
void mscons_write_time(struct edi_writer *e, const char *qualifier, emt_time t);
/* RFF, NAD and COM have one shape: tag, element, and a component behind it. */
void mscons_write_pair(struct edi_writer *e, const char *tag, const char *code, const char *text);

#endif
