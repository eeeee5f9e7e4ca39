/* From an attribute's value to a reading. */
#ifndef EMT_PARSERS_DLMS_READING_H
#define EMT_PARSERS_DLMS_READING_H

#include "dlms_axdr.h"
#include "dlms_context.h"
#include "model/obis.h"
#include "model/quality.h"

#include <stdbool.h>
#include <stdint.h>

#define DLMS_UNIT_NONE 255

struct dlms_item {
    struct obis obis;
    const struct axdr_node *value;
    int scaler;
    uint8_t unit;                   /* code of IEC 62056-6-2; DLMS_UNIT_NONE */
    bool assumed;                   /* scaler and unit come from a template, not from the meter */
    enum quality quality;           /* what a status beside it says */
    const struct dlms_clock *clock; /* NULL: the frame's */
    bool profile;                   /* clock is that of a profile's row */
    const char *mark;               /* added to the qualifier; NULL */
    const struct axdr_node *from, *to; /* the elements it is made of; NULL: the value alone */
};

/* Puts the readings of one value: nothing for null; a text twice, as text and (octets) as sent; a
 * number with an assumed scale also (unscaled) as sent. */
void dlms_reading_put(struct dlms_context *ctx, const struct dlms_item *item);
/* Which attribute of an object a list announces: a state with qualifier "attribute". definition:
 * its index in the tree. */
void dlms_reading_put_attribute(struct dlms_context *ctx, struct obis obis, int64_t attribute,
                                uint32_t definition);
/* Gives the frame's time to all readings since ctx->first that have none. */
void dlms_reading_stamp(struct dlms_context *ctx);

/* A node without a reading, for the trace. */
void dlms_reading_pass(struct dlms_context *ctx, const struct axdr_node *node, const char *text);

#endif
