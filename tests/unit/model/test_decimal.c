#include "model/decimal.h"
#include "suites.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct decimal dec(const char *text)
{
    struct decimal d = { 0, 0 };

    ck_assert_msg(decimal_parse(text, strlen(text), &d) == EMT_OK, "%s", text);
    return d;
}

static void assert_text(struct decimal d, const char *expected)
{
    char buf[DECIMAL_TEXT_MAX];

    ck_assert_str_eq(decimal_format(d, buf), expected);
}

START_TEST(digits_stay_as_written)
{
    static const struct {
        const char *text;
        int64_t mantissa;
        int exponent;
        const char *back;
    } t[] = {
        { "0", 0, 0, "0" },
        { "12.30", 1230, -2, "12.30" },
        { "-0.5", -5, -1, "-0.5" },
        { "1e3", 1, 3, "1000" },
        { "+007", 7, 0, "7" },
        { "0.00", 0, -2, "0.00" },
        { "-0", 0, 0, "0" },
        { ".5", 5, -1, "0.5" },
        { "5.", 5, 0, "5" },
        { "1.5E-3", 15, -4, "0.0015" },
        { "100", 100, 0, "100" },
        { "9223372036854775807", INT64_MAX, 0, "9223372036854775807" },
        { "-9223372036854775808", INT64_MIN, 0, "-9223372036854775808" },
        { "922337203685477580.8e1", 0, 0, NULL },
        { "-92233720368547758.08", INT64_MIN, -2, "-92233720368547758.08" },
        { "9223372036854775808", 0, 0, NULL },
        { "92233720368547758070", INT64_MAX, 1, "92233720368547758070" },
        { "1e64", 1, 64, NULL },
        { "1e66", 100, 64, NULL },
        { "1e-64", 1, -64, NULL },
        { "10e-65", 1, -64, NULL },
        { "1e-65", 0, 0, NULL },
        { "1e83", 0, 0, NULL },
        { "0e999999999999", 0, 64, "0" },
        { "1e999999999999", 0, 0, NULL },
        { "0.0000000000000000000000000000000000000000000000000000000000000001", 1, -64, NULL },
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct decimal d;
        enum emt_err err = decimal_parse(t[i].text, strlen(t[i].text), &d);

        if (t[i].mantissa == 0 && !t[i].back) {
            ck_assert_msg(err == EMT_ELIMIT, "%s", t[i].text);
            continue;
        }
        ck_assert_msg(err == EMT_OK, "%s", t[i].text);
        ck_assert_int_eq(d.mantissa, t[i].mantissa);
        ck_assert_int_eq(d.exponent, t[i].exponent);
        if (t[i].back)
            assert_text(d, t[i].back);
    }
}
END_TEST

START_TEST(what_is_no_number_is_malformed)
{
    static const char *const bad[] = { "",      "-",   "+",   ".",   "-.",    "e5",
                                       "1e",    "1e+", "1,5", " 1",  "1 ",    "0x10",
                                       "1.2.3", "nan", "inf", "--1", "1e5.0", "٣" };
    struct decimal d = { 42, 1 };

    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(decimal_parse(bad[i], strlen(bad[i]), &d) == EMT_EMALFORMED, "%s", bad[i]);
    ck_assert_int_eq(decimal_parse("1\0002", 3, &d), EMT_EMALFORMED);
    ck_assert_int_eq(d.mantissa, 42);
}
END_TEST

START_TEST(endless_digits_are_a_limit)
{
    char text[40000];
    struct decimal d;

    memset(text, '0', sizeof text);
    ck_assert_int_eq(decimal_parse(text, 1000, &d), EMT_OK);
    text[0] = '1';
    ck_assert_int_eq(decimal_parse(text, 1000, &d), EMT_ELIMIT);
    ck_assert_int_eq(decimal_parse(text, sizeof text, &d), EMT_ELIMIT);
    ck_assert_int_eq(decimal_parse(text, 60, &d), EMT_OK);
    ck_assert_int_eq(decimal_compare(d, decimal_of(1, 59)), 0);
}
END_TEST

START_TEST(the_longest_texts_fit)
{
    char buf[DECIMAL_TEXT_MAX];

    ck_assert_uint_eq(strlen(decimal_format(decimal_of(INT64_MIN, 64), buf)), 84);
    ck_assert_uint_eq(strlen(decimal_format(decimal_of(INT64_MIN, -64), buf)), 67);
    assert_text(decimal_of(-5, -3), "-0.005");
    assert_text(decimal_of(123, -3), "0.123");
    assert_text(decimal_of(0, 5), "0");
    /* No decimal of ours, but a struct can hold it: exact and inside the buffer. */
    assert_text(decimal_of(INT64_MIN, INT16_MIN), "-9223372036854775808e-32768");
}
END_TEST

START_TEST(normal_form)
{
    struct decimal d = decimal_normal(dec("120.00"));

    ck_assert_int_eq(d.mantissa, 12);
    ck_assert_int_eq(d.exponent, 1);
    d = decimal_normal(decimal_of(0, -7));
    ck_assert_int_eq(d.exponent, 0);
    d = decimal_normal(decimal_of(INT64_MIN, 0));
    ck_assert_int_eq(d.mantissa, INT64_MIN);
}
END_TEST

START_TEST(comparison_is_by_value)
{
    static const char *const rising[] = { "-9223372036854775808e64",
                                          "-1e20",
                                          "-10",
                                          "-9.99",
                                          "-1e-64",
                                          "0",
                                          "1e-64",
                                          "0.1",
                                          "9.99",
                                          "10",
                                          "9223372036854775807",
                                          "1e19",
                                          "1e20",
                                          "1e64" };

    for (size_t i = 0; i < COUNT(rising); i++)
        for (size_t j = 0; j < COUNT(rising); j++)
            ck_assert_int_eq(decimal_compare(dec(rising[i]), dec(rising[j])), (i > j) - (i < j));
    ck_assert_int_eq(decimal_compare(dec("1.20"), dec("1.2")), 0);
    ck_assert_int_eq(decimal_compare(decimal_of(0, 3), decimal_of(0, -3)), 0);
    ck_assert_int_eq(decimal_compare(decimal_of(1, 19), decimal_of(INT64_MAX, 0)), 1);
}
END_TEST

START_TEST(sums_are_exact_or_refused)
{
    static const struct {
        const char *a;
        const char *b;
        const char *sum;
        const char *difference;
    } t[] = {
        { "1.20", "0.030", "1.230", "1.170" },
        { "-5", "5", "0", "-10" },
        { "9223372036854775807", "1", NULL, "9223372036854775806" },
        { "9223372036854775807", "3", "9223372036854775810", "9223372036854775804" },
        { "0", "-9223372036854775808", "-9223372036854775808", NULL },
        { "-1", "-9223372036854775808", NULL, "9223372036854775807" },
        { "1e20", "1", NULL, NULL },
        { "1e20", "10e-1", NULL, NULL },
        { "1e30", "0.00", "1e30", "1e30" },
        { "0", "1e-30", "1e-30", "-1e-30" },
        { "1e40", "1000000000000000000e21", "1.1e40", "0.9e40" },
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct decimal out;
        enum emt_err err = decimal_add(dec(t[i].a), dec(t[i].b), &out);

        ck_assert_int_eq(err, t[i].sum ? EMT_OK : EMT_ELIMIT);
        if (t[i].sum)
            ck_assert_int_eq(decimal_compare(out, dec(t[i].sum)), 0);
        err = decimal_sub(dec(t[i].a), dec(t[i].b), &out);
        ck_assert_msg(err == (t[i].difference ? EMT_OK : EMT_ELIMIT), "%s - %s", t[i].a, t[i].b);
        if (t[i].difference)
            ck_assert_int_eq(decimal_compare(out, dec(t[i].difference)), 0);
    }
}
END_TEST

START_TEST(products_are_exact_or_refused)
{
    struct decimal out;

    ck_assert_int_eq(decimal_mul(dec("1.5"), dec("-0.20"), &out), EMT_OK);
    assert_text(out, "-0.300");
    ck_assert_int_eq(decimal_mul(dec("5000000000"), dec("4000000000"), &out), EMT_OK);
    assert_text(out, "20000000000000000000");
    ck_assert_int_eq(decimal_mul(dec("9223372036854775807"), dec("3"), &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_mul(decimal_of(INT64_MIN, 0), decimal_of(INT64_MIN, 0), &out),
                     EMT_ELIMIT);
    ck_assert_int_eq(decimal_mul(dec("1e64"), dec("1e18"), &out), EMT_OK);
    ck_assert_int_eq(decimal_mul(dec("1e64"), dec("1e19"), &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_mul(dec("1e-64"), dec("0.1"), &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_mul(dec("0"), dec("1e-64"), &out), EMT_OK);
}
END_TEST

START_TEST(rescaling_loses_nothing)
{
    struct decimal out;

    ck_assert_int_eq(decimal_rescale(dec("12.30"), -1, &out), EMT_OK);
    assert_text(out, "12.3");
    ck_assert_int_eq(decimal_rescale(dec("12.30"), -5, &out), EMT_OK);
    assert_text(out, "12.30000");
    ck_assert_int_eq(decimal_rescale(dec("12.30"), 0, &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_rescale(dec("1e18"), -1, &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_rescale(dec("0"), -64, &out), EMT_OK);
    ck_assert_int_eq(decimal_rescale(dec("0"), 65, &out), EMT_ELIMIT);
}
END_TEST

START_TEST(rounding_is_half_away_from_zero)
{
    static const struct {
        const char *in;
        int decimals;
        const char *out;
    } t[] = {
        { "0.125", 2, "0.13" },
        { "-0.125", 2, "-0.13" },
        { "0.1249", 2, "0.12" },
        { "2.5", 0, "3" },
        { "-2.5", 0, "-3" },
        { "1.2", 3, "1.2" },
        { "149", -2, "100" },
        { "150", -2, "200" },
        { "0.5e-20", 1, "0.0" },
        { "9e-1", 0, "1" },
        { "9223372036854775807e-19", 0, "1" },
        { "4999999999999999999e-19", 0, "0" },
        { "5e-64", 2, "0.00" },
    };
    struct decimal out;

    for (size_t i = 0; i < COUNT(t); i++) {
        ck_assert_int_eq(decimal_round(dec(t[i].in), t[i].decimals, &out), EMT_OK);
        assert_text(out, t[i].out);
    }
}
END_TEST

START_TEST(quotients)
{
    static const struct {
        const char *a;
        const char *b;
        int decimals;
        const char *out;
    } t[] = {
        { "1", "3", 3, "0.333" },
        { "2", "3", 3, "0.667" },
        { "-2", "3", 3, "-0.667" },
        { "1", "8", 2, "0.13" },
        { "1", "-8", 2, "-0.13" },
        { "3600000", "3.6e6", 0, "1" },
        { "1e-30", "1", 5, "0.00000" },
        { "1e30", "1e30", 2, "1.00" },
        { "0", "7", 1, "0.0" },
        { "1e64", "1e60", 0, "10000" },
        { "1e30", "1", 2, "1000000000000000000000000000000" },
        { "9223372036854775807", "9223372036854775807e19", 19, "0.0000000000000000001" },
        { "5e-1", "1", 0, "1" },
        { "4999999999999999999e-19", "1", 0, "0" },
    };
    struct decimal out;

    for (size_t i = 0; i < COUNT(t); i++) {
        ck_assert_int_eq(decimal_div(dec(t[i].a), dec(t[i].b), t[i].decimals, &out), EMT_OK);
        assert_text(out, t[i].out);
    }
    ck_assert_int_eq(decimal_div(dec("1"), dec("0.0"), 2, &out), EMT_EMALFORMED);
    ck_assert_int_eq(decimal_div(dec("1"), dec("3"), 19, &out), EMT_OK);
    ck_assert_int_eq(decimal_div(dec("1"), dec("3"), 20, &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_div(dec("1e64"), dec("1e-64"), 0, &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_div(decimal_of(INT64_MIN, 0), decimal_of(-1, 0), 0, &out), EMT_ELIMIT);
}
END_TEST

START_TEST(single_floats)
{
    static const struct {
        uint32_t bits;
        const char *text;
    } t[] = {
        { 0x00000000, "0" },           { 0x80000000, "0" },   { 0x3f800000, "1" },
        { 0xbf000000, "-0.5" },        { 0x42c80000, "100" }, { 0x4b7fffff, "16777215" },
        { 0x501502f9, "10000000000" }, { 0x3fc00000, "1.5" }, { 0x43660b44, "230.04400634765625" },
    };
    struct decimal out;

    for (size_t i = 0; i < COUNT(t); i++) {
        ck_assert_int_eq(decimal_from_float32(t[i].bits, &out), EMT_OK);
        ck_assert_int_eq(decimal_compare(out, dec(t[i].text)), 0);
    }
    /* The exact value has more digits than a decimal holds: the shortest one counts. */
    ck_assert_int_eq(decimal_from_float32(0x3dcccccd, &out), EMT_OK);
    assert_text(out, "0.1");
    ck_assert_int_eq(decimal_from_float32(0x5f000000, &out), EMT_OK);
    ck_assert_int_eq(decimal_compare(out, dec("9.223372e18")), 0);
    ck_assert_int_eq(decimal_from_float32(0x00000001, &out), EMT_OK);
    ck_assert_int_eq(decimal_compare(out, dec("1e-45")), 0);
    ck_assert_int_eq(decimal_from_float32(0x7f7fffff, &out), EMT_OK);
    ck_assert_int_eq(decimal_compare(out, dec("3.4028235e38")), 0);
    ck_assert_int_eq(decimal_from_float32(0x7f800000, &out), EMT_EMALFORMED);
    ck_assert_int_eq(decimal_from_float32(0xff800000, &out), EMT_EMALFORMED);
    ck_assert_int_eq(decimal_from_float32(0x7fc00000, &out), EMT_EMALFORMED);
}
END_TEST

START_TEST(double_floats)
{
    struct decimal out;

    ck_assert_int_eq(decimal_from_float64(UINT64_C(0x3fb999999999999a), &out), EMT_OK);
    assert_text(out, "0.1");
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0x3ff8000000000000), &out), EMT_OK);
    assert_text(out, "1.5");
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0xc340000000000000), &out), EMT_OK);
    assert_text(out, "-9007199254740992");
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0xc3e0000000000000), &out), EMT_OK);
    assert_text(out, "-9223372036854775808");
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0x4480f0cf064dd592), &out), EMT_OK);
    ck_assert_int_eq(decimal_compare(out, dec("1e22")), 0);
    ck_assert_int_eq(decimal_from_float64(1, &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0x7fefffffffffffff), &out), EMT_ELIMIT);
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0x7ff0000000000000), &out), EMT_EMALFORMED);
    ck_assert_int_eq(decimal_from_float64(UINT64_C(0xfff8000000000001), &out), EMT_EMALFORMED);
}
END_TEST

SUITE(decimal, digits_stay_as_written, what_is_no_number_is_malformed, endless_digits_are_a_limit,
      the_longest_texts_fit, normal_form, comparison_is_by_value, sums_are_exact_or_refused,
      products_are_exact_or_refused, rescaling_loses_nothing, rounding_is_half_away_from_zero,
      quotients, single_floats, double_floats)
