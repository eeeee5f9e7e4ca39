#include "connectors/edi_writer.h"

#include <stdio.h>
#include <string.h>

/* Service characters of the market: component ':', element '+', decimal mark '.', release '?',
 * reserved ' ', terminator ''' (EDI@Energy general rules; ISO 9735 clause 7). */
static const char una[] = "UNA:+.? '";

static void fail(struct edi_writer *w, enum emt_err err, const char *text)
{
    if (w->err != EMT_OK)
        return;
    w->err = err;
    snprintf(w->text, sizeof(w->text), "%s", text);
}

/* A load profile puts 60 pieces of a few bytes for each value: what fits is copied on the spot. */
static inline void put(struct edi_writer *w, const void *p, size_t n)
{
    if (w->err != EMT_OK)
        return;
    if (w->buf.cap - w->buf.len >= n) {
        memcpy(w->buf.data + w->buf.len, p, n);
        w->buf.len += n;
    } else if (!writer_bytes(&w->buf, p, n)) {
        fail(w, EMT_ELIMIT, "message is larger than the limit, or memory is short");
    }
}

void edi_init(struct edi_writer *w, const struct sink *sink, size_t limit)
{
    *w = (struct edi_writer){ .sink = sink, .day = EMT_TIME_NONE };
    writer_init_heap(&w->buf, limit);
}

void edi_release(struct edi_writer *w)
{
    writer_release(&w->buf);
}

static inline bool is_service(unsigned char c)
{
    return c == ':' || c == '+' || c == '?' || c == '\'';
}

/* One character of UTF-8 as ISO 8859-1; -1 when UNOC has none: beyond U+00FF, a control character,
 * or no valid UTF-8. *at moves past it. */
static int next_latin1(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;

    if (p[0] < 0x80) {
        *at += 1;
        return p[0] < 0x20 || p[0] == 0x7f ? -1 : p[0];
    }
    if ((p[0] == 0xc2 || p[0] == 0xc3) && (p[1] & 0xc0u) == 0x80) {
        unsigned c = ((p[0] & 0x03u) << 6) | (p[1] & 0x3fu);
        *at += 2;
        return c < 0xa0 ? -1 : (int)c;
    }
    return -1;
}

/* Length of text when no character of it needs a second look: printable ASCII without service
 * characters. */
static size_t plain_length(const char *text)
{
    size_t n = 0;

    while (text[n] >= ' ' && text[n] < 0x7f && !is_service((unsigned char)text[n]))
        n++;
    return text[n] == '\0' ? n : 0;
}

static void put_released(struct edi_writer *w, const char *text)
{
    char chunk[128];
    size_t n = plain_length(text);

    if (n > 0) {
        put(w, text, n);
        return;
    }

    while (*text) {
        int c = next_latin1(&text);

        if (c < 0) {
            fail(w, EMT_EMALFORMED, "character outside ISO 8859-1 (UNOC), or a control character");
            return;
        }
        if (n + 2 > sizeof(chunk)) {
            put(w, chunk, n);
            n = 0;
        }
        if (is_service((unsigned char)c))
            chunk[n++] = '?';
        chunk[n++] = (char)c;
    }
    put(w, chunk, n);
}

/* Separators are written late, so that empty components and elements at the end cost nothing
 * (ISO 9735 clause 8: trailing separators are left out). */
static void put_owed(struct edi_writer *w)
{
    for (; w->owed_elements > 0; w->owed_elements--)
        put(w, "+", 1);
    for (; w->owed_components > 0; w->owed_components--)
        put(w, ":", 1);
}

void edi_segment(struct edi_writer *w, const char *tag)
{
    w->owed_elements = 0;
    w->owed_components = 0;
    put(w, tag, strlen(tag));
}

static void put_text(struct edi_writer *w, const char *text)
{
    if (!text || !*text)
        return;
    put_owed(w);
    put_released(w, text);
}

void edi_element(struct edi_writer *w, const char *text)
{
    w->owed_elements++;
    w->owed_components = 0;
    put_text(w, text);
}

void edi_component(struct edi_writer *w, const char *text)
{
    w->owed_components++;
    put_text(w, text);
}

/* Digits of v in front of end; returns the first. */
static char *digits_before(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return end;
}

/* The common case of decimal_format(), 0 to 3 places, without a detour over printf; false: not that
 * case. */
static bool put_small_decimal(struct edi_writer *w, struct decimal value)
{
    static const uint64_t powers[] = { 1, 10, 100, 1000 };
    char text[32];
    char *end = text + sizeof(text);
    char *p = end;
    uint64_t v = (uint64_t)value.mantissa;
    unsigned places = (unsigned)-value.exponent;

    if (value.mantissa < 0 || value.exponent > 0 || value.exponent < -3)
        return false;
    if (places > 0) {
        uint64_t fraction = v % powers[places];

        for (unsigned i = 0; i < places; i++, fraction /= 10)
            *--p = (char)('0' + fraction % 10);
        *--p = '.';
    }
    p = digits_before(p, v / powers[places]);
    put(w, p, (size_t)(end - p));
    return true;
}

void edi_component_decimal(struct edi_writer *w, struct decimal value)
{
    char text[DECIMAL_TEXT_MAX];

    w->owed_components++;
    put_owed(w);
    if (put_small_decimal(w, value))
        return;
    decimal_format(value, text);
    put(w, text, strlen(text)); /* digits, point, minus: nothing to release */
}

void edi_element_number(struct edi_writer *w, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

    w->owed_elements++;
    w->owed_components = 0;
    put_owed(w);
    put(w, text, (size_t)n);
}

static void two_digits(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

/* The date of a day is formatted once: a load profile names each day 192 times. */
static bool load_day(struct edi_writer *w, emt_time t)
{
    struct civil c;

    if (w->day != EMT_TIME_NONE && t >= w->day && t - w->day < EMT_DAY)
        return true;
    time_to_civil(t, &c);
    if (c.year < 1000 || c.year > 9999)
        return false;
    two_digits(w->day_text, (unsigned)c.year / 100);
    two_digits(w->day_text + 2, (unsigned)c.year % 100);
    two_digits(w->day_text + 4, (unsigned)c.month);
    two_digits(w->day_text + 6, (unsigned)c.day);
    w->day = t - (((c.hour * 60 + c.minute) * 60 + c.second) * EMT_SECOND + c.micros);
    return true;
}

void edi_component_time303(struct edi_writer *w, emt_time t)
{
    char text[] = "CCYYMMDDHHMM?+00"; /* the plus sign is a service character */
    emt_time of_day;

    w->owed_components++;
    if (t == EMT_TIME_NONE || t % EMT_MINUTE != 0 || !load_day(w, t)) {
        fail(w, EMT_EMALFORMED, "time is not a whole minute of the years 1000 to 9999");
        return;
    }
    put_owed(w);
    of_day = (t - w->day) / EMT_MINUTE;
    memcpy(text, w->day_text, 8);
    two_digits(text + 8, (unsigned)(of_day / 60));
    two_digits(text + 10, (unsigned)(of_day % 60));
    put(w, text, sizeof(text) - 1);
}

void edi_end(struct edi_writer *w)
{
    put(w, "'", 1);
    w->segments++;
}

void edi_una(struct edi_writer *w)
{
    put(w, una, sizeof(una) - 1);
}

void edi_message_begin(struct edi_writer *w, const char *reference, const char *const type[5])
{
    w->message_start = w->buf.len;
    w->segments = 0;
    edi_segment(w, "UNH");
    edi_element(w, reference);
    edi_element(w, type[0]);
    for (size_t i = 1; i < 5; i++)
        edi_component(w, type[i]);
    edi_end(w);
}

enum emt_err edi_flush(struct edi_writer *w)
{
    if (w->err != EMT_OK)
        return w->err;
    enum emt_err err = w->sink->put(w->sink->ctx, w->buf.data, w->buf.len);
    if (err != EMT_OK) {
        fail(w, err, "the file could not be written");
        w->sink_failed = true;
        return err;
    }
    w->bytes += w->buf.len;
    writer_clear(&w->buf);
    return EMT_OK;
}

enum emt_err edi_message_end(struct edi_writer *w, const char *reference)
{
    edi_segment(w, "UNT");
    edi_element_number(w, w->segments + 1u); /* UNT counts itself (DE0074) */
    edi_element(w, reference);
    edi_end(w);
    if (edi_flush(w) == EMT_OK)
        w->messages++;
    return w->err;
}

void edi_message_drop(struct edi_writer *w)
{
    if (w->sink_failed)
        return;
    w->buf.len = w->message_start;
    w->buf.failed = false;
    w->err = EMT_OK;
    w->text[0] = '\0';
    w->segments = 0;
}
