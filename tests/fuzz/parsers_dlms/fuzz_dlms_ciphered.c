/* Ciphered APDUs as they arrive, with one to three keys; and the input as the plain text of a
 * push that is ciphered right, so that what is behind the tag is reached. The first byte is the
 * security control. */
#include "base/cipher.h"
#include "dlms/dlms_security.h"
#include "fuzz_dlms_decoder.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 2048
#define HEAD_LEN 13

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* general-glo: title, length in two bytes, ciphered text. */
static void decode_sealed(uint8_t control, const uint8_t *text, size_t n)
{
    struct device_key key = fuzz_dlms_key();
    uint8_t scratch[DLMS_EXTRA_MAX + 33 + TEXT_MAX], sealed[TEXT_MAX + 17];
    uint8_t *frame;
    size_t len;

    if (dlms_protected_seal(fuzz_dlms_cipher(), control, 7, &key, text, n, scratch, sealed, &len) !=
        EMT_OK)
        return;
    frame = malloc(HEAD_LEN + len); /* of its exact size, for the sanitizer */
    if (!frame)
        return;
    frame[0] = 0xdb;
    frame[1] = FUZZ_TITLE_LEN;
    memcpy(frame + 2, key.system_title, FUZZ_TITLE_LEN);
    frame[10] = 0x82;
    frame[11] = (uint8_t)(len >> 8);
    frame[12] = (uint8_t)len;
    memcpy(frame + HEAD_LEN, sealed, len);
    fuzz_dlms_decode(FRAME_FORMAT_NONE, 1, frame, HEAD_LEN + len);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_MAX)
        return 0;
    fuzz_dlms_decode(FRAME_FORMAT_AUTO, 1, data, size);
    fuzz_dlms_decode(FRAME_FORMAT_NONE, 3, data, size);
    decode_sealed(data[0] & 0x71u, data + 1, size - 1);
    decode_sealed(0x30, data, size);
    return 0;
}
