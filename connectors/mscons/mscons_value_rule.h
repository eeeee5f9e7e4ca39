/* What the AHB asks of one value (SG10), depending on use case, document, place and register.
 * Shared by the writer, which refuses, and the checker, which reports. */
#ifndef EMT_CONNECTORS_MSCONS_VALUE_RULE_H
#define EMT_CONNECTORS_MSCONS_VALUE_RULE_H

#include "base/clock.h"
#include "model/obis.h"
#include "mscons/mscons_rules.h"

#include <stdbool.h>
#include <stddef.h>

struct mscons_value_place {
    const struct mscons_use_case *rules;
    const char *bgm;  /* DE1001 */
    size_t place_len; /* characters of the LOC; 0 for none */
    bool config;      /* behind a configuration id */
    struct obis obis;
};

/* Which times stand behind a value. */
enum mscons_time_shape { SHAPE_INTERVAL, SHAPE_READING, SHAPE_MONTH, SHAPE_INSTANT, SHAPE_NONE };

/* State number or calorific value of gas (condition 11). */
bool mscons_is_state_or_calorific(struct obis o);
/* Decimals that the use case allows for this register (conditions 906, 907, 925, 937). */
unsigned mscons_decimals_allowed(const struct mscons_value_place *p);
/* Correction energies, redispatch, temperature and some gas qualities (condition 910). */
bool mscons_negative_allowed(const struct mscons_value_place *p);
bool mscons_qualifier_allowed(const struct mscons_value_place *p, const char *qualifier);
/* instant: the value has no interval, which decides for type-2 values only. */
enum mscons_time_shape mscons_time_shape(const struct mscons_value_place *p, bool instant);
/* Whether the times of this shape begin a day: UB1, UB2, UB3. Correction energy and 13009 at a MeLo
 * lie between readings of any time. */
bool mscons_needs_day_line(const struct mscons_value_place *p, enum mscons_time_shape shape);
/* Whether t is that line; gas_sender decides where the use case is for both sectors. */
bool mscons_on_day_line(const struct mscons_use_case *rules, bool gas_sender, emt_time t);
/* STS+10 stands twice: Z36 or Z38, and Z37 or Z39; where it need not it must not. */
bool mscons_needs_basis(const struct mscons_value_place *p);
/* Correction energy between two readings: 13019 at a MeLo or behind a configuration id. */
bool mscons_is_correction(const struct mscons_use_case *rules, size_t place_len, bool config);
/* Whether the values say how they came about (STS of category Z..): what was moved before a supply
 * began does not (13009 with BGM Z27, condition 152). */
bool mscons_has_status(const struct mscons_value_place *p);

#endif
