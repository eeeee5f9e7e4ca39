#include "iec_text.h"

#include "base/arena.h"

#include <string.h>

#define DECIMAL_LEN_MAX 64
#define HEX_LEN_MAX 16

bool iec_span_is(struct iec_span s, const char *text)
{
    return strlen(text) == s.n && memcmp(s.p, text, s.n) == 0;
}

struct iec_span iec_trim(struct iec_span s)
{
    while (s.n && s.p[0] == ' ') {
        s.p++;
        s.n--;
    }
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool iec_digits(struct iec_span s, unsigned *out)
{
    unsigned v = 0;

    s = iec_trim(s);
    if (s.n == 0 || s.n > 9)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = v;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool iec_hex(struct iec_span s, uint64_t *out)
{
    uint64_t v = 0;

    s = iec_trim(s);
    if (s.n == 0 || s.n > HEX_LEN_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);

        if (digit < 0)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    *out = v;
    return true;
}

/* Up to 18 digits always fit: the common case without a detour. */
static bool read_short(struct iec_span s, struct decimal *out)
{
    bool negative = s.p[0] == '-';
    size_t i = negative || s.p[0] == '+' ? 1 : 0;
    size_t decimals = 0;
    int64_t v = 0;
    bool point = false;

    for (; i < s.n; i++) {
        if (!is_digit(s.p[i])) {
            point = true;
            continue;
        }
        v = v * 10 + (s.p[i] - '0');
        decimals += point;
    }
    *out = decimal_of(negative ? -v : v, -(int)decimals);
    return true;
}

bool iec_decimal(struct iec_span s, struct decimal *out)
{
    char text[DECIMAL_LEN_MAX];
    size_t digits = 0, points = 0;
    size_t i = 0;

    s = iec_trim(s);
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    if (s.p[0] == '+' || s.p[0] == '-')
        i++;
    for (; i < s.n; i++) {
        if (is_digit(s.p[i]))
            digits++;
        else if (s.p[i] == '.' || s.p[i] == ',')
            points++;
        else
            return false;
    }
    if (digits == 0 || points > 1)
        return false;
    if (digits <= 18)
        return read_short(s, out);
    for (i = 0; i < s.n; i++)
        text[i] = s.p[i] == ',' ? '.' : s.p[i];
    return decimal_parse(text, s.n, out) == EMT_OK;
}

/* Length of the UTF-8 character at p, 0 when it is none. Two and three bytes are enough for units
 * and texts of meters. */
static unsigned utf8_len(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    unsigned n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe1 && c <= 0xec ? 3 : 0;

    if (n == 0 || n > left)
        return 0;
    for (unsigned i = 1; i < n; i++)
        if (((unsigned char)p[i] & 0xc0u) != 0x80u)
            return 0;
    return n;
}

static bool is_plain(struct iec_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

const char *iec_copy(struct decode_build *b, struct iec_span s)
{
    char *out;
    size_t n = 0;

    if (is_plain(s))
        return decode_build_copy(b, s.p, s.n);
    out = (char *)arena_alloc(b->req->arena, 2 * s.n + 1);
    if (!out) {
        b->no_memory = true;
        return "";
    }
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        unsigned len = utf8_len(s.p + i, s.n - i);

        if (len) {
            memcpy(out + n, s.p + i, len);
            n += len;
            i += len;
            continue;
        }
        if (c >= 0xa0) {
            out[n++] = (char)(0xc0u | c >> 6);
            out[n++] = (char)(0x80u | (c & 0x3fu));
        } else {
            out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
        }
        i++;
    }
    return out;
}
