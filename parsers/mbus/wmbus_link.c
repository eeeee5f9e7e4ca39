#include "wmbus_link.h"

#include "base/arena.h"
#include "base/reader.h"
#include "mbus_crc.h"

#include <stdbool.h>
#include <string.h>

/* Format A: L does not count CRCs.        Format B: L counts them.
 *  off size                                off size
 *    0   10  L C M A                         0  126  L … (or all, up to 128 bytes with the CRC)
 *   10    2  CRC                           126    2  CRC over 0..125
 *   12   16  data, 2 CRC, and so on        128    …  data, 2 CRC over 128.. */
#define A_FIRST 10
#define A_BLOCK 16
#define B_FIRST 126
#define CRC_LEN 2

static bool crc_fits(const uint8_t *p, size_t n)
{
    uint16_t crc = mbus_crc16(p, n);

    return p[n] == crc >> 8 && p[n + 1] == (crc & 0xffu); /* high byte first */
}

static enum emt_err take_a(struct arena *arena, const uint8_t *frame, size_t len,
                           struct wmbus_link *out)
{
    size_t n = (size_t)frame[0] + 1;
    size_t blocks = 1 + (n - A_FIRST + A_BLOCK - 1) / A_BLOCK;
    size_t total = n + CRC_LEN * blocks;
    struct reader in = reader_of(frame, len);
    uint8_t *bytes;

    if (len < total)
        return EMT_ETRUNCATED;
    bytes = (uint8_t *)arena_alloc(arena, n);
    if (!bytes)
        return EMT_ENOMEM;
    for (size_t at = 0; at < n;) {
        size_t most = at == 0 ? A_FIRST : A_BLOCK;
        size_t part = n - at < most ? n - at : most;
        const uint8_t *p = reader_bytes(&in, part + CRC_LEN);

        if (!p || !crc_fits(p, part))
            return EMT_EMALFORMED;
        memcpy(bytes + at, p, part);
        at += part;
    }
    out->format = FRAME_FORMAT_A_CRC;
    out->bytes = bytes;
    out->len = n;
    out->trailing = len - total;
    return EMT_OK;
}

static enum emt_err take_b(struct arena *arena, const uint8_t *frame, size_t len,
                           struct wmbus_link *out)
{
    size_t total = (size_t)frame[0] + 1;
    bool two = total > B_FIRST + CRC_LEN;
    size_t crcs = two ? 2 * CRC_LEN : CRC_LEN;
    size_t second = B_FIRST + CRC_LEN;
    uint8_t *bytes;

    if (total < WMBUS_LINK_HEADER + crcs || (two && total < second + CRC_LEN))
        return EMT_EMALFORMED;
    if (len < total)
        return EMT_ETRUNCATED;
    if (two ? !crc_fits(frame, B_FIRST) || !crc_fits(frame + second, total - second - CRC_LEN)
            : !crc_fits(frame, total - CRC_LEN))
        return EMT_EMALFORMED;
    bytes = (uint8_t *)arena_alloc(arena, total);
    if (!bytes)
        return EMT_ENOMEM;
    if (two) {
        memcpy(bytes, frame, B_FIRST);
        memcpy(bytes + B_FIRST, frame + second, total - second - CRC_LEN);
    } else {
        memcpy(bytes, frame, total - CRC_LEN);
    }
    out->format = FRAME_FORMAT_B_CRC;
    out->bytes = bytes;
    out->len = total - crcs;
    out->trailing = len - total;
    bytes[0] = (uint8_t)(out->len - 1);
    return EMT_OK;
}

/* A receiver that takes the CRCs of format B away without correcting L. */
static bool lacks_b_crcs(size_t n, size_t len)
{
    size_t crcs = n > B_FIRST + CRC_LEN ? 2 * CRC_LEN : CRC_LEN;

    return len >= WMBUS_LINK_HEADER && len + crcs == n;
}

static enum emt_err take_corrected(struct arena *arena, const uint8_t *frame, size_t len,
                                   struct wmbus_link *out)
{
    uint8_t *bytes = (uint8_t *)arena_copy(arena, frame, len);

    if (!bytes)
        return EMT_ENOMEM;
    bytes[0] = (uint8_t)(len - 1);
    out->corrected = true;
    out->format = FRAME_FORMAT_NO_LINK_CRC;
    out->bytes = bytes;
    out->len = len;
    return EMT_OK;
}

static enum emt_err take_plain(struct arena *arena, const uint8_t *frame, size_t len,
                               struct wmbus_link *out)
{
    size_t n = (size_t)frame[0] + 1;

    if (lacks_b_crcs(n, len))
        return take_corrected(arena, frame, len, out);
    if (len < n)
        return EMT_ETRUNCATED;
    out->format = FRAME_FORMAT_NO_LINK_CRC;
    out->bytes = frame;
    out->len = n;
    out->trailing = len - n;
    return EMT_OK;
}

static enum emt_err take(struct arena *arena, const uint8_t *frame, size_t len,
                         enum frame_format format, struct wmbus_link *out)
{
    enum emt_err err;

    if (format == FRAME_FORMAT_A_CRC)
        return take_a(arena, frame, len, out);
    if (format == FRAME_FORMAT_B_CRC)
        return take_b(arena, frame, len, out);
    if (format == FRAME_FORMAT_NO_LINK_CRC)
        return take_plain(arena, frame, len, out);
    err = take_a(arena, frame, len, out);
    if (err == EMT_ETRUNCATED || err == EMT_EMALFORMED)
        err = take_b(arena, frame, len, out);
    if (err == EMT_ETRUNCATED || err == EMT_EMALFORMED)
        err = take_plain(arena, frame, len, out);
    return err;
}

enum emt_err wmbus_link_parse(struct arena *arena, const uint8_t *frame, size_t len,
                              enum frame_format format, struct wmbus_link *out)
{
    struct wmbus_link link = { 0 };
    struct reader in;
    enum emt_err err;

    if (len == 0)
        return EMT_ETRUNCATED;
    if (frame[0] < WMBUS_LINK_HEADER - 1)
        return EMT_EMALFORMED;
    err = take(arena, frame, len, format, &link);
    if (err != EMT_OK)
        return err;
    in = reader_of(link.bytes, link.len);
    reader_skip(&in, 1);
    link.c = reader_u8(&in);
    link.address = mbus_address_read_link(&in);
    if (in.failed)
        return EMT_ETRUNCATED;
    *out = link;
    return EMT_OK;
}

size_t wmbus_link_offset(const struct wmbus_link *link, size_t at)
{
    if (link->format == FRAME_FORMAT_A_CRC && at >= A_FIRST)
        return at + CRC_LEN * (1 + (at - A_FIRST) / A_BLOCK);
    if (link->format == FRAME_FORMAT_B_CRC && at >= B_FIRST)
        return at + CRC_LEN;
    return at;
}
