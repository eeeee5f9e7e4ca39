#include "mbus_prios.h"

#include <string.h>

/* off size  behind the CI
 *   0    3  status, seeds the register together with CI and address
 *   3    1  not scrambled, not known
 *   4    …  scrambled; the first byte is 4B */
#define SEED_BYTES 3
#define CHECK 0x4b

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Taps 2, 3, 12 and 32 of the register feed its lowest bit. */
static uint32_t eight_steps(uint32_t s)
{
    for (unsigned i = 0; i < 8; i++)
        s = s << 1 | ((s >> 1 ^ s >> 2 ^ s >> 11 ^ s >> 31) & 1u);
    return s;
}

bool mbus_prios_open(const uint8_t address[8], uint8_t ci, const uint8_t key[MBUS_PRIOS_KEY],
                     const uint8_t *p, size_t n, uint8_t *out)
{
    uint8_t head[4] = { ci };
    uint32_t s;

    if (n <= MBUS_PRIOS_HEADER)
        return false;
    memcpy(head + 1, p, SEED_BYTES);
    s = big_endian(key) ^ big_endian(key + 4) ^ big_endian(address) ^ big_endian(address + 4) ^
        big_endian(head);
    memcpy(out, p, MBUS_PRIOS_HEADER);
    for (size_t i = MBUS_PRIOS_HEADER; i < n; i++) {
        s = eight_steps(s);
        out[i] = (uint8_t)(p[i] ^ (s & 0xffu));
    }
    return out[MBUS_PRIOS_HEADER] == CHECK;
}
