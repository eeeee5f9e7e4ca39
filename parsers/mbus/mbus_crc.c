#include "mbus_crc.h"

/* Remainders of 3D65 for the next four bits. */
static const uint16_t remainders[16] = {
    0x0000, 0x3d65, 0x7aca, 0x47af, 0xf594, 0xc8f1, 0x8f5e, 0xb23b,
    0xd64d, 0xeb28, 0xac87, 0x91e2, 0x23d9, 0x1ebc, 0x5913, 0x6476,
};

static uint16_t feed_nibble(uint16_t crc, unsigned nibble)
{
    unsigned at = (crc >> 12 ^ nibble) & 0x0fu;

    return (uint16_t)(((unsigned)crc << 4 ^ remainders[at]) & 0xffffu);
}

uint16_t mbus_crc16_feed(uint16_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc = feed_nibble(crc, p[i] >> 4);
        crc = feed_nibble(crc, p[i] & 0x0fu);
    }
    return crc;
}

uint16_t mbus_crc16(const uint8_t *p, size_t n)
{
    return mbus_crc16_end(mbus_crc16_feed(0, p, n));
}
