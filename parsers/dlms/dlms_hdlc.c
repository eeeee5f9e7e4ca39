/* 7E | format 2 | destination 1, 2, 4 | source 1, 2, 4 | control 1 | HCS 2 | information | FCS 2 |
 * 7E. Format: A in the high nibble, bit 11 segmentation, 11 bits length of all between the flags.
 * Without information there is no HCS. The length ends the frame: no bytes are stuffed. */
#include "dlms_hdlc.h"

#include "common/crc16.h"

#define FORMAT_TYPE 0xa000u
#define FORMAT_MASK 0xf000u
#define SEGMENTED 0x0800u
#define LENGTH_MASK 0x07ffu
#define ADDRESS_LAST 0x01u
#define CHECK_LEN 2

/* Addresses of 1, 2 or 4 bytes; the lowest bit marks the last (IEC 62056-46, 6.4.2). */
static bool read_address(struct reader *in, uint32_t *out)
{
    uint32_t address = 0;

    for (unsigned n = 1; n <= 4; n++) {
        uint8_t b = reader_u8(in);

        address = address << 7 | b >> 1;
        if (b & ADDRESS_LAST) {
            *out = address;
            return n != 3 && !in->failed;
        }
    }
    return false;
}

static bool check_fits(const uint8_t *p, size_t n)
{
    return crc16_x25(p, n) == (uint16_t)(p[n] | p[n + 1] << 8);
}

static enum emt_err read_body(const uint8_t *p, size_t len, struct hdlc_frame *f)
{
    struct reader in = reader_of(p, len - CHECK_LEN);

    if (!check_fits(p, len - CHECK_LEN))
        return EMT_EAUTH;
    reader_skip(&in, 2); /* format */
    if (!read_address(&in, &f->destination) || !read_address(&in, &f->source))
        return EMT_EMALFORMED;
    f->control = reader_u8(&in);
    if (in.failed)
        return EMT_EMALFORMED;
    if (reader_at_end(&in))
        return EMT_OK;
    if (reader_left(&in) < CHECK_LEN)
        return EMT_EMALFORMED;
    if (!check_fits(p, in.pos))
        return EMT_EAUTH;
    reader_skip(&in, CHECK_LEN);
    f->info_len = reader_left(&in);
    f->info = reader_bytes(&in, f->info_len);
    return EMT_OK;
}

enum emt_err hdlc_frame_read(struct reader *in, struct hdlc_frame *out)
{
    struct hdlc_frame f = { .info = NULL };
    uint16_t format;
    size_t len;
    const uint8_t *p;
    enum emt_err err;

    if (reader_left(in) && reader_peek(in, 0) != HDLC_FLAG)
        return EMT_EMALFORMED;
    while (reader_left(in) && reader_peek(in, 0) == HDLC_FLAG)
        reader_skip(in, 1);
    format = (uint16_t)(reader_peek(in, 0) << 8 | reader_peek(in, 1));
    if (reader_left(in) < 2)
        return EMT_ETRUNCATED;
    len = format & LENGTH_MASK;
    if ((format & FORMAT_MASK) != FORMAT_TYPE || len < 2 + CHECK_LEN)
        return EMT_EMALFORMED;
    p = reader_bytes(in, len);
    if (!p || reader_left(in) == 0)
        return EMT_ETRUNCATED;
    if (reader_peek(in, 0) != HDLC_FLAG)
        return EMT_EMALFORMED;
    f.start = p;
    f.len = len;
    f.segmented = (format & SEGMENTED) != 0;
    err = read_body(p, len, &f);
    if (err == EMT_OK)
        *out = f;
    return err;
}

bool hdlc_carries_data(uint8_t control)
{
    return (control & 0x01) == 0 || (control & 0xef) == 0x03;
}
