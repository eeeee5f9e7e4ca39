/* The radio link layer of EN 13757-4: frame formats A and B, and frames whose CRCs the receiver
 * took away. */
#ifndef EMT_PARSERS_WMBUS_LINK_H
#define EMT_PARSERS_WMBUS_LINK_H

#include "base/attr.h"
#include "base/error.h"
#include "mbus_address.h"
#include "model/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct wmbus_link {
    enum frame_format format; /* how the CRCs stood: A_CRC, B_CRC or NO_LINK_CRC */
    const uint8_t
        *bytes; /* L (counting no CRC), C, M, A, CI …; in the arena or borrowed from the frame */
    size_t len; /* L + 1 */
    size_t trailing; /* bytes behind the frame: never parsed */
    bool corrected;  /* L counted CRCs that are not there: what is missing cannot be told from it */
    uint8_t c;
    struct mbus_address address;
};

#define WMBUS_LINK_HEADER 10 /* L C M(2) A(6) */

/* AUTO tries A, then B, then as is: a CRC must fit in every block. An explicit format is taken at
 * its word. EMT_ETRUNCATED fewer bytes than L says; EMT_EMALFORMED L below a header, or a CRC that
 * does not fit; EMT_ENOMEM. */
EMT_CHECKED enum emt_err wmbus_link_parse(struct arena *arena, const uint8_t *frame, size_t len,
                                          enum frame_format format, struct wmbus_link *out);
/* Where byte `at` of link->bytes stands in the frame as sent. */
size_t wmbus_link_offset(const struct wmbus_link *link, size_t at);

#endif
