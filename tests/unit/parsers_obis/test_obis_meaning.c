/* Meanings after IEC 62056-6-1 and EN 13757-1. */
#include "common/obis_meaning.h"
#include "suites.h"

#include <string.h>

struct expected {
    const char *code;
    enum quantity quantity;
    enum reading_function function;
    const char *qualifier;
    unsigned tariff, storage;
};

static void check(const struct expected *e)
{
    struct obis_meaning m;
    struct obis o;

    ck_assert_int_eq(obis_parse(e->code, &o), EMT_OK);
    obis_meaning_of(o, &m);
    ck_assert_msg(m.quantity == e->quantity, "%s: %s", e->code, quantity_name(m.quantity));
    ck_assert_msg(m.function == e->function, "%s: function %d", e->code, (int)m.function);
    ck_assert_msg(strcmp(m.qualifier, e->qualifier) == 0, "%s: %s", e->code, m.qualifier);
    ck_assert_msg(m.tariff == e->tariff, "%s: tariff %u", e->code, m.tariff);
    ck_assert_msg(m.storage == e->storage, "%s: storage %u", e->code, (unsigned)m.storage);
}

#define CHECK_ALL(table)                                                                           \
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)                                    \
    check(&table[i])

START_TEST(electricity_names_direction_phase_and_processing)
{
    static const struct expected table[] = {
        { "1-0:1.8.0*255", QUANTITY_ENERGY, READING_INSTANT, "import", 0, 0 },
        { "1-0:1.8.2*255", QUANTITY_ENERGY, READING_INSTANT, "import", 2, 0 },
        { "1-0:2.8.0*255", QUANTITY_ENERGY, READING_INSTANT, "export", 0, 0 },
        { "1-0:5.8.0", QUANTITY_REACTIVE_ENERGY, READING_INSTANT, "quadrant-1", 0, 0 },
        { "1-0:9.8.0", QUANTITY_APPARENT_ENERGY, READING_INSTANT, "import", 0, 0 },
        { "1-1:1.29.0", QUANTITY_ENERGY, READING_INSTANT, "import+interval", 0, 0 },
        { "1-0:1.5.0", QUANTITY_POWER, READING_INSTANT, "import+mean", 0, 0 },
        { "1-0:1.4.0", QUANTITY_POWER, READING_INSTANT, "import+running-mean", 0, 0 },
        { "1-0:1.6.1", QUANTITY_POWER, READING_MAXIMUM, "import", 1, 0 },
        { "1-0:1.2.1", QUANTITY_POWER, READING_MAXIMUM, "import+cumulated", 1, 0 },
        { "1-0:16.7.0", QUANTITY_POWER, READING_INSTANT, "net", 0, 0 },
        { "1-0:15.7.0", QUANTITY_POWER, READING_INSTANT, "absolute", 0, 0 },
        { "1-0:36.7.0", QUANTITY_POWER, READING_INSTANT, "net+phase-l1", 0, 0 },
        { "1-0:42.7.0", QUANTITY_POWER, READING_INSTANT, "export+phase-l2", 0, 0 },
        { "1-0:76.7.0", QUANTITY_POWER, READING_INSTANT, "net+phase-l3", 0, 0 },
        { "1-0:72.7.0", QUANTITY_VOLTAGE, READING_INSTANT, "phase-l3", 0, 0 },
        { "1-0:31.7.0", QUANTITY_CURRENT, READING_INSTANT, "phase-l1", 0, 0 },
        { "1-0:91.7.0", QUANTITY_CURRENT, READING_INSTANT, "neutral", 0, 0 },
        { "1-0:13.7.0", QUANTITY_POWER_FACTOR, READING_INSTANT, "", 0, 0 },
        { "1-0:14.7.0", QUANTITY_FREQUENCY, READING_INSTANT, "", 0, 0 },
        { "1-0:81.7.26", QUANTITY_PHASE_ANGLE, READING_INSTANT, "", 0, 0 },
        { "1-0:32.32.0", QUANTITY_COUNTER, READING_INSTANT, "phase-l1", 0, 0 },
    };

    CHECK_ALL(table);
}
END_TEST

START_TEST(value_group_f_is_the_billing_period)
{
    static const struct expected table[] = {
        { "1-0:1.8.0*12", QUANTITY_ENERGY, READING_INSTANT, "import", 0, 12 },
        { "1.8.1&03", QUANTITY_ENERGY, READING_INSTANT, "import", 1, 3 },
    };

    CHECK_ALL(table);
}
END_TEST

START_TEST(other_media)
{
    static const struct expected table[] = {
        { "4-0:1.0.0", QUANTITY_HCA, READING_INSTANT, "", 0, 0 },
        { "4-0:1.2.0", QUANTITY_HCA, READING_INSTANT, "due-date", 0, 0 },
        { "5-0:1.0.0", QUANTITY_ENERGY, READING_INSTANT, "", 0, 0 },
        { "6-0:1.0.0", QUANTITY_ENERGY, READING_INSTANT, "", 0, 0 },
        { "6-0:2.0.0", QUANTITY_VOLUME, READING_INSTANT, "", 0, 0 },
        { "6-0:8.0.0", QUANTITY_POWER, READING_INSTANT, "", 0, 0 },
        { "6-0:11.0.0", QUANTITY_RETURN_TEMPERATURE, READING_INSTANT, "", 0, 0 },
        { "7-0:3.0.0", QUANTITY_VOLUME, READING_INSTANT, "", 0, 0 },
        { "7-1:3.2.0", QUANTITY_VOLUME, READING_INSTANT, "base-conditions", 0, 0 },
        { "7-0:42.0.0", QUANTITY_PRESSURE, READING_INSTANT, "", 0, 0 },
        { "8-0:1.0.0", QUANTITY_VOLUME, READING_INSTANT, "", 0, 0 },
        { "9-0:2.0.0", QUANTITY_VOLUME_FLOW, READING_INSTANT, "", 0, 0 },
    };

    CHECK_ALL(table);
}
END_TEST

START_TEST(service_codes)
{
    static const struct expected table[] = {
        { "1-0:0.0.0", QUANTITY_IDENTIFIER, READING_INSTANT, "", 0, 0 },
        { "0-0:96.1.0", QUANTITY_IDENTIFIER, READING_INSTANT, "", 0, 0 },
        { "1-0:0.2.0", QUANTITY_IDENTIFIER, READING_INSTANT, "", 0, 0 },
        { "0-0:1.0.0", QUANTITY_DATE_TIME, READING_INSTANT, "", 0, 0 },
        { "1-0:0.9.1", QUANTITY_DATE_TIME, READING_INSTANT, "", 0, 0 },
        { "1-0:96.5.5", QUANTITY_STATUS, READING_INSTANT, "", 0, 0 },
        { "1-0:97.97.0", QUANTITY_STATUS, READING_INSTANT, "", 0, 0 },
        { "0-0:96.7.21", QUANTITY_COUNTER, READING_INSTANT, "", 0, 0 },
        { "0-1:24.1.0", QUANTITY_IDENTIFIER, READING_INSTANT, "", 0, 0 },
        { "129-129:199.130.3", QUANTITY_IDENTIFIER, READING_INSTANT, "", 0, 0 },
        { "3-0:1.8.0", QUANTITY_OTHER, READING_INSTANT, "", 0, 0 },
    };

    CHECK_ALL(table);
}
END_TEST

START_TEST(every_code_has_a_meaning_that_fits)
{
    struct reading r = { 0 };
    struct obis o = { 0 };

    for (unsigned a = 0; a < 11; a++) {
        for (unsigned cd = 0; cd < 65536; cd += a < 2 ? 1 : 7) {
            o = (struct obis){ (uint8_t)a, 0, (uint8_t)(cd >> 8), (uint8_t)cd, 255, 255 };
            (void)obis_meaning_apply(o, "kWh", &r);
            ck_assert_uint_lt((unsigned)r.quantity, QUANTITIES);
            ck_assert_ptr_nonnull(memchr(r.qualifier, 0, sizeof r.qualifier));
        }
    }
}
END_TEST

START_TEST(the_unit_wins_over_the_code)
{
    struct obis o;
    struct reading r = { 0 };

    /* Mean power printed as the energy of the period. */
    ck_assert_int_eq(obis_parse("1-0:1.5.0", &o), EMT_OK);
    ck_assert(obis_meaning_apply(o, "kWh", &r));
    ck_assert_int_eq(r.quantity, QUANTITY_ENERGY);
    ck_assert_str_eq(r.qualifier, "import+mean");
    /* An M-Bus channel of DSMR has the quantity of its unit. */
    ck_assert_int_eq(obis_parse("0-1:24.2.1", &o), EMT_OK);
    ck_assert(obis_meaning_apply(o, "m3", &r));
    ck_assert_int_eq(r.quantity, QUANTITY_VOLUME);
    /* A heat meter's short code read as one of electricity. */
    ck_assert_int_eq(obis_parse("6.8.0", &o), EMT_OK);
    ck_assert(!obis_meaning_apply(o, "GJ", &r));
    ck_assert_int_eq(r.quantity, QUANTITY_ENERGY);
    ck_assert_str_eq(r.qualifier, "");
    /* A flow temperature stays one. */
    ck_assert_int_eq(obis_parse("6-0:10.0.0", &o), EMT_OK);
    ck_assert(obis_meaning_apply(o,
                                 "\xc2\xb0"
                                 "C",
                                 &r));
    ck_assert_int_eq(r.quantity, QUANTITY_FLOW_TEMPERATURE);
}
END_TEST

START_TEST(unit_codes)
{
    ck_assert_str_eq(obis_unit_of_code(30), "Wh");
    ck_assert_str_eq(obis_unit_of_code(27), "W");
    ck_assert_str_eq(obis_unit_of_code(35), "V");
    ck_assert_ptr_null(obis_unit_of_code(0));
    ck_assert_ptr_null(obis_unit_of_code(255));
    for (unsigned i = 0; i < 256; i++) {
        const char *name = obis_unit_of_code((uint8_t)i);
        const struct unit *u = name ? unit_find(name) : NULL;

        ck_assert(!u || strcmp(u->name, name) == 0);
    }
}
END_TEST

SUITE(obis_meaning, electricity_names_direction_phase_and_processing,
      value_group_f_is_the_billing_period, other_media, service_codes,
      every_code_has_a_meaning_that_fits, the_unit_wins_over_the_code, unit_codes)
