#include "connectors/edi_reader.h"

#include <string.h>

/* UNA: "UNA", then component, element, decimal mark, release, reserved, terminator (ISO 9735 clause
 * 7). Without it the default characters of level A hold, which are the market's. */
#define UNA_LEN 9

static const struct edi_syntax default_syntax = { ':', '+', '.', '?', ' ', '\'' };
/* Level B separates by IS1, IS3 and IS4 and has no release character (ISO 9735 clause 5.2). */
static const struct edi_syntax level_b_syntax = { '\x1f', '\x1d', '.', '\0', ' ', '\x1c' };

static bool is_tag_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_break(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* The characters that the reader acts on must be told apart from each other and from data. */
static bool syntax_usable(const struct edi_syntax *s)
{
    const char c[4] = { s->component, s->element, s->release, s->terminator };

    for (size_t i = 0; i < 4; i++) {
        if ((unsigned char)c[i] <= ' ' || is_tag_char((uint8_t)c[i]) ||
            (c[i] >= 'a' && c[i] <= 'z'))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (c[i] == c[j])
                return false;
        }
    }
    return true;
}

static void skip_breaks(struct edi_reader *r)
{
    while (reader_left(&r->in) > 0 && is_break(reader_peek(&r->in, 0))) {
        (void)reader_u8(&r->in);
        r->line_breaks++;
        r->ends_with_break = true;
    }
}

/* Everything but service characters and what is odd in a text. */
static void find_plain(struct edi_reader *r)
{
    for (unsigned c = 0; c < 256; c++)
        r->plain[c] = c >= 0x20 && (c < 0x7f || c >= 0xa0);
    r->plain[(uint8_t)r->syntax.component] = false;
    r->plain[(uint8_t)r->syntax.element] = false;
    r->plain[(uint8_t)r->syntax.terminator] = false;
    r->plain[(uint8_t)r->syntax.release] = false;
}

static enum emt_err read_syntax(struct edi_reader *r, const void *data, size_t len)
{
    const uint8_t *p;

    *r = (struct edi_reader){ .in = reader_of(data, len), .syntax = default_syntax };
    if (len < 3)
        return EMT_EUNSUPPORTED;
    if (memcmp(data, "UNB", 3) == 0) {
        if (len > 3 && ((const char *)data)[3] == level_b_syntax.element)
            r->syntax = level_b_syntax;
        return EMT_OK;
    }
    if (memcmp(data, "UNA", 3) != 0)
        return EMT_EUNSUPPORTED;
    p = reader_bytes(&r->in, UNA_LEN);
    if (!p)
        return EMT_ETRUNCATED;
    r->syntax = (struct edi_syntax){ (char)p[3], (char)p[4], (char)p[5],
                                     (char)p[6], (char)p[7], (char)p[8] };
    r->una = true;
    return syntax_usable(&r->syntax) ? EMT_OK : EMT_EMALFORMED;
}

enum emt_err edi_reader_init(struct edi_reader *r, const void *data, size_t len)
{
    enum emt_err err = read_syntax(r, data, len);

    find_plain(r);
    return err;
}

/* Where the segment being read stands. */
struct filler {
    struct edi_segment *seg;
    size_t len; /* of text */
};

/* Closes the component that ends here and opens the next one. */
static bool next_component(struct filler *f)
{
    struct edi_segment *s = f->seg;

    if (s->n_components == EDI_COMPONENTS_MAX || f->len >= sizeof(s->text))
        return false;
    s->text[f->len++] = '\0';
    if (s->n_components + 1 < EDI_COMPONENTS_MAX)
        s->start[s->n_components + 1] = (uint16_t)f->len;
    s->n_components++;
    return true;
}

static bool next_element(struct filler *f)
{
    if (!next_component(f) || f->seg->n_elements + 1 >= EDI_ELEMENTS_MAX)
        return false;
    f->seg->n_elements++;
    f->seg->first[f->seg->n_elements] = f->seg->n_components;
    return true;
}

static bool put_char(struct filler *f, uint8_t c)
{
    /* Room stays for the 0 of every component. */
    if (f->len - f->seg->n_components >= EDI_SEGMENT_MAX)
        return false;
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        f->seg->odd_character = true;
    f->seg->text[f->len++] = (char)c;
    return true;
}

/* Most bytes are data as they stand: they are taken in runs. */
static bool put_run(struct edi_reader *r, struct filler *f)
{
    size_t n = reader_span(&r->in, r->plain);

    if (n > 0 && f->len - f->seg->n_components + n <= EDI_SEGMENT_MAX) {
        memcpy(f->seg->text + f->len, reader_bytes(&r->in, n), n);
        f->len += n;
        return true;
    }
    return n == 0;
}

static enum emt_err fill(struct edi_reader *r, struct filler *f)
{
    const struct edi_syntax *s = &r->syntax;

    while (reader_left(&r->in) > 0) {
        if (!put_run(r, f))
            return EMT_ELIMIT;
        if (reader_left(&r->in) == 0)
            break;
        uint8_t c = reader_u8(&r->in);
        bool fits;

        if (c == (uint8_t)s->terminator)
            return next_component(f) ? EMT_OK : EMT_ELIMIT;
        if (c == (uint8_t)s->component) {
            fits = next_component(f);
        } else if (c == (uint8_t)s->element) {
            fits = next_element(f);
        } else {
            if (s->release != '\0' && c == (uint8_t)s->release) {
                if (reader_left(&r->in) == 0)
                    return EMT_ETRUNCATED;
                c = reader_u8(&r->in);
            }
            if (c == 0)
                return EMT_EMALFORMED;
            fits = put_char(f, c);
        }
        if (!fits)
            return EMT_ELIMIT;
    }
    return EMT_ETRUNCATED;
}

static bool tag_ok(const struct edi_segment *s)
{
    const char *tag = edi_value(s, 0, 1);

    return edi_components(s, 0) == 1 && strlen(tag) == 3 && is_tag_char((uint8_t)tag[0]) &&
           is_tag_char((uint8_t)tag[1]) && is_tag_char((uint8_t)tag[2]);
}

enum emt_err edi_reader_next(struct edi_reader *r, struct edi_segment *out)
{
    struct filler f = { .seg = out };

    if (r->err != EMT_OK)
        return r->err;
    r->ends_with_break = false;
    skip_breaks(r);
    if (reader_left(&r->in) == 0)
        return r->err = EMT_ENOTFOUND;
    out->n_components = 0;
    out->n_elements = 0;
    out->first[0] = 0;
    out->start[0] = 0;
    out->odd_character = false;
    out->position = r->segments + 1;
    out->offset = r->in.pos;
    r->err = fill(r, &f);
    if (r->err != EMT_OK)
        return r->err;
    out->end = (uint16_t)(f.len - 1);
    out->first[out->n_elements + 1] = out->n_components;
    if (!tag_ok(out))
        return r->err = EMT_EMALFORMED;
    r->segments++;
    return EMT_OK;
}

unsigned edi_components(const struct edi_segment *seg, unsigned element)
{
    return element > seg->n_elements ? 0 : (unsigned)seg->first[element + 1] - seg->first[element];
}

const char *edi_value(const struct edi_segment *seg, unsigned element, unsigned component)
{
    if (component == 0 || component > edi_components(seg, element))
        return "";
    return seg->text + seg->start[seg->first[element] + component - 1];
}
