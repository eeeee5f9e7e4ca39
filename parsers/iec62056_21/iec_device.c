#include "iec_device.h"

#include "base/hex.h"
#include "iec_obis.h"

#include <ctype.h>
#include <string.h>

#define NUMBER_MAX 32
#define DIN_LEN 14
#define RANK_DIN 100

/* Which codes name the device itself, the best first. B > 0 are meters behind it. */
static unsigned rank_of(struct obis o)
{
    if (o.b != 0)
        return 0;
    if (o.a <= 9 && o.c == 0 && o.d == 0)
        return o.e == 0 ? 50 : o.e == 9 ? 49 : 20;
    if (o.c == 96 && o.d == 1)
        return o.e == 0 ? 45 : o.e == 1 ? 44 : o.e == 255 ? 40 : 0;
    if (o.a == 0 && o.c == 42 && o.d == 0 && o.e == 0)
        return 30; /* logical device name of COSEM */
    return 0;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 1EMH0010599732: medium, maker, block in hex, eight digits. */
static bool is_din(const char *s)
{
    if (strlen(s) != DIN_LEN || !((s[0] >= '1' && s[0] <= '9') || s[0] == 'E' || s[0] == 'F'))
        return false;
    for (unsigned i = 1; i < 4; i++)
        if (!is_upper(s[i]))
            return false;
    for (unsigned i = 4; i < 6; i++)
        if (!is_digit(s[i]) && !(s[i] >= 'A' && s[i] <= 'F'))
            return false;
    for (unsigned i = 6; i < DIN_LEN; i++)
        if (!is_digit(s[i]))
            return false;
    return true;
}

static bool is_printable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return n > 0;
}

/* DSMR prints serial numbers as hex of their letters. */
static bool unhex(struct iec_span s, char out[NUMBER_MAX + 1])
{
    uint8_t bytes[NUMBER_MAX];
    struct iec_span text = { (const char *)bytes, 0 };

    if (s.n < 8 || s.n % 2 || hex_decode(s.p, s.n, bytes, sizeof bytes, &text.n) != EMT_OK)
        return false;
    text = iec_trim(text);
    if (!is_printable(text.p, text.n))
        return false;
    memcpy(out, text.p, text.n);
    out[text.n] = 0;
    return true;
}

static bool is_all_zero(const char *s)
{
    return s[strspn(s, "0")] == 0;
}

void iec_identity_note(struct iec_identity *id, const struct iec_set *set)
{
    struct iec_span in = set->brackets, value = { 0 };
    char number[NUMBER_MAX + 1];
    const struct obis *o = &set->obis.obis;
    unsigned rank = set->count == 1 && set->is_obis ? rank_of(*o) : 0;

    if (rank == 0)
        return;
    (void)iec_bracket_next(&in, &value);
    value = iec_trim(value);
    if (o->a != 0 || (o->c != 96 && o->c != 42) || !unhex(value, number)) {
        if (value.n > NUMBER_MAX || !is_printable(value.p, value.n))
            return;
        memcpy(number, value.p, value.n);
        number[value.n] = 0;
    }
    if (is_din(number))
        rank = RANK_DIN;
    if (rank <= id->rank || is_all_zero(number))
        return;
    id->rank = rank;
    id->din = rank == RANK_DIN;
    memcpy(id->number, number, strlen(number) + 1);
}

bool iec_identity_device(const struct iec_identity *id, struct iec_span ident,
                         struct device_id *out)
{
    struct device_id d = { .number = "" };

    if (id->rank == 0)
        return false;
    memcpy(d.number, id->number, sizeof id->number);
    /* The number of DIN 43863-5 names its maker itself, whatever the protocol. */
    for (unsigned i = 0; !id->din && i < 3 && ident.n >= 3; i++) {
        d.manufacturer[i] = (char)toupper((unsigned char)ident.p[i]);
        if (!is_upper(d.manufacturer[i])) {
            memset(d.manufacturer, 0, sizeof d.manufacturer);
            break;
        }
    }
    *out = d;
    return true;
}
