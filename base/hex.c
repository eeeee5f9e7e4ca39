#include "base/hex.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int is_passed_over(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '|' || c == '_';
}

enum emt_err hex_decode(const char *text, size_t n, uint8_t *out, size_t cap, size_t *len)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        int high;
        int low;

        if (is_passed_over(text[i]))
            continue;
        high = hex_digit(text[i]);
        low = i + 1 < n ? hex_digit(text[i + 1]) : -1;
        if (high < 0 || low < 0)
            return EMT_EMALFORMED;
        if (at == cap)
            return EMT_ELIMIT;
        out[at++] = (uint8_t)(high << 4 | low);
        i++;
    }
    *len = at;
    return EMT_OK;
}

char *hex_encode(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 0x0f];
    }
    out[2 * n] = 0;
    return out;
}

/* RFC 4648, sections 4 and 5. */
static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode64(const uint8_t *p, size_t n, char *out, const char *alphabet, int padded)
{
    char *to = out;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);

        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        if (left > 1)
            *to++ = alphabet[v >> 6 & 63];
        else if (padded)
            *to++ = '=';
        if (left > 2)
            *to++ = alphabet[v & 63];
        else if (padded)
            *to++ = '=';
    }
    *to = 0;
    return out;
}

char *base64_encode(const uint8_t *p, size_t n, char *out)
{
    return encode64(p, n, out, standard, 1);
}

char *base64url_encode(const uint8_t *p, size_t n, char *out)
{
    return encode64(p, n, out, url_safe, 0);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

enum emt_err base64_decode(const char *text, size_t n, uint8_t *out, size_t cap, size_t *len)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = 0;

    if (n % 4 == 0 && n > 0 && text[n - 1] == '=')
        n -= text[n - 2] == '=' ? 2 : 1;
    if (n % 4 == 1)
        return EMT_EMALFORMED;
    for (size_t i = 0; i < n; i++) {
        int v = base64_digit(text[i]);

        if (v < 0)
            return EMT_EMALFORMED;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8)
            continue;
        if (at == cap)
            return EMT_ELIMIT;
        have -= 8;
        out[at++] = (uint8_t)(bits >> have);
        bits &= (1u << have) - 1;
    }
    /* Bits left over must be 0, or two texts would stand for the same bytes (RFC 4648, 3.5). */
    if (bits != 0)
        return EMT_EMALFORMED;
    *len = at;
    return EMT_OK;
}
