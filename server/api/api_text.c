#include "api_text.h"

#include <stdint.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Bytes of the character at p (Unicode, table 3-7: no overlong forms, no surrogates, nothing above
 * U+10FFFF), 0 when there is none. */
static size_t character(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return p[0] != 0;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;

    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool text_is_utf8(const char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t len = character((const uint8_t *)p + at, n - at);

        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

size_t text_length(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

void text_clean(char *text)
{
    size_t n = strlen(text);

    for (size_t at = 0; at < n;) {
        size_t len = character((const uint8_t *)text + at, n - at);

        if (len == 0)
            text[at++] = '?';
        else
            at += len;
    }
}
