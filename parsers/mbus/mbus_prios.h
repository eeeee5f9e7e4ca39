/* The scrambling of older Diehl (Hydrometer, Sappel) radio modules with CI A0 to A7: a shift
 * register seeded from the header. It hides nothing from anybody who knows the makers' common keys;
 * it is no encryption. */
#ifndef EMT_PARSERS_MBUS_PRIOS_H
#define EMT_PARSERS_MBUS_PRIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MBUS_PRIOS_HEADER 4 /* bytes behind the CI that are not scrambled */
#define MBUS_PRIOS_KEY 8

/* address: manufacturer and the six bytes behind it, as transmitted. p: what stands behind the CI,
 * n bytes. Writes n bytes to out. False: too short, or the key does not fit (the first byte under
 * the scrambling is 4B). */
bool mbus_prios_open(const uint8_t address[8], uint8_t ci, const uint8_t key[MBUS_PRIOS_KEY],
                     const uint8_t *p, size_t n, uint8_t *out);

#endif
