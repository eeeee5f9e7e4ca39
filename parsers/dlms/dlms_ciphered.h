/* APDUs that protect another one: general-glo, general-ded, general-ciphering, general-signing and
 * the glo and ded variants of each service. */
#ifndef EMT_PARSERS_DLMS_CIPHERED_H
#define EMT_PARSERS_DLMS_CIPHERED_H

#include "base/reader.h"
#include "dlms_context.h"
#include "model/frame_state.h"

/* Each reads what follows the tag. */
enum frame_state dlms_general_ciphered(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_general_ciphering(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_general_signing(struct dlms_context *ctx, struct reader *in);
/* glo and ded services: the system title is the association's. */
enum frame_state dlms_service_ciphered(struct dlms_context *ctx, struct reader *in);

#endif
