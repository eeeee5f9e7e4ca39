/* First byte: bit 7 another length byte follows, bits 6..4 type, bits 3..0 length; each further
 * byte adds four bits of length below. The length counts the field's own bytes, except for lists,
 * where it is the number of elements. */
#include "sml_tlv.h"

#define MORE 0x80u
#define TYPE_BITS 0x70u
#define LEFT_OUT 0x01

struct tl {
    unsigned type;
    size_t len; /* payload bytes; elements of a list */
};

/* Further length bytes; false when they are no such. */
static bool read_long(struct reader *in, struct tl *tl, size_t *own)
{
    uint8_t b = MORE;

    for (; b & MORE; ++*own) {
        b = reader_u8(in);
        if (*own == SML_TL_MAX || (b & TYPE_BITS))
            return false;
        tl->len = tl->len << 4 | (b & 0x0fu);
    }
    return true;
}

static inline bool read_tl(struct reader *in, struct tl *out)
{
    uint8_t b = reader_u8(in);
    size_t own = 1;

    out->type = (b & TYPE_BITS) >> 4;
    out->len = b & 0x0fu;
    if ((b & MORE) && !read_long(in, out, &own))
        reader_fail(in);
    if (out->type != SML_LIST) {
        if (out->len < own) /* 00 is the end of a message, no element */
            reader_fail(in);
        else
            out->len -= own;
    }
    /* Each element of a list takes a byte at least. */
    if (out->len > reader_left(in))
        reader_fail(in);
    return !in->failed;
}

static uint64_t read_number(struct reader *in, size_t n)
{
    if (n < 1 || n > 8) {
        reader_fail(in);
        return 0;
    }
    return reader_be(in, (unsigned)n);
}

/* Extends the sign from the bytes that were sent. */
static int64_t sign_extend(uint64_t v, size_t n)
{
    unsigned bits = (unsigned)(64 - 8 * n);

    return n == 8 ? (int64_t)v : (int64_t)(v << bits) >> bits;
}

static bool is_left_out(struct reader *in)
{
    if (reader_left(in) == 0 || reader_peek(in, 0) != LEFT_OUT)
        return false;
    reader_skip(in, 1);
    return true;
}

struct sml_value sml_read(struct reader *in)
{
    struct sml_value v = { SML_VALUE_NONE, 0, 0, NULL, 0 };
    struct tl tl;

    if (is_left_out(in) || !read_tl(in, &tl))
        return v;
    v.n = tl.len;
    switch (tl.type) {
    case SML_OCTETS:
        v.p = reader_bytes(in, tl.len);
        v.kind = tl.len ? SML_VALUE_OCTETS : SML_VALUE_NONE;
        break;
    case SML_BOOLEAN:
        v.u = read_number(in, tl.len) != 0;
        v.i = (int64_t)v.u;
        v.kind = SML_VALUE_BOOLEAN;
        break;
    case SML_INTEGER:
        v.u = read_number(in, tl.len);
        v.i = in->failed ? 0 : sign_extend(v.u, tl.len);
        v.kind = SML_VALUE_INTEGER;
        break;
    case SML_UNSIGNED:
        v.u = read_number(in, tl.len);
        v.kind = SML_VALUE_UNSIGNED;
        break;
    case SML_LIST:
        v.kind = SML_VALUE_LIST;
        break;
    default:
        reader_fail(in);
        break;
    }
    if (in->failed)
        v.kind = SML_VALUE_NONE;
    return v;
}

size_t sml_read_list(struct reader *in, size_t least)
{
    struct tl tl;

    if (!read_tl(in, &tl) || tl.type != SML_LIST || tl.len < least) {
        reader_fail(in);
        return 0;
    }
    return tl.len;
}

size_t sml_read_optional_list(struct reader *in, bool *present)
{
    bool there = !is_left_out(in);

    if (present)
        *present = there;
    return there ? sml_read_list(in, 0) : 0;
}

const uint8_t *sml_read_octets(struct reader *in, size_t *n)
{
    struct tl tl;

    *n = 0;
    if (!read_tl(in, &tl) || tl.type != SML_OCTETS) {
        reader_fail(in);
        return NULL;
    }
    *n = tl.len;
    return tl.len ? reader_bytes(in, tl.len) : NULL;
}

uint64_t sml_read_unsigned(struct reader *in, uint64_t most)
{
    struct tl tl;
    uint64_t v;

    if (!read_tl(in, &tl) || tl.type != SML_UNSIGNED) {
        reader_fail(in);
        return 0;
    }
    v = read_number(in, tl.len);
    if (v > most) {
        reader_fail(in);
        return 0;
    }
    return v;
}

uint64_t sml_read_optional_unsigned(struct reader *in, uint64_t most, bool *present)
{
    *present = !is_left_out(in);
    return *present ? sml_read_unsigned(in, most) : 0;
}

int64_t sml_read_optional_integer(struct reader *in, size_t bytes, bool *present)
{
    struct tl tl;

    *present = !is_left_out(in);
    if (!*present)
        return 0;
    if (!read_tl(in, &tl) || tl.type != SML_INTEGER || tl.len > bytes) {
        reader_fail(in);
        return 0;
    }
    return sign_extend(read_number(in, tl.len), tl.len ? tl.len : 1);
}

void sml_skip(struct reader *in, size_t n)
{
    size_t open[SML_DEPTH_MAX]; /* elements still to come of each list that is open */
    unsigned depth = 0;

    open[0] = n;
    for (;;) {
        struct sml_value v;

        while (open[depth] == 0) {
            if (depth == 0)
                return;
            depth--;
        }
        open[depth]--;
        v = sml_read(in);
        if (in->failed)
            return;
        if (v.kind != SML_VALUE_LIST)
            continue;
        if (++depth == SML_DEPTH_MAX) {
            reader_fail(in);
            return;
        }
        open[depth] = v.n;
    }
}
