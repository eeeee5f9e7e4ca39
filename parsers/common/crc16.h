/* The 16-bit checksums with reversed bits: HDLC and SML (X.25), Kermit, DSMR P1 (ARC). */
#ifndef EMT_PARSERS_CRC16_H
#define EMT_PARSERS_CRC16_H

#include <stddef.h>
#include <stdint.h>

/* ISO/IEC 13239: start ffff, result inverted. Sent low byte first. "123456789" gives 906e. */
uint16_t crc16_x25(const uint8_t *p, size_t n);
/* The same polynomial, start 0, not inverted. "123456789" gives 2189. */
uint16_t crc16_kermit(const uint8_t *p, size_t n);
/* Polynomial 8005, start 0, not inverted. "123456789" gives bb3d. */
uint16_t crc16_arc(const uint8_t *p, size_t n);

#endif
