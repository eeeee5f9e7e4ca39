#include "model/market_id.h"

#include <stdbool.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define MALO_LEN 11
#define MELO_LEN 33
#define MP_ID_LEN 13

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool all_digits(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_digit(text[i]))
            return false;
    return true;
}

enum emt_err malo_check(const char *text, struct emt_diag *diag)
{
    int sum = 0;
    int expected;

    if (strnlen(text, MALO_LEN + 1) != MALO_LEN || !all_digits(text, MALO_LEN))
        return emt_fail(diag, EMT_EMALFORMED, "MaLo %.40s: must be 11 digits", text);
    if (text[0] == '0')
        return emt_fail(diag, EMT_EMALFORMED, "MaLo %s: must not begin with 0", text);
    for (int i = 0; i < MALO_LEN - 1;
         i++) /* positions count from 1: the even index is the odd one */
        sum += (text[i] - '0') * (i % 2 ? 2 : 1);
    expected = (10 - sum % 10) % 10;
    if (text[MALO_LEN - 1] - '0' != expected)
        return emt_fail(diag, EMT_EMALFORMED, "MaLo %s: check digit is %c, must be %d", text,
                        text[MALO_LEN - 1], expected);
    return EMT_OK;
}

enum emt_err nelo_check(const char *text, struct emt_diag *diag)
{
    unsigned sum = 0;

    if (strnlen(text, MALO_LEN + 1) != MALO_LEN || text[0] != 'E')
        return emt_fail(diag, EMT_EMALFORMED, "NeLo %.40s: must be E and 10 characters", text);
    for (int i = 0; i < MALO_LEN - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        bool digit = c >= '0' && c <= '9';

        if (!digit && (c < 'A' || c > 'Z'))
            return emt_fail(diag, EMT_EMALFORMED, "NeLo %s: only 0-9 and A-Z are allowed", text);
        sum += (digit ? c - (unsigned)'0' : c) * (i % 2 ? 2u : 1u);
    }
    if (text[MALO_LEN - 1] != (char)('0' + (10 - sum % 10) % 10))
        return emt_fail(diag, EMT_EMALFORMED, "NeLo %s: check digit is %c, must be %u", text,
                        text[MALO_LEN - 1], (10 - sum % 10) % 10);
    return EMT_OK;
}

enum emt_err melo_check(const char *text, struct emt_diag *diag)
{
    if (strnlen(text, MELO_LEN + 1) != MELO_LEN)
        return emt_fail(diag, EMT_EMALFORMED, "MeLo %.40s: must be 33 characters", text);
    if (!is_letter(text[0]) || !is_letter(text[1]))
        return emt_fail(diag, EMT_EMALFORMED, "MeLo %s: must begin with two capital letters", text);
    if (!all_digits(text + 2, 11))
        return emt_fail(diag, EMT_EMALFORMED,
                        "MeLo %s: characters 3 to 13 (network operator, postcode) must be digits",
                        text);
    for (int i = 13; i < MELO_LEN; i++)
        if (!is_digit(text[i]) && !is_letter(text[i]))
            return emt_fail(diag, EMT_EMALFORMED, "MeLo %s: character %d must be one of A-Z, 0-9",
                            text, i + 1);
    return EMT_OK;
}

enum emt_err mp_id_check(const char *text, struct emt_diag *diag)
{
    if (strnlen(text, MP_ID_LEN + 1) != MP_ID_LEN || !all_digits(text, MP_ID_LEN))
        return emt_fail(diag, EMT_EMALFORMED, "MP-ID %.40s: must be 13 digits", text);
    return EMT_OK;
}

const char *mp_id_qualifier(const char *mp_id)
{
    if (strncmp(mp_id, "99", 2) == 0)
        return "500";
    return strncmp(mp_id, "98", 2) == 0 ? "502" : "14";
}

const char *mp_id_agency(const char *mp_id)
{
    if (strncmp(mp_id, "99", 2) == 0)
        return "293";
    return strncmp(mp_id, "98", 2) == 0 ? "332" : "9";
}
