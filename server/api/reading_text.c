#include "reading_text.h"

#include "model/quality.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A time, five decimals and some words. */
#define LINE_MAX 900

static const char *const source_names[] = { "none", "meter", "profile", "gateway" };

/* Text of one line; never longer than LINE_MAX, because its parts are not. */
struct line {
    char text[LINE_MAX];
    size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
    memcpy(l->text + l->n, s, n);
    l->n += n;
}

#define PUT(l, literal) put(l, literal, sizeof(literal) - 1)

static void put_two(struct line *l, unsigned v)
{
    l->text[l->n++] = (char)('0' + v / 10 % 10);
    l->text[l->n++] = (char)('0' + v % 10);
}

static void put_fraction(struct line *l, unsigned micros)
{
    l->text[l->n++] = '.';
    for (unsigned div = 100000; micros > 0; micros %= div, div = div > 1 ? div / 10 : 1)
        l->text[l->n++] = (char)('0' + micros / div);
}

static void put_time(struct reading_text *t, struct line *l, emt_time ts)
{
    emt_time into = ts % EMT_DAY;

    if (into < 0)
        into += EMT_DAY;
    if (ts - into != t->day) {
        char text[32];

        /* "2026-11-20T": years of more than four digits are no times of ours. */
        (void)snprintf(t->date, 12, "%s", time_format(ts - into, text));
        t->day = ts - into;
    }
    put(l, t->date, strlen(t->date));
    put_two(l, (unsigned)(into / EMT_HOUR));
    PUT(l, ":");
    put_two(l, (unsigned)(into / EMT_MINUTE % 60));
    PUT(l, ":");
    put_two(l, (unsigned)(into / EMT_SECOND % 60));
    if (into % EMT_SECOND)
        put_fraction(l, (unsigned)(into % EMT_SECOND));
    PUT(l, "Z");
}

static void put_decimal(struct line *l, struct decimal d)
{
    char digits[24], text[DECIMAL_TEXT_MAX];
    uint64_t m = d.mantissa < 0 ? 0 - (uint64_t)d.mantissa : (uint64_t)d.mantissa;
    int n = 0, decimals = -d.exponent;

    if (d.exponent > 0 || decimals > 18) {
        (void)decimal_format(d, text);
        put(l, text, strlen(text));
        return;
    }
    do {
        digits[n++] = (char)('0' + m % 10);
        m /= 10;
    } while (m > 0 || n <= decimals);
    if (d.mantissa < 0)
        PUT(l, "-");
    while (n > 0) {
        if (n == decimals)
            PUT(l, ".");
        l->text[l->n++] = digits[--n];
    }
}

static void put_word(struct line *l, const char *word)
{
    put(l, word, strlen(word));
}

static void put_number(struct line *l, int64_t v)
{
    put_decimal(l, decimal_of(v, 0));
}

static const char *source_of(const struct stored_reading *v)
{
    return v->time_source <= TIME_SOURCE_GATEWAY ? source_names[v->time_source] : "none";
}

static void write_line(struct reading_text *t, const struct line *l)
{
    (void)writer_bytes(t->out, l->text, l->n); /* the writer keeps its failure */
}

void reading_text_init(struct reading_text *t, struct writer *out)
{
    *t = (struct reading_text){ .out = out, .day = EMT_TIME_NONE };
}

static void begin_item(struct reading_text *t, struct line *l)
{
    if (t->any)
        PUT(l, ",");
    t->any = true;
    PUT(l, "{\"ts\":\"");
}

void reading_text_json(struct reading_text *t, const struct stored_reading *v)
{
    struct line l;

    l.n = 0;
    begin_item(t, &l);
    put_time(t, &l, v->ts);
    PUT(&l, "\",\"value\":\"");
    put_decimal(&l, v->value);
    PUT(&l, "\",\"quality\":\"");
    put_word(&l, quality_name(v->quality));
    PUT(&l, "\",\"time_source\":\"");
    put_word(&l, source_of(v));
    PUT(&l, "\"}");
    write_line(t, &l);
}

static void put_member(struct line *l, const char *name, struct decimal d)
{
    PUT(l, ",\"");
    put_word(l, name);
    PUT(l, "\":\"");
    put_decimal(l, d);
    PUT(l, "\"");
}

void aggregate_text_json(struct reading_text *t, const struct aggregate *a, bool delta)
{
    struct line l;

    l.n = 0;
    begin_item(t, &l);
    put_time(t, &l, a->start);
    PUT(&l, "\"");
    put_member(&l, "first", a->first);
    put_member(&l, "last", a->last);
    put_member(&l, "min", a->min);
    put_member(&l, "max", a->max);
    PUT(&l, ",\"count\":");
    put_number(&l, a->count);
    if (delta && a->has_delta)
        put_member(&l, "delta", a->delta);
    else
        PUT(&l, ",\"delta\":null");
    PUT(&l, "}");
    write_line(t, &l);
}

void reading_text_csv(struct reading_text *t, int64_t channel, const struct stored_reading *v)
{
    struct line l;

    l.n = 0;
    if (channel != 0) {
        put_number(&l, channel);
        PUT(&l, ",");
    }
    put_time(t, &l, v->ts);
    PUT(&l, ",");
    put_decimal(&l, v->value);
    PUT(&l, ",");
    put_word(&l, quality_name(v->quality));
    PUT(&l, ",");
    put_word(&l, source_of(v));
    PUT(&l, "\r\n");
    write_line(t, &l);
}

void aggregate_text_csv(struct reading_text *t, const struct aggregate *a, bool delta)
{
    const struct decimal parts[] = { a->first, a->last, a->min, a->max };
    struct line l;

    l.n = 0;
    put_time(t, &l, a->start);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        PUT(&l, ",");
        put_decimal(&l, parts[i]);
    }
    PUT(&l, ",");
    put_number(&l, a->count);
    PUT(&l, ",");
    if (delta && a->has_delta)
        put_decimal(&l, a->delta);
    PUT(&l, "\r\n");
    write_line(t, &l);
}
