/* What an OBIS code measures: quantity, direction, phase, tariff, processing, historic value.
 *
 * IEC 62056-6-1 (electricity, abstract), EN 13757-1 (heat cost allocators, cooling, heat, gas,
 * water): A = 0, 1, 4, 5, 6, 7, 8, 9. Used by SML, IEC 62056-21 and DLMS alike. */
#ifndef EMT_PARSERS_OBIS_MEANING_H
#define EMT_PARSERS_OBIS_MEANING_H

#include "model/obis.h"
#include "model/quantity.h"
#include "model/reading.h"

#include <stdbool.h>
#include <stdint.h>

struct obis_meaning {
    enum quantity quantity; /* QUANTITY_OTHER: a code that we do not know */
    enum reading_function function;
    /* Direction, phase, processing, joined by '+' in this order: "import", "export+phase-l2",
     * "import+mean"; "" for none. */
    char qualifier[READING_QUALIFIER_MAX];
    uint32_t tariff;  /* E, where E is a tariff */
    uint64_t storage; /* F, where F is a billing period; 0 for the current value (F = 255) */
};

void obis_meaning_of(struct obis o, struct obis_meaning *out);

/* The quantity that a unit stands for: "kWh" is QUANTITY_ENERGY; QUANTITY_NONE where it says
 * nothing (no unit, "%", a spelling that unit_find() does not know). */
enum quantity obis_unit_quantity(const char *unit);

/* Sets obis, unit (static text or NULL), quantity, function, qualifier, tariff and storage of a
 * reading. Where code and unit contradict each other the unit is believed; false then. */
bool obis_meaning_apply(struct obis o, const char *unit, struct reading *r);

/* The spelling of a unit code (IEC 62056-6-2, table of enumerated units); NULL: none (255), or a
 * code without name. The text is static and spelled as unit_find() does where that knows it. */
const char *obis_unit_of_code(uint8_t code);

#endif
