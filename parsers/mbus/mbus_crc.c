#include "mbus_crc.h"

#define POLYNOMIAL 0x3d65u

uint16_t mbus_crc16_feed(uint16_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint16_t)(p[i] << 8);
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc << 1 ^ (crc & 0x8000u ? POLYNOMIAL : 0u));
    }
    return crc;
}

uint16_t mbus_crc16(const uint8_t *p, size_t n)
{
    return mbus_crc16_end(mbus_crc16_feed(0, p, n));
}
