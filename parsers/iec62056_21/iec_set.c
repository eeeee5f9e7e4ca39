#include "iec_set.h"

#include <string.h>

static void move(struct iec_span *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static bool is_space(char c)
{
    return c == '\r' || c == '\n' || c == ' ' || c == 0;
}

static void skip_space(struct iec_span *s)
{
    while (s->n && is_space(s->p[0]))
        move(s, 1);
}

/* Length of the bracket at s, with both brackets; 0: it does not close on its line. */
static size_t bracket_len(struct iec_span s)
{
    size_t most = s.n < IEC_VALUE_MAX + 2 ? s.n : IEC_VALUE_MAX + 2;

    for (size_t i = 1; i < most; i++) {
        char c = s.p[i];

        if (c == ')')
            return i + 1;
        if (c == '\r' || c == '\n' || c == '(')
            return 0;
    }
    return 0;
}

static bool take_code(struct iec_span *in, struct iec_span *code)
{
    size_t n = 0;

    while (n < in->n && in->p[n] != '(') {
        if (in->p[n] == '\r' || in->p[n] == '\n' || in->p[n] == ')' || n == IEC_CODE_MAX)
            return false;
        n++;
    }
    *code = iec_trim((struct iec_span){ in->p, n });
    move(in, n);
    return in->n > 0;
}

enum emt_err iec_set_next(struct iec_span *in, struct iec_set *out)
{
    size_t len, end = 0;

    memset(out, 0, sizeof *out);
    skip_space(in);
    if (in->n == 0 || in->p[0] == '!')
        return EMT_ENOTFOUND;
    if (!take_code(in, &out->code))
        return EMT_EMALFORMED;
    out->is_obis = iec_code_parse(out->code, &out->obis);
    out->brackets.p = in->p;
    while (in->n && in->p[0] == '(') {
        len = bracket_len(*in);
        if (len == 0)
            return EMT_EMALFORMED;
        move(in, len);
        out->count++;
        end = (size_t)(in->p - out->brackets.p);
        skip_space(in);
    }
    out->brackets.n = end;
    return EMT_OK;
}

bool iec_bracket_next(struct iec_span *brackets, struct iec_span *out)
{
    size_t n;

    skip_space(brackets);
    if (brackets->n == 0)
        return false;
    n = bracket_len(*brackets);
    if (n == 0)
        return false;
    *out = (struct iec_span){ brackets->p + 1, n - 2 };
    move(brackets, n);
    return true;
}

bool iec_value_cut(struct iec_span bracket, struct iec_span *value, struct iec_span *unit)
{
    const char *star = bracket.n ? (const char *)memchr(bracket.p, '*', bracket.n) : NULL;

    *value = bracket;
    *unit = (struct iec_span){ bracket.p, 0 };
    if (!star)
        return false;
    value->n = (size_t)(star - bracket.p);
    unit->p = star + 1;
    unit->n = bracket.n - value->n - 1;
    *value = iec_trim(*value);
    *unit = iec_trim(*unit);
    return true;
}
