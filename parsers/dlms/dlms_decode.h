/* The DLMS/COSEM decoder behind the front door: parsers/decode.h. */
#ifndef EMT_PARSERS_DLMS_DECODE_H
#define EMT_PARSERS_DLMS_DECODE_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/decode.h"

#include <stdbool.h>

/* What arrived from a meter in one go: HDLC frames, wrapper messages, M-Bus frames or one APDU. */
EMT_CHECKED enum emt_err dlms_decode(const struct decode_request *req, struct decode_result *out,
                                     bool peek);

#endif
