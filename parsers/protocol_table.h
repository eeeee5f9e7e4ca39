/* The one list of protocols that this build can decode. */
#ifndef EMT_PARSERS_PROTOCOL_TABLE_H
#define EMT_PARSERS_PROTOCOL_TABLE_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/decode.h"

#include <stdbool.h>

struct protocol_decoder {
    enum protocol protocol;
    /* Fills a zeroed result. With `peek` only device, adapter and telegram hash are wanted and no
     * key is asked for. */
    enum emt_err (*decode)(const struct decode_request *req, struct decode_result *out, bool peek);
};

/* NULL: no decoder for it in this build. */
const struct protocol_decoder *protocol_decoder_find(enum protocol p);

#endif
