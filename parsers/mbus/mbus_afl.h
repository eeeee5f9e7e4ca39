/* Authentication and fragmentation layer of EN 13757-7 (CI 90). Its MAC is checked by
 * mbus_security, which knows the key. */
#ifndef EMT_PARSERS_MBUS_AFL_H
#define EMT_PARSERS_MBUS_AFL_H

#include "mbus_context.h"

#define MBUS_CI_AFL 0x90

enum frame_state mbus_afl_read(struct mbus_context *ctx, struct reader *in);

#endif
