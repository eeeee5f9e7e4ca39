/* The log sink is one of the two file-scope variables that the style allows: lines come from
 * everywhere, and it is set once before threads start. */
#include "base/log.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A line is cut behind its last whole field. PIPE_BUF is 4096: lines of several processes that
 * share a pipe do not mix. */
#define LINE_MAX_BYTES 4096
#define TAIL_BYTES 32 /* for the mark of a cut line, brace and newline */

static struct {
    const char *program;
    enum log_level least;
    bool json;
    int fd;
} sink = { "emt", LOG_LEVEL_INFO, false, STDERR_FILENO };

static const char *const names[] = { [LOG_LEVEL_DEBUG] = "debug",
                                     [LOG_LEVEL_INFO] = "info",
                                     [LOG_LEVEL_NOTICE] = "notice",
                                     [LOG_LEVEL_WARN] = "warn",
                                     [LOG_LEVEL_ERROR] = "error" };
static const char *const labels[] = { [LOG_LEVEL_DEBUG] = "DEBUG",
                                      [LOG_LEVEL_INFO] = "INFO",
                                      [LOG_LEVEL_NOTICE] = "NOTICE",
                                      [LOG_LEVEL_WARN] = "WARN",
                                      [LOG_LEVEL_ERROR] = "ERROR" };

void log_open(const char *program, enum log_level least, enum log_format format, int fd)
{
    sink.program = program;
    sink.least = least;
    sink.fd = fd;
    sink.json = format == LOG_FORMAT_AUTO ? !isatty(fd) : format == LOG_FORMAT_JSON;
}

bool log_wants(enum log_level level)
{
    return level >= sink.least;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Milliseconds always, so that columns of a text log line up. */
static void put_now(struct writer *w)
{
    struct civil c;

    time_to_civil(clock_now(), &c);
    writer_printf(w, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour,
                  c.minute, c.second, c.micros / 1000);
}

/* Text that could be taken for the next field, or that would break the line, is quoted. */
static bool is_bare(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f || *s == '"' || *s == '=' || *s == '\\')
            return false;
    return true;
}

static void put_field(struct writer *w, const struct log_field *f)
{
    if (sink.json) {
        writer_u8(w, ',');
        json_put_cstr(w, f->key);
        writer_u8(w, ':');
    } else {
        writer_u8(w, ' ');
        writer_text(w, f->key);
        writer_u8(w, '=');
    }
    if (f->is_number)
        writer_printf(w, "%lld", (long long)f->number);
    else if (!sink.json && is_bare(f->text))
        writer_text(w, f->text);
    else
        json_put_cstr(w, f->text);
}

static void put_head(struct writer *w, enum log_level level, const char *event)
{
    if (!sink.json) {
        put_now(w);
        writer_printf(w, " %s %s", labels[level], event);
        return;
    }
    writer_text(w, "{\"ts\":\"");
    put_now(w);
    writer_printf(w, "\",\"level\":\"%s\",\"program\":", names[level]);
    json_put_cstr(w, sink.program);
    writer_text(w, ",\"event\":");
    json_put_cstr(w, event);
}

static void write_line(const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t w = write(sink.fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) /* nowhere left to say it */
            return;
        p += w;
        n -= (size_t)w;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, unsigned n)
{
    uint8_t line[LINE_MAX_BYTES];
    struct writer w;
    bool cut = false;
    size_t len;

    if (!log_wants(level))
        return;
    writer_init_fixed(&w, line, sizeof line - TAIL_BYTES);
    put_head(&w, level, event);
    len = w.failed ? 0 : w.len;
    for (unsigned i = 0; i < n; i++) {
        if (!fields[i].is_number && !fields[i].text)
            continue;
        put_field(&w, &fields[i]);
        if (w.failed) { /* this field is left out; a later, shorter one may still fit */
            w.failed = false;
            w.len = len;
            cut = true;
        }
        len = w.len;
    }
    w.cap = sizeof line;
    if (cut)
        writer_text(&w, sink.json ? ",\"cut\":true" : " cut=true");
    writer_text(&w, sink.json ? "}\n" : "\n");
    write_line(line, w.len);
}
