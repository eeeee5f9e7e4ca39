#include "model/obis.h"

#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* 1 to 3 digits up to 255 at *p, which moves past them. */
static bool take_group(const char **p, uint8_t *out)
{
    unsigned v = 0;
    unsigned n = 0;

    for (; n < 3 && **p >= '0' && **p <= '9'; n++)
        v = v * 10 + (unsigned)(*(*p)++ - '0');
    *out = (uint8_t)v;
    return n > 0 && v <= 255;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

enum emt_err obis_parse(const char *text, struct obis *out)
{
    struct obis o = { .a = 1, .b = 0, .f = 255 };
    const char *p = text;
    uint8_t first;

    if (!take_group(&p, &first))
        return EMT_EMALFORMED;
    if (take_char(&p, '-')) {
        o.a = first;
        if (!take_group(&p, &o.b) || !take_char(&p, ':') || !take_group(&p, &first))
            return EMT_EMALFORMED;
    }
    o.c = first;
    if (!take_char(&p, '.') || !take_group(&p, &o.d) || !take_char(&p, '.') ||
        !take_group(&p, &o.e))
        return EMT_EMALFORMED;
    /* '&' marks a value set back by hand (IEC 62056-21); the code is the same. */
    if ((take_char(&p, '*') || take_char(&p, '&')) && !take_group(&p, &o.f))
        return EMT_EMALFORMED;
    if (*p)
        return EMT_EMALFORMED;
    *out = o;
    return EMT_OK;
}

char *obis_format(struct obis o, char buf[OBIS_TEXT_MAX])
{
    (void)snprintf(buf, OBIS_TEXT_MAX, "%u-%u:%u.%u.%u*%u", o.a, o.b, o.c, o.d, o.e, o.f);
    return buf;
}

char *obis_format_short(struct obis o, char buf[OBIS_TEXT_MAX])
{
    (void)snprintf(buf, OBIS_TEXT_MAX, "%u-%u:%u.%u.%u", o.a, o.b, o.c, o.d, o.e);
    return buf;
}

uint64_t obis_pack(struct obis o)
{
    return (uint64_t)o.a << 40 | (uint64_t)o.b << 32 | (uint64_t)o.c << 24 | (uint64_t)o.d << 16 |
           (uint64_t)o.e << 8 | o.f;
}

struct obis obis_unpack(uint64_t packed)
{
    struct obis o = { (uint8_t)(packed >> 40), (uint8_t)(packed >> 32), (uint8_t)(packed >> 24),
                      (uint8_t)(packed >> 16), (uint8_t)(packed >> 8),  (uint8_t)packed };

    return o;
}

bool obis_equal(struct obis a, struct obis b)
{
    return obis_pack(a) == obis_pack(b);
}

bool obis_is_none(struct obis o)
{
    return obis_pack(o) == 0;
}
