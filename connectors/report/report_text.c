/* Bytes of a report: UTF-8 or code page 1252, times by pattern, the letterhead. */
#include "model/local_day.h"
#include "report_template.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

bool report_utf8_next(const char **text, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)*text;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;
    uint32_t v = n == 1 ? p[0] : n == 0 ? 0 : p[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) { /* also the closing 0 */
            n = 0;
            break;
        }
        v = v << 6 | (p[i] & 0x3fu);
    }
    if (n == 0 || v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) {
        *text += 1;
        return false;
    }
    *text += n;
    *cp = v;
    return true;
}

/* --- encodings --- */

/* What code page 1252 has at 0x80 to 0x9f; 0: nothing. */
static const uint16_t cp1252_high[32] = { 0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020,
                                          0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
                                          0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d,
                                          0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
                                          0x0153, 0,      0x017e, 0x0178 };

/* 0: it has none. */
static unsigned char cp1252_of(uint32_t cp)
{
    if (cp < 0x80 || (cp >= 0xa0 && cp <= 0xff))
        return (unsigned char)cp;
    for (unsigned char i = 0; i < 32; i++) {
        if (cp1252_high[i] == cp)
            return (unsigned char)(0x80 + i);
    }
    return 0;
}

void report_bytes_init(struct report_bytes *b, const struct sink *out,
                       const struct report_template *t)
{
    b->out = out;
    b->t = t;
    b->err = EMT_OK;
    b->len = 0;
    b->why[0] = '\0';
}

void report_flush(struct report_bytes *b)
{
    if (b->err == EMT_OK && b->len > 0)
        b->err = b->out->put(b->out->ctx, b->buf, b->len);
    b->len = 0;
}

void report_put_raw(struct report_bytes *b, const void *p, size_t n)
{
    if (b->len + n > sizeof b->buf)
        report_flush(b);
    if (n > sizeof b->buf) {
        if (b->err == EMT_OK)
            b->err = b->out->put(b->out->ctx, p, n);
        return;
    }
    memcpy(b->buf + b->len, p, n);
    b->len += n;
}

void report_put(struct report_bytes *b, const char *text)
{
    report_put_raw(b, text, strlen(text));
}

static void put_utf8(struct report_bytes *b, uint32_t cp)
{
    unsigned char u[4];
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

    for (size_t i = n; i-- > 1; cp >>= 6)
        u[i] = (unsigned char)(0x80 | (cp & 0x3f));
    u[0] = (unsigned char)(n == 1 ? cp : (0xf00u >> n & 0xff) | cp);
    report_put_raw(b, u, n);
}

void report_put_char(struct report_bytes *b, uint32_t cp)
{
    unsigned char c;

    if (!b->t->cp1252) {
        put_utf8(b, cp);
        return;
    }
    c = cp1252_of(cp);
    if (c == 0 && cp != 0) {
        char reference[16];

        if (b->t->format == REPORT_XML) { /* XML can always say it */
            snprintf(reference, sizeof reference, "&#x%X;", (unsigned)cp);
            report_put(b, reference);
            return;
        }
        if (b->t->refuses && b->err == EMT_OK) {
            b->err = EMT_EMALFORMED;
            snprintf(b->why, sizeof b->why, "U+%04X is not in code page 1252", (unsigned)cp);
        }
        c = '?';
    }
    report_put_raw(b, &c, 1);
}

/* --- times --- */

static const char *part_of(const char *pattern, char part[5])
{
    static const char *const parts[] = { "YYYY", "YY", "MM", "DD", "HH", "mm", "ss", "Z" };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]);

        if (strncmp(pattern, parts[i], n) == 0) {
            memcpy(part, parts[i], n + 1);
            return pattern + n;
        }
    }
    part[0] = '\0';
    return pattern;
}

static int put_part(const char *part, const struct civil *c, int offset_s, char *buf, size_t size)
{
    switch (part[0]) {
    case 'Y':
        return part[2] == 'Y' ? snprintf(buf, size, "%04d", c->year)
                              : snprintf(buf, size, "%02d", c->year % 100);
    case 'M':
        return snprintf(buf, size, "%02d", c->month);
    case 'D':
        return snprintf(buf, size, "%02d", c->day);
    case 'H':
        return snprintf(buf, size, "%02d", c->hour);
    case 'm':
        return snprintf(buf, size, "%02d", c->minute);
    case 's':
        return snprintf(buf, size, "%02d", c->second);
    default:
        return offset_s == 0
                   ? snprintf(buf, size, "Z")
                   : snprintf(buf, size, "+%02d:%02d", offset_s / 3600, offset_s / 60 % 60);
    }
}

char *report_time_text(const struct report_template *t, const char *pattern, emt_time at,
                       char buf[REPORT_TIME_MAX])
{
    int offset_s = t->utc ? 0 : local_offset_s(at);
    struct civil c;
    size_t n = 0;

    time_to_civil(at + offset_s * EMT_SECOND, &c);
    /* 40 characters of at most six bytes each part: always room. */
    while (*pattern != '\0' && n + 8 < REPORT_TIME_MAX) {
        char part[5];

        pattern = part_of(pattern, part);
        if (part[0] != '\0')
            n += (size_t)put_part(part, &c, offset_s, buf + n, REPORT_TIME_MAX - n);
        else
            buf[n++] = *pattern++;
    }
    buf[n] = '\0';
    return buf;
}

/* --- letterhead --- */

static void line(struct report_letter *l, const char *label, const char *text)
{
    if (text[0] == '\0' || l->n == REPORT_LETTER_LINES)
        return;
    l->label[l->n] = label;
    l->text[l->n++] = text;
}

void report_letter_make(const struct report_template *t, const struct report_head *head,
                        struct report_letter *out)
{
    const char *const contact[] = { t->contact_name, t->contact_mail, t->contact_phone };
    char from[REPORT_TIME_MAX];
    char to[REPORT_TIME_MAX];
    size_t n = 0;

    out->n = 0;
    out->contact[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        if (contact[i][0] != '\0')
            n += (size_t)snprintf(out->contact + n, sizeof out->contact - n, "%s%s",
                                  n > 0 ? ", " : "", contact[i]);
    }
    snprintf(out->period, sizeof out->period, "%s - %s",
             report_time_text(t, t->time_format, head->from, from),
             report_time_text(t, t->time_format, head->to, to));
    report_time_text(t, t->time_format, head->created, out->created);
    line(out, t->english ? "Report" : "Bericht", t->title[0] != '\0' ? t->title : head->name);
    line(out, t->english ? "Company" : "Unternehmen", t->company);
    line(out, "Logo", t->logo_text);
    line(out, t->english ? "Contact" : "Kontakt", out->contact);
    line(out, t->english ? "Period" : "Zeitraum", out->period);
    line(out, t->english ? "Created" : "Erstellt", out->created);
}
