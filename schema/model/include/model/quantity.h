/* What is measured, and in which unit. Quantities are names of physical meaning; units are spelled
 * as IEC 62056-6-2 spells them. A channel has one quantity and one dimension; its values are stored
 * in the dimension's base unit with an exponent on each value, so that a meter changing from kWh to
 * MWh stays one channel. */
#ifndef EMT_MODEL_QUANTITY_H
#define EMT_MODEL_QUANTITY_H

#include "base/attr.h"
#include "base/error.h"
#include "model/decimal.h"

#include <stdbool.h>

enum quantity {
    QUANTITY_NONE = 0,
    QUANTITY_ENERGY,
    QUANTITY_REACTIVE_ENERGY,
    QUANTITY_APPARENT_ENERGY,
    QUANTITY_VOLUME,
    QUANTITY_MASS,
    QUANTITY_POWER,
    QUANTITY_REACTIVE_POWER,
    QUANTITY_APPARENT_POWER,
    QUANTITY_VOLUME_FLOW,
    QUANTITY_MASS_FLOW,
    QUANTITY_TEMPERATURE,
    QUANTITY_FLOW_TEMPERATURE,
    QUANTITY_RETURN_TEMPERATURE,
    QUANTITY_TEMPERATURE_DIFFERENCE,
    QUANTITY_EXTERNAL_TEMPERATURE,
    QUANTITY_PRESSURE,
    QUANTITY_HUMIDITY,
    QUANTITY_HCA,
    QUANTITY_VOLTAGE,
    QUANTITY_CURRENT,
    QUANTITY_FREQUENCY,
    QUANTITY_PHASE_ANGLE,
    QUANTITY_POWER_FACTOR,
    QUANTITY_ON_TIME,
    QUANTITY_OPERATING_TIME,
    QUANTITY_DURATION,
    QUANTITY_DATE_TIME,
    QUANTITY_COUNTER,
    QUANTITY_CONCENTRATION,
    QUANTITY_RADIO_LEVEL,
    QUANTITY_BATTERY,
    QUANTITY_STATUS,     /* flags, error codes, digital inputs */
    QUANTITY_IDENTIFIER, /* numbers of devices, versions, owners */
    QUANTITY_MONEY,
    QUANTITY_OTHER,
    QUANTITY_RAW, /* manufacturer data, kept as sent */
    QUANTITIES
};

/* "energy", "flow-temperature", …; never NULL. */
const char *quantity_name(enum quantity q);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err quantity_parse(const char *name, enum quantity *out);

/* A unit as sent, its dimension's base unit and the exact factor to it. */
struct unit {
    const char *name;      /* "kWh", "m3/h", "°C" */
    const char *base;      /* "Wh", "m3/h", "°C": what values are stored in */
    struct decimal factor; /* value in base = value * factor; not usable when !exact */
    bool exact;            /* false: kept in the unit as sent, base equals name */
};

/* Finds a unit by its spelling (also "m³", "Cel", "degC"); NULL for one we do not know. J is kept
 * as J, Wh as Wh. */
const struct unit *unit_find(const char *name);
/* Enumerates the table: NULL past the end. */
const struct unit *unit_at(unsigned i);

#endif
