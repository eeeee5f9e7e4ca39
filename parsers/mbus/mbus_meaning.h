/* What the VIB of a record says: quantity, unit, scale and everything that changes the meaning. */
#ifndef EMT_PARSERS_MBUS_MEANING_H
#define EMT_PARSERS_MBUS_MEANING_H

#include "mbus_record.h"
#include "mbus_vif_table.h"
#include "model/reading.h"

#include <stdbool.h>
#include <stdint.h>

struct mbus_meaning {
    enum mbus_data data;
    enum quantity quantity;
    const char *unit; /* base unit, static; NULL none */
    int exponent;     /* value in unit = number * factor * 10^exponent */
    uint32_t factor;
    char qualifier[READING_QUALIFIER_MAX]; /* sorted, joined by '+' */
    bool record_error;
    bool is_timestamp; /* VIF 6D (or 6C) and nothing else: the time of other records */
    uint8_t profile;   /* VIFE 13, 1E or 1F; 0 none */
};

void mbus_meaning_of(const struct mbus_record *rec, struct mbus_meaning *out);

#endif
