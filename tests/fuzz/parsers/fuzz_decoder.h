/* A decoder for fuzz targets: one arena and cipher for all runs, a fixed key or none, formats
 * remembered. */
#ifndef EMT_TESTS_FUZZ_PARSERS_FUZZ_DECODER_H
#define EMT_TESTS_FUZZ_PARSERS_FUZZ_DECODER_H

#include "parsers/decode.h"

/* Decodes and checks what must hold for every result; aborts otherwise. keys: how many of the fixed
 * ones are known. */
void fuzz_decode(enum protocol protocol, enum frame_format format, bool accept_plaintext,
                 unsigned keys, const uint8_t *data, size_t size);

#endif
