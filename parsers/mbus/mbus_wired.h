/* The wired link layer of EN 13757-2: E5, short, control and long frames. */
#ifndef EMT_PARSERS_MBUS_WIRED_H
#define EMT_PARSERS_MBUS_WIRED_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum mbus_wired_kind { MBUS_WIRED_ACK, MBUS_WIRED_SHORT, MBUS_WIRED_LONG };

struct mbus_wired {
    enum mbus_wired_kind kind;
    uint8_t c;
    uint8_t a;
    const uint8_t *body; /* long and control frames: CI and what follows; borrowed */
    size_t body_len;
    size_t body_offset; /* of CI in the frame */
    size_t trailing;    /* bytes behind the stop byte: never parsed */
};

/* EMT_ETRUNCATED the frame is not complete; EMT_EMALFORMED start, length, checksum or stop byte is
 * wrong. */
EMT_CHECKED enum emt_err mbus_wired_parse(const uint8_t *frame, size_t len, struct mbus_wired *out);

#endif
