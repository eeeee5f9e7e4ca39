/* One HDLC frame of format type 3 (IEC 62056-46, ISO/IEC 13239). */
#ifndef EMT_PARSERS_DLMS_HDLC_H
#define EMT_PARSERS_DLMS_HDLC_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HDLC_FLAG 0x7e
#define HDLC_LLC_LEN 3

struct hdlc_frame {
    uint32_t destination, source; /* upper and lower part as sent, without extension bits */
    uint8_t control;
    bool segmented;      /* more segments of this APDU follow */
    const uint8_t *info; /* borrowed; NULL: none */
    size_t info_len;
    const uint8_t *start; /* of the format field; borrowed */
    size_t len;           /* to the end of the FCS */
};

/* The next frame with both flags; a flag may close one frame and open the next, more may stand
 * between. in: on a flag; left on the closing one.
 * EMT_ETRUNCATED the bytes end before; EMT_EMALFORMED flag, format, address or length; EMT_EAUTH a
 * check sequence does not fit. */
EMT_CHECKED enum emt_err hdlc_frame_read(struct reader *in, struct hdlc_frame *out);

/* I and UI frames carry an APDU. */
bool hdlc_carries_data(uint8_t control);

#endif
