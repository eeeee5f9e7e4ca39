/* IEC 62056-21, 6.3: identification message "/XXXZident CR LF", data message "STX lines ! CR LF ETX
 * BCC". Meters that send on their own (mode D, DSMR P1) leave out STX, ETX and BCC; DSMR from
 * version 4 prints a checksum behind the '!'. */
#include "iec_frame.h"

#include "common/crc16.h"

#include <string.h>

#define CRC_DIGITS 4
#define SEVEN_BITS 0x7fu

uint8_t iec_bcc(const uint8_t *p, size_t n)
{
    uint64_t wide = 0, eight;
    uint8_t x = 0;
    size_t i = 0;

    for (; n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, p + i, sizeof eight);
        wide ^= eight;
    }
    for (; i < n; i++)
        x ^= p[i];
    for (; wide; wide >>= 8)
        x ^= (uint8_t)wide;
    return x & SEVEN_BITS;
}

bool iec_has_parity(const uint8_t *p, size_t n)
{
    uint8_t all = 0;

    for (size_t i = 0; i < n; i++) {
        if (__builtin_parity(p[i]))
            return false;
        all |= p[i];
    }
    return all & 0x80u;
}

struct cursor {
    const uint8_t *p;
    size_t n;
    size_t at;
};

static bool at_byte(const struct cursor *c, uint8_t b)
{
    return c->at < c->n && c->p[c->at] == b;
}

static bool is_line_end(uint8_t b)
{
    return b == '\r' || b == '\n';
}

static void skip_line_ends(struct cursor *c)
{
    while (c->at < c->n && (is_line_end(c->p[c->at]) || c->p[c->at] == 0))
        c->at++;
}

/* From the cursor to the end of the line, which the cursor passes. False when the line has no end.
 */
static bool take_line(struct cursor *c, struct iec_span *line)
{
    size_t from = c->at;

    while (c->at < c->n && !is_line_end(c->p[c->at]))
        c->at++;
    *line = (struct iec_span){ (const char *)c->p + from, c->at - from };
    return c->at < c->n;
}

/* What the reading side said before, where a tap recorded both: "/?addr!" and ACK option select. */
static void skip_requests(struct cursor *c)
{
    struct iec_span line;

    for (;;) {
        skip_line_ends(c);
        if (!at_byte(c, IEC_ACK) &&
            !(at_byte(c, '/') && c->at + 1 < c->n && c->p[c->at + 1] == '?'))
            return;
        (void)take_line(c, &line);
    }
}

static const char *take_ident(struct cursor *c, struct iec_frame *out)
{
    if (!at_byte(c, '/'))
        return NULL;
    out->ident_offset = c->at++;
    if (!take_line(c, &out->ident))
        return "the identification line does not end";
    return NULL;
}

/* Where a block ends that begins at the cursor; n when it does not. */
static size_t block_end(const struct cursor *c)
{
    const uint8_t *etx = (const uint8_t *)memchr(c->p + c->at, IEC_ETX, c->n - c->at);
    size_t end = etx ? (size_t)(etx - c->p) : c->n;
    const uint8_t *eot = (const uint8_t *)memchr(c->p + c->at, IEC_EOT, end - c->at);

    return eot ? (size_t)(eot - c->p) : end;
}

/* The cursor stands behind STX. */
static const char *take_block(struct cursor *c, struct iec_frame *out)
{
    size_t from = c->at, end = block_end(c);
    const char *why;

    if (c->n - end < 2)
        return "the block ends before its check";
    out->partial = c->p[end] == IEC_EOT;
    if (iec_bcc(c->p + from, end + 1 - from) != (c->p[end + 1] & SEVEN_BITS))
        return "wrong block check (BCC)";
    out->check = IEC_CHECK_BCC;
    out->check_offset = end + 1;
    out->check_len = 1;
    c->at = end + 2;
    skip_line_ends(c);
    if (c->at < c->n)
        return "bytes behind the block";
    /* Some meters put the identification into the block. */
    *c = (struct cursor){ c->p, end, from };
    why = out->ident.n ? NULL : take_ident(c, out);
    out->data_offset = c->at;
    out->data = (struct iec_span){ (const char *)c->p + c->at, end - c->at };
    return why;
}

/* The cursor stands behind '!'; from: of the '/' or the first line. */
static const char *take_crc(struct cursor *c, size_t from, struct iec_frame *out)
{
    struct iec_span line;
    uint64_t sent;
    uint16_t crc = crc16_arc(c->p + from, c->at - from);

    (void)take_line(c, &line);
    line = iec_trim(line);
    if (line.n == 0)
        return NULL;
    if (line.n > CRC_DIGITS || !iec_hex(line, &sent))
        return "text behind the '!'";
    if (sent != crc)
        return "wrong checksum (CRC-16)";
    out->check = IEC_CHECK_CRC16;
    out->check_offset = (size_t)((const uint8_t *)line.p - c->p);
    out->check_len = line.n;
    out->short_crc = line.n < CRC_DIGITS;
    return NULL;
}

/* Without STX the data end at a '!' that begins a line or follows a value. */
static const char *take_plain(struct cursor *c, size_t from, struct iec_frame *out)
{
    const char *why;
    size_t begin = c->at;

    while (c->at < c->n && c->p[c->at] != '!') {
        if (c->p[c->at] == IEC_STX || c->p[c->at] == IEC_ETX)
            return "control characters between the lines";
        c->at++;
    }
    if (c->at == c->n)
        return "ends before the '!'";
    out->data_offset = begin;
    out->data = (struct iec_span){ (const char *)c->p + begin, c->at - begin };
    c->at++;
    why = take_crc(c, from, out);
    if (why)
        return why;
    skip_line_ends(c);
    if (at_byte(c, '/'))
        return "more than one telegram";
    /* Some meters print lines of their own there. */
    for (; c->at < c->n; c->at++)
        if (c->p[c->at] < ' ' && !is_line_end(c->p[c->at]))
            return "control characters behind the '!'";
    return NULL;
}

const char *iec_frame_parse(const uint8_t *p, size_t n, struct iec_frame *out)
{
    struct cursor c = { p, n, 0 };
    const char *why;
    size_t from;

    memset(out, 0, sizeof *out);
    skip_requests(&c);
    from = c.at;
    why = take_ident(&c, out);
    if (why)
        return why;
    skip_requests(&c);
    if (!at_byte(&c, IEC_STX) && !at_byte(&c, IEC_SOH))
        return take_plain(&c, from, out);
    c.at++;
    return take_block(&c, out);
}
