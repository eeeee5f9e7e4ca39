/* The three ways DLMS travels, and none: from the bytes of a frame to APDUs.
 *
 * HDLC frames of format type 3 (IEC 62056-46), TCP/UDP wrapper (IEC 62056-47), M-Bus long frames
 * with CI 00..1F (EN 13757-3 transport layer as IEC 62056-7-3 uses it). */
#ifndef EMT_PARSERS_DLMS_LINK_H
#define EMT_PARSERS_DLMS_LINK_H

#include "dlms_context.h"
#include "model/frame_state.h"

/* Fills ctx->units. FRAME_MALFORMED with a reason: a checksum, a length, a segment that is missing;
 * FRAME_UNSUPPORTED: frames that carry no APDU. */
enum frame_state dlms_link_open(struct dlms_context *ctx);
/* One more APDU for ctx->units; false (with reason): too many. */
bool dlms_link_add(struct dlms_context *ctx, const uint8_t *p, size_t n);

#endif
