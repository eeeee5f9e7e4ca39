/* An escape is 1b1b1b1b on a four-byte boundary counted from the start; the four bytes behind it
 * say what it means:
 *
 * 1b1b1b1b  a literal 1b1b1b1b of the payload
 * 01010101  start of a file, version 1      02020202  the same, version 2
 * 03xxxxxx  timeout (version 2)             04xxxxxx  block size (version 2)
 * 1aPPCCCC  end: padding count, CRC-16/X.25 over everything before it, low byte first */
#include "sml_transport.h"

#include "common/crc16.h"

#include <string.h>

#define GROUP 4
#define ESC 0x1b
#define MEANS_END 0x1a
#define MEANS_TIMEOUT 0x03
#define MEANS_BLOCK_SIZE 0x04
#define PADDING_MOST 3

static const uint8_t escape[GROUP] = { ESC, ESC, ESC, ESC };

const char *sml_envelope_text(enum sml_envelope e)
{
    switch (e) {
    case SML_ENVELOPE_INTACT:
        return "intact";
    case SML_ENVELOPE_INCOMPLETE:
        return "ends before its end sequence";
    case SML_ENVELOPE_NO_START:
        return "no start sequence";
    case SML_ENVELOPE_BAD_ESCAPE:
        return "unknown escape sequence";
    case SML_ENVELOPE_BAD_PADDING:
        return "bad padding";
    case SML_ENVELOPE_BAD_CRC:
        return "wrong checksum";
    case SML_ENVELOPE_TOO_LONG:
        return "longer than a file may be";
    }
    return "unknown";
}

static bool is_escape(const uint8_t *p)
{
    return p[0] == ESC && memcmp(p, escape, GROUP) == 0;
}

/* The version that a start sequence announces; 0: none. */
static unsigned start_version(const uint8_t *p)
{
    static const uint8_t versions[][GROUP] = { { 1, 1, 1, 1 }, { 2, 2, 2, 2 } };

    if (!is_escape(p))
        return 0;
    for (unsigned v = 0; v < sizeof versions / sizeof versions[0]; v++)
        if (memcmp(p + GROUP, versions[v], GROUP) == 0)
            return v + 1;
    return 0;
}

static bool padding_is_zero(const uint8_t *end, unsigned n)
{
    for (unsigned i = 1; i <= n; i++)
        if (*(end - i) != 0)
            return false;
    return true;
}

/* data[at] begins the end sequence. */
static enum sml_envelope look_at_end(const uint8_t *data, size_t at, struct sml_frame *out)
{
    const uint8_t *end = data + at;
    unsigned padding = end[5];

    out->len = at + SML_END_LEN;
    if (padding > PADDING_MOST || at < SML_START_LEN + padding || !padding_is_zero(end, padding))
        return SML_ENVELOPE_BAD_PADDING;
    if (crc16_x25(data, at + 6) != (end[6] | end[7] << 8))
        return SML_ENVELOPE_BAD_CRC;
    out->padding = padding;
    return SML_ENVELOPE_INTACT;
}

/* What an escape inside a body means; true: the body goes on behind it. */
static bool is_inner(const uint8_t *meaning, struct sml_frame *out)
{
    bool literal = is_escape(meaning);
    bool property = out->version == 2 && !literal &&
                    (meaning[0] == MEANS_TIMEOUT || meaning[0] == MEANS_BLOCK_SIZE);

    out->escapes += literal ? 1 : property ? 2 : 0;
    return literal || property;
}

enum sml_envelope sml_transport_look(const uint8_t *data, size_t len, size_t max,
                                     struct sml_frame *out)
{
    size_t most = len < max ? len : max;

    memset(out, 0, sizeof *out);
    if (len < SML_START_LEN)
        return SML_ENVELOPE_INCOMPLETE;
    out->version = start_version(data);
    if (out->version == 0)
        return SML_ENVELOPE_NO_START;
    for (size_t at = SML_START_LEN; most - at >= SML_END_LEN; at += GROUP) {
        if (!is_escape(data + at))
            continue;
        if (data[at + GROUP] == MEANS_END)
            return look_at_end(data, at, out);
        out->len = at;
        if (!is_inner(data + at + GROUP, out))
            return SML_ENVELOPE_BAD_ESCAPE;
        at += GROUP;
        if (most - at < GROUP)
            break;
    }
    out->len = most;
    return len >= max ? SML_ENVELOPE_TOO_LONG : SML_ENVELOPE_INCOMPLETE;
}

size_t sml_transport_body_len(const struct sml_frame *f)
{
    return f->len - SML_START_LEN - SML_END_LEN - f->padding - (size_t)f->escapes * GROUP;
}

/* Groups to pass over at data[at]: 1 for the first half of a literal escape, 2 for a property. */
static unsigned groups_over(const uint8_t *p)
{
    if (!is_escape(p))
        return 0;
    return is_escape(p + GROUP) ? 1 : 2;
}

const uint8_t *sml_transport_body(const uint8_t *frame, const struct sml_frame *f, uint8_t *storage)
{
    size_t end = f->len - SML_END_LEN - f->padding;
    size_t n = 0;

    if (f->escapes == 0)
        return frame + SML_START_LEN;
    for (size_t at = SML_START_LEN; at < end;) {
        unsigned over = groups_over(frame + at);
        size_t take = end - at < GROUP ? end - at : GROUP;

        if (over == 2) {
            at += (size_t)over * GROUP;
            continue;
        }
        at += (size_t)over * GROUP;
        memcpy(storage + n, frame + at, take);
        n += take;
        at += GROUP;
    }
    return storage;
}

size_t sml_transport_offset(const uint8_t *frame, const struct sml_frame *f, size_t at)
{
    size_t pos = SML_START_LEN;

    if (f->escapes == 0)
        return pos + at;
    for (size_t n = 0;; n += GROUP) {
        unsigned over;

        while ((over = groups_over(frame + pos)) == 2 && frame[pos + GROUP] != MEANS_END)
            pos += (size_t)2 * GROUP;
        if (over == 1)
            pos += GROUP;
        if (at < n + GROUP || over == 2)
            return pos + (at - n);
        pos += GROUP;
    }
}

/* The first place at or behind `at` where a start sequence is, or could be once more bytes are
 * there; len when there is none. */
static size_t find_start(const uint8_t *data, size_t len, size_t at)
{
    while (at < len) {
        const uint8_t *p = (const uint8_t *)memchr(data + at, ESC, len - at);
        size_t left;

        if (!p)
            return len;
        at = (size_t)(p - data);
        left = len - at;
        if (left < SML_START_LEN ? memcmp(p, escape, left < GROUP ? left : GROUP) == 0
                                 : start_version(p) != 0)
            return at;
        at++;
    }
    return len;
}

enum emt_err sml_transport_find(const uint8_t *data, size_t len, size_t max, bool last, size_t *at,
                                struct sml_frame *out, unsigned long *damaged)
{
    while ((*at = find_start(data, len, *at)) < len) {
        enum sml_envelope e = sml_transport_look(data + *at, len - *at, max, out);

        if (e == SML_ENVELOPE_INCOMPLETE && !last)
            return EMT_EAGAIN;
        out->offset = *at;
        if (e == SML_ENVELOPE_INTACT) {
            *at += out->len;
            return EMT_OK;
        }
        if (len - *at >= SML_START_LEN)
            ++*damaged;
        ++*at;
    }
    return EMT_ENOTFOUND;
}

void sml_stream_init(struct sml_stream *s, uint8_t *buf, size_t max)
{
    memset(s, 0, sizeof *s);
    s->buf = buf;
    s->max = max;
}

/* Delivers what is whole and moves the rest to the front. */
static enum emt_err drain(struct sml_stream *s, bool last,
                          enum emt_err (*put)(void *ctx, const uint8_t *file, size_t len),
                          void *ctx)
{
    struct sml_frame f;
    size_t at = 0;
    enum emt_err result = EMT_OK;

    while (result == EMT_OK &&
           sml_transport_find(s->buf, s->len, s->max, last, &at, &f, &s->damaged) == EMT_OK) {
        s->files++;
        result = put(ctx, s->buf + f.offset, f.len);
    }
    s->len -= at;
    memmove(s->buf, s->buf + at, s->len);
    return result;
}

enum emt_err sml_stream_push(struct sml_stream *s, const uint8_t *p, size_t n,
                             enum emt_err (*put)(void *ctx, const uint8_t *file, size_t len),
                             void *ctx)
{
    enum emt_err err = EMT_OK;

    while (n > 0 && err == EMT_OK) {
        size_t room = s->max - s->len;
        size_t take = n < room ? n : room;

        memcpy(s->buf + s->len, p, take);
        s->len += take;
        p += take;
        n -= take;
        /* A full buffer without an end is a file that is too long: the search always frees some. */
        err = drain(s, false, put, ctx);
    }
    return err;
}

enum emt_err sml_stream_flush(struct sml_stream *s,
                              enum emt_err (*put)(void *ctx, const uint8_t *file, size_t len),
                              void *ctx)
{
    return drain(s, true, put, ctx);
}
