#include "mbus/mbus_meaning.h"
#include "mbus/mbus_obis.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>

static struct mbus_meaning meaning_of(const char *vib_hex)
{
    struct mbus_record rec = { 0 };
    struct mbus_meaning m;

    rec.vif_len = (uint8_t)bytes_of(vib_hex, rec.vif, sizeof rec.vif);
    mbus_meaning_of(&rec, &m);
    return m;
}

START_TEST(the_order_of_vifes_makes_no_second_channel)
{
    struct mbus_meaning a = meaning_of("83bcfc01"), b = meaning_of("83fc813c");

    ck_assert_str_eq(a.qualifier, "export+phase-l1");
    ck_assert_str_eq(b.qualifier, "export+phase-l1");
    ck_assert_int_eq(a.quantity, QUANTITY_ENERGY);
}
END_TEST

START_TEST(multiplicative_vifes_move_the_exponent)
{
    ck_assert_int_eq(meaning_of("13").exponent, -3);
    ck_assert_int_eq(meaning_of("9370").exponent, -9);
    ck_assert_int_eq(meaning_of("9377").exponent, -2);
    ck_assert_int_eq(meaning_of("937d").exponent, 0);
    ck_assert_int_eq(meaning_of("fb8273").exponent, 0); /* 10^3 varh * 10^-3 */
    ck_assert_str_eq(meaning_of("fb8273").unit, "varh");
}
END_TEST

START_TEST(what_a_vife_turns_into_something_else_loses_the_unit)
{
    struct mbus_meaning count = meaning_of("ad49"), lasts = meaning_of("ad5e");
    struct mbus_meaning date = meaning_of("ad4e");

    ck_assert_int_eq(count.quantity, QUANTITY_COUNTER);
    ck_assert_ptr_null(count.unit);
    ck_assert_str_eq(count.qualifier, "above-upper-limit+of-power");
    ck_assert_int_eq(lasts.quantity, QUANTITY_DURATION);
    ck_assert_uint_eq(lasts.factor, 3600);
    ck_assert_int_eq(date.quantity, QUANTITY_DATE_TIME);
    ck_assert_int_eq(date.data, MBUS_DATA_DATE);
}
END_TEST

START_TEST(reserved_codes_keep_their_bytes)
{
    ck_assert_str_eq(meaning_of("fb07").qualifier, "vif-fb07");
    ck_assert_str_eq(meaning_of("ef01").qualifier, "vif-ef01");
    ck_assert_str_eq(meaning_of("9344").qualifier, "vife-44");
    ck_assert_str_eq(meaning_of("93fc7f").qualifier, "vife-fc-7f");
    ck_assert_str_eq(meaning_of("ff0102").qualifier, "mfct-0102");
    ck_assert_int_eq(meaning_of("fb07").quantity, QUANTITY_OTHER);
}
END_TEST

START_TEST(too_many_qualifiers_become_their_codes)
{
    struct mbus_meaning m = meaning_of("93a0a1a2a3a4a5a6a7a82b");

    ck_assert_str_eq(m.qualifier, "vib-93a0a1a2a3a4a5a6a7a82b");
}
END_TEST

static struct obis obis_of(uint8_t type, enum quantity q, const char *qualifier, uint64_t storage,
                           uint32_t tariff)
{
    struct reading r = { .quantity = q, .storage = storage, .tariff = tariff };

    (void)snprintf(r.qualifier, sizeof r.qualifier, "%s", qualifier);
    return mbus_obis_of(type, &r);
}

START_TEST(codes_of_oms)
{
    static const struct {
        uint8_t type;
        enum quantity q;
        const char *qualifier;
        uint64_t storage;
        uint32_t tariff;
        const char *code; /* NULL: none */
    } rows[] = {
        { 0x02, QUANTITY_ENERGY, "", 0, 0, "1-0:1.8.0*255" },
        { 0x02, QUANTITY_ENERGY, "export", 0, 2, "1-0:2.8.2*255" },
        { 0x02, QUANTITY_ENERGY, "", 3, 0, "1-0:1.8.0*3" },
        { 0x02, QUANTITY_ENERGY, "", 255, 0, NULL },
        { 0x02, QUANTITY_ENERGY, "upper-limit", 0, 0, NULL },
        { 0x02, QUANTITY_POWER, "import+phase-l2", 0, 0, "1-0:41.7.0*255" },
        { 0x02, QUANTITY_REACTIVE_ENERGY, "quadrant-3", 0, 0, "1-0:7.8.0*255" },
        { 0x02, QUANTITY_FREQUENCY, "", 0, 0, "1-0:14.7.0*255" },
        { 0x07, QUANTITY_VOLUME, "", 0, 0, "8-0:1.0.0*255" },
        { 0x06, QUANTITY_VOLUME, "", 1, 0, "9-0:1.0.0*1" },
        { 0x07, QUANTITY_VOLUME, "export", 0, 0, NULL },
        { 0x03, QUANTITY_VOLUME, "base-conditions", 0, 0, "7-0:3.2.0*255" },
        { 0x04, QUANTITY_ENERGY, "", 0, 0, "6-0:1.0.0*255" },
        { 0x0a, QUANTITY_ENERGY, "", 0, 0, "5-0:1.0.0*255" },
        { 0x04, QUANTITY_ENERGY, "", 0, 1, NULL },
        { 0x08, QUANTITY_HCA, "", 1, 0, "4-0:1.0.0*1" },
        { 0x1a, QUANTITY_VOLUME, "", 0, 0, NULL },
    };
    char text[OBIS_TEXT_MAX];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct obis o =
            obis_of(rows[i].type, rows[i].q, rows[i].qualifier, rows[i].storage, rows[i].tariff);

        if (rows[i].code)
            ck_assert_str_eq(obis_format(o, text), rows[i].code);
        else
            ck_assert_msg(obis_is_none(o), "row %zu", i);
    }
}
END_TEST

SUITE(mbus_meaning, the_order_of_vifes_makes_no_second_channel,
      multiplicative_vifes_move_the_exponent, what_a_vife_turns_into_something_else_loses_the_unit,
      reserved_codes_keep_their_bytes, too_many_qualifiers_become_their_codes, codes_of_oms)
