/* Bare APDUs and data, without keys. */
#include "fuzz_dlms_decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > DECODE_FRAME_MAX)
        return 0;
    fuzz_dlms_decode(FRAME_FORMAT_NONE, 0, data, size);
    return 0;
}
