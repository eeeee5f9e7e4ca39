#include "fuzz_obis_decoder.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (32u * 1024 * 1024)

static void must(bool holds)
{
    if (!holds)
        abort();
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

void fuzz_obis_decode(enum protocol protocol, const uint8_t *data, size_t size)
{
    static struct arena *arena; /* one process, one thread */
    struct decode_request req = { .protocol = protocol, .frame = data, .len = size };
    struct decode_result decoded, peeked;

    if (!arena)
        arena = arena_new(ARENA_LIMIT);
    req.arena = arena;
    arena_reset(arena);
    must(decode_frame(&req, &decoded) == EMT_OK);
    check_result(&decoded, size);
    must(decode_peek(&req, &peeked) == EMT_OK);
    must(peeked.nreadings == 0 && peeked.state == decoded.state);
    must(peeked.has_device == decoded.has_device);
}
