#include "mbus/mbus_date.h"
#include "model/local_day.h"
#include "suites.h"

#include <string.h>

static const char *text_of(const uint8_t *p, size_t n)
{
    static char text[MBUS_DATE_TEXT_MAX];
    struct mbus_date d;

    if (!mbus_date_read(p, n, &d))
        return "none";
    mbus_date_text(&d, text);
    return text;
}

/* EN 13757-3 annex A, types G, F, I, J. */
START_TEST(types_are_told_by_their_length)
{
    const uint8_t g[] = { 0x70, 0x28 };
    const uint8_t f[] = { 0x33, 0x8c, 0x70, 0x28 };
    const uint8_t i[] = { 0x1e, 0x33, 0x0c, 0x70, 0x28, 0x00 };
    const uint8_t j[] = { 0x1e, 0x33, 0x0c };

    ck_assert_str_eq(text_of(g, sizeof g), "2019-08-16");
    ck_assert_str_eq(text_of(f, sizeof f), "2019-08-16T12:51:00");
    ck_assert_str_eq(text_of(i, sizeof i), "2019-08-16T12:51:30");
    ck_assert_str_eq(text_of(j, sizeof j), "12:51:30");
    ck_assert_str_eq(text_of(i, 5), "none");
    ck_assert_str_eq(text_of(i, 0), "none");
}
END_TEST

START_TEST(what_is_no_date_is_none)
{
    static const uint8_t bad[][4] = {
        { 0xff, 0xff, 0xff, 0xff }, { 0x80, 0x0c, 0x70, 0x28 }, /* marked invalid */
        { 0x33, 0x0c, 0x60, 0x28 },                             /* day 0 */
        { 0x33, 0x0c, 0x70, 0x20 },                             /* month 0 */
        { 0x33, 0x0c, 0x7e, 0x22 },                             /* 30 February */
        { 0x3c, 0x0c, 0x70, 0x28 },                             /* minute 60 */
        { 0x33, 0x18, 0x70, 0x28 },                             /* hour 24 */
        { 0x33, 0x0c, 0xf0, 0xf8 },                             /* year 127 */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(strcmp(text_of(bad[i], 4), "none") == 0, "%zu", i);
}
END_TEST

/* Two-digit years up to 80 are this century's; 81 to 99 the last one's. */
START_TEST(centuries)
{
    const uint8_t y96[] = { 0x10, 0x09, 0x05, 0xc5 };
    const uint8_t hundred[] = { 0x10, 0x29, 0x05, 0x05 };

    ck_assert_str_eq(text_of(y96, sizeof y96), "1996-05-05T09:16:00");
    ck_assert_str_eq(text_of(hundred, sizeof hundred), "2000-05-05T09:16:00");
}
END_TEST

START_TEST(local_time_becomes_an_instant)
{
    const uint8_t summer[] = { 0x1e, 0x82, 0x9b,
                               0x2a }; /* 2020-10-27 is winter: the flag does not move it */
    const uint8_t first[] = { 0x1e, 0x82, 0x99,
                              0x2a }; /* 2020-10-25 02:30, summer time: the first one */
    const uint8_t second[] = { 0x1e, 0x02, 0x99, 0x2a };
    const uint8_t date[] = { 0x99, 0x2a };
    struct mbus_date d;
    struct local_date day = { 2020, 10, 25 };
    emt_time a, b;

    ck_assert(mbus_date_read(summer, 4, &d));
    ck_assert(mbus_date_instant(&d) != EMT_TIME_NONE);
    ck_assert(mbus_date_read(first, 4, &d));
    a = mbus_date_instant(&d);
    ck_assert(mbus_date_read(second, 4, &d));
    b = mbus_date_instant(&d);
    ck_assert_int_eq(b - a, EMT_HOUR);
    ck_assert(mbus_date_read(date, 2, &d));
    ck_assert_int_eq(mbus_date_instant(&d), local_day_start(day));
}
END_TEST

SUITE(mbus_date, types_are_told_by_their_length, what_is_no_date_is_none, centuries,
      local_time_becomes_an_instant)
