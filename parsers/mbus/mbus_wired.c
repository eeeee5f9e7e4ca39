#include "mbus_wired.h"

#include "base/reader.h"

/* short: 10 C A CS 16        control, long: 68 L L 68 C A CI data… CS 16, L counts C to the last
 * data byte CS: sum of the bytes from C to the last data byte, modulo 256 */
#define START_SHORT 0x10
#define START_LONG 0x68
#define STOP 0x16
#define ACK 0xe5
#define LONG_HEADER 4
#define LONG_LEAST 3 /* C A CI */

static uint8_t sum_of(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum;
}

static enum emt_err end_of_frame(struct reader *in, const uint8_t *counted, size_t n)
{
    uint8_t cs = reader_u8(in);
    uint8_t stop = reader_u8(in);

    if (in->failed)
        return EMT_ETRUNCATED;
    return cs == sum_of(counted, n) && stop == STOP ? EMT_OK : EMT_EMALFORMED;
}

static enum emt_err parse_long(struct reader *in, struct mbus_wired *out)
{
    uint8_t l1 = reader_u8(in);
    uint8_t l2 = reader_u8(in);
    uint8_t start = reader_u8(in);
    const uint8_t *counted;

    if (in->failed)
        return EMT_ETRUNCATED;
    if (l1 != l2 || l1 < LONG_LEAST || start != START_LONG)
        return EMT_EMALFORMED;
    counted = reader_bytes(in, l1);
    if (!counted)
        return EMT_ETRUNCATED;
    out->kind = MBUS_WIRED_LONG;
    out->c = counted[0];
    out->a = counted[1];
    out->body = counted + 2;
    out->body_len = (size_t)l1 - 2;
    out->body_offset = LONG_HEADER + 2;
    return end_of_frame(in, counted, l1);
}

static enum emt_err parse_short(struct reader *in, struct mbus_wired *out)
{
    const uint8_t *counted = reader_bytes(in, 2);

    if (!counted)
        return EMT_ETRUNCATED;
    out->kind = MBUS_WIRED_SHORT;
    out->c = counted[0];
    out->a = counted[1];
    return end_of_frame(in, counted, 2);
}

enum emt_err mbus_wired_parse(const uint8_t *frame, size_t len, struct mbus_wired *out)
{
    struct reader in = reader_of(frame, len);
    struct mbus_wired w = { 0 };
    enum emt_err err;
    uint8_t start = reader_u8(&in);

    if (in.failed)
        return EMT_ETRUNCATED;
    if (start == ACK)
        err = EMT_OK; /* kind is MBUS_WIRED_ACK */
    else if (start == START_SHORT)
        err = parse_short(&in, &w);
    else if (start == START_LONG)
        err = parse_long(&in, &w);
    else
        err = EMT_EMALFORMED;
    if (err != EMT_OK)
        return err;
    w.trailing = reader_left(&in);
    *out = w;
    return EMT_OK;
}
