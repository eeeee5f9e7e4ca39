/* Fixed data structure of old wired meters (EN 13757-3, CI 73). */
#ifndef EMT_PARSERS_MBUS_FIXED_H
#define EMT_PARSERS_MBUS_FIXED_H

#include "mbus_context.h"

enum frame_state mbus_fixed_read(struct mbus_context *ctx, struct reader *in);

#endif
