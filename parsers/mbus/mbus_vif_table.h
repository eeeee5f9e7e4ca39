/* The VIF code tables of EN 13757-3 as data: primary VIFs, extensions FB and FD, combinable VIFEs.
 */
#ifndef EMT_PARSERS_MBUS_VIF_TABLE_H
#define EMT_PARSERS_MBUS_VIF_TABLE_H

#include "model/quantity.h"

#include <stdint.h>

/* How the data of a code is to be read. */
enum mbus_data {
    MBUS_DATA_NUMBER,
    MBUS_DATA_DATE,       /* point in time; the type follows from the length */
    MBUS_DATA_IDENTIFIER, /* digits or text, printed as they are */
    MBUS_DATA_FLAGS,      /* bits: printed as an unsigned number */
    MBUS_DATA_DURATION,   /* number in s, min, h, d by the low two bits of the code */
};

struct mbus_vif {
    uint8_t first, last;
    enum mbus_data data;
    enum quantity quantity;
    const char *unit; /* base unit; NULL none */
    int8_t exponent;  /* of the first code; the low bits under `mask` are added. Durations: added to
                         the low two bits */
    uint8_t mask;
    uint32_t factor;       /* exact factor to the base unit, 0 is 1 */
    const char *qualifier; /* tells codes of one quantity apart; NULL */
};

/* NULL: reserved. Codes without extension bit. */
const struct mbus_vif *mbus_vif_primary(uint8_t code);
const struct mbus_vif *mbus_vif_fb(uint8_t code);
const struct mbus_vif *mbus_vif_fd(uint8_t code);

/* What a combinable VIFE does to a record. */
enum mbus_vife_effect {
    VIFE_QUALIFIES,    /* the meaning: see qualifier */
    VIFE_SCALES,       /* the value: exponent += scale + (code & mask) */
    VIFE_RECORD_ERROR, /* the value is in doubt */
    VIFE_COUNTS,       /* the data is a number of events about the quantity */
    VIFE_LASTS,        /* the data is a duration about the quantity, unit by the low two bits */
    VIFE_DATES,        /* the data is a point in time about the quantity */
    VIFE_PROFILE,      /* the data is a profile */
    VIFE_NON_METRIC,   /* the unit is the non-metric one */
    VIFE_NEXT_TABLE,   /* 7C: the next VIFE is from the second table */
    VIFE_MANUFACTURER, /* 7F: the rest belongs to the manufacturer */
    VIFE_NOTHING,      /* says nothing about the value */
};

struct mbus_vife {
    uint8_t first, last;
    enum mbus_vife_effect effect;
    int8_t scale;
    uint8_t mask;
    const char *qualifier;
};

/* NULL: reserved. */
const struct mbus_vife *mbus_vife_first(uint8_t code);
const struct mbus_vife *mbus_vife_second(uint8_t code);

#endif
