/* What the fuzz targets of DLMS share: one arena and cipher, the key of tests/corpus/dlms or none,
 * and what must hold of a result. */
#ifndef EMT_TESTS_FUZZ_PARSERS_DLMS_FUZZ_DLMS_DECODER_H
#define EMT_TESTS_FUZZ_PARSERS_DLMS_FUZZ_DLMS_DECODER_H

#include "parsers/decode.h"

#define FUZZ_TITLE_LEN 8

/* Decodes and checks; aborts when something does not hold. keys: how many are known. */
void fuzz_dlms_decode(enum frame_format format, unsigned keys, const uint8_t *data, size_t size);
/* The first key, for targets that cipher their input. */
struct device_key fuzz_dlms_key(void);
struct cipher *fuzz_dlms_cipher(void);

#endif
