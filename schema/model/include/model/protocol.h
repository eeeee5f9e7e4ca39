/* The protocols of the front door. Stored as int2 and sent as an enum on the wire: the numbers are
 * for good. */
#ifndef EMT_MODEL_PROTOCOL_H
#define EMT_MODEL_PROTOCOL_H

#include "base/attr.h"
#include "base/error.h"

enum protocol {
    PROTOCOL_NONE = 0,
    PROTOCOL_WMBUS = 1,
    PROTOCOL_MBUS = 2,
    PROTOCOL_SML = 3,
    PROTOCOL_SML_STREAM = 4,
    PROTOCOL_IEC62056_21 = 5,
    PROTOCOL_DLMS = 6,
    PROTOCOL_LORAWAN = 7,
    PROTOCOL_COSEM_XML = 8,
    PROTOCOL_CMS = 9,
    PROTOCOLS
};

/* How the bytes were cut, where a protocol has several ways. Numbers are for good. */
enum frame_format {
    FRAME_FORMAT_AUTO = 0,
    FRAME_FORMAT_NO_LINK_CRC = 1, /* wmbus */
    FRAME_FORMAT_A_CRC = 2,       /* wmbus */
    FRAME_FORMAT_B_CRC = 3,       /* wmbus */
    FRAME_FORMAT_HDLC = 4,        /* dlms */
    FRAME_FORMAT_WRAPPER = 5,     /* dlms */
    FRAME_FORMAT_MBUS = 6,        /* dlms */
    FRAME_FORMAT_NONE = 7,        /* dlms: bare APDU */
    FRAME_FORMAT_LORAWAN_1_0 = 8,
    FRAME_FORMAT_LORAWAN_1_1 = 9,
    FRAME_FORMATS
};

/* "wmbus", "iec62056-21", …; never NULL. */
const char *protocol_name(enum protocol p);
EMT_CHECKED enum emt_err protocol_parse(const char *name, enum protocol *out);
/* "no-link-crc", "frame-a-crc", "hdlc", "1.0", …; "" for AUTO. */
const char *frame_format_name(enum frame_format f);
EMT_CHECKED enum emt_err frame_format_parse(const char *name, enum frame_format *out);

#endif
