/* One wired or wireless M-Bus telegram, from the link layer to readings. */
#ifndef EMT_PARSERS_MBUS_DECODE_H
#define EMT_PARSERS_MBUS_DECODE_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/decode.h"

#include <stdbool.h>

EMT_CHECKED enum emt_err mbus_decode(const struct decode_request *req, struct decode_result *out,
                                     bool peek);
EMT_CHECKED enum emt_err wmbus_decode(const struct decode_request *req, struct decode_result *out,
                                      bool peek);

#endif
