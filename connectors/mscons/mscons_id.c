#include "mscons/mscons_id.h"

#include "model/market_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_code_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static unsigned code_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)c; /* letters count with their ASCII code */
}

/* NeLo-ID and TR-ID: type letter, nine of 0-9 A-Z, check digit after the rule of the MaLo-ID. */
static enum emt_err lettered_check(const char *id, struct emt_diag *diag)
{
    unsigned sum = 0;
    unsigned check;

    if (strlen(id) != 11)
        return emt_fail(diag, EMT_EMALFORMED, "%.40s: %zu characters, must be 11", id, strlen(id));
    for (size_t i = 0; i < 10; i++) {
        if (!is_code_char(id[i]))
            return emt_fail(diag, EMT_EMALFORMED, "%.40s: only 0-9 and A-Z are allowed", id);
        sum += code_value(id[i]) * (i % 2 == 0 ? 1u : 2u);
    }
    check = (10 - sum % 10) % 10;
    if (id[10] != (char)('0' + check))
        return emt_fail(diag, EMT_EMALFORMED, "%.40s: check digit is %c, must be %u", id, id[10],
                        check);
    return EMT_OK;
}

static const char *expected(unsigned mask)
{
    if ((mask & PLACE_MELO) && (mask & (PLACE_MALO | PLACE_NELO)))
        return "33 characters (MeLo) or 11 (MaLo, NeLo)";
    if (mask & PLACE_MELO)
        return "33 characters (MeLo)";
    if (mask & (PLACE_MALO | PLACE_TR))
        return "11 characters (MaLo, TR)";
    if (mask & PLACE_EIC)
        return "16 characters (EIC)";
    return "1 to 3 characters (profile)";
}

enum emt_err mscons_place_check(const char *id, unsigned mask, struct emt_diag *diag)
{
    size_t n = strlen(id);

    if (n == 33 && (mask & PLACE_MELO))
        return melo_check(id, diag);
    if (n == 11 && id[0] == 'E' && (mask & PLACE_NELO))
        return lettered_check(id, diag);
    if (n == 11 && id[0] == 'D' && (mask & PLACE_TR))
        return lettered_check(id, diag);
    if (n == 11 && (mask & PLACE_MALO))
        return malo_check(id, diag);
    if (n == 16 && (mask & PLACE_EIC))
        return EMT_OK;
    if (n >= 1 && n <= 3 && (mask & PLACE_NAME))
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "'%.40s' has %zu characters, expected %s", id, n,
                    expected(mask));
}

enum emt_err mscons_reference_check(const char *text, struct emt_diag *diag)
{
    size_t n = text ? strlen(text) : 0;

    if (n == 0 || n > 14)
        return emt_fail(diag, EMT_EMALFORMED, "reference has %zu characters, must be 1 to 14", n);
    for (size_t i = 0; i < n; i++) {
        if (!is_code_char(text[i]))
            return emt_fail(diag, EMT_EMALFORMED, "reference '%s': only 0-9 and A-Z are allowed",
                            text);
    }
    return EMT_OK;
}
