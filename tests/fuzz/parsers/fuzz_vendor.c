/* Manufacturer profiles as text, and what they do to a telegram of every place. */
#include "base/arena.h"
#include "base/cipher.h"
#include "parsers/decode.h"
#include "parsers/vendor_profiles.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record of VIF FF, a tail, and a body of CI A2, of manufacturer EMT, version 1, water. */
static const uint8_t record[] = { 27,   0x44, 0xb4, 0x15, 0x78, 0x56, 0x34, 0x12, 0x01, 0x07,
                                  0x78, 0x0d, 0xff, 0x5f, 0xe4, 0x13, 0x02, 0x03, 0x9f, 0x0f,
                                  0x01, 0x9f, 0x27, 0x80, 0xff, 0x80, 0x12, 0x34 };
static const uint8_t body[] = { 16,   0x44, 0xb4, 0x15, 0x78, 0x56, 0x34, 0x12, 0x01,
                                0x07, 0xa2, 0x13, 0x9f, 0x27, 0xff, 0x80, 0x00 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void decode(struct arena *arena, struct cipher *cipher, const struct vendor_profiles *v,
                   const uint8_t *frame, size_t len)
{
    struct decode_request req = { .protocol = PROTOCOL_WMBUS,
                                  .format = FRAME_FORMAT_NO_LINK_CRC,
                                  .frame = frame,
                                  .len = len,
                                  .cipher = cipher,
                                  .arena = arena,
                                  .vendors = v };
    struct decode_result r;
    char key[CHANNEL_KEY_MAX];

    arena_reset(arena);
    must(decode_frame(&req, &r) == EMT_OK);
    for (unsigned i = 0; i < r.nreadings; i++)
        (void)reading_channel_key(&r.readings[i], key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    static struct cipher *cipher;
    struct vendor_profiles *v = vendor_profiles_new();
    struct emt_diag diag = { 0 };

    if (!arena) {
        arena = arena_new(16u * 1024 * 1024);
        cipher = cipher_new();
    }
    if (vendor_profiles_add_text(v, "fuzz", (const char *)data, size, &diag) == EMT_OK) {
        decode(arena, cipher, v, record, sizeof record);
        decode(arena, cipher, v, body, sizeof body);
    }
    vendor_profiles_free(v);
    return 0;
}
