/* A recursive descent over the grammar of RFC 8259 with one thing remembered: where the picked
 * string goes. */
#include "agent/json_pick.h"

#include "base/reader.h"
#include "base/writer.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct pick {
    struct reader in;
    const char *key;
    bool in_array;
    size_t index;
    struct writer out;
    bool wrong_type;
    bool found;
    bool too_deep;
};

static bool value(struct pick *p, unsigned depth);

static void skip_space(struct pick *p)
{
    while (reader_left(&p->in) > 0) {
        uint8_t c = reader_peek(&p->in, 0);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        reader_skip(&p->in, 1);
    }
}

static bool take(struct pick *p, char c)
{
    skip_space(p);
    if (reader_left(&p->in) == 0 || reader_peek(&p->in, 0) != (uint8_t)c)
        return false;
    return reader_skip(&p->in, 1);
}

static bool hex4(struct pick *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = reader_u8(&p->in);
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = c - (uint32_t)'0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)(c | 0x20) - 'a' + 10;
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static void put_utf8(struct writer *w, uint32_t c)
{
    if (c < 0x80) {
        writer_u8(w, (uint8_t)c);
    } else if (c < 0x800) {
        writer_u8(w, (uint8_t)(0xc0 | c >> 6));
        writer_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        if (c < 0x10000) {
            writer_u8(w, (uint8_t)(0xe0 | c >> 12));
        } else {
            writer_u8(w, (uint8_t)(0xf0 | c >> 18));
            writer_u8(w, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        writer_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        writer_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* \uXXXX, with its second half where the first is a high surrogate. */
static bool unicode(struct pick *p, struct writer *w)
{
    uint32_t c, low;

    if (!hex4(p, &c) || c == 0 || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (reader_u8(&p->in) != '\\' || reader_u8(&p->in) != 'u' || !hex4(p, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(w, c);
    return true;
}

static bool escape(struct pick *p, struct writer *w)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = reader_u8(&p->in);

    if (c == 'u')
        return unicode(p, w);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return false;
    writer_u8(w, (uint8_t)to[at - from]); /* a full writer is judged at the end */
    return true;
}

/* The rest of a string after its opening quote. */
static bool string_rest(struct pick *p, struct writer *w)
{
    while (reader_left(&p->in) > 0) {
        uint8_t c = reader_u8(&p->in);
        if (c == '"')
            return true;
        if (c < 0x20)
            return false;
        if (c == '\\') {
            if (!escape(p, w))
                return false;
        } else {
            writer_u8(w, c);
        }
    }
    return false;
}

static bool string_skipped(struct pick *p)
{
    uint8_t nowhere[1];
    struct writer w;

    writer_init_fixed(&w, nowhere, 0);
    return string_rest(p, &w);
}

static bool digits(struct pick *p)
{
    size_t n = 0;

    while (reader_peek(&p->in, 0) >= '0' && reader_peek(&p->in, 0) <= '9') {
        reader_skip(&p->in, 1);
        n++;
    }
    return n > 0;
}

static bool number(struct pick *p)
{
    if (reader_peek(&p->in, 0) == '-')
        reader_skip(&p->in, 1);
    if (reader_peek(&p->in, 0) == '0')
        reader_skip(&p->in, 1);
    else if (!digits(p))
        return false;
    if (reader_peek(&p->in, 0) == '.') {
        reader_skip(&p->in, 1);
        if (!digits(p))
            return false;
    }
    if ((reader_peek(&p->in, 0) | 0x20) == 'e') {
        reader_skip(&p->in, 1);
        if (reader_peek(&p->in, 0) == '+' || reader_peek(&p->in, 0) == '-')
            reader_skip(&p->in, 1);
        return digits(p);
    }
    return true;
}

static bool word(struct pick *p, const char *text)
{
    const uint8_t *at = reader_bytes(&p->in, strlen(text));

    return at && memcmp(at, text, strlen(text)) == 0;
}

/* What is picked may stand as a string only. */
static bool picked(struct pick *p)
{
    if (!take(p, '"')) {
        p->wrong_type = true;
        return value(p, 2);
    }
    if (p->found)
        return false; /* the member stands twice */
    p->found = true;
    return string_rest(p, &p->out);
}

static bool picked_array(struct pick *p)
{
    if (!take(p, '[')) {
        p->wrong_type = true;
        return value(p, 2);
    }
    if (take(p, ']'))
        return true;
    for (size_t i = 0;; i++) {
        if (!(i == p->index ? picked(p) : value(p, 2)))
            return false;
        if (take(p, ']'))
            return true;
        if (!take(p, ','))
            return false;
    }
}

static bool member(struct pick *p, unsigned depth)
{
    char name[64];
    struct writer w;

    writer_init_fixed(&w, name, sizeof name);
    if (!take(p, '"') || !string_rest(p, &w) || !take(p, ':'))
        return false;
    if (depth == 1 && !w.failed && w.len == strlen(p->key) && memcmp(name, p->key, w.len) == 0)
        return p->in_array ? picked_array(p) : picked(p);
    return value(p, depth + 1);
}

static bool object(struct pick *p, unsigned depth)
{
    if (take(p, '}'))
        return true;
    do {
        if (!member(p, depth))
            return false;
    } while (take(p, ','));
    return take(p, '}');
}

static bool array(struct pick *p, unsigned depth)
{
    if (take(p, ']'))
        return true;
    do {
        if (!value(p, depth + 1))
            return false;
    } while (take(p, ','));
    return take(p, ']');
}

static bool value(struct pick *p, unsigned depth)
{
    if (depth > JSON_PICK_DEPTH) {
        p->too_deep = true;
        return false;
    }
    if (take(p, '{'))
        return object(p, depth);
    if (take(p, '['))
        return array(p, depth);
    if (take(p, '"'))
        return string_skipped(p);
    switch (reader_peek(&p->in, 0)) {
    case 't':
        return word(p, "true");
    case 'f':
        return word(p, "false");
    case 'n':
        return word(p, "null");
    default:
        return number(p);
    }
}

static enum emt_err run(struct pick *p, const char *text, size_t n, char *out, size_t cap)
{
    p->in = reader_of(text, n);
    writer_init_fixed(&p->out, out, cap);
    bool sound = take(p, '{') && object(p, 1);
    skip_space(p);
    if (p->too_deep)
        return EMT_ELIMIT;
    if (!sound || p->in.failed || reader_left(&p->in) > 0 || p->wrong_type)
        return EMT_EMALFORMED;
    if (!p->found)
        return EMT_ENOTFOUND;
    if (memchr(out, '\0', p->out.failed ? 0 : p->out.len))
        return EMT_EMALFORMED;
    writer_u8(&p->out, 0);
    return p->out.failed ? EMT_ELIMIT : EMT_OK;
}

enum emt_err json_pick_text(const char *text, size_t n, const char *key, char *out, size_t cap)
{
    struct pick p = { .key = key };

    return run(&p, text, n, out, cap);
}

enum emt_err json_pick_element(const char *text, size_t n, const char *key, size_t index, char *out,
                               size_t cap)
{
    struct pick p = { .key = key, .in_array = true, .index = index };

    return run(&p, text, n, out, cap);
}
