/* Buffers of class 7 with columns that a client knows. */
#include "dlms/dlms_profile.h"
#include "suites.h"
#include "support.h"

#include <string.h>

/* Four hourly rows: the clock of the first, then nulls. */
static const char hourly[] = "01040204090c07e9061e0117000000ff8880 1106 060000a1f3 06000002b7"
                             "0204 00 1106 060000a1f4 06000002b7 0204 00 1106 060000a1f5 00"
                             "0204 00 1102 00 06000002b8";

static struct decode_result out;

static struct dlms_columns columns_of_hourly(uint32_t period_s)
{
    struct dlms_columns c = { .n = 4, .period_s = period_s };

    c.list[0] =
        (struct dlms_column){ .class_id = 8, .obis = { 0, 0, 1, 0, 0, 255 }, .attribute = 2 };
    c.list[1] =
        (struct dlms_column){ .class_id = 1, .obis = { 0, 0, 96, 10, 1, 255 }, .attribute = 2 };
    c.list[2] = (struct dlms_column){ .class_id = 3,
                                      .obis = { 1, 0, 1, 8, 0, 255 },
                                      .attribute = 2,
                                      .has_scale = true,
                                      .scaler = 1,
                                      .unit = 30 };
    c.list[3] = (struct dlms_column){
        .class_id = 3, .obis = { 1, 0, 2, 8, 0, 255 }, .attribute = 2, .unit = 255
    };
    return c;
}

static struct dlms_context put(const char *hex, const struct dlms_columns *columns)
{
    static uint8_t bytes[512];
    static struct decode_request req;
    struct dlms_context ctx = { .nunits = 0 };
    struct axdr_tree tree;
    struct reader in = reader_of(bytes, dlms_test_hex(hex, bytes, sizeof bytes));

    req.arena = dlms_test_arena();
    memset(&out, 0, sizeof out);
    ck_assert_int_eq(decode_build_init(&ctx.b, &req, &out, false), EMT_OK);
    ck_assert_int_eq(axdr_read(&in, req.arena, false, &tree), EMT_OK);
    ck_assert(dlms_is_buffer(&tree, 0, columns));
    dlms_profile_put(&ctx, &tree, 0, columns);
    ck_assert_int_eq(decode_build_finish(&ctx.b, FRAME_OK), EMT_OK);
    return ctx;
}

static void expect(unsigned i, const char *want)
{
    char is[TEST_LINE_MAX];

    ck_assert_uint_lt(i, out.nreadings);
    dlms_test_print(&out.readings[i], is);
    ck_assert_str_eq(is, want);
    ck_assert_int_eq(out.readings[i].time_source, TIME_SOURCE_PROFILE);
}

START_TEST(a_null_clock_is_the_period_later)
{
    struct dlms_columns c = columns_of_hourly(3600);

    ck_assert_uint_eq(put(hourly, &c).timeless, 0);
    ck_assert_uint_eq(out.nreadings, 12);
    expect(0, "reading 0-0:96.10.1*255 status 6 - 2025-06-30T23:00:00+02:00");
    expect(1, "reading 1-0:1.8.0*255 energy 414590 Wh 2025-06-30T23:00:00+02:00 q=import"
              " quality=invalid");
    expect(4, "reading 1-0:1.8.0*255 energy 414600 Wh 2025-07-01T00:00:00+02:00 q=import"
              " quality=invalid");
    expect(10, "reading 1-0:1.8.0*255 energy 414610 Wh 2025-07-01T02:00:00+02:00 q=import"
               " quality=provisional"); /* its clock was not sure */
    dlms_test_release();
}
END_TEST

START_TEST(a_null_value_repeats_the_row_above)
{
    struct dlms_columns c = columns_of_hourly(3600);

    (void)put(hourly, &c);
    expect(8, "reading 1-0:2.8.0*255 energy 695 - 2025-07-01T01:00:00+02:00 q=export"
              " quality=invalid");
    expect(11, "reading 1-0:2.8.0*255 energy 696 - 2025-07-01T02:00:00+02:00 q=export"
               " quality=provisional");
    dlms_test_release();
}
END_TEST

START_TEST(without_a_period_a_null_clock_is_no_time)
{
    struct dlms_columns c = columns_of_hourly(0);

    ck_assert_uint_eq(put(hourly, &c).timeless, 3);
    ck_assert_uint_eq(out.nreadings, 3);
    dlms_test_release();
}
END_TEST

START_TEST(without_a_clock_column_there_is_no_time)
{
    struct dlms_columns c = columns_of_hourly(3600);

    c.list[0].class_id = 1;
    ck_assert_uint_eq(put(hourly, &c).timeless, 4);
    ck_assert_uint_eq(out.nreadings, 0);
    dlms_test_release();
}
END_TEST

START_TEST(rows_of_another_width_are_no_buffer)
{
    uint8_t bytes[64];
    struct dlms_columns c = columns_of_hourly(3600);
    struct axdr_tree tree;
    struct reader in =
        reader_of(bytes, dlms_test_hex("0102 02021101 1102 02011103", bytes, sizeof bytes));

    ck_assert_int_eq(axdr_read(&in, dlms_test_arena(), false, &tree), EMT_OK);
    c.n = 2;
    ck_assert(!dlms_is_buffer(&tree, 0, &c));
    dlms_test_release();
}
END_TEST

SUITE(dlms_profile, a_null_clock_is_the_period_later, a_null_value_repeats_the_row_above,
      without_a_period_a_null_clock_is_no_time, without_a_clock_column_there_is_no_time,
      rows_of_another_width_are_no_buffer)
