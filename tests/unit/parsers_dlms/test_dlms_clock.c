/* date-time of IEC 62056-6-2. */
#include "dlms/dlms_clock.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static bool read_hex(const char *hex, struct dlms_clock *c)
{
    uint8_t p[DLMS_CLOCK_LEN];

    ck_assert_uint_eq(dlms_test_hex(hex, p, sizeof p), sizeof p);
    return dlms_clock_read(p, c);
}

static void expect(const char *hex, const char *text, const char *instant)
{
    struct dlms_clock c;
    char is[DLMS_CLOCK_TEXT_MAX], utc[32];

    ck_assert(read_hex(hex, &c));
    ck_assert_str_eq(dlms_clock_text(&c, is), text);
    if (dlms_clock_instant(&c) == EMT_TIME_NONE)
        ck_assert_str_eq("", instant);
    else
        ck_assert_str_eq(time_format(dlms_clock_instant(&c), utc), instant);
}

START_TEST(deviation_is_the_way_to_utc)
{
    expect("07e30c1f0217000000ffc400", "2019-12-31T23:00:00+01:00", "2019-12-31T22:00:00Z");
    expect("07ea0701030c000000ff8880", "2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00Z");
    expect("07ea0701030c0000000078ff", "2026-07-01T12:00:00-02:00", "2026-07-01T14:00:00Z");
    expect("07ea0701030c000000000000", "2026-07-01T12:00:00+00:00", "2026-07-01T12:00:00Z");
}
END_TEST

START_TEST(without_deviation_it_is_german_legal_time)
{
    expect("07ea0b150600150aff800000", "2026-11-21T00:21:10", "2026-11-20T23:21:10Z");
    expect("07ea0701030c0000ff800080", "2026-07-01T12:00:00", "2026-07-01T10:00:00Z");
}
END_TEST

START_TEST(the_status_tells_the_repeated_hour)
{
    expect("07ea0a1907021e00ff800080", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z");
    expect("07ea0a1907021e00ff800000", "2026-10-25T02:30:00", "2026-10-25T01:30:00Z");
    expect("07ea0a1907021e00ff8000ff", "2026-10-25T02:30:00", ""); /* status unknown */
}
END_TEST

START_TEST(an_invalid_clock_has_no_instant)
{
    expect("07ea0b150600150affffc401", "2026-11-21T00:21:10+01:00", "");
    expect("07ea0b150600150affffc4ff", "2026-11-21T00:21:10+01:00", "2026-11-20T23:21:10Z");
}
END_TEST

START_TEST(hundredths_are_printed_when_there_are_some)
{
    expect("07ea0b150600150a32ffc400", "2026-11-21T00:21:10.50+01:00", "2026-11-20T23:21:10.5Z");
    expect("07ea0b15060015ff00ffc400", "2026-11-21T00:21:00+01:00", "2026-11-20T23:21:00Z");
}
END_TEST

START_TEST(open_or_odd_fields_are_no_time)
{
    static const char *const cases[] = {
        "ffff0b150600150aff800000", /* year open */
        "07eaff150600150aff800000", /* month open */
        "07ea0bff0600150aff800000", /* day open */
        "07ea0b1506ff150aff800000", /* hour open */
        "07ea0b150600ff0aff800000", /* minute open */
        "07ea0d150600150aff800000", /* month 13 */
        "07ea021e0600150aff800000", /* 30 February */
        "07ea0b150800150aff800000", /* weekday 8 */
        "07ea0b150600150a64800000", /* hundredths 100 */
        "07ea0b150600150aff0fff00", /* deviation of 68 hours */
        "313831323230303030303039", /* a number in digits */
    };
    struct dlms_clock c;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(!read_hex(cases[i], &c), "%s", cases[i]);
}
END_TEST

START_TEST(a_period_later_keeps_the_offset)
{
    struct dlms_clock c;
    char text[DLMS_CLOCK_TEXT_MAX];

    ck_assert(read_hex("07e30c1f0217000000ffc400", &c));
    dlms_clock_add(&c, 3600);
    ck_assert_str_eq(dlms_clock_text(&c, text), "2020-01-01T00:00:00+01:00");
}
END_TEST

SUITE(dlms_clock, deviation_is_the_way_to_utc, without_deviation_it_is_german_legal_time,
      the_status_tells_the_repeated_hour, an_invalid_clock_has_no_instant,
      hundredths_are_printed_when_there_are_some, open_or_odd_fields_are_no_time,
      a_period_later_keeps_the_offset)
