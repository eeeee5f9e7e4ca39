#include "fuzz_dlms_decoder.h"

#include "../common/fuzz_result.h"
#include "base/arena.h"
#include "base/cipher.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (64u * 1024 * 1024)

struct device_key fuzz_dlms_key(void)
{
    static const uint8_t title[FUZZ_TITLE_LEN] = { 'E', 'M', 'T', 0x10, 0x00, 0xbc, 0x61, 0x4e };
    struct device_key key = { .len = 16, .ak_len = 16, .system_title_len = sizeof title };

    for (uint8_t i = 0; i < 16; i++) {
        key.bytes[i] = i;
        key.ak[i] = (uint8_t)(0xd0 + i);
    }
    memcpy(key.system_title, title, sizeof title);
    return key;
}

/* The first is right, the second has no authentication key, the third no use. */
static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const unsigned *n = ctx;

    (void)device;
    for (unsigned i = 0; i < *n; i++) {
        keys[i] = fuzz_dlms_key();
        keys[i].ak_len = i == 0 ? 16 : 0;
        keys[i].len = i == 2 ? 8 : 16;
        keys[i].system_title_len = i == 0 ? FUZZ_TITLE_LEN : 0;
    }
    return *n;
}

struct cipher *fuzz_dlms_cipher(void)
{
    static struct cipher *cipher; /* one process, one thread */

    if (!cipher)
        cipher = cipher_new();
    return cipher;
}

void fuzz_dlms_decode(enum frame_format format, unsigned keys, const uint8_t *data, size_t size)
{
    static struct arena *arena;
    struct decode_request req = { .protocol = PROTOCOL_DLMS,
                                  .format = format,
                                  .frame = data,
                                  .len = size,
                                  .keys = { find_key, &keys },
                                  .accept_plaintext = true,
                                  .cipher = fuzz_dlms_cipher() };
    struct decode_result decoded, explained, peeked;

    if (!arena)
        arena = arena_new(ARENA_LIMIT);
    req.arena = arena;
    arena_reset(arena);
    fuzz_must(decode_frame(&req, &decoded) == EMT_OK);
    fuzz_check_result(&decoded, size);
    fuzz_explain(&req, &explained);
    fuzz_must(explained.state == decoded.state && explained.nreadings == decoded.nreadings);
    fuzz_must(decode_peek(&req, &peeked) == EMT_OK);
    fuzz_must(peeked.nreadings == 0);
    fuzz_must(peeked.state == decoded.state || peeked.state == FRAME_OK);
    if (decoded.state == FRAME_OK && decoded.has_device)
        fuzz_must(peeked.has_device && device_id_equal(&peeked.device, &decoded.device));
}
