#include "base/json_text.h"
#include "suites.h"

#include <string.h>

static void assert_json(const char *in, size_t n, const char *expected)
{
    char out[256];
    struct writer w;

    writer_init_fixed(&w, out, sizeof out);
    json_put_string(&w, in, n);
    ck_assert_str_eq(writer_cstr(&w), expected);
}

START_TEST(what_json_demands_is_escaped)
{
    assert_json("a\"b\\c\n\r\t\x01\x7f", 10, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f\"");
    assert_json("a\0b", 3, "\"a\\u0000b\"");
    assert_json("", 0, "\"\"");
}
END_TEST

START_TEST(utf8_passes)
{
    assert_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}
END_TEST

#define R "\xef\xbf\xbd"

START_TEST(what_is_no_utf8_is_replaced)
{
    assert_json("\x80", 1, "\"" R "\"");
    assert_json("\xc0\xaf", 2, "\"" R R "\"");             /* overlong */
    assert_json("\xe0\x80\xaf", 3, "\"" R R R "\"");       /* overlong */
    assert_json("\xed\xa0\x80", 3, "\"" R R R "\"");       /* surrogate */
    assert_json("\xf4\x90\x80\x80", 4, "\"" R R R R "\""); /* above U+10FFFF */
    assert_json("\xe2\x82", 2, "\"" R R "\"");             /* cut */
    assert_json("\xe2\x82x", 3, "\"" R R "x\"");
}
END_TEST

START_TEST(no_text_is_null)
{
    char out[8];
    struct writer w;

    writer_init_fixed(&w, out, sizeof out);
    json_put_cstr(&w, NULL);
    ck_assert_str_eq(writer_cstr(&w), "null");
}
END_TEST

SUITE(json_text, what_json_demands_is_escaped, utf8_passes, what_is_no_utf8_is_replaced,
      no_text_is_null)
