#include "mbus_vif_table.h"

#include <stddef.h>

#define NUM MBUS_DATA_NUMBER
#define DUR MBUS_DATA_DURATION
#define IDENT MBUS_DATA_IDENTIFIER
#define FLAGS MBUS_DATA_FLAGS
#define DATE MBUS_DATA_DATE
#define Q(name) QUANTITY_##name

// clang-format off
/* EN 13757-3, primary VIF codes. */
static const struct mbus_vif primary[] = {
    { 0x00, 0x07, NUM, Q(ENERGY), "Wh", -3, 7, 0, NULL },
    { 0x08, 0x0f, NUM, Q(ENERGY), "J", 0, 7, 0, NULL },
    { 0x10, 0x17, NUM, Q(VOLUME), "m3", -6, 7, 0, NULL },
    { 0x18, 0x1f, NUM, Q(MASS), "kg", -3, 7, 0, NULL },
    { 0x20, 0x23, DUR, Q(ON_TIME), "s", 0, 0, 0, NULL },
    { 0x24, 0x27, DUR, Q(OPERATING_TIME), "s", 0, 0, 0, NULL },
    { 0x28, 0x2f, NUM, Q(POWER), "W", -3, 7, 0, NULL },
    { 0x30, 0x37, NUM, Q(POWER), "J/h", 0, 7, 0, NULL },
    { 0x38, 0x3f, NUM, Q(VOLUME_FLOW), "m3/h", -6, 7, 0, NULL },
    { 0x40, 0x47, NUM, Q(VOLUME_FLOW), "m3/h", -7, 7, 60, NULL },   /* m3/min */
    { 0x48, 0x4f, NUM, Q(VOLUME_FLOW), "m3/h", -9, 7, 3600, NULL }, /* m3/s */
    { 0x50, 0x57, NUM, Q(MASS_FLOW), "kg/h", -3, 7, 0, NULL },
    { 0x58, 0x5b, NUM, Q(FLOW_TEMPERATURE), "°C", -3, 3, 0, NULL },
    { 0x5c, 0x5f, NUM, Q(RETURN_TEMPERATURE), "°C", -3, 3, 0, NULL },
    { 0x60, 0x63, NUM, Q(TEMPERATURE_DIFFERENCE), "K", -3, 3, 0, NULL },
    { 0x64, 0x67, NUM, Q(EXTERNAL_TEMPERATURE), "°C", -3, 3, 0, NULL },
    { 0x68, 0x6b, NUM, Q(PRESSURE), "bar", -3, 3, 0, NULL },
    { 0x6c, 0x6d, DATE, Q(DATE_TIME), NULL, 0, 0, 0, NULL },
    { 0x6e, 0x6e, NUM, Q(HCA), "HCA", 0, 0, 0, NULL },
    { 0x70, 0x73, DUR, Q(DURATION), "s", 0, 0, 0, "averaging" },
    { 0x74, 0x77, DUR, Q(DURATION), "s", 0, 0, 0, "actuality" },
    { 0x78, 0x78, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "fabrication-number" },
    { 0x79, 0x79, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "identification" },
    { 0x7a, 0x7a, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "bus-address" },
    { 0x7e, 0x7e, NUM, Q(OTHER), NULL, 0, 0, 0, "any" },
};

/* EN 13757-3, first extension (FB). */
static const struct mbus_vif fb[] = {
    { 0x00, 0x01, NUM, Q(ENERGY), "Wh", 5, 1, 0, NULL },            /* 0.1 MWh */
    { 0x02, 0x03, NUM, Q(REACTIVE_ENERGY), "varh", 3, 1, 0, NULL },
    { 0x04, 0x05, NUM, Q(APPARENT_ENERGY), "VAh", 3, 1, 0, NULL },
    { 0x06, 0x06, NUM, Q(OTHER), NULL, -1, 0, 0, "cop" },           /* coefficient of performance */
    { 0x08, 0x09, NUM, Q(ENERGY), "J", 8, 1, 0, NULL },             /* 0.1 GJ */
    { 0x0c, 0x0f, NUM, Q(ENERGY), "cal", 5, 3, 0, NULL },
    { 0x10, 0x11, NUM, Q(VOLUME), "m3", 2, 1, 0, NULL },
    { 0x14, 0x17, NUM, Q(REACTIVE_POWER), "var", 0, 3, 0, NULL },
    { 0x18, 0x19, NUM, Q(MASS), "kg", 5, 1, 0, NULL },              /* 100 t */
    { 0x1a, 0x1b, NUM, Q(HUMIDITY), "%", -1, 1, 0, NULL },
    { 0x20, 0x20, NUM, Q(VOLUME), "ft3", 0, 0, 0, NULL },
    { 0x21, 0x21, NUM, Q(VOLUME), "ft3", -1, 0, 0, NULL },
    { 0x22, 0x22, NUM, Q(VOLUME), "gal", -1, 0, 0, NULL },
    { 0x23, 0x23, NUM, Q(VOLUME), "gal", 0, 0, 0, NULL },
    { 0x24, 0x24, NUM, Q(VOLUME_FLOW), "gal/min", -3, 0, 0, NULL },
    { 0x25, 0x25, NUM, Q(VOLUME_FLOW), "gal/min", 0, 0, 0, NULL },
    { 0x26, 0x26, NUM, Q(VOLUME_FLOW), "gal/h", 0, 0, 0, NULL },
    { 0x28, 0x29, NUM, Q(POWER), "W", 5, 1, 0, NULL },              /* 0.1 MW */
    { 0x2a, 0x2a, NUM, Q(PHASE_ANGLE), "°", -1, 0, 0, "u-u" },
    { 0x2b, 0x2b, NUM, Q(PHASE_ANGLE), "°", -1, 0, 0, "u-i" },
    { 0x2c, 0x2f, NUM, Q(FREQUENCY), "Hz", -3, 3, 0, NULL },
    { 0x30, 0x31, NUM, Q(POWER), "J/h", 8, 1, 0, NULL },            /* 0.1 GJ/h */
    { 0x34, 0x37, NUM, Q(APPARENT_POWER), "VA", 0, 3, 0, NULL },
    { 0x58, 0x5b, NUM, Q(FLOW_TEMPERATURE), "°F", -3, 3, 0, NULL },
    { 0x5c, 0x5f, NUM, Q(RETURN_TEMPERATURE), "°F", -3, 3, 0, NULL },
    { 0x60, 0x63, NUM, Q(TEMPERATURE_DIFFERENCE), "°F", -3, 3, 0, NULL },
    { 0x64, 0x67, NUM, Q(EXTERNAL_TEMPERATURE), "°F", -3, 3, 0, NULL },
    { 0x70, 0x73, NUM, Q(TEMPERATURE), "°F", -3, 3, 0, "cold-warm-limit" },
    { 0x74, 0x77, NUM, Q(TEMPERATURE), "°C", -3, 3, 0, "cold-warm-limit" },
    { 0x78, 0x7f, NUM, Q(POWER), "W", -3, 7, 0, "cumulative-maximum" },
};

/* EN 13757-3, second extension (FD). */
static const struct mbus_vif fd[] = {
    { 0x00, 0x03, NUM, Q(MONEY), NULL, -3, 3, 0, "credit" },
    { 0x04, 0x07, NUM, Q(MONEY), NULL, -3, 3, 0, "debit" },
    { 0x08, 0x08, FLAGS, Q(COUNTER), NULL, 0, 0, 0, "access-number" },
    { 0x09, 0x09, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "medium" },
    { 0x0a, 0x0a, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "manufacturer" },
    { 0x0b, 0x0b, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "parameter-set" },
    { 0x0c, 0x0c, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "model" },
    { 0x0d, 0x0d, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "hardware" },
    { 0x0e, 0x0e, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "firmware" },
    { 0x0f, 0x0f, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "software" },
    { 0x10, 0x10, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "customer-location" },
    { 0x11, 0x11, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "customer" },
    { 0x12, 0x15, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "access-code" },
    { 0x16, 0x16, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "password" },
    { 0x17, 0x17, FLAGS, Q(STATUS), NULL, 0, 0, 0, "error-flags" },
    { 0x18, 0x18, FLAGS, Q(STATUS), NULL, 0, 0, 0, "error-mask" },
    { 0x19, 0x19, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "security-key" },
    { 0x1a, 0x1a, FLAGS, Q(STATUS), NULL, 0, 0, 0, "digital-output" },
    { 0x1b, 0x1b, FLAGS, Q(STATUS), NULL, 0, 0, 0, "digital-input" },
    { 0x1c, 0x1c, NUM, Q(OTHER), NULL, 0, 0, 0, "baud-rate" },
    { 0x1d, 0x1d, NUM, Q(OTHER), NULL, 0, 0, 0, "response-delay" },
    { 0x1e, 0x1e, NUM, Q(COUNTER), NULL, 0, 0, 0, "retry" },
    { 0x1f, 0x1f, FLAGS, Q(STATUS), NULL, 0, 0, 0, "remote-control" },
    { 0x20, 0x20, NUM, Q(OTHER), NULL, 0, 0, 0, "first-storage" },
    { 0x21, 0x21, NUM, Q(OTHER), NULL, 0, 0, 0, "last-storage" },
    { 0x22, 0x22, NUM, Q(OTHER), NULL, 0, 0, 0, "storage-block-size" },
    { 0x23, 0x23, NUM, Q(OTHER), NULL, 0, 0, 0, "tariff-descriptor" },
    { 0x24, 0x27, DUR, Q(DURATION), "s", 0, 0, 0, "storage-interval" },
    { 0x28, 0x28, NUM, Q(DURATION), "month", 0, 0, 0, "storage-interval" },
    { 0x29, 0x29, NUM, Q(DURATION), "year", 0, 0, 0, "storage-interval" },
    { 0x2a, 0x2a, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "operator-data" },
    { 0x2b, 0x2b, NUM, Q(OTHER), NULL, 0, 0, 0, "time-point-second" },
    { 0x2c, 0x2f, DUR, Q(DURATION), "s", 0, 0, 0, "since-readout" },
    { 0x30, 0x30, DATE, Q(DATE_TIME), NULL, 0, 0, 0, "tariff-start" },
    { 0x31, 0x33, DUR, Q(DURATION), "s", 0, 0, 0, "tariff-duration" },
    { 0x34, 0x37, DUR, Q(DURATION), "s", 0, 0, 0, "tariff-period" },
    { 0x38, 0x38, NUM, Q(DURATION), "month", 0, 0, 0, "tariff-period" },
    { 0x39, 0x39, NUM, Q(DURATION), "year", 0, 0, 0, "tariff-period" },
    { 0x3a, 0x3a, NUM, Q(OTHER), NULL, 0, 0, 0, "dimensionless" },
    { 0x3b, 0x3b, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "wireless-container" },
    { 0x3c, 0x3f, DUR, Q(DURATION), "s", 0, 0, 0, "transmission-period" },
    { 0x40, 0x4f, NUM, Q(VOLTAGE), "V", -9, 15, 0, NULL },
    { 0x50, 0x5f, NUM, Q(CURRENT), "A", -12, 15, 0, NULL },
    { 0x60, 0x60, NUM, Q(COUNTER), NULL, 0, 0, 0, "reset" },
    { 0x61, 0x61, NUM, Q(COUNTER), NULL, 0, 0, 0, "cumulation" },
    { 0x62, 0x62, FLAGS, Q(STATUS), NULL, 0, 0, 0, "control-signal" },
    { 0x63, 0x63, NUM, Q(OTHER), NULL, 0, 0, 0, "day-of-week" },
    { 0x64, 0x64, NUM, Q(OTHER), NULL, 0, 0, 0, "week" },
    { 0x65, 0x65, NUM, Q(OTHER), NULL, 0, 0, 0, "day-change" },
    { 0x66, 0x66, NUM, Q(OTHER), NULL, 0, 0, 0, "parameter-activation" },
    { 0x67, 0x67, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "supplier" },
    { 0x68, 0x69, DUR, Q(DURATION), "s", 2, 0, 0, "since-cumulation" }, /* h, d: see DUR */
    { 0x6a, 0x6a, NUM, Q(DURATION), "month", 0, 0, 0, "since-cumulation" },
    { 0x6b, 0x6b, NUM, Q(DURATION), "year", 0, 0, 0, "since-cumulation" },
    { 0x6c, 0x6d, DUR, Q(BATTERY), "s", 2, 0, 0, "operating" },         /* h, d */
    { 0x6e, 0x6e, NUM, Q(BATTERY), "month", 0, 0, 0, "operating" },
    { 0x6f, 0x6f, NUM, Q(BATTERY), "year", 0, 0, 0, "operating" },
    { 0x70, 0x70, DATE, Q(DATE_TIME), NULL, 0, 0, 0, "battery-change" },
    { 0x71, 0x71, NUM, Q(RADIO_LEVEL), "dBm", 0, 0, 0, NULL },
    { 0x72, 0x72, IDENT, Q(OTHER), NULL, 0, 0, 0, "daylight-saving" },
    { 0x73, 0x73, IDENT, Q(OTHER), NULL, 0, 0, 0, "listening-window" },
    { 0x74, 0x74, NUM, Q(BATTERY), "s", 0, 0, 86400, "remaining" },     /* d */
    { 0x75, 0x75, NUM, Q(COUNTER), NULL, 0, 0, 0, "stops" },
    { 0x76, 0x76, IDENT, Q(IDENTIFIER), NULL, 0, 0, 0, "manufacturer-container" },
};

/* EN 13757-3, combinable VIFEs. In the answer of a meter 00..11 are record errors like 15..1C. */
static const struct mbus_vife first[] = {
    { 0x00, 0x00, VIFE_NOTHING, 0, 0, NULL },
    { 0x01, 0x11, VIFE_RECORD_ERROR, 0, 0, "record-error" },
    { 0x12, 0x12, VIFE_QUALIFIES, 0, 0, "average" },
    { 0x13, 0x13, VIFE_PROFILE, 0, 0, NULL },
    { 0x14, 0x14, VIFE_QUALIFIES, 0, 0, "deviation" },
    { 0x15, 0x1c, VIFE_RECORD_ERROR, 0, 0, "record-error" },
    { 0x1d, 0x1d, VIFE_QUALIFIES, 0, 0, "conformant" },
    { 0x1e, 0x1f, VIFE_PROFILE, 0, 0, NULL },
    { 0x20, 0x20, VIFE_QUALIFIES, 0, 0, "per-s" },
    { 0x21, 0x21, VIFE_QUALIFIES, 0, 0, "per-min" },
    { 0x22, 0x22, VIFE_QUALIFIES, 0, 0, "per-h" },
    { 0x23, 0x23, VIFE_QUALIFIES, 0, 0, "per-d" },
    { 0x24, 0x24, VIFE_QUALIFIES, 0, 0, "per-week" },
    { 0x25, 0x25, VIFE_QUALIFIES, 0, 0, "per-month" },
    { 0x26, 0x26, VIFE_QUALIFIES, 0, 0, "per-year" },
    { 0x27, 0x27, VIFE_QUALIFIES, 0, 0, "per-revolution" },
    { 0x28, 0x28, VIFE_QUALIFIES, 0, 0, "per-pulse-in0" },
    { 0x29, 0x29, VIFE_QUALIFIES, 0, 0, "per-pulse-in1" },
    { 0x2a, 0x2a, VIFE_QUALIFIES, 0, 0, "per-pulse-out0" },
    { 0x2b, 0x2b, VIFE_QUALIFIES, 0, 0, "per-pulse-out1" },
    { 0x2c, 0x2c, VIFE_QUALIFIES, 0, 0, "per-l" },
    { 0x2d, 0x2d, VIFE_QUALIFIES, 0, 0, "per-m3" },
    { 0x2e, 0x2e, VIFE_QUALIFIES, 0, 0, "per-kg" },
    { 0x2f, 0x2f, VIFE_QUALIFIES, 0, 0, "per-K" },
    { 0x30, 0x30, VIFE_QUALIFIES, 0, 0, "per-kWh" },
    { 0x31, 0x31, VIFE_QUALIFIES, 0, 0, "per-GJ" },
    { 0x32, 0x32, VIFE_QUALIFIES, 0, 0, "per-kW" },
    { 0x33, 0x33, VIFE_QUALIFIES, 0, 0, "per-Kl" },
    { 0x34, 0x34, VIFE_QUALIFIES, 0, 0, "per-V" },
    { 0x35, 0x35, VIFE_QUALIFIES, 0, 0, "per-A" },
    { 0x36, 0x36, VIFE_QUALIFIES, 0, 0, "times-s" },
    { 0x37, 0x37, VIFE_QUALIFIES, 0, 0, "times-s/V" },
    { 0x38, 0x38, VIFE_QUALIFIES, 0, 0, "times-s/A" },
    { 0x39, 0x39, VIFE_DATES, 0, 0, "start" },
    { 0x3a, 0x3a, VIFE_QUALIFIES, 0, 0, "uncorrected" },
    { 0x3b, 0x3b, VIFE_QUALIFIES, 0, 0, "import" },
    { 0x3c, 0x3c, VIFE_QUALIFIES, 0, 0, "export" },
    { 0x3d, 0x3d, VIFE_NON_METRIC, 0, 0, "non-metric" },
    { 0x3e, 0x3e, VIFE_QUALIFIES, 0, 0, "base-conditions" },
    { 0x3f, 0x3f, VIFE_QUALIFIES, 0, 0, "obis-declaration" },
    { 0x40, 0x40, VIFE_QUALIFIES, 0, 0, "lower-limit" },
    { 0x41, 0x41, VIFE_COUNTS, 0, 0, "below-lower-limit" },
    { 0x42, 0x42, VIFE_DATES, 0, 0, "begin-first-lower" },
    { 0x43, 0x43, VIFE_DATES, 0, 0, "end-first-lower" },
    { 0x46, 0x46, VIFE_DATES, 0, 0, "begin-last-lower" },
    { 0x47, 0x47, VIFE_DATES, 0, 0, "end-last-lower" },
    { 0x48, 0x48, VIFE_QUALIFIES, 0, 0, "upper-limit" },
    { 0x49, 0x49, VIFE_COUNTS, 0, 0, "above-upper-limit" },
    { 0x4a, 0x4a, VIFE_DATES, 0, 0, "begin-first-upper" },
    { 0x4b, 0x4b, VIFE_DATES, 0, 0, "end-first-upper" },
    { 0x4e, 0x4e, VIFE_DATES, 0, 0, "begin-last-upper" },
    { 0x4f, 0x4f, VIFE_DATES, 0, 0, "end-last-upper" },
    { 0x50, 0x53, VIFE_LASTS, 0, 0, "first-lower" },
    { 0x54, 0x57, VIFE_LASTS, 0, 0, "last-lower" },
    { 0x58, 0x5b, VIFE_LASTS, 0, 0, "first-upper" },
    { 0x5c, 0x5f, VIFE_LASTS, 0, 0, "last-upper" },
    { 0x60, 0x63, VIFE_LASTS, 0, 0, "first" },
    { 0x64, 0x67, VIFE_LASTS, 0, 0, "last" },
    { 0x68, 0x68, VIFE_QUALIFIES, 0, 0, "during-lower" },
    { 0x69, 0x69, VIFE_QUALIFIES, 0, 0, "leakage" },
    { 0x6a, 0x6a, VIFE_DATES, 0, 0, "begin-first" },
    { 0x6b, 0x6b, VIFE_DATES, 0, 0, "end-first" },
    { 0x6c, 0x6c, VIFE_QUALIFIES, 0, 0, "during-upper" },
    { 0x6d, 0x6d, VIFE_QUALIFIES, 0, 0, "overflow" },
    { 0x6e, 0x6e, VIFE_DATES, 0, 0, "begin-last" },
    { 0x6f, 0x6f, VIFE_DATES, 0, 0, "end-last" },
    { 0x70, 0x77, VIFE_SCALES, -6, 7, NULL },
    { 0x78, 0x78, VIFE_QUALIFIES, 0, 0, "offset-0.001" },
    { 0x79, 0x79, VIFE_QUALIFIES, 0, 0, "offset-0.01" },
    { 0x7a, 0x7a, VIFE_QUALIFIES, 0, 0, "offset-0.1" },
    { 0x7b, 0x7b, VIFE_QUALIFIES, 0, 0, "offset-1" },
    { 0x7c, 0x7c, VIFE_NEXT_TABLE, 0, 0, NULL },
    { 0x7d, 0x7d, VIFE_SCALES, 3, 0, NULL },
    { 0x7e, 0x7e, VIFE_QUALIFIES, 0, 0, "future" },
    { 0x7f, 0x7f, VIFE_MANUFACTURER, 0, 0, NULL },
};

/* The table behind VIFE FC. */
static const struct mbus_vife second[] = {
    { 0x01, 0x01, VIFE_QUALIFIES, 0, 0, "phase-l1" },
    { 0x02, 0x02, VIFE_QUALIFIES, 0, 0, "phase-l2" },
    { 0x03, 0x03, VIFE_QUALIFIES, 0, 0, "phase-l3" },
    { 0x04, 0x04, VIFE_QUALIFIES, 0, 0, "neutral" },
    { 0x05, 0x05, VIFE_QUALIFIES, 0, 0, "phase-l1-l2" },
    { 0x06, 0x06, VIFE_QUALIFIES, 0, 0, "phase-l2-l3" },
    { 0x07, 0x07, VIFE_QUALIFIES, 0, 0, "phase-l3-l1" },
    { 0x08, 0x08, VIFE_QUALIFIES, 0, 0, "quadrant-1" },
    { 0x09, 0x09, VIFE_QUALIFIES, 0, 0, "quadrant-2" },
    { 0x0a, 0x0a, VIFE_QUALIFIES, 0, 0, "quadrant-3" },
    { 0x0b, 0x0b, VIFE_QUALIFIES, 0, 0, "quadrant-4" },
    { 0x0c, 0x0c, VIFE_QUALIFIES, 0, 0, "net" },
    { 0x0d, 0x0d, VIFE_NON_METRIC, 0, 0, "alternative-unit" },
    { 0x0e, 0x0e, VIFE_QUALIFIES, 0, 0, "secondary-sensor" },
    { 0x0f, 0x0f, VIFE_QUALIFIES, 0, 0, "high-resolution" },
    { 0x10, 0x10, VIFE_QUALIFIES, 0, 0, "absolute" },
    { 0x11, 0x11, VIFE_QUALIFIES, 0, 0, "type-c" },
    { 0x12, 0x12, VIFE_QUALIFIES, 0, 0, "type-d" },
    { 0x13, 0x13, VIFE_DATES, 0, 0, "end" },
    { 0x14, 0x14, VIFE_QUALIFIES, 0, 0, "to-meter" }, /* who told whom, not which way energy flows */
    { 0x15, 0x15, VIFE_QUALIFIES, 0, 0, "from-meter" },
};
// clang-format on

/* The tables are sorted by code, and their ranges do not overlap. */
static const struct mbus_vif *find_vif(const struct mbus_vif *table, size_t n, uint8_t code)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (code > table[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && code >= table[low].first ? &table[low] : NULL;
}

static const struct mbus_vife *find_vife(const struct mbus_vife *table, size_t n, uint8_t code)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (code > table[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && code >= table[low].first ? &table[low] : NULL;
}

const struct mbus_vif *mbus_vif_primary(uint8_t code)
{
    return find_vif(primary, sizeof primary / sizeof primary[0], code);
}

const struct mbus_vif *mbus_vif_fb(uint8_t code)
{
    return find_vif(fb, sizeof fb / sizeof fb[0], code);
}

const struct mbus_vif *mbus_vif_fd(uint8_t code)
{
    return find_vif(fd, sizeof fd / sizeof fd[0], code);
}

const struct mbus_vife *mbus_vife_first(uint8_t code)
{
    return find_vife(first, sizeof first / sizeof first[0], code);
}

const struct mbus_vife *mbus_vife_second(uint8_t code)
{
    return find_vife(second, sizeof second / sizeof second[0], code);
}
