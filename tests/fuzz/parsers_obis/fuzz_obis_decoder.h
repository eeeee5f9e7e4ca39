/* What the fuzz targets of SML and IEC 62056-21 share: one arena, and what must hold of a result.
 */
#ifndef EMT_TESTS_FUZZ_PARSERS_OBIS_FUZZ_OBIS_DECODER_H
#define EMT_TESTS_FUZZ_PARSERS_OBIS_FUZZ_OBIS_DECODER_H

#include "parsers/decode.h"

/* Decodes and checks; aborts when something does not hold. */
void fuzz_obis_decode(enum protocol protocol, const uint8_t *data, size_t size);

#endif
