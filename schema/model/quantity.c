#include "model/quantity.h"

#include <stddef.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const names[QUANTITIES] = {
    [QUANTITY_NONE] = "none",
    [QUANTITY_ENERGY] = "energy",
    [QUANTITY_REACTIVE_ENERGY] = "reactive-energy",
    [QUANTITY_APPARENT_ENERGY] = "apparent-energy",
    [QUANTITY_VOLUME] = "volume",
    [QUANTITY_MASS] = "mass",
    [QUANTITY_POWER] = "power",
    [QUANTITY_REACTIVE_POWER] = "reactive-power",
    [QUANTITY_APPARENT_POWER] = "apparent-power",
    [QUANTITY_VOLUME_FLOW] = "volume-flow",
    [QUANTITY_MASS_FLOW] = "mass-flow",
    [QUANTITY_TEMPERATURE] = "temperature",
    [QUANTITY_FLOW_TEMPERATURE] = "flow-temperature",
    [QUANTITY_RETURN_TEMPERATURE] = "return-temperature",
    [QUANTITY_TEMPERATURE_DIFFERENCE] = "temperature-difference",
    [QUANTITY_EXTERNAL_TEMPERATURE] = "external-temperature",
    [QUANTITY_PRESSURE] = "pressure",
    [QUANTITY_HUMIDITY] = "humidity",
    [QUANTITY_HCA] = "hca",
    [QUANTITY_VOLTAGE] = "voltage",
    [QUANTITY_CURRENT] = "current",
    [QUANTITY_FREQUENCY] = "frequency",
    [QUANTITY_PHASE_ANGLE] = "phase-angle",
    [QUANTITY_POWER_FACTOR] = "power-factor",
    [QUANTITY_ON_TIME] = "on-time",
    [QUANTITY_OPERATING_TIME] = "operating-time",
    [QUANTITY_DURATION] = "duration",
    [QUANTITY_DATE_TIME] = "date-time",
    [QUANTITY_COUNTER] = "counter",
    [QUANTITY_CONCENTRATION] = "concentration",
    [QUANTITY_RADIO_LEVEL] = "radio-level",
    [QUANTITY_BATTERY] = "battery",
    [QUANTITY_STATUS] = "status",
    [QUANTITY_IDENTIFIER] = "identifier",
    [QUANTITY_MONEY] = "money",
    [QUANTITY_OTHER] = "other",
    [QUANTITY_RAW] = "raw",
};

const char *quantity_name(enum quantity q)
{
    return (unsigned)q < QUANTITIES ? names[q] : "unknown";
}

enum emt_err quantity_parse(const char *name, enum quantity *out)
{
    for (unsigned i = 0; i < QUANTITIES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum quantity)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

#define DEGREE "\xc2\xb0"
#define EXACT(name, base, mantissa, exponent)                                                      \
    {                                                                                              \
        name, base, { mantissa, exponent }, true                                                   \
    }
/* Kept as sent: no finite decimal factor leads to another unit of its dimension, or zero lies
 * elsewhere. */
#define ASIS(name)                                                                                 \
    {                                                                                              \
        name, name, { 1, 0 }, false                                                                \
    }

/* The base unit of each dimension stands first in its group. Wh and J are dimensions of their own:
 * 1 J is no finite decimal number of Wh. */
static const struct unit units[] = {
    EXACT("Wh", "Wh", 1, 0),
    EXACT("kWh", "Wh", 1, 3),
    EXACT("MWh", "Wh", 1, 6),
    EXACT("GWh", "Wh", 1, 9),
    EXACT("J", "J", 1, 0),
    EXACT("kJ", "J", 1, 3),
    EXACT("MJ", "J", 1, 6),
    EXACT("GJ", "J", 1, 9),
    EXACT("varh", "varh", 1, 0),
    EXACT("kvarh", "varh", 1, 3),
    EXACT("Mvarh", "varh", 1, 6),
    EXACT("VAh", "VAh", 1, 0),
    EXACT("kVAh", "VAh", 1, 3),
    EXACT("MVAh", "VAh", 1, 6),
    /* Several calories are in use (4.1868 J, 4.184 J, …) and meters do not say which one they mean.
     */
    ASIS("cal"),
    ASIS("kcal"),
    ASIS("Mcal"),
    ASIS("Gcal"),
    EXACT("W", "W", 1, 0),
    EXACT("mW", "W", 1, -3),
    EXACT("kW", "W", 1, 3),
    EXACT("MW", "W", 1, 6),
    EXACT("J/h", "J/h", 1, 0),
    EXACT("kJ/h", "J/h", 1, 3),
    EXACT("MJ/h", "J/h", 1, 6),
    EXACT("GJ/h", "J/h", 1, 9),
    EXACT("var", "var", 1, 0),
    EXACT("kvar", "var", 1, 3),
    EXACT("Mvar", "var", 1, 6),
    EXACT("VA", "VA", 1, 0),
    EXACT("kVA", "VA", 1, 3),
    EXACT("MVA", "VA", 1, 6),
    EXACT("m3", "m3", 1, 0),
    EXACT("l", "m3", 1, -3),
    EXACT("dm3", "m3", 1, -3),
    EXACT("ml", "m3", 1, -6),
    /* Exact by definition: 1 ft = 0.3048 m, 1 US gallon = 231 in3 with 1 in = 0.0254 m. */
    EXACT("ft3", "m3", 28316846592, -12),
    EXACT("gal", "m3", 3785411784, -12),
    EXACT("m3/h", "m3/h", 1, 0),
    EXACT("l/h", "m3/h", 1, -3),
    EXACT("dm3/h", "m3/h", 1, -3),
    EXACT("m3/min", "m3/h", 60, 0),
    EXACT("l/min", "m3/h", 60, -3),
    EXACT("m3/s", "m3/h", 3600, 0),
    EXACT("l/s", "m3/h", 3600, -3),
    EXACT("gal/h", "m3/h", 3785411784, -12),
    EXACT("gal/min", "m3/h", 22712470704, -11),
    EXACT("kg", "kg", 1, 0),
    EXACT("g", "kg", 1, -3),
    EXACT("t", "kg", 1, 3),
    EXACT("kg/h", "kg/h", 1, 0),
    EXACT("t/h", "kg/h", 1, 3),
    EXACT(DEGREE "C", DEGREE "C", 1, 0),
    ASIS(DEGREE "F"),
    EXACT("K", "K", 1, 0),
    EXACT("bar", "bar", 1, 0),
    EXACT("mbar", "bar", 1, -3),
    EXACT("Pa", "bar", 1, -5),
    EXACT("hPa", "bar", 1, -3),
    EXACT("kPa", "bar", 1, -2),
    EXACT("MPa", "bar", 1, 1),
    EXACT("V", "V", 1, 0),
    EXACT("mV", "V", 1, -3),
    EXACT("kV", "V", 1, 3),
    EXACT("A", "A", 1, 0),
    EXACT("mA", "A", 1, -3),
    EXACT("kA", "A", 1, 3),
    EXACT("Hz", "Hz", 1, 0),
    EXACT(DEGREE, DEGREE, 1, 0),
    EXACT("%", "%", 1, 0),
    EXACT("ppm", "ppm", 1, 0),
    EXACT("HCA", "HCA", 1, 0),
    EXACT("s", "s", 1, 0),
    EXACT("ms", "s", 1, -3),
    EXACT("min", "s", 60, 0),
    EXACT("h", "s", 3600, 0),
    EXACT("d", "s", 86400, 0),
    EXACT("week", "s", 604800, 0),
    EXACT("month", "month", 1, 0),
    EXACT("year", "month", 12, 0),
    EXACT("dBm", "dBm", 1, 0),
    EXACT("1", "1", 1, 0),
};

/* Other spellings seen in telegrams, files and data sheets. */
static const struct {
    const char *alias;
    const char *name;
} aliases[] = {
    { "m\xc2\xb3", "m3" },
    { "m^3", "m3" },
    { "m\xc2\xb3/h", "m3/h" },
    { "m^3/h", "m3/h" },
    { "m\xc2\xb3/min", "m3/min" },
    { "m^3/min", "m3/min" },
    { "m\xc2\xb3/s", "m3/s" },
    { "m^3/s", "m3/s" },
    { "dm\xc2\xb3", "dm3" },
    { "L", "l" },
    { "L/h", "l/h" },
    { "Cel", DEGREE "C" },
    { "degC", DEGREE "C" },
    { "degF", DEGREE "F" },
    { "deg", DEGREE },
    { "VAr", "var" },
    { "kVAr", "kvar" },
    { "MVAr", "Mvar" },
    { "VArh", "varh" },
    { "kVArh", "kvarh" },
    { "MVArh", "Mvarh" },
    { "%RH", "%" },
    { "sec", "s" },
    { "day", "d" },
    { "wk", "week" },
    { "mo", "month" },
    { "a", "year" },
};

static const struct unit *find_exactly(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].name[0] == name[0] && strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

const struct unit *unit_find(const char *name)
{
    const struct unit *u = find_exactly(name);

    for (size_t i = 0; !u && i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].alias, name) == 0)
            u = find_exactly(aliases[i].name);
    return u;
}

const struct unit *unit_at(unsigned i)
{
    return i < sizeof units / sizeof units[0] ? &units[i] : NULL;
}
