/* Radio telegrams in each frame format, without and with keys, plaintext accepted or not; and with
 * L set right. */
#include "fuzz_decoder.h"

#include <string.h>

#define FRAME_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as several telegrams of one meter, each L and what it counts: fragments meet. */
static void fuzz_sequence(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t n = (size_t)data[at] + 1;

        if (n > size - at)
            n = size - at;
        fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, false, 1, data + at, n);
        at += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t frame[FRAME_MAX];

    if (size == 0)
        return 0;
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_AUTO, true, 0, data, size);
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_A_CRC, false, 1, data, size);
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_B_CRC, false, 1, data, size);
    fuzz_sequence(data, size);
    if (size > FRAME_MAX)
        return 0;
    memcpy(frame, data, size);
    frame[0] = (uint8_t)(size - 1);
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, true, 0, frame, size);
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, false, 1, frame, size);
    fuzz_decode(PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, true, 3, frame, size);
    return 0;
}
