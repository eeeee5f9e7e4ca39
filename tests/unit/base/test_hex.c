#include "base/hex.h"
#include "suites.h"

#include <string.h>

static enum emt_err decode(const char *text, uint8_t *out, size_t cap, size_t *len)
{
    return hex_decode(text, strlen(text), out, cap, len);
}

START_TEST(hex_passes_over_what_stands_between_bytes)
{
    uint8_t out[8];
    size_t len;

    ck_assert_int_eq(decode(" 00fF|a5_\t5A\r\n", out, sizeof out, &len), EMT_OK);
    ck_assert_uint_eq(len, 4);
    ck_assert_mem_eq(out, "\x00\xff\xa5\x5a", 4);
}
END_TEST

START_TEST(half_bytes_and_other_letters_are_malformed)
{
    static const char *const bad[] = { "0", "000", "0 0", "0g", "g0", "0x00", "00-11" };
    uint8_t out[8];
    size_t len = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(decode(bad[i], out, sizeof out, &len), EMT_EMALFORMED);
    ck_assert_uint_eq(len, 7);
}
END_TEST

START_TEST(more_than_fits_is_a_limit)
{
    uint8_t out[2];
    size_t len;

    ck_assert_int_eq(decode("0011", out, 2, &len), EMT_OK);
    ck_assert_int_eq(decode("001122", out, 2, &len), EMT_ELIMIT);
    ck_assert_int_eq(decode("", out, 0, &len), EMT_OK);
    ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(hex_is_lower_case)
{
    char out[5];

    ck_assert_str_eq(hex_encode((const uint8_t *)"\xab\x01", 2, out), "ab01");
}
END_TEST

/* RFC 4648, section 10. */
START_TEST(base64_of_the_standard)
{
    static const char *const texts[][2] = {
        { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
        { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *plain = texts[i][0];
        const char *coded = texts[i][1];
        uint8_t out[8];
        char text[16];
        size_t len;

        ck_assert_str_eq(base64_encode((const uint8_t *)plain, strlen(plain), text), coded);
        ck_assert_int_eq(base64_decode(coded, strlen(coded), out, sizeof out, &len), EMT_OK);
        ck_assert_uint_eq(len, strlen(plain));
        ck_assert_mem_eq(out, plain, len);
    }
}
END_TEST

START_TEST(base64url_has_no_padding_and_reads_back)
{
    uint8_t out[4];
    char text[8];
    size_t len;

    ck_assert_str_eq(base64url_encode((const uint8_t *)"\xfb\xff", 2, text), "-_8");
    ck_assert_int_eq(base64_decode("-_8", 3, out, sizeof out, &len), EMT_OK);
    ck_assert_int_eq(base64_decode("+/8=", 4, out, sizeof out, &len), EMT_OK);
    ck_assert_mem_eq(out, "\xfb\xff", 2);
}
END_TEST

START_TEST(broken_base64_is_malformed)
{
    static const char *const bad[] = { "Z",    "Zg=",  "Zg===", "====", "=",
                                       "Zm 9", "Zh==", "Zm9=",  "Zm9v=" };
    uint8_t out[8];
    size_t len;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &len) ==
                          EMT_EMALFORMED,
                      "%s", bad[i]);
    ck_assert_int_eq(base64_decode("Zm9v", 4, out, 2, &len), EMT_ELIMIT);
}
END_TEST

SUITE(hex, hex_passes_over_what_stands_between_bytes, half_bytes_and_other_letters_are_malformed,
      more_than_fits_is_a_limit, hex_is_lower_case, base64_of_the_standard,
      base64url_has_no_padding_and_reads_back, broken_base64_is_malformed)
