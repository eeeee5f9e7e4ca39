/* CSV (RFC 4180, with the template's separators) and a plain XML. */
#include "report_template.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define REPLACEMENT 0xfffdu

/* Text of a number with the template's decimal sign. */
static char *number_text(const struct report_template *t, struct decimal d,
                         char buf[DECIMAL_TEXT_MAX])
{
    char *point;

    decimal_format(d, buf);
    point = strchr(buf, '.');
    if (point != NULL)
        *point = t->point;
    return buf;
}

const char *report_cell_text(const struct report_template *t, const struct report_cell *c,
                             char buf[REPORT_TIME_MAX])
{
    static_assert(REPORT_TIME_MAX >= DECIMAL_TEXT_MAX, "both fit");

    switch (c->kind) {
    case CELL_EMPTY:
        return "";
    case CELL_TEXT:
        return c->text;
    case CELL_NUMBER:
        return number_text(t, c->number, buf);
    case CELL_TIME:
        return report_time_text(t, c->pattern, c->time, buf);
    }
    return "";
}

/* --- CSV --- */

static void end_line(struct report_bytes *b)
{
    report_put(b, b->t->lf ? "\n" : "\r\n");
}

/* What spreadsheets take for a formula at the begin of a text, behind blanks as well; also in the
 * wide forms that some of them fold. */
static bool looks_like_formula(const char *text)
{
    uint32_t cp = 0;

    while (*text != '\0') {
        if (!report_utf8_next(&text, &cp))
            return false;
        if (cp > 0x20 && cp != 0xa0 && cp != 0xfeff)
            return cp == '=' || cp == '+' || cp == '-' || cp == '@' || cp == 0xff1d ||
                   cp == 0xff0b || cp == 0xff0d || cp == 0xff20;
    }
    return false;
}

/* Control characters become blanks: a row is one line, whatever a meter calls itself. */
static void csv_text(struct report_bytes *b, const char *text, bool is_text)
{
    bool guard = is_text && looks_like_formula(text);
    bool quote = b->t->quotes_all || guard || text[0] == ' ';
    uint32_t cp = 0;

    for (const char *p = text; *p != '\0' && !quote; p++)
        quote = *p == b->t->separator || *p == '"' || (*p == ' ' && p[1] == '\0') || *p == '\t';
    if (quote)
        report_put_raw(b, "\"", 1);
    if (guard)
        report_put_raw(b, "'", 1);
    while (*text != '\0') {
        if (!report_utf8_next(&text, &cp))
            cp = REPLACEMENT;
        if (cp < 0x20 || cp == 0x7f || (cp >= 0x80 && cp < 0xa0) || cp == 0x2028 || cp == 0x2029)
            cp = ' ';
        if (cp == '"')
            report_put_raw(b, "\"", 1);
        report_put_char(b, cp);
    }
    if (quote)
        report_put_raw(b, "\"", 1);
}

static enum emt_err csv_begin(struct report_out *o)
{
    struct report_bytes *b = &o->bytes;
    struct report_letter letter;

    if (o->t->bom)
        report_put_raw(b, "\xef\xbb\xbf", 3);
    if (o->t->preamble[0] != '\0') {
        for (const char *p = o->t->preamble; *p != '\0';) {
            uint32_t cp = REPLACEMENT;

            (void)report_utf8_next(&p, &cp);
            report_put_char(b, cp);
        }
        end_line(b);
    }
    if (o->t->letterhead) {
        report_letter_make(o->t, o->head, &letter);
        for (size_t i = 0; i < letter.n; i++) {
            csv_text(b, letter.label[i], true);
            report_put_raw(b, &o->t->separator, 1);
            csv_text(b, letter.text[i], true);
            end_line(b);
        }
        end_line(b);
    }
    return b->err;
}

static enum emt_err csv_headings(struct report_out *o, const char *const *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            report_put_raw(&o->bytes, &o->t->separator, 1);
        csv_text(&o->bytes, labels[i], true);
    }
    end_line(&o->bytes);
    return o->bytes.err;
}

static enum emt_err csv_row(struct report_out *o, const struct report_cell *cells,
                            const char *const *names, const char *const *labels, size_t n)
{
    char buf[REPORT_TIME_MAX];

    (void)names;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            report_put_raw(&o->bytes, &o->t->separator, 1);
        csv_text(&o->bytes, report_cell_text(o->t, &cells[i], buf), cells[i].kind == CELL_TEXT);
    }
    end_line(&o->bytes);
    return o->bytes.err;
}

static enum emt_err csv_end(struct report_out *o)
{
    report_flush(&o->bytes);
    return o->bytes.err;
}

static void nothing(struct report_out *o)
{
    (void)o;
}

const struct report_format_ops report_csv_ops = { csv_begin, csv_headings, csv_row, csv_end,
                                                  nothing };

/* --- XML 1.0 --- */

static void xml_text(struct report_bytes *b, const char *text)
{
    uint32_t cp = 0;

    while (*text != '\0') {
        if (!report_utf8_next(&text, &cp) || cp == 0xfffe || cp == 0xffff)
            cp = REPLACEMENT;
        if (cp == '&')
            report_put(b, "&amp;");
        else if (cp == '<')
            report_put(b, "&lt;");
        else if (cp == '>')
            report_put(b, "&gt;");
        else if (cp == '"')
            report_put(b, "&quot;");
        else
            report_put_char(b, cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ? ' ' : cp);
    }
}

static void attribute(struct report_bytes *b, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    report_put(b, " ");
    report_put(b, name);
    report_put(b, "=\"");
    xml_text(b, text);
    report_put(b, "\"");
}

static void xml_line(struct report_bytes *b)
{
    report_put(b, b->t->lf ? "\n" : "\r\n");
}

static enum emt_err xml_begin(struct report_out *o)
{
    const struct report_template *t = o->t;
    struct report_bytes *b = &o->bytes;
    char time[REPORT_TIME_MAX];

    report_put(b, t->cp1252 ? "<?xml version=\"1.0\" encoding=\"windows-1252\"?>"
                            : "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    xml_line(b);
    report_put(b, "<report");
    attribute(b, "title", t->title[0] != '\0' ? t->title : o->head->name);
    attribute(b, "from", report_time_text(t, t->time_format, o->head->from, time));
    attribute(b, "to", report_time_text(t, t->time_format, o->head->to, time));
    attribute(b, "created", report_time_text(t, t->time_format, o->head->created, time));
    if (t->letterhead) {
        attribute(b, "company", t->company);
        attribute(b, "logo", t->logo_text);
        attribute(b, "contact", t->contact_name);
        attribute(b, "mail", t->contact_mail);
        attribute(b, "phone", t->contact_phone);
    }
    report_put(b, ">");
    xml_line(b);
    return b->err;
}

static enum emt_err xml_headings(struct report_out *o, const char *const *labels, size_t n)
{
    (void)labels;
    (void)n;
    return o->bytes.err; /* elements say their names */
}

/* A cell of a matrix is <cell at="02:15"/>; an empty one is left out. */
static enum emt_err xml_row(struct report_out *o, const struct report_cell *cells,
                            const char *const *names, const char *const *labels, size_t n)
{
    struct report_bytes *b = &o->bytes;
    char buf[REPORT_TIME_MAX];

    report_put(b, "<row>");
    for (size_t i = 0; i < n; i++) {
        if (cells[i].kind == CELL_EMPTY)
            continue;
        report_put(b, "<");
        report_put(b, names[i]);
        if (strcmp(names[i], "cell") == 0 || strcmp(names[i], "status") == 0)
            attribute(b, "at", labels[i] != NULL ? labels[i] : "");
        report_put(b, ">");
        xml_text(b, report_cell_text(o->t, &cells[i], buf));
        report_put(b, "</");
        report_put(b, names[i]);
        report_put(b, ">");
    }
    report_put(b, "</row>");
    xml_line(b);
    return b->err;
}

static enum emt_err xml_end(struct report_out *o)
{
    report_put(&o->bytes, "</report>");
    xml_line(&o->bytes);
    report_flush(&o->bytes);
    return o->bytes.err;
}

const struct report_format_ops report_xml_ops = { xml_begin, xml_headings, xml_row, xml_end,
                                                  nothing };
