#include "base/json_text.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Length of the well-formed UTF-8 sequence at p (Unicode, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF), 0 when there is none. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static void put_escaped(struct writer *w, uint8_t c)
{
    switch (c) {
    case '"':
        writer_text(w, "\\\"");
        break;
    case '\\':
        writer_text(w, "\\\\");
        break;
    case '\n':
        writer_text(w, "\\n");
        break;
    case '\r':
        writer_text(w, "\\r");
        break;
    case '\t':
        writer_text(w, "\\t");
        break;
    default:
        writer_printf(w, "\\u%04x", c);
        break;
    }
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void json_put_string(struct writer *w, const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t i = 0;

    writer_u8(w, '"');
    while (i < n) {
        size_t run = 0;
        size_t len;

        while (i + run < n && is_plain(p[i + run]))
            run++;
        writer_bytes(w, p + i, run);
        i += run;
        if (i == n)
            break;
        len = utf8_length(p + i, n - i);
        if (len > 1)
            writer_bytes(w, p + i, len);
        else if (len == 1)
            put_escaped(w, p[i]);
        else
            writer_text(w, "\xef\xbf\xbd"); /* U+FFFD */
        i += len ? len : 1;
    }
    writer_u8(w, '"');
}

void json_put_cstr(struct writer *w, const char *s)
{
    if (s)
        json_put_string(w, s, strlen(s));
    else
        writer_text(w, "null");
}
