/* IEC 62056-21 prints reduced codes; value group C and D may be letters (IEC 62056-6-1, "F
 * character" codes). */
#include "iec_obis.h"

#define F_CURRENT 255
#define F_PERIOD_MOST 99

static bool take_char(struct iec_span *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

static bool take_number(struct iec_span *s, uint8_t *out)
{
    unsigned v = 0, n = 0;

    for (; n < 3 && s->n && s->p[0] >= '0' && s->p[0] <= '9'; n++, s->p++, s->n--)
        v = v * 10 + (unsigned)(s->p[0] - '0');
    *out = (uint8_t)v;
    return n > 0 && v <= 255;
}

static bool take_group(struct iec_span *s, uint8_t *out)
{
    static const char letters[] = "CFLP";

    if (s->n == 0 || s->p[0] < 'A')
        return take_number(s, out);
    for (unsigned i = 0; i < 4; i++) {
        if (take_char(s, letters[i])) {
            *out = (uint8_t)(96 + i);
            return true;
        }
    }
    return false;
}

bool iec_code_parse(struct iec_span s, struct iec_code *out)
{
    struct iec_code c = { .obis = { 1, 0, 0, 0, 0, F_CURRENT } };
    struct obis *o = &c.obis;

    s = iec_trim(s);
    if (!take_group(&s, &o->c))
        return false;
    if (take_char(&s, '-')) {
        o->a = o->c;
        c.has_medium = true;
        if (!take_number(&s, &o->b) || !take_char(&s, ':') || !take_group(&s, &o->c))
            return false;
    }
    if (!take_char(&s, '.') || !take_group(&s, &o->d))
        return false;
    if (take_char(&s, '.') && !take_group(&s, &o->e))
        return false;
    if (take_char(&s, '*') || take_char(&s, '&')) {
        if (!take_number(&s, &o->f))
            return false;
        c.has_previous = o->f <= F_PERIOD_MOST;
    }
    if (s.n)
        return false;
    *out = c;
    return true;
}
