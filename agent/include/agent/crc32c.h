/* CRC-32C (Castagnoli: polynomial 1EDC6F41 reflected, start and final xor FFFFFFFF), as in RFC 3720
 * appendix B.4. */
#ifndef EMT_AGENT_CRC32C_H
#define EMT_AGENT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the checksum of what came before; 0 to begin. */
uint32_t crc32c(uint32_t before, const void *p, size_t n);

#endif
