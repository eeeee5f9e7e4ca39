/* The services inside an APDU; each reads what follows the tag and leaves the reader behind it. */
#ifndef EMT_PARSERS_DLMS_SERVICE_H
#define EMT_PARSERS_DLMS_SERVICE_H

#include "base/reader.h"
#include "dlms_context.h"
#include "model/frame_state.h"

enum frame_state dlms_data_notification(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_event_notification(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_get_response(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_set_response(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_action_response(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_access_response(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_exception_response(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_get_request(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_set_request(struct dlms_context *ctx, struct reader *in);
enum frame_state dlms_action_request(struct dlms_context *ctx, struct reader *in);

/* Blocks of one response, appended in the order of their numbers. False (with reason): a number is
 * missing, or out of memory. */
bool dlms_blocks_add(struct dlms_context *ctx, struct dlms_blocks *blocks, uint32_t number,
                     const uint8_t *p, size_t n);
/* Puts a result that is no success as the frame's application error. */
void dlms_put_access_result(struct dlms_context *ctx, uint8_t code);

#endif
