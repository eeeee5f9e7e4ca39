/* Frames as they come. */
#include "fuzz_obis_decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_obis_decode(PROTOCOL_SML, data, size);
    fuzz_obis_decode(PROTOCOL_SML_STREAM, data, size);
    return 0;
}
