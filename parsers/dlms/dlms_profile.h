/* Buffers of profile generic objects (IEC 62056-6-2, class 7). */
#ifndef EMT_PARSERS_DLMS_PROFILE_H
#define EMT_PARSERS_DLMS_PROFILE_H

#include "dlms_axdr.h"
#include "dlms_context.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stdint.h>

#define DLMS_COLUMNS_MAX 64

/* A capture object with the scale of what it captures. */
struct dlms_column {
    uint16_t class_id;
    struct obis obis;
    int8_t attribute;
    bool has_scale;
    int8_t scaler;
    uint8_t unit; /* code; 255: none */
};

struct dlms_columns {
    struct dlms_column list[DLMS_COLUMNS_MAX];
    unsigned n;
    uint32_t period_s; /* capture period; 0: not known, or on demand */
};

/* Columns from an array of object definitions. False: none, or too many. */
bool dlms_columns_read(const struct axdr_tree *tree, uint32_t at, struct dlms_columns *out);
/* An array of structures, each with as many elements as there are columns. */
bool dlms_is_buffer(const struct axdr_tree *tree, uint32_t at, const struct dlms_columns *columns);
/* Puts the readings of all rows. A null value repeats the row above; a null clock is the clock
 * above plus the period; rows without a time are counted in ctx->timeless. */
void dlms_profile_put(struct dlms_context *ctx, const struct axdr_tree *tree, uint32_t at,
                      const struct dlms_columns *columns);

#endif
