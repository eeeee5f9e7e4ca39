#include "model/protocol.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const protocols[PROTOCOLS] = {
    [PROTOCOL_NONE] = "none",
    [PROTOCOL_WMBUS] = "wmbus",
    [PROTOCOL_MBUS] = "mbus",
    [PROTOCOL_SML] = "sml",
    [PROTOCOL_SML_STREAM] = "sml-stream",
    [PROTOCOL_IEC62056_21] = "iec62056-21",
    [PROTOCOL_DLMS] = "dlms",
    [PROTOCOL_LORAWAN] = "lorawan",
    [PROTOCOL_COSEM_XML] = "cosem-xml",
    [PROTOCOL_CMS] = "cms",
};

static const char *const formats[FRAME_FORMATS] = {
    [FRAME_FORMAT_AUTO] = "",
    [FRAME_FORMAT_NO_LINK_CRC] = "no-link-crc",
    [FRAME_FORMAT_A_CRC] = "frame-a-crc",
    [FRAME_FORMAT_B_CRC] = "frame-b-crc",
    [FRAME_FORMAT_HDLC] = "hdlc",
    [FRAME_FORMAT_WRAPPER] = "wrapper",
    [FRAME_FORMAT_MBUS] = "mbus",
    [FRAME_FORMAT_NONE] = "none",
    [FRAME_FORMAT_LORAWAN_1_0] = "1.0",
    [FRAME_FORMAT_LORAWAN_1_1] = "1.1",
};

const char *protocol_name(enum protocol p)
{
    return (unsigned)p < PROTOCOLS ? protocols[p] : "unknown";
}

enum emt_err protocol_parse(const char *name, enum protocol *out)
{
    for (unsigned i = PROTOCOL_NONE + 1; i < PROTOCOLS; i++) {
        if (strcmp(name, protocols[i]) == 0) {
            *out = (enum protocol)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

const char *frame_format_name(enum frame_format f)
{
    return (unsigned)f < FRAME_FORMATS ? formats[f] : "unknown";
}

enum emt_err frame_format_parse(const char *name, enum frame_format *out)
{
    for (unsigned i = 0; i < FRAME_FORMATS; i++) {
        if (strcmp(name, formats[i]) == 0) {
            *out = (enum frame_format)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}
