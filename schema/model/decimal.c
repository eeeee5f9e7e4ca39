/* Intermediate values are 128 bits wide: the product of two mantissas, or a mantissa times 10^19,
 * always fits. Results that end in zeros are brought into range by dropping those zeros, never by
 * rounding. */
#include "model/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define EXPONENT_MAX 64
#define DIGITS_MAX 128 /* longest mantissa text looked at */
#define EXPONENT_TEXT_MAX 100000

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

/* n = 0..19 */
static wide power_of_ten(unsigned n)
{
    wide v = 1;

    while (n--)
        v *= 10;
    return v;
}

static bool fits(wide v)
{
    return v >= INT64_MIN && v <= INT64_MAX;
}

static bool in_range(int exponent)
{
    return exponent >= -EXPONENT_MAX && exponent <= EXPONENT_MAX;
}

/* m * 10^exponent as a decimal, exactly, or EMT_ELIMIT. */
static enum emt_err settle(wide m, int exponent, struct decimal *out)
{
    if (m == 0) {
        if (exponent < -EXPONENT_MAX)
            exponent = -EXPONENT_MAX;
        if (exponent > EXPONENT_MAX)
            exponent = EXPONENT_MAX;
    }
    while ((!fits(m) || exponent < -EXPONENT_MAX) && m % 10 == 0) {
        m /= 10;
        exponent++;
    }
    while (exponent > EXPONENT_MAX && fits(m)) {
        m *= 10;
        exponent--;
    }
    if (!fits(m) || !in_range(exponent))
        return EMT_ELIMIT;
    *out = decimal_of((int64_t)m, exponent);
    return EMT_OK;
}

/* A number as text, cut into its parts. */
struct text_parts {
    bool negative;
    char digits[DIGITS_MAX]; /* without leading zeros */
    unsigned ndigits;
    int exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits from *at on; false when they are too many. *seen counts them with leading zeros. */
static bool take_digits(const char *text, size_t n, size_t *at, struct text_parts *p, size_t *seen)
{
    for (*seen = 0; *at < n && is_digit(text[*at]); ++*at, ++*seen) {
        if (p->ndigits == 0 && text[*at] == '0')
            continue;
        if (p->ndigits == DIGITS_MAX)
            return false;
        p->digits[p->ndigits++] = text[*at];
    }
    return true;
}

/* "e-3"; a huge exponent is cut to one that is out of range anyway. */
static bool take_exponent(const char *text, size_t n, size_t *at, int *exponent)
{
    bool negative = *at < n && text[*at] == '-';
    int v = 0;

    if (*at < n && (text[*at] == '-' || text[*at] == '+'))
        ++*at;
    if (*at == n || !is_digit(text[*at]))
        return false;
    for (; *at < n && is_digit(text[*at]); ++*at)
        if (v < EXPONENT_TEXT_MAX)
            v = v * 10 + (text[*at] - '0');
    *exponent = negative ? -v : v;
    return true;
}

static enum emt_err split(const char *text, size_t n, struct text_parts *p)
{
    size_t at = 0;
    size_t whole;
    size_t decimals = 0;

    if (n > INT16_MAX)
        return EMT_ELIMIT;
    p->negative = n && text[0] == '-';
    if (n && (text[0] == '-' || text[0] == '+'))
        at++;
    if (!take_digits(text, n, &at, p, &whole))
        return EMT_ELIMIT;
    if (at < n && text[at] == '.') {
        at++;
        if (!take_digits(text, n, &at, p, &decimals))
            return EMT_ELIMIT;
    }
    if (whole + decimals == 0)
        return EMT_EMALFORMED;
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (!take_exponent(text, n, &at, &p->exponent))
            return EMT_EMALFORMED;
    }
    p->exponent -= (int)decimals;
    return at == n ? EMT_OK : EMT_EMALFORMED;
}

enum emt_err decimal_parse(const char *text, size_t n, struct decimal *out)
{
    struct text_parts p = { .ndigits = 0 };
    enum emt_err err = split(text, n, &p);
    wide m = 0;

    if (err)
        return err;
    /* 37 digits fit; beyond them only zeros may be dropped. */
    while (p.ndigits > 37 && p.digits[p.ndigits - 1] == '0') {
        p.ndigits--;
        p.exponent++;
    }
    if (p.ndigits > 37)
        return EMT_ELIMIT;
    for (unsigned i = 0; i < p.ndigits; i++)
        m = m * 10 + (p.digits[i] - '0');
    return settle(p.negative ? -m : m, p.exponent, out);
}

char *decimal_format(struct decimal d, char buf[DECIMAL_TEXT_MAX])
{
    char digits[24];
    uint64_t magnitude = d.mantissa < 0 ? 0 - (uint64_t)d.mantissa : (uint64_t)d.mantissa;
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)magnitude);
    const char *sign = d.mantissa < 0 ? "-" : "";
    int point = n + d.exponent; /* digits before the decimal point */

    if (!in_range(d.exponent))
        /* No value of ours; printed exactly all the same, and within the buffer. */
        (void)snprintf(buf, DECIMAL_TEXT_MAX, "%s%se%d", sign, digits, d.exponent);
    else if (d.mantissa == 0 && d.exponent > 0)
        (void)snprintf(buf, DECIMAL_TEXT_MAX, "0");
    else if (d.exponent >= 0)
        (void)snprintf(buf, DECIMAL_TEXT_MAX, "%s%s%.*d", sign, digits, d.exponent, 0);
    else if (point > 0)
        (void)snprintf(buf, DECIMAL_TEXT_MAX, "%s%.*s.%s", sign, point, digits, digits + point);
    else
        (void)snprintf(buf, DECIMAL_TEXT_MAX, "%s0.%.*d%s", sign, -point, 0, digits);
    return buf;
}

struct decimal decimal_normal(struct decimal d)
{
    int exponent = d.exponent;

    if (d.mantissa == 0)
        return decimal_of(0, 0);
    while (d.mantissa % 10 == 0 && exponent < EXPONENT_MAX) {
        d.mantissa /= 10;
        exponent++;
    }
    return decimal_of(d.mantissa, exponent);
}

static int sign_of(wide v)
{
    return (v > 0) - (v < 0);
}

int decimal_compare(struct decimal a, struct decimal b)
{
    int gap = a.exponent - b.exponent;

    if (sign_of(a.mantissa) != sign_of(b.mantissa) || a.mantissa == 0)
        return sign_of((wide)sign_of(a.mantissa) - sign_of(b.mantissa));
    if (gap > 19) /* |a| >= 10^20 units of b, more than any mantissa */
        return sign_of(a.mantissa);
    if (gap < -19)
        return -sign_of(b.mantissa);
    return gap >= 0 ? sign_of((wide)a.mantissa * power_of_ten((unsigned)gap) - b.mantissa)
                    : sign_of(a.mantissa - (wide)b.mantissa * power_of_ten((unsigned)-gap));
}

/* high * 10^high_exponent + low * 10^low_exponent, both mantissas within 2^63, the first exponent
 * not below the second. */
static enum emt_err add(wide high, int high_exponent, wide low, int low_exponent,
                        struct decimal *out)
{
    if (high == 0)
        return settle(low, low_exponent, out);
    if (low == 0 && high_exponent - low_exponent > 19)
        return settle(high, high_exponent, out);
    /* Zeros at the end of the low number may bring them close enough. */
    for (; high_exponent - low_exponent > 19 && low % 10 == 0; low_exponent++)
        low /= 10;
    if (high_exponent - low_exponent > 19) /* its last digit stays, 20 places below */
        return EMT_ELIMIT;
    return settle(high * power_of_ten((unsigned)(high_exponent - low_exponent)) + low, low_exponent,
                  out);
}

static enum emt_err add_any(wide a, int a_exponent, wide b, int b_exponent, struct decimal *out)
{
    return a_exponent >= b_exponent ? add(a, a_exponent, b, b_exponent, out)
                                    : add(b, b_exponent, a, a_exponent, out);
}

enum emt_err decimal_add(struct decimal a, struct decimal b, struct decimal *out)
{
    return add_any(a.mantissa, a.exponent, b.mantissa, b.exponent, out);
}

enum emt_err decimal_sub(struct decimal a, struct decimal b, struct decimal *out)
{
    return add_any(a.mantissa, a.exponent, -(wide)b.mantissa, b.exponent, out);
}

enum emt_err decimal_mul(struct decimal a, struct decimal b, struct decimal *out)
{
    return settle((wide)a.mantissa * b.mantissa, a.exponent + b.exponent, out);
}

enum emt_err decimal_rescale(struct decimal d, int exponent, struct decimal *out)
{
    int gap = d.exponent - exponent;
    wide m = d.mantissa;

    if (!in_range(exponent))
        return EMT_ELIMIT;
    for (; gap > 0 && m != 0; gap--) {
        m *= 10;
        if (!fits(m))
            return EMT_ELIMIT;
    }
    for (; gap < 0 && m != 0; gap++) {
        if (m % 10 != 0)
            return EMT_ELIMIT;
        m /= 10;
    }
    *out = decimal_of((int64_t)m, exponent);
    return EMT_OK;
}

/* num / den rounded half away from zero; den > 0. */
static wide divide_rounded(wide num, wide den)
{
    wide q = num / den;
    wide r = num % den;

    if ((uwide)(r < 0 ? -r : r) * 2 >= (uwide)den)
        q += num < 0 ? -1 : 1;
    return q;
}

enum emt_err decimal_round(struct decimal d, int decimals, struct decimal *out)
{
    int drop = -decimals - d.exponent;

    if (decimals < -EXPONENT_MAX || decimals > EXPONENT_MAX * 2)
        return EMT_ELIMIT;
    if (drop <= 0)
        return settle(d.mantissa, d.exponent, out);
    if (drop > 19) /* below half of the last place */
        return settle(0, -decimals, out);
    return settle(divide_rounded(d.mantissa, power_of_ten((unsigned)drop)), -decimals, out);
}

enum emt_err decimal_div(struct decimal a, struct decimal b, int decimals, struct decimal *out)
{
    bool negative = (a.mantissa < 0) != (b.mantissa < 0);
    wide num = a.mantissa < 0 ? -(wide)a.mantissa : a.mantissa;
    wide den = b.mantissa < 0 ? -(wide)b.mantissa : b.mantissa;
    int shift;
    wide q;

    if (b.mantissa == 0)
        return EMT_EMALFORMED;
    if (!in_range(-decimals))
        return EMT_ELIMIT;
    shift = a.exponent - b.exponent + decimals;
    if (shift < -19)
        return settle(0, -decimals, out);
    if (shift < 0)
        den *= power_of_ten((unsigned)-shift);
    /* Long division, one digit of the quotient at a time. A quotient that came out even and gets
     * too long keeps a higher exponent. */
    q = num / den;
    num %= den;
    for (; shift > 0 && (num != 0 || fits(q * 10)); shift--) {
        num *= 10;
        q = q * 10 + num / den;
        num %= den;
        if (!fits(q))
            return EMT_ELIMIT;
    }
    if (num * 2 >= den)
        q++;
    return settle(negative ? -q : q, shift > 0 ? shift - decimals : -decimals, out);
}

/* The shortest text of at most `most` digits that reads back as the same number. */
static enum emt_err shortest(double v, int most, bool single, struct decimal *out)
{
    char text[48];

    for (int digits = 1; digits <= most; digits++) {
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    /* The decimal point of the locale. */
    for (char *p = text; *p; p++)
        if (!strchr("0123456789+-e", *p))
            *p = '.';
    return decimal_parse(text, strlen(text), out);
}

/* m * 2^e exactly; EMT_ELIMIT when it has more digits than a decimal holds. */
static enum emt_err from_binary(uint64_t m, int e, bool negative, struct decimal *out)
{
    int exponent = 0;
    wide v;

    for (; e < 0 && m % 2 == 0; e++)
        m /= 2;
    for (; e > 0 && m % 5 == 0; e--, exponent++)
        m /= 5; /* 5 * 2 is a zero at the end */
    for (v = (wide)m; e > 0; e--) {
        v *= 2;
        if (v > (wide)INT64_MAX + 1)
            return EMT_ELIMIT;
    }
    for (; e < 0; e++, exponent--) { /* 1 / 2 is 5 / 10 */
        v *= 5;
        if (v > (wide)INT64_MAX + 1)
            return EMT_ELIMIT;
    }
    return settle(negative ? -v : v, exponent, out);
}

/* IEEE 754-2019, 3.4: sign, biased exponent, fraction. */
enum emt_err decimal_from_float32(uint32_t bits, struct decimal *out)
{
    unsigned biased = bits >> 23 & 0xff;
    uint32_t fraction = bits & 0x7fffff;
    bool negative = bits >> 31;
    float f;

    if (biased == 0xff)
        return EMT_EMALFORMED;
    if (biased == 0 && fraction == 0)
        return settle(0, 0, out);
    if (from_binary(biased ? fraction | 0x800000 : fraction, (biased ? (int)biased : 1) - 150,
                    negative, out) == EMT_OK)
        return EMT_OK;
    memcpy(&f, &bits, sizeof f);
    return shortest((double)f, 9, true, out);
}

enum emt_err decimal_from_float64(uint64_t bits, struct decimal *out)
{
    unsigned biased = (unsigned)(bits >> 52 & 0x7ff);
    uint64_t fraction = bits & UINT64_C(0xfffffffffffff);
    bool negative = bits >> 63;
    double f;

    if (biased == 0x7ff)
        return EMT_EMALFORMED;
    if (biased == 0 && fraction == 0)
        return settle(0, 0, out);
    if (from_binary(biased ? fraction | UINT64_C(1) << 52 : fraction,
                    (biased ? (int)biased : 1) - 1075, negative, out) == EMT_OK)
        return EMT_OK;
    memcpy(&f, &bits, sizeof f);
    return shortest(f, 17, false, out);
}
