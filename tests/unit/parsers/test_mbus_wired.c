#include "mbus/mbus_wired.h"
#include "suites.h"
#include "support.h"

static enum emt_err parse(const char *hex, struct mbus_wired *out)
{
    static uint8_t bytes[300];

    return mbus_wired_parse(bytes, bytes_of(hex, bytes, sizeof bytes), out);
}

/* EN 13757-2: single character, short frame, control frame, long frame. */
START_TEST(the_four_kinds)
{
    struct mbus_wired w;

    ck_assert_int_eq(parse("e5", &w), EMT_OK);
    ck_assert_int_eq(w.kind, MBUS_WIRED_ACK);
    ck_assert_int_eq(parse("105b015c16", &w), EMT_OK);
    ck_assert_int_eq(w.kind, MBUS_WIRED_SHORT);
    ck_assert_uint_eq(w.c, 0x5b);
    ck_assert_int_eq(parse("6803036853fe50a116", &w), EMT_OK);
    ck_assert_int_eq(w.kind, MBUS_WIRED_LONG);
    ck_assert_uint_eq(w.body_len, 1);
    ck_assert_int_eq(parse("6804046808017008811600", &w), EMT_OK);
    ck_assert_uint_eq(w.body[0], 0x70);
    ck_assert_uint_eq(w.body_offset, 6);
    ck_assert_uint_eq(w.trailing, 1);
}
END_TEST

START_TEST(single_faults_are_found)
{
    static const struct {
        const char *hex;
        enum emt_err err;
    } rows[] = {
        { "", EMT_ETRUNCATED },
        { "00", EMT_EMALFORMED },
        { "105b015d16", EMT_EMALFORMED }, /* checksum */
        { "105b015c17", EMT_EMALFORMED }, /* stop */
        { "105b01", EMT_ETRUNCATED },
        { "68040568080170088116", EMT_EMALFORMED }, /* lengths differ */
        { "6802026808010916", EMT_EMALFORMED },     /* below C A CI */
        { "68040469080170088116", EMT_EMALFORMED }, /* second start */
        { "68040468080170088216", EMT_EMALFORMED }, /* checksum */
        { "6804046808017008", EMT_ETRUNCATED },
        { "680404680801700881", EMT_ETRUNCATED },
        { "68ffff68", EMT_ETRUNCATED },
    };
    struct mbus_wired w = { .trailing = 77 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(parse(rows[i].hex, &w) == rows[i].err, "%s", rows[i].hex);
    ck_assert_uint_eq(w.trailing, 77); /* written on success only */
}
END_TEST

SUITE(mbus_wired, the_four_kinds, single_faults_are_found)
