#include "parsers/decode.h"

#include "protocol_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum emt_err decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    const struct protocol_decoder *decoder = protocol_decoder_find(req->protocol);
    enum emt_err err;

    memset(out, 0, sizeof *out);
    if (!decoder) {
        out->state = FRAME_UNSUPPORTED;
        (void)snprintf(out->reason, sizeof out->reason, "protocol %s is not in this build",
                       protocol_name(req->protocol));
        return EMT_OK;
    }
    if (req->len == 0 || req->len > DECODE_FRAME_MAX) {
        out->state = FRAME_MALFORMED;
        (void)snprintf(out->reason, sizeof out->reason, "frame of %zu bytes, 1 to %d are looked at",
                       req->len, DECODE_FRAME_MAX);
        return EMT_OK;
    }
    err = decoder->decode(req, out, peek);
    if (err != EMT_OK) {
        out->state = FRAME_MALFORMED;
        (void)snprintf(out->reason, sizeof out->reason, "decoder: %s", emt_err_name(err));
    }
    if (out->state != FRAME_OK) {
        /* What was read before the error is no measurement. */
        out->readings = NULL;
        out->nreadings = 0;
    }
    return err;
}

enum emt_err decode_frame(const struct decode_request *req, struct decode_result *out)
{
    enum emt_err err = decode(req, out, false);

#ifdef EMT_CRASH_TEST
    if (out->has_device && strcmp(out->device.manufacturer, "BUM") == 0)
        abort();
#endif
    return err;
}

enum emt_err decode_peek(const struct decode_request *req, struct decode_result *out)
{
    return decode(req, out, true);
}
