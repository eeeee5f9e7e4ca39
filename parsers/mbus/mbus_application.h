/* What stands behind the transport layer: records, compact and format frames, errors, alarms. */
#ifndef EMT_PARSERS_MBUS_APPLICATION_H
#define EMT_PARSERS_MBUS_APPLICATION_H

#include "mbus_context.h"
#include "mbus_tpl.h"

/* Reads out->plain. */
enum frame_state mbus_application_read(struct mbus_context *ctx, enum mbus_apl apl);

#endif
