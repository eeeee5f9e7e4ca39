/* APDUs of the xDLMS application layer (IEC 62056-5-3): what is inside a frame. */
#ifndef EMT_PARSERS_DLMS_APDU_H
#define EMT_PARSERS_DLMS_APDU_H

#include "dlms_context.h"
#include "model/frame_state.h"

#include <stddef.h>
#include <stdint.h>

/* Reads one APDU, all of n bytes. */
enum frame_state dlms_apdu_read(struct dlms_context *ctx, const uint8_t *p, size_t n);
/* "data-notification", …; NULL: no tag that we know. */
const char *dlms_apdu_name(uint8_t tag);
/* Text of a data-access-result (IEC 62056-5-3); never NULL. */
const char *dlms_access_result_text(uint8_t code);

#endif
