/* From the data of an APDU to readings: values under their codes, lists that a template knows,
 * object definitions with their values, buffers of profiles. */
#ifndef EMT_PARSERS_DLMS_BODY_H
#define EMT_PARSERS_DLMS_BODY_H

#include "dlms_axdr.h"
#include "dlms_context.h"
#include "model/frame_state.h"
#include "model/obis.h"

#include <stdint.h>

/* Reads one data element and puts what it says. FRAME_MALFORMED with reason. */
enum frame_state dlms_body_read(struct dlms_context *ctx, struct reader *in);
/* The same for the value of an attribute that the APDU names. */
enum frame_state dlms_body_read_named(struct dlms_context *ctx, struct reader *in,
                                      struct obis obis);
/* Reads one data element without putting anything. */
enum frame_state dlms_body_skip(struct dlms_context *ctx, struct reader *in);

#endif
