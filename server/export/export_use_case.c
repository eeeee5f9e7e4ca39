#include "export_use_case.h"

#include "export/mscons_export.h"
#include "store/export_store.h"

#include <stddef.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define MELO LOCATION_BIT(LOCATION_MELO)
#define MALO (LOCATION_BIT(LOCATION_MALO) | LOCATION_BIT(LOCATION_TRANCHE))
#define NELO LOCATION_BIT(LOCATION_NELO)
#define QUARTER (15 * EMT_MINUTE)

/* Places as LOC+172 of the use case takes them (AHB 3.2). */
/* clang-format off */
static const struct export_use_case use_cases[] = {
    { 13002, EXPORT_READING, MELO,               MELO, true,  true,  false, EMT_HOUR },
    { 13007, EXPORT_PROFILE, MELO | MALO,        0,    true,  false, false, EMT_HOUR },
    { 13008, EXPORT_PROFILE, MELO | MALO,        0,    true,  false, false, EMT_HOUR },
    { 13009, EXPORT_ENERGY,  MELO | MALO,        0,    true,  true,  false, EMT_HOUR },
    { 13016, EXPORT_ENERGY,  MALO,               MALO, false, true,  true,  QUARTER },
    { 13017, EXPORT_READING, MELO,               MELO, false, true,  false, QUARTER },
    { 13018, EXPORT_PROFILE, MELO | NELO,        MELO | NELO, false, false, false, QUARTER },
    { 13019, EXPORT_ENERGY,  MELO | MALO,        MALO, false, true,  false, QUARTER },
    { 13025, EXPORT_PROFILE, MALO,               MALO, false, false, false, QUARTER },
    { 13027, EXPORT_ORDERED, MELO | MALO | NELO, 0,    false, false, false, QUARTER },
};
/* clang-format on */

const struct export_use_case *export_use_case(unsigned pid)
{
    for (size_t i = 0; i < sizeof use_cases / sizeof use_cases[0]; i++) {
        if (use_cases[i].pid == pid)
            return &use_cases[i];
    }
    return NULL;
}

const unsigned *mscons_export_pids(void)
{
    static const unsigned pids[] = { 13002, 13006, 13007, 13008, 13009, 13016,
                                     13017, 13018, 13019, 13025, 13027, 0 };

    return pids;
}

/* Registers that count: active and reactive energy in all quadrants, gas volumes and energies (code
 * list 2.5c: 7-b:99.21 to 99.36 and 99.61 to 99.66 are volumes and energies of an hour). */
static bool is_counter(struct obis o)
{
    if (o.a == 1)
        return o.c >= 1 && o.c <= 8;
    return o.c == 3 || o.c == 6 || o.c == 13 || o.c == 16 || o.c == 33 ||
           (o.c == 99 && ((o.d >= 21 && o.d <= 36) || (o.d >= 61 && o.d <= 66)));
}

/* Group E of gas qualities: 16 mean of an hour, 20 of a day, 22 of a month. */
static enum export_source quality_source(const struct export_use_case *u, struct obis o)
{
    if (u->shape != EXPORT_PROFILE)
        return SOURCE_DAY;
    return o.c != 99 && (o.e == 20 || o.e == 22) ? SOURCE_DAY : SOURCE_HOURS;
}

static enum export_source ordered_source(struct obis o)
{
    if (!is_counter(o))
        return SOURCE_INSTANT;
    if (o.d == 29)
        return SOURCE_COUNTER;
    return o.d == 8 ? SOURCE_SHOWN : SOURCE_INSTANT;
}

enum export_source export_source_of(const struct export_use_case *u, struct obis obis)
{
    if (u->shape == EXPORT_ORDERED)
        return ordered_source(obis);
    if (!is_counter(obis))
        return quality_source(u, obis);
    if (u->shape == EXPORT_READING)
        return SOURCE_SHOWN;
    return u->months && obis.d == 6 ? SOURCE_MAXIMUM : SOURCE_COUNTER;
}

static bool is(const char *unit, const char *a, const char *b)
{
    return strcmp(unit, a) == 0 || strcmp(unit, b) == 0;
}

const char *export_unit_wanted(const struct export_use_case *u, struct obis obis, const char *unit,
                               bool *fits)
{
    *fits = true;
    if (!is_counter(obis) || export_source_of(u, obis) == SOURCE_INSTANT)
        return NULL;
    if (u->shape == EXPORT_READING && obis.d == 6) {
        *fits = is(unit, "W", "var");
        return "W or var";
    }
    if (!u->gas) {
        *fits = is(unit, "Wh", "varh");
        return "Wh or varh";
    }
    if (obis.c == 33 || (obis.c == 99 && obis.d >= 33 && obis.d <= 36 && obis.e == 17)) {
        *fits = is(unit, "Wh", "Wh");
        return "Wh";
    }
    *fits = is(unit, "m3", "Wh");
    return "m3 or Wh";
}

int export_unit_exponent(const char *unit)
{
    static const char *const kilo[] = { "Wh", "varh", "VAh", "W", "var", "VA" };

    for (size_t i = 0; i < sizeof kilo / sizeof kilo[0]; i++) {
        if (strcmp(unit, kilo[i]) == 0)
            return -3;
    }
    return 0;
}
