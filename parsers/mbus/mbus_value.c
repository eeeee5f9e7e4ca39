#include "mbus_value.h"

#include "base/arena.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LVAR_TEXT_LAST 0xbf
#define LVAR_BCD 0xc0
#define LVAR_BCD_NEGATIVE 0xd0
#define LVAR_BINARY 0xe0
#define BINARY_MAX 8
#define BCD_MAX 9

static bool is_bcd(uint8_t coding)
{
    return (coding >= MBUS_BCD2 && coding <= MBUS_BCD8) || coding == MBUS_BCD12;
}

int64_t mbus_binary(const uint8_t *p, size_t n, bool is_signed)
{
    uint64_t v = 0;

    for (size_t i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    if (is_signed && n > 0 && n < BINARY_MAX && (p[n - 1] & 0x80u))
        v |= ~UINT64_C(0) << (8 * n);
    return (int64_t)v;
}

bool mbus_bcd(const uint8_t *p, size_t n, int64_t *out)
{
    int64_t v = 0;
    bool negative = false;

    for (size_t i = 2 * n; i > 0; i--) {
        unsigned digit = (i - 1) % 2 ? p[(i - 1) / 2] >> 4 : p[(i - 1) / 2] & 0x0fu;

        if (digit == 0x0f && i == 2 * n) {
            negative = true; /* EN 13757-3, type A: F as the highest digit is the minus sign */
            digit = 0;
        }
        if (digit > 9)
            return false;
        v = v * 10 + (int64_t)digit;
    }
    *out = negative ? -v : v;
    return true;
}

/* Letters and digits, not a block of bytes that only counts as text by its length. */
static bool is_printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((p[i] < 0x20 && p[i] != 0) || (p[i] >= 0x7f && p[i] < 0xa0))
            return false;
    return true;
}

/* Latin-1, last character first, as UTF-8; a NUL ends nothing and shows nothing. */
static const char *reversed_text(struct arena *arena, const uint8_t *p, size_t n)
{
    char *out = (char *)arena_alloc(arena, 2 * n + 1);
    size_t len = 0;

    if (!out)
        return NULL;
    for (size_t i = n; i > 0; i--) {
        uint8_t c = p[i - 1];

        if (c >= 0x80) {
            out[len++] = (char)(0xc0 | c >> 6);
            out[len++] = (char)(0x80 | (c & 0x3f));
        } else if (c != 0) {
            out[len++] = (char)c;
        }
    }
    out[len] = 0;
    return out;
}

static const char *hex_text(struct arena *arena, const uint8_t *p, size_t n)
{
    char *out = (char *)arena_alloc(arena, 2 * n + 1);

    return out ? hex_encode(p, n, out) : NULL;
}

/* Nibbles from the highest to the lowest. */
static const char *digits_text(struct arena *arena, const uint8_t *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    char *out = (char *)arena_alloc(arena, 2 * n + 1);

    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[p[n - 1 - i] >> 4];
        out[2 * i + 1] = digit[p[n - 1 - i] & 0x0f];
    }
    out[2 * n] = 0;
    return out;
}

static void set_number(struct mbus_value *v, int64_t number)
{
    v->kind = MBUS_VALUE_NUMBER;
    v->number = decimal_of(number, 0);
}

/* EN 13757-3, type B: the smallest number means "no value". */
static bool is_smallest(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (p[i] != 0)
            return false;
    return n > 0 && p[n - 1] == 0x80;
}

static enum emt_err put_text(struct mbus_value *v, enum mbus_value_kind kind, const char *text)
{
    v->kind = kind;
    v->text = text;
    return text ? EMT_OK : EMT_ENOMEM;
}

static enum emt_err value_of_bcd(struct arena *arena, const uint8_t *p, size_t n, bool negative,
                                 struct mbus_value *v)
{
    int64_t number;

    if (!mbus_bcd(p, n, &number))
        return put_text(v, MBUS_VALUE_INVALID, digits_text(arena, p, n));
    set_number(v, negative ? -number : number);
    return EMT_OK;
}

static enum emt_err value_of_variable(struct arena *arena, const struct mbus_record *rec,
                                      bool is_signed, struct mbus_value *v)
{
    const uint8_t *p = rec->value;
    size_t n = rec->value_len;

    if (rec->lvar <= LVAR_TEXT_LAST && is_printable(p, n))
        return put_text(v, MBUS_VALUE_TEXT, reversed_text(arena, p, n));
    if (rec->lvar <= LVAR_TEXT_LAST)
        return put_text(v, MBUS_VALUE_BYTES, hex_text(arena, p, n));
    if (n == 0)
        return EMT_OK;
    if (rec->lvar < LVAR_BINARY && n <= BCD_MAX)
        return value_of_bcd(arena, p, n, rec->lvar >= LVAR_BCD_NEGATIVE, v);
    if (n > BINARY_MAX)
        return put_text(v, MBUS_VALUE_BYTES, hex_text(arena, p, n));
    set_number(v, mbus_binary(p, n, is_signed));
    return EMT_OK;
}

static enum emt_err value_of_float(struct arena *arena, const struct mbus_record *rec,
                                   struct mbus_value *v)
{
    uint32_t bits = (uint32_t)mbus_binary(rec->value, rec->value_len, false);

    if (decimal_from_float32(bits, &v->number) == EMT_OK)
        v->kind = MBUS_VALUE_NUMBER;
    else
        return put_text(v, MBUS_VALUE_INVALID, hex_text(arena, rec->value, rec->value_len));
    return EMT_OK;
}

enum emt_err mbus_value_of(struct arena *arena, const struct mbus_record *rec, bool is_signed,
                           struct mbus_value *out)
{
    enum emt_err err = EMT_OK;

    memset(out, 0, sizeof *out);
    if (rec->tail)
        err = put_text(out, MBUS_VALUE_BYTES, hex_text(arena, rec->value, rec->value_len));
    else if (rec->coding == MBUS_VARIABLE)
        err = value_of_variable(arena, rec, is_signed, out);
    else if (rec->coding == MBUS_FLOAT32)
        err = value_of_float(arena, rec, out);
    else if (is_bcd(rec->coding))
        err = value_of_bcd(arena, rec->value, rec->value_len, false, out);
    else if (rec->value_len > 0) {
        set_number(out, mbus_binary(rec->value, rec->value_len, is_signed));
        out->not_available =
            is_signed && rec->value_len > 1 && is_smallest(rec->value, rec->value_len);
    }
    return err;
}

enum emt_err mbus_value_identifier(struct arena *arena, const struct mbus_record *rec,
                                   const char **out)
{
    const uint8_t *p = rec->value;
    size_t n = rec->value_len;
    char number[24];

    if (rec->coding == MBUS_VARIABLE && rec->lvar <= LVAR_TEXT_LAST)
        *out = reversed_text(arena, p, n);
    else if (is_bcd(rec->coding) || (rec->coding == MBUS_VARIABLE && rec->lvar < LVAR_BINARY))
        *out = digits_text(arena, p, n);
    else if (n <= BINARY_MAX) {
        (void)snprintf(number, sizeof number, "%" PRIu64, (uint64_t)mbus_binary(p, n, false));
        *out = arena_text(arena, number, strlen(number));
    } else {
        *out = hex_text(arena, p, n);
    }
    return *out ? EMT_OK : EMT_ENOMEM;
}
