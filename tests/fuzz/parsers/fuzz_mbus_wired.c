/* Wired M-Bus frames: as they come, and with checksum and stop byte set right, so that the fuzzer
 * gets behind them. */
#include "fuzz_decoder.h"

#include <string.h>

#define FRAME_MAX 261

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t frame[2 * FRAME_MAX];
    uint8_t sum = 0;

    if (size == 0)
        return 0;
    fuzz_decode(PROTOCOL_MBUS, FRAME_FORMAT_AUTO, false, 0, data, size);
    if (size < 9 || size > FRAME_MAX)
        return 0;
    memcpy(frame, data, size);
    frame[0] = frame[3] = 0x68;
    frame[1] = frame[2] = (uint8_t)(size - 6);
    frame[4] &= 0xbf; /* from a meter */
    for (size_t i = 4; i < size - 2; i++)
        sum = (uint8_t)(sum + frame[i]);
    frame[size - 2] = sum;
    frame[size - 1] = 0x16;
    fuzz_decode(PROTOCOL_MBUS, FRAME_FORMAT_AUTO, true, 0, frame, size);
    fuzz_decode(PROTOCOL_MBUS, FRAME_FORMAT_AUTO, false, 3, frame, size);
    memcpy(frame + size, frame, size); /* a readout, where DIF 1F ends it */
    fuzz_decode(PROTOCOL_MBUS, FRAME_FORMAT_AUTO, true, 1, frame, 2 * size);
    return 0;
}
