/* One value of an SML list, profile or tree as readings. */
#ifndef EMT_PARSERS_SML_READING_H
#define EMT_PARSERS_SML_READING_H

#include "sml_context.h"

/* The members that list entries, period entries and profile columns share. */
struct sml_entry {
    const uint8_t *name; /* objName: an OBIS code */
    size_t name_len;
    bool has_status;
    uint64_t status;
    struct sml_time time;
    uint64_t unit; /* 0 and 255: none */
    int64_t scaler;
    struct sml_value value;
    struct sml_time value_time; /* where the value is a time (SML 1.04) */
    const uint8_t *signature;
    size_t signature_len;
    enum time_source source; /* of `time` */
};

/* The value; its status word and signature as readings of their own, with the qualifiers "status"
 * and "signature". */
void sml_reading_put(struct sml_context *ctx, const struct sml_entry *e);
/* Reads a value: a number, octets, or a list that holds a time. */
void sml_entry_value(struct sml_context *ctx, struct reader *in, struct sml_entry *e);
/* Unit and scaler, each of them optional. */
void sml_entry_scale(struct reader *in, struct sml_entry *e);

#endif
