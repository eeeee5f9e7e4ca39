/* Read-outs as they come, and as data blocks whose check fits. */
#include "fuzz_obis_decoder.h"
#include "iec62056_21/iec_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *block;

    fuzz_obis_decode(PROTOCOL_IEC62056_21, data, size);
    block = malloc(size + 3);
    if (!block)
        return 0;
    block[0] = IEC_STX;
    if (size)
        memcpy(block + 1, data, size);
    block[size + 1] = IEC_ETX;
    block[size + 2] = iec_bcc(block + 1, size + 1);
    fuzz_obis_decode(PROTOCOL_IEC62056_21, block, size + 3);
    free(block);
    return 0;
}
