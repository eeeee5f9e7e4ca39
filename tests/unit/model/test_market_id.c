#include "model/market_id.h"
#include "suites.h"

#include <string.h>

START_TEST(market_locations)
{
    static const char *const valid[] = { "51238696781", "41373559241", "50000000005" };
    static const char *const invalid[] = {
        "51238696782",  "41373559242", "5123869678", "05123869678",
        "512386967811", "5123869678x", "",           "00000000000"
    };
    struct emt_diag diag = { .file = "" };

    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        ck_assert_int_eq(malo_check(valid[i], &diag), EMT_OK);
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        ck_assert_msg(malo_check(invalid[i], NULL) == EMT_EMALFORMED, "%s", invalid[i]);
    (void)!malo_check("51238696782", &diag);
    ck_assert_str_eq(diag.text, "MaLo 51238696782: check digit is 2, must be 1");
}
END_TEST

START_TEST(metering_locations)
{
    static const char *const invalid[] = {
        "",
        "DE00014559929E00856996N5139699L0",
        "DE00014559929E00856996N5139699L011",
        "de00014559929E00856996N5139699L01",
        "DEX0014559929E00856996N5139699L01",
        "DE0001455992XE00856996N5139699L01",
        "DE00014559929E00856996n5139699L01",
        "DE00014559929E00856996N5139699L0 ",
        "D100014559929E00856996N5139699L01",
    };
    struct emt_diag diag = { .file = "" };

    ck_assert_int_eq(melo_check("DE00014559929E00856996N5139699L01", &diag), EMT_OK);
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        ck_assert_msg(melo_check(invalid[i], &diag) == EMT_EMALFORMED, "%s", invalid[i]);
}
END_TEST

START_TEST(market_partners)
{
    struct emt_diag diag = { .file = "" };

    ck_assert_int_eq(mp_id_check("9900123456789", &diag), EMT_OK);
    ck_assert_int_eq(mp_id_check("990012345678", &diag), EMT_EMALFORMED);
    ck_assert_int_eq(mp_id_check("99001234567890", &diag), EMT_EMALFORMED);
    ck_assert_int_eq(mp_id_check("99001234567x9", &diag), EMT_EMALFORMED);
    ck_assert_str_eq(mp_id_qualifier("9900123456789"), "500");
    ck_assert_str_eq(mp_id_agency("9900123456789"), "293");
    ck_assert_str_eq(mp_id_qualifier("9800123456789"), "502");
    ck_assert_str_eq(mp_id_agency("9800123456789"), "332");
    ck_assert_str_eq(mp_id_qualifier("4012345000009"), "14");
    ck_assert_str_eq(mp_id_agency("4012345000009"), "9");
    ck_assert_str_eq(mp_id_agency(""), "9");
}
END_TEST

SUITE(market_id, market_locations, metering_locations, market_partners)
