/* Value group C names the quantity and D how it was processed. Electricity repeats the first twenty
 * values of C for each phase: 21..40 L1, 41..60 L2, 61..80 L3 (IEC 62056-6-1, value group C). */
#include "common/obis_meaning.h"

#include <stddef.h>
#include <string.h>

#define A_ABSTRACT 0
#define A_ELECTRICITY 1
#define A_HCA 4
#define A_COOLING 5
#define A_HEAT 6
#define A_GAS 7
#define A_COLD_WATER 8
#define A_HOT_WATER 9
#define F_CURRENT 255
#define TARIFF_MOST 63 /* E of tariff rates, IEC 62056-6-1 */
#define PHASE_STEP 20
#define PHASE_LAST 80
#define DEGREE "\xc2\xb0"
#define DEGREE_C "\xc2\xb0\x43"

/* How D processes what C names. */
enum processing {
    PROCESS_OTHER = 0,
    PROCESS_INSTANT,
    PROCESS_INTEGRAL, /* power over time: energy */
    PROCESS_INTERVAL, /* energy of one registration period */
    PROCESS_MEAN_RUNNING,
    PROCESS_MEAN,
    PROCESS_MAXIMUM,
    PROCESS_MINIMUM,
    PROCESS_CUMULATED_MAXIMUM,
    PROCESS_CUMULATED_MINIMUM,
    PROCESS_LIMIT,
    PROCESS_COUNT,
    PROCESS_DURATION,
    PROCESSES
};

/* IEC 62056-6-1, value group D of electricity. */
static const uint8_t electricity_processing[] = {
    [0] = PROCESS_MEAN,
    [1] = PROCESS_CUMULATED_MINIMUM,
    [2] = PROCESS_CUMULATED_MAXIMUM,
    [3] = PROCESS_MINIMUM,
    [4] = PROCESS_MEAN_RUNNING,
    [5] = PROCESS_MEAN,
    [6] = PROCESS_MAXIMUM,
    [7] = PROCESS_INSTANT,
    [8] = PROCESS_INTEGRAL,
    [9] = PROCESS_INTEGRAL,
    [10] = PROCESS_INTEGRAL,
    [11] = PROCESS_CUMULATED_MINIMUM,
    [12] = PROCESS_CUMULATED_MAXIMUM,
    [13] = PROCESS_MINIMUM,
    [14] = PROCESS_MEAN_RUNNING,
    [15] = PROCESS_MEAN,
    [16] = PROCESS_MAXIMUM,
    [17] = PROCESS_INTEGRAL,
    [18] = PROCESS_INTEGRAL,
    [19] = PROCESS_INTEGRAL,
    [20] = PROCESS_INTEGRAL,
    [21] = PROCESS_CUMULATED_MINIMUM,
    [22] = PROCESS_CUMULATED_MAXIMUM,
    [23] = PROCESS_MINIMUM,
    [24] = PROCESS_MEAN_RUNNING,
    [25] = PROCESS_MEAN,
    [26] = PROCESS_MAXIMUM,
    [27] = PROCESS_MEAN_RUNNING,
    [28] = PROCESS_MEAN_RUNNING,
    [29] = PROCESS_INTERVAL,
    [30] = PROCESS_INTEGRAL,
    [31] = PROCESS_LIMIT,
    [32] = PROCESS_COUNT,
    [33] = PROCESS_DURATION,
    [34] = PROCESS_INSTANT,
    [35] = PROCESS_LIMIT,
    [36] = PROCESS_COUNT,
    [37] = PROCESS_DURATION,
    [38] = PROCESS_INSTANT,
    [39] = PROCESS_LIMIT,
    [40] = PROCESS_COUNT,
    [41] = PROCESS_DURATION,
    [42] = PROCESS_INSTANT,
    [55] = PROCESS_MEAN,
    [58] = PROCESS_INTEGRAL,
};

static const char *const processing_names[PROCESSES] = {
    [PROCESS_INTERVAL] = "interval",
    [PROCESS_MEAN_RUNNING] = "running-mean",
    [PROCESS_MEAN] = "mean",
    [PROCESS_CUMULATED_MAXIMUM] = "cumulated",
    [PROCESS_CUMULATED_MINIMUM] = "cumulated",
    [PROCESS_LIMIT] = "limit",
};

/* One value of C: the quantity now, the quantity integrated over time, the direction. */
struct measurand {
    uint8_t quantity;
    uint8_t integral;
    const char *direction;
};

#define POWER(direction)                                                                           \
    {                                                                                              \
        QUANTITY_POWER, QUANTITY_ENERGY, direction                                                 \
    }
#define REACTIVE(direction)                                                                        \
    {                                                                                              \
        QUANTITY_REACTIVE_POWER, QUANTITY_REACTIVE_ENERGY, direction                               \
    }
#define APPARENT(direction)                                                                        \
    {                                                                                              \
        QUANTITY_APPARENT_POWER, QUANTITY_APPARENT_ENERGY, direction                               \
    }
#define PLAIN(quantity)                                                                            \
    {                                                                                              \
        quantity, QUANTITY_OTHER, NULL                                                             \
    }

/* C = 1..20; the three phases repeat it. */
static const struct measurand electricity[PHASE_STEP + 1] = {
    [1] = POWER("import"),
    [2] = POWER("export"),
    [3] = REACTIVE("import"),
    [4] = REACTIVE("export"),
    [5] = REACTIVE("quadrant-1"),
    [6] = REACTIVE("quadrant-2"),
    [7] = REACTIVE("quadrant-3"),
    [8] = REACTIVE("quadrant-4"),
    [9] = APPARENT("import"),
    [10] = APPARENT("export"),
    [11] = PLAIN(QUANTITY_CURRENT),
    [12] = PLAIN(QUANTITY_VOLTAGE),
    [13] = PLAIN(QUANTITY_POWER_FACTOR),
    [14] = PLAIN(QUANTITY_FREQUENCY),
    [15] = POWER("absolute"),
    [16] = POWER("net"),
    [17] = POWER("quadrant-1"),
    [18] = POWER("quadrant-2"),
    [19] = POWER("quadrant-3"),
    [20] = POWER("quadrant-4"),
};

/* EN 13757-1, value group C of heat and cooling. */
static const uint8_t thermal[] = {
    [1] = QUANTITY_ENERGY,
    [2] = QUANTITY_VOLUME,
    [3] = QUANTITY_MASS,
    [4] = QUANTITY_VOLUME,
    [5] = QUANTITY_MASS,
    [6] = QUANTITY_VOLUME,
    [7] = QUANTITY_MASS,
    [8] = QUANTITY_POWER,
    [9] = QUANTITY_VOLUME_FLOW,
    [10] = QUANTITY_FLOW_TEMPERATURE,
    [11] = QUANTITY_RETURN_TEMPERATURE,
    [12] = QUANTITY_TEMPERATURE_DIFFERENCE,
    [13] = QUANTITY_PRESSURE,
};

static const uint8_t water[] = {
    [1] = QUANTITY_VOLUME,
    [2] = QUANTITY_VOLUME_FLOW,
    [3] = QUANTITY_FLOW_TEMPERATURE,
};

static const uint8_t hca[] = { [1] = QUANTITY_HCA, [2] = QUANTITY_HCA };

/* EN 13757-1, gas: 1..3 forward, 4..6 reverse, 11..13 and 21..23 the same behind the meter. */
static const struct {
    uint8_t first, last;
    uint8_t quantity;
} gas[] = {
    { 1, 6, QUANTITY_VOLUME },        { 7, 10, QUANTITY_VOLUME },
    { 11, 26, QUANTITY_VOLUME },      { 31, 36, QUANTITY_ENERGY },
    { 41, 41, QUANTITY_TEMPERATURE }, { 42, 42, QUANTITY_PRESSURE },
    { 43, 43, QUANTITY_VOLUME_FLOW },
};

/* Codes that mean the same in every medium: general service entries (C = 96), errors, clock,
 * identification. d, e: ranges. */
struct service {
    uint8_t c;
    uint8_t d_first, d_last;
    uint8_t quantity;
};

static const struct service services[] = {
    { 96, 1, 1, QUANTITY_IDENTIFIER },    { 96, 2, 2, QUANTITY_COUNTER },
    { 96, 3, 5, QUANTITY_STATUS },        { 96, 6, 6, QUANTITY_BATTERY },
    { 96, 7, 7, QUANTITY_COUNTER },       { 96, 8, 8, QUANTITY_OPERATING_TIME },
    { 96, 9, 9, QUANTITY_TEMPERATURE },   { 96, 10, 11, QUANTITY_STATUS },
    { 96, 12, 12, QUANTITY_RADIO_LEVEL }, { 96, 14, 14, QUANTITY_STATUS },
    { 96, 15, 15, QUANTITY_COUNTER },     { 96, 50, 50, QUANTITY_IDENTIFIER },
    { 96, 90, 90, QUANTITY_IDENTIFIER },  { 97, 97, 97, QUANTITY_STATUS },
};

static bool has_medium(uint8_t a)
{
    return a == A_ABSTRACT || a == A_ELECTRICITY || (a >= A_HCA && a <= A_HOT_WATER);
}

static void add_part(struct obis_meaning *m, const char *part)
{
    size_t len = strlen(m->qualifier), n = strlen(part);

    if (len + n + 2 > sizeof m->qualifier)
        return;
    if (len)
        m->qualifier[len++] = '+';
    memcpy(m->qualifier + len, part, n + 1);
}

/* Identification and clock in C = 0; true when the code is one of them. */
static bool find_general(struct obis o, struct obis_meaning *m)
{
    if (o.c != 0)
        return false;
    if (o.d == 0 || o.d == 2)
        m->quantity = QUANTITY_IDENTIFIER; /* numbers of the device, firmware */
    else if (o.d == 1)
        m->quantity = o.e == 2 ? QUANTITY_DATE_TIME : QUANTITY_COUNTER; /* billing periods */
    else if (o.d == 9 && (o.e == 1 || o.e == 2 || o.e == 6))
        m->quantity = QUANTITY_DATE_TIME;
    return true;
}

static bool find_service(struct obis o, struct obis_meaning *m)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if (services[i].c == o.c && o.d >= services[i].d_first && o.d <= services[i].d_last) {
            m->quantity = (enum quantity)services[i].quantity;
            m->storage = 0; /* F counts entries, not billing periods */
            return true;
        }
    }
    return o.c >= 93 && o.c <= 99; /* general, profiles, consortia: no quantity of their own */
}

/* A = 0: clock and what hangs on an M-Bus channel (DSMR companion standard: 24.x). */
static void find_abstract(struct obis o, struct obis_meaning *m)
{
    if (o.c == 1 && o.d == 0)
        m->quantity = QUANTITY_DATE_TIME;
    else if (o.c == 24 && o.d == 1)
        m->quantity = QUANTITY_IDENTIFIER;
    else if (o.c == 24 && o.d == 4)
        m->quantity = QUANTITY_STATUS;
}

static enum processing processing_of(uint8_t d)
{
    return d < sizeof electricity_processing ? (enum processing)electricity_processing[d]
                                             : PROCESS_OTHER;
}

static void set_processing(struct obis_meaning *m, const struct measurand *what, enum processing p)
{
    m->quantity = (enum quantity)what->quantity;
    if (p == PROCESS_INTEGRAL || p == PROCESS_INTERVAL)
        m->quantity = (enum quantity)what->integral;
    else if (p == PROCESS_COUNT)
        m->quantity = QUANTITY_COUNTER;
    else if (p == PROCESS_DURATION)
        m->quantity = QUANTITY_DURATION;
    else if (p == PROCESS_OTHER)
        m->quantity = QUANTITY_OTHER;
    if (p == PROCESS_MAXIMUM || p == PROCESS_CUMULATED_MAXIMUM)
        m->function = READING_MAXIMUM;
    if (p == PROCESS_MINIMUM || p == PROCESS_CUMULATED_MINIMUM)
        m->function = READING_MINIMUM;
    if (processing_names[p])
        add_part(m, processing_names[p]);
}

static void find_electricity(struct obis o, struct obis_meaning *m)
{
    static const char *const phases[] = { NULL, "phase-l1", "phase-l2", "phase-l3" };
    static const struct measurand current = PLAIN(QUANTITY_CURRENT);
    static const struct measurand voltage = PLAIN(QUANTITY_VOLTAGE);
    static const struct measurand angle = PLAIN(QUANTITY_PHASE_ANGLE);
    const struct measurand *what = NULL;
    const char *place = NULL;

    if (o.c >= 1 && o.c <= PHASE_LAST) {
        what = &electricity[(o.c - 1) % PHASE_STEP + 1];
        place = phases[(o.c - 1) / PHASE_STEP];
    } else if (o.c == 81) {
        what = &angle; /* E: which of U1..U3, I1..I3 against which */
    } else if (o.c == 90 || o.c == 91) {
        what = &current;
        place = o.c == 90 ? "sum" : "neutral";
    } else if (o.c == 92) {
        what = &voltage;
        place = "neutral";
    }
    if (!what)
        return;
    if (what->direction)
        add_part(m, what->direction);
    if (place)
        add_part(m, place);
    set_processing(m, what, processing_of(o.d));
    if (o.c != 81 && o.e <= TARIFF_MOST && o.d != 7)
        m->tariff = o.e;
}

/* EN 13757-1, value group D of heat cost allocators, heat, cooling and water. */
static void set_billing(struct obis o, struct obis_meaning *m)
{
    if (o.d == 2)
        add_part(m, "due-date");
    else if (o.d == 3)
        add_part(m, "billing-date");
    else if (o.d == 4)
        m->function = READING_MINIMUM;
    else if (o.d == 5)
        m->function = READING_MAXIMUM;
    if (o.e <= TARIFF_MOST)
        m->tariff = o.e;
}

static void find_in(const uint8_t *table, size_t n, struct obis o, struct obis_meaning *m)
{
    if (o.c >= n || table[o.c] == QUANTITY_NONE)
        return;
    m->quantity = (enum quantity)table[o.c];
    set_billing(o, m);
}

static void find_gas(struct obis o, struct obis_meaning *m)
{
    for (size_t i = 0; i < sizeof gas / sizeof gas[0]; i++)
        if (o.c >= gas[i].first && o.c <= gas[i].last)
            m->quantity = (enum quantity)gas[i].quantity;
    if (m->quantity != QUANTITY_VOLUME)
        return;
    if (o.c >= 4 && o.c <= 6)
        add_part(m, "reverse");
    if (o.d == 1)
        add_part(m, "corrected");
    else if (o.d == 2)
        add_part(m, "base-conditions");
    if (o.e <= TARIFF_MOST)
        m->tariff = o.e;
}

/* Old household meters of the EDL generation: 129-129:199.130.3 the maker, .5 the public key. */
static void find_vendor(struct obis o, struct obis_meaning *m)
{
    if (o.a == 129 && o.b == 129 && o.c == 199)
        m->quantity = QUANTITY_IDENTIFIER;
}

void obis_meaning_of(struct obis o, struct obis_meaning *out)
{
    memset(out, 0, sizeof *out);
    out->quantity = QUANTITY_OTHER;
    out->storage = o.f == F_CURRENT ? 0 : o.f;
    if (!has_medium(o.a)) {
        find_vendor(o, out);
        return;
    }
    if (find_general(o, out) || find_service(o, out))
        return;
    switch (o.a) {
    case A_ABSTRACT:
        find_abstract(o, out);
        break;
    case A_ELECTRICITY:
        find_electricity(o, out);
        break;
    case A_HCA:
        find_in(hca, sizeof hca, o, out);
        break;
    case A_COOLING:
    case A_HEAT:
        find_in(thermal, sizeof thermal, o, out);
        break;
    case A_GAS:
        find_gas(o, out);
        break;
    default:
        find_in(water, sizeof water, o, out);
        break;
    }
}

static enum quantity quantity_of(const char *unit)
{
    static const struct {
        const char *base;
        enum quantity quantity;
    } table[] = {
        { "Wh", QUANTITY_ENERGY },
        { "W", QUANTITY_POWER },
        { "kWh", QUANTITY_ENERGY },
        { "kW", QUANTITY_POWER },
        { "V", QUANTITY_VOLTAGE },
        { "A", QUANTITY_CURRENT },
        { "J", QUANTITY_ENERGY },
        { "m3", QUANTITY_VOLUME },
        { "varh", QUANTITY_REACTIVE_ENERGY },
        { "VAh", QUANTITY_APPARENT_ENERGY },
        { "var", QUANTITY_REACTIVE_POWER },
        { "VA", QUANTITY_APPARENT_POWER },
        { "J/h", QUANTITY_POWER },
        { "m3/h", QUANTITY_VOLUME_FLOW },
        { "kg", QUANTITY_MASS },
        { "kg/h", QUANTITY_MASS_FLOW },
        { DEGREE_C, QUANTITY_TEMPERATURE },
        { DEGREE "F", QUANTITY_TEMPERATURE },
        { "K", QUANTITY_TEMPERATURE_DIFFERENCE },
        { "bar", QUANTITY_PRESSURE },
        { "Hz", QUANTITY_FREQUENCY },
        { DEGREE, QUANTITY_PHASE_ANGLE },
        { "HCA", QUANTITY_HCA },
        { "ppm", QUANTITY_CONCENTRATION },
        { "dBm", QUANTITY_RADIO_LEVEL },
        { "s", QUANTITY_DURATION },
        { "month", QUANTITY_DURATION },
        { "cal", QUANTITY_ENERGY },
        { "kcal", QUANTITY_ENERGY },
        { "Mcal", QUANTITY_ENERGY },
        { "Gcal", QUANTITY_ENERGY },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].base[0] == unit[0] && strcmp(table[i].base, unit) == 0)
            return table[i].quantity;
    return QUANTITY_NONE;
}

enum quantity obis_unit_quantity(const char *unit)
{
    enum quantity q = unit ? quantity_of(unit) : QUANTITY_NONE;
    const struct unit *u;

    if (!unit || q != QUANTITY_NONE)
        return q;
    u = unit_find(unit);
    return u ? quantity_of(u->base) : QUANTITY_NONE;
}

static bool is_temperature(enum quantity q)
{
    return q == QUANTITY_TEMPERATURE || q == QUANTITY_FLOW_TEMPERATURE ||
           q == QUANTITY_RETURN_TEMPERATURE || q == QUANTITY_TEMPERATURE_DIFFERENCE ||
           q == QUANTITY_EXTERNAL_TEMPERATURE;
}

static bool is_duration(enum quantity q)
{
    return q == QUANTITY_DURATION || q == QUANTITY_ON_TIME || q == QUANTITY_OPERATING_TIME ||
           q == QUANTITY_BATTERY;
}

/* The mean power of a period and its energy share their codes with some makers (1.5 in kWh, 1.29
 * in kW): no contradiction, but the unit says which. */
static bool is_power_and_energy(enum quantity a, enum quantity b)
{
    static const enum quantity pairs[][2] = {
        { QUANTITY_POWER, QUANTITY_ENERGY },
        { QUANTITY_REACTIVE_POWER, QUANTITY_REACTIVE_ENERGY },
        { QUANTITY_APPARENT_POWER, QUANTITY_APPARENT_ENERGY },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if ((a == pairs[i][0] && b == pairs[i][1]) || (a == pairs[i][1] && b == pairs[i][0]))
            return true;
    return false;
}

bool obis_meaning_apply(struct obis o, const char *unit, struct reading *r)
{
    struct obis_meaning m;
    enum quantity by_unit = obis_unit_quantity(unit);

    obis_meaning_of(o, &m);
    r->obis = o;
    r->unit = unit;
    r->quantity = m.quantity;
    r->function = m.function;
    r->tariff = m.tariff;
    r->storage = m.storage;
    memcpy(r->qualifier, m.qualifier, sizeof r->qualifier);
    if (by_unit == QUANTITY_NONE || by_unit == m.quantity ||
        (is_temperature(by_unit) && is_temperature(m.quantity)) ||
        (is_duration(by_unit) && is_duration(m.quantity)))
        return true;
    r->quantity = by_unit;
    if (m.quantity == QUANTITY_OTHER || is_power_and_energy(by_unit, m.quantity))
        return true;
    r->function = READING_INSTANT;
    r->qualifier[0] = 0;
    return false;
}

/* 14, 16 and 18 are gas converted to base conditions. */
const char *obis_unit_of_code(uint8_t code)
{
    static const char *const names[] = {
        [1] = "year",    [2] = "month",  [3] = "week",   [4] = "d",         [5] = "h",
        [6] = "min",     [7] = "s",      [8] = DEGREE,   [9] = DEGREE_C,    [10] = "currency",
        [11] = "m",      [12] = "m/s",   [13] = "m3",    [14] = "m3",       [15] = "m3/h",
        [16] = "m3/h",   [17] = "m3/d",  [18] = "m3/d",  [19] = "l",        [20] = "kg",
        [21] = "N",      [22] = "Nm",    [23] = "Pa",    [24] = "bar",      [25] = "J",
        [26] = "J/h",    [27] = "W",     [28] = "VA",    [29] = "var",      [30] = "Wh",
        [31] = "VAh",    [32] = "varh",  [33] = "A",     [34] = "C",        [35] = "V",
        [36] = "V/m",    [37] = "F",     [38] = "Ohm",   [39] = "Ohm m2/m", [40] = "Wb",
        [41] = "T",      [42] = "A/m",   [43] = "H",     [44] = "Hz",       [45] = "1/Wh",
        [46] = "1/varh", [47] = "1/VAh", [48] = "V2h",   [49] = "A2h",      [50] = "kg/s",
        [51] = "S",      [52] = "K",     [53] = "1/V2h", [54] = "1/A2h",    [55] = "1/m3",
        [56] = "%",      [57] = "Ah",    [60] = "Wh/m3", [61] = "J/m3",     [62] = "mol%",
        [63] = "g/m3",   [64] = "Pa s",  [65] = "J/kg",  [70] = "dBm",      [71] = "dBuV",
        [72] = "dB",
    };

    return code < sizeof names / sizeof names[0] ? names[code] : NULL;
}
