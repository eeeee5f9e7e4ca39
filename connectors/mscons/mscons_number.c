#include "connectors/mscons_number.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIGITS 14
#define SINCE_2020 INT64_C(1577836800000000)

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* 36^14 is above 2^64, so numbers are kept as digits: values 0..35, most significant first. */
struct number {
    uint8_t digit[DIGITS];
};

static bool number_parse(const char *text, struct number *out)
{
    size_t n = strlen(text);

    *out = (struct number){ { 0 } };
    if (n == 0 || n > DIGITS)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *at = memchr(alphabet, text[i], sizeof(alphabet) - 1);

        if (!at)
            return false;
        out->digit[DIGITS - n + i] = (uint8_t)(at - alphabet);
    }
    return true;
}

static bool number_increment(struct number *n)
{
    for (size_t i = DIGITS; i-- > 0;) {
        if (n->digit[i] < 35) {
            n->digit[i]++;
            return true;
        }
        n->digit[i] = 0;
    }
    return false;
}

static struct number number_of(uint64_t v)
{
    struct number n = { { 0 } };

    for (size_t i = DIGITS; i-- > 0; v /= 36)
        n.digit[i] = (uint8_t)(v % 36);
    return n;
}

static void number_format(const struct number *n, char out[MSCONS_NUMBER_MAX])
{
    size_t skip = 0;
    size_t len = 0;

    while (skip < DIGITS - 1 && n->digit[skip] == 0)
        skip++;
    for (size_t i = skip; i < DIGITS; i++)
        out[len++] = alphabet[n->digit[i]];
    out[len] = '\0';
}

enum emt_err mscons_number_next(const char *last, emt_time now, char out[MSCONS_NUMBER_MAX])
{
    struct number by_clock;
    struct number next;

    if (now < SINCE_2020)
        return EMT_EMALFORMED;
    by_clock = number_of((uint64_t)((now - SINCE_2020) / 1000));
    next = by_clock;
    if (last && *last) {
        if (!number_parse(last, &next))
            return EMT_EMALFORMED;
        if (!number_increment(&next))
            return EMT_ELIMIT;
        if (memcmp(next.digit, by_clock.digit, DIGITS) < 0)
            next = by_clock;
    }
    number_format(&next, out);
    return EMT_OK;
}
