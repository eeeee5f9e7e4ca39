#include "export_sent.h"

#include "connectors/edi_reader.h"
#include "connectors/mscons_write.h"
#include "model/local_day.h"
#include "model/quality.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *qualifier_of(const struct export_value *v)
{
    const char *q = v->qualifier != NULL ? v->qualifier : quality_mscons(v->quality);

    return q != NULL ? q : "";
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; *text != '\0'; text++)
        h = mix(h, (unsigned char)*text);
    return h;
}

int64_t sent_digest(const struct export_lines *lines)
{
    uint64_t h = UINT64_C(0x6d73636f6e73);
    int64_t out;

    for (size_t i = 0; i < lines->n; i++) {
        const struct export_line *l = &lines->line[i];

        h = mix(h, obis_pack(l->regs[0]->obis));
        for (size_t k = 0; k < l->n_values; k++) {
            const struct export_value *v = &l->values[k];
            struct decimal d = decimal_normal(v->value);

            h = mix(mix(h, (uint64_t)v->from), (uint64_t)v->to);
            h = mix(mix(h, (uint64_t)d.mantissa), (uint64_t)d.exponent);
            h = mix_text(h, qualifier_of(v));
        }
    }
    h = mix(h, h >> 32);
    memcpy(&out, &h, sizeof out);
    return out;
}

enum emt_err sent_values_init(struct sent_values *s, const struct export_lines *lines)
{
    *s = (struct sent_values){ 0 };
    for (size_t i = 0; i < lines->n; i++)
        s->n += lines->line[i].n_values;
    s->list = calloc(s->n + 1, sizeof *s->list);
    return s->list != NULL ? EMT_OK : EMT_ENOMEM;
}

void sent_values_release(struct sent_values *s)
{
    free(s->list);
    *s = (struct sent_values){ 0 };
}

/* --- a message as it was sent --- */

/* One SG10 while its segments pass. */
struct sent_quantity {
    bool open;
    struct decimal value;
    char qualifier[4];
    emt_time from, to;
};

/* DTM: 303 as our own files write it, else the local day or month of 102 and 610. */
static emt_time read_time(const char *text, const char *format)
{
    struct civil c = { 0 };

    if (strcmp(format, "303") == 0 &&
        sscanf(text, "%4d%2d%2d%2d%2d", &c.year, &c.month, &c.day, &c.hour, &c.minute) == 5)
        return civil_to_time(&c);
    if (strcmp(format, "610") == 0 && sscanf(text, "%4d%2d", &c.year, &c.month) == 2)
        return local_day_start((struct local_date){ c.year, c.month, 1 });
    if (strcmp(format, "102") == 0 && sscanf(text, "%4d%2d%2d", &c.year, &c.month, &c.day) == 3)
        return local_day_start((struct local_date){ c.year, c.month, c.day });
    return EMT_TIME_NONE;
}

static void take_time(struct sent_quantity *q, const struct edi_segment *seg)
{
    const char *what = edi_value(seg, 1, 1);
    emt_time t = read_time(edi_value(seg, 1, 2), edi_value(seg, 1, 3));

    if (strcmp(what, "163") == 0 || strcmp(what, "306") == 0)
        q->from = t;
    else if (strcmp(what, "164") == 0 || strcmp(what, "7") == 0)
        q->to = t;
}

/* The value of the line that has these times; a month's has no end in the message. */
static size_t find_value(const struct export_line *l, emt_time from, emt_time to)
{
    for (size_t i = 0; i < l->n_values; i++) {
        const struct export_value *v = &l->values[i];

        if (v->from == from && (v->to == to || to == EMT_TIME_NONE))
            return i;
    }
    return l->n_values;
}

/* Profiles come in order: the value is where the last one was, or just behind. */
static void close_quantity(struct sent_values *s, const struct export_lines *lines, size_t line,
                           size_t first, size_t *hint, struct sent_quantity *q)
{
    const struct export_line *l = line < lines->n ? &lines->line[line] : NULL;
    size_t i = *hint + 1;

    if (!q->open)
        return;
    q->open = false;
    if (l == NULL)
        return;
    if (i >= l->n_values || l->values[i].from != q->from || l->values[i].to != q->to)
        i = find_value(l, q->from, q->to);
    /* What was sent beside these values stays as it is. */
    if (i == l->n_values)
        return;
    *hint = i;
    struct sent_value *was = &s->list[first + i];

    was->there = true;
    was->value = q->value;
    memcpy(was->qualifier, q->qualifier, sizeof was->qualifier);
}

static size_t line_of(const struct export_lines *lines, const char *obis, size_t *first)
{
    *first = 0;
    for (size_t i = 0; i < lines->n; i++) {
        if (strcmp(lines->line[i].regs[0]->code, obis) == 0)
            return i;
        *first += lines->line[i].n_values;
    }
    return lines->n;
}

static bool open_quantity(struct sent_quantity *q, const struct edi_segment *seg)
{
    const char *text = edi_value(seg, 1, 2);

    *q = (struct sent_quantity){ .open = true, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE };
    snprintf(q->qualifier, sizeof q->qualifier, "%s", edi_value(seg, 1, 1));
    return decimal_parse(text, strlen(text), &q->value) == EMT_OK;
}

static enum emt_err take_segments(struct sent_values *s, const struct export_lines *lines,
                                  struct edi_reader *r, struct edi_segment *seg)
{
    struct sent_quantity q = { 0 };
    size_t line = lines->n;
    size_t first = 0;
    size_t hint = SIZE_MAX;
    enum emt_err err;

    while ((err = edi_reader_next(r, seg)) == EMT_OK) {
        if (edi_is(seg, "DTM")) {
            if (q.open)
                take_time(&q, seg);
            continue;
        }
        if (edi_is(seg, "STS"))
            continue;
        close_quantity(s, lines, line, first, &hint, &q);
        if (edi_is(seg, "PIA")) {
            line = line_of(lines, edi_value(seg, 2, 1), &first);
            hint = SIZE_MAX;
        } else if (edi_is(seg, "QTY") && !open_quantity(&q, seg)) {
            return EMT_EMALFORMED;
        }
    }
    return err == EMT_ENOTFOUND ? EMT_OK : EMT_EMALFORMED;
}

enum emt_err sent_values_take(struct sent_values *s, const struct export_lines *lines,
                              const void *message, size_t len)
{
    static const char head[] = "UNA:+.? 'UNB+UNOC:3'"; /* a message alone is no interchange */
    struct edi_segment *seg = malloc(sizeof *seg);
    char *text = malloc(sizeof head + len);
    struct edi_reader r;
    enum emt_err err = EMT_ENOMEM;

    if (text != NULL && seg != NULL) {
        memcpy(text, head, sizeof head - 1);
        memcpy(text + sizeof head - 1, message, len);
        err = edi_reader_init(&r, text, sizeof head - 1 + len);
        if (err == EMT_OK)
            err = take_segments(s, lines, &r, seg);
    }
    free(text);
    free(seg);
    return err;
}

/* --- marking --- */

/* A reason is due when a value is replaced by a substitute, or a true one by another true one; not
 * when the true one comes that was waited for (AHB, conditions on STS+Z34). */
static bool is_due(const struct sent_value *was, const char *qualifier)
{
    if (strcmp(qualifier, "67") == 0)
        return true;
    return strcmp(qualifier, "220") == 0 && strcmp(was->qualifier, "220") == 0;
}

bool sent_values_mark(const struct sent_values *s, struct export_lines *lines, unsigned use_case,
                      const char *location, const char *code)
{
    bool differs = false;
    size_t at = 0;

    for (size_t i = 0; i < lines->n; i++) {
        struct export_line *l = &lines->line[i];

        for (size_t k = 0; k < l->n_values; k++, at++) {
            const struct sent_value *was = &s->list[at];
            const char *q = qualifier_of(&l->values[k]);

            if (was->there && strcmp(was->qualifier, q) == 0 &&
                decimal_compare(was->value, l->values[k].value) == 0)
                continue;
            differs = true;
            if (was->there && is_due(was, q) &&
                mscons_correction_allowed(use_case, code, q, location))
                l->values[k].correction = code;
        }
    }
    return differs;
}
