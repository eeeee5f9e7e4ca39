#include "fuzz_dlms_decoder.h"

#include "base/arena.h"
#include "base/cipher.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (64u * 1024 * 1024)

static void must(bool holds)
{
    if (!holds)
        abort();
}

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

static void check_reading(const struct reading *r)
{
    char key[CHANNEL_KEY_MAX], text[DECIMAL_TEXT_MAX];

    must(memchr(r->qualifier, 0, sizeof r->qualifier) != NULL);
    must(memchr(r->time_text, 0, sizeof r->time_text) != NULL);
    must(strlen(reading_channel_key(r, key)) < CHANNEL_KEY_MAX);
    if (r->kind == READING_TEXT || r->kind == READING_RAW)
        must(r->text != NULL);
    else
        must(r->value.exponent >= -64 && r->value.exponent <= 64 &&
             strlen(decimal_format(r->value, text)) < DECIMAL_TEXT_MAX);
}

static void check_result(const struct decode_result *r, size_t size)
{
    must((unsigned)r->state < FRAME_STATES);
    must(memchr(r->reason, 0, sizeof r->reason) != NULL);
    must(r->state == FRAME_OK || (r->reason[0] != 0 && r->nreadings == 0 && !r->has_application));
    must(r->plain != NULL || r->plain_len == 0);
    for (unsigned i = 0; i < r->nlayers; i++)
        must(r->layers[i].name != NULL && r->layers[i].offset <= size);
    for (unsigned i = 0; i < r->nlink; i++)
        must(r->link[i].name != NULL && r->link[i].text != NULL);
    for (unsigned i = 0; i < r->nreadings; i++)
        check_reading(&r->readings[i]);
    if (r->has_device) {
        char text[DEVICE_ID_TEXT_MAX];
        struct device_id id;

        must(device_id_parse(device_id_format(&r->device, text), &id) == EMT_OK);
        must(device_id_equal(&id, &r->device));
    }
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
    struct decode_result decoded, peeked;

    if (!arena)
        arena = arena_new(ARENA_LIMIT);
    req.arena = arena;
    arena_reset(arena);
    must(decode_frame(&req, &decoded) == EMT_OK);
    check_result(&decoded, size);
    must(decode_peek(&req, &peeked) == EMT_OK);
    must(peeked.nreadings == 0);
    must(peeked.state == decoded.state || peeked.state == FRAME_OK);
    if (decoded.state == FRAME_OK && decoded.has_device)
        must(peeked.has_device && device_id_equal(&peeked.device, &decoded.device));
}
