/* What a reading gateway sends on of what a DLMS meter answered: a data-notification (IEC
 * 62056-5-3) with the meter's identity before its values, as our decoder reads it
 * (docs/protocols/dlms.md). */
#ifndef EMT_AGENT_SOURCE_DLMS_FRAME_H
#define EMT_AGENT_SOURCE_DLMS_FRAME_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DLMS_FRAME_COLUMNS_MAX 64
#define DLMS_FRAME_IDENTITY_MAX 66 /* tag, length and 64 bytes */

struct dlms_scale_unit {
    bool known;
    int8_t scaler;
    uint8_t unit;
};

/* One captured attribute. */
struct dlms_captured {
    uint16_t class_id;
    struct obis obis;
    int8_t attribute;
    uint16_t index;
    struct dlms_scale_unit scale;
};

/* capture_objects (class 7, attribute 3). EMT_EMALFORMED; EMT_ELIMIT more than 64. */
EMT_CHECKED enum emt_err dlms_captured_read(const uint8_t *p, size_t n, struct dlms_captured *list,
                                            unsigned *count);
/* scaler_unit: structure { integer, enum }. EMT_EMALFORMED. */
EMT_CHECKED enum emt_err dlms_scale_unit_read(const uint8_t *p, size_t n,
                                              struct dlms_scale_unit *out);
/* capture_period: double-long-unsigned. EMT_EMALFORMED. */
EMT_CHECKED enum emt_err dlms_period_read(const uint8_t *p, size_t n, uint32_t *out);

/* Whose values these are: code and its value as one A-XDR element. */
struct dlms_identity {
    struct obis obis;
    uint8_t value[DLMS_FRAME_IDENTITY_MAX];
    size_t len;
};

/* One element of a list of values; value is one A-XDR element. */
void dlms_frame_value(struct writer *w, struct obis obis, const uint8_t *value, size_t n,
                      const struct dlms_scale_unit *scale);
/* A frame of `count` such elements. */
void dlms_frame_values(struct writer *w, const struct dlms_identity *id, const uint8_t *elements,
                       size_t n, unsigned count);
/* A frame of a profile's buffer, one A-XDR array, under its columns. period_s: 0 not known. */
void dlms_frame_buffer(struct writer *w, const struct dlms_identity *id,
                       const struct dlms_captured *list, unsigned count, uint32_t period_s,
                       const uint8_t *buffer, size_t n);

#endif
