/* CRC-16 of EN 13757-4 (link layer, extended link layer, compact frames): polynomial 3D65, start 0,
 * result inverted. */
#ifndef EMT_PARSERS_MBUS_CRC_H
#define EMT_PARSERS_MBUS_CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t mbus_crc16(const uint8_t *p, size_t n);

/* The same in parts: start with 0, feed, invert at the end. */
uint16_t mbus_crc16_feed(uint16_t crc, const uint8_t *p, size_t n);
static inline uint16_t mbus_crc16_end(uint16_t crc)
{
    return (uint16_t)~crc;
}

#endif
