#include "mail_message.h"

#include "base/hex.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Bytes of a line of 76 characters (RFC 2045, 6.8). */
#define LINE_BYTES 57

static void put_base64(struct writer *w, const uint8_t *p, size_t n)
{
    char line[4 * ((LINE_BYTES + 2) / 3) + 1];

    for (size_t i = 0; i < n; i += LINE_BYTES) {
        writer_text(w, base64_encode(p + i, n - i < LINE_BYTES ? n - i : LINE_BYTES, line));
        writer_text(w, "\r\n");
    }
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* Length of the UTF-8 character at p, 1 for what is none. */
static size_t character(const char *p)
{
    size_t n = 1;

    while (n < 4 && ((unsigned char)p[n] & 0xc0u) == 0x80u)
        n++;
    return n;
}

/* RFC 2047: words of at most 75 characters, each of whole characters. */
static void put_words(struct writer *w, const char *text)
{
    if (is_ascii(text) && strnlen(text, 901) <= 900) {
        writer_text(w, text);
        return;
    }
    while (*text != '\0') {
        char word[64];
        size_t n = 0;

        while (text[n] != '\0' && n + character(text + n) <= 45)
            n += character(text + n);
        writer_printf(w, "=?UTF-8?B?%s?=", base64_encode((const uint8_t *)text, n, word));
        text += n;
        if (*text != '\0')
            writer_text(w, "\r\n ");
    }
}

static void put_addresses(struct writer *w, const char *name, const char *const *list)
{
    if (list == NULL || *list == NULL)
        return;
    writer_text(w, name);
    for (size_t i = 0; list[i] != NULL; i++) {
        writer_text(w, i > 0 ? ",\r\n <" : " <");
        writer_text(w, list[i]);
        writer_text(w, ">");
    }
    writer_text(w, "\r\n");
}

void mail_headers(struct writer *w, const struct delivery_mail *m, emt_time date, const char *id)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct civil c;
    char line[128];

    time_to_civil(date, &c);
    writer_text(w, "From: <");
    writer_text(w, m->from);
    writer_text(w, ">\r\n");
    put_addresses(w, "To:", m->to);
    put_addresses(w, "Cc:", m->cc);
    writer_text(w, "Subject: ");
    put_words(w, m->subject);
    snprintf(line, sizeof line, "\r\nDate: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n",
             days[time_weekday(date)], c.day, months[c.month - 1], c.year, c.hour, c.minute,
             c.second);
    writer_text(w, line);
    writer_text(w, "Message-ID: <");
    writer_text(w, id);
    writer_text(w, ">\r\n");
}

static void put_boundary(struct writer *w, const char *boundary, const char *end)
{
    writer_text(w, "--=_");
    writer_text(w, boundary);
    writer_text(w, end);
    writer_text(w, "\r\n");
}

void mail_entity(struct writer *w, const char *text, const struct mail_attachment *a,
                 const char *boundary)
{
    writer_text(w, "Content-Type: multipart/mixed; boundary=\"=_");
    writer_text(w, boundary);
    writer_text(w, "\"\r\n\r\n");
    put_boundary(w, boundary, "");
    writer_text(
        w, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    put_base64(w, (const uint8_t *)text, strlen(text));
    put_boundary(w, boundary, "");
    writer_text(w, "Content-Type: ");
    writer_text(w, a->media_type);
    writer_text(
        w,
        "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename=\"");
    writer_text(w, a->name);
    writer_text(w, "\"\r\n\r\n");
    put_base64(w, a->data, a->len);
    put_boundary(w, boundary, "--");
}
