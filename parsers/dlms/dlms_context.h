/* What the layers of one DLMS frame tell each other while it is decoded. */
#ifndef EMT_PARSERS_DLMS_CONTEXT_H
#define EMT_PARSERS_DLMS_CONTEXT_H

#include "common/decode_build.h"
#include "dlms_clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct axdr_tree;

#define DLMS_UNITS_MAX 64
#define DLMS_SYSTEM_TITLE_LEN 8

/* One APDU as the link layer hands it up. */
struct dlms_unit {
    const uint8_t *p; /* in the frame, or in the arena where it was put together */
    size_t n;
};

/* Block data put together: general block transfer, or get and action responses with blocks. */
struct dlms_blocks {
    uint8_t *data; /* in the arena; room for all that the frame can hold */
    size_t len;
    uint32_t next; /* number of the block expected next; 0: none seen */
};

struct dlms_context {
    struct decode_build b;
    struct dlms_unit units[DLMS_UNITS_MAX];
    unsigned nunits;
    size_t room; /* bytes of all units: nothing put together is longer */
    bool bare;   /* no framing: data may stand without an APDU */

    struct dlms_blocks transfer; /* general block transfer */
    struct dlms_blocks response; /* blocks of one response */

    unsigned nesting; /* APDUs inside APDUs */
    uint8_t service;  /* glo or ded tag around the APDU being read; 0: none */
    bool secured;     /* what is being read was decrypted or authenticated */
    bool unverified;  /* decrypted without a tag: only strict parsing tells a wrong key */
    bool plain_body;  /* data that nothing protected was read */
    bool titled;      /* the device is that of a system title */

    const struct axdr_tree *tree; /* being walked: places for the trace */

    bool has_clock;
    struct dlms_clock clock; /* of the frame's values: from the body, else the notification */
    bool clock_from_body;
    unsigned first;    /* reading the clock counts from */
    unsigned unnamed;  /* values without a code: left out */
    unsigned timeless; /* profile rows without a time: left out */
    unsigned quirks;   /* names read with tag and length exchanged */
    unsigned rank;     /* of the device's number so far (dlms_reading.c) */
};

#endif
