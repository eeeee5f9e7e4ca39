#include "mbus_obis.h"

#include <string.h>

#define F_CURRENT 255
#define F_MOST 254
#define E_MOST 63 /* rates of electricity meters */

struct row {
    enum quantity quantity;
    const char *qualifier;
    enum reading_function function;
    uint8_t c, d;
};

#define ROW(quantity, qualifier, c, d)                                                             \
    {                                                                                              \
        QUANTITY_##quantity, qualifier, READING_INSTANT, c, d                                      \
    }
#define ROW_MAX(quantity, qualifier, c, d)                                                         \
    {                                                                                              \
        QUANTITY_##quantity, qualifier, READING_MAXIMUM, c, d                                      \
    }

/* Rows of a table are in the order of enum quantity: find_row() searches by it.
 *
 * C: 1 active import, 2 export, 3/4 reactive, 9/10 apparent, +20 per phase; D: 7 now, 8 counted, 6
 * maximum. */
static const struct row electricity[] = {
    ROW(ENERGY, "", 1, 8),
    ROW(ENERGY, "import", 1, 8),
    ROW(ENERGY, "export", 2, 8),
    ROW(ENERGY, "net", 16, 8),
    ROW(ENERGY, "phase-l1", 21, 8),
    ROW(ENERGY, "phase-l2", 41, 8),
    ROW(ENERGY, "phase-l3", 61, 8),
    ROW(ENERGY, "import+phase-l1", 21, 8),
    ROW(ENERGY, "import+phase-l2", 41, 8),
    ROW(ENERGY, "import+phase-l3", 61, 8),
    ROW(ENERGY, "export+phase-l1", 22, 8),
    ROW(ENERGY, "export+phase-l2", 42, 8),
    ROW(ENERGY, "export+phase-l3", 62, 8),
    ROW(REACTIVE_ENERGY, "", 3, 8),
    ROW(REACTIVE_ENERGY, "import", 3, 8),
    ROW(REACTIVE_ENERGY, "export", 4, 8),
    ROW(REACTIVE_ENERGY, "quadrant-1", 5, 8),
    ROW(REACTIVE_ENERGY, "quadrant-2", 6, 8),
    ROW(REACTIVE_ENERGY, "quadrant-3", 7, 8),
    ROW(REACTIVE_ENERGY, "quadrant-4", 8, 8),
    ROW(APPARENT_ENERGY, "", 9, 8),
    ROW(APPARENT_ENERGY, "import", 9, 8),
    ROW(APPARENT_ENERGY, "export", 10, 8),
    ROW(POWER, "", 1, 7),
    ROW(POWER, "import", 1, 7),
    ROW(POWER, "export", 2, 7),
    ROW(POWER, "net", 16, 7),
    ROW(POWER, "phase-l1", 21, 7),
    ROW(POWER, "phase-l2", 41, 7),
    ROW(POWER, "phase-l3", 61, 7),
    ROW(POWER, "import+phase-l1", 21, 7),
    ROW(POWER, "import+phase-l2", 41, 7),
    ROW(POWER, "import+phase-l3", 61, 7),
    ROW(POWER, "export+phase-l1", 22, 7),
    ROW(POWER, "export+phase-l2", 42, 7),
    ROW(POWER, "export+phase-l3", 62, 7),
    ROW_MAX(POWER, "", 1, 6),
    ROW_MAX(POWER, "import", 1, 6),
    ROW_MAX(POWER, "export", 2, 6),
    ROW(REACTIVE_POWER, "", 3, 7),
    ROW(REACTIVE_POWER, "import", 3, 7),
    ROW(REACTIVE_POWER, "export", 4, 7),
    ROW(APPARENT_POWER, "", 9, 7),
    ROW(APPARENT_POWER, "import", 9, 7),
    ROW(APPARENT_POWER, "export", 10, 7),
    ROW(VOLTAGE, "", 12, 7),
    ROW(VOLTAGE, "phase-l1", 32, 7),
    ROW(VOLTAGE, "phase-l2", 52, 7),
    ROW(VOLTAGE, "phase-l3", 72, 7),
    ROW(CURRENT, "", 11, 7),
    ROW(CURRENT, "phase-l1", 31, 7),
    ROW(CURRENT, "phase-l2", 51, 7),
    ROW(CURRENT, "phase-l3", 71, 7),
    ROW(CURRENT, "neutral", 91, 7),
    ROW(FREQUENCY, "", 14, 7),
};

/* Heat and cooling (A = 6, 5). */
static const struct row thermal[] = {
    ROW(ENERGY, "", 1, 0),
    ROW(VOLUME, "", 2, 0),
    ROW(MASS, "", 3, 0),
    ROW(POWER, "", 8, 0),
    ROW(VOLUME_FLOW, "", 9, 0),
    ROW(FLOW_TEMPERATURE, "", 10, 0),
    ROW(RETURN_TEMPERATURE, "", 11, 0),
    ROW(TEMPERATURE_DIFFERENCE, "", 12, 0),
};

/* Cold and warm water (A = 8, 9). */
static const struct row water[] = {
    ROW(VOLUME, "", 1, 0),
    ROW(VOLUME_FLOW, "", 2, 0),
};

static const struct row gas[] = {
    ROW(VOLUME, "", 3, 0),
    ROW(VOLUME, "uncorrected", 3, 0),
    ROW(VOLUME, "base-conditions", 3, 2),
};

static const struct row hca[] = {
    ROW(HCA, "", 1, 0),
};

struct medium {
    uint8_t type;
    uint8_t a;
    const struct row *rows;
    unsigned n;
};

#define ROWS(table) table, sizeof table / sizeof table[0]

static const struct medium media[] = {
    { 0x02, 1, ROWS(electricity) }, { 0x03, 7, ROWS(gas) },
    { 0x04, 6, ROWS(thermal) }, /* heat, outlet */
    { 0x0c, 6, ROWS(thermal) }, /* heat, inlet */
    { 0x0d, 6, ROWS(thermal) }, /* heat and cooling: the heat registers */
    { 0x0a, 5, ROWS(thermal) }, /* cooling, outlet */
    { 0x0b, 5, ROWS(thermal) }, /* cooling, inlet */
    { 0x06, 9, ROWS(water) },   /* warm water */
    { 0x15, 9, ROWS(water) },   /* hot water */
    { 0x07, 8, ROWS(water) },   /* water */
    { 0x16, 8, ROWS(water) },   /* cold water */
    { 0x08, 4, ROWS(hca) },
};

static const struct medium *find_medium(uint8_t type)
{
    for (size_t i = 0; i < sizeof media / sizeof media[0]; i++)
        if (media[i].type == type)
            return &media[i];
    return NULL;
}

static const struct row *find_row(const struct medium *m, const struct reading *r)
{
    unsigned low = 0, high = m->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (m->rows[middle].quantity < r->quantity)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < m->n && m->rows[low].quantity == r->quantity; low++)
        if (m->rows[low].function == r->function &&
            strcmp(m->rows[low].qualifier, r->qualifier) == 0)
            return &m->rows[low];
    return NULL;
}

struct obis mbus_obis_of(uint8_t type, const struct reading *r)
{
    const struct obis none = { 0 };
    const struct medium *m;
    const struct row *row;

    if (r->kind != READING_NUMBER || r->subunit != 0 || r->storage > F_MOST)
        return none;
    m = find_medium(type);
    /* Only electricity has rates in E for sure: a heat meter's tariff 1 is often another channel
     * (cooling, pulse input). */
    if (!m || r->tariff > (m->rows == electricity ? E_MOST : 0))
        return none;
    row = find_row(m, r);
    if (!row)
        return none;
    return (struct obis){ m->a,
                          0,
                          row->c,
                          row->d,
                          (uint8_t)r->tariff,
                          (uint8_t)(r->storage == 0 ? F_CURRENT : r->storage) };
}
