#include "model/local_day.h"
#include "mscons/mscons_checker.h"

#include <stdlib.h>
#include <string.h>

/* Elements of each segment as the MIG uses them: '+' between elements, ':' between components; a
 * number is the greatest length; 'n' digits only, '!' must be there, '-' must not. */
static const struct {
    const char *tag;
    const char *shape;
} shapes[] = {
    { "UNB", "4!:n1!+35!:4!+35!:4!+n6!:n4!+14!+-+14+-+-+-+n1" },
    { "UNH", "14!+6!:3!:3!:2!:6!+35+n2:1" },
    { "BGM", "3!+35!+3!" },
    { "DTM", "3!:35!:3!" },
    { "RFF", "3!:70!" },
    { "NAD", "3!+35:-:3" },
    { "CTA", "3!+-:35!" },
    { "COM", "512!:3!" },
    { "UNS", "1!" },
    { "LOC", "3!+35+25" },
    { "CCI", "3!+-+17!" },
    { "LIN", "n6!" },
    { "PIA", "3!+35!:3!" },
    { "QTY", "3!:35!:8" },
    { "STS", "3!+3+3" },
    { "UNT", "n6!+14!" },
    { "UNZ", "n6!+14!" },
};

struct shape {
    bool digits, must, empty;
    size_t max;
};

/* One component's shape; leaves *at on the separator behind it or the end. */
static struct shape next_shape(const char **at)
{
    const char *p = *at;
    struct shape s = { 0 };

    if (*p == 'n') {
        s.digits = true;
        p++;
    }
    if (*p == '-') {
        s.empty = true;
        p++;
    }
    while (*p >= '0' && *p <= '9')
        s.max = s.max * 10 + (size_t)(*p++ - '0');
    if (*p == '!') {
        s.must = true;
        p++;
    }
    *at = p;
    return s;
}

static bool all_digits(const char *s)
{
    return strspn(s, "0123456789") == strlen(s);
}

static const char *fault_of(const struct shape *s, const char *value)
{
    size_t n = strlen(value);

    if (n == 0)
        return s->must ? "is missing" : NULL;
    if (s->empty)
        return "must be empty";
    if (n > s->max)
        return "is too long";
    if (s->digits && !all_digits(value))
        return "is not a number";
    return NULL;
}

static bool component_fits(struct checker *c, const char *tag, const struct shape *s, unsigned e,
                           unsigned k)
{
    const char *fault = fault_of(s, edi_value(&c->seg, e, k));

    if (!fault)
        return true;
    mscons_checker_add(c, c->seg.position, tag, "element %u, component %u %s", e, k, fault);
    return false;
}

static bool shape_fits(struct checker *c, const char *tag, const char *shape)
{
    unsigned e = 1;
    unsigned k = 1;

    for (const char *p = shape;; p++) {
        struct shape s = next_shape(&p);

        if (!component_fits(c, tag, &s, e, k))
            return false;
        if (*p == ':') {
            k++;
            continue;
        }
        if (edi_components(&c->seg, e) > k) {
            mscons_checker_add(c, c->seg.position, tag, "element %u has more than %u components", e,
                               k);
            return false;
        }
        if (*p == '\0')
            break;
        e++;
        k = 1;
    }
    if (c->seg.n_elements > e) {
        mscons_checker_add(c, c->seg.position, tag, "more than %u elements", e);
        return false;
    }
    return true;
}

static bool between(const struct edi_segment *s, unsigned component, size_t min, size_t max)
{
    size_t n = edi_length(s, component);

    return n >= min && n <= max;
}

/* The three segments that a file is made of, in their commonest form; false: look at the table. */
static bool fits_at_once(const struct edi_segment *s)
{
    if (edi_is(s, "DTM"))
        return s->n_elements == 1 && s->n_components == 4 && between(s, 1, 1, 3) &&
               between(s, 2, 1, 35) && between(s, 3, 1, 3);
    if (edi_is(s, "QTY"))
        return s->n_elements == 1 && s->n_components == 3 && between(s, 1, 1, 3) &&
               between(s, 2, 1, 35);
    return edi_is(s, "STS") && s->n_elements == 3 && s->n_components == 4 && between(s, 1, 1, 3) &&
           between(s, 2, 0, 3) && between(s, 3, 0, 3);
}

bool mscons_mig_check(struct checker *c)
{
    if (fits_at_once(&c->seg))
        return true;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (edi_is(&c->seg, shapes[i].tag))
            return shape_fits(c, shapes[i].tag, shapes[i].shape);
    }
    return true;
}

static int number(const char *p, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n; i++)
        v = v * 10 + (p[i] - '0');
    return v;
}

static size_t digits_of(const char *text)
{
    size_t n = 0;

    while (text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* CCYYMMDDHHMM[SS]+00. A load profile names each day 192 times: its begin is kept. */
static bool read_instant(struct checker *k, const char *text, bool seconds, emt_time *out)
{
    size_t digits = seconds ? 14 : 12;
    struct civil c = { 0 };

    if (digits_of(text) != digits || strcmp(text + digits, "+00") != 0)
        return false;
    c.hour = number(text + 8, 2);
    c.minute = number(text + 10, 2);
    c.second = seconds ? number(text + 12, 2) : 0;
    if (c.hour > 23 || c.minute > 59 || c.second > 59)
        return false;
    if (memcmp(text, k->day_text, 8) != 0) {
        struct civil day = { .year = number(text, 4),
                             .month = number(text + 4, 2),
                             .day = number(text + 6, 2) };

        k->day = civil_to_time(&day);
        memcpy(k->day_text, text, 8);
    }
    *out = k->day == EMT_TIME_NONE
               ? EMT_TIME_NONE
               : k->day + ((c.hour * 60 + c.minute) * 60 + c.second) * EMT_SECOND;
    return *out != EMT_TIME_NONE;
}

static bool read_day(const char *text, bool month, emt_time *out)
{
    struct local_date d;

    if (strlen(text) != (month ? 6u : 8u) || !all_digits(text))
        return false;
    d.year = number(text, 4);
    d.month = number(text + 4, 2);
    d.day = month ? 1 : number(text + 6, 2);
    *out = local_day_start(d);
    return *out != EMT_TIME_NONE;
}

bool mscons_read_time(struct checker *c, unsigned format, emt_time *out)
{
    const char *qualifier = edi_value(&c->seg, 1, 1);
    const char *text = edi_value(&c->seg, 1, 2);
    const char *written = edi_value(&c->seg, 1, 3);
    bool ok = false;

    *out = EMT_TIME_NONE;
    if (!c->fits)
        return false;
    if (format == 0)
        format = 303;
    if ((unsigned)number(written, digits_of(written)) != format) {
        mscons_checker_add(c, c->seg.position, "DTM", "DTM+%.3s has format %.3s, must be %u",
                           qualifier, written, format);
        return false;
    }
    if (format == 303 || format == 304)
        ok = read_instant(c, text, format == 304, out);
    else if (format == 102 || format == 610)
        ok = read_day(text, format == 610, out);
    if (!ok) {
        *out = EMT_TIME_NONE;
        mscons_checker_add(c, c->seg.position, "DTM", "DTM+%.3s: '%.35s' is no time of format %u%s",
                           qualifier, text, format,
                           format == 303 || format == 304 ? " with the offset +00" : "");
    }
    return ok;
}
