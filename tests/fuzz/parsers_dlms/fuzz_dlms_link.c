/* HDLC, wrapper and M-Bus frames as they arrive; and with their check sequences and lengths put
 * right, so that what is behind them is reached. */
#include "common/crc16.h"
#include "fuzz_dlms_decoder.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_crc(uint8_t *frame, size_t from, size_t to)
{
    uint16_t crc = crc16_x25(frame + from, to - from);

    frame[to] = (uint8_t)crc;
    frame[to + 1] = (uint8_t)(crc >> 8);
}

/* Walks HDLC frames by their lengths; header and frame get the sequences that fit. */
static void mend_hdlc(uint8_t *p, size_t n)
{
    size_t at = 0;

    while (at + 9 < n && p[at] == 0x7e) {
        size_t len = (size_t)(p[at + 1] & 7) << 8 | p[at + 2], head = at + 3;

        if (len < 9 || at + 1 + len >= n)
            return;
        for (unsigned addresses = 0; addresses < 2 && head < at + len - 5; head++)
            addresses += p[head] & 1;
        put_crc(p, at + 1, head + 1);
        put_crc(p, at + 1, at + 1 + len - 2);
        p[at + 1 + len] = 0x7e;
        at += 1 + len;
        while (at + 1 < n && p[at + 1] == 0x7e)
            at++;
    }
}

static void mend_mbus(uint8_t *p, size_t n)
{
    size_t at = 0;

    while (at + 6 < n && p[at] == 0x68) {
        size_t len = p[at + 1];
        uint8_t sum = 0;

        if (len == 0 || at + len + 6 > n)
            return;
        for (size_t i = 0; i < len; i++)
            sum = (uint8_t)(sum + p[at + 4 + i]);
        p[at + 2] = (uint8_t)len;
        p[at + 3] = 0x68;
        p[at + 4 + len] = sum;
        p[at + 5 + len] = 0x16;
        at += len + 6;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (size == 0 || size > FRAME_MAX)
        return 0;
    fuzz_dlms_decode(FRAME_FORMAT_AUTO, 0, data, size);
    fuzz_dlms_decode(FRAME_FORMAT_WRAPPER, 1, data, size);
    copy = malloc(size); /* of its exact size, for the sanitizer */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    mend_hdlc(copy, size);
    fuzz_dlms_decode(FRAME_FORMAT_HDLC, 1, copy, size);
    memcpy(copy, data, size);
    mend_mbus(copy, size);
    fuzz_dlms_decode(FRAME_FORMAT_MBUS, 1, copy, size);
    free(copy);
    return 0;
}
