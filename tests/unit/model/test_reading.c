#include "model/reading.h"
#include "suites.h"

#include <string.h>

static struct reading energy(void)
{
    struct reading r = { .kind = READING_NUMBER,
                         .obis = { 1, 0, 1, 8, 0, 255 },
                         .quantity = QUANTITY_ENERGY,
                         .value = { 12345, -1 },
                         .unit = "kWh",
                         .time = EMT_TIME_NONE };

    return r;
}

START_TEST(the_key_names_every_part)
{
    struct reading r = energy();
    char buf[CHANNEL_KEY_MAX];

    ck_assert_str_eq(reading_channel_key(&r, buf),
                     "1-0:1.8.0*255|energy|Wh|number|instant|0|0|0||0");
    memset(&r.obis, 0, sizeof r.obis);
    r.unit = NULL;
    r.quantity = QUANTITY_STATUS;
    r.kind = READING_STATE;
    r.function = READING_MAXIMUM;
    r.storage = 1;
    r.tariff = 2;
    r.subunit = 3;
    r.nth = 4;
    memcpy(r.qualifier, "import", 7);
    ck_assert_str_eq(reading_channel_key(&r, buf), "-|status|-|state|maximum|1|2|3|import|4");
    r.obis_text = "F.F";
    r.unit = "furlong";
    ck_assert_str_eq(reading_channel_key(&r, buf),
                     "F.F|status|furlong|state|maximum|1|2|3|import|4");
}
END_TEST

START_TEST(another_prefix_keeps_the_channel)
{
    struct reading r = energy();
    char kwh[CHANNEL_KEY_MAX];
    char buf[CHANNEL_KEY_MAX];

    (void)reading_channel_key(&r, kwh);
    r.unit = "MWh";
    r.value = decimal_of(7, 0);
    r.quality = QUALITY_SUBSTITUTE;
    ck_assert_str_eq(reading_channel_key(&r, buf), kwh);
    r.unit = "GJ";
    ck_assert_str_ne(reading_channel_key(&r, buf), kwh);
}
END_TEST

START_TEST(long_keys_are_cut_and_stay_apart)
{
    struct reading r = energy();
    char text[400];
    char a[CHANNEL_KEY_MAX];
    char b[CHANNEL_KEY_MAX];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    r.obis_text = text;
    r.storage = UINT64_MAX;
    ck_assert_uint_eq(strlen(reading_channel_key(&r, a)), CHANNEL_KEY_MAX - 1);
    r.storage--;
    ck_assert_str_ne(reading_channel_key(&r, b), a);
    r.storage++;
    text[sizeof text - 2] = 'y';
    ck_assert_str_ne(reading_channel_key(&r, b), a);
    text[sizeof text - 2] = 'x';
    ck_assert_str_eq(reading_channel_key(&r, b), a);
    for (size_t n = 60; n < 140; n++) { /* around the length where cutting begins */
        text[n] = 0;
        ck_assert_uint_lt(strlen(reading_channel_key(&r, b)), CHANNEL_KEY_MAX);
        text[n] = 'x';
    }
}
END_TEST

START_TEST(values_reach_the_base_unit_exactly)
{
    struct reading r = energy();
    struct decimal d;

    ck_assert_int_eq(reading_base_value(&r, &d), EMT_OK);
    ck_assert_int_eq(d.mantissa, 12345);
    ck_assert_int_eq(d.exponent, 2);
    r.unit = "min";
    ck_assert_int_eq(reading_base_value(&r, &d), EMT_OK);
    ck_assert_int_eq(decimal_compare(d, decimal_of(74070, 0)), 0);
    r.unit = "degF";
    ck_assert_int_eq(reading_base_value(&r, &d), EMT_OK);
    ck_assert_int_eq(d.exponent, -1);
    r.unit = NULL;
    ck_assert_int_eq(reading_base_value(&r, &d), EMT_OK);
    ck_assert_int_eq(d.mantissa, 12345);
    r.unit = "d";
    r.value = decimal_of(INT64_MAX, 0);
    ck_assert_int_eq(reading_base_value(&r, &d), EMT_ELIMIT);
}
END_TEST

SUITE(reading, the_key_names_every_part, another_prefix_keeps_the_channel,
      long_keys_are_cut_and_stay_apart, values_reach_the_base_unit_exactly)
